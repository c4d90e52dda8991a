//! A folder for an inspector.

use std::io::BufWriter;
use std::path::PathBuf;

use bytes::Bytes;
use clap::Args;
use prost::Message as _;
use serde_json::json;

use super::readme::{self, Facts};
use crate::audit::Registrations;
use crate::bundle::Selection;
use crate::cli::Desk;
use crate::cli::error::CliError;
use crate::cli::export::{IDENTITIES_FILE, Opened, OpeningArgs, SelectionArgs, Source, create};
use crate::cli::files::Files;
use crate::cli::output::fields;
use crate::handover::NewFolder;
use crate::pb::v1;
use crate::report::{RegisterInput, register_page};
use crate::store::Evidence;
use crate::tlog::{Checkpoint, SignedNote};

/// The second verifier, as it is published.
const VERIFIER: &str = include_str!("../../../deploy/verify_ledger.py");
/// The same for a bundle; it stands beside the other and uses it.
const BUNDLE_VERIFIER: &str = include_str!("../../../deploy/verify_bundle.py");

/// Name of the bundle in a pack.
pub(super) const BUNDLE: &str = "bundle.jsonl";
/// Name of the evidence in a pack of the whole ledger.
pub(super) const DATABASE: &str = "ledger.db";

/// Names of the files that a pack has, and of those that SQLite keeps while one is written.
const NAMES: [&str; 11] = [
    BUNDLE,
    DATABASE,
    "ledger.db-journal",
    "ledger.vkey",
    "checkpoint",
    "policy",
    "verify_ledger.py",
    "verify_bundle.py",
    "report.html",
    "README.txt",
    IDENTITIES_FILE,
];

/// Make a folder that an inspector can open and check by themselves, without this clinic's server.
///
/// With --all it has the evidence as a database, else a bundle of what was selected; and the checkpoint, the verifier
/// key, a second verifier in Python, a printable register of every vial, and a README that says how to check it.
#[derive(Args, Debug)]
pub struct PackArgs {
    /// The ledger's database, the folder that it is in, or exported tiles
    ledger: PathBuf,
    /// The folder to make; nothing is overwritten
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// What to put into it
    #[command(flatten)]
    selection: SelectionArgs,
    /// Policy file (c2sp.org/tlog-policy): take the newest checkpoint that it is content with, and add the policy
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Whether to open who the patients are
    #[command(flatten)]
    opening: OpeningArgs,
}

/// The entries that the register is made from.
type Shown = Vec<(bool, v1::Entry)>;

/// What went into a pack.
struct Packed {
    shown: Shown,
    checkpoint: Checkpoint,
    note: SignedNote,
    opened: Opened,
}

/// Makes a pack.
pub(super) fn pack(args: &PackArgs, desk: &Desk) -> Result<(), CliError> {
    let policy = args.policy.as_deref();
    let source = Source::open(&args.ledger, desk.global.vkey.as_deref(), policy)?;
    let selection = args.selection.selection();
    let mut folder = NewFolder::begin(&args.out, &NAMES)?;
    let whole = match (&source.files, &selection) {
        (Files::Database(evidence), Selection::All) => Some(evidence),
        _ => None,
    };
    let packed = match whole {
        Some(evidence) => copy(args, &source, evidence, &mut folder)?,
        None => bundle(args, &source, &selection, &folder)?,
    };
    let words = selection.to_string();
    let root = packed.checkpoint.root().to_string();
    let report = register_page(&RegisterInput {
        entries: &packed.shown,
        selection: &words,
        size: packed.checkpoint.size(),
        root: &root,
    });
    folder.write("report.html", report)?;
    folder.write("ledger.vkey", format!("{}\n", source.first_key))?;
    folder.write("checkpoint", packed.note.to_string())?;
    if let Some(policy) = &source.policy {
        folder.write("policy", policy)?;
    }
    folder.write("verify_ledger.py", VERIFIER)?;
    if whole.is_none() {
        folder.write("verify_bundle.py", BUNDLE_VERIFIER)?;
    }
    let selected = packed.shown.iter().filter(|(selected, _)| *selected).count();
    let facts = Facts {
        origin: packed.checkpoint.origin(),
        words: &words,
        is_database: whole.is_some(),
        is_run: selection.is_run(),
        entries: selected,
        size: packed.checkpoint.size(),
        identities: packed.opened.lines.len(),
        reason: args.opening.reason(),
        has_policy: source.policy.is_some(),
    };
    folder.write("README.txt", readme::text(&facts))?;
    folder.finish()?;
    tell(args, desk, &packed, &words, selected)
}

