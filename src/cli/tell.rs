//! Outcomes, vials and doses in words that read well at three in the morning.

pub(super) mod board;
pub(super) mod course;
pub(super) mod outcome;
pub(super) mod patient;
pub(super) mod session;

use std::fmt::Write as _;

use super::output::{Tone, date, fields, moment, plainly, quantity, table};
use crate::pb::v1;
use crate::pb::v1::outcome::Result as Made;

/// Vials that are named one by one; beyond that the first and the last.
const NAMED_VIALS: usize = 4;

/// What the rules made of a request, in one line.
#[must_use]
pub(super) fn headline(outcome: &v1::Outcome) -> String {
    let Some(made) = &outcome.result else { return "nothing".to_owned() };
    match made {
        Made::Refusal(refusal) => format!("REFUSED {}: {}", refusal.reason, refusal.message),
        Made::LedgerInitialized(began) => {
            format!("the ledger began with {} as its administrator", began.administrator)
        }
        Made::Proposed(proposed) => format!("put forward; {}", proposed.awaiting),
        Made::RegistryChanged(change) => match change.approved_by.as_str() {
            "" => format!("the change of {} is in force", change.resource),
            second => {
                format!("the change of {} is in force, approved by {second}", change.resource)
            }
        },
        Made::DoseCalculation(dose) => dose_headline(dose),
        Made::VialsReceived(received) => received_headline(&received.vials),
        Made::Dispensing(dispensing) => format!(
            "{}: {} of {} to {} for {}",
            dispensing.name,
            quantity(dispensing.amount.as_ref()),
            dispensing.vial,
            dispensing.holder,
            dispensing.patient
        ),
        Made::Administration(given) => format!(
            "{} given ({}), from {}",
            quantity(given.amount.as_ref()),
            quantity(given.dose.as_ref()),
            given.dispensing
        ),
        Made::Waste(waste) => format!(
            "{}: {} of {} wasted, waiting for a witness until {}",
            waste.name,
            quantity(waste.amount.as_ref()),
            waste.vial,
            moment(waste.witness_due_time.as_ref())
        ),
        Made::WasteWitnessed(seen) => {
            format!("{} by {} witnessed by {}", seen.waste, seen.wasted_by, seen.witnessed_by)
        }
        Made::VialReturned(back) => format!("{} is back in {}", back.vial, back.place),
        Made::LotQuarantined(lot) => outcome::quarantined(lot),
        Made::LedgerKeyRotated(keys) => {
            format!("the ledger's key is {} from now on", keys.verifier_key)
        }
        Made::SelfAuditRecorded(audit) => {
            let read = if audit.whole { "all of them read" } else { "the new ones read" };
            format!("the ledger found its first {} entries good, {read}", audit.size)
        }
        other => outcome::headline(other),
    }
}

/// The headline with what belongs below it: the working of a dose, balances, flags.
#[must_use]
pub(super) fn outcome(outcome: &v1::Outcome) -> String {
    let more = outcome.result.as_ref().and_then(outcome::more);
    let mut text = match &outcome.result {
        Some(Made::DoseCalculation(found)) => dose(found),
        _ => more.unwrap_or_else(|| capitalised(&headline(outcome))),
    };
    if !outcome.balances.is_empty() && outcome.balances.len() <= NAMED_VIALS {
        text.push('\n');
        text += &balances(&outcome.balances);
    }
    text + &flags(&unsaid(outcome))
}

/// The flags, without those that an observation's alerts say already.
fn unsaid(outcome: &v1::Outcome) -> Vec<v1::Flag> {
    let is_alert = |flag: &&v1::Flag| flag.kind() == v1::FlagKind::StopCriterion;
    let said = match &outcome.result {
        // A criterion whose alert was open before is flagged and raises none.
        Some(Made::Observation(observation)) => {
            outcome.flags.iter().filter(is_alert).count() == observation.alerts.len()
        }
        _ => false,
    };
    outcome.flags.iter().filter(|flag| !(said && is_alert(flag))).cloned().collect()
}

/// What a reviewer would look at, one line each.
#[must_use]
pub(super) fn flags(flags: &[v1::Flag]) -> String {
    flags.iter().fold(String::new(), |mut text, flag| {
        let note = format!("Note: {}", plainly(&flag.message));
        let _ = write!(text, "\n{}", Tone::Heading.paint(&note));
        text
    })
}

/// A dose with its whole working and the sentence to read back.
#[must_use]
pub(super) fn dose(dose: &v1::DoseCalculation) -> String {
    let steps = dose
        .steps
        .iter()
        .map(|step| [step.label.clone(), step.working.clone(), step.result.clone()])
        .collect();
    let mut text = table(["Step", "Working", "Result"], steps);
    let _ = write!(text, "\n\nRead back: {}", dose.readback);
    if !dose.name.is_empty() {
        let _ = write!(text, "\n{}, good until {}", dose.name, moment(dose.expire_time.as_ref()));
        text += &awaited(dose);
    }
    text
}

