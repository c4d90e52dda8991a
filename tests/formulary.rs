//! The starter formulary against the lists that it was built from, and the formulary format as
//! people meet it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::expect_used,
    missing_docs,
    reason = "tests"
)]

use prost::Message;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use vialedger::command::MAX_REQUEST_BYTES;
use vialedger::formulary::{
    self, Bound, CriterionWhen, DoseKind, DoseUse, EffectKind, Form, Formulary, MAX_TEXT_BYTES,
    Phase, Plan, Product, Protocol, QuestionWeight, Route, StoppingAnswer, WeightMethod,
    WeightScalar,
};
use vialedger::ident::{Gtin, Ndc};
use vialedger::pb::v1;
use vialedger::units::{Amount, Mass, Quantity, Rational, Span, Strength, Unit};

type Row = BTreeMap<String, String>;

/// Products of the list that the starter leaves out, as its first comment says.
const PRODUCTS_LEFT_OUT: [&str; 2] = ["67457-108-xx", "0641-6028-25"];
/// Protocols of the list that the starter leaves out, as its first comment says.
const PROTOCOLS_LEFT_OUT: [&str; 11] = [
    "KET-ACUTE-BOLUS",
    "KET-ACUTE-INF",
    "KET-CHRONIC-GEN",
    "KET-IN-ANALG",
    "KET-ED-SDK",
    "KET-SCI",
    "KET-IN-FIXED",
    "FEN-GA-SPONT",
    "FEN-PED",
    "PROP-IND",
    "MOR-IV",
];

fn rows(path: &str) -> Vec<Row> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    reader.deserialize().map(Result::unwrap).collect()
}

fn starter() -> Formulary {
    Formulary::parse(formulary::starter()).unwrap_or_else(|errors| panic!("{errors:#?}"))
}

fn quantity(text: &str) -> Quantity {
    Quantity::parse_text(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The decimal numbers that stand in a text, as rationals.
fn numbers(text: &str) -> Vec<Rational> {
    text.split(|c: char| !c.is_ascii_digit() && c != '.')
        .map(|number| number.trim_end_matches('.'))
        .filter(|number| number.starts_with(|c: char| c.is_ascii_digit()))
        .map(|number| quantity(&format!("{number} mg")).value())
        .collect()
}

#[test]
fn the_starter_is_read_and_fits_an_entry() {
    let summary = formulary::check(formulary::starter()).unwrap();
    assert_eq!((summary.products, summary.protocols, summary.drugs), (38, 16, 9));
    assert_eq!(summary.questions, 15);
    assert_eq!((summary.measures, summary.monitorings, summary.plans), (9, 3, 4));
    assert_eq!(summary.bytes, formulary::starter().len());
    assert!(summary.bytes < MAX_TEXT_BYTES);
    assert!(summary.to_string().contains(&summary.version));
}

#[test]
fn a_formulary_from_before_there_were_plans_is_read_as_ever() {
    let old = Formulary::parse(include_str!("data/formulary-1.toml")).unwrap();
    let summary = old.summary();
    assert_eq!((summary.products, summary.protocols, summary.drugs), (38, 15, 9));
    assert_eq!(summary.questions, 13);
    assert_eq!((summary.measures, summary.monitorings, summary.plans), (0, 0, 0));
    let version = "7c1e81766435a424562b3da767c1a250929a810abd8b7228ad89e6883673b948";
    assert_eq!(summary.version, version);
    assert!(old.protocols().all(|protocol| protocol.devices.is_none()));
    assert!(old.protocols().all(|protocol| old.plan_of(&protocol.id).is_none()));
    assert!(old.questions().all(|question| question.valid_days.is_none()));
    let ketamine = old.drug(&"ketamine".parse().unwrap()).unwrap();
    assert!(!ketamine.clinic_only && ketamine.clinic_only_source.is_none());
}

#[test]
fn a_request_with_the_longest_text_is_short_enough_to_be_sent() {
    let publish = v1::PublishFormularyRequest {
        ledger: "x".repeat(255),
        request_id: "0197c2a0-5b1e-7c3d-8f00-123456789abc".into(),
        validate_only: true,
        expected_size: Some(u64::MAX),
        formulary: "#".repeat(MAX_TEXT_BYTES),
    };
    assert!(publish.encoded_len() < MAX_REQUEST_BYTES);
}

#[test]
fn every_listed_product_is_in_the_starter_or_named_as_left_out() {
    let starter = starter();
    let rows = rows("tests/data/products_ndc.csv");
    let mut seen = 0;
    for row in &rows {
        let ndc = row["ndc_outer"].as_str();
        if PRODUCTS_LEFT_OUT.contains(&ndc) {
            assert!(formulary::starter().contains(&format!("#   {ndc}")), "{ndc}");
            assert!(ndc.parse::<Ndc>().is_err() || by_ndc(&starter, ndc).is_none(), "{ndc}");
            continue;
        }
        check_product(by_ndc(&starter, ndc).unwrap_or_else(|| panic!("{ndc} is missing")), row);
        seen += 1;
    }
    assert_eq!(seen, starter.products().count(), "the starter has no product beside the list");
}

fn by_ndc<'f>(starter: &'f Formulary, ndc: &str) -> Option<&'f Product> {
    starter.product_by_ndc(&ndc.parse().unwrap()).map(AsRef::as_ref)
}

