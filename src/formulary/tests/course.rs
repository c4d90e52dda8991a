//! Measures, monitorings and plans: what is read. What is refused: `slips`.

mod slips;

use super::GOOD;
use crate::formulary::*;
use crate::units::Span;

/// What follows the good formulary and makes a course of its one protocol.
const COURSE: &str = r#"
[[measure]]
id = "systolic"
name = "Systolic blood pressure"
unit = "mm[Hg]"
lowest = 40
highest = 300
source = "Site policy"

[[measure]]
id = "rass"
name = "Sedation by the RASS"
unit = "{score}"
lowest = -5
highest = 4
source = "a scale"

[[monitoring]]
id = "watch"
title = "Watch"
before = ["systolic"]
before_minutes = 60
late_minutes = 5
source = "Site policy"

[[monitoring.due]]
minutes = [15, 30]
measures = ["rass"]

[[monitoring.due]]
minutes = [40]
measures = ["systolic", "rass"]

[[monitoring.criterion]]
id = "pressure-before"
when = "before"
measure = "systolic"
above = 140
weight = "soft"
action = "Wait 15 minutes and measure again"
source = "a label"

[[monitoring.criterion]]
id = "too-deep"
when = "during"
measure = "rass"
below = -2
action = "Stop the infusion and call for help"
source = "Site policy"

[[monitoring.criterion]]
id = "awake"
when = "discharge"
measure = "rass"
below = 0
action = "The patient stays"
source = "Site policy"

[monitoring.discharge]
minimum_minutes = 120
observed_minutes = 30
measures = ["systolic", "rass"]
escort = true
no_driving = true
source = "Site policy"

[monitoring.leaflet]
do = ["Let an adult take you home"]
do_not = ["Do not drive today", "Drink no alcohol today"]
source = "Site policy"

[[plan]]
id = "course"
title = "Course"
drug = "ketamine"
monitoring = "watch"
source = "a paper"

[[plan.phase]]
id = "induction"
title = "Induction"
protocol = "infusion"
sessions_min = 4
sessions_max = 8
interval_days = 3
soft_min_days = 2
hard_min_days = 1
soft_max_days = 14
lasts_days = 28
first_dose = "0.5 mg/kg"
source = "a paper"

[[plan.phase]]
id = "maintenance"
title = "Maintenance"
protocol = "infusion"
sessions_min = 1
sessions_max = 26
interval_days = 28
soft_min_days = 14
hard_min_days = 7
soft_max_days = 56
source = "Site policy"

[[plan.window]]
days = 7
sessions = 3
mass = "300 mg"
source = "Site policy"

[[plan.window]]
days = 30
sessions = 8
source = "Site policy"

[plan.history]
weight_change_percent = 20
rises_alone = 2
ask_after = ["urinary_symptoms", "syncope"]
source = "Site policy"

[plan.form]
title = "Monitoring form"
due_days = 7
source = "a label"
"#;

fn good() -> String {
    format!("{GOOD}{COURSE}")
}

fn read(text: &str) -> Formulary {
    Formulary::parse(text).unwrap_or_else(|errors| panic!("{errors:#?}"))
}

fn minutes(minutes: u64) -> Span {
    Span::from_microseconds(minutes * 60_000_000).unwrap()
}

#[test]
fn a_measure_and_a_monitoring_are_read() {
    let formulary = read(&good());
    let rass = formulary.measure(&"rass".parse().unwrap()).unwrap();
    assert_eq!((rass.lowest, rass.highest, rass.unit.as_str()), (-5, 4, "{score}"));
    assert_eq!(formulary.measures().count(), 2);
    let watch = formulary.monitoring(&"watch".parse().unwrap()).unwrap();
    assert_eq!((watch.before_valid, watch.late_after), (minutes(60), minutes(5)));
    assert_eq!(watch.before[0].as_str(), "systolic");
    let due: Vec<_> = watch.due.iter().map(|due| (due.after, due.measures.len())).collect();
    assert_eq!(due, [(minutes(15), 1), (minutes(30), 1), (minutes(40), 2)]);
    assert_eq!(watch.discharge.minimum, minutes(120));
    assert_eq!(watch.discharge.observed_within, minutes(30));
    assert!(watch.discharge.escort && watch.discharge.no_driving);
    assert_eq!((watch.leaflet.advised.len(), watch.leaflet.avoided.len()), (1, 2));
    let [before, during, discharge] = watch.criteria.as_slice() else { panic!("{watch:#?}") };
    assert_eq!(before.when, CriterionWhen::Before);
    assert_eq!(before.weight, Some(QuestionWeight::Soft));
    assert_eq!((during.weight, discharge.weight), (None, None));
    assert_eq!(before.bound.to_string(), "above 140");
    assert_eq!(during.bound.to_string(), "below -2");
}

