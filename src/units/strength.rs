//! A strength: the pair on the label, never a rounded quotient.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::amount::{Amount, AmountKind};
use super::error::QuantityError;
use super::measure::Mass;
use super::quantity::Quantity;
use super::rational::{OutOfRange, Rational};
use super::unit::{Dimension, Unit};

/// So much of a drug in so much liquid (500 mg per 10 mL) or in so many things (28 mg per device).
/// Neither is zero.
///
/// Two strengths are equal if their labels read the same; to compare what is in them, use
/// [`Strength::concentration`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "(Mass, Unit, Amount)", into = "(Mass, Unit, Amount)")]
pub struct Strength {
    mass: Mass,
    mass_unit: Unit,
    per: Amount,
}

impl Strength {
    /// `mass` in `per`, as two quantities; the mass is printed in the unit it came in.
    pub fn new(mass: Quantity, per: Quantity) -> Result<Self, QuantityError> {
        let not = || QuantityError::NotAStrength { text: format!("{mass}/{per}") };
        let strength = Self {
            mass: Mass::try_from(mass)?,
            mass_unit: mass.unit(),
            per: Amount::try_from(per)?,
        };
        if strength.mass == Mass::MIN || strength.per.is_zero() { Err(not()) } else { Ok(strength) }
    }

    /// From a label, or from a person: `500 mg/10 mL`, `10 mg/mL`, `100 mcg/2mL`, `28 mg/{device}`.
    pub fn parse(text: &str) -> Result<Self, QuantityError> {
        let not = || QuantityError::NotAStrength { text: text.to_owned() };
        let (mass, per) = text.split_once('/').ok_or_else(not)?;
        let (number, _) = Quantity::split_text(per);
        let per = if number.is_empty() { format!("1 {}", per.trim()) } else { per.to_owned() };
        let mass = Quantity::parse_text(mass)?;
        let per = Quantity::parse_text(&per)?;
        let dimension = per.unit().dimension();
        if !matches!(dimension, Dimension::Volume | Dimension::Count(_)) {
            return Err(not());
        }
        Self::new(mass, per)
    }

    /// The mass on the label.
    #[must_use]
    pub const fn mass(self) -> Mass {
        self.mass
    }

    /// The unit in which the label gives the mass.
    #[must_use]
    pub const fn mass_unit(self) -> Unit {
        self.mass_unit
    }

    /// What that mass is in.
    #[must_use]
    pub const fn per(self) -> Amount {
        self.per
    }

    /// Whether it is drawn as a volume or counted.
    #[must_use]
    pub const fn kind(self) -> AmountKind {
        self.per.kind()
    }

    /// Nanograms per base unit (microlitre, or thousandth of a thing), exactly.
    pub fn concentration(self) -> Result<Rational, OutOfRange> {
        self.mass.rational().over(self.per.rational())
    }

    /// The mass in `amount`, in nanograms, exactly; refused if the amount is of another kind.
    pub fn mass_in(self, amount: Amount) -> Result<Rational, QuantityError> {
        if amount.kind() == self.kind() {
            Ok(self.concentration()?.times(amount.rational())?)
        } else {
            Err(QuantityError::KindsDiffer { left: amount, right: self.per })
        }
    }

    /// How many base units (microlitres, or thousandths of a thing) hold so many nanograms,
    /// exactly.
    pub fn amount_for(self, nanograms: Rational) -> Result<Rational, OutOfRange> {
        nanograms.over(self.concentration()?)
    }

    /// How many microlitres hold so many nanograms, exactly; refused for a strength per thing.
    pub fn volume_for(self, nanograms: Rational) -> Result<Rational, QuantityError> {
        match self.per {
            Amount::Volume(_) => Ok(self.amount_for(nanograms)?),
            Amount::Count(_) => {
                let found = self.per.to_quantity();
                Err(QuantityError::WrongKind { found, expected: Dimension::Volume })
            }
        }
    }

    /// For the wire, with UCUM codes: `28 mg/{device}`, `0.5 mg/mL`. [`Strength::parse`] reads it
    /// back.
    #[must_use]
    pub fn wire(self) -> String {
        let (mass, mass_unit) = self.label_mass().wire();
        let (per, per_unit) = self.per.to_quantity().wire();
        let per = if per == "1" { String::new() } else { format!("{per} ") };
        format!("{mass} {mass_unit}/{per}{per_unit}")
    }

    fn label_mass(self) -> Quantity {
        self.mass.to_quantity(self.mass_unit).expect("the unit came with a mass")
    }
}

