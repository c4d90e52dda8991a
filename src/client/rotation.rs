//! A ledger whose key was rotated, met by a client that has the verifier key of before.

use super::receipt::ReceiptFault;
use super::{Client, ClientError};
use crate::ledger::{KeyChain, ParsedEntry, Receipt};
use crate::pb::v1;

/// Subject under which the rotations of the ledger's key are listed.
const LEDGER_KEY: &str = "ledger/key";

/// Rotations that are asked for at most.
const MAX_ROTATIONS: i32 = 1_000;

impl Client {
    /// Why a receipt does not hold under the key that the caller brought along: where that is because another key took its
    /// place, and the old key itself has signed so, that is what is told. Nothing is taken on the server's word.
    pub(super) async fn explain(&self, error: ClientError, receipt: &v1::Receipt) -> ClientError {
        let ClientError::Receipt(ReceiptFault::Receipt(_)) = &error else { return error };
        let asked = v1::ListEntriesRequest {
            subject: LEDGER_KEY.to_owned(),
            page_size: MAX_ROTATIONS,
            ..v1::ListEntriesRequest::default()
        };
        let Ok(found) = self.ask(asked).await else { return error };
        let mut chain = KeyChain::new(self.ledger.clone());
        let mut newest = None;
        for entry in found.entries {
            let parsed = ParsedEntry::parse(entry.entry.into());
            if let Ok(parsed) = parsed
                && chain.learn(&parsed).is_ok()
            {
                newest = Some(parsed.sealed.index());
            }
        }
        let Some(by) = newest else { return error };
        let Ok(proven) = Receipt::new(receipt.entry.clone().into(), &receipt.proof) else {
            return error;
        };
        match chain.verify(&proven) {
            Ok(_) => ClientError::KeyRotated {
                recorded: receipt.index,
                by,
                verifier_key: chain.newest().to_string(),
            },
            Err(_) => error,
        }
    }
}
