//! What two faults at once are refused for: the one that comes first in the documented order.
//!
//! For each act there is a request that would be accepted, and the faults that it can have, each with the part of the
//! request that it spoils. Every pair of faults in different parts is tried.

mod treatment;

use vialedger::command::Command;
use vialedger::decide::rights;
use vialedger::pb::v1::record_waste_request::Source;
use vialedger::pb::v1::{self, Answer, Role};
use vialedger::refusal::Refusal;

use crate::requests::{
    self, EUGIA, FENTANYL, KETALAR, Request, SAGENT, administer, after, answer, approve, calculate,
    calculate_with, date, dispense, emergency, enroll, gtin, line, q, quarantine, receive, revoke,
    take_back, waste as waste_of_hands, witness,
};
use crate::support::{Book, DAY, HOUR, calculation, clinic, dispensing, vial, waste};

/// A request that would be accepted, and the ledger that would accept it.
struct Ready<R> {
    book: Book,
    who: &'static str,
    request: R,
}

/// Spoils one part of a request.
struct Fault<R> {
    reason: &'static str,
    part: &'static str,
    spoil: fn(&mut Ready<R>),
}

const fn fault<R>(reason: &'static str, part: &'static str, spoil: fn(&mut Ready<R>)) -> Fault<R> {
    Fault { reason, part, spoil }
}

/// These faults and those that any request can have.
fn with_header<R: Request>(own: Vec<Fault<R>>) -> Vec<Fault<R>> {
    let mut faults = vec![
        fault("UNKNOWN_KEY", "signer", |ready| ready.who = "eve"),
        fault("KEY_REVOKED", "signer", |ready| {
            ready.book.act("ada", revoke("aud")).unwrap();
            ready.who = "aud";
        }),
        fault("SIGNED_FOR_ANOTHER_LEDGER", "ledger", |ready: &mut Ready<R>| {
            "ledger.example/other".clone_into(ready.request.header().0);
        }),
        fault("ROLE_NOT_HELD", "signer", |ready| ready.who = "aud"),
    ];
    faults.extend(own);
    faults
}

fn rank(reason: &str) -> usize {
    Refusal::ORDER.iter().position(|known| *known == reason).unwrap()
}

/// Tries the request as it is, with each fault, and with each pair of faults. Gives the number of pairs.
fn try_all<R: Request>(ready: fn() -> Ready<R>, faults: &[Fault<R>]) -> usize {
    let answer = |spoilt: Ready<R>| {
        let Ready { mut book, who, request } = spoilt;
        let answer = book.act(who, request);
        (book, answer.map(|_| ()).map_err(|refusal| refusal.reason()))
    };
    let (book, accepted) = answer(ready());
    assert_eq!(accepted, Ok(()), "{}", crate::support::kind_of::<R>());
    book.audit();
    let mut pairs = 0;
    for (place, first) in faults.iter().enumerate() {
        let mut one = ready();
        (first.spoil)(&mut one);
        assert_eq!(answer(one).1, Err(first.reason), "{} alone", first.reason);
        for second in faults.iter().skip(place + 1).filter(|second| second.part != first.part) {
            let mut both = ready();
            (first.spoil)(&mut both);
            (second.spoil)(&mut both);
            let expected = if rank(first.reason) <= rank(second.reason) { first } else { second };
            let (book, refused) = answer(both);
            let names = (first.part, first.reason, second.part, second.reason);
            assert_eq!(refused, Err(expected.reason), "{names:?}");
            pairs += 1;
            if pairs % 40 == 0 {
                book.audit();
            }
        }
    }
    pairs
}

