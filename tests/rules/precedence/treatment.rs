//! Two faults at once in what belongs to patients, courses and sessions.

use vialedger::pb::v1::{self, Answer};

use super::{Fault, Ready, fault, try_all, with_header};
use crate::course::{
    self, BY_MOUTH, INDUCTION, INFUSIONS, ORAL, SUPERVISED, answering, at_the_chair, calculate,
    cancel, check, close_course, day_at_the_clinic, discharge, discharge_early, eligibility,
    in_hands, infused, infusion, observe, open_course, opened, oral, ordered, reading, reason_for,
    register, start, started, well,
};
use crate::requests::{
    KETALAR, SPRAVATO, administer, after, approve, at, cut, dispense, emergency, q,
};
use crate::support::{Book, DAY, MINUTE, SECOND, calculation, dispensing, publish, vial};

/// What was answered since.
fn say<R>(ready: &mut Ready<R>, question: &str, given: Answer) {
    let now = ready.book.now;
    ready.book.act("nia", answering(now, question, given)).unwrap();
}

/// Four faults of answers that are recorded before.
fn of_answers<R>() -> Vec<Fault<R>> {
    vec![
        fault("QUESTION_UNANSWERED", "an answer", |ready| {
            say(ready, "pregnancy", Answer::Unknown);
        }),
        fault("CONTRAINDICATED", "another answer", |ready| say(ready, "psychosis", Answer::Yes)),
        fault("SOFT_LIMIT", "a third answer", |ready| say(ready, "raised-pressure", Answer::Yes)),
    ]
}

#[test]
fn a_session() {
    let ready = || {
        let mut book = course::clinic();
        let course = opened(&mut book, INFUSIONS);
        Ready { book, who: "nia", request: start(&course, INDUCTION) }
    };
    let mut faults = with_header::<v1::StartSessionRequest>(vec![
        fault("EXPECTED_SIZE_STALE", "size", |ready| ready.request.expected_size = Some(3)),
        fault("ROLE_NOT_HELD", "overrides", |ready| {
            ready.request.overrides = vec![reason_for("SESSION_EARLY")];
        }),
        fault("UNKNOWN_RESOURCE", "plan", |ready| {
            let wanted = [KETALAR, ORAL, BY_MOUTH];
            publish(&mut ready.book, &cut(vialedger::formulary::starter(), &wanted));
        }),
        fault("COURSE_CLOSED", "course", |ready| {
            let close = close_course(&ready.request.course);
            ready.book.act("pat", close).unwrap();
        }),
        fault("UNKNOWN_RESOURCE", "course", |ready| {
            "courses/1".clone_into(&mut ready.request.course);
        }),
        fault("SESSION_OPEN", "other session", |ready| {
            let other = opened(&mut ready.book, BY_MOUTH);
            started(&mut ready.book, &other, SUPERVISED);
        }),
        fault("WRONG_PHASE", "phase", |ready| "phase-x".clone_into(&mut ready.request.phase)),
        fault("AGE_OUTSIDE_PROTOCOL", "age", |ready| ready.request.age_years = Some(17)),
        fault("SESSION_TOO_EARLY", "last dose", |ready| {
            let held = dispensing(&ready.book.act("pat", emergency(&vial(1))).unwrap());
            let now = ready.book.now;
            ready.book.act("nia", administer(&held, "1 mL", now)).unwrap();
        }),
    ]);
    // Another session takes answers that let it begin, so these come last.
    faults.extend(of_answers());
    assert!(try_all(ready, &faults) > 80);
}

