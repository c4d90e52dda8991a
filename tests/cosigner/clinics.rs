//! Two clinics that watch each other: a ledger beside whose server every checkpoint is cosigned, one cosigner over TLS.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use vialedger::tlog::{Policy, SignedNote, VerifierKey};

use crate::support::{Cosigner, Ended, Process, run, text};

/// A ledger's folder with `init` done, at size 2.
pub(crate) struct Clinic {
    pub(crate) dir: TempDir,
    pub(crate) vkey: VerifierKey,
}

impl Clinic {
    pub(crate) fn new(origin: &str) -> Self {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let ledger = text(&dir.path().join("ledger"));
        let init = ["init", &ledger, "--origin", origin, "--site", "Example Clinic"];
        let rest = ["--address", "1 Main Street", "--admin", "Ada Alvarez", "--json"];
        let place = ["--place", "main=Main safe", "--utc-offset", "+00:00"];
        let begun = run(init.iter().chain(&rest).chain(&place)).expect(0);
        let vkey = begun.json()["verifier_key"].as_str().unwrap().parse().unwrap();
        Self { dir, vkey }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A copy of the ledger as it is now, its server being stopped.
    pub(crate) fn copy(&self, name: &str) -> PathBuf {
        copy(&self.path("ledger"), &self.path(name));
        self.path(name)
    }

    pub(crate) fn serve(ledger: &Path, more: &[&str]) -> Process {
        let serve = ["serve", &text(ledger), "--listen", "127.0.0.1:0"];
        let arguments: Vec<String> =
            serve.iter().chain(more).map(|&argument| argument.to_owned()).collect();
        Process::start(&arguments)
    }

    /// One more entry.
    pub(crate) fn create_place(&self, server: &Process, place: &str) {
        let key = text(&self.path("ledger/keys/ada-alvarez.pem"));
        let act = ["place", "create", place, "--name", place, "--key", &key];
        run(act.iter().chain(&["--server", server.url.as_str()])).expect(0);
    }

    /// A policy file: these cosigners with their addresses, all of them asked for.
    pub(crate) fn policy(&self, name: &str, cosigners: &[(&Cosigner, &str)]) -> String {
        let mut file = format!("log {}\n", self.vkey);
        let mut names = String::new();
        for (number, (cosigner, url)) in cosigners.iter().enumerate() {
            writeln!(file, "witness W{number} {} {url}", cosigner.vkey).unwrap();
            write!(names, " W{number}").unwrap();
        }
        writeln!(file, "group all all{names}\nquorum all").unwrap();
        std::fs::write(self.path(name), file).unwrap();
        text(&self.path(name))
    }

    pub(crate) fn verify(&self, ledger: &Path, more: &[&str]) -> Ended {
        let (ledger, vkey) = (text(ledger), self.vkey.to_string());
        run(["verify", &ledger, "--vkey", &vkey, "--json"].iter().chain(more))
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// An authority's certificate, and one for this machine with its key, as files.
fn certificates(folder: &Path) -> (String, [String; 4]) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let file = |name: &str, pem: &str| {
        std::fs::write(folder.join(name), pem).unwrap();
        text(&folder.join(name))
    };
    let server = ["--tls-cert".to_owned(), file("server.crt", &certificate.pem())];
    let key = ["--tls-key".to_owned(), file("server.key", &key.serialize_pem())];
    let [a, b] = server;
    let [c, d] = key;
    (file("ca.pem", &issuer.pem()), [a, b, c, d])
}

#[test]
fn two_cosigners_and_a_ledger_run_and_an_auditor_sees_both_signatures() {
    let clinic = Clinic::new("ledger.example/two");
    let (near, far) = (Cosigner::begin("near.example/c"), Cosigner::begin("far.example/c"));
    let (ca, tls) = certificates(clinic.dir.path());
    let tls: Vec<&str> = tls.iter().map(String::as_str).collect();
    let near_at = near.serve(&[&clinic.vkey]);
    let far_at = far.serve_with(&[&clinic.vkey], "127.0.0.1:0", &tls);
    assert!(far_at.url.starts_with("https://"));
    let far_url = far_at.url.replace("127.0.0.1", "localhost");
    let policy = clinic.policy("policy", &[(&near, &near_at.url), (&far, &far_url)]);
    let ledger = clinic.path("ledger");
    let status = || run(["cosigner", "status", &text(&ledger), "--policy", &policy, "--json"]);
    status().expect(2);
    clinic.verify(&ledger, &["--policy", &policy]).expect(2);

    let server = Clinic::serve(&ledger, &["--cosigners", &policy, "--ca", &ca]);
    for cosigner in ["W0", "W1"] {
        server.wait_for(&["the checkpoint was cosigned", cosigner, "size=2"]);
    }
    clinic.create_place(&server, "ward");
    for cosigner in ["W0", "W1"] {
        server.wait_for(&["the checkpoint was cosigned", cosigner, "size=3"]);
    }

    // A cosigner that is away delays no entry and is told apart in the log; back again, it is asked again.
    let address = far_at.address().to_string();
    far_at.stop();
    clinic.create_place(&server, "theatre");
    server.wait_for(&["the checkpoint was cosigned", "W0", "size=4"]);
    let told = server.wait_for(&["WARN", "no cosignature", "W1", "size=3"]);
    assert!(told.contains("age_seconds=") && told.contains("again_in="), "{told}");
    let now = status().expect(0).json();
    assert_eq!((&now["quorum_size"], &now["cosigners"][0]["size"]), (&3.into(), &4.into()));
    assert!(now["cosigners"][1]["age_seconds"].as_u64().unwrap() < 3_600);
    let far_at = far.serve_with(&[&clinic.vkey], &address, &tls);
    server.wait_for(&["the checkpoint was cosigned", "W1", "size=4"]);
    server.stop();

    let kept = std::fs::read(clinic.path("ledger/cosignatures/4.checkpoint")).unwrap();
    let kept = SignedNote::parse(&kept).unwrap();
    let policy_read = Policy::parse(&std::fs::read(&policy).unwrap()).unwrap();
    assert!(policy_read.checkpoint(&kept).is_ok());
    assert!(policy_read.cosignatures(&kept).unwrap().quorum);
    let report = clinic.verify(&ledger, &["--policy", &policy]).expect(0).json();
    assert_eq!(report["anchor"]["size"], 4);
    assert_eq!(report["cosigned"].as_array().unwrap().len(), 2);
    // The policy's own log line is enough, and a receipt without cosignatures is not.
    run(["verify", &text(&ledger), "--policy", &policy]).expect(0);
    std::fs::write(clinic.path("bare"), format!("{}", bare(&kept))).unwrap();
    let bare = text(&clinic.path("bare"));
    let report = clinic.verify(&ledger, &["--policy", &policy, "--checkpoint", &bare]).expect(2);
    assert!(report.json()["why"].as_str().unwrap().contains("fewer cosignatures"));
    near_at.stop();
    far_at.stop();
}

/// The note without its cosignatures.
fn bare(note: &SignedNote) -> SignedNote {
    SignedNote::new(note.text().to_owned(), note.signatures()[0].clone()).unwrap()
}

#[test]
fn a_checkpoint_is_handed_in_from_a_file_and_tls_trusts_the_named_authority_alone() {
    let clinic = Clinic::new("ledger.example/once");
    let cosigner = Cosigner::begin("once.example/c");
    let (ca, tls) = certificates(clinic.dir.path());
    let tls: Vec<&str> = tls.iter().map(String::as_str).collect();
    let at = cosigner.serve_with(&[&clinic.vkey], "127.0.0.1:0", &tls);
    let url = at.url.replace("127.0.0.1", "localhost");
    let policy = clinic.policy("policy", &[(&cosigner, &url)]);
    let ledger = text(&clinic.path("ledger/ledger.db"));
    let submit = |policy: &str, more: &[&str]| {
        let arguments = ["cosigner", "submit", &ledger, "--policy", policy, "--json"];
        run(arguments.iter().chain(more))
    };
    submit(&policy, &[]).expect(78);
    let strange = tempfile::tempdir().unwrap();
    let (stranger, _) = certificates(strange.path());
    let refused = submit(&policy, &["--ca", &stranger]).expect(69).json();
    assert_eq!(refused["cosigners"][0]["alarm"], false, "{refused}");
    let done = submit(&policy, &["--ca", &ca]).expect(0).json();
    assert_eq!((&done["size"], &done["quorum"]), (&2.into(), &true.into()));
    assert!(done["cosigners"][0]["age_seconds"].as_u64().unwrap() < 3_600);
    assert!(clinic.path("ledger/cosignatures/2.checkpoint").exists());

    // Plain text leaves this machine for nobody, and a policy for another ledger is not acted on.
    let away = clinic.policy("away", &[(&cosigner, "http://cosigner.example")]);
    assert!(submit(&away, &[]).expect(78).stdout.contains("plain text"));
    let other = Clinic::new("ledger.example/another");
    let others = other.policy("policy", &[(&cosigner, &url)]);
    let vkey = clinic.vkey.to_string();
    submit(&others, &["--ca", &ca, "--vkey", &vkey]).expect(78);
    let ledger = text(&clinic.path("ledger"));
    run(["serve", &ledger, "--listen", "127.0.0.1:0", "--cosigners", &others, "--ca", &ca])
        .expect(78);
    std::fs::write(clinic.path("broken"), "quorum nobody\n").unwrap();
    let broken = text(&clinic.path("broken"));
    let refused = submit(&broken, &[]).expect(65);
    assert!(refused.stdout.contains("policy line 1"), "{}", refused.stdout);
    at.stop();
}
