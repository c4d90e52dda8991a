//! `vialedger demo`, the real program: what it tells, what it leaves, and that what it leaves holds.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::expect_used,
    missing_docs,
    reason = "tests"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use serde_json::Value;

/// Longest line of the story, in characters.
const WIDTH: usize = 100;

/// Runs the program, with `temp` as the system's folder for temporary files.
fn vialedger(temp: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::cargo_bin("vialedger").unwrap();
    command.env("TMPDIR", temp).env_remove("RUST_LOG").args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The story without its line breaks, so that a sentence can be looked for.
fn flowing(story: &str) -> String {
    let words = story.split_whitespace().filter(|word| *word != "|");
    words.collect::<Vec<_>>().join(" ")
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn the_story_is_told_and_what_it_leaves_verifies_with_nothing_but_the_file_and_the_key() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("clinic");
    let folder = dir.to_str().unwrap();
    let told = vialedger(temp.path(), &["demo", "--dir", folder]);
    let story = text(&told.stdout);
    assert_eq!(told.status.code(), Some(0), "{story}{}", text(&told.stderr));
    assert_eq!(text(&told.stderr), "");
    reads_well(&story);
    leaves_a_ledger(&dir);
    verifies(temp.path(), &dir);
    typed_as_printed(temp.path(), &story);
    let again = vialedger(temp.path(), &["demo", "--dir", folder]);
    assert_eq!(again.status.code(), Some(73), "a folder that is not empty is left alone");
    verifies(temp.path(), &dir);
}

/// Every line that a nurse must find, and none that is too long or meant for a terminal.
fn reads_well(story: &str) {
    let flowing = flowing(story);
    for part in [
        "acted alone",
        "approved by Ben",
        "36.25 mg",
        "3.6 mL",
        "75 mL/h",
        "Read back aloud: \"ketamine 0.5 mg/kg for 72.5 kg",
        "p-0417 feels well and would like to go",
        "Now the same signature is taken",
        // The seven refusals.
        "Refused: before the dose these must be read",
        "Refused: weight: `160 lb` is in pounds, which are never read here",
        "Refused: 5 mg/kg is not allowed: the hard limit for the dose is 1 mg/kg",
        "expired on",
        "Refused: 36 mL cannot come out of vials/11-1",
        "did the wasting and cannot witness it too",
        "Refused: the patient may not go home yet: only 60 min since the first dose",
        "It adds up: 3.6 mL + 16.4 mL + 0 mL = 20 mL.",
        // The audits.
        "Good. All 34 entries and 34 checkpoints hold",
        "your checkpoint of 27 entries",
        "The audit names entry 25 and the fault: edited.",
        "BAD. Entry 20: truncated.",
        "Everything went as told",
    ] {
        assert!(flowing.contains(part), "{part:?} is not in:\n{story}");
    }
    let (chapters, commands) = story.split_once("What to try next").unwrap();
    assert!(commands.lines().count() >= 4, "{commands}");
    for line in chapters.lines().filter(|line| !line.contains("The ledger is kept in")) {
        assert!(line.chars().count() <= WIDTH, "{line}");
        assert!(!line.contains('\u{1b}'), "colours are for terminals: {line:?}");
    }
}

fn leaves_a_ledger(dir: &Path) {
    let left = names(dir);
    for name in
        ["ledger.db", "ledger.vkey", "ledger.key", "identities.db", "keys", "receipts", "copies"]
    {
        assert!(left.contains(name), "{name} is missing among {left:?}");
    }
    let keys = ["ada-alvarez", "ben-baker", "nina-novak", "omar-okafor", "priya-patel"];
    assert_eq!(names(&dir.join("keys")), keys.map(|key| format!("{key}.pem")).into());
    #[cfg(unix)]
    for file in ["ledger.key", "keys/nina-novak.pem"] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(dir.join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

/// The database alone, somewhere else, with the verifier key as a line.
fn verifies(temp: &Path, dir: &Path) {
    let alone = tempfile::tempdir_in(temp).unwrap();
    let database = alone.path().join("ledger.db");
    fs::copy(dir.join("ledger.db"), &database).unwrap();
    let vkey = fs::read_to_string(dir.join("ledger.vkey")).unwrap();
    let database = database.to_str().unwrap();
    let report = vialedger(temp, &["verify", database, "--vkey", vkey.trim(), "--json"]);
    assert_eq!(report.status.code(), Some(0), "{}", text(&report.stdout));
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    assert_eq!((report["verdict"].as_str(), report["entries"].as_u64()), (Some("good"), Some(34)));
}

/// The commands at the end, by a shell; the last two need a server that runs until it is stopped.
fn typed_as_printed(temp: &Path, story: &str) {
    let (_, ending) = story.split_once("What to try next").unwrap();
    let joined = ending.replace(" \\\n", " ");
    let commands: Vec<&str> =
        joined.lines().map(str::trim).filter(|line| line.contains("vialedger")).collect();
    let statuses: Vec<Option<i32>> = commands
        .iter()
        .filter(|line| line.contains(" verify "))
        .map(|line| {
            let mut shell = Command::new("sh");
            shell.current_dir(temp).args(["-c", line]).output().unwrap().status.code()
        })
        .collect();
    assert_eq!(statuses, [Some(0), Some(1)], "{commands:#?}");
    assert!(commands.iter().any(|line| line.contains(" serve ")), "{commands:#?}");
}

#[test]
fn a_program_gets_a_summary_and_without_a_folder_nothing_is_left_behind() {
    let temp = tempfile::tempdir().unwrap();
    let told = vialedger(temp.path(), &["demo", "--json"]);
    assert_eq!(told.status.code(), Some(0), "{}", text(&told.stdout));
    assert_eq!(names(temp.path()), BTreeSet::new());
    let summary: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(summary["folder"], Value::Null);
    assert_eq!(summary["dose"]["exact"], "36.25 mg");
    assert_eq!(summary["dose"]["measured"], "3.6 mL");
    let refusals: Vec<(&str, Option<u64>)> = summary["refusals"]
        .as_array()
        .unwrap()
        .iter()
        .map(|no| (no["reason"].as_str().unwrap(), no["entry"].as_u64()))
        .collect();
    let expected = [
        ("VITALS_MISSING", None),
        ("INVALID_ARGUMENT", None),
        ("OVER_HARD_LIMIT", Some(18)),
        ("VIAL_EXPIRED", None),
        ("OVER_DRAW", Some(24)),
        ("SELF_WITNESS", Some(27)),
        ("NOT_DISCHARGEABLE", Some(30)),
    ];
    assert_eq!(refusals, expected);
    assert_eq!(summary["vial"]["left"], "0 mL");
    assert_eq!(summary["vial"]["entries"], serde_json::json!([11, 20, 24, 25, 26, 27, 28]));
    assert_eq!(summary["audit"]["verdict"], "good");
    assert_eq!(summary["audit"]["anchor"]["size"], 27);
    assert_eq!(summary["session"], "sessions/16");
    let edited = &summary["audit_of_one_changed_byte"];
    assert_eq!((&edited["first_bad_index"], &edited["fault"]), (&25.into(), &"edited".into()));
    let cut = &summary["audit_of_a_cut_tail"];
    assert_eq!((&cut["first_bad_index"], &cut["fault"]), (&20.into(), &"truncated".into()));
}
