//! Evidence that can be changed in every way: from outside, by whoever holds the file, and from inside, by whoever also
//! holds the ledger's key and the program.

use bytes::Bytes;
use prost::Message as _;
use vialedger::audit::{
    Audited, CheckpointRow, EntryRow, Fault, Options, Plan, Report, Verdict, examine,
};
use vialedger::dsse;
use vialedger::ledger::{
    LEDGER_KEY_POSSESSION_TYPE, RequestKind, SignedRequest, ledger_possession_body,
};
use vialedger::pb::v1::{self, Role};
use vialedger::state::Step;
use vialedger::time::Timestamp;
use vialedger::tlog::{self, Hash, SignedNote, Tree, VerifierKey, empty_root, leaf_hash};

use crate::course;
use crate::requests::{
    self, KETALAR, approve, change_roles, create_place, enroll, enroll_key, publish, receive,
    revoke, take_back, witness,
};
use crate::support::{
    Book, MINUTE, ORIGIN, Signers, calculation, decode, dispensing, key, note_signer, row_of, waste,
};

/// A protocol whose formulary is short, and one that a plan uses.
const INJECTION: &str = "protocols/ket-psa-im";
const IN_A_SESSION: &str = "protocols/im";

/// A plan as short as one can be written, with a check, an alert and a form.
const SHORT_PLAN: &str = r#"
[[measure]]
id = "spo2"
name = "S"
unit = "%"
lowest = 30
highest = 100
source = "s"

[[monitoring]]
id = "m"
title = "M"
before = ["spo2"]
before_minutes = 60
late_minutes = 5
source = "s"

[[monitoring.due]]
minutes = [15]
measures = ["spo2"]

[[monitoring.criterion]]
id = "c"
when = "during"
measure = "spo2"
below = 90
action = "a"
source = "s"

[monitoring.discharge]
minimum_minutes = 30
observed_minutes = 30
measures = ["spo2"]
escort = true
no_driving = true
source = "s"

[monitoring.leaflet]
do = ["a"]
do_not = ["b"]
source = "s"

[[plan]]
id = "p"
title = "P"
drug = "ketamine"
monitoring = "m"
source = "s"

[[plan.phase]]
id = "a"
title = "A"
protocol = "im"
sessions_min = 1
sessions_max = 9
interval_days = 1
soft_min_days = 1
hard_min_days = 1
soft_max_days = 9
source = "s"

[plan.history]
weight_change_percent = 20
rises_alone = 2
ask_after = []
source = "s"

[plan.form]
title = "F"
due_days = 7
source = "s"
"#;

/// The formulary of [`INJECTION`], with its protocol once more for the plan.
fn formulary() -> String {
    let text = requests::formulary_of(&[KETALAR], &[INJECTION]);
    let (_, protocol) = text.split_once("[[protocol]]").unwrap();
    let protocol = protocol.split_inclusive("\n\n").take_while(|block| !block.starts_with("[["));
    let protocol = protocol.collect::<String>().replace("\"ket-psa-im\"", "\"im\"");
    let protocol = protocol.replace("double_check = false", "double_check = true");
    format!("{text}\n[[protocol]]{protocol}{SHORT_PLAN}")
}

/// Which sizes have a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sizes {
    /// Every size, as when nobody else writes.
    Every,
    /// Every seventh and the last, as when many write at once, and the one that two keys of the ledger signed.
    Sparse,
}

/// How many entries a ledger of [`every_kind`] has when its second key begins to sign.
pub(crate) const ROTATED: u64 = 40;

pub(crate) const BOTH: [Sizes; 2] = [Sizes::Every, Sizes::Sparse];

impl Sizes {
    /// Few sizes have a checkpoint in one case of eight, which take twice as long.
    pub(crate) fn in_turn(case: usize) -> Self {
        if case % 8 == 7 { Self::Sparse } else { Self::Every }
    }

