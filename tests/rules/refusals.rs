//! Every refusal of the rules: how it is met, what kind of no it is, and whether it leaves an entry.

mod treatment;

use vialedger::ledger::SignedRequest;
use vialedger::pb::v1::{self, Answer, Role};
use vialedger::refusal::{Refusal, RefusalClass};
use vialedger::state::{State, Step, Subject};

use crate::requests::{
    self, EUGIA, FENTANYL, KETALAR, NASAL, SAGENT, administer, after, answer, approve, calculate,
    calculate_with, change_roles, create_place, date, dispense, emergency, enroll, gtin,
    initialize, line, publish, q, quarantine, receive, revoke, take_back, waste as waste_of_hands,
    witness,
};
use crate::support::{
    Book, DAY, HOUR, MINUTE, calculation, clinic, dispensing, staffed, vial, waste,
};

/// How a refusal is met: the ledger before, and the request.
type Meet = fn() -> (Book, SignedRequest);

struct Case {
    reason: &'static str,
    class: RefusalClass,
    recorded: bool,
    meet: Meet,
}

const fn case(reason: &'static str, class: RefusalClass, recorded: bool, meet: Meet) -> Case {
    Case { reason, class, recorded, meet }
}

use RefusalClass::{
    Aborted, AlreadyExists, NotFound, PermissionDenied, Precondition, Unauthenticated,
};

/// Said by a server that holds the identities, before the rules are asked: `tests/course/identities.rs`.
const SAID_BY_THE_SERVICE: [&str; 3] = ["AGE_DIFFERS", "IDENTITY_NOT_HELD", "IDENTITY_IN_TEXT"];

