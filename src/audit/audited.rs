//! Where an audit ended, so that the next one costs only the entries that were added since.

use serde::{Deserialize, Serialize};

use super::request_ids::RequestIds;
use super::{EntryRow, EvidenceError, Fault, Finding, Registrations, Stop};
use crate::state::State;
use crate::tlog::{Hash, Tree, VerifierKey, leaf_hash};

/// Everything that an audit knows once it has found so many entries good. The rules need all of it: the next entry is
/// judged by the people, vials and balances before it, and chained to the last one, and no request comes twice.
///
/// Its bytes are the auditor's to keep. Whoever can write to them decides what the next audit takes for granted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Audited {
    state: State,
    tree: Tree,
    requests: RequestIds,
}

impl Audited {
    pub(super) fn new(state: State, tree: Tree, requests: RequestIds) -> Self {
        Self { state, tree, requests }
    }

    /// How many entries were audited.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.tree.size()
    }

    /// Root of the tree over them.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.tree.root()
    }

    /// No verdict where a key is none of the ledger's so far.
    pub(super) fn is_foreign_to(&self, key: &VerifierKey) -> Option<Stop> {
        let line = key.to_string();
        if self.state.ledger_keys().any(|own| own.verifier_key == line) {
            return None;
        }
        let why = format!("the saved audit is of the ledger of {}", self.verifier_key());
        Some(Stop::Unreadable(why))
    }

    /// Verifier key of the ledger that they are of, at the end of them.
    #[must_use]
    pub fn verifier_key(&self) -> &str {
        self.state.site().map_or("", |site| &site.verifier_key)
    }

    /// The patients that were registered in them.
    #[must_use]
    pub fn registrations(&self) -> Registrations {
        Registrations::of(&self.state)
    }

    /// Its bytes, which this version of the program alone reads.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        postcard::to_allocvec(self).expect("every state can be serialised")
    }

    /// From its bytes; the parts must be of one size.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let audited: Self = postcard::from_bytes(bytes).map_err(|error| error.to_string())?;
        let requests = u64::try_from(audited.requests.len());
        if audited.state.size() != audited.size() || requests != Ok(audited.size()) {
            return Err("its parts are not of the same number of entries".to_owned());
        }
        Ok(audited)
    }

    pub(super) fn into_parts(self) -> (State, Tree, RequestIds) {
        (self.state, self.tree, self.requests)
    }

    /// Whether the evidence still has the last entry that was audited. Its rows begin with that one; all before it are
    /// the auditor's own word, and every later signed root commits to them through the tree.
    pub(super) fn follow_on<E>(&self, rows: &mut E) -> Result<(), Stop>
    where
        E: Iterator<Item = Result<EntryRow, EvidenceError>>,
    {
        let Some(last) = self.size().checked_sub(1) else { return Ok(()) };
        let expected = format!("entry {last}, the last of the audit before");
        let (fault, found) = match rows.next().transpose() {
            Err(error) => return Err(Stop::Unreadable(error.to_string())),
            Ok(None) => (Fault::Truncated, "fewer entries".to_owned()),
            Ok(Some(row)) if row.index != last => (Fault::Missing, format!("row {}", row.index)),
            Ok(Some(row)) if leaf_hash(&row.entry) != self.state.last_leaf() => {
                (Fault::Edited, "other bytes".to_owned())
            }
            Ok(Some(_)) => return Ok(()),
        };
        Err(Stop::Bad(Finding::new(last, fault, expected, found)))
    }
}
