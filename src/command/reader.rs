//! Reading fields while collecting everything that is wrong with them.

use std::fmt::Display;
use std::str::FromStr;

use crate::pb::v1;
use crate::time::{Date, Timestamp};
use crate::units::{Amount, Quantity};
use crate::wire::{date_from_wire, quantity_from_wire, timestamp_from_wire};

/// One thing that is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Path of the field, such as `inputs.weight.quantity`.
    pub field: String,
    /// What was wrong, what was expected, what to send.
    pub description: String,
}

/// Collects violations; every method gives a value, or nothing after noting why.
#[derive(Default)]
pub(super) struct Reader {
    violations: Vec<Violation>,
}

impl Reader {
    pub(super) fn finish(self) -> Result<(), Vec<Violation>> {
        if self.violations.is_empty() { Ok(()) } else { Err(self.violations) }
    }

    pub(super) fn violation(&mut self, field: &str, description: impl Display) {
        self.violations
            .push(Violation { field: field.to_owned(), description: description.to_string() });
    }

    /// A message's bytes, decoded once.
    pub(super) fn message<M: prost::Message + Default>(&mut self, bytes: &[u8]) -> Option<M> {
        self.take(
            "",
            M::decode(bytes).map_err(|_| "the bytes are not this message; check the schema"),
        )
    }

    /// A value, or the reason why it is none.
    pub(super) fn take<T>(&mut self, field: &str, value: Result<T, impl Display>) -> Option<T> {
        value.map_err(|error| self.violation(field, error)).ok()
    }

    /// Something that must be there.
    pub(super) fn required<T>(&mut self, field: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.violation(field, "is missing; it is required");
        }
        value
    }

    /// A resource name, or another text with one spelling.
    pub(super) fn name<T>(&mut self, field: &str, text: &str) -> Option<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        if text.is_empty() {
            return self.required(field, None);
        }
        self.take(field, text.parse())
    }

    /// The same, where it may be absent: absent is empty.
    pub(super) fn optional_name<T>(&mut self, field: &str, text: &str) -> Option<T>
    where
        T: FromStr,
        T::Err: Display,
    {
        if text.is_empty() { None } else { self.take(field, text.parse()) }
    }

    /// Text of 1 to `max` characters without control characters.
    pub(super) fn text(&mut self, field: &str, text: &str, max: usize) -> Option<String> {
        if text.trim().is_empty() {
            return self.required(field, None);
        }
        self.optional_text(field, text, max)
    }

    /// Text that may be absent: absent is empty. Blank is neither: a reason of spaces is no reason.
    pub(super) fn optional_text(&mut self, field: &str, text: &str, max: usize) -> Option<String> {
        if text.is_empty() {
            return None;
        }
        if text.trim().is_empty() {
            self.violation(field, "is blank; write it out, or leave it away");
            return None;
        }
        let chars = text.chars().count();
        if chars > max {
            self.violation(field, format!("has {chars} characters; send at most {max}"));
            return None;
        }
        if text.chars().any(char::is_control) {
            self.violation(field, "holds a control character; send plain text on one line");
            return None;
        }
        Some(text.to_owned())
    }

    /// A moment that must be there.
    pub(super) fn moment(
        &mut self,
        field: &str,
        wire: Option<&prost_types::Timestamp>,
    ) -> Option<Timestamp> {
        let wire = self.required(field, wire)?;
        self.take(field, timestamp_from_wire(wire))
    }

    /// A day that may be absent.
    pub(super) fn optional_date(&mut self, field: &str, wire: Option<&v1::Date>) -> Option<Date> {
        self.take(field, date_from_wire(wire?))
    }

    /// A quantity that must be there.
    pub(super) fn quantity(
        &mut self,
        field: &str,
        wire: Option<&v1::Quantity>,
    ) -> Option<Quantity> {
        let wire = self.required(field, wire)?;
        self.take(field, quantity_from_wire(wire))
    }

    /// A quantity of one kind that must be there.
    pub(super) fn measure<T>(&mut self, field: &str, wire: Option<&v1::Quantity>) -> Option<T>
    where
        T: TryFrom<Quantity>,
        T::Error: Display,
    {
        let quantity = self.quantity(field, wire)?;
        self.take(field, T::try_from(quantity))
    }

    /// A quantity of one kind that may be absent.
    pub(super) fn optional_measure<T>(
        &mut self,
        field: &str,
        wire: Option<&v1::Quantity>,
    ) -> Option<T>
    where
        T: TryFrom<Quantity>,
        T::Error: Display,
    {
        wire.and_then(|wire| self.measure(field, Some(wire)))
    }

    /// An amount above zero.
    pub(super) fn amount(&mut self, field: &str, wire: Option<&v1::Quantity>) -> Option<Amount> {
        let amount: Amount = self.measure(field, wire)?;
        if amount.is_zero() {
            self.violation(field, "is zero; send what was really taken, above zero");
            return None;
        }
        Some(amount)
    }

    /// An enum value that is known and set.
    pub(super) fn choice<E>(&mut self, field: &str, number: i32) -> Option<E>
    where
        E: TryFrom<i32> + Default + PartialEq,
    {
        match E::try_from(number) {
            Ok(value) if value != E::default() => Some(value),
            _ => {
                let what = if number == 0 { "is not set" } else { "is not a known value" };
                self.violation(field, format!("{what}; choose one of the enum's values"));
                None
            }
        }
    }

    /// Bytes of one length.
    pub(super) fn bytes<const N: usize>(&mut self, field: &str, bytes: &[u8]) -> Option<[u8; N]> {
        let found = bytes.len();
        self.take(field, bytes.try_into().map_err(|_| format!("has {found} bytes; send {N}")))
    }
}
