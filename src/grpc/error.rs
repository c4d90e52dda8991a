//! The one place where a "no" becomes a gRPC status.
//!
//! Each status carries an `ErrorInfo` (domain `vialedger`, a stable reason in `UPPER_SNAKE`) and the
//! details that fit its code, and the same reason in the header [`REASON_HEADER`] for clients that
//! read no details. What a caller is told is what went wrong with the caller's own call: no patient
//! is ever named, and of our own faults nothing is told at all.

use std::collections::HashMap;

use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};

use super::limits::{
    DRAIN_LIMIT, MAX_ERROR_DETAILS_BYTES, MAX_ERROR_MESSAGE_BYTES, MAX_REQUEST_BYTES, RETRY_DELAY,
};
use crate::command::Violation;
use crate::refusal::{Refusal, RefusalClass};
use crate::service::ServiceError;
use crate::time::Timestamp;
use crate::tlog::{PublicKeyError, SignatureError};
use crate::token::TokenError;

/// Domain of every `ErrorInfo`.
pub const DOMAIN: &str = "vialedger";

/// Header of an error answer that repeats the `ErrorInfo`'s reason.
pub const REASON_HEADER: &str = "vialedger-reason";

/// Why a call is not answered with what it asked for.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// A field, or several, hold what they cannot hold.
    #[error("{}", invalid_summary(.0))]
    Invalid(Vec<Violation>),
    /// The message is longer than any request may be.
    #[error("the message is longer than {MAX_REQUEST_BYTES} bytes; send a smaller one")]
    MessageTooLarge,
    /// The message is compressed.
    #[error("the message is compressed; send it as it is, since its very bytes are what is signed")]
    MessageCompressed,
    /// There is no message, half of one, or more than one.
    #[error("the body is not exactly one gRPC message; send one message in one call")]
    NotOneMessage,
    /// The message's bytes are no protobuf of the expected type.
    #[error("the message is not a valid protobuf message of the call's request type")]
    MessageMalformed,
    /// `grpc-timeout` is not as the protocol has it.
    #[error("grpc-timeout is not 1 to 8 digits and one of H M S m u n")]
    Timeout,
    /// There is no such call.
    #[error("there is no such call; reflection lists those that there are")]
    UnknownMethod,
    /// A signed call without its key or its signature.
    #[error(
        "the call must be signed: send `vialedger-key-bin` (32 bytes) and \
         `vialedger-signature-bin` (64 bytes), once each, in base64"
    )]
    SignatureMissing,
    /// The key is none.
    #[error("vialedger-key-bin: {0}")]
    Key(#[from] PublicKeyError),
    /// The signature does not hold over the bytes that came.
    #[error("vialedger-signature-bin: {0}")]
    Signature(#[from] SignatureError),
    /// The rules say no before anything is queued, or to a preview.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A read without a token.
    #[error("the call needs `authorization: Bearer` with a token; make one with `vialedger token`")]
    TokenMissing,
    /// An identity that somebody else had opened.
    #[error("another person had this identity opened; sign an OpenIdentity of your own")]
    NotYours,
    /// An identity that is not open any more.
    #[error("the identity was open until {until}; sign an OpenIdentity anew")]
    IdentityClosed {
        /// Until when.
        until: Timestamp,
    },
    /// A token that is not taken.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// A token in the name of somebody whose key it is not.
    #[error("the bearer token names a person whose key did not sign it")]
    TokenSubject,
    /// A reader who holds no role any more.
    #[error("reading needs a role, and you hold none; an administrator can give you one")]
    NoRole,
    /// There is nothing of that name.
    #[error("there is no {0}")]
    NotFound(String),
    /// A position outside what there is.
    #[error("{0}")]
    OutOfRange(String),
    /// More calls are in work than the server takes.
    #[error("the server has as many calls in work as it takes; try again after the delay")]
    Overloaded,
    /// The server stops.
    #[error(
        "the server is stopping; connect again within {} s of its return",
        DRAIN_LIMIT.as_secs()
    )]
    Stopping,
    /// The time for the call was over.
    #[error("the deadline passed before the answer was there{}", if *.write { WRITE_ADVICE } else { "" })]
    DeadlineExceeded {
        /// Whether the call was a write, which may have happened.
        write: bool,
    },
    /// What the service answered.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// Our fault.
    #[error("an error inside the server; it has been logged there")]
    Internal,
}

const WRITE_ADVICE: &str = "; the write may have happened: send the same bytes with the same \
                            request_id again, which is safe and gets the first answer";

const WRITES_STOPPED: &str = "the ledger takes no writes until its operator has restarted it";

