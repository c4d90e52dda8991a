//! The server stops in order: it says so first, answers what it has begun, ends what would never
//! end, and cuts whoever does not go.

use std::pin::pin;
use std::time::Duration;

use prost::Message as _;
use tokio::net::TcpStream;
use tonic::Code::Unavailable;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use vialedger::pb::v1;

use crate::http2::Raw;
use crate::serving::{
    Call, Clinic, GET_CHECKPOINT, HEALTH_WATCH, RECEIVE_VIALS, TAIL_ENTRIES, Written,
    assert_refused, delivery, key,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_says_so_first_and_streams_end_with_unavailable() {
    let clinic = Clinic::open().await;
    let mut channel = clinic.connect().await;
    let watch = Call::new(HEALTH_WATCH, &HealthCheckRequest::default());
    let mut health = watch.open(&mut channel).await.unwrap();
    let first: HealthCheckResponse = health.next().await.unwrap();
    assert_eq!(first.status(), ServingStatus::Serving);
    let tail = Call::new(TAIL_ENTRIES, &v1::TailEntriesRequest { start_index: 0 });
    let mut tail = tail.bearer(&clinic.token("aud")).open(&mut channel).await.unwrap();
    for index in 0..clinic.service.published().size() {
        let entry: v1::TailEntriesResponse = tail.next().await.unwrap();
        assert_eq!(entry.entry.unwrap().index, index);
    }
    let address = clinic.address;

    let stopped = clinic.stop();
    let last: HealthCheckResponse = health.next().await.unwrap();
    assert_eq!(last.status(), ServingStatus::NotServing);
    assert_refused(health.next::<HealthCheckResponse>().await, Unavailable, "STOPPING");
    assert_refused(tail.next::<v1::TailEntriesResponse>().await, Unavailable, "STOPPING");
    stopped.wait().await;
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens there any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_was_begun_is_answered_and_kept() {
    let clinic = Clinic::open().await;
    let mut channel = clinic.connect().await;
    let mut behind = channel.clone();
    let size = clinic.service.published().size();
    // Another program holds the database's lock, so the write is under way while the server stops.
    let lock = clinic.lock();
    let call = Call::signed(RECEIVE_VIALS, &delivery(), &key("pia"));
    let mut write = pin!(call.send(&mut channel));
    // The read comes behind the write on the same connection: once it is answered, the write is in
    // the server's hands.
    let read = Call::new(GET_CHECKPOINT, &v1::GetCheckpointRequest { size: None });
    let read = read.bearer(&clinic.token("aud"));
    tokio::select! {
        biased;
        early = &mut write => panic!("answered while the database is locked: {early:?}"),
        read = read.send(&mut behind) => read.map(|_| ()).unwrap(),
    }
    let stopped = clinic.stop();
    drop(lock);
    let answer = Written::decode(write.await.unwrap()).unwrap();
    assert_eq!(answer.receipt.unwrap().index, size);
    stopped.wait().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_does_not_go_is_cut_after_the_limit() {
    let clinic = Clinic::with(|options| options.drain_limit = Duration::from_millis(200)).await;
    // A client that never answers a ping, so that its connection is never seen to be idle.
    let mut raw = Raw::connect(clinic.address).await;
    raw.settings().await;
    clinic.close().await;
    while raw.next().await.is_some() {}
}
