//! A course of ketamine, told through the command line alone: the right patient, the right dose, the right day, and home
//! safely.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::stage::{
    BEFORE, IDENTITY, INFUSION, PATIENT, PRODUCT, answer, course, dose_arguments, file, in_session,
    named, observe, outcome, receive, register, staffed, start,
};
use crate::support::{Open, Server, program};

/// Whoever goes home needs all three said.
const PAPERS: [&str; 3] = ["--escort", "--no-driving", "--leaflet"];

/// What a command says to a person, which must be good.
fn told(open: &Open, person: &str, arguments: &[&str]) -> String {
    open.run(person, arguments).expect(0).stdout
}

/// All of these stand in a text.
fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in:\n{text}");
    }
}

#[test]
fn a_first_session_from_the_registration_to_the_way_home() {
    let open = staffed();
    let vial = receive(&open, "A123", "2").remove(0);
    who_it_is(&open);
    let session = asked_and_begun(&open);
    let dose = calculated(&open, &session);
    given(&open, &vial, &dose);
    watched(&open, &session);
    home(&open, &session);
    shown(&open, &session);
    let Open { clinic, server } = open;
    assert_eq!(server.stop(), Some(0));
    clinic.verify(&clinic.ledger()).expect(0);
}

/// The patient is registered under a pseudonym; who that is stands nowhere but where it is asked for.
fn who_it_is(open: &Open) {
    let registered = register(open, PATIENT);
    assert_eq!(named(&registered, "patient_registered", "patient"), PATIENT);
    let shown = open.ask("nina", &["patient", "show", "p7"]);
    assert!(shown["patient"]["age_years"].as_u64().unwrap() >= 43);
    let entries = open.run("nina", &["entries", "--patient", "p7", "--json"]).expect(0).stdout;
    for secret in ["Pat Example", "Elm Street", "1983-04-05", "4711"] {
        assert!(!shown.to_string().contains(secret) && !entries.contains(secret), "{secret}");
    }
    let read = open.ask("nina", &["patient", "identity", "p7", "--purpose", "treatment"]);
    assert_eq!(read["read"]["opening"]["identity"]["display_name"], "Pat Example");
    let entry = read["entry"].as_str().unwrap();
    let text = told(open, "nina", &["patient", "identity", "p7", "--purpose", "patient-request"]);
    says(&text, &["Pat Example", "1983-04-05", "MRN 4711", "That you looked is recorded as entry"]);
    says(
        &told(open, "bob", &["entries", "--act", "OpenIdentity"]),
        &["people/nina", "is open to you"],
    );
    open.ask("bob", &["receipt", "get", entry]);
    // A second registration under the same pseudonym is refused, and so is a name that is none.
    let identity = file(open, "again.json", IDENTITY);
    let again = ["patient", "register", "p7", "--identity-file", identity.to_str().unwrap()];
    assert_eq!(open.refused("nina", &again)["reason"], "PATIENT_EXISTS");
}

/// Every question is asked, the course opens, the session begins, and the first readings are taken.
fn asked_and_begun(open: &Open) -> String {
    let questions = ["patient", "questions", "ket-trd-iv", "p7"];
    says(&told(open, "nina", &questions), &["OPEN", "12 questions are to be asked", "psychosis"]);
    answer(open, PATIENT);
    let standing = open.ask("nina", &["patient", "questions", "protocols/ket-trd-iv", "p7"]);
    let standing = standing["questions"].as_array().unwrap();
    assert_eq!(standing.len(), 12);
    assert!(standing.iter().all(|question| question["standing"] == "answered"), "{standing:#?}");
    says(&told(open, "nina", &questions), &["Every question has an answer that counts today."]);

    says(&told(open, "petra", &["course", "plans"]), &["plans/ket-trd-iv", "4 to 8 sessions"]);
    let course = course(open, "ket-trd-iv");
    says(&told(open, "nina", &["course", "show", &course]), &["No session yet.", "1,000 mg"]);
    let started = told(open, "nina", &["session", "start", &course, "--dry-run"]);
    says(&started, &["(induction)", "Next: vialedger session observe", "nothing was recorded"]);
    let session = start(open, &course);
    says(&told(open, "nina", &["course", "due"]), &["no dose yet", "before the dose: systolic"]);
    observe(open, &session, &BEFORE);
    session
}

