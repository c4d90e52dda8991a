//! The life of a vial: received by its barcode, dispensed, administered, wasted before a witness, brought back.

use vialedger::names::{PlaceName, ProductName};
use vialedger::pb::v1::{self, FlagKind, record_waste_request::Source};
use vialedger::state::Step;
use vialedger::time::Date;
use vialedger::vial::{Standing, Vial};

use crate::requests::{
    self, EUGIA, FENTANYL, KETALAR, SAGENT, administer, at, calculate, date, dispense, emergency,
    gtin, line, q, receive, take_back, waste as waste_of_hands, waste_of, witness,
};
use crate::support::{
    Book, DAY, HOUR, MINUTE, balance, calculation, clinic, dispensing, flags, publish, vial, waste,
};

/// Scanned containers of one product, counted as invoiced.
fn scanned(gs1_scan: String, counted: u32) -> v1::DeliveryLine {
    v1::DeliveryLine { gs1_scan, counted, invoiced: Some(counted), ..Default::default() }
}

fn received<'a>(book: &'a Book, step: &Step) -> Vec<&'a Vial> {
    let Some(v1::outcome::Result::VialsReceived(received)) = &step.outcome.result else {
        panic!("no delivery: {:?}", step.outcome);
    };
    received.vials.iter().map(|name| &**book.state.vial(name.parse().unwrap()).unwrap()).collect()
}

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

#[test]
fn a_carton_is_received_by_its_barcode() {
    let mut book = clinic();
    // Raw, as the scanner sends it: DataMatrix, the lot ended by the separator, the day 00 for the month's last.
    let scan = format!("]d201{}10L77\u{1d}17280200", gtin("42023-113-10"));
    let step = book.act("tom", receive(&[scanned(scan, 10)])).unwrap();
    let vials = received(&book, &step);
    assert_eq!(vials.len(), 10);
    for vial in vials {
        assert_eq!(vial.label().product.to_string(), KETALAR);
        assert_eq!(vial.label().lot.as_deref(), Some("L77"));
        assert_eq!(vial.label().expiry, Some(day("2028-02-29")));
        assert_eq!(vial.standing(), Standing::InStock);
        assert_eq!(vial.balance().in_container.to_string(), "20 mL");
    }
    assert_eq!(flags(&step), []);
    book.audit();
}

#[test]
fn a_scan_and_what_is_typed_beside_it_must_agree() {
    let mut book = clinic();
    let scan = format!("(01){}(17)280331(10)A1", gtin("55150-438-10"));
    let beside = |change: fn(&mut v1::DeliveryLine)| {
        let mut line = scanned(scan.clone(), 1);
        change(&mut line);
        receive(&[line])
    };
    let differ: [fn(&mut v1::DeliveryLine); 3] = [
        |line| line.product = KETALAR.to_owned(),
        |line| line.lot = "A2".to_owned(),
        |line| line.expiry_date = date("2028-03-30"),
    ];
    for change in differ {
        assert_eq!(book.refused("tom", beside(change)), "SCAN_DIFFERS");
    }
    let agree = beside(|line| {
        line.product = EUGIA.to_owned();
        line.lot = "A1".to_owned();
        line.expiry_date = date("2028-03-31");
    });
    assert_eq!(flags(&book.act("tom", agree).unwrap()), []);
    // What the barcode lacks may be typed.
    let lacking = v1::DeliveryLine {
        lot: "A1".to_owned(),
        ..scanned(format!("(01){}(17)280331", gtin("55150-438-10")), 1)
    };
    let step = book.act("tom", receive(&[lacking])).unwrap();
    assert_eq!(received(&book, &step)[0].label().lot.as_deref(), Some("A1"));
    book.audit();
}

