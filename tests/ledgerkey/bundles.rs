//! A bundle of a ledger whose key was rotated is believed under each of its keys, and under no other.

use vialedger::audit::{Fault, Verdict};
use vialedger::bundle::{
    BundleReport, Checker, EntryLine, Header, Line, Picked, Picker, Selection, VERSION, Writer,
};
use vialedger::tlog::{Tree, VerifierKey, leaf_hash, no_tiles};

use crate::support::{Clinic, ORIGIN, key_of, vkey_of};

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
    }
    let fault = |report: BundleReport| report.finding.map(|finding| finding.fault);
    assert_eq!(fault(checked(&vkey_of(&key_of("mallory")), &lines)), Some(Fault::Fork));

    // Without the rotation nobody says that the key which signed the checkpoint is the ledger's.
    let kept = lines.iter().filter_map(|line| match Line::parse(line).unwrap() {
        Line::Head(head) => Some(Line::Head(Box::new(Header { keys: 0, ..*head }))),
        Line::Entry(entry) if !entry.selected => None,
        Line::End(_) => None,
        line => Some(line),
    });
    let without = written(&kept.collect::<Vec<_>>());
    assert_eq!(fault(checked(&old, &without)), Some(Fault::CheckpointMismatch));
    assert_eq!(fault(checked(&clinic.vkey(), &without)), Some(Fault::Fork));
}
