//! `vialedger backup` and `restore`: a copy of one moment, and a ledger from a copy, which goes on only if nothing is
//! missing.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::Desk;
use super::error::CliError;
use super::exit::Exit;
use super::init::make_private_folder;
use super::known::{KnownArgs, Stand, told};
use super::output::fields;
use super::session::verifier_key;
use super::verify::progress_bar;
use crate::audit::{Options, Report, Verdict, audit, on_the_pool};
use crate::durable;
use crate::store::{
    Evidence, LedgerFolder, StoreError, StoredTree, copy_identities, copy_ledger, rebuild,
};
use crate::tlog::VerifierKey;

/// Where a ledger is put together from a copy, in the folder that it will be in.
const STAGE: &str = "restoring";

/// Copy a ledger as it is at one moment, also while a server writes to it, and verify the copy.
///
/// The folder gets `ledger.db`, `ledger.checkpoint` (its newest checkpoint: keep one with somebody else), `ledger.vkey`,
/// and `identities.db` where there is one, still encrypted. It gets no key: those are kept elsewhere.
///
/// Exit status: 0 the copy is whole and good; 1 it does not verify.
#[derive(Args, Debug)]
pub struct BackupArgs {
    /// The ledger's folder
    folder: PathBuf,
    /// The folder to write the copy into; made when it is not there, refused when it holds a ledger
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

/// Make a ledger again from a copy, after it was verified from its first entry to its last.
///
/// The verifier key (--vkey) must come from outside the copy. Whatever is derived from the entries is made again.
/// Nothing is overwritten. At the end it says whether the copy is behind a checkpoint that is known: then the ledger is
/// served and read, and takes no writes until the missing entries are back.
///
/// Exit status: 0 restored, and nothing that is known is missing; 1 the copy is bad (nothing was restored), or it was
/// restored and is behind or forked.
#[derive(Args, Debug)]
pub struct RestoreArgs {
    /// The copy: a folder that `backup` wrote, or a database
    backup: PathBuf,
    /// The folder to restore into; made when it is not there, refused when it holds a ledger
    #[arg(long, value_name = "FOLDER")]
    into: PathBuf,
    /// What the ledger is compared with
    #[command(flatten)]
    known: KnownArgs,
}

/// Copies, verifies, and only then gives the copy its name.
pub(super) fn backup(args: &BackupArgs, desk: &Desk) -> Result<Exit, CliError> {
    let (folder, out) = (LedgerFolder::new(&args.folder), LedgerFolder::new(&args.out));
    let key = own_key(&folder, desk)?;
    refuse_ledger(&out)?;
    make_private_folder(out.root())?;
    let unfinished = args.out.join("ledger.db.unfinished");
    remove_if_there(&unfinished)?;
    copy_ledger(&folder.database(), &unfinished)?;
    // A crash from here on leaves `ledger.db.unfinished`, which no command takes for a copy; the next backup into this
    // folder begins anew.
    let report = verified(&unfinished, &key)?;
    let note = StoredTree::open(&unfinished, &key)?.note().to_string();
    let with_identities = folder.identities().is_file();
    if with_identities {
        // After the ledger: an identity is sealed before an entry commits to it, so none is missing here.
        let sealed = args.out.join("identities.db.unfinished");
        remove_if_there(&sealed)?;
        copy_identities(&folder.identities(), &sealed)?;
        rename(&sealed, &out.identities())?;
    }
    let checkpoint = args.out.join("ledger.checkpoint");
    replace(&checkpoint, &note)?;
    replace(&out.verifier_key(), &format!("{key}\n"))?;
    rename(&unfinished, &out.database())?;
    let size = report.entries;
    let value = json!({
        "folder": args.out,
        "entries": size,
        "root": report.root.map(|root| root.to_string()),
        "checkpoint": checkpoint,
        "identities": with_identities,
    });
    desk.out.value(&value, || {
        let facts = fields(&[
            ("Checkpoint", &checkpoint.display()),
            (
                "",
                &"Keep a copy of it with somebody else: it shows if this ledger is ever put back.",
            ),
            ("Identities", &if with_identities { "copied, still encrypted" } else { "none" }),
            ("Keys", &"not copied: ledger.key and identity.key are kept elsewhere"),
        ]);
        format!("All {size} entries were copied to {} and verified.{facts}", args.out.display())
    })?;
    Ok(Exit::Good)
}

/// Puts a ledger together beside where it belongs, verifies it, and only then gives it its name.
pub(super) fn restore(args: &RestoreArgs, desk: &Desk) -> Result<Exit, CliError> {
    let key = verifier_key(desk.global.vkey.as_deref(), None)?;
    let (from, from_identities) = copy_of(&args.backup);
    let into = LedgerFolder::new(&args.into);
    refuse_ledger(&into)?;
    make_private_folder(into.root())?;
    let stage = LedgerFolder::new(args.into.join(STAGE));
    remove_stage(&stage)?;
    make_private_folder(stage.root())?;
    copy_ledger(&from, &stage.database())?;
    let report = verified(&stage.database(), &key).inspect_err(|_| {
        // What is bad stays where it was; the copy of it is of no use, and the next call would remove it.
        let _ = remove_stage(&stage);
    })?;
    rebuild(stage.root(), |_, _| {})?;
    let brings_identities = from_identities.is_some() && !into.identities().exists();
    if let (Some(identities), true) = (&from_identities, brings_identities) {
        copy_identities(identities, &stage.identities())?;
        rename(&stage.identities(), &into.identities())?;
    }
    if !into.verifier_key().exists() {
        replace(&into.verifier_key(), &format!("{key}\n"))?;
    }
    // A crash up to here leaves the folder `restoring`, and no ledger; the next restore begins anew.
    rename(&stage.database(), &into.database())?;
    // A crash here leaves the ledger complete, and an empty `restoring`.
    remove_stage(&stage)?;
    let known = args.known.gather_all(&into, &key)?;
    let stand = Stand::of(&StoredTree::open(&into.database(), &key)?, &known)?;
    tell(args, desk, &into, &report, &stand)?;
    Ok(if stand.may_go_on() { Exit::Good } else { Exit::No })
}

fn tell(
    args: &RestoreArgs,
    desk: &Desk,
    into: &LedgerFolder,
    report: &Report,
    stand: &Stand,
) -> Result<(), CliError> {
    let has_key = into.signing_key().is_file();
    let value = json!({
        "folder": args.into,
        "entries": report.entries,
        "root": report.root.map(|root| root.to_string()),
        "signing_key": has_key,
        "known": stand.json(),
    });
    desk.out.value(&value, || {
        let folder = args.into.display();
        let next = if has_key {
            format!("vialedger serve {folder}")
        } else {
            format!("bring ledger.key into {folder}, then: vialedger serve {folder}")
        };
        let next = if stand.may_go_on() { next } else { stand.advice().to_owned() };
        let facts = fields(&[("Known", &told(stand)), ("Next", &next)]);
        format!("All {} entries were verified and are in {folder}.{facts}", report.entries)
    })
}

/// The database of a copy, and the identities beside it.
fn copy_of(backup: &Path) -> (PathBuf, Option<PathBuf>) {
    if !backup.is_dir() {
        return (backup.to_owned(), None);
    }
    let folder = LedgerFolder::new(backup);
    (folder.database(), Some(folder.identities()).filter(|path| path.is_file()))
}

/// The verifier key that was given, or the one that the ledger's own operator has beside it.
pub(super) fn own_key(folder: &LedgerFolder, desk: &Desk) -> Result<VerifierKey, CliError> {
    let beside = folder.verifier_key().display().to_string();
    verifier_key(Some(desk.global.vkey.as_deref().unwrap_or(&beside)), None)
}

/// Everything that SQLite would take for a part of a ledger here is in the way: above all a WAL that another database
/// left behind, which would be read into this one.
fn refuse_ledger(folder: &LedgerFolder) -> Result<(), CliError> {
    for ending in ["", "-wal", "-shm", "-journal"] {
        let mut path = folder.database().into_os_string();
        path.push(ending);
        let path = PathBuf::from(path);
        if path.exists() {
            return Err(StoreError::Exists { path }.into());
        }
    }
    Ok(())
}

/// Audits a copy from its first entry to its last; anything but a good verdict is an error.
fn verified(database: &Path, key: &VerifierKey) -> Result<Report, CliError> {
    let options = Options { verifier_key: key.clone(), checkpoint: None };
    let report = on_the_pool(|| {
        let evidence = Evidence::open(database)?;
        let bar = progress_bar(evidence.size_hint()?);
        let report = audit(&options, evidence.entries(), evidence.checkpoints(), |done| {
            bar.set_position(done);
        });
        bar.finish_and_clear();
        Ok::<_, CliError>(report)
    })?;
    match (&report.verdict, &report.finding) {
        (Verdict::Good, _) => Ok(report),
        (_, Some(finding)) => Err(CliError::No(format!(
            "the copy is bad, and no use: {finding}; keep what it was \
                made from as it is, and run `vialedger verify` on it"
        ))),
        (Verdict::None(why), None) => Err(CliError::No(format!("the copy has no verdict: {why}"))),
        (Verdict::Bad, None) => Err(CliError::No("the copy is bad".to_owned())),
    }
}

fn replace(path: &Path, content: &str) -> Result<(), CliError> {
    durable::replace(path, content.as_bytes())
        .map_err(|source| CliError::Write { path: path.to_owned(), source })
}

/// Gives a file that is whole its name, durably.
fn rename(from: &Path, to: &Path) -> Result<(), CliError> {
    fs::rename(from, to)
        .and_then(|()| durable::sync_folder_of(to))
        .map_err(|source| CliError::Write { path: to.to_owned(), source })
}

fn remove_if_there(path: &Path) -> Result<(), CliError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != ErrorKind::NotFound => {
            Err(CliError::Write { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

fn remove_stage(stage: &LedgerFolder) -> Result<(), CliError> {
    match fs::remove_dir_all(stage.root()) {
        Err(source) if source.kind() != ErrorKind::NotFound => {
            Err(CliError::Write { path: stage.root().to_owned(), source })
        }
        _ => Ok(()),
    }
}
