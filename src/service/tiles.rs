//! Reading the ledger as tiles and bundles. Both are made of what was committed, and never change again.

use std::ops::ControlFlow;

use bytes::Bytes;

use super::Service;
use super::error::ServiceError;
use super::query::proof_failed;
use crate::tlog::{TILE_HASHES, TileKind, TilePath, encode_entries, encode_hashes};

impl Service {
    /// The bytes of a tile, or of a bundle of entries; nothing where the ledger has not got so far. A partial one of any
    /// width that the ledger ever had is there for ever.
    pub async fn tile(&self, path: TilePath) -> Result<Option<Bytes>, ServiceError> {
        match path.kind() {
            TileKind::Hashes(level) => self.hashes(level, path).await,
            TileKind::Entries => self.bundle(path).await,
        }
    }

    async fn hashes(&self, level: u8, path: TilePath) -> Result<Option<Bytes>, ServiceError> {
        let published = self.published();
        let hashes = self.read(move |reader| {
            let source = |level, number| reader.tile(level, number);
            let hashes = published.tree.tile(level, path.number(), path.width(), source);
            hashes.map_err(proof_failed)
        });
        match hashes.await {
            Ok(hashes) => Ok(encode_hashes(&hashes).ok().map(Bytes::from)),
            Err(ServiceError::OutOfRange(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn bundle(&self, path: TilePath) -> Result<Option<Bytes>, ServiceError> {
        let size = self.published().size();
        let start = path.number().checked_mul(u64::from(TILE_HASHES));
        let end = start.and_then(|start| start.checked_add(u64::from(path.width())));
        // Only what is published: an entry is shown to nobody before whoever made it can be told.
        let (Some(start), Some(end)) = (start, end.filter(|end| *end <= size)) else {
            return Ok(None);
        };
        self.read(move |reader| {
            let mut entries = Vec::new();
            reader.visit_entries(start..end, |_, entry| {
                entries.push(Bytes::copy_from_slice(entry));
                Ok::<_, ServiceError>(ControlFlow::Continue(()))
            })?;
            if entries.len() != usize::from(path.width()) {
                let found = entries.len();
                let what = format!("{found} entries where entries {start} to {end} belong");
                return Err(ServiceError::EvidenceBad(what));
            }
            let bundle = encode_entries(&entries);
            let bundle = bundle.map_err(|error| ServiceError::EvidenceBad(error.to_string()))?;
            Ok(Some(Bytes::from(bundle)))
        })
        .await
    }
}
