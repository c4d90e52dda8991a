//! A split view: two checkpoints, signed by one log, that cannot both be of one history.

use std::fmt;

use super::checkpoint::{Checkpoint, CheckpointError};
use super::hash::{Hash, node_hash};
use super::note::{NoteError, SignedNote};
use super::verify::{MAX_PROOF_HASHES, VerifyError, verify_consistency};
use super::vkey::VerifierKey;

/// The largest file of a split view, in bytes.
pub const MAX_SPLIT_VIEW_BYTES: usize = 64 * 1024;

/// The first line of the file.
const HEADER: &str = "vialedger-split-view@v1";

/// Two checkpoints of one log, and hashes that show what the second one's tree begins with; see [`divergence`].
///
/// Its text (`to_string`) is a file that proves itself to anybody who has the log's verifier key:
/// a header line, the proof's hashes one a line, and the two signed notes, with an empty line
/// before each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitView {
    kept: SignedNote,
    other: SignedNote,
    proof: Vec<Hash>,
}

/// How two checkpoints contradict each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Divergence {
    /// Two roots at one size.
    #[error("{size} entries have the root {kept} in one checkpoint and {other} in the other")]
    SameSize {
        /// The size of both.
        size: u64,
        /// The root that was seen first.
        kept: Hash,
        /// The root that was seen later.
        other: Hash,
    },
    /// The larger tree begins with other entries than the smaller one.
    #[error(
        "the first {size} entries have the root {kept}, but the tree of {larger} entries begins with \
         {size} whose root is {other}"
    )]
    OtherBeginning {
        /// The size of the smaller tree.
        size: u64,
        /// Its root, as the log signed it.
        kept: Hash,
        /// The size of the larger tree.
        larger: u64,
        /// The root of the larger tree's first `size` entries.
        other: Hash,
    },
}

impl Divergence {
    /// Its name in lists and files.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::SameSize { .. } => "same-size",
            Self::OtherBeginning { .. } => "other-beginning",
        }
    }
}

/// Why two checkpoints prove nothing against their log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SplitViewError {
    /// A file over the limit.
    #[error("the file has {found} bytes, limit {MAX_SPLIT_VIEW_BYTES}")]
    TooLong {
        /// The length, in bytes.
        found: usize,
    },
    /// Not the parts that the file must have.
    #[error("not a split view: expected the line {HEADER}, hashes, and two signed checkpoints")]
    Malformed,
    /// A checkpoint that is no signed note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// A checkpoint that the log did not sign.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Both may be of one history.
    #[error(
        "the two checkpoints do not contradict each other as they stand: an audit of the ledger's \
         file with each of them (`vialedger verify --checkpoint`) would tell"
    )]
    NoDivergence,
}

impl SplitView {
    /// Two signed checkpoints, and the hashes.
    #[must_use]
    pub fn new(kept: SignedNote, other: SignedNote, proof: Vec<Hash>) -> Self {
        Self { kept, other, proof }
    }

    /// Reads a file.
    pub fn parse(bytes: &[u8]) -> Result<Self, SplitViewError> {
        if bytes.len() > MAX_SPLIT_VIEW_BYTES {
            return Err(SplitViewError::TooLong { found: bytes.len() });
        }
        let malformed = SplitViewError::Malformed;
        let Ok(file) = str::from_utf8(bytes) else { return Err(malformed) };
        // A checkpoint has no empty line but the one before its signatures.
        let parts: Vec<&str> = file.split("\n\n").collect();
        let [head, kept, kept_by, other, other_by] = parts.as_slice() else {
            return Err(malformed);
        };
        let mut lines = head.split('\n');
        if lines.next() != Some(HEADER) {
            return Err(malformed);
        }
        let proof: Result<Vec<Hash>, _> = lines.map(str::parse).collect();
        let Ok(proof) = proof else { return Err(malformed) };
        if proof.len() > MAX_PROOF_HASHES {
            return Err(malformed);
        }
        let kept = SignedNote::parse(format!("{kept}\n\n{kept_by}\n").as_bytes())?;
        let other = SignedNote::parse(format!("{other}\n\n{other_by}").as_bytes())?;
        Ok(Self { kept, other, proof })
    }

