//! `vialedger course`: a patient's course of treatment, and what is due in all that are open now.

mod board;
mod paper;
pub(super) mod session;

use std::path::PathBuf;

use clap::Subcommand;

use super::error::CliError;
use super::options::{Listing, Recording};
use super::parse::{self, Day};
use super::session::Session as Connection;
use super::words::{CourseEndName, SessionEndName};
use super::{Desk, tell};
use crate::pb::v1;
use crate::wire::date_to_wire;

/// Courses of treatment.
#[derive(Subcommand, Debug)]
pub enum CourseCommand {
    /// Open a course
    Open {
        /// The patient, registered
        #[arg(value_parser = parse::patient)]
        patient: String,
        /// The plan, such as plans/ket-trd-iv (`vialedger course plans`)
        #[arg(long, value_parser = parse::plan)]
        plan: String,
        #[command(flatten)]
        recording: Recording,
    },
    /// Show one with its sessions, adverse effects, and what was given in the last weeks
    Show {
        /// The course, such as courses/31
        #[arg(value_parser = parse::course)]
        course: String,
    },
    /// Close a course
    Close {
        /// The course
        #[arg(value_parser = parse::course)]
        course: String,
        /// Why
        #[arg(long)]
        reason: CourseEndName,
        /// In words, without the patient's name
        #[arg(long, required_if_eq("reason", "other"))]
        note: Option<String>,
        #[command(flatten)]
        recording: Recording,
    },
    /// Record that a planned session did not take place
    Missed {
        /// The course
        #[arg(value_parser = parse::course)]
        course: String,
        /// Day for which it was planned: today, or a day such as 2026-11-20
        #[arg(long, value_name = "DAY", value_parser = parse::day)]
        planned: Day,
        /// Why
        #[arg(long)]
        reason: SessionEndName,
        /// In words, without the patient's name
        #[arg(long, required_if_eq("reason", "other"))]
        note: Option<String>,
        #[command(flatten)]
        recording: Recording,
    },
    /// Show what is due and overdue now in every open session, open alerts, what keeps patients
    /// from going home, and forms to send
    Due {
        /// Go on as things change, until interrupted: for a display on the wall. Forms are left out
        #[arg(long)]
        watch: bool,
        #[command(flatten)]
        listing: Listing,
    },
    /// Write the report of a course as a page to print
    Report {
        /// The course
        #[arg(value_parser = parse::course)]
        course: String,
        /// The file to make (HTML)
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// List the plans of the formulary in force
    Plans {
        #[command(flatten)]
        listing: Listing,
    },
}

/// Runs a course command.
pub(super) async fn run(command: CourseCommand, desk: &Desk) -> Result<(), CliError> {
    let connection = &Connection::open(desk).await?;
    match command {
        CourseCommand::Open { patient, plan, recording } => {
            let act = v1::OpenCourseRequest { patient, plan, ..Default::default() };
            connection.record(act, &recording).await
        }
        CourseCommand::Show { course } => {
            let found = connection.ask(v1::GetCourseRequest { name: course }).await?;
            connection.answer("GetCourseResponse", &found, || {
                let plan = found.plan.clone().unwrap_or_default();
                found.course.as_ref().map(|it| tell::course::one(it, &plan)).unwrap_or_default()
            })
        }
        CourseCommand::Close { course, reason, note, recording } => {
            let (reason, note) = (reason.wire(), note.unwrap_or_default());
            let act = v1::CloseCourseRequest { course, reason, note, ..Default::default() };
            connection.record(act, &recording).await
        }
        CourseCommand::Missed { course, planned, reason, note, recording } => {
            let act = v1::RecordMissedSessionRequest {
                course,
                planned_date: Some(date_to_wire(planned.resolve(connection.now())?)),
                reason: reason.wire(),
                note: note.unwrap_or_default(),
                ..Default::default()
            };
            connection.record(act, &recording).await
        }
        CourseCommand::Due { watch: true, .. } => board::watch(connection).await,
        CourseCommand::Due { watch: false, listing } => board::show(&listing, connection).await,
        CourseCommand::Report { course, out } => paper::course(course, &out, connection).await,
        CourseCommand::Plans { listing } => {
            let found = connection.list(v1::ListPlansRequest::default(), listing.limit).await?;
            connection.answer("ListPlansResponse", &found, || tell::course::plans(&found.plans))
        }
    }
}
