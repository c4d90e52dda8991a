//! What was seen in the session, and what should have been.

use super::View;
use crate::pb::v1;
use crate::report::markup::Markup;
use crate::report::page::{bold, cell, remark, table};
use crate::report::reading::{is_score, measures, name, names};
use crate::report::words::{actions, capitalised, effect, reading, reading_unit, severity};

/// Every observation with every reading.
pub(super) fn observations(view: &View<'_>) -> Markup {
    let session = view.input.session;
    let read: Vec<v1::Measure> = measures(&view.monitoring, session)
        .into_iter()
        .filter(|measure| {
            let mut readings = session.observations.iter().flat_map(|made| &made.readings);
            readings.any(|reading| reading.measure == measure.id)
        })
        .collect();
    let mut heading: Vec<String> = vec!["Time".to_owned()];
    heading.extend(read.iter().map(|measure| {
        let unit = reading_unit(&measure.unit);
        let unit = if is_score(measure) { "score".to_owned() } else { unit };
        format!("{}, {unit}", if measure.name.is_empty() { &measure.id } else { &measure.name })
    }));
    heading.extend(["By", "Entry"].map(str::to_owned));
    let heading: Vec<&str> = heading.iter().map(String::as_str).collect();
    let rows: Vec<Vec<Markup>> = session
        .observations
        .iter()
        .map(|made| {
            let mut row = vec![cell(&view.at_and_after(made.observed_time.as_ref()))];
            row.extend(read.iter().map(|measure| values(made, &measure.id)));
            row.extend([cell(&view.person(&made.observed_by)), cell(&made.entry)]);
            row
        })
        .collect();
    let mut found = table(&heading, &rows, "No observation is recorded.");
    if session.observations.iter().any(|made| !made.alerts.is_empty()) {
        found.add(&remark("Bold with !: the reading met a stop criterion; see Alerts."));
    }
    found
}

/// The values of one measure in an observation, those with an alert marked.
fn values(made: &v1::ObservationRecord, measure: &str) -> Markup {
    let mut found = Markup::new();
    for reading in made.readings.iter().filter(|reading| reading.measure == measure) {
        let alert = made.alerts.iter().filter_map(|it| it.alert.as_ref());
        let met = alert.filter_map(|it| it.reading.as_ref()).any(|it| it == reading);
        let value = reading.value.to_string();
        let value = if met { bold(&format!("{value} !")) } else { Markup::of(&value) };
        found.add(&value);
    }
    if found.is_empty() { cell("") } else { found }
}

/// What should have been observed, and whether it was.
pub(super) fn schedule(view: &View<'_>) -> Markup {
    let rows: Vec<Vec<Markup>> = view
        .input
        .session
        .schedule
        .iter()
        .map(|item| {
            let due = match item.due_time.as_ref() {
                Some(time) => view.at_and_after(Some(time)),
                None => "before the dose".to_owned(),
            };
            let standing = match item.state() {
                v1::DueState::Missed => bold("MISSED"),
                v1::DueState::Overdue => bold("OVERDUE"),
                v1::DueState::Due => bold("due now"),
                v1::DueState::Done => cell("made"),
                v1::DueState::Upcoming => cell("to come"),
                v1::DueState::Unspecified => cell(""),
            };
            vec![cell(&due), cell(&names(&view.monitoring, &item.measures)), standing]
        })
        .collect();
    table(&["Due", "What the schedule asks for", "Standing"], &rows, "No schedule is recorded.")
}

/// The stop criteria that were met, and what was decided.
pub(super) fn alerts(view: &View<'_>) -> Markup {
    let mut rows = Vec::new();
    for made in &view.input.session.observations {
        for record in &made.alerts {
            let alert = record.alert.clone().unwrap_or_default();
            let met = alert.reading.unwrap_or_default();
            let value = reading(met.value, &met.unit);
            let decided = if record.acknowledged_by.is_empty() {
                bold("OPEN: no prescriber has acknowledged it")
            } else {
                let who = view.person(&record.acknowledged_by);
                let at = view.at_and_after(record.acknowledged_time.as_ref());
                let mut decided = cell(&format!("{who}, {at}"));
                decided.add(&Markup::void("br", &[]).and(&cell(&record.note)));
                decided
            };
            rows.push(vec![
                cell(&view.at_and_after(made.observed_time.as_ref())),
                bold(&format!("{} {value}", name(&view.monitoring, &met.measure))),
                cell(&format!("{} ({})", alert.limit, alert.criterion)),
                cell(&alert.action),
                decided,
                cell(&format!("{}, {}", alert.name, made.entry)),
            ]);
        }
    }
    let heading = ["Time", "Reading", "Limit", "What to do", "Acknowledged", "Alert and entry"];
    table(&heading, &rows, "No stop criterion was met.")
}

/// The adverse effects of the session.
pub(super) fn effects(view: &View<'_>) -> Markup {
    let rows: Vec<Vec<Markup>> = view
        .input
        .session
        .adverse_effects
        .iter()
        .map(|found| {
            let end = match found.end_time.as_ref() {
                Some(end) => cell(&view.at_and_after(Some(end))),
                None => bold("lasts"),
            };
            let bad = capitalised(&severity(found.severity()));
            let bad = if found.serious { bold(&format!("{bad}, SERIOUS")) } else { cell(&bad) };
            vec![
                cell(&capitalised(&effect(found.kind()))),
                bad,
                cell(&view.at_and_after(found.onset_time.as_ref())),
                end,
                cell(&actions(found)),
                cell(&found.note),
                cell(&found.name),
            ]
        })
        .collect();
    let heading = ["Effect", "Severity", "Onset", "End", "What was done", "Note", "Name"];
    table(&heading, &rows, "No adverse effect is recorded.")
}