/// With the session, nothing about the patient is typed again.
fn calculated(open: &Open, session: &str) -> String {
    let arguments =
        [dose_arguments(&["dose", "calculate"], session, "0.5 mg/kg"), INFUSION.to_vec()].concat();
    let calculated = open.ask("petra", &arguments);
    let dose = outcome(&calculated, "dose_calculation");
    assert_eq!(dose["patient"], PATIENT);
    assert_eq!(dose["protocol"], "protocols/ket-trd-iv");
    assert_eq!(dose["session"], session);
    let dose = dose["name"].as_str().unwrap().to_owned();
    let replayed = told(open, "petra", &["dose", "replay", &dose]);
    says(&replayed, &["Identical: ", "digit for digit", "By the formulary of today", "36.25 mg"]);
    let replayed = open.ask("petra", &["dose", "replay", &dose]);
    assert_eq!(replayed["today"]["readback"], replayed["recorded"]["readback"]);
    // This protocol asks for no second person.
    let check =
        [dose_arguments(&["dose", "check", &dose], session, "0.5 mg/kg"), INFUSION.to_vec()];
    assert_eq!(open.refused("nina", &check.concat())["reason"], "CHECK_NOT_ASKED");
    dose
}

fn given(open: &Open, vial: &str, dose: &str) {
    let dispense = ["dispense", vial, "--to", "nina", "--patient", "p7", "--dose", dose];
    let refused = open.run("bob", &[&dispense[..], &["--take-home"]].concat()).expect(1).stderr;
    says(&refused, &["never handed to a patient to take home", "HOME_SUPPLY", "refusal is entry"]);
    let dispensed = open.ask("bob", &dispense);
    let dispensing = named(&dispensed, "dispensing", "name");
    let given =
        ["administer", &dispensing, "--patient", "p7", "--amount", "3.6 mL", "--start", "now"];
    open.ask("nina", &given);
    let waste = ["waste", "--dispensing", &dispensing, "--amount", "16.4 mL"];
    let how = ["--reason", "remainder", "--method", "deactivation-container"];
    let wasted = open.ask("nina", &[&waste[..], &how].concat());
    open.ask("otto", &["witness", &named(&wasted, "waste", "name"), "--amount", "16.4 mL"]);
}

/// An alert is loud, waits for a prescriber, and stands on the board; an adverse effect begins and ends.
fn watched(open: &Open, session: &str) {
    let low = ["spo2=88", "systolic=131", "diastolic=80", "moaa-s=5", "dissociation=1"];
    let arguments = [&["session", "observe", session, "--read"][..], &low].concat();
    let alert = told(open, "nina", &arguments);
    says(
        &alert,
        &["ALERT alerts/", "spo2 88% is below 90", "give oxygen", "session alert alerts/"],
    );
    let name = alert.split("ALERT ").nth(1).unwrap().split(':').next().unwrap();
    let due = told(open, "nina", &["course", "due"]);
    says(&due, &[&format!("{session}, {PATIENT}: ALERT {name}"), "no prescriber has acknowledged"]);
    let note = ["--note", "the probe had slipped"];
    let acknowledge = [&["session", "alert", name][..], &note].concat();
    assert_eq!(open.refused("nina", &acknowledge)["code"], "PERMISSION_DENIED");
    open.ask("petra", &acknowledge);
    assert_eq!(open.refused("petra", &acknowledge)["reason"], "ALERT_NOT_OPEN");

    let kind = ["--kind", "nausea", "--severity", "mild", "--onset", "1 min ago"];
    let action = ["--action", "observed-longer"];
    let effect = open.ask("nina", &[&["session", "effect", session][..], &kind, &action].concat());
    let effect = named(&effect, "adverse_effect", "name");
    let end = ["--end", "now"];
    let ended = [&["session", "effect", effect.as_str()][..], &kind, &action, &end].concat();
    says(&told(open, "nina", &ended), &[&effect, "mild nausea; it has ended"]);
    observe(
        open,
        session,
        &["spo2=98", "systolic=128", "diastolic=79", "moaa-s=5", "dissociation=0"],
    );
}

