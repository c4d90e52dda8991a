//! National Drug Codes: labeler, product and package.

use super::{Gtin, GtinError, all_digits, quoted};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How the digits of an NDC divide into labeler, product and package.
///
/// 21 CFR 207.33(b) knows the three layouts of ten digits. The eleven-digit form (5-4-2) is the one
/// that pharmacy claims use. FDA's uniform format has twelve (6-4-2), from 2033 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NdcLayout {
    /// Ten digits, 4-4-2.
    FourFourTwo,
    /// Ten digits, 5-3-2.
    FiveThreeTwo,
    /// Ten digits, 5-4-1.
    FiveFourOne,
    /// Eleven digits, 5-4-2: the billing form, in which one segment may carry a zero that the label
    /// does not.
    Billing,
    /// Twelve digits, 6-4-2.
    Uniform,
}

impl NdcLayout {
    const ALL: [Self; 5] =
        [Self::FourFourTwo, Self::FiveThreeTwo, Self::FiveFourOne, Self::Billing, Self::Uniform];

    /// Digits in the labeler, product and package segments.
    #[must_use]
    pub fn widths(self) -> (usize, usize, usize) {
        match self {
            Self::FourFourTwo => (4, 4, 2),
            Self::FiveThreeTwo => (5, 3, 2),
            Self::FiveFourOne => (5, 4, 1),
            Self::Billing => (5, 4, 2),
            Self::Uniform => (6, 4, 2),
        }
    }
}

/// A National Drug Code, kept as the segments of its label.
///
/// It is written with its hyphens. Two codes are equal if they are written alike;
/// [`Ndc::names_same_package_as`] also sees through the padding of the longer forms.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Ndc {
    digits: String,
    layout: NdcLayout,
}

/// Why a text is not an NDC, or cannot be written in the form that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NdcError {
    /// Something other than digits and hyphens, or hyphens that make no NDC.
    #[error(
        "`{text}` is not an NDC; expected digits with hyphens as 4-4-2, 5-3-2 or 5-4-1 (label), \
         5-4-2 (billing) or 6-4-2: copy it from the label with its hyphens"
    )]
    Shape {
        /// What was read.
        text: String,
    },
    /// Ten digits without hyphens, which three different packages may share.
    #[error(
        "`{text}` has ten digits without hyphens and may mean {four_four_two}, {five_three_two} or \
         {five_four_one}; write it with the hyphens of the label, or send the 11-digit form"
    )]
    AmbiguousTen {
        /// What was read.
        text: String,
        /// Read as 4-4-2.
        four_four_two: String,
        /// Read as 5-3-2.
        five_three_two: String,
        /// Read as 5-4-1.
        five_four_one: String,
    },
    /// A six-digit labeler has no place in the eleven-digit form.
    #[error(
        "NDC {ndc} has a six-digit labeler and no 11-digit form; \
         use its 12 digits where the other side can read them"
    )]
    NoBillingForm {
        /// The code with hyphens.
        ndc: String,
    },
}

impl Ndc {
    /// The labeler segment (maker, repackager or distributor): 4 to 6 digits.
    #[must_use]
    pub fn labeler(&self) -> &str {
        self.segments().0
    }

    /// The product segment (strength, form and formulation, not the size): 3 or 4 digits.
    #[must_use]
    pub fn product(&self) -> &str {
        self.segments().1
    }

    /// The package segment (size and kind): 1 or 2 digits.
    #[must_use]
    pub fn package(&self) -> &str {
        self.segments().2
    }

    /// How the digits divide.
    #[must_use]
    pub fn layout(&self) -> NdcLayout {
        self.layout
    }

    /// The digits without hyphens: 10, 11 or 12 of them, as the layout says.
    #[must_use]
    pub fn digits(&self) -> &str {
        &self.digits
    }

    /// The eleven-digit billing form without hyphens, each segment padded with zeros on the left.
    pub fn to_eleven_digits(&self) -> Result<String, NdcError> {
        Ok(self.to_eleven_digits_hyphenated()?.replace('-', ""))
    }

    /// The eleven-digit billing form with hyphens, 5-4-2.
    pub fn to_eleven_digits_hyphenated(&self) -> Result<String, NdcError> {
        let (labeler, product, package) = self.segments();
        let labeler = match labeler.strip_prefix('0') {
            Some(short) if labeler.len() == 6 => short,
            _ if labeler.len() == 6 => {
                return Err(NdcError::NoBillingForm { ndc: self.to_string() });
            }
            _ => labeler,
        };
        Ok(format!("{labeler:0>5}-{product:0>4}-{package:0>2}"))
    }

    /// The twelve-digit form with hyphens, 6-4-2. Every NDC has one, so it serves as the key that
    /// all forms share.
    #[must_use]
    pub fn to_twelve_digits_hyphenated(&self) -> String {
        let (labeler, product, package) = self.segments();
        format!("{labeler:0>6}-{product:0>4}-{package:0>2}")
    }

    /// Whether both codes name one package, whichever form each is written in.
    #[must_use]
    pub fn names_same_package_as(&self, other: &Self) -> bool {
        self.to_twelve_digits_hyphenated() == other.to_twelve_digits_hyphenated()
    }

    /// The GTIN that carries this code: `indicator` (0 for the unit itself, 1 to 8 for packages of
    /// it), `03`, the ten digits and a check digit. The longer forms are refused: they do not tell
    /// which zero is padding.
    pub fn to_gtin(&self, indicator: u8) -> Result<Gtin, GtinError> {
        Gtin::from_ndc_digits(&self.digits, indicator)
    }

