//! Which questions a plan or a protocol asks of a patient, and where each answer stands.

use std::collections::BTreeMap;

use serde_json::json;

use crate::cli::error::CliError;
use crate::cli::output::{date, table};
use crate::cli::parse::{Day, PlanOrProtocol};
use crate::cli::session::Session as Connection;
use crate::cli::words;
use crate::pb::v1;
use crate::time::Date;
use crate::wire::date_from_wire;

/// Where the answer to a question stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Not asked, or asked and not known.
    Open,
    /// It counted until a day before today.
    Expired,
    /// It counts, and stops the dose: for good, or unless a prescriber passes it.
    Stops {
        /// Whether nobody can pass it.
        hard: bool,
    },
    /// It would stop the dose, and a prescriber passed it with a reason.
    Passed,
    /// It counts and stops nothing.
    Answered,
}

impl Standing {
    fn of(
        question: &v1::EligibilityQuestion,
        answer: Option<&v1::AnswerStanding>,
        today: Date,
    ) -> Self {
        let known = |answer: &&v1::AnswerStanding| {
            matches!(answer.answer(), v1::Answer::Yes | v1::Answer::No)
        };
        let Some(answer) = answer.filter(known) else { return Self::Open };
        let last_day = answer.last_day.as_ref().and_then(|day| date_from_wire(day).ok());
        if last_day.is_none_or(|day| day < today) {
            return Self::Expired;
        }
        if answer.answer() != question.stops_on() {
            return Self::Answered;
        }
        let passed = answer.override_reason() != v1::OverrideReason::Unspecified;
        if passed && !question.hard { Self::Passed } else { Self::Stops { hard: question.hard } }
    }

    /// For people: what needs doing is in capitals.
    fn text(self) -> &'static str {
        match self {
            Self::Open => "OPEN",
            Self::Expired => "EXPIRED",
            Self::Stops { hard: true } => "STOPS the dose",
            Self::Stops { hard: false } => "STOPS, unless passed with a reason",
            Self::Passed => "passed with a reason",
            Self::Answered => "answered",
        }
    }

    /// For programs.
    fn code(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Expired => "expired",
            Self::Stops { .. } => "stops",
            Self::Passed => "passed",
            Self::Answered => "answered",
        }
    }
}

/// Shows the questions in their order. Today is the day where this device is.
pub(super) async fn show(
    of: &PlanOrProtocol,
    patient: String,
    connection: &Connection,
) -> Result<(), CliError> {
    let questions = asked_by(of, connection).await?;
    let found = connection.ask(v1::GetPatientRequest { name: patient }).await?;
    let patient = found.patient.unwrap_or_default();
    let today = Day::Today.resolve(connection.now())?;
    let answers: BTreeMap<&str, &v1::AnswerStanding> =
        patient.answers.iter().map(|answer| (answer.question.as_str(), answer)).collect();
    let rows: Vec<_> = questions
        .iter()
        .map(|question| {
            let answer = answers.get(question.id.as_str()).copied();
            (question, answer, Standing::of(question, answer, today))
        })
        .collect();
    let value: Vec<_> = rows
        .iter()
        .map(|(question, answer, standing)| {
            json!({
                "question": question.id,
                "text": question.text,
                "standing": standing.code(),
                "hard": question.hard,
                "answer": answer.map(|it| words::answer(it.answer())),
                "last_day": answer.map(|it| date(it.last_day.as_ref())),
            })
        })
        .collect();
    connection.out.value(&json!({ "patient": patient.name, "questions": value }), || {
        let asked: Vec<&str> = rows
            .iter()
            .filter(|(_, _, standing)| matches!(standing, Standing::Open | Standing::Expired))
            .map(|(question, _, _)| question.id.as_str())
            .collect();
        format!("{}\n\n{}", text(&rows), next(&patient.name, &asked))
    })
}

type Row<'a> = (&'a v1::EligibilityQuestion, Option<&'a v1::AnswerStanding>, Standing);

