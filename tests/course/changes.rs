//! No rule's number is in the program: a site changes it by publishing a formulary, and what was calculated before
//! replays as it was.

use vialedger::formulary;
use vialedger::pb::v1::{self, Answer, outcome};

use crate::requests::{answers, answers_but, calculate, discharge, infusion, start};
use crate::ward::{Visit, Ward};

/// The starter with one passage changed, which must stand there once.
fn changed(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "{from}");
    text.replace(from, to)
}

/// The starter's text, split before the first table of this head and id.
fn section<'t>(text: &'t str, head: &str, id: &str) -> (&'t str, &'t str, &'t str) {
    let start = text.find(&format!("{head}\nid = \"{id}\"")).unwrap();
    let rest = &text[start + head.len()..];
    let end = rest.find(&format!("\n{head}\n")).map_or(text.len(), |at| start + head.len() + at);
    (&text[..start], &text[start..end], &text[end..])
}

/// The starter with a passage of one section changed.
fn starter_with(head: &str, id: &str, from: &str, to: &str) -> String {
    let (before, own, after) = section(formulary::starter(), head, id);
    format!("{before}{}{after}", changed(own, from, to))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_makes_its_patients_stay_longer() {
    let mut ward = Ward::open().await;
    let patient = ward.register("p1", "Ferdinand Oyelaran").await;
    let course = ward.open_course(&patient, "plans/ket-trd-iv").await;
    let visit = Visit { patient: &patient, course: &course, phase: "induction" };
    let old = ward.begin(&visit).await;
    let dose = ward.calculated("cleo", infusion(&patient, &old, ward.now(), "0.5 mg/kg")).await;
    ward.infused(&dose).await;

    let longer =
        starter_with("[[monitoring]]", "ket-iv", "minimum_minutes = 120", "minimum_minutes = 150");
    ward.publish(&longer).await;
    // Whoever began by the old rules ends by them.
    ward.watched(&old, &[20, 50, 81]).await;
    ward.does("nina", discharge(&old)).await;

    ward.pass_days(3);
    let new = ward.begin(&visit).await;
    let dose = ward.calculated("cleo", infusion(&patient, &new, ward.now(), "0.5 mg/kg")).await;
    ward.infused(&dose).await;
    ward.watched(&new, &[20, 50, 81]).await;
    let no = ward.tries("nina", discharge(&new)).await;
    assert!(no.message.contains("121 min since the first dose, 150 min are needed"), "{no:?}");
    ward.watched(&new, &[29]).await;
    ward.does("nina", discharge(&new)).await;
    ward.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_adds_a_contraindication() {
    let ward = Ward::open().await;
    let patient = ward.register("p2", "Wilhelmina Strand").await;
    let course = ward.open_course(&patient, "plans/ket-trd-iv").await;
    let (before, own, after) = section(formulary::starter(), "[[protocol]]", "ket-trd-iv");
    let own = changed(own, "\"psychosis\", ", "\"psychosis\", \"porphyria\", ");
    let question = "[[question]]\nid = \"porphyria\"\ntext = \"Has the patient porphyria?\"\n\
                    weight = \"hard\"\nstops_on = \"yes\"\nvalid_days = 90\n\
                    source = \"Site policy\"\n\n";
    // To make room, the site leaves out what it does not use.
    let (head, _, tail) = section(before, "[[product]]", "lorazepam-76329-8261-1");
    let text = format!("{head}{tail}{question}{own}{after}");
    ward.publish(&text).await;

    ward.does("nina", answers(&patient, ward.now())).await;
    let no = ward.tries("nina", start(&course, "induction", 44)).await;
    assert_eq!(no.reason, "QUESTION_UNANSWERED");
    assert!(no.message.contains("porphyria"), "{no:?}");
    let mut request = answers_but(&patient, ward.now(), "psychosis", Answer::No);
    let porphyria =
        v1::EligibilityAnswer { question: "porphyria".into(), answer: Answer::Yes.into() };
    request.answers = vec![porphyria];
    ward.does("nina", request.clone()).await;
    let no = ward.tries("nina", start(&course, "induction", 44)).await;
    assert_eq!(no.reason, "CONTRAINDICATED");
    assert!(no.message.contains("Has the patient porphyria?"), "{no:?}");
    request.answers[0].answer = Answer::No.into();
    ward.pass(1);
    request.answered_time = Some(vialedger::wire::timestamp_to_wire(ward.now()));
    ward.does("nina", request).await;
    ward.does("nina", start(&course, "induction", 44)).await;
    ward.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_calculation_replays_as_it_was_beside_what_today_says() {
    let ward = Ward::open().await;
    let patient = ward.register("p3", "Cornelius Abernathy").await;
    let course = ward.open_course(&patient, "plans/ket-trd-iv").await;
    let visit = Visit { patient: &patient, course: &course, phase: "induction" };
    let session = ward.begin(&visit).await;
    let inputs = infusion(&patient, &session, ward.now(), "0.5 mg/kg");
    let dose = ward.calculated("cleo", inputs).await;
    let replay = |name: &str| v1::ReplayDoseRequest { name: name.to_owned() };
    let before = ward.asks("audrey", replay(&dose.name)).await;
    assert!(before.identical);
    assert_eq!(before.recorded.as_ref(), Some(&dose));
    assert_eq!(before.today.as_ref().unwrap().readback, dose.readback);

    // Stricter limits, and the dose counted by another weight.
    let (head, own, tail) = section(formulary::starter(), "[[protocol]]", "ket-trd-iv");
    let own = changed(own, "hard_high = \"1 mg/kg\"", "hard_high = \"0.4 mg/kg\"");
    let own = changed(&own, "soft_high = \"0.75 mg/kg\"", "soft_high = \"0.4 mg/kg\"");
    let own = changed(&own, "default = \"0.5 mg/kg\"", "default = \"0.4 mg/kg\"");
    ward.publish(&format!("{head}{own}{tail}")).await;
    let after = ward.asks("audrey", replay(&dose.name)).await;
    assert!(after.identical, "{after:?}");
    assert_eq!(after.replayed, before.replayed);
    assert!(after.today.is_none());
    assert!(after.today_refusal.contains("hard limit for the dose is 0.4 mg/kg"), "{after:?}");
    assert_ne!(after.today_formulary_version, before.today_formulary_version);

    // A calculation outside of any course replays too.
    let sedation = v1::DoseInputs {
        session: String::new(),
        protocol: "protocols/ket-psa-iv".into(),
        dose: Some(crate::requests::quantity("1.5 mg/kg")),
        infusion_duration: Some(crate::requests::quantity("1 min")),
        diluted_volume: None,
        syringe: Some(crate::requests::quantity("20 mL")),
        answers: ["hypersensitivity-ketamine", "blood-pressure-hazard", "raised-pressure"]
            .map(|question| v1::EligibilityAnswer {
                question: question.into(),
                answer: Answer::No.into(),
            })
            .into(),
        ..infusion(&patient, "", ward.now(), "0.5 mg/kg")
    };
    let done = ward.does("cleo", calculate(sedation)).await;
    let Some(outcome::Result::DoseCalculation(sedation)) = done.outcome.result else { panic!() };
    let replayed = ward.asks("audrey", replay(&sedation.name)).await;
    assert!(replayed.identical && replayed.today_refusal.is_empty(), "{replayed:?}");
    ward.close().await;
}
