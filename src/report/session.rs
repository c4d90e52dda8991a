//! The report of one session: everything that was recorded about it, in the order in which it happened.

mod before;
mod closing;
mod dose;
mod observed;

use super::SessionInput;
use super::markup::Markup;
use super::moments::{SiteTime, after_dose, first_dose, moment};
use super::page::section;
use super::page::{bold, by_hand, cell, facts, flowing, footer, glance, header, page, paragraph};
use super::reading::{Sign, monitoring};
use super::words::{count, or_none, person, quantity, state, sum};
use super::{chart, words};
use crate::pb::v1;
use crate::time::Timestamp;

/// One self-contained page of HTML: no script, nothing fetched, to be printed or kept.
#[must_use]
pub fn session_page(input: &SessionInput<'_>) -> String {
    let view = View::new(input);
    let session = input.session;
    let title = format!("Session {}", session.number);
    let (name, course) = (or_none(&session.name), or_none(&session.course));
    let below = format!("{name} of {course}: {}", state(session.state()));
    let mut body = header(&title, &below, input.site);
    body.add(&view.opening());
    body.add(&view.glance());
    body.add(&section("Who did what", &view.people()));
    body.add(&section("Eligibility", &before::eligibility(&view)));
    body.add(&section("Before the dose", &before::readings(&view)));
    body.add(&section("Dose", &dose::worked_out(&view)));
    body.add(&section("Given", &dose::given(&view)));
    body.add(&section("Alerts", &observed::alerts(&view)));
    body.add(&section("Adverse effects", &observed::effects(&view)));
    body.add(&flowing("Course of the session", &view.charts()));
    body.add(&flowing("Observations", &observed::observations(&view)));
    body.add(&section("Schedule", &observed::schedule(&view)));
    body.add(&section("Vials", &closing::vials(&view)));
    body.add(&section("Discharge", &closing::discharge(&view)));
    body.add(&section("Flags and refusals", &closing::flags(&view)));
    body.add(&section("Monitoring form", &closing::form(&view)));
    let printed = view.time.full(Some(input.printed));
    body.add(&footer(input.ledger, input.size, &printed, &view.time.zone()));
    page(&format!("{title}, {name} of {course}, {}", or_none(&session.patient)), "", &body)
}

/// What the parts of the page share.
struct View<'a> {
    input: &'a SessionInput<'a>,
    monitoring: v1::Monitoring,
    time: SiteTime,
    start: Option<Timestamp>,
    first_dose: Option<Timestamp>,
}

impl<'a> View<'a> {
    fn new(input: &'a SessionInput<'a>) -> Self {
        Self {
            input,
            monitoring: monitoring(input.plan),
            time: SiteTime::of(input.site),
            start: moment(input.session.start_time.as_ref()),
            first_dose: first_dose(input.session),
        }
    }

    /// The time of a moment on the session's day, else with its day.
    fn at(&self, wire: Option<&prost_types::Timestamp>) -> String {
        self.time.short(moment(wire), self.start)
    }

    /// The same with the minutes after the first dose: `14:40 (+40 min)`.
    fn at_and_after(&self, wire: Option<&prost_types::Timestamp>) -> String {
        let after = after_dose(moment(wire), self.first_dose);
        let at = self.at(wire);
        if at.is_empty() || after.is_empty() { at } else { format!("{at} ({after})") }
    }

    fn person(&self, name: &str) -> String {
        person(self.input.people, name)
    }

    fn opening(&self) -> Markup {
        let session = self.input.session;
        let plan = self.input.plan;
        let phase = plan.phases.iter().find(|phase| phase.id == session.phase);
        let phase = match phase {
            Some(known) if !known.title.is_empty() => format!("{} ({})", known.title, known.id),
            _ => session.phase.clone(),
        };
        let age = match session.age_years {
            0 => String::new(),
            years => format!("{years} years"),
        };
        let mut opening = by_hand("Patient's name, by hand:");
        opening.add(&facts(&[
            ("Patient", session.patient.clone()),
            ("Age", age),
            ("Plan", titled(&plan.title, &session.plan)),
            ("Phase", phase),
            ("Drug", plan.drug.clone()),
            ("Protocol", session.protocol.clone()),
            ("Began", self.time.full(self.start)),
            ("First dose", self.first_dose_or_in_hands()),
            ("Ended", self.at_and_after(session.end_time.as_ref())),
            ("Rules since", format!("entries/{}", session.formulary_entry)),
        ]));
        opening
    }

    fn first_dose_or_in_hands(&self) -> String {
        let in_hands = self.at(self.input.session.dose_in_hands_time.as_ref());
        if in_hands.is_empty() {
            return self.at(session_dose_time(self.input.session));
        }
        format!("not recorded; in somebody's hands since {in_hands}")
    }