#[test]
fn a_dose() {
    let faults = with_header::<v1::CalculateDoseRequest>(vec![
        fault("EXPECTED_SIZE_STALE", "size", |ready| ready.request.expected_size = Some(3)),
        fault("UNKNOWN_RESOURCE", "product", |ready| {
            inputs(ready).product = "products/none".to_owned();
        }),
        fault("WRONG_DRUG", "product", |ready| inputs(ready).product = FENTANYL.to_owned()),
        fault("AGE_OUTSIDE_PROTOCOL", "age", |ready| inputs(ready).age_years = Some(17)),
        fault("QUESTION_UNANSWERED", "an answer", |ready| {
            inputs(ready).answers.pop();
        }),
        fault("CONTRAINDICATED", "another answer", |ready| {
            inputs(ready).answers[0] = answer("psychosis", Answer::Yes);
        }),
        fault("WEIGHT_NOT_MEASURED", "method", |ready| {
            weight(ready).set_method(v1::WeightMethod::Estimated);
        }),
        fault("UNDILUTED", "dilution", |ready| inputs(ready).diluted_volume = None),
        fault("OVER_HARD_LIMIT", "duration", |ready| {
            inputs(ready).infusion_duration = q("10 min");
        }),
        fault("OVER_HARD_LIMIT", "dose", |ready| inputs(ready).dose = q("5 mg/kg")),
        fault("NOT_CALCULABLE", "dose", |ready| inputs(ready).dose = q("36 mg")),
        fault("NOT_CALCULABLE", "syringe", |ready| inputs(ready).syringe = q("3 mL")),
        fault("NOT_CALCULABLE", "syringe", |ready| inputs(ready).syringe = q("7 mL")),
        fault("NOT_CALCULABLE", "syringe", |ready| inputs(ready).syringe = None),
        fault("SOFT_LIMIT", "dose", |ready| inputs(ready).dose = q("0.8 mg/kg")),
        fault("SOFT_LIMIT", "height", |ready| inputs(ready).height = q("250 cm")),
        fault("SOFT_LIMIT", "overrides", |ready| {
            inputs(ready).answers[6] = answer("raised-pressure", Answer::Yes);
        }),
        fault("IN_FUTURE", "weight's time", |ready| weight(ready).measured_time = after(DAY)),
        fault("WEIGHT_TOO_OLD", "weight's time", |ready| {
            weight(ready).measured_time = after(-31 * DAY);
        }),
        fault("ENTRY_TOO_LONG", "overrides", |ready| requests::too_long(inputs(ready))),
    ]);
    let ready = || Ready {
        book: clinic(),
        who: "pat",
        request: calculate_with(|inputs| inputs.syringe = q("10 mL")),
    };
    assert!(try_all(ready, &faults) > 200);
}

fn inputs(ready: &mut Ready<v1::CalculateDoseRequest>) -> &mut v1::DoseInputs {
    ready.request.inputs.as_mut().unwrap()
}

fn weight(ready: &mut Ready<v1::CalculateDoseRequest>) -> &mut v1::BodyWeight {
    inputs(ready).weight.as_mut().unwrap()
}

#[test]
fn a_dispensing() {
    let faults = with_header::<v1::DispenseVialRequest>(vec![
        fault("EXPECTED_SIZE_STALE", "size", |ready| ready.request.expected_size = Some(3)),
        fault("UNKNOWN_RESOURCE", "vial", |ready| ready.request.vial = vial(99)),
        fault("UNKNOWN_RESOURCE", "holder", |ready| {
            ready.request.holder = "people/eve".to_owned();
        }),
        fault("UNKNOWN_RESOURCE", "calculation", |ready| {
            ready.request.dose_calculation = "doseCalculations/9999".to_owned();
        }),
        fault("CALCULATION_EXPIRED", "calculation", |ready| {
            ready.request.dose_calculation = "doseCalculations/1".to_owned();
        }),
        fault("VIAL_EXPIRED", "vial", |ready| ready.request.vial = vial(11)),
        fault("VIAL_BEYOND_USE", "vial", |ready| ready.request.vial = vial(2)),
        fault("VIAL_QUARANTINED", "vial", |ready| ready.request.vial = vial(10)),
        fault("VIAL_CLOSED", "vial", |ready| {
            let held = ready.book.act("pat", emergency(&vial(7))).unwrap();
            let now = ready.book.now;
            ready.book.act("nia", administer(&dispensing(&held), "1 {device}", now)).unwrap();
            ready.request.vial = vial(7);
        }),
        fault("EARLIER_EXPIRY_IN_STOCK", "vial", |ready| ready.request.vial = vial(3)),
        fault("HOLDER_NOT_LICENSED", "holder", |ready| {
            ready.request.holder = "people/tom".to_owned();
        }),
        fault("PATIENT_MISMATCH", "patient", |ready| {
            ready.request.patient = "patients/p2".to_owned();
        }),
        fault("PRODUCT_MISMATCH", "calculation", |ready| {
            let other = ready.book.act(
                "pat",
                v1::CalculateDoseRequest {
                    inputs: Some(of_today(ready, SAGENT)),
                    ..Default::default()
                },
            );
            ready.request.dose_calculation = calculation(&other.unwrap());
        }),
        fault("CALCULATION_COVERED", "calculation", |ready| {
            let used = emergency(&vial(4));
            let used = v1::DispenseVialRequest {
                emergency_reason: String::new(),
                dose_calculation: ready.request.dose_calculation.clone(),
                expiry_order_reason: "damaged box".to_owned(),
                ..used
            };
            ready.book.act("pat", used).unwrap();
        }),
        fault("VIAL_STATE", "amount", |ready| ready.request.amount = q("1 {device}")),
        fault("OVER_DRAW", "amount", |ready| ready.request.amount = q("20.1 mL")),
    ]);
    assert!(try_all(ready_to_dispense, &faults) > 80);
}

