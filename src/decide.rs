//! The rules: what becomes of a signed request, given everything before it and the time.
//!
//! [`decide`] is pure. The live path, the start-up and the audit run it alike, so an entry means the same to all of
//! them. Refusals come in the order of [`Refusal::ORDER`]: authority, existence, state, limits, time. A refusal that a
//! compliance officer must see becomes an entry of its own; every other leaves no trace here.

mod authority;
mod check;
mod course;
mod custody;
mod delivery;
mod discharge;
mod dispense;
mod dose;
mod given;
mod ledger;
mod patient;
mod policy;
mod quarantine;
mod registry;
mod session;
mod soft;
mod treatment;

use std::collections::BTreeSet;

pub use authority::{REGISTRARS, rights};
pub use delivery::received;
pub use dose::{context_then, preview, replay};
pub use policy::{CLOCK_SKEW, IDENTITY_OPEN_FOR, LATE_AFTER, WITNESS_WITHIN};

use crate::command::{Act, Command};
use crate::ledger::{EntryError, SealedEntry, Sealing, SignedRequest};
use crate::names::PersonName;
use crate::pb::v1::{self, outcome};
use crate::refusal::Refusal;
use crate::state::{Change, State, Step, Subject};
use crate::time::Timestamp;
use crate::units::Span;
use crate::vial::Vial;

/// Version of the rules in this module. Every entry names the version that decided it.
///
/// An outcome holds words as well as numbers (a refusal's message, the steps of a dose), and the audit wants every one
/// of its bytes again. So whatever changes an outcome, be it a word, takes a new version here, and the old one stays
/// for the old entries. `tests/golden.rs` holds a ledger of every version before this one; they must verify for ever.
///
/// * 1: formulary, custody, doses.
/// * 2: patients, courses, sessions and double checks. A calculation keeps what it took from the ledger besides its
///   inputs; prescribers may approve early discharges. The ledger itself acts: its key is rotated, its own audits are
///   recorded, and its keys are nobody's. A patient who is too young or too old for a protocol, or has a
///   contraindication, is refused with an entry.
/// * 3: stop criteria count as soon as a dose is in somebody's hands, and so while an infusion runs. A session with an
///   open alert cannot be called off. A lot can be quarantined.
pub const RULES_VERSION: u32 = 3;

/// Since this version a calculation keeps its context.
const CONTEXT_SINCE: u32 = 2;
/// Since this version there are patients, courses and double checks, and prescribers among those who approve.
const COURSES_SINCE: u32 = 2;
/// Since this version stop criteria count while a dose is in somebody's hands.
const STOPS_IN_HANDS_SINCE: u32 = 3;
/// Since this version the ledger itself acts, and a key of its own can be no person's.
const LEDGER_ACTS_SINCE: u32 = 2;

/// Decides a request. The caller has looked up its id and found it new, and `now` is after the last entry.
///
/// `Ok` is the entry to append, which may itself record a refusal. `Err` is a refusal that leaves no entry; so is every
/// refusal of a request that only wants to be validated.
pub fn decide(
    state: &State,
    request: &SignedRequest,
    command: &Command,
    now: Timestamp,
) -> Result<Step, Refusal> {
    decide_by(RULES_VERSION, state, request, command, now)
}

/// Decides as an older version of the rules did, so that old entries mean for ever what they meant.
pub fn decide_by(
    version: u32,
    state: &State,
    request: &SignedRequest,
    command: &Command,
    now: Timestamp,
) -> Result<Step, Refusal> {
    let case = Case { version, state, request, command, index: state.size(), now };
    let (draft, refusal) = match case.run() {
        Ok(draft) => (draft, None),
        Err(refusal) if refusal.recorded() && !command.header.validate_only => {
            (Draft::refusal(&case, &refusal), Some(refusal))
        }
        Err(refusal) => return Err(refusal),
    };
    let sealing = Sealing {
        ledger: &command.header.ledger,
        index: state.size(),
        previous: state.last_leaf(),
        recorded_time: now,
        rules_version: version,
    };
    let (entry, outcome) = SealedEntry::seal(&sealing, request, draft.outcome)
        .map_err(|_: EntryError| Refusal::TooLong)?;
    Ok(Step {
        entry,
        outcome,
        changes: draft.changes,
        subjects: draft.subjects.into_iter().collect(),
        request_id: command.header.request_id,
        refusal,
    })
}

/// One request under the rules.
struct Case<'a> {
    /// Version of the rules that decide it.
    version: u32,
    state: &'a State,
    request: &'a SignedRequest,
    command: &'a Command,
    /// Index that the entry will have.
    index: u64,
    now: Timestamp,
}

