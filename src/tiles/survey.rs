//! Whether tiles and entries are the same story, and if not, which of the two is another.

use super::error::TilesError;
use super::read::{Folder, path, paths};
use crate::tlog::{
    Checkpoint, Hash, TILE_HASHES, TileKind, TilePath, Tree, leaf_hash, no_tiles, tile_counts,
};

/// What a look over a folder shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Survey {
    /// The entries lead to the signed root, and every tile is the entries'.
    Whole,
    /// The tiles lead to the signed root, and this entry is not the one that they commit to.
    Entry {
        /// The first such entry.
        index: u64,
        /// Whether there is no such entry at all.
        missing: bool,
    },
    /// The entries lead to the signed root, and this tile is not theirs.
    Tile {
        /// The first such tile.
        path: TilePath,
        /// The first entry below it that it does not commit to.
        index: u64,
        /// Whether there is no such tile at all.
        missing: bool,
    },
    /// Neither the entries nor the tiles lead to the signed root, or there are more entries than it covers. The audit
    /// of the entries says what is wrong.
    Neither,
}

impl Folder {
    /// Compares entries, tiles and a checkpoint that was verified. In memory are one bundle and one tile a level.
    pub fn survey(&self, checkpoint: &Checkpoint) -> Result<Survey, TilesError> {
        let size = checkpoint.size();
        let mut eyes = Eyes { folder: self, size, tree: Tree::new(), tile: None };
        // The tree that the tiles of leaf hashes would make, for as long as they are there.
        let mut leaves = Some(Tree::new());
        let mut first = None;
        for bundle in paths(TileKind::Entries, size) {
            let start = bundle.number() * u64::from(TILE_HASHES);
            let entries = self.bundle(bundle)?.unwrap_or_default();
            let row = path(TileKind::Hashes(0), bundle.number(), size);
            let row = row.map(|path| self.hashes(path)).transpose()?.flatten();
            let row = row.filter(|row| row.len() == usize::from(bundle.width()));
            leaves = leaves.zip(row.as_deref()).map(|(tree, row)| with(tree, row));
            let found: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
            if first.is_none() {
                let differs = row.as_deref().and_then(|row| difference(row, &found));
                first = differs.map(|(at, missing)| (start + at, missing));
            }
            for leaf in found {
                eyes.append(leaf)?;
            }
        }
        let is_signed = |tree: &Tree| (tree.size(), tree.root()) == (size, checkpoint.root());
        if is_signed(&eyes.tree) {
            eyes.rest()?;
            let missing = |path| Ok::<_, TilesError>(self.hashes(path)?.is_none());
            return Ok(match eyes.tile {
                None => Survey::Whole,
                Some((path, index)) => Survey::Tile { path, index, missing: missing(path)? },
            });
        }
        Ok(match (leaves.is_some_and(|tree| is_signed(&tree)), first) {
            (true, Some((index, missing))) => Survey::Entry { index, missing },
            _ => Survey::Neither,
        })
    }
}

fn with(mut tree: Tree, row: &[Hash]) -> Tree {
    for leaf in row {
        let _ = tree.append(*leaf);
    }
    tree
}

/// The first place where two rows differ, and whether it is because the second has ended.
fn difference(expected: &[Hash], found: &[Hash]) -> Option<(u64, bool)> {
    let places = expected.iter().zip(found.iter().map(Some).chain(std::iter::repeat(None)));
    let mut places = (0_u64..).zip(places);
    places
        .find(|(_, (expected, found))| Some(*expected) != *found)
        .map(|(at, (_, found))| (at, found.is_none()))
}

/// The tree of the entries as it grows, beside the tiles in the files.
struct Eyes<'a> {
    folder: &'a Folder,
    size: u64,
    tree: Tree,
    /// The first tile that differs, and the first entry below it that it does not commit to.
    tile: Option<(TilePath, u64)>,
}

impl Eyes<'_> {
    fn append(&mut self, leaf: Hash) -> Result<(), TilesError> {
        for tile in self.tree.append(leaf) {
            self.compare(tile.level, tile.number, &tile.hashes)?;
        }
        Ok(())
    }

    /// The tiles that are not full.
    fn rest(&mut self) -> Result<(), TilesError> {
        for level in 0..=TilePath::MAX_LEVEL {
            let (number, width) = tile_counts(self.size, level);
            if width > 0 {
                let open = self.tree.tile(level, number, width, no_tiles);
                self.compare(level, number, &open.expect("the open tiles are in memory"))?;
            }
        }
        Ok(())
    }

    fn compare(&mut self, level: u8, number: u64, expected: &[Hash]) -> Result<(), TilesError> {
        let Some(path) = path(TileKind::Hashes(level), number, self.size) else { return Ok(()) };
        if self.tile.is_some() {
            return Ok(());
        }
        let found = self.folder.hashes(path)?.unwrap_or_default();
        let at = match difference(expected, &found) {
            Some((at, _)) => at,
            // The hashes that belong there, and more.
            None if found.len() > expected.len() => 0,
            None => return Ok(()),
        };
        let below = 1_u64.checked_shl(8 * u32::from(level)).unwrap_or(0);
        let index = path.first_entry().unwrap_or(0).saturating_add(at.saturating_mul(below));
        self.tile = Some((path, index));
        Ok(())
    }
}
