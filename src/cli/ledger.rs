//! `vialedger ledger`: what whoever runs a ledger does to the ledger itself, while no server runs.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;

use super::Desk;
use super::error::CliError;
use super::known::KnownArgs;
use super::output::fields;
use super::session::write_new;
use crate::client::new_request_id;
use crate::key::Key;
use crate::service::{Rotated, ServiceOptions, rotate, settle, verifier_key};
use crate::store::LedgerFolder;

/// The ledger itself.
#[derive(Subcommand, Debug)]
pub enum LedgerCommand {
    /// Put another key in the place of the ledger's own, while no server runs
    ///
    /// The old key signs an entry that names the new one, the checkpoint after it is signed by both, and every later one by
    /// the new key alone. Whoever has the old verifier key can go on with it: the ledger verifies with either. The old
    /// private key is gone afterwards.
    RotateKey {
        /// The ledger's folder
        folder: PathBuf,
        /// Why, for whoever reads the entry
        #[arg(long, default_value = "")]
        reason: String,
        /// A file to make with the receipt of the rotation, for those who have the old verifier key
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// What the ledger is compared with before it takes the entry; the head file is the server's
        #[command(flatten)]
        known: KnownArgs,
    },
}

/// Runs a ledger command.
pub(super) fn run(command: &LedgerCommand, desk: &Desk) -> Result<(), CliError> {
    let LedgerCommand::RotateKey { folder, reason, out, known } = command;
    let place = LedgerFolder::new(folder);
    settle(&place)?;
    let key = Key::load(&place.signing_key(), None)?;
    let own = verifier_key(folder, key.signing_key())?;
    let options = ServiceOptions {
        clock: desk.clock.clone(),
        head_file: known.head_file.clone(),
        known: known.gather(&place, &own)?,
        ..ServiceOptions::default()
    };
    let id = new_request_id(desk.clock.now())?;
    let Rotated { previous, next, receipt } = rotate(folder, reason, id, &options)?;
    let index = receipt.index;
    if let Some(path) = out {
        let text = receipt.to_file().map_err(|error| CliError::Data(error.to_string()))?;
        write_new(path, &text)?;
    }
    let value = json!({
        "entry": format!("entries/{index}"),
        "previous_verifier_key": previous.to_string(),
        "verifier_key": next.to_string(),
        "receipt": out,
    });
    desk.out.value(&value, || {
        let facts = fields(&[
            ("Until now", &previous),
            ("From now on", &next),
            (
                "",
                &"Hand the new line out; entry and checkpoint prove it to whoever has the old one.",
            ),
            ("", &"Policies of log cosigners must name it before they sign again."),
        ]);
        format!("The ledger's key was rotated by entries/{index}.{facts}")
    })
}
