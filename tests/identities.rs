//! Who the patients are: sealed beside the ledger and never in it, read with a trace, and handed over or withheld with
//! the same evidence. The real server in a process of its own, and the real commands.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::expect_used,
    missing_docs,
    reason = "tests"
)]

#[path = "support/clinic.rs"]
#[allow(dead_code, reason = "the bench and the crash test use the rest")]
mod clinic;
#[path = "support/process.rs"]
#[allow(dead_code, reason = "the crash test uses the rest")]
mod process;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use process::{Serving, run, vialedger};
use serde_json::Value;
use tempfile::TempDir;
use vialedger::client::{Answer, Client, ClientError, ConnectOptions, Rejection, Stamp};
use vialedger::clock::Clock;
use vialedger::identity::{Identity, Opening};
use vialedger::key::Key;
use vialedger::pb::v1::{self, outcome};

const ORIGIN: &str = "example.org/identities";
const CHIEF: &str = "people/ada-alvarez";
const NURSE: &str = "people/nina";
const PHARMACIST: &str = "people/pia";
const AUDITOR: &str = "people/aud";

/// What must be nowhere but where identities were opened.
const SECRETS: [&str; 12] = [
    "Przybylski",
    "Wilhelmina",
    "Depotgasse",
    "1984-02-29",
    "MRN-0042-17",
    "Quillfeather",
    "Bartholomew",
    "Featherstone",
    "1951-10-30",
    "NHS-943-476-5919",
    "Ångström",
    "Kungsgatan",
];

fn opening(number: u8) -> Opening {
    let (name, address, birth, identifiers) = match number {
        7 => ("Wilhelmina Przybylski", "12 Depotgasse, Dayton", "1984-02-29", vec!["MRN-0042-17"]),
        8 => {
            let identifiers = vec!["NHS-943-476-5919", "X1"];
            ("Bartholomew Quillfeather", "9 Featherstone Row, Leeds", "1951-10-30", identifiers)
        }
        _ => ("Zoë Ångström", "Kungsgatan 4, Uppsala", "1999-12-31", vec![]),
    };
    let identifiers = identifiers.into_iter().map(str::to_owned).collect();
    let identity = Identity::new(name.into(), address.into(), birth.parse().unwrap(), identifiers);
    let salts = [1, 2, 3, 4].map(|field| [number.wrapping_mul(16) + field; 32]);
    Opening { identity: identity.unwrap(), salts }
}

/// A clinic made by `vialedger init`, with its people.
struct Clinic {
    dir: TempDir,
    vkey: String,
    keys: BTreeMap<&'static str, Key>,
    server: Option<Serving>,
}

