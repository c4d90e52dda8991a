//! From the file to the state: the newest snapshot that fits the chain, and the entries after it.
//!
//! The start of a server and the recovery after a failed commit both come through here.

use std::ops::ControlFlow;

use bytes::Bytes;

use super::append::Head;
use super::error::StoreError;
use super::read::Reader;
use super::snapshot::{self, SnapshotParts};
use crate::audit;
use crate::decide::RULES_VERSION;
use crate::ledger::ParsedEntry;
use crate::state::{LEDGER_KEY, State, Step};
use crate::tlog::{
    Checkpoint, FullTile, Hash, NoteSigner, SignedNote, TILE_HASHES, Tree, VerifierKey, leaf_hash,
};

/// Version of the state's serialised form. Raised with every change to what [`State`] is made of.
const STATE_FORMAT: u32 = 4;

/// What the ledger's file amounts to.
#[derive(Debug)]
pub struct Loaded {
    /// Everything folded from the entries.
    pub state: State,
    /// The tree over them.
    pub tree: Tree,
    /// The newest checkpoint, whose signature and root were checked.
    pub checkpoint: SignedNote,
    /// Size of the snapshot that was used, if one was.
    pub snapshot: Option<u64>,
    /// Why other snapshots were not used, one line for each.
    pub unusable: Vec<String>,
}

impl Loaded {
    /// Where the ledger ends.
    #[must_use]
    pub fn head(&self) -> Head {
        Head { size: self.state.size(), leaf: self.state.last_leaf() }
    }

    /// How many entries were replayed.
    #[must_use]
    pub fn replayed(&self) -> u64 {
        self.state.size() - self.snapshot.unwrap_or(0)
    }
}

impl SnapshotParts {
    /// A snapshot of this state, serialised and signed. Takes as long as the state is large; blocks nobody.
    #[must_use]
    pub fn of(state: &State, signer: &NoteSigner) -> Self {
        let bytes = postcard::to_allocvec(state).expect("every state can be serialised");
        Self::new(state.size(), state.last_leaf(), state_format(), bytes, signer)
    }
}

/// What marks a serialised state as this program's: another one's might read, and mean something else.
#[must_use]
pub fn state_format() -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!("vialedger {version}, rules {RULES_VERSION}, state {STATE_FORMAT}")
}

/// Loads a ledger and checks that it is the one that `key` signed last.
///
/// A snapshot that is missing, damaged, foreign or does not fit costs time and nothing else: all entries are replayed.
/// Evidence that does not fit is an error, and nothing may be written on top of it.
pub fn load(reader: &Reader, key: &VerifierKey) -> Result<Loaded, StoreError> {
    let signed = Signed::read(reader, key)?;
    let mut unusable = Vec::new();
    for size in snapshot::sizes(reader.connection())? {
        match resume(reader, size, &signed, key)? {
            Ok(replay) => return Ok(signed.loaded(replay, Some(size), unusable)),
            Err(why) => unusable.push(format!("snapshot of {size} entries: {why}")),
        }
    }
    let mut replay = Replay::default();
    replay.run(reader, signed.size, |_, _| Ok(()))?;
    signed.require_root(&replay.tree).map_err(StoreError::evidence)?;
    require_key(&replay.state, key).map_err(StoreError::evidence)?;
    Ok(signed.loaded(replay, None, unusable))
}

/// The ledger's own key as the file says it is now: that of the newest rotation, or of entry 0. It is found through a
/// derived table and believed by nobody: [`load()`] asks the entries themselves.
pub fn named_key(reader: &Reader) -> Result<VerifierKey, StoreError> {
    let mut newest = 0;
    let size = reader.size()?;
    reader.visit_subject(LEDGER_KEY, 0..size, |index, _| {
        newest = index;
        Ok::<_, StoreError>(ControlFlow::Continue(()))
    })?;
    let bad = |finding: String| StoreError::bad_entry(newest, &finding);
    let entry = reader.entry(newest)?.ok_or_else(|| bad("missing".to_owned()))?;
    let entry = ParsedEntry::parse(entry).map_err(|error| bad(error.to_string()))?;
    let key = audit::ledger_key(&entry.request);
    key.ok_or_else(|| bad("it does not name the ledger's key".to_owned()))
}

/// Whether the newest checkpoint is signed by a key and is of all entries.
#[must_use]
pub fn is_signed_by(reader: &Reader, key: &VerifierKey) -> bool {
    Signed::read(reader, key).is_ok()
}

/// A key that another took the place of signs the checkpoint of the size right after; what follows is not its.
fn require_key(state: &State, key: &VerifierKey) -> Result<(), String> {
    let now = state.site().map_or("", |site| &site.verifier_key);
    if now == key.to_string() {
        return Ok(());
    }
    Err(format!("the ledger's key is {now}, and not {key}"))
}

/// The state that an entry was decided by, folded anew from the first entry on. It takes as long as the ledger was then:
/// for what is asked rarely.
pub fn state_before(reader: &Reader, index: u64) -> Result<State, StoreError> {
    let mut replay = Replay::default();
    replay.run(reader, index, |_, _| Ok(()))?;
    Ok(replay.state)
}

/// The newest checkpoint, which stands for everything in the file.
pub(super) struct Signed {
    pub(super) size: u64,
    root: Hash,
    note: SignedNote,
}

impl Signed {
    /// Reads the newest checkpoint; it must be the key's and be of all the entries that there are.
    pub(super) fn read(reader: &Reader, key: &VerifierKey) -> Result<Self, StoreError> {
        let signed = Self::read_unverified(reader)?;
        signed.verify(key)?;
        Ok(signed)
    }

