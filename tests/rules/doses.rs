//! Doses: what the arithmetic gives, which limits hold, and in which direction a volume is rounded.

use std::sync::LazyLock;

use proptest::prelude::*;
use vialedger::command::DoseInputs;
use vialedger::decide::preview;
use vialedger::pb::v1::{self, Answer, FlagKind, OverrideReason, WeightMethod, outcome};
use vialedger::refusal::Refusal;
use vialedger::units::{Amount, Unit};
use vialedger::wire::quantity_from_wire;

use crate::requests::{
    self, EUGIA, INFUSION, KETALAR, NASAL, SAGENT, SPRAVATO, answer, calculate_with, q,
};
use crate::support::{Book, DAY, MINUTE, SECOND, flags, publish, staffed};

/// Induction of anaesthesia: what is not stronger than 50 mg/mL may go in undiluted.
const INDUCTION: &str = "protocols/ket-ga-iv";
/// Maintenance of anaesthesia: an absolute rate.
const MAINTENANCE: &str = "protocols/ket-ga-maint";

/// A ledger with people, the protocols of ketamine and no stock.
fn book() -> Book {
    static BOOK: LazyLock<Book> = LazyLock::new(|| {
        let mut book = staffed();
        let products = [KETALAR, EUGIA, SAGENT, SPRAVATO];
        let protocols = [INFUSION, NASAL, INDUCTION, MAINTENANCE];
        publish(&mut book, &requests::formulary_of(&products, &protocols));
        book
    });
    BOOK.clone()
}

/// The recorded calculation of inputs that differ from the usual ones.
fn calculated(
    book: &mut Book,
    change: impl FnOnce(&mut v1::DoseInputs),
) -> Result<(v1::DoseCalculation, Vec<FlagKind>), Refusal> {
    let step = book.act("pat", calculate_with(change))?;
    let flags = flags(&step);
    match step.outcome.result {
        Some(outcome::Result::DoseCalculation(dose)) => Ok((dose, flags)),
        other => panic!("no calculation: {other:?}"),
    }
}

/// The reason why these inputs give no dose.
fn refused(book: &mut Book, change: impl FnOnce(&mut v1::DoseInputs)) -> &'static str {
    calculated(book, change).unwrap_err().reason()
}

fn reason_for(limit: &str) -> v1::LimitOverride {
    v1::LimitOverride {
        limit: limit.to_owned(),
        reason: OverrideReason::SpecialistAdvice.into(),
        note: "psychiatry".to_owned(),
        ..Default::default()
    }
}

fn weight(inputs: &mut v1::DoseInputs) -> &mut v1::BodyWeight {
    inputs.weight.as_mut().unwrap()
}

#[test]
fn half_a_milligram_per_kilogram_for_72_5_kg() {
    let mut book = book();
    let (dose, flags) = calculated(&mut book, |_| {}).unwrap();
    assert_eq!(dose.name, format!("doseCalculations/{}", book.last()));
    assert_eq!(dose.dosing_weight, q("72.5 kg"));
    assert_eq!(dose.exact_dose, q("36.25 mg"));
    assert_eq!(dose.exact_amount, q("3.625 mL"));
    assert_eq!((dose.measured_amount, dose.measured_dose), (q("3.6 mL"), q("36 mg")));
    assert_eq!((dose.containers, dose.remainder), (1, q("16.4 mL")));
    assert_eq!(dose.pump_rate, q("150 mL/h"));
    assert_eq!(dose.formulary_version, book.state.formulary().unwrap().formulary.version());
    assert!(dose.steps.iter().any(|step| step.label == "Exact dose" && step.result == "36.25 mg"));
    assert!(dose.readback.contains("36 mg"), "{}", dose.readback);
    assert_eq!(flags, []);
    book.audit();
}

#[test]
fn fifty_six_milligrams_of_esketamine_are_two_devices() {
    let mut book = book();
    let nasal = |devices: Option<v1::Quantity>| {
        move |inputs: &mut v1::DoseInputs| {
            NASAL.clone_into(&mut inputs.protocol);
            SPRAVATO.clone_into(&mut inputs.product);
            (inputs.dose, inputs.syringe, inputs.diluted_volume) = (devices, None, None);
        }
    };
    let (dose, flags) = calculated(&mut book, nasal(None)).unwrap();
    assert_eq!((dose.measured_amount, dose.measured_dose), (q("2 {device}"), q("56 mg")));
    assert_eq!((dose.containers, dose.remainder), (2, q("0 {device}")));
    assert_eq!(flags, []);
    let (dose, _) = calculated(&mut book, nasal(q("3 {device}"))).unwrap();
    assert_eq!(dose.measured_dose, q("84 mg"));
    assert_eq!(refused(&mut book, nasal(q("4 {device}"))), "OVER_HARD_LIMIT");
    assert_eq!(refused(&mut book, nasal(q("1 {device}"))), "SOFT_LIMIT");
    // Half a device, and a mass where devices are counted.
    assert_eq!(refused(&mut book, nasal(q("2.5 {device}"))), "NOT_CALCULABLE");
    assert_eq!(refused(&mut book, nasal(q("56 mg"))), "NOT_CALCULABLE");
    book.audit();
}

