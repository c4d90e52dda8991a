//! Ledgers made once, by rules of an older version, verify for ever: with the program of today, and with every later one.
//! `ledger.db` is of version 1, `course.db`, a whole course of treatment, of version 2.
//!
//! When this fails, the meaning of old entries has changed: raise `decide::RULES_VERSION` and keep the old rules (their
//! words included) for the old entries. Never make a ledger here anew.
#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "support/python.rs"]
mod python;

use std::path::{Path, PathBuf};

use prost::Message as _;
use serde_json::Value;
use vialedger::command::DoseInputs;
use vialedger::decide;
use vialedger::ledger::ParsedEntry;
use vialedger::pb::v1::{self, outcome::Result as Made};
use vialedger::store::{Readers, StoreError, state_before};

fn golden(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/golden").join(file)
}

fn verify(arguments: &[&str]) -> (Option<i32>, Value) {
    verify_file(&golden("ledger.db"), arguments)
}

fn verify_file(ledger: &Path, arguments: &[&str]) -> (Option<i32>, Value) {
    let output = assert_cmd::Command::new(env!("CARGO_BIN_EXE_vialedger"))
        .arg("--json")
        .arg("verify")
        .arg(ledger)
        .args(arguments)
        .output()
        .unwrap();
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn a_ledger_of_the_first_rules_verifies_against_its_receipt() {
    let (vkey, receipt) = (golden("ledger.vkey"), golden("entry-18.receipt"));
    let (status, report) =
        verify(&["--vkey", vkey.to_str().unwrap(), "--checkpoint", receipt.to_str().unwrap()]);
    assert_eq!(status, Some(0), "{report:#}");
    assert_eq!(report["entries"], 21, "{report:#}");
}

#[test]
fn it_does_not_verify_without_a_key_or_under_another() {
    assert_eq!(verify(&[]).0, Some(2));
    let other = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    assert_eq!(verify(&["--vkey", other]).0, Some(1));
}

#[test]
fn a_row_before_the_first_entry_is_bad_evidence_and_not_a_missing_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("ledger.db");
    std::fs::copy(golden("ledger.db"), &copy).unwrap();
    let database = rusqlite::Connection::open(&copy).unwrap();
    database
        .execute_batch(
            "DROP TRIGGER entries_only_append;
             INSERT INTO entries SELECT -1, entry FROM entries WHERE idx = 7;",
        )
        .unwrap();
    drop(database);
    let vkey = golden("ledger.vkey");
    let (status, report) = verify_file(&copy, &["--vkey", vkey.to_str().unwrap()]);
    assert_eq!(status, Some(1), "{report:#}");
    assert_eq!(report["first_bad_index"], 0, "{report:#}");
}

#[test]
fn what_an_editor_leaves_at_the_end_of_a_receipt_does_not_matter() {
    let folder = tempfile::tempdir().unwrap();
    let receipt = folder.path().join("kept.receipt");
    let text = std::fs::read_to_string(golden("entry-18.receipt")).unwrap();
    let vkey = golden("ledger.vkey");
    for end in ["\n\n", ""] {
        std::fs::write(&receipt, format!("{}{end}", text.trim_end())).unwrap();
        let arguments =
            ["--vkey", vkey.to_str().unwrap(), "--checkpoint", receipt.to_str().unwrap()];
        let (status, report) = verify(&arguments);
        assert_eq!(status, Some(0), "{report:#}");
    }
}

#[test]
fn a_course_by_the_second_rules_verifies() {
    let folder = tempfile::tempdir().unwrap();
    let (copy, vkey) = (folder.path().join("course.db"), golden("course.vkey"));
    std::fs::copy(golden("course.db"), &copy).unwrap();
    let (status, report) = verify_file(&copy, &["--vkey", vkey.to_str().unwrap()]);
    assert_eq!(status, Some(0), "{report:#}");
    assert_eq!(report["entries"], 119, "{report:#}");
    // The second verifier too: a patient leaves early in it, by the approval of a second person.
    let second = assert_cmd::Command::new(python::python())
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .arg("deploy/verify_ledger.py")
        .arg(&copy)
        .arg("--vkey")
        .arg(&vkey)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&second.stdout);
    assert_eq!(second.status.code(), Some(0), "{said}");
    assert!(said.contains("the first 119 entries"), "{said}");
}

#[test]
fn its_doses_replay_digit_for_digit() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("ledger.db");
    std::fs::copy(golden("ledger.db"), &copy).unwrap();
    let readers = Readers::open(copy).unwrap();
    let mut replayed = 0;
    readers
        .read(|reader| {
            for index in 0..reader.size()? {
                let entry = ParsedEntry::parse(reader.entry(index)?.unwrap()).unwrap();
                let Some(Made::DoseCalculation(recorded)) = entry.outcome.result else { continue };
                let request =
                    v1::CalculateDoseRequest::decode(entry.request.bytes().clone()).unwrap();
                let inputs = DoseInputs::parse(request.inputs.as_ref()).unwrap();
                let moment = entry.sealed.recorded_time();
                let state = state_before(reader, index)?;
                let context = decide::context_then(&state, &inputs, moment);
                let then = state.formulary().unwrap();
                let again = decide::replay(then, &inputs, Some(&context), moment).unwrap();
                let name = recorded.name.clone();
                assert_eq!(v1::DoseCalculation { name, context: None, ..again }, recorded);
                replayed += 1;
            }
            Ok::<_, StoreError>(())
        })
        .unwrap();
    assert!(replayed > 0, "the golden ledger holds doses");
}
