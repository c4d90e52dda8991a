//! Who may act as the ledger: its own key of now, and nothing else; and its keys are nobody's.

use ed25519_dalek::SigningKey;
use prost::Message as _;
use vialedger::command::Command;
use vialedger::decide::{decide, decide_by};
use vialedger::dsse;
use vialedger::ledger::{
    LEDGER_KEY_POSSESSION_TYPE, RequestKind, SignedRequest, ledger_possession_body,
};
use vialedger::pb::v1::{self, FlagKind};
use vialedger::state::State;
use vialedger::tlog;

use crate::support::{Clinic, ORIGIN, key_of, vkey_of};

/// A rotation from one key to another, as whoever holds both would ask for it.
fn rotation(clinic: &Clinic, old: &SigningKey, new: &SigningKey) -> v1::RotateLedgerKeyRequest {
    let (previous, next) = (vkey_of(old).to_string(), vkey_of(new).to_string());
    let body = ledger_possession_body(ORIGIN, &previous, &next);
    v1::RotateLedgerKeyRequest {
        ledger: ORIGIN.to_owned(),
        request_id: clinic.new_id(),
        previous_verifier_key: previous,
        verifier_key: next,
        possession: tlog::sign(new, &dsse::pae(LEDGER_KEY_POSSESSION_TYPE, &body)).to_vec(),
        ..v1::RotateLedgerKeyRequest::default()
    }
}

fn self_audit(clinic: &Clinic, start_size: u64, size: u64) -> v1::RecordSelfAuditRequest {
    v1::RecordSelfAuditRequest {
        ledger: ORIGIN.to_owned(),
        request_id: clinic.new_id(),
        start_size,
        size,
        root: vec![7; 32],
        duration: Some(prost_types::Duration { seconds: 1, nanos: 0 }),
        ..v1::RecordSelfAuditRequest::default()
    }
}

fn signed(kind: RequestKind, message: &impl prost::Message, key: &SigningKey) -> SignedRequest {
    SignedRequest::sign(kind, message.encode_to_vec().into(), key)
}

/// The state of a ledger with ada and ben, which had one rotation; the keys before and after it.
async fn state() -> (Clinic, State, SigningKey, SigningKey) {
    let clinic = Clinic::new();
    let first = clinic.ledger_key();
    let (service, writer) = clinic.open();
    service.submit(clinic.enroll("ben", &[v1::Role::Nurse])).await.unwrap();
    drop(service);
    writer.join().unwrap();
    clinic.rotate();
    let second = clinic.ledger_key();
    let (service, writer) = clinic.open();
    let state = service.published().state.clone();
    drop(service);
    writer.join().unwrap();
    (clinic, state, first, second)
}

/// The reason of the refusal, or nothing where it is accepted.
fn reason(clinic: &Clinic, state: &State, request: &SignedRequest) -> Option<&'static str> {
    let command = Command::parse(request.kind(), request.bytes()).unwrap();
    let now = clinic.clock.now().checked_add_micros(5_000_000).unwrap();
    decide(state, request, &command, now).err().map(|refusal| refusal.reason())
}

#[tokio::test]
async fn a_rotation_is_refused_to_everybody_but_the_ledgers_key_of_now() {
    let (clinic, state, first, second) = state().await;
    let (ada, ben, stranger) = (key_of("ada"), key_of("ben"), key_of("mallory"));
    let kind = RequestKind::RotateLedgerKey;
    let new = key_of("the ledger's next");
    // Who signs, whose place is taken, who takes it, and the reason.
    let table = [
        (&ada, &second, &new, Some("UNKNOWN_KEY")),
        (&stranger, &second, &new, Some("UNKNOWN_KEY")),
        (&new, &second, &new, Some("UNKNOWN_KEY")),
        (&first, &first, &new, Some("KEY_REVOKED")),
        (&first, &second, &new, Some("KEY_REVOKED")),
        (&second, &first, &new, Some("UNKNOWN_RESOURCE")),
        (&second, &second, &first, Some("RESOURCE_EXISTS")),
        (&second, &second, &second, Some("RESOURCE_EXISTS")),
        (&second, &second, &ada, Some("RESOURCE_EXISTS")),
        (&second, &second, &ben, Some("RESOURCE_EXISTS")),
        (&second, &second, &new, None),
    ];
    for (row, (signer, old, new, expected)) in table.into_iter().enumerate() {
        let request = signed(kind, &rotation(&clinic, old, new), signer);
        assert_eq!(reason(&clinic, &state, &request), expected, "row {row}");
    }
    let request = signed(kind, &rotation(&clinic, &second, &new), &second);
    let command = Command::parse(kind, request.bytes()).unwrap();
    let now = clinic.clock.now().checked_add_micros(5_000_000).unwrap();
    let step = decide(&state, &request, &command, now).unwrap();
    assert_eq!(step.outcome.flags[0].kind(), FlagKind::LedgerKeyRotated);
    assert!(decide_by(1, &state, &request, &command, now).is_err(), "version 1 knew no such act");
}

