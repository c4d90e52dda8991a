//! `vialedger calc`, the real program.

use assert_cmd::Command;
use serde_json::{Value, json};

pub(crate) fn run(arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::cargo_bin("vialedger").unwrap();
    let output = command.arg("calc").args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

pub(crate) fn answer(arguments: &[&str]) -> Value {
    let (status, out, err) = run(&[arguments, &["--json"]].concat());
    assert_eq!((status, err.as_str()), (0, ""), "{arguments:?}: {out}");
    serde_json::from_str(&out).unwrap()
}

pub(crate) fn reason(arguments: &[&str]) -> String {
    let (status, out, err) = run(&[arguments, &["--json"]].concat());
    assert_eq!((status, err.as_str()), (1, ""), "{arguments:?}");
    let answer: Value = serde_json::from_str(&out).unwrap();
    assert!(!answer["error"]["message"].as_str().unwrap().is_empty());
    answer["error"]["reason"].as_str().unwrap().to_owned()
}

/// One command, and what its answer holds under each name: value, unit, and the fraction if the
/// decimal goes on for ever.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)]);

/// Arguments are separated by a bar, since quantities contain spaces.
const CASES: &[Case] = &[
    ("dose|--dose|0.5 mg/kg|--weight|72.5 kg", &[("result", "36.25 mg")]),
    (
        "dose|--dose|0.5 mg/kg|--weight|72.5 kg|--strength|500 mg/10 mL|--syringe|3 mL",
        &[
            ("result", "36.25 mg"),
            ("volume", "0.725 mL"),
            ("measured", "0.7 mL"),
            ("measured_dose", "35 mg"),
            ("deviation", "-3.448276 % -100/29"),
        ],
    ),
    ("dose|--dose|50 mcg/kg|--weight|79.8 kg", &[("result", "3990 ug")]),
    (
        "dose|--dose|84 mg|--strength|28 mg/{device}",
        &[("result", "84 mg"), ("count", "3 {device}")],
    ),
    (
        "dose|--dose|1 mg/kg/h|--weight|72.5 kg|--strength|10 mg/mL",
        &[("result", "72.5 mg/h"), ("pump", "7.25 mL/h")],
    ),
    ("volume|--dose|7.2 mg|--strength|5 mg/mL", &[("result", "1.44 mL")]),
    (
        "volume|--dose|125 mg|--strength|12 mg/mL|--syringe|20 mL",
        &[
            ("result", "10.416667 mL 125/12"),
            ("measured", "10 mL"),
            ("measured_dose", "120 mg"),
            ("deviation", "-4 %"),
        ],
    ),
    ("rate|--rate|5 ug/kg/min|--weight|90 kg|--strength|10 mg/mL", &[("result", "2.7 mL/h")]),
    ("rate|--pump|2.7 mL/h|--weight|90 kg|--strength|10 mg/mL", &[("result", "5 ug/kg/min")]),
    ("rate|--rate|0.5 mg/min|--to|mg/h", &[("result", "30 mg/h")]),
    (
        "drip|--volume|1000 mL|--over|8 h|--drop-factor|15",
        &[("result", "31.25 {gtt}/min"), ("counted", "31 {gtt}/min")],
    ),
    (
        "infusion|--volume|50 mL|--over|40 min|--dose|36.25 mg",
        &[("result", "75 mL/h"), ("concentration", "0.725 mg/mL")],
    ),
    ("weight|--formula|devine|--sex|female|--height|167.64 cm", &[("result", "59.3 kg")]),
    (
        "weight|--formula|adjusted|--sex|female|--height|160 cm|--weight|160 kg",
        &[("result", "95.429134 kg 24239/254")],
    ),
    (
        "weight|--formula|devine|--sex|male|--height|150 cm|--below-60-inches|clamp",
        &[("result", "50 kg")],
    ),
    ("bmi|--height|180 cm|--weight|80 kg", &[("result", "24.691358 kg/m2 2000/81")]),
    ("bsa|--formula|mosteller|--height|180 cm|--weight|80 kg", &[("result", "2 m2")]),
    ("bsa|--formula|haycock|--height|180 cm|--weight|80 kg", &[("result", "2.006560 m2")]),
    ("convert|--from|99 lb|--to|kg", &[("result", "44.90564463 kg")]),
    ("convert|--from|55 cm|--to|in", &[("result", "21.653543 [in_i] 2750/127")]),
    ("convert|--from|2000 mcg|--to|mg", &[("result", "2 mg")]),
];

#[test]
fn every_calculation_answers_exactly() {
    for (arguments, expected) in CASES {
        let arguments: Vec<_> = arguments.split('|').collect();
        let mut answer = answer(&arguments);
        let steps = answer.as_object_mut().unwrap().remove("steps").unwrap();
        assert!(!steps.as_array().unwrap().is_empty(), "{arguments:?}");
        assert_eq!(answer.as_object().unwrap().len(), expected.len(), "{arguments:?}: {answer}");
        for (name, text) in *expected {
            let mut parts = text.split(' ');
            let mut shown = json!({"value": parts.next(), "unit": parts.next()});
            if let Some(fraction) = parts.next() {
                shown["fraction"] = fraction.into();
            }
            assert_eq!(answer[name], shown, "{arguments:?}");
        }
    }
}

#[test]
fn what_the_rules_refuse_ends_with_status_one_and_its_reason() {
    let cases: &[(&[&str], &str)] = &[
        (&["dose", "--dose", "0.5 mg/kg", "--weight", "160 lb"], "POUNDS"),
        (&["dose", "--dose", "0.5 mg/kg", "--weight", "72.5"], "MISSING_UNIT"),
        (&["dose", "--dose", "0.5 mg/kg", "--weight", "72.5 stone"], "UNKNOWN_UNIT"),
        (&["dose", "--dose", ".5 mg/kg", "--weight", "72.5 kg"], "NAKED_DECIMAL"),
        (&["dose", "--dose", "5e-1 mg/kg", "--weight", "72.5 kg"], "EXPONENT"),
        (&["dose", "--dose", "0,5 mg/kg", "--weight", "72.5 kg"], "COMMA"),
        (&["dose", "--dose", "-0.5 mg/kg", "--weight", "72.5 kg"], "SIGN"),
        (&["dose", "--dose", "0 mg/kg", "--weight", "72.5 kg"], "ZERO"),
        (&["dose", "--dose", "0.5 mg/kg"], "MISSING_INPUT"),
        (&["dose", "--dose", "0.5 mg/kg", "--weight", "651 kg"], "OUT_OF_BOUNDS"),
        (&["dose", "--dose", "0.5 mg/kg", "--weight", "72.5001 kg"], "TOO_FINE"),
        (&["dose", "--dose", "0.5 mL", "--weight", "72.5 kg"], "WRONG_KIND_OF_UNIT"),
        (&["dose", "--dose", "5 mg", "--syringe", "3 mL"], "MISSING_INPUT"),
        (
            &["dose", "--dose", "50 mg", "--strength", "10 mg/mL", "--syringe", "3 mL"],
            "SYRINGE_TOO_SMALL",
        ),
        (&["dose", "--dose", "70 mg", "--strength", "28 mg/{device}"], "NOT_WHOLE"),
        (&["volume", "--dose", "5 mg", "--strength", "5 mg"], "NOT_A_STRENGTH"),
        (&["volume", "--dose", "5 mg/h", "--strength", "5 mg/mL"], "WRONG_KIND_OF_UNIT"),
        (&["rate", "--rate", "0.5 mg/kg", "--weight", "70 kg"], "WRONG_KIND_OF_UNIT"),
        (&["rate", "--rate", "5 ug/kg/min", "--strength", "10 mg/mL"], "MISSING_INPUT"),
        (&["rate", "--pump", "5 mL/h"], "MISSING_INPUT"),
        (&["drip", "--volume", "1000 mL", "--over", "0 h", "--drop-factor", "15"], "ZERO"),
        (
            &["weight", "--formula", "devine", "--sex", "male", "--height", "150 cm"],
            "BELOW_SIXTY_INCHES",
        ),
        (&["weight", "--formula", "boer", "--sex", "male", "--height", "170 cm"], "MISSING_INPUT"),
        (&["bmi", "--height", "1.7 cm", "--weight", "80 kg"], "OUT_OF_BOUNDS"),
        (&["convert", "--from", "99 lb", "--to", "cm"], "WRONG_KIND_OF_UNIT"),
        (&["convert", "--from", "99", "--to", "kg"], "MISSING_UNIT"),
    ];
    for (arguments, expected) in cases {
        assert_eq!(reason(arguments), *expected, "{arguments:?}");
    }
}

#[test]
fn people_read_mcg_and_programs_read_ug() {
    let arguments = ["dose", "--dose", "5 mcg/kg/min", "--weight", "90 kg"];
    assert_eq!(answer(&arguments)["result"]["unit"], "ug/min");
    let (status, out, _) = run(&arguments);
    assert_eq!(status, 0);
    assert!(out.starts_with("450 mcg/min\n"), "{out}");
    assert!(!out.contains("ug/"), "{out}");
}

#[test]
fn a_refusal_in_words_goes_where_errors_go() {
    let (status, out, err) = run(&["dose", "--dose", "0.5 mg/kg", "--weight", "160 lb"]);
    assert_eq!((status, out.as_str()), (1, ""));
    assert!(err.contains("calc convert --from \"160 lb\" --to kg"), "{err}");
}

#[test]
fn the_exact_result_stands_before_everything_else() {
    let arguments =
        ["volume", "--dose", "7.2 mg", "--strength", "5 mg/mL", "--syringe", "3 mL", "--json"];
    let (_, out, _) = run(&arguments);
    let at = |name| out.find(name).unwrap();
    assert!(at("\"result\"") < at("\"measured\"") && at("\"measured\"") < at("\"steps\""), "{out}");
}
