//! What a device remembers of each ledger: the newest checkpoint that it saw, in a folder of its own.
//!
//! One file a ledger, named by a hash of its verifier key, with the signed note as it came. It only ever moves forward,
//! also where several programs on one device move it at once.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::durable;
use crate::tlog::{Known, MAX_NOTE_BYTES, SignedNote, SplitView, VerifierKey};

/// Bytes of a hash that make a file's name.
const NAME_BYTES: usize = 16;

/// A folder in which the newest checkpoint of each ledger is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    root: PathBuf,
}

/// Why nothing could be remembered, or not be told what was.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// A file could not be read or written.
    #[error(
        "{}: {source}; this device remembers there what it saw of the ledger: name a folder of yours with --memory \
         DIR (VIALEDGER_MEMORY)",
        path.display()
    )]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file that holds no checkpoint of the ledger whose file it is.
    #[error(
        "{} does not hold a checkpoint of this ledger ({why}), so this device cannot tell whether the ledger was put \
         back; find out what happened to the file, and only then move it away",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// What came of moving forward.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Advance {
    /// What is remembered is at least as new.
    Done,
    /// Somebody else on this device remembers something else by now; it was not compared with yet.
    Moved(Box<Known>),
}

/// What an evidence file proves, as its name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proves {
    /// Two histories.
    SplitView,
    /// That fewer entries were shown than before.
    Behind,
    /// Nothing by itself: the proof that was asked for did not come, or does not hold.
    Nothing,
}

impl Memory {
    /// The folder at this path, which need not exist yet.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The file of a ledger.
    #[must_use]
    pub fn file(&self, ledger: &VerifierKey) -> PathBuf {
        self.root.join(format!("{}.checkpoint", name_of(ledger)))
    }

    /// The newest checkpoint of a ledger that was seen.
    pub fn recall(&self, ledger: &VerifierKey) -> Result<Option<Known>, MemoryError> {
        let path = self.file(ledger);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(MemoryError::Io { path, source }),
        };
        let damaged = |why: String| MemoryError::Damaged { path: path.clone(), why };
        if bytes.len() > MAX_NOTE_BYTES {
            return Err(damaged(format!("{} bytes, limit {MAX_NOTE_BYTES}", bytes.len())));
        }
        let note = SignedNote::parse(&bytes).map_err(|error| damaged(error.to_string()))?;
        let known = Known::new("this device's memory", note, ledger);
        known.map(Some).map_err(|error| damaged(error.to_string()))
    }

    /// Remembers a newer checkpoint, if what is remembered still is what it was compared with.
    pub(super) fn advance(
        &self,
        ledger: &VerifierKey,
        compared_with: Option<&Known>,
        newer: &Known,
    ) -> Result<Advance, MemoryError> {
        let _lock = self.lock(ledger)?;
        let now = self.recall(ledger)?;
        let is_compared =
            now.as_ref().map(Known::checkpoint) == compared_with.map(Known::checkpoint);
        match now {
            // The same again, whoever wrote it.
            Some(now) if now.checkpoint() == newer.checkpoint() => Ok(Advance::Done),
            Some(now) if !is_compared => Ok(Advance::Moved(Box::new(now))),
            Some(now) if now.checkpoint().size() >= newer.checkpoint().size() => Ok(Advance::Done),
            _ => {
                let path = self.file(ledger);
                // A crash in here leaves the older checkpoint or the newer one, each whole. The next call goes on from it.
                durable::replace(&path, newer.note().to_string().as_bytes())
                    .map_err(|source| MemoryError::Io { path, source })?;
                Ok(Advance::Done)
            }
        }
    }

    /// Keeps two checkpoints that do not go together, with the proof that came and with what was said, and answers with
    /// where they are. The same again is the same file.
    pub(super) fn keep_evidence(
        &self,
        ledger: &VerifierKey,
        proves: Proves,
        split: &SplitView,
        said: &str,
    ) -> Result<PathBuf, MemoryError> {
        let _lock = self.lock(ledger)?;
        let text = split.to_string();
        let kind = match proves {
            Proves::SplitView => "split-view",
            Proves::Behind => "behind",
            Proves::Nothing => "unproven",
        };
        let path = self.root.join(format!("{kind}-{}.txt", hex(text.as_bytes())));
        let words = path.with_extension("said");
        for (path, content) in [(&words, said), (&path, text.as_str())] {
            durable::replace(path, content.as_bytes())
                .map_err(|source| MemoryError::Io { path: path.clone(), source })?;
        }
        // A crash before the last file leaves words without checkpoints; the next run is refused and writes both.
        Ok(path)
    }

    /// The right to move a ledger's file, until it is dropped.
    fn lock(&self, ledger: &VerifierKey) -> Result<File, MemoryError> {
        let failed = |path: &Path, source| MemoryError::Io { path: path.to_owned(), source };
        make_private(&self.root).map_err(|source| failed(&self.root, source))?;
        let path = self.root.join(format!("{}.lock", name_of(ledger)));
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let lock = lock.map_err(|source| failed(&path, source))?;
        // Held for one small file at a time, never while a server is asked.
        lock.lock().map_err(|source| failed(&path, source))?;
        Ok(lock)
    }
}

fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn name_of(ledger: &VerifierKey) -> String {
    hex(ledger.to_string().as_bytes())
}

/// The beginning of the hash of some bytes, as it stands in a file's name.
fn hex(bytes: &[u8]) -> String {
    let mut name = String::new();
    for byte in Sha256::digest(bytes).iter().take(NAME_BYTES) {
        write!(name, "{byte:02x}").expect("a string takes any text");
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::{Checkpoint, NoteSigner, leaf_hash};

    fn signer() -> NoteSigner {
        NoteSigner::new("example.org/log".parse().unwrap(), [3; 32].into())
    }

    fn known(size: u64) -> Known {
        let checkpoint = Checkpoint::new("example.org/log", size, leaf_hash(b"")).unwrap();
        let note = checkpoint.sign(&signer()).unwrap();
        Known::new("", note, signer().verifier_key()).unwrap()
    }

    #[test]
    fn it_moves_forward_only_and_only_from_what_was_compared() {
        let dir = tempfile::tempdir().unwrap();
        let memory = Memory::new(dir.path().join("state/vialedger"));
        let signer = signer();
        let ledger = signer.verifier_key();
        let size = || memory.recall(ledger).unwrap().map(|known| known.checkpoint().size());
        assert_eq!(size(), None);
        assert_eq!(memory.advance(ledger, None, &known(5)).unwrap(), Advance::Done);
        assert_eq!(size(), Some(5));
        let moved = memory.advance(ledger, None, &known(9)).unwrap();
        assert!(matches!(moved, Advance::Moved(now) if now.checkpoint().size() == 5));
        assert_eq!(size(), Some(5));
        assert_eq!(memory.advance(ledger, Some(&known(5)), &known(9)).unwrap(), Advance::Done);
        assert_eq!(memory.advance(ledger, Some(&known(9)), &known(7)).unwrap(), Advance::Done);
        assert_eq!(size(), Some(9));
    }

    #[test]
    fn a_file_that_holds_something_else_is_not_taken_for_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let memory = Memory::new(dir.path());
        let signer = signer();
        let ledger = signer.verifier_key();
        for content in ["", "example.org/log\n5\n", "no note\n\nat all\n"] {
            fs::write(memory.file(ledger), content).unwrap();
            assert!(matches!(memory.recall(ledger), Err(MemoryError::Damaged { .. })));
            let refused = memory.advance(ledger, None, &known(5));
            assert!(matches!(refused, Err(MemoryError::Damaged { .. })));
        }
        let stranger = NoteSigner::new("example.org/log".parse().unwrap(), [4; 32].into());
        assert_ne!(memory.file(ledger), memory.file(stranger.verifier_key()));
        assert_eq!(memory.recall(stranger.verifier_key()).unwrap(), None);
    }
}
