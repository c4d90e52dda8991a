//! Axes with round ticks, and where a value lies on them.

/// A stretch of values between two round ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Axis {
    pub(super) low: i64,
    pub(super) high: i64,
    step: i64,
}

impl Axis {
    /// An axis over all these values, its ticks 1, 2 or 5 times a power of ten apart.
    pub(super) fn decimal(values: impl IntoIterator<Item = i64>, most_ticks: i64) -> Self {
        let steps = (0..17).flat_map(|power| [1, 2, 5].map(|digit| digit * 10_i64.pow(power)));
        Self::with_steps(values, steps, most_ticks)
    }

    /// An axis of minutes, its ticks as a clock would have them.
    pub(super) fn minutes(values: impl IntoIterator<Item = i64>, most_ticks: i64) -> Self {
        let steps = [1, 5, 10, 15, 20, 30, 60, 120, 240, 480, 720].into_iter();
        Self::with_steps(values, steps.chain(doubled_from(1440)), most_ticks)
    }

    /// An axis of days, its ticks whole weeks apart as soon as there are some.
    pub(super) fn days(values: impl IntoIterator<Item = i64>, most_ticks: i64) -> Self {
        Self::with_steps(values, [1, 2].into_iter().chain(doubled_from(7)), most_ticks)
    }

    fn with_steps(
        values: impl IntoIterator<Item = i64>,
        steps: impl Iterator<Item = i64>,
        most_ticks: i64,
    ) -> Self {
        let ends = values.into_iter().fold(None, |ends: Option<(i64, i64)>, value| {
            Some(ends.map_or((value, value), |(low, high)| (low.min(value), high.max(value))))
        });
        let (low, high) = ends.unwrap_or((0, 1));
        let mut axis = Self { low, high: high.max(low.saturating_add(1)), step: 1 };
        for step in steps {
            let from = low.div_euclid(step) * step;
            // The first round value at or above the highest, and never the same as the lowest.
            let to = (high - 1).div_euclid(step) * step + step;
            axis = Self { low: from, high: to.max(from + step), step };
            if (axis.high - axis.low) / step < most_ticks {
                break;
            }
        }
        axis
    }

    /// The round values on it, in order.
    pub(super) fn ticks(self) -> Vec<i64> {
        let mut ticks = Vec::new();
        let mut tick = self.low;
        while tick <= self.high {
            ticks.push(tick);
            tick += self.step;
        }
        ticks
    }
}

/// A number and its doubles, as far as an axis can want them.
fn doubled_from(first: i64) -> impl Iterator<Item = i64> {
    (0..50).map(move |power| first << power)
}

/// Where values lie on paper.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    low: i64,
    span: i64,
    start: i64,
    length: i64,
}

impl Scale {
    /// Values from `low` to `high` between two coordinates, of which the second may be the smaller one: paper counts
    /// downwards.
    pub(super) fn new((low, high): (i64, i64), (start, end): (i64, i64)) -> Self {
        Self { low, span: (high - low).max(1), start, length: end - start }
    }

    /// The coordinate of a value; one beyond the axis is put at its end.
    pub(super) fn at(self, value: i64) -> i64 {
        let along = i128::from(value.saturating_sub(self.low).clamp(0, self.span));
        let (span, length) = (i128::from(self.span), i128::from(self.length));
        // To the nearest coordinate, which is no further than `length`.
        let offset = (along * length * 2 + span).div_euclid(span * 2);
        self.start + i64::try_from(offset).expect("a part of a length that is one")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ticks_are_round_and_hold_the_values_between_them() {
        assert_eq!(Axis::decimal([118, 184], 7).ticks(), [100, 120, 140, 160, 180, 200]);
        assert_eq!(Axis::decimal([0, 5], 7).ticks(), [0, 1, 2, 3, 4, 5]);
        assert_eq!(Axis::decimal([-5, 4], 7).ticks(), [-6, -4, -2, 0, 2, 4]);
        assert_eq!(Axis::decimal([7], 7).ticks(), [7, 8]);
        assert_eq!(Axis::decimal([], 7).ticks(), [0, 1]);
        assert_eq!(
            Axis::minutes([-10, 125], 12).ticks(),
            [-15, 0, 15, 30, 45, 60, 75, 90, 105, 120, 135]
        );
        assert_eq!(Axis::days([0, 27], 12).ticks(), [0, 7, 14, 21, 28]);
    }

    #[test]
    fn values_are_put_to_the_nearest_coordinate() {
        let up = Scale::new((0, 100), (200, 100));
        assert_eq!([0, 50, 100, 500, -1].map(|value| up.at(value)), [200, 150, 100, 100, 200]);
        assert_eq!(Scale::new((5, 5), (0, 10)).at(5), 0);
    }

    proptest! {
        #[test]
        fn any_values_find_an_axis(values in proptest::collection::vec(-4_000_000_000_000_000_i64..4_000_000_000_000_000, 0..9)) {
            for axis in [Axis::decimal(values.clone(), 7), Axis::days(values.clone(), 12), Axis::minutes(values.clone(), 12)] {
                let ticks = axis.ticks();
                prop_assert!((2..=12).contains(&ticks.len()), "{ticks:?}");
                prop_assert!(values.iter().all(|value| (axis.low..=axis.high).contains(value)));
            }
        }
    }
}
