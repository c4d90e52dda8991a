//! A log cosigner's memory: every checkpoint that it cosigned, and every one that does not go with them.
//!
//! `cosigner.sql` documents the tables. There is one connection that writes, behind the lock of the folder, and nothing
//! of what it decides by is kept in memory: each submission reads where the cosigner stands and writes where it stands
//! next in one transaction, so two at a time cannot both pass, and a failed commit leaves nothing stale behind.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Row, params};

use super::append::{Transaction, close};
use super::connection::{check_library, harden, set_up_writer};
use super::error::StoreError;
use super::folder::{FolderLock, lock};
use super::read::{from_sql, to_sql};
use crate::tlog::{Conflict, Divergence, Kept, KeptCheckpoint, SignedNote, SplitView};

/// What `cosigner.sql` says.
const SCHEMA: &str = include_str!("cosigner.sql");

/// `PRAGMA application_id` of every cosigner's memory: "VCOS".
const APPLICATION_ID: i32 = 0x5643_4F53;

/// `PRAGMA user_version` of the schema that this program reads and writes.
const SCHEMA_VERSION: i32 = 1;

/// How long to wait for somebody's SQLite shell.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Conflicts of one log that are kept although they prove nothing yet. Anybody can send a good checkpoint with a bad
/// proof; without a limit, that would fill the disk. What proves itself is always kept.
pub const MAX_UNPROVEN: u64 = 1_000;

/// What a conflict without a proof is called in the table.
const UNPROVEN: &str = "unproven";

/// The folder of one log cosigner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CosignerFolder {
    root: PathBuf,
}

impl CosignerFolder {
    /// The folder at this path, which need not exist yet.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `cosigner.db`: what was cosigned, and what contradicts it.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.root.join("cosigner.db")
    }

    /// `cosigner.key`: the signing key, readable by its owner only.
    #[must_use]
    pub fn signing_key(&self) -> PathBuf {
        self.root.join("cosigner.key")
    }

    /// `cosigner.vkey`: the verifier key, to be handed out.
    #[must_use]
    pub fn verifier_key(&self) -> PathBuf {
        self.root.join("cosigner.vkey")
    }

    /// Makes the memory of a new cosigner; one that is there already is left as it is.
    pub fn create(&self) -> Result<(), StoreError> {
        let _lock = lock(&self.root, "cosigner.lock")?;
        check_library()?;
        let path = self.database();
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&path, flags)?;
        if identity(&connection)? == (0, 0) {
            let transaction = Transaction::begin(&connection)?;
            connection.pragma_update(None, "application_id", APPLICATION_ID)?;
            connection.pragma_update(None, "user_version", SCHEMA_VERSION)?;
            connection.execute_batch(SCHEMA)?;
            // A crash before this returns leaves an empty database, which the next call fills.
            transaction.commit()?;
            set_up_writer(&connection, BUSY_TIMEOUT, None)?;
        }
        require_ours(&connection, &path)?;
        close(connection)?;
        // A crash here may leave the folder without the file's name; the next call makes it again, and no key of this
        // cosigner exists yet.
        let synced = std::fs::File::open(&self.root).and_then(|folder| folder.sync_all());
        synced.map_err(|source| StoreError::Io { path: self.root.clone(), source })
    }

    fn require_database(&self) -> Result<PathBuf, StoreError> {
        let path = self.database();
        if path.is_file() { Ok(path) } else { Err(StoreError::NoCosigner { path }) }
    }
}

/// What a submission came to.
#[derive(Debug)]
pub struct Ruling<T> {
    /// The checkpoint with the log's signature and ours, if it is cosigned.
    pub cosigned: Option<SignedNote>,
    /// A checkpoint that does not go with what was cosigned.
    pub conflict: Option<Conflict>,
    /// What the caller answers.
    pub answer: T,
}

/// A cosigner's memory, open for writing. While it lives, no other process can open it for writing.
#[derive(Debug)]
pub struct CosignerStore {
    connection: Connection,
    broken: bool,
    _lock: FolderLock,
}

