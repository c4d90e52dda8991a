//! The checkpoints: signed by the ledger's key, and of these entries.

use std::iter::Peekable;

use super::{Anchor, CheckpointRow, EvidenceError, Fault, Finding};
use crate::tlog::{Checkpoint, Hash, SignedNote, Tree, VerifierKey};

/// Checkpoints in the order of their sizes, met as the tree grows.
pub(super) struct Checkpoints<'a, C: Iterator> {
    key: &'a VerifierKey,
    outside: Option<Checkpoint>,
    since: u64,
    rows: Peekable<C>,
    checked: u64,
    /// Size of the last checkpoint that was met.
    last: u64,
    /// Size of the largest checkpoint that held, of the evidence or from outside.
    held: u64,
}

impl<'a, C> Checkpoints<'a, C>
where
    C: Iterator<Item = Result<CheckpointRow, EvidenceError>>,
{
    /// `since` is how many entries an earlier audit vouches for.
    pub(super) fn new(
        key: &'a VerifierKey,
        outside: Option<Checkpoint>,
        since: u64,
        rows: C,
    ) -> Self {
        Self { key, outside, since, rows: rows.peekable(), checked: 0, last: 0, held: since }
    }

    pub(super) fn checked(&self) -> u64 {
        self.checked
    }

    /// Size of the largest checkpoint that held: its signature vouches for as many entries, and for none after them.
    pub(super) fn held(&self) -> u64 {
        self.held
    }

    pub(super) fn anchor(&self) -> Anchor {
        match (self.outside.as_ref().map(Checkpoint::size), self.since) {
            (Some(size), _) => Anchor::Checkpoint { size },
            (None, 0) => Anchor::None,
            (None, size) => Anchor::Audit { size },
        }
    }

    /// Meets the checkpoints of the tree as it is now. `vouched` says that the entry after the last one here is chained
    /// to it. Where it is not, a root that differs accuses that last entry itself: a change in any before it would have
    /// broken the chain, or changed this one too.
    pub(super) fn at(&mut self, tree: &Tree, vouched: bool) -> Result<(), Finding> {
        let size = tree.size();
        while let Some(row) =
            self.rows.next_if(|row| row.as_ref().map_or(true, |row| row.size <= size))
        {
            let row = row.map_err(|error| mismatch(size, "a checkpoint", error.to_string()))?;
            let checkpoint = self.read(&row)?;
            if row.size < size {
                let found = format!("a checkpoint of size {} out of order", row.size);
                return Err(mismatch(size, "checkpoints in the order of their sizes", found));
            }
            same_root(tree, &checkpoint, vouched, self.last)?;
            // The one that an earlier audit ended with was counted there.
            self.checked += u64::from(size > self.since);
            self.last = size;
            self.held = size;
        }
        match &self.outside {
            Some(outside) if outside.size() == size => {
                // A checkpoint of the evidence that held at this very size is of the other history too.
                let (vouched, good) =
                    if self.last == size { (true, 0) } else { (vouched, self.last) };
                same_root(tree, outside, vouched, good)?;
                self.held = size;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// No entry follows: every checkpoint must have been met, and the last one must cover everything.
    pub(super) fn end(&mut self, size: u64) -> Result<(), Finding> {
        if let Some(outside) = self.outside.as_ref().filter(|outside| outside.size() > size) {
            return Err(truncated(size, outside.size()));
        }
        if let Some(row) = self.rows.next() {
            let row = row.map_err(|error| mismatch(size, "a checkpoint", error.to_string()))?;
            let checkpoint =
                self.read(&row).map_err(|finding| Finding { index: size, ..finding })?;
            return Err(truncated(size, checkpoint.size()));
        }
        if self.last < size {
            let found = format!("none that covers more than {} of {size} entries", self.last);
            let expected = "a checkpoint of all entries";
            return Err(Finding::new(self.last, Fault::CheckpointMismatch, expected, found));
        }
        Ok(())
    }

    /// Size of the next checkpoint.
    pub(super) fn next_size(&mut self) -> Option<u64> {
        self.rows.peek()?.as_ref().ok().map(|row| row.size)
    }

    /// The signed root at a size, where the next checkpoint is of that size and holds.
    pub(super) fn next_root(&mut self, size: u64) -> Option<Hash> {
        let row = self.rows.peek()?.as_ref().ok()?.clone();
        let checkpoint = self.read(&row).ok()?;
        (checkpoint.size() == size).then(|| checkpoint.root())
    }

    fn read(&self, row: &CheckpointRow) -> Result<Checkpoint, Finding> {
        let expected = "a checkpoint signed by the ledger's key";
        let note = SignedNote::parse(&row.note)
            .map_err(|error| mismatch(row.size, expected, error.to_string()))?;
        let checkpoint = Checkpoint::verify(&note, self.key)
            .map_err(|error| mismatch(row.size, expected, error.to_string()))?;
        if checkpoint.size() != row.size {
            let found = format!("a checkpoint of size {}", checkpoint.size());
            return Err(mismatch(row.size, &format!("the checkpoint of size {}", row.size), found));
        }
        Ok(checkpoint)
    }
}

/// The checkpoint's last entry is what it is reported under.
fn mismatch(size: u64, expected: &str, found: String) -> Finding {
    Finding::new(size.saturating_sub(1), Fault::CheckpointMismatch, expected, found)
}

fn truncated(size: u64, covered: u64) -> Finding {
    let found = format!("{size} entries");
    Finding::new(size, Fault::Truncated, format!("{covered} entries, as a checkpoint says"), found)
}

fn same_root(
    tree: &Tree,
    checkpoint: &Checkpoint,
    vouched: bool,
    good: u64,
) -> Result<(), Finding> {
    let root = tree.root();
    if root == checkpoint.root() {
        return Ok(());
    }
    let (expected, found) = (format!("root {}", checkpoint.root()), format!("root {root}"));
    // The entries are chained to each other but are not the ones that were signed: the whole was made up again.
    let (fault, index) =
        if vouched { (Fault::Fork, good) } else { (Fault::Edited, tree.size() - 1) };
    Err(Finding::new(index, fault, expected, found))
}
