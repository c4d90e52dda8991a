//! Courses of treatment: random histories of them, counted from the entries alone, and what a first dose is held to.

pub(crate) mod recount;

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use vialedger::audit;
use vialedger::course::Session;
use vialedger::decide;
use vialedger::pb::v1::{self, Answer, outcome, record_adverse_effect_request::Subject};
use vialedger::state::State;
use vialedger::units::AmountKind;
use vialedger::wire::amount_to_wire;

use crate::conservation::balances;
use crate::course::{
    self, BY_MOUTH, INDUCTION, INFUSIONS, SPRAYS, SUPERVISED, WEEKS_1_4, acknowledge, answering,
    calculate, cancel, check, close_course, devices, discharge, effect, eligibility, form_sent,
    infusion, merge, missed, observe, open_course, oral, reason_for, register, start, started,
    well,
};
use crate::requests::{
    self, KETALAR, SPRAVATO, administer, dispense, emergency, q, take_back, witness,
};
use crate::support::{Book, DAY, MINUTE, audit_rows, calculation};
use recount::Recount;

/// People by number.
const PEOPLE: [&str; 8] = ["pat", "pru", "nia", "ned", "ben", "tom", "ehr", "aud"];
const PRESCRIBERS: &[u8] = &[0, 1];
const NURSES: &[u8] = &[2, 3];
const PLANS: [(&str, &str); 3] =
    [(INFUSIONS, INDUCTION), (BY_MOUTH, SUPERVISED), (SPRAYS, WEEKS_1_4)];

/// One operation. Numbers choose among what is there, modulo how many there are.
#[derive(Clone, Copy, Debug)]
enum Op {
    Minutes(u8),
    Days(u8),
    Register { by: u8, patient: u8 },
    Merge { by: u8, alias: u8, patient: u8 },
    Answer { by: u8, patient: u8, worse: bool },
    OpenCourse { by: u8, patient: u8, plan: u8 },
    CloseCourse { by: u8, course: u8 },
    Start { by: u8, course: u8 },
    Missed { by: u8, course: u8 },
    Cancel { by: u8, session: u8 },
    Observe { by: u8, session: u8, deep: bool, high: bool },
    Acknowledge { by: u8, session: u8 },
    Effect { by: u8, session: u8 },
    Order { by: u8, session: u8, right_patient: bool, dose: u8 },
    Check { by: u8, session: u8, same: bool },
    HandOut { by: u8, session: u8, home: bool },
    Emergency { by: u8, patient: u8 },
    Give { held: u8, all: bool },
    Waste { held: u8 },
    Witness { by: u8 },
    Return { held: u8 },
    Discharge { by: u8, session: u8, escort: bool, early: bool },
    Approve { by: u8 },
    Form { by: u8 },
}

/// A clinic in which this happens.
struct Ward {
    book: Book,
    /// The newest order of any session, and what was entered.
    order: Option<(String, v1::DoseInputs)>,
}

