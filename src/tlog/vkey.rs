//! Verifier keys: the one line that an auditor is given from outside and trusts.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use super::key::{PublicKey, PublicKeyError};
use super::text;

/// The longest key name, in bytes; the limit that tlog-cosignature puts on names and origins.
pub const MAX_KEY_NAME_BYTES: usize = 255;

/// The longest verifier key line, in bytes; a line with an ML-DSA-44 key has about 2,000.
pub const MAX_VERIFIER_KEY_BYTES: usize = 8 * 1024;

/// Digits of a key id in a verifier key line.
const KEY_ID_DIGITS: usize = 8;

/// The name of a key that signs notes, such as `ledger.example/clinic-1`: 1 to 255 bytes without
/// Unicode spaces, plus signs or control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

/// Why some text is not a key name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyNameError {
    /// Nothing, or too much.
    #[error("a key name has 1 to {MAX_KEY_NAME_BYTES} bytes, found {found}")]
    Length {
        /// The length, in bytes.
        found: usize,
    },
    /// A character that would break a line of a note apart.
    #[error(
        "a key name has no spaces, plus signs or control characters, found {found:?}: use the form \
         ledger.example/name"
    )]
    Character {
        /// The first such character.
        found: char,
    },
}

impl KeyName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyName {
    type Err = KeyNameError;

    fn from_str(name: &str) -> Result<Self, KeyNameError> {
        if name.is_empty() || name.len() > MAX_KEY_NAME_BYTES {
            return Err(KeyNameError::Length { found: name.len() });
        }
        let breaks = |c: &char| c.is_whitespace() || *c == '+' || *c < ' ';
        match name.chars().find(breaks) {
            Some(found) => Err(KeyNameError::Character { found }),
            None => Ok(Self(name.to_owned())),
        }
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Four bytes that say, together with the name, which key signed. Not a fingerprint: anyone can
/// make a key with a given id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 4]);

impl KeyId {
    /// An id from its four bytes, as they stand in a signature.
    #[must_use]
    pub const fn new(bytes: [u8; 4]) -> Self {
        Self(bytes)
    }

    /// The id of a key: the first four bytes of `H(name || LF || type || public key)`.
    #[must_use]
    pub fn of(name: &KeyName, kind: KeyKind, key: &PublicKey) -> Self {
        let hasher = Sha256::new().chain_update(name.as_str()).chain_update(b"\n");
        let hash = hasher.chain_update([kind.type_byte()]).chain_update(key.as_bytes()).finalize();
        let [a, b, c, d, ..]: [u8; 32] = hash.into();
        Self([a, b, c, d])
    }

    /// The four bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 4] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    /// Eight lower-case hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// What a key's signatures are made over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {
    /// Ed25519 over the note's text: the signature of a log.
    Note,
    /// Ed25519 over a timestamp and the checkpoint: the `cosignature/v1` of a log cosigner.
    Cosignature,
}

impl KeyKind {
    /// The type byte that signed-note assigns: `0x01` or `0x04`.
    #[must_use]
    pub const fn type_byte(self) -> u8 {
        match self {
            Self::Note => 0x01,
            Self::Cosignature => 0x04,
        }
    }

    const fn from_type_byte(byte: u8) -> Option<Self> {
        match byte {
            0x01 => Some(Self::Note),
            0x04 => Some(Self::Cosignature),
            _ => None,
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "a log's key (type 0x01)",
            Self::Cosignature => "a log cosigner's key (type 0x04)",
        })
    }
}

/// A named Ed25519 public key that checks signatures on notes. Its text is the verifier key line
/// `<name>+<id, 8 hex digits>+<base64 of type byte and public key>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VerifierKey {
    name: KeyName,
    kind: KeyKind,
    key: PublicKey,
    id: KeyId,
}

