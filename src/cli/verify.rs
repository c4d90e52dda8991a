//! `vialedger verify`: whether a ledger's files are what was signed, told from the files and the
//! verifier key alone; whether enough log cosigners signed it too; and in an export with identities
//! opened, whether each is the one that an entry commits to.

mod bundle;
mod cosigned;
mod distrust;
mod evidence;
mod identities;
mod report;
mod saved;
mod shown;

use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::cosigner::{ledger_key, read_policy};
use super::error::CliError;
use super::exit::Exit;
use super::session::verifier_key;
use super::{Desk, parse};
use crate::audit::{
    self, Audited, Distrusted, Explanation, IdentityReport, Options, Plan, Report, Verdict,
};
use crate::names::EntryName;
use crate::tlog::{SignedNote, TlogProof};
use cosigned::Cosigned;
pub(super) use report::{json, text};
use shown::Shown;

/// Verify a ledger, or a bundle of some of its entries, without any server.
///
/// Every entry's bytes, chain, signature and meaning are checked, and every checkpoint. The
/// verifier key (--vkey) must come from outside the ledger's folder, from whoever keeps the
/// ledger's word: a key from beside the evidence proves nothing about who made it.
///
/// With --policy, the checkpoint must also bear as many log cosigners' signatures as the policy asks for: then no other
/// history with this key can have been shown to them. Without --checkpoint, the newest such one from the folder
/// `cosignatures` beside the database is taken; the cosigners' keys come from the policy, not from there.
///
/// Of a bundle that is not the whole ledger, each entry's bytes, place, signature, key and role are checked; the rules
/// are not run again, since that takes every entry before.
///
/// In an export with identities opened, each is proved against the commitment in the entry that
/// registered the patient.
///
/// With --distrust-key, what rests on a key that may have been in other hands is listed as well.
///
/// Exit status: 0 good; 1 the evidence is bad; 2 no verdict possible, also where cosignatures are missing.
#[derive(Args, Debug)]
pub struct VerifyArgs {
    /// The ledger's database, the folder that it is in, an export of the evidence, exported tiles, or a bundle
    ledger: PathBuf,
    /// A checkpoint or a receipt that was kept elsewhere: excludes a tail that was cut off
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Policy file (c2sp.org/tlog-policy): which log cosigners must have signed the checkpoint
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
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
    #[command(flatten)]
    distrust: distrust::DistrustArgs,
}

/// What was found out: about the evidence, and where that is good, about what came with it.
struct Examined {
    report: Report,
    /// Who cosigned its anchor; nobody where no policy asks.
    cosigned: Cosigned,
    identities: Option<IdentityReport>,
    /// The entry that was asked about, where it was found good.
    explanation: Option<Explanation>,
    /// Where the audit ended, if all that was asked of it is good.
    audited: Option<Audited>,
    /// What rests on the key that is not relied on.
    distrusted: Option<Distrusted>,
    /// What more there is to say of a bundle.
    bundle: Option<Box<bundle::Found>>,
}

impl Examined {
    fn no_verdict(why: String) -> Self {
        Self::of(Report::no_verdict(why))
    }

    /// A report, and nothing else.
    fn of(report: Report) -> Self {
        Self::by(audit::Examined { report, explanation: None, audited: None, distrusted: None })
    }

    /// What an audit found.
    fn by(examined: audit::Examined) -> Self {
        let audit::Examined { report, explanation, audited, distrusted } = examined;
        let cosigned = Vec::new();
        let (identities, bundle) = (None, None);
        Self { report, cosigned, identities, explanation, audited, distrusted, bundle }
    }

    /// The verdict on everything that was handed over.
    fn exit(&self, asked: Option<u64>) -> Exit {
        match (&self.report.verdict, &self.identities) {
            (Verdict::Good, Some(identities)) if !identities.holds() => Exit::No,
            (Verdict::Good, _) if self.distrusted.as_ref().is_some_and(|it| !it.is_empty()) => {
                Exit::No
            }
            // The question was about an entry that is not there.
            (Verdict::Good, _) if asked.is_some() && self.explanation.is_none() => {
                Exit::CouldNotTell
            }
            (Verdict::Good, _) => Exit::Good,
            (Verdict::Bad, _) => Exit::No,
            (Verdict::None(_), _) => Exit::CouldNotTell,
        }
    }

