//! Courses of treatment: a clinic with plans, requests that are complete and acceptable, and whole sessions.

use vialedger::formulary;
use vialedger::pb::v1::{self, Answer, EffectAction, EffectKind, Role};
use vialedger::state::Step;
use vialedger::time::Timestamp;

use crate::requests::{
    self, EUGIA, INFUSION, KETALAR, NASAL, SAGENT, SPRAVATO, administer, answer, approve, at,
    create_place, cut, date, dispense, enroll, line, q, witness,
};
use crate::support::{
    Book, DAY, MINUTE, calculation, dispensing, publish, staffed, vial, waste as waste_name,
};

/// Infusions of ketamine.
pub(crate) const INFUSIONS: &str = "plans/ket-trd-iv";
/// Ketamine by mouth, which a second person works out too.
pub(crate) const BY_MOUTH: &str = "plans/ket-oral-dep";
/// Esketamine, whose sessions have a form to send.
pub(crate) const SPRAYS: &str = "plans/esk-trd";

/// The protocol of [`BY_MOUTH`].
pub(crate) const ORAL: &str = "protocols/ket-oral-dep";
/// A protocol that no plan uses.
pub(crate) const INJECTION: &str = "protocols/ket-psa-im";

/// The first phases of the plans.
pub(crate) const INDUCTION: &str = "induction";
pub(crate) const SUPERVISED: &str = "supervised";
pub(crate) const WEEKS_1_4: &str = "weeks-1-4";

/// What the protocols of the plans ask, with the answers that let a patient be treated.
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

/// Readings of somebody who is well: enough before a dose, after it and at the door.
pub(crate) const WELL: [(&str, i32); 7] = [
    ("systolic", 122),
    ("diastolic", 78),
    ("pulse", 71),
    ("spo2", 98),
    ("respiratory-rate", 14),
    ("moaa-s", 5),
    ("dissociation", 0),
];

/// The starter formulary, cut to what these tests need.
pub(crate) fn formulary() -> String {
    let products = [KETALAR, EUGIA, SAGENT, SPRAVATO];
    let protocols =
        [INFUSION, ORAL, NASAL, "protocols/esk-trd-m1", "protocols/esk-trd-m2", INJECTION];
    let plans = [INFUSIONS, BY_MOUTH, SPRAYS];
    cut(formulary::starter(), &[&products[..], &protocols, &plans].concat())
}

/// The people and the vials of [`crate::support::clinic`], more vials, a second prescriber, and two patients who have
/// answered every question today.
pub(crate) fn clinic() -> Book {
    static CLINIC: std::sync::LazyLock<Book> = std::sync::LazyLock::new(|| {
        let mut book = staffed();
        for place in ["safe", "ward"] {
            book.act("ada", create_place(place)).unwrap();
        }
        publish(&mut book, &formulary());
        let mut delivery = requests::delivery();
        delivery.lines.push(line(KETALAR, "K3", "2028-12-31", 20));
        delivery.lines.push(line(SPRAVATO, "E2", "2028-12-31", 20));
        book.act("tom", delivery).unwrap();
        let step = book.act("ada", enroll("pru", &[Role::Prescriber])).unwrap();
        book.act("ben", approve(&step)).unwrap();
        for patient in ["p1", "p2"] {
            book.act("nia", register(patient)).unwrap();
            answered(&mut book, patient);
        }
        assert!(book.state.vial(vial(51).parse().unwrap()).is_some());
        book
    });
    CLINIC.clone()
}

pub(crate) fn register(patient: &str) -> v1::RegisterPatientRequest {
    v1::RegisterPatientRequest {
        patient: format!("patients/{patient}"),
        identity_commitment: crate::support::public(patient).to_vec(),
        ..Default::default()
    }
}

pub(crate) fn merge(alias: &str, patient: &str) -> v1::MergePatientsRequest {
    v1::MergePatientsRequest {
        alias: format!("patients/{alias}"),
        patient: format!("patients/{patient}"),
        reason: "the same papers".to_owned(),
        ..Default::default()
    }
}

pub(crate) fn eligibility(patient: &str, now: Timestamp) -> v1::RecordEligibilityRequest {
    v1::RecordEligibilityRequest {
        patient: format!("patients/{patient}"),
        answers: QUESTIONS.map(|(question, given)| answer(question, given)).to_vec(),
        answered_time: at(now),
        ..Default::default()
    }
}

/// An answer of p1 to one question.
pub(crate) fn answering(
    now: Timestamp,
    question: &str,
    given: Answer,
) -> v1::RecordEligibilityRequest {
    let answers = vec![answer(question, given)];
    v1::RecordEligibilityRequest { answers, ..eligibility("p1", now) }
}

pub(crate) fn open_course(patient: &str, plan: &str) -> v1::OpenCourseRequest {
    v1::OpenCourseRequest {
        patient: format!("patients/{patient}"),
        plan: plan.to_owned(),
        ..Default::default()
    }
}

