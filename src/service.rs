//! The use cases: take a signed request in, have the rules decide it, make it durable, hand out the receipt; read what
//! is there. No gRPC type is in sight here.
//!
//! * [`init()`] creates a ledger; [`Service::open`] opens one and starts its writer.
//! * [`Service::submit`] is the only way to write. Requests wait in a bounded queue for one thread, which decides them
//!   in order and commits as many together as there are. An answer is given only after its commit. Receipts are made
//!   by whoever asked, from the [`Published`] ledger, and cost the writer nothing.
//! * Identities of patients are sealed and opened beside the ledger, and never pass through the queue:
//!   [`Service::seal_identity`], [`Service::identity`].
//! * [`rotate`] puts another key in the ledger's place while no server runs; [`settle`] finishes what a crash broke off.
//! * [`Service::self_audit_now`] has the ledger verify itself, and ends all writing where its evidence is bad.
//! * Everything else reads: from [`Published`], which is the memory of the newest commit, or from connections of its own.
//!
//! A ledger that is behind a checkpoint that was kept elsewhere (the head file, cosigners, what the operator gives) is
//! read and not written: restoring is not rewinding.
//!
//! When a commit fails, the memory is thrown away and read again from disk before the next write; when that fails too,
//! or the disk itself did, the service goes on reading and takes no writes.

mod answer;
mod error;
mod guard;
mod head;
mod identity;
mod init;
mod known;
mod published;
mod query;
mod queue;
mod rotate;
mod self_audit;
mod snapshots;
mod tiles;
mod writer;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::thread::JoinHandle;

use ed25519_dalek::SigningKey;
use tokio::sync::{Semaphore, oneshot, watch};

pub use answer::Answer;
pub use error::{OpenError, ServiceError};
pub use head::HEAD_PAUSE;
pub use init::{init, verifier_key};
pub use published::Published;
pub use query::{ConsistencyProof, EntryPage, EntryQuery, InclusionProof, MAX_EXAMINED};
pub use queue::{QUEUE_CAPACITY, WriteStatus};
pub use rotate::{Rotated, Settled, rotate, settle};
pub use self_audit::{AuditSchedule, SelfAudited};
pub use writer::CLOCK_TOLERANCE_MICROS;

use crate::clock::{Clock, Stopwatch};
use crate::command::Command;
use crate::key::IdentityKey;
use crate::ledger::SignedRequest;
use crate::store::{
    HeadFile, Identities, LedgerFolder, Loaded, Reader, Readers, Store, StoreError, StoreOptions,
    load,
};
use crate::tlog::{Gap, Known};
use head::HeadKeeper;
use published::Newest;
use queue::{Gate, Job, Status, writer_is_gone};
use self_audit::SelfAuditor;
use snapshots::Snapshots;
use writer::Writer;

/// Requests that one commit takes along, at most. More would only make the first of them wait longer for the last.
pub const MAX_BATCH: usize = 256;

/// Entries between two snapshots of the state, unless told otherwise. Replaying so many takes well under a second.
pub const SNAPSHOT_EVERY: u64 = 10_000;

/// Reads that go to the disk at the same time. More wait for one of these to end; requests that write never do.
const MAX_PARALLEL_READS: usize = 8;

/// How a ledger is opened.
#[derive(Clone, Debug)]
pub struct ServiceOptions {
    /// What tells the time.
    pub clock: Clock,
    /// How the database is opened.
    pub store: StoreOptions,
    /// Entries between two snapshots of the state.
    pub snapshot_every: u64,
    /// What the identities of patients are encrypted with. With none, no identities are kept: none can be sealed, and
    /// those that are beside the ledger stay closed.
    pub identity_key: Option<IdentityKey>,
    /// When the ledger audits itself; never where there is none.
    pub self_audit: Option<AuditSchedule>,
    /// Where the newest durable checkpoint is kept outside the database; `ledger.head` in the folder when absent.
    pub head_file: Option<PathBuf>,
    /// Checkpoints that others remember. A ledger that does not have what they say is read and not written.
    pub known: Vec<Known>,
}

