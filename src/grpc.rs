//! The interface: what stands between a connection and the service, in this order.
//!
//! 1. **method**: there is such a call, and the bytes are gRPC;
//! 2. **deadline**: the whole of what follows happens within it, or `DEADLINE_EXCEEDED` is the answer;
//! 3. **load**: as many calls are in work as are taken, and no more;
//! 4. **authentication**: a write's signature over its exact bytes, a read's token;
//! 5. **handler**: convert, call, convert;
//! 6. **words**: whatever went wrong becomes a status in `error`, and nowhere else;
//! 7. **log**: one line a call, here at the edge, with its request id and without its content.
//!
//! The messages and services are those of `proto/`, served by tonic. HTTP/2 itself is in `server`.

mod audit;
mod auth;
mod course;
mod custody;
mod deadline;
mod dosing;
mod error;
mod frame;
mod handlers;
pub mod limits;
mod message;
mod method;
mod page;
mod plan;
mod record;
mod registry;
mod session;
mod stream;
mod summary;

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method as Verb, Request, Response, StatusCode};
use http_body_util::Full;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tonic::body::Body;
use tonic::service::Routes;
use tonic::{Code, Status};
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tower::Service as _;

pub use auth::{KEY_METADATA, SIGNATURE_METADATA};
pub use error::{DOMAIN, REASON_HEADER};

use crate::clock::Clock;
use crate::pb::v1::audit_service_server::AuditServiceServer;
use crate::pb::v1::course_service_server::CourseServiceServer;
use crate::pb::v1::custody_service_server::CustodyServiceServer;
use crate::pb::v1::dosing_service_server::DosingServiceServer;
use crate::pb::v1::registry_service_server::RegistryServiceServer;
use crate::service::Service;
use auth::Authentication;
use error::Failure;
use handlers::{Asking, Handlers};
use limits::{DEFAULT_DEADLINE, MAX_CALLS_IN_WORK, MAX_OPEN_STREAMS};
use method::{Access, Home, Method, Methods};
use record::Record;
use stream::Stream;

/// Says how a client compresses those of its messages that it flags as compressed.
const ENCODING: &str = "grpc-encoding";

/// The whole interface. A cheap handle.
#[derive(Clone)]
pub struct Api(Arc<Parts>);

struct Parts {
    service: Service,
    clock: Clock,
    methods: Methods,
    authentication: Authentication,
    calls: Semaphore,
    streams: Arc<Semaphore>,
    /// The same for streams that need no token.
    open_streams: Arc<Semaphore>,
    stopping: watch::Receiver<bool>,
    dosing: DosingServiceServer<Handlers>,
    custody: CustodyServiceServer<Handlers>,
    course: CourseServiceServer<Handlers>,
    audit: AuditServiceServer<Handlers>,
    registry: RegistryServiceServer<Handlers>,
    /// Health and reflection, which anybody may ask.
    open: Routes,
    health: HealthReporter,
}

impl Api {
    /// The interface of a service. Streams end once `stopping` turns true.
    #[must_use]
    pub fn new(service: Service, clock: Clock, stopping: watch::Receiver<bool>) -> Self {
        let handlers = Handlers::new(service.clone(), clock.clone());
        let health = HealthReporter::new();
        let open = method::open(&health);
        Self(Arc::new(Parts {
            service,
            clock,
            methods: Methods::of_the_descriptors(),
            authentication: Authentication::default(),
            calls: Semaphore::new(MAX_CALLS_IN_WORK),
            streams: Arc::new(Semaphore::new(MAX_OPEN_STREAMS)),
            open_streams: Arc::new(Semaphore::new(MAX_OPEN_STREAMS)),
            stopping,
            dosing: DosingServiceServer::new(handlers.clone()),
            custody: CustodyServiceServer::new(handlers.clone()),
            course: CourseServiceServer::new(handlers.clone()),
            audit: AuditServiceServer::new(handlers.clone()),
            registry: RegistryServiceServer::new(handlers),
            open,
            health,
        }))
    }

    /// Tells whoever asks for the health of the server, or of one of its services.
    pub async fn announce(&self, serving: bool) {
        let status = if serving { ServingStatus::Serving } else { ServingStatus::NotServing };
        for service in self.0.methods.services() {
            self.0.health.set_service_status(&service.name, status).await;
        }
        self.0.announce_writes().await;
    }

    /// Whether a read with these headers may be answered: the same rules for whoever serves reads in another way.
    pub fn may_read(&self, headers: &HeaderMap) -> Result<(), Status> {
        let published = self.0.service.published();
        let now = self.0.clock.now();
        self.0.authentication.read(headers, &published.state, now).map(drop).map_err(Status::from)
    }

    /// The ledger that is served.
    #[must_use]
    pub fn service(&self) -> &Service {
        &self.0.service
    }

    /// Has health say that no writes are taken as soon as they are refused for good, also where nobody tries. Not done
    /// before this is dropped.
    pub async fn follow_writes(&self) {
        self.0.service.writes_ended().await;
        self.0.announce_writes().await;
        std::future::pending::<()>().await;
    }

    /// Answers one call.
    pub async fn answer<B>(self, request: Request<B>) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<tonic::codegen::StdError>,
    {
        if !is_grpc(&request) {
            return not_grpc();
        }
        let method = self.0.methods.find(request.uri().path());
        let mut record = Record::begin(method);
        let answered = match method {
            None => Err(Failure::UnknownMethod),
            Some(method) if method.streams => return self.0.stream(method, request, record).await,
            Some(method) => self.0.unary(method, request, &mut record).await,
        };
        let answer = answered.unwrap_or_else(|failure| Status::from(failure).into_http());
        record.ended(answer.headers());
        answer
    }
}

