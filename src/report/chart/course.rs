//! A course as charts: what was ordered session by session, and what was given in all.

use super::axis::Axis;
use super::draw::{Across, Chart, Item, Lane, Limit, Panel, Series};
use super::glyph::Mark;
use crate::pb::v1;
use crate::report::markup::Markup;
use crate::report::moments::moment;
use crate::report::words::read;
use crate::time::Timestamp;
use crate::units::{Dimension, Quantity, Rational, Unit};
use crate::wire::date_from_wire;

const TICKS_ACROSS: i64 = 15;
const TICKS_UP: i64 = 8;
/// Parts into which a unit is divided for the axis: a millionth is less than anything that is drawn.
const PARTS: i128 = 1_000_000;
/// The greatest value drawn, in these parts.
const MOST_PARTS: i64 = 1_000_000_000_000_000;
const MICROS_PER_DAY: i64 = 86_400_000_000;

/// The dose ordered in each session of a course, with the limits of its phases as lines and the rises marked: an `<svg>`
/// element.
#[must_use]
pub fn course_doses(course: &v1::Course, plan: &v1::Plan) -> String {
    doses(course, plan).into_string()
}

/// The mass of drug given since the course's first session: an `<svg>` element.
#[must_use]
pub fn course_mass(course: &v1::Course) -> String {
    mass(course).into_string()
}

/// The sessions whose ordered dose is more than that of the session before.
pub(in crate::report) fn rises(course: &v1::Course) -> Vec<&v1::SessionSummary> {
    let mut found = Vec::new();
    let mut last: Option<Quantity> = None;
    for session in &course.sessions {
        let Some(dose) = read(session.ordered_dose.as_ref()) else { continue };
        let before = last.and_then(|last| last.convert(dose.unit()).ok());
        if before.is_some_and(|before| dose.value() > before.value()) {
            found.push(session);
        }
        last = Some(dose);
    }
    found
}

pub(in crate::report) fn doses(course: &v1::Course, plan: &v1::Plan) -> Markup {
    let sessions = &course.sessions;
    let last = i64::try_from(sessions.len()).unwrap_or(i64::MAX / 4).max(1);
    // In half sessions, so that what happened between two of them has a place.
    let across = Across {
        low: 1,
        high: last * 2 + 1,
        ticks: session_ticks(course, last),
        title: "session of the course".to_owned(),
    };
    let mut lanes = vec![phase_lane(course, plan), rise_lane(course), missed_lane(course)];
    lanes.retain(|lane| !lane.items.is_empty());
    let mut panels = Vec::new();
    for dimension in dimensions(course) {
        let unit = unit_of(course, plan, dimension);
        panels.push(dose_panel(course, plan, unit));
    }
    if panels.is_empty() {
        let unit = plan.phases.iter().find_map(|phase| read(phase.hard_high.as_ref()));
        panels.push(dose_panel(course, plan, unit.map_or(Unit::Milligram, Quantity::unit)));
    }
    let rises = rises(course).len();
    let description = format!(
        "Dose ordered in each of {last} sessions; the dose was raised {rises} times; the limits of \
         the plan's phases are lines."
    );
    let title = "Dose ordered per session".to_owned();
    Chart { title, description, across, lanes, rules: Vec::new(), panels }.draw()
}

pub(in crate::report) fn mass(course: &v1::Course) -> Markup {
    let begin = course.sessions.iter().filter_map(begun).min();
    let day =
        |at: Timestamp| begin.map_or(0, |begin| at.micros_since(begin).div_euclid(MICROS_PER_DAY));
    let mut total = Rational::ZERO;
    let mut points = Vec::new();
    for session in &course.sessions {
        let given = read(session.given_mass.as_ref()).filter(is_mass).zip(begun(session));
        let Some((given, at)) = given else { continue };
        let sum = given.convert(Unit::Milligram).ok().and_then(|mg| total.plus(mg.value()).ok());
        let Some(sum) = sum else { continue };
        total = sum;
        points.extend(parts(Quantity::new(sum, Unit::Milligram)).map(|sum| (day(at), sum)));
    }
    // The first dose rises from nothing.
    if let Some((first, _)) = points.first().copied() {
        points.insert(0, (first, 0));
    }
    let axis = Axis::days(points.iter().map(|(day, _)| *day).chain([0]), TICKS_ACROSS);
    let up = Axis::decimal(points.iter().map(|(_, sum)| *sum).chain([0]), TICKS_UP);
    let shown = Quantity::new(total, Unit::Milligram);
    let runs = if points.is_empty() { Vec::new() } else { vec![points] };
    let series = Series { name: format!("given so far: {shown} in all"), runs, stays: true };
    let panel = Panel {
        unit: Unit::Milligram.display().to_owned(),
        axis: up,
        ticks: number_ticks(up, Unit::Milligram),
        height: 130,
        series: vec![series],
        limits: Vec::new(),
    };
    Chart {
        title: "Cumulative mass given".to_owned(),
        description: format!("Mass given since the first session, {shown} in all."),
        across: Across {
            low: axis.low,
            high: axis.high,
            ticks: axis.ticks().into_iter().map(|tick| (tick, tick.to_string())).collect(),
            title: "days after the first session".to_owned(),
        },
        lanes: Vec::new(),
        rules: Vec::new(),
        panels: vec![panel],
    }
    .draw()
}

