//! Vials, what is on hand of them, and the calculations that they are dispensed against.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{ShelfKey, State};
use crate::names::{
    DispensingName, PatientName, PersonName, PlaceName, ProductName, ProtocolName, SessionName,
    VialName, WasteName,
};
use crate::time::{Date, Timestamp};
use crate::units::{Amount, Quantity, Rational};
use crate::vial::{Label, Standing, Vial};

/// A dose calculation, as far as it is still needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calculation {
    /// Who it is for.
    pub patient: PatientName,
    /// By which protocol.
    pub protocol: ProtocolName,
    /// What to draw from.
    pub product: ProductName,
    /// What to draw up.
    pub amount: Amount,
    /// Containers to open.
    pub containers: u32,
    /// Until when it can be dispensed against.
    pub expires: Timestamp,
    /// What was handed out against it and not returned.
    pub dispensed: Amount,
    /// What was administered out of that.
    pub administered: Amount,
    /// Dispensings against it that are not settled.
    pub open: u32,
    /// Since when there are such; nothing while there are none.
    pub in_hands_since: Option<Timestamp>,
    /// Who worked it out.
    pub by: PersonName,
    /// The session that it is for.
    pub session: Option<SessionName>,
    /// Limits that were passed on purpose, by name.
    pub passed: Vec<String>,
    /// Whether a second person must work it out anew, and whether one did.
    pub check: Check,
}

/// A lot of which nothing is dispensed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantinedLot {
    /// The entry that quarantined it.
    pub entry: u64,
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub reason: String,
}

/// An independent double check of a calculation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Check {
    /// None is asked for.
    NotNeeded,
    /// Nothing is dispensed before a second person agrees.
    Waiting {
        /// Whether it takes a second prescriber.
        prescriber: bool,
        /// What the first person entered: a serialised `DoseInputs`.
        inputs: Vec<u8>,
        /// What that gave: a serialised `DoseCalculation`.
        result: Vec<u8>,
    },
    /// A second person came to the same.
    Agreed(PersonName),
    /// A second person came to something else.
    Differs(PersonName),
}

/// What is on hand of one product at one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnHand {
    /// Sealed containers in stock.
    pub sealed: u32,
    /// Opened containers in stock.
    pub opened: u32,
    /// Containers in quarantine.
    pub quarantined: u32,
    /// Containers from there that are in somebody's hands.
    pub in_hands: u32,
    /// Content at the place, in mL or as a number of things. A sum over many vials: more than one vial's bounds.
    pub amount: Quantity,
}

impl State {
    /// A vial that is not closed.
    #[must_use]
    pub fn vial(&self, name: VialName) -> Option<&Arc<Vial>> {
        self.vials.get(&name)
    }

    /// Whether a vial came in once; those that did and are not found by [`State::vial`] are closed.
    #[must_use]
    pub fn was_received(&self, name: VialName) -> bool {
        self.deliveries.get(&name.delivery).is_some_and(|count| (1..=*count).contains(&name.number))
    }

    /// The vials that are not closed, by name, from `first` on.
    pub fn vials_from(&self, first: VialName) -> impl Iterator<Item = &Arc<Vial>> {
        self.vials.range(first..).map(|(_, vial)| vial)
    }

