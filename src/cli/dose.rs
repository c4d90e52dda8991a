//! `vialedger dose`, `protocols` and `products`: from a weight to a dose.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::error::CliError;
use super::options::{Listing, Recording};
use super::output::{fields, moment, quantity, table};
use super::parse::Moment;
use super::session::{Session, read_text};
use super::{Desk, parse, tell};
use crate::pb::v1;

/// Doses.
#[derive(Subcommand, Debug)]
pub enum DoseCommand {
    /// Work a dose out under all rules and record nothing
    Preview {
        #[command(flatten)]
        inputs: Box<InputArgs>,
    },
    /// Work a dose out and record it, so that a vial can be dispensed against it
    Calculate {
        #[command(flatten)]
        inputs: Box<InputArgs>,
        #[command(flatten)]
        recording: Recording,
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

/// Everything that a dose depends on.
#[derive(Args, Debug)]
pub struct InputArgs {
    /// The patient, under the pseudonym that the site uses
    #[arg(long, value_parser = parse::patient)]
    patient: String,
    /// The protocol (`vialedger protocols list`)
    #[arg(long, value_parser = parse::protocol)]
    protocol: String,
    /// The product to draw from (`vialedger products list`)
    #[arg(long, value_parser = parse::product)]
    product: String,
    /// Body weight with its unit, such as "72.5 kg"
    #[arg(long, value_parser = parse::quantity)]
    weight: v1::Quantity,
    /// When the weight was taken: now, "25 min ago", or a time with its zone
    #[arg(long, value_name = "WHEN", value_parser = parse::moment)]
    measured: Moment,
    /// How the weight came to be known
    #[arg(long, value_name = "HOW", default_value = "measured")]
    weight_method: WeightMethodName,
    /// Height with its unit, such as "170 cm", where the protocol needs it
    #[arg(long, value_parser = parse::quantity)]
    height: Option<v1::Quantity>,
    /// Sex, where the protocol's weight formula needs it
    #[arg(long)]
    sex: Option<SexName>,
    /// Age in completed years
    #[arg(long, value_name = "YEARS")]
    age: u32,
    /// Dose in the protocol's unit, such as "0.5 mg/kg"; the protocol's usual dose when absent
    #[arg(long, value_parser = parse::quantity)]
    dose: Option<v1::Quantity>,
    /// Syringe to measure with, such as "5 mL"
    #[arg(long, value_parser = parse::quantity)]
    syringe: Option<v1::Quantity>,
    /// How long the infusion runs, such as "40 min"
    #[arg(long, value_parser = parse::quantity)]
    over: Option<v1::Quantity>,
    /// Volume of the infusion after dilution, such as "50 mL"
    #[arg(long, value_parser = parse::quantity)]
    diluted_to: Option<v1::Quantity>,
    /// Answer to one of the protocol's questions, such as psychosis=no; repeat for each
    #[arg(long = "answer", value_name = "QUESTION=ANSWER", value_parser = parse::answer)]
    answers: Vec<v1::EligibilityAnswer>,
    /// File of answers, one a line
    #[arg(long, value_name = "FILE")]
    answers_file: Option<PathBuf>,
    /// Soft limit passed on purpose, such as DOSE_ABOVE_USUAL=specialist-advice:note
    #[arg(
        long = "override",
        value_name = "LIMIT=REASON[:NOTE]",
        value_parser = parse::limit_override
    )]
    overrides: Vec<v1::LimitOverride>,
}

/// How a weight came to be known.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum WeightMethodName {
    /// Read from a scale
    Measured,
    /// Said by the patient
    Stated,
    /// Estimated by somebody
    Estimated,
}

/// Sex as the published weight formulas use it.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum SexName {
    /// The formula for women
    Female,
    /// The formula for men
    Male,
}

impl InputArgs {
    fn inputs(self, session: &Session) -> Result<v1::DoseInputs, CliError> {
        let mut answers = self.answers;
        if let Some(path) = &self.answers_file {
            let file = parse::answers(&read_text(path)?);
            answers.extend(file.map_err(|e| CliError::Data(format!("{}: {e}", path.display())))?);
        }
        Ok(v1::DoseInputs {
            patient: self.patient,
            protocol: self.protocol,
            product: self.product,
            weight: Some(v1::BodyWeight {
                quantity: Some(self.weight),
                method: v1::WeightMethod::from(self.weight_method).into(),
                measured_time: Some(self.measured.resolve(session.now())),
            }),
            height: self.height,
            sex: self.sex.map_or(v1::Sex::Unspecified, v1::Sex::from).into(),
            age_years: Some(self.age),
            dose: self.dose,
            syringe: self.syringe,
            infusion_duration: self.over,
            diluted_volume: self.diluted_to,
            answers,
            overrides: self.overrides,
            session: String::new(),
        })
    }
}

impl From<WeightMethodName> for v1::WeightMethod {
    fn from(method: WeightMethodName) -> Self {
        match method {
            WeightMethodName::Measured => Self::Measured,
            WeightMethodName::Stated => Self::Stated,
            WeightMethodName::Estimated => Self::Estimated,
        }
    }
}

impl From<SexName> for v1::Sex {
    fn from(sex: SexName) -> Self {
        match sex {
            SexName::Female => Self::Female,
            SexName::Male => Self::Male,
        }
    }
}

/// Runs a dose command.
pub(super) async fn run(command: DoseCommand, desk: &Desk) -> Result<(), CliError> {
    let session = &Session::open(desk).await?;
    match command {
        DoseCommand::Preview { inputs } => {
            let inputs = Some(inputs.inputs(session)?);
            let found = session.ask(v1::PreviewDoseRequest { inputs }).await?;
            session.answer("PreviewDoseResponse", &found, || {
                let dose = found.dose_calculation.as_ref().map(tell::dose).unwrap_or_default();
                format!("{dose}{}\n\nA preview: nothing was recorded.", tell::flags(&found.flags))
            })
        }
        DoseCommand::Calculate { inputs, recording } => {
            let inputs = Some(inputs.inputs(session)?);
            let act = v1::CalculateDoseRequest { inputs, ..Default::default() };
            session.record(act, &recording).await
        }
        DoseCommand::Show { calculation } => {
            let found = session.ask(v1::GetDoseCalculationRequest { name: calculation }).await?;
            session.answer("GetDoseCalculationResponse", &found, || {
                let dose = found.dose_calculation.as_ref().map(tell::dose).unwrap_or_default();
                let when = moment(found.recorded_time.as_ref());
                format!("{dose}\nCalculated by {} at {when}", found.calculated_by)
            })
        }
    }
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
