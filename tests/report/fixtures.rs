//! A clinic's sessions and courses, as the API would hand them out.

use std::collections::BTreeMap;

use vialedger::pb::v1;
use vialedger::time::Timestamp;

/// The fixtures' day begins here: 09:00 at the site.
const DAY: i64 = 1_795_269_600;

pub fn printed() -> Timestamp {
    Timestamp::from_micros((DAY + 6 * 3600) * 1_000_000).unwrap()
}

/// So many minutes after 09:00 at the site.
pub fn at(minutes: i64) -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp { seconds: DAY + minutes * 60, nanos: 0 })
}

pub fn quantity(value: &str, unit: &str) -> Option<v1::Quantity> {
    Some(v1::Quantity { value: value.into(), unit: unit.into() })
}

pub fn date(year: i32, month: i32, day: i32) -> Option<v1::Date> {
    Some(v1::Date { year, month, day })
}

pub fn site() -> v1::Site {
    v1::Site {
        display_name: "Harbour Street Clinic".into(),
        address: "12 Harbour Street, Portland, ME 04101".into(),
        dea_number: "BH1234563".into(),
        utc_offset_minutes: -300,
    }
}

pub fn people() -> BTreeMap<String, String> {
    [
        ("people/ada", "Dr Ada Okafor"),
        ("people/ben", "Ben Whitfield RN"),
        ("people/cleo", "Cleo Marchetti RN"),
        ("people/dev", "Dr Dev Raman"),
    ]
    .map(|(name, display)| (name.to_owned(), display.to_owned()))
    .into()
}

pub fn identity() -> v1::PatientIdentity {
    v1::PatientIdentity {
        display_name: "Jo Example".into(),
        address: "3 Elm Road, Portland, ME 04102".into(),
        birth_date: date(1984, 2, 29),
        identifiers: vec!["chart 5521".into()],
    }
}

fn measure(id: &str, name: &str, unit: &str, lowest: i32, highest: i32) -> v1::Measure {
    v1::Measure { id: id.into(), name: name.into(), unit: unit.into(), lowest, highest }
}

fn criterion(
    id: &str,
    when: v1::CriterionWhen,
    measure: &str,
    (above, below): (Option<i32>, Option<i32>),
    action: &str,
) -> v1::Criterion {
    v1::Criterion {
        id: id.into(),
        when: when.into(),
        measure: measure.into(),
        above,
        below,
        hard: id.starts_with("hard"),
        action: action.into(),
        source: "site policy".into(),
    }
}

fn criteria() -> Vec<v1::Criterion> {
    use v1::CriterionWhen::{Before, Discharge, During};
    let wait = "Wait 15 minutes and measure again";
    let stop = "Stop the infusion and call the prescriber";
    let stay = "The patient stays";
    vec![
        criterion("before-sys", Before, "systolic", (Some(140), None), wait),
        criterion("before-dia", Before, "diastolic", (Some(90), None), wait),
        criterion("hard-before-spo2", Before, "spo2", (None, Some(92)), "Give no dose"),
        criterion("during-sys", During, "systolic", (Some(180), None), stop),
        criterion("during-dia", During, "diastolic", (Some(110), None), stop),
        criterion("during-spo2", During, "spo2", (None, Some(92)), "Oxygen; stop the infusion"),
        criterion("during-moaas", During, "moaas", (None, Some(3)), stop),
        criterion("leave-sys", Discharge, "systolic", (Some(140), None), stay),
        criterion("leave-moaas", Discharge, "moaas", (None, Some(5)), stay),
        criterion("leave-dissoc", Discharge, "dissociation", (Some(0), None), stay),
    ]
}

