//! Bearer tokens for reads: a JSON Web Token that a person's own key signs, so that any gRPC client
//! can read without signing each call.
//!
//! A token is short-lived ([`MAX_TOKEN_LIFETIME`]) and good for one ledger. It gives no right by
//! itself: the key must be enrolled, unrevoked and the named person's, which whoever checks a token
//! looks up in the ledger's state each time it is shown. The client issues with [`issue`], the
//! server checks with [`key_of`] and [`check`].
//!
//! | header | |
//! |---|---|
//! | `alg` | `EdDSA`, and nothing else is ever tried |
//! | `kid` | base64url of the 32-byte public key, without padding |
//!
//! | claim | |
//! |---|---|
//! | `aud` | the ledger's origin |
//! | `sub` | the person, `people/{person}` |
//! | `iat`, `exp` | seconds since 1970; `exp` is at most an hour after `iat` |
//! | `nbf` | where there is one, it is kept to |

use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey as _;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use crate::names::PersonName;
use crate::time::Timestamp;
use crate::tlog::{PUBLIC_KEY_BYTES, PublicKey};

/// Longest time between a token's issue and its expiry.
pub const MAX_TOKEN_LIFETIME: Duration = Duration::from_hours(1);

/// By how many seconds the clock of the device that issued a token may differ from the server's.
pub const CLOCK_LEEWAY_SECONDS: i64 = 60;

const MICROS_PER_SECOND: i64 = 1_000_000;

/// Why a token is not taken, or not issued. No message quotes the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a token of the expected shape.
    #[error(
        "the bearer token is not a JSON Web Token with alg EdDSA, kid (base64url of the public \
         key), aud, sub, iat and exp; make one with `vialedger token`"
    )]
    Malformed,
    /// Signed with another key, or altered.
    #[error("the bearer token's signature does not verify under the key that it names")]
    Signature,
    /// Its time is over.
    #[error("the bearer token has expired; make a new one with `vialedger token`")]
    Expired,
    /// Its time has not begun.
    #[error("the bearer token is from the future; set the clock of the device that issued it")]
    NotYetValid,
    /// It would be good for too long.
    #[error("a bearer token is valid for 1 to {} seconds", MAX_TOKEN_LIFETIME.as_secs())]
    Lifetime,
    /// Meant for somebody else.
    #[error("the bearer token is for another ledger; make one for this ledger's origin")]
    AnotherLedger,
    /// The signing key could not be used.
    #[error("the key cannot sign a token")]
    Key,
}

impl TokenError {
    /// Stable reason, as in the error's `ErrorInfo`.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Malformed | Self::Key => "TOKEN_MALFORMED",
            Self::Signature => "TOKEN_SIGNATURE_INVALID",
            Self::Expired => "TOKEN_EXPIRED",
            Self::NotYetValid => "TOKEN_NOT_YET_VALID",
            Self::Lifetime => "TOKEN_LIFETIME_TOO_LONG",
            Self::AnotherLedger => "TOKEN_FOR_ANOTHER_LEDGER",
        }
    }
}

/// What a token says, once its signature has been verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Who issued it.
    pub person: PersonName,
    /// With which key.
    pub key: [u8; PUBLIC_KEY_BYTES],
    not_before: i64,
    expires: i64,
}

