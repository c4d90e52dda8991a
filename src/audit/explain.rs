//! One entry in full: who, what, when, with which right, and what its place in the ledger rests on.

use super::Report;
use crate::command::Command;
use crate::decide::rights;
use crate::ledger::ParsedEntry;
use crate::names::PersonName;
use crate::refusal::Refusal;
use crate::role::Role;
use crate::state::{State, Step};
use crate::time::Timestamp;

/// An entry that an audit found good, with what the ledger knew when it was made. It is as good as the report that it
/// comes with: an entry behind the end of [`Report::trusted`] is nobody's word.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The entry.
    pub entry: ParsedEntry,
    /// The request in it.
    pub command: Command,
    /// Who signed it; nobody where the ledger's own key did.
    pub signer: Option<SignerThen>,
    /// The roles of which the act takes one; none where it takes no role.
    pub rights: &'static [Role],
    /// The refusal that the entry records, if it records one.
    pub refusal: Option<Refusal>,
    /// Size of the first checkpoint, of the evidence or from outside, that covers it and holds.
    pub covered: Option<u64>,
}

/// A signer as the ledger knew them when they signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignerThen {
    /// Whose key it was.
    pub person: PersonName,
    /// Their name for people.
    pub display_name: String,
    /// The roles that they held.
    pub roles: Vec<Role>,
    /// When the key was enrolled.
    pub enrolled: Timestamp,
}

impl SignerThen {
    fn of(state: &State, key: &[u8; 32]) -> Option<Self> {
        let record = state.key(key)?;
        let person = state.person(&record.person)?;
        Some(Self {
            person: record.person.clone(),
            display_name: person.display_name.to_string(),
            roles: person.roles.clone(),
            enrolled: record.enrolled,
        })
    }
}

impl Explanation {
    /// Explains an entry by the states before and after it. The first entry's signer is enrolled by that entry itself.
    pub(super) fn of(
        before: &State,
        after: &State,
        entry: ParsedEntry,
        step: &Step,
    ) -> Option<Self> {
        let request = &entry.request;
        let command = Command::parse(request.kind(), request.bytes()).ok()?;
        let signer = SignerThen::of(before, request.key());
        let signer = signer.or_else(|| SignerThen::of(after, request.key()));
        let rights = match &step.refusal {
            Some(Refusal::RoleNotHeld { needed, .. }) => needed,
            _ => rights(before, request.key(), &command.act),
        };
        Some(Self { signer, rights, entry, command, refusal: step.refusal.clone(), covered: None })
    }

    /// Whether the report that this comes with vouches for the entry.
    #[must_use]
    pub fn is_vouched_for(&self, report: &Report) -> bool {
        self.entry.sealed.index() < report.trusted
    }

    /// Those of the signer's roles that gave the right.
    #[must_use]
    pub fn held(&self) -> Vec<Role> {
        let roles = self.signer.iter().flat_map(|signer| signer.roles.iter().copied());
        roles.filter(|role| self.rights.contains(role)).collect()
    }
}
