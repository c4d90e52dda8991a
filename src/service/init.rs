//! The beginning of a ledger.

use std::io::ErrorKind;
use std::path::Path;

use ed25519_dalek::SigningKey;

use super::error::{OpenError, ServiceError};
use super::published::Published;
use super::writer::sign;
use crate::command::{Act, Command, Violation};
use crate::decide::decide;
use crate::ledger::{ParsedEntry, Receipt, SignedRequest};
use crate::state::{State, Subject};
use crate::store::{LedgerFolder, NewLedger, Reader, Store, StoreError};
use crate::time::Timestamp;
use crate::tlog::{NoteSigner, Tree, VerifierKey, no_tiles};

/// Creates a ledger in this folder, which must exist: entry 0 is the request, which the first administrator signed, and
/// checkpoint 1 is signed with the ledger's own key. Refuses a folder that holds a ledger. The signing key is the
/// caller's to keep; `ledger.vkey` is written here.
pub fn init(
    dir: &Path,
    request: &SignedRequest,
    key: &SigningKey,
    now: Timestamp,
) -> Result<Receipt, OpenError> {
    let command = Command::parse(request.kind(), request.bytes()).map_err(ServiceError::Invalid)?;
    let signer = signer(&command, key)?;
    let step = decide(&State::empty(), request, &command, now).map_err(|refusal| {
        let refusal = Box::new(refusal);
        ServiceError::Refused { refusal, recorded: None, receipt: None }
    })?;
    let mut state = State::empty();
    state.apply(&step);
    let mut tree = Tree::new();
    assert!(tree.append(step.entry.leaf_hash()).is_empty(), "one entry completes no tile");
    let published = Published::new(state, tree.clone(), sign(&signer, &tree));
    let subjects: Vec<&str> = step.subjects.iter().map(Subject::as_str).collect();
    let first = NewLedger {
        entry: step.entry.bytes(),
        request_id: step.request_id.as_bytes(),
        subjects: &subjects,
        checkpoint: &published.checkpoint,
    };
    let folder = LedgerFolder::new(dir);
    Store::create(&folder, &first)?;
    // A crash here leaves a ledger without its `ledger.vkey`; opening it writes that file.
    write_verifier_key(&folder, signer.verifier_key())?;
    let receipt = published.receipt(0, step.entry.bytes().clone(), no_tiles);
    Ok(receipt.expect("the only entry is proved by nothing but itself"))
}

/// The verifier key of the ledger in this folder, if `key` is the one that belongs to it. Opens nothing for writing.
pub fn verifier_key(dir: &Path, key: &SigningKey) -> Result<VerifierKey, OpenError> {
    let reader = Reader::open(&LedgerFolder::new(dir).database())?;
    Ok(signer_of(&reader, key)?.verifier_key().clone())
}

/// The signer of the ledger in a file. Entry 0 names its origin and its key.
pub(super) fn signer_of(reader: &Reader, key: &SigningKey) -> Result<NoteSigner, OpenError> {
    let bad = |finding: String| OpenError::Store(StoreError::Evidence { index: Some(0), finding });
    let entry = reader.entry(0)?.ok_or_else(|| bad("missing".to_owned()))?;
    let request = ParsedEntry::parse(entry).map_err(|error| bad(error.to_string()))?.request;
    let command = Command::parse(request.kind(), request.bytes());
    let command = command.map_err(|_| bad("its request cannot be read".to_owned()))?;
    signer(&command, key)
}

/// The ledger's signer, which must be the key that the request names.
fn signer(command: &Command, key: &SigningKey) -> Result<NoteSigner, OpenError> {
    let Act::Initialize(act) = &command.act else {
        let description = "a ledger begins with InitializeLedgerRequest; send that".to_owned();
        let violation = Violation { field: "request".to_owned(), description };
        return Err(ServiceError::Invalid(vec![violation]).into());
    };
    let origin = command.header.ledger.clone();
    let name = origin.parse().map_err(|error| OpenError::Origin(origin, error))?;
    let signer = NoteSigner::new(name, key.clone());
    let found = signer.verifier_key();
    let found = found.to_string();
    if act.verifier_key == found {
        return Ok(signer);
    }
    Err(OpenError::AnotherKey { expected: act.verifier_key.clone(), found })
}

/// Writes `ledger.vkey` where it is missing: it is derived from entry 0, and what the owner hands out. One that names
/// another key is not overwritten.
pub(super) fn write_verifier_key(
    folder: &LedgerFolder,
    key: &VerifierKey,
) -> Result<(), OpenError> {
    let path = folder.verifier_key();
    let failed = |source| StoreError::Io { path: path.clone(), source };
    let line = match std::fs::read_to_string(&path) {
        Ok(line) => line,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Ok(std::fs::write(&path, format!("{key}\n")).map_err(failed)?);
        }
        Err(error) => return Err(failed(error).into()),
    };
    let (expected, found) = (line.trim_end().to_owned(), key.to_string());
    if expected == found { Ok(()) } else { Err(OpenError::AnotherKey { expected, found }) }
}
