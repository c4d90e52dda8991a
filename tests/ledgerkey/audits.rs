//! The ledger audits itself: a good audit is an entry, and a bad one ends all writing.

use std::time::Duration;

use prost::Message as _;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use vialedger::audit::Fault;
use vialedger::ledger::{ParsedEntry, RequestKind, SignedRequest};
use vialedger::pb::v1::{self, outcome};
use vialedger::server::{Server, ServerOptions};
use vialedger::service::{AuditSchedule, Service, ServiceError, WriteStatus};

use crate::support::{Clinic, ORIGIN};

const DAY: Duration = Duration::from_hours(24);

/// Does something to evidence that the triggers refuse, as the owner of a file can.
fn tamper(clinic: &Clinic, sql: &str) {
    let connection = rusqlite::Connection::open(clinic.folder().database()).unwrap();
    let triggers: Vec<String> = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    for name in triggers {
        connection.execute_batch(&format!("DROP TRIGGER {name}")).unwrap();
    }
    connection.execute_batch(sql).unwrap();
}

/// One bit of an old entry, turned.
fn flip_a_byte(clinic: &Clinic) {
    let connection = rusqlite::Connection::open(clinic.folder().database()).unwrap();
    let mut entry: Vec<u8> = connection
        .query_row("SELECT entry FROM entries WHERE idx = 2", [], |row| row.get(0))
        .unwrap();
    let at = entry.len() / 2;
    entry[at] ^= 1;
    let hex: String = entry.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    tamper(clinic, &format!("UPDATE entries SET entry = x'{hex}' WHERE idx = 2"));
}

fn recorded(clinic: &Clinic, index: usize) -> v1::SelfAuditRecorded {
    let entry = clinic.evidence().entries[index].entry.clone();
    match ParsedEntry::parse(entry).unwrap().outcome.result {
        Some(outcome::Result::SelfAuditRecorded(recorded)) => recorded,
        other => panic!("{other:?}"),
    }
}

async fn must_be_stopped(clinic: &Clinic, service: &Service, at: &str) {
    let WriteStatus::EvidenceBad(why) = service.write_status() else { panic!("still writing") };
    assert!(why.contains(at), "{why}");
    let before = service.published().size();
    let refused = service.submit(clinic.place("refused")).await;
    assert!(matches!(refused, Err(ServiceError::EvidenceBad(_))), "{refused:?}");
    assert_eq!(service.published().size(), before);
    let again = service.self_audit_now(true).await;
    assert!(matches!(again, Err(ServiceError::EvidenceBad(_))), "{again:?}");
    // Whoever reads is answered all the same.
    service.entry(0).await.unwrap();
}

#[tokio::test]
async fn a_good_audit_is_an_entry_and_the_next_one_reads_only_what_is_new() {
    let clinic = Clinic::new();
    let (service, writer) = clinic.open();
    clinic.add_places(&service, "old", 3).await;
    let first = service.self_audit_now(false).await.unwrap();
    assert_eq!((first.index, first.report.since, first.report.entries), (4, 0, 4));
    clinic.add_places(&service, "new", 2).await;
    let second = service.self_audit_now(false).await.unwrap();
    assert_eq!((second.index, second.report.since, second.report.entries), (7, 4, 7));
    let third = service.self_audit_now(true).await.unwrap();
    assert_eq!((third.index, third.report.since, third.report.entries), (8, 0, 8));
    drop(service);
    writer.join().unwrap();

    let found = clinic.audit(&clinic.vkey());
    assert_eq!(found.entries, 9);
    assert_eq!(found.self_audit.map(|audit| (audit.entry, audit.size)), Some((8, 8)));
    assert_eq!(recorded(&clinic, 4), v1::SelfAuditRecorded { size: 4, whole: true });
    assert_eq!(recorded(&clinic, 7), v1::SelfAuditRecorded { size: 7, whole: false });
    assert_eq!(recorded(&clinic, 8), v1::SelfAuditRecorded { size: 8, whole: true });
}

#[tokio::test]
async fn the_clock_says_when_an_audit_is_due_and_when_one_of_everything_is() {
    let schedule = AuditSchedule { every: DAY, whole_every: 3 * DAY };
    let mut clinic = Clinic::new();
    clinic.schedule = Some(schedule);
    let (service, writer) = clinic.open();
    let mut read_all = Vec::new();
    for _ in 0..6 {
        assert!(service.self_audit_if_due().await.unwrap().is_none(), "not yet");
        clinic.clock.advance(DAY.checked_sub(Duration::from_secs(1)).unwrap());
        assert!(service.self_audit_if_due().await.unwrap().is_none(), "a second is missing");
        clinic.clock.advance(Duration::from_secs(1));
        let done = service.self_audit_if_due().await.unwrap().unwrap();
        read_all.push(done.report.since == 0);
    }
    assert_eq!(read_all, [true, false, false, true, false, false]);
    drop(service);
    writer.join().unwrap();

    // A new process has nothing to go on from, and reads everything; but not before it is due.
    let (service, writer) = clinic.open();
    assert!(service.self_audit_if_due().await.unwrap().is_none());
    clinic.clock.advance(DAY);
    assert_eq!(service.self_audit_if_due().await.unwrap().unwrap().report.since, 0);
    drop(service);
    writer.join().unwrap();
    clinic.audit(&clinic.vkey());
}

