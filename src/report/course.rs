//! The report of a course: every session in a line, the doses and the mass as charts, what was given against the plan's
//! limits.

use super::CourseInput;
use super::chart;
use super::markup::Markup;
use super::moments::{SiteTime, moment};
use super::page::{alarm, bold, cell, facts, footer, glance, header, page, paragraph, remark};
use super::page::{by_hand, flowing, section, table};
use super::reading::{Sign, monitoring};
use super::session::pressure;
use super::words::{actions, capitalised, count, date, effect, or_none, person, quantity, read};
use super::words::{reading, severity, sum, word};
use crate::pb::v1;

/// One self-contained page of HTML: no script, nothing fetched, to be printed or kept.
#[must_use]
pub fn course_page(input: &CourseInput<'_>) -> String {
    let time = SiteTime::of(input.site);
    let course = input.course;
    let title = "Course of treatment";
    let name = or_none(&course.name);
    let open = if course.close_time.is_some() { "closed" } else { "open" };
    let below = format!("{name}: {open}, {}", count(course.sessions.len(), "session", "sessions"));
    let mut body = header(title, &below, input.site);
    body.add(&opening(input, time));
    body.add(&at_a_glance(input));
    body.add(&section("Doses", &doses(input)));
    body.add(&section("Mass", &chart::mass(course)));
    body.add(&section("Against the plan's windows", &windows(course)));
    body.add(&flowing("Sessions", &sessions(input, time)));
    body.add(&section("Missed sessions", &missed(course)));
    body.add(&section("Adverse effects", &effects(course, time)));
    body.add(&section("End of the course", &end(course, time)));
    let printed = time.full(Some(input.printed));
    body.add(&footer(input.ledger, input.size, &printed, &time.zone()));
    page(&format!("{title}, {name}, {}", or_none(&course.patient)), "", &body)
}

fn opening(input: &CourseInput<'_>, time: SiteTime) -> Markup {
    let (course, plan) = (input.course, input.plan);
    let plan_name = match plan.title.as_str() {
        "" => course.plan.clone(),
        title => format!("{title} ({})", course.plan),
    };
    by_hand("Patient's name, by hand:").and(&facts(&[
        ("Patient", course.patient.clone()),
        ("Plan", plan_name),
        ("Opened", time.full(moment(course.open_time.as_ref()))),
        ("By", person(input.people, &course.opened_by)),
        ("Drug", plan.drug.clone()),
        ("Phase", course.phase.clone()),
        ("Next planned", date(course.next_planned_date.as_ref())),
        ("Plan's source", plan.source.clone()),
    ]))
}

fn at_a_glance(input: &CourseInput<'_>) -> Markup {
    let course = input.course;
    let given: Vec<_> =
        course.sessions.iter().filter(|session| session.given_mass.is_some()).collect();
    let total = sum(given.iter().map(|session| session.given_mass.as_ref()));
    let serious = course.adverse_effects.iter().filter(|effect| effect.serious).count();
    let mut effects = course.adverse_effects.len().to_string();
    if serious > 0 {
        effects = format!("{effects}, {serious} SERIOUS");
    }
    let last = given.last().map_or_else(String::new, |it| quantity(it.ordered_dose.as_ref()));
    glance(&[
        ("Sessions with a dose", given.len().to_string()),
        ("Given in all", total.map_or_else(String::new, |mass| mass.to_string())),
        ("Last dose ordered", last),
        ("Dose raised", times(course.rises)),
        ("Missed sessions", course.missed.len().to_string()),
        ("Adverse effects", effects),
        ("One prescriber may raise", times(input.plan.rises_alone)),
        ("Phase", course.phase.clone()),
    ])
}

fn times(number: u32) -> String {
    if number == 1 { "once".to_owned() } else { format!("{number} times") }
}

