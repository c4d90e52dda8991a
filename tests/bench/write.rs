//! How fast the ledger takes signed acts in, against what the same machine can do at all.
//!
//! `cargo bench --bench write` loads the real server, over loopback and on this disk, with signed doses and dispensings
//! (half and half) by 1, 16, 64 and 256 callers, and measures in turns with that what a write is made of: a signature,
//! its strict verification, a bare gRPC call of the same size, a row in SQLite, a synced append. Callers and server share
//! the cores. The *ceiling* is what a server could do that does nothing else:
//!
//! ```text
//! cores / (sign + verify + call on both sides + one SQLite row at 100 rows a commit)      in processor time
//! ```
//!
//! The rate against the ceiling needs a machine with nothing else to do. Beside it stands the same ratio by processor time,
//! which holds on a busy machine, too, as long as the processor is what everything waits for.
//!
//! Without `-- --large` it is small, so that it runs along with the tests and does not rot. It ends with an audit of the
//! ledger that it wrote, and prints that ledger's root.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::expect_used,
    missing_docs,
    reason = "a bench"
)]

#[path = "../support/clinic.rs"]
mod clinic;
mod echo;
mod load;
mod machine;
mod primitive;
mod site;

use std::fmt;
use std::path::Path;
use std::time::Duration;

use echo::EchoServer;
use load::Clinic;
use machine::{Measured, cores, per_second, processor};
use primitive::{Costs, Primitives};
use vialedger::audit::{Options, Report, Verdict, audit};
use vialedger::clock::Stopwatch;
use vialedger::store::Evidence;
use vialedger::tlog::{Checkpoint, SignedNote, VerifierKey};

/// That of the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Callers at once, each level for itself.
const CALLERS: [usize; 4] = [1, 16, 64, 256];
/// Connections that the callers share.
const CONNECTIONS: usize = 4;

/// How much is done.
#[derive(Clone, Copy, Debug)]
struct Size {
    /// Writes of each level of [`CALLERS`]. All are even.
    writes: [usize; 4],
    /// Calls of each measurement of the bare call, per level.
    echoes: [usize; 4],
    /// Previews.
    previews: usize,
    /// Turns of each primitive, each time that it is measured.
    turns: usize,
}

const SMALL: Size =
    Size { writes: [20, 64, 128, 512], echoes: [20, 64, 128, 512], previews: 128, turns: 200 };
const LARGE: Size = Size {
    writes: [2_000, 8_000, 16_000, 40_000],
    echoes: [4_000, 20_000, 40_000, 40_000],
    previews: 20_000,
    turns: 5_000,
};

/// One level's figures.
struct Level {
    callers: usize,
    writes: Measured,
    echo: Measured,
    /// Size of the ledger before and after.
    sizes: (u64, u64),
}

fn main() {
    let large = std::env::args().any(|argument| argument == "--large");
    let size = if large { LARGE } else { SMALL };
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    println!("vialedger write bench, {}", if large { "large" } else { "small (-- --large)" });
    println!("machine     {} cores, {}", cores(), processor());
    println!("parameters  {size:?}, {CONNECTIONS} connections, 16 keys, plain text on loopback");
    runtime.block_on(run(size, folder.path()));
}

async fn run(size: Size, folder: &Path) {
    let vials = size.writes.iter().sum::<usize>();
    let clinic = Clinic::open(folder, vials, CONNECTIONS).await;
    // Warms the caches of both sides, and tells how long messages and entries are.
    let before = clinic.size();
    let (_, answer) = clinic.write(16, size.writes[1].min(2_000)).await;
    let row = clinic.entry_bytes(before..clinic.size().min(before + 100)).await;
    let samples = clinic.samples();
    let request = samples.iter().map(|sample| sample.bytes().len()).sum::<usize>() / samples.len();
    println!("lengths     request {request}, answer {answer}, entry {row} bytes\n");

    let echo = EchoServer::start(request, answer, CONNECTIONS).await;
    echo.measure(16, size.echoes[1] / 4).await;
    let mut primitives = Primitives::new(samples, clinic.pharmacist(), folder, row, size.turns);
    let mut levels = Vec::new();
    for (at, callers) in CALLERS.into_iter().enumerate() {
        primitives.measure();
        let half = size.echoes[at] / 2;
        let first = echo.measure(callers, half).await;
        let start = clinic.size();
        let (writes, _) = clinic.write(callers, size.writes[at]).await;
        let sizes = (start, clinic.size());
        let echo = Measured::sum(&[first, echo.measure(callers, half).await]);
        levels.push(Level { callers, writes, echo, sizes });
    }
    primitives.measure();
    let (previews, request, answer) = clinic.preview(64, size.previews).await;
    let preview_echo = EchoServer::start(request, answer, CONNECTIONS).await;
    let preview_echo = preview_echo.measure(64, size.previews).await;
    let vkey = clinic.close().await;

    let costs = primitives.costs();
    let checkpoints = checkpoints(folder);
    tell_primitives(&costs);
    for level in &levels {
        tell_level(level, &checkpoints);
    }
    tell_targets(&costs, &levels);
    println!(
        "64 callers, preview   {}/s, a bare call of that size {}/s: {} (by processor time {})",
        previews.rate(),
        preview_echo.rate(),
        Percent::of(previews.rate(), preview_echo.rate()),
        Percent::of(nanos(preview_echo.processor_each()), nanos(previews.processor_each())),
    );
    tell_audit(folder, vkey);
}

