//! A rotation that is broken off after any of its durable steps ends in a ledger that serves.

use std::fs;
use std::path::Path;

use vialedger::key::Key;
use vialedger::service::{OpenError, ServiceOptions, Settled, rotate, settle};
use vialedger::store::LedgerFolder;

use crate::support::Clinic;

/// The files of a ledger.
const FILES: [&str; 5] =
    ["ledger.db", "ledger.db-wal", "ledger.key", "ledger.vkey", "ledger.key.new"];

fn copy(from: &Path, to: &Path, names: &[&str]) {
    for name in names {
        if from.join(name).exists() {
            fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
}

/// The ledger before a rotation, and after it.
async fn before_and_after() -> (Clinic, tempfile::TempDir) {
    let clinic = Clinic::new();
    clinic.day("before", 2).await;
    let kept = tempfile::tempdir().unwrap();
    copy(clinic.path(), kept.path(), &FILES);
    clinic.rotate();
    (clinic, kept)
}

/// What the start of a server does must bring the folder into order, and no second time anything more.
async fn must_serve(clinic: &Clinic, expected: Settled, entries: u64) {
    assert_eq!(settle(&clinic.folder()).unwrap(), expected);
    assert_eq!(settle(&clinic.folder()).unwrap(), Settled::Nothing);
    assert!(!clinic.folder().next_signing_key().exists());
    clinic.day("after", 1).await;
    assert_eq!(clinic.vkey_file(), clinic.vkey().to_string());
    assert_eq!(clinic.audit(&clinic.vkey()).entries, entries);
    // And the next rotation goes through.
    clinic.rotate();
    clinic.audit(&clinic.vkey());
}

#[tokio::test]
async fn with_a_key_that_no_entry_names_it_is_undone() {
    let clinic = Clinic::new();
    let key = clinic.ledger_key();
    clinic.day("before", 2).await;
    Key::generate().unwrap().save(&clinic.folder().next_signing_key(), None).unwrap();
    must_serve(&clinic, Settled::Undone, 4).await;
    assert_ne!(clinic.ledger_key(), key, "the rotation after it made another");
}

#[tokio::test]
async fn with_half_a_key_it_is_undone() {
    let clinic = Clinic::new();
    clinic.day("before", 2).await;
    let next = clinic.folder().next_signing_key();
    Key::generate().unwrap().save(&next, None).unwrap();
    let half = fs::read(&next).unwrap();
    fs::write(&next, &half[..half.len() / 2]).unwrap();
    must_serve(&clinic, Settled::Undone, 4).await;
}

#[tokio::test]
async fn with_the_entry_durable_and_the_old_key_in_its_place_it_is_finished() {
    let (clinic, kept) = before_and_after().await;
    let new = clinic.ledger_key();
    fs::rename(clinic.folder().signing_key(), clinic.folder().next_signing_key()).unwrap();
    copy(kept.path(), clinic.path(), &["ledger.key", "ledger.vkey"]);
    assert!(clinic.open_with(&clinic.ledger_key()).is_err(), "the old key writes nothing more");
    assert_eq!(settle(&clinic.folder()).unwrap(), Settled::Finished);
    assert_eq!(clinic.ledger_key(), new);
    must_serve(&clinic, Settled::Nothing, 5).await;
}

#[tokio::test]
async fn with_the_new_key_in_its_place_and_the_old_line_handed_out_it_is_finished() {
    let (clinic, kept) = before_and_after().await;
    copy(kept.path(), clinic.path(), &["ledger.vkey"]);
    assert_ne!(clinic.vkey_file(), clinic.vkey().to_string());
    must_serve(&clinic, Settled::Nothing, 5).await;
}

#[tokio::test]
async fn with_neither_key_that_the_ledger_names_nothing_is_touched() {
    let (clinic, kept) = before_and_after().await;
    // Somebody put another key beside the old one, and the one that the entry names is nowhere.
    copy(kept.path(), clinic.path(), &["ledger.key"]);
    Key::generate().unwrap().save(&clinic.folder().next_signing_key(), None).unwrap();
    let (key, next) = (clinic.ledger_key(), fs::read(clinic.folder().next_signing_key()).unwrap());
    assert!(matches!(settle(&clinic.folder()), Err(OpenError::AnotherKey { .. })));
    assert_eq!(clinic.ledger_key(), key);
    assert_eq!(fs::read(clinic.folder().next_signing_key()).unwrap(), next);
}

#[tokio::test]
async fn while_a_server_runs_no_key_is_rotated() {
    let clinic = Clinic::new();
    let (service, writer) = clinic.open();
    let options = ServiceOptions { clock: clinic.clock(), ..ServiceOptions::default() };
    let refused = rotate(clinic.path(), "", clinic.new_id(), &options);
    assert!(refused.is_err_and(|error| error.to_string().contains("process")));
    assert!(!LedgerFolder::new(clinic.path()).next_signing_key().exists());
    drop(service);
    writer.join().unwrap();
}

#[tokio::test]
async fn a_ledger_that_was_put_back_to_an_older_state_gets_no_new_key() {
    let clinic = Clinic::new();
    clinic.day("before", 2).await;
    let kept = tempfile::tempdir().unwrap();
    copy(clinic.path(), kept.path(), &FILES);
    clinic.day("lost", 2).await;
    for name in ["ledger.db-wal", "ledger.db-shm"] {
        let _ = fs::remove_file(clinic.path().join(name));
    }
    copy(kept.path(), clinic.path(), &["ledger.db"]);
    let options = ServiceOptions { clock: clinic.clock(), ..ServiceOptions::default() };
    let refused = rotate(clinic.path(), "", clinic.new_id(), &options);
    assert!(refused.is_err());
    assert!(!clinic.folder().next_signing_key().exists());
    // Also where the key was rotated after what is missing now: what the old key signed last is known still.
    let (service, writer) = clinic.open();
    assert!(!service.accepts_writes());
    drop(service);
    writer.join().unwrap();
}

#[tokio::test]
async fn the_head_that_the_old_key_signed_is_known_under_the_new_one() {
    let clinic = Clinic::new();
    clinic.day("before", 2).await;
    let kept = tempfile::tempdir().unwrap();
    copy(clinic.path(), kept.path(), &["ledger.head"]);
    clinic.rotate();
    clinic.day("after", 1).await;
    copy(kept.path(), clinic.path(), &["ledger.head"]);
    clinic.day("later", 1).await;
    assert_eq!(clinic.audit(&clinic.vkey()).entries, 6);
}
