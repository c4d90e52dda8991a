//! Weight scalars: which weight a dose per kilogram is multiplied by, and why.

use serde::{Deserialize, Serialize};

use super::body::Sex;
use super::error::DosingError;
use super::formula::{WeightFormula, by_formula, kilograms};
use super::step::Step;
use crate::formulary::{BelowSixtyInches, WeightScalar};
use crate::units::{Height, Quantity, Weight};

/// The weight that a dose is calculated with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DosingWeight {
    /// The scalar that was asked for.
    pub scalar: WeightScalar,
    /// The weight, exactly, in kg.
    pub weight: Quantity,
    /// Which weight it is and why, in words.
    pub reason: String,
    /// How it was found.
    pub steps: Vec<Step>,
}

/// The weight to dose by, with the reason and the working. Height and sex are needed for all
/// scalars but the actual weight.
pub fn dosing_weight(
    scalar: WeightScalar,
    weight: Weight,
    height: Option<Height>,
    sex: Option<Sex>,
    below: BelowSixtyInches,
) -> Result<DosingWeight, DosingError> {
    let actual = weight.kilograms()?;
    if scalar == WeightScalar::Actual {
        let steps = vec![Step::new("Dosing weight", "actual weight", weight)];
        let reason = "actual weight".to_owned();
        return Ok(DosingWeight { scalar, weight: kilograms(actual), reason, steps });
    }
    let missing = |what| DosingError::Missing { what, because: "for this dosing weight" };
    let centimetres = height.ok_or_else(|| missing("the height"))?.centimetres()?;
    let sex = sex.ok_or_else(|| missing("the sex"))?;
    let formula = match scalar {
        WeightScalar::Actual | WeightScalar::Ideal => WeightFormula::Devine,
        WeightScalar::Adjusted => WeightFormula::Adjusted,
        WeightScalar::Lean => WeightFormula::Janmahasatian,
    };
    let (mut found, mut steps) = by_formula(formula, sex, centimetres, Some(weight), below)?;
    if scalar == WeightScalar::Ideal && actual < found.value() {
        found = kilograms(actual);
        steps.push(Step::new("Dosing weight", "actual weight, below the ideal", found));
    }
    let reason = match scalar {
        WeightScalar::Lean => "lean weight (Janmahasatian), as the protocol asks",
        _ if found.value() == actual => "actual weight, since it is not above the ideal weight",
        WeightScalar::Adjusted => "adjusted weight, since the actual weight is above the ideal",
        WeightScalar::Ideal | WeightScalar::Actual => "ideal weight (Devine), as the protocol asks",
    };
    Ok(DosingWeight { scalar, weight: found, reason: reason.to_owned(), steps })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dosing(scalar: WeightScalar, sex: Sex, mm: u64, grams: u64) -> DosingWeight {
        let height = Height::from_millimetres(mm).unwrap();
        let weight = Weight::from_grams(grams).unwrap();
        dosing_weight(scalar, weight, Some(height), Some(sex), BelowSixtyInches::Refuse).unwrap()
    }

    #[test]
    fn each_scalar_gives_its_weight_and_its_reason() {
        let adjusted = dosing(WeightScalar::Adjusted, Sex::Female, 1_600, 160_000);
        assert_eq!(adjusted.weight.value().decimal(6), "95.429134");
        assert!(adjusted.reason.starts_with("adjusted weight"));
        assert_eq!(
            adjusted.steps[0].to_string(),
            "Ideal weight (Devine): 45.5 kg + 2.3 kg × (160 cm ÷ 2.54 cm − 60) = 52.38189 kg"
        );
        let light = dosing(WeightScalar::Adjusted, Sex::Female, 1_600, 50_000);
        assert_eq!(light.weight.to_string(), "50 kg");
        assert!(light.reason.starts_with("actual weight"));
        let ideal = dosing(WeightScalar::Ideal, Sex::Male, 1_600, 80_000);
        assert_eq!(ideal.weight.to_string(), "56.88189 kg");
        let light = dosing(WeightScalar::Ideal, Sex::Male, 1_600, 50_000);
        assert_eq!(light.weight.to_string(), "50 kg");
        let lean = dosing(WeightScalar::Lean, Sex::Male, 1_500, 80_000);
        assert_eq!(lean.weight.value().decimal(6), "51.643454");
        assert_eq!(dosing(WeightScalar::Actual, Sex::Male, 1_500, 72_500).steps.len(), 1);
    }

    #[test]
    fn nothing_is_assumed_for_a_missing_height_or_sex() {
        let weight = Weight::from_grams(72_500).unwrap();
        let height = Some(Height::from_millimetres(1_700).unwrap());
        for scalar in [WeightScalar::Ideal, WeightScalar::Adjusted, WeightScalar::Lean] {
            for (height, sex) in [(None, Some(Sex::Male)), (height, None)] {
                let error = dosing_weight(scalar, weight, height, sex, BelowSixtyInches::Refuse)
                    .unwrap_err();
                assert_eq!(error.reason(), "MISSING_INPUT");
            }
        }
        assert!(
            dosing_weight(WeightScalar::Actual, weight, None, None, BelowSixtyInches::Refuse)
                .is_ok()
        );
    }
}