#[test]
fn a_dose_in_a_session() {
    let ready = || {
        let mut book = course::clinic();
        let course = opened(&mut book, INFUSIONS);
        let over = started(&mut book, &course, INDUCTION);
        book.act("nia", cancel(&over)).unwrap();
        let session = started(&mut book, &course, INDUCTION);
        well(&mut book, &session);
        book.wait(3 * MINUTE);
        let mut inputs = infusion(&session, book.now);
        inputs.syringe = q("10 mL");
        Ready { book, who: "pat", request: calculate(inputs) }
    };
    let mut own: Vec<Fault<v1::CalculateDoseRequest>> = vec![
        // A dose that was given, and one that was handed out: both end what can be done to the session.
        fault("ALERT_OPEN", "dose before", |ready| {
            let session = inputs(ready).session.clone();
            infused(&mut ready.book, &session);
            let now = ready.book.now;
            ready.book.act("nia", observe(&session, now, &[("moaa-s", 2)])).unwrap();
        }),
        fault("DUPLICATE_DOSE", "dose before", |ready| {
            let session = inputs(ready).session.clone();
            let dose = ordered(&mut ready.book, &session);
            in_hands(&mut ready.book, &vial(1), &dose);
        }),
        fault("VITALS_MISSING", "readings", |ready| ready.book.wait(61 * MINUTE)),
        fault("VITALS_OUTSIDE", "readings", |ready| {
            read_before(ready, "systolic", 181);
        }),
        fault("EXPECTED_SIZE_STALE", "size", |ready| ready.request.expected_size = Some(3)),
        fault("UNKNOWN_RESOURCE", "product", |ready| {
            inputs(ready).product = "products/none".to_owned();
        }),
        fault("UNKNOWN_RESOURCE", "session", |ready| {
            "sessions/1".clone_into(&mut inputs(ready).session);
        }),
        fault("UNKNOWN_RESOURCE", "overrides", |ready| {
            let adverse_effect = "adverseEffects/1".to_owned();
            let reason = v1::LimitOverride { adverse_effect, ..reason_for("NO_SUCH_LIMIT") };
            inputs(ready).overrides = vec![reason];
        }),
        fault("SESSION_NOT_OPEN", "session", |ready| {
            let session = inputs(ready).session.trim_start_matches("sessions/");
            let before = session.parse::<u64>().unwrap() - 2;
            inputs(ready).session = format!("sessions/{before}");
        }),
        fault("PATIENT_MISMATCH", "patient", |ready| {
            "patients/p2".clone_into(&mut inputs(ready).patient);
        }),
        fault("SESSION_DIFFERS", "protocol", |ready| inputs(ready).protocol = ORAL.to_owned()),
        fault("WRONG_DRUG", "product", |ready| inputs(ready).product = SPRAVATO.to_owned()),
        fault("AGE_OUTSIDE_PROTOCOL", "age", |ready| inputs(ready).age_years = Some(17)),
        fault("WEIGHT_NOT_MEASURED", "method", |ready| {
            weight(ready).set_method(v1::WeightMethod::Stated);
        }),
        fault("UNDILUTED", "dilution", |ready| inputs(ready).diluted_volume = None),
        fault("OVER_HARD_LIMIT", "duration", |ready| {
            inputs(ready).infusion_duration = q("10 min");
        }),
        fault("OVER_HARD_LIMIT", "dose", |ready| inputs(ready).dose = q("5 mg/kg")),
        fault("NOT_CALCULABLE", "dose", |ready| inputs(ready).dose = q("36 mg")),
        fault("NOT_CALCULABLE", "syringe", |ready| inputs(ready).syringe = None),
        fault("SOFT_LIMIT", "dose", |ready| inputs(ready).dose = q("0.8 mg/kg")),
        fault("SOFT_LIMIT", "height", |ready| inputs(ready).height = q("250 cm")),
        fault("IN_FUTURE", "weight's time", |ready| weight(ready).measured_time = after(DAY)),
        fault("WEIGHT_TOO_OLD", "weight's time", |ready| {
            weight(ready).measured_time = after(-31 * DAY);
        }),
    ];
    own.extend(of_answers());
    // Answers of today are what the first two need, so those that stop are given after them.
    assert!(try_all(ready, &with_header(own)) > 250);
}

/// Reads long enough ago for no reading of somebody who has the drug, should a dose be handed out.
fn read_before(ready: &mut Ready<v1::CalculateDoseRequest>, measure: &str, value: i32) {
    let session = inputs(ready).session.clone();
    let before = ready.book.now.checked_add_micros(-130 * SECOND).unwrap();
    ready.book.act("nia", observe(&session, before, &[(measure, value)])).unwrap();
}

fn inputs(ready: &mut Ready<v1::CalculateDoseRequest>) -> &mut v1::DoseInputs {
    ready.request.inputs.as_mut().unwrap()
}

fn weight(ready: &mut Ready<v1::CalculateDoseRequest>) -> &mut v1::BodyWeight {
    inputs(ready).weight.as_mut().unwrap()
}

