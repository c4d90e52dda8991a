//! `receipt verify DIR --against LEDGER`: good receipts hold, and each bad one is named with what is wrong.

use std::fs;

use vialedger::key::Key;
use vialedger::ledger::Receipt;
use vialedger::tlog::{Checkpoint, NoteSigner, TlogProof, Tree, VerifierKey, leaf_hash, no_tiles};

use crate::process::{Serving, run, vialedger};
use crate::support::{Ledger, ORIGIN, ask};

/// Fetches receipts of these entries into a folder.
fn fetch(ledger: &Ledger, folder: &str, indexes: &[u64]) {
    fs::create_dir_all(folder).unwrap();
    let server = Serving::start(ledger.folder().as_ref(), &[]);
    let ada = ledger.text("ledger/keys/ada-alvarez.pem");
    for index in indexes {
        let (entry, out) = (format!("entries/{index}"), format!("{folder}/entry-{index}.receipt"));
        run(&["receipt", "get", &entry, "--out", &out, "--server", &server.url, "--key", &ada]);
    }
    server.stop();
}

/// A receipt that whoever holds the ledger's key makes for any entries that they like.
fn forged(ledger: &Ledger, entries: &[Vec<u8>], index: usize) -> String {
    let key = Key::load(&ledger.path("ledger/ledger.key"), None).unwrap();
    let signer = NoteSigner::new(ORIGIN.parse().unwrap(), key.signing_key().clone());
    let mut tree = Tree::new();
    for entry in entries {
        let _ = tree.append(leaf_hash(entry));
    }
    let checkpoint = Checkpoint::new(ORIGIN, tree.size(), tree.root()).unwrap();
    let position = u64::try_from(index).unwrap();
    let path = tree.inclusion_proof(position, tree.size(), no_tiles).unwrap();
    let proof = TlogProof::new(position, path, checkpoint.sign(&signer).unwrap()).unwrap();
    let entry = entries[index].clone().into();
    Receipt { index: position, entry, proof }.to_file().unwrap()
}

#[test]
fn a_folder_of_receipts_is_checked_and_each_bad_one_is_named() {
    let ledger = Ledger::of(20);
    let cut = ledger.text("cut.db");
    let database = rusqlite::Connection::open(ledger.path("ledger/ledger.db")).unwrap();
    database.execute("VACUUM INTO ?1", [&cut]).unwrap();
    drop(database);
    ledger.grow(30);
    let (folder, tiles) = (ledger.text("receipts"), ledger.export("tiles"));
    fetch(&ledger, &folder, &[0, 7, 29]);
    // A proof without its entry is completed from the ledger.
    let bare = format!("{folder}/bare.tlog-proof");
    let prove = ["proof", "inclusion", "11", "--ledger", &tiles, "--out", &bare];
    run(&[&prove[..], &["--vkey", &ledger.vkey()]].concat());
    fs::write(format!("{folder}/notes.txt"), "not a receipt").unwrap();

    for against in [ledger.folder(), tiles.clone()] {
        let verify = ["receipt", "verify", &folder, "--against", &against];
        let (status, told) = ledger.ask(&verify);
        assert_eq!((status, &told["good"]), (0, &true.into()), "{told}");
        let counts = ["checked", "failed", "other_files", "against_entries"];
        assert_eq!(counts.map(|field| told[field].as_u64().unwrap()), [4, 0, 1, 30]);
    }

    let good = fs::read_to_string(format!("{folder}/entry-7.receipt")).unwrap();
    fs::write(format!("{folder}/flipped.receipt"), good.replacen("index 7", "index 6", 1)).unwrap();
    fs::write(format!("{folder}/junk.receipt"), "good morning\n").unwrap();
    let stranger = Ledger::of(9);
    let theirs = stranger.text("receipts");
    fetch(&stranger, &theirs, &[8]);
    fs::copy(format!("{theirs}/entry-8.receipt"), format!("{folder}/foreign.receipt")).unwrap();
    // Two histories under one key: another one that is as long, and one that goes on where ours goes on otherwise.
    let mut entries = ledger.entries();
    entries[3] = entries[4].clone();
    fs::write(format!("{folder}/forked.receipt"), forged(&ledger, &entries[..25], 24)).unwrap();

    let verify = ["receipt", "verify", &folder, "--against", &ledger.folder()];
    let (status, told) = ledger.ask(&verify);
    assert_eq!((status, &told["failed"], &told["checked"]), (1, &4.into(), &8.into()), "{told}");
    let bad: Vec<(&str, &str)> = told["receipts"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|receipt| receipt["good"] == false)
        .map(|receipt| (receipt["file"].as_str().unwrap(), receipt["why"].as_str().unwrap()))
        .collect();
    for (file, why) in [
        ("flipped.receipt", "does not prove this entry"),
        ("foreign.receipt", "not signed by"),
        ("forked.receipt", "fork: "),
        ("junk.receipt", "not a proof"),
    ] {
        let found = bad.iter().find(|(name, _)| *name == file).expect(file);
        assert!(found.1.contains(why), "{file}: {found:?}");
    }
    let people = vialedger(&[&verify[..], &["--vkey", &ledger.vkey()]].concat()).output().unwrap();
    let text = String::from_utf8(people.stdout).unwrap();
    assert!(
        text.starts_with("BAD: 4 of 8 receipts do not hold in the ledger of 30 entries."),
        "{text}"
    );
    assert!(text.contains("forked.receipt") && !text.contains("entry-29.receipt"), "{text}");

    // Against a ledger whose end was cut off, the receipts of what is gone fail, and those from before too: each was
    // given in the longer ledger.
    let (status, told) = ledger.ask(&["receipt", "verify", &folder, "--against", &cut]);
    assert_eq!(status, 1);
    let late = &told["receipts"].as_array().unwrap()[1..];
    let late = late.iter().find(|receipt| receipt["file"] == "entry-29.receipt").unwrap();
    assert_eq!(late["why"], "truncated: the receipt is of 30 entries, the ledger has 20", "{told}");
    ledger.audit(30);
}

