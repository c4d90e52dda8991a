//! Copies of a running ledger, and ledgers made again from them.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use vialedger::tlog::Standing;

use crate::clinic::{Clinic, add};
use crate::support::{Ended, run, text};

const COPIES: usize = 4;

fn restore(clinic: &Clinic, from: &str, into: &str, more: &[&str]) -> Ended {
    let (from, into) = (text(&clinic.path(from)), text(&clinic.path(into)));
    let vkey = clinic.vkey.to_string();
    let restore = ["restore", &from, "--into", &into, "--vkey", &vkey, "--json"];
    run(restore.iter().chain(more))
}

fn backup(clinic: &Clinic, to: &str) -> Ended {
    run(["backup", &text(&clinic.ledger()), "--out", &text(&clinic.path(to)), "--json"])
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_of_a_busy_ledger_are_whole_and_restored_ones_go_on_only_if_nothing_is_missing() {
    let clinic = Clinic::new("ledger.example/copied");
    let server = Clinic::serve(&clinic.ledger(), &[]);
    let client = clinic.client(&server).await;
    let done = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn({
        let done = Arc::clone(&done);
        async move {
            let mut number = 0;
            while !done.load(Ordering::Acquire) {
                add(&client, number).await.expect("a copy makes no write wait for ever");
                number += 1;
            }
            number
        }
    });
    let copies = (0..COPIES).map(|copy| {
        let made = tokio::task::block_in_place(|| backup(&clinic, &format!("copy-{copy}")));
        made.expect(0).json()["entries"].as_u64().unwrap()
    });
    let sizes: Vec<u64> = copies.collect();
    done.store(true, Ordering::Release);
    let written: u64 = writer.await.unwrap();
    assert!(written > 0 && sizes.is_sorted() && sizes[0] < sizes[COPIES - 1], "{sizes:?}");
    server.stop();
    let size = clinic.verify(&clinic.ledger(), &[]).expect(0).json()["entries"].as_u64().unwrap();
    for (copy, size) in sizes.iter().enumerate() {
        let folder = clinic.path(&format!("copy-{copy}"));
        let checkpoint = folder.join("ledger.checkpoint");
        assert_eq!(clinic.checkpoint(&checkpoint).size(), *size);
        assert_eq!(clinic.standing(&clinic.ledger(), &checkpoint), Standing::Extends);
        clinic.verify(&folder, &["--checkpoint", &text(&checkpoint)]).expect(0);
        assert!(!folder.join("ledger.db-wal").exists(), "one file is the whole copy");
        assert!(folder.join("identities.db").exists() && !folder.join("ledger.key").exists());
    }

    // The first copy is behind the ledger; the ledger's own head says by what, and restoring says so at once.
    let head = text(&clinic.path("ledger/ledger.head"));
    let told = restore(&clinic, "copy-0", "behind", &["--known-checkpoint", &head]);
    let told = told.expect(1).json();
    assert_eq!(told["known"]["against"][0]["known"], size);
    assert_eq!(told["known"]["against"][0]["have"], sizes[0]);
    backup(&clinic, "last").expect(0);
    let told = restore(&clinic, "last", "whole", &["--known-checkpoint", &head]).expect(0).json();
    assert_eq!((told["entries"].as_u64(), &told["signing_key"]), (Some(size), &false.into()));
    for (folder, writes) in [("behind", false), ("whole", true)] {
        let folder = clinic.path(folder);
        for key in ["ledger.key", "identity.key"] {
            fs::copy(clinic.ledger().join(key), folder.join(key)).unwrap();
        }
        clinic.verify(&folder, &[]).expect(0);
        let server = Clinic::serve(&folder, &["--known-checkpoint", &head]);
        let ended = clinic.create("device", &server, "ward");
        assert_eq!(ended.status == 0, writes, "{ended:?}");
        server.stop();
    }
}

#[test]
fn nothing_is_overwritten_and_a_bad_copy_is_not_restored() {
    let clinic = Clinic::new("ledger.example/refused");
    clinic.grow(&clinic.ledger(), &["ward"]);
    backup(&clinic, "copy").expect(0);
    backup(&clinic, "copy").expect(73);
    restore(&clinic, "copy", "ledger", &[]).expect(73);
    restore(&clinic, "nowhere", "new", &[]).expect(66);
    assert!(!clinic.path("new/ledger.db").exists());
    // A log that another database left behind would be read into the restored one.
    fs::create_dir(clinic.path("leftover")).unwrap();
    fs::write(clinic.path("leftover/ledger.db-wal"), "old").unwrap();
    restore(&clinic, "copy", "leftover", &[]).expect(73);

    let other = Clinic::new("ledger.example/refused");
    let (from, into) = (text(&clinic.path("copy")), text(&clinic.path("foreign")));
    let vkey = other.vkey.to_string();
    run(["restore", &from, "--into", &into, "--vkey", &vkey]).expect(1);
    // One word, wherever it stands in the file: in what is derived alone it would be made good again.
    let database = clinic.path("copy/ledger.db");
    let mut bytes = fs::read(&database).unwrap();
    let places = bytes.windows(11).enumerate().filter(|(_, window)| *window == b"places/ward");
    let places: Vec<usize> = places.map(|(place, _)| place).collect();
    assert!(!places.is_empty());
    places.iter().for_each(|place| bytes[place + 8] ^= 1);
    fs::write(&database, bytes).unwrap();
    let said = restore(&clinic, "copy", "bad", &[]).expect(1).json();
    assert!(said["error"]["message"].as_str().unwrap().contains("the copy is bad"), "{said}");
    for folder in ["bad", "foreign"] {
        assert!(!clinic.path(folder).join("ledger.db").exists());
        assert!(!clinic.path(folder).join("restoring").exists());
    }
}
