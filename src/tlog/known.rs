//! Checkpoints that somebody remembers, and how a tree stands to them.

use std::fmt;

use super::checkpoint::{Checkpoint, CheckpointError};
use super::hash::{Hash, empty_root, node_hash};
use super::note::SignedNote;
use super::tree::{ProofError, Tree};
use super::vkey::VerifierKey;

/// A checkpoint of a ledger that was kept somewhere, with the ledger's own signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    source: String,
    note: SignedNote,
    checkpoint: Checkpoint,
}

/// How a ledger stands to a checkpoint that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It begins with the entries of the checkpoint.
    Extends,
    /// It has fewer entries than the checkpoint: what was signed is not there.
    Behind(Gap),
    /// It has as many entries, or more, and other ones.
    Forked {
        /// The size of the known checkpoint.
        size: u64,
        /// Its root.
        known: Hash,
        /// The root of as many entries of this ledger.
        found: Hash,
    },
}

/// Entries that are known to have been signed and that a ledger does not have. Its text names them:
/// "entries 120 to 131 are missing".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// How many entries the ledger has.
    pub have: u64,
    /// How many were signed; more than it has.
    pub known: u64,
}

impl Known {
    /// A checkpoint with a name for where it was found, if the ledger's key signed it.
    pub fn new(
        source: impl Into<String>,
        note: SignedNote,
        key: &VerifierKey,
    ) -> Result<Self, CheckpointError> {
        let checkpoint = Checkpoint::verify(&note, key)?;
        Ok(Self { source: source.into(), note, checkpoint })
    }

    /// Where it was found, for messages.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The note as it was found.
    #[must_use]
    pub const fn note(&self) -> &SignedNote {
        &self.note
    }

    /// What the note says.
    #[must_use]
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// How a tree stands to it. Tiles that are not in memory come from `source`.
    pub fn standing<E>(
        &self,
        tree: &Tree,
        source: impl FnMut(u8, u64) -> Result<Vec<Hash>, E>,
    ) -> Result<Standing, ProofError<E>> {
        let (have, size) = (tree.size(), self.checkpoint.size());
        if size > have {
            return Ok(Standing::Behind(Gap { have, known: size }));
        }
        let (known, found) = (self.checkpoint.root(), tree.root_at(size, source)?);
        if known == found {
            return Ok(Standing::Extends);
        }
        Ok(Standing::Forked { size, known, found })
    }
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.known.saturating_sub(1) {
            last if last <= self.have => write!(f, "entry {} is missing", self.have),
            last => write!(f, "entries {} to {last} are missing", self.have),
        }
    }
}

/// The root of the tree before its last entry, from the path that proves that last entry: everything
/// to the left of it. So a receipt of the entry right after a checkpoint proves consistency too.
#[must_use]
pub fn root_before_last(path: &[Hash]) -> Hash {
    let joined = path.iter().copied().reduce(|right, left| node_hash(&left, &right));
    joined.unwrap_or_else(empty_root)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::{NoteSigner, leaf_hash, no_tiles};

    fn tree(size: u64, story: &str) -> Tree {
        let mut tree = Tree::new();
        for index in 0..size {
            assert!(tree.append(leaf_hash(format!("{story}{index}").as_bytes())).is_empty());
        }
        tree
    }

    #[test]
    fn the_path_of_the_last_entry_tells_the_root_before_it() {
        for size in 0..70 {
            let (before, after) = (tree(size, ""), tree(size + 1, ""));
            let path = after.inclusion_proof(size, size + 1, no_tiles).unwrap();
            assert_eq!(root_before_last(&path), before.root(), "{size}");
        }
    }

    #[test]
    fn a_ledger_extends_what_is_known_or_is_behind_it_or_forked() {
        let signer = NoteSigner::new("example.org/log".parse().unwrap(), [3; 32].into());
        let known = |tree: &Tree| {
            let checkpoint = Checkpoint::new("example.org/log", tree.size(), tree.root()).unwrap();
            Known::new("a file", checkpoint.sign(&signer).unwrap(), signer.verifier_key()).unwrap()
        };
        let ours = tree(9, "");
        for size in 0..=9 {
            assert_eq!(known(&tree(size, "")).standing(&ours, no_tiles), Ok(Standing::Extends));
        }
        let behind = known(&tree(12, "")).standing(&ours, no_tiles).unwrap();
        let Standing::Behind(gap) = behind else { panic!("{behind:?}") };
        assert_eq!(gap.to_string(), "entries 9 to 11 are missing");
        assert_eq!(Gap { have: 9, known: 10 }.to_string(), "entry 9 is missing");
        for size in 1..=9 {
            let standing = known(&tree(size, "other ")).standing(&ours, no_tiles).unwrap();
            assert!(matches!(standing, Standing::Forked { .. }), "{size}: {standing:?}");
        }
        let stranger = NoteSigner::new("example.org/log".parse().unwrap(), [4; 32].into());
        let note = known(&ours).note().clone();
        assert!(Known::new("a file", note, stranger.verifier_key()).is_err());
    }
}
