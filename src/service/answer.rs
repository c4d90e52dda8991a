//! From what the writer wrote to what the caller is told.

use bytes::Bytes;

use super::error::ServiceError;
use super::query::stored;
use super::queue::Written;
use super::{Published, Service};
use crate::ledger::{ParsedEntry, Receipt, SignedRequest};
use crate::pb::v1::{self, outcome};
use crate::refusal::Refusal;
use crate::tlog::no_tiles;

/// What became of a request.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The receipt of its entry; none for a request that only wanted to be validated.
    pub receipt: Option<Receipt>,
    /// What the rules made of it.
    pub outcome: v1::Outcome,
}

impl Service {
    pub(super) async fn answer(&self, written: Written) -> Result<Answer, ServiceError> {
        match written {
            Written::New { published, index, entry, outcome, refusal } => {
                let receipt = self.receipt_of_new(&published, index, entry).await?;
                match refusal {
                    Some(refusal) => Err(recorded(refusal, receipt)),
                    None => Ok(Answer { receipt: Some(receipt), outcome }),
                }
            }
            Written::Seen { index, request } => self.answer_again(index, &request).await,
            Written::Validated { outcome } => Ok(Answer { receipt: None, outcome }),
            Written::Refused(refusal) => {
                let refusal = Box::new(refusal);
                Err(ServiceError::Refused { refusal, recorded: None, receipt: None })
            }
        }
    }

    /// The receipt of an entry of the newest commit: the tree that was published with it has all that it takes.
    async fn receipt_of_new(
        &self,
        published: &Published,
        index: u64,
        entry: Bytes,
    ) -> Result<Receipt, ServiceError> {
        match published.receipt(index, entry, no_tiles) {
            Ok(receipt) => Ok(receipt),
            Err(_) => self.receipt(index).await,
        }
    }

    /// The first answer again, from the entry that holds it.
    async fn answer_again(
        &self,
        index: u64,
        request: &SignedRequest,
    ) -> Result<Answer, ServiceError> {
        let entry = self.read(move |reader| stored(reader, index)).await?;
        let parsed = ParsedEntry::parse(entry).map_err(|error| {
            ServiceError::EvidenceBad(format!("entry {index} cannot be read: {error}"))
        })?;
        let first = &parsed.request;
        let same = first.kind() == request.kind()
            && first.bytes() == request.bytes()
            && first.key() == request.key();
        if !same {
            return Err(ServiceError::RequestIdReused);
        }
        let receipt = self.receipt(index).await?;
        match parsed.outcome.result {
            Some(outcome::Result::Refusal(refusal)) => {
                let refusal = Refusal::from_entry(&refusal).ok_or_else(|| {
                    ServiceError::EvidenceBad(format!("entry {index} records an unknown refusal"))
                })?;
                Err(recorded(refusal, receipt))
            }
            _ => Ok(Answer { receipt: Some(receipt), outcome: parsed.outcome }),
        }
    }
}

/// A refusal with the entry that records it.
fn recorded(refusal: Refusal, receipt: Receipt) -> ServiceError {
    ServiceError::Refused {
        refusal: Box::new(refusal),
        recorded: Some(receipt.index),
        receipt: Some(Box::new(receipt)),
    }
}
