//! A dose: the right patient, protocol and product, every question answered, every limit kept.
//!
//! The arithmetic is [`crate::dosing`]'s, the numbers are the formulary's; here they meet the patient.

mod patient;
mod sum;

use super::authority::CALCULATORS;
use super::soft::SoftLimits;
use super::treatment::Treatment;
use super::{CONTEXT_SINCE, Case, Draft, Signer, span_micros};
use crate::command::DoseInputs;
use crate::dosing::LimitKind;
use crate::formulary::{Product, Protocol};
use crate::names::{CalculationName, ProductName};
use crate::pb::v1::{self, CheckRequirement, FlagKind, outcome};
use crate::refusal::Refusal;
use crate::state::{Calculation, Change, FormularyRecord, State};
use crate::time::{Date, Timestamp};
use crate::units::{Amount, Quantity};
use crate::wire::{amount_to_wire, quantity_from_wire};

pub(super) use patient::{find, question_stops};
use patient::{plausible_weight, questions, right_patient, times, weight_method};
pub(super) use sum::Sum;

impl Case<'_> {
    pub(super) fn calculate(&self, signer: &Signer, inputs: &DoseInputs) -> Result<Draft, Refusal> {
        self.need(signer, CALCULATORS)?;
        let worked = work(self.state, inputs, self.now)?;

        // From here the calculation is accepted.
        let name = CalculationName(self.index);
        let mut calculation = v1::DoseCalculation { name: name.to_string(), ..worked.message };
        if self.version < CONTEXT_SINCE {
            calculation.context = None;
        }
        let entry = Calculation {
            patient: inputs.patient.clone(),
            protocol: inputs.protocol.clone(),
            product: inputs.product.clone(),
            amount: worked.amount,
            containers: worked.containers,
            expires: worked.expires,
            dispensed: worked.amount.zero(),
            administered: worked.amount.zero(),
            open: 0,
            in_hands_since: None,
            by: signer.name.clone(),
            session: inputs.session,
            passed: worked.passed,
            check: super::check::asked_for(&calculation, self.request),
        };
        let mut draft = Draft::new(outcome::Result::DoseCalculation(calculation));
        draft.touch(&inputs.patient);
        draft.touch(&inputs.product);
        draft.outcome.flags = worked.flags;
        draft.change(Change::PutCalculation(self.index, entry));
        self.keep_order(&mut draft, inputs, name, worked.ordered, worked.rises);
        Ok(draft)
    }
}

/// A dose as it would be calculated now, with what a reviewer would be shown. Records nothing.
pub fn preview(
    state: &State,
    inputs: &DoseInputs,
    now: Timestamp,
) -> Result<(v1::DoseCalculation, Vec<v1::Flag>), Refusal> {
    work(state, inputs, now).map(|worked| (worked.message, worked.flags))
}

/// A recorded calculation, worked out again from what its entry holds: the inputs, the moment, what it took from the
/// ledger (`context`), and a formulary: the one of then, or the one of today. Soft limits are not asked about again.
pub fn replay(
    record: &FormularyRecord,
    inputs: &DoseInputs,
    context: Option<&v1::DoseContext>,
    moment: Timestamp,
) -> Result<v1::DoseCalculation, Refusal> {
    let (protocol, product) = find(record, inputs)?;
    right_patient(protocol, product, inputs)?;
    if inputs.session.is_none() {
        questions(protocol, inputs, &mut SoftLimits::default())?;
    }
    weight_method(protocol, inputs)?;
    let wire = context.map(|context| context.sizes_in_stock.as_slice()).unwrap_or_default();
    let sizes = wire.iter().filter_map(|size| quantity_from_wire(size).ok());
    let sizes = sizes.filter_map(|size| Amount::try_from(size).ok()).collect();
    let first = context.and_then(|context| context.first_dose_limit.as_ref());
    let first = first.and_then(|first| quantity_from_wire(first).ok());
    let sum = Sum::of(protocol, product, inputs, sizes, first)?;
    let expires = expiry(protocol, moment);
    let requirement = requirement(record, protocol, sum.dose, context);
    let context = context.cloned();
    Ok(v1::DoseCalculation { context, ..sum.message(record, inputs, expires, requirement) })
}

/// What a calculation of rules version 1 took from the ledger and did not keep: the sizes that were in stock, by the state
/// that it was decided by.
#[must_use]
pub fn context_then(state: &State, inputs: &DoseInputs, moment: Timestamp) -> v1::DoseContext {
    let mut context = v1::DoseContext::default();
    if let Some(record) = state.formulary()
        && let Ok((_, product)) = find(record, inputs)
    {
        let sizes = sizes_in_stock(state, record, product, state.day_of(moment));
        context.sizes_in_stock = sizes.into_iter().map(amount_to_wire).collect();
    }
    context
}

