//! Reading what a person types: quantities with their unit, moments, days, names, scans, answers.
//!
//! Each function is a value parser of clap: what it refuses ends the program with the usage status
//! and the reason, before anything is signed.

use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;

use super::error::CliError;
use crate::ident::Lot;
use crate::names::{
    AlertName, CalculationName, CourseName, DispensingName, EffectName, EntryName, PatientName,
    PersonName, PlaceName, PlanName, ProductName, ProtocolName, SessionName, VialName, WasteName,
};
use crate::pb::v1;
use crate::pb::v1::record_adverse_effect_request::Subject;
use crate::time::{Date, TimeError, Timestamp};
use crate::units::Quantity;
use crate::wire::{date_to_wire, quantity_to_wire, timestamp_to_wire};

/// FNC1 as scanners send it: the ASCII group separator.
const SEPARATOR: &str = "\u{1d}";
/// How people, scanners' set-up sheets and terminals write that character.
const SEPARATOR_SPELLINGS: [&str; 5] = ["<GS>", "{GS}", "\\x1d", "\\x1D", "^]"];
/// Longest note beside an override, in characters.
const MAX_NOTE_CHARS: usize = 500;

/// A moment that is named before the clock is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// So many microseconds before now; 0 for now itself.
    Before(i64),
    /// A moment on the calendar.
    At(Timestamp),
}

impl Moment {
    /// This very moment.
    pub(super) const NOW: Self = Self::Before(0);

    /// The moment, as the wire carries it.
    #[must_use]
    pub(super) fn resolve(self, now: Timestamp) -> prost_types::Timestamp {
        let moment = match self {
            Self::Before(micros) => now.checked_add_micros(-micros).unwrap_or(Timestamp::MIN),
            Self::At(moment) => moment,
        };
        timestamp_to_wire(moment)
    }
}

/// `now`, `25 min ago`, `2 h ago`, or RFC 3339 such as `2026-11-21T03:15:00Z` or
/// `2026-11-20T22:15:00-05:00`.
pub(super) fn moment(text: &str) -> Result<Moment, String> {
    let expected = "expected now, \"25 min ago\", \"2 h ago\", or a time with its zone such as \
                    2026-11-21T03:15:00Z or 2026-11-20T22:15:00-05:00";
    if text == "now" {
        return Ok(Moment::NOW);
    }
    if let Some(span) = text.strip_suffix("ago") {
        let (number, unit) = span.trim().split_once(' ').ok_or(expected)?;
        let number = number.parse::<u32>().map_err(|_| expected)?;
        let minutes = match unit {
            "min" => i64::from(number),
            "h" => i64::from(number) * 60,
            _ => return Err(expected.to_owned()),
        };
        return Ok(Moment::Before(minutes * 60 * 1_000_000));
    }
    let moment = jiff::Timestamp::from_str(text).map_err(|_| expected)?;
    Timestamp::from_micros(moment.as_microsecond()).map(Moment::At).map_err(|e| e.to_string())
}

/// A length of time: a whole number with `d`, `h`, `m` or `s`; or 0.
pub(super) fn span(text: &str) -> Result<Duration, String> {
    let expected = "expected a number and its unit, such as 24h, 7d, 30m or 90s; or 0";
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let (number, seconds) = match text.split_at_checked(text.len().saturating_sub(1)) {
        Some((number, "d")) => (number, 86_400),
        Some((number, "h")) => (number, 3_600),
        Some((number, "m")) => (number, 60),
        Some((number, "s")) => (number, 1),
        _ => return Err(expected.to_owned()),
    };
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let number = number.parse::<u64>().ok().filter(|_| digits);
    let seconds = number.and_then(|number| number.checked_mul(seconds)).ok_or(expected)?;
    Ok(Duration::from_secs(seconds))
}

/// A day that may be named before the clock is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Day {
    /// Today, where this device is.
    Today,
    /// A day of the calendar.
    On(Date),
}

