//! From the TOML of a protocol to a checked one.

use super::{
    BelowSixtyInches, DeviceRule, DilutionRule, DoseKind, DoseLimits, InfusionRule, PolicyRule,
    Protocol, Route, WeightMethod, WeightRule, WeightScalar,
};
use crate::formulary::product::{Drug, Product, read_drug_reference};
use crate::formulary::question::Question;
use crate::formulary::raw::{
    RawDevices, RawDilution, RawDose, RawInfusion, RawPolicy, RawProtocol, RawWeight, Text,
};
use crate::formulary::reader::{Read, Reader, Refused};
use crate::formulary::slug::{DrugId, ProductId, QuestionId};
use crate::units::{
    AmountKind, CountUnit, Mass, Quantity, QuantityError, Rational, Span, Strength,
};
use std::collections::BTreeMap;
use std::sync::Arc;

const MICROSECONDS_PER_DAY: u64 = 86_400_000_000;

/// What the formulary holds beside its protocols, to which a protocol may refer.
pub(in crate::formulary) struct Shelf<'f> {
    pub(in crate::formulary) drugs: &'f BTreeMap<DrugId, Drug>,
    pub(in crate::formulary) products: &'f BTreeMap<ProductId, Arc<Product>>,
    pub(in crate::formulary) questions: &'f BTreeMap<QuestionId, Arc<Question>>,
}

pub(in crate::formulary) fn read_protocol(
    reader: &mut Reader<'_>,
    raw: &RawProtocol,
    shelf: &Shelf<'_>,
) -> Read<Protocol> {
    let id = reader.value(&raw.id, str::parse);
    let title = reader.prose(&raw.title);
    let drug = read_drug_reference(reader, &raw.drug, shelf.drugs);
    let indication = reader.prose(&raw.indication);
    let route: Read<Route> = reader.word(&raw.route);
    let kind: Read<DoseKind> = reader.word(&raw.dose.kind);
    let dose = read_dose(reader, &raw.dose, kind);
    let weight = read_weight(reader, raw.weight.as_ref(), kind, &raw.dose.kind);
    let infusion = read_infusion(reader, raw, route, kind);
    let dilution = read_dilution(reader, raw.dilution.as_ref(), route);
    let devices = read_devices(reader, raw.devices.as_ref(), route);
    let ages = read_ages(reader, raw);
    let questions = read_questions(reader, &raw.questions, shelf.questions);
    let policy = read_policy(reader, &raw.policy);
    let note = raw.note.as_ref().map(|note| reader.prose(note)).transpose();
    let source = reader.prose(&raw.source);
    refuse_ungivable(reader, raw, route.ok(), kind.ok(), drug.ok(), shelf);
    let (minimum_age_years, below_age_years) = ages?;
    Ok(Protocol {
        id: id?,
        title: title?,
        drug: drug?.id.clone(),
        drug_name: drug?.name.clone(),
        indication: indication?,
        route: route?,
        dose: dose?,
        weight: weight?,
        infusion: infusion?,
        dilution: dilution?,
        devices: devices?,
        minimum_age_years,
        below_age_years,
        questions: questions?,
        policy: policy?,
        note: note?,
        source: source?,
    })
}

fn read_dose(reader: &mut Reader<'_>, raw: &RawDose, kind: Read<DoseKind>) -> Read<DoseLimits> {
    let hard_source = reader.prose(&raw.hard_source);
    let hard_mass = reader.optional(raw.hard_mass.as_ref(), |text| {
        let mass = Quantity::parse_text(text).and_then(Mass::try_from);
        match mass.map_err(|error| error.to_string())? {
            Mass::MIN => Err("a largest mass is more than nothing".to_owned()),
            mass => Ok(mass),
        }
    });
    let kind = kind?;
    let limit = |text: &str| read_limit(text, kind);
    let soft_low = reader.value(&raw.soft_low, limit);
    let soft_high = reader.value(&raw.soft_high, limit);
    let hard_high = reader.value(&raw.hard_high, limit);
    let default = reader.optional(raw.default.as_ref(), limit);
    if let Some(mass) = raw.hard_mass.as_ref().filter(|_| kind.is_rate()) {
        let message = "a rate has no mass of its own; leave hard_mass out";
        return Err(reader.refuse(&mass.span(), message));
    }
    let (soft_low, soft_high, hard_high) = (soft_low?, soft_high?, hard_high?);
    let default = default?;
    let unit = soft_low.unit();
    let default_or_low = default.unwrap_or(soft_low);
    let rising = [
        (soft_low, &raw.soft_low),
        (default_or_low, raw.default.as_ref().unwrap_or(&raw.soft_low)),
        (soft_high, &raw.soft_high),
        (hard_high, &raw.hard_high),
    ];
    let mut lower = soft_low;
    for (limit, field) in rising {
        if limit.unit() != unit {
            let message = format!("write every limit in {unit}, as soft_low is");
            return Err(reader.refuse(&field.span(), message));
        }
        if limit.value() < lower.value() {
            let message = format!(
                "{limit} is less than {lower}; limits rise from soft_low over default and \
                 soft_high to hard_high"
            );
            return Err(reader.refuse(&field.span(), message));
        }
        lower = limit;
    }
    Ok(DoseLimits {
        kind,
        unit,
        default,
        soft_low,
        soft_high,
        hard_high,
        hard_mass: hard_mass?,
        hard_source: hard_source?,
    })
}

