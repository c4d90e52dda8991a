//! What a server shows, compared with what this device saw before.
//!
//! Once for each client, before its first call, and with every receipt: the newest checkpoint must extend the one that is
//! remembered. A server that cannot prove it is refused, and what it showed is kept as evidence. Nobody else needs to be
//! asked for that, and a server cannot know what a device remembers.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use tonic::Code;

use super::memory::{Advance, Memory, MemoryError, Proves, is_older_keys};
use super::{Client, ClientError};
use crate::ledger::Receipt;
use crate::pb::v1;
use crate::tlog::{
    Checkpoint, CheckpointError, Divergence, Gap, Hash, HashError, Known, NoteError, SignedNote,
    SplitView, divergence, from_the_first_entry, root_before_last, verify_consistency,
};

/// How often a checkpoint is compared with what others on this device have remembered meanwhile. Each of them has compared
/// its own; past that, what they remember is left as it is.
const MAX_COMPARISONS: usize = 32;

/// Why a server is not to be used.
#[derive(Debug, thiserror::Error)]
pub enum HistoryFault {
    /// It shows fewer entries than were seen before.
    #[error(
        "this ledger has {}, you saw {}: {gap} on the server. It was put back to an older state, or is an old \
         copy. Do not use it until they are back, and tell whoever runs it; both checkpoints are kept for the auditor \
         in {}",
        gap.have, gap.known, evidence.display()
    )]
    Behind {
        /// What is missing.
        gap: Gap,
        /// Where the evidence is.
        evidence: PathBuf,
    },
    /// It shows another history than was seen before, and that is proved.
    #[error(
        "this server shows another history than this device saw before: {found}. The ledger's key has signed both. Do not \
         use this server; give the proof in {} to the auditor (`vialedger cosigner prove` checks it)",
        evidence.display()
    )]
    Split {
        /// What contradicts what.
        found: Divergence,
        /// Where the evidence is.
        evidence: PathBuf,
    },
    /// It does not prove that it extends what was seen before.
    #[error(
        "this server does not prove that its {new} entries begin with the {old} that this device saw before: {said}. Do \
         not use this server; give both checkpoints, in {}, to the auditor: of two histories, the ledger's file can hold \
         only one (`vialedger verify --checkpoint`)",
        evidence.display()
    )]
    Unproven {
        /// Size that was seen before.
        old: u64,
        /// Size that is shown.
        new: u64,
        /// What came instead of a proof.
        said: String,
        /// Where the evidence is.
        evidence: PathBuf,
    },
    /// One of these, compared with what was seen under another key of the same name.
    #[error(
        "{fault}. This device saw that under another key of {origin} ({file}). If whoever runs the ledger says that its key \
         was not rotated, but a new ledger begun under the old name, move that file away"
    )]
    UnderAnotherKey {
        /// What was found.
        fault: Box<HistoryFault>,
        /// The name of both keys.
        origin: String,
        /// Where it is remembered.
        file: String,
    },
    /// Its newest checkpoint is no note.
    #[error("the server's newest checkpoint cannot be read: {0}. Do not use this server")]
    Note(NoteError),
    /// Its newest checkpoint is not the ledger's.
    #[error("the server's newest checkpoint is not this ledger's: {0}. Do not use this server")]
    Checkpoint(CheckpointError),
}

impl HistoryFault {
    /// Its stable name.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::UnderAnotherKey { fault, .. } => fault.reason(),
            Self::Behind { .. } => "LEDGER_BEHIND",
            Self::Split { .. } => "SPLIT_VIEW",
            Self::Unproven { .. } => "NOT_PROVEN",
            Self::Note(_) | Self::Checkpoint(_) => "CHECKPOINT_INVALID",
        }
    }

    /// The file in which the evidence is.
    #[must_use]
    pub fn evidence(&self) -> Option<&Path> {
        match self {
            Self::Behind { evidence, .. }
            | Self::Split { evidence, .. }
            | Self::Unproven { evidence, .. } => Some(evidence),
            Self::UnderAnotherKey { fault, .. } => fault.evidence(),
            Self::Note(_) | Self::Checkpoint(_) => None,
        }
    }
}

impl Client {
    /// Has the client remember the newest checkpoint that it sees, and refuse a server that does not extend it.
    #[must_use]
    pub fn with_memory(mut self, memory: Memory) -> Self {
        self.memory = Some(memory);
        self
    }

    /// Looks, once, whether the server extends what is remembered.
    pub(super) async fn look(&self) -> Result<(), ClientError> {
        let Some(memory) = &self.memory else { return Ok(()) };
        if self.looked.load(Ordering::Acquire) {
            return Ok(());
        }
        // Recalled before the server is asked: what is remembered then, it had shown already.
        let before = memory.recall(&self.ledger)?;
        let answer = self.ask(v1::GetCheckpointRequest { size: None }).await?;
        let note = SignedNote::parse(answer.checkpoint.as_bytes()).map_err(HistoryFault::Note)?;
        let shown = Known::new(self.server.as_str(), note, &self.ledger);
        let shown = shown.map_err(HistoryFault::Checkpoint)?;
        self.remember(memory, before, &shown, None).await?;
        self.looked.store(true, Ordering::Release);
        Ok(())
    }

