//! Everything derived can be lost and is made again; evidence that does not fit is refused; reads agree with proofs.

use std::fmt::Write as _;

use ed25519_dalek::SigningKey;
use rusqlite::types::Value;
use vialedger::ledger::RequestKind;
use vialedger::pb::v1;
use vialedger::service::{EntryQuery, OpenError, Service, ServiceError, ServiceOptions};
use vialedger::store::{self, Loaded, Reader, RebuildReport, StoreError};
use vialedger::tlog::{Checkpoint, SignedNote, leaf_hash, verify_consistency, verify_inclusion};

use crate::support::{Clinic, Signer, ada, tamper};

/// Entries of the ledgers here: more than two full tiles.
const MANY: usize = 600;

/// A closed ledger of 1 + `places` entries, with a snapshot as often as told.
async fn with_places(places: usize, snapshot_every: u64) -> Clinic {
    let clinic = Clinic::new();
    let options = ServiceOptions { snapshot_every, ..clinic.options() };
    let (service, writer) = clinic.open_with(options).unwrap();
    for answer in clinic.add_places_at_once(&service, "room", places).await {
        answer.unwrap();
    }
    writer.join().unwrap();
    clinic
}

fn load(clinic: &Clinic) -> Result<Loaded, StoreError> {
    store::load(&Reader::open(&clinic.database()).unwrap(), &clinic.verifier_key())
}

/// Every row of the derived tables, but for the snapshots, as text.
fn derived(clinic: &Clinic) -> String {
    let connection = clinic.sqlite();
    let mut dump = String::new();
    for sql in [
        "SELECT * FROM requests ORDER BY 1",
        "SELECT * FROM subjects ORDER BY 1, 2",
        "SELECT * FROM tiles ORDER BY 1, 2",
    ] {
        let mut statement = connection.prepare(sql).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            for column in 0..columns {
                write!(dump, "{:?} ", row.get::<_, Value>(column).unwrap()).unwrap();
            }
            dump.push('\n');
        }
    }
    dump
}

#[tokio::test]
async fn a_clean_stop_leaves_a_snapshot_and_the_next_start_replays_nothing() {
    let clinic = with_places(MANY, u64::MAX).await;
    let loaded = load(&clinic).unwrap();
    assert_eq!((loaded.snapshot, loaded.replayed()), (Some(601), 0));
    clinic.audit(601);
}

#[tokio::test]
async fn snapshots_are_written_while_the_ledger_is_in_use() {
    let clinic = Clinic::new();
    let options = ServiceOptions { snapshot_every: 10, ..clinic.options() };
    let (service, writer) = clinic.open_with(options).unwrap();
    let reader = Reader::open(&clinic.database()).unwrap();
    let snapshot = || store::load(&reader, &clinic.verifier_key()).unwrap().snapshot;
    // Each round makes the next snapshot due; the one before is then complete or on its way.
    let mut rounds = 0;
    while snapshot().is_none_or(|size| size < 100) {
        clinic.add_places(&service, &format!("round-{rounds}"), 10).await;
        rounds += 1;
        assert!(rounds < 1_000, "a snapshot must come");
    }
    drop(reader);
    let last = service.published();
    writer.join().unwrap();
    let loaded = load(&clinic).unwrap();
    assert_eq!(loaded.state, last.state);
    assert_eq!(loaded.tree.root(), last.tree.root());
    clinic.audit(last.size());
}

#[tokio::test]
async fn a_start_from_a_snapshot_and_a_full_replay_end_in_the_same_state() {
    let clinic = with_places(MANY, u64::MAX).await;
    let (service, writer) = clinic.open();
    clinic.add_places(&service, "later", 7).await;
    // A crash: the last snapshot stays at 601.
    let crashed = Clinic::without_ledger();
    crate::support::copy_as_after_a_power_cut(clinic.path(), crashed.path());
    writer.join().unwrap();

    let resumed = load(&crashed).unwrap();
    assert_eq!((resumed.snapshot, resumed.replayed()), (Some(601), 7));
    for (damage, why) in [
        ("UPDATE snapshot_parts SET bytes = zeroblob(length(bytes))", "signed"),
        ("UPDATE snapshots SET note = CAST(x'ff' AS TEXT)", "sign"),
        ("UPDATE snapshots SET size = -1", ""),
        ("UPDATE snapshots SET format = 'another program'", "format"),
        ("UPDATE snapshots SET leaf_hash = zeroblob(32)", "signed"),
        ("UPDATE tiles SET hashes = zeroblob(8192) WHERE number = 1", "root"),
        ("DELETE FROM tiles", "missing"),
        ("DELETE FROM snapshots", ""),
    ] {
        let damaged = Clinic::without_ledger();
        crate::support::copy_as_after_a_power_cut(crashed.path(), damaged.path());
        damaged.sqlite().execute_batch(damage).unwrap();
        let full = load(&damaged).unwrap();
        assert_eq!((full.snapshot, full.replayed()), (None, 608), "{damage}");
        assert_eq!(full.state, resumed.state);
        assert_eq!(full.tree.root(), resumed.tree.root());
        let told = full.unusable.join("; ");
        assert!(told.contains(why), "{damage}: {told}");
        let (_service, writer) = damaged.open();
        writer.join().unwrap();
        damaged.audit(608);
    }
}

