//! The listener: accepts connections, secures them, serves the interface on them, and stops.
//!
//! Stopping goes in this order, so that nobody is surprised: health says `NOT_SERVING`; nothing new
//! is accepted; each connection is asked to finish, streams end with UNAVAILABLE, calls in work are
//! answered; after a limit, whoever still hangs on is cut; last, the writer finishes its queue. A
//! crash at any of these points loses nothing that was answered: an answer is only given after its
//! commit.

mod connection;
mod cosigner;
mod tls;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

pub use cosigner::{CosignerServer, CosignerServerOptions};
pub use tls::{TlsError, TlsFiles};

use crate::clock::Clock;
use crate::grpc::Api;
use crate::grpc::limits::{DRAIN_LIMIT, HANDSHAKE_TIMEOUT, MAX_CONNECTIONS, MAX_HANDSHAKES};
use crate::service::Service;
use tls::{HTTP2, Tls};

/// How long accepting pauses after the system refused a connection, mostly for want of file
/// descriptors: long enough for some to come back.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Where and how to listen.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// Address to listen on; port 0 takes any free one.
    pub listen: SocketAddr,
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
    #[error("cannot listen on {address}: {source}; choose another address with --listen")]
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

/// A listener that is bound and not yet served.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Arc<Tls>>,
    clock: Clock,
    handshake_limit: Duration,
    drain_limit: Duration,
}

impl Server {
    /// Binds the address and reads the certificate, so that every reason not to start is known
    /// before anything is served.
    pub async fn bind(options: ServerOptions) -> Result<Self, ServerError> {
        let address = options.listen;
        if options.tls.is_none() && !address.ip().is_loopback() && !options.insecure_plaintext {
            return Err(ServerError::Plaintext(address));
        }
        let tls =
            options.tls.clone().map(|files| Tls::load(files, HTTP2)).transpose()?.map(Arc::new);
        let listen = |source| ServerError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let ServerOptions { clock, handshake_limit, drain_limit, .. } = options;
        Ok(Self { listener, address, tls, clock, handshake_limit, drain_limit })
    }

    /// Where it listens; the port that was taken where 0 was asked for.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` is done, then stops in order and has the writer finish its queue.
    pub async fn run(self, service: Service, shutdown: impl Future<Output = ()> + Send) {
        let (stop, stopping) = watch::channel(false);
        let api = Api::new(service.clone(), self.clock.clone(), stopping.clone());
        api.announce(true).await;
        tracing::info!(address = %self.address, tls = self.tls.is_some(), "serving");

        let mut connections = JoinSet::new();
        let drain_limit = self.drain_limit;
        self.accept(&api, &stopping, &mut connections, shutdown).await;

        tracing::info!(connections = connections.len(), "stopping");
        api.announce(false).await;
        stop.send_replace(true);
        let finished = async { while connections.join_next().await.is_some() {} };
        if timeout(drain_limit, finished).await.is_err() {
            tracing::warn!(connections = connections.len(), "cutting those that do not go");
            connections.shutdown().await;
        }
        service.drain().await;
        tracing::info!("stopped");
    }

    /// Accepts until `shutdown` is done. The listener is closed on return.
    async fn accept(
        self,
        api: &Api,
        stopping: &watch::Receiver<bool>,
        connections: &mut JoinSet<()>,
        shutdown: impl Future<Output = ()> + Send,
    ) {
        let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let handshakes = Arc::new(Semaphore::new(MAX_HANDSHAKES));
        tokio::pin!(shutdown);
        loop {
            let next = async {
                let slot = Arc::clone(&slots).acquire_owned().await;
                (slot, self.listener.accept().await)
            };
            let (slot, accepted) = tokio::select! {
                () = &mut shutdown => return,
                Some(_) = connections.join_next() => continue,
                next = next => next,
            };
            match accepted {
                Ok((socket, _)) => {
                    let served = self.serve(socket, api, stopping, Arc::clone(&handshakes));
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
    }

    fn serve(
        &self,
        socket: TcpStream,
        api: &Api,
        stopping: &watch::Receiver<bool>,
        handshakes: Arc<Semaphore>,
    ) -> impl Future<Output = ()> + Send + use<> {
        let (api, tls, stopping) = (api.clone(), self.tls.clone(), stopping.clone());
        let limit = self.handshake_limit;
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
