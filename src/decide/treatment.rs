//! What a session asks of a dose: the patient's answers, the readings before it, and the patient's own history.

use std::sync::Arc;

use super::dose::{Sum, question_stops};
use super::soft::SoftLimits;
use crate::command::{DoseInputs, Override};
use crate::course::{BeforeDose, Course, Met, OpenAlert, Session, Windowed, before_dose};
use crate::formulary::{Phase, Plan, Protocol, QuestionWeight};
use crate::pb::v1::{self, Answer, OverrideReason};
use crate::refusal::{Refusal, TreatmentRefusal};
use crate::state::{FormularyRecord, PatientRecord, State};
use crate::time::Timestamp;
use crate::units::{Quantity, QuantityError, Rational, Unit, Weight};
use crate::wire::quantity_to_wire;

/// The session of a dose with everything that it looks back on.
pub(super) struct Treatment<'a> {
    course: &'a Arc<Course>,
    patient: &'a Arc<PatientRecord>,
    /// By the formulary that the session began under.
    plan: &'a Arc<Plan>,
    phase: &'a Phase,
    before: BeforeDose<'a>,
}

impl<'a> Treatment<'a> {
    /// The session that the inputs name. A protocol of a plan is given in a session only.
    pub(super) fn find(
        state: &'a State,
        record: &FormularyRecord,
        protocol: &Protocol,
        inputs: &DoseInputs,
        now: Timestamp,
    ) -> Result<Option<Self>, Refusal> {
        let Some(name) = inputs.session else {
            return match record.formulary.plan_of(&protocol.id) {
                Some(_) => {
                    Err(TreatmentRefusal::SessionRequired { protocol: inputs.protocol.clone() }
                        .into())
                }
                None => Ok(None),
            };
        };
        let session = match open_session(state, name) {
            // That it is over comes after what does not exist at all.
            Err(refusal @ Refusal::Unknown { .. }) => return Err(refusal),
            session => session,
        };
        let (_, course) = state.course_of_session(name).expect("a session has its course");
        known_effects(course, state, &inputs.overrides)?;
        let session = session?;
        if session.patient != *state.patient_name(&inputs.patient) {
            return Err(Refusal::PatientMismatch);
        }
        let patient = state.patient(&session.patient).expect("a session has its patient");
        if session.protocol != inputs.protocol {
            return Err(TreatmentRefusal::SessionDiffers {
                session: name,
                found: format!("by {}", session.protocol),
                asked: inputs.protocol.to_string(),
            }
            .into());
        }
        let (_, plan) = state.plan_of_session(session);
        let (_, phase) = plan.phase(&session.phase).expect("a session has a phase of its plan");
        let before = ready(state, session, plan, now)?;
        Ok(Some(Self { course, patient, plan, phase, before }))
    }

    /// Every question of the protocol has an answer that counts today, and none of them stops.
    pub(super) fn answers(
        &self,
        state: &State,
        protocol: &Protocol,
        now: Timestamp,
        soft: &mut SoftLimits,
    ) -> Result<(), Refusal> {
        eligible(state, self.patient, protocol, now, soft)
    }

    /// The readings before the dose: what stops it, and what needs a reason.
    pub(super) fn readings(&self, soft: &mut SoftLimits) -> Result<(), Refusal> {
        if !self.before.stopping.is_empty() {
            return Err(
                TreatmentRefusal::VitalsOutside { criteria: said(&self.before.stopping) }.into()
            );
        }
        for met in &self.before.asking {
            soft.passed(&before_limit(met), met.to_string());
        }
        Ok(())
    }

