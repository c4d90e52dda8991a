//! Nine weeks of nasal esketamine: 56 mg on day one, devices five minutes apart, two hours of watching, the form.

use vialedger::pb::v1::{self, FlagKind, OverrideReason, outcome};
use vialedger::wire::date_to_wire;

use crate::pages::{Pages, keep, says};
use crate::requests::{calculate, discharge, observe, passing, spray, well_but};
use crate::ward::{Visit, Ward};

/// When the readings of a session are made, in minutes after the last device.
const AFTER_THE_DEVICES: [u64; 8] = [15, 30, 40, 60, 75, 90, 105, 121];

fn protocol(phase: &str) -> &'static str {
    match phase {
        "weeks-1-4" => "protocols/esk-trd-ind",
        "weeks-5-8" => "protocols/esk-trd-m1",
        _ => "protocols/esk-trd-m2",
    }
}

async fn treated(ward: &mut Ward, visit: &Visit<'_>, devices: u32) -> String {
    let session = ward.begin(visit).await;
    let mut inputs = spray(visit.patient, &session, ward.now(), protocol(visit.phase), devices);
    inputs.overrides = vec![passing("DOSE_CHANGED", OverrideReason::ResponseToEarlierDose)];
    let dose = ward.calculated("cleo", inputs).await;
    let given = ward.sprayed(&dose, devices, 5).await;
    assert!(given.iter().all(|done| done.outcome.flags.is_empty()), "{given:?}");
    ward.watched(&session, &AFTER_THE_DEVICES).await;
    ward.does("nina", discharge(&session)).await;
    session
}

