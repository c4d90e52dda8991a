//! The hazards of the vial, the record and the ledger.

use rusqlite::Connection;
use vialedger::audit::{self, Fault, Verdict};
use vialedger::formulary;
use vialedger::pb::v1::{self, Answer, FlagKind, OverrideReason, outcome};
use vialedger::store::Evidence;
use vialedger::tlog::SignedNote;
use vialedger::wire::timestamp_to_wire;

use super::{STRONG, clinic, induction, treated};
use crate::requests::{
    KETAMINE, calculate, discharge, infusion, observe, passing, quantity, start,
};
use crate::ward::{Visit, Ward};

/// Ketamine for a short procedure, outside of any course.
fn sedation(patient: &str, ward: &Ward) -> v1::DoseInputs {
    let no = |question: &str| v1::EligibilityAnswer {
        question: question.to_owned(),
        answer: Answer::No.into(),
    };
    v1::DoseInputs {
        protocol: "protocols/ket-psa-iv".into(),
        dose: Some(quantity("1 mg/kg")),
        syringe: Some(quantity("10 mL")),
        infusion_duration: Some(quantity("1 min")),
        diluted_volume: None,
        answers: ["hypersensitivity-ketamine", "blood-pressure-hazard", "raised-pressure"]
            .map(no)
            .into(),
        ..infusion(patient, "", ward.now(), "1 mg/kg")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn h14_stale_or_wrong_patient() {
    let (mut ward, patient, course) = clinic().await;
    let other = ward.register("p8", "Constance Adeyemi").await;
    let session = ward.begin(&induction(&patient, &course)).await;
    let no = ward.tries("cleo", calculate(infusion(&other, &session, ward.now(), "0.5 mg/kg")));
    assert_eq!(no.await.reason, "PATIENT_MISMATCH");
    let long_ago = ward.now().checked_add_micros(-31 * 86_400_000_000).unwrap();
    let no = ward.tries("cleo", calculate(infusion(&patient, &session, long_ago, "0.5 mg/kg")));
    assert_eq!(no.await.reason, "WEIGHT_TOO_OLD");
    let dose = ward.calculated("cleo", infusion(&patient, &session, ward.now(), "0.5 mg/kg")).await;
    let act = ward.dispensing(&dose, dose.measured_amount.clone());
    let wrong = v1::DispenseVialRequest { patient: other.clone(), ..act.clone() };
    assert_eq!(ward.tries("ada", wrong).await.reason, "PATIENT_MISMATCH");
    ward.pass(61);
    assert_eq!(ward.tries("ada", act).await.reason, "CALCULATION_EXPIRED");
    ward.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h15_double_administration_or_replayed_call() {
    let (mut ward, patient, course) = clinic().await;
    let session = ward.begin(&induction(&patient, &course)).await;
    let dose = ward.calculated("cleo", infusion(&patient, &session, ward.now(), "0.5 mg/kg")).await;
    let dispensing = ward.dispensed(&dose).await;
    ward.pass(40);
    let given = v1::RecordAdministrationRequest {
        dispensing,
        patient: patient.clone(),
        amount: dose.measured_amount.clone(),
        start_time: Some(timestamp_to_wire(ward.now())),
        end_time: Some(timestamp_to_wire(ward.now())),
        ..Default::default()
    };
    let (first, again) = ward.does_twice("nina", given.clone()).await;
    assert_eq!(first, again, "a replayed call gets the first answer");
    let no = ward.tries("nina", given).await;
    assert!(["DISPENSING_SETTLED", "OVER_DRAW"].contains(&no.reason.as_str()), "{no:?}");
    let no = ward.tries("cleo", calculate(infusion(&patient, &session, ward.now(), "0.5 mg/kg")));
    let no = no.await;
    assert_eq!(no.reason, "DUPLICATE_DOSE");
    assert!(no.message.contains("Do not give a second"), "{no:?}");
    ward.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h16_expired_beyond_use_or_recalled() {
    let (mut ward, patient, course) = clinic().await;
    treated(&mut ward, &patient, &course).await;
    let opened = ward.last_container(KETAMINE);
    ward.receive(KETAMINE, "R0666", 1).await;
    let recalled = ward.container(KETAMINE);
    let recall = v1::QuarantineVialsRequest {
        product: KETAMINE.into(),
        lot: "R0666".into(),
        reason: "recall notice D-0123-2027".into(),
        ..Default::default()
    };
    assert_eq!(ward.tries("nina", recall.clone()).await.reason, "ROLE_NOT_HELD");
    ward.does("ada", recall).await;
    ward.receive(KETAMINE, "K0118", 2).await;
    ward.pass_days(29);
    let request = v1::RecordEligibilityRequest { ..crate::requests::answers(&patient, ward.now()) };
    ward.does("nina", request).await;
    let mut late = start(&course, "induction", 44);
    late.overrides = vec![passing("SESSION_LATE", OverrideReason::ValueConfirmed)];
    let session = ward.started("cleo", late).await;
    ward.does("nina", observe(&session, ward.now(), &crate::requests::WELL)).await;
    let dose = ward.calculated("cleo", infusion(&patient, &session, ward.now(), "0.5 mg/kg")).await;
    let fresh = ward.dispensing(&dose, dose.measured_amount.clone());
    let back = v1::DispenseVialRequest { vial: recalled, ..fresh.clone() };
    let no = ward.tries("ada", back).await;
    assert_eq!(no.reason, "LOT_QUARANTINED");
    assert!(no.message.contains("lot R0666") && no.message.contains("D-0123-2027"), "{no:?}");
    let old = v1::DispenseVialRequest { vial: opened, ..fresh };
    assert_eq!(ward.tries("ada", old).await.reason, "VIAL_BEYOND_USE");
    ward.pass_days(365 * 3);
    let inputs = sedation(&patient, &ward);
    let inputs = v1::DoseInputs { age_years: Some(47), ..inputs };
    let dose = ward.calculated("cleo", inputs).await;
    let act = ward.dispensing(&dose, dose.measured_amount.clone());
    assert_eq!(ward.tries("ada", act).await.reason, "VIAL_EXPIRED");
    ward.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h17_drawn_beyond_the_content_or_a_single_dose_vial_shared() {
    let (mut ward, patient, course) = clinic().await;
    let session = ward.begin(&induction(&patient, &course)).await;
    let dose = ward.calculated("cleo", infusion(&patient, &session, ward.now(), "0.5 mg/kg")).await;
    let act = ward.dispensing(&dose, Some(quantity("20.1 mL")));
    let no = ward.tries("ada", act).await;
    assert_eq!((no.reason.as_str(), no.entry.is_some()), ("OVER_DRAW", true));
    let shown = ward.session(&session).await.session.unwrap();
    let attempts: Vec<_> = shown.flags.iter().filter(|flag| flag.refusal).collect();
    assert!(attempts.len() == 1 && attempts[0].message.starts_with("OVER_DRAW"), "{attempts:?}");
    ward.receive(STRONG, "S1", 1).await;
    let inputs = v1::DoseInputs {
        product: STRONG.into(),
        syringe: Some(quantity("1 mL")),
        ..infusion(&patient, &session, ward.now(), "0.5 mg/kg")
    };
    let dose = ward.calculated("cleo", inputs).await;
    let act = ward.dispensing(&dose, dose.measured_amount.clone());
    let no = ward.tries("ada", act).await;
    assert_eq!(no.reason, "VIAL_STATE", "no part of a single-dose vial stays for the next: {no:?}");
    ward.close().await;
}

/// A dispensing of 3.6 mL, of which 2 mL were given.
async fn half_given(ward: &mut Ward, patient: &str, course: &str) -> String {
    let session = ward.begin(&induction(patient, course)).await;
    let dose = ward.calculated("cleo", infusion(patient, &session, ward.now(), "0.5 mg/kg")).await;
    let dispensing = ward.dispensed(&dose).await;
    ward.pass(40);
    let given = v1::RecordAdministrationRequest {
        dispensing: dispensing.clone(),
        patient: patient.to_owned(),
        amount: Some(quantity("2 mL")),
        start_time: Some(timestamp_to_wire(ward.now())),
        end_time: Some(timestamp_to_wire(ward.now())),
        ..Default::default()
    };
    ward.does("nina", given).await;
    dispensing
}

fn waste(ward: &Ward, dispensing: &str, amount: &str) -> v1::RecordWasteRequest {
    v1::RecordWasteRequest {
        source: Some(v1::record_waste_request::Source::Dispensing(dispensing.to_owned())),
        amount: Some(quantity(amount)),
        reason: v1::WasteReason::NotGiven.into(),
        method: v1::WasteMethod::DeactivationContainer.into(),
        occurred_time: Some(timestamp_to_wire(ward.now())),
        ..Default::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn h18_inflated_waste() {
    let (mut ward, patient, course) = clinic().await;
    let dispensing = half_given(&mut ward, &patient, &course).await;
    let no = ward.tries("nina", waste(&ward, &dispensing, "2 mL")).await;
    assert_eq!((no.reason.as_str(), no.entry.is_some()), ("OVER_DRAW", true));
    let done = ward.does("nina", waste(&ward, &dispensing, "1.6 mL")).await;
    let Some(outcome::Result::Waste(wasted)) = done.outcome.result else { panic!() };
    let seen = v1::WitnessRequest {
        waste: wasted.name,
        amount: Some(quantity("1 mL")),
        ..Default::default()
    };
    assert_eq!(ward.tries("nick", seen).await.reason, "WITNESSED_AMOUNT_DIFFERS");
    ward.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h19_colluding_witness_or_shared_credential() {
    let (mut ward, patient, course) = clinic().await;
    let dispensing = half_given(&mut ward, &patient, &course).await;
    let done = ward.does("nina", waste(&ward, &dispensing, "1.6 mL")).await;
    let Some(outcome::Result::Waste(wasted)) = done.outcome.result else { panic!() };
    let seen = v1::WitnessRequest {
        waste: wasted.name.clone(),
        amount: wasted.amount,
        ..Default::default()
    };
    let no = ward.tries("nina", seen.clone()).await;
    assert_eq!((no.reason.as_str(), no.entry.is_some()), ("SELF_WITNESS", true));
    assert_eq!(ward.tries("audrey", seen.clone()).await.reason, "ROLE_NOT_HELD");
    // Two who lie together cannot be seen; both names stand in the entry for ever, and that it was late.
    ward.pass(31);
    let done = ward.does("nick", seen).await;
    assert_eq!(done.flags(), [FlagKind::WitnessedLate]);
    let Some(outcome::Result::WasteWitnessed(both)) = done.outcome.result else { panic!() };
    assert_eq!(
        (both.wasted_by.as_str(), both.witnessed_by.as_str()),
        ("people/nina", "people/nick")
    );
    ward.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h20_record_edited_or_back_dated() {
    let (ward, patient, course) = clinic().await;
    let session = ward.begin(&induction(&patient, &course)).await;
    ward.pass(120);
    let early = ward.now().checked_add_micros(-90 * 60_000_000).unwrap();
    let late = ward.does("nina", observe(&session, early, &crate::requests::WELL)).await;
    assert_eq!(late.flags(), [FlagKind::LateEntry], "both times are kept");
    let ahead = ward.now().checked_add_micros(10 * 60_000_000).unwrap();
    let no = ward.tries("nina", observe(&session, ahead, &crate::requests::WELL)).await;
    assert_eq!(no.reason, "IN_FUTURE");
    let key = ward.verifier_key();
    let (dir, report) = ward.close().await;
    let path = dir.path().join("ledger.db");
    let database = Connection::open(&path).unwrap();
    database
        .execute_batch(
            "DROP TRIGGER entries_never_change;
             UPDATE entries SET entry = CAST(replace(CAST(entry AS TEXT), 'systolic', 'diastoli')
               AS BLOB) WHERE idx = (SELECT max(idx) FROM entries);",
        )
        .unwrap();
    drop(database);
    let evidence = Evidence::open(&path).unwrap();
    let options = audit::Options { verifier_key: key, checkpoint: None };
    let found = audit::audit(&options, evidence.entries(), evidence.checkpoints(), |_| {});
    assert_eq!(found.verdict, Verdict::Bad);
    assert_eq!(found.finding.unwrap().index, report.entries - 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn h21_ledger_cut_off_or_clock_changed() {
    let (ward, patient, course) = clinic().await;
    ward.begin(&induction(&patient, &course)).await;
    let kept = ward.asks("audrey", v1::GetCheckpointRequest { size: None }).await.checkpoint;
    let now = ward.now();
    ward.hand.set(now.checked_add_micros(-3_600_000_000).unwrap());
    let no = ward.fails("nina", start(&course, "induction", 44)).await;
    assert!(no.contains("clock"), "{no}");
    ward.hand.set(now);
    let key = ward.verifier_key();
    let (dir, _) = ward.close().await;
    let path = dir.path().join("ledger.db");
    Connection::open(&path)
        .unwrap()
        .execute_batch(
            "DROP TRIGGER entries_never_go; DROP TRIGGER checkpoints_never_go;
             DELETE FROM entries WHERE idx = (SELECT max(idx) FROM entries);
             DELETE FROM checkpoints WHERE size > (SELECT max(idx) + 1 FROM entries);",
        )
        .unwrap();
    let evidence = Evidence::open(&path).unwrap();
    let checkpoint = SignedNote::parse(kept.as_bytes()).unwrap();
    let options = audit::Options { verifier_key: key, checkpoint: Some(checkpoint) };
    let found = audit::audit(&options, evidence.entries(), evidence.checkpoints(), |_| {});
    assert_eq!(found.verdict, Verdict::Bad);
    assert_eq!(found.finding.unwrap().fault, Fault::Truncated);
}

#[tokio::test(flavor = "multi_thread")]
async fn h22_substitution_in_the_vial() {
    // Nobody can see through glass. What was out of sight does not come back into stock unless its seal is unbroken.
    let (mut ward, patient, course) = clinic().await;
    let session = ward.begin(&induction(&patient, &course)).await;
    let dose = ward.calculated("cleo", infusion(&patient, &session, ward.now(), "0.5 mg/kg")).await;
    let act = ward.dispensing(&dose, None);
    let done = ward.does("ada", act).await;
    let Some(outcome::Result::Dispensing(held)) = done.outcome.result else { panic!() };
    let back = v1::ReturnVialRequest {
        dispensing: held.name,
        place: "places/safe".into(),
        seal_intact: false,
        ..Default::default()
    };
    assert_eq!(ward.tries("nina", back).await.reason, "SEAL_BROKEN");
    ward.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h23_missed_clock() {
    let mut ward = Ward::open().await;
    let patient = ward.register("e3", "Theodore Vanterpool").await;
    let course = ward.open_course(&patient, "plans/esk-trd").await;
    let visit = Visit { patient: &patient, course: &course, phase: "weeks-1-4" };
    let session = ward.begin(&visit).await;
    let inputs = crate::requests::spray(&patient, &session, ward.now(), "protocols/esk-trd-ind", 2);
    let dose = ward.calculated("cleo", inputs).await;
    ward.sprayed(&dose, 2, 5).await;
    ward.watched(&session, &[30, 60, 116]).await;
    ward.does("nina", discharge(&session)).await;
    ward.pass_days(7);
    let list = ward.asks("nina", v1::ListSessionsRequest::default()).await.sessions;
    assert_eq!((list.len(), list[0].form_overdue), (1, false), "the last day is in time");
    ward.pass_days(1);
    let list = ward.asks("nina", v1::ListSessionsRequest::default()).await.sessions;
    assert!(list[0].form_overdue, "{list:?}");
    ward.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h24_short_shipment() {
    let ward = Ward::open().await;
    let done = ward.does("ada", ward.delivery(KETAMINE, |line| line.counted = 9)).await;
    assert_eq!(done.flags(), [FlagKind::CountDiffersFromInvoice]);
    ward.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h25_an_insider_changing_rights_limits_or_drug_data() {
    let (ward, patient, course) = clinic().await;
    let session = ward.begin(&induction(&patient, &course)).await;
    let text = formulary::starter().replace("hard_high = \"1 mg/kg\"", "hard_high = \"9 mg/kg\"");
    assert_ne!(text, formulary::starter());
    let act = v1::PublishFormularyRequest { formulary: text, ..Default::default() };
    let done = ward.does("ada", act).await;
    assert!(matches!(done.outcome.result, Some(outcome::Result::Proposed(_))));
    let no = ward.tries("cleo", calculate(infusion(&patient, &session, ward.now(), "5 mg/kg")));
    assert_eq!(no.await.reason, "OVER_HARD_LIMIT", "one person changes no limit");
    let waiting = ward.asks("ada", v1::ListProposalsRequest::default()).await.proposals;
    let approval = v1::ApproveRequest {
        proposal: waiting[0].entry.clone(),
        leaf_hash: waiting[0].leaf_hash.clone(),
        ..Default::default()
    };
    let no = ward.tries("ada", approval).await;
    assert_eq!((no.reason.as_str(), no.entry.is_some()), ("SELF_APPROVAL", true));
    // Nor does one person change rights, or what a product's id means.
    let rights = v1::ChangeRolesRequest {
        person: "people/nina".into(),
        roles: vec![v1::Role::Prescriber.into()],
        ..Default::default()
    };
    let done = ward.does("ada", rights).await;
    assert!(matches!(done.outcome.result, Some(outcome::Result::Proposed(_))));
    let stronger = formulary::starter().replace(
        "id = \"ketamine-42023-113-10\"\nname = \"ketamine (Ketalar) 10 mg/mL",
        "id = \"ketamine-42023-113-10\"\nname = \"ketamine (Ketalar) 20 mg/mL",
    );
    let at = stronger.find("id = \"ketamine-42023-113-10\"").unwrap();
    let strength = at + stronger[at..].find("strength = \"10 mg/mL\"").unwrap();
    let stronger =
        format!("{}strength = \"20 mg/mL\"{}", &stronger[..strength], &stronger[strength + 21..]);
    let act = v1::PublishFormularyRequest { formulary: stronger, ..Default::default() };
    assert_eq!(ward.tries("ada", act).await.reason, "FORMULARY_INVALID");
    ward.close().await;
}
