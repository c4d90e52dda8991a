//! What a course and a patient look back on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::formulary::{DrugId, EffectKind, PhaseId, PlanId};
use crate::names::{EffectName, PatientName, PersonName, SessionName};
use crate::time::{Date, Timestamp};
use crate::units::{Mass, Quantity, Rational, Unit};

/// An answer to a question that is asked before a dose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// The answer, by its number on the wire.
    pub answer: i32,
    /// Who answered for it.
    pub by: PersonName,
    /// When it was asked.
    pub at: Timestamp,
    /// Last day on which it counts.
    pub last_day: Date,
    /// The coded reason with which a prescriber passed it, by its number on the wire, and the words.
    pub passed: Option<(i32, String)>,
}

/// A course of treatment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Course {
    /// Whose.
    pub patient: PatientName,
    /// By which plan.
    pub plan: PlanId,
    /// When it was opened.
    pub opened: Timestamp,
    /// Who opened it.
    pub opened_by: PersonName,
    /// Its end; nothing while it is open.
    pub closed: Option<Closed>,
    /// Its sessions, oldest first.
    pub sessions: Vec<PastSession>,
    /// Sessions that did not take place.
    pub missed: Vec<Missed>,
    /// How often the dose was raised.
    pub rises: u32,
    /// The dose ordered in the newest session in which one was given.
    pub last_order: Option<Quantity>,
    /// The adverse effects.
    pub effects: BTreeMap<EffectName, Effect>,
}

/// The end of a course.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// When.
    pub at: Timestamp,
    /// Why, by its number on the wire.
    pub reason: i32,
}

/// A session of a course, in a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastSession {
    /// Its name.
    pub name: SessionName,
    /// Its phase.
    pub phase: PhaseId,
    /// Its number within the course, from 1.
    pub number: u32,
    /// When it began.
    pub started: Timestamp,
    /// When the first dose began; nothing where none was given.
    pub first_dose: Option<Timestamp>,
    /// When it ended; nothing while it is open.
    pub ended: Option<Timestamp>,
    /// The dose as ordered.
    pub ordered: Option<Quantity>,
    /// Mass of the drug that was given.
    pub given: Mass,
    /// Last day on which the monitoring form can be sent in time, where there is one.
    pub form_due: Option<Date>,
    /// Day on which it was sent.
    pub form_sent: Option<Date>,
}

/// A session that did not take place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missed {
    /// The entry that says so.
    pub entry: u64,
    /// Day for which it was planned.
    pub planned: Date,
    /// Why, by its number on the wire.
    pub reason: i32,
}

/// An adverse effect, as far as later sessions ask about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    /// What kind it is.
    pub kind: EffectKind,
    /// How bad it was, by its number on the wire.
    pub severity: i32,
    /// Whether it was serious.
    pub serious: bool,
    /// The session that it began in.
    pub session: Option<SessionName>,
    /// When it began.
    pub onset: Timestamp,
    /// When it ended.
    pub end: Option<Timestamp>,
    /// What was done, by the numbers on the wire.
    pub actions: Vec<i32>,
    /// In words.
    pub note: String,
    /// When it was recorded first.
    pub recorded: Timestamp,
}

/// A dose that a patient had, of whatever session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastDose {
    /// When it began.
    pub at: Timestamp,
    /// The substance.
    pub drug: DrugId,
    /// How much.
    pub mass: Mass,
    /// The session, where it was in one.
    pub session: Option<SessionName>,
}

/// What a patient had of a drug within a number of days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windowed {
    /// Doses: one for a session, however many times something was given in it.
    pub doses: u32,
    /// Their mass. A sum over many: more than one mass's bounds.
    pub mass: Quantity,
}

impl Course {
    /// The newest session in which a dose was given.
    #[must_use]
    pub fn last_dosed(&self) -> Option<&PastSession> {
        self.sessions.iter().rev().find(|session| session.first_dose.is_some())
    }

    /// The session that is open.
    #[must_use]
    pub fn open_session(&self) -> Option<&PastSession> {
        self.sessions.iter().rev().find(|session| session.ended.is_none())
    }

    /// Sessions of a phase in which a dose was given.
    pub fn dosed_in<'a>(&'a self, phase: &'a PhaseId) -> impl Iterator<Item = &'a PastSession> {
        self.sessions.iter().filter(move |it| it.phase == *phase && it.first_dose.is_some())
    }

    /// How many sessions of the course had a dose.
    #[must_use]
    pub fn dosed(&self) -> usize {
        self.sessions.iter().filter(|session| session.first_dose.is_some()).count()
    }
}

impl Windowed {
    /// What the doses of a drug amount to on the `days` days that end with `today`.
    #[must_use]
    pub fn of(
        doses: &[PastDose],
        drug: &DrugId,
        days: u16,
        today: Date,
        day_of: impl Fn(Timestamp) -> Date,
    ) -> Self {
        let within = doses.iter().filter(|dose| {
            dose.drug == *drug && days_between(day_of(dose.at), today) < i64::from(days)
        });
        let (mut count, mut nanograms) = (0_u32, 0_i128);
        for dose in within {
            count += 1;
            nanograms += i128::from(dose.mass.nanograms());
        }
        let milligrams = Rational::new(nanograms, 1_000_000);
        let milligrams = milligrams.expect("fewer than 2^60 doses of less than 2^60 ng");
        Self { doses: count, mass: Quantity::new(milligrams, Unit::Milligram) }
    }
}

/// Days from one day to another; negative when the second is earlier.
#[must_use]
pub fn days_between(earlier: Date, later: Date) -> i64 {
    later.days_since_epoch() - earlier.days_since_epoch()
}
