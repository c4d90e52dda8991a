//! What is written to standard output: JSON for programs, tables and sentences for people.

use std::fmt::{Display, Write as _};
use std::io::{self, Write as _};

use comfy_table::{ContentArrangement, LineStyle, Table, TableStyle};
use jiff::tz::TimeZone;
use prost::Message;
use serde::Serialize;
use serde_json::Value;

use super::error::CliError;
use super::json::Schema;
use crate::time::Timestamp;
use crate::wire::timestamp_from_wire;

// One formatter prints quantities and days, on the screen as on paper.
use crate::report::plain;
pub use crate::report::{date, quantity};

/// How a line is to be seen on a terminal; written to anything else, it is plain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it is.
    Plain,
    /// A heading.
    Heading,
    /// What is as it should be.
    Good,
    /// A refusal, an alert, or a fault that was found.
    Bad,
}

impl Tone {
    /// The line between the escape sequences that begin and end it (ECMA-48, select graphic rendition).
    #[must_use]
    pub fn paint(self, line: &str) -> String {
        let begin = match self {
            Self::Plain => return line.to_owned(),
            Self::Heading => "\u{1b}[1m",
            Self::Good => "\u{1b}[32m",
            Self::Bad => "\u{1b}[31m",
        };
        format!("{begin}{line}\u{1b}[0m")
    }
}

/// Where a command's answer goes, in one of the two forms.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    json: bool,
}

impl Output {
    /// JSON for programs, or text for people.
    #[must_use]
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether a program reads the answer.
    #[must_use]
    pub fn is_json(self) -> bool {
        self.json
    }

    /// Writes an answer: the value for programs, the text for people.
    pub fn value(
        self,
        value: &impl Serialize,
        text: impl FnOnce() -> String,
    ) -> Result<(), CliError> {
        if self.json { print(&pretty(value)?) } else { print(&text()) }
    }

    /// Writes a message of the API, by its full name for programs, or the text for people.
    pub fn message(
        self,
        name: &str,
        message: &impl Message,
        text: impl FnOnce() -> String,
    ) -> Result<(), CliError> {
        if self.json { print(&pretty(&json_of(name, message)?)?) } else { print(&text()) }
    }
}

/// A message of the API as JSON, by its full name.
pub fn json_of(name: &str, message: &impl Message) -> Result<Value, CliError> {
    Ok(Schema::new().to_json(name, &message.encode_to_vec())?)
}

/// Writes one text and the end of its line. A reader that went away is no error: `vialedger entries
/// | head` is fine.
pub fn print(text: &str) -> Result<(), CliError> {
    let mut out = anstream::stdout().lock();
    match writeln!(out, "{}", text.trim_end()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(CliError::Output(error)),
        _ => Ok(()),
    }
}

/// Indented, its fields in the order in which the value has them.
pub fn pretty(value: &impl Serialize) -> Result<String, CliError> {
    serde_json::to_string_pretty(value).map_err(|error| CliError::Output(error.into()))
}

/// A table with a line under its heading, as wide as the terminal allows.
#[must_use]
pub fn table<const N: usize>(heading: [&str; N], rows: Vec<[String; N]>) -> String {
    let mut table = Table::new();
    table
        .load_style(TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─')))
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(heading);
    for row in rows {
        table.add_row(row);
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// Facts below a sentence, one line each, their labels as wide as the widest; those that are blank
/// are left out. A line without a label goes on with the one before.
#[must_use]
pub fn fields(fields: &[(&str, &dyn Display)]) -> String {
    let width = fields.iter().map(|(label, _)| label.len()).max().unwrap_or_default();
    let mut text = String::new();
    for (label, value) in fields {
        let value = value.to_string();
        if !value.is_empty() {
            let _ = write!(text, "\n  {label:<width$}  {value}");
        }
    }
    text
}

/// A moment in this device's time zone, with that zone's offset: `2026-11-20 22:15:07 -05:00`;
/// nothing where there is none.
#[must_use]
pub fn moment(wire: Option<&prost_types::Timestamp>) -> String {
    wire.and_then(|wire| timestamp_from_wire(wire).ok()).and_then(local).unwrap_or_default()
}

/// A text of the server's as people read it: in plain words, and with every moment in it in this device's time zone, for
/// the rules know no zone and write UTC.
#[must_use]
pub fn plainly(text: &str) -> String {
    let word = |word: &str| {
        let end = word.find('Z').map_or(0, |at| at + 1);
        let (moment, rest) = word.split_at_checked(end)?;
        Some(local(moment.parse().ok()?)? + rest)
    };
    let text = plain(text);
    let words = text.split_inclusive(char::is_whitespace);
    words.map(|text| word(text).unwrap_or_else(|| text.to_owned())).collect()
}

/// A moment in this device's time zone.
fn local(moment: Timestamp) -> Option<String> {
    let moment = jiff::Timestamp::from_microsecond(moment.micros()).ok()?;
    let local = moment.to_zoned(TimeZone::system());
    Some(local.strftime("%Y-%m-%d %H:%M:%S %:z").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_absent_is_blank() {
        assert_eq!((quantity(None), date(None), moment(None)), Default::default());
    }

    #[test]
    fn moments_in_a_text_are_those_of_this_device() {
        let wire = prost_types::Timestamp { seconds: 1_796_000_000, nanos: 205_415_000 };
        let here = moment(Some(&wire));
        let utc = timestamp_from_wire(&wire).unwrap().to_string();
        assert!(utc.ends_with(".205415Z"), "{utc}");
        let text = plainly(&format!("not before {utc}. If Zoe, Z9 or\n{utc}; then"));
        assert_eq!(text, format!("not before {here}. If Zoe, Z9 or\n{here}; then"));
    }
}
