//! `vialedger export`: a ledger in other people's formats.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::json;

use super::Desk;
use super::error::CliError;
use super::files::Files;
use super::output::fields;
use super::session::verifier_key;
use super::verify::progress_bar;
use crate::audit::{EntryRow, EvidenceError};
use crate::tiles::{self, Exported, TilesError};
use crate::tlog::{Checkpoint, SignedNote};

/// What is exported.
#[derive(Subcommand, Debug)]
pub enum ExportCommand {
    /// Write a ledger as static files in the C2SP tlog-tiles layout, for any verifier
    ///
    /// The folder holds `checkpoint`, the tiles of the tree and the entries themselves, so it holds what the ledger
    /// knows of its patients: it is made for its owner's eyes only. `vialedger verify DIR` audits it like the database.
    /// Nothing is exported whose entries do not lead to the newest checkpoint; with --vkey that checkpoint must also be
    /// signed by the ledger's key.
    Tiles {
        /// The ledger's database, the folder that it is in, or tiles that were exported before
        ledger: PathBuf,
        /// The folder to make; it must not be there yet
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

/// Exports.
pub(super) fn run(command: &ExportCommand, desk: &Desk) -> Result<(), CliError> {
    match command {
        ExportCommand::Tiles { ledger, out } => {
            let files = Files::open(ledger)?;
            let note = files.newest_note()?;
            if let Some(key) = desk.global.vkey.as_deref() {
                let key = verifier_key(Some(key), None)?;
                Checkpoint::verify(&note, &key)
                    .map_err(|error| CliError::No(format!("the ledger is bad: {error}")))?;
            }
            let exported = match &files {
                Files::Database(evidence) => tiles(out, &note, evidence.entries())?,
                Files::Tiles(folder) => {
                    let checkpoint = note.text().parse::<Checkpoint>();
                    let size = checkpoint.map_or(0, |checkpoint| checkpoint.size());
                    tiles(out, &note, folder.entries(size))?
                }
            };
            told(&exported, out, desk)
        }
    }
}

fn tiles(
    out: &Path,
    note: &SignedNote,
    entries: impl Iterator<Item = Result<EntryRow, EvidenceError>>,
) -> Result<Exported, CliError> {
    let size = note.text().parse::<Checkpoint>().map_or(0, |checkpoint| checkpoint.size());
    let bar = progress_bar(size);
    let exported = tiles::write(out, note, entries, |done| bar.set_position(done));
    bar.finish_and_clear();
    exported.map_err(|error| match error {
        TilesError::Io { path, source } => CliError::Write { path, source },
        TilesError::Exists(path) => {
            CliError::Write { path, source: std::io::ErrorKind::AlreadyExists.into() }
        }
        TilesError::Unreadable(_) => CliError::Data(error.to_string()),
        TilesError::Evidence(_) | TilesError::Bundle(_) => CliError::No(error.to_string()),
    })
}

fn told(exported: &Exported, out: &Path, desk: &Desk) -> Result<(), CliError> {
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
