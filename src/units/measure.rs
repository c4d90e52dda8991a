//! The base integers: each quantity that is stored or compared, in one unit, within bounds that are
//! declared once.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::error::{Held, QuantityError};
use super::quantity::Quantity;
use super::rational::{OutOfRange, Rational};
use super::unit::{Dimension, Unit};

/// Defines one base integer. The bounds given here are the ones that every check and every message
/// uses.
macro_rules! measure {
    (
        $(#[$doc:meta])*
        $name:ident($integer:ty) $what:literal,
        $from:ident / $get:ident in $base:ident, printed in $shown:ident,
        $low:literal ..= $high:literal
    ) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(try_from = "u64", into = "u64")]
        pub struct $name($integer);

        impl $name {
            /// The least that is held.
            pub const MIN: Self = Self($low);
            /// The most that is held.
            pub const MAX: Self = Self($high);

            /// From the base unit; refused outside the bounds.
            pub fn $from(base: u64) -> Result<Self, QuantityError> {
                Self::from_rational(Rational::from(base))
            }

            /// The number in the base unit.
            #[must_use]
            pub const fn $get(self) -> $integer {
                self.0
            }

            /// The number in the base unit, for exact arithmetic.
            #[must_use]
            pub fn rational(self) -> Rational {
                Rational::from(self.0)
            }

            /// From a number in the base unit, which must be whole and within the bounds.
            pub fn from_rational(base: Rational) -> Result<Self, QuantityError> {
                Self::check(base, shown(base, Unit::$base, Unit::$shown))
            }

            /// The same in `unit`, exactly; refused if that is of another kind.
            pub fn to_quantity(self, unit: Unit) -> Result<Quantity, QuantityError> {
                Quantity::new(self.rational(), Unit::$base).convert(unit)
            }

            /// The sum; refused outside the bounds.
            pub fn checked_add(self, other: Self) -> Result<Self, QuantityError> {
                Self::from_rational(self.rational().plus(other.rational())?)
            }

            /// The difference; refused outside the bounds, hence never below zero.
            pub fn checked_sub(self, other: Self) -> Result<Self, QuantityError> {
                Self::from_rational(self.rational().minus(other.rational())?)
            }

            fn check(base: Rational, found: Quantity) -> Result<Self, QuantityError> {
                let shown = |base: $integer| shown(base.into(), Unit::$base, Unit::$shown);
                let held = || {
                    Box::new(Held {
                        what: $what,
                        low: shown(Self::MIN.0),
                        high: shown(Self::MAX.0),
                        step: Quantity::new(Rational::ONE, Unit::$base),
                    })
                };
                if !(Self::MIN.rational()..=Self::MAX.rational()).contains(&base) {
                    return Err(QuantityError::OutOfBounds { found, held: held() });
                }
                base.exact_integer()
                    .and_then(|whole| <$integer>::try_from(whole).map_err(|_| OutOfRange))
                    .map(Self)
                    .map_err(|OutOfRange| QuantityError::TooFine { found, held: held() })
            }
        }

        impl TryFrom<u64> for $name {
            type Error = QuantityError;

            fn try_from(base: u64) -> Result<Self, QuantityError> {
                Self::$from(base)
            }
        }

        impl From<$name> for u64 {
            fn from(measure: $name) -> Self {
                measure.0.into()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                shown(self.rational(), Unit::$base, Unit::$shown).fmt(f)
            }
        }
    };
}

measure! {
    /// Mass of a drug, in nanograms: at most 10 kg, printed in mg.
    Mass(u64) "a mass of a drug",
    from_nanograms / nanograms in Nanogram, printed in Milligram,
    0 ..= 10_000_000_000_000
}

measure! {
    /// Volume, in microlitres: at most 1,000 L, printed in mL.
    Volume(u64) "a volume",
    from_microlitres / microlitres in Microlitre, printed in Millilitre,
    0 ..= 1_000_000_000
}

measure! {
    /// Body weight, in grams: 1 g to 650 kg, printed in kg. The heaviest person on record, J. B.
    /// Minnoch, weighed 635 kg.
    Weight(u32) "a body weight",
    from_grams / grams in Gram, printed in Kilogram,
    1 ..= 650_000
}

measure! {
    /// Body height or length, in millimetres: 20 cm (the smallest newborns) to 280 cm (the tallest
    /// person on record, R. Wadlow, measured 272 cm), printed in cm.
    Height(u32) "a body height",
    from_millimetres / millimetres in Millimetre, printed in Centimetre,
    200 ..= 2_800
}

measure! {
    /// A length of time, in microseconds: at most 366 days, printed in min.
    Span(u64) "a length of time",
    from_microseconds / microseconds in Microsecond, printed in Minute,
    0 ..= 31_622_400_000_000
}

