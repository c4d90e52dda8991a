//! The key file: PKCS#8 in PEM, readable by its owner alone.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, KeypairBytes};
use pkcs8::pkcs5::{pbes2, scrypt};
use pkcs8::{EncryptedPrivateKeyInfoRef, LineEnding, PrivateKeyInfoRef, SecretDocument};
use zeroize::Zeroizing;

use super::{Key, KeyError, Passphrase};

/// PEM label of a plain PKCS#8 key (RFC 7468, section 10).
const PLAIN_LABEL: &str = "PRIVATE KEY";
/// PEM label of a PKCS#8 key under a passphrase (RFC 7468, section 11).
const PROTECTED_LABEL: &str = "ENCRYPTED PRIVATE KEY";
/// The longest key file that is read, in bytes; a protected key takes about 400.
const MAX_FILE_BYTES: u64 = 16_384;
/// scrypt's cost as OpenSSL 3 sets it: 2^14 rounds of 8 blocks, once. 16 MiB of memory, and OpenSSL
/// can read it.
const SCRYPT_LOG_ROUNDS: u8 = 14;
const SCRYPT_BLOCKS: u32 = 8;
const SCRYPT_PARALLEL: u32 = 1;
/// Salt of scrypt and initial vector of AES-CBC, in bytes.
const SALT_BYTES: usize = 16;

impl Key {
    /// Writes the key to a new file with mode 0600, protected where a passphrase is given. Never
    /// overwrites.
    pub fn save(&self, path: &Path, passphrase: Option<&Passphrase>) -> Result<(), KeyError> {
        let pem = self.to_pem(path, passphrase)?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => KeyError::Exists { path: path.to_owned() },
            _ => io_error(path, source),
        })?;
        file.write_all(pem.as_bytes()).and_then(|()| file.sync_all()).map_err(|e| io_error(path, e))
    }

    /// Reads a key file. Refuses one that others than its owner can read.
    pub fn load(path: &Path, passphrase: Option<&Passphrase>) -> Result<Self, KeyError> {
        let pem = read_private(path)?;
        Self::from_pem(path, &pem, passphrase)
    }

    /// Whether the file is protected by a passphrase, so that the caller knows to ask for it.
    pub fn is_protected(path: &Path) -> Result<bool, KeyError> {
        Ok(read_private(path)?.contains(PROTECTED_LABEL))
    }

    fn to_pem(
        &self,
        path: &Path,
        passphrase: Option<&Passphrase>,
    ) -> Result<Zeroizing<String>, KeyError> {
        // Without the public half: that is the older, shorter form, which every OpenSSL reads.
        let bytes = KeypairBytes { secret_key: self.signing.to_bytes(), public_key: None };
        let plain = bytes.to_pkcs8_der().map_err(|e| malformed(path, &e))?;
        let (document, label) = match passphrase {
            None => (plain, PLAIN_LABEL),
            Some(passphrase) => (protect(path, &plain, passphrase)?, PROTECTED_LABEL),
        };
        document.to_pem(label, LineEnding::LF).map_err(|e| malformed(path, &e))
    }

    fn from_pem(path: &Path, pem: &str, passphrase: Option<&Passphrase>) -> Result<Self, KeyError> {
        let (label, document) = SecretDocument::from_pem(pem).map_err(|e| malformed(path, &e))?;
        let plain = match (label, passphrase) {
            (PLAIN_LABEL, _) => document,
            (PROTECTED_LABEL, None) => {
                return Err(KeyError::PassphraseNeeded { path: path.to_owned() });
            }
            (PROTECTED_LABEL, Some(passphrase)) => {
                EncryptedPrivateKeyInfoRef::try_from(document.as_bytes())
                    .map_err(|e| malformed(path, &e))?
                    .decrypt(passphrase.as_bytes())
                    .map_err(|_| KeyError::PassphraseWrong { path: path.to_owned() })?
            }
            (other, _) => {
                let detail = format!("its label is \"{other}\", expected \"{PLAIN_LABEL}\"");
                return Err(KeyError::Malformed { path: path.to_owned(), detail });
            }
        };
        let signing =
            SigningKey::from_pkcs8_der(plain.as_bytes()).map_err(|e| malformed(path, &e))?;
        Ok(Self { signing })
    }
}

