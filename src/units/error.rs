//! Every way in which a quantity is refused, each saying what to send instead.

use super::amount::Amount;
use super::quantity::Quantity;
use super::rational::OutOfRange;
use super::unit::{Dimension, all_codes};

/// What a stored quantity can hold, for the message that refuses another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The quantity, with its article: `a body weight`.
    pub what: &'static str,
    /// The least.
    pub low: Quantity,
    /// The most.
    pub high: Quantity,
    /// The smallest step.
    pub step: Quantity,
}

/// Why a quantity was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// Pounds. A weight in pounds taken for kilograms is more than twice the dose.
    #[error(
        "`{value} {unit}` is in pounds, which are never read here; weigh in kg, or convert first with \
         `vialedger calc convert --from \"{value} lb\" --to kg`"
    )]
    Pounds {
        /// The number as sent.
        value: String,
        /// The unit as sent.
        unit: String,
    },
    /// A number without a unit.
    #[error("`{value}` has no unit; send the number with its unit, such as mg, mL or kg")]
    MissingUnit {
        /// The number as sent.
        value: String,
    },
    /// A unit outside the closed list.
    #[error("`{unit}` is not a unit we read; {}", unit_advice(.unit))]
    UnknownUnit {
        /// The unit as sent.
        unit: String,
    },
    /// A unit without a number.
    #[error("there is no number; send a number and a unit, such as `0.5 mg`")]
    MissingNumber,
    /// Scientific notation.
    #[error("`{value}` is written with an exponent; write all digits, such as `0.0005`")]
    Exponent {
        /// The number as sent.
        value: String,
    },
    /// A comma, which is a decimal sign for some and a thousands sign for others.
    #[error("`{value}` has a comma; write `1000` for a thousand and `0.5` for a half")]
    Comma {
        /// The number as sent.
        value: String,
    },
    /// A plus or minus sign.
    #[error("`{value}` has a sign; amounts are written without one")]
    Sign {
        /// The number as sent.
        value: String,
    },
    /// `.5`: the point is easily overlooked.
    #[error("`{value}` starts with a naked decimal point; send `0{value}`")]
    NakedDecimal {
        /// The number as sent.
        value: String,
    },
    /// `5.`: a point without digits after it.
    #[error("`{value}` ends with a decimal point; send `{}`", .value.trim_end_matches('.'))]
    TrailingPoint {
        /// The number as sent.
        value: String,
    },
    /// `005`.
    #[error("`{value}` has leading zeros; send `{canonical}`")]
    LeadingZeros {
        /// The number as sent.
        value: String,
        /// The same number as it should be sent.
        canonical: String,
    },
    /// `5.0`: read as 50 when the point is overlooked.
    #[error("`{value}` has trailing zeros after the point; send `{canonical}`")]
    TrailingZeros {
        /// The number as sent.
        value: String,
        /// The same number as it should be sent.
        canonical: String,
    },
    /// Anything else that is not digits with at most one point.
    #[error("`{value}` is not a number; send digits with at most one point, such as `12.5`")]
    NotANumber {
        /// The number as sent.
        value: String,
    },
    /// More digits than any quantity holds.
    #[error("`{value}` has {digits} digits {place} the point; at most {max} are read")]
    TooManyDigits {
        /// The number as sent.
        value: String,
        /// `before` or `after`.
        place: &'static str,
        /// How many digits there are.
        digits: usize,
        /// How many are read.
        max: usize,
    },
    /// A unit of the wrong kind, such as mg where mg/kg is meant.
    #[error(
        "{found} is {}, but {} is needed here; send it in one of: {}",
        .found.unit().dimension().name(), .expected.name(), .expected.codes()
    )]
    WrongKind {
        /// What was sent.
        found: Quantity,
        /// What is needed.
        expected: Dimension,
    },
    /// A mass in a unit that no body weight is written in.
    #[error("{found} is not a body weight; send it in kg or g")]
    NotABodyWeight {
        /// What was sent.
        found: Quantity,
    },
    /// More digits than this quantity can hold.
    #[error(
        "{found} has more digits than {} can hold; the smallest step is {}", .held.what, .held.step
    )]
    TooFine {
        /// What was sent.
        found: Quantity,
        /// What can be held.
        held: Box<Held>,
    },
    /// Outside the bounds of this quantity.
    #[error(
        "{found} is out of range: {} is from {} to {}; check the number and its unit",
        .held.what, .held.low, .held.high
    )]
    OutOfBounds {
        /// What was sent.
        found: Quantity,
        /// What can be held.
        held: Box<Held>,
    },
    /// Two amounts that cannot be added or compared, such as a volume and a number of devices.
    #[error("{left} and {right} are of different kinds; give both in the same kind of unit")]
    KindsDiffer {
        /// The one amount.
        left: Amount,
        /// The other.
        right: Amount,
    },
    /// More was taken than is there.
    #[error("{taken} cannot be taken from {there}")]
    MoreThanThere {
        /// What is there.
        there: Amount,
        /// What should be taken.
        taken: Amount,
    },
    /// Not a strength as on a label.
    #[error(
        "`{text}` is not a strength; send a mass per volume or per piece as on the label, such as \
         `500 mg/10 mL`, `10 mg/mL` or `28 mg/{{device}}`"
    )]
    NotAStrength {
        /// What was sent.
        text: String,
    },
    /// The arithmetic left its range.
    #[error(transparent)]
    Arithmetic(#[from] OutOfRange),
}

