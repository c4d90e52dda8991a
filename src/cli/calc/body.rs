//! `calc weight`, `calc bmi` and `calc bsa`.

use clap::{Args, ValueEnum};

use super::answer::{Answer, Refused, Shown};
use super::dose::weight;
use crate::dosing::{
    Sex, Step, SurfaceFormula, WeightFormula, body_mass_index, body_surface_area, by_formula,
};
use crate::formulary::BelowSixtyInches;
use crate::units::{Height, Quantity, QuantityError, Rational, Unit, Weight};

/// Arguments of `calc weight`.
#[derive(Debug, Args)]
pub struct WeightArgs {
    /// The published formula
    #[arg(long)]
    formula: WeightName,
    /// The sex that the formula distinguishes
    #[arg(long)]
    sex: SexName,
    /// The height: "170 cm"
    #[arg(long, allow_hyphen_values = true)]
    height: String,
    /// The actual weight: "95 kg"; needed for adjusted and lean weights
    #[arg(long, allow_hyphen_values = true)]
    weight: Option<String>,
    /// The convention for heights below 60 inches (152.4 cm), which Devine and Robinson leave open
    #[arg(long)]
    below_60_inches: Option<Convention>,
}

/// Arguments of `calc bmi`.
#[derive(Debug, Args)]
pub struct BmiArgs {
    /// The height: "170 cm"
    #[arg(long, allow_hyphen_values = true)]
    height: String,
    /// The weight: "95 kg"
    #[arg(long, allow_hyphen_values = true)]
    weight: String,
}

/// Arguments of `calc bsa`.
#[derive(Debug, Args)]
pub struct BsaArgs {
    /// The published formula
    #[arg(long)]
    formula: SurfaceName,
    /// The height: "170 cm"
    #[arg(long, allow_hyphen_values = true)]
    height: String,
    /// The weight: "95 kg"
    #[arg(long, allow_hyphen_values = true)]
    weight: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SexName {
    Female,
    Male,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Convention {
    /// Follow the line down
    Continue,
    /// Stay at the value for 60 inches
    Clamp,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum WeightName {
    /// Ideal weight, 1974
    Devine,
    /// Ideal weight, 1983
    Robinson,
    /// Devine plus 0.4 of what is above it
    Adjusted,
    /// Lean weight, 2005
    Janmahasatian,
    /// Lean weight, 1984
    Boer,
    /// Lean weight, 1976
    James,
    /// Lean weight, 1966
    Hume,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SurfaceName {
    /// Square root of height and weight, 1987
    Mosteller,
    /// 1916
    #[value(alias = "dubois")]
    DuBois,
    /// 1978
    Haycock,
    /// 1970
    GehanGeorge,
    /// 1935
    Boyd,
}

impl WeightArgs {
    pub(super) fn answer(&self) -> Result<Answer, Refused> {
        let centimetres = centimetres(&self.height)?;
        let actual = self.weight.as_deref().map(weight).transpose()?;
        let sex = match self.sex {
            SexName::Female => Sex::Female,
            SexName::Male => Sex::Male,
        };
        let below = match self.below_60_inches {
            None => BelowSixtyInches::Refuse,
            Some(Convention::Continue) => BelowSixtyInches::Continue,
            Some(Convention::Clamp) => BelowSixtyInches::Clamp,
        };
        let (found, steps) = by_formula(self.formula.into(), sex, centimetres, actual, below)?;
        Ok(Answer::new(Shown::exact(found), steps))
    }
}

impl BmiArgs {
    pub(super) fn answer(&self) -> Result<Answer, Refused> {
        let (height, weight) = (centimetres(&self.height)?, weight(&self.weight)?);
        let index = body_mass_index(weight.kilograms()?, height)?;
        let formula = format!("{weight} ÷ ({})²", metres(height)?);
        let steps = vec![Step::new("Body-mass index", formula, index)];
        Ok(Answer::new(Shown::exact(index), steps))
    }
}

impl BsaArgs {
    pub(super) fn answer(&self) -> Result<Answer, Refused> {
        let (height, weight) = (centimetres(&self.height)?, weight(&self.weight)?);
        let formula = SurfaceFormula::from(self.formula);
        let area = body_surface_area(formula, weight.kilograms()?, height)?;
        let exact = is_exact(formula, weight, height, area)?;
        let shown = if exact { Shown::exact(area) } else { Shown::irrational(area) };
        let height = Quantity::new(height, Unit::Centimetre);
        let text = format!("{} with H = {height} and W = {weight}", formula.text());
        Ok(Answer::new(shown, vec![Step::new("Body surface area", text, area)]))
    }
}

/// Only Mosteller's square root ever comes out even.
fn is_exact(
    formula: SurfaceFormula,
    weight: Weight,
    centimetres: Rational,
    area: Quantity,
) -> Result<bool, Refused> {
    let square = area.value().times(area.value())?.times(Rational::from_integer(3_600))?;
    let product = centimetres.times(weight.kilograms()?)?;
    Ok(formula == SurfaceFormula::Mosteller && square == product)
}

/// A plausible height in cm. Finer than a stored height, since 66 inches are 167.64 cm.
fn centimetres(text: &str) -> Result<Rational, Refused> {
    let height = Quantity::parse_text(text)?;
    match Height::try_from(height) {
        Ok(_) | Err(QuantityError::TooFine { .. }) => Ok(height.convert(Unit::Centimetre)?.value()),
        Err(refused) => Err(refused.into()),
    }
}

fn metres(centimetres: Rational) -> Result<Quantity, Refused> {
    Ok(Quantity::new(centimetres, Unit::Centimetre).convert(Unit::Metre)?)
}

impl From<WeightName> for WeightFormula {
    fn from(name: WeightName) -> Self {
        match name {
            WeightName::Devine => Self::Devine,
            WeightName::Robinson => Self::Robinson,
            WeightName::Adjusted => Self::Adjusted,
            WeightName::Janmahasatian => Self::Janmahasatian,
            WeightName::Boer => Self::Boer,
            WeightName::James => Self::James,
            WeightName::Hume => Self::Hume,
        }
    }
}

impl From<SurfaceName> for SurfaceFormula {
    fn from(name: SurfaceName) -> Self {
        match name {
            SurfaceName::Mosteller => Self::Mosteller,
            SurfaceName::DuBois => Self::DuBois,
            SurfaceName::Haycock => Self::Haycock,
            SurfaceName::GehanGeorge => Self::GehanGeorge,
            SurfaceName::Boyd => Self::Boyd,
        }
    }
}
