//! Whole courses of treatment through a real server, over gRPC, with a clock that is moved.
//!
//! Every test ends in [`ward::Ward::close`]: the server stops, and the ledger's file is audited from its bytes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::similar_names,
    clippy::too_many_lines,
    missing_docs,
    reason = "tests"
)]

mod changes;
mod esketamine;
mod hazards;
mod identities;
mod ketamine;
mod pages;
mod requests;
mod routes;
mod ward;
