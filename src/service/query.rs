//! Reading: entries, checkpoints and proofs, from connections of their own and never through the writer.

use std::ops::ControlFlow;

use bytes::Bytes;

use super::Service;
use super::error::ServiceError;
use crate::ledger::{EntryError, ParsedEntry, Receipt, RequestKind};
use crate::state::State;
use crate::store::{Reader, StoreError, state_before};
use crate::time::Timestamp;
use crate::tlog::{Hash, ProofError, leaf_hash};

/// Entries that one page of a filtered list looks at, at most; a page may so be short, or empty, and not the last.
pub const MAX_EXAMINED: u64 = 20_000;

/// Which entries a list is to hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryQuery {
    /// Index to begin with.
    pub start: u64,
    /// Entries on a page, at most.
    pub limit: usize,
    /// Bytes of entries on a page, at most; a page has at least one entry.
    pub max_bytes: usize,
    /// Only those that touch this resource: `vials/…`, `patients/…`, `people/…`, `products/…`, `lots/…`.
    pub subject: Option<String>,
    /// Only requests of this kind.
    pub kind: Option<RequestKind>,
    /// Only recorded at or after this.
    pub start_time: Option<Timestamp>,
    /// Only recorded before this.
    pub end_time: Option<Timestamp>,
}

/// A page of entries, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntryPage {
    /// The entries with their indexes.
    pub entries: Vec<(u64, Bytes)>,
    /// Where the next page begins; nothing after the last one.
    pub next: Option<u64>,
}

/// A proof that an entry is in the ledger of a size (RFC 9162, section 2.1.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InclusionProof {
    /// The size, in entries.
    pub size: u64,
    /// Leaf hash of the entry.
    pub leaf: Hash,
    /// The path, from the leaf up.
    pub path: Vec<Hash>,
}

/// A proof that the ledger of one size begins with the ledger of another (RFC 9162, section 2.1.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsistencyProof {
    /// The larger size, in entries.
    pub size: u64,
    /// The proof.
    pub path: Vec<Hash>,
}

impl Service {
    /// The bytes of an entry.
    pub async fn entry(&self, index: u64) -> Result<Bytes, ServiceError> {
        self.require_entry(index)?;
        self.read(move |reader| stored(reader, index)).await
    }

    /// A page of entries.
    pub async fn entries(&self, query: EntryQuery) -> Result<EntryPage, ServiceError> {
        // Only what is published: an entry is shown to nobody before whoever made it can be told.
        let size = self.published().size();
        self.read(move |reader| page(reader, &query, size)).await
    }

    /// The checkpoint that was signed at a size, if one was.
    pub async fn checkpoint_at(&self, size: u64) -> Result<Option<String>, ServiceError> {
        if size > self.published().size() {
            return Ok(None);
        }
        self.read(move |reader| Ok(reader.checkpoint_at(size)?)).await
    }

    /// The receipt of an entry, against the newest checkpoint.
    pub async fn receipt(&self, index: u64) -> Result<Receipt, ServiceError> {
        self.require_entry(index)?;
        let published = self.published();
        self.read(move |reader| {
            let entry = stored(reader, index)?;
            let tiles = |level, number| reader.tile(level, number);
            published.receipt(index, entry, tiles).map_err(proof_failed)
        })
        .await
    }

    /// The proof that an entry is in the ledger of a size; of the present size where none is given.
    pub async fn inclusion_proof(
        &self,
        index: u64,
        size: Option<u64>,
    ) -> Result<InclusionProof, ServiceError> {
        self.require_entry(index)?;
        let published = self.published();
        let size = size.unwrap_or(published.size());
        self.read(move |reader| {
            let leaf = leaf_hash(&stored(reader, index)?);
            let tiles = |level, number| reader.tile(level, number);
            let path = published.tree.inclusion_proof(index, size, tiles).map_err(proof_failed)?;
            Ok(InclusionProof { size, leaf, path })
        })
        .await
    }

