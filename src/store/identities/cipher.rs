//! AES-256-GCM over one identity, bound to its commitment and to the ledger.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::identity::{Commitment, Opening};
use crate::key::IdentityKey;
use crate::pb::v1;
use crate::store::StoreError;

/// What is hashed before the key for its fingerprint.
const FINGERPRINT_PREFIX: &[u8] = b"vialedger.v1.IdentityKey\n";

/// An identity as it is stored.
pub(super) struct Sealed {
    pub(super) nonce: [u8; NONCE_LEN],
    pub(super) ciphertext: Vec<u8>,
}

/// What tells one key from another and gives nothing of it away: a key is 32 random bytes, which nobody guesses.
pub(super) fn fingerprint(key: &IdentityKey) -> [u8; 32] {
    Sha256::new_with_prefix(FINGERPRINT_PREFIX).chain_update(key.as_bytes()).finalize().into()
}

/// Seals and opens with one key for one ledger.
#[derive(Debug)]
pub(super) struct Cipher {
    key: LessSafeKey,
    origin: String,
}

impl Cipher {
    pub(super) fn new(key: &IdentityKey, origin: &str) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, key.as_bytes()).expect("the key has 32 bytes");
        Self { key: LessSafeKey::new(key), origin: origin.to_owned() }
    }

    /// Encrypts, each time with new random bytes for a nonce: of 2^32 identities, more than there are people, two would
    /// share one with a chance of 2^-33.
    pub(super) fn seal(
        &self,
        commitment: &Commitment,
        opening: &Opening,
    ) -> Result<Sealed, StoreError> {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(StoreError::Randomness)?;
        // Encrypted where it lies, before the buffer grows for the tag: no plaintext is left behind in freed memory.
        let mut buffer = Zeroizing::new(opening.to_wire().encode_to_vec());
        self.key
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                self.additional_data(commitment),
                &mut *buffer,
            )
            .expect("an identity is far shorter than what AES-GCM takes");
        Ok(Sealed { nonce, ciphertext: std::mem::take(&mut *buffer) })
    }

    /// Decrypts, and proves that it is what the commitment is to.
    pub(super) fn open(
        &self,
        commitment: &Commitment,
        sealed: Sealed,
    ) -> Result<Opening, StoreError> {
        let damaged = |what| StoreError::IdentityDamaged { commitment: *commitment, what };
        let mut buffer = Zeroizing::new(sealed.ciphertext);
        let nonce = Nonce::assume_unique_for_key(sealed.nonce);
        let plain = self
            .key
            .open_in_place(nonce, self.additional_data(commitment), buffer.as_mut_slice())
            .map_err(|_| damaged("it does not decrypt"))?;
        let message =
            v1::IdentityOpening::decode(&*plain).map_err(|_| damaged("it is no identity"))?;
        let opening = Opening::from_wire(&message).map_err(|_| damaged("it is no identity"))?;
        if opening.commitment() == *commitment {
            Ok(opening)
        } else {
            Err(damaged("it is another identity"))
        }
    }

    fn additional_data(&self, commitment: &Commitment) -> Aad<Vec<u8>> {
        Aad::from([commitment.as_bytes(), self.origin.as_bytes()].concat())
    }
}
