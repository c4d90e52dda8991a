//! How fast a ledger is verified, against what the cores can do in bare strict verifications of the same signatures.
//!
//! `cargo bench --bench verify` makes ledgers as real files (doses worked out, dispensed, given, wasted and witnessed), with
//! one entry to a commit, as in a clinic, and with ten, as where many write at once; and asks of them:
//!
//! * how many entries a second a full audit does, in turns within this run with nothing but `verify_strict` over all the
//!   signatures that the audit has to verify, on all cores; and how much processor time the rest of the audit takes;
//! * how much memory `vialedger verify` needs, as the ledger grows: the most that was resident in a process of its own;
//! * what `vialedger verify --since` takes for 1,000 new entries, as the ledger before them grows.
//!
//! Without `-- --large` it is small, so that it runs along with the tests and does not rot. It prints the root of each ledger.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::expect_used,
    missing_docs,
    reason = "a bench"
)]

#[path = "../support/clinic.rs"]
mod clinic;
#[path = "../support/ledger_file.rs"]
mod ledger_file;
#[expect(dead_code, reason = "the other benches need the rest")]
mod machine;
mod site;
mod written;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use ed25519_dalek::{Signature, VerifyingKey};
use machine::{cores, per_second, processor};
use rayon::prelude::*;
use vialedger::audit::{self, Options, Report, Verdict, audit, on_the_pool};
use vialedger::clock::Stopwatch;
use vialedger::ledger::ParsedEntry;
use vialedger::state::State;
use vialedger::store::Evidence;
use vialedger::tlog::{Checkpoint, SignedNote, VerifierKey};
use written::Written;

/// That of the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Entries of a commit where many write at once.
const MANY_WRITERS: u64 = 10;

/// How much is done.
#[derive(Clone, Copy, Debug)]
struct Size {
    /// Entries of the ledger whose audit is measured against bare verifications.
    audited: u64,
    /// Turns of each of the two.
    turns: usize,
    /// Sizes of the ledgers whose audit's memory is measured, and that 1,000 entries are added to.
    ledgers: &'static [u64],
    /// Entries that are added.
    added: u64,
    /// Turns of `--since` at each size.
    since_turns: usize,
}

const SMALL: Size =
    Size { audited: 600, turns: 1, ledgers: &[100, 600], added: 100, since_turns: 1 };
const USUAL: Size = Size {
    audited: 50_000,
    turns: 5,
    ledgers: &[1_000, 10_000, 100_000],
    added: 1_000,
    since_turns: 9,
};
const LARGE: Size = Size { ledgers: &[1_000, 10_000, 100_000, 1_000_000], ..USUAL };

fn main() {
    let asked = |argument: &str| std::env::args().any(|it| it == argument);
    let (name, size) = match (asked("--large"), asked("--bench")) {
        (true, _) => ("large", LARGE),
        (false, true) => ("usual (-- --large)", USUAL),
        (false, false) => ("small", SMALL),
    };
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    println!("vialedger verify bench, {name}");
    println!("machine     {} cores, {}", cores(), processor());
    println!("parameters  {size:?}");
    for commit in [1, MANY_WRITERS] {
        against_bare_verifications(size, commit, folder.path());
    }
    as_the_ledger_grows(size, folder.path());
}

/// Everything that is signed in a ledger: the key, the message and the signature.
type Signed = (VerifyingKey, Vec<u8>, Signature);

fn signatures(evidence: &Evidence, ledger: &Written) -> Vec<Signed> {
    let acts = evidence.entries().map(|row| {
        let request = ParsedEntry::parse(row.unwrap().entry).unwrap().request;
        let key = VerifyingKey::from_bytes(request.key()).unwrap();
        let kind = request.kind().payload_type();
        (key, vialedger::dsse::pae(&kind, request.bytes()), request.signature().into())
    });
    let notes = evidence.checkpoints().map(|row| {
        let note = SignedNote::parse(&row.unwrap().note).unwrap();
        Checkpoint::verify(&note, &ledger.verifier_key()).unwrap();
        let signature = Signature::from_slice(note.signatures()[0].signature()).unwrap();
        let key = VerifyingKey::from_bytes(ledger.public_key().as_bytes()).unwrap();
        (key, note.text().as_bytes().to_vec(), signature)
    });
    acts.chain(notes).collect()
}

