//! The rules and the audit, without server and without storage: requests in, entries out, everything derived again.
//!
//! Every test keeps its ledger in a [`support::Book`] and ends in a full audit of it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::as_conversions,
    missing_docs,
    reason = "tests"
)]

mod conservation;
mod course;
mod courses;
mod custody;
mod doses;
mod histories;
mod infusions;
mod precedence;
mod quarantine;
mod refusals;
mod registry;
mod requests;
mod support;
