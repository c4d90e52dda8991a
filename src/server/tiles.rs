//! The ledger as tiles: the read API of <https://c2sp.org/tlog-tiles> over HTTP/1.1, for verifiers that are not ours.
//!
//! | path | who may | cached |
//! |---|---|---|
//! | `/checkpoint` | anybody | never |
//! | `/tile/<L>/<N>`, `/tile/<L>/<N>.p/<W>`: hashes | anybody | for ever |
//! | `/tile/entries/<N>`, `/tile/entries/<N>.p/<W>` | whoever may read over gRPC, with the same token | for ever, by the reader alone |
//!
//! A path has one spelling, and whatever else is asked for is not there. Hashes say nothing about what was hashed: every
//! entry has a signature in it that nobody can guess. The entries themselves hold what the ledger knows of its patients.

use std::convert::Infallible;
use std::error::Error;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};
use tonic::Code;

use super::tls::Tls;
use crate::clock::Stopwatch;
use crate::grpc::limits::{DEFAULT_DEADLINE, DRAIN_LIMIT};
use crate::grpc::{Api, REASON_HEADER};
use crate::service::ServiceError;
use crate::tlog::{TileKind, TilePath};

/// Connections at a time. One has one bundle in memory, of up to 16 MiB.
pub const MAX_TILE_CONNECTIONS: usize = 64;

/// How long a connection is kept, whatever it does: a slow reader gives its place back.
pub const MAX_TILE_CONNECTION_TIME: Duration = Duration::from_mins(5);

/// Bytes of a request's head, at most; a token takes less than 2 KiB.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// What never changes may be kept for a year, which is as long as HTTP knows.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// The same for what only the one who asked may see.
const FOR_EVER_PRIVATE: HeaderValue =
    HeaderValue::from_static("private, max-age=31536000, immutable");
const NEVER: HeaderValue = HeaderValue::from_static("no-store");

const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

type Ended = Result<(), Box<dyn Error + Send + Sync>>;

/// How connections are opened and ended.
#[derive(Clone)]
pub(super) struct Manners {
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) handshakes: Arc<Semaphore>,
    /// How long a handshake may take, and then each request's head.
    pub(super) limit: Duration,
    pub(super) stopping: watch::Receiver<bool>,
}

/// Serves a connection until it ends.
pub(super) async fn serve(socket: TcpStream, api: Api, manners: Manners) -> Ended {
    socket.set_nodelay(true)?;
    let Some(tls) = &manners.tls else { return http1(socket, api, manners).await };
    let handshake = async {
        let turn = manners.handshakes.acquire().await.map_err(std::io::Error::other)?;
        let stream = tls.acceptor().accept(socket).await;
        drop(turn);
        stream
    };
    let stream = timeout(manners.limit, handshake).await??;
    http1(stream, api, manners).await
}

