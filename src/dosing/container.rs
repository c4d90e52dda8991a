//! Which containers to open, so that least is wasted.

use std::cmp::Reverse;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::error::DosingError;
use crate::units::{Amount, Quantity, Rational};

/// Most containers that one dose is planned from: a plan that needs more is a mistake in the dose
/// or the strength.
pub const MAX_CONTAINERS: u32 = 200;
/// Most totals that are compared, in steps of the sizes' common divisor.
const MAX_TOTALS: u64 = 1_000_000;

/// The containers to open for one dose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerPlan {
    /// How many of which size, the largest first.
    pub open: Vec<(Amount, u32)>,
    /// What the dose takes.
    pub needed: Amount,
    /// What is left in them, to be wasted or kept.
    pub remainder: Amount,
}

impl ContainerPlan {
    /// The number of containers to open.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.open.iter().map(|(_, count)| count).sum()
    }
}

/// Among the sizes in stock (all of the strength that `needed` was calculated for), the choice that
/// wastes least; of several, the one with the fewest containers; of those, the one with the
/// largest. Of each size there is enough. No size, or one that is empty, is refused.
pub fn choose_vials(needed: Amount, available: &[Amount]) -> Result<ContainerPlan, DosingError> {
    let mut sizes = available.to_vec();
    for size in &sizes {
        size.compare(needed)?;
        if size.is_zero() {
            return Err(DosingError::Zero { what: "the content of a container" });
        }
    }
    sizes.sort_by_key(|size| Reverse(size.base()));
    sizes.dedup();
    let missing =
        DosingError::Missing { what: "a container size", because: "to plan what to open" };
    let largest = sizes.first().ok_or(missing)?.base();
    let too_many = || DosingError::TooManyContainers { needed, max: MAX_CONTAINERS };
    let step = sizes.iter().fold(0, |step, size| gcd(step, size.base()));
    let fewest = needed.base().div_ceil(largest);
    let last = fewest.checked_mul(largest / step).filter(|totals| *totals <= MAX_TOTALS);
    let last = last.filter(|_| fewest <= MAX_CONTAINERS.into()).ok_or_else(too_many)?;
    let table = Table::new(&sizes, step, last).ok_or_else(too_many)?;
    let chosen = table.cheapest(needed.base().div_ceil(step)).ok_or_else(too_many)?;
    plan(needed, &sizes, &chosen)
}

/// For each total, in steps, the fewest containers that add up to it, and the last one added.
struct Table {
    steps: Vec<usize>,
    fewest: Vec<Option<(u32, usize)>>,
}

impl Table {
    /// The table of the totals up to `last`; nothing if a size does not fit into memory.
    fn new(sizes: &[Amount], step: u64, last: u64) -> Option<Self> {
        let steps = sizes.iter().map(|size| usize::try_from(size.base() / step).ok());
        let steps: Vec<usize> = steps.collect::<Option<_>>()?;
        let mut fewest = vec![Some((0, 0))];
        for total in 1..=usize::try_from(last).ok()? {
            let from = |(index, size): (usize, &usize)| {
                let (count, _) = (*fewest.get(total.checked_sub(*size)?)?)?;
                Some((count + 1, index))
            };
            // The first of equals is the largest size.
            let best = steps.iter().enumerate().filter_map(from).min_by_key(|(count, _)| *count);
            fewest.push(best);
        }
        Some(Self { steps, fewest })
    }

    /// How many of each size make the smallest total from `needed` on that few enough containers
    /// reach.
    fn cheapest(&self, needed: u64) -> Option<Vec<u32>> {
        let needed = usize::try_from(needed).ok()?;
        let reached =
            |entry: &Option<(u32, usize)>| entry.is_some_and(|(n, _)| n <= MAX_CONTAINERS);
        let mut total = needed + self.fewest.iter().skip(needed).position(reached)?;
        let mut chosen = vec![0; self.steps.len()];
        while total > 0 {
            let (_, index) = (*self.fewest.get(total)?)?;
            *chosen.get_mut(index)? += 1;
            total = total.checked_sub(*self.steps.get(index)?)?;
        }
        Some(chosen)
    }
}

const fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// The number of containers of one size, and the remainder.
pub(super) fn open_vials(needed: Amount, size: Amount) -> Result<ContainerPlan, DosingError> {
    choose_vials(needed, &[size])
}

