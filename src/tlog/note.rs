//! Signed notes: a text, an empty line, and a line for every signature.

use std::fmt;

use ed25519_dalek::SigningKey;

use super::key::{PublicKey, SIGNATURE_BYTES, SignatureError, sign};
use super::text;
use super::vkey::{KeyId, KeyKind, KeyName, KeyNameError, VerifierKey};

/// The largest note, in bytes. Sixteen signatures, which every verifier must accept, of the largest
/// kind in sight (5 kB each) fit twice.
pub const MAX_NOTE_BYTES: usize = 256 * 1024;

/// The most signature lines in a note. The specification demands at least 16.
pub const MAX_NOTE_SIGNATURES: usize = 64;

/// What every signature line begins with: an em dash and a space.
const SIGNATURE_PREFIX: &str = "\u{2014} ";

/// A text with at least one signature line. Being well formed says nothing about the signatures:
/// nothing in the text may be believed before [`SignedNote::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// One signature line: a key's name and id, and what that key signed, in a form that depends on the
/// kind of key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    name: KeyName,
    id: KeyId,
    /// At least one byte.
    signature: Vec<u8>,
}

/// Why bytes are not a signed note, or a note is not signed by a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// A note over the limit.
    #[error("the note has {found} bytes, limit {MAX_NOTE_BYTES}")]
    TooLong {
        /// The length, in bytes.
        found: usize,
    },
    /// Bytes that are no text.
    #[error("the note is not valid UTF-8")]
    NotUtf8,
    /// A control character.
    #[error("the note has a control character other than newline")]
    ControlCharacter,
    /// A text to be signed that does not end its last line, or that has no line.
    #[error("the text of a note ends with a newline")]
    TextEnd,
    /// No empty line between text and signatures, or nothing after it.
    #[error("the note has no signature lines: expected an empty line and then signatures")]
    Unsigned,
    /// A signature line that is not one.
    #[error(
        "signature line {line} is malformed: expected an em dash, a space, the key's name, a space \
         and canonical base64 of key id and signature"
    )]
    SignatureLine {
        /// Which signature line, from 1.
        line: usize,
    },
    /// A signature line with a name that no key can have.
    #[error("signature line {line}: {source}")]
    Name {
        /// Which signature line, from 1.
        line: usize,
        /// What is wrong with the name.
        source: KeyNameError,
    },
    /// More signatures than anyone needs.
    #[error("the note has more than {MAX_NOTE_SIGNATURES} signature lines")]
    TooManySignatures,
    /// The wrong kind of key for what was to be verified.
    #[error("{name} is {found}, expected {expected}")]
    WrongKind {
        /// The key's name.
        name: KeyName,
        /// The key's kind.
        found: KeyKind,
        /// The kind that verifies this.
        expected: KeyKind,
    },
    /// None of the signatures is this key's.
    #[error("the note is not signed by {name} with key id {id}")]
    NotSignedBy {
        /// The key's name.
        name: KeyName,
        /// The key's id.
        id: KeyId,
    },
    /// A signature that claims to be this key's is not.
    #[error("the note's signature by {name}: {source}")]
    BadSignature {
        /// The key's name.
        name: KeyName,
        /// What is wrong with it.
        source: SignatureError,
    },
}

impl SignedNote {
    /// A note with one signature. The text has at least one line, each ended by a newline.
    pub fn new(text: String, signature: NoteSignature) -> Result<Self, NoteError> {
        check_text(&text)?;
        let note = Self { text, signatures: vec![signature] };
        note.check_length()?;
        Ok(note)
    }

    /// Reads a note. Signature lines of unknown keys and kinds are kept, but must be well formed.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > MAX_NOTE_BYTES {
            return Err(NoteError::TooLong { found: bytes.len() });
        }
        let note = str::from_utf8(bytes).map_err(|_| NoteError::NotUtf8)?;
        if text::has_control_characters(note) {
            return Err(NoteError::ControlCharacter);
        }
        // The last empty line separates, because the text may have empty lines of its own.
        let separator = note.rfind("\n\n").ok_or(NoteError::Unsigned)?;
        let (text, rest) = note.split_at_checked(separator + 1).ok_or(NoteError::Unsigned)?;
        let lines = rest.strip_prefix('\n').ok_or(NoteError::Unsigned)?;
        if lines.is_empty() {
            return Err(NoteError::Unsigned);
        }
        let unended = NoteError::SignatureLine { line: lines.split('\n').count() };
        let lines = lines.strip_suffix('\n').ok_or(unended)?;
        let mut signatures = Vec::new();
        for (number, line) in (1..).zip(lines.split('\n')) {
            if number > MAX_NOTE_SIGNATURES {
                return Err(NoteError::TooManySignatures);
            }
            signatures.push(NoteSignature::parse_numbered(line, number)?);
        }
        Ok(Self { text: text.to_owned(), signatures })
    }

    /// The text that is signed, with its final newline.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures, verified by nobody yet, in the order of their lines.
    #[must_use]
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Adds a signature line at the end.
    pub fn add_signature(&mut self, signature: NoteSignature) -> Result<(), NoteError> {
        if self.signatures.len() >= MAX_NOTE_SIGNATURES {
            return Err(NoteError::TooManySignatures);
        }
        self.signatures.push(signature);
        self.check_length().inspect_err(|_| {
            self.signatures.pop();
        })
    }

    /// Checks that a log's key signed the text. All lines under the key's name and id must verify,
    /// and there must be one.
    pub fn verify(&self, key: &VerifierKey) -> Result<(), NoteError> {
        require_kind(key, KeyKind::Note)?;
        for signature in self.signatures_by(key)? {
            key.public_key()
                .verify(self.text.as_bytes(), signature)
                .map_err(|source| NoteError::BadSignature { name: key.name().clone(), source })?;
        }
        Ok(())
    }

    /// What stands in the lines under the key's name and id, of which there is at least one.
    pub(super) fn signatures_by(&self, key: &VerifierKey) -> Result<Vec<&[u8]>, NoteError> {
        let by_key = |line: &&NoteSignature| line.name == *key.name() && line.id == key.id();
        let signatures: Vec<&[u8]> =
            self.signatures.iter().filter(by_key).map(NoteSignature::signature).collect();
        if signatures.is_empty() {
            return Err(NoteError::NotSignedBy { name: key.name().clone(), id: key.id() });
        }
        Ok(signatures)
    }

    /// The note with the signature lines under these keys' names and ids, and no others. Whether they
    /// hold is not looked at.
    pub fn only_by(&self, keys: &[&VerifierKey]) -> Result<Self, NoteError> {
        let by_one = |line: &&NoteSignature| {
            keys.iter().any(|key| line.name == *key.name() && line.id == key.id())
        };
        let signatures: Vec<_> = self.signatures.iter().filter(by_one).cloned().collect();
        if signatures.is_empty() {
            return Err(NoteError::Unsigned);
        }
        Ok(Self { text: self.text.clone(), signatures })
    }

    fn check_length(&self) -> Result<(), NoteError> {
        let found = self.to_string().len();
        if found > MAX_NOTE_BYTES { Err(NoteError::TooLong { found }) } else { Ok(()) }
    }
}