impl Ward {
    fn play(&mut self, op: Op) {
        let now = self.book.now;
        match op {
            Op::Minutes(minutes) => self.book.wait(i64::from(minutes) * MINUTE),
            Op::Days(days) => self.book.wait(i64::from(days) * DAY),
            Op::Register { by, patient } => self.act(by, register(&id(patient))),
            Op::Merge { by, alias, patient } => {
                if id(alias) != id(patient) {
                    self.act(by, merge(&id(alias), &id(patient)));
                }
            }
            Op::Answer { by, patient, worse } => {
                self.act(by, eligibility(&id(patient), now));
                if worse {
                    let answer = answering(now, "raised-pressure", Answer::Yes);
                    let patient = format!("patients/{}", id(patient));
                    self.act(by, v1::RecordEligibilityRequest { patient, ..answer });
                }
            }
            Op::OpenCourse { by, patient, plan } => {
                let (plan, _) = PLANS[usize::from(plan) % PLANS.len()];
                self.act(by, open_course(&id(patient), plan));
            }
            Op::CloseCourse { by, course } => {
                let Some((name, _)) = self.course(course) else { return };
                self.act(by, close_course(&name));
            }
            Op::Start { by, course } => {
                let Some((name, plan)) = self.course(course) else { return };
                let phase = PLANS.iter().find(|(id, _)| id.ends_with(&plan)).unwrap().1;
                self.act(by, start(&name, phase));
            }
            Op::Missed { by, course } => {
                let Some((name, _)) = self.course(course) else { return };
                self.act(by, missed(&name, "2026-11-21"));
            }
            Op::Form { by } => {
                let form = self.book.state.forms_to_send().next().map(|(.., session)| session);
                let Some(session) = form else { return };
                let today = self.book.state.day_of(now).to_string();
                self.act(by, form_sent(&session.to_string(), &today));
            }
            Op::Approve { by } => {
                let proposal = self.book.state.proposals().next();
                let Some((index, leaf)) = proposal.map(|(index, it)| (index, it.leaf_hash)) else {
                    return;
                };
                let request = v1::ApproveRequest {
                    proposal: format!("entries/{index}"),
                    leaf_hash: leaf.as_ref().to_vec(),
                    ..Default::default()
                };
                self.act(by, request);
            }
            Op::Give { .. } | Op::Waste { .. } | Op::Return { .. } => self.in_hands(op),
            Op::Witness { by } => self.witness(by),
            Op::Emergency { by, patient } => {
                let vial = course::next_vial(&self.book, KETALAR);
                let patient = format!("patients/{}", id(patient));
                self.act(by, v1::DispenseVialRequest { patient, ..emergency(&vial) });
            }
            of_session => self.in_session(of_session),
        }
    }

    /// What happens in a session.
    fn in_session(&mut self, op: Op) {
        let now = self.book.now;
        let (Op::Cancel { session, .. }
        | Op::Observe { session, .. }
        | Op::Acknowledge { session, .. }
        | Op::Effect { session, .. }
        | Op::Order { session, .. }
        | Op::Check { session, .. }
        | Op::HandOut { session, .. }
        | Op::Discharge { session, .. }) = op
        else {
            unreachable!("{op:?} is about no session")
        };
        let Some(session) = self.session(session) else { return };
        let name = session.name.to_string();
        match op {
            Op::Cancel { by, .. } => self.act(by, cancel(&name)),
            Op::Observe { by, deep, high, .. } => {
                let alertness = if deep { 2 } else { 5 };
                let pressure = if high { 150 } else { 120 };
                self.act(by, observe(&name, now, &[("moaa-s", alertness), ("systolic", pressure)]));
            }
            Op::Acknowledge { by, .. } => {
                let Some(alert) = session.alerts.first() else { return };
                self.act(by, acknowledge(&alert.name.to_string()));
            }
            Op::Effect { by, .. } => self.act(by, effect(Subject::Session(name), now)),
            Op::Order { by, right_patient, dose, .. } => {
                self.order(by, &session, right_patient, dose);
            }
            Op::Check { by, same, .. } => {
                let Some((dose, mut inputs)) = self.order.clone() else { return };
                if !same {
                    inputs.age_years = Some(45);
                }
                self.act(by, check(&dose, inputs));
            }
            Op::HandOut { by, home, .. } => {
                let Some(dose) = session.calculation else { return };
                let sprays = session.plan.as_str() == "esk-trd";
                let vial = course::next_vial(&self.book, if sprays { SPRAVATO } else { KETALAR });
                let request = v1::DispenseVialRequest {
                    patient: session.patient.to_string(),
                    take_home: home,
                    ..dispense(&vial, &dose.to_string())
                };
                self.act(by, request);
            }
            Op::Discharge { by, escort, early, .. } => {
                let mut request =
                    if early { course::discharge_early(&name) } else { discharge(&name) };
                request.escort_present = escort;
                self.act(by, request);
            }
            _ => unreachable!("{op:?} is about no session"),
        }
    }

    fn order(&mut self, by: u8, session: &Session, right_patient: bool, dose: u8) {
        let (name, now) = (session.name.to_string(), self.book.now);
        let infusions = session.plan.as_str() == "ket-trd-iv";
        let mut inputs = match session.plan.as_str() {
            "ket-trd-iv" => infusion(&name, now),
            "ket-oral-dep" => oral(&name, now),
            _ => devices(&name, now),
        };
        inputs.patient =
            if right_patient { session.patient.to_string() } else { "patients/p9".to_owned() };
        if infusions {
            inputs.dose = q(&format!("0.{} mg/kg", dose % 5 + 3));
        }
        inputs.overrides = ["DOSE_CHANGED", "BEFORE:pressure-before-systolic"]
            .into_iter()
            .chain(["QUESTION:raised-pressure", "BEFORE:sedation-before"])
            .map(reason_for)
            .collect();
        if let Ok(step) = self.book.act(person(by), calculate(inputs.clone())) {
            self.order = Some((calculation(&step), inputs));
        }
    }

