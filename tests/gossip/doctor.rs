//! What the doctor finds in good and bad folders.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;

use crate::clinic::Clinic;
use crate::support::text;

/// What was found of one check.
fn found(report: &Value, check: &str) -> (String, String) {
    let checks = report["checks"].as_array().unwrap();
    let row = checks.iter().find(|row| row["check"] == check).unwrap_or_else(|| panic!("{report}"));
    (row["state"].as_str().unwrap().to_owned(), row["found"].as_str().unwrap().to_owned())
}

#[track_caller]
fn expect(clinic: &Clinic, folder: &Path, more: &[&str], check: &str, state: &str, words: &str) {
    let status = match state {
        "ok" => 0,
        "warn" => 2,
        _ => 1,
    };
    let report = clinic.doctor(folder, more).expect(status).json();
    let (found_state, found) = found(&report, check);
    assert_eq!(found_state, state, "{report}");
    assert!(found.contains(words), "{words:?} is not in {found:?}");
}

#[test]
fn each_ailment_is_named_with_what_to_do() {
    let clinic = Clinic::new("ledger.example/doctor");
    let older = clinic.copy("ledger", "older");
    let fork = clinic.copy("ledger", "fork");
    clinic.grow(&clinic.ledger(), &["ward", "store"]);
    clinic.grow(&fork, &["theatre", "pharmacy", "attic"]);
    let head = text(&clinic.path("ledger/ledger.head"));
    let ledger = clinic.ledger();
    expect(&clinic, &ledger, &[], "known checkpoints", "ok", "nothing is missing up to entry 3");

    expect(&clinic, &ledger, &[], "disk", "ok", "MiB free");

    let server = Clinic::serve(&ledger, &[]);
    expect(&clinic, &ledger, &[], "server", "ok", "process");
    clinic.create("device", &server, "more").expect(0);
    server.stop();
    expect(&clinic, &ledger, &[], "server", "ok", "none holds");

    let known = ["--known-checkpoint", head.as_str()];
    expect(&clinic, &older, &known, "known checkpoints", "bad", "entries 2 to 4 are missing");
    expect(&clinic, &older, &known, "known checkpoints", "bad", "find a newer copy");
    expect(&clinic, &fork, &known, "known checkpoints", "bad", "FORKED");
    let server = Clinic::serve(&fork, &known);
    server.stop();
    expect(&clinic, &fork, &[], "forks", "bad", "split-view-5.txt");

    let mode = |file: &str, mode| {
        fs::set_permissions(ledger.join(file), fs::Permissions::from_mode(mode)).unwrap();
    };
    mode("ledger.key", 0o644);
    expect(&clinic, &ledger, &[], "ledger.key", "bad", "chmod 600");
    mode("ledger.key", 0o600);
    mode("identity.key", 0o640);
    expect(&clinic, &ledger, &[], "identities", "bad", "chmod 600");
    mode("identity.key", 0o600);
    mode("", 0o755);
    expect(&clinic, &ledger, &[], "folder", "warn", "chmod 700");
    mode("", 0o700);
    fs::rename(ledger.join("ledger.key"), clinic.path("envelope")).unwrap();
    expect(&clinic, &ledger, &[], "ledger.key", "warn", "missing");
    fs::copy(clinic.path("envelope"), ledger.join("ledger.key")).unwrap();
    fs::rename(ledger.join("ledger.head"), clinic.path("head")).unwrap();
    expect(&clinic, &ledger, &[], "known checkpoints", "warn", "nothing to compare with");
    fs::write(ledger.join("ledger.head"), "torn").unwrap();
    expect(&clinic, &ledger, &[], "known checkpoints", "bad", "does not hold a checkpoint");
    fs::copy(clinic.path("head"), ledger.join("ledger.head")).unwrap();
    expect(&clinic, &ledger, &[], "clock", "ok", "after the last entry");
}

#[test]
fn a_database_that_is_damaged_altered_or_missing_is_bad() {
    let clinic = Clinic::new("ledger.example/damaged");
    clinic.grow(&clinic.ledger(), &["ward"]);
    let fresh = |name: &str| clinic.copy("ledger", name);

    let folder = fresh("altered");
    let database = rusqlite::Connection::open(folder.join("ledger.db")).unwrap();
    database.execute_batch("DROP TRIGGER entries_never_go").unwrap();
    drop(database);
    expect(&clinic, &folder, &[], "schema", "bad", "entries_never_go");

    let folder = fresh("unfiled");
    let database = rusqlite::Connection::open(folder.join("ledger.db")).unwrap();
    database.execute_batch("DELETE FROM requests WHERE idx = 1").unwrap();
    drop(database);
    expect(&clinic, &folder, &[], "request ids", "bad", "vialedger rebuild");

    let folder = fresh("torn");
    let mut bytes = fs::read(folder.join("ledger.db")).unwrap();
    // The second half of the pages after the first, which holds the schema.
    let half = bytes.len() / 2;
    bytes[half..].fill(0xAA);
    fs::write(folder.join("ledger.db"), bytes).unwrap();
    assert_eq!(clinic.doctor(&folder, &[]).expect(1).json()["state"], "bad");

    let folder = fresh("empty");
    fs::remove_file(folder.join("ledger.db")).unwrap();
    expect(&clinic, &folder, &[], "database", "bad", "there is no ledger");
    expect(&clinic, &clinic.path("nowhere"), &[], "folder", "bad", "is not there");

    let other = Clinic::new("ledger.example/damaged");
    let (folder, vkey) = (text(&clinic.ledger()), other.vkey.to_string());
    let report =
        crate::support::run(["doctor", &folder, "--vkey", &vkey, "--json"]).expect(1).json();
    assert_eq!(found(&report, "verifier key").0, "bad");
    assert_eq!(found(&report, "checkpoint").0, "bad");
}
