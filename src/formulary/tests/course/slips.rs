//! Measures, monitorings and plans: each refusal with its line.

use super::{COURSE, good};
use crate::formulary::Formulary;
use crate::formulary::tests::GOOD;
use proptest::prelude::*;

/// The errors of the good text after `from`, which stands there once, became `to`.
fn errors_after(from: &str, to: &str) -> Vec<String> {
    let text = good();
    assert_eq!(text.matches(from).count(), 1, "{from:?} stands once in the good text");
    let errors = Formulary::parse(&text.replace(from, to)).expect_err(to);
    errors.iter().map(ToString::to_string).collect()
}

/// Makes each slip alone (what is changed, into what) and wants the first error to begin with this
/// place and to say this.
fn assert_named(table: &[(&str, &str, &str, &str)]) {
    let wrong: Vec<_> = table
        .iter()
        .map(|(from, to, place, message)| (to, place, message, errors_after(from, to)))
        .filter(|(_, place, message, errors)| {
            !errors[0].starts_with(**place) || !errors[0].contains(**message)
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_slip_in_a_drug_question_or_device_is_named_with_its_line() {
    let both = "write both clinic_only and clinic_only_source, or neither";
    assert_named(&[
        ("dea_code = \"7285\"", "clinic_only = true", "line 10, column 15: ", both),
        ("dea_code = \"7285\"", "clinic_only_source = \"x\"", "line 10, column 22: ", both),
        ("stops_on = \"yes\"", "stops_on = \"yes\"\nvalid_days = 0", "line 32, ", "write 1 to 366"),
        (
            "stops_on = \"yes\"",
            "stops_on = \"yes\"\nvalid_days = 367",
            "line 32, ",
            "write 1 to 366",
        ),
        (
            "[protocol.policy]",
            "[protocol.devices]\ngap_minutes = 5\nsource = \"x\"\n\n[protocol.policy]",
            "line 73, column 15: ",
            "route iv_infusion uses no devices; leave [protocol.devices] out",
        ),
        (
            "[protocol.policy]",
            "[protocol.devices]\ngap_minutes = 121\nsource = \"x\"\n\n[protocol.policy]",
            "line 73, column 15: ",
            "write 1 to 120",
        ),
    ]);
}

#[test]
fn every_slip_in_a_measure_is_named_with_its_line() {
    assert_named(&[
        ("id = \"systolic\"\nname", "id = \"Systolic\"\nname", "line 78, column 6: ", "not an id"),
        (
            "unit = \"mm[Hg]\"",
            "unit = \"\"",
            "line 80, column 8: ",
            "mm[Hg], and {score} for a scale",
        ),
        (
            "unit = \"mm[Hg]\"",
            "unit = \"per minute\"",
            "line 80, column 8: ",
            "characters without spaces",
        ),
        (
            "unit = \"mm[Hg]\"",
            "unit = \"123456789012345678901\"",
            "line 80, column 8: ",
            "write 1 to 20 characters",
        ),
        ("highest = 300", "highest = 40", "line 82, column 11: ", "40 is not more than lowest, 40"),
        ("lowest = -5", "lowest = -5.5", "line 89, column 10: ", "invalid type"),
        ("highest = 4\n", "highest = 2147483648\n", "line 90, column 11: ", "2147483648"),
        ("unit = \"mm[Hg]\"", "units = \"mm[Hg]\"", "line 80, column 1: ", "units"),
        (
            "id = \"rass\"\nname",
            "id = \"systolic\"\nname",
            "line 86, column 6: ",
            "`systolic` stands twice",
        ),
    ]);
}

#[test]
fn every_slip_in_a_monitoring_is_named_with_its_line() {
    assert_named(&[
        (
            "before = [\"systolic\"]",
            "before = []",
            "line 96, column 10: ",
            "name at least one measure",
        ),
        (
            "before = [\"systolic\"]",
            "before = [\"pulse\"]",
            "line 96, column 11: ",
            "no good measure `pulse`",
        ),
        (
            "before = [\"systolic\"]",
            "before = [\"systolic\", \"systolic\"]",
            "line 96, column 23: ",
            "`systolic` stands twice",
        ),
        ("before_minutes = 60", "before_minutes = 0", "line 97, column 18: ", "write 1 to 1440"),
        ("before_minutes = 60", "before_minutes = 1441", "line 97, column 18: ", "write 1 to 1440"),
        ("late_minutes = 5", "late_minutes = 121", "line 98, column 16: ", "write 1 to 120"),
        (
            "minutes = [15, 30]",
            "minutes = []",
            "line 102, column 11: ",
            "at least one time in minutes",
        ),
        (
            "minutes = [15, 30]",
            "minutes = [30, 15]",
            "line 102, column 16: ",
            "15 is not more than 30; minutes rise over all",
        ),
        ("minutes = [15, 30]", "minutes = [15, 1441]", "line 102, column 16: ", "write 1 to 1440"),
        (
            "minutes = [40]",
            "minutes = [30]",
            "line 106, column 12: ",
            "30 is not more than 30; minutes rise over all",
        ),
        (
            "minutes = [40]\nmeasures = [\"systolic\", \"rass\"]",
            "minutes = [40]\nmeasures = []",
            "line 107, column 12: ",
            "name at least one measure",
        ),
    ]);
}

#[test]
fn every_slip_in_a_criterion_is_named_with_its_line() {
    assert_named(&[
        (
            "when = \"before\"",
            "when = \"after\"",
            "line 111, column 8: ",
            "one of: before, during, discharge",
        ),
        (
            "measure = \"systolic\"\nabove",
            "measure = \"diastolic\"\nabove",
            "line 112, column 11: ",
            "no good measure `diastolic`",
        ),
        (
            "measure = \"systolic\"\nabove = 140",
            "measure = \"rass\"\nabove = 1",
            "line 112, column 11: ",
            "`rass` is not among the measures of before; add it there",
        ),
        ("above = 140\n", "", "line 110, column 6: ", "write above or below"),
        (
            "above = 140",
            "above = 140\nbelow = 60",
            "line 114, column 9: ",
            "a criterion has one bound",
        ),
        ("above = 140", "above = 300", "line 113, column 9: ", "which go from 40 to 300"),
        ("above = 140", "above = 39", "line 113, column 9: ", "tells no two plausible readings"),
        ("below = -2", "below = -5", "line 122, column 9: ", "which go from -5 to 4"),
        ("below = -2", "below = 5", "line 122, column 9: ", "tells no two plausible readings"),
    ]);
}

#[test]
fn every_slip_in_a_weight_or_text_of_a_criterion_is_named_with_its_line() {
    assert_named(&[
        ("weight = \"soft\"\n", "", "line 111, column 8: ", "hard or soft; add weight"),
        (
            "weight = \"soft\"",
            "weight = \"mild\"",
            "line 114, column 10: ",
            "not a weight of a criterion",
        ),
        (
            "below = -2",
            "below = -2\nweight = \"hard\"",
            "line 123, column 10: ",
            "only a criterion before a dose has a weight",
        ),
        (
            "below = 0",
            "below = 0\nweight = \"soft\"",
            "line 131, column 10: ",
            "only a criterion before a dose has a weight",
        ),
        (
            "action = \"The patient stays\"",
            "action = \"\"",
            "line 131, column 10: ",
            "one line of 1 to",
        ),
        ("id = \"too-deep\"", "id = \"awake\"", "line 127, column 6: ", "`awake` stands twice"),
    ]);
}

#[test]
fn every_slip_in_a_discharge_or_leaflet_is_named_with_its_line() {
    assert_named(&[
        (
            "minimum_minutes = 120",
            "minimum_minutes = 1441",
            "line 135, column 19: ",
            "write 0 to 1440",
        ),
        (
            "observed_minutes = 30",
            "observed_minutes = 241",
            "line 136, column 20: ",
            "write 1 to 240",
        ),
        (
            "measures = [\"systolic\", \"rass\"]\nescort",
            "measures = [\"systolic\"]\nescort",
            "line 129, column 11: ",
            "`rass` is not among the measures of [monitoring.discharge]",
        ),
        (
            "measures = [\"systolic\", \"rass\"]\nescort",
            "measures = []\nescort",
            "line 137, column 12: ",
            "name at least one measure",
        ),
        ("escort = true\n", "", "line 134, column 1: ", "missing field `escort`"),
        ("no_driving = true", "no_driving = 1", "line 139, column 14: ", "invalid type"),
        (
            "do = [\"Let an adult take you home\"]",
            "do = []",
            "line 143, column 6: ",
            "0 lines; write 1 to 20",
        ),
        (
            "do_not = [\"Do not drive today\", \"Drink no alcohol today\"]",
            "do_not = [\"x\", \"x\", \"x\", \"x\", \"x\", \"x\", \"x\", \"x\", \"x\", \"x\", \"x\", \"x\", \"x\", \"x\", \"x\", \"x\", \"x\", \"x\", \"x\", \"x\", \"x\"]",
            "line 144, column 10: ",
            "21 lines; write 1 to 20",
        ),
        (
            "do = [\"Let an adult take you home\"]",
            "advised = [\"x\"]",
            "line 143, column 1: ",
            "advised",
        ),
    ]);
}

#[test]
fn every_slip_in_a_plan_is_named_with_its_line() {
    assert_named(&[
        (
            "title = \"Course\"\ndrug = \"ketamine\"",
            "title = \"Course\"\ndrug = \"esketamine\"",
            "line 150, column 8: ",
            "no good drug `esketamine`",
        ),
        (
            "monitoring = \"watch\"",
            "monitoring = \"watches\"",
            "line 151, column 14: ",
            "no good monitoring `watches`",
        ),
        (
            "id = \"maintenance\"",
            "id = \"induction\"",
            "line 169, column 6: ",
            "`induction` stands twice",
        ),
        (
            "protocol = \"infusion\"\nsessions_min = 4",
            "protocol = \"bolus\"\nsessions_min = 4",
            "line 157, column 12: ",
            "no good protocol `bolus`",
        ),
        ("sessions_min = 4", "sessions_min = 0", "line 158, column 16: ", "write 1 to 400"),
        ("sessions_max = 8", "sessions_max = 401", "line 159, column 16: ", "write 1 to 400"),
        (
            "sessions_max = 8",
            "sessions_max = 3",
            "line 159, column 16: ",
            "3 is less than sessions_min, 4",
        ),
        ("interval_days = 3\n", "interval_days = 0\n", "line 160, column 17: ", "write 1 to 366"),
        (
            "interval_days = 3\n",
            "interval_days = 1\n",
            "line 160, column 17: ",
            "1 is less than 2; days rise from hard_min_days",
        ),
        (
            "soft_min_days = 2",
            "soft_min_days = 0",
            "line 161, column 17: ",
            "0 is less than 1; days rise from hard_min_days",
        ),
        ("hard_min_days = 1\n", "hard_min_days = 367\n", "line 162, column 17: ", "write 0 to 366"),
        (
            "soft_max_days = 14",
            "soft_max_days = 2",
            "line 163, column 17: ",
            "2 is less than 3; days rise from hard_min_days",
        ),
    ]);
}

#[test]
fn every_slip_in_a_first_dose_window_or_history_is_named_with_its_line() {
    assert_named(&[
        ("lasts_days = 28", "lasts_days = 0", "line 164, column 14: ", "write 1 to 366"),
        (
            "first_dose = \"0.5 mg/kg\"",
            "first_dose = \"2 devices\"",
            "line 165, column 14: ",
            "mg/kg",
        ),
        (
            "first_dose = \"0.5 mg/kg\"",
            "first_dose = \"500 mcg/kg\"",
            "line 165, column 14: ",
            "write it in mg/kg, as protocol `infusion` does",
        ),
        (
            "first_dose = \"0.5 mg/kg\"",
            "first_dose = \"1.1 mg/kg\"",
            "line 165, column 14: ",
            "1.1 mg/kg is more than 1 mg/kg, the hard limit",
        ),
        (
            "first_dose = \"0.5 mg/kg\"",
            "first_dose = \"0 mg/kg\"",
            "line 165, column 14: ",
            "more than nothing",
        ),
        (
            "days = 30\nsessions",
            "days = 7\nsessions",
            "line 187, column 8: ",
            "7 is not more than 7; write the windows of a plan shortest first",
        ),
        ("days = 30\nsessions", "days = 367\nsessions", "line 187, column 8: ", "write 1 to 366"),
        ("sessions = 3\n", "sessions = 0\n", "line 182, column 12: ", "write 1 to 400"),
        ("mass = \"300 mg\"", "mass = \"300 mL\"", "line 183, column 8: ", "mass"),
        ("mass = \"300 mg\"", "mass = \"0 mg\"", "line 183, column 8: ", "more than nothing"),
        (
            "weight_change_percent = 20",
            "weight_change_percent = 101",
            "line 192, column 25: ",
            "write 1 to 100",
        ),
        ("rises_alone = 2", "rises_alone = 101", "line 193, column 15: ", "write 0 to 100"),
        (
            "\"urinary_symptoms\", \"syncope\"",
            "\"urinary_symptoms\", \"hiccups\"",
            "line 194, column 34: ",
            "allergic_reaction, other",
        ),
        (
            "\"urinary_symptoms\", \"syncope\"",
            "\"syncope\", \"syncope\"",
            "line 194, column 25: ",
            "`syncope` stands twice",
        ),
        ("due_days = 7", "due_days = 0", "line 199, column 12: ", "write 1 to 366"),
        ("[plan.form]", "[plan.forms]", "line 197, column 7: ", "forms"),
    ]);
}

#[test]
fn what_a_plan_cannot_do_without_is_asked_for() {
    let text = good();
    let cut = |from: &str, to: &str| {
        let (from, to) = (text.find(from).unwrap(), text.find(to).unwrap());
        Formulary::parse(&format!("{}{}", &text[..from], &text[to..])).unwrap_err()
    };
    for (from, to, line, message) in [
        ("[[plan.phase]]", "[[plan.window]]", 148, "at least one [[plan.phase]]; add it"),
        ("[plan.history]", "[plan.form]", 147, "missing field `history`"),
        (
            "[[monitoring.due]]",
            "[[monitoring.criterion]]",
            94,
            "add at least one [[monitoring.due]]",
        ),
        ("[monitoring.discharge]", "[monitoring.leaflet]", 93, "missing field `discharge`"),
        ("[monitoring.leaflet]", "[[plan]]", 93, "missing field `leaflet`"),
    ] {
        let errors = cut(from, to);
        assert_eq!(errors[0].line, line, "{errors:#?}");
        assert!(errors[0].message.contains(message), "{errors:#?}");
    }
}

#[test]
fn a_protocol_of_another_drug_or_of_another_plan_is_refused() {
    let other_drug = GOOD.replace(
        "[[product]]",
        "[[drug]]\nid = \"esketamine\"\nname = \"esketamine\"\nsource = \"x\"\n\n[[product]]",
    );
    let plan = COURSE.replace(
        "title = \"Course\"\ndrug = \"ketamine\"",
        "title = \"Course\"\ndrug = \"esketamine\"",
    );
    let errors = Formulary::parse(&format!("{other_drug}{plan}")).unwrap_err();
    assert_eq!(errors.len(), 2, "both phases: {errors:#?}");
    assert!(
        errors[0].message.contains("protocol `infusion` gives ketamine and the plan esketamine")
    );

    let second = COURSE[COURSE.find("[[plan]]").unwrap()..].replace("\"course\"", "\"other\"");
    let errors = Formulary::parse(&format!("{}{second}", good())).unwrap_err();
    let message =
        "protocol `infusion` stands in plan `course` already; a protocol belongs to one plan";
    assert_eq!(errors.len(), 2, "both phases: {errors:#?}");
    assert!(errors.iter().all(|error| error.message == message), "{errors:#?}");
}

#[test]
fn all_slips_of_a_course_are_reported_at_once_and_in_order() {
    let text = good()
        .replace("unit = \"mm[Hg]\"", "unit = \"\"")
        .replace("late_minutes = 5", "late_minutes = 0")
        .replace("minutes = [15, 30]", "minutes = [30, 15]")
        .replace("when = \"discharge\"", "when = \"home\"")
        .replace("sessions_min = 4", "sessions_min = 0")
        .replace("rises_alone = 2", "rises_alone = 200");
    let errors = Formulary::parse(&text).unwrap_err();
    let lines: Vec<usize> = errors.iter().map(|error| error.line).collect();
    for line in [80, 98, 102, 128, 158, 193] {
        assert!(lines.contains(&line), "{errors:#?}");
    }
    assert!(lines.is_sorted(), "{errors:#?}");
}

proptest! {
    #[test]
    fn no_cut_or_inserted_text_makes_the_parser_panic(
        from in GOOD.len()..GOOD.len() + COURSE.len(),
        length in 0_usize..200,
        insert in "[\\PC\n\"\\[\\]=.0-9]{0,12}",
    ) {
        let good = good();
        let to = (from + length).min(good.len());
        let text = format!("{}{insert}{}", &good[..from], &good[to..]);
        if let Err(errors) = Formulary::parse(&text) {
            prop_assert!(!errors.is_empty());
            let lines = text.lines().count() + 1;
            prop_assert!(errors.iter().all(|error| (1..=lines).contains(&error.line)));
        }
    }
}
