//! The body of `add-checkpoint`, with which a log asks a cosigner for its signature:
//! <https://c2sp.org/tlog-witness>.

use std::fmt;

use super::checkpoint::{Checkpoint, CheckpointError};
use super::hash::Hash;
use super::note::{NoteError, SignedNote};
use super::text;
use super::verify::{MAX_PROOF_HASHES, MAX_TREE_SIZE};

/// The largest body that is read, in bytes: 63 proof lines, a checkpoint, and several signatures.
pub const MAX_SUBMISSION_BYTES: usize = 16 * 1024;

/// A checkpoint handed in for cosigning, and the proof that it extends an older one.
///
/// Nothing in it is to be believed before the note is verified and the proof checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    old_size: u64,
    proof: Vec<Hash>,
    checkpoint: Checkpoint,
    note: String,
}

/// Why bytes are not a submission.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubmissionError {
    /// A body over the limit.
    #[error("the body has {found} bytes, limit {MAX_SUBMISSION_BYTES}")]
    TooLong {
        /// The length, in bytes.
        found: usize,
    },
    /// Bytes that are no text.
    #[error("the body is not valid UTF-8")]
    NotUtf8,
    /// No empty line between the proof and the checkpoint.
    #[error("the body has no empty line between its proof lines and its checkpoint")]
    NoCheckpoint,
    /// A first line that is not the old size.
    #[error("the first line is `old`, a space and a size in plain digits, at most {MAX_TREE_SIZE}")]
    OldSize,
    /// More proof lines than any proof has.
    #[error("the body has more than {MAX_PROOF_HASHES} proof lines")]
    ProofTooLong,
    /// A proof line that is not a hash.
    #[error("proof line {line} is not the canonical base64 of 32 bytes")]
    Hash {
        /// Which proof line, from 1.
        line: usize,
    },
    /// A text that is not a checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

impl Submission {
    /// A submission of the checkpoint in a note, with the consistency proof from `old_size`.
    pub fn new(
        old_size: u64,
        proof: Vec<Hash>,
        note: &SignedNote,
    ) -> Result<Self, SubmissionError> {
        if proof.len() > MAX_PROOF_HASHES {
            return Err(SubmissionError::ProofTooLong);
        }
        let checkpoint = note.text().parse()?;
        let submission = Self { old_size, proof, checkpoint, note: note.to_string() };
        match submission.to_string().len() {
            found if found > MAX_SUBMISSION_BYTES => Err(SubmissionError::TooLong { found }),
            _ => Ok(submission),
        }
    }

    /// Reads a body. The note's signature lines are not looked at yet: who is not a log that the
    /// cosigner knows is to be told that first.
    pub fn parse(body: &[u8]) -> Result<Self, SubmissionError> {
        if body.len() > MAX_SUBMISSION_BYTES {
            return Err(SubmissionError::TooLong { found: body.len() });
        }
        let body = str::from_utf8(body).map_err(|_| SubmissionError::NotUtf8)?;
        let (head, note) = body.split_once("\n\n").ok_or(SubmissionError::NoCheckpoint)?;
        let mut lines = head.split('\n');
        let old_size = lines.next().and_then(|line| line.strip_prefix("old "));
        let old_size = old_size.and_then(text::parse_decimal);
        let old_size =
            old_size.filter(|size| *size <= MAX_TREE_SIZE).ok_or(SubmissionError::OldSize)?;
        let mut proof = Vec::new();
        for (number, line) in (1..).zip(lines) {
            if number > MAX_PROOF_HASHES {
                return Err(SubmissionError::ProofTooLong);
            }
            proof.push(line.parse().map_err(|_| SubmissionError::Hash { line: number })?);
        }
        // As in a signed note, the last empty line ends the text.
        let end = note.rfind("\n\n").map_or(note.len(), |separator| separator + 1);
        let checkpoint = note.get(..end).unwrap_or_default().parse()?;
        Ok(Self { old_size, proof, checkpoint, note: note.to_owned() })
    }

    /// Size of the checkpoint that the proof begins with.
    #[must_use]
    pub const fn old_size(&self) -> u64 {
        self.old_size
    }

    /// The consistency proof from there to the checkpoint.
    #[must_use]
    pub fn proof(&self) -> &[Hash] {
        &self.proof
    }

    /// The checkpoint, signed by nobody yet as far as is known.
    #[must_use]
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The checkpoint with its signatures, if these are well formed.
    pub fn note(&self) -> Result<SignedNote, NoteError> {
        SignedNote::parse(self.note.as_bytes())
    }
}

impl fmt::Display for Submission {
    /// The body as it is sent; what was parsed comes out byte for byte.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old_size)?;
        self.proof.iter().try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}", self.note)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::leaf_hash;

    fn body(head: &str) -> String {
        format!("{head}\n\nexample.com/log\n7\n{}\n\n— example.com/log AAAAAAE=\n", leaf_hash(b""))
    }

    #[test]
    fn a_body_is_read_and_written_again() {
        let hash = leaf_hash(b"x");
        for head in ["old 0".to_owned(), format!("old 3\n{hash}\n{hash}")] {
            let submission = Submission::parse(body(&head).as_bytes()).unwrap();
            assert_eq!(submission.to_string(), body(&head));
            let again = Submission::new(
                submission.old_size(),
                submission.proof().to_vec(),
                &submission.note().unwrap(),
            );
            assert_eq!(again, Ok(submission));
        }
    }

    #[test]
    fn every_other_shape_is_refused_with_its_reason() {
        let hash = leaf_hash(b"x");
        let line = format!("\n{hash}");
        let table = [
            (String::new(), SubmissionError::NoCheckpoint),
            ("old 0\n".to_owned(), SubmissionError::NoCheckpoint),
            (body("old"), SubmissionError::OldSize),
            (body("old  0"), SubmissionError::OldSize),
            (body("old 00"), SubmissionError::OldSize),
            (body("old +1"), SubmissionError::OldSize),
            (body("old -1"), SubmissionError::OldSize),
            (body("old 18446744073709551615"), SubmissionError::OldSize),
            (body("old 18446744073709551616"), SubmissionError::OldSize),
            (body("Old 0"), SubmissionError::OldSize),
            (body("old 1\nAQI="), SubmissionError::Hash { line: 1 }),
            (body(&format!("old 1\n{hash} ")), SubmissionError::Hash { line: 1 }),
            (body(&format!("old 1{}", line.repeat(64))), SubmissionError::ProofTooLong),
            (body("old 0\n"), SubmissionError::Checkpoint(CheckpointError::Lines)),
            (body("old 0").replace('—', "\u{1}"), SubmissionError::NotUtf8),
        ];
        for (body, reason) in table {
            let mut bytes = body.into_bytes();
            if reason == SubmissionError::NotUtf8 {
                bytes.push(0xFF);
            }
            assert_eq!(Submission::parse(&bytes), Err(reason), "{bytes:?}");
        }
        let long = vec![b'x'; MAX_SUBMISSION_BYTES + 1];
        let reason = SubmissionError::TooLong { found: long.len() };
        assert_eq!(Submission::parse(&long), Err(reason));
    }

    #[test]
    fn signature_lines_are_looked_at_later() {
        let unsigned = format!("old 0\n\nexample.com/log\n7\n{}\n", leaf_hash(b""));
        let submission = Submission::parse(unsigned.as_bytes()).unwrap();
        assert_eq!(submission.checkpoint().size(), 7);
        assert_eq!(submission.note(), Err(NoteError::Unsigned));
    }
}