#[test]
fn an_incomplete_or_expired_label_goes_to_quarantine() {
    use FlagKind::{CountDiffersFromInvoice, IncompleteLabel, ReceivedExpired};
    use Standing::{InStock, Quarantined};

    let mut book = clinic();
    let lines = [
        line(EUGIA, "", "2028-03-31", 1),
        v1::DeliveryLine { expiry_date: None, ..line(EUGIA, "G3", "2028-03-31", 1) },
        line(EUGIA, "G4", "2026-11-20", 1),
        // The last day of use is still a day of use.
        line(EUGIA, "G5", "2026-11-21", 1),
        v1::DeliveryLine { invoiced: Some(3), ..line(EUGIA, "G6", "2028-03-31", 2) },
    ];
    let step = book.act("tom", receive(&lines)).unwrap();
    let standings: Vec<Standing> =
        received(&book, &step).iter().map(|vial| vial.standing()).collect();
    assert_eq!(standings, [Quarantined, Quarantined, Quarantined, InStock, InStock, InStock]);
    let expected = [IncompleteLabel, IncompleteLabel, ReceivedExpired, CountDiffersFromInvoice];
    assert_eq!(flags(&step), expected);
    let quarantined = received(&book, &step)[0].name().to_string();
    assert_eq!(book.refused("pat", emergency(&quarantined)), "VIAL_QUARANTINED");
    book.audit();
}

#[test]
fn the_last_day_of_use_ends_at_midnight_of_the_site() {
    let mut book = clinic();
    let lines = [line(EUGIA, "G5", "2026-11-21", 2)];
    let step = book.act("tom", receive(&lines)).unwrap();
    let names: Vec<String> =
        received(&book, &step).iter().map(|vial| vial.name().to_string()).collect();
    // Midnight in Iowa is 06:00 in UTC; the next decision comes a second later.
    book.now = "2026-11-22T05:59:58Z".parse().unwrap();
    book.act("pat", emergency(&names[0])).unwrap();
    assert_eq!(book.refused("pat", emergency(&names[1])), "VIAL_EXPIRED");
    book.audit();
}

#[test]
fn schedule_two_takes_an_order_form() {
    let mut book = clinic();
    let delivery = receive(&[line(FENTANYL, "F1", "2028-03-31", 25)]);
    assert_eq!(book.refused("tom", delivery.clone()), "ORDER_FORM_MISSING");
    let order_form = "22X000001".to_owned();
    book.act("tom", v1::ReceiveVialsRequest { order_form, ..delivery }).unwrap();
    book.audit();
}

#[test]
fn the_vial_that_expires_first_goes_first() {
    let mut book = clinic();
    let error = book.act("pat", emergency(&vial(3))).unwrap_err();
    assert_eq!(error.resource(), Some(vial(1)));
    let expiry_order_reason = "vial 1 and 2 are behind the broken door".to_owned();
    let request = v1::DispenseVialRequest { expiry_order_reason, ..emergency(&vial(3)) };
    let step = book.act("pat", request).unwrap();
    assert_eq!(flags(&step), [FlagKind::Emergency, FlagKind::ExpiryOrder]);
    assert!(step.outcome.flags[1].message.contains("vials/12-1 expires earlier (2027-06-30)"));
    // A reason where none is needed is not a deviation.
    let expiry_order_reason = "as usual".to_owned();
    let request = v1::DispenseVialRequest { expiry_order_reason, ..emergency(&vial(1)) };
    assert_eq!(flags(&book.act("pat", request).unwrap()), [FlagKind::Emergency]);
    // With the earlier ones in hands, the next is the earliest.
    book.act("pat", emergency(&vial(2))).unwrap();
    book.act("pat", emergency(&vial(4))).unwrap();
    book.audit();
}

#[test]
fn a_multiple_dose_vial_ends_28_days_after_its_first_puncture() {
    let mut book = clinic();
    let part = v1::DispenseVialRequest { amount: q("1 mL"), ..emergency(&vial(1)) };
    book.act("pat", part.clone()).unwrap();
    let opened = book.now;
    assert_eq!(book.state.vial(vial(1).parse().unwrap()).unwrap().opened(), Some(opened));
    // A second before its end; every act takes a second.
    book.wait(28 * DAY - 2_000_000);
    book.act("pat", part.clone()).unwrap();
    assert_eq!(book.refused("pat", part), "VIAL_BEYOND_USE");
    // It is no reason to leave the next vial, and what is left is wasted.
    book.act("pat", emergency(&vial(2))).unwrap();
    let (now, source) = (book.now, Source::Vial(vial(1)));
    let wasted = book.act("ben", waste_of(source, "18 mL", now)).unwrap();
    book.act("nia", witness(&waste(&wasted), "18 mL")).unwrap();
    book.audit();
}

