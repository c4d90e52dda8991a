//! The tamper matrix: a ledger with every kind of entry, changed in every way that somebody can change it who holds the
//! file, or the file, the program and the ledger's own key. The audit must find each change, name its entry and say what
//! kind of fault it is; nothing passes. What was tried, and what was found, is counted and printed.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::as_conversions,
    missing_docs,
    reason = "tests"
)]

mod borders;
mod files;
mod flips;
mod forge;
mod honest;
mod insider;
mod many;
mod second;
mod tally;
mod tamper;

#[path = "../support/ledger_file.rs"]
mod ledger_file;
#[path = "../support/opinions.rs"]
#[expect(dead_code, reason = "tests/second_opinion.rs needs the rest")]
mod opinions;

#[path = "../rules/course.rs"]
#[expect(dead_code, reason = "the tests of the rules need the rest")]
mod course;
#[path = "../rules/requests.rs"]
#[expect(dead_code, reason = "the tests of the rules need the rest")]
mod requests;
#[path = "../rules/support.rs"]
#[expect(dead_code, reason = "the tests of the rules need the rest")]
mod support;
