//! Snapshots: the rules' state in the database, so that a start need not replay every entry.
//!
//! A snapshot is never evidence. It is used only if the ledger's key signed it, so that whoever can write to the file,
//! or hands over a copy of it, cannot put words into the state; if the chain has its last entry at its place; and the
//! tree that is built on it must still reach the root that the ledger's key signed.

use rusqlite::{Connection, OptionalExtension as _, params};
use sha2::{Digest as _, Sha256};

use super::error::StoreError;
use super::read::{from_sql, to_sql};
use crate::tlog::{HASH_BYTES, Hash, NoteSigner, SignedNote, VerifierKey};

/// First line of what is signed. An origin has no space, so that no snapshot is ever read as a checkpoint.
const NOTE_HEAD: &str = "vialedger snapshot";

/// Bytes of a part: small enough that a commit which carries one along is hardly longer.
const PART_BYTES: usize = 256 * 1024;

/// Finished snapshots that are kept beside the one that is being written: one to fall back to.
const KEPT_BESIDE_NEW: i64 = 1;

/// Parts without a snapshot that are deleted with every part that is written: two, so that deleting catches up.
const STALE_PARTS_PER_STEP: i64 = 2;

/// A snapshot on its way into the database, part by part.
#[derive(Debug)]
pub struct SnapshotParts {
    size: u64,
    leaf: Hash,
    format: String,
    bytes: Vec<u8>,
    /// The signed note over all of it.
    note: String,
    /// How many parts were written.
    written: usize,
    finished: bool,
}

/// A snapshot out of the database, whose signature was checked and nothing else.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct StoredSnapshot {
    /// Entries folded into it.
    pub(super) size: u64,
    /// Leaf hash of the last of them.
    pub(super) leaf: Hash,
    /// The serialised state.
    pub(super) bytes: Vec<u8>,
}

impl SnapshotParts {
    /// A snapshot of the first `size` entries, the last of which has the leaf hash `leaf`, signed with the ledger's key.
    pub(super) fn new(
        size: u64,
        leaf: Hash,
        format: String,
        bytes: Vec<u8>,
        signer: &NoteSigner,
    ) -> Self {
        let note = signer.sign(&note_text(&format, size, leaf, &bytes));
        let note = note.expect("four lines without control characters").to_string();
        Self { size, leaf, format, bytes, note, written: 0, finished: false }
    }

