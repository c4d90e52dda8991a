//! Global Trade Item Numbers.

use super::{all_digits, digit, quoted};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Ten to the thirteenth: what the indicator digit of a GTIN-14 counts.
const INDICATOR_PLACE: u64 = 10_000_000_000_000;

/// A trade item number with a good check digit, kept and written as a GTIN-14.
///
/// GTIN-8, -12 and -13 are the same number with zeros before it, so that a linear barcode and a
/// two-dimensional one of the same pack compare equal. The check digit is the GS1 modulo 10 (GS1
/// General Specifications, 7.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Gtin {
    number: u64,
}

/// Why a text is not a GTIN, or why a GTIN cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GtinError {
    /// Not 8, 12, 13 or 14 digits, or nothing but zeros.
    #[error(
        "`{text}` is not a GTIN; \
         expected 8, 12, 13 or 14 digits, not all zero: scan or type it again"
    )]
    Shape {
        /// What was read.
        text: String,
    },
    /// The last digit does not follow from the others.
    #[error(
        "GTIN {text} ends in {found} but its digits ask for {expected}; \
         a digit was misread: scan or type it again"
    )]
    CheckDigit {
        /// What was read.
        text: String,
        /// The check digit that the other digits ask for.
        expected: u32,
        /// The check digit that was read.
        found: u32,
    },
    /// Only an NDC of ten digits fits a GTIN.
    #[error(
        "`{text}` is not the ten digits of an NDC on a label; \
         a GTIN carries exactly those: write the NDC as 4-4-2, 5-3-2 or 5-4-1"
    )]
    NotTenDigits {
        /// What was given.
        text: String,
    },
    /// Indicator 9 means a variable measure, which no drug pack has; there is no larger digit.
    #[error(
        "{indicator} is not a packaging indicator; \
         expected 0 for the unit itself or 1 to 8 for packs of it"
    )]
    Indicator {
        /// What was given.
        indicator: u8,
    },
}

impl Gtin {
    /// The GTIN of the ten digits of an NDC: `indicator`, `03`, the digits, check digit.
    pub fn from_ndc_digits(ndc_digits: &str, indicator: u8) -> Result<Self, GtinError> {
        if indicator > 8 {
            return Err(GtinError::Indicator { indicator });
        }
        if ndc_digits.len() != 10 || !all_digits(ndc_digits) {
            return Err(GtinError::NotTenDigits { text: quoted(ndc_digits) });
        }
        let body = format!("{indicator}03{ndc_digits}");
        let number: u64 = body.parse().expect("thirteen digits fit 64 bits");
        Ok(Self { number: number * 10 + u64::from(check_digit(&body)) })
    }

    /// The same item at another packaging level: the indicator replaced (0 to 8) and the check
    /// digit made anew.
    pub fn with_indicator(self, indicator: u8) -> Result<Self, GtinError> {
        if indicator > 8 {
            return Err(GtinError::Indicator { indicator });
        }
        let body =
            self.number % INDICATOR_PLACE / 10 + u64::from(indicator) * (INDICATOR_PLACE / 10);
        let digits = format!("{body:013}");
        Ok(Self { number: body * 10 + u64::from(check_digit(&digits)) })
    }

    /// The packaging indicator, the first of the fourteen digits.
    #[must_use]
    pub fn indicator(self) -> u8 {
        u8::try_from(self.number / INDICATOR_PLACE).expect("fourteen digits begin with one digit")
    }

    /// The ten digits of the NDC inside, if this is a number of the US drug range (`03` after the
    /// indicator). Where their hyphens stand, the number does not say.
    #[must_use]
    pub fn ndc_digits(self) -> Option<String> {
        let text = self.to_string();
        let (_, after_indicator) = text.split_at(1);
        let ndc_and_check = after_indicator.strip_prefix("03")?;
        ndc_and_check.get(..10).map(str::to_owned)
    }
}

/// The GS1 modulo-10 check digit of these digits: from the right, weights 3, 1, 3, 1 …
fn check_digit(body: &str) -> u32 {
    let weighted = |(place, byte): (usize, u8)| {
        let weight = if place % 2 == 0 { 3 } else { 1 };
        digit(byte).expect("only digits are given a check digit") * weight
    };
    let sum: u32 = body.bytes().rev().enumerate().map(weighted).sum();
    (10 - sum % 10) % 10
}