async fn http1<S>(stream: S, api: Api, mut manners: Manners) -> Ended
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let answer = service_fn(move |request: Request<Incoming>| {
        let api = api.clone();
        async move { Ok::<_, Infallible>(answer(&api, &request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(manners.limit)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), answer);
    let mut connection = pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return Ok(ended?),
        _ = manners.stopping.wait_for(|stopping| *stopping) => {}
        () = sleep(MAX_TILE_CONNECTION_TIME) => {}
    }
    connection.as_mut().graceful_shutdown();
    Ok(timeout(DRAIN_LIMIT, connection).await??)
}

/// What is asked for.
enum Resource {
    Checkpoint,
    Tile(TilePath),
}

impl Resource {
    /// The resource of a path, in its one spelling.
    fn of<B>(request: &Request<B>) -> Option<Self> {
        if request.uri().query().is_some() {
            return None;
        }
        match request.uri().path().strip_prefix('/')? {
            "checkpoint" => Some(Self::Checkpoint),
            path => path.parse().ok().map(Self::Tile),
        }
    }

    /// Its name in the log, which holds nothing that a caller made up.
    fn name(resource: Option<&Self>) -> String {
        match resource {
            None => "unknown".to_owned(),
            Some(Self::Checkpoint) => "checkpoint".to_owned(),
            Some(Self::Tile(path)) => path.to_string(),
        }
    }
}

/// Answers one request, and leaves one line in the log.
async fn answer<B>(api: &Api, request: &Request<B>) -> Response<Full<Bytes>> {
    let stopwatch = Stopwatch::start();
    let resource = Resource::of(request);
    let answer = match (&resource, request.method()) {
        (_, method) if !matches!(*method, Method::GET | Method::HEAD) => not_allowed(),
        (None, _) => not_found(),
        (Some(resource), _) => timeout(DEFAULT_DEADLINE, read(api, resource, request.headers()))
            .await
            .unwrap_or_else(|_| unavailable()),
    };
    let name = Resource::name(resource.as_ref());
    let status = answer.status().as_u16();
    let duration_us = u64::try_from(stopwatch.elapsed().as_micros()).unwrap_or(u64::MAX);
    match resource {
        // Whoever reads entries reads of patients.
        Some(Resource::Tile(path)) if path.kind() == TileKind::Entries => {
            tracing::info!(resource = name, status, duration_us, "tile");
        }
        _ => tracing::debug!(resource = name, status, duration_us, "tile"),
    }
    answer
}

async fn read(api: &Api, resource: &Resource, headers: &HeaderMap) -> Response<Full<Bytes>> {
    let path = match resource {
        Resource::Checkpoint => {
            let checkpoint = api.service().published().checkpoint.clone();
            return respond(StatusCode::OK, TEXT, NEVER, checkpoint.into());
        }
        Resource::Tile(path) => *path,
    };
    let cached = match path.kind() {
        TileKind::Hashes(_) => FOR_EVER,
        TileKind::Entries => {
            // Before anything is looked up: a stranger is not told how far the ledger has got here.
            if let Err(status) = api.may_read(headers) {
                return turned_away(&status);
            }
            FOR_EVER_PRIVATE
        }
    };
    match api.service().tile(path).await {
        Ok(Some(bytes)) => respond(StatusCode::OK, OCTETS, cached, bytes),
        Ok(None) => not_found(),
        Err(ServiceError::StorageBusy | ServiceError::Draining) => unavailable(),
        Err(error) => {
            tracing::error!(%error, resource = %path, "a tile could not be read");
            words(StatusCode::INTERNAL_SERVER_ERROR, "an error inside the server; it was logged")
        }
    }
}

fn turned_away(status: &tonic::Status) -> Response<Full<Bytes>> {
    let code = match status.code() {
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        _ => StatusCode::FORBIDDEN,
    };
    let mut answer = words(code, status.message());
    if code == StatusCode::UNAUTHORIZED {
        answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    let reason = status.metadata().get(REASON_HEADER).and_then(|reason| reason.to_str().ok());
    if let Some(reason) = reason.and_then(|reason| HeaderValue::from_str(reason).ok()) {
        answer.headers_mut().insert(REASON_HEADER, reason);
    }
    answer
}

fn not_found() -> Response<Full<Bytes>> {
    words(StatusCode::NOT_FOUND, "there is no such tile, or not yet")
}

fn not_allowed() -> Response<Full<Bytes>> {
    let mut answer = words(StatusCode::METHOD_NOT_ALLOWED, "tiles are read with GET or HEAD");
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    answer
}

fn unavailable() -> Response<Full<Bytes>> {
    let mut answer = words(StatusCode::SERVICE_UNAVAILABLE, "not now; try again");
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    answer
}

fn words(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    respond(status, TEXT, NEVER, format!("{text}\n").into())
}

fn respond(
    status: StatusCode,
    kind: HeaderValue,
    cached: HeaderValue,
    body: Bytes,
) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(CACHE_CONTROL, cached);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}