fn against_bare_verifications(size: Size, commit: u64, folder: &Path) {
    let path = folder.join(format!("audited-{commit}.db"));
    let mut ledger = Written::begin(&path, commit);
    ledger.grow(size.audited);
    let evidence = Evidence::open(&path).unwrap();
    let all = signatures(&evidence, &ledger);
    let (mut bare, mut whole) = (Vec::new(), Vec::new());
    let mut root = None;
    for _ in 0..size.turns {
        bare.push(Taken::by(|| {
            let good = all
                .par_iter()
                .filter(|(key, message, signature)| key.verify_strict(message, signature).is_ok());
            assert_eq!(good.count(), all.len());
        }));
        whole.push(Taken::by(|| root = good(&path, ledger.verifier_key()).root));
    }
    // The part that no second core can help with: the rules, run again, in order.
    let rows: Vec<_> = evidence.entries().map(|row| row.unwrap().entry).collect();
    let replayed = Taken::by(|| {
        let mut state = State::empty();
        for entry in &rows {
            let step = audit::replay(&state, entry.clone()).unwrap();
            state.apply(&step);
        }
        assert_eq!(state.size(), ledger.size());
    });
    let (entries, count) = (rows.len(), all.len());
    let (bare, whole) = (median(&mut bare), median(&mut whole));
    println!("\ncommits     {commit} entries each");
    println!("root        {}", root.unwrap());
    println!(
        "bare        {count} strict verifications at {}/s, {:.1?} of processor time each",
        per_second(count, bare.wall),
        each(bare.processor, count)
    );
    println!(
        "audit       {entries} entries and {} checkpoints at {} signatures/s, {} entries/s",
        count - entries,
        per_second(count, whole.wall),
        per_second(entries, whole.wall),
    );
    println!(
        "            {} per mille of the bare rate; by processor time {}",
        per_mille(bare.wall, whole.wall),
        per_mille(bare.processor, whole.processor),
    );
    println!(
        "            an entry takes {:.1?} of processor time, its signatures {:.1?}; one core reads and decides it again \
         in {:.1?}",
        each(whole.processor, entries),
        each(bare.processor, entries),
        each(replayed.processor, entries),
    );
}

fn good(path: &Path, verifier_key: VerifierKey) -> Report {
    let options = Options { verifier_key, checkpoint: None };
    let report = on_the_pool(|| {
        let evidence = Evidence::open(path).unwrap();
        audit(&options, evidence.entries(), evidence.checkpoints(), |_| ())
    });
    assert_eq!(report.verdict, Verdict::Good, "{:?}", report.finding);
    report
}

/// What a run took.
#[derive(Clone, Copy)]
struct Taken {
    wall: Duration,
    processor: Duration,
}

impl Taken {
    fn by(act: impl FnOnce()) -> Self {
        let (before, stopwatch) = (machine::processor_time(), Stopwatch::start());
        act();
        let wall = stopwatch.elapsed();
        Self { wall, processor: machine::processor_time().saturating_sub(before) }
    }
}

/// Of the runs, the one in the middle.
fn median(runs: &mut [Taken]) -> Taken {
    runs.sort_unstable_by_key(|run| run.wall);
    runs[runs.len() / 2]
}

fn each(time: Duration, operations: usize) -> Duration {
    time / u32::try_from(operations).unwrap()
}

fn per_mille(part: Duration, whole: Duration) -> u128 {
    part.as_nanos() * 1_000 / whole.as_nanos().max(1)
}

/// Memory and the cost of what was added, at each size.
fn as_the_ledger_grows(size: Size, folder: &Path) {
    println!(
        "\n   entries  verified in  most in memory   the last {} of them: --since  most in memory",
        size.added
    );
    let [path, saved, vkey] = ["grown.db", "saved", "vkey"].map(|name| folder.join(name));
    let mut ledger = Written::begin(&path, MANY_WRITERS);
    std::fs::write(&vkey, ledger.verifier_key().to_string()).unwrap();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let file = [text(&path), "--vkey".to_owned(), text(&vkey)];
    let mut first = None;
    for entries in size.ledgers {
        ledger.grow(*entries);
        let _ = run(&[&file[..], &["--save".to_owned(), text(&saved)]].concat());
        ledger.grow(entries + size.added);
        let arguments = [&file[..], &["--since".to_owned(), text(&saved)]].concat();
        let mut since: Vec<_> = (0..size.since_turns).map(|_| run(&arguments)).collect();
        since.sort_unstable();
        let (since, since_memory) = since[since.len() / 2];
        let (whole, memory) = run(&file);
        let first = *first.get_or_insert(since);
        println!(
            "{:>10} {whole:>12.1?} {memory:>11} KiB {since:>18.1?} ({:>4} per mille) {since_memory:>11} KiB   root {}",
            ledger.size(),
            per_mille(since, first),
            ledger.root()
        );
    }
}

/// Runs the program. How long it took, and the most memory that was resident while it ran, in KiB.
fn run(arguments: &[String]) -> (Duration, u64) {
    let stopwatch = Stopwatch::start();
    let mut program = Command::new(env!("CARGO_BIN_EXE_vialedger"));
    let program = program.arg("verify").args(arguments).stdout(Stdio::null());
    let mut child = program.spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    let ended = loop {
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
        // The kernel keeps the peak, for as long as the process lives.
        let told = std::fs::read_to_string(&status).unwrap_or_default();
        let peak = told.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
        most = most.max(peak.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(1));
    };
    assert!(ended.success());
    (stopwatch.elapsed(), most)
}
