//! The twenty-five hazards of a ketamine clinic, each tried and stopped, or where nothing can stop it, made visible.

mod records;

use vialedger::formulary;
use vialedger::pb::v1::{self, Answer, FlagKind, OverrideReason};
use vialedger::wire::{timestamp_from_wire, timestamp_to_wire};

use crate::requests::{
    KETAMINE, answers_but, calculate, discharge, infusion, observe, passing, quantity, start,
    well_but,
};
use crate::ward::{Visit, Ward};

/// Ketamine 100 mg/mL, 5 mL, single-dose.
const STRONG: &str = "products/ketamine-25021-684-05";

/// A clinic with a registered patient on a course.
async fn clinic() -> (Ward, String, String) {
    let ward = Ward::open().await;
    let patient = ward.register("p7", "Josephine Marlowe").await;
    let course = ward.open_course(&patient, "plans/ket-trd-iv").await;
    (ward, patient, course)
}

fn induction<'a>(patient: &'a str, course: &'a str) -> Visit<'a> {
    Visit { patient, course, phase: "induction" }
}

/// A session in which nothing goes wrong.
async fn treated(ward: &mut Ward, patient: &str, course: &str) {
    let session = ward.begin(&induction(patient, course)).await;
    let dose = ward.calculated("cleo", infusion(patient, &session, ward.now(), "0.5 mg/kg")).await;
    ward.infused(&dose).await;
    ward.watched(&session, &[20, 50, 81]).await;
    ward.does("nina", discharge(&session)).await;
}

fn weighing(mut inputs: v1::DoseInputs, weight: &str) -> v1::DoseInputs {
    inputs.weight.as_mut().unwrap().quantity = Some(quantity(weight));
    inputs.syringe = Some(quantity("20 mL"));
    inputs
}

