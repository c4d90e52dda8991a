//! Identities of patients: kept beside the ledger, and never part of an entry. Who may see one, and the trace that it
//! leaves, are the rules' affair; here it is only sealed and opened.

use super::Service;
use super::error::ServiceError;
use crate::identity::{Commitment, Opening};
use crate::store::{Identities, StoreError};

impl Service {
    /// Whether identities are kept here at all: whether the ledger was opened with an identity key.
    #[must_use]
    pub fn keeps_identities(&self) -> bool {
        self.shared.identities.is_some()
    }

    /// Encrypts an identity and keeps it beside the ledger; durable on return. The same opening again changes nothing.
    pub async fn seal_identity(&self, opening: Opening) -> Result<Commitment, ServiceError> {
        if !self.keeps_identities() {
            return Err(ServiceError::NoIdentities);
        }
        let sealed = self.with_identities(move |identities| identities.seal(&opening)).await?;
        sealed.ok_or(ServiceError::NoIdentities)
    }

    /// The identity behind a commitment; nothing where this server does not hold it.
    pub async fn identity(&self, commitment: Commitment) -> Result<Option<Opening>, ServiceError> {
        let opened = self.with_identities(move |identities| identities.open_one(&commitment));
        Ok(opened.await?.flatten())
    }

    /// Whether this server holds the identity behind a commitment, and can open it.
    pub async fn holds_identity(&self, commitment: Commitment) -> Result<bool, ServiceError> {
        let held = self.with_identities(move |identities| identities.holds(&commitment));
        Ok(held.await?.unwrap_or(false))
    }

    /// Does something with the identities on a thread where that may block; nothing where there are none.
    async fn with_identities<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Identities) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<Option<T>, ServiceError> {
        let Some(identities) = self.shared.identities.clone() else { return Ok(None) };
        self.blocking(move || Ok(Some(act(&identities)?))).await
    }
}
