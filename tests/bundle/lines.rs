//! Lines that are removed, doubled, swapped, cut off or made anew, and keys that are not the ledger's.

use ed25519_dalek::SigningKey;
use prost::Message as _;
use vialedger::audit::{Fault, Verdict};
use vialedger::bundle::{BundleReport, EntryLine, Line};
use vialedger::pb::v1;
use vialedger::tlog::{KeyKind, PublicKey, VerifierKey};

use crate::support::{checked, clinic, lines, resealed, with_bytes};

fn bundle(name: &str, options: &[&str]) -> Vec<Vec<u8>> {
    lines(&std::fs::read(clinic().bundle(name, options)).unwrap())
}

fn bad(lines: &[Vec<u8>], what: &str) -> BundleReport {
    let report = checked(&clinic().key, lines);
    assert_eq!(report.verdict, Verdict::Bad, "{what}");
    report
}

#[test]
fn every_line_that_is_removed_doubled_or_swapped_is_found() {
    let lines = bundle("lines.jsonl", &["--vial", &clinic().vials[0]]);
    for number in 0..lines.len() {
        let mut removed = lines.clone();
        removed.remove(number);
        bad(&removed, &format!("without line {number}"));
        let mut doubled = lines.clone();
        doubled.insert(number, lines[number].clone());
        bad(&doubled, &format!("with line {number} twice"));
        if number + 1 < lines.len() {
            let mut swapped = lines.clone();
            swapped.swap(number, number + 1);
            bad(&swapped, &format!("lines {number} and {} swapped", number + 1));
        }
    }
}

#[test]
fn an_end_that_is_made_anew_hides_no_change_of_what_was_signed() {
    let lines = bundle("resealed.jsonl", &["--vial", &clinic().vials[0]]);
    let at: Vec<usize> = (0..lines.len()).filter(|at| entry(&lines[*at]).is_some()).collect();
    for pair in at.windows(2) {
        let mut swapped = lines.clone();
        swapped.swap(pair[0], pair[1]);
        assert_eq!(fault(&bad(&resealed(&swapped), "swapped")), Fault::Reordered);
        let mut doubled = lines.clone();
        doubled.insert(pair[0], lines[pair[0]].clone());
        assert_eq!(fault(&bad(&resealed(&doubled), "doubled")), Fault::Duplicate);
    }
    // A changed outcome, a proof of another entry, and a proof that is cut.
    let found = entry(&lines[at[5]]).unwrap();
    let mut changed = v1::Entry::decode(found.bytes().unwrap()).unwrap();
    changed.rules_version += 1;
    let replaced = with_bytes(&found, &changed.encode_to_vec());
    assert_eq!(fault(&bad(&with(&lines, at[5], replaced), "edited")), Fault::Edited);
    let proof = entry(&lines[at[6]]).unwrap().proof;
    let replaced = Line::Entry(EntryLine { proof, ..found.clone() }).to_bytes();
    assert_eq!(fault(&bad(&with(&lines, at[5], replaced), "another proof")), Fault::Edited);
    let mut cut = found.clone();
    cut.proof.pop();
    let replaced = Line::Entry(cut).to_bytes();
    assert_eq!(fault(&bad(&with(&lines, at[5], replaced), "half a proof")), Fault::Edited);
    // Whoever is enrolled by no entry of the bundle is nobody here.
    let without = |kind: &str| {
        let kept = lines.iter().filter(|line| {
            entry(line).is_none_or(|it| {
                it.selected
                    || !v1::Entry::decode(it.bytes().unwrap()).unwrap().request_type.contains(kind)
            })
        });
        resealed(&kept.cloned().collect::<Vec<_>>())
    };
    let missing = fault(&bad(&without("Enroll"), "without the people"));
    assert!([Fault::UnknownKey, Fault::OutcomeDiffers].contains(&missing), "{missing}");
    assert_eq!(fault(&bad(&without("Initialize"), "without the beginning")), Fault::Missing);
}

#[test]
fn a_gap_in_a_run_is_found_although_the_end_is_made_anew() {
    let lines = bundle("run.jsonl", &["--from", "2027-03-01"]);
    let whole = lines.iter().filter_map(|line| entry(line)).count();
    let mut removed = lines.clone();
    removed.remove(whole / 2);
    let report = bad(&resealed(&removed), "a gap");
    assert_eq!(fault(&report), Fault::Missing);
}

#[test]
fn a_file_that_is_cut_off_is_told_to_be_truncated_at_every_line_and_within() {
    let clinic = clinic();
    let file = std::fs::read(clinic.bundle("cut.jsonl", &["--vial", &clinic.vials[0]])).unwrap();
    let whole = lines(&file);
    for count in 1..whole.len() {
        let report = bad(&whole[..count], &format!("{count} lines"));
        assert_eq!(fault(&report), Fault::Truncated, "{count} lines");
    }
    let cut = clinic.beside("cut-off.jsonl");
    for length in [file.len() - 1, file.len() - 30, file.len() / 2, 900, 64] {
        std::fs::write(&cut, &file[..length]).unwrap();
        let (status, report) = clinic.verdict(&cut, &[]);
        assert_eq!((status, &report["fault"]), (1, &"truncated".into()), "{length}: {report:#}");
    }
    let all = std::fs::read(clinic.bundle("cut-all.jsonl", &["--all"])).unwrap();
    std::fs::write(&cut, &all[..all.len() / 2]).unwrap();
    let (status, report) = clinic.verdict(&cut, &[]);
    assert_eq!(status, 1, "{report:#}");
    assert_eq!(report["fault"], "truncated");
}

#[test]
fn another_ledgers_key_believes_nothing() {
    let lines = bundle("foreign.jsonl", &["--vial", &clinic().vials[0]]);
    let foreign = PublicKey::of(&SigningKey::from_bytes(&[8; 32]));
    let same_name = VerifierKey::new(clinic().key.name().clone(), KeyKind::Note, foreign.clone());
    let report = checked(&same_name, &lines);
    assert_eq!(fault(&report), Fault::CheckpointMismatch);
    let other =
        VerifierKey::new("example.org/other".parse().unwrap(), KeyKind::Note, foreign.clone());
    assert_eq!(fault(&checked(&other, &lines)), Fault::Fork);
}

fn entry(line: &[u8]) -> Option<EntryLine> {
    match Line::parse(line)? {
        Line::Entry(entry) => Some(entry),
        _ => None,
    }
}

fn with(lines: &[Vec<u8>], at: usize, line: Vec<u8>) -> Vec<Vec<u8>> {
    let mut lines = lines.to_vec();
    lines[at] = line;
    resealed(&lines)
}

fn fault(report: &BundleReport) -> Fault {
    report.finding.as_ref().unwrap_or_else(|| panic!("nothing was found")).fault
}
