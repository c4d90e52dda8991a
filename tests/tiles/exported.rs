//! `vialedger export tiles`: the folder verifies like the database, any changed byte of it is found, and a library that
//! is not ours accepts it and refuses the changed one.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use vialedger::key::Key;
use vialedger::tlog::{Cosigner, SignedNote};

use crate::process::vialedger;
use crate::support::{Ledger, accepted, ask, copy_with, files, foreign, hex};

/// Verifications at a time.
const THREADS: usize = 2;

#[test]
fn a_folder_of_tiles_gets_the_same_report_as_its_database() {
    for size in [2, 255, 256, 257, 600] {
        let ledger = Ledger::of(size);
        let tiles = ledger.export("tiles");
        let (_, database) = ledger.verify(&ledger.folder());
        let (status, report) = ledger.verify(&tiles);
        assert_eq!((status, &report["verdict"]), (0, &"good".into()), "{report}");
        for field in ["entries", "root", "trusted_entries", "anchor", "fault", "why"] {
            assert_eq!(report[field], database[field], "{size}: {field}");
        }
        assert_eq!(database["checkpoints"], size, "one with every commit");
        assert_eq!(report["checkpoints"], 1);

        // What was exported exports again, to the same bytes.
        let again = ledger.text("again");
        assert_eq!(ledger.ask(&["export", "tiles", &tiles, "--out", &again]).0, 0);
        assert_eq!(files(&tiles), files(&again));
        ledger.audit(size);
    }
}

