//! Ledgers of any length, folders compared byte by byte, and the library that is not ours.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bytes::Bytes;
use serde_json::Value;
use tempfile::TempDir;
use vialedger::client::{Act, Stamp, new_request_id};
use vialedger::clock::Clock;
use vialedger::key::Key;
use vialedger::ledger::SignedRequest;
use vialedger::pb::v1;
use vialedger::service::{Service, ServiceOptions};

use crate::process::{run, vialedger};
use crate::python::python;

/// The ledger of most tests.
pub(crate) const ORIGIN: &str = "example.org/tiles";

/// A ledger in a folder of its own.
pub(crate) struct Ledger {
    dir: TempDir,
}

impl Ledger {
    /// A ledger with so many entries: its beginning, its first place, and more places.
    pub(crate) fn of(size: u64) -> Self {
        let ledger = Self { dir: tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap() };
        let clinic = ["--site", "Lakeside Clinic", "--address", "1 Main Street, Dayton, Ohio"];
        let folder = ledger.text("ledger");
        let init = ["init", &folder, "--origin", ORIGIN, "--admin", "Ada Alvarez"];
        run(&[&init[..], &clinic, &["--utc-offset", "+00:00", "--place", "main=Main safe"]]
            .concat());
        ledger.grow(size);
        ledger
    }

    /// A clinic's day, with doses, wastes and refusals.
    pub(crate) fn day() -> Self {
        let ledger = Self { dir: tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap() };
        let (day, key) = tokio::runtime::Runtime::new().unwrap().block_on(crate::day::day());
        copy_with(day.path().to_str().unwrap(), &ledger.folder(), "", None);
        fs::write(ledger.vkey(), key).unwrap();
        ledger
    }

    /// Adds places until there are so many entries.
    pub(crate) fn grow(&self, size: u64) {
        let key = |path: &str| Key::load(&self.path(path), None).unwrap();
        let (ledger_key, ada) = (key("ledger/ledger.key"), key("ledger/keys/ada-alvarez.pem"));
        let options = ServiceOptions::default();
        let folder = self.path("ledger");
        let (service, writer) = Service::open(&folder, ledger_key.signing_key(), options).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            while service.published().size() < size {
                let name = format!("places/p{}", service.published().size());
                let place = v1::Place { name: name.clone(), display_name: name };
                let mut act = v1::CreatePlaceRequest { place: Some(place), ..Default::default() };
                let id = new_request_id(Clock::system().now()).unwrap();
                act.stamp(service.published().state.origin(), id, &Stamp::default());
                let bytes = Bytes::from(prost::Message::encode_to_vec(&act));
                let kind = v1::CreatePlaceRequest::KIND;
                let request = SignedRequest::sign(kind, bytes, ada.signing_key());
                service.submit(request).await.unwrap();
            }
        });
        drop(service);
        writer.join().unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn folder(&self) -> String {
        self.text("ledger")
    }

    pub(crate) fn vkey(&self) -> String {
        self.text("ledger/ledger.vkey")
    }

    /// Exports under a name, and answers with the folder.
    pub(crate) fn export(&self, name: &str) -> String {
        let out = self.text(name);
        run(&["export", "tiles", &self.folder(), "--out", &out, "--vkey", &self.vkey()]);
        out
    }

    /// Runs the program with the verifier key, for a program that reads its answer.
    pub(crate) fn ask(&self, arguments: &[&str]) -> (i32, Value) {
        ask(&[arguments, &["--vkey", &self.vkey()]].concat())
    }

    /// What the audit says of a ledger's files.
    pub(crate) fn verify(&self, path: &str) -> (i32, Value) {
        self.ask(&["verify", path])
    }

    /// The ledger's audit must be good, with so many entries.
    pub(crate) fn audit(&self, entries: u64) {
        let (status, report) = self.verify(&self.folder());
        assert_eq!((status, report["entries"].as_u64()), (0, Some(entries)), "{report}");
    }

    /// The bytes of every entry, in order.
    pub(crate) fn entries(&self) -> Vec<Vec<u8>> {
        let database = rusqlite::Connection::open(self.path("ledger/ledger.db")).unwrap();
        let mut rows = database.prepare("SELECT entry FROM entries ORDER BY idx").unwrap();
        rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }
}

/// Runs the program, and answers with its status and the JSON that it wrote.
pub(crate) fn ask(arguments: &[&str]) -> (i32, Value) {
    let output = vialedger(&[arguments, &["--json"]].concat()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let failed = String::from_utf8_lossy(&output.stderr);
    let value = serde_json::from_str(&said)
        .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {said}{failed}"));
    (output.status.code().unwrap(), value)
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from_digit(digit.into(), 16).unwrap()).collect()
}

/// Every file below a folder, by its name.
pub(crate) fn files(folder: &str) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![PathBuf::from(folder)];
    while let Some(at) = open.pop() {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read(path).unwrap());
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has no files");
    found
}

/// A copy of a folder in which one file is another.
pub(crate) fn copy_with(folder: &str, copy: &str, name: &str, bytes: Option<&[u8]>) {
    for (other, content) in files(folder) {
        let path = Path::new(copy).join(&other);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if other != name {
            fs::write(path, content).unwrap();
        } else if let Some(bytes) = bytes {
            fs::write(path, bytes).unwrap();
        }
    }
}

/// Asks the library that is not ours.
pub(crate) fn foreign(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/tiles.py");
    let mut command = Command::new(python());
    command.arg(script).args(arguments).env_remove("VIALEDGER_TOKEN");
    command.envs(environment.iter().copied()).output().unwrap()
}

/// The same; it must find that all is as it should be.
pub(crate) fn accepted(arguments: &[&str], environment: &[(&str, &str)]) -> Value {
    let output = foreign(arguments, environment);
    let failed = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {failed}");
    serde_json::from_slice(&output.stdout).unwrap()
}
