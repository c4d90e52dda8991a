use super::*;
use proptest::prelude::*;

const YEAR: u16 = 2026;
const ITEM: &str = "0100304092051057";

fn scan(text: &str) -> Scan {
    Scan::parse(text, YEAR).unwrap()
}

fn refusal(text: &str) -> Gs1Error {
    Scan::parse(text, YEAR).unwrap_err()
}

#[test]
fn a_full_barcode_gives_item_expiry_lot_and_serial() {
    let full = scan("]d20100304092051057172803001012345AB\u{1d}21SN0042");
    assert_eq!(full.gtin().unwrap().to_string(), "00304092051057");
    assert_eq!(full.expiry().unwrap().to_string(), "2028-03-31");
    assert_eq!(full.lot().unwrap().as_str(), "12345AB");
    assert_eq!(full.serial().unwrap().as_str(), "SN0042");
    assert_eq!(full.best_before(), None);
    assert_eq!(full.to_string(), "(01)00304092051057(17)280300(10)12345AB(21)SN0042");
    assert_eq!(scan(&full.to_string()), full);
}

#[test]
fn every_mark_of_a_gs1_barcode_is_taken_off_and_others_are_refused() {
    for mark in ["]d2", "]C1", "]e0", "]Q3", "]J1", "]d2\u{1d}", "\u{1d}", ""] {
        assert_eq!(scan(&format!("{mark}{ITEM}")).to_string(), "(01)00304092051057");
    }
    assert_eq!(refusal("]E00304092051057"), Gs1Error::Symbology { text: "]E0".to_owned() });
    assert!(matches!(refusal("]"), Gs1Error::Symbology { .. }));
}

#[test]
fn a_superfluous_separator_after_a_fixed_value_is_allowed() {
    let text = format!("{ITEM}\u{1d}17280331\u{1d}10A1\u{1d}");
    assert_eq!(scan(&text).to_string(), "(01)00304092051057(17)280331(10)A1");
}

#[test]
fn a_lot_that_may_have_swallowed_the_expiry_is_refused() {
    let error = refusal("010703206980498810032917210526");
    assert_eq!(
        error,
        Gs1Error::MissingSeparator {
            ai: "10",
            value: "032917210526".to_owned(),
            swallowed: "(17)210526".to_owned()
        }
    );
    assert!(error.to_string().contains("scan again"), "{error}");
}

#[test]
fn a_lot_that_may_have_swallowed_a_serial_is_refused() {
    let text = format!("{ITEM}1728033110A123421SN0042");
    assert!(matches!(refusal(&text), Gs1Error::MissingSeparator { ai: "10", .. }));
}

#[test]
fn a_serial_that_may_have_swallowed_expiry_and_lot_is_refused() {
    let text = format!("{ITEM}21SN0042172803311012345");
    match refusal(&text) {
        Gs1Error::MissingSeparator { ai, swallowed, .. } => {
            assert_eq!((ai, swallowed.as_str()), ("21", "(17)280331(10)12345"));
        }
        other => panic!("{other}"),
    }
}

#[test]
fn what_the_barcode_carries_elsewhere_was_not_swallowed() {
    let text = format!("{ITEM}17280331100329172105\u{1d}21A10123456");
    let full = scan(&text);
    assert_eq!(full.lot().unwrap().as_str(), "0329172105");
    assert_eq!(full.serial().unwrap().as_str(), "A10123456");
}

#[test]
fn brackets_leave_no_doubt_so_nothing_is_suspected() {
    let typed = scan("(01)07032069804988(10)032915210526");
    assert_eq!(typed.lot().unwrap().as_str(), "032915210526");
}

#[test]
fn a_lot_may_hold_brackets_that_are_no_identifier() {
    assert_eq!(scan("(10)A(b)(1)(17)280331").lot().unwrap().as_str(), "A(b)(1)");
}

#[test]
fn one_identifier_with_two_values_is_refused_and_with_one_is_kept_once() {
    let twice = format!("{ITEM}{ITEM}");
    assert_eq!(scan(&twice).to_string(), "(01)00304092051057");
    assert!(matches!(refusal("010030409205105710A\u{1d}10B"), Gs1Error::Twice { ai: "10", .. }));
}

#[test]
fn what_is_not_known_is_refused_with_its_text() {
    for text in ["", "\u{1d}", "]d2"] {
        assert_eq!(refusal(text), Gs1Error::Empty, "{text:?}");
    }
    assert_eq!(refusal("9912"), Gs1Error::UnknownIdentifier { text: "9912".to_owned() });
    assert_eq!(refusal("(99)12"), Gs1Error::UnknownIdentifier { text: "(99)12".to_owned() });
    assert!(matches!(
        refusal(&format!("{ITEM}\u{1d}\u{1d}10A")),
        Gs1Error::UnknownIdentifier { .. }
    ));
    assert_eq!(refusal(&"1".repeat(513)), Gs1Error::TooLong { bytes: 513 });
}

#[test]
fn values_that_their_identifier_does_not_allow_are_refused() {
    for (text, ai) in [
        ("01003040920510", "01"),
        ("0100304092O51057", "01"),
        ("10", "10"),
        ("10\u{1d}17280331", "10"),
        ("10A B", "10"),
        ("10ABCDEFGHIJKLMNOPQRSTU", "10"),
        ("21\u{e9}", "21"),
        ("30123456789", "30"),
        ("1728033", "17"),
    ] {
        assert!(
            matches!(refusal(text), Gs1Error::Value { ai: found, .. } if found == ai),
            "{text:?}"
        );
    }
    assert!(matches!(refusal("17281331"), Gs1Error::Date { ai: "17", .. }));
    assert!(matches!(refusal("0100304092051058"), Gs1Error::Gtin(GtinError::CheckDigit { .. })));
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "[\\PC\u{1d}]{0,60}") {
        let _ = Scan::parse(&text, YEAR);
    }

    #[test]
    fn nothing_close_to_a_scan_makes_the_parser_panic(
        text in "[\\]d2C1()01757A\u{1d}\u{e9}-]{0,60}", year: u16,
    ) {
        let _ = Scan::parse(&text, year);
    }

    #[test]
    fn a_barcode_with_separators_reads_back(
        ndc in "[0-9]{10}", lot in "[0-9A-Z]{1,20}", serial in "[0-9A-Z]{1,20}",
        days in 18_000_i64..=30_000,
    ) {
        let gtin = Gtin::from_ndc_digits(&ndc, 0).unwrap();
        let expiry = Date::from_days_since_epoch(days).unwrap();
        let six = expiry.to_string().replace('-', "")[2..].to_owned();
        let text = format!("]d201{gtin}21{serial}\u{1d}17{six}10{lot}");
        // Only a lot or serial that reads as a best-before or production date is held back.
        if let Ok(full) = Scan::parse(&text, YEAR) {
            prop_assert_eq!(full.gtin(), Some(gtin));
            prop_assert_eq!(full.expiry(), Some(expiry));
            prop_assert_eq!(full.lot().unwrap().as_str(), lot);
            prop_assert_eq!(full.serial().unwrap().as_str(), serial);
        } else {
            let date = |text: &str| text.contains("15") || text.contains("11");
            prop_assert!(date(&lot) || date(&serial));
        }
    }
}
