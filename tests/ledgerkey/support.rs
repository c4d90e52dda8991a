//! A clinic with a real ledger in a folder of its own, and its evidence taken apart.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use prost::Message;
use tempfile::TempDir;
use vialedger::audit::{self, CheckpointRow, EntryRow, Fault, Options, Report, Verdict};
use vialedger::clock::{Clock, ManualClock};
use vialedger::key::Key;
use vialedger::ledger::{
    KEY_POSSESSION_TYPE, Receipt, RequestKind, SignedRequest, possession_body,
};
use vialedger::pb::v1;
use vialedger::service::{
    Answer, AuditSchedule, OpenError, Rotated, Service, ServiceOptions, WriterHandle, init, rotate,
};
use vialedger::store::{Evidence, LedgerFolder};
use vialedger::tlog::{Checkpoint, NoteSigner, SignedNote, VerifierKey};

pub(crate) const ORIGIN: &str = "clinic.example/ledger";

/// Name of the key that these ledgers begin with.
pub(crate) const FIRST_KEY: &str = "the ledger's first";

/// When every test begins.
const START: &str = "2026-11-21T09:00:00Z";

pub(crate) struct Clinic {
    dir: TempDir,
    pub(crate) clock: ManualClock,
    pub(crate) schedule: Option<AuditSchedule>,
    ids: AtomicU64,
}

/// The key of a person, which follows from the name.
pub(crate) fn key_of(name: &str) -> SigningKey {
    let mut seed = [0; 32];
    seed[..name.len()].copy_from_slice(name.as_bytes());
    SigningKey::from_bytes(&seed)
}

pub(crate) fn vkey_of(key: &SigningKey) -> VerifierKey {
    NoteSigner::new(ORIGIN.parse().unwrap(), key.clone()).verifier_key().clone()
}

pub(crate) fn person(name: &str, roles: &[v1::Role]) -> v1::Person {
    let public_key = key_of(name).verifying_key().to_bytes().to_vec();
    v1::Person {
        name: format!("people/{name}"),
        display_name: name.to_owned(),
        roles: roles.iter().map(|role| i32::from(*role)).collect(),
        keys: vec![v1::PersonKey { public_key, ..v1::PersonKey::default() }],
    }
}

