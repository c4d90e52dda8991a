//! What readers see: the ledger after its newest durable commit.

use std::sync::{Arc, PoisonError, RwLock};

use crate::ledger::Receipt;
use crate::state::State;
use crate::store::Loaded;
use crate::tlog::{ProofError, SignedNote, TlogProof, Tree};

/// The ledger after a durable commit. It never changes; the next commit publishes another one.
#[derive(Clone, Debug)]
pub struct Published {
    /// Everything folded from the entries.
    pub state: State,
    /// The tree over them.
    pub tree: Tree,
    /// The signed checkpoint of the tree's size and root, as text.
    pub checkpoint: String,
    /// The same checkpoint, read.
    pub note: SignedNote,
}

impl Published {
    /// Number of entries.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.tree.size()
    }

    pub(super) fn new(state: State, tree: Tree, note: SignedNote) -> Self {
        Self { state, tree, checkpoint: note.to_string(), note }
    }

    /// The receipt of an entry that these bytes are, against this checkpoint. Tiles that are not in memory come from
    /// `source`; entries of the newest commits need none.
    pub(super) fn receipt<E>(
        &self,
        index: u64,
        entry: bytes::Bytes,
        source: impl FnMut(u8, u64) -> Result<Vec<crate::tlog::Hash>, E>,
    ) -> Result<Receipt, ProofError<E>> {
        let path = self.tree.inclusion_proof(index, self.size(), source)?;
        let proof = TlogProof::new(index, path, self.note.clone());
        let proof = proof.expect("a path through this tree and a checkpoint that was signed here");
        Ok(Receipt { index, entry, proof })
    }
}

impl From<Loaded> for Published {
    fn from(loaded: Loaded) -> Self {
        Self::new(loaded.state, loaded.tree, loaded.checkpoint)
    }
}

/// Where the newest [`Published`] stands. It is swapped as a whole, so nobody sees half of a commit.
#[derive(Debug)]
pub(super) struct Newest(RwLock<Arc<Published>>);

impl Newest {
    pub(super) fn new(published: Published) -> Self {
        Self(RwLock::new(Arc::new(published)))
    }

    pub(super) fn get(&self) -> Arc<Published> {
        // The lock is held for the copy of one pointer, which leaves nothing half-done behind.
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn set(&self, published: Arc<Published>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = published;
    }
}
