//! Work that the other cores do ahead of the one that judges, handed back in the order in which it was begun.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

/// Does work that holds an audit on a thread of rayon's pool, so that there is one thread to a core. An audit can be made
/// anywhere; but beside the pool the thread that judges is one too many, and the scheduler keeps it waiting for a core
/// while another is idle.
pub fn on_the_pool<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    rayon::scope(|_| work())
}

/// Why there is always an answer.
const ENDS: &str = "work that was begun says how it ended";

/// What a panic leaves.
type Panic = Box<dyn Any + Send>;

/// What was begun and is not handed back yet.
pub(super) struct Ahead<T> {
    coming: VecDeque<Receiver<Result<T, Panic>>>,
}

impl<T> Default for Ahead<T> {
    fn default() -> Self {
        Self { coming: VecDeque::new() }
    }
}

impl<T: Send + 'static> Ahead<T> {
    /// How much is coming.
    pub(super) fn len(&self) -> usize {
        self.coming.len()
    }

    /// Hands work to the other cores.
    pub(super) fn begin(&mut self, work: impl FnOnce() -> T + Send + 'static) {
        let (done, coming) = sync_channel(1);
        self.coming.push_back(coming);
        rayon::spawn_fifo(move || {
            // Where the audit stopped meanwhile, nobody wants it any more.
            let _ = done.send(catch_unwind(AssertUnwindSafe(work)));
        });
    }

    /// The work that was begun first, waited for; nothing where none was. A panic in it goes on here.
    pub(super) fn next(&mut self) -> Option<T> {
        let coming = self.coming.pop_front()?;
        let done = loop {
            match coming.try_recv() {
                Ok(done) => break done,
                // One of the pool's own threads works on while it waits: it may be the only one that can do the work.
                Err(TryRecvError::Empty) => match rayon::yield_now() {
                    Some(rayon::Yield::Executed) => {}
                    Some(rayon::Yield::Idle) => std::hint::spin_loop(),
                    None => break coming.recv().expect(ENDS),
                },
                Err(TryRecvError::Disconnected) => unreachable!("{ENDS}"),
            }
        };
        Some(done.unwrap_or_else(|panic| resume_unwind(panic)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn squares() -> Vec<u64> {
        let mut ahead = Ahead::default();
        for number in 0..100_u64 {
            ahead.begin(move || number * number);
        }
        std::iter::from_fn(|| ahead.next()).collect()
    }

    #[test]
    fn work_comes_back_in_its_order_also_to_the_only_thread_of_a_pool() {
        let expected: Vec<u64> = (0..100).map(|number| number * number).collect();
        assert_eq!(squares(), expected);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        assert_eq!(pool.install(squares), expected);
    }

    #[test]
    #[should_panic(expected = "of the work")]
    fn a_panic_reaches_whoever_waits() {
        let mut ahead = Ahead::<()>::default();
        ahead.begin(|| panic!("of the work"));
        let _ = ahead.next();
    }
}