#[test]
fn over_the_hard_limit_no_reason_helps_and_the_attempt_is_kept() {
    let mut book = book();
    let reasons = || vec![reason_for("DOSE_ABOVE_USUAL"), reason_for("OVER_HARD_LIMIT")];
    let asked = |dose: &'static str| {
        move |inputs: &mut v1::DoseInputs| {
            (inputs.dose, inputs.syringe, inputs.overrides) = (q(dose), q("10 mL"), reasons());
        }
    };
    let (dose, flags) = calculated(&mut book, asked("1 mg/kg")).unwrap();
    assert_eq!((dose.measured_dose, flags), (q("72 mg"), vec![FlagKind::SoftLimitOverridden]));
    for over in ["1.000001 mg/kg", "5 mg/kg", "1001 ug/kg"] {
        let size = book.state.size();
        let refusal = calculated(&mut book, asked(over)).unwrap_err();
        assert_eq!(refusal.reason(), "OVER_HARD_LIMIT");
        assert!(
            refusal.to_string().contains("the hard limit for the dose is 1 mg/kg"),
            "{refusal}"
        );
        assert_eq!(book.state.size(), size + 1, "the attempt is an entry");
    }
    // Faster than 40 minutes is a hard limit as well.
    let fast = |inputs: &mut v1::DoseInputs| inputs.infusion_duration = q("39 min");
    let refusal = calculated(&mut book, fast).unwrap_err();
    let words =
        "an infusion over 39 min is not allowed: the hard limit for its length is at least 40 min";
    assert!(refusal.to_string().starts_with(words), "{refusal}");
    let slow = |inputs: &mut v1::DoseInputs| inputs.infusion_duration = q("61 min");
    let refusal = calculated(&mut book, slow).unwrap_err();
    let words = "the hard limit for its length is at most 60 min";
    assert!(refusal.to_string().contains(words), "{refusal}");
    book.audit();
}

#[test]
fn a_soft_limit_takes_a_coded_reason_and_shows() {
    let mut book = book();
    let asked = |dose: &'static str, reason: Option<&'static str>| {
        move |inputs: &mut v1::DoseInputs| {
            (inputs.dose, inputs.syringe) = (q(dose), q("10 mL"));
            inputs.overrides = reason.map(reason_for).into_iter().collect();
        }
    };
    for (dose, limit) in [("0.8 mg/kg", "DOSE_ABOVE_USUAL"), ("0.09 mg/kg", "DOSE_BELOW_USUAL")] {
        let refusal = calculated(&mut book, asked(dose, None)).unwrap_err();
        assert!(refusal.to_string().starts_with(limit), "{refusal}");
        assert_eq!(refused(&mut book, asked(dose, Some("BODY_MASS_INDEX"))), "SOFT_LIMIT");
        let (_, flags) = calculated(&mut book, asked(dose, Some(limit))).unwrap();
        assert_eq!(flags, [FlagKind::SoftLimitOverridden]);
        let kept = &book.last_entry().outcome.unwrap().flags[0].message;
        assert!(kept.starts_with(limit) && kept.contains("SPECIALIST_ADVICE"), "{kept}");
        assert!(kept.ends_with("(psychiatry)"), "{kept}");
    }
    // At the limits no reason is needed.
    for dose in ["0.75 mg/kg", "0.1 mg/kg"] {
        assert_eq!(calculated(&mut book, asked(dose, None)).unwrap().1, []);
    }
    book.audit();
}

