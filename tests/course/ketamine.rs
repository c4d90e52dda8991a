//! Six infusions and maintenance: an adverse effect, a missed session, a dose lowered and raised again, a refused
//! discharge, a third rise that takes a second prescriber.

use vialedger::pb::v1::{self, FlagKind, OverrideReason, outcome};
use vialedger::wire::{date_to_wire, timestamp_to_wire};

use crate::pages::{Pages, keep, says};
use crate::requests::{calculate, discharge, effect, infusion, observe, passing, start, well_but};
use crate::ward::{Visit, Ward};

/// When the readings of a session are made, in minutes after the end of the infusion.
const AFTER_THE_INFUSION: [u64; 4] = [1, 20, 50, 85];

fn visit<'a>(patient: &'a str, course: &'a str, phase: &'a str) -> Visit<'a> {
    Visit { patient, course, phase }
}

/// A session without incident, from the door to the door.
async fn quiet(ward: &mut Ward, visit: &Visit<'_>, dose: &str, passed: &[v1::LimitOverride]) {
    let session = ward.begin(visit).await;
    let mut inputs = infusion(visit.patient, &session, ward.now(), dose);
    inputs.overrides = passed.to_vec();
    let dose = ward.calculated("cleo", inputs).await;
    ward.infused(&dose).await;
    ward.watched(&session, &AFTER_THE_INFUSION).await;
    ward.does("nina", discharge(&session)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_course_of_six_infusions_and_maintenance() {
    let mut ward = Ward::open().await;
    let patient = ward.register("p7", "Josephine Marlowe").await;
    let course = ward.open_course(&patient, "plans/ket-trd-iv").await;
    let induction = visit(&patient, &course, "induction");

    // 1. Ninety minutes are not a hundred and twenty.
    let session = ward.begin(&induction).await;
    let first = session.clone();
    let dose = ward.calculated("cleo", infusion(&patient, &session, ward.now(), "0.5 mg/kg")).await;
    assert_eq!(dose.measured_amount.clone().unwrap().value, "3.6");
    ward.infused(&dose).await;
    ward.watched(&session, &[10, 50]).await;
    let no = ward.tries("nina", discharge(&session)).await;
    assert_eq!(no.reason, "NOT_DISCHARGEABLE");
    assert!(no.message.contains("only 90 min since the first dose, 120 min are needed"), "{no:?}");
    assert!(no.entry.is_some(), "a compliance officer sees the attempt");
    let no = ward.tries(
        "nina",
        v1::CancelSessionRequest {
            session: session.clone(),
            reason: v1::SessionEnd::Other.into(),
            note: "in a hurry".into(),
            ..Default::default()
        },
    );
    assert_eq!(no.await.reason, "DOSE_GIVEN");
    ward.watched(&session, &[30]).await;
    let home = ward.does("nina", discharge(&session)).await;
    assert_eq!(home.outcome.flags, []);

    let effect = a_session_with_an_alert(&mut ward, &induction).await;

    // The third session is missed, and made up for a day later.
    ward.pass_days(3);
    let missed = v1::RecordMissedSessionRequest {
        course: course.clone(),
        planned_date: Some(date_to_wire(ward.today())),
        reason: v1::SessionEnd::DidNotCome.into(),
        ..Default::default()
    };
    ward.does("nina", missed).await;
    ward.pass_days(1);
    lowered_after_the_effect(&mut ward, &induction, &effect).await;

    // 4 and 5. Up again, twice: one prescriber may.
    let raised = passing("DOSE_CHANGED", OverrideReason::ResponseToEarlierDose);
    for dose in ["0.45 mg/kg", "0.5 mg/kg"] {
        ward.pass_days(3);
        quiet(&mut ward, &induction, dose, std::slice::from_ref(&raised)).await;
    }
    ward.pass_days(3);
    a_third_rise(&mut ward, &induction, &raised).await;

    // Maintenance: two days early is asked about; on the day it is not.
    let maintenance = visit(&patient, &course, "maintenance");
    ward.pass_days(12);
    ward.does("nina", crate::requests::answers(&patient, ward.now())).await;
    let no = ward.tries("cleo", start(&course, "maintenance", 44)).await;
    assert_eq!(no.reason, "SOFT_LIMIT");
    assert!(no.message.contains("SESSION_EARLY: the last dose was 12 days ago"), "{no:?}");
    ward.pass_days(2);
    quiet(&mut ward, &maintenance, "0.55 mg/kg", &[]).await;
    ward.pass_days(14);
    quiet(&mut ward, &maintenance, "0.55 mg/kg", &[]).await;
    let no = ward.tries("cleo", start(&course, "induction", 44)).await;
    assert_eq!(no.reason, "WRONG_PHASE");

    let close = v1::CloseCourseRequest {
        course: course.clone(),
        reason: v1::CourseEnd::Remission.into(),
        ..Default::default()
    };
    let closed = ward.does("cleo", close).await;
    let Some(outcome::Result::CourseClosed(closed)) = closed.outcome.result else { panic!() };
    assert_eq!(closed.sessions, 8);
    let no = ward.tries("cleo", start(&course, "maintenance", 44)).await;
    assert_eq!(no.reason, "COURSE_CLOSED");

    what_the_course_says(&ward, &course, &first).await;
    what_is_printed(&ward, &course).await;
    ward.close().await;
}

/// 2. A pressure of 160/100 takes a reason, an oxygen saturation of 88 stops everything until a prescriber has come.
///
/// The adverse effect's name.
async fn a_session_with_an_alert(ward: &mut Ward, visit: &Visit<'_>) -> String {
    ward.pass_days(3);
    let session = ward.begin(visit).await;
    ward.pass(1);
    let high = well_but(&[("systolic", 160), ("diastolic", 100)]);
    ward.does("nina", observe(&session, ward.now(), &high)).await;
    let mut inputs = infusion(visit.patient, &session, ward.now(), "0.5 mg/kg");
    let no = ward.tries("cleo", calculate(inputs.clone())).await;
    assert_eq!(no.reason, "SOFT_LIMIT");
    assert!(
        no.message.contains(
            "BEFORE:pressure-before-systolic: Systolic blood pressure 160 mm[Hg] is above 140"
        ),
        "{no:?}"
    );
    for limit in ["BEFORE:pressure-before-systolic", "BEFORE:pressure-before-diastolic"] {
        inputs.overrides.push(passing(limit, OverrideReason::BenefitOutweighsRisk));
    }
    let done = ward.does("cleo", calculate(inputs)).await;
    assert_eq!(done.flags(), [FlagKind::SoftLimitOverridden; 2]);
    let Some(outcome::Result::DoseCalculation(dose)) = done.outcome.result else { panic!() };
    let dispensing = ward.dispensed(&dose).await;
    let begun = ward.now();
    ward.pass(30);
    let given = v1::RecordAdministrationRequest {
        dispensing: dispensing.clone(),
        patient: visit.patient.to_owned(),
        amount: Some(crate::requests::quantity("2.6 mL")),
        start_time: Some(timestamp_to_wire(begun)),
        end_time: Some(timestamp_to_wire(ward.now())),
        ..Default::default()
    };
    ward.does("nina", given).await;
    let low = well_but(&[("spo2", 88), ("dissociation", 2)]);
    let seen = ward.does("nina", observe(&session, ward.now(), &low)).await;
    assert!(seen.flags().contains(&FlagKind::StopCriterion), "{seen:?}");
    let Some(outcome::Result::Observation(observation)) = seen.outcome.result else { panic!() };
    let [alert] = &observation.alerts[..] else { panic!("{observation:?}") };
    assert_eq!(alert.criterion, "oxygen-low");
    assert!(alert.action.contains("Stop the infusion"), "{alert:?}");

    // Read low once more: the alert that is open is not raised a second time.
    ward.pass(1);
    let again = ward.does("nina", observe(&session, ward.now(), &low)).await;
    let Some(outcome::Result::Observation(observation)) = again.outcome.result else { panic!() };
    assert_eq!(observation.alerts, []);

    // What is left is wasted before a witness; nothing more is given.
    let more = ward.dispensing(&dose, Some(crate::requests::quantity("1 mL")));
    let no = ward.tries("ada", more).await;
    assert!(["ALERT_OPEN", "CALCULATION_COVERED"].contains(&no.reason.as_str()), "{no:?}");
    let waste = v1::RecordWasteRequest {
        source: Some(v1::record_waste_request::Source::Dispensing(dispensing)),
        amount: Some(crate::requests::quantity("1 mL")),
        reason: v1::WasteReason::NotGiven.into(),
        method: v1::WasteMethod::DeactivationContainer.into(),
        occurred_time: Some(timestamp_to_wire(ward.now())),
        ..Default::default()
    };
    let no = ward.tries("nina", discharge(&session)).await;
    assert_eq!(no.reason, "VIAL_STILL_OUT", "nothing goes home");
    let wasted = ward.does("nina", waste).await;
    let Some(outcome::Result::Waste(waste)) = wasted.outcome.result else { panic!() };
    let witness =
        v1::WitnessRequest { waste: waste.name, amount: waste.amount, ..Default::default() };
    ward.does("nick", witness).await;
    let seen = v1::AcknowledgeAlertRequest {
        alert: alert.name.clone(),
        note: "oxygen given, saturation back within two minutes, infusion ended".into(),
        ..Default::default()
    };
    assert_eq!(ward.tries("nick", seen.clone()).await.reason, "ROLE_NOT_HELD");
    ward.does("cleo", seen).await;

    let kind = v1::EffectKind::Nausea;
    let mut nausea = effect(&session, kind, v1::EffectSeverity::Moderate, ward.now());
    let done = ward.does("nina", nausea.clone()).await;
    let Some(outcome::Result::AdverseEffect(effect)) = done.outcome.result else { panic!() };
    ward.watched(&session, &[10, 30, 60, 90]).await;
    nausea.end_time = Some(timestamp_to_wire(ward.now()));
    nausea.subject =
        Some(v1::record_adverse_effect_request::Subject::AdverseEffect(effect.name.clone()));
    ward.does("nina", nausea).await;
    ward.does("nina", discharge(&session)).await;
    let line = ward.course(visit.course).await;
    assert_eq!(line.adverse_effects.len(), 1);
    assert!(line.adverse_effects[0].end_time.is_some());
    effect.name
}

/// 3. Less, because of the nausea, with that very effect as the reason.
async fn lowered_after_the_effect(ward: &mut Ward, visit: &Visit<'_>, effect: &str) {
    let session = ward.begin(visit).await;
    let mut inputs = infusion(visit.patient, &session, ward.now(), "0.4 mg/kg");
    let no = ward.tries("cleo", calculate(inputs.clone())).await;
    assert!(
        no.message.contains("DOSE_CHANGED: the dose is lowered from 0.5 mg/kg to 0.4 mg/kg"),
        "{no:?}"
    );
    let mut reason = passing("DOSE_CHANGED", OverrideReason::Tolerability);
    reason.adverse_effect = "adverseEffects/3".into();
    inputs.overrides = vec![reason.clone()];
    let no = ward.tries("cleo", calculate(inputs.clone())).await;
    assert_eq!(no.reason, "UNKNOWN_RESOURCE", "another's effect is no reason");
    effect.clone_into(&mut reason.adverse_effect);
    inputs.overrides = vec![reason];
    let done = ward.does("cleo", calculate(inputs)).await;
    assert!(done.outcome.flags[0].message.contains(effect), "{done:?}");
    let Some(outcome::Result::DoseCalculation(dose)) = done.outcome.result else { panic!() };
    ward.infused(&dose).await;
    ward.watched(&session, &AFTER_THE_INFUSION).await;
    ward.does("nina", discharge(&session)).await;
}

/// 6. The third rise: nothing is dispensed before a second prescriber has worked it out anew.
async fn a_third_rise(ward: &mut Ward, visit: &Visit<'_>, raised: &v1::LimitOverride) {
    let session = ward.begin(visit).await;
    let mut inputs = infusion(visit.patient, &session, ward.now(), "0.55 mg/kg");
    inputs.overrides = vec![raised.clone()];
    let check = |calculation: &str, inputs: &v1::DoseInputs| v1::CheckDoseRequest {
        dose_calculation: calculation.to_owned(),
        inputs: Some(v1::DoseInputs { overrides: Vec::new(), ..inputs.clone() }),
        ..Default::default()
    };
    let done = ward.does("cleo", calculate(inputs.clone())).await;
    assert!(done.flags().contains(&FlagKind::DoseRaisedAgain), "{done:?}");
    let Some(outcome::Result::DoseCalculation(dose)) = done.outcome.result else { panic!() };
    assert_eq!(dose.check_requirement(), v1::CheckRequirement::SecondPrescriber);
    let act = ward.dispensing(&dose, dose.measured_amount.clone());
    let no = ward.tries("ada", act).await;
    assert_eq!(no.reason, "CHECK_REQUIRED");
    assert!(no.message.contains("a second prescriber"), "{no:?}");
    let asked = v1::GetDoseCalculationRequest { name: dose.name.clone() };
    assert_eq!(ward.asks_in_vain("dora", asked.clone()).await.reason, "CHECK_REQUIRED");
    assert!(ward.asks("cleo", asked.clone()).await.dose_calculation.is_some());
    assert!(ward.asks("audrey", asked).await.dose_calculation.is_some());
    assert_eq!(ward.tries("nick", check(&dose.name, &inputs)).await.reason, "ROLE_NOT_HELD");
    assert_eq!(ward.tries("cleo", check(&dose.name, &inputs)).await.reason, "SELF_CHECK");

    // Dora misreads the scale: the two differ, and the calculation is spoiled.
    let mut wrong = inputs.clone();
    wrong.weight.as_mut().unwrap().quantity = Some(crate::requests::quantity("75.2 kg"));
    let done = ward.does("dora", check(&dose.name, &wrong)).await;
    assert_eq!(done.flags(), [FlagKind::CheckDiffers]);
    let Some(outcome::Result::DoseCheck(found)) = done.outcome.result else { panic!() };
    assert!(!found.agreed);
    let weight = &found.differences[0];
    assert_eq!(
        (weight.field.as_str(), weight.first.as_str(), weight.second.as_str()),
        ("weight.quantity", "72.5 kg", "75.2 kg")
    );
    let act = ward.dispensing(&dose, dose.measured_amount.clone());
    assert_eq!(ward.tries("ada", act).await.reason, "CHECK_DIFFERS");

    let dose = ward.calculated("cleo", inputs.clone()).await;
    let done = ward.does("dora", check(&dose.name, &inputs)).await;
    let Some(outcome::Result::DoseCheck(found)) = done.outcome.result else { panic!() };
    assert!(found.agreed, "{found:?}");
    ward.infused(&dose).await;
    ward.watched(&session, &AFTER_THE_INFUSION).await;
    ward.does("nina", discharge(&session)).await;
}

async fn what_the_course_says(ward: &Ward, course: &str, first: &str) {
    let found = ward.course(course).await;
    let doses: Vec<String> = found
        .sessions
        .iter()
        .map(|session| session.ordered_dose.as_ref().unwrap().value.clone())
        .collect();
    assert_eq!(doses, ["0.5", "0.5", "0.4", "0.45", "0.5", "0.55", "0.55", "0.55"]);
    assert_eq!((found.rises, found.missed.len()), (3, 1));
    let given: Vec<&str> =
        found.sessions.iter().map(|it| it.given_mass.as_ref().unwrap().value.as_str()).collect();
    assert_eq!(given[..3], ["36", "26", "30"], "what was given, not what was ordered");
    let week = &found.cumulative[0];
    assert_eq!((week.days, week.sessions), (7, 1));

    let answer = ward.session(first).await;
    let session = answer.session.unwrap();
    assert_eq!(session.state(), v1::SessionState::Discharged);
    assert_eq!(session.doses.len(), 1);
    assert_eq!(session.doses[0].lot, "K0117");
    assert_eq!(session.answers.len(), 12);
    assert!(session.answers.iter().all(|answer| !answer.text.is_empty()));
    assert!(session.flags.iter().any(|flag| flag.refusal && flag.message.contains("90 min")));
    let discharge = session.discharge.unwrap();
    assert_eq!(discharge.minutes_since_first_dose, 120);
    let missed =
        session.schedule.iter().filter(|item| item.state() == v1::DueState::Missed).count();
    assert!(missed > 0, "readings that were skipped are shown as skipped: {:?}", session.schedule);

    for calculation in found.sessions.iter().map(|session| session.name.clone()) {
        let session = ward.session(&calculation).await.session.unwrap();
        let name = session.dose_calculation.unwrap().name;
        let replay = ward.asks("audrey", v1::ReplayDoseRequest { name }).await;
        assert!(replay.identical, "{replay:?}");
        assert_eq!(replay.today_refusal, "");
        assert_eq!(replay.today.unwrap().measured_amount, replay.recorded.unwrap().measured_amount);
    }
}

async fn what_is_printed(ward: &Ward, course: &str) {
    let pages = Pages::of(ward, course).await;
    let alert = pages.session(ward, 2);
    keep("ketamine-session-2.html", &alert);
    says(&alert, &["oxygen-low", "88", "K0117", "people/cleo", "2.6 mL", "160", "nausea", "<svg"]);
    says(&alert, &["oxygen given, saturation back within two minutes, infusion ended"]);
    let checked = pages.session(ward, 6);
    keep("ketamine-session-6.html", &checked);
    says(&checked, &["0.55 mg/kg", "people/dora", "differs in weight.quantity"]);
    let whole = pages.course(ward);
    keep("ketamine-course.html", &whole);
    says(&whole, &["0.4 mg/kg", "<svg", "sessions/", "did not come"]);
}
