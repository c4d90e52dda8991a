//! Resource names: what the API calls things, such as `vials/12-1` and `people/ada`.
//!
//! A name has one spelling. What is named after an entry carries the entry's index, so that a name never means two
//! things and anyone can find where it began.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Characters of a chosen name at most.
pub const MAX_SLUG_CHARS: usize = 63;

/// Why some text is not the name of a resource.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// It does not begin with the collection.
    #[error("expected \"{collection}/...\"; send the full resource name")]
    Collection {
        /// The collection that was expected.
        collection: &'static str,
    },
    /// What follows the collection is not a chosen name.
    #[error(
        "after \"{collection}/\" expected 1 to {MAX_SLUG_CHARS} of a-z, 0-9 and \"-\", starting with a letter"
    )]
    Slug {
        /// The collection that was expected.
        collection: &'static str,
    },
    /// What follows the collection is not an index.
    #[error("after \"{collection}/\" expected the index of an entry in plain digits")]
    Index {
        /// The collection that was expected.
        collection: &'static str,
    },
    /// Not the name of a vial.
    #[error("expected \"vials/{{entry}}-{{number}}\", such as \"vials/12-1\"")]
    Vial,
    /// Not the name of an alert.
    #[error("expected \"alerts/{{entry}}-{{number}}\", such as \"alerts/40-1\"")]
    Alert,
}

/// Whether some text is a chosen name: 1 to 63 of a-z, 0-9 and "-", starting with a letter.
#[must_use]
pub fn is_slug(text: &str) -> bool {
    text.len() <= MAX_SLUG_CHARS
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// Digits without a sign and without a leading zero, so that an index has one spelling.
fn plain_digits(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    plain.then(|| text.parse().ok()).flatten()
}

macro_rules! slug_name {
    ($(#[$doc:meta])* $name:ident, $collection:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The collection that these names are in.
            pub const COLLECTION: &'static str = $collection;

            /// The name of the thing with this id: 1 to 63 of a-z, 0-9 and "-", starting with a letter.
            pub fn new(id: &str) -> Result<Self, NameError> {
                if is_slug(id) {
                    Ok(Self(id.into()))
                } else {
                    Err(NameError::Slug { collection: $collection })
                }
            }

            /// The id without its collection.
            #[must_use]
            pub fn id(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(name: &str) -> Result<Self, NameError> {
                let id = name
                    .strip_prefix(concat!($collection, "/"))
                    .ok_or(NameError::Collection { collection: $collection })?;
                Self::new(id)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}/{}", $collection, self.0)
            }
        }
    };
}

slug_name! {
    /// A person, or an integrated system: `people/{person}`.
    PersonName, "people"
}
slug_name! {
    /// A patient under a pseudonym: `patients/{patient}`.
    PatientName, "patients"
}
slug_name! {
    /// Where vials are kept: `places/{place}`.
    PlaceName, "places"
}
slug_name! {
    /// A package of a medicine: `products/{product}`.
    ProductName, "products"
}
slug_name! {
    /// A way to treat: `protocols/{protocol}`.
    ProtocolName, "protocols"
}

slug_name! {
    /// A plan of a course of treatment: `plans/{plan}`.
    PlanName, "plans"
}

macro_rules! index_name {
    ($(#[$doc:meta])* $name:ident, $collection:literal) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        pub struct $name(pub u64);

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(name: &str) -> Result<Self, NameError> {
                let digits = name
                    .strip_prefix(concat!($collection, "/"))
                    .ok_or(NameError::Collection { collection: $collection })?;
                plain_digits(digits)
                    .map(Self)
                    .ok_or(NameError::Index { collection: $collection })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}/{}", $collection, self.0)
            }
        }
    };
}

index_name! {
    /// An entry: `entries/{index}`.
    EntryName, "entries"
}
index_name! {
    /// A recorded dose calculation, named after its entry: `doseCalculations/{index}`.
    CalculationName, "doseCalculations"
}
index_name! {
    /// What a holder took, named after its entry: `dispensings/{index}`.
    DispensingName, "dispensings"
}
index_name! {
    /// A waste, named after its entry: `wastes/{index}`.
    WasteName, "wastes"
}

index_name! {
    /// A patient's course of treatment, named after the entry that opened it: `courses/{index}`.
    CourseName, "courses"
}
index_name! {
    /// A session of a course, named after the entry that started it: `sessions/{index}`.
    SessionName, "sessions"
}
index_name! {
    /// An adverse effect, named after the entry that first recorded it: `adverseEffects/{index}`.
    EffectName, "adverseEffects"
}

/// A stop criterion that was met: `alerts/{index of the observation's entry}-{number within it, from 1}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AlertName {
    /// Index of the observation's entry.
    pub observation: u64,
    /// Its number within that observation, from 1.
    pub number: u32,
}

impl FromStr for AlertName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<Self, NameError> {
        let id =
            name.strip_prefix("alerts/").ok_or(NameError::Collection { collection: "alerts" })?;
        let (observation, number) = numbered(id).ok_or(NameError::Alert)?;
        Ok(Self { observation, number })
    }
}

impl fmt::Display for AlertName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "alerts/{}-{}", self.observation, self.number)
    }
}

/// The index of an entry and a number within it, from 1: `12-1`.
fn numbered(id: &str) -> Option<(u64, u32)> {
    let (index, number) = id.split_once('-')?;
    let number = plain_digits(number).and_then(|number| u32::try_from(number).ok());
    Some((plain_digits(index)?, number.filter(|number| *number > 0)?))
}

/// One sealed container: `vials/{index of the receiving entry}-{number within it, from 1}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct VialName {
    /// Index of the entry that received it.
    pub delivery: u64,
    /// Its number within that delivery, from 1.
    pub number: u32,
}

impl FromStr for VialName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<Self, NameError> {
        let id =
            name.strip_prefix("vials/").ok_or(NameError::Collection { collection: "vials" })?;
        let (delivery, number) = numbered(id).ok_or(NameError::Vial)?;
        Ok(Self { delivery, number })
    }
}

impl fmt::Display for VialName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "vials/{}-{}", self.delivery, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_as_they_were_written() {
        for name in ["vials/12-1", "vials/0-4294967295"] {
            assert_eq!(name.parse::<VialName>().unwrap().to_string(), name);
        }
        assert_eq!("people/ada-a2".parse::<PersonName>().unwrap().to_string(), "people/ada-a2");
        assert_eq!("wastes/0".parse::<WasteName>().unwrap(), WasteName(0));
    }

    #[test]
    fn a_name_has_one_spelling() {
        for name in ["vials/012-1", "vials/12-0", "vials/+1-1", "vials/1", "vials/1-1-1", "12-1"] {
            assert!(name.parse::<VialName>().is_err(), "{name}");
        }
        for name in
            ["people/", "people/Ada", "people/2a", "people/a b", "persons/ada", "people/a/b"]
        {
            assert!(name.parse::<PersonName>().is_err(), "{name}");
        }
        for name in ["entries/01", "entries/-1", "entries/18446744073709551616", "entries/"] {
            assert!(name.parse::<EntryName>().is_err(), "{name}");
        }
        assert!(PatientName::new(&"a".repeat(63)).is_ok());
        assert!(PatientName::new(&"a".repeat(64)).is_err());
    }
}
