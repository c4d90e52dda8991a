//! The persons' signatures. They are verified strictly and each for itself: a batch can disagree with the single
//! verification on crafted input. What several share is a division, which decides nothing.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::ledger::SignedRequest;
use crate::tlog::PublicKey;

/// Keys that are kept at most. A ledger's people have fewer; whoever forges one cannot fill the memory with theirs.
const MAX_KEYS: usize = 65_536;

/// After so many signatures it is worth a tenth of what they cost to make their key ready for many.
pub(super) const MANY: u64 = 256;

/// Keys that are made ready for many signatures at most, at 30 KiB each. The others verify as they are.
const MAX_PREPARED: usize = 256;

/// Keys that were seen, decoded once for all cores.
#[derive(Default)]
pub(super) struct KeyRing {
    /// None where the bytes are no key.
    keys: RwLock<BTreeMap<[u8; 32], Option<Arc<Seen>>>>,
    prepared: AtomicUsize,
}

/// A key, and how many signatures it had to verify.
struct Seen {
    key: PublicKey,
    signatures: AtomicU64,
}

impl KeyRing {
    /// Of each request, whether its signature holds under the key that it names.
    pub(super) fn hold_each(&self, requests: &[&SignedRequest]) -> Vec<bool> {
        let keys: Vec<_> = requests.iter().map(|request| self.key(request.key())).collect();
        let asked = requests.iter().zip(&keys);
        let asked = asked.filter_map(|(request, seen)| Some((*request, &seen.as_ref()?.key)));
        let mut holds = SignedRequest::hold_each(&asked.collect::<Vec<_>>()).into_iter();
        // Nothing holds under what is no key.
        keys.iter().map(|seen| seen.is_some() && holds.next().unwrap_or(false)).collect()
    }

    fn key(&self, bytes: &[u8; 32]) -> Option<Arc<Seen>> {
        // A map of what can be decoded again is whole, whatever happened to a thread that wrote to it.
        let known = self.keys.read().unwrap_or_else(PoisonError::into_inner).get(bytes).cloned();
        let key = match known {
            None => PublicKey::from_bytes(bytes).ok(),
            Some(None) => return None,
            // One thread meets the number, and makes the key ready for all.
            Some(Some(seen)) if seen.are_many() && self.may_prepare() => Some(seen.key.prepared()),
            Some(Some(seen)) => return Some(seen),
        };
        let seen = key.map(|key| Arc::new(Seen { key, signatures: AtomicU64::new(1) }));
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= MAX_KEYS {
            keys.clear();
            self.prepared.store(0, Ordering::Relaxed);
        }
        keys.insert(*bytes, seen.clone());
        seen
    }

    /// Whether there is room for one more key that is made ready; then it is taken.
    fn may_prepare(&self) -> bool {
        self.prepared.fetch_add(1, Ordering::Relaxed) < MAX_PREPARED
    }
}

impl Seen {
    /// Counts one more signature. Whether that makes them many: so it is said once.
    fn are_many(&self) -> bool {
        let before = self.signatures.fetch_add(1, Ordering::Relaxed);
        before == MANY && !self.key.is_prepared()
    }
}