/// Why some text is not a verifier key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifierKeyError {
    /// A line over the limit.
    #[error("the verifier key has {found} bytes, limit {MAX_VERIFIER_KEY_BYTES}")]
    TooLong {
        /// The length, in bytes.
        found: usize,
    },
    /// Not three parts, or a part that is not spelled as it must be.
    #[error(
        "not a verifier key: expected <name>+<8 lower-case hex digits>+<base64> in one line; give \
         the line as the ledger's owner handed it out"
    )]
    Malformed,
    /// A name that no key can have.
    #[error("verifier key: {0}")]
    Name(#[from] KeyNameError),
    /// A key type of which nothing is known here; such a key is to be skipped, not trusted.
    #[error("verifier key of unknown type {type_byte:#04x}: types 0x01 and 0x04 are known")]
    UnknownType {
        /// The type byte.
        type_byte: u8,
    },
    /// A key of a known type that is not an acceptable Ed25519 key.
    #[error("verifier key: {0}")]
    Key(#[from] PublicKeyError),
    /// An id that is not this name's and key's: a typing error or a forged line.
    #[error("the verifier key says id {claimed:?}, but its name and key have id {actual}")]
    Id {
        /// The id in the line.
        claimed: String,
        /// The id as computed.
        actual: KeyId,
    },
}

impl VerifierKey {
    /// Names a public key.
    #[must_use]
    pub fn new(name: KeyName, kind: KeyKind, key: PublicKey) -> Self {
        let id = KeyId::of(&name, kind, &key);
        Self { name, kind, key, id }
    }

    /// The key's name; of a ledger's key, the ledger's origin.
    #[must_use]
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// Log or log cosigner.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The key itself.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.key
    }

    /// The same key, made ready for many signatures: see [`PublicKey::prepared`].
    #[must_use]
    pub fn prepared(&self) -> Self {
        Self { key: self.key.prepared(), ..self.clone() }
    }

    /// The id under which the key's signatures stand in a note.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }
}

impl FromStr for VerifierKey {
    type Err = VerifierKeyError;

    /// Reads a verifier key line, without a line end.
    fn from_str(line: &str) -> Result<Self, VerifierKeyError> {
        if line.len() > MAX_VERIFIER_KEY_BYTES {
            return Err(VerifierKeyError::TooLong { found: line.len() });
        }
        let malformed = VerifierKeyError::Malformed;
        let mut parts = line.splitn(3, '+');
        let (Some(name), Some(claimed), Some(encoded)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(malformed);
        };
        let name: KeyName = name.parse()?;
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if claimed.len() != KEY_ID_DIGITS || !claimed.bytes().all(is_digit) {
            return Err(malformed);
        }
        let Some(typed) = text::decode_base64(encoded) else { return Err(malformed) };
        let Some((&type_byte, bytes)) = typed.split_first() else { return Err(malformed) };
        let kind = KeyKind::from_type_byte(type_byte)
            .ok_or(VerifierKeyError::UnknownType { type_byte })?;
        let key = Self::new(name, kind, PublicKey::from_bytes(bytes)?);
        if key.id.to_string() != claimed {
            let claimed = claimed.to_owned();
            return Err(VerifierKeyError::Id { claimed, actual: key.id });
        }
        Ok(key)
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let typed = [[self.kind.type_byte()].as_slice(), self.key.as_bytes()].concat();
        write!(f, "{}+{}+{}", self.name, self.id, text::encode_base64(&typed))
    }
}

/// A line of a file of verifier keys that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {source}")]
pub struct VerifierKeyLineError {
    /// Which line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub source: VerifierKeyError,
}

