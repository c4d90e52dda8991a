//! What every request carries.

use std::fmt;
use std::str::FromStr;

use super::reader::Reader;
use crate::time::Timestamp;

/// Bytes of an origin at most.
const MAX_ORIGIN_BYTES: usize = 255;

/// A request's id: a UUID of version 7, chosen by the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId([u8; 16]);

impl RequestId {
    /// From the 16 bytes of a stored id.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// A new id of this moment. Two of one moment differ by the random bytes.
    #[must_use]
    pub fn new(now: Timestamp, random: [u8; 10]) -> Self {
        let millis = u64::try_from(now.micros() / 1_000).expect("a timestamp is not before 1970");
        Self(*uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid().as_bytes())
    }

    /// The 16 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl FromStr for RequestId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hint = "expected a UUID of version 7 in lower case with hyphens, such as \
                    \"0197c2a0-5b1e-7c3d-8f00-123456789abc\"; make a new one for each act";
        let id = uuid::Uuid::parse_str(text).map_err(|_| hint)?;
        // One spelling for one id: a signed request must not be replayed under another spelling.
        if id.get_version_num() != 7 || id.hyphenated().to_string() != text {
            return Err(hint);
        }
        Ok(Self(*id.as_bytes()))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        uuid::Uuid::from_bytes(self.0).hyphenated().fmt(f)
    }
}

/// What every request carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Origin of the ledger that it is meant for.
    pub ledger: String,
    /// Its id.
    pub request_id: RequestId,
    /// Run every rule and record nothing.
    pub validate_only: bool,
    /// The size that the ledger must still have.
    pub expected_size: Option<u64>,
}

/// Reads the fields that are the same in every request.
pub(super) fn header(
    reader: &mut Reader,
    ledger: &str,
    request_id: &str,
    validate_only: bool,
    expected_size: Option<u64>,
) -> Option<Header> {
    let ledger = reader.text("ledger", ledger, MAX_ORIGIN_BYTES);
    let request_id = reader.name("request_id", request_id);
    Some(Header { ledger: ledger?, request_id: request_id?, validate_only, expected_size })
}
