//! What becomes of a vial in somebody's hands: administered, wasted before a witness, or brought back intact.

use std::sync::Arc;

use super::authority::{HOLDERS, LICENSED, PHARMACISTS};
use super::{Case, Draft, Signer};
use crate::command::{
    AdministrationCommand, ReturnCommand, WasteCommand, WasteSource, WitnessCommand,
};
use crate::formulary::Product;
use crate::names::{DispensingName, WasteName};
use crate::pb::v1::{self, FlagKind, WasteReason, outcome};
use crate::refusal::Refusal;
use crate::state::{Calculation, Change};
use crate::time::Timestamp;
use crate::units::{Amount, Quantity, Unit};
use crate::vial::{Portion, Vial, Waste};
use crate::wire::{amount_to_wire, quantity_to_wire, timestamp_to_wire};

impl Case<'_> {
    pub(super) fn administer(
        &self,
        signer: &Signer,
        act: &AdministrationCommand,
    ) -> Result<Draft, Refusal> {
        self.need(signer, HOLDERS)?;
        let (vial, portion) = self.in_hands(act.dispensing)?;
        own(signer, portion)?;
        if self.state.patient_name(&portion.patient) != self.state.patient_name(&act.patient) {
            return Err(Refusal::PatientMismatch);
        }
        let after = vial.as_ref().clone().administer(act.dispensing, act.amount, act.start)?;
        let dose = self.mass(vial, act.amount)?;
        let above = self.above_calculated(portion, act)?;
        self.not_future("start_time", act.start)?;
        self.not_future("end_time", act.end)?;
        after_dispensing("start_time", act.start, portion)?;

        // From here the administration is accepted.
        let mut draft = Draft::new(outcome::Result::Administration(v1::Administration {
            dispensing: act.dispensing.to_string(),
            amount: Some(amount_to_wire(act.amount)),
            dose: Some(quantity_to_wire(dose)),
        }));
        draft.touch(&act.patient);
        self.flag_late(&mut draft, act.end);
        if let Some(text) = above {
            draft.flag(FlagKind::AboveCalculatedDose, text);
        }
        let lot = self.state.quarantined_lot(vial.label());
        if let Some(lot) = lot.filter(|lot| lot.since <= act.start) {
            let (name, since, reason) = (vial.name(), lot.since, &lot.reason);
            let text = format!("{name}: its lot was quarantined at {since}: {reason}");
            draft.flag(FlagKind::GivenFromQuarantinedLot, text);
        }
        self.keep_dose(&mut draft, portion, vial, act, dose);
        self.account(&mut draft, portion, act.dispensing, &after, |calculation| {
            let administered = calculation.administered.checked_add(act.amount);
            let administered = administered.expect("at most what was dispensed, which is a sum");
            Calculation { administered, ..calculation }
        });
        draft.put_vial(after);
        Ok(draft)
    }

    pub(super) fn waste(&self, signer: &Signer, act: &WasteCommand) -> Result<Draft, Refusal> {
        self.need(signer, LICENSED)?;
        let name = WasteName(self.index);
        let due = act.occurred.checked_add_micros(super::WITNESS_WITHIN);
        let due = due.unwrap_or(act.occurred);
        let waste = |dispensing| Waste {
            amount: act.amount,
            by: signer.name.clone(),
            occurred: act.occurred,
            due,
            dispensing,
        };
        let (after, portion) = match act.source {
            WasteSource::Dispensing(dispensing) => {
                let (vial, portion) = self.in_hands(dispensing)?;
                own(signer, portion)?;
                let vial = vial.as_ref().clone();
                let after = vial.waste_portion(dispensing, name, waste(Some(dispensing)))?;
                (after, Some((dispensing, portion)))
            }
            WasteSource::Vial(vial) => {
                self.need(signer, PHARMACISTS)?;
                let broken = act.reason == WasteReason::BrokenOrSpilled;
                (self.vial(vial)?.clone().waste_stock(name, waste(None), broken)?, None)
            }
        };
        self.not_future("occurred_time", act.occurred)?;
        if let Some((_, portion)) = portion {
            after_dispensing("occurred_time", act.occurred, portion)?;
        }

        // From here the waste is accepted.
        let mut draft = Draft::new(outcome::Result::Waste(v1::Waste {
            name: name.to_string(),
            vial: after.name().to_string(),
            amount: Some(amount_to_wire(act.amount)),
            witness_due_time: Some(timestamp_to_wire(due)),
        }));
        draft.touch(&name);
        self.flag_late(&mut draft, act.occurred);
        if let Some((dispensing, portion)) = portion {
            self.touch_treatment(&mut draft, portion);
            self.account(&mut draft, portion, dispensing, &after, |calculation| calculation);
        }
        draft.put_vial(after);
        Ok(draft)
    }

    pub(super) fn witness(&self, signer: &Signer, act: &WitnessCommand) -> Result<Draft, Refusal> {
        self.need(signer, LICENSED)?;
        let vial = match self.state.vial_of_waste(act.waste) {
            Some(vial) => vial,
            None if act.waste.0 < self.state.size() => {
                return Err(Refusal::AlreadyWitnessed { waste: act.waste });
            }
            None => return Err(Refusal::Unknown { resource: act.waste.to_string() }),
        };
        let waste = vial.unwitnessed().get(&act.waste).expect("the state's index follows the vial");
        if waste.by == signer.name {
            return Err(Refusal::SelfWitness { person: signer.name.clone(), waste: act.waste });
        }
        if waste.amount != act.amount {
            return Err(Refusal::WitnessedAmountDiffers {
                waste: act.waste,
                recorded: waste.amount,
                seen: act.amount,
            });
        }
        let after = vial.as_ref().clone().witness(act.waste)?;

        // From here the witness's signature is accepted.
        let mut draft = Draft::new(outcome::Result::WasteWitnessed(v1::WasteWitnessed {
            waste: act.waste.to_string(),
            wasted_by: waste.by.to_string(),
            witnessed_by: signer.to_string(),
        }));
        draft.touch(&act.waste);
        draft.touch(&waste.by);
        if self.now > waste.due {
            let text = format!("witnessed at {}, due by {}", self.now, waste.due);
            draft.flag(FlagKind::WitnessedLate, text);
        }
        draft.put_vial(after);
        Ok(draft)
    }

    pub(super) fn take_back(&self, signer: &Signer, act: &ReturnCommand) -> Result<Draft, Refusal> {
        self.need(signer, LICENSED)?;
        let (vial, portion) = self.in_hands(act.dispensing)?;
        if !self.holds(&signer.name, PHARMACISTS) {
            own(signer, portion)?;
        }
        if self.state.place(&act.place).is_none() {
            return Err(Refusal::Unknown { resource: act.place.to_string() });
        }
        if !act.seal_intact {
            return Err(Refusal::SealBroken);
        }
        let after = vial.as_ref().clone().take_back(act.dispensing, act.place.clone())?;

        // From here the return is accepted.
        let mut draft = Draft::new(outcome::Result::VialReturned(v1::VialReturned {
            vial: after.name().to_string(),
            place: act.place.to_string(),
        }));
        self.touch_treatment(&mut draft, portion);
        draft.touch(&portion.holder);
        draft.touch(&act.place);
        self.account(&mut draft, portion, act.dispensing, &after, |calculation| {
            let dispensed = calculation.dispensed.checked_sub(portion.amount);
            let dispensed = dispensed.expect("what comes back was dispensed");
            Calculation { dispensed, ..calculation }
        });
        draft.put_vial(after);
        Ok(draft)
    }

    /// A dispensing that is not settled, with its vial.
    fn in_hands(&self, name: DispensingName) -> Result<(&Arc<Vial>, &Portion), Refusal> {
        match self.state.vial_of_dispensing(name) {
            Some(vial) => {
                let portion = vial.portions().get(&name);
                Ok((vial, portion.expect("the state's index follows the vial")))
            }
            None if name.0 < self.state.size() => {
                Err(Refusal::DispensingSettled { dispensing: name })
            }
            None => Err(Refusal::Unknown { resource: name.to_string() }),
        }
    }

    /// More in all than was calculated takes a reason, which is flagged: without one, an administration that is typed
    /// twice would count twice.
    fn above_calculated(
        &self,
        portion: &Portion,
        act: &AdministrationCommand,
    ) -> Result<Option<String>, Refusal> {
        let Some(name) = portion.calculation else { return Ok(None) };
        let calculation = self.state.calculation(name.0);
        let calculation =
            calculation.expect("a calculation is kept while something of it is in hands");
        let administered = calculation.administered.checked_add(act.amount);
        let administered = administered.expect("at most what was dispensed, which is a sum");
        if administered.base() <= calculation.amount.base() {
            return Ok(None);
        }
        let calculated = calculation.amount;
        match &act.above_dose_reason {
            Some(reason) => {
                Ok(Some(format!("{administered} administered, {calculated} calculated: {reason}")))
            }
            None => {
                Err(Refusal::AboveCalculatedDose { calculation: name, calculated, administered })
            }
        }
    }

    /// Keeps the calculation's account: what was given, and whether anything is still in hands.
    fn account(
        &self,
        draft: &mut Draft,
        portion: &Portion,
        dispensing: DispensingName,
        after: &Vial,
        update: impl FnOnce(Calculation) -> Calculation,
    ) {
        let Some(name) = portion.calculation else { return };
        let before = self.state.calculation(name.0);
        let before = before.expect("a calculation is kept while something of it is in hands");
        let mut calculation = update(before.clone());
        if !after.portions().contains_key(&dispensing) {
            calculation.open -= 1;
            if calculation.open == 0 {
                calculation.in_hands_since = None;
            }
        }
        draft.change(Change::PutCalculation(name.0, calculation));
    }

    /// The mass of drug in an amount, at the strength by which the vial was received.
    fn mass(&self, vial: &Vial, amount: Amount) -> Result<Quantity, Refusal> {
        let product = self.product_of(vial);
        let unit = product.strength.mass_unit();
        product
            .strength
            .mass_in(amount)
            .and_then(|nanograms| Quantity::new(nanograms, Unit::Nanogram).convert(unit))
            .map_err(|error| Refusal::NotCalculable(error.to_string()))
    }

    /// A vial's product, by the formulary that it was received by.
    pub(super) fn product_of(&self, vial: &Vial) -> &Product {
        let label = vial.label();
        self.state
            .formulary_of(label.formulary)
            .zip(label.product.id().parse().ok())
            .and_then(|(record, id)| record.formulary.product(&id))
            .expect("a formulary that a vial was received by stays in the state")
    }
}

/// Nothing happens to a vial in somebody's hands before it is there.
fn after_dispensing(
    field: &'static str,
    moment: Timestamp,
    portion: &Portion,
) -> Result<(), Refusal> {
    // The person's device may be behind the server by as much as it may be ahead.
    if portion.dispensed.micros_since(moment) > super::CLOCK_SKEW {
        let before = format!("the vial was handed out at {}", portion.dispensed);
        return Err(Refusal::TooEarly { field, moment, before });
    }
    Ok(())
}

/// What is in somebody's hands is that person's to deal with.
fn own(signer: &Signer, portion: &Portion) -> Result<(), Refusal> {
    if portion.holder == signer.name {
        return Ok(());
    }
    let whose = portion.holder.to_string();
    Err(Refusal::NotTheHolder { person: signer.name.clone(), whose })
}
