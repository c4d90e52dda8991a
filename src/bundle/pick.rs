//! Finding the entries of a selection.

use bytes::Bytes;

use super::keys::is_of_keys;
use super::selection::Selection;
use crate::audit::{Finding, replay};
use crate::ledger::ParsedEntry;
use crate::state::State;

/// What an entry is to a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picked {
    /// It was asked for.
    Selected,
    /// It says who might do what.
    Keys,
    /// It stays outside.
    Neither,
}

/// Sees all entries of a ledger, in order, and runs the rules over them: what an entry touches is what they say, and not
/// what an index of the file says.
#[derive(Debug)]
pub struct Picker {
    selection: Selection,
    state: State,
}

impl Picker {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(selection: Selection) -> Self {
        Self { selection, state: State::empty() }
    }

    /// Looks at the next entry. An entry that the rules make something else of is a finding: no bundle is made of bad
    /// evidence. Signatures are not looked at.
    pub fn see(&mut self, bytes: &Bytes) -> Result<Picked, Finding> {
        let step = replay(&self.state, bytes.clone())?;
        self.state.apply(&step);
        if self.selection.takes(&step, &self.state) {
            return Ok(Picked::Selected);
        }
        let keys = ParsedEntry::parse(bytes.clone()).is_ok_and(|entry| is_of_keys(&entry));
        Ok(if keys { Picked::Keys } else { Picked::Neither })
    }

    /// The state behind the last entry that was seen.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }
}
