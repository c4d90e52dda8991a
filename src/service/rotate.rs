//! Another key in the ledger's place, while no server runs.
//!
//! The new key lies beside the old one as `ledger.key.new` before any entry names it, and takes the old one's place only
//! after that entry is durable. So at every moment the key that the ledger needs next is in the folder, and the newest
//! rotation in the ledger says which of the two that is: [`settle`] reads it there, and finishes or undoes what a crash
//! has left.

use std::path::Path;

use bytes::Bytes;
use prost::Message as _;

use super::ServiceOptions;
use super::error::{OpenError, ServiceError};
use super::init::{signer_of, write_verifier_key};
use super::known::compare;
use super::published::Published;
use super::queue::Status;
use super::writer::{append, recording_time, sign};
use crate::clock::Clock;
use crate::command::Command;
use crate::decide::decide;
use crate::dsse;
use crate::key::Key;
use crate::ledger::{
    LEDGER_KEY_POSSESSION_TYPE, Receipt, RequestKind, SignedRequest, ledger_possession_body,
};
use crate::pb::v1;
use crate::refusal::Refusal;
use crate::state::{State, Step};
use crate::store::{
    HeadFile, LedgerFolder, Loaded, Reader, SnapshotParts, Store, StoreError, StoreOptions, load,
    named_key,
};
use crate::tlog::{self, NoteSigner, SignedNote, Tree, VerifierKey};

/// A rotation that is done.
#[derive(Clone, Debug)]
pub struct Rotated {
    /// The key until now.
    pub previous: VerifierKey,
    /// The key from now on.
    pub next: VerifierKey,
    /// The receipt of the entry that says so, under a checkpoint that both keys signed.
    pub receipt: Receipt,
}

/// What [`settle`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// No rotation was under way.
    Nothing,
    /// A key that no entry names was removed; the ledger's key is as before.
    Undone,
    /// The rotation is in the ledger, and the new key is in its place now.
    Finished,
}

/// Makes a new key the ledger's: makes it, records it, and puts its file in the old one's place. `request_id` is a new
/// UUID of version 7. The old private key is gone then; its public half stays in the ledger for ever.
///
/// Of the options it takes the clock, the store's, and what is known: a rotation is an entry like others, and a ledger
/// that is behind what it has signed gets none.
pub fn rotate(
    dir: &Path,
    reason: &str,
    request_id: String,
    options: &ServiceOptions,
) -> Result<Rotated, OpenError> {
    let folder = LedgerFolder::new(dir);
    settle(&folder)?;
    let old = Key::load(&folder.signing_key(), None)?;
    let mut store = Store::open(&folder, &options.store)?;
    let reader = Reader::open(&folder.database())?;
    let old = signer_of(&reader, old.signing_key())?;
    let loaded = load(&reader, old.verifier_key())?;
    let head = HeadFile::new(options.head_file.clone().unwrap_or_else(|| folder.head()));
    let status = compare(&reader, &loaded, &folder, &head, &options.known, old.verifier_key())?;
    if let Some(why) = Status::new(status).refusal() {
        return Err(why.into());
    }

    let key = Key::generate()?;
    let new = NoteSigner::new(old.verifier_key().name().clone(), key.signing_key().clone());
    let request = request(&old, &new, reason, request_id);
    let (step, loaded) = decided(&request, loaded, &options.clock)?;
    key.save(&folder.next_signing_key(), None)?;
    folder.sync()?;
    // A crash up to here leaves a key that no entry names. `settle` removes it.
    let published = record(&mut store, &step, loaded, &old, &new)?;
    // A crash here leaves a ledger whose key is in the file beside the old one. `settle` puts it in its place. So does an
    // error of the commit, of which nobody knows whether it became durable.
    finish(&folder, &published.state)?;
    // A crash here leaves the head file of before: smaller, never ahead, and signed by a key that the ledger has had. The
    // next start accepts it and writes the newest. So does a file that cannot be written now; the rotation stands.
    if let Err(error) = head.write(&published.checkpoint) {
        tracing::error!(%error, "the head file could not be written");
    }

    // Derived, and only so that the next start need not replay everything: the snapshots before are the old key's.
    let mut parts = SnapshotParts::of(&published.state, &new);
    while !parts.is_finished() {
        store.write_snapshot_part(&mut parts)?;
    }
    let index = step.entry.index();
    let tiles = |level, number| reader.tile(level, number);
    let receipt = published.receipt(index, step.entry.bytes().clone(), tiles);
    let receipt = receipt.map_err(|error| StoreError::Derived { what: error.to_string() })?;
    drop(reader);
    store.close()?;
    let (previous, next) = (old.verifier_key().clone(), new.verifier_key().clone());
    Ok(Rotated { previous, next, receipt })
}

