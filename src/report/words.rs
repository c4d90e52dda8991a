//! How what was recorded reads on paper.

use std::collections::BTreeMap;
use std::fmt::Display;

use crate::pb::v1;
use crate::units::{Dimension, Quantity, Rational, Unit};
use crate::wire::{date_from_wire, quantity_from_wire};

/// What stands where there is nothing to say.
pub(super) const NONE: &str = "–";

/// What the names of the reasons begin with on the wire.
const OVERRIDE_REASON: &str = "OVERRIDE_REASON";

/// A quantity as it is printed for people: `36.25 mg`, `1,000 mL`; nothing where there is none.
#[must_use]
pub fn quantity(wire: Option<&v1::Quantity>) -> String {
    wire.map_or_else(String::new, |wire| {
        quantity_from_wire(wire)
            .map_or_else(|_| format!("{} {}", wire.value, wire.unit), |found| found.to_string())
    })
}

/// A day as it is printed for people: `2028-03-31`; nothing where there is none.
#[must_use]
pub fn date(wire: Option<&v1::Date>) -> String {
    wire.and_then(|wire| date_from_wire(wire).ok()).map_or_else(String::new, |day| day.to_string())
}

/// The text, or a dash.
pub(super) fn or_none(text: &str) -> &str {
    if text.is_empty() { NONE } else { text }
}

/// A sentence's first letter.
pub(super) fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A person by display name and id, `Ada Park (people/ada)`; nothing where there is nobody.
pub(super) fn person(people: &BTreeMap<String, String>, name: &str) -> String {
    match people.get(name) {
        Some(display) if !name.is_empty() => format!("{display} ({name})"),
        _ => name.to_owned(),
    }
}

/// What the rules wrote, in plain words: `Mood 1 {score} is above 0; OVERRIDE_REASON_VALUE_CONFIRMED` becomes `Mood 1 is
/// above 0; value confirmed`. The rules' own words never change, so they keep the units and codes of the wire.
#[must_use]
pub fn plain(text: &str) -> String {
    let text = text.replace(" {score}", "").replace("mm[Hg]", "mmHg");
    let mut parts = text.split(OVERRIDE_REASON);
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|letter: char| !letter.is_ascii_uppercase() && letter != '_');
        let (code, rest) = part.split_at(end.unwrap_or(part.len()));
        plain.push_str(&word(code, ""));
        plain.push_str(rest);
    }
    plain
}

/// The words of an enum's value without its prefix: `dose stopped`; nothing where it is not set.
#[must_use]
pub fn word(value: &str, prefix: &str) -> String {
    let word = value.strip_prefix(prefix).unwrap_or(value).trim_start_matches('_');
    if word == "UNSPECIFIED" { String::new() } else { word.to_ascii_lowercase().replace('_', " ") }
}

/// `yes` or `no`.
pub(super) fn yes(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}

/// A number of things: `1 session`, `4 sessions`.
#[must_use]
pub fn count(number: impl Display, one: &str, many: &str) -> String {
    let number = number.to_string();
    let noun = if number == "1" { one } else { many };
    format!("{number} {noun}")
}

/// What kind of adverse effect it is.
#[must_use]
pub fn effect(kind: v1::EffectKind) -> String {
    word(kind.as_str_name(), "EFFECT_KIND")
}

/// How bad it was.
#[must_use]
pub fn severity(severity: v1::EffectSeverity) -> String {
    word(severity.as_str_name(), "EFFECT_SEVERITY")
}

/// What was done about it: `observed longer, infusion slowed`.
#[must_use]
pub fn actions(effect: &v1::AdverseEffect) -> String {
    let words = effect.actions().map(|it| word(it.as_str_name(), "EFFECT_ACTION"));
    words.collect::<Vec<_>>().join(", ")
}

/// Where a session stands.
#[must_use]
pub fn state(state: v1::SessionState) -> &'static str {
    match state {
        v1::SessionState::Unspecified => "not recorded",
        v1::SessionState::Open => "open, nothing recorded as given",
        v1::SessionState::Monitored => "dose given, being watched",
        v1::SessionState::Discharged => "discharged",
        v1::SessionState::Cancelled => "called off, nothing given",
    }
}

/// A UCUM unit of a reading as people write it: `mmHg`; nothing for a score.
#[must_use]
pub fn reading_unit(unit: &str) -> String {
    match unit {
        "mm[Hg]" => "mmHg".to_owned(),
        "Cel" => "°C".to_owned(),
        score if score.starts_with('{') => String::new(),
        other => other.to_owned(),
    }
}

