//! The pictures: what is drawn, what it is called, and that nothing lies on anything else.

use vialedger::pb::v1;
use vialedger::report::chart::{course_doses, course_mass, session_scores, session_vitals};

use crate::fixtures::{at, begun, course, infusion, plan, quantity, seen};
use crate::support::{elements, labels, parse, text};

/// Marks of readings: circles, below the lanes.
fn circles(picture: &str) -> usize {
    elements(&parse(picture), "circle").len()
}

/// All the labels to the right of the plot, their lines joined.
fn limits(picture: &str) -> String {
    labels(picture).join(" ")
}

#[test]
fn every_reading_has_its_mark() {
    let session = infusion();
    // Six readings each of two pressures, pulse and saturation, and one mark each in the legends.
    assert_eq!(circles(&session_vitals(&session, &plan())), 6 * 4 + 4);
    assert_eq!(circles(&session_scores(&session, &plan())), 6 * 2 + 2);
}

#[test]
fn every_limit_of_the_plan_is_labelled() {
    let session = infusion();
    let vitals = limits(&session_vitals(&session, &plan()));
    for limit in [
        "systolic above 140: before, discharge",
        "systolic above 180: during",
        "diastolic above 90: before",
        "diastolic above 110: during",
        "below 92: before, during",
    ] {
        assert!(vitals.contains(limit), "{limit}: {vitals}");
    }
    let scores = limits(&session_scores(&session, &plan()));
    for limit in ["below 3: during", "below 5: discharge", "above 0: discharge"] {
        assert!(scores.contains(limit), "{limit}: {scores}");
    }
    let (course, _) = course();
    let doses = limits(&course_doses(&course, &plan()));
    for limit in [
        "induction, maintenance: never above 1 mg/kg",
        "induction: reason needed above 0.6 mg/kg",
        "maintenance: reason needed above 0.8 mg/kg",
        "induction, maintenance: reason needed below 0.4 mg/kg",
    ] {
        assert!(doses.contains(limit), "{limit}: {doses}");
    }
}

#[test]
fn doses_due_times_alerts_and_the_discharge_have_their_lanes() {
    let session = infusion();
    let vitals = labels(&session_vitals(&session, &plan()));
    for lane in ["doses given", "alerts", "discharge", "1: 36.5 mg", "missed"] {
        assert!(vitals.iter().any(|label| label == lane), "{lane}: {vitals:?}");
    }
    let scores = labels(&session_scores(&session, &plan()));
    for lane in ["dissociation", "nausea", "lasts"] {
        assert!(scores.iter().any(|label| label == lane), "{lane}: {scores:?}");
    }
    // Its limit is called so too.
    let named = |session: &v1::Session| {
        let labels = labels(&session_vitals(session, &plan()));
        labels.iter().filter(|label| *label == "discharge").count()
    };
    let mut open = infusion();
    open.discharge = None;
    assert_eq!((named(&session), named(&open)), (2, 1));
}

#[test]
fn a_line_is_broken_where_an_observation_was_missed() {
    let runs = |session: &v1::Session| {
        let picture = session_vitals(session, &plan());
        let page = parse(&picture);
        elements(&page, "path").iter().filter(|it| it.attribute("fill") == Some("none")).count()
    };
    let mut session = infusion();
    assert_eq!(runs(&session), 4 * 2);
    session.schedule.iter_mut().for_each(|item| item.set_state(v1::DueState::Done));
    assert_eq!(runs(&session), 4);
}

#[test]
fn rises_phases_and_missed_sessions_of_a_course_are_marked() {
    let (course, _) = course();
    let labels = labels(&course_doses(&course, &plan()));
    for words in ["Induction", "Maintenance", "dose raised", "session missed"] {
        assert!(labels.iter().any(|label| label == words), "{words}: {labels:?}");
    }
    assert!(labels.iter().any(|label| label.contains("mg/kg")));
}

#[test]
fn the_mass_ends_at_the_sum() {
    let (course, _) = course();
    let picture = course_mass(&course);
    let page = parse(&picture);
    assert!(text(elements(&page, "desc")[0]).contains("496 mg in all"));
    // Nothing, then one point for each session, and the mark of the legend.
    assert_eq!(circles(&picture), 1 + 12 + 1);
    let mut none = course.clone();
    none.sessions.clear();
    assert!(labels(&course_mass(&none)).contains(&"nothing was recorded".to_owned()));
}

