//! The identities of patients: encrypted, in `identities.db` beside the ledger and no part of it.
//!
//! [`Identities`] seals and opens, and belongs to the server. [`SealedIdentities`] only opens, and reads next to a
//! server or from a copy. `identities.sql` documents the file.

mod cipher;

use std::collections::VecDeque;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use super::append::Transaction;
use super::connection;
use super::error::StoreError;
use super::folder::LedgerFolder;
use crate::identity::{Commitment, Opening};
use crate::key::IdentityKey;
use cipher::{Cipher, Sealed, fingerprint};

/// What `identities.sql` says.
const SCHEMA: &str = include_str!("identities.sql");

/// `PRAGMA application_id` of every file of identities: "VIAI".
const APPLICATION_ID: i32 = 0x5649_4149;

/// `PRAGMA user_version` of the schema that this program reads and writes.
const SCHEMA_VERSION: i32 = 1;

/// How long a connection waits for another's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Connections that are kept open between reads.
const MAX_IDLE: usize = 8;

/// Rows that are fetched at once.
const CHUNK_ROWS: i64 = 256;

/// The identities of one ledger, open to be sealed and read. Several threads may use it at once.
#[derive(Debug)]
pub struct Identities {
    // Dropped first: the last connection to close has to be one that may move the WAL into the file.
    sealed: SealedIdentities,
    writer: Mutex<Connection>,
}

/// The identities of one ledger, open to be read.
#[derive(Debug)]
pub struct SealedIdentities {
    path: PathBuf,
    cipher: Cipher,
    idle: Mutex<Vec<Connection>>,
}

impl Identities {
    /// Opens the identities of the ledger with this origin, and makes the file where there is none. Refuses another
    /// ledger's, and those that another key sealed.
    pub fn open(
        folder: &LedgerFolder,
        key: &IdentityKey,
        origin: &str,
    ) -> Result<Self, StoreError> {
        let path = folder.identities();
        connection::check_library()?;
        if create_private(&path)? {
            // A crash here, or anywhere before the commit below, leaves an empty file; opening it again goes on.
            folder.sync()?;
        }
        let writer = open_writer(&path)?;
        require_ours(&writer, &path, true)?;
        let transaction = Transaction::begin(&writer)?;
        writer.execute_batch(SCHEMA)?;
        writer.pragma_update(None, "application_id", APPLICATION_ID)?;
        writer.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        writer.execute(
            "INSERT OR IGNORE INTO sealing VALUES (1, ?1, ?2)",
            params![origin, fingerprint(key)],
        )?;
        transaction.commit()?;
        connection::check_schema_is(&writer, SCHEMA)?;
        require_sealing(&writer, &path, key, origin)?;
        let cipher = Cipher::new(key, origin);
        let sealed = SealedIdentities { path, cipher, idle: Mutex::default() };
        Ok(Self { sealed, writer: Mutex::new(writer) })
    }

    /// Encrypts an identity and keeps it. Durable on return. The same opening again changes nothing.
    pub fn seal(&self, opening: &Opening) -> Result<Commitment, StoreError> {
        let commitment = opening.commitment();
        let cipher = &self.sealed.cipher;
        let writer = lock(&self.writer);
        let transaction = Transaction::begin(&writer)?;
        let held = read(&writer, &commitment)?;
        if held.is_some_and(|held| cipher.open(&commitment, held).is_ok()) {
            return Ok(commitment);
        }
        // A row that does not open is of no use to anybody, and this is what it should hold: it is written anew.
        let Sealed { nonce, ciphertext } = cipher.seal(&commitment, opening)?;
        writer
            .prepare_cached("INSERT OR REPLACE INTO identities VALUES (?1, ?2, ?3)")?
            .execute(params![commitment.as_bytes(), nonce, ciphertext])?;
        // A crash before this returns leaves the row or nothing of it, as SQLite's WAL recovery decides; nobody was told
        // the commitment yet, and sealing again gives the same. A crash after it, before the patient is registered,
        // leaves an identity that no entry commits to: it stays encrypted and is in nobody's way.
        transaction.commit()?;
        Ok(commitment)
    }

    /// The identity behind a commitment, if it is held here.
    pub fn open_one(&self, commitment: &Commitment) -> Result<Option<Opening>, StoreError> {
        self.sealed.open_one(commitment)
    }

