//! Why a command did not do what was asked: what was refused, why, what to do, and where it was
//! recorded.

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

use serde_json::{Value, json};
use tonic::Code;

use super::exit::Exit;
use super::json::JsonError;
use super::output::plainly;
use crate::client::{ClientError, MemoryError, Rejection};
use crate::cosigner::CosignerError;
use crate::handover::HandoverError;
use crate::key::KeyError;
use crate::server::ServerError;
use crate::service::{OpenError, ServiceError};
use crate::store::StoreError;

/// Why a command ended without doing what was asked.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The command line asks for something that makes no sense, beyond what the parser finds.
    #[error("{0}")]
    Usage(String),
    /// Something is not set up.
    #[error("{0}")]
    Config(String),
    /// What was given to read does not hold.
    #[error("{0}")]
    Data(String),
    /// A file cannot be read.
    #[error("{}: {source}; check the path, and whether you may read it", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("{}: {}", path.display(), not_written(source))]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Standard output cannot be written.
    #[error("the answer could not be written: {0}")]
    Output(io::Error),
    /// The runtime for the network did not start.
    #[error("the network could not be set up: {0}")]
    Runtime(io::Error),
    /// A key file.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A call to the server.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// An answer that cannot be shown.
    #[error("the server's answer cannot be shown: {0}")]
    Json(#[from] JsonError),
    /// A ledger's folder.
    #[error(transparent)]
    Ledger(#[from] OpenError),
    /// A log cosigner's folder.
    #[error(transparent)]
    Cosigner(#[from] CosignerError),
    /// A server did not start.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The question was understood and the answer is no.
    #[error("{0}")]
    No(String),
    /// The demo went otherwise than it is told.
    #[error("the demo did not go as told: {0}; please report this, with everything above")]
    Unexpected(String),
}

impl CliError {
    /// The exit status that says so.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::Config(_) => Exit::Config,
            Self::Data(_) => Exit::Data,
            Self::Read { .. } => Exit::NoInput,
            Self::Write { source, .. } if source.kind() == io::ErrorKind::AlreadyExists => {
                Exit::CantCreate
            }
            Self::Write { .. } | Self::Output(_) => Exit::Io,
            Self::Runtime(_) | Self::Unexpected(_) => Exit::Software,
            Self::Key(error) => key_exit(error),
            Self::Client(error) => client_exit(error),
            Self::Json(_) => Exit::Protocol,
            Self::Ledger(error) => ledger_exit(error),
            Self::Cosigner(error) => cosigner_exit(error),
            Self::Server(error) => server_exit(error),
            Self::No(_) => Exit::No,
        }
    }

    /// The error for people: several lines.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Client(ClientError::Rejected(rejection)) => rejection_text(rejection),
            Self::Client(error @ ClientError::History { .. }) => format!("REFUSED: {error}"),
            other => format!("vialedger: {other}"),
        }
    }

    /// The error for programs: `{"error": {…}}`.
    #[must_use]
    pub fn json(&self) -> Value {
        let (message, status) = (self.to_string(), self.exit().status());
        if let Self::Client(ClientError::History { fault, recorded }) = self {
            return json!({ "error": {
                "message": message,
                "status": status,
                "reason": fault.reason(),
                "entry": recorded,
                "evidence": fault.evidence(),
            } });
        }
        let Self::Client(ClientError::Rejected(rejection)) = self else {
            return json!({ "error": { "message": message, "status": status } });
        };
        let violations = rejection.violations.iter();
        let violations: Vec<Value> =
            violations.map(|v| json!({ "field": v.field, "description": v.description })).collect();
        json!({ "error": {
            "message": message,
            "status": status,
            "code": code_name(rejection.code),
            "reason": rejection.reason,
            "entry": rejection.entry,
            "resource": rejection.resource,
            "violations": violations,
        } })
    }
}

impl From<HandoverError> for CliError {
    fn from(HandoverError { path, source }: HandoverError) -> Self {
        Self::Write { path, source }
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        Self::Ledger(error.into())
    }
}