/// The whole ledger's evidence, as a database that other tools read too.
fn copy(
    args: &PackArgs,
    source: &Source,
    evidence: &Evidence,
    folder: &mut NewFolder,
) -> Result<Packed, CliError> {
    let sealed = args.opening.sealed(&source.database, source.first_key.name().as_str())?;
    let (note, checkpoint) = source.note(&source.files.tree(source.key())?)?;
    let (mut shown, mut registrations) = (Shown::new(), Registrations::default());
    evidence.copy_to(&folder.path(DATABASE), |row| {
        registrations.see(row.index, &row.entry);
        show(&mut shown, true, &row.entry);
    })?;
    let opened = sealed.map(|sealed| Opened::of(&registrations, &sealed)).unwrap_or_default();
    if !opened.lines.is_empty() {
        folder.write(IDENTITIES_FILE, opened.file())?;
    }
    Ok(Packed { shown, checkpoint, note, opened })
}

/// Some of the entries, each with its proof.
fn bundle(
    args: &PackArgs,
    source: &Source,
    selection: &Selection,
    folder: &NewFolder,
) -> Result<Packed, CliError> {
    let path = folder.path(BUNDLE);
    let failed = |source| CliError::Write { path: path.clone(), source };
    let mut out = BufWriter::new(create(&path).map_err(failed)?);
    let mut shown = Shown::new();
    let made = source.bundle(selection, &args.opening, &mut out, |_, selected, entry| {
        show(&mut shown, selected, entry);
    })?;
    out.get_ref().sync_all().map_err(failed)?;
    Ok(Packed { shown, checkpoint: made.checkpoint, note: made.note, opened: made.opened })
}

/// An entry that is none is not shown; the verifiers name it.
fn show(shown: &mut Shown, selected: bool, entry: &Bytes) {
    shown.extend(v1::Entry::decode(entry.clone()).ok().map(|entry| (selected, entry)));
}

fn tell(
    args: &PackArgs,
    desk: &Desk,
    packed: &Packed,
    words: &str,
    selected: usize,
) -> Result<(), CliError> {
    let failed = &packed.opened.failed;
    let value = json!({
        "folder": args.out,
        "origin": packed.checkpoint.origin(),
        "selection": words,
        "entries": selected,
        "size": packed.checkpoint.size(),
        "root": packed.checkpoint.root().to_string(),
        "identities": {
            "opened": packed.opened.lines.len(),
            "not_opened": failed.iter()
                .map(|(patients, why)| json!({ "patients": patients, "why": why }))
                .collect::<Vec<_>>(),
            "trace_in_ledger": false,
        },
    });
    desk.out.value(&value, || {
        let failed: Vec<String> =
            failed.iter().map(|(patients, why)| format!("{patients}: {why}")).collect();
        let facts = fields(&[
            (
                "Ledger",
                &format!("{}, {} entries", packed.checkpoint.origin(), packed.checkpoint.size()),
            ),
            ("To print", &"report.html"),
            ("Not opened", &failed.join("; ")),
            ("Begin with", &"README.txt"),
        ]);
        format!("{selected} entries are packed in {}: {words}.{facts}", args.out.display())
    })
}