    /// What the dose is against the patient's weight before, the course's dose before, and the last weeks.
    pub(super) fn history(
        &self,
        state: &State,
        inputs: &DoseInputs,
        sum: &Sum,
        now: Timestamp,
        context: &mut v1::DoseContext,
        soft: &mut SoftLimits,
    ) -> Result<(), Refusal> {
        context.first_dose_limit = self.first_dose_limit().map(quantity_to_wire);
        if let Some(last) = self.patient.last_weight {
            let kilograms = last.to_quantity(Unit::Kilogram).map_err(broken)?;
            context.last_weight = Some(quantity_to_wire(kilograms));
            let percent = self.plan.history.weight_change_percent;
            if differs_by(last, inputs.weight, percent) {
                let now = inputs.weight.to_quantity(Unit::Kilogram).map_err(broken)?;
                let text = format!(
                    "the weight is {now} and was {kilograms} the last time, {percent} % or more off: weigh again"
                );
                soft.passed("WEIGHT_CHANGED", text);
            }
        }
        context.rises = self.course.rises;
        if let Some(last) = self.course.last_order {
            context.last_dose = Some(quantity_to_wire(last));
            if let Ok(last) = last.convert(sum.dose.unit())
                && last != sum.dose
            {
                let word = if sum.dose.value() > last.value() { "raised" } else { "lowered" };
                context.rises += u32::from(word == "raised");
                let text = format!("the dose is {word} from {last} to {}", sum.dose);
                soft.passed("DOSE_CHANGED", text);
            }
        }
        let dose = sum.measured.dose.convert(Unit::Milligram).map_err(broken)?;
        let today = state.day_of(now);
        for window in &self.plan.windows {
            let past =
                Windowed::of(&self.patient.doses, &self.plan.drug, window.days, today, |at| {
                    state.day_of(at)
                });
            let mass = past.mass.value().plus(dose.value());
            let mass = mass.map_err(|error| Refusal::NotCalculable(error.to_string()))?;
            let mass = Quantity::new(mass, Unit::Milligram);
            context.window_masses.push(v1::WindowMass {
                days: window.days.into(),
                mass: Some(quantity_to_wire(mass)),
            });
            let Some(limit) = window.mass else { continue };
            let limit = limit.to_quantity(Unit::Milligram).map_err(broken)?;
            if mass.value() > limit.value() {
                let days = window.days;
                let text =
                    format!("with this dose {mass} within {days} days, usual is up to {limit}");
                soft.passed(&format!("MASS_WINDOW:{days}"), text);
            }
        }
        Ok(())
    }

    /// The limit of its own that the very first dose of a course has.
    pub(super) fn first_dose_limit(&self) -> Option<Quantity> {
        self.phase.first_dose.filter(|_| self.course.dosed() == 0)
    }
}

/// An open session; a session that is over is told apart from one that never was.
pub(super) fn open_session(
    state: &State,
    name: crate::names::SessionName,
) -> Result<&Arc<Session>, Refusal> {
    match state.session(name) {
        Some(session) => Ok(session),
        None if state.course_of_session(name).is_some() => {
            Err(TreatmentRefusal::SessionNotOpen { session: name }.into())
        }
        None => Err(Refusal::Unknown { resource: name.to_string() }),
    }
}

/// Whether the session is ready for its dose: none was given or is in hands, no alert is open, everything was read.
fn ready<'a>(
    state: &State,
    session: &'a Session,
    plan: &'a Plan,
    now: Timestamp,
) -> Result<BeforeDose<'a>, Refusal> {
    no_alert(session)?;
    if let Some(calculation) = session.calculation {
        // What was wasted before anything of it was given, or brought back, is no dose.
        let in_hands = state.calculation(calculation.0).is_some_and(|it| it.open > 0);
        if in_hands || session.first_dose.is_some() {
            return Err(TreatmentRefusal::DuplicateDose { calculation }.into());
        }
    }
    let before = before_dose(session, &plan.monitoring, now);
    read_enough(&before, plan)?;
    Ok(before)
}

/// No alert of the session waits for a prescriber.
pub(super) fn no_alert(session: &Session) -> Result<(), Refusal> {
    match session.alerts.first() {
        None => Ok(()),
        Some(OpenAlert { name, action, .. }) => {
            Err(TreatmentRefusal::AlertOpen { alert: *name, action: action.clone() }.into())
        }
    }
}

