//! What a stolen key could have done, and what not.

use std::time::Duration;

use assert_cmd::Command as Program;
use serde_json::Value;
use vialedger::audit::{self, Distrust, Distrusted, Options, Plan, Suspect};
use vialedger::ledger::RequestKind;
use vialedger::pb::v1::{self, FlagKind};
use vialedger::time::Timestamp;
use vialedger::tlog::VerifierKey;

use crate::support::{Clinic, FIRST_KEY, ORIGIN, key_of, receipt, sign};

fn distrusted(
    clinic: &Clinic,
    key: &VerifierKey,
    suspect: Suspect,
    after: Timestamp,
) -> Distrusted {
    let rows = clinic.evidence();
    let options = Options { verifier_key: key.clone(), checkpoint: None };
    let plan = Plan { distrust: Some(Distrust { suspect, after }), ..Plan::default() };
    let (entries, checkpoints) = (rows.entries.into_iter(), rows.checkpoints.into_iter());
    let examined = audit::examine(&options, plan, entries.map(Ok), checkpoints.map(Ok), |_| {});
    examined.distrusted.unwrap_or_else(|| panic!("{:?}", examined.report))
}

fn public(name: &str) -> [u8; 32] {
    key_of(name).verifying_key().to_bytes()
}

fn indexes(found: &Distrusted) -> Vec<u64> {
    found.acts.iter().map(|act| act.index).collect()
}

/// ada, then bob and eve as administrators, with acts of ada and bob before and after an hour has passed: entries
///
/// * 1: ada enrols bob; 2: ada proposes eve, 3: bob approves her;
/// * 4: a place by ada, 5: a place by bob; an hour passes;
/// * 6: a place by bob, 7: a place by ada, 8: bob proposes finn, 9: eve approves him.
async fn two_hours() -> (Clinic, Timestamp) {
    let clinic = Clinic::new();
    let (service, writer) = clinic.open();
    let admin = [v1::Role::Administrator];
    service.submit(clinic.enroll("bob", &admin)).await.unwrap();
    let proposal = receipt(service.submit(clinic.enroll("eve", &admin)).await.unwrap());
    service.submit(approval(&clinic, "bob", &proposal)).await.unwrap();
    service.submit(clinic.place_by("ada", "a")).await.unwrap();
    service.submit(clinic.place_by("bob", "b")).await.unwrap();
    clinic.clock.advance(Duration::from_hours(1));
    let stolen = clinic.clock.now();
    clinic.clock.advance(Duration::from_hours(1));
    service.submit(clinic.place_by("bob", "c")).await.unwrap();
    service.submit(clinic.place_by("ada", "d")).await.unwrap();
    let proposal = clinic.enroll_by("bob", "finn", &[v1::Role::Nurse]);
    let proposal = receipt(service.submit(proposal).await.unwrap());
    service.submit(approval(&clinic, "eve", &proposal)).await.unwrap();
    drop(service);
    writer.join().unwrap();
    (clinic, stolen)
}

fn approval(
    clinic: &Clinic,
    who: &str,
    proposal: &vialedger::ledger::Receipt,
) -> vialedger::ledger::SignedRequest {
    let message = v1::ApproveRequest {
        ledger: ORIGIN.to_owned(),
        request_id: clinic.new_id(),
        proposal: format!("entries/{}", proposal.index),
        leaf_hash: vialedger::tlog::leaf_hash(&proposal.entry).as_ref().to_vec(),
        ..v1::ApproveRequest::default()
    };
    sign(who, RequestKind::Approve, &message)
}

