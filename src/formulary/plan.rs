//! Courses of treatment: which sessions follow each other, how closely, and what each looks back on.

mod read;

use super::effect::EffectKind;
use super::monitoring::Monitoring;
use super::slug::{DrugId, PhaseId, PlanId, ProtocolId};
use crate::units::{Mass, Quantity};
use std::sync::Arc;

pub(super) use read::{Ward, read_plan};

/// A course of treatment with one drug.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Its id.
    pub id: PlanId,
    /// Its name as it is printed.
    pub title: String,
    /// The substance.
    pub drug: DrugId,
    /// How the patient is watched in every session.
    pub monitoring: Arc<Monitoring>,
    /// Its phases in their order, at least one; ids are unique here.
    pub phases: Vec<Phase>,
    /// What is counted over the last days, shortest first; may be none.
    pub windows: Vec<Window>,
    /// What the patient's own history asks of the next session.
    pub history: HistoryRule,
    /// The form that must be sent after a session, where there is one.
    pub form: Option<FormRule>,
    /// Who says so.
    pub source: String,
}

impl Plan {
    /// The phase of this id and its place in the order, from 0.
    #[must_use]
    pub fn phase(&self, id: &PhaseId) -> Option<(usize, &Phase)> {
        self.phases.iter().enumerate().find(|(_, phase)| phase.id == *id)
    }
}

/// Sessions by one protocol, planned at one interval:
/// `hard_min_days <= soft_min_days <= interval_days <= soft_max_days`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase {
    /// Its id, unique within its plan.
    pub id: PhaseId,
    /// Its name as it is printed.
    pub title: String,
    /// How a dose is worked out here; of the plan's drug. Several phases of one plan may share it,
    /// never two plans.
    pub protocol: ProtocolId,
    /// Sessions before the next phase may begin, 1 to 400.
    pub sessions_min: u16,
    /// Sessions planned at most, 1 to 400, not below `sessions_min`.
    pub sessions_max: u16,
    /// Planned days from one session to the next, 1 to 366.
    pub interval_days: u16,
    /// Fewer days since the last session need a reason; 0 to 366.
    pub soft_min_days: u16,
    /// Fewer days since the last session are refused; 0 to 366.
    pub hard_min_days: u16,
    /// More days since the last session need a reason; 1 to 366.
    pub soft_max_days: u16,
    /// So many days after the phase's first session the next phase may begin, even if
    /// `sessions_min` was not reached; 1 to 366. `None`: only the number of sessions counts.
    pub lasts_days: Option<u16>,
    /// The most in the very first session of a course, in the unit of the protocol's limits, not
    /// above its hard limit.
    pub first_dose: Option<Quantity>,
    /// Who says so.
    pub source: String,
}

/// What is counted over the last days, whatever the phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The days looked back on, 1 to 366.
    pub days: u16,
    /// More sessions than this within them need a reason; 1 to 400.
    pub sessions: u16,
    /// More of the drug than this within them needs a reason; more than nothing.
    pub mass: Option<Mass>,
    /// Who says so.
    pub source: String,
}

/// What the patient's own history asks of the next session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryRule {
    /// A weight that differs from the last by so many percent or more needs a reason; 1 to 100.
    pub weight_change_percent: u16,
    /// How often one prescriber may raise the dose within a course; every further rise takes a
    /// second prescriber. 0 to 100.
    pub rises_alone: u16,
    /// Effects after which the next session needs a reason, each once.
    pub ask_after: Vec<EffectKind>,
    /// Who says so.
    pub source: String,
}

/// A form that must be sent after a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormRule {
    /// Its name as it is printed.
    pub title: String,
    /// It must have been sent within so many days of the session, 1 to 366.
    pub due_days: u16,
    /// Who says so.
    pub source: String,
}
