//! The site of the benches, and how its ledger begins.

use bytes::Bytes;
use prost::Message as _;
use vialedger::client::new_request_id;
use vialedger::clock::Clock;
use vialedger::key::Key;
use vialedger::ledger::{RequestKind, SignedRequest};
use vialedger::pb::v1;
use vialedger::tlog::VerifierKey;

/// Origin of the ledger.
pub(crate) const ORIGIN: &str = "example.org/bench";

/// The first act: a chief pharmacist who is the only administrator.
pub(crate) fn initialize(vkey: &VerifierKey, chief: &Key) -> SignedRequest {
    let public_key = chief.public_key().as_bytes().to_vec();
    let message = v1::InitializeLedgerRequest {
        ledger: ORIGIN.to_owned(),
        request_id: new_request_id(Clock::system().now()).unwrap(),
        verifier_key: vkey.to_string(),
        site: Some(v1::Site {
            display_name: "Bench clinic".to_owned(),
            address: "1 Main Street, Dayton, Ohio".to_owned(),
            ..Default::default()
        }),
        administrator: Some(v1::Person {
            name: "people/chief".to_owned(),
            display_name: "The chief pharmacist".to_owned(),
            roles: vec![v1::Role::Administrator.into(), v1::Role::Pharmacist.into()],
            keys: vec![v1::PersonKey { public_key, ..Default::default() }],
        }),
    };
    let bytes = Bytes::from(message.encode_to_vec());
    SignedRequest::sign(RequestKind::InitializeLedger, bytes, chief.signing_key())
}
