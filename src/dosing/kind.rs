//! Doses per body weight and per time: which unit is left when one of them is multiplied in.

use crate::units::{Dimension, Quantity, QuantityError, Rational, Unit};

/// A dose per body weight times a weight: 0.5 mg/kg and 72.5 kg give 36.25 mg. Refused for a dose
/// that is not per body weight.
pub fn times_weight(dose: Quantity, kilograms: Rational) -> Result<Quantity, QuantityError> {
    let expected = Dimension::MassPerWeight;
    let unit = without_weight(dose.unit());
    let unit = unit.ok_or(QuantityError::WrongKind { found: dose, expected })?;
    Ok(Quantity::new(dose.value().times(kilograms)?, unit))
}

/// The unit that is left when the body weight is multiplied in: mg/kg/h becomes mg/h.
#[must_use]
pub fn without_weight(unit: Unit) -> Option<Unit> {
    PER_WEIGHT.iter().find(|(_, per_weight)| *per_weight == unit).map(|(plain, _)| *plain)
}

/// The unit per body weight: mg/h becomes mg/kg/h.
#[must_use]
pub fn per_weight(unit: Unit) -> Option<Unit> {
    PER_WEIGHT.iter().find(|(plain, _)| *plain == unit).map(|(_, per_weight)| *per_weight)
}

/// The unit of the mass that flows: mg/h becomes mg.
#[must_use]
pub fn without_time(unit: Unit) -> Option<Unit> {
    match unit {
        Unit::MilligramPerHour | Unit::MilligramPerMinute => Some(Unit::Milligram),
        Unit::MicrogramPerHour | Unit::MicrogramPerMinute => Some(Unit::Microgram),
        _ => None,
    }
}

const PER_WEIGHT: [(Unit, Unit); 6] = [
    (Unit::Milligram, Unit::MilligramPerKilogram),
    (Unit::Microgram, Unit::MicrogramPerKilogram),
    (Unit::MilligramPerHour, Unit::MilligramPerKilogramPerHour),
    (Unit::MilligramPerMinute, Unit::MilligramPerKilogramPerMinute),
    (Unit::MicrogramPerHour, Unit::MicrogramPerKilogramPerHour),
    (Unit::MicrogramPerMinute, Unit::MicrogramPerKilogramPerMinute),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn quantity(text: &str) -> Quantity {
        Quantity::parse_text(text).unwrap()
    }

    #[test]
    fn the_weight_is_multiplied_in_and_the_unit_follows() {
        let dose = times_weight(quantity("37.5 mcg/kg/min"), 55_u32.into()).unwrap();
        assert_eq!(dose.to_string(), "2,062.5 mcg/min");
        assert!(times_weight(quantity("0.5 mg/min"), 55_u32.into()).is_err());
        for (plain, unit) in PER_WEIGHT {
            assert_eq!(plain.size() * 1_000, unit.size() * 1_000_000, "per kg is per 1,000 g");
        }
    }
}
