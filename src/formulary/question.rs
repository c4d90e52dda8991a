//! Questions about a patient that must be answered before a dose is calculated.

use super::raw::RawQuestion;
use super::reader::{Read, Reader};
use super::slug::QuestionId;
use super::word::words;

words! {
    /// What follows when a question is answered so that it stops the dose, or is answered with
    /// "unknown"; and when a reading before a dose meets a criterion.
    QuestionWeight "a weight of a question" {
        /// No dose, and no override.
        Hard = "hard",
        /// No dose without a coded reason, which reports show.
        Soft = "soft",
    }
}

words! {
    /// The answer that stops. "Unknown" is a third answer, and never counts as the one that lets
    /// pass.
    StoppingAnswer "an answer" {
        /// "Yes" stops.
        Yes = "yes",
        /// "No" stops.
        No = "no",
    }
}

/// One contraindication, asked as a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Its id, by which protocols and answers name it.
    pub id: QuestionId,
    /// The question as it is put to the clinician.
    pub text: String,
    /// What a stopping answer does.
    pub weight: QuestionWeight,
    /// Which answer stops.
    pub stops_on: StoppingAnswer,
    /// How long an answer counts, 1 to 366 days; `None`: only on the day of the answer, by the
    /// site's calendar.
    pub valid_days: Option<u16>,
    /// Who says that it must be asked.
    pub source: String,
}

pub(super) fn read_question(reader: &mut Reader<'_>, raw: &RawQuestion) -> Read<Question> {
    let id = reader.value(&raw.id, str::parse);
    let text = reader.prose(&raw.text);
    let weight = reader.word(&raw.weight);
    let stops_on = reader.word(&raw.stops_on);
    let valid_days = raw.valid_days.as_ref().map(|days| reader.number(days, 1..=366)).transpose();
    let source = reader.prose(&raw.source);
    Ok(Question {
        id: id?,
        text: text?,
        weight: weight?,
        stops_on: stops_on?,
        valid_days: valid_days?,
        source: source?,
    })
}
