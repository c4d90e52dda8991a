//! The closed list of units, each with its UCUM code, its printed form and its size.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What is counted rather than measured: sealed things of which a dose takes whole numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum CountUnit {
    /// A nasal spray device, such as esketamine's.
    Device,
    /// A tablet or capsule.
    Tablet,
    /// One actuation of a spray.
    Spray,
}

/// The kind of a quantity. Two quantities convert into each other only within one dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Dimension {
    /// Mass of a drug, and body weight. Base: ng.
    Mass,
    /// Height. Base: mm.
    Length,
    /// Volume. Base: uL.
    Volume,
    /// Length of time. Base: microsecond.
    Time,
    /// Dose per body weight. Base: ng/g.
    MassPerWeight,
    /// Dose per body weight and time. Base: ng/g/h.
    MassPerWeightPerTime,
    /// Dose per time. Base: ng/h.
    MassPerTime,
    /// Mass per volume. Base: ng/uL.
    Concentration,
    /// Pump rate. Base: uL/h.
    VolumePerTime,
    /// Whole things. Base: a thousandth of one.
    Count(CountUnit),
    /// Body-mass index. Base: kg/m2.
    MassIndex,
    /// Body surface area. Base: m2.
    Area,
    /// Drops per time. Base: drops per hour.
    DropRate,
    /// Drops per volume, printed on a giving set. Base: drops per mL.
    DropFactor,
    /// A proportion. Base: one per cent.
    Proportion,
}

/// A unit of the closed list. Nothing else is read, and nothing else is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "each name is its own documentation; codes and sizes stand in the table below"
)]
pub enum Unit {
    Kilogram,
    Gram,
    Milligram,
    Microgram,
    Nanogram,
    Metre,
    Centimetre,
    Millimetre,
    Litre,
    Millilitre,
    Microlitre,
    Hour,
    Minute,
    Second,
    Microsecond,
    MilligramPerKilogram,
    MicrogramPerKilogram,
    MilligramPerKilogramPerHour,
    MilligramPerKilogramPerMinute,
    MicrogramPerKilogramPerHour,
    MicrogramPerKilogramPerMinute,
    MilligramPerHour,
    MilligramPerMinute,
    MicrogramPerHour,
    MicrogramPerMinute,
    MilligramPerMillilitre,
    MicrogramPerMillilitre,
    MillilitrePerHour,
    MillilitrePerMinute,
    Device,
    Tablet,
    Spray,
    KilogramPerSquareMetre,
    SquareMetre,
    DropPerMinute,
    DropPerMillilitre,
    Percent,
}

/// One line per unit: UCUM code, printed form, dimension, size in the dimension's base.
struct Row(Unit, &'static str, &'static str, Dimension, i128);

/// In the order of the enum, so that the list of codes in an error message reads sensibly.
const TABLE: [Row; 37] = {
    use Dimension as D;
    use Unit as U;
    [
        Row(U::Kilogram, "kg", "kg", D::Mass, 1_000_000_000_000),
        Row(U::Gram, "g", "g", D::Mass, 1_000_000_000),
        Row(U::Milligram, "mg", "mg", D::Mass, 1_000_000),
        Row(U::Microgram, "ug", "mcg", D::Mass, 1_000),
        Row(U::Nanogram, "ng", "ng", D::Mass, 1),
        Row(U::Metre, "m", "m", D::Length, 1_000),
        Row(U::Centimetre, "cm", "cm", D::Length, 10),
        Row(U::Millimetre, "mm", "mm", D::Length, 1),
        Row(U::Litre, "L", "L", D::Volume, 1_000_000),
        Row(U::Millilitre, "mL", "mL", D::Volume, 1_000),
        Row(U::Microlitre, "uL", "mcL", D::Volume, 1),
        Row(U::Hour, "h", "h", D::Time, 3_600_000_000),
        Row(U::Minute, "min", "min", D::Time, 60_000_000),
        Row(U::Second, "s", "s", D::Time, 1_000_000),
        Row(U::Microsecond, "us", "microseconds", D::Time, 1),
        Row(U::MilligramPerKilogram, "mg/kg", "mg/kg", D::MassPerWeight, 1_000),
        Row(U::MicrogramPerKilogram, "ug/kg", "mcg/kg", D::MassPerWeight, 1),
        Row(U::MilligramPerKilogramPerHour, "mg/kg/h", "mg/kg/h", D::MassPerWeightPerTime, 1_000),
        Row(
            U::MilligramPerKilogramPerMinute,
            "mg/kg/min",
            "mg/kg/min",
            D::MassPerWeightPerTime,
            60_000,
        ),
        Row(U::MicrogramPerKilogramPerHour, "ug/kg/h", "mcg/kg/h", D::MassPerWeightPerTime, 1),
        Row(
            U::MicrogramPerKilogramPerMinute,
            "ug/kg/min",
            "mcg/kg/min",
            D::MassPerWeightPerTime,
            60,
        ),
        Row(U::MilligramPerHour, "mg/h", "mg/h", D::MassPerTime, 1_000_000),
        Row(U::MilligramPerMinute, "mg/min", "mg/min", D::MassPerTime, 60_000_000),
        Row(U::MicrogramPerHour, "ug/h", "mcg/h", D::MassPerTime, 1_000),
        Row(U::MicrogramPerMinute, "ug/min", "mcg/min", D::MassPerTime, 60_000),
        Row(U::MilligramPerMillilitre, "mg/mL", "mg/mL", D::Concentration, 1_000),
        Row(U::MicrogramPerMillilitre, "ug/mL", "mcg/mL", D::Concentration, 1),
        Row(U::MillilitrePerHour, "mL/h", "mL/h", D::VolumePerTime, 1_000),
        Row(U::MillilitrePerMinute, "mL/min", "mL/min", D::VolumePerTime, 60_000),
        Row(U::Device, "{device}", "device", D::Count(CountUnit::Device), 1_000),
        Row(U::Tablet, "{tablet}", "tablet", D::Count(CountUnit::Tablet), 1_000),
        Row(U::Spray, "{spray}", "spray", D::Count(CountUnit::Spray), 1_000),
        Row(U::KilogramPerSquareMetre, "kg/m2", "kg/m²", D::MassIndex, 1),
        Row(U::SquareMetre, "m2", "m²", D::Area, 1),
        Row(U::DropPerMinute, "{gtt}/min", "drops/min", D::DropRate, 60),
        Row(U::DropPerMillilitre, "{gtt}/mL", "drops/mL", D::DropFactor, 1),
        Row(U::Percent, "%", "%", D::Proportion, 1),
    ]
};

