//! The client and the server over TLS, with the client's certificate where it is asked for.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::support::{Clinic, Server, run};

/// An authority and the files of what it vouches for.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: PathBuf,
}

impl Authority {
    fn new(folder: &Path) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        std::fs::write(folder.join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, folder: folder.to_owned() }
    }

    /// A certificate for a name, and its key, as files.
    fn issue(&self, name: &str) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let (certificate_file, key_file) =
            (self.folder.join(format!("{name}.crt")), self.folder.join(format!("{name}.key")));
        std::fs::write(&certificate_file, certificate.pem()).unwrap();
        std::fs::write(&key_file, key.serialize_pem()).unwrap();
        (certificate_file, key_file)
    }
}

#[test]
fn tls_trusts_the_named_authority_alone_and_mutual_tls_asks_for_the_clients_certificate() {
    let clinic = Clinic::new();
    let authority = Authority::new(clinic.folder.path());
    let ca = clinic.path("ca.pem");
    let (certificate, key) = authority.issue("localhost");
    let (client_certificate, client_key) = authority.issue("device-7");
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let server = Server::start(
        &clinic,
        &["--tls-cert", &text(&certificate), "--tls-key", &text(&key), "--client-ca", &text(&ca)],
    );
    assert!(server.address.starts_with("https://127.0.0.1:"));
    let address = server.address.replace("127.0.0.1", "localhost");
    let person_key = text(&clinic.key("ada-alvarez"));
    let ask = |more: &[&str]| {
        let base = ["person", "list", "--json", "--server", &address, "--key", &person_key];
        run(base.into_iter().chain(more.iter().copied()))
    };

    let (ca, own) = (text(&ca), (text(&client_certificate), text(&client_key)));
    let shown = ["--ca", &ca, "--client-cert", &own.0, "--client-key", &own.1];
    assert_eq!(ask(&shown).expect(0).json()["people"][0]["name"], "people/ada-alvarez");
    // Without a certificate of our own, the server hangs up.
    assert_ne!(ask(&["--ca", &ca]).status, 0);
    // Without an authority nobody is trusted; with a stranger's, this server is not.
    ask(&[]).expect(78);
    let strange = tempfile::tempdir().unwrap();
    let _stranger = Authority::new(strange.path());
    let strange = text(&strange.path().join("ca.pem"));
    ask(&["--ca", &strange, "--client-cert", &own.0, "--client-key", &own.1]).expect(69);
}