#[test]
fn a_single_dose_vial_is_not_parted() {
    let mut book = clinic();
    let part = v1::DispenseVialRequest { amount: q("1 mL"), ..emergency(&vial(5)) };
    let error = book.act("pat", part).unwrap_err();
    assert_eq!(error.reason(), "VIAL_STATE");
    assert!(error.to_string().contains("single-dose"), "{error}");
    book.act("pat", emergency(&vial(5))).unwrap();
    book.audit();
}

#[test]
fn nobody_takes_more_than_there_is() {
    let mut book = clinic();
    let part = |amount| v1::DispenseVialRequest { amount: q(amount), ..emergency(&vial(1)) };
    assert_eq!(book.refused("pat", part("20.001 mL")), "OVER_DRAW");
    let held = dispensing(&book.act("pat", part("5 mL")).unwrap());
    assert_eq!(book.refused("pat", part("15.001 mL")), "OVER_DRAW");
    let now = book.now;
    assert_eq!(book.refused("nia", administer(&held, "5.001 mL", now)), "OVER_DRAW");
    let error = book.act("nia", waste_of_hands(&held, "6 mL", now)).unwrap_err();
    let words = "6 mL cannot come out of vials/12-1: 5 mL is there";
    assert!(error.to_string().starts_with(words), "{error}");
    assert_eq!(book.last_entry().request_type, "vialedger.v1.RecordWasteRequest");
    let left = balance(&book, &vial(1));
    assert_eq!(
        (left.in_container.to_string(), left.in_hands.to_string()),
        ("15 mL".into(), "5 mL".into())
    );
    book.audit();
}

#[test]
fn the_day_of_a_vial_from_calculation_to_the_witness() {
    let mut book = clinic();
    let dose = calculation(&book.act("pat", calculate("p1")).unwrap());
    let held = dispensing(&book.act("ben", dispense(&vial(1), &dose)).unwrap());
    let now = book.now;
    let step = book.act("nia", administer(&held, "3.6 mL", now)).unwrap();
    let Some(v1::outcome::Result::Administration(given)) = &step.outcome.result else { panic!() };
    assert_eq!(given.dose, q("36 mg"));
    assert_eq!(flags(&step), []);
    let wasted = book.act("nia", waste_of_hands(&held, "16.4 mL", now)).unwrap();
    let empty = book.state.vial(vial(1).parse().unwrap()).unwrap();
    assert_eq!(empty.standing(), Standing::AwaitingWitness);
    let error = book.act("nia", witness(&waste(&wasted), "16.4 mL")).unwrap_err();
    assert_eq!(error.reason(), "SELF_WITNESS");
    assert!(matches!(
        book.last_entry().outcome.unwrap().result,
        Some(v1::outcome::Result::Refusal(_))
    ));
    assert_eq!(book.refused("ned", witness(&waste(&wasted), "16 mL")), "WITNESSED_AMOUNT_DIFFERS");
    assert_eq!(book.refused("tom", witness(&waste(&wasted), "16.4 mL")), "ROLE_NOT_HELD");
    let step = book.act("ned", witness(&waste(&wasted), "16.4 mL")).unwrap();
    assert_eq!(flags(&step), []);
    assert_eq!(step.outcome.balances[0].state(), v1::VialState::Closed);
    assert!(book.state.vial(vial(1).parse().unwrap()).is_none());
    assert!(book.state.was_received(vial(1).parse().unwrap()));
    book.audit();
}

#[test]
fn a_late_witness_and_a_late_entry_are_flagged() {
    let mut book = clinic();
    let held = dispensing(&book.act("pat", emergency(&vial(1))).unwrap());
    let happened = book.now;
    book.wait(HOUR + MINUTE);
    let wasted = book.act("nia", waste_of_hands(&held, "1 mL", happened)).unwrap();
    assert_eq!(flags(&wasted), [FlagKind::LateEntry]);
    let step = book.act("ned", witness(&waste(&wasted), "1 mL")).unwrap();
    assert_eq!(flags(&step), [FlagKind::WitnessedLate]);
    let step = book.act("nia", administer(&held, "1 mL", happened)).unwrap();
    assert_eq!(flags(&step), [FlagKind::LateEntry]);
    book.audit();
}

