//! A listener and who may come through it: an address, a certificate, and so many connections at a time.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::ServerError;
use super::tls::{Tls, TlsFiles};
use crate::grpc::limits::MAX_HANDSHAKES;

/// How long accepting pauses after the system refused a connection, mostly for want of file
/// descriptors: long enough for some to come back.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A listener that is bound.
#[derive(Debug)]
pub(super) struct Door {
    listener: TcpListener,
    /// Where it is; the port that was taken where 0 was asked for.
    pub(super) address: SocketAddr,
    /// What secures connections; plain text when absent.
    pub(super) tls: Option<Arc<Tls>>,
    /// Handshakes that may run at a time.
    pub(super) handshakes: Arc<Semaphore>,
    /// Connections at a time.
    most: usize,
}

impl Door {
    /// Binds an address, for up to so many connections that speak one protocol (its ALPN name). Without a certificate
    /// that takes an address that no other machine can reach, or insistence.
    pub(super) async fn bind(
        address: SocketAddr,
        tls: Option<TlsFiles>,
        insecure_plaintext: bool,
        protocol: &'static [u8],
        most: usize,
    ) -> Result<Self, ServerError> {
        if tls.is_none() && !address.ip().is_loopback() && !insecure_plaintext {
            return Err(ServerError::Plaintext(address));
        }
        let tls = tls.map(|files| Tls::load(files, protocol)).transpose()?;
        let listen = |source| ServerError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let handshakes = Arc::new(Semaphore::new(MAX_HANDSHAKES));
        Ok(Self { listener, address, tls: tls.map(Arc::new), handshakes, most })
    }

    /// Accepts for ever, and has each connection served beside the others.
    pub(super) async fn accept<F>(
        &self,
        connections: &mut JoinSet<()>,
        serve: impl Fn(TcpStream) -> F,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let slots = Arc::new(Semaphore::new(self.most));
        loop {
            let next = async {
                let slot = Arc::clone(&slots).acquire_owned().await;
                (slot, self.listener.accept().await)
            };
            let (slot, accepted) = tokio::select! {
                Some(_) = connections.join_next() => continue,
                next = next => next,
            };
            match accepted {
                Ok((socket, _)) => {
                    let served = serve(socket);
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
}