    /// The proof that the ledger of one size begins with the ledger of another; the larger is the present size where
    /// none is given.
    pub async fn consistency_proof(
        &self,
        old_size: u64,
        new_size: Option<u64>,
    ) -> Result<ConsistencyProof, ServiceError> {
        let published = self.published();
        let size = new_size.unwrap_or(published.size());
        self.read(move |reader| {
            let tiles = |level, number| reader.tile(level, number);
            let path = published.tree.consistency_proof(old_size, size, tiles);
            Ok(ConsistencyProof { size, path: path.map_err(proof_failed)? })
        })
        .await
    }

    /// The state that an entry was decided by, folded anew: for what is asked rarely.
    pub async fn state_before(&self, index: u64) -> Result<State, ServiceError> {
        self.require_entry(index)?;
        self.read(move |reader| Ok(state_before(reader, index)?)).await
    }

    fn require_entry(&self, index: u64) -> Result<(), ServiceError> {
        if index < self.published().size() {
            return Ok(());
        }
        Err(ServiceError::NotFound(format!("entries/{index}")))
    }
}

/// An entry that is known to be there.
pub(super) fn stored(reader: &Reader, index: u64) -> Result<Bytes, ServiceError> {
    let entry = reader.entry(index)?;
    entry.ok_or_else(|| ServiceError::EvidenceBad(format!("entry {index} is missing")))
}

fn page(reader: &Reader, query: &EntryQuery, size: u64) -> Result<EntryPage, ServiceError> {
    let start = match query.start_time {
        Some(time) => query.start.max(first_since(reader, time, size)?),
        None => query.start,
    };
    let mut page = EntryPage::default();
    let (mut examined, mut bytes) = (0, 0_usize);
    let visit = |index: u64, entry: &[u8]| {
        let full = page.entries.len() >= query.limit
            || (!page.entries.is_empty() && bytes + entry.len() > query.max_bytes);
        if full || examined >= MAX_EXAMINED {
            page.next = Some(index);
            return Ok(ControlFlow::Break(()));
        }
        examined += 1;
        if query.kind.is_some() || query.end_time.is_some() {
            let parsed = parse(index, entry)?;
            if query.end_time.is_some_and(|end| parsed.sealed.recorded_time() >= end) {
                // Times only grow, so nothing after this is wanted either.
                return Ok(ControlFlow::Break(()));
            }
            if query.kind.is_some_and(|kind| parsed.request.kind() != kind) {
                return Ok(ControlFlow::Continue(()));
            }
        }
        bytes += entry.len();
        page.entries.push((index, Bytes::copy_from_slice(entry)));
        Ok::<_, ServiceError>(ControlFlow::Continue(()))
    };
    match &query.subject {
        Some(subject) => reader.visit_subject(subject, start..size, visit)?,
        None => reader.visit_entries(start..size, visit)?,
    }
    Ok(page)
}

/// Index of the first entry recorded at or after a moment; times only grow, so it is found by halving.
fn first_since(reader: &Reader, time: Timestamp, size: u64) -> Result<u64, ServiceError> {
    let (mut low, mut high) = (0, size);
    while low < high {
        let middle = low + (high - low) / 2;
        let entry = parse(middle, &stored(reader, middle)?)?;
        if entry.sealed.recorded_time() < time {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

fn parse(index: u64, entry: &[u8]) -> Result<ParsedEntry, ServiceError> {
    let parsed = ParsedEntry::parse(Bytes::copy_from_slice(entry));
    parsed.map_err(|error: EntryError| {
        ServiceError::EvidenceBad(format!("entry {index} cannot be read: {error}"))
    })
}

pub(super) fn proof_failed(error: ProofError<StoreError>) -> ServiceError {
    match error {
        ProofError::Tile { .. } | ProofError::AlteredTile { .. } => {
            tracing::error!(%error, "a stored tile is of no use; run `vialedger rebuild`");
            ServiceError::Internal
        }
        asked => ServiceError::OutOfRange(asked.to_string()),
    }
}
