//! `vialedger receipt`: the proofs that entries are in the ledger.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::json;

use super::error::CliError;
use super::output::{fields, moment};
use super::session::{Session, receipt_text, verifier_key, write_new};
use super::{Desk, parse, tell};
use crate::client::{ClientError, check_receipt};
use crate::ledger::{Receipt, SignedRequest};
use crate::pb::v1;
use crate::tlog::{Checkpoint, CheckpointError, MAX_TLOG_PROOF_BYTES, PublicKey, SignedNote};
use crate::wire::timestamp_to_wire;

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
    /// Verify a receipt file without any server, against the ledger's verifier key (--vkey)
    Verify {
        /// The receipt file
        file: PathBuf,
    },
}

/// Runs a receipt command.
pub(super) async fn run(command: ReceiptCommand, desk: &Desk) -> Result<(), CliError> {
    match command {
        ReceiptCommand::Get { entry, out } => get(entry, out, &Session::open(desk).await?).await,
        ReceiptCommand::Checkpoint { out } => checkpoint(out, &Session::open(desk).await?).await,
        ReceiptCommand::Verify { file } => verify(&file, desk),
    }
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

/// Verifies a receipt file against the verifier key, offline.
fn verify(file: &Path, desk: &Desk) -> Result<(), CliError> {
    let global = &desk.global;
    let ledger = verifier_key(global.vkey.as_deref(), global.key.as_deref())?;
    let bytes =
        std::fs::read(file).map_err(|source| CliError::Read { path: file.to_owned(), source })?;
    let no = |detail: &dyn ToString| {
        CliError::No(format!("The receipt is not good: {}", detail.to_string()))
    };
    if bytes.len() > MAX_TLOG_PROOF_BYTES {
        return Err(no(&"the file is far too long for a receipt"));
    }
    let receipt = Receipt::parse_file(&bytes).map_err(|error| no(&error))?;
    let (entry, checkpoint) = receipt.verify(&ledger).map_err(|error| no(&error))?;
    signature_holds(&entry.request).map_err(|error| no(&error))?;
    let sealed = &entry.sealed;
    let act = entry.request.kind();
    let value = json!({
        "good": true,
        "ledger": entry.ledger,
        "index": sealed.index(),
        "size": checkpoint.size(),
        "leaf_hash": sealed.leaf_hash().to_string(),
        "request_type": act.message_name(),
        "recorded_time": sealed.recorded_time().to_string(),
    });
    desk.out.value(&value, || {
        let facts = fields(&[
            ("Act", &tell::act(act.message_name())),
            ("Recorded", &moment(Some(&timestamp_to_wire(sealed.recorded_time())))),
            ("Outcome", &tell::headline(&entry.outcome)),
            ("Leaf hash", &sealed.leaf_hash()),
        ]);
        format!(
            "Good: entry {} of {} is in the ledger of {} entries that its key signed.{facts}",
            sealed.index(),
            entry.ledger,
            checkpoint.size()
        )
    })
}

/// Whether the person's signature in the entry holds over the request in it.
fn signature_holds(request: &SignedRequest) -> Result<(), String> {
    let key = PublicKey::from_bytes(request.key()).map_err(|e| e.to_string())?;
    SignedRequest::verify(request.kind(), request.bytes().clone(), &key, request.signature())
        .map(drop)
        .map_err(|e| e.to_string())
}