#[test]
fn a_dispensing_in_a_session() {
    let ready = || {
        let mut book = course::clinic();
        let session = at_the_chair(&mut book);
        let dose = ordered(&mut book, &session);
        Ready { book, who: "pat", request: dispense(&vial(1), &dose) }
    };
    let own: Vec<Fault<v1::DispenseVialRequest>> = vec![
        fault("SESSION_NOT_OPEN", "session", |ready| {
            let session = some_given(ready);
            let step = ready.book.act("nia", discharge_early(&session)).unwrap();
            ready.book.act("pru", approve(&step)).unwrap();
        }),
        fault("CALCULATION_COVERED", "session", |ready| {
            let dose = ready.request.dose_calculation.clone();
            in_hands(&mut ready.book, &vial(2), &dose);
        }),
        fault("ALERT_OPEN", "session", |ready| {
            let session = some_given(ready);
            let now = ready.book.now;
            ready.book.act("nia", observe(&session, now, &[("moaa-s", 2)])).unwrap();
        }),
        fault("VITALS_MISSING", "session", |ready| {
            // The readings were made a minute before the session.
            ready.book.wait(59 * MINUTE + 58 * SECOND);
        }),
        fault("VITALS_OUTSIDE", "session", |ready| read(ready, 181)),
        fault("SOFT_LIMIT", "session", |ready| read(ready, 141)),
        fault("EXPECTED_SIZE_STALE", "size", |ready| ready.request.expected_size = Some(3)),
        fault("UNKNOWN_RESOURCE", "vial", |ready| ready.request.vial = vial(99)),
        fault("UNKNOWN_RESOURCE", "holder", |ready| {
            "people/eve".clone_into(&mut ready.request.holder);
        }),
        fault("UNKNOWN_RESOURCE", "calculation", |ready| {
            "doseCalculations/9999".clone_into(&mut ready.request.dose_calculation);
        }),
        fault("CALCULATION_EXPIRED", "calculation", |ready| {
            "doseCalculations/1".clone_into(&mut ready.request.dose_calculation);
        }),
        fault("VIAL_QUARANTINED", "vial", |ready| ready.request.vial = vial(10)),
        fault("EARLIER_EXPIRY_IN_STOCK", "vial", |ready| ready.request.vial = vial(3)),
        fault("HOLDER_NOT_LICENSED", "holder", |ready| {
            "people/tom".clone_into(&mut ready.request.holder);
        }),
        fault("HOME_SUPPLY", "home", |ready| ready.request.take_home = true),
        fault("PATIENT_MISMATCH", "patient", |ready| {
            "patients/p2".clone_into(&mut ready.request.patient);
        }),
        fault("PRODUCT_MISMATCH", "vial", |ready| ready.request.vial = vial(5)),
        fault("VIAL_STATE", "amount", |ready| ready.request.amount = q("1 {device}")),
        fault("OVER_DRAW", "amount", |ready| ready.request.amount = q("20.1 mL")),
    ];
    assert!(try_all(ready, &with_header(own)) > 120);
}

/// A little of the dose is given out of another vial; the session.
fn some_given(ready: &mut Ready<v1::DispenseVialRequest>) -> String {
    let dose = ready.request.dose_calculation.clone();
    let part = v1::DispenseVialRequest { amount: q("1 mL"), ..dispense(&vial(2), &dose) };
    let held = dispensing(&ready.book.act("pat", part).unwrap());
    let now = ready.book.now;
    ready.book.act("nia", administer(&held, "1 mL", now)).unwrap();
    session(&ready.book)
}

/// The session that is open.
fn session(book: &Book) -> String {
    book.state.sessions().next().unwrap().name.to_string()
}

fn read<R>(ready: &mut Ready<R>, systolic: i32) {
    let (session, now) = (session(&ready.book), ready.book.now);
    ready.book.act("nia", observe(&session, now, &[("systolic", systolic)])).unwrap();
}

