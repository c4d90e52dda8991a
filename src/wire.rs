//! The one place where core values become messages and messages become core values.

use crate::course::{Effect, OpenAlert};
use crate::formulary::EffectKind;
use crate::names::{CourseName, DispensingName, EffectName, VialName};
use crate::pb::v1;
use crate::time::{Date, TimeError, Timestamp};
use crate::units::{Amount, Quantity, QuantityError};
use crate::vial::{Portion, Standing, Vial};

/// A moment as the wire carries it.
#[must_use]
pub fn timestamp_to_wire(moment: Timestamp) -> prost_types::Timestamp {
    let (seconds, nanos) = moment.to_seconds_and_nanos();
    prost_types::Timestamp { seconds, nanos }
}

/// A moment from the wire: whole microseconds, from 1970 to 9999.
pub fn timestamp_from_wire(wire: &prost_types::Timestamp) -> Result<Timestamp, TimeError> {
    Timestamp::from_seconds_and_nanos(wire.seconds, wire.nanos)
}

/// A day as the wire carries it.
#[must_use]
pub fn date_to_wire(date: Date) -> v1::Date {
    v1::Date {
        year: i32::from(date.year()),
        month: i32::from(date.month()),
        day: i32::from(date.day()),
    }
}

/// A day from the wire.
pub fn date_from_wire(wire: &v1::Date) -> Result<Date, TimeError> {
    Date::from_numbers(wire.year.into(), wire.month.into(), wire.day.into())
}

/// A quantity as the wire carries it.
#[must_use]
pub fn quantity_to_wire(quantity: Quantity) -> v1::Quantity {
    let (value, unit) = quantity.wire();
    v1::Quantity { value, unit: unit.to_owned() }
}

/// A quantity from the wire, with every refusal of the API's description.
pub fn quantity_from_wire(wire: &v1::Quantity) -> Result<Quantity, QuantityError> {
    Quantity::parse(&wire.value, &wire.unit)
}

/// A quantity of the wire in words, such as "0.5 mg/kg".
#[must_use]
pub fn quantity_text(wire: &v1::Quantity) -> String {
    quantity_from_wire(wire)
        .map_or_else(|_| format!("{} {}", wire.value, wire.unit), |quantity| quantity.to_string())
}

/// A stop criterion that was met, as the wire carries it.
#[must_use]
pub fn alert_to_wire(alert: &OpenAlert) -> v1::Alert {
    v1::Alert {
        name: alert.name.to_string(),
        criterion: alert.criterion.to_string(),
        reading: Some(v1::Reading {
            measure: alert.measure.to_string(),
            value: alert.value,
            unit: alert.unit.clone(),
        }),
        limit: alert.limit.clone(),
        action: alert.action.clone(),
    }
}

/// The kinds of adverse effect, of the formulary and of the wire.
const EFFECT_KINDS: [(EffectKind, v1::EffectKind); 14] = [
    (EffectKind::Dizziness, v1::EffectKind::Dizziness),
    (EffectKind::Nausea, v1::EffectKind::Nausea),
    (EffectKind::Vomiting, v1::EffectKind::Vomiting),
    (EffectKind::BlurredVision, v1::EffectKind::BlurredVision),
    (EffectKind::Headache, v1::EffectKind::Headache),
    (EffectKind::Dissociation, v1::EffectKind::Dissociation),
    (EffectKind::Sedation, v1::EffectKind::Sedation),
    (EffectKind::RespiratoryDepression, v1::EffectKind::RespiratoryDepression),
    (EffectKind::UrinarySymptoms, v1::EffectKind::UrinarySymptoms),
    (EffectKind::RaisedBloodPressure, v1::EffectKind::RaisedBloodPressure),
    (EffectKind::Anxiety, v1::EffectKind::Anxiety),
    (EffectKind::Syncope, v1::EffectKind::Syncope),
    (EffectKind::AllergicReaction, v1::EffectKind::AllergicReaction),
    (EffectKind::Other, v1::EffectKind::Other),
];