#[test]
fn what_is_not_diluted_enough_never_reaches_a_vein() {
    let mut book = book();
    let strong = |inputs: &mut v1::DoseInputs| {
        SAGENT.clone_into(&mut inputs.product);
        (inputs.syringe, inputs.diluted_volume) = (q("1 mL"), None);
    };
    let refusal = calculated(&mut book, strong).unwrap_err();
    assert_eq!(refusal.reason(), "UNDILUTED");
    assert!(refusal.to_string().starts_with("100 mg/mL must never"), "{refusal}");
    assert!(matches!(book.last_entry().outcome.unwrap().result, Some(outcome::Result::Refusal(_))));
    let induction = |product: &'static str, diluted: Option<v1::Quantity>| {
        move |inputs: &mut v1::DoseInputs| {
            INDUCTION.clone_into(&mut inputs.protocol);
            product.clone_into(&mut inputs.product);
            inputs.answers.push(answer("blood-pressure-hazard", Answer::No));
            (inputs.syringe, inputs.diluted_volume) = (q("20 mL"), diluted);
            if product == SAGENT {
                inputs.syringe = q("3 mL");
            }
        }
    };
    calculated(&mut book, induction(KETALAR, None)).unwrap();
    assert_eq!(refused(&mut book, induction(SAGENT, None)), "UNDILUTED");
    let refusal = calculated(&mut book, induction(SAGENT, q("2 mL"))).unwrap_err();
    assert_eq!(refusal.reason(), "OVER_HARD_LIMIT");
    assert!(refusal.to_string().contains("concentration"), "{refusal}");
    calculated(&mut book, induction(SAGENT, q("3 mL"))).unwrap();
    book.audit();
}

#[test]
fn one_kind_of_dose_is_never_taken_for_another() {
    let mut book = book();
    for wrong in ["36 mg", "0.5 mg/kg/h", "0.5 mg/min", "3.6 mL", "2 {device}"] {
        let refusal = calculated(&mut book, |inputs| inputs.dose = q(wrong)).unwrap_err();
        assert_eq!(refusal.reason(), "NOT_CALCULABLE", "{wrong}");
        assert!(refusal.to_string().contains("mg/kg"), "{refusal}");
    }
    // Maintenance is an absolute rate; pages that restate it per kg are wrong.
    let maintenance = |dose: &'static str| {
        move |inputs: &mut v1::DoseInputs| {
            MAINTENANCE.clone_into(&mut inputs.protocol);
            inputs.answers.push(answer("blood-pressure-hazard", Answer::No));
            (inputs.dose, inputs.infusion_duration) = (q(dose), q("60 min"));
        }
    };
    assert_eq!(refused(&mut book, maintenance("0.3 mg/kg/min")), "NOT_CALCULABLE");
    let (dose, _) = calculated(&mut book, maintenance("0.3 mg/min")).unwrap();
    assert_eq!((dose.exact_dose, dose.measured_amount), (q("18 mg"), q("1.8 mL")));
    assert_eq!(refused(&mut book, maintenance("0.6 mg/min")), "OVER_HARD_LIMIT");
    book.audit();
}

#[test]
fn unknown_is_not_no() {
    let mut book = book();
    let unanswered: [fn(&mut v1::DoseInputs); 3] = [
        |inputs| inputs.answers.clear(),
        |inputs| {
            inputs.answers.remove(8);
        },
        |inputs| inputs.answers[8].set_answer(Answer::Unknown),
    ];
    for change in unanswered {
        let refusal = calculated(&mut book, change).unwrap_err();
        assert_eq!(refusal.reason(), "QUESTION_UNANSWERED");
        assert!(refusal.to_string().contains("pregnancy"), "{refusal}");
    }
    // An answer under another id answers nothing.
    let misspelt = |inputs: &mut v1::DoseInputs| {
        inputs.answers[8] = answer("pregnant", Answer::No);
    };
    assert_eq!(refused(&mut book, misspelt), "QUESTION_UNANSWERED");
    let hard = |inputs: &mut v1::DoseInputs| {
        inputs.answers[8] = answer("pregnancy", Answer::Yes);
        inputs.overrides = vec![reason_for("QUESTION:pregnancy")];
    };
    assert_eq!(refused(&mut book, hard), "CONTRAINDICATED");
    let soft = |reasons: Vec<v1::LimitOverride>| {
        move |inputs: &mut v1::DoseInputs| {
            inputs.answers[5] = answer("severe-liver-disease", Answer::Yes);
            inputs.overrides = reasons;
        }
    };
    assert_eq!(refused(&mut book, soft(Vec::new())), "SOFT_LIMIT");
    let (_, flags) =
        calculated(&mut book, soft(vec![reason_for("QUESTION:severe-liver-disease")])).unwrap();
    assert_eq!(flags, [FlagKind::SoftLimitOverridden]);
    // One question, one answer.
    let twice = |inputs: &mut v1::DoseInputs| {
        inputs.answers.push(answer("pregnancy", Answer::Yes));
    };
    assert_eq!(book.violations(calculate_with(twice))[0].field, "inputs.answers[10]");
    book.audit();
}

