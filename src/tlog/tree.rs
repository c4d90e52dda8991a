//! An append-only tree that keeps only its right edge in memory.
//!
//! The tree is cut into tiles 256 hashes wide and eight levels of nodes high, as in tlog-tiles. Of
//! every tile level two tiles are kept: the open one, which still grows, and the last one that was
//! completed. Every inner node of both is kept too, so appending, the root, and the proofs of
//! recent entries look hashes up and hash almost nothing. Completed tiles are handed to the caller,
//! who stores them, and are read back through a function when an older entry is to be proved.

mod nodes;
mod prove;
mod restore;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::nodes::Nodes;
pub use self::prove::{MissingTile, ProofError, no_tiles};
pub use self::restore::RestoreError;
use super::hash::{Hash, empty_root, node_hash};
use super::verify::MAX_TREE_SIZE;

/// Eight levels of nodes are one level of tiles: 256 = 2^8.
const TILE_HEIGHT: u32 = 8;

/// The largest number of tile levels: a tree of [`MAX_TREE_SIZE`] entries has hashes at levels 0 to
/// 7.
const MAX_TILE_LEVELS: u8 = 8;

/// An append-only Merkle tree of leaf hashes (RFC 9162 section 2.1).
///
/// A clone is cheap, shares its tiles with the original and stays as it is while the original
/// grows: a reader takes one for every commit and proves against it.
///
/// With `serde` it becomes the hashes of at most two tiles for every level, which are checked
/// against each other when they are read back. Compare [`Tree::root`] with a checkpoint before
/// relying on it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "restore::Saved", into = "restore::Saved")]
pub struct Tree {
    /// In entries.
    size: u64,
    /// One for every tile level that has at least one hash, from the leaves up.
    levels: Vec<Level>,
}

/// What is in memory of one level of tiles.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Level {
    /// The tile that still grows: 0 to 255 hashes wide.
    open: Arc<Nodes>,
    /// The last tile that was completed, if one was.
    last: Option<Arc<Nodes>>,
}

/// A tile that the last append completed; it never changes again and is the caller's to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FullTile {
    /// The tile level: 0 holds leaf hashes, each level above the roots of the tiles below.
    pub level: u8,
    /// The tile's number within its level, from 0.
    pub number: u64,
    /// Its 256 hashes.
    pub hashes: Vec<Hash>,
}

impl Tree {
    /// A tree without entries.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many entries the tree has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf hash and returns the tiles that this completed, from level 0 up: almost
    /// always none, one after every 256 entries, two after every 65,536.
    #[must_use = "a completed tile that is not stored is missing from later proofs"]
    pub fn append(&mut self, leaf: Hash) -> Vec<FullTile> {
        assert!(self.size < MAX_TREE_SIZE, "no machine appends 2^62 entries");
        let before = self.size;
        self.size += 1;
        let mut completed = Vec::new();
        let mut carried = leaf;
        for level in 0..MAX_TILE_LEVELS {
            let Some(hashes) = self.push(level, carried) else { return completed };
            carried = hashes.root;
            let number = before >> (TILE_HEIGHT * (u32::from(level) + 1));
            completed.push(FullTile { level, number, hashes: hashes.row });
        }
        completed
    }

    /// Adds a hash to the open tile of a level; if that is now full, moves it aside and returns it.
    fn push(&mut self, level: u8, hash: Hash) -> Option<Completed> {
        if self.levels.len() <= usize::from(level) {
            self.levels.push(Level::default());
        }
        let level = self.levels.get_mut(usize::from(level)).expect("levels are added in order");
        let open = Arc::make_mut(&mut level.open);
        open.push(hash);
        let root = open.root()?;
        let row = open.row();
        level.last = Some(std::mem::take(&mut level.open));
        Some(Completed { root, row })
    }

    /// The root of the whole tree, with at most as many hashings as the size has binary digits.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut root: Option<Hash> = None;
        for level in &self.levels {
            for peak in level.open.peaks() {
                root = Some(root.map_or(peak, |right| node_hash(&peak, &right)));
            }
        }
        root.unwrap_or_else(empty_root)
    }

    /// The tile's nodes if they are in memory.
    fn kept(&self, level: u8, number: u64) -> Option<&Nodes> {
        let kept = self.levels.get(usize::from(level))?;
        let full = full_tiles(self.size, level);
        if number == full {
            return Some(&kept.open);
        }
        if number.checked_add(1) == Some(full) { kept.last.as_deref() } else { None }
    }
}

/// A tile that [`Tree::push`] has just filled.
struct Completed {
    root: Hash,
    row: Vec<Hash>,
}

/// How many complete tiles a level has in a tree of `size` entries, and so the open tile's number.
fn full_tiles(size: u64, level: u8) -> u64 {
    size.checked_shr(TILE_HEIGHT * (u32::from(level) + 1)).unwrap_or(0)
}
