//! What the calculation is given.

use serde::{Deserialize, Serialize};

use super::body::Sex;
use super::limit::Limits;
use super::syringe::Syringe;
use crate::formulary::BelowSixtyInches;
use crate::formulary::DoseKind;
use crate::formulary::WeightScalar;
use crate::units::{Amount, Height, Quantity, Span, Strength, Volume, Weight};

/// How fast a prepared dose is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Pace {
    /// All of it in this time.
    Over(Span),
    /// At this pump rate (a volume per time); not for a dose that is itself a rate.
    At(Quantity),
}

/// Everything that goes into one calculation. What is not given is not assumed: a result that needs
/// it is left out, or refused where the dose would be unsafe without it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoseInput {
    /// The drug's name, for the sentence that is read back.
    pub drug: String,
    /// How the dose must be written.
    pub kind: DoseKind,
    /// The dose that is asked for, of that kind.
    pub dose: Quantity,
    /// The actual body weight; needed for doses per kg.
    pub weight: Option<Weight>,
    /// The height; needed for all weight scalars but the actual weight.
    pub height: Option<Height>,
    /// The sex; needed for all weight scalars but the actual weight.
    pub sex: Option<Sex>,
    /// Which weight to dose by.
    pub scalar: WeightScalar,
    /// The convention for heights below 60 inches, if the protocol names one.
    pub below_sixty_inches: BelowSixtyInches,
    /// The limits.
    pub limits: Limits,
    /// The strength on the label; without it no volume is given.
    pub strength: Option<Strength>,
    /// What one container of the product holds.
    pub container: Option<Amount>,
    /// Container sizes of the same strength that are in stock, to choose from.
    pub stock: Vec<Amount>,
    /// The syringe that the dose is drawn with.
    pub syringe: Option<Syringe>,
    /// The total volume, drug and diluent together, that the dose is made up to.
    pub diluted_to: Option<Volume>,
    /// How fast it is given.
    pub pace: Option<Pace>,
    /// The highest concentration that may be given by this route, if there is one. For ketamine
    /// 100 mg/mL intravenously, the label asks for an equal volume of diluent: 50 mg/mL.
    pub max_concentration: Option<Quantity>,
}

impl DoseInput {
    /// A dose of one kind by actual weight, with nothing else given.
    #[must_use]
    pub fn new(drug: impl Into<String>, kind: DoseKind, dose: Quantity) -> Self {
        Self {
            drug: drug.into(),
            kind,
            dose,
            weight: None,
            height: None,
            sex: None,
            scalar: WeightScalar::Actual,
            below_sixty_inches: BelowSixtyInches::Refuse,
            limits: Limits::default(),
            strength: None,
            container: None,
            stock: Vec::new(),
            syringe: None,
            diluted_to: None,
            pace: None,
            max_concentration: None,
        }
    }
}
