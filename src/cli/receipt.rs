//! `vialedger receipt`: the proofs that entries are in the ledger.

mod check;

use std::path::PathBuf;

use clap::Subcommand;

use super::error::CliError;
use super::exit::Exit;
use super::session::{Session, receipt_text, write_new};
use super::{Desk, parse};
use crate::client::{ClientError, check_receipt};
use crate::pb::v1;
use crate::tlog::{Checkpoint, CheckpointError, SignedNote};

/// Receipts.
#[derive(Subcommand, Debug)]
pub enum ReceiptCommand {
    /// Fetch the receipt of an entry as one file that proves itself
    Get {
        /// The entry, such as entries/17 or 17
        #[arg(value_parser = parse::entry)]
        entry: String,
        /// The file to make; standard output when absent
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Fetch the newest signed checkpoint, to be kept elsewhere: `verify --checkpoint` takes it
    Checkpoint {
        /// The file to make; standard output when absent
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Verify a receipt, or a folder of them, without any server, against the ledger's verifier key (--vkey)
    ///
    /// Each must prove its entry under a checkpoint that the ledger's key signed, and the entry must hold its signer's
    /// signature. With --against the ledger must also still have that entry, and begin with the ledger that the receipt
    /// was given in. In a folder, files that end in .receipt and .tlog-proof are looked at.
    ///
    /// Exit status: 0 all hold; 1 one does not; 2 the folder has no receipt.
    Verify {
        /// The receipt file, or a folder
        #[arg(value_name = "FILE|DIR")]
        file: PathBuf,
        /// A ledger to compare with: its database, the folder that it is in, or exported tiles
        #[arg(long, value_name = "LEDGER")]
        against: Option<PathBuf>,
    },
}

/// Runs a receipt command.
pub(super) async fn run(command: ReceiptCommand, desk: &Desk) -> Result<Exit, CliError> {
    match command {
        ReceiptCommand::Get { entry, out } => get(entry, out, &Session::open(desk).await?).await?,
        ReceiptCommand::Checkpoint { out } => checkpoint(out, &Session::open(desk).await?).await?,
        ReceiptCommand::Verify { file, against } => {
            return check::verify(&file, against.as_deref(), desk);
        }
    }
    Ok(Exit::Good)
}

/// Fetches a receipt and verifies it before it is handed on.
async fn get(entry: String, file: Option<PathBuf>, session: &Session) -> Result<(), CliError> {
    let answer = session.ask(v1::GetReceiptRequest { name: entry }).await?;
    let receipt = answer.receipt.clone().unwrap_or_default();
    check_receipt(&receipt, None, None, session.client.verifier_key())
        .map_err(ClientError::from)?;
    let text = receipt_text(&receipt)?;
    match file {
        Some(path) => {
            write_new(&path, &text)?;
            session.answer("GetReceiptResponse", &answer, || {
                format!("The receipt of entry {} is in {}.", receipt.index, path.display())
            })
        }
        None => session.answer("GetReceiptResponse", &answer, || text),
    }
}

/// The newest checkpoint, which the ledger's key signed, and how many entries it covers.
pub(super) async fn newest(
    session: &Session,
) -> Result<(v1::GetCheckpointResponse, u64), CliError> {
    let answer = session.ask(v1::GetCheckpointRequest { size: None }).await?;
    let size = SignedNote::parse(answer.checkpoint.as_bytes())
        .map_err(CheckpointError::from)
        .and_then(|note| Checkpoint::verify(&note, session.client.verifier_key()))
        .map_err(|error| CliError::Data(format!("the server's checkpoint does not hold: {error}")))?
        .size();
    Ok((answer, size))
}

/// Fetches the newest checkpoint, for somebody to keep.
async fn checkpoint(file: Option<PathBuf>, session: &Session) -> Result<(), CliError> {
    let (answer, size) = newest(session).await?;
    if let Some(path) = &file {
        write_new(path, &answer.checkpoint)?;
    }
    session.answer("GetCheckpointResponse", &answer, || match &file {
        Some(path) => format!("The checkpoint of {size} entries is in {}.", path.display()),
        None => answer.checkpoint.clone(),
    })
}