    /// What becomes of what nia holds.
    fn in_hands(&mut self, op: Op) {
        let (Op::Give { held, .. } | Op::Waste { held } | Op::Return { held }) = op else { return };
        let first = vialedger::names::VialName { delivery: 0, number: 0 };
        let vials = self.book.state.vials_from(first);
        let all: Vec<_> = vials.flat_map(|vial| vial.portions()).collect();
        let Some((name, portion)) = pick(&all, held) else { return };
        let (name, portion, now) = (name.to_string(), (*portion).clone(), self.book.now);
        let left = amount_to_wire(portion.remaining);
        match op {
            Op::Give { all, .. } => {
                let devices = portion.remaining.kind() != AmountKind::Volume;
                let amount = if all || devices { Some(left) } else { q("3.6 mL") };
                let request = v1::RecordAdministrationRequest {
                    patient: portion.patient.to_string(),
                    amount,
                    ..administer(&name, "1 mL", now)
                };
                self.act(2, request);
            }
            Op::Waste { .. } => {
                let amount = Some(left);
                let request = requests::waste(&name, "1 mL", now);
                self.act(2, v1::RecordWasteRequest { amount, ..request });
            }
            _ => self.act(2, take_back(&name)),
        }
    }

    fn witness(&mut self, by: u8) {
        let first = vialedger::names::VialName { delivery: 0, number: 0 };
        let vials = self.book.state.vials_from(first);
        let wastes: Vec<_> = vials.flat_map(|vial| vial.unwitnessed()).collect();
        let Some((name, waste)) = wastes.first() else { return };
        let (name, amount) = (name.to_string(), waste.amount);
        let amount = Some(amount_to_wire(amount));
        self.act(by, v1::WitnessRequest { amount, ..witness(&name, "1 mL") });
    }

    /// Whatever it meets is part of the ledger's life.
    fn act(&mut self, by: u8, request: impl requests::Request) {
        let _ = self.book.act(person(by), request);
    }

    /// A course that is open, and its plan; any course where none is.
    fn course(&self, number: u8) -> Option<(String, String)> {
        let state = &self.book.state;
        let patients = state.patients().flat_map(|(_, patient)| patient.courses.clone());
        let courses: Vec<_> =
            patients.filter_map(|name| Some((name, state.course(name)?))).collect();
        let open: Vec<_> = courses.iter().filter(|(_, it)| it.closed.is_none()).copied().collect();
        let found = if open.is_empty() { &courses } else { &open };
        pick(found, number).map(|(name, course)| (name.to_string(), course.plan.to_string()))
    }

    fn session(&self, number: u8) -> Option<Session> {
        let all: Vec<_> = self.book.state.sessions().collect();
        pick(&all, number).map(|session| session.as_ref().clone())
    }
}

fn person(number: u8) -> &'static str {
    PEOPLE[usize::from(number) % PEOPLE.len()]
}

fn id(patient: u8) -> String {
    format!("p{}", patient % 4 + 1)
}

fn pick<T>(all: &[T], number: u8) -> Option<&T> {
    all.get(usize::from(number).checked_rem(all.len())?)
}

/// Mostly somebody whose act it is, sometimes anybody.
fn by(right: &'static [u8]) -> impl Strategy<Value = u8> {
    prop_oneof![9 => prop::sample::select(right), 1 => 0_u8..8]
}

fn seldom() -> impl Strategy<Value = bool> {
    prop::bool::weighted(0.12)
}

fn mostly() -> impl Strategy<Value = bool> {
    prop::bool::weighted(0.9)
}

