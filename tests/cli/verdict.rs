//! The verdicts of `verify` and of `receipt verify`, and their exit statuses.

use std::path::Path;

use rusqlite::Connection;

use crate::support::{Clinic, run};

/// A copy of the ledger's database with its triggers gone, changed by one statement.
fn tampered(clinic: &Clinic, name: &str, sql: &str) -> std::path::PathBuf {
    let copy = clinic.path(name);
    std::fs::copy(clinic.ledger().join("ledger.db"), &copy).unwrap();
    let connection = Connection::open(&copy).unwrap();
    let triggers: Vec<String> = connection
        .prepare("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    for name in triggers {
        connection.execute_batch(&format!("DROP TRIGGER {name}")).unwrap();
    }
    connection.execute_batch(sql).unwrap();
    copy
}

#[test]
fn a_good_ledger_is_good_as_a_folder_and_as_a_file() {
    let clinic = Clinic::new();
    for path in [clinic.ledger(), clinic.ledger().join("ledger.db")] {
        let report = clinic.verify(&path).expect(0).json();
        assert_eq!(report["verdict"], "good");
        assert_eq!(report["entries"], 2);
        assert_eq!(report["anchor"]["kind"], "none");
    }
}

#[test]
fn bad_evidence_is_named_and_ends_with_1() {
    let clinic = Clinic::new();
    let edited = "UPDATE entries SET entry = CAST(entry || x'00' AS BLOB) WHERE idx = 1";
    let report = clinic.verify(&tampered(&clinic, "edited.db", edited)).expect(1).json();
    assert_eq!(report["verdict"], "bad");
    assert_eq!(report["first_bad_index"], 1);
    assert_eq!(report["fault"], "edited");
    assert_eq!(report["trusted_entries"], 1);

    let cut = tampered(&clinic, "cut.db", "DELETE FROM entries WHERE idx = 1");
    let report = clinic.verify(&cut).expect(1).json();
    assert_eq!(report["fault"], "truncated");
}

#[test]
fn another_ledgers_key_makes_the_evidence_bad() {
    let clinic = Clinic::new();
    let stranger = Clinic::new();
    let report = stranger.verify(&clinic.ledger()).expect(1).json();
    assert_eq!(report["verdict"], "bad");
}

#[test]
fn without_a_key_or_without_evidence_there_is_no_verdict() {
    let clinic = Clinic::new();
    let ledger = clinic.ledger();
    // The verifier key that lies in the ledger's own folder is not taken: it would prove nothing.
    let report = run(["verify", ledger.to_str().unwrap(), "--json"]).expect(2).json();
    assert_eq!(report["verdict"], "none");
    run(["verify", ledger.to_str().unwrap(), "--vkey", "no key at all"]).expect(2);

    for (name, bytes) in [("empty.db", &b""[..]), ("junk.db", b"this is not a database\n")] {
        std::fs::write(clinic.path(name), bytes).unwrap();
        let report = clinic.verify(&clinic.path(name)).expect(2).json();
        assert_eq!(report["verdict"], "none", "{name}");
    }
    clinic.verify(Path::new("/nowhere/ledger.db")).expect(2);
    let none = tampered(&clinic, "none.db", "DELETE FROM entries; DELETE FROM checkpoints");
    clinic.verify(&none).expect(2);
}

#[test]
fn a_receipt_file_that_is_none_is_refused() {
    let clinic = Clinic::new();
    let path = clinic.path("receipt");
    std::fs::write(&path, "good morning\n").unwrap();
    run(["receipt", "verify", path.to_str().unwrap(), "--vkey", &clinic.vkey]).expect(1);
    run(["receipt", "verify", path.to_str().unwrap()]).expect(78);
    run(["receipt", "verify", "/nowhere", "--vkey", &clinic.vkey]).expect(66);
}