impl Token {
    /// Whether its time has begun and is not over, within [`CLOCK_LEEWAY_SECONDS`].
    pub fn at(&self, now: Timestamp) -> Result<(), TokenError> {
        let now = seconds(now);
        if now >= self.expires.saturating_add(CLOCK_LEEWAY_SECONDS) {
            return Err(TokenError::Expired);
        }
        if now < self.not_before.saturating_sub(CLOCK_LEEWAY_SECONDS) {
            return Err(TokenError::NotYetValid);
        }
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
struct Claims {
    aud: String,
    sub: String,
    iat: i64,
    exp: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
}

/// Issues a token for a ledger, from now on for a lifetime of 1 s to [`MAX_TOKEN_LIFETIME`].
pub fn issue(
    key: &SigningKey,
    origin: &str,
    person: &PersonName,
    now: Timestamp,
    lifetime: Duration,
) -> Result<String, TokenError> {
    if lifetime.as_secs() == 0 || lifetime > MAX_TOKEN_LIFETIME {
        return Err(TokenError::Lifetime);
    }
    let lifetime = i64::try_from(lifetime.as_secs()).map_err(|_| TokenError::Lifetime)?;
    let iat = seconds(now);
    let claims = Claims {
        aud: origin.to_owned(),
        sub: person.to_string(),
        iat,
        exp: iat.saturating_add(lifetime),
        nbf: None,
    };
    let mut header = Header::new(Algorithm::EdDSA);
    header.kid = Some(Base64UrlUnpadded::encode_string(key.verifying_key().as_bytes()));
    let der = key.to_pkcs8_der().map_err(|_| TokenError::Key)?;
    jsonwebtoken::encode(&header, &claims, &EncodingKey::from_ed_der(der.as_bytes()))
        .map_err(|_| TokenError::Key)
}

/// The public key that a token says it was signed with. Nothing has been verified yet.
pub fn key_of(token: &str) -> Result<[u8; PUBLIC_KEY_BYTES], TokenError> {
    let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Malformed)?;
    if header.alg != Algorithm::EdDSA || header.crit.is_some() {
        return Err(TokenError::Malformed);
    }
    let kid = header.kid.ok_or(TokenError::Malformed)?;
    let mut key = [0; PUBLIC_KEY_BYTES];
    match Base64UrlUnpadded::decode(&kid, &mut key) {
        Ok(decoded) if decoded.len() == PUBLIC_KEY_BYTES => Ok(key),
        _ => Err(TokenError::Malformed),
    }
}

/// Verifies a token under the key that [`key_of`] named, for this ledger, at this time.
pub fn check(
    token: &str,
    key: &PublicKey,
    origin: &str,
    now: Timestamp,
) -> Result<Token, TokenError> {
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_audience(&[origin]);
    validation.set_required_spec_claims(&["aud", "sub", "exp"]);
    // The library would ask the system's clock; here the time is an argument.
    validation.validate_exp = false;
    let key_bytes = *key.as_bytes();
    let claims =
        jsonwebtoken::decode::<Claims>(token, &DecodingKey::from_ed_der(&key_bytes), &validation)
            .map_err(|error| match error.kind() {
                ErrorKind::InvalidSignature => TokenError::Signature,
                ErrorKind::InvalidAudience => TokenError::AnotherLedger,
                _ => TokenError::Malformed,
            })?
            .claims;
    let longest = i64::try_from(MAX_TOKEN_LIFETIME.as_secs()).map_err(|_| TokenError::Lifetime)?;
    match claims.exp.checked_sub(claims.iat) {
        Some(lifetime) if lifetime > 0 && lifetime <= longest => {}
        _ => return Err(TokenError::Lifetime),
    }
    let token = Token {
        person: claims.sub.parse().map_err(|_| TokenError::Malformed)?,
        key: key_bytes,
        not_before: claims.nbf.unwrap_or(claims.iat).max(claims.iat),
        expires: claims.exp,
    };
    token.at(now)?;
    Ok(token)
}

fn seconds(moment: Timestamp) -> i64 {
    moment.micros().div_euclid(MICROS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: &str = "example.org/clinic";
    const HOUR: i64 = 3_600;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros((1_800_000_000 + seconds) * MICROS_PER_SECOND).unwrap()
    }

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn ada() -> PersonName {
        PersonName::new("ada").unwrap()
    }

    fn token() -> String {
        issue(&key(1), ORIGIN, &ada(), at(0), MAX_TOKEN_LIFETIME).unwrap()
    }

    fn signed(header: &str, claims: &str, key: &SigningKey) -> String {
        let encode = |text: &str| Base64UrlUnpadded::encode_string(text.as_bytes());
        let body = format!("{}.{}", encode(header), encode(claims));
        let signature = crate::tlog::sign(key, body.as_bytes());
        format!("{body}.{}", Base64UrlUnpadded::encode_string(&signature))
    }

    fn header_of(alg: &str, key: &SigningKey) -> String {
        let kid = Base64UrlUnpadded::encode_string(key.verifying_key().as_bytes());
        format!(r#"{{"alg":"{alg}","kid":"{kid}"}}"#)
    }

    #[test]
    fn a_token_says_who_issued_it_with_which_key() {
        let token = token();
        let public = PublicKey::of(&key(1));
        assert_eq!(key_of(&token).unwrap(), *public.as_bytes());
        let checked = check(&token, &public, ORIGIN, at(1)).unwrap();
        assert_eq!(checked.person, ada());
        assert_eq!(checked.key, *public.as_bytes());
    }

    #[test]
    fn a_token_is_good_from_its_issue_to_its_expiry_and_a_leeway_around_it() {
        let public = PublicKey::of(&key(1));
        for (seconds, expected) in [
            (-CLOCK_LEEWAY_SECONDS - 1, Err(TokenError::NotYetValid)),
            (-CLOCK_LEEWAY_SECONDS, Ok(())),
            (HOUR + CLOCK_LEEWAY_SECONDS - 1, Ok(())),
            (HOUR + CLOCK_LEEWAY_SECONDS, Err(TokenError::Expired)),
        ] {
            let found = check(&token(), &public, ORIGIN, at(seconds)).map(|_| ());
            assert_eq!(found, expected, "{seconds}");
        }
    }

    #[test]
    fn a_token_is_issued_for_an_hour_at_most() {
        for (seconds, good) in [(0, false), (1, true), (3_600, true), (3_601, false)] {
            let issued = issue(&key(1), ORIGIN, &ada(), at(0), Duration::from_secs(seconds));
            assert_eq!(issued.is_ok(), good, "{seconds}");
        }
    }

    #[test]
    fn a_longer_life_is_refused_even_when_the_key_signed_it() {
        let header = header_of("EdDSA", &key(1));
        let public = PublicKey::of(&key(1));
        for (lifetime, expected) in [
            (HOUR - 1, Ok(())),
            (HOUR, Ok(())),
            (HOUR + 1, Err(TokenError::Lifetime)),
            (0, Err(TokenError::Lifetime)),
            (i64::MAX, Err(TokenError::Lifetime)),
        ] {
            let iat = 1_800_000_000_i64;
            let exp = iat.saturating_add(lifetime);
            let claims =
                format!(r#"{{"aud":"{ORIGIN}","sub":"people/ada","iat":{iat},"exp":{exp}}}"#);
            let token = signed(&header, &claims, &key(1));
            assert_eq!(check(&token, &public, ORIGIN, at(0)).map(|_| ()), expected, "{lifetime}");
        }
    }

    #[test]
    fn another_ledgers_token_an_altered_one_and_another_keys_are_refused() {
        let public = PublicKey::of(&key(1));
        let refused = |token: &str, origin: &str, key: &PublicKey| {
            check(token, key, origin, at(1)).unwrap_err()
        };
        assert_eq!(refused(&token(), "example.org/other", &public), TokenError::AnotherLedger);
        assert_eq!(refused(&token(), ORIGIN, &PublicKey::of(&key(2))), TokenError::Signature);
        let forged = signed(
            &header_of("EdDSA", &key(1)),
            r#"{"aud":"example.org/clinic","sub":"people/ada","iat":1800000000,"exp":1800000001}"#,
            &key(2),
        );
        assert_eq!(refused(&forged, ORIGIN, &public), TokenError::Signature);
    }

    #[test]
    fn no_algorithm_is_taken_from_the_token() {
        let claims =
            r#"{"aud":"example.org/clinic","sub":"people/ada","iat":1800000000,"exp":1800000001}"#;
        for alg in ["none", "HS256", "ES256", "RS256", "EdDSA2"] {
            let token = signed(&header_of(alg, &key(1)), claims, &key(1));
            assert_eq!(key_of(&token), Err(TokenError::Malformed), "{alg}");
            let checked = check(&token, &PublicKey::of(&key(1)), ORIGIN, at(1));
            assert_eq!(checked.map(|_| ()), Err(TokenError::Malformed), "{alg}");
        }
    }

    #[test]
    fn what_is_no_token_is_refused_without_a_panic() {
        for text in ["", ".", "..", "a.b.c", "eyJhbGciOiJFZERTQSJ9..", "💉.💉.💉"] {
            assert_eq!(key_of(text), Err(TokenError::Malformed), "{text}");
        }
        let header = header_of("EdDSA", &key(1));
        for claims in [
            "{}",
            "[]",
            r#"{"aud":"example.org/clinic","sub":"people/ada","exp":1800000001}"#,
            r#"{"aud":"example.org/clinic","iat":1800000000,"exp":1800000001}"#,
            r#"{"sub":"people/ada","iat":1800000000,"exp":1800000001}"#,
            r#"{"aud":"example.org/clinic","sub":"ada","iat":1800000000,"exp":1800000001}"#,
            r#"{"aud":"example.org/clinic","sub":"people/ada","iat":"0","exp":1800000001}"#,
        ] {
            let token = signed(&header, claims, &key(1));
            let checked = check(&token, &PublicKey::of(&key(1)), ORIGIN, at(0));
            assert_eq!(checked.map(|_| ()), Err(TokenError::Malformed), "{claims}");
        }
    }
}