#[test]
fn a_discharge() {
    let ready = || {
        let mut book = course::clinic();
        let course = opened(&mut book, INFUSIONS);
        day_at_the_clinic(&mut book, &course);
        let session = started(&mut book, &course, INDUCTION);
        well(&mut book, &session);
        infused(&mut book, &session);
        book.wait(120 * MINUTE);
        well(&mut book, &session);
        Ready { book, who: "nia", request: discharge(&session) }
    };
    let own: Vec<Fault<v1::DischargePatientRequest>> = vec![
        fault("UNKNOWN_RESOURCE", "session", |ready| {
            "sessions/1".clone_into(&mut ready.request.session);
        }),
        fault("SESSION_NOT_OPEN", "session", |ready| {
            let course = ready.book.state.sessions().next().unwrap().course;
            let before = ready.book.state.course(course).unwrap().sessions[0].name;
            ready.request.session = before.to_string();
        }),
        fault("NOTHING_GIVEN", "session", |ready| {
            let (now, book) = (ready.book.now, &mut ready.book);
            book.act("nia", eligibility("p2", now)).unwrap();
            let course = course::course_of(&book.act("pat", open_course("p2", INFUSIONS)).unwrap());
            ready.request.session = started(book, &course, INDUCTION);
        }),
        fault("VIAL_STILL_OUT", "hands", |ready| {
            for patient in ["patients/p1", "patients/p2"] {
                let vial = course::next_vial(&ready.book, KETALAR);
                let patient = patient.to_owned();
                let held = v1::DispenseVialRequest { patient, ..emergency(&vial) };
                ready.book.act("pat", held).unwrap();
            }
        }),
        fault("NOT_DISCHARGEABLE", "escort", |ready| ready.request.escort_present = false),
        fault("NOT_DISCHARGEABLE", "leaflet", |ready| ready.request.leaflet_given = false),
        fault("EXPECTED_SIZE_STALE", "size", |ready| ready.request.expected_size = Some(3)),
    ];
    assert!(try_all(ready, &with_header(own)) > 40);
}

#[test]
fn a_check() {
    let ready = || {
        let mut book = course::clinic();
        let course = opened(&mut book, BY_MOUTH);
        let session = started(&mut book, &course, SUPERVISED);
        well(&mut book, &session);
        let inputs = oral(&session, book.now);
        let dose = calculation(&book.act("pat", calculate(inputs.clone())).unwrap());
        Ready { book, who: "nia", request: check(&dose, inputs) }
    };
    let own: Vec<Fault<v1::CheckDoseRequest>> = vec![
        fault("CHECK_NOT_ASKED", "check before", |ready| checked(ready, 44)),
        fault("CHECK_DIFFERS", "check before", |ready| checked(ready, 45)),
        fault("SELF_CHECK", "signer", |ready| ready.who = "pat"),
        fault("EXPECTED_SIZE_STALE", "size", |ready| ready.request.expected_size = Some(3)),
    ];
    assert!(try_all(ready, &with_header(own)) > 15);
    // Who worked it out can only be asked of a calculation that is there.
    let unknown = vec![
        fault("UNKNOWN_RESOURCE", "calculation", |ready: &mut Ready<v1::CheckDoseRequest>| {
            "doseCalculations/9999".clone_into(&mut ready.request.dose_calculation);
        }),
        fault("CALCULATION_EXPIRED", "calculation", |ready| {
            "doseCalculations/1".clone_into(&mut ready.request.dose_calculation);
        }),
    ];
    assert!(try_all(ready, &with_header(unknown)) > 7);
}

/// Ned has checked it before, with this age.
fn checked(ready: &mut Ready<v1::CheckDoseRequest>, age: u32) {
    let mut inputs = ready.request.inputs.clone().unwrap();
    inputs.age_years = Some(age);
    let before = check(&ready.request.dose_calculation, inputs);
    ready.book.act("ned", before).unwrap();
}

#[test]
fn a_check_that_takes_a_second_prescriber() {
    // Raised for the third time: no nurse can check it, and neither can whoever raised it.
    let mut book = course::clinic();
    let (dose, inputs) = course::raised_three_times(&mut book);
    assert_eq!(book.refused("nia", check(&dose, inputs.clone())), "ROLE_NOT_HELD");
    assert_eq!(book.refused("pat", check(&dose, inputs.clone())), "SELF_CHECK");
    book.act("pru", check(&dose, inputs)).unwrap();
    book.audit();
}

