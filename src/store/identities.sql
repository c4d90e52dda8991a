-- The schema of `identities.db`, version 1: who the patients are, encrypted, beside `ledger.db` and no part of it. The
-- ledger holds commitments only, so it stays whole and verifies when this file, or its key, is lost or destroyed.
--
--     PRAGMA application_id   1447641417 (0x56494149, "VIAI")
--     PRAGMA user_version     1
--     PRAGMA journal_mode     wal: copy `identities.db` together with `identities.db-wal`, or after a clean stop
--
-- Encrypted with AES-256-GCM under the identity key, which is not in here.

-- Whose identities these are, and with which key they were sealed: one row.
CREATE TABLE IF NOT EXISTS sealing (
  one         INTEGER PRIMARY KEY CHECK (one = 1),
  origin      TEXT NOT NULL,                                     -- of the ledger
  fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 32)     -- SHA-256("vialedger.v1.IdentityKey" || 0x0A || key)
) STRICT;

-- The identities. The plaintext is a serialised protobuf message `vialedger.v1.IdentityOpening`; the additional data of
-- the encryption is the commitment and the origin's bytes, so that no row can be put in another's place or into another
-- ledger's file.
CREATE TABLE IF NOT EXISTS identities (
  commitment BLOB PRIMARY KEY CHECK (length(commitment) = 32),   -- what the entry of the registration holds
  nonce      BLOB NOT NULL CHECK (length(nonce) = 12),           -- random, new with every encryption
  ciphertext BLOB NOT NULL CHECK (length(ciphertext) BETWEEN 16 AND 65535)  -- and its tag of 16 bytes at the end
) STRICT, WITHOUT ROWID;
