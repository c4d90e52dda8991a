//! One entry, run through the rules again.

use bytes::Bytes;

use super::{Fault, Finding};
use crate::command::{Act, Command, Violation};
use crate::decide::{RULES_VERSION, decide_by};
use crate::ledger::{EntryError, ParsedEntry, RequestKind, SignedRequest, Unread};
use crate::pb::v1::{self, outcome};
use crate::refusal::Refusal;
use crate::state::{State, Step};
use crate::tlog::{Hash, VerifierKey};

/// Reads a stored entry, checks that it follows the state, and runs the rules again. The start-up uses this for entries
/// whose signatures were verified when they were taken in; an audit verifies them as well.
pub fn replay(state: &State, bytes: Bytes) -> Result<Step, Finding> {
    let index = state.size();
    let entry = ParsedEntry::open(bytes).map_err(|error| unreadable(index, &error))?;
    if entry.sealed.index() != index {
        let found = format!("entry {}", entry.sealed.index());
        return Err(Finding::new(index, Fault::Reordered, format!("entry {index}"), found));
    }
    if entry.previous != state.last_leaf() {
        let expected = format!("previous leaf hash {}", state.last_leaf());
        return Err(Finding::new(index, Fault::Edited, expected, entry.previous.to_string()));
    }
    let command = Command::parse(entry.request.kind(), entry.request.bytes());
    rerun(state, &entry, command.as_ref())
}

/// What an entry that cannot be read is.
#[must_use]
pub fn unreadable(index: u64, error: &EntryError) -> Finding {
    let fault = match error {
        EntryError::UnknownFormat(_) | EntryError::UnknownRequest(_) => Fault::UnknownVersion,
        EntryError::TooLong(_) | EntryError::Malformed(_) => Fault::Edited,
    };
    Finding::new(index, fault, "an entry of this format", error.to_string())
}

/// Runs the rules again over an entry that is at its place in the chain, and the command that is read from it.
pub(super) fn rerun(
    state: &State,
    entry: &ParsedEntry<Unread>,
    command: Result<&Command, &Vec<Violation>>,
) -> Result<Step, Finding> {
    let index = state.size();
    let finding =
        |fault, expected: String, found: String| Finding::new(index, fault, expected, found);
    if !(1..=RULES_VERSION).contains(&entry.rules_version) {
        let found = format!("version {}", entry.rules_version);
        let expected = format!("rules version 1 to {RULES_VERSION}");
        return Err(finding(Fault::UnknownVersion, expected, found));
    }
    if index > 0 && entry.ledger != state.origin() {
        let found = format!("an entry of {:?}", entry.ledger);
        return Err(finding(Fault::Fork, format!("an entry of {:?}", state.origin()), found));
    }
    let now = entry.sealed.recorded_time();
    if index > 0 && now <= state.last_time() {
        let expected = format!("a time after {}", state.last_time());
        return Err(finding(Fault::TimeReversed, expected, now.to_string()));
    }
    let command = command.map_err(|violations| {
        let first = violations.first().map_or_else(String::new, |v| format!(": {}", v.field));
        finding(
            Fault::OutcomeDiffers,
            "a request that can be read".to_owned(),
            format!("none{first}"),
        )
    })?;
    if command.header.validate_only {
        let found = "a request that only wanted to be validated".to_owned();
        return Err(finding(Fault::OutcomeDiffers, "a request to record".to_owned(), found));
    }
    match decide_by(entry.rules_version, state, &entry.request, command, now) {
        Ok(step) if step.entry == entry.sealed => Ok(step),
        Ok(step) => Err(difference(index, &step, entry)),
        Err(refusal) => Err(refused(index, &refusal)),
    }
}

/// The rules refuse, without a trace, what the entry holds.
fn refused(index: u64, refusal: &Refusal) -> Finding {
    let fault = match refusal {
        Refusal::UnknownKey => Fault::UnknownKey,
        Refusal::KeyRevoked { .. } => Fault::KeyNotValidThen,
        _ => Fault::OutcomeDiffers,
    };
    let found = "an entry that accepts it".to_owned();
    Finding::new(index, fault, format!("a refusal ({}): {refusal}", refusal.reason()), found)
}

/// Where the entry and the rules part.
fn difference(index: u64, step: &Step, entry: &ParsedEntry<Unread>) -> Finding {
    let entry = match entry.clone().read() {
        Ok(entry) => entry,
        Err(error) => return unreadable(index, &error),
    };
    let (ours, theirs) = (&step.outcome, &entry.outcome);
    let fault = match &step.refusal {
        Some(Refusal::RoleNotHeld { .. }) => Fault::RoleNotHeld,
        _ if ours == theirs => Fault::Edited,
        _ if without_balances(ours) == without_balances(theirs) => Fault::Unbalanced,
        _ => Fault::OutcomeDiffers,
    };
    let (expected, found) = if ours == theirs {
        ("the entry as this server would seal it".to_owned(), "other bytes".to_owned())
    } else {
        (describe(ours), describe(theirs))
    };
    Finding::new(index, fault, expected, found)
}

