//! Nothing acknowledged is lost, nothing is half-done, and a full disk or a held lock ends with an error and not with a
//! wrong ledger.

use std::time::Duration;

use vialedger::service::{MAX_BATCH, QUEUE_CAPACITY, ServiceError, ServiceOptions, WriteStatus};
use vialedger::store::StoreOptions;

use crate::support::{Clinic, Signer, audit_file, copy_as_after_a_power_cut, receipt, submit_all};

#[tokio::test]
async fn after_a_power_cut_everything_acknowledged_is_there() {
    let clinic = Clinic::new();
    let (service, writer) = clinic.open();
    let answers = clinic.add_places_at_once(&service, "room", 300).await;
    // What lies on the disk while the server runs: nothing was closed, nothing was flushed.
    let after = Clinic::without_ledger();
    copy_as_after_a_power_cut(clinic.path(), after.path());
    writer.join().unwrap();

    let (service, writer) = after.open();
    assert_eq!(service.published().size(), 301);
    for answer in answers {
        let answer = answer.unwrap();
        let kept = receipt(&answer);
        after.check(kept);
        assert_eq!(service.entry(kept.index).await.unwrap(), kept.entry);
    }
    clinic.add_places(&service, "after", 1).await;
    writer.join().unwrap();
    after.audit(302);
}

#[tokio::test]
async fn a_commit_that_was_only_half_written_leaves_nothing() {
    let clinic = Clinic::new();
    let (service, writer) = clinic.open();
    clinic.add_places(&service, "room", 3).await;
    let wal = std::fs::read(clinic.path().join("ledger.db-wal")).unwrap();
    let after = Clinic::without_ledger();
    copy_as_after_a_power_cut(clinic.path(), after.path());
    clinic.add_places(&service, "cut", 1).await;
    let longer = std::fs::read(clinic.path().join("ledger.db-wal")).unwrap();
    writer.join().unwrap();

    // The first pages of one more commit, without its end.
    let half = wal.len() + (longer.len() - wal.len()) / 2;
    std::fs::write(after.path().join("ledger.db-wal"), &longer[..half]).unwrap();
    let (service, writer) = after.open();
    assert_eq!(service.published().size(), 4);
    clinic.add_places(&service, "after", 1).await;
    writer.join().unwrap();
    after.audit(5);
}

#[tokio::test]
async fn after_a_clean_stop_the_database_alone_is_the_ledger() {
    let clinic = Clinic::new();
    let (service, writer) = clinic.open();
    clinic.add_places(&service, "room", 3).await;
    service.drain().await;
    assert_eq!(service.write_status(), WriteStatus::Draining);
    writer.join().unwrap();
    let copy = clinic.path().join("copy.db");
    std::fs::copy(clinic.database(), &copy).unwrap();
    audit_file(&copy, &clinic.verifier_key(), 4);
    // Reading is still possible; writing says why not.
    assert!(service.receipt(3).await.is_ok());
    let refused = service.submit(clinic.new_place("late")).await.unwrap_err();
    assert!(matches!(refused, ServiceError::Draining), "{refused}");
}

#[tokio::test]
async fn a_stop_finishes_what_was_taken_in_and_takes_nothing_more() {
    let clinic = Clinic::new();
    let (service, writer) = clinic.open();
    let mut sizes = service.subscribe();
    let requests: Vec<_> = (0..300).map(|n| clinic.new_place(&format!("room-{n}"))).collect();
    let (answers, ()) = tokio::join!(submit_all(&service, requests), async {
        sizes.changed().await.unwrap();
        service.drain().await;
    });
    writer.join().unwrap();
    let mut recorded = 0;
    for answer in answers {
        match answer {
            Ok(answer) => {
                clinic.check(receipt(&answer));
                recorded += 1;
            }
            Err(error) => assert!(matches!(error, ServiceError::Draining), "{error}"),
        }
    }
    assert!(recorded > 0);
    clinic.audit(recorded + 1);
}

#[tokio::test]
async fn a_full_disk_is_an_error_and_leaves_nothing_half_done() {
    let clinic = Clinic::new();
    let pages: u32 =
        clinic.sqlite().pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    let store = StoreOptions { max_pages: Some(pages + 2), ..clinic.options().store };
    let (service, writer) = clinic.open_with(ServiceOptions { store, ..clinic.options() }).unwrap();
    // The formulary is many pages long, a place fits into what is left of one.
    let formulary = clinic.new_formulary();
    let full = service.submit(formulary.clone()).await.unwrap_err();
    assert!(matches!(full, ServiceError::DiskFull), "{full}");
    assert_eq!(service.published().size(), 1);
    assert!(service.accepts_writes());
    let place = clinic.add_places(&service, "room", 1).await;
    assert_eq!(receipt(&place[0]).index, 1);
    let full = service.submit(formulary.clone()).await.unwrap_err();
    assert!(matches!(full, ServiceError::DiskFull), "{full}");
    writer.join().unwrap();
    clinic.audit(2);

    // With room again, the same request goes in.
    let (service, writer) = clinic.open();
    assert_eq!(receipt(&service.submit(formulary).await.unwrap()).index, 2);
    writer.join().unwrap();
    clinic.audit(3);
}

