//! The program itself, as an operator runs it: commands that end, and a server that is stopped or killed.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

/// How many devices there were.
static DEVICES: AtomicU32 = AtomicU32::new(0);

/// The program, with these arguments.
pub(crate) fn vialedger(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vialedger"));
    // Each run is on a device of its own: these ledgers have one name, and are not one ledger.
    let device = DEVICES.fetch_add(1, Ordering::Relaxed);
    let memory = format!("memory/process-{}-{device}", std::process::id());
    command.env("VIALEDGER_MEMORY", Path::new(env!("CARGO_TARGET_TMPDIR")).join(memory));
    command.args(arguments);
    command
}

/// Runs the program to its end, which must be good.
pub(crate) fn run(arguments: &[&str]) -> Output {
    let output = vialedger(arguments).output().unwrap();
    let said = [&output.stdout[..], &output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{arguments:?} ended with {}: {said}", output.status);
    output
}

/// A server in a process of its own. It is killed when this is dropped.
pub(crate) struct Serving {
    child: Child,
    log: PathBuf,
    /// Where it is, as a client is told.
    pub(crate) url: String,
    /// Where it serves tiles, if it does.
    #[allow(dead_code, reason = "for tests/tiles")]
    pub(crate) tiles: Option<String>,
}

impl Serving {
    /// Starts `vialedger serve` and waits until it says that it serves.
    pub(crate) fn start(folder: &Path, options: &[&str]) -> Self {
        let log = folder.join("server.log");
        let mut child = serve(folder, options)
            .stdout(Stdio::piped())
            .stderr(append(&log))
            .spawn()
            .expect("the program was built along with this test");
        let said = child.stdout.take().unwrap();
        let said = serde_json::Deserializer::from_reader(said).into_iter::<Value>().next();
        let Some(Ok(said)) = said else {
            let ended = child.wait().unwrap();
            let log = std::fs::read_to_string(&log).unwrap_or_default();
            panic!("the server did not start: {ended}: {log}");
        };
        let url = said["server"].as_str().unwrap().to_owned();
        let tiles = said["tiles"].as_str().map(str::to_owned);
        Self { child, log, url, tiles }
    }

    /// Ends it as a power cut would: no word of warning, nothing is finished.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Has it stop, as an operator's system does, and waits for its end, which must be good.
    pub(crate) fn stop(mut self) {
        let pid = self.child.id();
        let sent = Command::new("sh").arg("-c").arg(format!("kill -TERM {pid}")).status().unwrap();
        assert!(sent.success());
        let ended = self.child.wait().unwrap();
        assert!(ended.success(), "{ended}: {}", self.log());
    }

    /// What it has logged, and the servers before it.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // One that has ended already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `vialedger serve`, on a port that the system chooses.
pub(crate) fn serve(folder: &Path, options: &[&str]) -> Command {
    let folder = folder.to_str().unwrap();
    let mut command = vialedger(&["serve", folder, "--listen", "127.0.0.1:0", "--json"]);
    command.args(options);
    command
}

fn append(log: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(log).unwrap()
}
