//! An entry: sealed once by the server, read again by whoever trusts nothing.

use bytes::Bytes;
use prost::Message as _;

use super::kind::RequestKind;
use super::request::SignedRequest;
use crate::pb::v1;
use crate::time::{TimeError, Timestamp};
use crate::tlog::{Hash, HashError, PUBLIC_KEY_BYTES, SIGNATURE_BYTES, leaf_hash};
use crate::wire::{timestamp_from_wire, timestamp_to_wire};

/// Version of the entry format that this program writes and reads.
pub const FORMAT_VERSION: u32 = 1;

/// Bytes of an entry at most: the entry bundles of C2SP tlog-tiles carry a 16-bit length.
pub const MAX_ENTRY_BYTES: usize = 65_535;

/// What the server adds to a request when it seals it.
#[derive(Clone, Debug)]
pub struct Sealing<'a> {
    /// Origin of the ledger.
    pub ledger: &'a str,
    /// Position of the entry.
    pub index: u64,
    /// Leaf hash of the entry before, or the empty root for entry 0.
    pub previous: Hash,
    /// The server's time.
    pub recorded_time: Timestamp,
    /// Version of the rules that decided.
    pub rules_version: u32,
}

/// An entry as it is stored: its bytes and what they hash to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedEntry {
    index: u64,
    recorded_time: Timestamp,
    leaf_hash: Hash,
    bytes: Bytes,
}

/// Why bytes are not an entry that this program can read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// More bytes than an entry may have.
    #[error("an entry holds at most {MAX_ENTRY_BYTES} bytes, this one has {0}")]
    TooLong(usize),
    /// Not a protobuf message of the expected shape.
    #[error("the bytes are not an entry: {0}")]
    Malformed(String),
    /// A version that this program does not know.
    #[error("the entry has format version {0}; this program reads version {FORMAT_VERSION}")]
    UnknownFormat(u32),
    /// A kind of request that this program does not know.
    #[error("the entry holds a request of the unknown type {0:?}")]
    UnknownRequest(String),
}

impl From<TimeError> for EntryError {
    fn from(error: TimeError) -> Self {
        Self::Malformed(error.to_string())
    }
}

impl From<HashError> for EntryError {
    fn from(error: HashError) -> Self {
        Self::Malformed(error.to_string())
    }
}

impl SealedEntry {
    /// Serialises an entry, once and for all. Fails only when it would be longer than [`MAX_ENTRY_BYTES`].
    pub fn seal(
        sealing: &Sealing<'_>,
        request: &SignedRequest,
        outcome: v1::Outcome,
    ) -> Result<(Self, v1::Outcome), EntryError> {
        let mut entry = v1::Entry {
            format_version: FORMAT_VERSION,
            ledger: sealing.ledger.to_owned(),
            index: sealing.index,
            previous_leaf_hash: sealing.previous.as_ref().to_vec(),
            recorded_time: Some(timestamp_to_wire(sealing.recorded_time)),
            rules_version: sealing.rules_version,
            request_type: request.kind().message_name().to_owned(),
            request: request.bytes().to_vec(),
            signer_key: request.key().to_vec(),
            signature: request.signature().to_vec(),
            outcome: Some(outcome),
        };
        let bytes = Bytes::from(entry.encode_to_vec());
        if bytes.len() > MAX_ENTRY_BYTES {
            return Err(EntryError::TooLong(bytes.len()));
        }
        let outcome = entry.outcome.take().unwrap_or_default();
        let leaf_hash = leaf_hash(&bytes);
        let recorded_time = sealing.recorded_time;
        Ok((Self { index: sealing.index, recorded_time, leaf_hash, bytes }, outcome))
    }

