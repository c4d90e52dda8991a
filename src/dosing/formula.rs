//! Published formulas for ideal, adjusted and lean body weight.

use serde::{Deserialize, Serialize};

use super::body::{Sex, body_mass_index};
use super::error::DosingError;
use super::step::Step;
use crate::formulary::BelowSixtyInches;
use crate::units::{OutOfRange, Quantity, Rational, Unit, Weight};

/// A published formula for a weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum WeightFormula {
    /// Ideal: Devine, Drug Intell Clin Pharm 1974;8:650.
    Devine,
    /// Ideal: Robinson and others, Am J Hosp Pharm 1983;40:1016.
    Robinson,
    /// Adjusted: Devine's ideal plus 0.4 of the excess (Bauer and others, Eur J Clin Pharmacol
    /// 1983;24:643).
    Adjusted,
    /// Lean: Janmahasatian and others, Clin Pharmacokinet 2005;44:1051.
    Janmahasatian,
    /// Lean: Boer, Am J Physiol 1984;247:F632.
    Boer,
    /// Lean: James, Research on Obesity, HMSO 1976. Falls again at a high body-mass index.
    James,
    /// Lean: Hume, J Clin Pathol 1966;19:389.
    Hume,
}

impl WeightFormula {
    /// The author's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Devine => "Devine",
            Self::Robinson => "Robinson",
            Self::Adjusted => "the adjusted weight",
            Self::Janmahasatian => "Janmahasatian",
            Self::Boer => "Boer",
            Self::James => "James",
            Self::Hume => "Hume",
        }
    }
}

/// The weight by a formula, with its working. The actual weight is needed for all but Devine and
/// Robinson.
pub fn by_formula(
    formula: WeightFormula,
    sex: Sex,
    centimetres: Rational,
    actual: Option<Weight>,
    below: BelowSixtyInches,
) -> Result<(Quantity, Vec<Step>), DosingError> {
    let missing = DosingError::Missing { what: "the actual weight", because: "for this formula" };
    let actual = actual.ok_or(missing);
    let height = Quantity::new(centimetres, Unit::Centimetre);
    let over = format!("({height} ÷ 2.54 cm − 60)");
    let devine_text = format!("{} + 2.3 kg × {over}", sex.pick("45.5 kg", "50 kg"));
    let (label, text, found) = match formula {
        WeightFormula::Devine => {
            ("Ideal weight (Devine)", devine_text, devine(sex, centimetres, below)?)
        }
        WeightFormula::Robinson => {
            let (base, step) = sex.pick(("49 kg", "1.7 kg"), ("52 kg", "1.9 kg"));
            let found = robinson(sex, centimetres, below)?;
            ("Ideal weight (Robinson)", format!("{base} + {step} × {over}"), found)
        }
        WeightFormula::Adjusted => {
            let (actual, ideal) = (actual?, kilograms(devine(sex, centimetres, below)?));
            let mut steps = vec![Step::new("Ideal weight (Devine)", devine_text, ideal)];
            let found = kilograms(adjusted(ideal.value(), actual.kilograms()?)?);
            let text = if found.value() == actual.kilograms()? {
                "actual weight, not above the ideal".to_owned()
            } else {
                format!("{ideal} + 0.4 × ({actual} − {ideal})")
            };
            steps.push(Step::new("Adjusted weight", text, found));
            return Ok((found, steps));
        }
        WeightFormula::Janmahasatian => return lean(sex, centimetres, actual?),
        WeightFormula::Boer => {
            let (w, h, c) = sex.pick(("0.252", "0.473", "48.3"), ("0.407", "0.267", "19.2"));
            let (actual, label) = (actual?, "Lean weight (Boer)");
            let found = boer(sex, actual.kilograms()?, centimetres)?;
            (label, format!("{w} × {actual} + {h} × {height} − {c}"), found)
        }
        WeightFormula::Hume => {
            let female = ("0.29569", "0.41813", "43.2933");
            let (w, h, c) = sex.pick(female, ("0.32810", "0.33929", "29.5336"));
            let (actual, label) = (actual?, "Lean weight (Hume)");
            let found = hume(sex, actual.kilograms()?, centimetres)?;
            (label, format!("{w} × {actual} + {h} × {height} − {c}"), found)
        }
        WeightFormula::James => {
            let (first, square) = sex.pick(("1.07", "148"), ("1.1", "128"));
            let (actual, label) = (actual?, "Lean weight (James)");
            let found = james(sex, actual.kilograms()?, centimetres)?;
            (label, format!("{first} × {actual} − {square} × ({actual} ÷ {height})²"), found)
        }
    };
    let found = kilograms(found);
    Ok((found, vec![Step::new(label, text, found)]))
}

