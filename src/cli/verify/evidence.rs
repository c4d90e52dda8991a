//! The audit of a ledger that is at hand as files, be it a database or exported tiles.

use std::path::Path;

use crate::audit::{
    Audited, CheckpointRow, EntryRow, EvidenceError, Examined, Fault, Finding, Options, Plan,
    Verdict, examine, on_the_pool,
};
use crate::cli::error::CliError;
use crate::cli::files::{Files, read_error};
use crate::tiles::{Folder, Survey};
use crate::tlog::{Checkpoint, SignedNote};

use super::progress_bar;

/// Audits a ledger's files with nothing but what the auditor brings along.
pub(super) fn judge(ledger: &Path, options: &Options, plan: Plan) -> Result<Examined, CliError> {
    on_the_pool(|| judge_files(ledger, options, plan))
}

fn judge_files(ledger: &Path, options: &Options, plan: Plan) -> Result<Examined, CliError> {
    match Files::open(ledger)? {
        Files::Database(evidence) => {
            let (last, since) = reach(&plan);
            let checkpoints = evidence.checkpoints_from(since);
            let size = evidence.size_hint()?;
            Ok(judge_rows(options, plan, size, evidence.entries_from(last), checkpoints))
        }
        Files::Tiles(folder) => judge_tiles(&folder, options, plan),
    }
}

/// The first entry and the first size that an audit looks at: where it goes on, the last entry of the audit before.
fn reach(plan: &Plan) -> (u64, u64) {
    let since = plan.since.as_ref().map_or(0, Audited::size);
    (since.saturating_sub(1), since)
}

fn judge_rows(
    options: &Options,
    plan: Plan,
    size: u64,
    entries: impl Iterator<Item = Result<EntryRow, EvidenceError>>,
    checkpoints: impl Iterator<Item = Result<CheckpointRow, EvidenceError>>,
) -> Examined {
    let bar = progress_bar(size);
    // What an earlier audit found good is no work of this one: it counts for the bar, and not for its rate.
    bar.set_position(plan.since.as_ref().map_or(0, Audited::size));
    bar.reset_eta();
    let done = examine(options, plan, entries, checkpoints, |done| bar.set_position(done));
    bar.finish_and_clear();
    done
}

/// Audits exported tiles: the entries under the one checkpoint, and whether the tiles are theirs. The latter looks at all
/// entries, since hashing them is cheap.
fn judge_tiles(folder: &Folder, options: &Options, plan: Plan) -> Result<Examined, CliError> {
    let note = folder.checkpoint();
    let parsed = SignedNote::parse(note).ok();
    let signed =
        parsed.as_ref().and_then(|note| Checkpoint::verify(note, &options.verifier_key).ok());
    // Another key of the ledger may have signed it, which the audit finds out on the way.
    let by_another = parsed.and_then(|note| {
        let own = note.signatures().iter().any(|it| it.name() == options.verifier_key.name());
        own.then(|| note.text().parse::<Checkpoint>().ok()).flatten()
    });
    let ours = signed.is_some();
    let signed = signed.or(by_another);
    // Only a size that was signed says which files there must be. Without one nothing more can be said.
    let size = signed.as_ref().map_or(0, Checkpoint::size);
    let row = CheckpointRow { size, note: note.clone() };
    let (last, _) = reach(&plan);
    let rows = std::iter::once(Ok(row));
    let examined = judge_rows(options, plan, size, folder.entries_from(last, size), rows);
    let report = &examined.report;
    let Some(signed) = signed.filter(|_| ours || report.verdict == Verdict::Good) else {
        return Ok(examined);
    };
    if report.finding.is_none() && report.verdict != Verdict::Good {
        // What could not be read, or what the auditor brought along, keeps the question open.
        return Ok(examined);
    }
    let finding = match folder.survey(&signed).map_err(read_error)? {
        Survey::Entry { index, missing } => {
            let (fault, found) =
                if missing { (Fault::Missing, "none") } else { (Fault::Edited, "other bytes") };
            let expected = "the entry that tiles and signed root commit to";
            Some(Finding::new(index, fault, expected, found))
        }
        Survey::Tile { path, index, missing } if report.verdict == Verdict::Good => {
            let found = if missing { "none" } else { "other bytes" };
            let expected = format!("{path} as the entries make it");
            Some(Finding::new(index, Fault::Edited, expected, found))
        }
        // What is wrong with the entries themselves comes first.
        Survey::Whole | Survey::Tile { .. } | Survey::Neither => None,
    };
    Ok(match finding {
        Some(finding) => {
            let report = examined.report.contradicted(finding);
            Examined { report, audited: None, distrusted: None, ..examined }
        }
        None => examined,
    })
}
