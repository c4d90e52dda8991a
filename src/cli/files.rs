//! A ledger that is at hand as files: its database, or a folder of tiles that was exported from it. Nothing in either is
//! believed before it leads to a root that the ledger's key signed.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;

use super::error::CliError;
use crate::audit::{EntryRow, EvidenceError};
use crate::store::{Evidence, LedgerFolder};
use crate::tiles::{Folder, TilesError};
use crate::tlog::{
    Checkpoint, Hash, ProofError, SignedNote, TILE_HASHES, Tree, VerifierKey, leaf_hash,
};

/// Full tiles, by level and number.
type FullTiles = BTreeMap<(u8, u64), Vec<Hash>>;

/// A ledger's files.
pub(super) enum Files {
    /// A database: a server's, or a copy.
    Database(Evidence),
    /// Exported tiles.
    Tiles(Folder),
}

impl Files {
    /// Opens a database, the folder that one is in, or a folder of tiles.
    pub(super) fn open(path: &Path) -> Result<Self, CliError> {
        let unreadable = |error: &dyn ToString| {
            CliError::Data(format!("{} cannot be read: {}", path.display(), error.to_string()))
        };
        let database = LedgerFolder::new(path).database();
        if path.is_dir() && !database.exists() && Folder::is_at(path) {
            return Folder::open(path).map(Self::Tiles).map_err(|error| unreadable(&error));
        }
        let file = if path.is_dir() { &database } else { path };
        Evidence::open(file).map(Self::Database).map_err(|error| unreadable(&error))
    }

    /// The newest checkpoint's note, verified by nobody yet.
    pub(super) fn newest_note(&self) -> Result<SignedNote, CliError> {
        let bytes = match self {
            Self::Tiles(folder) => folder.checkpoint().clone(),
            Self::Database(evidence) => match evidence.reader().newest_checkpoint()? {
                Some((_, note)) => note.into(),
                None => return Err(CliError::No("the ledger has no checkpoint".to_owned())),
            },
        };
        SignedNote::parse(&bytes).map_err(|error| bad(&error))
    }

    /// The ledger's tree, once it leads to the root that the key signed: from the stored tiles, or from all entries where
    /// those tiles are of no use.
    pub(super) fn tree(&self, key: &VerifierKey) -> Result<Grown<'_>, CliError> {
        let note = self.newest_note()?;
        let checkpoint = Checkpoint::verify(&note, key).map_err(|error| bad(&error))?;
        let size = checkpoint.size();
        let mut leaves = Vec::new();
        for index in size - size % u64::from(TILE_HASHES)..size {
            let entry = self.entry(index, size)?;
            let entry = entry.ok_or_else(|| bad(&format!("entry {index} is missing")))?;
            leaves.push(leaf_hash(&entry));
        }
        let stored = Tree::rebuild(size, &leaves, |level, number| self.tile(level, number));
        let stored = stored.ok().filter(|tree| tree.root() == checkpoint.root());
        let (tree, grown) = match stored {
            Some(tree) => (tree, None),
            None => self.grow(size).map(|(tree, tiles)| (tree, Some(tiles)))?,
        };
        if tree.root() != checkpoint.root() {
            return Err(bad(&"its entries do not lead to the root that was signed"));
        }
        Ok(Grown { files: self, tree, tiles: grown, checkpoint, note })
    }

    /// The tree from the entries alone, with its full tiles: 32 bytes of memory an entry.
    fn grow(&self, size: u64) -> Result<(Tree, FullTiles), CliError> {
        let (mut tree, mut tiles) = (Tree::new(), FullTiles::new());
        for row in self.entries(size) {
            let row = row.map_err(|error| CliError::Data(error.to_string()))?;
            for tile in tree.append(leaf_hash(&row.entry)) {
                tiles.insert((tile.level, tile.number), tile.hashes);
            }
        }
        Ok((tree, tiles))
    }

    /// The entries in the order in which they lie there; of tiles, those of a ledger of this size.
    pub(super) fn entries(
        &self,
        size: u64,
    ) -> Box<dyn Iterator<Item = Result<EntryRow, EvidenceError>> + '_> {
        match self {
            Self::Tiles(folder) => Box::new(folder.entries(size)),
            Self::Database(evidence) => Box::new(evidence.entries()),
        }
    }

    fn entry(&self, index: u64, size: u64) -> Result<Option<Bytes>, CliError> {
        match self {
            Self::Tiles(folder) => Ok(folder.entry(index, size).map_err(read_error)?),
            Self::Database(evidence) => Ok(evidence.reader().entry(index)?),
        }
    }

    fn tile(&self, level: u8, number: u64) -> Result<Vec<Hash>, CliError> {
        match self {
            Self::Tiles(folder) => folder.tile(level, number).map_err(read_error),
            Self::Database(evidence) => Ok(evidence.reader().tile(level, number)?),
        }
    }
}

