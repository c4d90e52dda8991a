//! The hashes of the tree: SHA-256 with the domain separation of RFC 9162 section 2.1.1.

use std::fmt;
use std::str::FromStr;

use base64ct::{Base64, Encoding as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::text;

/// The length of a hash, in bytes.
pub const HASH_BYTES: usize = 32;

/// First byte of what is hashed for a leaf, so that no entry can pose as an inner node (RFC 9162
/// section 2.1.1).
const LEAF_PREFIX: [u8; 1] = [0x00];
/// First byte of what is hashed for an inner node.
const NODE_PREFIX: [u8; 1] = [0x01];

/// A SHA-256 hash: of a leaf, of an inner node, of a whole tree.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Hash([u8; HASH_BYTES]);

/// Why some bytes or some text are not a hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// The wrong number of bytes.
    #[error("a hash has {HASH_BYTES} bytes, found {found}")]
    Length {
        /// How many bytes there were.
        found: usize,
    },
    /// Not base64, or not its only canonical spelling.
    #[error("a hash is written as canonical base64 with padding, found other text")]
    Base64,
}

impl Hash {
    /// A hash from its 32 bytes.
    #[must_use]
    pub const fn new(bytes: [u8; HASH_BYTES]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; HASH_BYTES] {
        &self.0
    }
}

impl From<[u8; HASH_BYTES]> for Hash {
    fn from(bytes: [u8; HASH_BYTES]) -> Self {
        Self(bytes)
    }
}

impl From<Hash> for [u8; HASH_BYTES] {
    fn from(hash: Hash) -> Self {
        hash.0
    }
}

impl AsRef<[u8]> for Hash {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<&[u8]> for Hash {
    type Error = HashError;

    /// A hash from a slice of exactly 32 bytes.
    fn try_from(bytes: &[u8]) -> Result<Self, HashError> {
        bytes.try_into().map(Self).map_err(|_| HashError::Length { found: bytes.len() })
    }
}

impl FromStr for Hash {
    type Err = HashError;

    /// A hash from canonical base64 of exactly 32 bytes.
    fn from_str(line: &str) -> Result<Self, HashError> {
        Self::try_from(text::decode_base64(line).ok_or(HashError::Base64)?.as_slice())
    }
}

impl fmt::Display for Hash {
    /// Canonical base64, as in checkpoints and proofs: 44 characters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // On the stack: a receipt is written out with some twenty hashes.
        let mut text = [0; 44];
        f.write_str(Base64::encode(&self.0, &mut text).expect("32 bytes make 44 characters"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

/// The leaf hash of an entry: `H(0x00 || entry)`.
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    Hash(Sha256::new().chain_update(LEAF_PREFIX).chain_update(entry).finalize().into())
}

/// The hash of an inner node over its two children: `H(0x01 || left || right)`.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let hasher = Sha256::new().chain_update(NODE_PREFIX).chain_update(left.0);
    Hash(hasher.chain_update(right.0).finalize().into())
}

/// The root of a tree without entries: `H("")`.
#[must_use]
pub fn empty_root() -> Hash {
    Hash(Sha256::digest(b"").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_tree_has_the_hash_of_nothing() {
        assert_eq!(empty_root().to_string(), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }

    #[test]
    fn text_and_bytes_come_back_and_other_lengths_are_refused() {
        let hash = leaf_hash(b"");
        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert_eq!(Hash::try_from(hash.as_ref()), Ok(hash));
        assert_eq!(Hash::try_from([0; 31].as_slice()), Err(HashError::Length { found: 31 }));
        assert_eq!("AQI=".parse::<Hash>(), Err(HashError::Length { found: 2 }));
        assert_eq!("AQI".parse::<Hash>(), Err(HashError::Base64));
    }

    #[test]
    fn a_leaf_cannot_pose_as_a_node() {
        let (left, right) = (leaf_hash(b"l"), leaf_hash(b"r"));
        let joined = [left.as_ref(), right.as_ref()].concat();
        assert_ne!(leaf_hash(&joined), node_hash(&left, &right));
    }
}