fn tell_primitives(costs: &Costs) {
    println!("primitive           processor      on the wall");
    let line = |name: &str, processor: Duration, wall: Duration| {
        println!("  {name:<16} {processor:>10.1?}     {wall:>10.1?}");
    };
    line("client sign", costs.sign.processor_each(), costs.sign.wall_each());
    line("strict verify", costs.verify.processor_each(), costs.verify.wall_each());
    line("SQLite row", costs.row(), costs.row_wall());
    line("synced append", costs.sync.processor_each(), costs.sync.percentile(50));
}

fn tell_level(level: &Level, checkpoints: &[u64]) {
    let (start, end) = level.sizes;
    let commits = checkpoints.iter().filter(|size| (start + 1..=end).contains(*size)).count();
    let commits = u64::try_from(commits.max(1)).unwrap();
    if level.callers == CALLERS[0] {
        println!(
            "\ncallers      rate       p50       p99  CPU/write  entries/commit    bare call: rate       p50  CPU/call"
        );
    }
    println!(
        "{:>7} {:>7}/s {:>9.1?} {:>9.1?} {:>10.1?} {:>15} {:>17}/s {:>9.1?} {:>9.1?}",
        level.callers,
        level.writes.rate(),
        level.writes.percentile(50),
        level.writes.percentile(99),
        level.writes.processor_each(),
        (end - start) / commits,
        level.echo.rate(),
        level.echo.percentile(50),
        level.echo.processor_each(),
    );
}

fn tell_targets(costs: &Costs, levels: &[Level]) {
    let (one, busy, most) = (&levels[0], &levels[2], &levels[3]);
    let parts = [
        costs.sign.processor_each(),
        costs.verify.processor_each(),
        most.echo.processor_each(),
        costs.row(),
    ];
    let least: Duration = parts.iter().sum();
    let ceiling = per_second(usize::try_from(cores()).unwrap(), least);
    println!("\nceiling               {} cores / {least:.1?} = {ceiling}/s", cores());
    println!(
        "256 callers           {}/s: {} of the ceiling (by processor time {})",
        most.writes.rate(),
        Percent::of(most.writes.rate(), ceiling),
        Percent::of(nanos(least), nanos(most.writes.processor_each())),
    );
    let bare = one.echo.percentile(50)
        + costs.verify.percentile(50)
        + costs.sign.percentile(50)
        + costs.sync.percentile(50);
    println!(
        "1 caller              p50 {:.1?}: {} of echo + verify + sign + sync ({bare:.1?})",
        one.writes.percentile(50),
        Percent::of(nanos(one.writes.percentile(50)), nanos(bare)),
    );
    println!(
        "64 callers            p99 is {} of p50",
        Percent::of(nanos(busy.writes.percentile(99)), nanos(busy.writes.percentile(50))),
    );
}

/// The ledger that was written must be good, and its root says that nothing was left out.
fn tell_audit(folder: &Path, verifier_key: VerifierKey) {
    let evidence = Evidence::open(&load::database(folder)).unwrap();
    let options = Options { verifier_key, checkpoint: None };
    let stopwatch = Stopwatch::start();
    let report: Report = audit(&options, evidence.entries(), evidence.checkpoints(), |_| ());
    let took = stopwatch.elapsed();
    assert_eq!(report.verdict, Verdict::Good, "{:?}", report.finding);
    let (entries, root) = (report.entries, report.root.unwrap());
    let rate = per_second(usize::try_from(entries).unwrap(), took);
    println!("audit                 good, {entries} entries at {rate}/s, root {root}");
}

/// The sizes at which a checkpoint was signed: one for each commit.
fn checkpoints(folder: &Path) -> Vec<u64> {
    let evidence = Evidence::open(&load::database(folder)).unwrap();
    let sizes = evidence.checkpoints().map(|row| {
        let note = SignedNote::parse(&row.unwrap().note).unwrap();
        note.text().parse::<Checkpoint>().unwrap().size()
    });
    sizes.collect()
}

fn nanos(time: Duration) -> u64 {
    time.as_nanos().try_into().unwrap()
}

/// A part of a whole.
struct Percent(u64);

impl Percent {
    fn of(part: u64, whole: u64) -> Self {
        Self(part * 100 / whole.max(1))
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.0)
    }
}
