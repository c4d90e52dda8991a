//! How one key of the ledger follows another: an entry signed by the old key, held to by the new one.

use prost::Message as _;

use super::entry::ParsedEntry;
use super::kind::RequestKind;
use super::receipt::{Receipt, ReceiptError};
use crate::dsse;
use crate::pb::v1;
use crate::tlog::{Checkpoint, KeyKind, VerifierKey, VerifierKeyError};

/// DSSE payload type of the proof that whoever rotates the ledger's key holds the new one.
pub const LEDGER_KEY_POSSESSION_TYPE: &str = "application/vnd.vialedger.v1.LedgerKeyPossession";

/// Two keys of one ledger, the second of which took the place of the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Succession {
    /// The key until then.
    pub previous: VerifierKey,
    /// The key from then on.
    pub next: VerifierKey,
}

/// Why a message, or an entry, hands the ledger's key on to nobody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SuccessionError {
    /// The entry is another act.
    #[error("entry {0} does not rotate the ledger's key")]
    AnotherAct(u64),
    /// A field is not a ledger's verifier key.
    #[error("{field}: {source}")]
    Key {
        /// Which field.
        field: &'static str,
        /// What is wrong with it.
        source: VerifierKeyError,
    },
    /// A key of another ledger, or of a log cosigner.
    #[error("{field} is not a key of this ledger: its name must equal `ledger`, its type is 0x01")]
    AnotherName {
        /// Which field.
        field: &'static str,
    },
    /// The new key did not sign.
    #[error("possession: is not the new key's signature for this ledger, the old key and itself")]
    NotHeld,
    /// The old key did not sign.
    #[error("entry {0} is not signed by the key that it says is the ledger's until then")]
    NotGiven(u64),
}

/// What the new key signs under [`LEDGER_KEY_POSSESSION_TYPE`]: the proof is of no use for another ledger or in another
/// key's place.
#[must_use]
pub fn ledger_possession_body(ledger: &str, previous: &str, next: &str) -> Vec<u8> {
    format!("{ledger}\n{previous}\n{next}").into_bytes()
}

impl Succession {
    /// The keys that a request names, if the new one is held. Whether the old one signed is not looked at here.
    pub fn asked(m: &v1::RotateLedgerKeyRequest) -> Result<Self, SuccessionError> {
        let key = |field: &'static str, line: &str| {
            let key: VerifierKey =
                line.parse().map_err(|source| SuccessionError::Key { field, source })?;
            if key.name().as_str() != m.ledger || key.kind() != KeyKind::Note {
                return Err(SuccessionError::AnotherName { field });
            }
            Ok(key)
        };
        let previous = key("previous_verifier_key", &m.previous_verifier_key)?;
        let next = key("verifier_key", &m.verifier_key)?;
        let body = ledger_possession_body(&m.ledger, &m.previous_verifier_key, &m.verifier_key);
        let signed = dsse::pae(LEDGER_KEY_POSSESSION_TYPE, &body);
        let held = next.public_key().verify(&signed, &m.possession);
        held.map_err(|_| SuccessionError::NotHeld)?;
        Ok(Self { previous, next })
    }

    /// The keys that an entry hands on, with nobody's word but theirs: both have signed, the old one the request, the new
    /// one that it is held.
    pub fn of(entry: &ParsedEntry) -> Result<Self, SuccessionError> {
        let (index, request) = (entry.sealed.index(), &entry.request);
        if request.kind() != RequestKind::RotateLedgerKey {
            return Err(SuccessionError::AnotherAct(index));
        }
        let m = v1::RotateLedgerKeyRequest::decode(request.bytes().clone())
            .map_err(|_| SuccessionError::AnotherAct(index))?;
        let succession = Self::asked(&m)?;
        let given = request.holds_under(succession.previous.public_key());
        if given { Ok(succession) } else { Err(SuccessionError::NotGiven(index)) }
    }
}

/// The keys of a ledger that a trusted one leads to, over rotations in both directions: the old key gave the new one its
/// place, and the new one stands for a ledger that says which key was before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyChain {
    trusted: VerifierKey,
    /// Rotations that are known, by the index of their entries.
    rotations: Vec<(u64, Succession)>,
}

impl KeyChain {
    /// One key, from outside.
    #[must_use]
    pub fn new(trusted: VerifierKey) -> Self {
        Self { trusted, rotations: Vec::new() }
    }

    /// The key from outside.
    #[must_use]
    pub fn trusted(&self) -> &VerifierKey {
        &self.trusted
    }

    /// Learns a rotation from its entry, which both keys have signed.
    pub fn learn(&mut self, entry: &ParsedEntry) -> Result<(), SuccessionError> {
        let succession = Succession::of(entry)?;
        let rotation = (entry.sealed.index(), succession);
        if !self.rotations.contains(&rotation) {
            self.rotations.push(rotation);
            self.rotations.sort_by_key(|(index, _)| *index);
        }
        Ok(())
    }

    /// Every key that the trusted one leads to, itself first, then those after it and those before it.
    fn reached(&self) -> Vec<&VerifierKey> {
        let mut keys = vec![&self.trusted];
        let mut last = &self.trusted;
        while let Some(next) =
            self.after(last).map(|(_, next)| next).filter(|it| !keys.contains(it))
        {
            keys.push(next);
            last = next;
        }
        last = &self.trusted;
        while let Some(previous) =
            self.before(last).map(|(_, previous)| previous).filter(|it| !keys.contains(it))
        {
            keys.push(previous);
            last = previous;
        }
        keys
    }

    /// The rotation that ended a key, and the key that came after it.
    fn after(&self, key: &VerifierKey) -> Option<(u64, &VerifierKey)> {
        let (index, ended) = self.rotations.iter().find(|(_, it)| it.previous == *key)?;
        Some((*index, &ended.next))
    }

    /// The rotation that a key began with, and the key that was before it.
    fn before(&self, key: &VerifierKey) -> Option<(u64, &VerifierKey)> {
        let (index, began) = self.rotations.iter().find(|(_, it)| it.next == *key)?;
        Some((*index, &began.previous))
    }

    /// Whether a key signs checkpoints of a size. That of the size right after a rotation is signed by both.
    fn signs(&self, key: &VerifierKey, size: u64) -> bool {
        let began = self.before(key).is_none_or(|(index, _)| size > index);
        began && self.after(key).is_none_or(|(index, _)| size <= index + 1)
    }

    /// The newest key that the trusted one leads to.
    #[must_use]
    pub fn newest(&self) -> &VerifierKey {
        let mut reached = self.reached().into_iter();
        reached.find(|key| self.after(key).is_none()).unwrap_or(&self.trusted)
    }

    /// Verifies a receipt under the trusted key, or else under one that it leads to, for a size that this one signs.
    pub fn verify(&self, receipt: &Receipt) -> Result<(ParsedEntry, Checkpoint), ReceiptError> {
        let mut first = None;
        for key in self.reached() {
            match receipt.verify(key) {
                Ok((entry, checkpoint)) if self.signs(key, checkpoint.size()) => {
                    return Ok((entry, checkpoint));
                }
                Ok((_, checkpoint)) => {
                    let size = checkpoint.size();
                    first = Some(ReceiptError::KeyNotThen { key: key.to_string(), size });
                }
                // What is wrong under the trusted key is what the caller needs to know.
                Err(error) => first = first.or(Some(error)),
            }
        }
        Err(first.expect("the trusted key is tried"))
    }
}