#[tokio::test]
async fn nobody_audits_where_no_schedule_says_so() {
    let clinic = Clinic::new();
    let (service, writer) = clinic.open();
    clinic.clock.advance(30 * DAY);
    assert!(service.self_audit_if_due().await.unwrap().is_none());
    drop(service);
    writer.join().unwrap();
}

#[tokio::test]
async fn a_byte_that_is_flipped_behind_the_servers_back_is_found_and_ends_all_writing() {
    let clinic = Clinic::new();
    let (service, writer) = clinic.open();
    clinic.add_places(&service, "old", 3).await;
    service.self_audit_now(true).await.unwrap();
    flip_a_byte(&clinic);
    // What was found good before is not read again by an audit of what is new, and is by the next one of everything.
    service.self_audit_now(false).await.unwrap();
    let found = service.self_audit_now(true).await.err();
    assert!(matches!(&found, Some(ServiceError::EvidenceBad(why)) if why.contains("entries/2")));
    must_be_stopped(&clinic, &service, "entries/2: edited").await;
    drop(service);
    writer.join().unwrap();
    clinic.evidence().must_fail(&clinic.vkey(), 2, Fault::Edited);
}

#[tokio::test]
async fn a_tail_that_is_cut_off_behind_the_servers_back_is_missed_at_once() {
    let clinic = Clinic::new();
    let (service, writer) = clinic.open();
    clinic.add_places(&service, "old", 3).await;
    service.self_audit_now(true).await.unwrap();
    clinic.add_places(&service, "new", 3).await;
    tamper(&clinic, "DELETE FROM checkpoints WHERE size > 6; DELETE FROM entries WHERE idx >= 6");
    let found = service.self_audit_now(false).await.err();
    assert!(matches!(&found, Some(ServiceError::EvidenceBad(why)) if why.contains("truncated")));
    must_be_stopped(&clinic, &service, "entries/6").await;
    drop(service);
    writer.join().unwrap();
}

#[tokio::test]
async fn a_file_that_cannot_be_read_any_more_ends_all_writing_too() {
    let clinic = Clinic::new();
    let (service, writer) = clinic.open();
    clinic.add_places(&service, "old", 3).await;
    tamper(&clinic, "DROP TABLE entries");
    let found = service.self_audit_now(true).await;
    assert!(matches!(found, Err(ServiceError::EvidenceBad(_))), "{found:?}");
    assert!(!service.accepts_writes());
    drop(service);
    let _ = writer.join();
}

#[tokio::test]
async fn an_audit_that_says_another_root_than_the_signed_one_is_a_fault() {
    let clinic = Clinic::new();
    let (service, writer) = clinic.open();
    let message = v1::RecordSelfAuditRequest {
        ledger: ORIGIN.to_owned(),
        request_id: clinic.new_id(),
        size: 1,
        root: vec![7; 32],
        duration: Some(prost_types::Duration::default()),
        ..v1::RecordSelfAuditRequest::default()
    };
    let bytes = message.encode_to_vec().into();
    let key = clinic.ledger_key();
    let request = SignedRequest::sign(RequestKind::RecordSelfAudit, bytes, &key);
    service.submit(request).await.unwrap();
    drop(service);
    writer.join().unwrap();
    clinic.evidence().must_fail(&clinic.vkey(), 1, Fault::OutcomeDiffers);
}

#[tokio::test]
async fn an_audit_goes_on_over_a_rotation_of_the_key() {
    let clinic = Clinic::new();
    let old = clinic.vkey();
    let (service, writer) = clinic.open();
    clinic.add_places(&service, "old", 2).await;
    service.self_audit_now(true).await.unwrap();
    drop(service);
    writer.join().unwrap();
    clinic.rotate();
    let (service, writer) = clinic.open();
    assert_eq!(service.self_audit_now(false).await.unwrap().report.rotations, [4]);
    service.self_audit_now(false).await.unwrap();
    drop(service);
    writer.join().unwrap();
    clinic.audit(&old);
    clinic.audit(&clinic.vkey());
}

#[tokio::test]
async fn health_says_that_nothing_is_written_any_more_before_anybody_tries() {
    let clinic = Clinic::new();
    let (service, writer) = clinic.open();
    clinic.add_places(&service, "old", 3).await;
    let options = ServerOptions::new("127.0.0.1:0".parse().unwrap());
    let server = Server::bind(options).await.unwrap();
    let address = format!("http://{}", server.local_addr());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(server.run(service.clone(), async {
        let _ = stopped.await;
    }));
    let channel = Channel::from_shared(address).unwrap().connect().await.unwrap();
    let mut health = HealthClient::new(channel);
    let asked = |service: &str| HealthCheckRequest { service: service.to_owned() };
    let custody = asked("vialedger.v1.CustodyService");
    let mut watched = health.watch(custody.clone()).await.unwrap().into_inner();
    let status = |answer: &tonic_health::pb::HealthCheckResponse| answer.status();
    assert_eq!(status(&watched.message().await.unwrap().unwrap()), ServingStatus::Serving);

    flip_a_byte(&clinic);
    assert!(service.self_audit_now(true).await.is_err());
    assert_eq!(status(&watched.message().await.unwrap().unwrap()), ServingStatus::NotServing);
    let audit = health.check(asked("vialedger.v1.AuditService")).await.unwrap();
    assert_eq!(status(audit.get_ref()), ServingStatus::Serving, "reads go on");
    must_be_stopped(&clinic, &service, "entries/2").await;

    drop(watched);
    stop.send(()).unwrap();
    running.await.unwrap();
    drop(service);
    writer.join().unwrap();
}
