//! An infusion is recorded when it has ended, and watched while it runs: what is read then counts.

use vialedger::decide::{decide, decide_by};
use vialedger::pb::v1::{self, FlagKind, outcome};
use vialedger::time::Timestamp;

use crate::course::{
    acknowledge, alert_of, at_the_chair, cancel, clinic, in_hands, observe, ordered,
};
use crate::requests::{administer, at, dispense, take_back, waste};
use crate::support::{Book, MINUTE, SECOND, flags, vial};

/// An infusion that has run for a while: the session, and what nia holds.
fn running(minutes: i64) -> (Book, String, String) {
    let mut book = clinic();
    let session = at_the_chair(&mut book);
    let dose = ordered(&mut book, &session);
    let held = in_hands(&mut book, &vial(1), &dose);
    book.wait(minutes * MINUTE);
    (book, session, held)
}

/// What was given between two moments.
fn given(held: &str, start: Timestamp, end: Timestamp) -> v1::RecordAdministrationRequest {
    v1::RecordAdministrationRequest { start_time: at(start), ..administer(held, "2 mL", end) }
}

fn before(moment: Timestamp, minutes: i64) -> Timestamp {
    moment.checked_add_micros(-minutes * MINUTE).unwrap()
}

#[test]
fn a_reading_that_meets_a_stop_criterion_raises_its_alert_while_the_infusion_runs() {
    let (mut book, session, held) = running(20);
    let now = book.now;
    let step = book.act("nia", observe(&session, now, &[("spo2", 85)])).unwrap();
    let Some(outcome::Result::Observation(seen)) = &step.outcome.result else { panic!() };
    assert_eq!(seen.alerts.len(), 1);
    assert_eq!(flags(&step), [FlagKind::StopCriterion]);
    // It was stopped at once: nothing is held against nia.
    let step = book.act("nia", given(&held, before(now, 19), book.now)).unwrap();
    assert_eq!(flags(&step), []);
    // It still waits for a prescriber when the dose is recorded.
    let dose = book.state.sessions().next().unwrap().calculation.unwrap().to_string();
    assert_eq!(book.refused("pat", dispense(&vial(2), &dose)), "CALCULATION_COVERED");
    assert_eq!(book.state.sessions().next().unwrap().alerts.len(), 1);
    book.audit();
}

#[test]
fn an_infusion_that_goes_on_while_an_alert_is_open_is_flagged_and_one_that_a_prescriber_saw_is_not()
{
    for (acknowledged, begun_later) in [(false, false), (true, false), (false, true)] {
        let (mut book, session, held) = running(20);
        let now = book.now;
        let alert = alert_of(&book.act("nia", observe(&session, now, &[("spo2", 85)])).unwrap());
        if acknowledged {
            book.act("pat", acknowledge(&alert)).unwrap();
        }
        book.wait(20 * MINUTE);
        let start = if begun_later { before(book.now, 10) } else { before(now, 19) };
        let step = book.act("nia", given(&held, start, book.now)).unwrap();
        let texts: Vec<&str> = step.outcome.flags.iter().map(|it| it.message.as_str()).collect();
        match (acknowledged, begun_later) {
            (true, _) => assert_eq!(texts, [""; 0]),
            (_, true) => assert_eq!(texts, [format!("begun while {alert} was open")]),
            _ => assert!(texts[0].contains(&format!("{alert} was open since {now}")), "{texts:?}"),
        }
        book.audit();
    }
}

#[test]
fn before_a_dose_is_handed_out_and_after_it_came_back_there_is_nothing_to_stop() {
    let mut book = clinic();
    let session = at_the_chair(&mut book);
    let low = |book: &Book| observe(&session, book.now, &[("spo2", 85)]);
    let request = low(&book);
    assert_eq!(flags(&book.act("nia", request).unwrap()), []);
    crate::course::well(&mut book, &session);
    let dose = ordered(&mut book, &session);
    let held = in_hands(&mut book, &vial(1), &dose);
    // Dated by a device whose clock is a minute behind the server's.
    let behind = before(book.now, 1);
    let step = book.act("nia", observe(&session, behind, &[("spo2", 85)])).unwrap();
    assert_eq!(flags(&step), [FlagKind::StopCriterion]);
    // And made long before: no reading of somebody who has the drug.
    let long_before = before(book.now, 3);
    let step = book.act("nia", observe(&session, long_before, &[("moaa-s", 1)])).unwrap();
    assert_eq!(flags(&step), []);
    book.act("nia", take_back(&held)).unwrap();
    book.wait(5 * MINUTE);
    let request = low(&book);
    assert_eq!(flags(&book.act("nia", request).unwrap()), []);
    book.audit();
}

#[test]
fn nobody_is_sent_away_undosed_while_an_alert_is_open() {
    let (mut book, session, held) = running(3);
    let now = book.now;
    let alert = alert_of(&book.act("nia", observe(&session, now, &[("spo2", 85)])).unwrap());
    book.act("nia", waste(&held, "20 mL", now)).unwrap();
    assert_eq!(book.refused("nia", cancel(&session)), "ALERT_OPEN");
    book.act("pat", acknowledge(&alert)).unwrap();
    book.act("nia", cancel(&session)).unwrap();
    book.audit();
}

#[test]
fn the_second_rules_decide_as_they_did() {
    let (mut book, session, held) = running(20);
    let now = book.now;
    let request = book.ask("nia", observe(&session, now, &[("spo2", 85)]));
    let command = vialedger::command::Command::parse(request.kind(), request.bytes()).unwrap();
    let later = now.checked_add_micros(SECOND).unwrap();
    let then = decide_by(2, &book.state, &request, &command, later).unwrap();
    let today = decide(&book.state, &request, &command, later).unwrap();
    assert_eq!((then.outcome.flags.len(), today.outcome.flags.len()), (0, 1));
    // An alert that is raised by the dose's own record still counts against it.
    book.submit(&request).unwrap();
    let request = book.ask("nia", given(&held, before(now, 19), book.now));
    let command = vialedger::command::Command::parse(request.kind(), request.bytes()).unwrap();
    let later = book.now.checked_add_micros(SECOND).unwrap();
    let then = decide_by(2, &book.state, &request, &command, later).unwrap();
    assert!(then.outcome.flags[0].message.starts_with("given while alerts/"));
}
