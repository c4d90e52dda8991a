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
#[must_use]
pub fn schedule(session: &Session, monitoring: &Monitoring, now: Timestamp) -> Vec<Due> {
    let Some(first) = session.first_dose else {
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
