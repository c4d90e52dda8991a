//! The lines of a bundle, each in one spelling.

use base64ct::{Base64, Encoding as _};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::selection::Selection;
use crate::tlog::{Hash, MAX_PROOF_HASHES};

/// Version of the format.
pub const VERSION: u32 = 1;

/// Bytes of a line at most, its end included: the longest note or policy, every byte of it escaped.
pub const MAX_LINE_BYTES: usize = 2 * 1024 * 1024;

/// What a bundle begins with.
const HEAD: &[u8] = b"{\"bundle\":{";
/// What its last line begins with.
const END: &[u8] = b"{\"end\":{";
/// What a line with an opened identity begins with; after it comes the identity's own line.
const IDENTITY: &[u8] = b"{\"identity\":";

/// The first line: what the bundle is of, and how much follows. Nobody signed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Version of the format.
    pub version: u32,
    /// Origin of the ledger.
    pub origin: String,
    /// What was asked for, in words.
    pub words: String,
    /// The same for programs.
    pub selection: Selection,
    /// Entries of the ledger at the checkpoint.
    pub size: u64,
    /// Root of the tree at the checkpoint, in base64.
    pub root: String,
    /// Selected entries that follow.
    pub entries: u64,
    /// Entries that follow because they say who might do what.
    pub keys: u64,
    /// Opened identities that follow.
    pub identities: u64,
    /// Why they were opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opened_because: Option<String>,
}

impl Header {
    /// Whether the whole ledger is in the bundle. Then its entries need no proofs: their tree is the signed one.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.entries == self.size
    }
}

/// An entry with its proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryLine {
    /// Position in the ledger.
    pub index: u64,
    /// Whether it was asked for, and is not there for the keys alone.
    pub selected: bool,
    /// The entry's bytes, in base64.
    pub entry: String,
    /// Its path to the root, each hash in base64; empty where the whole ledger is in the bundle.
    pub proof: Vec<String>,
}

impl EntryLine {
    /// The line of an entry.
    #[must_use]
    pub fn new(index: u64, selected: bool, entry: &[u8], proof: &[Hash]) -> Self {
        let proof = proof.iter().map(ToString::to_string).collect();
        Self { index, selected, entry: Base64::encode_string(entry), proof }
    }

    /// The entry's bytes; nothing where they are not in the one spelling of base64.
    #[must_use]
    pub fn bytes(&self) -> Option<Bytes> {
        let bytes = Base64::decode_vec(&self.entry).ok()?;
        (Base64::encode_string(&bytes) == self.entry).then(|| bytes.into())
    }

    /// The proof's hashes.
    #[must_use]
    pub fn path(&self) -> Option<Vec<Hash>> {
        let few = self.proof.len() <= MAX_PROOF_HASHES;
        few.then(|| self.proof.iter().map(|hash| hash.parse().ok()).collect()).flatten()
    }
}

/// The last line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trailer {
    /// Selected entries.
    pub entries: u64,
    /// Entries for the keys.
    pub keys: u64,
    /// Opened identities.
    pub identities: u64,
    /// Lines before this one.
    pub lines: u64,
    /// SHA-256 of everything before this line, in base64.
    pub sha256: String,
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// The first.
    Head(Box<Header>),
    /// The checkpoint: a signed note.
    Checkpoint(String),
    /// The policy that the exporter names: which log cosigners should have signed. Whom to trust is the reader's affair.
    Policy(String),
    /// An entry.
    Entry(EntryLine),
    /// An opened identity, as `identities.jsonl` has it.
    Identity(Vec<u8>),
    /// The last.
    End(Trailer),
}

/// The lines that serde writes and reads.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Written {
    Bundle(Box<Header>),
    Checkpoint(String),
    Policy(String),
    Entry(EntryLine),
    End(Trailer),
}

impl Line {
    /// Reads a line without its end; nothing where it is none, or is spelled in another way than it is written.
    #[must_use]
    pub fn parse(line: &[u8]) -> Option<Self> {
        if let Some(rest) = line.strip_prefix(IDENTITY) {
            return Some(Self::Identity(rest.strip_suffix(b"}")?.to_vec()));
        }
        let read = match serde_json::from_slice(line).ok()? {
            Written::Bundle(header) => Self::Head(header),
            Written::Checkpoint(note) => Self::Checkpoint(note),
            Written::Policy(text) => Self::Policy(text),
            Written::Entry(entry) => Self::Entry(entry),
            Written::End(trailer) => Self::End(trailer),
        };
        (read.to_bytes() == line).then_some(read)
    }

    /// The line without its end.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let written = match self.clone() {
            Self::Identity(line) => return [IDENTITY, &line, b"}"].concat(),
            Self::Head(header) => Written::Bundle(header),
            Self::Checkpoint(note) => Written::Checkpoint(note),
            Self::Policy(text) => Written::Policy(text),
            Self::Entry(entry) => Written::Entry(entry),
            Self::End(trailer) => Written::End(trailer),
        };
        serde_json::to_vec(&written).expect("texts, numbers and lists have a JSON form")
    }
}

/// Whether bytes are a bundle's, by how they begin or, where a byte of that was changed, by how the last line begins.
#[must_use]
pub fn is_head(beginning: &[u8], last_line: &[u8]) -> bool {
    beginning.starts_with(HEAD) || last_line.starts_with(END)
}

/// What the end of a bundle says, counted and hashed as the lines go by.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    digest: Sha256,
    pub(super) lines: u64,
    pub(super) entries: u64,
    pub(super) keys: u64,
    pub(super) identities: u64,
}

impl Tally {
    /// Counts a line that is not the end, read or not.
    pub(super) fn count(&mut self, bytes: &[u8], line: Option<&Line>) {
        self.digest.update(bytes);
        self.digest.update(b"\n");
        self.lines += 1;
        match line {
            Some(Line::Entry(entry)) if entry.selected => self.entries += 1,
            Some(Line::Entry(_)) => self.keys += 1,
            Some(Line::Identity(_)) => self.identities += 1,
            _ => {}
        }
    }

    /// The end that belongs here.
    pub(super) fn trailer(&self) -> Trailer {
        let hash = Hash::new(self.digest.clone().finalize().into());
        let (entries, keys, identities) = (self.entries, self.keys, self.identities);
        Trailer { entries, keys, identities, lines: self.lines, sha256: hash.to_string() }
    }
}

/// Writes a bundle line by line.
#[derive(Debug, Default)]
pub struct Writer {
    tally: Tally,
}

impl Writer {
    /// The bytes of the next line, with its end.
    pub fn line(&mut self, line: &Line) -> Vec<u8> {
        let mut bytes = line.to_bytes();
        self.tally.count(&bytes, Some(line));
        bytes.push(b'\n');
        bytes
    }

    /// The bytes of the last line.
    #[must_use]
    pub fn end(self) -> Vec<u8> {
        let mut bytes = Line::End(self.tally.trailer()).to_bytes();
        bytes.push(b'\n');
        bytes
    }
}