pub fn monitoring() -> v1::Monitoring {
    let all = ["systolic", "diastolic", "pulse", "spo2", "moaas", "dissociation"];
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let due =
        |minutes, measures: &[&str]| v1::DueObservation { minutes, measures: names(measures) };
    v1::Monitoring {
        id: "infusion".into(),
        title: "Watching an infusion".into(),
        measures: vec![
            measure("systolic", "Systolic pressure", "mm[Hg]", 40, 300),
            measure("diastolic", "Diastolic pressure", "mm[Hg]", 20, 200),
            measure("pulse", "Pulse", "/min", 20, 250),
            measure("spo2", "SpO2", "%", 50, 100),
            measure("moaas", "Sedation (MOAA/S)", "{score}", 0, 5),
            measure("dissociation", "Dissociation (0 to 4)", "{score}", 0, 4),
        ],
        before: names(&["systolic", "diastolic", "pulse", "spo2"]),
        before_minutes: 30,
        late_minutes: 5,
        due: vec![due(15, &all[..4]), due(40, &all), due(120, &all)],
        criteria: criteria(),
        discharge_minutes: 120,
        discharge_observed_minutes: 30,
        discharge_measures: names(&all),
        escort: true,
        no_driving: true,
        advised: names(&[
            "Let a responsible adult take you home and stay with you this evening",
            "Rest, eat lightly and drink water",
            "Go on with your other medicines as your prescriber told you",
            "Call the clinic if you feel faint, very sleepy or unlike yourself",
            "Tell us at the next visit how you slept and felt",
        ]),
        avoided: names(&[
            "Do not drive, cycle in traffic or use machines until you have slept a night",
            "Drink no alcohol and take no sleeping pills today",
            "Sign nothing important and make no big decisions today",
            "Do not look after small children alone today",
        ]),
        leaflet_source: "Site policy, after the label's advice on driving".into(),
        source: "site policy".into(),
    }
}

fn phase(id: &str, title: &str, days: u32, limits: [&str; 3]) -> v1::PlanPhase {
    v1::PlanPhase {
        id: id.into(),
        title: title.into(),
        protocol: format!("protocols/ket-{id}"),
        sessions_min: 4,
        sessions_max: 8,
        interval_days: days,
        soft_min_days: 2,
        hard_min_days: 1,
        soft_max_days: 14,
        lasts_days: 28,
        first_dose: quantity("0.5", "mg/kg"),
        soft_low: quantity(limits[0], "mg/kg"),
        soft_high: quantity(limits[1], "mg/kg"),
        hard_high: quantity(limits[2], "mg/kg"),
        source: "a paper".into(),
    }
}

pub fn plan() -> v1::Plan {
    v1::Plan {
        name: "plans/ketamine-iv".into(),
        title: "Ketamine infusions for depression".into(),
        drug: "ketamine".into(),
        phases: vec![
            phase("induction", "Induction", 3, ["0.4", "0.6", "1"]),
            phase("maintenance", "Maintenance", 28, ["0.4", "0.8", "1"]),
        ],
        monitoring: Some(monitoring()),
        windows: Vec::new(),
        rises_alone: 1,
        weight_change_percent: 20,
        form_title: String::new(),
        form_due_days: 0,
        source: "Site policy, after published trials".into(),
    }
}

/// The plan with devices, which has a form.
pub fn esketamine_plan() -> v1::Plan {
    v1::Plan {
        name: "plans/esketamine".into(),
        title: "Esketamine nasal spray".into(),
        drug: "esketamine".into(),
        form_title: "Patient monitoring form".into(),
        form_due_days: 7,
        ..plan()
    }
}

/// An observation `minutes` after 09:00 of systolic, diastolic, pulse, saturation, sedation and dissociation.
pub fn seen(entry: u64, minutes: i64, values: [i32; 6]) -> v1::ObservationRecord {
    let measures = monitoring().measures;
    let readings = measures.iter().zip(values).map(|(measure, value)| v1::Reading {
        measure: measure.id.clone(),
        value,
        unit: measure.unit.clone(),
    });
    v1::ObservationRecord {
        entry: format!("entries/{entry}"),
        observed_time: at(minutes),
        observed_by: "people/ben".into(),
        readings: readings.collect(),
        alerts: Vec::new(),
    }
}

fn answer(question: &str, text: &str, answer: v1::Answer) -> v1::AnswerRecord {
    v1::AnswerRecord {
        question: question.into(),
        text: text.into(),
        answer: answer.into(),
        answered_by: "people/ben".into(),
        answered_time: at(-20),
        override_reason: 0,
    }
}

fn answers() -> Vec<v1::AnswerRecord> {
    let mut medicines = answer(
        "interacting-medicines",
        "Does the patient take depressants of the central nervous system, psychostimulants or MAO inhibitors?",
        v1::Answer::Yes,
    );
    medicines.set_override_reason(v1::OverrideReason::SpecialistAdvice);
    vec![
        answer(
            "psychosis",
            "Has the patient a psychotic illness now or in the past?",
            v1::Answer::No,
        ),
        answer("pressure", "Is the patient's blood pressure uncontrolled?", v1::Answer::No),
        answer(
            "misuse",
            "Does the patient misuse alcohol, drugs or medicines at present?",
            v1::Answer::No,
        ),
        medicines,
    ]
}

