//! What happens in a session besides its dose: observations and their alerts, adverse effects, the monitoring form.

use super::authority::{LICENSED, PRESCRIBERS, TREATERS};
use super::treatment::open_session;
use super::{Case, Draft, Signer};
use crate::command::{
    AcknowledgeCommand, Act, EffectCommand, EffectSubject, FormCommand, ObservationCommand,
    ReadingCommand, WasteCommand, WasteSource,
};
use crate::course::{Course, Effect, Observed, OpenAlert, Session, late};
use crate::formulary::{Formulary, Measure, MeasureId};
use crate::names::{AlertName, CalculationName, CourseName, EffectName, SessionName};
use crate::pb::v1::{self, FlagKind, outcome};
use crate::refusal::{Refusal, TreatmentRefusal};
use crate::state::Change;
use crate::time::Timestamp;
use crate::wire::{alert_to_wire, date_to_wire, effect_kind_from_wire, effect_to_wire};

impl Case<'_> {
    pub(super) fn observe(
        &self,
        signer: &Signer,
        act: &ObservationCommand,
    ) -> Result<Draft, Refusal> {
        self.need(signer, TREATERS)?;
        let session = open_session(self.state, act.session)?;
        let (record, plan) = self.state.plan_of_session(session);
        let known = act.readings.iter().map(|reading| known(&record.formulary, reading));
        let known = known.collect::<Result<Vec<_>, _>>()?;
        let values = known.into_iter().map(|(measure, reading)| value(measure, reading));
        let observed = Observed { at: act.observed, values: values.collect::<Result<_, _>>()? };
        self.not_future("observed_time", act.observed)?;
        if session.started.micros_since(act.observed)
            > super::span_micros(plan.monitoring.before_valid)
        {
            let before = format!("the session began at {}", session.started);
            return Err(Refusal::TooEarly { field: "observed_time", moment: act.observed, before });
        }

        // From here the observation is accepted.
        let mut flags = Vec::new();
        let mut alerts: Vec<OpenAlert> = Vec::new();
        let since = self.stops_since(session);
        for (criterion, value) in session.stops(&plan.monitoring, &observed, since) {
            let met = crate::course::Met { criterion, value };
            flags.push((FlagKind::StopCriterion, met.to_string()));
            // One that is open already is not raised again: it still waits for a prescriber.
            if session.alerts.iter().any(|alert| alert.criterion == criterion.id) {
                continue;
            }
            let number = u32::try_from(alerts.len() + 1).expect("a formulary has few criteria");
            alerts.push(OpenAlert {
                name: AlertName { observation: self.index, number },
                criterion: criterion.id.clone(),
                measure: criterion.measure.id.clone(),
                value,
                unit: criterion.measure.unit.clone(),
                observed: observed.at,
                limit: criterion.bound.to_string(),
                action: criterion.action.clone(),
            });
        }
        for due in late(session, &plan.monitoring, &observed) {
            let text = format!("observed at {}, due at {due}", observed.at);
            flags.push((FlagKind::ObservedLate, text));
        }
        let mut draft = Draft::new(outcome::Result::Observation(v1::Observation {
            session: act.session.to_string(),
            alerts: alerts.iter().map(alert_to_wire).collect(),
        }));
        for (kind, text) in flags {
            draft.flag(kind, text);
        }
        self.flag_late(&mut draft, act.observed);
        touch_session(&mut draft, session);
        let mut session = session.as_ref().clone();
        session.observations.push(observed);
        session.alerts.extend(alerts);
        draft.change(Change::PutSession(Box::new(session)));
        Ok(draft)
    }

    /// From when on the stop criteria of a session count. A dose counts as soon as it is handed out, by the server's
    /// clock; the device on which a reading is dated may be behind it.
    fn stops_since(&self, session: &Session) -> Option<Timestamp> {
        let in_hands = self.state.dose_in_hands_since(session);
        let in_hands = in_hands.filter(|_| self.version >= super::STOPS_IN_HANDS_SINCE);
        let skewed = |since: Timestamp| since.checked_add_micros(-super::CLOCK_SKEW);
        session.watched_since(in_hands.map(|since| skewed(since).unwrap_or(since)))
    }

    /// The session that a request is about, whether it names it or what belongs to it. A request that is refused may
    /// name what is not there.
    pub(super) fn session_asked_about(&self) -> Option<SessionName> {
        let dispensing = match &self.command.act {
            Act::Dispense(act) => return self.session_calculated(act.calculation?),
            Act::CheckDose(act) => return self.session_calculated(act.calculation),
            Act::AcknowledgeAlert(act) => {
                return self.state.session_of_alert(act.alert).map(|session| session.name);
            }
            Act::Administer(act) => act.dispensing,
            Act::Waste(WasteCommand { source: WasteSource::Dispensing(name), .. }) => *name,
            Act::Return(act) => act.dispensing,
            act => return act.session(),
        };
        let portion = self.state.vial_of_dispensing(dispensing)?.portions().get(&dispensing)?;
        self.session_calculated(portion.calculation?)
    }

    fn session_calculated(&self, calculation: CalculationName) -> Option<SessionName> {
        self.state.calculation(calculation.0)?.session
    }

    pub(super) fn acknowledge(
        &self,
        signer: &Signer,
        act: &AcknowledgeCommand,
    ) -> Result<Draft, Refusal> {
        self.need(signer, PRESCRIBERS)?;
        let session = self.state.session_of_alert(act.alert);
        let session = session.ok_or(TreatmentRefusal::AlertNotOpen { alert: act.alert })?;

        // From here the acknowledgement is accepted.
        let mut draft = Draft::new(outcome::Result::AlertAcknowledged(v1::AlertAcknowledged {
            alert: act.alert.to_string(),
            session: session.name.to_string(),
        }));
        touch_session(&mut draft, session);
        let mut session = session.as_ref().clone();
        session.alerts.retain(|alert| alert.name != act.alert);
        draft.change(Change::PutSession(Box::new(session)));
        Ok(draft)
    }

    pub(super) fn adverse_effect(
        &self,
        signer: &Signer,
        act: &EffectCommand,
    ) -> Result<Draft, Refusal> {
        self.need(signer, TREATERS)?;
        let (name, course_name, course, before) = self.effect_subject(act.subject)?;
        let kind = effect_kind_from_wire(act.kind).expect("the request's reading refused none");
        if let Some(before) = before.filter(|before| before.kind != kind) {
            return Err(TreatmentRefusal::EffectDiffers {
                effect: name,
                recorded: before.kind.word(),
            }
            .into());
        }
        self.not_future("onset_time", act.onset)?;
        if let Some(end) = act.end {
            self.not_future("end_time", end)?;
        }

        // From here the effect is accepted.
        let session = match act.subject {
            EffectSubject::Session(session) => Some(session),
            _ => before.and_then(|before| before.session),
        };
        let effect = Effect {
            kind,
            severity: act.severity.into(),
            serious: act.serious,
            session,
            onset: act.onset,
            end: act.end,
            actions: act.actions.iter().map(|action| i32::from(*action)).collect(),
            note: act.note.clone().unwrap_or_default(),
            recorded: before.map_or(self.now, |before| before.recorded),
        };
        let wire = effect_to_wire(name, course_name, &effect);
        let mut draft = Draft::new(outcome::Result::AdverseEffect(wire));
        draft.touch(&course.patient);
        draft.touch(&course_name);
        draft.touch(&name);
        if let Some(session) = session {
            draft.touch(&session);
        }
        if act.serious {
            let text = format!("{}: a serious adverse effect", effect.kind);
            draft.flag(FlagKind::SeriousAdverseEffect, text);
        }
        let mut course = course.clone();
        course.effects.insert(name, effect);
        draft.change(Change::PutCourse(course_name, Box::new(course)));
        Ok(draft)
    }

    /// The effect's name, its course, and how it stood before.
    fn effect_subject(
        &self,
        subject: EffectSubject,
    ) -> Result<(EffectName, CourseName, &Course, Option<&Effect>), Refusal> {
        let unknown = |name: String| Refusal::Unknown { resource: name };
        let new = EffectName(self.index);
        match subject {
            EffectSubject::Session(session) => {
                let found = self.state.course_of_session(session);
                let (name, course) = found.ok_or_else(|| unknown(session.to_string()))?;
                Ok((new, name, course, None))
            }
            EffectSubject::Course(name) => {
                let course = self.state.course(name).ok_or_else(|| unknown(name.to_string()))?;
                Ok((new, name, course, None))
            }
            EffectSubject::Effect(effect) => {
                let found = self.state.course_of_effect(effect);
                let (name, course) = found.ok_or_else(|| unknown(effect.to_string()))?;
                Ok((effect, name, course, course.effects.get(&effect)))
            }
        }
    }

    pub(super) fn form_sent(&self, signer: &Signer, act: &FormCommand) -> Result<Draft, Refusal> {
        self.need(signer, LICENSED)?;
        let found = self.state.course_of_session(act.session);
        let (name, course) =
            found.ok_or_else(|| Refusal::Unknown { resource: act.session.to_string() })?;
        let line = course.sessions.iter().find(|line| line.name == act.session);
        let line = line.expect("the state's index follows the courses");
        let none = |why| TreatmentRefusal::NoForm { session: act.session, why };
        let due =
            line.form_due.ok_or_else(|| none("its plan asks for none, or nothing was given"))?;
        if line.ended.is_none() {
            return Err(none("it is still open; discharge the patient first").into());
        }
        if line.form_sent.is_some() {
            return Err(none("it is recorded as sent already").into());
        }
        self.day_not_future("sent_date", act.sent)?;

        // From here it is accepted.
        let mut draft = Draft::new(outcome::Result::FormSent(v1::FormSent {
            session: act.session.to_string(),
            due_date: Some(date_to_wire(due)),
        }));
        draft.touch(&course.patient);
        draft.touch(&name);
        draft.touch(&act.session);
        if act.sent > due {
            draft.flag(FlagKind::FormLate, format!("sent on {}, due by {due}", act.sent));
        }
        let mut course = course.as_ref().clone();
        for line in course.sessions.iter_mut().filter(|line| line.name == act.session) {
            line.form_sent = Some(act.sent);
        }
        draft.change(Change::PutCourse(name, Box::new(course)));
        Ok(draft)
    }
}

