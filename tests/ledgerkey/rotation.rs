//! One key follows another, and everything that was signed under either stays good.

use vialedger::audit::{Anchor, Fault, Verdict};
use vialedger::client::{Client, ClientError, ConnectOptions, Stamp};
use vialedger::key::Key;
use vialedger::ledger::{KeyChain, ParsedEntry, ReceiptError, Succession};
use vialedger::pb::v1;
use vialedger::server::{Server, ServerOptions};
use vialedger::service::OpenError;
use vialedger::tlog::{Checkpoint, NoteSigner, VerifierKey};

use crate::support::{Clinic, key_of, vkey_of};

/// A ledger of three entries, a rotation as entry 3, and two entries more.
async fn rotated() -> (Clinic, NoteSigner) {
    let clinic = Clinic::new();
    let old = clinic.signer();
    clinic.day("before", 2).await;
    clinic.rotate();
    clinic.day("after", 2).await;
    (clinic, old)
}

#[tokio::test]
async fn the_whole_history_verifies_with_the_old_key_and_with_the_new_one_and_with_no_other() {
    let (clinic, old) = rotated().await;
    assert_eq!(clinic.vkey_file(), clinic.vkey().to_string());
    assert_ne!(clinic.vkey(), *old.verifier_key());
    for key in [old.verifier_key(), &clinic.vkey()] {
        let report = clinic.audit(key);
        assert_eq!((report.entries, report.trusted), (6, 6));
        assert_eq!(report.rotations, [3]);
    }
    let foreign = vkey_of(&key_of("mallory"));
    clinic.evidence().must_fail(&foreign, 0, Fault::Fork);
}

#[tokio::test]
async fn keys_follow_each_other_any_number_of_times_and_each_of_them_leads_to_all() {
    let (clinic, old) = rotated().await;
    let middle = clinic.vkey();
    clinic.rotate();
    clinic.rotate();
    clinic.day("later", 1).await;
    for key in [old.verifier_key(), &middle, &clinic.vkey()] {
        assert_eq!(clinic.audit(key).rotations, [3, 6, 7]);
    }
}

#[tokio::test]
async fn the_old_key_opens_the_ledger_no_more() {
    let (clinic, old) = rotated().await;
    let refused = clinic.open_with(old.signing_key()).err();
    let Some(OpenError::AnotherKey { expected, found }) = refused else { panic!("{refused:?}") };
    assert_eq!((expected, found), (clinic.vkey().to_string(), old.verifier_key().to_string()));

    // Also right after the rotation, where it signed the newest checkpoint too.
    let fresh = Clinic::new();
    let old = fresh.ledger_key();
    fresh.rotate();
    assert!(matches!(fresh.open_with(&old), Err(OpenError::AnotherKey { .. })));
}

#[tokio::test]
async fn both_keys_sign_the_checkpoint_of_the_rotation_and_the_new_one_alone_all_later_ones() {
    let (clinic, old) = rotated().await;
    let rows = clinic.evidence();
    let signed = |size, key| Checkpoint::verify(&rows.note(size), key).is_ok();
    let (old, new) = (old.verifier_key().clone(), clinic.vkey());
    let by: Vec<_> = (1..=6).map(|size| (signed(size, &old), signed(size, &new))).collect();
    let (before, both, after) = ((true, false), (true, true), (false, true));
    assert_eq!(by, [before, before, before, both, after, after]);
}

#[tokio::test]
async fn a_checkpoint_of_the_key_that_was_not_the_ledgers_at_its_size_is_a_fault() {
    let (clinic, old) = rotated().await;
    for key in [old.verifier_key(), &clinic.vkey()] {
        // Whoever stole the old key goes on with it, or the new one is said to have signed before it was the ledger's.
        for (size, signer) in
            [(5, &old), (6, &old), (2, &clinic.signer()), (4, &old), (4, &clinic.signer())]
        {
            let mut rows = clinic.evidence();
            rows.sign_again(size, signer);
            rows.must_fail(key, size - 1, Fault::CheckpointMismatch);
        }
    }
}

#[tokio::test]
async fn a_fault_before_the_rotation_is_named_also_to_whoever_knows_the_new_key_alone() {
    let (clinic, _) = rotated().await;
    let mut rows = clinic.evidence();
    let mut bytes = rows.entries[1].entry.to_vec();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    rows.entries[1].entry = bytes.into();
    rows.must_fail(&clinic.vkey(), 1, Fault::Edited);
}

#[tokio::test]
async fn a_ledger_that_is_cut_off_before_the_rotation_is_not_that_of_the_new_key() {
    let (clinic, old) = rotated().await;
    let mut rows = clinic.evidence();
    rows.entries.truncate(3);
    rows.checkpoints.truncate(3);
    rows.must_fail(&clinic.vkey(), 0, Fault::Fork);
    // The old key cannot tell, but for a checkpoint from outside: of its own or of the new key's, where that is the
    // auditor's.
    assert_eq!(rows.audit(old.verifier_key()).verdict, Verdict::Good);
    rows.outside = Some(clinic.evidence().note(4));
    rows.must_fail(old.verifier_key(), 3, Fault::Truncated);
}

