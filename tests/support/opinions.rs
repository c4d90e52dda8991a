//! A ledger to tamper with, and two verifiers to ask about what came of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::DecodePrivateKey;
use prost::Message;
use rusqlite::{Connection, OpenFlags, params};
use serde_json::Value;
use vialedger::ledger::{RequestKind, SignedRequest};
use vialedger::pb::v1::{self, Entry};
use vialedger::tlog::{Checkpoint, NoteSigner, Tree, leaf_hash};

#[path = "python.rs"]
mod python;

pub(crate) use python::python;

/// Verifications at a time.
const THREADS: usize = 2;

/// A ledger with a day in it, as one file without triggers, and what an auditor has.
pub(crate) struct Clinic {
    _temp: tempfile::TempDir,
    dir: PathBuf,
    /// The ledger's entries, in order.
    pub(crate) entries: Vec<Vec<u8>>,
}

impl Clinic {
    pub(crate) fn open() -> Self {
        let temp = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let dir = temp.path().join("clinic");
        let demo = Command::new(env!("CARGO_BIN_EXE_vialedger"))
            .arg("demo")
            .arg("--dir")
            .arg(&dir)
            .output()
            .unwrap();
        assert!(demo.status.success(), "{}", String::from_utf8_lossy(&demo.stdout));
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let ledger = Connection::open_with_flags(dir.join("ledger.db"), flags).unwrap();
        ledger.execute("VACUUM INTO ?1", [dir.join("base.db").to_str().unwrap()]).unwrap();
        let base = Connection::open(dir.join("base.db")).unwrap();
        let names = "SELECT group_concat('DROP TRIGGER ' || name, ';') FROM sqlite_schema WHERE type = 'trigger'";
        let triggers: String = base.query_row(names, [], |row| row.get(0)).unwrap();
        base.execute_batch(&triggers).unwrap();
        let entries = read_entries(&base);
        assert!(entries.len() > 15, "a day has more than {} entries", entries.len());
        Self { _temp: temp, dir, entries }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub(crate) fn size(&self) -> usize {
        self.entries.len()
    }

    /// The untouched ledger's verifier key.
    pub(crate) fn vkey(&self) -> String {
        self.path("ledger.vkey").to_str().unwrap().to_owned()
    }

    /// A receipt that somebody kept: the one for the waste, of 27 entries.
    pub(crate) fn receipt(&self) -> String {
        self.path("receipts/entry-26.receipt").to_str().unwrap().to_owned()
    }

    /// A copy of the ledger, tampered with.
    pub(crate) fn sample(&self, name: &str, tamper: impl FnOnce(&Connection)) -> Sample {
        let file = self.path(&format!("{name}.db").replace(' ', "-"));
        fs::copy(self.path("base.db"), &file).unwrap();
        let database = Connection::open(&file).unwrap();
        database.execute_batch("PRAGMA synchronous = OFF; BEGIN").unwrap();
        tamper(&database);
        database.execute_batch("COMMIT").unwrap();
        self.asked(name, &file, &[])
    }

    /// A file as it stands, with the ledger's own verifier key.
    pub(crate) fn asked(&self, name: &str, file: &Path, options: &[&str]) -> Sample {
        let mut arguments =
            vec![file.to_str().unwrap().to_owned(), "--vkey".to_owned(), self.vkey()];
        arguments.extend(options.iter().map(|&option| option.to_owned()));
        Sample { name: name.to_owned(), arguments, expected: None, trusted: None, by_rules: false }
    }

    /// The entries with one of them changed, and all after it chained to it anew.
    pub(crate) fn rechained(&self, index: usize, change: impl FnOnce(&mut Entry)) -> Vec<Vec<u8>> {
        let mut entries = self.entries.clone();
        let mut entry = Entry::decode(entries[index].as_slice()).unwrap();
        change(&mut entry);
        entries[index] = entry.encode_to_vec();
        for next in index + 1..entries.len() {
            let mut entry = Entry::decode(entries[next].as_slice()).unwrap();
            entry.previous_leaf_hash = leaf_hash(&entries[next - 1]).as_bytes().to_vec();
            entries[next] = entry.encode_to_vec();
        }
        entries
    }

    /// The ledger with one more entry, which says that the ledger audited itself, signed by the key in this file; its
    /// checkpoint is the ledger's.
    pub(crate) fn audited_itself(&self, name: &str, signed_by: &str) -> Sample {
        let key = |file: &str| {
            let pem = fs::read_to_string(self.path(file)).unwrap();
            SigningKey::from_pkcs8_pem(&pem).unwrap()
        };
        let (vkey, ledger) = (fs::read_to_string(self.vkey()).unwrap(), key("ledger.key"));
        let origin = vkey.split_once('+').unwrap().0;
        let mut tree = Tree::new();
        for entry in &self.entries {
            let _ = tree.append(leaf_hash(entry));
        }
        let size = tree.size();
        let request = v1::RecordSelfAuditRequest {
            ledger: origin.to_owned(),
            request_id: "0197c2a0-5b1e-7c3d-8f00-123456789abc".to_owned(),
            size,
            root: tree.root().as_bytes().to_vec(),
            duration: Some(prost_types::Duration { seconds: 1, nanos: 0 }),
            ..Default::default()
        };
        let kind = RequestKind::RecordSelfAudit;
        let signed = SignedRequest::sign(kind, request.encode_to_vec().into(), &key(signed_by));
        let last = Entry::decode(self.entries.last().unwrap().as_slice()).unwrap();
        let mut recorded_time = last.recorded_time.unwrap();
        recorded_time.seconds += 1;
        let recorded = v1::SelfAuditRecorded { size, whole: true };
        let entry = Entry {
            index: size,
            previous_leaf_hash: leaf_hash(self.entries.last().unwrap()).as_bytes().to_vec(),
            recorded_time: Some(recorded_time),
            request_type: kind.message_name().to_owned(),
            request: signed.bytes().to_vec(),
            signer_key: signed.key().to_vec(),
            signature: signed.signature().to_vec(),
            outcome: Some(v1::Outcome {
                result: Some(v1::outcome::Result::SelfAuditRecorded(recorded)),
                ..Default::default()
            }),
            ..last
        };
        let entry = entry.encode_to_vec();
        let _ = tree.append(leaf_hash(&entry));
        let own = NoteSigner::new(origin.parse().unwrap(), ledger);
        let checkpoint = Checkpoint::new(origin, tree.size(), tree.root()).unwrap();
        let note = checkpoint.sign(&own).unwrap().to_string();
        self.sample(name, |database| {
            let put = "INSERT INTO entries (idx, entry) VALUES (?1, ?2)";
            database.execute(put, params![sql(self.size()), entry]).unwrap();
            let put = "INSERT INTO checkpoints (size, note) VALUES (?1, ?2)";
            database.execute(put, params![sql(self.size() + 1), note]).unwrap();
        })
    }

    /// A history that somebody wrote anew who holds the ledger's key: chained, and every checkpoint signed.
    pub(crate) fn resealed(
        &self,
        name: &str,
        index: usize,
        change: impl FnOnce(&mut Entry),
    ) -> Sample {
        let entries = self.rechained(index, change);
        let pem = fs::read_to_string(self.path("ledger.key")).unwrap();
        let vkey = fs::read_to_string(self.vkey()).unwrap();
        let origin = vkey.split_once('+').unwrap().0;
        let signer =
            NoteSigner::new(origin.parse().unwrap(), SigningKey::from_pkcs8_pem(&pem).unwrap());
        self.sample(name, |database| {
            let mut tree = Tree::new();
            for (position, entry) in entries.iter().enumerate() {
                let _ = tree.append(leaf_hash(entry));
                let checkpoint = Checkpoint::new(origin, tree.size(), tree.root()).unwrap();
                let note = checkpoint.sign(&signer).unwrap().to_string();
                let index = sql(position);
                database
                    .execute("UPDATE entries SET entry = ?2 WHERE idx = ?1", params![index, entry])
                    .unwrap();
                database
                    .execute(
                        "UPDATE checkpoints SET note = ?2 WHERE size = ?1",
                        params![index + 1, note],
                    )
                    .unwrap();
            }
        })
    }
}

/// An index or a size as SQLite has it.
pub(crate) fn sql(number: usize) -> i64 {
    i64::try_from(number).unwrap()
}

fn read_entries(database: &Connection) -> Vec<Vec<u8>> {
    let mut rows = database.prepare("SELECT entry FROM entries ORDER BY idx").unwrap();
    rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// A question to both verifiers.
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) arguments: Vec<String>,
    /// What both must say, where that is more than "the same".
    pub(crate) expected: Option<(i32, Option<&'static str>, Option<usize>)>,
    /// How many entries both must trust, where that is more than "as many".
    pub(crate) trusted: Option<u64>,
    /// Only the rules, run again, tell: the second verifier may find what follows from it further on, or say that all else
    /// is good.
    pub(crate) by_rules: bool,
}

impl Sample {
    pub(crate) fn bad(mut self, fault: &'static str, index: usize) -> Self {
        self.expected = Some((1, Some(fault), Some(index)));
        self
    }