#[test]
fn an_old_receipt_holds_in_the_ledger_of_today_and_an_edited_entry_is_found() {
    let ledger = Ledger::of(12);
    let folder = ledger.text("receipts");
    fetch(&ledger, &folder, &[5, 11]);
    ledger.grow(300);
    let verify = |against: &str| ledger.ask(&["receipt", "verify", &folder, "--against", against]);
    let (status, told) = verify(&ledger.folder());
    assert_eq!((status, &told["against_entries"]), (0, &300.into()), "{told}");

    let edited = ledger.text("edited.db");
    fs::copy(ledger.path("ledger/ledger.db"), &edited).unwrap();
    let database = rusqlite::Connection::open(&edited).unwrap();
    database
        .execute_batch("DROP TRIGGER entries_never_change; DROP TRIGGER entries_never_go")
        .unwrap();
    database.execute("UPDATE entries SET entry = x'00' WHERE idx = 5", []).unwrap();
    database.execute("DELETE FROM entries WHERE idx = 11", []).unwrap();
    drop(database);
    let (status, told) = verify(&edited);
    assert_eq!((status, &told["failed"]), (1, &2.into()), "{told}");
    assert_eq!(told["receipts"][0]["why"], "missing: the ledger has no entry 11");
    assert_eq!(told["receipts"][1]["why"], "edited: the ledger has other bytes as entry 5");
    ledger.audit(300);
}

#[test]
fn one_receipt_alone_and_a_folder_without_any() {
    let ledger = Ledger::of(6);
    let folder = ledger.text("receipts");
    fetch(&ledger, &folder, &[4]);
    let one = format!("{folder}/entry-4.receipt");
    let against = ["--against", &ledger.folder()];
    let (status, told) = ledger.ask(&[&["receipt", "verify", &one][..], &against].concat());
    assert_eq!((status, &told["index"], &told["good"]), (0, &4.into(), &true.into()), "{told}");
    let (status, told) = ledger.ask(&["receipt", "verify", &folder]);
    assert_eq!((status, &told["against_entries"]), (0, &serde_json::Value::Null), "{told}");
    // A proof without its entry proves nothing by itself.
    let bare = ledger.text("bare.tlog-proof");
    let prove = ["proof", "inclusion", "4", "--ledger", &ledger.folder(), "--out", &bare];
    assert_eq!(ledger.ask(&prove).0, 0);
    assert_eq!(ledger.ask(&["receipt", "verify", &bare]).0, 1);
    assert_eq!(ledger.ask(&[&["receipt", "verify", &bare][..], &against].concat()).0, 0);
    let empty = ledger.text("empty");
    fs::create_dir(&empty).unwrap();
    let (status, told) = ledger.ask(&["receipt", "verify", &empty]);
    assert_eq!((status, &told["good"]), (2, &false.into()), "{told}");
    assert_eq!(ask(&["receipt", "verify", &folder]).0, 78, "no key");
    let key: VerifierKey = fs::read_to_string(ledger.vkey()).unwrap().trim().parse().unwrap();
    Receipt::parse_file(&fs::read(one).unwrap()).unwrap().verify(&key).unwrap();
    ledger.audit(6);
}