#[tokio::test]
async fn a_rotation_to_a_key_that_is_not_held_cannot_be_read() {
    let (clinic, _, first, second) = state().await;
    let good = rotation(&clinic, &second, &key_of("x"));
    let cosigner = "x+530d903a+BekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k".to_owned();
    let bad = [
        ("possession", v1::RotateLedgerKeyRequest { possession: vec![0; 64], ..good.clone() }),
        (
            "possession",
            v1::RotateLedgerKeyRequest {
                // A proof for another key's place.
                possession: rotation(&clinic, &first, &key_of("x")).possession,
                ..good.clone()
            },
        ),
        ("verifier_key", v1::RotateLedgerKeyRequest { verifier_key: cosigner, ..good.clone() }),
        (
            "previous_verifier_key",
            v1::RotateLedgerKeyRequest { previous_verifier_key: String::new(), ..good.clone() },
        ),
        (
            "previous_verifier_key",
            v1::RotateLedgerKeyRequest {
                ledger: "another.example/ledger".to_owned(),
                ..good.clone()
            },
        ),
    ];
    for (field, message) in bad {
        let violations =
            Command::parse(RequestKind::RotateLedgerKey, &message.encode_to_vec()).unwrap_err();
        assert_eq!(violations[0].field, field, "{violations:?}");
    }
    Command::parse(RequestKind::RotateLedgerKey, &good.encode_to_vec()).unwrap();
}

#[tokio::test]
async fn a_self_audit_goes_on_from_a_recorded_one_and_is_the_ledgers_to_record() {
    let (clinic, state, first, second) = state().await;
    assert_eq!(state.size(), 3);
    let ask = |start, size, signer: &SigningKey| {
        let message = self_audit(&clinic, start, size);
        reason(&clinic, &state, &signed(RequestKind::RecordSelfAudit, &message, signer))
    };
    assert_eq!(ask(0, 3, &key_of("ada")), Some("UNKNOWN_KEY"));
    assert_eq!(ask(0, 3, &first), Some("KEY_REVOKED"));
    assert_eq!(ask(0, 4, &second), Some("UNKNOWN_RESOURCE"), "more entries than there are");
    assert_eq!(ask(1, 3, &second), Some("UNKNOWN_RESOURCE"), "nothing before entry 1 was audited");
    assert_eq!(ask(0, 2, &second), None);
    assert_eq!(ask(0, 3, &second), None);
}

#[tokio::test]
async fn no_key_of_the_ledger_is_a_persons() {
    let (clinic, state, first, second) = state().await;
    for key in [&first, &second] {
        let request = clinic.place_by("ada", "x");
        let by_the_ledger = SignedRequest::sign(request.kind(), request.bytes().clone(), key);
        assert_eq!(reason(&clinic, &state, &by_the_ledger), Some("UNKNOWN_KEY"));

        let body = vialedger::ledger::possession_body(ORIGIN, "people/ada");
        let pae = dsse::pae(vialedger::ledger::KEY_POSSESSION_TYPE, &body);
        let message = v1::EnrollKeyRequest {
            ledger: ORIGIN.to_owned(),
            request_id: clinic.new_id(),
            person: "people/ada".to_owned(),
            public_key: key.verifying_key().to_bytes().to_vec(),
            possession: tlog::sign(key, &pae).to_vec(),
            ..v1::EnrollKeyRequest::default()
        };
        let request = signed(RequestKind::EnrollKey, &message, &key_of("ada"));
        assert_eq!(reason(&clinic, &state, &request), Some("RESOURCE_EXISTS"));
    }
}

#[tokio::test]
async fn the_acts_of_the_ledger_are_not_taken_over_grpc() {
    for kind in [RequestKind::RotateLedgerKey, RequestKind::RecordSelfAudit] {
        assert!(kind.is_the_ledgers());
        assert_eq!(kind.method(), None);
        for service in ["", "RegistryService", "AuditService"] {
            let path = format!("/vialedger.v1.{service}/{}", kind.short_name());
            assert_eq!(RequestKind::from_method(&path), None);
        }
    }
}