    /// The vials of a lot that are not closed, by name.
    pub fn vials_of_lot<'a>(
        &'a self,
        product: &'a ProductName,
        lot: &'a str,
    ) -> impl Iterator<Item = &'a Arc<Vial>> {
        let of = move |vial: &&Arc<Vial>| {
            vial.label().product == *product && vial.label().lot.as_deref() == Some(lot)
        };
        self.vials.values().filter(of)
    }

    /// Since when and why the lot on a label is quarantined, where it is.
    #[must_use]
    pub fn quarantined_lot(&self, label: &Label) -> Option<&QuarantinedLot> {
        self.lot(&label.product, label.lot.as_deref()?)
    }

    /// Since when and why a lot is quarantined, where it is.
    #[must_use]
    pub fn lot(&self, product: &ProductName, lot: &str) -> Option<&QuarantinedLot> {
        self.lots.get(&(product.clone(), lot.to_owned()))
    }

    /// The vial that holds an unsettled dispensing.
    #[must_use]
    pub fn vial_of_dispensing(&self, name: DispensingName) -> Option<&Arc<Vial>> {
        self.dispensings.get(&name).and_then(|vial| self.vials.get(vial))
    }

    /// The vial of a waste without a witness.
    #[must_use]
    pub fn vial_of_waste(&self, name: WasteName) -> Option<&Arc<Vial>> {
        self.wastes.get(&name).and_then(|vial| self.vials.get(vial))
    }

    /// What is in anybody's hands for a patient.
    pub fn in_hands_for<'a>(
        &'a self,
        patient: &'a PatientName,
    ) -> impl Iterator<Item = DispensingName> + 'a {
        let own = self.patient_name(patient);
        self.dispensings.iter().filter_map(move |(name, vial)| {
            let portion = self.vials.get(vial)?.portions().get(name)?;
            (self.patient_name(&portion.patient) == own).then_some(*name)
        })
    }

    /// The vials in stock of a product at a place that can be used on `today` or later, earliest expiry first.
    pub fn shelf<'a>(
        &'a self,
        place: &'a PlaceName,
        product: &'a ProductName,
        today: Date,
    ) -> impl Iterator<Item = (Date, &'a Arc<Vial>)> {
        let first = VialName { delivery: 0, number: 0 };
        self.shelf
            .range((place.clone(), product.clone(), today, first)..)
            .take_while(move |(at, of, _, _)| at == place && of == product)
            .filter_map(|(_, _, expiry, vial)| Some((*expiry, self.vials.get(vial)?)))
    }

    /// What is on hand, by place and product.
    #[must_use]
    pub fn on_hand(&self) -> BTreeMap<(PlaceName, ProductName), OnHand> {
        let mut base: BTreeMap<_, u128> = BTreeMap::new();
        let mut on_hand = BTreeMap::new();
        for vial in self.vials.values() {
            let key = (vial.place().clone(), vial.label().product.clone());
            // The rules keep a product's id to one kind of content.
            let unit = vial.label().content.kind().unit();
            let line = on_hand.entry(key.clone()).or_insert(OnHand {
                sealed: 0,
                opened: 0,
                quarantined: 0,
                in_hands: 0,
                amount: Quantity::new(Rational::ZERO, unit),
            });
            match (vial.standing(), vial.opened()) {
                (Standing::InStock, None) => line.sealed += 1,
                (Standing::InStock, Some(_)) => line.opened += 1,
                (Standing::Quarantined, _) => line.quarantined += 1,
                (Standing::Dispensed, _) => line.in_hands += 1,
                // Its container is empty.
                (Standing::AwaitingWitness | Standing::Closed, _) => {}
            }
            *base.entry(key).or_default() += u128::from(vial.in_container().base());
        }
        for (line, base) in on_hand.values_mut().zip(base.into_values()) {
            let amount = i128::try_from(base).ok().and_then(|base| Rational::new(base, 1_000).ok());
            let amount = amount.expect("fewer than 2^60 vials of less than 2^60 base units");
            line.amount = Quantity::new(amount, line.amount.unit());
        }
        on_hand
    }

    /// A calculation that can still be dispensed against, or that somebody still holds a vial for.
    #[must_use]
    pub fn calculation(&self, index: u64) -> Option<&Calculation> {
        self.calculations.get(&index)
    }

    pub(super) fn put_calculation(&mut self, index: u64, calculation: Calculation) {
        let expired = calculation.expires < self.last_time;
        if expired && calculation.open == 0 {
            self.calculations.remove(&index);
            self.calculations_by_expiry.remove(&(calculation.expires, index));
            return;
        }
        self.calculations_by_expiry.insert((calculation.expires, index));
        self.calculations.insert(index, calculation);
    }

    /// Forgets the calculations that nobody can use any more.
    pub(super) fn expire_calculations(&mut self, now: Timestamp) {
        while let Some((expires, index)) = self.calculations_by_expiry.get_min().copied() {
            if expires >= now {
                return;
            }
            self.calculations_by_expiry.remove(&(expires, index));
            if self.calculations.get(&index).is_some_and(|calculation| calculation.open == 0) {
                self.calculations.remove(&index);
            }
        }
    }

    pub(super) fn put_vial(&mut self, vial: &Vial) {
        let name = vial.name();
        if let Some(before) = self.vials.get(&name).cloned() {
            if let Some(key) = shelf_key(&before) {
                self.shelf.remove(&key);
            }
            for dispensing in before.portions().keys() {
                self.dispensings.remove(dispensing);
            }
            for waste in before.unwitnessed().keys() {
                self.wastes.remove(waste);
            }
        }
        if vial.standing() == Standing::Closed {
            self.vials.remove(&name);
            return;
        }
        if let Some(key) = shelf_key(vial) {
            self.shelf.insert(key);
        }
        for dispensing in vial.portions().keys() {
            self.dispensings.insert(*dispensing, name);
        }
        for waste in vial.unwitnessed().keys() {
            self.wastes.insert(*waste, name);
        }
        self.vials.insert(name, Arc::new(vial.clone()));
    }
}

fn shelf_key(vial: &Vial) -> Option<ShelfKey> {
    let label = vial.label();
    let expiry = label.expiry.filter(|_| vial.standing() == Standing::InStock)?;
    Some((vial.place().clone(), label.product.clone(), expiry, vial.name()))
}
