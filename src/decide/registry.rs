//! People, keys, places and formularies: what takes two people, and what one may do alone.

use std::fmt::Write as _;
use std::sync::Arc;

use super::authority::{ADMINISTRATORS, APPROVERS, PHARMACISTS, PRESCRIBERS, PUBLISHERS};
use super::{COURSES_SINCE, Case, Draft, LEDGER_ACTS_SINCE, Signer};
use crate::command::{
    Act, ApproveCommand, Command, InitializeCommand, PlaceCommand, RevokeKeyCommand,
};
use crate::formulary::Formulary;
use crate::names::{EntryName, PersonName};
use crate::pb::v1::{self, FlagKind, outcome};
use crate::refusal::Refusal;
use crate::role::Role;
use crate::state::{
    Change, FormularyRecord, KeyRecord, PersonRecord, PlaceRecord, Proposal, SiteRecord, State,
};
use crate::tlog::{VerifierKey, empty_root};

/// Errors of a formulary that a refusal shows; the rest is counted.
const SHOWN_ERRORS: usize = 5;

impl Case<'_> {
    pub(super) fn initialize(&self, act: &InitializeCommand) -> Result<Draft, Refusal> {
        // The first administrator signs with the very key that the request enrols.
        if act.key != *self.request.key() {
            return Err(Refusal::UnknownKey);
        }
        if self.state.size() > 0 {
            let resource = format!("the ledger {}", self.state.origin());
            return Err(Refusal::Exists { resource });
        }
        let own: VerifierKey = act.verifier_key.parse().expect("it was read when the request was");
        let own_key = *own.public_key().as_bytes();
        if own_key == act.key && self.version >= LEDGER_ACTS_SINCE {
            return Err(Refusal::Exists { resource: "this public key".to_owned() });
        }
        let site = SiteRecord {
            origin: self.command.header.ledger.clone(),
            verifier_key: act.verifier_key.clone(),
            display_name: act.site.display_name.clone(),
            address: act.site.address.clone(),
            dea_number: act.site.dea_number.as_ref().map(ToString::to_string),
            utc_offset_minutes: act.site.utc_offset_minutes,
        };
        let mut draft = Draft::new(outcome::Result::LedgerInitialized(v1::LedgerInitialized {
            administrator: act.administrator.to_string(),
        }));
        draft.change(Change::Begin(Arc::new(site), own_key));
        self.put_new_person(
            &mut draft,
            &act.administrator,
            PersonRecord {
                display_name: act.display_name.as_str().into(),
                roles: act.roles.clone(),
            },
            act.key,
        );
        draft.touch(&act.administrator);
        Ok(draft)
    }

    /// A change that takes two: it takes effect at once only while nobody else could approve it.
    pub(super) fn put_forward(&self, signer: &Signer) -> Result<Draft, Refusal> {
        let act = &self.command.act;
        self.need(signer, right(act))?;
        let mut effect = self.enact(act, None, "")?;
        let approvers = self.approvers(act, &signer.name);
        if approvers.is_empty() {
            effect.flag(
                FlagKind::ActedAlone,
                format!("{signer} acted alone: nobody else holds the right to approve this"),
            );
            return Ok(effect);
        }
        let names: Vec<String> = approvers.iter().map(ToString::to_string).collect();
        let mut draft = Draft::new(outcome::Result::Proposed(v1::Proposed {
            awaiting: format!("waits for the approval of one of: {}", names.join(", ")),
        }));
        draft.subjects = effect.subjects;
        draft.change(Change::Propose(self.proposal(signer)));
        Ok(draft)
    }

    /// The request as it waits for a second person.
    pub(super) fn proposal(&self, signer: &Signer) -> Proposal {
        Proposal {
            leaf_hash: empty_root(),
            request_type: self.request.kind().message_name().to_owned(),
            request: self.request.bytes().to_vec(),
            proposer: signer.name.clone(),
            proposed: self.now,
            summary: summary(&self.command.act),
        }
    }

    pub(super) fn approve(&self, signer: &Signer, act: &ApproveCommand) -> Result<Draft, Refusal> {
        let EntryName(index) = act.proposal;
        let proposal = self.state.proposal(index);
        let unknown = || Refusal::Unknown { resource: format!("a proposal {}", act.proposal) };
        // Whoever may approve nothing learns nothing of what waits.
        let approvers = if self.version < COURSES_SINCE { PUBLISHERS } else { APPROVERS };
        self.need(signer, approvers)?;
        let proposal = proposal.ok_or_else(unknown)?;
        let command = proposed(proposal);
        self.need(signer, right_to_approve(self.state, &command.act, &proposal.proposer))?;
        if signer.name == proposal.proposer {
            return Err(Refusal::SelfApproval { person: signer.name.clone() });
        }
        if act.leaf_hash != proposal.leaf_hash {
            return Err(Refusal::ProposalDiffers { index });
        }
        let mut draft = self.enact(&command.act, Some(index), &signer.to_string())?;
        draft.change(Change::CloseProposal(index));
        draft.touch(&proposal.proposer);
        Ok(draft)
    }

    pub(super) fn revoke_key(
        &self,
        signer: &Signer,
        act: &RevokeKeyCommand,
    ) -> Result<Draft, Refusal> {
        let record = self.state.key(&act.key);
        // A person may end a key of their own; only an administrator learns of any other.
        if record.is_none_or(|record| record.person != signer.name) {
            self.need(signer, ADMINISTRATORS)?;
        }
        let record = record.filter(|record| record.revoked.is_none()).ok_or_else(|| {
            let resource = format!("a public key {} that is still valid", hex(&act.key));
            Refusal::Unknown { resource }
        })?;
        let person = record.person.clone();
        let others = self
            .state
            .keys_of(&person)
            .into_iter()
            .any(|(key, other)| key != act.key && other.revoked.is_none());
        if !others {
            self.keep_an_administrator(&person)?;
        }
        if let Some(compromised) = act.compromised {
            self.not_future("compromised_time", compromised)?;
        }
        let mut draft = changed(&person, None, "");
        if let Some(since) = act.compromised {
            let key = hex(&act.key);
            let words = format!("the key {key} may have been in other hands since {since}");
            draft.flag(FlagKind::KeyCompromised, words);
        }
        draft.touch(&person);
        let (revoked, compromised) = (Some(self.now), act.compromised);
        draft.change(Change::PutKey(act.key, KeyRecord { revoked, compromised, ..record.clone() }));
        Ok(draft)
    }

    pub(super) fn create_place(
        &self,
        signer: &Signer,
        act: &PlaceCommand,
    ) -> Result<Draft, Refusal> {
        self.need(signer, ADMINISTRATORS)?;
        if self.state.place(&act.place).is_some() {
            return Err(Refusal::Exists { resource: act.place.to_string() });
        }
        let mut draft = changed(&act.place, None, "");
        draft.touch(&act.place);
        let place = PlaceRecord { display_name: act.display_name.as_str().into() };
        draft.change(Change::PutPlace(act.place.clone(), place));
        Ok(draft)
    }

    /// What a change of rights or rules does once it takes effect.
    fn enact(&self, act: &Act, proposal: Option<u64>, approved_by: &str) -> Result<Draft, Refusal> {
        match act {
            Act::EnrollPerson(act) => {
                if self.state.person(&act.person).is_some() {
                    return Err(Refusal::Exists { resource: act.person.to_string() });
                }
                self.key_is_new(&act.key)?;
                let mut draft = changed(&act.person, proposal, approved_by);
                let display_name = act.display_name.as_str().into();
                let person = PersonRecord { display_name, roles: act.roles.clone() };
                self.put_new_person(&mut draft, &act.person, person, act.key);
                Ok(draft)
            }
            Act::ChangeRoles(act) => {
                let person = self.known(&act.person)?;
                if !act.roles.contains(&Role::Administrator) {
                    self.keep_an_administrator(&act.person)?;
                }
                let mut draft = changed(&act.person, proposal, approved_by);
                draft.touch(&act.person);
                let person = PersonRecord { roles: act.roles.clone(), ..person.clone() };
                draft.change(Change::PutPerson(act.person.clone(), person));
                Ok(draft)
            }
            Act::EnrollKey(act) => {
                self.known(&act.person)?;
                self.key_is_new(&act.key)?;
                let mut draft = changed(&act.person, proposal, approved_by);
                draft.touch(&act.person);
                draft.change(Change::PutKey(act.key, self.new_key(&act.person)));
                Ok(draft)
            }
            Act::PublishFormulary(act) => self.publish(&act.text, proposal, approved_by),
            Act::DischargePatient(act) => self.discharge_early(act, approved_by),
            _ => unreachable!("only changes of rights and rules are put forward"),
        }
    }

    fn publish(
        &self,
        text: &str,
        proposal: Option<u64>,
        approved_by: &str,
    ) -> Result<Draft, Refusal> {
        let formulary = Formulary::parse(text).map_err(|errors| {
            let shown: Vec<String> =
                errors.iter().take(SHOWN_ERRORS).map(ToString::to_string).collect();
            let more = errors.len().saturating_sub(SHOWN_ERRORS);
            let rest = if more > 0 { format!("; and {more} more") } else { String::new() };
            Refusal::FormularyInvalid { errors: format!("{}{rest}", shown.join("; ")) }
        })?;
        self.ids_keep_their_meaning(&formulary)?;
        let name = format!("formularies/{}", hex(&formulary.version()));
        let mut draft = changed(&name, proposal, approved_by);
        draft.touch(&name);
        let record = FormularyRecord { entry: self.index, formulary };
        draft.change(Change::PutFormulary(Arc::new(record)));
        Ok(draft)
    }

    /// A product's id means one strength and one content for ever: vials and calculations name it.
    fn ids_keep_their_meaning(&self, formulary: &Formulary) -> Result<(), Refusal> {
        let changed = formulary.products().find_map(|product| {
            let before = self
                .state
                .formularies()
                .filter_map(|record| record.formulary.product(&product.id))
                .find(|old| old.strength != product.strength || old.content != product.content)?;
            Some(format!(
                "the product {} was {} in {} before and is {} in {} here; give it another id",
                product.id, before.strength, before.content, product.strength, product.content
            ))
        });
        match changed {
            Some(errors) => Err(Refusal::FormularyInvalid { errors }),
            None => Ok(()),
        }
    }

    /// Who could approve what `proposer` puts forward.
    fn approvers(&self, act: &Act, proposer: &PersonName) -> Vec<&PersonName> {
        let roles = right_to_approve(self.state, act, proposer);
        self.state.holders(roles).filter(|person| *person != proposer).collect()
    }

    fn keep_an_administrator(&self, person: &PersonName) -> Result<(), Refusal> {
        let mut administrators = self.state.holders(ADMINISTRATORS);
        if administrators.any(|other| other != person) {
            return Ok(());
        }
        Err(Refusal::LastAdministrator { person: person.clone() })
    }

    fn known(&self, person: &PersonName) -> Result<&PersonRecord, Refusal> {
        let unknown = || Refusal::Unknown { resource: person.to_string() };
        self.state.person(person).ok_or_else(unknown)
    }

    /// A key is one person's or the ledger's, and nobody else's, for ever.
    pub(super) fn key_is_new(&self, key: &[u8; 32]) -> Result<(), Refusal> {
        let the_ledgers = self.version >= LEDGER_ACTS_SINCE && self.state.ledger_key(key).is_some();
        if self.state.key(key).is_none() && !the_ledgers {
            return Ok(());
        }
        Err(Refusal::Exists { resource: "this public key".to_owned() })
    }

    fn new_key(&self, person: &PersonName) -> KeyRecord {
        KeyRecord { person: person.clone(), enrolled: self.now, revoked: None, compromised: None }
    }

    fn put_new_person(
        &self,
        draft: &mut Draft,
        name: &PersonName,
        person: PersonRecord,
        key: [u8; 32],
    ) {
        draft.touch(name);
        draft.change(Change::PutPerson(name.clone(), person));
        draft.change(Change::PutKey(key, self.new_key(name)));
    }
}

