//! `serve --tiles`: the read API of tlog-tiles, byte for byte, with entries for readers alone.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use vialedger::key::Key;
use vialedger::server::{Server, ServerOptions};
use vialedger::service::{Service, ServiceOptions};

use crate::process::{Serving, run, serve};
use crate::support::{Ledger, accepted, files};

/// What came back.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// One request in so many words, and what came back.
fn ask(server: &Serving, method: &str, path: &str, headers: &[&str]) -> Answer {
    let address = server.tiles.as_ref().unwrap().strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let headers: String = headers.iter().map(|header| (*header).to_owned() + "\r\n").collect();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|at| at == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.map(|line| line.split_once(": ").unwrap());
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Answer { status, headers, body: answer[end + 4..].to_vec() }
}

fn get(server: &Serving, path: &str, token: Option<&str>) -> Answer {
    let bearer = token.map(|token| format!("Authorization: Bearer {token}"));
    let headers: Vec<&str> = bearer.iter().map(String::as_str).collect();
    ask(server, "GET", path, &headers)
}

fn token(ledger: &Ledger, key: &str) -> String {
    let said = run(&["token", "--key", key, "--vkey", &ledger.vkey()]);
    String::from_utf8(said.stdout).unwrap().trim().to_owned()
}

fn ada(ledger: &Ledger) -> String {
    ledger.text("ledger/keys/ada-alvarez.pem")
}

fn start(ledger: &Ledger, options: &[&str]) -> Serving {
    let tiles = ["--tiles", "127.0.0.1:0"];
    Serving::start(ledger.folder().as_ref(), &[&tiles[..], options].concat())
}

#[test]
fn every_file_of_an_export_is_served_with_the_same_bytes() {
    let ledger = Ledger::of(300);
    let tiles = ledger.export("tiles");
    let server = start(&ledger, &[]);
    let token = token(&ledger, &ada(&ledger));
    for (name, bytes) in files(&tiles) {
        let entries = name.starts_with("tile/entries/");
        let answer = get(&server, &format!("/{name}"), entries.then_some(&token));
        assert_eq!((answer.status, &answer.body), (200, &bytes), "{name}");
        let (kind, cached) = match name.as_str() {
            "checkpoint" => ("text/plain; charset=utf-8", "no-store"),
            _ if entries => ("application/octet-stream", "private, max-age=31536000, immutable"),
            _ => ("application/octet-stream", "public, max-age=31536000, immutable"),
        };
        assert_eq!((answer.header("content-type"), answer.header("cache-control")), (kind, cached));
        let head =
            ask(&server, "HEAD", &format!("/{name}"), &[&format!("authorization: bearer {token}")]);
        assert_eq!((head.status, head.body.len()), (200, 0), "{name}");
        assert_eq!(head.header("content-length"), bytes.len().to_string());
    }
    // Partial ones of every width that the ledger ever had, and no wider one.
    let row = fs::read(format!("{tiles}/tile/0/000")).unwrap();
    for width in [1, 5, 255] {
        let answer = get(&server, &format!("/tile/0/000.p/{width}"), None);
        assert_eq!((answer.status, &answer.body[..]), (200, &row[..32 * width]));
    }
    let bundle = get(&server, "/tile/entries/001.p/3", Some(&token));
    let all = fs::read(format!("{tiles}/tile/entries/001.p/44")).unwrap();
    assert!(bundle.status == 200 && all.starts_with(&bundle.body) && !bundle.body.is_empty());
    for path in ["/tile/entries/001.p/45", "/tile/entries/001", "/tile/entries/002.p/1"] {
        assert_eq!(get(&server, path, Some(&token)).status, 404, "{path}");
    }
    server.stop();
    ledger.audit(300);
}

#[test]
fn entries_are_for_those_who_may_read_and_hashes_for_anybody() {
    let ledger = Ledger::of(40);
    let server = start(&ledger, &[]);
    let good = token(&ledger, &ada(&ledger));
    let size = ledger.entries().len();
    let path = format!("/tile/entries/000.p/{size}");
    assert_eq!(get(&server, &path, Some(&good)).status, 200);

    let refused = |token: Option<&str>, reason: &str| {
        let answer = get(&server, &path, token);
        assert_eq!((answer.status, answer.header("vialedger-reason")), (401, reason), "{token:?}");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert!(!answer.body.is_empty() && answer.body.len() < 400, "{answer:?}");
    };
    refused(None, "TOKEN_MISSING");
    refused(Some("nonsense"), "TOKEN_MALFORMED");
    let (front, signature) = good.rsplit_once('.').unwrap();
    refused(
        Some(&format!("{front}.{}", signature.replacen(|_| true, "_", 3))),
        "TOKEN_SIGNATURE_INVALID",
    );
    // A key that this ledger never knew.
    let stranger = ledger.text("stranger.pem");
    run(&["key", "new", &stranger]);
    refused(Some(&token(&ledger, &stranger)), "UNKNOWN_KEY");
    // Another ledger's reader.
    let other = Ledger::of(2);
    refused(Some(&token(&other, &ada(&other))), "UNKNOWN_KEY");
    let two = ["Authorization: Bearer a", "Authorization: Bearer b"];
    assert_eq!(ask(&server, "GET", &path, &two).status, 401, "one header, once");
    // A stranger is not told what there is.
    assert_eq!(get(&server, "/tile/entries/999", None).status, 401);
    assert_eq!(get(&server, "/tile/entries/999", Some(&good)).status, 404);

    for open in ["/checkpoint", &format!("/tile/0/000.p/{size}")] {
        assert_eq!(get(&server, open, None).status, 200, "{open}");
    }
    assert!(!server.log().contains(&good), "a token is in the log");
    assert!(server.log().contains(&format!("tile/entries/000.p/{size}")), "{}", server.log());
    server.stop();
}

