//! The pages of sessions, courses and leaflets.

use vialedger::pb::v1;
use vialedger::report::{course_page, leaflet_page, session_page};

use crate::desk::Desk;
use crate::fixtures::{at, begun, course, date, infusion, plan, quantity, seen};
use crate::support::{elements, parse, rows, section, text};

fn page(session: &v1::Session) -> String {
    session_page(&Desk::with(plan()).session(session))
}

/// The text of a section of a session's page.
fn part(session: &v1::Session, heading: &str) -> String {
    text(section(&parse(&page(session)), heading))
}

#[test]
fn every_reading_of_a_session_is_in_the_table_with_its_entry() {
    let session = infusion();
    let page = page(&session);
    let rows = rows(section(&parse(&page), "Observations"));
    assert_eq!(rows.len(), session.observations.len());
    for (row, made) in rows.iter().zip(&session.observations) {
        let values: Vec<String> = made.readings.iter().map(|it| it.value.to_string()).collect();
        let shown: Vec<&str> = row[1..7].iter().map(|it| it.trim_end_matches(" !")).collect();
        assert_eq!(shown, values);
        assert_eq!(row[8], made.entry);
    }
    assert_eq!(rows[2][1], "184 !");
    assert_eq!(rows[2][0], "09:45 (+25\u{a0}min)");
}

#[test]
fn a_session_names_what_was_given_to_the_last_letter_of_the_label() {
    let given = part(&infusion(), "Given");
    for fact in [
        "products/ketamine-500-10",
        "lot KX4471",
        "serial 100000000417",
        "expiry 2028-03-31",
        "0.73 mL",
        "36.5 mg",
        "09:20 (0\u{a0}min)",
        "Cleo Marchetti RN (people/cleo)",
        "entries/58",
        "In all: 36.5 mg",
    ] {
        assert!(given.contains(fact), "{fact}: {given}");
    }
}

#[test]
fn the_working_and_the_read_back_are_whole() {
    let session = infusion();
    let dose = part(&session, "Dose");
    let calculation = session.dose_calculation.unwrap();
    for step in &calculation.steps {
        assert!(dose.contains(&step.working) && dose.contains(&step.result), "{}", step.label);
    }
    assert!(dose.contains(&calculation.readback));
    assert!(dose.contains("worked out anew by Ben Whitfield RN (people/ben) and agreed"));
}

#[test]
fn a_check_that_was_asked_for_and_not_made_stands_out() {
    let session = v1::Session { checked_by: String::new(), ..infusion() };
    let page = page(&session);
    let page = parse(&page);
    let alarms: Vec<String> = elements(&page, "div")
        .into_iter()
        .filter(|it| it.attribute("class") == Some("box alarm"))
        .map(text)
        .collect();
    assert_eq!(alarms, ["Independent check by a second person was required; none is recorded."]);
}

#[test]
fn readings_before_the_dose_stand_against_their_limits() {
    let page_of = |session: &v1::Session| rows(section(&parse(&page(session)), "Before the dose"));
    let rows = page_of(&infusion());
    assert_eq!(rows[0][1], "131 mmHg");
    assert_eq!(rows[0][4], "within the limit");
    let mut high = infusion();
    high.observations[0] = seen(51, 5, [152, 82, 74, 98, 5, 0]);
    let row = page_of(&high).remove(0);
    assert_eq!(row[4], "LIMIT PASSED: Wait 15 minutes and measure again");
    // What was read after the dose does not count.
    high.observations.remove(0);
    assert!(page_of(&high).iter().all(|row| row[1] == "NOT READ" && row[4] == "missing"));
    let mut old = infusion();
    old.observations[0].observed_time = at(-20);
    assert_eq!(page_of(&old)[0][4], "older than 30 min");
}

#[test]
fn what_is_due_overdue_and_missed_is_told_apart() {
    let mut session = infusion();
    session.schedule[1].set_state(v1::DueState::Overdue);
    session.schedule[2].set_state(v1::DueState::Upcoming);
    session.schedule[4].set_state(v1::DueState::Due);
    let page = page(&session);
    let rows = rows(section(&parse(&page), "Schedule"));
    let standing: Vec<&str> = rows.iter().map(|row| row[2].as_str()).collect();
    assert_eq!(standing, ["made", "OVERDUE", "to come", "MISSED", "due now"]);
    assert_eq!(rows[0][0], "before the dose");
}