pub(crate) fn close_course(course: &str) -> v1::CloseCourseRequest {
    v1::CloseCourseRequest {
        course: course.to_owned(),
        reason: v1::CourseEnd::Completed.into(),
        ..Default::default()
    }
}

pub(crate) fn start(course: &str, phase: &str) -> v1::StartSessionRequest {
    v1::StartSessionRequest {
        course: course.to_owned(),
        phase: phase.to_owned(),
        age_years: Some(44),
        ..Default::default()
    }
}

pub(crate) fn missed(course: &str, planned: &str) -> v1::RecordMissedSessionRequest {
    v1::RecordMissedSessionRequest {
        course: course.to_owned(),
        planned_date: date(planned),
        reason: v1::SessionEnd::DidNotCome.into(),
        ..Default::default()
    }
}

pub(crate) fn cancel(session: &str) -> v1::CancelSessionRequest {
    v1::CancelSessionRequest {
        session: session.to_owned(),
        reason: v1::SessionEnd::NoEscort.into(),
        ..Default::default()
    }
}

pub(crate) fn reading(measure: &str, value: i32) -> v1::Reading {
    let unit = match measure {
        "systolic" | "diastolic" => "mm[Hg]",
        "pulse" | "respiratory-rate" => "/min",
        "spo2" => "%",
        _ => "{score}",
    };
    v1::Reading { measure: measure.to_owned(), value, unit: unit.to_owned() }
}

/// Somebody who is well, but for these readings.
pub(crate) fn observe(
    session: &str,
    now: Timestamp,
    but: &[(&str, i32)],
) -> v1::RecordObservationRequest {
    let read = |(measure, value): (&str, i32)| {
        let other = but.iter().find(|(other, _)| *other == measure);
        reading(measure, other.map_or(value, |(_, value)| *value))
    };
    v1::RecordObservationRequest {
        session: session.to_owned(),
        observed_time: at(now),
        readings: WELL.map(read).to_vec(),
        ..Default::default()
    }
}

pub(crate) fn acknowledge(alert: &str) -> v1::AcknowledgeAlertRequest {
    v1::AcknowledgeAlertRequest {
        alert: alert.to_owned(),
        note: "seen, awake".to_owned(),
        ..Default::default()
    }
}

/// Nausea, since now.
pub(crate) fn effect(
    subject: v1::record_adverse_effect_request::Subject,
    now: Timestamp,
) -> v1::RecordAdverseEffectRequest {
    v1::RecordAdverseEffectRequest {
        subject: Some(subject),
        kind: EffectKind::Nausea.into(),
        severity: v1::EffectSeverity::Mild.into(),
        onset_time: at(now),
        actions: vec![EffectAction::ObservedLonger.into()],
        ..Default::default()
    }
}

/// With everything in order at the door.
pub(crate) fn discharge(session: &str) -> v1::DischargePatientRequest {
    v1::DischargePatientRequest {
        session: session.to_owned(),
        escort_present: true,
        no_driving_acknowledged: true,
        leaflet_given: true,
        ..Default::default()
    }
}

/// Before the rules allow it.
pub(crate) fn discharge_early(session: &str) -> v1::DischargePatientRequest {
    let early_reason = "a child is ill at home".to_owned();
    v1::DischargePatientRequest { early_reason, ..discharge(session) }
}

pub(crate) fn form_sent(session: &str, sent: &str) -> v1::RecordFormSentRequest {
    v1::RecordFormSentRequest {
        session: session.to_owned(),
        sent_date: date(sent),
        ..Default::default()
    }
}

/// The inputs again, as a second person enters them.
pub(crate) fn check(calculation: &str, inputs: v1::DoseInputs) -> v1::CheckDoseRequest {
    v1::CheckDoseRequest {
        dose_calculation: calculation.to_owned(),
        inputs: Some(inputs),
        ..Default::default()
    }
}

pub(crate) fn reason_for(limit: &str) -> v1::LimitOverride {
    v1::LimitOverride {
        limit: limit.to_owned(),
        reason: v1::OverrideReason::SpecialistAdvice.into(),
        ..Default::default()
    }
}

/// An infusion for p1, weighed now: 3.6 mL to draw.
pub(crate) fn infusion(session: &str, now: Timestamp) -> v1::DoseInputs {
    let mut inputs = requests::inputs("p1");
    inputs.answers.clear();
    inputs.weight.as_mut().unwrap().measured_time = at(now);
    session.clone_into(&mut inputs.session);
    inputs
}

/// 2 mg/kg by mouth for p1: 14.5 mL.
pub(crate) fn oral(session: &str, now: Timestamp) -> v1::DoseInputs {
    v1::DoseInputs {
        protocol: ORAL.to_owned(),
        syringe: q("20 mL"),
        diluted_volume: None,
        ..infusion(session, now)
    }
}

/// Two devices of esketamine for p1.
pub(crate) fn devices(session: &str, now: Timestamp) -> v1::DoseInputs {
    v1::DoseInputs {
        protocol: NASAL.to_owned(),
        product: SPRAVATO.to_owned(),
        syringe: None,
        diluted_volume: None,
        ..infusion(session, now)
    }
}