#[test]
fn whoever_lost_role_or_key_reads_no_entries() {
    let ledger = Ledger::of(3);
    let (nina, ada) = (ledger.text("nina.pem"), ada(&ledger));
    run(&["key", "new", &nina]);
    let server = start(&ledger, &[]);
    let act = |arguments: &[&str]| {
        run(&[arguments, &["--server", &server.url, "--key", &ada]].concat());
    };
    let enroll = ["person", "enroll", "nina", "--name", "Nina", "--role", "nurse"];
    act(&[&enroll[..], &["--person-key", &nina]].concat());
    let token = token(&ledger, &nina);
    assert_eq!(get(&server, "/tile/entries/000.p/4", Some(&token)).status, 200);
    act(&["person", "roles", "nina"]);
    let answer = get(&server, "/tile/entries/000.p/4", Some(&token));
    assert_eq!((answer.status, answer.header("vialedger-reason")), (403, "ROLE_NOT_HELD"));
    let fingerprint = run(&["key", "public", &nina]).stdout;
    let public = String::from_utf8(fingerprint).unwrap();
    act(&["person", "revoke", "nina", "--reason", "lost", "--public-key", public.trim()]);
    let answer = get(&server, "/tile/entries/000.p/4", Some(&token));
    assert_eq!((answer.status, answer.header("vialedger-reason")), (401, "KEY_REVOKED"));
    server.stop();
    ledger.audit(6);
}

