//! The body of a streaming answer, which ends when the handler says so, when the caller's deadline
//! passes, or when the server stops; always with a status, and with one line in the log.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tonic::Status;
use tonic::body::Body;

use super::error::Failure;
use super::record::Record;

/// A streaming answer under way.
pub(super) struct Stream {
    body: Body,
    end: Pin<Box<dyn Future<Output = Failure> + Send>>,
    phase: Phase,
    record: Record,
    _place: OwnedSemaphorePermit,
}

enum Phase {
    Flowing,
    /// What is at hand still goes out, then the status does.
    Ending(Failure),
    Ended,
}

impl Stream {
    pub(super) fn new(
        body: Body,
        limit: Option<Duration>,
        stopping: watch::Receiver<bool>,
        record: Record,
        place: OwnedSemaphorePermit,
    ) -> Self {
        let end = Box::pin(end(limit, stopping));
        Self { body, end, phase: Phase::Flowing, record, _place: place }
    }
}

/// Waits for the reason to end a stream from our side.
async fn end(limit: Option<Duration>, mut stopping: watch::Receiver<bool>) -> Failure {
    let deadline = async {
        match limit {
            Some(limit) => tokio::time::sleep(limit).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = deadline => Failure::DeadlineExceeded { write: false },
        _ = stopping.wait_for(|stopping| *stopping) => Failure::Stopping,
    }
}

impl http_body::Body for Stream {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        if let Phase::Flowing = this.phase
            && let Poll::Ready(failure) = this.end.as_mut().poll(context)
        {
            // One more frame may go first: the last word of a health watch is NOT_SERVING.
            this.phase = Phase::Ending(failure);
            if let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut this.body).poll_frame(context)
                && frame.is_data()
            {
                return Poll::Ready(Some(Ok(frame)));
            }
        }
        match std::mem::replace(&mut this.phase, Phase::Ended) {
            Phase::Ended => Poll::Ready(None),
            Phase::Ending(failure) => {
                let mut trailers = HeaderMap::new();
                let written = Status::from(failure).add_header(&mut trailers);
                this.record.ended(&trailers);
                Poll::Ready(Some(written.map(|()| Frame::trailers(trailers))))
            }
            Phase::Flowing => {
                this.phase = Phase::Flowing;
                let frame = ready!(Pin::new(&mut this.body).poll_frame(context));
                if frame.as_ref().is_some_and(|frame| frame.as_ref().is_ok_and(Frame::is_data)) {
                    return Poll::Ready(frame);
                }
                this.phase = Phase::Ended;
                match &frame {
                    Some(Ok(last)) => match last.trailers_ref() {
                        Some(trailers) => this.record.ended(trailers),
                        None => this.record.ended(&HeaderMap::new()),
                    },
                    Some(Err(_)) => this.record.abandoned(),
                    None => this.record.ended(&HeaderMap::new()),
                }
                Poll::Ready(frame)
            }
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if !matches!(self.phase, Phase::Ended) {
            self.record.abandoned();
        }
    }
}