    /// Whether the identity behind a commitment is held here, and opens.
    pub fn holds(&self, commitment: &Commitment) -> Result<bool, StoreError> {
        self.sealed.holds(commitment)
    }

    /// Every identity, in the order of the commitments.
    pub fn all(&self) -> impl Iterator<Item = Result<(Commitment, Opening), StoreError>> {
        self.sealed.all()
    }
}

/// Encrypts every identity of a ledger anew under another key, while no server runs. All of them are, or none is: one
/// that does not open stops it. Answers with how many there are.
pub fn rekey(
    folder: &LedgerFolder,
    old: &IdentityKey,
    new: &IdentityKey,
    origin: &str,
) -> Result<u64, StoreError> {
    let _lock = folder.lock()?;
    let identities = Identities::open(folder, old, origin)?;
    let cipher = Cipher::new(new, origin);
    let writer = lock(&identities.writer);
    let transaction = Transaction::begin(&writer)?;
    let mut count = 0;
    let sql = "UPDATE identities SET nonce = ?2, ciphertext = ?3 WHERE commitment = ?1";
    for row in identities.all() {
        let (commitment, opening) = row?;
        let Sealed { nonce, ciphertext } = cipher.seal(&commitment, &opening)?;
        let row = params![commitment.as_bytes(), nonce, ciphertext];
        writer.prepare_cached(sql)?.execute(row)?;
        count += 1;
    }
    writer.execute("UPDATE sealing SET fingerprint = ?1", [fingerprint(new)])?;
    // A crash before this returns leaves everything under the old key or everything under the new one, and the
    // fingerprint says which; both keys are in files by now, and doing this again goes on from either.
    transaction.commit()?;
    // The WAL still has what the old key opens; it goes with the last connection, or else with the next clean stop.
    Ok(count)
}

impl SealedIdentities {
    /// Opens the identities in a file that must be there: a server's, or a copy, also on a medium that cannot be written
    /// to. Refuses another ledger's, and those that another key sealed.
    pub fn open(path: &Path, key: &IdentityKey, origin: &str) -> Result<Self, StoreError> {
        connection::check_library()?;
        if !path.is_file() {
            return Err(StoreError::IdentitiesMissing { path: path.to_owned() });
        }
        let first = open_reader(path)?;
        require_ours(&first, path, false)?;
        require_sealing(&first, path, key, origin)?;
        let cipher = Cipher::new(key, origin);
        Ok(Self { path: path.to_owned(), cipher, idle: Mutex::new(vec![first]) })
    }

    /// The identity behind a commitment, if it is held here.
    pub fn open_one(&self, commitment: &Commitment) -> Result<Option<Opening>, StoreError> {
        let row = self.read(|connection| read(connection, commitment))?;
        row.map(|row| self.cipher.open(commitment, row)).transpose()
    }

    /// Whether the identity behind a commitment is held here, and opens: one that cannot be read is not held.
    pub fn holds(&self, commitment: &Commitment) -> Result<bool, StoreError> {
        Ok(self.open_one(commitment)?.is_some())
    }

    /// Every identity, in the order of the commitments.
    pub fn all(&self) -> impl Iterator<Item = Result<(Commitment, Opening), StoreError>> {
        All { sealed: self, fetched: VecDeque::new(), last: None, ended: false }
    }

    /// Reads with a connection of its own: one that is idle, or a new one. Blocks on the disk.
    fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let idle = lock(&self.idle).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => open_reader(&self.path)?,
        };
        let answer = read(&connection)?;
        // A connection that has just failed is closed instead.
        let mut idle = lock(&self.idle);
        if idle.len() < MAX_IDLE {
            idle.push(connection);
        }
        Ok(answer)
    }
}

/// All identities, fetched by the chunk so that memory stays small.
struct All<'s> {
    sealed: &'s SealedIdentities,
    fetched: VecDeque<(Commitment, Sealed)>,
    last: Option<Commitment>,
    ended: bool,
}

