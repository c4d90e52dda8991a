//! The schedule of observations: what is due, what is overdue, and what came late.

use crate::formulary::{DueObservation, MeasureId, Monitoring};
use crate::time::Timestamp;
use crate::units::Span;

use super::gate::before_dose;
use super::session::{Observed, Session};

/// Microseconds in a minute.
pub(super) const MINUTE: i64 = 60_000_000;

/// Where an observation of the schedule stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DueState {
    /// Its time has not come.
    Upcoming,
    /// It is to be made now.
    Due,
    /// It should have been made.
    Overdue,
    /// It was made.
    Done,
    /// It was not made, and the next one's time has come.
    Missed,
}

/// One thing that the schedule asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// When; nothing for what is needed before the dose.
    pub at: Option<Timestamp>,
    /// What is still wanted, or all of it where nothing is.
    pub measures: Vec<MeasureId>,
    /// Where it stands.
    pub state: DueState,
}

/// The whole schedule of a session as it stands at a moment: before the dose what it needs, then each observation.
///
/// Observations are due so many minutes after the first dose began; while that is not recorded and a dose is in
/// somebody's hands, after it was handed out.
#[must_use]
pub fn schedule(
    session: &Session,
    in_hands_since: Option<Timestamp>,
    monitoring: &Monitoring,
    now: Timestamp,
) -> Vec<Due> {
    let Some(first) = session.watched_since(in_hands_since) else {
        let missing = before_dose(session, monitoring, now).missing;
        let state = if missing.is_empty() { DueState::Done } else { DueState::Due };
        let measures = if missing.is_empty() { monitoring.before.clone() } else { missing };
        return vec![Due { at: None, measures, state }];
    };
    let slots = slots(monitoring, first);
    let late = micros(monitoring.late_after);
    slots
        .iter()
        .enumerate()
        .map(|(place, (at, due))| {
            let wanted: Vec<MeasureId> = due
                .measures
                .iter()
                .filter(|measure| {
                    let between = covered(&slots, place, measure, late);
                    !session.observations.iter().any(|made| reads(made, measure, between))
                })
                .cloned()
                .collect();
            let state = standing(&slots, place, &wanted, late, now);
            let measures = if wanted.is_empty() { due.measures.clone() } else { wanted };
            Due { at: Some(*at), measures, state }
        })
        .collect()
}

/// The observations of the schedule that this one makes, and that should have been made before: when they were due.
#[must_use]
pub fn late(session: &Session, monitoring: &Monitoring, observed: &Observed) -> Vec<Timestamp> {
    let Some(first) = session.first_dose else { return Vec::new() };
    let slots = slots(monitoring, first);
    let late = micros(monitoring.late_after);
    (0..)
        .zip(&slots)
        .filter(|(place, (at, due))| {
            observed.at > shifted(*at, late)
                && due.measures.iter().any(|measure| {
                    let between = covered(&slots, *place, measure, late);
                    reads(observed, measure, between)
                        && !session.observations.iter().any(|made| reads(made, measure, between))
                })
        })
        .map(|(_, (at, _))| *at)
        .collect()
}

type Slot<'a> = (Timestamp, &'a DueObservation);

fn slots(monitoring: &Monitoring, first: Timestamp) -> Vec<Slot<'_>> {
    monitoring.due.iter().map(|due| (shifted(first, micros(due.after)), due)).collect()
}

