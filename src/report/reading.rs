//! Readings against a plan's monitoring: what a measure is called, which limits it has, which readings pass them.

use crate::pb::v1;

/// A plan's monitoring; an empty one where it has none.
pub(super) fn monitoring(plan: &v1::Plan) -> v1::Monitoring {
    plan.monitoring.clone().unwrap_or_default()
}

/// What the reports look for by themselves. A formulary names its measures freely, so they are known by the words in
/// their id or name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    Systolic,
    Diastolic,
    Saturation,
    Sedation,
    Dissociation,
}

impl Sign {
    const fn words(self) -> &'static [&'static str] {
        match self {
            Self::Systolic => &["systolic"],
            Self::Diastolic => &["diastolic"],
            Self::Saturation => &["spo2", "oxygen saturation"],
            Self::Sedation => &["sedation", "moaa", "rass"],
            Self::Dissociation => &["dissociat", "cadss"],
        }
    }

    /// Whether a measure is one of these.
    pub(super) fn is(self, monitoring: &v1::Monitoring, measure: &str) -> bool {
        let name = name(monitoring, measure).to_lowercase();
        let id = measure.to_lowercase();
        self.words().iter().any(|word| id.contains(word) || name.contains(word))
    }

    /// The reading of it among those of one observation.
    pub(super) fn of<'a>(
        self,
        monitoring: &v1::Monitoring,
        observation: &'a v1::ObservationRecord,
    ) -> Option<&'a v1::Reading> {
        observation.readings.iter().find(|reading| self.is(monitoring, &reading.measure))
    }
}

/// A measure's name for people; its id where the plan does not know it.
pub(super) fn name<'a>(monitoring: &'a v1::Monitoring, id: &'a str) -> &'a str {
    let known = monitoring.measures.iter().find(|measure| measure.id == id);
    known.map_or(id, |measure| if measure.name.is_empty() { id } else { &measure.name })
}

/// The names of several measures, with commas.
pub(super) fn names(monitoring: &v1::Monitoring, ids: &[String]) -> String {
    ids.iter().map(|id| name(monitoring, id)).collect::<Vec<_>>().join(", ")
}

/// The measures that take part: those of the plan, then those that were read although the plan has them not.
pub(super) fn measures(monitoring: &v1::Monitoring, session: &v1::Session) -> Vec<v1::Measure> {
    let mut all = monitoring.measures.clone();
    for reading in session.observations.iter().flat_map(|made| &made.readings) {
        if !all.iter().any(|measure| measure.id == reading.measure) {
            let (id, unit) = (reading.measure.clone(), reading.unit.clone());
            all.push(v1::Measure { name: id.clone(), id, unit, ..Default::default() });
        }
    }
    all
}

/// Whether a measure is a score and not a vital sign.
pub(super) fn is_score(measure: &v1::Measure) -> bool {
    measure.unit.starts_with('{')
}

/// The value beyond which a criterion is met.
pub(super) fn bound(criterion: &v1::Criterion) -> Option<i32> {
    criterion.above.or(criterion.below)
}

/// `above 140`, `below 90`.
pub(super) fn bound_words(criterion: &v1::Criterion) -> String {
    match (criterion.above, criterion.below) {
        (Some(above), _) => format!("above {above}"),
        (None, Some(below)) => format!("below {below}"),
        (None, None) => String::new(),
    }
}

/// Whether a value meets a criterion.
pub(super) fn is_met(criterion: &v1::Criterion, value: i32) -> bool {
    criterion.above.is_some_and(|above| value > above)
        || criterion.below.is_some_and(|below| value < below)
}

/// When a criterion is looked at: `before`, `during`, `discharge`.
pub(super) fn when(criterion: &v1::Criterion) -> &'static str {
    match criterion.when() {
        v1::CriterionWhen::Unspecified => "at any time",
        v1::CriterionWhen::Before => "before",
        v1::CriterionWhen::During => "during",
        v1::CriterionWhen::Discharge => "discharge",
    }
}

/// Whether low values are the bad ones, as the plan's criteria say; unknown where it has none for the measure, or some
/// of both kinds.
pub(super) fn low_is_worse(monitoring: &v1::Monitoring, measure: &str) -> Option<bool> {
    let of = monitoring.criteria.iter().filter(|criterion| criterion.measure == measure);
    let mut found = None;
    for criterion in of {
        let low = criterion.above.is_none() && criterion.below.is_some();
        if found.is_some_and(|known| known != low) {
            return None;
        }
        found = Some(low);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measure_is_known_by_its_id_or_its_name() {
        let measure = v1::Measure {
            id: "moaas".into(),
            name: "Sedation (MOAA/S)".into(),
            ..Default::default()
        };
        let monitoring = v1::Monitoring { measures: vec![measure], ..Default::default() };
        assert!(Sign::Sedation.is(&monitoring, "moaas"));
        assert!(!Sign::Dissociation.is(&monitoring, "moaas"));
        assert!(Sign::Systolic.is(&monitoring, "systolic"));
        assert_eq!(name(&monitoring, "moaas"), "Sedation (MOAA/S)");
        assert_eq!(name(&monitoring, "other"), "other");
    }

    #[test]
    fn a_value_on_the_limit_does_not_pass_it() {
        let above = v1::Criterion { above: Some(140), ..Default::default() };
        assert!(is_met(&above, 141) && !is_met(&above, 140));
        let below = v1::Criterion { below: Some(90), ..Default::default() };
        assert!(is_met(&below, 89) && !is_met(&below, 90));
        assert_eq!(bound_words(&below), "below 90");
        assert_eq!(bound_words(&v1::Criterion::default()), "");
    }

    #[test]
    fn criteria_say_which_way_is_worse() {
        let of = |above, below| v1::Criterion {
            measure: "m".into(),
            above,
            below,
            ..Default::default()
        };
        let plan = |criteria| v1::Monitoring { criteria, ..Default::default() };
        assert_eq!(low_is_worse(&plan(vec![of(None, Some(3))]), "m"), Some(true));
        assert_eq!(low_is_worse(&plan(vec![of(Some(4), None)]), "m"), Some(false));
        assert_eq!(low_is_worse(&plan(vec![of(Some(4), None), of(None, Some(3))]), "m"), None);
        assert_eq!(low_is_worse(&plan(vec![]), "m"), None);
    }
}