impl Day {
    /// The day.
    pub(super) fn resolve(self, now: Timestamp) -> Result<Date, CliError> {
        if let Self::On(day) = self {
            return Ok(day);
        }
        let fail = |detail: &dyn ToString| CliError::Data(detail.to_string());
        let moment = jiff::Timestamp::from_microsecond(now.micros()).map_err(|e| fail(&e))?;
        let local = moment.to_zoned(jiff::tz::TimeZone::system()).date();
        local.to_string().parse().map_err(|e: TimeError| fail(&e))
    }
}

/// `today`, or a day such as `2026-11-20`.
pub(super) fn day(text: &str) -> Result<Day, String> {
    if text == "today" {
        return Ok(Day::Today);
    }
    calendar_day(text).map(Day::On).map_err(|e| format!("{e}, or today"))
}

/// A day: `2028-03-31`.
pub(super) fn date(text: &str) -> Result<v1::Date, String> {
    calendar_day(text).map(date_to_wire)
}

/// A day as the core has it: `1983-04-05`.
pub(super) fn calendar_day(text: &str) -> Result<Date, String> {
    text.parse().map_err(|e: TimeError| e.to_string())
}

/// A number with its unit: `72.5 kg`, `0.5 mg/kg`, `3 mL`. Nothing without a unit is read.
pub(super) fn quantity(text: &str) -> Result<v1::Quantity, String> {
    Quantity::parse_text(text).map(quantity_to_wire).map_err(|e| e.to_string())
}

/// The text of a scan, with the group separator in any of its usual spellings.
pub(super) fn scan(text: &str) -> Result<String, String> {
    let text = separators(text);
    if text.is_empty() { Err("the scan is empty: scan again".to_owned()) } else { Ok(text) }
}

/// What a scanner read, without the blanks around it, and every spelling of the group separator
/// made the separator itself.
pub(super) fn separators(text: &str) -> String {
    let text = text.trim_matches(|c: char| c.is_whitespace() && c != '\u{1d}');
    SEPARATOR_SPELLINGS
        .iter()
        .fold(text.to_owned(), |text, spelling| text.replace(spelling, SEPARATOR))
}

/// A lot as on the label.
pub(super) fn lot(text: &str) -> Result<String, String> {
    text.parse::<Lot>().map(|lot| lot.to_string()).map_err(|e| e.to_string())
}

/// A resource name, with or without its collection in front: `people/ada` or `ada`.
fn named<N: FromStr<Err: ToString> + ToString>(
    collection: &str,
    text: &str,
) -> Result<String, String> {
    let full = if text.contains('/') { text.to_owned() } else { format!("{collection}/{text}") };
    full.parse::<N>().map(|name| name.to_string()).map_err(|e| e.to_string())
}

/// A vial: `vials/12-1` or `12-1`.
pub(super) fn vial(text: &str) -> Result<String, String> {
    named::<VialName>("vials", text)
}

/// A person: `people/ada` or `ada`.
pub(super) fn person(text: &str) -> Result<String, String> {
    named::<PersonName>(PersonName::COLLECTION, text)
}

/// A patient under a pseudonym: `patients/p7` or `p7`.
pub(super) fn patient(text: &str) -> Result<String, String> {
    named::<PatientName>(PatientName::COLLECTION, text)
}

/// A place: `places/main` or `main`.
pub(super) fn place(text: &str) -> Result<String, String> {
    named::<PlaceName>(PlaceName::COLLECTION, text)
}

/// A product: `products/…` or its id alone.
pub(super) fn product(text: &str) -> Result<String, String> {
    named::<ProductName>(ProductName::COLLECTION, text)
}

/// A protocol: `protocols/…` or its id alone.
pub(super) fn protocol(text: &str) -> Result<String, String> {
    named::<ProtocolName>(ProtocolName::COLLECTION, text)
}

/// A dose calculation: `doseCalculations/14` or `14`.
pub(super) fn calculation(text: &str) -> Result<String, String> {
    named::<CalculationName>("doseCalculations", text)
}

/// A dispensing: `dispensings/15` or `15`.
pub(super) fn dispensing(text: &str) -> Result<String, String> {
    named::<DispensingName>("dispensings", text)
}

