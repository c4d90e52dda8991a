//! The only clock. Whatever else needs the time is given it.

#![expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::time::Timestamp;

/// What tells the time: the machine, or whoever tests or demonstrates. Clones of one clock tell the same time.
#[derive(Clone, Debug)]
pub struct Clock {
    /// The clock to go by instead of the machine's.
    manual: Option<ManualClock>,
}

/// A clock that stands still until it is moved, so that a test or a demonstration can let an hour pass.
#[derive(Clone, Debug)]
pub struct ManualClock {
    micros: Arc<AtomicI64>,
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub const fn system() -> Self {
        Self { manual: None }
    }

    /// The present moment. A machine that believes to be before 1970 or after 9999 gets the nearest moment that a
    /// ledger can record; the check against the last entry then says what is wrong.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        if let Some(manual) = &self.manual {
            return manual.now();
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let micros = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
        Timestamp::from_micros(micros).unwrap_or(Timestamp::MAX)
    }
}

impl From<ManualClock> for Clock {
    fn from(manual: ManualClock) -> Self {
        Self { manual: Some(manual) }
    }
}

impl ManualClock {
    /// A clock that stands at this moment.
    #[must_use]
    pub fn at(moment: Timestamp) -> Self {
        Self { micros: Arc::new(AtomicI64::new(moment.micros())) }
    }

    /// The moment that it stands at.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let micros = self.micros.load(Ordering::SeqCst);
        Timestamp::from_micros(micros).expect("only timestamps are stored")
    }

    /// Moves it to this moment, forwards or backwards.
    pub fn set(&self, moment: Timestamp) {
        self.micros.store(moment.micros(), Ordering::SeqCst);
    }

    /// Lets time pass, at most until the end of 9999.
    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        self.set(self.now().checked_add_micros(by).unwrap_or(Timestamp::MAX));
    }
}

/// Measures how long something takes, whatever happens to the machine's clock meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch {
    started: Instant,
}

impl Stopwatch {
    /// Starts measuring.
    #[must_use]
    pub fn start() -> Self {
        Self { started: Instant::now() }
    }

    /// How long it has been.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_stands_still_until_it_is_moved_and_its_clones_follow() {
        let start: Timestamp = "2026-11-21T09:30:00Z".parse().unwrap();
        let hand = ManualClock::at(start);
        let clock = Clock::from(hand.clone());
        assert_eq!((clock.now(), clock.now()), (start, start));
        hand.advance(Duration::from_hours(1));
        assert_eq!(clock.now().to_string(), "2026-11-21T10:30:00Z");
        hand.advance(Duration::MAX);
        assert_eq!(clock.now(), Timestamp::MAX);
        hand.set(start);
        assert_eq!(clock.now(), start);
    }

    #[test]
    fn the_machine_tells_a_time_after_this_was_written() {
        let written: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        assert!(Clock::system().now() > written);
        assert!(Stopwatch::start().elapsed() < Duration::from_mins(1));
    }
}