/// Nobody lets a patient go early alone; a prescriber who is another person may.
fn home(open: &Open, session: &str) {
    let discharge = [&["session", "discharge", session][..], &PAPERS].concat();
    let refused = open.run("nina", &discharge).expect(1).stderr;
    says(&refused, &["may not go home yet", "120 min are needed", "NOT_DISCHARGEABLE"]);
    assert!(!refused.contains("Z."), "the time is this device's and not UTC's: {refused}");
    let early = [&discharge[..], &["--early", "the ride home leaves now"]].concat();
    let put_forward = told(open, "nina", &early);
    says(
        &put_forward,
        &["the patient stays until one of these approves", "vialedger approve entries/"],
    );
    let entry = put_forward.split("vialedger approve ").nth(1).unwrap().trim().to_owned();
    assert_eq!(open.run("nina", &["approve", &entry]).status, 1, "not who put it forward");
    let approved = told(open, "paul", &["approve", &entry]);
    says(
        &approved,
        &["BEFORE THE RULES ALLOWED IT", "approved by people/paul", "120 min are needed"],
    );
    let refused = open.refused("nina", &discharge);
    assert_eq!(refused["reason"], "SESSION_NOT_OPEN");
}

/// What belongs to a session is found by it, for people and for programs.
fn shown(open: &Open, session: &str) {
    let text = told(open, "nina", &["session", "show", session]);
    says(
        &text,
        &["discharged", "EARLY, approved by people/paul", "36 mg", "lot A123", "systolic 128 mmHg"],
    );
    says(&text, &["people/petra: the probe had slipped", "nausea", "REFUSED NOT_DISCHARGEABLE"]);
    let found = open.ask("nina", &["session", "show", session]);
    assert_eq!(found["session"]["state"], "SESSION_STATE_DISCHARGED");
    let course = found["session"]["course"].as_str().unwrap();
    printed(open, session, course);
    says(&told(open, "nina", &["session", "list", "p7"]), &[session, "discharged", "36 mg"]);
    says(
        &told(open, "nina", &["course", "due"]),
        &["No session is open, and no form is to be sent."],
    );
    says(
        &told(open, "nina", &["course", "show", course]),
        &["Next session planned", "nausea", "36 mg"],
    );
    let missed = ["course", "missed", course, "--planned", "today", "--reason", "did-not-come"];
    open.ask("nina", &missed);
    open.ask("petra", &["course", "close", course, "--reason", "completed"]);
    let closed = open.ask("nina", &["course", "show", course]);
    assert_eq!(closed["course"]["end_reason"], "COURSE_END_COMPLETED");
    assert_eq!(closed["course"]["missed"][0]["reason"], "SESSION_END_DID_NOT_COME");
    says(
        &told(open, "nina", &["patient", "show", "p7"]),
        &[course, "72.5 kg", "two-antidepressants"],
    );
    says(&told(open, "nina", &["patient", "list"]), &[PATIENT, course]);
}

/// Pages are written into new files and name what was recorded.
fn printed(open: &Open, session: &str, course: &str) {
    for (of, verb, name, parts) in [
        ("session", "report", session, &["<!DOCTYPE html>", "36 mg", "A123", "Example Clinic"][..]),
        ("course", "report", course, &["<!DOCTYPE html>", "36 mg", "Example Clinic"]),
        ("session", "leaflet", session, &["<!DOCTYPE html>", "Never use ketamine at home"]),
    ] {
        let path = open.clinic.path(&format!("{of}-{verb}.html"));
        let arguments = [of, verb, name, "--out", path.to_str().unwrap()];
        says(&told(open, "nina", &arguments), &[name, path.to_str().unwrap()]);
        let page = std::fs::read_to_string(&path).unwrap();
        says(&page, parts);
        assert!(!page.contains("Pat Example"), "a page knows the pseudonym alone");
        open.run("nina", &arguments).expect(73);
    }
    let refused = open.run("nina", &["session", "form", session]).expect(1).stderr;
    says(&refused, &["has no form to send"]);
}

