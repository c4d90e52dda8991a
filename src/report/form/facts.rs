//! What a session gives for the form, each thing chosen once for both of its shapes.

use crate::pb::v1;
use crate::report::FormInput;
use crate::report::moments::{SiteTime, first_dose, minutes_between, moment};
use crate::report::reading::{Sign, is_met, is_score, low_is_worse, monitoring};
use crate::report::words::{devices, sum};
use crate::time::{Date, Timestamp};
use crate::units::{Quantity, Rational, Unit};
use crate::wire::date_from_wire;

/// Minutes after the first dose at which the form wants the blood pressure.
pub(super) const SECOND_PRESSURE: i64 = 40;
/// Minutes by which that reading may be off and still be "about 40 minutes".
pub(super) const SECOND_PRESSURE_SLACK: i64 = 10;
/// Minutes for which the form wants the patient to be monitored.
pub(super) const LEAST_MINUTES: i64 = 120;

/// What the form asks for and this ledger never holds.
pub(super) const BY_HAND: [&str; 5] = [
    "sex of the patient",
    "telephone and e-mail of the person who monitored",
    "whether this is the patient's first treatment, and whether the patient is enrolled in the programme",
    "which of the medicines that sedate or change blood pressure the patient takes, where the answer is yes",
    "when the patient would have been ready to leave without the two-hour minimum",
];

/// Words by which the questions about other medicines are known.
const MEDICINES: [&str; 6] =
    ["medicine", "medication", "benzodiazepine", "sedative", "stimulant", "inhibitor"];

/// What the form gets.
pub(super) struct Facts<'a> {
    pub(super) time: SiteTime,
    pub(super) first_dose: Option<Timestamp>,
    pub(super) day: Option<Date>,
    pub(super) mass: Option<Quantity>,
    pub(super) devices: Option<Quantity>,
    pub(super) before: Option<Pressure<'a>>,
    pub(super) second: Option<Pressure<'a>>,
    pub(super) leaving: Option<Pressure<'a>>,
    /// Whether the vital signs passed none of the plan's limits before the dose, and before leaving.
    pub(super) acceptable: (Option<bool>, Option<bool>),
    pub(super) medicines: Vec<&'a v1::AnswerRecord>,
    pub(super) sedation: Scale<'a>,
    pub(super) dissociation: Scale<'a>,
    pub(super) respiration: Vec<&'a v1::AdverseEffect>,
    pub(super) lowest_saturation: Option<(&'a v1::Reading, &'a v1::ObservationRecord)>,
    pub(super) other: Vec<&'a v1::AdverseEffect>,
    pub(super) serious: Vec<&'a v1::AdverseEffect>,
    /// Minutes from the first device to the end of monitoring.
    pub(super) minutes: Option<i64>,
    pub(super) end: Option<Timestamp>,
    pub(super) gave: Vec<&'a str>,
    pub(super) observed: Vec<&'a str>,
    pub(super) due: Option<Date>,
    pub(super) sent: Option<Date>,
    pub(super) overdue: bool,
}

/// A blood pressure with where it comes from.
#[derive(Clone, Copy)]
pub(super) struct Pressure<'a> {
    pub(super) systolic: &'a v1::Reading,
    pub(super) diastolic: &'a v1::Reading,
    pub(super) made: &'a v1::ObservationRecord,
    pub(super) at: Timestamp,
}

/// A scale's readings, and what was recorded as an adverse effect of its kind.
pub(super) struct Scale<'a> {
    pub(super) highest: Option<(&'a v1::Reading, &'a v1::ObservationRecord)>,
    pub(super) lowest: Option<(&'a v1::Reading, &'a v1::ObservationRecord)>,
    /// Whether the plan's criteria say that low values are the bad ones.
    pub(super) low_is_worse: Option<bool>,
    pub(super) effects: Vec<&'a v1::AdverseEffect>,
}

impl Scale<'_> {
    /// When the first of the effects began.
    pub(super) fn onset(&self) -> Option<Timestamp> {
        self.effects.iter().filter_map(|effect| moment(effect.onset_time.as_ref())).min()
    }

    /// When the last of the effects ended; nothing while one lasts.
    pub(super) fn resolved(&self) -> Option<Timestamp> {
        let ends = self.effects.iter().map(|effect| moment(effect.end_time.as_ref()));
        ends.collect::<Option<Vec<_>>>()?.into_iter().max()
    }
}

