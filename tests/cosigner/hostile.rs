//! Callers who are slow or send too much, and a cosigner that lies: limits hold, and nothing is believed.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use tokio::sync::oneshot;
use vialedger::clock::{Clock, ManualClock};
use vialedger::cosigner::Watch;
use vialedger::server::{CosignerServer, CosignerServerOptions};
use vialedger::store::CosignerFolder;
use vialedger::tlog::MAX_SUBMISSION_BYTES;

use crate::clinics::Clinic;
use crate::support::{Cosigner, Log, add_checkpoint, exchange, request, run, text};

/// A cosigner in this process, with limits of time that a test can wait for.
fn serve(cosigner: &Cosigner, log: &Log, clock: Clock) -> (SocketAddr, oneshot::Sender<()>) {
    let folder = CosignerFolder::new(cosigner.dir.path());
    let watch = Watch::open(&folder, vec![log.vkey().clone()], clock).unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let (at, address) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let server = CosignerServer::bind(CosignerServerOptions {
                head_limit: Duration::from_millis(300),
                body_limit: Duration::from_millis(300),
                ..CosignerServerOptions::new("127.0.0.1:0".parse().unwrap())
            });
            let server = server.await.unwrap();
            at.send(server.local_addr()).unwrap();
            let stopped = async { drop(stopped.await) };
            server.run(watch, stopped).await;
        });
    });
    (address.recv().unwrap(), stop)
}

#[test]
fn a_slow_caller_is_cut_and_a_large_or_endless_one_is_refused() {
    let cosigner = Cosigner::begin("cosigner.example/slow");
    let log = Log::new("log.example/slow", 1).grow(9, "");
    let (address, _stop) = serve(&cosigner, &log, Clock::system());
    let patience = Some(Duration::from_secs(30));
    // Each of these would wait for ever, or for half a minute here, if nobody cut it.
    let head = "POST /add-checkpoint HTTP/1.1\r\nHost: c\r\n";
    let answered_and_then_idle = format!("{head}Content-Length: 1\r\n\r\nx");
    for begun in ["", "POST /add-", head, &answered_and_then_idle] {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(patience).unwrap();
        stream.write_all(begun.as_bytes()).unwrap();
        let mut said = Vec::new();
        stream.read_to_end(&mut said).unwrap();
        assert!(said.is_empty() || said.starts_with(b"HTTP/1.1 4"), "{begun:?}: {said:?}");
    }
    let body = log.submission(0, 5);
    let mut unfinished = request("POST", "/add-checkpoint", body.as_bytes());
    unfinished.truncate(unfinished.len() - 1);
    assert_eq!(exchange(address, &unfinished).status, 408);
    let large = vec![b'x'; MAX_SUBMISSION_BYTES + 1];
    assert_eq!(add_checkpoint(address, &large).status, 413);
    let chunks = "8000\r\n".to_owned() + &"x".repeat(0x8000) + "\r\n0\r\n\r\n";
    let head = format!("{head}Connection: close\r\n");
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunks}");
    assert_eq!(exchange(address, chunked.as_bytes()).status, 413);
    let many = format!("{head}{}\r\n", "X: y\r\n".repeat(1_000));
    assert_eq!(exchange(address, many.as_bytes()).status, 431);
    let wide = format!("{head}X: {}\r\n\r\n", "y".repeat(64 * 1024));
    assert_eq!(exchange(address, wide.as_bytes()).status, 431);
    assert_eq!(add_checkpoint(address, &body).status, 200, "and whoever behaves is answered");
}

#[test]
fn times_of_cosignatures_never_go_back_and_a_clock_far_behind_stops_them() {
    let cosigner = Cosigner::begin("cosigner.example/clock");
    let log = Log::new("log.example/clock", 1).grow(9, "");
    let hand = ManualClock::at("2026-11-21T09:30:00Z".parse().unwrap());
    let (address, _stop) = serve(&cosigner, &log, Clock::from(hand.clone()));
    assert_eq!(add_checkpoint(address, log.submission(0, 5)).status, 200);
    hand.set("2026-11-21T09:29:54Z".parse().unwrap());
    let refused = add_checkpoint(address, log.submission(5, 7));
    assert_eq!(refused.status, 503);
    assert!(refused.headers.contains("retry-after"), "{}", refused.headers);
    hand.set("2026-11-21T09:29:55Z".parse().unwrap());
    assert_eq!(add_checkpoint(address, log.submission(5, 7)).status, 200);
    assert_eq!(add_checkpoint(address, log.submission(5, 9)).body, "7\n");
}

/// A cosigner that says the same whatever it is asked.
fn liar(answer: String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut asked = Vec::new();
            let mut chunk = [0; 4096];
            while !asked.ends_with(b"=\n") {
                match stream.read(&mut chunk) {
                    Ok(0) | Err(_) => break,
                    Ok(count) => asked.extend_from_slice(&chunk[..count]),
                }
            }
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}

#[test]
fn an_answer_that_is_no_cosignature_is_not_kept() {
    let clinic = Clinic::new("ledger.example/lied-to");
    let cosigner = Cosigner::begin("cosigner.example/honest");
    let other = Cosigner::begin("cosigner.example/honest");
    let log = Log::new("log.example/elsewhere", 1).grow(9, "");
    let elsewhere = cosigner.serve(&[log.vkey()]);
    let of_another_log = add_checkpoint(elsewhere.address(), log.submission(0, 5)).body;
    let others = other.serve(&[log.vkey()]);
    let of_another_key = add_checkpoint(others.address(), log.submission(0, 5)).body;
    let said = |status: &str, body: &str| {
        format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    };
    let answers = [
        (said("200 OK", &of_another_log), 69, "does not hold"),
        (said("200 OK", &of_another_key), 69, "no cosignature by this cosigner's key"),
        (said("200 OK", ""), 69, "no cosignature"),
        (said("200 OK", &"x".repeat(100_000)), 69, "not reached"),
        (said("409 Conflict", "1\n"), 69, "refused with status 409"),
        (said("409 Conflict", "x\n"), 69, "refused with status 409"),
        (said("409 Conflict", "7\n"), 1, "7 entries of this ledger, which has 2"),
        (said("422 No", "no\u{7}\n"), 1, "ALARM"),
        (said("404 Not Found", "unknown log"), 69, "refused with status 404: unknown log"),
        (said("503 Later", "later"), 69, "not reached"),
        ("no HTTP at all\r\n\r\n".to_owned(), 69, "not reached"),
        (String::new(), 69, "not reached"),
    ];
    for (number, (answer, status, reason)) in answers.into_iter().enumerate() {
        let url = format!("http://{}", liar(answer));
        let policy = clinic.policy(&format!("policy-{number}"), &[(&cosigner, &url)]);
        let ledger = text(&clinic.path("ledger"));
        let ended = run(["cosigner", "submit", &ledger, "--policy", &policy, "--json"]);
        let ended = ended.expect(status).json();
        let error = ended["cosigners"][0]["error"].as_str().unwrap();
        assert!(error.contains(reason), "{number}: {error}");
    }
    assert!(!clinic.path("ledger/cosignatures/2.checkpoint").exists());
}