/// A value of a measure with its unit: `152 mmHg`, `97%`, `4`.
#[must_use]
pub fn reading(value: i32, unit: &str) -> String {
    let unit = reading_unit(unit);
    let space = if unit.is_empty() || unit == "%" { "" } else { " " };
    format!("{value}{space}{unit}")
}

/// The sum of quantities of one kind, in the unit of the first; nothing when they cannot be added.
pub(super) fn sum<'a>(
    parts: impl IntoIterator<Item = Option<&'a v1::Quantity>>,
) -> Option<Quantity> {
    let mut total: Option<Quantity> = None;
    for part in parts {
        let part = quantity_from_wire(part?).ok()?;
        total = Some(match total {
            None => part,
            Some(sum) => {
                let part = part.convert(sum.unit()).ok()?;
                Quantity::new(sum.value().plus(part.value()).ok()?, sum.unit())
            }
        });
    }
    total
}

/// Whether content = given + wasted + left, worked out here again; nothing where that cannot be added up.
pub(super) fn adds_up(balance: &v1::VialBalance) -> Option<bool> {
    let parts = [
        balance.administered.as_ref(),
        balance.wasted.as_ref(),
        balance.in_container.as_ref(),
        balance.in_hands.as_ref(),
    ];
    let content = read(balance.content.as_ref())?;
    Some(sum(parts)?.convert(content.unit()).ok()?.value() == content.value())
}

/// A quantity read from the wire, where it can be.
pub(super) fn read(wire: Option<&v1::Quantity>) -> Option<Quantity> {
    wire.and_then(|wire| quantity_from_wire(wire).ok())
}

/// How many whole things a quantity counts, such as devices; nothing where it counts none.
pub(super) fn devices(wire: Option<&v1::Quantity>) -> Option<Rational> {
    let found = read(wire)?;
    let counts =
        matches!(found.unit().dimension(), Dimension::Count(_)) && found.unit() == Unit::Device;
    counts.then(|| found.value())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(value: &str, unit: &str) -> v1::Quantity {
        v1::Quantity { value: value.into(), unit: unit.into() }
    }

    #[test]
    fn what_is_absent_is_blank_and_what_is_there_has_its_unit() {
        assert_eq!(quantity(None), "");
        assert_eq!(quantity(Some(&wire("1000", "ug"))), "1,000 mcg");
        assert_eq!(quantity(Some(&wire("1", "furlong"))), "1 furlong");
        assert_eq!(date(Some(&v1::Date { year: 2028, month: 3, day: 31 })), "2028-03-31");
        assert_eq!(date(None), "");
    }

    #[test]
    fn values_of_enums_are_words() {
        assert_eq!(effect(v1::EffectKind::BlurredVision), "blurred vision");
        assert_eq!(severity(v1::EffectSeverity::Unspecified), "");
        let both = [v1::EffectAction::DoseStopped, v1::EffectAction::EmergencyCalled];
        let actions = both.map(i32::from).to_vec();
        let found = v1::AdverseEffect { actions, ..Default::default() };
        assert_eq!(super::actions(&found), "dose stopped, emergency called");
    }

    #[test]
    fn what_the_rules_wrote_is_said_in_plain_words() {
        let written = "Mood 1 {score} is above 0; 150 mm[Hg]: OVERRIDE_REASON_VALUE_CONFIRMED (well), OVERRIDE_REASON_URGENT";
        let said = "Mood 1 is above 0; 150 mmHg: value confirmed (well), urgent";
        assert_eq!(plain(written), said);
        assert_eq!(plain("1 {device} is left"), "1 {device} is left");
    }

    #[test]
    fn readings_carry_the_unit_that_people_write() {
        assert_eq!(reading(152, "mm[Hg]"), "152 mmHg");
        assert_eq!(reading(97, "%"), "97%");
        assert_eq!(reading(-1, "{score}"), "-1");
        assert_eq!(reading(72, "/min"), "72 /min");
    }

    #[test]
    fn sums_are_exact_and_of_one_kind_only() {
        let (mg, ug, ml) = (wire("0.1", "mg"), wire("200", "ug"), wire("1", "mL"));
        assert_eq!(sum([Some(&mg), Some(&ug)]).unwrap().to_string(), "0.3 mg");
        assert!(sum([Some(&mg), Some(&ml)]).is_none());
        assert!(sum([Some(&mg), None]).is_none());
        assert!(sum([]).is_none());
    }
}
