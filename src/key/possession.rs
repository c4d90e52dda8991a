//! The proof that a person holds the key that is being enrolled for them.
//!
//! Without it an administrator could enrol a colleague's public key under another name, and that
//! colleague's signatures would then count as somebody else's.

use ed25519_dalek::SigningKey;

use crate::dsse;
use crate::ledger::{KEY_POSSESSION_TYPE, possession_body};
use crate::names::PersonName;
use crate::tlog::{self, SIGNATURE_BYTES};

/// Signs that the holder of `key` is to be enrolled as `person` in `ledger` (its origin), as
/// `EnrollPersonRequest` and `EnrollKeyRequest` carry it.
#[must_use]
pub fn prove_possession(
    key: &SigningKey,
    ledger: &str,
    person: &PersonName,
) -> [u8; SIGNATURE_BYTES] {
    let body = possession_body(ledger, &person.to_string());
    tlog::sign(key, &dsse::pae(KEY_POSSESSION_TYPE, &body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Key;

    #[test]
    fn a_proof_holds_for_its_ledger_and_person_alone() {
        let key = Key::generate().unwrap();
        let person: PersonName = "people/ada".parse().unwrap();
        let proof = prove_possession(key.signing_key(), "example.org/clinic", &person);
        let verify = |ledger: &str, person: &str| {
            let statement = dsse::pae(KEY_POSSESSION_TYPE, &possession_body(ledger, person));
            key.public_key().verify(&statement, &proof)
        };
        assert!(verify("example.org/clinic", "people/ada").is_ok());
        assert!(verify("example.org/clinic", "people/bob").is_err());
        assert!(verify("example.org/other", "people/ada").is_err());
    }
}
