mod course;

use super::*;
use proptest::prelude::*;

/// A small good formulary; tests put their slip into a copy of it.
const GOOD: &str = r#"[beyond_use]
multiple_dose_days = 28
multiple_dose_source = "label"
single_dose_hours = 6
single_dose_source = "Site policy"

[[drug]]
id = "ketamine"
name = "ketamine"
dea_code = "7285"
source = "21 CFR 1308.13(c)"

[[product]]
id = "vial"
name = "ketamine 10 mg/mL, 20 mL vial"
drug = "ketamine"
labeler = "Maker"
ndc = "42023-113-10"
schedule = "CIII"
form = "vial"
dose_use = "multiple_dose"
strength = "10 mg/mL"
content = "20 mL"
containers = 10
source = "label"

[[question]]
id = "psychosis"
text = "Has the patient a psychosis?"
weight = "hard"
stops_on = "yes"
source = "Site policy"

[[protocol]]
id = "infusion"
title = "Ketamine infusion"
drug = "ketamine"
indication = "depression (off-label)"
route = "iv_infusion"
minimum_age_years = 18
questions = ["psychosis"]
source = "a paper"

[protocol.dose]
kind = "per_kg"
default = "0.5 mg/kg"
soft_low = "0.1 mg/kg"
soft_high = "0.75 mg/kg"
hard_high = "1 mg/kg"
hard_mass = "100 mg"
hard_source = "Site policy"

[protocol.weight]
scalar = "adjusted"
below_60_inches = "clamp"
methods = ["measured", "stated"]
max_age_days = 30
source = "Site policy"

[protocol.infusion]
default = "40 min"
shortest = "40 min"
longest = "60 min"
source = "a paper"

[protocol.dilution]
required = false
strongest_given = "50 mg/mL"
diluent = "saline"
source = "label"

[protocol.policy]
calculation_valid_minutes = 60
double_check = true
source = "Site policy"
"#;

/// The errors of the good text with one change, as they are printed.
fn errors_after(from: &str, to: &str) -> Vec<String> {
    assert_eq!(GOOD.matches(from).count(), 1, "{from:?} stands once in the good text");
    let errors = Formulary::parse(&GOOD.replace(from, to)).expect_err(to);
    errors.iter().map(ToString::to_string).collect()
}

#[test]
fn the_good_text_is_good() {
    let formulary = Formulary::parse(GOOD).unwrap();
    let protocol = formulary.protocol(&"infusion".parse().unwrap()).unwrap();
    assert_eq!(protocol.dose.hard_mass.unwrap().to_string(), "100 mg");
    assert_eq!(protocol.weight.as_ref().unwrap().below_60_inches, BelowSixtyInches::Clamp);
    assert!(protocol.policy.double_check);
    assert_eq!(formulary.drug(&protocol.drug).unwrap().dea_code.as_deref(), Some("7285"));
    assert_eq!(formulary.questions().count(), 1);
}

/// Makes each slip alone (what is changed, into what) and finds among the errors one that begins with
/// this place and says this.
fn assert_named(table: &[(&str, &str, &str, &str)]) {
    for (from, to, place, message) in table {
        let errors = errors_after(from, to);
        let named = errors.iter().any(|error| error.starts_with(place) && error.contains(message));
        assert!(named, "{to:?} gives {errors:#?}");
    }
}

