//! Signing keys of people and of the ledger: made here, kept in a file that only their owner can
//! read, and used to sign.
//!
//! A key file is PKCS#8 in PEM, as OpenSSL and every crypto library read it: plain ("PRIVATE KEY")
//! or under a passphrase ("ENCRYPTED PRIVATE KEY", PBES2 with scrypt and AES-256-CBC). A file that
//! a group or others may read is refused, in the manner of ssh: whoever can read a person's key can
//! sign as that person.
//!
//! Beside them, and of another kind, the [`IdentityKey`], which signs nothing: the identities of
//! patients are encrypted with it.

mod file;
mod identity;
mod possession;

use std::fmt;
use std::io;
use std::path::PathBuf;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use ed25519_dalek::SigningKey;
use zeroize::Zeroizing;

use crate::tlog::PublicKey;

pub use identity::{IDENTITY_KEY_BYTES, IdentityKey};
pub use possession::prove_possession;

/// Length of an Ed25519 secret seed, in bytes (RFC 8032).
const SEED_BYTES: usize = 32;

/// An Ed25519 key that can sign. Wiped from memory when dropped; never printed.
#[derive(Clone)]
pub struct Key {
    signing: SigningKey,
}

/// What protects a key file. Wiped from memory when dropped; never printed.
#[derive(PartialEq, Eq)]
pub struct Passphrase(Zeroizing<String>);

/// Why a key could not be made, kept or read.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness for a new key: {0}")]
    Randomness(getrandom::Error),
    /// There is a file already.
    #[error(
        "{} exists already; a key is never overwritten: choose another name, or move the old file \
         away",
        path.display()
    )]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// There is no such file.
    #[error("there is no key file {}: check the path, or get the file back from where it is kept; a new \
         key of a person is made with `vialedger key new` and must be enrolled", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Others than its owner can read the file.
    #[error(
        "{} can be read by others than its owner (mode {mode:03o}), so it is not used: run \
         `chmod 600 {}`, and \
         consider whether somebody else has copied it",
        path.display(), path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is no Ed25519 key in PKCS#8.
    #[error(
        "{} is not an Ed25519 private key (PKCS#8, PEM): {detail}; name the file that `vialedger key new` made, or get \
         it back from where a copy is kept",
        path.display()
    )]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it; holds nothing of its content.
        detail: String,
    },
    /// There is no such identity key.
    #[error(
        "there is no identity key {}: bring it back from where it is kept, or say where it is with --identity-key; \
         without it the sealed identities of patients cannot be read, and a new key does not help",
        path.display()
    )]
    IdentityKeyMissing {
        /// The file.
        path: PathBuf,
    },
    /// The file is no identity key.
    #[error(
        "{} is not an identity key: its one line is \"vialedger-identity-key-v1\" and the key in base64; get it back \
         from where a copy is kept",
        path.display()
    )]
    IdentityKeyMalformed {
        /// The file.
        path: PathBuf,
    },
    /// The file is protected and no passphrase was given.
    #[error(
        "{} is protected by a passphrase: give it at the prompt, or with --passphrase-file",
        path.display()
    )]
    PassphraseNeeded {
        /// The file.
        path: PathBuf,
    },
    /// The passphrase does not open the file.
    #[error("the passphrase does not open {}", path.display())]
    PassphraseWrong {
        /// The file.
        path: PathBuf,
    },
    /// The second time, something else was typed.
    #[error("the two passphrases differ; nothing was made")]
    PassphrasesDiffer,
    /// A passphrase without a character protects nothing.
    #[error("the passphrase is empty; it would protect nothing")]
    PassphraseEmpty,
}

impl Key {
    /// A new key from the operating system's randomness.
    pub fn generate() -> Result<Self, KeyError> {
        let mut seed = Zeroizing::new([0; SEED_BYTES]);
        getrandom::fill(seed.as_mut_slice()).map_err(KeyError::Randomness)?;
        Ok(Self { signing: SigningKey::from_bytes(&seed) })
    }

    /// The half that signs.
    #[must_use]
    pub fn signing_key(&self) -> &SigningKey {
        &self.signing
    }

    /// The half that anybody may know.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        PublicKey::of(&self.signing)
    }

    /// How a bearer token names the key: the public key in base64url without padding, 43
    /// characters.
    #[must_use]
    pub fn id(&self) -> String {
        id(&self.public_key())
    }
}

/// How a bearer token names a public key: base64url without padding, 43 characters.
#[must_use]
pub fn id(public_key: &PublicKey) -> String {
    Base64UrlUnpadded::encode_string(public_key.as_bytes())
}

impl From<SigningKey> for Key {
    fn from(signing: SigningKey) -> Self {
        Self { signing }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.public_key())
    }
}

impl Passphrase {
    /// Takes a passphrase; an empty one is refused.
    pub fn new(text: Zeroizing<String>) -> Result<Self, KeyError> {
        if text.is_empty() { Err(KeyError::PassphraseEmpty) } else { Ok(Self(text)) }
    }

    fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}
