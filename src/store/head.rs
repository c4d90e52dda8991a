//! `ledger.head`: outside the database, the newest checkpoint that is known to be durable.
//!
//! A database that was put back to an older state does not know it; this file does. It may be older than the database,
//! and is never newer than what was durable when it was written.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::error::StoreError;
use crate::durable;
use crate::tlog::{Known, MAX_NOTE_BYTES, SignedNote, VerifierKey};

/// The file. Whoever writes holds the ledger's lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadFile {
    path: PathBuf,
}

impl HeadFile {
    /// The file at this path, which need not exist yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The checkpoint in it; nothing where there is no file. A file that holds anything else is an error: it would
    /// have told what is missing.
    pub fn read(&self, key: &VerifierKey) -> Result<Option<Known>, StoreError> {
        let bytes = match std::fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StoreError::Io { path: self.path.clone(), source }),
        };
        let unfit = |why: String| StoreError::HeadFile { path: self.path.clone(), why };
        if bytes.len() > MAX_NOTE_BYTES {
            return Err(unfit(format!("{} bytes, limit {MAX_NOTE_BYTES}", bytes.len())));
        }
        let note = SignedNote::parse(&bytes).map_err(|error| unfit(error.to_string()))?;
        let source = self.path.display().to_string();
        Known::new(source, note, key).map(Some).map_err(|error| unfit(error.to_string()))
    }

    /// Replaces the checkpoint in it, which must be durable in the database already.
    pub fn write(&self, checkpoint: &str) -> Result<(), StoreError> {
        // A crash anywhere in here leaves the older file or the newer one. Both are of checkpoints that are durable; the
        // next start writes the newest.
        durable::replace(&self.path, checkpoint.as_bytes())
            .map_err(|source| StoreError::Io { path: self.path.clone(), source })
    }
}
