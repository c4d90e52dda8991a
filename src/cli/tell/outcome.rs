//! What the rules made of an act that belongs to patients and their courses.

use super::capitalised;
use super::session::alert;
use crate::cli::output::{Tone, date, moment, plainly, table};
use crate::cli::words;
use crate::pb::v1;
use crate::pb::v1::outcome::Result as Made;
use crate::report::{count, severity};

/// In one line, as it stands beside other entries.
#[must_use]
pub(super) fn headline(made: &Made) -> String {
    match made {
        Made::PatientRegistered(it) => format!("{} is registered", it.patient),
        Made::PatientsMerged(it) => {
            format!("{} is another name of {} from now on", it.alias, it.patient)
        }
        Made::IdentityOpened(it) => {
            let until = moment(it.expire_time.as_ref());
            format!("the identity of {} is open to you until {until}", it.patient)
        }
        Made::EligibilityRecorded(it) => answered(it),
        Made::CourseOpened(it) => format!("{} is open, by {}", it.course, it.plan),
        Made::CourseClosed(it) => {
            let sessions = count(it.sessions, "session", "sessions");
            format!("{} is closed, after {sessions} with a dose", it.course)
        }
        Made::SessionStarted(it) => started(it),
        Made::SessionMissed(it) => {
            let day = date(it.planned_date.as_ref());
            format!("the session of {} planned for {day} did not take place", it.course)
        }
        Made::SessionCancelled(it) => format!("{} is called off", it.session),
        Made::Observation(it) => {
            let said = format!("observation of {} recorded", it.session);
            it.alerts.iter().fold(said, |text, met| format!("{text}; {}", alert(met)))
        }
        Made::AdverseEffect(it) => effect(it),
        Made::AlertAcknowledged(it) => format!("{} of {} is acknowledged", it.alert, it.session),
        Made::Discharge(it) => discharged(it),
        Made::FormSent(it) => format!("the form of {} is recorded as sent", it.session),
        Made::DoseCheck(it) if it.agreed => {
            format!("the independent check of {} agrees", it.dose_calculation)
        }
        Made::DoseCheck(it) => format!(
            "THE INDEPENDENT CHECK OF {} DIFFERS in {}: do not give it",
            it.dose_calculation,
            it.differences.iter().map(|it| it.field.as_str()).collect::<Vec<_>>().join(", ")
        ),
        _ => String::new(),
    }
}

/// In several lines, where there is more to say than the headline: what stands out, and what comes next.
#[must_use]
pub(super) fn more(made: &Made) -> Option<String> {
    match made {
        Made::EligibilityRecorded(it) => Some(answers(it)),
        Made::SessionStarted(it) => {
            let session = &it.session;
            let reads = it.needed_before.iter().map(|measure| format!("{measure}=…"));
            let reads = reads.collect::<Vec<_>>().join(" ");
            let said = capitalised(&headline(made));
            Some(format!("{said}\nNext: vialedger session observe {session} --read {reads}"))
        }
        Made::Observation(it) if !it.alerts.is_empty() => Some(alerting(it)),
        Made::Discharge(it) if !it.unmet.is_empty() => {
            let said = capitalised(&headline(made));
            let unmet = it.unmet.iter().map(|unmet| format!("\n  {}", plainly(unmet)));
            Some(format!("{}{}", Tone::Bad.paint(&said), unmet.collect::<String>()))
        }
        Made::DoseCheck(it) => Some(check(it)),
        _ => None,
    }
}

/// What became of a lot, and what there still is to do.
pub(super) fn quarantined(it: &v1::LotQuarantined) -> String {
    let vials = count(it.vials, "vial goes", "vials go");
    let said = format!("lot {} of {} is quarantined: {vials} to quarantine", it.lot, it.product);
    let left = match it.vials_left {
        0 => String::new(),
        left => format!("; THE SAME AGAIN for the other {left}, which are blocked already"),
    };
    let held = match it.in_hands.as_slice() {
        [] => String::new(),
        held => format!("; IN HANDS, call them back: {}", held.join(", ")),
    };
    said + &left + &held
}

fn answered(recorded: &v1::EligibilityRecorded) -> String {
    let stopping: Vec<&str> = stopping(recorded).map(|it| it.question.as_str()).collect();
    let answers = count(recorded.answers.len(), "answer", "answers");
    let said = format!("{answers} recorded for {}", recorded.patient);
    if stopping.is_empty() { said } else { format!("{said}; STOPS: {}", stopping.join(", ")) }
}

/// Answers that stop a dose, and that no prescriber has passed.
fn stopping(recorded: &v1::EligibilityRecorded) -> impl Iterator<Item = &v1::AnswerStanding> {
    let passed = v1::OverrideReason::Unspecified;
    recorded.answers.iter().filter(move |it| it.stops && it.override_reason() == passed)
}

fn answers(recorded: &v1::EligibilityRecorded) -> String {
    let rows = recorded.answers.iter().map(|it| {
        [
            it.question.clone(),
            words::answer(it.answer()),
            date(it.last_day.as_ref()),
            match (it.stops, it.override_reason()) {
                (false, _) => String::new(),
                (true, v1::OverrideReason::Unspecified) => "STOPS the dose".to_owned(),
                (true, reason) => format!("passed: {}", words::override_reason(reason)),
            },
        ]
    });
    let rows = table(["Question", "Answer", "Counts until", "What it does"], rows.collect());
    let said = capitalised(&answered(recorded));
    let tone = if stopping(recorded).next().is_some() { Tone::Bad } else { Tone::Plain };
    format!("{rows}\n\n{}", tone.paint(&said))
}