#[tokio::test]
async fn exactly_what_the_key_signed_after_the_moment_is_listed_and_what_others_built_on_it() {
    let (clinic, stolen) = two_hours().await;
    let beginning = Timestamp::MIN;
    let of = |suspect, after| distrusted(&clinic, &clinic.vkey(), suspect, after);
    let found = of(Suspect::Key(public("bob")), stolen);
    assert_eq!(indexes(&found), [6, 8, 9]);
    let built: Vec<_> = found.acts.iter().map(|act| act.approves).collect();
    assert_eq!(built, [None, None, Some(8)]);
    assert_eq!(found.acts[0].kind, RequestKind::CreatePlace);
    assert!(found.acts[0].touches.contains(&"places/c".to_owned()));
    assert_eq!((found.known, found.checkpoints), (true, None));

    assert_eq!(indexes(&of(Suspect::Key(public("bob")), beginning)), [3, 5, 6, 8, 9]);
    assert_eq!(indexes(&of(Suspect::Key(public("ada")), stolen)), [7]);
    assert_eq!(indexes(&of(Suspect::Key(public("eve")), stolen)), [9]);
    let person = Suspect::Person("people/bob".parse().unwrap());
    assert_eq!(indexes(&of(person, stolen)), [6, 8, 9]);
    // What was recorded at the very moment is not after it.
    assert!(of(Suspect::Key(public("bob")), found.acts[2].recorded).is_empty());
    let nobody = of(Suspect::Key(public("mallory")), beginning);
    assert!(nobody.is_empty() && !nobody.known);
}

#[tokio::test]
async fn of_the_ledgers_key_the_checkpoints_are_listed_that_rest_on_it_alone() {
    let (clinic, stolen) = two_hours().await;
    let old = clinic.vkey();
    let key = |vkey: &VerifierKey| Suspect::Key(*vkey.public_key().as_bytes());
    clinic.rotate();
    clinic.day("after", 2).await;
    let new = clinic.vkey();
    let of = |suspect| distrusted(&clinic, &old, suspect, stolen);
    // Entries 6 to 9 were recorded after the moment; the rotation, entry 10, is an act of the old key, and the checkpoint
    // after it is signed by the new one too.
    let found = of(key(&old));
    assert_eq!(indexes(&found), [10]);
    let them = found.checkpoints.unwrap();
    assert_eq!((them.count, them.first, them.last), (4, 7, 10));
    let them = of(key(&new)).checkpoints.unwrap();
    assert_eq!((them.count, them.first, them.last), (2, 12, 13));
}

#[tokio::test]
async fn a_key_is_revoked_with_the_moment_since_when_it_may_have_been_in_other_hands() {
    let (clinic, stolen) = two_hours().await;
    let (service, writer) = clinic.open();
    let revoke = |since: Timestamp| {
        let message = v1::RevokeKeyRequest {
            ledger: ORIGIN.to_owned(),
            request_id: clinic.new_id(),
            public_key: public("bob").to_vec(),
            reason: "the phone was left in a taxi".to_owned(),
            compromised_time: Some(vialedger::wire::timestamp_to_wire(since)),
            ..v1::RevokeKeyRequest::default()
        };
        sign("ada", RequestKind::RevokeKey, &message)
    };
    let tomorrow = clinic.clock.now().checked_add_micros(86_400_000_000).unwrap();
    let refused = service.submit(revoke(tomorrow)).await.unwrap_err();
    assert!(refused.to_string().contains("compromised_time"), "{refused}");
    let answer = service.submit(revoke(stolen)).await.unwrap();
    assert_eq!(answer.outcome.flags[0].kind(), FlagKind::KeyCompromised);
    let published = service.published();
    let record = published.state.key(&public("bob")).unwrap();
    assert_eq!(record.compromised, Some(stolen));
    assert!(record.revoked.is_some());
    drop((published, service));
    writer.join().unwrap();
    clinic.audit(&clinic.vkey());
}

fn vialedger(clinic: &Clinic, vkey: &str, arguments: &[&str]) -> (i32, Value) {
    let output = Program::new(env!("CARGO_BIN_EXE_vialedger"))
        .args(["--json", "--vkey", vkey])
        .args(arguments)
        .current_dir(clinic.path())
        .output()
        .unwrap();
    let told = serde_json::from_slice(&output.stdout);
    let told = told.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code().unwrap(), told)
}

