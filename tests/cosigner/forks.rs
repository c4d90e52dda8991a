//! A ledger that tells two stories is caught, and the proof needs nobody's word.

use std::path::Path;

use vialedger::tlog::{Divergence, SplitView};

use crate::clinics::Clinic;
use crate::support::{Cosigner, Ended, Log, add_checkpoint, run, text};

fn submit(ledger: &Path, policy: &str) -> Ended {
    run(["cosigner", "submit", &text(ledger), "--policy", policy, "--json"])
}

fn evidence(cosigner: &Cosigner, out: &Path) -> Ended {
    let dir = cosigner.path();
    run(["cosigner", "evidence", "--dir", &dir, "--out", &text(out), "--json"])
}

#[test]
fn a_forked_ledger_is_caught_and_the_saved_proof_stands_by_itself() {
    let clinic = Clinic::new("ledger.example/forked");
    let cosigner = Cosigner::begin("watch.example/c");
    let at = cosigner.serve(&[&clinic.vkey]);
    let policy = clinic.policy("policy", &[(&cosigner, &at.url)]);
    let ledger = clinic.path("ledger");
    submit(&ledger, &policy).expect(0);
    evidence(&cosigner, clinic.dir.path()).expect(0);

    // The same key and the same first two entries; then two servers, each with a story of its own.
    let fork = clinic.copy("fork");
    let server = Clinic::serve(&ledger, &[]);
    clinic.create_place(&server, "ward");
    server.stop();
    submit(&ledger, &policy).expect(0);
    let server = Clinic::serve(&fork, &[]);
    clinic.create_place(&server, "theatre");
    server.stop();
    let caught = submit(&fork, &policy).expect(1).json();
    assert_eq!(caught["cosigners"][0]["alarm"], true);
    let said = caught["cosigners"][0]["error"].as_str().unwrap();
    assert!(said.starts_with("ALARM"), "{said}");
    at.wait_for(&["ERROR", "SPLIT VIEW", "ledger.example/forked"]);

    // It grows on, with the proof that its own entries give it.
    let server = Clinic::serve(&fork, &["--cosigners", &policy]);
    server.wait_for(&["ERROR", "no cosignature", "ALARM"]);
    clinic.create_place(&server, "pharmacy");
    server.stop();
    submit(&fork, &policy).expect(1);

    let found = evidence(&cosigner, clinic.dir.path()).expect(1).json();
    let reasons: Vec<_> = found["evidence"].as_array().unwrap().iter().collect();
    let reasons: Vec<_> = reasons.iter().map(|row| row["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["same-size", "other-beginning"]);
    let other = Clinic::new("ledger.example/other").vkey.to_string();
    for number in [1, 2] {
        let file = text(&clinic.path(&format!("split-view-{number}.txt")));
        let prove = |log: &str| run(["cosigner", "prove", &file, "--log", log, "--json"]);
        let proved = prove(&clinic.vkey.to_string()).expect(0).json();
        assert_eq!(proved["reason"], reasons[number - 1]);
        prove(&other).expect(1);
        let split = SplitView::parse(&std::fs::read(&file).unwrap()).unwrap();
        // Whoever holds either file can show it too: each checkpoint accuses the other ledger.
        for (note, good, bad) in [(split.kept(), &ledger, &fork), (split.other(), &fork, &ledger)] {
            std::fs::write(clinic.path("note"), note.to_string()).unwrap();
            let note = text(&clinic.path("note"));
            clinic.verify(good, &["--checkpoint", &note]).expect(0);
            assert_ne!(clinic.verify(bad, &["--checkpoint", &note]).expect(1).json()["fault"], "");
        }
    }
    let printed = run(["cosigner", "evidence", "--dir", &cosigner.path()]).expect(1).stdout;
    let saved = std::fs::read_to_string(clinic.path("split-view-1.txt")).unwrap();
    assert!(printed.contains("SPLIT VIEW 1") && printed.contains(saved.trim_end()), "{printed}");
    let listed = run(["cosigner", "list", "--dir", &cosigner.path(), "--json"]).expect(0).json();
    assert_eq!(listed["logs"][0]["size"], 3, "what was cosigned is the first story alone");
    assert_eq!(listed["logs"][0]["evidence"], 2);
    at.stop();
}

#[test]
fn a_ledger_that_lost_its_tail_hears_of_it() {
    let clinic = Clinic::new("ledger.example/cut");
    let cosigner = Cosigner::begin("watch.example/cut");
    let at = cosigner.serve(&[&clinic.vkey]);
    let policy = clinic.policy("policy", &[(&cosigner, &at.url)]);
    let (ledger, older) = (clinic.path("ledger"), clinic.copy("older"));
    let server = Clinic::serve(&ledger, &[]);
    clinic.create_place(&server, "ward");
    server.stop();
    submit(&ledger, &policy).expect(0);
    let told = submit(&older, &policy).expect(1).json();
    let said = told["cosigners"][0]["error"].as_str().unwrap();
    assert!(said.contains("3 entries of this ledger, which has 2"), "{said}");
    at.stop();
}

#[test]
fn a_contradiction_is_kept_whatever_the_answer_is_and_an_honest_log_is_not_accused() {
    let cosigner = Cosigner::begin("watch.example/odd");
    let log = Log::new("log.example/odd", 1).grow(40, "");
    let fork = Log::new("log.example/odd", 1).grow(2, "").grow(40, "fork");
    let at = cosigner.serve(&[log.vkey()]);
    let answer = |body: String| add_checkpoint(at.address(), body).status;
    for (old, size) in [(0, 3), (3, 8), (8, 8), (8, 11)] {
        assert_eq!(answer(log.submission(old, size)), 200);
    }
    // An old size, so that the answer is 409; what it contradicts is not the newest.
    assert_eq!(answer(fork.submission(0, 3)), 409);
    assert_eq!(answer(fork.submission(3, 6)), 409);
    // The log's own checkpoint with somebody's bad proof, and then with a good one.
    let proof = log.submission(11, 20).split_once("\n\n").unwrap().0.to_owned();
    let without = log.submission(11, 20).replacen(&proof, "old 11", 1);
    assert_eq!(answer(without.clone()), 422);
    assert_eq!(answer(without), 422);
    assert_eq!(answer(log.submission(11, 20)), 200);
    assert_eq!(answer(log.submission(20, 32)), 200);
    // At a power of two the fork's proof shows nothing; the checkpoint is kept, and called unproven.
    assert_eq!(answer(fork.submission(32, 40)), 422);

    let folder = tempfile::tempdir().unwrap();
    let found = evidence(&cosigner, folder.path()).expect(1).json();
    let rows = found["evidence"].as_array().unwrap();
    let row = |row: &serde_json::Value| {
        (row["reason"].as_str().unwrap().to_owned(), row["cleared"].as_bool().unwrap())
    };
    assert_eq!(
        rows.iter().map(row).collect::<Vec<_>>(),
        [
            ("same-size".to_owned(), false),
            ("other-beginning".to_owned(), false),
            ("unproven".to_owned(), true),
            ("unproven".to_owned(), false),
        ]
    );
    let split = |number: usize| {
        SplitView::parse(rows[number]["split_view"].as_str().unwrap().as_bytes()).unwrap()
    };
    assert!(matches!(split(0).verify(log.vkey()), Ok(Divergence::SameSize { size: 3, .. })));
    let beginning = split(1).verify(log.vkey());
    assert!(matches!(beginning, Ok(Divergence::OtherBeginning { size: 3, larger: 6, .. })));
    assert!(split(2).verify(log.vkey()).is_err() && split(3).verify(log.vkey()).is_err());
    at.stop();
}
