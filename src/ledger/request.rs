//! A request with the signature of the person whose act it is.

use bytes::Bytes;
use ed25519_dalek::SigningKey;

use super::kind::RequestKind;
use crate::dsse;
use crate::tlog::{
    self, Claim, PUBLIC_KEY_BYTES, PublicKey, SIGNATURE_BYTES, SignatureError, verify_each,
};

/// DSSE payload type of the proof that an enrolled person holds the key.
pub const KEY_POSSESSION_TYPE: &str = "application/vnd.vialedger.v1.KeyPossession";

/// What a new key signs under [`KEY_POSSESSION_TYPE`]: the ledger it is enrolled in and the person it is for, so that
/// the proof is of no use anywhere else.
#[must_use]
pub fn possession_body(ledger: &str, person: &str) -> Vec<u8> {
    format!("{ledger}\n{person}").into_bytes()
}

/// The exact bytes of a request and a signature over them that holds. There is no other way to make one than to sign
/// or to verify, so whoever is handed one need not ask again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedRequest {
    kind: RequestKind,
    bytes: Bytes,
    key: [u8; PUBLIC_KEY_BYTES],
    signature: [u8; SIGNATURE_BYTES],
}

impl SignedRequest {
    /// Takes a request in: the signature must hold, strictly, over the PAE of the kind's type and these bytes.
    pub fn verify(
        kind: RequestKind,
        bytes: Bytes,
        key: &PublicKey,
        signature: &[u8],
    ) -> Result<Self, SignatureError> {
        key.verify(&dsse::pae(&kind.payload_type(), &bytes), signature)?;
        let signature = signature.try_into().expect("a signature that verified has 64 bytes");
        Ok(Self { kind, bytes, key: *key.as_bytes(), signature })
    }

    /// Signs a request with a person's key.
    #[must_use]
    pub fn sign(kind: RequestKind, bytes: Bytes, key: &SigningKey) -> Self {
        let signature = tlog::sign(key, &dsse::pae(&kind.payload_type(), &bytes));
        Self { kind, bytes, key: key.verifying_key().to_bytes(), signature }
    }

    /// What kind of act it is.
    #[must_use]
    pub fn kind(&self) -> RequestKind {
        self.kind
    }

    /// The message's bytes as they were signed.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Public key of whoever signed.
    #[must_use]
    pub fn key(&self) -> &[u8; PUBLIC_KEY_BYTES] {
        &self.key
    }

    /// The signature.
    #[must_use]
    pub fn signature(&self) -> &[u8; SIGNATURE_BYTES] {
        &self.signature
    }

    /// Whether the signature of a request that was read back holds under the key that it names.
    #[must_use]
    pub fn holds_under(&self, key: &PublicKey) -> bool {
        let message = dsse::pae(&self.kind.payload_type(), &self.bytes);
        *key.as_bytes() == self.key && key.verify(&message, &self.signature).is_ok()
    }

    /// The same of each of some requests, which takes less time than one by one.
    #[must_use]
    pub fn hold_each(asked: &[(&Self, &PublicKey)]) -> Vec<bool> {
        let messages: Vec<_> = asked
            .iter()
            .map(|(request, _)| dsse::pae(&request.kind.payload_type(), &request.bytes))
            .collect();
        let claims: Vec<_> = asked
            .iter()
            .zip(&messages)
            .map(|((request, key), message)| Claim { key, message, signature: &request.signature })
            .collect();
        let named = asked.iter().map(|(request, key)| *key.as_bytes() == request.key);
        named.zip(verify_each(&claims)).map(|(named, holds)| named && holds).collect()
    }

    /// A request read back from an entry whose signature is checked elsewhere: the audit checks signatures on all
    /// cores, apart from the rules, and a start-up replays entries that were verified when they were taken in.
    pub(super) fn unverified(
        kind: RequestKind,
        bytes: Bytes,
        key: [u8; PUBLIC_KEY_BYTES],
        signature: [u8; SIGNATURE_BYTES],
    ) -> Self {
        Self { kind, bytes, key, signature }
    }
}
