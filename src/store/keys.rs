//! The keys that a ledger had, one after the other, out of its file.

use std::ops::ControlFlow;

use bytes::Bytes;

use super::error::StoreError;
use super::read::Reader;
use crate::audit;
use crate::ledger::{ParsedEntry, Succession};
use crate::state::LEDGER_KEY;
use crate::tlog::VerifierKey;

/// Every key that the ledger in a file has had, oldest first: that of entry 0, and those that rotations handed it on to,
/// each with the signatures of both. The key from outside must be one of them.
pub fn ledger_keys(reader: &Reader, trusted: &VerifierKey) -> Result<Vec<VerifierKey>, StoreError> {
    let size = reader.size()?;
    let first = first_key(reader)?;
    let mut keys = vec![first.clone()];
    reader.visit_subject(LEDGER_KEY, 0..size, |index, entry| follow(&mut keys, index, entry))?;
    if !keys.contains(trusted) {
        // The table of subjects is derived, and may be lost. The entries are not.
        keys = vec![first];
        reader.visit_entries(0..size, |index, entry| follow(&mut keys, index, entry))?;
    }
    if keys.contains(trusted) {
        return Ok(keys);
    }
    Err(StoreError::evidence(format!("{trusted} is none of the keys that this ledger has had")))
}

fn first_key(reader: &Reader) -> Result<VerifierKey, StoreError> {
    let bad = |finding: String| StoreError::bad_entry(0, &finding);
    let entry = reader.entry(0)?.ok_or_else(|| bad("missing".to_owned()))?;
    let entry = ParsedEntry::parse(entry).map_err(|error| bad(error.to_string()))?;
    audit::ledger_key(&entry.request)
        .ok_or_else(|| bad("it does not name the ledger's key".to_owned()))
}

/// Goes on to the next key, where an entry hands the newest one on.
fn follow(
    keys: &mut Vec<VerifierKey>,
    index: u64,
    entry: &[u8],
) -> Result<ControlFlow<()>, StoreError> {
    let entry = ParsedEntry::parse(Bytes::copy_from_slice(entry))
        .map_err(|error| StoreError::bad_entry(index, &error))?;
    if let Ok(Succession { previous, next }) = Succession::of(&entry)
        && keys.last() == Some(&previous)
    {
        keys.push(next);
    }
    Ok(ControlFlow::Continue(()))
}
