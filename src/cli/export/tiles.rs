//! A ledger as static files, in the layout that other people's tools read.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use crate::audit::{EntryRow, EvidenceError};
use crate::cli::Desk;
use crate::cli::error::CliError;
use crate::cli::files::{Files, read_error};
use crate::cli::output::fields;
use crate::cli::session::verifier_key;
use crate::cli::verify::progress_bar;
use crate::tiles::{self, Exported, TilesError};
use crate::tlog::{Checkpoint, SignedNote};

/// Export a ledger as static files in the C2SP tlog-tiles layout, for any verifier.
///
/// The folder holds `checkpoint`, the tiles of the tree and the entries themselves, so it holds what the ledger
/// knows of its patients: it is made for its owner's eyes only. `vialedger verify DIR` audits it like the database.
/// Nothing is exported whose entries do not lead to the newest checkpoint; with --vkey that checkpoint must also be
/// signed by the ledger's key.
#[derive(Args, Debug)]
pub struct TilesArgs {
    /// The ledger's database, the folder that it is in, or tiles that were exported before
    ledger: PathBuf,
    /// The folder to make; nothing is overwritten
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Exports tiles.
pub(super) fn export(args: &TilesArgs, desk: &Desk) -> Result<(), CliError> {
    let files = Files::open(&args.ledger)?;
    let note = files.newest_note()?;
    if let Some(key) = desk.global.vkey.as_deref() {
        let key = verifier_key(Some(key), None)?;
        Checkpoint::verify(&note, &key)
            .map_err(|error| CliError::No(format!("the ledger is bad: {error}")))?;
    }
    let size = note.text().parse::<Checkpoint>().map_or(0, |checkpoint| checkpoint.size());
    let exported = match &files {
        Files::Database(evidence) => write(&args.out, &note, size, evidence.entries())?,
        Files::Tiles(folder) => write(&args.out, &note, size, folder.entries(size))?,
    };
    tell(&exported, &args.out, desk)
}

fn write(
    out: &Path,
    note: &SignedNote,
    size: u64,
    entries: impl Iterator<Item = Result<EntryRow, EvidenceError>>,
) -> Result<Exported, CliError> {
    let bar = progress_bar(size);
    let exported = tiles::write(out, note, entries, |done| bar.set_position(done));
    bar.finish_and_clear();
    exported.map_err(|error| match error {
        TilesError::Write(error) => error.into(),
        TilesError::Evidence(_) | TilesError::Bundle(_) => CliError::No(error.to_string()),
        unreadable => read_error(unreadable),
    })
}

fn tell(exported: &Exported, out: &Path, desk: &Desk) -> Result<(), CliError> {
    let Exported { checkpoint, bundles, tiles } = exported;
    let value = json!({
        "folder": out,
        "origin": checkpoint.origin(),
        "entries": checkpoint.size(),
        "root": checkpoint.root().to_string(),
        "bundles": bundles,
        "tiles": tiles,
    });
    desk.out.value(&value, || {
        let facts = fields(&[
            ("Root", &checkpoint.root()),
            ("Files", &format!("checkpoint, {bundles} of entries, {tiles} of the tree's hashes")),
            ("Check", &format!("vialedger verify {} --vkey ledger.vkey", out.display())),
        ]);
        let (size, origin) = (checkpoint.size(), checkpoint.origin());
        format!("{size} entries of {origin} are in {}.{facts}", out.display())
    })
}