#[test]
fn every_slip_in_a_product_or_question_is_named_with_its_line() {
    assert_named(&[
        // The form of the text.
        ("[beyond_use]", "[beyond_us]", "line 1, ", "there is no [beyond_use]"),
        ("[[question]]", "[[qestion]]", "line 27, column 3: ", "`qestion` is not read here"),
        ("[[drug]]", "[drug]", "line 7, ", "under its own [[drug]]"),
        ("containers = 10", "containers = ", "line 24, ", ""),
        ("containers = 10", "containers = 10\ncolor = 1", "line 25, column 1: ", "color"),
        ("labeler = \"Maker\"\n", "", "line 13, ", "missing field `labeler`"),
        ("containers = 10", "containers = \"10\"", "line 24, ", "invalid type"),
        ("containers = 10", "containers = -1", "line 24, ", "-1"),
        ("containers = 10", "containers = 10.0", "line 24, ", "invalid type"),
        ("text = \"Has the patient a psychosis?\"", "text = \"\"", "line 29, ", "one line of 1 to"),
        ("text = \"Has the", "text = \" Has the", "line 29, ", "without spaces"),
        // Products.
        ("dea_code = \"7285\"", "dea_code = \"C728\"", "line 10, ", "four digits"),
        ("id = \"vial\"", "id = \"Vial\"", "line 14, column 6: ", "not an id"),
        ("name = \"ketamine 10", "name = \"ketamin 10", "line 15, ", "drug's name `ketamine`"),
        ("ndc = \"42023-113-10\"", "ndc = \"4202311310\"", "line 18, ", "with the hyphens"),
        ("ndc = \"42023-113-10\"", "ndc = \"42023011310\"", "line 18, ", "billing form"),
        ("schedule = \"CIII\"", "schedule = \"CI\"", "line 19, ", "CII, CIII, CIV, CV"),
        ("form = \"vial\"", "form = \"nasal_device\"", "line 23, ", "not the content of"),
        ("strength = \"10 mg/mL\"", "strength = \"10 mg\"", "line 22, ", "not a strength"),
        (
            "strength = \"10 mg/mL\"",
            "strength = \"28 mg/{device}\"",
            "line 23, ",
            "different kinds",
        ),
        ("content = \"20 mL\"", "content = \"0 mL\"", "line 23, ", "more than nothing"),
        ("content = \"20 mL\"", "content = \"20\"", "line 23, ", "no unit"),
        ("content = \"20 mL\"", "content = \"20 cc\"", "line 23, ", "send mL"),
        ("containers = 10", "containers = 0", "line 24, ", "write 1 to 1000"),
        (
            "containers = 10",
            "containers = 10\nbeyond_use_hours = 24",
            "line 25, ",
            "both beyond_use_hours and beyond_use_source",
        ),
        (
            "containers = 10",
            "containers = 10\ninner_ndc = \"42023-113-10\"",
            "line 25, ",
            "already names",
        ),
        // Questions.
        ("weight = \"hard\"", "weight = \"heavy\"", "line 30, ", "one of: hard, soft"),
        ("stops_on = \"yes\"", "stops_on = \"unknown\"", "line 31, ", "one of: yes, no"),
    ]);
}

#[test]
fn every_slip_in_a_protocol_is_named_with_its_line() {
    assert_named(&[
        (
            "drug = \"ketamine\"\nindication",
            "drug = \"esketamine\"\nindication",
            "line 37, ",
            "no good drug",
        ),
        ("route = \"iv_infusion\"", "route = \"iv\"", "line 39, ", "iv_titrate"),
        ("minimum_age_years = 18", "minimum_age_years = 17", "line 40, ", "write 18 to 120"),
        (
            "minimum_age_years = 18",
            "minimum_age_years = 18\nbelow_age_years = 18",
            "line 41, ",
            "write 19 to 150",
        ),
        ("[\"psychosis\"]", "[\"psychoses\"]", "line 41, column 14: ", "no good question"),
        (
            "[\"psychosis\"]",
            "[\"psychosis\", \"psychosis\"]",
            "line 41, column 27: ",
            "asked twice",
        ),
        ("kind = \"per_kg\"", "kind = \"absolute\"", "line 46, ", "a mass is needed here"),
        ("soft_low = \"0.1 mg/kg\"", "soft_low = \"0 mg/kg\"", "line 47, ", "more than nothing"),
        ("soft_low = \"0.1 mg/kg\"", "soft_low = \".1 mg/kg\"", "line 47, ", "naked decimal"),
        ("soft_low = \"0.1 mg/kg\"", "soft_low = \"0.1 mg/lb\"", "line 47, ", "pounds"),
        (
            "soft_low = \"0.1 mg/kg\"",
            "soft_low = \"100 ug/kg\"",
            "line 46, ",
            "every limit in mcg/kg",
        ),
        ("soft_low = \"0.1 mg/kg\"", "soft_low = \"0.6 mg/kg\"", "line 46, ", "limits rise"),
        ("soft_high = \"0.75 mg/kg\"", "soft_high = \"0.4 mg/kg\"", "line 48, ", "limits rise"),
        ("hard_high = \"1 mg/kg\"", "hard_high = \"0.7 mg/kg\"", "line 49, ", "limits rise"),
        ("hard_mass = \"100 mg\"", "hard_mass = \"0 mg\"", "line 50, ", "more than nothing"),
        ("scalar = \"adjusted\"", "scalar = \"actual\"", "line 55, ", "leave it out"),
        ("[\"measured\", \"stated\"]", "[]", "line 54, ", "at least one way"),
        ("[\"measured\", \"stated\"]", "[\"measured\", \"said\"]", "line 56, ", "estimated"),
        ("max_age_days = 30", "max_age_days = 0", "line 57, ", "write 1 to 366"),
        ("shortest = \"40 min\"", "shortest = \"50 min\"", "line 62, ", "rise from shortest"),
        ("longest = \"60 min\"", "longest = \"30 min\"", "line 62, ", "rise from shortest"),
        ("shortest = \"40 min\"", "shortest = \"0 min\"", "line 62, ", "takes time"),
        (
            "strongest_given = \"50 mg/mL\"",
            "strongest_given = \"28 mg/{device}\"",
            "line 68, ",
            "no liquid",
        ),
        (
            "calculation_valid_minutes = 60",
            "calculation_valid_minutes = 0",
            "line 73, ",
            "1 to 1440",
        ),
    ]);
}