fn check_product(product: &Product, row: &Row) {
    let ndc = &row["ndc_outer"];
    assert_eq!(product.ndc.to_string(), *ndc);
    assert_eq!(product.inner_ndc.as_ref().map_or(String::new(), Ndc::to_string), row["ndc_inner"]);
    assert!(row["drug"].starts_with(product.drug.as_str()), "{ndc}");
    assert_eq!(product.labeler, row["labeler"]);
    assert_eq!(product.schedule.word(), row["dea_schedule"], "{ndc}");
    assert!(row["source_note"].starts_with(&product.source), "{ndc}");
    let pack = &row["pack"];
    assert_eq!(numbers(pack)[0], Rational::from(u64::from(product.containers)), "{ndc}");
    let listed = row["strength_as_listed"].split(" (").next().unwrap();
    let listed = Strength::parse(listed).unwrap_or_else(|error| panic!("{ndc}: {error}"));
    if product.form == Form::NasalDevice {
        // The list gives the strength per volume of a device; a device is dispensed whole.
        assert_eq!(row["volume"], format!("{}/device", listed.per()));
        assert_eq!(product.strength.mass(), listed.mass());
        assert_eq!(product.content, Amount::try_from(quantity("1 {device}")).unwrap());
        assert!(product.name.contains("28 mg/0.2 mL"), "{ndc}");
    } else {
        assert_eq!(product.strength, listed, "{ndc}");
        assert_eq!(product.content, Amount::try_from(quantity(&row["volume"])).unwrap(), "{ndc}");
    }
    let kind = &row["container_type"];
    let multiple = kind.contains("multi") && !kind.contains("single");
    assert_eq!(product.dose_use == DoseUse::MultipleDose, multiple, "{ndc}");
    let hours = if multiple { 28 * 24 } else { 6 };
    assert_eq!(product.beyond_use.after, Span::try_from(quantity(&format!("{hours} h"))).unwrap());
    assert!(multiple || product.beyond_use.source.starts_with("Site policy"), "{ndc}");
    let form = match product.form {
        Form::PrefilledSyringe => "syringe",
        Form::Ampule => "ampule",
        Form::Cartridge => "cartridge",
        Form::NasalDevice => "device",
        Form::Vial | Form::Bottle => "",
    };
    assert!(kind.contains(form), "{ndc}: {kind}");
}

#[test]
fn every_listed_protocol_is_in_the_starter_or_named_as_left_out() {
    let starter = starter();
    let mut seen = 0;
    for row in rows("tests/data/protocols.csv") {
        let id = &row["id"];
        let protocol = starter.protocol(&id.to_lowercase().parse().unwrap());
        if PROTOCOLS_LEFT_OUT.contains(&id.as_str()) {
            assert!(protocol.is_none(), "{id}");
            let comment = formulary::starter().lines().any(|line| {
                line.strip_prefix("#   ").and_then(|line| line.split(' ').next()) == Some(id)
            });
            assert!(comment, "{id} is not named in the starter's comment");
        } else {
            assert_eq!(row["provenance"], "SOURCED", "{id}");
            check_protocol(protocol.unwrap_or_else(|| panic!("{id} is missing")), &row);
            seen += 1;
        }
    }
    assert_eq!(seen, starter.protocols().count(), "the starter has no protocol beside the list");
}

