//! Courses and their sessions: opened, planned, started, missed, called off, closed.

use std::sync::Arc;

use super::authority::{PRESCRIBERS, SCHEDULERS, TREATERS};
use super::soft::SoftLimits;
use super::treatment::{eligible, no_alert, open_session};
use super::{Case, Draft, Signer};
use crate::command::{
    CancelSessionCommand, CloseCourseCommand, DoseInputs, MissedSessionCommand, OpenCourseCommand,
    StartSessionCommand,
};
use crate::course::{Closed, Course, Missed, PastSession, Session, Windowed, days_between};
use crate::formulary::{Phase, Plan, Protocol};
use crate::names::{CalculationName, CourseName, PatientName, ProtocolName, SessionName};
use crate::pb::v1::{self, outcome};
use crate::refusal::{Refusal, TreatmentRefusal};
use crate::state::{Calculation, Change, PatientRecord};
use crate::time::Date;
use crate::units::{Mass, Quantity};
use crate::wire::date_to_wire;

impl Case<'_> {
    pub(super) fn open_course(
        &self,
        signer: &Signer,
        act: &OpenCourseCommand,
    ) -> Result<Draft, Refusal> {
        self.need(signer, PRESCRIBERS)?;
        let (name, patient) = self.registered(&act.patient)?;
        let record = self.state.formulary().ok_or(Refusal::NoFormulary)?;
        let plan = act.plan.id().parse().ok().and_then(|id| record.formulary.plan(&id));
        let plan = plan.ok_or_else(|| Refusal::Unknown { resource: act.plan.to_string() })?;
        let open = patient.courses.iter().find(|name| {
            let course = self.state.course(**name);
            course.is_some_and(|course| course.plan == plan.id && course.closed.is_none())
        });
        if let Some(course) = open {
            return Err(TreatmentRefusal::CourseOpen { course: *course }.into());
        }

        // From here the course is accepted.
        let course = CourseName(self.index);
        let mut draft = Draft::new(outcome::Result::CourseOpened(v1::CourseOpened {
            course: course.to_string(),
            plan: act.plan.to_string(),
        }));
        draft.touch(&act.patient);
        draft.touch(name);
        draft.touch(&course);
        let opened = Course {
            patient: name.clone(),
            plan: plan.id.clone(),
            opened: self.now,
            opened_by: signer.name.clone(),
            closed: None,
            sessions: Vec::new(),
            missed: Vec::new(),
            rises: 0,
            last_order: None,
            effects: std::collections::BTreeMap::new(),
        };
        draft.change(Change::PutCourse(course, Box::new(opened)));
        let mut patient = patient.clone();
        patient.courses.push(course);
        draft.change(Change::PutPatient(name.clone(), Box::new(patient)));
        Ok(draft)
    }

    pub(super) fn close_course(
        &self,
        signer: &Signer,
        act: &CloseCourseCommand,
    ) -> Result<Draft, Refusal> {
        self.need(signer, PRESCRIBERS)?;
        let course = self.course_that_goes_on(act.course)?;
        if let Some(session) = course.open_session() {
            return Err(TreatmentRefusal::SessionOpen { session: session.name }.into());
        }

        // From here the end is accepted.
        let mut draft = Draft::new(outcome::Result::CourseClosed(v1::CourseClosed {
            course: act.course.to_string(),
            sessions: u32::try_from(course.dosed()).unwrap_or(u32::MAX),
        }));
        draft.touch(&course.patient);
        draft.touch(&act.course);
        let closed = Some(Closed { at: self.now, reason: act.reason.into() });
        let course = Course { closed, ..course.as_ref().clone() };
        draft.change(Change::PutCourse(act.course, Box::new(course)));
        Ok(draft)
    }

    pub(super) fn start_session(
        &self,
        signer: &Signer,
        act: &StartSessionCommand,
    ) -> Result<Draft, Refusal> {
        self.need(signer, TREATERS)?;
        if !act.overrides.is_empty() {
            self.need(signer, PRESCRIBERS)?;
        }
        let course = self.known_course(act.course)?;
        let record = self.state.formulary().ok_or(Refusal::NoFormulary)?;
        let plan = record.formulary.plan(&course.plan);
        let plan = plan.ok_or_else(|| Refusal::Unknown {
            resource: format!("the plan {} of the formulary in force", course.plan),
        })?;
        goes_on(act.course, course)?;
        let patient = self.state.patient(&course.patient).expect("a course has its patient");
        if let Some(session) = patient.open_session {
            return Err(TreatmentRefusal::SessionOpen { session }.into());
        }
        let mut soft = SoftLimits::default();
        let phase = self.phase(course, plan, &act.phase, &mut soft)?;
        let protocol = record.formulary.protocol(&phase.protocol);
        let protocol = protocol.expect("a plan's phases name protocols of its formulary");
        right_age(protocol, act.age_years)?;
        eligible(self.state, patient, protocol, self.now, &mut soft)?;
        let days = self.right_day(patient, plan, phase, &mut soft)?;
        self.not_too_many(course, patient, plan, phase, &mut soft);
        asked_after_effects(course, plan, &mut soft);
        let flags = soft.settle(&act.overrides)?;

        // From here the session is accepted.
        let session = self.new_session(signer, act, course, phase, record.entry);
        let needed = plan.monitoring.before.iter().map(ToString::to_string).collect();
        let mut draft = Draft::new(outcome::Result::SessionStarted(v1::SessionStarted {
            session: session.name.to_string(),
            course: act.course.to_string(),
            phase: phase.id.to_string(),
            number: session.number,
            days_since_last: days.and_then(|days| u32::try_from(days).ok()),
            needed_before: needed,
        }));
        draft.touch(&course.patient);
        draft.touch(&act.course);
        draft.touch(&session.name);
        draft.outcome.flags = flags;
        self.put_session_line(&mut draft, course, &session, plan);
        let patient =
            PatientRecord { open_session: Some(session.name), ..patient.as_ref().clone() };
        draft.change(Change::PutPatient(course.patient.clone(), Box::new(patient)));
        draft.change(Change::PutSession(Box::new(session)));
        Ok(draft)
    }

    fn new_session(
        &self,
        signer: &Signer,
        act: &StartSessionCommand,
        course: &Course,
        phase: &Phase,
        formulary: u64,
    ) -> Session {
        let protocol = ProtocolName::new(phase.protocol.as_str());
        Session {
            name: SessionName(self.index),
            course: act.course,
            patient: course.patient.clone(),
            plan: course.plan.clone(),
            phase: phase.id.clone(),
            protocol: protocol.expect("a formulary's protocol ids are resource names"),
            number: course.sessions.last().map_or(1, |last| last.number + 1),
            started: self.now,
            started_by: signer.name.clone(),
            formulary,
            age_years: act.age_years,
            observations: Vec::new(),
            alerts: Vec::new(),
            calculation: None,
            ordered: None,
            rises: course.rises,
            first_dose: None,
            last_dose_end: None,
            given: Mass::MIN,
        }
    }

    fn put_session_line(&self, draft: &mut Draft, course: &Course, session: &Session, plan: &Plan) {
        let mut course = course.clone();
        course.sessions.push(PastSession {
            name: session.name,
            phase: session.phase.clone(),
            number: session.number,
            started: session.started,
            first_dose: None,
            ended: None,
            ordered: None,
            given: Mass::MIN,
            // Counted from the day of the session; it is waited for once a dose was given.
            form_due: plan.form.as_ref().map(|form| {
                let today = self.state.day_of(self.now);
                today.add_days(form.due_days.into()).unwrap_or(today)
            }),
            form_sent: None,
        });
        draft.change(Change::PutCourse(session.course, Box::new(course)));
    }

    /// The phase that the session is in: the one of the last session or a later one, never an earlier one.
    fn phase<'p>(
        &self,
        course: &Course,
        plan: &'p Plan,
        asked: &str,
        soft: &mut SoftLimits,
    ) -> Result<&'p Phase, Refusal> {
        let last = course.last_dosed().and_then(|session| plan.phase(&session.phase));
        let current = last.map_or(0, |(place, _)| place);
        let found = asked.parse().ok().and_then(|id| plan.phase(&id));
        let Some((place, phase)) = found.filter(|(place, _)| *place >= current) else {
            let later = plan.phases.iter().skip(current).map(|phase| phase.id.to_string());
            let expected = later.collect::<Vec<_>>().join(", or later ");
            return Err(TreatmentRefusal::WrongPhase { phase: asked.to_owned(), expected }.into());
        };
        for left in plan.phases.get(current..place).unwrap_or_default() {
            if self.is_over(course, left) {
                continue;
            }
            let (had, planned) = (course.dosed_in(&left.id).count(), left.sessions_min);
            let text = format!("{} had {had} of at least {planned} sessions", left.id);
            soft.passed("PHASE_EARLY", text);
            break;
        }
        Ok(phase)
    }

    /// Whether a phase had its sessions, or its days.
    fn is_over(&self, course: &Course, phase: &Phase) -> bool {
        let mut dosed = course.dosed_in(&phase.id).peekable();
        let began = dosed.peek().and_then(|session| session.first_dose);
        let lasted = began.zip(phase.lasts_days).is_some_and(|(began, days)| {
            let today = self.state.day_of(self.now);
            days_between(self.state.day_of(began), today) >= i64::from(days)
        });
        lasted || dosed.count() >= usize::from(phase.sessions_min)
    }

    /// Not too soon after the last dose of this drug, in whatever course, and not too long after it.
    fn right_day(
        &self,
        patient: &PatientRecord,
        plan: &Plan,
        phase: &Phase,
        soft: &mut SoftLimits,
    ) -> Result<Option<i64>, Refusal> {
        let Some(dose) = patient.last_dose(&plan.drug) else { return Ok(None) };
        let last = self.state.day_of(dose.at);
        let days = days_between(last, self.state.day_of(self.now));
        if days < i64::from(phase.hard_min_days) {
            return Err(TreatmentRefusal::SessionTooEarly {
                days,
                last,
                minimum: phase.hard_min_days,
            }
            .into());
        }
        let planned = phase.interval_days;
        if days < i64::from(phase.soft_min_days) {
            let text = format!(
                "the last dose was {days} days ago, on {last}; planned are {planned}, at least {}",
                phase.soft_min_days
            );
            soft.passed("SESSION_EARLY", text);
        }
        if days > i64::from(phase.soft_max_days) {
            let text = format!(
                "the last dose was {days} days ago, on {last}; planned are {planned}, at most {}. Consider the dose anew",
                phase.soft_max_days
            );
            soft.passed("SESSION_LATE", text);
        }
        Ok(Some(days))
    }

    /// Not more sessions than the phase plans, and not more than usual within the last weeks.
    fn not_too_many(
        &self,
        course: &Course,
        patient: &PatientRecord,
        plan: &Plan,
        phase: &Phase,
        soft: &mut SoftLimits,
    ) {
        let had = course.dosed_in(&phase.id).count();
        if had >= usize::from(phase.sessions_max) {
            let text = format!(
                "this would be session {} of {}, planned are at most {}",
                had + 1,
                phase.id,
                phase.sessions_max
            );
            soft.passed("SESSION_BEYOND_PLAN", text);
        }
        let today = self.state.day_of(self.now);
        for window in &plan.windows {
            let days = window.days;
            let past =
                Windowed::of(&patient.doses, &plan.drug, days, today, |at| self.state.day_of(at));
            if past.doses >= u32::from(window.sessions) {
                let text = format!(
                    "this would be session {} within {days} days, usual are at most {}",
                    past.doses + 1,
                    window.sessions
                );
                soft.passed(&format!("SESSIONS_WINDOW:{days}"), text);
            }
        }
    }

    pub(super) fn missed_session(
        &self,
        signer: &Signer,
        act: &MissedSessionCommand,
    ) -> Result<Draft, Refusal> {
        self.need(signer, SCHEDULERS)?;
        let course = self.course_that_goes_on(act.course)?;
        self.day_not_future("planned_date", act.planned)?;
        let mut draft = Draft::new(outcome::Result::SessionMissed(v1::SessionMissed {
            course: act.course.to_string(),
            planned_date: Some(date_to_wire(act.planned)),
        }));
        draft.touch(&course.patient);
        draft.touch(&act.course);
        let mut course = course.as_ref().clone();
        let missed = Missed { entry: self.index, planned: act.planned, reason: act.reason.into() };
        course.missed.push(missed);
        draft.change(Change::PutCourse(act.course, Box::new(course)));
        Ok(draft)
    }

    pub(super) fn cancel_session(
        &self,
        signer: &Signer,
        act: &CancelSessionCommand,
    ) -> Result<Draft, Refusal> {
        self.need(signer, TREATERS)?;
        let session = open_session(self.state, act.session)?;
        self.nothing_in_hands(&session.patient)?;
        if session.first_dose.is_some() {
            return Err(TreatmentRefusal::DoseGiven { session: act.session }.into());
        }
        if self.version >= super::STOPS_IN_HANDS_SINCE {
            no_alert(session)?;
        }

        // From here it is called off.
        let name = act.session.to_string();
        let mut draft =
            Draft::new(outcome::Result::SessionCancelled(v1::SessionCancelled { session: name }));
        self.void(&mut draft, session.calculation);
        self.end(&mut draft, session);
        Ok(draft)
    }

    /// Ends a session: in the course, with the patient, and in the state.
    pub(super) fn end(&self, draft: &mut Draft, session: &Session) {
        draft.touch(&session.patient);
        draft.touch(&session.course);
        draft.touch(&session.name);
        let (_, course) =
            self.state.course_of_session(session.name).expect("a session has its course");
        let mut course = course.as_ref().clone();
        if let Some(line) = course.sessions.iter_mut().find(|line| line.name == session.name) {
            line.ended = Some(self.now);
            line.form_due = line.form_due.filter(|_| line.first_dose.is_some());
        }
        draft.change(Change::PutCourse(session.course, Box::new(course)));
        let patient = self.state.patient(&session.patient).expect("a session has its patient");
        let patient = PatientRecord { open_session: None, ..patient.as_ref().clone() };
        draft.change(Change::PutPatient(session.patient.clone(), Box::new(patient)));
        draft.change(Change::EndSession(session.name));
    }

    /// The calculation that counts in a session, and the patient's newest weight.
    pub(super) fn keep_order(
        &self,
        draft: &mut Draft,
        inputs: &DoseInputs,
        name: CalculationName,
        ordered: Quantity,
        rises: u32,
    ) {
        let Some(session) = inputs.session.and_then(|name| self.state.session(name)) else {
            return;
        };
        draft.touch(&session.patient);
        draft.touch(&session.course);
        draft.touch(&session.name);
        self.void(draft, session.calculation);
        let patient = self.state.patient(&session.patient).expect("a session has its patient");
        let patient =
            PatientRecord { last_weight: Some(inputs.weight), ..patient.as_ref().clone() };
        draft.change(Change::PutPatient(session.patient.clone(), Box::new(patient)));
        let session = Session {
            calculation: Some(name),
            ordered: Some(ordered),
            rises,
            ..session.as_ref().clone()
        };
        draft.change(Change::PutSession(Box::new(session)));
    }

    /// A calculation that a newer one replaced, or whose session was called off, ends now.
    fn void(&self, draft: &mut Draft, calculation: Option<CalculationName>) {
        let Some(CalculationName(index)) = calculation else { return };
        if let Some(calculation) = self.state.calculation(index) {
            let calculation =
                Calculation { expires: calculation.expires.min(self.now), ..calculation.clone() };
            draft.change(Change::PutCalculation(index, calculation));
        }
    }

    fn known_course(&self, name: CourseName) -> Result<&Arc<Course>, Refusal> {
        let course = self.state.course(name);
        course.ok_or_else(|| Refusal::Unknown { resource: name.to_string() })
    }

    /// A course that is not closed.
    fn course_that_goes_on(&self, name: CourseName) -> Result<&Arc<Course>, Refusal> {
        let course = self.known_course(name)?;
        goes_on(name, course)?;
        Ok(course)
    }

    /// Nothing of a vial is in anybody's hands for the patient.
    pub(super) fn nothing_in_hands(&self, patient: &PatientName) -> Result<(), Refusal> {
        let held: Vec<String> =
            self.state.in_hands_for(patient).map(|name| name.to_string()).collect();
        if held.is_empty() {
            return Ok(());
        }
        Err(TreatmentRefusal::VialStillOut { dispensings: held.join(", ") }.into())
    }

    /// A day that a person gives is not after today at the site.
    pub(super) fn day_not_future(&self, field: &'static str, day: Date) -> Result<(), Refusal> {
        if day > self.state.day_of(self.now) {
            return Err(Refusal::InFuture { field, moment: day.to_string() });
        }
        Ok(())
    }
}

fn goes_on(name: CourseName, course: &Course) -> Result<(), Refusal> {
    if course.closed.is_some() {
        return Err(TreatmentRefusal::CourseClosed { course: name }.into());
    }
    Ok(())
}

/// The protocol is for patients of this age.
fn right_age(protocol: &Protocol, age: u32) -> Result<(), Refusal> {
    let (minimum, below) =
        (u32::from(protocol.minimum_age_years), protocol.below_age_years.map(u32::from));
    if age < minimum || below.is_some_and(|below| age >= below) {
        return Err(Refusal::AgeOutside { age, minimum, below });
    }
    Ok(())
}

/// Effects of the last session or since, after which the plan wants a reason to go on.
fn asked_after_effects(course: &Course, plan: &Plan, soft: &mut SoftLimits) {
    let Some(last) = course.last_dosed() else { return };
    for (name, effect) in &course.effects {
        let asks = plan.history.ask_after.contains(&effect.kind);
        if asks && effect.recorded >= last.started {
            let kind = effect.kind;
            let text = format!("{name} is {kind}: ask about it, and judge whether to go on");
            soft.passed(&format!("ADVERSE_EFFECT:{kind}"), text);
        }
    }
}
