//! Identities that are opened for whoever is handed an export.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::audit::{OpenedIdentity, Registrations};
use crate::cli::error::CliError;
use crate::key::IdentityKey;
use crate::store::{LedgerFolder, SealedIdentities};

/// Characters of a reason at most.
const MAX_REASON_CHARS: usize = 500;

/// Options of every export that can tell who the patients are.
#[derive(Args, Debug)]
pub(in crate::cli) struct OpeningArgs {
    /// Add who the patients are
    #[arg(long, requires = "reason")]
    open_identities: bool,
    /// The key that the identities are encrypted with; `identity.key` beside the ledger when absent
    #[arg(long, value_name = "FILE", env = "VIALEDGER_IDENTITY_KEY")]
    identity_key: Option<PathBuf>,
    /// Why they are opened, and for whom; stands in the export
    #[arg(long, value_name = "TEXT", requires = "open_identities", value_parser = reason)]
    reason: Option<String>,
}

fn reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > MAX_REASON_CHARS {
        return Err(format!("say it in 1 to {MAX_REASON_CHARS} characters"));
    }
    if text.chars().any(char::is_control) {
        return Err("say it on one line".to_owned());
    }
    Ok(text.to_owned())
}

impl OpeningArgs {
    /// Why identities are opened.
    pub(in crate::cli) fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// The sealed identities beside a ledger's database, where they are to be opened.
    pub(in crate::cli) fn sealed(
        &self,
        database: &Path,
        origin: &str,
    ) -> Result<Option<SealedIdentities>, CliError> {
        if !self.open_identities {
            return Ok(None);
        }
        let beside = LedgerFolder::new(database.parent().unwrap_or(Path::new("")));
        let key = self.identity_key.clone().unwrap_or_else(|| beside.identity_key());
        let key = IdentityKey::load(&key)?;
        Ok(Some(SealedIdentities::open(&beside.identities(), &key, origin)?))
    }
}

/// Identities that were opened, and those that could not be.
#[derive(Default)]
pub(in crate::cli) struct Opened {
    /// A line for each, without its end.
    pub(in crate::cli) lines: Vec<String>,
    /// Patients, by pseudonym, and why.
    pub(in crate::cli) failed: Vec<(String, String)>,
}

impl Opened {
    /// Opens what the entries commit to. One that is not here or is damaged keeps none of the others back.
    pub(in crate::cli) fn of(registrations: &Registrations, sealed: &SealedIdentities) -> Self {
        let mut opened = Self::default();
        for (commitment, patients) in registrations.in_order() {
            let names = || patients.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            match sealed.open_one(&commitment) {
                Ok(Some(opening)) => {
                    let line = OpenedIdentity { patients, commitment, opening };
                    opened.lines.push(line.to_line());
                }
                Ok(None) => opened.failed.push((names(), "is not held here".to_owned())),
                Err(error) => opened.failed.push((names(), error.to_string())),
            }
        }
        opened
    }

    /// The lines as a file.
    pub(in crate::cli) fn file(&self) -> String {
        self.lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
    }
}
