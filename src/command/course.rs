//! Reading what belongs to patients and their courses.

use std::collections::BTreeSet;

use super::dose::{Answered, Override, answers, overrides, read_age};
use super::header::{Header, header};
use super::reader::Reader;
use super::{Act, MAX_DOCUMENT_CHARS, MAX_TEXT_CHARS};
use crate::identity::Commitment;
use crate::names::{AlertName, CourseName, EffectName, PatientName, PlanName, SessionName};
use crate::pb::v1::{
    self, CourseEnd, EffectAction, EffectKind, EffectSeverity, IdentityPurpose, SessionEnd,
};
use crate::time::{Date, Timestamp};

/// Readings in one observation at most.
pub const MAX_READINGS: usize = 32;
/// Actions on one adverse effect at most: as many as there are.
pub const MAX_ACTIONS: usize = 8;
/// Characters of the id of a measure or a phase at most.
const MAX_ID_CHARS: usize = 63;
/// Characters of a measure's unit at most.
const MAX_UNIT_CHARS: usize = 20;

/// A patient under a pseudonym.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterCommand {
    /// The pseudonym.
    pub patient: PatientName,
    /// Commitment to the identity.
    pub commitment: Commitment,
}

/// Two ids of one patient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeCommand {
    /// The id that becomes another name.
    pub alias: PatientName,
    /// The patient that both are.
    pub patient: PatientName,
    /// How that is known.
    pub reason: String,
}

/// The trace of an identity that is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenIdentityCommand {
    /// Whose.
    pub patient: PatientName,
    /// What for.
    pub purpose: IdentityPurpose,
}

/// Answers to eligibility questions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EligibilityCommand {
    /// Whose.
    pub patient: PatientName,
    /// The answers, at least one.
    pub answers: Vec<Answered>,
    /// When they were asked.
    pub answered: Timestamp,
    /// Soft questions that are passed on purpose.
    pub overrides: Vec<Override>,
}

/// A course of treatment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenCourseCommand {
    /// Whose.
    pub patient: PatientName,
    /// By which plan.
    pub plan: PlanName,
}

/// The end of a course.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseCourseCommand {
    /// The course.
    pub course: CourseName,
    /// Why.
    pub reason: CourseEnd,
    /// In words.
    pub note: Option<String>,
}

/// A session of a course.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartSessionCommand {
    /// The course.
    pub course: CourseName,
    /// Id of the phase.
    pub phase: String,
    /// Age in completed years.
    pub age_years: u32,
    /// Soft limits that are passed on purpose.
    pub overrides: Vec<Override>,
}

/// A session that did not take place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissedSessionCommand {
    /// The course.
    pub course: CourseName,
    /// Day for which it was planned.
    pub planned: Date,
    /// Why.
    pub reason: SessionEnd,
    /// In words.
    pub note: Option<String>,
}

/// A session that was called off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancelSessionCommand {
    /// The session.
    pub session: SessionName,
    /// Why.
    pub reason: SessionEnd,
    /// In words.
    pub note: Option<String>,
}

/// One value as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadingCommand {
    /// Id of the measure.
    pub measure: String,
    /// The value.
    pub value: i32,
    /// Its unit.
    pub unit: String,
}

/// What was observed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservationCommand {
    /// The session.
    pub session: SessionName,
    /// When.
    pub observed: Timestamp,
    /// What, at least one, each measure once.
    pub readings: Vec<ReadingCommand>,
}

/// A prescriber has seen an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcknowledgeCommand {
    /// The alert.
    pub alert: AlertName,
    /// What was decided.
    pub note: String,
}

/// What an adverse effect belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EffectSubject {
    /// The session that it began in.
    Session(SessionName),
    /// The course, between sessions.
    Course(CourseName),
    /// One that is recorded already.
    Effect(EffectName),
}