fn step(label: &str, working: &str, result: &str) -> v1::DoseStep {
    v1::DoseStep { label: label.into(), working: working.into(), result: result.into() }
}

fn calculation() -> v1::DoseCalculation {
    v1::DoseCalculation {
        name: "doseCalculations/52".into(),
        patient: "patients/p-7f3a".into(),
        protocol: "protocols/ket-induction".into(),
        product: "products/ketamine-500-10".into(),
        formulary_version: vec![7; 32],
        dosing_weight: quantity("72.5", "kg"),
        exact_dose: quantity("36.25", "mg"),
        exact_amount: quantity("0.725", "mL"),
        measured_amount: quantity("0.73", "mL"),
        measured_dose: quantity("36.5", "mg"),
        containers: 1,
        remainder: quantity("9.27", "mL"),
        pump_rate: quantity("75", "mL/h"),
        steps: vec![
            step("Dosing weight", "actual weight, measured", "72.5 kg"),
            step("Exact dose", "0.5 mg/kg x 72.5 kg", "36.25 mg"),
            step("Limits", "0.4 to 0.6 mg/kg, never above 1 mg/kg", "within"),
            step("Exact volume", "36.25 mg / (50 mg/mL)", "0.725 mL"),
            step("Measured volume", "1 mL syringe, graduation 0.01 mL, half up", "0.73 mL"),
            step("Dose as measured", "0.73 mL x 50 mg/mL", "36.5 mg"),
            step("Pump rate", "50 mL in 40 min", "75 mL/h"),
        ],
        readback: "Ketamine 36.5 mg is 0.73 mL of 50 mg/mL, in 50 mL over 40 min at 75 mL/h."
            .into(),
        expire_time: at(50),
        session: "sessions/50".into(),
        check_requirement: v1::CheckRequirement::SecondPerson.into(),
        context: Some(v1::DoseContext {
            last_weight: quantity("73", "kg"),
            last_dose: quantity("0.5", "mg/kg"),
            ..Default::default()
        }),
    }
}

fn given() -> v1::GivenDose {
    v1::GivenDose {
        entry: "entries/58".into(),
        dispensing: "dispensings/55".into(),
        vial: "vials/12-1".into(),
        product: "products/ketamine-500-10".into(),
        lot: "KX4471".into(),
        serial: "100000000417".into(),
        expiry_date: date(2028, 3, 31),
        amount: quantity("0.73", "mL"),
        dose: quantity("36.5", "mg"),
        start_time: at(20),
        end_time: at(60),
        given_by: "people/cleo".into(),
    }
}

fn due(minutes: i64, state: v1::DueState) -> v1::DueItem {
    let measures = monitoring().measures.into_iter().map(|measure| measure.id).collect();
    v1::DueItem { due_time: at(minutes), measures, state: state.into() }
}

fn effect(name: u64, kind: v1::EffectKind, onset: i64, end: Option<i64>) -> v1::AdverseEffect {
    v1::AdverseEffect {
        name: format!("adverseEffects/{name}"),
        session: "sessions/50".into(),
        course: "courses/41".into(),
        kind: kind.into(),
        severity: v1::EffectSeverity::Moderate.into(),
        serious: false,
        onset_time: at(onset),
        end_time: end.and_then(at),
        actions: vec![v1::EffectAction::InfusionSlowed.into()],
        note: String::new(),
    }
}

fn watched() -> Vec<v1::ObservationRecord> {
    let mut high = seen(60, 45, [184, 104, 96, 95, 4, 3]);
    let reading = high.readings[0].clone();
    let alert = v1::Alert {
        name: "alerts/60-1".into(),
        criterion: "during-sys".into(),
        reading: Some(reading),
        limit: "above 180".into(),
        action: "Stop the infusion and call the prescriber".into(),
    };
    high.alerts.push(v1::AlertRecord {
        alert: Some(alert),
        acknowledged_by: "people/ada".into(),
        acknowledged_time: at(47),
        note: "Paused for 5 minutes, then at half the rate".into(),
    });
    vec![
        seen(51, 5, [131, 82, 74, 98, 5, 0]),
        seen(59, 35, [158, 92, 88, 96, 5, 2]),
        high,
        seen(63, 61, [162, 95, 90, 95, 4, 3]),
        seen(66, 112, [138, 84, 78, 97, 5, 1]),
        seen(68, 141, [128, 80, 72, 98, 5, 0]),
    ]
}

