//! A cosigner: its key, the logs that it watches, and what it answers.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::clock::Clock;
use crate::key::{Key, KeyError};
use crate::store::{CosignerFolder, CosignerStore, Ruling, StoreError};
use crate::tlog::{
    Authentic, Conflict, Cosigner, Kept, KeyKind, KeyName, NoteSignature, PublicKey, Refused,
    SignedNote, VerifierKey, authenticate, judge,
};

/// How far the clock may be behind the last cosignature, in seconds, before nothing is cosigned any more. Up to there
/// the last time is said again, since a cosigner's times must not go back.
pub const CLOCK_TOLERANCE_SECONDS: u64 = 5;

/// Why a cosigner was not begun or not opened.
#[derive(Debug, thiserror::Error)]
pub enum CosignerError {
    /// Its memory.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A file of its folder.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The verifier key beside the key is not its own.
    #[error(
        "{} is not the verifier key of the cosigner.key beside it; bring back the one that was handed out",
        path.display()
    )]
    OtherVerifierKey {
        /// The file.
        path: PathBuf,
    },
    /// It has a name already.
    #[error("this cosigner's name is {0} and stays so; begin another one in another folder")]
    Named(KeyName),
    /// It was never given a name.
    #[error("there is no cosigner in {} yet: give it a name with --name, such as clinic.example/cosigner", folder.display())]
    Unnamed {
        /// The folder.
        folder: PathBuf,
    },
    /// A key without the memory that belongs to it.
    #[error(
        "{} is there and the memory beside it is not: with an empty memory this key would sign what it must not. Find \
         cosigner.db, or begin another cosigner in another folder",
        path.display()
    )]
    MemoryLost {
        /// The key file.
        path: PathBuf,
    },
    /// Nothing to watch, or a key that is not a log's.
    #[error("{0} is {1}; --log takes the verifier key of a ledger or another log (type 0x01)")]
    NotALog(KeyName, KeyKind),
}

/// Why there is no cosignature.
#[derive(Debug, thiserror::Error)]
pub enum Unsigned {
    /// The protocol's rules say no.
    #[error("{0}")]
    Refused(#[from] Refused),
    /// The machine's clock is behind the last cosignature.
    #[error(
        "this cosigner's clock is at {now} s, behind its last cosignature at {last} s; nothing is cosigned before it \
         is set right"
    )]
    ClockBehind {
        /// What the clock says, in seconds since 1970.
        now: u64,
        /// When the last checkpoint of this log was cosigned.
        last: u64,
    },
    /// The memory failed, and so nothing may be signed.
    #[error("the cosigner could not keep the checkpoint, so it is not cosigned")]
    NotKept(StoreError),
}

/// A cosigner at work. Its methods block on the disk.
#[derive(Debug)]
pub struct Watch {
    store: Mutex<CosignerStore>,
    cosigner: Cosigner,
    logs: Vec<VerifierKey>,
    clock: Clock,
}

/// Begins a cosigner in a folder, or shows the one that is there: its verifier key. The folder is made if need be.
pub fn begin(folder: &CosignerFolder, name: Option<KeyName>) -> Result<VerifierKey, CosignerError> {
    let path = folder.verifier_key();
    if path.exists() {
        let known = verifier_key(folder)?;
        return match name {
            Some(name) if name != *known.name() => Err(CosignerError::Named(known.name().clone())),
            _ => Ok(known),
        };
    }
    let name = name.ok_or_else(|| CosignerError::Unnamed { folder: folder.root().to_owned() })?;
    make_private_folder(folder.root())?;
    let key_file = folder.signing_key();
    if key_file.exists() && !folder.database().exists() {
        return Err(CosignerError::MemoryLost { path: key_file });
    }
    folder.create()?;
    // A crash here leaves a memory without a key, and so nothing that anybody relies on; the next call goes on.
    let key = if key_file.exists() {
        Key::load(&key_file, None)?
    } else {
        let key = Key::generate()?;
        key.save(&key_file, None)?;
        key
    };
    // A crash here leaves a key that has no name yet; the next call gives it one.
    let verifier_key = VerifierKey::new(name, KeyKind::Cosignature, key.public_key());
    let written = write_durably(&path, &format!("{verifier_key}\n"));
    written.map_err(|source| CosignerError::Io { path, source })?;
    Ok(verifier_key)
}

/// The verifier key of the cosigner in a folder, which must be its key's.
pub fn verifier_key(folder: &CosignerFolder) -> Result<VerifierKey, CosignerError> {
    let path = folder.verifier_key();
    let line = match std::fs::read_to_string(&path) {
        Ok(line) => line,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(CosignerError::Unnamed { folder: folder.root().to_owned() });
        }
        Err(source) => return Err(CosignerError::Io { path, source }),
    };
    let key = Key::load(&folder.signing_key(), None)?;
    require_own(line.trim(), &key.public_key()).ok_or(CosignerError::OtherVerifierKey { path })
}

fn require_own(line: &str, public_key: &PublicKey) -> Option<VerifierKey> {
    let verifier_key: VerifierKey = line.parse().ok()?;
    let own =
        verifier_key.kind() == KeyKind::Cosignature && verifier_key.public_key() == public_key;
    own.then_some(verifier_key)
}

