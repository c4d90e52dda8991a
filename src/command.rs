//! A request that has been read completely: every field present, in range, of the right kind.
//!
//! [`Command::parse`] finds all that is wrong with a message's syntax and reports it together. What it lets through
//! says what somebody wants; whether they may have it is for the rules to decide.

mod course;
mod custody;
mod dose;
mod header;
mod ledger;
mod reader;
mod registry;

pub use course::{
    AcknowledgeCommand, CancelSessionCommand, CloseCourseCommand, DischargeCommand, EffectCommand,
    EffectSubject, EligibilityCommand, FormCommand, MAX_ACTIONS, MAX_READINGS, MergeCommand,
    MissedSessionCommand, ObservationCommand, OpenCourseCommand, OpenIdentityCommand,
    ReadingCommand, RegisterCommand, StartSessionCommand,
};
pub use custody::{
    AdministrationCommand, DeliveryCommand, DeliveryLine, DispenseCommand, LineProduct,
    MAX_CONTAINERS, MAX_LINES, QuarantineCommand, ReturnCommand, Supplier, WasteCommand,
    WasteSource, WitnessCommand,
};
pub use dose::{Answered, CheckCommand, DoseInputs, MAX_ANSWERS, Override};
pub use header::{Header, RequestId};
pub use ledger::{RotateKeyCommand, SelfAuditCommand};
pub use reader::Violation;
pub use registry::{
    ApproveCommand, EnrollKeyCommand, EnrollPersonCommand, InitializeCommand, PlaceCommand,
    PublishCommand, RevokeKeyCommand, RolesCommand, SiteCommand,
};

use crate::ledger::RequestKind;
use crate::names::{CourseName, SessionName};
use reader::Reader;

/// Bytes of a request at most. What is left of an entry's 65,535 holds the largest head and any refusal, so that no
/// request can be too long to have its refusal recorded.
pub const MAX_REQUEST_BYTES: usize = 60 * 1024;
/// Characters of a name for people at most.
pub const MAX_DISPLAY_NAME_CHARS: usize = 200;
/// Characters of an address, a reason or a note at most.
pub const MAX_TEXT_CHARS: usize = 500;
/// Characters of an invoice or order form number at most.
pub const MAX_DOCUMENT_CHARS: usize = 64;

/// A request that has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// What every request carries.
    pub header: Header,
    /// What it asks for.
    pub act: Act,
}

/// What a request asks for; one for each [`RequestKind`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// The first act in a ledger.
    Initialize(Box<InitializeCommand>),
    /// A person with a first key.
    EnrollPerson(EnrollPersonCommand),
    /// All roles of a person.
    ChangeRoles(RolesCommand),
    /// A further key of a person.
    EnrollKey(EnrollKeyCommand),
    /// The end of a key.
    RevokeKey(RevokeKeyCommand),
    /// A place where vials are kept.
    CreatePlace(PlaceCommand),
    /// A formulary.
    PublishFormulary(PublishCommand),
    /// The second person's consent.
    Approve(ApproveCommand),
    /// A dose.
    CalculateDose(Box<DoseInputs>),
    /// A delivery.
    ReceiveVials(Box<DeliveryCommand>),
    /// A vial, or a part of one, to a holder.
    Dispense(DispenseCommand),
    /// What a patient received.
    Administer(AdministrationCommand),
    /// What was made unusable.
    Waste(WasteCommand),
    /// A waste that a second person saw.
    Witness(WitnessCommand),
    /// An intact vial that came back.
    Return(ReturnCommand),
    /// A lot that is not dispensed any more.
    Quarantine(QuarantineCommand),
    /// A dose, worked out anew by a second person.
    CheckDose(Box<CheckCommand>),
    /// A patient under a pseudonym.
    RegisterPatient(RegisterCommand),
    /// Two ids of one patient.
    MergePatients(MergeCommand),
    /// The trace of an identity that is read.
    OpenIdentity(OpenIdentityCommand),
    /// Answers to eligibility questions.
    RecordEligibility(EligibilityCommand),
    /// A course of treatment.
    OpenCourse(OpenCourseCommand),
    /// The end of a course.
    CloseCourse(CloseCourseCommand),
    /// A session of a course.
    StartSession(StartSessionCommand),
    /// A session that did not take place.
    RecordMissedSession(MissedSessionCommand),
    /// A session that was called off.
    CancelSession(CancelSessionCommand),
    /// What was observed.
    RecordObservation(ObservationCommand),
    /// A prescriber has seen an alert.
    AcknowledgeAlert(AcknowledgeCommand),
    /// An adverse effect.
    RecordAdverseEffect(EffectCommand),
    /// A patient goes home.
    DischargePatient(DischargeCommand),
    /// A monitoring form that was sent.
    RecordFormSent(FormCommand),
    /// Another key in the place of the ledger's own.
    RotateLedgerKey(Box<RotateKeyCommand>),
    /// An audit of the ledger by itself.
    RecordSelfAudit(SelfAuditCommand),
}