fn doses(input: &CourseInput<'_>) -> Markup {
    let mut found = chart::doses(input.course, input.plan);
    if input.course.rises > input.plan.rises_alone {
        found.add(&alarm(
            &format!(
                "The dose was raised {}; one prescriber alone may raise it {}.",
                times(input.course.rises),
                times(input.plan.rises_alone)
            ),
            &[],
        ));
    }
    found
}

/// What was given in each window before the page was made, against the plan's limits.
fn windows(course: &v1::Course) -> Markup {
    let rows: Vec<Vec<Markup>> = course
        .cumulative
        .iter()
        .map(|window| {
            let sessions =
                beyond(window.sessions > window.sessions_limit, &window.sessions.to_string());
            let mass = quantity(window.mass.as_ref());
            let over = read(window.mass.as_ref())
                .zip(read(window.mass_limit.as_ref()))
                .is_some_and(|(mass, limit)| {
                    limit.convert(mass.unit()).is_ok_and(|limit| mass.value() > limit.value())
                });
            let limit = match &window.mass_limit {
                Some(limit) => quantity(Some(limit)),
                None => "the plan has none".to_owned(),
            };
            vec![
                cell(&format!("last {} days", window.days)),
                sessions,
                cell(&window.sessions_limit.to_string()),
                beyond(over, &mass),
                cell(&limit),
            ]
        })
        .collect();
    let heading =
        ["Window", "Sessions", "Reason needed beyond", "Mass given", "Reason needed beyond"];
    table(&heading, &rows, "The plan has no windows.")
}

fn beyond(over: bool, text: &str) -> Markup {
    if over { bold(&format!("{text}: BEYOND THE LIMIT")) } else { cell(text) }
}

/// Every session in a line.
fn sessions(input: &CourseInput<'_>, time: SiteTime) -> Markup {
    let mut last_day = None;
    let rising = chart::rises(input.course);
    let mut rows = Vec::new();
    for line in &input.course.sessions {
        let whole = input.sessions.iter().find(|session| session.name == line.name);
        let begin = moment(line.first_dose_time.as_ref()).or(moment(line.start_time.as_ref()));
        let day = begin.and_then(|begin| time.day(begin));
        let gap = day.zip(last_day).map(|(day, last): (crate::time::Date, crate::time::Date)| {
            (day.days_since_epoch() - last.days_since_epoch()).to_string()
        });
        if line.given_mass.is_some() {
            last_day = day.or(last_day);
        }
        let dose = quantity(line.ordered_dose.as_ref());
        let dose = if rising.iter().any(|session| session.name == line.name) {
            bold(&format!("{dose} ▲"))
        } else {
            cell(&dose)
        };
        let mut row = vec![
            cell(&line.number.to_string()),
            cell(&day.map_or_else(String::new, |day| day.to_string())),
            cell(&line.phase),
            cell(&gap.unwrap_or_default()),
            dose,
            cell(&quantity(line.given_mass.as_ref())),
        ];
        row.extend(clinical(input.plan, whole));
        row.push(standing(line));
        rows.push(row);
    }
    let heading = [
        "No.",
        "Date",
        "Phase",
        "Days since",
        "Ordered",
        "Given",
        "Highest pressure",
        "Lowest SpO2",
        "Worst effect",
        "Minutes to discharge",
        "Session",
    ];
    let mut found = table(&heading, &rows, "No session is recorded.");
    if !rising.is_empty() {
        found.add(&remark("▲ and bold: more than in the session before."));
    }
    if input.sessions.len() < input.course.sessions.len() {
        found.add(&remark(
            "For sessions without readings here, the whole session was not read for this page.",
        ));
    }
    found
}

