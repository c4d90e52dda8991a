//! The whole calculation in one plain sentence, for a person to read back aloud.

use super::calculation::DoseWorking;
use super::input::DoseInput;
use crate::formulary::DoseKind;
use crate::units::{Amount, Quantity, Rational};

/// Decimals that a deviation is read with.
const DEVIATION_DECIMALS: u32 = 1;

pub(super) fn sentence(input: &DoseInput, working: &DoseWorking) -> String {
    let mut parts = vec![dose(input, working)];
    parts.extend(draw(input, working));
    parts.extend(containers(working));
    parts.extend(infusion(input, working));
    parts.extend(working.crossed.iter().map(|crossing| format!("attention: {crossing}")));
    parts.join("; ") + "."
}

fn dose(input: &DoseInput, working: &DoseWorking) -> String {
    let weight = working.dosing_weight.as_ref();
    let weight = weight.map(|weight| format!(" for {} ({})", weight.weight, weight.reason));
    let comes_to = match (working.exact_rate, working.exact_dose) {
        (Some(rate), Some(total)) => format!(" is {rate}, {total} in all"),
        (Some(rate), None) if input.kind == DoseKind::PerKgPerTime => format!(" is {rate}"),
        (None, Some(total)) if total != input.dose => format!(" is {total}"),
        _ => String::new(),
    };
    format!("{} {}{}{comes_to}", input.drug, input.dose, weight.unwrap_or_default())
}

fn draw(input: &DoseInput, working: &DoseWorking) -> Option<String> {
    let strength = input.strength?;
    if let Amount::Count(_) = strength.per() {
        let measured = working.measured.as_ref()?;
        return Some(format!("give {} of {strength}", measured.amount));
    }
    match (&working.measured, input.syringe) {
        (Some(measured), Some(syringe)) => {
            let deviation =
                deviation(measured.deviation).map(|text| format!(", {text} than exact"));
            Some(format!(
                "draw up {} of {strength} with a {syringe} syringe: that is {}{}",
                measured.amount,
                measured.dose,
                deviation.unwrap_or_default()
            ))
        }
        _ => Some(format!("draw up {} of {strength}", working.exact_amount?)),
    }
}

/// How far the measured dose is from the exact one, in words: `0.7% less`. Nothing where it is the same.
pub(super) fn deviation(deviation: Quantity) -> Option<String> {
    let value = deviation.value();
    let (part, side) = if value.is_negative() {
        (value.negated().unwrap_or(value), "less")
    } else {
        (value, "more")
    };
    if part == Rational::ZERO {
        return None;
    }
    let shown = part.decimal(DEVIATION_DECIMALS);
    // What rounds to nothing is still something.
    Some(if shown == "0" { format!("under 0.1% {side}") } else { format!("{shown}% {side}") })
}

fn containers(working: &DoseWorking) -> Option<String> {
    let plan = working.containers.as_ref()?;
    if plan.remainder.is_zero() {
        return Some(format!("open {plan}, nothing is left over"));
    }
    Some(format!("open {plan}, {} is left over", plan.remainder))
}

fn infusion(input: &DoseInput, working: &DoseWorking) -> Option<String> {
    let infusion = working.infusion.as_ref()?;
    let concentration = infusion.concentration;
    let diluted =
        input.diluted_to.map(|total| format!("dilute to {total} in all ({concentration}), "));
    let duration = infusion.duration.map(|duration| format!(" for {duration}"));
    let (diluted, duration) = (diluted.unwrap_or_default(), duration.unwrap_or_default());
    Some(format!("{diluted}run it at {}{duration}", infusion.setting))
}
