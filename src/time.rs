//! Moments and calendar days. There is no "now" here: whoever needs the time is given it.
//!
//! A [`Timestamp`] is what the ledger records, to the microsecond, in UTC. A [`Date`] is what is
//! printed on a label, in a register or in a birth certificate: a day of the civil calendar,
//! without a time zone. The only way from one to the other is [`Date::of`], which is told the
//! site's offset, so that no rule depends on the zone of the machine it runs on and an audit years
//! later finds the same day again.

mod date;
mod timestamp;

pub use date::Date;
pub use timestamp::Timestamp;

/// The largest offset from UTC that is taken, in minutes either way: 18 hours. No clock on Earth is
/// further off.
pub const MAX_UTC_OFFSET_MINUTES: i32 = 18 * 60;

/// What is wrong with a moment or a day. Nothing here is clamped or guessed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// The moment lies outside the years that a ledger can record.
    #[error(
        "the moment {micros} µs after 1970-01-01 is outside 1970 to 9999; send a time within them"
    )]
    MomentOutOfRange {
        /// Microseconds since 1970-01-01T00:00:00Z; the nearest 64-bit value where it does not fit.
        micros: i64,
    },
    /// Seconds came with a fraction that is not a whole number of microseconds in 0 to 999,999,999
    /// ns.
    #[error(
        "{nanos} ns is not a fraction of a second in whole microseconds; \
         send 0 to 999,999,000 ns, a multiple of 1,000"
    )]
    NotWholeMicroseconds {
        /// The nanoseconds that were sent.
        nanos: i32,
    },
    /// The text is not a moment in RFC 3339 with `Z`.
    #[error(
        "this is not a moment in UTC; write it as 2026-11-21T09:30:00Z, \
         with at most six digits of a second and no other offset"
    )]
    NotAMoment,
    /// The text is not a calendar date.
    #[error("this is not a date; write year, month and day as 2026-11-21")]
    NotADate,
    /// The calendar has no such day.
    #[error("the calendar has no day {year:04}-{month:02}-{day:02}; check month and day")]
    NoSuchDay {
        /// The year that was asked for.
        year: i64,
        /// The month that was asked for.
        month: i64,
        /// The day of the month that was asked for.
        day: i64,
    },
    /// The day lies outside the years 1 to 9999.
    #[error("the day is outside the years 0001 to 9999; send a date within them")]
    DayOutOfRange,
    /// The offset from UTC is larger than any clock on Earth uses.
    #[error("an offset of {minutes} minutes from UTC is not in use; send -1080 to 1080")]
    OffsetOutOfRange {
        /// The offset in minutes, east of Greenwich positive.
        minutes: i32,
    },
}

/// Reads exactly these ASCII digits as a number; `None` for anything else, a sign included.
fn digits(text: &str) -> Option<i64> {
    if text.is_empty() || text.len() > 9 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}
