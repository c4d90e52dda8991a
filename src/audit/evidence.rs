//! Rows of evidence, read in chunks with a look ahead, and the entry that belongs at each place.
//!
//! A chunk is judged while the next ones are made ready on the other cores: parsed, hashed, their signatures verified.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use rayon::prelude::*;

use super::ahead::Ahead;
use super::replay::unreadable;
use super::signatures::KeyRing;
use super::{Fault, Finding};
use crate::command::{Command, Violation};
use crate::ledger::{EntryError, ParsedEntry, SignedRequest, Unread};
use crate::tlog::{Hash, leaf_hash};

/// Rows that are kept in sight behind the one that is judged: enough to say which of two neighbours was changed.
const IN_SIGHT: usize = 2;

/// Rows whose signatures are verified together. With more of them hardly anything more is saved.
const TOGETHER: usize = 16;

/// A row of the entries, as it is stored.
#[derive(Clone, Debug)]
pub struct EntryRow {
    /// The row's index.
    pub index: u64,
    /// The entry's bytes.
    pub entry: Bytes,
}

/// A row of the checkpoints, as it is stored.
#[derive(Clone, Debug)]
pub struct CheckpointRow {
    /// The row's size.
    pub size: u64,
    /// The checkpoint's bytes.
    pub note: Bytes,
}

/// A row that cannot be read at all: a damaged file, or a value of another type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EvidenceError(pub String);

/// An entry that can be read, with what can be said of it without any other.
pub(super) struct ReadEntry {
    pub(super) parsed: ParsedEntry<Unread>,
    pub(super) command: Result<Command, Vec<Violation>>,
    /// Whether the signature is that of the key that the entry names.
    pub(super) signed: bool,
}

/// A row with what its bytes say.
pub(super) struct Row {
    index: u64,
    leaf: Hash,
    entry: Result<Arc<ReadEntry>, EntryError>,
}

impl Row {
    /// Reads rows, and verifies their signatures together.
    fn read_each(rows: &[EntryRow], keys: &KeyRing) -> Vec<Self> {
        let opened: Vec<_> = rows.iter().map(|row| ParsedEntry::open(row.entry.clone())).collect();
        let requests: Vec<_> = opened.iter().flatten().map(|entry| &entry.request).collect();
        let mut signed = keys.hold_each(&requests).into_iter();
        let mut read = |(row, opened): (&EntryRow, Result<ParsedEntry<Unread>, EntryError>)| {
            let entry = opened.map(|parsed| {
                let command = Command::parse(parsed.request.kind(), parsed.request.bytes());
                let signed = signed.next().unwrap_or(false);
                Arc::new(ReadEntry { parsed, command, signed })
            });
            let leaf = match &entry {
                Ok(entry) => entry.parsed.sealed.leaf_hash(),
                Err(_) => leaf_hash(&row.entry),
            };
            Self { index: row.index, leaf, entry }
        };
        rows.iter().zip(opened).map(&mut read).collect()
    }

    fn parsed(&self) -> Option<&ParsedEntry<Unread>> {
        self.entry.as_ref().ok().map(|entry| &entry.parsed)
    }

    /// The leaf hash that the row says is before it.
    fn previous(&self) -> Option<Hash> {
        self.parsed().map(|entry| entry.previous)
    }

    fn says(&self, index: u64) -> bool {
        self.parsed().is_some_and(|entry| entry.sealed.index() == index)
    }

    /// Whether its entry says that it comes after a row.
    fn follows(&self, row: &Self) -> bool {
        row.index.checked_add(1).is_some_and(|index| self.says(index))
    }
}

/// Chunks that are made ready while one is judged. What was judged is let go of by the same jobs, so that as many again are
/// in memory at most.
pub(super) const CHUNKS_AHEAD: usize = 8;

/// A chunk of rows and the few that follow it.
pub(super) struct Window<E> {
    source: E,
    keys: Arc<KeyRing>,
    rows: Vec<Row>,
    /// How many rows of `rows` are the chunk; the others are in sight.
    chunk: usize,
    size: usize,
    /// The chunks after `rows` as they were read, each of which is being made ready.
    unread: VecDeque<Arc<[EntryRow]>>,
    ahead: Ahead<Vec<Row>>,
    /// Why no more can be read, once everything before has been judged.
    failure: Option<EvidenceError>,
    ended: bool,
}

