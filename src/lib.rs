//! vialedger keeps the controlled-substance ledger of one registered location, so that an audit can pass by proof
//! instead of by trust.

pub mod audit;
pub mod command;
pub mod decide;
pub mod dosing;
pub mod dsse;
pub mod formulary;
pub mod ident;
pub mod ledger;
pub mod names;
pub mod pb;
pub mod refusal;
pub mod role;
pub mod state;
pub mod time;
pub mod tlog;
pub mod units;
pub mod vial;
pub mod wire;