#[test]
fn a_child_gets_no_dose() {
    let mut book = book();
    assert_eq!(refused(&mut book, |inputs| inputs.age_years = Some(17)), "AGE_OUTSIDE_PROTOCOL");
    calculated(&mut book, |inputs| inputs.age_years = Some(18)).unwrap();
    let absent = calculate_with(|inputs| inputs.age_years = None);
    assert_eq!(book.violations(absent)[0].field, "inputs.age_years");
    book.audit();
}

#[test]
fn a_weight_is_measured_recent_and_plausible() {
    let mut book = book();
    for method in [WeightMethod::Stated, WeightMethod::Estimated] {
        let change = |inputs: &mut v1::DoseInputs| weight(inputs).set_method(method);
        assert_eq!(refused(&mut book, change), "WEIGHT_NOT_MEASURED");
    }
    let measured = |book: &mut Book, micros| {
        let moment = book.now.checked_add_micros(SECOND + micros).unwrap();
        calculated(book, |inputs| weight(inputs).measured_time = requests::at(moment))
    };
    book.wait(31 * DAY);
    measured(&mut book, -30 * DAY).unwrap();
    assert_eq!(measured(&mut book, -30 * DAY - 1).unwrap_err().reason(), "WEIGHT_TOO_OLD");
    measured(&mut book, 2 * MINUTE).unwrap();
    assert_eq!(measured(&mut book, 2 * MINUTE + 1).unwrap_err().reason(), "IN_FUTURE");
    // Height and weight confused, and pounds sent as kilograms.
    let now = book.now;
    let body = |kilograms: &'static str, height: &'static str, reason: Option<&'static str>| {
        move |inputs: &mut v1::DoseInputs| {
            (inputs.height, inputs.syringe) = (q(height), q("20 mL"));
            weight(inputs).quantity = q(kilograms);
            weight(inputs).measured_time = requests::at(now);
            inputs.overrides = reason.map(reason_for).into_iter().collect();
        }
    };
    assert_eq!(refused(&mut book, body("178 kg", "72.5 cm", None)), "SOFT_LIMIT");
    assert_eq!(refused(&mut book, body("38 kg", "178.5 cm", None)), "SOFT_LIMIT");
    calculated(&mut book, body("72.5 kg", "178 cm", None)).unwrap();
    let (_, flags) =
        calculated(&mut book, body("230 kg", "178 cm", Some("BODY_MASS_INDEX"))).unwrap();
    assert_eq!(flags, [FlagKind::SoftLimitOverridden]);
    book.audit();
}

#[test]
fn the_drug_is_the_protocols() {
    let mut book = book();
    assert_eq!(refused(&mut book, |inputs| SPRAVATO.clone_into(&mut inputs.product)), "WRONG_DRUG");
    assert_eq!(refused(&mut book, |inputs| NASAL.clone_into(&mut inputs.protocol)), "WRONG_DRUG");
    let none = |inputs: &mut v1::DoseInputs| inputs.protocol = "protocols/none".to_owned();
    assert_eq!(refused(&mut book, none), "UNKNOWN_RESOURCE");
    book.audit();
}

#[test]
fn a_preview_is_the_calculation_before_it_is_recorded() {
    let mut book = book();
    for dose in [None, q("0.6 mg/kg")] {
        let request = calculate_with(|inputs| inputs.dose = dose);
        let inputs = DoseInputs::parse(request.inputs.as_ref()).unwrap();
        let now = book.now.checked_add_micros(SECOND).unwrap();
        let (seen, flags) = preview(&book.state, &inputs, now).unwrap();
        assert_eq!(seen.name, "");
        let step = book.act("ehr", request).unwrap();
        let Some(outcome::Result::DoseCalculation(recorded)) = step.outcome.result else {
            panic!()
        };
        assert_eq!(v1::DoseCalculation { name: String::new(), ..recorded }, seen);
        assert_eq!(step.outcome.flags, flags);
    }
    let over = calculate_with(|inputs| inputs.dose = q("2 mg/kg"));
    let inputs = DoseInputs::parse(over.inputs.as_ref()).unwrap();
    let seen = preview(&book.state, &inputs, book.now).unwrap_err();
    assert_eq!(book.act("pat", over).unwrap_err(), seen);
    let missing = DoseInputs::parse(None).unwrap_err();
    assert_eq!(missing[0].field, "inputs");
    book.audit();
}

