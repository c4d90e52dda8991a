//! Bringing a tree back: from stored tiles, or from what `serde` wrote.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::nodes::Nodes;
use super::{Level, MAX_TILE_LEVELS, TILE_HEIGHT, Tree, full_tiles};
use crate::tlog::hash::Hash;
use crate::tlog::verify::MAX_TREE_SIZE;

/// Why a tree could not be brought back. `E` is what the caller's tile source says when it fails.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError<E> {
    /// A tree larger than any that can exist here.
    #[error("tree size {size} is over the limit of {MAX_TREE_SIZE} entries")]
    SizeOverLimit {
        /// The claimed size, in entries.
        size: u64,
    },
    /// Not as many hashes as a tree of this size has in its open tile.
    #[error("the open tile of level {level} has {expected} hashes, found {found}")]
    OpenTileWidth {
        /// The tile level.
        level: u8,
        /// How many there must be.
        expected: u64,
        /// How many there were.
        found: usize,
    },
    /// Not as many tile levels as a tree of this size has.
    #[error("a tree of this size has {expected} tile levels, found {found}")]
    Levels {
        /// How many there must be.
        expected: usize,
        /// How many there were.
        found: usize,
    },
    /// A full tile could not be read.
    #[error("tile {number} of level {level} could not be read: {source}")]
    Tile {
        /// The tile level.
        level: u8,
        /// The tile's number within its level.
        number: u64,
        /// What the tile source said.
        source: E,
    },
    /// A full tile is missing, has not 256 hashes, or does not hash to its place in the level
    /// above.
    #[error(
        "tile {number} of level {level} is not the tile in the tree: rebuild the tiles from the \
         entries, and audit the entries"
    )]
    AlteredTile {
        /// The tile level.
        level: u8,
        /// The tile's number within its level.
        number: u64,
    },
}

impl Tree {
    /// Rebuilds a tree of `size` entries from the leaf hashes after the last full level-0 tile
    /// (`size mod 256` of them) and the stored full tiles: at most 256 are read for each level.
    ///
    /// The tiles' mutual fit is checked here, and [`Tree::root`] commits to all that was read: it
    /// is the caller's to compare it with a signed checkpoint.
    pub fn rebuild<E>(
        size: u64,
        open_leaves: &[Hash],
        mut source: impl FnMut(u8, u64) -> Result<Vec<Hash>, E>,
    ) -> Result<Self, RestoreError<E>> {
        let mut full_tile = |level, number| {
            let row = source(level, number).map_err(|source| RestoreError::Tile {
                level,
                number,
                source,
            })?;
            full(level, number, row)
        };
        let mut levels = Vec::new();
        for level in 0..level_count(size)? {
            let width = open_width(size, level);
            let open = match level.checked_sub(1) {
                None if u64::try_from(open_leaves.len()) == Ok(width) => {
                    Nodes::from_row(open_leaves.iter().copied())
                }
                None => return Err(open_tile_width(level, width, open_leaves.len())),
                Some(below) => {
                    let end = full_tiles(size, below);
                    let mut open = Nodes::default();
                    for number in end - width..end {
                        open.push(full_tile(below, number)?.1);
                    }
                    open
                }
            };
            let last = match full_tiles(size, level).checked_sub(1) {
                None => None,
                Some(number) => Some(Arc::new(full_tile(level, number)?.0)),
            };
            levels.push(Level { open: Arc::new(open), last });
        }
        let tree = Self { size, levels };
        tree.check_links()?;
        Ok(tree)
    }

    /// Checks that the last full tile of every level hashes to its place in the level above.
    fn check_links<E>(&self) -> Result<(), RestoreError<E>> {
        for (level, kept) in (0..MAX_TILE_LEVELS).zip(&self.levels) {
            let Some(last) = &kept.last else { continue };
            let number = full_tiles(self.size, level).saturating_sub(1);
            let above = self.kept(level + 1, number >> TILE_HEIGHT);
            let place = above.and_then(|above| above.get(0, number % Nodes::FULL));
            if place.is_none() || place != last.root() {
                return Err(RestoreError::AlteredTile { level, number });
            }
        }
        Ok(())
    }
}

/// What `serde` writes of a tree: the bottom rows, from which the nodes above are hashed again.
#[derive(Serialize, Deserialize)]
pub(super) struct Saved {
    size: u64,
    levels: Vec<SavedLevel>,
}

#[derive(Serialize, Deserialize)]
struct SavedLevel {
    open: Vec<Hash>,
    last: Option<Vec<Hash>>,
}

impl From<Tree> for Saved {
    fn from(tree: Tree) -> Self {
        let level = |level: Level| SavedLevel {
            open: level.open.row(),
            last: level.last.map(|last| last.row()),
        };
        Self { size: tree.size, levels: tree.levels.into_iter().map(level).collect() }
    }
}

impl TryFrom<Saved> for Tree {
    type Error = RestoreError<std::convert::Infallible>;

    fn try_from(saved: Saved) -> Result<Self, Self::Error> {
        let expected = level_count(saved.size)?;
        if saved.levels.len() != usize::from(expected) {
            let found = saved.levels.len();
            return Err(RestoreError::Levels { expected: usize::from(expected), found });
        }
        let mut levels = Vec::new();
        for (level, saved_level) in (0..expected).zip(saved.levels) {
            let width = open_width(saved.size, level);
            if u64::try_from(saved_level.open.len()) != Ok(width) {
                return Err(open_tile_width(level, width, saved_level.open.len()));
            }
            let last = match (full_tiles(saved.size, level).checked_sub(1), saved_level.last) {
                (None, None) => None,
                (Some(number), Some(row)) => Some(Arc::new(full(level, number, row)?.0)),
                (number, _) => {
                    let number = number.unwrap_or(0);
                    return Err(RestoreError::AlteredTile { level, number });
                }
            };
            levels.push(Level { open: Arc::new(Nodes::from_row(saved_level.open)), last });
        }
        let tree = Self { size: saved.size, levels };
        tree.check_links()?;
        Ok(tree)
    }
}

/// A full tile with its root; refuses rows of any other width than 256.
fn full<E>(level: u8, number: u64, row: Vec<Hash>) -> Result<(Nodes, Hash), RestoreError<E>> {
    let altered = RestoreError::AlteredTile { level, number };
    if u64::try_from(row.len()) != Ok(Nodes::FULL) {
        return Err(altered);
    }
    let nodes = Nodes::from_row(row);
    let root = nodes.root().ok_or(altered)?;
    Ok((nodes, root))
}

/// How many tile levels a tree has: 0 without entries, 1 up to 255 entries, 2 up to 65,535.
fn level_count<E>(size: u64) -> Result<u8, RestoreError<E>> {
    if size > MAX_TREE_SIZE {
        return Err(RestoreError::SizeOverLimit { size });
    }
    let digits = u64::BITS - size.leading_zeros();
    Ok(u8::try_from(digits.div_ceil(TILE_HEIGHT)).expect("64 bits have 8 tile levels"))
}

/// How many hashes the open tile of a level has: `floor(size / 256^level) mod 256`.
fn open_width(size: u64, level: u8) -> u64 {
    size.to_le_bytes().get(usize::from(level)).copied().map_or(0, u64::from)
}

const fn open_tile_width<E>(level: u8, expected: u64, found: usize) -> RestoreError<E> {
    RestoreError::OpenTileWidth { level, expected, found }
}
