//! Identifiers that other people issue: drug codes, trade item numbers, barcode texts, registration
//! numbers.
//!
//! Each is a type whose value has passed every check that its text allows, and each refusal says
//! what was wrong, what was expected and what to do. A passed check means that the number is well
//! formed, not that it was ever issued: that only the issuer's list can tell.

mod dea;
mod gs1;
mod gtin;
mod ndc;
mod npi;

pub use dea::{DeaError, DeaNumber};
pub use gs1::{Gs1Error, LabelTextError, Lot, Scan, Serial};
pub use gtin::{Gtin, GtinError};
pub use ndc::{Ndc, NdcError, NdcLayout};
pub use npi::{Npi, NpiError};

/// The value of an ASCII digit.
fn digit(byte: u8) -> Option<u32> {
    byte.is_ascii_digit().then(|| u32::from(byte - b'0'))
}

/// Whether the text is made of ASCII digits only, and of at least one.
fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A text as an error message may quote it: at most 40 characters of it, control characters made
/// visible.
fn quoted(text: &str) -> String {
    const SHOWN: usize = 40;
    let mut shown: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}
