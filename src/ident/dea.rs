//! Registration numbers of the US Drug Enforcement Administration.

use super::{digit, quoted};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// First letters that DEA has given to kinds of registrants: A, B, F and G to hospitals, clinics,
/// practitioners, teaching institutions and pharmacies, M to mid-level practitioners, P and R to
/// manufacturers, distributors, researchers, laboratories, importers, exporters and treatment
/// programmes, X to the former buprenorphine waiver; the rest are the business activity codes of
/// DEA's registration record layout (2009 to 2017).
const REGISTRANT_LETTERS: &str = "ABCDEFGHJKLMNPRSTUX";

/// A DEA registration number whose letters and check digit are good: a registrant letter, a letter
/// of the name (or 9 for a business address), six digits and their check digit. Capital letters
/// only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeaNumber {
    text: String,
}

/// Why a text is not a DEA registration number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeaError {
    /// Not two letters and seven digits.
    #[error(
        "`{text}` is not a DEA registration number; \
         expected two capital letters and seven digits, as in AJ5184279"
    )]
    Shape {
        /// What was read.
        text: String,
    },
    /// The first letter stands for no kind of registrant.
    #[error(
        "DEA number `{text}` begins with {letter}, which no kind of registrant has; \
         expected one of {REGISTRANT_LETTERS}: compare it with the certificate"
    )]
    Registrant {
        /// What was read.
        text: String,
        /// Its first letter.
        letter: char,
    },
    /// The last digit does not follow from the six before it.
    #[error(
        "DEA number `{text}` ends in {found}, but {odd} (1st, 3rd and 5th digit) \
         + {doubled} (twice the 2nd, 4th and 6th) \
         = {sum} asks for {expected}: compare it with the certificate"
    )]
    CheckDigit {
        /// What was read.
        text: String,
        /// Sum of the first, third and fifth digit.
        odd: u32,
        /// Twice the sum of the second, fourth and sixth digit.
        doubled: u32,
        /// Both together.
        sum: u32,
        /// The last digit of that.
        expected: u32,
        /// The digit that was read.
        found: u32,
    },
}

impl DeaNumber {
    /// The number as it is printed on the certificate.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for DeaNumber {
    type Err = DeaError;

    fn from_str(text: &str) -> Result<Self, DeaError> {
        let shape = || DeaError::Shape { text: quoted(text) };
        let (letters, digits) = text.split_at_checked(2).ok_or_else(shape)?;
        let mut letters = letters.chars();
        let (Some(registrant), Some(name), None) = (letters.next(), letters.next(), letters.next())
        else {
            return Err(shape());
        };
        let digits: Option<Vec<u32>> = digits.bytes().map(digit).collect();
        let Some([d1, d2, d3, d4, d5, d6, found]) = digits.as_deref() else {
            return Err(shape());
        };
        if !registrant.is_ascii_uppercase() || !(name.is_ascii_uppercase() || name == '9') {
            return Err(shape());
        }
        if !REGISTRANT_LETTERS.contains(registrant) {
            return Err(DeaError::Registrant { text: text.to_owned(), letter: registrant });
        }
        let (odd, doubled) = (d1 + d3 + d5, 2 * (d2 + d4 + d6));
        let sum = odd + doubled;
        let expected = sum % 10;
        if expected != *found {
            let text = text.to_owned();
            return Err(DeaError::CheckDigit { text, odd, doubled, sum, expected, found: *found });
        }
        Ok(Self { text: text.to_owned() })
    }
}

impl fmt::Display for DeaNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for DeaNumber {
    type Error = DeaError;

    fn try_from(text: String) -> Result<Self, DeaError> {
        text.parse()
    }
}

impl From<DeaNumber> for String {
    fn from(number: DeaNumber) -> Self {
        number.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_good_number_passes_and_its_neighbour_does_not() {
        assert_eq!("AJ5184279".parse::<DeaNumber>().unwrap().as_str(), "AJ5184279");
        let error = "AJ5184278".parse::<DeaNumber>().unwrap_err().to_string();
        assert!(error.contains("15") && error.contains("24") && error.contains("39"), "{error}");
    }

    #[test]
    fn a_business_may_have_a_nine_for_its_second_letter() {
        assert!("B95184279".parse::<DeaNumber>().is_ok());
        assert!("B85184279".parse::<DeaNumber>().is_err());
    }

    #[test]
    fn other_shapes_and_letters_are_refused() {
        for text in
            ["", "AJ", "AJ518427", "AJ51842799", "aj5184279", "A15184279", "AJ518427x", "ÄJ5184279"]
        {
            assert!(matches!(text.parse::<DeaNumber>(), Err(DeaError::Shape { .. })), "{text:?}");
        }
        assert!(matches!(
            "ZJ5184279".parse::<DeaNumber>(),
            Err(DeaError::Registrant { letter: 'Z', .. })
        ));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,12}") {
            let _ = text.parse::<DeaNumber>();
        }

        #[test]
        fn six_digits_have_exactly_one_check_digit(six in "[0-9]{6}") {
            let good = (0..10)
                .filter(|check| format!("BX{six}{check}").parse::<DeaNumber>().is_ok());
            prop_assert_eq!(good.count(), 1);
        }
    }
}
