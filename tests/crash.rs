//! The real server in a process of its own, killed under load and started again; locked against a second one; stopped in
//! good order. Whatever it acknowledged stays proved.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::expect_used,
    missing_docs,
    reason = "tests"
)]

#[path = "support/clinic.rs"]
#[allow(dead_code, reason = "the bench uses the rest")]
mod clinic;
#[path = "support/process.rs"]
mod process;

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::time::Duration;

use process::{Serving, run, serve};
use tempfile::TempDir;
use vialedger::client::{Answer, Client, ClientError, ConnectOptions, Stamp, check_receipt};
use vialedger::clock::Clock;
use vialedger::key::Key;
use vialedger::ledger::{ParsedEntry, Receipt, SignedRequest};
use vialedger::pb::v1::{self, outcome};
use vialedger::store::{Evidence, LedgerFolder};
use vialedger::tlog::{
    Checkpoint, Hash, SignedNote, VerifierKey, verify_consistency, verify_inclusion,
};

const ORIGIN: &str = "example.org/crash";
const CHIEF: &str = "people/ada-alvarez";
/// Times that the server is killed.
const KILLS: usize = 50;
/// Every so many kills there is a stop in good order, which leaves a snapshot for the starts after it.
const STOP_EVERY: usize = 12;
/// Writers at once.
const WRITERS: usize = 6;
/// The longest that a server lives under load.
const LONGEST_LIFE: Duration = Duration::from_millis(200);
/// Vials of one delivery.
const VIALS: u32 = 4;
/// Older receipts that are proved directly after each start, beside all new ones.
const OLDER_PROVED: usize = 8;

/// A ledger made by `vialedger init`, and who writes to it.
struct Ledger {
    dir: TempDir,
    vkey: VerifierKey,
    chief: Key,
    writers: Vec<Writer>,
    /// Entries that the set-up made.
    set_up: u64,
}

/// A pharmacist at work, who never forgets what was sent and not answered.
struct Writer {
    number: usize,
    person: String,
    key: Key,
    vials: VecDeque<String>,
    calculation: Option<u64>,
    pending: Option<SignedRequest>,
    acknowledged: Vec<Acknowledged>,
}

/// A request, and the receipt that its sender keeps.
struct Acknowledged {
    request: SignedRequest,
    receipt: v1::Receipt,
}

impl Ledger {
    /// Makes the folder with the program and everybody in it with a first, short-lived server.
    async fn new() -> Self {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let folder = dir.path().join("ledger");
        let path = folder.to_str().unwrap();
        let site = ["--site", "Lakeside Clinic", "--address", "1 Main Street, Dayton, Ohio"];
        let admin = ["--admin", "Ada Alvarez", "--admin-role", "pharmacist"];
        let place = ["--utc-offset", "+00:00", "--place", "main=Main safe"];
        let init = ["init", path, "--origin", ORIGIN];
        run(&[&init[..], &site, &admin, &place].concat());
        let chief = Key::load(&folder.join("keys/ada-alvarez.pem"), None).unwrap();
        let vkey = std::fs::read_to_string(folder.join("ledger.vkey")).unwrap();
        let mut ledger =
            Self { dir, vkey: vkey.trim().parse().unwrap(), chief, writers: vec![], set_up: 0 };

        let server = Serving::start(&folder, &[]);
        let chief = client(&server, &ledger.vkey, CHIEF, &ledger.chief).await;
        let nurse = Key::generate().unwrap();
        chief.write(clinic::formulary(), &Stamp::default()).await.unwrap();
        let nurse = clinic::enrol(ORIGIN, clinic::NURSE, v1::Role::Nurse, &nurse);
        let mut last = chief.write(nurse, &Stamp::default()).await.unwrap();
        for number in 0..WRITERS {
            let (person, key) = (format!("people/writer-{number}"), Key::generate().unwrap());
            let enrolled = clinic::enrol(ORIGIN, &person, v1::Role::Pharmacist, &key);
            last = chief.write(enrolled, &Stamp::default()).await.unwrap();
            ledger.writers.push(Writer::new(number, person, key));
        }
        ledger.set_up = last.receipt.unwrap().index + 1;
        server.stop();
        ledger
    }

