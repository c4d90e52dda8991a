//! A number with its unit: read strictly, converted exactly, printed so that it cannot be misread.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::error::QuantityError;
use super::rational::{OutOfRange, Rational};
use super::unit::{Dimension, Unit};

/// Most digits read before the decimal point.
pub const MAX_WHOLE_DIGITS: usize = 15;
/// Most digits read after the decimal point.
pub const MAX_DECIMALS: usize = 9;
/// Digits shown after the point of a number that has no finite decimal.
pub const SHOWN_DECIMALS: u32 = 6;

/// A number and its unit. No number without a unit enters, none leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Quantity {
    value: Rational,
    unit: Unit,
}

impl Quantity {
    /// `value` in `unit`.
    #[must_use]
    pub const fn new(value: Rational, unit: Unit) -> Self {
        Self { value, unit }
    }

    /// From a number in the base of the unit's dimension (ng, uL, mm …) into `unit`, exactly.
    pub fn from_base(base: Rational, unit: Unit) -> Result<Self, OutOfRange> {
        Ok(Self { value: base.over(Rational::from_integer(unit.size()))?, unit })
    }

    /// From the wire: a canonical decimal string and a UCUM code. `ug` is read, `mcg` is not.
    ///
    /// Canonical: digits, at most one point with digits on both sides, no leading or trailing
    /// zeros. Refused with what to send instead: pounds, no unit or an unknown one, exponents,
    /// commas, signs, naked decimals, too many digits.
    pub fn parse(value: &str, unit: &str) -> Result<Self, QuantityError> {
        let number = parse_number(value)?;
        canonical(value)?;
        let unit = parse_unit(value, unit, Unit::parse_wire)?;
        Ok(Self { value: number, unit })
    }

    /// From a person's keyboard: `72.5 kg`, `5 mcg/kg/min`. As [`Quantity::parse`], but also reads
    /// what we print (`mcg`, `devices`) and zeros at the end (`72.50 kg`).
    pub fn parse_text(text: &str) -> Result<Self, QuantityError> {
        let (value, unit) = Self::split_text(text);
        let number = parse_number(value)?;
        let unit = parse_unit(value, unit, Unit::parse_human)?;
        Ok(Self { value: number, unit })
    }

    /// Splits a person's text, `72.5 kg` or `72.5kg`, into number and unit; either may be empty.
    #[must_use]
    pub fn split_text(text: &str) -> (&str, &str) {
        let text = text.trim();
        let at = text
            .find(char::is_whitespace)
            .or_else(|| text.find(|c: char| !(c.is_ascii_digit() || "+-.,".contains(c))))
            .unwrap_or(text.len());
        let (value, unit) = text.split_at(at);
        (value, unit.trim())
    }

    /// The number.
    #[must_use]
    pub const fn value(self) -> Rational {
        self.value
    }

    /// The unit.
    #[must_use]
    pub const fn unit(self) -> Unit {
        self.unit
    }

    /// The number in the base of its dimension, exactly.
    pub fn to_base(self) -> Result<Rational, OutOfRange> {
        self.value.times(Rational::from_integer(self.unit.size()))
    }

    /// The same quantity in another unit of the same dimension, exactly.
    pub fn convert(self, unit: Unit) -> Result<Self, QuantityError> {
        self.expect_dimension(unit.dimension())?;
        Ok(Self::from_base(self.to_base()?, unit)?)
    }

    /// Itself, if it is of the kind that is needed: stops mg where mg/kg is meant.
    pub fn expect_dimension(self, expected: Dimension) -> Result<Self, QuantityError> {
        if self.unit.dimension() == expected {
            Ok(self)
        } else {
            Err(QuantityError::WrongKind { found: self, expected })
        }
    }

    /// For the wire: the canonical decimal and the UCUM code. A number without a finite decimal is
    /// rounded half up at six decimals; [`Rational::fraction`] has all of it.
    #[must_use]
    pub fn wire(self) -> (String, &'static str) {
        let value = self.value.exact_decimal();
        (value.unwrap_or_else(|| self.value.short_decimal(SHOWN_DECIMALS)), self.unit.ucum())
    }
}

/// As printed on a label: `0.5 mg`, never `.5 mg`; `5 mg`, never `5.0 mg`; `1,000 mcg`. A number
/// without a finite decimal shows six decimals at most, half up.
///
/// After ISMP's list of error-prone abbreviations, symbols and dose designations.
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (decimal, _) = self.wire();
        let unit = match self.unit.plural() {
            Some(plural) if self.value != Rational::ONE => plural,
            _ => self.unit.display(),
        };
        let space = if self.unit == Unit::Percent { "" } else { " " };
        write_grouped(&decimal, f)?;
        f.write_str(space)?;
        f.write_str(unit)
    }
}

