//! How often what was tried, and what the audit said.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Mutex;

use vialedger::audit::Fault;

/// Counts one kind of tampering, and prints the counts when all of it was found.
pub(crate) struct Tally {
    tampering: &'static str,
    found: Mutex<BTreeMap<Fault, u64>>,
}

impl Tally {
    pub(crate) fn of(tampering: &'static str) -> Self {
        Self { tampering, found: Mutex::default() }
    }

    /// One case in which the audit found this.
    pub(crate) fn count(&self, fault: Fault) {
        *self.found.lock().unwrap().entry(fault).or_default() += 1;
    }

    /// How many cases there were.
    pub(crate) fn total(&self) -> u64 {
        self.found.lock().unwrap().values().sum()
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let mut line = format!("{}: {} tried, all found", self.tampering, self.total());
        for (fault, count) in self.found.get_mut().unwrap() {
            write!(line, ", {count} {fault}").unwrap();
        }
        tell(&line);
    }
}

/// Prints a line past the test harness, which keeps what a good test prints to itself.
pub(crate) fn tell(line: &str) {
    std::io::stderr().write_all(format!("matrix: {line}\n").as_bytes()).unwrap();
}
