//! A ledger in memory: people who sign, rules that decide, rows that an audit reads.

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use sha2::{Digest as _, Sha256};
use vialedger::audit::{self, Anchor, CheckpointRow, EntryRow, Options, Report, Verdict};
use vialedger::command::{Command, Violation};
use vialedger::decide::decide;
use vialedger::dsse;
use vialedger::ledger::{KEY_POSSESSION_TYPE, RequestKind, SignedRequest, possession_body};
use vialedger::names::{CalculationName, DispensingName, VialName, WasteName};
use vialedger::pb::v1;
use vialedger::refusal::Refusal;
use vialedger::state::{State, Step};
use vialedger::time::Timestamp;
use vialedger::tlog::{self, Checkpoint, Hash, NoteSigner, SignedNote, Tree, VerifierKey};

use crate::requests::{self, Request};

/// Origin of the ledgers of these tests.
pub(crate) const ORIGIN: &str = "ledger.example/clinic";

/// Microseconds in a second, a minute, an hour and a day.
pub(crate) const SECOND: i64 = 1_000_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;

/// When these ledgers begin.
pub(crate) const BEGINNING: &str = "2026-11-21T08:00:00Z";

/// The key of this label, the same in every run: `ada`, or `ada-2` for another of hers.
pub(crate) fn key(label: &str) -> SigningKey {
    SigningKey::from_bytes(&Sha256::digest(label.as_bytes()).into())
}

pub(crate) fn public(label: &str) -> [u8; 32] {
    key(label).verifying_key().to_bytes()
}

/// The proof that whoever enrols the key for this person holds it.
pub(crate) fn possession(ledger: &str, label: &str, person: &str) -> Vec<u8> {
    let body = possession_body(ledger, person);
    tlog::sign(&key(label), &dsse::pae(KEY_POSSESSION_TYPE, &body)).to_vec()
}

pub(crate) fn note_signer(label: &str) -> NoteSigner {
    NoteSigner::new(ORIGIN.parse().unwrap(), key(label))
}

/// The ledger's keys, one after the other, each with the size of the first checkpoint that it signs. The one before signs
/// that checkpoint too.
#[derive(Clone)]
pub(crate) struct Signers(pub(crate) Vec<(u64, NoteSigner)>);

impl Signers {
    /// One key for all sizes.
    pub(crate) fn only(label: &str) -> Self {
        Self(vec![(0, note_signer(label))])
    }

    /// The signed checkpoint of a size.
    pub(crate) fn sign(&self, size: u64, root: Hash) -> SignedNote {
        let of_then = self.0.iter().rev().skip_while(|(first, _)| *first > size);
        let both = of_then.clone().next().is_some_and(|(first, _)| *first == size);
        let mut notes =
            of_then.take(1 + usize::from(both)).map(|(_, signer)| sign_root(signer, size, root));
        let mut note = notes.next().unwrap();
        for other in notes {
            note.add_signature(other.signatures()[0].clone()).unwrap();
        }
        note
    }
}

/// A ledger in memory.
#[derive(Clone)]
pub(crate) struct Book {
    pub(crate) state: State,
    /// The entries as they would be stored.
    pub(crate) rows: Vec<Bytes>,
    /// Root after each entry.
    pub(crate) roots: Vec<Hash>,
    /// The server's clock.
    pub(crate) now: Timestamp,
    pub(crate) signers: Signers,
    tree: Tree,
    requests: u64,
}

impl Book {
    /// A ledger of which ada is the only administrator.
    pub(crate) fn begin() -> Self {
        Self::signed_by("ledger")
    }

    /// The same, signed by another ledger key.
    pub(crate) fn signed_by(label: &str) -> Self {
        let mut book = Self {
            state: State::empty(),
            rows: Vec::new(),
            roots: Vec::new(),
            now: BEGINNING.parse().unwrap(),
            signers: Signers::only(label),
            tree: Tree::new(),
            requests: 0,
        };
        let verifier_key = book.verifier_key().to_string();
        book.act("ada", requests::initialize(&verifier_key)).unwrap();
        book
    }

    /// The key that an auditor brings along: the ledger's first.
    pub(crate) fn verifier_key(&self) -> VerifierKey {
        self.signers.0[0].1.verifier_key().clone()
    }

