//! The calculation as a clinic would use it, and where it must refuse.

use proptest::prelude::*;

use super::*;
use crate::dosing::{LimitKind, Limits, Sex, Syringe};
use crate::formulary::WeightScalar;
use crate::units::{Height, Mass, Rational, Strength, Volume, Weight};

fn quantity(text: &str) -> Quantity {
    Quantity::parse_text(text).unwrap()
}

fn over(text: &str) -> Pace {
    Pace::Over(Span::try_from(quantity(text)).unwrap())
}

fn volume(text: &str) -> Volume {
    Volume::try_from(quantity(text)).unwrap()
}

fn amount(text: &str) -> Amount {
    Amount::try_from(quantity(text)).unwrap()
}

/// Ketamine for depression as the published trials gave it, with a clinic's limits.
fn ketamine() -> DoseInput {
    DoseInput {
        weight: Some(Weight::from_grams(72_500).unwrap()),
        limits: Limits {
            soft_low: Some(quantity("0.1 mg/kg")),
            soft_high: Some(quantity("0.75 mg/kg")),
            hard_high: Some(quantity("1 mg/kg")),
            absolute_hard: Some(Mass::try_from(quantity("100 mg")).unwrap()),
        },
        strength: Some(Strength::parse("500 mg/10 mL").unwrap()),
        container: Some(amount("10 mL")),
        syringe: Some(Syringe::Ml3),
        diluted_to: Some(volume("50 mL")),
        pace: Some(over("40 min")),
        ..DoseInput::new("ketamine", DoseKind::PerKg, quantity("0.5 mg/kg"))
    }
}

/// A dose per weight and time without anything but a weight and a strength.
fn propofol(rate: &str, kilograms: u64) -> DoseInput {
    DoseInput {
        weight: Some(Weight::from_grams(kilograms * 1_000).unwrap()),
        strength: Some(Strength::parse("10 mg/mL").unwrap()),
        ..DoseInput::new("propofol", DoseKind::PerKgPerTime, quantity(rate))
    }
}

fn reason(input: &DoseInput) -> &'static str {
    calculate(input).unwrap_err().reason()
}

#[test]
fn a_session_of_ketamine_is_worked_out_step_by_step() {
    let working = calculate(&ketamine()).unwrap();
    let steps: Vec<_> = working.steps.iter().map(ToString::to_string).collect();
    assert_eq!(
        steps,
        [
            "Dosing weight: actual weight = 72.5 kg",
            "Exact dose: 0.5 mg/kg × 72.5 kg = 36.25 mg",
            "Limits: usually 0.1 mg/kg to 0.75 mg/kg; never above 1 mg/kg; \
             never above 100 mg in all = within",
            "Dose after limits: a limit stops a dose, it never changes one = 36.25 mg",
            "Exact volume: 36.25 mg ÷ (500 mg/10 mL) = 0.725 mL",
            "Measured volume: 0.725 mL, to the nearest 0.1 mL mark of a 3 mL syringe (half way: up) \
             = 0.7 mL",
            "Dose as measured: 0.7 mL × (500 mg/10 mL) = 35 mg",
            "Deviation: 35 mg instead of 36.25 mg = 3.4% less",
            "Containers to open: 0.7 mL ÷ 10 mL, up to whole containers = 1 container of 10 mL",
            "Remainder: 10 mL − 0.7 mL = 9.3 mL",
            "Concentration: 35 mg ÷ 50 mL = 0.7 mg/mL",
            "Pump rate: 50 mL ÷ 40 min = 75 mL/h",
            "Pump setting: 75 mL/h, in steps of 0.1 mL/h = 75 mL/h",
        ]
    );
    assert_eq!(
        working.sentence,
        "ketamine 0.5 mg/kg for 72.5 kg (actual weight) is 36.25 mg; \
         draw up 0.7 mL of 500 mg/10 mL with a 3 mL syringe: that is 35 mg, 3.4% less than exact; \
         open 1 container of 10 mL, 9.3 mL is left over; \
         dilute to 50 mL in all (0.7 mg/mL), run it at 75 mL/h for 40 min."
    );
}

