//! What only a server that holds the identities can see, looked at before a request may become an entry: the identity
//! behind a commitment, an age against the date of birth, and a text that would give a patient away for ever.
//!
//! None of it enters the ledger, so no audit can derive it again; what it lets through is signed by a person all the
//! same. An audit with the identities opened can check the ages.

use super::Service;
use super::error::ServiceError;
use crate::command::{Act, Command, EffectSubject};
use crate::decide::decide;
use crate::identity::Opening;
use crate::ledger::SignedRequest;
use crate::names::{CourseName, PatientName, SessionName};
use crate::refusal::{Refusal, RefusalClass, TreatmentRefusal};
use crate::state::State;

impl Service {
    /// Refuses what does not fit the identities that are held here. Where none are, there is nothing to look at.
    pub(super) async fn guard(
        &self,
        request: &SignedRequest,
        command: &Command,
    ) -> Result<(), ServiceError> {
        if !self.keeps_identities() {
            return Ok(());
        }
        match self.look(command).await? {
            None => Ok(()),
            // Whoever may not ask is told so by the rules, and nothing else: a guessed name would be confirmed here.
            Some(_) if self.may_not_ask(request, command) => Ok(()),
            // Whatever was let through once gets its first answer again, although a birthday has passed since.
            Some(_) if self.is_recorded(command).await? => Ok(()),
            Some(refusal) => Err(ServiceError::Refused {
                refusal: Box::new(Refusal::from(refusal)),
                recorded: None,
                receipt: None,
            }),
        }
    }

    fn may_not_ask(&self, request: &SignedRequest, command: &Command) -> bool {
        let published = self.published();
        let refusal = match decide(&published.state, request, command, self.shared.clock.now()) {
            Ok(step) => step.refusal,
            Err(refusal) => Some(refusal),
        };
        let class = refusal.map(|refusal| refusal.class());
        matches!(
            class,
            Some(
                RefusalClass::Unauthenticated
                    | RefusalClass::PermissionDenied
                    | RefusalClass::Aborted
            )
        )
    }

    async fn look(&self, command: &Command) -> Result<Option<TreatmentRefusal>, ServiceError> {
        if let Act::RegisterPatient(act) = &command.act {
            let held = self.holds_identity(act.commitment).await?;
            return Ok((!held).then_some(TreatmentRefusal::IdentityNotHeld));
        }
        let published = self.published();
        let state = &published.state;
        let texts = command.act.texts();
        let age = command.act.age_years();
        if texts.is_empty() && age.is_none() {
            return Ok(None);
        }
        let Some(patient) = patient_of(state, &command.act) else { return Ok(None) };
        let own = state.patient_name(&patient);
        if let Some(age) = age
            && let Some(opening) = self.identity_of(own).await?
            && opening.identity.age_on(state.day_of(self.shared.clock.now())) != Some(age)
        {
            return Ok(Some(TreatmentRefusal::AgeDiffers));
        }
        if texts.is_empty() {
            return Ok(None);
        }
        // After a merge every identity of the patient counts, and in a merge both.
        let alias = match &command.act {
            Act::MergePatients(act) => Some(&act.alias),
            _ => None,
        };
        let others = state.patient(own).map(|record| record.aliases.as_slice()).unwrap_or_default();
        for name in std::iter::once(own).chain(others).chain(alias) {
            let Some(opening) = self.identity_of(name).await? else { continue };
            let named = texts.iter().find(|(_, text)| opening.identity.occurs_in(text));
            if let Some((field, _)) = named {
                return Ok(Some(TreatmentRefusal::IdentityInText { field }));
            }
        }
        Ok(None)
    }

    /// The identity that a name was registered with, if it is held here; nothing is opened to anybody by this.
    pub async fn identity_of(&self, name: &PatientName) -> Result<Option<Opening>, ServiceError> {
        let published = self.published();
        let Some(record) = published.state.patient_as_named(name) else { return Ok(None) };
        self.identity(record.commitment).await
    }

    async fn is_recorded(&self, command: &Command) -> Result<bool, ServiceError> {
        let id = *command.header.request_id.as_bytes();
        self.read(move |reader| Ok(reader.find_request(&id)?.is_some())).await
    }
}

/// The patient that an act is about.
fn patient_of(state: &State, act: &Act) -> Option<PatientName> {
    let of_course = |name: CourseName| state.course(name).map(|course| course.patient.clone());
    let of_session =
        |name: SessionName| state.course_of_session(name).map(|(_, course)| course.patient.clone());
    match act {
        Act::CalculateDose(inputs) => Some(inputs.patient.clone()),
        Act::CheckDose(act) => Some(act.inputs.patient.clone()),
        Act::Dispense(act) => Some(act.patient.clone()),
        Act::Administer(act) => Some(act.patient.clone()),
        Act::MergePatients(act) => Some(act.patient.clone()),
        Act::RecordEligibility(act) => Some(act.patient.clone()),
        Act::AcknowledgeAlert(act) => {
            state.session_of_alert(act.alert).map(|session| session.patient.clone())
        }
        Act::RecordAdverseEffect(act) => match act.subject {
            EffectSubject::Session(name) => of_session(name),
            EffectSubject::Course(name) => of_course(name),
            EffectSubject::Effect(name) => {
                state.course_of_effect(name).map(|(_, course)| course.patient.clone())
            }
        },
        other => {
            other.session().and_then(of_session).or_else(|| other.course().and_then(of_course))
        }
    }
}
