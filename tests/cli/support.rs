//! A clinic in a temporary folder: its ledger, its server, its people's keys.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;
use tempfile::TempDir;

pub const ORIGIN: &str = "example.org/clinic";

/// How a run of the program ended.
#[derive(Debug)]
pub struct Ended {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// Standard output as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub fn expect(self, status: i32) -> Self {
        assert_eq!(self.status, status, "{self:#?}");
        self
    }
}

/// How many devices there were.
static DEVICES: AtomicU32 = AtomicU32::new(0);

/// The program, with nothing of the surroundings in its environment.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vialedger"));
    for name in [
        "SERVER",
        "KEY",
        "AS",
        "VKEY",
        "CA",
        "RECEIPTS",
        "LISTEN",
        "PASSPHRASE_FILE",
        "IDENTITY_KEY",
    ] {
        command.env_remove(format!("VIALEDGER_{name}"));
    }
    // Each run is on a device of its own: these ledgers have one name, and are not one ledger.
    let device = DEVICES.fetch_add(1, Ordering::Relaxed);
    let memory = format!("memory/cli-{}-{device}", std::process::id());
    command.env("VIALEDGER_MEMORY", Path::new(env!("CARGO_TARGET_TMPDIR")).join(memory));
    command.stdin(Stdio::null());
    command
}

/// Runs the program to its end.
pub fn run<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Ended {
    let output = program().args(arguments).output().unwrap();
    Ended {
        status: output.status.code().expect("no signal ended it"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A ledger's folder with `init` done: the administrator is people/ada-alvarez, the place
/// places/main.
pub struct Clinic {
    pub folder: TempDir,
    pub vkey: String,
}

impl Clinic {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let begun = run(init_arguments(&folder.path().join("ledger"))).expect(0);
        let vkey = begun.json()["verifier_key"].as_str().unwrap().to_owned();
        Self { folder, vkey }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn ledger(&self) -> PathBuf {
        self.path("ledger")
    }

    pub fn key(&self, person: &str) -> PathBuf {
        self.ledger().join("keys").join(format!("{person}.pem"))
    }

    pub fn new_key(&self, person: &str) -> PathBuf {
        let path = self.key(person);
        run([OsStr::new("key"), OsStr::new("new"), path.as_os_str()]).expect(0);
        path
    }

    /// The audit's verdict on a file or folder.
    pub fn verify(&self, ledger: &Path) -> Ended {
        run([
            OsStr::new("verify"),
            ledger.as_os_str(),
            OsStr::new("--vkey"),
            self.vkey.as_ref(),
            OsStr::new("--json"),
        ])
    }
}

/// The arguments of `init` for the clinic, answering in JSON.
pub fn init_arguments(ledger: &Path) -> Vec<String> {
    let ledger = ledger.to_str().unwrap();
    [
        "init",
        ledger,
        "--origin",
        ORIGIN,
        "--site",
        "Example Clinic",
        "--address",
        "1 Main Street, Springfield, IL",
        "--dea",
        "AB1234563",
        "--admin",
        "Ada Alvarez",
        "--utc-offset",
        "+00:00",
        "--place",
        "main=Main safe",
        "--json",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// A server on a free loopback port, stopped when it goes out of scope.
pub struct Server {
    child: Child,
    pub address: String,
}

impl Server {
    pub fn start(clinic: &Clinic, more: &[&str]) -> Self {
        let ledger = clinic.ledger();
        let mut child = program()
            .args([OsStr::new("serve"), ledger.as_os_str()])
            .args(["--listen", "127.0.0.1:0", "--json", "--log-level", "error"])
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // The announcement comes once the port is bound.
        let mut announced = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        while !announced.trim_end().ends_with('}') {
            assert_ne!(lines.read_line(&mut announced).unwrap(), 0, "no announcement: {announced}");
        }
        let announced: Value = serde_json::from_str(&announced).unwrap();
        let address = announced["server"].as_str().unwrap().to_owned();
        Self { child, address }
    }

    /// Asks the server to stop, and answers with its exit status.
    pub fn stop(mut self) -> Option<i32> {
        let process = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &process]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A server that has ended already cannot be killed; that is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The clinic with its server running.
pub struct Open {
    pub clinic: Clinic,
    pub server: Server,
}

impl Open {
    pub fn new() -> Self {
        let clinic = Clinic::new();
        let server = Server::start(&clinic, &[]);
        Self { clinic, server }
    }

    /// Runs a command as a person, for people.
    pub fn run(&self, person: &str, arguments: &[&str]) -> Ended {
        let key = self.clinic.key(person);
        let who = ["--key", key.to_str().unwrap(), "--server", &self.server.address];
        run(arguments.iter().copied().chain(who))
    }

    /// Runs a command as a person for a program; it must succeed.
    pub fn ask(&self, person: &str, arguments: &[&str]) -> Value {
        let json: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        self.run(person, &json).expect(0).json()
    }

    /// Runs a command that must be refused, for a program; answers with the error.
    pub fn refused(&self, person: &str, arguments: &[&str]) -> Value {
        let json: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        self.run(person, &json).expect(1).json()["error"].clone()
    }

    /// Enrols a person with a new key; `second` approves where it takes two.
    pub fn enroll(&self, person: &str, roles: &[&str], second: Option<&str>) {
        let key = self.clinic.new_key(person);
        let mut arguments = vec!["person", "enroll", person, "--name", person];
        for role in roles {
            arguments.extend(["--role", role]);
        }
        arguments.extend(["--person-key", key.to_str().unwrap()]);
        let put_forward = self.ask("ada-alvarez", &arguments);
        if let Some(second) = second {
            let index = put_forward["receipt"]["index"].to_string();
            self.ask(second, &["approve", &index]);
        }
    }
}
