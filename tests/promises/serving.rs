//! A clinic with a real server: its own ledger on disk, its own port, real people with real keys.
//!
//! Calls are made as raw gRPC over HTTP/2, so that a test can send what no well-behaved client
//! would. [`Clinic::close`] stops the server and audits what it leaves behind.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use ed25519_dalek::SigningKey;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use tracing::level_filters::LevelFilter;
use vialedger::audit::{self, Verdict};
use vialedger::clock::ManualClock;
use vialedger::ledger::{KEY_POSSESSION_TYPE, RequestKind, SignedRequest, possession_body};
use vialedger::names::PersonName;
use vialedger::pb::v1::{self, Role};
use vialedger::server::{Server, ServerOptions};
use vialedger::service::{Service, ServiceOptions, WriterHandle};
use vialedger::store::{Evidence, LedgerFolder};
use vialedger::telemetry::{self, LogFormat};
use vialedger::tlog::{self, KeyName, NoteSigner, VerifierKey};
use vialedger::{dsse, token};

use crate::support::FORMULARY;

pub(crate) const ORIGIN: &str = "example.org/clinic";

/// Everybody at the clinic.
const PEOPLE: [(&str, &[Role]); 5] = [
    ("pia", &[Role::Pharmacist]),
    ("paul", &[Role::Prescriber]),
    ("nora", &[Role::Nurse]),
    ("nils", &[Role::Nurse]),
    ("aud", &[Role::Auditor]),
];

/// A clinic whose server runs.
pub(crate) struct Clinic {
    folder: TempDir,
    pub(crate) clock: ManualClock,
    pub(crate) address: SocketAddr,
    pub(crate) service: Service,
    writer: WriterHandle,
    verifier_key: VerifierKey,
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
}

/// The key of somebody at the clinic, or of anybody else with a name.
pub(crate) fn key(person: &str) -> SigningKey {
    SigningKey::from_bytes(&Sha256::digest(person).into())
}

/// A request id that nobody has used.
pub(crate) fn request_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut random = [0; 10];
    random[2..].copy_from_slice(&next.to_be_bytes());
    uuid::Builder::from_unix_timestamp_millis(1_795_000_000_000, &random).into_uuid().to_string()
}

/// The log of all tests of this program together, as JSON lines.
pub(crate) fn log() -> String {
    String::from_utf8(log_buffer().lock().unwrap().clone()).unwrap()
}

fn log_buffer() -> &'static Arc<Mutex<Vec<u8>>> {
    #[derive(Clone)]
    struct Writer(Arc<Mutex<Vec<u8>>>);
    impl io::Write for Writer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    static LOG: OnceLock<Arc<Mutex<Vec<u8>>>> = OnceLock::new();
    LOG.get_or_init(|| {
        let buffer = Arc::new(Mutex::new(Vec::new()));
        let writer = Writer(Arc::clone(&buffer));
        let log =
            telemetry::subscriber(LogFormat::Json, LevelFilter::TRACE, move || writer.clone());
        tracing::subscriber::set_global_default(log).unwrap();
        buffer
    })
}

impl Clinic {
    /// A clinic in plain text on a loopback port, with its people, its safe and its formulary.
    pub(crate) async fn open() -> Self {
        Self::with(|_| {}).await
    }

    /// The same with other options for its server.
    pub(crate) async fn with(choose: impl FnOnce(&mut ServerOptions)) -> Self {
        let clinic = Self::empty(choose).await;
        clinic.furnish().await;
        clinic
    }

