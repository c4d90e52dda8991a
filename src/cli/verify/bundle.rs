//! A bundle: some of a ledger's entries, or all, in one file.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use serde_json::{Map, Value, json};

use super::{Examined, VerifyArgs, cosigned};
use crate::audit::{
    Anchor, CheckpointRow, EntryRow, EvidenceError, Fault, Finding, IdentityProof, IdentityReport,
    Options, Plan, Registrations, Report, Verdict, examine, on_the_pool,
};
use crate::bundle::{BundleReport, Checker, Header, Line, MAX_LINE_BYTES, is_head};
use crate::cli::Desk;
use crate::cli::error::CliError;
use crate::cli::output::fields;
use crate::tlog::{Checkpoint, Policy};

/// Bytes of a file's end that are looked at for the last line's beginning.
const TAIL_BYTES: u64 = 1024;

/// Whether a file is a bundle, be it one with a changed byte or a cut-off end.
pub(super) fn is_one(path: &Path) -> bool {
    let looked = || -> io::Result<bool> {
        if !path.metadata()?.is_file() {
            return Ok(false);
        }
        let mut file = File::open(path)?;
        let (mut head, mut tail) = (Vec::new(), Vec::new());
        file.by_ref().take(64).read_to_end(&mut head)?;
        let length = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
        file.read_to_end(&mut tail)?;
        let tail = tail.strip_suffix(b"\n").unwrap_or(&tail);
        let last = tail.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        Ok(is_head(&head, last))
    };
    looked().unwrap_or(false)
}

/// What was found of a bundle, besides what is told of every ledger.
pub(super) struct Found {
    pub(super) report: BundleReport,
    /// Whether all entries of the ledger are in it, and were audited.
    whole: bool,
}

/// Verifies a bundle with what the auditor brings along.
pub(super) fn judge(
    args: &VerifyArgs,
    options: &Options,
    policy: Option<&Policy>,
    explain: Option<u64>,
) -> Result<Examined, CliError> {
    if args.since.is_some() || args.save.is_some() || args.distrust.is_asked() {
        let why = "--since, --save and --distrust-key are for ledgers: verify the ledger itself";
        return Err(CliError::Usage(why.to_owned()));
    }
    let mut checker = Checker::new(&options.verifier_key);
    for line in lines(&args.ledger)? {
        let (line, cut) = line.map_err(read_failed(&args.ledger))?;
        checker.line(&line, cut);
    }
    let (report, registrations) = checker.finish();
    let whole = report.header.as_ref().is_some_and(Header::is_whole);
    let mut examined = if whole && report.checkpoint.is_some() {
        audit(&args.ledger, &report, options, explain)?
    } else {
        Examined::of(shown(&report, options))
    };
    if let Some(finding) = &report.finding
        && examined.report.verdict != Verdict::Bad
    {
        let index = finding.index.unwrap_or(0);
        let of = Finding::new(index, finding.fault, &finding.expected, &finding.found);
        let report = examined.report.contradicted(of);
        examined = Examined { report: Report { trusted: 0, ..report }, ..examined };
    }
    let registrations = match &examined.audited {
        Some(audited) => audited.registrations(),
        None => registrations,
    };
    if examined.report.verdict == Verdict::Good {
        examined.identities = Some(prove(&report.identities, &registrations));
        let under = policy.map(|policy| cosigned::under(policy, report.note.as_ref()));
        match under.transpose() {
            Ok(cosigned) => examined.cosigned = cosigned.unwrap_or_default(),
            Err(why) => examined = Examined::no_verdict(why),
        }
    }
    Ok(Examined { bundle: Some(Box::new(Found { report, whole })), ..examined })
}

/// The verdict on a bundle of some entries, in the shape of every verdict.
fn shown(found: &BundleReport, options: &Options) -> Report {
    let mut report = Report::no_verdict(String::new());
    report.entries = found.entries;
    report.checkpoints = u64::from(found.checkpoint.is_some());
    report.root = found.checkpoint.as_ref().map(Checkpoint::root);
    report.verdict = match &found.verdict {
        // The finding is put in by the caller.
        Verdict::Bad => Verdict::Good,
        verdict => verdict.clone(),
    };
    let outside = options.checkpoint.as_ref().and_then(|note| {
        // It may be of the time of another key of the ledger's.
        let keys = found.ledger_keys.iter().rev();
        let yours = Checkpoint::verify(note, &options.verifier_key);
        let yours = keys.fold(yours, |yours, key| yours.or_else(|_| Checkpoint::verify(note, key)));
        Some((yours, found.checkpoint.as_ref()?))
    });
    match outside {
        None => {}
        Some((Err(error), _)) => {
            report.verdict = Verdict::None(format!("the given checkpoint is of no use: {error}"));
        }
        Some((Ok(yours), theirs)) if yours.size() != theirs.size() => {
            let (yours, theirs) = (yours.size(), theirs.size());
            report.verdict = Verdict::None(format!(
                "your checkpoint is of {yours} entries and the bundle's of {theirs}: only the whole ledger, or a proof of \
                 consistency, can compare them"
            ));
        }
        Some((Ok(yours), theirs)) if yours.root() != theirs.root() => {
            let expected = format!("your root {}", yours.root());
            let finding = Finding::new(0, Fault::Fork, expected, theirs.root().to_string());
            return report.contradicted(finding);
        }
        Some((Ok(yours), _)) => report.anchor = Anchor::Checkpoint { size: yours.size() },
    }
    report
}