impl<E> Window<E>
where
    E: Iterator<Item = Result<EntryRow, EvidenceError>>,
{
    /// Rows in chunks of `size`.
    pub(super) fn new(source: E, size: usize) -> Self {
        let (keys, rows, unread, ahead) = Default::default();
        let (failure, ended) = (None, false);
        let mut window = Self { source, keys, rows, chunk: 0, size, unread, ahead, failure, ended };
        window.read(size + IN_SIGHT, Vec::new());
        window
    }

    /// Reads rows and has them made ready. What was judged before is let go of there as well: to free so many things
    /// takes time.
    fn read(&mut self, wanted: usize, mut spent: Vec<Row>) {
        if self.ended {
            return;
        }
        let rows: Arc<[EntryRow]> =
            match self.source.by_ref().take(wanted).collect::<Result<Vec<_>, _>>() {
                Ok(rows) => rows.into(),
                Err(error) => {
                    (self.failure, self.ended) = (Some(error), true);
                    return;
                }
            };
        self.ended = rows.len() < wanted;
        if rows.is_empty() {
            return;
        }
        self.unread.push_back(Arc::clone(&rows));
        let keys = Arc::clone(&self.keys);
        self.ahead.begin(move || {
            spent.clear();
            rows.par_chunks(TOGETHER).flat_map_iter(|rows| Row::read_each(rows, &keys)).collect()
        });
    }

    /// Moves on to the next chunk; false when there is none.
    pub(super) fn fill(&mut self) -> Result<bool, EvidenceError> {
        let mut spent: Vec<Row> = self.rows.drain(..self.chunk).collect();
        match self.ahead.next() {
            Some(rows) => self.rows.extend(rows),
            None => self.failure.take().map_or(Ok(()), Err)?,
        }
        self.unread.pop_front();
        while self.ahead.len() < CHUNKS_AHEAD && !self.ended {
            self.read(self.size, std::mem::take(&mut spent));
        }
        self.chunk = self.rows.len().min(self.size);
        Ok(self.chunk > 0)
    }

    /// How many rows the chunk has.
    pub(super) fn chunk(&self) -> usize {
        self.chunk
    }

    /// The entry that a row holds, as far as it can be read.
    pub(super) fn entry(&self, position: usize) -> Option<&ParsedEntry<Unread>> {
        self.rows.get(position).and_then(Row::parsed)
    }

    /// Whether no row follows those in sight.
    fn all_in_sight(&self) -> bool {
        self.ended && self.unread.is_empty() && self.failure.is_none()
    }

    /// The rows after those in sight, as far as they can be read from the source.
    fn rest(&mut self) -> impl Iterator<Item = Bytes> {
        let unread = self.unread.iter().flat_map(|rows| rows.iter()).map(|row| row.entry.clone());
        let source = self.source.by_ref().map_while(Result::ok).map(|row| row.entry);
        unread.chain(source)
    }

    /// Whether the request of any entry of this chunk, or behind it, passes a test. Reads all there is.
    pub(super) fn any_left(&mut self, mut test: impl FnMut(&SignedRequest) -> bool) -> bool {
        let here = self.rows.iter().filter_map(Row::parsed).any(|it| test(&it.request));
        here || self.rest().any(|entry| ParsedEntry::open(entry).is_ok_and(|it| test(&it.request)))
    }

    /// The leaf hashes of this row and all that follow, as far as they can be read from the source.
    pub(super) fn leaves(&mut self, position: usize) -> impl Iterator<Item = Hash> {
        let rows: Vec<Hash> = self.rows.iter().skip(position).map(|row| row.leaf).collect();
        rows.into_iter().chain(self.rest().map(|entry| leaf_hash(&entry)))
    }

    /// Whether the next row is chained to this one.
    pub(super) fn vouched(&self, position: usize) -> bool {
        let leaf = self.rows.get(position).map(|row| row.leaf);
        self.rows.get(position + 1).is_some_and(|next| next.previous() == leaf)
    }

    /// Whether the next row can be read and is not chained to this one.
    fn disowned(&self, position: usize) -> bool {
        let leaf = self.rows.get(position).map(|row| row.leaf);
        let next = self.rows.get(position + 1).and_then(Row::previous);
        next.is_some() && next != leaf
    }

    /// The last row's claim against the row before it: the leaf hash that it says is before it, and its own. Only the
    /// signed root can tell which of the two was changed.
    pub(super) fn claim(&self, position: usize) -> Option<(Hash, Hash)> {
        let row = self.rows.get(position)?;
        let next = self.rows.get(position + 1)?;
        let last = self.all_in_sight() && position + 2 == self.rows.len();
        let previous = next.previous().filter(|previous| *previous != row.leaf)?;
        (last && next.follows(row)).then_some((previous, next.leaf))
    }

    /// The entry at a place, if it is the one that belongs there with the bytes that were committed to.
    pub(super) fn place(
        &mut self,
        position: usize,
        expected: u64,
        last_leaf: Hash,
    ) -> Result<Arc<ReadEntry>, Finding> {
        let row = self.rows.get(position).expect("a row of the chunk");
        if row.index != expected {
            let found = format!("row {}", row.index);
            return Err(self.elsewhere(position, expected, found));
        }
        // The bytes first: what the next entry does not commit to was edited, whatever it says now.
        match &row.entry {
            Ok(entry) if entry.parsed.previous == last_leaf && row.says(expected) => {
                if self.committed(position) {
                    Ok(Arc::clone(entry))
                } else {
                    Err(edited(expected, "the bytes that the next entry commits to"))
                }
            }
            _ => Err(self.broken(position, expected, last_leaf)),
        }
    }

    /// Whether the next row commits to these bytes. The next row may itself have been changed: it is believed against
    /// this one only when the row behind it commits to it in turn.
    fn committed(&self, position: usize) -> bool {
        let Some(row) = self.rows.get(position) else { return true };
        let Some(next) = self.rows.get(position + 1) else { return true };
        if next.previous() == Some(row.leaf) || !next.follows(row) {
            return true;
        }
        match self.rows.get(position + 2) {
            Some(after) => after.previous() != Some(next.leaf),
            // The last entry against the one before: see `claim`.
            None => true,
        }
    }

    /// A row whose entry is not chained to the one before, or says that it is another.
    fn broken(&mut self, position: usize, expected: u64, last_leaf: Hash) -> Finding {
        let row = self.rows.get(position).expect("a row of the chunk");
        let chained = row.previous() == Some(last_leaf);
        match &row.entry {
            // What a readable neighbour does not commit to is not what was there; of the others nobody knows.
            Err(_) if self.disowned(position) => {
                edited(expected, "the bytes that the next entry commits to")
            }
            Err(error) => unreadable(expected, error),
            Ok(_) if chained => edited(expected, &format!("entry {expected}")),
            Ok(entry) if entry.parsed.sealed.index() == expected => {
                if self.vouched(position) && expected > 0 {
                    // This entry is vouched for by the next, so it is the one before that is not itself any more.
                    edited(expected - 1, "the bytes that the next entry commits to")
                } else {
                    edited(expected, "the leaf hash of the entry before")
                }
            }
            Ok(entry) if entry.parsed.sealed.index() < expected => {
                let index = entry.parsed.sealed.index();
                let found = format!("entry {index}");
                Finding::new(expected, Fault::Reordered, format!("entry {expected}"), found)
            }
            Ok(entry) => {
                let found = format!("entry {}", entry.parsed.sealed.index());
                self.elsewhere(position, expected, found)
            }
        }
    }

    /// The entry that belongs here is not here: it is at another place, or nowhere.
    fn elsewhere(&mut self, position: usize, expected: u64, found: String) -> Finding {
        let here = self.rows.iter().skip(position).any(|row| row.says(expected));
        let later = here
            || self.rest().any(|entry| {
                ParsedEntry::open(entry).is_ok_and(|entry| entry.sealed.index() == expected)
            });
        let fault = if later { Fault::Reordered } else { Fault::Missing };
        Finding::new(expected, fault, format!("entry {expected}"), found)
    }
}

fn edited(index: u64, expected: &str) -> Finding {
    Finding::new(index, Fault::Edited, expected, "other bytes")
}
