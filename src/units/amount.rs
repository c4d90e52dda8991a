//! What a container holds, and what is drawn from it: a volume, or a number of things.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::error::{Held, QuantityError};
use super::measure::Volume;
use super::quantity::Quantity;
use super::rational::{OutOfRange, Rational};
use super::unit::{CountUnit, Dimension, Unit};

/// A number of counted things in thousandths, so that half a tablet can be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "(CountUnit, u64)", into = "(CountUnit, u64)")]
pub struct Count {
    unit: CountUnit,
    thousandths: u64,
}

impl Count {
    /// The most that is held: a million things, in thousandths.
    pub const MAX_THOUSANDTHS: u64 = 1_000_000_000;

    /// So many thousandths of `unit`; refused above a million things.
    pub fn from_thousandths(unit: CountUnit, thousandths: u64) -> Result<Self, QuantityError> {
        Amount::from_base(AmountKind::Count(unit), thousandths.into()).and_then(|amount| {
            match amount {
                Amount::Count(count) => Ok(count),
                Amount::Volume(_) => Err(OutOfRange.into()),
            }
        })
    }

    /// What is counted.
    #[must_use]
    pub const fn unit(self) -> CountUnit {
        self.unit
    }

    /// How many thousandths.
    #[must_use]
    pub const fn thousandths(self) -> u64 {
        self.thousandths
    }
}

impl TryFrom<(CountUnit, u64)> for Count {
    type Error = QuantityError;

    fn try_from((unit, thousandths): (CountUnit, u64)) -> Result<Self, QuantityError> {
        Self::from_thousandths(unit, thousandths)
    }
}

impl From<Count> for (CountUnit, u64) {
    fn from(count: Count) -> Self {
        (count.unit, count.thousandths)
    }
}

/// The content of a container, a dose drawn from it, or what is left. Never negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Amount {
    /// A liquid.
    Volume(Volume),
    /// Devices, tablets or sprays.
    Count(Count),
}

/// What an amount is measured in: amounts of different kinds are never added or compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum AmountKind {
    /// Microlitres.
    Volume,
    /// Thousandths of a thing.
    Count(CountUnit),
}

impl AmountKind {
    /// The unit in which it is printed: mL, or the thing.
    #[must_use]
    pub const fn unit(self) -> Unit {
        match self {
            Self::Volume => Unit::Millilitre,
            Self::Count(count) => count.unit(),
        }
    }
}

impl Amount {
    /// From base units (microlitres, or thousandths of a thing), which must be whole and within the
    /// bounds.
    pub fn from_base(kind: AmountKind, base: Rational) -> Result<Self, QuantityError> {
        match kind {
            AmountKind::Volume => Volume::from_rational(base).map(Self::Volume),
            AmountKind::Count(unit) => Self::count(unit, base),
        }
    }

    /// What it is measured in.
    #[must_use]
    pub const fn kind(self) -> AmountKind {
        match self {
            Self::Volume(_) => AmountKind::Volume,
            Self::Count(count) => AmountKind::Count(count.unit),
        }
    }

    /// The number of base units: microlitres, or thousandths of a thing.
    #[must_use]
    pub const fn base(self) -> u64 {
        match self {
            Self::Volume(volume) => volume.microlitres(),
            Self::Count(count) => count.thousandths,
        }
    }

    /// The number of base units, for exact arithmetic.
    #[must_use]
    pub fn rational(self) -> Rational {
        self.base().into()
    }

    /// Nothing, of the same kind.
    #[must_use]
    pub const fn zero(self) -> Self {
        match self {
            Self::Volume(_) => Self::Volume(Volume::MIN),
            Self::Count(count) => Self::Count(Count { unit: count.unit, thousandths: 0 }),
        }
    }

