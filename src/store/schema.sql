-- The schema of a vialedger ledger, version 1. This file is the documentation of `ledger.db`: any SQLite 3.37 or
-- newer opens the database, and everything below can be checked by hand.
--
--     PRAGMA application_id   1447641420 (0x5649414C, "VIAL")
--     PRAGMA user_version     1
--     PRAGMA journal_mode     wal: copy `ledger.db` together with `ledger.db-wal`, or after a clean stop
--
-- EVIDENCE is what happened: nothing in it is ever changed, and an audit believes nothing else. The triggers stop
-- accidents. They do not stop the owner of the file: the chain, the tree and the signatures do that.
--
-- DERIVED is made from the evidence, for speed only. No audit reads it. It may be deleted and altered at will:
-- `vialedger rebuild` makes all of it again.

-- EVIDENCE -----------------------------------------------------------------------------------------------------------

-- The entries, in order, without a gap. `entry` is a serialised protobuf message `vialedger.v1.Entry`, stored once and
-- never encoded again. Its leaf hash is SHA-256(0x00 || entry); the entry at idx + 1 holds that hash.
CREATE TABLE IF NOT EXISTS entries (
  idx   INTEGER PRIMARY KEY,                                     -- position, from 0
  entry BLOB NOT NULL CHECK (length(entry) BETWEEN 1 AND 65535)  -- bytes, hashed as they stand
) STRICT;

-- What the ledger's key signed after every commit: C2SP checkpoints (https://c2sp.org/tlog-checkpoint) as signed notes.
-- `size` repeats the note's second line.
CREATE TABLE IF NOT EXISTS checkpoints (
  size INTEGER PRIMARY KEY,  -- number of entries that the note commits to
  note TEXT NOT NULL         -- the signed note
) STRICT;

-- The only way to write evidence is at its end. That also keeps INSERT OR REPLACE out, which fires no DELETE trigger.
CREATE TRIGGER IF NOT EXISTS entries_only_append BEFORE INSERT ON entries
WHEN new.idx IS NOT (SELECT ifnull(max(idx) + 1, 0) FROM entries)
BEGIN
  SELECT raise(ABORT, 'entries are only ever appended: the next idx is the number of entries');
END;

CREATE TRIGGER IF NOT EXISTS entries_never_change BEFORE UPDATE ON entries
BEGIN
  SELECT raise(ABORT, 'entries are never changed: record a correcting entry');
END;

CREATE TRIGGER IF NOT EXISTS entries_never_go BEFORE DELETE ON entries
BEGIN
  SELECT raise(ABORT, 'entries are never deleted');
END;

CREATE TRIGGER IF NOT EXISTS checkpoints_only_append BEFORE INSERT ON checkpoints
WHEN new.size IS NOT (SELECT max(idx) + 1 FROM entries)
  OR new.size <= (SELECT ifnull(max(size), 0) FROM checkpoints)
BEGIN
  SELECT raise(ABORT, 'a checkpoint is of the present size, once');
END;

CREATE TRIGGER IF NOT EXISTS checkpoints_never_change BEFORE UPDATE ON checkpoints
BEGIN
  SELECT raise(ABORT, 'checkpoints are never changed');
END;

CREATE TRIGGER IF NOT EXISTS checkpoints_never_go BEFORE DELETE ON checkpoints
BEGIN
  SELECT raise(ABORT, 'checkpoints are never deleted');
END;

-- DERIVED ------------------------------------------------------------------------------------------------------------

-- Which entry holds the request with an id, so that a retry gets the first answer.
CREATE TABLE IF NOT EXISTS requests (
  request_id BLOB PRIMARY KEY CHECK (length(request_id) = 16),  -- the UUID's bytes
  idx        INTEGER NOT NULL                                   -- entries.idx
) STRICT, WITHOUT ROWID;

-- Which entries touch a resource: 'vials/12-1', 'patients/p7', 'courses/9', 'sessions/12', 'people/ada', 'products/…',
-- 'lots/…'.
CREATE TABLE IF NOT EXISTS subjects (
  subject TEXT NOT NULL,
  idx     INTEGER NOT NULL,  -- entries.idx
  PRIMARY KEY (subject, idx)
) STRICT, WITHOUT ROWID;

-- Full tiles of the Merkle tree (https://c2sp.org/tlog-tiles): 256 hashes of 32 bytes. Level 0 holds the leaf hashes
-- of 256 entries, each level above the roots of 256 tiles below.
CREATE TABLE IF NOT EXISTS tiles (
  level  INTEGER NOT NULL,
  number INTEGER NOT NULL,
  hashes BLOB NOT NULL CHECK (length(hashes) = 8192),
  PRIMARY KEY (level, number)
) STRICT;

-- The rules' whole state after `size` entries, so that a start need not replay them all. A snapshot counts only once
-- its row is here, which is written after its last part; it is believed only if the ledger's key signed it and it fits
-- the chain.
CREATE TABLE IF NOT EXISTS snapshots (
  size      INTEGER PRIMARY KEY,                           -- entries folded into it
  format    TEXT NOT NULL,                                 -- which program's serialisation it is; others ignore it
  leaf_hash BLOB NOT NULL CHECK (length(leaf_hash) = 32),  -- of the entry at size - 1
  parts     INTEGER NOT NULL,                              -- how many there are
  note      TEXT NOT NULL                                  -- all this and the SHA-256 of the parts, a signed note
) STRICT;

-- A snapshot's bytes in parts, written one at a time between commits so that no write waits long for them.
CREATE TABLE IF NOT EXISTS snapshot_parts (
  size  INTEGER NOT NULL,  -- snapshots.size
  part  INTEGER NOT NULL,  -- from 0
  bytes BLOB NOT NULL,
  PRIMARY KEY (size, part)
) STRICT;
