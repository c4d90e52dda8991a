//! Who a patient is, and the commitment that stands for it in the chain.
//!
//! An entry never holds a name. It holds a [`Commitment`]: a hash of the identity and of four random salts. Whoever is
//! shown the [`Opening`], which is the identity with its salts, can prove that the commitment is to this identity and to
//! no other; whoever has the commitment alone learns nothing, however well they can guess names and days of birth. So
//! the ledger verifies with identities opened or withheld, and an identity can be destroyed while its entries stay.
//!
//! # The commitment
//!
//! Each field is hashed with a salt of its own, so that one field can be opened later without the others:
//!
//! ```text
//! leaf i     = SHA-256(0x00 || salt i || number of the field, one byte || bytes of the field)        i = 1, 2, 3, 4
//! commitment = SHA-256(0x01 || "vialedger.v1.PatientIdentity" || 0x0A || leaf 1 || leaf 2 || leaf 3 || leaf 4)
//! ```
//!
//! | i | field of `vialedger.v1.PatientIdentity` | its bytes |
//! |---|---|---|
//! | 1 | `display_name` | the text in UTF-8, as it was sent: nothing is trimmed, folded or normalised |
//! | 2 | `address` | the same |
//! | 3 | `birth_date` | ten ASCII characters: year, month and day as `1984-02-29` |
//! | 4 | `identifiers` | for each in its order: its length in bytes, 16 bits big-endian, then the text in UTF-8 |
//!
//! A salt is 32 bytes and the number of a field one byte, so no two sets of fields are hashed from the same bytes. The
//! first byte keeps a leaf from posing as a commitment. Salts must differ from each other: a salt that is used for two
//! fields lets whoever is shown one of them guess the other.

mod occurrence;
mod wire;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha2::{Digest as _, Sha256};

use crate::time::Date;

/// Characters of a patient's name at most.
pub const MAX_NAME_CHARS: usize = 200;
/// Characters of an address at most.
pub const MAX_ADDRESS_CHARS: usize = 500;
/// Identifiers of one patient at most.
pub const MAX_IDENTIFIERS: usize = 8;
/// Characters of an identifier at most.
pub const MAX_IDENTIFIER_CHARS: usize = 64;
/// Bytes of a salt: as many as the hash has, so that no salt is ever guessed.
pub const SALT_BYTES: usize = 32;
/// Fields of an identity, and so salts of an opening.
pub const FIELDS: usize = 4;
/// Bytes of a commitment.
pub const COMMITMENT_BYTES: usize = 32;

/// First byte of what is hashed for a field.
const LEAF_PREFIX: [u8; 1] = [0x00];
/// What is hashed before the four leaves.
const COMMITMENT_PREFIX: &[u8] = b"\x01vialedger.v1.PatientIdentity\n";

/// Who a patient is. Its bounds are those of `vialedger.v1.PatientIdentity`; it is never printed by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    display_name: String,
    address: String,
    birth_date: Date,
    identifiers: Vec<String>,
}

/// An identity with the salts of its commitment. Never printed by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Opening {
    /// The identity.
    pub identity: Identity,
    /// A salt for each field, in the order of the fields' numbers. Each is used once, and differs from the others.
    pub salts: [[u8; SALT_BYTES]; FIELDS],
}

/// What an entry holds in an identity's place: 32 bytes, written in hex. Ordered by its bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Commitment([u8; COMMITMENT_BYTES]);

/// Why some bytes or some text are not a commitment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitmentError {
    /// The wrong number of bytes.
    #[error(
        "a commitment has {COMMITMENT_BYTES} bytes, found {found}; send it as SealIdentity answered it"
    )]
    Length {
        /// How many bytes there were.
        found: usize,
    },
    /// Not hex.
    #[error("a commitment is written as 64 digits of 0-9 and a-f, found other text")]
    Hex,
}