#[test]
fn an_alert_is_open_until_a_prescriber_acknowledged_it() {
    let mut session = infusion();
    let alerts = part(&session, "Alerts");
    assert!(alerts.contains("Dr Ada Okafor (people/ada), 09:47"), "{alerts}");
    assert!(alerts.contains("Paused for 5 minutes"));
    session.observations[2].alerts[0].acknowledged_by.clear();
    assert!(part(&session, "Alerts").contains("OPEN: no prescriber has acknowledged it"));
}

#[test]
fn the_vials_balance_or_are_said_not_to() {
    let mut session = infusion();
    let standing =
        |session: &v1::Session| rows(section(&parse(&page(session)), "Vials"))[0].clone();
    assert_eq!(standing(&session)[2..], ["10 mL", "0.73 mL", "9.27 mL", "0 mL", "balances"]);
    session.balances[0].wasted = quantity("9.26", "mL");
    session.balances[0].unwitnessed = quantity("9.26", "mL");
    let row = standing(&session);
    assert_eq!(row[6], "DOES NOT BALANCE");
    assert!(row[4].contains("NOT WITNESSED"));
}

#[test]
fn an_early_discharge_says_what_was_not_met_and_who_let_it_be() {
    let mut session = infusion();
    assert!(!part(&session, "Discharge").contains("LEFT BEFORE"));
    session.discharge = Some(v1::Discharge {
        session: session.name.clone(),
        minutes_since_first_dose: 70,
        approved_by: "people/dev".into(),
        unmet: vec!["70 min since the first dose; the plan asks for 120".into()],
        form_due_date: None,
    });
    session.escort_present = false;
    let page = page(&session);
    let page = parse(&page);
    let discharge = section(&page, "Discharge");
    let alarm = discharge.descendants().find(|it| it.attribute("class") == Some("box alarm"));
    let alarm = text(alarm.unwrap());
    assert!(alarm.contains("approved by Dr Dev Raman (people/dev)"), "{alarm}");
    assert!(alarm.contains("70 min since the first dose; the plan asks for 120"));
    assert_eq!(rows(discharge)[3], ["A responsible adult took the patient home", "NO"]);
}

#[test]
fn a_page_says_where_it_is_from_and_that_it_proves_nothing() {
    let page = page(&infusion());
    let page = parse(&page);
    let footer = text(elements(&page, "footer")[0]);
    for fact in
        ["harbour.example/clinic", "size 412", "2026-11-21 15:00", "UTC-05:00", "proves nothing"]
    {
        assert!(footer.contains(fact), "{fact}: {footer}");
    }
    let flags = rows(section(&page, "Flags and refusals"));
    assert_eq!(flags[1][..2], ["entries/67", "REFUSED"]);
}

#[test]
fn a_page_fetches_nothing_and_runs_nothing() {
    for page in [page(&infusion()), page(&begun())] {
        for word in ["<script", "<link", "<img", "href=", "src=", "url(", "@import", "onload"] {
            assert!(!page.contains(word), "{word}");
        }
    }
}

#[test]
fn a_session_that_was_only_begun_says_so_in_every_section() {
    let session = begun();
    assert!(part(&session, "Given").contains("Nothing was given."));
    assert!(part(&session, "Dose").contains("No dose calculation is recorded."));
    assert!(part(&session, "Discharge").contains("No discharge is recorded."));
    assert!(part(&session, "Course of the session").contains("No observation is recorded."));
    let session = v1::Session {
        state: v1::SessionState::Cancelled.into(),
        end_reason: v1::SessionEnd::NoEscort.into(),
        ended_by: "people/ben".into(),
        end_time: at(10),
        ..session
    };
    assert!(part(&session, "Discharge").contains("09:10: no escort. By Ben Whitfield RN"));
}

#[test]
fn a_form_that_was_not_sent_is_overdue_after_its_last_day() {
    let mut desk = Desk::with(crate::fixtures::esketamine_plan());
    desk.plan.form_due_days = 7;
    let mut session = crate::fixtures::esketamine();
    let form = |session: &v1::Session| {
        text(section(&parse(&session_page(&desk.session(session))), "Monitoring form"))
    };
    assert!(form(&session).contains("not sent yet"));
    session.form_due_date = date(2026, 11, 20);
    assert!(form(&session).contains("OVERDUE: not sent"));
    session.form_sent_date = date(2026, 11, 20);
    assert!(form(&session).contains("sent in time"));
    session.form_sent_date = date(2026, 11, 21);
    assert!(form(&session).contains("sent late"));
}

