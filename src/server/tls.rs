//! TLS by rustls, with certificates that are read anew when their files change.
//!
//! The files are looked at when a connection comes: a few microseconds beside a handshake. So a
//! renewed certificate is served from the next connection on, with no signal and no restart; one
//! that does not hold is reported once and the old one goes on serving.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use rustls::server::{ServerConfig, VerifierBuilderError, WebPkiClientVerifier};
use rustls::{RootCertStore, version};
use tokio_rustls::TlsAcceptor;

/// The files of a server's certificate, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, and those between it and its authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Authorities of client certificates. With them, every client must show a certificate (mutual
    /// TLS); without, none is asked for.
    pub client_authorities: Option<PathBuf>,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or holds no PEM of the kind that is expected.
    #[error("{}: {source}; expected {expected} in PEM", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// Certificate and key do not fit together, or not what rustls takes.
    #[error("certificate and key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
    /// The client authorities cannot be used.
    #[error("the client authorities cannot be used: {0}")]
    Authorities(#[from] VerifierBuilderError),
}

/// HTTP/2 in ALPN's spelling (RFC 9113, section 3.2).
pub(super) const HTTP2: &[u8] = b"h2";

/// HTTP/1.1 in ALPN's spelling (RFC 7301).
pub(super) const HTTP1: &[u8] = b"http/1.1";

/// What tells a changed file from an unchanged one.
type Stamp = [Option<(SystemTime, u64)>; 3];

/// The certificate in use.
#[derive(Debug)]
pub(super) struct Tls {
    files: TlsFiles,
    /// The one protocol that is spoken after the handshake, by its ALPN name.
    protocol: &'static [u8],
    current: RwLock<(Stamp, Arc<ServerConfig>)>,
}

impl Tls {
    /// Reads the files, to speak one protocol over what they secure.
    pub(super) fn load(files: TlsFiles, protocol: &'static [u8]) -> Result<Self, TlsError> {
        // The stamp comes first: a file that changes in between is then read once more.
        let stamp = stamp(&files);
        let config = Arc::new(read(&files, protocol)?);
        Ok(Self { files, protocol, current: RwLock::new((stamp, config)) })
    }

    /// An acceptor with the newest certificate that holds.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let stamp = stamp(&self.files);
        {
            let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
            if current.0 == stamp {
                return Arc::clone(&current.1).into();
            }
        }
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.0 != stamp {
            current.0 = stamp;
            match read(&self.files, self.protocol) {
                Ok(config) => {
                    current.1 = Arc::new(config);
                    tracing::info!("the certificate has changed and is in use");
                }
                Err(error) => {
                    tracing::error!(%error, "the certificate has changed; the old one stays");
                }
            }
        }
        Arc::clone(&current.1).into()
    }
}

fn stamp(files: &TlsFiles) -> Stamp {
    let of = |path: &Path| {
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    [of(&files.certificate), of(&files.key), files.client_authorities.as_deref().and_then(of)]
}

fn read(files: &TlsFiles, protocol: &[u8]) -> Result<ServerConfig, TlsError> {
    let provider = provider();
    let chain = certificates(&files.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|source| TlsError::File {
        path: files.key.clone(),
        expected: "a private key",
        source,
    })?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])?;
    let builder = match &files.client_authorities {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for authority in certificates(path)? {
                roots.add(authority)?;
            }
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_single_cert(chain, key)?;
    config.alpn_protocols = vec![protocol.to_vec()];
    Ok(config)
}

/// One provider of cryptography in the whole program, named, so that none is chosen by accident.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |source| TlsError::File {
        path: path.to_owned(),
        expected: "one certificate or more",
        source,
    };
    let found = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(failed)?;
    if found.is_empty() { Err(failed(pem::Error::NoItemsFound)) } else { Ok(found) }
}
