//! Why a call did not succeed, in the words that a person needs.

use std::path::PathBuf;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::gossip::HistoryFault;
use super::memory::MemoryError;
use super::receipt::ReceiptFault;
use crate::token::TokenError;

/// `ErrorInfo` metadata under which the server names the entry that records a refusal.
const ENTRY_METADATA: &str = "entry";

/// Why a call did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server's address cannot be read.
    #[error("{server:?} is not a server's address: expected http://host:port or https://host:port")]
    Address {
        /// What was given.
        server: String,
    },
    /// Plain text would leave this machine.
    #[error(
        "{server} would send patients' doses and your token in plain text over a network: use \
         https:// with --ca, or \
         say --insecure-plaintext if the network is yours alone"
    )]
    PlainText {
        /// What was given.
        server: String,
    },
    /// TLS without an authority to trust.
    #[error("https needs --ca FILE: the certificate of the authority that vouches for the server")]
    NoAuthority,
    /// A certificate or its key cannot be used.
    #[error("{}: {detail}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// No connection came about; nothing was sent.
    #[error(
        "the server at {server} cannot be reached, so nothing was sent: {detail}; check --server \
         (VIALEDGER_SERVER), and whether the server runs"
    )]
    Unreachable {
        /// The address that was given.
        server: String,
        /// What the operating system or TLS said.
        detail: String,
    },
    /// The answer did not come: a write may have happened.
    #[error("no answer came ({detail}). {}", unanswered_advice(request_id.as_deref()))]
    Unanswered {
        /// What happened instead.
        detail: String,
        /// The id of the act that was to be recorded; nothing where it was a read.
        request_id: Option<String>,
    },
    /// The server said no.
    #[error("{}", .0.message)]
    Rejected(Box<Rejection>),
    /// The server's receipt does not prove what it should.
    #[error(
        "the server's receipt does not hold: {0}. Keep this output and tell whoever audits the \
         ledger"
    )]
    Receipt(#[from] ReceiptFault),
    /// Another key took the place of the ledger's since the caller got the verifier key.
    #[error(
        "the ledger's key was rotated by entries/{by}, and the key that you have signed that. The act was recorded as \
         entries/{recorded}, and its receipt holds under the new key: compare it with what whoever runs the ledger hands \
         out, and from then on use it with --vkey: {verifier_key}"
    )]
    KeyRotated {
        /// The entry that was recorded.
        recorded: u64,
        /// The newest entry that rotates the key.
        by: u64,
        /// The ledger's verifier key now.
        verifier_key: String,
    },
    /// The server's history does not go with what this device saw before.
    #[error("{}{fault}", already_recorded(*recorded))]
    History {
        /// What was found.
        fault: Box<HistoryFault>,
        /// The entry that was recorded before it was found.
        recorded: Option<u64>,
    },
    /// What this device remembers cannot be read or written.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness for a request id: {0}")]
    Randomness(getrandom::Error),
    /// A bearer token could not be issued.
    #[error("no bearer token could be issued: {0}")]
    Token(#[from] TokenError),
    /// The first act of a ledger is made by `vialedger init` alone.
    #[error("a ledger is begun by `vialedger init`, not over the network")]
    NotOverGrpc,
}

/// A server's no, with everything it said.
#[derive(Clone, Debug)]
pub struct Rejection {
    /// The gRPC status code.
    pub code: Code,
    /// Stable reason in `UPPER_SNAKE`; empty where the server gave none.
    pub reason: String,
    /// The reason in words.
    pub message: String,
    /// Entry that records the refusal, where it was recorded.
    pub entry: Option<u64>,
    /// Resource that the refusal is about, where one was named.
    pub resource: Option<String>,
    /// Every field that was wrong.
    pub violations: Vec<Violation>,
    /// How long to wait before an attempt that may succeed.
    pub retry_delay: Option<Duration>,
}

/// One field of a request that was wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The field, by its path in the message.
    pub field: String,
    /// What is wrong with it and what was expected.
    pub description: String,
}

impl Rejection {
    /// Whether a later attempt may be answered otherwise.
    pub(super) fn is_for_now(&self) -> bool {
        matches!(self.code, Code::Unavailable | Code::ResourceExhausted | Code::Internal)
    }

    /// Reads a status and its google.rpc details.
    #[must_use]
    pub fn from_status(status: &Status) -> Self {
        let details = status.get_error_details();
        let info = details.error_info();
        let entry = info.and_then(|info| info.metadata.get(ENTRY_METADATA));
        let entry = entry.and_then(|name| name.trim_start_matches("entries/").parse().ok());
        let violations = details.bad_request().into_iter().flat_map(|bad| &bad.field_violations);
        let named = |name: &str| Some(name.to_owned()).filter(|name| !name.is_empty());
        let resource = details.resource_info().and_then(|info| named(&info.resource_name));
        let preconditions =
            details.precondition_failure().into_iter().flat_map(|failure| &failure.violations);
        Self {
            code: status.code(),
            reason: info.map(|info| info.reason.clone()).unwrap_or_default(),
            message: status.message().to_owned(),
            entry,
            resource: resource
                .or_else(|| preconditions.into_iter().find_map(|v| named(&v.subject))),
            violations: violations
                .map(|violation| Violation {
                    field: violation.field.clone(),
                    description: violation.description.clone(),
                })
                .collect(),
            retry_delay: details.retry_info().and_then(|info| info.retry_delay),
        }
    }
}