impl Default for ServiceOptions {
    fn default() -> Self {
        Self {
            clock: Clock::system(),
            store: StoreOptions::default(),
            snapshot_every: SNAPSHOT_EVERY,
            identity_key: None,
            self_audit: None,
            head_file: None,
            known: Vec::new(),
        }
    }
}

/// A ledger that is open. A handle: clones are cheap and mean the same ledger.
#[derive(Clone, Debug)]
pub struct Service {
    shared: Arc<Shared>,
}

/// What all handles share. The writer ends when the gate is closed, or when nobody holds it any more.
#[derive(Debug)]
struct Shared {
    gate: Arc<Gate>,
    status: Arc<Status>,
    newest: Arc<Newest>,
    readers: Arc<Readers>,
    reads: Arc<Semaphore>,
    identities: Option<Arc<Identities>>,
    auditor: SelfAuditor,
    clock: Clock,
    sizes: watch::Receiver<u64>,
}

/// The writer's thread.
#[derive(Debug)]
pub struct WriterHandle {
    gate: Arc<Gate>,
    thread: JoinHandle<Result<(), StoreError>>,
}

impl WriterHandle {
    /// Takes nothing new, has the writer finish its queue, write a snapshot and close the ledger, and waits for that.
    pub fn join(self) -> Result<(), ServiceError> {
        self.gate.close();
        let ended = self.thread.join().map_err(|_| writer_is_gone())?;
        Ok(ended?)
    }
}

impl Service {
    /// Opens the ledger in this folder, checks that it is the one that `key` signed last, and starts its writer. Never
    /// creates a ledger.
    pub fn open(
        dir: &Path,
        key: &SigningKey,
        options: ServiceOptions,
    ) -> Result<(Self, WriterHandle), OpenError> {
        let Opened { service, gate, writer, queue } = prepare(dir, key, options)?;
        let thread = std::thread::Builder::new().name("writer".to_owned());
        let thread = thread.spawn(move || writer.run(&queue)).map_err(OpenError::Thread)?;
        Ok((service, WriterHandle { gate, thread }))
    }

    /// Takes a signed request in and answers once it is durable.
    ///
    /// A request whose id is in the ledger already gets the answer that it got then, with a receipt against the newest
    /// checkpoint, if it is the same request by the same key. Dropping the future does not take the request back.
    pub async fn submit(&self, request: SignedRequest) -> Result<Answer, ServiceError> {
        let command =
            Command::parse(request.kind(), request.bytes()).map_err(ServiceError::Invalid)?;
        self.guard(&request, &command).await?;
        let (answer, told) = oneshot::channel();
        self.shared.gate.enter(Job { request, command, answer })?;
        let written = told.await.map_err(|_| writer_is_gone())??;
        self.answer(written).await
    }

    /// The ledger after its newest durable commit.
    #[must_use]
    pub fn published(&self) -> Arc<Published> {
        self.shared.newest.get()
    }

    /// The size after each durable commit. Ends when the writer has finished.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.shared.sizes.clone()
    }

    /// Whether writes are taken, and if not, why not.
    #[must_use]
    pub fn write_status(&self) -> WriteStatus {
        self.shared.status.get()
    }

    /// Whether writes are taken.
    #[must_use]
    pub fn accepts_writes(&self) -> bool {
        self.write_status() == WriteStatus::Accepting
    }

    /// Takes no more writes, because somebody whom the operator asks has seen more entries than there are. What is being
    /// written is finished; reads go on.
    pub fn stand_behind(&self, known: u64, known_by: &str) {
        let have = self.published().size();
        if known > have {
            let known_by = known_by.to_owned();
            self.shared.status.set(WriteStatus::Behind { gap: Gap { have, known }, known_by });
        }
    }

    /// Takes nothing new and waits until the writer has finished its queue, written a snapshot and closed the ledger.
    pub async fn drain(&self) {
        self.shared.gate.close();
        let mut sizes = self.subscribe();
        while sizes.changed().await.is_ok() {}
    }

    /// Reads from the disk on a thread where that may block.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Reader) -> Result<T, ServiceError> + Send + 'static,
    ) -> Result<T, ServiceError> {
        let readers = Arc::clone(&self.shared.readers);
        self.blocking(move || readers.read(read)).await
    }

    /// Does something on a thread where it may block, with so many others at the same time at most.
    async fn blocking<T: Send + 'static>(
        &self,
        act: impl FnOnce() -> Result<T, ServiceError> + Send + 'static,
    ) -> Result<T, ServiceError> {
        let permit = Arc::clone(&self.shared.reads).acquire_owned().await;
        let acting = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            act()
        });
        acting.await.map_err(|_| ServiceError::Internal)?
    }
}