    /// The same before a write, and what is remembered then. Somebody who may not read is still heard: the rules say the
    /// no, and the receipt is compared.
    pub(super) async fn look_before_write(&self) -> Result<Option<Known>, ClientError> {
        match self.look().await {
            Err(ClientError::Rejected(no)) if is_no_reader(no.code) => {}
            looked => looked?,
        }
        let recalled = self.memory.as_ref().map(|memory| memory.recall(&self.ledger));
        Ok(recalled.transpose()?.flatten())
    }

    /// Compares the checkpoint of a receipt that was verified, and remembers it. Where the server cannot be asked for
    /// the proof now, it is asked before the next call.
    pub(super) async fn remember_receipt(
        &self,
        before: Option<Known>,
        receipt: &v1::Receipt,
    ) -> Result<(), ClientError> {
        let Some(memory) = &self.memory else { return Ok(()) };
        let receipt = Receipt::new(receipt.entry.clone().into(), &receipt.proof);
        let receipt = receipt.map_err(|error| ClientError::Receipt(error.into()))?;
        let shown = Known::new(self.server.as_str(), receipt.proof.note().clone(), &self.ledger);
        let shown = shown.map_err(HistoryFault::Checkpoint)?;
        match self.remember(memory, before, &shown, Some(&receipt)).await {
            Ok(()) => Ok(()),
            Err(ClientError::History { fault, .. }) => {
                Err(ClientError::History { fault, recorded: Some(receipt.index) })
            }
            Err(error @ ClientError::Memory(_)) => Err(error),
            Err(_) => {
                self.looked.store(false, Ordering::Release);
                Ok(())
            }
        }
    }

    async fn remember(
        &self,
        memory: &Memory,
        mut before: Option<Known>,
        shown: &Known,
        receipt: Option<&Receipt>,
    ) -> Result<(), ClientError> {
        if let (Some(seen), Some(gap)) = (&before, gap(before.as_ref(), shown)) {
            return Err(self.behind(memory, seen, shown, gap)?.into());
        }
        for _ in 0..MAX_COMPARISONS {
            if let Some(seen) = &before {
                self.compare(memory, seen, shown, receipt).await?;
            }
            let (memory, ledger) = (memory.clone(), self.ledger.clone());
            let (compared, newer) = (before.take(), shown.clone());
            let advance = blocking(move || memory.advance(&ledger, compared.as_ref(), &newer));
            match advance.await? {
                Advance::Done => return Ok(()),
                Advance::Moved(now) => before = Some(*now),
            }
        }
        Ok(())
    }

    /// Asks for the proof that the larger of two checkpoints extends the smaller, and keeps both where it does not.
    async fn compare(
        &self,
        memory: &Memory,
        seen: &Known,
        shown: &Known,
        receipt: Option<&Receipt>,
    ) -> Result<(), ClientError> {
        let (mut old, mut new) = (seen.checkpoint(), shown.checkpoint());
        if old.size() > new.size() {
            // Somebody else on this device was shown more while this was on its way.
            (old, new) = (new, old);
        }
        if old == new || receipt.is_some_and(|receipt| proves(receipt, old, new)) {
            return Ok(());
        }
        let (proof, said) = if old.size() == new.size() {
            (Vec::new(), String::new())
        } else {
            self.proof(old.size(), new.size()).await?
        };
        let another_key = is_older_keys(seen, &self.ledger);
        let held = verify_consistency(old.size(), &old.root(), new.size(), &new.root(), &proof);
        let Err(why) = held else { return Ok(()) };
        let said = if said.is_empty() { why.to_string() } else { said };
        let notes = if old == seen.checkpoint() { [seen, shown] } else { [shown, seen] };
        let [kept, other] = notes.map(|known| known.note().clone());
        let split = SplitView::new(kept, other, proof);
        // Signed by two keys, they are no proof to whoever has one of them: an audit, which follows rotations, decides.
        let proved = if another_key { None } else { self.proved(old, new, &split).await };
        let keep = |proves, split| memory.keep_evidence(&self.ledger, proves, split, &said);
        let fault = if let Some((found, split)) = proved {
            HistoryFault::Split { found, evidence: keep(Proves::SplitView, &split)? }
        } else {
            let evidence = keep(Proves::Nothing, &split)?;
            HistoryFault::Unproven { old: old.size(), new: new.size(), said, evidence }
        };
        Err(self.with_key(seen, fault).into())
    }