fn text(rows: &[Row<'_>]) -> String {
    let rows = rows.iter().map(|(question, answer, standing)| {
        [
            question.id.clone(),
            question.text.clone(),
            standing.text().to_owned(),
            answer.map(|it| words::answer(it.answer())).unwrap_or_default(),
            answer.map(|it| date(it.last_day.as_ref())).unwrap_or_default(),
            answer.map(|it| it.answered_by.clone()).unwrap_or_default(),
        ]
    });
    table(
        ["Question", "In words", "Stands", "Answer", "Counts until", "Answered by"],
        rows.collect(),
    )
}

/// What to type next.
fn next(patient: &str, asked: &[&str]) -> String {
    match asked {
        [] => "Every question has an answer that counts today.".to_owned(),
        [first, ..] => {
            let several = if let [_] = asked {
                "1 question is".to_owned()
            } else {
                format!("{} questions are", asked.len())
            };
            format!(
                "{several} to be asked. For each: vialedger patient answer {patient} --answer \
                 {first}=yes|no|unknown"
            )
        }
    }
}

/// The questions of a protocol, or of all phases of a plan, each once.
async fn asked_by(
    of: &PlanOrProtocol,
    connection: &Connection,
) -> Result<Vec<v1::EligibilityQuestion>, CliError> {
    let missing = |name: &str| CliError::No(format!("the formulary in force has no {name}"));
    let wanted: Vec<String> = match of {
        PlanOrProtocol::Protocol(name) => vec![name.clone()],
        PlanOrProtocol::Plan(name) => {
            let plans = connection.list(v1::ListPlansRequest::default(), usize::MAX).await?.plans;
            let plan = plans.into_iter().find(|plan| plan.name == *name);
            let plan = plan.ok_or_else(|| {
                let id = name.trim_start_matches("plans/");
                CliError::No(format!(
                    "the formulary in force has no {name} (`vialedger course plans` lists them); \
                     for a protocol write protocols/{id}"
                ))
            })?;
            plan.phases.into_iter().map(|phase| phase.protocol).collect()
        }
    };
    let protocols = connection.list(v1::ListProtocolsRequest::default(), usize::MAX).await?;
    let mut questions: Vec<v1::EligibilityQuestion> = Vec::new();
    for name in wanted {
        let protocol = protocols.protocols.iter().find(|protocol| protocol.name == name);
        let protocol = protocol.ok_or_else(|| missing(&name))?;
        for question in &protocol.questions {
            if !questions.iter().any(|known| known.id == question.id) {
                questions.push(question.clone());
            }
        }
    }
    Ok(questions)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(
        answer: v1::Answer,
        reason: v1::OverrideReason,
        hard: bool,
        today: &str,
    ) -> Standing {
        let question = v1::EligibilityQuestion {
            stops_on: v1::Answer::Yes.into(),
            hard,
            ..Default::default()
        };
        let answer = v1::AnswerStanding {
            answer: answer.into(),
            last_day: Some(v1::Date { year: 2026, month: 11, day: 20 }),
            override_reason: reason.into(),
            ..Default::default()
        };
        Standing::of(&question, Some(&answer), today.parse().unwrap())
    }

    #[test]
    fn an_answer_counts_until_its_last_day_and_unknown_is_not_no() {
        let none = v1::OverrideReason::Unspecified;
        let reason = v1::OverrideReason::SpecialistAdvice;
        let on_the_day = "2026-11-20";
        assert_eq!(standing(v1::Answer::No, none, true, on_the_day), Standing::Answered);
        assert_eq!(standing(v1::Answer::No, none, true, "2026-11-21"), Standing::Expired);
        assert_eq!(standing(v1::Answer::Unknown, none, true, on_the_day), Standing::Open);
        let stops = |hard| Standing::Stops { hard };
        assert_eq!(standing(v1::Answer::Yes, none, false, on_the_day), stops(false));
        assert_eq!(standing(v1::Answer::Yes, reason, false, on_the_day), Standing::Passed);
        assert_eq!(standing(v1::Answer::Yes, reason, true, on_the_day), stops(true));
        let question = v1::EligibilityQuestion::default();
        assert_eq!(Standing::of(&question, None, on_the_day.parse().unwrap()), Standing::Open);
    }

    #[test]
    fn what_to_type_next_is_said() {
        assert!(next("patients/p7", &[]).starts_with("Every question"));
        let text = next("patients/p7", &["psychosis", "pregnancy"]);
        assert!(text.starts_with("2 questions are to be asked."), "{text}");
        assert!(text.contains("patient answer patients/p7 --answer psychosis="), "{text}");
    }
}