impl Clinic {
    async fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("ledger");
        let made = run(&[
            "init",
            folder.to_str().unwrap(),
            "--origin",
            ORIGIN,
            "--site",
            "Identity Clinic",
            "--address",
            "1 Main Street",
            "--utc-offset",
            "+00:00",
            "--admin",
            "Ada Alvarez",
            "--json",
        ]);
        let made: Value = serde_json::from_slice(&made.stdout).unwrap();
        let vkey = made["verifier_key"].as_str().unwrap().to_owned();
        let chief = Key::load(&folder.join("keys/ada-alvarez.pem"), None).unwrap();
        let mut clinic = Self { dir, vkey, keys: BTreeMap::from([(CHIEF, chief)]), server: None };
        clinic.start();
        let people = [
            (NURSE, v1::Role::Nurse),
            (PHARMACIST, v1::Role::Pharmacist),
            (AUDITOR, v1::Role::Auditor),
        ];
        for (person, role) in people {
            let key = Key::generate().unwrap();
            let enrolled = clinic::enrol(ORIGIN, person, role, &key);
            clinic.write(CHIEF, enrolled).await.unwrap();
            clinic.keys.insert(person, key);
        }
        clinic
    }

    fn folder(&self) -> PathBuf {
        self.dir.path().join("ledger")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn start(&mut self) {
        self.server = Some(Serving::start(&self.folder(), &["--log-level", "debug"]));
    }

    /// Stops the server in good order. Connections of clients that are gone are closed by another thread meanwhile: the
    /// server would wait for them.
    fn stop(&mut self) {
        self.server.take().unwrap().stop();
    }

    async fn client(&self, person: &'static str) -> Client {
        let options = ConnectOptions {
            server: self.server.as_ref().unwrap().url.clone(),
            ca: None,
            identity: None,
            insecure_plaintext: false,
        };
        let (vkey, key) = (self.vkey.parse().unwrap(), self.keys[person].clone());
        let person = person.parse().unwrap();
        Client::connect(&options, vkey, person, key, Clock::system()).await.unwrap()
    }

    async fn write<A: vialedger::client::Act>(
        &self,
        person: &'static str,
        act: A,
    ) -> Result<Answer, ClientError> {
        self.client(person).await.write(act, &Stamp::default()).await
    }

    async fn read<R: vialedger::client::Read>(
        &self,
        person: &'static str,
        message: R,
    ) -> Result<R::Response, ClientError> {
        self.client(person).await.read(message).await
    }

    /// Seals an identity and registers its patient.
    async fn register(&self, number: u8) {
        let opening = opening(number);
        let seal = v1::SealIdentityRequest { opening: Some(opening.to_wire()) };
        let sealed = self.read(NURSE, seal).await.unwrap();
        assert_eq!(sealed.identity_commitment, opening.commitment().as_bytes());
        self.write(NURSE, registration(number)).await.unwrap();
    }

    /// Exports the evidence into a folder of this name.
    fn export(&self, from: &Path, name: &str, more: &[&str]) -> Value {
        let out = self.path(name);
        let (from, to) = (from.to_str().unwrap(), out.to_str().unwrap());
        let arguments = [&["export", "evidence", from, "--out", to, "--json"], more].concat();
        let (status, said) = command(&arguments);
        assert_eq!(status, 0, "{said}");
        serde_json::from_str(&said).unwrap()
    }

    fn verify(&self, folder: &Path) -> (i32, Value) {
        let arguments = ["verify", folder.to_str().unwrap(), "--vkey", &self.vkey, "--json"];
        let (status, said) = command(&arguments);
        (status, serde_json::from_str(&said).unwrap())
    }
}

/// Runs a command that may fail: its status, and what it says.
fn command(arguments: &[&str]) -> (i32, String) {
    let output = vialedger(arguments).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(said).unwrap())
}

fn registration(number: u8) -> v1::RegisterPatientRequest {
    v1::RegisterPatientRequest {
        patient: format!("patients/p{number}"),
        identity_commitment: opening(number).commitment().as_bytes().to_vec(),
        ..Default::default()
    }
}

fn open_identity(number: u8) -> v1::OpenIdentityRequest {
    v1::OpenIdentityRequest {
        patient: format!("patients/p{number}"),
        purpose: v1::IdentityPurpose::Audit.into(),
        ..Default::default()
    }
}

fn rejected<T: std::fmt::Debug>(answer: Result<T, ClientError>) -> Rejection {
    match answer.unwrap_err() {
        ClientError::Rejected(rejection) => *rejection,
        other => panic!("{other}"),
    }
}

/// The files in a folder, one level deep, with their bytes.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read(path).unwrap())
        })
        .collect();
    files.sort();
    files
}

/// The secrets, and the salts, that are in these bytes: in UTF-8 in any case, or in UTF-16.
fn found_in(bytes: &[u8]) -> Vec<String> {
    // Each byte as a character, since the search for text is much faster than one for bytes.
    let text = |bytes: &[u8]| bytes.iter().map(|byte| char::from(*byte)).collect::<String>();
    let (small, exact) = (text(&bytes.to_ascii_lowercase()), text(bytes));
    let mut found = Vec::new();
    for secret in SECRETS {
        let wide: Vec<u8> = secret.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let secret_small = text(&secret.as_bytes().to_ascii_lowercase());
        if small.contains(&secret_small) || exact.contains(&text(&wide)) {
            found.push(secret.to_owned());
        }
    }
    for number in [7, 8, 9] {
        for salt in opening(number).salts {
            if exact.contains(&text(&salt)) {
                found.push(format!("a salt of {number}"));
            }
        }
    }
    found
}