fn check_protocol(protocol: &Protocol, row: &Row) {
    let id = &row["id"];
    let dose = &protocol.dose;
    let listed = |column: &str| numbers(&row[column]);
    if dose.kind == DoseKind::Devices {
        let device = Rational::from(28_u32);
        let mass = |devices: Quantity| vec![devices.value().times(device).unwrap()];
        assert_eq!(mass(dose.soft_low), listed("dose_low"), "{id}");
        assert_eq!(mass(dose.soft_high), listed("dose_high"), "{id}");
        assert_eq!(mass(dose.hard_high), listed("dose_high"), "{id}");
        if let Some(default) = dose.default {
            assert_eq!(mass(default)[0], listed("dose_typical")[0], "{id}");
        }
    } else {
        let unit = row["unit"].split(' ').next().unwrap();
        assert_eq!(Unit::parse_human(unit), Some(dose.unit), "{id}");
        assert_eq!(vec![dose.soft_low.value()], listed("dose_low"), "{id}");
        // Of the experimental oral dose the site takes only what is typical without a reason.
        let experimental = row["indication"].contains("EXPERIMENTAL");
        let high = listed(if experimental { "dose_typical" } else { "dose_high" });
        assert_eq!(Some(&dose.soft_high.value()), high.last(), "{id}");
        if let Some(default) = dose.default {
            assert!(listed("dose_typical").contains(&default.value()), "{id}");
        }
        let hard = [listed("dose_high"), listed("abs_max")].concat();
        assert!(hard.contains(&dose.hard_high.value()), "{id}");
    }
    if let Some(mass) = dose.hard_mass {
        let listed = listed("abs_max")[0];
        assert_eq!(mass.to_quantity(Unit::Milligram).unwrap().value(), listed, "{id}");
    }
    assert!(dose.hard_source.starts_with("Site policy") || dose.kind == DoseKind::Devices, "{id}");
    assert_eq!(protocol.weight.is_some(), row["fixed_or_per_kg"].starts_with("per_kg"), "{id}");
    if let Some(weight) = &protocol.weight {
        assert!(row["weight_basis"].starts_with("actual"), "{id}");
        assert_eq!(weight.scalar, WeightScalar::Actual);
        assert!(weight.source.starts_with("Site policy"), "{id}");
        assert!(!weight.allows(WeightMethod::Estimated), "{id}");
    }
    check_times_and_dilution(protocol, row);
    assert_eq!(protocol.minimum_age_years, 18);
    let below = protocol.below_age_years.map(|age| format!("<{age}"));
    let young_only = row["population"].starts_with("adult <") || row["indication"].contains('<');
    assert_eq!(below.is_some(), young_only, "{id}");
    assert!(below.is_none_or(|below| row["population"].contains(&below)), "{id}");
    assert!(protocol.policy.source.starts_with("Site policy"), "{id}");
    let gap = protocol.devices.as_ref().map(|devices| devices.gap);
    let devices = (dose.kind == DoseKind::Devices).then(|| minutes(5));
    assert_eq!(gap, devices, "{id}: 5 min rest, as the list says of the first of them");
    assert!(
        id != "ESK-TRD-IND" || row["infusion_minutes"].starts_with("5 min rest between devices")
    );
}