/// When a session's dose began, or the session.
fn begun(session: &v1::SessionSummary) -> Option<Timestamp> {
    moment(session.first_dose_time.as_ref()).or_else(|| moment(session.start_time.as_ref()))
}

fn is_mass(quantity: &Quantity) -> bool {
    quantity.unit().dimension() == Dimension::Mass
}

/// A quantity in parts of its unit, where it can be drawn.
fn parts(quantity: Quantity) -> Option<i64> {
    let parts = quantity.value().times(Rational::from_integer(PARTS)).ok()?.half_up();
    i64::try_from(parts).ok().filter(|parts| (0..=MOST_PARTS).contains(parts))
}

/// The ticks of an axis in parts, as numbers of the unit.
fn number_ticks(axis: Axis, unit: Unit) -> Vec<(i64, String)> {
    let number = |tick: i64| {
        let value = Rational::new(tick.into(), PARTS).unwrap_or(Rational::ZERO);
        let whole = Quantity::new(value, unit).to_string();
        whole.split(' ').next().unwrap_or_default().to_owned()
    };
    axis.ticks().into_iter().map(|tick| (tick, number(tick))).collect()
}

fn session_ticks(course: &v1::Course, last: i64) -> Vec<(i64, String)> {
    let step = [1, 2, 5, 10, 20, 50, 100].into_iter().find(|step| last / step <= 20);
    let step = step.unwrap_or(last);
    (1..)
        .zip(&course.sessions)
        .filter(|(place, _)| *place == 1 || place % step == 0)
        .map(|(place, session)| (place * 2, session.number.to_string()))
        .collect()
}

/// The kinds of dose that were ordered, in the order of the first of each.
fn dimensions(course: &v1::Course) -> Vec<Dimension> {
    let mut found = Vec::new();
    let ordered = course.sessions.iter().filter_map(|session| read(session.ordered_dose.as_ref()));
    for dimension in ordered.map(|dose| dose.unit().dimension()) {
        if !found.contains(&dimension) {
            found.push(dimension);
        }
    }
    found
}

/// The unit of a kind of dose: the one that the plan's limits are in, else that of the first dose.
fn unit_of(course: &v1::Course, plan: &v1::Plan, dimension: Dimension) -> Unit {
    let limits = plan.phases.iter().filter_map(|phase| read(phase.hard_high.as_ref()));
    let ordered = course.sessions.iter().filter_map(|session| read(session.ordered_dose.as_ref()));
    let unit = limits.chain(ordered).map(Quantity::unit).find(|it| it.dimension() == dimension);
    unit.unwrap_or(Unit::Milligram)
}

fn dose_panel(course: &v1::Course, plan: &v1::Plan, unit: Unit) -> Panel {
    let mut runs: Vec<Vec<(i64, i64)>> = Vec::new();
    let mut joined = false;
    for (place, session) in (1..).zip(&course.sessions) {
        let dose = read(session.ordered_dose.as_ref()).and_then(|dose| dose.convert(unit).ok());
        let Some(dose) = dose.and_then(parts) else {
            joined = false;
            continue;
        };
        match runs.last_mut() {
            Some(run) if joined => run.push((place * 2, dose)),
            _ => runs.push(vec![(place * 2, dose)]),
        }
        joined = true;
    }
    let limits = phase_limits(course, plan, unit);
    let values = runs.iter().flatten().map(|(_, dose)| *dose);
    let axis = Axis::decimal(values.chain(limits.iter().map(|it| it.at + 1)).chain([0]), TICKS_UP);
    Panel {
        unit: unit.plural().unwrap_or_else(|| unit.display()).to_owned(),
        axis,
        ticks: number_ticks(axis, unit),
        height: 150,
        series: vec![Series { name: "dose ordered".to_owned(), runs, stays: false }],
        limits,
    }
}

