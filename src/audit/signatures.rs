//! The persons' signatures, on all cores.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::evidence::Row;
use super::{Fault, Finding};
use crate::tlog::PublicKey;

/// Keys that were seen, decoded once.
#[derive(Default)]
pub(super) struct KeyRing {
    keys: BTreeMap<[u8; 32], Option<PublicKey>>,
}

impl KeyRing {
    /// Verifies the signature of each row that can be read. Strict and one by one: a batch can disagree with the single
    /// verification on crafted input.
    pub(super) fn verify(&mut self, rows: &[Row]) -> Vec<Result<(), Finding>> {
        for entry in rows.iter().filter_map(|row| row.entry.as_ref().ok()) {
            let key = entry.request.key();
            self.keys.entry(*key).or_insert_with(|| PublicKey::from_bytes(key).ok());
        }
        rows.par_iter().map(|row| self.one(row)).collect()
    }

    fn one(&self, row: &Row) -> Result<(), Finding> {
        // What cannot be read is found when its place in the chain is looked at.
        let Ok(entry) = &row.entry else { return Ok(()) };
        let key = self.keys.get(entry.request.key()).and_then(Option::as_ref);
        let holds = key.is_some_and(|key| entry.request.holds_under(key));
        if holds {
            return Ok(());
        }
        let expected = "the signature of the key that the entry names";
        Err(Finding::new(entry.sealed.index(), Fault::BadSignature, expected, "another"))
    }
}