#[test]
fn only_an_intact_vial_comes_back() {
    let mut book = clinic();
    let held = dispensing(&book.act("pat", emergency(&vial(1))).unwrap());
    let broken = v1::ReturnVialRequest { seal_intact: false, ..take_back(&held) };
    assert_eq!(book.refused("nia", broken), "SEAL_BROKEN");
    assert_eq!(book.refused("ned", take_back(&held)), "NOT_THE_HOLDER");
    // A pharmacist takes any vial back, here to another place.
    let place = "places/ward".to_owned();
    let step = book.act("ben", v1::ReturnVialRequest { place, ..take_back(&held) }).unwrap();
    assert_eq!(step.outcome.balances[0].state(), v1::VialState::InStock);
    let back = book.state.vial(vial(1).parse().unwrap()).unwrap();
    assert_eq!(back.place(), &PlaceName::new("ward").unwrap());
    // Opened, even by a drop, it does not come back; nor does a part.
    let held = dispensing(&book.act("pat", emergency(&vial(2))).unwrap());
    let now = book.now;
    book.act("nia", administer(&held, "0.1 mL", now)).unwrap();
    assert_eq!(book.refused("nia", take_back(&held)), "VIAL_STATE");
    let part = v1::DispenseVialRequest { amount: q("1 mL"), ..emergency(&vial(3)) };
    let held = dispensing(&book.act("pat", part).unwrap());
    assert_eq!(book.refused("nia", take_back(&held)), "VIAL_STATE");
    book.audit();
}

#[test]
fn the_patient_at_the_bedside_must_be_the_one_it_is_for() {
    let mut book = clinic();
    let held = dispensing(&book.act("pat", emergency(&vial(1))).unwrap());
    let (now, patient) = (book.now, "patients/p2".to_owned());
    let other = v1::RecordAdministrationRequest { patient, ..administer(&held, "1 mL", now) };
    let error = book.act("nia", other).unwrap_err();
    assert_eq!(error.reason(), "PATIENT_MISMATCH");
    assert!(!error.to_string().contains("p1"), "a refusal names no patient: {error}");
    book.audit();
}

#[test]
fn a_calculation_is_covered_once_enough_was_handed_out() {
    let mut book = clinic();
    let dose = calculation(&book.act("pat", calculate("p1")).unwrap());
    let part = |amount| v1::DispenseVialRequest { amount: q(amount), ..dispense(&vial(1), &dose) };
    book.act("pat", part("2 mL")).unwrap();
    let second = dispensing(&book.act("pat", part("1.6 mL")).unwrap());
    let error = book.act("pat", part("0.1 mL")).unwrap_err();
    assert_eq!(error.reason(), "CALCULATION_COVERED");
    assert!(error.to_string().contains("needs 3.6 mL and 3.6 mL was dispensed"), "{error}");
    // A whole vial that comes back frees the calculation again; a wasted part does not.
    let now = book.now;
    book.act("nia", waste_of_hands(&second, "1.6 mL", now)).unwrap();
    assert_eq!(book.refused("pat", part("1.6 mL")), "CALCULATION_COVERED");
    let dose = calculation(&book.act("pat", calculate("p1")).unwrap());
    let whole = dispensing(&book.act("pat", dispense(&vial(2), &dose)).unwrap());
    let more = v1::DispenseVialRequest { amount: q("1 mL"), ..dispense(&vial(1), &dose) };
    assert_eq!(book.refused("pat", more), "CALCULATION_COVERED");
    book.act("nia", take_back(&whole)).unwrap();
    book.act("pat", dispense(&vial(2), &dose)).unwrap();
    book.audit();
}

#[test]
fn more_than_was_calculated_takes_a_reason_and_is_flagged() {
    let mut book = clinic();
    let dose = calculation(&book.act("pat", calculate("p1")).unwrap());
    let held = dispensing(&book.act("pat", dispense(&vial(1), &dose)).unwrap());
    let now = book.now;
    let step = book.act("nia", administer(&held, "3.6 mL", now)).unwrap();
    assert_eq!(flags(&step), []);
    // The same again by mistake is stopped; more on purpose says why.
    let again = v1::RecordAdministrationRequest {
        above_dose_reason: String::new(),
        ..administer(&held, "3.6 mL", now)
    };
    let error = book.act("nia", again).unwrap_err();
    assert_eq!(error.reason(), "ABOVE_CALCULATED_DOSE");
    assert!(error.to_string().contains("with this, 7.2 mL"), "{error}");
    let step = book.act("nia", administer(&held, "0.2 mL", now)).unwrap();
    assert_eq!(flags(&step), [FlagKind::AboveCalculatedDose]);
    let words = "3.8 mL administered, 3.6 mL calculated: titrated to effect";
    assert_eq!(step.outcome.flags[0].message, words);
    book.audit();
}

