//! The form as JSON: null where nothing was recorded.

use serde_json::{Value, json};

use super::facts::{BY_HAND, Facts, LEAST_MINUTES, Pressure, Scale};
use crate::pb::v1;
use crate::report::FormInput;
use crate::report::moments::{minutes_between, moment};
use crate::report::words::{actions, date, effect, read, severity, word};
use crate::time::Timestamp;
use crate::units::Quantity;

const ABOUT: &str = "Data for the programme's monitoring form, taken from the ledger. It is not the form and proves \
                     nothing by itself: the entries named here do.";

/// The whole.
pub(super) fn value(input: &FormInput<'_>, facts: &Facts<'_>) -> Value {
    let session = input.session;
    let discharge = session.discharge.as_ref();
    let by_rules = discharge.map(|it| it.unmet.is_empty() && it.approved_by.is_empty());
    let at = |moment: Option<Timestamp>| time(facts, moment);
    json!({
        "about": ABOUT,
        "form": text(&input.plan.form_title),
        "session": text(&session.name),
        "course": text(&session.course),
        "plan": text(&session.plan),
        "protocol": text(&session.protocol),
        "drug": text(&input.plan.drug),
        "site": {
            "name": text(&input.site.display_name),
            "address": text(&input.site.address),
            "dea_number": text(&input.site.dea_number),
        },
        "patient": patient(input),
        "treatment_date": facts.day.map(|day| day.to_string()),
        "first_dose_time": at(facts.first_dose),
        "dose": {
            "mass": facts.mass.map(quantity),
            "devices": facts.devices.map(quantity),
            "containers": session.doses.len(),
        },
        "devices": devices(input, facts),
        "blood_pressure": {
            "before": pressure(input, facts, facts.before),
            "about_40_minutes": pressure(input, facts, facts.second),
            "before_leaving": pressure(input, facts, facts.leaving),
        },
        "vital_signs_within_plan_limits": {
            "before": facts.acceptable.0,
            "before_leaving": facts.acceptable.1,
        },
        "other_medicines": facts.medicines.iter().map(|it| answer(it)).collect::<Vec<_>>(),
        "sedation": scale(facts, &facts.sedation),
        "dissociation": scale(facts, &facts.dissociation),
        "respiratory_depression": {
            "lowest_spo2": facts.lowest_saturation.map(|it| reading(facts, it)),
            "effects": effects(facts, &facts.respiration),
        },
        "other_adverse_effects": effects(facts, &facts.other),
        "serious_adverse_effects": effects(facts, &facts.serious),
        "monitored_minutes": facts.minutes,
        "monitored_at_least_two_hours": facts.minutes.map(|minutes| minutes >= LEAST_MINUTES),
        "discharge_time": at(facts.end),
        "discharged_by_the_rules": by_rules,
        "unmet_at_discharge": discharge.map(|it| it.unmet.clone()),
        "escort_present": discharge.map(|_| session.escort_present),
        "no_driving_acknowledged": discharge.map(|_| session.no_driving_acknowledged),
        "prescriber": person(input, &session.calculated_by),
        "nurse": people(input, &facts.gave),
        "monitored_by": people(input, &facts.observed),
        "due_date": facts.due.map(|day| day.to_string()),
        "sent_date": facts.sent.map(|day| day.to_string()),
        "overdue": facts.overdue,
        "printed_time": at(Some(input.printed)),
        "missing": facts.missing(input),
        "by_hand": BY_HAND,
    })
}

fn text(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { text.into() }
}

fn time(facts: &Facts<'_>, moment: Option<Timestamp>) -> Value {
    moment.map_or(Value::Null, |at| {
        json!({ "utc": at.to_string(), "site": facts.time.full(Some(at)), "zone": facts.time.zone() })
    })
}

fn quantity(quantity: Quantity) -> Value {
    let (value, unit) = quantity.wire();
    json!({ "value": value, "unit": unit, "text": quantity.to_string() })
}

