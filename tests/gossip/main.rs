//! What others remember of a ledger: devices that refuse a server which forks or was put back, and a server that does
//! not go on where entries are missing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod clinic;
mod copies;
mod devices;
mod doctor;
mod head;
mod rewind;
#[path = "../cosigner/support.rs"]
#[allow(dead_code, reason = "written for the tests of cosigners, which use all of it")]
mod support;
