//! The machine, and what a piece of work took of it.

use std::fs;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use vialedger::clock::Stopwatch;

/// How many cores there are.
pub(crate) fn cores() -> u32 {
    std::thread::available_parallelism().unwrap().get().try_into().unwrap()
}

/// What the processor calls itself.
pub(crate) fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    name.unwrap_or("unknown").to_owned()
}

/// Processor time that the living threads of this process have used so far.
pub(crate) fn processor_time() -> Duration {
    let threads = fs::read_dir("/proc/self/task").expect("Linux tells each thread's time");
    let nanos = threads.filter_map(Result::ok).filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}

/// What a run of operations took.
#[derive(Clone, Debug, Default)]
pub(crate) struct Measured {
    /// Each operation's time, shortest first.
    latencies: Vec<Duration>,
    wall: Duration,
    processor: Duration,
}

impl Measured {
    /// Runs `operation` so many times, one after the other.
    pub(crate) fn in_turn(times: usize, mut operation: impl FnMut(usize)) -> Self {
        let before = processor_time();
        let whole = Stopwatch::start();
        let mut latencies = Vec::with_capacity(times);
        for turn in 0..times {
            let one = Stopwatch::start();
            operation(turn);
            latencies.push(one.elapsed());
        }
        Self::new(latencies, whole.elapsed(), processor_time().saturating_sub(before))
    }

    /// Runs `caller` so many times at once; each answers with its operations' times.
    pub(crate) async fn at_once<F, W>(callers: usize, caller: F) -> Self
    where
        F: Fn(usize) -> W,
        W: Future<Output = Vec<Duration>> + Send + 'static,
    {
        let before = processor_time();
        let whole = Stopwatch::start();
        let tasks: Vec<_> = (0..callers).map(|number| tokio::spawn(caller(number))).collect();
        let mut latencies = Vec::new();
        for task in tasks {
            latencies.extend(task.await.unwrap());
        }
        Self::new(latencies, whole.elapsed(), processor_time().saturating_sub(before))
    }

    fn new(mut latencies: Vec<Duration>, wall: Duration, processor: Duration) -> Self {
        latencies.sort_unstable();
        Self { latencies, wall, processor }
    }

    /// Puts several runs of the same thing together.
    pub(crate) fn sum(runs: &[Self]) -> Self {
        Self::new(
            runs.iter().flat_map(|run| run.latencies.iter().copied()).collect(),
            runs.iter().map(|run| run.wall).sum(),
            runs.iter().map(|run| run.processor).sum(),
        )
    }

    /// Operations a second, by the clock on the wall.
    pub(crate) fn rate(&self) -> u64 {
        per_second(self.latencies.len(), self.wall)
    }

    /// The time that so many per cent of the operations stayed within.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let at = (self.latencies.len() * percent / 100).min(self.latencies.len() - 1);
        self.latencies[at]
    }

    /// Time on the wall of one operation, all operations taken together.
    pub(crate) fn wall_each(&self) -> Duration {
        each(self.wall, self.latencies.len())
    }

    /// Processor time of one operation, everybody's who took part in it.
    pub(crate) fn processor_each(&self) -> Duration {
        each(self.processor, self.latencies.len())
    }
}

/// Operations a second.
pub(crate) fn per_second(operations: usize, time: Duration) -> u64 {
    let nanos = time.as_nanos().max(1);
    u64::try_from(u128::try_from(operations).unwrap() * 1_000_000_000 / nanos).unwrap()
}

fn each(time: Duration, operations: usize) -> Duration {
    time / u32::try_from(operations.max(1)).unwrap()
}

/// Runs `operation` with the number of the caller and of its turn until `total` have been run, by so many callers.
pub(crate) async fn share<F, W>(callers: usize, total: usize, operation: F) -> Measured
where
    F: Fn(usize, usize) -> W + Send + Sync + 'static,
    W: Future<Output = ()> + Send + 'static,
{
    let operation = Arc::new(operation);
    Measured::at_once(callers, |caller| {
        let operation = Arc::clone(&operation);
        async move {
            let mut latencies = Vec::with_capacity(total / callers + 1);
            for turn in (caller..total).step_by(callers) {
                let one = Stopwatch::start();
                operation(caller, turn).await;
                latencies.push(one.elapsed());
            }
            latencies
        }
    })
    .await
}
