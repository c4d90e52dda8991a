//! Patients: registered under a pseudonym, merged, asked; and the trace of every identity that is read.

use std::collections::BTreeSet;

use super::authority::{IDENTITY_READERS, MERGERS, PRESCRIBERS, REGISTRARS, TREATERS};
use super::dose::question_stops;
use super::{Case, Draft, Signer};
use crate::command::{
    Answered as Given, EligibilityCommand, MergeCommand, OpenIdentityCommand, RegisterCommand,
};
use crate::course::{Answered, Course};
use crate::formulary::{Question, QuestionWeight};
use crate::names::{CourseName, PatientName};
use crate::pb::v1::{self, FlagKind, outcome};
use crate::refusal::{Refusal, TreatmentRefusal};
use crate::state::{Change, PatientRecord};
use crate::wire::{date_to_wire, timestamp_to_wire};

impl Case<'_> {
    pub(super) fn register(
        &self,
        signer: &Signer,
        act: &RegisterCommand,
    ) -> Result<Draft, Refusal> {
        self.need(signer, REGISTRARS)?;
        if self.state.patient_as_named(&act.patient).is_some() {
            return Err(TreatmentRefusal::PatientExists.into());
        }

        // From here the registration is accepted.
        let patient = act.patient.to_string();
        let mut draft =
            Draft::new(outcome::Result::PatientRegistered(v1::PatientRegistered { patient }));
        draft.touch(&act.patient);
        let record = PatientRecord::new(self.now, act.commitment);
        draft.change(Change::PutPatient(act.patient.clone(), Box::new(record)));
        Ok(draft)
    }

    pub(super) fn merge(&self, signer: &Signer, act: &MergeCommand) -> Result<Draft, Refusal> {
        self.need(signer, MERGERS)?;
        let own = |name: &PatientName| {
            let record = self.state.patient_as_named(name);
            record
                .filter(|record| record.merged_into.is_none())
                .ok_or(TreatmentRefusal::PatientUnknown)
        };
        let (alias, patient) = (own(&act.alias)?, own(&act.patient)?);
        if let Some(session) = alias.open_session {
            return Err(TreatmentRefusal::SessionOpen { session }.into());
        }
        if let Some(course) = self.open_by_the_same_plan(alias, patient) {
            return Err(TreatmentRefusal::CourseOpen { course }.into());
        }

        // From here the merge is accepted.
        let mut draft = Draft::new(outcome::Result::PatientsMerged(v1::PatientsMerged {
            alias: act.alias.to_string(),
            patient: act.patient.to_string(),
        }));
        draft.touch(&act.alias);
        draft.touch(&act.patient);
        draft.flag(FlagKind::PatientsMerged, act.reason.clone());
        for name in &alias.courses {
            let course = self.state.course(*name).expect("a patient's courses are there");
            let course = Course { patient: act.patient.clone(), ..course.as_ref().clone() };
            draft.change(Change::PutCourse(*name, Box::new(course)));
        }
        let mut merged = merged(alias, patient);
        // Whatever was another name of the alias is another name of the patient now.
        let names = std::iter::once(&act.alias).chain(&alias.aliases);
        for name in names {
            let record = self.state.patient_as_named(name).expect("a name was registered");
            let mut record = PatientRecord::new(record.registered, record.commitment);
            record.merged_into = Some(act.patient.clone());
            draft.change(Change::PutPatient(name.clone(), Box::new(record)));
            merged.aliases.push(name.clone());
        }
        draft.change(Change::PutPatient(act.patient.clone(), Box::new(merged)));
        Ok(draft)
    }

    /// A course of the one that is open by the same plan as one of the other.
    fn open_by_the_same_plan(
        &self,
        alias: &PatientRecord,
        patient: &PatientRecord,
    ) -> Option<CourseName> {
        let open = |record: &PatientRecord| {
            let courses = record.courses.iter().filter_map(|name| {
                let course = self.state.course(*name)?;
                course.closed.is_none().then(|| (*name, course.plan.clone()))
            });
            courses.collect::<Vec<_>>()
        };
        let plans: BTreeSet<_> = open(alias).into_iter().map(|(_, plan)| plan).collect();
        open(patient).into_iter().find(|(_, plan)| plans.contains(plan)).map(|(name, _)| name)
    }

    pub(super) fn open_identity(
        &self,
        signer: &Signer,
        act: &OpenIdentityCommand,
    ) -> Result<Draft, Refusal> {
        self.need(signer, IDENTITY_READERS)?;
        self.registered(&act.patient)?;
        let expires = self.now.checked_add_micros(super::IDENTITY_OPEN_FOR);
        let mut draft = Draft::new(outcome::Result::IdentityOpened(v1::IdentityOpened {
            patient: act.patient.to_string(),
            expire_time: expires.ok().map(timestamp_to_wire),
        }));
        draft.touch(&act.patient);
        Ok(draft)
    }

    pub(super) fn record_eligibility(
        &self,
        signer: &Signer,
        act: &EligibilityCommand,
    ) -> Result<Draft, Refusal> {
        self.need(signer, TREATERS)?;
        if !act.overrides.is_empty() {
            self.need(signer, PRESCRIBERS)?;
        }
        let (name, patient) = self.registered(&act.patient)?;
        let record = self.state.formulary().ok_or(Refusal::NoFormulary)?;
        let mut asked = Vec::with_capacity(act.answers.len());
        for given in &act.answers {
            let question = record.formulary.questions().find(|it| it.id.as_str() == given.question);
            let question = question.ok_or_else(|| Refusal::Unknown {
                resource: format!("the question {}", given.question),
            })?;
            asked.push((given, question));
        }
        let mut kept = patient.clone();
        let mut standings = Vec::with_capacity(asked.len());
        for (given, question) in asked {
            let answered = self.answered(signer, act, given, question)?;
            standings.push(v1::AnswerStanding {
                question: given.question.clone(),
                answer: answered.answer,
                answered_by: answered.by.to_string(),
                answered_time: Some(timestamp_to_wire(answered.at)),
                last_day: Some(date_to_wire(answered.last_day)),
                stops: question_stops(question, given.answer),
                override_reason: answered.passed.as_ref().map_or(0, |(reason, _)| *reason),
            });
            // An answer that is recorded late does not replace a newer one.
            let newer = patient.answers.get(&given.question).is_some_and(|it| it.at > answered.at);
            if !newer {
                kept.answers.insert(given.question.clone(), answered);
            }
        }
        self.not_future("answered_time", act.answered)?;

        // From here the answers are accepted.
        let mut draft = Draft::new(outcome::Result::EligibilityRecorded(v1::EligibilityRecorded {
            patient: name.to_string(),
            answers: standings,
        }));
        draft.touch(&act.patient);
        draft.touch(name);
        self.flag_late(&mut draft, act.answered);
        draft.change(Change::PutPatient(name.clone(), Box::new(kept)));
        Ok(draft)
    }

    /// An answer as it is kept: with its last day, and with the reason to pass it where it needs one.
    fn answered(
        &self,
        signer: &Signer,
        act: &EligibilityCommand,
        given: &Given,
        question: &Question,
    ) -> Result<Answered, Refusal> {
        let limit = format!("QUESTION:{}", question.id);
        let stops = question_stops(question, given.answer);
        let reason = act.overrides.iter().find(|item| item.limit == limit && stops);
        if reason.is_some() && question.weight == QuestionWeight::Hard {
            return Err(Refusal::Contraindicated { question: question.text.clone() });
        }
        let day = self.state.day_of(act.answered);
        let valid = question.valid_days.map_or(0, i64::from);
        Ok(Answered {
            answer: given.answer.into(),
            by: signer.name.clone(),
            at: act.answered,
            last_day: day.add_days(valid).unwrap_or(day),
            passed: reason.map(|item| (item.reason.into(), item.note.clone().unwrap_or_default())),
        })
    }

    /// A registered patient, by any of its names; its own name comes along.
    pub(super) fn registered<'s>(
        &'s self,
        name: &'s PatientName,
    ) -> Result<(&'s PatientName, &'s PatientRecord), Refusal> {
        let own = self.state.patient_name(name);
        let record = self.state.patient(own).ok_or(TreatmentRefusal::PatientUnknown)?;
        Ok((own, record))
    }
}

/// One patient out of two: everything that either was asked, given and treated with.
fn merged(alias: &PatientRecord, patient: &PatientRecord) -> PatientRecord {
    let mut merged = patient.clone();
    for (question, answered) in &alias.answers {
        if merged.answers.get(question).is_none_or(|kept| kept.at < answered.at) {
            merged.answers.insert(question.clone(), answered.clone());
        }
    }
    merged.courses.extend(&alias.courses);
    merged.courses.sort_unstable();
    merged.doses.extend(alias.doses.iter().cloned());
    merged.doses.sort_by_key(|dose| dose.at);
    merged.last_weight = patient.last_weight.or(alias.last_weight);
    merged
}