/// The stretch of a phase from its first to its last session, in half sessions.
fn stretch(course: &v1::Course, phase: &v1::PlanPhase) -> Option<(i64, i64)> {
    let places = (1_i64..).zip(&course.sessions).filter(|(_, it)| it.phase == phase.id);
    let places: Vec<i64> = places.map(|(place, _)| place * 2).collect();
    Some((places.first()? - 1, places.last()? + 1))
}

/// The limits of the phases that were reached, or of the first one; those that two phases share are one line.
fn phase_limits(course: &v1::Course, plan: &v1::Plan, unit: Unit) -> Vec<Limit> {
    let whole = (1, i64::try_from(course.sessions.len()).unwrap_or(i64::MAX / 4).max(1) * 2 + 1);
    let none = course.sessions.is_empty();
    let mut limits: Vec<(&'static str, Limit)> = Vec::new();
    for (number, phase) in plan.phases.iter().enumerate() {
        let reached = stretch(course, phase).or((none && number == 0).then_some(whole));
        let Some((from, to)) = reached else { continue };
        for (kind, dashes, limit) in [
            ("never above", "none", &phase.hard_high),
            ("reason needed above", "12 3", &phase.soft_high),
            ("reason needed below", "4 2", &phase.soft_low),
        ] {
            let found = read(limit.as_ref()).and_then(|it| it.convert(unit).ok());
            let Some((shown, at)) = found.and_then(|it| Some((it, parts(it)?))) else { continue };
            let same = limits.iter_mut().find(|(of, it)| *of == kind && it.at == at);
            if let Some((_, known)) = same {
                known.to = known.to.max(to);
                known.label = format!("{}, {}: {kind} {shown}", prefix(&known.label), phase.id);
            } else {
                let label = format!("{}: {kind} {shown}", phase.id);
                limits.push((kind, Limit { at, from, to, dashes, label }));
            }
        }
    }
    limits.into_iter().map(|(_, limit)| limit).collect()
}

/// The phases of a label that names them first.
fn prefix(label: &str) -> &str {
    label.split_once(": ").map_or(label, |(phases, _)| phases)
}

fn phase_lane(course: &v1::Course, plan: &v1::Plan) -> Lane {
    let items = plan.phases.iter().filter_map(|phase| {
        let (from, to) = stretch(course, phase)?;
        let label = if phase.title.is_empty() { &phase.id } else { &phase.title };
        Some(Item { from, to, mark: None, label: label.clone() })
    });
    Lane { name: "phase".to_owned(), items: items.collect() }
}

fn rise_lane(course: &v1::Course) -> Lane {
    let names: Vec<&str> = rises(course).iter().map(|session| session.name.as_str()).collect();
    let rising = (1..).zip(&course.sessions).filter(|(_, it)| names.contains(&it.name.as_str()));
    let items = (1..).zip(rising).map(|(rise, (place, _))| mark(place * 2, Mark::Up, rise));
    Lane { name: "dose raised".to_owned(), items: items.collect() }
}

fn missed_lane(course: &v1::Course) -> Lane {
    let items = (1..).zip(&course.missed).map(|(number, missed)| {
        let day = missed.planned_date.as_ref().and_then(|day| date_from_wire(day).ok());
        let planned = day.and_then(|day| day.start_in_utc().ok());
        // Between the sessions before and after it.
        let before = course.sessions.iter().filter(|it| begun(it) < planned).count();
        let before = i64::try_from(before).unwrap_or(0);
        mark(before * 2 + 1, Mark::Cross, number)
    });
    let mut items: Vec<Item> = items.collect();
    items.sort_by_key(|item| item.from);
    Lane { name: "session missed".to_owned(), items }
}

fn mark(at: i64, mark: Mark, number: i64) -> Item {
    Item { from: at, to: at, mark: Some(mark), label: number.to_string() }
}
