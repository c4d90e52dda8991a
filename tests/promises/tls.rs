//! Nothing crosses a network in the clear unless somebody insists; certificates are renewed while
//! the server runs; and where client certificates are asked for, nobody comes in without one.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use prost::Message as _;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use vialedger::grpc::limits::MAX_HANDSHAKES;
use vialedger::pb::v1;
use vialedger::server::{Server, ServerError, ServerOptions, TlsFiles};

use crate::serving::{
    CREATE_PLACE, Call, Channel, Clinic, HEALTH_CHECK, LIST_PEOPLE, Written, channel, key, place,
};

/// An authority and the folder with what it signed.
struct Authority {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { folder, issuer }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// Writes a certificate for a host, or a client, and its key.
    fn issue(&self, name: &str) -> TlsFiles {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let files = TlsFiles {
            certificate: self.path(&format!("{name}.pem")),
            key: self.path(&format!("{name}.key")),
            client_authorities: None,
        };
        fs::write(&files.certificate, certificate.pem()).unwrap();
        fs::write(&files.key, key.serialize_pem()).unwrap();
        files
    }

    /// Who trusts this authority, and shows a certificate if it has one.
    fn client(&self, own: Option<&TlsFiles>) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(
            rustls::crypto::aws_lc_rs::default_provider(),
        ));
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let builder = builder.with_root_certificates(roots);
        let mut config = match own {
            None => builder.with_no_client_auth(),
            Some(files) => {
                let chain = vec![CertificateDer::from_pem_file(&files.certificate).unwrap()];
                let key = PrivateKeyDer::from_pem_file(&files.key).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        Arc::new(config).into()
    }
}

async fn secured(
    clinic: &Clinic,
    connector: &TlsConnector,
) -> std::io::Result<TlsStream<TcpStream>> {
    let socket = TcpStream::connect(clinic.address).await?;
    connector.connect(ServerName::try_from("localhost").unwrap(), socket).await
}

async fn check(channel: &mut Channel) -> Result<HealthCheckResponse, tonic::Status> {
    let call = Call::new(HEALTH_CHECK, &HealthCheckRequest::default());
    Ok(HealthCheckResponse::decode(call.send(channel).await?).unwrap())
}

