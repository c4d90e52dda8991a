//! Drawing the dose: what a syringe can measure of it, and which containers it comes from.

use super::calculation::{DoseWorking, Measured, absolute, flowing};
use super::container::{choose_vials, open_vials};
use super::error::DosingError;
use super::input::{DoseInput, Pace};
use super::readback::deviation;
use super::step::Step;
use super::syringe::Syringe;
use crate::units::{Amount, AmountKind, Mass, Quantity, Rational, Rounding, Strength, Unit};

/// The highest mass that rounding may reach: the next limit above the exact dose, if there is one.
fn mass_ceiling(input: &DoseInput, working: &DoseWorking) -> Result<Option<Rational>, DosingError> {
    let ceiling = input.limits.ceiling(input.dose)?;
    let ceiling = ceiling.map(|limit| absolute(input, working.dosing_weight.as_ref(), limit));
    let ceiling = match (ceiling.transpose()?, input.pace) {
        (Some(limit), Some(Pace::Over(span))) if input.kind.is_rate() => {
            Some(flowing(limit, span)?)
        }
        (limit, _) => limit,
    };
    let ceiling = ceiling.map(Quantity::to_base).transpose()?;
    let total = input.limits.absolute_hard.map(Mass::rational);
    Ok([ceiling, total].into_iter().flatten().min())
}

/// The volume or number that holds the dose, and what of it can be measured.
pub(super) fn draw(
    input: &DoseInput,
    strength: Strength,
    dose: Quantity,
    working: &mut DoseWorking,
) -> Result<(), DosingError> {
    let base = strength.amount_for(dose.to_base()?)?;
    let unit = strength.kind().unit();
    let exact = Quantity::new(base.over(Rational::from_integer(1_000))?, unit);
    working.exact_amount = Some(exact);
    let label = if unit == Unit::Millilitre { "Exact volume" } else { "Number" };
    working.steps.push(Step::new(label, format!("{dose} ÷ ({strength})"), exact));
    if strength.kind() != AmountKind::Volume {
        if !exact.value().is_integer() {
            return Err(DosingError::NotWhole { exact, strength });
        }
        let amount = Amount::from_base(strength.kind(), base)?;
        let deviation = Quantity::new(Rational::ZERO, Unit::Percent);
        let rounding = Rounding::HalfUp;
        working.measured = Some(Measured { amount, dose, deviation, rounding });
        return Ok(());
    }
    if let Some(syringe) = input.syringe {
        let ceiling = mass_ceiling(input, working)?;
        let measured = measure(syringe, strength, dose, ceiling)?;
        measured_steps(syringe, strength, exact, dose, &measured, &mut working.steps);
        working.measured = Some(measured);
    }
    Ok(())
}

fn measure(
    syringe: Syringe,
    strength: Strength,
    dose: Quantity,
    ceiling: Option<Rational>,
) -> Result<Measured, DosingError> {
    let exact = strength.volume_for(dose.to_base()?)?;
    let held = |rounding| -> Result<(Amount, Rational), DosingError> {
        let amount = Amount::from_base(AmountKind::Volume, syringe.measure(exact, rounding)?)?;
        Ok((amount, strength.mass_in(amount)?))
    };
    let mut rounding = Rounding::HalfUp;
    let (mut amount, mut nanograms) = held(rounding)?;
    if ceiling.is_some_and(|ceiling| nanograms > ceiling) {
        rounding = Rounding::Floor;
        (amount, nanograms) = held(rounding)?;
    }
    assert!(ceiling.is_none_or(|ceiling| nanograms <= ceiling), "rounding passed a limit");
    let volume = Quantity::from_base(exact, Unit::Millilitre)?;
    if amount.is_zero() {
        return Err(DosingError::NotMeasurable { volume, syringe });
    }
    if !syringe.holds(amount.rational()) {
        return Err(DosingError::SyringeTooSmall { volume, syringe });
    }
    let given = Quantity::from_base(nanograms, dose.unit())?;
    let difference = given.value().minus(dose.value())?.over(dose.value())?;
    let percent = difference.times(Rational::from_integer(100))?;
    let deviation = Quantity::new(percent, Unit::Percent);
    Ok(Measured { amount, dose: given, deviation, rounding })
}

fn measured_steps(
    syringe: Syringe,
    strength: Strength,
    exact: Quantity,
    dose: Quantity,
    measured: &Measured,
    steps: &mut Vec<Step>,
) {
    let graduation = syringe.graduation();
    let mark = format!("{graduation} mark of a {syringe} syringe");
    let formula = match measured.rounding {
        Rounding::Floor => format!("{exact}, down to a {mark}: the next one would pass a limit"),
        Rounding::Ceil => format!("{exact}, up to a {mark}"),
        Rounding::HalfUp => format!("{exact}, to the nearest {mark} (half way: up)"),
    };
    steps.push(Step::new("Measured volume", formula, measured.amount));
    let formula = format!("{} × ({strength})", measured.amount);
    steps.push(Step::new("Dose as measured", formula, measured.dose));
    let formula = format!("{} instead of {dose}", measured.dose);
    let result = deviation(measured.deviation).unwrap_or_else(|| "none".to_owned());
    steps.push(Step::new("Deviation", formula, result));
}

/// What is taken from the containers: what is measured, else the exact amount, up to a whole base
/// unit so that it is never less than is needed.
fn taken(working: &DoseWorking) -> Result<Option<Amount>, DosingError> {
    if let Some(measured) = &working.measured {
        return Ok(Some(measured.amount));
    }
    let Some(exact) = working.exact_amount else { return Ok(None) };
    let up = Rational::from_integer(exact.to_base()?.round(Rounding::Ceil));
    Ok(Some(Amount::from_base(AmountKind::Volume, up)?))
}

pub(super) fn containers(input: &DoseInput, working: &mut DoseWorking) -> Result<(), DosingError> {
    let Some(needed) = taken(working)? else { return Ok(()) };
    if let Some(size) = input.container {
        let plan = open_vials(needed, size)?;
        let formula = format!("{needed} ÷ {size}, up to whole containers");
        working.steps.push(Step::new("Containers to open", formula, &plan));
        let total = plan.needed.checked_add(plan.remainder)?;
        let formula = format!("{total} − {needed}");
        working.steps.push(Step::new("Remainder", formula, plan.remainder));
        working.containers = Some(plan);
    }
    if !input.stock.is_empty() {
        let plan = choose_vials(needed, &input.stock)?;
        let result = match &working.containers {
            Some(planned) if *planned == plan => "as above".to_owned(),
            _ => format!("{plan}, {} left over", plan.remainder),
        };
        working.steps.push(Step::new("Least waste", "of the sizes in stock", result));
        working.least_waste = Some(plan);
    }
    Ok(())
}