impl Clinic {
    /// A new ledger whose first administrator is ada, with its key in the folder.
    pub(crate) fn new() -> Self {
        let clinic = Self {
            dir: tempfile::tempdir().unwrap(),
            clock: ManualClock::at(START.parse().unwrap()),
            schedule: None,
            ids: AtomicU64::new(0),
        };
        let key = Key::from(key_of(FIRST_KEY));
        key.save(&clinic.folder().signing_key(), None).unwrap();
        let message = v1::InitializeLedgerRequest {
            ledger: ORIGIN.to_owned(),
            request_id: clinic.new_id(),
            verifier_key: vkey_of(key.signing_key()).to_string(),
            site: Some(v1::Site {
                display_name: "Clinic".to_owned(),
                address: "1 Main Street".to_owned(),
                ..v1::Site::default()
            }),
            administrator: Some(person("ada", &[v1::Role::Administrator])),
        };
        let request = sign("ada", RequestKind::InitializeLedger, &message);
        init(clinic.path(), &request, key.signing_key(), clinic.clock.now()).unwrap();
        clinic
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn folder(&self) -> LedgerFolder {
        LedgerFolder::new(self.path())
    }

    pub(crate) fn clock(&self) -> Clock {
        Clock::from(self.clock.clone())
    }

    /// The key that is in the folder.
    pub(crate) fn ledger_key(&self) -> SigningKey {
        Key::load(&self.folder().signing_key(), None).unwrap().signing_key().clone()
    }

    pub(crate) fn signer(&self) -> NoteSigner {
        NoteSigner::new(ORIGIN.parse().unwrap(), self.ledger_key())
    }

    pub(crate) fn vkey(&self) -> VerifierKey {
        vkey_of(&self.ledger_key())
    }

    /// The line that is handed out.
    pub(crate) fn vkey_file(&self) -> String {
        std::fs::read_to_string(self.folder().verifier_key()).unwrap().trim().to_owned()
    }

    pub(crate) fn rotate(&self) -> Rotated {
        rotate(self.path(), "the yearly one", self.new_id(), &self.clock()).unwrap()
    }

    pub(crate) fn open_with(&self, key: &SigningKey) -> Result<(Service, WriterHandle), OpenError> {
        let options = ServiceOptions {
            clock: self.clock(),
            self_audit: self.schedule,
            ..ServiceOptions::default()
        };
        Service::open(self.path(), key, options)
    }

    pub(crate) fn open(&self) -> (Service, WriterHandle) {
        self.open_with(&self.ledger_key()).unwrap()
    }

    /// A request id that was not used before.
    pub(crate) fn new_id(&self) -> String {
        let number = self.ids.fetch_add(1, Ordering::SeqCst);
        let mut random = [0; 10];
        random[2..].copy_from_slice(&number.to_be_bytes());
        let millis = 1_795_000_000_000 + number;
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid().to_string()
    }

    pub(crate) fn place(&self, id: &str) -> SignedRequest {
        self.place_by("ada", id)
    }

    pub(crate) fn place_by(&self, who: &str, id: &str) -> SignedRequest {
        let message = v1::CreatePlaceRequest {
            ledger: ORIGIN.to_owned(),
            request_id: self.new_id(),
            place: Some(v1::Place { name: format!("places/{id}"), display_name: id.to_owned() }),
            ..v1::CreatePlaceRequest::default()
        };
        sign(who, RequestKind::CreatePlace, &message)
    }

    /// Enrols a person, by ada, who acts alone while she is the only administrator.
    pub(crate) fn enroll(&self, name: &str, roles: &[v1::Role]) -> SignedRequest {
        self.enroll_by("ada", name, roles)
    }

    pub(crate) fn enroll_by(&self, who: &str, name: &str, roles: &[v1::Role]) -> SignedRequest {
        let body = possession_body(ORIGIN, &format!("people/{name}"));
        let pae = vialedger::dsse::pae(KEY_POSSESSION_TYPE, &body);
        let message = v1::EnrollPersonRequest {
            ledger: ORIGIN.to_owned(),
            request_id: self.new_id(),
            person: Some(person(name, roles)),
            possession: vialedger::tlog::sign(&key_of(name), &pae).to_vec(),
            ..v1::EnrollPersonRequest::default()
        };
        sign(who, RequestKind::EnrollPerson, &message)
    }

    /// So many new places; their receipts.
    pub(crate) async fn add_places(
        &self,
        service: &Service,
        prefix: &str,
        count: usize,
    ) -> Vec<Receipt> {
        let mut receipts = Vec::new();
        for number in 0..count {
            let place = self.place(&format!("{prefix}-{number}"));
            receipts.push(receipt(service.submit(place).await.unwrap()));
        }
        receipts
    }

    /// Opens the ledger, adds places and closes it; their receipts.
    pub(crate) async fn day(&self, prefix: &str, count: usize) -> Vec<Receipt> {
        let (service, writer) = self.open();
        let receipts = self.add_places(&service, prefix, count).await;
        drop(service);
        writer.join().unwrap();
        receipts
    }

    pub(crate) fn evidence(&self) -> Rows {
        let evidence = Evidence::open(&self.folder().database()).unwrap();
        Rows {
            entries: evidence.entries().map(Result::unwrap).collect(),
            checkpoints: evidence.checkpoints().map(Result::unwrap).collect(),
            outside: None,
        }
    }

    /// Everything must be good under this key.
    pub(crate) fn audit(&self, key: &VerifierKey) -> Report {
        let report = self.evidence().audit(key);
        assert_eq!(report.verdict, Verdict::Good, "{report:?}");
        report
    }
}

pub(crate) fn sign(who: &str, kind: RequestKind, message: &impl Message) -> SignedRequest {
    SignedRequest::sign(kind, message.encode_to_vec().into(), &key_of(who))
}

pub(crate) fn receipt(answer: Answer) -> Receipt {
    answer.receipt.expect("a recorded act has a receipt")
}

/// Evidence that can be changed in every way.
#[derive(Clone)]
pub(crate) struct Rows {
    pub(crate) entries: Vec<EntryRow>,
    pub(crate) checkpoints: Vec<CheckpointRow>,
    pub(crate) outside: Option<SignedNote>,
}

impl Rows {
    pub(crate) fn audit(&self, key: &VerifierKey) -> Report {
        let options = Options { verifier_key: key.clone(), checkpoint: self.outside.clone() };
        let (entries, checkpoints) = (self.entries.clone(), self.checkpoints.clone());
        audit::audit(&options, entries.into_iter().map(Ok), checkpoints.into_iter().map(Ok), |_| {})
    }

    pub(crate) fn must_fail(&self, key: &VerifierKey, index: u64, fault: Fault) {
        let report = self.audit(key);
        let finding = report.finding.as_ref().unwrap_or_else(|| panic!("{report:?}"));
        assert_eq!((finding.index, finding.fault), (index, fault), "{finding}");
        assert_eq!(report.verdict, Verdict::Bad);
    }

    /// The checkpoint of a size, as it lies in the ledger.
    pub(crate) fn note(&self, size: u64) -> SignedNote {
        let row = self.checkpoints.iter().find(|row| row.size == size).unwrap();
        SignedNote::parse(&row.note).unwrap()
    }

    /// Has only this key sign the checkpoint of a size.
    pub(crate) fn sign_again(&mut self, size: u64, signer: &NoteSigner) {
        let checkpoint: Checkpoint = self.note(size).text().parse().unwrap();
        let note = checkpoint.sign(signer).unwrap();
        let row = self.checkpoints.iter_mut().find(|row| row.size == size).unwrap();
        row.note = Bytes::from(note.to_string());
    }
}
