//! The form's data as a page to copy from.

use super::facts::{BY_HAND, Facts, LEAST_MINUTES, Pressure, Scale};
use crate::pb::v1;
use crate::report::FormInput;
use crate::report::markup::Markup;
use crate::report::moments::{after_dose, moment};
use crate::report::page::{alarm, bold, by_hand, cell, facts as list, header, page, paragraph};
use crate::report::page::{remark, section, table};
use crate::report::words::{actions, capitalised, date, effect, or_none, person, quantity};
use crate::report::words::{reading, reading_unit, severity, word, yes};

const ABSENT: &str = "NOT RECORDED";

/// The whole page.
pub(super) fn page_of(input: &FormInput<'_>, facts: &Facts<'_>) -> String {
    let title = match input.plan.form_title.as_str() {
        "" => "Monitoring form: data".to_owned(),
        title => format!("{title}: data"),
    };
    let below = format!("Data to copy, from {}", or_none(&input.session.name));
    let mut body = header(&title, &below, input.site);
    body.add(&clock(input, facts));
    let missing = facts.missing(input);
    if !missing.is_empty() {
        body.add(&alarm("Not recorded, and asked for by the form:", &missing));
    }
    body.add(&section("Patient", &patient(input)));
    body.add(&section("Treatment", &treatment(input, facts)));
    body.add(&section("Devices", &devices(input, facts)));
    body.add(&section("Blood pressure and vital signs", &pressures(input, facts)));
    body.add(&section("Other medicines", &medicines(facts)));
    body.add(&section("Sedation and dissociation", &scales(facts)));
    body.add(&section("Respiratory depression", &effects(facts, &facts.respiration)));
    body.add(&section("Other adverse effects", &effects(facts, &facts.other)));
    body.add(&section("Serious adverse effects", &effects(facts, &facts.serious)));
    body.add(&section("End of monitoring", &end(input, facts)));
    let hand: Markup = BY_HAND
        .iter()
        .fold(Markup::new(), |all, what| all.and(&by_hand(&format!("{}:", capitalised(what)))));
    body.add(&section("Not held by this ledger: by hand", &hand));
    let words = format!(
        "Printed at {} ({}, the site's standard time, as all times here). This page is a copy of \
         what is recorded and not the programme's form. It proves nothing by itself: the entries \
         with the numbers named here do.",
        facts.time.full(Some(input.printed)),
        facts.time.zone()
    );
    body.add(&Markup::element("footer", &[], &paragraph(&words)));
    page(&format!("{title}, {}", or_none(&input.session.name)), "", &body)
}

fn clock(input: &FormInput<'_>, facts: &Facts<'_>) -> Markup {
    let due = facts.due.map_or_else(|| ABSENT.to_owned(), |day| day.to_string());
    let sent = facts.sent.map_or_else(|| "not sent".to_owned(), |day| day.to_string());
    let mut found = Markup::new();
    match (facts.overdue, facts.sent) {
        (true, None) => found.add(&alarm(&format!("OVERDUE: to be sent by {due}."), &[])),
        (true, Some(_)) => found.add(&alarm(&format!("Sent late: {sent}, due {due}."), &[])),
        (false, _) => {}
    }
    found.and(&list(&[
        ("Last day in time", due),
        ("Sent on", sent),
        ("Days allowed", input.plan.form_due_days.to_string()),
        ("Plan", input.session.plan.clone()),
    ]))
}

fn patient(input: &FormInput<'_>) -> Markup {
    let Some(identity) = input.identity else {
        let mut found = list(&[
            ("Pseudonym", input.session.patient.clone()),
            ("Identity", "identity not opened".to_owned()),
        ]);
        found.add(&by_hand("Name:"));
        found.add(&by_hand("Date of birth:"));
        return found;
    };
    list(&[
        ("Name", identity.display_name.clone()),
        ("Date of birth", date(identity.birth_date.as_ref())),
        ("Address", identity.address.clone()),
        ("Identifiers", identity.identifiers.join(", ")),
        ("Pseudonym", input.session.patient.clone()),
        ("Session", input.session.number.to_string()),
    ])
}

fn treatment(input: &FormInput<'_>, facts: &Facts<'_>) -> Markup {
    let session = input.session;
    let names = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| person(input.people, name)).collect();
        names.join(", ")
    };
    let shown = |found: Option<String>| found.unwrap_or_else(|| ABSENT.to_owned());
    list(&[
        ("Treatment date", shown(facts.day.map(|day| day.to_string()))),
        ("Drug", input.plan.drug.clone()),
        ("Dose", shown(facts.mass.map(|mass| mass.to_string()))),
        ("Number", shown(facts.devices.map(|devices| devices.to_string()))),
        ("Prescriber", person(input.people, &session.calculated_by)),
        ("Nurse", names(&facts.gave)),
        ("Monitored by", names(&facts.observed)),
        ("Protocol", session.protocol.clone()),
    ])
}

fn devices(input: &FormInput<'_>, facts: &Facts<'_>) -> Markup {
    let there = |text: &str| if text.is_empty() { bold(ABSENT) } else { cell(text) };
    let rows: Vec<Vec<Markup>> = (1..)
        .zip(&input.session.doses)
        .map(|(number, dose)| {
            let start = moment(dose.start_time.as_ref());
            vec![
                cell(&format!("{number}")),
                there(&dose.lot),
                cell(&dose.serial),
                there(&date(dose.expiry_date.as_ref())),
                there(&facts.time.short(start, facts.first_dose)),
                cell(&quantity(dose.dose.as_ref())),
                cell(&dose.product),
                cell(&dose.entry),
            ]
        })
        .collect();
    let heading = ["", "Lot", "Serial", "Expiry", "Time", "Mass", "Product", "Entry"];
    table(&heading, &rows, "No device is recorded.")
}

