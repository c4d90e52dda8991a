//! From the text of a formulary to its checked parts.

use super::measure::{Measures, read_measure};
use super::monitoring::{Monitoring, read_monitoring};
use super::plan::{Plan, Ward, read_plan};
use super::product::{BeyondUseRules, Drug, Product, read_drug, read_product};
use super::protocol::{Protocol, Shelf, read_protocol};
use super::question::{Question, read_question};
use super::raw::{
    RawBeyondUse, RawDrug, RawMeasure, RawMonitoring, RawPlan, RawProduct, RawProtocol,
    RawQuestion, Text,
};
use super::reader::{FormularyError, Read, Reader};
use super::slug::{DrugId, MonitoringId, PlanId, ProductId, ProtocolId, QuestionId};
use super::{Inner, MAX_TEXT_BYTES, version_of};
use crate::ident::{Gtin, Ndc};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::sync::Arc;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

/// The tables of a formulary, in the order in which they refer to each other.
const TABLES: [&str; 8] =
    ["beyond_use", "drug", "product", "question", "protocol", "measure", "monitoring", "plan"];

pub(super) fn read(text: &str) -> Result<Inner, Vec<FormularyError>> {
    let mut reader = Reader::new(text);
    if text.len() > MAX_TEXT_BYTES {
        let message = format!(
            "the text has {} bytes, more than {MAX_TEXT_BYTES}; \
             leave out what this site does not use",
            text.len()
        );
        reader.refuse(&(MAX_TEXT_BYTES..MAX_TEXT_BYTES), message);
        return Err(reader.into_errors());
    }
    let (root, syntax) = DeTable::parse_recoverable(text);
    for error in &syntax {
        reader.refuse_toml(error, &(0..0));
    }
    if !syntax.is_empty() {
        return Err(reader.into_errors());
    }
    let mut tables = Tables::take(&mut reader, root.into_inner());
    let inner = read_tables(&mut reader, &mut tables, text);
    let errors = reader.into_errors();
    if errors.is_empty() { Ok(inner) } else { Err(errors) }
}

fn read_tables(reader: &mut Reader<'_>, tables: &mut Tables<'_>, text: &str) -> Inner {
    let rules = tables
        .single::<RawBeyondUse>(reader, "beyond_use")
        .and_then(|raw| BeyondUseRules::read(reader, &raw))
        .ok();
    let mut drugs: BTreeMap<DrugId, Drug> = BTreeMap::new();
    for raw in tables.several::<RawDrug>(reader, "drug") {
        if let Ok(drug) = read_drug(reader, &raw) {
            insert(reader, &mut drugs, drug.id.clone(), drug, &raw.id);
        }
    }
    let mut products: BTreeMap<ProductId, Arc<Product>> = BTreeMap::new();
    let mut codes = Codes::default();
    for raw in tables.several::<RawProduct>(reader, "product") {
        if let Ok(product) = read_product(reader, &raw, &drugs, rules.as_ref()) {
            let product = Arc::new(product);
            codes.add(reader, &raw, &product);
            insert(reader, &mut products, product.id.clone(), product, &raw.id);
        }
    }
    let mut questions: BTreeMap<QuestionId, Arc<Question>> = BTreeMap::new();
    for raw in tables.several::<RawQuestion>(reader, "question") {
        if let Ok(question) = read_question(reader, &raw) {
            insert(reader, &mut questions, question.id.clone(), Arc::new(question), &raw.id);
        }
    }
    let mut protocols: BTreeMap<ProtocolId, Arc<Protocol>> = BTreeMap::new();
    for raw in tables.several::<RawProtocol>(reader, "protocol") {
        let shelf = Shelf { drugs: &drugs, products: &products, questions: &questions };
        if let Ok(protocol) = read_protocol(reader, &raw, &shelf) {
            insert(reader, &mut protocols, protocol.id.clone(), Arc::new(protocol), &raw.id);
        }
    }
    let (measures, monitorings) = read_monitorings(reader, tables);
    let ward = Ward { drugs: &drugs, protocols: &protocols, monitorings: &monitorings };
    let Plans { plans, by_protocol } = read_plans(reader, tables, &ward);
    if products.is_empty() && !reader.has_errors() {
        reader.refuse(&(0..0), "there is no [[product]]; a formulary has at least one");
    }
    let Codes { by_ndc, by_gtin } = codes;
    Inner {
        text: text.to_owned(),
        version: version_of(text),
        drugs,
        products,
        by_ndc,
        by_gtin,
        questions,
        protocols,
        measures,
        monitorings,
        plans,
        plan_by_protocol: by_protocol,
    }
}

