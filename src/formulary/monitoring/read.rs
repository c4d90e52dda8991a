//! From the TOML of a monitoring to a checked one.

use super::{
    Bound, Criterion, CriterionWhen, DischargeRule, DueObservation, Leaflet, Measure, Monitoring,
};
use crate::formulary::measure::{Measures, read_measure_reference, read_measure_references};
use crate::formulary::question::QuestionWeight;
use crate::formulary::raw::{
    RawCriterion, RawDischarge, RawDue, RawLeaflet, RawMonitoring, Signed, Text, Texts,
};
use crate::formulary::reader::{Read, Reader, Refused};
use crate::formulary::slug::{CriterionId, MeasureId};
use crate::formulary::word::Word;
use std::sync::Arc;

/// Lines of either list of a leaflet at most.
const MAX_LEAFLET_LINES: usize = 20;

/// Minutes of one day: nothing here takes longer.
const MINUTES_PER_DAY: u16 = 1_440;

pub(in crate::formulary) fn read_monitoring(
    reader: &mut Reader<'_>,
    raw: &RawMonitoring,
    measures: &Measures,
) -> Read<Monitoring> {
    let id = reader.value(&raw.id, str::parse);
    let title = reader.prose(&raw.title);
    let before = read_measure_references(reader, &raw.before, measures);
    let before_valid = reader.minutes(&raw.before_minutes, 1..=MINUTES_PER_DAY);
    let late_after = reader.minutes(&raw.late_minutes, 1..=120);
    let due = read_due(reader, &raw.due, measures, &raw.id);
    let criteria = read_criteria(reader, &raw.criterion, measures);
    let discharge = read_discharge(reader, &raw.discharge, measures);
    let leaflet = read_leaflet(reader, &raw.leaflet);
    let source = reader.prose(&raw.source);
    let (before, criteria, discharge) = (before?, criteria?, discharge?);
    for (criterion, raw) in criteria.iter().zip(&raw.criterion) {
        let (taken, list) = match criterion.when {
            CriterionWhen::Before => (&before, "before"),
            CriterionWhen::During => continue,
            CriterionWhen::Discharge => (&discharge.measures, "[monitoring.discharge]"),
        };
        refuse_unmeasured(reader, &raw.measure, &criterion.measure.id, taken, list);
    }
    Ok(Monitoring {
        id: id?,
        title: title?,
        before,
        before_valid: before_valid?,
        late_after: late_after?,
        due: due?,
        criteria,
        discharge,
        leaflet: leaflet?,
        source: source?,
    })
}

/// A criterion on what nobody measures would never be met.
fn refuse_unmeasured(
    reader: &mut Reader<'_>,
    field: &Text,
    measure: &MeasureId,
    taken: &[MeasureId],
    list: &str,
) {
    if !taken.contains(measure) {
        let message = format!("`{measure}` is not among the measures of {list}; add it there");
        reader.refuse(&field.span(), message);
    }
}

fn read_due(
    reader: &mut Reader<'_>,
    raws: &[RawDue],
    measures: &Measures,
    id: &Text,
) -> Read<Vec<DueObservation>> {
    if raws.is_empty() {
        let message = "nothing is observed after the dose; add at least one [[monitoring.due]]";
        return Err(reader.refuse(&id.span(), message));
    }
    let mut due: Vec<DueObservation> = Vec::new();
    let mut outcome = Ok(());
    let mut last = 0;
    for raw in raws {
        let ids = read_measure_references(reader, &raw.measures, measures);
        if raw.minutes.get_ref().is_empty() {
            outcome = Err(reader.refuse(&raw.minutes.span(), "write at least one time in minutes"));
        }
        for field in raw.minutes.get_ref() {
            let minutes = *field.get_ref();
            let Ok(after) = reader.minutes(field, 1..=MINUTES_PER_DAY) else {
                outcome = Err(Refused);
                continue;
            };
            if minutes <= last {
                let message = format!(
                    "{minutes} is not more than {last}; minutes rise over all [[monitoring.due]] \
                     of a monitoring"
                );
                outcome = Err(reader.refuse(&field.span(), message));
                continue;
            }
            last = minutes;
            match &ids {
                Ok(ids) => due.push(DueObservation { after, measures: ids.clone() }),
                Err(Refused) => outcome = Err(Refused),
            }
        }
    }
    outcome.map(|()| due)
}

fn read_criteria(
    reader: &mut Reader<'_>,
    raws: &[RawCriterion],
    measures: &Measures,
) -> Read<Vec<Criterion>> {
    let mut criteria: Vec<Criterion> = Vec::with_capacity(raws.len());
    let mut outcome = Ok(());
    for raw in raws {
        match read_criterion(reader, raw, measures) {
            Ok(criterion) if criteria.iter().any(|other| other.id == criterion.id) => {
                let message =
                    format!("`{}` stands twice; give each an id of its own", criterion.id);
                outcome = Err(reader.refuse(&raw.id.span(), message));
            }
            Ok(criterion) => criteria.push(criterion),
            Err(Refused) => outcome = Err(Refused),
        }
    }
    outcome.map(|()| criteria)
}

