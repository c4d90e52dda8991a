//! `vialedger session`: one sitting of a patient, from the readings before the dose to the way home.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::paper;
use crate::cli::error::CliError;
use crate::cli::options::{Listing, Overriding, Recording};
use crate::cli::parse::{self, Day, Moment, Value};
use crate::cli::session::Session as Connection;
use crate::cli::words::{ActionName, EffectKindName, SessionEndName, SeverityName};
use crate::cli::{Desk, tell};
use crate::pb::v1;
use crate::pb::v1::record_adverse_effect_request::Subject;
use crate::wire::date_to_wire;

/// Sessions of a course.
#[derive(Subcommand, Debug)]
pub enum SessionCommand {
    /// Start a session
    Start {
        /// The course, such as courses/31
        #[arg(value_parser = parse::course)]
        course: String,
        /// Phase of the plan; the one that the course is in when absent, or the plan's first
        #[arg(long)]
        phase: Option<String>,
        /// Age in completed years; the server works it out from the sealed date of birth when
        /// absent
        #[arg(long, value_name = "YEARS")]
        age: Option<u32>,
        #[command(flatten)]
        overriding: Overriding,
        #[command(flatten)]
        recording: Recording,
    },
    /// Record what was read
    Observe {
        /// The session, such as sessions/32
        #[arg(value_parser = parse::session)]
        session: String,
        /// What was read, such as systolic=128 diastolic=79 spo2=98; the plan gives the units
        #[arg(
            long = "read",
            value_name = "MEASURE=VALUE",
            required = true,
            num_args = 1..,
            value_parser = parse::value
        )]
        values: Vec<Value>,
        /// When it was read
        #[arg(long, value_name = "WHEN", default_value = "now", value_parser = parse::moment)]
        at: Moment,
        #[command(flatten)]
        recording: Recording,
    },
    /// Acknowledge an alert, as the prescriber who has seen the patient
    Alert {
        /// The alert, such as alerts/40-1
        #[arg(value_parser = parse::alert)]
        alert: String,
        /// What was decided, without the patient's name
        #[arg(long)]
        note: String,
        #[command(flatten)]
        recording: Recording,
    },
    /// Record an adverse effect, or how one stands now
    Effect(EffectArgs),
    /// Let the patient go home
    Discharge {
        /// The session
        #[arg(value_parser = parse::session)]
        session: String,
        /// Say that a responsible adult is here and takes the patient home
        #[arg(long)]
        escort: bool,
        /// Say that the patient acknowledged not to drive or use machines until the next day
        #[arg(long)]
        no_driving: bool,
        /// Say that the patient was given the leaflet (`vialedger session leaflet`)
        #[arg(long)]
        leaflet: bool,
        /// Why the patient leaves before the rules allow it; a prescriber who is another person
        /// must approve
        #[arg(long, value_name = "REASON")]
        early: Option<String>,
        #[command(flatten)]
        recording: Recording,
    },
    /// Call off a session in which nothing was given
    Cancel {
        /// The session
        #[arg(value_parser = parse::session)]
        session: String,
        /// Why
        #[arg(long)]
        reason: SessionEndName,
        /// In words, without the patient's name
        #[arg(long, required_if_eq("reason", "other"))]
        note: Option<String>,
        #[command(flatten)]
        recording: Recording,
    },
    /// Show one with its schedule, its readings, its doses and everything else that belongs to it
    Show {
        /// The session
        #[arg(value_parser = parse::session)]
        session: String,
    },
    /// List the open sessions and those with a form to send, or all of one patient
    List {
        /// The patient
        #[arg(value_parser = parse::patient)]
        patient: Option<String>,
        #[command(flatten)]
        listing: Listing,
    },
    /// Write the report of a session as a page to print
    Report {
        /// The session
        #[arg(value_parser = parse::session)]
        session: String,
        /// The file to make (HTML)
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Write the patient's leaflet of do's and don'ts as a page to print
    Leaflet {
        /// The session
        #[arg(value_parser = parse::session)]
        session: String,
        /// The file to make (HTML)
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Print what the programme's monitoring form asks for, as JSON, or write it as a page to copy
    /// from
    Form {
        /// The session
        #[arg(value_parser = parse::session)]
        session: String,
        /// The page to make (HTML)
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Fill in who the patient is; that you looked is recorded
        #[arg(long)]
        identity: bool,
        #[command(flatten)]
        recording: Recording,
    },
    /// Record that a session's monitoring form was sent
    FormSent {
        /// The session
        #[arg(value_parser = parse::session)]
        session: String,
        /// Day on which it was sent: today, or a day such as 2026-11-20
        #[arg(long, value_name = "DAY", value_parser = parse::day)]
        on: Day,
        /// The programme's reference
        #[arg(long, default_value = "")]
        reference: String,
        #[command(flatten)]
        recording: Recording,
    },
}

/// An adverse effect.
#[derive(Args, Debug)]
pub struct EffectArgs {
    /// The session that it began in, the course where it was between sessions, or adverseEffects/N
    /// to say how that one stands now
    #[arg(value_name = "SESSION|COURSE|EFFECT", value_parser = parse::effect_subject)]
    subject: Subject,
    /// What kind it is
    #[arg(long)]
    kind: EffectKindName,
    /// How bad it was at its worst
    #[arg(long)]
    severity: SeverityName,
    /// Say that it was serious: death, danger to life, hospital stay, disability, or another
    /// medically important event
    #[arg(long)]
    serious: bool,
    /// When it began
    #[arg(long, value_name = "WHEN", value_parser = parse::moment)]
    onset: Moment,
    /// When it ended; it lasts when absent
    #[arg(long, value_name = "WHEN", value_parser = parse::moment)]
    end: Option<Moment>,
    /// What was done; repeat for several
    #[arg(long = "action", value_name = "ACTION", required = true)]
    actions: Vec<ActionName>,
    /// In words, without the patient's name
    #[arg(long, required_if_eq("kind", "other"), required_if_eq("actions", "medicine-given"))]
    note: Option<String>,
    #[command(flatten)]
    recording: Recording,
}

/// Runs a session command.
pub(in crate::cli) async fn run(command: SessionCommand, desk: &Desk) -> Result<(), CliError> {
    let connection = &Connection::open(desk).await?;
    let now = connection.now();
    match command {
        SessionCommand::Start { course, phase, age, overriding, recording } => {
            let act = start(course, phase, age, overriding, connection).await?;
            connection.record(act, &recording).await
        }
        SessionCommand::Observe { session, values, at, recording } => {
            let readings = readings(&session, values, connection).await?;
            let observed_time = Some(at.resolve(now));
            let act = v1::RecordObservationRequest {
                session,
                observed_time,
                readings,
                ..Default::default()
            };
            connection.record(act, &recording).await
        }
        SessionCommand::Alert { alert, note, recording } => {
            let act = v1::AcknowledgeAlertRequest { alert, note, ..Default::default() };
            connection.record(act, &recording).await
        }
        SessionCommand::Effect(args) => effect(args, connection).await,
        SessionCommand::Discharge { session, escort, no_driving, leaflet, early, recording } => {
            let act = v1::DischargePatientRequest {
                session,
                escort_present: escort,
                no_driving_acknowledged: no_driving,
                leaflet_given: leaflet,
                early_reason: early.unwrap_or_default(),
                ..Default::default()
            };
            connection.record(act, &recording).await
        }
        SessionCommand::Cancel { session, reason, note, recording } => {
            let (reason, note) = (reason.wire(), note.unwrap_or_default());
            let act = v1::CancelSessionRequest { session, reason, note, ..Default::default() };
            connection.record(act, &recording).await
        }
        SessionCommand::FormSent { session, on, reference, recording } => {
            let act = v1::RecordFormSentRequest {
                session,
                sent_date: Some(date_to_wire(on.resolve(now)?)),
                reference,
                ..Default::default()
            };
            connection.record(act, &recording).await
        }
        SessionCommand::Report { session, out } => paper::session(session, &out, connection).await,
        SessionCommand::Leaflet { session, out } => paper::leaflet(session, &out, connection).await,
        SessionCommand::Form { session, out, identity, recording } => {
            let recording = identity.then_some(&recording);
            paper::form(session, out.as_deref(), recording, connection).await
        }
        SessionCommand::Show { session } => show(session, connection).await,
        SessionCommand::List { patient, listing } => {
            let patient = patient.unwrap_or_default();
            let request = v1::ListSessionsRequest { patient, ..Default::default() };
            let found = connection.list(request, listing.limit).await?;
            connection
                .answer("ListSessionsResponse", &found, || tell::session::many(&found.sessions))
        }
    }
}

async fn show(session: String, connection: &Connection) -> Result<(), CliError> {
    let found = connection.ask(v1::GetSessionRequest { name: session }).await?;
    connection.answer("GetSessionResponse", &found, || {
        let plan = found.plan.clone().unwrap_or_default();
        let session = found.session.as_ref();
        session.map(|it| tell::session::one(it, &plan)).unwrap_or_default()
    })
}

async fn effect(args: EffectArgs, connection: &Connection) -> Result<(), CliError> {
    let now = connection.now();
    let act = v1::RecordAdverseEffectRequest {
        subject: Some(args.subject),
        kind: args.kind.wire(),
        severity: args.severity.wire(),
        serious: args.serious,
        onset_time: Some(args.onset.resolve(now)),
        end_time: args.end.map(|end| end.resolve(now)),
        actions: args.actions.into_iter().map(ActionName::wire).collect(),
        note: args.note.unwrap_or_default(),
        ..Default::default()
    };
    connection.record(act, &args.recording).await
}

/// The start of a session; what was not typed is looked up. Whether phase and age are right is for the rules.
async fn start(
    course: String,
    phase: Option<String>,
    age: Option<u32>,
    overriding: Overriding,
    connection: &Connection,
) -> Result<v1::StartSessionRequest, CliError> {
    let request = v1::GetCourseRequest { name: course.clone() };
    let found = connection.ask(request).await?;
    let of = found.course.unwrap_or_default();
    let first = found.plan.iter().flat_map(|plan| &plan.phases).next();
    let current = Some(of.phase).filter(|phase| !phase.is_empty());
    let phase = phase.or(current).or_else(|| first.map(|phase| phase.id.clone()));
    let phase = phase.ok_or_else(|| {
        let plan = &of.plan;
        CliError::No(format!(
            "the formulary in force has no {plan}, so no phase of it can be looked up: publish a \
             formulary that has it, or close the course and open one by another plan"
        ))
    })?;
    let age = match age {
        Some(age) => age,
        None => age_of(of.patient, connection).await?,
    };
    let overrides = overriding.overrides;
    let age_years = Some(age);
    Ok(v1::StartSessionRequest { course, phase, age_years, overrides, ..Default::default() })
}

/// A patient's age today, as the server works it out from the sealed date of birth.
async fn age_of(patient: String, connection: &Connection) -> Result<u32, CliError> {
    let found = connection.ask(v1::GetPatientRequest { name: patient }).await?;
    let patient = found.patient.unwrap_or_default();
    patient.age_years.ok_or_else(|| {
        CliError::Usage(format!(
            "this server does not hold the date of birth of {}: look at the patient's papers and \
             add --age YEARS, in completed years",
            patient.name
        ))
    })
}

/// What was read, each value with the unit that its measure has in the session's plan.
async fn readings(
    session: &str,
    values: Vec<Value>,
    connection: &Connection,
) -> Result<Vec<v1::Reading>, CliError> {
    let found = connection.ask(v1::GetSessionRequest { name: session.to_owned() }).await?;
    let monitoring = found.plan.and_then(|plan| plan.monitoring).unwrap_or_default();
    let with_unit = |value: Value| {
        let measure = monitoring.measures.iter().find(|measure| measure.id == value.measure);
        let measure = measure.ok_or_else(|| unknown_measure(&value.measure, &monitoring))?;
        let unit = measure.unit.clone();
        Ok(v1::Reading { measure: value.measure, value: value.value, unit })
    };
    values.into_iter().map(with_unit).collect()
}

fn unknown_measure(found: &str, monitoring: &v1::Monitoring) -> CliError {
    let known = monitoring.measures.iter();
    let known: Vec<_> = known.map(|it| format!("{} ({})", it.id, it.name)).collect();
    CliError::Usage(format!(
        "there is no measure {found} in the plan of this session; it has:\n  {}\nType one of them, \
         such as --read {}=…",
        known.join("\n  "),
        monitoring.measures.first().map_or("MEASURE", |measure| &measure.id),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_measure_is_answered_with_those_that_there_are() {
        let measure = v1::Measure {
            id: "spo2".into(),
            name: "Oxygen saturation".into(),
            unit: "%".into(),
            ..Default::default()
        };
        let monitoring = v1::Monitoring { measures: vec![measure], ..Default::default() };
        let text = unknown_measure("o2sat", &monitoring).to_string();
        assert!(text.contains("no measure o2sat"), "{text}");
        assert!(text.contains("spo2 (Oxygen saturation)"), "{text}");
        assert!(text.ends_with("--read spo2=…"), "{text}");
    }
}
