//! Lot and serial number, as printed on the label and carried by the barcode.

use crate::ident::quoted;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The longest lot or serial number, in characters (GS1 General Specifications, AIs 10 and 21:
/// X..20).
const MAX_CHARS: usize = 20;

/// The signs that GS1's character set 82 has beside the letters and digits of ASCII (GS1 General
/// Specifications, figure 7.11-1).
const SIGNS: &str = "!\"%&'()*+,-./_:;<=>?";

/// Whether a barcode can carry this text as a lot or serial number.
pub(super) fn is_label_text(text: &str) -> bool {
    (1..=MAX_CHARS).contains(&text.len())
        && text.chars().all(|sign| sign.is_ascii_alphanumeric() || SIGNS.contains(sign))
}

/// A text that no label carries as a lot or serial number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a {what}; \
     expected 1 to 20 letters, digits or signs of {SIGNS} without spaces: copy it from the label"
)]
pub struct LabelTextError {
    what: &'static str,
    text: String,
}

macro_rules! label_text {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name {
            text: String,
        }

        impl $name {
            /// The text as it stands on the label.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.text
            }
        }

        impl FromStr for $name {
            type Err = LabelTextError;

            fn from_str(text: &str) -> Result<Self, LabelTextError> {
                if is_label_text(text) {
                    Ok(Self { text: text.to_owned() })
                } else {
                    Err(LabelTextError { what: $what, text: quoted(text) })
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = LabelTextError;

            fn try_from(text: String) -> Result<Self, LabelTextError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.text
            }
        }
    };
}

label_text! {
    /// A maker's lot: 1 to 20 characters of the GS1 set 82, capitals and small letters distinct.
    Lot, "lot"
}

label_text! {
    /// A maker's serial number of one pack: 1 to 20 characters of the GS1 set 82.
    Serial, "serial number"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_set_has_eighty_two_signs() {
        let signs = (0_u8..=127).filter(|byte| is_label_text(&char::from(*byte).to_string()));
        assert_eq!(signs.count(), 82);
    }

    #[test]
    fn twenty_characters_are_allowed_and_twenty_one_are_not() {
        assert!("A".repeat(20).parse::<Lot>().is_ok());
        assert!("A".repeat(21).parse::<Lot>().is_err());
        assert!("".parse::<Serial>().is_err());
        let error = "A B".parse::<Serial>().unwrap_err().to_string();
        assert!(error.contains("serial number") && error.contains("A B"), "{error}");
    }
}
