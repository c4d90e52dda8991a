//! The same tampering, put to the second verifier in thousands of cases: `deploy/verify_ledger.py` in processes that stay,
//! since to begin one takes longer than to judge a ledger. What goes through a real file and a process of its own is a
//! sample of these, in `files.rs`.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64ct::{Base64, Encoding as _};
use bytes::Bytes;
use serde_json::{Value, json};
use vialedger::audit::Fault;

use crate::files::{Tampered, done_by_an_insider, done_to_the_file};
use crate::flips::{bytes_of, size_of};
use crate::forge::{BOTH, Evidence, Sizes, flip};
use crate::honest::honest;
use crate::tally::Tally;

/// Processes.
const VERIFIERS: usize = 2;

/// From one byte that is flipped to the next.
const STEP: usize = 29;

/// The untouched ledger's rows, and where they are in it.
static KNOWN: LazyLock<HashMap<&'static Bytes, usize>> = LazyLock::new(|| {
    let whole = honest().whole(Sizes::Every);
    let entries = whole.rows.iter().map(|row| &row.entry).enumerate();
    let notes = whole.checkpoints.iter().map(|row| &row.note).enumerate();
    entries.chain(notes).map(|(place, bytes)| (bytes, place)).collect()
});

/// A process that judges one ledger after the other.
struct Second {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Second {
    fn begin() -> Self {
        let tests = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/matrix/second.py");
        let deploy = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy");
        let mut python = Command::new(crate::opinions::python());
        python.args([tests, deploy]).env("PYTHONDONTWRITEBYTECODE", "1");
        let mut child = python.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut second = Self { child, input, output };
        let whole = honest().whole(Sizes::Every);
        let encoded = |bytes: &Bytes| Base64::encode_string(bytes);
        second.tell(&json!({
            "vkey": honest().book.verifier_key().to_string(),
            "entries": whole.rows.iter().map(|row| encoded(&row.entry)).collect::<Vec<_>>(),
            "checkpoints": whole.checkpoints.iter().map(|row| encoded(&row.note)).collect::<Vec<_>>(),
        }));
        second
    }

    fn tell(&mut self, line: &Value) {
        writeln!(self.input, "{line}").unwrap();
    }

    fn ask(&mut self, evidence: &Evidence) -> Value {
        let row = |at: u64, bytes: &Bytes| match KNOWN.get(bytes) {
            Some(place) => json!([at, place]),
            None => json!([at, Base64::encode_string(bytes)]),
        };
        let entries = evidence.rows.iter().map(|it| row(it.index, &it.entry));
        let notes = evidence.checkpoints.iter().map(|it| row(it.size, &it.note));
        self.tell(&json!({
            "entries": entries.collect::<Vec<_>>(),
            "checkpoints": notes.collect::<Vec<_>>(),
        }));
        let mut answer = String::new();
        self.output.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
    }

    fn end(mut self) {
        drop(self.input);
        assert!(self.child.wait().unwrap().success());
    }
}

/// Puts cases to the second verifier, which must name each one's entry and fault. Where only the rules tell, it may find
/// what follows further on, or nothing.
fn all_alike(
    tampering: &'static str,
    count: usize,
    cases: impl Fn(usize) -> Vec<Tampered> + Sync,
) -> u64 {
    let (tally, by_rules) = (Tally::of(tampering), AtomicUsize::new(0));
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..VERIFIERS {
            scope.spawn(|| {
                let mut second = Second::begin();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        break;
                    }
                    for case in cases(number) {
                        let told = second.ask(&case.evidence);
                        let index = told["first_bad_index"].as_u64();
                        let expected = (Some(case.index), case.fault.name());
                        if (index, told["fault"].as_str().unwrap_or_default()) == expected {
                            tally.count(case.fault);
                        } else if case.by_rules && index.is_none_or(|index| index > case.index) {
                            by_rules.fetch_add(1, Ordering::Relaxed);
                        } else {
                            panic!("{}: {} at {}, not {told}", case.what, case.fault, case.index);
                        }
                    }
                }
                second.end();
            });
        }
    });
    let by_rules = by_rules.into_inner();
    if by_rules > 0 {
        crate::tally::tell(&format!("{tampering}: {by_rules} that only the rules tell"));
    }
    tally.total()
}

#[test]
fn a_flipped_byte() {
    let honest = honest();
    let whole = honest.whole(Sizes::Every);
    let bytes = bytes_of(whole.rows.iter().map(|row| &row.entry));
    let tried =
        all_alike("a byte of an entry flipped, second verifier", bytes.len() / STEP, |case| {
            let (place, byte) = bytes[case * STEP];
            let sizes = Sizes::in_turn(case);
            let mut evidence = honest.beginning(size_of(place, byte), sizes);
            evidence.rows[place].entry = flip(&evidence.rows[place].entry, byte);
            let (what, index) = (format!("byte {byte} of entry {place}, {sizes:?}"), place as u64);
            vec![Tampered { what, evidence, index, fault: Fault::Edited, by_rules: false }]
        });
    assert!(tried > 3_000, "{tried}");

    let bytes = bytes_of(whole.checkpoints.iter().map(|row| &row.note));
    let tried =
        all_alike("a byte of a checkpoint flipped, second verifier", bytes.len() / STEP, |case| {
            let (place, byte) = bytes[case * STEP];
            let mut evidence = honest.beginning(size_of(place, byte), Sizes::Every);
            let note = &mut evidence.checkpoints[place].note;
            *note = flip(note, byte);
            let (what, index) = (format!("byte {byte} of checkpoint {}", place + 1), place as u64);
            let fault = Fault::CheckpointMismatch;
            vec![Tampered { what, evidence, index, fault, by_rules: false }]
        });
    assert!(tried > 1_000, "{tried}");
}

#[test]
fn what_is_done_to_the_file_and_what_an_insider_does_at_every_entry() {
    let size = honest().size();
    let tried = all_alike("what somebody does to the file, second verifier", 2 * size, |case| {
        done_to_the_file(case / 2, BOTH[case % 2])
    });
    assert!(tried > 3_000, "{tried}");
    let tried = all_alike("what an insider does, second verifier", size, |case| {
        done_by_an_insider(case, BOTH[case % 2])
    });
    assert!(tried > 800, "{tried}");
}
