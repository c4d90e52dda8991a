//! What was found of a bundle.

use super::line::Header;
use crate::audit::{Fault, Verdict};
use crate::tlog::{Checkpoint, SignedNote};

/// The first thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}{}: {fault}: expected {expected}, found {found}", of(*index))]
pub struct BundleFinding {
    /// The line of the bundle, from 1.
    pub line: u64,
    /// The entry, where it is about one.
    pub index: Option<u64>,
    /// What kind of fault it is.
    pub fault: Fault,
    /// What was expected.
    pub expected: String,
    /// What was found.
    pub found: String,
}

fn of(index: Option<u64>) -> String {
    index.map_or_else(String::new, |index| format!(" (entries/{index})"))
}

/// The result of a check.
#[derive(Clone, Debug)]
pub struct BundleReport {
    /// The answer.
    pub verdict: Verdict,
    /// What is wrong.
    pub finding: Option<BundleFinding>,
    /// What the bundle says of itself.
    pub header: Option<Header>,
    /// The checkpoint, if the key signed it.
    pub checkpoint: Option<Checkpoint>,
    /// The same as it was signed.
    pub note: Option<SignedNote>,
    /// The policy that the exporter names.
    pub policy: Option<String>,
    /// Selected entries that were checked and are good.
    pub entries: u64,
    /// Entries for the keys that were checked and are good.
    pub keys: u64,
    /// Opened identities, to be proved.
    pub identities: Vec<Vec<u8>>,
}

impl BundleReport {
    /// What is not checked, in words, so that nobody takes it for checked.
    #[must_use]
    pub fn not_checked(&self) -> Vec<&'static str> {
        let Some(header) = &self.header else { return Vec::new() };
        if header.is_whole() {
            return vec!["whether what people signed is true"];
        }
        let mut list = vec![
            "whether doses, balances, refusals and flags are what the rules make of the requests: that takes every entry \
             before",
        ];
        list.push(if header.selection.is_run() {
            "that the run begins and ends where it should: within it no entry is left out"
        } else {
            "that nothing was left out: a bundle proves what is in it"
        });
        list.push("that no entry which ends a key or takes a role away was left out");
        list.push("whether what people signed is true");
        list
    }
}
