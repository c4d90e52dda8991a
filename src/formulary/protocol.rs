//! Protocols: what may be given to whom, how much, how fast and on which weight.

mod read;

use super::question::Question;
use super::slug::{DrugId, ProtocolId};
use super::word::words;
use crate::units::{Dimension, Mass, Quantity, QuantityError, Span, Strength, Unit};
use std::sync::Arc;

pub(super) use read::{Shelf, read_limit, read_protocol};

words! {
    /// How a dose enters the patient.
    Route "a route" {
        /// Into a vein by pump, over the protocol's infusion time.
        IvInfusion = "iv_infusion",
        /// Into a vein by hand, slowly.
        IvSlow = "iv_slow",
        /// Into a vein at once.
        IvBolus = "iv_bolus",
        /// Into a vein in increments, each after its effect is seen.
        IvTitrate = "iv_titrate",
        /// Into a muscle.
        Im = "im",
        /// Into the nose from the maker's device.
        IntranasalDevice = "intranasal_device",
        /// By mouth.
        Oral = "oral",
    }
}

impl Route {
    /// Whether the dose goes into a vein, where strength and speed can kill.
    #[must_use]
    pub const fn is_intravenous(self) -> bool {
        matches!(self, Self::IvInfusion | Self::IvSlow | Self::IvBolus | Self::IvTitrate)
    }
}

words! {
    /// What a protocol's dose is counted in. No kind is ever converted into another silently.
    DoseKind "a kind of dose" {
        /// Mass per body weight: mg/kg.
        PerKg = "per_kg",
        /// Mass per body weight and time: mg/kg/h, ug/kg/min.
        PerKgPerTime = "per_kg_per_time",
        /// Mass, whatever the weight: mg.
        Absolute = "absolute",
        /// Mass per time, whatever the weight: mg/min.
        AbsolutePerTime = "absolute_per_time",
        /// A whole number of devices.
        Devices = "devices",
    }
}

impl DoseKind {
    /// The kind that a quantity is written in; none for what is not a dose.
    #[must_use]
    pub fn of(dose: Quantity) -> Option<Self> {
        match dose.unit().dimension() {
            Dimension::MassPerWeight => Some(Self::PerKg),
            Dimension::MassPerWeightPerTime => Some(Self::PerKgPerTime),
            Dimension::Mass => Some(Self::Absolute),
            Dimension::MassPerTime => Some(Self::AbsolutePerTime),
            Dimension::Count(_) => Some(Self::Devices),
            _ => None,
        }
    }

    /// Itself, if `dose` is written in this kind: stops mg where mg/kg is meant.
    pub fn check(self, dose: Quantity) -> Result<Self, QuantityError> {
        if Self::of(dose) == Some(self) {
            Ok(self)
        } else {
            Err(QuantityError::WrongKind { found: dose, expected: self.dimension() })
        }
    }

    /// The dimension in which a dose of this kind is written.
    #[must_use]
    pub const fn dimension(self) -> Dimension {
        match self {
            Self::PerKg => Dimension::MassPerWeight,
            Self::PerKgPerTime => Dimension::MassPerWeightPerTime,
            Self::Absolute => Dimension::Mass,
            Self::AbsolutePerTime => Dimension::MassPerTime,
            Self::Devices => Dimension::Count(crate::units::CountUnit::Device),
        }
    }

    /// Whether a body weight takes part.
    #[must_use]
    pub const fn needs_weight(self) -> bool {
        matches!(self, Self::PerKg | Self::PerKgPerTime)
    }

    /// Whether the dose is a rate, so that it has no total without a time.
    #[must_use]
    pub const fn is_rate(self) -> bool {
        matches!(self, Self::PerKgPerTime | Self::AbsolutePerTime)
    }
}

words! {
    /// Which body weight the dose is counted by.
    WeightScalar "a weight scalar" {
        /// The weight as measured.
        Actual = "actual",
        /// Ideal body weight after Devine.
        Ideal = "ideal",
        /// Ideal weight and 0.4 of the excess over it.
        Adjusted = "adjusted",
        /// Lean body weight after Janmahasatian.
        Lean = "lean",
    }
}

impl WeightScalar {
    /// Whether Devine's formula takes part, which is not defined below 60 inches of height.
    #[must_use]
    pub const fn uses_devine(self) -> bool {
        matches!(self, Self::Ideal | Self::Adjusted)
    }
}

words! {
    /// What Devine's formula does below 60 inches (152.4 cm), where published conventions differ.
    BelowSixtyInches "a convention below 60 inches" {
        /// No ideal weight is given.
        Refuse = "refuse",
        /// The formula goes on, 2.3 kg less for every inch.
        Continue = "continue",
        /// The weight at 60 inches is used.
        Clamp = "clamp",
    }
}