fn patient(input: &FormInput<'_>) -> Value {
    let pseudonym = text(&input.session.patient);
    match input.identity {
        None => json!({ "pseudonym": pseudonym, "identity": null, "note": "identity not opened" }),
        Some(identity) => json!({
            "pseudonym": pseudonym,
            "identity": {
                "name": text(&identity.display_name),
                "address": text(&identity.address),
                "birth_date": text(&date(identity.birth_date.as_ref())),
                "identifiers": identity.identifiers,
            },
        }),
    }
}

fn person(input: &FormInput<'_>, name: &str) -> Value {
    if name.is_empty() {
        return Value::Null;
    }
    json!({ "name": name, "display_name": input.people.get(name) })
}

fn people(input: &FormInput<'_>, names: &[&str]) -> Vec<Value> {
    names.iter().map(|name| person(input, name)).collect()
}

fn devices(input: &FormInput<'_>, facts: &Facts<'_>) -> Vec<Value> {
    let doses = (1..).zip(&input.session.doses);
    doses
        .map(|(number, dose)| {
            json!({
                "number": number,
                "product": text(&dose.product),
                "lot": text(&dose.lot),
                "serial": text(&dose.serial),
                "expiry": text(&date(dose.expiry_date.as_ref())),
                "amount": read(dose.amount.as_ref()).map(quantity),
                "mass": read(dose.dose.as_ref()).map(quantity),
                "time": time(facts, moment(dose.start_time.as_ref())),
                "given_by": person(input, &dose.given_by),
                "vial": text(&dose.vial),
                "entry": text(&dose.entry),
            })
        })
        .collect()
}

fn pressure(input: &FormInput<'_>, facts: &Facts<'_>, found: Option<Pressure<'_>>) -> Value {
    found.map_or(Value::Null, |found| {
        json!({
            "systolic": found.systolic.value,
            "diastolic": found.diastolic.value,
            "unit": found.systolic.unit,
            "time": time(facts, Some(found.at)),
            "minutes_after_first_dose": facts.first_dose.map(|dose| minutes_between(dose, found.at)),
            "observed_by": person(input, &found.made.observed_by),
            "entry": text(&found.made.entry),
        })
    })
}

fn answer(found: &v1::AnswerRecord) -> Value {
    json!({
        "question": text(&found.question),
        "text": text(&found.text),
        "answer": text(&word(found.answer().as_str_name(), "ANSWER")),
    })
}

fn reading(facts: &Facts<'_>, (reading, made): (&v1::Reading, &v1::ObservationRecord)) -> Value {
    json!({
        "measure": reading.measure,
        "value": reading.value,
        "unit": reading.unit,
        "time": time(facts, moment(made.observed_time.as_ref())),
        "entry": text(&made.entry),
    })
}

fn scale(facts: &Facts<'_>, scale: &Scale<'_>) -> Value {
    let worse = scale.low_is_worse.map(|low| if low { "lowest" } else { "highest" });
    json!({
        "highest": scale.highest.map(|it| reading(facts, it)),
        "lowest": scale.lowest.map(|it| reading(facts, it)),
        "worse_by_plan": worse,
        "recorded_as_effect": !scale.effects.is_empty(),
        "onset_time": time(facts, scale.onset()),
        "resolved_time": time(facts, scale.resolved()),
        "effects": effects(facts, &scale.effects),
    })
}

fn effects(facts: &Facts<'_>, found: &[&v1::AdverseEffect]) -> Vec<Value> {
    let one = |it: &&v1::AdverseEffect| {
        json!({
            "name": text(&it.name),
            "kind": text(&effect(it.kind())),
            "severity": text(&severity(it.severity())),
            "serious": it.serious,
            "onset_time": time(facts, moment(it.onset_time.as_ref())),
            "resolved_time": time(facts, moment(it.end_time.as_ref())),
            "actions": text(&actions(it)),
            "note": text(&it.note),
        })
    };
    found.iter().map(one).collect()
}
