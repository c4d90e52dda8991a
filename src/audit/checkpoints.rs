//! The checkpoints: signed by the ledger's key, and of these entries.

use std::collections::VecDeque;
use std::sync::Arc;

use rayon::prelude::*;

use super::ahead::Ahead;
use super::signatures::MANY;
use super::{Anchor, CheckpointRow, EvidenceError, Fault, Finding, Stop};
use crate::tlog::{Checkpoint, CheckpointError, Hash, SignedNote, Tree, VerifierKey};

/// Roots of the newest checkpoints that are remembered, to be compared with what a self-audit says.
const KEPT_ROOTS: usize = 1_024;

/// A checkpoint that the auditor brought. Which key must have signed it is known once its size is reached.
pub(super) struct Outside {
    pub(super) note: SignedNote,
    pub(super) checkpoint: Checkpoint,
}

impl Outside {
    fn size(&self) -> u64 {
        self.checkpoint.size()
    }

    fn signed_by_one<'k>(
        &self,
        keys: impl IntoIterator<Item = &'k VerifierKey>,
    ) -> Result<(), Stop> {
        let mut refused = None;
        for key in keys {
            match Checkpoint::verify(&self.note, key) {
                Ok(_) => return Ok(()),
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        let why = refused.map(|error| error.to_string()).unwrap_or_default();
        Err(Stop::Unreadable(format!("the given checkpoint is of no use: {why}")))
    }
}

/// A row that was verified, if it can be read at all.
type ReadyRow = Result<ReadCheckpoint, EvidenceError>;

/// A row, and what its bytes say if a key has signed them.
struct ReadCheckpoint {
    row: CheckpointRow,
    key: Arc<VerifierKey>,
    checkpoint: Result<Checkpoint, Finding>,
}

impl ReadCheckpoint {
    fn of(row: CheckpointRow, key: &Arc<VerifierKey>) -> Self {
        let checkpoint = read(&row, key);
        Self { row, key: Arc::clone(key), checkpoint }
    }
}

/// Checkpoints in the order of their sizes, met as the tree grows.
pub(super) struct Checkpoints<C: Iterator> {
    /// The ledger's key at the size that was reached.
    key: Arc<VerifierKey>,
    outside: Option<Outside>,
    since: u64,
    rows: C,
    /// How many rows are verified ahead.
    wanted: usize,
    /// The next rows, read and verified ahead, under the key that was the ledger's then.
    ready: VecDeque<ReadyRow>,
    /// The rows after those, which are being verified.
    ahead: Ahead<Vec<ReadyRow>>,
    /// How many those are.
    coming: usize,
    checked: u64,
    /// Size of the last checkpoint that was met.
    last: u64,
    /// Size of the largest checkpoint that held, of the evidence or from outside.
    held: u64,
    /// Sizes and roots of the newest that held.
    roots: VecDeque<(u64, Hash)>,
}

impl<C> Checkpoints<C>
where
    C: Iterator<Item = Result<CheckpointRow, EvidenceError>>,
{
    /// `key` is the ledger's to begin with; `since` is how many entries an earlier audit vouches for; so many rows as are
    /// `wanted` are verified ahead.
    pub(super) fn new(
        key: VerifierKey,
        outside: Option<Outside>,
        since: u64,
        rows: C,
        wanted: usize,
    ) -> Self {
        let (ready, ahead, roots) = Default::default();
        let (coming, checked, last, held) = (0, 0, 0, since);
        let key = Arc::new(key);
        Self { key, outside, since, rows, wanted, ready, ahead, coming, checked, last, held, roots }
    }

    /// Takes another key for the ledger's, from here on.
    pub(super) fn rotate(&mut self, key: VerifierKey) {
        self.key = Arc::new(key);
    }

    /// Reads more rows, up to as many as are wanted, and has them verified by the other cores; false where there is none to read.
    pub(super) fn fill(&mut self) -> bool {
        let wanted = self.wanted.saturating_sub(self.ready.len() + self.coming);
        let rows: Vec<_> = self.rows.by_ref().take(wanted).collect();
        if rows.is_empty() {
            return false;
        }
        if self.checked >= MANY && !self.key.public_key().is_prepared() {
            self.key = Arc::new(self.key.prepared());
        }
        self.coming += rows.len();
        let key = Arc::clone(&self.key);
        self.ahead.begin(move || {
            let rows = rows.into_par_iter();
            rows.map(|row| row.map(|row| ReadCheckpoint::of(row, &key))).collect()
        });
        true
    }

    /// The next row. One that was verified ahead of a rotation is verified again.
    fn peek(&mut self) -> Option<&ReadyRow> {
        while self.ready.is_empty() {
            match self.ahead.next() {
                Some(rows) => {
                    self.coming -= rows.len();
                    self.ready.extend(rows);
                }
                None if self.fill() => {}
                None => return None,
            }
        }
        let next = self.ready.front_mut()?;
        if let Ok(ready) = next
            && ready.key != self.key
        {
            *ready = ReadCheckpoint::of(ready.row.clone(), &self.key);
        }
        Some(next)
    }

    /// The next row, if it is of no more than so many entries.
    fn next_within(&mut self, size: u64) -> Option<ReadyRow> {
        let met = self.peek()?.as_ref().map_or(true, |ready| ready.row.size <= size);
        if met { self.ready.pop_front() } else { None }
    }

    /// What was found so far counts for nothing.
    pub(super) fn discount(&mut self) {
        (self.checked, self.held) = (0, 0);
    }

    /// The root that was signed at a size, if it is one of the newest.
    pub(super) fn root_at(&self, size: u64) -> Option<Hash> {
        let at = self.roots.binary_search_by_key(&size, |(size, _)| *size).ok()?;
        self.roots.get(at).map(|(_, root)| *root)
    }

    pub(super) fn checked(&self) -> u64 {
        self.checked
    }

    /// Size of the last checkpoint of the evidence that was met.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Size of the largest checkpoint that held: its signature vouches for as many entries, and for none after them.
    pub(super) fn held(&self) -> u64 {
        self.held
    }

    pub(super) fn anchor(&self) -> Anchor {
        match (self.outside.as_ref().map(Outside::size), self.since) {
            (Some(size), _) => Anchor::Checkpoint { size },
            (None, 0) => Anchor::None,
            (None, size) => Anchor::Audit { size },
        }
    }

    /// Meets the checkpoints of the tree as it is now. `vouched` says that the entry after the last one here is chained
    /// to it. Where it is not, a root that differs accuses that last entry itself: a change in any before it would have
    /// broken the chain, or changed this one too. `next` is the key that the last entry puts in the ledger's place: then
    /// both sign.
    pub(super) fn at(
        &mut self,
        tree: &Tree,
        vouched: bool,
        next: Option<&VerifierKey>,
    ) -> Result<(), Stop> {
        let size = tree.size();
        while let Some(ready) = self.next_within(size) {
            let ready = ready.map_err(|error| mismatch(size, "a checkpoint", error.to_string()));
            let ReadCheckpoint { row, checkpoint, .. } = ready.map_err(Stop::Bad)?;
            let checkpoint = checkpoint.map_err(Stop::Bad)?;
            if row.size < size {
                let found = format!("a checkpoint of size {} out of order", row.size);
                let expected = "checkpoints in the order of their sizes";
                return Err(Stop::Bad(mismatch(size, expected, found)));
            }
            if let Some(next) = next {
                read(&row, next).map_err(Stop::Bad)?;
            }
            same_root(tree, &checkpoint, vouched, self.last).map_err(Stop::Bad)?;
            // The one that an earlier audit ended with was counted there.
            self.checked += u64::from(size > self.since);
            self.last = size;
            self.held = size;
            self.keep_root(size, checkpoint.root());
        }
        match &self.outside {
            Some(outside) if outside.size() == size => {
                outside.signed_by_one(std::iter::once(self.key.as_ref()).chain(next))?;
                // A checkpoint of the evidence that held at this very size is of the other history too.
                let (vouched, good) =
                    if self.last == size { (true, 0) } else { (vouched, self.last) };
                same_root(tree, &outside.checkpoint, vouched, good).map_err(Stop::Bad)?;
                self.held = size;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn keep_root(&mut self, size: u64, root: Hash) {
        if self.roots.back().is_some_and(|(last, _)| *last == size) {
            return;
        }
        if self.roots.len() == KEPT_ROOTS {
            self.roots.pop_front();
        }
        self.roots.push_back((size, root));
    }

    /// No entry follows: every checkpoint must have been met, and the last one must cover everything. `brought` is the
    /// key from outside, which may be one that comes behind the end.
    pub(super) fn end(&mut self, size: u64, brought: &VerifierKey) -> Result<(), Stop> {
        if let Some(outside) = self.outside.as_ref().filter(|outside| outside.size() > size) {
            outside.signed_by_one([self.key.as_ref(), brought])?;
            return Err(Stop::Bad(truncated(size, outside.size())));
        }
        if let Some(ready) = self.next_within(u64::MAX) {
            let ready = ready.map_err(|error| mismatch(size, "a checkpoint", error.to_string()));
            let checkpoint = ready.map_err(Stop::Bad)?.checkpoint;
            let checkpoint =
                checkpoint.map_err(|finding| Stop::Bad(Finding { index: size, ..finding }))?;
            return Err(Stop::Bad(truncated(size, checkpoint.size())));
        }
        if self.last < size {
            let found = format!("none that covers more than {} of {size} entries", self.last);
            let expected = "a checkpoint of all entries";
            let finding = Finding::new(self.last, Fault::CheckpointMismatch, expected, found);
            return Err(Stop::Bad(finding));
        }
        Ok(())
    }

    /// Size of the next checkpoint.
    pub(super) fn next_size(&mut self) -> Option<u64> {
        self.peek()?.as_ref().ok().map(|ready| ready.row.size)
    }

    /// The signed root at a size, where the next checkpoint is of that size and holds.
    pub(super) fn next_root(&mut self, size: u64) -> Option<Hash> {
        let checkpoint = self.peek()?.as_ref().ok()?.checkpoint.as_ref().ok()?;
        (checkpoint.size() == size).then(|| checkpoint.root())
    }
}

/// A row's checkpoint, which the key must have signed.
fn read(row: &CheckpointRow, key: &VerifierKey) -> Result<Checkpoint, Finding> {
    let expected = "a checkpoint signed by the ledger's key";
    let checkpoint = SignedNote::parse(&row.note)
        .map_err(CheckpointError::from)
        .and_then(|note| Checkpoint::verify(&note, key))
        .map_err(|error| mismatch(row.size, expected, error.to_string()))?;
    if checkpoint.size() != row.size {
        let found = format!("a checkpoint of size {}", checkpoint.size());
        return Err(mismatch(row.size, &format!("the checkpoint of size {}", row.size), found));
    }
    Ok(checkpoint)
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
