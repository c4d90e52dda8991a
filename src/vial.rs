//! The life of one vial, as a pure machine: what it held, where that went, and which steps are possible.
//!
//! At every moment, for every vial:
//!
//! > content = administered + wasted + in the container + in somebody's hands
//!
//! Each step consumes the vial and gives the next one, or says why it cannot be; [`Vial::balance`] asserts the sum.

mod error;
mod portion;

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use error::VialError;
pub use portion::{Portion, Waste};

use crate::names::{CalculationName, DispensingName, PatientName, PersonName, PlaceName};
use crate::names::{ProductName, VialName, WasteName};
use crate::time::{Date, Timestamp};
use crate::units::Amount;

/// Where a vial stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Standing {
    /// At its place, to be dispensed.
    InStock,
    /// At its place, not to be dispensed.
    Quarantined,
    /// In somebody's hands: the whole container, or all that was left in it.
    Dispensed,
    /// Nothing is left of it; a waste waits for its witness.
    AwaitingWitness,
    /// Nothing is left of it and every waste is witnessed.
    Closed,
}

/// What the label says, and how the site treats it once it is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// The product.
    pub product: ProductName,
    /// Entry that put into force the formulary by which it was received.
    pub formulary: u64,
    /// Lot; absent when the label had none.
    pub lot: Option<String>,
    /// Last day of use; absent when the label had none.
    pub expiry: Option<Date>,
    /// Serial number, where the label has one.
    pub serial: Option<String>,
    /// What it holds.
    pub content: Amount,
    /// Whether several patients may be served from it.
    pub multiple_dose: bool,
    /// How long it may be used after the first puncture, in microseconds.
    pub beyond_use_micros: i64,
}

/// One sealed container from its receipt to its last drop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vial {
    name: VialName,
    label: Label,
    place: PlaceName,
    quarantined: bool,
    opened: Option<Timestamp>,
    administered: Amount,
    wasted: Amount,
    in_container: Amount,
    portions: BTreeMap<DispensingName, Portion>,
    unwitnessed: BTreeMap<WasteName, Waste>,
}

/// What a vial held and where that went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    /// What the label says it holds.
    pub content: Amount,
    /// Received by patients.
    pub administered: Amount,
    /// Wasted, witnessed or not.
    pub wasted: Amount,
    /// The part of `wasted` that no witness has signed for.
    pub unwitnessed: Amount,
    /// Still in the container, at its place.
    pub in_container: Amount,
    /// Dispensed, and neither administered nor wasted.
    pub in_hands: Amount,
}

/// Who takes a vial, or a part of one, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handover {
    /// Who takes it.
    pub holder: PersonName,
    /// Who it is for.
    pub patient: PatientName,
    /// The calculation it serves; none in an emergency.
    pub calculation: Option<CalculationName>,
    /// A measured part; the whole container when absent.
    pub part: Option<Amount>,
}

