//! Making a folder of tiles: under another name until all of it is durable.

use std::path::Path;

use bytes::Bytes;

use super::CHECKPOINT;
use super::error::TilesError;
use crate::audit::{EntryRow, EvidenceError};
use crate::handover::NewFolder;
use crate::tlog::{
    Checkpoint, Hash, SignedNote, TILE_HASHES, TileKind, TilePath, Tree, encode_entries,
    encode_hashes, leaf_hash, no_tiles, tile_counts,
};

/// What a folder of tiles holds at its top.
const NAMES: [&str; 2] = [CHECKPOINT, "tile"];

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The checkpoint that stands in the folder.
    pub checkpoint: Checkpoint,
    /// Files of entries.
    pub bundles: u64,
    /// Files of hashes.
    pub tiles: u64,
}

/// Writes the entries, which must be those that the note's checkpoint commits to, into a new folder. It has its name
/// only once everything in it is durable, and nothing is left of one that could not be finished. `progress` is told how
/// many entries are done.
///
/// In memory is one bundle at a time. Whether the note is signed by the right key is the reader's question.
pub fn write(
    out: &Path,
    note: &SignedNote,
    entries: impl Iterator<Item = Result<EntryRow, EvidenceError>>,
    mut progress: impl FnMut(u64),
) -> Result<Exported, TilesError> {
    let bad = |what: String| TilesError::Evidence(what);
    let checkpoint: Checkpoint =
        note.text().parse().map_err(|error| bad(format!("the checkpoint: {error}")))?;
    let mut export = Export::begin(out)?;
    for row in entries {
        let row = row?;
        let expected = export.tree.size();
        if row.index != expected {
            return Err(bad(format!("entry {expected} is missing, found row {}", row.index)));
        }
        export.entry(row.entry)?;
        progress(export.tree.size());
    }
    let (size, root) = (export.tree.size(), export.tree.root());
    if (size, root) != (checkpoint.size(), checkpoint.root()) {
        let (signed, expected) = (checkpoint.size(), checkpoint.root());
        return Err(bad(format!(
            "the checkpoint is of {signed} entries with the root {expected}, found {size} with {root}"
        )));
    }
    export.finish(note, checkpoint)
}

/// A folder that is being made.
struct Export {
    folder: NewFolder,
    tree: Tree,
    /// Entries of the bundle that is not full yet.
    bundle: Vec<Bytes>,
    bundles: u64,
    tiles: u64,
}

impl Export {
    fn begin(out: &Path) -> Result<Self, TilesError> {
        let folder = NewFolder::begin(out, &NAMES)?;
        Ok(Self { folder, tree: Tree::new(), bundle: Vec::new(), bundles: 0, tiles: 0 })
    }

    fn entry(&mut self, entry: Bytes) -> Result<(), TilesError> {
        let completed = self.tree.append(leaf_hash(&entry));
        self.bundle.push(entry);
        if self.bundle.len() == usize::from(TILE_HASHES) {
            self.bundle(TILE_HASHES)?;
        }
        for tile in completed {
            self.tile(tile.level, tile.number, &tile.hashes, TILE_HASHES)?;
        }
        Ok(())
    }

    /// The partial ones, the checkpoint, and the name.
    fn finish(mut self, note: &SignedNote, checkpoint: Checkpoint) -> Result<Exported, TilesError> {
        let size = self.tree.size();
        let (_, partial) = tile_counts(size, 0);
        if partial > 0 {
            self.bundle(partial)?;
        }
        for level in 0..=TilePath::MAX_LEVEL {
            let (number, width) = tile_counts(size, level);
            if width > 0 {
                let open = self.tree.tile(level, number, width, no_tiles);
                let open = open.expect("the open tile of every level is in memory");
                self.tile(level, number, &open, width)?;
            }
        }
        // Last, so that a folder with a checkpoint in it has everything that the checkpoint is of.
        self.folder.write(CHECKPOINT, note.to_string())?;
        self.folder.finish()?;
        Ok(Exported { checkpoint, bundles: self.bundles, tiles: self.tiles })
    }

    /// Writes the entries that are waiting as the bundle that they belong to.
    fn bundle(&mut self, width: u16) -> Result<(), TilesError> {
        let number = (self.tree.size() - 1) / u64::from(TILE_HASHES);
        let bytes = encode_entries(&self.bundle)?;
        self.bundle.clear();
        self.bundles += 1;
        Ok(self.folder.write(&path(TileKind::Entries, number, width), bytes)?)
    }

    fn tile(
        &mut self,
        level: u8,
        number: u64,
        hashes: &[Hash],
        width: u16,
    ) -> Result<(), TilesError> {
        self.tiles += 1;
        let bytes = encode_hashes(hashes)?;
        Ok(self.folder.write(&path(TileKind::Hashes(level), number, width), bytes)?)
    }
}

fn path(kind: TileKind, number: u64, width: u16) -> String {
    let path = TilePath::new(kind, number, width).expect("levels and widths are those of a tree");
    path.to_string()
}
