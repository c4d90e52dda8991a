//! What the rules say no to when it comes to patients, their courses, and double checks.

use crate::names::{
    AlertName, CalculationName, CourseName, EffectName, PersonName, ProtocolName, SessionName,
};
use crate::time::Date;

/// A refusal that belongs to treatment. None names a patient: a pseudonym stays out of errors too.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreatmentRefusal {
    /// Whoever calculated cannot check.
    #[error(
        "{person} worked this dose out and cannot check it too; a second person must work it out anew, with their own key"
    )]
    SelfCheck {
        /// Who asked.
        person: PersonName,
        /// The calculation.
        calculation: CalculationName,
    },
    /// The patient is not registered. The pseudonym stays out of errors.
    #[error(
        "the patient is not registered under this name; check it, or register the patient first (vialedger patient register)"
    )]
    PatientUnknown,
    /// The patient is registered already.
    #[error(
        "a patient is registered under this name already; choose another pseudonym, or use that one"
    )]
    PatientExists,
    /// The session is over.
    #[error(
        "{session} is not open: its patient was discharged, or it was called off; start a new one"
    )]
    SessionNotOpen {
        /// The session.
        session: SessionName,
    },
    /// The course is over.
    #[error("{course} is closed; open a new course")]
    CourseClosed {
        /// The course.
        course: CourseName,
    },
    /// A session is open that must end first.
    #[error("{session} is still open; discharge the patient, or call it off, first")]
    SessionOpen {
        /// The session.
        session: SessionName,
    },
    /// A course by the same plan is open.
    #[error("{course} by the same plan is open already; go on with it, or close it first")]
    CourseOpen {
        /// The course.
        course: CourseName,
    },
    /// The protocol is used in sessions only.
    #[error(
        "{protocol} is given only in a session of a course, where the patient is watched; start one (vialedger session start) and name it"
    )]
    SessionRequired {
        /// The protocol.
        protocol: ProtocolName,
    },
    /// The session is for something else.
    #[error("{session} is {found}; this asks for {asked}. Name the right session")]
    SessionDiffers {
        /// The session.
        session: SessionName,
        /// What it is for, in words.
        found: String,
        /// What was asked for, in words.
        asked: String,
    },
    /// Not the phase that comes now.
    #[error("{phase} is not the phase that comes now; it is {expected}")]
    WrongPhase {
        /// What was asked for.
        phase: String,
        /// The phases that may come now, in words.
        expected: String,
    },
    /// Needed before the dose and not read.
    #[error(
        "before the dose these must be read, within the last {within}: {measures}. Read them and record them first"
    )]
    VitalsMissing {
        /// The measures.
        measures: String,
        /// How fresh they must be.
        within: String,
    },
    /// A stop criterion that no prescriber has acknowledged.
    #[error(
        "{alert} is open: {action}. A prescriber must see the patient and acknowledge it before anything more is given"
    )]
    AlertOpen {
        /// The alert.
        alert: AlertName,
        /// What to do.
        action: String,
    },
    /// A second dose in one session.
    #[error(
        "in this session {calculation} was dispensed already; a session has one dose. Do not give a second"
    )]
    DuplicateDose {
        /// The calculation.
        calculation: CalculationName,
    },
    /// A second person must work it out first.
    #[error(
        "{calculation} waits for {who} to work it out anew (vialedger dose check); nothing is dispensed before both agree"
    )]
    CheckRequired {
        /// The calculation.
        calculation: CalculationName,
        /// Who must.
        who: &'static str,
    },
    /// The second person came to something else.
    #[error(
        "{calculation} was checked and the second person came to something else; find out who is right and calculate anew"
    )]
    CheckDiffers {
        /// The calculation.
        calculation: CalculationName,
    },
    /// No check is waited for.
    #[error("{calculation} does not wait for a check; there is nothing to do")]
    CheckNotAsked {
        /// The calculation.
        calculation: CalculationName,
    },
    /// Nothing goes home.
    #[error(
        "{product} is never handed to a patient to take home: {why}. Give it here, where the patient is watched"
    )]
    HomeSupply {
        /// The product.
        product: String,
        /// Who says so.
        why: String,
    },
    /// Something of a vial is still in hands.
    #[error(
        "{dispensings} is still in hands; administer, waste or return it before the patient leaves, so that nothing goes home"
    )]
    VialStillOut {
        /// What is in hands.
        dispensings: String,
    },
    /// Nothing was given.
    #[error("in {session} nothing was given; call it off instead (vialedger session cancel)")]
    NothingGiven {
        /// The session.
        session: SessionName,
    },
    /// Something was given.
    #[error("in {session} a dose was given; it ends with a discharge")]
    DoseGiven {
        /// The session.
        session: SessionName,
    },
    /// The patient may not leave yet.
    #[error(
        "the patient may not go home yet: {unmet}. If the patient leaves all the same, say why, and a prescriber who is another person must approve it"
    )]
    NotDischargeable {
        /// What is not met.
        unmet: String,
    },
    /// Not an alert that is open.
    #[error("{alert} is not open; there is nothing to acknowledge")]
    AlertNotOpen {
        /// The alert.
        alert: AlertName,
    },
    /// Another kind than was recorded.
    #[error("{effect} was recorded as {recorded}; record another kind as an effect of its own")]
    EffectDiffers {
        /// The effect.
        effect: EffectName,
        /// What it was recorded as.
        recorded: &'static str,
    },
    /// No form is waited for.
    #[error("{session} has no form to send: {why}")]
    NoForm {
        /// The session.
        session: SessionName,
        /// Why.
        why: &'static str,
    },
    /// Too soon after the last dose.
    #[error(
        "the last dose was {days} days ago, on {last}; at least {minimum} days must lie between, and nobody can override it"
    )]
    SessionTooEarly {
        /// Days since.
        days: i64,
        /// The day of the last dose.
        last: Date,
        /// The fewest days.
        minimum: u16,
    },
    /// A reading that stops the dose.
    #[error("no dose now: {criteria}. Nobody can override it")]
    VitalsOutside {
        /// What was read, and what to do.
        criteria: String,
    },
    /// A reading outside of what can be.
    #[error("{measure} {value} {unit} cannot be: {expected}. Read it again")]
    Implausible {
        /// The measure.
        measure: String,
        /// The value.
        value: i32,
        /// The unit that was sent.
        unit: String,
        /// What it can be.
        expected: String,
    },
    /// An age that the sealed date of birth does not give.
    #[error(
        "the age does not follow from the date of birth that was sealed for this patient; look at the patient's papers (vialedger patient show says the age)"
    )]
    AgeDiffers,
    /// The server holds no such identity.
    #[error(
        "this server holds no identity with that commitment; seal it first (vialedger patient register does both)"
    )]
    IdentityNotHeld,
    /// A text names the patient.
    #[error(
        "{field} names the patient; an entry can never be deleted, so write it without name, address, birth date or identifier"
    )]
    IdentityInText {
        /// Which text.
        field: &'static str,
    },
}