fn read_monitorings(
    reader: &mut Reader<'_>,
    tables: &mut Tables<'_>,
) -> (Measures, BTreeMap<MonitoringId, Arc<Monitoring>>) {
    let mut measures = Measures::new();
    for raw in tables.several::<RawMeasure>(reader, "measure") {
        if let Ok(measure) = read_measure(reader, &raw) {
            insert(reader, &mut measures, measure.id.clone(), Arc::new(measure), &raw.id);
        }
    }
    let mut monitorings: BTreeMap<MonitoringId, Arc<Monitoring>> = BTreeMap::new();
    for raw in tables.several::<RawMonitoring>(reader, "monitoring") {
        if let Ok(monitoring) = read_monitoring(reader, &raw, &measures) {
            let id = monitoring.id.clone();
            insert(reader, &mut monitorings, id, Arc::new(monitoring), &raw.id);
        }
    }
    (measures, monitorings)
}

/// The plans, by their own id and by the protocols of their phases.
#[derive(Default)]
struct Plans {
    plans: BTreeMap<PlanId, Arc<Plan>>,
    by_protocol: BTreeMap<ProtocolId, Arc<Plan>>,
}

fn read_plans(reader: &mut Reader<'_>, tables: &mut Tables<'_>, ward: &Ward<'_>) -> Plans {
    let mut found = Plans::default();
    for raw in tables.several::<RawPlan>(reader, "plan") {
        let Ok(plan) = read_plan(reader, &raw, ward) else { continue };
        let plan = Arc::new(plan);
        // One protocol, one plan: so a dose by a protocol belongs to one kind of course.
        for (phase, field) in plan.phases.iter().zip(&raw.phase) {
            match found.by_protocol.entry(phase.protocol.clone()) {
                Entry::Occupied(other) if !Arc::ptr_eq(other.get(), &plan) => {
                    let message = format!(
                        "protocol `{}` stands in plan `{}` already; a protocol belongs to one plan",
                        phase.protocol,
                        other.get().id
                    );
                    reader.refuse(&field.protocol.span(), message);
                }
                Entry::Occupied(_) => {}
                Entry::Vacant(place) => {
                    place.insert(Arc::clone(&plan));
                }
            }
        }
        insert(reader, &mut found.plans, plan.id.clone(), plan, &raw.id);
    }
    found
}

fn insert<K: Ord + fmt::Display, V>(
    reader: &mut Reader<'_>,
    map: &mut BTreeMap<K, V>,
    id: K,
    value: V,
    field: &Text,
) {
    match map.entry(id) {
        Entry::Occupied(first) => {
            let message = format!("`{}` stands twice; give each an id of its own", first.key());
            reader.refuse(&field.span(), message);
        }
        Entry::Vacant(place) => {
            place.insert(value);
        }
    }
}

/// The top level of the text, by name.
struct Tables<'t> {
    by_name: BTreeMap<String, Spanned<DeValue<'t>>>,
}

impl<'t> Tables<'t> {
    fn take(reader: &mut Reader<'_>, root: DeTable<'t>) -> Self {
        let mut by_name = BTreeMap::new();
        for (name, value) in root {
            if TABLES.contains(&name.get_ref().as_ref()) {
                by_name.insert(name.into_inner().into_owned(), value);
            } else {
                let known = TABLES.join(", ");
                let message = format!("`{}` is not read here; expected {known}", name.get_ref());
                reader.refuse(&name.span(), message);
            }
        }
        Self { by_name }
    }