impl QuantityError {
    /// A stable name for programs, in capitals and underscores.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Pounds { .. } => "POUNDS",
            Self::MissingUnit { .. } => "MISSING_UNIT",
            Self::UnknownUnit { .. } => "UNKNOWN_UNIT",
            Self::MissingNumber => "MISSING_NUMBER",
            Self::Exponent { .. } => "EXPONENT",
            Self::Comma { .. } => "COMMA",
            Self::Sign { .. } => "SIGN",
            Self::NakedDecimal { .. } => "NAKED_DECIMAL",
            Self::TrailingPoint { .. } => "TRAILING_POINT",
            Self::LeadingZeros { .. } => "LEADING_ZEROS",
            Self::TrailingZeros { .. } => "TRAILING_ZEROS",
            Self::NotANumber { .. } => "NOT_A_NUMBER",
            Self::TooManyDigits { .. } => "TOO_MANY_DIGITS",
            Self::WrongKind { .. } => "WRONG_KIND_OF_UNIT",
            Self::NotABodyWeight { .. } => "NOT_A_BODY_WEIGHT",
            Self::TooFine { .. } => "TOO_FINE",
            Self::OutOfBounds { .. } => "OUT_OF_BOUNDS",
            Self::KindsDiffer { .. } => "KINDS_DIFFER",
            Self::MoreThanThere { .. } => "MORE_THAN_THERE",
            Self::NotAStrength { .. } => "NOT_A_STRENGTH",
            Self::Arithmetic(OutOfRange) => "ARITHMETIC_OUT_OF_RANGE",
        }
    }
}

/// What to send instead of the commonest wrong units; else the whole list.
fn unit_advice(unit: &str) -> String {
    match unit {
        "cc" | "ml" | "ML" | "Ml" => "send mL".to_owned(),
        "µg" | "μg" | "mcg" | "MCG" => "send ug".to_owned(),
        "Kg" | "KG" | "kgs" | "kilo" => "send kg".to_owned(),
        "MG" | "Mg" | "mgs" => "send mg".to_owned(),
        "hr" | "hrs" | "hour" | "hours" => "send h".to_owned(),
        "mins" | "minute" | "minutes" => "send min".to_owned(),
        _ => format!("send one of: {}", all_codes()),
    }
}
