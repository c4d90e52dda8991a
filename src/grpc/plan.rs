//! Plans of the formulary as messages.

use std::collections::BTreeSet;

use crate::formulary::{
    Bound, Criterion, CriterionWhen, Formulary, MeasureId, Monitoring, Phase, Plan, QuestionWeight,
};
use crate::pb::v1;
use crate::units::{Mass, Quantity, Span, Unit};
use crate::wire::quantity_to_wire;

/// A plan with everything that a page about it prints.
pub(super) fn plan(formulary: &Formulary, plan: &Plan) -> v1::Plan {
    let windows = plan.windows.iter().map(|window| v1::Cumulative {
        days: window.days.into(),
        sessions_limit: window.sessions.into(),
        mass_limit: window.mass.and_then(milligrams),
        ..v1::Cumulative::default()
    });
    v1::Plan {
        name: format!("plans/{}", plan.id),
        title: plan.title.clone(),
        drug: plan.drug.to_string(),
        phases: plan.phases.iter().map(|it| phase(formulary, it)).collect(),
        monitoring: Some(monitoring(formulary, &plan.monitoring)),
        windows: windows.collect(),
        rises_alone: plan.history.rises_alone.into(),
        weight_change_percent: plan.history.weight_change_percent.into(),
        form_title: plan.form.as_ref().map(|form| form.title.clone()).unwrap_or_default(),
        form_due_days: plan.form.as_ref().map_or(0, |form| form.due_days.into()),
        source: plan.source.clone(),
    }
}

fn phase(formulary: &Formulary, phase: &Phase) -> v1::PlanPhase {
    let limits = formulary.protocol(&phase.protocol).map(|protocol| &protocol.dose);
    let limit = |limit: Option<Quantity>| limit.map(quantity_to_wire);
    v1::PlanPhase {
        id: phase.id.to_string(),
        title: phase.title.clone(),
        protocol: format!("protocols/{}", phase.protocol),
        sessions_min: phase.sessions_min.into(),
        sessions_max: phase.sessions_max.into(),
        interval_days: phase.interval_days.into(),
        soft_min_days: phase.soft_min_days.into(),
        hard_min_days: phase.hard_min_days.into(),
        soft_max_days: phase.soft_max_days.into(),
        lasts_days: phase.lasts_days.unwrap_or_default().into(),
        first_dose: limit(phase.first_dose),
        soft_low: limit(limits.map(|limits| limits.soft_low)),
        soft_high: limit(limits.map(|limits| limits.soft_high)),
        hard_high: limit(limits.map(|limits| limits.hard_high)),
        source: phase.source.clone(),
    }
}

fn monitoring(formulary: &Formulary, monitoring: &Monitoring) -> v1::Monitoring {
    let rule = &monitoring.discharge;
    let due = monitoring.due.iter().map(|due| v1::DueObservation {
        minutes: minutes(due.after),
        measures: ids(&due.measures),
    });
    v1::Monitoring {
        id: monitoring.id.to_string(),
        title: monitoring.title.clone(),
        measures: measures(formulary, monitoring),
        before: ids(&monitoring.before),
        before_minutes: minutes(monitoring.before_valid),
        late_minutes: minutes(monitoring.late_after),
        due: due.collect(),
        criteria: monitoring.criteria.iter().map(criterion).collect(),
        discharge_minutes: minutes(rule.minimum),
        discharge_observed_minutes: minutes(rule.observed_within),
        discharge_measures: ids(&rule.measures),
        escort: rule.escort,
        no_driving: rule.no_driving,
        advised: monitoring.leaflet.advised.clone(),
        avoided: monitoring.leaflet.avoided.clone(),
        leaflet_source: monitoring.leaflet.source.clone(),
        source: monitoring.source.clone(),
    }
}

/// Every measure that a monitoring speaks of, once.
fn measures(formulary: &Formulary, monitoring: &Monitoring) -> Vec<v1::Measure> {
    let due = monitoring.due.iter().flat_map(|due| &due.measures);
    let criteria = monitoring.criteria.iter().map(|criterion| &criterion.measure.id);
    let ids: BTreeSet<&MeasureId> = monitoring
        .before
        .iter()
        .chain(due)
        .chain(&monitoring.discharge.measures)
        .chain(criteria)
        .collect();
    let measures = ids.into_iter().filter_map(|id| formulary.measure(id));
    measures
        .map(|measure| v1::Measure {
            id: measure.id.to_string(),
            name: measure.name.clone(),
            unit: measure.unit.clone(),
            lowest: measure.lowest,
            highest: measure.highest,
        })
        .collect()
}

fn criterion(criterion: &Criterion) -> v1::Criterion {
    let (above, below) = match criterion.bound {
        Bound::Above(bound) => (Some(bound), None),
        Bound::Below(bound) => (None, Some(bound)),
    };
    let when = match criterion.when {
        CriterionWhen::Before => v1::CriterionWhen::Before,
        CriterionWhen::During => v1::CriterionWhen::During,
        CriterionWhen::Discharge => v1::CriterionWhen::Discharge,
    };
    v1::Criterion {
        id: criterion.id.to_string(),
        when: when.into(),
        measure: criterion.measure.id.to_string(),
        above,
        below,
        hard: criterion.weight == Some(QuestionWeight::Hard),
        action: criterion.action.clone(),
        source: criterion.source.clone(),
    }
}

/// A mass as people read it.
pub(super) fn milligrams(mass: Mass) -> Option<v1::Quantity> {
    mass.to_quantity(Unit::Milligram).ok().map(quantity_to_wire)
}

fn ids(measures: &[MeasureId]) -> Vec<String> {
    measures.iter().map(ToString::to_string).collect()
}

fn minutes(span: Span) -> u32 {
    u32::try_from(span.microseconds() / 60_000_000).unwrap_or(u32::MAX)
}
