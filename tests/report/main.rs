//! What is printed: every reading is there, every limit is labelled, totals balance, nothing from data is read as
//! markup, and the same messages always give the same bytes.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::unnecessary_wraps,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

mod charts;
mod desk;
mod fixtures;
mod forms;
mod hostile;
mod pages;
mod support;