/// One row for each reason that does not belong to treatment, in order of precedence.
const CASES: [Case; 48] = [
    case("UNKNOWN_KEY", Unauthenticated, false, || with(|book| book.ask("eve", calculate("p1")))),
    case("KEY_REVOKED", Unauthenticated, false, || {
        with(|book| {
            book.act("ada", revoke("pat")).unwrap();
            book.ask("pat", calculate("p1"))
        })
    }),
    case("SIGNED_FOR_ANOTHER_LEDGER", Unauthenticated, false, || {
        let other = "ledger.example/other".to_owned();
        with(|book| book.ask("pat", v1::CalculateDoseRequest { ledger: other, ..calculate("p1") }))
    }),
    case("EXPECTED_SIZE_STALE", Aborted, false, || {
        with(|book| {
            let expected_size = Some(book.last());
            book.ask("pat", v1::CalculateDoseRequest { expected_size, ..calculate("p1") })
        })
    }),
    case("ROLE_NOT_HELD", PermissionDenied, true, || with(|book| book.ask("nia", calculate("p1")))),
    case("NOT_THE_HOLDER", Precondition, false, || {
        with(|book| {
            let held = in_hands(book);
            let now = book.now;
            book.ask("ned", administer(&held, "1 mL", now))
        })
    }),
    case("SELF_APPROVAL", Precondition, true, || {
        with(|book| {
            let step = book.act("ada", enroll("zoe", &[Role::Nurse])).unwrap();
            book.ask("ada", approve(&step))
        })
    }),
    case("SELF_WITNESS", Precondition, true, || {
        with(|book| {
            let waste = wasted(book);
            book.ask("nia", witness(&waste, "1 mL"))
        })
    }),
    case("UNKNOWN_RESOURCE", NotFound, false, || {
        with(|book| book.ask("pat", emergency("vials/9-9")))
    }),
    case("PROPOSAL_DIFFERS", Precondition, false, || {
        with(|book| {
            let step = book.act("ada", enroll("zoe", &[Role::Nurse])).unwrap();
            let leaf_hash = vec![7; 32];
            book.ask("ben", v1::ApproveRequest { leaf_hash, ..approve(&step) })
        })
    }),
    case("RESOURCE_EXISTS", AlreadyExists, false, || {
        with(|book| book.ask("ada", create_place("safe")))
    }),
    case("NO_FORMULARY", Precondition, false, || {
        let mut book = staffed();
        let request = book.ask("pat", calculate("p1"));
        (book, request)
    }),
    case("UNKNOWN_GTIN", Precondition, false, || {
        with(|book| {
            let gs1_scan = format!("(01){}(17)280331(10)A1", gtin("0409-2051-05"));
            let line = v1::DeliveryLine { gs1_scan, ..line("", "", "2028-03-31", 1) };
            book.ask("tom", receive(&[line]))
        })
    }),
    case("CALCULATION_EXPIRED", Precondition, false, || {
        with(|book| {
            let dose = calculated(book);
            book.wait(HOUR);
            book.ask("pat", dispense(&vial(1), &dose))
        })
    }),
    case("LAST_ADMINISTRATOR", Precondition, false, || {
        with(|book| {
            book.act("ada", revoke("ben")).unwrap();
            book.ask("ada", revoke("ada"))
        })
    }),
    case("FORMULARY_INVALID", Precondition, false, || {
        with(|book| book.ask("ben", publish("drugs = 1")))
    }),
    case("SCAN_DIFFERS", Precondition, false, || {
        with(|book| {
            let gs1_scan = format!("(01){}(17)280331(10)A1", gtin("42023-113-10"));
            let line = v1::DeliveryLine { gs1_scan, ..line("", "A2", "2028-03-31", 1) };
            book.ask("tom", receive(&[line]))
        })
    }),
    case("ORDER_FORM_MISSING", Precondition, false, || {
        with(|book| book.ask("tom", receive(&[line(FENTANYL, "F1", "2028-03-31", 1)])))
    }),
    case("VIAL_EXPIRED", Precondition, false, || {
        with(|book| {
            book.wait(3 * DAY);
            book.ask("pat", emergency(&vial(11)))
        })
    }),
    case("VIAL_BEYOND_USE", Precondition, false, || {
        with(|book| {
            let amount = q("1 mL");
            let part = v1::DispenseVialRequest { amount, ..emergency(&vial(1)) };
            book.act("pat", part.clone()).unwrap();
            book.wait(28 * DAY);
            book.ask("pat", part)
        })
    }),
    case("VIAL_QUARANTINED", Precondition, false, || {
        with(|book| book.ask("pat", emergency(&vial(10))))
    }),
    case("LOT_QUARANTINED", Precondition, false, || {
        with(|book| {
            let lot = book.state.vial(vial(1).parse().unwrap()).unwrap().label().lot.clone();
            book.act("ben", quarantine(KETALAR, &lot.unwrap())).unwrap();
            book.ask("pat", emergency(&vial(1)))
        })
    }),
    case("VIAL_CLOSED", Precondition, false, || {
        with(|book| {
            let held = in_hands(book);
            let now = book.now;
            book.act("nia", administer(&held, "20 mL", now)).unwrap();
            book.ask("pat", emergency(&vial(1)))
        })
    }),
    case("EARLIER_EXPIRY_IN_STOCK", Precondition, false, || {
        with(|book| book.ask("pat", emergency(&vial(3))))
    }),
    case("HOLDER_NOT_LICENSED", Precondition, false, || {
        with(|book| {
            let holder = "people/tom".to_owned();
            book.ask("pat", v1::DispenseVialRequest { holder, ..emergency(&vial(1)) })
        })
    }),
    case("PATIENT_MISMATCH", Precondition, false, || {
        with(|book| {
            let dose = calculated(book);
            let patient = "patients/p2".to_owned();
            book.ask("pat", v1::DispenseVialRequest { patient, ..dispense(&vial(1), &dose) })
        })
    }),
    case("PRODUCT_MISMATCH", Precondition, false, || {
        with(|book| {
            let dose = calculated(book);
            book.ask("pat", dispense(&vial(5), &dose))
        })
    }),
    case("CALCULATION_COVERED", Precondition, false, || {
        with(|book| {
            let dose = calculated(book);
            book.act("pat", dispense(&vial(1), &dose)).unwrap();
            book.ask("pat", dispense(&vial(2), &dose))
        })
    }),
    case("DISPENSING_SETTLED", Precondition, false, || {
        with(|book| {
            let held = in_hands(book);
            book.act("nia", take_back(&held)).unwrap();
            book.ask("nia", take_back(&held))
        })
    }),
    case("SEAL_BROKEN", Precondition, false, || {
        with(|book| {
            let held = in_hands(book);
            book.ask("nia", v1::ReturnVialRequest { seal_intact: false, ..take_back(&held) })
        })
    }),
    case("ALREADY_WITNESSED", Precondition, false, || {
        with(|book| {
            let waste = wasted(book);
            book.act("ned", witness(&waste, "1 mL")).unwrap();
            book.ask("pat", witness(&waste, "1 mL"))
        })
    }),
    case("WITNESSED_AMOUNT_DIFFERS", Precondition, false, || {
        with(|book| {
            let waste = wasted(book);
            book.ask("ned", witness(&waste, "1.1 mL"))
        })
    }),
    case("VIAL_STATE", Precondition, false, || {
        with(|book| {
            in_hands(book);
            book.ask("pat", emergency(&vial(1)))
        })
    }),
    case("WRONG_DRUG", Precondition, false, || {
        dose(|inputs| NASAL.clone_into(&mut inputs.protocol))
    }),
    case("AGE_OUTSIDE_PROTOCOL", Precondition, true, || dose(|inputs| inputs.age_years = Some(17))),
    case("QUESTION_UNANSWERED", Precondition, false, || {
        dose(|inputs| inputs.answers[3] = answer("intracerebral-haemorrhage", Answer::Unknown))
    }),
    case("CONTRAINDICATED", Precondition, true, || {
        dose(|inputs| inputs.answers[0] = answer("psychosis", Answer::Yes))
    }),
    case("WEIGHT_NOT_MEASURED", Precondition, false, || {
        dose(|inputs| {
            inputs.weight.as_mut().unwrap().set_method(v1::WeightMethod::Stated);
        })
    }),
    case("UNDILUTED", Precondition, true, || dose(|inputs| inputs.diluted_volume = None)),
    case("OVER_HARD_LIMIT", Precondition, true, || dose(|inputs| inputs.dose = q("1.01 mg/kg"))),
    case("NOT_CALCULABLE", Precondition, false, || dose(|inputs| inputs.dose = q("36 mg"))),
    case("SOFT_LIMIT", Precondition, false, || {
        dose(|inputs| (inputs.dose, inputs.syringe) = (q("0.8 mg/kg"), q("10 mL")))
    }),
    case("OVER_DRAW", Precondition, true, || {
        with(|book| {
            let held = in_hands(book);
            let now = book.now;
            book.ask("nia", administer(&held, "20.1 mL", now))
        })
    }),
    case("ABOVE_CALCULATED_DOSE", Precondition, false, || {
        with(|book| {
            let dose = calculated(book);
            let held = dispensing(&book.act("pat", dispense(&vial(1), &dose)).unwrap());
            let now = book.now;
            let above_dose_reason = String::new();
            let again = administer(&held, "3.7 mL", now);
            book.ask("nia", v1::RecordAdministrationRequest { above_dose_reason, ..again })
        })
    }),
    case("IN_FUTURE", Precondition, false, || {
        with(|book| {
            let received_date = date("2026-11-22");
            let delivery = receive(&[line(EUGIA, "G2", "2028-03-31", 1)]);
            book.ask("tom", v1::ReceiveVialsRequest { received_date, ..delivery })
        })
    }),
    case("TOO_EARLY", Precondition, false, || {
        with(|book| {
            book.wait(HOUR);
            let before = book.now;
            book.wait(5 * MINUTE);
            let held = in_hands(book);
            book.ask("nia", waste_of_hands(&held, "1 mL", before))
        })
    }),
    case("WEIGHT_TOO_OLD", Precondition, false, || {
        with(|book| {
            book.wait(30 * DAY);
            book.ask("pat", calculate("p1"))
        })
    }),
    case("ENTRY_TOO_LONG", Precondition, false, || dose(requests::too_long)),
];