impl Vial {
    /// A vial as it comes in.
    #[must_use]
    pub fn receive(name: VialName, label: Label, place: PlaceName, quarantined: bool) -> Self {
        let content = label.content;
        Self {
            name,
            label,
            place,
            quarantined,
            opened: None,
            administered: content.zero(),
            wasted: content.zero(),
            in_container: content,
            portions: BTreeMap::new(),
            unwitnessed: BTreeMap::new(),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> VialName {
        self.name
    }

    /// What the label says.
    #[must_use]
    pub fn label(&self) -> &Label {
        &self.label
    }

    /// Where it is, or was dispensed from.
    #[must_use]
    pub fn place(&self) -> &PlaceName {
        &self.place
    }

    /// First puncture.
    #[must_use]
    pub fn opened(&self) -> Option<Timestamp> {
        self.opened
    }

    /// Not to be used from this moment on; known once it was opened.
    #[must_use]
    pub fn beyond_use(&self) -> Option<Timestamp> {
        let opened = self.opened?;
        Some(opened.checked_add_micros(self.label.beyond_use_micros).unwrap_or(Timestamp::MAX))
    }

    /// What is still in the container, at its place.
    #[must_use]
    pub fn in_container(&self) -> Amount {
        self.in_container
    }

    /// What is in somebody's hands, by dispensing.
    #[must_use]
    pub fn portions(&self) -> &BTreeMap<DispensingName, Portion> {
        &self.portions
    }

    /// Wastes that wait for their witness.
    #[must_use]
    pub fn unwitnessed(&self) -> &BTreeMap<WasteName, Waste> {
        &self.unwitnessed
    }

    /// Where it stands.
    #[must_use]
    pub fn standing(&self) -> Standing {
        if !self.in_container.is_zero() {
            return if self.quarantined { Standing::Quarantined } else { Standing::InStock };
        }
        match (self.portions.is_empty(), self.unwitnessed.is_empty()) {
            (false, _) => Standing::Dispensed,
            (true, false) => Standing::AwaitingWitness,
            (true, true) => Standing::Closed,
        }
    }

    /// What it held and where that went.
    ///
    /// # Panics
    ///
    /// When the parts are not the whole: no step of this module can lead there, and to carry on would be to lie.
    #[must_use]
    pub fn balance(&self) -> Balance {
        let zero = self.label.content.zero();
        let in_hands = total(zero, self.portions.values().map(|portion| portion.remaining));
        let unwitnessed = total(zero, self.unwitnessed.values().map(|waste| waste.amount));
        let parts = [self.administered, self.wasted, self.in_container, in_hands];
        assert_eq!(total(zero, parts), self.label.content, "balance of {}", self.name);
        Balance {
            content: self.label.content,
            administered: self.administered,
            wasted: self.wasted,
            unwitnessed,
            in_container: self.in_container,
            in_hands,
        }
    }

    /// Hands the container, or a measured part of it, to a holder.
    pub fn dispense(
        mut self,
        dispensing: DispensingName,
        to: Handover,
        now: Timestamp,
    ) -> Result<Self, VialError> {
        match self.standing() {
            Standing::InStock => {}
            standing => return Err(VialError::NotInStock { vial: self.name, standing }),
        }
        let whole = to.part.is_none();
        if !whole && !self.label.multiple_dose {
            return Err(VialError::PartOfSingleDose { vial: self.name });
        }
        if whole && !self.portions.is_empty() {
            return Err(VialError::PartsInHands { vial: self.name });
        }
        let amount = to.part.unwrap_or(self.in_container);
        self.in_container = self.draw(self.in_container, amount)?;
        if !whole {
            self.opened.get_or_insert(now);
        }
        let portion = Portion {
            holder: to.holder,
            patient: to.patient,
            calculation: to.calculation,
            amount,
            remaining: amount,
            whole,
            dispensed: now,
        };
        self.portions.insert(dispensing, portion);
        Ok(self)
    }

    /// Records what the patient received out of a portion.
    pub fn administer(
        mut self,
        dispensing: DispensingName,
        amount: Amount,
        start: Timestamp,
    ) -> Result<Self, VialError> {
        self.take_from_portion(dispensing, amount)?;
        self.opened.get_or_insert(start);
        self.administered = self.sum(self.administered, amount)?;
        Ok(self)
    }

    /// Records a waste out of a portion.
    pub fn waste_portion(
        mut self,
        dispensing: DispensingName,
        name: WasteName,
        waste: Waste,
    ) -> Result<Self, VialError> {
        self.take_from_portion(dispensing, waste.amount)?;
        self.opened.get_or_insert(waste.occurred);
        self.add_waste(name, waste)
    }

    /// Records a waste out of an opened container at its place, or of one that broke there.
    pub fn waste_stock(
        mut self,
        name: WasteName,
        waste: Waste,
        broken: bool,
    ) -> Result<Self, VialError> {
        match self.standing() {
            Standing::InStock | Standing::Quarantined => {}
            standing => return Err(VialError::NotInStock { vial: self.name, standing }),
        }
        if self.opened.is_none() && !broken {
            return Err(VialError::SealedStock { vial: self.name });
        }
        self.opened.get_or_insert(waste.occurred);
        self.in_container = self.draw(self.in_container, waste.amount)?;
        self.add_waste(name, waste)
    }

    /// Takes the witness's signature for a waste.
    pub fn witness(mut self, name: WasteName) -> Result<Self, VialError> {
        self.unwitnessed
            .remove(&name)
            .map(|_| self)
            .ok_or(VialError::NotUnwitnessed { waste: name })
    }

    /// Takes an intact container back to a place.
    pub fn take_back(
        mut self,
        dispensing: DispensingName,
        place: PlaceName,
    ) -> Result<Self, VialError> {
        let portion = self.portions.get(&dispensing).ok_or(VialError::NotInHands { dispensing })?;
        if !portion.whole || self.opened.is_some() || portion.remaining != portion.amount {
            return Err(VialError::NotIntact { vial: self.name });
        }
        self.in_container = self.sum(self.in_container, portion.remaining)?;
        self.portions.remove(&dispensing);
        self.place = place;
        Ok(self)
    }

    /// Keeps what is in the container, or comes back to it, from being dispensed.
    #[must_use]
    pub fn quarantine(mut self) -> Self {
        self.quarantined = true;
        self
    }

    /// Whether nothing of it is to be dispensed, wherever it is.
    #[must_use]
    pub fn quarantined(&self) -> bool {
        self.quarantined
    }

    fn take_from_portion(
        &mut self,
        dispensing: DispensingName,
        amount: Amount,
    ) -> Result<(), VialError> {
        let name = self.name;
        let portion =
            self.portions.get_mut(&dispensing).ok_or(VialError::NotInHands { dispensing })?;
        let left = draw(name, portion.remaining, amount)?;
        portion.remaining = left;
        if left.is_zero() {
            self.portions.remove(&dispensing);
        }
        Ok(())
    }

    fn add_waste(mut self, name: WasteName, waste: Waste) -> Result<Self, VialError> {
        self.wasted = self.sum(self.wasted, waste.amount)?;
        self.unwitnessed.insert(name, waste);
        Ok(self)
    }

    fn draw(&self, from: Amount, amount: Amount) -> Result<Amount, VialError> {
        draw(self.name, from, amount)
    }

    fn sum(&self, a: Amount, b: Amount) -> Result<Amount, VialError> {
        a.checked_add(b).map_err(|error| VialError::Amount { vial: self.name, error })
    }
}

fn total(zero: Amount, parts: impl IntoIterator<Item = Amount>) -> Amount {
    parts
        .into_iter()
        .try_fold(zero, Amount::checked_add)
        .expect("parts of one vial are of one kind and at most its content")
}

/// What is left when `amount` is drawn: never nothing drawn, never more than there is.
fn draw(vial: VialName, from: Amount, amount: Amount) -> Result<Amount, VialError> {
    let wrong_kind = |error| VialError::Amount { vial, error };
    if from.compare(amount).map_err(wrong_kind)? == Ordering::Less {
        return Err(VialError::OverDraw { vial, there: from, asked: amount });
    }
    if amount.is_zero() {
        return Err(VialError::Nothing { vial });
    }
    from.checked_sub(amount).map_err(wrong_kind)
}
