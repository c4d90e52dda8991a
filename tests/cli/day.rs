//! A small day at a clinic, told through the command line alone.

use serde_json::json;

use crate::stage::{
    INFUSION, PATIENT, course, dose_arguments, in_session, named, outcome, receive, register,
    staffed,
};
use crate::support::{Open, run};

/// The arguments of a command about an infusion of so much.
fn infusion<'a>(verb: &'a str, session: &'a str, dose: &'a str) -> Vec<&'a str> {
    [dose_arguments(&["dose", verb], session, dose), INFUSION.to_vec()].concat()
}

#[test]
fn a_day_from_the_carton_to_the_witnessed_waste_verifies() {
    let open = staffed();
    let vials = receive(&open, "A123", "3");
    assert_eq!(vials.len(), 3);
    let vial = vials[0].as_str();

    let session = in_session(&open, "ket-trd-iv");
    let preview = open.ask("petra", &infusion("preview", &session, "0.5 mg/kg"));
    assert_eq!(
        preview["dose_calculation"]["exact_dose"],
        json!({ "value": "36.25", "unit": "mg" })
    );
    let calculated = open.ask("petra", &infusion("calculate", &session, "0.5 mg/kg"));
    let dose = outcome(&calculated, "dose_calculation");
    assert_eq!(dose["measured_amount"], json!({ "value": "3.6", "unit": "mL" }));
    let dose = dose["name"].as_str().unwrap();
    open.ask("petra", &["dose", "show", dose]);

    let dispensed =
        open.ask("bob", &["dispense", vial, "--to", "nina", "--patient", "p7", "--dose", dose]);
    let dispensing = named(&dispensed, "dispensing", "name");
    let dispensing = dispensing.as_str();
    let given = ["administer", dispensing, "--patient", "p7", "--amount", "3.6 mL", "--start"];
    let later = [&given[..], &["2199-01-01T03:00:00Z"]].concat();
    assert_eq!(open.refused("nina", &later)["reason"], "IN_FUTURE", "and not an end before it");
    open.ask("nina", &[&given[..], &["now"]].concat());
    let wasted = open.ask(
        "nina",
        &[
            "waste",
            "--dispensing",
            dispensing,
            "--amount",
            "16.4 mL",
            "--reason",
            "remainder",
            "--method",
            "deactivation-container",
        ],
    );
    let waste = named(&wasted, "waste", "name");
    let waste = waste.as_str();

    let refused = open.refused("nina", &["witness", waste, "--amount", "16.4 mL"]);
    assert_eq!(refused["reason"], "SELF_WITNESS");
    assert!(refused["entry"].is_u64(), "a recorded refusal names its entry: {refused}");
    open.ask("otto", &["witness", waste, "--amount", "16.4 mL"]);

    let shown = open.ask("otto", &["vial", "show", vial]);
    assert_eq!(shown["vial"]["balance"]["state"], "VIAL_STATE_CLOSED");
    assert_eq!(shown["vial"]["balance"]["unwitnessed"]["value"], "0");
    let history = open.run("otto", &["vial", "show", vial]).expect(0).stdout;
    assert!(history.contains("witnessed by people/otto"), "{history}");
    let balances = open.ask("bob", &["balances"]);
    assert_eq!(balances["balances"][0]["sealed"], 2);

    everything_is_shown(&open, vial);
    closes_good(open);
}

/// The vial's history names the witness, and every list has a form for people and one for programs.
fn everything_is_shown(open: &Open, vial: &str) {
    let entries = open.ask("bob", &["entries", "--vial", vial]);
    let acts = entries["entries"].as_array().unwrap().iter();
    let acts: Vec<_> =
        acts.map(|entry| entry["entry_decoded"]["request_type"].as_str().unwrap()).collect();
    // The first Witness is the nurse's own, which was refused: whoever reads the history meets it.
    let expected = [
        "ReceiveVials",
        "DispenseVial",
        "RecordAdministration",
        "RecordWaste",
        "Witness",
        "Witness",
    ]
    .map(|act| format!("vialedger.v1.{act}Request"));
    assert_eq!(acts, expected);
    for command in [
        &["person", "list"][..],
        &["proposals", "list"],
        &["place", "list"],
        &["formulary", "show"],
        &["protocols", "list"],
        &["protocols", "show", "ket-trd-iv"],
        &["products", "list"],
        &["stock", "list"],
        &["vial", "list", "--state", "in-stock"],
        &["entries", "--patient", "p7", "--from", "1 h ago"],
    ] {
        open.ask("bob", command);
        let text = open.run("bob", command).expect(0).stdout;
        assert!(!text.trim().is_empty(), "{command:?}");
    }
}

/// Receipts and a checkpoint are kept, the server stops in order, and the file verifies against
/// them.
fn closes_good(open: Open) {
    let (receipt, checkpoint) = (open.clinic.path("receipt"), open.clinic.path("checkpoint"));
    let (receipt, checkpoint) = (receipt.to_str().unwrap(), checkpoint.to_str().unwrap());
    open.ask("otto", &["receipt", "get", "3", "--out", receipt]);
    open.ask("otto", &["receipt", "checkpoint", "--out", checkpoint]);
    let proved = run(["receipt", "verify", receipt, "--vkey", &open.clinic.vkey, "--json"]);
    assert_eq!(proved.expect(0).json()["index"], 3);
    let text = std::fs::read_to_string(receipt).unwrap().replace("index 3\n", "index 2\n");
    std::fs::write(open.clinic.path("bent"), text).unwrap();
    let bent = open.clinic.path("bent");
    run(["receipt", "verify", bent.to_str().unwrap(), "--vkey", &open.clinic.vkey]).expect(1);

    let Open { clinic, server } = open;
    assert_eq!(server.stop(), Some(0));
    let ledger = clinic.ledger();
    let ledger = ledger.to_str().unwrap();
    for outside in [receipt, checkpoint] {
        let verdict =
            run(["verify", ledger, "--vkey", &clinic.vkey, "--checkpoint", outside, "--json"])
                .expect(0)
                .json();
        assert_eq!(verdict["anchor"]["kind"], "checkpoint");
        assert_eq!(verdict["anchor"]["size"], verdict["entries"]);
    }
    run(["rebuild", ledger, "--json"]).expect(0).json();
    clinic.verify(&clinic.ledger()).expect(0);
}

