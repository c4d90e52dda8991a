//! The refusals that belong to patients, courses, sessions and double checks.

use vialedger::ledger::SignedRequest;
use vialedger::pb::v1::{self, EffectKind, record_adverse_effect_request::Subject};

use super::{AlreadyExists, Case, NotFound, Precondition, case};
use crate::course::{
    self, BY_MOUTH, INDUCTION, INFUSIONS, SUPERVISED, acknowledge, alert_of, at_the_chair,
    calculate, cancel, check, close_course, day_at_the_clinic, discharge, effect, form_sent,
    in_hands, infused, infusion, observe, open_course, opened, oral, ordered, register, start,
    started, well, went_home,
};
use crate::requests::{calculate_with, dispense};
use crate::support::{Book, MINUTE, calculation, vial};

/// One row for each reason that belongs here, in order of precedence.
pub(super) const CASES: [Case; 27] = [
    case("SELF_CHECK", Precondition, true, || {
        with(|book| {
            let (dose, inputs) = by_mouth(book);
            book.ask("pat", check(&dose, inputs))
        })
    }),
    case("PATIENT_UNKNOWN", NotFound, false, || {
        with(|book| book.ask("pat", open_course("p9", INFUSIONS)))
    }),
    case("PATIENT_EXISTS", AlreadyExists, false, || with(|book| book.ask("nia", register("p1")))),
    case("SESSION_NOT_OPEN", Precondition, false, || {
        with(|book| {
            let course = opened(book, INFUSIONS);
            let session = day_at_the_clinic(book, &course);
            let now = book.now;
            book.ask("nia", observe(&session, now, &[]))
        })
    }),
    case("COURSE_CLOSED", Precondition, false, || {
        with(|book| {
            let course = opened(book, INFUSIONS);
            book.act("pat", close_course(&course)).unwrap();
            book.ask("nia", start(&course, INDUCTION))
        })
    }),
    case("HOME_SUPPLY", Precondition, true, || {
        with(|book| {
            let session = at_the_chair(book);
            let dose = ordered(book, &session);
            let home = v1::DispenseVialRequest { take_home: true, ..dispense(&vial(1), &dose) };
            book.ask("pat", home)
        })
    }),
    case("SESSION_OPEN", Precondition, false, || {
        with(|book| {
            let course = opened(book, INFUSIONS);
            started(book, &course, INDUCTION);
            book.ask("nia", start(&course, INDUCTION))
        })
    }),
    case("COURSE_OPEN", Precondition, false, || {
        with(|book| {
            opened(book, INFUSIONS);
            book.ask("pat", open_course("p1", INFUSIONS))
        })
    }),
    case("SESSION_REQUIRED", Precondition, false, || {
        with(|book| book.ask("pat", calculate_with(|_| {})))
    }),
    case("SESSION_DIFFERS", Precondition, false, || {
        with(|book| {
            let session = at_the_chair(book);
            let now = book.now;
            book.ask("pat", calculate(oral(&session, now)))
        })
    }),
    case("WRONG_PHASE", Precondition, false, || {
        with(|book| {
            let course = opened(book, INFUSIONS);
            book.ask("nia", start(&course, "phase-x"))
        })
    }),
    case("CHECK_REQUIRED", Precondition, false, || {
        with(|book| {
            let (dose, _) = by_mouth(book);
            book.ask("pat", dispense(&vial(1), &dose))
        })
    }),
    case("CHECK_DIFFERS", Precondition, false, || {
        with(|book| {
            let (dose, mut inputs) = by_mouth(book);
            inputs.syringe = crate::requests::q("50 mL");
            book.act("nia", check(&dose, inputs)).unwrap();
            book.ask("pat", dispense(&vial(1), &dose))
        })
    }),
    case("CHECK_NOT_ASKED", Precondition, false, || {
        with(|book| {
            let session = at_the_chair(book);
            let inputs = infusion(&session, book.now);
            let dose = calculation(&book.act("pat", calculate(inputs.clone())).unwrap());
            book.ask("nia", check(&dose, inputs))
        })
    }),
    case("ALERT_OPEN", Precondition, false, || {
        with(|book| {
            let (session, _) = alarmed(book);
            let now = book.now;
            book.ask("pat", calculate(infusion(&session, now)))
        })
    }),
    case("DUPLICATE_DOSE", Precondition, false, || {
        with(|book| {
            let session = at_the_chair(book);
            let dose = ordered(book, &session);
            in_hands(book, &vial(1), &dose);
            let now = book.now;
            book.ask("pat", calculate(infusion(&session, now)))
        })
    }),
    case("VITALS_MISSING", Precondition, false, || {
        with(|book| {
            let session = at_the_chair(book);
            book.wait(61 * MINUTE);
            let now = book.now;
            book.ask("pat", calculate(infusion(&session, now)))
        })
    }),
    case("VIAL_STILL_OUT", Precondition, false, || {
        with(|book| {
            let session = at_the_chair(book);
            let dose = ordered(book, &session);
            in_hands(book, &vial(1), &dose);
            book.ask("nia", cancel(&session))
        })
    }),
    case("NOTHING_GIVEN", Precondition, false, || {
        with(|book| {
            let session = at_the_chair(book);
            book.ask("nia", discharge(&session))
        })
    }),
    case("DOSE_GIVEN", Precondition, false, || {
        with(|book| {
            let session = at_the_chair(book);
            infused(book, &session);
            book.ask("nia", cancel(&session))
        })
    }),
    case("NOT_DISCHARGEABLE", Precondition, true, || {
        with(|book| {
            let session = at_the_chair(book);
            infused(book, &session);
            book.wait(119 * MINUTE);
            well(book, &session);
            book.ask("nia", discharge(&session))
        })
    }),
    case("ALERT_NOT_OPEN", Precondition, false, || {
        with(|book| {
            let (_, alert) = alarmed(book);
            book.act("pat", acknowledge(&alert)).unwrap();
            book.ask("pat", acknowledge(&alert))
        })
    }),
    case("EFFECT_DIFFERS", Precondition, false, || {
        with(|book| {
            let session = at_the_chair(book);
            let now = book.now;
            let step = book.act("nia", effect(Subject::Session(session), now)).unwrap();
            let name = format!("adverseEffects/{}", step.entry.index());
            let mut other = effect(Subject::AdverseEffect(name), now);
            other.set_kind(EffectKind::Syncope);
            book.ask("nia", other)
        })
    }),
    case("NO_FORM", Precondition, false, || {
        with(|book| {
            let course = opened(book, INFUSIONS);
            let session = day_at_the_clinic(book, &course);
            book.ask("nia", form_sent(&session, "2026-11-22"))
        })
    }),
    case("SESSION_TOO_EARLY", Precondition, true, || {
        with(|book| {
            let course = opened(book, INFUSIONS);
            let session = started(book, &course, INDUCTION);
            well(book, &session);
            infused(book, &session);
            went_home(book, &session);
            book.ask("nia", start(&course, INDUCTION))
        })
    }),
    case("VITALS_OUTSIDE", Precondition, true, || {
        with(|book| {
            let session = at_the_chair(book);
            let now = book.now;
            book.act("nia", observe(&session, now, &[("systolic", 181)])).unwrap();
            book.ask("pat", calculate(infusion(&session, now)))
        })
    }),
    case("IMPLAUSIBLE_READING", Precondition, false, || {
        with(|book| {
            let session = at_the_chair(book);
            let now = book.now;
            book.ask("nia", observe(&session, now, &[("spo2", 101)]))
        })
    }),
];

fn with(ask: impl FnOnce(&mut Book) -> SignedRequest) -> (Book, SignedRequest) {
    let mut book = course::clinic();
    let request = ask(&mut book);
    (book, request)
}

/// A dose by mouth that waits for its check, and what pat entered.
fn by_mouth(book: &mut Book) -> (String, v1::DoseInputs) {
    let course = opened(book, BY_MOUTH);
    let session = started(book, &course, SUPERVISED);
    well(book, &session);
    let inputs = oral(&session, book.now);
    let dose = calculation(&book.act("pat", calculate(inputs.clone())).unwrap());
    (dose, inputs)
}

/// A session in which p1 sleeps too deeply after the infusion, and the alert.
fn alarmed(book: &mut Book) -> (String, String) {
    let session = at_the_chair(book);
    infused(book, &session);
    let now = book.now;
    let step = book.act("nia", observe(&session, now, &[("moaa-s", 2)])).unwrap();
    (session, alert_of(&step))
}