    pub(crate) fn of(self, size: u64) -> Vec<u64> {
        let alone = |at: u64| at.is_multiple_of(7) || at == ROTATED || at == size;
        (1..=size).filter(|at| self == Self::Every || alone(*at)).collect()
    }
}

/// Rows and checkpoints as an auditor finds them.
#[derive(Clone)]
pub(crate) struct Evidence {
    pub(crate) rows: Vec<EntryRow>,
    pub(crate) checkpoints: Vec<CheckpointRow>,
    pub(crate) key: VerifierKey,
    pub(crate) outside: Option<SignedNote>,
    /// An audit of the entries before: the rows begin with the last of them.
    pub(crate) since: Option<Audited>,
}

impl Evidence {
    pub(crate) fn of(book: &Book, sizes: Sizes) -> Self {
        let rows = (0..).zip(&book.rows);
        Self {
            rows: rows.map(|(index, entry)| EntryRow { index, entry: entry.clone() }).collect(),
            checkpoints: book.checkpoints(sizes.of(book.state.size())),
            key: book.verifier_key(),
            outside: None,
            since: None,
        }
    }

    /// Place of the first row.
    pub(crate) fn first(&self) -> usize {
        let audited = self.since.as_ref().map_or(0, Audited::size);
        usize::try_from(audited.saturating_sub(1)).unwrap()
    }

    /// The row at a place of the whole ledger.
    pub(crate) fn row(&mut self, place: usize) -> &mut EntryRow {
        let first = self.first();
        &mut self.rows[place - first]
    }

    /// Takes the row at a place out.
    pub(crate) fn take(&mut self, place: usize) -> EntryRow {
        let first = self.first();
        self.rows.remove(place - first)
    }

    /// Puts a row in at a place.
    pub(crate) fn put(&mut self, place: usize, row: EntryRow) {
        let first = self.first();
        self.rows.insert(place - first, row);
    }

    /// Swaps the row at a place with the one after it.
    pub(crate) fn swap(&mut self, place: usize) {
        let first = self.first();
        self.rows.swap(place - first, place + 1 - first);
    }

    /// Gives the rows the indices of their places.
    pub(crate) fn renumber(&mut self) {
        let first = u64::try_from(self.first()).unwrap();
        for (index, row) in (first..).zip(&mut self.rows) {
            row.index = index;
        }
    }

    pub(crate) fn audit(&self) -> Report {
        let (rows, checkpoints) = (self.rows.clone(), self.checkpoints.clone());
        let options = Options { verifier_key: self.key.clone(), checkpoint: self.outside.clone() };
        let plan = Plan { since: self.since.clone(), ..Plan::default() };
        examine(&options, plan, rows.into_iter().map(Ok), checkpoints.into_iter().map(Ok), |_| ())
            .report
    }

    /// The audit must name this entry and this fault, and trust what is before it.
    pub(crate) fn must_fail(&self, index: u64, fault: Fault, what: &str) -> Report {
        let report = self.audit();
        let finding = report.finding.as_ref().unwrap_or_else(|| panic!("{what}: {report:?}"));
        assert_eq!((finding.index, finding.fault), (index, fault), "{what}: {finding}");
        if fault == Fault::UnknownVersion {
            assert!(matches!(report.verdict, Verdict::None(_)), "{what}: {report:?}");
            assert_eq!(report.exit_status(), 2);
        } else {
            assert_eq!((&report.verdict, report.exit_status()), (&Verdict::Bad, 1), "{what}");
        }
        assert!(report.trusted <= index && report.entries >= report.trusted, "{what}: {report:?}");
        assert_eq!(report.root, None);
        report
    }

    pub(crate) fn must_be_good(&self, what: &str) -> Report {
        let report = self.audit();
        assert_eq!(
            (&report.verdict, report.exit_status()),
            (&Verdict::Good, 0),
            "{what}: {report:?}"
        );
        report
    }
}

/// The same bytes with one bit of one byte turned.
pub(crate) fn flip(bytes: &Bytes, place: usize) -> Bytes {
    let mut changed = bytes.to_vec();
    changed[place] ^= 1 << (place % 8);
    changed.into()
}

