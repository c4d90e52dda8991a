//! What a caller keeps: the proof that the ledger took an entry in.

use bytes::Bytes;

use super::entry::{EntryError, ParsedEntry};
use crate::tlog::{Checkpoint, TlogProof, TlogProofError, VerifierKey};

/// An entry, its inclusion proof and the checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Position of the entry.
    pub index: u64,
    /// The entry's bytes.
    pub entry: Bytes,
    /// The proof without its extra line.
    pub proof: TlogProof,
}

/// Why a receipt proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// The proof is none, or does not prove this entry.
    #[error("{0}")]
    Proof(#[from] TlogProofError),
    /// The file holds no entry.
    #[error("the receipt holds no entry: its extra line is missing")]
    NoEntry,
    /// The entry cannot be read.
    #[error("{0}")]
    Entry(#[from] EntryError),
    /// The entry's own index is not the proof's.
    #[error("the entry says that its index is {entry}, the proof says {proof}")]
    Index {
        /// What the entry says.
        entry: u64,
        /// What the proof says.
        proof: u64,
    },
    /// The entry belongs to another ledger than the key.
    #[error("the entry is of the ledger {entry:?}, the key is of {key:?}")]
    Ledger {
        /// What the entry says.
        entry: String,
        /// The key's name.
        key: String,
    },
    /// A key of the ledger signed a checkpoint of a size at which it was not the ledger's.
    #[error("{key} was not the ledger's key at {size} entries, and signed their checkpoint")]
    KeyNotThen {
        /// The key.
        key: String,
        /// Size of the checkpoint.
        size: u64,
    },
}

impl Receipt {
    /// From the entry's bytes and the text of a proof.
    pub fn new(entry: Bytes, proof: &str) -> Result<Self, ReceiptError> {
        let proof = TlogProof::parse(proof.as_bytes())?;
        Ok(Self { index: proof.index(), entry, proof })
    }

    /// Reads a receipt's file: a C2SP tlog-proof whose extra line is the entry.
    pub fn parse_file(file: &[u8]) -> Result<Self, ReceiptError> {
        let proof = TlogProof::parse(file)?;
        let entry = Bytes::copy_from_slice(proof.extra().ok_or(ReceiptError::NoEntry)?);
        Ok(Self { index: proof.index(), entry, proof })
    }

    /// The receipt as one text that proves itself.
    pub fn to_file(&self) -> Result<String, ReceiptError> {
        Ok(self.proof.clone().with_extra(self.entry.to_vec())?.to_string())
    }

    /// Checks that the ledger whose key this is took the entry in, and that the entry says the same of itself.
    pub fn verify(&self, key: &VerifierKey) -> Result<(ParsedEntry, Checkpoint), ReceiptError> {
        let checkpoint = self.proof.verify(&self.entry, key)?;
        let entry = ParsedEntry::parse(self.entry.clone())?;
        if entry.sealed.index() != self.proof.index() {
            let (entry, proof) = (entry.sealed.index(), self.proof.index());
            return Err(ReceiptError::Index { entry, proof });
        }
        if entry.ledger != key.name().as_str() {
            let key = key.name().to_string();
            return Err(ReceiptError::Ledger { entry: entry.ledger, key });
        }
        Ok((entry, checkpoint))
    }
}
