//! What had to be known before the dose.

use super::View;
use crate::pb::v1;
use crate::report::markup::Markup;
use crate::report::moments::{minutes_between, moment};
use crate::report::page::{bold, cell, remark, table};
use crate::report::reading::{bound_words, is_met, name};
use crate::report::words::{NONE, reading, word};

/// The answers that the session began with.
pub(super) fn eligibility(view: &View<'_>) -> Markup {
    let rows: Vec<Vec<Markup>> = view
        .input
        .session
        .answers
        .iter()
        .map(|found| {
            let question = if found.text.is_empty() { &found.question } else { &found.text };
            let answer = match found.answer() {
                v1::Answer::Yes => bold("YES"),
                v1::Answer::No => cell("no"),
                v1::Answer::Unknown => bold("NOT KNOWN"),
                v1::Answer::Unspecified => bold("NOT ANSWERED"),
            };
            let reason = match found.override_reason() {
                v1::OverrideReason::Unspecified => cell(""),
                given => bold(&word(given.as_str_name(), "OVERRIDE_REASON")),
            };
            vec![
                cell(question),
                answer,
                cell(&view.person(&found.answered_by)),
                cell(&view.time.full(moment(found.answered_time.as_ref()))),
                reason,
            ]
        })
        .collect();
    let heading = ["Question", "Answer", "Answered by", "Asked", "Passed with the reason"];
    table(&heading, &rows, "No answer is recorded with this session.")
}

/// The last readings before the first dose, against the limits that count then.
pub(super) fn readings(view: &View<'_>) -> Markup {
    let monitoring = &view.monitoring;
    let mut ids: Vec<&String> = monitoring.before.iter().collect();
    let criteria = monitoring.criteria.iter().filter(|it| it.when() == v1::CriterionWhen::Before);
    for criterion in criteria.clone() {
        if !ids.contains(&&criterion.measure) {
            ids.push(&criterion.measure);
        }
    }
    let rows: Vec<Vec<Markup>> = ids
        .into_iter()
        .map(|id| {
            let own = criteria.clone().filter(|criterion| criterion.measure == *id);
            let limits: Vec<String> = own.clone().map(limit).collect();
            let limits = if limits.is_empty() { NONE.to_owned() } else { limits.join("; ") };
            let name = cell(name(monitoring, id));
            let Some((last, made)) = last_before(view, id) else {
                return vec![name, bold("NOT READ"), cell(""), cell(&limits), bold("missing")];
            };
            let met: Vec<String> =
                own.filter(|it| is_met(it, last.value)).map(|it| it.action.clone()).collect();
            let standing = match (met.is_empty(), is_old(view, made)) {
                (false, _) => bold(&format!("LIMIT PASSED: {}", met.join("; "))),
                (true, true) => bold(&format!("older than {} min", monitoring.before_minutes)),
                (true, false) if limits == NONE => cell("read"),
                (true, false) => cell("within the limit"),
            };
            vec![
                name,
                cell(&reading(last.value, &last.unit)),
                cell(&view.at_and_after(made.observed_time.as_ref())),
                cell(&limits),
                standing,
            ]
        })
        .collect();
    let heading = ["Measure", "Last reading", "When", "Limit", "Standing"];
    let mut found = table(&heading, &rows, "The plan asks for no reading before the dose.");
    if monitoring.before_minutes > 0 && !rows.is_empty() {
        let minutes = monitoring.before_minutes;
        found.add(&remark(&format!("A reading before the dose counts for {minutes} min.")));
    }
    found
}

fn limit(criterion: &v1::Criterion) -> String {
    let weight = if criterion.hard { "no dose" } else { "a reason is needed" };
    format!("{}: {weight}", bound_words(criterion))
}

/// The last reading of a measure up to the first dose; without a dose the last one of all.
fn last_before<'a>(
    view: &View<'a>,
    id: &str,
) -> Option<(&'a v1::Reading, &'a v1::ObservationRecord)> {
    let made = view.input.session.observations.iter();
    let mut found: Vec<_> = made
        .filter(|made| {
            let at = moment(made.observed_time.as_ref());
            view.first_dose.is_none_or(|dose| at.is_some_and(|at| at <= dose))
        })
        .filter_map(|made| Some((made.readings.iter().find(|it| it.measure == id)?, made)))
        .collect();
    found.sort_by_key(|(_, made)| moment(made.observed_time.as_ref()));
    found.pop()
}

fn is_old(view: &View<'_>, made: &v1::ObservationRecord) -> bool {
    let valid = i64::from(view.monitoring.before_minutes);
    let age = view.first_dose.zip(moment(made.observed_time.as_ref()));
    valid > 0 && age.is_some_and(|(dose, at)| minutes_between(at, dose) > valid)
}
