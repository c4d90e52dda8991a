//! The one thread that writes: takes what waits, decides it in order, commits it together, and answers.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

use tokio::sync::watch;

use super::MAX_BATCH;
use super::error::ServiceError;
use super::head::HeadKeeper;
use super::published::{Newest, Published};
use super::queue::{Job, Status, WriteStatus, Written};
use super::snapshots::Snapshots;
use crate::clock::Clock;
use crate::decide::decide;
use crate::refusal::Refusal;
use crate::state::{State, Step, Subject};
use crate::store::{self, Batch, Head, Readers, Store, StoreError};
use crate::time::Timestamp;
use crate::tlog::{Checkpoint, Gap, NoteSigner, SignedNote, Tree};

/// How far the machine's clock may be behind the last entry, in microseconds: a step back by a time service is ridden
/// out, entry by entry a microsecond further; a clock that is wrong stops the writes.
pub const CLOCK_TOLERANCE_MICROS: i64 = 5_000_000;

/// How often a writer with nothing to do looks whether a snapshot is ready to be written.
const SNAPSHOT_POLL: Duration = Duration::from_millis(20);

/// Everything that the writing thread owns.
pub(super) struct Writer {
    /// Dropped first, so that its last write comes before the ledger's lock is given back.
    pub(super) head: HeadKeeper,
    pub(super) store: Store,
    pub(super) readers: Arc<Readers>,
    pub(super) state: State,
    pub(super) tree: Tree,
    pub(super) signer: NoteSigner,
    pub(super) clock: Clock,
    pub(super) newest: Arc<Newest>,
    pub(super) status: Arc<Status>,
    pub(super) sizes: watch::Sender<u64>,
    pub(super) snapshots: Snapshots,
}

/// What the rules made of one request, before it is durable.
pub(super) enum Decided {
    /// It goes into the ledger.
    New(Box<Step>),
    /// Its id is in the ledger, or earlier in this batch.
    Seen(u64),
    /// It would go into the ledger.
    Validated(Box<Step>),
    /// The rules say no.
    Refused(Refusal),
    /// The clock is wrong.
    Failed(ServiceError),
}

/// Why a batch failed.
pub(super) struct Failed {
    error: StoreError,
    /// Whether the memory has run ahead of the disk.
    decided: bool,
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self { error, decided: true }
    }
}

enum Next {
    Job(Box<Job>),
    Idle,
    Closed,
}

/// Says that writing has ended, however the thread ends.
struct EndOfWriting(Arc<Status>);

impl Drop for EndOfWriting {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let why = "the writer met a broken invariant; the log of the server says which";
            self.0.set(WriteStatus::Stopped(why.to_owned()));
        }
    }
}

impl Writer {
    /// Works until the queue is closed and empty; then writes a last snapshot and closes the store.
    pub(super) fn run(mut self, queue: &Receiver<Job>) -> Result<(), StoreError> {
        let _end = EndOfWriting(Arc::clone(&self.status));
        loop {
            match self.next(queue) {
                Next::Job(first) => {
                    // What is there goes along. Waiting for more would make a single caller slower and gain little.
                    let mut jobs = vec![*first];
                    jobs.extend(queue.try_iter().take(MAX_BATCH - 1));
                    self.write(jobs);
                }
                Next::Idle => self.write_snapshot_part(),
                Next::Closed => return self.finish(),
            }
        }
    }

    /// The next request, or a moment for the snapshot.
    fn next(&mut self, queue: &Receiver<Job>) -> Next {
        self.snapshots.poll();
        let received = if self.snapshots.has_parts() {
            queue.try_recv().map_err(|error| error == TryRecvError::Disconnected)
        } else if self.snapshots.is_being_made() {
            let received = queue.recv_timeout(SNAPSHOT_POLL);
            received.map_err(|error| error == RecvTimeoutError::Disconnected)
        } else {
            queue.recv().map_err(|_| true)
        };
        match received {
            Ok(job) => Next::Job(Box::new(job)),
            Err(true) => Next::Closed,
            Err(false) => Next::Idle,
        }
    }

