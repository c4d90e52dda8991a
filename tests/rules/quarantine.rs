//! A recalled lot: nothing of it is dispensed from that moment on, wherever it is and whenever it comes in.

use vialedger::pb::v1::{self, FlagKind, outcome};
use vialedger::vial::Standing;

use crate::requests::{
    EUGIA, KETALAR, administer, emergency, line, quarantine, receive, take_back,
};
use crate::support::{Book, MINUTE, clinic, dispensing, flags, vial};

/// Earlier than whatever is in stock, so that it goes first.
const SOON: &str = "2026-11-22";

/// Six vials of lot R1, and a seventh of another lot; the delivery's index.
fn stocked() -> (Book, u64) {
    let mut book = clinic();
    let lines = [line(EUGIA, "R1", SOON, 6), line(EUGIA, "R2", SOON, 1)];
    let step = book.act("tom", receive(&lines)).unwrap();
    (book, step.entry.index())
}

fn standing(book: &Book, delivery: u64, number: u32) -> Standing {
    book.state.vial(vialedger::names::VialName { delivery, number }).unwrap().standing()
}

fn recalled(book: &mut Book, lot: &str) -> v1::LotQuarantined {
    let step = book.act("ben", quarantine(EUGIA, lot)).unwrap();
    let Some(outcome::Result::LotQuarantined(made)) = step.outcome.result else { panic!() };
    assert_eq!(usize::try_from(made.vials).unwrap(), step.outcome.balances.len());
    made
}

#[test]
fn nothing_of_a_quarantined_lot_is_dispensed_whether_it_is_here_in_hands_or_still_to_come() {
    let (mut book, delivery) = stocked();
    let name = |number: u32| format!("vials/{delivery}-{number}");
    let held = dispensing(&book.act("pat", emergency(&name(1))).unwrap());
    let made = recalled(&mut book, "R1");
    assert_eq!((made.vials, made.vials_left, made.in_hands), (6, 0, vec![held.clone()]));
    assert_eq!(standing(&book, delivery, 2), Standing::Quarantined);
    assert_eq!(standing(&book, delivery, 7), Standing::InStock, "another lot");
    assert_eq!(book.refused("pat", emergency(&name(2))), "LOT_QUARANTINED");
    let refusal = book.act("pat", emergency(&name(2))).unwrap_err().to_string();
    assert!(refusal.contains("lot R1") && refusal.contains("D-0123-2027"), "{refusal}");
    book.act("pat", emergency(&name(7))).unwrap();

    // What was called back goes to quarantine.
    book.act("nia", take_back(&held)).unwrap();
    assert_eq!(standing(&book, delivery, 1), Standing::Quarantined);
    assert_eq!(book.refused("pat", emergency(&name(1))), "LOT_QUARANTINED");

    // And so does what comes in later, as the entry alone says for ever.
    let step = book.act("tom", receive(&[line(EUGIA, "R1", SOON, 2)])).unwrap();
    assert_eq!(flags(&step), [FlagKind::ReceivedQuarantinedLot]);
    let later = step.entry.index();
    assert_eq!(standing(&book, later, 1), Standing::Quarantined);
    assert_eq!(book.refused("pat", emergency(&format!("vials/{later}-1"))), "LOT_QUARANTINED");
    let shown = |row: usize| {
        let entry = vialedger::ledger::ParsedEntry::parse(book.rows[row].clone()).unwrap();
        vialedger::decide::received(&book.state, &entry).unwrap()[0].standing()
    };
    assert_eq!(shown(usize::try_from(later).unwrap()), Standing::Quarantined);
    assert_eq!(shown(usize::try_from(delivery).unwrap()), Standing::InStock);

    // The same again finds nothing to do, and its time stays the first one.
    let since = book.state.lot(&EUGIA.parse().unwrap(), "R1").unwrap().since;
    assert_eq!(recalled(&mut book, "R1").vials, 0);
    assert_eq!(book.state.lot(&EUGIA.parse().unwrap(), "R1").unwrap().since, since);
    book.audit();
}

