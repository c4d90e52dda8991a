//! The program as people and scripts meet it: the real binary, its files, its words and its exit
//! statuses.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::as_conversions,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

mod course;
mod day;
mod keys;
mod pages;
mod stage;
mod support;
mod tls;
mod verdict;
