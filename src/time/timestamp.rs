//! A moment in UTC.

use super::{Date, TimeError, digits};
use crate::units::Span;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::fmt;
use std::str::FromStr;

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

/// A moment: microseconds since 1970-01-01T00:00:00Z, within the years 1970 to 9999.
///
/// Written in RFC 3339 with `Z`, the fraction without trailing zeros: `2026-11-21T09:30:00.25Z`.
/// Serialised as that text where people read it, and as the microseconds elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    micros: i64,
}

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const MIN: Self = Self { micros: 0 };
    /// 9999-12-31T23:59:59.999999Z.
    pub const MAX: Self = Self { micros: 253_402_300_799_999_999 };

    /// The moment so many microseconds after 1970-01-01T00:00:00Z.
    pub fn from_micros(micros: i64) -> Result<Self, TimeError> {
        if (Self::MIN.micros..=Self::MAX.micros).contains(&micros) {
            Ok(Self { micros })
        } else {
            Err(TimeError::MomentOutOfRange { micros })
        }
    }

    /// Microseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn micros(self) -> i64 {
        self.micros
    }

    /// The moment in the two fields of a protobuf `Timestamp`. The fraction must be whole
    /// microseconds: what is stored is exactly what was sent, so nothing is rounded away.
    pub fn from_seconds_and_nanos(seconds: i64, nanos: i32) -> Result<Self, TimeError> {
        if !(0..1_000_000_000).contains(&nanos) || nanos % 1_000 != 0 {
            return Err(TimeError::NotWholeMicroseconds { nanos });
        }
        let micros = seconds.saturating_mul(MICROS_PER_SECOND);
        Self::from_micros(micros.saturating_add(i64::from(nanos / 1_000)))
    }

    /// The two fields of a protobuf `Timestamp`: seconds since 1970 and nanoseconds 0 to
    /// 999,999,000.
    #[must_use]
    pub fn to_seconds_and_nanos(self) -> (i64, i32) {
        let fraction = i32::try_from(self.micros % MICROS_PER_SECOND)
            .expect("a remainder below one million fits 32 bits");
        (self.micros / MICROS_PER_SECOND, fraction * 1_000)
    }

    /// The moment so many microseconds later (earlier, if negative).
    pub fn checked_add_micros(self, micros: i64) -> Result<Self, TimeError> {
        Self::from_micros(self.micros.saturating_add(micros))
    }

    /// The moment so much later: when something that begins now runs out.
    pub fn checked_add(self, span: Span) -> Result<Self, TimeError> {
        self.checked_add_micros(i64::try_from(span.microseconds()).unwrap_or(i64::MAX))
    }

    /// Microseconds from `earlier` to this moment; negative if `earlier` is in truth later.
    #[must_use]
    pub fn micros_since(self, earlier: Self) -> i64 {
        self.micros - earlier.micros
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.micros / MICROS_PER_SECOND;
        let date = Date::from_days_since_epoch(seconds / SECONDS_PER_DAY)
            .expect("a timestamp lies within the years of the calendar");
        let of_day = seconds % SECONDS_PER_DAY;
        write!(f, "{date}T{:02}:{:02}:{:02}", of_day / 3_600, of_day / 60 % 60, of_day % 60)?;
        let fraction = self.micros % MICROS_PER_SECOND;
        if fraction != 0 {
            write!(f, ".{}", format!("{fraction:06}").trim_end_matches('0'))?;
        }
        f.write_str("Z")
    }
}

impl FromStr for Timestamp {
    type Err = TimeError;

    /// Reads `2026-11-21T09:30:00Z` with up to six digits of a second. Other offsets and leap
    /// seconds are refused: a ledger has one way to write a moment.
    fn from_str(text: &str) -> Result<Self, TimeError> {
        let (date, rest) = text.split_once('T').ok_or(TimeError::NotAMoment)?;
        let date: Date = date.parse()?;
        let clock = rest.strip_suffix('Z').ok_or(TimeError::NotAMoment)?;
        let (whole, fraction) = match clock.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (clock, None),
        };
        let mut parts = whole.split(':');
        let mut next = |bound: i64| {
            let part = parts.next().filter(|part| part.len() == 2)?;
            digits(part).filter(|value| *value < bound)
        };
        let (hour, minute, second) = (next(24), next(60), next(60));
        let (Some(hour), Some(minute), Some(second), None) = (hour, minute, second, parts.next())
        else {
            return Err(TimeError::NotAMoment);
        };
        let micros = fraction.map_or(Some(0), fraction_micros).ok_or(TimeError::NotAMoment)?;
        let seconds =
            date.days_since_epoch() * SECONDS_PER_DAY + hour * 3_600 + minute * 60 + second;
        Self::from_micros(seconds * MICROS_PER_SECOND + micros)
    }
}

