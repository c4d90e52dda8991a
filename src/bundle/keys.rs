//! Who might do what, told from the entries of the bundle that say so.

use crate::audit::{Fault, Finding, replay};
use crate::command::Command;
use crate::decide::rights;
use crate::ledger::{ParsedEntry, RequestKind};
use crate::pb::v1::outcome;
use crate::state::State;

/// How the names of people begin.
const PEOPLE: &str = "people/";

/// Whether an entry says who might do what: it began the ledger, or people, their keys or their roles are changed by it,
/// put forward, or approved.
pub(super) fn is_of_keys(entry: &ParsedEntry) -> bool {
    let result = entry.outcome.result.as_ref();
    match entry.request.kind() {
        RequestKind::InitializeLedger => true,
        RequestKind::EnrollPerson
        | RequestKind::EnrollKey
        | RequestKind::ChangeRoles
        | RequestKind::RevokeKey => !matches!(result, Some(outcome::Result::Refusal(_)) | None),
        RequestKind::Approve => {
            matches!(result, Some(outcome::Result::RegistryChanged(it)) if it.resource.starts_with(PEOPLE))
        }
        _ => false,
    }
}

/// The people as they were at the last entry that was met.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    state: State,
}

impl Keys {
    pub(super) fn new() -> Self {
        Self { state: State::empty() }
    }

    pub(super) fn state(&self) -> &State {
        &self.state
    }

    /// Meets an entry whose bytes, place and signature hold. Over one that says who might do what, the rules are run
    /// again: they need nothing but the others of that kind. Of every other the signer's key must be valid and the role
    /// be held.
    pub(super) fn meet(&mut self, entry: &ParsedEntry) -> Result<(), Finding> {
        let index = entry.sealed.index();
        if self.state.site().is_none() && index > 0 {
            let expected = "entry 0, which names the ledger's key and its first administrator";
            return Err(Finding::new(0, Fault::Missing, expected, format!("entry {index}")));
        }
        self.state.skip_to(index, entry.previous);
        if is_of_keys(entry) {
            if entry.sealed.recorded_time() <= self.state.last_time() && index > 0 {
                let expected = format!("a time after {}", self.state.last_time());
                let found = entry.sealed.recorded_time().to_string();
                return Err(Finding::new(index, Fault::TimeReversed, expected, found));
            }
            let step = replay(&self.state, entry.sealed.bytes().clone())?;
            self.state.apply(&step);
            return Ok(());
        }
        self.may(entry)
    }

    fn may(&self, entry: &ParsedEntry) -> Result<(), Finding> {
        let index = entry.sealed.index();
        let request = &entry.request;
        let unknown = || {
            let expected = "a key that an entry of the bundle enrols";
            Finding::new(index, Fault::UnknownKey, expected, "another key")
        };
        let key = self.state.key(request.key()).ok_or_else(unknown)?;
        if let Some(since) = key.revoked {
            let found = format!("one revoked at {since}");
            return Err(Finding::new(index, Fault::KeyNotValidThen, "a key that is valid", found));
        }
        if matches!(entry.outcome.result, Some(outcome::Result::Refusal(_))) {
            // A refusal may well be for want of the role.
            return Ok(());
        }
        let command = Command::parse(request.kind(), request.bytes()).map_err(|_| {
            let expected = "a request that can be read";
            Finding::new(index, Fault::OutcomeDiffers, expected, "another")
        })?;
        let needed = rights(&self.state, request.key(), &command.act);
        let person = self.state.person(&key.person).ok_or_else(unknown)?;
        if needed.is_empty() || person.holds(needed) {
            return Ok(());
        }
        let names: Vec<&str> = needed.iter().map(|role| role.name()).collect();
        let expected = format!("a signer with one of {}", names.join(", "));
        let found = format!("{}, who holds none of them", key.person);
        Err(Finding::new(index, Fault::RoleNotHeld, expected, found))
    }
}
