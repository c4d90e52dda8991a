//! The wire: what is refused before anybody looks at it, how late is late, and every limit one
//! below, at, and one above.

use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;
use http_body_util::StreamBody;
use prost::Message as _;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code::{DeadlineExceeded, InvalidArgument, NotFound, OutOfRange};
use tonic::Code::{Unavailable, Unimplemented};
use tonic::Status;
use tonic::body::Body;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};
use tonic_types::StatusExt as _;
use vialedger::grpc::limits::{
    MAX_CALLS_IN_WORK, MAX_CONNECTIONS, MAX_HEADER_LIST_BYTES, MAX_OPEN_REQUEST_BYTES,
    MAX_OPEN_STREAMS, MAX_PAGE_SIZE, MAX_REQUEST_BYTES, MAX_STREAMS_PER_CONNECTION,
};
use vialedger::pb::v1;

use crate::http2::Raw;
use crate::serving::{
    Answers, CREATE_PLACE, Call, Channel, Clinic, HEALTH_CHECK, HEALTH_WATCH, LIST_PEOPLE, ORIGIN,
    RECEIVE_VIALS, Written, assert_refused, delivery, framed, key, place, reason,
};

const LIST: v1::ListPeopleRequest =
    v1::ListPeopleRequest { page_size: 0, page_token: String::new() };

