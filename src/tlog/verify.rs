//! Checking proofs: RFC 9162 sections 2.1.3.2 (inclusion) and 2.1.4.2 (consistency), step by step.
//!
//! Both checks need the proof and a handful of hashes, whatever the size of the tree. Whoever
//! verifies must take the root from a checkpoint whose signature was checked, and never from the
//! proof's sender.

use super::hash::{Hash, empty_root, node_hash};

/// The largest tree, in entries: the size at which proofs reach [`MAX_PROOF_HASHES`].
pub const MAX_TREE_SIZE: u64 = 1 << 62;

/// The longest proof, in hashes; the limit that C2SP tlog-witness sets for consistency proofs.
pub const MAX_PROOF_HASHES: usize = 63;

/// Why a proof proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// A tree larger than any that can exist here.
    #[error("tree size {size} is over the limit of {MAX_TREE_SIZE} entries")]
    SizeOverLimit {
        /// The claimed size, in entries.
        size: u64,
    },
    /// An entry outside the tree.
    #[error("index {index} is not in a tree of {size} entries (indexes start at 0)")]
    IndexOutOfRange {
        /// The claimed index.
        index: u64,
        /// The size of the tree, in entries.
        size: u64,
    },
    /// The "older" tree is the larger one.
    #[error("old size {old} is larger than new size {new}: a tree only grows")]
    SizesReversed {
        /// The older size, in entries.
        old: u64,
        /// The newer size, in entries.
        new: u64,
    },
    /// Too few or too many hashes for these sizes.
    #[error("the proof's {found} hashes are not as many as a proof between these sizes has")]
    WrongLength {
        /// How many hashes the proof has.
        found: usize,
    },
    /// The hashes lead to another root than the newer (or only) one.
    #[error("the proof leads to root {found}, expected {expected}")]
    RootMismatch {
        /// The root that was to be reached.
        expected: Hash,
        /// The root that the proof leads to.
        found: Hash,
    },
    /// The hashes lead to another root than the older one.
    #[error("the proof's older tree has root {found}, expected {expected}")]
    OldRootMismatch {
        /// The root of the older tree that was to be reached.
        expected: Hash,
        /// The older root that the proof leads to.
        found: Hash,
    },
}

/// Checks that the leaf with hash `leaf` stands at `index` (from 0) of the tree with `size` entries
/// and root `root`. The path runs from the leaf's sibling up to the child of the root.
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    path: &[Hash],
    root: &Hash,
) -> Result<(), VerifyError> {
    check_limits(size, path)?;
    if index >= size {
        return Err(VerifyError::IndexOutOfRange { index, size });
    }
    let wrong_length = VerifyError::WrongLength { found: path.len() };
    // The RFC's names: `fn` is the node on the path, `sn` the last node of the same height.
    let (mut node, mut last) = (index, size - 1);
    let mut reached = *leaf;
    for sibling in path {
        if last == 0 {
            return Err(wrong_length);
        }
        if is_right_child(node) || node == last {
            reached = node_hash(sibling, &reached);
            climb_to_right_child(&mut node, &mut last);
        } else {
            reached = node_hash(&reached, sibling);
        }
        climb(&mut node, &mut last);
    }
    if last != 0 {
        return Err(wrong_length);
    }
    same_root(root, reached)
}

/// Checks that the tree of `new_size` entries with root `new_root` begins with the entries of the
/// tree of `old_size` entries with root `old_root`.
///
/// Equal sizes need an empty proof and equal roots. Every tree extends the empty one: old size 0
/// needs an empty proof and the empty root, and says nothing about the new root.
pub fn verify_consistency(
    old_size: u64,
    old_root: &Hash,
    new_size: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), VerifyError> {
    check_limits(new_size, proof)?;
    if old_size > new_size {
        return Err(VerifyError::SizesReversed { old: old_size, new: new_size });
    }
    let wrong_length = VerifyError::WrongLength { found: proof.len() };
    if old_size == 0 || old_size == new_size {
        if !proof.is_empty() {
            return Err(wrong_length);
        }
        if old_size == 0 {
            same_old_root(old_root, empty_root())?;
        }
        return if old_size == new_size { same_root(new_root, *old_root) } else { Ok(()) };
    }
    let (mut node, mut last) = (old_size - 1, new_size - 1);
    while is_right_child(node) {
        climb(&mut node, &mut last);
    }
    // An old tree of 2^k entries is itself a node of the new one, so its root is not repeated.
    let mut hashes = proof.iter();
    let seed = if old_size.is_power_of_two() { Some(old_root) } else { hashes.next() };
    let Some(seed) = seed else { return Err(wrong_length) };
    let (mut old_reached, mut new_reached) = (*seed, *seed);
    let rest = hashes.as_slice();
    if rest.is_empty() {
        return Err(wrong_length);
    }
    for sibling in rest {
        if last == 0 {
            return Err(wrong_length);
        }
        if is_right_child(node) || node == last {
            old_reached = node_hash(sibling, &old_reached);
            new_reached = node_hash(sibling, &new_reached);
            climb_to_right_child(&mut node, &mut last);
        } else {
            new_reached = node_hash(&new_reached, sibling);
        }
        climb(&mut node, &mut last);
    }
    if last != 0 {
        return Err(wrong_length);
    }
    same_old_root(old_root, old_reached)?;
    same_root(new_root, new_reached)
}

