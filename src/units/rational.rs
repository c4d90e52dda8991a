//! Exact rational numbers: 128-bit, always reduced, every operation checked.
//!
//! A dose passes through here unrounded; [`Rational::round_to`] is the one place where a number is
//! rounded, and the caller names the direction.

use std::cmp::Ordering;
use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};

/// The result does not fit into 128 bits, or a divisor was zero. No clinical quantity comes near
/// the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error(
    "the arithmetic left its range: a result beyond 128 bits, or a division by zero; \
     check the numbers that were given"
)]
pub struct OutOfRange;

/// The direction in which a number is rounded. There is no default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Rounding {
    /// Down, towards minus infinity: what is used at a limit.
    Floor,
    /// Up, towards plus infinity: how many containers must be opened.
    Ceil,
    /// To the nearest, half way cases away from zero, as nurses are taught (11.25 to 11.3).
    HalfUp,
}

/// An exact fraction: numerator over a positive denominator, in lowest terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "(i128, i128)", into = "(i128, i128)")]
pub struct Rational {
    numerator: i128,
    denominator: i128,
}

impl Rational {
    /// 0.
    pub const ZERO: Self = Self::from_integer(0);
    /// 1.
    pub const ONE: Self = Self::from_integer(1);

    /// `numerator / denominator`, reduced. A zero denominator is out of range.
    pub fn new(numerator: i128, denominator: i128) -> Result<Self, OutOfRange> {
        if denominator == 0 {
            return Err(OutOfRange);
        }
        let divisor = i128::try_from(gcd(numerator.unsigned_abs(), denominator.unsigned_abs()))
            .map_err(|_| OutOfRange)?;
        if divisor == 1 && denominator > 0 {
            return Ok(Self { numerator, denominator });
        }
        let sign = denominator.signum();
        Ok(Self {
            numerator: (numerator / divisor).checked_mul(sign).ok_or(OutOfRange)?,
            denominator: (denominator / divisor).checked_mul(sign).ok_or(OutOfRange)?,
        })
    }

    /// A whole number.
    #[must_use]
    pub const fn from_integer(integer: i128) -> Self {
        Self { numerator: integer, denominator: 1 }
    }

    /// The numerator, in lowest terms; it carries the sign.
    #[must_use]
    pub const fn numerator(self) -> i128 {
        self.numerator
    }

    /// The denominator, in lowest terms; always positive.
    #[must_use]
    pub const fn denominator(self) -> i128 {
        self.denominator
    }

    /// The sum.
    pub fn plus(self, other: Self) -> Result<Self, OutOfRange> {
        // Over the least common denominator, so that the intermediate products stay small.
        let common =
            i128::try_from(gcd(self.denominator.unsigned_abs(), other.denominator.unsigned_abs()))
                .map_err(|_| OutOfRange)?;
        let left = self.numerator.checked_mul(other.denominator / common);
        let right = other.numerator.checked_mul(self.denominator / common);
        let sum = left.zip(right).and_then(|(left, right)| left.checked_add(right));
        let denominator = (self.denominator / common).checked_mul(other.denominator);
        Self::new(sum.ok_or(OutOfRange)?, denominator.ok_or(OutOfRange)?)
    }

    /// The difference.
    pub fn minus(self, other: Self) -> Result<Self, OutOfRange> {
        self.plus(other.negated()?)
    }

    /// The product.
    pub fn times(self, other: Self) -> Result<Self, OutOfRange> {
        // Reduced crosswise before multiplying, so that only a result that cannot be held is out of
        // range.
        let left = Self::new(self.numerator, other.denominator)?;
        let right = Self::new(other.numerator, self.denominator)?;
        Ok(Self {
            numerator: left.numerator.checked_mul(right.numerator).ok_or(OutOfRange)?,
            denominator: left.denominator.checked_mul(right.denominator).ok_or(OutOfRange)?,
        })
    }

    /// The exact quotient. Division by zero is out of range.
    pub fn over(self, other: Self) -> Result<Self, OutOfRange> {
        self.times(Self::new(other.denominator, other.numerator)?)
    }