#[tokio::test]
async fn the_commands_say_so() {
    let (clinic, stolen) = two_hours().await;
    let (old, after) = (clinic.vkey().to_string(), stolen.to_string());
    let (status, told) =
        vialedger(&clinic, "", &["ledger", "rotate-key", ".", "--reason", "the yearly one"]);
    assert_eq!((status, told["entry"].as_str()), (0, Some("entries/10")), "{told}");
    let new = told["verifier_key"].as_str().unwrap().to_owned();
    assert_eq!(clinic.vkey_file(), new);

    for vkey in [&old, &new] {
        let (status, told) = vialedger(&clinic, vkey, &["verify", "."]);
        assert_eq!((status, &told["verdict"]), (0, &"good".into()), "{told}");
        assert_eq!(told["rotations"], serde_json::json!([10]));
        let bob = ["verify", ".", "--distrust-key", "people/bob", "--after", &after];
        let (status, told) = vialedger(&clinic, vkey, &bob);
        assert_eq!((status, &told["verdict"]), (1, &"good".into()), "{told}");
        let found = &told["distrusted"];
        assert_eq!(found["entries"].as_array().unwrap().len(), 3);
        assert_eq!(found["counts"]["create place"], 1);
        assert_eq!(found["entries"][2]["approves"], 8);
        let (status, told) = vialedger(&clinic, vkey, &["verify", ".", "--explain", "10"]);
        assert_eq!((status, &told["explained"]["who"]["ledger"]), (0, &true.into()), "{told}");
    }
    let (status, told) =
        vialedger(&clinic, &new, &["verify", ".", "--distrust-key", &old, "--after", &after]);
    assert_eq!((status, &told["distrusted"]["checkpoints"]["count"]), (1, &4.into()), "{told}");
    let (status, _) = vialedger(
        &clinic,
        &new,
        &["verify", ".", "--distrust-key", "people/mallory", "--after", &after],
    );
    assert_eq!(status, 0);
}

/// What the other verifier says, which shares no code with this one: its exit status and its report.
fn second_opinion(clinic: &Clinic, vkey: &str) -> (i32, Value) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/verify_ledger.py");
    let database = clinic.folder().database();
    let output = std::process::Command::new(crate::python::python())
        .args([script, database.to_str().unwrap(), "--vkey", vkey, "--json"])
        .output()
        .unwrap();
    (output.status.code().unwrap(), serde_json::from_slice(&output.stdout).unwrap())
}

#[tokio::test]
async fn the_other_verifier_follows_the_rotations_too() {
    let (clinic, _) = two_hours().await;
    let old = clinic.vkey();
    clinic.rotate();
    let middle = clinic.vkey();
    let (service, writer) = clinic.open();
    service.self_audit_now(true).await.unwrap();
    drop(service);
    writer.join().unwrap();
    clinic.rotate();
    clinic.day("after", 1).await;
    for vkey in [&old, &middle, &clinic.vkey()] {
        let (status, told) = second_opinion(&clinic, &vkey.to_string());
        assert_eq!((status, &told["verdict"]), (0, &"good".into()), "{told}");
    }
    let foreign = crate::support::vkey_of(&key_of("mallory")).to_string();
    let (status, told) = second_opinion(&clinic, &foreign);
    assert_eq!((status, &told["fault"], &told["first_bad_index"]), (1, &"fork".into(), &0.into()));

    // The old key goes on after it was replaced.
    let stolen = vialedger::tlog::NoteSigner::new(ORIGIN.parse().unwrap(), key_of(FIRST_KEY));
    let mut rows = clinic.evidence();
    let last = rows.checkpoints.last().unwrap().size;
    rows.sign_again(last, &stolen);
    let note = rows.note(last).to_string();
    let connection = rusqlite::Connection::open(clinic.folder().database()).unwrap();
    connection.execute_batch("DROP TRIGGER checkpoints_never_change").unwrap();
    let place = i64::try_from(last).unwrap();
    connection.execute("UPDATE checkpoints SET note = ?1 WHERE size = ?2", (note, place)).unwrap();
    drop(connection);
    let (status, told) = second_opinion(&clinic, &old.to_string());
    assert_eq!((status, &told["fault"]), (1, &"checkpoint-mismatch".into()), "{told}");
}
