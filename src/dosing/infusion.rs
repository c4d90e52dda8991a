//! Pumps and giving sets: how fast a volume runs, and how much drug that is.

use super::error::DosingError;
use super::kind::per_weight;
use crate::units::{Dimension, OutOfRange, Quantity, QuantityError, Rational, Span, Unit, Volume};

/// What a pump is set in steps of: 0.1 mL/h. Published answers round to the nearest tenth too.
pub const PUMP_STEP_MICROLITRES: u32 = 100;

/// The rate at which `volume` runs in over `span`, in mL/h, exactly.
pub fn infusion_rate(volume: Volume, span: Span) -> Result<Quantity, DosingError> {
    if volume == Volume::MIN {
        return Err(DosingError::Zero { what: "the volume" });
    }
    let hours = hours(span)?;
    let millilitres = volume.to_quantity(Unit::Millilitre)?.value();
    Ok(Quantity::new(millilitres.over(hours)?, Unit::MillilitrePerHour))
}

/// The drops per minute at which `volume` runs in over `span` through a set of so many drops per
/// mL, exactly. What is counted is a whole number of drops; the caller rounds.
pub fn drip_rate(
    volume: Volume,
    span: Span,
    drops_per_millilitre: Quantity,
) -> Result<Quantity, DosingError> {
    let factor = drops_per_millilitre.expect_dimension(Dimension::DropFactor)?.value();
    if factor.is_zero() {
        return Err(DosingError::Zero { what: "the drop factor" });
    }
    let hourly = infusion_rate(volume, span)?.value();
    let drops = hourly.times(factor)?.over(Rational::from_integer(60))?;
    Ok(Quantity::new(drops, Unit::DropPerMinute))
}

/// The pump rate in mL/h that gives so much drug per time at so many ng/uL, exactly.
pub fn pump_rate(rate: Quantity, concentration: Rational) -> Result<Quantity, DosingError> {
    let rate = rate.expect_dimension(Dimension::MassPerTime)?;
    let microlitres = rate.to_base()?.over(concentration)?;
    Ok(Quantity::from_base(microlitres, Unit::MillilitrePerHour)?)
}

/// The inverse: what a pump rate gives at so many ng/uL, in mg/h, or per weight in mg/kg/h.
pub fn dose_rate(
    pump: Quantity,
    concentration: Rational,
    kilograms: Option<Rational>,
) -> Result<Quantity, DosingError> {
    let pump = pump.expect_dimension(Dimension::VolumePerTime)?;
    let nanograms = pump.to_base()?.times(concentration)?;
    let hourly = Quantity::from_base(nanograms, Unit::MilligramPerHour)?;
    let Some(kilograms) = kilograms else { return Ok(hourly) };
    let unit = per_weight(hourly.unit()).ok_or(OutOfRange)?;
    Ok(Quantity::new(hourly.value().over(kilograms)?, unit))
}

/// So much drug in so much liquid, in the unit per mL that matches the mass (mg/mL or ug/mL).
pub fn concentration(mass: Quantity, volume: Quantity) -> Result<Quantity, QuantityError> {
    let nanograms = mass.expect_dimension(Dimension::Mass)?.to_base()?;
    let microlitres = volume.expect_dimension(Dimension::Volume)?.to_base()?;
    let unit = match mass.unit() {
        Unit::Microgram | Unit::Nanogram => Unit::MicrogramPerMillilitre,
        _ => Unit::MilligramPerMillilitre,
    };
    Ok(Quantity::from_base(nanograms.over(microlitres)?, unit)?)
}

/// A length of time in hours; zero is refused.
pub(super) fn hours(span: Span) -> Result<Rational, DosingError> {
    if span == Span::MIN {
        return Err(DosingError::Zero { what: "the length of time" });
    }
    Ok(span.to_quantity(Unit::Hour)?.value())
}

#[cfg(test)]
mod tests {
    use super::super::kind::times_weight;
    use super::*;
    use crate::units::Strength;

    fn quantity(text: &str) -> Quantity {
        Quantity::parse_text(text).unwrap()
    }

    #[test]
    fn pump_rates_and_their_inverse_agree() {
        let strength = Strength::parse("10 mg/mL").unwrap().concentration().unwrap();
        let rate = times_weight(quantity("5 ug/kg/min"), 90_u32.into()).unwrap();
        let pump = pump_rate(rate, strength).unwrap();
        assert_eq!(pump.to_string(), "2.7 mL/h");
        let back = dose_rate(pump, strength, Some(90_u32.into())).unwrap();
        let back = back.convert(Unit::MicrogramPerKilogramPerMinute).unwrap();
        assert_eq!(back.to_string(), "5 mcg/kg/min");
        assert_eq!(dose_rate(pump, strength, None).unwrap().to_string(), "27 mg/h");
    }

    #[test]
    fn nothing_runs_in_no_time() {
        let volume = Volume::try_from(quantity("50 mL")).unwrap();
        let error = infusion_rate(volume, Span::MIN).unwrap_err();
        assert_eq!(error.to_string(), "the length of time is zero; send what is to be given");
        let span = Span::try_from(quantity("40 min")).unwrap();
        assert_eq!(infusion_rate(volume, span).unwrap().to_string(), "75 mL/h");
        assert_eq!(infusion_rate(Volume::MIN, span).unwrap_err().reason(), "ZERO");
        assert!(drip_rate(volume, span, quantity("0 {gtt}/mL")).is_err());
    }
}
