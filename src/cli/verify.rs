//! `vialedger verify`: whether a ledger file is what was signed, told from the file and the
//! verifier key alone.

mod saved;
mod shown;

use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::error::CliError;
use super::exit::Exit;
use super::files::{Files, read_error};
use super::output::fields;
use super::session::verifier_key;
use super::{Desk, parse};
use crate::audit::{
    Anchor, Audited, CheckpointRow, EntryRow, EvidenceError, Examined, Fault, Finding, Options,
    Plan, Report, Verdict, examine,
};
use crate::names::EntryName;
use crate::tiles::{Folder, Survey};
use crate::tlog::{Checkpoint, SignedNote, TlogProof};
use shown::Shown;

/// Verify a ledger, without any server.
///
/// Every entry's bytes, chain, signature and meaning are checked, and every checkpoint. The
/// verifier key (--vkey) must come from outside the ledger's folder, from whoever keeps the
/// ledger's word: a key from beside the evidence proves nothing about who made it.
///
/// Exit status: 0 good; 1 the evidence is bad; 2 no verdict possible.
#[derive(Args, Debug)]
pub struct VerifyArgs {
    /// The ledger's database, the folder that it is in, or exported tiles
    ledger: PathBuf,
    /// A checkpoint or a receipt that was kept elsewhere: excludes a tail that was cut off
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Show one entry in full as well: who, what, when, with which right, and why it holds
    #[arg(long, value_name = "INDEX", value_parser = parse::entry)]
    explain: Option<String>,
    /// Go on from an audit that was saved with --save: what it found good is not read again, and only what was added is
    #[arg(long, value_name = "FILE")]
    since: Option<PathBuf>,
    /// Save where this audit ended, if its verdict is good, for the next one's --since. Keep the file where the ledger's
    /// operator cannot write: the next audit believes it
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
}

/// Verifies and tells.
pub(super) fn run(args: &VerifyArgs, desk: &Desk) -> Result<Exit, CliError> {
    let asked = args.explain.as_deref().map(str::parse).transpose();
    let asked = asked.map_err(|_| CliError::Usage("expected entries/17 or 17".to_owned()))?;
    let asked = asked.map(|EntryName(index)| index);
    // Whatever keeps the audit from being made leaves the question open: that is no verdict, not an
    // error.
    let Examined { report, explanation, audited } =
        look(args, asked, desk).unwrap_or_else(|error| Examined::no_verdict(error.to_string()));
    if let (Some(path), Some(audited)) = (&args.save, &audited) {
        saved::write(path, audited)?;
    }
    let shown = asked.map(|index| Shown { index, explanation, report: &report });
    let mut value = json(&report);
    if let (Some(shown), Some(value)) = (&shown, value.as_object_mut()) {
        value.insert("explained".to_owned(), shown.json()?);
    }
    desk.out.value(&value, || match &shown {
        None => text(&report),
        Some(shown) => format!("{}\n\n{}", shown.text(), text(&report)),
    })?;
    Ok(match report.verdict {
        Verdict::Bad => Exit::No,
        // The question was about an entry that is not there.
        Verdict::Good if shown.is_some_and(|shown| shown.explanation.is_none()) => {
            Exit::CouldNotTell
        }
        Verdict::Good => Exit::Good,
        Verdict::None(_) => Exit::CouldNotTell,
    })
}

fn look(args: &VerifyArgs, asked: Option<u64>, desk: &Desk) -> Result<Examined, CliError> {
    let verifier_key = verifier_key(desk.global.vkey.as_deref(), None)?;
    let checkpoint = args.checkpoint.as_deref().map(checkpoint).transpose()?;
    let since = args.since.as_deref().map(saved::read).transpose()?;
    let plan = Plan { explain: asked, since };
    judge_files(&args.ledger, &Options { verifier_key, checkpoint }, plan)
}

/// Audits a ledger's files with nothing but what the auditor brings along.
pub(super) fn judge(ledger: &Path, options: &Options) -> Result<Report, CliError> {
    Ok(judge_files(ledger, options, Plan::default())?.report)
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
    let done = examine(options, plan, entries, checkpoints, |done| bar.set_position(done));
    bar.finish_and_clear();
    done
}

/// Audits exported tiles: the entries under the one checkpoint, and whether the tiles are theirs. The latter looks at all
/// entries, since hashing them is cheap.
fn judge_tiles(folder: &Folder, options: &Options, plan: Plan) -> Result<Examined, CliError> {
    let note = folder.checkpoint();
    let signed = SignedNote::parse(note)
        .ok()
        .and_then(|note| Checkpoint::verify(&note, &options.verifier_key).ok());
    // Only a size that was signed says which files there must be. Without one nothing more can be said.
    let size = signed.as_ref().map_or(0, Checkpoint::size);
    let row = CheckpointRow { size, note: note.clone() };
    let (last, _) = reach(&plan);
    let rows = std::iter::once(Ok(row));
    let examined = judge_rows(options, plan, size, folder.entries_from(last, size), rows);
    let report = &examined.report;
    let Some(signed) = signed else { return Ok(examined) };
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
            Examined { report, audited: None, ..examined }
        }
        None => examined,
    })
}