impl Unit {
    /// Every unit, in the order of the documentation.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.0)
    }

    /// The unit of exactly this UCUM code; case counts, and nothing else is accepted.
    #[must_use]
    pub fn parse_wire(code: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.1 == code).map(|row| row.0)
    }

    /// The unit that a person at a keyboard means: a UCUM code, or what we print (`mcg`, `device`,
    /// `devices`).
    #[must_use]
    pub fn parse_human(text: &str) -> Option<Self> {
        Self::parse_wire(text).or_else(|| {
            TABLE.iter().find(|row| row.2 == text || row.0.plural() == Some(text)).map(|row| row.0)
        })
    }

    /// The UCUM code, as on the wire: `ug/kg/min`, `{device}`.
    #[must_use]
    pub fn ucum(self) -> &'static str {
        self.row().1
    }

    /// The printed form: `mcg` where the wire has `ug`, because µ and u are misread; `mL`, never
    /// `cc`.
    #[must_use]
    pub fn display(self) -> &'static str {
        self.row().2
    }

    /// The printed form after any number but one, for things that are counted.
    #[must_use]
    pub fn plural(self) -> Option<&'static str> {
        match self {
            Self::Device => Some("devices"),
            Self::Tablet => Some("tablets"),
            Self::Spray => Some("sprays"),
            _ => None,
        }
    }

    /// The kind of quantity that it measures.
    #[must_use]
    pub fn dimension(self) -> Dimension {
        self.row().3
    }

    /// Its size in the base of its dimension: 1,000,000 (ng) for mg. A whole number for every unit
    /// of the list.
    #[must_use]
    pub fn size(self) -> i128 {
        self.row().4
    }

    fn row(self) -> &'static Row {
        TABLE.iter().find(|row| row.0 == self).expect("a test walks every unit through the table")
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.display())
    }
}

impl CountUnit {
    /// The unit that prints it.
    #[must_use]
    pub const fn unit(self) -> Unit {
        match self {
            Self::Device => Unit::Device,
            Self::Tablet => Unit::Tablet,
            Self::Spray => Unit::Spray,
        }
    }
}

impl Dimension {
    /// What it is, with its article: `a dose per body weight`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mass => "a mass",
            Self::Length => "a length",
            Self::Volume => "a volume",
            Self::Time => "a length of time",
            Self::MassPerWeight => "a dose per body weight",
            Self::MassPerWeightPerTime => "a dose per body weight and time",
            Self::MassPerTime => "a dose per time",
            Self::Concentration => "a concentration",
            Self::VolumePerTime => "a pump rate",
            Self::Count(CountUnit::Device) => "a number of devices",
            Self::Count(CountUnit::Tablet) => "a number of tablets",
            Self::Count(CountUnit::Spray) => "a number of sprays",
            Self::MassIndex => "a body-mass index",
            Self::Area => "a body surface area",
            Self::DropRate => "a drop rate",
            Self::DropFactor => "a drop factor",
            Self::Proportion => "a proportion",
        }
    }

    /// The UCUM codes that measure it: `mg/kg, ug/kg`.
    #[must_use]
    pub fn codes(self) -> String {
        codes(TABLE.iter().filter(|row| row.3 == self))
    }
}

/// Every UCUM code that may be sent, for error messages.
pub(super) fn all_codes() -> String {
    codes(TABLE.iter())
}

fn codes<'a>(rows: impl Iterator<Item = &'a Row>) -> String {
    rows.map(|row| row.1).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_stands_in_the_table_and_reads_back_what_it_prints() {
        for unit in Unit::all() {
            assert_eq!(unit.row().0, unit);
            assert_eq!(Unit::parse_wire(unit.ucum()), Some(unit));
            assert_eq!(Unit::parse_human(unit.display()), Some(unit));
            assert!(unit.size() > 0);
        }
        // `Percent` is the last of the enum: as many rows as variants, hence each variant has one.
        let last = postcard::to_allocvec(&Unit::Percent).unwrap();
        assert_eq!(usize::from(last[0]) + 1, TABLE.len());
    }

    #[test]
    fn only_people_may_write_mcg() {
        assert_eq!(Unit::parse_wire("mcg/kg/min"), None);
        assert_eq!(Unit::parse_human("mcg/kg/min"), Some(Unit::MicrogramPerKilogramPerMinute));
        assert_eq!(Unit::parse_human("devices"), Some(Unit::Device));
        for wrong in ["", "cc", "µg", "ML", "MG", "lb", "IU", "U", "mg/kg/day", " mg"] {
            assert_eq!(Unit::parse_human(wrong), None, "{wrong}");
        }
    }
}