/// A kind of adverse effect from the wire; nothing for "not set".
#[must_use]
pub fn effect_kind_from_wire(wire: v1::EffectKind) -> Option<EffectKind> {
    EFFECT_KINDS.into_iter().find(|(_, on_wire)| *on_wire == wire).map(|(kind, _)| kind)
}

/// A kind of adverse effect, as the wire carries it.
#[must_use]
pub fn effect_kind_to_wire(kind: EffectKind) -> v1::EffectKind {
    let found = EFFECT_KINDS.into_iter().find(|(known, _)| *known == kind);
    found.map_or(v1::EffectKind::Other, |(_, wire)| wire)
}

/// An adverse effect as the wire carries it.
#[must_use]
pub fn effect_to_wire(name: EffectName, course: CourseName, effect: &Effect) -> v1::AdverseEffect {
    v1::AdverseEffect {
        name: name.to_string(),
        session: effect.session.map(|session| session.to_string()).unwrap_or_default(),
        course: course.to_string(),
        kind: effect_kind_to_wire(effect.kind).into(),
        severity: effect.severity,
        serious: effect.serious,
        onset_time: Some(timestamp_to_wire(effect.onset)),
        end_time: effect.end.map(timestamp_to_wire),
        actions: effect.actions.clone(),
        note: effect.note.clone(),
    }
}

/// An amount as the wire carries it: mL, or a number of things.
#[must_use]
pub fn amount_to_wire(amount: Amount) -> v1::Quantity {
    quantity_to_wire(amount.to_quantity())
}

/// A vial's balance as the wire carries it.
#[must_use]
pub fn balance_to_wire(vial: &Vial) -> v1::VialBalance {
    let balance = vial.balance();
    let wire = |amount| Some(amount_to_wire(amount));
    v1::VialBalance {
        vial: vial.name().to_string(),
        state: standing_to_wire(vial.standing()).into(),
        content: wire(balance.content),
        administered: wire(balance.administered),
        wasted: wire(balance.wasted),
        unwitnessed: wire(balance.unwitnessed),
        in_container: wire(balance.in_container),
        in_hands: wire(balance.in_hands),
    }
}

/// Where a vial stands, as the wire carries it.
#[must_use]
pub fn standing_to_wire(standing: Standing) -> v1::VialState {
    match standing {
        Standing::InStock => v1::VialState::InStock,
        Standing::Quarantined => v1::VialState::Quarantined,
        Standing::Dispensed => v1::VialState::Dispensed,
        Standing::AwaitingWitness => v1::VialState::AwaitingWitness,
        Standing::Closed => v1::VialState::Closed,
    }
}

/// What is in somebody's hands, as the wire carries it.
#[must_use]
pub fn dispensing_to_wire(
    name: DispensingName,
    vial: VialName,
    portion: &Portion,
) -> v1::Dispensing {
    v1::Dispensing {
        name: name.to_string(),
        vial: vial.to_string(),
        holder: portion.holder.to_string(),
        patient: portion.patient.to_string(),
        dose_calculation: portion.calculation.map(|name| name.to_string()).unwrap_or_default(),
        amount: Some(amount_to_wire(portion.amount)),
        remaining: Some(amount_to_wire(portion.remaining)),
        whole_container: portion.whole,
    }
}

/// A vial as the wire carries it.
#[must_use]
pub fn vial_to_wire(vial: &Vial) -> v1::Vial {
    let label = vial.label();
    v1::Vial {
        name: vial.name().to_string(),
        product: label.product.to_string(),
        lot: label.lot.clone().unwrap_or_default(),
        expiry_date: label.expiry.map(date_to_wire),
        serial: label.serial.clone().unwrap_or_default(),
        place: vial.place().to_string(),
        opened_time: vial.opened().map(timestamp_to_wire),
        beyond_use_time: vial.beyond_use().map(timestamp_to_wire),
        balance: Some(balance_to_wire(vial)),
        dispensings: vial
            .portions()
            .iter()
            .map(|(name, portion)| dispensing_to_wire(*name, vial.name(), portion))
            .collect(),
    }
}