#[test]
fn a_course_has_every_session_in_a_line() {
    let (course, sessions) = course();
    let desk = Desk::with(plan());
    let page = course_page(&desk.course(&course, &sessions));
    let page = parse(&page);
    let rows = rows(section(&page, "Sessions"));
    assert_eq!(rows.len(), 12);
    assert_eq!(
        rows[5],
        [
            "6",
            "2026-07-31",
            "induction",
            "3",
            "0.7 mg/kg ▲",
            "49.5 mg",
            "184/104 mmHg",
            "95%",
            "dissociation, moderate",
            "125",
            "sessions/106"
        ]
    );
    let gaps: Vec<&str> = rows.iter().map(|row| row[3].as_str()).collect();
    assert_eq!(gaps, ["–", "3", "4", "3", "4", "3", "4", "3", "14", "28", "28", "28"]);
    let raised = rows.iter().filter(|row| row[4].ends_with('▲')).count();
    assert_eq!(raised, 2);
    let doses = text(section(&page, "Doses"));
    assert!(doses.contains("raised 2 times; one prescriber alone may raise it once."), "{doses}");
}

#[test]
fn the_windows_of_a_course_say_what_is_beyond_them() {
    let (course, sessions) = course();
    let desk = Desk::with(plan());
    let page = course_page(&desk.course(&course, &sessions));
    let page = parse(&page);
    let rows = rows(section(&page, "Against the plan's windows"));
    assert_eq!(rows[0], ["last 7 days", "1", "3", "42.5 mg", "300 mg"]);
    assert_eq!(rows[1][1], "9: BEYOND THE LIMIT");
    assert_eq!(rows[2][3], "1,170 mg: BEYOND THE LIMIT");
    assert_eq!(rows[2][4], "1,100 mg");
    assert!(text(section(&page, "Missed sessions")).contains("2026-08-16 no escort entries/240"));
}

#[test]
fn the_mass_of_a_course_is_the_exact_sum_of_its_sessions() {
    let (course, sessions) = course();
    let page = course_page(&Desk::with(plan()).course(&course, &sessions));
    // Three times 35.5, eight times 42.5 and once 49.5.
    let glance = text(elements(&parse(&page), "body")[0]);
    assert!(glance.contains("Given in all 496 mg"), "{glance}");
}

#[test]
fn a_course_without_its_sessions_in_full_still_has_its_lines() {
    let (mut course, _) = course();
    let desk = Desk::with(plan());
    let page = course_page(&desk.course(&course, &[]));
    let lines = rows(section(&parse(&page), "Sessions"));
    assert_eq!(lines[5][4..8], ["0.7 mg/kg ▲", "49.5 mg", "–", "–"]);
    assert!(page.contains("was not read for this page"));
    course.sessions.clear();
    course.close_time = at(0);
    course.end_reason = v1::CourseEnd::Remission.into();
    let page = course_page(&desk.course(&course, &[]));
    assert!(text(section(&parse(&page), "Sessions")).contains("No session is recorded."));
    assert!(text(section(&parse(&page), "End of the course")).contains("09:00: remission."));
}

#[test]
fn the_leaflet_says_every_line_of_the_plan_and_has_room_to_sign() {
    let desk = Desk::with(plan());
    let page = leaflet_page(&desk.plan, &desk.site, "Ketamine infusion");
    let page = parse(&page);
    let monitoring = desk.plan.monitoring.clone().unwrap();
    let items: Vec<String> = elements(&page, "li").into_iter().map(text).collect();
    let all: Vec<String> = monitoring.advised.iter().chain(&monitoring.avoided).cloned().collect();
    assert_eq!(items, all);
    let body = text(elements(&page, "body")[0]);
    assert!(body.contains("I will not drive until tomorrow."));
    assert!(body.contains("Responsible adult:"));
    assert!(body.contains(&monitoring.leaflet_source));
    let nothing = leaflet_page(&v1::Plan::default(), &v1::Site::default(), "");
    assert!(text(elements(&parse(&nothing), "body")[0]).contains("The plan names nothing."));
}

#[test]
fn the_same_messages_give_the_same_bytes() {
    let (course, sessions) = course();
    let desk = Desk::with(plan());
    let once = course_page(&desk.course(&course, &sessions));
    assert_eq!(once, course_page(&Desk::with(plan()).course(&course.clone(), &sessions.clone())));
    assert_eq!(page(&infusion()), page(&infusion()));
}
