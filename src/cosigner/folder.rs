//! `cosignatures/` in a ledger's folder: one signed note for each size that was cosigned.
//!
//! Each file is the ledger's checkpoint with the lines of everybody who cosigned it: what `verify --checkpoint` takes.
//! None of it is the ledger's evidence, and all of it proves itself. The newest says all that the older ones say, so
//! these may be deleted.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::tlog::{
    Known, NoteSignature, Policy, PolicyReport, SignedNote, VerifierKey, verify_cosignature,
};

/// What the name of a file ends with, after its size.
const ENDING: &str = ".checkpoint";

/// Checkpoints that a ledger is compared with, newest first: the newest says all that the older ones say, unless the
/// cosigners were shown several histories.
pub const MAX_COMPARED: usize = 1_000;

/// Files that are looked through for the newest that will do.
const MAX_LOOKED_AT: usize = 10_000;

/// The folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosignatures {
    root: PathBuf,
}

/// Why a cosignature was not kept, or none could be read.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// There is another checkpoint of this size: the ledger has signed two.
    #[error(
        "{} holds another checkpoint of the same size: this ledger was cosigned with another history. Keep both, and \
         verify the ledger",
        path.display()
    )]
    OtherCheckpoint {
        /// The file.
        path: PathBuf,
    },
    /// A note with too many lines.
    #[error("{}: no room for another signature line", path.display())]
    NoRoom {
        /// The file.
        path: PathBuf,
    },
}

impl Cosignatures {
    /// The folder of the ledger whose folder or database this is.
    #[must_use]
    pub fn beside(ledger: &Path) -> Self {
        let folder = if ledger.is_dir() { ledger } else { ledger.parent().unwrap_or(ledger) };
        Self::new(folder.join("cosignatures"))
    }

    /// The folder at this path, which need not exist yet.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The file of a size.
    #[must_use]
    pub fn file(&self, size: u64) -> PathBuf {
        self.root.join(format!("{size}{ENDING}"))
    }

    /// Keeps a cosigner's line with the checkpoint of this size, in place of an older line of the same key.
    pub fn keep(
        &self,
        size: u64,
        checkpoint: &SignedNote,
        line: &NoteSignature,
    ) -> Result<(), FolderError> {
        fs::create_dir_all(&self.root).map_err(io_error(&self.root))?;
        // One at a time, of whatever process: two lines that come at once must both stay.
        let lock = self.root.join("lock");
        let held = OpenOptions::new().create(true).truncate(false).write(true).open(&lock);
        let held = held.map_err(io_error(&lock))?;
        held.lock().map_err(io_error(&lock))?;
        let path = self.file(size);
        let note = with_line(&path, checkpoint, line)?;
        let unfinished = path.with_extension("unfinished");
        let written = File::create(&unfinished).and_then(|mut file| {
            file.write_all(note.to_string().as_bytes())?;
            file.sync_all()
        });
        written.map_err(io_error(&unfinished))?;
        // A crash here leaves the older file, if there was one, and an unfinished one that the next call overwrites.
        fs::rename(&unfinished, &path).map_err(io_error(&path))?;
        // A crash here leaves the older or the newer file, each whole. A line that is lost is asked for again.
        File::open(&self.root).and_then(|folder| folder.sync_all()).map_err(io_error(&self.root))
    }

    /// The newest checkpoint that a cosigner has signed: its size, and when.
    pub fn newest_by(&self, key: &VerifierKey) -> Result<Option<(u64, u64)>, FolderError> {
        self.newest(|size, note| Some((size, verify_cosignature(note, key).ok()?)))
    }

    /// The newest checkpoint with as many cosignatures as a policy asks for.
    pub fn newest_under(
        &self,
        policy: &Policy,
    ) -> Result<Option<(SignedNote, PolicyReport)>, FolderError> {
        self.newest(|_, note| {
            let report = policy.cosignatures(note).ok().filter(|report| report.quorum)?;
            Some((note.clone(), report))
        })
    }

    /// The checkpoints that a ledger's key signed, with where they lie: the newest [`MAX_COMPARED`]. What is no note, or
    /// not this ledger's, says nothing about it.
    pub fn known(&self, ledger: &VerifierKey) -> Result<Vec<Known>, FolderError> {
        let mut known = Vec::new();
        for size in self.sizes()?.into_iter().rev().take(MAX_COMPARED) {
            let path = self.file(size);
            if let Some(note) = read(&path)?
                && let Ok(found) = Known::new(path.display().to_string(), note, ledger)
            {
                known.push(found);
            }
        }
        Ok(known)
    }

