//! The one connection that writes: append if the head is still the expected one.

use std::path::Path;
use std::time::Duration;

use rusqlite::{CachedStatement, Connection, OptionalExtension as _, params};

use super::connection;
use super::error::StoreError;
use super::folder::{FolderLock, LedgerFolder};
use super::read::{from_sql, to_sql};
use super::snapshot::{self, SnapshotParts};
use crate::tlog::{FullTile, HASH_BYTES, Hash, TILE_HASHES, leaf_hash};

/// How the database is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreOptions {
    /// How long to wait for another program's lock on the database before giving up.
    pub busy_timeout: Duration,
    /// Pages of 4,096 bytes that the database may have; none is no limit. A limit below the disk's size keeps room for
    /// a copy when a ledger has filled its disk.
    pub max_pages: Option<u32>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { busy_timeout: DEFAULT_BUSY_TIMEOUT, max_pages: None }
    }
}

/// How long to wait for another program's lock unless told otherwise. Only somebody's SQLite shell can hold it.
const DEFAULT_BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Where a ledger ends: compare-and-append compares this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Number of entries.
    pub size: u64,
    /// Leaf hash of the last one.
    pub leaf: Hash,
}

/// What goes into a new ledger.
#[derive(Clone, Copy, Debug)]
pub struct NewLedger<'a> {
    /// Entry 0.
    pub entry: &'a [u8],
    /// Its request's id.
    pub request_id: &'a [u8; 16],
    /// What it touches.
    pub subjects: &'a [&'a str],
    /// The checkpoint of size 1: a signed note.
    pub checkpoint: &'a str,
}

/// A ledger open for writing. While it lives, no other process can open the folder for writing.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    folder: LedgerFolder,
    _lock: FolderLock,
}

impl Store {
    /// Creates a ledger with its first entry. Refuses where there is one, and leaves nothing behind when it fails.
    pub fn create(folder: &LedgerFolder, first: &NewLedger<'_>) -> Result<(), StoreError> {
        let _lock = folder.lock()?;
        let finished = folder.database();
        if finished.try_exists().map_err(|source| io(&finished, source))? {
            return Err(StoreError::Exists { path: finished });
        }
        let unfinished = folder.unfinished_database();
        remove_database(&unfinished)?;
        let connection = connection::create(&unfinished)?;
        let mut batch = Batch::begin(&connection)?;
        batch.append(first.entry, first.request_id, first.subjects)?;
        batch.commit(first.checkpoint)?;
        // A crash up to here leaves `ledger.db.unfinished`, which is no ledger yet; the next `create` removes it.
        close(connection)?;
        std::fs::rename(&unfinished, &finished).map_err(|source| io(&finished, source))?;
        // A crash here may leave either name in the folder, each with a whole database under it: without the final
        // name there is no ledger and `create` starts afresh, with it the ledger is complete.
        folder.sync()
    }

    /// Opens a ledger for writing. Never creates one.
    pub fn open(folder: &LedgerFolder, options: &StoreOptions) -> Result<Self, StoreError> {
        let path = folder.database();
        if !path.is_file() {
            // Asked before the lock is taken, so that a mistyped folder gets no lock file.
            return Err(StoreError::Missing { path });
        }
        let lock = folder.lock()?;
        let connection = connection::open_writer(&path, options.busy_timeout, options.max_pages)?;
        connection::check_schema(&connection)?;
        Ok(Self { connection, folder: folder.clone(), _lock: lock })
    }

    /// The folder that this ledger is in.
    #[must_use]
    pub fn folder(&self) -> &LedgerFolder {
        &self.folder
    }

    /// Opens a transaction for appending, if the ledger still ends where the caller thinks it does.
    ///
    /// Nothing of it is in the ledger before [`Batch::commit`]; dropping it drops all of it.
    pub fn begin(&mut self, head: Head) -> Result<Batch<'_>, StoreError> {
        let batch = Batch::begin(&self.connection)?;
        let last = self
            .connection
            .prepare_cached("SELECT entry FROM entries WHERE idx = ?1")?
            .query_one([to_sql(batch.size.saturating_sub(1))], |row| {
                Ok(leaf_hash(row.get_ref(0)?.as_blob()?))
            })
            .optional()?;
        if batch.size != head.size || last != Some(head.leaf) {
            return Err(StoreError::HeadMoved { expected: head.size, found: batch.size });
        }
        Ok(batch)
    }

    /// Writes the next part of a snapshot in a transaction of its own, for when nobody waits to write.
    pub fn write_snapshot_part(&mut self, parts: &mut SnapshotParts) -> Result<(), StoreError> {
        let transaction = Transaction::begin(&self.connection)?;
        snapshot::write_part(&self.connection, parts)?;
        transaction.commit()
    }

    /// Has SQLite refuse the next commit, after everything of it was done but that.
    #[cfg(test)]
    pub(crate) fn refuse_next_commit(&mut self) {
        let mut refuse = true;
        let hook = move || std::mem::replace(&mut refuse, false);
        self.connection.commit_hook(Some(hook)).expect("this connection is ours");
    }

    /// Loses every checkpoint, as the owner of a file can.
    #[cfg(test)]
    pub(crate) fn lose_checkpoints(&self) {
        let sql = "DROP TRIGGER checkpoints_never_go; DELETE FROM checkpoints";
        self.connection.execute_batch(sql).expect("no trigger is left to refuse it");
    }

    /// Flushes the WAL into the database and closes it, so that `ledger.db` alone is the whole ledger. Without this,
    /// the next start reads what is missing from `ledger.db-wal`.
    pub fn close(self) -> Result<(), StoreError> {
        close(self.connection)
    }
}

