//! The rows of the published examples, and the exact answer that this crate gives to each.

use std::collections::HashMap;

use vialedger::dosing::{
    DoseInput, Sex, SurfaceFormula, Syringe, adjusted, body_mass_index, body_surface_area, boer,
    calculate, concentration, devine, dose_rate, dosing_weight, drip_rate, hume, james,
    janmahasatian, pump_rate, times_weight,
};
use vialedger::formulary::{BelowSixtyInches, DoseKind, WeightScalar};
use vialedger::units::{
    Amount, Height, Quantity, Rational, Rounding, Span, Strength, Unit, Volume, Weight,
};

pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) inputs: HashMap<String, String>,
    pub(crate) published: String,
    pub(crate) unit: String,
    pub(crate) rounding: String,
    pub(crate) recheck: String,
}

pub(crate) fn examples() -> Vec<Row> {
    let text = include_str!("../data/worked_examples.csv");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let rows = reader.records().map(|record| {
        let record = record.unwrap();
        Row {
            id: record[0].to_owned(),
            kind: record[1].to_owned(),
            inputs: serde_json::from_str(&record[3]).unwrap(),
            published: record[4].to_owned(),
            unit: record[5].to_owned(),
            rounding: record[6].to_owned(),
            recheck: record[10].to_owned(),
        }
    });
    rows.collect()
}

pub(crate) fn quantity(text: &str) -> Quantity {
    Quantity::parse_text(text).unwrap()
}

pub(crate) fn number(text: &str) -> Rational {
    quantity(&format!("{text} kg")).value()
}

pub(crate) fn strength(text: &str) -> Strength {
    Strength::parse(text).unwrap()
}

impl Row {
    pub(crate) fn get(&self, name: &str) -> &str {
        self.inputs.get(name).unwrap_or_else(|| panic!("{} has no {name}", self.id))
    }

    fn number(&self, name: &str) -> Rational {
        number(self.get(name))
    }

    /// The weight in kg; in pounds by the factor that the source names.
    fn kilograms(&self) -> Rational {
        match self.inputs.get("lb") {
            None => self.number("weight_kg"),
            Some(pounds) => {
                let ounces = self.inputs.get("oz").map_or(Rational::ZERO, |oz| number(oz));
                let ounces = ounces.over(Rational::from_integer(16)).unwrap();
                let pounds = number(pounds).plus(ounces).unwrap();
                let factor = self.number("factor");
                if factor > Rational::ONE {
                    pounds.over(factor).unwrap()
                } else {
                    pounds.times(factor).unwrap()
                }
            }
        }
    }

    fn sex(&self) -> Sex {
        if self.get("sex") == "F" { Sex::Female } else { Sex::Male }
    }

    fn centimetres(&self) -> Rational {
        match self.inputs.get("height_in") {
            Some(inches) => number(inches).times(Rational::new(254, 100).unwrap()).unwrap(),
            None => self.number("height_cm"),
        }
    }

    /// The dose without its route, or both ends of its range.
    fn doses(&self) -> Vec<Quantity> {
        let text = self.inputs.get("dose").or_else(|| self.inputs.get("rate")).unwrap();
        let text = text.trim_end_matches(" IM");
        let (numbers, unit) = text.split_once(' ').unwrap();
        numbers.split('-').map(|number| quantity(&format!("{number} {unit}"))).collect()
    }

    /// The unit of the published answer, without the remarks behind it.
    fn answer_unit(&self) -> Unit {
        let unit = self.unit.split(" (").next().unwrap();
        Unit::parse_human(unit).unwrap_or_else(|| panic!("{}: {unit}", self.id))
    }

    fn drug_mass(&self) -> Quantity {
        match self.inputs.get("dose_mg") {
            Some(milligrams) => quantity(&format!("{milligrams} mg")),
            None => times_weight(self.doses()[0], self.kilograms()).unwrap(),
        }
    }