fn protect(
    path: &Path,
    plain: &SecretDocument,
    passphrase: &Passphrase,
) -> Result<SecretDocument, KeyError> {
    let mut salt = [0; SALT_BYTES];
    let mut vector = [0; SALT_BYTES];
    getrandom::fill(&mut salt).map_err(KeyError::Randomness)?;
    getrandom::fill(&mut vector).map_err(KeyError::Randomness)?;
    let cost = scrypt::Params::new(SCRYPT_LOG_ROUNDS, SCRYPT_BLOCKS, SCRYPT_PARALLEL)
        .expect("scrypt accepts OpenSSL's cost");
    let parameters = pbes2::Parameters::generate_scrypt_aes256cbc(cost, &salt, vector)
        .map_err(|e| malformed(path, &e))?;
    PrivateKeyInfoRef::try_from(plain.as_bytes())
        .map_err(|e| malformed(path, &e))?
        .encrypt_with_params(parameters, passphrase.as_bytes())
        .map_err(|e| malformed(path, &e))
}

/// Reads the file after looking at the permissions of the very handle that is read.
pub(super) fn read_private(path: &Path) -> Result<Zeroizing<String>, KeyError> {
    let file = File::open(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => KeyError::Missing { path: path.to_owned() },
        _ => io_error(path, source),
    })?;
    refuse_exposed(path, &file)?;
    let mut text = Zeroizing::new(String::new());
    file.take(MAX_FILE_BYTES).read_to_string(&mut text).map_err(|e| io_error(path, e))?;
    Ok(text)
}

#[cfg(unix)]
fn refuse_exposed(path: &Path, file: &File) -> Result<(), KeyError> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = file.metadata().map_err(|e| io_error(path, e))?.permissions().mode() & 0o777;
    if mode & 0o700 == mode {
        Ok(())
    } else {
        Err(KeyError::Exposed { path: path.to_owned(), mode })
    }
}

/// Elsewhere the folder's own access list has to protect the file.
#[cfg(not(unix))]
fn refuse_exposed(_path: &Path, _file: &File) -> Result<(), KeyError> {
    Ok(())
}

pub(super) fn io_error(path: &Path, source: io::Error) -> KeyError {
    KeyError::Io { path: path.to_owned(), source }
}

fn malformed(path: &Path, detail: &dyn ToString) -> KeyError {
    KeyError::Malformed { path: path.to_owned(), detail: detail.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passphrase(text: &str) -> Passphrase {
        Passphrase::new(Zeroizing::new(text.to_owned())).unwrap()
    }

    #[test]
    fn a_saved_key_is_read_back_and_signs_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ada.pem");
        let key = Key::generate().unwrap();
        key.save(&path, None).unwrap();
        assert!(!Key::is_protected(&path).unwrap());
        assert_eq!(Key::load(&path, None).unwrap().public_key(), key.public_key());
    }

    #[test]
    fn a_protected_key_opens_with_its_passphrase_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ada.pem");
        let key = Key::generate().unwrap();
        key.save(&path, Some(&passphrase("night shift, bed 4"))).unwrap();
        assert!(Key::is_protected(&path).unwrap());
        assert!(matches!(Key::load(&path, None), Err(KeyError::PassphraseNeeded { .. })));
        let wrong = Key::load(&path, Some(&passphrase("night shift, bed 5")));
        assert!(matches!(wrong, Err(KeyError::PassphraseWrong { .. })), "{wrong:?}");
        let right = Key::load(&path, Some(&passphrase("night shift, bed 4"))).unwrap();
        assert_eq!(right.public_key(), key.public_key());
    }

    #[test]
    fn a_key_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ada.pem");
        Key::generate().unwrap().save(&path, None).unwrap();
        let before = std::fs::read(&path).unwrap();
        let again = Key::generate().unwrap().save(&path, None);
        assert!(matches!(again, Err(KeyError::Exists { .. })));
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_can_read_is_refused_with_the_cure() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ada.pem");
        Key::generate().unwrap().save(&path, None).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        for exposed in [0o640, 0o604, 0o660, 0o601] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(exposed)).unwrap();
            let error = Key::load(&path, None).unwrap_err();
            assert!(matches!(error, KeyError::Exposed { mode, .. } if mode == exposed));
            assert!(error.to_string().contains("chmod 600"), "{error}");
        }
    }

    #[test]
    fn another_kind_of_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.pem");
        let public = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----\n";
        for text in ["", "hello", public] {
            let refused = Key::from_pem(&path, text, None);
            assert!(matches!(refused, Err(KeyError::Malformed { .. })), "{text:?}");
        }
    }

    #[test]
    fn reads_the_key_of_rfc_8410() {
        // RFC 8410, section 10.3: the private key without its public half.
        let pem = "-----BEGIN PRIVATE KEY-----\n\
                   MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
                   -----END PRIVATE KEY-----\n";
        let key = Key::from_pem(Path::new("rfc8410.pem"), pem, None).unwrap();
        assert_eq!(key.public_key().to_string(), "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=");
        assert_eq!(&*key.to_pem(Path::new("rfc8410.pem"), None).unwrap(), pem);
    }
}