#[test]
fn an_export_is_whole_or_not_there_and_for_its_owner_only() {
    let ledger = Ledger::of(20);
    let tiles = ledger.export("tiles");
    let before = files(&tiles);
    for path in before.keys().map(|name| format!("{tiles}/{name}")).chain([tiles.clone()]) {
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{path}");
    }
    // Nothing is overwritten, be it a folder, a file, or a link to nowhere.
    let (file, link) = (ledger.text("file"), ledger.text("link"));
    fs::write(&file, "mine").unwrap();
    std::os::unix::fs::symlink("/nowhere", &link).unwrap();
    for there in [&tiles, &file, &link] {
        let (status, error) = ledger.ask(&["export", "tiles", &ledger.folder(), "--out", there]);
        assert_eq!(status, 73, "{error}");
    }
    assert_eq!((files(&tiles), fs::read(&file).unwrap()), (before, b"mine".to_vec()));

    // Of evidence that contradicts itself nothing is made, and nothing is left.
    let bad = ledger.text("bad.db");
    fs::copy(ledger.path("ledger/ledger.db"), &bad).unwrap();
    let database = rusqlite::Connection::open(&bad).unwrap();
    database.execute_batch("DROP TRIGGER entries_never_change").unwrap();
    database.execute("UPDATE entries SET entry = x'00' WHERE idx = 7", []).unwrap();
    drop(database);
    let (status, error) = ledger.ask(&["export", "tiles", &bad, "--out", &ledger.text("none")]);
    assert_eq!(status, 1, "{error}");
    // Another ledger's key is told apart at once.
    let stranger = Ledger::of(2);
    let out = ledger.text("none");
    let arguments = ["export", "tiles", &ledger.folder(), "--out", &out];
    assert_eq!(stranger.ask(&arguments).0, 1);
    let nowhere = ledger.text("nowhere");
    assert_eq!(ask(&["export", "tiles", &nowhere, "--out", &out]).0, 65);
    let left: Vec<String> = fs::read_dir(ledger.path("."))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("none"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    ledger.audit(20);
}

/// A changed file of an export, and which entry must be named; any where it is nothing.
struct Sample {
    name: String,
    at: usize,
    bytes: Vec<u8>,
    index: Option<usize>,
}

fn flipped(name: &str, bytes: &[u8], at: usize, bit: u8, index: Option<usize>) -> Sample {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= bit;
    Sample { name: name.to_owned(), at, bytes, index }
}

fn find(ledger: &Ledger, tiles: &str, samples: &[Sample]) {
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let verify = |number: usize, sample: &Sample| {
        let copy = ledger.text(&format!("copy-{number}"));
        copy_with(tiles, &copy, &sample.name, Some(&sample.bytes));
        let (status, report) = ledger.verify(&copy);
        fs::remove_dir_all(copy).unwrap();
        let named = report["first_bad_index"].as_u64().map(|index| usize::try_from(index).unwrap());
        if status != 1 || (sample.index.is_some() && named != sample.index) {
            let (name, at) = (&sample.name, sample.at);
            wrong.lock().unwrap().push(format!("{name} byte {at}: {status}: {report}"));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some((number, sample)) = {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    samples.get(number).map(|sample| (number, sample))
                } {
                    verify(number, sample);
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), samples.len(), wrong.join("\n"));
}

#[test]
fn one_flipped_byte_anywhere_in_an_export_is_found_and_its_entry_named() {
    let ledger = Ledger::day();
    let tiles = ledger.export("tiles");
    let mut samples = Vec::new();
    let entries = ledger.entries();
    for (name, bytes) in files(&tiles) {
        if name == "checkpoint" {
            samples
                .extend((0..bytes.len()).map(|at| flipped(&name, &bytes, at, 1 << (at % 8), None)));
        } else if name.starts_with("tile/0/") {
            let every = (0..bytes.len()).step_by(23);
            samples.extend(every.map(|at| flipped(&name, &bytes, at, 0x10, Some(at / 32))));
        } else {
            assert!(name.starts_with("tile/entries/"), "{name}");
            let mut start = 0;
            for (index, entry) in entries.iter().enumerate() {
                let end = start + 2 + entry.len();
                // Both bytes of its length, its first and last bytes, and some between.
                let between = (start + 9..end).step_by(entry.len() / 2);
                let edges = [start, start + 1, start + 2, start + 3, end - 1];
                // Of every third entry: the day is long.
                for at in edges.into_iter().chain(between).filter(|_| index % 3 == 0) {
                    samples.push(flipped(&name, &bytes, at, 1 << (at % 8), Some(index)));
                }
                start = end;
            }
            assert_eq!(start, bytes.len());
        }
    }
    assert!(samples.len() > 350, "{} samples", samples.len());
    find(&ledger, &tiles, &samples);
    ledger.audit(u64::try_from(entries.len()).unwrap());
}

#[test]
fn a_flipped_byte_in_a_longer_export_is_found_in_tiles_of_every_level() {
    let ledger = Ledger::of(600);
    let tiles = ledger.export("tiles");
    let all = files(&tiles);
    let expected = ["checkpoint", "tile/0/000", "tile/0/001", "tile/0/002.p/88", "tile/1/000.p/2"];
    let bundles = ["tile/entries/000", "tile/entries/001", "tile/entries/002.p/88"];
    assert_eq!(all.keys().collect::<Vec<_>>(), expected.iter().chain(&bundles).collect::<Vec<_>>());
    let flip = |name: &str, at, index| flipped(name, &all[name], at, 4, Some(index));
    let mut samples = vec![
        flip("tile/0/000", 32 * 17 + 5, 17),
        flip("tile/0/001", 32 * 255, 511),
        flip("tile/0/002.p/88", 0, 512),
        flip("tile/1/000.p/2", 31, 0),
        flip("tile/1/000.p/2", 32, 256),
        flip("tile/entries/000", 0, 0),
        flip("tile/entries/001", 1, 256),
        flip("tile/entries/002.p/88", 1, 512),
    ];
    // Cut off, doubled, and emptied.
    for (name, index) in [("tile/entries/001", 256), ("tile/0/001", 256), ("tile/1/000.p/2", 0)] {
        let bytes = Vec::new();
        samples.push(Sample { name: name.to_owned(), at: 0, bytes, index: Some(index) });
        let bytes = all[name].repeat(2);
        samples.push(Sample { name: name.to_owned(), at: 0, bytes, index: None });
        let bytes = all[name][..all[name].len() - 1].to_vec();
        samples.push(Sample { name: name.to_owned(), at: 0, bytes, index: None });
    }
    find(&ledger, &tiles, &samples);

    // A file that is not there at all.
    for (name, fault, index) in [
        ("tile/entries/000", "missing", 0),
        ("tile/entries/001", "missing", 256),
        ("tile/entries/002.p/88", "missing", 512),
        ("tile/0/001", "edited", 256),
        ("tile/1/000.p/2", "edited", 0),
    ] {
        let copy = ledger.text(&name.replace('/', "-"));
        copy_with(&tiles, &copy, name, None);
        let (status, report) = ledger.verify(&copy);
        assert_eq!(status, 1, "{name}: {report}");
        assert_eq!((&report["fault"], &report["first_bad_index"]), (&fault.into(), &index.into()));
    }
    ledger.audit(600);
}

#[test]
fn without_a_key_or_a_readable_folder_there_is_no_verdict() {
    let ledger = Ledger::of(5);
    let tiles = ledger.export("tiles");
    assert_eq!(ask(&["verify", &tiles]).0, 2);
    let stranger = Ledger::of(2);
    let (status, report) = stranger.verify(&tiles);
    assert_eq!((status, &report["fault"]), (1, &"checkpoint-mismatch".into()), "{report}");
    let empty = ledger.text("empty");
    fs::create_dir(&empty).unwrap();
    assert_eq!(ledger.verify(&empty).0, 2);
    ledger.audit(5);
}

#[test]
fn a_checkpoint_from_outside_finds_an_older_export() {
    let ledger = Ledger::of(300);
    let old = ledger.export("old");
    ledger.grow(310);
    let new = ledger.export("new");
    let (kept, earlier) = (format!("{new}/checkpoint"), format!("{old}/checkpoint"));
    let (status, report) = ledger.ask(&["verify", &old, "--checkpoint", &kept]);
    assert_eq!((status, &report["fault"]), (1, &"truncated".into()), "{report}");
    let (status, report) = ledger.ask(&["verify", &new, "--checkpoint", &earlier]);
    assert_eq!((status, &report["anchor"]["size"]), (0, &300.into()), "{report}");
    let junk = ledger.text("ledger/ledger.vkey");
    assert_eq!(ledger.ask(&["verify", &new, "--checkpoint", &junk]).0, 2);
    ledger.audit(310);
}

#[test]
fn another_library_accepts_our_export_with_its_cosignature_and_refuses_one_flipped_byte() {
    for size in [21, 300] {
        let ledger = Ledger::of(size);
        let tiles = ledger.export("tiles");
        let told = accepted(&["accept", &tiles, &ledger.vkey()], &[]);
        assert_eq!(
            (told["size"].as_u64(), told["origin"].as_str()),
            (Some(size), Some(crate::support::ORIGIN))
        );

        // A cosigner's line is added, as somebody would who keeps our checkpoints.
        let key = Key::generate().unwrap();
        let cosigner =
            Cosigner::new("cosigner.example/c".parse().unwrap(), key.signing_key().clone());
        let file = format!("{tiles}/checkpoint");
        let mut note = SignedNote::parse(&fs::read(&file).unwrap()).unwrap();
        note.add_signature(cosigner.cosign(&note, 1_800_000_000).unwrap()).unwrap();
        fs::write(&file, note.to_string()).unwrap();
        let keys = ledger.text("keys");
        let ours = fs::read_to_string(ledger.vkey()).unwrap();
        fs::write(&keys, format!("{}\n{}\n", ours.trim(), cosigner.verifier_key())).unwrap();
        accepted(&["accept", &tiles, &keys], &[]);
        assert_eq!(ledger.verify(&tiles).0, 0, "a cosignature does no harm");
        let told = accepted(&["flips", &tiles, &keys], &[]);
        assert!(told["refused"].as_u64().unwrap() > 150, "{told}");

        // And not signed by somebody who did not.
        let stranger = Ledger::of(2);
        assert!(!foreign(&["accept", &tiles, &stranger.vkey()], &[]).status.success());
        ledger.audit(size);
    }
}

#[test]
fn another_librarys_export_of_the_same_entries_is_ours_byte_for_byte() {
    for size in [2, 256, 515] {
        let ledger = Ledger::of(size);
        let lines: String = ledger.entries().iter().map(|entry| hex(entry) + "\n").collect();
        let (list, theirs) = (ledger.text("entries"), ledger.text("theirs"));
        fs::write(&list, lines).unwrap();
        let key = Key::load(&ledger.path("ledger/ledger.key"), None).unwrap();
        let seed = hex(&key.signing_key().to_bytes());
        accepted(&["write", &theirs, crate::support::ORIGIN, &seed, &list], &[]);
        assert_eq!(files(&ledger.export("ours")), files(&theirs));
        assert_eq!(ledger.verify(&theirs).0, 0);
        ledger.audit(size);
    }
}

#[test]
fn people_are_told_where_the_export_is_and_how_to_check_it() {
    let ledger = Ledger::of(3);
    let out = ledger.text("tiles");
    let told = vialedger(&["export", "tiles", &ledger.folder(), "--out", &out]).output().unwrap();
    let told = String::from_utf8(told.stdout).unwrap();
    assert!(
        told.starts_with(&format!("3 entries of {} are in {out}.", crate::support::ORIGIN)),
        "{told}"
    );
    assert!(told.contains("vialedger verify"), "{told}");
    ledger.audit(3);
}
