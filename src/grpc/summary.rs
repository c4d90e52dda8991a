//! Patients, courses and sessions in a line each, from the state alone.

use crate::course::{
    Course, Due, DueState, Papers, PastSession, Session, Windowed, keeps_from_discharge, schedule,
};
use crate::names::{CourseName, PatientName};
use crate::pb::v1;
use crate::state::{PatientRecord, State};
use crate::time::Timestamp;
use crate::units::Unit;
use crate::wire::{
    alert_to_wire, date_to_wire, effect_to_wire, quantity_to_wire, timestamp_to_wire,
};

use super::plan::milligrams;

/// What is recorded under a patient's name.
pub(super) fn patient(name: &PatientName, record: &PatientRecord) -> v1::Patient {
    let answers = record.answers.iter().map(|(question, answered)| v1::AnswerStanding {
        question: question.clone(),
        answer: answered.answer,
        answered_by: answered.by.to_string(),
        answered_time: Some(timestamp_to_wire(answered.at)),
        last_day: Some(date_to_wire(answered.last_day)),
        stops: false,
        override_reason: answered.passed.as_ref().map_or(0, |(reason, _)| *reason),
    });
    v1::Patient {
        name: name.to_string(),
        registered_time: Some(timestamp_to_wire(record.registered)),
        identity_commitment: record.commitment.as_bytes().to_vec(),
        merged_into: record.merged_into.as_ref().map(ToString::to_string).unwrap_or_default(),
        age_years: None,
        answers: answers.collect(),
        courses: record.courses.iter().map(ToString::to_string).collect(),
        open_session: record.open_session.map(|name| name.to_string()).unwrap_or_default(),
        last_weight: record
            .last_weight
            .and_then(|weight| weight.to_quantity(Unit::Kilogram).ok())
            .map(quantity_to_wire),
    }
}

/// A session that is open, with what is wanted now.
pub(super) fn open_session(state: &State, session: &Session, now: Timestamp) -> v1::SessionSummary {
    let (_, plan) = state.plan_of_session(session);
    let monitoring = &plan.monitoring;
    let in_hands_since = state.dose_in_hands_since(session);
    let wanted = schedule(session, in_hands_since, monitoring, now);
    let wanted = wanted.iter().filter(|due| matches!(due.state, DueState::Due | DueState::Overdue));
    let mut keeps = Vec::new();
    if session.first_dose.is_some() {
        keeps = keeps_from_discharge(session, monitoring, Papers::COMPLETE, now);
        let held = state.in_hands_for(&session.patient);
        keeps.extend(held.map(|name| format!("{name} is still in hands")));
    }
    v1::SessionSummary {
        name: session.name.to_string(),
        course: session.course.to_string(),
        patient: session.patient.to_string(),
        phase: session.phase.to_string(),
        number: session.number,
        state: standing(session.first_dose.is_some(), None).into(),
        start_time: Some(timestamp_to_wire(session.started)),
        first_dose_time: session.first_dose.map(timestamp_to_wire),
        end_time: None,
        ordered_dose: session.ordered.map(quantity_to_wire),
        given_mass: session.first_dose.and_then(|_| milligrams(session.given)),
        wanted: wanted.map(due).collect(),
        open_alerts: session.alerts.iter().map(alert_to_wire).collect(),
        keeps_from_discharge: keeps,
        form_due_date: None,
        form_overdue: false,
        dose_in_hands_time: in_hands_since.map(timestamp_to_wire),
    }
}

