//! `cosignature/v1`: a third party's statement that, at a time, a checkpoint was the newest
//! consistent one of its log that it had seen.

use ed25519_dalek::SigningKey;

use super::checkpoint::{Checkpoint, CheckpointError};
use super::key::{PublicKey, SIGNATURE_BYTES, SignatureError, sign};
use super::note::{NoteError, NoteSignature, SignedNote, require_kind};
use super::vkey::{KeyKind, KeyName, VerifierKey};

/// The latest time of a cosignature, in seconds since 1970 (POSIX): what 63 bits hold.
pub const MAX_TIMESTAMP_SECONDS: u64 = u64::MAX >> 1;

/// Why a cosignature could not be made or does not verify.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CosignatureError {
    /// A note without a checkpoint in it.
    #[error("only checkpoints are cosigned: {0}")]
    Checkpoint(CheckpointError),
    /// A time past the limit.
    #[error("the cosignature's time is {found} s, limit {MAX_TIMESTAMP_SECONDS} s")]
    Timestamp {
        /// The time, in seconds since 1970.
        found: u64,
    },
    /// Not a time and a signature.
    #[error("a cosignature has 72 bytes after its key id, found {found}")]
    Length {
        /// The length, in bytes.
        found: usize,
    },
    /// A note that this key has not signed, or not in this way.
    #[error(transparent)]
    Note(#[from] NoteError),
}

/// A log cosigner's key: signs checkpoints of others under a name and with a time.
#[derive(Debug, Clone)]
pub struct Cosigner {
    verifier_key: VerifierKey,
    signing_key: SigningKey,
}

impl Cosigner {
    /// Names a signing key. The message does not hold the name: a key serves one cosigner only.
    #[must_use]
    pub fn new(name: KeyName, signing_key: SigningKey) -> Self {
        let key = PublicKey::of(&signing_key);
        let verifier_key = VerifierKey::new(name, KeyKind::Cosignature, key);
        Self { verifier_key, signing_key }
    }

    /// The key that verifies this cosigner's signatures.
    #[must_use]
    pub const fn verifier_key(&self) -> &VerifierKey {
        &self.verifier_key
    }

    /// Signs the checkpoint in a note, at a time in seconds since 1970.
    ///
    /// Before that, the caller has verified the log's signature and the checkpoint's consistency
    /// with the newest one that it signed; this function cannot know either.
    pub fn cosign(
        &self,
        note: &SignedNote,
        timestamp_seconds: u64,
    ) -> Result<NoteSignature, CosignatureError> {
        let message = message(note, timestamp_seconds)?;
        let mut signature = timestamp_seconds.to_be_bytes().to_vec();
        signature.extend_from_slice(&sign(&self.signing_key, message.as_bytes()));
        Ok(NoteSignature::by(&self.verifier_key, signature))
    }
}

/// Checks that a log cosigner signed the checkpoint in a note and returns when, in seconds since
/// 1970. All lines under the key's name and id must verify; of several, the latest time counts.
pub fn verify_cosignature(note: &SignedNote, key: &VerifierKey) -> Result<u64, CosignatureError> {
    require_kind(key, KeyKind::Cosignature)?;
    let mut latest = 0;
    for bytes in note.signatures_by(key)? {
        let wrong_length = CosignatureError::Length { found: bytes.len() };
        let Some((timestamp, signature)) = bytes.split_first_chunk() else {
            return Err(wrong_length);
        };
        if signature.len() != SIGNATURE_BYTES {
            return Err(wrong_length);
        }
        let timestamp = u64::from_be_bytes(*timestamp);
        let message = message(note, timestamp)?;
        let bad =
            |source: SignatureError| NoteError::BadSignature { name: key.name().clone(), source };
        key.public_key().verify(message.as_bytes(), signature).map_err(bad)?;
        latest = latest.max(timestamp);
    }
    Ok(latest)
}

/// What is signed: a header that no checkpoint begins with, the time, and the whole text of the
/// note.
fn message(note: &SignedNote, timestamp_seconds: u64) -> Result<String, CosignatureError> {
    if timestamp_seconds > MAX_TIMESTAMP_SECONDS {
        return Err(CosignatureError::Timestamp { found: timestamp_seconds });
    }
    note.text().parse::<Checkpoint>().map_err(CosignatureError::Checkpoint)?;
    Ok(format!("cosignature/v1\ntime {timestamp_seconds}\n{}", note.text()))
}
