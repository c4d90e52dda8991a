//! What a person may do.

use serde::{Deserialize, Serialize};

use crate::pb::v1;

/// A role. Held roles add up; what each may do stands with the calls of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Role {
    /// Receives, dispenses, wastes, witnesses, takes returns, publishes formularies, calculates doses.
    Pharmacist,
    /// Receives.
    Technician,
    /// Calculates doses, dispenses, administers, wastes, witnesses.
    Prescriber,
    /// Holds, administers, wastes, witnesses, returns.
    Nurse,
    /// Reads everything.
    Auditor,
    /// Changes people, keys, places and formularies, with a second person.
    Administrator,
    /// An integrated system: calculates doses.
    Service,
}

impl Role {
    /// Every role, in the order of the API's description.
    pub const ALL: [Self; 7] = [
        Self::Pharmacist,
        Self::Technician,
        Self::Prescriber,
        Self::Nurse,
        Self::Auditor,
        Self::Administrator,
        Self::Service,
    ];

    /// The role of a number on the wire; nothing for an unknown one and for "not set".
    #[must_use]
    pub fn from_wire(number: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|role| i32::from(role.to_wire()) == number)
    }

    /// The role on the wire.
    #[must_use]
    pub fn to_wire(self) -> v1::Role {
        match self {
            Self::Pharmacist => v1::Role::Pharmacist,
            Self::Technician => v1::Role::Technician,
            Self::Prescriber => v1::Role::Prescriber,
            Self::Nurse => v1::Role::Nurse,
            Self::Auditor => v1::Role::Auditor,
            Self::Administrator => v1::Role::Administrator,
            Self::Service => v1::Role::Service,
        }
    }

    /// The role's name, such as `PHARMACIST`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pharmacist => "PHARMACIST",
            Self::Technician => "TECHNICIAN",
            Self::Prescriber => "PRESCRIBER",
            Self::Nurse => "NURSE",
            Self::Auditor => "AUDITOR",
            Self::Administrator => "ADMINISTRATOR",
            Self::Service => "SERVICE",
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
