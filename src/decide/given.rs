//! What was given, kept where later doses look back on it: in the session, the course and with the patient.

use super::session::touch_session;
use super::treatment::read_enough;
use super::{Case, Draft};
use crate::command::AdministrationCommand;
use crate::course::{Course, PastDose, Session, before_dose, days_between};
use crate::formulary::DrugId;
use crate::names::SessionName;
use crate::pb::v1::FlagKind;
use crate::state::{Calculation, Change, LOOK_BACK_DAYS, PatientRecord};
use crate::time::Timestamp;
use crate::units::{Mass, Quantity, Rational, Span};
use crate::vial::{Portion, Vial};

impl Case<'_> {
    /// The patient and, where it was in one, the session of what is in somebody's hands.
    pub(super) fn touch_treatment(&self, draft: &mut Draft, portion: &Portion) {
        draft.touch(&portion.patient);
        if let Some(session) = self.calculated(portion).and_then(|it| self.session_of(it)) {
            touch_session(draft, session);
        }
    }

    /// Keeps an administration. It is what happened, so it is never refused here: what was not as the rules say is
    /// flagged.
    pub(super) fn keep_dose(
        &self,
        draft: &mut Draft,
        portion: &Portion,
        vial: &Vial,
        act: &AdministrationCommand,
        dose: Quantity,
    ) {
        let mass = mass_of(dose);
        let session = self.calculated(portion).and_then(|it| self.session_of(it));
        let name = self.state.patient_name(&portion.patient);
        if let Some(patient) = self.state.patient(name) {
            let drug = self.drug_of(vial);
            let dose = PastDose { at: act.start, drug, mass, session: session.map(|it| it.name) };
            let patient = self.with_dose(patient, dose);
            draft.change(Change::PutPatient(name.clone(), Box::new(patient)));
        }
        let Some(session) = session else { return };
        touch_session(draft, session);
        for text in self.against_rules(session, act) {
            draft.flag(FlagKind::GivenAgainstRule, text);
        }
        let first = session.first_dose.map_or(act.start, |first| first.min(act.start));
        let after = Session {
            first_dose: Some(first),
            last_dose_end: Some(session.last_dose_end.map_or(act.end, |end| end.max(act.end))),
            given: session.given.checked_add(mass).unwrap_or(Mass::MAX),
            ..session.as_ref().clone()
        };
        self.put_dosed_course(draft, &after);
        draft.change(Change::PutSession(Box::new(after)));
    }

    /// What was not as the session's rules say when this was given.
    fn against_rules(&self, session: &Session, act: &AdministrationCommand) -> Vec<String> {
        let (record, plan) = self.state.plan_of_session(session);
        let mut texts = Vec::new();
        if session.first_dose.is_none() {
            let before = before_dose(session, &plan.monitoring, act.start);
            if let Err(refusal) = read_enough(&before, plan) {
                texts.push(format!("given although {refusal}"));
            }
        }
        texts.extend(self.against_alert(session, act, plan.monitoring.late_after));
        let protocol = session.protocol.id().parse().ok();
        let rule = protocol
            .and_then(|id| record.formulary.protocol(&id))
            .and_then(|protocol| protocol.devices.as_ref());
        if let Some((rule, end)) = rule.zip(session.last_dose_end)
            && act.start.micros_since(end) < super::span_micros(rule.gap)
        {
            let text = format!(
                "begun at {}, the device before ended at {end}; {} must lie between",
                act.start, rule.gap
            );
            texts.push(text);
        }
        texts
    }

    /// An alert that is still open and that should have kept this from being begun, or from going on. Whoever is alone
    /// has as long to stop an infusion as to make an observation that is due.
    fn against_alert(
        &self,
        session: &Session,
        act: &AdministrationCommand,
        time_to_stop: Span,
    ) -> Option<String> {
        if self.version < super::STOPS_IN_HANDS_SINCE {
            return session
                .alerts
                .first()
                .map(|alert| format!("given while {} was open", alert.name));
        }
        let alert = session.alerts.iter().min_by_key(|alert| alert.observed)?;
        let (name, observed) = (alert.name, alert.observed);
        if observed <= act.start {
            return Some(format!("begun while {name} was open"));
        }
        (act.end.micros_since(observed) > super::span_micros(time_to_stop))
            .then(|| format!("went on until {}, {name} was open since {observed}", act.end))
    }

    /// The course with what was given in its session so far.
    fn put_dosed_course(&self, draft: &mut Draft, session: &Session) {
        let (_, course) =
            self.state.course_of_session(session.name).expect("a session has its course");
        let mut course = Course {
            rises: session.rises,
            last_order: session.ordered.or(course.last_order),
            ..course.as_ref().clone()
        };
        for line in course.sessions.iter_mut().filter(|line| line.name == session.name) {
            line.first_dose = session.first_dose;
            line.ordered = session.ordered;
            line.given = session.given;
        }
        draft.change(Change::PutCourse(session.course, Box::new(course)));
    }

    /// The patient with one more dose; several in one session count as one.
    fn with_dose(&self, patient: &PatientRecord, dose: PastDose) -> PatientRecord {
        let mut patient = patient.clone();
        let same = |past: &PastDose, session: SessionName| {
            past.session == Some(session) && past.drug == dose.drug
        };
        let before = dose
            .session
            .and_then(|session| patient.doses.iter_mut().find(|past| same(past, session)));
        match before {
            Some(past) => {
                past.mass = past.mass.checked_add(dose.mass).unwrap_or(Mass::MAX);
                past.at = past.at.min(dose.at);
            }
            None => patient.doses.push(dose),
        }
        patient.doses.sort_by_key(|past| past.at);
        let age = |at: Timestamp| days_between(self.state.day_of(at), self.state.day_of(self.now));
        patient.doses.retain(|past| age(past.at) <= LOOK_BACK_DAYS);
        patient
    }

    fn calculated(&self, portion: &Portion) -> Option<&Calculation> {
        portion.calculation.and_then(|name| self.state.calculation(name.0))
    }

    /// The drug in a vial, by the formulary that it was received by.
    fn drug_of(&self, vial: &Vial) -> DrugId {
        self.product_of(vial).drug.clone()
    }
}

/// A mass in whole nanograms, half up: what is looked back on is a sum of many.
fn mass_of(dose: Quantity) -> Mass {
    let nanograms = dose.to_base().map(Rational::half_up).unwrap_or_default();
    u64::try_from(nanograms).ok().and_then(|it| Mass::from_nanograms(it).ok()).unwrap_or(Mass::MAX)
}