impl Act {
    /// The session that it names.
    #[must_use]
    pub fn session(&self) -> Option<SessionName> {
        match self {
            Self::CalculateDose(inputs) => inputs.session,
            Self::CheckDose(act) => act.inputs.session,
            Self::CancelSession(act) => Some(act.session),
            Self::RecordObservation(act) => Some(act.session),
            Self::RecordAdverseEffect(EffectCommand {
                subject: EffectSubject::Session(session),
                ..
            }) => Some(*session),
            Self::DischargePatient(act) => Some(act.session),
            Self::RecordFormSent(act) => Some(act.session),
            _ => None,
        }
    }

    /// The age that it states, in completed years.
    #[must_use]
    pub fn age_years(&self) -> Option<u32> {
        match self {
            Self::CalculateDose(inputs) => Some(inputs.age_years),
            Self::CheckDose(act) => Some(act.inputs.age_years),
            Self::StartSession(act) => Some(act.age_years),
            _ => None,
        }
    }

    /// The free texts about a patient that it carries, each with its field.
    #[must_use]
    pub fn texts(&self) -> Vec<(&'static str, &str)> {
        match self {
            Self::CalculateDose(inputs) => notes("inputs.overrides.note", &inputs.overrides),
            Self::Dispense(act) => {
                let reasons = [
                    ("emergency_reason", &act.emergency_reason),
                    ("expiry_order_reason", &act.expiry_order_reason),
                ];
                let given = reasons.into_iter();
                given.filter_map(|(field, text)| Some((field, text.as_deref()?))).collect()
            }
            Self::Administer(act) => single("above_dose_reason", act.above_dose_reason.as_deref()),
            Self::Quarantine(act) => vec![("reason", &act.reason)],
            Self::MergePatients(act) => vec![("reason", &act.reason)],
            Self::RecordEligibility(act) => notes("overrides.note", &act.overrides),
            Self::CloseCourse(act) => single("note", act.note.as_deref()),
            Self::StartSession(act) => notes("overrides.note", &act.overrides),
            Self::RecordMissedSession(act) => single("note", act.note.as_deref()),
            Self::CancelSession(act) => single("note", act.note.as_deref()),
            Self::AcknowledgeAlert(act) => vec![("note", &act.note)],
            Self::RecordAdverseEffect(act) => single("note", act.note.as_deref()),
            Self::DischargePatient(act) => single("early_reason", act.early_reason.as_deref()),
            _ => Vec::new(),
        }
    }

    /// The course that it names.
    #[must_use]
    pub fn course(&self) -> Option<CourseName> {
        match self {
            Self::CloseCourse(act) => Some(act.course),
            Self::StartSession(act) => Some(act.course),
            Self::RecordMissedSession(act) => Some(act.course),
            _ => None,
        }
    }
}

