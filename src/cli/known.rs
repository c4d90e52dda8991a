//! Checkpoints of a ledger that are known from elsewhere than its database.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::error::CliError;
use super::verify::checkpoint;
use crate::cosigner::{Cosignatures, FolderError};
use crate::store::{HeadFile, LedgerFolder, StoreError, StoredTree};
use crate::tlog::{Known, Standing, VerifierKey};

/// Where to look for checkpoints.
#[derive(Args, Clone, Debug, Default)]
pub struct KnownArgs {
    /// A checkpoint or receipt that was kept elsewhere, by a person, a device or a cosigner; repeat for several
    #[arg(long = "known-checkpoint", value_name = "FILE")]
    pub known: Vec<PathBuf>,
    /// Where the server keeps its newest checkpoint, best on another disk; `ledger.head` in the folder when absent
    #[arg(long, value_name = "FILE")]
    pub head_file: Option<PathBuf>,
}

impl KnownArgs {
    /// What is in `cosignatures/`, and the files that were named, which must be this ledger's.
    pub fn gather(&self, folder: &LedgerFolder, key: &VerifierKey) -> Result<Vec<Known>, CliError> {
        let mut known = Cosignatures::beside(folder.root()).known(key).map_err(unreadable)?;
        for path in &self.known {
            let found = Known::new(path.display().to_string(), checkpoint(path)?, key);
            let not_ours = |error| CliError::Data(format!("{}: {error}", path.display()));
            known.push(found.map_err(not_ours)?);
        }
        Ok(known)
    }

    /// The same, and the head file, which a server reads by itself.
    pub(super) fn gather_all(
        &self,
        folder: &LedgerFolder,
        key: &VerifierKey,
    ) -> Result<Vec<Known>, CliError> {
        let head = self.head_file.clone().unwrap_or_else(|| folder.head());
        let mut known = self.gather(folder, key)?;
        known.extend(HeadFile::new(head).read(key)?);
        Ok(known)
    }
}

fn unreadable(error: FolderError) -> CliError {
    match error {
        FolderError::Io { path, source } => CliError::Read { path, source },
        other => CliError::Data(other.to_string()),
    }
}

/// How a ledger stands to everything that is known of it.
pub(super) struct Stand {
    /// How many checkpoints were compared.
    compared: usize,
    /// The size of the largest.
    largest: Option<u64>,
    /// What does not go with the ledger: where it was found, and how.
    against: Vec<(String, Standing)>,
}

impl Stand {
    /// Compares a ledger's file with what is known.
    pub(super) fn of(ledger: &StoredTree, known: &[Known]) -> Result<Self, CliError> {
        let mut against = Vec::new();
        for one in known {
            let standing = ledger.standing(one);
            let standing =
                standing.map_err(|error| StoreError::Derived { what: error.to_string() });
            match standing? {
                Standing::Extends => {}
                other => against.push((one.source().to_owned(), other)),
            }
        }
        let largest = known.iter().map(|known| known.checkpoint().size()).max();
        Ok(Self { compared: known.len(), largest, against })
    }

    /// Whether the ledger may be written to, as far as anybody knows.
    pub(super) fn may_go_on(&self) -> bool {
        self.against.is_empty()
    }

    /// Whether there was nothing to compare with.
    pub(super) fn is_blind(&self) -> bool {
        self.compared == 0
    }

    /// What does not go with the ledger, the worst of it: a fork before entries that are missing.
    fn worst(&self) -> Option<&(String, Standing)> {
        self.against.iter().max_by_key(|(_, standing)| match standing {
            Standing::Forked { .. } => u64::MAX,
            Standing::Behind(gap) => gap.known,
            Standing::Extends => 0,
        })
    }

    /// What to do where the ledger may not go on.
    pub(super) fn advice(&self) -> &'static str {
        match self.worst() {
            None => "",
            Some((_, Standing::Forked { .. })) => {
                "do not serve it for writing: two histories were signed with this key. Keep every file, and tell the \
                 auditor and the compliance officer"
            }
            Some(_) => {
                "find a newer copy and restore that: reads are served meanwhile, and no writes are taken. If there is \
                 none, begin a new ledger; do not go on in the places of entries that people hold receipts for"
            }
        }
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        let against = |(source, standing): &(String, Standing)| match standing {
            Standing::Behind(gap) => json!({
                "source": source, "standing": "behind", "have": gap.have, "known": gap.known,
            }),
            Standing::Forked { size, .. } => {
                json!({ "source": source, "standing": "forked", "size": size })
            }
            Standing::Extends => json!({ "source": source, "standing": "extends" }),
        };
        json!({
            "compared": self.compared,
            "largest": self.largest,
            "against": self.against.iter().map(against).collect::<Vec<_>>(),
        })
    }
}

/// The same for people.
pub(super) fn told(stand: &Stand) -> String {
    match stand.worst() {
        Some((source, Standing::Behind(gap))) => format!(
            "BEHIND: {gap}; {source} is of {} entries, this ledger has {}",
            gap.known, gap.have
        ),
        Some((source, _)) => format!("FORKED: {source} was signed for other entries"),
        None => match (stand.compared, stand.largest) {
            (0, _) | (_, None) => "nothing to compare with, so a cut-off tail cannot be excluded: \
                                   give --known-checkpoint with what others kept"
                .to_owned(),
            (1, Some(size)) => format!("nothing is missing up to entry {}", size.saturating_sub(1)),
            (count, Some(size)) => format!(
                "nothing is missing up to entry {}, by {count} checkpoints",
                size.saturating_sub(1)
            ),
        },
    }
}
