//! The ledger's file: SQLite, one writer, any number of readers.
//!
//! What a ledger promises begins here: what was committed is never changed and never lost. `schema.sql` documents the
//! tables. Two of them are evidence, `entries` and `checkpoints`; everything else is derived from these and made again
//! by [`rebuild()`]. The contract is small, and says nothing that only SQLite can do:
//!
//! * append these entries if the head is still H: [`Store::begin`], [`Batch`];
//! * read entries from N: [`Reader::visit_entries`];
//! * find by request id or subject: [`Reader::find_request`], [`Reader::visit_subject`].
//!
//! [`load()`] turns the file into the state of the rules, for a start and after a failed commit alike.
//!
//! Beside the ledger, and no part of it, [`Identities`] keeps who the patients are: encrypted, in a file of its own.
//! Two rooms are for log cosigners: [`CosignerStore`] is the memory of one, and [`StoredTree`] proves a ledger's file to
//! others.
//!
//! [`HeadFile`] names the newest durable checkpoint outside the database, so that a database which was put back to an
//! older state is found out; [`Checkup`] looks at a file and changes nothing; [`copy_ledger`] copies one moment of it.
//!
//! Only this module names SQLite.

mod append;
mod backup;
mod checkup;
mod connection;
mod cosigner;
mod error;
mod evidence;
mod export;
mod folder;
mod head;
mod identities;
mod load;
mod read;
mod rebuild;
mod snapshot;
mod tree;

pub use append::{Batch, Head, NewLedger, Store, StoreOptions};
pub use backup::{copy_identities, copy_ledger};
pub use checkup::Checkup;
pub use cosigner::{
    CosignerFolder, CosignerReader, CosignerStore, EvidenceRow, MAX_UNPROVEN, Ruling, Standing,
};
pub use error::StoreError;
pub use evidence::Evidence;
pub use export::Copied;
pub use folder::{FolderLock, LedgerFolder};
pub use head::HeadFile;
pub use identities::{Identities, SealedIdentities, rekey};
pub use load::{Loaded, is_signed_by, load, named_key, state_before, state_format};
pub use read::{Reader, Readers};
pub use rebuild::{RebuildReport, rebuild};
pub use snapshot::SnapshotParts;
pub use tree::StoredTree;