/// Whatever belongs to a session is found by it, its course and its patient.
pub(super) fn touch_session(draft: &mut Draft, session: &Session) {
    draft.touch(&session.patient);
    draft.touch(&session.course);
    draft.touch(&session.name);
}

/// A measure of the formulary, with what was read of it.
fn known<'a>(
    formulary: &'a Formulary,
    reading: &'a ReadingCommand,
) -> Result<(&'a Measure, &'a ReadingCommand), Refusal> {
    let measure = reading.measure.parse().ok().and_then(|id| formulary.measure(&id));
    let unknown = || Refusal::Unknown { resource: format!("the measure {}", reading.measure) };
    Ok((measure.ok_or_else(unknown)?, reading))
}

/// A reading that can be.
fn value(measure: &Measure, reading: &ReadingCommand) -> Result<(MeasureId, i32), Refusal> {
    let impossible = |expected| TreatmentRefusal::Implausible {
        measure: measure.name.clone(),
        value: reading.value,
        unit: reading.unit.clone(),
        expected,
    };
    if reading.unit != measure.unit {
        return Err(impossible(format!("it is read in {}", measure.unit)).into());
    }
    if !(measure.lowest..=measure.highest).contains(&reading.value) {
        return Err(impossible(format!("it is {} to {}", measure.lowest, measure.highest)).into());
    }
    Ok((measure.id.clone(), reading.value))
}
