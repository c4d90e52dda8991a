//! Sessions: one with everything that belongs to it, and several in a line each.

use super::balances;
use crate::cli::output::{Tone, date, fields, moment, plainly, quantity, table};
use crate::cli::words;
use crate::pb::v1;
use crate::report::{actions, effect, reading, reading_unit, severity, state};

/// A stop criterion that a reading meets, in one line that stands out.
#[must_use]
pub(super) fn alert(alert: &v1::Alert) -> String {
    let (name, limit, action) = (&alert.name, &alert.limit, &alert.action);
    let read = alert.reading.as_ref().map(read).unwrap_or_default();
    format!("ALERT {name}: {read} is {limit}. {action}")
}

/// A reading: `systolic 128 mmHg`.
fn read(it: &v1::Reading) -> String {
    format!("{} {}", it.measure, reading(it.value, &it.unit))
}

/// Sessions in a line each.
#[must_use]
pub(in crate::cli) fn many(sessions: &[v1::SessionSummary]) -> String {
    if sessions.is_empty() {
        return "No session.".to_owned();
    }
    let rows = sessions.iter().map(|session| {
        let form = date(session.form_due_date.as_ref());
        [
            session.name.clone(),
            format!("{}\n{}", session.patient, session.course),
            format!("{} ({})", session.number, session.phase),
            state(session.state()).to_owned(),
            moment(session.start_time.as_ref()),
            quantity(session.ordered_dose.as_ref()),
            quantity(session.given_mass.as_ref()),
            moment(session.end_time.as_ref()),
            if session.form_overdue { format!("OVERDUE since {form}") } else { form },
        ]
    });
    let heading = [
        "Session",
        "Patient, course",
        "No.",
        "Stands",
        "Began",
        "Ordered",
        "Given",
        "Ended",
        "Form by",
    ];
    table(heading, rows.collect())
}

/// A session with everything that belongs to it.
#[must_use]
pub(in crate::cli) fn one(session: &v1::Session, plan: &v1::Plan) -> String {
    let began = format!("{} by {}", moment(session.start_time.as_ref()), session.started_by);
    let protocol = format!("{} ({}), {}", session.plan, session.phase, session.protocol);
    let facts = fields(&[
        ("Patient", &format!("{}, {} years old", session.patient, session.age_years)),
        ("Course", &format!("session {} of {}", session.number, session.course)),
        ("Plan", &protocol),
        ("Began", &began),
        ("Dose", &dose(session)),
        ("In hands", &in_hands(session)),
        ("Checked by", &session.checked_by),
        ("Ended", &ended(session)),
        ("Form", &form(session)),
        ("Measures", &measures(plan)),
    ]);
    blocks([
        format!("{}  {}{facts}", session.name, state(session.state())),
        open_alerts(session),
        titled("Given", given(session)),
        titled("Where the vials' content went", vials(session)),
        titled("Schedule", schedule(session)),
        titled("Observed", observed(session)),
        titled("Adverse effects", effects(&session.adverse_effects)),
        titled("For review", flags(session)),
    ])
}

/// Blocks of text with an empty line between them; those that are empty are left out.
#[must_use]
pub(super) fn blocks<const N: usize>(blocks: [String; N]) -> String {
    let blocks: Vec<_> = blocks.into_iter().filter(|block| !block.is_empty()).collect();
    blocks.join("\n\n")
}

/// A block below its title; nothing where it is empty.
#[must_use]
pub(super) fn titled(title: &str, block: String) -> String {
    if block.is_empty() { block } else { format!("{}\n{block}", Tone::Heading.paint(title)) }
}

fn dose(session: &v1::Session) -> String {
    let by = &session.calculated_by;
    let Some(dose) = &session.dose_calculation else { return "none calculated yet".to_owned() };
    let name = &dose.name;
    // Whoever may have to check it gets no more than its name.
    if dose.measured_dose.is_none() {
        return format!(
            "{name} by {by} waits for an independent check (vialedger dose check {name}) and is not \
             shown before"
        );
    }
    let (mass, amount) =
        (quantity(dose.measured_dose.as_ref()), quantity(dose.measured_amount.as_ref()));
    format!("{name} by {by}: {mass} in {amount}")
}

fn in_hands(session: &v1::Session) -> String {
    let since = moment(session.dose_in_hands_time.as_ref());
    if since.is_empty() {
        return since;
    }
    format!("since {since}, not recorded as given; the schedule counts from there")
}

fn ended(session: &v1::Session) -> String {
    if session.end_time.is_none() {
        return String::new();
    }
    let when = format!("{} by {}", moment(session.end_time.as_ref()), session.ended_by);
    let Some(discharge) = &session.discharge else {
        return format!("{when}: {}", words::session_end(session.end_reason()));
    };
    let minutes = discharge.minutes_since_first_dose;
    let early = match discharge.unmet.as_slice() {
        [] => String::new(),
        _ => format!("; EARLY, approved by {}", discharge.approved_by),
    };
    format!("{when}, {minutes} min after the first dose{early}")
}

