//! The ledger as tiles and proofs, as other people's tools read them: exported, served, and judged by a library that is
//! not ours. Ledgers are real ones, made by the program itself.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::similar_names,
    missing_docs,
    reason = "tests"
)]

mod day;
mod explained;
mod exported;
mod golden;
mod proven;
mod receipts;
mod resumed;
mod served;
mod support;

#[path = "../course/requests.rs"]
#[allow(dead_code, reason = "tests/course uses the rest")]
mod requests;

#[path = "../course/ward.rs"]
#[allow(dead_code, reason = "tests/course uses the rest")]
mod ward;

#[path = "../support/python.rs"]
mod python;

#[path = "../support/process.rs"]
#[allow(dead_code, reason = "tests/crash.rs uses the rest")]
mod process;