#[tokio::test]
async fn when_the_disk_fills_up_in_the_middle_of_a_batch_all_of_the_batch_is_refused() {
    let clinic = Clinic::new();
    let pages: u32 =
        clinic.sqlite().pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    let store = StoreOptions { max_pages: Some(pages + 6), ..clinic.options().store };
    let (service, writer) = clinic.open_with(ServiceOptions { store, ..clinic.options() }).unwrap();
    let answers = clinic.add_places_at_once(&service, "room", 200).await;
    let mut acknowledged = 0;
    for answer in answers {
        match answer {
            Ok(answer) => {
                clinic.check(receipt(&answer));
                acknowledged += 1;
            }
            Err(error) => assert!(matches!(error, ServiceError::DiskFull), "{error}"),
        }
    }
    assert!(acknowledged < 200);
    writer.join().unwrap();
    clinic.audit(acknowledged + 1);
}

#[tokio::test]
async fn a_database_held_by_another_program_is_an_error_until_it_is_let_go() {
    let clinic = Clinic::new();
    let (service, writer) = clinic.open();
    let shell = clinic.sqlite();
    shell.execute_batch("BEGIN IMMEDIATE").unwrap();
    let place = clinic.new_place("vault");
    let busy = service.submit(place.clone()).await.unwrap_err();
    assert!(matches!(busy, ServiceError::StorageBusy), "{busy}");
    assert!(service.receipt(0).await.is_ok(), "reads go on");
    shell.execute_batch("ROLLBACK").unwrap();
    assert_eq!(receipt(&service.submit(place).await.unwrap()).index, 1);
    writer.join().unwrap();
    clinic.audit(2);
}

#[tokio::test]
async fn a_full_queue_sheds_what_comes_and_keeps_what_it_has() {
    let clinic = Clinic::new();
    let patient = StoreOptions { busy_timeout: Duration::from_mins(1), max_pages: None };
    let options = ServiceOptions { store: patient, ..clinic.options() };
    let (service, writer) = clinic.open_with(options).unwrap();
    // While another program holds the database, the writer waits with one batch in hand.
    let shell = clinic.sqlite();
    shell.execute_batch("BEGIN IMMEDIATE").unwrap();
    let limit = QUEUE_CAPACITY + MAX_BATCH;
    let requests: Vec<_> = (0..=limit).map(|n| clinic.new_place(&format!("room-{n}"))).collect();
    let mut tasks = tokio::task::JoinSet::new();
    for request in requests {
        let service = service.clone();
        tasks.spawn(async move { service.submit(request).await });
    }
    // Only a shed request is answered now.
    let shed = tasks.join_next().await.unwrap().unwrap().unwrap_err();
    assert!(matches!(shed, ServiceError::QueueFull), "{shed}");
    shell.execute_batch("ROLLBACK").unwrap();
    let (mut recorded, mut shed) = (0, 1);
    while let Some(answer) = tasks.join_next().await {
        match answer.unwrap() {
            Ok(_) => recorded += 1,
            Err(error) => {
                assert!(matches!(error, ServiceError::QueueFull), "{error}");
                shed += 1;
            }
        }
    }
    assert_eq!(recorded + shed, limit + 1);
    assert!(recorded >= QUEUE_CAPACITY);
    writer.join().unwrap();
    clinic.audit(u64::try_from(recorded).unwrap() + 1);
}

#[tokio::test]
async fn a_clock_that_went_back_is_ridden_out_or_refused_and_never_recorded() {
    let clinic = Clinic::new();
    let (service, writer) = clinic.open();
    let begun = clinic.clock.now();
    // It stands still since `init`: every entry is a microsecond after the one before.
    clinic.add_places(&service, "still", 2).await;
    assert_eq!(service.published().state.last_time(), begun.checked_add_micros(2).unwrap());
    clinic.clock.set(begun.checked_add_micros(-4_999_990).unwrap());
    clinic.add_places(&service, "back", 1).await;
    assert_eq!(service.published().state.last_time(), begun.checked_add_micros(3).unwrap());

    clinic.clock.set(begun.checked_add_micros(-5_000_000).unwrap());
    let place = clinic.new_place("vault");
    let behind = service.submit(place.clone()).await.unwrap_err();
    let ServiceError::ClockBehind { now, last } = &behind else { panic!("{behind}") };
    assert_eq!(last.micros_since(*now), 5_000_003);
    assert!(behind.to_string().contains("set the clock right"), "{behind}");

    clinic.clock.advance(Duration::from_hours(1));
    service.submit(place).await.unwrap();
    writer.join().unwrap();
    clinic.audit(5);
}

#[tokio::test]
async fn two_hundred_and_fifty_six_callers_at_once_are_all_answered() {
    let clinic = Clinic::new();
    let (service, writer) = clinic.open();
    let bea = Signer::named("bea");
    let mut requests: Vec<_> = (0..128).map(|n| clinic.new_place(&format!("room-{n}"))).collect();
    // Strangers among them are refused and leave nothing.
    requests.extend((0..128).map(|n| clinic.place_by(&bea, &format!("none-{n}"))));
    let answers = submit_all(&service, requests).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 128);
    let mut indexes: Vec<u64> =
        answers.iter().flatten().map(|answer| receipt(answer).index).collect();
    indexes.sort_unstable();
    assert_eq!(indexes, (1..129).collect::<Vec<_>>());
    writer.join().unwrap();
    clinic.audit(129);
}