words! {
    /// How a weight was come by.
    WeightMethod "a way to know a weight" {
        /// On a scale.
        Measured = "measured",
        /// Told by the patient.
        Stated = "stated",
        /// Judged by eye.
        Estimated = "estimated",
    }
}

/// A protocol as a pharmacist approves it. Every number in it has a source or says that it is site
/// policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// Its id.
    pub id: ProtocolId,
    /// Its name as it is printed.
    pub title: String,
    /// The substance.
    pub drug: DrugId,
    /// The substance's name as it is printed.
    pub drug_name: String,
    /// What it is given for, and whether that is off the label.
    pub indication: String,
    /// How it is given.
    pub route: Route,
    /// The dose and its limits.
    pub dose: DoseLimits,
    /// Which weight counts; `None` exactly where the kind of dose needs none.
    pub weight: Option<WeightRule>,
    /// How long an infusion or injection takes, where that is prescribed.
    pub infusion: Option<InfusionRule>,
    /// What may enter a vein undiluted, where that is limited.
    pub dilution: Option<DilutionRule>,
    /// How devices follow each other, where that is prescribed; only by route `intranasal_device`.
    pub devices: Option<DeviceRule>,
    /// The age in whole years that a patient has completed at the dose, at least 18.
    pub minimum_age_years: u16,
    /// The age in whole years from which the protocol is for nobody any more.
    pub below_age_years: Option<u16>,
    /// The questions to answer before a dose is calculated, in the order to ask them.
    pub questions: Vec<Arc<Question>>,
    /// How long a calculation counts and whether a second person checks it.
    pub policy: PolicyRule,
    /// What else the reader should know: increments, pauses, totals.
    pub note: Option<String>,
    /// Where the published numbers come from.
    pub source: String,
}

/// The limits of a dose, all in one unit of the kind's dimension, none negative:
/// `0 < soft_low <= default <= soft_high <= hard_high`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoseLimits {
    /// What the dose is counted in.
    pub kind: DoseKind,
    /// The unit of every limit here.
    pub unit: Unit,
    /// The dose that is calculated if none is asked for; without it one must be asked for.
    pub default: Option<Quantity>,
    /// Below this a dose needs a reason.
    pub soft_low: Quantity,
    /// Above this a dose needs a reason.
    pub soft_high: Quantity,
    /// Above this no dose is given, whatever the reason.
    pub hard_high: Quantity,
    /// The most of the drug in one dose, whatever the weight; never for a rate.
    pub hard_mass: Option<Mass>,
    /// Who set the hard limits.
    pub hard_source: String,
}

/// Which weight a dose is counted by, and when that weight may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightRule {
    /// Which body weight.
    pub scalar: WeightScalar,
    /// What Devine's formula does for short patients; `Refuse` where it takes no part.
    pub below_60_inches: BelowSixtyInches,
    /// The ways to know the weight that are allowed, at least one.
    pub methods: Vec<WeightMethod>,
    /// The oldest weight that may be used.
    pub max_age: Span,
    /// Who says so.
    pub source: String,
}

impl WeightRule {
    /// Whether a weight come by in this way may be used.
    #[must_use]
    pub fn allows(&self, method: WeightMethod) -> bool {
        self.methods.contains(&method)
    }
}

/// How long an infusion or slow injection takes: `shortest <= default <= longest`, none zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InfusionRule {
    /// The time that is taken if none is asked for.
    pub default: Option<Span>,
    /// No faster than this.
    pub shortest: Span,
    /// No slower than this, where that is limited.
    pub longest: Option<Span>,
    /// Who says so.
    pub source: String,
}

/// What may enter a vein, and in what it is diluted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DilutionRule {
    /// Whether every product is diluted, however weak.
    pub required: bool,
    /// The strongest liquid that may be given; a stronger product is diluted to this at least.
    pub strongest_given: Strength,
    /// In what it is diluted.
    pub diluent: String,
    /// Who says so.
    pub source: String,
}

impl DilutionRule {
    /// Whether a product of this strength may be given as it is.
    pub fn allows_undiluted(&self, strength: Strength) -> Result<bool, crate::units::OutOfRange> {
        Ok(!self.required && strength.concentration()? <= self.strongest_given.concentration()?)
    }
}

/// How the devices of one dose follow each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceRule {
    /// The least time from one device to the next, 1 to 120 minutes.
    pub gap: Span,
    /// Who says so.
    pub source: String,
}

/// What the site decides for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRule {
    /// How long a calculation may be dispensed against.
    pub calculation_valid: Span,
    /// Whether a second person must calculate anew before the dose is dispensed.
    pub double_check: bool,
    /// Who decided.
    pub source: String,
}
