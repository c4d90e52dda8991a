//! Commits that fail, tried both as "failed" and as "failed but persisted". The faults are SQLite's own.

use std::time::Duration;

use ed25519_dalek::SigningKey;
use prost::Message as _;
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::queue::{WriteStatus, Written};
use super::writer::Failed;
use super::{Job, Opened, ServiceError, ServiceOptions, init, prepare};
use crate::clock::{Clock, ManualClock};
use crate::command::Command;
use crate::identity::{Identity, Opening};
use crate::key::IdentityKey;
use crate::ledger::{RequestKind, SignedRequest};
use crate::pb::v1;
use crate::store::{HeadFile, LedgerFolder, StoreError, StoreOptions};
use crate::time::Timestamp;
use crate::tlog::{Checkpoint, Gap, NoteSigner, empty_root};

const ORIGIN: &str = "clinic.example/ledger";

fn ledger_key() -> SigningKey {
    SigningKey::from_bytes(&[9; 32])
}

fn ada() -> SigningKey {
    SigningKey::from_bytes(&[1; 32])
}

fn id(number: u8) -> String {
    format!("01a2b3c4-0000-7000-8000-0000000000{number:02x}")
}

/// A ledger with one entry, open, whose writer is driven by hand.
fn opened() -> (TempDir, Opened) {
    let dir = tempfile::tempdir().unwrap();
    let signer = NoteSigner::new(ORIGIN.parse().unwrap(), ledger_key());
    let public_key = ada().verifying_key().to_bytes().to_vec();
    let message = v1::InitializeLedgerRequest {
        ledger: ORIGIN.to_owned(),
        request_id: id(0),
        verifier_key: signer.verifier_key().to_string(),
        site: Some(v1::Site {
            display_name: "Clinic".to_owned(),
            address: "1 Main Street".to_owned(),
            ..v1::Site::default()
        }),
        administrator: Some(v1::Person {
            name: "people/ada".to_owned(),
            display_name: "Ada".to_owned(),
            roles: vec![v1::Role::Administrator.into()],
            keys: vec![v1::PersonKey { public_key, ..v1::PersonKey::default() }],
        }),
    };
    let bytes = message.encode_to_vec().into();
    let request = SignedRequest::sign(RequestKind::InitializeLedger, bytes, &ada());
    let now: Timestamp = "2026-11-21T09:00:00Z".parse().unwrap();
    init(dir.path(), &request, &ledger_key(), now).unwrap();
    let store = StoreOptions { busy_timeout: Duration::from_millis(50), max_pages: None };
    let clock = Clock::from(ManualClock::at(now));
    let options = ServiceOptions { clock, store, ..ServiceOptions::default() };
    let opened = prepare(dir.path(), &ledger_key(), options).unwrap();
    (dir, opened)
}

type Told = oneshot::Receiver<Result<Written, ServiceError>>;

fn place(number: u8) -> (Job, Told) {
    let place = v1::Place { name: format!("places/p{number}"), display_name: "Room".to_owned() };
    let message = v1::CreatePlaceRequest {
        ledger: ORIGIN.to_owned(),
        request_id: id(number),
        place: Some(place),
        ..v1::CreatePlaceRequest::default()
    };
    let bytes = message.encode_to_vec().into();
    let request = SignedRequest::sign(RequestKind::CreatePlace, bytes, &ada());
    let command = Command::parse(request.kind(), request.bytes()).unwrap();
    let (answer, told) = oneshot::channel();
    (Job { request, command, answer }, told)
}

/// Has the writer write a place, and returns what it tells.
fn write(opened: &mut Opened, number: u8) -> Result<Written, ServiceError> {
    let (job, mut told) = place(number);
    opened.writer.write(vec![job]);
    told.try_recv().expect("every job is answered")
}