    /// Whether all of it is in the database.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// Entries folded into it.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Length of the whole, in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there is nothing in it, which no state ever is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// Writes the next part within the open transaction, and with the last one the row that makes the snapshot count.
///
/// A crash between two parts leaves parts without that row. They count for nothing, and the next snapshot deletes them.
pub(super) fn write_part(
    connection: &Connection,
    parts: &mut SnapshotParts,
) -> Result<(), StoreError> {
    if parts.finished {
        return Ok(());
    }
    let size = to_sql(parts.size);
    if parts.written == 0 {
        // What is kept is decided first: the snapshots that go lose their row here and their parts below.
        connection
            .prepare_cached(
                "DELETE FROM snapshots WHERE size = ?1 OR size NOT IN \
                 (SELECT size FROM snapshots WHERE size < ?1 ORDER BY size DESC LIMIT ?2)",
            )?
            .execute(params![size, KEPT_BESIDE_NEW])?;
    }
    delete_stale_parts(connection, size)?;
    let mut chunks = parts.bytes.chunks(PART_BYTES);
    let chunk = chunks.nth(parts.written).unwrap_or_default();
    let last = chunks.next().is_none();
    let number = i64::try_from(parts.written).expect("a snapshot has fewer than 2^63 parts");
    connection
        .prepare_cached("INSERT OR REPLACE INTO snapshot_parts VALUES (?1, ?2, ?3)")?
        .execute(params![size, number, chunk])?;
    if last {
        connection
            .prepare_cached("INSERT INTO snapshots VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![size, parts.format, parts.leaf.as_ref(), number + 1, parts.note])?;
    }
    parts.written += 1;
    parts.finished = last;
    Ok(())
}

fn delete_stale_parts(connection: &Connection, writing: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "DELETE FROM snapshot_parts WHERE rowid IN (SELECT rowid FROM snapshot_parts \
             WHERE size <> ?1 AND size NOT IN (SELECT size FROM snapshots) LIMIT ?2)",
        )?
        .execute(params![writing, STALE_PARTS_PER_STEP])?;
    Ok(())
}

/// Sizes of the snapshots in the database, the newest first.
pub(super) fn sizes(connection: &Connection) -> Result<Vec<u64>, StoreError> {
    let mut statement =
        connection.prepare("SELECT size FROM snapshots WHERE size > 0 ORDER BY size DESC")?;
    let sizes: Vec<i64> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    sizes.into_iter().map(from_sql).collect()
}

/// Reads a snapshot that the ledger's key signed; `Err` in the inner result says why it cannot be used.
pub(super) fn read(
    connection: &Connection,
    size: u64,
    format: &str,
    key: &VerifierKey,
) -> Result<Result<StoredSnapshot, String>, StoreError> {
    let row: Option<(String, [u8; HASH_BYTES], i64, Vec<u8>)> = connection
        .prepare_cached(
            "SELECT format, leaf_hash, parts, CAST(note AS BLOB) FROM snapshots WHERE size = ?1",
        )?
        .query_one([to_sql(size)], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .optional()?;
    let Some((found_format, leaf, parts, note)) = row else {
        return Ok(Err(format!("there is no snapshot of size {size}")));
    };
    if found_format != format {
        return Ok(Err(format!("it has the format {found_format:?}, this program {format:?}")));
    }
    let mut statement = connection.prepare_cached(
        "SELECT bytes FROM snapshot_parts WHERE size = ?1 AND part < ?2 ORDER BY part",
    )?;
    let mut rows = statement.query(params![to_sql(size), parts])?;
    let mut bytes = Vec::new();
    while let Some(row) = rows.next()? {
        bytes.extend_from_slice(row.get_ref(0)?.as_blob().unwrap_or_default());
    }
    let leaf = Hash::new(leaf);
    let signed = SignedNote::parse(&note).and_then(|note| {
        note.verify(key)?;
        Ok(note.text() == note_text(format, size, leaf, &bytes))
    });
    Ok(match signed {
        Ok(true) => Ok(StoredSnapshot { size, leaf, bytes }),
        Ok(false) => Err("it is not what the ledger's key signed".to_owned()),
        Err(error) => Err(format!("the ledger's key did not sign it: {error}")),
    })
}

/// What is signed of a snapshot, each on a line.
fn note_text(format: &str, size: u64, leaf: Hash, bytes: &[u8]) -> String {
    let digest = Hash::new(Sha256::digest(bytes).into());
    format!("{NOTE_HEAD}\n{format}\n{size} {leaf}\n{digest}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::connection::create;
    use crate::tlog::leaf_hash;

    const FORMAT: &str = "test";

    fn signer(seed: u8) -> NoteSigner {
        let key = ed25519_dalek::SigningKey::from_bytes(&[seed; 32]);
        NoteSigner::new("example.org/clinic".parse().unwrap(), key)
    }

    fn parts(size: u64, bytes: &[u8], signer: &NoteSigner) -> SnapshotParts {
        SnapshotParts::new(size, leaf_hash(b"leaf"), FORMAT.to_owned(), bytes.to_vec(), signer)
    }

    fn read(
        connection: &Connection,
        size: u64,
        format: &str,
    ) -> Result<Result<StoredSnapshot, String>, StoreError> {
        super::read(connection, size, format, signer(1).verifier_key())
    }

    fn write(connection: &Connection, size: u64, bytes: &[u8]) -> usize {
        let mut parts = parts(size, bytes, &signer(1));
        let mut steps = 0;
        while !parts.is_finished() {
            write_part(connection, &mut parts).unwrap();
            steps += 1;
        }
        steps
    }

    fn count(connection: &Connection) -> i64 {
        connection.query_one("SELECT count(*) FROM snapshot_parts", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn a_snapshot_comes_back_whole_in_as_many_parts_as_it_needs() {
        let dir = tempfile::tempdir().unwrap();
        let connection = create(&dir.path().join("ledger.db")).unwrap();
        for (size, length, steps) in
            [(1, 1, 1), (2, PART_BYTES, 1), (3, PART_BYTES + 1, 2), (4, 3 * PART_BYTES, 3)]
        {
            let bytes = vec![7; length];
            assert_eq!(write(&connection, size, &bytes), steps);
            let stored = read(&connection, size, FORMAT).unwrap().unwrap();
            assert_eq!(stored, StoredSnapshot { size, leaf: leaf_hash(b"leaf"), bytes });
        }
    }

    #[test]
    fn the_two_newest_are_kept_and_the_rest_goes_with_its_parts() {
        let dir = tempfile::tempdir().unwrap();
        let connection = create(&dir.path().join("ledger.db")).unwrap();
        for size in 1..=9 {
            write(&connection, size, &vec![7; 2 * PART_BYTES]);
            let expected = if size == 1 { vec![1] } else { vec![size, size - 1] };
            assert_eq!(sizes(&connection).unwrap(), expected);
            assert!(count(&connection) <= 6, "stale parts do not pile up");
        }
        // The same size again replaces it.
        write(&connection, 9, &[8; 5]);
        assert_eq!(sizes(&connection).unwrap(), [9, 8]);
        assert_eq!(read(&connection, 9, FORMAT).unwrap().unwrap().bytes, [8; 5]);
    }

    #[test]
    fn an_unfinished_snapshot_counts_for_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let connection = create(&dir.path().join("ledger.db")).unwrap();
        let bytes = vec![7; 2 * PART_BYTES];
        let mut parts = parts(5, &bytes, &signer(1));
        write_part(&connection, &mut parts).unwrap();
        assert!(sizes(&connection).unwrap().is_empty());
        write(&connection, 6, b"whole");
        assert_eq!(sizes(&connection).unwrap(), [6]);
        assert_eq!(count(&connection), 1, "what the unfinished one left is deleted");
    }

    #[test]
    fn damage_and_foreign_formats_are_reported_and_nothing_is_returned() {
        let dir = tempfile::tempdir().unwrap();
        let connection = create(&dir.path().join("ledger.db")).unwrap();
        write(&connection, 1, b"state");
        assert!(read(&connection, 2, FORMAT).unwrap().is_err());
        assert!(read(&connection, 1, "other").unwrap().is_err());
        connection.execute("UPDATE snapshot_parts SET bytes = x'00'", []).unwrap();
        assert!(read(&connection, 1, FORMAT).unwrap().unwrap_err().contains("signed"));
        connection.execute("DELETE FROM snapshot_parts", []).unwrap();
        assert!(read(&connection, 1, FORMAT).unwrap().unwrap_err().contains("signed"));
    }

    #[test]
    fn a_snapshot_that_another_key_signed_is_of_no_use() {
        let dir = tempfile::tempdir().unwrap();
        let connection = create(&dir.path().join("ledger.db")).unwrap();
        let mut forged = parts(1, b"everybody is an administrator", &signer(2));
        write_part(&connection, &mut forged).unwrap();
        assert!(read(&connection, 1, FORMAT).unwrap().unwrap_err().contains("did not sign"));
        // Nor is a note of the right key over another snapshot, put in the forged one's place.
        write(&connection, 2, b"nobody is");
        let borrow = "UPDATE snapshots SET note = (SELECT note FROM snapshots WHERE size = 2)";
        connection.execute(borrow, []).unwrap();
        assert!(read(&connection, 1, FORMAT).unwrap().unwrap_err().contains("not what"));
        assert!(read(&connection, 2, FORMAT).unwrap().is_ok());
    }
}
