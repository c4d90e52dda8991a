//! A log of our own, the real program in processes, and requests written by hand.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use vialedger::tlog::{
    Checkpoint, KeyKind, NoteSigner, SignedNote, Submission, Tree, VerifierKey, leaf_hash, no_tiles,
};

/// How long a process may take to say what is waited for. Only a failing test waits so long.
const PATIENCE: Duration = Duration::from_mins(1);

/// How the program ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    pub(crate) fn expect(self, status: i32) -> Self {
        assert_eq!(self.status, status, "{self:#?}");
        self
    }
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vialedger"));
    for name in ["SERVER", "KEY", "AS", "VKEY", "CA", "RECEIPTS", "LISTEN", "PASSPHRASE_FILE"] {
        command.env_remove(format!("VIALEDGER_{name}"));
    }
    // Each run is on a device of its own, which remembers nothing: here it is cosigners that remember.
    let device = DEVICES.fetch_add(1, Ordering::Relaxed);
    let memory = format!("memory/{}-{device}", std::process::id());
    command.env("VIALEDGER_MEMORY", Path::new(env!("CARGO_TARGET_TMPDIR")).join(memory));
    command.stdin(Stdio::null());
    command
}

/// How many devices there were.
static DEVICES: AtomicU32 = AtomicU32::new(0);

/// Runs the program to its end.
pub(crate) fn run<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Ended {
    let output = program().args(arguments).output().unwrap();
    Ended {
        status: output.status.code().expect("no signal ended it"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

pub(crate) fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// A server of either kind in a process of its own; killed when it goes out of scope.
pub(crate) struct Process {
    child: Child,
    log: Receiver<String>,
    /// Where it is.
    pub(crate) url: String,
}

impl Process {
    /// Starts a command that serves, and waits until it says where.
    pub(crate) fn start(arguments: &[String]) -> Self {
        let mut child = program()
            .args(arguments)
            .arg("--json")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = child.stdout.take().unwrap();
        let said = serde_json::Deserializer::from_reader(said).into_iter::<Value>().next();
        let Some(Ok(said)) = said else {
            let mut log = String::new();
            child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
            panic!("{arguments:?} did not start: {}: {log}", child.wait().unwrap());
        };
        let url = said["server"].as_str().unwrap().to_owned();
        let (lines, log) = channel();
        let errors = BufReader::new(child.stderr.take().unwrap());
        // Read on its own, so that a full pipe never stops the process.
        std::thread::spawn(move || {
            errors.lines().map_while(Result::ok).try_for_each(|line| lines.send(line))
        });
        Self { child, log, url }
    }

    /// Waits for a line of the log that holds all of these.
    #[track_caller]
    pub(crate) fn wait_for(&self, parts: &[&str]) -> String {
        let mut seen = Vec::new();
        loop {
            match self.log.recv_timeout(PATIENCE) {
                Ok(line) if parts.iter().all(|part| line.contains(part)) => return line,
                Ok(line) => seen.push(line),
                Err(error) => panic!("{parts:?} is not in the log ({error}): {seen:#?}"),
            }
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.url.rsplit('/').next().unwrap().parse().unwrap()
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop; its end must be good.
    pub(crate) fn stop(mut self) {
        let process = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &process]).status().unwrap().success());
        let ended = self.child.wait().unwrap();
        assert!(ended.success(), "{ended}: {:#?}", self.log.iter().collect::<Vec<_>>());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A cosigner's folder, begun.
pub(crate) struct Cosigner {
    pub(crate) dir: TempDir,
    pub(crate) vkey: VerifierKey,
}

impl Cosigner {
    pub(crate) fn begin(name: &str) -> Self {
        // On the disk where the program is built: a memory-backed file system has no syncs.
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let begun = run(["cosigner", "key", "--dir", &text(dir.path()), "--name", name, "--json"]);
        let vkey: VerifierKey =
            begun.expect(0).json()["verifier_key"].as_str().unwrap().parse().unwrap();
        assert_eq!(vkey.kind(), KeyKind::Cosignature);
        Self { dir, vkey }
    }

    pub(crate) fn path(&self) -> String {
        text(self.dir.path())
    }

    pub(crate) fn serve(&self, logs: &[&VerifierKey]) -> Process {
        self.serve_with(logs, "127.0.0.1:0", &[])
    }

    pub(crate) fn serve_with(&self, logs: &[&VerifierKey], listen: &str, more: &[&str]) -> Process {
        let dir = self.path();
        let mut arguments: Vec<String> =
            ["cosigner", "serve", "--dir", &dir, "--listen", listen].map(str::to_owned).into();
        for log in logs {
            arguments.extend(["--log".to_owned(), log.to_string()]);
        }
        arguments.extend(more.iter().map(|&argument| argument.to_owned()));
        Process::start(&arguments)
    }
}

/// An answer of HTTP, read to its end.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: String,
    pub(crate) body: String,
}

/// Sends one request as it stands and reads until the other side hangs up.
pub(crate) fn exchange(to: SocketAddr, request: &[u8]) -> Answer {
    try_exchange(to, request).expect("a whole answer")
}

/// The same with somebody who may die meanwhile: nothing without a whole answer.
pub(crate) fn try_exchange(to: SocketAddr, request: &[u8]) -> Option<Answer> {
    let mut stream = TcpStream::connect(to).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // Whoever refuses a body early may have hung up before all of it was sent.
    let _ = stream.write_all(request);
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    let answer = String::from_utf8(bytes).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let (first, headers) = head.split_once("\r\n")?;
    let (status, headers) = (first.split(' ').nth(1)?.parse().ok()?, headers.to_ascii_lowercase());
    let length = headers.lines().find_map(|line| line.strip_prefix("content-length: "))?;
    let whole = length.parse() == Ok(body.len());
    whole.then(|| Answer { status, headers, body: body.to_owned() })
}

pub(crate) fn request(method: &str, path: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: cosigner\r\nConnection: close\r\n\
         Content-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

pub(crate) fn add_checkpoint(to: SocketAddr, body: impl AsRef<[u8]>) -> Answer {
    exchange(to, &request("POST", "/add-checkpoint", body.as_ref()))
}

/// A log whose key is ours.
pub(crate) struct Log {
    pub(crate) signer: NoteSigner,
    tree: Tree,
}

impl Log {
    pub(crate) fn new(origin: &str, seed: u8) -> Self {
        let signer = NoteSigner::new(origin.parse().unwrap(), [seed; 32].into());
        Self { signer, tree: Tree::new() }
    }

    /// Grows to this size with entries of this story.
    pub(crate) fn grow(mut self, size: u64, story: &str) -> Self {
        for index in self.tree.size()..size {
            let completed = self.tree.append(leaf_hash(format!("{story} {index}").as_bytes()));
            assert!(completed.is_empty(), "proofs here come from memory");
        }
        self
    }

    pub(crate) fn vkey(&self) -> &VerifierKey {
        self.signer.verifier_key()
    }

    pub(crate) fn checkpoint(&self, size: u64) -> SignedNote {
        let root = self.tree.root_at(size, no_tiles).unwrap();
        let origin = self.vkey().name().as_str();
        Checkpoint::new(origin, size, root).unwrap().sign(&self.signer).unwrap()
    }

    /// The body that hands a checkpoint in, with its proof.
    pub(crate) fn submission(&self, old: u64, size: u64) -> String {
        let proof = self.tree.consistency_proof(old, size, no_tiles).unwrap();
        Submission::new(old, proof, &self.checkpoint(size)).unwrap().to_string()
    }
}
