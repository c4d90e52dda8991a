//! What the ledger says of itself: the keys that were its own, and its audits.

use serde::{Deserialize, Serialize};

use super::State;
use crate::time::Timestamp;

/// Subject under which the rotations of the ledger's key are filed.
pub const LEDGER_KEY: &str = "ledger/key";
/// Subject under which the ledger's audits of itself are filed.
pub const LEDGER_AUDITS: &str = "ledger/audits";

/// A key that is, or was, the ledger's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerKey {
    /// The public key.
    pub key: [u8; 32],
    /// The same as a C2SP vkey line.
    pub verifier_key: String,
    /// The entry that it began with: 0, or a rotation.
    pub entry: u64,
    /// When that entry was recorded.
    pub began: Timestamp,
    /// When another took its place; nothing while it is the ledger's.
    pub replaced: Option<Timestamp>,
}

/// The newest audit of the ledger by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelfAudit {
    /// The entry that records it.
    pub entry: u64,
    /// How many entries were good.
    pub size: u64,
    /// When it was recorded.
    pub recorded: Timestamp,
    /// When the newest one that read every entry was recorded.
    pub whole: Option<Timestamp>,
}

impl State {
    /// The keys that are, or were, the ledger's own, oldest first.
    #[must_use]
    pub fn ledger_keys(&self) -> impl DoubleEndedIterator<Item = &LedgerKey> {
        self.ledger_keys.values()
    }

    /// One of them.
    #[must_use]
    pub fn ledger_key(&self, key: &[u8; 32]) -> Option<&LedgerKey> {
        self.ledger_keys.values().find(|it| it.key == *key)
    }

    /// The newest audit of the ledger by itself.
    #[must_use]
    pub fn self_audit(&self) -> Option<&SelfAudit> {
        self.self_audit.as_ref()
    }

    pub(super) fn put_ledger_key(&mut self, key: LedgerKey) {
        if let Some((_, last)) = self.ledger_keys.get_max() {
            let last = LedgerKey { replaced: Some(key.began), ..last.clone() };
            self.ledger_keys.insert(last.entry, last);
        }
        if let Some(site) = &self.site {
            let mut site = site.as_ref().clone();
            site.verifier_key.clone_from(&key.verifier_key);
            self.site = Some(site.into());
        }
        self.ledger_keys.insert(key.entry, key);
    }
}