/// Commas between the thousands of the whole part; the decimals stay as they are.
fn write_grouped(decimal: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (sign, digits) = decimal.strip_prefix('-').map_or(("", decimal), |rest| ("-", rest));
    let (whole, decimals) = digits.find('.').map_or((digits, ""), |at| digits.split_at(at));
    // One to three digits, then three at a time.
    let (first, thousands) = whole.split_at((whole.len() + 2) % 3 + 1);
    f.write_str(sign)?;
    f.write_str(first)?;
    let mut thousands = thousands;
    while let Some((three, rest)) = thousands.split_at_checked(3) {
        write!(f, ",{three}")?;
        thousands = rest;
    }
    f.write_str(decimals)
}

/// A plain decimal number, with the refusals of [`QuantityError`]; trailing zeros pass.
fn parse_number(value: &str) -> Result<Rational, QuantityError> {
    let owned = || value.to_owned();
    let Some(first) = value.chars().next() else { return Err(QuantityError::MissingNumber) };
    if first == '+' || first == '-' || first == '−' {
        return Err(QuantityError::Sign { value: owned() });
    }
    if value.contains(',') {
        return Err(QuantityError::Comma { value: owned() });
    }
    if first.is_ascii_digit() && value.contains(['e', 'E']) {
        return Err(QuantityError::Exponent { value: owned() });
    }
    let (whole, decimals) = value.split_once('.').unwrap_or((value, ""));
    if !whole.chars().chain(decimals.chars()).all(|c| c.is_ascii_digit()) || value == "." {
        return Err(QuantityError::NotANumber { value: owned() });
    }
    if whole.is_empty() {
        return Err(QuantityError::NakedDecimal { value: owned() });
    }
    if value.ends_with('.') {
        return Err(QuantityError::TrailingPoint { value: owned() });
    }
    let too_many =
        |place, digits, max| QuantityError::TooManyDigits { value: owned(), place, digits, max };
    if whole.len() > MAX_WHOLE_DIGITS {
        return Err(too_many("before", whole.len(), MAX_WHOLE_DIGITS));
    }
    if decimals.len() > MAX_DECIMALS {
        return Err(too_many("after", decimals.len(), MAX_DECIMALS));
    }
    if whole.len() > 1 && whole.starts_with('0') {
        return Err(QuantityError::LeadingZeros {
            value: owned(),
            canonical: canonical_form(value),
        });
    }
    let places = u32::try_from(decimals.len()).expect("at most MAX_DECIMALS");
    let digits = format!("{whole}{decimals}").parse().expect("24 ASCII digits fit into an i128");
    Ok(Rational::new(digits, 10_i128.pow(places))?)
}

fn canonical(value: &str) -> Result<(), QuantityError> {
    if value.contains('.') && value.ends_with('0') {
        let canonical = canonical_form(value);
        return Err(QuantityError::TrailingZeros { value: value.to_owned(), canonical });
    }
    Ok(())
}

fn canonical_form(value: &str) -> String {
    let trimmed = value.trim_start_matches('0');
    let trimmed = if trimmed.contains('.') {
        trimmed.trim_end_matches('0').trim_end_matches('.')
    } else {
        trimmed
    };
    if trimmed.is_empty() || trimmed.starts_with('.') {
        format!("0{trimmed}")
    } else {
        trimmed.to_owned()
    }
}

fn parse_unit(
    value: &str,
    unit: &str,
    read: impl Fn(&str) -> Option<Unit>,
) -> Result<Unit, QuantityError> {
    if unit.trim().is_empty() {
        return Err(QuantityError::MissingUnit { value: value.to_owned() });
    }
    if is_pounds(unit) {
        return Err(QuantityError::Pounds { value: value.to_owned(), unit: unit.to_owned() });
    }
    read(unit).ok_or_else(|| QuantityError::UnknownUnit { unit: unit.to_owned() })
}