fn check_times_and_dilution(protocol: &Protocol, row: &Row) {
    let id = &row["id"];
    if let Some(infusion) = &protocol.infusion {
        let minutes = numbers(&row["infusion_minutes"]);
        // The list writes one time in seconds, and site policy says 40 to 60 minutes in
        // depression.
        let unit = if row["infusion_minutes"].ends_with('s') { Unit::Second } else { Unit::Minute };
        let value = |span: Span| span.to_quantity(unit).unwrap().value();
        for time in [infusion.default, Some(infusion.shortest)].into_iter().flatten() {
            assert!(minutes.contains(&value(time)), "{id}: {time}");
        }
        let depression = protocol.id.as_str() == "ket-trd-iv";
        let longest = infusion.longest.map(value);
        assert!(
            longest
                .is_none_or(|time| minutes.contains(&time) || depression && time == 60_u32.into()),
            "{id}"
        );
        assert!(!depression || infusion.source.starts_with("Site policy"), "{id}");
    }
    if let Some(dilution) = &protocol.dilution {
        let strongest = dilution.strongest_given;
        let label_rule = strongest == Strength::parse("50 mg/mL").unwrap();
        let per_row = numbers(&row["concentration_rule"])
            .contains(&strongest.concentration().unwrap().over(1_000_u32.into()).unwrap());
        // An equal volume of diluent halves 100 mg/mL: the label's rule for every ketamine given
        // into a vein.
        assert!(label_rule || per_row, "{id}: {strongest}");
    }
}

#[test]
fn ketamine_100_mg_per_ml_never_goes_into_a_vein_undiluted() {
    let starter = starter();
    let strong = Strength::parse("100 mg/mL").unwrap();
    let into_a_vein = starter
        .protocols()
        .filter(|protocol| protocol.drug.as_str() == "ketamine" && protocol.route.is_intravenous());
    let mut seen = 0;
    for protocol in into_a_vein {
        let dilution = protocol.dilution.as_ref().unwrap_or_else(|| panic!("{}", protocol.id));
        assert!(!dilution.allows_undiluted(strong).unwrap(), "{}", protocol.id);
        seen += 1;
    }
    assert_eq!(seen, 5);
    let induction = starter.protocol(&"ket-ga-iv".parse().unwrap()).unwrap();
    let weak = Strength::parse("10 mg/mL").unwrap();
    assert!(induction.dilution.as_ref().unwrap().allows_undiluted(weak).unwrap());
}

#[test]
fn the_depression_protocol_asks_and_limits_what_the_site_decided() {
    let starter = starter();
    let protocol = starter.protocol(&"ket-trd-iv".parse().unwrap()).unwrap();
    assert_eq!(protocol.route, Route::IvInfusion);
    assert_eq!(protocol.dose.default, Some(quantity("0.5 mg/kg")));
    assert_eq!(protocol.dose.hard_high, quantity("1 mg/kg"));
    let infusion = protocol.infusion.as_ref().unwrap();
    assert_eq!(infusion.default.unwrap().to_string(), "40 min");
    assert!(protocol.dilution.as_ref().unwrap().required);
    assert_eq!(protocol.weight.as_ref().unwrap().methods, [WeightMethod::Measured]);
    let asked: BTreeSet<&str> =
        protocol.questions.iter().map(|question| question.id.as_str()).collect();
    assert_eq!(asked.len(), 12);
    for question in &protocol.questions {
        let treatments = question.id.as_str() == "two-antidepressants-tried";
        let stops_on = if treatments { StoppingAnswer::No } else { StoppingAnswer::Yes };
        assert_eq!(question.stops_on, stops_on, "{}", question.id);
    }
    assert_eq!(protocol.policy.calculation_valid.to_string(), "60 min");
}

fn minutes(minutes: u64) -> Span {
    Span::from_microseconds(minutes * 60_000_000).unwrap()
}

fn plan(id: &str) -> Arc<Plan> {
    Arc::clone(starter().plan(&id.parse().unwrap()).unwrap_or_else(|| panic!("{id}")))
}

/// Sessions at least and at most, planned days between them, and how long the phase lasts.
fn shape(phase: &Phase) -> (&str, &str, u16, u16, u16, Option<u16>) {
    let (id, protocol) = (phase.id.as_str(), phase.protocol.as_str());
    (id, protocol, phase.sessions_min, phase.sessions_max, phase.interval_days, phase.lasts_days)
}

