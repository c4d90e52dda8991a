//! The names by which a formulary's parts refer to each other and by which the ledger refers to
//! them.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::names::{MAX_SLUG_CHARS, is_slug};

/// A text that cannot be an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this is not an id; write 1 to {MAX_SLUG_CHARS} small letters, digits and hyphens, starting \
     with a letter, as in ketamine-hospira-100-5"
)]
pub struct IdError;

macro_rules! slug {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                if is_slug(text) { Ok(Self(text.into())) } else { Err(IdError) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.as_ref().to_owned()
            }
        }
    };
}

slug! {
    /// Names a substance, whatever its maker, strength and form: `ketamine`. Small letters, digits,
    /// single hyphens.
    DrugId
}

slug! {
    /// Names a product, which is one package with its own NDC. Small letters, digits, single
    /// hyphens.
    ProductId
}

slug! {
    /// Names a protocol: `ket-trd-iv`. Small letters, digits, single hyphens.
    ProtocolId
}

slug! {
    /// Names an eligibility question: `psychosis`. Small letters, digits, single hyphens.
    QuestionId
}

slug! {
    /// Names a measure, which is a vital sign or a scale: `spo2`. Small letters, digits, single
    /// hyphens.
    MeasureId
}

slug! {
    /// Names a monitoring, which is what is observed around a dose: `ket-iv`. Small letters, digits,
    /// single hyphens.
    MonitoringId
}

slug! {
    /// Names a criterion of one monitoring: `pressure-before-systolic`. Small letters, digits, single
    /// hyphens.
    CriterionId
}

slug! {
    /// Names a plan, which is a course of treatment: `ket-trd-iv`. Small letters, digits, single
    /// hyphens.
    PlanId
}

slug! {
    /// Names a phase of one plan: `induction`. Small letters, digits, single hyphens.
    PhaseId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_the_last_part_of_a_resource_name() {
        for good in ["k", "ketamine", "ket-trd-iv", "k10-mg", &"k".repeat(63)] {
            assert_eq!(good.parse::<DrugId>().unwrap().as_str(), good);
        }
        for bad in ["", "-", "-a", "10-mg", "Ketamine", "a b", "a_b", "é", &"k".repeat(64)] {
            assert_eq!(bad.parse::<DrugId>(), Err(IdError), "{bad:?}");
        }
    }

    #[test]
    fn ids_survive_a_snapshot() {
        let id: ProductId = "ketamine-hospira-100-5".parse().unwrap();
        let bytes = postcard::to_allocvec(&id).unwrap();
        assert_eq!(postcard::from_bytes::<ProductId>(&bytes).unwrap(), id);
    }
}