fn started(it: &v1::SessionStarted) -> String {
    let since = match it.days_since_last {
        Some(0) => ", on the day of the last dose".to_owned(),
        Some(since) => format!(", {} after the last dose", count(since, "day", "days")),
        None => String::new(),
    };
    format!(
        "{} is session {} of {} ({}){since}; before the dose read {}",
        it.session,
        it.number,
        it.course,
        it.phase,
        it.needed_before.join(", ")
    )
}

fn effect(it: &v1::AdverseEffect) -> String {
    let (kind, severity) = (crate::report::effect(it.kind()), severity(it.severity()));
    let serious = if it.serious { ", SERIOUS" } else { "" };
    let lasts = if it.end_time.is_some() { "it has ended" } else { "it lasts" };
    format!("{}: {severity} {kind}{serious}; {lasts}", it.name)
}

fn discharged(it: &v1::Discharge) -> String {
    let (session, minutes) = (&it.session, it.minutes_since_first_dose);
    let early = match it.unmet.as_slice() {
        [] => String::new(),
        _ => format!(", BEFORE THE RULES ALLOWED IT, approved by {}", it.approved_by),
    };
    let form = match date(it.form_due_date.as_ref()) {
        due if due.is_empty() => due,
        due => format!("; the monitoring form is to be sent by {due}"),
    };
    format!("discharged from {session}, {minutes} min after the first dose{early}{form}")
}

/// An observation whose readings meet stop criteria, loudly: what was read, what to do, who must look.
fn alerting(observation: &v1::Observation) -> String {
    let said = format!("Observation of {} recorded.", observation.session);
    observation.alerts.iter().fold(said, |text, met| {
        let name = &met.name;
        format!(
            "{text}\n\n{}\n  A prescriber must see the patient; then: vialedger session alert {name} \
             --note \"what was decided\"",
            Tone::Bad.paint(&alert(met)),
        )
    })
}

/// What a second person's check found, field by field where it differs.
fn check(check: &v1::DoseCheck) -> String {
    let calculation = &check.dose_calculation;
    if check.agreed {
        let said = format!(
            "Agreed: both people entered and got the same. {calculation} may be dispensed against."
        );
        return Tone::Good.paint(&said);
    }
    let rows = check.differences.iter();
    let rows = rows.map(|it| [it.field.clone(), it.first.clone(), it.second.clone()]);
    let said = format!(
        "DIFFERS: nothing is dispensed against {calculation}. Find out who is right, then calculate anew."
    );
    format!("{}\n\n{}", table(["Field", "First", "Second"], rows.collect()), Tone::Bad.paint(&said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_is_in_the_headline_with_what_to_do_and_loud_below_it() {
        let met = v1::Alert {
            name: "alerts/40-1".into(),
            criterion: "pressure-crisis-systolic".into(),
            reading: Some(v1::Reading {
                measure: "systolic".into(),
                value: 190,
                unit: "mm[Hg]".into(),
            }),
            limit: "above 180".into(),
            action: "Stop the infusion".into(),
        };
        let observation = v1::Observation { session: "sessions/32".into(), alerts: vec![met] };
        let made = Made::Observation(observation);
        let said = "ALERT alerts/40-1: systolic 190 mmHg is above 180. Stop the infusion";
        assert_eq!(headline(&made), format!("observation of sessions/32 recorded; {said}"));
        let more = more(&made).unwrap();
        assert!(more.contains(&Tone::Bad.paint(said)), "{more}");
        assert!(more.contains("vialedger session alert alerts/40-1"), "{more}");
    }

    #[test]
    fn a_check_that_differs_names_each_field_with_both_values() {
        let difference = v1::DoseDifference {
            field: "weight.quantity".into(),
            first: "72.5 kg".into(),
            second: "75.2 kg".into(),
        };
        let made = Made::DoseCheck(v1::DoseCheck {
            dose_calculation: "doseCalculations/35".into(),
            agreed: false,
            differences: vec![difference],
        });
        assert!(headline(&made).contains("DIFFERS in weight.quantity"));
        let more = more(&made).unwrap();
        for part in ["Field", "weight.quantity", "72.5 kg", "75.2 kg", "calculate anew"] {
            assert!(more.contains(part), "{part:?} in {more}");
        }
    }

    #[test]
    fn an_early_discharge_says_who_approved_it_and_what_was_not_met() {
        let made = Made::Discharge(v1::Discharge {
            session: "sessions/32".into(),
            minutes_since_first_dose: 65,
            approved_by: "people/ada".into(),
            unmet: vec!["only 65 min since the first dose".into()],
            form_due_date: None,
        });
        let more = more(&made).unwrap();
        assert!(more.contains("BEFORE THE RULES ALLOWED IT, approved by people/ada"), "{more}");
        assert!(more.ends_with("\n  only 65 min since the first dose"), "{more}");
    }
}