/// Who must work a dose out anew before anything is dispensed.
fn awaited(dose: &v1::DoseCalculation) -> String {
    let who = match dose.check_requirement() {
        v1::CheckRequirement::Unspecified => return String::new(),
        v1::CheckRequirement::SecondPerson => "a second person",
        v1::CheckRequirement::SecondPrescriber => "a second prescriber",
    };
    let text = format!(
        "WAITS for {who} to work it out anew, without seeing this: vialedger dose check {}",
        dose.name
    );
    format!("\n{}", Tone::Bad.paint(&text))
}

/// Where the content of vials went.
#[must_use]
pub(super) fn balances(balances: &[v1::VialBalance]) -> String {
    let rows = balances
        .iter()
        .map(|balance| {
            [
                balance.vial.clone(),
                state(balance.state()).to_owned(),
                quantity(balance.content.as_ref()),
                quantity(balance.administered.as_ref()),
                quantity(balance.wasted.as_ref()),
                quantity(balance.unwitnessed.as_ref()),
                quantity(balance.in_hands.as_ref()),
                quantity(balance.in_container.as_ref()),
            ]
        })
        .collect();
    table(
        ["Vial", "State", "Content", "Given", "Wasted", "Unwitnessed", "In hands", "In container"],
        rows,
    )
}

/// One vial: its label, its balance, and who holds what of it.
#[must_use]
pub(super) fn vial(vial: &v1::Vial) -> String {
    let facts = fields(&[
        ("Lot", &vial.lot),
        ("Expiry", &date(vial.expiry_date.as_ref())),
        ("Serial", &vial.serial),
        ("Place", &vial.place),
        ("Opened", &moment(vial.opened_time.as_ref())),
        ("Use before", &moment(vial.beyond_use_time.as_ref())),
    ]);
    let mut text = format!("{}  {}{facts}\n", vial.name, vial.product);
    if let Some(balance) = &vial.balance {
        text += &balances(std::slice::from_ref(balance));
    }
    for held in &vial.dispensings {
        let _ = write!(
            text,
            "\n{}: {} holds {} for {}",
            held.name,
            held.holder,
            quantity(held.remaining.as_ref()),
            held.patient
        );
    }
    text
}

/// Where a vial stands, as people say it.
#[must_use]
pub(super) fn state(state: v1::VialState) -> &'static str {
    match state {
        v1::VialState::Unspecified => "",
        v1::VialState::InStock => "in stock",
        v1::VialState::Quarantined => "quarantined",
        v1::VialState::Dispensed => "dispensed",
        v1::VialState::AwaitingWitness => "empty, waits for a witness",
        v1::VialState::Closed => "closed",
    }
}

/// Roles as people say them: `nurse, pharmacist`.
#[must_use]
pub(super) fn roles(roles: impl Iterator<Item = v1::Role>) -> String {
    let names: Vec<String> = roles
        .map(|role| role.as_str_name().trim_start_matches("ROLE_").to_ascii_lowercase())
        .collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// The act behind a request type, as people say it: `dispense vial`.
#[must_use]
pub(super) fn act(request_type: &str) -> String {
    let name = request_type.rsplit('.').next().unwrap_or_default();
    let name = name.strip_suffix("Request").unwrap_or(name);
    let mut words = String::new();
    for (index, letter) in name.char_indices() {
        if letter.is_ascii_uppercase() && index > 0 {
            words.push(' ');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}

fn dose_headline(dose: &v1::DoseCalculation) -> String {
    format!(
        "{}: {} in {} for {}",
        dose.name,
        quantity(dose.measured_dose.as_ref()),
        quantity(dose.measured_amount.as_ref()),
        dose.patient
    )
}

fn received_headline(vials: &[String]) -> String {
    let names = match vials {
        [first, .., last] if vials.len() > NAMED_VIALS => format!("{first} to {last}"),
        _ => vials.join(", "),
    };
    format!("{} received: {names}", vials.len())
}

/// A sentence's first letter; resource names stay as they are.
pub(super) fn capitalised(text: &str) -> String {
    if text.split(' ').next().is_some_and(|word| word.contains('/')) {
        return text.to_owned();
    }
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acts_are_said_in_words() {
        assert_eq!(act("vialedger.v1.DispenseVialRequest"), "dispense vial");
        assert_eq!(act("vialedger.v1.WitnessRequest"), "witness");
    }

    #[test]
    fn many_vials_are_named_by_the_first_and_the_last() {
        let vials: Vec<String> = (1..=25).map(|n| format!("vials/12-{n}")).collect();
        assert_eq!(received_headline(&vials), "25 received: vials/12-1 to vials/12-25");
        assert_eq!(received_headline(&vials[..2]), "2 received: vials/12-1, vials/12-2");
    }

    #[test]
    fn a_refusal_stands_out() {
        let refusal = v1::Refusal {
            reason: "SELF_WITNESS".into(),
            message: "whoever wasted cannot witness it".into(),
            resource: "wastes/7".into(),
        };
        let refused = v1::Outcome { result: Some(Made::Refusal(refusal)), ..Default::default() };
        assert!(headline(&refused).starts_with("REFUSED SELF_WITNESS: "));
    }
}