#[test]
fn the_plans_are_those_of_the_list() {
    let ketamine = plan("ket-trd-iv");
    assert_eq!(ketamine.monitoring.id.as_str(), "ket-iv");
    assert_eq!(shape(&ketamine.phases[0]), ("induction", "ket-trd-iv", 4, 8, 3, Some(28)));
    assert_eq!(shape(&ketamine.phases[1]), ("maintenance", "ket-trd-iv", 1, 26, 14, None));
    assert_eq!((ketamine.phases.len(), &ketamine.form), (2, &None));

    let nasal = plan("esk-trd");
    let phases: Vec<_> = nasal.phases.iter().map(shape).collect();
    assert_eq!(
        phases,
        [
            ("weeks-1-4", "esk-trd-ind", 8, 8, 3, Some(28)),
            ("weeks-5-8", "esk-trd-m1", 4, 4, 7, Some(28)),
            ("from-week-9", "esk-trd-m2", 1, 52, 14, None),
        ]
    );
    let [first, second, third] = nasal.phases.as_slice() else { panic!("three phases") };
    assert_eq!(first.first_dose, Some(quantity("2 devices")), "56 mg on day 1");
    assert_eq!((second.first_dose, third.first_dose), (None, None));
    assert!(third.soft_min_days <= 7, "weekly needs no reason");

    let crisis = plan("esk-mdsi");
    let phases: Vec<_> = crisis.phases.iter().map(shape).collect();
    assert_eq!(phases, [("weeks-1-4", "esk-mdsi", 8, 8, 3, None)]);

    let oral = plan("ket-oral-dep");
    let phases: Vec<_> = oral.phases.iter().map(shape).collect();
    assert_eq!(phases, [("supervised", "ket-oral-dep", 1, 12, 7, None)]);
}

#[test]
fn every_course_protocol_has_its_plan_and_asks_what_a_course_asks() {
    let starter = starter();
    for plan in starter.plans() {
        for phase in &plan.phases {
            assert_eq!(starter.plan_of(&phase.protocol), Some(plan));
            let protocol = starter.protocol(&phase.protocol).unwrap();
            let asked: Vec<&str> =
                protocol.questions.iter().map(|question| question.id.as_str()).collect();
            assert!(asked.contains(&"urinary-symptoms"), "{}", protocol.id);
            let resistant = plan.id.as_str() != "esk-mdsi";
            assert_eq!(asked.contains(&"two-antidepressants-tried"), resistant, "{}", protocol.id);
        }
        let windows: Vec<u16> = plan.windows.iter().map(|window| window.days).collect();
        assert_eq!(windows, [7, 30, 90], "{}", plan.id);
        assert!(plan.windows.iter().all(|window| window.mass.is_some()), "{}", plan.id);
        assert_eq!((plan.history.weight_change_percent, plan.history.rises_alone), (20, 2));
        assert!(plan.history.ask_after.contains(&EffectKind::UrinarySymptoms), "{}", plan.id);
        let due = plan.form.as_ref().map(|form| form.due_days);
        assert_eq!(due, (plan.drug.as_str() == "esketamine").then_some(7), "{}", plan.id);
    }
    let pain = "ket-crps".parse().unwrap();
    assert_eq!(starter.plan_of(&pain), None, "a protocol without a course stays without");
    let days = |id: &str| {
        let question = starter.questions().find(|question| question.id.as_str() == id).unwrap();
        question.valid_days
    };
    assert_eq!(days("uncontrolled-blood-pressure"), None, "asked anew on every day");
    assert_eq!((days("pregnancy"), days("interacting-medicines")), (Some(7), Some(7)));
    assert_eq!((days("urinary-symptoms"), days("psychosis")), (Some(30), Some(90)));
}