/// Highest pressure, lowest saturation, worst effect, minutes to the discharge.
fn clinical(plan: &v1::Plan, session: Option<&v1::Session>) -> Vec<Markup> {
    let Some(session) = session else { return vec![cell(""); 4] };
    let monitoring = monitoring(plan);
    let value = |sign: Sign, made: &v1::ObservationRecord| {
        sign.of(&monitoring, made).map(|reading| reading.value)
    };
    let highest = session.observations.iter().max_by_key(|made| value(Sign::Systolic, made));
    let highest = highest.and_then(|made| pressure(&monitoring, made)).unwrap_or_default();
    let saturations =
        session.observations.iter().filter_map(|made| Sign::Saturation.of(&monitoring, made));
    let lowest = saturations.min_by_key(|reading| reading.value);
    let lowest = lowest.map_or_else(String::new, |it| reading(it.value, &it.unit));
    let worst =
        session.adverse_effects.iter().max_by_key(|it| (it.serious, i32::from(it.severity())));
    let worst = match worst {
        None => cell("none"),
        Some(found) => {
            let words = format!("{}, {}", effect(found.kind()), severity(found.severity()));
            if found.serious { bold(&format!("{words}, SERIOUS")) } else { cell(&words) }
        }
    };
    let minutes = match &session.discharge {
        Some(discharge) if !discharge.unmet.is_empty() || !discharge.approved_by.is_empty() => {
            bold(&format!("{}, EARLY", discharge.minutes_since_first_dose))
        }
        Some(discharge) => cell(&discharge.minutes_since_first_dose.to_string()),
        None => cell(""),
    };
    vec![cell(&highest), cell(&lowest), worst, minutes]
}

fn standing(line: &v1::SessionSummary) -> Markup {
    let mut found = Markup::of(&line.name);
    match line.state() {
        v1::SessionState::Cancelled => found.add(&Markup::of(", called off")),
        v1::SessionState::Discharged => {}
        _ => found.add(&bold(", open")),
    }
    if line.form_overdue {
        found.add(&bold(", FORM OVERDUE"));
    }
    found
}

fn missed(course: &v1::Course) -> Markup {
    let rows: Vec<Vec<Markup>> = (1..)
        .zip(&course.missed)
        .map(|(number, missed)| {
            let why = word(missed.reason().as_str_name(), "SESSION_END");
            let day = date(missed.planned_date.as_ref());
            vec![cell(&format!("{number}")), cell(&day), cell(&why), cell(&missed.entry)]
        })
        .collect();
    table(&["", "Planned for", "Why it did not take place", "Entry"], &rows, "None is recorded.")
}

fn effects(course: &v1::Course, time: SiteTime) -> Markup {
    let rows: Vec<Vec<Markup>> = course
        .adverse_effects
        .iter()
        .map(|found| {
            let bad = capitalised(&severity(found.severity()));
            let end = match moment(found.end_time.as_ref()) {
                Some(end) => cell(&time.full(Some(end))),
                None => bold("lasts"),
            };
            let during =
                if found.session.is_empty() { "between sessions" } else { found.session.as_str() };
            vec![
                cell(&capitalised(&effect(found.kind()))),
                if found.serious { bold(&format!("{bad}, SERIOUS")) } else { cell(&bad) },
                cell(during),
                cell(&time.full(moment(found.onset_time.as_ref()))),
                end,
                cell(&actions(found)),
                cell(&found.note),
                cell(&found.name),
            ]
        })
        .collect();
    let heading =
        ["Effect", "Severity", "Session", "Onset", "End", "What was done", "Note", "Name"];
    table(&heading, &rows, "No adverse effect is recorded.")
}

fn end(course: &v1::Course, time: SiteTime) -> Markup {
    let Some(closed) = moment(course.close_time.as_ref()) else {
        let next = date(course.next_planned_date.as_ref());
        return match next.as_str() {
            "" => paragraph("The course is open; no next session is planned."),
            day => {
                paragraph(&format!("The course is open; its next session is planned for {day}."))
            }
        };
    };
    let why = word(course.end_reason().as_str_name(), "COURSE_END");
    let why = if why.is_empty() { "no reason is recorded".to_owned() } else { why };
    paragraph(&format!("Closed {}: {why}.", time.full(Some(closed))))
}