    fn shown(&self, asked: Option<u64>) -> Option<Shown<'_>> {
        let (explanation, report) = (self.explanation.as_ref(), &self.report);
        asked.map(|index| Shown { index, explanation, report })
    }

    fn json(&self, args: &VerifyArgs, asked: Option<u64>) -> Result<Value, CliError> {
        let mut value = json(&self.report);
        if let Some(told) = value.as_object_mut() {
            if args.policy.is_some() {
                told.insert("cosigned".to_owned(), cosigned::json(&self.cosigned));
            }
            if let Some(found) = &self.identities {
                identities::add_json(found, told);
            }
            if let Some(bundle) = &self.bundle {
                bundle.add_json(told);
            }
            if let Some(found) = &self.distrusted {
                distrust::add_json(found, told);
            }
            if let Some(shown) = self.shown(asked) {
                told.insert("explained".to_owned(), shown.json()?);
            }
        }
        Ok(value)
    }

    /// The evidence's verdict in words, with what came with it.
    fn told(&self, evidence: &str, desk: &Desk) -> String {
        let evidence = evidence.to_owned() + &cosigned::text(&self.cosigned, desk);
        match &self.identities {
            Some(found) => identities::text(found, &evidence),
            None => evidence,
        }
    }

    fn text(&self, asked: Option<u64>, desk: &Desk) -> String {
        let all = match &self.bundle {
            Some(bundle) => bundle.text(self, desk),
            None => self.told(&text(&self.report), desk),
        };
        let all = match &self.distrusted {
            Some(found) => format!("{all}\n\n{}", distrust::text(found, &self.report)),
            None => all,
        };
        match self.shown(asked) {
            Some(shown) => format!("{}\n\n{all}", shown.text()),
            None => all,
        }
    }
}

/// Verifies and tells.
pub(super) fn run(args: &VerifyArgs, desk: &Desk) -> Result<Exit, CliError> {
    let asked = args.explain.as_deref().map(str::parse).transpose();
    let asked = asked.map_err(|_| CliError::Usage("expected entries/17 or 17".to_owned()))?;
    let asked = asked.map(|EntryName(index)| index);
    // Whatever keeps the audit from being made leaves the question open: that is no verdict, not an
    // error.
    let examined =
        examine(args, asked, desk).unwrap_or_else(|error| Examined::no_verdict(error.to_string()));
    if let (Some(path), Some(audited)) = (&args.save, &examined.audited) {
        saved::write(path, audited)?;
    }
    desk.out.value(&examined.json(args, asked)?, || examined.text(asked, desk))?;
    Ok(examined.exit(asked))
}

fn examine(args: &VerifyArgs, asked: Option<u64>, desk: &Desk) -> Result<Examined, CliError> {
    let given = desk.global.vkey.as_deref();
    let policy = args.policy.as_deref().map(read_policy).transpose()?;
    let verifier_key = match &policy {
        Some(policy) => ledger_key(policy, given)?,
        None => verifier_key(given, None)?,
    };
    let given = args.checkpoint.as_deref().map(checkpoint).transpose()?;
    if bundle::is_one(&args.ledger) {
        let options = Options { verifier_key, checkpoint: given };
        return bundle::judge(args, &options, policy.as_ref(), asked);
    }
    let checkpoint = match (given, &policy) {
        (None, Some(policy)) if policy.asks_for_cosignatures() => {
            cosigned::newest_under(policy, &args.ledger)?
        }
        (given, _) => given,
    };
    let under =
        policy.map_or(Ok(Vec::new()), |policy| cosigned::under(&policy, checkpoint.as_ref()));
    let since = args.since.as_deref().map(saved::read).transpose()?;
    let distrust = args.distrust.read(desk.clock.now())?;
    let options = Options { verifier_key, checkpoint };
    let plan = Plan { explain: asked, since, distrust };
    let mut examined = Examined::by(evidence::judge(&args.ledger, &options, plan)?);
    // Only good evidence says which identities there are.
    let registered = examined.audited.as_ref().map(Audited::registrations);
    let identities = registered.map(|registered| identities::prove(&args.ledger, &registered));
    examined.identities = identities.transpose()?;
    let holds = examined.identities.as_ref().is_some_and(IdentityReport::holds);
    let good = examined.audited.is_some() && holds;
    examined.audited = examined.audited.filter(|_| good);
    // What is bad is bad whoever cosigned it; good evidence is not good enough.
    match under {
        Ok(cosigned) => Ok(Examined { cosigned, ..examined }),
        Err(why) if good => Ok(Examined::no_verdict(why)),
        Err(_) => Ok(Examined { audited: None, ..examined }),
    }
}

/// Audits a ledger's files with nothing but what the auditor brings along.
pub(super) fn judge(ledger: &Path, options: &Options) -> Result<Report, CliError> {
    Ok(evidence::judge(ledger, options, Plan::default())?.report)
}

/// A bar on standard error for long work, shown only on a terminal.
pub(super) fn progress_bar(length: u64) -> ProgressBar {
    let template = "{bar:40} {human_pos} of {human_len} entries, {per_sec}, {eta} left";
    let style = ProgressStyle::with_template(template).expect("the template is a constant");
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
