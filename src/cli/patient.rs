//! `vialedger patient`: who is treated, under a pseudonym; who that is stays sealed beside the ledger.

mod identity;
mod questions;

use clap::Subcommand;

use super::error::CliError;
use super::options::{Answering, Listing, Overriding, Recording};
use super::parse::{self, Moment};
use super::session::Session as Connection;
use super::words::PurposeName;
use super::{Desk, tell};
use crate::pb::v1;

pub(super) use identity::look;

/// The patients, by pseudonym.
#[derive(Subcommand, Debug)]
pub enum PatientCommand {
    /// Seal an identity beside the ledger and register the patient under a pseudonym
    Register {
        /// The pseudonym, such as patients/p7; never made out of a name
        #[arg(value_parser = parse::patient)]
        patient: String,
        #[command(flatten)]
        who: identity::IdentityArgs,
        #[command(flatten)]
        recording: Recording,
    },
    /// Show one, without the identity
    Show {
        /// The patient
        #[arg(value_parser = parse::patient)]
        patient: String,
    },
    /// List them, without their identities
    List {
        #[command(flatten)]
        listing: Listing,
    },
    /// Record answers to eligibility questions
    Answer {
        /// The patient
        #[arg(value_parser = parse::patient)]
        patient: String,
        #[command(flatten)]
        answering: Answering,
        /// When they were asked
        #[arg(long, value_name = "WHEN", default_value = "now", value_parser = parse::moment)]
        asked: Moment,
        #[command(flatten)]
        overriding: Overriding,
        #[command(flatten)]
        recording: Recording,
    },
    /// Show which questions of a plan or protocol are open, expired, or answered
    Questions {
        /// The plan or protocol, such as plans/ket-trd-iv or ket-trd-iv
        #[arg(value_name = "PLAN|PROTOCOL", value_parser = parse::plan_or_protocol)]
        of: parse::PlanOrProtocol,
        /// The patient
        #[arg(value_parser = parse::patient)]
        patient: String,
    },
    /// Say that two ids are one patient
    Merge {
        /// The id that becomes another name of the other
        #[arg(value_parser = parse::patient)]
        alias: String,
        /// The patient that both are
        #[arg(long, value_name = "PATIENT", value_parser = parse::patient)]
        into: String,
        /// How it is known that both are one
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        recording: Recording,
    },
    /// Read who a patient is; that you looked is recorded
    Identity {
        /// The patient
        #[arg(value_parser = parse::patient)]
        patient: String,
        /// What for
        #[arg(long)]
        purpose: PurposeName,
        #[command(flatten)]
        recording: Recording,
    },
}

/// Runs a patient command.
pub(super) async fn run(command: PatientCommand, desk: &Desk) -> Result<(), CliError> {
    let connection = &Connection::open(desk).await?;
    match command {
        PatientCommand::Register { patient, who, recording } => {
            identity::register(patient, who.read()?, &recording, connection).await
        }
        PatientCommand::Show { patient } => {
            let found = connection.ask(v1::GetPatientRequest { name: patient }).await?;
            connection.answer("GetPatientResponse", &found, || {
                found.patient.as_ref().map(tell::patient::one).unwrap_or_default()
            })
        }
        PatientCommand::List { listing } => {
            let request = v1::ListPatientsRequest::default();
            let found = connection.list(request, listing.limit).await?;
            connection
                .answer("ListPatientsResponse", &found, || tell::patient::many(&found.patients))
        }
        PatientCommand::Answer { patient, answering, asked, overriding, recording } => {
            let act = v1::RecordEligibilityRequest {
                patient,
                answers: answering.read()?,
                answered_time: Some(asked.resolve(connection.now())),
                overrides: overriding.overrides,
                ..Default::default()
            };
            connection.record(act, &recording).await
        }
        PatientCommand::Questions { of, patient } => {
            questions::show(&of, patient, connection).await
        }
        PatientCommand::Merge { alias, into, reason, recording } => {
            let act =
                v1::MergePatientsRequest { alias, patient: into, reason, ..Default::default() };
            connection.record(act, &recording).await
        }
        PatientCommand::Identity { patient, purpose, recording } => {
            identity::show(patient, purpose, &recording, connection).await
        }
    }
}
