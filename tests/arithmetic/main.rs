//! The promise of exact arithmetic: what others published comes out as they published it, under the
//! rounding that they state; what others published wrongly does not.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::as_conversions,
    missing_docs,
    reason = "tests"
)]

mod codes;
mod command;
mod examples;
mod mistakes;
mod rows;