#[test]
fn soft_limits_are_named_and_hard_limits_refuse() {
    let dose = |dose| DoseInput { dose: quantity(dose), ..ketamine() };
    let crossed = |input: &DoseInput| -> Vec<_> {
        calculate(input).unwrap().crossed.iter().map(|crossing| crossing.kind).collect()
    };
    assert_eq!(crossed(&dose("0.05 mg/kg")), [LimitKind::SoftLow]);
    assert_eq!(crossed(&dose("0.8 mg/kg")), [LimitKind::SoftHigh]);
    assert!(calculate(&dose("0.8 mg/kg")).unwrap().sentence.contains("attention: 0.8 mg/kg"));
    assert_eq!(reason(&dose("1.01 mg/kg")), "OVER_HARD_LIMIT");
    // 0.9 mg/kg is allowed, but 120 kg make it 108 mg.
    let heavy =
        DoseInput { weight: Some(Weight::from_grams(120_000).unwrap()), ..dose("0.9 mg/kg") };
    assert_eq!(reason(&heavy), "OVER_HARD_LIMIT");
    assert_eq!(
        calculate(&heavy).unwrap_err().to_string(),
        "108 mg is above the hard limit of 100 mg; \
         it is refused, not lowered, and cannot be overridden"
    );
}

#[test]
fn rounding_goes_down_where_half_up_would_pass_a_limit() {
    // 1 mg/kg × 75.5 kg = 75.5 mg = 1.51 mL; 77.5 kg = 1.55 mL, half up 1.6 mL = 80 mg: too much.
    let at_limit = DoseInput {
        dose: quantity("1 mg/kg"),
        weight: Some(Weight::from_grams(77_500).unwrap()),
        ..ketamine()
    };
    let measured = calculate(&at_limit).unwrap().measured.unwrap();
    assert_eq!(measured.amount, amount("1.5 mL"));
    assert_eq!(measured.rounding, Rounding::Floor);
    let without = DoseInput { limits: Limits::default(), ..at_limit };
    let measured = calculate(&without).unwrap().measured.unwrap();
    assert_eq!(measured.amount, amount("1.6 mL"));
    assert_eq!(measured.rounding, Rounding::HalfUp);
    // The usual range counts too: a rounding must not be what needs a reason.
    let soft = DoseInput {
        dose: quantity("0.75 mg/kg"),
        weight: Some(Weight::from_grams(70_000).unwrap()),
        ..ketamine()
    };
    // 52.5 mg = 1.05 mL.
    let working = calculate(&soft).unwrap();
    assert_eq!(working.measured.unwrap().amount, amount("1 mL"));
    assert!(working.crossed.is_empty());
}

#[test]
fn a_rate_gives_a_pump_rate_and_with_a_time_a_mass() {
    let working = calculate(&propofol("5 ug/kg/min", 90)).unwrap();
    assert_eq!(working.exact_rate.unwrap().to_string(), "450 mcg/min");
    assert_eq!(working.exact_dose, None);
    assert_eq!(working.infusion.unwrap().rate.to_string(), "2.7 mL/h");
    assert_eq!(
        working.sentence,
        "propofol 5 mcg/kg/min for 90 kg (actual weight) is 450 mcg/min; run it at 2.7 mL/h."
    );

    let timed = DoseInput { pace: Some(over("2 h")), ..propofol("5 ug/kg/min", 90) };
    let working = calculate(&timed).unwrap();
    assert_eq!(working.exact_dose.unwrap().to_string(), "54,000 mcg");
    assert_eq!(working.exact_amount.unwrap().to_string(), "5.4 mL");
    assert_eq!(working.infusion.unwrap().duration.unwrap().to_string(), "120 min");
}

#[test]
fn an_absolute_rate_asks_for_no_weight() {
    // Ketamine's maintenance dose is absolute: 0.1 to 0.5 mg/min.
    let input = DoseInput {
        strength: Some(Strength::parse("500 mg/500 mL").unwrap()),
        ..DoseInput::new("ketamine", DoseKind::AbsolutePerTime, quantity("0.5 mg/min"))
    };
    assert_eq!(calculate(&input).unwrap().infusion.unwrap().rate.to_string(), "30 mL/h");
    let per_kg = DoseInput { dose: quantity("0.5 mg/kg/min"), ..input };
    assert_eq!(reason(&per_kg), "WRONG_KIND_OF_UNIT");
}

