//! What is asked for.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::state::{State, Step};
use crate::time::{Date, Timestamp};

/// Which entries a bundle is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Selection {
    /// All entries.
    All,
    /// The entries that touch a resource, by its name: `vials/9-1`, `patients/p7`, `lots/K0117`.
    Touching {
        /// The resource.
        name: String,
    },
    /// The entries that were recorded on these days, by the site's standard time.
    Days {
        /// The first day; from the beginning when absent.
        from: Option<Date>,
        /// The last day; to the end when absent.
        to: Option<Date>,
    },
}

impl Selection {
    /// Whether an entry is one of them, by what the rules say that it touches. The state is the one behind the entry.
    #[must_use]
    pub fn takes(&self, step: &Step, state: &State) -> bool {
        match self {
            Self::All => true,
            Self::Touching { name } => step.subjects.iter().any(|subject| subject.as_str() == name),
            Self::Days { .. } => self.has_day(step.entry.recorded_time(), state),
        }
    }

    /// Whether a moment is on one of the days; every moment is, where no days are asked for.
    #[must_use]
    pub fn has_day(&self, moment: Timestamp, state: &State) -> bool {
        let Self::Days { from, to } = self else { return true };
        let day = state.day_of(moment);
        from.is_none_or(|from| from <= day) && to.is_none_or(|to| day <= to)
    }

    /// Whether it is a run of entries, in which a gap would show.
    #[must_use]
    pub fn is_run(&self) -> bool {
        !matches!(self, Self::Touching { .. })
    }
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all entries"),
            Self::Touching { name } => write!(f, "the entries that touch {name}"),
            Self::Days { from: None, to: None } => f.write_str("the entries of all days"),
            Self::Days { from: Some(from), to: None } => {
                write!(f, "the entries recorded from {from} on")
            }
            Self::Days { from: None, to: Some(to) } => {
                write!(f, "the entries recorded up to {to}")
            }
            Self::Days { from: Some(from), to: Some(to) } => {
                write!(f, "the entries recorded from {from} to {to}")
            }
        }
    }
}
