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

/// A tampered ledger, and what must be said of it.
pub(crate) struct Tampered {
    pub(crate) what: String,
    pub(crate) evidence: Evidence,
    pub(crate) index: u64,
    pub(crate) fault: Fault,
    /// Only the rules, run again, tell.
    pub(crate) by_rules: bool,
}

/// What somebody who has the file does to an entry in it, or to the checkpoint behind it.
pub(crate) fn done_to_the_file(place: usize, sizes: Sizes) -> Vec<Tampered> {
    let honest = honest();
    let last = honest.size() - 1;
    let mut all = Vec::new();
    let mut add = |tampering: &str, index, fault, change: &dyn Fn(&mut Evidence)| {
        let mut evidence = honest.whole(sizes).clone();
        change(&mut evidence);
        let what = format!("{tampering} at {place}, {sizes:?}");
        all.push(Tampered { what, evidence, index, fault, by_rules: false });
    };
    let length = honest.book.rows[place].len();
    for byte in [0, length / 3, length - 1] {
        add(&format!("byte {byte} flipped"), index(place), Fault::Edited, &|evidence| {
            evidence.rows[place].entry = flip(&evidence.rows[place].entry, byte);
        });
    }
    let gone = if place == last { Fault::Truncated } else { Fault::Missing };
    add("deleted", index(place), gone, &|evidence| drop(evidence.take(place)));
    add("deleted and closed", index(place), gone, &|evidence| {
        evidence.take(place);
        evidence.renumber();
    });
    add("doubled", index(place) + 1, Fault::Duplicate, &|evidence| {
        let twice = evidence.rows[place].clone();
        evidence.put(place, twice);
        evidence.renumber();
    });
    add("cut off", index(place), Fault::Truncated, &|evidence| evidence.rows.truncate(place));
    if place < last {
        add("swapped", index(place), Fault::Reordered, &|evidence| {
            evidence.swap(place);
            evidence.renumber();
        });
    }
    let notes = &honest.whole(sizes).checkpoints;
    let note = notes.iter().position(|row| row.size > index(place)).unwrap();
    let bad = notes[note].size - 1;
    add("a checkpoint's byte flipped", bad, Fault::CheckpointMismatch, &|evidence| {
        let row = &mut evidence.checkpoints[note];
        row.note = flip(&row.note, 100);
    });
    all
}

/// What somebody who has the ledger's key as well makes of an entry.
pub(crate) fn done_by_an_insider(place: usize, sizes: Sizes) -> Vec<Tampered> {
    let honest = honest();
    let forgeries = FORGERIES.iter().filter_map(|forgery| {
        let mut evidence = honest.whole(sizes).clone();
        evidence.row(place).entry = forged(forgery, place)?;
        honest.resign(&mut evidence, place);
        let what = format!("{} at {place}, {sizes:?}", forgery.name);
        let fault = forgery.fault;
        // People's signatures and keys, and balances, need no rules.
        let by_rules = fault == Fault::OutcomeDiffers;
        Some(Tampered { what, evidence, index: index(place), fault, by_rules })
    });
    forgeries.collect()
}

#[test]
fn what_somebody_does_to_the_file_both_verifiers_find_alike() {
    let honest = honest();
    let mut desk = Desk::open();
    for sizes in BOTH {
        desk.ask(&format!("untouched, {sizes:?}"), honest.whole(sizes), None);
    }
    for it in places().flat_map(|(place, sizes)| done_to_the_file(place, sizes)) {
        desk.ask(&it.what, &it.evidence, Some((it.index, it.fault)));
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
    let mut desk = Desk::open();
    for it in places().flat_map(|(place, sizes)| done_by_an_insider(place, sizes)) {
        desk.ask(&it.what, &it.evidence, Some((it.index, it.fault))).by_rules = it.by_rules;
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