fn balance() -> v1::VialBalance {
    v1::VialBalance {
        vial: "vials/12-1".into(),
        state: v1::VialState::Closed.into(),
        content: quantity("10", "mL"),
        administered: quantity("0.73", "mL"),
        wasted: quantity("9.27", "mL"),
        unwitnessed: quantity("0", "mL"),
        in_container: quantity("0", "mL"),
        in_hands: quantity("0", "mL"),
    }
}

fn flag(entry: u64, message: &str, refusal: bool) -> v1::SessionFlag {
    v1::SessionFlag { entry: format!("entries/{entry}"), message: message.into(), refusal }
}

/// An infusion with an alert, two adverse effects, a missed observation, a refusal and a discharge by the rules.
pub fn infusion() -> v1::Session {
    v1::Session {
        name: "sessions/50".into(),
        course: "courses/41".into(),
        patient: "patients/p-7f3a".into(),
        plan: "plans/ketamine-iv".into(),
        phase: "induction".into(),
        protocol: "protocols/ket-induction".into(),
        number: 3,
        state: v1::SessionState::Discharged.into(),
        start_time: at(0),
        started_by: "people/ben".into(),
        age_years: 42,
        answers: answers(),
        dose_calculation: Some(calculation()),
        calculated_by: "people/ada".into(),
        weight: Some(v1::BodyWeight {
            quantity: quantity("72.5", "kg"),
            method: v1::WeightMethod::Measured.into(),
            measured_time: at(2),
        }),
        checked_by: "people/ben".into(),
        doses: vec![given()],
        observations: watched(),
        adverse_effects: vec![
            effect(61, v1::EffectKind::Dissociation, 38, Some(120)),
            effect(62, v1::EffectKind::Nausea, 50, None),
        ],
        schedule: vec![
            v1::DueItem { due_time: None, ..due(0, v1::DueState::Done) },
            due(35, v1::DueState::Done),
            due(60, v1::DueState::Done),
            due(90, v1::DueState::Missed),
            due(140, v1::DueState::Done),
        ],
        discharge: Some(v1::Discharge {
            session: "sessions/50".into(),
            minutes_since_first_dose: 125,
            ..Default::default()
        }),
        end_time: at(145),
        ended_by: "people/ben".into(),
        escort_present: true,
        no_driving_acknowledged: true,
        flags: vec![
            flag(60, "stop criterion during-sys: systolic 184 mmHg is above 180", false),
            flag(
                67,
                "DISCHARGE_TOO_EARLY: 92 min since the first dose; the plan asks for 120",
                true,
            ),
        ],
        balances: vec![balance()],
        formulary_entry: 4,
        ..Default::default()
    }
}

fn device(number: u32) -> v1::GivenDose {
    let start = 20 + 5 * i64::from(number - 1);
    v1::GivenDose {
        entry: format!("entries/{}", 80 + number),
        dispensing: format!("dispensings/{}", 70 + number),
        vial: format!("vials/13-{number}"),
        product: "products/esketamine-28".into(),
        lot: format!("NS88{number}"),
        serial: format!("20000000{number}"),
        expiry_date: date(2027, 9, 30),
        amount: quantity("1", "{device}"),
        dose: quantity("28", "mg"),
        start_time: at(start),
        end_time: at(start + 1),
        given_by: "people/cleo".into(),
    }
}

