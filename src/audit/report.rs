//! What an audit found.

use std::fmt;

use crate::state::SelfAudit;
use crate::tlog::Hash;

/// A kind of fault, as in the published list of fault classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Bytes are not those that were committed to.
    Edited,
    /// An entry is not there.
    Missing,
    /// An entry, or a request, is there twice.
    Duplicate,
    /// An entry is at another place than its own.
    Reordered,
    /// Another history than the one that was signed.
    Fork,
    /// Entries that a checkpoint covers are not there.
    Truncated,
    /// A person's signature does not hold.
    BadSignature,
    /// The signer's key was never enrolled.
    UnknownKey,
    /// The signer's key was revoked before.
    KeyNotValidThen,
    /// The signer did not hold the role.
    RoleNotHeld,
    /// The rules make something else of the request.
    OutcomeDiffers,
    /// A vial's balance is not what it must be.
    Unbalanced,
    /// Time does not go forward.
    TimeReversed,
    /// A checkpoint is not signed by the ledger's key, or not of these entries.
    CheckpointMismatch,
    /// A version that this program does not know.
    UnknownVersion,
}

impl Fault {
    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Edited => "edited",
            Self::Missing => "missing",
            Self::Duplicate => "duplicate",
            Self::Reordered => "reordered",
            Self::Fork => "fork",
            Self::Truncated => "truncated",
            Self::BadSignature => "bad-signature",
            Self::UnknownKey => "unknown-key",
            Self::KeyNotValidThen => "key-not-valid-then",
            Self::RoleNotHeld => "role-not-held",
            Self::OutcomeDiffers => "outcome-differs",
            Self::Unbalanced => "unbalanced",
            Self::TimeReversed => "time-reversed",
            Self::CheckpointMismatch => "checkpoint-mismatch",
            Self::UnknownVersion => "unknown-version",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The first thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entries/{index}: {fault}: expected {expected}, found {found}")]
pub struct Finding {
    /// The entry.
    pub index: u64,
    /// What kind of fault it is.
    pub fault: Fault,
    /// What was expected.
    pub expected: String,
    /// What was found.
    pub found: String,
}

impl Finding {
    /// A finding.
    pub fn new(
        index: u64,
        fault: Fault,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self { index, fault, expected: expected.into(), found: found.into() }
    }
}

/// What excludes that the tail was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// Nothing from outside: a cut-off tail cannot be excluded.
    None,
    /// A checkpoint from outside, which covers this many entries.
    Checkpoint {
        /// Its size.
        size: u64,
    },
    /// An earlier audit of the auditor's own, which covers this many entries.
    Audit {
        /// Its size.
        size: u64,
    },
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Everything was checked and is good.
    Good,
    /// The evidence is bad.
    Bad,
    /// No verdict is possible, and why.
    None(String),
}

/// The result of an audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The answer.
    pub verdict: Verdict,
    /// Entries that were checked and are good.
    pub entries: u64,
    /// Checkpoints that were checked and are good.
    pub checkpoints: u64,
    /// What excludes that the tail was cut off.
    pub anchor: Anchor,
    /// The first thing that is wrong.
    pub finding: Option<Finding>,
    /// Number of entries, from the first, that can still be trusted.
    pub trusted: u64,
    /// Root of the tree, where all is good.
    pub root: Option<Hash>,
    /// How many of the entries an earlier audit had found good; their bytes were not read again.
    pub since: u64,
    /// Entries that put another key in the place of the ledger's.
    pub rotations: Vec<u64>,
    /// The newest audit that the ledger made of itself.
    pub self_audit: Option<SelfAudit>,
}

impl Report {
    /// No verdict is possible.
    #[must_use]
    pub fn no_verdict(why: String) -> Self {
        Self {
            verdict: Verdict::None(why),
            entries: 0,
            checkpoints: 0,
            anchor: Anchor::None,
            finding: None,
            trusted: 0,
            root: None,
            since: 0,
            rotations: Vec::new(),
            self_audit: None,
        }
    }

    /// The evidence is bad. Entries after the last checkpoint that held are nobody's word: whoever changed one of them can
    /// have chained the others to it anew, so trust ends at `held` even where the first bad entry is a later one.
    pub(super) fn bad(
        entries: u64,
        checkpoints: u64,
        held: u64,
        anchor: Anchor,
        finding: Finding,
    ) -> Self {
        let trusted = finding.index.min(entries).min(held);
        Self {
            verdict: Verdict::Bad,
            entries,
            checkpoints,
            anchor,
            trusted,
            finding: Some(finding),
            root: None,
            since: 0,
            rotations: Vec::new(),
            self_audit: None,
        }
    }

    pub(super) fn good(entries: u64, checkpoints: u64, anchor: Anchor, root: Hash) -> Self {
        Self {
            verdict: Verdict::Good,
            entries,
            checkpoints,
            anchor,
            finding: None,
            trusted: entries,
            root: Some(root),
            since: 0,
            rotations: Vec::new(),
            self_audit: None,
        }
    }

    /// The same where somebody found, beside the audit, something that makes the evidence bad. What was found first
    /// stays.
    #[must_use]
    pub fn contradicted(self, finding: Finding) -> Self {
        match &self.finding {
            Some(first) if self.verdict == Verdict::Bad && first.index < finding.index => self,
            _ => {
                let trusted = self.trusted.min(finding.index);
                Self { verdict: Verdict::Bad, finding: Some(finding), trusted, root: None, ..self }
            }
        }
    }

    /// Exit status of a program that gives this answer: 0 good, 1 bad, 2 no verdict.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        match self.verdict {
            Verdict::Good => 0,
            Verdict::Bad => 1,
            Verdict::None(_) => 2,
        }
    }
}
