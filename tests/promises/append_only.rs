//! Nothing recorded is changed, by two servers at once, by a second `init`, or by somebody's SQLite shell.

use vialedger::service::{OpenError, ServiceError, WriteStatus};
use vialedger::store::{self, StoreError};

use crate::support::{Clinic, receipt};

#[tokio::test]
async fn another_program_can_neither_change_nor_delete_nor_replace_evidence() {
    let clinic = Clinic::new();
    let (service, writer) = clinic.open();
    clinic.add_places(&service, "room", 3).await;
    let shell = clinic.sqlite();
    for sql in [
        "UPDATE entries SET entry = x'00' WHERE idx = 1",
        "UPDATE OR REPLACE entries SET idx = 0 WHERE idx = 1",
        "DELETE FROM entries WHERE idx = 3",
        "DELETE FROM entries",
        "INSERT OR REPLACE INTO entries VALUES (3, x'00')",
        "REPLACE INTO entries SELECT idx, entry || x'00' FROM entries WHERE idx = 3",
        "INSERT INTO entries VALUES (1, x'00') ON CONFLICT DO UPDATE SET entry = x'00'",
        "INSERT INTO entries VALUES (9, x'00')",
        "UPDATE checkpoints SET note = ''",
        "DELETE FROM checkpoints",
        "INSERT OR REPLACE INTO checkpoints VALUES (4, '')",
        "INSERT INTO checkpoints VALUES (5, '')",
    ] {
        assert!(shell.execute(sql, []).is_err(), "{sql}");
    }
    clinic.add_places(&service, "after", 1).await;
    writer.join().unwrap();
    clinic.audit(5);
}

#[tokio::test]
async fn a_ledger_has_one_server_at_a_time() {
    let clinic = Clinic::new();
    let (service, writer) = clinic.open();
    let second = clinic.open_with(clinic.options()).err().unwrap();
    assert!(matches!(second, OpenError::Store(StoreError::InUse { .. })));
    let message = second.to_string();
    assert!(message.contains(&std::process::id().to_string()), "names the holder: {message}");
    assert!(message.contains("stop that process"), "says what to do: {message}");
    let rebuild = store::rebuild(clinic.path(), |_, _| {}).unwrap_err();
    assert!(matches!(rebuild, StoreError::InUse { .. }));
    clinic.add_places(&service, "room", 1).await;
    writer.join().unwrap();

    let (_service, writer) = clinic.open();
    writer.join().unwrap();
    clinic.audit(2);
}

#[test]
fn init_never_overwrites_a_ledger() {
    let clinic = Clinic::new();
    let before = std::fs::read(clinic.database()).unwrap();
    let again = clinic.init().unwrap_err();
    assert!(matches!(again, OpenError::Store(StoreError::Exists { .. })));
    assert!(again.to_string().contains("never overwritten"), "{again}");
    assert_eq!(std::fs::read(clinic.database()).unwrap(), before);
    clinic.audit(1);
}

#[test]
fn init_starts_afresh_where_an_earlier_one_was_cut_short() {
    let clinic = Clinic::without_ledger();
    for leftover in ["ledger.db.unfinished", "ledger.db.unfinished-wal"] {
        std::fs::write(clinic.path().join(leftover), "half a page").unwrap();
    }
    let first = clinic.init().unwrap();
    clinic.check(&first);
    assert!(!clinic.path().join("ledger.db.unfinished").exists());
    let line = std::fs::read_to_string(clinic.path().join("ledger.vkey")).unwrap();
    assert_eq!(line, format!("{}\n", clinic.verifier_key()));
    clinic.audit(1);
}

#[test]
fn opening_never_creates_a_ledger() {
    let clinic = Clinic::without_ledger();
    let missing = clinic.open_with(clinic.options()).err().unwrap();
    assert!(matches!(missing, OpenError::Store(StoreError::Missing { .. })));
    assert!(missing.to_string().contains("vialedger init"), "{missing}");
    assert!(store::rebuild(clinic.path(), |_, _| {}).is_err());
    assert_eq!(std::fs::read_dir(clinic.path()).unwrap().count(), 0, "not a single file");
}

#[tokio::test]
async fn whoever_appends_behind_the_servers_back_stops_it_instead_of_forking_the_ledger() {
    let clinic = Clinic::new();
    let (service, writer) = clinic.open();
    let answers = clinic.add_places(&service, "room", 1).await;
    clinic.sqlite().execute("INSERT INTO entries VALUES (2, x'00')", []).unwrap();
    let stopped = service.submit(clinic.new_place("next")).await.unwrap_err();
    assert!(matches!(stopped, ServiceError::EvidenceBad(_)), "{stopped}");
    assert!(matches!(service.write_status(), WriteStatus::EvidenceBad(_)));
    assert!(!service.accepts_writes());
    let again = service.submit(clinic.new_place("again")).await.unwrap_err();
    assert!(matches!(again, ServiceError::EvidenceBad(_)), "{again}");
    // Reading goes on, and only what the ledger's key signed is shown.
    assert_eq!(&service.receipt(1).await.unwrap(), receipt(&answers[0]));
    assert!(matches!(service.entry(2).await, Err(ServiceError::NotFound(_))));
    writer.join().unwrap();
    let refused = clinic.open_with(clinic.options()).err().unwrap();
    assert!(matches!(refused, OpenError::Store(StoreError::Evidence { .. })), "{refused}");
}