    fn folder(&self) -> PathBuf {
        self.dir.path().join("ledger")
    }

    /// The chief's connection, who reads and holds receipts against what is there.
    async fn auditor(&self, server: &Serving) -> Auditor {
        Auditor::of(client(server, &self.vkey, CHIEF, &self.chief).await).await
    }

    /// Lets all writers work until the server is gone, and ends it after a while, somehow.
    async fn load(&mut self, server: Serving, life: Duration, end: impl FnOnce(Serving)) {
        let mut working = Vec::new();
        for mut writer in std::mem::take(&mut self.writers) {
            let client = client(&server, &self.vkey, &writer.person, &writer.key).await;
            working.push(tokio::spawn(async move {
                writer.work(&client).await;
                writer
            }));
        }
        // The moment of the end is chance; nothing waits for anything here.
        tokio::time::sleep(life).await;
        tokio::task::block_in_place(|| end(server));
        for writer in working {
            self.writers.push(writer.await.unwrap());
        }
    }

    fn acknowledged(&self) -> impl Iterator<Item = &Acknowledged> {
        self.writers.iter().flat_map(|writer| &writer.acknowledged)
    }

    /// `vialedger verify` with nothing but the file, the key and the newest receipt.
    fn verify(&self) {
        let newest = self.acknowledged().max_by_key(|kept| kept.receipt.index).unwrap();
        let receipt = newest.receipt();
        let file = self.dir.path().join("newest.receipt");
        std::fs::write(&file, receipt.to_file().unwrap()).unwrap();
        let (folder, vkey) = (self.folder(), self.vkey.to_string());
        let (folder, file) = (folder.to_str().unwrap(), file.to_str().unwrap());
        run(&["verify", folder, "--vkey", &vkey, "--checkpoint", file]);
    }

    /// Every request that was ever sent, and how many entries it has.
    fn entries_of_requests(&self) -> BTreeMap<Vec<u8>, u64> {
        let evidence = Evidence::open(&LedgerFolder::new(self.folder()).database()).unwrap();
        let mut entries = BTreeMap::new();
        for row in evidence.entries() {
            let entry = ParsedEntry::parse(row.unwrap().entry).unwrap();
            if entry.sealed.index() >= self.set_up {
                *entries.entry(entry.request.bytes().to_vec()).or_default() += 1;
            }
        }
        entries
    }
}

impl Acknowledged {
    fn receipt(&self) -> Receipt {
        Receipt::new(self.receipt.entry.clone().into(), &self.receipt.proof).unwrap()
    }
}

impl Writer {
    fn new(number: usize, person: String, key: Key) -> Self {
        let (vials, calculation) = (VecDeque::new(), None);
        Self { number, person, key, vials, calculation, pending: None, acknowledged: Vec::new() }
    }

    /// Writes until the server does not answer. What was sent and not answered is sent again first, the very same.
    async fn work(&mut self, client: &Client) {
        loop {
            let request = self.pending.take().unwrap_or_else(|| self.next());
            match client.send(&request).await {
                Ok(answer) => self.note(request, answer),
                Err(error) => {
                    assert!(is_silence(&error), "{}: {error}", self.person);
                    self.pending = Some(request);
                    return;
                }
            }
        }
    }

    /// What is to be done next: vials come in, a dose is worked out, a vial goes out against it.
    fn next(&self) -> SignedRequest {
        let patient = format!("patients/of-writer-{}", self.number);
        match (self.vials.front(), self.calculation) {
            (None, _) => clinic::sign(ORIGIN, &self.key, clinic::delivery(VIALS)),
            (Some(_), None) => clinic::sign(ORIGIN, &self.key, clinic::calculation(&patient)),
            (Some(vial), Some(dose)) => {
                clinic::sign(ORIGIN, &self.key, clinic::dispensing(vial, &patient, dose))
            }
        }
    }

