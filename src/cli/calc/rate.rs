//! `calc rate`, `calc drip` and `calc infusion`.

use clap::Args;

use super::answer::{Answer, Refused, Shown};
use super::dose::{volume_concentration, weight};
use crate::dosing::{
    DosingError, Step, concentration, dose_rate, drip_rate, infusion_rate, pump_rate, times_weight,
};
use crate::formulary::DoseKind;
use crate::units::{
    Dimension, Quantity, QuantityError, Rational, Span, Strength, Unit, Volume, Weight,
};

/// Arguments of `calc rate`.
#[derive(Debug, Args)]
pub struct RateArgs {
    /// The dose rate: "5 ug/kg/min", "0.5 mg/min"
    #[arg(
        long,
        allow_hyphen_values = true,
        required_unless_present = "pump",
        conflicts_with = "pump"
    )]
    rate: Option<String>,
    /// The other way round, the rate that the pump runs at: "2.7 mL/h"
    #[arg(long, allow_hyphen_values = true)]
    pump: Option<String>,
    /// The body weight: "90 kg"; needed for rates per kg
    #[arg(long, allow_hyphen_values = true)]
    weight: Option<String>,
    /// The strength of what runs in: "10 mg/mL"; without it a dose rate gives the drug per time
    #[arg(long)]
    strength: Option<String>,
    /// The unit to answer in: "mg/h", "mL/min"
    #[arg(long)]
    to: Option<String>,
}

/// Arguments of `calc drip`.
#[derive(Debug, Args)]
pub struct DripArgs {
    /// The volume: "1000 mL"
    #[arg(long, allow_hyphen_values = true)]
    volume: String,
    /// The time: "8 h"
    #[arg(long, allow_hyphen_values = true)]
    over: String,
    /// Drops per mL, as printed on the giving set: 10, 15, 20 or 60
    #[arg(long, allow_hyphen_values = true)]
    drop_factor: String,
}

/// Arguments of `calc infusion`.
#[derive(Debug, Args)]
pub struct InfusionArgs {
    /// The volume, drug and diluent together: "50 mL"
    #[arg(long, allow_hyphen_values = true)]
    volume: String,
    /// The time: "40 min"
    #[arg(long, allow_hyphen_values = true)]
    over: String,
    /// The drug in that volume, for its concentration: "36.25 mg"
    #[arg(long, allow_hyphen_values = true)]
    dose: Option<String>,
}

impl RateArgs {
    pub(super) fn answer(&self) -> Result<Answer, Refused> {
        let weight = self.weight.as_deref().map(weight).transpose()?;
        let strength = self.strength.as_deref().map(Strength::parse).transpose()?;
        let (result, steps) = match (&self.rate, &self.pump) {
            (Some(rate), _) => forward(Quantity::parse_text(rate)?, weight, strength)?,
            (None, Some(pump)) => inverse(Quantity::parse_text(pump)?, weight, strength)?,
            (None, None) => return Err(missing("a rate", "from --rate or --pump")),
        };
        let Some(to) = &self.to else { return Ok(Answer::new(Shown::exact(result), steps)) };
        let unit = Unit::parse_human(to);
        let unit = unit.ok_or_else(|| QuantityError::UnknownUnit { unit: to.clone() })?;
        converted(result, unit, steps)
    }
}

impl DripArgs {
    pub(super) fn answer(&self) -> Result<Answer, Refused> {
        let volume = Volume::try_from(Quantity::parse_text(&self.volume)?)?;
        let over = Quantity::parse_text(&self.over)?;
        let span = Span::try_from(over)?;
        // The one number without a unit: giving sets print it so.
        let factor = match Quantity::split_text(&self.drop_factor) {
            (number, "") => Quantity::parse(number, Unit::DropPerMillilitre.ucum())?,
            _ => Quantity::parse_text(&self.drop_factor)?,
        };
        let drops = drip_rate(volume, span, factor)?;
        let whole = Rational::from_integer(drops.value().half_up());
        let counted = Quantity::new(whole, Unit::DropPerMinute);
        let steps = vec![
            Step::new("Drop rate", format!("{volume} × {factor} ÷ {over}"), drops),
            Step::new("Counted", format!("{drops} to whole drops, half up"), counted),
        ];
        Ok(Answer::new(Shown::exact(drops), steps).with("counted", Shown::exact(counted)))
    }
}