/// A dose that the rules allow.
struct Worked {
    message: v1::DoseCalculation,
    flags: Vec<v1::Flag>,
    amount: Amount,
    containers: u32,
    expires: Timestamp,
    /// The dose as ordered.
    ordered: Quantity,
    /// How often the course's dose was raised, with this.
    rises: u32,
    /// Names of the soft limits that were passed.
    passed: Vec<String>,
}

fn work(state: &State, inputs: &DoseInputs, now: Timestamp) -> Result<Worked, Refusal> {
    let record = state.formulary().ok_or(Refusal::NoFormulary)?;
    let (protocol, product) = find(record, inputs)?;
    let treatment = Treatment::find(state, record, protocol, inputs, now)?;
    let mut soft = SoftLimits::default();
    right_patient(protocol, product, inputs)?;
    match &treatment {
        Some(treatment) => treatment.answers(state, protocol, now, &mut soft)?,
        None => questions(protocol, inputs, &mut soft)?,
    }
    weight_method(protocol, inputs)?;
    plausible_weight(inputs, &mut soft)?;
    if let Some(treatment) = &treatment {
        treatment.readings(&mut soft)?;
    }
    let sizes = sizes_in_stock(state, record, product, state.day_of(now));
    let first = treatment.as_ref().and_then(Treatment::first_dose_limit);
    let sum = Sum::of(protocol, product, inputs, sizes.clone(), first)?;
    for crossing in &sum.working.crossed {
        let limit = match crossing.kind {
            LimitKind::SoftLow => "DOSE_BELOW_USUAL",
            _ => "DOSE_ABOVE_USUAL",
        };
        soft.passed(limit, crossing.to_string());
    }
    let mut context = v1::DoseContext {
        sizes_in_stock: sizes.into_iter().map(amount_to_wire).collect(),
        ..v1::DoseContext::default()
    };
    if let Some(treatment) = &treatment {
        treatment.history(state, inputs, &sum, now, &mut context, &mut soft)?;
    }
    let passed = soft.names();
    let flags = soft.settle(&inputs.overrides)?;
    times(protocol, inputs, now)?;

    let expires = expiry(protocol, now);
    let rises = context.rises;
    let requirement = requirement(record, protocol, sum.dose, Some(&context));
    let (amount, containers) = (sum.measured.amount, sum.plan.count());
    let ordered = sum.dose;
    let mut flags = flags;
    if requirement == CheckRequirement::SecondPrescriber {
        flags.push(v1::Flag {
            kind: FlagKind::DoseRaisedAgain.into(),
            message: format!("the dose of this course is raised for the {rises}. time"),
        });
    }
    let message = sum.message(record, inputs, expires, requirement);
    let message = v1::DoseCalculation { context: Some(context), ..message };
    Ok(Worked { message, flags, amount, containers, expires, ordered, rises, passed })
}

/// Whether a second person must work the dose out, and which. A rise beyond what one prescriber may order takes a
/// second prescriber; going on with a dose that was agreed on takes nobody.
fn requirement(
    record: &FormularyRecord,
    protocol: &Protocol,
    dose: Quantity,
    context: Option<&v1::DoseContext>,
) -> CheckRequirement {
    let plan = record.formulary.plan_of(&protocol.id);
    let rises = context.filter(|context| raises(dose, context)).map_or(0, |context| context.rises);
    if plan.is_some_and(|plan| rises > u32::from(plan.history.rises_alone)) {
        CheckRequirement::SecondPrescriber
    } else if protocol.policy.double_check {
        CheckRequirement::SecondPerson
    } else {
        CheckRequirement::Unspecified
    }
}

/// Whether a dose is more than the one before it in the course.
fn raises(dose: Quantity, context: &v1::DoseContext) -> bool {
    let last = context.last_dose.as_ref().and_then(|last| quantity_from_wire(last).ok());
    let last = last.and_then(|last| last.convert(dose.unit()).ok());
    last.is_some_and(|last| dose.value() > last.value())
}

fn expiry(protocol: &Protocol, now: Timestamp) -> Timestamp {
    let valid = span_micros(protocol.policy.calculation_valid);
    now.checked_add_micros(valid).unwrap_or(Timestamp::MAX)
}

/// Sizes of the same drug and strength in stock that can be used today, to find the choice that wastes least.
fn sizes_in_stock(
    state: &State,
    record: &FormularyRecord,
    product: &Product,
    today: Date,
) -> Vec<Amount> {
    record
        .formulary
        .products()
        .filter(|other| other.drug == product.drug && other.strength == product.strength)
        .filter(|other| {
            let name = ProductName::new(other.id.as_str());
            let name = name.expect("a formulary's product ids are resource names");
            state.places().any(|(place, _)| state.shelf(place, &name, today).next().is_some())
        })
        .map(|other| other.content)
        .collect()
}
