//! A ledger as a folder of static files, in the layout of <https://c2sp.org/tlog-tiles>: `checkpoint`, `tile/<L>/<N>`
//! and `tile/entries/<N>`. Any web server can serve it, and other people's tools can read it.
//!
//! * [`write()`] makes such a folder from a ledger's entries and a checkpoint of all of them.
//! * [`Folder`] reads one, believing nothing in it, and hands its entries and its checkpoint to the audit.
//! * [`Folder::survey`] looks at what an audit of entries does not: whether the tiles are those of the entries. Where
//!   the tiles lead to the signed root and an entry does not fit them, the entry is named, whatever its bytes say.
//!
//! An exported folder holds the entries, and so what the ledger knows of its patients: it is made for its owner's eyes
//! only. Which key to believe is not decided here.

mod error;
mod read;
mod survey;
mod write;

pub use error::TilesError;
pub use read::Folder;
pub use survey::Survey;
pub use write::{Exported, write};

/// Name of the checkpoint's file.
const CHECKPOINT: &str = "checkpoint";
