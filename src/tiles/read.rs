//! Reading a folder of tiles, and believing nothing in it.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::CHECKPOINT;
use super::error::TilesError;
use crate::audit::{EntryRow, EvidenceError};
use crate::tlog::{
    Hash, MAX_ENTRY_BYTES, MAX_NOTE_BYTES, TILE_HASHES, TileKind, TilePath, decode_hashes,
    tile_counts,
};

/// The longest bundle, in bytes: 256 entries, each behind its length.
const MAX_BUNDLE_BYTES: usize = 256 * (MAX_ENTRY_BYTES + 2);

/// The longest tile, in bytes.
const MAX_TILE_BYTES: usize = 256 * 32;

/// A folder of tiles. What it holds is read anew each time it is asked for.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
    checkpoint: Bytes,
}

impl Folder {
    /// Whether a folder looks like one of tiles: it has a checkpoint.
    #[must_use]
    pub fn is_at(path: &Path) -> bool {
        path.join(CHECKPOINT).is_file()
    }

    /// Opens a folder and reads its checkpoint, whatever that says.
    pub fn open(path: &Path) -> Result<Self, TilesError> {
        let file = path.join(CHECKPOINT);
        let found = read(&file, MAX_NOTE_BYTES)?;
        let checkpoint =
            found.ok_or_else(|| TilesError::io(&file)(io::ErrorKind::NotFound.into()))?;
        Ok(Self { root: path.to_owned(), checkpoint: checkpoint.into() })
    }

    /// The bytes of the checkpoint, which nobody has verified yet.
    #[must_use]
    pub fn checkpoint(&self) -> &Bytes {
        &self.checkpoint
    }

    /// The rows of the entries in a tree of `size` entries, bundle by bundle, as far as the files are there.
    ///
    /// Whatever the bundles hold is shown: an entry whose length leads past the end of its bundle is what is left of
    /// the bundle. The audit then says what is wrong with it.
    pub fn entries(&self, size: u64) -> impl Iterator<Item = Result<EntryRow, EvidenceError>> + '_ {
        self.entries_from(0, size)
    }

    /// The same from an index on.
    pub fn entries_from(
        &self,
        index: u64,
        size: u64,
    ) -> impl Iterator<Item = Result<EntryRow, EvidenceError>> + '_ {
        let mut rows = VecDeque::new();
        let bundle = index / u64::from(TILE_HASHES);
        let mut bundles = (bundle..).map_while(move |number| path(TileKind::Entries, number, size));
        std::iter::from_fn(move || {
            loop {
                if let Some(row) = rows.pop_front() {
                    return Some(Ok(row));
                }
                let path = bundles.next()?;
                match self.bundle(path) {
                    Ok(entries) => {
                        let first = path.number() * u64::from(TILE_HASHES);
                        let entries = (first..).zip(entries.unwrap_or_default());
                        let entries = entries.filter(|(at, _)| *at >= index);
                        rows.extend(entries.map(|(index, entry)| EntryRow { index, entry }));
                    }
                    Err(error) => return Some(Err(EvidenceError(error.to_string()))),
                }
            }
        })
    }

    /// One entry of a tree of `size` entries, if its bundle is there and holds so many.
    pub fn entry(&self, index: u64, size: u64) -> Result<Option<Bytes>, TilesError> {
        let number = index / u64::from(TILE_HASHES);
        let Some(path) = path(TileKind::Entries, number, size).filter(|_| index < size) else {
            return Ok(None);
        };
        let position = usize::try_from(index % u64::from(TILE_HASHES)).expect("below 256");
        Ok(self.bundle(path)?.and_then(|entries| entries.get(position).cloned()))
    }

    /// The 256 hashes of a full tile; fewer, or none, where the file is not that of a full tile.
    pub fn tile(&self, level: u8, number: u64) -> Result<Vec<Hash>, TilesError> {
        let path = TilePath::new(TileKind::Hashes(level), number, TILE_HASHES);
        let hashes = path.ok().map(|path| self.hashes(path)).transpose()?;
        Ok(hashes.flatten().unwrap_or_default())
    }

    /// The hashes in a tile's file; nothing where there is no file, or where it holds no hashes.
    pub(super) fn hashes(&self, path: TilePath) -> Result<Option<Vec<Hash>>, TilesError> {
        let found = read(&self.root.join(path.to_string()), MAX_TILE_BYTES)?;
        Ok(found.and_then(|bytes| decode_hashes(&bytes).ok()))
    }

    /// The entries in a bundle's file, as far as it can be divided; nothing where there is no file.
    pub(super) fn bundle(&self, path: TilePath) -> Result<Option<Vec<Bytes>>, TilesError> {
        let found = read(&self.root.join(path.to_string()), MAX_BUNDLE_BYTES)?;
        Ok(found.map(|bytes| divide(&bytes.into())))
    }
}

