//! The application identifiers that a drug pack carries, and what their values may be.

use super::label::is_label_text;
use crate::ident::all_digits;
use crate::time::Date;

pub(super) const AI_GTIN: &str = "01";
pub(super) const AI_LOT: &str = "10";
pub(super) const AI_PRODUCTION: &str = "11";
pub(super) const AI_BEST_BEFORE: &str = "15";
pub(super) const AI_EXPIRY: &str = "17";
pub(super) const AI_SERIAL: &str = "21";

/// An application identifier and the shape of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ai {
    pub(super) code: &'static str,
    shape: Shape,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// Fourteen digits.
    Gtin,
    /// Six digits, YYMMDD.
    Date,
    /// One to twenty characters of the GS1 set 82.
    Text,
    /// One to eight digits.
    Count,
}

/// From the GS1 General Specifications, section 3: item, lot, dates, serial, counts, and the
/// national reimbursement numbers of Germany, France, Spain, Brazil and Portugal, which stand on
/// imported packs.
const KNOWN: [Ai; 13] = [
    Ai { code: AI_GTIN, shape: Shape::Gtin },
    Ai { code: AI_LOT, shape: Shape::Text },
    Ai { code: AI_PRODUCTION, shape: Shape::Date },
    Ai { code: AI_BEST_BEFORE, shape: Shape::Date },
    Ai { code: AI_EXPIRY, shape: Shape::Date },
    Ai { code: AI_SERIAL, shape: Shape::Text },
    Ai { code: "30", shape: Shape::Count },
    Ai { code: "37", shape: Shape::Count },
    Ai { code: "710", shape: Shape::Text },
    Ai { code: "711", shape: Shape::Text },
    Ai { code: "712", shape: Shape::Text },
    Ai { code: "713", shape: Shape::Text },
    Ai { code: "714", shape: Shape::Text },
];

impl Ai {
    /// The identifier with exactly this code.
    pub(super) fn from_code(code: &str) -> Option<Self> {
        KNOWN.into_iter().find(|ai| ai.code == code)
    }

    /// The identifier with which the text begins, and the text after it. No code is the beginning
    /// of another.
    pub(super) fn at_start_of(text: &str) -> Option<(Self, &str)> {
        KNOWN.into_iter().find_map(|ai| text.strip_prefix(ai.code).map(|rest| (ai, rest)))
    }

    /// The length of the value where it is fixed; a separator ends the others.
    pub(super) fn fixed_length(self) -> Option<usize> {
        match self.shape {
            Shape::Gtin => Some(14),
            Shape::Date => Some(6),
            Shape::Text | Shape::Count => None,
        }
    }

    /// Whether the value has the length and the characters that this identifier asks for.
    pub(super) fn allows(self, value: &str) -> bool {
        match self.shape {
            Shape::Gtin => value.len() == 14 && all_digits(value),
            Shape::Date => value.len() == 6 && all_digits(value),
            Shape::Text => is_label_text(value),
            Shape::Count => value.len() <= 8 && all_digits(value),
        }
    }

    /// The same as a phrase for an error message.
    pub(super) fn expected(self) -> &'static str {
        match self.shape {
            Shape::Gtin => "14 digits",
            Shape::Date => "six digits, YYMMDD",
            Shape::Text => "1 to 20 letters, digits and signs of the GS1 set 82",
            Shape::Count => "1 to 8 digits",
        }
    }
}

/// The day that YYMMDD means; day 00 is the last of the month. The century is the one that puts the
/// year within 49 years before and 50 years after `reference_year` (GS1 General Specifications,
/// 7.12).
pub(super) fn date(value: &str, reference_year: u16) -> Option<Date> {
    let two = |range: std::ops::Range<usize>| -> Option<i64> {
        value.get(range).filter(|text| all_digits(text))?.parse().ok()
    };
    let (short_year, month, day) = (two(0..2)?, two(2..4)?, two(4..6)?);
    let reference = i64::from(reference_year);
    let same_century = reference - reference.rem_euclid(100) + short_year;
    let year = match same_century - reference {
        51.. => same_century - 100,
        ..=-50 => same_century + 100,
        _ => same_century,
    };
    if day == 0 {
        Date::from_numbers(year, month, 1).ok().map(Date::month_end)
    } else {
        Date::from_numbers(year, month, day).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_two_digit_year_falls_within_fifty_years_of_the_scan() {
        for (value, reference, expected) in [
            ("280331", 2026, "2028-03-31"),
            ("760101", 2026, "2076-01-01"),
            ("770101", 2026, "1977-01-01"),
            ("990101", 2026, "1999-01-01"),
            ("000101", 2060, "2100-01-01"),
            ("100101", 2060, "2110-01-01"),
            ("110101", 2060, "2011-01-01"),
            ("500101", 2099, "2050-01-01"),
            ("490101", 2099, "2149-01-01"),
        ] {
            assert_eq!(
                date(value, reference).unwrap().to_string(),
                expected,
                "{value} in {reference}"
            );
        }
    }

    #[test]
    fn day_zero_is_the_end_of_the_month() {
        assert_eq!(date("280200", 2026).unwrap().to_string(), "2028-02-29");
        assert_eq!(date("270200", 2026).unwrap().to_string(), "2027-02-28");
        assert_eq!(date("271300", 2026), None);
        assert_eq!(date("270230", 2026), None);
        assert_eq!(date("2702", 2026), None);
    }

    #[test]
    fn no_code_begins_another() {
        for ai in KNOWN {
            let hits = KNOWN.iter().filter(|other| other.code.starts_with(ai.code)).count();
            assert_eq!(hits, 1, "{}", ai.code);
        }
    }
}
