//! The bounded queue to the one writer, and the gate before it.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use tokio::sync::{oneshot, watch};

use super::error::ServiceError;
use super::published::Published;
use crate::command::Command;
use crate::ledger::SignedRequest;
use crate::pb::v1;
use crate::refusal::Refusal;
use crate::tlog::Gap;

/// Requests that may wait for the writer. A commit takes [`super::MAX_BATCH`] of them, so a full queue is a wait of a
/// few commits; past that only the wait would grow.
pub const QUEUE_CAPACITY: usize = 1024;

/// A request on its way to the writer.
pub(super) struct Job {
    pub(super) request: SignedRequest,
    pub(super) command: Command,
    pub(super) answer: oneshot::Sender<Result<Written, ServiceError>>,
}

/// What the writer made of a request, told once it is durable.
pub(super) enum Written {
    /// It is in the ledger now. The refusal is there if that is what the entry records.
    New {
        published: Arc<Published>,
        index: u64,
        entry: Bytes,
        outcome: v1::Outcome,
        refusal: Option<Refusal>,
    },
    /// Its id is in the ledger already.
    Seen { index: u64, request: SignedRequest },
    /// It would have gone into the ledger like this.
    Validated { outcome: v1::Outcome },
    /// The rules said no, and nothing records it.
    Refused(Refusal),
}

/// Whether the service takes writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteStatus {
    /// It does.
    Accepting,
    /// It finishes its queue and takes nothing new.
    Draining,
    /// Entries that were signed are not in this ledger: it was put back to an older state.
    Behind {
        /// What is missing.
        gap: Gap,
        /// Who or what remembers it.
        known_by: String,
    },
    /// The evidence on disk does not verify; with what was found.
    EvidenceBad(String),
    /// The disk or the writer failed; with what is known.
    Stopped(String),
}

/// Whether writes are taken, as the writer and everybody else sees it.
#[derive(Debug)]
pub(super) struct Status(watch::Sender<WriteStatus>);

impl Status {
    pub(super) fn new(status: WriteStatus) -> Self {
        Self(watch::Sender::new(status))
    }

    pub(super) fn get(&self) -> WriteStatus {
        self.0.borrow().clone()
    }

    /// Nothing, or why a write is refused.
    pub(super) fn refusal(&self) -> Option<ServiceError> {
        match &*self.0.borrow() {
            WriteStatus::Accepting => None,
            WriteStatus::Draining => Some(ServiceError::Draining),
            WriteStatus::Behind { gap, known_by } => {
                Some(ServiceError::Behind { gap: *gap, known_by: known_by.clone() })
            }
            WriteStatus::EvidenceBad(why) => Some(ServiceError::EvidenceBad(why.clone())),
            WriteStatus::Stopped(why) => Some(ServiceError::Stopped(why.clone())),
        }
    }

    /// Whether writes are over until somebody looks after the ledger.
    pub(super) fn is_over(&self) -> bool {
        !is_open(&self.0.borrow())
    }

    /// Moves on. What stopped the writes first stays the reason.
    pub(super) fn set(&self, status: WriteStatus) {
        self.0.send_if_modified(|now| {
            let open = is_open(now);
            if open {
                *now = status;
            }
            open
        });
    }

    /// Waits until writes are refused until somebody looks after the ledger.
    pub(super) async fn stopped(&self) {
        let mut seen = self.0.subscribe();
        // The sender is `self`, so that it is there for as long as this waits.
        let _ = seen.wait_for(|now| !is_open(now)).await;
    }
}

/// Whether writes are taken, or end in good order.
fn is_open(now: &WriteStatus) -> bool {
    matches!(now, WriteStatus::Accepting | WriteStatus::Draining)
}

/// The way into the queue. Closing it, or dropping it, lets what is inside come out.
#[derive(Debug)]
pub(super) struct Gate {
    way_in: RwLock<Option<SyncSender<Job>>>,
    status: Arc<Status>,
}

impl Gate {
    /// An open gate, and the end of the queue behind it.
    pub(super) fn open(status: Arc<Status>) -> (Self, Receiver<Job>) {
        let (sender, receiver) = sync_channel(QUEUE_CAPACITY);
        (Self { way_in: RwLock::new(Some(sender)), status }, receiver)
    }

    /// Puts a request into the queue, without waiting.
    pub(super) fn enter(&self, job: Job) -> Result<(), ServiceError> {
        if let Some(refusal) = self.status.refusal() {
            return Err(refusal);
        }
        let way_in = self.way_in.read().unwrap_or_else(PoisonError::into_inner);
        let Some(sender) = way_in.as_ref() else { return Err(ServiceError::Draining) };
        sender.try_send(job).map_err(|refused| match refused {
            TrySendError::Full(_) => ServiceError::QueueFull,
            TrySendError::Disconnected(_) => writer_is_gone(),
        })
    }

    /// Takes nothing new. The writer finds the end of its queue once it has finished what was in it.
    pub(super) fn close(&self) {
        if self.status.refusal().is_none() {
            self.status.set(WriteStatus::Draining);
        }
        self.way_in.write().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// The answer where the writer's thread ended without one.
pub(super) fn writer_is_gone() -> ServiceError {
    ServiceError::Stopped("the writer ended; the log of the server says why".to_owned())
}
