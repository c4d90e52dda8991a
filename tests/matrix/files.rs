//! A sample of every kind of tampering as a real file, given to `vialedger verify` and to the second verifier,
//! `deploy/verify_ledger.py`. Where no rules are needed both must say the same. What only the rules tell, the second one
//! may call good, and it says what it does not check.

use std::path::{Path, PathBuf};

use vialedger::audit::Fault;

use crate::forge::{BOTH, Evidence, Sizes, flip};
use crate::honest::honest;
use crate::insider::{FORGERIES, forged};
use crate::ledger_file;
use crate::opinions::{Sample, agree};
use crate::support::{note_signer, row_of, sign_root};

/// From one entry to the next of those that are tampered with.
const STEP: usize = 23;

/// Files to be judged, and the key that goes with them.
struct Desk {
    folder: tempfile::TempDir,
    samples: Vec<Sample>,
}

impl Desk {
    fn open() -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        std::fs::write(folder.path().join("vkey"), honest().book.verifier_key().to_string())
            .unwrap();
        Self { folder, samples: Vec::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The file of this evidence, and what must be said of it.
    fn ask(
        &mut self,
        what: &str,
        evidence: &Evidence,
        expected: Option<(u64, Fault)>,
    ) -> &mut Sample {
        let path = self.path(&format!("{}.db", self.samples.len()));
        let entries = evidence.rows.iter().map(|row| (row.index, row.entry.as_ref()));
        let notes = evidence.checkpoints.iter().map(|row| (row.size, row.note.as_ref()));
        ledger_file::create(&path);
        ledger_file::add(&path, entries, notes);
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let arguments = vec![text(&path), "--vkey".to_owned(), text(&self.path("vkey"))];
        let sample = Sample {
            name: what.to_owned(),
            arguments,
            expected: None,
            trusted: None,
            by_rules: false,
        };
        self.samples.push(match expected {
            None => sample.good(),
            Some((index, fault)) => sample.bad(fault.name(), usize::try_from(index).unwrap()),
        });
        self.samples.last_mut().unwrap()
    }

    /// Asks about all; how many both told alike.
    fn agree(self, tampering: &str) -> (usize, usize) {
        let (told, all) = (agree(&self.samples), self.samples.len());
        crate::tally::tell(&format!(
            "{tampering}, as files: {all} judged, {told} alike by both verifiers"
        ));
        (told, all)
    }
}

/// Some places, the last and the one before it among them.
fn places() -> impl Iterator<Item = (usize, Sizes)> {
    let size = honest().size();
    let some = (0..size).step_by(STEP).chain([size - 2, size - 1]);
    some.zip(BOTH.into_iter().cycle())
}

fn index(place: usize) -> u64 {
    u64::try_from(place).unwrap()
}

#[test]
fn what_somebody_does_to_the_file_both_verifiers_find_alike() {
    let honest = honest();
    let last = honest.size() - 1;
    let mut desk = Desk::open();
    for sizes in BOTH {
        desk.ask(&format!("untouched, {sizes:?}"), honest.whole(sizes), None);
    }
    for (place, sizes) in places() {
        let what = |tampering: &str| format!("{tampering} at {place}, {sizes:?}");
        let whole = || honest.whole(sizes).clone();
        let length = honest.book.rows[place].len();
        for byte in [0, length / 3, length - 1] {
            let mut evidence = whole();
            evidence.rows[place].entry = flip(&evidence.rows[place].entry, byte);
            desk.ask(
                &what(&format!("byte {byte} flipped")),
                &evidence,
                Some((index(place), Fault::Edited)),
            );
        }
        let mut evidence = whole();
        evidence.take(place);
        let fault = if place == last { Fault::Truncated } else { Fault::Missing };
        desk.ask(&what("deleted"), &evidence, Some((index(place), fault)));
        evidence.renumber();
        desk.ask(&what("deleted and closed"), &evidence, Some((index(place), fault)));
        let mut evidence = whole();
        let twice = evidence.rows[place].clone();
        evidence.put(place, twice);
        evidence.renumber();
        desk.ask(&what("doubled"), &evidence, Some((index(place) + 1, Fault::Duplicate)));
        let mut evidence = whole();
        evidence.rows.truncate(place);
        desk.ask(&what("cut off"), &evidence, Some((index(place), Fault::Truncated)));
        if place < last {
            let mut evidence = whole();
            evidence.swap(place);
            evidence.renumber();
            desk.ask(&what("swapped"), &evidence, Some((index(place), Fault::Reordered)));
        }
        let mut evidence = whole();
        let notes = evidence.checkpoints.iter().position(|row| row.size > index(place)).unwrap();
        let row = &mut evidence.checkpoints[notes];
        let (size, note) = (row.size, flip(&row.note, 100));
        row.note = note;
        let fault = Some((size - 1, Fault::CheckpointMismatch));
        desk.ask(&what("a checkpoint's byte flipped"), &evidence, fault);
    }
    for sizes in BOTH {
        let mut evidence = honest.whole(sizes).clone();
        for row in &mut evidence.checkpoints {
            let root = honest.book.roots[usize::try_from(row.size).unwrap() - 1];
            *row = row_of(row.size, &sign_root(&note_signer("eve"), row.size, root));
        }
        let first = evidence.checkpoints[0].size - 1;
        let fault = Some((first, Fault::CheckpointMismatch));
        desk.ask(&format!("signed by eve, {sizes:?}"), &evidence, fault);
    }
    let (told, all) = desk.agree("what somebody does to the file");
    assert_eq!(told, all);
}

#[test]
fn what_an_insider_does_both_verifiers_find_or_the_second_says_that_it_does_not_check_it() {
    let honest = honest();
    let mut desk = Desk::open();
    for forgery in &FORGERIES {
        for (place, sizes) in places() {
            let Some(entry) = forged(forgery, place) else { continue };
            let mut evidence = honest.whole(sizes).clone();
            evidence.row(place).entry = entry;
            honest.resign(&mut evidence, place);
            let what = format!("{} at {place}, {sizes:?}", forgery.name);
            let sample = desk.ask(&what, &evidence, Some((index(place), forgery.fault)));
            // People's signatures and keys, and balances, need no rules.
            sample.by_rules = forgery.fault == Fault::OutcomeDiffers;
        }
    }
    let (told, all) = desk.agree("what an insider does");
    assert!(told >= all / 2 && told < all, "{told} of {all}");
}

#[test]
fn the_second_verifier_tells_a_person_what_it_does_not_check() {
    let honest = honest();
    let mut desk = Desk::open();
    desk.ask("untouched", honest.whole(Sizes::Every), None);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/verify_ledger.py");
    let mut python = std::process::Command::new(crate::opinions::python());
    let output = python.arg(script).args(&desk.samples[0].arguments).output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let limits = told.lines().find_map(|line| line.trim().strip_prefix("Not checked"));
    assert!(output.status.success() && limits.is_some_and(|it| it.contains("rules")), "{told}");
}
