//! `vialedger person`: who may do what.

use std::path::PathBuf;

use base64ct::{Base64, Encoding as _};
use clap::{Subcommand, ValueEnum};

use super::error::CliError;
use super::key::EnrolmentCard;
use super::options::{Listing, Recording};
use super::output::table;
use super::session::{Session, load_key, read_text};
use super::{Desk, parse, tell};
use crate::pb::v1;

/// The people of a ledger.
#[derive(Subcommand, Debug)]
pub enum PersonCommand {
    /// Enrol a person with a first key; a second administrator approves
    Enroll {
        /// The person, such as people/nina
        #[arg(value_parser = parse::person)]
        person: String,
        /// Name as it is printed on records
        #[arg(long)]
        name: String,
        /// A role; repeat for several
        #[arg(long = "role", required = true, value_name = "ROLE")]
        roles: Vec<RoleName>,
        #[command(flatten)]
        new_key: NewKey,
        #[command(flatten)]
        recording: Recording,
    },
    /// List the people with their roles and keys
    List {
        #[command(flatten)]
        listing: Listing,
    },
    /// Replace a person's roles; a second administrator approves
    Roles {
        /// The person
        #[arg(value_parser = parse::person)]
        person: String,
        /// A role that the person has from now on; none takes every right away
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<RoleName>,
        #[command(flatten)]
        recording: Recording,
    },
    /// Add a key to a person; a second administrator approves
    AddKey {
        /// The person
        #[arg(value_parser = parse::person)]
        person: String,
        #[command(flatten)]
        new_key: NewKey,
        #[command(flatten)]
        recording: Recording,
    },
    /// End a person's key at once
    Revoke {
        /// The person whose key it is
        #[arg(value_parser = parse::person)]
        person: String,
        /// Why, in words
        #[arg(long)]
        reason: String,
        /// Which key (base64), where the person has several
        #[arg(long, value_name = "BASE64")]
        public_key: Option<String>,
        /// Since when it may have been in other hands: "2 h ago", or a time with its zone
        #[arg(long, value_name = "TIME", value_parser = parse::moment)]
        compromised_since: Option<parse::Moment>,
        #[command(flatten)]
        recording: Recording,
    },
}

/// Where a new person's key comes from.
#[derive(clap::Args, Debug)]
#[group(required = true, multiple = false)]
pub struct NewKey {
    /// The person's enrolment card: what `vialedger key public FILE --for PERSON` printed for them
    #[arg(long, value_name = "FILE")]
    card: Option<PathBuf>,
    /// The person's own key file, where it is at hand
    #[arg(long, value_name = "FILE")]
    person_key: Option<PathBuf>,
}

/// A role, as people say it.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum RoleName {
    /// Receives, dispenses, wastes, witnesses, takes returns, publishes formularies, calculates
    /// doses
    Pharmacist,
    /// Receives
    Technician,
    /// Calculates doses, dispenses, administers, wastes, witnesses
    Prescriber,
    /// Holds, administers, wastes, witnesses, returns
    Nurse,
    /// Reads everything
    Auditor,
    /// Enrols people and keys, changes roles, creates places, publishes formularies
    Administrator,
    /// An integrated system such as an EHR: calculates doses
    Service,
}

impl RoleName {
    fn wire(self) -> i32 {
        v1::Role::from(self).into()
    }
}

impl From<RoleName> for v1::Role {
    fn from(role: RoleName) -> Self {
        match role {
            RoleName::Pharmacist => Self::Pharmacist,
            RoleName::Technician => Self::Technician,
            RoleName::Prescriber => Self::Prescriber,
            RoleName::Nurse => Self::Nurse,
            RoleName::Auditor => Self::Auditor,
            RoleName::Administrator => Self::Administrator,
            RoleName::Service => Self::Service,
        }
    }
}

