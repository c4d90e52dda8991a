//! Everything that is folded from the entries: people, keys, places, formularies, vials, calculations, patients, courses.
//!
//! A [`State`] is a value. Its maps are persistent, so a clone costs next to nothing and a reader keeps a consistent one
//! while the writer goes on. [`State::apply`] is the only mutation; the live path, the start-up and the audit use it.

mod change;
mod formulary;
mod ledger;
mod patients;
mod people;
mod step;
mod stock;

pub use change::Change;
pub use formulary::FormularyRecord;
pub use ledger::{LEDGER_AUDITS, LEDGER_KEY, LedgerKey, SelfAudit};
pub use patients::{LOOK_BACK_DAYS, PatientRecord};
pub use people::{KeyRecord, PersonRecord, PlaceRecord, Proposal, SiteRecord};
pub use step::{Step, Subject};
pub use stock::{Calculation, Check, OnHand, QuarantinedLot};

use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use serde::{Deserialize, Serialize};

use crate::course::{Course, Session};
use crate::names::{
    CourseName, DispensingName, EffectName, PatientName, PersonName, PlaceName, ProductName,
    SessionName, VialName, WasteName,
};
use crate::time::{Date, Timestamp};
use crate::tlog::{Hash, empty_root};
use crate::vial::Vial;

/// A vial's position on the shelf: what is dispensed first comes first.
type ShelfKey = (PlaceName, ProductName, Date, VialName);

/// Everything that the entries so far amount to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    size: u64,
    last_leaf: Hash,
    last_time: Timestamp,
    site: Option<Arc<SiteRecord>>,
    /// The ledger's own keys, by the entries that they began with.
    ledger_keys: OrdMap<u64, LedgerKey>,
    self_audit: Option<SelfAudit>,
    people: OrdMap<PersonName, PersonRecord>,
    keys: OrdMap<[u8; 32], KeyRecord>,
    places: OrdMap<PlaceName, PlaceRecord>,
    proposals: OrdMap<u64, Proposal>,
    formularies: OrdMap<u64, Arc<FormularyRecord>>,
    /// How many containers each receiving entry made; of those, the ones that are not in `vials` are closed.
    deliveries: OrdMap<u64, u32>,
    vials: OrdMap<VialName, Arc<Vial>>,
    shelf: OrdSet<ShelfKey>,
    dispensings: OrdMap<DispensingName, VialName>,
    wastes: OrdMap<WasteName, VialName>,
    lots: OrdMap<(ProductName, String), QuarantinedLot>,
    calculations: OrdMap<u64, Calculation>,
    calculations_by_expiry: OrdSet<(Timestamp, u64)>,
    patients: OrdMap<PatientName, Arc<PatientRecord>>,
    courses: OrdMap<CourseName, Arc<Course>>,
    /// The sessions that are open.
    sessions: OrdMap<SessionName, Arc<Session>>,
    /// The course of every session that ever began.
    session_courses: OrdMap<SessionName, CourseName>,
    effect_courses: OrdMap<EffectName, CourseName>,
    /// Sessions that are over and whose monitoring form was not sent.
    forms: OrdSet<SessionName>,
}

impl State {
    /// The state before the first entry.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            size: 0,
            last_leaf: empty_root(),
            last_time: Timestamp::MIN,
            site: None,
            ledger_keys: OrdMap::new(),
            self_audit: None,
            people: OrdMap::new(),
            keys: OrdMap::new(),
            places: OrdMap::new(),
            proposals: OrdMap::new(),
            formularies: OrdMap::new(),
            deliveries: OrdMap::new(),
            vials: OrdMap::new(),
            shelf: OrdSet::new(),
            dispensings: OrdMap::new(),
            wastes: OrdMap::new(),
            lots: OrdMap::new(),
            calculations: OrdMap::new(),
            calculations_by_expiry: OrdSet::new(),
            patients: OrdMap::new(),
            courses: OrdMap::new(),
            sessions: OrdMap::new(),
            session_courses: OrdMap::new(),
            effect_courses: OrdMap::new(),
            forms: OrdSet::new(),
        }
    }

    /// How many entries it was folded from.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Leaf hash of the last entry; the empty root before the first.
    #[must_use]
    pub fn last_leaf(&self) -> Hash {
        self.last_leaf
    }

    /// When the last entry was recorded.
    #[must_use]
    pub fn last_time(&self) -> Timestamp {
        self.last_time
    }

    /// Origin of the ledger; empty before the first entry.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.site.as_ref().map_or("", |site| &site.origin)
    }

    /// The registered location; nothing before the first entry.
    #[must_use]
    pub fn site(&self) -> Option<&SiteRecord> {
        self.site.as_deref()
    }

    /// Day at the site at a moment.
    #[must_use]
    pub fn day_of(&self, moment: Timestamp) -> Date {
        let offset = self.site.as_ref().map_or(0, |site| site.utc_offset_minutes);
        Date::of(moment, offset).unwrap_or(Date::MAX)
    }

    /// Goes to where an entry stands, for whoever has only some of the entries. What is known is what the entries at hand
    /// have said: of all others nothing is.
    ///
    /// # Panics
    ///
    /// When that is a place that was passed already.
    pub fn skip_to(&mut self, index: u64, previous: Hash) {
        assert!(index >= self.size, "no entry comes twice");
        if index > self.size {
            self.size = index;
            self.last_leaf = previous;
        }
    }

    /// Takes an entry in. The step comes from the rules, which looked at this very state.
    ///
    /// # Panics
    ///
    /// When the step is not the one that follows this state: the ledger would fork.
    pub fn apply(&mut self, step: &Step) {
        assert_eq!(step.entry.index(), self.size, "an entry follows the one before");
        assert!(
            step.entry.recorded_time() > self.last_time || self.size == 0,
            "time goes forward from entry to entry"
        );
        self.expire_calculations(step.entry.recorded_time());
        for change in &step.changes {
            self.make(change, &step.entry);
        }
        self.size += 1;
        self.last_leaf = step.entry.leaf_hash();
        self.last_time = step.entry.recorded_time();
    }
}