impl fmt::Display for SignedNote {
    /// The note as it is stored and sent; what was parsed comes out byte for byte.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        f.write_str("\n")?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

impl NoteSignature {
    /// A signature under the name and id of a key.
    pub(super) fn by(key: &VerifierKey, signature: Vec<u8>) -> Self {
        Self { name: key.name().clone(), id: key.id(), signature }
    }

    /// Reads one signature line, without its line end: what a log cosigner answers.
    pub fn parse(line: &str) -> Result<Self, NoteError> {
        if line.len() > MAX_NOTE_BYTES {
            return Err(NoteError::TooLong { found: line.len() });
        }
        Self::parse_numbered(line, 1)
    }

    fn parse_numbered(line: &str, number: usize) -> Result<Self, NoteError> {
        let malformed = NoteError::SignatureLine { line: number };
        let parts = line.strip_prefix(SIGNATURE_PREFIX).and_then(|rest| rest.split_once(' '));
        let Some((name, encoded)) = parts else { return Err(malformed) };
        let name = name.parse().map_err(|source| NoteError::Name { line: number, source })?;
        let Some(bytes) = text::decode_base64(encoded) else { return Err(malformed) };
        match bytes.split_first_chunk() {
            Some((id, signature)) if !signature.is_empty() => {
                Ok(Self { name, id: KeyId::new(*id), signature: signature.to_vec() })
            }
            _ => Err(malformed),
        }
    }

    /// The name of the key.
    #[must_use]
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// The id of the key.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// What follows the key id: of a log's key 64 bytes, of a log cosigner's 72.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }
}

impl fmt::Display for NoteSignature {
    /// The line, without its line end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [self.id.as_bytes(), self.signature.as_slice()].concat();
        write!(f, "{SIGNATURE_PREFIX}{} {}", self.name, text::encode_base64(&bytes))
    }
}

/// A log's key: signs the text of notes under a name.
#[derive(Debug, Clone)]
pub struct NoteSigner {
    verifier_key: VerifierKey,
    signing_key: SigningKey,
}

impl NoteSigner {
    /// Names a signing key.
    #[must_use]
    pub fn new(name: KeyName, signing_key: SigningKey) -> Self {
        let verifier_key = VerifierKey::new(name, KeyKind::Note, PublicKey::of(&signing_key));
        Self { verifier_key, signing_key }
    }

    /// The key that verifies this signer's notes; its text is what is handed out.
    #[must_use]
    pub const fn verifier_key(&self) -> &VerifierKey {
        &self.verifier_key
    }

    /// The half that signs.
    #[must_use]
    pub const fn signing_key(&self) -> &SigningKey {
        &self.signing_key
    }

    /// Adds this key's signature to a note that another has signed.
    pub fn also_sign(&self, note: &mut SignedNote) -> Result<(), NoteError> {
        let signature: [u8; SIGNATURE_BYTES] = sign(&self.signing_key, note.text().as_bytes());
        note.add_signature(NoteSignature::by(&self.verifier_key, signature.to_vec()))
    }

    /// Signs a text of at least one line, each ended by a newline.
    pub fn sign(&self, text: &str) -> Result<SignedNote, NoteError> {
        check_text(text)?;
        let signature: [u8; SIGNATURE_BYTES] = sign(&self.signing_key, text.as_bytes());
        SignedNote::new(text.to_owned(), NoteSignature::by(&self.verifier_key, signature.to_vec()))
    }
}

/// Refuses a key of another kind than the one that verifies this.
pub(super) fn require_kind(key: &VerifierKey, expected: KeyKind) -> Result<(), NoteError> {
    let found = key.kind();
    if found == expected {
        return Ok(());
    }
    Err(NoteError::WrongKind { name: key.name().clone(), found, expected })
}

fn check_text(note_text: &str) -> Result<(), NoteError> {
    if !note_text.ends_with('\n') {
        return Err(NoteError::TextEnd);
    }
    if text::has_control_characters(note_text) {
        return Err(NoteError::ControlCharacter);
    }
    Ok(())
}