fn form(session: &v1::Session) -> String {
    match (&session.form_due_date, &session.form_sent_date) {
        (None, None) => String::new(),
        (_, Some(sent)) => format!("sent on {}", date(Some(sent))),
        (Some(due), None) => format!("to be sent by {}", date(Some(due))),
    }
}

/// The measures that can be read, as they are typed.
fn measures(plan: &v1::Plan) -> String {
    let measures = plan.monitoring.iter().flat_map(|monitoring| &monitoring.measures);
    let measures = measures.map(|it| match reading_unit(&it.unit).as_str() {
        "" => it.id.clone(),
        unit => format!("{} ({unit})", it.id),
    });
    measures.collect::<Vec<_>>().join(", ")
}

fn open_alerts(session: &v1::Session) -> String {
    let alerts = session.observations.iter().flat_map(|observed| &observed.alerts);
    let open = alerts.filter(|record| record.acknowledged_by.is_empty());
    let lines = open.filter_map(|record| record.alert.as_ref());
    lines.map(|met| Tone::Bad.paint(&alert(met))).collect::<Vec<_>>().join("\n")
}

fn given(session: &v1::Session) -> String {
    let rows: Vec<_> = session
        .doses
        .iter()
        .map(|it| {
            [
                it.entry.clone(),
                quantity(it.amount.as_ref()),
                quantity(it.dose.as_ref()),
                format!("{}\nlot {}", it.vial, it.lot),
                moment(it.start_time.as_ref()),
                moment(it.end_time.as_ref()),
                it.given_by.clone(),
            ]
        })
        .collect();
    let heading = ["Entry", "Amount", "Dose", "Vial", "From", "Until", "Given by"];
    if rows.is_empty() { String::new() } else { table(heading, rows) }
}

fn vials(session: &v1::Session) -> String {
    if session.balances.is_empty() { String::new() } else { balances(&session.balances) }
}

fn schedule(session: &v1::Session) -> String {
    let rows: Vec<_> = session
        .schedule
        .iter()
        .map(|due| {
            let when = match &due.due_time {
                None => "before the dose".to_owned(),
                when => moment(when.as_ref()),
            };
            [when, words::due_state(due.state()).to_owned(), due.measures.join(", ")]
        })
        .collect();
    if rows.is_empty() { String::new() } else { table(["When", "Stands", "Measures"], rows) }
}

fn observed(session: &v1::Session) -> String {
    let rows: Vec<_> = session
        .observations
        .iter()
        .map(|observed| {
            let readings: Vec<_> = observed.readings.iter().map(read).collect();
            let alerts: Vec<_> = observed.alerts.iter().map(alert_record).collect();
            [
                observed.entry.clone(),
                moment(observed.observed_time.as_ref()),
                observed.observed_by.clone(),
                readings.join(", "),
                alerts.join("\n"),
            ]
        })
        .collect();
    let heading = ["Entry", "When", "By", "Read", "Alerts"];
    if rows.is_empty() { String::new() } else { table(heading, rows) }
}

fn alert_record(record: &v1::AlertRecord) -> String {
    let name = record.alert.as_ref().map(|it| it.name.clone()).unwrap_or_default();
    match record.acknowledged_by.as_str() {
        "" => format!("{name} OPEN"),
        by => format!("{name}, {by}: {}", record.note),
    }
}

/// Adverse effects as they stand.
#[must_use]
pub(super) fn effects(effects: &[v1::AdverseEffect]) -> String {
    let rows: Vec<_> = effects
        .iter()
        .map(|it| {
            [
                it.name.clone(),
                effect(it.kind()),
                format!("{}{}", severity(it.severity()), if it.serious { ", SERIOUS" } else { "" }),
                moment(it.onset_time.as_ref()),
                it.end_time.as_ref().map_or("lasts".to_owned(), |end| moment(Some(end))),
                actions(it),
                it.note.clone(),
            ]
        })
        .collect();
    let heading = ["Effect", "Kind", "Severity", "From", "Until", "What was done", "Note"];
    if rows.is_empty() { String::new() } else { table(heading, rows) }
}

fn flags(session: &v1::Session) -> String {
    let lines = session.flags.iter().map(|flag| {
        let refused = if flag.refusal { "REFUSED " } else { "" };
        let line = format!("{}: {refused}{}", flag.entry, plainly(&flag.message));
        if flag.refusal { Tone::Bad.paint(&line) } else { line }
    });
    lines.collect::<Vec<_>>().join("\n")
}