impl Identity {
    /// An identity within its bounds. Everything that is wrong is told at once: the field, and what to send instead.
    pub fn new(
        display_name: String,
        address: String,
        birth_date: Date,
        identifiers: Vec<String>,
    ) -> Result<Self, Vec<(String, String)>> {
        let mut wrong = Vec::new();
        wire::check_text(&mut wrong, "display_name", &display_name, MAX_NAME_CHARS);
        wire::check_text(&mut wrong, "address", &address, MAX_ADDRESS_CHARS);
        wire::check_identifiers(&mut wrong, "identifiers", &identifiers);
        if wrong.is_empty() {
            Ok(Self { display_name, address, birth_date, identifiers })
        } else {
            Err(wrong)
        }
    }

    /// The name.
    #[must_use]
    pub fn display_name(&self) -> &str {
        &self.display_name
    }

    /// The postal address.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The day of birth.
    #[must_use]
    pub fn birth_date(&self) -> Date {
        self.birth_date
    }

    /// Identifiers such as a chart or insurance number.
    #[must_use]
    pub fn identifiers(&self) -> &[String] {
        &self.identifiers
    }

    /// Completed years on a day; nothing when the day is before birth.
    ///
    /// Whoever was born on 29 February completes a year on 1 March where there is no 29th. That is site policy and no
    /// law everywhere: of the two days that are in use it is the later, so that nobody is taken for of age too early.
    #[must_use]
    pub fn age_on(&self, day: Date) -> Option<u32> {
        (day >= self.birth_date).then(|| day.full_years_since(self.birth_date).into())
    }

    /// The bytes of each field, in the order of the fields' numbers.
    fn field_bytes(&self) -> [Vec<u8>; FIELDS] {
        let mut identifiers = Vec::new();
        for identifier in &self.identifiers {
            let length = u16::try_from(identifier.len()).expect("an identifier has 64 characters");
            identifiers.extend_from_slice(&length.to_be_bytes());
            identifiers.extend_from_slice(identifier.as_bytes());
        }
        [
            self.display_name.clone().into_bytes(),
            self.address.clone().into_bytes(),
            self.birth_date.to_string().into_bytes(),
            identifiers,
        ]
    }
}

impl Opening {
    /// The commitment that this opens.
    #[must_use]
    pub fn commitment(&self) -> Commitment {
        let mut commitment = Sha256::new_with_prefix(COMMITMENT_PREFIX);
        let fields = self.identity.field_bytes();
        for ((number, salt), field) in (1_u8..).zip(&self.salts).zip(&fields) {
            let leaf = Sha256::new_with_prefix(LEAF_PREFIX)
                .chain_update(salt)
                .chain_update([number])
                .chain_update(field);
            commitment.update(leaf.finalize());
        }
        Commitment(commitment.finalize().into())
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(…)")
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opening(…, of {})", self.commitment())
    }
}

impl Commitment {
    /// A commitment from its 32 bytes.
    #[must_use]
    pub const fn new(bytes: [u8; COMMITMENT_BYTES]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; COMMITMENT_BYTES] {
        &self.0
    }
}

impl TryFrom<&[u8]> for Commitment {
    type Error = CommitmentError;

    fn try_from(bytes: &[u8]) -> Result<Self, CommitmentError> {
        bytes.try_into().map(Self).map_err(|_| CommitmentError::Length { found: bytes.len() })
    }
}

impl FromStr for Commitment {
    type Err = CommitmentError;

    /// Reads 64 digits of hex in small letters, the one spelling.
    fn from_str(text: &str) -> Result<Self, CommitmentError> {
        let mut bytes = [0; COMMITMENT_BYTES];
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != COMMITMENT_BYTES || !rest.is_empty() {
            return Err(CommitmentError::Hex);
        }
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = hex_digit(*high)? << 4 | hex_digit(*low)?;
        }
        Ok(Self(bytes))
    }
}

fn hex_digit(digit: u8) -> Result<u8, CommitmentError> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(CommitmentError::Hex),
    }
}

impl fmt::Display for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Commitment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Commitment({self})")
    }
}

impl Serialize for Commitment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Commitment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
        } else {
            <[u8; COMMITMENT_BYTES]>::deserialize(deserializer).map(Self)
        }
    }
}

#[cfg(test)]
mod tests;