    /// True for nothing.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.base() == 0
    }

    /// The sum of two amounts of one kind.
    pub fn checked_add(self, other: Self) -> Result<Self, QuantityError> {
        self.same_kind(other)?;
        Self::from_base(self.kind(), self.rational().plus(other.rational())?)
    }

    /// What is left when `taken` is taken away; refused if that is more than there is, or of
    /// another kind.
    pub fn checked_sub(self, taken: Self) -> Result<Self, QuantityError> {
        if self.compare(taken)? == Ordering::Less {
            return Err(QuantityError::MoreThanThere { there: self, taken });
        }
        Self::from_base(self.kind(), self.rational().minus(taken.rational())?)
    }

    /// Which of two amounts of one kind is more.
    pub fn compare(self, other: Self) -> Result<Ordering, QuantityError> {
        self.same_kind(other)?;
        Ok(self.base().cmp(&other.base()))
    }

    /// In mL, or as a number of things.
    #[must_use]
    pub fn to_quantity(self) -> Quantity {
        let thousandth = Rational::new(1, 1_000).and_then(|t| self.rational().times(t));
        let unit = self.kind().unit();
        Quantity::new(thousandth.expect("a u64 times a thousandth fits into 128 bits"), unit)
    }

    fn same_kind(self, other: Self) -> Result<(), QuantityError> {
        if self.kind() == other.kind() {
            Ok(())
        } else {
            Err(QuantityError::KindsDiffer { left: self, right: other })
        }
    }

    fn count(unit: CountUnit, base: Rational) -> Result<Self, QuantityError> {
        let quantity = |base| Ok::<_, OutOfRange>(Quantity::new(thousandths(base)?, unit.unit()));
        let whole = base.exact_integer().ok().and_then(|whole| u64::try_from(whole).ok());
        if let Some(thousandths) = whole.filter(|whole| *whole <= Count::MAX_THOUSANDTHS) {
            return Ok(Self::Count(Count { unit, thousandths }));
        }
        let found = quantity(base)?;
        let held = Box::new(Held {
            what: Dimension::Count(unit).name(),
            low: quantity(Rational::ZERO)?,
            high: quantity(Count::MAX_THOUSANDTHS.into())?,
            step: quantity(Rational::ONE)?,
        });
        if base.is_integer() || base.is_negative() {
            Err(QuantityError::OutOfBounds { found, held })
        } else {
            Err(QuantityError::TooFine { found, held })
        }
    }
}

fn thousandths(base: Rational) -> Result<Rational, OutOfRange> {
    base.over(Rational::from_integer(1_000))
}

/// From a volume, or a number of devices, tablets or sprays.
impl TryFrom<Quantity> for Amount {
    type Error = QuantityError;

    fn try_from(quantity: Quantity) -> Result<Self, QuantityError> {
        match quantity.unit().dimension() {
            Dimension::Count(unit) => Self::count(unit, quantity.to_base()?),
            _ => Volume::try_from(quantity).map(Self::Volume),
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_quantity().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(text: &str) -> Amount {
        Amount::try_from(Quantity::parse_text(text).unwrap()).unwrap()
    }

    #[test]
    fn a_vial_is_drawn_down_to_nothing_and_not_further() {
        let vial = amount("10 mL");
        let left = vial.checked_sub(amount("0.7 mL")).unwrap();
        assert_eq!(left.to_string(), "9.3 mL");
        assert!(left.checked_sub(left).unwrap().is_zero());
        assert_eq!(left.zero(), amount("0 mL"));
        assert_eq!(
            left.checked_sub(vial).unwrap_err().to_string(),
            "10 mL cannot be taken from 9.3 mL"
        );
    }

    #[test]
    fn devices_and_millilitres_never_mix() {
        let devices = amount("2 devices");
        assert_eq!(devices.base(), 2_000);
        assert_eq!(amount("0.5 tablet").to_string(), "0.5 tablets");
        for other in [amount("2 mL"), amount("2 tablets")] {
            assert_eq!(devices.checked_add(other).unwrap_err().reason(), "KINDS_DIFFER");
            assert_eq!(devices.compare(other).unwrap_err().reason(), "KINDS_DIFFER");
        }
    }

    #[test]
    fn counts_have_bounds_and_a_smallest_step() {
        let error = |text| Amount::try_from(Quantity::parse_text(text).unwrap()).unwrap_err();
        assert_eq!(amount("1000000 {device}").base(), Count::MAX_THOUSANDTHS);
        assert_eq!(error("1000001 {device}").reason(), "OUT_OF_BOUNDS");
        assert_eq!(error("0.0001 {device}").reason(), "TOO_FINE");
        assert_eq!(error("5 mg").reason(), "WRONG_KIND_OF_UNIT");
    }

    #[test]
    fn amounts_survive_a_snapshot() {
        for amount in [amount("3 sprays"), amount("0.2 mL")] {
            let bytes = postcard::to_allocvec(&amount).unwrap();
            assert_eq!(postcard::from_bytes::<Amount>(&bytes).unwrap(), amount);
        }
        let forged = postcard::to_allocvec(&(CountUnit::Spray, u64::MAX)).unwrap();
        assert!(postcard::from_bytes::<Count>(&forged).is_err());
    }
}
