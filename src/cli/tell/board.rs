//! The board: every open session with what is wanted now, and the forms that are to be sent.

use super::session;
use crate::cli::output::{Tone, date, plainly, table};
use crate::pb::v1;

/// Seconds in a minute.
const MINUTE: i64 = 60;

/// The board as it stands at a moment.
#[must_use]
pub(in crate::cli) fn text(
    sessions: &[v1::SessionSummary],
    now: &prost_types::Timestamp,
) -> String {
    let is_open = |session: &&v1::SessionSummary| session.end_time.is_none();
    let open: Vec<_> = sessions.iter().filter(is_open).collect();
    let forms: Vec<_> = sessions.iter().filter(|it| it.form_due_date.is_some()).collect();
    if open.is_empty() && forms.is_empty() {
        return "No session is open, and no form is to be sent.".to_owned();
    }
    let mut blocks = loud(&open, now);
    if !open.is_empty() {
        blocks.push(open_table(&open, now));
    }
    if !forms.is_empty() {
        blocks.push(forms_table(&forms));
    }
    blocks.join("\n\n")
}

/// What cannot wait, one line each, before everything else.
fn loud(open: &[&v1::SessionSummary], now: &prost_types::Timestamp) -> Vec<String> {
    let mut lines = Vec::new();
    for it in open {
        let of = format!("{}, {}", it.name, it.patient);
        let alerts = it.open_alerts.iter().map(|met| format!("{of}: {}", session::alert(met)));
        lines.extend(alerts);
        let overdue = it.wanted.iter().filter(|due| due.state() == v1::DueState::Overdue);
        lines.extend(overdue.map(|due| format!("{of}: OVERDUE {}", wanted(due, now))));
    }
    let lines: Vec<_> = lines.iter().map(|line| Tone::Bad.paint(line)).collect();
    if lines.is_empty() { Vec::new() } else { vec![lines.join("\n")] }
}

fn open_table(open: &[&v1::SessionSummary], now: &prost_types::Timestamp) -> String {
    let rows = open.iter().map(|it| {
        let since = match (&it.first_dose_time, &it.dose_in_hands_time) {
            (Some(first), _) => format!("{} min ago", minutes(first, now)),
            (None, Some(held)) => {
                format!("in hands since\n{} min, start\nnot recorded", minutes(held, now))
            }
            (None, None) => "no dose yet".to_owned(),
        };
        let of = |state: v1::DueState| {
            let items = it.wanted.iter().filter(|due| due.state() == state);
            items.map(|due| wanted(due, now)).collect::<Vec<_>>().join("\n")
        };
        let watched = it.first_dose_time.is_some() || it.dose_in_hands_time.is_some();
        let due = match of(v1::DueState::Due) {
            due if due.is_empty() && !watched => {
                "all that is needed before the dose was read".to_owned()
            }
            due => due,
        };
        let alerts = it.open_alerts.iter().map(|met| met.name.as_str()).collect::<Vec<_>>();
        let home = match (&it.first_dose_time, it.keeps_from_discharge.as_slice()) {
            (None, _) => String::new(),
            (Some(_), []) => "may go home".to_owned(),
            (Some(_), unmet) => plainly(&unmet.join("\n")),
        };
        [
            format!("{}\n{}", it.name, it.patient),
            since,
            due,
            of(v1::DueState::Overdue),
            alerts.join("\n"),
            home,
        ]
    });
    let heading = ["Session", "First dose", "Due now", "OVERDUE", "ALERTS", "Before going home"];
    table(heading, rows.collect())
}

fn forms_table(forms: &[&v1::SessionSummary]) -> String {
    let rows = forms.iter().map(|it| {
        let standing = if it.form_overdue { "OVERDUE" } else { "in time" };
        [it.name.clone(), it.patient.clone(), date(it.form_due_date.as_ref()), standing.to_owned()]
    });
    table(["Form to send", "Patient", "Last day", "Stands"], rows.collect())
}

/// What is wanted, with how late it is in plain words.
fn wanted(due: &v1::DueItem, now: &prost_types::Timestamp) -> String {
    let measures = due.measures.join(", ");
    let Some(at) = &due.due_time else { return format!("before the dose: {measures}") };
    match minutes(at, now) {
        late if late > 0 => format!("since {late} min: {measures}"),
        early if early < 0 => format!("in {} min: {measures}", -early),
        _ => format!("now: {measures}"),
    }
}

/// Whole minutes from one moment to another.
fn minutes(from: &prost_types::Timestamp, to: &prost_types::Timestamp) -> i64 {
    (to.seconds - from.seconds).div_euclid(MINUTE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> prost_types::Timestamp {
        prost_types::Timestamp { seconds, nanos: 0 }
    }

    fn due(minute: i64, state: v1::DueState) -> v1::DueItem {
        let measures = vec!["systolic".to_owned(), "spo2".to_owned()];
        v1::DueItem { due_time: Some(at(minute * MINUTE)), measures, state: state.into() }
    }

    #[test]
    fn what_is_overdue_is_said_in_minutes_and_stands_before_the_table() {
        let session = v1::SessionSummary {
            name: "sessions/32".into(),
            patient: "patients/p7".into(),
            first_dose_time: Some(at(0)),
            wanted: vec![due(40, v1::DueState::Overdue), due(60, v1::DueState::Due)],
            keeps_from_discharge: vec!["only 58 min since the first dose".into()],
            ..Default::default()
        };
        let text = text(&[session], &at(58 * MINUTE));
        let loud = "sessions/32, patients/p7: OVERDUE since 18 min: systolic, spo2";
        assert!(text.starts_with(&Tone::Bad.paint(loud)), "{text}");
        for part in ["58 min ago", "in 2 min: systolic", "only 58 min since"] {
            assert!(text.contains(part), "{part:?} in {text}");
        }
    }

    #[test]
    fn a_dose_in_hands_is_watched_before_it_is_recorded() {
        let session = v1::SessionSummary {
            name: "sessions/32".into(),
            dose_in_hands_time: Some(at(0)),
            wanted: vec![due(15, v1::DueState::Overdue)],
            ..Default::default()
        };
        let text = text(&[session], &at(21 * MINUTE));
        for part in ["OVERDUE since 6 min: systolic", "in hands since", "21 min, start"] {
            assert!(text.contains(part), "{part:?} in {text}");
        }
        assert!(!text.contains("before the dose was read"), "{text}");
    }

    #[test]
    fn a_form_keeps_its_last_day_and_an_empty_board_says_so() {
        let session = v1::SessionSummary {
            name: "sessions/32".into(),
            end_time: Some(at(0)),
            form_due_date: Some(v1::Date { year: 2026, month: 11, day: 27 }),
            form_overdue: true,
            ..Default::default()
        };
        let text_of_it = text(&[session], &at(0));
        for part in ["Form to send", "2026-11-27", "OVERDUE"] {
            assert!(text_of_it.contains(part), "{part:?} in {text_of_it}");
        }
        assert_eq!(text(&[], &at(0)), "No session is open, and no form is to be sent.");
    }
}