async fn sent(ward: &Ward, session: &str) -> crate::ward::Done {
    let act = v1::RecordFormSentRequest {
        session: session.to_owned(),
        sent_date: Some(date_to_wire(ward.today())),
        reference: "FORM-1".into(),
        ..Default::default()
    };
    ward.does("nina", act).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nine_weeks_of_esketamine() {
    let mut ward = Ward::open().await;
    let patient = ward.register("e3", "Theodore Vanterpool").await;
    let course = ward.open_course(&patient, "plans/esk-trd").await;
    let visit = |phase| Visit { patient: &patient, course: &course, phase };

    day_one(&mut ward, &visit("weeks-1-4")).await;
    ward.pass_days(3);
    let second = too_soon_between_devices(&mut ward, &visit("weeks-1-4")).await;
    ward.pass_days(4);
    let third = gone_early(&mut ward, &visit("weeks-1-4")).await;
    sent(&ward, &second).await;
    for days in [3, 4, 3, 4, 3] {
        ward.pass_days(days);
        let session = treated(&mut ward, &visit("weeks-1-4"), 3).await;
        sent(&ward, &session).await;
    }
    assert_eq!(ward.course(&course).await.sessions.len(), 8);

    // The form of the third session was forgotten: it is shown as overdue, and recorded as late.
    let open = ward.asks("nina", v1::ListSessionsRequest::default()).await.sessions;
    let forgotten: Vec<&str> =
        open.iter().filter(|it| it.form_overdue).map(|it| it.name.as_str()).collect();
    assert_eq!(forgotten, [third.as_str()]);
    assert_eq!(sent(&ward, &third).await.flags(), [FlagKind::FormLate]);
    let again = v1::RecordFormSentRequest {
        session: third.clone(),
        sent_date: Some(date_to_wire(ward.today())),
        ..Default::default()
    };
    assert_eq!(ward.tries("nina", again).await.reason, "NO_FORM");

    for week in 5..=8 {
        ward.pass_days(7);
        let session = treated(&mut ward, &visit("weeks-5-8"), 3).await;
        sent(&ward, &session).await;
        assert_eq!(ward.course(&course).await.sessions.len(), week + 4);
    }
    ward.pass_days(7);
    let session = treated(&mut ward, &visit("from-week-9"), 2).await;
    sent(&ward, &session).await;
    let open = ward.asks("nina", v1::ListSessionsRequest::default()).await.sessions;
    assert_eq!(open, [], "nobody is here, and every form is sent");

    let found = ward.course(&course).await;
    assert_eq!((found.sessions.len(), found.rises), (13, 1));
    assert_eq!(found.phase, "from-week-9");
    let page = ward.session(&session).await.session.unwrap();
    assert_eq!(page.doses.len(), 2);
    assert!(page.doses.iter().all(|dose| dose.lot == "E2201"));
    assert!(page.schedule.iter().all(|item| item.state() == v1::DueState::Done), "{page:?}");
    what_is_printed(&ward, &course).await;
    ward.close().await;
}

/// 56 mg on day one and not 84; the first reading of the schedule is due, then overdue, then made late.
async fn day_one(ward: &mut Ward, visit: &Visit<'_>) {
    let session = ward.begin(visit).await;
    let inputs =
        |devices, now| spray(visit.patient, &session, now, "protocols/esk-trd-ind", devices);
    let no = ward.tries("cleo", calculate(inputs(3, ward.now()))).await;
    assert_eq!(no.reason, "OVER_HARD_LIMIT");
    assert!(no.message.contains("the first dose of a course is 2 devices"), "{no:?}");
    let dose = ward.calculated("cleo", inputs(2, ward.now())).await;
    assert_eq!(dose.measured_dose.clone().unwrap().value, "56");
    ward.sprayed(&dose, 2, 5).await;

    let first = |sessions: Vec<v1::SessionSummary>| sessions.into_iter().next().unwrap();
    let now = first(ward.asks("nina", v1::ListSessionsRequest::default()).await.sessions);
    assert_eq!(now.wanted, []);
    assert!(now.keeps_from_discharge[0].contains("only 5 min since the first dose"), "{now:?}");
    ward.pass(10);
    let due = first(ward.asks("nina", v1::ListSessionsRequest::default()).await.sessions);
    assert_eq!(due.wanted[0].state(), v1::DueState::Due);
    ward.pass(6);
    let late = first(ward.asks("nina", v1::ListSessionsRequest::default()).await.sessions);
    assert_eq!(late.wanted[0].state(), v1::DueState::Overdue);
    assert_eq!(late.wanted[0].measures, ["spo2", "respiratory-rate", "moaa-s"]);
    let done = ward.does("nina", observe(&session, ward.now(), &crate::requests::WELL)).await;
    assert_eq!(done.flags(), [FlagKind::ObservedLate]);

    // The board on the wall shows the same, and changes with the next reading.
    let mut boards = ward.client("nick").watch_sessions().await.unwrap();
    let board = boards.message().await.unwrap().unwrap();
    assert_eq!(board.sessions.len(), 1);
    let size = board.size;
    ward.pass(10);
    ward.does("nina", observe(&session, ward.now(), &crate::requests::WELL)).await;
    let board = boards.message().await.unwrap().unwrap();
    assert!(board.size > size);
    drop(boards);

    ward.watched(&session, &[15, 30, 60, 89]).await;
    let mut request = discharge(&session);
    request.escort_present = false;
    let no = ward.tries("nina", request).await;
    assert!(no.message.contains("no responsible adult is here"), "{no:?}");
    ward.does("nina", discharge(&session)).await;
    sent(ward, &session).await;
}

/// The second device three minutes after the first: what happened is recorded, and flagged.
async fn too_soon_between_devices(ward: &mut Ward, visit: &Visit<'_>) -> String {
    let session = ward.begin(visit).await;
    let mut inputs = spray(visit.patient, &session, ward.now(), protocol(visit.phase), 3);
    let no = ward.tries("cleo", calculate(inputs.clone())).await;
    assert!(no.message.contains("DOSE_CHANGED: the dose is raised from 2 devices"), "{no:?}");
    inputs.overrides = vec![passing("DOSE_CHANGED", OverrideReason::ResponseToEarlierDose)];
    let dose = ward.calculated("cleo", inputs).await;
    assert_eq!(dose.measured_dose.clone().unwrap().value, "84");
    let given = ward.sprayed(&dose, 3, 3).await;
    assert_eq!(given[0].flags(), []);
    assert_eq!(given[1].flags(), [FlagKind::GivenAgainstRule]);
    assert!(given[1].outcome.flags[0].message.contains("5 min must lie between"), "{given:?}");
    let twice = ward.tries(
        "cleo",
        calculate(spray(visit.patient, &session, ward.now(), protocol(visit.phase), 3)),
    );
    assert_eq!(twice.await.reason, "DUPLICATE_DOSE");
    ward.watched(&session, &AFTER_THE_DEVICES).await;
    ward.does("nina", discharge(&session)).await;
    session
}

/// The patient insists on leaving after ninety minutes: nobody lets go alone, two do, and it is flagged.
async fn gone_early(ward: &mut Ward, visit: &Visit<'_>) -> String {
    let session = ward.begin(visit).await;
    let inputs = spray(visit.patient, &session, ward.now(), protocol(visit.phase), 3);
    let dose = ward.calculated("cleo", inputs).await;
    ward.sprayed(&dose, 3, 5).await;
    ward.pass(15);
    let dreamy = well_but(&[("dissociation", 3)]);
    ward.does("nina", observe(&session, ward.now(), &dreamy)).await;
    ward.watched(&session, &[15, 40, 65]).await;
    let early = v1::DischargePatientRequest {
        early_reason: "must fetch the children, will not wait".into(),
        ..discharge(&session)
    };
    let put = ward.does("cleo", early).await;
    let Some(outcome::Result::Proposed(proposed)) = put.outcome.result else { panic!() };
    assert_eq!(proposed.awaiting, "the patient stays until one of these approves: people/dora");
    let waiting = ward.asks("cleo", v1::ListProposalsRequest::default()).await.proposals;
    let approval = v1::ApproveRequest {
        proposal: waiting[0].entry.clone(),
        leaf_hash: waiting[0].leaf_hash.clone(),
        ..Default::default()
    };
    assert_eq!(ward.tries("cleo", approval.clone()).await.reason, "SELF_APPROVAL");
    assert_eq!(ward.tries("ben", approval.clone()).await.reason, "ROLE_NOT_HELD");
    let gone = ward.does("dora", approval).await;
    assert_eq!(gone.flags(), [FlagKind::EarlyDischarge]);
    let Some(outcome::Result::Discharge(gone)) = gone.outcome.result else { panic!() };
    assert_eq!(gone.approved_by, "people/dora");
    assert!(gone.unmet[0].contains("only 90 min"), "{gone:?}");
    let page = ward.session(&session).await.session.unwrap();
    assert_eq!(
        (page.ended_by.as_str(), page.state()),
        ("people/cleo", v1::SessionState::Discharged)
    );
    session
}

/// The form's data are complete with the lots, and say what is missing where the patient left early.
async fn what_is_printed(ward: &Ward, course: &str) {
    let pages = Pages::of(ward, course).await;
    let (data, page) = pages.form(ward, 4, None);
    keep("esketamine-form.html", &page);
    keep("esketamine-form.json", &format!("{data:#}"));
    says(&page, &["E2201", "84 mg", "identity"]);
    assert_eq!(data.to_string().matches("E2201").count(), 3, "{data:#}");
    let identity = v1::PatientIdentity {
        display_name: "Theodore Vanterpool".into(),
        address: "133 Elm Street, Springfield".into(),
        birth_date: Some(v1::Date { year: 1982, month: 5, day: 20 }),
        identifiers: Vec::new(),
    };
    let (opened, page) = pages.form(ward, 3, Some(&identity));
    keep("esketamine-form-early.html", &page);
    says(&page, &["Theodore Vanterpool"]);
    assert!(opened.to_string().contains("Theodore Vanterpool"));
    let leaflet = pages.leaflet();
    keep("esketamine-leaflet.html", &leaflet);
    says(&leaflet, &["Do not drive or use machines until the next day", "adult you trust"]);
    keep("esketamine-course.html", &pages.course(ward));
    keep("esketamine-session-3.html", &pages.session(ward, 3));
    says(&pages.session(ward, 3), &["must fetch the children", "people/dora", "only 90 min"]);
}