/// A waste: `wastes/17` or `17`.
pub(super) fn waste(text: &str) -> Result<String, String> {
    named::<WasteName>("wastes", text)
}

/// An entry: `entries/3` or `3`.
pub(super) fn entry(text: &str) -> Result<String, String> {
    named::<EntryName>("entries", text)
}

/// A plan: `plans/ket-trd-iv` or `ket-trd-iv`.
pub(super) fn plan(text: &str) -> Result<String, String> {
    named::<PlanName>(PlanName::COLLECTION, text)
}

/// What asks a patient questions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanOrProtocol {
    /// A plan, by its name.
    Plan(String),
    /// A protocol, by its name.
    Protocol(String),
}

/// A plan or a protocol, which names its collection; an id alone is a plan's.
pub(super) fn plan_or_protocol(text: &str) -> Result<PlanOrProtocol, String> {
    if text.starts_with("protocols/") {
        protocol(text).map(PlanOrProtocol::Protocol)
    } else {
        plan(text).map(PlanOrProtocol::Plan)
    }
}

/// A course: `courses/31` or `31`.
pub(super) fn course(text: &str) -> Result<String, String> {
    named::<CourseName>("courses", text)
}

/// A session: `sessions/32` or `32`.
pub(super) fn session(text: &str) -> Result<String, String> {
    named::<SessionName>("sessions", text)
}

/// An alert: `alerts/40-1` or `40-1`.
pub(super) fn alert(text: &str) -> Result<String, String> {
    named::<AlertName>("alerts", text)
}

/// An adverse effect: `adverseEffects/41` or `41`.
pub(super) fn effect(text: &str) -> Result<String, String> {
    named::<EffectName>("adverseEffects", text)
}

/// What an adverse effect belongs to: a session, which may leave its collection out, a course, or
/// an adverse effect that is recorded already.
pub(super) fn effect_subject(text: &str) -> Result<Subject, String> {
    match text.split_once('/') {
        Some(("courses", _)) => course(text).map(Subject::Course),
        Some(("adverseEffects", _)) => effect(text).map(Subject::AdverseEffect),
        Some((collection, _)) if collection != "sessions" => {
            Err("expected sessions/…, courses/… or adverseEffects/…".to_owned())
        }
        _ => session(text).map(Subject::Session),
    }
}

/// One value of a measure. Its unit is the plan's and is not typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// Id of the measure.
    pub(super) measure: String,
    /// The value.
    pub(super) value: i32,
}

/// A value as it was read: `systolic=128`.
pub(super) fn value(text: &str) -> Result<Value, String> {
    let expected = "expected MEASURE=NUMBER, a whole number without a unit (the plan gives it), \
                    such as systolic=128";
    let (measure, value) = text.split_once('=').ok_or(expected)?;
    let (measure, value) = (measure.trim(), value.trim());
    let value = value.parse().map_err(|_| expected)?;
    if measure.is_empty() {
        return Err(expected.to_owned());
    }
    Ok(Value { measure: measure.to_owned(), value })
}

/// An answer to an eligibility question: `psychosis=no`.
pub(super) fn answer(text: &str) -> Result<v1::EligibilityAnswer, String> {
    let expected = "expected QUESTION=yes, QUESTION=no or QUESTION=unknown";
    let (question, answer) = text.split_once('=').ok_or(expected)?;
    let answer = match answer.trim() {
        "yes" => v1::Answer::Yes,
        "no" => v1::Answer::No,
        "unknown" => v1::Answer::Unknown,
        _ => return Err(expected.to_owned()),
    };
    let question = question.trim();
    if question.is_empty() {
        return Err(expected.to_owned());
    }
    Ok(v1::EligibilityAnswer { question: question.to_owned(), answer: answer.into() })
}

/// A file of answers, one a line as for [`answer`]; empty lines and lines that begin with `#` are
/// skipped.
pub(super) fn answers(text: &str) -> Result<Vec<v1::EligibilityAnswer>, String> {
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
        .map(|(index, line)| answer(line).map_err(|e| format!("line {}: {e}", index + 1)))
        .collect()
}