#[test]
fn stock_is_wasted_by_a_pharmacist_when_it_is_open_or_broken() {
    let mut book = clinic();
    let now = book.now;
    let of = |number| waste_of(Source::Vial(vial(number)), "20 mL", now);
    assert_eq!(book.refused("nia", of(1)), "ROLE_NOT_HELD");
    let error = book.act("ben", of(1)).unwrap_err();
    assert!(error.to_string().contains("Form 41"), "{error}");
    let broken = |number| v1::RecordWasteRequest {
        reason: v1::WasteReason::BrokenOrSpilled.into(),
        ..of(number)
    };
    let wasted = book.act("ben", broken(1)).unwrap();
    assert_eq!(wasted.outcome.balances[0].state(), v1::VialState::AwaitingWitness);
    assert_eq!(book.refused("pat", emergency(&vial(1))), "VIAL_STATE");
    assert_eq!(book.refused("ben", witness(&waste(&wasted), "20 mL")), "SELF_WITNESS");
    book.act("nia", witness(&waste(&wasted), "20 mL")).unwrap();
    // In quarantine, too.
    book.act("ben", broken(10)).unwrap();
    book.audit();
}

#[test]
fn a_calculation_is_valid_for_an_hour_and_not_a_microsecond_longer() {
    let mut book = clinic();
    let step = book.act("pat", calculate("p1")).unwrap();
    let Some(v1::outcome::Result::DoseCalculation(dose)) = &step.outcome.result else { panic!() };
    assert_eq!(dose.expire_time, at(book.now.checked_add_micros(HOUR).unwrap()));
    book.wait(HOUR - 1_000_001);
    let part = v1::DispenseVialRequest { amount: q("1 mL"), ..dispense(&vial(1), &dose.name) };
    let last = book.act("pat", part.clone()).unwrap();
    book.now = book.now.checked_add_micros(-999_999).unwrap();
    assert_eq!(book.refused("pat", part), "CALCULATION_EXPIRED");
    // What was handed out in time is still administered and accounted for.
    book.wait(2 * HOUR);
    let now = book.now;
    book.act("nia", administer(&dispensing(&last), "1 mL", now)).unwrap();
    assert!(book.state.calculation(step.entry.index()).is_some());
    book.act("ada", requests::create_place("attic")).unwrap();
    assert!(book.state.calculation(step.entry.index()).is_none(), "nobody needs it any more");
    book.audit();
}

#[test]
fn a_device_ahead_of_the_clock_is_forgiven_two_minutes() {
    let mut book = clinic();
    let held = dispensing(&book.act("pat", emergency(&vial(1))).unwrap());
    let ahead = |book: &Book, micros| book.now.checked_add_micros(micros).unwrap();
    let moment = ahead(&book, 2 * MINUTE + 1_000_000);
    book.act("nia", administer(&held, "1 mL", moment)).unwrap();
    let moment = ahead(&book, 2 * MINUTE + 1_000_001);
    assert_eq!(book.refused("nia", administer(&held, "1 mL", moment)), "IN_FUTURE");
    book.audit();
}

#[test]
fn what_is_on_hand_has_no_upper_bound() {
    // 44 deliveries of 250 vials of 100 mL are more than the 1,000 L that one volume can be.
    let mut book = clinic();
    let text =
        requests::formulary_of(&[KETALAR, EUGIA, SAGENT, "products/propofol-0069-0248-10"], &[]);
    publish(&mut book, &text);
    let product = "products/propofol-0069-0248-10";
    for number in 0..44 {
        let lot = format!("P{number}");
        book.act("tom", receive(&[line(product, &lot, "2028-03-31", 250)])).unwrap();
    }
    let on_hand = book.state.on_hand();
    let key = (PlaceName::new("safe").unwrap(), product.parse::<ProductName>().unwrap());
    assert_eq!(on_hand[&key].amount.to_string(), "1,100,000 mL");
    assert_eq!(on_hand[&key].sealed, 11_000);
}
