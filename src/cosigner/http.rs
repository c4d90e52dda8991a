//! The cosigner's interface: `POST /add-checkpoint` and `GET /<origin hash>/checkpoint`, with the statuses and bodies of
//! <https://c2sp.org/tlog-witness>.
//!
//! | status | body | when |
//! |---|---|---|
//! | 200 | the cosignature's line | it is kept durably, and signed |
//! | 400 | why, in words | the body is no submission, or its old size is the larger one |
//! | 403 | why | no trusted key signed the checkpoint |
//! | 404 | why | the origin is not watched, or there is no such path |
//! | 405 | why | another method |
//! | 408, 413 | why | the body came too slowly, or is over [`MAX_SUBMISSION_BYTES`] |
//! | 409 | the size of the newest checkpoint cosigned, as `text/x.tlog.size` | the old size is another |
//! | 422 | why | the proof or the root does not hold |
//! | 500, 503 | why | the disk failed; the clock is behind |

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::watch::{Unsigned, Watch};
use crate::tlog::{MAX_SUBMISSION_BYTES, Refused, SignedNote};

/// How long the body of a request may take to come.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Submissions that are decided at the same time. They wait for one disk, so more threads would only wait more.
const MAX_DECIDING: usize = 4;

/// Seconds after which a cosigner that cannot sign now may be asked again.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("60");

/// What is said in words.
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// What a bare tree size is called.
const TREE_SIZE: HeaderValue = HeaderValue::from_static("text/x.tlog.size");

/// The cosigner behind its interface. Clones are cheap and mean the same cosigner.
#[derive(Clone, Debug)]
pub struct Interface {
    watch: Arc<Watch>,
    deciding: Arc<Semaphore>,
    body_timeout: Duration,
}

impl Interface {
    /// The interface of this cosigner.
    #[must_use]
    pub fn new(watch: Arc<Watch>, body_timeout: Duration) -> Self {
        Self { watch, deciding: Arc::new(Semaphore::new(MAX_DECIDING)), body_timeout }
    }

    /// Answers a request.
    pub async fn answer<B>(&self, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let path = request.uri().path();
        if path == "/add-checkpoint" {
            return match *request.method() {
                Method::POST => self.add_checkpoint(request.into_body()).await,
                _ => wrong_method("POST"),
            };
        }
        let hash = path.strip_prefix('/').and_then(|path| path.strip_suffix("/checkpoint"));
        let Some(log) = hash.and_then(|hash| self.log_of(hash)) else {
            return words(StatusCode::NOT_FOUND, "no such path, and no such log");
        };
        match *request.method() {
            Method::GET => self.newest(log).await,
            _ => wrong_method("GET"),
        }
    }

    async fn add_checkpoint<B>(&self, body: B) -> Response<Full<Bytes>>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let body = Limited::new(body, MAX_SUBMISSION_BYTES).collect();
        let body = match timeout(self.body_timeout, body).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                let said = format!("a body has at most {MAX_SUBMISSION_BYTES} bytes");
                return words(StatusCode::PAYLOAD_TOO_LARGE, &said);
            }
            Ok(Err(_)) => return words(StatusCode::BAD_REQUEST, "the body did not come whole"),
            Err(_) => return words(StatusCode::REQUEST_TIMEOUT, "the body came too slowly"),
        };
        match self.on_a_thread(move |watch| watch.add_checkpoint(&body)).await {
            Some(Ok(line)) => said(StatusCode::OK, TEXT, format!("{line}\n")),
            Some(Err(why)) => unsigned(&why),
            None => words(StatusCode::INTERNAL_SERVER_ERROR, "internal error"),
        }
    }

    async fn newest(&self, origin: String) -> Response<Full<Bytes>> {
        let newest = self.on_a_thread(move |watch| watch.newest(&origin)).await;
        match newest.and_then(Result::ok) {
            Some(Some(note)) => said(StatusCode::OK, TEXT, SignedNote::to_string(&note)),
            Some(None) => words(StatusCode::NOT_FOUND, "nothing of this log was cosigned yet"),
            None => words(StatusCode::INTERNAL_SERVER_ERROR, "internal error"),
        }
    }

    /// The origin of a watched log by the SHA-256 of it, in lower-case hexadecimal.
    fn log_of(&self, hash: &str) -> Option<String> {
        let origins = self.watch.logs().iter().map(|log| log.name().as_str());
        origins.into_iter().find(|origin| origin_hash(origin) == hash).map(str::to_owned)
    }

    async fn on_a_thread<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Watch) -> T + Send + 'static,
    ) -> Option<T> {
        let turn = Arc::clone(&self.deciding).acquire_owned().await.ok()?;
        let watch = Arc::clone(&self.watch);
        let asked = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            ask(&watch)
        });
        asked.await.ok()
    }
}

/// How a log is named in a path: the SHA-256 of its origin, in lower-case hexadecimal.
#[must_use]
pub fn origin_hash(origin: &str) -> String {
    Sha256::digest(origin).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn unsigned(why: &Unsigned) -> Response<Full<Bytes>> {
    match why {
        Unsigned::Refused(Refused::OldSize { newest }) => {
            said(StatusCode::CONFLICT, TREE_SIZE, format!("{newest}\n"))
        }
        Unsigned::Refused(refused) => {
            let status = StatusCode::from_u16(refused.http_status());
            words(status.expect("every refusal has a status of HTTP"), &refused.to_string())
        }
        Unsigned::ClockBehind { .. } => {
            later(words(StatusCode::SERVICE_UNAVAILABLE, &why.to_string()))
        }
        Unsigned::NotKept(_) => later(words(StatusCode::INTERNAL_SERVER_ERROR, &why.to_string())),
    }
}

fn wrong_method(allowed: &'static str) -> Response<Full<Bytes>> {
    let mut response = words(StatusCode::METHOD_NOT_ALLOWED, "another method is needed here");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

fn later(mut response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    response.headers_mut().insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
    response
}

fn words(status: StatusCode, why: &str) -> Response<Full<Bytes>> {
    said(status, TEXT, format!("{why}\n"))
}

fn said(status: StatusCode, kind: HeaderValue, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
