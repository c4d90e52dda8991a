//! The arithmetic of a dose, put together from the protocol, the product and the request.

use crate::command::DoseInputs;
use crate::dosing::{
    self, ContainerPlan, DoseInput, DoseWorking, DosingError, LimitKind, Limits, Measured, Pace,
    Syringe,
};
use crate::formulary::{BelowSixtyInches, Product, Protocol, WeightScalar};
use crate::pb::v1::{self, CheckRequirement};
use crate::refusal::Refusal;
use crate::state::FormularyRecord;
use crate::time::Timestamp;
use crate::units::{Amount, Quantity, Unit, Volume};
use crate::wire::{amount_to_wire, quantity_to_wire, timestamp_to_wire};

/// The arithmetic of a dose, done completely.
pub(in crate::decide) struct Sum {
    /// The dose as ordered.
    pub(in crate::decide) dose: Quantity,
    pub(in crate::decide) working: DoseWorking,
    pub(in crate::decide) measured: Measured,
    exact: Quantity,
    exact_amount: Quantity,
    pub(in crate::decide) plan: ContainerPlan,
}

impl Sum {
    pub(in crate::decide) fn of(
        protocol: &Protocol,
        product: &Product,
        inputs: &DoseInputs,
        sizes: Vec<Amount>,
        first: Option<Quantity>,
    ) -> Result<Self, Refusal> {
        let input = dose_input(protocol, product, inputs, sizes, first)?;
        let dose = input.dose;
        let working = dosing::calculate(&input).map_err(no_dose)?;
        let missing = |what: &str| {
            Refusal::NotCalculable(format!(
                "{what} is needed to say what to draw up; send it as well"
            ))
        };
        let measured = working.measured.clone().ok_or_else(|| missing("the syringe"))?;
        let exact = working.exact_dose.ok_or_else(|| missing("the infusion's duration"))?;
        let exact_amount = working.exact_amount.ok_or_else(|| missing("the product's strength"))?;
        let plan = working.containers.clone().ok_or_else(|| missing("the container's content"))?;
        Ok(Self { dose, working, measured, exact, exact_amount, plan })
    }

    /// The sum as it is handed out; name and context are left to the caller.
    pub(in crate::decide) fn message(
        &self,
        record: &FormularyRecord,
        inputs: &DoseInputs,
        expires: Timestamp,
        requirement: CheckRequirement,
    ) -> v1::DoseCalculation {
        let working = &self.working;
        let steps = working.steps.iter().map(|step| v1::DoseStep {
            label: step.label.clone(),
            working: step.formula.clone(),
            result: step.result.clone(),
        });
        v1::DoseCalculation {
            name: String::new(),
            patient: inputs.patient.to_string(),
            protocol: inputs.protocol.to_string(),
            product: inputs.product.to_string(),
            formulary_version: record.formulary.version().to_vec(),
            dosing_weight: working
                .dosing_weight
                .as_ref()
                .map(|weight| quantity_to_wire(weight.weight)),
            exact_dose: Some(quantity_to_wire(self.exact)),
            exact_amount: Some(quantity_to_wire(self.exact_amount)),
            measured_amount: Some(amount_to_wire(self.measured.amount)),
            measured_dose: Some(quantity_to_wire(self.measured.dose)),
            containers: self.plan.count(),
            remainder: Some(amount_to_wire(self.plan.remainder)),
            pump_rate: working.infusion.as_ref().map(|infusion| quantity_to_wire(infusion.setting)),
            steps: steps.collect(),
            readback: working.sentence.clone(),
            expire_time: Some(timestamp_to_wire(expires)),
            session: inputs.session.map(|name| name.to_string()).unwrap_or_default(),
            check_requirement: requirement.into(),
            context: None,
        }
    }
}

/// Everything that the arithmetic needs, from the protocol, the product and the request.
fn dose_input(
    protocol: &Protocol,
    product: &Product,
    inputs: &DoseInputs,
    sizes: Vec<Amount>,
    first: Option<Quantity>,
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
    // From here rounding keeps to the limit of a first dose as to any other.
    let limits = match first {
        Some(first) => Limits { hard_high: Some(as_first(dose, first)?), ..limits },
        None => limits,
    };
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
        stock: sizes,
        syringe,
        diluted_to: inputs.diluted_volume,
        pace,
        max_concentration,
        ..DoseInput::new(protocol.drug_name.clone(), protocol.dose.kind, dose)
    })
}

/// The limit of the very first dose of a course, if the dose keeps to it. The formulary holds it to the protocol's own.
fn as_first(dose: Quantity, limit: Quantity) -> Result<Quantity, Refusal> {
    let found = dose.convert(limit.unit()).map_err(|error| no_dose(error.into()))?;
    if found.value() > limit.value() {
        return Err(Refusal::OverHardLimit {
            dose: dose.to_string(),
            limit: limit.to_string(),
            what: "the first dose of a course".to_owned(),
        });
    }
    Ok(limit)
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

fn sex(sex: v1::Sex) -> Option<dosing::Sex> {
    match sex {
        v1::Sex::Female => Some(dosing::Sex::Female),
        v1::Sex::Male => Some(dosing::Sex::Male),
        v1::Sex::Unspecified => None,
    }
}
