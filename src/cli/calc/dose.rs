//! `calc dose` and `calc volume`.

use clap::Args;

use super::answer::{Answer, Refused, Shown};
use super::rate::drug_rate;
use crate::dosing::{DoseInput, DoseWorking, DosingError, Step, Syringe, calculate, pump_rate};
use crate::formulary::DoseKind;
use crate::units::{Dimension, Quantity, QuantityError, Rational, Strength, Unit, Weight};

/// Arguments of `calc dose`.
#[derive(Debug, Args)]
pub struct DoseArgs {
    /// The dose: "0.5 mg/kg", "5 mcg/kg/min", "56 mg", "2 {device}"
    #[arg(long, allow_hyphen_values = true)]
    dose: String,
    /// The body weight: "72.5 kg"; needed for doses per kg
    #[arg(long, allow_hyphen_values = true)]
    weight: Option<String>,
    /// The strength on the label: "500 mg/10 mL", "28 mg/{device}"
    #[arg(long)]
    strength: Option<String>,
    /// The syringe that it is drawn with: "3 mL"
    #[arg(long)]
    syringe: Option<String>,
}

/// Arguments of `calc volume`.
#[derive(Debug, Args)]
pub struct VolumeArgs {
    /// The dose: "7.2 mg", or with --weight "0.2 mg/kg"
    #[arg(long, allow_hyphen_values = true)]
    dose: String,
    /// The strength on the label: "5 mg/mL"
    #[arg(long)]
    strength: String,
    /// The body weight, for a dose per kg
    #[arg(long, allow_hyphen_values = true)]
    weight: Option<String>,
    /// The syringe that it is drawn with: "3 mL"
    #[arg(long)]
    syringe: Option<String>,
}

impl DoseArgs {
    pub(super) fn answer(&self) -> Result<Answer, Refused> {
        let input = input(
            &self.dose,
            self.weight.as_deref(),
            self.strength.as_deref(),
            self.syringe.as_deref(),
        )?;
        if input.syringe.is_some() && input.strength.is_none() {
            let because = "to find the volume that the syringe measures";
            return Err(DosingError::Missing { what: "the strength", because }.into());
        }
        if input.kind.is_rate() {
            return rate(&input);
        }
        let working = calculate(&input)?;
        let dose = working.exact_dose.ok_or(DosingError::Zero { what: "the dose" })?;
        let mut answer = Answer::new(Shown::exact(dose), working.steps.clone());
        if let Some(amount) = working.exact_amount {
            let name = if amount.unit() == Unit::Millilitre { "volume" } else { "count" };
            answer = answer.with(name, Shown::exact(amount));
        }
        Ok(measured(answer, &input, &working))
    }
}

impl VolumeArgs {
    pub(super) fn answer(&self) -> Result<Answer, Refused> {
        let (weight, syringe) = (self.weight.as_deref(), self.syringe.as_deref());
        let input = input(&self.dose, weight, Some(&self.strength), syringe)?;
        if input.kind.is_rate() {
            let (found, expected) = (input.dose, Dimension::Mass);
            return Err(QuantityError::WrongKind { found, expected }.into());
        }
        let working = calculate(&input)?;
        let amount = working.exact_amount.ok_or(DosingError::Zero { what: "the dose" })?;
        let answer = Answer::new(Shown::exact(amount), working.steps.clone());
        Ok(measured(answer, &input, &working))
    }
}

/// What the syringe measures, beside the exact answer.
fn measured(answer: Answer, input: &DoseInput, working: &DoseWorking) -> Answer {
    let (Some(measured), Some(_)) = (&working.measured, input.syringe) else { return answer };
    answer
        .with("measured", Shown::exact(measured.amount.to_quantity()))
        .with("measured_dose", Shown::exact(measured.dose))
        .with("deviation", Shown::exact(measured.deviation))
}

/// A dose that is a rate: the drug per time and, with a strength, the pump rate.
fn rate(input: &DoseInput) -> Result<Answer, Refused> {
    if input.syringe.is_some() {
        let because = "to measure it with a syringe, not a rate";
        return Err(DosingError::Missing { what: "a dose", because }.into());
    }
    let (rate, mut steps) = drug_rate(input.dose, input.weight)?;
    let Some(strength) = input.strength else { return Ok(Answer::new(Shown::exact(rate), steps)) };
    let pump = pump_rate(rate, volume_concentration(strength)?)?;
    steps.push(Step::new("Pump rate", format!("{rate} ÷ ({strength})"), pump));
    Ok(Answer::new(Shown::exact(rate), steps).with("pump", Shown::exact(pump)))
}

/// Nanograms per microlitre; refused for a strength per device.
pub(super) fn volume_concentration(strength: Strength) -> Result<Rational, Refused> {
    strength.per().to_quantity().expect_dimension(Dimension::Volume)?;
    Ok(strength.concentration()?)
}

pub(super) fn weight(text: &str) -> Result<Weight, Refused> {
    Ok(Weight::try_from(Quantity::parse_text(text)?)?)
}

fn input(
    dose: &str,
    body_weight: Option<&str>,
    strength: Option<&str>,
    syringe: Option<&str>,
) -> Result<DoseInput, Refused> {
    let dose = Quantity::parse_text(dose)?;
    let expected = Dimension::MassPerWeight;
    let kind = DoseKind::of(dose).ok_or(QuantityError::WrongKind { found: dose, expected })?;
    Ok(DoseInput {
        weight: body_weight.map(weight).transpose()?,
        strength: strength.map(Strength::parse).transpose()?,
        syringe: syringe.map(Syringe::parse).transpose()?,
        ..DoseInput::new("drug", kind, dose)
    })
}