/// Chains all rows after the one at `place` to it, and signs every checkpoint from there on. `tree` is of the entries
/// before it.
pub(crate) fn resign(evidence: &mut Evidence, signers: &Signers, mut tree: Tree, place: usize) {
    let skip = place - evidence.first();
    let mut roots = Vec::new();
    let mut previous = None;
    for row in &mut evidence.rows[skip..] {
        if let Some(previous) = previous {
            let mut entry = decode(&row.entry);
            entry.previous_leaf_hash = Hash::as_ref(&previous).to_vec();
            row.entry = entry.encode_to_vec().into();
        }
        let leaf = leaf_hash(&row.entry);
        let _ = tree.append(leaf);
        roots.push(tree.root());
        previous = Some(leaf);
    }
    for row in &mut evidence.checkpoints {
        if let Some(at) = usize::try_from(row.size).unwrap().checked_sub(place + 1) {
            *row = row_of(row.size, &signers.sign(row.size, roots[at]));
        }
    }
}

/// Whoever holds the program and a ledger's keys: changes entries as they like, and makes the chain and the checkpoints
/// fit again.
pub(crate) struct Insider {
    pub(crate) entries: Vec<v1::Entry>,
    signers: Signers,
    sizes: Sizes,
}

impl Insider {
    pub(crate) fn in_possession(book: &Book, sizes: Sizes) -> Self {
        let entries = book.rows.iter().map(|row| decode(row)).collect();
        Self { entries, signers: book.signers.clone(), sizes }
    }

    /// The same with another ledger's key.
    pub(crate) fn signing_with(mut self, label: &str) -> Self {
        self.signers = Signers::only(label);
        self
    }

    pub(crate) fn entry(&mut self, index: u64) -> &mut v1::Entry {
        &mut self.entries[usize::try_from(index).unwrap()]
    }

    pub(crate) fn outcome(&mut self, index: u64) -> &mut v1::Outcome {
        self.entry(index).outcome.as_mut().unwrap()
    }

    /// Signs the request of an entry with the key of this label.
    pub(crate) fn sign(&mut self, index: u64, label: &str) {
        let entry = self.entry(index);
        let kind = RequestKind::from_message_name(&entry.request_type).unwrap();
        let signed = SignedRequest::sign(kind, entry.request.clone().into(), &key(label));
        entry.signer_key = signed.key().to_vec();
        entry.signature = signed.signature().to_vec();
    }

    /// The forged evidence: chained from the first entry, every checkpoint signed anew.
    pub(crate) fn evidence(self) -> Evidence {
        let mut previous = empty_root();
        let mut tree = Tree::new();
        let (mut rows, mut roots) = (Vec::new(), Vec::new());
        for (index, mut entry) in (0..).zip(self.entries) {
            // What was put in place of the first entry's is left there.
            if index > 0 {
                entry.previous_leaf_hash = previous.as_ref().to_vec();
            }
            let bytes = Bytes::from(entry.encode_to_vec());
            previous = leaf_hash(&bytes);
            let _ = tree.append(previous);
            roots.push(tree.root());
            rows.push(EntryRow { index, entry: bytes });
        }
        let size = tree.size();
        let signed = |size: u64| {
            let root = roots[usize::try_from(size).unwrap() - 1];
            row_of(size, &self.signers.sign(size, root))
        };
        let checkpoints = self.sizes.of(size).into_iter().map(signed).collect();
        let key = note_signer("ledger").verifier_key().clone();
        Evidence { rows, checkpoints, key, outside: None, since: None }
    }
}

/// A ledger with one entry of each kind and recorded refusals, in as few bytes as possible.
pub(crate) fn every_kind() -> Book {
    let mut book = stocked();
    treatment(&mut book);
    rotate(&mut book, "ledger", "ledger-2");
    assert_eq!(book.state.size(), ROTATED);
    day(&mut book, 9, 1);
    book
}

