//! Log cosigners: what one answers and never forgets, and how two of them catch a ledger that forks.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod clinics;
mod forks;
mod hostile;
mod memory;
mod parsers;
mod support;
mod vectors;
