//! Roots and powers without floats: integer square root, and logarithm and exponential series in
//! rationals that are kept to eighteen decimals.
//!
//! The published formulas for body surface area have irrational results. The error here stays below
//! 10⁻¹⁵, and the results are rounded to [`DECIMALS`] decimals, so the last digit shown is right.

use crate::units::{OutOfRange, Rational, Rounding};

/// Decimals of every irrational result.
pub(super) const DECIMALS: u32 = 6;
/// The grid that intermediate results are kept on: 10⁻¹⁸.
const GRID: i128 = 1_000_000_000_000_000_000;
/// The natural logarithm of 2 on that grid.
const LN_2: i128 = 693_147_180_559_945_309;
/// Terms after which both series are below the grid: 9⁻²⁰ for the logarithm, 1/25! for the
/// exponential.
const TERMS: u32 = 25;

/// The square root, rounded half up to six decimals; exact where the root has at most six.
/// `square` must not be negative.
pub(super) fn square_root(square: Rational) -> Result<Rational, OutOfRange> {
    if square.is_negative() {
        return Err(OutOfRange);
    }
    let scale = 10_i128.pow(DECIMALS);
    // Twice the root, so that adding one and halving rounds half up.
    let scaled = square.times(Rational::from_integer(4 * scale * scale))?;
    Rational::new((scaled.floor().isqrt() + 1).div_euclid(2), scale)
}

/// `coefficient × Π base^exponent`, rounded half up to six decimals. Coefficient and bases must be
/// positive.
pub(super) fn power_product(
    coefficient: Rational,
    factors: &[(Rational, Rational)],
) -> Result<Rational, OutOfRange> {
    let mut logarithm = natural_logarithm(coefficient)?;
    for (base, exponent) in factors {
        let factor = on_grid(on_grid(*exponent)?.times(natural_logarithm(*base)?)?)?;
        logarithm = logarithm.plus(factor)?;
    }
    let step = Rational::new(1, 10_i128.pow(DECIMALS))?;
    exponential(logarithm)?.round_to(step, Rounding::HalfUp)
}

/// The decimal logarithm, on the grid.
pub(super) fn decimal_logarithm(number: Rational) -> Result<Rational, OutOfRange> {
    on_grid(natural_logarithm(number)?.over(natural_logarithm(Rational::from_integer(10))?)?)
}

/// ln(m × 2^k) = 2 artanh((m − 1) / (m + 1)) + k ln 2, with m from 1 to 2.
fn natural_logarithm(number: Rational) -> Result<Rational, OutOfRange> {
    if number <= Rational::ZERO {
        return Err(OutOfRange);
    }
    let two = Rational::from_integer(2);
    let (mut mantissa, mut doublings) = (number, 0);
    while mantissa >= two {
        mantissa = mantissa.over(two)?;
        doublings += 1;
    }
    while mantissa < Rational::ONE {
        mantissa = mantissa.times(two)?;
        doublings -= 1;
    }
    let ratio = on_grid(mantissa.minus(Rational::ONE)?.over(mantissa.plus(Rational::ONE)?)?)?;
    let square = on_grid(ratio.times(ratio)?)?;
    let (mut power, mut sum) = (ratio, ratio);
    for term in 1..=TERMS {
        power = on_grid(power.times(square)?)?;
        sum = sum.plus(on_grid(power.over(Rational::from(2 * term + 1))?)?)?;
    }
    let doubled = Rational::new(LN_2, GRID)?.times(Rational::from_integer(doublings))?;
    sum.times(two)?.plus(doubled)
}

/// e^(r + k ln 2) = e^r × 2^k, with r from 0 to ln 2.
fn exponential(exponent: Rational) -> Result<Rational, OutOfRange> {
    let ln_2 = Rational::new(LN_2, GRID)?;
    let doublings = exponent.over(ln_2)?.floor();
    let rest = exponent.minus(ln_2.times(Rational::from_integer(doublings))?)?;
    let (mut power, mut sum) = (Rational::ONE, Rational::ONE);
    for term in 1..=TERMS {
        power = on_grid(power.times(rest)?.over(Rational::from(term))?)?;
        sum = sum.plus(power)?;
    }
    let size = u32::try_from(doublings.unsigned_abs()).map_err(|_| OutOfRange)?;
    let scale = Rational::from_integer(2_i128.checked_pow(size).ok_or(OutOfRange)?);
    if doublings < 0 { sum.over(scale) } else { sum.times(scale) }
}

fn on_grid(number: Rational) -> Result<Rational, OutOfRange> {
    number.round_to(Rational::new(1, GRID)?, Rounding::HalfUp)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(numerator: i128, denominator: i128) -> Rational {
        Rational::new(numerator, denominator).unwrap()
    }

    #[test]
    fn roots_are_exact_or_rounded_half_up() {
        assert_eq!(square_root(Rational::from_integer(4)).unwrap(), Rational::from_integer(2));
        assert_eq!(square_root(decimal(9, 16)).unwrap(), decimal(3, 4));
        assert_eq!(square_root(Rational::from_integer(2)).unwrap().decimal(6), "1.414214");
        assert_eq!(square_root(Rational::ZERO).unwrap(), Rational::ZERO);
        assert_eq!(square_root(Rational::from_integer(-1)), Err(OutOfRange));
    }

    #[test]
    fn logarithms_and_powers_agree_with_published_constants() {
        // ln 10 = 2.302585092994045684…, lg 2 = 0.301029995663981195…, e = 2.718281828459045235…
        let ten = natural_logarithm(Rational::from_integer(10)).unwrap();
        assert_eq!(ten.decimal(16), "2.3025850929940457");
        let two = decimal_logarithm(Rational::from_integer(2)).unwrap();
        assert_eq!(two.decimal(16), "0.3010299956639812");
        assert_eq!(exponential(Rational::ONE).unwrap().decimal(15), "2.718281828459045");
        assert_eq!(exponential(decimal(-5, 1)).unwrap().decimal(15), "0.006737946999085");
    }

    #[test]
    fn a_power_of_one_half_is_the_square_root() {
        for number in 1..200 {
            let number = Rational::from_integer(number);
            let power = power_product(Rational::ONE, &[(number, decimal(1, 2))]).unwrap();
            assert_eq!(power, square_root(number).unwrap());
        }
    }
}