impl Parts {
    /// A call with one message and one answer, within its deadline.
    async fn unary<B>(
        &self,
        method: &Method,
        request: Request<B>,
        record: &mut Record,
    ) -> Result<Response<Body>, Failure>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<tonic::codegen::StdError>,
    {
        let limit = deadline::unary(request.headers())?;
        let write = matches!(method.access, Access::Signed(_));
        if limit.is_zero() {
            // Nothing is begun for somebody who has stopped waiting.
            return Err(Failure::DeadlineExceeded { write });
        }
        timeout(limit, self.call(method, request, record))
            .await
            .unwrap_or(Err(Failure::DeadlineExceeded { write }))
    }

    /// A call whose answers go on until one side has enough, the deadline passes or the server
    /// stops.
    async fn stream<B>(
        &self,
        method: &Method,
        request: Request<B>,
        mut record: Record,
    ) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<tonic::codegen::StdError>,
    {
        let opened = async {
            let limit = deadline::stream(request.headers())?;
            let places = if method.home.is_some() { &self.streams } else { &self.open_streams };
            let place = Arc::clone(places).try_acquire_owned();
            let place = place.map_err(|_| Failure::Overloaded)?;
            let first = limit.unwrap_or(DEFAULT_DEADLINE);
            let answer = timeout(first, self.call(method, request, &mut record))
                .await
                .unwrap_or(Err(Failure::DeadlineExceeded { write: false }))?;
            Ok::<_, Failure>((answer, limit, place))
        };
        match opened.await {
            Err(failure) => {
                let answer = Status::from(failure).into_http();
                record.ended(answer.headers());
                answer
            }
            Ok((answer, _, _)) if answer.headers().contains_key(Status::GRPC_STATUS) => {
                record.ended(answer.headers());
                answer
            }
            Ok((answer, limit, place)) => answer.map(|body| {
                Body::new(Stream::new(body, limit, self.stopping.clone(), record, place))
            }),
        }
    }

    async fn call<B>(
        &self,
        method: &Method,
        request: Request<B>,
        record: &mut Record,
    ) -> Result<Response<Body>, Failure>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<tonic::codegen::StdError>,
    {
        let Some(home) = method.home else {
            // Health is asked most when there is too much to do; it waits for nobody's place.
            return Ok(certain(self.open.clone().call(request).await));
        };
        let _place = self.calls.try_acquire().map_err(|_| Failure::Overloaded)?;
        let (mut head, body) = request.into_parts();
        let body = match method.access {
            Access::Signed(kind) => {
                let published = self.service.published();
                let signer = self.authentication.signer(&head.headers, &published.state)?;
                let message = frame::message(&frame::read(body).await?)?;
                let (request, id) = signer.verify(kind, message, published.state.origin())?;
                record.request_id = id;
                head.extensions.insert(request);
                frame::empty_message()
            }
            Access::Token => {
                let now = self.clock.now();
                let published = self.service.published();
                let person = self.authentication.read(&head.headers, &published.state, now)?;
                drop(published);
                head.extensions.insert(Asking(person));
                let body = frame::read(body).await?;
                frame::message(&body)?;
                Full::new(body)
            }
        };
        // The message was found to be plain, whatever its caller may have offered.
        head.headers.remove(ENCODING);
        let request = Request::from_parts(head, body);
        let answer = certain(match home {
            Home::Dosing => self.dosing.clone().call(request).await,
            Home::Custody => self.custody.clone().call(request).await,
            Home::Course => self.course.clone().call(request).await,
            Home::Audit => self.audit.clone().call(request).await,
            Home::Registry => self.registry.clone().call(request).await,
        });
        if matches!(method.access, Access::Signed(_))
            && answer.headers().contains_key(REASON_HEADER)
        {
            self.announce_writes().await;
        }
        in_our_words(answer)
    }

    /// A ledger that takes no writes, and will take none until somebody looks after it, says so to
    /// whoever asks for its health.
    async fn announce_writes(&self) {
        if self.service.accepts_writes() {
            return;
        }
        for service in self.methods.services().iter().filter(|service| service.writes) {
            self.health.set_service_status(&service.name, ServingStatus::NotServing).await;
        }
    }
}

/// What cannot fail has not failed.
fn certain<T>(answer: Result<T, Infallible>) -> T {
    match answer {
        Ok(answer) => answer,
        Err(never) => match never {},
    }
}

/// An answer of a handler is ours; one that tonic made itself, without a reason, is put into our
/// words.
fn in_our_words(answer: Response<Body>) -> Result<Response<Body>, Failure> {
    let headers = answer.headers();
    if headers.contains_key(REASON_HEADER) {
        return Ok(answer);
    }
    match Status::from_header_map(headers) {
        Some(status) if status.code() != Code::Ok => Err(error::of_tonic(&status)),
        _ => Ok(answer),
    }
}

fn is_grpc<B>(request: &Request<B>) -> bool {
    let content_type = |headers: &HeaderMap| {
        let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let rest = value.strip_prefix("application/grpc")?;
        Some(rest.is_empty() || rest == "+proto" || rest.starts_with(';'))
    };
    request.method() == Verb::POST && content_type(request.headers()).unwrap_or(false)
}

/// What the gRPC protocol asks for when somebody else's bytes come.
fn not_grpc() -> Response<Body> {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    answer.headers_mut().insert("accept-post", HeaderValue::from_static("application/grpc"));
    answer
}