    /// Keeps the receipt, which the client has verified, and remembers what the answer said.
    fn note(&mut self, request: SignedRequest, answer: Answer) {
        let receipt = answer.receipt.unwrap();
        match answer.outcome.unwrap().result.unwrap() {
            outcome::Result::VialsReceived(received) => self.vials.extend(received.vials),
            outcome::Result::DoseCalculation(_) => self.calculation = Some(receipt.index),
            outcome::Result::Dispensing(_) => {
                self.vials.pop_front();
                self.calculation = None;
            }
            other => panic!("{}: {other:?}", self.person),
        }
        self.acknowledged.push(Acknowledged { request, receipt });
    }
}

async fn client(server: &Serving, vkey: &VerifierKey, person: &str, key: &Key) -> Client {
    let options = ConnectOptions {
        server: server.url.clone(),
        ca: None,
        identity: None,
        insecure_plaintext: false,
    };
    let person = person.parse().unwrap();
    let clock = Clock::system();
    Client::connect(&options, vkey.clone(), person, key.clone(), clock).await.unwrap()
}

/// Whether there was no answer, as there is none from a dead server, or from one that is stopping.
fn is_silence(error: &ClientError) -> bool {
    match error {
        ClientError::Unreachable { .. } | ClientError::Unanswered { .. } => true,
        ClientError::Rejected(rejection) => rejection.reason == "STOPPING",
        _ => false,
    }
}

/// Whoever holds the receipts against the server, and knows nothing but the ledger's key.
struct Auditor {
    client: Client,
    vkey: VerifierKey,
    now: Checkpoint,
}

impl Auditor {
    /// Takes the newest checkpoint of a server, which the ledger's key must have signed.
    async fn of(client: Client) -> Self {
        let newest = v1::GetCheckpointRequest { size: None };
        let note = client.read(newest).await.unwrap().checkpoint;
        let note = SignedNote::parse(note.as_bytes()).unwrap();
        let vkey = client.verifier_key().clone();
        let now = Checkpoint::verify(&note, &vkey).unwrap();
        Self { client, vkey, now }
    }

    /// The ledger of this older checkpoint is the beginning of the present one.
    async fn extends(&self, older: &Checkpoint) {
        let (old_size, new_size) = (older.size(), self.now.size());
        let asked = v1::GetConsistencyProofRequest { old_size, new_size: Some(new_size) };
        let path = hashes(&self.client.read(asked).await.unwrap().path);
        verify_consistency(old_size, &older.root(), new_size, &self.now.root(), &path).unwrap();
    }

    /// A receipt proves itself; its entry is in the present ledger; its checkpoint is of that ledger's beginning.
    async fn proves(&self, kept: &Acknowledged) {
        let request = Some(&kept.request);
        let (entry, then) = check_receipt(&kept.receipt, None, request, &self.vkey).unwrap();
        let (index, size) = (kept.receipt.index, self.now.size());
        let asked = v1::GetInclusionProofRequest { index, size: Some(size) };
        let path = hashes(&self.client.read(asked).await.unwrap().path);
        let leaf = entry.sealed.leaf_hash();
        verify_inclusion(&leaf, index, size, &path, &self.now.root()).unwrap();
        self.extends(&then).await;
    }
}

fn hashes(path: &[Vec<u8>]) -> Vec<Hash> {
    path.iter().map(|hash| Hash::try_from(hash.as_slice()).unwrap()).collect()
}

/// Chance that can be had again: splitmix64 from a seed.
struct Chance(u64);

impl Chance {
    fn new() -> Self {
        let seed = std::env::var_os("VIALEDGER_TEST_SEED").map_or_else(
            || getrandom::u64().unwrap(),
            |seed| seed.to_str().unwrap().parse().unwrap(),
        );
        println!("again with VIALEDGER_TEST_SEED={seed}");
        Self(seed)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % limit
    }

