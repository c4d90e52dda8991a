//! A ledger's file made of rows, whatever they are: as its owner can make it, and no program of ours would.

use std::path::Path;

use rusqlite::{Connection, params};

/// Makes a file with the evidence's tables and no triggers.
pub(crate) fn create(path: &Path) {
    let database = Connection::open(path).unwrap();
    database.execute_batch(include_str!("../../src/store/schema.sql")).unwrap();
    // "VIAL", and the version of the schema.
    database.pragma_update(None, "application_id", 0x5649_414C).unwrap();
    database.pragma_update(None, "user_version", 1).unwrap();
    let names = "SELECT group_concat('DROP TRIGGER ' || name, ';') FROM sqlite_schema WHERE type = 'trigger'";
    let triggers: String = database.query_row(names, [], |row| row.get(0)).unwrap();
    database.execute_batch(&triggers).unwrap();
}

/// Adds numbered rows of entries, and of checkpoints.
pub(crate) fn add<'a>(
    path: &Path,
    entries: impl IntoIterator<Item = (u64, &'a [u8])>,
    checkpoints: impl IntoIterator<Item = (u64, &'a [u8])>,
) {
    let mut database = Connection::open(path).unwrap();
    database.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF").unwrap();
    let all = database.transaction().unwrap();
    for (index, entry) in entries {
        let mut insert = all.prepare_cached("INSERT INTO entries VALUES (?1, ?2)").unwrap();
        insert.execute(params![i64::try_from(index).unwrap(), entry]).unwrap();
    }
    for (size, note) in checkpoints {
        let text = "INSERT INTO checkpoints VALUES (?1, CAST(?2 AS TEXT))";
        let mut insert = all.prepare_cached(text).unwrap();
        insert.execute(params![i64::try_from(size).unwrap(), note]).unwrap();
    }
    all.commit().unwrap();
}