/// As on the label: `500 mg/10 mL`, `10 mg/mL`, `50 mcg/mL`, `28 mg/device`.
impl fmt::Display for Strength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per = self.per.to_quantity();
        if per.value() == Rational::ONE {
            write!(f, "{}/{}", self.label_mass(), per.unit())
        } else {
            write!(f, "{}/{per}", self.label_mass())
        }
    }
}

impl TryFrom<(Mass, Unit, Amount)> for Strength {
    type Error = QuantityError;

    fn try_from((mass, unit, per): (Mass, Unit, Amount)) -> Result<Self, QuantityError> {
        Self::new(mass.to_quantity(unit)?, per.to_quantity())
    }
}

impl From<Strength> for (Mass, Unit, Amount) {
    fn from(strength: Strength) -> Self {
        (strength.mass, strength.mass_unit, strength.per)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn strength(text: &str) -> Strength {
        Strength::parse(text).unwrap()
    }

    #[test]
    fn labels_read_and_print_as_they_are() {
        let table = [
            ("500 mg/10 mL", "500 mg/10 mL", "500 mg/10 mL"),
            ("10 mg/mL", "10 mg/mL", "10 mg/mL"),
            ("2 mg/2mL", "2 mg/2 mL", "2 mg/2 mL"),
            ("50 ug/mL", "50 mcg/mL", "50 ug/mL"),
            ("100 mcg / 2 mL", "100 mcg/2 mL", "100 ug/2 mL"),
            ("28 mg/{device}", "28 mg/device", "28 mg/{device}"),
            ("28 mg/0.2 mL", "28 mg/0.2 mL", "28 mg/0.2 mL"),
            ("1000 mg/100 mL", "1,000 mg/100 mL", "1000 mg/100 mL"),
        ];
        for (text, printed, wire) in table {
            assert_eq!(strength(text).to_string(), printed);
            assert_eq!(strength(text).wire(), wire);
            assert_eq!(strength(wire), strength(text));
        }
    }

    #[test]
    fn what_is_no_strength_is_refused() {
        let table = [
            ("10 mg", "NOT_A_STRENGTH"),
            ("10 mg/kg", "NOT_A_STRENGTH"),
            ("10 mg/h", "NOT_A_STRENGTH"),
            ("0 mg/mL", "NOT_A_STRENGTH"),
            ("10 mg/0 mL", "NOT_A_STRENGTH"),
            ("10 mL/mg", "NOT_A_STRENGTH"),
            ("10/mL", "MISSING_UNIT"),
            ("28 mg/.2mL", "NAKED_DECIMAL"),
            ("5 mL/2 mL", "WRONG_KIND_OF_UNIT"),
            ("10 mg/lb", "POUNDS"),
            ("10 mg/cc", "UNKNOWN_UNIT"),
        ];
        for (text, reason) in table {
            assert_eq!(Strength::parse(text).unwrap_err().reason(), reason, "{text}");
        }
    }

    #[test]
    fn volumes_and_masses_are_exact() {
        let vial = strength("500 mg/10 mL");
        let volume = vial.volume_for(Rational::from_integer(36_250_000)).unwrap();
        assert_eq!(volume, Rational::from_integer(725));
        let drawn = Amount::from_base(AmountKind::Volume, 700_u32.into()).unwrap();
        assert_eq!(vial.mass_in(drawn).unwrap(), Rational::from_integer(35_000_000));

        let device = strength("28 mg/{device}");
        assert_eq!(device.amount_for(56_000_000_u32.into()).unwrap(), 2_000_u32.into());
        assert_eq!(device.volume_for(Rational::ONE).unwrap_err().reason(), "WRONG_KIND_OF_UNIT");
        assert_eq!(device.mass_in(drawn).unwrap_err().reason(), "KINDS_DIFFER");
    }

    proptest! {
        #[test]
        fn no_label_panics(text in "\\PC{0,24}") {
            let _ = Strength::parse(&text);
            let _ = Strength::parse(&format!("{text} mg/{text}mL"));
        }

        #[test]
        fn strengths_survive_the_wire_and_a_snapshot(
            mass in 1_u64..10_000_000,
            volume in 1_u64..1_000_000,
        ) {
            let mass = Mass::from_nanograms(mass).unwrap().to_quantity(Unit::Microgram).unwrap();
            let per = Amount::from_base(AmountKind::Volume, volume.into()).unwrap().to_quantity();
            let strength = Strength::new(mass, per).unwrap();
            prop_assert_eq!(Strength::parse(&strength.wire()).unwrap(), strength);
            let bytes = postcard::to_allocvec(&strength).unwrap();
            prop_assert_eq!(postcard::from_bytes::<Strength>(&bytes).unwrap(), strength);
        }
    }
}