#[test]
fn devices_are_given_whole() {
    let input = DoseInput {
        strength: Some(Strength::parse("28 mg/{device}").unwrap()),
        container: Some(amount("1 {device}")),
        limits: Limits {
            absolute_hard: Some(Mass::try_from(quantity("84 mg")).unwrap()),
            ..Limits::default()
        },
        ..DoseInput::new("esketamine", DoseKind::Absolute, quantity("56 mg"))
    };
    let working = calculate(&input).unwrap();
    assert_eq!(working.measured.unwrap().amount, amount("2 {device}"));
    assert_eq!(
        working.sentence,
        "esketamine 56 mg; give 2 devices of 28 mg/device; \
         open 2 devices, nothing is left over."
    );
    assert_eq!(reason(&DoseInput { dose: quantity("70 mg"), ..input.clone() }), "NOT_WHOLE");

    let counted =
        DoseInput { kind: DoseKind::Devices, dose: quantity("3 {device}"), ..input.clone() };
    assert_eq!(calculate(&counted).unwrap().exact_dose.unwrap().to_string(), "84 mg");
    let four = DoseInput { dose: quantity("4 {device}"), ..counted.clone() };
    assert_eq!(reason(&four), "OVER_HARD_LIMIT");
    assert_eq!(reason(&DoseInput { strength: None, ..counted }), "MISSING_INPUT");
}

#[test]
fn too_concentrated_is_a_hard_stop() {
    let undiluted = DoseInput {
        strength: Some(Strength::parse("500 mg/5 mL").unwrap()),
        max_concentration: Some(quantity("50 mg/mL")),
        diluted_to: None,
        pace: None,
        ..ketamine()
    };
    assert_eq!(reason(&undiluted), "TOO_CONCENTRATED");
    assert!(
        calculate(&DoseInput { diluted_to: Some(volume("10 mL")), ..undiluted.clone() }).is_ok()
    );
    let hardly = DoseInput { diluted_to: Some(volume("0.5 mL")), ..undiluted.clone() };
    assert_eq!(reason(&hardly), "TOO_CONCENTRATED");
    let full = DoseInput { diluted_to: Some(volume("0.1 mL")), ..undiluted };
    assert_eq!(reason(&full), "DILUTION_TOO_SMALL");
}

#[test]
fn what_is_missing_or_impossible_is_an_error() {
    let input = ketamine();
    assert_eq!(reason(&DoseInput { weight: None, ..input.clone() }), "MISSING_INPUT");
    assert_eq!(reason(&DoseInput { dose: quantity("0 mg/kg"), ..input.clone() }), "ZERO");
    assert_eq!(
        reason(&DoseInput { dose: quantity("36 mg"), ..input.clone() }),
        "WRONG_KIND_OF_UNIT"
    );
    assert_eq!(
        reason(&DoseInput { scalar: WeightScalar::Ideal, sex: Some(Sex::Male), ..input.clone() }),
        "MISSING_INPUT"
    );
    let small = DoseInput { syringe: Some(Syringe::Ml20), ..input.clone() };
    assert_eq!(calculate(&small).unwrap().measured.unwrap().amount, amount("1 mL"));
    let smaller = DoseInput { dose: quantity("0.2 mg/kg"), ..small };
    assert_eq!(reason(&smaller), "NOT_MEASURABLE");
    let weak = Some(Strength::parse("10 mg/mL").unwrap());
    assert_eq!(reason(&DoseInput { strength: weak, ..input.clone() }), "SYRINGE_TOO_SMALL");
    assert_eq!(reason(&DoseInput { pace: Some(over("0 min")), ..input.clone() }), "ZERO");

    let rate = propofol("5 ug/kg/min", 90);
    let paced = DoseInput { pace: Some(Pace::At(quantity("3 mL/h"))), ..rate.clone() };
    assert_eq!(reason(&paced), "RATE_TWICE");
    assert_eq!(
        reason(&DoseInput { diluted_to: Some(volume("50 mL")), ..rate.clone() }),
        "MISSING_INPUT"
    );
    let per_kg = Limits { absolute_hard: None, ..input.limits };
    let limited = DoseInput { limits: per_kg, ..rate.clone() };
    assert_eq!(reason(&limited), "WRONG_KIND_OF_UNIT");
    let total = Limits { absolute_hard: input.limits.absolute_hard, ..Limits::default() };
    assert_eq!(reason(&DoseInput { limits: total, ..rate }), "MISSING_INPUT");
    assert_eq!(reason(&propofol("0.01 ug/kg/min", 10)), "TOO_SLOW");
}