    /// A clinic with nobody but Ada, its first administrator.
    pub(crate) async fn empty(choose: impl FnOnce(&mut ServerOptions)) -> Self {
        log_buffer();
        let folder = TempDir::new().unwrap();
        let clock = ManualClock::at("2026-11-21T09:30:00Z".parse().unwrap());
        let ledger_key = key("the ledger itself");
        let name: KeyName = ORIGIN.parse().unwrap();
        let verifier_key = NoteSigner::new(name, ledger_key.clone()).verifier_key().clone();
        let first = v1::InitializeLedgerRequest {
            ledger: ORIGIN.into(),
            request_id: request_id(),
            verifier_key: verifier_key.to_string(),
            site: Some(v1::Site {
                display_name: "Example Clinic".into(),
                address: "1 Main Street".into(),
                ..v1::Site::default()
            }),
            administrator: Some(person("ada", &[Role::Administrator])),
        };
        let bytes = Bytes::from(first.encode_to_vec());
        let first = SignedRequest::sign(RequestKind::InitializeLedger, bytes, &key("ada"));
        vialedger::service::init(folder.path(), &first, &ledger_key, clock.now()).unwrap();

        let options = ServiceOptions { clock: clock.clone().into(), ..ServiceOptions::default() };
        let (service, writer) = Service::open(folder.path(), &ledger_key, options).unwrap();
        let mut options = ServerOptions::new(([127, 0, 0, 1], 0).into());
        options.clock = clock.clone().into();
        choose(&mut options);
        let server = Server::bind(options).await.unwrap();
        let address = server.local_addr();
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(server.run(service.clone(), async {
            let _ = stopped.await;
        }));
        Self { folder, clock, address, service, writer, verifier_key, stop, running }
    }

    /// Ada, alone at first, makes the safe, publishes the formulary and enrols everybody; through
    /// the service, since it may be that only TLS is spoken outside.
    async fn furnish(&self) {
        let place = v1::CreatePlaceRequest {
            ledger: ORIGIN.into(),
            request_id: request_id(),
            place: Some(v1::Place { name: "places/safe".into(), display_name: "Safe".into() }),
            ..v1::CreatePlaceRequest::default()
        };
        self.submit("ada", RequestKind::CreatePlace, &place).await;
        let publish = v1::PublishFormularyRequest {
            ledger: ORIGIN.into(),
            request_id: request_id(),
            formulary: FORMULARY.to_owned(),
            ..v1::PublishFormularyRequest::default()
        };
        self.submit("ada", RequestKind::PublishFormulary, &publish).await;
        for (name, roles) in PEOPLE {
            self.submit("ada", RequestKind::EnrollPerson, &enroll(name, roles)).await;
        }
    }

    async fn submit(&self, who: &str, kind: RequestKind, request: &impl Message) {
        let signed = SignedRequest::sign(kind, request.encode_to_vec().into(), &key(who));
        self.service.submit(signed).await.unwrap();
    }

    /// A connection of its own.
    pub(crate) async fn connect(&self) -> Channel {
        let socket = TcpStream::connect(self.address).await.unwrap();
        socket.set_nodelay(true).unwrap();
        channel(socket).await
    }

    /// A token of somebody's for a whole hour from now.
    pub(crate) fn token(&self, person: &str) -> String {
        self.token_for(person, ORIGIN, token::MAX_TOKEN_LIFETIME)
    }

    /// A token with another origin or lifetime.
    pub(crate) fn token_for(&self, person: &str, origin: &str, lifetime: Duration) -> String {
        let name = PersonName::new(person).unwrap();
        token::issue(&key(person), origin, &name, self.clock.now(), lifetime).unwrap()
    }

    /// Reads as the auditor.
    pub(crate) async fn read<A: Message + Default>(
        &self,
        method: &str,
        request: &impl Message,
    ) -> Result<A, Status> {
        let call = Call::new(method, request).bearer(&self.token("aud"));
        let answer = call.send(&mut self.connect().await).await?;
        Ok(A::decode(answer).unwrap())
    }

    /// Writes as somebody.
    pub(crate) async fn write(
        &self,
        who: &str,
        method: &str,
        request: &impl Message,
    ) -> Result<Written, Status> {
        let answer =
            Call::signed(method, request, &key(who)).send(&mut self.connect().await).await?;
        Ok(Written::decode(answer).unwrap())
    }