/// After which moment, and until which, a reading of a measure counts for an observation.
///
/// A reading counts for the observation that it is nearest to, but not earlier for one than it may be late: what is
/// read long before an observation is due still belongs to the one before.
fn covered(
    slots: &[Slot<'_>],
    place: usize,
    measure: &MeasureId,
    late: i64,
) -> (Timestamp, Timestamp) {
    let of_measure = |(at, due): &Slot<'_>| due.measures.contains(measure).then_some(*at);
    let at = slots.get(place).map_or(Timestamp::MAX, |(at, _)| *at);
    let before = slots.iter().take(place).rev().find_map(of_measure);
    let after = slots.iter().skip(place + 1).find_map(of_measure);
    let border = |first: Timestamp, second: Timestamp| {
        let middle = shifted(first, second.micros_since(first) / 2);
        middle.max(shifted(second, -late))
    };
    let from = before.map_or(shifted(at, -late - 1), |before| border(before, at));
    (from, after.map_or(Timestamp::MAX, |after| border(at, after)))
}

/// Whether an observation reads a measure between these moments.
fn reads(observed: &Observed, measure: &MeasureId, between: (Timestamp, Timestamp)) -> bool {
    let (after, until) = between;
    observed.value(measure).is_some() && observed.at > after && observed.at <= until
}

fn standing(
    slots: &[Slot<'_>],
    place: usize,
    wanted: &[MeasureId],
    late: i64,
    now: Timestamp,
) -> DueState {
    if wanted.is_empty() {
        return DueState::Done;
    }
    let at = slots.get(place).map_or(Timestamp::MAX, |(at, _)| *at);
    let over = wanted.iter().all(|measure| now > covered(slots, place, measure, late).1);
    if now < shifted(at, -late) {
        DueState::Upcoming
    } else if over {
        DueState::Missed
    } else if now <= shifted(at, late) {
        DueState::Due
    } else {
        DueState::Overdue
    }
}

fn shifted(at: Timestamp, by: i64) -> Timestamp {
    at.checked_add_micros(by).unwrap_or(if by < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

pub(super) fn micros(span: Span) -> i64 {
    i64::try_from(span.microseconds()).expect("a span is less than the years of a timestamp")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::course::Observed;
    use crate::formulary::{self, Formulary};
    use crate::names::ProtocolName;
    use crate::units::Mass;

    const START: &str = "2027-03-01T09:00:00Z";

    fn at(minutes: i64) -> Timestamp {
        let start: Timestamp = START.parse().unwrap();
        start.checked_add_micros(minutes * MINUTE).unwrap()
    }

    /// A session of esketamine whose first dose began at minute 0, with readings at these minutes.
    fn session(first_dose: Option<i64>, readings: &[(i64, &[&str])]) -> Session {
        let observed = readings.iter().map(|(minute, measures)| Observed {
            at: at(*minute),
            values: measures.iter().map(|id| (id.parse().unwrap(), 5)).collect(),
        });
        Session {
            name: "sessions/1".parse().unwrap(),
            course: "courses/0".parse().unwrap(),
            patient: "patients/p".parse().unwrap(),
            plan: "esk-trd".parse().unwrap(),
            phase: "weeks-1-4".parse().unwrap(),
            protocol: ProtocolName::new("esk-trd-ind").unwrap(),
            number: 1,
            started: at(-10),
            started_by: "people/nina".parse().unwrap(),
            formulary: 0,
            age_years: 40,
            observations: observed.collect(),
            alerts: Vec::new(),
            calculation: None,
            ordered: None,
            rises: 0,
            first_dose: first_dose.map(at),
            last_dose_end: None,
            given: Mass::MIN,
        }
    }

    /// Where each observation of the schedule stands, by the minute that it is due.
    fn standing_at(session: &Session, minute: i64) -> Vec<(i64, DueState)> {
        let formulary = Formulary::parse(formulary::starter()).unwrap();
        let plan = formulary.plan(&session.plan).unwrap();
        let items = schedule(session, None, &plan.monitoring, at(minute));
        let first = session.first_dose.unwrap();
        let due = |item: &Due| item.at.unwrap().micros_since(first) / MINUTE;
        items.iter().map(|item| (due(item), item.state)).collect()
    }

    const ALL: &[&str] =
        &["systolic", "diastolic", "pulse", "spo2", "respiratory-rate", "moaa-s", "dissociation"];

    #[test]
    fn before_a_dose_the_schedule_asks_for_what_the_dose_needs() {
        let formulary = Formulary::parse(formulary::starter()).unwrap();
        let empty = session(None, &[(-5, &["systolic", "spo2"])]);
        let plan = formulary.plan(&empty.plan).unwrap();
        let items = schedule(&empty, None, &plan.monitoring, at(0));
        assert_eq!(items.len(), 1);
        let wanted: Vec<String> = items[0].measures.iter().map(ToString::to_string).collect();
        assert_eq!((items[0].state, items[0].at), (DueState::Due, None));
        assert_eq!(wanted, ["diastolic", "pulse", "moaa-s"]);
        let ready = session(None, &[(-5, ALL)]);
        assert_eq!(schedule(&ready, None, &plan.monitoring, at(0))[0].state, DueState::Done);
        assert_eq!(schedule(&ready, None, &plan.monitoring, at(56))[0].state, DueState::Due);
    }

    #[test]
    fn an_observation_is_upcoming_then_due_then_overdue_then_missed() {
        let nothing = session(Some(0), &[]);
        for (minute, state) in [
            (9, DueState::Upcoming),
            (10, DueState::Due),
            (15, DueState::Due),
            (20, DueState::Due),
            (21, DueState::Overdue),
            (25, DueState::Overdue),
            (26, DueState::Missed),
        ] {
            assert_eq!(standing_at(&nothing, minute)[0], (15, state), "at {minute}");
        }
        // The last one is waited for until the patient goes.
        assert_eq!(standing_at(&nothing, 600).last(), Some(&(120, DueState::Overdue)));
    }

    #[test]
    fn a_reading_counts_for_the_observation_that_it_is_nearest_to() {
        for (minute, makes) in
            [(10, 15), (22, 15), (25, 15), (26, 30), (35, 30), (36, 40), (52, 40)]
        {
            let made = session(Some(0), &[(minute, ALL)]);
            let done: Vec<i64> = standing_at(&made, 200)
                .into_iter()
                .filter(|(_, state)| *state == DueState::Done)
                .map(|(due, _)| due)
                .collect();
            assert_eq!(done, [makes], "read at {minute}");
        }
        let early = session(Some(0), &[(9, ALL)]);
        assert!(standing_at(&early, 200).iter().all(|(_, state)| *state != DueState::Done));
    }

    #[test]
    fn a_part_of_an_observation_leaves_the_rest_wanted() {
        let formulary = Formulary::parse(formulary::starter()).unwrap();
        let part = session(Some(0), &[(15, &["spo2"])]);
        let plan = formulary.plan(&part.plan).unwrap();
        let items = schedule(&part, None, &plan.monitoring, at(16));
        let wanted: Vec<String> = items[0].measures.iter().map(ToString::to_string).collect();
        assert_eq!(wanted, ["respiratory-rate", "moaa-s"]);
    }

    #[test]
    fn only_the_first_reading_that_comes_late_is_late() {
        let formulary = Formulary::parse(formulary::starter()).unwrap();
        let observed = |minute| session(None, &[(minute, ALL)]).observations.remove(0);
        let empty = session(Some(0), &[]);
        let plan = formulary.plan(&empty.plan).unwrap();
        let late_at =
            |session: &Session, minute| late(session, &plan.monitoring, &observed(minute));
        assert_eq!(late_at(&empty, 20), []);
        assert_eq!(late_at(&empty, 21), [at(15)]);
        let made = session(Some(0), &[(15, ALL)]);
        assert_eq!(late_at(&made, 21), [], "it was made in time before");
        assert_eq!(late_at(&session(None, &[]), 21), [], "nothing is late before a dose");
    }
}