/// What a failure is on the wire, before it is made to fit.
struct Answer {
    code: Code,
    reason: &'static str,
    message: String,
    details: ErrorDetails,
    /// Index of the entry that records the refusal.
    entry: Option<u64>,
}

impl Answer {
    fn new(code: Code, reason: &'static str, message: impl Into<String>) -> Self {
        let details = ErrorDetails::new();
        Self { code, reason, message: message.into(), details, entry: None }
    }

    fn about(mut self, resource: &str) -> Self {
        let kind = resource.split_once('/').map_or("", |(collection, _)| collection);
        self.details.set_resource_info(kind, without_patients(resource), "", "");
        self
    }

    fn precondition(mut self, subject: &str) -> Self {
        let description = shortened(&without_patients(&self.message));
        let subject = without_patients(subject);
        self.details.add_precondition_failure_violation(self.reason, subject, description);
        self
    }

    fn retry(mut self) -> Self {
        self.details.set_retry_info(Some(RETRY_DELAY));
        self
    }
}

impl From<Failure> for Answer {
    fn from(failure: Failure) -> Self {
        use Code::{FailedPrecondition, InvalidArgument, PermissionDenied, Unauthenticated};
        let words = failure.to_string();
        match failure {
            Failure::Invalid(violations) => invalid(&violations, words),
            Failure::MessageTooLarge => Self::new(InvalidArgument, "MESSAGE_TOO_LARGE", words),
            Failure::MessageCompressed => Self::new(InvalidArgument, "MESSAGE_COMPRESSED", words),
            Failure::NotOneMessage => Self::new(InvalidArgument, "NOT_ONE_MESSAGE", words),
            Failure::MessageMalformed => Self::new(InvalidArgument, "MESSAGE_MALFORMED", words),
            Failure::Timeout => Self::new(InvalidArgument, "TIMEOUT_MALFORMED", words),
            Failure::UnknownMethod => Self::new(Code::Unimplemented, "UNKNOWN_METHOD", words),
            Failure::SignatureMissing => Self::new(Unauthenticated, "SIGNATURE_MISSING", words),
            Failure::Key(_) => Self::new(Unauthenticated, "KEY_INVALID", words),
            Failure::Signature(_) => Self::new(Unauthenticated, "SIGNATURE_INVALID", words),
            Failure::TokenMissing => Self::new(Unauthenticated, "TOKEN_MISSING", words),
            Failure::NotYours => Self::new(PermissionDenied, "NOT_YOURS", words),
            Failure::IdentityClosed { .. } => {
                Self::new(FailedPrecondition, "IDENTITY_CLOSED", words)
            }
            Failure::Token(error) => Self::new(Unauthenticated, error.reason(), words),
            Failure::TokenSubject => Self::new(Unauthenticated, "TOKEN_SUBJECT_DIFFERS", words),
            Failure::NoRole => Self::new(PermissionDenied, "ROLE_NOT_HELD", words),
            Failure::NotFound(resource) => {
                Self::new(Code::NotFound, "UNKNOWN_RESOURCE", words).about(&resource)
            }
            Failure::OutOfRange(_) => Self::new(Code::OutOfRange, "OUT_OF_RANGE", words),
            Failure::Overloaded => Self::new(Code::Unavailable, "OVERLOADED", words).retry(),
            Failure::Stopping => Self::new(Code::Unavailable, "STOPPING", words).retry(),
            Failure::DeadlineExceeded { .. } => {
                Self::new(Code::DeadlineExceeded, "DEADLINE_EXCEEDED", words)
            }
            Failure::Refused(refusal) => refused(&refusal, None),
            Failure::Service(error) => from_service(error),
            Failure::Internal => Self::new(Code::Internal, "INTERNAL", words),
        }
    }
}

fn from_service(error: ServiceError) -> Answer {
    let words = error.to_string();
    match error {
        ServiceError::Invalid(violations) => {
            let words = invalid_summary(&violations);
            invalid(&violations, words)
        }
        ServiceError::Refused { refusal, recorded, .. } => refused(&refusal, recorded),
        ServiceError::RequestIdReused => {
            Answer::new(Code::AlreadyExists, "REQUEST_ID_REUSED", words)
        }
        ServiceError::QueueFull => Answer::new(Code::Unavailable, "QUEUE_FULL", words).retry(),
        ServiceError::Draining => Answer::new(Code::Unavailable, "STOPPING", words).retry(),
        ServiceError::StorageBusy => Answer::new(Code::Unavailable, "STORAGE_BUSY", words).retry(),
        ServiceError::DiskFull => Answer::new(Code::ResourceExhausted, "DISK_FULL", words),
        ServiceError::Behind { .. } => Answer::new(Code::DataLoss, "LEDGER_BEHIND", words),
        ServiceError::EvidenceBad(_) => Answer::new(Code::DataLoss, "EVIDENCE_BAD", words),
        // What failed is in the log; to a caller it only says when to come back.
        ServiceError::Stopped(_) => {
            Answer::new(Code::Unavailable, "WRITES_STOPPED", WRITES_STOPPED).retry()
        }
        ServiceError::ClockBehind { .. } => {
            Answer::new(Code::Unavailable, "CLOCK_BEHIND", words).retry()
        }
        ServiceError::NoIdentities => Answer::new(Code::FailedPrecondition, "NO_IDENTITIES", words),
        ServiceError::NotFound(resource) => Failure::NotFound(resource).into(),
        ServiceError::OutOfRange(words) => Failure::OutOfRange(words).into(),
        ServiceError::Internal => Failure::Internal.into(),
    }
}

