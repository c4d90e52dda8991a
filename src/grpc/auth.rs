//! Who calls: verified before anything else looks at the call.
//!
//! * A **write** carries the key and the signature of the person whose act it is. The signature is
//!   checked, strictly, over the exact bytes that came, before they are decoded; what goes on is a
//!   [`SignedRequest`], which cannot be made in any other way. Whether the key is valid now and its
//!   person has the role is decided by the rules, in the order of the ledger; here only a key that
//!   this ledger never knew is turned away, so that a stranger cannot fill the queue.
//! * A **read** carries a token that the reader's own key signed. The key must be enrolled, not
//!   revoked, the named person's, and that person must hold a role, each time, by the newest durable
//!   state: a verified token is kept, a right never is.
//!
//! No lock is held while anything waits, and none while a signature is verified.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{PoisonError, RwLock};

use base64ct::{Base64Unpadded, Encoding as _};
use bytes::Bytes;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use prost::Message as _;

use super::error::Failure;
use super::limits::{MAX_DECODED_KEYS, MAX_TOKEN_BYTES, MAX_VERIFIED_TOKENS};
use crate::command::RequestId;
use crate::ledger::{RequestKind, SignedRequest};
use crate::names::PersonName;
use crate::refusal::Refusal;
use crate::state::State;
use crate::time::Timestamp;
use crate::tlog::{PUBLIC_KEY_BYTES, PublicKey, SIGNATURE_BYTES, SignatureError};
use crate::token::{self, Token};

/// Metadata that carries the signer's public key: 32 bytes.
pub const KEY_METADATA: &str = "vialedger-key-bin";

/// Metadata that carries the signature over the message: 64 bytes.
pub const SIGNATURE_METADATA: &str = "vialedger-signature-bin";

const BEARER: &str = "Bearer ";

type Key = [u8; PUBLIC_KEY_BYTES];

/// Checks signatures and tokens, and keeps what is dear to work out again.
#[derive(Debug, Default)]
pub(super) struct Authentication {
    keys: Kept<Key, PublicKey>,
    tokens: Kept<Box<str>, Token>,
}

impl Authentication {
    /// Whoever says that they signed a write: known here, or turned away before the message is read.
    pub(super) fn signer(&self, headers: &HeaderMap, state: &State) -> Result<Signer, Failure> {
        let key = binary(headers, KEY_METADATA)?;
        let signature = binary(headers, SIGNATURE_METADATA)?;
        let key = self.key(&key, state)?;
        if signature.len() != SIGNATURE_BYTES {
            return Err(SignatureError::Length { found: signature.len() }.into());
        }
        Ok(Signer { key, signature })
    }

    /// Decodes a key that this ledger knows, or finds it decoded.
    fn key(&self, bytes: &[u8], state: &State) -> Result<PublicKey, Failure> {
        let known = Key::try_from(bytes).ok().filter(|key| state.key(key).is_some());
        let Some(known) = known else {
            // A malformed key is told what is wrong with it; a sound one that it is a stranger's.
            PublicKey::from_bytes(bytes)?;
            return Err(Refusal::UnknownKey.into());
        };
        if let Some(key) = self.keys.get(&known) {
            return Ok(key);
        }
        let key = PublicKey::from_bytes(bytes)?;
        self.keys.keep(known, key.clone(), MAX_DECODED_KEYS);
        Ok(key)
    }

    /// Checks the token of a read, and what its person may do by this state.
    pub(super) fn read(
        &self,
        headers: &HeaderMap,
        state: &State,
        now: Timestamp,
    ) -> Result<PersonName, Failure> {
        let text = bearer(headers)?;
        let token = if let Some(token) = self.tokens.get(text) {
            token.at(now)?;
            token
        } else {
            let key = self.key(&token::key_of(text)?, state)?;
            let token = token::check(text, &key, state.origin(), now)?;
            self.tokens.keep(text.into(), token.clone(), MAX_VERIFIED_TOKENS);
            token
        };
        let record = state.key(&token.key).ok_or(Refusal::UnknownKey)?;
        if let Some(since) = record.revoked {
            return Err(Refusal::KeyRevoked { since }.into());
        }
        if record.person != token.person {
            return Err(Failure::TokenSubject);
        }
        let person = state.person(&token.person).ok_or(Refusal::UnknownKey)?;
        if person.roles.is_empty() {
            return Err(Failure::NoRole);
        }
        Ok(token.person)
    }
}

/// A known key, and a signature that is said to be its own.
#[derive(Debug)]
pub(super) struct Signer {
    key: PublicKey,
    signature: Vec<u8>,
}