fn assert_clean(folder: &Path) {
    for (name, bytes) in files(folder) {
        assert_eq!(found_in(&bytes), Vec::<String>::new(), "{name} in {}", folder.display());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_export_verifies_with_identities_withheld_and_opened_alike() {
    let mut clinic = Clinic::open().await;
    for number in [7, 8, 9] {
        clinic.register(number).await;
    }

    // Withheld, while the server runs. No byte of who the patients are is in it, or in anything of the ledger.
    let told = clinic.export(&clinic.folder(), "withheld", &[]);
    assert_eq!(told["identities"]["registered"], 3);
    assert_eq!(told["identities"]["withheld"], 3);
    let withheld = clinic.path("withheld");
    assert_clean(&withheld);
    assert_clean(&clinic.folder());
    let names: Vec<String> = files(&withheld).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["README.txt", "ledger.db", "ledger.vkey"]);
    let (status, report) = clinic.verify(&withheld);
    assert_eq!(status, 0, "{report}");
    assert_eq!(report["verdict"], "good");
    assert_eq!(report["identities"]["opened"], 0);
    assert_eq!(report["identities"]["withheld"], 3);

    // Opened, of the very same evidence: each is the one that its entry commits to.
    let why = ["--open-identities", "--reason", "Inspection of 2026, for Inspector Doe"];
    let told = clinic.export(&clinic.folder(), "opened", &why);
    assert_eq!(told["identities"]["opened"], 3);
    assert_eq!(told["identities"]["trace_in_ledger"], false);
    let opened = clinic.path("opened");
    let (status, report) = clinic.verify(&opened);
    assert_eq!(status, 0, "{report}");
    assert_eq!(report["identities"]["opened"], 3);
    assert_eq!(report["identities"]["withheld"], 0);
    let both = [&withheld, &opened].map(|folder| std::fs::read(folder.join("ledger.db")).unwrap());
    assert!(both[0] == both[1], "the evidence is the same either way");
    let lines = std::fs::read(opened.join("identities.jsonl")).unwrap();
    let secrets = found_in(&lines);
    assert!(
        SECRETS.iter().all(|secret| secrets.iter().any(|found| found == secret)),
        "{secrets:?}"
    );
    let readme = std::fs::read_to_string(opened.join("README.txt")).unwrap();
    assert!(readme.contains("Inspection of 2026, for Inspector Doe"));

    // From a copy, with the key kept elsewhere, after a clean stop.
    clinic.stop();
    let copy = clinic.path("copy");
    std::fs::create_dir(&copy).unwrap();
    for name in ["ledger.db", "identities.db"] {
        std::fs::copy(clinic.folder().join(name), copy.join(name)).unwrap();
    }
    let key = clinic.path("stick.key");
    std::fs::rename(clinic.folder().join("identity.key"), &key).unwrap();
    let elsewhere = ["--identity-key", key.to_str().unwrap()];
    clinic.export(&copy, "from-copy", &[&why[..], &elsewhere].concat());
    assert_eq!(clinic.verify(&clinic.path("from-copy")).1["identities"]["opened"], 3);
    assert_clean(&clinic.folder());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn identities_are_proved_where_an_audit_goes_on_and_withheld_in_tiles() {
    let mut clinic = Clinic::open().await;
    clinic.register(7).await;
    let audited = clinic.path("first.audit");
    let audited = audited.to_str().unwrap();
    let vkey = clinic.folder().join("ledger.vkey");
    let verify = |folder: &Path, more: &[&str]| {
        let to = ["--vkey", vkey.to_str().unwrap(), "--json"];
        let (status, said) =
            command(&[&["verify", folder.to_str().unwrap()], &to[..], more].concat());
        (status, serde_json::from_str::<Value>(&said).unwrap())
    };
    let (status, first) = verify(&clinic.folder(), &["--save", audited]);
    assert_eq!((status, &first["identities"]["withheld"]), (0, &1.into()), "{first}");
    clinic.register(8).await;
    clinic.stop();

    // The entry that registered the first of them is not read again, and its identity is proved all the same.
    let why = ["--open-identities", "--reason", "a test"];
    clinic.export(&clinic.folder(), "opened", &why);
    let opened = clinic.path("opened");
    let (status, went_on) = verify(&opened, &["--since", audited]);
    assert_eq!((status, &went_on["since"]), (0, &first["entries"]), "{went_on}");
    let (status, whole) = verify(&opened, &["--explain", "0"]);
    assert_eq!((status, &whole["identities"]["opened"]), (0, &2.into()), "{whole}");
    assert_eq!(went_on["identities"], whole["identities"]);

    // Where one is not the one that was committed to, nothing is saved for the next audit to believe.
    let file = opened.join("identities.jsonl");
    let lines = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, lines.lines().rev().collect::<Vec<_>>().join("\n").replacen('7', "8", 1))
        .unwrap();
    let next = clinic.path("next.audit");
    let options = ["--since", audited, "--save", next.to_str().unwrap(), "--explain", "3"];
    let (status, bad) = verify(&opened, &options);
    assert_eq!((status, &bad["fault"]), (1, &"identity-differs".into()), "{bad}");
    assert!(!next.exists());

    // Tiles are made of the same entries, and hold no identity.
    let tiles = clinic.path("tiles");
    let export = ["export", "tiles", opened.to_str().unwrap(), "--out", tiles.to_str().unwrap()];
    assert_eq!(command(&export).0, 0);
    let (status, told) = verify(&tiles, &["--since", audited]);
    assert_eq!((status, &told["identities"]["withheld"]), (0, &2.into()), "{told}");
    assert_eq!(told["root"], whole["root"]);
    assert_clean(&tiles);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_opened_identity_that_is_not_the_one_committed_to_makes_the_verdict_bad() {
    let clinic = Clinic::open().await;
    for number in [7, 8] {
        clinic.register(number).await;
    }
    let why = ["--open-identities", "--reason", "a test"];
    clinic.export(&clinic.folder(), "opened", &why);
    let path = clinic.path("opened").join("identities.jsonl");
    let good = std::fs::read_to_string(&path).unwrap();
    let swapped = good.replace("patients/p7", "patients/px").replace("patients/p8", "patients/p7");
    let first = good.lines().next().unwrap();
    let rows = [
        (good.replace("Wilhelmina", "Wilhelmine"), 1, 1),
        (good.replace("1951-10-30", "1951-10-31"), 1, 1),
        (swapped.replace("patients/px", "patients/p8"), 0, 2),
        (format!("{good}{first}\n"), 2, 1),
        (format!("{good}\n"), 2, 1),
    ];
    for (lines, opened, wrong) in rows {
        std::fs::write(&path, &lines).unwrap();
        let (status, report) = clinic.verify(&clinic.path("opened"));
        assert_eq!(status, 1, "{report}");
        assert_eq!(report["verdict"], "bad");
        assert_eq!(report["fault"], "identity-differs");
        assert_eq!(report["identities"]["opened"], opened, "{report}");
        assert_eq!(report["identities"]["wrong"], wrong, "{report}");
        // What is wrong is told without repeating who they are.
        assert_eq!(found_in(report.to_string().as_bytes()), Vec::<String>::new());
        let folder = clinic.path("opened");
        let text = ["verify", folder.to_str().unwrap(), "--vkey", &clinic.vkey];
        let (status, text) = command(&text);
        assert_eq!(status, 1);
        assert!(text.starts_with("BAD. Of the opened identities"), "{text}");
    }
    // With one line taken out it is withheld, and nothing is wrong.
    std::fs::write(&path, format!("{first}\n")).unwrap();
    let (status, report) = clinic.verify(&clinic.path("opened"));
    assert_eq!((status, &report["identities"]["withheld"]), (0, &Value::from(1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_identity_is_read_by_whoever_left_a_trace_and_by_nobody_else() {
    let clinic = Clinic::open().await;
    clinic.register(7).await;
    let trace = clinic.write(AUDITOR, open_identity(7)).await.unwrap();
    let index = trace.receipt.unwrap().index;
    let Some(outcome::Result::IdentityOpened(traced)) = trace.outcome.unwrap().result else {
        panic!("no trace")
    };
    assert_eq!(traced.patient, "patients/p7");
    let read = v1::ReadIdentityRequest { entry: format!("entries/{index}") };
    let identity = clinic.read(AUDITOR, read.clone()).await.unwrap();
    assert_eq!(identity.opening, Some(opening(7).to_wire()));
    assert_eq!(rejected(clinic.read(NURSE, read).await).reason, "NOT_YOURS");

    // Without the role there is a trace of the refusal, or nothing; never an identity.
    let refused = rejected(clinic.write(CHIEF, open_identity(7)).await);
    assert_eq!(refused.reason, "ROLE_NOT_HELD");
    // A trace of something else opens nothing.
    let read = v1::ReadIdentityRequest { entry: "entries/0".to_owned() };
    assert_eq!(rejected(clinic.read(AUDITOR, read).await).reason, "INVALID_ARGUMENT");

    assert_clean(&clinic.folder());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_text_that_names_its_patient_never_becomes_an_entry() {
    let clinic = Clinic::open().await;
    clinic.register(7).await;
    clinic.register(8).await;
    let merge = |reason: &str| v1::MergePatientsRequest {
        alias: "patients/p8".to_owned(),
        patient: "patients/p7".to_owned(),
        reason: reason.to_owned(),
        ..Default::default()
    };
    for reason in ["is Mrs. PRZYBYLSKI too", "same birthday, 29.2.1984", "also mrn 0042-17"] {
        let refused = rejected(clinic.write(PHARMACIST, merge(reason)).await);
        assert_eq!(refused.entry, None, "{refused:?}");
        assert_eq!(found_in(refused.message.as_bytes()), Vec::<String>::new());
    }
    clinic.write(PHARMACIST, merge("the same insurance card was shown twice")).await.unwrap();
    assert_clean(&clinic.folder());

    // Both ids stay in the evidence, each with its own commitment, and each can be opened.
    let why = ["--open-identities", "--reason", "a test"];
    clinic.export(&clinic.folder(), "merged", &why);
    assert_eq!(clinic.verify(&clinic.path("merged")).1["identities"]["opened"], 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_bundle_opens_the_identity_of_its_own_patient_and_proves_it() {
    let clinic = Clinic::open().await;
    for number in [7, 8] {
        clinic.register(number).await;
    }
    let (ledger, out) = (clinic.folder(), clinic.path("p7.jsonl"));
    let (ledger, to) = (ledger.to_str().unwrap(), out.to_str().unwrap());
    let told = ["export", "bundle", ledger, "--patient", "p7", "--out", to];
    let why = ["--open-identities", "--reason", "a test"];
    let (status, said) = command(&[&told[..], &why].concat());
    assert_eq!(status, 0, "{said}");
    let (status, report) = clinic.verify(&out);
    assert_eq!(status, 0, "{report}");
    assert_eq!(report["identities"]["opened"], 1);
    assert_eq!(report["bundle"]["opened_because"], "a test");
    let good = std::fs::read_to_string(&out).unwrap();
    assert_eq!(good.matches("\"birth_date\"").count(), 1, "nobody else is opened");
    // An end that is made anew hides no other name.
    let mut writer = vialedger::bundle::Writer::default();
    let mut bytes = Vec::new();
    for line in good.lines().filter(|line| !line.starts_with("{\"end\"")) {
        let line = line.replace("1951-10-30", "1951-10-31").replace("1984-02-29", "1984-02-28");
        bytes.extend(writer.line(&vialedger::bundle::Line::parse(line.as_bytes()).unwrap()));
    }
    bytes.extend(writer.end());
    assert_ne!(bytes, good.as_bytes(), "a date of birth was changed");
    std::fs::write(&out, bytes).unwrap();
    let (status, report) = clinic.verify(&out);
    assert_eq!((status, &report["fault"]), (1, &"identity-differs".into()), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_was_not_sealed_here_cannot_be_registered() {
    let clinic = Clinic::open().await;
    let refused = rejected(clinic.write(NURSE, registration(7)).await);
    assert_eq!(refused.reason, "IDENTITY_NOT_HELD", "{refused:?}");
    // What is wrong with an identity is told by its fields, and without what was sent.
    let mut opening = opening(7).to_wire();
    opening.salts[3] = opening.salts[0].clone();
    opening.identity.as_mut().unwrap().address = "Depotgasse\n12".to_owned();
    let seal = v1::SealIdentityRequest { opening: Some(opening) };
    let refused = rejected(clinic.read(NURSE, seal).await);
    let fields: Vec<&str> = refused.violations.iter().map(|wrong| wrong.field.as_str()).collect();
    assert_eq!(fields, ["opening.identity.address", "opening.salts[3]"]);
    assert_eq!(found_in(format!("{refused:?}").as_bytes()), Vec::<String>::new());
    assert_clean(&clinic.folder());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_export_overwrites_nothing_and_says_what_is_missing() {
    let mut clinic = Clinic::open().await;
    clinic.register(7).await;
    clinic.stop();
    clinic.export(&clinic.folder(), "first", &[]);
    let before = files(&clinic.path("first"));
    let ledger = clinic.folder();
    let ledger = ledger.to_str().unwrap();
    let export = |out: &str, more: &[&str]| {
        let out = clinic.path(out);
        let arguments = ["export", "evidence", ledger, "--out", out.to_str().unwrap()];
        command(&[&arguments, more].concat())
    };
    let (status, said) = export("first", &[]);
    assert_eq!(status, 73, "{said}");
    assert!(files(&clinic.path("first")) == before);

    let (status, said) = export("none", &["--open-identities"]);
    assert_eq!(status, 64, "a reason is needed: {said}");
    let why = ["--open-identities", "--reason", "a test"];
    let key = clinic.folder().join("identity.key");
    let kept = clinic.path("kept.key");
    std::fs::rename(&key, &kept).unwrap();
    let (status, said) = export("none", &why);
    assert_eq!(status, 66, "{said}");
    vialedger::key::IdentityKey::generate().unwrap().save(&key).unwrap();
    let (status, said) = export("none", &why);
    assert_eq!(status, 78, "{said}");
    assert!(said.contains("another identity key"), "{said}");
    assert!(!clinic.path("none").exists() && !clinic.path("none.unfinished").exists());

    // The names are lost with the key, and the ledger is not.
    let (status, report) = clinic.verify(&clinic.folder());
    assert_eq!(status, 0, "{report}");
    // A row that was lost keeps none of the others back, and is told.
    std::fs::rename(&kept, &key).unwrap();
    let lose = "DELETE FROM identities";
    rusqlite::Connection::open(clinic.folder().join("identities.db"))
        .unwrap()
        .execute_batch(lose)
        .unwrap();
    let told = clinic.export(&clinic.folder(), "lost", &why);
    assert_eq!(told["identities"]["opened"], 0);
    assert_eq!(told["identities"]["not_opened"][0]["patients"], "patients/p7");
    assert_eq!(clinic.verify(&clinic.path("lost")).0, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_identity_key_can_be_kept_elsewhere_and_changed() {
    let mut clinic = Clinic::open().await;
    clinic.register(7).await;
    let ledger = clinic.folder();
    let rekey = ["identity", "rekey", ledger.to_str().unwrap(), "--json"];
    let (status, said) = command(&rekey);
    assert_eq!(status, 75, "not while the server runs: {said}");
    clinic.stop();
    let (status, said) = command(&rekey);
    assert_eq!(status, 0, "{said}");
    assert_eq!(serde_json::from_str::<Value>(&said).unwrap()["identities"], 1);
    assert_clean(&ledger);

    // Without its key a server does not start, and makes no other; with it, wherever it is, it goes on.
    let stick = clinic.path("stick.key");
    std::fs::rename(ledger.join("identity.key"), &stick).unwrap();
    let serve = ["serve", ledger.to_str().unwrap(), "--listen", "127.0.0.1:0", "--json"];
    let (status, said) = command(&serve);
    assert_eq!(status, 66, "{said}");
    assert!(said.contains("--identity-key"), "{said}");
    assert!(!ledger.join("identity.key").exists());
    let options = ["--identity-key", stick.to_str().unwrap()];
    clinic.server = Some(Serving::start(&ledger, &options));
    clinic.write(NURSE, open_identity(7)).await.unwrap();
    clinic.register(8).await;

    // A ledger from before identities gets its key and its file with its first start.
    clinic.stop();
    for name in ["identities.db", "identity.key.old"] {
        std::fs::remove_file(ledger.join(name)).unwrap();
    }
    clinic.start();
    assert!(ledger.join("identity.key").exists());
    assert!(clinic.server.as_ref().unwrap().log().contains("a new identity key was made"));
    clinic.register(9).await;
    assert_clean(&ledger);
}
