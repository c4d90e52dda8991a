//! The way to a cosigner: HTTP/1.1 over TLS, or in plain text on this machine.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// How long one request may take, from the first packet to the last byte of the answer.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);

/// Largest answer that is read, in bytes: a few signature lines.
const MAX_ANSWER_BYTES: usize = 16 * 1024;

/// HTTP/1.1 in ALPN's spelling (RFC 7301).
const HTTP1: &[u8] = b"http/1.1";

/// What this client calls itself.
const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("vialedger/", env!("CARGO_PKG_VERSION")));

/// Why a cosigner's address is of no use.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// Not a URL of the kind that is needed.
    #[error("{url:?} is not a cosigner's address: expected https://host[:port][/prefix]")]
    Malformed {
        /// What was given.
        url: String,
    },
    /// Plain text over a network.
    #[error(
        "{url} is plain text, in which anybody on the way could answer: use https://, with http:// on this machine only"
    )]
    PlainText {
        /// What was given.
        url: String,
    },
    /// TLS without an authority to trust.
    #[error(
        "{url} needs --ca FILE: certificates that may vouch for cosigners, such as \
         /etc/ssl/certs/ca-certificates.crt"
    )]
    NoAuthority {
        /// What was given.
        url: String,
    },
    /// A certificate that cannot be used.
    #[error("{}: {detail}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
}

/// Where a cosigner is: its submission prefix, taken apart.
#[derive(Clone, Debug)]
pub(super) struct Address {
    url: String,
    host: String,
    port: u16,
    authority: HeaderValue,
    path: String,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

/// What connections are made with.
#[derive(Clone, Debug, Default)]
pub struct Connector {
    tls: Option<Arc<ClientConfig>>,
}

impl Connector {
    /// Trusts the authorities in a PEM file; without one, only cosigners on this machine can be reached.
    pub fn new(authorities: Option<&Path>) -> Result<Self, AddressError> {
        let Some(path) = authorities else { return Ok(Self::default()) };
        let bad = |detail: String| AddressError::Certificate { path: path.to_owned(), detail };
        let certificates: Vec<_> = CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect)
            .map_err(|error| bad(error.to_string()))?;
        let mut roots = RootCertStore::empty();
        // A system's bundle may hold one or another that rustls does not take.
        let (added, _) = roots.add_parsable_certificates(certificates);
        if added == 0 {
            return Err(bad("it holds no certificate that can be used".to_owned()));
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("aws-lc-rs has the default protocol versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![HTTP1.to_vec()];
        Ok(Self { tls: Some(Arc::new(config)) })
    }

    /// Takes a submission prefix apart.
    pub(super) fn address(&self, url: &str) -> Result<Address, AddressError> {
        let wrong = || AddressError::Malformed { url: url.to_owned() };
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(wrong());
        };
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        // A port that is no number up to 65535 reads as none at all, and the default one would be dialled instead.
        let whole = authority.port_u16().is_some() || authority.as_str() == authority.host();
        if host.is_empty() || !whole || uri.query().is_some() {
            return Err(wrong());
        }
        let tls = match scheme {
            "https" => {
                let config = self.tls.clone();
                let config =
                    config.ok_or_else(|| AddressError::NoAuthority { url: url.to_owned() })?;
                let name = ServerName::try_from(host.clone()).map_err(|_| wrong())?;
                Some((config, name))
            }
            "http" if is_loopback(&host) => None,
            "http" => return Err(AddressError::PlainText { url: url.to_owned() }),
            _ => return Err(wrong()),
        };
        let port = authority.port_u16().unwrap_or(if tls.is_some() { 443 } else { 80 });
        let path = format!("{}/add-checkpoint", uri.path().trim_end_matches('/'));
        let authority = HeaderValue::try_from(authority.as_str()).map_err(|_| wrong())?;
        Ok(Address { url: url.to_owned(), host, port, authority, path, tls })
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// What bytes go over: TCP, or TLS over it.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// What came back.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
}

/// A connection that is kept open between the questions of one exchange.
pub(super) struct Connection<'a> {
    address: &'a Address,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl<'a> Connection<'a> {
    /// A connection that is made with the first question.
    pub(super) const fn to(address: &'a Address) -> Self {
        Self { address, sender: None }
    }

    /// Hands a submission in. The error is for people.
    pub(super) async fn add_checkpoint(&mut self, body: String) -> Result<Answer, String> {
        match timeout(REQUEST_TIMEOUT, self.ask(body)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(format!("{}: {error}", self.address.url)),
            Err(_) => Err(format!(
                "{}: no answer within {} s",
                self.address.url,
                REQUEST_TIMEOUT.as_secs()
            )),
        }
    }

    async fn ask(
        &mut self,
        body: String,
    ) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
        let mut sender = match self.sender.take().filter(|sender| !sender.is_closed()) {
            Some(sender) => sender,
            None => connect(self.address).await?,
        };
        sender.ready().await?;
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = Uri::try_from(self.address.path.as_str())?;
        let headers = request.headers_mut();
        headers.insert(HOST, self.address.authority.clone());
        headers.insert(USER_AGENT, AGENT);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await?.to_bytes();
        self.sender = Some(sender);
        Ok(Answer { status: head.status, body: body.to_vec() })
    }
}

async fn connect(address: &Address) -> io::Result<SendRequest<Full<Bytes>>> {
    let tcp = TcpStream::connect((address.host.as_str(), address.port)).await?;
    tcp.set_nodelay(true)?;
    let stream: Box<dyn Stream> = match &address.tls {
        None => Box::new(tcp),
        Some((config, name)) => {
            let tls = TlsConnector::from(Arc::clone(config));
            Box::new(tls.connect(name.clone(), tcp).await?)
        }
    };
    let (sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    // It ends when the sender is dropped, or the other side hangs up; the sender tells of either.
    tokio::spawn(connection);
    Ok(sender)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_https_or_on_this_machine_and_its_prefix_is_kept() {
        let plain = Connector::default();
        for (url, host, port, path) in [
            ("http://127.0.0.1:7421", "127.0.0.1", 7421, "/add-checkpoint"),
            ("http://localhost/", "localhost", 80, "/add-checkpoint"),
            ("http://[::1]:9/a/b/", "::1", 9, "/a/b/add-checkpoint"),
        ] {
            let address = plain.address(url).unwrap();
            assert_eq!((address.host.as_str(), address.port), (host, port), "{url}");
            assert_eq!(address.path, path);
        }
        for url in [
            "",
            "127.0.0.1:1",
            "ftp://127.0.0.1",
            "http://127.0.0.1:99999",
            "http://127.0.0.1:1/?a=b",
        ] {
            assert!(matches!(plain.address(url), Err(AddressError::Malformed { .. })), "{url}");
        }
        let outside = plain.address("http://cosigner.example:80");
        assert!(matches!(outside, Err(AddressError::PlainText { .. })));
        let secured = plain.address("https://cosigner.example");
        assert!(matches!(secured, Err(AddressError::NoAuthority { .. })));
    }
}