#[test]
fn a_client_that_says_nothing_more_is_sent_away_and_one_that_idles_delays_no_stop() {
    let ledger = Ledger::of(3);
    let key = Key::load(&ledger.path("ledger/ledger.key"), None).unwrap();
    let folder = ledger.path("ledger");
    let (service, writer) =
        Service::open(&folder, key.signing_key(), ServiceOptions::default()).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let loopback = ([127, 0, 0, 1], 0).into();
    let mut options = ServerOptions::new(loopback);
    options.tiles = Some(loopback);
    // Short for whoever must be waited for, and long for whoever must not.
    options.handshake_limit = Duration::from_millis(200);
    options.drain_limit = Duration::from_mins(10);
    let server = runtime.block_on(Server::bind(options)).unwrap();
    let address = server.tiles_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = runtime.spawn(server.run(service, async move {
        let _ = stopped.await;
    }));
    let wait = Duration::from_mins(1);
    for said in ["", "GET /chec", "GET /checkpoint HTTP/1.1\r\nHost: here\r\n"] {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(wait)).unwrap();
        stream.write_all(said.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        assert!(!String::from_utf8_lossy(&answer).contains(" 200 "), "{said:?}");
    }
    // A connection that was asked once and is kept, when the server stops.
    let mut kept = TcpStream::connect(address).unwrap();
    kept.set_read_timeout(Some(wait)).unwrap();
    kept.write_all(b"GET /checkpoint HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
    let mut first = [0; 12];
    kept.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    stop.send(()).unwrap();
    runtime.block_on(async { tokio::time::timeout(wait, serving).await.unwrap().unwrap() });
    kept.read_to_end(&mut Vec::new()).unwrap();
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
    writer.join().unwrap();
    ledger.audit(3);
}

#[test]
fn a_path_has_one_spelling_and_nothing_else_is_there() {
    let ledger = Ledger::of(260);
    let server = start(&ledger, &[]);
    let token = token(&ledger, &ada(&ledger));
    for path in [
        "/",
        "/checkpoint/",
        "/checkpoint?now",
        "//checkpoint",
        "/Checkpoint",
        "/tile/0/0",
        "/tile/00/000",
        "/tile/0/000.p/256",
        "/tile/0/000.p/0",
        "/tile/0/000?x=y",
        "/tile/0/001",
        "/tile/0/001.p/5",
        "/tile/0/x001/000",
        "/tile/1/000",
        "/tile/1/000.p/2",
        "/tile/64/000",
        "/tile/63/000.p/1",
        "/%74ile/0/000",
        "/tile/entries/../0/000",
        "/tile/entries/000/",
        "/tile/0/x018/x446/x744/x073/x709/x551/615",
        "/tile/entries/x018/x446/x744/x073/x709/x551/615",
        "/ledger.db",
        "/../ledger/ledger.key",
    ] {
        let answer = get(&server, path, Some(&token));
        assert_eq!((answer.status, answer.header("cache-control")), (404, "no-store"), "{path}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let answer = ask(&server, method, "/checkpoint", &["Content-Length: 0"]);
        assert_eq!((answer.status, answer.header("allow")), (405, "GET, HEAD"), "{method}");
    }
    let long = format!("X-Long: {}", "x".repeat(20_000));
    assert_eq!(ask(&server, "GET", "/checkpoint", &[&long]).status, 431);
    server.stop();
    ledger.audit(260);
}

#[test]
fn the_checkpoint_grows_with_the_ledger_and_another_library_reads_it_live() {
    let ledger = Ledger::of(258);
    let server = start(&ledger, &[]);
    let token = token(&ledger, &ada(&ledger));
    let environment = [("VIALEDGER_TOKEN", token.as_str())];
    let url = server.tiles.clone().unwrap();
    let told = accepted(&["accept", &url, &ledger.vkey()], &environment);
    assert_eq!(told["size"], 258);
    let add = ["place", "create", "annex", "--name", "Annex", "--server", &server.url];
    run(&[&add[..], &["--key", &ada(&ledger)]].concat());
    let told = accepted(&["accept", &url, &ledger.vkey()], &environment);
    assert_eq!(told["size"], 259);
    // A proof of ours is the one that the library makes from what is served.
    let proof = ledger.text("258.tlog-proof");
    let prove = ["proof", "inclusion", "258", "--server", &server.url, "--key", &ada(&ledger)];
    run(&[&prove[..], &["--out", &proof]].concat());
    accepted(&["proofs", &url, &ledger.vkey(), &proof], &environment);
    let without = crate::support::foreign(&["accept", &url, &ledger.vkey()], &[]);
    assert!(!without.status.success(), "entries need a token");
    server.stop();
    ledger.audit(259);
}

#[test]
fn tiles_are_served_only_when_asked_for_and_only_where_nobody_listens_in() {
    let ledger = Ledger::of(2);
    let server = Serving::start(ledger.folder().as_ref(), &[]);
    assert_eq!(server.tiles, None);
    server.stop();
    let open = serve(ledger.folder().as_ref(), &["--tiles", "0.0.0.0:0"]).output().unwrap();
    let said = String::from_utf8_lossy(&open.stdout).into_owned();
    assert_eq!(open.status.code(), Some(78), "{said}");
    assert!(said.contains("--tls-cert"), "{said}");
    ledger.audit(2);
}

/// A certificate for this machine, and the authority that vouches for it.
fn certify(folder: &Path) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages.push(rcgen::KeyUsagePurpose::KeyCertSign);
    params.distinguished_name.push(DnType::CommonName, "Lakeside Clinic's authority");
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "Lakeside Clinic's ledger");
    params.use_authority_key_identifier_extension = true;
    let certificate = params.signed_by(&key, &authority).unwrap();
    fs::write(folder.join("ca.pem"), authority.pem()).unwrap();
    fs::write(folder.join("server.pem"), certificate.pem()).unwrap();
    fs::write(folder.join("server.key"), key.serialize_pem()).unwrap();
}

#[test]
fn tiles_are_served_under_the_servers_own_certificate() {
    let ledger = Ledger::of(5);
    certify(&ledger.path("."));
    let (certificate, key) = (ledger.text("server.pem"), ledger.text("server.key"));
    let server = start(&ledger, &["--tls-cert", &certificate, "--tls-key", &key]);
    let token = token(&ledger, &ada(&ledger));
    let url = server.tiles.clone().unwrap();
    assert!(url.starts_with("https://"), "{url}");
    let authority = ledger.text("ca.pem");
    let environment = [("VIALEDGER_TOKEN", token.as_str()), ("REQUESTS_CA_BUNDLE", &authority)];
    let told = accepted(&["accept", &url, &ledger.vkey()], &environment);
    assert_eq!(told["size"], 5);
    let blind = [("VIALEDGER_TOKEN", token.as_str())];
    let untrusted = crate::support::foreign(&["accept", &url, &ledger.vkey()], &blind);
    assert!(!untrusted.status.success(), "nobody vouches for the certificate");
    server.stop();
    ledger.audit(5);
}
