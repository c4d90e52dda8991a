//! One connection: its handshake under a time limit, then HTTP/2 until one side has enough.

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio_rustls::server::TlsStream;

use super::tls::Tls;
use crate::grpc::Api;
use crate::grpc::limits::{
    KEEPALIVE_INTERVAL, KEEPALIVE_TIMEOUT, MAX_HEADER_LIST_BYTES, MAX_STREAMS_PER_CONNECTION,
};

/// The protocol's name in a TLS handshake.
pub(super) const PROTOCOL: &[u8] = b"h2";

/// What every HTTP/2 client sends first.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes that a client may send ahead of our reading, over all its calls: a full set of ordinary
/// requests, so that many callers on one connection never wait for a window.
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;

type Ended = Result<(), Box<dyn Error + Send + Sync>>;

/// A connection that is open, secured or not, and about to speak HTTP/2.
pub(super) enum Opened {
    Plain(Prefaced<TcpStream>),
    Secured(Box<Prefaced<TlsStream<TcpStream>>>),
}

/// Opens a connection. Handshakes are dear, so only so many run at a time; one that waits for its
/// turn uses up its own time.
pub(super) async fn open(
    socket: TcpStream,
    tls: Option<&Tls>,
    handshakes: &Semaphore,
) -> io::Result<Opened> {
    socket.set_nodelay(true)?;
    let Some(tls) = tls else { return Ok(Opened::Plain(prefaced(socket).await?)) };
    let turn = handshakes.acquire().await.map_err(io::Error::other)?;
    let stream = tls.acceptor().accept(socket).await?;
    drop(turn);
    Ok(Opened::Secured(Box::new(prefaced(stream).await?)))
}

/// Serves an open connection until it ends.
pub(super) async fn serve(opened: Opened, api: Api, stopping: watch::Receiver<bool>) -> Ended {
    match opened {
        Opened::Plain(stream) => http2(stream, api, stopping).await,
        Opened::Secured(stream) => http2(*stream, api, stopping).await,
    }
}

async fn http2<S>(stream: S, api: Api, mut stopping: watch::Receiver<bool>) -> Ended
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let answer = service_fn(move |request: Request<Incoming>| {
        let api = api.clone();
        async move { Ok::<_, Infallible>(api.answer(request).await) }
    });
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS_PER_CONNECTION)
        // h2 takes lists that are shorter than what it is told.
        .max_header_list_size(MAX_HEADER_LIST_BYTES + 1)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .serve_connection(TokioIo::new(stream), answer);
    let mut connection = pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return Ok(ended?),
        _ = stopping.wait_for(|stopping| *stopping) => {}
    }
    connection.as_mut().graceful_shutdown();
    Ok(connection.await?)
}

/// A stream whose first bytes were read already, and are known.
pub(super) struct Prefaced<S> {
    stream: S,
    replayed: usize,
}

/// Waits for HTTP/2's first bytes. A connection that sends none would else stay open for as long as
/// its owner likes.
async fn prefaced<S: AsyncRead + Unpin>(mut stream: S) -> io::Result<Prefaced<S>> {
    let mut first = [0; PREFACE.len()];
    stream.read_exact(&mut first).await?;
    if first == *PREFACE {
        Ok(Prefaced { stream, replayed: 0 })
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidData, "the client does not speak HTTP/2"))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Prefaced<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let rest = PREFACE.get(this.replayed..).unwrap_or_default();
        if rest.is_empty() {
            return Pin::new(&mut this.stream).poll_read(context, buffer);
        }
        let (now, _) = rest.split_at(rest.len().min(buffer.remaining()));
        buffer.put_slice(now);
        this.replayed += now.len();
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Prefaced<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