#[test]
fn doses_of_two_kinds_have_an_axis_each() {
    let (mut course, _) = course();
    course.sessions[11].ordered_dose = quantity("2", "{device}");
    let labels = labels(&course_doses(&course, &plan()));
    assert!(labels.contains(&"mg/kg".to_owned()) && labels.contains(&"devices".to_owned()));
}

/// A session with so many observations, a minute apart.
fn long(points: u32) -> v1::Session {
    let observations = (0..points).map(|number| {
        let value = i32::try_from(number).unwrap();
        seen(100 + u64::from(number), 20 + i64::from(number), [120 + value, 80, 70, 97, 5, 0])
    });
    v1::Session { observations: observations.collect(), ..infusion() }
}

#[test]
fn none_one_and_sixty_points_are_drawn_inside_the_picture() {
    for session in [begun(), long(0), long(1), long(60)] {
        for picture in [session_vitals(&session, &plan()), session_scores(&session, &plan())] {
            inside(&picture);
        }
    }
    let (mut course, _) = course();
    let line = course.sessions[0].clone();
    for sessions in [0_u32, 1, 60] {
        let lines = (1..=sessions).map(|number| v1::SessionSummary {
            name: format!("sessions/{number}"),
            number,
            start_time: at(i64::from(number) * 1440),
            first_dose_time: at(i64::from(number) * 1440),
            ..line.clone()
        });
        course.sessions = lines.collect();
        inside(&course_doses(&course, &plan()));
        inside(&course_mass(&course));
    }
    inside(&course_doses(&v1::Course::default(), &v1::Plan::default()));
    inside(&session_vitals(&v1::Session::default(), &v1::Plan::default()));
}

/// Every coordinate is a whole number in the picture, and no text lies on another.
fn inside(picture: &str) {
    let page = parse(picture);
    let root = page.root_element();
    let size: Vec<i64> =
        root.attribute("viewBox").unwrap().split(' ').map(|it| it.parse().unwrap()).collect();
    for node in page.descendants().filter(roxmltree::Node::is_element) {
        for (names, most) in
            [(["x", "x1", "x2", "cx"], size[2]), (["y", "y1", "y2", "cy"], size[3])]
        {
            for value in names.iter().filter_map(|name| node.attribute(*name)) {
                let value: i64 = value.parse().expect("a whole number");
                assert!((0..=most).contains(&value), "{node:?}");
            }
        }
    }
    let mut boxes: Vec<(i64, i64, i64, String)> = Vec::new();
    for node in elements(&page, "text") {
        let words = text(node);
        let number = |name: &str| node.attribute(name).unwrap().parse::<i64>().unwrap();
        // Narrower than the letters are: a text that only nearly touches another passes.
        let wide = i64::try_from(words.chars().count()).unwrap() * 9 / 2;
        let x = number("x")
            - match node.attribute("text-anchor").unwrap() {
                "middle" => wide / 2,
                "end" => wide,
                _ => 0,
            };
        let y = number("y");
        for (from, to, other_y, other) in &boxes {
            let apart = x >= *to || x + wide <= *from || (y - other_y).abs() >= 9;
            assert!(apart, "{words:?} lies on {other:?}");
        }
        boxes.push((x, x + wide, y, words));
    }
}

#[test]
fn full_pictures_have_no_text_on_text() {
    let (course, _) = course();
    inside(&session_vitals(&infusion(), &plan()));
    inside(&session_scores(&infusion(), &plan()));
    inside(&course_doses(&course, &plan()));
    inside(&course_mass(&course));
}

#[test]
fn many_limits_close_together_are_all_labelled_and_apart() {
    let mut plan = plan();
    let monitoring = plan.monitoring.as_mut().unwrap();
    for number in 0..12 {
        let mut criterion = monitoring.criteria[3].clone();
        criterion.id = format!("limit-{number}");
        criterion.above = Some(150 + number);
        monitoring.criteria.push(criterion);
    }
    let picture = session_vitals(&infusion(), &plan);
    inside(&picture);
    let labels = labels(&picture);
    for number in 150..162 {
        let wanted = format!("systolic above {number}: during");
        assert!(labels.contains(&wanted), "{wanted}");
    }
}

#[test]
fn pictures_say_what_they_show_to_whoever_cannot_see_them() {
    let picture = session_vitals(&infusion(), &plan());
    let page = parse(&picture);
    let words = text(elements(&page, "desc")[0]);
    assert!(words.contains("Systolic pressure: 6 readings from 128 to 184 mmHg"), "{words}");
    assert_eq!(text(elements(&page, "title")[0]), "Vital signs");
    assert_eq!(page.root_element().attribute("role"), Some("img"));
}
