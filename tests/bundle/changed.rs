//! Every byte of a bundle that is changed is found.

use vialedger::audit::Verdict;
use vialedger::bundle::{Checker, Line};

use crate::support::{checked, clinic, lines};

#[test]
fn every_flipped_byte_is_found() {
    let clinic = clinic();
    let file =
        std::fs::read(clinic.bundle("flipped.jsonl", &["--vial", &clinic.vials[0]])).unwrap();
    let lines = lines(&file);
    assert_eq!(checked(&clinic.key, &lines).verdict, Verdict::Good);
    let mut before = Checker::new(&clinic.key);
    let (mut flipped, mut by_the_hash_alone) = (0, 0);
    for (number, line) in lines.iter().enumerate() {
        let rest = &lines[number + 1..];
        for at in 0..line.len() {
            let mut changed = line.clone();
            changed[at] ^= 1;
            let mut checker = before.clone();
            for part in changed.split(|byte| *byte == b'\n') {
                checker.line(part, false);
            }
            flipped += 1;
            if checker.is_bad() {
                continue;
            }
            // The line alone may pass: what nobody signed. Then the end does not fit.
            assert!(!matches!(Line::parse(line), Some(Line::Entry(_))));
            by_the_hash_alone += 1;
            for line in rest {
                checker.line(line, false);
            }
            let report = checker.finish().0;
            assert_eq!(report.verdict, Verdict::Bad, "line {number}, byte {at}");
        }
        // The end of the line.
        let mut checker = before.clone();
        let next = rest.first().cloned().unwrap_or_default();
        checker.line(&[&line[..], b"\x0b", &next].concat(), false);
        assert!(checker.is_bad(), "line {number}");
        before.line(line, false);
    }
    assert!(flipped > 15_000 && by_the_hash_alone < 1_000, "{flipped}, {by_the_hash_alone}");
}

#[test]
fn a_flipped_byte_is_bad_for_the_program_too_wherever_it_is() {
    let clinic = clinic();
    let file = std::fs::read(clinic.bundle("spots.jsonl", &["--vial", &clinic.vials[0]])).unwrap();
    let changed = clinic.beside("spot.jsonl");
    let last = file.len() - 1;
    let spots = [0, 3, 12, 23, 200, 700, file.len() / 2, last - 60, last - 1, last];
    for at in spots {
        let mut bytes = file.clone();
        bytes[at] ^= 1;
        std::fs::write(&changed, bytes).unwrap();
        let (status, report) = clinic.verdict(&changed, &[]);
        assert_eq!(status, 1, "byte {at}: {report:#}");
    }
}
