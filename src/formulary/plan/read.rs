//! From the TOML of a plan to a checked one.

use super::{FormRule, HistoryRule, Phase, Plan, Window};
use crate::formulary::effect::EffectKind;
use crate::formulary::monitoring::Monitoring;
use crate::formulary::product::{Drug, read_drug_reference};
use crate::formulary::protocol::{Protocol, read_limit};
use crate::formulary::raw::{Number, RawForm, RawHistory, RawPhase, RawPlan, RawWindow, Text};
use crate::formulary::reader::{Read, Reader, Refused};
use crate::formulary::slug::{DrugId, MonitoringId, ProtocolId};
use crate::units::{Mass, Quantity};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The longest time between two sessions, and the longest look back, in days.
const MAX_DAYS: u16 = 366;

/// The most sessions of a phase or within a window.
const MAX_SESSIONS: u16 = 400;

/// What the formulary holds beside its plans, to which a plan may refer.
pub(in crate::formulary) struct Ward<'f> {
    pub(in crate::formulary) drugs: &'f BTreeMap<DrugId, Drug>,
    pub(in crate::formulary) protocols: &'f BTreeMap<ProtocolId, Arc<Protocol>>,
    pub(in crate::formulary) monitorings: &'f BTreeMap<MonitoringId, Arc<Monitoring>>,
}

pub(in crate::formulary) fn read_plan(
    reader: &mut Reader<'_>,
    raw: &RawPlan,
    ward: &Ward<'_>,
) -> Read<Plan> {
    let id = reader.value(&raw.id, str::parse);
    let title = reader.prose(&raw.title);
    let drug = read_drug_reference(reader, &raw.drug, ward.drugs);
    let monitoring = read_monitoring_reference(reader, &raw.monitoring, ward);
    let phases = read_phases(reader, raw, drug.ok(), ward);
    let windows = read_windows(reader, &raw.window);
    let history = read_history(reader, &raw.history);
    let form = raw.form.as_ref().map(|form| read_form(reader, form)).transpose();
    let source = reader.prose(&raw.source);
    Ok(Plan {
        id: id?,
        title: title?,
        drug: drug?.id.clone(),
        monitoring: Arc::clone(monitoring?),
        phases: phases?,
        windows: windows?,
        history: history?,
        form: form?,
        source: source?,
    })
}

fn read_monitoring_reference<'m>(
    reader: &mut Reader<'_>,
    field: &Text,
    ward: &Ward<'m>,
) -> Read<&'m Arc<Monitoring>> {
    let id: MonitoringId = reader.value(field, str::parse)?;
    ward.monitorings.get(&id).ok_or_else(|| {
        let message =
            format!("there is no good monitoring `{id}` in this formulary; add or mend it");
        reader.refuse(&field.span(), message)
    })
}

fn read_phases(
    reader: &mut Reader<'_>,
    plan: &RawPlan,
    drug: Option<&Drug>,
    ward: &Ward<'_>,
) -> Read<Vec<Phase>> {
    if plan.phase.is_empty() {
        let message = "a plan has at least one [[plan.phase]]; add it";
        return Err(reader.refuse(&plan.id.span(), message));
    }
    let mut phases: Vec<Phase> = Vec::with_capacity(plan.phase.len());
    let mut outcome = Ok(());
    for raw in &plan.phase {
        match read_phase(reader, raw, drug, ward) {
            Ok(phase) if phases.iter().any(|other| other.id == phase.id) => {
                let message = format!("`{}` stands twice; give each an id of its own", phase.id);
                outcome = Err(reader.refuse(&raw.id.span(), message));
            }
            Ok(phase) => phases.push(phase),
            Err(Refused) => outcome = Err(Refused),
        }
    }
    outcome.map(|()| phases)
}

fn read_phase(
    reader: &mut Reader<'_>,
    raw: &RawPhase,
    drug: Option<&Drug>,
    ward: &Ward<'_>,
) -> Read<Phase> {
    let id = reader.value(&raw.id, str::parse);
    let title = reader.prose(&raw.title);
    let protocol = read_protocol_reference(reader, &raw.protocol, drug, ward);
    let sessions = read_sessions(reader, raw);
    let interval = read_interval(reader, raw);
    let lasts_days =
        raw.lasts_days.as_ref().map(|days| reader.number(days, 1..=MAX_DAYS)).transpose();
    let first_dose = match protocol {
        Ok(protocol) => {
            reader.optional(raw.first_dose.as_ref(), |text| read_first_dose(text, protocol))
        }
        Err(Refused) => Err(Refused),
    };
    let source = reader.prose(&raw.source);
    let (sessions_min, sessions_max) = sessions?;
    let interval = interval?;
    Ok(Phase {
        id: id?,
        title: title?,
        protocol: protocol?.id.clone(),
        sessions_min,
        sessions_max,
        interval_days: interval.planned,
        soft_min_days: interval.soft_min,
        hard_min_days: interval.hard_min,
        soft_max_days: interval.soft_max,
        lasts_days: lasts_days?,
        first_dose: first_dose?,
        source: source?,
    })
}

fn read_protocol_reference<'p>(
    reader: &mut Reader<'_>,
    field: &Text,
    drug: Option<&Drug>,
    ward: &Ward<'p>,
) -> Read<&'p Arc<Protocol>> {
    let id: ProtocolId = reader.value(field, str::parse)?;
    let Some(protocol) = ward.protocols.get(&id) else {
        let message = format!("there is no good protocol `{id}` in this formulary; add or mend it");
        return Err(reader.refuse(&field.span(), message));
    };
    if let Some(drug) = drug.filter(|drug| drug.id != protocol.drug) {
        let message = format!(
            "protocol `{id}` gives {} and the plan {}; name a protocol of the plan's drug",
            protocol.drug, drug.id
        );
        return Err(reader.refuse(&field.span(), message));
    }
    Ok(protocol)
}