impl<'a> Facts<'a> {
    pub(super) fn of(input: &FormInput<'a>) -> Self {
        let session = input.session;
        let time = SiteTime::of(input.site);
        let monitoring = monitoring(input.plan);
        let first_dose = first_dose(session);
        let discharged = session.discharge.as_ref().and(session.end_time.as_ref());
        let end = moment(discharged);
        let pressures = pressures(session, &monitoring);
        let fresh = i64::from(monitoring.discharge_observed_minutes);
        let due = session.form_due_date.as_ref().and_then(|day| date_from_wire(day).ok());
        let sent = session.form_sent_date.as_ref().and_then(|day| date_from_wire(day).ok());
        let until = sent.or_else(|| time.day(input.printed));
        let effects = &session.adverse_effects;
        let of_kind = |kind| effects.iter().filter(move |it| it.kind() == kind).collect::<Vec<_>>();
        let named = [
            v1::EffectKind::Sedation,
            v1::EffectKind::Dissociation,
            v1::EffectKind::RespiratoryDepression,
        ];
        Self {
            time,
            first_dose,
            day: first_dose.and_then(|dose| time.day(dose)),
            mass: sum(session.doses.iter().map(|dose| dose.dose.as_ref())),
            devices: number_of_devices(session),
            before: first_dose.and_then(|dose| last(&pressures, |at| at <= dose)),
            second: first_dose.and_then(|dose| nearest(&pressures, dose)),
            leaving: first_dose.zip(end).and_then(|(dose, end)| {
                last(&pressures, |at| at > dose && at <= end && minutes_between(at, end) <= fresh)
            }),
            acceptable: acceptable(session, &monitoring, first_dose, end),
            medicines: session.answers.iter().filter(|answer| is_about_medicines(answer)).collect(),
            sedation: scale(session, &monitoring, Sign::Sedation, of_kind(named[0])),
            dissociation: scale(session, &monitoring, Sign::Dissociation, of_kind(named[1])),
            respiration: of_kind(named[2]),
            lowest_saturation: extremes(session, &monitoring, Sign::Saturation).0,
            other: effects.iter().filter(|it| !named.contains(&it.kind())).collect(),
            serious: effects.iter().filter(|effect| effect.serious).collect(),
            minutes: first_dose.zip(end).map(|(dose, end)| minutes_between(dose, end)),
            end,
            gave: each_once(session.doses.iter().map(|dose| dose.given_by.as_str())),
            observed: each_once(session.observations.iter().map(|it| it.observed_by.as_str())),
            due,
            sent,
            overdue: due.zip(until).is_some_and(|(due, until)| until > due),
        }
    }

    /// What should be in the ledger and is not, in words.
    pub(super) fn missing(&self, input: &FormInput<'_>) -> Vec<String> {
        let session = input.session;
        let second = format!(
            "blood pressure about {SECOND_PRESSURE} minutes after the first dose ({} to {} minutes)",
            SECOND_PRESSURE - SECOND_PRESSURE_SLACK,
            SECOND_PRESSURE + SECOND_PRESSURE_SLACK
        );
        let answered =
            self.medicines.iter().any(|it| matches!(it.answer(), v1::Answer::Yes | v1::Answer::No));
        let checks = [
            (
                input.identity.is_some(),
                "name and date of birth of the patient: identity not opened",
            ),
            (!input.site.display_name.is_empty(), "name of the site"),
            (!input.site.address.is_empty(), "address of the site"),
            (self.day.is_some(), "treatment date: nothing was given"),
            (self.mass.is_some(), "dose in mg"),
            (self.devices.is_some(), "number of devices"),
            (self.before.is_some(), "blood pressure before the first dose"),
            (self.second.is_some(), second.as_str()),
            (self.leaving.is_some(), "blood pressure before leaving"),
            (self.acceptable.0.is_some(), "whether vital signs were acceptable before the dose"),
            (self.acceptable.1.is_some(), "whether vital signs were acceptable before leaving"),
            (answered, "answer about other medicines"),
            (is_known(&self.sedation), "sedation: no score and no effect is recorded"),
            (is_known(&self.dissociation), "dissociation: no score and no effect is recorded"),
            (self.end.is_some(), "discharge time"),
            (self.minutes.is_some(), "minutes of monitoring"),
            (!session.calculated_by.is_empty(), "prescriber"),
            (!self.gave.is_empty(), "nurse who gave the dose"),
            (!self.observed.is_empty(), "person who monitored"),
            (self.due.is_some(), "last day on which the form is in time"),
        ];
        let absent = checks.into_iter().filter(|(there, _)| !there);
        let mut missing: Vec<String> = absent.map(|(_, what)| what.to_owned()).collect();
        for (number, dose) in (1..).zip(&session.doses) {
            let parts = [
                (!dose.lot.is_empty(), "lot"),
                (dose.expiry_date.is_some(), "expiry"),
                (moment(dose.start_time.as_ref()).is_some(), "time"),
            ];
            for (_, part) in parts.into_iter().filter(|(there, _)| !there) {
                missing.push(format!("{part} of device {number}"));
            }
        }
        missing
    }
}

fn is_known(scale: &Scale<'_>) -> bool {
    scale.highest.is_some() || !scale.effects.is_empty()
}

