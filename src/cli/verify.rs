//! `vialedger verify`: whether a ledger file is what was signed, told from the file and the
//! verifier key alone; and in an export with identities opened, whether each is the one that an
//! entry commits to.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::Desk;
use super::error::CliError;
use super::exit::Exit;
use super::export::IDENTITIES_FILE;
use super::output::fields;
use super::session::verifier_key;
use crate::audit::{
    Anchor, IDENTITY_DIFFERS, IdentityProof, IdentityReport, MAX_LINE_BYTES, Options,
    Registrations, Report, Verdict, audit,
};
use crate::store::{Evidence, LedgerFolder};
use crate::tlog::{SignedNote, TlogProof};

/// Verify a ledger, without any server.
///
/// Every entry's bytes, chain, signature and meaning are checked, and every checkpoint. The
/// verifier key (--vkey) must come from outside the ledger's folder, from whoever keeps the
/// ledger's word: a key from beside the evidence proves nothing about who made it.
///
/// In an export with identities opened, each is proved against the commitment in the entry that
/// registered the patient.
///
/// Exit status: 0 good; 1 the evidence is bad; 2 no verdict possible.
#[derive(Args, Debug)]
pub struct VerifyArgs {
    /// The ledger's database, or the folder that it is in
    ledger: PathBuf,
    /// A checkpoint or a receipt that was kept elsewhere: excludes a tail that was cut off
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
}

/// What was found out: about the evidence, and where that is good, about the identities.
struct Examined {
    report: Report,
    identities: Option<IdentityReport>,
}

impl Examined {
    /// The verdict on everything that was handed over.
    fn exit(&self) -> Exit {
        match (&self.report.verdict, &self.identities) {
            (Verdict::Good, Some(identities)) if !identities.holds() => Exit::No,
            (Verdict::Good, _) => Exit::Good,
            (Verdict::Bad, _) => Exit::No,
            (Verdict::None(_), _) => Exit::CouldNotTell,
        }
    }
}

/// Verifies and tells.
pub(super) fn run(args: &VerifyArgs, desk: &Desk) -> Result<Exit, CliError> {
    // Whatever keeps the audit from being made leaves the question open: that is no verdict, not an
    // error.
    let examined = examine(args, desk).unwrap_or_else(|error| Examined {
        report: Report::no_verdict(error.to_string()),
        identities: None,
    });
    desk.out.value(&examined_json(&examined), || examined_text(&examined))?;
    Ok(examined.exit())
}

fn examine(args: &VerifyArgs, desk: &Desk) -> Result<Examined, CliError> {
    let verifier_key = verifier_key(desk.global.vkey.as_deref(), None)?;
    let checkpoint = args.checkpoint.as_deref().map(checkpoint).transpose()?;
    let mut registrations = Registrations::default();
    let report =
        audit_ledger(&args.ledger, &Options { verifier_key, checkpoint }, &mut registrations)?;
    // Only good evidence says which identities there are.
    let identities = match report.verdict {
        Verdict::Good => Some(prove_identities(&args.ledger, &registrations)?),
        _ => None,
    };
    Ok(Examined { report, identities })
}

/// Audits a ledger's database, or the one in a folder, with nothing but what the auditor brings along.
pub(super) fn judge(ledger: &Path, options: &Options) -> Result<Report, CliError> {
    audit_ledger(ledger, options, &mut Registrations::default())
}

/// The same, and notes which patients are registered on the way.
fn audit_ledger(
    ledger: &Path,
    options: &Options,
    registrations: &mut Registrations,
) -> Result<Report, CliError> {
    let path =
        if ledger.is_dir() { LedgerFolder::new(ledger).database() } else { ledger.to_owned() };
    let unreadable = |error: &dyn ToString| {
        CliError::Data(format!("{} cannot be read: {}", path.display(), error.to_string()))
    };
    let evidence = Evidence::open(&path).map_err(|error| unreadable(&error))?;
    let size = evidence.size_hint().map_err(|error| unreadable(&error))?;
    let bar = progress_bar(size);
    let entries = evidence.entries().inspect(|row| {
        if let Ok(row) = row {
            registrations.see(row.index, &row.entry);
        }
    });
    let report = audit(options, entries, evidence.checkpoints(), |done| {
        bar.set_position(done);
    });
    bar.finish_and_clear();
    Ok(report)
}

/// Proves the identities that lie opened beside the evidence, if any do.
fn prove_identities(
    ledger: &Path,
    registrations: &Registrations,
) -> Result<IdentityReport, CliError> {
    let mut proof = IdentityProof::new(registrations);
    let path = ledger.join(IDENTITIES_FILE);
    if !path.exists() {
        return Ok(proof.finish());
    }
    let failed = |source| CliError::Read { path: path.clone(), source };
    let mut file = BufReader::new(File::open(&path).map_err(failed)?);
    // One byte more than a line may have, so that a longer one is seen to be longer. What is left
    // of it are lines that do not hold either.
    let most = u64::try_from(MAX_LINE_BYTES).unwrap_or(u64::MAX).saturating_add(2);
    let mut line = Vec::new();
    while file.by_ref().take(most).read_until(b'\n', &mut line).map_err(failed)? > 0 {
        proof.line(line.strip_suffix(b"\n").unwrap_or(&line));
        line.clear();
    }
    Ok(proof.finish())
}

fn examined_json(examined: &Examined) -> Value {
    let mut value = json(&examined.report);
    let Some(found) = &examined.identities else { return value };
    let wrong: Vec<Value> = found
        .findings
        .iter()
        .map(|finding| {
            let patients: Vec<String> = finding.patients.iter().map(ToString::to_string).collect();
            json!({ "line": finding.line, "patients": patients, "finding": finding.what })
        })
        .collect();
    if let Value::Object(fields) = &mut value {
        let identities = json!({
            "registered": found.registered,
            "opened": found.opened,
            "withheld": found.withheld,
            "wrong": found.wrong,
            "findings": wrong,
        });
        fields.insert("identities".to_owned(), identities);
        if !found.holds() {
            fields.insert("verdict".to_owned(), json!("bad"));
            fields.insert("fault".to_owned(), json!(IDENTITY_DIFFERS));
        }
    }
    value
}

fn examined_text(examined: &Examined) -> String {
    let evidence = text(&examined.report);
    match &examined.identities {
        Some(found) if !found.holds() => {
            let findings: Vec<String> = found.findings.iter().map(ToString::to_string).collect();
            let (wrong, registered) = (found.wrong, found.registered);
            format!(
                "BAD. Of the opened identities, {wrong} {} what an entry commits to \
                 ({IDENTITY_DIFFERS}):\n  {}\nOf {registered} registered, {} were opened and hold, \
                 {} are withheld. The evidence without the identities:\n{evidence}",
                if wrong == 1 { "is not" } else { "are not" },
                findings.join("\n  "),
                found.opened,
                found.withheld,
            )
        }
        Some(found) if found.registered > 0 => {
            let (opened, withheld) = (found.opened, found.withheld);
            let told = format!(
                "{opened} opened, each the one that its entry commits to; {withheld} withheld"
            );
            format!("{evidence}{}", fields(&[("Identities", &told)]))
        }
        _ => evidence,
    }
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
    };
    let finding = report.finding.as_ref();
    json!({
        "verdict": verdict,
        "why": why,
        "entries": report.entries,
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
            format!("Good. All {entries} entries and {checkpoints} checkpoints hold.{facts}")
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