fn index(written: Result<Written, ServiceError>) -> u64 {
    match written {
        Ok(Written::New { index, .. } | Written::Seen { index, .. }) => index,
        Ok(_) => panic!("not recorded"),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_commit_that_failed_leaves_nothing_and_the_next_one_goes_on_from_the_disk() {
    let (_dir, mut opened) = opened();
    opened.writer.store.refuse_next_commit();
    assert!(matches!(write(&mut opened, 1), Err(ServiceError::Internal)));
    assert_eq!(opened.service.published().size(), 1);
    assert_eq!(opened.writer.state.size(), 1, "the memory that ran ahead was thrown away");
    assert!(opened.service.accepts_writes());
    assert_eq!(index(write(&mut opened, 2)), 1);
    assert_eq!(index(write(&mut opened, 1)), 2, "the same request again is a new entry");
}

#[test]
fn a_commit_that_failed_but_persisted_is_found_and_published() {
    let (_dir, mut opened) = opened();
    let (job, _told) = place(1);
    assert!(opened.writer.commit(&[job]).is_ok());
    // What the disk has now, the error denies.
    opened.writer.recover(&Failed::from(StoreError::Full));
    assert_eq!(opened.service.published().size(), 2);
    assert!(matches!(write(&mut opened, 1), Ok(Written::Seen { index: 1, .. })));
    assert_eq!(index(write(&mut opened, 2)), 2);
}

#[test]
fn all_of_a_batch_fails_together_whatever_its_parts_are() {
    let (_dir, mut opened) = opened();
    opened.writer.store.refuse_next_commit();
    let (jobs, told): (Vec<_>, Vec<_>) = [1, 1, 2].map(place).into_iter().unzip();
    opened.writer.write(jobs);
    for mut told in told {
        assert!(matches!(told.try_recv().unwrap(), Err(ServiceError::Internal)));
    }
    let (jobs, told): (Vec<_>, Vec<_>) = [1, 1, 2].map(place).into_iter().unzip();
    opened.writer.write(jobs);
    let told: Vec<u64> = told.into_iter().map(|mut told| index(told.try_recv().unwrap())).collect();
    assert_eq!(told, [1, 1, 2]);
}

#[test]
fn evidence_that_no_longer_verifies_after_a_failed_commit_ends_the_writing() {
    let (_dir, mut opened) = opened();
    opened.writer.store.lose_checkpoints();
    opened.writer.store.refuse_next_commit();
    assert!(write(&mut opened, 1).is_err());
    assert!(matches!(opened.service.write_status(), WriteStatus::EvidenceBad(_)));
    assert!(matches!(write(&mut opened, 2), Err(ServiceError::EvidenceBad(_))));
}

#[test]
fn a_failing_disk_ends_the_writing_until_a_restart() {
    let (_dir, mut opened) = opened();
    opened.writer.recover(&Failed::from(StoreError::failed_sync()));
    assert!(matches!(opened.service.write_status(), WriteStatus::Stopped(_)));
    assert!(matches!(write(&mut opened, 1), Err(ServiceError::Stopped(_))));
    assert_eq!(opened.service.published().size(), 1);
}

#[tokio::test]
async fn identities_are_kept_with_a_key_and_not_without() {
    let (dir, without) = opened();
    let birth = "1984-02-29".parse().unwrap();
    let identity = Identity::new("Pia Petersen".into(), "12 Depot Road".into(), birth, Vec::new());
    let salts = [[1; 32], [2; 32], [3; 32], [4; 32]];
    let opening = Opening { identity: identity.unwrap(), salts };
    let commitment = opening.commitment();
    assert!(!without.service.keeps_identities());
    let refused = without.service.seal_identity(opening.clone()).await;
    assert!(matches!(refused, Err(ServiceError::NoIdentities)));
    assert!(without.service.identity(commitment).await.unwrap().is_none());
    assert!(!without.service.holds_identity(commitment).await.unwrap());
    assert!(!dir.path().join("identities.db").exists());
    drop(without);

    let identity_key = Some(IdentityKey::from_bytes([5; 32]));
    let options = ServiceOptions { identity_key, ..ServiceOptions::default() };
    let with = prepare(dir.path(), &ledger_key(), options).unwrap();
    assert!(!with.service.holds_identity(commitment).await.unwrap());
    assert_eq!(with.service.seal_identity(opening.clone()).await.unwrap(), commitment);
    assert!(with.service.holds_identity(commitment).await.unwrap());
    assert_eq!(with.service.identity(commitment).await.unwrap(), Some(opening));
    drop(with);

    let identity_key = Some(IdentityKey::from_bytes([6; 32]));
    let options = ServiceOptions { identity_key, ..ServiceOptions::default() };
    let refused = prepare(dir.path(), &ledger_key(), options).err().map(|error| error.to_string());
    assert!(refused.is_some_and(|text| text.contains("another identity key")));
}

#[test]
fn a_ledger_that_somebody_saw_more_of_takes_no_writes_and_keeps_what_its_head_file_says() {
    let (dir, mut opened) = opened();
    write(&mut opened, 1).unwrap();
    opened.service.stand_behind(2, "nobody who saw more");
    assert!(opened.service.accepts_writes());
    opened.service.stand_behind(9, "a cosigner");
    let refused = write(&mut opened, 2).err().map(|error| error.to_string());
    let said = "entries 2 to 8 are missing: this ledger has 2, and a cosigner is of 9.";
    assert!(refused.is_some_and(|text| text.starts_with(said)));
    assert_eq!(opened.service.published().size(), 2, "reads go on");
    drop(opened);

    // The head file of a ledger that came further, in the place of this one's.
    let folder = LedgerFolder::new(dir.path());
    let signer = NoteSigner::new(ORIGIN.parse().unwrap(), ledger_key());
    let checkpoint = Checkpoint::new(ORIGIN, 5, empty_root()).unwrap().sign(&signer).unwrap();
    HeadFile::new(folder.head()).write(&checkpoint.to_string()).unwrap();
    let mut opened = prepare(dir.path(), &ledger_key(), ServiceOptions::default()).unwrap();
    let refused = write(&mut opened, 2);
    assert!(matches!(refused, Err(ServiceError::Behind { gap: Gap { have: 2, known: 5 }, .. })));
    drop(opened);
    let kept = HeadFile::new(folder.head()).read(signer.verifier_key()).unwrap().unwrap();
    assert_eq!(kept.checkpoint().size(), 5);
}