impl CosignerStore {
    /// Opens the memory of a cosigner. Never makes one: a cosigner that begins again with nothing would cosign whatever
    /// it is shown.
    pub fn open(folder: &CosignerFolder) -> Result<Self, StoreError> {
        let path = folder.require_database()?;
        let lock = lock(folder.root(), "cosigner.lock")?;
        check_library()?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&path, flags)?;
        require_ours(&connection, &path)?;
        set_up_writer(&connection, BUSY_TIMEOUT, None)?;
        // Also brings back triggers that somebody has taken away.
        connection.execute_batch(SCHEMA)?;
        Ok(Self { connection, broken: false, _lock: lock })
    }

    /// Decides on a submission and makes the outcome durable before it returns. `rule` gets what is kept of the log, and
    /// when its newest checkpoint was cosigned (0 where there is none). Nobody else decides meanwhile.
    ///
    /// Answers with what `rule` answers, and with the number of the evidence that this added.
    pub fn decide<T>(
        &mut self,
        origin: &str,
        sizes: [u64; 2],
        now_seconds: u64,
        rule: impl FnOnce(&Kept, u64) -> Ruling<T>,
    ) -> Result<(T, Option<u64>), StoreError> {
        if self.broken {
            return Err(StoreError::CosignerStopped);
        }
        let decided = self.decide_whole(origin, sizes, now_seconds, rule);
        // What the disk has failed to sync once must not be relied on, nor synced again.
        self.broken = decided.as_ref().is_err_and(StoreError::is_disk_failure);
        decided
    }

    fn decide_whole<T>(
        &self,
        origin: &str,
        [old_size, size]: [u64; 2],
        now_seconds: u64,
        rule: impl FnOnce(&Kept, u64) -> Ruling<T>,
    ) -> Result<(T, Option<u64>), StoreError> {
        let transaction = Transaction::begin(&self.connection)?;
        let newest = newest(&self.connection, origin)?;
        let (newest, time) = newest.map_or((None, 0), |(kept, time)| (Some(kept), time));
        let at_old_size = at(&self.connection, origin, old_size)?;
        let at_size = at(&self.connection, origin, size)?;
        let kept = Kept { newest, at_old_size, at_size };
        let Ruling { cosigned, conflict, answer } = rule(&kept, time);
        let mut changed = false;
        // The same checkpoint once more moves nothing, and its cosignature is kept already.
        if let Some(note) = cosigned
            && kept.newest.is_none_or(|newest| newest.note().text() != note.text())
        {
            self.connection
                .prepare_cached(
                    "INSERT INTO cosigned SELECT ifnull(max(number) + 1, 1), ?1, ?2, ?3, ?4 FROM cosigned",
                )?
                .execute(params![origin, to_sql(size), to_sql(now_seconds), note.to_string()])?;
            changed = true;
        }
        let added = match conflict {
            Some(conflict) => self.keep(origin, now_seconds, &conflict)?,
            None => None,
        };
        if changed || added.is_some() {
            // A crash before this returns leaves the cosigner where it stood, and nobody has its signature yet. A crash
            // after it leaves it where it stands now; whoever asks again is told that size.
            transaction.commit()?;
        }
        Ok((answer, added))
    }

    /// Keeps a conflict, unless it is kept already, and answers with its number.
    fn keep(
        &self,
        origin: &str,
        now_seconds: u64,
        conflict: &Conflict,
    ) -> Result<Option<u64>, StoreError> {
        let reason = conflict.proven.as_ref().map_or(UNPROVEN, Divergence::name);
        if reason == UNPROVEN && self.unproven(origin)? >= MAX_UNPROVEN {
            return Ok(None);
        }
        let added = self
            .connection
            .prepare_cached(
                "INSERT OR IGNORE INTO evidence \
                 SELECT ifnull(max(number) + 1, 1), ?1, ?2, ?3, ?4, ?5 FROM evidence RETURNING number",
            )?
            .query_one(
                params![
                    origin,
                    to_sql(now_seconds),
                    reason,
                    conflict.split_view.other().to_string(),
                    conflict.split_view.to_string(),
                ],
                |row| row.get(0),
            )
            .optional()?;
        added.map(from_sql).transpose()
    }

    fn unproven(&self, origin: &str) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM evidence WHERE origin = ?1 AND reason = ?2";
        let count = self
            .connection
            .prepare_cached(sql)?
            .query_one(params![origin, UNPROVEN], |row| row.get(0))?;
        from_sql(count)
    }

    /// The newest checkpoint of an origin, as it was cosigned.
    pub fn newest(&self, origin: &str) -> Result<Option<SignedNote>, StoreError> {
        Ok(newest(&self.connection, origin)?.map(|(kept, _)| kept.note().clone()))
    }

    /// Flushes the WAL into the database and closes it.
    pub fn close(self) -> Result<(), StoreError> {
        close(self.connection)
    }
}