#[test]
fn expired_stock_is_no_choice_of_least_waste() {
    // Vial 11 of the clinic, the only one of its maker in stock, expires on the third day.
    let mut book = crate::support::clinic();
    let sizes = |book: &mut Book| {
        let now = book.now;
        let (dose, _) = calculated(book, |inputs| {
            (inputs.product, inputs.syringe) = (EUGIA.to_owned(), q("5 mL"));
            weight(inputs).measured_time = requests::at(now);
        })
        .unwrap();
        dose.steps.into_iter().filter(|step| step.label == "Least waste").count()
    };
    assert_eq!(sizes(&mut book), 1);
    // Without the other maker's vials of the same strength.
    for number in 1..=4 {
        let expiry_order_reason = "emptying the shelf".to_owned();
        let emergency = requests::emergency(&crate::support::vial(number));
        let request = v1::DispenseVialRequest { expiry_order_reason, ..emergency };
        book.act("pat", request).unwrap();
    }
    assert_eq!(sizes(&mut book), 1);
    book.wait(3 * DAY);
    assert_eq!(sizes(&mut book), 0);
    book.audit();
}

/// Microlitres of an amount, and nanograms of a mass, as they stand on the wire.
fn microlitres(quantity: Option<&v1::Quantity>) -> u64 {
    Amount::try_from(quantity_from_wire(quantity.unwrap()).unwrap()).unwrap().base()
}

fn nanograms(quantity: Option<&v1::Quantity>) -> i128 {
    let quantity = quantity_from_wire(quantity.unwrap()).unwrap();
    quantity.convert(Unit::Nanogram).unwrap().value().exact_integer().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    /// All in integers: a dose of `ug_per_kg` for `grams` is their product in nanograms, and 10 mg/mL are 10,000
    /// nanograms in a microlitre.
    #[test]
    fn a_measured_dose_passes_no_limit_and_is_the_nearest_that_can_be_drawn(
        grams in 1_u64..=250_000,
        ug_per_kg in prop_oneof![1_u64..=1_200, Just(750), Just(749), Just(1_000), Just(999)],
        (capacity, graduation) in prop::sample::select(vec![
            (1, 10_u64), (3, 100), (5, 200), (10, 200), (20, 1_000), (50, 1_000), (60, 1_000),
        ]),
    ) {
        let book = book();
        let kilograms = format!("{}.{:03}", grams / 1_000, grams % 1_000);
        let kilograms = kilograms.trim_end_matches('0').trim_end_matches('.').to_owned();
        let request = calculate_with(|inputs| {
            weight(inputs).quantity =
                Some(v1::Quantity { value: kilograms, unit: "kg".to_owned() });
            inputs.dose = q(&format!("{ug_per_kg} ug/kg"));
            inputs.syringe = q(&format!("{capacity} mL"));
            inputs.diluted_volume = q("1000 mL");
            inputs.overrides =
                vec![reason_for("DOSE_ABOVE_USUAL"), reason_for("DOSE_BELOW_USUAL")];
        });
        let inputs = DoseInputs::parse(request.inputs.as_ref()).unwrap();
        let exact = grams * ug_per_kg;
        match preview(&book.state, &inputs, book.now) {
            Err(refusal) if ug_per_kg > 1_000 => {
                prop_assert_eq!(refusal.reason(), "OVER_HARD_LIMIT");
            }
            Err(refusal) => {
                // Too much for the syringe, or too little for its graduations.
                prop_assert_eq!(refusal.reason(), "NOT_CALCULABLE");
                let fits = exact + graduation * 5_000 <= capacity * 1_000 * 10_000;
                prop_assert!(!fits || exact < graduation * 10_000, "{}", refusal);
            }
            Ok((dose, _)) => {
                prop_assert!(ug_per_kg <= 1_000);
                let drawn = microlitres(dose.measured_amount.as_ref());
                let measured = drawn * 10_000;
                prop_assert_eq!(nanograms(dose.measured_dose.as_ref()), i128::from(measured));
                prop_assert_eq!(drawn % graduation, 0);
                prop_assert!(drawn <= capacity * 1_000);
                let limit = if ug_per_kg <= 750 { 750 } else { 1_000 } * grams;
                prop_assert!(measured <= limit, "{measured} ng passes {limit} ng");
                let step = graduation * 10_000;
                if measured.abs_diff(exact) * 2 > step {
                    // Only because the next graduation would have passed the limit.
                    prop_assert!(measured < exact && measured + step > limit);
                    prop_assert!(exact - measured < step);
                }
            }
        }
    }
}
