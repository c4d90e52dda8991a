//! A clinic's day with nearly every act that there is, and for each of a treatment somebody who may not.

use tempfile::TempDir;
use vialedger::pb::v1::{
    self, CourseEnd, EffectKind, EffectSeverity, IdentityPurpose, OverrideReason, Role, SessionEnd,
    outcome,
};
use vialedger::wire::{date_to_wire, timestamp_to_wire};

use crate::requests::{
    KETAMINE, WELL, answers, calculate, discharge, effect, infusion, observe, passing, quantity,
    spray, start, well_but,
};
use crate::ward::{Visit, Ward};

/// The day's folder, and the ledger's verifier key.
pub(crate) async fn day() -> (TempDir, String) {
    let mut ward = Ward::open().await;
    let patient = registered(&ward).await;
    let course = ward.open_course(&patient, "plans/esk-trd").await;
    let visit = Visit { patient: &patient, course: &course, phase: "weeks-1-4" };
    called_off(&ward, &visit).await;
    let session = treated(&mut ward, &visit).await;
    gone_early(&ward, &session).await;
    wasted(&mut ward).await;
    ward.does("nina", missed(&ward, &course)).await;
    ward.does("cleo", close(&course)).await;
    nobody_may(&ward, &visit, &session).await;
    let key = ward.verifier_key().to_string();
    (ward.close().await.0, key)
}

async fn registered(ward: &Ward) -> String {
    let patient = ward.register("e3", "Theodore Vanterpool").await;
    let alias = ward.register("f4", "Theodore Vanterpool").await;
    ward.does("cleo", merge(&alias, &patient)).await;
    ward.does("audrey", look(&patient)).await;
    patient
}

/// A session that ends before it began.
async fn called_off(ward: &Ward, visit: &Visit<'_>) {
    let session = ward.begin(visit).await;
    let onset = ward.now();
    ward.does("nina", effect(&session, EffectKind::Nausea, EffectSeverity::Moderate, onset)).await;
    ward.does("nina", cancel(&session)).await;
}

/// Two devices, and an alert that a prescriber has seen.
async fn treated(ward: &mut Ward, visit: &Visit<'_>) -> String {
    ward.pass(20);
    let session = ward.begin(visit).await;
    let inputs = |devices, at| spray(visit.patient, &session, at, "protocols/esk-trd-ind", devices);
    let no = ward.tries("cleo", calculate(inputs(3, ward.now()))).await;
    assert_eq!(no.reason, "OVER_HARD_LIMIT");
    let dose = ward.calculated("cleo", inputs(2, ward.now())).await;
    ward.sprayed(&dose, 2, 5).await;
    ward.pass(10);
    let low = observe(&session, ward.now(), &well_but(&[("spo2", 88)]));
    let done = ward.does("nina", low).await;
    let Some(outcome::Result::Observation(seen)) = done.outcome.result else { panic!() };
    ward.does("cleo", acknowledge(&seen.alerts[0].name)).await;
    session
}

/// The patient will not wait: one prescriber puts it forward, a pharmacist may not approve it, another prescriber may.
async fn gone_early(ward: &Ward, session: &str) {
    ward.watched(session, &[15, 40, 65]).await;
    let early = v1::DischargePatientRequest {
        early_reason: "must fetch the children, will not wait".into(),
        ..discharge(session)
    };
    ward.does("cleo", early).await;
    let waiting = ward.asks("ben", v1::ListProposalsRequest::default()).await.proposals;
    let approval = v1::ApproveRequest {
        proposal: waiting[0].entry.clone(),
        leaf_hash: waiting[0].leaf_hash.clone(),
        ..Default::default()
    };
    assert_eq!(ward.tries("ben", approval).await.reason, "ROLE_NOT_HELD");
    ward.approve("dora").await;
    ward.does("nina", form(ward, session)).await;
}

/// Somebody else's infusion, and what is left in the vial: a pharmacist wastes it, and somebody else sees it.
async fn wasted(ward: &mut Ward) {
    let patient = ward.register("h6", "Josephine Marlowe").await;
    let course = ward.open_course(&patient, "plans/ket-trd-iv").await;
    let session =
        ward.begin(&Visit { patient: &patient, course: &course, phase: "induction" }).await;
    let inputs = infusion(&patient, &session, ward.now(), "0.5 mg/kg");
    let dose = ward.calculated("cleo", inputs).await;
    ward.infused(&dose).await;
    ward.watched(&session, &[1, 20, 50, 85]).await;
    ward.does("nina", discharge(&session)).await;
    let vial = ward.last_container(KETAMINE);
    let act = v1::RecordWasteRequest {
        source: Some(v1::record_waste_request::Source::Vial(vial)),
        amount: Some(quantity("16.4 mL")),
        reason: v1::WasteReason::Remainder.into(),
        method: v1::WasteMethod::DeactivationContainer.into(),
        occurred_time: Some(timestamp_to_wire(ward.now())),
        ..Default::default()
    };
    let done = ward.does("ben", act).await;
    let Some(outcome::Result::Waste(waste)) = done.outcome.result else { panic!() };
    let seen = v1::WitnessRequest { waste: waste.name, amount: waste.amount, ..Default::default() };
    assert_eq!(ward.tries("ben", seen.clone()).await.reason, "SELF_WITNESS");
    ward.does("nick", seen).await;
}

