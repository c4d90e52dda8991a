//! The golden logs that other implementations made and accepted: read by us, and written by us to the same bytes.

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use vialedger::tiles::{Folder, Survey};
use vialedger::tlog::{Checkpoint, SignedNote, VerifierKey};

use crate::process::run;
use crate::support::{accepted, copy_with, files};

const LOGS: [(&str, u64); 2] = [("log5", 5), ("log257", 257)];

fn vector(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/vectors");
    folder.join(name).to_str().unwrap().to_owned()
}

fn entry(index: u64) -> Vec<u8> {
    format!("entry {index:06}").into_bytes()
}

/// The checkpoint in a folder, if the log's key signed it.
fn signed(folder: &Folder, log: &str) -> Option<Checkpoint> {
    let keys = fs::read_to_string(vector(&format!("{log}.vkeys"))).unwrap();
    let key: VerifierKey = keys.lines().next().unwrap().parse().unwrap();
    let note = SignedNote::parse(folder.checkpoint()).ok()?;
    Checkpoint::verify(&note, &key).ok()
}

#[test]
fn we_read_the_golden_logs() {
    for (log, size) in LOGS {
        let folder = Folder::open(vector(log).as_ref()).unwrap();
        let checkpoint = signed(&folder, log).unwrap();
        assert_eq!(checkpoint.size(), size);
        let entries = folder.entries(size).map(|row| row.unwrap());
        let entries: Vec<_> = entries.map(|row| (row.index, row.entry.to_vec())).collect();
        assert_eq!(entries, (0..size).map(|index| (index, entry(index))).collect::<Vec<_>>());
        assert_eq!(folder.survey(&checkpoint).unwrap(), Survey::Whole);
        assert_eq!(folder.entry(size - 1, size).unwrap().unwrap(), entry(size - 1));
        assert_eq!(folder.entry(size, size).unwrap(), None);
    }
}

#[test]
fn we_find_any_flipped_byte_in_a_golden_log() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let copy = dir.path().join("copy").to_str().unwrap().to_owned();
    for (log, size) in LOGS {
        for (name, bytes) in files(&vector(log)) {
            let step = bytes.len().div_ceil(150);
            // A line of a key that we do not know is nobody's word; the log's own line is the first.
            let lines = bytes.split(|byte| *byte == b'\n').map(|line| line.len() + 1);
            let own = if name == "checkpoint" { lines.take(5).sum() } else { bytes.len() };
            for at in (0..own).step_by(step) {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << (at % 8);
                copy_with(&vector(log), &copy, &name, Some(&flipped));
                let folder = Folder::open(copy.as_ref()).unwrap();
                let found = signed(&folder, log).map(|it| (it.size(), folder.survey(&it).unwrap()));
                match found {
                    None => assert_eq!(name, "checkpoint", "byte {at}"),
                    Some((found, _)) if found != size => panic!("{name} byte {at}: size {found}"),
                    Some((_, Survey::Entry { .. })) => assert!(name.contains("entries"), "{name}"),
                    Some((_, Survey::Tile { path, .. })) => assert_eq!(path.to_string(), name),
                    Some((_, other)) => panic!("{name} byte {at}: {other:?}"),
                }
            }
        }
    }
}

/// A database that holds a golden log.
fn database(path: &Path, log: &str, size: u64) {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/schema.sql");
    let mut database = Connection::open(path).unwrap();
    let pragmas = "PRAGMA application_id = 1447641420; PRAGMA user_version = 1";
    database.pragma_update(None, "journal_mode", "wal").unwrap();
    database.execute_batch(pragmas).unwrap();
    database.execute_batch(&fs::read_to_string(schema).unwrap()).unwrap();
    let transaction = database.transaction().unwrap();
    for index in 0..size {
        let row = (i64::try_from(index).unwrap(), entry(index));
        transaction.execute("INSERT INTO entries VALUES (?1, ?2)", row).unwrap();
    }
    let note = fs::read_to_string(vector(&format!("{log}/checkpoint"))).unwrap();
    let row = (i64::try_from(size).unwrap(), note);
    transaction.execute("INSERT INTO checkpoints VALUES (?1, ?2)", row).unwrap();
    transaction.commit().unwrap();
}

#[test]
fn we_write_the_golden_logs_byte_for_byte() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    for (log, size) in LOGS {
        let path = dir.path().join(format!("{log}.db"));
        database(&path, log, size);
        let out = dir.path().join(log).to_str().unwrap().to_owned();
        run(&["export", "tiles", path.to_str().unwrap(), "--out", &out]);
        assert_eq!(files(&out), files(&vector(log)));
        // And the library that made its own copy of them accepts ours, with all three signatures.
        let told = accepted(&["accept", &out, &vector(&format!("{log}.vkeys"))], &[]);
        assert_eq!(told["size"], size);
    }
}
