//! Rows of evidence, read in chunks with a look ahead, and the entry that belongs at each place.

use bytes::Bytes;
use rayon::prelude::*;

use super::replay::unreadable;
use super::{Fault, Finding};
use crate::ledger::{EntryError, ParsedEntry};
use crate::tlog::{Hash, leaf_hash};

/// Rows that are kept in sight behind the one that is judged: enough to say which of two neighbours was changed.
const AHEAD: usize = 2;

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

/// A row with what its bytes say.
pub(super) struct Row {
    index: u64,
    leaf: Hash,
    pub(super) entry: Result<ParsedEntry, EntryError>,
}

impl Row {
    fn read(row: EntryRow) -> Self {
        let leaf = leaf_hash(&row.entry);
        Self { index: row.index, leaf, entry: ParsedEntry::parse(row.entry) }
    }

    /// The leaf hash that the row says is before it.
    fn previous(&self) -> Option<Hash> {
        self.entry.as_ref().ok().map(|entry| entry.previous)
    }

    fn says(&self, index: u64) -> bool {
        self.entry.as_ref().is_ok_and(|entry| entry.sealed.index() == index)
    }

    /// Whether its entry says that it comes after a row.
    fn follows(&self, row: &Self) -> bool {
        row.index.checked_add(1).is_some_and(|index| self.says(index))
    }
}

/// A chunk of rows and the few that follow it.
pub(super) struct Window<E> {
    source: E,
    rows: Vec<Row>,
    /// How many rows of `rows` are the chunk; the others are in sight.
    chunk: usize,
    size: usize,
    ended: bool,
}

impl<E> Window<E>
where
    E: Iterator<Item = Result<EntryRow, EvidenceError>>,
{
    pub(super) fn new(source: E, size: usize) -> Self {
        Self { source, rows: Vec::new(), chunk: 0, size, ended: false }
    }

    /// Moves on to the next chunk; false when there is none.
    pub(super) fn fill(&mut self) -> Result<bool, EvidenceError> {
        self.rows.drain(..self.chunk);
        let wanted = (self.size + AHEAD).saturating_sub(self.rows.len());
        if !self.ended {
            let fresh: Vec<EntryRow> =
                self.source.by_ref().take(wanted).collect::<Result<_, _>>()?;
            self.ended = fresh.len() < wanted;
            self.rows.extend(fresh.into_par_iter().map(Row::read).collect::<Vec<_>>());
        }
        self.chunk = self.rows.len().min(self.size);
        Ok(self.chunk > 0)
    }

    pub(super) fn chunk(&self) -> &[Row] {
        self.rows.get(..self.chunk).unwrap_or_default()
    }

    /// The entry that a row holds, as far as it can be read.
    pub(super) fn entry(&self, position: usize) -> Option<&ParsedEntry> {
        self.rows.get(position).and_then(|row| row.entry.as_ref().ok())
    }

    /// Whether any entry of this chunk, or behind it, passes a test. Reads all there is.
    pub(super) fn any_left(&mut self, mut test: impl FnMut(&ParsedEntry) -> bool) -> bool {
        let here = self.rows.iter().any(|row| row.entry.as_ref().is_ok_and(&mut test));
        let rest = self.source.by_ref().map_while(Result::ok);
        here || rest.into_iter().any(|row| ParsedEntry::parse(row.entry).is_ok_and(|it| test(&it)))
    }

    /// The leaf hashes of this row and all that follow, as far as they can be read from the source.
    pub(super) fn leaves(&mut self, position: usize) -> impl Iterator<Item = Hash> {
        let rows = self.rows.iter().skip(position).map(|row| row.leaf);
        let rest = self.source.by_ref().map_while(Result::ok).map(|row| leaf_hash(&row.entry));
        rows.chain(rest)
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
        let last = self.ended && position + 2 == self.rows.len();
        let previous = next.previous().filter(|previous| *previous != row.leaf)?;
        (last && next.follows(row)).then_some((previous, next.leaf))
    }

    /// The entry at a place, if it is the one that belongs there with the bytes that were committed to.
    pub(super) fn place(
        &mut self,
        position: usize,
        expected: u64,
        last_leaf: Hash,
    ) -> Result<ParsedEntry, Finding> {
        let row = self.rows.get(position).expect("a row of the chunk");
        if row.index != expected {
            let found = format!("row {}", row.index);
            return Err(self.elsewhere(position, expected, found));
        }
        // The bytes first: what the next entry does not commit to was edited, whatever it says now.
        match &row.entry {
            Ok(entry) if entry.previous == last_leaf && row.says(expected) => {
                if self.committed(position) {
                    Ok(entry.clone())
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
            Ok(entry) if entry.sealed.index() == expected => {
                if self.vouched(position) && expected > 0 {
                    // This entry is vouched for by the next, so it is the one before that is not itself any more.
                    edited(expected - 1, "the bytes that the next entry commits to")
                } else {
                    edited(expected, "the leaf hash of the entry before")
                }
            }
            Ok(entry) if entry.sealed.index() < expected => {
                let index = entry.sealed.index();
                let found = format!("entry {index}");
                Finding::new(expected, Fault::Reordered, format!("entry {expected}"), found)
            }
            Ok(entry) => {
                let found = format!("entry {}", entry.sealed.index());
                self.elsewhere(position, expected, found)
            }
        }
    }

    /// The entry that belongs here is not here: it is at another place, or nowhere.
    fn elsewhere(&mut self, position: usize, expected: u64, found: String) -> Finding {
        let here = self.rows.iter().skip(position).any(|row| row.says(expected));
        let later = here
            || self.source.by_ref().any(|row| {
                row.is_ok_and(|row| {
                    ParsedEntry::parse(row.entry)
                        .is_ok_and(|entry| entry.sealed.index() == expected)
                })
            });
        let fault = if later { Fault::Reordered } else { Fault::Missing };
        Finding::new(expected, fault, format!("entry {expected}"), found)
    }
}

fn edited(index: u64, expected: &str) -> Finding {
    Finding::new(index, Fault::Edited, expected, "other bytes")
}