fn lean(
    sex: Sex,
    centimetres: Rational,
    actual: Weight,
) -> Result<(Quantity, Vec<Step>), DosingError> {
    let index = body_mass_index(actual.kilograms()?, centimetres)?;
    let found = kilograms(janmahasatian(sex, actual.kilograms()?, index.value())?);
    let height = Quantity::new(centimetres, Unit::Centimetre).convert(Unit::Metre)?;
    let (constant, factor) = sex.pick(("8780", "244"), ("6680", "216"));
    let text = format!("9270 × {actual} ÷ ({constant} + {factor} × {index})");
    let steps = vec![
        Step::new("Body-mass index", format!("{actual} ÷ ({height})²"), index),
        Step::new("Lean weight (Janmahasatian)", text, found),
    ];
    Ok((found, steps))
}

/// Devine's ideal weight in kg: 50 (men) or 45.5 (women) and 2.3 for each inch over 60. Below 60
/// inches refused unless a convention is named. An inch is 2.54 cm exactly.
pub fn devine(
    sex: Sex,
    centimetres: Rational,
    below: BelowSixtyInches,
) -> Result<Rational, DosingError> {
    let inches = inches_over_sixty(WeightFormula::Devine, centimetres, below)?;
    let weight = sex.pick(tenths(455), tenths(500))?.plus(tenths(23)?.times(inches)?)?;
    possible(WeightFormula::Devine, weight)
}

/// Robinson's ideal weight in kg: 52 and 1.9 for each inch over 60 (men), 49 and 1.7 (women). Below
/// 60 inches refused unless a convention is named.
pub fn robinson(
    sex: Sex,
    centimetres: Rational,
    below: BelowSixtyInches,
) -> Result<Rational, DosingError> {
    let inches = inches_over_sixty(WeightFormula::Robinson, centimetres, below)?;
    let per_inch = sex.pick(tenths(17), tenths(19))?;
    let weight = sex.pick(tenths(490), tenths(520))?.plus(per_inch.times(inches)?)?;
    possible(WeightFormula::Robinson, weight)
}

/// The adjusted weight in kg: ideal + 0.4 × (actual − ideal) if the actual weight is above the
/// ideal, else the actual weight.
pub fn adjusted(ideal: Rational, actual: Rational) -> Result<Rational, OutOfRange> {
    if actual <= ideal {
        return Ok(actual);
    }
    ideal.plus(tenths(4)?.times(actual.minus(ideal)?)?)
}

/// Janmahasatian's lean weight in kg: 9270 W / (6680 + 216 BMI) for men, 9270 W / (8780 + 244 BMI)
/// for women.
pub fn janmahasatian(
    sex: Sex,
    kilograms: Rational,
    body_mass_index: Rational,
) -> Result<Rational, OutOfRange> {
    let (constant, factor) = sex.pick((8_780, 244), (6_680, 216));
    let index = body_mass_index.times(Rational::from_integer(factor))?;
    let divisor = Rational::from_integer(constant).plus(index)?;
    kilograms.times(Rational::from_integer(9_270))?.over(divisor)
}

/// Boer's lean weight in kg: 0.407 W + 0.267 H − 19.2 (men), 0.252 W + 0.473 H − 48.3 (women), H in
/// cm.
pub fn boer(sex: Sex, kilograms: Rational, centimetres: Rational) -> Result<Rational, DosingError> {
    let terms = sex.pick((25_200, 47_300, 4_830_000), (40_700, 26_700, 1_920_000));
    possible(WeightFormula::Boer, linear(terms, kilograms, centimetres)?)
}

