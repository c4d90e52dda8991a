//! National Provider Identifiers.

use super::{all_digits, digit, quoted};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The prefix that an NPI carries as a card issuer number; its digits take part in the check digit
/// (45 CFR 162.406, ISO/IEC 7812).
const CARD_ISSUER_PREFIX: &str = "80840";

/// A National Provider Identifier with a good check digit: ten digits, Luhn over `80840` and all of
/// them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Npi {
    text: String,
}

/// Why a text is not an NPI.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NpiError {
    /// Not ten digits.
    #[error(
        "`{text}` is not an NPI; expected ten digits without spaces or hyphens, as in 1558598797"
    )]
    Shape {
        /// What was read.
        text: String,
    },
    /// The last digit does not follow from the nine before it.
    #[error(
        "NPI {text} ends in {found} but its digits ask for {expected}; \
         a digit was misread: type it again"
    )]
    CheckDigit {
        /// What was read.
        text: String,
        /// The check digit that the other digits ask for.
        expected: u32,
        /// The check digit that was read.
        found: u32,
    },
}

impl Npi {
    /// The ten digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// The Luhn check digit: from the right every other digit is doubled, beginning with the last, and
/// the digits of what results are added.
fn luhn_check_digit(body: &str) -> u32 {
    let weighted = |(place, byte): (usize, u8)| {
        let value = digit(byte).expect("only digits are given a check digit");
        if place % 2 == 0 { value * 2 / 10 + value * 2 % 10 } else { value }
    };
    let sum: u32 = body.bytes().rev().enumerate().map(weighted).sum();
    (10 - sum % 10) % 10
}

impl FromStr for Npi {
    type Err = NpiError;

    fn from_str(text: &str) -> Result<Self, NpiError> {
        let shape = || NpiError::Shape { text: quoted(text) };
        if text.len() != 10 || !all_digits(text) {
            return Err(shape());
        }
        let (body, last) = text.split_at(9);
        let expected = luhn_check_digit(&format!("{CARD_ISSUER_PREFIX}{body}"));
        let found = last.bytes().next().and_then(digit).ok_or_else(shape)?;
        if expected != found {
            return Err(NpiError::CheckDigit { text: text.to_owned(), expected, found });
        }
        Ok(Self { text: text.to_owned() })
    }
}

impl fmt::Display for Npi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for Npi {
    type Error = NpiError;

    fn try_from(text: String) -> Result<Self, NpiError> {
        text.parse()
    }
}

impl From<Npi> for String {
    fn from(npi: Npi) -> Self {
        npi.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_wrong_digit_and_the_right_one_are_both_named() {
        assert_eq!(
            "1558598798".parse::<Npi>(),
            Err(NpiError::CheckDigit { text: "1558598798".to_owned(), expected: 7, found: 8 })
        );
    }

    #[test]
    fn other_shapes_are_refused() {
        for text in ["", "155859879", "15585987977", "155-859-8797", "155859879x"] {
            assert!(matches!(text.parse::<Npi>(), Err(NpiError::Shape { .. })), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,12}") {
            let _ = text.parse::<Npi>();
        }

        #[test]
        fn nine_digits_have_exactly_one_check_digit(nine in "[0-9]{9}") {
            let good = (0..10).filter(|check| format!("{nine}{check}").parse::<Npi>().is_ok());
            prop_assert_eq!(good.count(), 1);
        }
    }
}
