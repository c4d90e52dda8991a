//! What can go wrong with a folder of tiles.

use std::io;
use std::path::{Path, PathBuf};

use crate::audit::EvidenceError;
use crate::handover::HandoverError;
use crate::tlog::BundleError;

/// Why a folder of tiles could not be made, or not be read.
#[derive(Debug, thiserror::Error)]
pub enum TilesError {
    /// The folder could not be made.
    #[error(transparent)]
    Write(#[from] HandoverError),
    /// A file could not be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The entries could not be read.
    #[error("the entries cannot be read: {0}")]
    Unreadable(#[from] EvidenceError),
    /// The entries cannot be put into bundles.
    #[error("the entries make no bundle: {0}")]
    Bundle(#[from] BundleError),
    /// The evidence contradicts itself; nothing is made of it.
    #[error("the evidence is bad: {0}; run `vialedger verify`")]
    Evidence(String),
}

impl TilesError {
    /// For `map_err`: a file that could not be read.
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}