    /// The exact answer in the published unit: one number, or two for a range. None for a kind that
    /// is not arithmetic of this module.
    pub(crate) fn exact(&self) -> Option<Vec<Rational>> {
        let one = |number| Some(vec![number]);
        match self.kind.as_str() {
            "dose_mass" | "dose_mass_range" | "rate_mass" | "rate_mass_range" => {
                let doses = self.doses().into_iter().map(|dose| {
                    let found = times_weight(dose, self.kilograms()).unwrap();
                    found.convert(self.answer_unit()).unwrap().value()
                });
                Some(doses.collect())
            }
            "rate_conv" => {
                let rates = self.doses().into_iter();
                Some(rates.map(|rate| rate.convert(self.answer_unit()).unwrap().value()).collect())
            }
            "volume" => one(self.volume()),
            "volume_measurable" => one(self.measured()),
            "volume_rounding" => {
                // Counted in units of activity, which no quantity of ours has: the division alone.
                let per_millilitre = self.get("conc").strip_suffix(" units/mL").unwrap();
                one(self.number("dose_units").over(number(per_millilitre)).unwrap())
            }
            "rate_volume" => {
                let rate = times_weight(self.doses()[0], self.kilograms()).unwrap();
                let per = strength(self.get("conc")).concentration().unwrap();
                one(pump_rate(rate, per).unwrap().convert(self.answer_unit()).unwrap().value())
            }
            "reverse_rate" => {
                let per = strength(self.get("conc")).concentration().unwrap();
                let pump = quantity(&format!("{} mL/h", self.get("rate_mL_h")));
                let rate = dose_rate(pump, per, Some(self.kilograms())).unwrap();
                one(rate.convert(self.answer_unit()).unwrap().value())
            }
            "conc_prep" => one(self.concentration()),
            "container_total" => {
                let per = strength(&format!("{} mg/mL", self.get("conc_mg_mL")));
                let volume = quantity(&format!("{} mL", self.get("volume_mL")));
                let held = per.mass_in(Amount::try_from(volume).unwrap()).unwrap();
                one(Quantity::from_base(held, Unit::Milligram).unwrap().value())
            }
            "device_count" => {
                let dose = quantity(&format!("{} mg", self.get("dose_mg")));
                let input = DoseInput {
                    strength: Some(strength("28 mg/{device}")),
                    ..DoseInput::new("esketamine", DoseKind::Absolute, dose)
                };
                one(calculate(&input).unwrap().exact_amount.unwrap().value())
            }
            "conversion" => {
                let from = quantity(&format!("{} mcg", self.get("mcg")));
                one(from.convert(self.answer_unit()).unwrap().value())
            }
            "weight_conv" => one(self.kilograms()),
            "length_conv" => one(self.number("cm").over(Rational::new(254, 100).unwrap()).unwrap()),
            "drip" => one(self.drip()),
            _ => self.body().map(|number| vec![number]),
        }
    }

    fn volume(&self) -> Rational {
        let nanograms = self.drug_mass().to_base().unwrap();
        let microlitres = strength(self.get("conc")).volume_for(nanograms).unwrap();
        Quantity::from_base(microlitres, Unit::Millilitre).unwrap().value()
    }

    /// The volume that a syringe measures, through the whole calculation: at 1 mg/mL the volume in
    /// mL is the dose in mg.
    fn measured(&self) -> Rational {
        let syringe = self.get("syringe").split(" (").next().unwrap();
        let dose = quantity(&format!("{} mg", self.get("volume_mL")));
        let input = DoseInput {
            strength: Some(strength("1 mg/mL")),
            syringe: Some(Syringe::parse(syringe).unwrap()),
            ..DoseInput::new("drug", DoseKind::Absolute, dose)
        };
        calculate(&input).unwrap().measured.unwrap().amount.to_quantity().value()
    }

    fn concentration(&self) -> Rational {
        let mass = match self.inputs.get("drug") {
            Some(drug) => quantity(drug),
            None => match self.get("add").split_once(" of ") {
                None => quantity(self.get("add")),
                Some((volume, label)) => {
                    let volume = Amount::try_from(quantity(volume)).unwrap();
                    let held = strength(label).mass_in(volume).unwrap();
                    Quantity::from_base(held, Unit::Milligram).unwrap()
                }
            },
        };
        let volume = match self.inputs.get("to") {
            Some(to) => quantity(to),
            None => quantity(&format!("{} mL", self.get("final_volume_mL"))),
        };
        concentration(mass, volume).unwrap().value()
    }

