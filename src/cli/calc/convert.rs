//! `calc convert`: the only place where pounds, ounces, inches and feet are read.

use clap::Args;

use super::answer::{Answer, Refused, Shown};
use crate::dosing::Step;
use crate::units::{
    Dimension, OutOfRange, Quantity, QuantityError, Rational, SHOWN_DECIMALS, Unit,
};

/// Arguments of `calc convert`.
#[derive(Debug, Args)]
pub struct ConvertArgs {
    /// The quantity: "99 lb", "2000 mcg", "66 in"
    #[arg(long, allow_hyphen_values = true)]
    from: String,
    /// The unit to answer in: "kg", "mg", "cm"
    #[arg(long)]
    to: String,
}

/// A unit that is converted and never calculated with: names, code, dimension, and its size in the
/// base unit of the dimension as a fraction.
struct Foreign {
    names: &'static [&'static str],
    code: &'static str,
    dimension: Dimension,
    size: (i128, i128),
}

/// Exact by the international yard and pound agreement of 1959: 1 lb = 0.45359237 kg, 1 oz a
/// sixteenth of it, 1 in = 2.54 cm, 1 ft = 12 in.
const FOREIGN: [Foreign; 4] = [
    Foreign {
        names: &["lb", "lbs", "pound", "pounds"],
        code: "[lb_av]",
        dimension: Dimension::Mass,
        size: (453_592_370_000, 1),
    },
    Foreign {
        names: &["oz", "ounce", "ounces"],
        code: "[oz_av]",
        dimension: Dimension::Mass,
        size: (453_592_370_000, 16),
    },
    Foreign {
        names: &["in", "inch", "inches"],
        code: "[in_i]",
        dimension: Dimension::Length,
        size: (254, 10),
    },
    Foreign {
        names: &["ft", "foot", "feet"],
        code: "[ft_i]",
        dimension: Dimension::Length,
        size: (3_048, 10),
    },
];

/// Any unit that `convert` knows.
#[derive(Clone, Copy)]
struct Scale {
    name: &'static str,
    code: &'static str,
    dimension: Dimension,
    size: Rational,
}

impl ConvertArgs {
    pub(super) fn answer(&self) -> Result<Answer, Refused> {
        let (number, unit) = Quantity::split_text(&self.from);
        if unit.is_empty() {
            return Err(QuantityError::MissingUnit { value: number.to_owned() }.into());
        }
        let (from, to) = (Scale::parse(unit)?, Scale::parse(&self.to)?);
        // The number is read as any other; the unit beside it has just been read.
        let value = Quantity::parse_text(&format!("{number} {}", Unit::Kilogram.ucum()))?.value();
        if from.dimension != to.dimension {
            return Err(kinds_differ(from, to));
        }
        let factor = from.size.over(to.size)?;
        let found = value.times(factor)?;
        let text = format!("{} {}", printed(found), to.name);
        let shown = Shown::number(found, to.code, text.clone());
        let formula = format!("{value} × {factor} (1 {} is {factor} {})", from.name, to.name);
        Ok(Answer::new(shown, vec![Step::new("Converted", formula, text)]))
    }
}

impl Scale {
    fn parse(text: &str) -> Result<Self, Refused> {
        let foreign = FOREIGN.iter().find(|unit| unit.names.contains(&text) || unit.code == text);
        if let Some(unit) = foreign {
            let [name, ..] = unit.names else { return Err(OutOfRange.into()) };
            let (numerator, denominator) = unit.size;
            let size = Rational::new(numerator, denominator)?;
            return Ok(Self { name, code: unit.code, dimension: unit.dimension, size });
        }
        let unit = Unit::parse_human(text);
        let unit = unit.ok_or_else(|| QuantityError::UnknownUnit { unit: text.to_owned() })?;
        Ok(Self {
            name: unit.display(),
            code: unit.ucum(),
            dimension: unit.dimension(),
            size: Rational::from_integer(unit.size()),
        })
    }
}

/// All of a finite decimal, six decimals of any other.
fn printed(number: Rational) -> String {
    number.exact_decimal().unwrap_or_else(|| number.short_decimal(SHOWN_DECIMALS))
}

fn kinds_differ(from: Scale, to: Scale) -> Refused {
    let (kind, other) = (from.dimension.name(), to.dimension.name());
    Refused {
        reason: "WRONG_KIND_OF_UNIT",
        message: format!(
            "{} measures {kind} and {} measures {other}; name two units of one kind",
            from.name, to.name
        ),
    }
}
