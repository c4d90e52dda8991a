//! The ledger's own key and its own audits: keys that follow each other, keys that were stolen, and evidence that is
//! changed behind the server's back.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod audits;
mod bundles;
mod crashes;
mod distrust;
#[path = "../support/python.rs"]
mod python;
mod rotation;
mod rules;
mod support;
