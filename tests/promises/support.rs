//! A clinic with a real ledger in a folder of its own. Every test ends in [`Clinic::audit`].

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ed25519_dalek::SigningKey;
use prost::Message;
use tempfile::TempDir;
use vialedger::audit::{self, Verdict};
use vialedger::clock::ManualClock;
use vialedger::ledger::{
    KEY_POSSESSION_TYPE, Receipt, RequestKind, SignedRequest, possession_body,
};
use vialedger::pb::v1;
use vialedger::service::{
    Answer, OpenError, Service, ServiceError, ServiceOptions, WriterHandle, init,
};
use vialedger::store::{Evidence, StoreOptions};
use vialedger::tlog::{KeyKind, PublicKey, VerifierKey};

pub(crate) const ORIGIN: &str = "clinic.example/ledger";

/// The formulary of these tests. It has no plans: a dose is worked out without a session.
pub(crate) const FORMULARY: &str = include_str!("../data/formulary-1.toml");

/// When every test begins.
const START: &str = "2026-11-21T09:00:00Z";

/// How long a test waits for a database that another program holds.
const SHORT: Duration = Duration::from_millis(50);

pub(crate) struct Clinic {
    dir: TempDir,
    pub(crate) ledger_key: SigningKey,
    pub(crate) clock: ManualClock,
    ids: AtomicU64,
}

/// Somebody with a key.
pub(crate) struct Signer {
    pub(crate) name: String,
    pub(crate) key: SigningKey,
}

impl Signer {
    /// The person of this name, whose key follows from the name.
    pub(crate) fn named(id: &str) -> Self {
        let mut seed = [0; 32];
        seed[..id.len()].copy_from_slice(id.as_bytes());
        Self { name: format!("people/{id}"), key: SigningKey::from_bytes(&seed) }
    }

    fn person(&self, roles: &[v1::Role]) -> v1::Person {
        let public_key = self.key.verifying_key().to_bytes().to_vec();
        v1::Person {
            name: self.name.clone(),
            display_name: self.name.clone(),
            roles: roles.iter().map(|role| i32::from(*role)).collect(),
            keys: vec![v1::PersonKey { public_key, ..v1::PersonKey::default() }],
        }
    }

    pub(crate) fn sign(&self, kind: RequestKind, message: &impl Message) -> SignedRequest {
        SignedRequest::sign(kind, message.encode_to_vec().into(), &self.key)
    }
}

/// The first administrator.
pub(crate) fn ada() -> Signer {
    Signer::named("ada")
}

impl Clinic {
    /// A new ledger with its first administrator.
    pub(crate) fn new() -> Self {
        let clinic = Self::without_ledger();
        clinic.init().unwrap();
        clinic
    }