/// The ledger takes another key.
fn rotate(book: &mut Book, old: &str, new: &str) {
    let [previous, next] = [old, new].map(|label| note_signer(label).verifier_key().to_string());
    let body = ledger_possession_body(ORIGIN, &previous, &next);
    let held = dsse::pae(LEDGER_KEY_POSSESSION_TYPE, &body);
    let request = v1::RotateLedgerKeyRequest {
        previous_verifier_key: previous,
        verifier_key: next,
        possession: tlog::sign(&key(new), &held).to_vec(),
        ..Default::default()
    };
    book.act(old, request).unwrap();
    book.signers.0.push((book.state.size(), note_signer(new)));
}

/// Every kind of entry that belongs to people, and two vials.
fn stocked() -> Book {
    let mut book = Book::begin();
    book.act("ada", publish(&formulary())).unwrap();
    book.act("ada", create_place("safe")).unwrap();
    book.act("ada", enroll("nia", &[Role::Nurse])).unwrap();
    let doctor = [Role::Prescriber, Role::Pharmacist, Role::Administrator];
    book.act("ada", enroll("pat", &doctor)).unwrap();
    let step = book.act("ada", enroll_key("nia", "nia-2")).unwrap();
    book.act("pat", approve(&step)).unwrap();
    book.act("nia", revoke("nia")).unwrap();
    book.act("ada", change_roles("nia", &[Role::Nurse, Role::Auditor])).unwrap();
    let delivery = [requests::line(KETALAR, "K1", "2027-06-30", 2)];
    book.act("pat", receive(&delivery)).unwrap();
    book
}

/// Inputs of an injection for p1, with the answers where it is for no session.
fn injection(session: &str, now: Timestamp) -> v1::DoseInputs {
    let questions = ["hypersensitivity-ketamine", "blood-pressure-hazard", "raised-pressure"];
    let no = |question| requests::answer(question, v1::Answer::No);
    let alone = session.is_empty();
    let mut inputs = v1::DoseInputs {
        protocol: if alone { INJECTION } else { IN_A_SESSION }.to_owned(),
        answers: questions.into_iter().filter(|_| alone).map(no).collect(),
        syringe: requests::q("50 mL"),
        dose: requests::q("4 mg/kg"),
        session: session.to_owned(),
        ..course::infusion(session, now)
    };
    inputs.diluted_volume = None;
    inputs.weight.as_mut().unwrap().quantity = requests::q("40 kg");
    inputs
}