#[tokio::test(flavor = "multi_thread")]
async fn h01_tenfold_slip() {
    let (mut ward, patient, course) = clinic().await;
    treated(&mut ward, &patient, &course).await;
    ward.pass_days(3);
    let session = ward.begin(&induction(&patient, &course)).await;
    let inputs = |dose| infusion(&patient, &session, ward.now(), dose);
    let no = ward.tries("cleo", calculate(inputs("5 mg/kg"))).await;
    assert_eq!(no.reason, "OVER_HARD_LIMIT");
    assert!(no.message.contains("5 mg/kg is not allowed") && no.entry.is_some(), "{no:?}");
    let no = ward.tries("cleo", calculate(weighing(inputs("0.5 mg/kg"), "725 kg"))).await;
    assert_eq!(no.violations[0].field, "inputs.weight.quantity");
    for (slip, syringe) in [("7.25 kg", "3 mL"), ("275 kg", "20 mL")] {
        let mut inputs = weighing(inputs("0.5 mg/kg"), slip);
        inputs.syringe = Some(quantity(syringe));
        let no = ward.tries("cleo", calculate(inputs)).await;
        assert!(no.message.contains("WEIGHT_CHANGED"), "{no:?}");
    }
    ward.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h02_pounds_as_kilograms() {
    let (mut ward, patient, course) = clinic().await;
    treated(&mut ward, &patient, &course).await;
    ward.pass_days(3);
    let session = ward.begin(&induction(&patient, &course)).await;
    let inputs = infusion(&patient, &session, ward.now(), "0.5 mg/kg");
    let no = ward.tries("cleo", calculate(weighing(inputs.clone(), "160 [lb_av]"))).await;
    assert_eq!(no.reason, "INVALID_ARGUMENT");
    assert!(no.violations[0].description.contains("kg"), "{no:?}");
    // 160 typed as kilograms is the patient's 72.5 kg more than doubled.
    let no = ward.tries("cleo", calculate(weighing(inputs, "160 kg"))).await;
    assert!(
        no.message.contains("WEIGHT_CHANGED: the weight is 160 kg and was 72.5 kg the last time"),
        "{no:?}"
    );
    ward.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h03_milligrams_for_micrograms() {
    let ward = Ward::open().await;
    let inputs = v1::DoseInputs {
        protocol: "protocols/fen-sed".into(),
        product: "products/fentanyl-0409-9094-22".into(),
        dose: Some(quantity("50 mg")),
        infusion_duration: None,
        diluted_volume: None,
        answers: vec![v1::EligibilityAnswer {
            question: "hypersensitivity-fentanyl".into(),
            answer: Answer::No.into(),
        }],
        ..infusion("patients/p1", "", ward.now(), "0.5 mg/kg")
    };
    let no = ward.tries("cleo", calculate(inputs)).await;
    assert_eq!(no.reason, "OVER_HARD_LIMIT");
    assert!(no.message.contains("mcg"), "the limit is said in its own unit: {no:?}");
    ward.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h04_a_dose_per_kg_used_as_a_rate() {
    let (ward, patient, course) = clinic().await;
    let session = ward.begin(&induction(&patient, &course)).await;
    for wrong in ["0.5 mg/kg/h", "0.5 mg/min", "36 mg"] {
        let inputs = infusion(&patient, &session, ward.now(), wrong);
        let no = ward.tries("cleo", calculate(inputs)).await;
        assert_eq!(no.reason, "NOT_CALCULABLE", "{wrong}");
        assert!(no.message.contains("mg/kg"), "{no:?}");
    }
    ward.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h05_wrong_concentration() {
    let (mut ward, patient, course) = clinic().await;
    // What is scanned and what is typed must agree.
    let no = ward.tries(
        "ada",
        ward.delivery(KETAMINE, |line| {
            line.gs1_scan = "01003040920512051728033110K9".into();
        }),
    );
    let no = no.await;
    assert!(["SCAN_DIFFERS", "INVALID_ARGUMENT"].contains(&no.reason.as_str()), "{no:?}");
    // A vial of another strength is not what was calculated for.
    ward.receive(STRONG, "S1", 2).await;
    let session = ward.begin(&induction(&patient, &course)).await;
    let dose = ward.calculated("cleo", infusion(&patient, &session, ward.now(), "0.5 mg/kg")).await;
    let mut act = ward.dispensing(&dose, None);
    act.vial = ward.container(STRONG);
    let no = ward.tries("ada", act).await;
    assert_eq!(no.reason, "PRODUCT_MISMATCH");
    ward.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h06_undiluted_100_mg_per_ml() {
    let (ward, patient, course) = clinic().await;
    let session = ward.begin(&induction(&patient, &course)).await;
    let inputs = v1::DoseInputs {
        product: STRONG.into(),
        diluted_volume: None,
        syringe: Some(quantity("1 mL")),
        ..infusion(&patient, &session, ward.now(), "0.5 mg/kg")
    };
    let no = ward.tries("cleo", calculate(inputs)).await;
    assert_eq!(no.reason, "UNDILUTED");
    assert!(no.message.contains("must never go into a vein undiluted"), "{no:?}");
    ward.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h07_wrong_weight_scalar() {
    let text = formulary::starter();
    let at = text.find("[[protocol]]\nid = \"ket-trd-iv\"").unwrap();
    let scalar = at + text[at..].find("scalar = \"actual\"").unwrap();
    let ideal = format!("{}scalar = \"ideal\"{}", &text[..scalar], &text[scalar + 17..]);
    let ward = Ward::with_formulary(&ideal).await;
    let patient = ward.register("p7", "Josephine Marlowe").await;
    let course = ward.open_course(&patient, "plans/ket-trd-iv").await;
    let session = ward.begin(&induction(&patient, &course)).await;
    let mut inputs = infusion(&patient, &session, ward.now(), "0.5 mg/kg");
    inputs = weighing(inputs, "120 kg");
    let no = ward.tries("cleo", calculate(inputs.clone())).await;
    assert_eq!(no.reason, "NOT_CALCULABLE", "ideal weight is not guessed: {no:?}");
    inputs.height = Some(quantity("170 cm"));
    inputs.sex = v1::Sex::Female.into();
    let dose = ward.calculated("cleo", inputs).await;
    let weight = dose.dosing_weight.unwrap().value;
    assert!(weight.starts_with("61."), "the protocol says which weight, nobody else: {weight}");
    ward.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h08_minor_or_excluded_patient() {
    let (ward, patient, course) = clinic().await;
    let born = v1::Date { year: 2011, month: 1, day: 2 };
    let child = ward.register_born("kid", "Bartholomew Quill", born).await;
    let childs = ward.open_course(&child, "plans/ket-trd-iv").await;
    ward.does("nina", crate::requests::answers(&child, ward.now())).await;
    let no = ward.tries("nina", start(&childs, "induction", 16)).await;
    assert_eq!((no.reason.as_str(), no.entry.is_some()), ("AGE_OUTSIDE_PROTOCOL", true));
    let psychosis = answers_but(&patient, ward.now(), "psychosis", Answer::Yes);
    ward.does("nina", psychosis.clone()).await;
    let no = ward.tries("nina", start(&course, "induction", 44)).await;
    assert_eq!((no.reason.as_str(), no.entry.is_some()), ("CONTRAINDICATED", true));
    assert!(no.message.contains("this protocol is not for this patient"), "{no:?}");
    // No reason passes a hard question, not even a prescriber's.
    let passed = v1::RecordEligibilityRequest {
        overrides: vec![passing("QUESTION:psychosis", OverrideReason::SpecialistAdvice)],
        ..psychosis
    };
    assert_eq!(ward.tries("cleo", passed).await.reason, "CONTRAINDICATED");
    ward.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h09_uncontrolled_blood_pressure() {
    let (ward, patient, course) = clinic().await;
    let session = ward.begin(&induction(&patient, &course)).await;
    let inputs = || infusion(&patient, &session, ward.now(), "0.5 mg/kg");
    ward.pass(1);
    let high = well_but(&[("systolic", 160), ("diastolic", 100)]);
    ward.does("nina", observe(&session, ward.now(), &high)).await;
    let no = ward.tries("cleo", calculate(inputs())).await;
    assert_eq!(no.reason, "SOFT_LIMIT");
    assert!(no.message.contains("Let the patient rest, measure again"), "{no:?}");
    ward.pass(1);
    let crisis = well_but(&[("systolic", 190), ("diastolic", 112)]);
    ward.does("nina", observe(&session, ward.now(), &crisis)).await;
    let reasons = ["BEFORE:pressure-too-high-systolic", "BEFORE:pressure-before-systolic"];
    let reasons = reasons.map(|limit| passing(limit, OverrideReason::BenefitOutweighsRisk));
    let insisting = v1::DoseInputs { overrides: reasons.into(), ..inputs() };
    let no = ward.tries("cleo", calculate(insisting)).await;
    assert_eq!((no.reason.as_str(), no.entry.is_some()), ("VITALS_OUTSIDE", true));
    // Not read, or an hour ago, is not well.
    ward.pass(61);
    assert_eq!(ward.tries("cleo", calculate(inputs())).await.reason, "VITALS_MISSING");
    let slip = [("systolic", 1240)];
    let no = ward.tries("nina", observe(&session, ward.now(), &slip)).await;
    assert_eq!(no.reason, "IMPLAUSIBLE_READING");
    ward.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h10_interacting_medicines() {
    let (ward, patient, course) = clinic().await;
    let taking = answers_but(&patient, ward.now(), "interacting-medicines", Answer::Yes);
    ward.does("nina", taking.clone()).await;
    let no = ward.tries("nina", start(&course, "induction", 44)).await;
    assert_eq!(no.reason, "SOFT_LIMIT");
    assert!(no.message.contains("QUESTION:interacting-medicines"), "{no:?}");
    let passed = v1::RecordEligibilityRequest {
        overrides: vec![passing(
            "QUESTION:interacting-medicines",
            OverrideReason::BenefitOutweighsRisk,
        )],
        ..taking
    };
    assert_eq!(ward.tries("nina", passed.clone()).await.reason, "ROLE_NOT_HELD");
    ward.does("cleo", passed).await;
    let done = ward.does("nina", start(&course, "induction", 44)).await;
    assert_eq!(done.flags(), [FlagKind::SoftLimitOverridden]);
    ward.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h11_early_discharge() {
    let (mut ward, patient, course) = clinic().await;
    let session = ward.begin(&induction(&patient, &course)).await;
    let dose = ward.calculated("cleo", infusion(&patient, &session, ward.now(), "0.5 mg/kg")).await;
    ward.infused(&dose).await;
    ward.watched(&session, &[50]).await;
    let no = ward.tries("nina", discharge(&session)).await;
    assert_eq!(no.reason, "NOT_DISCHARGEABLE");
    assert!(no.message.contains("only 90 min since the first dose, 120 min"), "{no:?}");
    // Time alone does not do it: high, dreamy, alone, and about to drive.
    ward.pass(40);
    let unwell = well_but(&[("systolic", 151), ("dissociation", 1)]);
    ward.does("nina", observe(&session, ward.now(), &unwell)).await;
    let alone = v1::DischargePatientRequest {
        escort_present: false,
        no_driving_acknowledged: false,
        ..discharge(&session)
    };
    let no = ward.tries("nina", alone).await;
    for unmet in ["151 mm[Hg] is above 140", "is above 0", "no responsible adult", "not to drive"] {
        assert!(no.message.contains(unmet), "{unmet}: {no:?}");
    }
    ward.close().await;
}

/// An infusion is recorded when it has ended. Nobody waits for that to be watched.
#[tokio::test(flavor = "multi_thread")]
async fn an_infusion_is_watched_while_it_runs() {
    let (mut ward, patient, course) = clinic().await;
    let session = ward.begin(&induction(&patient, &course)).await;
    let dose = ward.calculated("cleo", infusion(&patient, &session, ward.now(), "0.5 mg/kg")).await;
    let dispensing = ward.dispensed(&dose).await;
    let start = ward.now();
    ward.pass(16);
    // The board asks for the observation that is due, and says from when it counts.
    let board = ward.asks("nina", v1::ListSessionsRequest::default()).await.sessions;
    let since = timestamp_from_wire(&board[0].dose_in_hands_time.unwrap()).unwrap();
    assert!(since.micros_since(start) < 1_000_000, "{board:?}");
    let due: Vec<_> = board[0].wanted.iter().map(|it| (it.state(), it.due_time)).collect();
    let quarter = since.checked_add_micros(15 * 60_000_000).unwrap();
    assert_eq!(due, [(v1::DueState::Due, Some(timestamp_to_wire(quarter)))]);
    ward.pass(5);
    let board = ward.asks("nina", v1::ListSessionsRequest::default()).await.sessions;
    assert_eq!(board[0].wanted[0].state(), v1::DueState::Overdue, "{board:?}");

    let low = observe(&session, ward.now(), &well_but(&[("spo2", 85)]));
    let done = ward.does("nina", low).await;
    assert_eq!(done.flags(), [FlagKind::StopCriterion], "no alert while the infusion runs");
    let board = ward.asks("nina", v1::ListSessionsRequest::default()).await.sessions;
    assert_eq!(board[0].open_alerts.len(), 1, "{board:?}");
    let shown = ward.session(&session).await.session.unwrap();
    assert_eq!(shown.state(), v1::SessionState::Open);
    assert!(shown.dose_in_hands_time.is_some() && shown.schedule.len() > 3, "{shown:?}");

    // Nina stops it; what it was is recorded, and nothing is held against her.
    let act = v1::RecordAdministrationRequest {
        dispensing,
        patient: patient.clone(),
        amount: Some(quantity("2 mL")),
        start_time: Some(timestamp_to_wire(start)),
        end_time: Some(timestamp_to_wire(ward.now())),
        ..Default::default()
    };
    assert_eq!(ward.does("nina", act).await.flags(), []);
    let shown = ward.session(&session).await.session.unwrap();
    assert_eq!(shown.state(), v1::SessionState::Monitored);
    assert_eq!(shown.dose_in_hands_time, None, "from now on the true start counts");
    ward.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h12_escalating_frequency_or_dose() {
    let (mut ward, patient, course) = clinic().await;
    treated(&mut ward, &patient, &course).await;
    let no = ward.tries("cleo", start(&course, "induction", 44)).await;
    assert_eq!((no.reason.as_str(), no.entry.is_some()), ("SESSION_TOO_EARLY", true));
    for _ in 0..2 {
        ward.pass_days(2);
        treated(&mut ward, &patient, &course).await;
    }
    // Two days early: planned are three.
    ward.pass_days(1);
    ward.does("nina", crate::requests::answers(&patient, ward.now())).await;
    let no = ward.tries("cleo", start(&course, "induction", 44)).await;
    assert!(no.message.contains("SESSION_EARLY"), "{no:?}");
    assert!(
        no.message.contains("SESSIONS_WINDOW:7: this would be session 4 within 7 days"),
        "{no:?}"
    );
    // A nurse does not pass it alone.
    let mut request = start(&course, "induction", 44);
    request.overrides = ["SESSION_EARLY", "SESSIONS_WINDOW:7"]
        .map(|limit| passing(limit, OverrideReason::SpecialistAdvice))
        .into();
    assert_eq!(ward.tries("nina", request.clone()).await.reason, "ROLE_NOT_HELD");
    let done = ward.does("cleo", request).await;
    assert_eq!(done.flags(), [FlagKind::SoftLimitOverridden; 2]);
    ward.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h13_home_supply() {
    let (mut ward, patient, course) = clinic().await;
    let session = ward.begin(&induction(&patient, &course)).await;
    let dose = ward.calculated("cleo", infusion(&patient, &session, ward.now(), "0.5 mg/kg")).await;
    let act = ward.dispensing(&dose, dose.measured_amount.clone());
    let home = v1::DispenseVialRequest { take_home: true, ..act.clone() };
    let no = ward.tries("ada", home).await;
    assert_eq!((no.reason.as_str(), no.entry.is_some()), ("HOME_SUPPLY", true));
    assert!(no.message.contains("never handed to a patient to take home"), "{no:?}");
    let patient_holds =
        v1::DispenseVialRequest { holder: "people/josephine".into(), ..act.clone() };
    assert_eq!(ward.tries("ada", patient_holds).await.reason, "UNKNOWN_RESOURCE");
    // What is still out when the patient wants to leave keeps the patient here.
    ward.does("ada", act).await;
    assert_eq!(ward.tries("nina", discharge(&session)).await.reason, "VIAL_STILL_OUT");
    ward.close().await;
}
