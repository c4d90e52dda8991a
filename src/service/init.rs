//! The beginning of a ledger.

use std::io::{ErrorKind, Write as _};
use std::path::Path;

use ed25519_dalek::SigningKey;

use super::error::{OpenError, ServiceError};
use super::published::Published;
use super::writer::sign;
use crate::command::{Act, Command, Violation};
use crate::decide::decide;
use crate::ledger::{Receipt, SignedRequest};
use crate::state::{State, Subject};
use crate::store::{LedgerFolder, NewLedger, Reader, Store, StoreError, is_signed_by, named_key};
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
    write_verifier_key(&folder, &published.state)?;
    let receipt = published.receipt(0, step.entry.bytes().clone(), no_tiles);
    Ok(receipt.expect("the only entry is proved by nothing but itself"))
}

/// The verifier key of the ledger in this folder, if `key` is the one that belongs to it. Opens nothing for writing.
pub fn verifier_key(dir: &Path, key: &SigningKey) -> Result<VerifierKey, OpenError> {
    let reader = Reader::open(&LedgerFolder::new(dir).database())?;
    Ok(signer_of(&reader, key)?.verifier_key().clone())
}

/// The signer of the ledger in a file, which must be the one that is the ledger's now.
pub(super) fn signer_of(reader: &Reader, key: &SigningKey) -> Result<NoteSigner, OpenError> {
    let named = named_key(reader)?;
    let signer = NoteSigner::new(named.name().clone(), key.clone());
    let own = signer.verifier_key();
    // The name may be out of date where the derived tables are lost; the newest checkpoint is not.
    if *own == named || (is_signed_by(reader, own) && !is_signed_by(reader, &named)) {
        return Ok(signer);
    }
    Err(OpenError::AnotherKey { expected: named.to_string(), found: own.to_string() })
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

/// Writes `ledger.vkey` where it is missing, or still names a key that another took the place of: it is derived from the
/// entries, and what the owner hands out. One that names a foreign key is not overwritten.
pub(super) fn write_verifier_key(folder: &LedgerFolder, state: &State) -> Result<(), OpenError> {
    let path = folder.verifier_key();
    let found = match std::fs::read_to_string(&path) {
        Ok(line) => line.trim_end().to_owned(),
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(source) => return Err(StoreError::Io { path, source }.into()),
    };
    let own = state.site().map_or("", |site| &site.verifier_key);
    if found == own {
        return Ok(());
    }
    if !found.is_empty() && state.ledger_keys().all(|key| key.verifier_key != found) {
        return Err(OpenError::AnotherKey { expected: found, found: own.to_owned() });
    }
    // A crash before the new file has its name leaves the old one, and this is done again at the next start.
    let new = folder.root().join("ledger.vkey.new");
    let failed = |source| StoreError::Io { path: path.clone(), source };
    let written = std::fs::File::create(&new).and_then(|mut file| {
        writeln!(file, "{own}")?;
        file.sync_all()
    });
    written.and_then(|()| std::fs::rename(&new, &path)).map_err(failed)?;
    Ok(folder.sync()?)
}
