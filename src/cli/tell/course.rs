//! Courses of treatment, and the plans that they follow.

use super::session;
use crate::cli::output::{date, fields, moment, quantity, table};
use crate::cli::words;
use crate::pb::v1;
use crate::report::count;

/// A course with its sessions in a line each.
#[must_use]
pub(in crate::cli) fn one(course: &v1::Course, plan: &v1::Plan) -> String {
    let opened = format!("{} by {}", moment(course.open_time.as_ref()), course.opened_by);
    let ended = words::course_end(course.end_reason());
    let closed = match &course.close_time {
        None => "no, it goes on".to_owned(),
        at => format!("{}: {ended}", moment(at.as_ref())),
    };
    let rises = match course.rises {
        0 => "never".to_owned(),
        rises => format!("{rises} times; one prescriber alone may order {}", plan.rises_alone),
    };
    let facts = fields(&[
        ("Patient", &course.patient),
        ("Plan", &format!("{}  {}", course.plan, plan.title)),
        ("Opened", &opened),
        ("Closed", &closed),
        ("Phase", &course.phase),
        ("Next session planned", &date(course.next_planned_date.as_ref())),
        ("Dose raised", &rises),
    ]);
    let sessions = match course.sessions.as_slice() {
        [] => "No session yet.".to_owned(),
        sessions => session::many(sessions),
    };
    session::blocks([
        format!("{}{facts}", course.name),
        sessions,
        session::titled("Did not take place", missed(course)),
        session::titled("Given of this drug, in whatever course", cumulative(course)),
        session::titled("Adverse effects", session::effects(&course.adverse_effects)),
    ])
}

fn missed(course: &v1::Course) -> String {
    let lines = course.missed.iter().map(|missed| {
        let day = date(missed.planned_date.as_ref());
        let reason = words::session_end(missed.reason());
        format!("{day}: {reason} ({})", missed.entry)
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn cumulative(course: &v1::Course) -> String {
    let rows: Vec<_> = course
        .cumulative
        .iter()
        .map(|window| {
            [
                format!("{} days", window.days),
                window.sessions.to_string(),
                window.sessions_limit.to_string(),
                quantity(window.mass.as_ref()),
                quantity(window.mass_limit.as_ref()),
            ]
        })
        .collect();
    let heading = ["Within", "Sessions", "Usual at most", "Mass", "Usual at most"];
    if rows.is_empty() { String::new() } else { table(heading, rows) }
}

/// Plans in a line each.
#[must_use]
pub(in crate::cli) fn plans(plans: &[v1::Plan]) -> String {
    if plans.is_empty() {
        return "The formulary in force has no plan.".to_owned();
    }
    let rows = plans.iter().map(|plan| {
        let phases = plan.phases.iter().map(phase).collect::<Vec<_>>();
        let form = match plan.form_due_days {
            0 => String::new(),
            within => format!("{}, within {}", plan.form_title, count(within, "day", "days")),
        };
        [plan.name.clone(), plan.title.clone(), plan.drug.clone(), phases.join("\n"), form]
    });
    table(["Plan", "Title", "Drug", "Phases", "Form to send"], rows.collect())
}

fn phase(phase: &v1::PlanPhase) -> String {
    let sessions = if phase.sessions_min == phase.sessions_max {
        format!("{} sessions", phase.sessions_min)
    } else {
        format!("{} to {} sessions", phase.sessions_min, phase.sessions_max)
    };
    format!("{}: {sessions}, every {}", phase.id, count(phase.interval_days, "day", "days"))
}