fn each_once<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut found = Vec::new();
    for name in names.filter(|name| !name.is_empty()) {
        if !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

/// Devices given, where everything that was given counts in devices.
fn number_of_devices(session: &v1::Session) -> Option<Quantity> {
    let amounts = session.doses.iter().map(|dose| devices(dose.amount.as_ref()));
    let amounts: Vec<Rational> = amounts.collect::<Option<_>>()?;
    let first = amounts.first().copied()?;
    let mut rest = amounts.into_iter().skip(1);
    let total = rest.try_fold(first, |total, amount| total.plus(amount).ok())?;
    Some(Quantity::new(total, Unit::Device))
}

/// The observations with both pressures, in the order of time.
fn pressures<'a>(session: &'a v1::Session, monitoring: &v1::Monitoring) -> Vec<Pressure<'a>> {
    let mut found: Vec<Pressure<'a>> = session
        .observations
        .iter()
        .filter_map(|made| {
            Some(Pressure {
                systolic: Sign::Systolic.of(monitoring, made)?,
                diastolic: Sign::Diastolic.of(monitoring, made)?,
                made,
                at: moment(made.observed_time.as_ref())?,
            })
        })
        .collect();
    found.sort_by_key(|pressure| pressure.at);
    found
}

fn last<'a>(
    pressures: &[Pressure<'a>],
    counts: impl Fn(Timestamp) -> bool,
) -> Option<Pressure<'a>> {
    pressures.iter().rfind(|pressure| counts(pressure.at)).copied()
}

/// The pressure nearest to 40 minutes after the dose, of those that are near enough.
fn nearest<'a>(pressures: &[Pressure<'a>], dose: Timestamp) -> Option<Pressure<'a>> {
    let off = |it: &Pressure<'_>| (minutes_between(dose, it.at) - SECOND_PRESSURE).abs();
    let near = pressures.iter().filter(|it| off(it) <= SECOND_PRESSURE_SLACK);
    near.min_by_key(|it| off(it)).copied()
}

fn is_about_medicines(answer: &v1::AnswerRecord) -> bool {
    let (id, text) = (answer.question.to_lowercase(), answer.text.to_lowercase());
    // Misuse is another question, although it names medicines.
    let misuse = id.contains("misuse") || text.contains("misuse");
    !misuse && MEDICINES.iter().any(|word| id.contains(word) || text.contains(word))
}

type Extreme<'a> = Option<(&'a v1::Reading, &'a v1::ObservationRecord)>;

/// The lowest and the highest reading of a sign, each with its observation; of equal ones the first.
fn extremes<'a>(
    session: &'a v1::Session,
    monitoring: &v1::Monitoring,
    sign: Sign,
) -> (Extreme<'a>, Extreme<'a>) {
    let made = session.observations.iter();
    let readings: Vec<_> =
        made.filter_map(|made| Some((sign.of(monitoring, made)?, made))).collect();
    let lowest = readings.iter().min_by_key(|(reading, _)| reading.value);
    let highest = readings.iter().rev().max_by_key(|(reading, _)| reading.value);
    (lowest.copied(), highest.copied())
}

fn scale<'a>(
    session: &'a v1::Session,
    monitoring: &v1::Monitoring,
    sign: Sign,
    effects: Vec<&'a v1::AdverseEffect>,
) -> Scale<'a> {
    let (lowest, highest) = extremes(session, monitoring, sign);
    let low_is_worse = highest.and_then(|(reading, _)| low_is_worse(monitoring, &reading.measure));
    Scale { highest, lowest, low_is_worse, effects }
}

/// Whether the vital signs were within the plan's limits before the dose and before leaving; unknown where a reading is
/// missing, or where the plan has no limit.
fn acceptable(
    session: &v1::Session,
    monitoring: &v1::Monitoring,
    dose: Option<Timestamp>,
    end: Option<Timestamp>,
) -> (Option<bool>, Option<bool>) {
    let fresh = i64::from(monitoring.discharge_observed_minutes);
    let before = dose
        .and_then(|dose| within(session, monitoring, v1::CriterionWhen::Before, &|at| at <= dose));
    let leaving = dose.zip(end).and_then(|(dose, end)| {
        let counts = |at| at > dose && at <= end && minutes_between(at, end) <= fresh;
        within(session, monitoring, v1::CriterionWhen::Discharge, &counts)
    });
    (before, leaving)
}

fn within(
    session: &v1::Session,
    monitoring: &v1::Monitoring,
    when: v1::CriterionWhen,
    counts: &dyn Fn(Timestamp) -> bool,
) -> Option<bool> {
    let vital = |id: &String| {
        monitoring.measures.iter().any(|measure| measure.id == *id && !is_score(measure))
    };
    let criteria = monitoring.criteria.iter();
    let own: Vec<_> = criteria.filter(|it| it.when() == when && vital(&it.measure)).collect();
    let mut within = (!own.is_empty()).then_some(true)?;
    for criterion in own {
        let readings = session.observations.iter().filter_map(|made| {
            let at = moment(made.observed_time.as_ref()).filter(|at| counts(*at))?;
            let reading = made.readings.iter().find(|it| it.measure == criterion.measure)?;
            Some((at, reading.value))
        });
        let (_, value) = readings.max_by_key(|(at, _)| *at)?;
        within = within && !is_met(criterion, value);
    }
    Some(within)
}
