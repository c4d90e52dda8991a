//! The listener of a log cosigner: HTTP/1.1, with or without TLS, under limits of its own.
//!
//! Whoever can reach it may ask, so every connection costs little: few headers, short lines, a body of 16 KiB, and a
//! limit of time for each part. Stopping asks nobody to hurry: nothing new is accepted, and whatever is answered within
//! the limit is answered.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::ServerError;
use super::door::Door;
use super::tls::{HTTP1, TlsFiles};
use crate::cosigner::Watch;
use crate::cosigner::http::{BODY_TIMEOUT, Interface};
use crate::grpc::limits::{DRAIN_LIMIT, HANDSHAKE_TIMEOUT};

/// Connections at a time. One more waits until another ends.
const MAX_CONNECTIONS: usize = 256;

/// Headers of a request, at most.
const MAX_HEADERS: usize = 64;

/// Bytes of a request's line and headers, at most.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// How long a connection may last, so that nobody keeps a place for ever.
const CONNECTION_LIMIT: Duration = Duration::from_mins(10);

/// Where and how to listen.
#[derive(Clone, Debug)]
pub struct CosignerServerOptions {
    /// Address to listen on; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Certificate and key; plain text when absent.
    pub tls: Option<TlsFiles>,
    /// Serve plain text on an address that others can reach, as behind a proxy that does TLS.
    pub insecure_plaintext: bool,
    /// How long the head of a request may take, also the next one on an open connection, and a handshake.
    pub head_limit: Duration,
    /// How long its body may take.
    pub body_limit: Duration,
}

impl CosignerServerOptions {
    /// Listens on this address, in plain text, with the usual limits of time.
    #[must_use]
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            tls: None,
            insecure_plaintext: false,
            head_limit: HANDSHAKE_TIMEOUT,
            body_limit: BODY_TIMEOUT,
        }
    }
}

/// A cosigner's listener that is bound and not yet served.
#[derive(Debug)]
pub struct CosignerServer {
    door: Door,
    head_limit: Duration,
    body_limit: Duration,
}

impl CosignerServer {
    /// Binds the address and reads the certificate, so that every reason not to start is known at once.
    pub async fn bind(options: CosignerServerOptions) -> Result<Self, ServerError> {
        let CosignerServerOptions { listen, tls, insecure_plaintext, head_limit, body_limit } =
            options;
        let door = Door::bind(listen, tls, insecure_plaintext, HTTP1, MAX_CONNECTIONS).await?;
        Ok(Self { door, head_limit, body_limit })
    }

    /// Where it listens; the port that was taken where 0 was asked for.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.door.address
    }

    /// Serves until `shutdown` is done, and gives back the cosigner once nobody is answered any more.
    pub async fn run(self, watch: Watch, shutdown: impl Future<Output = ()>) -> Option<Watch> {
        let watch = Arc::new(watch);
        let interface = Interface::new(Arc::clone(&watch), self.body_limit);
        let (stop, stopping) = watch::channel(false);
        let mut connections = JoinSet::new();
        let door = &self.door;
        tracing::info!(address = %door.address, tls = door.tls.is_some(), "cosigning");
        let serve = |socket| self.serve(socket, interface.clone(), stopping.clone());
        tokio::select! {
            () = shutdown => {}
            () = door.accept(&mut connections, serve) => {}
        }
        drop(self);
        stop.send_replace(true);
        let finished = async { while connections.join_next().await.is_some() {} };
        if timeout(DRAIN_LIMIT, finished).await.is_err() {
            connections.shutdown().await;
        }
        drop(interface);
        tracing::info!("stopped");
        Arc::into_inner(watch)
    }

    fn serve(
        &self,
        socket: TcpStream,
        interface: Interface,
        stopping: watch::Receiver<bool>,
    ) -> impl Future<Output = ()> + Send + use<> {
        let (tls, head_limit) = (self.door.tls.clone(), self.head_limit);
        async move {
            let served = async {
                socket.set_nodelay(true)?;
                let Some(tls) = tls else {
                    return http1(socket, interface, stopping, head_limit).await;
                };
                let secured = timeout(head_limit, tls.acceptor().accept(socket)).await??;
                http1(secured, interface, stopping, head_limit).await
            };
            match timeout(CONNECTION_LIMIT, served).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(%error, "a connection ended"),
                Err(_) => tracing::debug!("a connection lasted too long"),
            }
        }
    }
}

async fn http1<S>(
    stream: S,
    interface: Interface,
    mut stopping: watch::Receiver<bool>,
    head_limit: Duration,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let answer = service_fn(move |request: Request<Incoming>| {
        let interface = interface.clone();
        async move { Ok::<_, Infallible>(interface.answer(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_limit)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), answer);
    let mut connection = pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return Ok(ended?),
        _ = stopping.wait_for(|stopping| *stopping) => {}
    }
    connection.as_mut().graceful_shutdown();
    Ok(connection.await?)
}
