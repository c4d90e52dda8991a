//! The identity key of a ledger: where it is, and when a new one is made.

use std::path::{Path, PathBuf};

use super::error::CliError;
use crate::key::IdentityKey;
use crate::store::LedgerFolder;

/// The identity key that a server works with.
#[derive(Debug)]
pub struct ServingKey {
    /// The key.
    pub key: IdentityKey,
    /// The file that it is in.
    pub path: PathBuf,
    /// Whether it was made just now, since the ledger is older than identities are.
    pub is_new: bool,
}

/// The identity key of the ledger in this folder: in the file that was named, or beside the ledger.
///
/// Where there is no such file and nothing was sealed yet, a new key is made there. Once there are sealed identities, a
/// missing key is missed and never replaced: a new one would open none of them.
pub fn serving_key(folder: &LedgerFolder, named: Option<&Path>) -> Result<ServingKey, CliError> {
    let path = named.map_or_else(|| folder.identity_key(), Path::to_owned);
    let is_new = !path.exists() && !folder.identities().exists();
    let key = if is_new {
        let key = IdentityKey::generate()?;
        // A crash after this leaves a key with nothing sealed; the next start takes it.
        key.save(&path)?;
        key
    } else {
        IdentityKey::load(&path)?
    };
    Ok(ServingKey { key, path, is_new })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KeyError;
    use crate::store::Identities;

    #[test]
    fn a_key_is_made_once_and_never_for_what_another_one_sealed() {
        let dir = tempfile::tempdir().unwrap();
        let folder = LedgerFolder::new(dir.path());
        let made = serving_key(&folder, None).unwrap();
        assert!(made.is_new);
        let again = serving_key(&folder, None).unwrap();
        assert!(!again.is_new && again.key == made.key);

        Identities::open(&folder, &made.key, "clinic.example/ledger").unwrap();
        let elsewhere = dir.path().join("stick.key");
        std::fs::rename(&made.path, &elsewhere).unwrap();
        let missing = serving_key(&folder, None).unwrap_err();
        let missed = CliError::Key(KeyError::IdentityKeyMissing { path: folder.identity_key() });
        assert_eq!(missing.to_string(), missed.to_string());
        assert!(!folder.identity_key().exists(), "no new key where the old one is needed");
        let found = serving_key(&folder, Some(&elsewhere)).unwrap();
        assert!(!found.is_new && found.key == made.key);
    }
}