fn without_balances(outcome: &v1::Outcome) -> v1::Outcome {
    v1::Outcome { balances: Vec::new(), ..outcome.clone() }
}

/// An outcome in a line, without a patient's name.
fn describe(outcome: &v1::Outcome) -> String {
    use outcome::Result as R;
    let what = match &outcome.result {
        None => "no outcome".to_owned(),
        Some(R::Refusal(refusal)) => format!("a refusal ({})", refusal.reason),
        Some(R::LedgerInitialized(_)) => "the beginning of a ledger".to_owned(),
        Some(R::Proposed(_)) => "a proposal".to_owned(),
        Some(R::RegistryChanged(changed)) => format!("a change of {}", changed.resource),
        Some(R::DoseCalculation(dose)) => {
            format!("a dose of {}", quantity(dose.measured_dose.as_ref()))
        }
        Some(R::VialsReceived(received)) => format!("{} vials received", received.vials.len()),
        Some(R::Dispensing(it)) => format!("{} of {}", quantity(it.amount.as_ref()), it.vial),
        Some(R::Administration(it)) => format!("{} administered", quantity(it.amount.as_ref())),
        Some(R::Waste(it)) => format!("{} of {} wasted", quantity(it.amount.as_ref()), it.vial),
        Some(R::WasteWitnessed(it)) => format!("{} witnessed", it.waste),
        Some(R::VialReturned(it)) => format!("{} returned", it.vial),
        Some(R::LotQuarantined(it)) => format!("{} vials of a lot quarantined", it.vials),
        Some(R::PatientRegistered(_)) => "a patient registered".to_owned(),
        Some(R::PatientsMerged(_)) => "two patients merged".to_owned(),
        Some(R::IdentityOpened(_)) => "an identity opened".to_owned(),
        Some(R::EligibilityRecorded(it)) => format!("{} answers", it.answers.len()),
        Some(R::CourseOpened(it)) => format!("{} opened", it.course),
        Some(R::CourseClosed(it)) => format!("{} closed", it.course),
        Some(R::SessionStarted(it)) => format!("{} started", it.session),
        Some(R::SessionMissed(it)) => format!("a missed session of {}", it.course),
        Some(R::SessionCancelled(it)) => format!("{} cancelled", it.session),
        Some(R::Observation(it)) => {
            format!("an observation with {} alerts", it.alerts.len())
        }
        Some(R::AdverseEffect(it)) => it.name.clone(),
        Some(R::AlertAcknowledged(it)) => format!("{} acknowledged", it.alert),
        Some(R::Discharge(it)) => format!("a discharge from {}", it.session),
        Some(R::FormSent(it)) => format!("the form of {}", it.session),
        Some(R::LedgerKeyRotated(it)) => format!("the ledger's key is now {}", it.verifier_key),
        Some(R::SelfAuditRecorded(it)) => format!("a self-audit of {} entries", it.size),
        Some(R::DoseCheck(it)) => {
            let agreed = if it.agreed { "agreed" } else { "differs" };
            format!("a check of {} that {agreed}", it.dose_calculation)
        }
    };
    let balances: Vec<String> = outcome
        .balances
        .iter()
        .take(3)
        .map(|balance| {
            format!("{}: {} left", balance.vial, quantity(balance.in_container.as_ref()))
        })
        .collect();
    if balances.is_empty() { what } else { format!("{what} ({})", balances.join(", ")) }
}

fn quantity(quantity: Option<&v1::Quantity>) -> String {
    quantity.map_or_else(|| "nothing".to_owned(), |q| format!("{} {}", q.value, q.unit))
}

/// The verifier key that the first entry's request names.
#[must_use]
pub fn named_key(request: &SignedRequest) -> Option<String> {
    match Command::parse(request.kind(), request.bytes()).ok()?.act {
        Act::Initialize(act) => Some(act.verifier_key),
        _ => None,
    }
}

/// The key that a request says is the ledger's from then on, where it rotates the ledger's key. Whether it may is for the
/// rules to say.
#[must_use]
pub(super) fn next_key(request: &SignedRequest) -> Option<VerifierKey> {
    if request.kind() != RequestKind::RotateLedgerKey {
        return None;
    }
    match Command::parse(request.kind(), request.bytes()).ok()?.act {
        Act::RotateLedgerKey(act) => Some(act.keys.next),
        _ => None,
    }
}

/// The size and the root that a request says a self-audit found good.
pub(super) fn audited_root(request: &SignedRequest) -> Option<(u64, Hash)> {
    if request.kind() != RequestKind::RecordSelfAudit {
        return None;
    }
    match Command::parse(request.kind(), request.bytes()).ok()?.act {
        Act::RecordSelfAudit(act) => Some((act.size, act.root)),
        _ => None,
    }
}

/// The key that a request says is the ledger's, as its first or in another's place.
#[must_use]
pub fn ledger_key(request: &SignedRequest) -> Option<VerifierKey> {
    next_key(request).or_else(|| named_key(request)?.parse().ok())
}
