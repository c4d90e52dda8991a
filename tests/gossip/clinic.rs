//! A clinic whose ledger is served, copied, put back and forked.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;
use vialedger::client::{Client, ConnectOptions, Stamp};
use vialedger::clock::Clock;
use vialedger::key::Key;
use vialedger::pb::v1;
use vialedger::store::{LedgerFolder, StoredTree};
use vialedger::tlog::{Checkpoint, Known, SignedNote, Standing, VerifierKey};

use crate::support::{Ended, Process, run, text};

pub(crate) const PERSON: &str = "people/ada-alvarez";

/// A folder with a ledger of two entries in `ledger`.
pub(crate) struct Clinic {
    pub(crate) dir: TempDir,
    pub(crate) vkey: VerifierKey,
}

impl Clinic {
    pub(crate) fn new(origin: &str) -> Self {
        // On the disk where the program is built: a memory-backed file system has no syncs.
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let ledger = text(&dir.path().join("ledger"));
        let init = ["init", &ledger, "--origin", origin, "--site", "Example Clinic", "--json"];
        let rest = ["--address", "1 Main Street", "--admin", "Ada Alvarez"];
        let place = ["--place", "main=Main safe", "--utc-offset", "+00:00"];
        let begun = run(init.iter().chain(&rest).chain(&place)).expect(0).json();
        Self { dir, vkey: begun["verifier_key"].as_str().unwrap().parse().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn ledger(&self) -> PathBuf {
        self.path("ledger")
    }

    /// A copy of a folder as it is now, its server being stopped.
    pub(crate) fn copy(&self, from: &str, to: &str) -> PathBuf {
        copy(&self.path(from), &self.path(to));
        self.path(to)
    }

    /// Puts the database of one folder in the place of another's, as somebody does who restores by hand.
    pub(crate) fn put_back(&self, from: &str, into: &str) {
        let into = self.path(into);
        for ending in ["-wal", "-shm"] {
            let _ = fs::remove_file(into.join(format!("ledger.db{ending}")));
        }
        fs::copy(self.path(from).join("ledger.db"), into.join("ledger.db")).unwrap();
    }

    pub(crate) fn serve(folder: &Path, more: &[&str]) -> Process {
        let serve = ["serve", &text(folder), "--listen", "127.0.0.1:0"];
        let arguments: Vec<String> =
            serve.iter().chain(more).map(|&argument| argument.to_owned()).collect();
        Process::start(&arguments)
    }

    /// Runs a command as Ada, on a device with this memory.
    pub(crate) fn on(&self, device: &str, server: &Process, command: &[&str]) -> Ended {
        self.at(device, &server.url, command)
    }

    /// The same, to a server at this address.
    pub(crate) fn at(&self, device: &str, url: &str, command: &[&str]) -> Ended {
        let key = text(&self.path("ledger/keys/ada-alvarez.pem"));
        let (memory, vkey) = (text(&self.path(device)), self.vkey.to_string());
        let who = ["--key", &key, "--vkey", &vkey, "--server", url, "--memory", &memory];
        run(command.iter().chain(&who).chain(&["--json"]))
    }

    /// One more entry, from this device.
    pub(crate) fn create(&self, device: &str, server: &Process, place: &str) -> Ended {
        self.on(device, server, &["place", "create", place, "--name", place])
    }

    /// Serves a folder, adds places from a device of nobody else's, and stops.
    pub(crate) fn grow(&self, folder: &Path, places: &[&str]) {
        let server = Self::serve(folder, &[]);
        for place in places {
            let device = format!("growing-{}", folder.file_name().unwrap().to_string_lossy());
            self.create(&device, &server, place).expect(0);
        }
        server.stop();
    }

    /// The error that a command ended with.
    pub(crate) fn error(ended: Ended, status: i32) -> Value {
        ended.expect(status).json()["error"].clone()
    }

    pub(crate) async fn client(&self, server: &Process) -> Client {
        let options = ConnectOptions {
            server: server.url.clone(),
            ca: None,
            identity: None,
            insecure_plaintext: false,
        };
        let key = Key::load(&self.path("ledger/keys/ada-alvarez.pem"), None).unwrap();
        let person = PERSON.parse().unwrap();
        Client::connect(&options, self.vkey.clone(), person, key, Clock::system()).await.unwrap()
    }

    /// What the checkpoint in a file says, after its signature was verified.
    pub(crate) fn checkpoint(&self, path: &Path) -> Checkpoint {
        let note = SignedNote::parse(&fs::read(path).unwrap()).unwrap();
        Checkpoint::verify(&note, &self.vkey).unwrap()
    }

    /// How a folder's database stands to the checkpoint in a file.
    pub(crate) fn standing(&self, folder: &Path, checkpoint: &Path) -> Standing {
        let note = SignedNote::parse(&fs::read(checkpoint).unwrap()).unwrap();
        let known = Known::new("", note, &self.vkey).unwrap();
        let database = LedgerFolder::new(folder).database();
        StoredTree::open(&database, &self.vkey).unwrap().standing(&known).unwrap()
    }

    pub(crate) fn verify(&self, ledger: &Path, more: &[&str]) -> Ended {
        let (ledger, vkey) = (text(ledger), self.vkey.to_string());
        run(["verify", &ledger, "--vkey", &vkey, "--json"].iter().chain(more))
    }

    pub(crate) fn doctor(&self, folder: &Path, more: &[&str]) -> Ended {
        let (folder, vkey) = (text(folder), self.vkey.to_string());
        run(["doctor", &folder, "--vkey", &vkey, "--json"].iter().chain(more))
    }

    /// Whether a file proves two histories to whoever has the verifier key.
    pub(crate) fn proves(&self, evidence: &str) -> String {
        let proved =
            run(["cosigner", "prove", evidence, "--log", &self.vkey.to_string(), "--json"]);
        proved.expect(0).json()["reason"].as_str().unwrap().to_owned()
    }
}

/// Adds a place through a client of this process; nothing where the server has gone.
pub(crate) async fn add(client: &Client, number: u64) -> Option<u64> {
    let place = v1::Place { name: format!("places/p{number}"), display_name: "A place".into() };
    let act = v1::CreatePlaceRequest { place: Some(place), ..Default::default() };
    let answer = client.write(act, &Stamp::default()).await.ok()?;
    Some(answer.receipt.unwrap().index)
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