/// A ledger that is open, with a writer that does not run yet.
struct Opened {
    service: Service,
    gate: Arc<Gate>,
    writer: Writer,
    queue: Receiver<Job>,
}

fn prepare(dir: &Path, key: &SigningKey, options: ServiceOptions) -> Result<Opened, OpenError> {
    let stopwatch = Stopwatch::start();
    let folder = LedgerFolder::new(dir);
    let store = Store::open(&folder, &options.store)?;
    let readers = Arc::new(Readers::open(folder.database())?);
    let signer = readers.read(|reader| init::signer_of(reader, key))?;
    let loaded = readers.read(|reader| load(reader, signer.verifier_key()))?;
    report(&loaded, &stopwatch);
    let head = HeadFile::new(options.head_file.unwrap_or_else(|| folder.head()));
    let status = readers.read(|reader| {
        known::compare(reader, &loaded, &folder, &head, &options.known, signer.verifier_key())
    })?;
    let status = Arc::new(Status::new(status));
    if let Some(why) = status.refusal() {
        tracing::error!(%why, "this ledger is read and not written");
    }
    let identities = match &options.identity_key {
        Some(key) => Some(Arc::new(Identities::open(&folder, key, loaded.state.origin())?)),
        None => None,
    };
    init::write_verifier_key(&folder, &loaded.state)?;

    let finished = loaded.snapshot.unwrap_or(0);
    let snapshots = Snapshots::new(signer.clone(), options.snapshot_every, finished);
    let (sizes, sizes_seen) = watch::channel(loaded.state.size());
    let (gate, queue) = Gate::open(Arc::clone(&status));
    let gate = Arc::new(gate);
    let (state, tree) = (loaded.state.clone(), loaded.tree.clone());
    let newest = Arc::new(Newest::new(Published::from(loaded)));
    let head = if status.is_over() {
        HeadKeeper::idle()
    } else {
        HeadKeeper::start(head, Arc::clone(&newest))?
    };
    let shared = Shared {
        gate: Arc::clone(&gate),
        status: Arc::clone(&status),
        newest: Arc::clone(&newest),
        readers: Arc::clone(&readers),
        reads: Arc::new(Semaphore::new(MAX_PARALLEL_READS)),
        identities,
        auditor: SelfAuditor::new(signer.clone(), &folder, options.self_audit),
        clock: options.clock.clone(),
        sizes: sizes_seen,
    };
    let clock = options.clock;
    let writer = Writer {
        head,
        store,
        readers,
        state,
        tree,
        signer,
        clock,
        newest,
        status,
        sizes,
        snapshots,
    };
    Ok(Opened { service: Service { shared: Arc::new(shared) }, gate, writer, queue })
}

fn report(loaded: &Loaded, stopwatch: &Stopwatch) {
    for why in &loaded.unusable {
        tracing::warn!(why, "a snapshot was not used");
    }
    let took = stopwatch.elapsed();
    let (size, replayed) = (loaded.state.size(), loaded.replayed());
    tracing::info!(size, replayed, ?took, "the ledger was loaded and agrees with its checkpoint");
}