/// Long enough for anything that is going to happen at all.
const SOON: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_and_reflection_need_nothing() {
    let clinic = Clinic::open().await;
    let mut channel = clinic.connect().await;
    for service in ["", "vialedger.v1.DosingService", "vialedger.v1.CustodyService"]
        .into_iter()
        .chain(["vialedger.v1.AuditService", "vialedger.v1.RegistryService"])
    {
        let request = HealthCheckRequest { service: service.into() };
        let answer = Call::new(HEALTH_CHECK, &request).send(&mut channel).await.unwrap();
        let answer = HealthCheckResponse::decode(answer).unwrap();
        assert_eq!(answer.status(), ServingStatus::Serving, "{service}");
    }
    for version in ["v1", "v1alpha"] {
        let path = format!("/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo");
        let ask = |message_request| ServerReflectionRequest {
            host: String::new(),
            message_request: Some(message_request),
        };
        let services = ask(MessageRequest::ListServices(String::new()));
        let mut answers = Call::new(&path, &services).open(&mut channel).await.unwrap();
        let answer: ServerReflectionResponse = answers.next().await.unwrap();
        let Some(MessageResponse::ListServicesResponse(services)) = answer.message_response else {
            panic!("{answer:?}");
        };
        let names: Vec<&str> = services.service.iter().map(|found| found.name.as_str()).collect();
        assert!(names.contains(&"vialedger.v1.CustodyService"), "{version}: {names:?}");
        assert!(names.contains(&"grpc.health.v1.Health"), "{version}: {names:?}");
        let symbol = ask(MessageRequest::FileContainingSymbol("vialedger.v1.Entry".into()));
        let mut answers = Call::new(&path, &symbol).open(&mut channel).await.unwrap();
        let answer: ServerReflectionResponse = answers.next().await.unwrap();
        let found = answer.message_response;
        assert!(matches!(found, Some(MessageResponse::FileDescriptorResponse(_))), "{found:?}");
    }
    clinic.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_one_plain_message_is_refused_in_reads_and_in_writes() {
    let clinic = Clinic::open().await;
    let mut channel = clinic.connect().await;
    let request = place("drawer");
    let write = Call::signed(CREATE_PLACE, &request, &key("ada"));
    let read = Call::new(LIST_PEOPLE, &LIST).bearer(&clinic.token("aud"));
    let whole = framed(0, &request.encode_to_vec());
    let doubled = Bytes::from([whole.clone(), whole.clone()].concat());
    let cut = whole.slice(..whole.len() - 1);
    let compressed = framed(1, &request.encode_to_vec());
    for call in [write, read.clone()] {
        for (body, expected) in [
            (Bytes::new(), "NOT_ONE_MESSAGE"),
            (doubled.clone(), "NOT_ONE_MESSAGE"),
            (cut.clone(), "NOT_ONE_MESSAGE"),
            (compressed.clone(), "MESSAGE_COMPRESSED"),
        ] {
            let answer = call.clone().body(body).send(&mut channel).await;
            assert_refused(answer, InvalidArgument, expected);
        }
    }
    // What counts is the message: a client that compresses others may send this one as it is.
    for call in [Call::signed(CREATE_PLACE, &request, &key("ada")), read.clone()] {
        call.header("grpc-encoding", "gzip").send(&mut channel).await.unwrap();
    }
    let no_protobuf = framed(0, &[0xff; 7]);
    let answer = read.body(no_protobuf).send(&mut channel).await;
    assert_refused(answer, InvalidArgument, "MESSAGE_MALFORMED");
    let nonsense = Call::signed_bytes(CREATE_PLACE, Bytes::from_static(&[0xff; 7]), &key("ada"));
    assert_refused(nonsense.send(&mut channel).await, InvalidArgument, "INVALID_ARGUMENT");
    clinic.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_grpc_is_told_so_in_http_and_unknown_calls_are_unimplemented() {
    let clinic = Clinic::open().await;
    let mut channel = clinic.connect().await;
    for (verb, content_type) in [
        ("POST", "application/json"),
        ("POST", "application/grpc-web"),
        ("GET", "application/grpc"),
    ] {
        let request = http::Request::builder()
            .method(verb)
            .uri(format!("http://clinic{LIST_PEOPLE}"))
            .header("content-type", content_type)
            .body(Body::empty())
            .unwrap();
        let answer = channel.send_request(request).await.unwrap();
        assert_eq!(answer.status(), 415, "{verb} {content_type}");
    }
    let initialize = "/vialedger.v1.RegistryService/InitializeLedger";
    for path in
        ["/", "/vialedger.v1.CustodyService/", "/vialedger.v1./InitializeLedger", initialize]
    {
        let answer = Call::new(path, &LIST).send(&mut channel).await;
        assert_refused(answer, Unimplemented, "UNKNOWN_METHOD");
    }
    clinic.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_that_is_wrong_with_a_request_is_told_at_once() {
    let clinic = Clinic::open().await;
    let empty = v1::ReceiveVialsRequest { ledger: ORIGIN.into(), ..Default::default() };
    let answer = clinic.write("pia", RECEIVE_VIALS, &empty).await;
    let status = assert_refused(answer, InvalidArgument, "INVALID_ARGUMENT");
    let details = status.get_error_details();
    let violations = &details.bad_request().unwrap().field_violations;
    let fields: Vec<&str> = violations.iter().map(|found| found.field.as_str()).collect();
    for field in ["request_id", "place", "supplier", "invoice", "received_date", "lines"] {
        assert!(fields.contains(&field), "{field} is not among {fields:?}");
    }
    clinic.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_may_be_as_long_as_an_entry_and_no_longer() {
    let clinic = Clinic::open().await;
    let mut channel = clinic.connect().await;
    for (length, expected) in [
        (MAX_REQUEST_BYTES - 1, "INVALID_ARGUMENT"),
        (MAX_REQUEST_BYTES, "INVALID_ARGUMENT"),
        (MAX_REQUEST_BYTES + 1, "MESSAGE_TOO_LARGE"),
        (MAX_REQUEST_BYTES * 4, "MESSAGE_TOO_LARGE"),
    ] {
        let call = Call::signed_bytes(CREATE_PLACE, vec![0xff; length].into(), &key("ada"));
        assert_refused(call.send(&mut channel).await, InvalidArgument, expected);
    }
    clinic.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_and_reflection_read_names_and_nothing_longer() {
    let clinic = Clinic::open().await;
    let mut channel = clinic.connect().await;
    for (length, code) in [
        (MAX_OPEN_REQUEST_BYTES - 1, NotFound),
        (MAX_OPEN_REQUEST_BYTES, NotFound),
        (MAX_OPEN_REQUEST_BYTES + 1, OutOfRange),
    ] {
        let request = HealthCheckRequest { service: "x".repeat(length - 3) };
        assert_eq!(request.encoded_len(), length);
        let answer = Call::new(HEALTH_CHECK, &request).send(&mut channel).await;
        assert_eq!(answer.unwrap_err().code(), code, "{length}");
    }
    clinic.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_header_list_may_have_its_limit_and_no_more() {
    let clinic = Clinic::open().await;
    let fixed = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", HEALTH_CHECK),
        (":authority", "clinic"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    let size = |headers: &[(&str, &str)]| -> usize {
        headers.iter().map(|(name, value)| name.len() + value.len() + 32).sum()
    };
    let limit = usize::try_from(MAX_HEADER_LIST_BYTES).unwrap();
    for (total, answered) in [(limit - 1, true), (limit, true), (limit + 1, false)] {
        let padding = "x".repeat(total - size(&fixed) - "padding".len() - 32);
        let headers = [&fixed[..], &[("padding", padding.as_str())]].concat();
        assert_eq!(size(&headers), total);
        let raw = Raw::connect(clinic.address).await;
        let body = framed(0, &HealthCheckRequest::default().encode_to_vec());
        assert_eq!(raw.gets_an_answer(&headers, &body).await, answered, "{total}");
    }
    clinic.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_has_a_size_and_a_token_that_fit_the_call() {
    let clinic = Clinic::open().await;
    let list =
        |page_size, token: &str| v1::ListPeopleRequest { page_size, page_token: token.to_owned() };
    let most = i32::try_from(MAX_PAGE_SIZE).unwrap();
    for (size, good) in [(-1, false), (0, true), (most - 1, true), (most, true), (most + 1, false)]
    {
        let answer = clinic.read::<v1::ListPeopleResponse>(LIST_PEOPLE, &list(size, "")).await;
        match answer {
            Ok(page) => assert!(good && page.people.len() == 6, "{size}"),
            Err(status) => assert!(!good && reason(&status) == "INVALID_ARGUMENT", "{size}"),
        }
    }
    let first: v1::ListPeopleResponse = clinic.read(LIST_PEOPLE, &list(4, "")).await.unwrap();
    let token = first.next_page_token;
    let second: v1::ListPeopleResponse = clinic.read(LIST_PEOPLE, &list(4, &token)).await.unwrap();
    let names = first.people.iter().chain(&second.people).map(|person| person.name.as_str());
    let all =
        ["people/ada", "people/aud", "people/nils", "people/nora", "people/paul", "people/pia"];
    assert_eq!((names.collect::<Vec<_>>(), second.next_page_token.as_str()), (all.to_vec(), ""));
    let elsewhere = v1::ListPlacesRequest { page_size: 4, page_token: token };
    let answer = clinic
        .read::<v1::ListPlacesResponse>("/vialedger.v1.RegistryService/ListPlaces", &elsewhere);
    assert_refused(answer.await, InvalidArgument, "INVALID_ARGUMENT");
    clinic.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadline_is_kept_and_a_late_write_can_be_asked_for_again() {
    let clinic = Clinic::open().await;
    let mut channel = clinic.connect().await;
    let call = Call::signed(RECEIVE_VIALS, &delivery(), &key("pia"));
    let answer = call.clone().header("grpc-timeout", "5").send(&mut channel).await;
    assert_refused(answer, InvalidArgument, "TIMEOUT_MALFORMED");
    let answer = call.clone().header("grpc-timeout", "0S").send(&mut channel).await;
    assert_refused(answer, DeadlineExceeded, "DEADLINE_EXCEEDED");
    let size = clinic.service.published().size();

    // Another program holds the database's lock, so the writer has to wait.
    let lock = clinic.lock();
    let late = call.clone().header("grpc-timeout", "20m").send(&mut channel).await;
    let late = assert_refused(late, DeadlineExceeded, "DEADLINE_EXCEEDED");
    assert!(late.message().contains("may have happened"), "{}", late.message());
    let read = Call::new(LIST_PEOPLE, &LIST).bearer(&clinic.token("aud"));
    read.send(&mut channel).await.expect("reads never wait for the writer");
    drop(lock);

    let first = Written::decode(call.clone().send(&mut channel).await.unwrap()).unwrap();
    let again = Written::decode(call.send(&mut channel).await.unwrap()).unwrap();
    assert_eq!(first.receipt.unwrap().entry, again.receipt.unwrap().entry);
    assert_eq!(clinic.service.published().size(), size + 1, "it happened once");
    clinic.close().await;
}

async fn watch(channel: &mut Channel) -> Result<Answers, Status> {
    let mut answers = Call::new(HEALTH_WATCH, &HealthCheckRequest::default()).open(channel).await?;
    let first: HealthCheckResponse = answers.next().await?;
    assert_eq!(first.status(), ServingStatus::Serving);
    Ok(answers)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_has_as_many_streams_as_the_server_says_and_the_next_one_waits() {
    let clinic = Clinic::open().await;
    let settings = Raw::connect(clinic.address).await.settings().await;
    assert!(settings.contains(&(3, MAX_STREAMS_PER_CONNECTION)), "{settings:?}");

    let mut channel = clinic.connect().await;
    let mut open = Vec::new();
    for _ in 0..MAX_STREAMS_PER_CONNECTION {
        open.push(watch(&mut channel).await.unwrap());
    }
    let mut next = tokio::spawn(async move { watch(&mut channel).await.is_ok() });
    let waited = tokio::time::timeout(Duration::from_millis(100), &mut next).await;
    assert!(waited.is_err(), "one more than the limit is not answered");
    drop(open.pop());
    assert!(tokio::time::timeout(SOON, next).await.unwrap().unwrap());
    drop(open);
    clinic.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_many_streams_are_kept_open_and_no_more() {
    let clinic = Clinic::open().await;
    let mut open = Vec::new();
    let mut channels = Vec::new();
    for n in 0..MAX_OPEN_STREAMS {
        if n % 200 == 0 {
            channels.push(clinic.connect().await);
        }
        open.push(watch(channels.last_mut().unwrap()).await.unwrap());
    }
    let channel = channels.last_mut().unwrap();
    let refused = assert_refused(watch(channel).await, Unavailable, "OVERLOADED");
    let details = refused.get_error_details();
    assert!(details.retry_info().is_some_and(|info| info.retry_delay.is_some()));
    // Watches need no token: whoever has one reads on, in a call or in a stream.
    let path = "/vialedger.v1.AuditService/TailEntries";
    let tail = Call::new(path, &v1::TailEntriesRequest::default()).bearer(&clinic.token("aud"));
    let mut entries = tail.open(channel).await.unwrap();
    entries.next::<v1::TailEntriesResponse>().await.unwrap();
    let read = Call::new(LIST_PEOPLE, &LIST).bearer(&clinic.token("aud"));
    read.send(channel).await.unwrap();
    drop(open.pop());
    eventually(async || watch(channel).await).await;
    drop(open);
    clinic.close().await;
}

/// A call whose message does not come until it is let go: it holds its place.
struct Held {
    message: mpsc::Sender<Result<Frame<Bytes>, Status>>,
    answer: JoinHandle<Result<Bytes, Status>>,
}

impl Held {
    fn new(call: Call, channel: &Channel) -> Self {
        let (message, body) = mpsc::channel(1);
        let body = Body::new(StreamBody::new(ReceiverStream::new(body)));
        let call = call.header("grpc-timeout", "120S");
        let mut channel = channel.clone();
        let answer = tokio::spawn(async move { call.send_body(&mut channel, body).await });
        Self { message, answer }
    }

    async fn let_go(self) -> Result<Bytes, Status> {
        let _ = self.message.send(Ok(Frame::data(framed(0, &LIST.encode_to_vec())))).await;
        drop(self.message);
        self.answer.await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_many_calls_are_in_work_and_no_more() {
    let clinic = Clinic::open().await;
    let read = Call::new(LIST_PEOPLE, &LIST).bearer(&clinic.token("aud"));
    let mut channels = Vec::new();
    let mut held = Vec::new();
    while held.len() < MAX_CALLS_IN_WORK - 1 {
        if held.len() % 200 == 0 {
            channels.push(clinic.connect().await);
        }
        held.push(Held::new(read.clone(), channels.last().unwrap()));
    }
    let mut other = clinic.connect().await;
    read.clone().send(&mut other).await.expect("there is one place left");
    held.push(Held::new(read.clone(), &other));
    let full = tokio::time::timeout(SOON, async {
        loop {
            if let Err(status) = read.clone().send(&mut other).await {
                return status;
            }
            // A probe may have had the last place just when a call wanted to hold it.
            for call in held.iter_mut().filter(|call| call.answer.is_finished()) {
                *call = Held::new(read.clone(), &other);
            }
        }
    });
    assert_refused(Err::<(), _>(full.await.unwrap()), Unavailable, "OVERLOADED");
    let check = Call::new(HEALTH_CHECK, &HealthCheckRequest::default());
    check.send(&mut other).await.expect("health is answered all the same");
    for call in held {
        call.let_go().await.expect("whoever had a place is answered");
    }
    read.send(&mut other).await.expect("and then there are places again");
    clinic.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_many_connections_are_served_and_the_next_one_waits() {
    let clinic = Clinic::open().await;
    let mut open = Vec::new();
    for _ in 0..MAX_CONNECTIONS {
        let mut raw = Raw::connect(clinic.address).await;
        raw.settings().await;
        open.push(raw);
    }
    let mut next = tokio::spawn(async move {
        let mut raw = Raw::connect(clinic.address).await;
        raw.settings().await;
        clinic
    });
    let waited = tokio::time::timeout(Duration::from_millis(100), &mut next).await;
    assert!(waited.is_err(), "one more than the limit is not served");
    drop(open.pop());
    let clinic = tokio::time::timeout(SOON, next).await.unwrap().unwrap();
    drop(open);
    clinic.close().await;
}

/// Tries until it works: what was let go a moment ago is free in a moment.
async fn eventually<T>(mut attempt: impl AsyncFnMut() -> Result<T, Status>) -> T {
    let trying = async {
        loop {
            if let Ok(done) = attempt().await {
                return done;
            }
        }
    };
    tokio::time::timeout(SOON, trying).await.unwrap()
}