    pub(crate) fn good(mut self) -> Self {
        self.expected = Some((0, None, None));
        self
    }

    pub(crate) fn no_verdict(mut self) -> Self {
        self.expected = Some((2, None, None));
        self
    }

    pub(crate) fn trusting(mut self, entries: u64) -> Self {
        self.trusted = Some(entries);
        self
    }

    pub(crate) fn against(mut self, checkpoint: &str) -> Self {
        self.arguments.extend(["--checkpoint".to_owned(), checkpoint.to_owned()]);
        self
    }

    /// Asks both, and tells whether both say the same. `Err` says what they disagree on.
    fn ask(&self, python: &Path) -> Result<bool, String> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/verify_ledger.py");
        let mut ours = Command::new(env!("CARGO_BIN_EXE_vialedger"));
        ours.arg("verify").args(&self.arguments).arg("--json");
        let mut theirs = Command::new(python);
        theirs.arg(script).args(&self.arguments).arg("--json");
        let [ours, theirs] = [ours, theirs].map(|mut command| {
            command
                .env_remove("VIALEDGER_VKEY")
                .env("PYTHONDONTWRITEBYTECODE", "1")
                .output()
                .unwrap()
        });
        let (ours, theirs) = (Verdict::read(&ours)?, Verdict::read(&theirs)?);
        let answer = |verdict: &Verdict| (verdict.status, verdict.fault.clone(), verdict.index);
        let expected = self.expected.map(|(status, fault, index)| {
            (status, fault.map(str::to_owned), index.map(|index| u64::try_from(index).unwrap()))
        });
        let as_expected = expected.is_none_or(|expected| expected == answer(&ours));
        let trust = self.trusted.unwrap_or(ours.trusted);
        let same = answer(&ours) == answer(&theirs) && [trust; 2] == [ours.trusted, theirs.trusted];
        // Whatever it says, it says what it does not check.
        let limits = theirs.not_checked.contains("what the rules make of the requests");
        let later = theirs.status == 0 || theirs.index > ours.index;
        if as_expected && limits && (same || self.by_rules && later) {
            return Ok(same);
        }
        Err(format!(
            "{}\n  vialedger verify:  {}\n  verify_ledger.py:  {}",
            self.name, ours.told, theirs.told
        ))
    }
}

