//! What a log cosigner answers to a submission: the rules of <https://c2sp.org/tlog-witness>, in
//! the order in which they are applied.
//!
//! 1. the body cannot be read: [`Refused::Malformed`];
//! 2. the origin is not one that is watched: [`Refused::UnknownLog`];
//! 3. no trusted key of that origin signed it, or one did so wrongly: [`Refused::NotSigned`];
//! 4. the old size is larger than the new: [`Refused::SizesReversed`];
//! 5. the old size is not that of the newest checkpoint cosigned: [`Refused::OldSize`];
//! 6. an empty tree with entries in it: [`Refused::EmptyRoot`];
//! 7. the proof, or at equal sizes the root, does not fit: [`Refused::Inconsistent`].
//!
//! From here the checkpoint is cosigned. Steps 1 to 3 need no memory ([`authenticate`]); the others
//! need what is kept of the log ([`judge`]), and whoever calls it keeps that memory still until the
//! outcome is written down.

use super::checkpoint::{Checkpoint, CheckpointError};
use super::hash::{Hash, empty_root};
use super::note::{NoteError, SignedNote};
use super::split_view::{Divergence, SplitView, divergence};
use super::submission::{Submission, SubmissionError};
use super::verify::{VerifyError, verify_consistency};
use super::vkey::VerifierKey;

/// Why a submission is not cosigned. The order of the variants is the order of the checks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The body is no submission.
    #[error("{0}")]
    Malformed(#[from] SubmissionError),
    /// Nobody asked to watch this log.
    #[error("unknown log: this cosigner does not watch the origin of the checkpoint")]
    UnknownLog,
    /// The log's key did not sign it.
    #[error("invalid signature: {0}")]
    NotSigned(CheckpointError),
    /// The "old" tree is the larger one.
    #[error("the old size {old} is larger than the checkpoint's size {new}")]
    SizesReversed {
        /// The old size.
        old: u64,
        /// The checkpoint's size.
        new: u64,
    },
    /// The proof begins elsewhere than where the cosigner stands.
    #[error("the newest checkpoint cosigned is of size {newest}")]
    OldSize {
        /// The size of the newest checkpoint that was cosigned; 0 where there is none.
        newest: u64,
    },
    /// A checkpoint of no entries with another root than that of no entries.
    #[error("a checkpoint of size 0 has the root hash of the empty tree")]
    EmptyRoot,
    /// The checkpoint does not extend the newest one that was cosigned.
    #[error("the consistency proof does not hold: {0}")]
    Inconsistent(VerifyError),
}

impl Refused {
    /// The HTTP status that the protocol gives it.
    #[must_use]
    pub const fn http_status(&self) -> u16 {
        match self {
            Self::Malformed(_) | Self::SizesReversed { .. } => 400,
            Self::NotSigned(_) => 403,
            Self::UnknownLog => 404,
            Self::OldSize { .. } => 409,
            Self::EmptyRoot | Self::Inconsistent(_) => 422,
        }
    }
}

/// A checkpoint that its log signed, and the proof that came with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authentic {
    old_size: u64,
    proof: Vec<Hash>,
    checkpoint: Checkpoint,
    note: SignedNote,
}

impl Authentic {
    /// The size that the proof begins with.
    #[must_use]
    pub const fn old_size(&self) -> u64 {
        self.old_size
    }

    /// The checkpoint.
    #[must_use]
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The checkpoint with the log's signatures and no other.
    #[must_use]
    pub const fn note(&self) -> &SignedNote {
        &self.note
    }
}

/// What a cosigner has cosigned of one log, as far as it bears on a submission.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// The newest checkpoint cosigned.
    pub newest: Option<KeptCheckpoint>,
    /// The one of the size that the submission's proof begins with.
    pub at_old_size: Option<KeptCheckpoint>,
    /// The one of the submission's own size.
    pub at_size: Option<KeptCheckpoint>,
}

/// A checkpoint that was cosigned, as it was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptCheckpoint {
    checkpoint: Checkpoint,
    note: SignedNote,
}

impl KeptCheckpoint {
    /// The checkpoint in a note that was verified when it was kept.
    pub fn of(note: SignedNote) -> Result<Self, CheckpointError> {
        Ok(Self { checkpoint: note.text().parse()?, note })
    }

