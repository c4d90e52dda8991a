//! Infusing the dose: its concentration, and what the pump is set to.

use super::calculation::{DoseWorking, InfusionWorking, absolute};
use super::error::DosingError;
use super::infusion::{PUMP_STEP_MICROLITRES, concentration, hours, pump_rate};
use super::input::{DoseInput, Pace};
use super::step::Step;
use crate::units::{
    AmountKind, Dimension, OutOfRange, Quantity, QuantityError, Rational, Rounding, Strength, Unit,
};

/// Checks the concentration that is given, and for what is infused finds the pump rate.
pub(super) fn infuse(input: &DoseInput, working: &mut DoseWorking) -> Result<(), DosingError> {
    let Some(strength) = input.strength.filter(|s| s.kind() == AmountKind::Volume) else {
        return Ok(());
    };
    let label = Quantity::from_base(strength.concentration()?, concentration_unit(strength))?;
    let (given, total) = match (input.diluted_to, working.exact_dose) {
        (Some(_), None) => {
            let because = "to know how much drug goes into the diluent";
            return Err(DosingError::Missing { what: "the length of time", because });
        }
        (Some(total), Some(exact)) => {
            let dose = working.measured.as_ref().map_or(exact, |measured| measured.dose);
            let volume = working.measured.as_ref().map(|measured| measured.amount.to_quantity());
            let drug = volume.or(working.exact_amount).ok_or(OutOfRange)?;
            let total = total.to_quantity(Unit::Millilitre)?;
            if drug.value() > total.value() {
                return Err(DosingError::DilutionTooSmall { drug, total });
            }
            let given = concentration(dose, total)?;
            working.steps.push(Step::new("Concentration", format!("{dose} ÷ {total}"), given));
            (given, Some(total))
        }
        (None, _) => {
            let volume = working.measured.as_ref().map(|measured| measured.amount.to_quantity());
            (label, volume.or(working.exact_amount))
        }
    };
    if let Some(max) = input.max_concentration {
        max.expect_dimension(Dimension::Concentration)?;
        if given.to_base()? > max.to_base()? {
            return Err(DosingError::TooConcentrated { found: given, max });
        }
    }
    working.infusion = run(input, working, given, total)?;
    if let Some(infusion) = &working.infusion {
        let setting = infusion.setting;
        let formula = format!("{}, in steps of {}", infusion.rate, pump_step()?);
        working.steps.push(Step::new("Pump setting", formula, setting));
    }
    Ok(())
}

fn concentration_unit(strength: Strength) -> Unit {
    match strength.mass_unit() {
        Unit::Microgram | Unit::Nanogram => Unit::MicrogramPerMillilitre,
        _ => Unit::MilligramPerMillilitre,
    }
}

fn run(
    input: &DoseInput,
    working: &mut DoseWorking,
    concentration: Quantity,
    total: Option<Quantity>,
) -> Result<Option<InfusionWorking>, DosingError> {
    let step = |formula: String, rate: Quantity| Step::new("Pump rate", formula, rate);
    if let Some(exact) = working.exact_rate {
        let rate = pump_rate(exact, concentration.to_base()?)?;
        working.steps.push(step(format!("{exact} ÷ {concentration}"), rate));
        let ceiling = rate_ceiling(input, working, concentration)?;
        let setting = pump_setting(rate, ceiling)?;
        let duration = match input.pace {
            Some(Pace::Over(span)) => Some(span.to_quantity(Unit::Minute)?),
            _ => None,
        };
        return Ok(Some(InfusionWorking { concentration, rate, setting, duration }));
    }
    let (Some(pace), Some(total)) = (input.pace, total) else { return Ok(None) };
    let (rate, duration) = match pace {
        Pace::Over(span) => {
            let hours = hours(span)?;
            let rate = Quantity::new(total.value().over(hours)?, Unit::MillilitrePerHour);
            working.steps.push(step(format!("{total} ÷ {span}"), rate));
            (rate, span.to_quantity(Unit::Minute)?)
        }
        Pace::At(pump) => {
            let rate = pump.convert(Unit::MillilitrePerHour)?;
            if rate.value().is_zero() {
                return Err(DosingError::Zero { what: "the pump rate" });
            }
            let hours = total.value().over(rate.value())?;
            let minutes = hours.times(Rational::from_integer(60))?;
            let duration = Quantity::new(minutes, Unit::Minute);
            working.steps.push(Step::new("Duration", format!("{total} ÷ {rate}"), duration));
            (rate, duration)
        }
    };
    let setting = pump_setting(rate, None)?;
    Ok(Some(InfusionWorking { concentration, rate, setting, duration: Some(duration) }))
}

/// The pump rate at the next limit above the dose, if there is one.
fn rate_ceiling(
    input: &DoseInput,
    working: &DoseWorking,
    concentration: Quantity,
) -> Result<Option<Quantity>, DosingError> {
    let Some(limit) = input.limits.ceiling(input.dose)? else { return Ok(None) };
    let limit = absolute(input, working.dosing_weight.as_ref(), limit)?;
    pump_rate(limit, concentration.to_base()?).map(Some)
}

fn pump_setting(rate: Quantity, ceiling: Option<Quantity>) -> Result<Quantity, DosingError> {
    let step = pump_step()?;
    let mut setting = rate.value().round_to(step.value(), Rounding::HalfUp)?;
    if ceiling.is_some_and(|ceiling| setting > ceiling.value()) {
        setting = rate.value().round_to(step.value(), Rounding::Floor)?;
    }
    if setting.is_zero() {
        return Err(DosingError::TooSlow { rate, step });
    }
    Ok(Quantity::new(setting, Unit::MillilitrePerHour))
}

fn pump_step() -> Result<Quantity, QuantityError> {
    Ok(Quantity::from_base(PUMP_STEP_MICROLITRES.into(), Unit::MillilitrePerHour)?)
}