    /// The checkpoint that was seen first.
    #[must_use]
    pub const fn kept(&self) -> &SignedNote {
        &self.kept
    }

    /// The one that contradicts it.
    #[must_use]
    pub const fn other(&self) -> &SignedNote {
        &self.other
    }

    /// The proof's hashes.
    #[must_use]
    pub fn proof(&self) -> &[Hash] {
        &self.proof
    }

    /// Checks that the log whose key this is signed both, and that they contradict each other.
    pub fn verify(&self, key: &VerifierKey) -> Result<Divergence, SplitViewError> {
        let kept = Checkpoint::verify(&self.kept, key)?;
        let other = Checkpoint::verify(&self.other, key)?;
        divergence(&kept, &other, &self.proof).ok_or(SplitViewError::NoDivergence)
    }
}

/// How the second checkpoint contradicts the first, where that can be seen from the two and some hashes alone.
///
/// The hashes are those of a consistency proof. One that leads to the *signed* larger root commits to every hash in it. If
/// its older root then is not the signed smaller one, the larger tree begins with other entries. Where the smaller size is
/// a power of two, its root stands in no such proof: then the hashes must begin with the root that the larger tree has
/// there, as [`from_the_first_entry`] makes them.
#[must_use]
pub fn divergence(kept: &Checkpoint, other: &Checkpoint, proof: &[Hash]) -> Option<Divergence> {
    if kept.origin() != other.origin() {
        return None;
    }
    let (size, larger) = (kept.size(), other.size());
    if size == larger {
        let (kept, other) = (kept.root(), other.root());
        return (kept != other).then_some(Divergence::SameSize { size, kept, other });
    }
    let root = other.root();
    let (found, proof) = match verify_consistency(size, &kept.root(), larger, &root, proof) {
        Err(VerifyError::OldRootMismatch { found, .. }) => (found, proof),
        Err(_) if size.is_power_of_two() => {
            proof.split_first().map(|(root, rest)| (*root, rest))?
        }
        _ => return None,
    };
    verify_consistency(size, &found, larger, &root, proof).ok()?;
    let kept = kept.root();
    (found != kept).then_some(Divergence::OtherBeginning { size, kept, larger, other: found })
}

/// The hashes that show what a larger tree begins with, up to a size that is a power of two: made from the leaf hash of
/// its first entry and that entry's inclusion proof in it. None where the size is no power of two or the proof too short.
#[must_use]
pub fn from_the_first_entry(size: u64, leaf: Hash, path: &[Hash]) -> Option<Vec<Hash>> {
    let levels = size.is_power_of_two().then(|| size.trailing_zeros())?;
    let (below, above) = path.split_at_checked(usize::try_from(levels).ok()?)?;
    let root = below.iter().fold(leaf, |left, right| node_hash(&left, right));
    Some([&[root], above].concat())
}