/// The verifier keys of a file with one a line. Empty lines and keys of unknown types are skipped,
/// as signed-note asks; anything else that is not a key refuses the whole file, with its line
/// number (from 1).
pub fn parse_verifier_keys(file: &str) -> Result<Vec<VerifierKey>, VerifierKeyLineError> {
    let mut keys = Vec::new();
    for (number, line) in (1..).zip(file.lines()) {
        match line.parse() {
            _ if line.is_empty() => {}
            Ok(key) => keys.push(key),
            Err(VerifierKeyError::UnknownType { .. }) => {}
            Err(source) => return Err(VerifierKeyLineError { line: number, source }),
        }
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example in the signed-note specification.
    const EXAMPLE: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";

    #[test]
    fn the_example_of_the_specification_is_read_and_written_again() {
        let key: VerifierKey = EXAMPLE.parse().unwrap();
        assert_eq!(key.name().as_str(), "example.com/foo");
        assert_eq!(key.kind(), KeyKind::Note);
        assert_eq!(key.id().to_string(), "530d903a");
        assert_eq!(key.to_string(), EXAMPLE);
    }

    #[test]
    fn the_same_key_has_another_id_as_a_cosigner_or_under_another_name() {
        let key: VerifierKey = EXAMPLE.parse().unwrap();
        let public = key.public_key().clone();
        let cosigner = VerifierKey::new(key.name().clone(), KeyKind::Cosignature, public.clone());
        let renamed = VerifierKey::new("example.com/fop".parse().unwrap(), KeyKind::Note, public);
        assert_ne!(cosigner.id(), key.id());
        assert_ne!(renamed.id(), key.id());
        assert_eq!(cosigner.to_string().parse(), Ok(cosigner));
    }

    #[test]
    fn every_other_spelling_is_refused() {
        let weak = text::encode_base64(&[[1u8].as_slice(), &[1], &[0; 31]].concat());
        let table = [
            (String::new(), "not a verifier key"),
            ("example.com/foo+530d903a".to_owned(), "not a verifier key"),
            (EXAMPLE.replace("530d903a", "530D903A"), "not a verifier key"),
            (EXAMPLE.replace("530d903a", "530d903"), "not a verifier key"),
            (EXAMPLE.replace("U2k", "U2k="), "not a verifier key"),
            (format!("{EXAMPLE}\n"), "not a verifier key"),
            ("a+530d903a+".to_owned(), "not a verifier key"),
            (EXAMPLE.replace("530d903a", "530d903b"), "says id \"530d903b\""),
            (EXAMPLE.replace("example.com/foo", "exam ple"), "no spaces"),
            (EXAMPLE.replace("example.com/foo", ""), "1 to 255 bytes, found 0"),
            ("a+530d903a+Bg==".to_owned(), "unknown type 0x06"),
            ("a+530d903a+AQI=".to_owned(), "32 bytes, found 1"),
            (format!("a+530d903a+{weak}"), "weak"),
            ("a".repeat(MAX_VERIFIER_KEY_BYTES + 1), "limit 8192"),
        ];
        for (line, reason) in table {
            let error = line.parse::<VerifierKey>().unwrap_err().to_string();
            assert!(error.contains(reason), "{line:?}: {error}");
        }
    }

    #[test]
    fn names_stop_at_their_limit_and_at_characters_that_break_lines() {
        assert!("n".repeat(255).parse::<KeyName>().is_ok());
        assert_eq!("n".repeat(256).parse::<KeyName>(), Err(KeyNameError::Length { found: 256 }));
        for found in [' ', '\u{a0}', '\u{2028}', '+', '\n', '\t', '\u{1}'] {
            let name = format!("a{found}b").parse::<KeyName>();
            assert_eq!(name, Err(KeyNameError::Character { found }));
        }
    }

    #[test]
    fn a_file_of_keys_skips_unknown_types_and_names_the_bad_line() {
        let file = format!("{EXAMPLE}\n\na+530d903a+Bg==\n");
        assert_eq!(parse_verifier_keys(&file).unwrap(), [EXAMPLE.parse().unwrap()]);
        let bad = format!("{file}nonsense\n");
        let refused = VerifierKeyLineError { line: 4, source: VerifierKeyError::Malformed };
        assert_eq!(parse_verifier_keys(&bad), Err(refused));
    }
}
