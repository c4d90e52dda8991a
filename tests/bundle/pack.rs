//! The folder that an inspector opens.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use roxmltree::Document;
use serde_json::Value;

use crate::python::python;
use crate::support::{Clinic, clinic, succeed, vialedger};

fn pack(clinic: &Clinic, name: &str, options: &[&str]) -> PathBuf {
    let out = clinic.beside(name);
    let ledger = clinic.ledger().to_str().unwrap();
    let told = ["audit", "pack", ledger, "--out", out.to_str().unwrap()];
    succeed(&vialedger(&[&told[..], options].concat()));
    out
}

fn names(folder: &Path) -> BTreeSet<String> {
    let files = std::fs::read_dir(folder).unwrap();
    files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(ToString::to_string).collect()
}

/// The text of every cell of every table, row by row.
fn rows(page: &str) -> Vec<Vec<String>> {
    let page = page.strip_prefix("<!DOCTYPE html>\n").unwrap();
    let page = Document::parse(page).expect("the page is well-formed");
    let text = |node: roxmltree::Node<'_, '_>| {
        node.descendants().filter_map(|it| it.text().filter(|_| it.is_text())).collect::<String>()
    };
    let rows = page.descendants().filter(|node| node.has_tag_name("tr"));
    rows.map(|row| row.children().filter(|cell| cell.has_tag_name("td")).map(text).collect())
        .collect()
}

#[test]
fn a_pack_of_the_whole_ledger_has_what_an_inspector_needs_and_verifies() {
    let clinic = clinic();
    let out = pack(clinic, "inspection", &["--all"]);
    let files =
        ["README.txt", "checkpoint", "ledger.db", "ledger.vkey", "report.html", "verify_ledger.py"];
    assert_eq!(names(&out), set(&files));
    let (status, report) = clinic.verdict(&out, &[]);
    assert_eq!((status, report["entries"].as_u64()), (0, Some(clinic.size)), "{report:#}");
    let kept = out.join("checkpoint");
    let (status, report) = clinic.verdict(&out, &["--checkpoint", kept.to_str().unwrap()]);
    assert_eq!((status, &report["anchor"]["kind"]), (0, &"checkpoint".into()));

    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    let rows = rows(&page);
    for vial in &clinic.vials {
        let row = rows.iter().find(|row| row.first() == Some(vial)).unwrap();
        assert_eq!(row.last().unwrap(), "balances", "{row:?}");
    }
    assert_eq!(page.matches(">balances<").count(), 90, "every vial that came in balances");
    let wasted: Vec<_> =
        rows.iter().filter(|row| row.get(1).is_some_and(|it| it == "wasted")).collect();
    assert_eq!(wasted.len(), 2);
    assert!(wasted.iter().all(|row| row[5].starts_with("Nick (people/nick)")), "{wasted:?}");
    assert!(rows.iter().any(|row| row.get(3).is_some_and(|it| it == "SELF_WITNESS")));
    assert!(page.contains("Example Wholesale") && !page.contains("Marlowe"));
    let again = pack(clinic, "inspection-again", &["--all"]);
    for file in ["report.html", "README.txt", "checkpoint"] {
        let read = |folder: &Path| std::fs::read(folder.join(file)).unwrap();
        assert!(read(&out) == read(&again), "{file} is the same each time");
    }
}

#[test]
fn both_verifiers_say_the_same_of_a_pack() {
    let clinic = clinic();
    for (name, options) in
        [("for-both", &["--all"][..]), ("one-vial-for-both", &["--vial", &clinic.vials[0]])]
    {
        let out = pack(clinic, name, options);
        let (evidence, verifier) = if name == "for-both" {
            ("ledger.db", "verify_ledger.py")
        } else {
            ("bundle.jsonl", "verify_bundle.py")
        };
        let mut theirs = Command::new(python());
        theirs.arg(out.join(verifier)).arg(out.join(evidence)).arg("--vkey");
        theirs.arg(clinic.beside("yours.vkey")).arg("--json").env("PYTHONDONTWRITEBYTECODE", "1");
        let theirs = theirs.output().unwrap();
        let said: Value = serde_json::from_slice(&theirs.stdout).unwrap();
        let (status, ours) = clinic.verdict(&out.join(evidence), &[]);
        assert_eq!(theirs.status.code(), Some(status), "{said:#}");
        for field in ["verdict", "entries", "root"] {
            assert_eq!(said[field], ours[field], "{field}: {said:#}");
        }
        assert_eq!(status, 0);
    }
}

#[test]
fn a_pack_of_one_vial_opens_nothing_else() {
    let clinic = clinic();
    let out = pack(clinic, "one-vial", &["--vial", &clinic.vials[0]]);
    assert!(names(&out).contains("bundle.jsonl") && !names(&out).contains("ledger.db"));
    let (status, report) = clinic.verdict(&out.join("bundle.jsonl"), &[]);
    assert_eq!(status, 0, "{report:#}");
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("patients/p1") && !page.contains("patients/p2"));
    assert!(rows(&page).iter().any(|row| row.first() == Some(&clinic.vials[0])));
    let readme = std::fs::read_to_string(out.join("README.txt")).unwrap();
    assert!(readme.contains("not that nothing was left out"), "{readme}");
    assert!(readme.lines().all(|line| line.chars().count() <= 120));
}
