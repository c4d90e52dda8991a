//! A bundle of a ledger whose key was rotated is believed under each of its keys, and under no other.

use vialedger::audit::{Fault, Verdict};
use vialedger::bundle::{
    BundleReport, Checker, EntryLine, Header, Line, Picked, Picker, Selection, VERSION, Writer,
};
use vialedger::tlog::{NoteSigner, SignedNote, Tree, VerifierKey, leaf_hash, no_tiles};

use crate::support::{Clinic, FIRST_KEY, ORIGIN, key_of, vkey_of};

/// A bundle of what Ada did, put together here: a process that is begun would hold the locks of the other tests' ledgers
/// for a moment.
fn bundle(clinic: &Clinic) -> Vec<Vec<u8>> {
    let rows = clinic.evidence();
    let note = rows.checkpoints.last().unwrap().note.clone();
    let note = String::from_utf8(note.to_vec()).unwrap();
    let mut tree = Tree::new();
    let selection = Selection::Touching { name: "people/ada".to_owned() };
    let mut picker = Picker::new(selection.clone());
    let mut roles = Vec::new();
    for row in &rows.entries {
        assert!(tree.append(leaf_hash(&row.entry)).is_empty());
        roles.push(picker.see(&row.entry).unwrap());
    }
    let count = |role| roles.iter().filter(|it| **it == role).count().try_into().unwrap();
    let head = Header {
        version: VERSION,
        origin: ORIGIN.to_owned(),
        words: selection.to_string(),
        selection,
        size: tree.size(),
        root: tree.root().to_string(),
        entries: count(Picked::Selected),
        keys: count(Picked::Keys),
        identities: 0,
        opened_because: None,
    };
    let mut lines = vec![Line::Head(Box::new(head)), Line::Checkpoint(note)];
    for (row, role) in rows.entries.iter().zip(roles).filter(|(_, it)| *it != Picked::Neither) {
        let proof = tree.inclusion_proof(row.index, tree.size(), no_tiles).unwrap();
        let selected = role == Picked::Selected;
        lines.push(Line::Entry(EntryLine::new(row.index, selected, &row.entry, &proof)));
    }
    written(&lines)
}

fn written(lines: &[Line]) -> Vec<Vec<u8>> {
    let mut writer = Writer::default();
    let mut all: Vec<Vec<u8>> = lines.iter().map(|line| writer.line(line)).collect();
    all.push(writer.end());
    all.iter().map(|line| line.strip_suffix(b"\n").unwrap().to_vec()).collect()
}

/// What `verify_bundle.py` says of it: the status, and the report.
fn second_opinion(lines: &[Vec<u8>], key: &VerifierKey) -> (i32, serde_json::Value) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bundle.jsonl");
    let text = lines.iter().flat_map(|line| [line.as_slice(), b"\n"]).collect::<Vec<_>>().concat();
    std::fs::write(&file, text).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/verify_bundle.py");
    let output = std::process::Command::new(crate::python::python())
        .args([script, file.to_str().unwrap(), "--vkey", &key.to_string(), "--json"])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    (output.status.code().unwrap(), serde_json::from_slice(&output.stdout).unwrap())
}

fn checked<'l>(key: &VerifierKey, lines: impl IntoIterator<Item = &'l Vec<u8>>) -> BundleReport {
    let mut checker = Checker::new(key);
    for line in lines {
        checker.line(line, false);
    }
    checker.finish().0
}

#[tokio::test]
async fn a_bundle_is_believed_under_each_of_the_ledgers_keys_and_under_no_other() {
    let clinic = Clinic::new();
    let old = clinic.vkey();
    clinic.day("before", 2).await;
    clinic.rotate();
    clinic.day("after", 2).await;
    let lines = bundle(&clinic);
    for key in [&old, &clinic.vkey()] {
        let report = checked(key, &lines);
        assert_eq!(report.verdict, Verdict::Good, "{report:?}");
        assert_eq!((report.entries, report.keys, report.ledger_keys.len()), (5, 1, 2));
        let (status, told) = second_opinion(&lines, key);
        assert_eq!((status, &told["verdict"]), (0, &"good".into()), "{told}");
    }
    let fault = |report: BundleReport| report.finding.map(|finding| finding.fault);
    let both = |lines: &[Vec<u8>], key: &VerifierKey, expected: Fault| {
        assert_eq!(fault(checked(key, lines)), Some(expected));
        let (status, told) = second_opinion(lines, key);
        assert_eq!((status, &told["fault"]), (1, &expected.name().into()), "{told}");
    };
    both(&lines, &vkey_of(&key_of("mallory")), Fault::Fork);

    // Without the rotation nobody says that the key which signed the checkpoint is the ledger's.
    let kept = lines.iter().filter_map(|line| match Line::parse(line).unwrap() {
        Line::Head(head) => Some(Line::Head(Box::new(Header { keys: 0, ..*head }))),
        Line::Entry(entry) if !entry.selected => None,
        Line::End(_) => None,
        line => Some(line),
    });
    let without = written(&kept.collect::<Vec<_>>());
    both(&without, &old, Fault::CheckpointMismatch);
    both(&without, &clinic.vkey(), Fault::Fork);

    // The key that was replaced goes on: it signs the checkpoint over the entries after the rotation.
    let stolen = NoteSigner::new(ORIGIN.parse().unwrap(), key_of(FIRST_KEY));
    let resigned = lines.iter().filter_map(|line| match Line::parse(line).unwrap() {
        Line::Checkpoint(note) => {
            let note = SignedNote::parse(note.as_bytes()).unwrap();
            Some(Line::Checkpoint(stolen.sign(note.text()).unwrap().to_string()))
        }
        Line::End(_) => None,
        line => Some(line),
    });
    let resigned = written(&resigned.collect::<Vec<_>>());
    both(&resigned, &old, Fault::CheckpointMismatch);
}