/// Hume's lean weight in kg: 0.32810 W + 0.33929 H − 29.5336 (men), 0.29569 W + 0.41813 H − 43.2933
/// (women), H in cm.
pub fn hume(sex: Sex, kilograms: Rational, centimetres: Rational) -> Result<Rational, DosingError> {
    let terms = sex.pick((29_569, 41_813, 4_329_330), (32_810, 33_929, 2_953_360));
    possible(WeightFormula::Hume, linear(terms, kilograms, centimetres)?)
}

/// James's lean weight in kg: 1.1 W − 128 (W/H)² (men), 1.07 W − 148 (W/H)² (women), H in cm.
pub fn james(
    sex: Sex,
    kilograms: Rational,
    centimetres: Rational,
) -> Result<Rational, DosingError> {
    let ratio = kilograms.over(centimetres)?;
    let (hundredths, square) = sex.pick((107, 148), (110, 128));
    let first = kilograms.times(Rational::new(hundredths, 100)?)?;
    let second = ratio.times(ratio)?.times(Rational::from_integer(square))?;
    possible(WeightFormula::James, first.minus(second)?)
}

fn inches_over_sixty(
    formula: WeightFormula,
    centimetres: Rational,
    below: BelowSixtyInches,
) -> Result<Rational, DosingError> {
    let over = centimetres.over(Rational::new(254, 100)?)?.minus(Rational::from_integer(60))?;
    match below {
        _ if !over.is_negative() => Ok(over),
        BelowSixtyInches::Continue => Ok(over),
        BelowSixtyInches::Clamp => Ok(Rational::ZERO),
        BelowSixtyInches::Refuse => Err(DosingError::BelowSixtyInches {
            height: Quantity::new(centimetres, Unit::Centimetre),
            formula: formula.name(),
        }),
    }
}

/// `a W + b H − c` with all three in hundred-thousandths.
fn linear(
    (weight, height, constant): (i128, i128, i128),
    kilograms: Rational,
    centimetres: Rational,
) -> Result<Rational, OutOfRange> {
    let part = |parts| Rational::new(parts, 100_000);
    let sum = part(weight)?.times(kilograms)?.plus(part(height)?.times(centimetres)?)?;
    sum.minus(part(constant)?)
}

fn possible(formula: WeightFormula, weight: Rational) -> Result<Rational, DosingError> {
    if weight > Rational::ZERO {
        Ok(weight)
    } else {
        let formula = formula.name();
        Err(DosingError::ImpossibleWeight { formula, weight: kilograms(weight) })
    }
}

fn tenths(tenths: i128) -> Result<Rational, OutOfRange> {
    Rational::new(tenths, 10)
}

pub(super) fn kilograms(kilograms: Rational) -> Quantity {
    Quantity::new(kilograms, Unit::Kilogram)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_sixty_inches_a_convention_must_be_named() {
        let height = Rational::from_integer(150);
        let error = devine(Sex::Male, height, BelowSixtyInches::Refuse).unwrap_err();
        assert_eq!(error.reason(), "BELOW_SIXTY_INCHES");
        assert_eq!(
            robinson(Sex::Male, height, BelowSixtyInches::Refuse).unwrap_err().reason(),
            error.reason()
        );
        let clamped = devine(Sex::Male, height, BelowSixtyInches::Clamp).unwrap();
        assert_eq!(clamped, Rational::from_integer(50));
        let continued = devine(Sex::Male, height, BelowSixtyInches::Continue).unwrap();
        assert_eq!(continued.decimal(4), "47.8268");
        let sixty = Rational::new(1_524, 10).unwrap();
        assert_eq!(
            devine(Sex::Female, sixty, BelowSixtyInches::Refuse).unwrap(),
            Rational::new(91, 2).unwrap()
        );
    }

    #[test]
    fn a_formula_that_leaves_its_range_is_refused() {
        let [short, heavy] = [50_u32, 300].map(Rational::from);
        let continued = BelowSixtyInches::Continue;
        assert!(devine(Sex::Female, short, continued).is_err());
        assert!(boer(Sex::Female, Rational::ONE, short).is_err());
        assert!(hume(Sex::Female, Rational::ONE, short).is_err());
        assert!(james(Sex::Female, heavy, Rational::from_integer(150)).is_err());
    }
}