/// Days later: vial 2 is beyond its use, vial 11 expired, and there is a calculation for vial 1.
fn ready_to_dispense() -> Ready<v1::DispenseVialRequest> {
    let mut book = clinic();
    let part = v1::DispenseVialRequest { amount: q("1 mL"), ..emergency(&vial(2)) };
    book.act("pat", part).unwrap();
    book.wait(29 * DAY);
    let mut ready = Ready { book, who: "pat", request: dispense(&vial(1), "") };
    let inputs = of_today(&ready, KETALAR);
    let request = v1::CalculateDoseRequest { inputs: Some(inputs), ..Default::default() };
    ready.request.dose_calculation = calculation(&ready.book.act("pat", request).unwrap());
    ready
}

fn of_today<R>(ready: &Ready<R>, product: &str) -> v1::DoseInputs {
    let mut inputs = requests::inputs("p1");
    product.clone_into(&mut inputs.product);
    inputs.syringe = q("1 mL").filter(|_| product == SAGENT).or(q("5 mL"));
    inputs.weight.as_mut().unwrap().measured_time = requests::at(ready.book.now);
    inputs
}

#[test]
fn an_administration() {
    let ready = || {
        let mut book = clinic();
        book.wait(HOUR);
        let held = book.act("pat", emergency(&vial(1))).unwrap();
        let request = administer(&dispensing(&held), "1 mL", book.now);
        Ready { book, who: "nia", request }
    };
    let faults = with_header::<v1::RecordAdministrationRequest>(vec![
        fault("UNKNOWN_RESOURCE", "dispensing", |ready| {
            ready.request.dispensing = "dispensings/999".to_owned();
        }),
        fault("DISPENSING_SETTLED", "dispensing", |ready| {
            ready.request.dispensing = "dispensings/1".to_owned();
        }),
        fault("NOT_THE_HOLDER", "signer", |ready| ready.who = "ned"),
        fault("PATIENT_MISMATCH", "patient", |ready| {
            ready.request.patient = "patients/p2".to_owned();
        }),
        fault("VIAL_STATE", "amount", |ready| ready.request.amount = q("1 {device}")),
        fault("OVER_DRAW", "amount", |ready| ready.request.amount = q("21 mL")),
        fault("IN_FUTURE", "end", |ready| ready.request.end_time = after(DAY)),
        fault("TOO_EARLY", "start", |ready| ready.request.start_time = after(0)),
    ]);
    // Whose a dispensing is can only be asked of one that is there.
    let (settled, rest): (Vec<_>, Vec<_>) =
        faults.into_iter().partition(|fault| fault.part == "dispensing");
    assert!(try_all(ready, &rest) > 20);
    let not_the_holder = |fault: &Fault<_>| fault.reason != "NOT_THE_HOLDER";
    let others = rest
        .into_iter()
        .filter(not_the_holder)
        .filter(|fault| !["patient", "amount", "start"].contains(&fault.part));
    assert!(try_all(ready, &settled.into_iter().chain(others).collect::<Vec<_>>()) > 8);
}

#[test]
fn a_waste() {
    let ready = || {
        let mut book = clinic();
        book.wait(HOUR);
        let held = book.act("pat", emergency(&vial(1))).unwrap();
        let request = waste_of_hands(&dispensing(&held), "1 mL", book.now);
        Ready { book, who: "nia", request }
    };
    let faults = with_header::<v1::RecordWasteRequest>(vec![
        fault("NOT_THE_HOLDER", "signer", |ready| ready.who = "ned"),
        fault("VIAL_STATE", "amount", |ready| ready.request.amount = q("1 {device}")),
        fault("OVER_DRAW", "amount", |ready| ready.request.amount = q("21 mL")),
        fault("IN_FUTURE", "time", |ready| ready.request.occurred_time = after(DAY)),
        fault("TOO_EARLY", "time", |ready| ready.request.occurred_time = after(0)),
    ]);
    assert!(try_all(ready, &faults) > 15);
}