#[tokio::test]
async fn a_checkpoint_from_outside_anchors_under_the_key_of_its_size() {
    let (clinic, old) = rotated().await;
    let rows = clinic.evidence();
    for key in [old.verifier_key(), &clinic.vkey()] {
        for size in 1..=6 {
            let mut anchored = rows.clone();
            anchored.outside = Some(rows.note(size));
            let report = anchored.audit(key);
            assert_eq!(report.verdict, Verdict::Good, "{size}: {report:?}");
            assert_eq!(report.anchor, Anchor::Checkpoint { size });
        }
        // A checkpoint that a key signed when it was not the ledger's anchors nothing.
        let mut stolen = rows.clone();
        stolen.sign_again(6, &old);
        let mut anchored = rows.clone();
        anchored.outside = Some(stolen.note(6));
        let report = anchored.audit(key);
        assert!(matches!(&report.verdict, Verdict::None(why) if why.contains("of no use")));
    }
}

#[tokio::test]
async fn receipts_from_before_and_after_verify_with_either_key_and_the_rotations_entry() {
    let clinic = Clinic::new();
    let old = clinic.vkey();
    let before = clinic.day("before", 2).await;
    let rotation = clinic.rotate();
    let new = clinic.vkey();
    assert_eq!((&rotation.previous, &rotation.next), (&old, &new));
    let after = clinic.day("after", 2).await;

    // By themselves under their own keys, and that of the rotation under both.
    assert!(before.iter().all(|it| it.verify(&old).is_ok() && it.verify(&new).is_err()));
    assert!(after.iter().all(|it| it.verify(&new).is_ok() && it.verify(&old).is_err()));
    assert!(rotation.receipt.verify(&old).is_ok() && rotation.receipt.verify(&new).is_ok());

    let (entry, _) = rotation.receipt.verify(&old).unwrap();
    for key in [&old, &new] {
        let mut chain = KeyChain::new(key.clone());
        let foreign = if *key == old { &after } else { &before };
        assert!(foreign.iter().all(|it| chain.verify(it).is_err()));
        chain.learn(&entry).unwrap();
        assert_eq!(chain.newest(), &new);
        for receipt in before.iter().chain(&after).chain([&rotation.receipt]) {
            chain.verify(receipt).unwrap();
        }
    }
    assert!(
        KeyChain::new(old).learn(&ParsedEntry::parse(after[0].entry.clone()).unwrap()).is_err()
    );
}

#[tokio::test]
async fn a_receipt_of_the_stolen_old_key_is_refused_by_whoever_knows_of_the_rotation() {
    let (clinic, old) = rotated().await;
    let rows = clinic.evidence();
    let entry = ParsedEntry::parse(rows.entries[3].entry.clone()).unwrap();
    let (service, writer) = clinic.open();
    let mut receipt = service.receipt(5).await.unwrap();
    let mut stolen = rows.clone();
    stolen.sign_again(6, &old);
    let path = receipt.proof.path().to_vec();
    receipt.proof = vialedger::tlog::TlogProof::new(5, path, stolen.note(6)).unwrap();
    assert!(receipt.verify(old.verifier_key()).is_ok(), "by itself it looks good");
    let mut chain = KeyChain::new(old.verifier_key().clone());
    chain.learn(&entry).unwrap();
    let refused = chain.verify(&receipt).unwrap_err();
    assert!(!matches!(refused, ReceiptError::NoEntry), "{refused}");
    drop(service);
    writer.join().unwrap();
}

#[tokio::test]
async fn the_rotations_entry_alone_says_which_key_gave_its_place_to_which() {
    let (clinic, old) = rotated().await;
    let rows = clinic.evidence();
    let entry = ParsedEntry::parse(rows.entries[3].entry.clone()).unwrap();
    let keys = Succession::of(&entry).unwrap();
    assert_eq!((keys.previous, keys.next), (old.verifier_key().clone(), clinic.vkey()));
    let other = ParsedEntry::parse(rows.entries[2].entry.clone()).unwrap();
    assert!(Succession::of(&other).is_err());
}

#[tokio::test]
async fn a_client_with_the_old_key_is_told_which_key_took_its_place_by_the_old_keys_own_word() {
    let (clinic, old) = rotated().await;
    let (service, writer) = clinic.open();
    let options = ServerOptions::new("127.0.0.1:0".parse().unwrap());
    let server = Server::bind(ServerOptions { clock: clinic.clock(), ..options }).await.unwrap();
    let address = format!("http://{}", server.local_addr());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(server.run(service.clone(), async {
        let _ = stopped.await;
    }));
    let connect = async |key: VerifierKey| {
        let server = address.clone();
        let options =
            ConnectOptions { server, ca: None, identity: None, insecure_plaintext: false };
        let ada = "people/ada".parse().unwrap();
        Client::connect(&options, key, ada, Key::from(key_of("ada")), clinic.clock()).await.unwrap()
    };
    let place = |name: &str| v1::CreatePlaceRequest {
        place: Some(v1::Place { name: format!("places/{name}"), display_name: name.to_owned() }),
        ..v1::CreatePlaceRequest::default()
    };
    let told = connect(old.verifier_key().clone()).await;
    let told = told.write(place("x"), &Stamp::default()).await.unwrap_err();
    let ClientError::KeyRotated { recorded, by, verifier_key } = &told else { panic!("{told}") };
    assert_eq!((*recorded, *by, verifier_key), (6, 3, &clinic.vkey().to_string()));
    connect(clinic.vkey()).await.write(place("y"), &Stamp::default()).await.unwrap();
    // Another key is no key of before, and is told nothing of the kind.
    let foreign = connect(vkey_of(&key_of("mallory"))).await;
    let refused = foreign.write(place("z"), &Stamp::default()).await.unwrap_err();
    assert!(matches!(refused, ClientError::Receipt(_)), "{refused}");
    stop.send(()).unwrap();
    running.await.unwrap();
    drop(service);
    writer.join().unwrap();
}
