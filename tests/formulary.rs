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
use vialedger::command::MAX_REQUEST_BYTES;
use vialedger::formulary::{
    self, DoseKind, DoseUse, Form, Formulary, MAX_TEXT_BYTES, Product, Protocol, Route,
    StoppingAnswer, WeightMethod, WeightScalar,
};
use vialedger::ident::{Gtin, Ndc};
use vialedger::pb::v1;
use vialedger::units::{Amount, Mass, Quantity, Rational, Span, Strength, Unit};

type Row = BTreeMap<String, String>;

/// Products of the list that the starter leaves out, as its first comment says.
const PRODUCTS_LEFT_OUT: [&str; 2] = ["67457-108-xx", "0641-6028-25"];
/// Protocols of the list that the starter leaves out, as its first comment says.
const PROTOCOLS_LEFT_OUT: [&str; 12] = [
    "KET-ACUTE-BOLUS",
    "KET-ACUTE-INF",
    "KET-CHRONIC-GEN",
    "KET-IN-ANALG",
    "KET-ED-SDK",
    "KET-SCI",
    "KET-IN-FIXED",
    "KET-ORAL-DEP",
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
    assert_eq!((summary.products, summary.protocols, summary.drugs), (38, 15, 9));
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
        assert_eq!(vec![dose.soft_high.value()], listed("dose_high"), "{id}");
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
    assert_eq!(asked.len(), 10);
    assert!(protocol.questions.iter().all(|question| question.stops_on == StoppingAnswer::Yes));
    assert_eq!(protocol.policy.calculation_valid.to_string(), "60 min");
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