/// The present moment as cosignatures tell it: whole seconds since 1970.
#[must_use]
pub fn clock_seconds(clock: &Clock) -> u64 {
    u64::try_from(clock.now().micros() / 1_000_000).unwrap_or(0)
}

impl Watch {
    /// Opens the cosigner in a folder, to watch these logs.
    pub fn open(
        folder: &CosignerFolder,
        logs: Vec<VerifierKey>,
        clock: Clock,
    ) -> Result<Self, CosignerError> {
        if let Some(other) = logs.iter().find(|log| log.kind() != KeyKind::Note) {
            return Err(CosignerError::NotALog(other.name().clone(), other.kind()));
        }
        let name = verifier_key(folder)?.name().clone();
        let key = Key::load(&folder.signing_key(), None)?;
        let cosigner = Cosigner::new(name, key.signing_key().clone());
        let store = Mutex::new(CosignerStore::open(folder)?);
        Ok(Self { store, cosigner, logs, clock })
    }

    /// The key that verifies this cosigner's signatures.
    #[must_use]
    pub const fn verifier_key(&self) -> &VerifierKey {
        self.cosigner.verifier_key()
    }

    /// The logs that it watches.
    #[must_use]
    pub fn logs(&self) -> &[VerifierKey] {
        &self.logs
    }

    /// Answers the body of an `add-checkpoint` call. What is signed here is durable before it is returned.
    pub fn add_checkpoint(&self, body: &[u8]) -> Result<NoteSignature, Unsigned> {
        let submitted = authenticate(body, &self.logs)?;
        let (origin, size) = (submitted.checkpoint().origin(), submitted.checkpoint().size());
        let now = clock_seconds(&self.clock);
        let decided =
            self.store().decide(origin, [submitted.old_size(), size], now, |kept, last| {
                self.rule(&submitted, kept, now, last)
            });
        let ((answer, conflict), added) = decided.map_err(|error| {
            tracing::error!(%error, origin, size, "a checkpoint could not be kept");
            Unsigned::NotKept(error)
        })?;
        if let (Some(number), Some(conflict)) = (added, &conflict) {
            report(number, origin, size, conflict);
        }
        match &answer {
            Ok(_) => tracing::info!(origin, size, "cosigned"),
            Err(Unsigned::ClockBehind { .. }) => {
                tracing::error!(origin, size, "the clock is behind the last cosignature");
            }
            Err(why) => tracing::info!(origin, size, %why, "not cosigned"),
        }
        answer
    }

    /// The newest checkpoint of a log with its cosignature, by the log's origin.
    pub fn newest(&self, origin: &str) -> Result<Option<SignedNote>, StoreError> {
        self.store().newest(origin)
    }

    /// Flushes the memory into its one file and closes it.
    pub fn close(self) -> Result<(), StoreError> {
        self.store.into_inner().unwrap_or_else(PoisonError::into_inner).close()
    }

    fn rule(
        &self,
        submitted: &Authentic,
        kept: &Kept,
        now: u64,
        last: u64,
    ) -> Ruling<(Result<NoteSignature, Unsigned>, Option<Conflict>)> {
        let judgement = judge(submitted, kept);
        let signed = judgement.answer.map_err(Unsigned::Refused).and_then(|()| {
            if now.saturating_add(CLOCK_TOLERANCE_SECONDS) < last {
                return Err(Unsigned::ClockBehind { now, last });
            }
            Ok(self.cosign(submitted, now.max(last)))
        });
        let conflict = judgement.conflict;
        match signed {
            Ok((note, line)) => Ruling {
                cosigned: Some(note),
                conflict: conflict.clone(),
                answer: (Ok(line), conflict),
            },
            Err(why) => {
                Ruling { cosigned: None, conflict: conflict.clone(), answer: (Err(why), conflict) }
            }
        }
    }

    fn cosign(&self, submitted: &Authentic, time_seconds: u64) -> (SignedNote, NoteSignature) {
        let line = self.cosigner.cosign(submitted.note(), time_seconds);
        let line = line.expect("a checkpoint that was read, and a time before the year 10000");
        let mut note = submitted.note().clone();
        note.add_signature(line.clone()).expect("a log has few keys, so there is room for a line");
        (note, line)
    }

    fn store(&self) -> MutexGuard<'_, CosignerStore> {
        // A transaction that a panic left open was rolled back; nothing else is kept between two submissions.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says that something is kept against a log, once.
fn report(number: u64, origin: &str, size: u64, conflict: &Conflict) {
    if let Some(how) = &conflict.proven {
        tracing::error!(number, origin, size, %how, "SPLIT VIEW: the log signed two histories");
    } else {
        let why = "a mistake of its sender, or a fork";
        tracing::warn!(number, origin, size, why, "a signed checkpoint came with a bad proof");
    }
}

fn make_private_folder(path: &Path) -> Result<(), CosignerError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|source| CosignerError::Io { path: path.to_owned(), source })
}

fn write_durably(path: &Path, text: &str) -> io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(path)?;
    io::Write::write_all(&mut file, text.as_bytes())?;
    file.sync_all()?;
    path.parent().map_or(Ok(()), |folder| std::fs::File::open(folder)?.sync_all())
}
