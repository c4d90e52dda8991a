//! What a calculation answers: the exact result, what belongs to it, the steps; or a refusal.

use std::fmt;

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::dosing::{DosingError, Step};
use crate::units::{OutOfRange, Quantity, QuantityError, Rational, SHOWN_DECIMALS};

/// An answer, in the order in which it is printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    parts: Vec<(&'static str, Part)>,
    steps: Vec<Step>,
}

impl Answer {
    /// An answer with its exact result.
    #[must_use]
    pub fn new(result: impl Into<Part>, steps: Vec<Step>) -> Self {
        Self { parts: vec![("result", result.into())], steps }
    }

    /// With something beside the result, under its own name.
    #[must_use]
    pub fn with(mut self, name: &'static str, part: impl Into<Part>) -> Self {
        self.parts.push((name, part.into()));
        self
    }
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, part) in &self.parts {
            map.serialize_entry(name, part)?;
        }
        map.serialize_entry("steps", &self.steps)?;
        map.end()
    }
}

/// For people: the result on the first line, what belongs to it below, then the steps.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, part)) in self.parts.iter().enumerate() {
            if index == 0 {
                writeln!(f, "{part}")?;
            } else {
                writeln!(f, "{}: {part}", name.replace('_', " "))?;
            }
        }
        for step in &self.steps {
            writeln!(f, "  {step}")?;
        }
        Ok(())
    }
}

/// One part of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A number with its unit.
    Number(Shown),
    /// What a code says.
    Code(Code),
}

impl From<Shown> for Part {
    fn from(number: Shown) -> Self {
        Self::Number(number)
    }
}

impl From<Code> for Part {
    fn from(code: Code) -> Self {
        Self::Code(code)
    }
}

impl Serialize for Part {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => number.serialize(serializer),
            Self::Code(code) => code.serialize(serializer),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Code(code) => code.fmt(f),
        }
    }
}

/// A code that passed its checks, and its fields. A code that does not pass has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    printed: String,
    fields: Vec<(&'static str, Option<String>)>,
}

impl Code {
    /// A code as it is written, without fields yet.
    #[must_use]
    pub fn new(printed: impl fmt::Display) -> Self {
        Self { printed: printed.to_string(), fields: Vec::new() }
    }

    /// With a field that every such code has.
    #[must_use]
    pub fn with(self, name: &'static str, value: impl fmt::Display) -> Self {
        self.with_option(name, Some(value))
    }

    /// With a field that this code may lack: then it is null for programs, and not shown to people.
    #[must_use]
    pub fn with_option(mut self, name: &'static str, value: Option<impl fmt::Display>) -> Self {
        self.fields.push((name, value.map(|value| value.to_string())));
        self
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("valid", &true)?;
        for (name, value) in &self.fields {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// For people: the code on the first line, a field a line below.
impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: valid", self.printed)?;
        for (name, value) in &self.fields {
            if let Some(value) = value {
                write!(f, "\n{}: {value}", name.replace('_', " "))?;
            }
        }
        Ok(())
    }
}

/// A number with its unit, ready for both readers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    value: String,
    code: &'static str,
    fraction: Option<String>,
    printed: String,
}

impl Shown {
    /// A quantity: its exact decimal, or six decimals half up with the fraction beside them.
    #[must_use]
    pub fn exact(quantity: Quantity) -> Self {
        Self::number(quantity.value(), quantity.unit().ucum(), quantity.to_string())
    }

    /// A quantity that was rounded to six decimals because it is irrational.
    #[must_use]
    pub fn irrational(quantity: Quantity) -> Self {
        Self {
            value: quantity.value().decimal(SHOWN_DECIMALS),
            code: quantity.unit().ucum(),
            fraction: None,
            printed: quantity.to_string(),
        }
    }

    /// A number in a unit outside the closed list, which only `convert` has.
    #[must_use]
    pub fn number(value: Rational, code: &'static str, printed: String) -> Self {
        match value.exact_decimal() {
            Some(value) => Self { value, code, fraction: None, printed },
            None => Self {
                value: value.decimal(SHOWN_DECIMALS),
                code,
                fraction: Some(value.fraction()),
                printed,
            },
        }
    }
}

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("value", &self.value)?;
        map.serialize_entry("unit", self.code)?;
        if let Some(fraction) = &self.fraction {
            map.serialize_entry("fraction", fraction)?;
        }
        map.end()
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.printed)?;
        match &self.fraction {
            Some(fraction) => write!(f, " (exactly {fraction})"),
            None => Ok(()),
        }
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// A stable name for programs, in capitals and underscores.
    pub reason: &'static str,
    /// What was wrong and what to do instead, for people.
    pub message: String,
}

impl Serialize for Refused {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("error", &Reason { reason: self.reason, message: &self.message })?;
        map.end()
    }
}

#[derive(serde::Serialize)]
struct Reason<'a> {
    reason: &'a str,
    message: &'a str,
}

impl From<DosingError> for Refused {
    fn from(error: DosingError) -> Self {
        Self { reason: error.reason(), message: error.to_string() }
    }
}

impl From<QuantityError> for Refused {
    fn from(error: QuantityError) -> Self {
        Self { reason: error.reason(), message: error.to_string() }
    }
}

impl From<OutOfRange> for Refused {
    fn from(error: OutOfRange) -> Self {
        QuantityError::from(error).into()
    }
}