impl From<HistoryFault> for ClientError {
    fn from(fault: HistoryFault) -> Self {
        Self::History { fault: Box::new(fault), recorded: None }
    }
}

impl ClientError {
    /// What a status says: for whoever reads a stream.
    #[must_use]
    pub fn from_status(status: &Status) -> Self {
        Self::from_rejection(Rejection::from_status(status))
    }

    /// Tells a no of the server from an answer that never came: those statuses are made up by the
    /// client's own side of the connection, or by a deadline, and carry no reason of ours.
    pub(super) fn from_rejection(rejection: Rejection) -> Self {
        match rejection.code {
            Code::DeadlineExceeded => Self::unanswered(rejection.message),
            // The server gives a reason with each of its answers. What has none was made up on the way, or here from a
            // connection that broke, and says nothing about what the server did.
            _ if rejection.reason.is_empty() => Self::unanswered(rejection.message),
            _ => Self::Rejected(Box::new(rejection)),
        }
    }

    fn unanswered(detail: String) -> Self {
        Self::Unanswered { detail, request_id: None }
    }

    /// The same about a write: whoever tries again must name its request id.
    pub(super) fn of_write(self, id: String) -> Self {
        match self {
            Self::Unanswered { detail, .. } => Self::Unanswered { detail, request_id: Some(id) },
            other => other,
        }
    }
}

/// What came before a history that does not hold.
fn already_recorded(entry: Option<u64>) -> String {
    entry.map_or_else(String::new, |entry| {
        format!("the act was recorded as entry {entry}, on a ledger that does not hold: ")
    })
}

/// What to do without an answer. Simply typing an act's command again would record it twice, under another id.
fn unanswered_advice(request_id: Option<&str>) -> String {
    let Some(id) = request_id else {
        return "Nothing was to be recorded: try again".to_owned();
    };
    format!(
        "The act may have been recorded, or not. To find out, run the same command with \
         --request-id {id} added, never without: with it, nothing is recorded twice, and the reason \
         REQUEST_ID_REUSED means that it had been recorded"
    )
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tonic_types::{ErrorDetails, FieldViolation};

    use super::*;

    #[test]
    fn a_recorded_refusal_names_its_entry_and_resource() {
        let metadata = HashMap::from([(ENTRY_METADATA.to_owned(), "17".to_owned())]);
        let mut details = ErrorDetails::with_error_info("OVER_HARD_LIMIT", "vialedger", metadata);
        details.add_precondition_failure_violation("OVER_HARD_LIMIT", "vials/12-1", "too much");
        let status = Status::with_error_details(
            Code::FailedPrecondition,
            "2 mg/kg is over 1 mg/kg",
            details,
        );
        let rejection = Rejection::from_status(&status);
        assert_eq!(rejection.reason, "OVER_HARD_LIMIT");
        assert_eq!(rejection.entry, Some(17));
        assert_eq!(rejection.resource.as_deref(), Some("vials/12-1"));
        assert_eq!(ClientError::from_rejection(rejection).to_string(), "2 mg/kg is over 1 mg/kg");
    }

    #[test]
    fn every_violation_is_kept() {
        let violations =
            vec![FieldViolation::new("weight", "no unit"), FieldViolation::new("dose", "pounds")];
        let details = ErrorDetails::with_bad_request(violations);
        let status =
            Status::with_error_details(Code::InvalidArgument, "2 fields are wrong", details);
        let rejection = Rejection::from_status(&status);
        let fields: Vec<_> = rejection.violations.iter().map(|v| v.field.as_str()).collect();
        assert_eq!(fields, ["weight", "dose"]);
    }

    #[test]
    fn a_lost_answer_is_not_a_no() {
        for code in [
            Code::Unavailable,
            Code::Unknown,
            Code::Cancelled,
            Code::DeadlineExceeded,
            Code::Internal,
            Code::ResourceExhausted,
        ] {
            let error = ClientError::from_status(&Status::new(code, "connection reset"));
            assert!(matches!(error, ClientError::Unanswered { .. }), "{code:?}");
        }
    }

    #[test]
    fn a_lost_answer_to_an_act_says_with_which_id_to_try_again() {
        let lost = || ClientError::from_status(&Status::new(Code::Unavailable, "connection reset"));
        let of_a_write = lost().of_write("0197c2a0-5b1e-7c3d-8f00-123456789abc".into());
        let text = of_a_write.to_string();
        assert!(text.contains("--request-id 0197c2a0-5b1e-7c3d-8f00-123456789abc"), "{text}");
        assert!(!lost().to_string().contains("--request-id"));
        let refused = ClientError::from_status(&unauthenticated()).of_write("x".into());
        assert!(matches!(refused, ClientError::Rejected(_)), "a no is no lost answer");
    }

    fn unauthenticated() -> Status {
        let details = ErrorDetails::with_error_info("KEY_REVOKED", "vialedger", []);
        Status::with_error_details(Code::Unauthenticated, "the key was revoked", details)
    }
}
