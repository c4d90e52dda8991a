//! Whether a dose is for this patient: drug, age, questions, weight.

use crate::command::DoseInputs;
use crate::decide::soft::SoftLimits;
use crate::decide::{CLOCK_SKEW, span_micros};
use crate::dosing;
use crate::formulary::{Product, Protocol, Question, QuestionWeight, StoppingAnswer, WeightMethod};
use crate::pb::v1::{self, Answer};
use crate::refusal::Refusal;
use crate::state::FormularyRecord;
use crate::time::Timestamp;
use crate::units::{Quantity, Rational};

/// Body-mass indices that pass without a reason, in kg/m2. Outside them height and weight were probably confused or
/// mistyped: plausibility limits of this program, not clinical ones.
const PLAUSIBLE_BODY_MASS_INDEX: std::ops::RangeInclusive<u32> = 12..=70;

/// The protocol and the product, of this formulary.
pub(in crate::decide) fn find<'a>(
    record: &'a FormularyRecord,
    inputs: &DoseInputs,
) -> Result<(&'a Protocol, &'a Product), Refusal> {
    let unknown = |resource: String| move || Refusal::Unknown { resource };
    let protocol = inputs.protocol.id().parse().ok();
    let protocol = protocol.and_then(|id| record.formulary.protocol(&id));
    let product = inputs.product.id().parse().ok();
    let product = product.and_then(|id| record.formulary.product(&id));
    Ok((
        protocol.ok_or_else(unknown(inputs.protocol.to_string()))?,
        product.ok_or_else(unknown(inputs.product.to_string()))?,
    ))
}

/// Whether the protocol is for this drug and a patient of this age.
pub(super) fn right_patient(
    protocol: &Protocol,
    product: &Product,
    inputs: &DoseInputs,
) -> Result<(), Refusal> {
    if product.drug != protocol.drug {
        return Err(Refusal::WrongDrug {
            product: inputs.product.to_string(),
            found: product.drug.to_string(),
            expected: protocol.drug.to_string(),
        });
    }
    let (age, minimum) = (inputs.age_years, u32::from(protocol.minimum_age_years));
    let below = protocol.below_age_years.map(u32::from);
    if age < minimum || below.is_some_and(|below| age >= below) {
        return Err(Refusal::AgeOutside { age, minimum, below });
    }
    Ok(())
}

/// Whether the weight was come by as the protocol wants.
pub(super) fn weight_method(protocol: &Protocol, inputs: &DoseInputs) -> Result<(), Refusal> {
    let method = match inputs.weight_method {
        v1::WeightMethod::Measured => WeightMethod::Measured,
        v1::WeightMethod::Stated => WeightMethod::Stated,
        v1::WeightMethod::Estimated | v1::WeightMethod::Unspecified => WeightMethod::Estimated,
    };
    if protocol.weight.as_ref().is_some_and(|rule| !rule.allows(method)) {
        return Err(Refusal::WeightNotMeasured { found: method.word() });
    }
    Ok(())
}

/// Whether height and weight can be right.
pub(super) fn plausible_weight(inputs: &DoseInputs, soft: &mut SoftLimits) -> Result<(), Refusal> {
    let index = inputs.height.map(|height| body_mass_index(inputs, height)).transpose()?;
    let plausible = PLAUSIBLE_BODY_MASS_INDEX;
    if let Some(index) = index {
        let low = Rational::from(*plausible.start());
        let high = Rational::from(*plausible.end());
        if index.value() < low || index.value() > high {
            let text = format!(
                "body-mass index {index} is outside {low} to {high}: check height and weight"
            );
            soft.passed("BODY_MASS_INDEX", text);
        }
    }
    Ok(())
}

fn body_mass_index(inputs: &DoseInputs, height: crate::units::Height) -> Result<Quantity, Refusal> {
    inputs
        .weight
        .kilograms()
        .and_then(|weight| dosing::body_mass_index(weight, height.centimetres()?))
        .map_err(|error| Refusal::NotCalculable(error.to_string()))
}

/// Every question of the protocol has an answer here, and none of them stops.
pub(super) fn questions(
    protocol: &Protocol,
    inputs: &DoseInputs,
    soft: &mut SoftLimits,
) -> Result<(), Refusal> {
    let answer = |id: &str| {
        let given = inputs.answers.iter().find(|answered| answered.question == id);
        given.map_or(Answer::Unknown, |answered| answered.answer)
    };
    let open: Vec<&str> = protocol
        .questions
        .iter()
        .map(|question| question.id.as_str())
        .filter(|id| !matches!(answer(id), Answer::Yes | Answer::No))
        .collect();
    if !open.is_empty() {
        return Err(Refusal::Unanswered { questions: open.join(", ") });
    }
    for question in &protocol.questions {
        if !question_stops(question, answer(question.id.as_str())) {
            continue;
        }
        match question.weight {
            QuestionWeight::Hard => {
                return Err(Refusal::Contraindicated { question: question.text.clone() });
            }
            QuestionWeight::Soft => {
                let limit = format!("QUESTION:{}", question.id);
                soft.passed(&limit, question.text.clone());
            }
        }
    }
    Ok(())
}

/// Whether an answer is the one that stops.
pub(in crate::decide) fn question_stops(question: &Question, answer: Answer) -> bool {
    match question.stops_on {
        StoppingAnswer::Yes => answer == Answer::Yes,
        StoppingAnswer::No => answer == Answer::No,
    }
}

/// What cannot be older or later than it is.
pub(super) fn times(
    protocol: &Protocol,
    inputs: &DoseInputs,
    now: Timestamp,
) -> Result<(), Refusal> {
    let measured = inputs.weight_time;
    if measured.micros_since(now) > CLOCK_SKEW {
        let moment = measured.to_string();
        return Err(Refusal::InFuture { field: "inputs.weight.measured_time", moment });
    }
    let Some(rule) = &protocol.weight else { return Ok(()) };
    if now.micros_since(measured) > span_micros(rule.max_age) {
        return Err(Refusal::WeightTooOld { measured, limit: rule.max_age.to_string() });
    }
    Ok(())
}