#[test]
fn answers() {
    let ready = || {
        let book = course::clinic();
        let request = eligibility("p1", book.now);
        Ready { book, who: "pat", request }
    };
    let own: Vec<Fault<v1::RecordEligibilityRequest>> = vec![
        fault("EXPECTED_SIZE_STALE", "size", |ready| ready.request.expected_size = Some(3)),
        fault("PATIENT_UNKNOWN", "patient", |ready| {
            "patients/p9".clone_into(&mut ready.request.patient);
        }),
        fault("UNKNOWN_RESOURCE", "last answer", |ready| {
            "handedness".clone_into(&mut ready.request.answers.last_mut().unwrap().question);
        }),
        fault("CONTRAINDICATED", "first answer", |ready| {
            ready.request.answers[0].set_answer(Answer::Yes);
            ready.request.overrides = vec![reason_for("QUESTION:psychosis")];
        }),
        fault("IN_FUTURE", "time", |ready| ready.request.answered_time = after(DAY)),
    ];
    assert!(try_all(ready, &with_header(own)) > 25);
}

#[test]
fn an_observation() {
    let ready = || {
        let mut book = course::clinic();
        let course = opened(&mut book, INFUSIONS);
        let over = started(&mut book, &course, INDUCTION);
        book.act("nia", cancel(&over)).unwrap();
        let session = started(&mut book, &course, INDUCTION);
        let request = observe(&session, book.now, &[]);
        Ready { book, who: "nia", request }
    };
    let mut own: Vec<Fault<v1::RecordObservationRequest>> = vec![
        fault("EXPECTED_SIZE_STALE", "size", |ready| ready.request.expected_size = Some(3)),
        fault("UNKNOWN_RESOURCE", "session", |ready| {
            "sessions/1".clone_into(&mut ready.request.session);
        }),
        fault("IMPLAUSIBLE_READING", "first reading", |ready| {
            ready.request.readings[0] = reading("systolic", 301);
        }),
        fault("IMPLAUSIBLE_READING", "second reading", |ready| {
            "kPa".clone_into(&mut ready.request.readings[1].unit);
        }),
        fault("IN_FUTURE", "time", |ready| {
            ready.request.observed_time = at(ready.book.now.checked_add_micros(DAY).unwrap());
        }),
        fault("TOO_EARLY", "time", |ready| ready.request.observed_time = after(-DAY)),
    ];
    own.push(fault("SESSION_NOT_OPEN", "session", |ready| {
        let session = ready.request.session.trim_start_matches("sessions/");
        ready.request.session = format!("sessions/{}", session.parse::<u64>().unwrap() - 2);
    }));
    assert!(try_all(ready, &with_header(own)) > 30);
    // Which measures there are can only be asked of a session that is open.
    let unknown = fault("UNKNOWN_RESOURCE", "last reading", |ready: &mut Ready<_>| {
        let request: &mut v1::RecordObservationRequest = &mut ready.request;
        "shoe-size".clone_into(&mut request.readings.last_mut().unwrap().measure);
    });
    let others = vec![
        unknown,
        fault("IMPLAUSIBLE_READING", "first reading", |ready| {
            ready.request.readings[0] = reading("systolic", 301);
        }),
        fault("IN_FUTURE", "time", |ready| {
            ready.request.observed_time = at(ready.book.now.checked_add_micros(DAY).unwrap());
        }),
    ];
    assert!(try_all(ready, &with_header(others)) > 10);
}

#[test]
fn a_course() {
    let ready =
        || Ready { book: course::clinic(), who: "pat", request: open_course("p1", INFUSIONS) };
    let own: Vec<Fault<v1::OpenCourseRequest>> = vec![
        fault("EXPECTED_SIZE_STALE", "size", |ready| ready.request.expected_size = Some(3)),
        fault("COURSE_OPEN", "course before", |ready| {
            opened(&mut ready.book, INFUSIONS);
        }),
        fault("PATIENT_UNKNOWN", "patient", |ready| {
            "patients/p9".clone_into(&mut ready.request.patient);
        }),
        fault("UNKNOWN_RESOURCE", "plan", |ready| {
            "plans/none".clone_into(&mut ready.request.plan);
        }),
    ];
    assert!(try_all(ready, &with_header(own)) > 15);
}

#[test]
fn a_registration() {
    let ready = || Ready { book: course::clinic(), who: "nia", request: register("p9") };
    let own: Vec<Fault<v1::RegisterPatientRequest>> = vec![
        fault("EXPECTED_SIZE_STALE", "size", |ready| ready.request.expected_size = Some(3)),
        fault("PATIENT_EXISTS", "patient", |ready| {
            "patients/p1".clone_into(&mut ready.request.patient);
        }),
    ];
    assert!(try_all(ready, &with_header(own)) > 8);
}