    /// Two vials of ketamine 10 mg/mL, 20 mL into the safe; the name of the first.
    pub(crate) async fn receive(&self) -> String {
        let written = self.write("pia", RECEIVE_VIALS, &delivery()).await.unwrap();
        match written.outcome.unwrap().result.unwrap() {
            v1::outcome::Result::VialsReceived(received) => received.vials[0].clone(),
            other => panic!("vials came in, not {other:?}"),
        }
    }

    /// The key that the ledger's checkpoints are verified with.
    pub(crate) fn verifier_key(&self) -> &VerifierKey {
        &self.verifier_key
    }

    /// Holds the database's lock, as another program might, until it is dropped.
    pub(crate) fn lock(&self) -> rusqlite::Connection {
        let path = LedgerFolder::new(self.folder.path()).database();
        let lock = rusqlite::Connection::open(path).unwrap();
        lock.execute_batch("BEGIN IMMEDIATE").unwrap();
        lock
    }

    /// Stops the server as an operator would, and audits the ledger that it leaves behind.
    pub(crate) async fn close(self) {
        self.stop().wait().await;
    }

    /// Asks the server to stop.
    pub(crate) fn stop(self) -> Stopping {
        let Self { folder, writer, verifier_key, stop, running, .. } = self;
        stop.send(()).unwrap();
        Stopping { folder, writer, verifier_key, running }
    }
}

/// A clinic whose server was asked to stop.
pub(crate) struct Stopping {
    folder: TempDir,
    writer: WriterHandle,
    verifier_key: VerifierKey,
    running: JoinHandle<()>,
}

impl Stopping {
    /// Waits until it has stopped, and audits the ledger that it leaves behind.
    pub(crate) async fn wait(self) {
        self.running.await.unwrap();
        self.writer.join().unwrap();
        let evidence = Evidence::open(&LedgerFolder::new(self.folder.path()).database()).unwrap();
        let options = audit::Options { verifier_key: self.verifier_key, checkpoint: None };
        let report = audit::audit(&options, evidence.entries(), evidence.checkpoints(), |_| {});
        assert_eq!(report.verdict, Verdict::Good, "{report:?}");
    }
}

/// What every write answers.
pub(crate) type Written = v1::DispenseVialResponse;

pub(crate) const RECEIVE_VIALS: &str = "/vialedger.v1.CustodyService/ReceiveVials";
pub(crate) const DISPENSE_VIAL: &str = "/vialedger.v1.CustodyService/DispenseVial";
pub(crate) const CREATE_PLACE: &str = "/vialedger.v1.RegistryService/CreatePlace";
pub(crate) const REVOKE_KEY: &str = "/vialedger.v1.RegistryService/RevokeKey";
pub(crate) const LIST_PEOPLE: &str = "/vialedger.v1.RegistryService/ListPeople";
pub(crate) const GET_CHECKPOINT: &str = "/vialedger.v1.AuditService/GetCheckpoint";
pub(crate) const LIST_ENTRIES: &str = "/vialedger.v1.AuditService/ListEntries";
pub(crate) const TAIL_ENTRIES: &str = "/vialedger.v1.AuditService/TailEntries";
pub(crate) const HEALTH_CHECK: &str = "/grpc.health.v1.Health/Check";
pub(crate) const HEALTH_WATCH: &str = "/grpc.health.v1.Health/Watch";

fn person(name: &str, roles: &[Role]) -> v1::Person {
    let public_key = key(name).verifying_key().to_bytes().to_vec();
    v1::Person {
        name: format!("people/{name}"),
        display_name: format!("Person {name}"),
        roles: roles.iter().map(|role| (*role).into()).collect(),
        keys: vec![v1::PersonKey { public_key, ..v1::PersonKey::default() }],
    }
}

/// The enrolment of somebody with these roles.
pub(crate) fn enroll(name: &str, roles: &[Role]) -> v1::EnrollPersonRequest {
    let body = possession_body(ORIGIN, &format!("people/{name}"));
    v1::EnrollPersonRequest {
        ledger: ORIGIN.into(),
        request_id: request_id(),
        person: Some(person(name, roles)),
        possession: tlog::sign(&key(name), &dsse::pae(KEY_POSSESSION_TYPE, &body)).to_vec(),
        ..v1::EnrollPersonRequest::default()
    }
}

