//! A copy of a ledger at one moment, also while a server writes to it.

use std::fs::{File, OpenOptions};
use std::path::Path;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::connection;
use super::error::StoreError;
use super::read::Reader;

/// Copies a ledger's database into a new file: all of one moment, durable on return.
///
/// The whole copy is one read of SQLite, which in WAL mode waits for no writer and lets none wait; a server's WAL grows
/// meanwhile.
pub fn copy_ledger(from: &Path, to: &Path) -> Result<(), StoreError> {
    let reader = match Reader::open(from).and_then(|reader| reader.size().map(|_| reader)) {
        // SQLite wants to write an index for the WAL next to the file. Where there is no WAL, it need not.
        Err(error) if error.is_disk_failure() && !connection::has_wal(from) => {
            Reader::open_immutable(from)?
        }
        opened => opened?,
    };
    copy(reader.connection(), to)
}

/// The same for the sealed identities, which stay sealed.
pub fn copy_identities(from: &Path, to: &Path) -> Result<(), StoreError> {
    connection::check_library()?;
    if !from.is_file() {
        return Err(StoreError::IdentitiesMissing { path: from.to_owned() });
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let source = Connection::open_with_flags(from, flags)?;
    source.busy_timeout(connection::READER_BUSY_TIMEOUT)?;
    copy(&source, to)
}

fn copy(source: &Connection, to: &Path) -> Result<(), StoreError> {
    if to.exists() {
        return Err(StoreError::Exists { path: to.to_owned() });
    }
    let io = |source| StoreError::Io { path: to.to_owned(), source };
    // For its owner alone, before anything is in it.
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(to).map_err(io)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut target = Connection::open_with_flags(to, flags)?;
    let step = Backup::new(source, &mut target)?.step(ALL_PAGES)?;
    if step != StepResult::Done {
        return Err(StoreError::Busy);
    }
    // One file, without a WAL beside it, so that it can be copied on as it is and opened on a medium that is read-only.
    let _mode: String =
        target.pragma_update_and_check(None, "journal_mode", "delete", |row| row.get(0))?;
    target.close().map_err(|(_, error)| StoreError::from(error))?;
    // A crash anywhere up to here leaves a file that is not whole. Its name says so: callers rename it when this returns.
    File::open(to).and_then(|file| file.sync_all()).map_err(io)
}

/// Every page in one step, so that all are of one moment.
const ALL_PAGES: i32 = -1;
