//! A dose: the right patient, protocol and product, every question answered, every limit kept.
//!
//! The arithmetic is [`dosing`]'s, the numbers are the formulary's; here they meet the patient.

use super::authority::CALCULATORS;
use super::{Case, Draft, Signer};
use crate::command::{DoseInputs, Override};
use crate::dosing::{self, DoseInput, DosingError, LimitKind, Limits, Pace, Syringe};
use crate::formulary::{
    BelowSixtyInches, Product, Protocol, QuestionWeight, StoppingAnswer, WeightMethod, WeightScalar,
};
use crate::names::{CalculationName, ProductName};
use crate::pb::v1::{self, Answer, FlagKind, outcome};
use crate::refusal::Refusal;
use crate::state::{Calculation, Change, FormularyRecord, State};
use crate::time::{Date, Timestamp};
use crate::units::{Amount, Quantity, Rational, Span, Unit, Volume};
use crate::wire::{amount_to_wire, quantity_to_wire, timestamp_to_wire};

/// Body-mass indices that pass without a reason, in kg/m2. Outside them height and weight were probably confused or
/// mistyped: plausibility limits of this program, not clinical ones.
const PLAUSIBLE_BODY_MASS_INDEX: std::ops::RangeInclusive<u32> = 12..=70;

impl Case<'_> {
    pub(super) fn calculate(&self, signer: &Signer, inputs: &DoseInputs) -> Result<Draft, Refusal> {
        self.need(signer, CALCULATORS)?;
        let worked = work(self.state, inputs, self.now)?;

        // From here the calculation is accepted.
        let name = CalculationName(self.index);
        let calculation = v1::DoseCalculation { name: name.to_string(), ..worked.message };
        let mut draft = Draft::new(outcome::Result::DoseCalculation(calculation));
        draft.touch(&inputs.patient);
        draft.touch(&inputs.product);
        draft.outcome.flags = worked.flags;
        draft.change(Change::PutCalculation(
            self.index,
            Calculation {
                patient: inputs.patient.clone(),
                protocol: inputs.protocol.clone(),
                product: inputs.product.clone(),
                amount: worked.amount,
                containers: worked.containers,
                expires: worked.expires,
                dispensed: worked.amount.zero(),
                administered: worked.amount.zero(),
                open: 0,
            },
        ));
        Ok(draft)
    }
}

/// A dose as it would be calculated now, with what a reviewer would be shown. Records nothing.
pub fn preview(
    state: &State,
    inputs: &DoseInputs,
    now: Timestamp,
) -> Result<(v1::DoseCalculation, Vec<v1::Flag>), Refusal> {
    work(state, inputs, now).map(|worked| (worked.message, worked.flags))
}

/// A dose that the rules allow.
struct Worked {
    message: v1::DoseCalculation,
    flags: Vec<v1::Flag>,
    amount: Amount,
    containers: u32,
    expires: Timestamp,
}

fn work(state: &State, inputs: &DoseInputs, now: Timestamp) -> Result<Worked, Refusal> {
    let record = state.formulary().ok_or(Refusal::NoFormulary)?;
    let (protocol, product) = find(record, inputs)?;
    let mut soft = SoftLimits::default();
    patient_fits(protocol, product, inputs, &mut soft)?;
    let input = dose_input(state, record, protocol, product, inputs, now)?;
    let working = dosing::calculate(&input).map_err(no_dose)?;
    for crossing in &working.crossed {
        let limit = match crossing.kind {
            LimitKind::SoftLow => "DOSE_BELOW_USUAL",
            _ => "DOSE_ABOVE_USUAL",
        };
        soft.passed(limit, crossing.to_string());
    }
    let missing = |what: &str| {
        Refusal::NotCalculable(format!("{what} is needed to say what to draw up; send it as well"))
    };
    let measured = working.measured.ok_or_else(|| missing("the syringe"))?;
    let exact = working.exact_dose.ok_or_else(|| missing("the infusion's duration"))?;
    let exact_amount = working.exact_amount.ok_or_else(|| missing("the product's strength"))?;
    let plan = working.containers.ok_or_else(|| missing("the container's content"))?;
    let flags = soft.settle(&inputs.overrides)?;
    times(protocol, inputs, now)?;

    let expires = span_micros(protocol.policy.calculation_valid);
    let expires = now.checked_add_micros(expires).unwrap_or(Timestamp::MAX);
    let steps = working.steps.into_iter().map(|step| v1::DoseStep {
        label: step.label,
        working: step.formula,
        result: step.result,
    });
    let message = v1::DoseCalculation {
        name: String::new(),
        patient: inputs.patient.to_string(),
        protocol: inputs.protocol.to_string(),
        product: inputs.product.to_string(),
        formulary_version: record.formulary.version().to_vec(),
        dosing_weight: working.dosing_weight.map(|weight| quantity_to_wire(weight.weight)),
        exact_dose: Some(quantity_to_wire(exact)),
        exact_amount: Some(quantity_to_wire(exact_amount)),
        measured_amount: Some(amount_to_wire(measured.amount)),
        measured_dose: Some(quantity_to_wire(measured.dose)),
        containers: plan.count(),
        remainder: Some(amount_to_wire(plan.remainder)),
        pump_rate: working.infusion.map(|infusion| quantity_to_wire(infusion.setting)),
        steps: steps.collect(),
        readback: working.sentence,
        expire_time: Some(timestamp_to_wire(expires)),
        ..v1::DoseCalculation::default()
    };
    let containers = plan.count();
    Ok(Worked { message, flags, amount: measured.amount, containers, expires })
}

