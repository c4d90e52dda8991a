//! Evidence copied out of a ledger, row by row, into a database that holds nothing else.

use std::path::Path;

use rusqlite::params;

use super::append::Transaction;
use super::connection;
use super::error::StoreError;
use super::evidence::Evidence;
use super::read::to_sql;
use crate::audit::{EntryRow, EvidenceError};

/// How much evidence was copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Entries.
    pub entries: u64,
    /// Checkpoints.
    pub checkpoints: u64,
}

impl Evidence {
    /// Copies the entries and the checkpoints, as they stand, into a new database at `path`, and shows each entry.
    ///
    /// Nothing else goes along: no derived table's rows, and none of what the file's unused pages may still hold. The copy
    /// keeps no WAL, so that reading it makes no files beside it. What is wrong with the evidence is wrong with the copy:
    /// judging it is the audit's affair.
    ///
    /// Durable on return, but for the name of the file. A crash before leaves a file that is no ledger yet.
    pub fn copy_to(
        &self,
        path: &Path,
        mut show: impl FnMut(&EntryRow),
    ) -> Result<Copied, StoreError> {
        let connection = connection::create_copy(path)?;
        let mut copied = Copied { entries: 0, checkpoints: 0 };
        let transaction = Transaction::begin(&connection)?;
        connection::without_triggers(&connection, || {
            let mut insert = connection.prepare("INSERT INTO entries VALUES (?1, ?2)")?;
            for row in self.entries() {
                let row = row.map_err(unreadable)?;
                insert.execute(params![to_sql(row.index), &*row.entry])?;
                show(&row);
                copied.entries += 1;
            }
            let mut insert = connection.prepare("INSERT INTO checkpoints VALUES (?1, ?2)")?;
            for row in self.checkpoints() {
                let row = row.map_err(unreadable)?;
                let note = std::str::from_utf8(&row.note);
                let note = note.map_err(|error| StoreError::evidence(error.to_string()))?;
                insert.execute(params![to_sql(row.size), note])?;
                copied.checkpoints += 1;
            }
            Ok(())
        })?;
        transaction.commit()?;
        connection.close().map_err(|(_, error)| error)?;
        Ok(copied)
    }
}

fn unreadable(error: EvidenceError) -> StoreError {
    StoreError::evidence(error.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{LedgerFolder, NewLedger, Store};

    #[test]
    fn the_copy_has_the_evidence_the_triggers_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let folder = LedgerFolder::new(dir.path());
        let first = NewLedger {
            entry: b"entry 0",
            request_id: &[0xAB; 16],
            subjects: &["patients/derived-only"],
            checkpoint: "note 1",
        };
        Store::create(&folder, &first).unwrap();
        let evidence = Evidence::open(&folder.database()).unwrap();
        let copy = dir.path().join("copy.db");
        let mut seen = Vec::new();
        let copied = evidence.copy_to(&copy, |row| seen.push(row.entry.clone())).unwrap();
        assert_eq!(copied, Copied { entries: 1, checkpoints: 1 });
        assert_eq!(seen, [&b"entry 0"[..]]);

        let bytes = std::fs::read(&copy).unwrap();
        for derived in [&b"patients/derived-only"[..], &[0xAB; 16]] {
            assert!(!bytes.windows(derived.len()).any(|window| window == derived));
        }
        let again = Evidence::open(&copy).unwrap();
        let entries: Vec<_> = again.entries().map(|row| row.unwrap().entry).collect();
        assert_eq!(entries, seen);
        assert_eq!(again.checkpoints().count(), 1);
        drop(again);
        assert!(!dir.path().join("copy.db-wal").exists());
        let opened = rusqlite::Connection::open(&copy).unwrap();
        assert!(opened.execute_batch("DELETE FROM entries").is_err(), "the triggers are there");
        connection::check_schema(&opened).unwrap();
        assert!(evidence.copy_to(&copy, |_| {}).is_err(), "nothing is overwritten");
    }
}
