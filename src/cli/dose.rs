//! `vialedger dose`, `protocols` and `products`: from a weight to a dose.

mod inputs;
mod replay;

use clap::Subcommand;

use super::error::CliError;
use super::exit::Exit;
use super::options::{Listing, Overriding, Recording};
use super::output::{fields, moment, quantity, table};
use super::session::Session;
use super::{Desk, parse, tell};
use crate::pb::v1;
use crate::pb::v1::outcome::Result as Made;
use inputs::InputArgs;

/// Doses.
#[derive(Subcommand, Debug)]
pub enum DoseCommand {
    /// Work a dose out under all rules and record nothing
    Preview {
        #[command(flatten)]
        inputs: Box<InputArgs>,
        #[command(flatten)]
        overriding: Overriding,
    },
    /// Work a dose out and record it, so that a vial can be dispensed against it
    Calculate {
        #[command(flatten)]
        inputs: Box<InputArgs>,
        #[command(flatten)]
        overriding: Overriding,
        #[command(flatten)]
        recording: Recording,
    },
    /// Work a recorded calculation out anew, as the second person, from the patient, the order and
    /// the label; the first result is not shown before
    ///
    /// Exit status: 0 when both agree, 1 when they differ. Both are recorded.
    Check {
        /// The calculation, such as doseCalculations/14
        #[arg(value_parser = parse::calculation)]
        calculation: String,
        #[command(flatten)]
        inputs: Box<InputArgs>,
        #[command(flatten)]
        recording: Recording,
    },
    /// Work an old calculation out again from its entry, and beside it by the formulary of today
    ///
    /// Exit status: 0 when the same comes out digit for digit, 1 when not. Nothing is recorded.
    Replay {
        /// The calculation, such as doseCalculations/14
        #[arg(value_parser = parse::calculation)]
        calculation: String,
    },
    /// Show a recorded calculation
    Show {
        /// The calculation, such as doseCalculations/14
        #[arg(value_parser = parse::calculation)]
        calculation: String,
    },
}

/// The protocols of the formulary in force.
#[derive(Subcommand, Debug)]
pub enum ProtocolsCommand {
    /// List them with their limits
    List {
        #[command(flatten)]
        listing: Listing,
    },
    /// Show one with its limits, its questions and its source
    Show {
        /// The protocol, such as protocols/ket-trd-iv
        #[arg(value_parser = parse::protocol)]
        protocol: String,
    },
}

/// The products of the formulary in force.
#[derive(Subcommand, Debug)]
pub enum ProductsCommand {
    /// List them
    List {
        #[command(flatten)]
        listing: Listing,
    },
}

/// Runs a dose command.
pub(super) async fn run(command: DoseCommand, desk: &Desk) -> Result<Exit, CliError> {
    let session = &Session::open(desk).await?;
    match command {
        DoseCommand::Preview { inputs, overriding } => {
            let inputs = Some(inputs.inputs(overriding.overrides, session).await?);
            let found = session.ask(v1::PreviewDoseRequest { inputs }).await?;
            session.answer("PreviewDoseResponse", &found, || {
                let dose = found.dose_calculation.as_ref().map(tell::dose).unwrap_or_default();
                format!("{dose}{}\n\nA preview: nothing was recorded.", tell::flags(&found.flags))
            })?;
        }
        DoseCommand::Calculate { inputs, overriding, recording } => {
            let inputs = Some(inputs.inputs(overriding.overrides, session).await?);
            let act = v1::CalculateDoseRequest { inputs, ..Default::default() };
            session.record(act, &recording).await?;
        }
        DoseCommand::Check { calculation, inputs, recording } => {
            let inputs = Some(inputs.inputs(Vec::new(), session).await?);
            let dose_calculation = calculation;
            let act = v1::CheckDoseRequest { dose_calculation, inputs, ..Default::default() };
            let outcome = session.recorded(act, &recording).await?;
            let agreed = matches!(outcome.result, Some(Made::DoseCheck(check)) if check.agreed);
            return Ok(if agreed { Exit::Good } else { Exit::No });
        }
        DoseCommand::Replay { calculation } => return replay::run(calculation, session).await,
        DoseCommand::Show { calculation } => {
            let found = session.ask(v1::GetDoseCalculationRequest { name: calculation }).await?;
            session.answer("GetDoseCalculationResponse", &found, || {
                let dose = found.dose_calculation.as_ref().map(tell::dose).unwrap_or_default();
                let when = moment(found.recorded_time.as_ref());
                format!("{dose}\nCalculated by {} at {when}", found.calculated_by)
            })?;
        }
    }
    Ok(Exit::Good)
}

