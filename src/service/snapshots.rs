//! When a snapshot is made, and where it is on its way to the disk.

use std::sync::Arc;
use std::thread::JoinHandle;

use super::published::Published;
use crate::state::State;
use crate::store::SnapshotParts;
use crate::tlog::NoteSigner;

/// Snapshots of one ledger. At most one is on its way: first it is serialised by a thread of its own, then its parts
/// are written by the writer, one along with each commit or between commits.
#[derive(Debug)]
pub(super) struct Snapshots {
    /// The ledger's key: a snapshot that it did not sign is not used.
    signer: NoteSigner,
    /// Entries between two snapshots.
    every: u64,
    /// Size of the newest one that is complete in the database.
    finished: u64,
    /// Size of the newest one that was begun.
    begun: u64,
    /// Length of the newest one, in bytes.
    length: usize,
    /// Bytes of entries that were added since it was begun.
    added: usize,
    being_made: Option<JoinHandle<SnapshotParts>>,
    parts: Option<SnapshotParts>,
}

impl Snapshots {
    /// The ledger was loaded from a snapshot of `finished` entries (0 for none).
    pub(super) fn new(signer: NoteSigner, every: u64, finished: u64) -> Self {
        Self {
            signer,
            every,
            finished,
            begun: finished,
            length: 0,
            added: 0,
            being_made: None,
            parts: None,
        }
    }

    /// Counts bytes of entries that became durable.
    pub(super) fn count(&mut self, bytes: usize) {
        self.added = self.added.saturating_add(bytes);
    }

    /// Starts a snapshot when enough was added since the last one: enough entries, and as many bytes as the snapshot
    /// itself has, so that snapshots never take up more than half of what is written.
    pub(super) fn start_if_due(&mut self, published: &Arc<Published>) {
        let entries = published.size().saturating_sub(self.begun);
        let busy = self.being_made.is_some() || self.parts.is_some();
        if busy || entries < self.every || self.added < self.length {
            return;
        }
        (self.begun, self.added) = (published.size(), 0);
        let (published, signer) = (Arc::clone(published), self.signer.clone());
        let thread = std::thread::Builder::new().name("snapshot".to_owned());
        match thread.spawn(move || SnapshotParts::of(&published.state, &signer)) {
            Ok(handle) => self.being_made = Some(handle),
            Err(error) => {
                tracing::warn!(%error, "no thread for a snapshot; the next start is slower");
            }
        }
    }

    /// Takes over a snapshot that has been serialised meanwhile, and notices one that is complete.
    pub(super) fn poll(&mut self) {
        if let Some(parts) = self.parts.take_if(|parts| parts.is_finished()) {
            (self.finished, self.length) = (parts.size(), parts.len());
        }
        if let Some(handle) = self.being_made.take_if(|handle| handle.is_finished()) {
            self.parts = handle.join().ok();
        }
    }

    pub(super) fn is_being_made(&self) -> bool {
        self.being_made.is_some()
    }

    /// Whether a part waits to be written.
    pub(super) fn has_parts(&self) -> bool {
        self.parts.as_ref().is_some_and(|parts| !parts.is_finished())
    }

    /// The snapshot whose next part is to be written.
    pub(super) fn parts(&mut self) -> Option<&mut SnapshotParts> {
        self.parts.as_mut().filter(|parts| !parts.is_finished())
    }

    /// Gives up what is on its way; the parts that were written are stale and will be deleted.
    pub(super) fn abandon(&mut self) {
        (self.being_made, self.parts) = (None, None);
    }

    /// Serialises this state here and now, unless the database has it already.
    pub(super) fn make_now(&mut self, state: &State) {
        self.poll();
        if self.finished != state.size() {
            self.abandon();
            self.parts = Some(SnapshotParts::of(state, &self.signer));
        }
    }
}
