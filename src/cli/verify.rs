//! `vialedger verify`: whether a ledger file is what was signed, told from the file and the
//! verifier key alone.

use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::Desk;
use super::cosigner::{age, ledger_key, read_policy};
use super::error::CliError;
use super::exit::Exit;
use super::output::fields;
use super::session::verifier_key;
use crate::audit::{Anchor, Options, Report, Verdict, audit};
use crate::cosigner::{Cosignatures, clock_seconds};
use crate::store::{Evidence, LedgerFolder};
use crate::tlog::{Policy, SignedNote, TlogProof};

/// Verify a ledger, without any server.
///
/// Every entry's bytes, chain, signature and meaning are checked, and every checkpoint. The
/// verifier key (--vkey) must come from outside the ledger's folder, from whoever keeps the
/// ledger's word: a key from beside the evidence proves nothing about who made it.
///
/// With --policy, the checkpoint must also bear as many log cosigners' signatures as the policy asks for: then no other
/// history with this key can have been shown to them. Without --checkpoint, the newest such one from the folder
/// `cosignatures` beside the database is taken; the cosigners' keys come from the policy, not from there.
///
/// Exit status: 0 good; 1 the evidence is bad; 2 no verdict possible, also where cosignatures are missing.
#[derive(Args, Debug)]
pub struct VerifyArgs {
    /// The ledger's database, or the folder that it is in
    ledger: PathBuf,
    /// A checkpoint or a receipt that was kept elsewhere: excludes a tail that was cut off
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Policy file (c2sp.org/tlog-policy): which log cosigners must have signed the checkpoint
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

/// Verifies and tells.
pub(super) fn run(args: &VerifyArgs, desk: &Desk) -> Result<Exit, CliError> {
    // Whatever keeps the audit from being made leaves the question open: that is no verdict, not an
    // error.
    let (report, cosigned) = examine(args, desk)
        .unwrap_or_else(|error| (Report::no_verdict(error.to_string()), Vec::new()));
    let mut value = json(&report);
    if let Some(fields) = value.as_object_mut().filter(|_| args.policy.is_some()) {
        let by: Vec<_> =
            cosigned.iter().map(|(name, time)| json!({ "name": name, "time": time })).collect();
        fields.insert("cosigned".to_owned(), json!(by));
    }
    desk.out.value(&value, || text(&report) + &cosigned_text(&cosigned, desk))?;
    Ok(match report.verdict {
        Verdict::Good => Exit::Good,
        Verdict::Bad => Exit::No,
        Verdict::None(_) => Exit::CouldNotTell,
    })
}

/// A report, and who cosigned its anchor by the names of the policy, and when.
type Examined = (Report, Vec<(String, u64)>);

fn examine(args: &VerifyArgs, desk: &Desk) -> Result<Examined, CliError> {
    let given = desk.global.vkey.as_deref();
    let checkpoint = args.checkpoint.as_deref().map(checkpoint).transpose()?;
    let Some(policy) = args.policy.as_deref().map(read_policy).transpose()? else {
        let verifier_key = verifier_key(given, None)?;
        let report = judge(&args.ledger, &Options { verifier_key, checkpoint })?;
        return Ok((report, Vec::new()));
    };
    let verifier_key = ledger_key(&policy, given)?;
    let checkpoint = match checkpoint {
        Some(checkpoint) => Some(checkpoint),
        None if policy.asks_for_cosignatures() => newest_under(&policy, &args.ledger)?,
        None => None,
    };
    let under = under(&policy, checkpoint.as_ref());
    let report = judge(&args.ledger, &Options { verifier_key, checkpoint })?;
    // Bad evidence is bad whoever cosigned it; good evidence is not good enough.
    match under {
        Ok(cosigned) => Ok((report, cosigned)),
        Err(why) if report.verdict == Verdict::Good => Ok((Report::no_verdict(why), Vec::new())),
        Err(_) => Ok((report, Vec::new())),
    }
}

/// Who cosigned a checkpoint, if that is enough for a policy.
fn under(policy: &Policy, checkpoint: Option<&SignedNote>) -> Result<Vec<(String, u64)>, String> {
    let Some(checkpoint) = checkpoint else {
        let none =
            "no checkpoint with the cosignatures that the policy asks for: give --checkpoint";
        return if policy.asks_for_cosignatures() { Err(none.to_owned()) } else { Ok(Vec::new()) };
    };
    if !policy.logs().is_empty() {
        policy.checkpoint(checkpoint).map_err(|error| error.to_string())?;
    }
    let report = policy.cosignatures(checkpoint).map_err(|error| error.to_string())?;
    if report.quorum {
        return Ok(report.cosigned);
    }
    let by: Vec<_> = report.cosigned.into_iter().map(|(name, _)| name).collect();
    let by = if by.is_empty() { "nobody in it".to_owned() } else { by.join(", ") };
    Err(format!("the checkpoint has fewer cosignatures than the policy asks for: by {by}"))
}

fn newest_under(policy: &Policy, ledger: &Path) -> Result<Option<SignedNote>, CliError> {
    let newest = Cosignatures::beside(ledger).newest_under(policy);
    let newest = newest.map_err(|error| CliError::Data(error.to_string()))?;
    Ok(newest.map(|(note, _)| note))
}

fn cosigned_text(cosigned: &[(String, u64)], desk: &Desk) -> String {
    let now = clock_seconds(&desk.clock);
    let by = |(name, time): &(String, u64)| format!("{name} (age: {})", age(now, *time));
    let by: Vec<_> = cosigned.iter().map(by).collect();
    if by.is_empty() { String::new() } else { format!("\n  Cosigned by {}", by.join(", ")) }
}

/// Audits a ledger's database, or the one in a folder, with nothing but what the auditor brings along.
pub(super) fn judge(ledger: &Path, options: &Options) -> Result<Report, CliError> {
    let path =
        if ledger.is_dir() { LedgerFolder::new(ledger).database() } else { ledger.to_owned() };
    let unreadable = |error: &dyn ToString| {
        CliError::Data(format!("{} cannot be read: {}", path.display(), error.to_string()))
    };
    let evidence = Evidence::open(&path).map_err(|error| unreadable(&error))?;
    let size = evidence.size_hint().map_err(|error| unreadable(&error))?;
    let bar = progress_bar(size);
    let report = audit(options, evidence.entries(), evidence.checkpoints(), |done| {
        bar.set_position(done);
    });
    bar.finish_and_clear();
    Ok(report)
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