/// The paths of one kind in a tree of `size` entries, in order.
pub(super) fn paths(kind: TileKind, size: u64) -> impl Iterator<Item = TilePath> {
    (0..).map_while(move |number| path(kind, number, size))
}

/// The path of a tile in a tree of `size` entries, where that tree has it.
pub(super) fn path(kind: TileKind, number: u64, size: u64) -> Option<TilePath> {
    let level = match kind {
        TileKind::Hashes(level) => level,
        TileKind::Entries => 0,
    };
    let (full, partial) = tile_counts(size, level);
    let width = if number < full { TILE_HASHES } else { partial };
    TilePath::new(kind, number, width).ok().filter(|path| path.number() <= full)
}

/// Divides a bundle at its lengths. Where a length leads past the end, the rest is one piece.
fn divide(bundle: &Bytes) -> Vec<Bytes> {
    let mut entries = Vec::new();
    let mut rest = bundle.clone();
    while !rest.is_empty() {
        let length = rest.first_chunk().map(|length| usize::from(u16::from_be_bytes(*length)));
        match length.filter(|length| *length <= rest.len() - 2) {
            Some(length) => {
                let mut entry = rest.split_to(2 + length);
                entries.push(entry.split_off(2));
            }
            None => entries.push(std::mem::take(&mut rest)),
        }
    }
    entries
}

/// A file's bytes; nothing where there is no such file. One that is longer than anything of its kind is read no further
/// than shows it.
fn read(path: &Path, limit: usize) -> Result<Option<Vec<u8>>, TilesError> {
    let file = match File::open(path) {
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            return Ok(None);
        }
        opened => opened.map_err(TilesError::io(path))?,
    };
    let mut bytes = Vec::new();
    let limit = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_end(&mut bytes).map_err(TilesError::io(path))?;
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_is_divided_at_its_lengths_and_a_wrong_length_takes_the_rest() {
        let pieces = |bytes: &'static [u8]| divide(&Bytes::from_static(bytes));
        assert_eq!(pieces(&[0, 1, b'a', 0, 0, 0, 2, b'b', b'c']), [&b"a"[..], b"", b"bc"]);
        assert_eq!(pieces(&[0, 1, b'a', 0, 9, b'b']), [&b"a"[..], &[0, 9, b'b']]);
        assert_eq!(pieces(&[0, 1, b'a', 7]), [&b"a"[..], &[7]]);
        assert!(pieces(&[]).is_empty());
    }

    #[test]
    fn a_tree_has_the_paths_that_its_size_says_and_no_others() {
        let of = |kind, size| paths(kind, size).map(|path| path.to_string()).collect::<Vec<_>>();
        assert_eq!(of(TileKind::Entries, 257), ["tile/entries/000", "tile/entries/001.p/1"]);
        assert_eq!(of(TileKind::Entries, 256), ["tile/entries/000"]);
        assert_eq!(of(TileKind::Hashes(1), 257), ["tile/1/000.p/1"]);
        assert_eq!(of(TileKind::Hashes(2), 257), [""; 0]);
        assert_eq!(of(TileKind::Entries, 0), [""; 0]);
    }
}
