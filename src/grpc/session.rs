//! What the entries of a session say of it, one after the other.
//!
//! The state forgets a session's readings and doses once the patient has gone; its entries do not.

use std::collections::BTreeMap;

use super::error::{Failure, unreadable};
use super::summary::due;
use crate::course::{Course, DueState, Observed, Session, schedule};
use crate::ledger::{ParsedEntry, RequestKind};
use crate::names::{CourseName, ProtocolName, SessionName};
use crate::pb::v1::{self, outcome::Result as Made};
use crate::state::State;
use crate::time::Timestamp;
use crate::units::Mass;
use crate::wire::{date_to_wire, timestamp_from_wire, timestamp_to_wire};

/// A session as far as its entries were read.
pub(super) struct History<'s> {
    state: &'s State,
    course: &'s Course,
    pub(super) session: v1::Session,
    /// The vial of each dispensing.
    vials: BTreeMap<String, String>,
    /// Early discharges that were put forward: what was signed, and by whom.
    early: BTreeMap<u64, (v1::DischargePatientRequest, String)>,
    observed: Vec<Observed>,
    first_dose: Option<Timestamp>,
}

impl<'s> History<'s> {
    pub(super) fn new(state: &'s State, name: SessionName, of: (CourseName, &'s Course)) -> Self {
        let (course_name, course) = of;
        let session = v1::Session {
            name: name.to_string(),
            course: course_name.to_string(),
            patient: course.patient.to_string(),
            plan: format!("plans/{}", course.plan),
            formulary_entry: state.formulary_at(name.0).map_or(0, |record| record.entry),
            ..v1::Session::default()
        };
        let (vials, early) = (BTreeMap::new(), BTreeMap::new());
        Self { state, course, session, vials, early, observed: Vec::new(), first_dose: None }
    }

    /// Takes an entry in.
    pub(super) fn add(&mut self, entry: &ParsedEntry) -> Result<(), Failure> {
        let index = entry.sealed.index();
        let by = self.state.key(entry.request.key()).map(|key| key.person.to_string());
        let by = by.unwrap_or_default();
        let name = format!("entries/{index}");
        for flag in &entry.outcome.flags {
            let (entry, message) = (name.clone(), flag.message.clone());
            self.session.flags.push(v1::SessionFlag { entry, message, refusal: false });
        }
        let at = timestamp_to_wire(entry.sealed.recorded_time());
        let Some(made) = entry.outcome.result.clone() else { return Ok(()) };
        match made {
            Made::Refusal(refusal) => {
                let message = format!("{}: {}", refusal.reason, refusal.message);
                self.session.flags.push(v1::SessionFlag { entry: name, message, refusal: true });
            }
            Made::SessionStarted(started) => self.started(entry, started, at, by)?,
            Made::DoseCalculation(calculation) => {
                let request: v1::CalculateDoseRequest = decoded(entry)?;
                self.session.weight = request.inputs.and_then(|inputs| inputs.weight);
                self.session.dose_calculation = Some(calculation);
                self.session.calculated_by = by;
                self.session.checked_by.clear();
            }
            Made::DoseCheck(check) if check.agreed => self.session.checked_by = by,
            Made::Dispensing(it) => {
                self.vials.insert(it.name, it.vial);
            }
            Made::Administration(it) => self.given(entry, it, by)?,
            Made::Observation(it) => self.observed(entry, it, by)?,
            Made::AlertAcknowledged(it) => self.acknowledged(entry, &it.alert, at, &by)?,
            Made::AdverseEffect(effect) => {
                let effects = &mut self.session.adverse_effects;
                effects.retain(|known| known.name != effect.name);
                effects.push(effect);
            }
            other => self.ended(entry, other, at, by)?,
        }
        Ok(())
    }

    fn started(
        &mut self,
        entry: &ParsedEntry,
        started: v1::SessionStarted,
        at: prost_types::Timestamp,
        by: String,
    ) -> Result<(), Failure> {
        let request: v1::StartSessionRequest = decoded(entry)?;
        let session = &mut self.session;
        session.phase = started.phase;
        session.number = started.number;
        session.start_time = Some(at);
        session.started_by = by;
        session.age_years = request.age_years.unwrap_or_default();
        Ok(())
    }

    fn given(
        &mut self,
        entry: &ParsedEntry,
        given: v1::Administration,
        by: String,
    ) -> Result<(), Failure> {
        let request: v1::RecordAdministrationRequest = decoded(entry)?;
        if let Some(start) = request.start_time.as_ref().and_then(|it| timestamp_from_wire(it).ok())
        {
            self.first_dose = Some(self.first_dose.map_or(start, |first| first.min(start)));
        }
        self.session.doses.push(v1::GivenDose {
            entry: format!("entries/{}", entry.sealed.index()),
            vial: self.vials.get(&given.dispensing).cloned().unwrap_or_default(),
            dispensing: given.dispensing,
            amount: given.amount,
            dose: given.dose,
            start_time: request.start_time,
            end_time: request.end_time,
            given_by: by,
            ..v1::GivenDose::default()
        });
        Ok(())
    }

    fn observed(
        &mut self,
        entry: &ParsedEntry,
        observation: v1::Observation,
        by: String,
    ) -> Result<(), Failure> {
        let request: v1::RecordObservationRequest = decoded(entry)?;
        if let Some(at) = request.observed_time.as_ref().and_then(|it| timestamp_from_wire(it).ok())
        {
            let values = request
                .readings
                .iter()
                .filter_map(|reading| Some((reading.measure.parse().ok()?, reading.value)));
            self.observed.push(Observed { at, values: values.collect() });
        }
        let alerts = observation.alerts.into_iter();
        self.session.observations.push(v1::ObservationRecord {
            entry: format!("entries/{}", entry.sealed.index()),
            observed_time: request.observed_time,
            observed_by: by,
            readings: request.readings,
            alerts: alerts
                .map(|alert| v1::AlertRecord { alert: Some(alert), ..Default::default() })
                .collect(),
        });
        Ok(())
    }

    fn acknowledged(
        &mut self,
        entry: &ParsedEntry,
        alert: &str,
        at: prost_types::Timestamp,
        by: &str,
    ) -> Result<(), Failure> {
        let request: v1::AcknowledgeAlertRequest = decoded(entry)?;
        let records = self.session.observations.iter_mut().flat_map(|it| &mut it.alerts);
        let named = |record: &&mut v1::AlertRecord| {
            record.alert.as_ref().is_some_and(|known| known.name == alert)
        };
        for record in records.filter(named) {
            by.clone_into(&mut record.acknowledged_by);
            record.acknowledged_time = Some(at);
            record.note.clone_from(&request.note);
        }
        Ok(())
    }

    /// The ways in which a session ends, and what comes after.
    fn ended(
        &mut self,
        entry: &ParsedEntry,
        made: Made,
        at: prost_types::Timestamp,
        by: String,
    ) -> Result<(), Failure> {
        match made {
            Made::Proposed(_) if entry.request.kind() == RequestKind::DischargePatient => {
                self.early.insert(entry.sealed.index(), (decoded(entry)?, by));
            }
            Made::Discharge(discharge) => {
                let signed = if entry.request.kind() == RequestKind::Approve {
                    let approval: v1::ApproveRequest = decoded(entry)?;
                    let index = approval.proposal.strip_prefix("entries/");
                    let index = index.and_then(|index| index.parse().ok());
                    index.and_then(|index: u64| self.early.remove(&index))
                } else {
                    Some((decoded(entry)?, by))
                };
                let (request, by) = signed.ok_or_else(|| unreadable(entry.sealed.index()))?;
                let session = &mut self.session;
                session.escort_present = request.escort_present;
                session.no_driving_acknowledged = request.no_driving_acknowledged;
                session.discharge = Some(discharge);
                session.end_time = Some(at);
                session.ended_by = by;
            }
            Made::SessionCancelled(_) => {
                let request: v1::CancelSessionRequest = decoded(entry)?;
                self.session.end_reason = request.reason;
                self.session.end_time = Some(at);
                self.session.ended_by = by;
            }
            Made::FormSent(_) => {
                let request: v1::RecordFormSentRequest = decoded(entry)?;
                self.session.form_sent_date = request.sent_date;
            }
            _ => {}
        }
        Ok(())
    }

    /// Names of the vials that were used, each once.
    pub(super) fn vials(&self) -> Vec<String> {
        let mut vials: Vec<String> = self.vials.values().cloned().collect();
        vials.sort_unstable();
        vials.dedup();
        vials
    }

    /// The session with all that follows from its entries: where it stands, its schedule, its form.
    pub(super) fn finish(mut self, name: SessionName, now: Timestamp) -> v1::Session {
        let ended = self.session.end_time.as_ref().and_then(|it| timestamp_from_wire(it).ok());
        let cancelled = self.session.end_reason != 0;
        let state = match (self.first_dose.is_some(), ended.is_some(), cancelled) {
            (_, _, true) => v1::SessionState::Cancelled,
            (_, true, false) => v1::SessionState::Discharged,
            (true, false, false) => v1::SessionState::Monitored,
            (false, false, false) => v1::SessionState::Open,
        };
        self.session.state = state.into();
        let line = self.course.sessions.iter().find(|line| line.name == name);
        self.session.form_due_date = line
            .filter(|line| line.first_dose.is_some())
            .and_then(|line| line.form_due)
            .map(date_to_wire);
        if let Some(session) = self.for_the_schedule(name) {
            let record = self.state.formulary_of(session.formulary);
            let plan = record.and_then(|record| record.formulary.plan(&session.plan));
            if let Some((plan, record)) = plan.zip(record) {
                let id = plan.phase(&session.phase).map(|(_, phase)| phase.protocol.clone());
                self.session.protocol = id.map(|id| format!("protocols/{id}")).unwrap_or_default();
                let open = self.state.session(name);
                let in_hands = open.and_then(|open| self.state.dose_in_hands_since(open));
                self.session.dose_in_hands_time = in_hands.map(timestamp_to_wire);
                let items = schedule(&session, in_hands, &plan.monitoring, ended.unwrap_or(now));
                // What was not due yet when the patient left was never asked for.
                let asked = |item: &&crate::course::Due| {
                    ended.is_none() || item.state != DueState::Upcoming
                };
                self.session.schedule = items.iter().filter(asked).map(due).collect();
                name_questions(&mut self.session, &record.formulary);
            }
        }
        self.session
    }

    /// The session as the schedule looks at it.
    fn for_the_schedule(&self, name: SessionName) -> Option<Session> {
        let started = timestamp_from_wire(self.session.start_time.as_ref()?).ok()?;
        Some(Session {
            name,
            course: self.session.course.parse().ok()?,
            patient: self.course.patient.clone(),
            plan: self.course.plan.clone(),
            phase: self.session.phase.parse().ok()?,
            protocol: ProtocolName::new("none").ok()?,
            number: self.session.number,
            started,
            started_by: self.session.started_by.parse().ok()?,
            formulary: self.session.formulary_entry,
            age_years: self.session.age_years,
            observations: self.observed.clone(),
            alerts: Vec::new(),
            calculation: None,
            ordered: None,
            rises: 0,
            first_dose: self.first_dose,
            last_dose_end: None,
            given: Mass::MIN,
        })
    }
}