/// A new place.
pub(crate) fn place(name: &str) -> v1::CreatePlaceRequest {
    v1::CreatePlaceRequest {
        ledger: ORIGIN.into(),
        request_id: request_id(),
        place: Some(v1::Place { name: format!("places/{name}"), display_name: name.into() }),
        ..v1::CreatePlaceRequest::default()
    }
}

/// Two vials of ketamine 10 mg/mL, 20 mL.
pub(crate) fn delivery() -> v1::ReceiveVialsRequest {
    v1::ReceiveVialsRequest {
        ledger: ORIGIN.into(),
        request_id: request_id(),
        place: "places/safe".into(),
        supplier: Some(v1::Supplier {
            display_name: "Wholesale Inc.".into(),
            address: "2 Dock Road".into(),
            dea_number: String::new(),
        }),
        invoice: "INV-1".into(),
        received_date: Some(v1::Date { year: 2026, month: 11, day: 20 }),
        lines: vec![v1::DeliveryLine {
            product: "products/ketamine-42023-113-10".into(),
            lot: "A1".into(),
            expiry_date: Some(v1::Date { year: 2028, month: 1, day: 31 }),
            counted: 2,
            invoiced: Some(2),
            ..v1::DeliveryLine::default()
        }],
        ..v1::ReceiveVialsRequest::default()
    }
}

/// A dispensing in an emergency, to Nora for a patient.
pub(crate) fn dispensing(vial: &str, patient: &str) -> v1::DispenseVialRequest {
    v1::DispenseVialRequest {
        ledger: ORIGIN.into(),
        request_id: request_id(),
        vial: vial.into(),
        holder: "people/nora".into(),
        patient: patient.into(),
        emergency_reason: "Status epilepticus".into(),
        ..v1::DispenseVialRequest::default()
    }
}

/// A connection to a server, without the help that tonic's own would give: that one keeps deadlines
/// itself, and the server's answer to a late call would never be seen.
pub(crate) type Channel = SendRequest<Body>;

/// Begins HTTP/2 on a stream of bytes.
pub(crate) async fn channel<S>(stream: S) -> Channel
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let client = http2::Builder::new(TokioExecutor::new());
    let (channel, connection) = client.handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    channel
}

/// A connection that ended under a call.
fn broken(error: impl std::fmt::Display) -> Status {
    Status::new(Code::Unavailable, format!("the connection broke: {error}"))
}

/// One gRPC call, byte by byte.
#[derive(Clone)]
pub(crate) struct Call {
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Call {
    /// A call that shows nothing of who makes it.
    pub(crate) fn new(path: &str, request: &impl Message) -> Self {
        Self::of_body(path, framed(0, &request.encode_to_vec()))
    }

    /// A call with this body, framing included.
    pub(crate) fn of_body(path: &str, body: Bytes) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/grpc"));
        headers.insert("te", HeaderValue::from_static("trailers"));
        Self { path: path.to_owned(), headers, body }
    }

    /// A write, signed.
    pub(crate) fn signed(path: &str, request: &impl Message, key: &SigningKey) -> Self {
        Self::signed_bytes(path, request.encode_to_vec().into(), key)
    }