/// What a verifier said.
struct Verdict {
    status: i32,
    fault: Option<String>,
    index: Option<u64>,
    pub(crate) trusted: u64,
    not_checked: String,
    told: String,
}

impl Verdict {
    fn read(output: &Output) -> Result<Self, String> {
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let failed = String::from_utf8_lossy(&output.stderr).into_owned();
        let report: Value =
            serde_json::from_str(&told).map_err(|error| format!("{error}: {told}{failed}"))?;
        let status = output.status.code().unwrap();
        let verdict = report["verdict"].as_str().unwrap_or_default();
        let agrees =
            ["good", "bad", "none"].get(usize::try_from(status).unwrap()) == Some(&verdict);
        if !failed.is_empty() || !agrees {
            return Err(format!("status {status}: {told}{failed}"));
        }
        let fault = report["fault"].as_str().map(str::to_owned);
        let said = ["fault", "first_bad_index", "trusted_entries", "expected", "found", "why"]
            .map(|field| &report[field]);
        let told = format!("status {status}, {}", said.map(ToString::to_string).join(", "));
        let index = report["first_bad_index"].as_u64();
        // Where there is no verdict there is no trust, however far a program came before it saw that.
        let trusted = if status == 2 { 0 } else { report["trusted_entries"].as_u64().unwrap() };
        let not_checked = report["not_checked"].as_str().unwrap_or_default().to_owned();
        Ok(Self { status, fault, index, trusted, not_checked, told })
    }
}

/// Asks both verifiers about all samples. How many the second one told as the first did.
pub(crate) fn agree(samples: &[Sample]) -> usize {
    let python = python();
    let (next, disagreements) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let told = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(sample) = samples.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match sample.ask(&python) {
                        Ok(same) => drop(told.fetch_add(usize::from(same), Ordering::Relaxed)),
                        Err(disagreement) => disagreements.lock().unwrap().push(disagreement),
                    }
                }
            });
        }
    });
    let disagreements = disagreements.into_inner().unwrap();
    assert!(
        disagreements.is_empty(),
        "{} of {}:\n{}",
        disagreements.len(),
        samples.len(),
        disagreements.join("\n")
    );
    told.into_inner()
}