/// An adverse effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectCommand {
    /// What it belongs to.
    pub subject: EffectSubject,
    /// What kind it is.
    pub kind: EffectKind,
    /// How bad it was.
    pub severity: EffectSeverity,
    /// Whether it was serious.
    pub serious: bool,
    /// When it began.
    pub onset: Timestamp,
    /// When it ended, not before it began.
    pub end: Option<Timestamp>,
    /// What was done, at least one.
    pub actions: Vec<EffectAction>,
    /// In words.
    pub note: Option<String>,
}

/// A patient goes home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DischargeCommand {
    /// The session.
    pub session: SessionName,
    /// Whether a responsible adult is there.
    pub escort_present: bool,
    /// Whether the patient acknowledged not to drive.
    pub no_driving: bool,
    /// Whether the patient has the leaflet.
    pub leaflet: bool,
    /// Why before the rules allow it.
    pub early_reason: Option<String>,
}

/// A monitoring form that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormCommand {
    /// The session.
    pub session: SessionName,
    /// When.
    pub sent: Date,
    /// Reference of the programme.
    pub reference: Option<String>,
}

/// Reads the header of a request about patients or courses.
macro_rules! open {
    ($reader:ident, $bytes:ident, $message:ty) => {{
        let Some(m) = $reader.message::<$message>($bytes) else { return (None, None) };
        let header = header($reader, &m.ledger, &m.request_id, m.validate_only, m.expected_size);
        (m, header)
    }};
}

type Read = (Option<Header>, Option<Act>);

pub(super) fn register(reader: &mut Reader, bytes: &[u8]) -> Read {
    let (m, header) = open!(reader, bytes, v1::RegisterPatientRequest);
    let patient = reader.name("patient", &m.patient);
    let commitment =
        reader.take("identity_commitment", Commitment::try_from(m.identity_commitment.as_slice()));
    let act = patient.zip(commitment);
    let act = act.map(|(patient, commitment)| RegisterCommand { patient, commitment });
    (header, act.map(Act::RegisterPatient))
}

pub(super) fn merge(reader: &mut Reader, bytes: &[u8]) -> Read {
    let (m, header) = open!(reader, bytes, v1::MergePatientsRequest);
    let alias = reader.name("alias", &m.alias);
    let patient = reader.name("patient", &m.patient);
    if !m.patient.is_empty() && m.alias == m.patient {
        reader.violation("alias", "is the patient itself; name the other id");
    }
    let reason = reader.text("reason", &m.reason, MAX_TEXT_CHARS);
    let act = (|| Some(MergeCommand { alias: alias?, patient: patient?, reason: reason? }))();
    (header, act.map(Act::MergePatients))
}

pub(super) fn open_identity(reader: &mut Reader, bytes: &[u8]) -> Read {
    let (m, header) = open!(reader, bytes, v1::OpenIdentityRequest);
    let patient = reader.name("patient", &m.patient);
    let purpose = reader.choice("purpose", m.purpose);
    let act = patient.zip(purpose);
    let act = act.map(|(patient, purpose)| OpenIdentityCommand { patient, purpose });
    (header, act.map(Act::OpenIdentity))
}

pub(super) fn eligibility(reader: &mut Reader, bytes: &[u8]) -> Read {
    let (m, header) = open!(reader, bytes, v1::RecordEligibilityRequest);
    let patient = reader.name("patient", &m.patient);
    if m.answers.is_empty() {
        reader.violation("answers", "is empty; send at least one answer");
    }
    let answers = answers(reader, "answers", &m.answers);
    let answered = reader.moment("answered_time", m.answered_time.as_ref());
    let overrides = overrides(reader, "overrides", &m.overrides);
    for (index, item) in m.overrides.iter().enumerate() {
        let question = item.limit.strip_prefix("QUESTION:");
        if !question.is_some_and(|id| m.answers.iter().any(|answer| answer.question == id)) {
            let text = "is not \"QUESTION:\" and the id of a question answered here; an answer and \
                        the reason to pass it are recorded together";
            reader.violation(&format!("overrides[{index}].limit"), text);
        }
    }
    let act = (|| {
        Some(EligibilityCommand {
            patient: patient?,
            answers: answers?,
            answered: answered?,
            overrides: overrides?,
        })
    })();
    (header, act.map(Act::RecordEligibility))
}

