//! The formularies that were ever in force.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::State;
use crate::formulary::Formulary;

/// A formulary and the entry that put it into force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormularyRecord {
    /// The entry.
    pub entry: u64,
    /// The formulary.
    pub formulary: Formulary,
}

impl State {
    /// The formulary in force.
    #[must_use]
    pub fn formulary(&self) -> Option<&Arc<FormularyRecord>> {
        self.formularies.get_max().map(|(_, record)| record)
    }

    /// The formulary that was in force when an entry was recorded.
    #[must_use]
    pub fn formulary_at(&self, index: u64) -> Option<&Arc<FormularyRecord>> {
        self.formularies.range(..index).next_back().map(|(_, record)| record)
    }

    /// Every formulary that was ever in force, oldest first.
    pub fn formularies(&self) -> impl Iterator<Item = &Arc<FormularyRecord>> {
        self.formularies.values()
    }

    /// The formulary that an entry put into force.
    #[must_use]
    pub fn formulary_of(&self, entry: u64) -> Option<&Arc<FormularyRecord>> {
        self.formularies.get(&entry)
    }
}