    /// Position of the entry.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.index
    }

    /// When the server recorded it.
    #[must_use]
    pub fn recorded_time(&self) -> Timestamp {
        self.recorded_time
    }

    /// What its bytes hash to.
    #[must_use]
    pub fn leaf_hash(&self) -> Hash {
        self.leaf_hash
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

/// An entry's bytes, read. Everything in it is what the bytes say, and nothing of it has been checked.
#[derive(Clone, Debug)]
pub struct ParsedEntry<O = v1::Outcome> {
    /// The bytes and their hash.
    pub sealed: SealedEntry,
    /// Origin that the entry says it belongs to.
    pub ledger: String,
    /// Leaf hash of the entry before, as the entry says.
    pub previous: Hash,
    /// Version of the rules that decided it.
    pub rules_version: u32,
    /// The request. Its signature has not been verified here.
    pub request: SignedRequest,
    /// What the entry says the rules made of it.
    pub outcome: O,
}

/// An outcome that is there and that nobody has read yet. Whoever runs the rules again need not read it: the entry must
/// come out with the same bytes. One that is no message shows then, and not before.
#[derive(Clone, Copy, Debug)]
pub struct Unread;

/// The fields of `v1.Entry`, but for the outcome as bytes.
#[derive(Clone, PartialEq, prost::Message)]
struct Fields {
    #[prost(uint32, tag = "1")]
    format_version: u32,
    #[prost(string, tag = "2")]
    ledger: String,
    #[prost(uint64, tag = "3")]
    index: u64,
    #[prost(bytes = "bytes", tag = "4")]
    previous_leaf_hash: Bytes,
    #[prost(message, optional, tag = "5")]
    recorded_time: Option<prost_types::Timestamp>,
    #[prost(uint32, tag = "6")]
    rules_version: u32,
    #[prost(string, tag = "7")]
    request_type: String,
    #[prost(bytes = "bytes", tag = "8")]
    request: Bytes,
    #[prost(bytes = "bytes", tag = "9")]
    signer_key: Bytes,
    #[prost(bytes = "bytes", tag = "10")]
    signature: Bytes,
    #[prost(bytes = "bytes", optional, tag = "11")]
    outcome: Option<Bytes>,
}

impl ParsedEntry<Unread> {
    /// Reads an entry's bytes, all but the outcome.
    pub fn open(bytes: Bytes) -> Result<Self, EntryError> {
        if bytes.len() > MAX_ENTRY_BYTES {
            return Err(EntryError::TooLong(bytes.len()));
        }
        let entry = Fields::decode(bytes.clone())
            .map_err(|error| EntryError::Malformed(error.to_string()))?;
        if entry.format_version != FORMAT_VERSION {
            return Err(EntryError::UnknownFormat(entry.format_version));
        }
        let kind = RequestKind::from_message_name(&entry.request_type)
            .ok_or_else(|| EntryError::UnknownRequest(printable(&entry.request_type)))?;
        let recorded_time = entry.recorded_time.ok_or_else(|| missing("recorded_time"))?;
        let key: [u8; PUBLIC_KEY_BYTES] =
            entry.signer_key.as_ref().try_into().map_err(|_| missing("signer_key"))?;
        let signature: [u8; SIGNATURE_BYTES] =
            entry.signature.as_ref().try_into().map_err(|_| missing("signature"))?;
        let sealed = SealedEntry {
            index: entry.index,
            recorded_time: timestamp_from_wire(&recorded_time)?,
            leaf_hash: leaf_hash(&bytes),
            bytes,
        };
        Ok(Self {
            sealed,
            ledger: entry.ledger,
            previous: Hash::try_from(entry.previous_leaf_hash.as_ref())?,
            rules_version: entry.rules_version,
            request: SignedRequest::unverified(kind, entry.request, key, signature),
            outcome: entry.outcome.map(|_| Unread).ok_or_else(|| missing("outcome"))?,
        })
    }

    /// Reads the outcome too.
    pub fn read(self) -> Result<ParsedEntry, EntryError> {
        // Of the whole, so that an outcome in several parts is what every reader of protobuf makes of it.
        let entry = v1::Entry::decode(self.sealed.bytes.clone())
            .map_err(|error| EntryError::Malformed(error.to_string()))?;
        let outcome = entry.outcome.ok_or_else(|| missing("outcome"))?;
        Ok(ParsedEntry {
            sealed: self.sealed,
            ledger: self.ledger,
            previous: self.previous,
            rules_version: self.rules_version,
            request: self.request,
            outcome,
        })
    }
}

impl ParsedEntry {
    /// Reads an entry's bytes.
    pub fn parse(bytes: Bytes) -> Result<Self, EntryError> {
        ParsedEntry::open(bytes)?.read()
    }
}

fn missing(field: &str) -> EntryError {
    EntryError::Malformed(format!("{field} is missing or has the wrong length"))
}

/// Text from hostile bytes, fit to be shown: at most 80 printable characters.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_those_of_the_message() {
        let outcome = v1::Outcome {
            flags: vec![v1::Flag { kind: 1, message: "a flag".to_owned() }],
            ..v1::Outcome::default()
        };
        let message = v1::Entry {
            format_version: 1,
            ledger: "ledger.example/clinic".to_owned(),
            index: 300,
            previous_leaf_hash: vec![1; 32],
            recorded_time: Some(prost_types::Timestamp { seconds: 7, nanos: 1_000 }),
            rules_version: 3,
            request_type: "vialedger.v1.DispenseVialRequest".to_owned(),
            request: vec![2; 40],
            signer_key: vec![3; 32],
            signature: vec![4; 64],
            outcome: Some(outcome.clone()),
        };
        let bytes = Bytes::from(message.encode_to_vec());
        let fields = Fields::decode(bytes.clone()).unwrap();
        assert_eq!(fields.outcome, Some(Bytes::from(outcome.encode_to_vec())));
        assert_eq!(fields.encode_to_vec(), bytes);
        assert_eq!(v1::Entry::decode(Bytes::from(fields.encode_to_vec())).unwrap(), message);
        assert_eq!(ParsedEntry::parse(bytes).unwrap().outcome, outcome);
    }

    #[test]
    fn an_outcome_in_two_parts_is_read_as_one() {
        let flag = |message: &str| v1::Flag { kind: 1, message: message.to_owned() };
        let outcome = |flags: Vec<v1::Flag>| Some(v1::Outcome { flags, ..v1::Outcome::default() });
        let message = v1::Entry {
            format_version: 1,
            previous_leaf_hash: vec![1; 32],
            recorded_time: Some(prost_types::Timestamp::default()),
            request_type: "vialedger.v1.DispenseVialRequest".to_owned(),
            signer_key: vec![3; 32],
            signature: vec![4; 64],
            outcome: outcome(vec![flag("one")]),
            ..v1::Entry::default()
        };
        let second = v1::Entry { outcome: outcome(vec![flag("two")]), ..v1::Entry::default() };
        let bytes = [message.encode_to_vec(), second.encode_to_vec()].concat();
        let both = ParsedEntry::parse(bytes.into()).unwrap().outcome;
        assert_eq!(both.flags, [flag("one"), flag("two")]);
    }

    #[test]
    fn an_outcome_that_is_none_is_found_when_it_is_read() {
        let fields = Fields {
            format_version: 1,
            previous_leaf_hash: Bytes::from_static(&[0; 32]),
            recorded_time: Some(prost_types::Timestamp::default()),
            request_type: "vialedger.v1.DispenseVialRequest".to_owned(),
            signer_key: Bytes::from_static(&[0; 32]),
            signature: Bytes::from_static(&[0; 64]),
            outcome: Some(Bytes::from_static(&[0xff])),
            ..Fields::default()
        };
        let opened = ParsedEntry::open(fields.encode_to_vec().into()).unwrap();
        assert!(matches!(opened.read(), Err(EntryError::Malformed(_))));
        let none = Fields { outcome: None, ..fields }.encode_to_vec();
        assert!(matches!(ParsedEntry::open(none.into()), Err(EntryError::Malformed(_))));
    }
}
