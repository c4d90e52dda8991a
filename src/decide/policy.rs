//! Times that are the site's to choose. None of them is law: they decide what is flagged, never what is forgotten.

/// Microseconds in a minute.
const MINUTE: i64 = 60_000_000;

/// A device's clock may be ahead of the server's by this much, in microseconds, before a moment counts as future.
/// Two minutes: phones and workstations that keep time over the network are well within it.
pub const CLOCK_SKEW: i64 = 2 * MINUTE;

/// An act recorded more than this after it happened, in microseconds, is flagged as late. One hour: site policy.
pub const LATE_AFTER: i64 = 60 * MINUTE;

/// A waste should be witnessed within this, in microseconds. Thirty minutes: site policy. A later witness is flagged
/// and not refused, because a waste without any witness is worse.
pub const WITNESS_WITHIN: i64 = 30 * MINUTE;

/// How long an identity stays open to the person who had it opened, in microseconds. Ten minutes: long enough to write
/// a label, short enough for a device that is left lying about.
pub const IDENTITY_OPEN_FOR: i64 = 10 * MINUTE;
