//! `vialedger verify --explain`: who, what, when, with which right, and why it holds.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;
use vialedger::audit::replay;
use vialedger::command::Command;
use vialedger::decide::{RULES_VERSION, rights};
use vialedger::ledger::ParsedEntry;
use vialedger::refusal::Refusal;
use vialedger::state::State;

use crate::process::{run, vialedger};
use crate::support::{Ledger, ask};

fn strings(value: &Value) -> BTreeSet<&str> {
    value.as_array().unwrap().iter().map(|item| item.as_str().unwrap()).collect()
}

#[test]
fn every_entry_of_a_day_is_explained_with_the_right_that_its_signer_had() {
    let ledger = Ledger::day();
    let entries = ledger.entries();
    let (mut refused, mut acts) = (0, BTreeSet::new());
    for index in 0..entries.len() {
        let name = format!("entries/{index}");
        let (status, report) = ledger.ask(&["verify", &ledger.folder(), "--explain", &name]);
        assert_eq!((status, &report["verdict"]), (0, &"good".into()), "{report}");
        let it = &report["explained"];
        assert_eq!((&it["index"], &it["trusted"]), (&index.into(), &true.into()));
        assert_eq!(it["covered_by"], index + 1, "every commit of the day is one entry");
        assert_eq!(it["because"].as_array().unwrap().len(), 6);
        let who = &it["who"];
        assert!(who["person"].as_str().unwrap().starts_with("people/"), "{who}");
        assert_eq!(who["public_key"].as_str().unwrap().len(), 64);
        assert!(it["when"].as_str().unwrap().ends_with('Z'), "{it}");
        assert_eq!(it["entry"]["index"], index);
        acts.insert(it["act"].as_str().unwrap().to_owned());

        // What the rules let happen, they let happen to somebody with a right to it.
        let (needs, held) = (strings(&it["right"]["needs_one_of"]), strings(&it["right"]["held"]));
        assert!(held.is_subset(&needs) && held.is_subset(&strings(&who["roles"])), "{it}");
        match it["refusal"].as_str() {
            Some(reason) => {
                refused += 1;
                assert!(it["what"].as_str().unwrap().contains(reason), "{it}");
                assert_eq!(held.is_empty(), reason == "ROLE_NOT_HELD", "{it}");
            }
            None => assert_eq!(held.is_empty(), index == 0, "{it}"),
        }
    }
    assert!(refused > 15 && acts.len() > 25, "{refused} refusals, {acts:?}");
}

/// What an explanation shows where the act was allowed is what its refusal would have named.
#[test]
fn the_roles_that_an_explanation_shows_are_those_that_the_rules_ask_for() {
    let ledger = Ledger::day();
    let (mut state, mut compared) = (State::empty(), BTreeSet::new());
    for bytes in ledger.entries() {
        let entry = ParsedEntry::parse(bytes.into()).unwrap();
        let request = &entry.request;
        let command = Command::parse(request.kind(), request.bytes()).unwrap();
        let shown = rights(&state, request.key(), &command.act);
        let step = replay(&state, entry.sealed.bytes().clone()).unwrap();
        let signer = state.key(request.key()).and_then(|record| state.person(&record.person));
        let held = signer.is_some_and(|person| person.holds(shown));
        if let Some(Refusal::RoleNotHeld { needed, .. }) = &step.refusal {
            assert_eq!((*needed, held), (shown, false), "{}", request.kind());
            compared.insert(request.kind().short_name());
        } else {
            assert_eq!(held, state.size() > 0, "{}: {shown:?}", request.kind());
        }
        state.apply(&step);
    }
    assert_eq!(compared.len(), 16, "{compared:?}");
}

#[test]
fn people_read_the_whole_story_of_an_entry_and_then_the_verdict() {
    let ledger = Ledger::day();
    let tiles = ledger.export("tiles");
    let told = ledger.entries().len() - 1;
    for from in [ledger.folder(), tiles] {
        let name = told.to_string();
        let said = run(&["verify", &from, "--explain", &name, "--vkey", &ledger.vkey()]);
        let text = String::from_utf8(said.stdout).unwrap();
        let parts = [
            &format!("Entry {told}: "),
            "  Who ",
            "(people/",
            "  With the key ",
            "  When ",
            "  What ",
            "  With which right ",
            " held ",
            "it takes one of ",
            "The request as it was signed:\n{",
            "What became of it:",
            "It holds because:",
            "1. it is chained to entry ",
            "signed by the ledger's key, commits to its leaf hash ",
            "the signature over the exact bytes of the request is that of the key",
            &format!("rules version {RULES_VERSION}, run again over everything before it, "),
            "\n\nGood. All ",
        ];
        let mut rest = text.as_str();
        for part in parts {
            let at =
                rest.find(part).unwrap_or_else(|| panic!("{part:?} is not in its place: {text}"));
            rest = &rest[at..];
        }
    }
}

#[test]
fn what_is_not_there_or_not_good_is_not_explained() {
    let ledger = Ledger::of(12);
    let explain = |from: &str, index: &str| ledger.ask(&["verify", from, "--explain", index]);
    let (status, report) = explain(&ledger.folder(), "12");
    assert_eq!((status, &report["verdict"]), (2, &"good".into()), "{report}");
    assert_eq!(report["explained"]["why_not"], "12 entries were checked");

    let bad = ledger.text("bad.db");
    fs::copy(ledger.path("ledger/ledger.db"), &bad).unwrap();
    let database = rusqlite::Connection::open(&bad).unwrap();
    database.execute_batch("DROP TRIGGER entries_never_change").unwrap();
    let edit = "UPDATE entries SET entry = CAST(entry || x'00' AS BLOB) WHERE idx = 6";
    database.execute(edit, []).unwrap();
    drop(database);
    let (status, report) = explain(&bad, "9");
    assert_eq!((status, &report["verdict"]), (1, &"bad".into()), "{report}");
    let why = report["explained"]["why_not"].as_str().unwrap();
    assert_eq!(why, "the audit got no further than entry 6: edited");
    // Before the fault an entry is still explained, and the verdict on the ledger stays what it is.
    let (status, report) = explain(&bad, "3");
    assert_eq!((status, &report["explained"]["trusted"]), (1, &true.into()), "{report}");
    let arguments = ["verify", &bad, "--explain", "9", "--vkey", &ledger.vkey()];
    let text = String::from_utf8(vialedger(&arguments).output().unwrap().stdout).unwrap();
    assert!(text.starts_with("Entry 9 is not explained: the audit got no further"), "{text}");
    assert!(text.contains("\n\nBAD. Entry 6: edited."), "{text}");

    let (status, report) = ask(&["verify", &ledger.folder(), "--explain", "3"]);
    assert_eq!((status, &report["verdict"]), (2, &"none".into()), "no key: {report}");
    ledger.audit(12);
}