#[test]
fn what_does_not_go_together_is_refused() {
    let route = "route = \"iv_infusion\"";
    let by_mouth = errors_after(route, "route = \"oral\"");
    assert_eq!(by_mouth.len(), 2, "{by_mouth:#?}");
    assert!(by_mouth[0].contains("leave [protocol.infusion] out"), "{by_mouth:#?}");
    assert!(by_mouth[1].contains("leave [protocol.dilution] out"), "{by_mouth:#?}");
    let device = errors_after(route, "route = \"intranasal_device\"");
    assert!(device.iter().any(|error| error.contains("do not go together")), "{device:#?}");
    let weight = GOOD.find("[protocol.weight]").unwrap();
    let infusion = GOOD.find("[protocol.infusion]").unwrap();
    let dilution = GOOD.find("[protocol.dilution]").unwrap();
    for (from, to, message) in [
        (weight, infusion, "a dose per kg needs [protocol.weight]"),
        (infusion, dilution, "an infusion of a fixed dose needs [protocol.infusion]"),
    ] {
        let text = format!("{}{}", &GOOD[..from], &GOOD[to..]);
        let errors = Formulary::parse(&text).unwrap_err();
        assert!(errors.iter().any(|error| error.message.contains(message)), "{errors:#?}");
    }
}

#[test]
fn a_rate_has_no_mass_and_an_absolute_dose_no_weight() {
    let rate = GOOD
        .replace("mg/kg\"", "mg/kg/h\"")
        .replace("kind = \"per_kg\"", "kind = \"per_kg_per_time\"");
    let errors = Formulary::parse(&rate).unwrap_err();
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert!(errors[0].message.contains("leave hard_mass out"), "{errors:#?}");
    let fixed = GOOD.replace("mg/kg\"", "mg\"").replace("kind = \"per_kg\"", "kind = \"absolute\"");
    let errors = Formulary::parse(&fixed).unwrap_err();
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert!(errors[0].message.contains("leave [protocol.weight] out"), "{errors:#?}");
}

#[test]
fn an_id_or_code_that_stands_twice_is_refused() {
    let start = GOOD.find("[[product]]").unwrap();
    let end = GOOD.find("[[question]]").unwrap();
    let product = &GOOD[start..end];
    let with = |other: String| Formulary::parse(&format!("{GOOD}\n{other}"));
    let errors = with(product.replace("113-10", "113-11")).unwrap_err();
    assert!(errors[0].message.contains("`vial` stands twice"), "{errors:#?}");
    let errors = with(product.replace("\"vial\"\nname", "\"other\"\nname")).unwrap_err();
    assert!(errors[0].message.contains("already names `vial`"), "{errors:#?}");
    // The same ten digits in another layout: no barcode could tell the two apart.
    let clash = product
        .replace("\"vial\"\nname", "\"other\"\nname")
        .replace("42023-113-10", "4202-3113-10");
    let errors = with(clash).unwrap_err();
    assert!(errors[0].message.contains("00342023113108 already names `vial`"), "{errors:#?}");
}

#[test]
fn two_packages_share_a_container_code_only_if_the_containers_are_the_same() {
    let start = GOOD.find("[[product]]").unwrap();
    let end = GOOD.find("[[question]]").unwrap();
    let inner = "ndc = \"42023-113-10\"\ninner_ndc = \"42023-113-01\"";
    let first = GOOD.replace("ndc = \"42023-113-10\"", inner);
    let second = GOOD[start..end]
        .replace("ndc = \"42023-113-10\"", &inner.replace("113-10", "113-25"))
        .replace("id = \"vial\"", "id = \"box\"")
        .replace("containers = 10", "containers = 25");
    let both = Formulary::parse(&format!("{first}\n{second}")).unwrap();
    let shared = both.product_by_ndc(&"42023-113-01".parse().unwrap()).unwrap();
    assert_eq!(shared.id.as_str(), "box", "the id that comes first");
    assert_eq!(
        both.product_by_gtin(&shared.inner_ndc.as_ref().unwrap().to_gtin(0).unwrap()),
        Some(shared)
    );
    let other_size = second.replace("20 mL\"", "10 mL\"");
    let errors = Formulary::parse(&format!("{first}\n{other_size}")).unwrap_err();
    assert!(errors[0].message.contains("already names `vial`"), "{errors:#?}");
}

