//! Checkpoints of a ledger that are known from elsewhere than its database.

use std::path::PathBuf;

use clap::Args;

use super::error::CliError;
use super::verify::checkpoint;
use crate::cosigner::{Cosignatures, FolderError};
use crate::store::LedgerFolder;
use crate::tlog::{Known, VerifierKey};

/// Where to look for checkpoints.
#[derive(Args, Clone, Debug, Default)]
pub struct KnownArgs {
    /// A checkpoint or receipt that was kept elsewhere, by a person, a device or a cosigner; repeat for several
    #[arg(long = "known-checkpoint", value_name = "FILE")]
    pub known: Vec<PathBuf>,
    /// Where the server keeps its newest checkpoint, best on another disk; `ledger.head` in the folder when absent
    #[arg(long, value_name = "FILE")]
    pub head_file: Option<PathBuf>,
}

impl KnownArgs {
    /// What is in `cosignatures/`, and the files that were named, which must be this ledger's.
    pub fn gather(&self, folder: &LedgerFolder, key: &VerifierKey) -> Result<Vec<Known>, CliError> {
        let mut known = Cosignatures::beside(folder.root()).known(key).map_err(unreadable)?;
        for path in &self.known {
            let found = Known::new(path.display().to_string(), checkpoint(path)?, key);
            let not_ours = |error| CliError::Data(format!("{}: {error}", path.display()));
            known.push(found.map_err(not_ours)?);
        }
        Ok(known)
    }
}

fn unreadable(error: FolderError) -> CliError {
    match error {
        FolderError::Io { path, source } => CliError::Read { path, source },
        other => CliError::Data(other.to_string()),
    }
}
