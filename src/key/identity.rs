//! The key that the sealed identities of patients are encrypted with.
//!
//! It is the operator's: whoever holds it and `identities.db` reads every name, whoever has lost it reads none any more.
//! The ledger needs it for nothing: entries hold commitments only.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use base64ct::{Base64, Encoding as _};
use zeroize::{Zeroize as _, Zeroizing};

use super::KeyError;
use super::file::{io_error, read_private};

/// Length of the key, in bytes: AES-256's.
pub const IDENTITY_KEY_BYTES: usize = 32;

/// The first word of a key file, so that no other key is taken for one.
const FILE_HEAD: &str = "vialedger-identity-key-v1";

/// A key for identities. Wiped from memory when dropped; never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct IdentityKey(Zeroizing<[u8; IDENTITY_KEY_BYTES]>);

impl IdentityKey {
    /// A new key from the operating system's randomness.
    pub fn generate() -> Result<Self, KeyError> {
        let mut key = Zeroizing::new([0; IDENTITY_KEY_BYTES]);
        getrandom::fill(key.as_mut_slice()).map_err(KeyError::Randomness)?;
        Ok(Self(key))
    }

    /// The key that these bytes are.
    #[must_use]
    pub fn from_bytes(bytes: [u8; IDENTITY_KEY_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; IDENTITY_KEY_BYTES] {
        &self.0
    }

    /// Writes the key to a new file with mode 0600: one line, the words `vialedger-identity-key-v1` and the key in
    /// base64, short enough to be kept on paper. Never overwrites. Durable on return.
    pub fn save(&self, path: &Path) -> Result<(), KeyError> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => KeyError::Exists { path: path.to_owned() },
            _ => io_error(path, source),
        })?;
        let mut encoded = Zeroizing::new([0; 44]);
        let encoded = Base64::encode(self.as_bytes(), encoded.as_mut_slice());
        let encoded = encoded.expect("32 bytes make 44 characters");
        let line = Zeroizing::new(format!("{FILE_HEAD} {encoded}\n"));
        // A crash here leaves a file that is cut short. It is refused as no key, and nothing was sealed with it: whoever
        // starts again moves it away.
        file.write_all(line.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(|e| io_error(path, e))?;
        // Its name too: what is sealed with a key that a power cut takes away is lost.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(|e| io_error(folder, e))
    }

    /// Reads a key file. Refuses one that others than its owner can read.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let line = read_private(path).map_err(|error| match error {
            KeyError::Missing { path } => KeyError::IdentityKeyMissing { path },
            other => other,
        })?;
        let malformed = || KeyError::IdentityKeyMalformed { path: path.to_owned() };
        let encoded =
            line.trim_end().strip_prefix(FILE_HEAD).and_then(|rest| rest.strip_prefix(' '));
        let encoded = encoded.filter(|encoded| encoded.len() == 44).ok_or_else(malformed)?;
        let mut key = Zeroizing::new([0; IDENTITY_KEY_BYTES]);
        let decoded = Base64::decode(encoded, key.as_mut_slice()).map_err(|_| malformed())?;
        if decoded.len() != IDENTITY_KEY_BYTES {
            key.zeroize();
            return Err(malformed());
        }
        Ok(Self(key))
    }
}

impl fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdentityKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_key_is_read_back_and_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity.key");
        let key = IdentityKey::generate().unwrap();
        key.save(&path).unwrap();
        assert!(IdentityKey::load(&path).unwrap() == key);
        let again = IdentityKey::generate().unwrap().save(&path);
        assert!(matches!(again, Err(KeyError::Exists { .. })));
        assert!(IdentityKey::load(&path).unwrap() == key);
        assert!(IdentityKey::generate().unwrap() != key);
        assert_eq!(format!("{key:?}"), "IdentityKey(…)");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity.key");
        let missing = IdentityKey::load(&path).unwrap_err();
        assert!(matches!(missing, KeyError::IdentityKeyMissing { .. }), "{missing}");
        IdentityKey::from_bytes([7; 32]).save(&path).unwrap();
        let good = std::fs::read_to_string(&path).unwrap();
        for bad in ["", "hello", &good[..40], &good.replace("v1", "v2"), &good.replace("Bw", "!!")]
        {
            std::fs::write(&path, bad).unwrap();
            let refused = IdentityKey::load(&path);
            assert!(matches!(refused, Err(KeyError::IdentityKeyMalformed { .. })), "{bad:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity.key");
        IdentityKey::generate().unwrap().save(&path).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(IdentityKey::load(&path), Err(KeyError::Exposed { .. })));
    }
}
