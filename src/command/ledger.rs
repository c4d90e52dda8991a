//! Reading what the ledger itself does: its key replaced, its own audit recorded.

use super::header::{Header, header};
use super::reader::Reader;
use super::{Act, MAX_TEXT_CHARS};
use crate::ledger::{Succession, SuccessionError};
use crate::pb::v1;
use crate::tlog::{Hash, MAX_TREE_SIZE};

/// Seconds that a self-audit may say it took, at most: a year.
const MAX_DURATION_SECONDS: i64 = 366 * 24 * 3_600;

/// Another key in the place of the ledger's own. The new one was shown to be held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotateKeyCommand {
    /// The key until now and the key from now on.
    pub keys: Succession,
    /// Why.
    pub reason: Option<String>,
}

/// An audit of the ledger by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelfAuditCommand {
    /// How many entries were taken as good from the audit before.
    pub start: u64,
    /// How many entries hold.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Hash,
}

type Read = (Option<Header>, Option<Act>);

pub(super) fn rotate_key(reader: &mut Reader, bytes: &[u8]) -> Read {
    let Some(m) = reader.message::<v1::RotateLedgerKeyRequest>(bytes) else {
        return (None, None);
    };
    let header = header(reader, &m.ledger, &m.request_id, m.validate_only, m.expected_size);
    let keys = match Succession::asked(&m) {
        Ok(keys) => Some(keys),
        Err(error) => {
            let field = match &error {
                SuccessionError::Key { field, .. } | SuccessionError::AnotherName { field } => {
                    field
                }
                _ => "possession",
            };
            reader.violation(field, &error);
            None
        }
    };
    let reason = reader.optional_text("reason", &m.reason, MAX_TEXT_CHARS);
    (header, keys.map(|keys| Act::RotateLedgerKey(Box::new(RotateKeyCommand { keys, reason }))))
}

pub(super) fn self_audit(reader: &mut Reader, bytes: &[u8]) -> Read {
    let Some(m) = reader.message::<v1::RecordSelfAuditRequest>(bytes) else {
        return (None, None);
    };
    let header = header(reader, &m.ledger, &m.request_id, m.validate_only, m.expected_size);
    let root = reader.take("root", Hash::try_from(m.root.as_slice()));
    let sizes = m.size > 0 && m.start_size <= m.size && m.size <= MAX_TREE_SIZE;
    if !sizes {
        reader.violation("size", "is zero, before `start_size`, or no ledger's size");
    }
    let duration = reader.required("duration", m.duration.as_ref());
    let held = duration.is_none_or(|it| {
        (0..=MAX_DURATION_SECONDS).contains(&it.seconds) && (0..1_000_000_000).contains(&it.nanos)
    });
    if !held {
        reader.violation("duration", "is negative, more than a year, or not a duration");
    }
    let act = root.filter(|_| sizes && held && duration.is_some());
    let act = act.map(|root| SelfAuditCommand { start: m.start_size, size: m.size, root });
    (header, act.map(Act::RecordSelfAudit))
}