async fn clinic(tls: TlsFiles) -> Clinic {
    Clinic::with(|options| options.tls = Some(tls)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_and_writes_go_over_tls_with_http2_agreed() {
    let authority = Authority::new();
    let clinic = clinic(authority.issue("localhost")).await;
    let stream = secured(&clinic, &authority.client(None)).await.unwrap();
    let (_, session) = stream.get_ref();
    assert_eq!(session.alpn_protocol(), Some(&b"h2"[..]));
    assert_eq!(session.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
    let mut channel = channel(stream).await;
    let write = Call::signed(CREATE_PLACE, &place("drawer"), &key("ada"));
    let written = Written::decode(write.send(&mut channel).await.unwrap()).unwrap();
    assert!(written.receipt.is_some());
    let read = Call::new(LIST_PEOPLE, &v1::ListPeopleRequest::default());
    read.bearer(&clinic.token("aud")).send(&mut channel).await.unwrap();
    clinic.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_trusts_another_authority_or_speaks_plain_text_gets_nothing() {
    let authority = Authority::new();
    let clinic = clinic(authority.issue("localhost")).await;
    let stranger = Authority::new().client(None);
    assert!(secured(&clinic, &stranger).await.is_err());
    let mut plain = clinic.connect().await;
    assert!(check(&mut plain).await.is_err());
    clinic.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_mutual_tls_only_clients_with_a_certificate_of_the_authority_come_in() {
    let authority = Authority::new();
    let mut files = authority.issue("localhost");
    files.client_authorities = Some(authority.path("ca.pem"));
    let clinic = clinic(files).await;
    let known = authority.issue("workstation");
    let elsewhere = Authority::new();
    let foreign = elsewhere.issue("workstation");

    let stream = secured(&clinic, &authority.client(Some(&known))).await.unwrap();
    check(&mut channel(stream).await).await.unwrap();
    for own in [None, Some(&foreign)] {
        // In TLS 1.3 a client learns only after its own handshake that it was refused.
        if let Ok(mut stream) = secured(&clinic, &authority.client(own)).await {
            assert!(stream.read_u8().await.is_err());
        }
    }
    clinic.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewed_certificate_is_served_from_the_next_connection_on() {
    let authority = Authority::new();
    let clinic = clinic(authority.issue("localhost")).await;
    let connector = authority.client(None);
    let shown = |stream: &TlsStream<TcpStream>| {
        stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
    };
    let before = secured(&clinic, &connector).await.unwrap();
    let old = shown(&before);
    let mut before = channel(before).await;

    authority.issue("localhost");
    let after = secured(&clinic, &connector).await.unwrap();
    let new = shown(&after);
    assert_ne!(old, new);
    check(&mut before).await.expect("who was connected stays connected");
    check(&mut channel(after).await).await.unwrap();

    // One that does not hold changes nothing.
    fs::write(authority.path("localhost.pem"), "not a certificate").unwrap();
    let still = secured(&clinic, &connector).await.unwrap();
    assert_eq!(shown(&still), new);
    check(&mut channel(still).await).await.unwrap();
    clinic.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_many_handshakes_are_made_at_a_time_and_the_next_one_waits() {
    let authority = Authority::new();
    let clinic = clinic(authority.issue("localhost")).await;
    let connector = authority.client(None);
    // Each of these has its turn and says nothing.
    let mut silent = Vec::new();
    for _ in 0..MAX_HANDSHAKES - 1 {
        silent.push(TcpStream::connect(clinic.address).await.unwrap());
    }
    secured(&clinic, &connector).await.expect("one turn is left");
    silent.push(TcpStream::connect(clinic.address).await.unwrap());
    // Connections that come at once have their turns in any order: the silent one may be overtaken, but not for long.
    let mut waiting = None;
    for _ in 0..20 {
        let mut next = Box::pin(secured(&clinic, &connector));
        let Ok(overtook) = tokio::time::timeout(Duration::from_millis(100), &mut next).await else {
            waiting = Some(next);
            break;
        };
        drop(overtook.unwrap());
    }
    let waiting = waiting.expect("one more than the limit has no turn");
    drop(silent.pop());
    waiting.await.unwrap();
    drop(silent);
    clinic.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_says_nothing_is_closed_after_the_limit() {
    let authority = Authority::new();
    let files = authority.issue("localhost");
    for tls in [None, Some(files)] {
        let clinic = Clinic::with(|options| {
            options.tls = tls;
            options.handshake_limit = Duration::from_millis(100);
        })
        .await;
        let mut silent = TcpStream::connect(clinic.address).await.unwrap();
        assert_eq!(silent.read(&mut [0; 1]).await.unwrap(), 0, "closed from the other side");
        clinic.close().await;
    }
}

#[tokio::test]
async fn plain_text_is_served_off_loopback_only_to_whoever_insists() {
    let anywhere = ServerOptions::new(([0, 0, 0, 0], 0).into());
    let refused = Server::bind(anywhere.clone()).await.unwrap_err();
    assert!(matches!(refused, ServerError::Plaintext(_)), "{refused}");
    let insists = ServerOptions { insecure_plaintext: true, ..anywhere.clone() };
    Server::bind(insists).await.unwrap();
    let files = Authority::new().issue("localhost");
    let secure = ServerOptions { tls: Some(files), ..anywhere };
    assert!(matches!(Server::bind(secure).await, Err(ServerError::Tls(_))), "its files are gone");
    Server::bind(ServerOptions::new(([127, 0, 0, 1], 0).into())).await.unwrap();
}

#[tokio::test]
async fn a_certificate_that_does_not_hold_is_named_before_anything_is_served() {
    let authority = Authority::new();
    let good = authority.issue("localhost");
    let other = authority.issue("elsewhere");
    let bind = async |files: TlsFiles| {
        let mut options = ServerOptions::new(([127, 0, 0, 1], 0).into());
        options.tls = Some(files);
        Server::bind(options).await
    };
    bind(good.clone()).await.unwrap();
    let named = |path: &Path| path.display().to_string();
    let absent = authority.path("absent.pem");
    for (files, part) in [
        (TlsFiles { certificate: absent.clone(), ..good.clone() }, named(&absent)),
        (TlsFiles { key: absent.clone(), ..good.clone() }, named(&absent)),
        (TlsFiles { certificate: good.key.clone(), ..good.clone() }, named(&good.key)),
        (TlsFiles { client_authorities: Some(absent.clone()), ..good.clone() }, named(&absent)),
        (TlsFiles { key: other.key, ..good.clone() }, "certificate and key".to_owned()),
    ] {
        let error = bind(files).await.unwrap_err().to_string();
        assert!(error.contains(&part), "{error}");
    }
}