    /// The same where the key is not known yet, because it stands in entry 0.
    pub(super) fn read_unverified(reader: &Reader) -> Result<Self, StoreError> {
        let entries = reader.size()?;
        let Some((size, text)) = reader.newest_checkpoint()? else {
            return Err(StoreError::evidence("there is no checkpoint"));
        };
        // Both are written in one transaction, so no crash of ours parts them.
        if size != entries {
            let finding = format!("the newest checkpoint is of {size} entries, found {entries}");
            return Err(StoreError::evidence(finding));
        }
        let note = SignedNote::parse(text.as_bytes()).map_err(bad_checkpoint)?;
        let checkpoint: Checkpoint = note.text().parse().map_err(bad_checkpoint)?;
        if checkpoint.size() != size {
            let finding = format!("the checkpoint of size {size} says {}", checkpoint.size());
            return Err(StoreError::evidence(finding));
        }
        Ok(Self { size, root: checkpoint.root(), note })
    }

    pub(super) fn verify(&self, key: &VerifierKey) -> Result<(), StoreError> {
        Checkpoint::verify(&self.note, key).map_err(bad_checkpoint)?;
        Ok(())
    }

    pub(super) fn require_root(&self, tree: &Tree) -> Result<(), String> {
        let found = tree.root();
        if found == self.root && tree.size() == self.size {
            return Ok(());
        }
        let (size, root) = (self.size, self.root);
        Err(format!("the entries have the root {found}, the checkpoint of size {size} has {root}"))
    }

    pub(super) fn into_note(self) -> SignedNote {
        self.note
    }

    fn loaded(self, replay: Replay, snapshot: Option<u64>, unusable: Vec<String>) -> Loaded {
        let Replay { state, tree } = replay;
        Loaded { state, tree, checkpoint: self.note, snapshot, unusable }
    }
}

fn bad_checkpoint(error: impl std::fmt::Display) -> StoreError {
    StoreError::evidence(format!("the newest checkpoint: {error}"))
}

/// Goes on from a snapshot. The inner error says why it is of no use.
fn resume(
    reader: &Reader,
    size: u64,
    signed: &Signed,
    key: &VerifierKey,
) -> Result<Result<Replay, String>, StoreError> {
    if size == 0 || size > signed.size {
        return Ok(Err(format!("the ledger has {} entries", signed.size)));
    }
    let snapshot = match snapshot::read(reader.connection(), size, &state_format(), key)? {
        Ok(snapshot) => snapshot,
        Err(why) => return Ok(Err(why)),
    };
    let last = reader.entry(size - 1)?;
    if last.is_none_or(|entry| leaf_hash(&entry) != snapshot.leaf) {
        return Ok(Err("its last entry is not the one in the chain".to_owned()));
    }
    let state: State = match postcard::from_bytes(&snapshot.bytes) {
        Ok(state) => state,
        Err(error) => return Ok(Err(format!("it cannot be read: {error}"))),
    };
    if state.size() != size || state.last_leaf() != snapshot.leaf {
        return Ok(Err("its state is not the one after its last entry".to_owned()));
    }
    let tree = match tree_at(reader, size)? {
        Ok(tree) => tree,
        Err(why) => return Ok(Err(why)),
    };
    let mut replay = Replay { state, tree };
    match replay.run(reader, signed.size, |_, _| Ok(())) {
        // Judged by the snapshot's state, which may be what is wrong: the full replay decides.
        Err(StoreError::Evidence { finding, .. }) => return Ok(Err(finding)),
        other => other?,
    }
    let good = signed.require_root(&replay.tree).and_then(|()| require_key(&replay.state, key));
    Ok(good.map(|()| replay))
}

/// The tree over the first `size` entries: from the stored tiles, and the entries after the last full one.
pub(super) fn tree_at(reader: &Reader, size: u64) -> Result<Result<Tree, String>, StoreError> {
    let open = size - size % u64::from(TILE_HASHES);
    let mut leaves = Vec::new();
    reader.visit_entries(open..size, |_, entry| {
        leaves.push(leaf_hash(entry));
        Ok::<_, StoreError>(ControlFlow::Continue(()))
    })?;
    let tree = Tree::rebuild(size, &leaves, |level, number| reader.tile(level, number));
    Ok(tree.map_err(|error| error.to_string()))
}

/// Entries taken in one after the other, as the rules understand them.
pub(super) struct Replay {
    pub(super) state: State,
    pub(super) tree: Tree,
}

impl Default for Replay {
    fn default() -> Self {
        Self { state: State::empty(), tree: Tree::new() }
    }
}

impl Replay {
    /// Replays the entries from where this stands up to `size`, and shows each with the tiles that it completed.
    pub(super) fn run(
        &mut self,
        reader: &Reader,
        size: u64,
        mut show: impl FnMut(&Step, &[FullTile]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        reader.visit_entries(self.state.size()..size, |index, entry| {
            let expected = self.state.size();
            if index != expected {
                return Err(StoreError::bad_entry(expected, &format!("missing, found {index}")));
            }
            let step = audit::replay(&self.state, Bytes::copy_from_slice(entry))
                .map_err(|finding| StoreError::bad_entry(index, &finding))?;
            self.state.apply(&step);
            let tiles = self.tree.append(step.entry.leaf_hash());
            show(&step, &tiles)?;
            Ok(ControlFlow::Continue(()))
        })?;
        if self.state.size() != size {
            return Err(StoreError::bad_entry(self.state.size(), &"missing"));
        }
        Ok(())
    }
}
