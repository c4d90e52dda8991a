//! The line of the log that each call leaves, once, when it has ended.
//!
//! It says which call, how it ended and how long it took, and the caller's request id where that is
//! a UUID. It holds nothing else that a caller sent: a path that is none of ours and a text in the
//! place of an id could be anything, a patient's name for one.

use std::sync::Arc;

use http::HeaderMap;
use tonic::{Code, Status};

use super::error::REASON_HEADER;
use super::method::Method;
use crate::clock::Stopwatch;
use crate::command::RequestId;

/// A call that has begun.
#[derive(Debug)]
pub(super) struct Record {
    /// Path of the call; none where there is no such call.
    method: Option<Arc<str>>,
    quiet: bool,
    /// The request's id, once its signature was verified.
    pub(super) request_id: Option<RequestId>,
    stopwatch: Stopwatch,
}

impl Record {
    pub(super) fn begin(method: Option<&Method>) -> Self {
        Self {
            method: method.map(|method| Arc::clone(&method.path)),
            // Health is asked every few seconds.
            quiet: method.is_some_and(|method| method.home.is_none()),
            request_id: None,
            stopwatch: Stopwatch::start(),
        }
    }

    /// The call has ended with these headers, or trailers.
    pub(super) fn ended(&self, headers: &HeaderMap) {
        let code = Status::from_header_map(headers).map_or(Code::Ok, |status| status.code());
        let reason = headers.get(REASON_HEADER).and_then(|reason| reason.to_str().ok());
        self.write(code, reason.unwrap_or_default());
    }

    /// The caller went away before the end.
    pub(super) fn abandoned(&self) {
        self.write(Code::Cancelled, "ABANDONED");
    }

    fn write(&self, code: Code, reason: &str) {
        let method = self.method.as_deref().unwrap_or("unknown");
        let request_id = self.request_id.map(tracing::field::display);
        let duration_us = u64::try_from(self.stopwatch.elapsed().as_micros()).unwrap_or(u64::MAX);
        let code_name = name(code);
        match code {
            Code::Internal | Code::DataLoss | Code::Unknown => {
                tracing::error!(method, code = code_name, reason, request_id, duration_us, "call");
            }
            Code::Ok if self.quiet => {
                tracing::debug!(method, code = code_name, reason, request_id, duration_us, "call");
            }
            _ => {
                tracing::info!(method, code = code_name, reason, request_id, duration_us, "call");
            }
        }
    }
}

/// A code's name as the protocol has it.
fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
