//! A look at a ledger's file from outside, for whoever wants to know what ails it. Changes nothing.

use std::path::Path;

use super::connection;
use super::error::StoreError;
use super::folder::LedgerFolder;
use super::read::Reader;

/// Findings of SQLite's own check that are shown.
const MAX_FINDINGS: u32 = 5;

/// A ledger's database, opened to be looked at.
#[derive(Debug)]
pub struct Checkup {
    reader: Reader,
}

impl Checkup {
    /// Opens the database, which must be a ledger's and of our schema version.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { reader: Reader::open(path)? })
    }

    /// What SQLite finds wrong with the file; nothing where it is sound.
    pub fn integrity(&self) -> Result<Vec<String>, StoreError> {
        let sql = format!("PRAGMA integrity_check({MAX_FINDINGS})");
        let mut statement = self.reader.connection().prepare(&sql)?;
        let lines = statement.query_map([], |row| row.get(0))?;
        let lines: Vec<String> = lines.collect::<Result<_, _>>()?;
        Ok(lines.into_iter().filter(|line| line != "ok").collect())
    }

    /// Whether every table, index and trigger is as the schema has it.
    pub fn schema(&self) -> Result<(), StoreError> {
        connection::check_schema(self.reader.connection())
    }

    /// Whether every entry is filed under its request's id: what keeps a request from being recorded twice.
    pub fn requests(&self) -> Result<(), StoreError> {
        let sql = "SELECT count(*) FROM entries WHERE idx NOT IN (SELECT idx FROM requests)";
        let unfiled: i64 = self.reader.connection().query_one(sql, [], |row| row.get(0))?;
        match unfiled {
            0 => Ok(()),
            count => Err(StoreError::Derived {
                what: format!("{count} entries are not filed under their request ids"),
            }),
        }
    }

    /// The last entry's bytes.
    pub fn last_entry(&self) -> Result<Option<bytes::Bytes>, StoreError> {
        match self.reader.size()?.checked_sub(1) {
            None => Ok(None),
            Some(last) => self.reader.entry(last),
        }
    }
}

impl LedgerFolder {
    /// Who has the ledger open for writing, such as "process 4711"; nobody where it could be opened now.
    pub fn holder(&self) -> Result<Option<String>, StoreError> {
        super::folder::holder(self.root(), "ledger.lock")
    }
}
