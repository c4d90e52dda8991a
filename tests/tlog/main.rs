//! The transparency log against published vectors, foreign implementations and hostile bytes.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::as_conversions,
    missing_docs,
    reason = "tests"
)]

mod golden;
mod notes;
mod parsers;
mod receipts;
mod support;
mod trees;