/// Runs a person command.
pub(super) async fn run(command: PersonCommand, desk: &Desk) -> Result<(), CliError> {
    let session = &Session::open(desk).await?;
    match command {
        PersonCommand::Enroll { person, name, roles, new_key, recording } => {
            let (public_key, possession) = new_key.read(session, &person)?;
            let key = v1::PersonKey { public_key, ..Default::default() };
            let person = v1::Person {
                name: person,
                display_name: name,
                roles: roles.into_iter().map(RoleName::wire).collect(),
                keys: vec![key],
            };
            let act =
                v1::EnrollPersonRequest { person: Some(person), possession, ..Default::default() };
            session.record(act, &recording).await
        }
        PersonCommand::List { listing } => list(session, &listing).await,
        PersonCommand::Roles { person, roles, recording } => {
            let roles = roles.into_iter().map(RoleName::wire).collect();
            let act = v1::ChangeRolesRequest { person, roles, ..Default::default() };
            session.record(act, &recording).await
        }
        PersonCommand::AddKey { person, new_key, recording } => {
            let (public_key, possession) = new_key.read(session, &person)?;
            let act = v1::EnrollKeyRequest { person, public_key, possession, ..Default::default() };
            session.record(act, &recording).await
        }
        PersonCommand::Revoke { person, reason, public_key, compromised_since, recording } => {
            let public_key = match public_key {
                Some(text) => decode("--public-key", &text)?,
                None => only_key(session, &person).await?,
            };
            let compromised_time = compromised_since.map(|moment| moment.resolve(session.now()));
            let act =
                v1::RevokeKeyRequest { public_key, reason, compromised_time, ..Default::default() };
            session.record(act, &recording).await
        }
    }
}

impl NewKey {
    /// The public key and the proof of possession.
    fn read(&self, session: &Session, person: &str) -> Result<(Vec<u8>, Vec<u8>), CliError> {
        let origin = session.client.origin();
        let card = match (&self.card, &self.person_key) {
            (Some(path), _) => serde_json::from_str(&read_text(path)?).map_err(|error| {
                CliError::Data(format!("{} is not an enrolment card: {error}", path.display()))
            })?,
            (None, Some(path)) => {
                let name = person.parse().map_err(|e| CliError::Usage(format!("{e}")))?;
                EnrolmentCard::sign(&load_key(path, None)?, origin, &name)
            }
            (None, None) => return Err(CliError::Usage("name --card or --person-key".to_owned())),
        };
        if card.ledger != origin || card.person != person {
            return Err(CliError::Data(format!(
                "the card is for {} in {}, not for {person} in {origin}",
                card.person, card.ledger
            )));
        }
        Ok((decode("public_key", &card.public_key)?, decode("possession", &card.possession)?))
    }
}

async fn list(session: &Session, listing: &Listing) -> Result<(), CliError> {
    let people = session.list(v1::ListPeopleRequest::default(), listing.limit).await?;
    session.answer("ListPeopleResponse", &people, || {
        let rows = people.people.iter().map(|person| {
            let valid = person.keys.iter().filter(|key| key.revoked_time.is_none());
            let keys: Vec<String> = valid.map(|k| Base64::encode_string(&k.public_key)).collect();
            let keys = if keys.is_empty() { "none valid".to_owned() } else { keys.join("\n") };
            [person.name.clone(), person.display_name.clone(), tell::roles(person.roles()), keys]
        });
        table(["Person", "Name", "Roles", "Valid keys"], rows.collect())
    })
}

/// A person's key, where there is exactly one that is valid.
async fn only_key(session: &Session, person: &str) -> Result<Vec<u8>, CliError> {
    let people = session.list(v1::ListPeopleRequest::default(), usize::MAX).await?;
    let found = people
        .people
        .iter()
        .find(|found| found.name == person)
        .ok_or_else(|| CliError::No(format!("there is no {person} in this ledger")))?;
    let valid: Vec<_> = found.keys.iter().filter(|key| key.revoked_time.is_none()).collect();
    match valid.as_slice() {
        [key] => Ok(key.public_key.clone()),
        [] => Err(CliError::No(format!("{person} has no valid key to revoke"))),
        several => Err(CliError::Usage(format!(
            "{person} has {} valid keys: say which with --public-key (`vialedger person list` \
             shows them)",
            several.len()
        ))),
    }
}

fn decode(what: &str, text: &str) -> Result<Vec<u8>, CliError> {
    Base64::decode_vec(text).map_err(|_| CliError::Data(format!("{what} is not base64")))
}
