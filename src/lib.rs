//! vialedger keeps the controlled-substance ledger of one registered location, so that an audit can pass by proof
//! instead of by trust.

pub mod app;
pub mod audit;
pub mod cli;
pub mod client;
pub mod clock;
pub mod command;
pub mod decide;
pub mod dosing;
pub mod dsse;
pub mod formulary;
pub mod grpc;
pub mod ident;
pub mod key;
pub mod ledger;
pub mod names;
pub mod pb;
pub mod refusal;
pub mod role;
pub mod server;
pub mod service;
pub mod state;
pub mod store;
pub mod telemetry;
pub mod time;
pub mod tlog;
pub mod token;
pub mod units;
pub mod vial;
pub mod wire;