impl InfusionArgs {
    pub(super) fn answer(&self) -> Result<Answer, Refused> {
        let volume = Volume::try_from(Quantity::parse_text(&self.volume)?)?;
        let over = Quantity::parse_text(&self.over)?;
        let span = Span::try_from(over)?;
        let rate = infusion_rate(volume, span)?;
        let mut steps = vec![Step::new("Pump rate", format!("{volume} ÷ {over}"), rate)];
        let Some(dose) = &self.dose else { return Ok(Answer::new(Shown::exact(rate), steps)) };
        let dose = Quantity::parse_text(dose)?;
        let found = concentration(dose, volume.to_quantity(Unit::Millilitre)?)?;
        steps.push(Step::new("Concentration", format!("{dose} ÷ {volume}"), found));
        Ok(Answer::new(Shown::exact(rate), steps).with("concentration", Shown::exact(found)))
    }
}

/// The drug per time of a dose rate, with the step that found it.
pub(super) fn drug_rate(
    rate: Quantity,
    weight: Option<Weight>,
) -> Result<(Quantity, Vec<Step>), Refused> {
    let kind = DoseKind::of(rate).filter(|kind| kind.is_rate());
    let expected = Dimension::MassPerWeightPerTime;
    let kind = kind.ok_or(QuantityError::WrongKind { found: rate, expected })?;
    if !kind.needs_weight() {
        return Ok((rate, vec![Step::new("Drug rate", "absolute: no weight goes into it", rate)]));
    }
    let weight = weight.ok_or_else(|| missing("the weight", "for a dose per kg"))?;
    let found = times_weight(rate, weight.kilograms()?)?;
    Ok((found, vec![Step::new("Drug rate", format!("{rate} × {weight}"), found)]))
}

fn forward(
    rate: Quantity,
    weight: Option<Weight>,
    strength: Option<Strength>,
) -> Result<(Quantity, Vec<Step>), Refused> {
    let (rate, mut steps) = drug_rate(rate, weight)?;
    let Some(strength) = strength else { return Ok((rate, steps)) };
    let pump = pump_rate(rate, volume_concentration(strength)?)?;
    steps.push(Step::new("Pump rate", format!("{rate} ÷ ({strength})"), pump));
    Ok((pump, steps))
}

/// Per kg and minute in micrograms, as such rates are written; without a weight in mg/h.
fn inverse(
    pump: Quantity,
    weight: Option<Weight>,
    strength: Option<Strength>,
) -> Result<(Quantity, Vec<Step>), Refused> {
    let strength = strength.ok_or_else(|| missing("the strength", "of what the pump gives"))?;
    let concentration = volume_concentration(strength)?;
    let hourly = dose_rate(pump, concentration, None)?;
    let mut steps = vec![Step::new("Drug rate", format!("{pump} × ({strength})"), hourly)];
    let Some(weight) = weight else { return Ok((hourly, steps)) };
    let rate = dose_rate(pump, concentration, Some(weight.kilograms()?))?;
    let rate = rate.convert(Unit::MicrogramPerKilogramPerMinute)?;
    steps.push(Step::new("Dose rate", format!("{hourly} ÷ {weight}"), rate));
    Ok((rate, steps))
}

fn converted(result: Quantity, unit: Unit, mut steps: Vec<Step>) -> Result<Answer, Refused> {
    let found = result.convert(unit)?;
    steps.push(Step::new("Converted", result.to_string(), found));
    Ok(Answer::new(Shown::exact(found), steps))
}

fn missing(what: &'static str, because: &'static str) -> Refused {
    DosingError::Missing { what, because }.into()
}
