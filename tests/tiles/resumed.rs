//! `verify --save` and `--since`: an audit that goes on from an earlier one ends where a whole one ends.

use std::fs;

use rusqlite::Connection;

use crate::support::{Ledger, ask};

/// A copy of a ledger's database that somebody did something to.
fn copy(ledger: &Ledger, name: &str, sql: &str) -> String {
    let copy = ledger.text(name);
    let database = Connection::open(ledger.path("ledger/ledger.db")).unwrap();
    database.execute("VACUUM INTO ?1", [&copy]).unwrap();
    let database = Connection::open(&copy).unwrap();
    let triggers: Vec<String> = database
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    for name in triggers {
        database.execute_batch(&format!("DROP TRIGGER {name}")).unwrap();
    }
    database.execute_batch(sql).unwrap();
    copy
}

/// The ledger as it was with so many entries.
fn cut(ledger: &Ledger, size: usize) -> String {
    let sql = format!(
        "DELETE FROM entries WHERE idx >= {size}; DELETE FROM checkpoints WHERE size > {size}"
    );
    copy(ledger, &format!("cut-{size}.db"), &sql)
}

#[test]
fn wherever_an_audit_of_a_day_goes_on_it_ends_where_a_whole_one_ends() {
    let ledger = Ledger::day();
    let size = ledger.entries().len();
    let (whole, tiles) = (ledger.text("whole.audit"), ledger.export("tiles"));
    let (status, report) = ledger.ask(&["verify", &ledger.folder(), "--save", &whole]);
    assert_eq!((status, &report["since"]), (0, &0.into()), "{report}");
    for at in 1..=size {
        let (first, next) = (ledger.text("first.audit"), ledger.text("next.audit"));
        assert_eq!(ledger.ask(&["verify", &cut(&ledger, at), "--save", &first]).0, 0, "{at}");
        for from in [ledger.folder(), tiles.clone()] {
            let go_on = ["verify", &from, "--since", &first, "--save", &next];
            let (status, resumed) = ledger.ask(&go_on);
            assert_eq!((status, &resumed["since"]), (0, &at.into()), "{resumed}");
            assert_eq!(
                (&resumed["entries"], &resumed["root"]),
                (&report["entries"], &report["root"])
            );
            assert_eq!(resumed["anchor"], serde_json::json!({ "kind": "audit", "size": at }));
            if from != tiles {
                assert_eq!(resumed["checkpoints"], size - at);
            }
            assert_eq!(fs::read(&next).unwrap(), fs::read(&whole).unwrap(), "{at}: another end");
        }
    }
}

#[test]
fn an_audit_that_goes_on_costs_only_what_was_added() {
    let ledger = Ledger::of(300);
    let saved = ledger.text("saved.audit");
    assert_eq!(ledger.ask(&["verify", &ledger.folder(), "--save", &saved]).0, 0);
    ledger.grow(310);
    // What was audited is not read again: without it the audit goes on, and a whole one does not.
    let gone = copy(&ledger, "gone.db", "DELETE FROM entries WHERE idx < 299");
    let (status, report) = ledger.ask(&["verify", &gone, "--since", &saved]);
    assert_eq!((status, &report["entries"], &report["checkpoints"]), (0, &310.into(), &10.into()));
    assert_eq!(ledger.verify(&gone).0, 1);
    let (status, report) = ledger.ask(&["verify", &gone, "--since", &saved, "--explain", "7"]);
    assert_eq!(status, 2);
    assert!(report["explained"]["why_not"].as_str().unwrap().contains("--since"), "{report}");
    let (status, report) = ledger.ask(&["verify", &gone, "--since", &saved, "--explain", "305"]);
    assert_eq!((status, &report["explained"]["index"]), (0, &305.into()), "{report}");
    ledger.audit(310);
}