fn with(ask: impl FnOnce(&mut Book) -> SignedRequest) -> (Book, SignedRequest) {
    let mut book = clinic();
    let request = ask(&mut book);
    (book, request)
}

fn dose(change: impl FnOnce(&mut v1::DoseInputs)) -> (Book, SignedRequest) {
    with(|book| book.ask("pat", calculate_with(change)))
}

fn calculated(book: &mut Book) -> String {
    calculation(&book.act("pat", calculate("p1")).unwrap())
}

/// Vial 1, whole, in nia's hands for p1.
fn in_hands(book: &mut Book) -> String {
    dispensing(&book.act("pat", emergency(&vial(1))).unwrap())
}

/// 1 mL of vial 1, wasted by nia.
fn wasted(book: &mut Book) -> String {
    let held = in_hands(book);
    let now = book.now;
    waste(&book.act("nia", waste_of_hands(&held, "1 mL", now)).unwrap())
}

/// Submits what must be refused and checks all that is said about refusals.
fn refuse(case: &Case) {
    let (mut book, request) = (case.meet)();
    let before = book.state.clone();
    let answer = book.submit(&request);
    let refusal = match &answer {
        Ok(step) => step.refusal.clone().unwrap_or_else(|| panic!("{} was accepted", case.reason)),
        Err(refusal) => refusal.clone(),
    };
    assert_eq!(refusal.reason(), case.reason, "{refusal}");
    assert_eq!(refusal.class(), case.class, "{}", case.reason);
    assert_eq!(refusal.recorded(), case.recorded, "{}", case.reason);
    assert!(!refusal.to_string().contains("patients/"), "{refusal}");
    if let Ok(step) = answer {
        recorded(&before, &book, &step, &refusal);
    } else {
        assert!(!case.recorded, "{}", case.reason);
        assert!(book.state == before, "{} changed something", case.reason);
    }
    book.audit();
}