    /// Lets time pass.
    pub(crate) fn wait(&mut self, micros: i64) {
        self.now = self.now.checked_add_micros(micros).unwrap();
    }

    /// Signs a request with the key of this label. What the header lacks is filled in: this ledger, a new id.
    pub(crate) fn ask<R: Request>(&mut self, label: &str, mut request: R) -> SignedRequest {
        let (ledger, id) = request.header();
        if ledger.is_empty() {
            ORIGIN.clone_into(ledger);
        }
        if id.is_empty() {
            *id = self.request_id();
        }
        SignedRequest::sign(R::KIND, request.encode_to_vec().into(), &key(label))
    }

    /// A new UUID of version 7.
    pub(crate) fn request_id(&mut self) -> String {
        self.requests += 1;
        let mut bytes = [0; 16];
        bytes[8..].copy_from_slice(&self.requests.to_be_bytes());
        bytes[6] = 0x70;
        bytes[8] |= 0x80;
        uuid::Uuid::from_bytes(bytes).to_string()
    }

    /// Decides a request a second later, and keeps the entry. `Ok` also for an entry that records a refusal.
    pub(crate) fn submit(&mut self, request: &SignedRequest) -> Result<Step, Refusal> {
        let command = Command::parse(request.kind(), request.bytes());
        let command = command.unwrap_or_else(|violations| panic!("{violations:#?}"));
        self.wait(SECOND);
        let step = decide(&self.state, request, &command, self.now)?;
        if !command.header.validate_only {
            self.keep(&step);
        }
        Ok(step)
    }

    fn keep(&mut self, step: &Step) {
        self.state.apply(step);
        let _ = self.tree.append(step.entry.leaf_hash());
        self.roots.push(self.tree.root());
        self.rows.push(step.entry.bytes().clone());
    }

    /// Signs and submits. A refusal is an `Err`, recorded or not.
    pub(crate) fn act<R: Request>(&mut self, label: &str, request: R) -> Result<Step, Refusal> {
        let request = self.ask(label, request);
        let mut step = self.submit(&request)?;
        match step.refusal.take() {
            Some(refusal) => Err(refusal),
            None => Ok(step),
        }
    }

    /// The reason of the refusal that this must meet.
    pub(crate) fn refused<R: Request>(&mut self, label: &str, request: R) -> &'static str {
        self.act(label, request).unwrap_err().reason()
    }

    /// What is wrong with a request that the rules are not even asked about.
    pub(crate) fn violations<R: Request>(&mut self, request: R) -> Vec<Violation> {
        let request = self.ask("ada", request);
        Command::parse(request.kind(), request.bytes()).unwrap_err()
    }

    /// Index of the newest entry.
    pub(crate) fn last(&self) -> u64 {
        self.state.size() - 1
    }

    /// The newest entry, decoded.
    pub(crate) fn last_entry(&self) -> v1::Entry {
        decode(self.rows.last().unwrap())
    }

    /// Signed checkpoints of these sizes.
    pub(crate) fn checkpoints(&self, sizes: impl IntoIterator<Item = u64>) -> Vec<CheckpointRow> {
        sizes.into_iter().map(|size| row_of(size, &self.note(size))).collect()
    }

    /// Signed checkpoint of one size.
    pub(crate) fn note(&self, size: u64) -> SignedNote {
        self.signers.sign(size, self.roots[usize::try_from(size).unwrap() - 1])
    }

    /// A full audit with a checkpoint for every entry. It must be good and lead to this very state.
    pub(crate) fn audit(&self) {
        let size = self.state.size();
        let report = audit_rows(&self.rows, self.checkpoints(1..=size), &self.verifier_key(), None);
        assert_eq!(report.verdict, Verdict::Good, "{report:?}");
        assert_eq!((report.entries, report.checkpoints, report.trusted), (size, size, size));
        assert_eq!((report.anchor, report.root), (Anchor::None, Some(self.tree.root())));
        let mut state = State::empty();
        for row in &self.rows {
            let step = audit::replay(&state, row.clone()).unwrap();
            state.apply(&step);
        }
        assert!(state == self.state, "the entries lead to another state");
    }
}