fn pressures(input: &FormInput<'_>, facts: &Facts<'_>) -> Markup {
    let row = |when: &str, found: Option<Pressure<'_>>| {
        let Some(found) = found else {
            return vec![cell(when), bold(ABSENT), cell(""), cell(""), cell("")];
        };
        let unit = reading_unit(&found.systolic.unit);
        let at = facts.time.short(Some(found.at), facts.first_dose);
        vec![
            cell(when),
            bold(&format!("{}/{} {unit}", found.systolic.value, found.diastolic.value)),
            cell(&format!("{at} ({})", after_dose(Some(found.at), facts.first_dose))),
            cell(&person(input.people, &found.made.observed_by)),
            cell(&found.made.entry),
        ]
    };
    let rows = [
        row("Before the dose", facts.before),
        row("About 40 minutes after the first device", facts.second),
        row("Before leaving", facts.leaving),
    ];
    let heading = ["When", "Blood pressure", "Time", "Observed by", "Entry"];
    let mut found = table(&heading, &rows, "");
    let shown = |it: Option<bool>| it.map_or_else(|| ABSENT.to_owned(), |it| yes(it).to_owned());
    found.add(&list(&[
        ("Within the plan's limits before the dose", shown(facts.acceptable.0)),
        ("Before leaving", shown(facts.acceptable.1)),
    ]));
    found
}

fn medicines(facts: &Facts<'_>) -> Markup {
    let rows: Vec<Vec<Markup>> = facts
        .medicines
        .iter()
        .map(|found| {
            let answer = word(found.answer().as_str_name(), "ANSWER");
            let answer = if answer.is_empty() { bold(ABSENT) } else { bold(&answer) };
            vec![cell(if found.text.is_empty() { &found.question } else { &found.text }), answer]
        })
        .collect();
    table(&["Question as it was asked", "Answer"], &rows, ABSENT)
}

fn scales(facts: &Facts<'_>) -> Markup {
    let score = |found: Option<(&v1::Reading, &v1::ObservationRecord)>| {
        found.map_or_else(String::new, |(it, made)| {
            let at = facts.time.short(moment(made.observed_time.as_ref()), facts.first_dose);
            format!("{} at {at}", reading(it.value, &it.unit))
        })
    };
    let row = |what: &str, scale: &Scale<'_>| {
        let worse = match scale.low_is_worse {
            Some(true) => "low",
            Some(false) => "high",
            None => "not said",
        };
        let effect = !scale.effects.is_empty();
        let resolved = match (effect, scale.resolved()) {
            (true, None) => bold("not recorded as ended"),
            (_, resolved) => cell(&facts.time.short(resolved, facts.first_dose)),
        };
        vec![
            cell(what),
            cell(&score(scale.highest)),
            cell(&score(scale.lowest)),
            cell(worse),
            cell(yes(effect)),
            cell(&facts.time.short(scale.onset(), facts.first_dose)),
            resolved,
        ]
    };
    let rows = [row("Sedation", &facts.sedation), row("Dissociation", &facts.dissociation)];
    let heading = [
        "",
        "Highest score",
        "Lowest score",
        "Worse is, by the plan",
        "Recorded as an effect",
        "Onset",
        "Resolved",
    ];
    let saturation = facts.lowest_saturation.map(|(it, _)| reading(it.value, &it.unit));
    let saturation = saturation.unwrap_or_else(|| ABSENT.to_owned());
    table(&heading, &rows, "").and(&remark(&format!("Lowest SpO2 of the session: {saturation}.")))
}

fn effects(facts: &Facts<'_>, found: &[&v1::AdverseEffect]) -> Markup {
    let rows: Vec<Vec<Markup>> = found
        .iter()
        .map(|it| {
            let at = |wire| facts.time.short(moment(wire), facts.first_dose);
            vec![
                cell(&capitalised(&effect(it.kind()))),
                cell(&severity(it.severity())),
                if it.serious { bold("yes") } else { cell("no") },
                cell(&at(it.onset_time.as_ref())),
                if it.end_time.is_none() { bold("lasts") } else { cell(&at(it.end_time.as_ref())) },
                cell(&actions(it)),
                cell(&it.note),
                cell(&it.name),
            ]
        })
        .collect();
    let heading =
        ["Effect", "Severity", "Serious", "Onset", "Resolved", "What was done", "Note", "Name"];
    table(&heading, &rows, "None is recorded.")
}

fn end(input: &FormInput<'_>, facts: &Facts<'_>) -> Markup {
    let session = input.session;
    let shown = |found: Option<String>| found.unwrap_or_else(|| ABSENT.to_owned());
    let discharge = session.discharge.as_ref();
    let two_hours = facts
        .minutes
        .map(|minutes| format!("{}, {minutes} minutes", yes(minutes >= LEAST_MINUTES)));
    let mut found = Markup::new();
    if let Some(early) = discharge.filter(|it| !it.unmet.is_empty() || !it.approved_by.is_empty()) {
        let who = person(input.people, &early.approved_by);
        let words = format!("Left before the rules allowed it, approved by {}.", or_none(&who));
        found.add(&alarm(&words, &early.unmet));
    }
    let escort = discharge.map(|_| yes(session.escort_present).to_owned());
    let driving = discharge.map(|_| yes(session.no_driving_acknowledged).to_owned());
    let left = facts.end.map(|end| facts.time.full(Some(end)));
    found.and(&list(&[
        ("Monitored at least two hours", shown(two_hours)),
        ("Discharged at", shown(left)),
        ("Responsible adult present", shown(escort)),
        ("No driving acknowledged", shown(driving)),
    ]))
}