pub(super) fn open_course(reader: &mut Reader, bytes: &[u8]) -> Read {
    let (m, header) = open!(reader, bytes, v1::OpenCourseRequest);
    let patient = reader.name("patient", &m.patient);
    let plan = reader.name("plan", &m.plan);
    let act = patient.zip(plan).map(|(patient, plan)| OpenCourseCommand { patient, plan });
    (header, act.map(Act::OpenCourse))
}

pub(super) fn close_course(reader: &mut Reader, bytes: &[u8]) -> Read {
    let (m, header) = open!(reader, bytes, v1::CloseCourseRequest);
    let course = reader.name("course", &m.course);
    let reason = reader.choice("reason", m.reason);
    let note = note(reader, &m.note, reason == Some(CourseEnd::Other));
    let act = course.zip(reason);
    let act = act.map(|(course, reason)| CloseCourseCommand { course, reason, note });
    (header, act.map(Act::CloseCourse))
}

pub(super) fn start_session(reader: &mut Reader, bytes: &[u8]) -> Read {
    let (m, header) = open!(reader, bytes, v1::StartSessionRequest);
    let course = reader.name("course", &m.course);
    let phase = reader.text("phase", &m.phase, MAX_ID_CHARS);
    let age_years = read_age(reader, "age_years", m.age_years);
    let overrides = overrides(reader, "overrides", &m.overrides);
    let act = (|| {
        Some(StartSessionCommand {
            course: course?,
            phase: phase?,
            age_years: age_years?,
            overrides: overrides?,
        })
    })();
    (header, act.map(Act::StartSession))
}

pub(super) fn missed_session(reader: &mut Reader, bytes: &[u8]) -> Read {
    let (m, header) = open!(reader, bytes, v1::RecordMissedSessionRequest);
    let course = reader.name("course", &m.course);
    let planned = reader.required("planned_date", m.planned_date.as_ref());
    let planned = reader.optional_date("planned_date", planned);
    let reason = reader.choice("reason", m.reason);
    let note = note(reader, &m.note, reason == Some(SessionEnd::Other));
    let act = (|| {
        Some(MissedSessionCommand { course: course?, planned: planned?, reason: reason?, note })
    })();
    (header, act.map(Act::RecordMissedSession))
}

pub(super) fn cancel_session(reader: &mut Reader, bytes: &[u8]) -> Read {
    let (m, header) = open!(reader, bytes, v1::CancelSessionRequest);
    let session = reader.name("session", &m.session);
    let reason = reader.choice("reason", m.reason);
    let note = note(reader, &m.note, reason == Some(SessionEnd::Other));
    let act = session.zip(reason);
    let act = act.map(|(session, reason)| CancelSessionCommand { session, reason, note });
    (header, act.map(Act::CancelSession))
}

pub(super) fn observe(reader: &mut Reader, bytes: &[u8]) -> Read {
    let (m, header) = open!(reader, bytes, v1::RecordObservationRequest);
    let session = reader.name("session", &m.session);
    let observed = reader.moment("observed_time", m.observed_time.as_ref());
    let readings = readings(reader, &m.readings);
    let act = (|| {
        Some(ObservationCommand { session: session?, observed: observed?, readings: readings? })
    })();
    (header, act.map(Act::RecordObservation))
}

fn readings(reader: &mut Reader, readings: &[v1::Reading]) -> Option<Vec<ReadingCommand>> {
    if readings.is_empty() || readings.len() > MAX_READINGS {
        let found = readings.len();
        reader.violation("readings", format!("holds {found}; send 1 to {MAX_READINGS}"));
        return None;
    }
    let mut met = BTreeSet::new();
    let read: Vec<Option<ReadingCommand>> = readings
        .iter()
        .enumerate()
        .map(|(index, reading)| {
            let field = format!("readings[{index}]");
            let measure = reader.text(&format!("{field}.measure"), &reading.measure, MAX_ID_CHARS);
            let unit = reader.text(&format!("{field}.unit"), &reading.unit, MAX_UNIT_CHARS);
            if !met.insert(reading.measure.as_str()) {
                reader.violation(&field, "reads the same measure twice; send it once");
                return None;
            }
            Some(ReadingCommand { measure: measure?, value: reading.value, unit: unit? })
        })
        .collect();
    read.into_iter().collect()
}