    fn segments(&self) -> (&str, &str, &str) {
        let (labeler, product, _) = self.layout.widths();
        let (labeler, rest) = self.digits.split_at(labeler);
        let (product, package) = rest.split_at(product);
        (labeler, product, package)
    }

    fn undashed(digits: &str, layout: NdcLayout) -> Self {
        Self { digits: digits.to_owned(), layout }
    }
}

impl fmt::Display for Ndc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (labeler, product, package) = self.segments();
        write!(f, "{labeler}-{product}-{package}")
    }
}

impl FromStr for Ndc {
    type Err = NdcError;

    /// Reads a code with hyphens in any of the five layouts, or eleven (billing) or twelve digits
    /// without.
    fn from_str(text: &str) -> Result<Self, NdcError> {
        let shape = || NdcError::Shape { text: quoted(text) };
        let mut parts = text.split('-');
        let (first, second, third) = (parts.next().unwrap_or(""), parts.next(), parts.next());
        if let (Some(second), Some(third), None) = (second, third, parts.next()) {
            if ![first, second, third].into_iter().all(all_digits) {
                return Err(shape());
            }
            let widths = (first.len(), second.len(), third.len());
            let layout = NdcLayout::ALL.into_iter().find(|layout| layout.widths() == widths);
            let layout = layout.ok_or_else(shape)?;
            return Ok(Self { digits: format!("{first}{second}{third}"), layout });
        }
        if second.is_some() || !all_digits(text) {
            return Err(shape());
        }
        match text.len() {
            10 => Err(NdcError::AmbiguousTen {
                text: text.to_owned(),
                four_four_two: Self::undashed(text, NdcLayout::FourFourTwo).to_string(),
                five_three_two: Self::undashed(text, NdcLayout::FiveThreeTwo).to_string(),
                five_four_one: Self::undashed(text, NdcLayout::FiveFourOne).to_string(),
            }),
            11 => Ok(Self::undashed(text, NdcLayout::Billing)),
            12 => Ok(Self::undashed(text, NdcLayout::Uniform)),
            _ => Err(shape()),
        }
    }
}

impl TryFrom<String> for Ndc {
    type Error = NdcError;

    fn try_from(text: String) -> Result<Self, NdcError> {
        text.parse()
    }
}

impl From<Ndc> for String {
    fn from(ndc: Ndc) -> Self {
        ndc.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ndc(text: &str) -> Ndc {
        text.parse().unwrap()
    }

    #[test]
    fn each_layout_pads_its_own_segment() {
        for (label, billing) in [
            ("0409-2051-05", "00409-2051-05"),
            ("42023-113-10", "42023-0113-10"),
            ("71872-7296-1", "71872-7296-01"),
            ("00409-2051-05", "00409-2051-05"),
            ("000409-2051-05", "00409-2051-05"),
        ] {
            assert_eq!(ndc(label).to_eleven_digits_hyphenated().unwrap(), billing);
            assert_eq!(ndc(label).to_string(), label);
        }
    }

    #[test]
    fn ten_digits_without_hyphens_are_refused_with_the_three_readings() {
        let error = "0409205105".parse::<Ndc>().unwrap_err().to_string();
        for reading in ["0409-2051-05", "04092-051-05", "04092-0510-5", "11-digit form"] {
            assert!(error.contains(reading), "{error}");
        }
    }

    #[test]
    fn eleven_digits_without_hyphens_are_the_billing_form() {
        let billing = ndc("00409205105");
        assert_eq!(billing.layout(), NdcLayout::Billing);
        assert_eq!(
            (billing.labeler(), billing.product(), billing.package()),
            ("00409", "2051", "05")
        );
        assert!(billing.names_same_package_as(&ndc("0409-2051-05")));
        assert!(!billing.names_same_package_as(&ndc("0409-2051-15")));
        assert_ne!(billing, ndc("0409-2051-05"));
    }

    #[test]
    fn a_six_digit_labeler_has_no_billing_form() {
        assert_eq!(
            ndc("123456-0001-01").to_eleven_digits(),
            Err(NdcError::NoBillingForm { ndc: "123456-0001-01".to_owned() })
        );
    }

    #[test]
    fn other_shapes_are_refused() {
        for text in [
            "",
            "-",
            "0409",
            "0409-2051",
            "0409-2051-05-1",
            "409-2051-05",
            "0409-20510-5",
            "0409-2051-0x",
            "0409--205105",
            "123456789",
            "1234567890123",
            " 0409-2051-05",
            "0409\u{2011}2051\u{2011}05",
        ] {
            assert!(matches!(text.parse::<Ndc>(), Err(NdcError::Shape { .. })), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,24}") {
            let _ = text.parse::<Ndc>();
        }

        #[test]
        fn whatever_is_read_is_written_alike_and_keeps_its_package(
            text in "[0-9]{4,6}-[0-9]{3,4}-[0-9]{1,2}",
        ) {
            if let Ok(code) = text.parse::<Ndc>() {
                prop_assert_eq!(code.to_string(), text);
                let twelve = code.to_twelve_digits_hyphenated().parse::<Ndc>().unwrap();
                prop_assert!(twelve.names_same_package_as(&code));
                if let Ok(eleven) = code.to_eleven_digits() {
                    prop_assert!(eleven.parse::<Ndc>().unwrap().names_same_package_as(&code));
                }
            }
        }
    }
}
