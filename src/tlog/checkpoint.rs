//! Checkpoints: the three lines with which a ledger commits to all its entries.

use std::fmt;
use std::str::FromStr;

use super::hash::Hash;
use super::note::{MAX_NOTE_BYTES, NoteError, NoteSigner, SignedNote};
use super::text;
use super::verify::MAX_TREE_SIZE;
use super::vkey::VerifierKey;

/// The longest origin, in bytes; the limit of tlog-cosignature.
pub const MAX_ORIGIN_BYTES: usize = 255;

/// The most extension lines that are read. We write none: nobody audits what they say.
pub const MAX_EXTENSION_LINES: usize = 16;

/// Origin, size and root of a ledger at one moment, with the extension lines of others' logs.
///
/// Its text (`to_string`) is what is signed. A checkpoint that was parsed gives its text back byte
/// for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: Hash,
    extensions: Vec<String>,
}

/// Why a text is not a checkpoint, or a note not a checkpoint of this log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Text over the limit of a note.
    #[error("the checkpoint has {found} bytes, limit {MAX_NOTE_BYTES}")]
    TooLong {
        /// The length, in bytes.
        found: usize,
    },
    /// Too few lines, an empty line, a line without its end, or a control character.
    #[error(
        "not a checkpoint: expected the lines origin, size and root, none empty, each ended by a \
         newline"
    )]
    Lines,
    /// An origin that is empty, too long, or more than a line.
    #[error("an origin has 1 to {MAX_ORIGIN_BYTES} bytes in one line, found {found} bytes")]
    Origin {
        /// The length, in bytes.
        found: usize,
    },
    /// A size that is not plain digits or is over the limit.
    #[error(
        "the checkpoint's size is a number of digits without sign or leading zero, at most \
         {MAX_TREE_SIZE}, found {found:?}"
    )]
    Size {
        /// The second line, or as much of it as a size can have.
        found: String,
    },
    /// A root that is not the base64 of 32 bytes.
    #[error("the checkpoint's root is not the canonical base64 of 32 bytes")]
    Root,
    /// More extension lines than are read.
    #[error("the checkpoint has more than {MAX_EXTENSION_LINES} extension lines")]
    TooManyExtensions,
    /// A note that is not well formed or not signed by the key.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// A valid signature of a key, on the checkpoint of another log.
    #[error("the checkpoint is for {found}, expected {expected}")]
    OtherOrigin {
        /// The origin expected: the key's name.
        expected: String,
        /// The origin in the checkpoint.
        found: String,
    },
}

impl Checkpoint {
    /// A checkpoint without extension lines.
    pub fn new(origin: &str, size: u64, root: Hash) -> Result<Self, CheckpointError> {
        check_origin(origin)?;
        if size > MAX_TREE_SIZE {
            return Err(CheckpointError::Size { found: size.to_string() });
        }
        Ok(Self { origin: origin.to_owned(), size, root, extensions: Vec::new() })
    }

    /// The log's identity; of a ledger, also the name of its key.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// How many entries the log has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The root of the tree over these entries.
    #[must_use]
    pub const fn root(&self) -> Hash {
        self.root
    }

    /// Lines after the third, without their ends: opaque, and not to be relied on.
    #[must_use]
    pub fn extensions(&self) -> &[String] {
        &self.extensions
    }

    /// Signs the checkpoint with the log's key, whose name must be the origin.
    pub fn sign(&self, signer: &NoteSigner) -> Result<SignedNote, CheckpointError> {
        self.require_origin(signer.verifier_key())?;
        Ok(signer.sign(&self.to_string())?)
    }

    /// The checkpoint in a note, if the log's key signed it and the key's name is the origin.
    pub fn verify(note: &SignedNote, key: &VerifierKey) -> Result<Self, CheckpointError> {
        note.verify(key)?;
        let checkpoint: Self = note.text().parse()?;
        checkpoint.require_origin(key)?;
        Ok(checkpoint)
    }

    fn require_origin(&self, key: &VerifierKey) -> Result<(), CheckpointError> {
        let expected = key.name().as_str();
        if self.origin == expected {
            return Ok(());
        }
        let (expected, found) = (expected.to_owned(), self.origin.clone());
        Err(CheckpointError::OtherOrigin { expected, found })
    }
}

impl FromStr for Checkpoint {
    type Err = CheckpointError;

