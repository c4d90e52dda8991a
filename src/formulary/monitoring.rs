//! What is observed around a dose, and what follows from the readings.

mod read;

use super::measure::Measure;
use super::question::QuestionWeight;
use super::slug::{CriterionId, MeasureId, MonitoringId};
use super::word::words;
use crate::units::Span;
use std::fmt;
use std::sync::Arc;

pub(super) use read::read_monitoring;

/// How a patient is watched before, during and after a dose, until discharge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Monitoring {
    /// Its id, by which plans name it.
    pub id: MonitoringId,
    /// Its name as it is printed.
    pub title: String,
    /// What must be measured before a dose, at least one.
    pub before: Vec<MeasureId>,
    /// How long a reading before the dose counts, 1 to 1,440 minutes.
    pub before_valid: Span,
    /// How long after it was due an observation that was not made is overdue, 1 to 120 minutes.
    pub late_after: Span,
    /// What is observed once the first administration has begun, in the order of time, one element
    /// for each time; at least one.
    pub due: Vec<DueObservation>,
    /// Readings that stop, delay or need an act, in the order of the text; ids are unique here.
    pub criteria: Vec<Criterion>,
    /// When the patient may leave.
    pub discharge: DischargeRule,
    /// What the patient is told.
    pub leaflet: Leaflet,
    /// Who says so.
    pub source: String,
}

/// One time of the schedule of observations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueObservation {
    /// The time since the first administration began, 1 to 1,440 minutes.
    pub after: Span,
    /// What is measured then, at least one.
    pub measures: Vec<MeasureId>,
}

words! {
    /// When a criterion is looked at.
    CriterionWhen "a time of a criterion" {
        /// Before a dose: met, it stops or needs a reason.
        Before = "before",
        /// From the first dose on, from the moment it is handed out: met, its action is due.
        During = "during",
        /// Before the patient leaves: met, the patient stays.
        Discharge = "discharge",
    }
}

/// A bound that a reading passes, in the unit of its measure. A reading equal to it does not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Readings that are more than this; not below the measure's lowest, below its highest.
    Above(i32),
    /// Readings that are less than this; above the measure's lowest, not above its highest.
    Below(i32),
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Above(value) => write!(f, "above {value}"),
            Self::Below(value) => write!(f, "below {value}"),
        }
    }
}

/// A reading from which something follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Criterion {
    /// Its id, unique within its monitoring.
    pub id: CriterionId,
    /// When it is looked at.
    pub when: CriterionWhen,
    /// What is read.
    pub measure: Arc<Measure>,
    /// Which readings meet it.
    pub bound: Bound,
    /// Whether a reason can override it; there for `Before`, and only there.
    pub weight: Option<QuestionWeight>,
    /// What to do when it is met, in words that are understood at three in the morning.
    pub action: String,
    /// Who says so.
    pub source: String,
}

impl Criterion {
    /// Whether a reading, in the unit of the measure, meets it.
    #[must_use]
    pub const fn is_met(&self, value: i32) -> bool {
        match self.bound {
            Bound::Above(bound) => value > bound,
            Bound::Below(bound) => value < bound,
        }
    }
}

/// When a patient may leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DischargeRule {
    /// Not sooner than this after the first administration began, 0 to 1,440 minutes.
    pub minimum: Span,
    /// The oldest readings that count, 1 to 240 minutes.
    pub observed_within: Span,
    /// What must be measured before the patient leaves, at least one; the measure of every criterion
    /// for discharge is among them.
    pub measures: Vec<MeasureId>,
    /// Whether a responsible adult must take the patient home.
    pub escort: bool,
    /// Whether the patient must acknowledge not to drive.
    pub no_driving: bool,
    /// Who says so.
    pub source: String,
}

/// What a patient is told, as short lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaflet {
    /// What to do, 1 to 20 lines.
    pub advised: Vec<String>,
    /// What not to do, 1 to 20 lines.
    pub avoided: Vec<String>,
    /// Who says so.
    pub source: String,
}
