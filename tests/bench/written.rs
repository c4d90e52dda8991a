//! A ledger of treatments, written by the rules straight into a file: a dose is worked out, a vial dispensed against it,
//! given to the patient, the rest wasted and witnessed. No server takes part, so that a million entries take minutes.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use vialedger::client::Act;
use vialedger::clock::Clock;
use vialedger::command::Command;
use vialedger::decide::decide;
use vialedger::key::Key;
use vialedger::ledger::SignedRequest;
use vialedger::pb::v1::{self, record_waste_request::Source};
use vialedger::state::{State, Step};
use vialedger::time::Timestamp;
use vialedger::tlog::{Checkpoint, Hash, NoteSigner, PublicKey, Tree, VerifierKey};
use vialedger::wire::timestamp_to_wire;

use crate::clinic;
use crate::ledger_file;
use crate::site::{ORIGIN, initialize};

/// Patients of the site.
const PATIENTS: u64 = 500;
/// Entries that are written to the file at once.
const WRITTEN_AT_ONCE: usize = 10_000;
/// Microseconds from one act to the next.
const PACE: i64 = 1_000_000;

/// The ledger, and everybody's keys.
pub(crate) struct Written {
    path: PathBuf,
    /// Entries of a commit, each of which has a checkpoint.
    commit: u64,
    state: State,
    tree: Tree,
    now: Timestamp,
    signer: NoteSigner,
    ledger: Key,
    chief: Key,
    nurse: Key,
    /// Vials in stock.
    vials: Vec<String>,
    /// Acts of the treatment that has begun, the next one last.
    due: Vec<Due>,
    /// Rows that are not in the file yet.
    entries: Vec<(u64, Bytes)>,
    notes: Vec<(u64, String)>,
}

/// What comes next in a treatment.
enum Due {
    Administration { dispensing: String, patient: String, amount: Option<v1::Quantity> },
    Waste { dispensing: String },
    Witness,
}

impl Written {
    /// A ledger with its people and its formulary, at this path, with so many entries to a commit.
    pub(crate) fn begin(path: &Path, commit: u64) -> Self {
        ledger_file::create(path);
        let [ledger, chief, nurse] = [(); 3].map(|()| Key::generate().unwrap());
        let signer = NoteSigner::new(ORIGIN.parse().unwrap(), ledger.signing_key().clone());
        let mut written = Self {
            path: path.to_owned(),
            commit,
            state: State::empty(),
            tree: Tree::new(),
            now: Clock::system().now(),
            signer,
            ledger,
            chief,
            nurse,
            vials: Vec::new(),
            due: Vec::new(),
            entries: Vec::new(),
            notes: Vec::new(),
        };
        written.submit(&initialize(&written.verifier_key(), &written.chief));
        written.act(Who::Chief, clinic::place());
        written.act(Who::Chief, clinic::formulary());
        let enrolled = clinic::enrol(ORIGIN, clinic::NURSE, v1::Role::Nurse, &written.nurse);
        written.act(Who::Chief, enrolled);
        written
    }

    pub(crate) fn verifier_key(&self) -> VerifierKey {
        self.signer.verifier_key().clone()
    }

    pub(crate) fn public_key(&self) -> PublicKey {
        self.ledger.public_key()
    }

    pub(crate) fn size(&self) -> u64 {
        self.state.size()
    }

    pub(crate) fn root(&self) -> Hash {
        self.tree.root()
    }

    /// Goes on until the ledger has so many entries, or one more, all of them in the file and under a checkpoint.
    pub(crate) fn grow(&mut self, size: u64) {
        while self.state.size() < size {
            self.next_act();
            if self.entries.len() >= WRITTEN_AT_ONCE {
                self.write();
            }
        }
        if !self.size().is_multiple_of(self.commit) {
            self.sign();
        }
        self.write();
    }

    fn write(&mut self) {
        let entries = self.entries.iter().map(|(index, entry)| (*index, entry.as_ref()));
        let notes = self.notes.iter().map(|(size, note)| (*size, note.as_bytes()));
        ledger_file::add(&self.path, entries, notes);
        self.entries.clear();
        self.notes.clear();
    }

