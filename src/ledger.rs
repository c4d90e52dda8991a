//! What is signed, sealed and handed out: requests, entries, receipts.
//!
//! * [`RequestKind`]: the acts that a person can sign, with their names on the wire.
//! * [`SignedRequest`]: the exact bytes of a request with a signature that has been verified.
//! * [`SealedEntry`]: an entry's bytes, serialised once, with their leaf hash.
//! * [`ParsedEntry`]: those bytes read again by somebody who trusts none of them.
//! * [`Succession`], [`KeyChain`]: how one key of the ledger follows another.
//! * [`Receipt`]: the entry, its inclusion proof and the checkpoint, as one text that proves itself.
//!
//! Nothing here is ever encoded a second time to be hashed: bytes come in, are stored, hashed and handed out.

mod entry;
mod kind;
mod receipt;
mod request;
mod succession;

pub use entry::{
    EntryError, FORMAT_VERSION, MAX_ENTRY_BYTES, ParsedEntry, SealedEntry, Sealing, Unread,
};
pub use kind::RequestKind;
pub use receipt::{Receipt, ReceiptError};
pub use request::{KEY_POSSESSION_TYPE, SignedRequest, possession_body};
pub use succession::{
    KeyChain, LEDGER_KEY_POSSESSION_TYPE, Succession, SuccessionError, ledger_possession_body,
};