/// A ledger's tree, as its key signed it, with the files behind it. Whatever it reads from them is checked against the
/// signed root.
pub(super) struct Grown<'a> {
    files: &'a Files,
    tree: Tree,
    /// Its full tiles, where the stored ones are of no use.
    tiles: Option<FullTiles>,
    /// The newest checkpoint.
    pub(super) checkpoint: Checkpoint,
    /// The same as it was signed.
    pub(super) note: SignedNote,
}

impl Grown<'_> {
    /// An entry's bytes; whether they are the signed ones is what a proof tells.
    pub(super) fn entry(&self, index: u64) -> Result<Option<Bytes>, CliError> {
        self.files.entry(index, self.checkpoint.size())
    }

    /// The root at a smaller size.
    pub(super) fn root_at(&self, size: u64) -> Result<Hash, CliError> {
        let root = self.tree.root_at(size, |level, number| self.tile(level, number));
        root.map_err(|error| not_proven(&error))
    }

    /// The path from an entry to the root at a size.
    pub(super) fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, CliError> {
        let source = |level, number| self.tile(level, number);
        self.tree.inclusion_proof(index, size, source).map_err(|error| not_proven(&error))
    }

    /// The proof that the ledger of one size begins with the ledger of another.
    pub(super) fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, CliError> {
        let source = |level, number| self.tile(level, number);
        self.tree.consistency_proof(old, new, source).map_err(|error| not_proven(&error))
    }

    fn tile(&self, level: u8, number: u64) -> Result<Vec<Hash>, CliError> {
        match &self.tiles {
            Some(tiles) => Ok(tiles.get(&(level, number)).cloned().unwrap_or_default()),
            None => self.files.tile(level, number),
        }
    }

    /// The note that was signed at a size, where the files have it.
    pub(super) fn note_at(&self, size: u64) -> Result<Option<SignedNote>, CliError> {
        if size == self.checkpoint.size() {
            return Ok(Some(self.note.clone()));
        }
        let Files::Database(evidence) = self.files else { return Ok(None) };
        let note = evidence.reader().checkpoint_at(size)?;
        let note = note.map(|note| SignedNote::parse(note.as_bytes())).transpose();
        note.map_err(|error| bad(&error))
    }
}

fn bad(what: &dyn ToString) -> CliError {
    CliError::No(format!("the ledger is bad: {}; run `vialedger verify`", what.to_string()))
}

fn not_proven(error: &ProofError<CliError>) -> CliError {
    match error {
        ProofError::Tile { .. } | ProofError::AlteredTile { .. } => {
            CliError::Data(error.to_string())
        }
        asked => CliError::Usage(asked.to_string()),
    }
}

/// A folder of tiles that could not be read.
pub(super) fn read_error(error: TilesError) -> CliError {
    match error {
        TilesError::Io { path, source } => CliError::Read { path, source },
        error => CliError::Data(error.to_string()),
    }
}
