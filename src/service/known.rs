//! Whether the ledger that was loaded is the whole one: compared with every checkpoint that anybody remembers.
//!
//! Restoring is not rewinding. A database that was put back to an older state still verifies, and new entries in the
//! places of those that are missing would make a second history under one key. So a ledger that is behind what it has
//! signed is read and not written, until what is missing is back.

use super::queue::WriteStatus;
use crate::durable;
use crate::store::{HeadFile, LedgerFolder, Loaded, Reader, StoreError, ledger_keys};
use crate::tlog::{Gap, Hash, Known, ProofError, SignedNote, SplitView, Standing, VerifierKey};

/// Compares a ledger that was loaded with the head file and with what else is known: whether it may be written to, and
/// if not, why not. Every key that the ledger has had may have signed what is known: a checkpoint outlives its key.
pub(super) fn compare(
    reader: &Reader,
    loaded: &Loaded,
    folder: &LedgerFolder,
    head: &HeadFile,
    others: &[Known],
    key: &VerifierKey,
) -> Result<WriteStatus, StoreError> {
    let keys = ledger_keys(reader, key)?;
    let head = match head.read(&keys) {
        Ok(head) => head,
        // Reads go on without it; writes would go on without the one thing that says whether they may.
        Err(error @ (StoreError::HeadFile { .. } | StoreError::Io { .. })) => {
            return Ok(WriteStatus::Stopped(error.to_string()));
        }
        Err(error) => return Err(error),
    };
    let mut behind: Option<(Gap, &Known)> = None;
    for known in head.iter().chain(others) {
        let tiles = |level, number| reader.tile(level, number);
        match known.standing(&loaded.tree, tiles).map_err(|error| unproven(&error))? {
            Standing::Behind(gap) if behind.is_none_or(|(most, _)| most.known < gap.known) => {
                behind = Some((gap, known));
            }
            Standing::Extends | Standing::Behind(_) => {}
            Standing::Forked { size, found, .. } => {
                let why = forked(reader, loaded, folder, known, size, found, &keys)?;
                return Ok(WriteStatus::EvidenceBad(why));
            }
        }
    }
    Ok(behind.map_or(WriteStatus::Accepting, |(gap, known)| WriteStatus::Behind {
        gap,
        known_by: known.source().to_owned(),
    }))
}

/// Keeps the proof of a fork in the ledger's folder, and says in words what it means.
fn forked(
    reader: &Reader,
    loaded: &Loaded,
    folder: &LedgerFolder,
    known: &Known,
    size: u64,
    root: Hash,
    keys: &[VerifierKey],
) -> Result<String, StoreError> {
    let split = split_view(reader, loaded, known, size, root)?;
    let path = folder.split_view(size);
    let kept = durable::replace(&path, split.to_string().as_bytes());
    kept.map_err(|source| StoreError::Io { path: path.clone(), source })?;
    let (source, path) = (known.source(), path.display());
    let proof = if keys.iter().any(|key| split.verify(key).is_ok()) {
        "which proves it to anybody"
    } else {
        "which an audit with each of them decides"
    };
    Ok(format!(
        "this ledger's first {size} entries are other ones than the checkpoint in {source} was signed for: there are \
         two histories under this key; both checkpoints are in {path}, {proof}"
    ))
}

/// Two checkpoints that contradict each other: of one size where this ledger has signed that size, or with the proof
/// that its newest checkpoint begins with other entries.
fn split_view(
    reader: &Reader,
    loaded: &Loaded,
    known: &Known,
    size: u64,
    root: Hash,
) -> Result<SplitView, StoreError> {
    if let Some(own) = reader.checkpoint_at(size)?
        && let Ok(own) = SignedNote::parse(own.as_bytes())
    {
        return Ok(SplitView::new(known.note().clone(), own, Vec::new()));
    }
    let tiles = |level, number| reader.tile(level, number);
    let mut proof = loaded
        .tree
        .consistency_proof(size, loaded.tree.size(), tiles)
        .map_err(|error| unproven(&error))?;
    if size.is_power_of_two() {
        // That root stands in no consistency proof.
        proof.insert(0, root);
    }
    Ok(SplitView::new(known.note().clone(), loaded.checkpoint.clone(), proof))
}

fn unproven(error: &ProofError<StoreError>) -> StoreError {
    StoreError::Derived { what: error.to_string() }
}