pub(crate) fn calculate(inputs: v1::DoseInputs) -> v1::CalculateDoseRequest {
    v1::CalculateDoseRequest { inputs: Some(inputs), ..Default::default() }
}

/// What the newest entry of a step is called as a course and a session.
pub(crate) fn course_of(step: &Step) -> String {
    format!("courses/{}", step.entry.index())
}

pub(crate) fn session_of(step: &Step) -> String {
    format!("sessions/{}", step.entry.index())
}

/// The first alert that an observation raised.
pub(crate) fn alert_of(step: &Step) -> String {
    format!("alerts/{}-1", step.entry.index())
}

/// Every question is asked again.
pub(crate) fn answered(book: &mut Book, patient: &str) {
    let now = book.now;
    book.act("nia", eligibility(patient, now)).unwrap();
}

/// A course of p1 by this plan.
pub(crate) fn opened(book: &mut Book, plan: &str) -> String {
    course_of(&book.act("pat", open_course("p1", plan)).unwrap())
}

/// A session of a course, begun by nia.
pub(crate) fn started(book: &mut Book, course: &str, phase: &str) -> String {
    session_of(&book.act("nia", start(course, phase)).unwrap())
}

/// A session of infusions, and p1 is well.
pub(crate) fn at_the_chair(book: &mut Book) -> String {
    let course = opened(book, INFUSIONS);
    let session = started(book, &course, INDUCTION);
    well(book, &session);
    session
}

/// Nia observes that all is well.
pub(crate) fn well(book: &mut Book, session: &str) {
    let now = book.now;
    book.act("nia", observe(session, now, &[])).unwrap();
}

/// Pat orders an infusion.
pub(crate) fn ordered(book: &mut Book, session: &str) -> String {
    let now = book.now;
    calculation(&book.act("pat", calculate(infusion(session, now))).unwrap())
}

/// Nia has a vial for the calculation.
pub(crate) fn in_hands(book: &mut Book, vial: &str, dose: &str) -> String {
    dispensing(&book.act("pat", dispense(vial, dose)).unwrap())
}

/// The vial that is to be used next.
pub(crate) fn next_vial(book: &Book, product: &str) -> String {
    let (place, product) = ("places/safe".parse().unwrap(), product.parse().unwrap());
    let today = book.state.day_of(book.now);
    let found = book.state.shelf(&place, &product, today);
    found.map(|(_, vial)| vial).find(|vial| vial.opened().is_none()).unwrap().name().to_string()
}

/// An infusion is ordered and given, and what is left of the vial wasted before a witness.
pub(crate) fn infused(book: &mut Book, session: &str) {
    let dose = ordered(book, session);
    let vial = next_vial(book, KETALAR);
    let held = in_hands(book, &vial, &dose);
    let now = book.now;
    book.act("nia", administer(&held, "3.6 mL", now)).unwrap();
    let wasted = waste_name(&book.act("nia", requests::waste(&held, "16.4 mL", now)).unwrap());
    book.act("ned", witness(&wasted, "16.4 mL")).unwrap();
}

/// Two hours later p1 is well and goes home.
pub(crate) fn went_home(book: &mut Book, session: &str) {
    book.wait(120 * MINUTE);
    well(book, session);
    book.act("nia", discharge(session)).unwrap();
}

/// A whole session of infusions, from its start to the door, and three days.
pub(crate) fn day_at_the_clinic(book: &mut Book, course: &str) -> String {
    let session = started(book, course, INDUCTION);
    well(book, &session);
    infused(book, &session);
    went_home(book, &session);
    book.wait(3 * DAY);
    answered(book, "p1");
    session
}

/// Four sessions, each with a higher dose than the one before; the last dose waits for a second prescriber. The dose and
/// what pat entered.
pub(crate) fn raised_three_times(book: &mut Book) -> (String, v1::DoseInputs) {
    let course = opened(book, INFUSIONS);
    for dose in ["0.2 mg/kg", "0.3 mg/kg", "0.4 mg/kg"] {
        let session = started(book, &course, INDUCTION);
        well(book, &session);
        let mut inputs = infusion(&session, book.now);
        inputs.dose = q(dose);
        inputs.overrides = vec![reason_for("DOSE_CHANGED")];
        let dose = calculation(&book.act("pat", calculate(inputs)).unwrap());
        let vial = next_vial(book, KETALAR);
        let held = in_hands(book, &vial, &dose);
        let now = book.now;
        book.act("nia", administer(&held, "1.4 mL", now)).unwrap();
        let wasted = waste_name(&book.act("nia", requests::waste(&held, "18.6 mL", now)).unwrap());
        book.act("ned", witness(&wasted, "18.6 mL")).unwrap();
        went_home(book, &session);
        book.wait(3 * DAY);
        answered(book, "p1");
    }
    let session = started(book, &course, INDUCTION);
    well(book, &session);
    let mut inputs = infusion(&session, book.now);
    inputs.overrides = vec![reason_for("DOSE_CHANGED")];
    (calculation(&book.act("pat", calculate(inputs.clone())).unwrap()), inputs)
}
