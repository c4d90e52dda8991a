//! A device remembers what it saw, and refuses a server that shows something else.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use vialedger::client::{ClientError, HistoryFault, Memory};
use vialedger::pb::v1;
use vialedger::tlog::SplitView;

use crate::clinic::{Clinic, add};

const DEVICES: usize = 20;

fn memory_of(clinic: &Clinic, device: &str) -> PathBuf {
    Memory::new(clinic.path(device)).file(&clinic.vkey)
}

#[test]
fn a_server_that_forks_is_refused_with_a_proof_and_gets_no_act() {
    let clinic = Clinic::new("ledger.example/forks");
    let fork = clinic.copy("ledger", "fork");
    clinic.grow(&fork, &["theatre", "pharmacy", "recovery"]);
    let honest = Clinic::serve(&clinic.ledger(), &[]);
    // What each device saw last: 3 entries, and 4, where no consistency proof holds the older root.
    clinic.create("three", &honest, "ward").expect(0);
    clinic.create("four", &honest, "store").expect(0);
    assert_eq!(clinic.checkpoint(&memory_of(&clinic, "three")).size(), 3);
    assert_eq!(clinic.checkpoint(&memory_of(&clinic, "four")).size(), 4);

    let forked = Clinic::serve(&fork, &[]);
    for (device, reason) in [("three", "other-beginning"), ("four", "same-size")] {
        let before = fs::read(memory_of(&clinic, device)).unwrap();
        let commands: [&[&str]; 2] =
            [&["balances"], &["place", "create", "attic", "--name", "Attic"]];
        for command in commands {
            let error = Clinic::error(clinic.on(device, &forked, command), 1);
            assert_eq!(error["reason"], "SPLIT_VIEW", "{error}");
            let said = error["message"].as_str().unwrap();
            assert!(said.contains("another history") && said.contains("Do not use"), "{said}");
            assert_eq!(error["entry"], serde_json::Value::Null, "nothing was sent");
            let evidence = error["evidence"].as_str().unwrap();
            assert_eq!(clinic.proves(evidence), reason);
            assert!(Path::new(evidence).with_extension("said").exists());
        }
        assert_eq!(fs::read(memory_of(&clinic, device)).unwrap(), before);
        // The one that it knows is good for it as before, and so is the fork for a device that knows nothing.
        clinic.on(device, &honest, &["balances"]).expect(0);
    }
    let shown = clinic.on("new", &forked, &["entries"]).expect(0).stdout;
    assert!(!shown.contains("attic"), "no act of a device that was warned is in the fork: {shown}");
    honest.stop();
    forked.stop();
}

#[test]
fn a_fork_that_signed_nothing_at_a_power_of_two_is_proved_by_its_first_entry() {
    let clinic = Clinic::new("ledger.example/unsigned");
    let fork = clinic.copy("ledger", "fork");
    clinic.grow(&fork, &["theatre", "pharmacy", "recovery"]);
    // As where several entries are of one commit: no checkpoint says what the first four are.
    let database = rusqlite::Connection::open(fork.join("ledger.db")).unwrap();
    let guard = "SELECT sql FROM sqlite_schema WHERE name = 'checkpoints_never_go'";
    let guard: String = database.query_row(guard, [], |row| row.get(0)).unwrap();
    database.execute_batch("DROP TRIGGER checkpoints_never_go").unwrap();
    assert_eq!(database.execute("DELETE FROM checkpoints WHERE size = 4", []).unwrap(), 1);
    database.execute_batch(&guard).unwrap();
    drop(database);
    let honest = Clinic::serve(&clinic.ledger(), &[]);
    clinic.create("device", &honest, "ward").expect(0);
    clinic.create("device", &honest, "store").expect(0);
    assert_eq!(clinic.checkpoint(&memory_of(&clinic, "device")).size(), 4);
    honest.stop();
    let forked = Clinic::serve(&fork, &[]);
    let error = Clinic::error(clinic.on("device", &forked, &["balances"]), 1);
    assert_eq!(error["reason"], "SPLIT_VIEW", "{error}");
    assert_eq!(clinic.proves(error["evidence"].as_str().unwrap()), "other-beginning");
    forked.stop();
    // A server that is started on the fork, and knows of the other history, proves it against itself.
    let known = memory_of(&clinic, "device").to_str().unwrap().to_owned();
    let server = Clinic::serve(&fork, &["--known-checkpoint", &known]);
    server.stop();
    let proof = fork.join("split-view-4.txt").to_str().unwrap().to_owned();
    assert_eq!(clinic.proves(&proof), "other-beginning");
}