/// An open transaction of entries. All of them become durable together, or none does.
pub struct Batch<'c> {
    transaction: Transaction<'c>,
    insert_entry: CachedStatement<'c>,
    insert_request: CachedStatement<'c>,
    insert_subject: CachedStatement<'c>,
    find_request: CachedStatement<'c>,
    size: u64,
}

impl<'c> Batch<'c> {
    fn begin(connection: &'c Connection) -> Result<Self, StoreError> {
        let transaction = Transaction::begin(connection)?;
        let size: i64 = connection
            .prepare_cached("SELECT ifnull(max(idx) + 1, 0) FROM entries")?
            .query_one([], |row| row.get(0))?;
        Self::within(transaction, from_sql(size)?)
    }

    /// A batch in a transaction that is open already, with `size` entries filed.
    pub(super) fn within(transaction: Transaction<'c>, size: u64) -> Result<Self, StoreError> {
        let connection = transaction.connection;
        Ok(Self {
            transaction,
            insert_entry: connection.prepare_cached("INSERT INTO entries VALUES (?1, ?2)")?,
            insert_request: connection.prepare_cached("INSERT INTO requests VALUES (?1, ?2)")?,
            insert_subject: connection
                .prepare_cached("INSERT OR IGNORE INTO subjects VALUES (?1, ?2)")?,
            find_request: connection
                .prepare_cached("SELECT idx FROM requests WHERE request_id = ?1")?,
            size,
        })
    }

    /// Number of entries, those of this transaction included.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Index of the entry that holds the request with this id, entries of this transaction included.
    pub fn find_request(&mut self, request_id: &[u8; 16]) -> Result<Option<u64>, StoreError> {
        let found = self.find_request.query_one([request_id], |row| row.get(0)).optional()?;
        found.map(from_sql).transpose()
    }

    /// Adds an entry at the end, and to the derived tables under its request's id and what it touches.
    pub fn append<S: AsRef<str>>(
        &mut self,
        entry: &[u8],
        request_id: &[u8; 16],
        subjects: impl IntoIterator<Item = S>,
    ) -> Result<(), StoreError> {
        self.insert_entry.execute(params![to_sql(self.size), entry])?;
        self.file(request_id, subjects)
    }

    /// Files the next entry in the derived tables and counts it.
    pub(super) fn file<S: AsRef<str>>(
        &mut self,
        request_id: &[u8; 16],
        subjects: impl IntoIterator<Item = S>,
    ) -> Result<(), StoreError> {
        let index = to_sql(self.size);
        self.insert_request.execute(params![request_id, index])?;
        for subject in subjects {
            self.insert_subject.execute(params![subject.as_ref(), index])?;
        }
        self.size += 1;
        Ok(())
    }

    /// Keeps a tile that the tree has completed.
    pub fn keep_tile(&mut self, tile: &FullTile) -> Result<(), StoreError> {
        let mut hashes = Vec::with_capacity(usize::from(TILE_HASHES) * HASH_BYTES);
        tile.hashes.iter().for_each(|hash| hashes.extend_from_slice(hash.as_ref()));
        self.transaction
            .connection
            .prepare_cached("INSERT OR REPLACE INTO tiles VALUES (?1, ?2, ?3)")?
            .execute(params![tile.level, to_sql(tile.number), hashes])?;
        Ok(())
    }

    /// Writes the next part of a snapshot along with the entries.
    pub fn write_snapshot_part(&mut self, parts: &mut SnapshotParts) -> Result<(), StoreError> {
        snapshot::write_part(self.transaction.connection, parts)
    }

    /// Adds the checkpoint of the present size and makes everything durable.
    ///
    /// After an error nobody knows whether it became durable: the caller has to read the ledger again.
    pub fn commit(self, checkpoint: &str) -> Result<(), StoreError> {
        self.transaction
            .connection
            .prepare_cached("INSERT INTO checkpoints VALUES (?1, ?2)")?
            .execute(params![to_sql(self.size), checkpoint])?;
        self.commit_derived()
    }

    /// Makes everything durable where there is no new entry.
    pub(super) fn commit_derived(self) -> Result<(), StoreError> {
        // A crash before this returns leaves all of the batch or nothing of it: SQLite's WAL recovery decides at the
        // next start by the commit frame's checksum. Nobody was told yet that it is in the ledger; a client that
        // retries with the same request id gets the one entry or makes it.
        self.transaction.commit()
    }
}

/// A write transaction that is rolled back unless it is committed.
pub(super) struct Transaction<'c> {
    connection: &'c Connection,
}

impl<'c> Transaction<'c> {
    /// Takes the write lock at once: a deferred transaction could find out half-way that it will not get it.
    pub(super) fn begin(connection: &'c Connection) -> Result<Self, StoreError> {
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        Ok(Self { connection })
    }

    pub(super) fn commit(self) -> Result<(), StoreError> {
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        // After a commit, and after errors on which SQLite rolls back by itself, there is nothing left to do.
        if !self.connection.is_autocommit() {
            let rolled_back = self.connection.execute_batch("ROLLBACK");
            assert!(rolled_back.is_ok(), "SQLite rolls back any open transaction");
        }
    }
}

/// Moves everything from the WAL into the database and closes it.
pub(super) fn close(connection: Connection) -> Result<(), StoreError> {
    connection.flush_prepared_statement_cache();
    let busy: bool =
        connection.query_one("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy {
        return Err(StoreError::Busy);
    }
    connection.close().map_err(|(_, error)| error.into())
}

/// Removes a database that was never finished, with the files that SQLite keeps next to it.
fn remove_database(path: &Path) -> Result<(), StoreError> {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match std::fs::remove_file(&name) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(io(Path::new(&name), error));
            }
            _ => {}
        }
    }
    Ok(())
}

fn io(path: &Path, source: std::io::Error) -> StoreError {
    StoreError::Io { path: path.to_owned(), source }
}
