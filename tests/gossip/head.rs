//! The head file: never ahead of the ledger, soon up to date, and exact after a stop.

use std::fs;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use vialedger::tlog::Standing;

use crate::clinic::{Clinic, add};

const KILLS: u64 = 8;

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_never_leaves_a_head_file_that_is_ahead() {
    let clinic = Clinic::new("ledger.example/killed");
    let (ledger, head) = (clinic.ledger(), clinic.path("ledger/ledger.head"));
    let mut number = 0;
    for kill in 0..KILLS {
        let server = Clinic::serve(&ledger, &[]);
        let client = clinic.client(&server).await;
        // Killed at another moment of the pause between two writes of the file each time.
        let life = Duration::from_millis(60 + 37 * kill);
        let _ended = timeout(life, async {
            while add(&client, number).await.is_some() {
                number += 1;
            }
        })
        .await;
        number += 1;
        server.kill();
        assert_eq!(clinic.standing(&ledger, &head), Standing::Extends, "kill {kill}");
    }
    assert!(number > KILLS, "something was written between the kills");
    let server = Clinic::serve(&ledger, &[]);
    let client = clinic.client(&server).await;
    assert!(add(&client, number).await.is_some(), "a crash is no reason not to write");
    server.stop();
    let size = clinic.verify(&ledger, &[]).expect(0).json()["entries"].as_u64().unwrap();
    assert_eq!(clinic.checkpoint(&head).size(), size, "after a stop it is exact");
}

#[tokio::test]
async fn it_follows_a_running_server_wherever_it_is_kept() {
    let clinic = Clinic::new("ledger.example/follows");
    let head = clinic.path("elsewhere.head");
    let server = Clinic::serve(&clinic.ledger(), &["--head-file", head.to_str().unwrap()]);
    assert_eq!(clinic.checkpoint(&head).size(), 2, "from the start on");
    let client = clinic.client(&server).await;
    for number in 0..5 {
        add(&client, number).await.unwrap();
    }
    timeout(Duration::from_secs(30), async {
        while clinic.checkpoint(&head).size() < 7 {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("the newest checkpoint is soon outside the database");
    server.kill();
    // Half of the log that SQLite replays at a start is gone, as after a disk that lied about a sync.
    let wal = clinic.path("ledger/ledger.db-wal");
    let bytes = fs::read(&wal).unwrap();
    fs::write(&wal, &bytes[..bytes.len() / 2]).unwrap();
    let server = Clinic::serve(&clinic.ledger(), &["--head-file", head.to_str().unwrap()]);
    let error = Clinic::error(clinic.create("device", &server, "ward"), 1);
    assert_eq!(error["reason"], "LEDGER_BEHIND", "SQLite drops a torn log silently: {error}");
    server.stop();
    assert_eq!(clinic.checkpoint(&head).size(), 7, "a ledger that is behind does not move it back");
}

#[test]
fn a_head_file_that_holds_something_else_stops_the_writes_and_not_the_reads() {
    let clinic = Clinic::new("ledger.example/torn");
    clinic.grow(&clinic.ledger(), &["ward"]);
    fs::write(clinic.path("ledger/ledger.head"), "").unwrap();
    let server = Clinic::serve(&clinic.ledger(), &[]);
    let error = clinic.create("device", &server, "store").expect(75).json();
    assert_eq!(error["error"]["reason"], "WRITES_STOPPED");
    server.wait_for(&["ERROR", "does not hold a checkpoint of this ledger"]);
    clinic.on("device", &server, &["balances"]).expect(0);
    server.stop();
    let nowhere = clinic.path("nowhere/head");
    let refused = crate::support::run([
        "serve",
        clinic.ledger().to_str().unwrap(),
        "--listen",
        "127.0.0.1:0",
        "--head-file",
        nowhere.to_str().unwrap(),
    ]);
    refused.expect(74);
}
