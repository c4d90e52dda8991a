//! GS1 element strings: what a scanner reads from the two-dimensional barcode of a pack.
//!
//! A barcode is a run of application identifiers (AIs), each with a value. Values of fixed length
//! follow each other; a value of variable length ends at the separator FNC1, which scanners send as
//! the control character GS (0x1D). A scanner that is set up badly drops the separator, and then a
//! lot swallows the expiry that follows it. A text in which that may have happened is refused: a
//! wrong lot or a missing expiry would stand in the register for years.

mod element;
mod label;

use super::{Gtin, GtinError, all_digits, quoted};
use crate::time::Date;
use element::{AI_BEST_BEFORE, AI_EXPIRY, AI_GTIN, AI_LOT, AI_PRODUCTION, AI_SERIAL, Ai};
pub use label::{LabelTextError, Lot, Serial};
use std::fmt;

/// FNC1 as scanners transmit it: the ASCII group separator.
const SEPARATOR: char = '\u{1d}';
/// The longest scan that is looked at, in bytes. The largest GS1 `DataMatrix` in use on drugs holds
/// far less.
const MAX_SCAN_BYTES: usize = 512;
/// Symbology identifiers (ISO/IEC 15424) of the carriers of element strings: GS1 `DataMatrix`,
/// GS1-128, GS1 `DataBar`, GS1 QR Code and GS1 `DotCode`.
const SYMBOLOGIES: [&str; 5] = ["]d2", "]C1", "]e0", "]Q3", "]J1"];
/// A serial number or lot that a missing separator swallowed has at least so many characters;
/// shorter tails that begin like one are taken for part of the value, since any few digits may.
const MIN_SWALLOWED_CHARS: usize = 4;

/// What one scan says, every part checked. A part that the barcode does not carry is `None`;
/// nothing is filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    elements: Vec<(Ai, String)>,
    gtin: Option<Gtin>,
    lot: Option<Lot>,
    serial: Option<Serial>,
    expiry: Option<Date>,
    best_before: Option<Date>,
    production: Option<Date>,
}

/// Why a text is not a scan that can be relied on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Gs1Error {
    /// Nothing was read.
    #[error("the scan is empty; scan the two-dimensional barcode of the pack again")]
    Empty,
    /// More than a pack's barcode holds.
    #[error("the scan has {bytes} bytes, more than {MAX_SCAN_BYTES}; scan one pack at a time")]
    TooLong {
        /// Bytes that were read.
        bytes: usize,
    },
    /// The scanner names a kind of barcode that carries no element string.
    #[error(
        "`{text}` begins with the mark of a barcode without GS1 elements; \
         expected ]d2, ]C1, ]e0, ]Q3 or ]J1: scan the square barcode of the pack"
    )]
    Symbology {
        /// The first characters.
        text: String,
    },
    /// No application identifier that we know stands here.
    #[error(
        "`{text}` does not begin with an application identifier that is known here; \
         expected 01, 10, 11, 15, 17, 21, 30, 37 or 710 to 714: \
         scan again, or type the fields of the label"
    )]
    UnknownIdentifier {
        /// The rest of the scan from there.
        text: String,
    },
    /// A value ends early, is too long or is not made of the characters that its identifier allows.
    #[error("the value `{value}` of ({ai}) is not allowed; expected {expected}: scan again")]
    Value {
        /// The application identifier.
        ai: &'static str,
        /// What was read.
        value: String,
        /// What its identifier allows.
        expected: &'static str,
    },
    /// The GTIN is not one.
    #[error("(01): {0}")]
    Gtin(#[from] GtinError),
    /// Six digits that are no date.
    #[error(
        "the value `{value}` of ({ai}) is not a date; \
         expected YYMMDD, with 00 for the end of the month: scan again"
    )]
    Date {
        /// The application identifier.
        ai: &'static str,
        /// What was read.
        value: String,
    },
    /// One identifier twice, with two values.
    #[error(
        "({ai}) stands twice, with `{first}` and `{second}`; two packs were read as one: scan again"
    )]
    Twice {
        /// The application identifier.
        ai: &'static str,
        /// The first value.
        first: String,
        /// The other value.
        second: String,
    },
    /// A value of variable length may have swallowed what followed it.
    #[error(
        "the value `{value}` of ({ai}) may have swallowed `{swallowed}` \
         because the separator (FNC1) is missing; \
         set the scanner to send it as GS and scan again, or type the fields of the label"
    )]
    MissingSeparator {
        /// The application identifier of the long value.
        ai: &'static str,
        /// The long value.
        value: String,
        /// The part of it that reads as further elements, with brackets.
        swallowed: String,
    },
}