/// The entry that keeps a refusal says what was said and changes nothing but the head of the ledger.
fn recorded(before: &State, book: &Book, step: &Step, refusal: &Refusal) {
    assert!(step.changes.is_empty() && step.outcome.balances.is_empty());
    let mut untouched = before.clone();
    untouched.apply(&Step { changes: Vec::new(), ..step.clone() });
    assert!(book.state == untouched, "{refusal} changed something");
    let outcome = book.last_entry().outcome.unwrap();
    let Some(v1::outcome::Result::Refusal(kept)) = outcome.result else {
        panic!("the entry keeps no refusal");
    };
    assert_eq!(kept.reason, refusal.reason());
    assert_eq!(kept.message, refusal.to_string());
    assert_eq!(kept.resource, refusal.resource().unwrap_or_default());
    let subjects: Vec<&str> = step.subjects.iter().map(Subject::as_str).collect();
    assert!(subjects.iter().any(|subject| subject.starts_with("people/")), "{subjects:?}");
    assert!(kept.resource.is_empty() || subjects.contains(&kept.resource.as_str()));
}

#[test]
fn every_reason_is_met_as_documented() {
    let mut left = Refusal::ORDER.to_vec();
    left.retain(|reason| !SAID_BY_THE_SERVICE.contains(reason));
    for table in [&CASES[..], &treatment::CASES] {
        let here = |reason: &&str| table.iter().any(|case| case.reason == *reason);
        let rows: Vec<&str> = table.iter().map(|case| case.reason).collect();
        let ordered: Vec<&str> = left.iter().copied().filter(here).collect();
        assert_eq!(rows, ordered, "one row for each reason, in order of precedence");
        left.retain(|reason| !here(reason));
    }
    assert!(left.is_empty(), "no row for {left:?}");
    for case in CASES.iter().chain(&treatment::CASES) {
        refuse(case);
    }
}

#[test]
fn validating_only_says_the_same_and_records_nothing() {
    let mut book = clinic();
    let before = book.state.clone();
    let inputs = calculate_with(|inputs| inputs.dose = q("1.01 mg/kg")).inputs;
    let refused = v1::CalculateDoseRequest { validate_only: true, inputs, ..Default::default() };
    assert_eq!(book.refused("pat", refused), "OVER_HARD_LIMIT");
    let asks_too_much = v1::CalculateDoseRequest { validate_only: true, ..calculate("p1") };
    assert_eq!(book.refused("nia", asks_too_much.clone()), "ROLE_NOT_HELD");
    let step = book.act("pat", asks_too_much).unwrap();
    assert!(matches!(step.outcome.result, Some(v1::outcome::Result::DoseCalculation(_))));
    assert!(book.state == before, "validating only recorded something");
    book.audit();
}

#[test]
fn a_second_beginning_is_refused_and_so_is_one_by_a_stranger() {
    let mut book = clinic();
    let again = initialize(&book.verifier_key().to_string());
    assert_eq!(book.refused("ada", again.clone()), "RESOURCE_EXISTS");
    assert_eq!(book.refused("eve", again), "UNKNOWN_KEY");
    book.audit();
}

