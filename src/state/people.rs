//! The site, people, keys, places, and what waits for a second person.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::State;
use crate::ledger::RequestKind;
use crate::names::{PersonName, PlaceName};
use crate::role::Role;
use crate::time::Timestamp;
use crate::tlog::Hash;

/// The registered location and the ledger's own key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteRecord {
    /// Origin of the ledger.
    pub origin: String,
    /// Verifier key of the ledger now, as a C2SP vkey line.
    pub verifier_key: String,
    /// Name as on the registration.
    pub display_name: String,
    /// Postal address.
    pub address: String,
    /// DEA registration number, in the United States.
    pub dea_number: Option<String>,
    /// Offset of the site's standard time from UTC, in minutes.
    pub utc_offset_minutes: i32,
}

/// A person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonRecord {
    /// Name for people.
    pub display_name: Arc<str>,
    /// Roles, in order, each once.
    pub roles: Vec<Role>,
}

impl PersonRecord {
    /// Whether the person holds one of these roles.
    #[must_use]
    pub fn holds(&self, roles: &[Role]) -> bool {
        self.roles.iter().any(|role| roles.contains(role))
    }
}

/// A person's key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRecord {
    /// Whose it is.
    pub person: PersonName,
    /// When it was enrolled.
    pub enrolled: Timestamp,
    /// When it was revoked; nothing while it is valid.
    pub revoked: Option<Timestamp>,
    /// Since when it may have been in other hands, as whoever revoked it said.
    pub compromised: Option<Timestamp>,
}

/// A place where vials are kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaceRecord {
    /// Name for people.
    pub display_name: Arc<str>,
}

/// Something put forward that waits for a second person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// Leaf hash of the entry that put it forward.
    pub leaf_hash: Hash,
    /// What kind of request it is; its full message name.
    pub request_type: String,
    /// The request's bytes as they were signed.
    pub request: Vec<u8>,
    /// Who put it forward.
    pub proposer: PersonName,
    /// When.
    pub proposed: Timestamp,
    /// What it would change, in words.
    pub summary: String,
}

impl Proposal {
    /// The kind of the request.
    ///
    /// # Panics
    ///
    /// Never for a proposal of this program: only known kinds are put forward.
    #[must_use]
    pub fn kind(&self) -> RequestKind {
        RequestKind::from_message_name(&self.request_type)
            .expect("only known kinds are put forward")
    }
}

impl State {
    /// The people, by name.
    pub fn people(&self) -> impl Iterator<Item = (&PersonName, &PersonRecord)> {
        self.people.iter()
    }

    /// A person.
    #[must_use]
    pub fn person(&self, name: &PersonName) -> Option<&PersonRecord> {
        self.people.get(name)
    }

    /// A key.
    #[must_use]
    pub fn key(&self, key: &[u8; 32]) -> Option<&KeyRecord> {
        self.keys.get(key)
    }

    /// The keys of a person, oldest first.
    #[must_use]
    pub fn keys_of(&self, person: &PersonName) -> Vec<([u8; 32], &KeyRecord)> {
        let mut keys: Vec<_> = self
            .keys
            .iter()
            .filter(|(_, record)| record.person == *person)
            .map(|(key, record)| (*key, record))
            .collect();
        keys.sort_by_key(|(key, record)| (record.enrolled, *key));
        keys
    }

    /// Whether a person has a key that is valid now.
    #[must_use]
    pub fn has_valid_key(&self, person: &PersonName) -> bool {
        self.keys.values().any(|key| key.person == *person && key.revoked.is_none())
    }

    /// The people with one of these roles and a valid key.
    pub fn holders(&self, roles: &'static [Role]) -> impl Iterator<Item = &PersonName> {
        self.people
            .iter()
            .filter(move |(name, person)| person.holds(roles) && self.has_valid_key(name))
            .map(|(name, _)| name)
    }

    /// The places, by name.
    pub fn places(&self) -> impl Iterator<Item = (&PlaceName, &PlaceRecord)> {
        self.places.iter()
    }

    /// A place.
    #[must_use]
    pub fn place(&self, name: &PlaceName) -> Option<&PlaceRecord> {
        self.places.get(name)
    }

    /// What waits for a second person, by the index of its entry.
    pub fn proposals(&self) -> impl Iterator<Item = (u64, &Proposal)> {
        self.proposals.iter().map(|(index, proposal)| (*index, proposal))
    }

    /// What an entry put forward, while it waits.
    #[must_use]
    pub fn proposal(&self, index: u64) -> Option<&Proposal> {
        self.proposals.get(&index)
    }
}