/// A session as its course remembers it.
pub(super) fn past_session(
    state: &State,
    name: CourseName,
    course: &Course,
    session: &PastSession,
    now: Timestamp,
) -> v1::SessionSummary {
    if let Some(open) = state.session(session.name) {
        return open_session(state, open, now);
    }
    let due = session.form_due.filter(|_| session.form_sent.is_none());
    v1::SessionSummary {
        name: session.name.to_string(),
        course: name.to_string(),
        patient: course.patient.to_string(),
        phase: session.phase.to_string(),
        number: session.number,
        state: standing(session.first_dose.is_some(), session.ended).into(),
        start_time: Some(timestamp_to_wire(session.started)),
        first_dose_time: session.first_dose.map(timestamp_to_wire),
        end_time: session.ended.map(timestamp_to_wire),
        ordered_dose: session.ordered.map(quantity_to_wire),
        given_mass: session.first_dose.and_then(|_| milligrams(session.given)),
        wanted: Vec::new(),
        open_alerts: Vec::new(),
        keeps_from_discharge: Vec::new(),
        form_due_date: due.map(date_to_wire),
        form_overdue: due.is_some_and(|due| state.day_of(now) > due),
        dose_in_hands_time: None,
    }
}

/// A course with its sessions in a line each.
pub(super) fn course(
    state: &State,
    name: CourseName,
    course: &Course,
    now: Timestamp,
) -> v1::Course {
    let sessions =
        course.sessions.iter().map(|session| past_session(state, name, course, session, now));
    let missed = course.missed.iter().map(|missed| v1::MissedSession {
        entry: format!("entries/{}", missed.entry),
        planned_date: Some(date_to_wire(missed.planned)),
        reason: missed.reason,
    });
    v1::Course {
        name: name.to_string(),
        patient: course.patient.to_string(),
        plan: format!("plans/{}", course.plan),
        open_time: Some(timestamp_to_wire(course.opened)),
        opened_by: course.opened_by.to_string(),
        close_time: course.closed.map(|closed| timestamp_to_wire(closed.at)),
        end_reason: course.closed.map_or(0, |closed| closed.reason),
        sessions: sessions.collect(),
        missed: missed.collect(),
        next_planned_date: next_planned(state, course),
        phase: course.last_dosed().map(|last| last.phase.to_string()).unwrap_or_default(),
        rises: course.rises,
        cumulative: cumulative(state, course, now),
        adverse_effects: course
            .effects
            .iter()
            .map(|(effect, it)| effect_to_wire(*effect, name, it))
            .collect(),
    }
}

fn next_planned(state: &State, course: &Course) -> Option<v1::Date> {
    let last = course.last_dosed().filter(|_| course.closed.is_none())?;
    let (_, phase) = state.plan(&course.plan)?.phase(&last.phase)?;
    let day = state.day_of(last.first_dose?).add_days(phase.interval_days.into()).ok()?;
    Some(date_to_wire(day))
}

fn cumulative(state: &State, course: &Course, now: Timestamp) -> Vec<v1::Cumulative> {
    let (Some(plan), Some(patient)) = (state.plan(&course.plan), state.patient(&course.patient))
    else {
        return Vec::new();
    };
    let today = state.day_of(now);
    let windows = plan.windows.iter().map(|window| {
        let had =
            Windowed::of(&patient.doses, &plan.drug, window.days, today, |at| state.day_of(at));
        v1::Cumulative {
            days: window.days.into(),
            sessions: had.doses,
            mass: Some(quantity_to_wire(had.mass)),
            sessions_limit: window.sessions.into(),
            mass_limit: window.mass.and_then(milligrams),
        }
    });
    windows.collect()
}

fn standing(dosed: bool, ended: Option<Timestamp>) -> v1::SessionState {
    match (dosed, ended.is_some()) {
        (false, false) => v1::SessionState::Open,
        (true, false) => v1::SessionState::Monitored,
        (true, true) => v1::SessionState::Discharged,
        (false, true) => v1::SessionState::Cancelled,
    }
}

/// One thing that the schedule asks for.
pub(super) fn due(due: &Due) -> v1::DueItem {
    let state = match due.state {
        DueState::Upcoming => v1::DueState::Upcoming,
        DueState::Due => v1::DueState::Due,
        DueState::Overdue => v1::DueState::Overdue,
        DueState::Done => v1::DueState::Done,
        DueState::Missed => v1::DueState::Missed,
    };
    v1::DueItem {
        due_time: due.at.map(timestamp_to_wire),
        measures: due.measures.iter().map(ToString::to_string).collect(),
        state: state.into(),
    }
}
