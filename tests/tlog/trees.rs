//! Trees of any size: against the definition, against another implementation, and after a restart.

use std::sync::LazyLock;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;
use sha2::Sha256;
use vialedger::tlog::{
    Hash, MissingTile, ProofError, RestoreError, Tree, VerifyError, empty_root, leaf_hash,
    no_tiles, verify_consistency, verify_inclusion,
};

use crate::support::{Stored, defined_root, entry, leaf};

/// Past the second level of tiles: 65,536 entries complete a tile of level 1.
const LARGE: u64 = 70_000;

static LARGE_TREE: LazyLock<(Tree, std::sync::Mutex<Stored>)> = LazyLock::new(|| {
    let (tree, stored) = Stored::grow(LARGE);
    (tree, std::sync::Mutex::new(stored))
});

fn with_large<T>(test: impl FnOnce(&Tree, &Stored) -> T) -> T {
    let (tree, stored) = &*LARGE_TREE;
    test(tree, &stored.lock().unwrap())
}

fn flat(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

fn flip(proof: &[Hash], bit: usize) -> Vec<Hash> {
    let mut bytes = flat(proof);
    bytes[bit / 8] ^= 1 << (bit % 8);
    bytes.chunks(32).map(|hash| Hash::try_from(hash).unwrap()).collect()
}

#[test]
fn small_trees_agree_with_the_definition_at_every_size_and_every_pair_of_sizes() {
    let leaves: Vec<Hash> = (0..40).map(leaf).collect();
    let (tree, _) = Stored::grow(40);
    // Every bit of the small proofs is flipped, and of the larger ones a few in every hash.
    let bits = |proof: &[Hash]| {
        let step = if proof.len() < 4 { 1 } else { 53 };
        (0..proof.len() * 256).step_by(step)
    };
    let roots: Vec<Hash> = (0..=40).map(|size| defined_root(&leaves[..size])).collect();
    for (new, new_root) in (0..).zip(&roots) {
        assert_eq!(tree.root_at(new, no_tiles), Ok(*new_root));
        for index in 0..new {
            let path = tree.inclusion_proof(index, new, no_tiles).unwrap();
            let leaf = leaves[usize::try_from(index).unwrap()];
            assert_eq!(verify_inclusion(&leaf, index, new, &path, new_root), Ok(()));
            for bit in bits(&path) {
                let flipped = flip(&path, bit);
                let verdict = verify_inclusion(&leaf, index, new, &flipped, new_root);
                assert!(matches!(verdict, Err(VerifyError::RootMismatch { .. })));
            }
        }
        for (old, old_root) in (0..=new).zip(&roots) {
            let proof = tree.consistency_proof(old, new, no_tiles).unwrap();
            assert_eq!(verify_consistency(old, old_root, new, new_root, &proof), Ok(()));
            for bit in bits(&proof) {
                let verdict = verify_consistency(old, old_root, new, new_root, &flip(&proof, bit));
                assert!(verdict.is_err(), "{old} {new} {bit}");
            }
        }
    }
}

#[test]
fn a_path_fits_no_other_index_size_or_leaf_of_a_small_tree() {
    let (tree, _) = Stored::grow(20);
    for (index, size) in (1..=20).flat_map(|size| (0..size).map(move |index| (index, size))) {
        let path = tree.inclusion_proof(index, size, no_tiles).unwrap();
        let root = tree.root_at(size, no_tiles).unwrap();
        for other in (0..20).filter(|other| *other != index) {
            assert!(verify_inclusion(&leaf(index), other, size, &path, &root).is_err());
            assert!(verify_inclusion(&leaf(other), index, size, &path, &root).is_err());
        }
        let longer = [path.clone(), vec![leaf(0)]].concat();
        assert!(verify_inclusion(&leaf(index), index, size, &longer, &root).is_err());
        if let Some((_, shorter)) = path.split_last() {
            assert!(verify_inclusion(&leaf(index), index, size, shorter, &root).is_err());
        }
    }
}

#[test]
fn proofs_cut_short_or_lengthened_are_refused() {
    let (tree, _) = Stored::grow(40);
    for new in 1..=40 {
        for old in 1..new {
            let proof = tree.consistency_proof(old, new, no_tiles).unwrap();
            let (old_root, new_root) =
                (tree.root_at(old, no_tiles).unwrap(), tree.root_at(new, no_tiles).unwrap());
            let longer = [proof.clone(), vec![leaf(0)]].concat();
            for wrong in [&proof[1..], &proof[..proof.len() - 1], &longer] {
                assert!(verify_consistency(old, &old_root, new, &new_root, wrong).is_err());
            }
            let forked = verify_consistency(old, &leaf(0), new, &new_root, &proof);
            assert!(old == 1 || forked.is_err());
            assert!(verify_consistency(old, &old_root, new, &leaf(1), &proof).is_err());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn another_implementation_makes_and_accepts_the_same_roots_and_proofs(
        size in 1u64..1500,
        places in proptest::collection::vec(any::<prop::sample::Index>(), 8),
    ) {
        let (tree, stored) = Stored::grow(size);
        let mut foreign = MemoryBackedTree::<Sha256, Vec<u8>>::new();
        (0..size).for_each(|index| foreign.push(entry(index)));
        let foreign_root = foreign.root();
        prop_assert_eq!(flat(&[tree.root()]), foreign_root.as_bytes().to_vec());
        for place in places {
            let place = place.index(usize::try_from(size).unwrap());
            let index = u64::try_from(place).unwrap();
            let path = tree.inclusion_proof(index, size, |l, n| stored.read(l, n)).unwrap();
            let theirs = foreign.prove_inclusion(place);
            prop_assert_eq!(flat(&path), theirs.as_bytes());
            prop_assert!(foreign_root.verify_inclusion(&entry(index), index, &theirs).is_ok());

            let old = index + 1;
            let proof = tree.consistency_proof(old, size, |l, n| stored.read(l, n)).unwrap();
            let added = usize::try_from(size - old).unwrap();
            if added > 0 {
                prop_assert_eq!(flat(&proof), foreign.prove_consistency(added).as_bytes().to_vec());
            }
        }
    }

    #[test]
    fn proofs_at_any_size_of_a_large_tree_verify_and_flipped_ones_do_not(
        size in 1u64..=LARGE,
        place: prop::sample::Index,
        older: prop::sample::Index,
        bit: prop::sample::Index,
    ) {
        let index = u64::try_from(place.index(usize::try_from(size).unwrap())).unwrap();
        let old = u64::try_from(older.index(usize::try_from(size).unwrap())).unwrap();
        with_large(|tree, stored| {
            let source = |l, n| stored.read(l, n);
            let root = tree.root_at(size, source).unwrap();
            let path = tree.inclusion_proof(index, size, source).unwrap();
            prop_assert_eq!(verify_inclusion(&leaf(index), index, size, &path, &root), Ok(()));
            if !path.is_empty() {
                let flipped = flip(&path, bit.index(path.len() * 256));
                let verdict = verify_inclusion(&leaf(index), index, size, &flipped, &root);
                let refused = matches!(verdict, Err(VerifyError::RootMismatch { .. }));
                prop_assert!(refused);
            }
            let old_root = tree.root_at(old, source).unwrap();
            let proof = tree.consistency_proof(old, size, source).unwrap();
            prop_assert_eq!(verify_consistency(old, &old_root, size, &root, &proof), Ok(()));
            if !proof.is_empty() {
                let flipped = flip(&proof, bit.index(proof.len() * 256));
                prop_assert!(verify_consistency(old, &old_root, size, &root, &flipped).is_err());
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_tree_comes_back_equal_from_its_tiles_and_from_its_saved_form(size in 0u64..=LARGE) {
        let restored = with_large(|large, stored| {
            let open = size % 256;
            let open = match u16::try_from(open).unwrap() {
                0 => Vec::new(),
                width => large.tile(0, size / 256, width, |l, n| stored.read(l, n)).unwrap(),
            };
            let restored = Tree::rebuild(size, &open, |l, n| stored.read(l, n)).unwrap();
            let root = large.root_at(size, |l, n| stored.read(l, n));
            assert_eq!(restored.root(), root.unwrap());
            restored
        });
        let saved = postcard::to_allocvec(&restored).unwrap();
        prop_assert_eq!(postcard::from_bytes::<Tree>(&saved).unwrap(), restored);
    }
}

#[test]
fn a_restored_tree_equals_the_one_that_grew_around_every_boundary_of_tiles() {
    let (mut tree, mut stored) = (Tree::new(), Stored::default());
    let boundaries = [0, 1, 255, 256, 257, 511, 512, 513, 65_279, 65_535, 65_536, 65_537, 65_792];
    for size in boundaries {
        stored.extend(&mut tree, size);
        let open: Vec<Hash> = (size / 256 * 256..size).map(leaf).collect();
        let restored = Tree::rebuild(size, &open, |l, n| stored.read(l, n)).unwrap();
        assert_eq!(restored, tree, "{size}");
        let saved = postcard::to_allocvec(&tree).unwrap();
        assert_eq!(postcard::from_bytes::<Tree>(&saved), Ok(restored));
        assert!(
            stored.tiles.keys().all(|(level, number)| (number + 1) << (8 * level) <= size / 256)
        );
        let expected = (1..4).map(|level| size >> (8 * level)).sum::<u64>();
        assert_eq!(u64::try_from(stored.tiles.len()).unwrap(), expected);
    }
}

#[test]
fn a_clone_keeps_its_size_and_root_while_the_original_grows() {
    let (mut tree, mut stored) = (Tree::new(), Stored::default());
    let mut clones = Vec::new();
    for size in 1..=600 {
        clones.push((tree.clone(), tree.root()));
        stored.extend(&mut tree, size);
    }
    for (size, (clone, root)) in (0..).zip(&clones) {
        assert_eq!((clone.size(), clone.root()), (size, *root));
        assert_eq!(tree.root_at(size, |l, n| stored.read(l, n)), Ok(*root));
    }
}

#[test]
fn recent_entries_are_proved_without_reading_any_tile() {
    for size in [70_000, 65_536, 65_537, 65_600, 69_888, 512, 256] {
        let tree = with_large(|large, stored| {
            let open: Vec<Hash> = (size / 256 * 256..size).map(leaf).collect();
            assert!(large.size() >= size);
            Tree::rebuild(size, &open, |l, n| stored.read(l, n)).unwrap()
        });
        let root = tree.root();
        // The open tile and the last full one: at least the 256 newest entries.
        for index in size - 256..size {
            let path = tree.inclusion_proof(index, size, no_tiles).unwrap();
            assert_eq!(verify_inclusion(&leaf(index), index, size, &path, &root), Ok(()));
            let old_root = tree.root_at(index + 1, no_tiles).unwrap();
            let proof = tree.consistency_proof(index + 1, size, no_tiles).unwrap();
            assert_eq!(verify_consistency(index + 1, &old_root, size, &root, &proof), Ok(()));
        }
    }
}

#[test]
fn an_old_entry_needs_one_stored_tile_for_every_level_that_is_not_in_memory() {
    with_large(|tree, stored| {
        let refused = tree.inclusion_proof(5, LARGE, no_tiles);
        let source = MissingTile { level: 0, number: 0 };
        assert_eq!(refused, Err(ProofError::Tile { level: 0, number: 0, source }));
        stored.reads.set(0);
        tree.inclusion_proof(5, LARGE, |l, n| stored.read(l, n)).unwrap();
        assert_eq!(stored.reads.get(), 1);
    });
}

#[test]
fn a_tile_altered_in_storage_is_named_and_no_proof_is_made_from_it() {
    let (tree, mut stored) = Stored::grow(1500);
    stored.tiles.get_mut(&(0, 2)).unwrap()[17] = leaf_hash(b"altered");
    stored.tiles.get_mut(&(0, 3)).unwrap().pop();
    for number in [2, 3] {
        let refused = tree.inclusion_proof(number * 256 + 3, 1500, |l, n| stored.read(l, n));
        assert_eq!(refused, Err(ProofError::AlteredTile { level: 0, number }));
    }
    assert!(tree.inclusion_proof(300, 1500, |l, n| stored.read(l, n)).is_ok());
}

#[test]
fn questions_outside_the_tree_are_refused() {
    let (tree, _) = Stored::grow(300);
    let size = ProofError::SizeOutOfRange { asked: 301, size: 300 };
    assert_eq!(tree.root_at(301, no_tiles), Err(size.clone()));
    assert_eq!(tree.inclusion_proof(0, 301, no_tiles), Err(size.clone()));
    assert_eq!(tree.consistency_proof(0, 301, no_tiles), Err(size));
    let index = ProofError::IndexOutOfRange { index: 300, size: 300 };
    assert_eq!(tree.inclusion_proof(300, 300, no_tiles), Err(index));
    let reversed = ProofError::SizesReversed { old: 9, new: 8 };
    assert_eq!(tree.consistency_proof(9, 8, no_tiles), Err(reversed));
    let outside = [(0, 1, 45), (0, 0, 0), (0, 0, 257), (1, 0, 2), (2, 0, 1), (255, 0, 1)];
    for (level, number, width) in outside.into_iter().chain([(0, u64::MAX, 256)]) {
        let refused = ProofError::TileOutOfRange { level, number, width, size: 300 };
        assert_eq!(tree.tile(level, number, width, no_tiles), Err(refused));
    }
    assert_eq!(tree.tile(0, 1, 44, no_tiles).unwrap().len(), 44);
    assert_eq!(Tree::new().root(), empty_root());
}

#[test]
fn a_tree_is_not_rebuilt_from_the_wrong_tiles() {
    let (tree, mut stored) = Stored::grow(70_000);
    let open: Vec<Hash> = (69_888..70_000).map(leaf).collect();
    let rebuild = |stored: &Stored, open: &[Hash]| {
        Tree::rebuild(70_000, open, |level, number| stored.read(level, number))
    };
    assert_eq!(rebuild(&stored, &open), Ok(tree.clone()));
    let width = RestoreError::OpenTileWidth { level: 0, expected: 112, found: 111 };
    assert_eq!(rebuild(&stored, &open[1..]), Err(width));
    let over = Tree::rebuild(u64::MAX, &[], no_tiles);
    assert_eq!(over, Err(RestoreError::SizeOverLimit { size: u64::MAX }));

    // A changed tile below changes the root, which the caller compares with a checkpoint.
    stored.tiles.get_mut(&(0, 272)).unwrap()[0] = leaf_hash(b"altered");
    assert_ne!(rebuild(&stored, &open).unwrap().root(), tree.root());
    let removed = stored.tiles.remove(&(0, 272));
    let missing = rebuild(&stored, &open);
    assert!(matches!(missing, Err(RestoreError::Tile { level: 0, number: 272, .. })));
    assert!(removed.is_some());

    // At 65,536 entries the last full tile of level 0 is only in memory: it must fit level 1.
    let (_, mut stored) = Stored::grow(65_536);
    stored.tiles.get_mut(&(0, 255)).unwrap()[0] = leaf_hash(b"altered");
    let refused = Tree::rebuild(65_536, &[], |level, number| stored.read(level, number));
    assert_eq!(refused, Err(RestoreError::AlteredTile { level: 0, number: 255 }));
}

#[test]
fn a_damaged_saved_tree_is_refused_or_has_another_root() {
    let (tree, _) = Stored::grow(700);
    let saved = postcard::to_allocvec(&tree).unwrap();
    for position in (0..saved.len()).step_by(31) {
        let mut damaged = saved.clone();
        damaged[position] ^= 1;
        let read = postcard::from_bytes::<Tree>(&damaged);
        assert!(read.is_err() || read.is_ok_and(|read| read.root() != tree.root()), "{position}");
    }
}