pub(super) fn acknowledge(reader: &mut Reader, bytes: &[u8]) -> Read {
    let (m, header) = open!(reader, bytes, v1::AcknowledgeAlertRequest);
    let alert = reader.name("alert", &m.alert);
    let note = reader.text("note", &m.note, MAX_TEXT_CHARS);
    let act = alert.zip(note).map(|(alert, note)| AcknowledgeCommand { alert, note });
    (header, act.map(Act::AcknowledgeAlert))
}

pub(super) fn effect(reader: &mut Reader, bytes: &[u8]) -> Read {
    use v1::record_adverse_effect_request::Subject;
    let (m, header) = open!(reader, bytes, v1::RecordAdverseEffectRequest);
    let subject = match reader.required("subject", m.subject.as_ref()) {
        Some(Subject::Session(name)) => reader.name("session", name).map(EffectSubject::Session),
        Some(Subject::Course(name)) => reader.name("course", name).map(EffectSubject::Course),
        Some(Subject::AdverseEffect(name)) => {
            reader.name("adverse_effect", name).map(EffectSubject::Effect)
        }
        None => None,
    };
    let kind = reader.choice("kind", m.kind);
    let severity = reader.choice("severity", m.severity);
    let onset = reader.moment("onset_time", m.onset_time.as_ref());
    let end = m.end_time.as_ref().and_then(|end| reader.moment("end_time", Some(end)));
    if onset.zip(end).is_some_and(|(onset, end)| end < onset) {
        reader.violation("end_time", "is before onset_time; check the times");
    }
    if m.actions.is_empty() || m.actions.len() > MAX_ACTIONS {
        let found = m.actions.len();
        reader.violation("actions", format!("holds {found}; send 1 to {MAX_ACTIONS}"));
    }
    let actions: Vec<Option<EffectAction>> =
        m.actions.iter().map(|action| reader.choice("actions", *action)).collect();
    let note = note(reader, &m.note, kind == Some(EffectKind::Other));
    let act = (|| {
        Some(EffectCommand {
            subject: subject?,
            kind: kind?,
            severity: severity?,
            serious: m.serious,
            onset: onset?,
            end,
            actions: actions.into_iter().collect::<Option<_>>()?,
            note,
        })
    })();
    (header, act.map(Act::RecordAdverseEffect))
}

pub(super) fn discharge(reader: &mut Reader, bytes: &[u8]) -> Read {
    let (m, header) = open!(reader, bytes, v1::DischargePatientRequest);
    let session = reader.name("session", &m.session);
    let early_reason = reader.optional_text("early_reason", &m.early_reason, MAX_TEXT_CHARS);
    let act = session.map(|session| DischargeCommand {
        session,
        escort_present: m.escort_present,
        no_driving: m.no_driving_acknowledged,
        leaflet: m.leaflet_given,
        early_reason,
    });
    (header, act.map(Act::DischargePatient))
}

pub(super) fn form_sent(reader: &mut Reader, bytes: &[u8]) -> Read {
    let (m, header) = open!(reader, bytes, v1::RecordFormSentRequest);
    let session = reader.name("session", &m.session);
    let sent = reader.required("sent_date", m.sent_date.as_ref());
    let sent = reader.optional_date("sent_date", sent);
    let reference = reader.optional_text("reference", &m.reference, MAX_DOCUMENT_CHARS);
    let act = session.zip(sent).map(|(session, sent)| FormCommand { session, sent, reference });
    (header, act.map(Act::RecordFormSent))
}

/// A note, which "other" cannot do without.
fn note(reader: &mut Reader, note: &str, required: bool) -> Option<String> {
    if required {
        return reader.text("note", note, MAX_TEXT_CHARS);
    }
    reader.optional_text("note", note, MAX_TEXT_CHARS)
}
