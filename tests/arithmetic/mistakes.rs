//! Published mistakes: each that is arithmetic is calculated, and comes out right.

use vialedger::dosing::{SurfaceFormula, body_surface_area, drip_rate, pump_rate, times_weight};
use vialedger::units::{Quantity, Rational, Rounding, Span, Volume};

use crate::rows::{number, quantity, round, strength};

/// Inputs of the rows that are not arithmetic, and where they belong.
const LEFT_OUT: [(&str, &str); 4] = [
    (
        "ketamine 4 mg/kg IM adult 'produces surgical anesthesia within 3-4 minutes'",
        "a claim about an effect: protocols carry the label's 6.5 to 13 mg/kg for anaesthesia",
    ),
    ("AB4523767", "a check of an identifier: tests/identifiers.rs"),
    ("biennial inventory", "a rule about dates, not about doses"),
    ("1304.11 estimate rule", "a rule about counting, not about doses"),
];

struct Mistake {
    inputs: String,
    wrong: String,
    correct: String,
}

fn mistakes() -> Vec<Mistake> {
    let text = include_str!("../data/known_bad_examples.csv");
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let rows = reader.records().map(|record| {
        let record = record.unwrap();
        let [inputs, wrong, correct] = [1, 2, 3].map(|field| record[field].to_owned());
        Mistake { inputs, wrong, correct }
    });
    rows.collect()
}

fn propofol(rate: &str, kilograms: &str) -> Quantity {
    let rate = times_weight(quantity(rate), number(kilograms)).unwrap();
    pump_rate(rate, strength("10 mg/mL").concentration().unwrap()).unwrap()
}

/// What this crate answers, and to how many decimals the file gives its numbers.
fn ours(inputs: &str) -> Option<(Vec<Rational>, u32)> {
    Some(match inputs {
        "propofol 25-75 mcg/kg/min, 70 kg, 10 mg/mL" => {
            let rates = ["25 mcg/kg/min", "75 mcg/kg/min"];
            (rates.map(|rate| propofol(rate, "70").value()).to_vec(), 1)
        }
        "propofol 5 mcg/kg/min, 90 kg, 10 mg/mL" => {
            (vec![propofol("5 mcg/kg/min", "90").value()], 1)
        }
        "180 cm 80 kg" => {
            let (height, weight) = (number("180"), number("80"));
            let area = body_surface_area(SurfaceFormula::DuBois, weight, height).unwrap();
            (vec![area.value()], 4)
        }
        "1500 mL/12 h/15 gtt" => {
            let volume = Volume::try_from(quantity("1500 mL")).unwrap();
            let span = Span::try_from(quantity("12 h")).unwrap();
            (vec![drip_rate(volume, span, quantity("15 {gtt}/mL")).unwrap().value()], 2)
        }
        _ => return None,
    })
}

fn numbers(text: &str) -> Vec<Rational> {
    text.split(' ').next().unwrap().split('-').map(number).collect()
}

#[test]
fn no_published_mistake_is_reproduced() {
    let mut calculated = 0;
    for mistake in mistakes() {
        let named = LEFT_OUT.iter().any(|(inputs, _)| *inputs == mistake.inputs);
        let Some((exact, decimals)) = ours(&mistake.inputs) else {
            assert!(named, "{} is neither calculated nor named", mistake.inputs);
            continue;
        };
        assert!(!named, "{} is both calculated and named", mistake.inputs);
        let rounded: Vec<_> =
            exact.iter().map(|exact| round(*exact, decimals, Rounding::HalfUp)).collect();
        assert_eq!(rounded, numbers(&mistake.correct), "{}", mistake.inputs);
        assert_ne!(rounded, numbers(&mistake.wrong), "{}", mistake.inputs);
        calculated += 1;
    }
    assert_eq!(calculated + LEFT_OUT.len(), mistakes().len(), "every row was met once");
}

#[test]
fn a_rate_without_its_weight_or_its_strength_is_never_a_number() {
    // How the two tenfold mistakes came about: the weight, then the strength, was dropped.
    assert!(pump_rate(quantity("5 mcg/kg/min"), Rational::ONE).is_err());
    assert!(times_weight(quantity("27 mg/h"), number("90")).is_err());
}
