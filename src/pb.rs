//! The generated messages and services of `proto/`. They stay in the layers that speak them: `ledger` (what an entry
//! holds), `report` (printing them), `command` (reading requests), `decide` (writing outcomes), `grpc`, `client` and
//! `cli`.
#![allow(
    missing_docs,
    unused_qualifications,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    clippy::restriction,
    reason = "generated from proto/, whose comments are the documentation"
)]

/// Package `vialedger.v1`.
pub mod v1 {
    tonic::include_proto!("vialedger.v1");
}

/// The descriptor set of `proto/`, for reflection and for the schema test.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