/// A course with a session, from the registration to the form.
fn treatment(book: &mut Book) {
    let nurse = "nia-2";
    for patient in ["p1", "p2"] {
        book.act(nurse, course::register(patient)).unwrap();
    }
    book.act("pat", course::merge("p2", "p1")).unwrap();
    let opened = v1::OpenIdentityRequest {
        patient: "patients/p1".to_owned(),
        purpose: v1::IdentityPurpose::Treatment.into(),
        ..Default::default()
    };
    book.act(nurse, opened).unwrap();
    let questions = ["hypersensitivity-ketamine", "blood-pressure-hazard", "raised-pressure"];
    let now = book.now;
    let mut answers = course::eligibility("p1", now);
    answers.answers = questions.map(|it| requests::answer(it, v1::Answer::No)).to_vec();
    book.act(nurse, answers).unwrap();
    let opened = book.act("pat", course::open_course("p1", "plans/p")).unwrap();
    let course_name = course::course_of(&opened);
    book.act(nurse, course::missed(&course_name, "2026-11-20")).unwrap();
    let over = course::session_of(&book.act(nurse, course::start(&course_name, "a")).unwrap());
    book.act(nurse, course::cancel(&over)).unwrap();
    let step = book.act(nurse, course::start(&course_name, "a")).unwrap();
    let session = course::session_of(&step);
    observed(book, nurse, &session, 98);
    let inputs = injection(&session, book.now);
    let step = book.act("pat", course::calculate(inputs.clone())).unwrap();
    let dose = calculation(&step);
    assert_eq!(book.refused("pat", course::check(&dose, inputs.clone())), "SELF_CHECK");
    book.act(nurse, course::check(&dose, inputs)).unwrap();
    let held = dispensing(&book.act("pat", requests::dispense("vials/9-2", &dose)).unwrap());
    let now = book.now;
    book.act(nurse, requests::administer(&held, "16 mL", now)).unwrap();
    let wasted = waste(&book.act(nurse, requests::waste(&held, "4 mL", now)).unwrap());
    book.act("pat", witness(&wasted, "4 mL")).unwrap();
    let alert = course::alert_of(&observed(book, nurse, &session, 89));
    book.act("pat", course::acknowledge(&alert)).unwrap();
    let now = book.now;
    let subject = v1::record_adverse_effect_request::Subject::Session(session.clone());
    book.act(nurse, course::effect(subject, now)).unwrap();
    assert_eq!(book.refused(nurse, course::discharge(&session)), "NOT_DISCHARGEABLE");
    book.wait(30 * MINUTE);
    observed(book, nurse, &session, 97);
    book.act(nurse, course::discharge(&session)).unwrap();
    book.act(nurse, course::form_sent(&session, "2026-11-21")).unwrap();
    book.act("pat", course::close_course(&course_name)).unwrap();
    book.act("pat", receive(&[requests::line(KETALAR, "R9", "2027-06-30", 2)])).unwrap();
    book.act("pat", requests::quarantine(KETALAR, "R9")).unwrap();
    let audited = v1::RecordSelfAuditRequest {
        size: book.state.size(),
        root: book.roots.last().unwrap().as_ref().to_vec(),
        duration: Some(prost_types::Duration { seconds: 1, nanos: 0 }),
        ..Default::default()
    };
    book.act("ledger", audited).unwrap();
}

fn observed(book: &mut Book, nurse: &str, session: &str, saturation: i32) -> Step {
    let now = book.now;
    let mut seen = course::observe(session, now, &[]);
    seen.readings = vec![course::reading("spo2", saturation)];
    book.act(nurse, seen).unwrap()
}

/// From a calculation to the witness, with what is refused and kept.
fn day(book: &mut Book, delivery: u64, number: u32) {
    let vial = format!("vials/{delivery}-{number}");
    let request = course::calculate(injection("", book.now));
    let dose = calculation(&book.act("pat", request).unwrap());
    let held = dispensing(&book.act("pat", requests::dispense(&vial, &dose)).unwrap());
    book.act("nia-2", take_back(&held)).unwrap();
    let held = dispensing(&book.act("pat", requests::dispense(&vial, &dose)).unwrap());
    let now = book.now;
    assert_eq!(book.refused("nia-2", requests::administer(&held, "21 mL", now)), "OVER_DRAW");
    book.act("nia-2", requests::administer(&held, "16 mL", now)).unwrap();
    let wasted = waste(&book.act("nia-2", requests::waste(&held, "4 mL", now)).unwrap());
    assert_eq!(book.refused("nia-2", witness(&wasted, "4 mL")), "SELF_WITNESS");
    book.act("pat", witness(&wasted, "4 mL")).unwrap();
}

/// A ledger of so many entries, or as many more as a day has: [`every_kind`], and then days like the first.
pub(crate) fn long(size: u64) -> Book {
    let mut book = every_kind();
    while book.state.size() < size {
        let lot = format!("K{}", book.state.size());
        let delivery = [requests::line(KETALAR, &lot, "2027-06-30", 1)];
        let step = book.act("pat", receive(&delivery)).unwrap();
        day(&mut book, step.entry.index(), 1);
    }
    book
}

/// The kinds of requests in a ledger.
pub(crate) fn kinds(book: &Book) -> Vec<RequestKind> {
    let mut kinds: Vec<RequestKind> = book
        .rows
        .iter()
        .map(|row| RequestKind::from_message_name(&decode(row).request_type).unwrap())
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}