#[test]
fn two_people_work_a_dose_out_and_nothing_is_dispensed_until_both_agree() {
    let open = staffed();
    let vial = receive(&open, "A123", "1").remove(0);
    let session = in_session(&open, "ket-oral-dep");
    let calculate = dose_arguments(&["dose", "calculate"], &session, "2 mg/kg");
    let calculate = [calculate, vec!["--syringe", "20 mL"]].concat();
    let first = told(&open, "petra", &calculate);
    says(&first, &["WAITS for a second person", "vialedger dose check doseCalculations/"]);
    let name = first.split("vialedger dose check ").nth(1).unwrap().lines().next().unwrap();
    let check = |person: &str, name: &str, syringe: &str| {
        let begin = ["dose", "check", name];
        let dose = dose_arguments(&begin, &session, "2 mg/kg");
        open.run(person, &[dose, vec!["--syringe", syringe]].concat())
    };

    // The second person does not get to see the first result, and the first person cannot be the second.
    let refused = open.run("nina", &["dose", "show", name]).expect(1).stderr;
    says(&refused, &["CHECK_REQUIRED"]);
    let hidden = told(&open, "nina", &["session", "show", &session]);
    says(&hidden, &[&format!("vialedger dose check {name}"), "is not shown before"]);
    assert!(!hidden.contains("72.5 kg") && !hidden.contains("mg"), "{hidden}");
    let refused = check("petra", name, "20 mL").expect(1).stderr;
    says(&refused, &["SELF_CHECK", "a second person must work it out anew"]);
    let dispense = ["dispense", &vial, "--to", "nina", "--patient", "p7", "--dose", name];
    assert_eq!(open.refused("bob", &dispense)["reason"], "CHECK_REQUIRED");

    let differs = check("nina", name, "50 mL").expect(1);
    says(&differs.stdout, &["Field", "First", "Second", "syringe", "20 mL", "50 mL", "DIFFERS"]);
    assert_eq!(open.refused("bob", &dispense)["reason"], "CHECK_DIFFERS");

    let again = open.ask("petra", &calculate);
    let name = named(&again, "dose_calculation", "name");
    let agreed = check("nina", &name, "20 mL").expect(0).stdout;
    says(&agreed, &["Agreed: both people entered and got the same."]);
    let dispense = ["dispense", &vial, "--to", "nina", "--patient", "p7", "--dose", &name];
    open.ask("bob", &dispense);
    assert_eq!(
        open.ask("nina", &["session", "show", &session])["session"]["checked_by"],
        "people/nina"
    );
}

#[test]
fn a_nasal_session_ends_with_its_form_and_the_form_with_its_day() {
    let open = staffed();
    let devices = receive_devices(&open);
    let session = in_session(&open, "esk-trd");
    let begin = ["dose", "calculate", "--session", &session, "--product", NASAL];
    let weight = ["--weight", "72.5 kg", "--measured", "25 min ago", "--dose", "2 devices"];
    let calculated = open.ask("petra", &[&begin[..], &weight].concat());
    let dose = named(&calculated, "dose_calculation", "name");
    for device in devices {
        let dispense = ["dispense", &device, "--to", "nina", "--patient", "p7", "--dose", &dose];
        let dispensing = named(&open.ask("bob", &dispense), "dispensing", "name");
        let administer = ["administer", &dispensing, "--patient", "p7", "--amount", "1 device"];
        open.ask("nina", &[&administer[..], &["--start", "now"]].concat());
    }
    let discharge = [&["session", "discharge", session.as_str()][..], &PAPERS].concat();
    let early = open.ask("nina", &[&discharge[..], &["--early", "feels unwell here"]].concat());
    open.ask("paul", &["approve", &early["receipt"]["index"].to_string()]);

    says(&told(&open, "nina", &["course", "due"]), &["Form to send", &session, "in time"]);
    let form = open.ask("nina", &["session", "form", &session]);
    assert_eq!(form["dose"]["mass"]["text"], "56 mg");
    assert!(!form.to_string().contains("Pat Example"));
    let page = open.clinic.path("form.html");
    let arguments = ["session", "form", &session, "--identity", "--out", page.to_str().unwrap()];
    says(&told(&open, "nina", &arguments), &["The form of", "MISSING"]);
    says(&std::fs::read_to_string(&page).unwrap(), &["Pat Example", "56 mg"]);
    let looks = told(&open, "bob", &["entries", "--act", "OpenIdentity"]);
    assert_eq!(looks.matches("is open to you").count(), 1, "{looks}");
    open.ask("nina", &["session", "form-sent", &session, "--on", "today", "--reference", "R-1"]);
    says(&told(&open, "nina", &["session", "show", &session]), &["sent on"]);
    says(&told(&open, "nina", &["course", "due"]), &["no form is to be sent"]);
}