    /// A folder without a ledger.
    pub(crate) fn without_ledger() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            ledger_key: SigningKey::from_bytes(&[9; 32]),
            clock: ManualClock::at(START.parse().unwrap()),
            ids: AtomicU64::new(0),
        }
    }

    pub(crate) fn init(&self) -> Result<Receipt, OpenError> {
        let message = v1::InitializeLedgerRequest {
            ledger: ORIGIN.to_owned(),
            request_id: self.new_id(),
            verifier_key: self.verifier_key().to_string(),
            site: Some(v1::Site {
                display_name: "Clinic".to_owned(),
                address: "1 Main Street".to_owned(),
                ..v1::Site::default()
            }),
            administrator: Some(ada().person(&[v1::Role::Administrator])),
        };
        let request = ada().sign(RequestKind::InitializeLedger, &message);
        init(self.path(), &request, &self.ledger_key, self.clock.now())
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.path().join("ledger.db")
    }

    /// Any program's connection to the database, which knows nothing of our rules.
    pub(crate) fn sqlite(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.database()).unwrap()
    }

    pub(crate) fn verifier_key(&self) -> VerifierKey {
        let key = PublicKey::of(&self.ledger_key);
        VerifierKey::new(ORIGIN.parse().unwrap(), KeyKind::Note, key)
    }

    /// Options with this clinic's clock and little patience.
    pub(crate) fn options(&self) -> ServiceOptions {
        ServiceOptions {
            clock: self.clock.clone().into(),
            store: StoreOptions { busy_timeout: SHORT, max_pages: None },
            ..ServiceOptions::default()
        }
    }

    pub(crate) fn open(&self) -> (Service, WriterHandle) {
        self.open_with(self.options()).unwrap()
    }

    pub(crate) fn open_with(
        &self,
        options: ServiceOptions,
    ) -> Result<(Service, WriterHandle), OpenError> {
        Service::open(self.path(), &self.ledger_key, options)
    }

    /// A request id that was not used before.
    pub(crate) fn new_id(&self) -> String {
        let number = self.ids.fetch_add(1, Ordering::SeqCst);
        let mut random = [0; 10];
        random[2..].copy_from_slice(&number.to_be_bytes());
        let millis = 1_795_000_000_000 + number;
        let id = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
        id.hyphenated().to_string()
    }

    /// A request for a new place, by the administrator.
    pub(crate) fn new_place(&self, id: &str) -> SignedRequest {
        self.place_by(&ada(), id)
    }

    /// The same by anybody.
    pub(crate) fn place_by(&self, signer: &Signer, id: &str) -> SignedRequest {
        signer.sign(RequestKind::CreatePlace, &self.place_message(id))
    }

    pub(crate) fn place_message(&self, id: &str) -> v1::CreatePlaceRequest {
        v1::CreatePlaceRequest {
            ledger: ORIGIN.to_owned(),
            request_id: self.new_id(),
            place: Some(v1::Place { name: format!("places/{id}"), display_name: id.to_owned() }),
            ..v1::CreatePlaceRequest::default()
        }
    }

    /// A request for a person, by the administrator, who is the only one and so acts alone.
    pub(crate) fn new_person(&self, person: &Signer, roles: &[v1::Role]) -> SignedRequest {
        let body = possession_body(ORIGIN, &person.name);
        let pae = vialedger::dsse::pae(KEY_POSSESSION_TYPE, &body);
        let message = v1::EnrollPersonRequest {
            ledger: ORIGIN.to_owned(),
            request_id: self.new_id(),
            person: Some(person.person(roles)),
            possession: vialedger::tlog::sign(&person.key, &pae).to_vec(),
            ..v1::EnrollPersonRequest::default()
        };
        ada().sign(RequestKind::EnrollPerson, &message)
    }

    /// A request for a formulary: a large entry.
    pub(crate) fn new_formulary(&self) -> SignedRequest {
        let message = v1::PublishFormularyRequest {
            ledger: ORIGIN.to_owned(),
            request_id: self.new_id(),
            formulary: FORMULARY.to_owned(),
            ..v1::PublishFormularyRequest::default()
        };
        ada().sign(RequestKind::PublishFormulary, &message)
    }

    /// So many new places, one after the other; their answers.
    pub(crate) async fn add_places(
        &self,
        service: &Service,
        prefix: &str,
        count: usize,
    ) -> Vec<Answer> {
        let mut answers = Vec::new();
        for number in 0..count {
            let place = self.new_place(&format!("{prefix}-{number}"));
            answers.push(service.submit(place).await.unwrap());
        }
        answers
    }

    /// The same, all at once.
    pub(crate) async fn add_places_at_once(
        &self,
        service: &Service,
        prefix: &str,
        count: usize,
    ) -> Vec<Result<Answer, ServiceError>> {
        let requests = (0..count).map(|number| self.new_place(&format!("{prefix}-{number}")));
        submit_all(service, requests).await
    }

    /// A receipt must prove itself to whoever has the verifier key and nothing else.
    pub(crate) fn check(&self, receipt: &Receipt) {
        receipt.verify(&self.verifier_key()).unwrap();
    }

    /// Audits the file against the verifier key: everything must be good, and there must be so many entries.
    pub(crate) fn audit(&self, entries: u64) {
        audit_file(&self.database(), &self.verifier_key(), entries);
    }
}

pub(crate) fn audit_file(database: &Path, key: &VerifierKey, entries: u64) {
    let evidence = Evidence::open(database).unwrap();
    let options = audit::Options { verifier_key: key.clone(), checkpoint: None };
    let report = audit::audit(&options, evidence.entries(), evidence.checkpoints(), |_| {});
    assert_eq!(report.verdict, Verdict::Good, "{report:?}");
    assert_eq!(report.entries, entries);
}

pub(crate) async fn submit_all(
    service: &Service,
    requests: impl IntoIterator<Item = SignedRequest>,
) -> Vec<Result<Answer, ServiceError>> {
    let tasks: Vec<_> = requests
        .into_iter()
        .map(|request| {
            let service = service.clone();
            tokio::spawn(async move { service.submit(request).await })
        })
        .collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}

pub(crate) fn receipt(answer: &Answer) -> &Receipt {
    answer.receipt.as_ref().expect("a recorded act has a receipt")
}

/// Does something to evidence that the triggers refuse, as the owner of a file can.
pub(crate) fn tamper(connection: &rusqlite::Connection, sql: &str) {
    let triggers: Vec<(String, String)> = connection
        .prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    for (name, _) in &triggers {
        connection.execute_batch(&format!("DROP TRIGGER {name}")).unwrap();
    }
    connection.execute_batch(sql).unwrap();
    for (_, sql) in &triggers {
        connection.execute_batch(sql).unwrap();
    }
}

/// Copies a ledger's files as they lie on the disk, as a power cut would leave them.
pub(crate) fn copy_as_after_a_power_cut(from: &Path, to: &Path) {
    for name in ["ledger.db", "ledger.db-wal", "ledger.vkey"] {
        if from.join(name).exists() {
            std::fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
}
