//! A session as charts: vital signs, and scores.

use super::axis::Axis;
use super::draw::{Across, Chart, Item, Lane, Limit, Panel, Series};
use super::glyph::Mark;
use crate::pb::v1;
use crate::report::markup::Markup;
use crate::report::moments::{first_dose, minutes_between, moment};
use crate::report::reading::{bound, bound_words, is_score, measures, monitoring, when};
use crate::report::words::{effect, quantity, reading_unit};
use crate::time::Timestamp;

/// Ticks of the axis of time at most.
const TICKS_ACROSS: i64 = 12;
/// Ticks of an axis upwards at most.
const TICKS_UP: i64 = 8;
/// A scale with so many steps is shown as a whole, so that a low score looks low.
const WHOLE_SCALE: i64 = 10;
/// Lanes of adverse effects at most; the others are in the table.
const MOST_EFFECTS: usize = 8;

/// The vital signs over a session, with the doses, what was due, the discharge and the plan's limits: an `<svg>`
/// element. The time is in minutes after the first dose began, or after the session began where nothing was given.
#[must_use]
pub fn session_vitals(session: &v1::Session, plan: &v1::Plan) -> String {
    vitals(session, plan).into_string()
}

/// The scores over a session, in the same way.
#[must_use]
pub fn session_scores(session: &v1::Session, plan: &v1::Plan) -> String {
    scores(session, plan).into_string()
}

pub(in crate::report) fn vitals(session: &v1::Session, plan: &v1::Plan) -> Markup {
    let run = Run::new(session, plan);
    let signs = measures(&run.monitoring, session).into_iter().filter(|it| !is_score(it));
    // Measures of one unit share a field: the two pressures are read together.
    let mut fields: Vec<Vec<v1::Measure>> = Vec::new();
    for sign in signs {
        match fields.iter_mut().find(|field| field.iter().any(|other| other.unit == sign.unit)) {
            Some(field) => field.push(sign),
            None => fields.push(vec![sign]),
        }
    }
    run.chart("Vital signs", &fields, 88, run.common_lanes()).draw()
}

pub(in crate::report) fn scores(session: &v1::Session, plan: &v1::Plan) -> Markup {
    let run = Run::new(session, plan);
    let scores = measures(&run.monitoring, session).into_iter().filter(is_score);
    let fields: Vec<Vec<v1::Measure>> = scores.map(|score| vec![score]).collect();
    let mut lanes = run.common_lanes();
    lanes.extend(run.effect_lanes());
    run.chart("Scores and adverse effects", &fields, 72, lanes).draw()
}

/// A session along its axis of time.
struct Run<'a> {
    session: &'a v1::Session,
    monitoring: v1::Monitoring,
    /// Minute 0.
    zero: Option<Timestamp>,
    given: bool,
    axis: Axis,
}

impl<'a> Run<'a> {
    fn new(session: &'a v1::Session, plan: &v1::Plan) -> Self {
        let dose = first_dose(session);
        let zero = dose.or_else(|| moment(session.start_time.as_ref()));
        let monitoring = monitoring(plan);
        let mut run = Self {
            session,
            monitoring,
            zero,
            given: dose.is_some(),
            axis: Axis::minutes([0, 60], TICKS_ACROSS),
        };
        let moments = session
            .doses
            .iter()
            .flat_map(|dose| [&dose.start_time, &dose.end_time])
            .chain(session.observations.iter().map(|made| &made.observed_time))
            .chain(session.schedule.iter().map(|item| &item.due_time))
            .chain([&session.end_time]);
        let minutes: Vec<i64> =
            moments.filter_map(|it| run.minute(it.as_ref())).chain([0]).collect();
        if minutes.len() > 1 {
            run.axis = Axis::minutes(minutes, TICKS_ACROSS);
        }
        run
    }

    fn minute(&self, at: Option<&prost_types::Timestamp>) -> Option<i64> {
        self.zero.zip(moment(at)).map(|(zero, at)| minutes_between(zero, at))
    }

