//! Making proofs, for the tree as it is and as it was at any smaller size.

use super::nodes::Nodes;
use super::{TILE_HEIGHT, Tree};
use crate::tlog::hash::{Hash, empty_root, node_hash};

/// Why a proof could not be made. `E` is what the caller's tile source says when it fails.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError<E> {
    /// A size that the tree has not reached.
    #[error("the tree has {size} entries, asked about a tree of {asked}")]
    SizeOutOfRange {
        /// The size asked about, in entries.
        asked: u64,
        /// The tree's size, in entries.
        size: u64,
    },
    /// An entry outside the tree.
    #[error("index {index} is not in a tree of {size} entries (indexes start at 0)")]
    IndexOutOfRange {
        /// The index asked about.
        index: u64,
        /// The size of the tree asked about, in entries.
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
    /// A tile, or a part of one, that a tree of this size has not got.
    #[error(
        "tile {number} of level {level} has not {width} hashes (of 1 to 256) in a tree of {size} \
         entries"
    )]
    TileOutOfRange {
        /// The tile level asked about.
        level: u8,
        /// The tile's number within its level.
        number: u64,
        /// The width asked about, in hashes.
        width: u16,
        /// The tree's size, in entries.
        size: u64,
    },
    /// A stored tile could not be read.
    #[error("tile {number} of level {level} could not be read: {source}")]
    Tile {
        /// The tile level.
        level: u8,
        /// The tile's number within its level.
        number: u64,
        /// What the tile source said.
        source: E,
    },
    /// A stored tile is not the one that the tree grew from: the storage is damaged or was altered.
    #[error(
        "tile {number} of level {level} as stored is not the tile in the tree: rebuild the tiles \
         from the entries, and audit the entries"
    )]
    AlteredTile {
        /// The tile level.
        level: u8,
        /// The tile's number within its level.
        number: u64,
    },
}

/// A tile that was needed, where there are no stored tiles to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("tile {number} of level {level} is not in memory and no tile store was given")]
pub struct MissingTile {
    /// The tile level.
    pub level: u8,
    /// The tile's number within its level.
    pub number: u64,
}

/// A tile source without tiles, for proofs about recent entries, which need none.
pub fn no_tiles(level: u8, number: u64) -> Result<Vec<Hash>, MissingTile> {
    Err(MissingTile { level, number })
}

impl Tree {
    /// The root that the tree had at `size` entries.
    ///
    /// `source` returns the 256 hashes of a full tile by level and number, here as everywhere
    /// below. What it returns is checked against the tree in memory, so a proof is never made from
    /// a tile that was altered in storage. It is asked only for tiles older than the last full one
    /// of each level, and at most once for each within a call.
    pub fn root_at<E>(
        &self,
        size: u64,
        source: impl FnMut(u8, u64) -> Result<Vec<Hash>, E>,
    ) -> Result<Hash, ProofError<E>> {
        self.check_size(size)?;
        Reader::new(self, source).range(0, size)
    }

    /// The path that proves the entry at `index` (from 0) in the tree of `size` entries: the leaf's
    /// sibling first, the root's child last (RFC 9162 section 2.1.3.1).
    pub fn inclusion_proof<E>(
        &self,
        index: u64,
        size: u64,
        source: impl FnMut(u8, u64) -> Result<Vec<Hash>, E>,
    ) -> Result<Vec<Hash>, ProofError<E>> {
        self.check_size(size)?;
        if index >= size {
            return Err(ProofError::IndexOutOfRange { index, size });
        }
        let mut reader = Reader::new(self, source);
        let (mut start, mut end) = (0, size);
        let mut path = Vec::new();
        while end - start > 1 {
            let middle = start + split(end - start);
            if index < middle {
                path.push(reader.range(middle, end)?);
                end = middle;
            } else {
                path.push(reader.range(start, middle)?);
                start = middle;
            }
        }
        path.reverse();
        Ok(path)
    }

    /// The proof that the tree of `new` entries begins with the tree of `old` entries (RFC 9162
    /// section 2.1.4.1). Empty if the sizes are equal or the old tree has no entries.
    pub fn consistency_proof<E>(
        &self,
        old: u64,
        new: u64,
        source: impl FnMut(u8, u64) -> Result<Vec<Hash>, E>,
    ) -> Result<Vec<Hash>, ProofError<E>> {
        self.check_size(new)?;
        if old > new {
            return Err(ProofError::SizesReversed { old, new });
        }
        if old == 0 {
            return Ok(Vec::new());
        }
        let mut reader = Reader::new(self, source);
        let (mut start, mut end) = (0, new);
        let mut proof = Vec::new();
        while end != old {
            let middle = start + split(end - start);
            if old <= middle {
                proof.push(reader.range(middle, end)?);
                end = middle;
            } else {
                proof.push(reader.range(start, middle)?);
                start = middle;
            }
        }
        // If nothing was cut off at the left, what is left is the old tree itself, whose root the
        // verifier has.
        if start != 0 {
            proof.push(reader.range(start, end)?);
        }
        proof.reverse();
        Ok(proof)
    }