/// A dose of this kind, more than nothing.
pub(in crate::formulary) fn read_limit(text: &str, kind: DoseKind) -> Result<Quantity, String> {
    let limit = Quantity::parse_text(text)
        .and_then(|limit| limit.expect_dimension(kind.dimension()))
        .map_err(|error| error.to_string())?;
    if limit.value() <= Rational::ZERO {
        return Err(format!("{limit} is no dose; write more than nothing"));
    }
    if kind == DoseKind::Devices && !limit.value().is_integer() {
        return Err(format!("{limit}: a device is given whole; write a whole number"));
    }
    Ok(limit)
}

/// `None` where the kind of dose needs no weight, and none is described.
fn read_weight(
    reader: &mut Reader<'_>,
    raw: Option<&RawWeight>,
    kind: Read<DoseKind>,
    kind_field: &Text,
) -> Read<Option<WeightRule>> {
    let Some(raw) = raw else {
        if kind?.needs_weight() {
            let message = "a dose per kg needs [protocol.weight]; add it";
            return Err(reader.refuse(&kind_field.span(), message));
        }
        return Ok(None);
    };
    let scalar: Read<WeightScalar> = reader.word(&raw.scalar);
    let convention = match &raw.below_60_inches {
        Some(field) => reader.word(field),
        None => Ok(BelowSixtyInches::Refuse),
    };
    if let (Some(field), Ok(false)) = (&raw.below_60_inches, scalar.map(WeightScalar::uses_devine))
    {
        let message =
            "only ideal and adjusted weight have a convention below 60 inches; leave it out";
        reader.refuse(&field.span(), message);
    }
    let methods: Vec<Read<WeightMethod>> =
        raw.methods.iter().map(|method| reader.word(method)).collect();
    let methods: Read<Vec<WeightMethod>> = methods.into_iter().collect();
    let days = reader.number(&raw.max_age_days, 1..=366);
    let source = reader.prose(&raw.source);
    if methods.as_ref().is_ok_and(Vec::is_empty) {
        reader.refuse(&raw.scalar.span(), "allow at least one way to know the weight in methods");
    }
    if let Some(kind) = kind.ok().filter(|kind| !kind.needs_weight()) {
        let message = format!("a dose of kind {kind} needs no weight; leave [protocol.weight] out");
        return Err(reader.refuse(&raw.scalar.span(), message));
    }
    Ok(Some(WeightRule {
        scalar: scalar?,
        below_60_inches: convention?,
        methods: methods?,
        max_age: Span::from_microseconds(u64::from(days?) * MICROSECONDS_PER_DAY)
            .expect("at most 366 days, which a span holds"),
        source: source?,
    }))
}

fn read_infusion(
    reader: &mut Reader<'_>,
    protocol: &RawProtocol,
    route: Read<Route>,
    kind: Read<DoseKind>,
) -> Read<Option<InfusionRule>> {
    let Some(raw) = &protocol.infusion else {
        let (route, kind) = (route?, kind?);
        if route == Route::IvInfusion && !kind.is_rate() {
            let message = "an infusion of a fixed dose needs [protocol.infusion]; add it";
            return Err(reader.refuse(&protocol.route.span(), message));
        }
        return Ok(None);
    };
    let infusion = read_infusion_times(reader, raw);
    if let Some(route) = route.ok().filter(|route| !route.is_intravenous()) {
        let message = format!("nothing is infused by route {route}; leave [protocol.infusion] out");
        return Err(reader.refuse(&raw.shortest.span(), message));
    }
    infusion.map(Some)
}

fn read_infusion_times(reader: &mut Reader<'_>, raw: &RawInfusion) -> Read<InfusionRule> {
    let default = reader.optional(raw.default.as_ref(), read_time);
    let shortest = reader.value(&raw.shortest, read_time);
    let longest = reader.optional(raw.longest.as_ref(), read_time);
    let source = reader.prose(&raw.source);
    let (default, shortest, longest) = (default?, shortest?, longest?);
    let usual = default.unwrap_or(shortest);
    if usual < shortest || longest.is_some_and(|longest| longest < usual) {
        let message = "infusion times rise from shortest over default to longest; mend them";
        return Err(reader.refuse(&raw.shortest.span(), message));
    }
    Ok(InfusionRule { default, shortest, longest, source: source? })
}

