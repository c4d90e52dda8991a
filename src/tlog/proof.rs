//! tlog-proof: an entry's place in a signed checkpoint as one small text file.

use std::fmt;

use super::checkpoint::{Checkpoint, CheckpointError};
use super::hash::{Hash, leaf_hash};
use super::note::{MAX_NOTE_BYTES, NoteError, SignedNote};
use super::text;
use super::verify::{MAX_PROOF_HASHES, VerifyError, verify_inclusion};
use super::vkey::VerifierKey;

/// The most extra data, in bytes: as much as an entry may have, so that a proof can carry its own.
pub const MAX_EXTRA_BYTES: usize = super::bundle::MAX_ENTRY_BYTES;

/// The largest proof file, in bytes: a note, its extra data as base64, and 63 hashes of 45 bytes
/// with the few lines around them.
pub const MAX_TLOG_PROOF_BYTES: usize = MAX_NOTE_BYTES + MAX_EXTRA_BYTES.div_ceil(3) * 4 + 4096;

/// The first line.
const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// The proof that an entry stands at an index of a log, with the log's signed checkpoint.
///
/// Being well formed says nothing yet: see [`TlogProof::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    index: u64,
    path: Vec<Hash>,
    note: SignedNote,
    extra: Option<Vec<u8>>,
}

/// Why bytes are not a proof, or a proof does not prove an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlogProofError {
    /// A file over the limit.
    #[error("the proof has {found} bytes, limit {MAX_TLOG_PROOF_BYTES}")]
    TooLong {
        /// The length, in bytes.
        found: usize,
    },
    /// Another kind of file, or another version.
    #[error("not a proof: expected the first line {HEADER:?}")]
    Header,
    /// Text that ends before the checkpoint, or is no text.
    #[error("not a proof: expected UTF-8 with an empty line before the checkpoint")]
    NoCheckpoint,
    /// Extra data that is not canonical base64, or is nothing.
    #[error("the proof's extra line is not canonical base64 of 1 to {MAX_EXTRA_BYTES} bytes")]
    Extra,
    /// An index that is not plain digits.
    #[error("the proof's index line is not `index` and digits without sign or leading zero")]
    Index,
    /// A line of the path that is not a hash.
    #[error("line {line} of the proof's path is not the canonical base64 of 32 bytes")]
    Hash {
        /// Which hash of the path, from 1.
        line: usize,
    },
    /// A path longer than any tree is high.
    #[error("the proof's path has more than {MAX_PROOF_HASHES} hashes")]
    PathTooLong,
    /// A checkpoint that is not a signed note.
    #[error("the proof's checkpoint: {0}")]
    Note(#[from] NoteError),
    /// A note that is not a checkpoint of this log, or not signed by its key.
    #[error("the proof's checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// A path that does not lead from this entry to the checkpoint's root.
    #[error("the proof does not prove this entry: {0}")]
    NotIncluded(#[from] VerifyError),
}

impl TlogProof {
    /// A proof for the entry at `index` (from 0), by its path in the tree of the signed checkpoint.
    pub fn new(index: u64, path: Vec<Hash>, note: SignedNote) -> Result<Self, TlogProofError> {
        if path.len() > MAX_PROOF_HASHES {
            return Err(TlogProofError::PathTooLong);
        }
        note.text().parse::<Checkpoint>()?;
        Ok(Self { index, path, note, extra: None })
    }

    /// The same proof with extra data (1 to 65,535 bytes), which nothing in it authenticates.
    pub fn with_extra(mut self, extra: Vec<u8>) -> Result<Self, TlogProofError> {
        if extra.is_empty() || extra.len() > MAX_EXTRA_BYTES {
            return Err(TlogProofError::Extra);
        }
        self.extra = Some(extra);
        Ok(self)
    }

    /// Reads a proof.
    pub fn parse(bytes: &[u8]) -> Result<Self, TlogProofError> {
        if bytes.len() > MAX_TLOG_PROOF_BYTES {
            return Err(TlogProofError::TooLong { found: bytes.len() });
        }
        let file = str::from_utf8(bytes).map_err(|_| TlogProofError::NoCheckpoint)?;
        let (head, note) = file.split_once("\n\n").ok_or(TlogProofError::NoCheckpoint)?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(HEADER) {
            return Err(TlogProofError::Header);
        }
        let extra = lines.next_if(|line| line.starts_with("extra "));
        let index = lines.next().and_then(|line| line.strip_prefix("index "));
        let index = index.and_then(text::parse_decimal).ok_or(TlogProofError::Index)?;
        let mut path = Vec::new();
        for (number, line) in (1..).zip(lines) {
            if number > MAX_PROOF_HASHES {
                return Err(TlogProofError::PathTooLong);
            }
            path.push(line.parse().map_err(|_| TlogProofError::Hash { line: number })?);
        }
        let proof = Self::new(index, path, SignedNote::parse(note.as_bytes())?)?;
        let Some(extra) = extra.and_then(|line| line.strip_prefix("extra ")) else {
            return Ok(proof);
        };
        proof.with_extra(text::decode_base64(extra).ok_or(TlogProofError::Extra)?)
    }

    /// The entry's index in the log, from 0.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// The inclusion path: the leaf's sibling first, the root's child last.
    #[must_use]
    pub fn path(&self) -> &[Hash] {
        &self.path
    }

    /// The signed checkpoint, in which cosignatures may stand too.
    #[must_use]
    pub const fn note(&self) -> &SignedNote {
        &self.note
    }

    /// Extra data, which nothing in the proof authenticates.
    #[must_use]
    pub fn extra(&self) -> Option<&[u8]> {
        self.extra.as_deref()
    }

    /// Checks that the log whose key this is has the entry with exactly these bytes at the proof's
    /// index, and returns the checkpoint that says so. Cosignatures are the caller's to check.
    pub fn verify(&self, entry: &[u8], key: &VerifierKey) -> Result<Checkpoint, TlogProofError> {
        self.verify_leaf(&leaf_hash(entry), key)
    }

    /// Like [`TlogProof::verify`], for an entry of which the leaf hash is at hand.
    pub fn verify_leaf(
        &self,
        leaf: &Hash,
        key: &VerifierKey,
    ) -> Result<Checkpoint, TlogProofError> {
        let checkpoint = Checkpoint::verify(&self.note, key)?;
        verify_inclusion(leaf, self.index, checkpoint.size(), &self.path, &checkpoint.root())?;
        Ok(checkpoint)
    }
}

impl fmt::Display for TlogProof {
    /// The proof as it is stored and sent; what was parsed comes out byte for byte.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", text::encode_base64(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        self.path.iter().try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.note)
    }
}