    /// Decides and commits a batch, and answers each of its requests.
    pub(super) fn write(&mut self, jobs: Vec<Job>) {
        if self.status.is_over() {
            for job in jobs {
                let refusal = self.status.refusal().unwrap_or(ServiceError::Internal);
                // A caller who has gone away needs no answer, here and below.
                let _ = job.answer.send(Err(refusal));
            }
            return;
        }
        match self.commit(&jobs) {
            Ok(decided) => {
                let published = self.newest.get();
                for (job, decided) in jobs.into_iter().zip(decided) {
                    answer(job, decided, &published);
                }
                self.snapshots.start_if_due(&published);
            }
            Err(failed) => {
                self.recover(&failed);
                for job in jobs {
                    let _ = job.answer.send(Err(ServiceError::from(&failed.error)));
                }
            }
        }
    }

    /// Decides the requests in order and makes what they amount to durable, all of it or nothing.
    pub(super) fn commit(&mut self, jobs: &[Job]) -> Result<Vec<Decided>, Failed> {
        let head = Head { size: self.state.size(), leaf: self.state.last_leaf() };
        let mut batch = self.store.begin(head).map_err(|error| Failed { error, decided: false })?;
        let mut decided = Vec::with_capacity(jobs.len());
        let mut bytes = 0;
        for job in jobs {
            let one = decide_one(&mut batch, &self.state, &self.clock, job)?;
            if let Decided::New(step) = &one {
                append(&mut batch, &mut self.state, &mut self.tree, step)?;
                bytes += step.entry.bytes().len();
            }
            decided.push(one);
        }
        if batch.size() == head.size {
            return Ok(decided);
        }
        if let Some(parts) = self.snapshots.parts() {
            batch.write_snapshot_part(parts)?;
        }
        let note = sign(&self.signer, &self.tree);
        batch.commit(&note.to_string())?;
        // A crash here leaves entries that are durable and that nobody was told of. The start finds them like all
        // others; whoever retries with the same request id is answered from them.
        self.snapshots.count(bytes);
        self.publish(Published::new(self.state.clone(), self.tree.clone(), note));
        Ok(decided)
    }

    fn publish(&mut self, published: Published) {
        let size = published.size();
        self.newest.set(Arc::new(published));
        self.sizes.send_replace(size);
        // A crash before the head file is written leaves it older than the ledger. The next start brings it up to date.
        self.head.wake();
    }

    /// After a failed batch: the memory may be ahead of the disk, or the disk ahead of what the error said. So the
    /// memory is thrown away and read again, by the same function that a start uses; or nothing is written any more.
    pub(super) fn recover(&mut self, failed: &Failed) {
        let error = &failed.error;
        tracing::error!(%error, size = self.newest.get().size(), "a commit failed");
        self.snapshots.abandon();
        if matches!(error, StoreError::HeadMoved { .. }) {
            self.status.set(WriteStatus::EvidenceBad(error.to_string()));
            return;
        }
        if error.is_disk_failure() {
            // Nothing that this process could read now would say what a restart will find.
            self.status.set(WriteStatus::Stopped(format!("the disk failed: {error}")));
            return;
        }
        if !failed.decided {
            return;
        }
        match self.readers.read(|reader| store::load(reader, self.signer.verifier_key())) {
            Ok(loaded) => {
                let published = Published::from(loaded);
                let (have, known) = (published.size(), self.newest.get().size());
                if have < known {
                    let known_by = "what this server acknowledged".to_owned();
                    self.status.set(WriteStatus::Behind { gap: Gap { have, known }, known_by });
                    return;
                }
                tracing::warn!(size = published.size(), "the ledger was read again from disk");
                self.state = published.state.clone();
                self.tree = published.tree.clone();
                self.publish(published);
            }
            Err(error @ StoreError::Evidence { .. }) => {
                self.status.set(WriteStatus::EvidenceBad(error.to_string()));
            }
            Err(error) => {
                let why = format!("after a failed commit the ledger could not be read: {error}");
                self.status.set(WriteStatus::Stopped(why));
            }
        }
    }