/// The request that waits for a second person.
pub(super) fn proposed(proposal: &Proposal) -> Command {
    Command::parse(proposal.kind(), &proposal.request)
        .expect("it was read once, when it was put forward")
}

/// The roles, one of which approving this takes when `proposer` puts it forward.
pub(super) fn right_to_approve(state: &State, act: &Act, proposer: &PersonName) -> &'static [Role] {
    let holds = |roles| state.person(proposer).is_some_and(|record| record.holds(roles));
    match act {
        // A formulary takes a pharmacist: the one who puts it forward, or else the one who approves it.
        Act::PublishFormulary(_) if !holds(PHARMACISTS) => PHARMACISTS,
        _ => right(act),
    }
}

/// The roles, one of which putting this forward takes.
fn right(act: &Act) -> &'static [Role] {
    match act {
        Act::PublishFormulary(_) => PUBLISHERS,
        Act::DischargePatient(_) => PRESCRIBERS,
        _ => ADMINISTRATORS,
    }
}

fn summary(act: &Act) -> String {
    let names = |roles: &[Role]| {
        let names: Vec<&str> = roles.iter().map(|role| role.name()).collect();
        if names.is_empty() { "no role".to_owned() } else { names.join(", ") }
    };
    match act {
        Act::EnrollPerson(act) => {
            format!("enrol {} ({}) as {}", act.person, act.display_name, names(&act.roles))
        }
        Act::ChangeRoles(act) => {
            format!("change the roles of {} to {}", act.person, names(&act.roles))
        }
        Act::EnrollKey(act) => format!("add the key {} to {}", hex(&act.key), act.person),
        Act::PublishFormulary(act) => format!("publish a formulary of {} bytes", act.text.len()),
        Act::DischargePatient(act) => format!(
            "let the patient of {} go home before the rules allow it: {}",
            act.session,
            act.early_reason.as_deref().unwrap_or_default()
        ),
        _ => unreachable!("only changes of rights and rules are put forward"),
    }
}

fn changed(resource: &impl std::fmt::Display, proposal: Option<u64>, approved_by: &str) -> Draft {
    Draft::new(outcome::Result::RegistryChanged(v1::RegistryChanged {
        resource: resource.to_string(),
        proposal,
        approved_by: approved_by.to_owned(),
    }))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