#[tokio::test]
async fn rebuild_makes_every_derived_table_again() {
    let clinic = with_places(MANY, 100).await;
    let before = derived(&clinic);
    for damage in [
        "DELETE FROM requests; DELETE FROM subjects; DELETE FROM tiles; DELETE FROM snapshots;",
        "DROP TABLE requests; DROP TABLE subjects; DROP TABLE tiles; DROP TABLE snapshots;",
        "UPDATE requests SET idx = 0; UPDATE subjects SET idx = idx + 1000;
         UPDATE tiles SET hashes = zeroblob(8192);
         UPDATE snapshot_parts SET bytes = x'00'",
        "DROP TABLE subjects; CREATE TABLE subjects (subject TEXT)",
    ] {
        clinic.sqlite().execute_batch(damage).unwrap();
        let mut done = Vec::new();
        let report = store::rebuild(clinic.path(), |entry, of| done.push((entry, of))).unwrap();
        assert_eq!(report, RebuildReport { entries: 601, subjects: 1_201, tiles: 2 });
        assert_eq!(done, (1..=601).map(|entry| (entry, 601)).collect::<Vec<_>>());
        assert_eq!(derived(&clinic), before, "{damage}");
        assert_eq!(load(&clinic).unwrap().snapshot, None, "only the ledger's key signs one");
        let (_service, writer) = clinic.open();
        writer.join().unwrap();
        assert_eq!(load(&clinic).unwrap().snapshot, Some(601), "a stop leaves one");
    }
    clinic.audit(601);
}

#[tokio::test]
async fn a_ledger_with_a_missing_derived_table_says_how_to_get_it_back() {
    let clinic = with_places(3, 100).await;
    clinic.sqlite().execute_batch("DROP TABLE requests").unwrap();
    let refused = clinic.open_with(clinic.options()).err().unwrap();
    assert!(refused.to_string().contains("vialedger rebuild"), "{refused}");
    clinic.audit(4);
}

#[tokio::test]
async fn evidence_that_was_altered_is_refused_and_the_entry_named() {
    let last = "(SELECT max(idx) FROM entries)";
    for (sql, index) in [
        // The tail after a snapshot, and everything before it, one after the other.
        (
            "UPDATE entries SET entry = CAST(entry || x'00' AS BLOB) WHERE idx = 3".to_owned(),
            Some(3),
        ),
        ("UPDATE entries SET entry = x'00' WHERE idx = 2".to_owned(), Some(2)),
        (
            format!("UPDATE entries SET entry = CAST(entry || x'00' AS BLOB) WHERE idx = {last}"),
            Some(4),
        ),
        ("DELETE FROM entries WHERE idx = 2".to_owned(), Some(2)),
        (format!("DELETE FROM entries WHERE idx = {last}"), None),
        (
            format!("INSERT INTO entries SELECT idx + 1, entry FROM entries WHERE idx = {last}"),
            None,
        ),
        ("DELETE FROM checkpoints".to_owned(), None),
        (
            "DELETE FROM checkpoints WHERE size = (SELECT max(size) FROM checkpoints)".to_owned(),
            None,
        ),
        ("UPDATE checkpoints SET size = size + 1 WHERE size = 5".to_owned(), None),
        ("UPDATE checkpoints SET note = replace(note, 'clinic', 'Clinic')".to_owned(), None),
        (
            "INSERT OR REPLACE INTO checkpoints SELECT 5, note FROM checkpoints WHERE size = 1"
                .to_owned(),
            None,
        ),
    ] {
        let clinic = with_places(0, u64::MAX).await;
        let (service, writer) = clinic.open();
        clinic.add_places(&service, "room", 4).await;
        writer.join().unwrap();
        let connection = clinic.sqlite();
        connection.execute_batch("DELETE FROM snapshots").unwrap();
        tamper(&connection, &sql);
        drop(connection);
        let refused = clinic.open_with(clinic.options()).err();
        let Some(OpenError::Store(StoreError::Evidence { index: found, .. })) = &refused else {
            panic!("{sql}: {refused:?}");
        };
        assert_eq!(*found, index, "{sql}: {refused:?}");
        let rebuild = store::rebuild(clinic.path(), |_, _| {}).unwrap_err();
        assert!(matches!(rebuild, StoreError::Evidence { .. }), "{sql}: {rebuild}");
    }
}

