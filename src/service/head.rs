//! Keeping the head file up to date, without any write waiting for it.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::error::OpenError;
use super::published::Newest;
use crate::store::{HeadFile, StoreError};

/// The pause after the head file was written. What is committed meanwhile is in the next one: after a power cut the
/// file is older than the ledger by so much, and a ledger that was put back by less is not found out by it.
pub const HEAD_PAUSE: Duration = Duration::from_millis(100);

/// The thread that writes the head file. Ends when this is dropped, after a last write.
#[derive(Debug)]
pub(super) struct HeadKeeper {
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    wake: SyncSender<()>,
    /// Dropped to end a pause at once.
    open: Sender<()>,
    thread: JoinHandle<()>,
}

impl HeadKeeper {
    /// A keeper of nothing, for a ledger that must not be written to: what its head file says is what is missed.
    pub(super) const fn idle() -> Self {
        Self { running: None }
    }

    /// Writes the head file now, so that a ledger whose file cannot be written does not start, and from now on after
    /// commits.
    pub(super) fn start(file: HeadFile, newest: Arc<Newest>) -> Result<Self, OpenError> {
        let written = write(&file, &newest)?;
        let (wake, woken) = sync_channel(1);
        let (open, closed) = channel();
        let thread = std::thread::Builder::new().name("head".to_owned());
        let thread = thread.spawn(move || keep(&file, &newest, &woken, &closed, written));
        let thread = thread.map_err(OpenError::Thread)?;
        Ok(Self { running: Some(Running { wake, open, thread }) })
    }

    /// Says that there is a newer checkpoint, which is durable. Never waits.
    pub(super) fn wake(&self) {
        if let Some(running) = &self.running {
            // A full channel has woken the thread already, and it takes the newest.
            let _ = running.wake.try_send(());
        }
    }
}

impl Drop for HeadKeeper {
    fn drop(&mut self) {
        if let Some(Running { wake, open, thread }) = self.running.take() {
            drop((open, wake));
            // A thread that panicked leaves an older file, which is what a crash leaves too.
            let _ = thread.join();
        }
    }
}

fn keep(
    file: &HeadFile,
    newest: &Newest,
    woken: &Receiver<()>,
    closed: &Receiver<()>,
    mut written: u64,
) {
    loop {
        let mut ended = woken.recv().is_err();
        written = catch_up(file, newest, written);
        ended = ended || closed.recv_timeout(HEAD_PAUSE) == Err(RecvTimeoutError::Disconnected);
        if ended {
            catch_up(file, newest, written);
            return;
        }
    }
}

/// Writes the file if there is something newer than what is in it, and answers with the size that it is of.
fn catch_up(file: &HeadFile, newest: &Newest, written: u64) -> u64 {
    if newest.get().size() == written {
        return written;
    }
    write(file, newest).unwrap_or_else(|error| {
        // The ledger is none the worse for it; the next commit tries again.
        tracing::error!(%error, "the head file could not be written");
        written
    })
}

/// Writes the newest checkpoint. It was published after its commit, so it is durable.
fn write(file: &HeadFile, newest: &Newest) -> Result<u64, StoreError> {
    let published = newest.get();
    file.write(&published.checkpoint)?;
    Ok(published.size())
}
