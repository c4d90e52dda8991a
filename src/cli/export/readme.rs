//! The `README.txt` of an export: what it is, how to check it, and what it proves.

use std::fmt::Write as _;

use super::IDENTITIES_FILE;
use crate::time::Timestamp;

/// What the text is about.
pub(super) struct Facts<'a> {
    pub(super) origin: &'a str,
    pub(super) made: Timestamp,
    pub(super) entries: u64,
    pub(super) checkpoints: u64,
    /// Identities that entries commit to.
    pub(super) registered: usize,
    /// How many of them were opened; nothing where they are withheld.
    pub(super) opened: Option<usize>,
    pub(super) reason: Option<&'a str>,
}

/// The text.
pub(super) fn text(facts: &Facts<'_>) -> String {
    let Facts { origin, made, entries, checkpoints, registered, opened, reason } = facts;
    let version = env!("CARGO_PKG_VERSION");
    let mut text = format!(
        "The evidence of the controlled-substance ledger {origin}
exported at {made} by vialedger {version}

ledger.db     {entries} entries and {checkpoints} signed checkpoints, and nothing else. An SQLite database; its own
              schema documents it.
ledger.vkey   the ledger's verifier key, as entry 0 names it. It proves nothing from here: bring the one that
              you were given when the ledger began.
"
    );
    if opened.is_some() {
        let _ = writeln!(text, "{IDENTITIES_FILE}  who the patients are. Confidential.");
    }
    text.push_str(
        "
To check it, with the verifier key and a checkpoint or receipt that was kept elsewhere:

    vialedger verify . --vkey YOUR.vkey --checkpoint YOUR.checkpoint

",
    );
    let _ = match opened {
        None => writeln!(
            text,
            "Identities: withheld. The entries know patients by pseudonyms and hold {registered} salted commitments to
who they are, which give nothing away. Everything can be checked without them."
        ),
        Some(opened) => writeln!(
            text,
            "Identities: {opened} of {registered} opened, one on each line. `vialedger verify` proves each against the
commitment in the entry that registered the patient. They were opened with the identity key, on the command line; that
leaves no trace in the ledger. The reason that was given:

    {}

By hand: each field is hashed with its salt, and the four hashes are hashed again.

    leaf i     = SHA-256(0x00 || salt i || i, one byte || field i)
    commitment = SHA-256(0x01 || \"vialedger.v1.PatientIdentity\" || 0x0A || leaf 1 || leaf 2 || leaf 3 || leaf 4)

Field 1 is the name and field 2 the address, as UTF-8. Field 3 is the date of birth, as 1984-02-29. Field 4 is, for each
identifier, its length in bytes (16 bits, big-endian) and its UTF-8.",
            reason.unwrap_or_default()
        ),
    };
    text
}
