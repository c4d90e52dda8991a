//! The connection: plain text to this machine, TLS to any other.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

use super::error::ClientError;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The port that `vialedger serve` listens on unless told otherwise.
const DEFAULT_PORT: u16 = 7420;
/// HTTP/2, as gRPC needs it, in ALPN's spelling (RFC 9113, section 3.2).
const HTTP2: &[u8] = b"h2";

/// Where the server is and how to trust it.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// `http://host:port` or `https://host:port`; port 7420 where none is named.
    pub server: String,
    /// PEM file with the certificates of the authorities that may vouch for the server. Required
    /// for https.
    pub ca: Option<PathBuf>,
    /// Certificate to show to a server that asks for one.
    pub identity: Option<Identity>,
    /// Lets plain text leave this machine.
    pub insecure_plaintext: bool,
}

/// The client's own certificate, for mutual TLS.
#[derive(Clone, Debug)]
pub struct Identity {
    /// PEM file with the certificate chain.
    pub certificate: PathBuf,
    /// PEM file with its private key.
    pub key: PathBuf,
}

/// What bytes go over: TCP, or TLS over it.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A channel that is connected.
pub(super) async fn channel(options: &ConnectOptions) -> Result<Channel, ClientError> {
    let uri = server_uri(&options.server)?;
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = uri.port_u16().unwrap_or(DEFAULT_PORT);
    let tls = match uri.scheme_str() {
        Some("https") => Some((TlsConnector::from(tls_config(options)?), server_name(&host)?)),
        _ if options.insecure_plaintext || is_loopback(&host) => None,
        _ => return Err(ClientError::PlainText { server: options.server.clone() }),
    };
    let endpoint = Endpoint::from(uri).connect_timeout(CONNECT_TIMEOUT).tcp_nodelay(true);
    let connector = service_fn(move |_: Uri| {
        let (host, tls) = (host.clone(), tls.clone());
        async move {
            let tcp = TcpStream::connect((host.as_str(), port)).await?;
            tcp.set_nodelay(true)?;
            let stream: Box<dyn Stream> = match tls {
                None => Box::new(tcp),
                Some((tls, name)) => Box::new(tls.connect(name, tcp).await?),
            };
            Ok::<_, io::Error>(TokioIo::new(stream))
        }
    });
    let connected = endpoint.connect_with_connector(connector).await;
    connected.map_err(|error| failed(&options.server, &error))
}

/// What a failed connection means to a person.
pub(super) fn failed(server: &str, error: &tonic::transport::Error) -> ClientError {
    let mut detail = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        detail = inner.to_string();
        source = inner.source();
    }
    ClientError::Unreachable { server: server.to_owned(), detail }
}

fn server_uri(server: &str) -> Result<Uri, ClientError> {
    let wrong = || ClientError::Address { server: server.to_owned() };
    let uri: Uri = server.parse().map_err(|_| wrong())?;
    let known = matches!(uri.scheme_str(), Some("http" | "https"));
    let bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
    // A port that is no number up to 65535 reads as none at all, and the default one would be dialled instead.
    let host = uri.host().filter(|host| !host.is_empty());
    let whole = uri.authority().map(http::uri::Authority::as_str) == host;
    if known && bare && host.is_some() && (whole || uri.port_u16().is_some()) {
        Ok(uri)
    } else {
        Err(wrong())
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn server_name(host: &str) -> Result<ServerName<'static>, ClientError> {
    ServerName::try_from(host.to_owned())
        .map_err(|_| ClientError::Address { server: host.to_owned() })
}

fn tls_config(options: &ConnectOptions) -> Result<Arc<ClientConfig>, ClientError> {
    let ca = options.ca.as_ref().ok_or(ClientError::NoAuthority)?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates(ca)? {
        roots.add(certificate).map_err(|error| bad_pem(ca, &error))?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("aws-lc-rs has the default protocol versions")
        .with_root_certificates(roots);
    let mut config = match &options.identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let key = PrivateKeyDer::from_pem_file(&identity.key)
                .map_err(|error| bad_pem(&identity.key, &error))?;
            builder
                .with_client_auth_cert(certificates(&identity.certificate)?, key)
                .map_err(|error| bad_pem(&identity.certificate, &error))?
        }
    };
    config.alpn_protocols = vec![HTTP2.to_vec()];
    Ok(Arc::new(config))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, ClientError> {
    let found: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| bad_pem(path, &error))?;
    if found.is_empty() { Err(bad_pem(path, &"it holds no certificate")) } else { Ok(found) }
}

fn bad_pem(path: &Path, detail: &dyn ToString) -> ClientError {
    ClientError::Certificate { path: path.to_owned(), detail: detail.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_scheme_a_host_and_a_port_that_there_is() {
        for server in ["http://127.0.0.1:7420", "https://clinic.example", "http://[::1]:7420/"] {
            assert!(server_uri(server).is_ok(), "{server}");
        }
        for server in [
            "",
            "clinic.example",
            "127.0.0.1:7420",
            "ftp://127.0.0.1:7420",
            "http://127.0.0.1:99999",
            "http://127.0.0.1:",
            "http://[::1]:x",
            "http://127.0.0.1:7420/ledger",
        ] {
            assert!(matches!(server_uri(server), Err(ClientError::Address { .. })), "{server}");
        }
    }
}