fn op() -> impl Strategy<Value = Op> {
    let (some, few) = (|| 0_u8..4, || 0_u8..2);
    let mixed = || prop::sample::select(&[0_u8, 2][..]);
    prop_oneof![
        4 => (0_u8..35).prop_map(Op::Minutes),
        1 => (100_u8..130).prop_map(Op::Minutes),
        2 => (1_u8..4).prop_map(Op::Days),
        1 => (by(NURSES), some()).prop_map(|(by, patient)| Op::Register { by, patient }),
        1 => (by(PRESCRIBERS), some(), some())
            .prop_map(|(by, alias, patient)| Op::Merge { by, alias, patient }),
        6 => (mixed(), few(), seldom())
            .prop_map(|(by, patient, worse)| Op::Answer { by, patient, worse }),
        4 => (by(PRESCRIBERS), few(), 0_u8..3)
            .prop_map(|(by, patient, plan)| Op::OpenCourse { by, patient, plan }),
        1 => (by(PRESCRIBERS), some()).prop_map(|(by, course)| Op::CloseCourse { by, course }),
        8 => (by(NURSES), some()).prop_map(|(by, course)| Op::Start { by, course }),
        1 => (by(NURSES), some()).prop_map(|(by, course)| Op::Missed { by, course }),
        1 => (by(NURSES), few()).prop_map(|(by, session)| Op::Cancel { by, session }),
        10 => (by(NURSES), few(), seldom(), seldom())
            .prop_map(|(by, session, deep, high)| Op::Observe { by, session, deep, high }),
        3 => (by(PRESCRIBERS), few()).prop_map(|(by, session)| Op::Acknowledge { by, session }),
        1 => (by(NURSES), few()).prop_map(|(by, session)| Op::Effect { by, session }),
        8 => (by(PRESCRIBERS), few(), mostly(), 0_u8..5).prop_map(
            |(by, session, right_patient, dose)| Op::Order { by, session, right_patient, dose }
        ),
        3 => (0_u8..4, few(), mostly())
            .prop_map(|(by, session, same)| Op::Check { by, session, same }),
        8 => (by(PRESCRIBERS), few(), seldom())
            .prop_map(|(by, session, home)| Op::HandOut { by, session, home }),
        1 => (by(PRESCRIBERS), few()).prop_map(|(by, patient)| Op::Emergency { by, patient }),
        7 => (some(), seldom()).prop_map(|(held, all)| Op::Give { held, all }),
        6 => some().prop_map(|held| Op::Waste { held }),
        3 => by(&[3]).prop_map(|by| Op::Witness { by }),
        1 => some().prop_map(|held| Op::Return { held }),
        6 => (by(NURSES), few(), mostly(), prop::bool::weighted(0.3)).prop_map(
            |(by, session, escort, early)| Op::Discharge { by, session, escort, early }
        ),
        2 => by(PRESCRIBERS).prop_map(|by| Op::Approve { by }),
        3 => by(NURSES).prop_map(|by| Op::Form { by }),
    ]
}

/// Plays a history, looks at every vial after every operation, and counts everything anew at the end.
fn live(ops: &[Op]) -> Recount {
    let mut ward = Ward { book: course::clinic(), order: None };
    let beginning = ward.book.rows.len();
    for op in ops {
        ward.play(*op);
        balances(&ward.book);
    }
    let book = ward.book;
    let mut state = course::clinic().state;
    for row in &book.rows[beginning..] {
        let step = audit::replay(&state, row.clone()).unwrap();
        state.apply(&step);
    }
    assert!(state == book.state, "the entries lead to another state");
    let snapshot = postcard::to_allocvec(&state).unwrap();
    assert!(postcard::from_bytes::<State>(&snapshot).unwrap() == book.state);
    Recount::of(&book)
}

fn audited(ops: &[Op]) {
    let mut ward = Ward { book: course::clinic(), order: None };
    for op in ops {
        ward.play(*op);
    }
    let (book, size) = (&ward.book, ward.book.state.size());
    let report = audit_rows(&book.rows, book.checkpoints([size]), &book.verifier_key(), None);
    assert_eq!((report.exit_status(), report.entries), (0, size), "{report:?}");
}

