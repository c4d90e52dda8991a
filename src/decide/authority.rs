//! Who signed, and whether they may.

use super::registry::{proposed, right_to_approve};
use super::{Case, Draft, LEDGER_ACTS_SINCE, Signer};
use crate::command::{Act, WasteSource};
use crate::names::PersonName;
use crate::pb::v1;
use crate::refusal::Refusal;
use crate::role::Role;
use crate::state::{Check, State};
use crate::time::Timestamp;
use crate::tlog::PUBLIC_KEY_BYTES;

/// May receive vials.
pub(super) const RECEIVERS: &[Role] = &[Role::Pharmacist, Role::Technician];
/// May hand vials out.
pub(super) const DISPENSERS: &[Role] = &[Role::Pharmacist, Role::Prescriber];
/// May hold a vial for a patient, and administer.
pub(super) const HOLDERS: &[Role] = &[Role::Nurse, Role::Prescriber];
/// May waste, witness and return.
pub(super) const LICENSED: &[Role] = &[Role::Nurse, Role::Prescriber, Role::Pharmacist];
/// May take any vial back, and waste stock.
pub(super) const PHARMACISTS: &[Role] = &[Role::Pharmacist];
/// May calculate a dose.
pub(super) const CALCULATORS: &[Role] = &[Role::Prescriber, Role::Pharmacist, Role::Service];
/// May change people, keys and places.
pub(super) const ADMINISTRATORS: &[Role] = &[Role::Administrator];
/// May publish a formulary, one of the two being a pharmacist.
pub(super) const PUBLISHERS: &[Role] = &[Role::Pharmacist, Role::Administrator];

/// May register patients and seal identities.
pub const REGISTRARS: &[Role] = &[Role::Prescriber, Role::Pharmacist, Role::Nurse, Role::Service];
/// May merge two ids of one patient.
pub(super) const MERGERS: &[Role] = &[Role::Prescriber, Role::Pharmacist];
/// May have an identity opened.
pub(super) const IDENTITY_READERS: &[Role] =
    &[Role::Prescriber, Role::Pharmacist, Role::Nurse, Role::Auditor];
/// May treat: start sessions, observe, record adverse effects, discharge.
pub(super) const TREATERS: &[Role] = &[Role::Prescriber, Role::Nurse];
/// May order: open and close courses, pass soft limits of a session, acknowledge alerts, approve early discharges.
pub(super) const PRESCRIBERS: &[Role] = &[Role::Prescriber];
/// May record that a session did not take place.
pub(super) const SCHEDULERS: &[Role] = &[Role::Prescriber, Role::Nurse, Role::Service];
/// May approve something; what, the proposal says.
pub(super) const APPROVERS: &[Role] = &[Role::Pharmacist, Role::Administrator, Role::Prescriber];

/// The roles of which an act takes one; none for the first act, and for the end of a key of one's own. What the rules
/// ask beyond a role (to hold the vial, not to have acted oneself) is not in it.
#[must_use]
pub fn rights(state: &State, signer: &[u8; PUBLIC_KEY_BYTES], act: &Act) -> &'static [Role] {
    let person = |key| state.key(key).map(|record| &record.person);
    match act {
        // No role gives these rights: whoever holds the ledger's own key has them.
        Act::Initialize(_) | Act::RotateLedgerKey(_) | Act::RecordSelfAudit(_) => &[],
        Act::RevokeKey(act) if person(&act.key) == person(signer) => &[],
        Act::EnrollPerson(_)
        | Act::ChangeRoles(_)
        | Act::EnrollKey(_)
        | Act::RevokeKey(_)
        | Act::CreatePlace(_) => ADMINISTRATORS,
        Act::PublishFormulary(_) => PUBLISHERS,
        // Whoever may approve nothing learns nothing of what waits.
        Act::Approve(act) => match state
            .proposal(act.proposal.0)
            .filter(|_| approves(state, signer))
        {
            Some(proposal) => right_to_approve(state, &proposed(proposal).act, &proposal.proposer),
            None => APPROVERS,
        },
        Act::CalculateDose(_) => CALCULATORS,
        Act::ReceiveVials(_) => RECEIVERS,
        Act::Dispense(_) => DISPENSERS,
        Act::Administer(_) => HOLDERS,
        Act::Waste(act) if matches!(act.source, WasteSource::Vial(_)) => PHARMACISTS,
        Act::Quarantine(_) => PHARMACISTS,
        Act::Waste(_) | Act::Witness(_) | Act::Return(_) | Act::RecordFormSent(_) => LICENSED,
        Act::CheckDose(act) => match state.calculation(act.calculation.0).map(|it| &it.check) {
            Some(Check::Waiting { prescriber: true, .. }) => PRESCRIBERS,
            _ => LICENSED,
        },
        Act::RegisterPatient(_) => REGISTRARS,
        Act::MergePatients(_) => MERGERS,
        Act::OpenIdentity(_) => IDENTITY_READERS,
        Act::OpenCourse(_) | Act::CloseCourse(_) | Act::AcknowledgeAlert(_) => PRESCRIBERS,
        // Whoever treats may ask and begin; to pass a limit takes a prescriber.
        Act::RecordEligibility(act) if !act.overrides.is_empty() => PRESCRIBERS,
        Act::StartSession(act) if !act.overrides.is_empty() => PRESCRIBERS,
        Act::RecordEligibility(_)
        | Act::StartSession(_)
        | Act::CancelSession(_)
        | Act::RecordObservation(_)
        | Act::RecordAdverseEffect(_)
        | Act::DischargePatient(_) => TREATERS,
        Act::RecordMissedSession(_) => SCHEDULERS,
    }
}

