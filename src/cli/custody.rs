//! `vialedger dispense`, `administer`, `waste`, `witness` and `return`: what happens to a vial's
//! content.

use clap::{ArgGroup, Args, ValueEnum};

use super::Desk;
use super::error::CliError;
use super::options::Recording;
use super::parse::{self, Moment};
use super::session::Session;
use crate::pb::v1;
use crate::pb::v1::record_waste_request::Source;

/// Hand a vial, or a measured part of one, to a nurse or prescriber for a patient.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("authority").required(true).args(["dose", "emergency"]))]
pub struct DispenseArgs {
    /// The vial, such as vials/12-1
    #[arg(value_parser = parse::vial)]
    vial: String,
    /// Who takes it
    #[arg(long, value_name = "PERSON", value_parser = parse::person)]
    to: String,
    /// Who it is for
    #[arg(long, value_parser = parse::patient)]
    patient: String,
    /// The dose calculation it serves, such as doseCalculations/14
    #[arg(long, value_name = "CALCULATION", value_parser = parse::calculation)]
    dose: Option<String>,
    /// Why there is no calculation; it will be reviewed
    #[arg(long, value_name = "REASON")]
    emergency: Option<String>,
    /// Measured part of a multiple-dose vial, such as "2 mL"; the whole container when absent
    #[arg(long, value_parser = parse::quantity)]
    amount: Option<v1::Quantity>,
    /// Why not the vial that expires first; it will be reviewed
    #[arg(long, value_name = "REASON")]
    expiry_order_reason: Option<String>,
    /// Say that the patient is to take it home: this is always refused, and the refusal recorded
    #[arg(long)]
    take_home: bool,
    #[command(flatten)]
    recording: Recording,
}

/// Record what a patient received, as the holder.
#[derive(Args, Debug)]
pub struct AdministerArgs {
    /// The dispensing it comes from, such as dispensings/15
    #[arg(value_parser = parse::dispensing)]
    dispensing: String,
    /// The patient, as scanned at the bedside
    #[arg(long, value_parser = parse::patient)]
    patient: String,
    /// How much, such as "3.6 mL" or "2 {spray}"
    #[arg(long, value_parser = parse::quantity)]
    amount: v1::Quantity,
    /// Beginning: now, "40 min ago", or a time with its zone
    #[arg(long, value_name = "WHEN", value_parser = parse::moment)]
    start: Moment,
    /// End
    #[arg(long, value_name = "WHEN", default_value = "now", value_parser = parse::moment)]
    end: Moment,
    /// Why more was given in all than was calculated; flagged for review
    #[arg(long, value_name = "REASON")]
    above_dose: Option<String>,
    #[command(flatten)]
    recording: Recording,
}

/// Record what was made unusable; a second person then witnesses it.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("source").required(true).args(["dispensing", "vial"]))]
pub struct WasteArgs {
    /// The dispensing it comes from, such as dispensings/15
    #[arg(long, value_parser = parse::dispensing)]
    dispensing: Option<String>,
    /// The opened vial at its place that it comes from
    #[arg(long, value_parser = parse::vial)]
    vial: Option<String>,
    /// How much, such as "6.4 mL"
    #[arg(long, value_parser = parse::quantity)]
    amount: v1::Quantity,
    /// Why
    #[arg(long)]
    reason: ReasonName,
    /// How it was made unusable
    #[arg(long)]
    method: MethodName,
    /// When
    #[arg(long, value_name = "WHEN", default_value = "now", value_parser = parse::moment)]
    when: Moment,
    #[command(flatten)]
    recording: Recording,
}

/// Sign, as a second person, that you saw a waste.
#[derive(Args, Debug)]
pub struct WitnessArgs {
    /// The waste, such as wastes/17
    #[arg(value_parser = parse::waste)]
    waste: String,
    /// How much you saw being wasted
    #[arg(long, value_parser = parse::quantity)]
    amount: v1::Quantity,
    #[command(flatten)]
    recording: Recording,
}

/// Take an intact vial back.
#[derive(Args, Debug)]
pub struct ReturnArgs {
    /// The dispensing that ends, such as dispensings/15
    #[arg(value_parser = parse::dispensing)]
    dispensing: String,
    /// Where the vial is put
    #[arg(long, value_parser = parse::place)]
    place: String,
    /// Say that you saw the seal unbroken
    #[arg(long, required = true)]
    seal_intact: bool,
    #[command(flatten)]
    recording: Recording,
}

