//! `vialedger proof`: the same proofs from the server, the database and exported tiles, and a library that is not ours
//! accepts each and makes the same.

use std::fs;

use ed25519_dalek::SigningKey;
use vialedger::key::Key;
use vialedger::tlog::{Checkpoint, NoteSigner, SignedNote, TlogProof, VerifierKey, leaf_hash};

use crate::process::{Serving, run};
use crate::support::{Ledger, ORIGIN, accepted, ask, foreign};

#[test]
fn inclusion_is_proved_alike_by_server_database_and_tiles_and_accepted_by_another_library() {
    let ledger = Ledger::of(300);
    let (tiles, folder, vkey) = (ledger.export("tiles"), ledger.folder(), ledger.vkey());
    let ada = ledger.text("ledger/keys/ada-alvarez.pem");
    let server = Serving::start(folder.as_ref(), &[]);
    let key: VerifierKey = fs::read_to_string(&vkey).unwrap().trim().parse().unwrap();
    let entries = ledger.entries();
    let mut proofs = Vec::new();
    for index in [0, 1, 17, 255, 256, 298, 299] {
        let name = format!("entries/{index}");
        let written = ["database", "tiles", "server"].map(|from| {
            let out = ledger.text(&format!("{index}-{from}.tlog-proof"));
            let prove = ["proof", "inclusion", &name, "--out", &out];
            match from {
                "server" => run(&[&prove[..], &["--server", &server.url, "--key", &ada]].concat()),
                "tiles" => run(&[&prove[..], &["--ledger", &tiles, "--vkey", &vkey]].concat()),
                _ => run(&[&prove[..], &["--ledger", &folder, "--vkey", &vkey]].concat()),
            };
            out
        });
        let [database, exported, asked] = written.each_ref().map(|path| fs::read(path).unwrap());
        assert_eq!((&database, &database), (&exported, &asked), "{index}");
        let proof = TlogProof::parse(&database).unwrap();
        assert_eq!(proof.verify(&entries[index], &key).unwrap().size(), 300);
        proofs.extend(written.into_iter().take(1));
    }
    let files: Vec<&str> = proofs.iter().map(String::as_str).collect();
    accepted(&[&["proofs", &tiles, &vkey][..], &files].concat(), &[]);

    // One flipped byte anywhere in one, and the library refuses it; the last line end it does not look at.
    let proof = fs::read(&proofs[3]).unwrap();
    let bent = ledger.text("bent.tlog-proof");
    for at in (0..proof.len() - 1).step_by(proof.len() / 40) {
        let mut bytes = proof.clone();
        bytes[at] ^= 0x40;
        fs::write(&bent, bytes).unwrap();
        assert!(!foreign(&["proofs", &tiles, &vkey, &bent], &[]).status.success(), "byte {at}");
    }
    server.stop();
    ledger.audit(300);
}

#[test]
fn an_older_checkpoint_can_be_asked_for_where_one_was_signed() {
    let ledger = Ledger::of(20);
    let (tiles, folder) = (ledger.export("tiles"), ledger.folder());
    let prove = |from: &str, index: &str, size: &str| {
        ledger.ask(&["proof", "inclusion", index, "--size", size, "--ledger", from])
    };
    let (status, proof) = prove(&folder, "3", "11");
    assert_eq!((status, &proof["size"], &proof["good"]), (0, &11.into(), &true.into()), "{proof}");
    let text = proof["proof"].as_str().unwrap();
    let leaf = leaf_hash(&ledger.entries()[3]);
    let key: VerifierKey = fs::read_to_string(ledger.vkey()).unwrap().trim().parse().unwrap();
    let proof = TlogProof::parse(text.as_bytes()).unwrap();
    assert_eq!(proof.verify_leaf(&leaf, &key).unwrap().size(), 11);
    // Not in the ledger of that size, no such size, no such entry, and no such checkpoint in an export.
    for (from, index, size) in [(&folder, "11", "11"), (&folder, "3", "21"), (&folder, "20", "20")]
    {
        assert_eq!(prove(from, index, size).0, 64, "{index} {size}");
    }
    assert_eq!(prove(&tiles, "3", "11").0, 64);
    assert_eq!(prove(&tiles, "3", "20").0, 0);
    // The server says the same.
    let server = Serving::start(folder.as_ref(), &[]);
    let ada = ledger.text("ledger/keys/ada-alvarez.pem");
    for (index, size, status) in
        [("3", "11", 0), ("11", "11", 64), ("3", "21", 64), ("20", "20", 64)]
    {
        let prove = ["proof", "inclusion", index, "--size", size, "--server", &server.url];
        let (found, told) = ledger.ask(&[&prove[..], &["--key", &ada]].concat());
        assert_eq!(found, status, "{index} {size}: {told}");
    }
    let link = ["proof", "consistency", "21", "--server", &server.url, "--key", &ada];
    assert_eq!(ledger.ask(&link).0, 64);
    server.stop();
    ledger.audit(20);
}

