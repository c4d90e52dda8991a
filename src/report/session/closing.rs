//! How the session ended: the vials, the discharge, what a reviewer should look at, the form.

use super::{View, yes_or_no};
use crate::pb::v1;
use crate::report::markup::Markup;
use crate::report::moments::moment;
use crate::report::page::{alarm, bold, cell, facts, paragraph, remark, table};
use crate::report::words::{adds_up, date, or_none, plain, quantity, read, sum, word, yes};
use crate::units::Rational;
use crate::wire::date_from_wire;

/// Where the content of each vial went.
pub(super) fn vials(view: &View<'_>) -> Markup {
    let rows: Vec<Vec<Markup>> = view
        .input
        .session
        .balances
        .iter()
        .map(|balance| {
            let left = sum([balance.in_container.as_ref(), balance.in_hands.as_ref()]);
            let unwitnessed = read(balance.unwitnessed.as_ref());
            let open = unwitnessed.is_some_and(|amount| amount.value() > Rational::ZERO);
            let mut wasted = cell(&quantity(balance.wasted.as_ref()));
            if open {
                let amount = quantity(balance.unwitnessed.as_ref());
                wasted.add(&Markup::void("br", &[]).and(&bold(&format!("{amount} NOT WITNESSED"))));
            }
            vec![
                cell(&balance.vial),
                cell(&word(balance.state().as_str_name(), "VIAL_STATE")),
                cell(&quantity(balance.content.as_ref())),
                cell(&quantity(balance.administered.as_ref())),
                wasted,
                cell(&left.map_or_else(String::new, |left| left.to_string())),
                standing(balance),
            ]
        })
        .collect();
    let heading = ["Vial", "State", "Content", "= given", "+ wasted", "+ left", "Balance"];
    let mut found = table(&heading, &rows, "No vial was used.");
    if !rows.is_empty() {
        found.add(&remark(
            "As the vials stand now. What is left is in the container or in somebody's hands.",
        ));
    }
    found
}

/// Whether content = given + wasted + left, worked out here again.
fn standing(balance: &v1::VialBalance) -> Markup {
    match adds_up(balance) {
        Some(true) => cell("balances"),
        Some(false) => bold("DOES NOT BALANCE"),
        None => bold("cannot be added up"),
    }
}

/// How the patient left.
pub(super) fn discharge(view: &View<'_>) -> Markup {
    let session = view.input.session;
    if session.state() == v1::SessionState::Cancelled {
        let why = word(session.end_reason().as_str_name(), "SESSION_END");
        return paragraph(&format!(
            "Called off before anything was given, {}: {}. By {}.",
            or_none(&view.at(session.end_time.as_ref())),
            or_none(&why),
            or_none(&view.person(&session.ended_by))
        ));
    }
    let Some(discharge) = &session.discharge else {
        return paragraph("No discharge is recorded.");
    };
    let mut found = Markup::new();
    if !discharge.approved_by.is_empty() || !discharge.unmet.is_empty() {
        let approved = or_none(&discharge.approved_by).to_owned();
        let who = if discharge.approved_by.is_empty() { approved } else { view.person(&approved) };
        let words =
            format!("LEFT BEFORE THE RULES ALLOWED IT, approved by {who}. What was not met:");
        let unmet: Vec<String> = discharge.unmet.iter().map(|unmet| plain(unmet)).collect();
        found.add(&alarm(&words, &unmet));
    }
    let minutes = discharge.minutes_since_first_dose;
    let least = view.monitoring.discharge_minutes;
    let rows = vec![
        vec![cell("Discharged"), cell(&view.at_and_after(session.end_time.as_ref()))],
        vec![cell("By"), cell(&view.person(&session.ended_by))],
        vec![
            cell("Since the first dose"),
            if minutes < least {
                bold(&format!("{minutes} min; the plan asks for {least} min"))
            } else {
                cell(&format!("{minutes} min; the plan asks for {least} min"))
            },
        ],
        vec![
            cell("A responsible adult took the patient home"),
            wanted(session.escort_present, view.monitoring.escort),
        ],
        vec![
            cell("The patient acknowledged not to drive until the next day"),
            wanted(session.no_driving_acknowledged, view.monitoring.no_driving),
        ],
    ];
    found.and(&table(&["", "As signed at the discharge"], &rows, ""))
}

/// Yes or no; a no stands out where the plan wants a yes.
fn wanted(value: bool, by_plan: bool) -> Markup {
    if by_plan {
        yes_or_no(value)
    } else {
        cell(&format!("{} (not asked by the plan)", yes(value)))
    }
}

/// What a reviewer should look at.
pub(super) fn flags(view: &View<'_>) -> Markup {
    let rows: Vec<Vec<Markup>> = view
        .input
        .session
        .flags
        .iter()
        .map(|flag| {
            let kind = if flag.refusal { bold("REFUSED") } else { cell("flag") };
            vec![cell(&flag.entry), kind, cell(&plain(&flag.message))]
        })
        .collect();
    table(&["Entry", "", "In words"], &rows, "Nothing is flagged and nothing was refused.")
}

/// The clock of the monitoring form.
pub(super) fn form(view: &View<'_>) -> Markup {
    let (session, plan) = (view.input.session, view.input.plan);
    if plan.form_title.is_empty() && session.form_due_date.is_none() {
        return paragraph("The plan has no monitoring form.");
    }
    let due = session.form_due_date.as_ref().and_then(|day| date_from_wire(day).ok());
    let sent = session.form_sent_date.as_ref().and_then(|day| date_from_wire(day).ok());
    let today = view.time.day(view.input.printed);
    let late = match (due, sent) {
        (Some(due), Some(sent)) => sent > due,
        (Some(due), None) => today.is_some_and(|today| today > due),
        (None, _) => false,
    };
    let standing = match (sent.is_some(), late) {
        (true, false) if due.is_none() => "sent",
        (true, false) => "sent in time",
        (true, true) => "sent late",
        (false, true) => "OVERDUE: not sent",
        (false, false) => "not sent yet",
    };
    let mut found = Markup::new();
    if late {
        found.add(&alarm(&format!("The form is {standing}."), &[]));
    }
    found.add(&facts(&[
        ("Form", plan.form_title.clone()),
        ("Standing", standing.to_owned()),
        ("Last day in time", date(session.form_due_date.as_ref())),
        ("Sent on", date(session.form_sent_date.as_ref())),
        ("Days allowed", plan.form_due_days.to_string()),
        ("Discharged", view.time.full(moment(session.end_time.as_ref()))),
    ]));
    found
}
