//! Syringes: what can be measured is a multiple of a graduation.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::error::DosingError;
use crate::units::{OutOfRange, Quantity, Rational, Rounding, Unit};

/// A syringe by its capacity. Graduations: 1 mL 0.01; 3 mL 0.1; 5 and 10 mL 0.2; 20 mL and larger
/// 1 mL (as printed on common hypodermic syringes, ISO 7886-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Syringe {
    /// 1 mL.
    Ml1,
    /// 3 mL.
    Ml3,
    /// 5 mL.
    Ml5,
    /// 10 mL.
    Ml10,
    /// 20 mL.
    Ml20,
    /// 50 mL.
    Ml50,
    /// 60 mL.
    Ml60,
}

/// Syringe, capacity in mL, graduation in microlitres.
const SYRINGES: [(Syringe, u32, u32); 7] = [
    (Syringe::Ml1, 1, 10),
    (Syringe::Ml3, 3, 100),
    (Syringe::Ml5, 5, 200),
    (Syringe::Ml10, 10, 200),
    (Syringe::Ml20, 20, 1_000),
    (Syringe::Ml50, 50, 1_000),
    (Syringe::Ml60, 60, 1_000),
];

impl Syringe {
    /// The syringe of exactly this capacity: `3 mL`.
    pub fn parse(text: &str) -> Result<Self, DosingError> {
        let capacity = Quantity::parse_text(text)?;
        Self::of_capacity(capacity)?
            .ok_or_else(|| DosingError::UnknownSyringe { text: text.to_owned() })
    }

    /// The syringe of exactly this capacity, if we know its graduations.
    pub fn of_capacity(capacity: Quantity) -> Result<Option<Self>, DosingError> {
        let millilitres = capacity.convert(Unit::Millilitre)?.value();
        let found =
            SYRINGES.iter().find(|(_, capacity, _)| Rational::from(*capacity) == millilitres);
        Ok(found.map(|(syringe, ..)| *syringe))
    }

    /// The capacity, in mL.
    #[must_use]
    pub fn capacity(self) -> Quantity {
        Quantity::new(self.row().1.into(), Unit::Millilitre)
    }

    /// The smallest volume that it measures, in mL.
    #[must_use]
    pub fn graduation(self) -> Quantity {
        let millilitres = Rational::new(self.row().2.into(), 1_000).expect("1,000 is not zero");
        Quantity::new(millilitres, Unit::Millilitre)
    }

    /// All that are known: `1 mL, 3 mL, …`.
    #[must_use]
    pub fn names() -> String {
        SYRINGES.map(|(syringe, ..)| syringe.to_string()).join(", ")
    }

    /// A volume in microlitres, rounded to the graduations.
    pub(super) fn measure(
        self,
        microlitres: Rational,
        rounding: Rounding,
    ) -> Result<Rational, OutOfRange> {
        microlitres.round_to(self.row().2.into(), rounding)
    }

    /// Whether so many microlitres fit.
    pub(super) fn holds(self, microlitres: Rational) -> bool {
        microlitres <= Rational::from(self.row().1 * 1_000)
    }

    fn row(self) -> (Self, u32, u32) {
        let found = SYRINGES.into_iter().find(|(syringe, ..)| *syringe == self);
        found.expect("the table has a row for every syringe, and a test walks them all")
    }
}

impl fmt::Display for Syringe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.capacity().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_syringe_has_its_graduations() {
        let table: Vec<_> = SYRINGES
            .iter()
            .map(|(syringe, ..)| format!("{syringe}: {}", syringe.graduation()))
            .collect();
        assert_eq!(
            table,
            [
                "1 mL: 0.01 mL",
                "3 mL: 0.1 mL",
                "5 mL: 0.2 mL",
                "10 mL: 0.2 mL",
                "20 mL: 1 mL",
                "50 mL: 1 mL",
                "60 mL: 1 mL"
            ]
        );
        // `Ml60` is the last of the enum: as many rows as variants.
        let last = postcard::to_allocvec(&Syringe::Ml60).unwrap();
        assert_eq!(usize::from(last[0]) + 1, SYRINGES.len());
    }

    #[test]
    fn only_known_syringes_are_read() {
        assert_eq!(Syringe::parse("3 mL").unwrap(), Syringe::Ml3);
        assert_eq!(Syringe::parse("2 mL").unwrap_err().reason(), "UNKNOWN_SYRINGE");
        assert_eq!(Syringe::parse("3 mg").unwrap_err().reason(), "WRONG_KIND_OF_UNIT");
        assert_eq!(Syringe::parse("3").unwrap_err().reason(), "MISSING_UNIT");
    }
}
