//! The two gates of a session: before a dose, and before the door.

use crate::formulary::{Criterion, CriterionWhen, MeasureId, Monitoring, QuestionWeight};
use crate::time::Timestamp;

use super::schedule::micros;
use super::session::Session;

/// A criterion that a reading meets.
#[derive(Clone, Copy, Debug)]
pub struct Met<'a> {
    /// The criterion.
    pub criterion: &'a Criterion,
    /// The value that was read.
    pub value: i32,
}

impl std::fmt::Display for Met<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Criterion { measure, bound, action, .. } = self.criterion;
        write!(f, "{} {} {} is {bound}: {action}", measure.name, self.value, measure.unit)
    }
}

/// What the readings say about giving a dose.
#[derive(Clone, Debug, Default)]
pub struct BeforeDose<'a> {
    /// What was not read, or too long ago.
    pub missing: Vec<MeasureId>,
    /// Criteria that no reason overrides.
    pub stopping: Vec<Met<'a>>,
    /// Criteria that need a reason.
    pub asking: Vec<Met<'a>>,
}

/// What the newest readings say about giving a first dose now.
#[must_use]
pub fn before_dose<'a>(
    session: &Session,
    monitoring: &'a Monitoring,
    now: Timestamp,
) -> BeforeDose<'a> {
    let since = now.checked_add_micros(-micros(monitoring.before_valid)).unwrap_or(Timestamp::MIN);
    let newest = |measure: &MeasureId| session.newest(measure, since).map(|(_, value)| value);
    let missing =
        monitoring.before.iter().filter(|measure| newest(measure).is_none()).cloned().collect();
    let mut found = BeforeDose { missing, ..BeforeDose::default() };
    for criterion in monitoring.criteria.iter().filter(|it| it.when == CriterionWhen::Before) {
        let Some(value) = newest(&criterion.measure.id).filter(|value| criterion.is_met(*value))
        else {
            continue;
        };
        match criterion.weight {
            Some(QuestionWeight::Hard) => found.stopping.push(Met { criterion, value }),
            _ => found.asking.push(Met { criterion, value }),
        }
    }
    found
}

/// What is said and handed over at the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Papers {
    /// A responsible adult takes the patient home.
    pub escort: bool,
    /// The patient acknowledged not to drive.
    pub no_driving: bool,
    /// The patient has the leaflet.
    pub leaflet: bool,
}

impl Papers {
    /// Everything in order.
    pub const COMPLETE: Self = Self { escort: true, no_driving: true, leaflet: true };
}

/// Everything that keeps the patient from going home now, in words; nothing when the patient may go.
///
/// The session must have a first dose: without one nothing is waited for.
#[must_use]
pub fn keeps_from_discharge(
    session: &Session,
    monitoring: &Monitoring,
    papers: Papers,
    now: Timestamp,
) -> Vec<String> {
    let rule = &monitoring.discharge;
    let mut unmet = Vec::new();
    if let Some(first) = session.first_dose {
        let wait = micros(rule.minimum);
        if now.micros_since(first) < wait {
            let minutes = session.minutes_since_first_dose(now).unwrap_or_default();
            unmet.push(format!(
                "only {minutes} min since the first dose, {} are needed: not before {}",
                rule.minimum,
                first.checked_add_micros(wait).unwrap_or(Timestamp::MAX)
            ));
        }
    }
    // Readings count that are fresh and of after the dose.
    let fresh = now.checked_add_micros(-micros(rule.observed_within)).unwrap_or(Timestamp::MIN);
    let since = session.first_dose.map_or(fresh, |first| first.max(fresh));
    for measure in &rule.measures {
        if session.newest(measure, since).is_none() {
            unmet.push(format!("{measure} was not read in the last {}", rule.observed_within));
        }
    }
    for criterion in monitoring.criteria.iter().filter(|it| it.when == CriterionWhen::Discharge) {
        if let Some((_, value)) = session.newest(&criterion.measure.id, since)
            && criterion.is_met(value)
        {
            unmet.push(Met { criterion, value }.to_string());
        }
    }
    for alert in &session.alerts {
        unmet.push(format!("no prescriber has acknowledged {} ({})", alert.name, alert.criterion));
    }
    if rule.escort && !papers.escort {
        unmet.push("no responsible adult is here to take the patient home".to_owned());
    }
    if rule.no_driving && !papers.no_driving {
        unmet.push("the patient has not acknowledged not to drive until the next day".to_owned());
    }
    if !papers.leaflet {
        unmet.push("the patient was not given the leaflet".to_owned());
    }
    unmet
}