/// The whole ledger is there: everything is derived again.
fn audit(
    path: &Path,
    found: &BundleReport,
    options: &Options,
    explain: Option<u64>,
) -> Result<Examined, CliError> {
    let size = found.checkpoint.as_ref().map_or(0, Checkpoint::size);
    let note = found.note.as_ref().map(ToString::to_string).unwrap_or_default();
    let row = CheckpointRow { size, note: note.into() };
    on_the_pool(|| audit_rows(path, options, row, explain))
}

fn audit_rows(
    path: &Path,
    options: &Options,
    row: CheckpointRow,
    explain: Option<u64>,
) -> Result<Examined, CliError> {
    let rows = lines(path)?.filter_map(|line| match line {
        Ok((line, _)) => match Line::parse(&line)? {
            Line::Entry(entry) => {
                let bytes = entry.bytes();
                let bad = || EvidenceError(format!("entry {} is not base64", entry.index));
                Some(
                    bytes
                        .ok_or_else(bad)
                        .map(|bytes| EntryRow { index: entry.index, entry: bytes }),
                )
            }
            _ => None,
        },
        Err(error) => Some(Err(EvidenceError(error.to_string()))),
    });
    let plan = Plan { explain, since: None, distrust: None };
    Ok(Examined::by(examine(options, plan, rows, std::iter::once(Ok(row)), |_| {})))
}

fn prove(opened: &[Vec<u8>], registrations: &Registrations) -> IdentityReport {
    let mut proof = IdentityProof::new(registrations);
    for line in opened {
        proof.line(line);
    }
    proof.finish()
}

fn read_failed(path: &Path) -> impl Fn(io::Error) -> CliError {
    let path = path.to_owned();
    move |source| CliError::Read { path: path.clone(), source }
}

/// The lines of a file without their ends, each with whether the file stops within it. One that is too long is cut up,
/// and so no line of a bundle.
fn lines(
    path: &Path,
) -> Result<impl Iterator<Item = io::Result<(Vec<u8>, bool)>> + use<>, CliError> {
    let mut file = BufReader::new(File::open(path).map_err(read_failed(path))?);
    let most = u64::try_from(MAX_LINE_BYTES).unwrap_or(u64::MAX);
    Ok(std::iter::from_fn(move || {
        let mut line = Vec::new();
        match file.by_ref().take(most).read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(read) => {
                let ended = line.pop_if(|byte| *byte == b'\n').is_some();
                Some(Ok((line, !ended && read < MAX_LINE_BYTES)))
            }
            Err(error) => Some(Err(error)),
        }
    }))
}

impl Found {
    /// Adds what is told of a bundle beside its verdict.
    pub(super) fn add_json(&self, told: &mut Map<String, Value>) {
        let report = &self.report;
        let header = report.header.as_ref();
        if report.finding.as_ref().is_some_and(|finding| finding.index.is_none()) {
            told.insert("first_bad_index".to_owned(), Value::Null);
        }
        let bundle = json!({
            "selection": header.map(|it| &it.words),
            "of": header.map(|it| &it.selection),
            "size": report.checkpoint.as_ref().map(Checkpoint::size),
            "whole": self.whole,
            "run": header.is_some_and(|it| it.selection.is_run()),
            "keys": report.keys,
            "bad_line": report.finding.as_ref().map(|finding| finding.line),
            "names_a_policy": report.policy.is_some(),
            "opened_because": header.and_then(|it| it.opened_because.as_ref()),
            "not_checked": report.not_checked(),
        });
        told.insert("bundle".to_owned(), bundle);
    }

    /// The verdict in words, of a bundle that is not the whole ledger or whose lines do not hold.
    fn verdict(&self, report: &Report) -> Option<String> {
        let found = &self.report;
        if let Some(finding) = found.finding.as_ref().filter(|_| report.verdict == Verdict::Bad) {
            let facts = fields(&[
                ("Expected", &finding.expected),
                ("Found", &finding.found),
                ("Trust", &"nothing in this bundle: ask for another"),
            ]);
            let (line, fault) = (finding.line, finding.fault);
            let entry = finding.index.map(|index| format!(", entry {index}")).unwrap_or_default();
            return Some(format!("BAD. Line {line} of the bundle{entry}: {fault}.{facts}"));
        }
        let header = found.header.as_ref()?;
        if self.whole || report.verdict != Verdict::Good {
            return None;
        }
        let root = report.root.map(|root| root.to_string()).unwrap_or_default();
        let anchor = match report.anchor {
            Anchor::Checkpoint { size } => format!("your checkpoint of {size} entries"),
            _ => "the bundle's own checkpoint alone, signed by the ledger's key".to_owned(),
        };
        let checked = "bytes, place in the ledger, signatures, keys, roles, times";
        let complete = if header.selection.is_run() {
            "a run without a gap; where it begins and ends is the exporter's word"
        } else {
            "not proved: a bundle proves what is in it, not that nothing was left out"
        };
        let not_checked = found.not_checked().join("; ");
        let policy = "in the bundle; which cosigners you trust is yours to say, with --policy";
        let policy = if found.policy.is_some() { policy } else { "" };
        let facts = fields(&[
            ("Selection", &format!("{} (the exporter's words)", header.words)),
            ("Checked", &checked),
            ("Complete", &complete),
            ("Root", &root),
            ("Anchor", &anchor),
            ("Policy", &policy),
            ("Not checked", &not_checked),
        ]);
        Some(format!(
            "Good. All {} entries of the bundle hold, and with them the {} that say who might do what, in the ledger of {} \
             entries.{facts}",
            found.entries, found.keys, header.size
        ))
    }

    /// The words in which a bundle's verdict is told.
    pub(super) fn text(&self, examined: &Examined, desk: &Desk) -> String {
        let report = &examined.report;
        let evidence = self.verdict(report).unwrap_or_else(|| super::text(report));
        examined.told(&evidence, desk)
    }
}