/// Finishes or undoes a rotation that was broken off. The newest rotation in the ledger decides: the key that it names is
/// the ledger's. Whoever reads `ledger.key` calls this first.
pub fn settle(folder: &LedgerFolder) -> Result<Settled, OpenError> {
    let waiting = folder.next_signing_key();
    let there = waiting.try_exists();
    if !there.map_err(|source| StoreError::Io { path: waiting.clone(), source })? {
        return Ok(Settled::Nothing);
    }
    // With the lock that this takes, no rotation is under way in another process.
    let store = Store::open(folder, &StoreOptions::default())?;
    let reader = Reader::open(&folder.database())?;
    let named = named_key(&reader)?;
    let is_named = |key: &Key| key.public_key() == *named.public_key();
    let (old, new) = (Key::load(&folder.signing_key(), None), Key::load(&waiting, None));
    let settled = match (&old, &new) {
        (_, Ok(new)) if is_named(new) => Settled::Finished,
        // A crash may have left half a file of a key that nobody needs.
        (Ok(old), _) if is_named(old) => Settled::Undone,
        (Ok(old), Ok(_)) => {
            let found = VerifierKey::new(named.name().clone(), named.kind(), old.public_key());
            let (expected, found) = (named.to_string(), found.to_string());
            return Err(OpenError::AnotherKey { expected, found });
        }
        (_, Err(_)) => return Err(new.err().map_or(ServiceError::Internal.into(), Into::into)),
        (Err(_), _) => return Err(old.err().map_or(ServiceError::Internal.into(), Into::into)),
    };
    // No key goes away on the word of a derived table.
    let state = load(&reader, &named)?.state;
    if settled == Settled::Finished {
        finish(folder, &state)?;
    } else {
        std::fs::remove_file(&waiting)
            .map_err(|source| StoreError::Io { path: waiting.clone(), source })?;
        folder.sync()?;
    }
    drop(reader);
    store.close()?;
    Ok(settled)
}

/// Puts the new key in the old one's place, and hands out its verifier key.
fn finish(folder: &LedgerFolder, state: &State) -> Result<(), OpenError> {
    let (from, to) = (folder.next_signing_key(), folder.signing_key());
    std::fs::rename(from, &to).map_err(|source| StoreError::Io { path: to.clone(), source })?;
    folder.sync()?;
    // A crash before the sync leaves either key under the name, and the new one under one of the two: `settle` again. A
    // crash after it leaves a `ledger.vkey` that names the old key, which the next start writes anew.
    write_verifier_key(folder, state)
}

fn request(old: &NoteSigner, new: &NoteSigner, reason: &str, request_id: String) -> SignedRequest {
    let ledger = old.verifier_key().name().to_string();
    let (previous, next) = (old.verifier_key().to_string(), new.verifier_key().to_string());
    let body = ledger_possession_body(&ledger, &previous, &next);
    let possession = tlog::sign(new.signing_key(), &dsse::pae(LEDGER_KEY_POSSESSION_TYPE, &body));
    let message = v1::RotateLedgerKeyRequest {
        ledger,
        request_id,
        previous_verifier_key: previous,
        verifier_key: next,
        possession: possession.to_vec(),
        reason: reason.to_owned(),
        ..v1::RotateLedgerKeyRequest::default()
    };
    let bytes = Bytes::from(message.encode_to_vec());
    SignedRequest::sign(RequestKind::RotateLedgerKey, bytes, old.signing_key())
}

/// What the rules make of the request, before a file is touched.
fn decided(
    request: &SignedRequest,
    loaded: Loaded,
    clock: &Clock,
) -> Result<(Step, Loaded), OpenError> {
    let command = Command::parse(request.kind(), request.bytes()).map_err(ServiceError::Invalid)?;
    let now = recording_time(loaded.state.last_time(), clock.now())?;
    let step = decide(&loaded.state, request, &command, now).map_err(|refusal: Refusal| {
        let refusal = Box::new(refusal);
        ServiceError::Refused { refusal, recorded: None, receipt: None }
    })?;
    Ok((step, loaded))
}

/// Makes the entry durable, under a checkpoint that both keys sign: whoever trusts the old one sees with it where the
/// new one began.
fn record(
    store: &mut Store,
    step: &Step,
    loaded: Loaded,
    old: &NoteSigner,
    new: &NoteSigner,
) -> Result<Published, OpenError> {
    let head = loaded.head();
    let (mut state, mut tree) = (loaded.state, loaded.tree);
    let mut batch = store.begin(head)?;
    append(&mut batch, &mut state, &mut tree, step)?;
    let note = signed_by_both(old, new, &tree);
    batch.commit(&note.to_string())?;
    Ok(Published::new(state, tree, note))
}

fn signed_by_both(old: &NoteSigner, new: &NoteSigner, tree: &Tree) -> SignedNote {
    let mut note = sign(old, tree);
    new.also_sign(&mut note).expect("a note with one signature has room for another");
    note
}