    /// The one table of this name, which must stand there.
    fn single<R: Deserialize<'t>>(&mut self, reader: &mut Reader<'_>, name: &str) -> Read<R> {
        let Some(table) = self.by_name.remove(name) else {
            return Err(reader.refuse(&(0..0), format!("there is no [{name}]; add it")));
        };
        shaped(reader, table)
    }

    /// Every table of this name that has the right shape.
    fn several<R: Deserialize<'t>>(&mut self, reader: &mut Reader<'_>, name: &str) -> Vec<R> {
        let Some(value) = self.by_name.remove(name) else { return Vec::new() };
        let place = value.span();
        let DeValue::Array(items) = value.into_inner() else {
            reader.refuse(&place, format!("write each {name} under its own [[{name}]]"));
            return Vec::new();
        };
        items.into_iter().filter_map(|item| shaped(reader, item).ok()).collect()
    }
}

fn shaped<'t, R: Deserialize<'t>>(reader: &mut Reader<'_>, value: Spanned<DeValue<'t>>) -> Read<R> {
    let place = value.span();
    R::deserialize(ValueDeserializer::from(value))
        .map_err(|error| reader.refuse_toml(&error, &place))
}

/// Which product a code on a pack names. No code may name two different things.
#[derive(Default)]
struct Codes {
    by_ndc: BTreeMap<String, Arc<Product>>,
    by_gtin: BTreeMap<Gtin, (Arc<Product>, bool)>,
}

impl Codes {
    fn add(&mut self, reader: &mut Reader<'_>, raw: &RawProduct, product: &Arc<Product>) {
        self.add_ndc(reader, &raw.ndc, &product.ndc, product, true);
        if let (Some(field), Some(inner)) = (&raw.inner_ndc, &product.inner_ndc) {
            self.add_ndc(reader, field, inner, product, false);
        }
        for (field, gtin) in raw.other_gtins.iter().zip(&product.other_gtins) {
            self.add_gtin(reader, field, *gtin, product, false);
        }
    }

    fn add_ndc(
        &mut self,
        reader: &mut Reader<'_>,
        field: &Text,
        ndc: &Ndc,
        product: &Arc<Product>,
        package: bool,
    ) {
        let key = ndc.to_twelve_digits_hyphenated();
        match self.by_ndc.get(&key) {
            Some(other)
                if package || other.id == product.id || !shares_container(other, product, ndc) =>
            {
                refuse_code(reader, field, &ndc.to_string(), other);
                return;
            }
            Some(other) if other.id < product.id => {}
            _ => {
                self.by_ndc.insert(key, Arc::clone(product));
            }
        }
        // Two NDCs of different layouts may have the same ten digits, and then a barcode cannot
        // tell them apart.
        if let Ok(gtin) = ndc.to_gtin(0) {
            self.add_gtin(reader, field, gtin, product, package);
        }
    }

    fn add_gtin(
        &mut self,
        reader: &mut Reader<'_>,
        field: &Text,
        gtin: Gtin,
        product: &Arc<Product>,
        package: bool,
    ) {
        let same_code = |other: &Product| {
            !package
                && product
                    .inner_ndc
                    .as_ref()
                    .is_some_and(|ndc| shares_container(other, product, ndc))
        };
        match self.by_gtin.get(&gtin) {
            Some((other, _)) if !same_code(other) => {
                refuse_code(reader, field, &gtin.to_string(), other);
            }
            Some((other, _)) if other.id < product.id => {}
            _ => {
                self.by_gtin.insert(gtin, (Arc::clone(product), package));
            }
        }
    }
}

/// Whether both products carry this NDC on their containers, and the containers are the same.
fn shares_container(first: &Product, second: &Product, ndc: &Ndc) -> bool {
    first.inner_ndc.as_ref().is_some_and(|inner| inner.names_same_package_as(ndc))
        && first.same_container_as(second)
}

fn refuse_code(reader: &mut Reader<'_>, field: &Text, code: &str, other: &Product) {
    let message = format!(
        "{code} already names `{}`; a code names one package, or one kind of container",
        other.id
    );
    reader.refuse(&field.span(), message);
}