    /// The first `width` hashes (1 to 256) of a tile, to be served or exported: a partial tile of
    /// any size that the tree ever had, or a full one.
    pub fn tile<E>(
        &self,
        level: u8,
        number: u64,
        width: u16,
        source: impl FnMut(u8, u64) -> Result<Vec<Hash>, E>,
    ) -> Result<Vec<Hash>, ProofError<E>> {
        let height = TILE_HEIGHT * u32::from(level);
        let known = self.size.checked_shr(height).unwrap_or(0);
        let first = number.checked_mul(Nodes::FULL);
        let end = first.and_then(|first| first.checked_add(u64::from(width)));
        let width_fits = (1..=Nodes::FULL).contains(&u64::from(width));
        let (Some(first), Some(end)) = (first, end.filter(|end| width_fits && *end <= known))
        else {
            return Err(ProofError::TileOutOfRange { level, number, width, size: self.size });
        };
        let mut reader = Reader::new(self, source);
        (first..end).map(|index| reader.node(height, index)).collect()
    }

    fn check_size<E>(&self, asked: u64) -> Result<(), ProofError<E>> {
        if asked > self.size {
            return Err(ProofError::SizeOutOfRange { asked, size: self.size });
        }
        Ok(())
    }
}

/// The largest power of two below `len`, which is at least 2: where RFC 9162 splits a tree.
const fn split(len: u64) -> u64 {
    1 << (len - 1).ilog2()
}

/// Looks nodes up in the tiles in memory and, behind them, in stored ones.
struct Reader<'a, F> {
    tree: &'a Tree,
    source: F,
    /// Stored tiles that this call has read, checked and hashed up: one for a tile level, as a
    /// rule.
    read: Vec<((u8, u64), Nodes)>,
}

impl<'a, E, F: FnMut(u8, u64) -> Result<Vec<Hash>, E>> Reader<'a, F> {
    const fn new(tree: &'a Tree, source: F) -> Self {
        Self { tree, source, read: Vec::new() }
    }

    /// The root over the entries from `start` up to, not including, `end`, where `start` is a
    /// multiple of every power of two up to the range's length.
    fn range(&mut self, start: u64, end: u64) -> Result<Hash, ProofError<E>> {
        let mut root: Option<Hash> = None;
        let mut end = end;
        // Perfect subtrees from the right and smallest to the left and largest.
        while end > start {
            let height = (end - start).trailing_zeros();
            let index = (end >> height) - 1;
            let peak = self.node(height, index)?;
            root = Some(root.map_or(peak, |right| node_hash(&peak, &right)));
            end = index << height;
        }
        Ok(root.unwrap_or_else(empty_root))
    }

    /// The node over the entries `index * 2^height` up to `(index + 1) * 2^height`, all of which
    /// are in the tree.
    fn node(&mut self, height: u32, index: u64) -> Result<Hash, ProofError<E>> {
        let level = u8::try_from(height / TILE_HEIGHT).expect("64 bits have 8 tile levels");
        let height = height % TILE_HEIGHT;
        let number = index >> (TILE_HEIGHT - height);
        let index = index - (number << (TILE_HEIGHT - height));
        let finished = "a node over entries of the tree is finished";
        if let Some(nodes) = self.tree.kept(level, number) {
            return Ok(nodes.get(height, index).expect(finished));
        }
        if let Some((_, nodes)) = self.read.iter().find(|(place, _)| *place == (level, number)) {
            return Ok(nodes.get(height, index).expect(finished));
        }
        let nodes = self.stored(level, number)?;
        let node = nodes.get(height, index).expect(finished);
        self.read.push(((level, number), nodes));
        Ok(node)
    }

    /// Reads a stored tile and checks its root against its place in the level above. That may lie
    /// in a stored tile too, which is then checked in the same way, up to a tile in memory.
    fn stored(&mut self, level: u8, number: u64) -> Result<Nodes, ProofError<E>> {
        let row = (self.source)(level, number).map_err(|source| ProofError::Tile {
            level,
            number,
            source,
        })?;
        if u64::try_from(row.len()) != Ok(Nodes::FULL) {
            return Err(ProofError::AlteredTile { level, number });
        }
        let nodes = Nodes::from_row(row);
        let expected = self.node(TILE_HEIGHT * (u32::from(level) + 1), number)?;
        if nodes.root() != Some(expected) {
            return Err(ProofError::AlteredTile { level, number });
        }
        Ok(nodes)
    }
}