/// From a quantity of the right kind that the base integer holds exactly.
macro_rules! from_quantity {
    ($name:ident, $dimension:ident, $base:ident) => {
        impl TryFrom<Quantity> for $name {
            type Error = QuantityError;

            fn try_from(found: Quantity) -> Result<Self, QuantityError> {
                found.expect_dimension(Dimension::$dimension)?;
                Self::check(found.convert(Unit::$base)?.value(), found)
            }
        }
    };
}

from_quantity!(Mass, Mass, Nanogram);
from_quantity!(Volume, Volume, Microlitre);
from_quantity!(Height, Length, Millimetre);
from_quantity!(Span, Time, Microsecond);

/// A body weight is given in kg or g only: `72,500 mg` is a drug's mass that went into the wrong
/// field.
impl TryFrom<Quantity> for Weight {
    type Error = QuantityError;

    fn try_from(found: Quantity) -> Result<Self, QuantityError> {
        found.expect_dimension(Dimension::Mass)?;
        if !matches!(found.unit(), Unit::Kilogram | Unit::Gram) {
            return Err(QuantityError::NotABodyWeight { found });
        }
        Self::check(found.convert(Unit::Gram)?.value(), found)
    }
}

impl Weight {
    /// The weight in kilograms, exactly.
    pub fn kilograms(self) -> Result<Rational, OutOfRange> {
        self.rational().over(Rational::from_integer(1_000))
    }
}

impl Height {
    /// The height in centimetres, exactly.
    pub fn centimetres(self) -> Result<Rational, OutOfRange> {
        self.rational().over(Rational::from_integer(10))
    }
}

/// `base` in the unit that people read, or in the base unit if that cannot be worked out.
fn shown(base: Rational, unit: Unit, shown: Unit) -> Quantity {
    let quantity = Quantity::new(base, unit);
    quantity.convert(shown).unwrap_or(quantity)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: TryFrom<Quantity, Error = QuantityError>>(text: &str) -> Result<T, String> {
        let quantity = Quantity::parse_text(text).map_err(|error| error.to_string())?;
        T::try_from(quantity).map_err(|error| error.to_string())
    }

    #[test]
    fn quantities_become_base_integers_exactly() {
        assert_eq!(read::<Mass>("36.25 mg").unwrap().nanograms(), 36_250_000);
        assert_eq!(read::<Volume>("0.725 mL").unwrap().microlitres(), 725);
        assert_eq!(read::<Weight>("72.5 kg").unwrap().grams(), 72_500);
        assert_eq!(read::<Height>("170 cm").unwrap().millimetres(), 1_700);
        assert_eq!(read::<Span>("40 min").unwrap().microseconds(), 2_400_000_000);
    }

    #[test]
    fn bounds_hold_at_one_below_at_and_one_above() {
        assert_eq!(Weight::from_grams(1).unwrap(), Weight::MIN);
        assert_eq!(Weight::from_grams(650_000).unwrap(), Weight::MAX);
        assert!(Weight::from_grams(0).is_err());
        assert!(Weight::from_grams(650_001).is_err());
        assert!(Weight::from_grams(u64::MAX).is_err());
        assert_eq!(
            read::<Weight>("651 kg").unwrap_err(),
            "651 kg is out of range: a body weight is from 0.001 kg to 650 kg; \
             check the number and its unit"
        );
        assert!(read::<Height>("170 mm").unwrap_err().contains("from 20 cm to 280 cm"));
        assert!(read::<Height>("1.7 cm").unwrap_err().contains("from 20 cm to 280 cm"));
    }

    #[test]
    fn what_cannot_be_held_is_refused_and_not_rounded() {
        assert_eq!(
            read::<Weight>("72.50001 kg").unwrap_err(),
            "72.50001 kg has more digits than a body weight can hold; the smallest step is 1 g"
        );
        assert!(read::<Mass>("0.0000001 mg").unwrap_err().contains("smallest step is 1 ng"));
        assert!(read::<Weight>("72500 mg").unwrap_err().contains("send it in kg or g"));
        assert!(read::<Weight>("72.5 cm").unwrap_err().contains("a length"));
    }

    #[test]
    fn sums_and_differences_stay_within_the_bounds() {
        let a = Mass::from_nanograms(5).unwrap();
        let b = Mass::from_nanograms(7).unwrap();
        assert_eq!(b.checked_sub(a).unwrap().nanograms(), 2);
        assert!(a.checked_sub(b).is_err());
        assert!(Mass::MAX.checked_add(a).is_err());
    }

    #[test]
    fn a_snapshot_cannot_smuggle_in_what_the_bounds_refuse() {
        let bytes = postcard::to_allocvec(&Weight::MAX).unwrap();
        assert_eq!(postcard::from_bytes::<Weight>(&bytes).unwrap(), Weight::MAX);
        let bytes = postcard::to_allocvec(&650_001_u64).unwrap();
        assert!(postcard::from_bytes::<Weight>(&bytes).is_err());
    }
}
