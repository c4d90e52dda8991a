//! What left the container: portions in hands, wastes without a witness.

use serde::{Deserialize, Serialize};

use crate::names::{CalculationName, DispensingName, PatientName, PersonName};
use crate::time::Timestamp;
use crate::units::Amount;

/// A container, or a measured part of one, in the hands of a holder for one patient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Portion {
    /// Who holds it.
    pub holder: PersonName,
    /// Who it is for.
    pub patient: PatientName,
    /// The calculation it serves; none in an emergency.
    pub calculation: Option<CalculationName>,
    /// How much was handed out.
    pub amount: Amount,
    /// How much is neither administered nor wasted.
    pub remaining: Amount,
    /// Whether the whole container was handed out.
    pub whole: bool,
    /// When it was handed out.
    pub dispensed: Timestamp,
}

/// A waste that waits for its witness.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waste {
    /// How much.
    pub amount: Amount,
    /// Who wasted it.
    pub by: PersonName,
    /// When it happened.
    pub occurred: Timestamp,
    /// When the witness must have signed by the site's policy.
    pub due: Timestamp,
    /// The dispensing that it came from; none for stock.
    pub dispensing: Option<DispensingName>,
}
