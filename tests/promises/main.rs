//! What vialedger promises, one file each.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::as_conversions,
    missing_docs,
    reason = "tests"
)]

mod append_only;
mod authentication;
mod drain;
mod durability;
mod exactly_once;
mod http2;
mod reads;
mod schema;
mod serving;
mod storage;
mod support;
mod tls;
mod wire;
