//! Limits: what needs a reason, and what has none that would do.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::error::DosingError;
use crate::units::{Mass, Quantity, QuantityError, Rational, Unit};

/// Limits of one protocol. A limit is kept to, never passed, when the dose equals it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Limits {
    /// Below it, a reason is needed. In the kind of unit of the dose.
    pub soft_low: Option<Quantity>,
    /// Above it, a reason is needed. In the kind of unit of the dose.
    pub soft_high: Option<Quantity>,
    /// Above it, refused. In the kind of unit of the dose.
    pub hard_high: Option<Quantity>,
    /// Above it in all, refused, whatever the patient weighs.
    pub absolute_hard: Option<Mass>,
}

/// Which limit was crossed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum LimitKind {
    /// Below the usual range.
    SoftLow,
    /// Above the usual range.
    SoftHigh,
    /// Above what the protocol allows.
    HardHigh,
    /// Above what the protocol allows in all.
    AbsoluteHard,
}

/// A limit that was crossed, with both numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Crossing {
    /// Which limit.
    pub kind: LimitKind,
    /// What was asked for.
    pub found: Quantity,
    /// The limit.
    pub limit: Quantity,
}

impl Limits {
    /// The soft limits that `dose` crosses; an error above the hard limit. At a limit is within it.
    pub fn check(&self, dose: Quantity) -> Result<Vec<Crossing>, DosingError> {
        let above = |limit, kind| crossing(kind, dose, limit, |found, limit| found > limit);
        let below = |limit, kind| crossing(kind, dose, limit, |found, limit| found < limit);
        if let Some(crossing) = above(self.hard_high, LimitKind::HardHigh)? {
            return Err(DosingError::OverHardLimit(crossing));
        }
        let low = below(self.soft_low, LimitKind::SoftLow)?;
        let high = above(self.soft_high, LimitKind::SoftHigh)?;
        Ok([low, high].into_iter().flatten().collect())
    }

    /// Refuses a mass above the limit for all of it. `unit` is the one to print the limit in.
    pub fn check_total(&self, total: Quantity, unit: Unit) -> Result<(), DosingError> {
        let limit = self.absolute_hard.map(|mass| mass.to_quantity(unit)).transpose()?;
        let kind = LimitKind::AbsoluteHard;
        match crossing(kind, total, limit, |found, limit| found > limit)? {
            Some(crossing) => Err(DosingError::OverHardLimit(crossing)),
            None => Ok(()),
        }
    }

    /// The lowest upper limit that `dose` keeps to: rounding must not carry the dose past it.
    pub fn ceiling(&self, dose: Quantity) -> Result<Option<Quantity>, QuantityError> {
        let mut ceiling: Option<Quantity> = None;
        for limit in [self.soft_high, self.hard_high].into_iter().flatten() {
            let limit = limit.convert(dose.unit())?;
            let lower = ceiling.is_none_or(|ceiling| limit.value() < ceiling.value());
            if dose.value() <= limit.value() && lower {
                ceiling = Some(limit);
            }
        }
        Ok(ceiling)
    }

    /// True if there is nothing to check.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn crossing(
    kind: LimitKind,
    found: Quantity,
    limit: Option<Quantity>,
    crossed: impl Fn(Rational, Rational) -> bool,
) -> Result<Option<Crossing>, QuantityError> {
    let Some(limit) = limit else { return Ok(None) };
    let same_unit = limit.convert(found.unit())?;
    let crossed = crossed(found.value(), same_unit.value());
    Ok(crossed.then_some(Crossing { kind, found, limit }))
}

impl fmt::Display for LimitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SoftLow | Self::SoftHigh => "soft limit",
            Self::HardHigh => "hard limit",
            Self::AbsoluteHard => "hard limit for the total",
        })
    }
}

impl fmt::Display for Crossing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = if self.kind == LimitKind::SoftLow { "below" } else { "above" };
        write!(f, "{} is {side} the {} of {}", self.found, self.kind, self.limit)
    }
}

/// The limits in words, for the working.
impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let usual = match (self.soft_low, self.soft_high) {
            (Some(low), Some(high)) => Some(format!("usually {low} to {high}")),
            (Some(low), None) => Some(format!("usually from {low}")),
            (None, Some(high)) => Some(format!("usually up to {high}")),
            (None, None) => None,
        };
        let parts = [
            usual,
            self.hard_high.map(|limit| format!("never above {limit}")),
            self.absolute_hard.map(|limit| format!("never above {limit} in all")),
        ];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        f.write_str(&parts.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantity(text: &str) -> Quantity {
        Quantity::parse_text(text).unwrap()
    }

    fn limits() -> Limits {
        Limits {
            soft_low: Some(quantity("0.1 mg/kg")),
            soft_high: Some(quantity("750 mcg/kg")),
            hard_high: Some(quantity("1 mg/kg")),
            absolute_hard: Some(Mass::try_from(quantity("100 mg")).unwrap()),
        }
    }

    #[test]
    fn a_limit_is_within_and_the_next_digit_is_not() {
        let kinds = |dose| -> Vec<_> {
            limits().check(quantity(dose)).unwrap().iter().map(|c| c.kind).collect()
        };
        assert_eq!(kinds("0.099999999 mg/kg"), [LimitKind::SoftLow]);
        assert_eq!(kinds("0.1 mg/kg"), []);
        assert_eq!(kinds("0.75 mg/kg"), []);
        assert_eq!(kinds("0.750000001 mg/kg"), [LimitKind::SoftHigh]);
        assert_eq!(kinds("1 mg/kg"), [LimitKind::SoftHigh]);
        let error = limits().check(quantity("1.000000001 mg/kg")).unwrap_err();
        assert_eq!(error.reason(), "OVER_HARD_LIMIT");
        assert_eq!(
            error.to_string(),
            "1.000000001 mg/kg is above the hard limit of 1 mg/kg; \
             it is refused, not lowered, and cannot be overridden"
        );
    }

    #[test]
    fn the_total_has_a_limit_of_its_own() {
        assert!(limits().check_total(quantity("100 mg"), Unit::Milligram).is_ok());
        let error = limits().check_total(quantity("100.000001 mg"), Unit::Milligram).unwrap_err();
        let DosingError::OverHardLimit(crossing) = error else { panic!("{error}") };
        assert_eq!(crossing.kind, LimitKind::AbsoluteHard);
    }

    #[test]
    fn the_ceiling_is_the_next_limit_that_is_kept() {
        let ceiling = |dose| limits().ceiling(quantity(dose)).unwrap().unwrap().to_string();
        assert_eq!(ceiling("0.5 mg/kg"), "0.75 mg/kg");
        assert_eq!(ceiling("0.8 mg/kg"), "1 mg/kg");
        assert_eq!(Limits::default().ceiling(quantity("1 mg/kg")).unwrap(), None);
    }

    #[test]
    fn a_limit_of_another_kind_is_an_error_and_not_ignored() {
        let error = limits().check(quantity("0.5 mg/kg/h")).unwrap_err();
        assert_eq!(error.reason(), "WRONG_KIND_OF_UNIT");
    }
}
