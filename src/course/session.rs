//! A session that is open: what was read, given and raised in it so far.

use serde::{Deserialize, Serialize};

use crate::formulary::{
    Criterion, CriterionId, CriterionWhen, MeasureId, Monitoring, PhaseId, PlanId,
};
use crate::names::{
    AlertName, CalculationName, CourseName, PatientName, PersonName, ProtocolName, SessionName,
};
use crate::time::Timestamp;
use crate::units::{Mass, Quantity};

/// A session, from its start until the patient goes home or it is called off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its name.
    pub name: SessionName,
    /// The course.
    pub course: CourseName,
    /// The patient.
    pub patient: PatientName,
    /// The course's plan.
    pub plan: PlanId,
    /// The phase of the plan.
    pub phase: PhaseId,
    /// The phase's protocol.
    pub protocol: ProtocolName,
    /// Its number within the course, from 1.
    pub number: u32,
    /// When it began.
    pub started: Timestamp,
    /// Who began it.
    pub started_by: PersonName,
    /// The entry whose formulary gives it its rules, from start to end.
    pub formulary: u64,
    /// The patient's age in completed years.
    pub age_years: u32,
    /// What was observed, in the order in which it was recorded.
    pub observations: Vec<Observed>,
    /// Stop criteria that were met and that no prescriber has acknowledged.
    pub alerts: Vec<OpenAlert>,
    /// The calculation that counts.
    pub calculation: Option<CalculationName>,
    /// The dose as ordered in it.
    pub ordered: Option<Quantity>,
    /// How often the course's dose was raised, with it.
    pub rises: u32,
    /// When the first dose that is recorded began.
    pub first_dose: Option<Timestamp>,
    /// When the newest dose ended.
    pub last_dose_end: Option<Timestamp>,
    /// Mass of the drug that was given.
    pub given: Mass,
}

/// An observation: what was read at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// When.
    pub at: Timestamp,
    /// Each measure's value, once.
    pub values: Vec<(MeasureId, i32)>,
}

/// A stop criterion that was met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenAlert {
    /// Its name.
    pub name: AlertName,
    /// The criterion.
    pub criterion: CriterionId,
    /// What was read.
    pub measure: MeasureId,
    /// The value.
    pub value: i32,
    /// Its unit.
    pub unit: String,
    /// When it was read.
    pub observed: Timestamp,
    /// The limit in words, such as "above 180".
    pub limit: String,
    /// What to do.
    pub action: String,
}

impl Observed {
    /// The value of a measure, where it was read.
    #[must_use]
    pub fn value(&self, measure: &MeasureId) -> Option<i32> {
        self.values.iter().find(|(id, _)| id == measure).map(|(_, value)| *value)
    }
}

impl Session {
    /// The newest reading of a measure, made at `since` or later.
    #[must_use]
    pub fn newest(&self, measure: &MeasureId, since: Timestamp) -> Option<(Timestamp, i32)> {
        self.observations
            .iter()
            .filter(|observed| observed.at >= since)
            .filter_map(|observed| Some((observed.at, observed.value(measure)?)))
            // Of two at one moment the one that was recorded later counts.
            .max_by_key(|(at, _)| *at)
    }

    /// From when on the patient is watched as one who has the drug: since the first dose, or, while none is recorded,
    /// since one is in somebody's hands. An infusion is recorded when it has ended, and it is while it runs that the
    /// patient must be watched.
    #[must_use]
    pub fn watched_since(&self, in_hands_since: Option<Timestamp>) -> Option<Timestamp> {
        self.first_dose.or(in_hands_since)
    }

    /// The stop criteria that an observation meets, in the formulary's order. They count from `since` on.
    pub fn stops<'a>(
        &'a self,
        monitoring: &'a Monitoring,
        observed: &'a Observed,
        since: Option<Timestamp>,
    ) -> impl Iterator<Item = (&'a Criterion, i32)> {
        let counts = since.is_some_and(|since| observed.at >= since);
        monitoring
            .criteria
            .iter()
            .filter(move |criterion| counts && criterion.when == CriterionWhen::During)
            .filter_map(|criterion| Some((criterion, observed.value(&criterion.measure.id)?)))
            .filter(|(criterion, value)| criterion.is_met(*value))
    }

    /// Whole minutes from the first dose to a moment; nothing before a dose.
    #[must_use]
    pub fn minutes_since_first_dose(&self, now: Timestamp) -> Option<i64> {
        self.first_dose.map(|first| now.micros_since(first).max(0) / super::schedule::MINUTE)
    }
}
