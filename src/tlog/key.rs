//! Ed25519, strictly: one encoding for a key, no weak keys, one verdict on a signature.
//!
//! Lenient, cofactored and batch verification disagree on crafted signatures. Two auditors must
//! never disagree, so there is a single way in here: [`PublicKey::verify`], which is RFC 8032 with
//! the checks that the lenient ones leave out.

use std::cmp::Ordering;
use std::fmt;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use super::text;

/// The length of an Ed25519 public key, in bytes.
pub const PUBLIC_KEY_BYTES: usize = 32;
/// The length of an Ed25519 signature, in bytes.
pub const SIGNATURE_BYTES: usize = 64;

/// An Ed25519 public key that is canonically encoded and not of small order.
///
/// It is kept decoded, because decoding costs a tenth of a verification. Keys are ordered by their
/// bytes.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "[u8; 32]", into = "[u8; 32]")]
pub struct PublicKey(VerifyingKey);

/// Why some bytes are not a public key that is accepted here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PublicKeyError {
    /// The wrong number of bytes.
    #[error("an Ed25519 public key has {PUBLIC_KEY_BYTES} bytes, found {found}")]
    Length {
        /// How many bytes there were.
        found: usize,
    },
    /// The bytes are no point of the curve.
    #[error("the 32 bytes are not a point of the Ed25519 curve: send the public key itself")]
    NotAPoint,
    /// A second spelling of a point, which other verifiers may refuse.
    #[error("the public key is not canonically encoded: make a new key")]
    NotCanonical,
    /// A point of small order: signatures under it verify for messages that nobody signed.
    #[error("the public key is weak (of small order): make a new key")]
    Weak,
}

/// A signature that does not verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The wrong number of bytes.
    #[error("an Ed25519 signature has {SIGNATURE_BYTES} bytes, found {found}")]
    Length {
        /// How many bytes there were.
        found: usize,
    },
    /// The signature is not this key's over this message.
    #[error("the Ed25519 signature does not verify: other key, other bytes, or altered")]
    Invalid,
}

impl PublicKey {
    /// Decodes a key; refuses points off the curve, second spellings and points of small order.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PublicKeyError> {
        let bytes: &[u8; PUBLIC_KEY_BYTES] =
            bytes.try_into().map_err(|_| PublicKeyError::Length { found: bytes.len() })?;
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| PublicKeyError::NotAPoint)?;
        if key.to_edwards().compress().as_bytes() != bytes {
            return Err(PublicKeyError::NotCanonical);
        }
        if key.is_weak() {
            return Err(PublicKeyError::Weak);
        }
        Ok(Self(key))
    }

    /// The public half of a signing key, which is canonical and strong by construction.
    #[must_use]
    pub fn of(signing_key: &SigningKey) -> Self {
        Self(signing_key.verifying_key())
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; PUBLIC_KEY_BYTES] {
        self.0.as_bytes()
    }

    /// Checks a 64-byte signature over exactly these bytes, strictly.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        let signature = Signature::from_slice(signature)
            .map_err(|_| SignatureError::Length { found: signature.len() })?;
        self.0.verify_strict(message, &signature).map_err(|_| SignatureError::Invalid)
    }
}

/// Signs exactly these bytes with Ed25519 (RFC 8032): 64 bytes, the same for the same key and
/// message.
#[must_use]
pub fn sign(key: &SigningKey, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
    key.sign(message).to_bytes()
}

impl Ord for PublicKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl PartialOrd for PublicKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl TryFrom<[u8; PUBLIC_KEY_BYTES]> for PublicKey {
    type Error = PublicKeyError;

    fn try_from(bytes: [u8; PUBLIC_KEY_BYTES]) -> Result<Self, PublicKeyError> {
        Self::from_bytes(&bytes)
    }
}

impl From<PublicKey> for [u8; PUBLIC_KEY_BYTES] {
    fn from(key: PublicKey) -> Self {
        *key.as_bytes()
    }
}

impl fmt::Display for PublicKey {
    /// Canonical base64: 44 characters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text::encode_base64(self.as_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(first: u8, middle: u8, last: u8) -> [u8; 32] {
        let mut bytes = [middle; 32];
        bytes[0] = first;
        bytes[31] = last;
        bytes
    }

    #[test]
    fn weak_and_doubtful_keys_are_refused() {
        // p = 2^255 - 19 is ed ff … ff 7f, little-endian. y = 1 is the identity; y = p - 1 has
        // order 2; y = 0 has order 4; y = p + 1 spells the identity, y = p + 4 the point y = 4; the
        // top bit is the sign of x.
        let table = [
            (bytes(0x01, 0, 0), PublicKeyError::Weak),
            (bytes(0xec, 0xff, 0x7f), PublicKeyError::Weak),
            (bytes(0x00, 0, 0), PublicKeyError::Weak),
            (bytes(0x00, 0, 0x80), PublicKeyError::Weak),
            (bytes(0x01, 0, 0x80), PublicKeyError::NotCanonical),
            (bytes(0xec, 0xff, 0xff), PublicKeyError::NotCanonical),
            (bytes(0xee, 0xff, 0x7f), PublicKeyError::NotCanonical),
            (bytes(0xf1, 0xff, 0x7f), PublicKeyError::NotCanonical),
            (bytes(0x02, 0, 0), PublicKeyError::NotAPoint),
        ];
        for (bytes, reason) in table {
            assert_eq!(PublicKey::from_bytes(&bytes), Err(reason), "{bytes:02x?}");
        }
        assert!(PublicKey::from_bytes(&bytes(0x04, 0, 0)).is_ok());
        assert_eq!(PublicKey::from_bytes(&[9; 31]), Err(PublicKeyError::Length { found: 31 }));
    }

    #[test]
    fn a_signature_verifies_only_whole_over_its_own_message_and_key() {
        let (mine, other) = (SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32]));
        let signature = sign(&mine, b"message");
        let key = PublicKey::of(&mine);
        assert_eq!(key.verify(b"message", &signature), Ok(()));
        assert_eq!(key.verify(b"massage", &signature), Err(SignatureError::Invalid));
        assert_eq!(
            PublicKey::of(&other).verify(b"message", &signature),
            Err(SignatureError::Invalid)
        );
        let short = SignatureError::Length { found: 63 };
        assert_eq!(key.verify(b"message", &signature[..63]), Err(short));
    }

    #[test]
    fn a_signature_with_its_scalar_moved_by_the_group_order_is_refused() {
        // S + l signs the same equation; RFC 8032 section 5.1.7 demands S < l. l, little-endian:
        let order: [u8; 32] = [
            0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9,
            0xde, 0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
        ];
        let signing_key = SigningKey::from_bytes(&[1; 32]);
        let mut signature = sign(&signing_key, b"message");
        let mut carry = 0u16;
        for (byte, add) in signature[32..].iter_mut().zip(order) {
            let sum = u16::from(*byte) + u16::from(add) + carry;
            [*byte, _] = sum.to_le_bytes();
            carry = sum >> 8;
        }
        let verdict = PublicKey::of(&signing_key).verify(b"message", &signature);
        assert_eq!(verdict, Err(SignatureError::Invalid));
    }
}