    /// Reads the text of a note. Nothing in it is to be believed before the note is verified.
    fn from_str(body: &str) -> Result<Self, CheckpointError> {
        if body.len() > MAX_NOTE_BYTES {
            return Err(CheckpointError::TooLong { found: body.len() });
        }
        let malformed = CheckpointError::Lines;
        let Some(lines) = body.strip_suffix('\n') else { return Err(malformed) };
        if text::has_control_characters(lines) || lines.split('\n').any(str::is_empty) {
            return Err(malformed);
        }
        let mut lines = lines.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next())
        else {
            return Err(malformed);
        };
        check_origin(origin)?;
        let size =
            text::parse_decimal(size).filter(|size| *size <= MAX_TREE_SIZE).ok_or_else(|| {
                CheckpointError::Size { found: size.chars().take(MAX_SIZE_DIGITS).collect() }
            })?;
        let root = root.parse().map_err(|_| CheckpointError::Root)?;
        let extensions: Vec<String> =
            lines.take(MAX_EXTENSION_LINES + 1).map(str::to_owned).collect();
        if extensions.len() > MAX_EXTENSION_LINES {
            return Err(CheckpointError::TooManyExtensions);
        }
        Ok(Self { origin: origin.to_owned(), size, root, extensions })
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, self.root)?;
        self.extensions.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// As many characters of a bad size are repeated in the error: the digits of the largest u64.
const MAX_SIZE_DIGITS: usize = 20;

fn check_origin(origin: &str) -> Result<(), CheckpointError> {
    let one_line = !origin.contains('\n') && !text::has_control_characters(origin);
    if origin.is_empty() || origin.len() > MAX_ORIGIN_BYTES || !one_line {
        return Err(CheckpointError::Origin { found: origin.len() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::leaf_hash;

    fn body(size: &str) -> String {
        format!("example.com/log\n{size}\n{}\n", leaf_hash(b""))
    }

    #[test]
    fn a_body_is_read_and_written_again_with_its_extension_lines() {
        for body in [body("0"), body("20852163"), body("7") + "more\n— not a signature\n"] {
            let checkpoint: Checkpoint = body.parse().unwrap();
            assert_eq!(checkpoint.to_string(), body);
        }
        let limit = body("7") + &"x\n".repeat(MAX_EXTENSION_LINES);
        assert_eq!(limit.parse::<Checkpoint>().unwrap().extensions().len(), MAX_EXTENSION_LINES);
        let over = (limit + "x\n").parse::<Checkpoint>();
        assert_eq!(over, Err(CheckpointError::TooManyExtensions));
    }

    #[test]
    fn sizes_are_digits_only_and_within_the_limit() {
        assert!(body(&MAX_TREE_SIZE.to_string()).parse::<Checkpoint>().is_ok());
        let over = (MAX_TREE_SIZE + 1).to_string();
        for size in ["+7", "-7", "07", "00", " 7", "7 ", "7.0", "x", over.as_str()] {
            let refused = body(size).parse::<Checkpoint>();
            assert_eq!(refused, Err(CheckpointError::Size { found: size.to_owned() }));
        }
        let over = Checkpoint::new("o", MAX_TREE_SIZE + 1, leaf_hash(b""));
        assert!(matches!(over, Err(CheckpointError::Size { .. })));
    }

    #[test]
    fn anything_but_whole_nonempty_lines_is_refused() {
        let good = body("7");
        let table = [
            (String::new(), CheckpointError::Lines),
            ("\n".to_owned(), CheckpointError::Lines),
            ("o\n7\n".to_owned(), CheckpointError::Lines),
            (good.trim_end().to_owned(), CheckpointError::Lines),
            (format!("{good}\n"), CheckpointError::Lines),
            (good.replacen('\n', "\n\n", 1), CheckpointError::Lines),
            (good.replace('\n', "\r\n"), CheckpointError::Lines),
            (good.replace('=', ""), CheckpointError::Root),
            ("o\n7\nAQI=\n".to_owned(), CheckpointError::Root),
            (
                good.replace("example.com/log", &"o".repeat(256)),
                CheckpointError::Origin { found: 256 },
            ),
        ];
        for (body, reason) in table {
            assert_eq!(body.parse::<Checkpoint>(), Err(reason), "{body:?}");
        }
        let two_lines = Checkpoint::new("a\nb", 0, leaf_hash(b""));
        assert_eq!(two_lines, Err(CheckpointError::Origin { found: 3 }));
    }
}