    fn drip(&self) -> Rational {
        let factor = self.get("drop_factor").strip_suffix(" gtt/mL").unwrap();
        drip_rate(
            Volume::try_from(quantity(&format!("{} mL", self.get("volume_mL")))).unwrap(),
            Span::try_from(quantity(&format!("{} h", self.get("hours")))).unwrap(),
            quantity(&format!("{factor} {{gtt}}/mL")),
        )
        .unwrap()
        .value()
    }

    /// Formulas about bodies.
    fn body(&self) -> Option<Rational> {
        let surface = |formula| {
            body_surface_area(formula, self.kilograms(), self.centimetres()).unwrap().value()
        };
        Some(match self.kind.as_str() {
            "ibw_devine" => {
                devine(self.sex(), self.centimetres(), BelowSixtyInches::Refuse).unwrap()
            }
            "ibw_devine_below_60in" => {
                let convention = BelowSixtyInches::Continue;
                devine(self.sex(), self.centimetres(), convention).unwrap()
            }
            "adjbw_0.4" => {
                let ideal = match self.inputs.get("ibw_kg") {
                    Some(ideal) => number(ideal),
                    None => {
                        devine(self.sex(), self.centimetres(), BelowSixtyInches::Refuse).unwrap()
                    }
                };
                adjusted(ideal, self.kilograms()).unwrap()
            }
            "dosing_weight" => {
                let weight = quantity(&format!("{} kg", self.get("weight_kg")));
                let height = quantity(&format!("{} cm", self.get("height_cm")));
                let weight = Weight::try_from(weight).unwrap();
                let height = Some(Height::try_from(height).unwrap());
                let scalar = WeightScalar::Adjusted;
                let found = dosing_weight(
                    scalar,
                    weight,
                    height,
                    Some(self.sex()),
                    BelowSixtyInches::Refuse,
                );
                found.unwrap().weight.value()
            }
            "lbw_janmahasatian" => {
                let index = match self.inputs.get("bmi") {
                    Some(index) => number(index),
                    None => body_mass_index(self.kilograms(), self.centimetres()).unwrap().value(),
                };
                janmahasatian(self.sex(), self.kilograms(), index).unwrap()
            }
            "lbm_boer" => boer(self.sex(), self.kilograms(), self.centimetres()).unwrap(),
            "lbm_hume" => hume(self.sex(), self.kilograms(), self.centimetres()).unwrap(),
            "lbm_james" | "lbm_james_bmi_form" => {
                james(self.sex(), self.kilograms(), self.centimetres()).unwrap()
            }
            "bmi" => body_mass_index(self.kilograms(), self.centimetres()).unwrap().value(),
            "bsa_mosteller" => surface(SurfaceFormula::Mosteller),
            "bsa_dubois" => surface(SurfaceFormula::DuBois),
            "bsa_haycock" => surface(SurfaceFormula::Haycock),
            "bsa_gehan_george" => surface(SurfaceFormula::GehanGeorge),
            "bsa_boyd" => surface(SurfaceFormula::Boyd),
            _ => return None,
        })
    }

    /// What the source says about its rounding: decimals and direction, or none for exact.
    pub(crate) fn stated_rounding(&self) -> Option<(u32, Rounding)> {
        let text = self.rounding.as_str();
        let direction = if text.to_lowercase().contains("truncated") {
            Rounding::Floor
        } else {
            Rounding::HalfUp
        };
        if self.kind == "drip" {
            return Some((0, Rounding::HalfUp));
        }
        if text.starts_with("nearest tenth") || text == "to closest measurable" {
            return Some((1, direction));
        }
        if let Some((decimals, _)) = text.split_once(" dp") {
            return Some((decimals.parse().unwrap(), direction));
        }
        if text == "truncated" {
            return Some((decimals(&self.published), direction));
        }
        let exact = ["none", "nominal", "nominal (ignores added volume)"];
        let actual = "actual < IBW so actual used";
        assert!(exact.contains(&text) || text == actual, "{}: unread rounding {text}", self.id);
        None
    }
}

/// How many digits stand after the point.
pub(crate) fn decimals(text: &str) -> u32 {
    text.split_once('.').map_or(0, |(_, decimals)| decimals.len().try_into().unwrap())
}

pub(crate) fn round(number: Rational, decimals: u32, rounding: Rounding) -> Rational {
    let step = Rational::new(1, 10_i128.pow(decimals)).unwrap();
    number.round_to(step, rounding).unwrap()
}
