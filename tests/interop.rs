//! Somebody else's program: a plain gRPC client in Python, made from the protos alone, reads, has a dose worked out and
//! dispenses against a real server with TLS, signing and verifying with libraries that are not ours.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::expect_used,
    missing_docs,
    reason = "tests"
)]

#[path = "support/process.rs"]
#[allow(dead_code, reason = "tests/crash.rs uses the rest")]
mod process;
#[path = "support/python.rs"]
mod python;

use std::fs;
use std::path::Path;
use std::process::Command;

use process::{Serving, run};
use python::python;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

/// A certificate for this machine, and the authority that vouches for it.
fn certify(folder: &Path) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "Lakeside Clinic's authority");
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "Lakeside Clinic's ledger");
    let certificate = params.signed_by(&key, &authority).unwrap();
    fs::write(folder.join("ca.pem"), authority.pem()).unwrap();
    fs::write(folder.join("server.pem"), certificate.pem()).unwrap();
    fs::write(folder.join("server.key"), key.serialize_pem()).unwrap();
}

#[test]
fn a_client_made_from_the_protos_alone_doses_dispenses_and_verifies() {
    let python = python();
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (ledger, ca, vkey) = (path("ledger"), path("ca.pem"), path("ledger/ledger.vkey"));
    certify(dir.path());
    let site = ["--site", "Lakeside Clinic", "--address", "1 Main Street, Dayton, Ohio"];
    let place = ["--utc-offset", "+00:00", "--place", "main=Main safe"];
    let init = ["init", &ledger, "--origin", "example.org/interop", "--admin", "Ada Alvarez"];
    run(&[&init[..], &["--admin-role", "pharmacist"], &site, &place].concat());
    let (certificate, key) = (path("server.pem"), path("server.key"));
    let tls = ["--tls-cert", &certificate, "--tls-key", &key];
    let server = Serving::start(Path::new(&ledger), &tls);

    // Ada publishes a formulary without plans, while nobody else could approve it; enrols a pharmacist and a nurse with keys of
    // their own; and takes a carton in.
    let ada = path("ledger/keys/ada-alvarez.pem");
    let (pat, nina) = (path("pat.pem"), path("nina.pem"));
    let act = |arguments: &[&str]| {
        let who = ["--server", &server.url, "--ca", &ca, "--key", &ada];
        run(&[arguments, &who].concat());
    };
    act(&[
        "formulary",
        "publish",
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/formulary-1.toml"),
    ]);
    for (name, role, key) in [("pat", "pharmacist", &pat), ("nina", "nurse", &nina)] {
        run(&["key", "new", key]);
        let person = format!("people/{name}");
        act(&["person", "enroll", &person, "--name", name, "--role", role, "--person-key", key]);
    }
    let carton = ["--product", "products/ketamine-42023-113-10", "--lot", "K7731"];
    let counted = ["--expiry", "2099-12-31", "--counted", "10", "--invoiced", "10"];
    let supplier = ["--supplier", "Prairie Medical", "--supplier-address", "12 Depot Road, Dayton"];
    let receive = ["stock", "receive", "--place", "places/main", "--invoice", "PMS-20881"];
    act(&[&receive[..], &["--received", "2026-01-05"], &supplier, &carton, &counted].concat());
    let token = run(&["token", "--key", &pat, "--vkey", &vkey]).stdout;

    let source = Path::new(env!("CARGO_MANIFEST_DIR"));
    let story = Command::new(python)
        .arg(source.join("tests/interop/clinic.py"))
        .args(["--server", &server.url, "--ca", &ca, "--vkey", &vkey, "--key", &pat])
        .args(["--holder", "people/nina", "--patient", "patients/p7", "--protos"])
        .arg(source.join("proto"))
        .env("VIALEDGER_TOKEN", String::from_utf8(token).unwrap().trim())
        .output()
        .unwrap();
    let told = String::from_utf8(story.stdout).unwrap();
    let failed = String::from_utf8(story.stderr).unwrap();
    assert!(story.status.success(), "{told}{failed}");
    println!("{told}");
    assert_eq!(told.matches("The receipt was verified here.").count(), 2, "{told}");
    assert!(told.contains("36.25 mg"), "0.5 mg/kg for 72.5 kg: {told}");

    server.stop();
    run(&["verify", &ledger, "--vkey", &vkey]);
}
