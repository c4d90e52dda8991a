//! The way home: by the plan's conditions, or before them with a second person. Nobody overrides them alone.

use std::sync::Arc;

use super::authority::{PRESCRIBERS, TREATERS};
use super::session::touch_session;
use super::treatment::open_session;
use super::{Case, Draft, Signer};
use crate::command::{Act, Command, DischargeCommand};
use crate::course::{Papers, Session, keeps_from_discharge};
use crate::ledger::RequestKind;
use crate::names::SessionName;
use crate::pb::v1::{self, FlagKind, outcome};
use crate::refusal::{Refusal, TreatmentRefusal};
use crate::state::Change;
use crate::wire::date_to_wire;

impl Case<'_> {
    pub(super) fn discharge(
        &self,
        signer: &Signer,
        act: &DischargeCommand,
    ) -> Result<Draft, Refusal> {
        self.need(signer, TREATERS)?;
        let (session, unmet) = self.at_the_door(act)?;
        if unmet.is_empty() {
            return Ok(self.home(act, session, Vec::new(), ""));
        }
        if act.early_reason.is_none() {
            return Err(TreatmentRefusal::NotDischargeable { unmet: unmet.join("; ") }.into());
        }
        let others: Vec<String> = self
            .state
            .holders(PRESCRIBERS)
            .filter(|person| **person != signer.name)
            .map(ToString::to_string)
            .collect();
        if others.is_empty() {
            let alone = "; and no other prescriber is enrolled who could approve it";
            return Err(
                TreatmentRefusal::NotDischargeable { unmet: unmet.join("; ") + alone }.into()
            );
        }

        // From here it is put forward.
        let mut draft = Draft::new(outcome::Result::Proposed(v1::Proposed {
            awaiting: format!(
                "the patient stays until one of these approves: {}",
                others.join(", ")
            ),
        }));
        touch_session(&mut draft, session);
        draft.change(Change::Propose(self.proposal(signer)));
        Ok(draft)
    }

    /// What an approved early discharge does; by now its conditions may be met.
    pub(super) fn discharge_early(
        &self,
        act: &DischargeCommand,
        approved_by: &str,
    ) -> Result<Draft, Refusal> {
        let (session, unmet) = self.at_the_door(act)?;
        Ok(self.home(act, session, unmet, approved_by))
    }

    /// The session of a patient who had a dose and holds nothing of ours, with all that keeps the patient here.
    fn at_the_door(&self, act: &DischargeCommand) -> Result<(&Arc<Session>, Vec<String>), Refusal> {
        let session = open_session(self.state, act.session)?;
        self.nothing_in_hands(&session.patient)?;
        if session.first_dose.is_none() {
            return Err(TreatmentRefusal::NothingGiven { session: act.session }.into());
        }
        let papers =
            Papers { escort: act.escort_present, no_driving: act.no_driving, leaflet: act.leaflet };
        let (_, plan) = self.state.plan_of_session(session);
        let unmet = keeps_from_discharge(session, &plan.monitoring, papers, self.now);
        Ok((session, unmet))
    }

    fn home(
        &self,
        act: &DischargeCommand,
        session: &Session,
        unmet: Vec<String>,
        approved_by: &str,
    ) -> Draft {
        let minutes = session.minutes_since_first_dose(self.now).unwrap_or_default();
        let course = self.state.course_of_session(session.name);
        let line = course
            .and_then(|(_, course)| course.sessions.iter().find(|line| line.name == session.name));
        let early = act.early_reason.as_deref().filter(|_| !unmet.is_empty());
        let reason = early.map(|reason| format!("{reason}; {}", unmet.join("; ")));
        let mut draft = Draft::new(outcome::Result::Discharge(v1::Discharge {
            session: session.name.to_string(),
            minutes_since_first_dose: u32::try_from(minutes).unwrap_or(u32::MAX),
            approved_by: approved_by.to_owned(),
            unmet,
            form_due_date: line.and_then(|line| line.form_due).map(date_to_wire),
        }));
        if let Some(reason) = reason {
            draft.flag(
                FlagKind::EarlyDischarge,
                format!("left before the rules allowed it: {reason}"),
            );
        }
        self.end(&mut draft, session);
        for proposal in self.waiting_for(session.name) {
            draft.change(Change::CloseProposal(proposal));
        }
        draft
    }

    /// Early discharges from a session that wait for approval: none is needed once the patient is gone.
    fn waiting_for(&self, session: SessionName) -> Vec<u64> {
        let proposals = self.state.proposals();
        let discharges = proposals.filter(|(_, proposal)| {
            proposal.request_type == RequestKind::DischargePatient.message_name()
        });
        discharges
            .filter(|(_, proposal)| {
                let command = Command::parse(proposal.kind(), &proposal.request);
                let act = command.map(|command| command.act);
                matches!(act, Ok(Act::DischargePatient(act)) if act.session == session)
            })
            .map(|(index, _)| index)
            .collect()
    }
}