/// Why a soft limit is passed.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Override {
    ResponseToEarlierDose,
    Tolerability,
    SpecialistAdvice,
    BenefitOutweighsRisk,
    ValueConfirmed,
}

/// A soft limit passed on purpose: `DOSE_ABOVE_USUAL=specialist-advice`, in their words
/// `DOSE_ABOVE_USUAL=specialist-advice:Dr Lee, by phone`, or for an adverse effect
/// `DOSE_CHANGED=tolerability@adverseEffects/41:nausea both times`.
pub(super) fn limit_override(text: &str) -> Result<v1::LimitOverride, String> {
    let reasons: Vec<String> = Override::value_variants()
        .iter()
        .filter_map(ValueEnum::to_possible_value)
        .map(|value| value.get_name().to_owned())
        .collect();
    let expected = || {
        format!(
            "expected LIMIT=REASON, LIMIT=REASON:NOTE or LIMIT=REASON@adverseEffects/N:NOTE, with \
             a reason of {}",
            reasons.join(", ")
        )
    };
    let (limit, rest) = text.split_once('=').ok_or_else(expected)?;
    // The note comes last, so that it may hold any character.
    let (reason, note) = rest.split_once(':').unwrap_or((rest, ""));
    let (reason, adverse_effect) = match reason.split_once('@') {
        Some((reason, found)) => (reason, effect(found.trim())?),
        None => (reason, String::new()),
    };
    let reason = match Override::from_str(reason.trim(), false).map_err(|_| expected())? {
        Override::ResponseToEarlierDose => v1::OverrideReason::ResponseToEarlierDose,
        Override::Tolerability => v1::OverrideReason::Tolerability,
        Override::SpecialistAdvice => v1::OverrideReason::SpecialistAdvice,
        Override::BenefitOutweighsRisk => v1::OverrideReason::BenefitOutweighsRisk,
        Override::ValueConfirmed => v1::OverrideReason::ValueConfirmed,
    };
    if limit.trim().is_empty() {
        return Err(expected());
    }
    if note.chars().count() > MAX_NOTE_CHARS {
        return Err(format!("the note has more than {MAX_NOTE_CHARS} characters"));
    }
    Ok(v1::LimitOverride {
        limit: limit.trim().to_owned(),
        reason: reason.into(),
        note: note.trim().to_owned(),
        adverse_effect,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_with_their_zone_or_against_the_clock() {
        let now: Timestamp = "2026-11-21T03:15:00Z".parse().unwrap();
        let read = |text: &str| moment(text).map(|m| m.resolve(now).seconds);
        let (at, _) = now.to_seconds_and_nanos();
        assert_eq!(read("now"), Ok(at));
        assert_eq!(read("25 min ago"), Ok(at - 1_500));
        assert_eq!(read("2 h ago"), Ok(at - 7_200));
        assert_eq!(read("2026-11-20T22:15:00-05:00"), Ok(at));
        for text in ["2026-11-21T03:15:00", "yesterday", "5 ago", "-5 min ago", "5 days ago", ""] {
            assert!(moment(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_length_of_time_has_its_unit() {
        assert_eq!(span("24h"), span("1d"));
        assert_eq!(span("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(span("0"), Ok(Duration::ZERO));
        for text in ["", "h", "24", "-1h", "+1h", "1.5h", "1w", "99999999999999999999d"] {
            assert!(span(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_number_without_a_unit_or_in_pounds_is_refused() {
        assert_eq!(quantity("72.5 kg").unwrap().unit, "kg");
        assert_eq!(quantity("5 mcg/kg/min").unwrap().unit, "ug/kg/min");
        for text in ["72.5", "160 lb", ".5 mg", "1e3 mg", "kg"] {
            assert!(quantity(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_separator_is_read_in_every_spelling() {
        let expected = "0100304092053105\u{1d}10A1";
        for text in [
            "0100304092053105<GS>10A1",
            "0100304092053105{GS}10A1",
            "0100304092053105\\x1d10A1\n",
            expected,
        ] {
            assert_eq!(scan(text).unwrap(), expected);
        }
        assert!(scan(" \n").is_err());
    }

    #[test]
    fn names_may_leave_their_collection_out() {
        assert_eq!(vial("12-1").unwrap(), "vials/12-1");
        assert_eq!(person("people/ada").unwrap(), "people/ada");
        assert_eq!(waste("17").unwrap(), "wastes/17");
        assert!(vial("wastes/17").is_err());
        assert!(person("Ada Alvarez").is_err());
    }

    #[test]
    fn every_question_is_answered_by_name() {
        let read = answers("# asked at 03:10\npsychosis=no\n\npregnancy = unknown\n").unwrap();
        assert_eq!(read.len(), 2);
        assert_eq!(read[1].question, "pregnancy");
        assert_eq!(read[1].answer(), v1::Answer::Unknown);
        assert!(answers("psychosis=no\nall no").unwrap_err().starts_with("line 2"));
        assert!(answer("=no").is_err());
    }

    #[test]
    fn an_override_needs_a_coded_reason() {
        let read = limit_override("DOSE_ABOVE_USUAL=specialist-advice: Dr Lee, by phone").unwrap();
        assert_eq!(read.reason(), v1::OverrideReason::SpecialistAdvice);
        assert_eq!(read.note, "Dr Lee, by phone");
        for text in ["DOSE_ABOVE_USUAL", "DOSE_ABOVE_USUAL=because", "=tolerability"] {
            assert!(limit_override(text).is_err(), "{text}");
        }
        assert!(limit_override("DOSE_ABOVE_USUAL=because").unwrap_err().contains("tolerability"));
    }

    #[test]
    fn an_override_may_name_the_adverse_effect_that_it_is_for() {
        let read = limit_override("DOSE_CHANGED=tolerability@adverseEffects/41: ill @ home: twice");
        let read = read.unwrap();
        assert_eq!(read.adverse_effect, "adverseEffects/41");
        assert_eq!(read.note, "ill @ home: twice");
        let short = limit_override("QUESTION:raised-pressure=tolerability@41").unwrap();
        assert_eq!((short.adverse_effect.as_str(), short.note.as_str()), ("adverseEffects/41", ""));
        assert_eq!(short.limit, "QUESTION:raised-pressure");
        assert!(limit_override("DOSE_CHANGED=tolerability@nausea").is_err());
        assert_eq!(limit_override("X=tolerability:a@b").unwrap().adverse_effect, "");
    }

    #[test]
    fn a_value_is_a_whole_number_and_its_unit_is_the_plans() {
        let read = value(" rass = -2").unwrap();
        assert_eq!((read.measure.as_str(), read.value), ("rass", -2));
        for text in ["systolic", "systolic=128 mmHg", "spo2=97.5", "=97", "pressure=128/79"] {
            assert!(value(text).unwrap_err().contains("whole number"), "{text}");
        }
    }

    #[test]
    fn an_adverse_effect_belongs_to_a_session_a_course_or_one_before() {
        assert_eq!(effect_subject("32").unwrap(), Subject::Session("sessions/32".into()));
        assert_eq!(effect_subject("sessions/32").unwrap(), Subject::Session("sessions/32".into()));
        assert_eq!(effect_subject("courses/31").unwrap(), Subject::Course("courses/31".into()));
        let before = Subject::AdverseEffect("adverseEffects/41".into());
        assert_eq!(effect_subject("adverseEffects/41").unwrap(), before);
        assert!(effect_subject("patients/p7").unwrap_err().contains("courses/"));
        assert!(effect_subject("alerts/40-1").is_err() && effect_subject("sessions/x").is_err());
    }

    #[test]
    fn today_is_a_day_too() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        assert_eq!(day("today"), Ok(Day::Today));
        assert_eq!(day("2026-11-20").unwrap().resolve(now).unwrap().to_string(), "2026-11-20");
        // Noon in London is the same day nearly everywhere; the zone is this device's.
        let today = Day::Today.resolve(now).unwrap().to_string();
        assert!(["2026-11-21", "2026-11-22"].contains(&today.as_str()), "{today}");
        assert!(day("yesterday").unwrap_err().ends_with("or today"));
    }
}
