//! Vectors, keys and a complete tree kept the plain way, to compare with.

use std::collections::BTreeMap;
use std::path::Path;

use ed25519_dalek::SigningKey;
use vialedger::tlog::{Hash, Tree, leaf_hash, node_hash};

pub(crate) fn vector(path: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/vectors");
    std::fs::read(folder.join(path)).unwrap()
}

pub(crate) fn vector_text(path: &str) -> String {
    String::from_utf8(vector(path)).unwrap()
}

pub(crate) fn from_hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

/// The key with the seed `first`, `first + 1`, … as in the vectors: 0x00 for the log, 0x20 for the
/// cosigner.
pub(crate) fn seed_key(first: u8) -> SigningKey {
    SigningKey::from_bytes(&std::array::from_fn(|i| first + u8::try_from(i).unwrap()))
}

pub(crate) fn entry(index: u64) -> Vec<u8> {
    format!("entry {index:06}").into_bytes()
}

pub(crate) fn leaf(index: u64) -> Hash {
    leaf_hash(&entry(index))
}

/// The definition of the root in RFC 9162 section 2.1.1, word for word and slow.
pub(crate) fn defined_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => vialedger::tlog::empty_root(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(&defined_root(left), &defined_root(right))
        }
    }
}

/// The full tiles that a caller would have stored.
#[derive(Default)]
pub(crate) struct Stored {
    pub(crate) tiles: BTreeMap<(u8, u64), Vec<Hash>>,
    pub(crate) reads: std::cell::Cell<usize>,
}

impl Stored {
    /// A tree of `size` entries, and what was stored while it grew.
    pub(crate) fn grow(size: u64) -> (Tree, Self) {
        let (mut tree, mut stored) = (Tree::new(), Self::default());
        stored.extend(&mut tree, size);
        (tree, stored)
    }

    pub(crate) fn extend(&mut self, tree: &mut Tree, size: u64) {
        for index in tree.size()..size {
            for tile in tree.append(leaf(index)) {
                let fresh = self.tiles.insert((tile.level, tile.number), tile.hashes);
                assert_eq!(fresh, None, "a tile is completed once");
            }
        }
    }

    pub(crate) fn read(&self, level: u8, number: u64) -> Result<Vec<Hash>, String> {
        self.reads.set(self.reads.get() + 1);
        self.tiles.get(&(level, number)).cloned().ok_or(format!("no tile {level}/{number}"))
    }
}
