//! Who a patient is stays outside of the ledger: sealed, opened with a trace, and looked at before anything is written
//! that could never be taken out again.

use vialedger::pb::v1::{self, Answer, EffectKind, EffectSeverity, IdentityPurpose, outcome};

use crate::requests::{answers_but, effect, infusion, start};
use crate::ward::{Visit, Ward};

fn look(patient: &str) -> v1::OpenIdentityRequest {
    v1::OpenIdentityRequest {
        patient: patient.to_owned(),
        purpose: IdentityPurpose::Treatment.into(),
        ..Default::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_is_opened_to_one_person_for_a_short_time_and_leaves_a_trace() {
    let ward = Ward::open().await;
    let patient = ward.register("p7", "Josephine Marlowe").await;
    assert_eq!(ward.tries("ben", look("patients/nobody")).await.reason, "PATIENT_UNKNOWN");
    let done = ward.does("nina", look(&patient)).await;
    let Some(outcome::Result::IdentityOpened(_)) = done.outcome.result else { panic!() };
    let read = v1::ReadIdentityRequest { entry: format!("entries/{}", done.entry) };
    let found = ward.asks("nina", read.clone()).await;
    let identity = found.opening.unwrap().identity.unwrap();
    assert_eq!(identity.display_name, "Josephine Marlowe");
    assert_eq!(identity.identifiers, ["MRN-p7-5521"]);
    assert_eq!(ward.asks_in_vain("nick", read.clone()).await.reason, "NOT_YOURS");
    ward.pass(11);
    assert_eq!(ward.asks_in_vain("nina", read).await.reason, "IDENTITY_CLOSED");
    let other = v1::ReadIdentityRequest { entry: "entries/0".into() };
    assert_eq!(ward.asks_in_vain("nina", other).await.reason, "INVALID_ARGUMENT");
    ward.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_needs_a_sealed_identity_and_a_name_of_its_own() {
    let ward = Ward::open().await;
    let unsealed = v1::RegisterPatientRequest {
        patient: "patients/p1".into(),
        identity_commitment: vec![5; 32],
        ..Default::default()
    };
    assert_eq!(ward.tries("nina", unsealed).await.reason, "IDENTITY_NOT_HELD");
    let patient = ward.register("p1", "Ottoline Farquhar").await;
    let found = ward.asks("nina", v1::GetPatientRequest { name: patient.clone() }).await;
    let found = found.patient.unwrap();
    assert_eq!(found.age_years, Some(44));
    let unborn = v1::IdentityOpening {
        identity: Some(v1::PatientIdentity {
            display_name: "Ottoline Farquhar".into(),
            address: "1 Elm Street".into(),
            birth_date: Some(v1::Date { year: 2028, month: 1, day: 1 }),
            identifiers: Vec::new(),
        }),
        salts: (1..5_u8).map(|n| vec![n; 32]).collect(),
    };
    let seal = v1::SealIdentityRequest { opening: Some(unborn) };
    let no = ward.asks_in_vain("nina", seal).await;
    assert_eq!(no.violations[0].field, "opening.identity.birth_date");
    let twice = v1::RegisterPatientRequest {
        patient,
        identity_commitment: found.identity_commitment,
        ..Default::default()
    };
    assert_eq!(ward.tries("nina", twice).await.reason, "PATIENT_EXISTS");
    ward.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_age_follows_from_the_sealed_date_of_birth_on_the_day() {
    let ward = Ward::open().await;
    // Eighteen on the fourth of March 2027, three days after the story begins.
    let born = v1::Date { year: 2009, month: 3, day: 4 };
    let patient = ward.register_born("kid", "Bartholomew Quill", born).await;
    let course = ward.open_course(&patient, "plans/ket-trd-iv").await;
    ward.does("nina", crate::requests::answers(&patient, ward.now())).await;
    let no = ward.tries("nina", start(&course, "induction", 18)).await;
    assert_eq!(no.reason, "AGE_DIFFERS", "nobody is made older by typing");
    let no = ward.tries("nina", start(&course, "induction", 17)).await;
    assert_eq!(no.reason, "AGE_OUTSIDE_PROTOCOL");
    assert!(no.message.contains("17 years old; the protocol is for 18 years and older"), "{no:?}");
    assert!(no.entry.is_some());
    ward.pass_days(3);
    ward.does("nina", crate::requests::answers(&patient, ward.now())).await;
    ward.does("nina", start(&course, "induction", 18)).await;
    ward.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_that_names_the_patient_is_refused() {
    let ward = Ward::open().await;
    let patient = ward.register("p7", "Josephine Marlowe").await;
    let course = ward.open_course(&patient, "plans/ket-trd-iv").await;
    let visit = Visit { patient: &patient, course: &course, phase: "induction" };
    let session = ward.begin(&visit).await;
    let mut request = effect(&session, EffectKind::Headache, EffectSeverity::Mild, ward.now());
    for note in ["Mrs Marlowe says it is gone", "MRN-p7-5521 called", "born 20.5.1982"] {
        request.note = note.into();
        let no = ward.tries("nina", request.clone()).await;
        assert_eq!(no.reason, "IDENTITY_IN_TEXT", "{note}");
        assert!(no.message.starts_with("note names the patient"), "{no:?}");
    }
    // Whoever may not record it does not learn whether a guess is right.
    request.note = "is it Marlowe?".into();
    assert_eq!(ward.tries("ben", request.clone()).await.reason, "ROLE_NOT_HELD");
    request.note = "gone after rest in a dark room".into();
    ward.does("nina", request).await;
    ward.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_ids_of_one_patient_become_one_with_one_history() {
    let mut ward = Ward::open().await;
    let main = ward.register("p1", "Cordelia Pemberton").await;
    let other = ward.register("p2", "Cordelia Pemberton").await;
    let course = ward.open_course(&other, "plans/ket-trd-iv").await;
    let visit = Visit { patient: &other, course: &course, phase: "induction" };
    let session = ward.begin(&visit).await;
    let merge = v1::MergePatientsRequest {
        alias: other.clone(),
        patient: main.clone(),
        reason: "registered twice, same papers".into(),
        ..Default::default()
    };
    assert_eq!(ward.tries("cleo", merge.clone()).await.reason, "SESSION_OPEN");
    let dose = ward.calculated("cleo", infusion(&other, &session, ward.now(), "0.5 mg/kg")).await;
    ward.infused(&dose).await;
    ward.watched(&session, &[20, 50, 81]).await;
    ward.does("nina", crate::requests::discharge(&session)).await;
    assert_eq!(ward.tries("nina", merge.clone()).await.reason, "ROLE_NOT_HELD");
    let named = v1::MergePatientsRequest { reason: "both are Pemberton".into(), ..merge.clone() };
    assert_eq!(ward.tries("cleo", named).await.reason, "IDENTITY_IN_TEXT");
    let merged = ward.does("cleo", merge.clone()).await;
    assert_eq!(merged.flags(), [v1::FlagKind::PatientsMerged]);
    assert_eq!(ward.tries("cleo", merge).await.reason, "PATIENT_UNKNOWN", "once is enough");

    // The same day, under the other name: the dose of the morning counts.
    let no = ward.tries("cleo", start(&course, "induction", 44)).await;
    assert_eq!(no.reason, "SESSION_TOO_EARLY");
    let found = ward.asks("nina", v1::GetPatientRequest { name: main.clone() }).await;
    assert_eq!(found.patient.unwrap().courses, std::slice::from_ref(&course));
    let alias = ward.asks("nina", v1::GetPatientRequest { name: other.clone() }).await;
    assert_eq!(alias.patient.unwrap().merged_into, main);

    // Of two dates of birth that were sealed for one patient, the age is by the one under the name that stays.
    let born = v1::Date { year: 1950, month: 5, day: 20 };
    let third = ward.register_born("p3", "Cordelia Pemberton", born).await;
    let age = async |name: &String| {
        let found = ward.asks("nina", v1::GetPatientRequest { name: name.clone() }).await;
        found.patient.unwrap().age_years
    };
    assert_eq!(age(&third).await, Some(76));
    let merge = v1::MergePatientsRequest {
        alias: third.clone(),
        patient: main.clone(),
        reason: "registered a third time".into(),
        ..Default::default()
    };
    ward.does("cleo", merge).await;
    assert_eq!(age(&third).await, Some(44));

    // A label with the old name still finds the patient.
    ward.pass_days(3);
    let session = ward.begin(&Visit { patient: &main, ..visit }).await;
    let dose = ward.calculated("cleo", infusion(&main, &session, ward.now(), "0.5 mg/kg")).await;
    let mut act = ward.dispensing(&dose, dose.measured_amount.clone());
    act.patient.clone_from(&other);
    ward.does("ada", act).await;
    ward.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_answer_is_not_no_and_answers_expire() {
    let ward = Ward::open().await;
    let patient = ward.register("p1", "Leopold Castellane").await;
    let course = ward.open_course(&patient, "plans/ket-trd-iv").await;
    let unknown = answers_but(&patient, ward.now(), "pregnancy", Answer::Unknown);
    ward.does("nina", unknown).await;
    let no = ward.tries("nina", start(&course, "induction", 44)).await;
    assert_eq!(no.reason, "QUESTION_UNANSWERED");
    assert!(no.message.contains("pregnancy") && no.message.contains("Unknown is not no"), "{no:?}");
    ward.pass(1);
    ward.does("nina", crate::requests::answers(&patient, ward.now())).await;
    // A week and a day later what counts for a day and for a week is asked again, and the rest is not.
    ward.pass_days(8);
    let no = ward.tries("nina", start(&course, "induction", 44)).await;
    assert_eq!(no.reason, "QUESTION_UNANSWERED");
    assert!(no.message.contains("pregnancy (its answer counted until 2027-03-08)"), "{no:?}");
    assert!(!no.message.contains("psychosis"), "{no:?}");

    // A soft answer stops until a prescriber passes it with a reason; a nurse cannot.
    let mut soft = answers_but(&patient, ward.now(), "two-antidepressants-tried", Answer::No);
    soft.overrides = vec![crate::requests::passing(
        "QUESTION:two-antidepressants-tried",
        v1::OverrideReason::SpecialistAdvice,
    )];
    assert_eq!(ward.tries("nina", soft.clone()).await.reason, "ROLE_NOT_HELD");
    ward.does("cleo", soft).await;
    let started = ward.does("nina", start(&course, "induction", 44)).await;
    assert_eq!(started.flags(), [v1::FlagKind::SoftLimitOverridden]);
    assert!(started.outcome.flags[0].message.contains("by people/cleo"), "{started:?}");
    ward.close().await;
}
