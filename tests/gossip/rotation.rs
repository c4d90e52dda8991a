//! What is remembered outlives the key that signed it: head files, cosigned checkpoints, files of others, devices.

use std::fs;
use std::path::Path;

use vialedger::client::Memory;

use crate::clinic::Clinic;
use crate::support::{Ended, run, text};

fn rotate(folder: &Path, more: &[&str]) -> Ended {
    run(["ledger", "rotate-key", &text(folder), "--json"].iter().chain(more))
}

/// Rotates the key of a folder's ledger, and gives everybody the new line.
fn hand_out(clinic: &mut Clinic, folder: &Path) {
    let rotated = rotate(folder, &[]).expect(0).json();
    clinic.vkey = rotated["verifier_key"].as_str().unwrap().parse().unwrap();
}

/// A ledger of 5 entries whose device has seen them all, a copy `fork` of its first 3, and the head files of both sizes.
fn begun(origin: &str) -> Clinic {
    let clinic = Clinic::new(origin);
    let (ledger, head) = (clinic.ledger(), clinic.path("ledger/ledger.head"));
    clinic.grow(&ledger, &["ward"]);
    fs::copy(&head, clinic.path("three.head")).unwrap();
    clinic.copy("ledger", "fork");
    let server = Clinic::serve(&ledger, &[]);
    clinic.create("device", &server, "store").expect(0);
    clinic.create("device", &server, "theatre").expect(0);
    server.stop();
    fs::copy(&head, clinic.path("five.head")).unwrap();
    clinic
}

#[test]
fn a_ledger_goes_on_with_what_was_known_under_its_old_keys() {
    let mut clinic = begun("ledger.example/rotated");
    let (ledger, head) = (clinic.ledger(), clinic.path("ledger/ledger.head"));
    let first = clinic.vkey.clone();
    hand_out(&mut clinic, &ledger);
    assert_eq!(clinic.checkpoint(&head).size(), 6, "the head file is that of the rotation");
    // As a crash leaves it before the head file is written, with what others kept.
    fs::copy(clinic.path("three.head"), &head).unwrap();
    fs::create_dir(ledger.join("cosignatures")).unwrap();
    fs::copy(clinic.path("five.head"), ledger.join("cosignatures/5.checkpoint")).unwrap();
    let five = text(&clinic.path("five.head"));
    let known = ["--known-checkpoint", five.as_str()];
    clinic.doctor(&ledger, &known).expect(0);
    let server = Clinic::serve(&ledger, &known);
    clinic.create("knows-nothing", &server, "attic").expect(0);
    clinic.create("device", &server, "cellar").expect(0);
    server.stop();
    assert_eq!(clinic.checkpoint(&head).size(), 8);
    let memory = Memory::new(clinic.path("device"));
    assert_eq!(clinic.checkpoint(&memory.file(&clinic.vkey)).size(), 8, "under the new key");

    // Once more, so that the first key is two rotations away; whoever has it follows them both.
    hand_out(&mut clinic, &ledger);
    fs::copy(clinic.path("three.head"), &head).unwrap();
    let server = Clinic::serve(&ledger, &known);
    clinic.create("device", &server, "garden").expect(0);
    server.stop();
    clinic.doctor(&ledger, &known).expect(0);
    let newest = std::mem::replace(&mut clinic.vkey, first);
    clinic.doctor(&ledger, &known).expect(0);
    clinic.vkey = newest;
    // A table that is derived decides nothing.
    let database = rusqlite::Connection::open(ledger.join("ledger.db")).unwrap();
    database.execute_batch("DELETE FROM subjects WHERE subject = 'ledger/key'").unwrap();
    drop(database);
    clinic.doctor(&ledger, &known).expect(0);
}

#[test]
fn a_copy_that_was_put_back_is_behind_its_old_keys_checkpoint_before_and_after_a_rotation() {
    let mut clinic = begun("ledger.example/ahead");
    let (fork, ahead) = (clinic.path("fork"), clinic.path("five.head"));
    let five = text(&ahead);
    let before = fs::read(fork.join("ledger.key")).unwrap();
    for more in [["--known-checkpoint", five.as_str()], ["--head-file", &five]] {
        let error = Clinic::error(rotate(&fork, &more), 1);
        let said = error["message"].as_str().unwrap();
        assert!(said.contains("entries 3 to 4 are missing"), "{error}");
        assert_eq!(fs::read(fork.join("ledger.key")).unwrap(), before);
        assert!(!fork.join("ledger.key.new").exists());
    }
    hand_out(&mut clinic, &fork);
    fs::copy(&ahead, fork.join("ledger.head")).unwrap();
    let server = Clinic::serve(&fork, &[]);
    let error = Clinic::error(clinic.create("knows-nothing", &server, "more"), 1);
    assert_eq!(error["reason"], "LEDGER_BEHIND", "{error}");
    assert!(error["message"].as_str().unwrap().contains("entry 4 is missing"), "{error}");
    server.stop();
    assert_eq!(fs::read(fork.join("ledger.head")).unwrap(), fs::read(&ahead).unwrap());
    clinic.doctor(&fork, &[]).expect(1);
}

#[test]
fn a_device_that_is_given_the_new_key_refuses_what_does_not_go_on_from_what_it_saw() {
    let mut clinic = begun("ledger.example/handed");
    let fork = clinic.path("fork");
    hand_out(&mut clinic, &fork);
    let refused = |reason: &str, words: &str| {
        let server = Clinic::serve(&fork, &[]);
        let error = Clinic::error(clinic.on("device", &server, &["balances"]), 1);
        server.stop();
        assert_eq!(error["reason"], reason, "{error}");
        let said = error["message"].as_str().unwrap();
        assert!(said.contains(words) && said.contains("under another key"), "{said}");
        let both = fs::read_to_string(error["evidence"].as_str().unwrap()).unwrap();
        assert!(both.contains(&fs::read_to_string(clinic.path("five.head")).unwrap()), "{both}");
    };
    refused("LEDGER_BEHIND", "entry 4 is missing");
    clinic.grow(&fork, &["attic"]);
    refused("NOT_PROVEN", "begin with the 5 that this device saw");
    clinic.grow(&fork, &["cellar", "garden"]);
    refused("NOT_PROVEN", "begin with the 5 that this device saw");
    assert!(!Memory::new(clinic.path("device")).file(&clinic.vkey).exists());
}
