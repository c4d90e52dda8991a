//! What people of a ketamine clinic sign.

use vialedger::pb::v1::{self, Answer};
use vialedger::time::Timestamp;
use vialedger::wire::timestamp_to_wire;

/// 10 mg/mL, 20 mL, multiple-dose.
pub(crate) const KETAMINE: &str = "products/ketamine-42023-113-10";
/// 28 mg devices, two in a kit.
pub(crate) const ESKETAMINE: &str = "products/esketamine-50458-028-02";

/// The questions of the starter's ketamine and esketamine protocols, with the answer that lets pass.
const QUESTIONS: [(&str, Answer); 12] = [
    ("psychosis", Answer::No),
    ("uncontrolled-blood-pressure", Answer::No),
    ("aneurysm-or-malformation", Answer::No),
    ("intracerebral-haemorrhage", Answer::No),
    ("hypersensitivity-ketamine", Answer::No),
    ("severe-liver-disease", Answer::No),
    ("raised-pressure", Answer::No),
    ("substance-misuse", Answer::No),
    ("pregnancy", Answer::No),
    ("interacting-medicines", Answer::No),
    ("urinary-symptoms", Answer::No),
    ("two-antidepressants-tried", Answer::Yes),
];

pub(crate) fn quantity(text: &str) -> v1::Quantity {
    let (value, unit) = text.split_once(' ').unwrap();
    v1::Quantity { value: value.to_owned(), unit: unit.to_owned() }
}

/// Every question answered so that it lets pass.
pub(crate) fn answers(patient: &str, at: Timestamp) -> v1::RecordEligibilityRequest {
    let answers = QUESTIONS.map(|(question, answer)| v1::EligibilityAnswer {
        question: question.to_owned(),
        answer: answer.into(),
    });
    v1::RecordEligibilityRequest {
        patient: patient.to_owned(),
        answers: answers.into(),
        answered_time: Some(timestamp_to_wire(at)),
        ..Default::default()
    }
}

/// The same with one answer changed.
pub(crate) fn answers_but(
    patient: &str,
    at: Timestamp,
    question: &str,
    answer: Answer,
) -> v1::RecordEligibilityRequest {
    let mut request = answers(patient, at);
    let changed = request.answers.iter_mut().find(|it| it.question == question).unwrap();
    changed.answer = answer.into();
    request
}

pub(crate) fn start(course: &str, phase: &str, age: u32) -> v1::StartSessionRequest {
    v1::StartSessionRequest {
        course: course.to_owned(),
        phase: phase.to_owned(),
        age_years: Some(age),
        ..Default::default()
    }
}

/// A reading in the measure's own unit.
pub(crate) fn reading(measure: &str, value: i32) -> v1::Reading {
    let unit = match measure {
        "systolic" | "diastolic" => "mm[Hg]",
        "pulse" | "respiratory-rate" => "/min",
        "spo2" => "%",
        _ => "{score}",
    };
    v1::Reading { measure: measure.to_owned(), value, unit: unit.to_owned() }
}

pub(crate) fn observe(
    session: &str,
    at: Timestamp,
    readings: &[(&str, i32)],
) -> v1::RecordObservationRequest {
    v1::RecordObservationRequest {
        session: session.to_owned(),
        observed_time: Some(timestamp_to_wire(at)),
        readings: readings.iter().map(|(measure, value)| reading(measure, *value)).collect(),
        ..Default::default()
    }
}

/// Everything that is read of somebody who is well.
pub(crate) const WELL: [(&str, i32); 7] = [
    ("systolic", 124),
    ("diastolic", 78),
    ("pulse", 72),
    ("spo2", 98),
    ("respiratory-rate", 14),
    ("moaa-s", 5),
    ("dissociation", 0),
];

/// The same with some values changed.
pub(crate) fn well_but(changed: &[(&'static str, i32)]) -> Vec<(&'static str, i32)> {
    let mut readings = WELL.to_vec();
    for (measure, value) in changed {
        readings.iter_mut().find(|(known, _)| known == measure).unwrap().1 = *value;
    }
    readings
}

/// What an infusion depends on.
pub(crate) fn infusion(
    patient: &str,
    session: &str,
    weighed: Timestamp,
    dose: &str,
) -> v1::DoseInputs {
    v1::DoseInputs {
        patient: patient.to_owned(),
        protocol: "protocols/ket-trd-iv".to_owned(),
        product: KETAMINE.to_owned(),
        weight: Some(v1::BodyWeight {
            quantity: Some(quantity("72.5 kg")),
            method: v1::WeightMethod::Measured.into(),
            measured_time: Some(timestamp_to_wire(weighed)),
        }),
        age_years: Some(44),
        dose: Some(quantity(dose)),
        syringe: Some(quantity("5 mL")),
        infusion_duration: Some(quantity("40 min")),
        diluted_volume: Some(quantity("50 mL")),
        session: session.to_owned(),
        ..Default::default()
    }
}

/// What a spray depends on.
pub(crate) fn spray(
    patient: &str,
    session: &str,
    weighed: Timestamp,
    protocol: &str,
    devices: u32,
) -> v1::DoseInputs {
    v1::DoseInputs {
        protocol: protocol.to_owned(),
        product: ESKETAMINE.to_owned(),
        dose: Some(quantity(&format!("{devices} {{device}}"))),
        syringe: None,
        infusion_duration: None,
        diluted_volume: None,
        ..infusion(patient, session, weighed, "0.5 mg/kg")
    }
}

pub(crate) fn calculate(inputs: v1::DoseInputs) -> v1::CalculateDoseRequest {
    v1::CalculateDoseRequest { inputs: Some(inputs), ..Default::default() }
}

/// A limit passed on purpose.
pub(crate) fn passing(limit: &str, reason: v1::OverrideReason) -> v1::LimitOverride {
    v1::LimitOverride { limit: limit.to_owned(), reason: reason.into(), ..Default::default() }
}

pub(crate) fn discharge(session: &str) -> v1::DischargePatientRequest {
    v1::DischargePatientRequest {
        session: session.to_owned(),
        escort_present: true,
        no_driving_acknowledged: true,
        leaflet_given: true,
        ..Default::default()
    }
}

pub(crate) fn effect(
    session: &str,
    kind: v1::EffectKind,
    severity: v1::EffectSeverity,
    onset: Timestamp,
) -> v1::RecordAdverseEffectRequest {
    v1::RecordAdverseEffectRequest {
        subject: Some(v1::record_adverse_effect_request::Subject::Session(session.to_owned())),
        kind: kind.into(),
        severity: severity.into(),
        onset_time: Some(timestamp_to_wire(onset)),
        actions: vec![v1::EffectAction::ObservedLonger.into()],
        ..Default::default()
    }
}
