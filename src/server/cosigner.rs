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
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::tls::{HTTP1, Tls, TlsFiles};
use super::{ACCEPT_PAUSE, ServerError};
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
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Arc<Tls>>,
    head_limit: Duration,
    body_limit: Duration,
}

impl CosignerServer {
    /// Binds the address and reads the certificate, so that every reason not to start is known at once.
    pub async fn bind(options: CosignerServerOptions) -> Result<Self, ServerError> {
        let CosignerServerOptions { listen, tls, insecure_plaintext, head_limit, body_limit } =
            options;
        if tls.is_none() && !listen.ip().is_loopback() && !insecure_plaintext {
            return Err(ServerError::Plaintext(listen));
        }
        let tls = tls.map(|files| Tls::load(files, HTTP1)).transpose()?.map(Arc::new);
        let failed = |source| ServerError::Listen { address: listen, source };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address, tls, head_limit, body_limit })
    }

    /// Where it listens; the port that was taken where 0 was asked for.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` is done, and gives back the cosigner once nobody is answered any more.
    pub async fn run(self, watch: Watch, shutdown: impl Future<Output = ()>) -> Option<Watch> {
        let watch = Arc::new(watch);
        let interface = Interface::new(Arc::clone(&watch), self.body_limit);
        let (stop, stopping) = watch::channel(false);
        let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut connections = JoinSet::new();
        let mut shutdown = pin!(shutdown);
        tracing::info!(address = %self.address, tls = self.tls.is_some(), "cosigning");
        loop {
            let next = async {
                let slot = Arc::clone(&slots).acquire_owned().await;
                (slot, self.listener.accept().await)
            };
            let (slot, accepted) = tokio::select! {
                () = &mut shutdown => break,
                Some(_) = connections.join_next() => continue,
                next = next => next,
            };
            match accepted {
                Ok((socket, _)) => {
                    let served = self.serve(socket, interface.clone(), stopping.clone());
                    connections.spawn(async move {
                        let _slot = slot;
                        served.await;
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(self.listener);
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
        let (tls, head_limit) = (self.tls.clone(), self.head_limit);
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
