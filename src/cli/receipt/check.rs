//! Receipts that are checked, one or a whole folder of them: each by itself, and against a ledger.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::cli::Desk;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::files::{Files, Grown};
use crate::cli::output::{fields, moment, table};
use crate::cli::session::verifier_key;
use crate::cli::tell;
use crate::ledger::{ParsedEntry, Receipt, ReceiptError, SignedRequest};
use crate::tlog::{Checkpoint, MAX_TLOG_PROOF_BYTES, PublicKey, TlogProof, VerifierKey};
use crate::wire::timestamp_to_wire;

/// How the names of receipts end. Whatever else lies in a folder is counted and not looked at.
const ENDINGS: [&str; 2] = ["receipt", "tlog-proof"];

/// Verifies a receipt file, or all in a folder, and compares them with a ledger where one is given.
pub(super) fn verify(path: &Path, against: Option<&Path>, desk: &Desk) -> Result<Exit, CliError> {
    let global = &desk.global;
    let key = verifier_key(global.vkey.as_deref(), global.key.as_deref())?;
    let files = against.map(Files::open).transpose()?;
    let ledger = files.as_ref().map(|files| files.tree(&key)).transpose()?;
    if path.is_dir() {
        return folder(path, &key, ledger.as_ref(), desk);
    }
    let good = one(path, &key, ledger.as_ref())?;
    let (entry, checkpoint) =
        good.map_err(|why| CliError::No(format!("The receipt is not good: {why}")))?;
    desk.out.value(&json_of(&entry, &checkpoint), || text_of(&entry, &checkpoint))?;
    Ok(Exit::Good)
}

/// What a good receipt proves, or why it is none.
type Checked = Result<(ParsedEntry, Checkpoint), String>;

/// Checks one receipt. The outer error is about reading, and says nothing about the receipt.
fn one(file: &Path, key: &VerifierKey, ledger: Option<&Grown<'_>>) -> Result<Checked, CliError> {
    let bytes =
        std::fs::read(file).map_err(|source| CliError::Read { path: file.to_owned(), source })?;
    if bytes.len() > MAX_TLOG_PROOF_BYTES {
        return Ok(Err("the file is far too long for a receipt".to_owned()));
    }
    let receipt = match (Receipt::parse_file(&bytes), ledger) {
        (Err(ReceiptError::NoEntry), Some(ledger)) => match completed(&bytes, ledger)? {
            Ok(receipt) => Ok(receipt),
            Err(why) => return Ok(Err(why)),
        },
        (receipt, _) => receipt,
    };
    let (entry, checkpoint) = match receipt.and_then(|receipt| receipt.verify(key)) {
        Ok(checked) => checked,
        Err(error) => return Ok(Err(error.to_string())),
    };
    if let Err(why) = signature_holds(&entry.request) {
        return Ok(Err(why));
    }
    let held = match ledger {
        None => Ok(()),
        Some(ledger) => in_ledger(&entry, &checkpoint, ledger)?,
    };
    Ok(held.map(|()| (entry, checkpoint)))
}