/// Every spelling of pounds that we know of, alone or as part of a dose (`mg/lb`).
fn is_pounds(unit: &str) -> bool {
    unit.to_ascii_lowercase().split('/').any(|part| {
        matches!(
            part.trim().trim_end_matches('.'),
            "lb" | "lbs" | "[lb_av]" | "#" | "pound" | "pounds"
        )
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(text: &str) -> String {
        Quantity::parse_text(text).unwrap().to_string()
    }

    #[test]
    fn printed_doses_cannot_be_misread() {
        assert_eq!(text("0.5 mg"), "0.5 mg");
        assert_eq!(text("5.0 mg"), "5 mg");
        assert_eq!(text("1000 ug"), "1,000 mcg");
        assert_eq!(text("1234567.25 mL"), "1,234,567.25 mL");
        assert_eq!(text("5 mcg/kg/min"), "5 mcg/kg/min");
        assert_eq!(text("2 {device}"), "2 devices");
        assert_eq!(text("1 devices"), "1 device");
        assert_eq!(text("999 mg"), "999 mg");
        let third = Quantity::new(Rational::new(-1, 3).unwrap(), Unit::Percent);
        assert_eq!(third.to_string(), "-0.333333%");
    }

    #[test]
    fn every_refusal_has_its_own_reason_and_says_what_to_send() {
        let table = [
            ("160", "lb", "POUNDS", "calc convert --from \"160 lb\" --to kg"),
            ("160", "lbs", "POUNDS", "weigh in kg"),
            ("160", "[lb_av]", "POUNDS", "weigh in kg"),
            ("0.2", "mg/lb", "POUNDS", "weigh in kg"),
            ("5", "", "MISSING_UNIT", "with its unit"),
            ("5", " ", "MISSING_UNIT", "with its unit"),
            ("5", "cc", "UNKNOWN_UNIT", "send mL"),
            ("5", "mcg", "UNKNOWN_UNIT", "send ug"),
            ("5", "furlong", "UNKNOWN_UNIT", "mg/kg"),
            ("", "mg", "MISSING_NUMBER", "0.5 mg"),
            ("1e3", "mg", "EXPONENT", "all digits"),
            ("1,000", "mg", "COMMA", "1000"),
            ("-5", "mg", "SIGN", "without"),
            ("+5", "mg", "SIGN", "without"),
            (".5", "mg", "NAKED_DECIMAL", "`0.5`"),
            ("5.", "mg", "TRAILING_POINT", "`5`"),
            ("005", "mg", "LEADING_ZEROS", "`5`"),
            ("00.50", "mg", "LEADING_ZEROS", "`0.5`"),
            ("5.0", "mg", "TRAILING_ZEROS", "`5`"),
            ("0.50", "mg", "TRAILING_ZEROS", "`0.5`"),
            ("five", "mg", "NOT_A_NUMBER", "12.5"),
            ("1.2.3", "mg", "NOT_A_NUMBER", "12.5"),
            (".", "mg", "NOT_A_NUMBER", "12.5"),
            (" 5", "mg", "NOT_A_NUMBER", "12.5"),
            ("٥", "mg", "NOT_A_NUMBER", "12.5"),
            ("0.0123456789", "mg", "TOO_MANY_DIGITS", "at most 9"),
            ("1234567890123456", "mg", "TOO_MANY_DIGITS", "at most 15"),
        ];
        for (value, unit, reason, advice) in table {
            let error = Quantity::parse(value, unit).unwrap_err();
            assert_eq!(error.reason(), reason, "{value} {unit}");
            assert!(error.to_string().contains(advice), "{value} {unit}: {error}");
        }
    }

    #[test]
    fn a_unit_of_the_wrong_kind_is_named() {
        let error = Quantity::parse("0.5", "mg")
            .and_then(|dose| dose.expect_dimension(Dimension::MassPerWeight))
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "0.5 mg is a mass, but a dose per body weight is needed here; \
             send it in one of: mg/kg, ug/kg"
        );
    }

    #[test]
    fn conversions_are_exact_within_a_dimension_and_refused_across() {
        let rate = Quantity::parse_text("5 mcg/kg/min").unwrap();
        let hourly = rate.convert(Unit::MilligramPerKilogramPerHour).unwrap();
        assert_eq!(hourly.wire(), ("0.3".to_owned(), "mg/kg/h"));
        assert!(rate.convert(Unit::MilligramPerHour).is_err());
        let tablets = Quantity::parse("2", "{tablet}").unwrap();
        assert!(tablets.convert(Unit::Device).is_err());
    }

    proptest! {
        #[test]
        fn no_input_panics(value in "\\PC{0,30}", unit in "\\PC{0,12}") {
            let _ = Quantity::parse(&value, &unit);
            let _ = Quantity::parse_text(&value);
            let _ = Quantity::parse_text(&format!("{value} {unit}"));
        }

        #[test]
        fn what_looks_like_a_number_reads_back_or_is_refused(value in "[0-9.,eE+-]{1,28}") {
            if let Ok(quantity) = Quantity::parse(&value, "mg") {
                prop_assert_eq!(quantity.wire(), (value, "mg"));
            }
        }

        #[test]
        fn the_wire_round_trips(
            digits in 0_u64..1_000_000_000_000,
            places in 0_u32..=9,
            at in 0_usize..37,
        ) {
            let value = Rational::new(digits.into(), 10_i128.pow(places)).unwrap();
            let quantity = Quantity::new(value, Unit::all().nth(at).unwrap());
            let (value, unit) = quantity.wire();
            prop_assert_eq!(Quantity::parse(&value, unit).unwrap(), quantity);
            let bytes = postcard::to_allocvec(&quantity).unwrap();
            prop_assert_eq!(postcard::from_bytes::<Quantity>(&bytes).unwrap(), quantity);
        }
    }
}