#[test]
fn consistency_is_proved_alike_by_server_database_and_tiles_and_accepted_by_another_library() {
    let ledger = Ledger::of(260);
    let old = format!("{}/checkpoint", ledger.export("old"));
    ledger.grow(300);
    let (tiles, folder, vkey) = (ledger.export("tiles"), ledger.folder(), ledger.vkey());
    let ada = ledger.text("ledger/keys/ada-alvarez.pem");
    let server = Serving::start(folder.as_ref(), &[]);
    let mut links = Vec::new();
    for from in ["database", "tiles", "server"] {
        let out = ledger.text(&format!("{from}.link"));
        let prove = ["proof", "consistency", &old, "--out", &out];
        match from {
            "server" => run(&[&prove[..], &["--server", &server.url, "--key", &ada]].concat()),
            "tiles" => run(&[&prove[..], &["--ledger", &tiles, "--vkey", &vkey]].concat()),
            _ => run(&[&prove[..], &["--ledger", &folder, "--vkey", &vkey]].concat()),
        };
        links.push(out);
    }
    assert_eq!(fs::read(&links[0]).unwrap(), fs::read(&links[1]).unwrap());
    assert_eq!(fs::read(&links[0]).unwrap(), fs::read(&links[2]).unwrap());
    for size in ["1", "2", "255", "256", "257", "299", "300"] {
        let out = ledger.text(&format!("{size}.link"));
        let prove = ["proof", "consistency", size, "--ledger", &folder, "--out", &out];
        let (status, told) = ledger.ask(&prove);
        assert_eq!((status, told["old_size"].to_string().as_str()), (0, size), "{told}");
        assert!(fs::read_to_string(&out).unwrap().starts_with(&format!("old {size}\n")));
        links.push(out);
    }
    let files: Vec<&str> = links.iter().map(String::as_str).collect();
    accepted(&[&["links", &tiles, &vkey][..], &files].concat(), &[]);

    let link = fs::read(&links[0]).unwrap();
    let bent = ledger.text("bent.link");
    for at in (0..link.len() - 1).step_by(link.len() / 20) {
        let mut bytes = link.clone();
        bytes[at] ^= 0x40;
        fs::write(&bent, bytes).unwrap();
        assert!(!foreign(&["links", &tiles, &vkey, &bent], &[]).status.success(), "byte {at}");
    }
    server.stop();
    ledger.audit(300);
}

#[test]
fn another_history_a_shorter_ledger_and_another_key_are_not_consistent() {
    let ledger = Ledger::of(30);
    let older = ledger.export("older");
    ledger.grow(40);
    let folder = ledger.folder();
    let prove =
        |old: &str, from: &str| ledger.ask(&["proof", "consistency", old, "--ledger", from]);

    // Whoever holds the ledger's key can sign another history; the proof shows it.
    let key = Key::load(&ledger.path("ledger/ledger.key"), None).unwrap();
    let note = |key: &SigningKey, size: u64| {
        let signer = NoteSigner::new(ORIGIN.parse().unwrap(), key.clone());
        let root = leaf_hash(b"another history");
        Checkpoint::new(ORIGIN, size, root).unwrap().sign(&signer).unwrap().to_string()
    };
    let forked = ledger.text("forked");
    fs::write(&forked, note(key.signing_key(), 20)).unwrap();
    let (status, told) = prove(&forked, &folder);
    assert_eq!((status, &told["good"]), (1, &false.into()), "{told}");
    assert!(!told["why"].as_str().unwrap().is_empty(), "{told}");

    let newer = format!("{}/checkpoint", ledger.export("newer"));
    let (status, told) = prove(&newer, &older);
    assert_eq!((status, &told["good"]), (1, &false.into()), "{told}");
    assert!(told["why"].as_str().unwrap().contains("cut off"), "{told}");

    fs::write(&forked, note(Key::generate().unwrap().signing_key(), 20)).unwrap();
    assert_eq!(prove(&forked, &folder).0, 1);
    let unreadable = ledger.text("ledger/ledger.vkey");
    assert_eq!(prove(&unreadable, &folder).0, 65);
    assert_eq!(prove("/nowhere", &folder).0, 66);
    assert_eq!(prove("41", &folder).0, 64);
    assert_eq!(ask(&["proof", "consistency", "1", "--ledger", &folder]).0, 78, "no key");
    SignedNote::parse(&fs::read(newer).unwrap()).unwrap();
    ledger.audit(40);
}

#[test]
fn a_proof_is_made_in_spite_of_changed_tiles_and_never_of_a_changed_entry() {
    let ledger = Ledger::of(300);
    let bad = |name: &str, sql: &str| {
        let copy = ledger.text(name);
        fs::copy(ledger.path("ledger/ledger.db"), &copy).unwrap();
        let database = rusqlite::Connection::open(&copy).unwrap();
        database.execute_batch("DROP TRIGGER entries_never_change").unwrap();
        assert_eq!(database.execute(sql, []).unwrap(), 1);
        copy
    };
    let tile = bad("tile.db", "UPDATE tiles SET hashes = zeroblob(8192)");
    let last = bad("last.db", "UPDATE entries SET entry = x'00' WHERE idx = 299");
    let older = bad("older.db", "UPDATE entries SET entry = x'00' WHERE idx = 7");
    for (file, index, status) in
        [(&tile, "7", 0), (&last, "7", 1), (&older, "7", 1), (&older, "8", 0)]
    {
        let (found, told) = ledger.ask(&["proof", "inclusion", index, "--ledger", file]);
        assert_eq!(found, status, "{file} {index}: {told}");
    }
    ledger.audit(300);
}