#[test]
fn every_monitoring_holds_the_dose_at_high_pressure_and_the_patient_until_all_is_back() {
    let starter = starter();
    for watch in starter.monitorings() {
        let id = &watch.id;
        let bounds = |when: CriterionWhen, weight: Option<QuestionWeight>, measure: &str| {
            let found: Vec<Bound> = watch
                .criteria
                .iter()
                .filter(|criterion| (criterion.when, criterion.weight) == (when, weight))
                .filter(|criterion| criterion.measure.id.as_str() == measure)
                .map(|criterion| criterion.bound)
                .collect();
            assert_eq!(found.len(), 1, "{id}: {when} {measure}");
            found[0]
        };
        let (soft, hard) = (Some(QuestionWeight::Soft), Some(QuestionWeight::Hard));
        for (when, weight, systolic, diastolic) in [
            (CriterionWhen::Before, soft, 140, 90),
            (CriterionWhen::Before, hard, 180, 110),
            (CriterionWhen::During, None, 180, 110),
            (CriterionWhen::Discharge, None, 140, 90),
        ] {
            assert_eq!(bounds(when, weight, "systolic"), Bound::Above(systolic), "{id}");
            assert_eq!(bounds(when, weight, "diastolic"), Bound::Above(diastolic), "{id}");
        }
        assert_eq!(bounds(CriterionWhen::During, None, "spo2"), Bound::Below(90), "{id}");
        assert_eq!(bounds(CriterionWhen::During, None, "respiratory-rate"), Bound::Below(8));
        assert_eq!(bounds(CriterionWhen::During, None, "moaa-s"), Bound::Below(3), "{id}");
        assert_eq!(bounds(CriterionWhen::Discharge, None, "moaa-s"), Bound::Below(5), "{id}");
        assert_eq!(bounds(CriterionWhen::Discharge, None, "dissociation"), Bound::Above(0), "{id}");
        assert_eq!(watch.discharge.minimum, minutes(120), "{id}");
        assert!(watch.discharge.escort && watch.discharge.no_driving, "{id}");
        // What is looked at during the session is also measured then.
        for criterion in watch.criteria.iter().filter(|found| found.when == CriterionWhen::During) {
            let scheduled =
                watch.due.iter().any(|due| due.measures.contains(&criterion.measure.id));
            assert!(scheduled, "{id}: {}", criterion.id);
        }
    }
    let nasal = starter.monitoring(&"esk-nasal".parse().unwrap()).unwrap();
    let systolic = "systolic".parse().unwrap();
    assert!(nasal.before.contains(&systolic), "before");
    let pressure: Vec<Span> = nasal
        .due
        .iter()
        .filter(|due| due.measures.contains(&systolic))
        .map(|due| due.after)
        .collect();
    assert_eq!(pressure, [minutes(40), minutes(120)], "at 40 minutes and before leaving");
}

#[test]
fn what_no_source_says_is_called_site_policy() {
    let starter = starter();
    let mut sources: Vec<&str> = Vec::new();
    sources.extend(starter.measures().map(|measure| measure.source.as_str()));
    for watch in starter.monitorings() {
        sources.extend([&*watch.source, &*watch.discharge.source, &*watch.leaflet.source]);
        sources.extend(watch.criteria.iter().map(|criterion| criterion.source.as_str()));
    }
    for plan in starter.plans() {
        sources.extend([&*plan.source, &*plan.history.source]);
        sources.extend(plan.phases.iter().map(|phase| phase.source.as_str()));
        sources.extend(plan.windows.iter().map(|window| window.source.as_str()));
        sources.extend(plan.form.iter().map(|form| form.source.as_str()));
    }
    let read = ["Andrade, ", "Chernik et al., ", "Sessler et al., ", "Spravato "];
    for source in &sources {
        let named = read.iter().any(|name| source.contains(name));
        assert!(named || source.starts_with("Site policy"), "{source}");
    }
    assert!(sources.len() > 80, "only {} sources were looked at", sources.len());
}

#[test]
fn ketamine_and_esketamine_never_go_home() {
    let starter = starter();
    for product in starter.products() {
        let drug = starter.drug(&product.drug).unwrap();
        let clinic = ["ketamine", "esketamine"].contains(&drug.id.as_str());
        assert_eq!(drug.clinic_only, clinic, "{}", drug.id);
        assert_eq!(drug.clinic_only_source.is_some(), clinic, "{}", drug.id);
    }
    let oral = starter.protocol(&"ket-oral-dep".parse().unwrap()).unwrap();
    assert!(oral.policy.double_check && oral.dose.hard_mass.is_none());
    let limits = [oral.dose.soft_low, oral.dose.soft_high, oral.dose.hard_high];
    assert_eq!(limits.map(|limit| limit.to_string()), ["0.25 mg/kg", "2.5 mg/kg", "7 mg/kg"]);
}