#[tokio::test]
async fn a_file_that_sqlite_cannot_make_sense_of_is_damaged_and_the_error_says_what_to_do() {
    let clinic = with_places(MANY, u64::MAX).await;
    let whole = std::fs::read(clinic.database()).unwrap();
    let mut garbage = whole.clone();
    garbage[4_096..].fill(0xa5);
    for bytes in [&whole[..whole.len() / 2], &whole[..5_000], &garbage] {
        std::fs::write(clinic.database(), bytes).unwrap();
        let refused = clinic.open_with(clinic.options()).err().unwrap();
        assert!(matches!(refused, OpenError::Store(StoreError::Damaged(_))), "{refused:?}");
        assert!(refused.to_string().contains("restore"), "{refused}");
        let rebuild = store::rebuild(clinic.path(), |_, _| {}).unwrap_err();
        assert!(matches!(rebuild, StoreError::Damaged(_)), "{rebuild:?}");
    }
    std::fs::write(clinic.database(), &whole).unwrap();
    clinic.audit(601);
}

#[tokio::test]
async fn a_snapshot_hides_no_altered_tail() {
    let clinic = with_places(3, u64::MAX).await;
    let (service, writer) = clinic.open();
    clinic.add_places(&service, "tail", 3).await;
    let crashed = Clinic::without_ledger();
    crate::support::copy_as_after_a_power_cut(clinic.path(), crashed.path());
    writer.join().unwrap();
    let connection = crashed.sqlite();
    tamper(&connection, "UPDATE entries SET entry = CAST(entry || x'00' AS BLOB) WHERE idx = 5");
    drop(connection);
    let refused = load(&crashed).unwrap_err();
    assert!(matches!(refused, StoreError::Evidence { index: Some(5), .. }), "{refused}");
}

#[test]
fn a_ledger_opens_only_with_its_own_key() {
    let clinic = Clinic::new();
    let other = SigningKey::from_bytes(&[1; 32]);
    let refused = Service::open(clinic.path(), &other, clinic.options()).err().unwrap();
    let OpenError::AnotherKey { expected, found } = refused else { panic!("{refused}") };
    assert_eq!(expected, clinic.verifier_key().to_string());
    assert_ne!(found, expected);
    clinic.audit(1);
}

