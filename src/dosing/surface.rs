//! Body surface area, always by the name of its formula.

use serde::{Deserialize, Serialize};

use super::power::{decimal_logarithm, power_product, square_root};
use crate::units::{OutOfRange, Quantity, Rational, Unit};

/// A published formula for body surface area.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SurfaceFormula {
    /// Mosteller, N Engl J Med 1987;317:1098.
    Mosteller,
    /// Du Bois and Du Bois, Arch Intern Med 1916;17:863.
    DuBois,
    /// Haycock, Schwartz and Wisotsky, J Pediatr 1978;93:62.
    Haycock,
    /// Gehan and George, Cancer Chemother Rep 1970;54:225.
    GehanGeorge,
    /// Boyd, The Growth of the Surface Area of the Human Body, 1935.
    Boyd,
}

impl SurfaceFormula {
    /// The formula as published, with its units (W the weight, H the height).
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Mosteller => "Mosteller: √(H cm × W kg ÷ 3600)",
            Self::DuBois => "Du Bois: 0.007184 × (W kg)^0.425 × (H cm)^0.725",
            Self::Haycock => "Haycock: 0.024265 × (W kg)^0.5378 × (H cm)^0.3964",
            Self::GehanGeorge => "Gehan and George: 0.0235 × (W kg)^0.51456 × (H cm)^0.42246",
            Self::Boyd => "Boyd: 0.0003207 × (W g)^(0.7285 − 0.0188 log10(W g)) × (H cm)^0.3",
        }
    }
}

/// Body surface area in m², to six decimals, half up. Weight and height must be positive.
pub fn body_surface_area(
    formula: SurfaceFormula,
    kilograms: Rational,
    centimetres: Rational,
) -> Result<Quantity, OutOfRange> {
    let millionths = |numerator| Rational::new(numerator, 1_000_000);
    let powers = |coefficient, weight, height| {
        power_product(
            Rational::new(coefficient, 10_000_000)?,
            &[(kilograms, millionths(weight)?), (centimetres, millionths(height)?)],
        )
    };
    let area = match formula {
        SurfaceFormula::Mosteller => {
            let product = centimetres.times(kilograms)?;
            square_root(product.over(Rational::from_integer(3_600))?)?
        }
        SurfaceFormula::DuBois => powers(71_840, 425_000, 725_000)?,
        SurfaceFormula::Haycock => powers(242_650, 537_800, 396_400)?,
        SurfaceFormula::GehanGeorge => powers(235_000, 514_560, 422_460)?,
        SurfaceFormula::Boyd => {
            let grams = kilograms.times(Rational::from_integer(1_000))?;
            let falling = millionths(18_800)?.times(decimal_logarithm(grams)?)?;
            let exponent = millionths(728_500)?.minus(falling)?;
            power_product(
                Rational::new(3_207, 10_000_000)?,
                &[(grams, exponent), (centimetres, millionths(300_000)?)],
            )?
        }
    };
    Ok(Quantity::new(area, Unit::SquareMetre))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_decimals_are_right_for_every_formula() {
        // Calculated apart from this code with 50 digits of precision.
        let table = [
            (SurfaceFormula::Mosteller, 80000, 1800, "2.000000"),
            (SurfaceFormula::Mosteller, 3250, 510, "0.214573"),
            (SurfaceFormula::Mosteller, 72500, 1701, "1.850844"),
            (SurfaceFormula::Mosteller, 640_000, 1850, "5.734884"),
            (SurfaceFormula::Mosteller, 1, 200, "0.002357"),
            (SurfaceFormula::DuBois, 80000, 1800, "1.996421"),
            (SurfaceFormula::DuBois, 3250, 510, "0.205071"),
            (SurfaceFormula::DuBois, 72500, 1701, "1.837683"),
            (SurfaceFormula::DuBois, 640_000, 1850, "4.928245"),
            (SurfaceFormula::DuBois, 1, 200, "0.003347"),
            (SurfaceFormula::Haycock, 80000, 1800, "2.006560"),
            (SurfaceFormula::Haycock, 3250, 510, "0.217346"),
            (SurfaceFormula::Haycock, 72500, 1701, "1.860892"),
            (SurfaceFormula::Haycock, 640_000, 1850, "6.206557"),
            (SurfaceFormula::Haycock, 1, 200, "0.001938"),
            (SurfaceFormula::GehanGeorge, 80000, 1800, "2.009483"),
            (SurfaceFormula::GehanGeorge, 3250, 510, "0.226904"),
            (SurfaceFormula::GehanGeorge, 72500, 1701, "1.865120"),
            (SurfaceFormula::GehanGeorge, 640_000, 1850, "5.926594"),
            (SurfaceFormula::GehanGeorge, 1, 200, "0.002382"),
            (SurfaceFormula::Boyd, 80000, 1800, "2.007355"),
            (SurfaceFormula::Boyd, 3250, 510, "0.221264"),
            (SurfaceFormula::Boyd, 72500, 1701, "1.870494"),
            (SurfaceFormula::Boyd, 640_000, 1850, "6.057203"),
            (SurfaceFormula::Boyd, 500, 200, "0.053169"),
        ];
        for (formula, grams, millimetres, area) in table {
            let kilograms = Rational::new(grams, 1_000).unwrap();
            let centimetres = Rational::new(millimetres, 10).unwrap();
            let found = body_surface_area(formula, kilograms, centimetres).unwrap();
            assert_eq!(found.value().decimal(6), area, "{formula:?} {grams} g {millimetres} mm");
        }
    }
}
