//! Everything that a dose depends on, as it is typed.

use clap::{Args, ValueEnum};

use crate::cli::error::CliError;
use crate::cli::options::Answering;
use crate::cli::parse::{self, Moment};
use crate::cli::session::Session;
use crate::pb::v1;

/// Everything that a dose depends on.
#[derive(Args, Debug)]
pub struct InputArgs {
    /// The session that it is for, such as sessions/32; then patient, protocol and age are known
    #[arg(long, value_parser = parse::session)]
    session: Option<String>,
    /// The patient, under the pseudonym that the site uses
    #[arg(long, value_parser = parse::patient, required_unless_present = "session")]
    patient: Option<String>,
    /// The protocol (`vialedger protocols list`)
    #[arg(long, value_parser = parse::protocol, required_unless_present = "session")]
    protocol: Option<String>,
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
    #[arg(long, value_name = "YEARS", required_unless_present = "session")]
    age: Option<u32>,
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
    #[command(flatten)]
    answering: Answering,
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
    /// The inputs with the reasons for which limits are passed; with a session, what was not typed is looked up.
    pub(super) async fn inputs(
        self,
        overrides: Vec<v1::LimitOverride>,
        connection: &Session,
    ) -> Result<v1::DoseInputs, CliError> {
        let typed = self.patient.is_some() && self.protocol.is_some() && self.age.is_some();
        let of = match &self.session {
            Some(session) if !typed => session_of(session, connection).await?,
            _ => v1::Session::default(),
        };
        Ok(v1::DoseInputs {
            patient: self.patient.unwrap_or(of.patient),
            protocol: self.protocol.unwrap_or(of.protocol),
            product: self.product,
            weight: Some(v1::BodyWeight {
                quantity: Some(self.weight),
                method: v1::WeightMethod::from(self.weight_method).into(),
                measured_time: Some(self.measured.resolve(connection.now())),
            }),
            height: self.height,
            sex: self.sex.map_or(v1::Sex::Unspecified, v1::Sex::from).into(),
            age_years: Some(self.age.unwrap_or(of.age_years)),
            dose: self.dose,
            syringe: self.syringe,
            infusion_duration: self.over,
            diluted_volume: self.diluted_to,
            answers: self.answering.read()?,
            overrides,
            session: self.session.unwrap_or_default(),
        })
    }
}

/// The session that a dose is for. Its calculation stays away from whoever may have to check it: the server leaves it
/// out while it waits, so that reading the session does not spoil the check.
async fn session_of(name: &str, connection: &Session) -> Result<v1::Session, CliError> {
    let found = connection.ask(v1::GetSessionRequest { name: name.to_owned() }).await?;
    Ok(found.session.unwrap_or_default())
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