/// Runs a protocols command.
pub(super) async fn protocols(command: ProtocolsCommand, desk: &Desk) -> Result<(), CliError> {
    let session = &Session::open(desk).await?;
    match command {
        ProtocolsCommand::List { listing } => {
            let request = v1::ListProtocolsRequest::default();
            let found = session.list(request, listing.limit).await?;
            session.answer("ListProtocolsResponse", &found, || {
                let heading = ["Protocol", "Title", "Usual dose", "Usual range", "Never above"];
                table(heading, found.protocols.iter().map(protocol_row).collect())
            })
        }
        ProtocolsCommand::Show { protocol } => {
            let all = session.list(v1::ListProtocolsRequest::default(), usize::MAX).await?;
            let found = all.protocols.into_iter().find(|found| found.name == protocol);
            let found = found
                .ok_or_else(|| CliError::No(format!("the formulary in force has no {protocol}")))?;
            session.answer("Protocol", &found, || protocol_text(&found))
        }
    }
}

fn protocol_row(protocol: &v1::Protocol) -> [String; 5] {
    [
        protocol.name.clone(),
        protocol.title.clone(),
        quantity(protocol.usual_dose.as_ref()),
        range(protocol.soft_low.as_ref(), protocol.soft_high.as_ref()),
        quantity(protocol.hard_high.as_ref()),
    ]
}

fn protocol_text(protocol: &v1::Protocol) -> String {
    let [name, title, usual, range, never_above] = protocol_row(protocol);
    let questions = protocol.questions.iter().map(|question| {
        let answer = match question.stops_on() {
            v1::Answer::Yes => "yes",
            v1::Answer::No => "no",
            v1::Answer::Unknown | v1::Answer::Unspecified => "",
        };
        let stops =
            if question.hard { answer.to_owned() } else { format!("{answer}, unless overridden") };
        [question.id.clone(), question.text.clone(), stops]
    });
    let questions = table(["Question", "In words", "Stops on"], questions.collect());
    let drug = format!("{}, {}", protocol.drug, protocol.route);
    let facts = fields(&[
        ("For", &protocol.indication),
        ("Drug, route", &drug),
        ("Usual dose", &usual),
        ("Usual range", &range),
        ("Never above", &never_above),
        ("Source", &protocol.source),
    ]);
    format!("{name}  {title}{facts}\n\n{questions}")
}

/// Lists the products of the formulary in force.
pub(super) async fn products(command: ProductsCommand, desk: &Desk) -> Result<(), CliError> {
    let session = &Session::open(desk).await?;
    let ProductsCommand::List { listing } = command;
    let found = session.list(v1::ListProductsRequest::default(), listing.limit).await?;
    session.answer("ListProductsResponse", &found, || {
        let rows = found.products.iter().map(|product| {
            [
                product.name.clone(),
                product.display_name.clone(),
                product.strength.clone(),
                quantity(product.content.as_ref()),
                product.schedule.clone(),
                product.outer_ndc.clone(),
            ]
        });
        table(["Product", "Name", "Strength", "Holds", "Schedule", "NDC"], rows.collect())
    })
}

fn range(low: Option<&v1::Quantity>, high: Option<&v1::Quantity>) -> String {
    match (low, high) {
        (None, None) => String::new(),
        (Some(_), None) => format!("from {}", quantity(low)),
        (None, Some(_)) => format!("up to {}", quantity(high)),
        (Some(_), Some(_)) => format!("{} to {}", quantity(low), quantity(high)),
    }
}
