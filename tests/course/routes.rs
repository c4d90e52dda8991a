//! The other ways in: by mouth, under the eyes of the clinic and checked by a second person; and into a muscle, by a
//! plan of the site's own.

use vialedger::formulary;
use vialedger::pb::v1::{self, Answer, outcome};
use vialedger::wire::timestamp_to_wire;

use crate::requests::{self, discharge, infusion, observe, quantity};
use crate::ward::{Visit, Ward};

/// Ketamine 100 mg/mL, 5 mL, multiple-dose.
const STRONG: &str = "products/ketamine-0409-2051-05";

/// Draws, gives at once, watches and discharges.
async fn given_and_home(ward: &mut Ward, session: &str, dose: &v1::DoseCalculation, until: u64) {
    let dispensing = ward.dispensed(dose).await;
    let at = Some(timestamp_to_wire(ward.now()));
    let given = v1::RecordAdministrationRequest {
        dispensing,
        patient: dose.patient.clone(),
        amount: dose.measured_amount.clone(),
        start_time: at,
        end_time: at,
        ..Default::default()
    };
    ward.does("nina", given).await;
    let no = ward.tries("nina", discharge(session)).await;
    assert_eq!(no.reason, "NOT_DISCHARGEABLE");
    ward.watched(session, &[15, 30, 40, 60, 90, until]).await;
    ward.does("nina", discharge(session)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_mouth_in_the_clinic_only_after_a_second_person_worked_it_out() {
    let mut ward = Ward::open().await;
    let patient = ward.register("o4", "Evangeline Thornbury").await;
    let course = ward.open_course(&patient, "plans/ket-oral-dep").await;
    let visit = Visit { patient: &patient, course: &course, phase: "supervised" };
    let session = ward.begin(&visit).await;
    let inputs = v1::DoseInputs {
        protocol: "protocols/ket-oral-dep".into(),
        infusion_duration: None,
        diluted_volume: None,
        ..infusion(&patient, &session, ward.now(), "0.5 mg/kg")
    };
    let outside = v1::DoseInputs { session: String::new(), ..inputs.clone() };
    let no = ward.tries("cleo", requests::calculate(outside)).await;
    assert_eq!(no.reason, "SESSION_REQUIRED");
    let dose = ward.calculated("cleo", inputs.clone()).await;
    assert_eq!(dose.check_requirement(), v1::CheckRequirement::SecondPerson);
    let act = ward.dispensing(&dose, dose.measured_amount.clone());
    let no = ward.tries("ada", act).await;
    assert_eq!(no.reason, "CHECK_REQUIRED");
    let check = v1::CheckDoseRequest {
        dose_calculation: dose.name.clone(),
        inputs: Some(inputs),
        ..Default::default()
    };
    // Whoever checks gets to see nothing of the first result before the answer.
    let asked = v1::GetDoseCalculationRequest { name: dose.name.clone() };
    assert_eq!(ward.asks_in_vain("nick", asked).await.reason, "CHECK_REQUIRED");
    let replay = v1::ReplayDoseRequest { name: dose.name.clone() };
    assert_eq!(ward.asks_in_vain("nick", replay).await.reason, "CHECK_REQUIRED");
    let page = ward.asks("nick", v1::GetSessionRequest { name: session.clone() }).await;
    let page = page.session.unwrap();
    let shown = page.dose_calculation.unwrap();
    assert_eq!((shown.name, shown.measured_amount), (dose.name.clone(), None));
    assert_eq!((shown.readback.as_str(), page.weight), ("", None));
    let done = ward.does("nick", check.clone()).await;
    let Some(outcome::Result::DoseCheck(found)) = done.outcome.result else { panic!() };
    assert!(found.agreed, "{found:?}");
    assert_eq!(ward.tries("nick", check).await.reason, "CHECK_NOT_ASKED", "once is enough");
    given_and_home(&mut ward, &session, &dose, 181).await;
    let page = ward.session(&session).await.session.unwrap();
    assert_eq!(page.checked_by, "people/nick");
    ward.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn into_a_muscle_by_a_plan_of_the_site() {
    // What this site does not use makes room for what it does.
    let starter = formulary::starter();
    let from = starter.find("[[product]]\nid = \"midazolam-68083-108-02\"").unwrap();
    let to = from + 11 + starter[from + 11..].find("[[product]]").unwrap();
    let plan = r#"
[[plan]]
id = "ket-im"
title = "Ketamine into a muscle"
drug = "ketamine"
monitoring = "ket-iv"
source = "Site policy"

[[plan.phase]]
id = "only"
title = "The only phase"
protocol = "ket-psa-im"
sessions_min = 1
sessions_max = 4
interval_days = 7
soft_min_days = 6
hard_min_days = 3
soft_max_days = 30
source = "Site policy"

[plan.history]
weight_change_percent = 20
rises_alone = 1
ask_after = ["urinary_symptoms"]
source = "Site policy"
"#;
    let text = format!("{}{}{plan}", &starter[..from], &starter[to..]);
    let mut ward = Ward::with_formulary(&text).await;
    ward.receive(STRONG, "S9", 2).await;
    let patient = ward.register("m5", "Augustin Delacroix").await;
    let course = ward.open_course(&patient, "plans/ket-im").await;
    let mut answered = requests::answers(&patient, ward.now());
    answered.answers = ["hypersensitivity-ketamine", "blood-pressure-hazard", "raised-pressure"]
        .map(|question| v1::EligibilityAnswer {
            question: question.into(),
            answer: Answer::No.into(),
        })
        .into();
    ward.does("nina", answered).await;
    let session = ward.started("nina", requests::start(&course, "only", 44)).await;
    ward.does("nina", observe(&session, ward.now(), &requests::WELL)).await;
    let inputs = v1::DoseInputs {
        protocol: "protocols/ket-psa-im".into(),
        product: STRONG.into(),
        infusion_duration: None,
        diluted_volume: None,
        syringe: Some(quantity("3 mL")),
        ..infusion(&patient, &session, ward.now(), "4 mg/kg")
    };
    let dose = ward.calculated("cleo", inputs).await;
    assert_eq!(dose.measured_amount.clone().unwrap().value, "2.9");
    given_and_home(&mut ward, &session, &dose, 121).await;

    // Three days and a week: the site's own numbers.
    ward.pass_days(2);
    let mut again = requests::answers(&patient, ward.now());
    again.answers = vec![v1::EligibilityAnswer {
        question: "blood-pressure-hazard".into(),
        answer: Answer::No.into(),
    }];
    ward.does("nina", again).await;
    let no = ward.tries("cleo", requests::start(&course, "only", 44)).await;
    assert_eq!(no.reason, "SESSION_TOO_EARLY");
    assert!(no.message.contains("at least 3 days must lie between"), "{no:?}");
    ward.close().await;
}
