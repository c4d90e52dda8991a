//! What can go wrong with a ledger's file.

use std::path::PathBuf;

use rusqlite::ErrorCode;

use super::connection::{APPLICATION_ID, MIN_SQLITE, SCHEMA_VERSION};
use crate::identity::Commitment;

/// Why the store refused, or could not do, what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The SQLite library is one that can corrupt a database in WAL mode.
    #[error(
        "this program was linked with SQLite {found}; versions before {} can corrupt a ledger: \
         build it with the bundled library",
        sqlite_version(MIN_SQLITE)
    )]
    SqliteTooOld {
        /// Version of the library.
        found: String,
    },
    /// There is no ledger here.
    #[error("there is no ledger at {}; create one with `vialedger init`", path.display())]
    Missing {
        /// The database that was looked for.
        path: PathBuf,
    },
    /// There is something here already.
    #[error("{} exists already and is never overwritten; choose an empty folder", path.display())]
    Exists {
        /// The file that is in the way.
        path: PathBuf,
    },
    /// Another process has the ledger, or the cosigner's memory, open for writing.
    #[error(
        "the folder {} is in use ({holder}); stop that process first, or use another folder",
        folder.display()
    )]
    InUse {
        /// The folder.
        folder: PathBuf,
        /// What the holder wrote into the lock file, such as "process 4711".
        holder: String,
    },
    /// Another program holds SQLite's write lock for longer than the busy timeout.
    #[error(
        "another program is writing to the database; close it (only the server writes here) and try again"
    )]
    Busy,
    /// No room for another page.
    #[error("the disk, or the limit set for the database, is full; make room and try again")]
    Full,
    /// The file is an SQLite database of somebody else, or no database.
    #[error(
        "{} is not a ledger: its application id is {found:#010x}, a ledger's is {APPLICATION_ID:#010x}",
        path.display()
    )]
    NotALedger {
        /// The file.
        path: PathBuf,
        /// The id in its header.
        found: i32,
    },
    /// The file was made by an older program.
    #[error(
        "the ledger has schema version {found}, this program works with {SCHEMA_VERSION}; migrate a \
         copy of the folder with `vialedger rebuild` of each release in between, oldest first"
    )]
    SchemaOlder {
        /// The version in the file.
        found: i32,
    },
    /// The file was made by a newer program.
    #[error(
        "the ledger has schema version {found}, this program knows up to {SCHEMA_VERSION}; update \
         vialedger and start it again, nothing was changed"
    )]
    SchemaNewer {
        /// The version in the file.
        found: i32,
    },
    /// A table or trigger is not as `schema.sql` has it.
    #[error("{object} is not as the schema has it ({how}); {}", repair(*derived))]
    SchemaAltered {
        /// Its name.
        object: String,
        /// Whether it is missing, altered or one too many.
        how: &'static str,
        /// Whether `rebuild` makes it again.
        derived: bool,
    },
    /// There is no log cosigner here.
    #[error(
        "there is no cosigner's memory at {}; a new cosigner is begun with `vialedger cosigner key`. If there was one, \
         find its file: with an empty memory its key would sign what it must not",
        path.display()
    )]
    NoCosigner {
        /// The database that was looked for.
        path: PathBuf,
    },
    /// The file is not a cosigner's memory, or one of another version.
    #[error("{} is not the memory of a cosigner, or one of another version of this program", path.display())]
    NotACosigner {
        /// The file.
        path: PathBuf,
    },
    /// The disk failed under the cosigner.
    #[error(
        "the disk failed, so nothing is cosigned before a restart has read again what is there"
    )]
    CosignerStopped,
    /// SQLite cannot keep a write-ahead log here.
    #[error(
        "SQLite keeps the journal mode {mode:?} where WAL is needed; put the ledger on a local disk"
    )]
    NoWal {
        /// The mode that it keeps.
        mode: String,
    },
    /// The evidence contradicts itself. Nothing may be written on top of it.
    #[error("the evidence is bad{}: {finding}; run `vialedger verify`, restore from a backup", at(*index))]
    Evidence {
        /// The first entry that is bad, where it is one entry.
        index: Option<u64>,
        /// What was expected and what was found.
        finding: String,
    },
    /// Something derived is missing or does not fit the evidence.
    #[error("{what}; stop the server and run `vialedger rebuild`")]
    Derived {
        /// What, and how it is wrong.
        what: String,
    },
    /// The file that names the newest checkpoint names none of this ledger.
    #[error(
        "{} does not hold a checkpoint of this ledger ({why}), so nobody can tell from it whether entries are missing; \
         compare with a cosigner's checkpoint or a receipt (`vialedger doctor --known-checkpoint FILE`), and move \
         the file away only when that says that nothing is missing",
        path.display()
    )]
    HeadFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Somebody else appended since: this ledger has two writers.
    #[error(
        "the ledger's head moved: expected {expected} entries, found {found} or another last entry"
    )]
    HeadMoved {
        /// Entries that the writer knows of.
        expected: u64,
        /// Entries in the file.
        found: u64,
    },
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// There are no sealed identities here.
    #[error("there are no sealed identities at {}; the server that keeps them has them beside its ledger", path.display())]
    IdentitiesMissing {
        /// The file that was looked for.
        path: PathBuf,
    },
    /// The file beside the ledger is no file of sealed identities.
    #[error(
        "{} holds no sealed identities of vialedger; find out what it is and move it away",
        path.display()
    )]
    NotIdentities {
        /// The file.
        path: PathBuf,
    },
    /// The identities are another ledger's.
    #[error(
        "{} holds the identities of {found:?}, expected those of {expected:?}; bring the file that belongs to \
         this ledger",
        path.display()
    )]
    AnotherOrigin {
        /// The file.
        path: PathBuf,
        /// Origin of the ledger.
        expected: String,
        /// Origin in the file.
        found: String,
    },
    /// The identities were sealed with another key.
    #[error(
        "the identities in {} were sealed with another identity key than the one that was given; bring the right key, \
         for no other opens them (a change of the key that was cut short is finished by `vialedger identity rekey`)",
        path.display()
    )]
    AnotherIdentityKey {
        /// The file.
        path: PathBuf,
    },
    /// The key is right, and one sealed identity does not open all the same: its row was damaged or altered.
    #[error(
        "the sealed identity {commitment} is damaged ({what}); restore identities.db from a backup, or have the \
         identity sealed again by whoever has it with its salts"
    )]
    IdentityDamaged {
        /// Which one.
        commitment: Commitment,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness to seal an identity with: {0}")]
    Randomness(getrandom::Error),
    /// SQLite cannot make sense of the file, or finds a value of another type in it.
    #[error(
        "the file is damaged (SQLite: {0}); keep it as it is, run `vialedger verify` on a copy, and restore a good one"
    )]
    Damaged(#[source] rusqlite::Error),
    /// Anything else that SQLite reports.
    #[error("SQLite: {0}")]
    Sqlite(#[source] rusqlite::Error),
}

impl StoreError {
    /// Evidence that is bad as a whole, or in a place that is no entry.
    pub(super) fn evidence(finding: impl Into<String>) -> Self {
        Self::Evidence { index: None, finding: finding.into() }
    }

    /// An entry that is bad.
    pub(super) fn bad_entry(index: u64, finding: &impl ToString) -> Self {
        Self::Evidence { index: Some(index), finding: finding.to_string() }
    }

    /// What SQLite reports when a sync failed.
    #[cfg(test)]
    pub(crate) fn failed_sync() -> Self {
        let error = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR_FSYNC);
        Self::from(rusqlite::Error::SqliteFailure(error, None))
    }

    /// Whether the disk or the file under SQLite failed. After that nothing in this process may be relied on, above
    /// all no second attempt to sync: the kernel may have dropped what the first could not write.
    #[must_use]
    pub fn is_disk_failure(&self) -> bool {
        let error = match self {
            Self::Damaged(_) => return true,
            Self::Sqlite(rusqlite::Error::SqliteFailure(error, _)) => error,
            _ => return false,
        };
        matches!(
            error.code,
            ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::ReadOnly
        )
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged(error),
            Some(_) => Self::Sqlite(error),
            None => match error {
                rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::Utf8Error(..) => Self::Damaged(error),
                error => Self::Sqlite(error),
            },
        }
    }
}

fn at(index: Option<u64>) -> String {
    index.map(|index| format!(" at entry {index}")).unwrap_or_default()
}

fn repair(derived: bool) -> &'static str {
    if derived {
        "run `vialedger rebuild`"
    } else {
        "compare it with the schema, find out who altered it, and restore the file from a backup"
    }
}

/// 3051003 as "3.51.3".
fn sqlite_version(number: i32) -> String {
    format!("{}.{}.{}", number / 1_000_000, number / 1_000 % 1_000, number % 1_000)
}