/// The digits after the point, one to six of them, in microseconds.
fn fraction_micros(text: &str) -> Option<i64> {
    let value = digits(text).filter(|_| text.len() <= 6)?;
    let missing = u32::try_from(6 - text.len()).expect("at most six digits were left");
    Some(value * 10_i64.pow(missing))
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_i64(self.micros)
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
        } else {
            Self::from_micros(i64::deserialize(deserializer)?).map_err(D::Error::custom)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn moment(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_bounds_are_the_first_and_last_microsecond() {
        assert_eq!(Timestamp::MIN.to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(Timestamp::MAX.to_string(), "9999-12-31T23:59:59.999999Z");
        assert_eq!(moment("9999-12-31T23:59:59.999999Z"), Timestamp::MAX);
        assert!(Timestamp::from_micros(-1).is_err());
        assert!(Timestamp::MAX.checked_add_micros(1).is_err());
        assert!(Timestamp::MAX.checked_add_micros(i64::MAX).is_err());
        assert!(Timestamp::MIN.checked_add_micros(i64::MIN).is_err());
        assert!(Timestamp::MAX.checked_add(Span::MAX).is_err());
        assert!("1969-12-31T23:59:59Z".parse::<Timestamp>().is_err());
    }

    #[test]
    fn the_fraction_loses_its_trailing_zeros_and_nothing_else() {
        assert_eq!(moment("2026-11-21T09:30:00.250000Z").to_string(), "2026-11-21T09:30:00.25Z");
        assert_eq!(
            moment("2026-11-21T09:30:00.000001Z").to_string(),
            "2026-11-21T09:30:00.000001Z"
        );
        assert_eq!(moment("2026-11-21T09:30:00.0Z").to_string(), "2026-11-21T09:30:00Z");
    }

    #[test]
    fn an_hour_later_is_an_hour_later() {
        let hour = Span::from_microseconds(3_600_000_000).unwrap();
        let later = moment("2026-12-31T23:30:00Z").checked_add(hour).unwrap();
        assert_eq!(later, moment("2027-01-01T00:30:00Z"));
        assert_eq!(later.micros_since(moment("2026-12-31T23:30:00Z")), 3_600_000_000);
    }

    #[test]
    fn only_utc_and_only_real_times_are_read() {
        for text in [
            "",
            "2026-11-21",
            "2026-11-21T09:30:00",
            "2026-11-21T09:30:00+01:00",
            "2026-11-21t09:30:00z",
            "2026-11-21 09:30:00Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T09:60:00Z",
            "2026-11-21T23:59:60Z",
            "2026-11-21T9:30:00Z",
            "2026-11-21T09:30:00.Z",
            "2026-11-21T09:30:00.1234567Z",
            "2026-11-21T09:30:00:00Z",
        ] {
            assert_eq!(text.parse::<Timestamp>(), Err(TimeError::NotAMoment), "{text:?}");
        }
    }

    #[test]
    fn nanoseconds_that_would_be_rounded_are_refused() {
        assert_eq!(
            Timestamp::from_seconds_and_nanos(1, 1_500),
            Err(TimeError::NotWholeMicroseconds { nanos: 1_500 })
        );
        assert!(Timestamp::from_seconds_and_nanos(1, -1_000).is_err());
        assert!(Timestamp::from_seconds_and_nanos(1, 1_000_000_000).is_err());
        assert!(Timestamp::from_seconds_and_nanos(i64::MAX, 0).is_err());
        assert!(Timestamp::from_seconds_and_nanos(-1, 999_999_000).is_err());
        let exact = Timestamp::from_seconds_and_nanos(1, 2_000).unwrap();
        assert_eq!(exact.micros(), 1_000_002);
        assert_eq!(exact.to_seconds_and_nanos(), (1, 2_000));
    }

    #[test]
    fn serialised_it_is_text_for_people_and_a_number_for_machines() {
        let at = moment("2026-11-21T09:30:00.25Z");
        assert_eq!(serde_json::to_string(&at).unwrap(), "\"2026-11-21T09:30:00.25Z\"");
        assert_eq!(serde_json::from_str::<Timestamp>("\"2026-11-21T09:30:00.25Z\"").unwrap(), at);
        let bytes = postcard::to_allocvec(&at).unwrap();
        assert_eq!(postcard::from_bytes::<Timestamp>(&bytes).unwrap(), at);
        assert!(
            postcard::from_bytes::<Timestamp>(&postcard::to_allocvec(&-1_i64).unwrap()).is_err()
        );
    }

    proptest! {
        #[test]
        fn every_moment_reads_back_and_agrees_with_jiff(micros in 0_i64..=253_402_207_200_999_999) {
            let ours = Timestamp::from_micros(micros).unwrap();
            let theirs = jiff::Timestamp::from_microsecond(micros).unwrap();
            prop_assert_eq!(ours.to_string(), theirs.to_string());
            prop_assert_eq!(ours.to_string().parse::<Timestamp>(), Ok(ours));
            let (seconds, nanos) = ours.to_seconds_and_nanos();
            prop_assert_eq!(Timestamp::from_seconds_and_nanos(seconds, nanos), Ok(ours));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,40}") {
            let _ = text.parse::<Timestamp>();
        }

        #[test]
        fn nothing_close_to_a_moment_makes_the_parser_panic(text in "[0-9TZ:.+-]{0,40}") {
            if let Ok(at) = text.parse::<Timestamp>() {
                prop_assert_eq!(at.to_string().parse::<Timestamp>(), Ok(at));
            }
        }
    }
}