/// A proof that does not carry its entry, with the entry that the ledger has in its place.
fn completed(bytes: &[u8], ledger: &Grown<'_>) -> Result<Result<Receipt, String>, CliError> {
    let proof = match TlogProof::parse(bytes) {
        Ok(proof) => proof,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let index = proof.index();
    let entry = ledger.entry(index)?;
    let entry = entry.ok_or_else(|| format!("missing: the ledger has no entry {index}"));
    Ok(entry.map(|entry| Receipt { index, entry, proof }))
}

/// Whether the ledger still has the entry of a good receipt, and begins with the ledger that the receipt was given in.
fn in_ledger(
    entry: &ParsedEntry,
    checkpoint: &Checkpoint,
    ledger: &Grown<'_>,
) -> Result<Result<(), String>, CliError> {
    let (then, now) = (checkpoint.size(), ledger.checkpoint.size());
    if then > now {
        return Ok(Err(format!(
            "truncated: the receipt is of {then} entries, the ledger has {now}"
        )));
    }
    if ledger.root_at(then)? != checkpoint.root() {
        return Ok(Err(format!(
            "fork: the ledger's key signed another history of {then} entries; keep both"
        )));
    }
    let index = entry.sealed.index();
    Ok(match ledger.entry(index)? {
        None => Err(format!("missing: the ledger has no entry {index}")),
        Some(bytes) if bytes == entry.sealed.bytes() => Ok(()),
        Some(_) => Err(format!("edited: the ledger has other bytes as entry {index}")),
    })
}

fn folder(
    path: &Path,
    key: &VerifierKey,
    ledger: Option<&Grown<'_>>,
    desk: &Desk,
) -> Result<Exit, CliError> {
    let (receipts, others) = list(path)?;
    let mut results = Vec::new();
    for file in receipts {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // One file that cannot be read keeps no verdict on the others back.
        let checked = one(&file, key, ledger).unwrap_or_else(|error| Err(error.to_string()));
        results.push((name, checked));
    }
    let bad = results.iter().filter(|(_, checked)| checked.is_err()).count();
    let good = results.len() - bad;
    let size = ledger.map(|ledger| ledger.checkpoint.size());
    let value = json!({
        "good": bad == 0 && good > 0,
        "checked": results.len(),
        "failed": bad,
        "other_files": others,
        "against_entries": size,
        "receipts": results.iter().map(|(name, checked)| listed(name, checked)).collect::<Vec<_>>(),
    });
    desk.out.value(&value, || {
        let of = size.map_or_else(String::new, |size| format!(" in the ledger of {size} entries"));
        let ignored = match others {
            0 => String::new(),
            _ => format!(" Files with other names, not looked at: {others}."),
        };
        let rows: Vec<[String; 2]> = results
            .iter()
            .filter_map(|(name, checked)| Some([name.clone(), checked.as_ref().err()?.clone()]))
            .collect();
        match (good, bad) {
            (0, 0) => format!("No verdict: there is no receipt in {}.{ignored}", path.display()),
            (_, 0) => format!("Good: all {good} receipts hold{of}.{ignored}"),
            _ => format!(
                "BAD: {bad} of {} receipts do not hold{of}.{ignored}\n\n{}",
                results.len(),
                table(["Receipt", "What is wrong"], rows)
            ),
        }
    })?;
    Ok(match (good, bad) {
        (0, 0) => Exit::CouldNotTell,
        (_, 0) => Exit::Good,
        _ => Exit::No,
    })
}

/// The receipts in a folder, by name, and how many other files there are.
fn list(path: &Path) -> Result<(Vec<PathBuf>, usize), CliError> {
    let failed = |source| CliError::Read { path: path.to_owned(), source };
    let mut receipts = Vec::new();
    let mut others = 0;
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        let ending = file.extension().unwrap_or_default();
        if ENDINGS.iter().any(|known| ending == *known) {
            receipts.push(file);
        } else {
            others += 1;
        }
    }
    receipts.sort();
    Ok((receipts, others))
}

fn listed(name: &str, checked: &Checked) -> Value {
    match checked {
        Err(why) => json!({ "file": name, "good": false, "why": why }),
        Ok((entry, checkpoint)) => json!({
            "file": name,
            "good": true,
            "index": entry.sealed.index(),
            "size": checkpoint.size(),
        }),
    }
}

fn json_of(entry: &ParsedEntry, checkpoint: &Checkpoint) -> Value {
    let sealed = &entry.sealed;
    json!({
        "good": true,
        "ledger": entry.ledger,
        "index": sealed.index(),
        "size": checkpoint.size(),
        "leaf_hash": sealed.leaf_hash().to_string(),
        "request_type": entry.request.kind().message_name(),
        "recorded_time": sealed.recorded_time().to_string(),
    })
}

fn text_of(entry: &ParsedEntry, checkpoint: &Checkpoint) -> String {
    let sealed = &entry.sealed;
    let facts = fields(&[
        ("Act", &tell::act(entry.request.kind().message_name())),
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
}

/// Whether the person's signature in the entry holds over the request in it.
fn signature_holds(request: &SignedRequest) -> Result<(), String> {
    let key = PublicKey::from_bytes(request.key()).map_err(|e| e.to_string())?;
    SignedRequest::verify(request.kind(), request.bytes().clone(), &key, request.signature())
        .map(drop)
        .map_err(|e| e.to_string())
}