impl From<ServiceError> for CliError {
    fn from(error: ServiceError) -> Self {
        Self::Ledger(error.into())
    }
}

fn not_written(source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::AlreadyExists => {
            "is there already and is not overwritten; choose another name".to_owned()
        }
        _ => format!("{source}; check whether its folder is there and you may write to it"),
    }
}

fn ledger_exit(error: &OpenError) -> Exit {
    match error {
        OpenError::Store(error) => store_exit(error),
        OpenError::Request(error) => service_exit(error),
        OpenError::AnotherKey { .. } => Exit::Config,
        OpenError::Key(error) => key_exit(error),
        OpenError::Origin(..) => Exit::Usage,
        OpenError::Thread(_) => Exit::Software,
    }
}

fn cosigner_exit(error: &CosignerError) -> Exit {
    match error {
        CosignerError::Store(error) => store_exit(error),
        CosignerError::Key(error) => key_exit(error),
        CosignerError::Io { .. } => Exit::Io,
        CosignerError::Named(_) | CosignerError::NotALog(..) => Exit::Usage,
        CosignerError::Unnamed { .. } | CosignerError::OtherVerifierKey { .. } => Exit::Config,
        CosignerError::MemoryLost { .. } => Exit::NoInput,
    }
}

/// What it means that a server did not start.
#[must_use]
pub fn server_exit(error: &ServerError) -> Exit {
    match error {
        ServerError::Listen { .. } => Exit::Unavailable,
        ServerError::Plaintext(_) | ServerError::Tls(_) => Exit::Config,
    }
}

fn store_exit(error: &StoreError) -> Exit {
    match error {
        StoreError::Missing { .. }
        | StoreError::IdentitiesMissing { .. }
        | StoreError::NoCosigner { .. } => Exit::NoInput,
        StoreError::Exists { .. } => Exit::CantCreate,
        StoreError::InUse { .. } | StoreError::Busy | StoreError::Full => Exit::TryAgain,
        StoreError::Evidence { .. } | StoreError::HeadMoved { .. } => Exit::No,
        StoreError::Randomness(_) => Exit::Software,
        StoreError::Damaged(_)
        | StoreError::NotIdentities { .. }
        | StoreError::IdentityDamaged { .. }
        | StoreError::NotALedger { .. }
        | StoreError::NotACosigner { .. }
        | StoreError::HeadFile { .. }
        | StoreError::SchemaOlder { .. }
        | StoreError::SchemaNewer { .. }
        | StoreError::SchemaAltered { .. }
        | StoreError::Derived { .. } => Exit::Data,
        StoreError::SqliteTooOld { .. }
        | StoreError::NoWal { .. }
        | StoreError::AnotherIdentityKey { .. }
        | StoreError::AnotherOrigin { .. } => Exit::Config,
        StoreError::Io { .. } | StoreError::Sqlite(_) | StoreError::CosignerStopped => Exit::Io,
    }
}

fn service_exit(error: &ServiceError) -> Exit {
    match error {
        ServiceError::QueueFull
        | ServiceError::Draining
        | ServiceError::StorageBusy
        | ServiceError::DiskFull => Exit::TryAgain,
        ServiceError::ClockBehind { .. } | ServiceError::NoIdentities => Exit::Config,
        ServiceError::Stopped(_) | ServiceError::Internal => Exit::Software,
        _ => Exit::No,
    }
}

fn key_exit(error: &KeyError) -> Exit {
    match error {
        KeyError::Randomness(_) => Exit::Software,
        KeyError::Exists { .. } => Exit::CantCreate,
        KeyError::Missing { .. } | KeyError::IdentityKeyMissing { .. } => Exit::NoInput,
        KeyError::Io { .. } => Exit::Io,
        KeyError::Exposed { .. } | KeyError::PassphraseWrong { .. } => Exit::NoPermission,
        KeyError::PassphraseNeeded { .. } => Exit::Config,
        KeyError::Malformed { .. }
        | KeyError::IdentityKeyMalformed { .. }
        | KeyError::PassphraseEmpty
        | KeyError::PassphrasesDiffer => Exit::Data,
    }
}