#[test]
fn hydromorphone_is_always_in_tall_man_letters() {
    let starter = starter();
    let named: Vec<_> = starter
        .products()
        .filter(|product| product.drug.as_str() == "hydromorphone")
        .map(|product| product.name.as_str())
        .collect();
    assert_eq!(named.len(), 6);
    assert!(named.iter().all(|name| name.contains("HYDROmorphone")), "{named:?}");
}

#[test]
fn a_scanned_code_finds_its_product_at_every_level_that_it_may_stand_for() {
    let starter = starter();
    let carton: Gtin = "00304092051057".parse().unwrap();
    let vial: Gtin = "00304092051156".parse().unwrap();
    let found = |gtin: Gtin| starter.product_by_gtin(&gtin).map(|product| product.id.to_string());
    let hospira = Some("ketamine-0409-2051-05".to_owned());
    assert_eq!(found(carton), hospira);
    assert_eq!(found(vial), hospira);
    for indicator in 0..=8 {
        assert_eq!(found(carton.with_indicator(indicator).unwrap()), hospira, "{indicator}");
    }
    assert_eq!(found(vial.with_indicator(3).unwrap()), None, "a vial is no bundle");
    let variable_measure: Gtin = "90304092051050".parse().unwrap();
    assert_eq!(found(variable_measure), None);
    assert_eq!(found("07032069804988".parse().unwrap()), None);
}

#[test]
fn a_shared_container_code_and_a_foreign_number_find_their_product() {
    let starter = starter();
    let device = "50458-028-00".parse::<Ndc>().unwrap();
    let product = starter.product_by_ndc(&device).unwrap();
    assert_eq!(product.id.as_str(), "esketamine-50458-028-02");
    assert_eq!(starter.product_by_gtin(&device.to_gtin(0).unwrap()), Some(product));
    let foreign: Gtin = "0055154474351".parse().unwrap();
    assert_eq!(starter.product_by_gtin(&foreign).unwrap().labeler, "Cardinal Health 107");
}

#[test]
fn an_ndc_is_found_in_whichever_form_it_is_written() {
    let starter = starter();
    for text in ["0409-2051-05", "00409-2051-05", "00409205105", "000409-2051-05"] {
        let product = starter.product_by_ndc(&text.parse().unwrap());
        assert_eq!(product.unwrap().id.as_str(), "ketamine-0409-2051-05", "{text}");
    }
    assert!(starter.product_by_ndc(&"0409-2051-06".parse().unwrap()).is_none());
}

#[test]
fn the_version_is_the_hash_of_the_very_bytes() {
    let starter = starter();
    let touched = format!("{}\n", formulary::starter());
    let other = Formulary::parse(&touched).unwrap();
    assert_ne!(starter.version(), other.version());
    assert_ne!(starter, other);
    assert_eq!(starter.text(), formulary::starter());
    let summary = starter.summary();
    assert_eq!(summary.version.len(), 64);
    assert_ne!(summary.version, other.summary().version);
}

#[test]
fn a_formulary_survives_a_snapshot() {
    let starter = starter();
    let bytes = postcard::to_allocvec(&starter).unwrap();
    assert_eq!(postcard::from_bytes::<Formulary>(&bytes).unwrap(), starter);
    assert!(
        postcard::from_bytes::<Formulary>(&postcard::to_allocvec("[[product]]").unwrap()).is_err()
    );
}

#[test]
fn a_full_container_holds_what_its_label_says() {
    let starter = starter();
    let vial = starter.product(&"ketamine-0409-2051-05".parse().unwrap()).unwrap();
    let mass = Mass::from_rational(vial.container_mass().unwrap()).unwrap();
    assert_eq!(mass.to_string(), "500 mg");
    let device = starter.product(&"esketamine-50458-028-03".parse().unwrap()).unwrap();
    let mass = Mass::from_rational(device.container_mass().unwrap()).unwrap();
    assert_eq!(mass.to_string(), "28 mg");
    assert_eq!(device.containers, 3);
}
