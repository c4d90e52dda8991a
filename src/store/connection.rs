//! Connections: made, opened, set up, and refused when the library, the file or the schema is not the expected one.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::error::StoreError;

/// What `schema.sql` says.
const SCHEMA: &str = include_str!("schema.sql");

/// `PRAGMA application_id` of every ledger: "VIAL".
pub(super) const APPLICATION_ID: i32 = 0x5649_414C;

/// `PRAGMA user_version` of the schema that this program reads and writes.
pub(super) const SCHEMA_VERSION: i32 = 1;

/// The oldest SQLite that may open a ledger, as `sqlite3_libversion_number`. Up to 3.51.2 a write and a WAL flush on two
/// connections at once could corrupt the database (<https://sqlite.org/wal.html>, "The WAL-Reset Bug").
pub(super) const MIN_SQLITE: i32 = 3_051_003;

/// Pages (4,096 bytes each) in the WAL before a commit flushes them into the database: flushing every 8,000 pages
/// instead of SQLite's 1,000 gave 10 to 20 % more writes a second.
const WAL_FLUSH_PAGES: u32 = 8_000;

/// Bytes of the WAL file that are kept between two flushes; what a burst needed beyond is given back.
const WAL_FILE_LIMIT_BYTES: u32 = 64 * 1024 * 1024;

/// Kibibytes of pages that the writer keeps in memory: above all the inner pages of the derived tables.
const WRITER_CACHE_KIB: i32 = 64 * 1024;

/// Kibibytes of pages that each reader keeps in memory.
const READER_CACHE_KIB: i32 = 4 * 1024;

/// How long a reader waits for a lock. In WAL mode it meets one only while the last connection elsewhere closes.
pub(super) const READER_BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Prepared statements that a connection keeps; we have fewer.
const STATEMENT_CACHE: usize = 32;

/// Tables that are derived from the evidence, and so can be dropped and made again.
pub(super) const DERIVED_TABLES: [&str; 5] =
    ["requests", "subjects", "tiles", "snapshots", "snapshot_parts"];

/// Refuses an SQLite library that is too old to be trusted with a ledger.
pub(super) fn check_library() -> Result<(), StoreError> {
    check_library_version(rusqlite::version_number(), rusqlite::version())
}

fn check_library_version(number: i32, text: &str) -> Result<(), StoreError> {
    if number < MIN_SQLITE {
        return Err(StoreError::SqliteTooOld { found: text.to_owned() });
    }
    Ok(())
}

/// Makes a new database with the whole schema and nothing in it.
pub(super) fn create(path: &Path) -> Result<Connection, StoreError> {
    check_library()?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    connection.execute_batch(SCHEMA)?;
    set_up_writer(&connection, Duration::ZERO, None)?;
    Ok(connection)
}

