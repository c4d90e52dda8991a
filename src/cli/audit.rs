//! `vialedger audit`: what an inspector is handed.

mod pack;
mod readme;

use clap::Subcommand;

use super::Desk;
use super::error::CliError;

/// What can be put together for an audit.
#[derive(Subcommand, Debug)]
pub enum AuditCommand {
    /// Make a folder that an inspector can open: a printable register, the entries with their proofs, both verifiers
    Pack(Box<pack::PackArgs>),
}

/// Puts it together.
pub(super) fn run(command: &AuditCommand, desk: &Desk) -> Result<(), CliError> {
    match command {
        AuditCommand::Pack(args) => pack::pack(args, desk),
    }
}
