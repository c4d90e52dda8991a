//! What a cosigner answered, it never forgets: not under a hundred callers at once, and not when it is killed.

use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier};

use rusqlite::Connection;
use vialedger::cosigner::http::origin_hash;
use vialedger::tlog::{NoteSignature, verify_cosignature};

use crate::support::{Cosigner, Log, add_checkpoint, exchange, request, run, try_exchange};

/// Callers at the same time.
const CALLERS: u64 = 100;

fn log() -> Log {
    Log::new("log.example/memory", 1).grow(200, "")
}

/// The sizes that were cosigned, in the order in which that happened.
fn cosigned(cosigner: &Cosigner) -> Vec<u64> {
    let memory = Connection::open(cosigner.dir.path().join("cosigner.db")).unwrap();
    let mut rows = memory.prepare("SELECT size FROM cosigned ORDER BY number").unwrap();
    let sizes = rows.query_map([], |row| row.get::<_, i64>(0)).unwrap();
    sizes.map(|size| size.unwrap().try_into().unwrap()).collect()
}

#[test]
fn a_hundred_submissions_at_once_never_roll_a_cosigner_back() {
    let cosigner = Cosigner::begin("cosigner.example/race");
    let log = Arc::new(log());
    let at = cosigner.serve(&[log.vkey()]);
    let (address, start) = (at.address(), Arc::new(Barrier::new(100)));
    let callers: Vec<_> = (1..=CALLERS)
        .map(|caller| {
            let (log, start) = (Arc::clone(&log), Arc::clone(&start));
            let key = cosigner.vkey.clone();
            // Sizes in no order, so that small ones arrive after large ones.
            let size = caller * 37 % 101 + 1;
            std::thread::spawn(move || {
                start.wait();
                let (mut old, mut seen) = (0, 0);
                loop {
                    let answer = add_checkpoint(address, log.submission(old, size));
                    match answer.status {
                        200 => {
                            let line = answer.body.trim_end();
                            let mut note = log.checkpoint(size);
                            note.add_signature(NoteSignature::parse(line).unwrap()).unwrap();
                            verify_cosignature(&note, &key).unwrap();
                            return Some(size);
                        }
                        409 => old = answer.body.trim_end().parse().unwrap(),
                        _ => panic!("{answer:?}"),
                    }
                    assert!(old >= seen, "it said {seen} and then {old}");
                    seen = old;
                    if old > size {
                        return None;
                    }
                }
            })
        })
        .collect();
    let mut signed: Vec<u64> = callers.into_iter().filter_map(|one| one.join().unwrap()).collect();
    at.kill();

    let steps = cosigned(&cosigner);
    assert!(steps.is_sorted_by(|a, b| a < b), "{steps:?}");
    signed.sort_unstable();
    signed.dedup();
    assert_eq!(signed, steps, "what was answered was kept, and what was kept was answered");
    assert_eq!(steps.last(), Some(&101), "the largest of all is never refused");
}

#[test]
fn a_kill_among_a_hundred_callers_takes_no_answer_back() {
    let cosigner = Cosigner::begin("cosigner.example/storm");
    let log = Arc::new(log());
    let at = cosigner.serve(&[log.vkey()]);
    let address = at.address();
    let (answered, answers) = channel();
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (log, answered) = (Arc::clone(&log), answered.clone());
            std::thread::spawn(move || {
                let mut stands = 0;
                while stands < 200 {
                    let body = log.submission(stands, stands + 1);
                    let request = request("POST", "/add-checkpoint", body.as_bytes());
                    let Some(answer) = try_exchange(address, &request) else { return };
                    match answer.status {
                        200 => {
                            stands += 1;
                            answered.send(stands).unwrap();
                        }
                        409 => stands = answer.body.trim_end().parse().unwrap(),
                        _ => panic!("{answer:?}"),
                    }
                }
            })
        })
        .collect();
    drop(answered);
    let mut signed: Vec<u64> = answers.iter().take(50).collect();
    at.kill();
    for caller in callers {
        caller.join().unwrap();
    }
    signed.extend(answers.iter());

    assert!(signed.len() >= 50, "too few answers to show anything");
    let at = cosigner.serve(&[log.vkey()]);
    let stands = add_checkpoint(at.address(), log.submission(0, 200));
    assert_eq!(stands.status, 409);
    let stands: u64 = stands.body.trim_end().parse().unwrap();
    let largest = signed.iter().max().copied().unwrap();
    assert!(stands >= largest, "it signed {largest} and stands at {stands}");
    let steps = cosigned(&cosigner);
    assert_eq!(steps, (1..=stands).collect::<Vec<_>>(), "each step once, in order, kept whole");
    at.stop();
}

#[test]
fn what_was_answered_outlives_a_kill_and_the_next_answer_goes_on_from_there() {
    let cosigner = Cosigner::begin("cosigner.example/kill");
    let log = log();
    let path = format!("/{}/checkpoint", origin_hash("log.example/memory"));
    let mut old = 0;
    for size in [1, 2, 3, 50, 51, 200] {
        let at = cosigner.serve(&[log.vkey()]);
        let answer = add_checkpoint(at.address(), log.submission(old, size));
        assert_eq!(answer.status, 200, "{answer:?}");
        at.kill();

        let at = cosigner.serve(&[log.vkey()]);
        let again = add_checkpoint(at.address(), log.submission(old, size));
        assert_eq!((again.status, again.body), (409, format!("{size}\n")));
        let kept = exchange(at.address(), &request("GET", &path, b"")).body;
        assert_eq!(kept, format!("{}{}", log.checkpoint(size), answer.body), "whole, as answered");
        at.stop();
        old = size;
    }
    assert_eq!(cosigned(&cosigner), [1, 2, 3, 50, 51, 200]);
}

#[test]
fn a_cosigner_keeps_its_name_and_never_begins_again_without_its_memory() {
    let cosigner = Cosigner::begin("cosigner.example/once");
    let (dir, log) = (cosigner.path(), log().vkey().to_string());
    let key = |more: &[&str]| run(["cosigner", "key", "--dir", &dir, "--json"].iter().chain(more));
    let vkey = cosigner.vkey.to_string();
    assert_eq!(key(&[]).expect(0).json()["verifier_key"], vkey);
    assert_eq!(key(&["--name", "cosigner.example/once"]).expect(0).json()["verifier_key"], vkey);
    key(&["--name", "cosigner.example/twice"]).expect(64);

    let serve = |dir: &str, log: &str| {
        run(["cosigner", "serve", "--dir", dir, "--listen", "127.0.0.1:0", "--log", log])
    };
    serve(&dir, &vkey).expect(64);
    serve(&dir, "no key").expect(66);
    let running = cosigner.serve(&[&log.parse().unwrap()]);
    let second = serve(&dir, &log).expect(75);
    assert!(second.stderr.contains("in use (process"), "{}", second.stderr);
    running.stop();
    let plain = ["cosigner", "serve", "--dir", &dir, "--listen", "0.0.0.0:0", "--log", &log];
    run(plain).expect(78);

    let empty = tempfile::tempdir().unwrap();
    serve(empty.path().to_str().unwrap(), &log).expect(78);
    std::fs::remove_file(cosigner.dir.path().join("cosigner.db")).unwrap();
    serve(&dir, &log).expect(66);
    std::fs::remove_file(cosigner.dir.path().join("cosigner.vkey")).unwrap();
    key(&["--name", "cosigner.example/once"]).expect(66);
}