#[test]
fn all_slips_are_reported_at_once_and_in_order() {
    let text = GOOD
        .replace("schedule = \"CIII\"", "schedule = \"C3\"")
        .replace("content = \"20 mL\"", "content = \"20 cc\"")
        .replace("stops_on = \"yes\"", "stops_on = \"maybe\"")
        .replace("calculation_valid_minutes = 60", "calculation_valid_minutes = 6000");
    let errors = Formulary::parse(&text).unwrap_err();
    let lines: Vec<usize> = errors.iter().map(|error| error.line).collect();
    for line in [19, 23, 31, 73] {
        assert!(lines.contains(&line), "{errors:#?}");
    }
    assert!(lines.is_sorted(), "{errors:#?}");
}

#[test]
fn hydromorphone_without_capitals_is_refused() {
    let text = GOOD
        .replace("\"ketamine\"", "\"hydromorphone\"")
        .replace("ketamine 10", "hydromorphone 10");
    let errors = Formulary::parse(&text).unwrap_err();
    assert!(errors[0].message.contains("tall-man letters: HYDROmorphone"), "{errors:#?}");
}

#[test]
fn a_maker_s_own_beyond_use_period_is_taken() {
    let own = "containers = 10\nbeyond_use_hours = 24\nbeyond_use_source = \"label\"";
    let formulary = Formulary::parse(&GOOD.replace("containers = 10", own)).unwrap();
    let product = formulary.product(&"vial".parse().unwrap()).unwrap();
    assert_eq!(product.beyond_use.source, "label");
    assert_eq!(product.beyond_use.after.microseconds(), 24 * 3_600_000_000);
}

#[test]
fn the_size_is_bounded_one_below_at_and_one_above() {
    let padded = |bytes: usize| format!("{GOOD}#{}", "x".repeat(bytes - GOOD.len() - 1));
    assert!(Formulary::parse(&padded(MAX_TEXT_BYTES - 1)).is_ok());
    assert!(Formulary::parse(&padded(MAX_TEXT_BYTES)).is_ok());
    let errors = Formulary::parse(&padded(MAX_TEXT_BYTES + 1)).unwrap_err();
    assert!(errors[0].message.contains("57345 bytes, more than 57344"), "{errors:#?}");
}

#[test]
fn nothing_is_no_formulary() {
    let errors = check("").unwrap_err();
    assert_eq!(errors[0].to_string(), "line 1, column 1: there is no [beyond_use]; add it");
    let only_periods = &GOOD[..GOOD.find("[[drug]]").unwrap()];
    let errors = check(only_periods).unwrap_err();
    assert!(errors[0].message.contains("there is no [[product]]"), "{errors:#?}");
}

#[test]
fn columns_count_characters_and_not_bytes() {
    let errors = errors_after("diluent = \"saline\"", "\"dilüent\" = \"saline\"");
    assert!(errors.iter().any(|error| error.starts_with("line 69, column 1: ")), "{errors:#?}");
    let errors = errors_after("[\"psychosis\"]", "[\"ä\", \"psychosis\", \"x\"]");
    assert!(errors.iter().any(|error| error.starts_with("line 41, column 32: ")), "{errors:#?}");
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,200}") {
        let _ = Formulary::parse(&text);
    }

    #[test]
    fn no_cut_or_inserted_text_makes_the_parser_panic(
        from in 0..GOOD.len(), length in 0_usize..200, insert in "[\\PC\n\"\\[\\]=.0-9]{0,12}",
    ) {
        let from = GOOD.floor_char_boundary(from);
        let to = GOOD.floor_char_boundary((from + length).min(GOOD.len()));
        let text = format!("{}{insert}{}", &GOOD[..from], &GOOD[to..]);
        if let Err(errors) = Formulary::parse(&text) {
            prop_assert!(!errors.is_empty());
            let lines = text.lines().count() + 1;
            prop_assert!(errors.iter().all(|error| (1..=lines).contains(&error.line)));
        }
    }
}