impl TreatmentRefusal {
    /// Stable name of the reason, in capitals and underscores.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::SelfCheck { .. } => "SELF_CHECK",
            Self::PatientUnknown => "PATIENT_UNKNOWN",
            Self::PatientExists => "PATIENT_EXISTS",
            Self::SessionNotOpen { .. } => "SESSION_NOT_OPEN",
            Self::CourseClosed { .. } => "COURSE_CLOSED",
            Self::SessionOpen { .. } => "SESSION_OPEN",
            Self::CourseOpen { .. } => "COURSE_OPEN",
            Self::SessionRequired { .. } => "SESSION_REQUIRED",
            Self::SessionDiffers { .. } => "SESSION_DIFFERS",
            Self::WrongPhase { .. } => "WRONG_PHASE",
            Self::VitalsMissing { .. } => "VITALS_MISSING",
            Self::AlertOpen { .. } => "ALERT_OPEN",
            Self::DuplicateDose { .. } => "DUPLICATE_DOSE",
            Self::CheckRequired { .. } => "CHECK_REQUIRED",
            Self::CheckDiffers { .. } => "CHECK_DIFFERS",
            Self::CheckNotAsked { .. } => "CHECK_NOT_ASKED",
            Self::HomeSupply { .. } => "HOME_SUPPLY",
            Self::VialStillOut { .. } => "VIAL_STILL_OUT",
            Self::NothingGiven { .. } => "NOTHING_GIVEN",
            Self::DoseGiven { .. } => "DOSE_GIVEN",
            Self::NotDischargeable { .. } => "NOT_DISCHARGEABLE",
            Self::AlertNotOpen { .. } => "ALERT_NOT_OPEN",
            Self::EffectDiffers { .. } => "EFFECT_DIFFERS",
            Self::NoForm { .. } => "NO_FORM",
            Self::SessionTooEarly { .. } => "SESSION_TOO_EARLY",
            Self::VitalsOutside { .. } => "VITALS_OUTSIDE",
            Self::Implausible { .. } => "IMPLAUSIBLE_READING",
            Self::AgeDiffers => "AGE_DIFFERS",
            Self::IdentityNotHeld => "IDENTITY_NOT_HELD",
            Self::IdentityInText { .. } => "IDENTITY_IN_TEXT",
        }
    }

    /// Whether it is kept as an entry of its own.
    #[must_use]
    pub fn recorded(&self) -> bool {
        matches!(
            self,
            Self::SelfCheck { .. }
                | Self::HomeSupply { .. }
                | Self::NotDischargeable { .. }
                | Self::SessionTooEarly { .. }
                | Self::VitalsOutside { .. }
        )
    }

    /// What it is about, where it is about one thing; never a patient.
    #[must_use]
    pub fn resource(&self) -> Option<String> {
        match self {
            Self::SelfCheck { calculation, .. }
            | Self::DuplicateDose { calculation }
            | Self::CheckRequired { calculation, .. }
            | Self::CheckDiffers { calculation }
            | Self::CheckNotAsked { calculation } => Some(calculation.to_string()),
            Self::SessionNotOpen { session }
            | Self::SessionOpen { session }
            | Self::SessionDiffers { session, .. }
            | Self::NothingGiven { session }
            | Self::DoseGiven { session }
            | Self::NoForm { session, .. } => Some(session.to_string()),
            Self::CourseClosed { course } | Self::CourseOpen { course } => Some(course.to_string()),
            Self::AlertOpen { alert, .. } | Self::AlertNotOpen { alert } => Some(alert.to_string()),
            Self::EffectDiffers { effect, .. } => Some(effect.to_string()),
            Self::SessionRequired { protocol } => Some(protocol.to_string()),
            Self::HomeSupply { product, .. } => Some(product.clone()),
            _ => None,
        }
    }
}
