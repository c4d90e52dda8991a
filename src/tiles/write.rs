//! Making a folder of tiles: under another name until all of it is durable.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::CHECKPOINT;
use super::error::TilesError;
use crate::audit::{EntryRow, EvidenceError};
use crate::tlog::{
    Checkpoint, Hash, SignedNote, TILE_HASHES, TileKind, TilePath, Tree, encode_entries,
    encode_hashes, leaf_hash, no_tiles, tile_counts,
};

/// Entries are clinical facts: for the owner's eyes only.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

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

/// A folder that is being made. Dropped before it is finished, it goes away.
struct Export<'a> {
    out: &'a Path,
    /// Where it is until it is whole: beside the place where it will be.
    unfinished: PathBuf,
    finished: bool,
    tree: Tree,
    /// Entries of the bundle that is not full yet.
    bundle: Vec<Bytes>,
    folders: BTreeSet<PathBuf>,
    bundles: u64,
    tiles: u64,
}

impl<'a> Export<'a> {
    fn begin(out: &'a Path) -> Result<Self, TilesError> {
        // A link that leads nowhere is something of that name too.
        if out.symlink_metadata().is_ok() {
            return Err(TilesError::Exists(out.to_owned()));
        }
        let name = out.file_name().unwrap_or_default().to_string_lossy();
        let unfinished = out.with_file_name(format!("{name}.{}.unfinished", std::process::id()));
        let made = DirBuilder::new().mode(FOLDER_MODE).create(&unfinished);
        made.map_err(TilesError::io(&unfinished))?;
        let folders = BTreeSet::from([unfinished.clone()]);
        let (tree, bundle) = (Tree::new(), Vec::new());
        Ok(Self { out, unfinished, finished: false, tree, bundle, folders, bundles: 0, tiles: 0 })
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
        self.file(Path::new(CHECKPOINT), note.to_string().as_bytes())?;
        for folder in &self.folders {
            sync(folder)?;
        }
        // A crash here leaves a whole folder under the other name, which whoever sees it may delete.
        fs::rename(&self.unfinished, self.out).map_err(TilesError::io(self.out))?;
        self.finished = true;
        let parent = self.out.parent().filter(|parent| !parent.as_os_str().is_empty());
        sync(parent.unwrap_or(Path::new(".")))?;
        Ok(Exported { checkpoint, bundles: self.bundles, tiles: self.tiles })
    }

    /// Writes the entries that are waiting as the bundle that they belong to.
    fn bundle(&mut self, width: u16) -> Result<(), TilesError> {
        let number = (self.tree.size() - 1) / u64::from(TILE_HASHES);
        let bytes = encode_entries(&self.bundle)?;
        self.bundle.clear();
        self.bundles += 1;
        self.file(&path(TileKind::Entries, number, width), &bytes)
    }

    fn tile(
        &mut self,
        level: u8,
        number: u64,
        hashes: &[Hash],
        width: u16,
    ) -> Result<(), TilesError> {
        self.tiles += 1;
        self.file(&path(TileKind::Hashes(level), number, width), &encode_hashes(hashes)?)
    }

    fn file(&mut self, name: &Path, bytes: &[u8]) -> Result<(), TilesError> {
        let path = self.unfinished.join(name);
        let folders = path.ancestors().skip(1).take_while(|at| at.starts_with(&self.unfinished));
        for folder in folders.collect::<Vec<_>>().into_iter().rev() {
            if !self.folders.contains(folder) {
                let made = DirBuilder::new().mode(FOLDER_MODE).create(folder);
                made.map_err(TilesError::io(folder))?;
                self.folders.insert(folder.to_owned());
            }
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(FILE_MODE);
        let written = options.open(&path).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        });
        written.map_err(TilesError::io(&path))
    }
}

impl Drop for Export<'_> {
    fn drop(&mut self) {
        if !self.finished {
            // Why it was not finished is what the caller is told; a rest that stays is named `.unfinished`.
            let _ = fs::remove_dir_all(&self.unfinished);
        }
    }
}

fn path(kind: TileKind, number: u64, width: u16) -> PathBuf {
    let path = TilePath::new(kind, number, width).expect("levels and widths are those of a tree");
    path.to_string().into()
}

fn sync(folder: &Path) -> Result<(), TilesError> {
    File::open(folder).and_then(|file| file.sync_all()).map_err(TilesError::io(folder))
}
