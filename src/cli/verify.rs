//! `vialedger verify`: whether a ledger file is what was signed, told from the file and the
//! verifier key alone; whether enough log cosigners signed it too; and in an export with identities
//! opened, whether each is the one that an entry commits to.

mod cosigned;
mod identities;

use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::Desk;
use super::cosigner::{ledger_key, read_policy};
use super::error::CliError;
use super::exit::Exit;
use super::output::fields;
use super::session::verifier_key;
use crate::audit::{Anchor, IdentityReport, Options, Registrations, Report, Verdict, audit};
use crate::store::{Evidence, LedgerFolder};
use crate::tlog::{SignedNote, TlogProof};
use cosigned::Cosigned;

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
/// In an export with identities opened, each is proved against the commitment in the entry that
/// registered the patient.
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

/// What was found out: about the evidence, and where that is good, about what came with it.
struct Examined {
    report: Report,
    /// Who cosigned its anchor; nobody where no policy asks.
    cosigned: Cosigned,
    identities: Option<IdentityReport>,
}

impl Examined {
    fn no_verdict(why: String) -> Self {
        Self { report: Report::no_verdict(why), cosigned: Vec::new(), identities: None }
    }

    /// The verdict on everything that was handed over.
    fn exit(&self) -> Exit {
        match (&self.report.verdict, &self.identities) {
            (Verdict::Good, Some(identities)) if !identities.holds() => Exit::No,
            (Verdict::Good, _) => Exit::Good,
            (Verdict::Bad, _) => Exit::No,
            (Verdict::None(_), _) => Exit::CouldNotTell,
        }
    }

    fn json(&self, asked: &VerifyArgs) -> Value {
        let mut value = json(&self.report);
        if let Some(told) = value.as_object_mut() {
            if asked.policy.is_some() {
                told.insert("cosigned".to_owned(), cosigned::json(&self.cosigned));
            }
            if let Some(found) = &self.identities {
                identities::add_json(found, told);
            }
        }
        value
    }

    fn text(&self, desk: &Desk) -> String {
        let evidence = text(&self.report) + &cosigned::text(&self.cosigned, desk);
        match &self.identities {
            Some(found) => identities::text(found, &evidence),
            None => evidence,
        }
    }
}

/// Verifies and tells.
pub(super) fn run(args: &VerifyArgs, desk: &Desk) -> Result<Exit, CliError> {
    // Whatever keeps the audit from being made leaves the question open: that is no verdict, not an
    // error.
    let examined =
        examine(args, desk).unwrap_or_else(|error| Examined::no_verdict(error.to_string()));
    desk.out.value(&examined.json(args), || examined.text(desk))?;
    Ok(examined.exit())
}

fn examine(args: &VerifyArgs, desk: &Desk) -> Result<Examined, CliError> {
    let given = desk.global.vkey.as_deref();
    let policy = args.policy.as_deref().map(read_policy).transpose()?;
    let verifier_key = match &policy {
        Some(policy) => ledger_key(policy, given)?,
        None => verifier_key(given, None)?,
    };
    let checkpoint = match (args.checkpoint.as_deref().map(checkpoint).transpose()?, &policy) {
        (None, Some(policy)) if policy.asks_for_cosignatures() => {
            cosigned::newest_under(policy, &args.ledger)?
        }
        (given, _) => given,
    };
    let under =
        policy.map_or(Ok(Vec::new()), |policy| cosigned::under(&policy, checkpoint.as_ref()));
    let mut registrations = Registrations::default();
    let report =
        audit_ledger(&args.ledger, &Options { verifier_key, checkpoint }, &mut registrations)?;
    // Only good evidence says which identities there are.
    let identities = match report.verdict {
        Verdict::Good => Some(identities::prove(&args.ledger, &registrations)?),
        _ => None,
    };
    let good = identities.as_ref().is_some_and(IdentityReport::holds);
    // What is bad is bad whoever cosigned it; good evidence is not good enough.
    match under {
        Ok(cosigned) => Ok(Examined { report, cosigned, identities }),
        Err(why) if good => Ok(Examined::no_verdict(why)),
        Err(_) => Ok(Examined { report, cosigned: Vec::new(), identities }),
    }
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
