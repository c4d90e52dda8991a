//! Handing a vial out: the right vial, to somebody who may hold it, for the right patient, against a valid dose.

use std::sync::Arc;

use super::authority::{DISPENSERS, HOLDERS};
use super::session::touch_session;
use super::treatment::{before_limit, no_alert, open_session, read_enough, said};
use super::{Case, Draft, Signer};
use crate::command::DispenseCommand;
use crate::course::{Met, Session, before_dose};
use crate::names::{CalculationName, DispensingName, VialName};
use crate::pb::v1::{FlagKind, outcome};
use crate::refusal::{Refusal, TreatmentRefusal};
use crate::state::{Calculation, Change, Check};
use crate::time::{Date, Timestamp};
use crate::units::Amount;
use crate::vial::{Handover, Standing, Vial};
use crate::wire::dispensing_to_wire;

impl Case<'_> {
    pub(super) fn dispense(
        &self,
        signer: &Signer,
        act: &DispenseCommand,
    ) -> Result<Draft, Refusal> {
        self.need(signer, DISPENSERS)?;

        let vial = match self.vial(act.vial) {
            // Whether it is closed comes with the other questions of its state.
            Err(refusal @ Refusal::Unknown { .. }) => return Err(refusal),
            vial => vial,
        };
        let holder = self.state.person(&act.holder);
        let holder = holder.ok_or_else(|| Refusal::Unknown { resource: act.holder.to_string() })?;
        let calculation = match act.calculation {
            Some(name) => Some((name, self.calculation(name)?)),
            None => None,
        };
        if let Some(session) = calculation.and_then(|(_, calculation)| calculation.session) {
            open_session(self.state, session)?;
        }

        let vial = vial?;
        self.usable(vial)?;
        let earlier = self.earlier_expiry(vial);
        if let (Some((other, expiry)), None) = (earlier, &act.expiry_order_reason) {
            return Err(Refusal::EarlierExpiry { earlier: other, expiry });
        }
        if !holder.holds(HOLDERS) || !self.state.has_valid_key(&act.holder) {
            return Err(Refusal::HolderNotLicensed { person: act.holder.clone() });
        }
        if act.take_home {
            return Err(self.no_home_supply(vial));
        }
        if let Some((name, calculation)) = calculation {
            self.fits(act, vial, name, calculation)?;
        }
        let name = DispensingName(self.index);
        let handover = Handover {
            holder: act.holder.clone(),
            patient: act.patient.clone(),
            calculation: act.calculation,
            part: act.amount,
        };
        let after = match vial.clone().dispense(name, handover, self.now).map_err(Refusal::from) {
            // Whether there is enough comes with the other limits.
            Err(refusal @ Refusal::Vial(_)) => return Err(refusal),
            after => after,
        };
        if let Some((name, calculation)) = calculation {
            checked(name, calculation)?;
            self.session_ready(calculation)?;
        }
        let after = after?;
        let portion = after.portions().get(&name).expect("it was just handed out").clone();
        let calculation = match calculation {
            Some((name, before)) => Some((name, handed_out(before, portion.amount, self.now)?)),
            None => None,
        };

        // From here the dispensing is accepted.
        let mut draft =
            Draft::new(outcome::Result::Dispensing(dispensing_to_wire(name, act.vial, &portion)));
        draft.touch(&act.holder);
        draft.touch(&act.patient);
        if let Some(session) = calculation.as_ref().and_then(|(_, it)| self.session_of(it)) {
            touch_session(&mut draft, session);
        }
        if let Some((CalculationName(index), calculation)) = calculation {
            draft.change(Change::PutCalculation(index, calculation));
        }
        if let Some(reason) = &act.emergency_reason {
            draft.flag(FlagKind::Emergency, format!("dispensed without a calculation: {reason}"));
        }
        if let (Some((other, expiry)), Some(reason)) = (earlier, &act.expiry_order_reason) {
            let text = format!("{other} expires earlier ({expiry}) and was left: {reason}");
            draft.flag(FlagKind::ExpiryOrder, text);
        }
        draft.put_vial(after);
        Ok(draft)
    }

    /// A vial by its name: there, or closed, or never received.
    pub(super) fn vial(&self, name: VialName) -> Result<&Vial, Refusal> {
        match self.state.vial(name) {
            Some(vial) => Ok(vial),
            None if self.state.was_received(name) => Err(Refusal::VialClosed { vial: name }),
            None => Err(Refusal::Unknown { resource: name.to_string() }),
        }
    }

    /// A calculation that can still be dispensed against.
    pub(super) fn calculation(&self, name: CalculationName) -> Result<&Calculation, Refusal> {
        if name.0 >= self.state.size() {
            return Err(Refusal::Unknown { resource: name.to_string() });
        }
        self.state
            .calculation(name.0)
            .filter(|calculation| self.now < calculation.expires)
            .ok_or(Refusal::CalculationExpired { calculation: name })
    }

    /// Expiry and beyond-use come before quarantine: they are what the nurse must know first.
    fn usable(&self, vial: &Vial) -> Result<(), Refusal> {
        let name = vial.name();
        if let Some(expiry) = vial.label().expiry.filter(|day| *day < self.state.day_of(self.now)) {
            return Err(Refusal::VialExpired { vial: name, expiry });
        }
        if let Some(beyond_use) = vial.beyond_use().filter(|moment| *moment <= self.now) {
            return Err(Refusal::VialBeyondUse { vial: name, beyond_use });
        }
        if let Some(found) = self.state.quarantined_lot(vial.label()) {
            return Err(Refusal::LotQuarantined {
                vial: name,
                lot: vial.label().lot.clone().unwrap_or_default(),
                since: found.since,
                reason: found.reason.clone(),
            });
        }
        if vial.standing() == Standing::Quarantined {
            return Err(Refusal::VialQuarantined { vial: name });
        }
        Ok(())
    }

    /// The vial that should go first because it expires earlier, if there is one.
    fn earlier_expiry(&self, vial: &Vial) -> Option<(VialName, Date)> {
        if vial.standing() != Standing::InStock {
            return None;
        }
        let own = vial.label().expiry?;
        let today = self.state.day_of(self.now);
        self.state
            .shelf(vial.place(), &vial.label().product, today)
            .take_while(|(expiry, _)| *expiry < own)
            .find(|(_, other)| {
                other.beyond_use().is_none_or(|moment| moment > self.now)
                    && self.state.quarantined_lot(other.label()).is_none()
            })
            .map(|(expiry, other)| (other.name(), expiry))
    }

    /// Whether the vial is what was calculated for, for this patient, and still needed.
    fn fits(
        &self,
        act: &DispenseCommand,
        vial: &Vial,
        name: CalculationName,
        calculation: &Calculation,
    ) -> Result<(), Refusal> {
        if self.state.patient_name(&calculation.patient) != self.state.patient_name(&act.patient) {
            return Err(Refusal::PatientMismatch);
        }
        if calculation.product != vial.label().product {
            return Err(Refusal::ProductMismatch {
                vial: act.vial,
                found: vial.label().product.to_string(),
                expected: calculation.product.to_string(),
            });
        }
        if calculation.dispensed.base() >= calculation.amount.base() {
            return Err(Refusal::CalculationCovered {
                calculation: name,
                needed: calculation.amount,
                dispensed: calculation.dispensed,
            });
        }
        Ok(())
    }

    /// The session of a calculation, while it is open.
    pub(super) fn session_of(&self, calculation: &Calculation) -> Option<&Arc<Session>> {
        calculation.session.and_then(|name| self.state.session(name))
    }

    /// The session still is as the calculation found it: without an alert, and before its first dose with readings that
    /// allow it.
    fn session_ready(&self, calculation: &Calculation) -> Result<(), Refusal> {
        let Some(session) = self.session_of(calculation) else { return Ok(()) };
        no_alert(session)?;
        if session.first_dose.is_some() {
            return Ok(());
        }
        let (_, plan) = self.state.plan_of_session(session);
        let before = before_dose(session, &plan.monitoring, self.now);
        read_enough(&before, plan)?;
        if !before.stopping.is_empty() {
            return Err(TreatmentRefusal::VitalsOutside { criteria: said(&before.stopping) }.into());
        }
        let new = |met: &Met<'_>| !calculation.passed.contains(&before_limit(met));
        let asking: Vec<Met<'_>> = before.asking.into_iter().filter(new).collect();
        if asking.is_empty() {
            return Ok(());
        }
        let limits = format!("{}; it was not so when the dose was calculated", said(&asking));
        Err(Refusal::SoftLimit { limits })
    }

    /// Why a vial does not go home.
    fn no_home_supply(&self, vial: &Vial) -> Refusal {
        let drug = self.product_of(vial).drug.clone();
        let record = self.state.formulary();
        let source = record.and_then(|record| {
            record.formulary.drug(&drug).and_then(|drug| drug.clinic_only_source.clone())
        });
        let nothing = || "this ledger records no supply to a home".to_owned();
        let product = vial.label().product.to_string();
        TreatmentRefusal::HomeSupply { product, why: source.unwrap_or_else(nothing) }.into()
    }
}

/// A second person has worked the dose out anew, where one must.
fn checked(name: CalculationName, calculation: &Calculation) -> Result<(), Refusal> {
    match calculation.check {
        Check::NotNeeded | Check::Agreed(_) => Ok(()),
        Check::Differs(_) => Err(TreatmentRefusal::CheckDiffers { calculation: name }.into()),
        Check::Waiting { prescriber, .. } => {
            let who = if prescriber { "a second prescriber" } else { "a second person" };
            Err(TreatmentRefusal::CheckRequired { calculation: name, who }.into())
        }
    }
}

/// The calculation with so much more handed out against it.
fn handed_out(
    calculation: &Calculation,
    amount: Amount,
    now: Timestamp,
) -> Result<Calculation, Refusal> {
    let dispensed = calculation
        .dispensed
        .checked_add(amount)
        .map_err(|error| Refusal::NotCalculable(error.to_string()))?;
    Ok(Calculation {
        dispensed,
        open: calculation.open + 1,
        in_hands_since: calculation.in_hands_since.or(Some(now)),
        ..calculation.clone()
    })
}