    fn sign(&mut self) {
        let checkpoint = Checkpoint::new(ORIGIN, self.tree.size(), self.tree.root()).unwrap();
        let note = checkpoint.sign(&self.signer).unwrap().to_string();
        self.notes.push((self.tree.size(), note));
    }

    fn next_act(&mut self) {
        let at = Some(timestamp_to_wire(self.now));
        match self.due.pop() {
            Some(Due::Administration { dispensing, patient, amount }) => {
                let given = v1::RecordAdministrationRequest {
                    dispensing: dispensing.clone(),
                    patient,
                    amount,
                    start_time: at,
                    end_time: at,
                    ..Default::default()
                };
                self.act(Who::Nurse, given);
            }
            Some(Due::Waste { dispensing }) => {
                let vial = self.state.vial_of_dispensing(dispensing.parse().unwrap()).unwrap();
                let left = vial.balance().in_hands;
                let wasted = v1::RecordWasteRequest {
                    source: Some(Source::Dispensing(dispensing)),
                    amount: Some(vialedger::wire::amount_to_wire(left)),
                    reason: v1::WasteReason::Remainder.into(),
                    method: v1::WasteMethod::DeactivationContainer.into(),
                    occurred_time: at,
                    ..Default::default()
                };
                self.act(Who::Nurse, wasted);
            }
            Some(Due::Witness) => {
                let waste = format!("wastes/{}", self.state.size() - 1);
                let vial = self.state.vial_of_waste(waste.parse().unwrap()).unwrap();
                let amount = Some(vialedger::wire::amount_to_wire(vial.balance().unwitnessed));
                self.act(Who::Chief, v1::WitnessRequest { waste, amount, ..Default::default() });
            }
            None => self.begin_treatment(),
        }
    }

    /// A dose, and a vial against it; where there is no vial left, a delivery.
    fn begin_treatment(&mut self) {
        let index = self.state.size();
        let Some(vial) = self.vials.pop() else {
            self.act(Who::Chief, clinic::delivery(clinic::MOST_CONTAINERS));
            let all = (1..=clinic::MOST_CONTAINERS).rev();
            self.vials.extend(all.map(|number| format!("vials/{index}-{number}")));
            return;
        };
        let patient = format!("patients/p{}", index % PATIENTS);
        let mut dose = clinic::calculation(&patient);
        let weight = dose.inputs.as_mut().and_then(|inputs| inputs.weight.as_mut()).unwrap();
        weight.measured_time = Some(timestamp_to_wire(self.now));
        let step = self.act(Who::Chief, dose);
        let Some(v1::outcome::Result::DoseCalculation(dose)) = step.outcome.result else {
            panic!("no dose")
        };
        let dispensed = clinic::dispensing(&vial, &patient, index);
        let step = self.act(Who::Chief, dispensed);
        let dispensing = format!("dispensings/{}", step.entry.index());
        let amount = dose.measured_amount;
        self.due.push(Due::Witness);
        self.due.push(Due::Waste { dispensing: dispensing.clone() });
        self.due.push(Due::Administration { dispensing, patient, amount });
    }

    fn act<A: Act>(&mut self, who: Who, act: A) -> Step {
        let key = match who {
            Who::Chief => &self.chief,
            Who::Nurse => &self.nurse,
        };
        let request = clinic::sign(ORIGIN, key, act);
        self.submit(&request)
    }

    fn submit(&mut self, request: &SignedRequest) -> Step {
        let command = Command::parse(request.kind(), request.bytes()).unwrap();
        self.now = self.now.checked_add_micros(PACE).unwrap();
        let step = decide(&self.state, request, &command, self.now).unwrap();
        assert!(step.refusal.is_none(), "{:?}", step.refusal);
        self.state.apply(&step);
        let _ = self.tree.append(step.entry.leaf_hash());
        self.entries.push((step.entry.index(), step.entry.bytes().clone()));
        if self.tree.size().is_multiple_of(self.commit) {
            self.sign();
        }
        step
    }
}

/// Who acts.
#[derive(Clone, Copy)]
enum Who {
    Chief,
    Nurse,
}