/// The answers that counted when the session began, from the entries that recorded them.
pub(super) fn answers(
    state: &State,
    entries: &[ParsedEntry],
    session: SessionName,
) -> Vec<v1::AnswerRecord> {
    let mut newest: BTreeMap<String, v1::AnswerRecord> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.sealed.index() < session.0) {
        let Some(Made::EligibilityRecorded(recorded)) = &entry.outcome.result else { continue };
        for standing in &recorded.answers {
            let newer = newest.get(&standing.question).is_some_and(|known| {
                seconds(known.answered_time.as_ref()) > seconds(standing.answered_time.as_ref())
            });
            if newer {
                continue;
            }
            let record = v1::AnswerRecord {
                question: standing.question.clone(),
                text: String::new(),
                answer: standing.answer,
                answered_by: standing.answered_by.clone(),
                answered_time: standing.answered_time,
                override_reason: standing.override_reason,
            };
            newest.insert(standing.question.clone(), record);
        }
    }
    // Only those that the session's protocol asks.
    let asked = state
        .course_of_session(session)
        .and_then(|(_, course)| {
            let record = state.formulary_at(session.0)?;
            let plan = record.formulary.plan(&course.plan)?;
            let line = course.sessions.iter().find(|line| line.name == session)?;
            let (_, phase) = plan.phase(&line.phase)?;
            let protocol = record.formulary.protocol(&phase.protocol)?;
            Some(protocol.questions.iter().map(|it| it.id.to_string()).collect::<Vec<_>>())
        })
        .unwrap_or_default();
    asked.iter().filter_map(|id| newest.remove(id)).collect()
}

fn seconds(time: Option<&prost_types::Timestamp>) -> (i64, i32) {
    time.map_or((0, 0), |time| (time.seconds, time.nanos))
}

fn name_questions(session: &mut v1::Session, formulary: &crate::formulary::Formulary) {
    for answer in &mut session.answers {
        let question = formulary.questions().find(|it| it.id.as_str() == answer.question);
        answer.text = question.map(|it| it.text.clone()).unwrap_or_default();
    }
}

fn decoded<M: prost::Message + Default>(entry: &ParsedEntry) -> Result<M, Failure> {
    M::decode(entry.request.bytes().clone()).map_err(|_| unreadable(entry.sealed.index()))
}
