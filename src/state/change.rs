//! The changes that the rules can make.

use std::sync::Arc;

use super::{
    Calculation, FormularyRecord, KeyRecord, LedgerKey, PatientRecord, PersonRecord, PlaceRecord,
    Proposal, QuarantinedLot, SelfAudit, SiteRecord, State,
};
use crate::course::{Course, Session};
use crate::ledger::SealedEntry;
use crate::names::{CourseName, PatientName, PersonName, PlaceName, ProductName, SessionName};
use crate::vial::Vial;

/// One change of the state. The rules say what the new value is; nothing is worked out here.
#[derive(Clone, Debug)]
pub enum Change {
    /// The ledger begins at this site, with this public key.
    Begin(Arc<SiteRecord>, [u8; 32]),
    /// The ledger's key is this from now on.
    RotateKey(LedgerKey),
    /// The ledger audited itself.
    RecordSelfAudit(SelfAudit),
    /// A person is, or is now, this.
    PutPerson(PersonName, PersonRecord),
    /// A key is, or is now, this.
    PutKey([u8; 32], KeyRecord),
    /// A place is this.
    PutPlace(PlaceName, PlaceRecord),
    /// This waits for a second person. Its leaf hash is the entry's.
    Propose(Proposal),
    /// The proposal of this entry waits no more.
    CloseProposal(u64),
    /// This formulary is in force.
    PutFormulary(Arc<FormularyRecord>),
    /// This calculation was made, or more was dispensed or administered against it.
    PutCalculation(u64, Calculation),
    /// This many containers came in with the entry.
    Deliver(u32),
    /// A vial is, or is now, this.
    PutVial(Box<Vial>),
    /// This lot of the product is quarantined.
    QuarantineLot(ProductName, String, QuarantinedLot),
    /// What is recorded under a patient's name is, or is now, this.
    PutPatient(PatientName, Box<PatientRecord>),
    /// A course is, or is now, this.
    PutCourse(CourseName, Box<Course>),
    /// An open session is, or is now, this.
    PutSession(Box<Session>),
    /// A session is over.
    EndSession(SessionName),
}

impl State {
    pub(super) fn make(&mut self, change: &Change, entry: &SealedEntry) {
        match change {
            Change::Begin(site, key) => {
                self.site = Some(Arc::clone(site));
                self.put_ledger_key(LedgerKey {
                    key: *key,
                    verifier_key: site.verifier_key.clone(),
                    entry: entry.index(),
                    began: entry.recorded_time(),
                    replaced: None,
                });
            }
            Change::RotateKey(key) => self.put_ledger_key(key.clone()),
            Change::RecordSelfAudit(audit) => self.self_audit = Some(audit.clone()),
            Change::PutPerson(name, person) => {
                self.people.insert(name.clone(), person.clone());
            }
            Change::PutKey(key, record) => {
                self.keys.insert(*key, record.clone());
            }
            Change::PutPlace(name, place) => {
                self.places.insert(name.clone(), place.clone());
            }
            Change::Propose(proposal) => {
                let proposal = Proposal { leaf_hash: entry.leaf_hash(), ..proposal.clone() };
                self.proposals.insert(entry.index(), proposal);
            }
            Change::CloseProposal(index) => {
                self.proposals.remove(index);
            }
            Change::PutFormulary(record) => {
                self.formularies.insert(record.entry, Arc::clone(record));
            }
            Change::PutCalculation(index, calculation) => {
                self.put_calculation(*index, calculation.clone());
            }
            Change::Deliver(count) => {
                self.deliveries.insert(entry.index(), *count);
            }
            Change::PutVial(vial) => self.put_vial(vial),
            Change::QuarantineLot(product, lot, record) => {
                self.lots.insert((product.clone(), lot.clone()), record.clone());
            }
            Change::PutPatient(name, record) => self.put_patient(name, record),
            Change::PutCourse(name, course) => self.put_course(*name, course),
            Change::PutSession(session) => self.put_session(session),
            Change::EndSession(name) => self.end_session(*name),
        }
    }
}