impl Signer {
    /// Verifies the signature over the message's bytes, as a request to the ledger of this origin.
    /// The rules look at the origin again; here it costs a stranger's request its place in the queue.
    pub(super) fn verify(
        &self,
        kind: RequestKind,
        message: Bytes,
        origin: &str,
    ) -> Result<(SignedRequest, Option<RequestId>), Failure> {
        let request = SignedRequest::verify(kind, message, &self.key, &self.signature)?;
        // Bytes that are no request are `command`'s to refuse.
        let Ok(head) = RequestHead::decode(request.bytes().as_ref()) else {
            return Ok((request, None));
        };
        if head.ledger != origin && !head.ledger.is_empty() {
            let here = origin.to_owned();
            return Err(Refusal::AnotherLedger { asked: head.ledger, here }.into());
        }
        Ok((request, head.request_id.parse().ok()))
    }
}

/// The two fields that every signed request begins with.
#[derive(Clone, PartialEq, prost::Message)]
struct RequestHead {
    #[prost(string, tag = "1")]
    ledger: String,
    #[prost(string, tag = "2")]
    request_id: String,
}

/// The one value of a `-bin` metadata, which is base64 with or without its padding.
fn binary(headers: &HeaderMap, name: &str) -> Result<Vec<u8>, Failure> {
    let mut values = headers.get_all(name).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Failure::SignatureMissing);
    };
    let text = value.to_str().map_err(|_| Failure::SignatureMissing)?;
    Base64Unpadded::decode_vec(text.trim_end_matches('=')).map_err(|_| Failure::SignatureMissing)
}

/// The bearer token of the one `authorization` header.
fn bearer(headers: &HeaderMap) -> Result<&str, Failure> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Failure::TokenMissing);
    };
    let text = value.to_str().map_err(|_| Failure::TokenMissing)?;
    let (scheme, token) = text.split_at_checked(BEARER.len()).ok_or(Failure::TokenMissing)?;
    if !scheme.eq_ignore_ascii_case(BEARER) {
        return Err(Failure::TokenMissing);
    }
    if token.len() > MAX_TOKEN_BYTES {
        return Err(token::TokenError::Malformed.into());
    }
    Ok(token)
}

/// A bounded memory of things that can be worked out again. When it is full it forgets everything:
/// that costs one verification each, and no bookkeeping on the way in.
#[derive(Debug)]
struct Kept<K, V>(RwLock<HashMap<K, V>>);

impl<K, V> Default for Kept<K, V> {
    fn default() -> Self {
        Self(RwLock::new(HashMap::new()))
    }
}

impl<K: Eq + Hash, V: Clone> Kept<K, V> {
    fn get<Q>(&self, key: &Q) -> Option<V>
    where
        K: std::borrow::Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn keep(&self, key: K, value: V, most: usize) {
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= most {
            kept.clear();
        }
        kept.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn binary_metadata_comes_with_or_without_padding() {
        for text in ["AAEC/w==", "AAEC/w"] {
            let headers = headers(KEY_METADATA, &[text]);
            assert_eq!(binary(&headers, KEY_METADATA).unwrap(), [0, 1, 2, 255], "{text}");
        }
    }

    #[test]
    fn binary_metadata_is_there_exactly_once_and_is_base64() {
        for values in [&[][..], &["AAEC", "AAEC"], &["AAEC,AAEC"], &["AA-C"], &["A"]] {
            let headers = headers(SIGNATURE_METADATA, values);
            let found = binary(&headers, SIGNATURE_METADATA);
            assert!(matches!(found, Err(Failure::SignatureMissing)), "{values:?}");
        }
    }

    #[test]
    fn a_bearer_token_is_there_exactly_once() {
        let name = "authorization";
        assert_eq!(bearer(&headers(name, &["Bearer abc"])).unwrap(), "abc");
        assert_eq!(bearer(&headers(name, &["bearer abc"])).unwrap(), "abc");
        for values in [&[][..], &["Basic abc"], &["Bearer"], &["abc"], &["Bearer a", "Bearer b"]] {
            let found = bearer(&headers(name, values)).err();
            assert!(matches!(found, Some(Failure::TokenMissing)), "{values:?}");
        }
    }

    #[test]
    fn a_full_memory_forgets_and_goes_on() {
        let kept = Kept::default();
        for n in 0..5_u8 {
            kept.keep(n, n, 4);
        }
        assert_eq!(kept.get(&4), Some(4));
        assert_eq!(kept.get(&0), None);
    }
}