const NASAL: &str = "products/esketamine-50458-028-02";

fn receive_devices(open: &Open) -> Vec<String> {
    let year = jiff::Zoned::now().year() + 2;
    let arguments = [
        "stock",
        "receive",
        "--place",
        "main",
        "--supplier",
        "Example Wholesale",
        "--supplier-address",
        "2 Side Street, Springfield, IL",
        "--supplier-dea",
        "AB1234563",
        "--invoice",
        "INV-2",
        "--received",
        "today",
        "--product",
        NASAL,
        "--lot",
        "N7",
        "--expiry",
        &format!("{year}-12-31"),
        "--counted",
        "2",
        "--invoiced",
        "2",
    ];
    let received = open.ask("bob", &arguments);
    let vials = outcome(&received, "vials_received")["vials"].as_array().unwrap().iter();
    vials.map(|vial| vial.as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_slip_is_answered_with_what_was_expected_and_nothing_is_recorded() {
    let open = staffed();
    let session = in_session(&open, "ket-trd-iv");
    let size = || open.ask("nina", &["balances"])["size"].as_u64().unwrap();
    let before = size();
    for (status, arguments, parts) in [
        (
            64,
            &["session", "observe", &session, "--read", "o2=97"][..],
            &["no measure o2", "spo2 ("][..],
        ),
        (64, &["session", "observe", &session, "--read", "spo2=97%"], &["whole number"]),
        (64, &["session", "observe", &session], &["--read"]),
        (1, &["session", "observe", &session, "--read", "spo2=970"], &["it is 30 to 100"]),
        (1, &["session", "observe", "4711", "--read", "spo2=97"], &["sessions/4711"]),
        (64, &["session", "effect", "patients/p7"], &["adverseEffects/"]),
        (64, &["session", "cancel", &session, "--reason", "other"], &["--note"]),
        (64, &["session", "cancel", &session, "--reason", "rain"], &["did-not-come", "no-escort"]),
        (64, &["patient", "register", "p8"], &["--identity-file"]),
        (
            64,
            &["patient", "register", "p8", "--name", "X", "--address", "Y", "--born", "1983"],
            &["born"],
        ),
        (1, &["patient", "questions", "ket-crps", "p7"], &["course plans", "protocols/ket-crps"]),
        (64, &["patient", "answer", "p7", "--answer", "pregnancy=maybe"], &["QUESTION=unknown"]),
        (
            64,
            &["dose", "preview", "--product", PRODUCT, "--weight", "72 kg", "--measured", "now"],
            &["--patient", "--protocol", "--age"],
        ),
    ] {
        let ended = open.run("nina", arguments).expect(status);
        says(&ended.stderr, parts);
    }
    let gone = dose_arguments(&["dose", "preview"], "sessions/4711", "0.5 mg/kg");
    says(&open.run("petra", &gone).expect(1).stderr, &["sessions/4711"]);
    assert_eq!(size(), before);
}

#[test]
fn an_age_that_the_server_cannot_know_is_asked_for_and_a_phase_must_be_one_that_comes() {
    let open = staffed();
    register(&open, PATIENT);
    answer(&open, PATIENT);
    let course = course(&open, "ket-trd-iv");
    let refused = open.run("nina", &["session", "start", &course, "--phase", "lunch"]).expect(1);
    says(&refused.stderr, &["WRONG_PHASE", "induction, or later maintenance"]);
    let refused = open.run("nina", &["session", "start", &course, "--age", "17"]).expect(1);
    says(&refused.stderr, &["Why:        AGE_"]);

    // The operator has lost the sealed identities: nobody's age is known any more.
    let Open { clinic, server } = open;
    assert_eq!(server.stop(), Some(0));
    for file in ["identities.db", "identities.db-wal", "identities.db-shm"] {
        let path = clinic.ledger().join(file);
        if path.exists() {
            std::fs::remove_file(path).unwrap();
        }
    }
    let server = Server::start(&clinic, &[]);
    let open = Open { clinic, server };
    let missing = open.run("nina", &["session", "start", &course]).expect(64).stderr;
    says(&missing, &["does not hold the date of birth of patients/p7", "--age YEARS"]);
    open.ask("nina", &["session", "start", &course, "--age", "43"]);
}

#[test]
fn a_soft_question_is_passed_with_a_reason_and_two_ids_of_one_patient_become_one() {
    let open = staffed();
    register(&open, PATIENT);
    register(&open, "patients/p8");
    answer(&open, PATIENT);
    let yes = ["patient", "answer", "p7", "--answer", "interacting-medicines=yes"];
    says(&told(&open, "nina", &yes), &["STOPS the dose", "STOPS: interacting-medicines"]);
    let questions = ["patient", "questions", "ket-trd-iv", "p7"];
    says(&told(&open, "nina", &questions), &["STOPS, unless passed with a reason"]);
    let reason =
        ["--override", "QUESTION:interacting-medicines=specialist-advice:low dose for sleep"];
    let passed = [&yes[..], &reason].concat();
    assert_eq!(open.refused("nina", &passed)["code"], "PERMISSION_DENIED");
    says(&told(&open, "petra", &passed), &["passed: specialist advice"]);
    says(&told(&open, "nina", &questions), &["passed with a reason"]);

    let merge =
        ["patient", "merge", "p8", "--into", "p7", "--reason", "the same chart, filed twice"];
    assert_eq!(open.refused("nina", &merge)["code"], "PERMISSION_DENIED");
    open.ask("bob", &merge);
    says(&told(&open, "nina", &["patient", "show", "p8"]), &["Another name of", PATIENT]);
}

#[test]
fn a_session_in_which_nothing_was_given_is_called_off() {
    let open = staffed();
    let session = in_session(&open, "ket-trd-iv");
    let discharge = [&["session", "discharge", session.as_str()][..], &PAPERS].concat();
    assert_eq!(open.refused("nina", &discharge)["reason"], "NOTHING_GIVEN");
    let cancel = ["session", "cancel", &session, "--reason", "no-escort"];
    says(&told(&open, "nina", &cancel), &[&format!("{session} is called off")]);
    says(&told(&open, "nina", &["session", "show", &session]), &["called off", "no escort"]);
    let sent = ["session", "form-sent", &session, "--on", "today"];
    assert_eq!(open.refused("nina", &sent)["reason"], "NO_FORM");
}

#[test]
fn a_board_on_the_wall_follows_what_happens_and_its_end_is_an_error() {
    let open = staffed();
    register(&open, PATIENT);
    answer(&open, PATIENT);
    let course = course(&open, "ket-trd-iv");
    let key = open.clinic.key("nina");
    let mut wall = program()
        .args(["course", "due", "--watch", "--json", "--server", &open.server.address, "--key"])
        .arg(key)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(wall.stdout.take().unwrap()).lines();
    let mut board = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    assert_eq!(board()["sessions"], json!([]));
    let session = start(&open, &course);
    let now = board();
    assert_eq!(now["sessions"][0]["name"], session.as_str());
    assert_eq!(now["sessions"][0]["wanted"][0]["state"], "DUE_STATE_DUE");
    observe(&open, &session, &BEFORE);
    assert_eq!(board()["sessions"][0]["wanted"], json!([]));
    let Open { clinic: _clinic, server } = open;
    assert_eq!(server.stop(), Some(0));
    assert_eq!(wall.wait().unwrap().code(), Some(75), "an old board is not left on the wall");
}