/// Entries, places, products and stock that most tests begin with.
pub(crate) fn clinic() -> Book {
    static CLINIC: std::sync::LazyLock<Book> = std::sync::LazyLock::new(|| {
        let mut book = staffed();
        for place in ["safe", "ward"] {
            book.act("ada", requests::create_place(place)).unwrap();
        }
        publish(&mut book, &requests::small_formulary());
        book.act("tom", requests::delivery()).unwrap();
        book
    });
    CLINIC.clone()
}

/// A ledger with its people and nothing else. Enrolled while ada was the only administrator.
pub(crate) fn staffed() -> Book {
    static STAFFED: std::sync::LazyLock<Book> = std::sync::LazyLock::new(|| {
        use v1::Role::{
            Administrator, Auditor, Nurse, Pharmacist, Prescriber, Service, Technician,
        };
        let mut book = Book::begin();
        let people: [(&str, &[v1::Role]); 7] = [
            ("nia", &[Nurse]),
            ("ned", &[Nurse]),
            ("pat", &[Prescriber]),
            ("tom", &[Technician]),
            ("aud", &[Auditor]),
            ("ehr", &[Service]),
            ("ben", &[Pharmacist, Administrator]),
        ];
        for (person, roles) in people {
            book.act("ada", requests::enroll(person, roles)).unwrap();
        }
        book
    });
    STAFFED.clone()
}

/// Puts a formulary into force: ben puts it forward, ada approves.
pub(crate) fn publish(book: &mut Book, text: &str) {
    let step = book.act("ben", requests::publish(text)).unwrap();
    book.act("ada", requests::approve(&step)).unwrap();
}

/// The delivery of [`clinic`] and the vials that it made, by number from 1.
pub(crate) fn vial(number: u32) -> String {
    VialName { delivery: 12, number }.to_string()
}

/// What the newest entry of a step is called as a calculation, a dispensing and a waste.
pub(crate) fn calculation(step: &Step) -> String {
    CalculationName(step.entry.index()).to_string()
}

pub(crate) fn dispensing(step: &Step) -> String {
    DispensingName(step.entry.index()).to_string()
}

pub(crate) fn waste(step: &Step) -> String {
    WasteName(step.entry.index()).to_string()
}

/// The balance of a vial that is not closed.
pub(crate) fn balance(book: &Book, vial: &str) -> vialedger::vial::Balance {
    book.state.vial(vial.parse().unwrap()).unwrap().balance()
}

/// The kinds of flag of a step.
pub(crate) fn flags(step: &Step) -> Vec<v1::FlagKind> {
    step.outcome.flags.iter().map(v1::Flag::kind).collect()
}

pub(crate) fn decode(row: &[u8]) -> v1::Entry {
    prost::Message::decode(row).unwrap()
}

pub(crate) fn sign_root(signer: &NoteSigner, size: u64, root: Hash) -> SignedNote {
    Checkpoint::new(ORIGIN, size, root).unwrap().sign(signer).unwrap()
}

pub(crate) fn row_of(size: u64, note: &SignedNote) -> CheckpointRow {
    CheckpointRow { size, note: note.to_string().into() }
}

/// An audit of rows that are numbered from 0.
pub(crate) fn audit_rows(
    rows: &[Bytes],
    checkpoints: Vec<CheckpointRow>,
    key: &VerifierKey,
    outside: Option<SignedNote>,
) -> Report {
    let rows = (0..).zip(rows).map(|(index, entry)| EntryRow { index, entry: entry.clone() });
    audit_numbered(rows, checkpoints, key, outside)
}

/// An audit of rows with the numbers that they are given.
pub(crate) fn audit_numbered(
    rows: impl IntoIterator<Item = EntryRow>,
    checkpoints: Vec<CheckpointRow>,
    key: &VerifierKey,
    outside: Option<SignedNote>,
) -> Report {
    let options = Options { verifier_key: key.clone(), checkpoint: outside };
    audit::audit(&options, rows.into_iter().map(Ok), checkpoints.into_iter().map(Ok), |_| {})
}

/// The kind of a request of this type.
pub(crate) const fn kind_of<R: Request>() -> RequestKind {
    R::KIND
}
