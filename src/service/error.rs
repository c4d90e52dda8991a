//! Every way in which the service does not do what it was asked.

use crate::command::Violation;
use crate::key::KeyError;
use crate::ledger::Receipt;
use crate::refusal::Refusal;
use crate::store::StoreError;
use crate::time::Timestamp;
use crate::tlog::Gap;

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The request cannot be read: everything that is wrong with it.
    #[error("the request does not hold: {}", violations(.0))]
    Invalid(Vec<Violation>),
    /// The rules say no.
    #[error("{refusal}")]
    Refused {
        /// Which no.
        refusal: Box<Refusal>,
        /// Index of the entry that records it, if one does.
        recorded: Option<u64>,
        /// The receipt of that entry.
        receipt: Option<Box<Receipt>>,
    },
    /// The request's id was used before, for something else or by somebody else.
    #[error(
        "this request_id was used before with other bytes or another key; make a new one for each act"
    )]
    RequestIdReused,
    /// Too many requests wait to be written.
    #[error("too many requests are waiting; try again shortly with the same request_id")]
    QueueFull,
    /// The service is finishing its queue and takes nothing new.
    #[error("the ledger is being stopped; try again with the same request_id once it is back")]
    Draining,
    /// Another program holds the database's lock.
    #[error("another program holds the ledger's database; try again with the same request_id")]
    StorageBusy,
    /// No room for another entry.
    #[error("the disk is full; make room, then try again with the same request_id")]
    DiskFull,
    /// Entries that were signed are not here; nothing is written in their places.
    #[error(
        "{gap}: this ledger has {}, and {known_by} is of {}. Nothing is written until they are restored from a \
         newer copy; reads go on",
        gap.have, gap.known
    )]
    Behind {
        /// What is missing.
        gap: Gap,
        /// Who or what remembers it.
        known_by: String,
    },
    /// What is on disk does not verify; nothing is written any more.
    #[error("the evidence on disk does not verify, and nothing is written any more: {0}")]
    EvidenceBad(String),
    /// The disk failed, or the service did; nothing is written before a restart has read again what is there.
    #[error("the ledger takes no writes until it is restarted: {0}")]
    Stopped(String),
    /// The machine's clock is behind the last entry by more than the tolerance.
    #[error(
        "the server's clock says {now}, but the last entry is from {last}; set the clock right"
    )]
    ClockBehind {
        /// When the last entry was recorded.
        last: Timestamp,
        /// What the clock says.
        now: Timestamp,
    },
    /// The service was opened without an identity key.
    #[error(
        "this server keeps no identities of patients, since it has no key for them; ask whoever runs it"
    )]
    NoIdentities,
    /// There is no such thing.
    #[error("{0} does not exist; check the name")]
    NotFound(String),
    /// An index or a size that the ledger has not reached.
    #[error("{0}")]
    OutOfRange(String),
    /// A fault of ours, or of what is derived from the evidence. The log says more.
    #[error("internal error; the log of the server says more")]
    Internal,
}

/// Why a ledger was not created or not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The first request.
    #[error(transparent)]
    Request(#[from] ServiceError),
    /// A key file.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The key is not the one that entry 0, the newest rotation or the request names.
    #[error(
        "the ledger's key is {found}, expected {expected}; use the key that belongs to this ledger"
    )]
    AnotherKey {
        /// Verifier key of the ledger.
        expected: String,
        /// Verifier key of the key that was given.
        found: String,
    },
    /// The verifier key's name is not the origin.
    #[error("{0:?} cannot be a ledger's origin: {1}")]
    Origin(String, crate::tlog::KeyNameError),
    /// The system starts no thread.
    #[error("the writer's thread could not be started: {0}")]
    Thread(std::io::Error),
}

impl From<&StoreError> for ServiceError {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::Busy => Self::StorageBusy,
            StoreError::Full => Self::DiskFull,
            StoreError::Evidence { .. } | StoreError::HeadMoved { .. } => {
                Self::EvidenceBad(error.to_string())
            }
            _ => Self::Internal,
        }
    }
}

impl From<StoreError> for ServiceError {
    fn from(error: StoreError) -> Self {
        let answer = Self::from(&error);
        if matches!(answer, Self::Internal) {
            // The caller is told nothing about our files, so it has to be said here.
            tracing::error!(%error, "the store failed");
        }
        answer
    }
}

fn violations(violations: &[Violation]) -> String {
    let each = violations.iter().map(|one| format!("{}: {}", one.field, one.description));
    each.collect::<Vec<_>>().join("; ")
}