#[test]
fn a_server_that_was_put_back_is_told_apart_in_words() {
    let clinic = Clinic::new("ledger.example/older");
    let older = clinic.copy("ledger", "older");
    let server = Clinic::serve(&clinic.ledger(), &[]);
    clinic.create("device", &server, "ward").expect(0);
    clinic.create("device", &server, "store").expect(0);
    server.stop();
    let server = Clinic::serve(&older, &[]);
    let error = Clinic::error(clinic.on("device", &server, &["balances"]), 1);
    assert_eq!(error["reason"], "LEDGER_BEHIND");
    let said = error["message"].as_str().unwrap();
    assert!(said.contains("this ledger has 2, you saw 4: entries 2 to 3 are missing"), "{said}");
    let evidence = fs::read(error["evidence"].as_str().unwrap()).unwrap();
    let both = SplitView::parse(&evidence).unwrap();
    assert!(both.kept().verify(&clinic.vkey).is_ok() && both.other().verify(&clinic.vkey).is_ok());
    // For people it is the same, with what it means first.
    let key = clinic.path("ledger/keys/ada-alvarez.pem");
    let memory = clinic.path("device");
    let told = crate::support::run([
        "balances".as_ref(),
        "--key".as_ref(),
        key.as_os_str(),
        "--server".as_ref(),
        server.url.as_ref(),
        "--memory".as_ref(),
        memory.as_os_str(),
    ]);
    let told = told.expect(1).stderr;
    assert!(told.starts_with("REFUSED: this ledger has 2, you saw 4"), "{told}");
    server.stop();
}

#[test]
fn what_a_device_remembers_never_goes_back_under_many_runs_at_once() {
    let clinic = Clinic::new("ledger.example/busy");
    let server = Clinic::serve(&clinic.ledger(), &[]);
    let file = memory_of(&clinic, "device");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let mut sizes = vec![0];
            while !done.load(Ordering::Acquire) {
                if file.exists() {
                    let size = clinic.checkpoint(&file).size();
                    assert!(size >= *sizes.last().unwrap(), "{size} after {sizes:?}");
                    sizes.push(size);
                }
            }
            sizes.dedup();
            sizes.len()
        });
        let runs: Vec<_> = (0..DEVICES)
            .map(|number| {
                let (clinic, url) = (&clinic, server.url.as_str());
                scope.spawn(move || {
                    let place = format!("p{number}");
                    let ended = match number % 2 {
                        0 => {
                            let act = ["place", "create", &place, "--name", &place];
                            clinic.at("device", url, &act)
                        }
                        _ => clinic.at("device", url, &["balances"]),
                    };
                    ended.expect(0);
                })
            })
            .collect();
        for run in runs {
            run.join().unwrap();
        }
        done.store(true, Ordering::Release);
        assert!(watching.join().unwrap() > 2, "the memory moved while it was watched");
    });
    let all = u64::try_from(2 + DEVICES / 2).unwrap();
    assert_eq!(clinic.checkpoint(&file).size(), all, "a run that ended last saw everything");
    server.stop();
}

#[test]
fn a_memory_that_is_damaged_or_nowhere_is_not_taken_for_an_empty_one() {
    let clinic = Clinic::new("ledger.example/damaged");
    let server = Clinic::serve(&clinic.ledger(), &[]);
    clinic.on("device", &server, &["balances"]).expect(0);
    fs::write(memory_of(&clinic, "device"), "torn").unwrap();
    let said = Clinic::error(clinic.on("device", &server, &["balances"]), 65);
    assert!(said["message"].as_str().unwrap().contains("does not hold a checkpoint"), "{said}");
    fs::write(clinic.path("file"), "").unwrap();
    Clinic::error(clinic.on("file", &server, &["balances"]), 74);
    server.stop();
}

#[tokio::test]
async fn in_process_a_client_without_a_memory_works_and_one_with_it_compares() {
    let clinic = Clinic::new("ledger.example/library");
    let older = clinic.copy("ledger", "older");
    let memory = Memory::new(clinic.path("device"));
    let server = Clinic::serve(&clinic.ledger(), &[]);
    let plain = clinic.client(&server).await;
    assert_eq!(add(&plain, 1).await, Some(2));
    assert!(memory.recall(&clinic.vkey).unwrap().is_none());
    let remembering = clinic.client(&server).await.with_memory(memory.clone());
    for number in 2..6 {
        assert_eq!(add(&remembering, number).await, Some(number + 1));
        // Somebody else's entry comes between: then the receipt alone proves nothing, and the proof is asked for.
        let known = memory.recall(&clinic.vkey).unwrap().unwrap();
        assert_eq!(known.checkpoint().size(), number + 2);
    }
    assert_eq!(add(&plain, 6).await, Some(7));
    assert_eq!(add(&remembering, 7).await, Some(8));
    assert_eq!(memory.recall(&clinic.vkey).unwrap().unwrap().checkpoint().size(), 9);
    server.stop();

    let server = Clinic::serve(&older, &[]);
    let plain = clinic.client(&server).await;
    plain.read(v1::GetCheckpointRequest { size: None }).await.unwrap();
    let remembering = clinic.client(&server).await.with_memory(memory);
    let refused = remembering.read(v1::GetBalancesRequest::default()).await.unwrap_err();
    let ClientError::History { fault, recorded: None } = refused else { panic!("{refused}") };
    assert!(matches!(*fault, HistoryFault::Behind { .. }), "{fault}");
    server.stop();
}
