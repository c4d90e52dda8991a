//! One request id, one entry, one answer, under retries and races.

use vialedger::ledger::RequestKind;
use vialedger::pb::v1::{self, outcome};
use vialedger::service::ServiceError;

use crate::support::{Clinic, Signer, ada, receipt, submit_all};

#[tokio::test]
async fn a_retry_gets_the_first_answer_also_after_a_restart() {
    let clinic = Clinic::new();
    let (service, writer) = clinic.open();
    let place = clinic.new_place("vault");
    let first = service.submit(place.clone()).await.unwrap();
    let again = service.submit(place.clone()).await.unwrap();
    assert_eq!(first.receipt, again.receipt);
    assert_eq!(first.outcome, again.outcome);
    writer.join().unwrap();

    let (service, writer) = clinic.open();
    let restarted = service.submit(place.clone()).await.unwrap();
    assert_eq!(first.receipt, restarted.receipt);
    assert_eq!(first.outcome, restarted.outcome);
    // Once the ledger has grown, the same entry is proved against a later checkpoint.
    clinic.add_places(&service, "room", 3).await;
    let later = service.submit(place).await.unwrap();
    let (first, later) = (receipt(&first), receipt(&later));
    assert_eq!((first.index, &first.entry), (later.index, &later.entry));
    assert_ne!(first.proof, later.proof);
    clinic.check(first);
    clinic.check(later);
    writer.join().unwrap();
    clinic.audit(5);
}

#[tokio::test]
async fn fifty_at_once_with_one_id_make_one_entry() {
    let clinic = Clinic::new();
    let (service, writer) = clinic.open();
    let place = clinic.new_place("vault");
    let answers = submit_all(&service, std::iter::repeat_n(place, 50)).await;
    for answer in answers {
        let answer = answer.unwrap();
        assert_eq!(receipt(&answer).index, 1);
        clinic.check(receipt(&answer));
    }
    assert_eq!(service.published().size(), 2);
    writer.join().unwrap();
    clinic.audit(2);
}

#[tokio::test]
async fn an_id_cannot_be_used_again_for_something_else_or_by_somebody_else() {
    let clinic = Clinic::new();
    let (service, writer) = clinic.open();
    let bea = Signer::named("bea");
    service.submit(clinic.new_person(&bea, &[v1::Role::Nurse])).await.unwrap();
    let message = clinic.place_message("vault");
    service.submit(ada().sign(RequestKind::CreatePlace, &message)).await.unwrap();

    let place = v1::Place { name: "places/other".to_owned(), display_name: "other".to_owned() };
    let other = v1::CreatePlaceRequest { place: Some(place), ..message.clone() };
    let check = v1::CreatePlaceRequest { validate_only: true, ..message.clone() };
    for request in [
        ada().sign(RequestKind::CreatePlace, &other),
        ada().sign(RequestKind::CreatePlace, &check),
        bea.sign(RequestKind::CreatePlace, &message),
    ] {
        let reused = service.submit(request).await.unwrap_err();
        assert!(matches!(reused, ServiceError::RequestIdReused), "{reused}");
    }
    writer.join().unwrap();
    clinic.audit(3);
}

#[tokio::test]
async fn a_recorded_refusal_is_the_same_refusal_on_every_retry() {
    let clinic = Clinic::new();
    let (service, writer) = clinic.open();
    let bea = Signer::named("bea");
    service.submit(clinic.new_person(&bea, &[v1::Role::Nurse])).await.unwrap();
    let request = clinic.place_by(&bea, "vault");
    let mut seen = Vec::new();
    for _ in 0..2 {
        let refused = service.submit(request.clone()).await.unwrap_err();
        let ServiceError::Refused { refusal, recorded, receipt } = refused else { panic!() };
        let receipt = receipt.unwrap();
        clinic.check(&receipt);
        assert_eq!(recorded, Some(2));
        let said = (refusal.reason(), refusal.class(), refusal.resource(), refusal.to_string());
        seen.push((said, receipt));
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0].0.0, "ROLE_NOT_HELD");
    writer.join().unwrap();

    let (service, writer) = clinic.open();
    let refused = service.submit(request).await.unwrap_err();
    assert_eq!(refused.to_string(), seen[0].0.3);
    writer.join().unwrap();
    clinic.audit(3);
}

#[tokio::test]
async fn what_is_only_validated_or_not_recorded_leaves_no_entry_and_keeps_its_id() {
    let clinic = Clinic::new();
    let (service, writer) = clinic.open();
    let message = clinic.place_message("vault");
    let check = v1::CreatePlaceRequest { validate_only: true, ..message.clone() };
    let answer = service.submit(ada().sign(RequestKind::CreatePlace, &check)).await.unwrap();
    assert_eq!(answer.receipt, None);
    let Some(outcome::Result::RegistryChanged(changed)) = answer.outcome.result else { panic!() };
    assert_eq!(changed.resource, "places/vault");

    let stale = v1::CreatePlaceRequest { expected_size: Some(7), ..message.clone() };
    let refused = service.submit(ada().sign(RequestKind::CreatePlace, &stale)).await.unwrap_err();
    let ServiceError::Refused { refusal, recorded: None, receipt: None } = refused else {
        panic!()
    };
    assert_eq!(refusal.reason(), "EXPECTED_SIZE_STALE");

    let meant = v1::CreatePlaceRequest { expected_size: Some(1), ..message };
    service.submit(ada().sign(RequestKind::CreatePlace, &meant)).await.unwrap();
    writer.join().unwrap();
    clinic.audit(2);
}

#[tokio::test]
async fn a_caller_who_goes_away_takes_nothing_back() {
    let clinic = Clinic::new();
    let (service, writer) = clinic.open();
    let place = clinic.new_place("vault");
    let mut sizes = service.subscribe();
    {
        let submitting = service.submit(place.clone());
        tokio::pin!(submitting);
        // Polled once, so that the request is in the queue; then dropped.
        let polled = tokio::select! {
            biased;
            answer = &mut submitting => Some(answer),
            () = std::future::ready(()) => None,
        };
        assert!(polled.is_none());
    }
    sizes.wait_for(|size| *size == 2).await.unwrap();
    assert_eq!(receipt(&service.submit(place).await.unwrap()).index, 1);
    writer.join().unwrap();
    clinic.audit(2);
}