/// Whether whoever signs with this key holds a role that may approve something.
fn approves(state: &State, signer: &[u8; PUBLIC_KEY_BYTES]) -> bool {
    let person = state.key(signer).and_then(|key| state.person(&key.person));
    person.is_some_and(|person| person.holds(APPROVERS))
}

impl Case<'_> {
    /// Whoever signed: the key must be enrolled and not revoked, and the request must be meant for this ledger.
    pub(super) fn signer(&self) -> Result<Signer, Refusal> {
        let record = self.state.key(self.request.key()).ok_or(Refusal::UnknownKey)?;
        if let Some(since) = record.revoked {
            return Err(Refusal::KeyRevoked { since });
        }
        self.meant_for_here()?;
        Ok(Signer { name: record.person.clone() })
    }

    /// The ledger itself must have signed, with the key that is its own now.
    pub(super) fn signed_by_the_ledger(&self) -> Result<(), Refusal> {
        let key = self.state.ledger_key(self.request.key());
        let key = key.filter(|_| self.version >= LEDGER_ACTS_SINCE).ok_or(Refusal::UnknownKey)?;
        if let Some(since) = key.replaced {
            return Err(Refusal::KeyRevoked { since });
        }
        self.meant_for_here()
    }

    fn meant_for_here(&self) -> Result<(), Refusal> {
        if self.command.header.ledger == self.state.origin() {
            return Ok(());
        }
        Err(Refusal::AnotherLedger {
            asked: self.command.header.ledger.clone(),
            here: self.state.origin().to_owned(),
        })
    }

    pub(super) fn holds(&self, person: &PersonName, roles: &[Role]) -> bool {
        self.state.person(person).is_some_and(|record| record.holds(roles))
    }

    /// The signer must hold one of these roles.
    pub(super) fn need(&self, signer: &Signer, needed: &'static [Role]) -> Result<(), Refusal> {
        if self.holds(&signer.name, needed) {
            return Ok(());
        }
        Err(Refusal::RoleNotHeld { person: signer.name.clone(), needed })
    }

    /// A moment that a person gives may not be ahead of the server's clock by more than devices' clocks differ.
    pub(super) fn not_future(&self, field: &'static str, moment: Timestamp) -> Result<(), Refusal> {
        if moment.micros_since(self.now) > super::CLOCK_SKEW {
            return Err(Refusal::InFuture { field, moment: moment.to_string() });
        }
        Ok(())
    }

    /// Flags what was recorded long after it happened; both times are kept.
    pub(super) fn flag_late(&self, draft: &mut Draft, happened: Timestamp) {
        if self.now.micros_since(happened) > super::LATE_AFTER {
            draft.flag(
                v1::FlagKind::LateEntry,
                format!("happened at {happened}, recorded at {}", self.now),
            );
        }
    }
}
