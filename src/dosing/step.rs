//! One line of the working, as a nurse would write it down.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A step of the working: what it is, how it was calculated (with units), and what came out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What the step finds: `Volume`.
    pub label: String,
    /// The calculation with its units: `36.25 mg ÷ 500 mg/10 mL`.
    pub formula: String,
    /// The result with its unit: `0.725 mL`.
    pub result: String,
}

impl Step {
    /// A step from anything that prints.
    pub fn new(
        label: impl Into<String>,
        formula: impl Into<String>,
        result: impl fmt::Display,
    ) -> Self {
        Self { label: label.into(), formula: formula.into(), result: result.to_string() }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} = {}", self.label, self.formula, self.result)
    }
}