/// A bar on standard error for long work, shown only on a terminal.
pub(super) fn progress_bar(length: u64) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{bar:40} {human_pos} of {human_len} entries, {eta} left")
            .expect("the template is a constant");
    ProgressBar::new(length).with_style(style)
}

/// A checkpoint from outside: a signed note, or the one in a receipt.
pub(super) fn checkpoint(path: &Path) -> Result<SignedNote, CliError> {
    let bytes =
        std::fs::read(path).map_err(|source| CliError::Read { path: path.to_owned(), source })?;
    // An editor, or a shell, may have left empty lines at the end, or taken the last newline away.
    let bytes = [bytes.trim_ascii_end(), b"\n"].concat();
    // A proof first: its lines before the checkpoint would pass for a note's text.
    match TlogProof::parse(&bytes) {
        Ok(proof) => Ok(proof.note().clone()),
        Err(_) => SignedNote::parse(&bytes)
            .map_err(|error| CliError::Data(format!("{}: {error}", path.display()))),
    }
}

pub(super) fn json(report: &Report) -> Value {
    let (verdict, why) = match &report.verdict {
        Verdict::Good => ("good", None),
        Verdict::Bad => ("bad", None),
        Verdict::None(why) => ("none", Some(why)),
    };
    let anchor = match report.anchor {
        Anchor::None => json!({ "kind": "none" }),
        Anchor::Checkpoint { size } => json!({ "kind": "checkpoint", "size": size }),
        Anchor::Audit { size } => json!({ "kind": "audit", "size": size }),
    };
    let finding = report.finding.as_ref();
    json!({
        "verdict": verdict,
        "why": why,
        "entries": report.entries,
        "since": report.since,
        "checkpoints": report.checkpoints,
        "anchor": anchor,
        "first_bad_index": finding.map(|finding| finding.index),
        "fault": finding.map(|finding| finding.fault.name()),
        "expected": finding.map(|finding| &finding.expected),
        "found": finding.map(|finding| &finding.found),
        "trusted_entries": report.trusted,
        "root": report.root.map(|root| root.to_string()),
    })
}

pub(super) fn text(report: &Report) -> String {
    let anchor = match report.anchor {
        Anchor::Checkpoint { size } if report.verdict == Verdict::Good => {
            format!("your checkpoint of {size} entries: up to there nothing was cut off at the end")
        }
        Anchor::Checkpoint { size } => format!("your checkpoint of {size} entries"),
        Anchor::Audit { size } if report.verdict == Verdict::Good => {
            format!("your audit of {size} entries: up to there nothing was cut off at the end")
        }
        Anchor::Audit { size } => format!("your audit of {size} entries"),
        Anchor::None => "none from outside, so entries cut off at the end cannot be excluded; \
                         --checkpoint with a checkpoint or receipt kept elsewhere would tell"
            .to_owned(),
    };
    let (entries, checkpoints) = (report.entries, report.checkpoints);
    match (&report.verdict, &report.finding) {
        (Verdict::Good, _) => {
            let root = report.root.map(|root| root.to_string()).unwrap_or_default();
            let checked = "bytes, chain, signatures, rules, balances";
            let facts = fields(&[("Checked", &checked), ("Root", &root), ("Anchor", &anchor)]);
            match report.since {
                0 => format!(
                    "Good. All {entries} entries and {checkpoints} checkpoints hold.{facts}"
                ),
                since => format!(
                    "Good. {} entries and {checkpoints} checkpoints were added and hold. The {since} before them are \
                     those of your saved audit, and were not read again.{facts}",
                    entries - since
                ),
            }
        }
        (Verdict::Bad, Some(finding)) => {
            let facts = fields(&[
                ("Expected", &finding.expected),
                ("Found", &finding.found),
                ("Trust", &trusted(report.trusted)),
                ("Anchor", &anchor),
            ]);
            format!("BAD. Entry {}: {}.{facts}", finding.index, finding.fault)
        }
        (Verdict::Bad, None) => "BAD.".to_owned(),
        (Verdict::None(why), Some(finding)) => format!("No verdict: {why}.\n  {finding}"),
        (Verdict::None(why), None) => format!("No verdict: {why}"),
    }
}

fn trusted(entries: u64) -> String {
    match entries.checked_sub(1) {
        None => "nothing in this ledger".to_owned(),
        Some(0) => "entry 0 and nothing after it".to_owned(),
        Some(last) => format!("entries 0 to {last} and nothing after them"),
    }
}