    /// Any bytes, signed as what the method takes.
    pub(crate) fn signed_bytes(path: &str, bytes: Bytes, key: &SigningKey) -> Self {
        let kind = RequestKind::from_method(path).unwrap();
        let body = framed(0, &bytes);
        let signed = SignedRequest::sign(kind, bytes, key);
        Self::of_body(path, body)
            .binary("vialedger-key-bin", signed.key())
            .binary("vialedger-signature-bin", signed.signature())
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn binary(self, name: &str, value: &[u8]) -> Self {
        use base64ct::{Base64Unpadded, Encoding as _};
        let value = Base64Unpadded::encode_string(value);
        self.header(name, &value)
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().unwrap();
        self.headers.insert(name, value.parse().unwrap());
        self
    }

    /// The same call to another method.
    pub(crate) fn to(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// The same call with another body.
    pub(crate) fn body(mut self, body: Bytes) -> Self {
        self.body = body;
        self
    }

    fn request(self, body: Body) -> Request<Body> {
        let uri = format!("http://clinic{}", self.path);
        let mut request = Request::post(uri).body(body).unwrap();
        *request.headers_mut() = self.headers;
        request
    }

    /// Makes the call and takes the one message out of its answer.
    pub(crate) async fn send(self, channel: &mut Channel) -> Result<Bytes, Status> {
        let body = Body::new(Full::new(self.body.clone()));
        self.send_body(channel, body).await
    }

    /// The same with a body that may take its time.
    pub(crate) async fn send_body(
        self,
        channel: &mut Channel,
        body: Body,
    ) -> Result<Bytes, Status> {
        let request = self.request(body);
        let answer = channel.send_request(request).await;
        let answer = answer.map_err(broken)?;
        if let Some(status) = Status::from_header_map(answer.headers()) {
            return Err(status);
        }
        assert_eq!(answer.status(), 200);
        let body = answer.into_body().collect().await.map_err(broken)?;
        let status = body.trailers().and_then(Status::from_header_map).unwrap();
        if status.code() != Code::Ok {
            return Err(status);
        }
        Ok(body.to_bytes().slice(5..))
    }

    /// Opens a stream.
    pub(crate) async fn open(self, channel: &mut Channel) -> Result<Answers, Status> {
        let body = Body::new(Full::new(self.body.clone()));
        let request = self.request(body);
        let answer = channel.send_request(request).await;
        let answer = answer.map_err(broken)?;
        match Status::from_header_map(answer.headers()) {
            Some(status) => Err(status),
            None => Ok(Answers { body: answer.into_body(), rest: BytesMut::new() }),
        }
    }
}

/// The answers of a stream, one by one.
pub(crate) struct Answers {
    body: Incoming,
    rest: BytesMut,
}

impl Answers {
    /// The next message, or the status that the stream ended with.
    pub(crate) async fn next<A: Message + Default>(&mut self) -> Result<A, Status> {
        loop {
            if let Some(length) = self.rest.get(1..5) {
                let length = u32::from_be_bytes(length.try_into().unwrap()) as usize;
                if self.rest.len() >= 5 + length {
                    let message = self.rest.split_to(5 + length).split_off(5);
                    return Ok(A::decode(message).unwrap());
                }
            }
            let frame = self.body.frame().await.expect("a stream ends with a status");
            let frame = frame.map_err(broken)?;
            match frame.into_data() {
                Ok(data) => self.rest.extend_from_slice(&data),
                Err(frame) => {
                    let trailers = frame.into_trailers().unwrap();
                    return Err(Status::from_header_map(&trailers).unwrap());
                }
            }
        }
    }
}

/// A message behind gRPC's prefix.
pub(crate) fn framed(flag: u8, message: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(5 + message.len());
    bytes.put_u8(flag);
    bytes.put_u32(message.len().try_into().unwrap());
    bytes.put_slice(message);
    bytes.freeze()
}

/// The reason in a status's details, which is also in its header.
pub(crate) fn reason(status: &Status) -> String {
    let details = status.get_error_details();
    let info = details.error_info().unwrap_or_else(|| panic!("no ErrorInfo: {status:?}"));
    assert_eq!(info.domain, "vialedger");
    assert_eq!(status.metadata().get("vialedger-reason").unwrap(), info.reason.as_str());
    info.reason.clone()
}

/// That a call is refused with this code and this reason.
pub(crate) fn assert_refused<T>(answer: Result<T, Status>, code: Code, expected: &str) -> Status {
    let Err(status) = answer else { panic!("expected {expected}, but the call was answered") };
    assert_eq!((status.code(), reason(&status).as_str()), (code, expected), "{status:?}");
    status
}
