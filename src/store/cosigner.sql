-- The schema of a log cosigner's memory, version 1. This file is the documentation of `cosigner.db`.
--
--     PRAGMA application_id   1447251795 (0x56434F53, "VCOS")
--     PRAGMA user_version     1
--     PRAGMA journal_mode     wal
--
-- All of it is evidence: nothing is ever changed or deleted. A cosigner whose memory goes back in time signs what it
-- must not, so an older copy of this file must never be put in its place.

-- Every checkpoint that was cosigned, in order: a signed note with the log's signature and ours. The newest of an origin
-- is where the cosigner stands; the next one must extend it.
CREATE TABLE IF NOT EXISTS cosigned (
  number INTEGER PRIMARY KEY,                   -- from 1
  origin TEXT NOT NULL,                         -- the note's first line
  size   INTEGER NOT NULL CHECK (size >= 0),    -- the note's second line
  time   INTEGER NOT NULL,                      -- when it was cosigned, in seconds since 1970
  note   TEXT NOT NULL                          -- the signed note
) STRICT;

CREATE INDEX IF NOT EXISTS cosigned_by_size ON cosigned (origin, size);

-- Checkpoints, signed by a watched log, that do not go with one that was cosigned.
CREATE TABLE IF NOT EXISTS evidence (
  number     INTEGER PRIMARY KEY,   -- from 1
  origin     TEXT NOT NULL,
  time       INTEGER NOT NULL,      -- when it was seen, in seconds since 1970
  reason     TEXT NOT NULL CHECK (reason IN ('same-size', 'other-beginning', 'unproven')),
  other      TEXT NOT NULL,         -- the later checkpoint: a signed note
  split_view TEXT NOT NULL          -- both checkpoints and the proof that came with the later one, in one file
) STRICT;

-- One row for each way in which a checkpoint is at odds, however often it is handed in.
CREATE UNIQUE INDEX IF NOT EXISTS evidence_once ON evidence (other, reason);

CREATE TRIGGER IF NOT EXISTS cosigned_only_grows BEFORE INSERT ON cosigned
WHEN new.number IS NOT (SELECT ifnull(max(number) + 1, 1) FROM cosigned)
  OR new.size < (SELECT ifnull(max(size), 0) FROM cosigned WHERE origin = new.origin)
BEGIN
  SELECT raise(ABORT, 'a cosigner never goes back: the next checkpoint is at least as large as the last');
END;

CREATE TRIGGER IF NOT EXISTS cosigned_never_change BEFORE UPDATE ON cosigned
BEGIN
  SELECT raise(ABORT, 'what was cosigned is never changed');
END;

CREATE TRIGGER IF NOT EXISTS cosigned_never_go BEFORE DELETE ON cosigned
BEGIN
  SELECT raise(ABORT, 'what was cosigned is never deleted');
END;

CREATE TRIGGER IF NOT EXISTS evidence_only_append BEFORE INSERT ON evidence
WHEN new.number IS NOT (SELECT ifnull(max(number) + 1, 1) FROM evidence)
BEGIN
  SELECT raise(ABORT, 'evidence is only ever appended');
END;

CREATE TRIGGER IF NOT EXISTS evidence_never_changes BEFORE UPDATE ON evidence
BEGIN
  SELECT raise(ABORT, 'evidence is never changed');
END;

CREATE TRIGGER IF NOT EXISTS evidence_never_goes BEFORE DELETE ON evidence
BEGIN
  SELECT raise(ABORT, 'evidence is never deleted');
END;