    /// How two checkpoints contradict each other, with what shows it to anybody: the server's proof or, where that shows
    /// nothing, as at powers of two, what else it shows.
    async fn proved(
        &self,
        old: &Checkpoint,
        new: &Checkpoint,
        split: &SplitView,
    ) -> Option<(Divergence, SplitView)> {
        if let Some(found) = divergence(old, new, split.proof()) {
            return Some((found, split.clone()));
        }
        let kept = split.kept().clone();
        if let Some(own) = self.checkpoint_of(old.size()).await
            && let Some(found) = divergence(old, own.checkpoint(), &[])
        {
            return Some((found, SplitView::new(kept, own.note().clone(), Vec::new())));
        }
        let hashes = self.beginning(old.size(), new.size()).await?;
        let found = divergence(old, new, &hashes)?;
        Some((found, SplitView::new(kept, split.other().clone(), hashes)))
    }

    /// The server's proof between two sizes, or what it said instead.
    async fn proof(&self, old_size: u64, new: u64) -> Result<(Vec<Hash>, String), ClientError> {
        let asked = v1::GetConsistencyProofRequest { old_size, new_size: Some(new) };
        let path = match self.ask(asked).await {
            Ok(answer) => answer.path,
            Err(ClientError::Rejected(no)) if !is_no_reader(no.code) && !no.is_for_now() => {
                return Ok((Vec::new(), format!("it refuses the proof ({})", no.message)));
            }
            Err(error) => return Err(error),
        };
        Ok(match hashes(&path) {
            Ok(hashes) => (hashes, String::new()),
            Err(error) => (Vec::new(), format!("its proof cannot be read ({error})")),
        })
    }

    /// The checkpoint that the server has of a size, if it has one and shows it.
    async fn checkpoint_of(&self, size: u64) -> Option<Known> {
        let answer = self.ask(v1::GetCheckpointRequest { size: Some(size) }).await.ok()?;
        let note = SignedNote::parse(answer.checkpoint.as_bytes()).ok()?;
        Known::new(self.server.as_str(), note, &self.ledger).ok()
    }

    /// What the server's larger tree begins with, up to a size that is a power of two, if it shows that.
    async fn beginning(&self, size: u64, larger: u64) -> Option<Vec<Hash>> {
        if !size.is_power_of_two() {
            return None;
        }
        let asked = v1::GetInclusionProofRequest { index: 0, size: Some(larger) };
        let answer = self.ask(asked).await.ok()?;
        let leaf = Hash::try_from(answer.leaf_hash.as_slice()).ok()?;
        from_the_first_entry(size, leaf, &hashes(&answer.path).ok()?)
    }

    fn behind(
        &self,
        memory: &Memory,
        seen: &Known,
        shown: &Known,
        gap: Gap,
    ) -> Result<HistoryFault, MemoryError> {
        let said = format!("{} shows {} entries, {} were seen", self.server, gap.have, gap.known);
        let split = SplitView::new(seen.note().clone(), shown.note().clone(), Vec::new());
        let evidence = memory.keep_evidence(&self.ledger, Proves::Behind, &split, &said)?;
        Ok(self.with_key(seen, HistoryFault::Behind { gap, evidence }))
    }

    /// A fault, with the other key named where there was one.
    fn with_key(&self, seen: &Known, fault: HistoryFault) -> HistoryFault {
        if !is_older_keys(seen, &self.ledger) {
            return fault;
        }
        let (fault, origin) = (Box::new(fault), self.ledger.name().to_string());
        HistoryFault::UnderAnotherKey { fault, origin, file: seen.source().to_owned() }
    }
}

/// The hashes of a proof.
fn hashes(path: &[Vec<u8>]) -> Result<Vec<Hash>, HashError> {
    path.iter().map(|hash| Hash::try_from(hash.as_slice())).collect()
}

/// What a server does not show of what was seen before.
fn gap(seen: Option<&Known>, shown: &Known) -> Option<Gap> {
    let (have, known) = (shown.checkpoint().size(), seen?.checkpoint().size());
    (have < known).then_some(Gap { have, known })
}

/// Whether a receipt proves by itself that its checkpoint extends another: that of all entries before its own, which is
/// the last. So a device that writes alone needs no further call.
fn proves(receipt: &Receipt, old: &Checkpoint, new: &Checkpoint) -> bool {
    let is_last = receipt.index == old.size() && new.size() == old.size() + 1;
    is_last
        && receipt.proof.note().text() == new.to_string()
        && root_before_last(receipt.proof.path()) == old.root()
}

/// Whether the no is about who asks, and not about what was asked for.
fn is_no_reader(code: Code) -> bool {
    matches!(code, Code::Unauthenticated | Code::PermissionDenied)
}

/// Does something where it may block.
async fn blocking<T: Send + 'static>(
    act: impl FnOnce() -> Result<T, MemoryError> + Send + 'static,
) -> Result<T, ClientError> {
    match tokio::task::spawn_blocking(act).await {
        Ok(done) => Ok(done?),
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