#[test]
fn a_pump_rate_for_a_mass_gives_its_duration() {
    let input = DoseInput { pace: Some(Pace::At(quantity("75 mL/h"))), ..ketamine() };
    let infusion = calculate(&input).unwrap().infusion.unwrap();
    assert_eq!(infusion.duration.unwrap().to_string(), "40 min");
    let still = DoseInput { pace: Some(Pace::At(quantity("0 mL/h"))), ..ketamine() };
    assert_eq!(reason(&still), "ZERO");
}

#[test]
fn a_pump_setting_never_passes_a_limit() {
    // 5 mcg/kg/min × 91.9 kg at 10 mg/mL is 2.757 mL/h.
    let free = DoseInput {
        weight: Some(Weight::from_grams(91_900).unwrap()),
        ..propofol("5 ug/kg/min", 90)
    };
    let setting =
        |input: &DoseInput| calculate(input).unwrap().infusion.unwrap().setting.to_string();
    assert_eq!(setting(&free), "2.8 mL/h");
    let hard = Limits { hard_high: Some(quantity("5 ug/kg/min")), ..Limits::default() };
    assert_eq!(setting(&DoseInput { limits: hard, ..free }), "2.7 mL/h");
}

#[test]
fn the_size_that_wastes_least_is_offered() {
    let input = DoseInput { stock: vec![amount("10 mL"), amount("5 mL")], ..ketamine() };
    let plan = calculate(&input).unwrap().least_waste.unwrap();
    assert_eq!(plan.remainder, amount("4.3 mL"));
}

#[test]
fn a_working_survives_a_snapshot() {
    let input = DoseInput {
        scalar: WeightScalar::Adjusted,
        height: Some(Height::from_millimetres(1_600).unwrap()),
        sex: Some(Sex::Female),
        ..ketamine()
    };
    let working = calculate(&input).unwrap();
    let bytes = postcard::to_allocvec(&(&input, &working)).unwrap();
    let back: (DoseInput, DoseWorking) = postcard::from_bytes(&bytes).unwrap();
    assert_eq!(back, (input, working));
}

proptest! {
    /// Whatever is measured, the exact dose is within half a graduation and no limit is passed.
    #[test]
    fn no_measured_dose_passes_a_limit(
        grams in 1_u64..=650_000,
        dose in 1_u32..=1_200,
        strength in 1_u32..=100,
        syringe in prop::sample::select(vec![Syringe::Ml1, Syringe::Ml3, Syringe::Ml60]),
    ) {
        let input = DoseInput {
            weight: Some(Weight::from_grams(grams).unwrap()),
            strength: Some(Strength::parse(&format!("{strength} mg/mL")).unwrap()),
            syringe: Some(syringe),
            pace: None,
            diluted_to: None,
            container: None,
            dose: Quantity::new(
                Rational::new(dose.into(), 1_000).unwrap(),
                quantity("1 mg/kg").unit(),
            ),
            ..ketamine()
        };
        let Ok(working) = calculate(&input) else { return Ok(()) };
        let measured = working.measured.unwrap();
        let exact = working.exact_dose.unwrap();
        prop_assert!(measured.dose.value() <= Rational::from_integer(100));
        let kilograms = Rational::new(grams.into(), 1_000).unwrap();
        prop_assert!(measured.dose.value() <= kilograms, "never above 1 mg/kg");
        if dose <= 750 {
            let usual = kilograms.times(Rational::new(3, 4).unwrap()).unwrap();
            prop_assert!(measured.dose.value() <= usual, "rounding needs no reason");
        }
        let off = measured.dose.value().minus(exact.value()).unwrap();
        let step = syringe.graduation().value().times(strength.into()).unwrap();
        prop_assert!(off < step && off.negated().unwrap() < step);
    }
}