#[test]
fn a_witness() {
    let ready = || {
        let mut book = clinic();
        let held = dispensing(&book.act("pat", emergency(&vial(1))).unwrap());
        let now = book.now;
        let done = book.act("nia", waste_of_hands(&held, "1 mL", now)).unwrap();
        Ready { book, who: "ned", request: witness(&waste(&done), "1 mL") }
    };
    let faults = with_header::<v1::WitnessRequest>(vec![
        fault("SELF_WITNESS", "signer", |ready| ready.who = "nia"),
        fault("WITNESSED_AMOUNT_DIFFERS", "amount", |ready| ready.request.amount = q("2 mL")),
    ]);
    assert!(try_all(ready, &faults) > 8);
}

#[test]
fn a_return() {
    let ready = || {
        let mut book = clinic();
        let held = dispensing(&book.act("pat", emergency(&vial(1))).unwrap());
        Ready { book, who: "nia", request: take_back(&held) }
    };
    let faults = with_header::<v1::ReturnVialRequest>(vec![
        fault("NOT_THE_HOLDER", "signer", |ready| ready.who = "ned"),
        fault("UNKNOWN_RESOURCE", "place", |ready| {
            ready.request.place = "places/none".to_owned();
        }),
        fault("SEAL_BROKEN", "seal", |ready| ready.request.seal_intact = false),
        fault("VIAL_STATE", "vial", |ready| {
            let (held, now) = (ready.request.dispensing.clone(), ready.book.now);
            ready.book.act("nia", administer(&held, "1 mL", now)).unwrap();
        }),
    ]);
    assert!(try_all(ready, &faults) > 15);
}

#[test]
fn a_quarantine() {
    let ready = || Ready { book: clinic(), who: "ben", request: quarantine(EUGIA, "G2") };
    let faults = with_header::<v1::QuarantineVialsRequest>(vec![
        fault("ROLE_NOT_HELD", "signer", |ready| ready.who = "nia"),
        fault("EXPECTED_SIZE_STALE", "size", |ready| ready.request.expected_size = Some(3)),
        fault("UNKNOWN_RESOURCE", "product", |ready| {
            ready.request.product = "products/none".to_owned();
        }),
    ]);
    assert!(try_all(ready, &faults) > 8);
}

#[test]
fn a_delivery() {
    let ready = || Ready {
        book: clinic(),
        who: "tom",
        request: receive(&[line(EUGIA, "G2", "2028-03-31", 1), line(EUGIA, "G3", "2028-03-31", 1)]),
    };
    let faults = with_header::<v1::ReceiveVialsRequest>(vec![
        fault("UNKNOWN_RESOURCE", "place", |ready| {
            ready.request.place = "places/none".to_owned();
        }),
        fault("UNKNOWN_RESOURCE", "second line", |ready| {
            ready.request.lines[1].product = "products/none".to_owned();
        }),
        fault("UNKNOWN_GTIN", "second line", |ready| {
            ready.request.lines[1].gs1_scan = format!("(01){}", gtin("0409-2051-05"));
        }),
        fault("SCAN_DIFFERS", "first line", |ready| {
            ready.request.lines[0].gs1_scan = format!("(01){}(10)A1", gtin("55150-438-10"));
        }),
        fault("ORDER_FORM_MISSING", "second line", |ready| {
            ready.request.lines[1].product = FENTANYL.to_owned();
        }),
        fault("IN_FUTURE", "day", |ready| ready.request.received_date = date("2027-01-01")),
    ]);
    assert!(try_all(ready, &faults) > 25);
}

#[test]
fn an_approval() {
    let ready = || {
        let mut book = clinic();
        let step = book.act("ada", enroll("zoe", &[Role::Nurse])).unwrap();
        Ready { book, who: "ben", request: approve(&step) }
    };
    let faults = with_header::<v1::ApproveRequest>(vec![
        fault("SELF_APPROVAL", "signer", |ready| ready.who = "ada"),
        fault("PROPOSAL_DIFFERS", "leaf hash", |ready| ready.request.leaf_hash = vec![0; 32]),
        fault("RESOURCE_EXISTS", "person", |ready| {
            let again = ready.book.act("ada", enroll("zoe", &[Role::Nurse])).unwrap();
            ready.book.act("ben", approve(&again)).unwrap();
        }),
    ]);
    assert!(try_all(ready, &faults) > 8);
}