/// Everything that must be read before a dose was read.
pub(super) fn read_enough(before: &BeforeDose<'_>, plan: &Plan) -> Result<(), Refusal> {
    if before.missing.is_empty() {
        return Ok(());
    }
    let measures: Vec<String> = before.missing.iter().map(ToString::to_string).collect();
    Err(TreatmentRefusal::VitalsMissing {
        measures: measures.join(", "),
        within: plan.monitoring.before_valid.to_string(),
    }
    .into())
}

/// The limit's name under which a reading before the dose is passed.
pub(super) fn before_limit(met: &Met<'_>) -> String {
    format!("BEFORE:{}", met.criterion.id)
}

/// Criteria in words.
pub(super) fn said(met: &[Met<'_>]) -> String {
    met.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Every question of a protocol has an answer that counts today, and none of them stops.
pub(super) fn eligible(
    state: &State,
    patient: &PatientRecord,
    protocol: &Protocol,
    now: Timestamp,
    soft: &mut SoftLimits,
) -> Result<(), Refusal> {
    let today = state.day_of(now);
    let mut open = Vec::new();
    let mut stopping = Vec::new();
    for question in &protocol.questions {
        let id = question.id.as_str();
        let Some(answered) = patient.answers.get(id) else {
            open.push(id.to_owned());
            continue;
        };
        let answer = Answer::try_from(answered.answer).unwrap_or(Answer::Unknown);
        if !matches!(answer, Answer::Yes | Answer::No) {
            open.push(id.to_owned());
        } else if answered.last_day < today {
            open.push(format!("{id} (its answer counted until {})", answered.last_day));
        } else if question_stops(question, answer) {
            stopping.push((question, answered));
        }
    }
    if !open.is_empty() {
        return Err(Refusal::Unanswered { questions: open.join(", ") });
    }
    for (question, answered) in stopping {
        if question.weight == QuestionWeight::Hard {
            return Err(Refusal::Contraindicated { question: question.text.clone() });
        }
        let limit = format!("QUESTION:{}", question.id);
        match &answered.passed {
            Some((reason, note)) => {
                let reason = OverrideReason::try_from(*reason).unwrap_or_default();
                let by = &answered.by;
                let note = if note.is_empty() { String::new() } else { format!(" ({note})") };
                let text = format!("{}; {}{note}, by {by}", question.text, reason.as_str_name());
                soft.settled(&limit, text);
            }
            None => soft.passed(&limit, question.text.clone()),
        }
    }
    Ok(())
}

/// An adverse effect that a reason names is one of the course's patient.
fn known_effects(course: &Course, state: &State, overrides: &[Override]) -> Result<(), Refusal> {
    let patient = state.patient(&course.patient).expect("a course has its patient");
    for effect in overrides.iter().filter_map(|item| item.effect) {
        let known = state
            .course_of_effect(effect)
            .is_some_and(|(course, _)| patient.courses.contains(&course));
        if !known {
            return Err(Refusal::Unknown { resource: effect.to_string() });
        }
    }
    Ok(())
}

/// A quantity that cannot be worked with.
#[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`, which hands it over")]
fn broken(error: QuantityError) -> Refusal {
    Refusal::NotCalculable(error.to_string())
}

/// Whether two weights differ by so many per cent of the first, or more.
fn differs_by(last: Weight, now: Weight, percent: u16) -> bool {
    let (last, now) = (last.rational(), now.rational());
    let (low, high) = if last < now { (last, now) } else { (now, last) };
    let hundred = Rational::from_integer(100);
    let change = high.minus(low).and_then(|change| change.times(hundred));
    let limit = last.times(Rational::from(u32::from(percent)));
    // Weights are at most 650 kg, in grams: nothing here overflows.
    change.is_ok_and(|change| limit.is_ok_and(|limit| change >= limit))
}
