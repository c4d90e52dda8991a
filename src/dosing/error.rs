//! Every way in which the calculation refuses to give a number.

use super::limit::Crossing;
use super::syringe::Syringe;
use crate::units::{Amount, OutOfRange, Quantity, QuantityError, Strength};

/// Why no dose was calculated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DosingError {
    /// A quantity was refused.
    #[error(transparent)]
    Quantity(#[from] QuantityError),
    /// A dose, rate, weight or time of nothing.
    #[error("{what} is zero; send what is to be given")]
    Zero {
        /// What is zero.
        what: &'static str,
    },
    /// The calculation needs something that was not given.
    #[error("{what} is needed {because}; nothing is assumed in its place")]
    Missing {
        /// What is missing, with its article.
        what: &'static str,
        /// What needs it.
        because: &'static str,
    },
    /// Below 60 inches the published conventions differ.
    #[error(
        "{height} is below 60 inches (152.4 cm), where {formula} is not defined and published \
         conventions differ; name one: continue (follow the line down) or clamp (stay at the value \
         for 60 inches)"
    )]
    BelowSixtyInches {
        /// The height.
        height: Quantity,
        /// The formula.
        formula: &'static str,
    },
    /// A formula that gave no possible weight.
    #[error("{formula} gives {weight} here, which no body weighs; it does not fit this body")]
    ImpossibleWeight {
        /// The formula.
        formula: &'static str,
        /// What it gave.
        weight: Quantity,
    },
    /// Above a hard limit. The dose is refused, not lowered: a smaller dose is a new decision.
    #[error(
        "{} is above the hard limit of {}; it is refused, not lowered, and cannot be overridden",
        .0.found, .0.limit
    )]
    OverHardLimit(Crossing),
    /// A pump rate given for a dose that is itself a rate.
    #[error("{dose} already says how fast; leave out the pump rate, which is then calculated")]
    RateTwice {
        /// The dose.
        dose: Quantity,
    },
    /// A dose that is not a whole number of devices.
    #[error("the dose is {exact} of {strength}; only whole ones can be given")]
    NotWhole {
        /// The exact number.
        exact: Quantity,
        /// The strength.
        strength: Strength,
    },
    /// Too concentrated to be given as it is.
    #[error(
        "{found} is too concentrated to be given undiluted: at most {max}; dilute it to a larger \
         total volume"
    )]
    TooConcentrated {
        /// The concentration that would be given.
        found: Quantity,
        /// The most that may be given.
        max: Quantity,
    },
    /// Less room than the drug itself takes up.
    #[error("the drug alone is {drug}; it cannot be made up to {total}")]
    DilutionTooSmall {
        /// The volume of the drug.
        drug: Quantity,
        /// The total volume asked for.
        total: Quantity,
    },
    /// More than the syringe holds.
    #[error("{volume} does not fit into a {syringe} syringe; name a larger one")]
    SyringeTooSmall {
        /// The volume.
        volume: Quantity,
        /// The syringe.
        syringe: Syringe,
    },
    /// Less than the syringe can measure.
    #[error(
        "{volume} cannot be measured with a {syringe} syringe, whose graduations are {}; name a \
         smaller one or dilute the drug", .syringe.graduation()
    )]
    NotMeasurable {
        /// The volume.
        volume: Quantity,
        /// The syringe.
        syringe: Syringe,
    },
    /// Not a syringe whose graduations we know.
    #[error("`{text}` is not a syringe we know; send one of: {}", Syringe::names())]
    UnknownSyringe {
        /// What was sent.
        text: String,
    },
    /// Slower than a pump can be set.
    #[error("{rate} is slower than a pump can be set (steps of {step}); dilute the drug further")]
    TooSlow {
        /// The exact rate.
        rate: Quantity,
        /// The smallest step.
        step: Quantity,
    },
    /// More containers than anyone would open for one dose.
    #[error(
        "{needed} would take more than {max} containers; check the dose, the strength and the sizes"
    )]
    TooManyContainers {
        /// The amount needed.
        needed: Amount,
        /// The most containers that are planned.
        max: u32,
    },
}

impl From<OutOfRange> for DosingError {
    fn from(error: OutOfRange) -> Self {
        Self::Quantity(error.into())
    }
}

impl DosingError {
    /// A stable name for programs, in capitals and underscores.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Quantity(error) => error.reason(),
            Self::Zero { .. } => "ZERO",
            Self::Missing { .. } => "MISSING_INPUT",
            Self::BelowSixtyInches { .. } => "BELOW_SIXTY_INCHES",
            Self::ImpossibleWeight { .. } => "IMPOSSIBLE_WEIGHT",
            Self::OverHardLimit(_) => "OVER_HARD_LIMIT",
            Self::RateTwice { .. } => "RATE_TWICE",
            Self::NotWhole { .. } => "NOT_WHOLE",
            Self::TooConcentrated { .. } => "TOO_CONCENTRATED",
            Self::DilutionTooSmall { .. } => "DILUTION_TOO_SMALL",
            Self::SyringeTooSmall { .. } => "SYRINGE_TOO_SMALL",
            Self::NotMeasurable { .. } => "NOT_MEASURABLE",
            Self::UnknownSyringe { .. } => "UNKNOWN_SYRINGE",
            Self::TooSlow { .. } => "TOO_SLOW",
            Self::TooManyContainers { .. } => "TOO_MANY_CONTAINERS",
        }
    }
}