    /// The number with its sign turned.
    pub fn negated(self) -> Result<Self, OutOfRange> {
        let numerator = self.numerator.checked_neg().ok_or(OutOfRange)?;
        Ok(Self { numerator, denominator: self.denominator })
    }

    /// True for 0.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.numerator == 0
    }

    /// True below 0.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.numerator < 0
    }

    /// True for a whole number.
    #[must_use]
    pub const fn is_integer(self) -> bool {
        self.denominator == 1
    }

    /// The whole number at or below.
    #[must_use]
    pub const fn floor(self) -> i128 {
        self.numerator.div_euclid(self.denominator)
    }

    /// The whole number at or above.
    #[must_use]
    pub const fn ceil(self) -> i128 {
        let floor = self.floor();
        if self.denominator == 1 { floor } else { floor + 1 }
    }

    /// The nearest whole number; half way cases away from zero.
    #[must_use]
    pub const fn half_up(self) -> i128 {
        let floor = self.floor();
        let rest = self.numerator.rem_euclid(self.denominator);
        // `rest < denominator`, so this compares 2 × rest with the denominator and cannot overflow.
        let missing = self.denominator - rest;
        let up = rest > missing || (rest == missing && self.numerator > 0);
        if up { floor + 1 } else { floor }
    }

    /// The exact whole number, or out of range if there is a fraction.
    pub const fn exact_integer(self) -> Result<i128, OutOfRange> {
        if self.denominator == 1 { Ok(self.numerator) } else { Err(OutOfRange) }
    }

    /// Rounded to a whole number in the direction named.
    #[must_use]
    pub const fn round(self, rounding: Rounding) -> i128 {
        match rounding {
            Rounding::Floor => self.floor(),
            Rounding::Ceil => self.ceil(),
            Rounding::HalfUp => self.half_up(),
        }
    }

    /// Rounded to a multiple of `step` (a graduation of a syringe, say) in the direction named.
    /// `step` must not be 0.
    pub fn round_to(self, step: Self, rounding: Rounding) -> Result<Self, OutOfRange> {
        Self::from_integer(self.over(step)?.round(rounding)).times(step)
    }

    /// The decimal string without rounding and without trailing zeros (`36.25`), if there is a
    /// finite one.
    #[must_use]
    pub fn exact_decimal(self) -> Option<String> {
        // The denominator must be made of twos and fives only, and each digit takes one of both out
        // of it.
        let denominator = self.denominator.unsigned_abs();
        if !only_twos_and_fives(denominator) {
            return None;
        }
        let mut text = String::with_capacity(COMMON_DIGITS);
        if self.is_negative() {
            text.push('-');
        }
        let numerator = self.numerator.unsigned_abs();
        push_integer(&mut text, numerator / denominator);
        let mut rest = numerator % denominator;
        if rest != 0 {
            text.push('.');
        }
        while rest != 0 {
            let scaled = rest.checked_mul(10)?;
            push_integer(&mut text, scaled / denominator);
            rest = scaled % denominator;
        }
        Some(text)
    }

    /// The decimal string with exactly `places` digits after the point, rounded half up
    /// (`10.416667`).
    ///
    /// A number too large to be scaled by that power of ten is printed as its fraction.
    #[must_use]
    pub fn decimal(self, places: u32) -> String {
        let scaled = 10_i128
            .checked_pow(places)
            .and_then(|scale| self.times(Self::from_integer(scale)).ok())
            .map(Self::half_up);
        let Some(scaled) = scaled else { return self.fraction() };
        let sign = if scaled < 0 { "-" } else { "" };
        let width = usize::try_from(places).unwrap_or(usize::MAX).saturating_add(1);
        let mut digits = format!("{:0>width$}", scaled.unsigned_abs());
        if places > 0 {
            digits.insert(digits.len().saturating_sub(width).saturating_add(1), '.');
        }
        format!("{sign}{digits}")
    }

    /// The decimal without trailing zeros, rounded half up at `places` only where it goes on longer
    /// than that.
    #[must_use]
    pub fn short_decimal(self, places: u32) -> String {
        let fixed = self.decimal(places);
        if fixed.contains('.') {
            fixed.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            fixed
        }
    }

    /// The fraction in lowest terms: `125/12`; a whole number without a denominator.
    #[must_use]
    pub fn fraction(self) -> String {
        if self.is_integer() {
            self.numerator.to_string()
        } else {
            format!("{}/{}", self.numerator, self.denominator)
        }
    }
}