impl fmt::Display for SplitView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        self.proof.iter().try_for_each(|hash| writeln!(f, "{hash}"))?;
        write!(f, "\n{}\n{}", self.kept, self.other)
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;

    use super::*;
    use crate::tlog::{NoteSigner, Tree, leaf_hash, no_tiles};

    fn signer() -> NoteSigner {
        NoteSigner::new("example.com/log".parse().unwrap(), SigningKey::from_bytes(&[7; 32]))
    }

    /// A tree whose entries from `fork` on are others.
    fn tree(size: u64, fork: u64) -> Tree {
        let mut tree = Tree::new();
        for index in 0..size {
            let prefix = if index < fork { "" } else { "fork " };
            let completed = tree.append(leaf_hash(format!("{prefix}{index}").as_bytes()));
            assert!(completed.is_empty());
        }
        tree
    }

    fn signed(tree: &Tree) -> SignedNote {
        let checkpoint = Checkpoint::new("example.com/log", tree.size(), tree.root()).unwrap();
        checkpoint.sign(&signer()).unwrap()
    }

    #[test]
    fn two_roots_of_one_size_prove_themselves_and_come_back_from_their_file() {
        let split = SplitView::new(signed(&tree(5, 9)), signed(&tree(5, 3)), Vec::new());
        let read = SplitView::parse(split.to_string().as_bytes()).unwrap();
        assert_eq!(read, split);
        let found = read.verify(signer().verifier_key()).unwrap();
        assert_eq!(found.name(), "same-size");
        let stranger = NoteSigner::new("example.com/log".parse().unwrap(), [8; 32].into());
        assert!(split.verify(stranger.verifier_key()).is_err(), "another log's key proves nothing");
    }

    #[test]
    fn a_fork_that_grew_on_is_proved_by_the_proof_that_it_sends() {
        for size in 1..40 {
            for larger in size + 1..41 {
                let (honest, fork) = (tree(size, 100), tree(larger, size - 1));
                let proof = fork.consistency_proof(size, larger, no_tiles).unwrap();
                let split = SplitView::new(signed(&honest), signed(&fork), proof);
                let read = SplitView::parse(split.to_string().as_bytes()).unwrap();
                let found = read.verify(signer().verifier_key());
                if !size.is_power_of_two() {
                    assert_eq!(found.unwrap().name(), "other-beginning", "{size} {larger}");
                    continue;
                }
                assert_eq!(found, Err(SplitViewError::NoDivergence), "{size} {larger}");
                let first = leaf_hash(if size == 1 { b"fork 0" } else { b"0" });
                let path = fork.inclusion_proof(0, larger, no_tiles).unwrap();
                let proof = from_the_first_entry(size, first, &path).unwrap();
                let split = SplitView::new(signed(&honest), signed(&fork), proof);
                let read = SplitView::parse(split.to_string().as_bytes()).unwrap();
                let found = read.verify(signer().verifier_key()).unwrap();
                assert_eq!(found.name(), "other-beginning", "{size} {larger}");
            }
        }
    }

    #[test]
    fn an_honest_log_is_never_accused_whatever_is_sent_along() {
        let key = signer();
        for size in 1..20 {
            for larger in size..21 {
                let (older, newer) = (tree(size, 100), tree(larger, 100));
                let proof = newer.consistency_proof(size, larger, no_tiles).unwrap();
                let mut bad = vec![proof.clone(), Vec::new(), vec![leaf_hash(b"x"); 3]];
                for first in [older.root(), newer.root(), leaf_hash(b"0"), leaf_hash(b"x")] {
                    bad.push([&[first], proof.as_slice()].concat());
                }
                let path = newer.inclusion_proof(0, larger, no_tiles).unwrap();
                bad.extend(from_the_first_entry(size, leaf_hash(b"0"), &path));
                for place in 0..proof.len() {
                    let mut flipped = proof.clone();
                    flipped[place] = leaf_hash(b"y");
                    bad.push(flipped);
                }
                for proof in bad {
                    let split = SplitView::new(signed(&older), signed(&newer), proof);
                    let found = split.verify(key.verifier_key());
                    assert_eq!(found, Err(SplitViewError::NoDivergence), "{size} {larger}");
                }
            }
        }
    }

    #[test]
    fn other_files_are_refused() {
        let good = SplitView::new(signed(&tree(5, 9)), signed(&tree(5, 3)), Vec::new()).to_string();
        for bad in [
            String::new(),
            good.replace("@v1", "@v2"),
            good.replace("@v1", "@v1\nAQI="),
            good.replacen("\n\n", "\n", 1),
            format!("{good}\n"),
            good.trim_end().to_owned(),
        ] {
            assert!(SplitView::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        let long = vec![b'x'; MAX_SPLIT_VIEW_BYTES + 1];
        let reason = SplitViewError::TooLong { found: long.len() };
        assert_eq!(SplitView::parse(&long), Err(reason));
    }
}
