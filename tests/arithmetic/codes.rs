//! `vialedger calc` with codes that others issue: the published examples, every field, every refusal.

use serde_json::{Value, json};

use crate::command::{answer, reason, run};
use crate::examples::IDENTIFIER_ROWS;
use crate::rows::{Row, examples};

fn result(arguments: &[&str]) -> Value {
    let mut answer = answer(arguments);
    assert!(!answer["steps"].as_array().unwrap().is_empty(), "{arguments:?}");
    answer["result"].take()
}

#[test]
fn every_published_code_is_answered_as_published_or_refused_for_the_reason_named() {
    let rows = examples();
    for id in IDENTIFIER_ROWS {
        check(rows.iter().find(|row| row.id == id).unwrap());
    }
}

fn check(row: &Row) {
    let (id, published) = (&row.id, row.published.as_str());
    match row.kind.as_str() {
        "ndc10_to_11" => {
            let found = result(&["ndc", row.get("ndc10")]);
            let name = if published.contains('-') { "ndc11_hyphenated" } else { "ndc11" };
            assert_eq!(found[name], published, "{id}");
        }
        "gtin14_from_ndc10" => {
            let found = result(&["gtin", published]);
            assert_eq!(found["ndc_digits"], row.get("ndc10_digits"), "{id}");
            assert_eq!(found["indicator"], row.get("indicator"), "{id}");
        }
        "gtin_check" => {
            let found = result(&["gtin", row.get("gtin14")]);
            assert_eq!(
                published,
                format!("check digit {} valid", found["check_digit"].as_str().unwrap())
            );
        }
        "dea_check" if published.starts_with("valid") => {
            assert_eq!(result(&["dea", row.get("dea")])["valid"], true, "{id}");
        }
        "dea_check" => assert_eq!(reason(&["dea", row.get("dea")]), "CHECK_DIGIT", "{id}"),
        "npi_check" => {
            assert_eq!(
                (result(&["npi", row.get("npi")])["valid"].as_bool(), published),
                (Some(true), "valid")
            );
        }
        "gs1_parse" => {
            let arguments = ["gs1", row.get("raw"), "--year", "2026"];
            let (status, out, _) = run(&arguments);
            assert_eq!((status, out.lines().next().unwrap()), (0, &*format!("{published}: valid")));
            assert_eq!(result(&arguments)["expiry"], Value::Null, "best before is not an expiry");
        }
        // The published answer lets the lot swallow the date. We do not reproduce it.
        "gs1_parse_trap" => assert_eq!(reason(&["gs1", row.get("raw")]), "MISSING_SEPARATOR"),
        other => panic!("{id}: nobody checks {other}"),
    }
}

#[test]
fn an_ndc_answers_its_segments_and_its_longer_forms() {
    assert_eq!(
        result(&["ndc", "0409-2051-05"]),
        json!({
            "valid": true, "ndc": "0409-2051-05",
            "labeler": "0409", "product": "2051", "package": "05", "layout": "4-4-2",
            "ndc11": "00409205105", "ndc11_hyphenated": "00409-2051-05",
            "ndc12": "000409205105", "ndc12_hyphenated": "000409-2051-05",
            "gtin": "00304092051057",
        })
    );
    let billing = result(&["ndc", "00409205105"]);
    assert_eq!((&billing["layout"], &billing["gtin"]), (&json!("5-4-2"), &Value::Null));
    let uniform = result(&["ndc", "123456-0001-01"]);
    assert_eq!((&uniform["ndc11"], &uniform["ndc12"]), (&Value::Null, &json!("123456000101")));
}

#[test]
fn a_scan_answers_its_fields_however_its_separator_is_spelled() {
    let expected = json!({
        "valid": true, "gtin": "00304092051057", "lot": "331102K", "expiry": "2028-03-31",
        "serial": "A00017", "best_before": null, "production": null, "ndc_digits": "0409205105",
    });
    for separator in ["\u{1d}", "<GS>", "{GS}", "\\x1d", "\\x1D", "^]"] {
        let scan = format!("01003040920510571728030010331102K{separator}21A00017");
        assert_eq!(result(&["gs1", &scan, "--year", "2026"]), expected, "{separator:?}");
        let marked = format!("]d2{separator}{scan}");
        assert_eq!(result(&["gs1", &marked, "--year", "2026"]), expected, "{marked:?}");
    }
    let printed = "(01)00304092051057(17)280331(10)331102K(21)A00017";
    assert_eq!(result(&["gs1", printed, "--year", "2026"]), expected);
}

#[test]
fn the_year_of_the_scan_settles_the_century_and_is_this_year_unless_told() {
    let expiry = |arguments: &[&str]| result(arguments)["expiry"].as_str().unwrap().to_owned();
    assert_eq!(expiry(&["gs1", "17280331", "--year", "2026"]), "2028-03-31");
    assert_eq!(expiry(&["gs1", "17280331", "--year", "1970"]), "1928-03-31");
    let told = expiry(&["gs1", "17280331"]);
    assert!(told.starts_with("20"), "{told}: this test runs in the years 2021 to 2077");
}

#[test]
fn codes_that_do_not_hold_end_with_status_one_and_their_reason() {
    let cases: &[(&str, &str, &str)] = &[
        ("ndc", "", "NOT_AN_NDC"),
        ("ndc", "409-2051-05", "NOT_AN_NDC"),
        ("ndc", "0409205105", "AMBIGUOUS_NDC"),
        ("gtin", "003040920510", "CHECK_DIGIT"),
        ("gtin", "00304092051058", "CHECK_DIGIT"),
        ("gtin", "-1", "NOT_A_GTIN"),
        ("gs1", "", "EMPTY_SCAN"),
        ("gs1", "]A0123", "WRONG_BARCODE"),
        ("gs1", "99ABC", "UNKNOWN_IDENTIFIER"),
        ("gs1", "0100304092051058", "CHECK_DIGIT"),
        ("gs1", "010030409205", "WRONG_VALUE"),
        ("gs1", "17281331", "NOT_A_DATE"),
        ("gs1", "10A1<GS>10A2", "TWICE"),
        ("gs1", "0100304092051057104711172803312199887766", "MISSING_SEPARATOR"),
        ("dea", "aj5184279", "NOT_A_DEA_NUMBER"),
        ("dea", "ZJ5184279", "UNKNOWN_REGISTRANT"),
        ("dea", "AJ5184278", "CHECK_DIGIT"),
        ("npi", "155859879", "NOT_AN_NPI"),
        ("npi", "1558598798", "CHECK_DIGIT"),
    ];
    for (command, text, expected) in cases {
        assert_eq!(reason(&[command, text]), *expected, "{command} {text:?}");
    }
    assert_eq!(reason(&["gs1", &"1".repeat(513)]), "SCAN_TOO_LONG");
}

#[test]
fn people_see_the_code_its_fields_and_the_check() {
    let (status, out, err) = run(&["dea", "AJ5184279"]);
    assert_eq!((status, err.as_str()), (0, ""));
    assert!(out.starts_with("AJ5184279: valid\n"), "{out}");
    assert!(
        out.contains("15 (1st, 3rd, 5th) + 2 × 12 (2nd, 4th, 6th) = 39, last digit = 9"),
        "{out}"
    );
    let (_, out, _) = run(&["gs1", "0100304092051057", "--year", "2026"]);
    assert!(!out.contains("serial") && !out.contains("null"), "what is absent is not shown: {out}");
}