impl Case<'_> {
    fn run(&self) -> Result<Draft, Refusal> {
        if let Act::Initialize(act) = &self.command.act {
            return self.initialize(act);
        }
        if self.request.kind().is_the_ledgers() {
            return self.act_of_the_ledger();
        }
        let signer = self.signer()?;
        self.expected_size()?;
        let mut draft = match &self.command.act {
            Act::Initialize(_) => unreachable!("handled above"),
            Act::EnrollPerson(_)
            | Act::ChangeRoles(_)
            | Act::EnrollKey(_)
            | Act::PublishFormulary(_) => self.put_forward(&signer)?,
            Act::Approve(act) => self.approve(&signer, act)?,
            Act::RevokeKey(act) => self.revoke_key(&signer, act)?,
            Act::CreatePlace(act) => self.create_place(&signer, act)?,
            Act::CalculateDose(inputs) => self.calculate(&signer, inputs)?,
            Act::ReceiveVials(act) => self.receive(&signer, act)?,
            Act::Dispense(act) => self.dispense(&signer, act)?,
            Act::Administer(act) => self.administer(&signer, act)?,
            Act::Waste(act) => self.waste(&signer, act)?,
            Act::Witness(act) => self.witness(&signer, act)?,
            Act::Return(act) => self.take_back(&signer, act)?,
            Act::Quarantine(act) => self.quarantine(&signer, act)?,
            act => self.treat(&signer, act)?,
        };
        draft.touch(&signer);
        Ok(draft)
    }

    fn expected_size(&self) -> Result<(), Refusal> {
        match self.command.header.expected_size {
            Some(expected) if expected != self.state.size() => {
                Err(Refusal::ExpectedSizeStale { expected, actual: self.state.size() })
            }
            _ => Ok(()),
        }
    }

    /// What belongs to patients and their courses.
    fn treat(&self, signer: &Signer, act: &Act) -> Result<Draft, Refusal> {
        match act {
            Act::CheckDose(act) => self.check_dose(signer, act),
            Act::RegisterPatient(act) => self.register(signer, act),
            Act::MergePatients(act) => self.merge(signer, act),
            Act::OpenIdentity(act) => self.open_identity(signer, act),
            Act::RecordEligibility(act) => self.record_eligibility(signer, act),
            Act::OpenCourse(act) => self.open_course(signer, act),
            Act::CloseCourse(act) => self.close_course(signer, act),
            Act::StartSession(act) => self.start_session(signer, act),
            Act::RecordMissedSession(act) => self.missed_session(signer, act),
            Act::CancelSession(act) => self.cancel_session(signer, act),
            Act::RecordObservation(act) => self.observe(signer, act),
            Act::AcknowledgeAlert(act) => self.acknowledge(signer, act),
            Act::RecordAdverseEffect(act) => self.adverse_effect(signer, act),
            Act::DischargePatient(act) => self.discharge(signer, act),
            Act::RecordFormSent(act) => self.form_sent(signer, act),
            _ => unreachable!("`run` handles every other act itself"),
        }
    }
}

fn span_micros(span: Span) -> i64 {
    i64::try_from(span.microseconds()).expect("a span is less than the years of a timestamp")
}

/// What the rules have made of a request so far.
struct Draft {
    outcome: v1::Outcome,
    changes: Vec<Change>,
    subjects: BTreeSet<Subject>,
}

impl Draft {
    fn new(result: outcome::Result) -> Self {
        Self {
            outcome: v1::Outcome { result: Some(result), ..v1::Outcome::default() },
            changes: Vec::new(),
            subjects: BTreeSet::new(),
        }
    }

    /// The entry that keeps a refusal. It touches whoever asked and what it is about, and changes nothing.
    fn refusal(case: &Case<'_>, refusal: &Refusal) -> Self {
        let resource = refusal.resource();
        let mut draft = Self::new(outcome::Result::Refusal(v1::Refusal {
            reason: refusal.reason().to_owned(),
            message: refusal.to_string(),
            resource: resource.clone().unwrap_or_default(),
        }));
        if let Some(record) = case.state.key(case.request.key()) {
            draft.touch(&record.person);
        }
        if let Some(resource) = resource {
            draft.touch(&resource);
        }
        // Whoever reads the session must meet the attempt there.
        if let Some(session) = case.session_asked_about() {
            draft.touch(&session);
        }
        if let Some(course) = case.command.act.course() {
            draft.touch(&course);
        }
        // Whoever reads the vial's history must meet the attempt there.
        if let Refusal::SelfWitness { waste, .. } = refusal
            && let Some(vial) = case.state.vial_of_waste(*waste)
        {
            draft.touch(&vial.name());
        }
        draft
    }

    fn touch(&mut self, name: &impl std::fmt::Display) {
        self.subjects.insert(Subject::of(name));
    }

    fn change(&mut self, change: Change) {
        self.changes.push(change);
    }

    fn flag(&mut self, kind: v1::FlagKind, message: String) {
        self.outcome.flags.push(v1::Flag { kind: kind.into(), message });
    }

    /// The vial's new value, its balance in the outcome, and everything on its label among the subjects.
    fn put_vial(&mut self, vial: Vial) {
        self.touch(&vial.name());
        self.touch(&vial.label().product);
        if let Some(lot) = &vial.label().lot {
            self.subjects.insert(Subject::lot(lot));
        }
        self.outcome.balances.push(crate::wire::balance_to_wire(&vial));
        self.change(Change::PutVial(Box::new(vial)));
    }
}

/// Whoever signed, with a key that is valid now.
struct Signer {
    name: PersonName,
}

impl std::fmt::Display for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.name.fmt(f)
    }
}