fn read_time(text: &str) -> Result<Span, String> {
    let time = Quantity::parse_text(text).and_then(Span::try_from);
    match time.map_err(|error: QuantityError| error.to_string())? {
        Span::MIN => Err("an infusion takes time; write more than 0 min".to_owned()),
        time => Ok(time),
    }
}

fn read_dilution(
    reader: &mut Reader<'_>,
    raw: Option<&RawDilution>,
    route: Read<Route>,
) -> Read<Option<DilutionRule>> {
    let Some(raw) = raw else { return Ok(None) };
    let strongest = reader.value(&raw.strongest_given, |text| {
        let strength = Strength::parse(text).map_err(|error| error.to_string())?;
        match strength.kind() {
            AmountKind::Volume => Ok(strength),
            AmountKind::Count(_) => Err(format!("{strength} is no liquid; write it per mL")),
        }
    });
    let diluent = reader.prose(&raw.diluent);
    let source = reader.prose(&raw.source);
    if let Some(route) = route.ok().filter(|route| !route.is_intravenous()) {
        let message = format!("route {route} has no dilution rule; leave [protocol.dilution] out");
        return Err(reader.refuse(&raw.strongest_given.span(), message));
    }
    Ok(Some(DilutionRule {
        required: *raw.required.get_ref(),
        strongest_given: strongest?,
        diluent: diluent?,
        source: source?,
    }))
}

fn read_devices(
    reader: &mut Reader<'_>,
    raw: Option<&RawDevices>,
    route: Read<Route>,
) -> Read<Option<DeviceRule>> {
    let Some(raw) = raw else { return Ok(None) };
    let gap = reader.minutes(&raw.gap_minutes, 1..=120);
    let source = reader.prose(&raw.source);
    if let Some(route) = route.ok().filter(|route| *route != Route::IntranasalDevice) {
        let message = format!("route {route} uses no devices; leave [protocol.devices] out");
        return Err(reader.refuse(&raw.gap_minutes.span(), message));
    }
    Ok(Some(DeviceRule { gap: gap?, source: source? }))
}

/// Least age and the age that is too old. Treatment here is of adults only: 18 at the time of the
/// dose.
fn read_ages(reader: &mut Reader<'_>, raw: &RawProtocol) -> Read<(u16, Option<u16>)> {
    let minimum = reader.number(&raw.minimum_age_years, 18..=120)?;
    let below = match &raw.below_age_years {
        Some(field) => Some(reader.number(field, minimum.saturating_add(1)..=150)?),
        None => None,
    };
    Ok((minimum, below))
}

fn read_questions(
    reader: &mut Reader<'_>,
    fields: &[Text],
    known: &BTreeMap<QuestionId, Arc<Question>>,
) -> Read<Vec<Arc<Question>>> {
    let mut questions: Vec<Arc<Question>> = Vec::with_capacity(fields.len());
    let mut outcome = Ok(());
    for field in fields {
        let Ok(id) = reader.value::<QuestionId, _>(field, str::parse) else {
            outcome = Err(Refused);
            continue;
        };
        let message = match known.get(&id) {
            Some(question) if !questions.contains(question) => {
                questions.push(Arc::clone(question));
                continue;
            }
            Some(_) => format!("question `{id}` is asked twice; ask it once"),
            None => format!("there is no good question `{id}` in this formulary; add or mend it"),
        };
        outcome = Err(reader.refuse(&field.span(), message));
    }
    outcome.map(|()| questions)
}

fn read_policy(reader: &mut Reader<'_>, raw: &RawPolicy) -> Read<PolicyRule> {
    let calculation_valid = reader.minutes(&raw.calculation_valid_minutes, 1..=1_440);
    let source = reader.prose(&raw.source);
    Ok(PolicyRule {
        calculation_valid: calculation_valid?,
        double_check: *raw.double_check.get_ref(),
        source: source?,
    })
}

/// A protocol by which no product of the formulary can be given is a slip of the pen.
fn refuse_ungivable(
    reader: &mut Reader<'_>,
    raw: &RawProtocol,
    route: Option<Route>,
    kind: Option<DoseKind>,
    drug: Option<&Drug>,
    shelf: &Shelf<'_>,
) {
    let (Some(route), Some(kind), Some(drug)) = (route, kind, drug) else { return };
    if (route == Route::IntranasalDevice) != (kind == DoseKind::Devices) {
        let message = format!("route {route} and doses of kind {kind} do not go together");
        reader.refuse(&raw.route.span(), message);
    }
    let device = AmountKind::Count(CountUnit::Device);
    let givable = |product: &Arc<Product>| {
        product.drug == drug.id && (product.content.kind() == device) == (kind == DoseKind::Devices)
    };
    if !shelf.products.values().any(givable) {
        let message = format!(
            "no good product of {} can be given by route {route} as {kind}; add one or mend this",
            drug.name
        );
        reader.refuse(&raw.drug.span(), message);
    }
}
