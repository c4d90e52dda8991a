//! Everything derived, made again from the evidence.

use std::path::Path;

use super::append::{Batch, StoreOptions, Transaction, close};
use super::connection;
use super::error::StoreError;
use super::folder::LedgerFolder;
use super::load::{Replay, Signed};
use super::read::Reader;
use crate::state::Subject;
use crate::tlog::VerifierKey;

/// How much was made again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RebuildReport {
    /// Entries read; as many request ids were filed.
    pub entries: u64,
    /// Rows of the subject index.
    pub subjects: u64,
    /// Full tiles.
    pub tiles: u64,
}

/// Makes every derived table of the ledger in this folder again, but for the snapshots: those need the ledger's key, so
/// they are thrown away, and the next start replays every entry. The evidence is only read, replayed by the rules, and
/// compared with the newest checkpoint and the verifier key in entry 0.
///
/// `progress` is called after each entry with how many are done, and of how many.
///
/// It is one transaction. A crash anywhere before its end leaves the tables as they were; after it they are new.
pub fn rebuild(
    dir: &Path,
    mut progress: impl FnMut(u64, u64),
) -> Result<RebuildReport, StoreError> {
    let folder = LedgerFolder::new(dir);
    let path = folder.database();
    if !path.is_file() {
        return Err(StoreError::Missing { path });
    }
    let _lock = folder.lock()?;
    let options = StoreOptions::default();
    let connection = connection::open_writer(&path, options.busy_timeout, options.max_pages)?;
    let reader = Reader::open(&path)?;
    let signed = Signed::read_unverified(&reader)?;

    let mut replay = Replay::default();
    let mut report = RebuildReport::default();
    let transaction = Transaction::begin(&connection)?;
    connection::recreate_derived(&connection)?;
    connection::check_schema(&connection)?;
    let mut batch = Batch::within(transaction, 0)?;
    replay.run(&reader, signed.size, |step, tiles| {
        let subjects = step.subjects.iter().map(Subject::as_str);
        batch.file(step.request_id.as_bytes(), subjects)?;
        tiles.iter().try_for_each(|tile| batch.keep_tile(tile))?;
        report.entries += 1;
        report.subjects += u64::try_from(step.subjects.len()).unwrap_or(u64::MAX);
        report.tiles += u64::try_from(tiles.len()).unwrap_or(u64::MAX);
        progress(report.entries, signed.size);
        Ok(())
    })?;
    signed.require_root(&replay.tree).map_err(StoreError::evidence)?;
    signed.verify(&verifier_key(&replay)?)?;
    batch.commit_derived()?;
    drop(reader);
    close(connection)?;
    Ok(report)
}

/// The ledger's own key, as entry 0 names it.
fn verifier_key(replay: &Replay) -> Result<VerifierKey, StoreError> {
    let Some(site) = replay.state.site() else {
        return Err(StoreError::bad_entry(0, &"it does not begin a ledger"));
    };
    site.verifier_key.parse().map_err(|error| StoreError::bad_entry(0, &error))
}