/// A refusal by the rules, with the index of the entry that records it, if one does.
fn refused(refusal: &Refusal, recorded: Option<u64>) -> Answer {
    let code = match refusal.class() {
        RefusalClass::Unauthenticated => Code::Unauthenticated,
        RefusalClass::PermissionDenied => Code::PermissionDenied,
        RefusalClass::NotFound => Code::NotFound,
        RefusalClass::AlreadyExists => Code::AlreadyExists,
        RefusalClass::Aborted => Code::Aborted,
        RefusalClass::Precondition => Code::FailedPrecondition,
    };
    let mut answer = Answer::new(code, refusal.reason(), refusal.to_string());
    answer.entry = recorded;
    let resource = refusal.resource();
    match refusal.class() {
        RefusalClass::NotFound | RefusalClass::AlreadyExists => {
            answer.about(&resource.unwrap_or_default())
        }
        RefusalClass::Precondition => answer.precondition(&resource.unwrap_or_default()),
        _ => answer,
    }
}

/// Every violation at once, as many as the details have room for, and then how many more there are.
fn invalid(violations: &[Violation], words: String) -> Answer {
    let mut answer = Answer::new(Code::InvalidArgument, "INVALID_ARGUMENT", words);
    let mut room = MAX_ERROR_DETAILS_BYTES - ROOM_FOR_THE_REST;
    let mut shown = Vec::new();
    for violation in violations {
        let field = shortened(&without_patients(&violation.field));
        let description = shortened(&without_patients(&violation.description));
        let taken = field.len() + description.len() + ROOM_AROUND_A_VIOLATION;
        let Some(left) = room.checked_sub(taken) else { break };
        room = left;
        shown.push(FieldViolation::new(field, description));
    }
    if shown.len() < violations.len() {
        let more = format!("and {} more; send less at once", violations.len() - shown.len());
        shown.push(FieldViolation::new("", more));
    }
    answer.details.set_bad_request(shown);
    answer
}

/// Bytes of the details that violations may not take: the message, which stands there again, the
/// reason and its domain.
const ROOM_FOR_THE_REST: usize = MAX_ERROR_MESSAGE_BYTES + 512;

/// Bytes that protobuf puts around each violation.
const ROOM_AROUND_A_VIOLATION: usize = 16;

fn invalid_summary(violations: &[Violation]) -> String {
    match violations {
        [] => "the request does not hold".to_owned(),
        [only] => format!("{}: {}", only.field, only.description),
        [first, rest @ ..] => {
            format!("{}: {} (and {} more)", first.field, first.description, rest.len())
        }
    }
}

/// The text with every patient's name struck out. The rules write none; this stands behind them.
fn without_patients(text: &str) -> String {
    let mut parts = text.split(PATIENTS);
    let mut clean = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        clean.push_str(PATIENTS);
        clean.push_str("(withheld)");
        clean
            .push_str(part.trim_start_matches(|c: char| c.is_alphanumeric() || "-_.~".contains(c)));
    }
    clean
}

const PATIENTS: &str = "patients/";

/// At most [`MAX_ERROR_MESSAGE_BYTES`] of the text, whole characters, on one line.
fn shortened(text: &str) -> String {
    let mut short = String::new();
    for character in text.chars().map(|c| if c.is_control() { ' ' } else { c }) {
        if short.len() + character.len_utf8() + '…'.len_utf8() > MAX_ERROR_MESSAGE_BYTES {
            short.push('…');
            break;
        }
        short.push(character);
    }
    short
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        let Answer { code, reason, message, mut details, entry } = failure.into();
        let metadata = entry.map(|index| ("entry".to_owned(), index.to_string()));
        details.set_error_info(reason, DOMAIN, metadata.into_iter().collect::<HashMap<_, _>>());
        let mut headers = MetadataMap::new();
        headers.insert(REASON_HEADER, MetadataValue::from_static(reason));
        let message = shortened(&without_patients(&message));
        Self::with_error_details_and_metadata(code, message, details, headers)
    }
}

