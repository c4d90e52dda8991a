//! Identities and messages. The conversion stands here and not in `wire`, which knows the ledger's own values only: an
//! identity is in no entry.

use super::{
    FIELDS, Identity, MAX_ADDRESS_CHARS, MAX_IDENTIFIER_CHARS, MAX_IDENTIFIERS, MAX_NAME_CHARS,
    Opening, SALT_BYTES,
};
use crate::pb::v1;
use crate::time::Date;

/// What is wrong, with the field's path and what to send instead. Holds nothing of what was sent.
type Wrong = Vec<(String, String)>;

impl Opening {
    /// Reads an opening. Everything that is wrong is told at once, each with the field's path within the message.
    /// Whether the day of birth is in the future is for whoever has a clock: [`Identity::age_on`] has no answer then.
    pub fn from_wire(message: &v1::IdentityOpening) -> Result<Self, Wrong> {
        let mut wrong = Wrong::new();
        let identity = match &message.identity {
            Some(identity) => identity_from_wire(&mut wrong, identity),
            None => missing(&mut wrong, "identity"),
        };
        let salts = salts_from_wire(&mut wrong, &message.salts);
        match (identity, salts) {
            (Some(identity), Some(salts)) if wrong.is_empty() => Ok(Self { identity, salts }),
            _ => Err(wrong),
        }
    }

    /// The opening as the wire carries it.
    #[must_use]
    pub fn to_wire(&self) -> v1::IdentityOpening {
        let Identity { display_name, address, birth_date, identifiers } = &self.identity;
        v1::IdentityOpening {
            identity: Some(v1::PatientIdentity {
                display_name: display_name.clone(),
                address: address.clone(),
                birth_date: Some(v1::Date {
                    year: birth_date.year().into(),
                    month: birth_date.month().into(),
                    day: birth_date.day().into(),
                }),
                identifiers: identifiers.clone(),
            }),
            salts: self.salts.iter().map(|salt| salt.to_vec()).collect(),
        }
    }
}

fn identity_from_wire(wrong: &mut Wrong, message: &v1::PatientIdentity) -> Option<Identity> {
    check_text(wrong, "identity.display_name", &message.display_name, MAX_NAME_CHARS);
    check_text(wrong, "identity.address", &message.address, MAX_ADDRESS_CHARS);
    let birth_date = birth_date_from_wire(wrong, message.birth_date.as_ref());
    check_identifiers(wrong, "identity.identifiers", &message.identifiers);
    Some(Identity {
        display_name: message.display_name.clone(),
        address: message.address.clone(),
        birth_date: birth_date?,
        identifiers: message.identifiers.clone(),
    })
}

fn birth_date_from_wire(wrong: &mut Wrong, message: Option<&v1::Date>) -> Option<Date> {
    let field = "identity.birth_date";
    let Some(v1::Date { year, month, day }) = message else { return missing(wrong, field) };
    let date = Date::from_numbers((*year).into(), (*month).into(), (*day).into()).ok();
    if date.is_none() {
        // Not the error's own words: they repeat the numbers, and what is refused may end up in a log.
        note(wrong, field, "is no day of the calendar; send year, month and day");
    }
    date
}

fn salts_from_wire(wrong: &mut Wrong, salts: &[Vec<u8>]) -> Option<[[u8; SALT_BYTES]; FIELDS]> {
    let mut read = Vec::new();
    for (position, salt) in salts.iter().enumerate() {
        let field = format!("salts[{position}]");
        match <[u8; SALT_BYTES]>::try_from(salt.as_slice()) {
            Ok(salt) if read.contains(&salt) => {
                note(wrong, &field, "is there twice; draw random bytes for each");
            }
            Ok(salt) => read.push(salt),
            Err(_) => {
                let found = salt.len();
                note(wrong, &field, &format!("has {found} bytes; send {SALT_BYTES} random ones"));
            }
        }
    }
    if salts.len() != FIELDS {
        let found = salts.len();
        note(wrong, "salts", &format!("has {found}; send {FIELDS}, one for each field"));
    }
    read.try_into().ok()
}

/// Text of 1 to `max` characters without control characters, as in every request.
pub(super) fn check_text(wrong: &mut Wrong, field: &str, text: &str, max: usize) {
    let chars = text.chars().count();
    if text.trim().is_empty() {
        missing::<()>(wrong, field);
    } else if chars > max {
        note(wrong, field, &format!("has {chars} characters; send at most {max}"));
    } else if text.chars().any(char::is_control) {
        note(wrong, field, "holds a control character; send plain text on one line");
    }
}

/// At most eight, each a text.
pub(super) fn check_identifiers(wrong: &mut Wrong, field: &str, identifiers: &[String]) {
    if identifiers.len() > MAX_IDENTIFIERS {
        let found = identifiers.len();
        note(wrong, field, &format!("has {found}; send at most {MAX_IDENTIFIERS}"));
    }
    // Of those past the limit no more is told than that they are too many.
    for (position, identifier) in identifiers.iter().take(MAX_IDENTIFIERS).enumerate() {
        check_text(wrong, &format!("{field}[{position}]"), identifier, MAX_IDENTIFIER_CHARS);
    }
}

fn missing<T>(wrong: &mut Wrong, field: &str) -> Option<T> {
    note(wrong, field, "is missing; it is required");
    None
}

fn note(wrong: &mut Wrong, field: &str, description: &str) {
    wrong.push((field.to_owned(), description.to_owned()));
}