    fn chart(
        &self,
        title: &str,
        fields: &[Vec<v1::Measure>],
        height: i64,
        lanes: Vec<Lane>,
    ) -> Chart {
        let since = if self.given { "first dose" } else { "session" };
        let ticks = self.axis.ticks().into_iter().map(|tick| (tick, tick.to_string())).collect();
        let mut rules = Vec::new();
        if self.given {
            rules.push((0, "none"));
        }
        if let Some(end) = self.minute(self.session.end_time.as_ref()) {
            rules.push((end, "6 2 1 2"));
        }
        Chart {
            title: title.to_owned(),
            description: self.description(fields, since),
            across: Across {
                low: self.axis.low,
                high: self.axis.high,
                ticks,
                title: format!("minutes after the {since} began"),
            },
            lanes,
            rules,
            panels: fields.iter().map(|field| self.panel(field, height)).collect(),
        }
    }

    fn description(&self, fields: &[Vec<v1::Measure>], since: &str) -> String {
        let mut parts = Vec::new();
        for measure in fields.iter().flatten() {
            let values = self.values(measure);
            let (Some(low), Some(high)) = (values.iter().min(), values.iter().max()) else {
                parts.push(format!("{}: no reading", measure.name));
                continue;
            };
            let unit = reading_unit(&measure.unit);
            let many = values.len();
            let words = format!("{}: {many} readings from {low} to {high} {unit}", measure.name);
            parts.push(words.trim_end().to_owned());
        }
        format!("Over the minutes after the {since} began. {}.", parts.join("; "))
    }

    fn values(&self, measure: &v1::Measure) -> Vec<i64> {
        let readings = self.session.observations.iter().flat_map(|made| &made.readings);
        readings
            .filter(|reading| reading.measure == measure.id)
            .map(|reading| i64::from(reading.value))
            .collect()
    }

    fn panel(&self, field: &[v1::Measure], height: i64) -> Panel {
        let limits = self.limits(field);
        let mut values: Vec<i64> = field.iter().flat_map(|measure| self.values(measure)).collect();
        // A limit lies inside the field and not on its edge, where it would not be seen.
        let inside = i64::from(!field.iter().any(is_score));
        values.extend(limits.iter().flat_map(|limit| [limit.at - inside, limit.at + inside]));
        for measure in field {
            let (lowest, highest) = (i64::from(measure.lowest), i64::from(measure.highest));
            let whole = is_score(measure) && lowest < highest;
            if values.is_empty() || (whole && highest - lowest <= WHOLE_SCALE) {
                values.extend([lowest, highest]);
            } else if whole {
                values.push(lowest);
            }
        }
        let axis = Axis::decimal(values, TICKS_UP);
        let unit = field.first().map(|measure| reading_unit(&measure.unit)).unwrap_or_default();
        Panel {
            unit,
            axis,
            ticks: axis.ticks().into_iter().map(|tick| (tick, tick.to_string())).collect(),
            height: if field.len() > 1 { height * 3 / 2 } else { height },
            series: field.iter().map(|measure| self.series(measure)).collect(),
            limits,
        }
    }

    /// The readings of a measure, in runs: where an observation was missed the line is broken, so that nobody reads a
    /// value there that nobody saw.
    fn series(&self, measure: &v1::Measure) -> Series {
        let missed: Vec<i64> = self
            .session
            .schedule
            .iter()
            .filter(|item| matches!(item.state(), v1::DueState::Missed | v1::DueState::Overdue))
            .filter(|item| item.measures.contains(&measure.id))
            .filter_map(|item| self.minute(item.due_time.as_ref()))
            .collect();
        let mut points: Vec<(i64, i64)> = Vec::new();
        for made in &self.session.observations {
            let Some(minute) = self.minute(made.observed_time.as_ref()) else { continue };
            let own = made.readings.iter().filter(|reading| reading.measure == measure.id);
            points.extend(own.map(|reading| (minute, i64::from(reading.value))));
        }
        points.sort_by_key(|(minute, _)| *minute);
        let mut runs: Vec<Vec<(i64, i64)>> = Vec::new();
        for point in points {
            let before = runs.last().and_then(|run| run.last()).map(|(minute, _)| *minute);
            let broken = before
                .is_none_or(|before| missed.iter().any(|gap| (before..point.0).contains(gap)));
            match runs.last_mut() {
                Some(run) if !broken => run.push(point),
                _ => runs.push(vec![point]),
            }
        }
        let name = if measure.name.is_empty() { &measure.id } else { &measure.name };
        Series { name: name.clone(), runs, stays: false }
    }

