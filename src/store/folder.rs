//! The ledger's folder: which file is where, and the lock that keeps a second process out.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use super::error::StoreError;

/// Bytes of the lock file that are read to say who holds it.
const MAX_HOLDER_BYTES: u64 = 64;

/// The folder of one ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerFolder {
    root: PathBuf,
}

impl LedgerFolder {
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

    /// `ledger.db`: the evidence, and what is derived from it.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.root.join("ledger.db")
    }

    /// `ledger.vkey`: the ledger's verifier key, to be handed out.
    #[must_use]
    pub fn verifier_key(&self) -> PathBuf {
        self.root.join("ledger.vkey")
    }

    /// `ledger.key`: the ledger's signing key, readable by its owner only.
    #[must_use]
    pub fn signing_key(&self) -> PathBuf {
        self.root.join("ledger.key")
    }

    /// `ledger.key.new`: a signing key that is to take the place of `ledger.key`, until it has.
    #[must_use]
    pub fn next_signing_key(&self) -> PathBuf {
        self.root.join("ledger.key.new")
    }

    /// `identities.db`: the identities of patients, encrypted; no part of the ledger.
    #[must_use]
    pub fn identities(&self) -> PathBuf {
        self.root.join("identities.db")
    }

    /// `identity.key`: what the identities are encrypted with, unless the operator keeps it elsewhere.
    #[must_use]
    pub fn identity_key(&self) -> PathBuf {
        self.root.join("identity.key")
    }

    /// `ledger.head`: the newest checkpoint that the server knows to be durable, outside the database.
    #[must_use]
    pub fn head(&self) -> PathBuf {
        self.root.join("ledger.head")
    }

    /// `split-view-SIZE.txt`: the proof that a known checkpoint of this size is of another history.
    #[must_use]
    pub fn split_view(&self, size: u64) -> PathBuf {
        self.root.join(format!("split-view-{size}.txt"))
    }

    /// `keys/`: the keys of people that `init` and `demo` make.
    #[must_use]
    pub fn people_keys(&self) -> PathBuf {
        self.root.join("keys")
    }

    /// Where a new ledger is put together before it gets its name.
    pub(super) fn unfinished_database(&self) -> PathBuf {
        self.root.join("ledger.db.unfinished")
    }

    /// Takes the folder for this process until the lock is dropped; refused while anyone else has it.
    pub fn lock(&self) -> Result<FolderLock, StoreError> {
        lock(&self.root, "ledger.lock")
    }

    /// Makes the names of files in the folder durable.
    pub fn sync(&self) -> Result<(), StoreError> {
        let synced = File::open(&self.root).and_then(|folder| folder.sync_all());
        synced.map_err(|source| StoreError::Io { path: self.root.clone(), source })
    }
}

/// Takes a folder for this process until the lock is dropped; refused while anyone else has it.
///
/// The lock is the operating system's, on a file of its own: SQLite's locks guard single transactions, and closing any
/// second handle to a database would drop them. It goes with the process, however that ends, so a file left behind by a
/// crash locks nobody out.
pub(super) fn lock(folder: &Path, file: &str) -> Result<FolderLock, StoreError> {
    let path = folder.join(file);
    let failed = |source| StoreError::Io { path: path.clone(), source };
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let mut file = options.open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let holder = named_in(&mut file);
            return Err(StoreError::InUse { folder: folder.to_owned(), holder });
        }
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    file.set_len(0).and_then(|()| file.rewind()).map_err(failed)?;
    writeln!(file, "process {}", std::process::id()).map_err(failed)?;
    Ok(FolderLock { _file: file })
}

/// Who holds a folder's lock, if anybody does. Takes nothing: the lock is shared for a moment, which only a process that
/// starts in that very moment could notice.
pub(super) fn holder(folder: &Path, file: &str) -> Result<Option<String>, StoreError> {
    let path = folder.join(file);
    let failed = |source| StoreError::Io { path: path.clone(), source };
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    match file.try_lock_shared() {
        Ok(()) => file.unlock().map(|()| None).map_err(failed),
        Err(TryLockError::WouldBlock) => Ok(Some(named_in(&mut file))),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// The holder that a lock file names. Only words for a message: one that cannot be read is still a holder.
fn named_in(file: &mut File) -> String {
    let mut holder = String::new();
    let _ = file.take(MAX_HOLDER_BYTES).read_to_string(&mut holder);
    holder.trim().to_owned()
}

/// The right to write in a ledger's or a cosigner's folder, held for as long as this lives.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_holder_at_a_time_and_the_error_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let folder = LedgerFolder::new(dir.path());
        let held = folder.lock().unwrap();
        let Err(StoreError::InUse { holder, .. }) = folder.lock() else { panic!("two holders") };
        assert_eq!(holder, format!("process {}", std::process::id()));
        drop(held);
        folder.lock().unwrap();
    }

    #[test]
    fn a_lock_file_left_behind_locks_nobody_out() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("ledger.lock"), "process 1, long gone, with a long name\n")
            .unwrap();
        LedgerFolder::new(dir.path()).lock().unwrap();
    }
}