/// Why something was wasted.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ReasonName {
    /// Left over after the dose
    Remainder,
    /// The patient did not want or need it
    NotGiven,
    /// Past its expiry or beyond-use time
    Expired,
    /// Broken or spilled
    BrokenOrSpilled,
    /// No longer sterile
    Contaminated,
}

/// How something was made unusable.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum MethodName {
    /// Put into a drug-deactivation container
    DeactivationContainer,
    /// Given to a licensed waste carrier's container
    WasteContainer,
    /// Down the drain, where local rules allow it
    Drain,
    /// Absorbed while cleaning a spill
    SpillCleaned,
}

/// Dispenses.
pub(super) async fn dispense(args: DispenseArgs, desk: &Desk) -> Result<(), CliError> {
    let session = &Session::open(desk).await?;
    let act = v1::DispenseVialRequest {
        vial: args.vial,
        holder: args.to,
        patient: args.patient,
        dose_calculation: args.dose.unwrap_or_default(),
        emergency_reason: args.emergency.unwrap_or_default(),
        amount: args.amount,
        expiry_order_reason: args.expiry_order_reason.unwrap_or_default(),
        take_home: args.take_home,
        ..Default::default()
    };
    session.record(act, &args.recording).await
}

/// Records an administration.
pub(super) async fn administer(args: AdministerArgs, desk: &Desk) -> Result<(), CliError> {
    let session = &Session::open(desk).await?;
    let now = session.now();
    let (start, end) = (args.start.resolve(now), args.end.resolve(now));
    // What is wrong with a start in the future is the start, and not that now is before it.
    let starts_later = args.end == Moment::NOW && start.seconds > end.seconds;
    let end = if starts_later { start } else { end };
    let act = v1::RecordAdministrationRequest {
        dispensing: args.dispensing,
        patient: args.patient,
        amount: Some(args.amount),
        start_time: Some(start),
        end_time: Some(end),
        above_dose_reason: args.above_dose.unwrap_or_default(),
        ..Default::default()
    };
    session.record(act, &args.recording).await
}

/// Records a waste.
pub(super) async fn waste(args: WasteArgs, desk: &Desk) -> Result<(), CliError> {
    let session = &Session::open(desk).await?;
    let source = args.dispensing.map(Source::Dispensing).or(args.vial.map(Source::Vial));
    let act = v1::RecordWasteRequest {
        source,
        amount: Some(args.amount),
        reason: v1::WasteReason::from(args.reason).into(),
        method: v1::WasteMethod::from(args.method).into(),
        occurred_time: Some(args.when.resolve(session.now())),
        ..Default::default()
    };
    session.record(act, &args.recording).await
}

/// Witnesses a waste.
pub(super) async fn witness(args: WitnessArgs, desk: &Desk) -> Result<(), CliError> {
    let session = &Session::open(desk).await?;
    let act =
        v1::WitnessRequest { waste: args.waste, amount: Some(args.amount), ..Default::default() };
    session.record(act, &args.recording).await
}

/// Takes a vial back.
pub(super) async fn give_back(args: ReturnArgs, desk: &Desk) -> Result<(), CliError> {
    let session = &Session::open(desk).await?;
    let act = v1::ReturnVialRequest {
        dispensing: args.dispensing,
        place: args.place,
        seal_intact: args.seal_intact,
        ..Default::default()
    };
    session.record(act, &args.recording).await
}

impl From<ReasonName> for v1::WasteReason {
    fn from(reason: ReasonName) -> Self {
        match reason {
            ReasonName::Remainder => Self::Remainder,
            ReasonName::NotGiven => Self::NotGiven,
            ReasonName::Expired => Self::Expired,
            ReasonName::BrokenOrSpilled => Self::BrokenOrSpilled,
            ReasonName::Contaminated => Self::Contaminated,
        }
    }
}

impl From<MethodName> for v1::WasteMethod {
    fn from(method: MethodName) -> Self {
        match method {
            MethodName::DeactivationContainer => Self::DeactivationContainer,
            MethodName::WasteContainer => Self::WasteContainer,
            MethodName::Drain => Self::Drain,
            MethodName::SpillCleaned => Self::SpillCleaned,
        }
    }
}
