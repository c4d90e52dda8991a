//! What the stories of the command line begin with: the people, the carton, the patient in a session.

use std::path::PathBuf;

use jiff::civil::Date;
use serde_json::Value;

use crate::support::Open;

pub const PRODUCT: &str = "products/ketamine-42023-113-10";
pub const PATIENT: &str = "patients/p7";
/// Who the patient is. No answer and no error may hold any of it.
pub const IDENTITY: &str = r#"{
    "name": "Pat Example", "address": "12 Elm Street, Springfield, IL 62704", "born": "1983-04-05",
    "identifiers": ["MRN 4711"]
}"#;
/// What the plans ask, with answers that stop nothing.
pub const ANSWERS: &str = "\
psychosis=no
uncontrolled-blood-pressure=no
aneurysm-or-malformation=no
intracerebral-haemorrhage=no
hypersensitivity-ketamine=no
severe-liver-disease=no
raised-pressure=no
substance-misuse=no
pregnancy=no
interacting-medicines=no
urinary-symptoms=no
two-antidepressants-tried=yes
";
/// Readings before the dose that ask for nothing.
pub const BEFORE: [&str; 5] = ["systolic=128", "diastolic=79", "pulse=70", "spo2=98", "moaa-s=5"];

/// The clinic with its people and the starter formulary in force.
pub fn staffed() -> Open {
    let open = Open::new();
    open.enroll("bob", &["administrator", "pharmacist"], None);
    open.enroll("petra", &["prescriber"], Some("bob"));
    open.enroll("paul", &["prescriber"], Some("bob"));
    open.enroll("nina", &["nurse"], Some("bob"));
    open.enroll("otto", &["nurse"], Some("bob"));
    let published = open.ask("bob", &["formulary", "publish", "--starter"]);
    let index = published["receipt"]["index"].to_string();
    open.ask("ada-alvarez", &["approve", &index]);
    open
}

/// The text of a scan of Ketalar 10 mg/mL, good until the end of the year after next.
fn scan(lot: &str) -> String {
    let today: Date = jiff::Zoned::now().date();
    let year = (today.year() + 2) % 100;
    format!("010034202311310817{year:02}123110{lot}<GS>")
}

/// Takes vials in and answers with their names.
pub fn receive(open: &Open, lot: &str, counted: &str) -> Vec<String> {
    let received = open.ask(
        "bob",
        &[
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
            "INV-1",
            "--received",
            "today",
            "--scan",
            &scan(lot),
            "--counted",
            counted,
            "--invoiced",
            counted,
        ],
    );
    let vials = outcome(&received, "vials_received")["vials"].as_array().unwrap().iter();
    vials.map(|vial| vial.as_str().unwrap().to_owned()).collect()
}

/// What an act came to, which must be of this kind.
pub fn outcome<'a>(answer: &'a Value, kind: &str) -> &'a Value {
    let found = &answer["outcome"][kind];
    assert!(found.is_object(), "{kind} in {answer:#}");
    found
}

/// One text of what an act came to.
pub fn named(answer: &Value, kind: &str, field: &str) -> String {
    outcome(answer, kind)[field]
        .as_str()
        .unwrap_or_else(|| panic!("{field}: {answer:#}"))
        .to_owned()
}

/// A file with this text.
pub fn file(open: &Open, name: &str, text: &str) -> PathBuf {
    let path = open.clinic.path(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// Registers the patient and answers with what came back.
pub fn register(open: &Open, patient: &str) -> Value {
    let identity = file(open, "identity.json", IDENTITY);
    let identity = identity.to_str().unwrap();
    open.ask("nina", &["patient", "register", patient, "--identity-file", identity])
}

/// Records answers that stop nothing.
pub fn answer(open: &Open, patient: &str) -> Value {
    let answers = file(open, "answers.txt", ANSWERS);
    open.ask("nina", &["patient", "answer", patient, "--answers-file", answers.to_str().unwrap()])
}

/// Opens a course and answers with its name.
pub fn course(open: &Open, plan: &str) -> String {
    let opened = open.ask("petra", &["course", "open", PATIENT, "--plan", plan]);
    named(&opened, "course_opened", "course")
}

/// Starts a session and answers with its name.
pub fn start(open: &Open, course: &str) -> String {
    let started = open.ask("nina", &["session", "start", course]);
    named(&started, "session_started", "session")
}

/// Records what was read.
pub fn observe(open: &Open, session: &str, readings: &[&str]) -> Value {
    let arguments = ["session", "observe", session, "--read"];
    open.ask("nina", &[&arguments[..], readings].concat())
}

/// The patient, registered and asked, in a session by a plan, with everything read that the dose needs.
pub fn in_session(open: &Open, plan: &str) -> String {
    register(open, PATIENT);
    answer(open, PATIENT);
    let session = start(open, &course(open, plan));
    observe(open, &session, &BEFORE);
    session
}

/// The arguments of a command about the dose of a session.
pub fn dose_arguments<'a>(begin: &[&'a str], session: &'a str, dose: &'a str) -> Vec<&'a str> {
    let rest = [
        "--session",
        session,
        "--product",
        PRODUCT,
        "--weight",
        "72.5 kg",
        "--measured",
        "25 min ago",
        "--dose",
        dose,
    ];
    [begin, &rest].concat()
}

/// What an infusion needs besides.
pub const INFUSION: [&str; 6] = ["--syringe", "5 mL", "--over", "40 min", "--diluted-to", "50 mL"];