#[test]
fn what_was_done_to_the_new_entries_or_the_last_old_one_is_found() {
    let ledger = Ledger::of(40);
    let saved = ledger.text("saved.audit");
    assert_eq!(ledger.ask(&["verify", &ledger.folder(), "--save", &saved]).0, 0);
    ledger.grow(60);
    let before = fs::read(&saved).unwrap();
    let changed = "UPDATE entries SET entry = CAST(entry || x'00' AS BLOB) WHERE idx =";
    let cases = [
        ("new", format!("{changed} 50"), "edited", 50),
        ("first", format!("{changed} 40"), "edited", 40),
        ("last", format!("{changed} 39"), "edited", 39),
        ("missing", "DELETE FROM entries WHERE idx = 50".to_owned(), "missing", 50),
        ("old", "DELETE FROM entries WHERE idx = 39".to_owned(), "missing", 39),
        (
            "twice",
            "UPDATE entries SET entry = (SELECT entry FROM entries WHERE idx = 9) WHERE idx = 50"
                .to_owned(),
            "duplicate",
            50,
        ),
        ("tail", "DELETE FROM entries WHERE idx > 50".to_owned(), "truncated", 51),
        (
            "rolled-back",
            "DELETE FROM entries WHERE idx > 30; DELETE FROM checkpoints WHERE size > 31"
                .to_owned(),
            "truncated",
            39,
        ),
        (
            "unsigned",
            "DELETE FROM checkpoints WHERE size > 50".to_owned(),
            "checkpoint-mismatch",
            50,
        ),
    ];
    for (name, sql, fault, index) in cases {
        let bad = copy(&ledger, &format!("{name}.db"), &sql);
        let (status, report) = ledger.ask(&["verify", &bad, "--since", &saved, "--save", &saved]);
        assert_eq!(status, 1, "{name}: {report}");
        let found = (report["fault"].as_str().unwrap(), &report["first_bad_index"]);
        assert_eq!(found, (fault, &index.into()), "{name}: {report}");
        assert!(report["trusted_entries"].as_u64().unwrap() <= index, "{name}: {report}");
    }
    assert_eq!(fs::read(&saved).unwrap(), before, "the end of a bad audit is not saved");
    let (status, report) =
        ledger.ask(&["verify", &ledger.folder(), "--since", &saved, "--save", &saved]);
    assert_eq!((status, &report["entries"]), (0, &60.into()), "{report}");
    assert_ne!(fs::read(&saved).unwrap(), before);
    // And once more, with nothing added.
    let (status, report) = ledger.ask(&["verify", &ledger.folder(), "--since", &saved]);
    assert_eq!((status, &report["since"], &report["checkpoints"]), (0, &60.into(), &0.into()));
    ledger.audit(60);
}

#[test]
fn a_saved_audit_that_is_damaged_foreign_or_older_than_it_says_gives_no_verdict() {
    let ledger = Ledger::of(12);
    let early = format!("{}/checkpoint", ledger.export("early"));
    ledger.grow(20);
    let saved = ledger.text("saved.audit");
    let folder = ledger.folder();
    assert_eq!(ledger.ask(&["verify", &folder, "--save", &saved]).0, 0);
    let late = format!("{}/checkpoint", ledger.export("late"));
    let bytes = fs::read(&saved).unwrap();
    let bent = ledger.text("bent.audit");
    let head = bytes.windows(2).position(|at| at == b"\n\n").unwrap() + 2;
    let body = (head..bytes.len()).step_by((bytes.len() - head) / 40);
    for at in (0..head).step_by(5).chain(body) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        fs::write(&bent, flipped).unwrap();
        let (status, report) = ledger.ask(&["verify", &folder, "--since", &bent]);
        assert_eq!((status, &report["verdict"]), (2, &"none".into()), "byte {at}: {report}");
    }
    for cut in [0, head - 1, head, bytes.len() - 1] {
        fs::write(&bent, &bytes[..cut]).unwrap();
        assert_eq!(ledger.ask(&["verify", &folder, "--since", &bent]).0, 2, "{cut} bytes");
    }
    let other = Ledger::of(30);
    assert_eq!(other.ask(&["verify", &other.folder(), "--since", &saved]).0, 2, "another ledger");
    assert_eq!(ask(&["verify", &folder, "--since", &saved]).0, 2, "no key");
    assert_eq!(ledger.ask(&["verify", &folder, "--since", "/nowhere"]).0, 2);
    // A checkpoint from before the saved audit cannot be compared without the entries of then.
    let against =
        |note: &str| ledger.ask(&["verify", &folder, "--since", &saved, "--checkpoint", note]);
    let (status, report) = against(&early);
    assert_eq!(status, 2, "{report}");
    assert!(report["why"].as_str().unwrap().contains("older than the saved audit"), "{report}");
    let (status, report) = against(&late);
    assert_eq!((status, &report["anchor"]["kind"]), (0, &"checkpoint".into()), "{report}");

    // Nothing else is overwritten.
    let vkey = fs::read(ledger.vkey()).unwrap();
    assert_eq!(ledger.ask(&["verify", &folder, "--save", &ledger.vkey()]).0, 73);
    assert_eq!(fs::read(ledger.vkey()).unwrap(), vkey);
    ledger.audit(20);
}