    /// The limits of the plan's criteria; those of one measure and one value are one line.
    fn limits(&self, field: &[v1::Measure]) -> Vec<Limit> {
        let mut limits: Vec<(String, Limit)> = Vec::new();
        for criterion in &self.monitoring.criteria {
            let Some(measure) = field.iter().find(|it| it.id == criterion.measure) else {
                continue;
            };
            let Some(at) = bound(criterion) else { continue };
            let words = match field {
                [_] => bound_words(criterion),
                _ => format!("{} {}", measure.id, bound_words(criterion)),
            };
            let ((from, to), dashes) = self.stretch(criterion);
            if let Some((_, limit)) = limits.iter_mut().find(|(known, _)| *known == words) {
                limit.label.push_str(", ");
                limit.label.push_str(when(criterion));
                (limit.from, limit.to) = (limit.from.min(from), limit.to.max(to));
            } else {
                let label = format!("{words}: {}", when(criterion));
                limits.push((words, Limit { at: at.into(), from, to, dashes, label }));
            }
        }
        limits.into_iter().map(|(_, limit)| limit).collect()
    }

    /// From when to when a criterion counts, and the dashes of its line.
    fn stretch(&self, criterion: &v1::Criterion) -> ((i64, i64), &'static str) {
        let (low, high) = (self.axis.low, self.axis.high);
        let leave = i64::from(self.monitoring.discharge_minutes).min(high);
        match criterion.when() {
            v1::CriterionWhen::Before if self.given => ((low, 0), "4 2"),
            v1::CriterionWhen::During if self.given => ((0, high), "12 3"),
            v1::CriterionWhen::Discharge if self.given => ((leave, high), "12 3 3 3"),
            _ => ((low, high), "12 3"),
        }
    }

    fn common_lanes(&self) -> Vec<Lane> {
        let doses = (1..).zip(&self.session.doses).filter_map(|(number, dose)| {
            let from = self.minute(dose.start_time.as_ref())?;
            let to = self.minute(dose.end_time.as_ref()).unwrap_or(from).max(from);
            let label = format!("{number}: {}", quantity(dose.dose.as_ref()));
            Some(Item { from, to, mark: None, label })
        });
        let due = self.session.schedule.iter().filter_map(|item| {
            let mark = match item.state() {
                v1::DueState::Done => Mark::Down,
                v1::DueState::Missed | v1::DueState::Overdue => Mark::Cross,
                _ => Mark::OpenDown,
            };
            let label = match item.state() {
                v1::DueState::Missed => "missed",
                v1::DueState::Overdue => "overdue",
                _ => "",
            };
            self.mark(item.due_time.as_ref(), mark, label)
        });
        let alerts = self.session.observations.iter().filter(|made| !made.alerts.is_empty());
        let alerts =
            alerts.filter_map(|made| self.mark(made.observed_time.as_ref(), Mark::FullDiamond, ""));
        let mut lanes = vec![
            lane("doses given", doses),
            lane("due: full made, empty to come, × not", due),
            lane("alerts", alerts),
        ];
        if self.session.discharge.is_some() {
            let left = self.mark(self.session.end_time.as_ref(), Mark::Square, "");
            lanes.push(lane("discharge", left.into_iter()));
        }
        lanes.retain(|lane| lane.name != "alerts" || !lane.items.is_empty());
        lanes
    }

    fn effect_lanes(&self) -> Vec<Lane> {
        let effects = &self.session.adverse_effects;
        let mut lanes: Vec<Lane> = effects
            .iter()
            .take(MOST_EFFECTS)
            .filter_map(|found| {
                let (low, high) = (self.axis.low, self.axis.high);
                let from = self.minute(found.onset_time.as_ref())?.clamp(low, high);
                let end = self.minute(found.end_time.as_ref());
                let to = end.unwrap_or(high).clamp(from, high);
                let label = if end.is_none() { "lasts" } else { "" }.to_owned();
                Some(lane(
                    &effect(found.kind()),
                    [Item { from, to, mark: None, label }].into_iter(),
                ))
            })
            .collect();
        if effects.len() > MOST_EFFECTS {
            let rest = format!("and {} more effects", effects.len() - MOST_EFFECTS);
            lanes.push(lane(&rest, std::iter::empty()));
        }
        lanes
    }

    fn mark(&self, at: Option<&prost_types::Timestamp>, mark: Mark, label: &str) -> Option<Item> {
        let at = self.minute(at)?;
        Some(Item { from: at, to: at, mark: Some(mark), label: label.to_owned() })
    }
}

fn lane(name: &str, items: impl Iterator<Item = Item>) -> Lane {
    Lane { name: name.to_owned(), items: items.collect() }
}
