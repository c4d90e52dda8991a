//! `vialedger export`: what is handed over, written into a folder or a file of its own.

mod bundle;
mod evidence;
mod opening;
mod readme;
mod tiles;

use clap::Subcommand;

use super::Desk;
use super::error::CliError;
pub(super) use bundle::{SelectionArgs, Source, create};
pub(super) use opening::{Opened, OpeningArgs};

/// Name of the file of opened identities in an export.
pub(super) const IDENTITIES_FILE: &str = "identities.jsonl";

/// What can be exported.
#[derive(Subcommand, Debug)]
pub enum ExportCommand {
    /// The evidence for an auditor, with the patients' identities withheld or opened
    Evidence(evidence::EvidenceArgs),
    /// Some of the entries, or all, in one file that proves itself
    Bundle(Box<bundle::BundleArgs>),
    /// The ledger as static files in the C2SP tlog-tiles layout, for any verifier
    Tiles(tiles::TilesArgs),
}

/// Exports.
pub(super) fn run(command: &ExportCommand, desk: &Desk) -> Result<(), CliError> {
    match command {
        ExportCommand::Evidence(args) => evidence::export(args, desk),
        ExportCommand::Bundle(args) => bundle::export(args, desk),
        ExportCommand::Tiles(args) => tiles::export(args, desk),
    }
}
