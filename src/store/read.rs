//! Connections that only read, next to the writer and never in its way.

use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::connection;
use super::error::StoreError;
use crate::tlog::{HASH_BYTES, Hash};

/// Connections that are kept open between reads.
const MAX_IDLE_READERS: usize = 8;

/// Read-only connections to one ledger, lent out one read at a time.
#[derive(Debug)]
pub struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Reader>>,
}

impl Readers {
    /// Readers of the database at this path, the first of which is opened at once.
    pub fn open(path: PathBuf) -> Result<Self, StoreError> {
        let first = Reader::open(&path)?;
        Ok(Self { path, idle: Mutex::new(vec![first]) })
    }

    /// Reads with a connection of its own: one that is idle, or a new one. Blocks on the disk.
    pub fn read<T, E: From<StoreError>>(
        &self,
        read: impl FnOnce(&Reader) -> Result<T, E>,
    ) -> Result<T, E> {
        let idle = self.lock().pop();
        let reader = match idle {
            Some(reader) => reader,
            None => Reader::open(&self.path)?,
        };
        let answer = read(&reader)?;
        // A connection that has just failed is closed instead.
        let mut idle = self.lock();
        if idle.len() < MAX_IDLE_READERS {
            idle.push(reader);
        }
        Ok(answer)
    }

    /// Closes the idle connections, so that the writer can be the last to close and leave no WAL behind.
    pub fn close(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Reader>> {
        // The list is whole between any two of its operations, whatever happened to a thread that held it.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A read-only connection to a ledger's database.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
}

impl Reader {
    /// Opens a ledger's database for reading: one that is being written to, or a copy.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { connection: connection::open_reader(path, connection::READER_BUSY_TIMEOUT)? })
    }

    /// Opens a database on a medium that nobody can write to while it is read.
    pub(super) fn open_immutable(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { connection: connection::open_immutable(path)? })
    }

    /// Number of entries: one more than the last index.
    pub fn size(&self) -> Result<u64, StoreError> {
        let size = self
            .connection
            .prepare_cached("SELECT ifnull(max(idx) + 1, 0) FROM entries")?
            .query_one([], |row| row.get(0))?;
        from_sql(size)
    }

    /// The bytes of an entry.
    pub fn entry(&self, index: u64) -> Result<Option<Bytes>, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT entry FROM entries WHERE idx = ?1")?
            .query_one([to_sql(index)], |row| {
                Ok(Bytes::copy_from_slice(row.get_ref(0)?.as_blob()?))
            })
            .optional()?)
    }

    /// Shows the entries with these indexes, in order, until the visitor breaks off. What is missing is not shown:
    /// whoever needs to know compares the indexes.
    pub fn visit_entries<E: From<StoreError>>(
        &self,
        indexes: Range<u64>,
        visit: impl FnMut(u64, &[u8]) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        let sql = "SELECT idx, entry FROM entries WHERE idx >= ?1 AND idx < ?2 ORDER BY idx";
        self.visit(sql, params![to_sql(indexes.start), to_sql(indexes.end)], visit)
    }

    /// The same for the entries that touch a resource.
    pub fn visit_subject<E: From<StoreError>>(
        &self,
        subject: &str,
        indexes: Range<u64>,
        visit: impl FnMut(u64, &[u8]) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        let sql = "SELECT entries.idx, entry FROM subjects CROSS JOIN entries USING (idx) \
             WHERE subject = ?1 AND subjects.idx >= ?2 AND subjects.idx < ?3 ORDER BY subjects.idx";
        self.visit(sql, params![subject, to_sql(indexes.start), to_sql(indexes.end)], visit)
    }

    fn visit<E: From<StoreError>>(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        mut visit: impl FnMut(u64, &[u8]) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        let mut statement = self.connection.prepare_cached(sql).map_err(StoreError::from)?;
        let mut rows = statement.query(params).map_err(StoreError::from)?;
        while let Some(row) = rows.next().map_err(StoreError::from)? {
            let (index, entry) = index_and_entry(row)?;
            if visit(index, entry)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Index of the entry that holds the request with this id.
    pub fn find_request(&self, request_id: &[u8; 16]) -> Result<Option<u64>, StoreError> {
        let found = self
            .connection
            .prepare_cached("SELECT idx FROM requests WHERE request_id = ?1")?
            .query_one([request_id], |row| row.get(0))
            .optional()?;
        found.map(from_sql).transpose()
    }

    /// The checkpoint that was signed at a size: a signed note.
    pub fn checkpoint_at(&self, size: u64) -> Result<Option<String>, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT note FROM checkpoints WHERE size = ?1")?
            .query_one([to_sql(size)], |row| row.get(0))
            .optional()?)
    }

    /// The newest checkpoint and the size that it stands under.
    pub fn newest_checkpoint(&self) -> Result<Option<(u64, String)>, StoreError> {
        let newest = self
            .connection
            .prepare_cached("SELECT size, note FROM checkpoints ORDER BY size DESC LIMIT 1")?
            .query_one([], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        newest.map(|(size, note)| Ok((from_sql(size)?, note))).transpose()
    }

    /// Shows every checkpoint with the size that it stands under, in order, until the visitor breaks off.
    pub fn visit_checkpoints<E: From<StoreError>>(
        &self,
        mut visit: impl FnMut(u64, &str) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        let sql = "SELECT size, note FROM checkpoints ORDER BY size";
        let mut statement = self.connection.prepare_cached(sql).map_err(StoreError::from)?;
        let mut rows = statement.query([]).map_err(StoreError::from)?;
        while let Some(row) = rows.next().map_err(StoreError::from)? {
            let (size, note) = size_and_note(row)?;
            if visit(size, note)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// The 256 hashes of a full tile of the tree.
    pub fn tile(&self, level: u8, number: u64) -> Result<Vec<Hash>, StoreError> {
        let hashes = self
            .connection
            .prepare_cached("SELECT hashes FROM tiles WHERE level = ?1 AND number = ?2")?
            .query_one(params![level, to_sql(number)], |row| {
                let (hashes, _) = row.get_ref(0)?.as_blob()?.as_chunks::<HASH_BYTES>();
                Ok(hashes.iter().copied().map(Hash::new).collect())
            })
            .optional()?;
        hashes.ok_or_else(|| StoreError::Derived {
            what: format!("tile {number} of level {level} is missing"),
        })
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }
}

fn index_and_entry<'r>(row: &'r Row<'_>) -> Result<(u64, &'r [u8]), StoreError> {
    let index = from_sql(row.get(0)?)?;
    let entry = row.get_ref(1)?.as_blob().map_err(|e| StoreError::bad_entry(index, &e))?;
    Ok((index, entry))
}

fn size_and_note<'r>(row: &'r Row<'_>) -> Result<(u64, &'r str), StoreError> {
    let size = from_sql(row.get(0)?)?;
    let note = row.get_ref(1)?.as_str();
    let note = note.map_err(|e| StoreError::evidence(format!("checkpoint of size {size}: {e}")))?;
    Ok((size, note))
}

/// An index as SQLite counts. Indexes end at 2^62, where the tree ends; above that there is nothing to be found.
pub(super) fn to_sql(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// An index out of the database. A negative one was written by nobody of ours.
pub(super) fn from_sql(value: i64) -> Result<u64, StoreError> {
    u64::try_from(value)
        .map_err(|_| StoreError::evidence(format!("{value} where an index belongs")))
}