/// What a status that tonic made itself, without our details, means in our words.
///
/// tonic answers a message that it cannot decode with INTERNAL and an unknown method with
/// UNIMPLEMENTED; both are the caller's, and neither has a reason.
#[must_use]
pub(super) fn of_tonic(status: &Status) -> Failure {
    match status.code() {
        Code::Unimplemented => Failure::UnknownMethod,
        Code::Internal => Failure::MessageMalformed,
        Code::OutOfRange | Code::ResourceExhausted => Failure::MessageTooLarge,
        _ => Failure::Internal,
    }
}

/// An entry was taken in, so it can be read; if it cannot, the file was changed under us.
#[must_use]
pub(super) fn unreadable(index: u64) -> Failure {
    ServiceError::EvidenceBad(format!("entry {index} cannot be read")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(count: usize, length: usize) -> Vec<Violation> {
        (0..count)
            .map(|n| Violation {
                field: format!("lines[{n}].lot"),
                description: "x".repeat(length),
            })
            .collect()
    }

    #[test]
    fn every_status_has_a_reason_in_its_details_and_in_its_header() {
        let status = Status::from(Failure::TokenMissing);
        assert_eq!(status.code(), Code::Unauthenticated);
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), ("TOKEN_MISSING", DOMAIN));
        assert_eq!(status.metadata().get(REASON_HEADER).unwrap(), "TOKEN_MISSING");
    }

    #[test]
    fn a_recorded_refusal_names_its_entry() {
        let refusal = Refusal::SealBroken;
        let recorded = Failure::Service(ServiceError::Refused {
            refusal: Box::new(refusal),
            recorded: Some(7),
            receipt: None,
        });
        let details = Status::from(recorded).get_error_details();
        assert_eq!(details.error_info().unwrap().metadata.get("entry").unwrap(), "7");
        let preconditions = &details.precondition_failure().unwrap().violations;
        assert_eq!(preconditions.first().unwrap().r#type, "SEAL_BROKEN");
    }

    #[test]
    fn every_violation_is_told_at_once() {
        let details = Status::from(Failure::Invalid(violations(20, 60))).get_error_details();
        assert_eq!(details.bad_request().unwrap().field_violations.len(), 20);
    }

    #[test]
    fn however_many_violations_there_are_the_details_stay_small() {
        for (count, length) in [(1, 10_000), (100, 100), (10_000, 0), (3, 1_000), (60_000, 1)] {
            let status = Status::from(Failure::Invalid(violations(count, length)));
            assert!(status.details().len() <= MAX_ERROR_DETAILS_BYTES, "{count} of {length}");
            assert!(status.message().len() <= MAX_ERROR_MESSAGE_BYTES, "{count} of {length}");
        }
        let status = Status::from(Failure::Invalid(violations(1_000, 100)));
        let details = status.get_error_details();
        let last = details.bad_request().unwrap().field_violations.last().unwrap().clone();
        assert!(last.description.starts_with("and "), "{}", last.description);
    }

    #[test]
    fn no_patient_is_named_even_if_the_rules_should_name_one() {
        for failure in [
            Failure::NotFound("patients/zoe-7".to_owned()),
            Failure::OutOfRange("no patients/zoe-7, and no patients/zoe-8.".to_owned()),
            Failure::Refused(Refusal::Unknown { resource: "patients/zoe-7".to_owned() }),
            Failure::Invalid(vec![Violation {
                field: "patients/zoe-7".to_owned(),
                description: "is \"patients/zoe-7\"".to_owned(),
            }]),
        ] {
            let status = Status::from(failure);
            let details = String::from_utf8_lossy(status.details()).into_owned();
            for text in [status.message(), &details] {
                assert!(!text.contains("zoe"), "{text}");
            }
        }
        assert_eq!(without_patients("no patients/a-1, see"), "no patients/(withheld), see");
    }

    #[test]
    fn our_own_faults_have_a_fixed_text() {
        let status = Status::from(Failure::Service(ServiceError::Internal));
        assert_eq!(status.code(), Code::Internal);
        assert_eq!(status.message(), Failure::Internal.to_string());
    }

    #[test]
    fn a_write_past_its_deadline_is_told_that_a_retry_is_safe() {
        let write = Status::from(Failure::DeadlineExceeded { write: true });
        let read = Status::from(Failure::DeadlineExceeded { write: false });
        assert_eq!([write.code(), read.code()], [Code::DeadlineExceeded; 2]);
        assert!(write.message().contains("may have happened"), "{}", write.message());
        assert!(!read.message().contains("may have happened"), "{}", read.message());
    }
}