#[test]
fn a_reading_meets_a_criterion_only_past_its_bound() {
    let formulary = read(&good());
    let watch = formulary.monitoring(&"watch".parse().unwrap()).unwrap();
    let met = |at: usize, value| watch.criteria[at].is_met(value);
    assert_eq!([139, 140, 141].map(|value| met(0, value)), [false, false, true]);
    assert_eq!([-1, -2, -3].map(|value| met(1, value)), [false, false, true]);
}

#[test]
fn a_plan_is_read_and_found_by_its_protocol() {
    let formulary = read(&good());
    let plan = formulary.plan_of(&"infusion".parse().unwrap()).unwrap();
    assert_eq!(Some(plan), formulary.plan(&"course".parse().unwrap()));
    assert_eq!(plan.monitoring.id.as_str(), "watch");
    let (place, phase) = plan.phase(&"maintenance".parse().unwrap()).unwrap();
    assert_eq!((place, phase.lasts_days, phase.first_dose), (1, None, None));
    assert!(plan.phase(&"later".parse().unwrap()).is_none());
    let first = &plan.phases[0];
    assert_eq!((first.sessions_min, first.sessions_max), (4, 8));
    assert_eq!((first.hard_min_days, first.soft_min_days), (1, 2));
    assert_eq!((first.interval_days, first.soft_max_days, first.lasts_days), (3, 14, Some(28)));
    assert_eq!(first.first_dose.unwrap().to_string(), "0.5 mg/kg");
    let windows: Vec<_> =
        plan.windows.iter().map(|window| (window.days, window.sessions)).collect();
    assert_eq!(windows, [(7, 3), (30, 8)]);
    assert_eq!(plan.windows[0].mass.unwrap().to_string(), "300 mg");
    assert_eq!(plan.windows[1].mass, None);
    assert_eq!((plan.history.weight_change_percent, plan.history.rises_alone), (20, 2));
    assert_eq!(plan.history.ask_after, [EffectKind::UrinarySymptoms, EffectKind::Syncope]);
    assert_eq!(plan.form.as_ref().unwrap().due_days, 7);
    assert_eq!(EffectKind::all().len(), 14);
    let summary = formulary.summary();
    assert_eq!((summary.measures, summary.monitorings, summary.plans), (2, 1, 1));
    assert!(summary.to_string().contains("2 measures, 1 monitorings, 1 plans"), "{summary}");
}

#[test]
fn what_may_be_left_out_is_left_out() {
    let text = good();
    let form = text.find("[plan.form]").unwrap();
    let windows = text.find("[[plan.window]]").unwrap();
    let history = text.find("[plan.history]").unwrap();
    let short = format!("{}{}", &text[..windows], &text[history..form]);
    let short = short.replace("[\"urinary_symptoms\", \"syncope\"]", "[]");
    let formulary = read(&short);
    let plan = formulary.plan(&"course".parse().unwrap()).unwrap();
    assert!(plan.windows.is_empty() && plan.form.is_none() && plan.history.ask_after.is_empty());
}

#[test]
fn a_drug_for_the_clinic_and_an_answer_that_lasts_are_read() {
    let clinic = "clinic_only = true\nclinic_only_source = \"Site policy\"";
    let text = GOOD
        .replace("dea_code = \"7285\"", &format!("dea_code = \"7285\"\n{clinic}"))
        .replace("stops_on = \"yes\"", "stops_on = \"yes\"\nvalid_days = 30");
    let formulary = read(&text);
    let drug = formulary.drug(&"ketamine".parse().unwrap()).unwrap();
    assert!(drug.clinic_only);
    assert_eq!(drug.clinic_only_source.as_deref(), Some("Site policy"));
    assert_eq!(formulary.questions().next().unwrap().valid_days, Some(30));
}
