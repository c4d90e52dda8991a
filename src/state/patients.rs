//! Patients, their courses, and the sessions that are open.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{FormularyRecord, State};
use crate::course::{Answered, Course, PastDose, Session};
use crate::formulary::{DrugId, Plan, PlanId};
use crate::identity::Commitment;
use crate::names::{AlertName, CourseName, EffectName, PatientName, SessionName};
use crate::time::Timestamp;
use crate::units::Weight;

/// A patient, by pseudonym.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatientRecord {
    /// When it was registered.
    pub registered: Timestamp,
    /// Commitment to the identity.
    pub commitment: Commitment,
    /// The patient that this id is only another name of.
    pub merged_into: Option<PatientName>,
    /// Its other names.
    pub aliases: Vec<PatientName>,
    /// The newest answer to each question, by its id.
    pub answers: BTreeMap<String, Answered>,
    /// The courses, oldest first.
    pub courses: Vec<CourseName>,
    /// The session that is open now.
    pub open_session: Option<SessionName>,
    /// The newest weight that a dose was worked out with.
    pub last_weight: Option<Weight>,
    /// The doses that plans can look back on, oldest first: one for a session.
    pub doses: Vec<PastDose>,
}

/// Days that doses are kept for, at most: the longest that a plan's window may be.
pub const LOOK_BACK_DAYS: i64 = 366;

impl PatientRecord {
    /// A patient without a past.
    #[must_use]
    pub fn new(registered: Timestamp, commitment: Commitment) -> Self {
        Self {
            registered,
            commitment,
            merged_into: None,
            aliases: Vec::new(),
            answers: BTreeMap::new(),
            courses: Vec::new(),
            open_session: None,
            last_weight: None,
            doses: Vec::new(),
        }
    }

    /// The newest dose of a drug.
    #[must_use]
    pub fn last_dose(&self, drug: &DrugId) -> Option<&PastDose> {
        self.doses.iter().filter(|dose| dose.drug == *drug).max_by_key(|dose| dose.at)
    }
}

impl State {
    /// The patient that a name means, after every merge; the name itself where it is not registered.
    #[must_use]
    pub fn patient_name<'a>(&'a self, name: &'a PatientName) -> &'a PatientName {
        let record = self.patients.get(name);
        record.and_then(|record| record.merged_into.as_ref()).unwrap_or(name)
    }

    /// A registered patient, by any of its names.
    #[must_use]
    pub fn patient(&self, name: &PatientName) -> Option<&Arc<PatientRecord>> {
        self.patients.get(self.patient_name(name))
    }

    /// What is recorded under exactly this name, be it only another name of a patient.
    #[must_use]
    pub fn patient_as_named(&self, name: &PatientName) -> Option<&Arc<PatientRecord>> {
        self.patients.get(name)
    }

    /// Every name that was registered, in order.
    pub fn patients(&self) -> impl Iterator<Item = (&PatientName, &Arc<PatientRecord>)> {
        self.patients.iter()
    }

    /// A course.
    #[must_use]
    pub fn course(&self, name: CourseName) -> Option<&Arc<Course>> {
        self.courses.get(&name)
    }

    /// A session that is open.
    #[must_use]
    pub fn session(&self, name: SessionName) -> Option<&Arc<Session>> {
        self.sessions.get(&name)
    }

    /// The sessions that are open, by name.
    pub fn sessions(&self) -> impl Iterator<Item = &Arc<Session>> {
        self.sessions.values()
    }

    /// The course of a session, open or not.
    #[must_use]
    pub fn course_of_session(&self, name: SessionName) -> Option<(CourseName, &Arc<Course>)> {
        let course = self.session_courses.get(&name)?;
        self.courses.get(course).map(|found| (*course, found))
    }

    /// The course that an adverse effect belongs to.
    #[must_use]
    pub fn course_of_effect(&self, name: EffectName) -> Option<(CourseName, &Arc<Course>)> {
        let course = self.effect_courses.get(&name)?;
        self.courses.get(course).map(|found| (*course, found))
    }

    /// The open session that an open alert was raised in.
    #[must_use]
    pub fn session_of_alert(&self, name: AlertName) -> Option<&Arc<Session>> {
        self.sessions.values().find(|session| session.alerts.iter().any(|alert| alert.name == name))
    }

    /// The sessions whose monitoring form was not sent yet, with their courses.
    pub fn forms_to_send(&self) -> impl Iterator<Item = (CourseName, &Arc<Course>, SessionName)> {
        self.forms.iter().filter_map(|session| {
            let (name, course) = self.course_of_session(*session)?;
            Some((name, course, *session))
        })
    }

    /// The plan that gives a session its rules.
    #[must_use]
    pub fn plan_of_session(&self, session: &Session) -> (&Arc<FormularyRecord>, &Arc<Plan>) {
        self.formulary_of(session.formulary)
            .and_then(|record| Some((record, record.formulary.plan(&session.plan)?)))
            .expect("a formulary that a session began under stays in the state")
    }

    /// Since when the dose of a session is in somebody's hands: handed out, and neither given, wasted nor brought back.
    /// Nothing once some of it is recorded as given: from then on it is known when the dose began.
    #[must_use]
    pub fn dose_in_hands_since(&self, session: &Session) -> Option<Timestamp> {
        let calculation = session.calculation.filter(|_| session.first_dose.is_none())?;
        self.calculation(calculation.0)?.in_hands_since
    }

    /// A plan of the formulary in force.
    #[must_use]
    pub fn plan(&self, id: &PlanId) -> Option<&Arc<Plan>> {
        self.formulary().and_then(|record| record.formulary.plan(id))
    }

    pub(super) fn put_patient(&mut self, name: &PatientName, record: &PatientRecord) {
        self.patients.insert(name.clone(), Arc::new(record.clone()));
    }

    pub(super) fn put_course(&mut self, name: CourseName, course: &Course) {
        for effect in course.effects.keys() {
            self.effect_courses.insert(*effect, name);
        }
        for session in &course.sessions {
            if session.ended.is_some() && session.form_due.is_some() && session.form_sent.is_none()
            {
                self.forms.insert(session.name);
            } else {
                self.forms.remove(&session.name);
            }
        }
        self.courses.insert(name, Arc::new(course.clone()));
    }

    pub(super) fn put_session(&mut self, session: &Session) {
        self.session_courses.insert(session.name, session.course);
        self.sessions.insert(session.name, Arc::new(session.clone()));
    }

    pub(super) fn end_session(&mut self, name: SessionName) {
        self.sessions.remove(&name);
    }
}