/// Where a cosigner stands with one log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The log.
    pub origin: String,
    /// Its newest checkpoint that was cosigned.
    pub newest: KeptCheckpoint,
    /// When that was, in seconds since 1970.
    pub time_seconds: u64,
    /// How many of its checkpoints were cosigned.
    pub checkpoints: u64,
}

/// A checkpoint that does not go with one that was cosigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidenceRow {
    /// Its number, from 1.
    pub number: u64,
    /// The log that signed it.
    pub origin: String,
    /// When it was seen, in seconds since 1970.
    pub time_seconds: u64,
    /// `same-size`, `other-beginning` or `unproven`.
    pub reason: String,
    /// Both checkpoints and the proof: a file that proves itself, unless it is unproven.
    pub split_view: String,
    /// Whether this very checkpoint was cosigned after all, so that only the proof sent with it was bad.
    pub cleared: bool,
}

/// A cosigner's memory, open for reading, next to the running cosigner or alone.
#[derive(Debug)]
pub struct CosignerReader {
    connection: Connection,
}

impl CosignerReader {
    /// Opens the memory of a cosigner for reading.
    pub fn open(folder: &CosignerFolder) -> Result<Self, StoreError> {
        let path = folder.require_database()?;
        check_library()?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&path, flags)?;
        require_ours(&connection, &path)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        harden(&connection)?;
        Ok(Self { connection })
    }

    /// Where it stands with each log, by origin.
    pub fn standings(&self) -> Result<Vec<Standing>, StoreError> {
        let sql = "SELECT origin, count(*) FROM cosigned GROUP BY origin ORDER BY origin";
        let mut statement = self.connection.prepare(sql)?;
        let logs = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let logs: Vec<(String, i64)> = logs.collect::<Result<_, _>>()?;
        let mut standings = Vec::new();
        for (origin, count) in logs {
            if let Some((newest, time_seconds)) = newest(&self.connection, &origin)? {
                standings.push(Standing {
                    origin,
                    newest,
                    time_seconds,
                    checkpoints: from_sql(count)?,
                });
            }
        }
        Ok(standings)
    }

    /// Everything that is kept against a log, in the order in which it was seen.
    pub fn evidence(&self) -> Result<Vec<EvidenceRow>, StoreError> {
        let sql = "SELECT number, origin, time, reason, split_view FROM evidence ORDER BY number";
        let mut statement = self.connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        let mut evidence = Vec::new();
        while let Some(row) = rows.next()? {
            let (origin, split_view): (String, String) = (row.get(1)?, row.get(4)?);
            let cleared = self.was_cosigned(&origin, &split_view)?;
            evidence.push(EvidenceRow {
                number: from_sql(row.get(0)?)?,
                origin,
                time_seconds: from_sql(row.get(2)?)?,
                reason: row.get(3)?,
                split_view,
                cleared,
            });
        }
        Ok(evidence)
    }

    /// Whether the later checkpoint of a conflict was cosigned in the end.
    fn was_cosigned(&self, origin: &str, split_view: &str) -> Result<bool, StoreError> {
        let unreadable = |error: &dyn ToString| StoreError::evidence(error.to_string());
        let split = SplitView::parse(split_view.as_bytes()).map_err(|error| unreadable(&error))?;
        let other =
            KeptCheckpoint::of(split.other().clone()).map_err(|error| unreadable(&error))?;
        let cosigned = at(&self.connection, origin, other.checkpoint().size())?;
        Ok(cosigned
            .is_some_and(|cosigned| cosigned.checkpoint().root() == other.checkpoint().root()))
    }
}

fn identity(connection: &Connection) -> Result<(i32, i32), StoreError> {
    let id = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok((id, version))
}

fn require_ours(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    match identity(connection)? {
        (APPLICATION_ID, SCHEMA_VERSION) => Ok(()),
        _ => Err(StoreError::NotACosigner { path: path.to_owned() }),
    }
}

/// The newest checkpoint of an origin and when it was cosigned.
fn newest(
    connection: &Connection,
    origin: &str,
) -> Result<Option<(KeptCheckpoint, u64)>, StoreError> {
    let sql =
        "SELECT note, time FROM cosigned WHERE origin = ?1 ORDER BY size DESC, number DESC LIMIT 1";
    let row = connection
        .prepare_cached(sql)?
        .query_one([origin], |row| Ok((note(row)?, row.get(1)?)))
        .optional()?;
    row.map(|(note, time)| Ok((kept(&note)?, from_sql(time)?))).transpose()
}