    fn life(&mut self) -> Duration {
        let micros = u64::try_from(LONGEST_LIFE.as_micros()).unwrap();
        Duration::from_micros(self.below(micros))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_outlives_fifty_kills() {
    let mut chance = Chance::new();
    let mut ledger = Ledger::new().await;
    let mut last: Option<Checkpoint> = None;
    let mut proved = vec![0; WRITERS];
    for kill in 0..KILLS {
        let server = Serving::start(&ledger.folder(), &[]);
        let auditor = ledger.auditor(&server).await;
        // Every receipt was once proved to belong to the checkpoint of a start, or is proved now. As the ledger of the
        // last start is the beginning of this one's, and so on back, each of them belongs to this one too.
        if let Some(last) = &last {
            auditor.extends(last).await;
        }
        for (writer, proved) in ledger.writers.iter().zip(&mut proved) {
            for kept in &writer.acknowledged[*proved..] {
                auditor.proves(kept).await;
            }
            *proved = writer.acknowledged.len();
        }
        let older: Vec<_> = ledger.acknowledged().collect();
        for _ in 0..OLDER_PROVED.min(older.len()) {
            let one = chance.below(older.len().try_into().unwrap());
            auditor.proves(older[usize::try_from(one).unwrap()]).await;
        }
        last = Some(auditor.now);
        ledger.load(server, chance.life(), Serving::kill).await;
        if kill % STOP_EVERY == STOP_EVERY - 1 {
            Serving::start(&ledger.folder(), &[]).stop();
        }
    }

    // Whoever has no answer yet gets it now. Then all receipts are proved once more, each by itself.
    let server = Serving::start(&ledger.folder(), &[]);
    for writer in &mut ledger.writers {
        if let Some(request) = writer.pending.take() {
            let client = client(&server, &ledger.vkey, &writer.person, &writer.key).await;
            let answer = client.send(&request).await.unwrap();
            writer.note(request, answer);
        }
    }
    let auditor = ledger.auditor(&server).await;
    for kept in ledger.acknowledged() {
        auditor.proves(kept).await;
    }
    server.stop();

    let count = ledger.acknowledged().count();
    println!("{KILLS} kills, {count} acknowledged entries");
    assert!(count > KILLS, "too little was written between the kills to show anything");
    let entries = ledger.entries_of_requests();
    assert_eq!(entries.len(), count, "an entry for each request, and for nothing else");
    for kept in ledger.acknowledged() {
        assert_eq!(entries.get(kept.request.bytes().as_ref()), Some(&1));
    }
    ledger.verify();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_in_good_order_answers_every_request_that_it_took_in() {
    let mut ledger = Ledger::new().await;
    for _ in 0..3 {
        let server = Serving::start(&ledger.folder(), &[]);
        ledger.load(server, LONGEST_LIFE, Serving::stop).await;
        let entries = ledger.entries_of_requests();
        assert!(entries.len() >= WRITERS, "too little was written to show anything");
        assert_eq!(entries.len(), ledger.acknowledged().count());
        for kept in ledger.acknowledged() {
            assert_eq!(entries.get(kept.request.bytes().as_ref()), Some(&1));
        }
    }
    ledger.verify();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_on_the_same_folder_is_refused_and_the_first_goes_on() {
    let mut ledger = Ledger::new().await;
    let first = Serving::start(&ledger.folder(), &[]);
    let second = serve(&ledger.folder(), &[]).output().unwrap();
    assert!(!second.status.success());
    let said = [second.stdout, second.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    assert!(said.contains(&format!("process {}", first.pid())), "it says who is there: {said}");

    ledger.load(first, LONGEST_LIFE, Serving::stop).await;
    let third = Serving::start(&ledger.folder(), &[]);
    let auditor = ledger.auditor(&third).await;
    for kept in ledger.acknowledged() {
        auditor.proves(kept).await;
    }
    third.stop();
    ledger.verify();
}
