//! Patients, by pseudonym.

use crate::cli::output::{date, fields, moment, quantity, table};
use crate::cli::words;
use crate::pb::v1;

/// One patient with every answer that was given for them.
#[must_use]
pub(in crate::cli) fn one(patient: &v1::Patient) -> String {
    let age = patient.age_years.map(|age| age.to_string());
    let age = age.as_deref().unwrap_or("not known to this server");
    let facts = fields(&[
        ("Another name of", &patient.merged_into),
        ("Registered", &moment(patient.registered_time.as_ref())),
        ("Age today", &age),
        ("Last weight", &quantity(patient.last_weight.as_ref())),
        ("Courses", &patient.courses.join(", ")),
        ("Open session", &patient.open_session),
    ]);
    let name = &patient.name;
    if patient.answers.is_empty() {
        return format!("{name}{facts}\n\nNo question was answered yet.");
    }
    let rows = patient.answers.iter().map(|it| {
        [
            it.question.clone(),
            words::answer(it.answer()),
            date(it.last_day.as_ref()),
            it.answered_by.clone(),
            moment(it.answered_time.as_ref()),
            words::override_reason(it.override_reason()),
        ]
    });
    let heading = ["Question", "Answer", "Counts until", "Answered by", "Asked", "Passed because"];
    format!("{name}{facts}\n\n{}", table(heading, rows.collect()))
}

/// Patients in a line each.
#[must_use]
pub(in crate::cli) fn many(patients: &[v1::Patient]) -> String {
    if patients.is_empty() {
        return "No patient is registered.".to_owned();
    }
    let rows = patients.iter().map(|patient| {
        let merged = &patient.merged_into;
        let name = match merged.as_str() {
            "" => patient.name.clone(),
            of => format!("{}\nanother name of {of}", patient.name),
        };
        [
            name,
            moment(patient.registered_time.as_ref()),
            patient.courses.join("\n"),
            patient.open_session.clone(),
        ]
    });
    table(["Patient", "Registered", "Courses", "Open session"], rows.collect())
}