impl Scan {
    /// Reads the raw text of a scanner, or the line that is printed under a barcode,
    /// `(01)00304092051057(17)280331…`.
    ///
    /// `reference_year` is the year in which the scan is made: it settles the century of two-digit
    /// years, which GS1 takes from the 49 years before it to the 50 years after it (GS1 General
    /// Specifications, 7.12).
    pub fn parse(text: &str, reference_year: u16) -> Result<Self, Gs1Error> {
        if text.len() > MAX_SCAN_BYTES {
            return Err(Gs1Error::TooLong { bytes: text.len() });
        }
        let elements = if text.starts_with('(') {
            bracketed_elements(text)?
        } else {
            let elements = raw_elements(strip_symbology(text)?)?;
            refuse_swallowed(&elements, reference_year)?;
            elements
        };
        Self::from_elements(elements, reference_year)
    }

    /// The trade item number, AI 01.
    #[must_use]
    pub fn gtin(&self) -> Option<Gtin> {
        self.gtin
    }

    /// The lot, AI 10.
    #[must_use]
    pub fn lot(&self) -> Option<&Lot> {
        self.lot.as_ref()
    }

    /// The serial number, AI 21.
    #[must_use]
    pub fn serial(&self) -> Option<&Serial> {
        self.serial.as_ref()
    }

    /// The last day on which the drug may be used, AI 17.
    #[must_use]
    pub fn expiry(&self) -> Option<Date> {
        self.expiry
    }

    /// The best-before date, AI 15. It is not an expiry, and is never put in its place.
    #[must_use]
    pub fn best_before(&self) -> Option<Date> {
        self.best_before
    }

    /// The date of production, AI 11.
    #[must_use]
    pub fn production(&self) -> Option<Date> {
        self.production
    }

    /// Every identifier with its value, in the order of the barcode.
    pub fn elements(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.elements.iter().map(|(ai, value)| (ai.code, value.as_str()))
    }

    fn from_elements(elements: Vec<(Ai, String)>, reference_year: u16) -> Result<Self, Gs1Error> {
        let mut scan = Self {
            elements: Vec::with_capacity(elements.len()),
            gtin: None,
            lot: None,
            serial: None,
            expiry: None,
            best_before: None,
            production: None,
        };
        for (ai, value) in elements {
            scan.take(ai, &value, reference_year)?;
            match scan.elements.iter().find(|(earlier, _)| earlier.code == ai.code) {
                Some((_, first)) if *first != value => {
                    let (first, second) = (quoted(first), quoted(&value));
                    return Err(Gs1Error::Twice { ai: ai.code, first, second });
                }
                Some(_) => {}
                None => scan.elements.push((ai, value)),
            }
        }
        if scan.elements.is_empty() { Err(Gs1Error::Empty) } else { Ok(scan) }
    }

    /// Checks one value and files it under its name.
    fn take(&mut self, ai: Ai, value: &str, reference_year: u16) -> Result<(), Gs1Error> {
        if !ai.allows(value) {
            return Err(value_error(ai, value));
        }
        let date = || {
            element::date(value, reference_year)
                .ok_or_else(|| Gs1Error::Date { ai: ai.code, value: quoted(value) })
        };
        match ai.code {
            AI_GTIN => self.gtin = Some(value.parse()?),
            AI_LOT => self.lot = Some(value.parse().map_err(|_| value_error(ai, value))?),
            AI_SERIAL => self.serial = Some(value.parse().map_err(|_| value_error(ai, value))?),
            AI_EXPIRY => self.expiry = Some(date()?),
            AI_BEST_BEFORE => self.best_before = Some(date()?),
            AI_PRODUCTION => self.production = Some(date()?),
            _ => {}
        }
        Ok(())
    }
}

fn value_error(ai: Ai, value: &str) -> Gs1Error {
    Gs1Error::Value { ai: ai.code, value: quoted(value), expected: ai.expected() }
}

/// Takes off the mark by which a scanner names the kind of barcode, and an FNC1 that it sends
/// first.
fn strip_symbology(text: &str) -> Result<&str, Gs1Error> {
    let text = match SYMBOLOGIES.iter().find_map(|mark| text.strip_prefix(mark)) {
        Some(rest) => rest,
        None if text.starts_with(']') => {
            return Err(Gs1Error::Symbology { text: quoted(text.get(..3).unwrap_or(text)) });
        }
        None => text,
    };
    Ok(text.strip_prefix(SEPARATOR).unwrap_or(text))
}

