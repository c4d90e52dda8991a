//! A ledger that was put back is read and not written, until what is missing is there again.

use std::fs;

use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use vialedger::tlog::Standing;

use crate::clinic::Clinic;
use crate::support::{Cosigner, Process, text};

/// The refusal of a write.
fn refused(clinic: &Clinic, server: &Process, reason: &str) -> String {
    // A device that knows nothing: what refuses is the server.
    let error = Clinic::error(clinic.create("knows-nothing", server, "more"), 1);
    assert_eq!(error["reason"], reason, "{error}");
    assert_eq!(error["code"], "DATA_LOSS");
    error["message"].as_str().unwrap().to_owned()
}

async fn health(server: &Process, service: &str) -> ServingStatus {
    let channel = tonic::transport::Endpoint::from_shared(server.url.clone()).unwrap();
    let mut health = HealthClient::new(channel.connect().await.unwrap());
    let asked = HealthCheckRequest { service: service.into() };
    health.check(asked).await.unwrap().into_inner().status()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_was_put_back_takes_no_writes_names_what_is_missing_and_is_read() {
    let clinic = Clinic::new("ledger.example/back");
    clinic.copy("ledger", "older");
    clinic.grow(&clinic.ledger(), &["ward", "store", "theatre"]);
    clinic.copy("ledger", "newer");
    let head = clinic.path("ledger/ledger.head");
    assert_eq!(clinic.checkpoint(&head).size(), 5);

    clinic.put_back("older", "ledger");
    let server = Clinic::serve(&clinic.ledger(), &[]);
    assert_eq!(health(&server, "vialedger.v1.CustodyService").await, ServingStatus::NotServing);
    assert_eq!(health(&server, "vialedger.v1.AuditService").await, ServingStatus::Serving);
    let said = refused(&clinic, &server, "LEDGER_BEHIND");
    assert!(said.contains("entries 2 to 4 are missing: this ledger has 2"), "{said}");
    assert!(said.contains("ledger.head is of 5") && said.contains("newer copy"), "{said}");
    clinic.on("knows-nothing", &server, &["balances"]).expect(0);
    server.stop();
    assert_eq!(clinic.checkpoint(&head).size(), 5, "what is missed is not forgotten");
    clinic.verify(&clinic.ledger(), &[]).expect(0);

    clinic.put_back("newer", "ledger");
    let server = Clinic::serve(&clinic.ledger(), &[]);
    assert_eq!(health(&server, "vialedger.v1.CustodyService").await, ServingStatus::Serving);
    clinic.create("knows-nothing", &server, "more").expect(0);
    server.stop();
    assert_eq!(clinic.checkpoint(&head).size(), 6);
}

#[test]
fn a_folder_that_was_put_back_whole_is_found_out_by_what_is_kept_elsewhere() {
    let clinic = Clinic::new("ledger.example/folder");
    clinic.copy("ledger", "older");
    let head = text(&clinic.path("elsewhere.head"));
    let server = Clinic::serve(&clinic.ledger(), &["--head-file", &head]);
    clinic.create("device", &server, "ward").expect(0);
    let receipt = text(&clinic.path("entry-2.receipt"));
    let get = ["receipt", "get", "entries/2", "--out", &receipt];
    clinic.on("device", &server, &get).expect(0);
    server.stop();
    let device = vialedger::client::Memory::new(clinic.path("device")).file(&clinic.vkey);
    let (device, older) = (text(&device), clinic.path("older"));
    for known in
        [["--head-file", &head], ["--known-checkpoint", &receipt], ["--known-checkpoint", &device]]
    {
        let server = Clinic::serve(&older, &known);
        let said = refused(&clinic, &server, "LEDGER_BEHIND");
        assert!(said.contains("entry 2 is missing"), "{said}");
        assert!(said.contains(known[1]), "{said}");
        server.stop();
    }
    // What a cosigner signed lies in the folder, and is looked at too; what is no note of this ledger says nothing.
    fs::create_dir(older.join("cosignatures")).unwrap();
    fs::copy(&device, older.join("cosignatures/3.checkpoint")).unwrap();
    fs::write(older.join("cosignatures/9.checkpoint"), "torn").unwrap();
    let server = Clinic::serve(&older, &[]);
    let said = refused(&clinic, &server, "LEDGER_BEHIND");
    assert!(said.contains("cosignatures/3.checkpoint is of 3"), "{said}");
    server.stop();
    // A checkpoint of somebody else's ledger is a mistake, and not passed over.
    let other = Clinic::new("ledger.example/other");
    other.grow(&other.ledger(), &[]);
    let foreign = text(&other.path("ledger/ledger.head"));
    let serve = ["serve", &text(&older), "--listen", "127.0.0.1:0", "--known-checkpoint", &foreign];
    crate::support::run(serve).expect(65);
}

#[test]
fn a_ledger_that_goes_on_beside_its_own_history_is_a_fork_and_the_proof_is_kept() {
    let clinic = Clinic::new("ledger.example/beside");
    let fork = clinic.copy("ledger", "fork");
    clinic.grow(&clinic.ledger(), &["ward", "store"]);
    clinic.grow(&fork, &["theatre", "pharmacy", "recovery"]);
    fs::copy(clinic.path("ledger/ledger.head"), fork.join("ledger.head")).unwrap();
    let known = clinic.path("ledger/ledger.head");
    assert!(matches!(clinic.standing(&fork, &known), Standing::Forked { size: 4, .. }));
    let server = Clinic::serve(&fork, &[]);
    let said = refused(&clinic, &server, "EVIDENCE_BAD");
    assert!(said.contains("two histories under this key"), "{said}");
    clinic.on("knows-nothing", &server, &["balances"]).expect(0);
    server.stop();
    assert_eq!(clinic.proves(&text(&fork.join("split-view-4.txt"))), "same-size");
    let kept = clinic.checkpoint(&fork.join("ledger.head"));
    assert_eq!(kept, clinic.checkpoint(&known), "the fork's own head did not take its place");
}

#[test]
fn a_cosigner_that_saw_more_keeps_a_ledger_from_its_first_write() {
    let clinic = Clinic::new("ledger.example/cosigned");
    let cosigner = Cosigner::begin("watch.example/c");
    let at = cosigner.serve(&[&clinic.vkey]);
    let policy = clinic.path("policy");
    let lines = format!(
        "log {}\nwitness sister {} {}\nquorum sister\n",
        clinic.vkey, cosigner.vkey, at.url
    );
    fs::write(&policy, lines).unwrap();
    let policy = text(&policy);
    let older = clinic.copy("ledger", "older");
    clinic.grow(&clinic.ledger(), &["ward", "store"]);
    let server = Clinic::serve(&clinic.ledger(), &["--cosigners", &policy]);
    server.wait_for(&["the checkpoint was cosigned", "size=4"]);
    server.stop();
    assert!(
        !older.join("ledger.head").exists()
            || clinic.checkpoint(&older.join("ledger.head")).size() == 2
    );
    let server = Clinic::serve(&older, &["--cosigners", &policy]);
    let said = refused(&clinic, &server, "LEDGER_BEHIND");
    assert!(said.contains("entries 2 to 3 are missing"), "{said}");
    assert!(said.contains("the cosigner sister is of 4"), "{said}");
    server.stop();
    // Nobody to ask is no reason to stand still: no entry waits for a cosigner.
    at.stop();
    let server = Clinic::serve(&clinic.ledger(), &["--cosigners", &policy]);
    clinic.create("device", &server, "more").expect(0);
    server.stop();
}