fn read_sessions(reader: &mut Reader<'_>, raw: &RawPhase) -> Read<(u16, u16)> {
    let min = reader.number(&raw.sessions_min, 1..=MAX_SESSIONS);
    let max = reader.number(&raw.sessions_max, 1..=MAX_SESSIONS);
    let (min, max) = (min?, max?);
    if max < min {
        let message = format!("{max} is less than sessions_min, {min}; mend one of them");
        return Err(reader.refuse(&raw.sessions_max.span(), message));
    }
    Ok((min, max))
}

/// The days between two sessions.
struct Interval {
    hard_min: u16,
    soft_min: u16,
    planned: u16,
    soft_max: u16,
}

fn read_interval(reader: &mut Reader<'_>, raw: &RawPhase) -> Read<Interval> {
    let hard_min = reader.number(&raw.hard_min_days, 0..=MAX_DAYS);
    let soft_min = reader.number(&raw.soft_min_days, 0..=MAX_DAYS);
    let planned = reader.number(&raw.interval_days, 1..=MAX_DAYS);
    let soft_max = reader.number(&raw.soft_max_days, 1..=MAX_DAYS);
    let interval = Interval {
        hard_min: hard_min?,
        soft_min: soft_min?,
        planned: planned?,
        soft_max: soft_max?,
    };
    let rising: [&Number; 4] =
        [&raw.hard_min_days, &raw.soft_min_days, &raw.interval_days, &raw.soft_max_days];
    let mut lower = 0;
    for field in rising {
        let days = *field.get_ref();
        if days < lower {
            let message = format!(
                "{days} is less than {lower}; days rise from hard_min_days over soft_min_days and \
                 interval_days to soft_max_days"
            );
            return Err(reader.refuse(&field.span(), message));
        }
        lower = days;
    }
    Ok(interval)
}

fn read_first_dose(text: &str, protocol: &Protocol) -> Result<Quantity, String> {
    let dose = read_limit(text, protocol.dose.kind)?;
    let (unit, hard_high) = (protocol.dose.unit, protocol.dose.hard_high);
    if dose.unit() != unit {
        return Err(format!("write it in {unit}, as protocol `{}` does", protocol.id));
    }
    if dose.value() > hard_high.value() {
        return Err(format!(
            "{dose} is more than {hard_high}, the hard limit of protocol `{}`; write no more than \
             that",
            protocol.id
        ));
    }
    Ok(dose)
}

fn read_windows(reader: &mut Reader<'_>, raws: &[RawWindow]) -> Read<Vec<Window>> {
    let mut windows: Vec<Window> = Vec::with_capacity(raws.len());
    let mut outcome = Ok(());
    for raw in raws {
        let last = windows.last().map_or(0, |window| window.days);
        match read_window(reader, raw) {
            Ok(window) if window.days <= last => {
                let message = format!(
                    "{} is not more than {last}; write the windows of a plan shortest first",
                    window.days
                );
                outcome = Err(reader.refuse(&raw.days.span(), message));
            }
            Ok(window) => windows.push(window),
            Err(Refused) => outcome = Err(Refused),
        }
    }
    outcome.map(|()| windows)
}

fn read_window(reader: &mut Reader<'_>, raw: &RawWindow) -> Read<Window> {
    let days = reader.number(&raw.days, 1..=MAX_DAYS);
    let sessions = reader.number(&raw.sessions, 1..=MAX_SESSIONS);
    let mass = reader.optional(raw.mass.as_ref(), |text| {
        let mass = Quantity::parse_text(text).and_then(Mass::try_from);
        match mass.map_err(|error| error.to_string())? {
            Mass::MIN => Err("a largest mass is more than nothing".to_owned()),
            mass => Ok(mass),
        }
    });
    let source = reader.prose(&raw.source);
    Ok(Window { days: days?, sessions: sessions?, mass: mass?, source: source? })
}

fn read_history(reader: &mut Reader<'_>, raw: &RawHistory) -> Read<HistoryRule> {
    let weight_change_percent = reader.number(&raw.weight_change_percent, 1..=100);
    let rises_alone = reader.number(&raw.rises_alone, 0..=100);
    let ask_after = read_effects(reader, &raw.ask_after);
    let source = reader.prose(&raw.source);
    Ok(HistoryRule {
        weight_change_percent: weight_change_percent?,
        rises_alone: rises_alone?,
        ask_after: ask_after?,
        source: source?,
    })
}

fn read_effects(reader: &mut Reader<'_>, fields: &[Text]) -> Read<Vec<EffectKind>> {
    let mut kinds: Vec<EffectKind> = Vec::with_capacity(fields.len());
    let mut outcome = Ok(());
    for field in fields {
        match reader.word(field) {
            Ok(kind) if kinds.contains(&kind) => {
                let message = format!("`{kind}` stands twice; name it once");
                outcome = Err(reader.refuse(&field.span(), message));
            }
            Ok(kind) => kinds.push(kind),
            Err(Refused) => outcome = Err(Refused),
        }
    }
    outcome.map(|()| kinds)
}

fn read_form(reader: &mut Reader<'_>, raw: &RawForm) -> Read<FormRule> {
    let title = reader.prose(&raw.title);
    let due_days = reader.number(&raw.due_days, 1..=MAX_DAYS);
    let source = reader.prose(&raw.source);
    Ok(FormRule { title: title?, due_days: due_days?, source: source? })
}
