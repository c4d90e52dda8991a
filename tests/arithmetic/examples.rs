//! Every published example is either calculated here, or named with the reason why not.

use std::collections::BTreeSet;

use vialedger::units::{Rational, Rounding};

use crate::rows::{Row, decimals, examples, number, round};

/// Identifiers, which are checked and not calculated: `codes.rs` beside this file puts each to the program.
pub(crate) const IDENTIFIER_ROWS: [&str; 13] = [
    "W124", "W125", "W127", "W129", "W130", "W132", "W133", "W134", "W135", "W138", "W140", "W141",
    "W142",
];

/// Rows whose published answer we do not give.
const LEFT_OUT: [(&str, &str); 4] = [
    ("W054", "rounds 13.125 half to even (13.12); we round half up as nurses are taught (13.13)"),
    ("W063", "converts base into salt, which we never do: the strength on the label is the base"),
    ("W065", "converts base into salt, which we never do: the strength on the label is the base"),
    ("W120", "takes a pound as 1/2.20462 kg; we take the exact 0.45359237 kg"),
];

fn left_out(row: &Row) -> bool {
    LEFT_OUT.iter().any(|(id, _)| *id == row.id) || IDENTIFIER_ROWS.contains(&row.id.as_str())
}

/// The published answer: one number, or the two ends of a range.
fn published(row: &Row) -> Vec<&str> {
    row.published.split('-').collect()
}

#[test]
fn every_published_answer_comes_out_under_its_stated_rounding() {
    for row in examples().iter().filter(|row| !left_out(row)) {
        let exact = row.exact().unwrap_or_else(|| panic!("{}: nobody calculates it", row.id));
        let rounded: Vec<_> = match row.stated_rounding() {
            None => exact.clone(),
            Some((decimals, rounding)) => {
                exact.iter().map(|exact| round(*exact, decimals, rounding)).collect()
            }
        };
        let published: Vec<_> = published(row).into_iter().map(number).collect();
        assert_eq!(rounded, published, "{} ({}): exactly {exact:?}", row.id, row.kind);
    }
}

#[test]
fn every_independent_recheck_agrees_to_its_last_digit() {
    for row in examples().iter().filter(|row| !left_out(row)) {
        let exact = row.exact().unwrap();
        let rechecks: Vec<_> = row.recheck.split('-').collect();
        assert_eq!(exact.len(), rechecks.len(), "{}", row.id);
        for (exact, text) in exact.iter().zip(rechecks) {
            let (places, recheck) = (decimals(text), shortened(text));
            let agrees = [Rounding::HalfUp, Rounding::Floor]
                .iter()
                .any(|rounding| shortened_to(*exact, places, *rounding) == recheck);
            assert!(agrees, "{}: {exact} against {text}", row.id);
        }
    }
}

/// Some rechecks carry more digits than a quantity may: the first nine are compared.
fn shortened(text: &str) -> Rational {
    let kept = text.split_once('.').map_or(text.to_owned(), |(whole, decimals)| {
        format!("{whole}.{}", &decimals[..decimals.len().min(9)])
    });
    number(&kept)
}

fn shortened_to(exact: Rational, places: u32, rounding: Rounding) -> Rational {
    if places > 9 { round(exact, 9, Rounding::Floor) } else { round(exact, places, rounding) }
}

#[test]
fn every_row_is_calculated_or_named_and_none_is_both() {
    let named = LEFT_OUT.iter().map(|(id, _)| *id).chain(IDENTIFIER_ROWS);
    let named: BTreeSet<_> = named.collect();
    assert_eq!(named.len(), LEFT_OUT.len() + IDENTIFIER_ROWS.len(), "no row is named twice");
    let rows = examples();
    let ids: BTreeSet<_> = rows.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(ids.len(), rows.len(), "no id is used twice");
    assert!(named.is_subset(&ids), "a row is named that does not exist");
    assert_eq!(rows.len(), 88, "the file is the published one");
    for row in &rows {
        let identifier = IDENTIFIER_ROWS.contains(&row.id.as_str());
        let kinds = ["ndc", "dea", "npi", "gtin", "gs1"];
        let by_kind = kinds.iter().any(|kind| row.kind.starts_with(kind));
        assert_eq!(identifier, by_kind, "{} is an identifier row or it is not", row.id);
    }
}

#[test]
fn rows_that_are_left_out_differ_for_the_reason_named() {
    let rows = examples();
    let row = |id: &str| rows.iter().find(|row| row.id == id).unwrap();
    let exact = row("W054").exact().unwrap()[0];
    assert_eq!(exact, number("13.125"));
    assert_eq!(round(exact, 2, Rounding::HalfUp), number("13.13"));
    assert_eq!(row("W054").published, "13.12");
    assert_eq!(row("W063").exact(), None, "no salt is ever calculated");
    assert_eq!(row("W065").exact(), None, "no salt is ever calculated");
    let pounds = number("150").times(number("0.45359237")).unwrap();
    assert_eq!(pounds, number("68.0388555"));
    assert_eq!(row("W120").published, "68.038936");
}
