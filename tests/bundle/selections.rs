//! What a bundle holds, and what the program says of it.

use prost::Message as _;
use serde_json::json;
use vialedger::pb::v1;

use crate::support::{clinic, entries, succeed, vialedger};

/// Whether some bytes are somewhere in others.
fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn a_vials_bundle_verifies_with_nothing_but_the_key_and_opens_nothing_else() {
    let clinic = clinic();
    let bundle = clinic.bundle("vial.jsonl", &["--vial", &clinic.vials[0]]);
    // Moved away from the ledger: nothing but the file is there.
    let alone = tempfile::tempdir().unwrap();
    let file = alone.path().join("vial.jsonl");
    std::fs::rename(&bundle, &file).unwrap();
    let (status, report) = clinic.verdict(&file, &[]);
    assert_eq!((status, &report["verdict"]), (0, &json!("good")), "{report:#}");
    assert_eq!(report["bundle"]["whole"], false);
    assert!(report["bundle"]["not_checked"].as_array().unwrap().len() > 2);

    let found = entries(&file);
    let acts: Vec<String> = found
        .iter()
        .filter(|(selected, _)| *selected)
        .map(|(_, entry)| entry.request_type.replace("vialedger.v1.", ""))
        .collect();
    let expected = [
        "ReceiveVialsRequest",
        "DispenseVialRequest",
        "RecordAdministrationRequest",
        "RecordWasteRequest",
        "WitnessRequest",
        "WitnessRequest",
    ];
    assert_eq!(acts, expected, "the refused witness is among them");
    assert_eq!(report["entries"], acts.len());
    for (selected, entry) in &found {
        let bytes = entry.encode_to_vec();
        assert!(!holds(&bytes, "patients/p2"), "entry {}", entry.index);
        assert!(!holds(&bytes, "Farquhar"));
        let delivery = entry.request_type.ends_with("ReceiveVialsRequest");
        assert!(delivery || !holds(&bytes, &clinic.vials[1]), "entry {}", entry.index);
        if !selected {
            let kinds = ["InitializeLedger", "EnrollPerson", "Approve"];
            assert!(kinds.iter().any(|kind| entry.request_type.contains(kind)));
        }
    }
    let told = vialedger(&["verify", file.to_str().unwrap(), "--vkey", &clinic.key.to_string()]);
    let told = succeed(&told);
    assert!(told.contains("Good. All 6 entries of the bundle hold"), "{told}");
    assert!(told.contains("not that nothing was left out"), "{told}");
}

#[test]
fn every_selection_is_of_what_it_says_and_verifies() {
    let clinic = clinic();
    for (name, options) in [
        ("patient", &["--patient", "p2"][..]),
        ("person", &["--person", "nick"]),
        ("lot", &["--lot", "K0117"]),
        ("from", &["--from", "2027-03-01"]),
        ("to", &["--to", "2027-03-01"]),
    ] {
        let file = clinic.bundle(&format!("{name}.jsonl"), options);
        let (status, report) = clinic.verdict(&file, &[]);
        assert_eq!(status, 0, "{name}: {report:#}");
    }
    let about = |name: &str, what: &str| {
        let found = entries(&clinic.beside(&format!("{name}.jsonl")));
        let selected: Vec<v1::Entry> =
            found.into_iter().filter(|(selected, _)| *selected).map(|(_, entry)| entry).collect();
        assert!(selected.len() > 1, "{name}");
        for entry in selected.iter().filter(|_| !what.is_empty()) {
            assert!(holds(&entry.encode_to_vec(), what), "{name}: entry {}", entry.index);
        }
    };
    about("patient", "");
    about("lot", "");
    let ledger = clinic.ledger().to_str().unwrap();
    let out = clinic.beside("nothing.jsonl");
    let none = ["export", "bundle", ledger, "--vial", "99-9", "--out", out.to_str().unwrap()];
    let none = vialedger(&none);
    assert_eq!(none.status.code(), Some(1), "nothing selected is nothing proved");
    assert!(!out.exists());
}

#[test]
fn a_whole_bundle_is_audited_like_the_ledger_itself() {
    let clinic = clinic();
    let file = clinic.bundle("whole.jsonl", &["--all"]);
    let (status, whole) = clinic.verdict(&file, &["--explain", "entries/12"]);
    let (_, ledger) = clinic.verdict(clinic.ledger(), &["--explain", "entries/12"]);
    assert_eq!(status, 0, "{whole:#}");
    for field in ["verdict", "entries", "root", "trusted_entries"] {
        assert_eq!(whole[field], ledger[field], "{field}");
    }
    assert_eq!(whole["explained"]["who"], ledger["explained"]["who"]);
    assert_eq!(whole["bundle"]["whole"], true);
    assert_eq!(whole["identities"]["registered"], 2);
    // The exported tiles are as good a source as the database.
    let tiles = clinic.beside("tiles");
    let ledger = clinic.ledger().to_str().unwrap();
    succeed(&vialedger(&["export", "tiles", ledger, "--out", tiles.to_str().unwrap()]));
    let other = clinic.beside("from-tiles.jsonl");
    let told = ["export", "bundle", tiles.to_str().unwrap(), "--all", "--out"];
    succeed(&vialedger(&[&told[..], &[other.to_str().unwrap()]].concat()));
    assert!(std::fs::read(&other).unwrap() == std::fs::read(&file).unwrap(), "the same bytes");
}

#[test]
fn what_the_auditor_brought_is_compared_or_there_is_no_verdict() {
    let clinic = clinic();
    let file = clinic.bundle("anchored.jsonl", &["--vial", &clinic.vials[0]]);
    let evidence = vialedger::store::Evidence::open(&clinic.beside("ledger.db")).unwrap();
    let note = |size| evidence.reader().checkpoint_at(size).unwrap().unwrap();
    let (new, old) = (clinic.beside("new.checkpoint"), clinic.beside("old.checkpoint"));
    std::fs::write(&new, note(clinic.size)).unwrap();
    std::fs::write(&old, note(3)).unwrap();
    let with = |kept: &std::path::Path| {
        let (status, report) = clinic.verdict(&file, &["--checkpoint", kept.to_str().unwrap()]);
        (status, report["anchor"]["kind"].clone())
    };
    assert_eq!(with(&new), (0, json!("checkpoint")));
    assert_eq!(with(&old).0, 2, "another size cannot be compared");
    let (status, report) = clinic.verdict(&file, &["--save", "x"]);
    assert_eq!(status, 2, "{report}");
}
