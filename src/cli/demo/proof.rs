//! The audit: the file as it is, with one byte changed, and with its end cut off.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::stage::{copy, face};
use super::story::Story;
use super::treatment::Treated;
use super::{same, unexpected};
use crate::audit::{Fault, Options, Report, Verdict};
use crate::cli::error::CliError;
use crate::cli::output::Tone;
use crate::cli::session::verifier_key;
use crate::cli::verify::{self, checkpoint, judge};
use crate::store::LedgerFolder;

/// What Nina gave, as her request says it, and what one changed byte makes of it.
const GIVEN: (&[u8], u8) = (b"3.6", b'2');

/// What the audits said, for programs.
pub(super) struct Audits {
    pub(super) good: Value,
    pub(super) edited: Value,
    pub(super) cut: Value,
}

/// Audits the ledger as it is, and two copies that somebody laid hands on.
pub(super) fn audits(
    story: &mut Story,
    folder: &LedgerFolder,
    treated: &Treated,
) -> Result<Audits, CliError> {
    story.chapter("The proof")?;
    story.tell(
        "The server is stopped. What is left is a file, ledger.db, and the public key that goes with it, ledger.vkey. \
         An auditor needs nothing else, today or in ten years. Nina's receipt for the waste, from her own device, comes \
         along as the anchor: it proves how long the ledger was when she got it. This is what `vialedger verify` says:",
    )?;
    let good = audit(folder, &folder.database(), Some(&treated.receipt))?;
    told(story, &good)?;
    if good.verdict != Verdict::Good {
        return Err(unexpected("the ledger does not verify"));
    }
    story.chapter("One byte is changed")?;
    let edited = edited(story, folder, treated)?;
    story.chapter("The end is cut off")?;
    let cut = cut(story, folder, treated)?;
    Ok(Audits { good: verify::json(&good), edited, cut })
}

fn edited(story: &Story, folder: &LedgerFolder, treated: &Treated) -> Result<Value, CliError> {
    let entry = treated.given.entry;
    let database = copy(folder, "edited")?.join("ledger.db");
    flip(&database, &treated.given.receipt.entry)?;
    story.tell(&format!(
        "In a copy of the file somebody edits Nina's entry {entry}: one byte, so that it says 2.6 mL given instead \
         of 3.6 mL. The same check again:"
    ))?;
    let report = audit(folder, &database, Some(&treated.receipt))?;
    told(story, &report)?;
    let finding =
        report.finding.as_ref().ok_or_else(|| unexpected("the changed byte was not found"))?;
    same("the changed entry", &finding.index.to_string(), &entry.to_string())?;
    same("the fault", finding.fault.name(), Fault::Edited.name())?;
    story.tell(&format!("The audit names entry {entry} and the fault: {}.", finding.fault))?;
    Ok(verify::json(&report))
}

/// Changes one byte of the file, in the place where it keeps this entry.
fn flip(database: &Path, entry: &[u8]) -> Result<(), CliError> {
    let read = |source| CliError::Read { path: database.to_owned(), source };
    let mut bytes = std::fs::read(database).map_err(read)?;
    let (given, other) = GIVEN;
    let position = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).position(|at| at == part);
    let at = position(&bytes, entry).zip(position(entry, given)).map(|(start, at)| start + at);
    let byte = at.and_then(|at| bytes.get_mut(at));
    *byte.ok_or_else(|| unexpected("the entry is not in the file as it was sent"))? = other;
    let write = |source| CliError::Write { path: database.to_owned(), source };
    std::fs::write(database, bytes).map_err(write)
}

fn cut(story: &Story, folder: &LedgerFolder, treated: &Treated) -> Result<Value, CliError> {
    let (older, when) = &treated.older;
    let alone = audit(folder, older, None)?;
    let size = alone.entries;
    story.tell(&format!(
        "Somebody puts back a copy of the file from {}: {size} entries, as if the vial had never left the safe. On its \
         own that copy is flawless:",
        face(*when)
    ))?;
    told(story, &alone)?;
    if alone.verdict != Verdict::Good {
        return Err(unexpected("the older copy does not verify by itself"));
    }
    story.tell("But Nina has her receipt:")?;
    let report = audit(folder, older, Some(&treated.receipt))?;
    told(story, &report)?;
    let finding =
        report.finding.as_ref().ok_or_else(|| unexpected("the missing end was not found"))?;
    same("the fault", finding.fault.name(), Fault::Truncated.name())?;
    same("the first missing entry", &finding.index.to_string(), &size.to_string())?;
    story.tell("So whoever keeps a receipt keeps the whole ledger honest up to there.")?;
    Ok(verify::json(&report))
}

/// Verifies a database with the verifier key from the ledger's folder and, where there is one, a receipt.
fn audit(
    folder: &LedgerFolder,
    ledger: &Path,
    receipt: Option<&PathBuf>,
) -> Result<Report, CliError> {
    let line = folder.verifier_key().display().to_string();
    let verifier_key = verifier_key(Some(&line), None)?;
    let checkpoint = receipt.map(|path| checkpoint(path)).transpose()?;
    judge(ledger, &Options { verifier_key, checkpoint })
}

fn told(story: &Story, report: &Report) -> Result<(), CliError> {
    let tone = if report.verdict == Verdict::Good { Tone::Good } else { Tone::Bad };
    story.quote(tone, &verify::text(report))
}