#[test]
fn a_lost_verifier_key_is_written_again_and_a_foreign_one_is_not_overwritten() {
    let clinic = Clinic::new();
    let path = clinic.path().join("ledger.vkey");
    std::fs::remove_file(&path).unwrap();
    clinic.open().1.join().unwrap();
    let line = std::fs::read_to_string(&path).unwrap();
    assert_eq!(line.trim_end(), clinic.verifier_key().to_string());
    std::fs::write(&path, "another line").unwrap();
    let refused = clinic.open_with(clinic.options()).err().unwrap();
    assert!(matches!(refused, OpenError::AnotherKey { .. }), "{refused}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "another line");
    clinic.audit(1);
}

#[test]
fn schemas_of_other_versions_are_refused_both_ways() {
    for (version, advice) in [(0, "migrate"), (2, "update vialedger")] {
        let clinic = Clinic::new();
        clinic.sqlite().pragma_update(None, "user_version", version).unwrap();
        let refused = clinic.open_with(clinic.options()).err().unwrap();
        assert!(refused.to_string().contains(advice), "{refused}");
        assert!(store::rebuild(clinic.path(), |_, _| {}).is_err());
        clinic.sqlite().pragma_update(None, "user_version", 1).unwrap();
        clinic.audit(1);
    }
}

#[tokio::test]
async fn every_entry_is_proved_at_every_size_across_tiles() {
    let clinic = with_places(MANY, 100).await;
    let (service, writer) = clinic.open();
    let published = service.published();
    let root_at = |size| {
        let reader = Reader::open(&clinic.database()).unwrap();
        published.tree.root_at(size, |level, number| reader.tile(level, number)).unwrap()
    };
    for index in [0, 1, 255, 256, 257, 511, 512, 599, 600] {
        let receipt = service.receipt(index).await.unwrap();
        assert_eq!(receipt.index, index);
        clinic.check(&receipt);
        let leaf = leaf_hash(&receipt.entry);
        for size in [index + 1, 600, 601] {
            let Some(size) = (size > index).then_some(size) else { continue };
            let proof = service.inclusion_proof(index, Some(size)).await.unwrap();
            assert_eq!((proof.leaf, proof.size), (leaf, size));
            verify_inclusion(&leaf, index, size, &proof.path, &root_at(size)).unwrap();
        }
    }
    for (old, new) in [(0, 601), (1, 601), (256, 257), (257, 600), (512, 601), (601, 601)] {
        let proof = service.consistency_proof(old, Some(new)).await.unwrap();
        verify_consistency(old, &root_at(old), new, &root_at(new), &proof.path).unwrap();
    }
    assert!(matches!(service.receipt(601).await, Err(ServiceError::NotFound(_))));
    let outside = service.inclusion_proof(5, Some(5)).await;
    assert!(matches!(outside, Err(ServiceError::OutOfRange(_))));
    let reversed = service.consistency_proof(7, Some(6)).await;
    assert!(matches!(reversed, Err(ServiceError::OutOfRange(_))));
    writer.join().unwrap();
    clinic.audit(601);
}

#[tokio::test]
async fn a_checkpoint_is_kept_for_every_commit() {
    let clinic = Clinic::new();
    let (service, writer) = clinic.open();
    clinic.add_places(&service, "room", 3).await;
    for size in 1..=4 {
        let note = service.checkpoint_at(size).await.unwrap().unwrap();
        let note = SignedNote::parse(note.as_bytes()).unwrap();
        let checkpoint = Checkpoint::verify(&note, &clinic.verifier_key()).unwrap();
        assert_eq!((checkpoint.origin(), checkpoint.size()), (crate::support::ORIGIN, size));
    }
    assert_eq!(service.checkpoint_at(0).await.unwrap(), None);
    assert_eq!(service.checkpoint_at(5).await.unwrap(), None);
    assert_eq!(
        service.checkpoint_at(4).await.unwrap(),
        Some(service.published().checkpoint.clone())
    );
    writer.join().unwrap();
    clinic.audit(4);
}

fn everything() -> EntryQuery {
    EntryQuery {
        start: 0,
        limit: 1_000,
        max_bytes: usize::MAX,
        subject: None,
        kind: None,
        start_time: None,
        end_time: None,
    }
}

async fn indexes(service: &Service, query: EntryQuery) -> (Vec<u64>, Option<u64>) {
    let page = service.entries(query).await.unwrap();
    (page.entries.iter().map(|(index, _)| *index).collect(), page.next)
}

#[tokio::test]
async fn entries_are_listed_by_subject_kind_and_time_and_by_the_page() {
    let clinic = Clinic::new();
    let (service, writer) = clinic.open();
    let bea = Signer::named("bea");
    clinic.add_places(&service, "early", 2).await;
    clinic.clock.advance(std::time::Duration::from_mins(1));
    let noon = clinic.clock.now();
    service.submit(clinic.new_person(&bea, &[v1::Role::Nurse])).await.unwrap();
    clinic.add_places(&service, "late", 2).await;

    assert_eq!(indexes(&service, everything()).await, ((0..6).collect(), None));
    let list = |change: fn(EntryQuery) -> EntryQuery| indexes(&service, change(everything()));
    assert_eq!(list(|q| EntryQuery { limit: 4, ..q }).await, (vec![0, 1, 2, 3], Some(4)));
    assert_eq!(list(|q| EntryQuery { start: 4, ..q }).await, (vec![4, 5], None));
    assert_eq!(list(|q| EntryQuery { max_bytes: 1, ..q }).await, (vec![0], Some(1)));
    assert_eq!(list(|q| EntryQuery { start: 99, ..q }).await, (vec![], None));
    let by = |q, subject: &str| EntryQuery { subject: Some(subject.to_owned()), ..q };
    assert_eq!(indexes(&service, by(everything(), &bea.name)).await, (vec![3], None));
    assert_eq!(indexes(&service, by(everything(), "people/nobody")).await, (vec![], None));
    let (all, _) = indexes(&service, by(everything(), &ada().name)).await;
    assert_eq!(all, (0..6).collect::<Vec<_>>());
    let places = EntryQuery { kind: Some(RequestKind::CreatePlace), ..everything() };
    assert_eq!(indexes(&service, places).await, (vec![1, 2, 4, 5], None));
    let after = EntryQuery { start_time: Some(noon), ..everything() };
    assert_eq!(indexes(&service, after).await, (vec![3, 4, 5], None));
    let before = EntryQuery { end_time: Some(noon), ..everything() };
    assert_eq!(indexes(&service, before).await, (vec![0, 1, 2], None));
    writer.join().unwrap();
    clinic.audit(6);
}