impl All<'_> {
    fn fetch(&mut self) -> Result<(), StoreError> {
        let after = self.last.map_or_else(Vec::new, |last| last.as_bytes().to_vec());
        let rows = self.sealed.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT commitment, nonce, ciphertext FROM identities WHERE commitment > ?1 \
                 ORDER BY commitment LIMIT ?2",
            )?;
            let rows = statement.query_map(params![after, CHUNK_ROWS], |row| {
                let sealed = Sealed { nonce: row.get(1)?, ciphertext: row.get(2)? };
                Ok((Commitment::new(row.get(0)?), sealed))
            })?;
            Ok(rows.collect::<Result<Vec<_>, _>>()?)
        })?;
        self.ended = rows.is_empty();
        self.last = rows.last().map(|(commitment, _)| *commitment).or(self.last);
        self.fetched.extend(rows);
        Ok(())
    }
}

impl Iterator for All<'_> {
    type Item = Result<(Commitment, Opening), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.fetched.is_empty()
            && !self.ended
            && let Err(error) = self.fetch()
        {
            self.ended = true;
            return Some(Err(error));
        }
        let (commitment, sealed) = self.fetched.pop_front()?;
        let opened = self.sealed.cipher.open(&commitment, sealed);
        Some(opened.map(|opening| (commitment, opening)))
    }
}

/// A row as it is stored.
fn read(connection: &Connection, commitment: &Commitment) -> Result<Option<Sealed>, StoreError> {
    Ok(connection
        .prepare_cached("SELECT nonce, ciphertext FROM identities WHERE commitment = ?1")?
        .query_one([commitment.as_bytes()], |row| {
            Ok(Sealed { nonce: row.get(0)?, ciphertext: row.get(1)? })
        })
        .optional()?)
}

/// Makes an empty file that only its owner can read, unless there is one; SQLite gives its side files the same
/// permissions. Says whether it was made.
fn create_private(path: &Path) -> Result<bool, StoreError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(source) => Err(StoreError::Io { path: path.to_owned(), source }),
    }
}

fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode != "wal" {
        return Err(StoreError::NoWal { mode });
    }
    connection.pragma_update(None, "synchronous", "full")?;
    // What is written over is zeroed: after a change of the key nothing in the file opens with the old one.
    connection.pragma_update(None, "secure_delete", true)?;
    connection::harden(&connection)?;
    Ok(connection)
}

fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    match open_to_read(path, OpenFlags::empty()) {
        // As with a ledger: SQLite wants to write an index for the WAL. Where there is no WAL, it need not.
        Err(error) if error.is_disk_failure() && !connection::has_wal(path) => {
            let uri = connection::immutable_uri(path);
            open_to_read(Path::new(&uri), OpenFlags::SQLITE_OPEN_URI)
        }
        opened => opened,
    }
}

fn open_to_read(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    let read_only = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, read_only | flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection::harden(&connection)?;
    // The first thing that touches the file.
    let _: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    Ok(connection)
}

/// Refuses a file that is no file of identities, or one of a schema that this program does not know. An empty one is what
/// a crash left of a new file, which whoever may write makes anew.
fn require_ours(connection: &Connection, path: &Path, new: bool) -> Result<(), StoreError> {
    let id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let objects: i64 =
        connection.query_one("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match (id, version) {
        (APPLICATION_ID, SCHEMA_VERSION) => Ok(()),
        (0, 0) if new && objects == 0 => Ok(()),
        (APPLICATION_ID, found) if found > SCHEMA_VERSION => Err(StoreError::SchemaNewer { found }),
        _ => Err(StoreError::NotIdentities { path: path.to_owned() }),
    }
}

/// Refuses another ledger's identities and another key. Told from the file's one row about itself, so that a wrong key
/// is never taken for a damaged identity.
fn require_sealing(
    connection: &Connection,
    path: &Path,
    key: &IdentityKey,
    origin: &str,
) -> Result<(), StoreError> {
    let path = || path.to_owned();
    let (found, sealed_with): (String, [u8; 32]) = connection
        .query_one("SELECT origin, fingerprint FROM sealing", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?
        .ok_or_else(|| StoreError::NotIdentities { path: path() })?;
    if found != origin {
        return Err(StoreError::AnotherOrigin { path: path(), expected: origin.to_owned(), found });
    }
    if sealed_with != fingerprint(key) {
        return Err(StoreError::AnotherIdentityKey { path: path() });
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing is left half-done behind a lock: a transaction that was dropped was rolled back.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