    /// Writes a part of a snapshot while nobody waits. A snapshot that fails is given up: it is derived.
    fn write_snapshot_part(&mut self) {
        let Some(parts) = self.snapshots.parts() else { return };
        if let Err(error) = self.store.write_snapshot_part(parts) {
            tracing::warn!(%error, "a snapshot could not be written");
            self.snapshots.abandon();
        }
    }

    /// The queue is empty and closed.
    fn finish(mut self) -> Result<(), StoreError> {
        if !self.status.is_over() {
            self.snapshots.make_now(&self.state);
            while self.snapshots.has_parts() {
                self.write_snapshot_part();
            }
        }
        // A crash before this ends leaves a WAL and perhaps no snapshot: the next start reads both back, slower.
        let Self { head, store, readers, sizes, .. } = self;
        drop(head);
        readers.close();
        let closed = match store.close() {
            Err(StoreError::Busy) => {
                tracing::warn!("somebody is still reading; the WAL stays next to the database");
                Ok(())
            }
            other => other,
        };
        // Whoever waits for the end of the drain waits for this.
        drop(sizes);
        closed
    }
}

/// Idempotency first, then the clock, then the rules.
fn decide_one(
    batch: &mut Batch<'_>,
    state: &State,
    clock: &Clock,
    job: &Job,
) -> Result<Decided, StoreError> {
    let header = &job.command.header;
    if let Some(index) = batch.find_request(header.request_id.as_bytes())? {
        return Ok(Decided::Seen(index));
    }
    let now = match recording_time(state.last_time(), clock.now()) {
        Ok(now) => now,
        Err(behind) => return Ok(Decided::Failed(behind)),
    };
    Ok(match decide(state, &job.request, &job.command, now) {
        Err(refusal) => Decided::Refused(refusal),
        Ok(step) if header.validate_only => Decided::Validated(Box::new(step)),
        Ok(step) => Decided::New(Box::new(step)),
    })
}

/// When an entry is recorded: now, and always after the last one.
pub(super) fn recording_time(last: Timestamp, now: Timestamp) -> Result<Timestamp, ServiceError> {
    if now > last {
        return Ok(now);
    }
    if last.micros_since(now) > CLOCK_TOLERANCE_MICROS {
        return Err(ServiceError::ClockBehind { last, now });
    }
    last.checked_add_micros(1).map_err(|_| ServiceError::ClockBehind { last, now })
}

/// Adds an accepted entry to the batch, the state and the tree.
pub(super) fn append(
    batch: &mut Batch<'_>,
    state: &mut State,
    tree: &mut Tree,
    step: &Step,
) -> Result<(), StoreError> {
    let subjects = step.subjects.iter().map(Subject::as_str);
    batch.append(step.entry.bytes(), step.request_id.as_bytes(), subjects)?;
    state.apply(step);
    tree.append(step.entry.leaf_hash()).iter().try_for_each(|tile| batch.keep_tile(tile))
}

/// The signed checkpoint of a tree.
pub(super) fn sign(signer: &NoteSigner, tree: &Tree) -> SignedNote {
    let origin = signer.verifier_key().name().as_str();
    let checkpoint = Checkpoint::new(origin, tree.size(), tree.root());
    let checkpoint = checkpoint.expect("a key's name is an origin, and a tree's size is in range");
    checkpoint.sign(signer).expect("the origin is the signer's own name")
}

/// Tells a caller what became of the request, which is durable by now.
fn answer(job: Job, decided: Decided, published: &Arc<Published>) {
    let written = match decided {
        Decided::New(step) => {
            let Step { entry, outcome, refusal, .. } = *step;
            let published = Arc::clone(published);
            let (index, entry) = (entry.index(), entry.bytes().clone());
            Ok(Written::New { published, index, entry, outcome, refusal })
        }
        Decided::Seen(index) => Ok(Written::Seen { index, request: job.request }),
        Decided::Validated(step) => Ok(Written::Validated { outcome: step.outcome }),
        Decided::Refused(refusal) => Ok(Written::Refused(refusal)),
        Decided::Failed(error) => Err(error),
    };
    let _ = job.answer.send(written);
}