#[test]
fn what_was_given_from_a_lot_is_flagged_only_from_its_recall_on() {
    for (begun_before, expected) in
        [(true, vec![]), (false, vec![FlagKind::GivenFromQuarantinedLot])]
    {
        let (mut book, delivery) = stocked();
        let step = book.act("pat", emergency(&format!("vials/{delivery}-1"))).unwrap();
        let held = dispensing(&step);
        let before = book.now;
        book.wait(MINUTE);
        recalled(&mut book, "R1");
        let start = if begun_before { before } else { book.now };
        let given = v1::RecordAdministrationRequest {
            start_time: crate::requests::at(start),
            ..administer(&held, "1 mL", book.now)
        };
        assert_eq!(flags(&book.act("nia", given).unwrap()), expected);
        book.audit();
    }
}

#[test]
fn a_lot_is_that_of_one_product_and_may_be_quarantined_before_any_of_it_is_here() {
    let mut book = clinic();
    assert_eq!(recalled(&mut book, "N1").vials, 0);
    let lines = [line(EUGIA, "N1", "2028-03-31", 1), line(KETALAR, "N1", "2028-03-31", 1)];
    let step = book.act("tom", receive(&lines)).unwrap();
    let delivery = step.entry.index();
    assert_eq!(standing(&book, delivery, 1), Standing::Quarantined);
    assert_eq!(standing(&book, delivery, 2), Standing::InStock);
    assert_eq!(book.refused("ben", quarantine("products/none", "N1")), "UNKNOWN_RESOURCE");
    assert_eq!(book.refused("nia", quarantine(EUGIA, "N1")), "ROLE_NOT_HELD");
    for (request, field) in [
        (v1::QuarantineVialsRequest { lot: String::new(), ..quarantine(EUGIA, "N1") }, "lot"),
        (v1::QuarantineVialsRequest { reason: String::new(), ..quarantine(EUGIA, "N1") }, "reason"),
        (quarantine("", "N1"), "product"),
    ] {
        assert_eq!(book.violations(request)[0].field, field);
    }
    book.audit();
}

#[test]
fn more_vials_than_an_entry_can_hold_are_blocked_at_once_and_quarantined_in_turns() {
    let mut book = clinic();
    let one = receive(&[line(EUGIA, "B1", SOON, 250)]);
    let first = book.act("tom", one.clone()).unwrap().entry.index();
    let second = book.act("tom", one).unwrap().entry.index();
    let made = recalled(&mut book, "B1");
    assert_eq!((made.vials, made.vials_left), (250, 250));
    assert_eq!(standing(&book, first, 250), Standing::Quarantined);
    assert_eq!(standing(&book, second, 1), Standing::InStock);
    assert_eq!(book.refused("pat", emergency(&format!("vials/{second}-1"))), "LOT_QUARANTINED");
    // Those that are only blocked are not asked to be used first.
    let step = book.act("tom", receive(&[line(EUGIA, "B2", "2029-03-31", 1)])).unwrap();
    let name = format!("vials/{}-1", step.entry.index());
    let earlier = book.act("pat", emergency(&name)).unwrap_err().to_string();
    assert!(earlier.contains("vials/12-11 "), "{earlier}");
    assert_eq!(recalled(&mut book, "B1").vials, 250);
    assert_eq!(standing(&book, second, 250), Standing::Quarantined);
    book.audit();
}

#[test]
fn a_part_that_is_in_hands_does_not_free_the_rest() {
    let mut book = clinic();
    let part =
        v1::DispenseVialRequest { amount: crate::requests::q("1 mL"), ..emergency(&vial(1)) };
    let held = dispensing(&book.act("pat", part.clone()).unwrap());
    let lot = book.state.vial(vial(1).parse().unwrap()).unwrap().label().lot.clone().unwrap();
    book.act("ben", quarantine(KETALAR, &lot)).unwrap();
    assert_eq!(book.refused("pat", part), "LOT_QUARANTINED");
    let now = book.now;
    book.act("nia", administer(&held, "1 mL", now)).unwrap();
    let standing = book.state.vial(vial(1).parse().unwrap()).unwrap().standing();
    assert_eq!(standing, Standing::Quarantined);
    book.audit();
}