#[test]
fn a_beginner_learns_nothing_of_what_is_there() {
    // An auditor, who may change nothing, gets the same answer whatever the request names.
    let mut book = clinic();
    let held = dispensing(&book.act("pat", emergency(&vial(1))).unwrap());
    let now = book.now;
    let proposal = book.act("ada", enroll("zoe", &[Role::Nurse])).unwrap();
    let unknown = v1::ApproveRequest { proposal: "entries/3".to_owned(), ..approve(&proposal) };
    let answers = [
        book.refused("aud", emergency(&vial(1))),
        book.refused("aud", emergency("vials/99-1")),
        book.refused("aud", administer(&held, "1 mL", now)),
        book.refused("aud", administer("dispensings/999", "1 mL", now)),
        book.refused("aud", approve(&proposal)),
        book.refused("aud", unknown),
        book.refused("aud", revoke("nia")),
        book.refused("aud", revoke("nobody")),
        book.refused("aud", calculate("p1")),
        book.refused("aud", calculate_with(|inputs| inputs.product = "products/no".to_owned())),
    ];
    assert_eq!(answers, ["ROLE_NOT_HELD"; 10]);
    book.audit();
}

/// Whether the roles that an explanation shows for an act are those that its refusal names.
fn rights_are_those_of_the_refusal<R: Request>(book: &mut Book, who: &str, request: R) {
    let request = book.ask(who, request);
    let command = Command::parse(request.kind(), request.bytes()).unwrap();
    let shown = rights(&book.state, request.key(), &command.act);
    let refusal = match book.submit(&request) {
        Ok(step) => step.refusal,
        Err(refusal) => Some(refusal),
    };
    match refusal {
        Some(Refusal::RoleNotHeld { needed, .. }) => {
            assert_eq!(needed, shown, "{}", request.kind());
        }
        other => panic!("{}: {other:?}", request.kind()),
    }
}

#[test]
fn the_roles_that_an_explanation_shows_are_those_that_the_rules_ask_for() {
    let mut book = clinic();
    let held = dispensing(&book.act("pat", emergency(&vial(1))).unwrap());
    let now = book.now;
    let wasted = waste(&book.act("nia", waste_of_hands(&held, "1 mL", now)).unwrap());
    let person = book.act("ada", enroll("zoe", &[Role::Nurse])).unwrap();
    let formulary = book.act("ben", requests::publish(&requests::small_formulary())).unwrap();
    let book = &mut book;
    rights_are_those_of_the_refusal(book, "aud", enroll("zed", &[Role::Nurse]));
    rights_are_those_of_the_refusal(book, "aud", requests::change_roles("nia", &[Role::Nurse]));
    rights_are_those_of_the_refusal(book, "aud", requests::enroll_key("nia", "nia-2"));
    rights_are_those_of_the_refusal(book, "aud", revoke("nia"));
    rights_are_those_of_the_refusal(book, "aud", requests::create_place("annex"));
    rights_are_those_of_the_refusal(book, "aud", requests::publish(&requests::small_formulary()));
    // Whoever may approve nothing is not told what waits; a prescriber may approve other things.
    rights_are_those_of_the_refusal(book, "pat", approve(&formulary));
    rights_are_those_of_the_refusal(book, "aud", calculate("p1"));
    rights_are_those_of_the_refusal(book, "aud", requests::delivery());
    rights_are_those_of_the_refusal(book, "aud", emergency(&vial(2)));
    rights_are_those_of_the_refusal(book, "aud", administer(&held, "1 mL", now));
    rights_are_those_of_the_refusal(book, "aud", waste_of_hands(&held, "1 mL", now));
    rights_are_those_of_the_refusal(book, "aud", witness(&wasted, "1 mL"));
    rights_are_those_of_the_refusal(book, "aud", take_back(&held));
    // What takes more than the first question of the rules: stock, and a second administrator.
    let stock = Source::Vial(vial(3));
    rights_are_those_of_the_refusal(book, "nia", requests::waste_of(stock, "1 mL", now));
    let phil = book.act("ada", enroll("phil", &[Role::Pharmacist])).unwrap();
    book.act("ben", approve(&phil)).unwrap();
    rights_are_those_of_the_refusal(book, "phil", approve(&person));
    // A key of one's own takes no role.
    let own = book.ask("aud", revoke("aud"));
    let command = Command::parse(own.kind(), own.bytes()).unwrap();
    assert!(rights(&book.state, own.key(), &command.act).is_empty());
    book.submit(&own).unwrap();
    book.audit();
}
