//! One tile with all its inner nodes.

use super::TILE_HEIGHT;
use crate::tlog::hash::{Hash, node_hash};

/// The hashes of a tile and every finished node above them, in the order in which they were
/// finished (post-order): each hash is followed by the parents that it completes.
///
/// So a growing tile only ever pushes, a copy is as long as the tile is full, and a node's position
/// follows from its height and index. A full tile has 256 + 128 + … + 1 = 511 nodes, its root last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Nodes {
    /// Width of the bottom row: 0 to 256 hashes.
    width: u64,
    nodes: Vec<Hash>,
}

impl Nodes {
    /// How many hashes a full tile has at the bottom.
    pub(super) const FULL: u64 = 1 << TILE_HEIGHT;

    /// A tile from the hashes of its bottom row, of which there are at most 256.
    pub(super) fn from_row(row: impl IntoIterator<Item = Hash>) -> Self {
        let mut nodes = Self::default();
        for hash in row {
            nodes.push(hash);
        }
        nodes
    }

    /// Adds a hash to the bottom row and finishes the parents that it completes.
    pub(super) fn push(&mut self, hash: Hash) {
        assert!(self.width < Self::FULL, "a full tile is moved aside before the next hash");
        self.nodes.push(hash);
        let (mut height, mut index, mut finished) = (0, self.width, hash);
        // A node with an odd index is a right child: with it, its parent is finished.
        while index % 2 == 1 {
            let left = self.get(height, index - 1).expect("a left sibling is finished first");
            finished = node_hash(&left, &finished);
            self.nodes.push(finished);
            (height, index) = (height + 1, index / 2);
        }
        self.width += 1;
    }

    /// The node at a height (0 is the bottom row) and an index in the row of that height; `None` if
    /// it is not finished yet.
    pub(super) fn get(&self, height: u32, index: u64) -> Option<Hash> {
        // Before leaf j stand j leaves and one parent for every pair, pair of pairs, and so on:
        // 2j - (binary ones of j) nodes in all. After it stand its parents, the lowest first.
        let leaf = index.checked_add(1)?.checked_shl(height)?.checked_sub(1)?;
        let ones = u64::from(leaf.count_ones());
        let position = leaf.checked_mul(2)?.checked_sub(ones)?.checked_add(u64::from(height))?;
        self.nodes.get(usize::try_from(position).ok()?).copied()
    }

    /// The root of a full tile; `None` while the tile is open.
    pub(super) fn root(&self) -> Option<Hash> {
        self.get(TILE_HEIGHT, 0)
    }

    /// The bottom row: what is stored and served.
    pub(super) fn row(&self) -> Vec<Hash> {
        (0..self.width).filter_map(|index| self.get(0, index)).collect()
    }

    /// The roots of the perfect subtrees that an open tile consists of, from the right and smallest
    /// to the left and largest: one for every binary one of its width.
    pub(super) fn peaks(&self) -> impl Iterator<Item = Hash> + '_ {
        (0..TILE_HEIGHT).filter(|height| self.width >> height & 1 == 1).map(|height| {
            let index = (self.width >> height) - 1;
            self.get(height, index).expect("the subtrees of the width's digits are finished")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::leaf_hash;

    fn leaf(i: u64) -> Hash {
        leaf_hash(&i.to_be_bytes())
    }

    #[test]
    fn every_finished_node_is_found_and_no_other() {
        let mut nodes = Nodes::default();
        let mut rows: Vec<Vec<Hash>> = vec![Vec::new(); 9];
        for i in 0..Nodes::FULL {
            nodes.push(leaf(i));
            rows[0].push(leaf(i));
            for height in 1..rows.len() {
                let (below, above) = rows.split_at_mut(height);
                let done = above[0].len();
                if let Some([left, right]) = below[height - 1].get(2 * done..2 * done + 2) {
                    above[0].push(node_hash(left, right));
                }
            }
            for (height, row) in (0..).zip(&rows) {
                for index in 0..=Nodes::FULL >> height {
                    let expected = row.get(usize::try_from(index).unwrap()).copied();
                    assert_eq!(nodes.get(height, index), expected, "{i} {height} {index}");
                }
            }
            assert_eq!(nodes.row(), rows[0]);
        }
        assert_eq!(nodes.nodes.len(), 511);
        assert_eq!(nodes.root(), nodes.nodes.last().copied());
        assert_eq!(nodes.get(9, 0), None);
        assert_eq!(nodes.get(u32::MAX, u64::MAX), None);
    }
}
