//! The steps of a vial's life that cannot be.

use super::Standing;
use crate::names::{DispensingName, VialName, WasteName};
use crate::units::{Amount, QuantityError};

/// Why a step is impossible. Each names the vial, how it stands, and the step that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VialError {
    /// It is not in stock.
    #[error(
        "{vial} is {standing}, not in stock; only a vial in stock can be dispensed or wasted from its place"
    )]
    NotInStock {
        /// The vial.
        vial: VialName,
        /// Where it stands.
        standing: Standing,
    },
    /// A part of a single-dose container.
    #[error("{vial} is single-dose: hand out the whole container, for one patient")]
    PartOfSingleDose {
        /// The vial.
        vial: VialName,
    },
    /// The whole container while parts of it are in hands.
    #[error(
        "parts of {vial} are in somebody's hands; hand out a measured part, or wait until they are settled"
    )]
    PartsInHands {
        /// The vial.
        vial: VialName,
    },
    /// More than there is.
    #[error(
        "{asked} cannot come out of {vial}: {there} is there; check the number and its unit, and record what was \
         really taken"
    )]
    OverDraw {
        /// The vial.
        vial: VialName,
        /// What is there.
        there: Amount,
        /// What was asked for.
        asked: Amount,
    },
    /// Nothing.
    #[error("nothing was taken from {vial}; record an amount above zero")]
    Nothing {
        /// The vial.
        vial: VialName,
    },
    /// An amount of another kind.
    #[error("{vial}: {error}")]
    Amount {
        /// The vial.
        vial: VialName,
        /// What is wrong with the amount.
        error: QuantityError,
    },
    /// The dispensing is settled or was never made.
    #[error("nothing of {dispensing} is in anybody's hands any more")]
    NotInHands {
        /// The dispensing.
        dispensing: DispensingName,
    },
    /// The container was opened.
    #[error(
        "{vial} was opened or only a part of it was handed out; what is left must be wasted before a witness"
    )]
    NotIntact {
        /// The vial.
        vial: VialName,
    },
    /// A sealed container at its place is not waste.
    #[error(
        "{vial} is sealed; a sealed container is destroyed by two employees with Form 41, it is not wasted"
    )]
    SealedStock {
        /// The vial.
        vial: VialName,
    },
    /// The waste has its witness.
    #[error("{waste} waits for no witness")]
    NotUnwitnessed {
        /// The waste.
        waste: WasteName,
    },
}

impl std::fmt::Display for Standing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::InStock => "in stock",
            Self::Quarantined => "quarantined",
            Self::Dispensed => "in somebody's hands",
            Self::AwaitingWitness => "empty and waiting for a witness",
            Self::Closed => "closed",
        })
    }
}