fn plan(needed: Amount, sizes: &[Amount], chosen: &[u32]) -> Result<ContainerPlan, DosingError> {
    let open: Vec<_> =
        sizes.iter().copied().zip(chosen.iter().copied()).filter(|(_, count)| *count > 0).collect();
    let mut total = Rational::ZERO;
    for (size, count) in &open {
        total = total.plus(size.rational().times(Rational::from(*count))?)?;
    }
    let remainder = Amount::from_base(needed.kind(), total.minus(needed.rational())?)?;
    Ok(ContainerPlan { open, needed, remainder })
}

/// In words: `1 container of 10 mL`, `2 devices`.
impl fmt::Display for ContainerPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = self.open.iter().map(|(size, count)| match size {
            Amount::Count(one) if one.thousandths() == 1_000 => {
                Quantity::new((*count).into(), one.unit().unit()).to_string()
            }
            _ if *count == 1 => format!("1 container of {size}"),
            _ => format!("{count} containers of {size}"),
        });
        let open: Vec<_> = open.collect();
        f.write_str(&open.join(" and "))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn amount(text: &str) -> Amount {
        Amount::try_from(Quantity::parse_text(text).unwrap()).unwrap()
    }

    fn chosen(needed: &str, sizes: &[&str]) -> String {
        let sizes: Vec<_> = sizes.iter().map(|size| amount(size)).collect();
        let plan = choose_vials(amount(needed), &sizes).unwrap();
        format!("{plan}, {} left", plan.remainder)
    }

    #[test]
    fn the_choice_that_wastes_least_is_taken() {
        assert_eq!(chosen("0.7 mL", &["10 mL"]), "1 container of 10 mL, 9.3 mL left");
        assert_eq!(
            chosen("0.7 mL", &["20 mL", "5 mL", "10 mL"]),
            "1 container of 5 mL, 4.3 mL left"
        );
        assert_eq!(
            chosen("12 mL", &["10 mL", "2 mL"]),
            "1 container of 10 mL and 1 container of 2 mL, 0 mL left"
        );
        assert_eq!(
            chosen("11.5 mL", &["10 mL", "2 mL"]),
            "1 container of 10 mL and 1 container of 2 mL, 0.5 mL left"
        );
        assert_eq!(
            chosen("9.9 mL", &["5 mL", "10 mL", "2 mL"]),
            "1 container of 10 mL, 0.1 mL left"
        );
        assert_eq!(chosen("10 mL", &["10 mL", "10 mL"]), "1 container of 10 mL, 0 mL left");
        assert_eq!(chosen("3 {device}", &["1 {device}"]), "3 devices, 0 devices left");
    }

    #[test]
    fn absurd_plans_are_refused() {
        let reason =
            |needed, sizes: &[Amount]| choose_vials(amount(needed), sizes).unwrap_err().reason();
        assert_eq!(reason("201 mL", &[amount("1 mL")]), "TOO_MANY_CONTAINERS");
        assert!(choose_vials(amount("200 mL"), &[amount("1 mL")]).is_ok());
        assert_eq!(reason("1 mL", &[]), "MISSING_INPUT");
        assert_eq!(reason("1 mL", &[amount("0 mL")]), "ZERO");
        assert_eq!(reason("1 mL", &[amount("1 {device}")]), "KINDS_DIFFER");
        assert_eq!(
            reason("1999.999 mL", &[amount("1000 mL"), amount("0.999 mL")]),
            "TOO_MANY_CONTAINERS"
        );
    }

    proptest! {
        #[test]
        fn nothing_smaller_would_have_done(
            needed in 1_u64..60,
            sizes in prop::collection::vec(1_u64..25, 1..4),
        ) {
            let millilitres = |ml: u64| amount(&format!("{ml} mL"));
            let amounts: Vec<_> = sizes.iter().map(|size| millilitres(*size)).collect();
            let plan = choose_vials(millilitres(needed), &amounts).unwrap();
            // Every total that some choice reaches, tried one by one.
            let mut reachable = vec![true];
            for total in 1..=120_usize {
                let reached = sizes.iter().any(|size| {
                    let rest = total.checked_sub(usize::try_from(*size).unwrap());
                    rest.is_some_and(|rest| reachable[rest])
                });
                reachable.push(reached);
            }
            let first = usize::try_from(needed).unwrap();
            let best = (first..=120).find(|total| reachable[*total]).unwrap() - first;
            prop_assert_eq!(plan.remainder, millilitres(best.try_into().unwrap()));
        }
    }
}
