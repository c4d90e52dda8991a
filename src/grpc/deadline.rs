//! The deadline of a call, kept by us: an expired one answers `DEADLINE_EXCEEDED` and says what may
//! have happened.
//!
//! tonic would answer CANCELLED, which tells a caller nothing about a write. Here the work of a
//! write is in the writer's hands once it is queued: the call that waits for it may end, the write
//! does not.

use std::time::Duration;

use http::HeaderMap;

use super::error::Failure;
use super::limits::{DEFAULT_DEADLINE, MAX_DEADLINE};

/// Name of the header in which gRPC carries the time left.
const HEADER: &str = "grpc-timeout";

/// gRPC's own limit on the number: eight digits.
const MAX_DIGITS: usize = 8;

/// The time that a unary call gets: what its caller asks for, within [`MAX_DEADLINE`].
pub(super) fn unary(headers: &HeaderMap) -> Result<Duration, Failure> {
    Ok(asked(headers)?.unwrap_or(DEFAULT_DEADLINE).min(MAX_DEADLINE))
}

/// The time that a stream gets: what its caller asks for, or all the time there is.
pub(super) fn stream(headers: &HeaderMap) -> Result<Option<Duration>, Failure> {
    asked(headers)
}

fn asked(headers: &HeaderMap) -> Result<Option<Duration>, Failure> {
    headers.get(HEADER).map(|value| parse(value.as_bytes()).ok_or(Failure::Timeout)).transpose()
}

/// One to eight digits and a unit: `H`ours, `M`inutes, `S`econds, `m`illi-, `u` micro-,
/// `n`anoseconds.
fn parse(text: &[u8]) -> Option<Duration> {
    let (unit, digits) = text.split_last()?;
    if digits.is_empty() || digits.len() > MAX_DIGITS || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    match unit {
        b'H' => Some(Duration::from_secs(number.checked_mul(3_600)?)),
        b'M' => Some(Duration::from_secs(number.checked_mul(60)?)),
        b'S' => Some(Duration::from_secs(number)),
        b'm' => Some(Duration::from_millis(number)),
        b'u' => Some(Duration::from_micros(number)),
        b'n' => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, value.parse().unwrap());
        headers
    }

    #[test]
    fn reads_every_unit_of_the_protocol() {
        for (text, expected) in [
            ("1H", Duration::from_hours(1)),
            ("2M", Duration::from_mins(2)),
            ("3S", Duration::from_secs(3)),
            ("4m", Duration::from_millis(4)),
            ("5u", Duration::from_micros(5)),
            ("99999999n", Duration::from_nanos(99_999_999)),
            ("0S", Duration::ZERO),
        ] {
            assert_eq!(stream(&headers(text)).unwrap(), Some(expected), "{text}");
        }
    }

    #[test]
    fn refuses_what_the_protocol_does_not_know() {
        for text in ["", "S", "5", "5s", "-1S", "+1S", "1.5S", "123456789S", "1 S"] {
            assert!(unary(&headers(text)).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_unary_call_gets_the_default_and_never_more_than_the_most() {
        assert_eq!(unary(&HeaderMap::new()).unwrap(), DEFAULT_DEADLINE);
        assert_eq!(unary(&headers("119S")).unwrap(), Duration::from_secs(119));
        assert_eq!(unary(&headers("120S")).unwrap(), MAX_DEADLINE);
        assert_eq!(unary(&headers("121S")).unwrap(), MAX_DEADLINE);
        assert_eq!(stream(&HeaderMap::new()).unwrap(), None);
    }
}