fn client_exit(error: &ClientError) -> Exit {
    match error {
        ClientError::Address { .. } => Exit::Usage,
        ClientError::PlainText { .. } | ClientError::NoAuthority | ClientError::Token(_) => {
            Exit::Config
        }
        ClientError::Certificate { .. } | ClientError::Memory(MemoryError::Damaged { .. }) => {
            Exit::Data
        }
        ClientError::Unreachable { .. } => Exit::Unavailable,
        ClientError::Unanswered { .. } => Exit::CouldNotTell,
        ClientError::Receipt(_) => Exit::Protocol,
        ClientError::KeyRotated { .. } => Exit::Config,
        ClientError::History { .. } => Exit::No,
        ClientError::Memory(MemoryError::Io { .. }) => Exit::Io,
        ClientError::Randomness(_) | ClientError::NotOverGrpc => Exit::Software,
        ClientError::Rejected(rejection) => match rejection.code {
            Code::Unauthenticated => Exit::NoPermission,
            Code::Unavailable | Code::ResourceExhausted => Exit::TryAgain,
            Code::Internal | Code::Unimplemented => Exit::Software,
            _ => Exit::No,
        },
    }
}

/// What was refused, why, what to do, and the entry that records it.
pub(super) fn rejection_text(rejection: &Rejection) -> String {
    let head = match rejection.code {
        Code::Unauthenticated => "Not let in",
        Code::NotFound => "Not found",
        Code::Unavailable | Code::ResourceExhausted => "Not now",
        Code::Internal | Code::DataLoss => "The server is in trouble",
        _ => "Refused",
    };
    let mut text = match rejection.violations.as_slice() {
        [] => format!("{head}: {}", plainly(&rejection.message)),
        [only] => format!("{head}: {}: {}", plain_field(&only.field), only.description),
        several => several
            .iter()
            .fold(format!("{head}: {} fields do not hold", several.len()), |text, wrong| {
                format!("{text}\n  {}: {}", plain_field(&wrong.field), wrong.description)
            }),
    };
    if !rejection.reason.is_empty() {
        let _ = write!(text, "\n  Why:        {}", rejection.reason);
    }
    if let Some(resource) = &rejection.resource {
        let _ = write!(text, "\n  About:      {resource}");
    }
    if let Some(advice) = advice(rejection.code) {
        let _ = write!(text, "\n  What to do: {advice}");
    }
    let recorded = match rejection.entry {
        Some(entry) => format!("the refusal is entry {entry} of the ledger; nothing else changed"),
        None => "no; nothing changed".to_owned(),
    };
    let _ = write!(text, "\n  Recorded:   {recorded}");
    text
}

/// A field's path without the parts that only programs need: `inputs.weight.quantity` is the weight.
fn plain_field(path: &str) -> String {
    let path = path.strip_prefix("inputs.").unwrap_or(path);
    path.strip_suffix(".quantity").unwrap_or(path).replace('_', " ")
}

/// The next step, where the kind of refusal has one that the message does not already name.
fn advice(code: Code) -> Option<&'static str> {
    Some(match code {
        Code::InvalidArgument => "put that right and try again",
        Code::Unauthenticated => {
            "check --key and --as (VIALEDGER_KEY, VIALEDGER_AS); an administrator sees your keys \
             with \
             `vialedger person list`"
        }
        Code::PermissionDenied => "ask somebody whose role allows it, or an administrator",
        Code::NotFound => "check the name; the `list` and `entries` commands show what there is",
        Code::Aborted => "the ledger has moved on: look at what changed, then try again",
        Code::Unavailable | Code::ResourceExhausted => {
            "wait a moment and run the same command again"
        }
        Code::Internal | Code::DataLoss => {
            "do not rely on the server; tell whoever runs it, and verify the ledger file"
        }
        _ => return None,
    })
}

/// A status code as gRPC spells it.
fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