/// Three devices, everything observed in time, the form not sent yet.
pub fn esketamine() -> v1::Session {
    let calculation = v1::DoseCalculation {
        exact_dose: quantity("84", "mg"),
        exact_amount: quantity("3", "{device}"),
        measured_amount: quantity("3", "{device}"),
        measured_dose: quantity("84", "mg"),
        product: "products/esketamine-28".into(),
        containers: 3,
        remainder: quantity("0", "{device}"),
        pump_rate: None,
        steps: vec![step("Dose", "3 devices x 28 mg", "84 mg")],
        readback: "Esketamine 84 mg is 3 devices of 28 mg, 5 minutes apart.".into(),
        ..calculation()
    };
    v1::Session {
        name: "sessions/70".into(),
        plan: "plans/esketamine".into(),
        protocol: "protocols/esk-trd-ind".into(),
        dose_calculation: Some(calculation),
        doses: vec![device(1), device(2), device(3)],
        observations: vec![
            seen(75, 5, [128, 80, 70, 98, 5, 0]),
            seen(85, 40, [150, 90, 82, 97, 4, 2]),
            seen(86, 62, [146, 88, 80, 97, 4, 2]),
            seen(87, 100, [134, 84, 76, 98, 5, 1]),
            seen(88, 138, [126, 80, 72, 98, 5, 0]),
        ],
        adverse_effects: vec![
            effect(90, v1::EffectKind::Dissociation, 32, Some(105)),
            effect(91, v1::EffectKind::Sedation, 38, Some(95)),
            effect(92, v1::EffectKind::Dizziness, 40, Some(70)),
        ],
        balances: Vec::new(),
        form_due_date: date(2026, 11, 28),
        flags: Vec::new(),
        ..infusion()
    }
}

/// A session that was only begun.
pub fn begun() -> v1::Session {
    v1::Session {
        name: "sessions/99".into(),
        course: "courses/41".into(),
        patient: "patients/p-7f3a".into(),
        plan: "plans/ketamine-iv".into(),
        phase: "induction".into(),
        number: 1,
        state: v1::SessionState::Open.into(),
        start_time: at(0),
        started_by: "people/ben".into(),
        ..Default::default()
    }
}

/// Twelve sessions: a rise, an adjustment down after an adverse effect, one missed in between.
pub fn course() -> (v1::Course, Vec<v1::Session>) {
    let days = [0, 3, 7, 10, 14, 17, 21, 24, 38, 66, 94, 122];
    let tenths = [5, 5, 5, 6, 6, 7, 6, 6, 6, 6, 6, 6];
    let mut lines = Vec::new();
    let mut sessions = Vec::new();
    for (number, (day, dose)) in (1_u32..).zip(days.into_iter().zip(tenths)) {
        let name = format!("sessions/{}", 100 + number);
        let phase = if number <= 8 { "induction" } else { "maintenance" };
        let mass = quantity(&format!("{}.5", dose * 7), "mg");
        let moved = |minutes: i64| at(minutes + (day - 130) * 1440);
        lines.push(v1::SessionSummary {
            name: name.clone(),
            course: "courses/41".into(),
            patient: "patients/p-7f3a".into(),
            phase: phase.into(),
            number,
            state: v1::SessionState::Discharged.into(),
            start_time: moved(0),
            first_dose_time: moved(20),
            end_time: moved(145),
            ordered_dose: quantity(&format!("0.{dose}"), "mg/kg"),
            given_mass: mass.clone(),
            ..Default::default()
        });
        sessions.push(v1::Session {
            name,
            number,
            phase: phase.into(),
            adverse_effects: Vec::new(),
            ..infusion()
        });
    }
    sessions[5].adverse_effects = vec![effect(61, v1::EffectKind::Dissociation, 38, Some(120))];
    let window = |days, sessions, mass: &str, limit: &str, mass_limit| v1::Cumulative {
        days,
        sessions,
        mass: quantity(mass, "mg"),
        sessions_limit: limit.parse().unwrap(),
        mass_limit,
    };
    let course = v1::Course {
        name: "courses/41".into(),
        patient: "patients/p-7f3a".into(),
        plan: "plans/ketamine-iv".into(),
        open_time: at(-130 * 1440 - 60),
        opened_by: "people/ada".into(),
        sessions: lines,
        missed: vec![v1::MissedSession {
            entry: "entries/240".into(),
            planned_date: date(2026, 8, 16),
            reason: v1::SessionEnd::NoEscort.into(),
        }],
        next_planned_date: date(2026, 12, 9),
        phase: "maintenance".into(),
        rises: 2,
        cumulative: vec![
            window(7, 1, "42.5", "3", quantity("300", "mg")),
            window(30, 9, "85", "8", quantity("900", "mg")),
            window(90, 4, "1170", "20", quantity("1100", "mg")),
        ],
        adverse_effects: vec![effect(61, v1::EffectKind::Dissociation, 38, Some(120))],
        ..Default::default()
    };
    (course, sessions)
}
