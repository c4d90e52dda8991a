//! What the formulas ask about a body.

use serde::{Deserialize, Serialize};

use crate::units::{OutOfRange, Quantity, Rational, Unit};

/// The sex that the weight formulas distinguish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Sex {
    /// Female.
    Female,
    /// Male.
    Male,
}

impl Sex {
    /// The one of two numbers that belongs to this sex.
    pub(super) fn pick<T>(self, female: T, male: T) -> T {
        match self {
            Self::Female => female,
            Self::Male => male,
        }
    }
}

/// Body-mass index: the weight in kg over the square of the height in m.
pub fn body_mass_index(kilograms: Rational, centimetres: Rational) -> Result<Quantity, OutOfRange> {
    let metres = centimetres.over(Rational::from_integer(100))?;
    Ok(Quantity::new(kilograms.over(metres.times(metres)?)?, Unit::KilogramPerSquareMetre))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_is_exact() {
        let index = body_mass_index(80_u32.into(), 180_u32.into()).unwrap();
        assert_eq!(index.value().fraction(), "2000/81");
        assert_eq!(index.to_string(), "24.691358 kg/m²");
    }
}