    /// The checkpoint.
    #[must_use]
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// It with all its signatures.
    #[must_use]
    pub const fn note(&self) -> &SignedNote {
        &self.note
    }
}

/// What is to be answered, and what is to be kept against the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// Cosign, or refuse.
    pub answer: Result<(), Refused>,
    /// A checkpoint that cannot be, or was not shown to be, of the history that was cosigned.
    pub conflict: Option<Conflict>,
}

/// A signed checkpoint that does not go with one that was cosigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// Both checkpoints, and the proof that came with the later one.
    pub split_view: SplitView,
    /// How they contradict each other. Nothing where the proof was merely bad: then either its
    /// sender made a mistake, or the log has forked at a size that no consistency proof can show.
    pub proven: Option<Divergence>,
}

/// Steps 1 to 3: reads a body and checks that a log that is watched signed it.
pub fn authenticate(body: &[u8], logs: &[VerifierKey]) -> Result<Authentic, Refused> {
    let submission = Submission::parse(body)?;
    let origin = submission.checkpoint().origin();
    let keys: Vec<&VerifierKey> = logs.iter().filter(|key| key.name().as_str() == origin).collect();
    if keys.is_empty() {
        return Err(Refused::UnknownLog);
    }
    let not_signed = |error: NoteError| Refused::NotSigned(error.into());
    // A line that is no signature is no signature of a trusted key either.
    let note = submission.note().map_err(not_signed)?;
    let mut signers = Vec::new();
    let mut missing = None;
    for key in keys {
        match Checkpoint::verify(&note, key) {
            Ok(_) => signers.push(key),
            Err(CheckpointError::Note(error @ NoteError::NotSignedBy { .. })) => {
                missing = Some(error);
            }
            Err(error) => return Err(Refused::NotSigned(error)),
        }
    }
    if let Some(error) = missing.filter(|_| signers.is_empty()) {
        return Err(not_signed(error));
    }
    // What strangers signed is neither checked nor kept.
    let note = note.only_by(&signers).map_err(not_signed)?;
    let (old_size, proof) = (submission.old_size(), submission.proof().to_vec());
    Ok(Authentic { old_size, proof, checkpoint: submission.checkpoint().clone(), note })
}

/// Steps 4 to 7: whether what was signed extends what was cosigned.
#[must_use]
pub fn judge(submitted: &Authentic, kept: &Kept) -> Judgement {
    let answer = consider(submitted, kept);
    let split = |kept: &KeptCheckpoint| {
        SplitView::new(kept.note.clone(), submitted.note.clone(), submitted.proof.clone())
    };
    // A contradiction counts whatever the answer is: a checkpoint that is refused for its old size
    // is signed all the same.
    let proven = [&kept.at_size, &kept.at_old_size].into_iter().flatten().find_map(|kept| {
        let found = divergence(&kept.checkpoint, &submitted.checkpoint, &submitted.proof)?;
        Some(Conflict { split_view: split(kept), proven: Some(found) })
    });
    let unproven = || match (&answer, &kept.newest) {
        (Err(Refused::Inconsistent(_)), Some(newest)) if submitted.old_size > 0 => {
            Some(Conflict { split_view: split(newest), proven: None })
        }
        _ => None,
    };
    let conflict = proven.or_else(unproven);
    Judgement { answer, conflict }
}

fn consider(submitted: &Authentic, kept: &Kept) -> Result<(), Refused> {
    let (old, new) = (submitted.old_size, submitted.checkpoint.size());
    if old > new {
        return Err(Refused::SizesReversed { old, new });
    }
    let (newest, root) = match &kept.newest {
        Some(newest) => (newest.checkpoint.size(), newest.checkpoint.root()),
        None => (0, empty_root()),
    };
    if old != newest {
        return Err(Refused::OldSize { newest });
    }
    if new == 0 && submitted.checkpoint.root() != empty_root() {
        return Err(Refused::EmptyRoot);
    }
    verify_consistency(old, &root, new, &submitted.checkpoint.root(), &submitted.proof)
        .map_err(Refused::Inconsistent)
    // From here the checkpoint is cosigned.
}