/// Divides the raw text of a scanner into elements.
fn raw_elements(text: &str) -> Result<Vec<(Ai, String)>, Gs1Error> {
    let mut elements = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (ai, after) = Ai::at_start_of(rest)
            .ok_or_else(|| Gs1Error::UnknownIdentifier { text: quoted(rest) })?;
        let (value, next) = match ai.fixed_length() {
            Some(length) => after.split_at_checked(length).ok_or_else(|| value_error(ai, after))?,
            None => after.split_at(after.find(SEPARATOR).unwrap_or(after.len())),
        };
        elements.push((ai, value.to_owned()));
        // A separator after a value of fixed length is superfluous and allowed.
        rest = next.strip_prefix(SEPARATOR).unwrap_or(next);
    }
    Ok(elements)
}

/// Divides the line that is printed under a barcode. A value ends where the next bracketed number
/// begins, so a value that itself holds a number in brackets cannot be written this way.
fn bracketed_elements(text: &str) -> Result<Vec<(Ai, String)>, Gs1Error> {
    let unknown = |text: &str| Gs1Error::UnknownIdentifier { text: quoted(text) };
    let mut elements = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (code, after) = bracketed_code(rest).ok_or_else(|| unknown(rest))?;
        let ai = Ai::from_code(code).ok_or_else(|| unknown(rest))?;
        let next = after
            .match_indices('(')
            .map(|(place, _)| place)
            .find(|place| bracketed_code(after.split_at(*place).1).is_some())
            .unwrap_or(after.len());
        let (value, remaining) = after.split_at(next);
        elements.push((ai, value.to_owned()));
        rest = remaining;
    }
    Ok(elements)
}

/// The number in brackets at the start of the text, two to four digits, and what follows.
fn bracketed_code(text: &str) -> Option<(&str, &str)> {
    let (code, rest) = text.strip_prefix('(')?.split_once(')')?;
    ((2..=4).contains(&code.len()) && all_digits(code)).then_some((code, rest))
}

/// Refuses a scan in which the tail of a lot or serial reads as elements that the barcode otherwise
/// lacks.
///
/// What the barcode already carries cannot have been swallowed, so a full barcode passes whatever
/// its lot looks like.
fn refuse_swallowed(elements: &[(Ai, String)], reference_year: u16) -> Result<(), Gs1Error> {
    let carried: Vec<&str> = elements.iter().map(|(ai, _)| ai.code).collect();
    for (ai, value) in elements.iter().filter(|(ai, _)| matches!(ai.code, AI_LOT | AI_SERIAL)) {
        let tails = value.char_indices().skip(1).map(|(place, _)| value.split_at(place).1);
        for tail in tails {
            if let Some(swallowed) = swallowed_elements(tail, &carried, reference_year) {
                let value = quoted(value);
                return Err(Gs1Error::MissingSeparator { ai: ai.code, value, swallowed });
            }
        }
    }
    Ok(())
}

/// The text read to its end as dates, and possibly a last lot or serial number, none of them
/// carried already; written with brackets.
fn swallowed_elements(text: &str, carried: &[&str], reference_year: u16) -> Option<String> {
    let mut found: Vec<(&str, &str)> = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (ai, after) = Ai::at_start_of(rest)?;
        if carried.contains(&ai.code) || found.iter().any(|(code, _)| *code == ai.code) {
            return None;
        }
        let (value, next) = match ai.code {
            AI_EXPIRY | AI_BEST_BEFORE | AI_PRODUCTION => {
                let (value, next) = after.split_at_checked(6)?;
                element::date(value, reference_year)?;
                (value, next)
            }
            AI_LOT | AI_SERIAL if after.len() >= MIN_SWALLOWED_CHARS => (after, ""),
            _ => return None,
        };
        found.push((ai.code, value));
        rest = next;
    }
    Some(found.into_iter().flat_map(|(code, value)| ["(", code, ")", value]).collect())
}

impl fmt::Display for Scan {
    /// The line that is printed under the barcode, every identifier in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.elements().try_for_each(|(ai, value)| write!(f, "({ai}){value}"))
    }
}

#[cfg(test)]
mod tests;