    /// The newest file that will do, from the largest size down.
    fn newest<T>(
        &self,
        will_do: impl Fn(u64, &SignedNote) -> Option<T>,
    ) -> Result<Option<T>, FolderError> {
        for size in self.sizes()?.into_iter().rev().take(MAX_LOOKED_AT) {
            if let Some(found) = read(&self.file(size))?.and_then(|note| will_do(size, &note)) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The sizes of which there are files, in order.
    fn sizes(&self) -> Result<Vec<u64>, FolderError> {
        let files = match fs::read_dir(&self.root) {
            Ok(files) => files,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(io_error(&self.root)(source)),
        };
        let mut sizes = Vec::new();
        for file in files {
            let name = file.map_err(io_error(&self.root))?.file_name();
            let size = name.to_str().and_then(|name| name.strip_suffix(ENDING));
            sizes.extend(size.and_then(|size| size.parse::<u64>().ok()));
        }
        sizes.sort_unstable();
        Ok(sizes)
    }
}

/// The checkpoint with the lines that its file holds already, and this one.
fn with_line(
    path: &Path,
    checkpoint: &SignedNote,
    line: &NoteSignature,
) -> Result<SignedNote, FolderError> {
    let no_room = |_| FolderError::NoRoom { path: path.to_owned() };
    let mut note = checkpoint.clone();
    let is_ledgers = |other: &NoteSignature| checkpoint.signatures().contains(other);
    let is_replaced =
        |other: &NoteSignature| other.name() == line.name() && other.id() == line.id();
    // A file that is no note was not written here whole, and is written again.
    if let Some(kept) = read(path)? {
        if kept.text() != checkpoint.text() {
            return Err(FolderError::OtherCheckpoint { path: path.to_owned() });
        }
        let others = kept.signatures().iter().filter(|l| !is_ledgers(l) && !is_replaced(l));
        for other in others {
            note.add_signature(other.clone()).map_err(no_room)?;
        }
    }
    note.add_signature(line.clone()).map_err(no_room)?;
    Ok(note)
}

/// The note in a file; nothing where there is no file or it holds none.
fn read(path: &Path) -> Result<Option<SignedNote>, FolderError> {
    match fs::read(path) {
        Ok(bytes) => Ok(SignedNote::parse(&bytes).ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(io_error(path)(source)),
    }
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> FolderError + use<> {
    let path = path.to_owned();
    move |source| FolderError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::{Checkpoint, Cosigner, NoteSigner, leaf_hash};

    fn checkpoint(size: u64, entry: &[u8]) -> SignedNote {
        let signer = NoteSigner::new("example.org/log".parse().unwrap(), [3; 32].into());
        Checkpoint::new("example.org/log", size, leaf_hash(entry)).unwrap().sign(&signer).unwrap()
    }

    fn cosigner(seed: u8) -> Cosigner {
        Cosigner::new(format!("example.org/w{seed}").parse().unwrap(), [seed; 32].into())
    }

    #[test]
    fn lines_of_several_cosigners_gather_in_one_file_and_a_newer_line_takes_the_place_of_an_older()
    {
        let dir = tempfile::tempdir().unwrap();
        let folder = Cosignatures::beside(dir.path());
        let (note, [a, b]) = (checkpoint(5, b""), [7, 8].map(cosigner));
        assert_eq!(folder.newest_by(a.verifier_key()).unwrap(), None);
        for (cosigner, time) in [(&a, 100), (&b, 101), (&a, 200)] {
            folder.keep(5, &note, &cosigner.cosign(&note, time).unwrap()).unwrap();
        }
        let kept = read(&folder.file(5)).unwrap().unwrap();
        assert_eq!(kept.signatures().len(), 3);
        assert_eq!(folder.newest_by(a.verifier_key()).unwrap(), Some((5, 200)));
        assert_eq!(folder.newest_by(b.verifier_key()).unwrap(), Some((5, 101)));

        let newer = checkpoint(12, b"");
        folder.keep(12, &newer, &b.cosign(&newer, 300).unwrap()).unwrap();
        assert_eq!(folder.newest_by(a.verifier_key()).unwrap(), Some((5, 200)));
        assert_eq!(folder.newest_by(b.verifier_key()).unwrap(), Some((12, 300)));
        let policy = |quorum: &str| {
            let keys = [a.verifier_key(), b.verifier_key()];
            let file = format!("witness A {}\nwitness B {}\n{quorum}\n", keys[0], keys[1]);
            Policy::parse(file.as_bytes()).unwrap()
        };
        let size_under = |quorum| {
            let (note, _) = folder.newest_under(&policy(quorum)).unwrap()?;
            Some(note.text().parse::<Checkpoint>().unwrap().size())
        };
        assert_eq!(size_under("group G any A B\nquorum G"), Some(12));
        assert_eq!(size_under("group G all A B\nquorum G"), Some(5));
    }

    #[test]
    fn two_histories_of_one_size_are_not_mixed_and_a_torn_file_is_written_again() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Cosignatures::beside(dir.path());
        let (one, other) = (checkpoint(5, b"one"), checkpoint(5, b"other"));
        let cosigner = cosigner(7);
        folder.keep(5, &one, &cosigner.cosign(&one, 100).unwrap()).unwrap();
        let refused = folder.keep(5, &other, &cosigner.cosign(&other, 101).unwrap());
        assert!(matches!(refused, Err(FolderError::OtherCheckpoint { .. })));
        assert_eq!(folder.newest_by(cosigner.verifier_key()).unwrap(), Some((5, 100)));
        fs::write(folder.file(5), "example.org/log\n5\n").unwrap();
        assert_eq!(folder.newest_by(cosigner.verifier_key()).unwrap(), None);
        folder.keep(5, &other, &cosigner.cosign(&other, 101).unwrap()).unwrap();
        assert_eq!(folder.newest_by(cosigner.verifier_key()).unwrap(), Some((5, 101)));
    }
}
