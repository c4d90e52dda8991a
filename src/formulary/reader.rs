//! Reading with a finger on the line: every refusal is noted where it stands, and reading goes on.

use super::raw::Text;
use super::word::Word;
use crate::units::Span;
use std::fmt;
use std::ops::Range;
use toml::Spanned;

/// The longest text of a field, in characters: a source with its page, a question, a note.
const MAX_TEXT_CHARS: usize = 600;

const MICROSECONDS_PER_MINUTE: u64 = 60_000_000;

/// What is wrong with a formulary, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct FormularyError {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What was wrong, what was expected, what to do.
    pub message: String,
}

/// The mark of a value that was refused: the refusal itself is noted where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused;

/// A value, unless it was refused.
pub(super) type Read<T> = Result<T, Refused>;

/// The text that is read and what has been found wrong so far.
pub(super) struct Reader<'t> {
    text: &'t str,
    errors: Vec<FormularyError>,
}

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, errors: Vec::new() }
    }

    /// Notes a refusal at this place of the text.
    pub(super) fn refuse(&mut self, place: &Range<usize>, message: impl fmt::Display) -> Refused {
        let before = self.text.get(..place.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before.get(line_start..).map_or(0, |line| line.chars().count()) + 1;
        let line = before.matches('\n').count() + 1;
        self.errors.push(FormularyError { line, column, message: message.to_string() });
        Refused
    }

    /// Notes what the TOML library found; at `place` if it does not say where.
    pub(super) fn refuse_toml(&mut self, error: &toml::de::Error, place: &Range<usize>) -> Refused {
        let place = error.span().unwrap_or_else(|| place.clone());
        self.refuse(&place, error.message().replace('\n', "; "))
    }

    /// The value of a field, as `parse` reads it.
    pub(super) fn value<T, E: fmt::Display>(
        &mut self,
        field: &Text,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Read<T> {
        parse(field.get_ref()).map_err(|error| self.refuse(&field.span(), error))
    }

    /// The same for a field that may be absent.
    pub(super) fn optional<T, E: fmt::Display>(
        &mut self,
        field: Option<&Text>,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Read<Option<T>> {
        match field {
            Some(field) => self.value(field, parse).map(Some),
            None => Ok(None),
        }
    }

    /// A field that is one of a closed list of words.
    pub(super) fn word<W: Word>(&mut self, field: &Text) -> Read<W> {
        self.value(field, W::read)
    }

    /// A field that people read: one line, not empty.
    pub(super) fn prose(&mut self, field: &Text) -> Read<String> {
        self.value(field, |text| {
            if (1..=MAX_TEXT_CHARS).contains(&text.chars().count())
                && text.trim() == text
                && !text.contains(char::is_control)
            {
                Ok(text.to_owned())
            } else {
                Err(format!(
                    "write one line of 1 to {MAX_TEXT_CHARS} characters without spaces at its ends"
                ))
            }
        })
    }

    /// A field that is a number within these bounds.
    pub(super) fn number(
        &mut self,
        field: &Spanned<u16>,
        bounds: std::ops::RangeInclusive<u16>,
    ) -> Read<u16> {
        let number = *field.get_ref();
        if bounds.contains(&number) {
            return Ok(number);
        }
        let (low, high) = bounds.into_inner();
        let message = format!("{number} is out of range; write {low} to {high}");
        Err(self.refuse(&field.span(), message))
    }

    /// A field that is a time in whole minutes within these bounds.
    pub(super) fn minutes(
        &mut self,
        field: &Spanned<u16>,
        bounds: std::ops::RangeInclusive<u16>,
    ) -> Read<Span> {
        let minutes = self.number(field, bounds)?;
        Ok(Span::from_microseconds(u64::from(minutes) * MICROSECONDS_PER_MINUTE)
            .expect("at most 65,535 minutes, which a span holds"))
    }

    /// Whether anything was found wrong so far.
    pub(super) fn has_errors(&self) -> bool {
        !self.errors.is_empty()
    }

    /// What was found wrong, in the order of the text.
    pub(super) fn into_errors(mut self) -> Vec<FormularyError> {
        self.errors.sort_by_key(|error| (error.line, error.column));
        self.errors
    }
}