impl Command {
    /// Reads a message's bytes. All that is wrong is found and reported at once, each with the field's path.
    pub fn parse(kind: RequestKind, bytes: &[u8]) -> Result<Self, Vec<Violation>> {
        let mut reader = Reader::default();
        if bytes.len() > MAX_REQUEST_BYTES {
            let found = bytes.len();
            reader.violation("", format!("has {found} bytes; send at most {MAX_REQUEST_BYTES}"));
        }
        let (header, act) = match kind {
            RequestKind::InitializeLedger => registry::initialize(&mut reader, bytes),
            RequestKind::EnrollPerson => registry::enroll_person(&mut reader, bytes),
            RequestKind::ChangeRoles => registry::change_roles(&mut reader, bytes),
            RequestKind::EnrollKey => registry::enroll_key(&mut reader, bytes),
            RequestKind::RevokeKey => registry::revoke_key(&mut reader, bytes),
            RequestKind::CreatePlace => registry::create_place(&mut reader, bytes),
            RequestKind::PublishFormulary => registry::publish_formulary(&mut reader, bytes),
            RequestKind::Approve => registry::approve(&mut reader, bytes),
            RequestKind::CalculateDose => dose::calculate(&mut reader, bytes),
            RequestKind::ReceiveVials => custody::receive(&mut reader, bytes),
            RequestKind::DispenseVial => custody::dispense(&mut reader, bytes),
            RequestKind::RecordAdministration => custody::administer(&mut reader, bytes),
            RequestKind::RecordWaste => custody::waste(&mut reader, bytes),
            RequestKind::Witness => custody::witness(&mut reader, bytes),
            RequestKind::ReturnVial => custody::take_back(&mut reader, bytes),
            RequestKind::QuarantineVials => custody::quarantine(&mut reader, bytes),
            RequestKind::CheckDose => dose::check(&mut reader, bytes),
            RequestKind::RegisterPatient => course::register(&mut reader, bytes),
            RequestKind::MergePatients => course::merge(&mut reader, bytes),
            RequestKind::OpenIdentity => course::open_identity(&mut reader, bytes),
            RequestKind::RecordEligibility => course::eligibility(&mut reader, bytes),
            RequestKind::OpenCourse => course::open_course(&mut reader, bytes),
            RequestKind::CloseCourse => course::close_course(&mut reader, bytes),
            RequestKind::StartSession => course::start_session(&mut reader, bytes),
            RequestKind::RecordMissedSession => course::missed_session(&mut reader, bytes),
            RequestKind::CancelSession => course::cancel_session(&mut reader, bytes),
            RequestKind::RecordObservation => course::observe(&mut reader, bytes),
            RequestKind::AcknowledgeAlert => course::acknowledge(&mut reader, bytes),
            RequestKind::RecordAdverseEffect => course::effect(&mut reader, bytes),
            RequestKind::DischargePatient => course::discharge(&mut reader, bytes),
            RequestKind::RecordFormSent => course::form_sent(&mut reader, bytes),
            RequestKind::RotateLedgerKey => ledger::rotate_key(&mut reader, bytes),
            RequestKind::RecordSelfAudit => ledger::self_audit(&mut reader, bytes),
        };
        match (header, act, reader.finish()) {
            (Some(header), Some(act), Ok(())) => Ok(Self { header, act }),
            (_, _, Err(violations)) => Err(violations),
            (_, _, Ok(())) => unreachable!("what is missing was reported as a violation"),
        }
    }
}

/// The words beside the coded reasons of soft limits.
fn notes<'a>(field: &'static str, overrides: &'a [Override]) -> Vec<(&'static str, &'a str)> {
    overrides.iter().filter_map(|item| Some((field, item.note.as_deref()?))).collect()
}

fn single<'a>(field: &'static str, text: Option<&'a str>) -> Vec<(&'static str, &'a str)> {
    text.map(|text| (field, text)).into_iter().collect()
}
