//! The listeners: accept connections, secure them, serve the interface on them, and tiles where that is wanted, and
//! stop.
//!
//! Stopping goes in this order, so that nobody is surprised: health says `NOT_SERVING`; nothing new
//! is accepted; each connection is asked to finish, streams end with UNAVAILABLE, calls in work are
//! answered; after a limit, whoever still hangs on is cut; last, the writer finishes its queue. A
//! crash at any of these points loses nothing that was answered: an answer is only given after its
//! commit.

mod connection;
mod cosigner;
mod door;
mod tiles;
mod tls;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

pub use cosigner::{CosignerServer, CosignerServerOptions};
pub use tiles::{MAX_TILE_CONNECTION_TIME, MAX_TILE_CONNECTIONS};
pub use tls::{TlsError, TlsFiles};

use crate::clock::Clock;
use crate::grpc::Api;
use crate::grpc::limits::{DRAIN_LIMIT, HANDSHAKE_TIMEOUT, MAX_CONNECTIONS};
use crate::service::Service;
use door::Door;
use tls::{HTTP1, HTTP2};

/// Where and how to listen.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Address to listen on; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Address to serve tiles on over HTTP/1.1; not served when absent.
    pub tiles: Option<SocketAddr>,
    /// Certificate and key; plain text when absent.
    pub tls: Option<TlsFiles>,
    /// Serve plain text on an address that others can reach. Everything that is sent can then be
    /// read, tokens included, by whoever is on the way.
    pub insecure_plaintext: bool,
    /// What tells the time: the same clock as the service's.
    pub clock: Clock,
    /// How long a new connection may take until it speaks HTTP/2.
    pub handshake_limit: Duration,
    /// How long connections may take to finish once the server stops.
    pub drain_limit: Duration,
}

impl ServerOptions {
    /// Listens on this address, in plain text, with the usual limits of time.
    #[must_use]
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            tiles: None,
            tls: None,
            insecure_plaintext: false,
            clock: Clock::system(),
            handshake_limit: HANDSHAKE_TIMEOUT,
            drain_limit: DRAIN_LIMIT,
        }
    }
}

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Plain text where others could listen.
    #[error(
        "{0} can be reached from other machines and there is no certificate: give --tls-cert and \
         --tls-key, listen on a loopback address, or insist with --insecure-plaintext"
    )]
    Plaintext(SocketAddr),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; choose another address")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// Certificate, key or client authority cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// A server that is bound and serves nothing yet.
#[derive(Debug)]
pub struct Server {
    calls: Door,
    tiles: Option<Door>,
    clock: Clock,
    handshake_limit: Duration,
    drain_limit: Duration,
}

impl Server {
    /// Binds the addresses and reads the certificate, so that every reason not to start is known
    /// before anything is served.
    pub async fn bind(options: ServerOptions) -> Result<Self, ServerError> {
        let ServerOptions { tls, insecure_plaintext: plain, clock, .. } = options;
        let calls = Door::bind(options.listen, tls.clone(), plain, HTTP2, MAX_CONNECTIONS).await?;
        let tiles = match options.tiles {
            None => None,
            Some(address) => {
                Some(Door::bind(address, tls, plain, HTTP1, MAX_TILE_CONNECTIONS).await?)
            }
        };
        let (handshake_limit, drain_limit) = (options.handshake_limit, options.drain_limit);
        Ok(Self { calls, tiles, clock, handshake_limit, drain_limit })
    }

    /// Where it listens; the port that was taken where 0 was asked for.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.calls.address
    }

    /// Where it serves tiles, if it does.
    #[must_use]
    pub fn tiles_addr(&self) -> Option<SocketAddr> {
        self.tiles.as_ref().map(|door| door.address)
    }

    /// Serves until `shutdown` is done, then stops in order and has the writer finish its queue.
    pub async fn run(self, service: Service, shutdown: impl Future<Output = ()> + Send) {
        let (stop, stopping) = watch::channel(false);
        let api = Api::new(service.clone(), self.clock.clone(), stopping.clone());
        api.announce(true).await;
        let tls = self.calls.tls.is_some();
        tracing::info!(address = %self.calls.address, tls, "serving");
        if let Some(door) = &self.tiles {
            tracing::info!(address = %door.address, tls, "serving tiles");
        }

        let (mut connections, mut readers) = (JoinSet::new(), JoinSet::new());
        let drain_limit = self.drain_limit;
        tokio::select! {
            () = shutdown => {}
            () = self.accept_calls(&api, &stopping, &mut connections) => {}
            () = self.accept_readers(&api, &stopping, &mut readers) => {}
            () = api.follow_writes() => {}
        }
        // The listeners are closed: whoever comes now is told so at once.
        drop(self);

        tracing::info!(connections = connections.len() + readers.len(), "stopping");
        api.announce(false).await;
        stop.send_replace(true);
        let finished = async {
            while connections.join_next().await.is_some() {}
            while readers.join_next().await.is_some() {}
        };
        if timeout(drain_limit, finished).await.is_err() {
            let left = connections.len() + readers.len();
            tracing::warn!(connections = left, "cutting those that do not go");
            connections.shutdown().await;
            readers.shutdown().await;
        }
        service.drain().await;
        tracing::info!("stopped");
    }

    async fn accept_calls(
        &self,
        api: &Api,
        stopping: &watch::Receiver<bool>,
        connections: &mut JoinSet<()>,
    ) {
        let limit = self.handshake_limit;
        let serve = |socket| {
            let (api, stopping) = (api.clone(), stopping.clone());
            let (tls, handshakes) = (self.calls.tls.clone(), Arc::clone(&self.calls.handshakes));
            async move {
                let opened = connection::open(socket, tls.as_deref(), &handshakes);
                let served = match timeout(limit, opened).await {
                    Ok(Ok(stream)) => connection::serve(stream, api, stopping).await,
                    Ok(Err(error)) => Err(error.into()),
                    Err(late) => Err(late.into()),
                };
                if let Err(error) = served {
                    tracing::debug!(%error, "a connection ended");
                }
            }
        };
        self.calls.accept(connections, serve).await;
    }

    /// Never done where no tiles are served.
    async fn accept_readers(
        &self,
        api: &Api,
        stopping: &watch::Receiver<bool>,
        connections: &mut JoinSet<()>,
    ) {
        let Some(door) = &self.tiles else { return std::future::pending().await };
        let manners = tiles::Manners {
            tls: door.tls.clone(),
            handshakes: Arc::clone(&door.handshakes),
            limit: self.handshake_limit,
            stopping: stopping.clone(),
        };
        let serve = |socket| {
            let served = tiles::serve(socket, api.clone(), manners.clone());
            async move {
                if let Err(error) = served.await {
                    tracing::debug!(%error, "a reader's connection ended");
                }
            }
        };
        door.accept(connections, serve).await;
    }
}

/// Waits until the operator or the system asks for a stop: SIGTERM, or SIGINT (Ctrl-C).
///
/// SIGHUP, which would end the process, is taken and does nothing: a changed certificate is read
/// by itself when the next connection comes.
///
/// The signals are taken from the moment of the call, so that none ends the process before the
/// future is waited for. Must be called within the runtime.
pub fn stop_asked() -> io::Result<impl Future<Output = ()> + Send> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    Ok(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => return,
                _ = interrupt.recv() => return,
                _ = hang_up.recv() => tracing::info!("certificates are read anew when they change"),
            }
        }
    })
}