impl fmt::Display for Gtin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:014}", self.number)
    }
}

impl FromStr for Gtin {
    type Err = GtinError;

    fn from_str(text: &str) -> Result<Self, GtinError> {
        let shape = || GtinError::Shape { text: quoted(text) };
        if !matches!(text.len(), 8 | 12 | 13 | 14) || !all_digits(text) {
            return Err(shape());
        }
        let number: u64 = text.parse().expect("at most fourteen digits fit 64 bits");
        if number == 0 {
            return Err(shape());
        }
        let (body, last) = text.split_at(text.len() - 1);
        let expected = check_digit(body);
        let found = last.bytes().next().and_then(digit).ok_or_else(shape)?;
        if expected != found {
            return Err(GtinError::CheckDigit { text: text.to_owned(), expected, found });
        }
        Ok(Self { number })
    }
}

impl TryFrom<String> for Gtin {
    type Error = GtinError;

    fn try_from(text: String) -> Result<Self, GtinError> {
        text.parse()
    }
}

impl From<Gtin> for String {
    fn from(gtin: Gtin) -> Self {
        gtin.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_ndc_goes_in_and_comes_out() {
        let gtin = Gtin::from_ndc_digits("0409205105", 0).unwrap();
        assert_eq!(gtin.to_string(), "00304092051057");
        assert_eq!(gtin.ndc_digits().as_deref(), Some("0409205105"));
        let case = gtin.with_indicator(5).unwrap();
        assert_eq!(case.indicator(), 5);
        assert_eq!(case.ndc_digits().as_deref(), Some("0409205105"));
        assert_eq!(case, Gtin::from_ndc_digits("0409205105", 5).unwrap());
        assert_eq!(case.with_indicator(0), Ok(gtin));
    }

    #[test]
    fn a_foreign_number_holds_no_ndc() {
        let foreign: Gtin = "07032069804988".parse().unwrap();
        assert_eq!(foreign.ndc_digits(), None);
    }

    #[test]
    fn the_short_forms_are_the_same_number() {
        let long: Gtin = "00304092051057".parse().unwrap();
        assert_eq!("0304092051057".parse(), Ok(long));
        assert_eq!("304092051057".parse(), Ok(long));
        assert_eq!("96385074".parse::<Gtin>().unwrap().to_string(), "00000096385074");
    }

    #[test]
    fn a_wrong_check_digit_is_named() {
        let error = "00304092051058".parse::<Gtin>().unwrap_err();
        assert_eq!(
            error,
            GtinError::CheckDigit { text: "00304092051058".to_owned(), expected: 7, found: 8 }
        );
    }

    #[test]
    fn other_shapes_and_levels_are_refused() {
        for text in
            ["", "1234567", "123456789", "003040920510577", "0030409205105x", "00000000000000"]
        {
            assert!(matches!(text.parse::<Gtin>(), Err(GtinError::Shape { .. })), "{text:?}");
        }
        assert_eq!(
            Gtin::from_ndc_digits("0409205105", 9),
            Err(GtinError::Indicator { indicator: 9 })
        );
        assert!(matches!(
            Gtin::from_ndc_digits("00409205105", 0),
            Err(GtinError::NotTenDigits { .. })
        ));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,20}") {
            let _ = text.parse::<Gtin>();
        }

        #[test]
        fn any_single_wrong_digit_is_found(
            ndc in "[0-9]{10}", level in 0_u8..=8, place in 0_usize..14, step in 1_u8..=9,
        ) {
            let good = Gtin::from_ndc_digits(&ndc, level).unwrap().to_string();
            prop_assert!(good.parse::<Gtin>().is_ok());
            let mut bytes = good.into_bytes();
            bytes[place] = b'0' + (bytes[place] - b'0' + step) % 10;
            let bad = String::from_utf8(bytes).unwrap();
            prop_assert!(bad.parse::<Gtin>().is_err());
        }
    }
}
