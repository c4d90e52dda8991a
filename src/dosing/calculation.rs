//! The calculation itself, step by step.

use serde::{Deserialize, Serialize};

use super::container::ContainerPlan;
use super::draw::{containers, draw};
use super::error::DosingError;
use super::infusion::hours;
use super::input::{DoseInput, Pace};
use super::kind::{times_weight, without_time};
use super::limit::Crossing;
use super::pump::infuse;
use super::readback::sentence;
use super::scalar::{DosingWeight, dosing_weight};
use super::step::Step;
use crate::formulary::DoseKind;
use crate::units::{Amount, OutOfRange, Quantity, Rounding, Span};

/// The whole working of one dose. Every quantity is exact unless its name says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoseWorking {
    /// The weight that was used, for doses per kg.
    pub dosing_weight: Option<DosingWeight>,
    /// The dose as a mass; none for a rate without a length of time.
    pub exact_dose: Option<Quantity>,
    /// The dose as a mass per time, for doses that are rates.
    pub exact_rate: Option<Quantity>,
    /// The soft limits that were crossed. A crossed hard limit is an error and not a result.
    pub crossed: Vec<Crossing>,
    /// The volume, or the number of devices, that holds the exact dose.
    pub exact_amount: Option<Quantity>,
    /// What the syringe measures, or the number of devices.
    pub measured: Option<Measured>,
    /// The containers to open and the remainder.
    pub containers: Option<ContainerPlan>,
    /// The choice from the sizes in stock that wastes least.
    pub least_waste: Option<ContainerPlan>,
    /// Concentration and pump rate, for what is infused.
    pub infusion: Option<InfusionWorking>,
    /// Each step with its units, in order.
    pub steps: Vec<Step>,
    /// The whole in one sentence, to be read back.
    pub sentence: String,
}

/// What can be measured of the exact dose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// The volume at the syringe's graduations, or the number of devices.
    pub amount: Amount,
    /// The dose that it holds, exactly.
    pub dose: Quantity,
    /// How far that is from the exact dose, in per cent of it; negative for less.
    pub deviation: Quantity,
    /// The direction of the rounding; down only where half up would have passed a limit.
    pub rounding: Rounding,
}

/// How the dose is infused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InfusionWorking {
    /// The concentration of what runs in.
    pub concentration: Quantity,
    /// The pump rate, exactly, in mL/h.
    pub rate: Quantity,
    /// The pump rate in steps of 0.1 mL/h: half up, or down where that would pass a limit.
    pub setting: Quantity,
    /// How long it runs, if that is known.
    pub duration: Option<Quantity>,
}

/// Calculates one dose. The order of the steps is the order of the fields of [`DoseWorking`].
pub fn calculate(input: &DoseInput) -> Result<DoseWorking, DosingError> {
    input.kind.check(input.dose)?;
    if input.dose.value().is_zero() {
        return Err(DosingError::Zero { what: "the dose" });
    }
    let mut working = DoseWorking {
        dosing_weight: weight_for(input)?,
        exact_dose: None,
        exact_rate: None,
        crossed: Vec::new(),
        exact_amount: None,
        measured: None,
        containers: None,
        least_waste: None,
        infusion: None,
        steps: Vec::new(),
        sentence: String::new(),
    };
    if let Some(weight) = &working.dosing_weight {
        working.steps.extend(weight.steps.iter().cloned());
    }
    exact(input, &mut working)?;
    limits(input, &mut working)?;
    if let (Some(strength), Some(dose)) = (input.strength, working.exact_dose) {
        draw(input, strength, dose, &mut working)?;
        containers(input, &mut working)?;
    }
    infuse(input, &mut working)?;
    working.sentence = sentence(input, &working);
    Ok(working)
}

fn weight_for(input: &DoseInput) -> Result<Option<DosingWeight>, DosingError> {
    if !input.kind.needs_weight() {
        return Ok(None);
    }
    let missing = DosingError::Missing { what: "the weight", because: "for a dose per kg" };
    let weight = input.weight.ok_or(missing)?;
    let (height, sex, below) = (input.height, input.sex, input.below_sixty_inches);
    dosing_weight(input.scalar, weight, height, sex, below).map(Some)
}

/// The dose as a mass or as a rate: any dose of this kind, so that limits go the same way.
pub(super) fn absolute(
    input: &DoseInput,
    weight: Option<&DosingWeight>,
    dose: Quantity,
) -> Result<Quantity, DosingError> {
    match (input.kind, weight) {
        (DoseKind::PerKg | DoseKind::PerKgPerTime, Some(weight)) => {
            Ok(times_weight(dose, weight.weight.value())?)
        }
        (DoseKind::Devices, _) => {
            let missing = DosingError::Missing { what: "the strength", because: "per device" };
            let strength = input.strength.ok_or(missing)?;
            let nanograms = strength.mass_in(Amount::try_from(dose)?)?;
            Ok(Quantity::from_base(nanograms, strength.mass_unit())?)
        }
        _ => Ok(dose),
    }
}

/// What a rate gives in this time.
pub(super) fn flowing(rate: Quantity, span: Span) -> Result<Quantity, DosingError> {
    let nanograms = rate.to_base()?.times(hours(span)?)?;
    let unit = without_time(rate.unit()).ok_or(OutOfRange)?;
    Ok(Quantity::from_base(nanograms, unit)?)
}

fn exact(input: &DoseInput, working: &mut DoseWorking) -> Result<(), DosingError> {
    let dose = absolute(input, working.dosing_weight.as_ref(), input.dose)?;
    let formula = match (&working.dosing_weight, input.strength) {
        (Some(weight), _) => format!("{} × {}", input.dose, weight.weight),
        (None, Some(strength)) if input.kind == DoseKind::Devices => {
            format!("{} × ({strength})", input.dose)
        }
        _ => "as asked for".to_owned(),
    };
    if !input.kind.is_rate() {
        working.steps.push(Step::new("Exact dose", formula, dose));
        working.exact_dose = Some(dose);
        return Ok(());
    }
    working.steps.push(Step::new("Exact rate", formula, dose));
    working.exact_rate = Some(dose);
    match input.pace {
        Some(Pace::At(_)) => Err(DosingError::RateTwice { dose: input.dose }),
        Some(Pace::Over(span)) => {
            let total = flowing(dose, span)?;
            working.steps.push(Step::new("Exact dose", format!("{dose} × {span}"), total));
            working.exact_dose = Some(total);
            Ok(())
        }
        None if input.limits.absolute_hard.is_some() => Err(DosingError::Missing {
            what: "the length of time",
            because: "to check the limit for the whole dose",
        }),
        None => Ok(()),
    }
}

fn limits(input: &DoseInput, working: &mut DoseWorking) -> Result<(), DosingError> {
    working.crossed = input.limits.check(input.dose)?;
    if let Some(total) = working.exact_dose {
        input.limits.check_total(total, total.unit())?;
    }
    if input.limits.is_empty() {
        return Ok(());
    }
    let crossed: Vec<_> = working.crossed.iter().map(ToString::to_string).collect();
    let result = match crossed.as_slice() {
        [] => "within".to_owned(),
        crossed => format!("{}: needs a reason", crossed.join("; ")),
    };
    working.steps.push(Step::new("Limits", input.limits.to_string(), result));
    let unchanged = "a limit stops a dose, it never changes one";
    if let Some(dose) = working.exact_dose.or(working.exact_rate) {
        working.steps.push(Step::new("Dose after limits", unchanged, dose));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
