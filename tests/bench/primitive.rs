//! What a write is made of, each thing alone: a signature, its strict verification, a row in SQLite, a synced append.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, params};
use vialedger::key::Key;
use vialedger::ledger::SignedRequest;

use crate::machine::Measured;

/// Rows of one commit of the bare table.
const ROWS_A_COMMIT: usize = 100;
/// Pages in the WAL before it is flushed, as the ledger's own store has it.
const WAL_FLUSH_PAGES: u32 = 8_000;
/// Bytes of a synced append: one page.
const APPEND_BYTES: usize = 4_096;

/// The primitives, each measured several times in turns with what is compared to it.
pub(crate) struct Primitives {
    samples: Vec<SignedRequest>,
    key: Key,
    folder: PathBuf,
    row: Vec<u8>,
    turns: usize,
    sign: Vec<Measured>,
    verify: Vec<Measured>,
    sqlite: Vec<Measured>,
    sync: Vec<Measured>,
}

/// What each primitive took, all turns together.
pub(crate) struct Costs {
    /// Signing a request.
    pub(crate) sign: Measured,
    /// Verifying a request strictly, with a decoded key.
    pub(crate) verify: Measured,
    /// A commit of [`ROWS_A_COMMIT`] rows of a ledger's entries in a bare table.
    sqlite: Measured,
    /// Appending a page and syncing it.
    pub(crate) sync: Measured,
}

impl Primitives {
    /// Requests to sign and verify, and the length of the entries that become of them.
    pub(crate) fn new(
        samples: Vec<SignedRequest>,
        key: Key,
        folder: &Path,
        row: usize,
        turns: usize,
    ) -> Self {
        let (folder, row) = (folder.to_owned(), vec![7; row]);
        let (sign, verify, sqlite, sync) = (vec![], vec![], vec![], vec![]);
        Self { samples, key, folder, row, turns, sign, verify, sqlite, sync }
    }

    /// Measures each once more.
    pub(crate) fn measure(&mut self) {
        let turn = self.sign.len();
        let public = self.key.public_key();
        let sample = |at: usize| &self.samples[at % self.samples.len()];
        self.sign.push(Measured::in_turn(self.turns, |at| {
            let (kind, bytes) = (sample(at).kind(), sample(at).bytes().clone());
            std::hint::black_box(SignedRequest::sign(kind, bytes, self.key.signing_key()));
        }));
        self.verify.push(Measured::in_turn(self.turns, |at| {
            let (kind, bytes) = (sample(at).kind(), sample(at).bytes().clone());
            SignedRequest::verify(kind, bytes, &public, sample(at).signature()).unwrap();
        }));
        let mut bare = BareTable::create(&self.folder.join(format!("bare-{turn}.db")));
        let commits = (self.turns / ROWS_A_COMMIT).max(2);
        self.sqlite.push(Measured::in_turn(commits, |_| bare.commit(&self.row)));
        let mut file = File::create(self.folder.join(format!("append-{turn}"))).unwrap();
        let page = [7; APPEND_BYTES];
        self.sync.push(Measured::in_turn((self.turns / 10).max(2), |_| {
            file.write_all(&page).unwrap();
            file.sync_data().unwrap();
        }));
    }

    /// All turns together.
    pub(crate) fn costs(&self) -> Costs {
        Costs {
            sign: Measured::sum(&self.sign),
            verify: Measured::sum(&self.verify),
            sqlite: Measured::sum(&self.sqlite),
            sync: Measured::sum(&self.sync),
        }
    }
}

impl Costs {
    /// Processor time of one row at [`ROWS_A_COMMIT`] rows a commit.
    pub(crate) fn row(&self) -> Duration {
        self.sqlite.processor_each() / u32::try_from(ROWS_A_COMMIT).unwrap()
    }

    /// Time on the wall of one such row.
    pub(crate) fn row_wall(&self) -> Duration {
        self.sqlite.wall_each() / u32::try_from(ROWS_A_COMMIT).unwrap()
    }
}

/// One table, no index, every commit synced.
struct BareTable {
    connection: Connection,
    next: i64,
}

impl BareTable {
    fn create(path: &Path) -> Self {
        let connection = Connection::open(path).unwrap();
        connection
            .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get::<_, String>(0))
            .unwrap();
        connection.pragma_update(None, "synchronous", "full").unwrap();
        connection.pragma_update(None, "wal_autocheckpoint", WAL_FLUSH_PAGES).unwrap();
        connection
            .execute_batch("CREATE TABLE bare (idx INTEGER PRIMARY KEY, entry BLOB) STRICT")
            .unwrap();
        Self { connection, next: 0 }
    }

    fn commit(&mut self, row: &[u8]) {
        let transaction = self.connection.transaction().unwrap();
        {
            let mut insert =
                transaction.prepare_cached("INSERT INTO bare VALUES (?1, ?2)").unwrap();
            for _ in 0..ROWS_A_COMMIT {
                insert.execute(params![self.next, row]).unwrap();
                self.next += 1;
            }
        }
        transaction.commit().unwrap();
    }
}
