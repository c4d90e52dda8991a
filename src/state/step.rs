//! What one entry amounts to.

use std::fmt;

use super::Change;
use crate::command::RequestId;
use crate::ledger::SealedEntry;
use crate::pb::v1;
use crate::refusal::Refusal;

/// An entry with everything that follows from it.
#[derive(Clone, Debug)]
pub struct Step {
    /// The entry.
    pub entry: SealedEntry,
    /// What the rules made of the request, as it stands in the entry.
    pub outcome: v1::Outcome,
    /// The changes of the state.
    pub changes: Vec<Change>,
    /// What the entry touches, each once.
    pub subjects: Vec<Subject>,
    /// Id of the request.
    pub request_id: RequestId,
    /// The refusal that the entry records, if it records one.
    pub refusal: Option<Refusal>,
}

/// Something that an entry touches, by its resource name: `vials/…`, `patients/…`, `sessions/…`, `people/…`, `lots/…`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject(String);

impl Subject {
    /// The subject of a resource name.
    #[must_use]
    pub fn of(name: &impl fmt::Display) -> Self {
        Self(name.to_string())
    }

    /// The subject of a lot.
    #[must_use]
    pub fn lot(lot: &str) -> Self {
        Self(format!("lots/{lot}"))
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