    fn glance(&self) -> Markup {
        let session = self.input.session;
        let given = sum(session.doses.iter().map(|dose| dose.dose.as_ref()));
        let systolic = self.readings(Sign::Systolic);
        let highest = systolic.iter().max_by_key(|(reading, _)| reading.value);
        let pressure = highest.map_or_else(String::new, |(_, made)| {
            pressure(&self.monitoring, made).unwrap_or_default()
        });
        let saturation = self.readings(Sign::Saturation);
        let lowest = saturation.iter().min_by_key(|(reading, _)| reading.value);
        let minutes = session.discharge.as_ref().map(|it| it.minutes_since_first_dose);
        let alerts: usize = session.observations.iter().map(|made| made.alerts.len()).sum();
        let effects = &session.adverse_effects;
        let serious = effects.iter().filter(|effect| effect.serious).count();
        let refused = session.flags.iter().filter(|flag| flag.refusal).count();
        let calculation = session.dose_calculation.as_ref();
        let mut effect_words = effects.len().to_string();
        if serious > 0 {
            effect_words = format!("{effect_words}, {serious} SERIOUS");
        }
        glance(&[
            ("Dose worked out", quantity(calculation.and_then(|it| it.measured_dose.as_ref()))),
            ("Mass given", given.map_or_else(String::new, |mass| mass.to_string())),
            ("Highest pressure", pressure),
            (
                "Lowest SpO2",
                lowest.map_or_else(String::new, |(it, _)| words::reading(it.value, &it.unit)),
            ),
            ("Alerts", alerts.to_string()),
            ("Adverse effects", effect_words),
            ("First dose to discharge", minutes.map_or_else(String::new, |it| format!("{it} min"))),
            (
                "Flags and refusals",
                format!(
                    "{}, {}",
                    count(session.flags.len() - refused, "flag", "flags"),
                    count(refused, "refusal", "refusals")
                ),
            ),
        ])
    }

    /// The readings of a sign with their observations.
    fn readings(&self, sign: Sign) -> Vec<(&'a v1::Reading, &'a v1::ObservationRecord)> {
        let made = self.input.session.observations.iter();
        made.filter_map(|made| Some((sign.of(&self.monitoring, made)?, made))).collect()
    }

    fn people(&self) -> Markup {
        let session = self.input.session;
        let mut acts = Vec::new();
        let mut row = |act: &'static str, who: Vec<&str>| {
            let mut names: Vec<String> = Vec::new();
            for name in who.into_iter().filter(|name| !name.is_empty()) {
                let shown = self.person(name);
                if !names.contains(&shown) {
                    names.push(shown);
                }
            }
            acts.push((act, names.join(", ")));
        };
        row("Began the session", vec![&session.started_by]);
        row("Worked the dose out", vec![&session.calculated_by]);
        row("Checked it independently", vec![&session.checked_by]);
        row("Gave it", session.doses.iter().map(|dose| dose.given_by.as_str()).collect());
        row(
            "Observed",
            session.observations.iter().map(|made| made.observed_by.as_str()).collect(),
        );
        let alerts = session.observations.iter().flat_map(|made| &made.alerts);
        row("Acknowledged alerts", alerts.map(|alert| alert.acknowledged_by.as_str()).collect());
        match session.state() {
            v1::SessionState::Cancelled => row("Called it off", vec![&session.ended_by]),
            _ => row("Discharged", vec![&session.ended_by]),
        }
        facts(&acts)
    }

    fn charts(&self) -> Markup {
        let (session, plan) = (self.input.session, self.input.plan);
        let mut charts = chart::vitals(session, plan);
        charts.add(&chart::scores(session, plan));
        if session.observations.is_empty() {
            charts.add(&paragraph("No observation is recorded."));
        }
        charts
    }
}

/// `Title (name)`, or what there is of it.
fn titled(title: &str, name: &str) -> String {
    match (title.is_empty(), name.is_empty()) {
        (false, false) => format!("{title} ({name})"),
        (false, true) => title.to_owned(),
        _ => name.to_owned(),
    }
}

fn session_dose_time(session: &v1::Session) -> Option<&prost_types::Timestamp> {
    let times = session.doses.iter().filter_map(|dose| dose.start_time.as_ref());
    times.min_by_key(|time| (time.seconds, time.nanos))
}

/// The pressure of an observation as people say it: `152/94 mmHg`.
pub(super) fn pressure(
    monitoring: &v1::Monitoring,
    made: &v1::ObservationRecord,
) -> Option<String> {
    let systolic = Sign::Systolic.of(monitoring, made)?;
    let unit = words::reading_unit(&systolic.unit);
    let diastolic = Sign::Diastolic.of(monitoring, made);
    let diastolic = diastolic.map_or_else(|| "not read".to_owned(), |it| it.value.to_string());
    Some(format!("{}/{diastolic} {unit}", systolic.value))
}

/// A cell that says yes or no, and stands out when it is no.
fn yes_or_no(value: bool) -> Markup {
    if value { cell("yes") } else { bold("NO") }
}