/// Makes a new database for a copy of evidence: with the whole schema, without a WAL, and with unused bytes zeroed.
pub(super) fn create_copy(path: &Path) -> Result<Connection, StoreError> {
    check_library()?;
    if path.exists() {
        return Err(StoreError::Exists { path: path.to_owned() });
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.pragma_update(None, "secure_delete", true)?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    connection.execute_batch(SCHEMA)?;
    harden(&connection)?;
    Ok(connection)
}

/// Does something while the triggers of the schema are away, which refuse evidence that is not in order: a copy has it as
/// it is. They come back afterwards.
pub(super) fn without_triggers(
    connection: &Connection,
    act: impl FnOnce() -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut names = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'")?;
    let names: Vec<String> = names.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for name in names {
        connection.execute_batch(&format!("DROP TRIGGER {name}"))?;
    }
    act()?;
    connection.execute_batch(SCHEMA)?;
    Ok(())
}

/// Opens the one connection that writes. Never creates a database.
pub(super) fn open_writer(
    path: &Path,
    busy_timeout: Duration,
    max_pages: Option<u32>,
) -> Result<Connection, StoreError> {
    let connection = open_existing(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    set_up_writer(&connection, busy_timeout, max_pages)?;
    Ok(connection)
}

/// Opens a connection that only reads, next to a running writer or alone.
pub(super) fn open_reader(path: &Path, busy_timeout: Duration) -> Result<Connection, StoreError> {
    let connection = open_existing(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(busy_timeout)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
    harden(&connection)?;
    Ok(connection)
}

/// Opens a database that nobody can write to meanwhile, without the files that SQLite would make next to it.
pub(super) fn open_immutable(path: &Path) -> Result<Connection, StoreError> {
    require_file(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let connection = open_ledger(Path::new(&immutable_uri(path)), flags)?;
    harden(&connection)?;
    Ok(connection)
}

/// The name under which SQLite opens a file that nobody can write to meanwhile.
pub(super) fn immutable_uri(path: &Path) -> String {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' => uri.push(char::from(*byte)),
            letter if letter.is_ascii_alphanumeric() => uri.push(char::from(*letter)),
            other => write!(uri, "%{other:02X}").expect("a string takes any text"),
        }
    }
    uri.push_str("?immutable=1");
    uri
}

/// Whether there is a WAL next to a database, in which entries may be that are not in the database yet.
pub(super) fn has_wal(path: &Path) -> bool {
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    std::fs::metadata(wal).is_ok_and(|wal| wal.len() > 0)
}

/// Opens a database that must be there and be a ledger of our schema version.
fn open_existing(path: &Path, access: OpenFlags) -> Result<Connection, StoreError> {
    require_file(path)?;
    open_ledger(path, access)
}

fn require_file(path: &Path) -> Result<(), StoreError> {
    if path.is_file() { Ok(()) } else { Err(StoreError::Missing { path: path.to_owned() }) }
}

fn open_ledger(path: &Path, access: OpenFlags) -> Result<Connection, StoreError> {
    check_library()?;
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    let found: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if found != APPLICATION_ID {
        return Err(StoreError::NotALedger { path: path.to_owned(), found });
    }
    let found: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match found {
        SCHEMA_VERSION => Ok(connection),
        older if older < SCHEMA_VERSION => Err(StoreError::SchemaOlder { found }),
        _ => Err(StoreError::SchemaNewer { found }),
    }
}

/// Sets a connection up to write: every commit is synced before it returns.
pub(super) fn set_up_writer(
    connection: &Connection,
    busy_timeout: Duration,
    max_pages: Option<u32>,
) -> Result<(), StoreError> {
    connection.busy_timeout(busy_timeout)?;
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode != "wal" {
        return Err(StoreError::NoWal { mode });
    }
    // FULL: every commit is synced before it is answered. Anything less acknowledges what a power cut takes back.
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "wal_autocheckpoint", WAL_FLUSH_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", WAL_FILE_LIMIT_BYTES)?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    if let Some(pages) = max_pages {
        connection.pragma_update(None, "max_page_count", pages)?;
    }
    harden(connection)
}

/// Believes as little as possible of what the file says about itself.
pub(super) fn harden(connection: &Connection) -> Result<(), StoreError> {
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    Ok(())
}

/// Compares every table, index and trigger in the file with what `schema.sql` makes.
pub(super) fn check_schema(connection: &Connection) -> Result<(), StoreError> {
    check_schema_is(connection, SCHEMA)
}

/// The same for any schema.
pub(super) fn check_schema_is(connection: &Connection, schema: &str) -> Result<(), StoreError> {
    let pattern = Connection::open_in_memory()?;
    pattern.execute_batch(schema)?;
    let expected = objects(&pattern)?;
    let found = objects(connection)?;
    let altered = |object: &str, how| StoreError::SchemaAltered {
        object: object.to_owned(),
        how,
        derived: DERIVED_TABLES.contains(&object),
    };
    for (name, sql) in &expected {
        match found.get(name) {
            None => return Err(altered(name, "missing")),
            Some(other) if other != sql => return Err(altered(name, "altered")),
            Some(_) => {}
        }
    }
    match found.keys().find(|name| !expected.contains_key(*name)) {
        Some(name) => Err(altered(name, "not part of the schema")),
        None => Ok(()),
    }
}

/// Drops what is derived and makes everything of the schema that is not there.
pub(super) fn recreate_derived(connection: &Connection) -> Result<(), StoreError> {
    for table in DERIVED_TABLES {
        connection.execute_batch(&format!("DROP TABLE IF EXISTS {table}"))?;
    }
    connection.execute_batch(SCHEMA)?;
    Ok(())
}

/// Every object of a schema by its name, without SQLite's own.
fn objects(connection: &Connection) -> Result<BTreeMap<String, String>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT name, type || ' ' || tbl_name || ' ' || sql FROM sqlite_schema \
         WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    )?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_millis(50);

    /// A database in a folder of its own, with two entries and a checkpoint for each.
    fn with_evidence() -> (tempfile::TempDir, std::path::PathBuf, Connection) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.db");
        let connection = create(&path).unwrap();
        for size in 1..=2 {
            let entry = [7_u8; 300];
            connection.execute("INSERT INTO entries VALUES (?1, ?2)", (size - 1, entry)).unwrap();
            connection.execute("INSERT INTO checkpoints VALUES (?1, 'note')", [size]).unwrap();
        }
        (dir, path, connection)
    }

    fn refused(connection: &Connection, sql: &str) -> String {
        connection.execute(sql, []).expect_err(sql).to_string()
    }

    #[test]
    fn evidence_is_neither_updated_nor_deleted() {
        let (_dir, _path, connection) = with_evidence();
        for sql in [
            "UPDATE entries SET entry = x'00' WHERE idx = 0",
            "UPDATE entries SET idx = 7 WHERE idx = 1",
            "UPDATE OR REPLACE entries SET idx = 0 WHERE idx = 1",
            "INSERT INTO entries VALUES (0, x'00') ON CONFLICT DO UPDATE SET entry = x'00'",
            "INSERT OR REPLACE INTO entries VALUES (1, x'00')",
            "REPLACE INTO entries VALUES (0, x'00')",
            "DELETE FROM entries WHERE idx = 1",
            "DELETE FROM entries",
        ] {
            assert!(refused(&connection, sql).starts_with("entries are "), "{sql}");
        }
        for sql in [
            "UPDATE checkpoints SET note = 'other'",
            "INSERT OR REPLACE INTO checkpoints VALUES (2, 'other')",
            "DELETE FROM checkpoints WHERE size = 2",
            "DELETE FROM checkpoints",
        ] {
            assert!(refused(&connection, sql).contains("checkpoint"), "{sql}");
        }
        let untouched: (i64, i64) = connection
            .query_one(
                "SELECT (SELECT sum(length(entry)) FROM entries), count(*) FROM checkpoints \
                 WHERE note = 'note'",
                [],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .unwrap();
        assert_eq!(untouched, (600, 2));
    }

    #[test]
    fn evidence_is_added_only_at_its_end() {
        let (_dir, _path, connection) = with_evidence();
        for idx in ["-1", "0", "1", "3", "9223372036854775807", "NULL"] {
            let sql = format!("INSERT INTO entries VALUES ({idx}, x'00')");
            assert!(refused(&connection, &sql).contains("only ever appended"), "{sql}");
        }
        for size in ["0", "1", "2", "3", "NULL"] {
            let sql = format!("INSERT INTO checkpoints VALUES ({size}, 'note')");
            assert!(refused(&connection, &sql).contains("present size"), "{sql}");
        }
        connection.execute("INSERT INTO entries VALUES (2, x'00')", []).unwrap();
        connection.execute("INSERT INTO checkpoints VALUES (3, 'note')", []).unwrap();
    }

    #[test]
    fn an_entry_has_1_to_65535_bytes() {
        let (_dir, _path, connection) = with_evidence();
        for (length, taken) in [(0, false), (65_536, false), (65_535, true)] {
            let inserted =
                connection.execute("INSERT INTO entries VALUES (2, ?1)", [vec![0_u8; length]]);
            assert_eq!(inserted.is_ok(), taken, "{length}");
        }
        let (_dir, _path, connection) = with_evidence();
        connection.execute("INSERT INTO entries VALUES (2, x'00')", []).unwrap();
    }

    #[test]
    fn values_of_another_type_are_refused() {
        let (_dir, _path, connection) = with_evidence();
        for sql in [
            "INSERT INTO entries VALUES (2, 'text')",
            "INSERT INTO requests VALUES ('0123456789abcdef', 0)",
            "INSERT INTO subjects VALUES ('vials/1-1', 'zero')",
        ] {
            assert!(refused(&connection, sql).contains("cannot store"), "{sql}");
        }
    }

    #[test]
    fn the_schema_version_is_checked_both_ways_and_the_error_says_what_to_do() {
        let (_dir, path, connection) = with_evidence();
        connection.pragma_update(None, "user_version", SCHEMA_VERSION - 1).unwrap();
        let older = open_writer(&path, WAIT, None).unwrap_err();
        assert!(matches!(older, StoreError::SchemaOlder { found: 0 }));
        assert!(older.to_string().contains("migrate"), "{older}");
        connection.pragma_update(None, "user_version", SCHEMA_VERSION + 1).unwrap();
        let newer = open_reader(&path, WAIT).unwrap_err();
        assert!(matches!(newer, StoreError::SchemaNewer { found: 2 }));
        assert!(newer.to_string().contains("update vialedger"), "{newer}");
    }

    #[test]
    fn databases_of_others_and_files_that_are_none_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.db");
        assert!(matches!(open_writer(&path, WAIT, None), Err(StoreError::Missing { .. })));
        assert!(!path.exists(), "opening never creates");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (c)").unwrap();
        assert!(matches!(open_writer(&path, WAIT, None), Err(StoreError::NotALedger { .. })));
        std::fs::write(&path, "not a database, but long enough to look like one".repeat(9))
            .unwrap();
        let error = open_reader(&path, WAIT).unwrap_err();
        assert!(error.is_disk_failure(), "{error}");
    }

    #[test]
    fn a_library_that_can_corrupt_a_wal_is_refused_and_ours_is_not() {
        check_library().unwrap();
        check_library_version(MIN_SQLITE, "3.51.3").unwrap();
        let refused = check_library_version(MIN_SQLITE - 1, "3.51.2").unwrap_err();
        let message = refused.to_string();
        assert!(message.contains("3.51.2") && message.contains("before 3.51.3"), "{message}");
    }

    #[test]
    fn a_missing_altered_or_foreign_object_is_named() {
        let (_dir, _path, connection) = with_evidence();
        check_schema(&connection).unwrap();
        for (sql, named, repair) in [
            ("DROP TABLE subjects", "subjects is not", "rebuild"),
            ("DROP TRIGGER entries_never_go", "entries_never_go is not", "restore"),
            (
                "CREATE TRIGGER t BEFORE INSERT ON entries BEGIN SELECT 1; END",
                "t is not",
                "restore",
            ),
            ("ALTER TABLE checkpoints ADD COLUMN more TEXT", "checkpoints is not", "restore"),
        ] {
            let (_dir, _path, connection) = with_evidence();
            connection.execute_batch(sql).unwrap();
            let message = check_schema(&connection).unwrap_err().to_string();
            assert!(message.starts_with(named) && message.contains(repair), "{sql}: {message}");
        }
    }

    #[test]
    fn a_reader_cannot_write() {
        let (_dir, path, _writer) = with_evidence();
        let reader = open_reader(&path, WAIT).unwrap();
        assert!(reader.execute("INSERT INTO entries VALUES (2, x'00')", []).is_err());
        assert!(reader.execute("DELETE FROM requests", []).is_err());
    }

    #[test]
    fn a_database_that_cannot_be_written_to_is_read_whatever_its_name_is() {
        let (dir, path, connection) = with_evidence();
        connection.close().unwrap();
        let renamed = dir.path().join("a copy? 100% #1 é.db");
        std::fs::rename(path, &renamed).unwrap();
        assert!(!has_wal(&renamed));
        let reader = open_immutable(&renamed).unwrap();
        let count = |sql| reader.query_one(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(count("SELECT count(*) FROM entries"), 2);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is put next to it");
    }

    #[test]
    fn the_writer_syncs_every_commit() {
        let (_dir, path, _connection) = with_evidence();
        let writer = open_writer(&path, WAIT, None).unwrap();
        let read =
            |name| writer.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(read("synchronous"), 2, "FULL");
        assert_eq!(read("wal_autocheckpoint"), i64::from(WAL_FLUSH_PAGES));
    }
}
