//! The data of the monitoring form: what is chosen, what is null, what is said to be missing.

use serde_json::{Value, json};
use vialedger::pb::v1;
use vialedger::report::{monitoring_form, monitoring_form_page};

use crate::desk::Desk;
use crate::fixtures::{at, begun, date, esketamine, esketamine_plan, identity, seen};
use crate::support::{parse, rows, section};

fn form(session: &v1::Session, identity: Option<&v1::PatientIdentity>) -> Value {
    monitoring_form(&Desk::with(esketamine_plan()).form(session, identity))
}

fn missing(session: &v1::Session) -> Vec<String> {
    let form = form(session, Some(&identity()));
    form["missing"].as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_whole_session_makes_a_whole_form() {
    let found = form(&esketamine(), Some(&identity()));
    assert_eq!(found["missing"], json!([]));
    assert_eq!(found["patient"]["identity"]["name"], "Jo Example");
    assert_eq!(found["patient"]["identity"]["birth_date"], "1984-02-29");
    assert_eq!(found["treatment_date"], "2026-11-21");
    assert_eq!(found["dose"]["mass"], json!({ "value": "84", "unit": "mg", "text": "84 mg" }));
    assert_eq!(found["dose"]["devices"]["text"], "3 devices");
    let devices = found["devices"].as_array().unwrap();
    let lots: Vec<&str> = devices.iter().map(|it| it["lot"].as_str().unwrap()).collect();
    assert_eq!(lots, ["NS881", "NS882", "NS883"]);
    assert_eq!(devices[2]["serial"], "200000003");
    assert_eq!(devices[2]["expiry"], "2027-09-30");
    assert_eq!(devices[2]["time"]["site"], "2026-11-21 09:30");
    assert_eq!(devices[2]["time"]["utc"], "2026-11-21T14:30:00Z");
    assert_eq!(found["prescriber"]["display_name"], "Dr Ada Okafor");
    assert_eq!(
        found["nurse"],
        json!([{ "name": "people/cleo", "display_name": "Cleo Marchetti RN" }])
    );
    assert_eq!(found["monitored_minutes"], 125);
    assert_eq!(found["monitored_at_least_two_hours"], true);
    assert_eq!(found["other_medicines"][0]["answer"], "yes");
    assert_eq!(found["other_medicines"].as_array().unwrap().len(), 1);
    assert_eq!(
        found["vital_signs_within_plan_limits"],
        json!({ "before": true, "before_leaving": true })
    );
    assert_eq!(found["due_date"], "2026-11-28");
    assert_eq!((&found["sent_date"], &found["overdue"]), (&Value::Null, &Value::Bool(false)));
}

#[test]
fn pressures_are_chosen_by_their_time() {
    let found = form(&esketamine(), None);
    let pressure = &found["blood_pressure"];
    let of = |name: &str| {
        let it = &pressure[name];
        (it["systolic"].as_i64(), it["diastolic"].as_i64(), it["minutes_after_first_dose"].as_i64())
    };
    assert_eq!(of("before"), (Some(128), Some(80), Some(-15)));
    assert_eq!(of("about_40_minutes"), (Some(146), Some(88), Some(42)));
    assert_eq!(of("before_leaving"), (Some(126), Some(80), Some(118)));
    assert_eq!(pressure["about_40_minutes"]["entry"], "entries/86");
}

#[test]
fn a_pressure_that_was_not_taken_in_time_is_null_and_never_another_one() {
    let mut session = esketamine();
    // 51 minutes after the first dose is not about 40.
    session.observations[2].observed_time = at(71);
    assert_eq!(form(&session, None)["blood_pressure"]["about_40_minutes"], Value::Null);
    assert_eq!(
        missing(&session),
        ["blood pressure about 40 minutes after the first dose (30 to 50 minutes)"]
    );
    // The last one before leaving is too old.
    session.observations.pop();
    session.observations.pop();
    assert_eq!(form(&session, None)["blood_pressure"]["before_leaving"], Value::Null);
    // A systolic pressure alone is no blood pressure.
    session.observations[0].readings.remove(1);
    assert_eq!(form(&session, None)["blood_pressure"]["before"], Value::Null);
}

#[test]
fn scales_give_both_ends_and_the_effects_give_the_times() {
    let found = form(&esketamine(), None);
    let (sedation, dissociation) = (&found["sedation"], &found["dissociation"]);
    assert_eq!(
        (&sedation["highest"]["value"], &sedation["lowest"]["value"]),
        (&json!(5), &json!(4))
    );
    // On this scale 5 is awake.
    assert_eq!(sedation["worse_by_plan"], "lowest");
    assert_eq!(sedation["onset_time"]["site"], "2026-11-21 09:38");
    assert_eq!(sedation["resolved_time"]["site"], "2026-11-21 10:35");
    assert_eq!(dissociation["highest"]["value"], 2);
    assert_eq!(dissociation["worse_by_plan"], "highest");
    let others = found["other_adverse_effects"].as_array().unwrap();
    assert_eq!(others.len(), 1);
    assert_eq!(others[0]["kind"], "dizziness");
    assert_eq!(found["serious_adverse_effects"], json!([]));
}

#[test]
fn an_effect_that_lasts_is_not_resolved_and_a_serious_one_stands_apart() {
    let mut session = esketamine();
    session.adverse_effects[0].end_time = None;
    session.adverse_effects[0].serious = true;
    let found = form(&session, None);
    assert_eq!(found["dissociation"]["resolved_time"], Value::Null);
    assert_eq!(found["serious_adverse_effects"][0]["kind"], "dissociation");
}

#[test]
fn nothing_is_made_up_for_a_session_without_a_dose() {
    let found = form(&begun(), None);
    for field in
        ["treatment_date", "discharge_time", "monitored_minutes", "escort_present", "prescriber"]
    {
        assert_eq!(found[field], Value::Null, "{field}");
    }
    assert_eq!(found["patient"]["note"], "identity not opened");
    assert_eq!(found["patient"]["identity"], Value::Null);
    let missing = found["missing"].as_array().unwrap();
    for words in ["identity not opened", "treatment date", "blood pressure before", "prescriber"] {
        assert!(missing.iter().any(|it| it.as_str().unwrap().contains(words)), "{words}");
    }
}

#[test]
fn a_device_without_its_lot_is_missing_it() {
    let mut session = esketamine();
    session.doses[1].lot.clear();
    assert_eq!(missing(&session), ["lot of device 2"]);
    assert_eq!(form(&session, None)["devices"][1]["lot"], Value::Null);
}

#[test]
fn the_clock_runs_until_the_form_is_sent() {
    let mut session = esketamine();
    session.form_due_date = date(2026, 11, 21);
    assert_eq!(form(&session, None)["overdue"], false);
    session.form_due_date = date(2026, 11, 20);
    assert_eq!(form(&session, None)["overdue"], true);
    session.form_sent_date = date(2026, 11, 20);
    assert_eq!(form(&session, None)["overdue"], false);
}

#[test]
fn vital_signs_beyond_the_plans_limits_are_said_to_be() {
    let mut session = esketamine();
    session.observations[0] = seen(75, 5, [150, 80, 70, 98, 5, 0]);
    let found = form(&session, None);
    assert_eq!(found["vital_signs_within_plan_limits"]["before"], false);
    session.observations[0].readings.truncate(3);
    let found = form(&session, None);
    assert_eq!(found["vital_signs_within_plan_limits"]["before"], Value::Null);
}

#[test]
fn the_page_says_the_same_as_the_data() {
    let desk = Desk::with(esketamine_plan());
    let session = esketamine();
    let who = identity();
    let page = monitoring_form_page(&desk.form(&session, Some(&who)));
    let page = parse(&page);
    let rows_of = |heading| rows(section(&page, heading));
    let lots: Vec<String> = rows_of("Devices").into_iter().map(|row| row[1].clone()).collect();
    assert_eq!(lots, ["NS881", "NS882", "NS883"]);
    let pressures = rows_of("Blood pressure and vital signs");
    let values: Vec<&str> = pressures.iter().map(|row| row[1].as_str()).collect();
    assert_eq!(values, ["128/80 mmHg", "146/88 mmHg", "126/80 mmHg"]);
    assert_eq!(rows_of("Sedation and dissociation")[0][3], "low");
    let empty = begun();
    let page = monitoring_form_page(&desk.form(&empty, None));
    let page = parse(&page);
    let pressures = rows(section(&page, "Blood pressure and vital signs"));
    assert!(pressures.iter().all(|row| row[1] == "NOT RECORDED"));
}