fn find<'a>(
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

/// Soft limits that were passed, to be matched with the reasons that were given.
#[derive(Default)]
struct SoftLimits(Vec<(String, String)>);

impl SoftLimits {
    fn passed(&mut self, limit: &str, text: String) {
        self.0.push((limit.to_owned(), text));
    }

    /// Every soft limit needs its reason; each reason that is used is flagged.
    fn settle(self, overrides: &[Override]) -> Result<Vec<v1::Flag>, Refusal> {
        let mut flags = Vec::new();
        let mut open = Vec::new();
        for (limit, text) in self.0 {
            match overrides.iter().find(|item| item.limit == limit) {
                Some(item) => {
                    let note = item.note.as_deref().map(|note| format!(" ({note})"));
                    let reason = item.reason.as_str_name();
                    flags.push(v1::Flag {
                        kind: FlagKind::SoftLimitOverridden.into(),
                        message: format!("{limit}: {text}; {reason}{}", note.unwrap_or_default()),
                    });
                }
                None => open.push(format!("{limit}: {text}")),
            }
        }
        if open.is_empty() {
            return Ok(flags);
        }
        Err(Refusal::SoftLimit { limits: open.join("; ") })
    }
}

/// Whether the protocol is for this patient, drug and weight, as far as answers can say.
fn patient_fits(
    protocol: &Protocol,
    product: &Product,
    inputs: &DoseInputs,
    soft: &mut SoftLimits,
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
    questions(protocol, inputs, soft)?;
    let method = match inputs.weight_method {
        v1::WeightMethod::Measured => WeightMethod::Measured,
        v1::WeightMethod::Stated => WeightMethod::Stated,
        v1::WeightMethod::Estimated | v1::WeightMethod::Unspecified => WeightMethod::Estimated,
    };
    if protocol.weight.as_ref().is_some_and(|rule| !rule.allows(method)) {
        return Err(Refusal::WeightNotMeasured { found: method.word() });
    }
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

fn questions(
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
        let stops = match question.stops_on {
            StoppingAnswer::Yes => Answer::Yes,
            StoppingAnswer::No => Answer::No,
        };
        if answer(question.id.as_str()) != stops {
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

/// Everything that the arithmetic needs, from the protocol, the product and the request.
fn dose_input(
    state: &State,
    record: &FormularyRecord,
    protocol: &Protocol,
    product: &Product,
    inputs: &DoseInputs,
    now: Timestamp,
) -> Result<DoseInput, Refusal> {
    // What must never be comes before what cannot be worked out.
    let max_concentration = dilution(protocol, product, inputs)?;
    let pace = pace(protocol, inputs)?;
    let dose = inputs.dose.or(protocol.dose.default).ok_or_else(|| {
        Refusal::NotCalculable("the protocol has no usual dose; give the requested dose".to_owned())
    })?;
    let limits = Limits {
        soft_low: Some(protocol.dose.soft_low),
        soft_high: Some(protocol.dose.soft_high),
        hard_high: Some(protocol.dose.hard_high),
        absolute_hard: protocol.dose.hard_mass,
    };
    protocol.dose.kind.check(dose).map_err(|error| no_dose(error.into()))?;
    limits.check(dose).map_err(no_dose)?;
    if protocol.policy.double_check {
        return Err(Refusal::NotCalculable(
            "this protocol wants an independent double check, which this version cannot record; \
             use a protocol without one"
                .to_owned(),
        ));
    }
    let syringe = inputs.syringe.map(syringe).transpose()?;
    let rule = protocol.weight.as_ref();
    Ok(DoseInput {
        weight: Some(inputs.weight),
        height: inputs.height,
        sex: inputs.sex.and_then(sex),
        scalar: rule.map_or(WeightScalar::Actual, |rule| rule.scalar),
        below_sixty_inches: rule.map_or(BelowSixtyInches::Refuse, |rule| rule.below_60_inches),
        limits,
        strength: Some(product.strength),
        container: Some(product.content),
        stock: sizes_in_stock(state, record, product, state.day_of(now)),
        syringe,
        diluted_to: inputs.diluted_volume,
        pace,
        max_concentration,
        ..DoseInput::new(protocol.drug_name.clone(), protocol.dose.kind, dose)
    })
}

fn syringe(capacity: Volume) -> Result<Syringe, Refusal> {
    let found = capacity
        .to_quantity(Unit::Millilitre)
        .map_err(DosingError::from)
        .and_then(Syringe::of_capacity)
        .map_err(no_dose)?;
    found.ok_or_else(|| {
        let text = capacity.to_string();
        Refusal::NotCalculable(DosingError::UnknownSyringe { text }.to_string())
    })
}

/// How long the infusion runs: as asked for, within the protocol's limits, or as the protocol says.
fn pace(protocol: &Protocol, inputs: &DoseInputs) -> Result<Option<Pace>, Refusal> {
    let Some(rule) = &protocol.infusion else {
        return Ok(inputs.infusion_duration.map(Pace::Over));
    };
    let Some(duration) = inputs.infusion_duration.or(rule.default) else { return Ok(None) };
    if duration < rule.shortest {
        return Err(Refusal::OverHardLimit {
            dose: format!("an infusion over {duration}"),
            limit: format!("at least {}", rule.shortest),
            what: "its length".to_owned(),
        });
    }
    if let Some(longest) = rule.longest.filter(|longest| duration > *longest) {
        return Err(Refusal::OverHardLimit {
            dose: format!("an infusion over {duration}"),
            limit: format!("at most {longest}"),
            what: "its length".to_owned(),
        });
    }
    Ok(Some(Pace::Over(duration)))
}

/// The strongest liquid that may be given, once it is clear that what must be diluted is diluted.
fn dilution(
    protocol: &Protocol,
    product: &Product,
    inputs: &DoseInputs,
) -> Result<Option<Quantity>, Refusal> {
    let Some(rule) = &protocol.dilution else { return Ok(None) };
    let allowed = rule.allows_undiluted(product.strength);
    let undiluted = inputs.diluted_volume.is_none();
    if undiluted && !allowed.map_err(|error| Refusal::NotCalculable(error.to_string()))? {
        return Err(Refusal::Undiluted {
            strength: product.strength.to_string(),
            limit: if rule.required {
                "this protocol always dilutes".to_owned()
            } else {
                format!("{} is the strongest that may", rule.strongest_given)
            },
        });
    }
    let strongest = rule.strongest_given.concentration();
    let strongest = strongest.map_err(|error| Refusal::NotCalculable(error.to_string()))?;
    Quantity::from_base(strongest, Unit::MilligramPerMillilitre)
        .map(Some)
        .map_err(|error| Refusal::NotCalculable(error.to_string()))
}

/// Sizes of the same drug and strength in stock that can be used today, to find the choice that wastes least.
fn sizes_in_stock(
    state: &State,
    record: &FormularyRecord,
    product: &Product,
    today: Date,
) -> Vec<Amount> {
    record
        .formulary
        .products()
        .filter(|other| other.drug == product.drug && other.strength == product.strength)
        .filter(|other| {
            let name = ProductName::new(other.id.as_str());
            let name = name.expect("a formulary's product ids are resource names");
            state.places().any(|(place, _)| state.shelf(place, &name, today).next().is_some())
        })
        .map(|other| other.content)
        .collect()
}

/// What cannot be older or later than it is.
fn times(protocol: &Protocol, inputs: &DoseInputs, now: Timestamp) -> Result<(), Refusal> {
    let measured = inputs.weight_time;
    if measured.micros_since(now) > super::CLOCK_SKEW {
        let moment = measured.to_string();
        return Err(Refusal::InFuture { field: "inputs.weight.measured_time", moment });
    }
    let Some(rule) = &protocol.weight else { return Ok(()) };
    if now.micros_since(measured) > span_micros(rule.max_age) {
        return Err(Refusal::WeightTooOld { measured, limit: rule.max_age.to_string() });
    }
    Ok(())
}

fn no_dose(error: DosingError) -> Refusal {
    match error {
        DosingError::OverHardLimit(crossing) => Refusal::OverHardLimit {
            dose: crossing.found.to_string(),
            limit: crossing.limit.to_string(),
            what: match crossing.kind {
                LimitKind::AbsoluteHard => "the whole dose".to_owned(),
                _ => "the dose".to_owned(),
            },
        },
        DosingError::TooConcentrated { found, max } => Refusal::OverHardLimit {
            dose: found.to_string(),
            limit: max.to_string(),
            what: "the concentration that is given".to_owned(),
        },
        other => Refusal::NotCalculable(other.to_string()),
    }
}

fn span_micros(span: Span) -> i64 {
    i64::try_from(span.microseconds()).expect("a span is less than the years of a timestamp")
}

fn sex(sex: v1::Sex) -> Option<dosing::Sex> {
    match sex {
        v1::Sex::Female => Some(dosing::Sex::Female),
        v1::Sex::Male => Some(dosing::Sex::Male),
        v1::Sex::Unspecified => None,
    }
}
