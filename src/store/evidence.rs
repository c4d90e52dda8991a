//! The evidence for an audit: the rows of both tables, as they stand, at one moment.

use std::collections::VecDeque;
use std::path::Path;

use bytes::Bytes;
use rusqlite::{Row, params};

use super::connection;
use super::error::StoreError;
use super::read::{Reader, to_sql};
use crate::audit::{CheckpointRow, EntryRow, EvidenceError};

/// Rows that are fetched at once.
const CHUNK_ROWS: i64 = 1_024;

/// A ledger's database, opened to be audited. Nothing in it is believed, not even its schema: rows come in the order in
/// which they lie in the file, whatever their indexes say.
///
/// All of it is read at one moment, so that a server may go on writing meanwhile; its WAL grows until this is dropped.
#[derive(Debug)]
pub struct Evidence {
    reader: Reader,
}

impl Evidence {
    /// Opens a database: a server's, or a copy, also on a medium that cannot be written to.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        match Self::begin(Reader::open(path)) {
            // SQLite wants to write an index for the WAL next to the file. Where there is no WAL, it need not.
            Err(error) if error.is_disk_failure() && !connection::has_wal(path) => {
                Self::begin(Reader::open_immutable(path))
            }
            opened => opened,
        }
    }

    fn begin(reader: Result<Reader, StoreError>) -> Result<Self, StoreError> {
        let reader = reader?;
        reader.connection().execute_batch("BEGIN")?;
        // The moment is the first read's.
        reader.size()?;
        Ok(Self { reader })
    }

    /// How many entries there seem to be, for a progress bar.
    pub fn size_hint(&self) -> Result<u64, StoreError> {
        self.reader.size()
    }

    /// Single reads, at the same moment. What they find is found through the file's indexes: whoever uses it checks it
    /// against a signed root.
    #[must_use]
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// The rows of `entries`.
    pub fn entries(&self) -> impl Iterator<Item = Result<EntryRow, EvidenceError>> + '_ {
        self.entries_from(0)
    }

    /// The same from an index on; 0 for all of them, whatever they say.
    pub fn entries_from(
        &self,
        first: u64,
    ) -> impl Iterator<Item = Result<EntryRow, EvidenceError>> + '_ {
        let sql = "SELECT rowid, idx, entry FROM entries WHERE rowid >= ?1 ORDER BY rowid LIMIT ?2";
        Rows::new(&self.reader, sql, first, |row| {
            let index = position(row.get(1)?);
            let entry = row.get_ref(2)?.as_blob();
            let entry = entry.map_err(|error| StoreError::bad_entry(index, &error))?;
            Ok(EntryRow { index, entry: Bytes::copy_from_slice(entry) })
        })
    }

    /// The rows of `checkpoints`.
    pub fn checkpoints(&self) -> impl Iterator<Item = Result<CheckpointRow, EvidenceError>> + '_ {
        self.checkpoints_from(0)
    }

    /// The same from a size on.
    pub fn checkpoints_from(
        &self,
        first: u64,
    ) -> impl Iterator<Item = Result<CheckpointRow, EvidenceError>> + '_ {
        let sql =
            "SELECT rowid, size, note FROM checkpoints WHERE rowid >= ?1 ORDER BY rowid LIMIT ?2";
        Rows::new(&self.reader, sql, first, |row| {
            let size = position(row.get(1)?);
            // Its bytes, so that a note which is no text is judged like any other altered one.
            let note = row.get_ref(2)?.as_bytes();
            let note = note.map_err(|error| StoreError::evidence(error.to_string()))?;
            Ok(CheckpointRow { size, note: Bytes::copy_from_slice(note) })
        })
    }
}

/// A row's position as it is stored. No entry has a negative one: it is judged like any other place where none belongs,
/// so that one added row cannot keep the verdict away.
fn position(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or(u64::MAX)
}

/// Rows of a table, fetched by the chunk so that memory stays small.
struct Rows<'r, T> {
    reader: &'r Reader,
    sql: &'static str,
    read: fn(&Row<'_>) -> Result<T, StoreError>,
    fetched: VecDeque<T>,
    /// The least position that a row not fetched can have; none once there can be no more. A bound by itself, so that
    /// SQLite seeks it instead of stepping over all rows before it.
    next: Option<i64>,
    failure: Option<EvidenceError>,
    ended: bool,
}

impl<'r, T> Rows<'r, T> {
    fn new(
        reader: &'r Reader,
        sql: &'static str,
        first: u64,
        read: fn(&Row<'_>) -> Result<T, StoreError>,
    ) -> Self {
        let next = if first == 0 { i64::MIN } else { to_sql(first) };
        let fetched = VecDeque::new();
        Self { reader, sql, read, fetched, next: Some(next), failure: None, ended: false }
    }

    fn fetch(&mut self) -> Result<(), StoreError> {
        let Some(next) = self.next else { return Ok(()) };
        let mut statement = self.reader.connection().prepare_cached(self.sql)?;
        let mut rows = statement.query(params![next, CHUNK_ROWS])?;
        while let Some(row) = rows.next()? {
            let at: i64 = row.get(0)?;
            // In a file whose pages were tampered with: going on from there might go on for ever.
            if self.next.is_none_or(|next| at < next) {
                return Err(StoreError::evidence(format!(
                    "row {at} is not behind those before it"
                )));
            }
            self.next = at.checked_add(1);
            self.fetched.push_back((self.read)(row)?);
        }
        Ok(())
    }
}

impl<T> Iterator for Rows<'_, T> {
    type Item = Result<T, EvidenceError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.fetched.is_empty() && !self.ended {
            self.failure = self.fetch().err().map(|error| EvidenceError(error.to_string()));
            self.ended = self.failure.is_some() || self.fetched.is_empty();
        }
        // What lies before a row that cannot be read is still shown, and nothing after it.
        self.fetched.pop_front().map(Ok).or_else(|| self.failure.take().map(Err))
    }
}