fn read_criterion(
    reader: &mut Reader<'_>,
    raw: &RawCriterion,
    measures: &Measures,
) -> Read<Criterion> {
    let id: Read<CriterionId> = reader.value(&raw.id, str::parse);
    let when: Read<CriterionWhen> = reader.word(&raw.when);
    let measure = read_measure_reference(reader, &raw.measure, measures);
    let bound = read_bound(reader, raw, measure.ok());
    let weight = read_weight(reader, raw, when);
    let action = reader.prose(&raw.action);
    let source = reader.prose(&raw.source);
    Ok(Criterion {
        id: id?,
        when: when?,
        measure: Arc::clone(measure?),
        bound: bound?,
        weight: weight?,
        action: action?,
        source: source?,
    })
}

/// The bound, which some plausible reading passes and some does not.
fn read_bound(
    reader: &mut Reader<'_>,
    raw: &RawCriterion,
    measure: Option<&Arc<Measure>>,
) -> Read<Bound> {
    let (field, bound): (&Signed, Bound) = match (&raw.above, &raw.below) {
        (Some(field), None) => (field, Bound::Above(*field.get_ref())),
        (None, Some(field)) => (field, Bound::Below(*field.get_ref())),
        (None, None) => {
            let message = "this criterion has no bound; write above or below";
            return Err(reader.refuse(&raw.id.span(), message));
        }
        (Some(_), Some(second)) => {
            let message = "a criterion has one bound; write above or below, and two criteria for \
                           both";
            return Err(reader.refuse(&second.span(), message));
        }
    };
    let Some(measure) = measure else { return Ok(bound) };
    let tells_apart = match bound {
        Bound::Above(value) => measure.lowest <= value && value < measure.highest,
        Bound::Below(value) => measure.lowest < value && value <= measure.highest,
    };
    if tells_apart {
        return Ok(bound);
    }
    let message = format!(
        "{bound} tells no two plausible readings of `{}` apart, which go from {} to {}; mend it",
        measure.id, measure.lowest, measure.highest
    );
    Err(reader.refuse(&field.span(), message))
}

/// Before a dose a criterion is hard or soft. Afterwards there is nothing left to refuse, and at
/// discharge nobody can override it.
fn read_weight(
    reader: &mut Reader<'_>,
    raw: &RawCriterion,
    when: Read<CriterionWhen>,
) -> Read<Option<QuestionWeight>> {
    let weight = reader.optional(raw.weight.as_ref(), |word| {
        let message = || format!("`{word}` is not a weight of a criterion; write hard or soft");
        QuestionWeight::read(word).map_err(|_| message())
    });
    match (when?, &raw.weight) {
        (CriterionWhen::Before, None) => {
            let message = "a criterion before a dose is hard or soft; add weight";
            Err(reader.refuse(&raw.when.span(), message))
        }
        (CriterionWhen::During | CriterionWhen::Discharge, Some(field)) => {
            let message = "only a criterion before a dose has a weight; leave it out";
            Err(reader.refuse(&field.span(), message))
        }
        _ => weight,
    }
}

fn read_discharge(
    reader: &mut Reader<'_>,
    raw: &RawDischarge,
    measures: &Measures,
) -> Read<DischargeRule> {
    let minimum = reader.minutes(&raw.minimum_minutes, 0..=MINUTES_PER_DAY);
    let observed_within = reader.minutes(&raw.observed_minutes, 1..=240);
    let measures = read_measure_references(reader, &raw.measures, measures);
    let source = reader.prose(&raw.source);
    Ok(DischargeRule {
        minimum: minimum?,
        observed_within: observed_within?,
        measures: measures?,
        escort: *raw.escort.get_ref(),
        no_driving: *raw.no_driving.get_ref(),
        source: source?,
    })
}

fn read_leaflet(reader: &mut Reader<'_>, raw: &RawLeaflet) -> Read<Leaflet> {
    let advised = read_lines(reader, &raw.advised);
    let avoided = read_lines(reader, &raw.avoided);
    let source = reader.prose(&raw.source);
    Ok(Leaflet { advised: advised?, avoided: avoided?, source: source? })
}

fn read_lines(reader: &mut Reader<'_>, fields: &Texts) -> Read<Vec<String>> {
    let found = fields.get_ref().len();
    if !(1..=MAX_LEAFLET_LINES).contains(&found) {
        let message = format!("{found} lines; write 1 to {MAX_LEAFLET_LINES}");
        return Err(reader.refuse(&fields.span(), message));
    }
    let lines: Vec<Read<String>> = fields.get_ref().iter().map(|line| reader.prose(line)).collect();
    lines.into_iter().collect()
}
