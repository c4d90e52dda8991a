//! The tree of a ledger's file at its newest checkpoint, for proofs without a server.

use std::path::Path;

use super::error::StoreError;
use super::load::{Signed, tree_at};
use super::read::Reader;
use crate::tlog::{Hash, Known, ProofError, SignedNote, Standing, Tree, VerifierKey};

/// The newest checkpoint of a ledger's file and the tree that it signs. Made from the stored tiles, without running the
/// rules: this proves what was signed, and says nothing about what it means.
#[derive(Debug)]
pub struct StoredTree {
    reader: Reader,
    tree: Tree,
    note: SignedNote,
}

impl StoredTree {
    /// Opens a ledger's database, of a running server or a copy. The checkpoint must be the key's, and the tree's.
    pub fn open(path: &Path, key: &VerifierKey) -> Result<Self, StoreError> {
        let reader = Reader::open(path)?;
        // One moment: a server may commit between two reads.
        reader.connection().execute_batch("BEGIN")?;
        let signed = Signed::read(&reader, key)?;
        let tree =
            tree_at(&reader, signed.size)?.map_err(|why| StoreError::Derived { what: why })?;
        signed.require_root(&tree).map_err(StoreError::evidence)?;
        reader.connection().execute_batch("COMMIT")?;
        Ok(Self { reader, tree, note: signed.into_note() })
    }

    /// The newest checkpoint.
    #[must_use]
    pub const fn note(&self) -> &SignedNote {
        &self.note
    }

    /// Number of entries.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.tree.size()
    }

    /// The proof that the ledger begins with its first `old` entries.
    pub fn consistency_proof(&self, old: u64) -> Result<Vec<Hash>, ProofError<StoreError>> {
        let tiles = |level, number| self.reader.tile(level, number);
        self.tree.consistency_proof(old, self.size(), tiles)
    }

    /// How the ledger stands to a checkpoint that is known.
    pub fn standing(&self, known: &Known) -> Result<Standing, ProofError<StoreError>> {
        known.standing(&self.tree, |level, number| self.reader.tile(level, number))
    }
}