/// The exact decimal where there is one, else the fraction.
impl fmt::Display for Rational {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.exact_decimal().unwrap_or_else(|| self.fraction()))
    }
}

impl From<u64> for Rational {
    fn from(integer: u64) -> Self {
        Self::from_integer(i128::from(integer))
    }
}

impl From<u32> for Rational {
    fn from(integer: u32) -> Self {
        Self::from_integer(i128::from(integer))
    }
}

impl TryFrom<(i128, i128)> for Rational {
    type Error = OutOfRange;

    fn try_from((numerator, denominator): (i128, i128)) -> Result<Self, OutOfRange> {
        Self::new(numerator, denominator)
    }
}

impl From<Rational> for (i128, i128) {
    fn from(rational: Rational) -> Self {
        (rational.numerator, rational.denominator)
    }
}

impl PartialOrd for Rational {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Rational {
    /// Exact for every pair: compares the continued fractions, since cross products could overflow.
    fn cmp(&self, other: &Self) -> Ordering {
        let (mut a, mut b) = (self.numerator, self.denominator);
        let (mut c, mut d) = (other.numerator, other.denominator);
        loop {
            let whole = a.div_euclid(b).cmp(&c.div_euclid(d));
            if whole != Ordering::Equal {
                return whole;
            }
            let (left, right) = (a.rem_euclid(b), c.rem_euclid(d));
            if left == 0 || right == 0 {
                return left.cmp(&right);
            }
            // The smaller remainder has the larger reciprocal, hence the swap.
            (a, b, c, d) = (d, right, b, left);
        }
    }
}

/// Digits that most numbers are written with at most: room for them is made at once.
const COMMON_DIGITS: usize = 16;

/// Writes a whole number. Nearly all fit into 64 bits, where that is several times faster.
fn push_integer(text: &mut String, integer: u128) {
    let written = match u64::try_from(integer) {
        Ok(small) => write!(text, "{small}"),
        Err(_) => write!(text, "{integer}"),
    };
    written.expect("a string takes whatever is written to it");
}

fn gcd(a: u128, b: u128) -> u128 {
    // Nearly all numbers fit into 64 bits, where a division is several times faster.
    match (u64::try_from(a), u64::try_from(b)) {
        (Ok(a), Ok(b)) => small_gcd(a, b).into(),
        _ if b == 0 => a,
        _ => gcd(b, a % b),
    }
}

const fn small_gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

const fn only_twos_and_fives(number: u128) -> bool {
    if number == 0 {
        return false;
    }
    let mut number = number >> number.trailing_zeros();
    while number.is_multiple_of(5) {
        number /= 5;
    }
    number == 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rational(numerator: i128, denominator: i128) -> Rational {
        Rational::new(numerator, denominator).unwrap()
    }

    #[test]
    fn decimals_are_exact_or_say_that_they_are_not() {
        assert_eq!(rational(3625, 100).exact_decimal().unwrap(), "36.25");
        assert_eq!(rational(-1, 8).exact_decimal().unwrap(), "-0.125");
        assert_eq!(rational(5, 1).exact_decimal().unwrap(), "5");
        assert_eq!(rational(125, 12).exact_decimal(), None);
        assert_eq!(rational(125, 12).decimal(6), "10.416667");
        assert_eq!(rational(125, 12).fraction(), "125/12");
        assert_eq!(rational(1, 400).decimal(2), "0.00");
        assert_eq!(rational(-1, 40).decimal(1), "0.0");
        assert_eq!(rational(-1, 20).decimal(1), "-0.1");
        assert_eq!(rational(2, 1).decimal(0), "2");
        assert_eq!(rational(100, 1).short_decimal(6), "100");
        assert_eq!(rational(1, 3).short_decimal(6), "0.333333");
    }

    #[test]
    fn half_way_cases_go_up_as_nurses_are_taught() {
        let tenth = rational(1, 10);
        assert_eq!(rational(45, 4).round_to(tenth, Rounding::HalfUp).unwrap(), rational(113, 10));
        assert_eq!(rational(45, 4).round_to(tenth, Rounding::Floor).unwrap(), rational(112, 10));
        assert_eq!(rational(45, 4).round_to(tenth, Rounding::Ceil).unwrap(), rational(113, 10));
        assert_eq!(rational(-1, 2).half_up(), -1);
        assert_eq!(rational(-1, 3).half_up(), 0);
        assert_eq!(rational(-7, 2).floor(), -4);
        assert_eq!(rational(-7, 2).ceil(), -3);
    }

    #[test]
    fn what_does_not_fit_is_an_error_and_never_wraps() {
        let huge = Rational::from_integer(i128::MAX);
        assert_eq!(huge.plus(Rational::ONE), Err(OutOfRange));
        assert_eq!(huge.times(huge), Err(OutOfRange));
        assert_eq!(Rational::ONE.over(Rational::ZERO), Err(OutOfRange));
        assert_eq!(Rational::new(1, 0), Err(OutOfRange));
        assert_eq!(Rational::new(i128::MIN, -1), Err(OutOfRange));
        assert_eq!(huge.over(huge), Ok(Rational::ONE));
    }

    fn any_rational() -> impl Strategy<Value = Rational> {
        (any::<i64>(), 1..=i64::MAX).prop_map(|(n, d)| rational(i128::from(n), i128::from(d)))
    }

    proptest! {
        #[test]
        fn order_agrees_with_cross_multiplication(a in any_rational(), b in any_rational()) {
            let left = a.numerator() * b.denominator();
            let right = b.numerator() * a.denominator();
            prop_assert_eq!(a.cmp(&b), left.cmp(&right));
        }

        #[test]
        fn what_is_added_can_be_taken_away(
            a in any::<i32>(),
            b in 1..i32::MAX,
            c in any::<i32>(),
            d in 1..i32::MAX,
        ) {
            let x = rational(a.into(), b.into());
            let y = rational(c.into(), d.into());
            prop_assert_eq!(x.plus(y).unwrap().minus(y).unwrap(), x);
            if !y.is_zero() {
                prop_assert_eq!(x.times(y).unwrap().over(y).unwrap(), x);
            }
        }

        #[test]
        fn no_operation_panics(
            a in any::<(i128, i128)>(),
            b in any::<(i128, i128)>(),
            places in 0_u32..60,
        ) {
            let (Ok(a), Ok(b)) = (Rational::try_from(a), Rational::try_from(b)) else {
                return Ok(());
            };
            let _ = (a.plus(b), a.minus(b), a.times(b), a.over(b), a.cmp(&b), a.negated());
            let _ = (a.floor(), a.half_up(), a.round_to(b, Rounding::HalfUp));
            let _ = (a.exact_decimal(), a.decimal(places), a.short_decimal(places), a.to_string());
        }

        #[test]
        fn rounding_stays_within_one_step(a in any_rational(), step in 1_i128..1000) {
            let step = rational(step, 100);
            let floor = a.round_to(step, Rounding::Floor).unwrap();
            let ceil = a.round_to(step, Rounding::Ceil).unwrap();
            prop_assert!(floor <= a && a <= ceil);
            prop_assert!(ceil.minus(floor).unwrap() <= step);
            let nearest = a.round_to(step, Rounding::HalfUp).unwrap();
            prop_assert!(nearest == floor || nearest == ceil);
        }
    }
}
