//! Bundles and audit packs: some of the entries verify by themselves, open nothing else, and show every change.
//!
//! The ledger is a clinic's, made through a real server; see `tests/course/ward.rs`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::similar_names,
    missing_docs,
    reason = "tests"
)]

mod changed;
mod lines;
mod pack;
#[path = "../support/python.rs"]
mod python;
#[allow(dead_code, reason = "shared with the tests of courses")]
#[path = "../course/requests.rs"]
mod requests;
mod selections;
mod support;
#[allow(dead_code, reason = "shared with the tests of courses")]
#[path = "../course/ward.rs"]
mod ward;
