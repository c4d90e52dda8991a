//! The persons' signatures. They are verified strictly and one by one: a batch can disagree with the single verification
//! on crafted input.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use crate::ledger::SignedRequest;
use crate::tlog::PublicKey;

/// Keys that are kept at most. A ledger's people have fewer; whoever forges one cannot fill the memory with theirs.
const MAX_KEYS: usize = 65_536;

/// Keys that were seen, decoded once for all cores.
#[derive(Default)]
pub(super) struct KeyRing {
    keys: RwLock<BTreeMap<[u8; 32], Option<PublicKey>>>,
}

impl KeyRing {
    /// Whether the signature of a request holds under the key that it names.
    pub(super) fn holds(&self, request: &SignedRequest) -> bool {
        self.key(request.key()).is_some_and(|key| request.holds_under(&key))
    }

    fn key(&self, bytes: &[u8; 32]) -> Option<PublicKey> {
        // A map of what can be decoded again is whole, whatever happened to a thread that wrote to it.
        let known = self.keys.read().unwrap_or_else(PoisonError::into_inner).get(bytes).cloned();
        if let Some(known) = known {
            return known;
        }
        let key = PublicKey::from_bytes(bytes).ok();
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= MAX_KEYS {
            keys.clear();
        }
        keys.insert(*bytes, key.clone());
        key
    }
}
