//! Nobody acts, or reads, without showing who they are; and neither an error nor the log ever tells
//! who a patient is.

use std::time::Duration;

use prost::Message as _;
use tonic::Code::{AlreadyExists, FailedPrecondition, InvalidArgument, NotFound};
use tonic::Code::{PermissionDenied, Unauthenticated};
use tonic_types::StatusExt as _;
use vialedger::ledger::RequestKind;
use vialedger::names::PersonName;
use vialedger::pb::v1;
use vialedger::{tlog, token};

use crate::serving::{
    CREATE_PLACE, Call, Clinic, DISPENSE_VIAL, LIST_PEOPLE, ORIGIN, RECEIVE_VIALS, REVOKE_KEY,
    Written, assert_refused, delivery, dispensing, framed, key, log, place, request_id,
};

const LIST: v1::ListPeopleRequest =
    v1::ListPeopleRequest { page_size: 0, page_token: String::new() };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_needs_a_good_token_of_somebody_with_a_role() {
    let clinic = Clinic::open().await;
    let mut channel = clinic.connect().await;
    let none = Call::new(LIST_PEOPLE, &LIST);
    let with = |token: &str| none.clone().bearer(token);
    let hour = Duration::from_hours(1);

    let good = with(&clinic.token("nora")).send(&mut channel).await.unwrap();
    let people = v1::ListPeopleResponse::decode(good).unwrap().people;
    assert_eq!(people.len(), 6);

    let short = clinic.token_for("aud", ORIGIN, Duration::from_secs(1));
    let elsewhere = clinic.token_for("aud", "example.org/other", hour);
    let stranger = clinic.token("mallory");
    // The claims of one token under the signature of another.
    let good = clinic.token("aud");
    let altered =
        format!("{}.{}", short.rsplit_once('.').unwrap().0, good.rsplit_once('.').unwrap().1);
    for (call, expected) in [
        (none.clone(), "TOKEN_MISSING"),
        (none.clone().header("authorization", "Basic YWRhOnB3"), "TOKEN_MISSING"),
        (with("no token at all"), "TOKEN_MALFORMED"),
        (with(&altered), "TOKEN_SIGNATURE_INVALID"),
        (with(&elsewhere), "TOKEN_FOR_ANOTHER_LEDGER"),
        (with(&stranger), "UNKNOWN_KEY"),
    ] {
        assert_refused(call.send(&mut channel).await, Unauthenticated, expected);
    }

    // A token that was good, and is remembered, ends with its time all the same.
    with(&short).send(&mut channel).await.unwrap();
    clinic.clock.advance(Duration::from_secs(62));
    assert_refused(with(&short).send(&mut channel).await, Unauthenticated, "TOKEN_EXPIRED");
    clinic.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_names_the_person_whose_key_signed_it() {
    let clinic = Clinic::open().await;
    let ada = PersonName::new("ada").unwrap();
    let now = clinic.clock.now();
    let lent = token::issue(&key("nora"), ORIGIN, &ada, now, Duration::from_mins(1));
    let call = Call::new(LIST_PEOPLE, &LIST).bearer(&lent.unwrap());
    let answer = call.send(&mut clinic.connect().await).await;
    assert_refused(answer, Unauthenticated, "TOKEN_SUBJECT_DIFFERS");
    clinic.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_key_reads_and_writes_no_more_from_that_entry_on() {
    let clinic = Clinic::open().await;
    let mut channel = clinic.connect().await;
    let token = clinic.token("nora");
    let read = Call::new(LIST_PEOPLE, &LIST).bearer(&token);
    read.clone().send(&mut channel).await.unwrap();
    let vial = clinic.receive().await;
    let before = Call::signed(DISPENSE_VIAL, &dispensing(&vial, "patients/p1"), &key("pia"));
    let first = before.clone().send(&mut channel).await.unwrap();

    for person in ["nora", "pia"] {
        let revoke = v1::RevokeKeyRequest {
            ledger: ORIGIN.into(),
            request_id: request_id(),
            public_key: key(person).verifying_key().to_bytes().to_vec(),
            reason: "Lost device".into(),
            ..v1::RevokeKeyRequest::default()
        };
        clinic.write("ada", REVOKE_KEY, &revoke).await.unwrap();
    }

    assert_refused(read.send(&mut channel).await, Unauthenticated, "KEY_REVOKED");
    let after = Call::signed(RECEIVE_VIALS, &delivery(), &key("pia"));
    assert_refused(after.send(&mut channel).await, Unauthenticated, "KEY_REVOKED");
    // What was recorded while the key was good keeps its answer.
    let again = Written::decode(before.send(&mut channel).await.unwrap()).unwrap();
    assert_eq!(
        again.receipt.unwrap().entry,
        Written::decode(first).unwrap().receipt.unwrap().entry
    );
    clinic.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_needs_the_signature_of_its_very_bytes() {
    let clinic = Clinic::open().await;
    let mut channel = clinic.connect().await;
    let size = clinic.service.published().size();
    let request = place("drawer");
    let good = Call::signed(CREATE_PLACE, &request, &key("ada"));
    let other = framed(0, &place("shelf").encode_to_vec());
    let unsigned = Call::new(CREATE_PLACE, &request);
    let ada = key("ada").verifying_key().to_bytes();
    let bare = tlog::sign(&key("ada"), &request.encode_to_vec());
    let as_other_type = Call::signed(RECEIVE_VIALS, &request, &key("ada"));
    let as_other_type = as_other_type.to(CREATE_PLACE);
    for (call, expected) in [
        (unsigned.clone(), "SIGNATURE_MISSING"),
        (unsigned.clone().bearer(&clinic.token("ada")), "SIGNATURE_MISSING"),
        (unsigned.clone().binary("vialedger-key-bin", &ada), "SIGNATURE_MISSING"),
        (good.clone().header("vialedger-signature-bin", "not base64!"), "SIGNATURE_MISSING"),
        (good.clone().binary("vialedger-signature-bin", &[7; 63]), "SIGNATURE_INVALID"),
        (good.clone().binary("vialedger-signature-bin", &bare), "SIGNATURE_INVALID"),
        (good.clone().body(other), "SIGNATURE_INVALID"),
        (as_other_type, "SIGNATURE_INVALID"),
        (good.clone().binary("vialedger-key-bin", &ada[1..]), "KEY_INVALID"),
        (good.clone().binary("vialedger-key-bin", &[0; 32]), "KEY_INVALID"),
        (Call::signed(CREATE_PLACE, &request, &key("mallory")), "UNKNOWN_KEY"),
    ] {
        assert_refused(call.send(&mut channel).await, Unauthenticated, expected);
    }
    assert_eq!(clinic.service.published().size(), size, "nothing of that was recorded");
    good.send(&mut channel).await.unwrap();
    clinic.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_signed_for_another_ledger_is_refused() {
    let clinic = Clinic::open().await;
    let request = v1::CreatePlaceRequest { ledger: "example.org/other".into(), ..place("drawer") };
    let answer = clinic.write("ada", CREATE_PLACE, &request).await;
    assert_refused(answer, Unauthenticated, "SIGNED_FOR_ANOTHER_LEDGER");
    clinic.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replayed_write_gets_the_first_answer_and_a_changed_one_none() {
    let clinic = Clinic::open().await;
    let mut channel = clinic.connect().await;
    let call = Call::signed(RECEIVE_VIALS, &delivery(), &key("pia"));
    let first = Written::decode(call.clone().send(&mut channel).await.unwrap()).unwrap();
    let size = clinic.service.published().size();
    let again = Written::decode(call.send(&mut channel).await.unwrap()).unwrap();
    assert_eq!(first.receipt.unwrap().entry, again.receipt.unwrap().entry);
    assert_eq!(first.outcome, again.outcome);
    assert_eq!(clinic.service.published().size(), size);

    let request = delivery();
    clinic.write("pia", RECEIVE_VIALS, &request).await.unwrap();
    let changed = v1::ReceiveVialsRequest { invoice: "INV-2".into(), ..request };
    let answer = clinic.write("pia", RECEIVE_VIALS, &changed).await;
    assert_refused(answer, AlreadyExists, "REQUEST_ID_REUSED");
    clinic.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_not_the_role_is_refused_and_the_attempt_is_an_entry() {
    let clinic = Clinic::open().await;
    let vial = clinic.receive().await;
    let answer = clinic.write("nora", DISPENSE_VIAL, &dispensing(&vial, "patients/p1")).await;
    let status = assert_refused(answer, PermissionDenied, "ROLE_NOT_HELD");
    let details = status.get_error_details();
    let index: u64 = details.error_info().unwrap().metadata["entry"].parse().unwrap();
    assert_eq!(index, clinic.service.published().size() - 1);
    let entry = clinic.service.entry(index).await.unwrap();
    let entry = v1::Entry::decode(entry).unwrap();
    assert_eq!(entry.request_type, RequestKind::DispenseVial.message_name());
    let Some(v1::outcome::Result::Refusal(refusal)) = entry.outcome.unwrap().result else {
        panic!("the entry records the refusal");
    };
    assert_eq!(refusal.reason, "ROLE_NOT_HELD");
    clinic.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_holds_no_role_reads_nothing() {
    let clinic = Clinic::open().await;
    let none = v1::ChangeRolesRequest {
        ledger: ORIGIN.into(),
        request_id: request_id(),
        person: "people/nils".into(),
        ..v1::ChangeRolesRequest::default()
    };
    clinic.write("ada", "/vialedger.v1.RegistryService/ChangeRoles", &none).await.unwrap();
    let call = Call::new(LIST_PEOPLE, &LIST).bearer(&clinic.token("nils"));
    let answer = call.send(&mut clinic.connect().await).await;
    assert_refused(answer, PermissionDenied, "ROLE_NOT_HELD");
    clinic.close().await;
}

/// Every kind of "no" that has to do with a patient, and the whole log beside.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_error_and_no_line_of_the_log_names_a_patient() {
    const PATIENT: &str = "patients/zoe-7731";
    let clinic = Clinic::open().await;
    let mut channel = clinic.connect().await;
    let vial = clinic.receive().await;
    let as_pia =
        |request: &v1::DispenseVialRequest| Call::signed(DISPENSE_VIAL, request, &key("pia"));
    let given = dispensing(&vial, PATIENT);
    let unnamed = v1::DispenseVialRequest { patient: "zoe-7731".into(), ..dispensing(&vial, "") };
    let as_vial = dispensing(PATIENT, PATIENT);
    let as_ledger =
        v1::DispenseVialRequest { ledger: PATIENT.into(), ..dispensing(&vial, PATIENT) };
    let as_id =
        v1::DispenseVialRequest { request_id: PATIENT.into(), ..dispensing(&vial, PATIENT) };
    let as_holder =
        v1::DispenseVialRequest { holder: "people/zoe-7731".into(), ..dispensing(&vial, PATIENT) };
    let vial_not_there = dispensing("vials/999-1", PATIENT);
    let by_a_nurse = Call::signed(DISPENSE_VIAL, &dispensing(&vial, PATIENT), &key("nora"));
    let get = |name: &str| {
        let request = v1::GetVialRequest { name: name.into() };
        Call::new("/vialedger.v1.CustodyService/GetVial", &request).bearer(&clinic.token("aud"))
    };
    let list = v1::ListEntriesRequest { subject: PATIENT.into(), ..Default::default() };
    let list = Call::new("/vialedger.v1.AuditService/ListEntries", &list);
    let path = "/vialedger.v1.CustodyService/patients/zoe-7731";

    as_pia(&given).send(&mut channel).await.unwrap();
    for (call, code) in [
        (as_pia(&unnamed), InvalidArgument),
        (as_pia(&as_vial), InvalidArgument),
        (as_pia(&as_ledger), Unauthenticated),
        (as_pia(&as_id), InvalidArgument),
        (as_pia(&as_holder), NotFound),
        (as_pia(&vial_not_there), NotFound),
        (as_pia(&dispensing(&vial, PATIENT)), FailedPrecondition),
        (by_a_nurse, PermissionDenied),
        (get(PATIENT), InvalidArgument),
        (get("vials/999-1"), NotFound),
        (list.clone().bearer("zoe-7731"), Unauthenticated),
        (Call::new(path, &LIST).bearer(&clinic.token("aud")), tonic::Code::Unimplemented),
    ] {
        let status = call.send(&mut channel).await.unwrap_err();
        assert_eq!(status.code(), code, "{status:?}");
        let details = String::from_utf8_lossy(status.details());
        let headers = format!("{:?}", status.metadata());
        for text in [status.message(), &details, &headers] {
            // A holder is a person of the clinic, whoever shares a name.
            let text = text.replace("people/zoe-7731", "");
            assert!(!text.contains("zoe-7731"), "{text}");
        }
    }
    // Whoever asks for a patient's entries is answered, and leaves no trace of whom.
    list.bearer(&clinic.token("aud")).send(&mut channel).await.unwrap();
    clinic.close().await;

    let log = log();
    assert!(log.contains(&given.request_id), "the log is that of this test");
    let told = log.lines().find(|line| line.contains("zoe-7731"));
    assert_eq!(told, None);
}