/// Whoever carries boxes treats nobody, and a nurse passes no limits.
async fn nobody_may(ward: &Ward, visit: &Visit<'_>, session: &str) {
    let (patient, course) = (visit.patient, visit.course);
    let passed = vec![passing("QUESTION:pregnancy", OverrideReason::BenefitOutweighsRisk)];
    let mut past = answers(patient, ward.now());
    past.overrides.clone_from(&passed);
    refused(ward, "nina", past).await;
    let mut past = start(course, visit.phase, 44);
    past.overrides = passed;
    refused(ward, "nina", past).await;

    let roles = vec![Role::Technician.into()];
    let person = "people/audrey".to_owned();
    ward.does("ada", v1::ChangeRolesRequest { person, roles, ..Default::default() }).await;
    ward.approve("ben").await;
    let who = "audrey";
    let identity_commitment = sealed(ward).await;
    let register = v1::RegisterPatientRequest {
        patient: "patients/g5".into(),
        identity_commitment,
        ..Default::default()
    };
    refused(ward, who, register).await;
    refused(ward, who, merge("patients/g5", patient)).await;
    refused(ward, who, look(patient)).await;
    refused(ward, who, answers(patient, ward.now())).await;
    let (patient, plan) = (patient.to_owned(), "plans/esk-trd".to_owned());
    refused(ward, who, v1::OpenCourseRequest { patient, plan, ..Default::default() }).await;
    refused(ward, who, close(course)).await;
    refused(ward, who, start(course, visit.phase, 44)).await;
    refused(ward, who, missed(ward, course)).await;
    refused(ward, who, cancel(session)).await;
    refused(ward, who, observe(session, ward.now(), &WELL)).await;
    refused(ward, who, acknowledge("alerts/1-1")).await;
    let kind = EffectKind::Headache;
    refused(ward, who, effect(session, kind, EffectSeverity::Mild, ward.now())).await;
    refused(ward, who, discharge(session)).await;
    refused(ward, who, form(ward, session)).await;
    let check = v1::CheckDoseRequest {
        dose_calculation: "doseCalculations/1".into(),
        inputs: Some(infusion(visit.patient, session, ward.now(), "0.5 mg/kg")),
        ..Default::default()
    };
    refused(ward, who, check).await;
}

/// An identity that is sealed, and whose patient nobody has registered yet.
async fn sealed(ward: &Ward) -> Vec<u8> {
    let identity = v1::PatientIdentity {
        display_name: "Cordelia Pemberton".into(),
        address: "9 Elm Street, Springfield".into(),
        birth_date: Some(v1::Date { year: 1979, month: 8, day: 3 }),
        identifiers: vec!["MRN-g5-7730".into()],
    };
    let salts = (0..4_u8).map(|salt| vec![salt; 32]).collect();
    let opening = Some(v1::IdentityOpening { identity: Some(identity), salts });
    ward.asks("nina", v1::SealIdentityRequest { opening }).await.identity_commitment
}

async fn refused<A: vialedger::client::Act>(ward: &Ward, who: &str, act: A) {
    let no = ward.tries(who, act).await;
    assert_eq!(no.reason, "ROLE_NOT_HELD", "{}: {no:?}", A::KIND);
    assert!(no.entry.is_some(), "a compliance officer sees the attempt");
}

fn merge(alias: &str, patient: &str) -> v1::MergePatientsRequest {
    v1::MergePatientsRequest {
        alias: alias.to_owned(),
        patient: patient.to_owned(),
        reason: "registered twice, same papers".into(),
        ..Default::default()
    }
}

fn look(patient: &str) -> v1::OpenIdentityRequest {
    v1::OpenIdentityRequest {
        patient: patient.to_owned(),
        purpose: IdentityPurpose::Treatment.into(),
        ..Default::default()
    }
}

fn cancel(session: &str) -> v1::CancelSessionRequest {
    v1::CancelSessionRequest {
        session: session.to_owned(),
        reason: SessionEnd::Other.into(),
        note: "the scale is broken".into(),
        ..Default::default()
    }
}

fn acknowledge(alert: &str) -> v1::AcknowledgeAlertRequest {
    v1::AcknowledgeAlertRequest {
        alert: alert.to_owned(),
        note: "oxygen given, saturation back within two minutes".into(),
        ..Default::default()
    }
}

fn missed(ward: &Ward, course: &str) -> v1::RecordMissedSessionRequest {
    v1::RecordMissedSessionRequest {
        course: course.to_owned(),
        planned_date: Some(date_to_wire(ward.today())),
        reason: SessionEnd::DidNotCome.into(),
        ..Default::default()
    }
}

fn close(course: &str) -> v1::CloseCourseRequest {
    v1::CloseCourseRequest {
        course: course.to_owned(),
        reason: CourseEnd::Remission.into(),
        ..Default::default()
    }
}

fn form(ward: &Ward, session: &str) -> v1::RecordFormSentRequest {
    v1::RecordFormSentRequest {
        session: session.to_owned(),
        sent_date: Some(date_to_wire(ward.today())),
        reference: "FORM-1".into(),
        ..Default::default()
    }
}