#[test]
fn an_act_that_was_never_made_is_told_apart_from_one_that_was_settled() {
    let mut book = clinic();
    let (now, next) = (book.now, book.state.size());
    for (name, reason) in [
        ("dispensings/0", "DISPENSING_SETTLED"),
        (&format!("dispensings/{next}"), "UNKNOWN_RESOURCE"),
    ] {
        assert_eq!(book.refused("nia", administer(name, "1 mL", now)), reason);
    }
    for (name, reason) in
        [("wastes/0", "ALREADY_WITNESSED"), (&format!("wastes/{next}"), "UNKNOWN_RESOURCE")]
    {
        assert_eq!(book.refused("nia", witness(name, "1 mL")), reason);
    }
    for (name, reason) in [
        ("doseCalculations/0", "CALCULATION_EXPIRED"),
        (&format!("doseCalculations/{next}"), "UNKNOWN_RESOURCE"),
    ] {
        assert_eq!(book.refused("pat", dispense(&vial(1), name)), reason);
    }
    book.audit();
}

#[test]
fn what_is_not_a_request_is_a_violation_with_its_field() {
    let mut book = clinic();
    let scan = v1::DeliveryLine { gs1_scan: "(10)A1".to_owned(), ..line("", "", "2028-03-31", 1) };
    let serials = v1::DeliveryLine {
        serials: vec!["A".to_owned(), "A".to_owned()],
        ..line(KETALAR, "K", "2028-03-31", 2)
    };
    let weight = calculate_with(|inputs| {
        inputs.weight.as_mut().unwrap().quantity =
            Some(v1::Quantity { value: "160".to_owned(), unit: "[lb_av]".to_owned() });
    });
    let violations = [
        (book.violations(receive(&[scan])), "lines[0].gs1_scan"),
        (book.violations(receive(&[serials])), "lines[0].serials"),
        (book.violations(receive(&[])), "lines"),
        (book.violations(receive(&[line(SAGENT, "S", "2028-03-31", 251)])), "lines"),
        (
            book.violations(v1::ReceiveVialsRequest {
                order_form: "  ".to_owned(),
                ..receive(&[line(FENTANYL, "F1", "2028-03-31", 1)])
            }),
            "order_form",
        ),
        (
            book.violations(v1::DispenseVialRequest {
                expiry_order_reason: " ".to_owned(),
                ..emergency(&vial(3))
            }),
            "expiry_order_reason",
        ),
        (book.violations(dispense(&vial(1), "")), "dose_calculation"),
        (
            book.violations(v1::DispenseVialRequest {
                dose_calculation: "doseCalculations/1".to_owned(),
                ..emergency(&vial(1))
            }),
            "emergency_reason",
        ),
        (book.violations(weight), "inputs.weight.quantity"),
        (
            book.violations(v1::RecordAdministrationRequest {
                end_time: after(-MINUTE),
                ..administer("dispensings/1", "1 mL", crate::support::BEGINNING.parse().unwrap())
            }),
            "end_time",
        ),
        (
            book.violations(v1::WitnessRequest {
                amount: q("0 mL"),
                ..witness("wastes/1", "1 mL")
            }),
            "amount",
        ),
        (book.violations(change_roles("nia", &[Role::Nurse, Role::Nurse])), "roles"),
        (
            book.violations(v1::CalculateDoseRequest {
                request_id: "0197c2a0-5b1e-4c3d-8f00-123456789abc".to_owned(),
                ..calculate("p1")
            }),
            "request_id",
        ),
    ];
    for (found, field) in violations {
        let fields: Vec<&str> = found.iter().map(|violation| violation.field.as_str()).collect();
        assert_eq!(fields, [field], "{found:?}");
    }
    book.audit();
}

#[test]
fn a_beginning_with_an_impossible_offset_or_a_cosigners_key_is_a_violation() {
    let mut book = Book::begin();
    let key = book.verifier_key();
    let cosigner = vialedger::tlog::VerifierKey::new(
        key.name().clone(),
        vialedger::tlog::KeyKind::Cosignature,
        key.public_key().clone(),
    );
    let found = book.violations(initialize(&cosigner.to_string()));
    assert_eq!(found[0].field, "verifier_key", "{found:?}");
    for offset in [i32::MIN, -841, 841, i32::MAX] {
        let mut request = initialize(&key.to_string());
        request.site.as_mut().unwrap().utc_offset_minutes = offset;
        let found = book.violations(request);
        assert_eq!(found[0].field, "site.utc_offset_minutes", "{found:?}");
    }
    book.audit();
}