#[test]
fn a_refusal_says_what_why_what_to_do_and_where_it_was_recorded() {
    let open = staffed();
    let session = in_session(&open, "ket-trd-iv");
    let refused = open.run("petra", &infusion("calculate", &session, "2 mg/kg")).expect(1);
    for part in
        ["Refused: 2 mg/kg", "Why:        OVER_HARD_LIMIT", "Recorded:   the refusal is entry "]
    {
        assert!(refused.stderr.contains(part), "{part:?} in {}", refused.stderr);
    }
    assert!(refused.stdout.is_empty());
}

#[test]
fn nothing_begins_while_a_question_is_open_and_each_is_named() {
    let open = staffed();
    register(&open, PATIENT);
    let course = course(&open, "ket-trd-iv");
    let refused = open.run("nina", &["session", "start", &course]).expect(1);
    for part in ["psychosis", "two-antidepressants-tried", "Why:        QUESTION_UNANSWERED"] {
        assert!(refused.stderr.contains(part), "{part:?} in {}", refused.stderr);
    }
}

#[test]
fn a_retry_with_the_same_request_id_gets_the_first_answer_and_a_dry_run_records_nothing() {
    let open = Open::new();
    let place = ["place", "create", "crash-cart", "--name", "Crash cart"];
    let dry: Vec<&str> = place.iter().copied().chain(["--dry-run"]).collect();
    assert!(open.ask("ada-alvarez", &dry).get("receipt").is_none());

    let id = ["--request-id", "01932c07-3c00-7000-8000-000000000001"];
    let once: Vec<&str> = place.iter().copied().chain(id).collect();
    let first = open.ask("ada-alvarez", &once);
    let again = open.ask("ada-alvarez", &once);
    assert_eq!(first["receipt"]["entry"], again["receipt"]["entry"]);
    let places = open.ask("ada-alvarez", &["place", "list"]);
    assert_eq!(places["places"].as_array().unwrap().len(), 2);
    let other = ["place", "create", "other", "--name", "Other", id[0], id[1]];
    assert_eq!(open.refused("ada-alvarez", &other)["code"], "ALREADY_EXISTS");
    let stale: Vec<&str> = place.iter().copied().chain(["--expected-size", "1"]).collect();
    assert_eq!(open.refused("ada-alvarez", &stale)["code"], "ABORTED");
}

#[test]
fn somebody_far_away_is_enrolled_with_a_card_and_a_revoked_key_is_not_let_in() {
    let open = Open::new();
    let (key, card) = (open.clinic.new_key("nina"), open.clinic.path("nina.card"));
    let (key, card) = (key.to_str().unwrap(), card.to_str().unwrap());
    let vkey = open.clinic.vkey.as_str();
    let made = run(["key", "public", key, "--for", "nina", "--vkey", vkey]).expect(0).stdout;
    std::fs::write(card, &made).unwrap();
    let wrong = ["person", "enroll", "otto", "--name", "Otto", "--role", "nurse", "--card", card];
    open.run("ada-alvarez", &wrong).expect(65);
    let right = ["person", "enroll", "nina", "--name", "Nina", "--role", "nurse", "--card", card];
    open.ask("ada-alvarez", &right);
    open.ask("nina", &["person", "list"]);
    // Somebody else's name does not go with this key.
    open.run("nina", &["person", "list", "--as", "ada-alvarez"]).expect(77);

    open.ask("ada-alvarez", &["person", "revoke", "nina", "--reason", "lost phone"]);
    let refused = open.run("nina", &["person", "list"]).expect(77);
    assert!(refused.stderr.contains("Not let in"), "{}", refused.stderr);
}

#[test]
fn receipts_are_kept_where_a_folder_is_named() {
    let open = Open::new();
    let folder = open.clinic.path("receipts");
    let place = ["place", "create", "crash-cart", "--name", "Crash cart"];
    let kept: Vec<&str> =
        place.iter().copied().chain(["--receipts", folder.to_str().unwrap()]).collect();
    let told = open.run("ada-alvarez", &kept).expect(0).stdout;
    assert!(told.contains("entry-2.receipt"), "{told}");
    let receipt = folder.join("entry-2.receipt");
    run(["receipt", "verify", receipt.to_str().unwrap(), "--vkey", &open.clinic.vkey]).expect(0);
}

#[test]
fn a_server_that_is_not_there_is_no_answer_and_nothing_was_sent() {
    let open = Open::new();
    let Open { clinic, server } = open;
    let address = server.address.clone();
    assert_eq!(server.stop(), Some(0));
    let key = clinic.key("ada-alvarez");
    let arguments = ["person", "list", "--key", key.to_str().unwrap(), "--server", &address];
    let ended = run(arguments).expect(69);
    assert!(ended.stderr.contains("nothing was sent"), "{}", ended.stderr);
}