/// A checkpoint of an origin and a size that was cosigned.
fn at(
    connection: &Connection,
    origin: &str,
    size: u64,
) -> Result<Option<KeptCheckpoint>, StoreError> {
    let sql = "SELECT note FROM cosigned WHERE origin = ?1 AND size = ?2 LIMIT 1";
    let row = connection.prepare_cached(sql)?.query_one(params![origin, to_sql(size)], note);
    row.optional()?.map(|note| kept(&note)).transpose()
}

fn note(row: &Row<'_>) -> rusqlite::Result<String> {
    row.get(0)
}

/// A checkpoint as it was kept. One that cannot be read again was altered by somebody.
fn kept(note: &str) -> Result<KeptCheckpoint, StoreError> {
    SignedNote::parse(note.as_bytes())
        .map_err(|error| error.to_string())
        .and_then(|note| KeptCheckpoint::of(note).map_err(|error| error.to_string()))
        .map_err(|error| StoreError::evidence(format!("a cosigned checkpoint: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::{Checkpoint, NoteSigner, leaf_hash};

    fn note_of(size: u64) -> SignedNote {
        let signer = NoteSigner::new("example.org/log".parse().unwrap(), [3; 32].into());
        Checkpoint::new("example.org/log", size, leaf_hash(b"")).unwrap().sign(&signer).unwrap()
    }

    fn store() -> (tempfile::TempDir, CosignerStore) {
        let dir = tempfile::tempdir().unwrap();
        let folder = CosignerFolder::new(dir.path());
        folder.create().unwrap();
        (dir, CosignerStore::open(&folder).unwrap())
    }

    fn cosign(store: &mut CosignerStore, size: u64) -> Result<u64, StoreError> {
        let rule = |kept: &Kept, _| Ruling {
            cosigned: Some(note_of(size)),
            conflict: None,
            answer: kept.newest.as_ref().map_or(0, |newest| newest.checkpoint().size()),
        };
        store.decide("example.org/log", [0, size], 7, rule).map(|(stood, _)| stood)
    }

    #[test]
    fn it_never_goes_back_even_if_it_is_told_to() {
        let (_dir, mut store) = store();
        assert_eq!(cosign(&mut store, 5).unwrap(), 0);
        assert!(cosign(&mut store, 4).unwrap_err().to_string().contains("never goes back"));
        assert_eq!(cosign(&mut store, 9).unwrap(), 5);
        let kept = store.newest("example.org/log").unwrap().unwrap();
        assert_eq!(kept, note_of(9));
        assert_eq!(store.newest("example.org/other").unwrap(), None);
    }

    #[test]
    fn what_is_kept_is_neither_altered_nor_deleted() {
        let (_dir, mut store) = store();
        cosign(&mut store, 5).unwrap();
        for sql in [
            "UPDATE cosigned SET size = 1",
            "DELETE FROM cosigned",
            "INSERT OR REPLACE INTO cosigned VALUES (1, 'example.org/log', 9, 0, '')",
            "INSERT INTO cosigned VALUES (2, 'example.org/log', 4, 0, '')",
        ] {
            assert!(store.connection.execute(sql, []).is_err(), "{sql}");
        }
    }

    #[test]
    fn a_memory_has_one_writer_and_is_never_made_by_opening_it() {
        let (dir, store) = store();
        let folder = CosignerFolder::new(dir.path());
        assert!(matches!(CosignerStore::open(&folder), Err(StoreError::InUse { .. })));
        store.close().unwrap();
        folder.create().unwrap();
        let empty = tempfile::tempdir().unwrap();
        let none = CosignerStore::open(&CosignerFolder::new(empty.path()));
        assert!(matches!(none, Err(StoreError::NoCosigner { .. })));
        std::fs::write(empty.path().join("cosigner.db"), "").unwrap();
        let none = CosignerStore::open(&CosignerFolder::new(empty.path()));
        assert!(matches!(none, Err(StoreError::NotACosigner { .. })));
    }

    #[test]
    fn every_commit_is_synced_before_it_is_answered() {
        let (_dir, store) = store();
        let pragma = |name| -> String {
            let sql = format!("SELECT CAST({name} AS TEXT) FROM pragma_{name}");
            store.connection.query_one(&sql, [], |row| row.get(0)).unwrap()
        };
        assert_eq!((pragma("journal_mode"), pragma("synchronous")), ("wal".into(), "2".into()));
    }

    #[test]
    fn after_a_disk_failure_nothing_more_is_decided() {
        let (_dir, mut store) = store();
        store.broken = true;
        assert!(matches!(cosign(&mut store, 5), Err(StoreError::CosignerStopped)));
    }
}
