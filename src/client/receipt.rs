//! What a receipt must prove before anybody is told that an act was recorded.

use crate::ledger::{ParsedEntry, Receipt, ReceiptError, SignedRequest};
use crate::pb::v1;
use crate::tlog::{Checkpoint, VerifierKey};

/// Why a receipt does not prove that the ledger took an act in.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptFault {
    /// The answer to a write has none.
    #[error("the answer has no receipt")]
    Missing,
    /// It does not prove what it says.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
    /// It names another position than its proof.
    #[error("it names entry {named}, its proof is for entry {proven}")]
    Index {
        /// Index that the receipt names.
        named: u64,
        /// Index that its proof proves.
        proven: u64,
    },
    /// The entry holds another request, key or signature than was sent.
    #[error("its entry holds another request or signature than the one that was sent")]
    Request,
    /// The answer says something else than the entry.
    #[error("the answer says something else than the entry it came with")]
    Outcome,
}

/// Verifies a receipt against the ledger's key, against the request it answers (where there is
/// one), and against the outcome that came beside it. Answers with the entry and the checkpoint
/// that vouches for it.
pub fn check_receipt(
    receipt: &v1::Receipt,
    outcome: Option<&v1::Outcome>,
    request: Option<&SignedRequest>,
    ledger: &VerifierKey,
) -> Result<(ParsedEntry, Checkpoint), ReceiptFault> {
    let proven = Receipt::new(receipt.entry.clone().into(), &receipt.proof)?;
    let (entry, checkpoint) = proven.verify(ledger)?;
    if receipt.index != proven.index {
        return Err(ReceiptFault::Index { named: receipt.index, proven: proven.index });
    }
    if request.is_some_and(|request| *request != entry.request) {
        return Err(ReceiptFault::Request);
    }
    if outcome.is_some_and(|outcome| *outcome != entry.outcome) {
        return Err(ReceiptFault::Outcome);
    }
    Ok((entry, checkpoint))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::key::Key;
    use crate::ledger::{RequestKind, SealedEntry, Sealing};
    use crate::tlog::{KeyName, NoteSigner, TlogProof, Tree, empty_root, no_tiles};

    const ORIGIN: &str = "example.org/clinic";

    fn outcome(waste: &str) -> v1::Outcome {
        let seen = v1::WasteWitnessed { waste: waste.into(), ..Default::default() };
        let result = v1::outcome::Result::WasteWitnessed(seen);
        v1::Outcome { result: Some(result), ..Default::default() }
    }

    /// A ledger of one entry, honestly made.
    fn receipt(request: &SignedRequest, ledger: &NoteSigner, origin: &str) -> v1::Receipt {
        let sealing = Sealing {
            ledger: origin,
            index: 0,
            previous: empty_root(),
            recorded_time: "2026-11-21T03:15:00Z".parse().unwrap(),
            rules_version: 1,
        };
        let (entry, _) = SealedEntry::seal(&sealing, request, outcome("wastes/7")).unwrap();
        let mut tree = Tree::new();
        assert!(tree.append(entry.leaf_hash()).is_empty(), "one entry fills no tile");
        let checkpoint = Checkpoint::new(ORIGIN, 1, tree.root()).unwrap();
        let path = tree.inclusion_proof(0, 1, no_tiles).unwrap();
        let proof = TlogProof::new(0, path, checkpoint.sign(ledger).unwrap()).unwrap();
        v1::Receipt { index: 0, entry: entry.bytes().to_vec(), proof: proof.to_string() }
    }

    #[test]
    fn a_receipt_proves_its_own_request_and_outcome_and_no_other() {
        let name: KeyName = ORIGIN.parse().unwrap();
        let ledger = NoteSigner::new(name.clone(), Key::generate().unwrap().signing_key().clone());
        let stranger = NoteSigner::new(name, Key::generate().unwrap().signing_key().clone());
        let nina = Key::generate().unwrap();
        let sign = |bytes: &'static [u8]| {
            SignedRequest::sign(RequestKind::Witness, Bytes::from_static(bytes), nina.signing_key())
        };
        let request = sign(b"\x2a\x08wastes/7");
        let good = receipt(&request, &ledger, ORIGIN);
        let vkey = ledger.verifier_key();
        let check = |receipt: &v1::Receipt, outcome: &v1::Outcome, request: &SignedRequest| {
            check_receipt(receipt, Some(outcome), Some(request), vkey)
                .map(|(entry, _)| entry.sealed)
        };

        check(&good, &outcome("wastes/7"), &request).unwrap();
        let other = sign(b"\x2a\x08wastes/8");
        let fault = check(&good, &outcome("wastes/7"), &other).unwrap_err();
        assert!(matches!(fault, ReceiptFault::Request));
        let fault = check(&good, &outcome("wastes/8"), &request).unwrap_err();
        assert!(matches!(fault, ReceiptFault::Outcome));
        let moved = v1::Receipt { index: 1, ..good.clone() };
        let fault = check(&moved, &outcome("wastes/7"), &request).unwrap_err();
        assert!(matches!(fault, ReceiptFault::Index { named: 1, proven: 0 }));
        for bad in
            [receipt(&request, &stranger, ORIGIN), receipt(&request, &ledger, "example.org/b")]
        {
            let fault = check(&bad, &outcome("wastes/7"), &request).unwrap_err();
            assert!(matches!(fault, ReceiptFault::Receipt(_)), "{fault}");
        }
        for at in 0..good.entry.len() {
            let mut bent = good.clone();
            bent.entry[at] ^= 1;
            assert!(check(&bent, &outcome("wastes/7"), &request).is_err(), "byte {at}");
        }
    }
}