#[test]
fn histories_reach_everything_that_can_happen_in_a_course() {
    let mut seen = BTreeSet::new();
    let mut runner = TestRunner::deterministic();
    let histories = vec(op(), 150..151);
    for _ in 0..80 {
        seen.extend(live(&histories.new_tree(&mut runner).unwrap().current()).met);
    }
    let wanted = [
        "PatientRegistered",
        "PatientsMerged",
        "EligibilityRecorded",
        "CourseOpened",
        "CourseClosed",
        "SessionStarted",
        "SessionMissed",
        "SessionCancelled",
        "Observation",
        "AdverseEffect",
        "AlertAcknowledged",
        "DoseCalculation",
        "DoseCheck",
        "Dispensing",
        "Administration",
        "VialReturned",
        "Proposed",
        "Discharge",
        "FormSent",
        "HOME_SUPPLY",
        "NOT_DISCHARGEABLE",
        "SELF_CHECK",
        "SESSION_TOO_EARLY",
        "watched with the dose in hands",
    ];
    let missing: Vec<&str> = wanted.into_iter().filter(|name| !seen.contains(*name)).collect();
    assert!(missing.is_empty(), "{missing:?} were not reached, only {seen:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn histories_of_courses_hold(ops in vec(op(), 40..80)) {
        live(&ops);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn long_histories_of_courses_hold_and_their_audit_is_good(ops in vec(op(), 200..300)) {
        live(&ops);
        audited(&ops);
    }
}

#[test]
fn a_first_dose_keeps_to_its_limit_in_whatever_unit_and_is_not_rounded_past_it() {
    let text = course::formulary();
    let limited =
        "first_dose = \"0.4 mg/kg\"\nsource = \"Andrade, J Clin Psychiatry 2017;78:e852: 4";
    let text = text.replacen("source = \"Andrade, J Clin Psychiatry 2017;78:e852: 4", limited, 1);
    let mut book = course::clinic();
    crate::support::publish(&mut book, &text);
    let opened = course::opened(&mut book, INFUSIONS);
    let session = started(&mut book, &opened, INDUCTION);
    well(&mut book, &session);
    let now = book.now;
    let order = |dose: &str| calculate(v1::DoseInputs { dose: q(dose), ..infusion(&session, now) });
    for above in ["401 ug/kg", "0.41 mg/kg"] {
        let refusal = book.act("pat", order(above)).unwrap_err();
        assert_eq!(refusal.reason(), "OVER_HARD_LIMIT");
        assert!(refusal.to_string().contains("the first dose of a course"), "{refusal}");
    }
    for at_most in ["400 ug/kg", "0.4 mg/kg"] {
        let step = book.act("pat", order(at_most)).unwrap();
        let Some(outcome::Result::DoseCalculation(dose)) = step.outcome.result else { panic!() };
        // 29 mg would be 2.9 mL, between two marks of the syringe; 3 mL is the nearer one, and too much.
        assert_eq!((&dose.exact_amount, &dose.measured_amount), (&q("2.9 mL"), &q("2.8 mL")));
        let request = order(at_most).inputs.unwrap();
        let inputs = vialedger::command::DoseInputs::parse(Some(&request)).unwrap();
        let record = book.state.formulary().unwrap();
        let again = decide::replay(record, &inputs, dose.context.as_ref(), book.now).unwrap();
        assert_eq!(v1::DoseCalculation { name: dose.name.clone(), ..again }, dose);
    }
    book.audit();
}

#[test]
fn a_vial_that_broke_before_anything_was_given_does_not_end_the_session() {
    let mut book = course::clinic();
    let session = course::at_the_chair(&mut book);
    let dose = course::ordered(&mut book, &session);
    let held = course::in_hands(&mut book, &crate::support::vial(1), &dose);
    let now = book.now;
    let again = calculate(infusion(&session, now));
    assert_eq!(book.refused("pat", again.clone()), "DUPLICATE_DOSE");
    let broken = v1::RecordWasteRequest {
        reason: v1::WasteReason::BrokenOrSpilled.into(),
        ..requests::waste(&held, "20 mL", now)
    };
    book.act("nia", broken).unwrap();
    assert_eq!(
        book.refused("pat", dispense(&crate::support::vial(2), &dose)),
        "CALCULATION_COVERED"
    );
    let dose = calculation(&book.act("pat", again.clone()).unwrap());
    let held = course::in_hands(&mut book, &crate::support::vial(2), &dose);
    book.act("nia", administer(&held, "3.6 mL", now)).unwrap();
    assert_eq!(book.refused("pat", again), "DUPLICATE_DOSE");
    book.audit();
}
