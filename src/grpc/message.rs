//! What the state holds, as the messages of the interface. Quantities, times and vials are in
//! `wire`; here is what only reads show.

use bytes::Bytes;

use crate::formulary;
use crate::ledger::Receipt;
use crate::names::{EntryName, PersonName, PlaceName, ProductName, ProtocolName};
use crate::pb::v1;
use crate::state::{KeyRecord, OnHand, PersonRecord, PlaceRecord, Proposal};
use crate::wire::{amount_to_wire, quantity_to_wire, timestamp_to_wire};

/// A receipt.
pub(super) fn receipt(receipt: Receipt) -> v1::Receipt {
    v1::Receipt {
        index: receipt.index,
        entry: receipt.entry.into(),
        proof: receipt.proof.to_string(),
    }
}

/// An entry's bytes as they were stored.
pub(super) fn stored(index: u64, entry: Bytes) -> v1::StoredEntry {
    v1::StoredEntry { index, entry: entry.into() }
}

/// A person with all keys, oldest first.
pub(super) fn person(
    name: &PersonName,
    record: &PersonRecord,
    keys: Vec<([u8; 32], &KeyRecord)>,
) -> v1::Person {
    v1::Person {
        name: name.to_string(),
        display_name: record.display_name.to_string(),
        roles: record.roles.iter().map(|role| role.to_wire().into()).collect(),
        keys: keys.into_iter().map(|(key, record)| person_key(key, record)).collect(),
    }
}

fn person_key(key: [u8; 32], record: &KeyRecord) -> v1::PersonKey {
    v1::PersonKey {
        public_key: key.to_vec(),
        enrolled_time: Some(timestamp_to_wire(record.enrolled)),
        revoked_time: record.revoked.map(timestamp_to_wire),
        compromised_time: record.compromised.map(timestamp_to_wire),
    }
}

/// A place.
pub(super) fn place(name: &PlaceName, record: &PlaceRecord) -> v1::Place {
    v1::Place { name: name.to_string(), display_name: record.display_name.to_string() }
}

/// Something that waits for a second person.
pub(super) fn proposal(index: u64, proposal: &Proposal) -> v1::Proposal {
    v1::Proposal {
        entry: EntryName(index).to_string(),
        leaf_hash: proposal.leaf_hash.as_ref().to_vec(),
        request_type: proposal.request_type.clone(),
        proposed_by: proposal.proposer.to_string(),
        proposed_time: Some(timestamp_to_wire(proposal.proposed)),
        summary: proposal.summary.clone(),
    }
}

/// What is on hand of a product at a place.
pub(super) fn balance(place: &PlaceName, product: &ProductName, on_hand: &OnHand) -> v1::Balance {
    v1::Balance {
        place: place.to_string(),
        product: product.to_string(),
        sealed: on_hand.sealed,
        opened: on_hand.opened,
        quarantined: on_hand.quarantined,
        in_hands: on_hand.in_hands,
        on_hand: Some(quantity_to_wire(on_hand.amount)),
    }
}

/// A product of a formulary.
pub(super) fn product(product: &formulary::Product) -> v1::Product {
    v1::Product {
        name: format!("{}/{}", ProductName::COLLECTION, product.id),
        display_name: product.name.clone(),
        drug: product.drug.to_string(),
        labeler: product.labeler.clone(),
        outer_ndc: product.ndc.to_string(),
        inner_ndc: product.inner_ndc.as_ref().map(ToString::to_string).unwrap_or_default(),
        schedule: product.schedule.to_string(),
        strength: product.strength.to_string(),
        content: Some(amount_to_wire(product.content)),
        containers_per_package: product.containers.into(),
        multiple_dose: product.dose_use == formulary::DoseUse::MultipleDose,
    }
}

/// A protocol of a formulary.
pub(super) fn protocol(protocol: &formulary::Protocol) -> v1::Protocol {
    let dose = &protocol.dose;
    v1::Protocol {
        name: format!("{}/{}", ProtocolName::COLLECTION, protocol.id),
        title: protocol.title.clone(),
        drug: protocol.drug.to_string(),
        indication: protocol.indication.clone(),
        route: protocol.route.to_string(),
        dose_unit: dose.unit.to_string(),
        usual_dose: dose.default.map(quantity_to_wire),
        soft_low: Some(quantity_to_wire(dose.soft_low)),
        soft_high: Some(quantity_to_wire(dose.soft_high)),
        hard_high: Some(quantity_to_wire(dose.hard_high)),
        questions: protocol.questions.iter().map(AsRef::as_ref).map(question).collect(),
        source: protocol.source.clone(),
    }
}

fn question(question: &formulary::Question) -> v1::EligibilityQuestion {
    let stops_on = match question.stops_on {
        formulary::StoppingAnswer::Yes => v1::Answer::Yes,
        formulary::StoppingAnswer::No => v1::Answer::No,
    };
    v1::EligibilityQuestion {
        id: question.id.to_string(),
        text: question.text.clone(),
        stops_on: stops_on.into(),
        hard: question.weight == formulary::QuestionWeight::Hard,
        source: question.source.clone(),
    }
}