fn check_limits(size: u64, proof: &[Hash]) -> Result<(), VerifyError> {
    if size > MAX_TREE_SIZE {
        return Err(VerifyError::SizeOverLimit { size });
    }
    if proof.len() > MAX_PROOF_HASHES {
        return Err(VerifyError::WrongLength { found: proof.len() });
    }
    Ok(())
}

const fn is_right_child(node: u64) -> bool {
    node & 1 == 1
}

const fn climb(node: &mut u64, last: &mut u64) {
    *node >>= 1;
    *last >>= 1;
}

/// Skips the heights at which the node, last of its row, has no sibling and moves up unhashed.
const fn climb_to_right_child(node: &mut u64, last: &mut u64) {
    while !is_right_child(*node) && *node != 0 {
        climb(node, last);
    }
}

fn same_root(expected: &Hash, found: Hash) -> Result<(), VerifyError> {
    if *expected == found {
        return Ok(());
    }
    Err(VerifyError::RootMismatch { expected: *expected, found })
}

fn same_old_root(expected: &Hash, found: Hash) -> Result<(), VerifyError> {
    if *expected == found {
        return Ok(());
    }
    Err(VerifyError::OldRootMismatch { expected: *expected, found })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::leaf_hash;

    #[test]
    fn a_tree_of_one_entry_proves_itself_with_an_empty_path() {
        let leaf = leaf_hash(b"only");
        assert_eq!(verify_inclusion(&leaf, 0, 1, &[], &leaf), Ok(()));
        let too_long = VerifyError::WrongLength { found: 1 };
        assert_eq!(verify_inclusion(&leaf, 0, 1, &[leaf], &leaf), Err(too_long));
    }

    #[test]
    fn sizes_and_lengths_outside_the_limits_are_refused_before_any_hashing() {
        let h = leaf_hash(b"");
        let over = VerifyError::SizeOverLimit { size: MAX_TREE_SIZE + 1 };
        assert_eq!(verify_inclusion(&h, 0, MAX_TREE_SIZE + 1, &[], &h), Err(over.clone()));
        assert_eq!(verify_consistency(1, &h, MAX_TREE_SIZE + 1, &h, &[]), Err(over));
        let long = vec![h; MAX_PROOF_HASHES + 1];
        let length = VerifyError::WrongLength { found: MAX_PROOF_HASHES + 1 };
        assert_eq!(verify_inclusion(&h, 0, MAX_TREE_SIZE, &long, &h), Err(length.clone()));
        assert_eq!(verify_consistency(3, &h, MAX_TREE_SIZE, &h, &long), Err(length));
        let outside = VerifyError::IndexOutOfRange { index: 0, size: 0 };
        assert_eq!(verify_inclusion(&h, 0, 0, &[], &h), Err(outside));
    }

    #[test]
    fn the_longest_proofs_that_can_exist_are_within_the_limit() {
        // The lengths are right, so the verdict is about the root and not about the length.
        let h = leaf_hash(b"");
        let inclusion = verify_inclusion(&h, 1, MAX_TREE_SIZE, &[h; 62], &h);
        assert!(matches!(inclusion, Err(VerifyError::RootMismatch { .. })), "{inclusion:?}");
        let consistency = verify_consistency(3, &h, MAX_TREE_SIZE, &h, &[h; MAX_PROOF_HASHES]);
        assert!(matches!(consistency, Err(VerifyError::OldRootMismatch { .. })), "{consistency:?}");
    }

    #[test]
    fn the_empty_tree_is_consistent_with_everything_but_only_by_its_own_root() {
        let (empty, other) = (empty_root(), leaf_hash(b"x"));
        assert_eq!(verify_consistency(0, &empty, 5, &other, &[]), Ok(()));
        assert_eq!(verify_consistency(0, &empty, 0, &empty, &[]), Ok(()));
        let forged = VerifyError::OldRootMismatch { expected: other, found: empty };
        assert_eq!(verify_consistency(0, &other, 5, &other, &[]), Err(forged));
        let length = VerifyError::WrongLength { found: 1 };
        assert_eq!(verify_consistency(0, &empty, 5, &other, &[other]), Err(length));
    }

    #[test]
    fn equal_sizes_need_equal_roots_and_an_older_tree_cannot_be_larger() {
        let (a, b) = (leaf_hash(b"a"), leaf_hash(b"b"));
        assert_eq!(verify_consistency(7, &a, 7, &a, &[]), Ok(()));
        let forked = VerifyError::RootMismatch { expected: b, found: a };
        assert_eq!(verify_consistency(7, &a, 7, &b, &[]), Err(forked));
        let reversed = VerifyError::SizesReversed { old: 8, new: 7 };
        assert_eq!(verify_consistency(8, &a, 7, &a, &[]), Err(reversed));
    }
}
