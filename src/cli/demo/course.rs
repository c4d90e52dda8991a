//! The patient's course: who the patient is, what was asked, what was observed, and the way home.

use super::actor::{Actor, No};
use super::opening::Cast;
use super::stage::{Stage, face};
use super::story::Story;
use super::{same, unexpected};
use crate::cli::error::CliError;
use crate::identity::{FIELDS, SALT_BYTES};
use crate::pb::v1;
use crate::pb::v1::outcome::Result as Made;
use crate::time::Timestamp;
use crate::wire::{date_to_wire, timestamp_from_wire, timestamp_to_wire};

/// The patient, under the pseudonym that the site uses.
pub(super) const PATIENT: &str = "patients/p-0417";
/// The patient's age.
pub(super) const AGE: u32 = 41;
/// The protocol.
pub(super) const PROTOCOL: &str = "protocols/ket-trd-iv";
/// The plan that uses it, and its first phase.
const PLAN: &str = "plans/ket-trd-iv";
const PHASE: &str = "induction";
/// Days since the patient was born: 41 years and about half a year.
const DAYS_OF_LIFE: i64 = 15_150;

/// Systolic and diastolic pressure, pulse, oxygen, breathing, alertness, dissociation.
const MEASURES: [(&str, &str); 7] = [
    ("systolic", "mm[Hg]"),
    ("diastolic", "mm[Hg]"),
    ("pulse", "/min"),
    ("spo2", "%"),
    ("respiratory-rate", "/min"),
    ("moaa-s", "{score}"),
    ("dissociation", "{score}"),
];
/// What Nina reads before the dose.
const BEFORE: [i32; 7] = [128, 82, 76, 98, 14, 5, 0];
/// What she reads while the pump runs: minutes after its start, and the readings.
const DURING: [(u64, [i32; 7]); 3] = [
    (15, [138, 86, 82, 97, 14, 4, 1]),
    (30, [146, 88, 86, 97, 13, 4, 2]),
    (40, [142, 86, 84, 97, 14, 4, 2]),
];
/// What she reads afterwards.
const AN_HOUR: [i32; 7] = [134, 84, 78, 98, 14, 5, 1];
const HOUR_AND_A_HALF: [i32; 7] = [128, 82, 74, 98, 14, 5, 0];
const TWO_HOURS: [i32; 7] = [124, 80, 72, 98, 14, 5, 0];

/// The patient is registered, answers the questions, and has a course.
pub(super) async fn patient(
    story: &mut Story,
    stage: &Stage,
    cast: &Cast,
) -> Result<String, CliError> {
    story.chapter("The patient")?;
    story.tell(
        "A patient is a pseudonym here, p-0417. Who that is goes encrypted into a second file beside the ledger, and the \
         entry holds no more than a commitment to it: a salted hash that nobody can guess a name from.",
    )?;
    stage.pass(2);
    let (nina, priya) = (&cast.nina, &cast.priya);
    let opening = Some(made_up(stage)?);
    let sealed = nina.asks(v1::SealIdentityRequest { opening }).await?;
    let done = nina
        .does(v1::RegisterPatientRequest {
            patient: PATIENT.to_owned(),
            identity_commitment: sealed.identity_commitment,
            ..Default::default()
        })
        .await?;
    story.event(&stage.at(), Some(done.entry), "Nina Novak registers p-0417.")?;
    stage.pass(3);
    let answers = answers(nina).await?;
    let count = answers.len();
    let done = nina
        .does(v1::RecordEligibilityRequest {
            patient: PATIENT.to_owned(),
            answers,
            answered_time: Some(timestamp_to_wire(stage.now())),
            ..Default::default()
        })
        .await?;
    let text = format!(
        "Nina asks the {count} questions of the protocol and records the answers. Each counts for as long as the \
         formulary says: the one about blood pressure until midnight."
    );
    story.event(&stage.at(), Some(done.entry), &text)?;
    stage.pass(1);
    let plan = PLAN.to_owned();
    let request = v1::OpenCourseRequest { patient: PATIENT.to_owned(), plan, ..Default::default() };
    let done = priya.does(request).await?;
    let Some(Made::CourseOpened(opened)) = done.outcome.result else {
        return Err(unexpected(format!("entry {} opened no course", done.entry)));
    };
    let text = "Priya Patel opens a course by the plan for infusions: how many sessions, how far apart, what is read when, \
                and when the patient may leave.";
    story.event(&stage.at(), Some(done.entry), text)?;
    Ok(opened.course)
}

/// Somebody who does not exist, with fresh salts.
fn made_up(stage: &Stage) -> Result<v1::IdentityOpening, CliError> {
    let born = stage.today()?.add_days(-DAYS_OF_LIFE);
    let born = born.map_err(|error| unexpected(error.to_string()))?;
    let mut salts = vec![vec![0; SALT_BYTES]; FIELDS];
    for salt in &mut salts {
        getrandom::fill(salt).map_err(|error| unexpected(format!("no randomness: {error}")))?;
    }
    Ok(v1::IdentityOpening {
        identity: Some(v1::PatientIdentity {
            display_name: "Dorothea Lindqvist".to_owned(),
            address: "7 Elm Court, Springfield, IL 62703".to_owned(),
            birth_date: Some(date_to_wire(born)),
            identifiers: vec!["MSKC-88213".to_owned()],
        }),
        salts,
    })
}

/// Every question of the protocol, with the answer that lets this patient be treated.
async fn answers(nina: &Actor) -> Result<Vec<v1::EligibilityAnswer>, CliError> {
    let request = v1::ListProtocolsRequest { page_size: 1_000, ..Default::default() };
    let protocols = nina.asks(request).await?.protocols;
    let protocol = protocols.into_iter().find(|protocol| protocol.name == PROTOCOL);
    let protocol = protocol.ok_or_else(|| unexpected(format!("there is no {PROTOCOL}")))?;
    let answers = protocol.questions.into_iter().map(|question| {
        let fine = match question.stops_on() {
            v1::Answer::No => v1::Answer::Yes,
            _ => v1::Answer::No,
        };
        v1::EligibilityAnswer { question: question.id, answer: fine.into() }
    });
    Ok(answers.collect())
}

/// The first session begins.
pub(super) async fn session(
    story: &mut Story,
    stage: &Stage,
    cast: &Cast,
    course: &str,
) -> Result<String, CliError> {
    story.chapter("The session")?;
    stage.pass(2);
    let request = v1::StartSessionRequest {
        course: course.to_owned(),
        phase: PHASE.to_owned(),
        age_years: Some(AGE),
        ..Default::default()
    };
    let done = cast.nina.does(request).await?;
    let Some(Made::SessionStarted(started)) = done.outcome.result else {
        return Err(unexpected(format!("entry {} started no session", done.entry)));
    };
    let text = format!(
        "Nina starts session {} of the course: no dose is too recent, every answer counts today.",
        started.number
    );
    story.event(&stage.at(), Some(done.entry), &text)?;
    Ok(started.session)
}

/// What Nina reads before the dose.
pub(super) async fn before(
    story: &Story,
    stage: &Stage,
    cast: &Cast,
    session: &str,
) -> Result<(), CliError> {
    stage.pass(3);
    let entry = observe(stage, cast, session, BEFORE).await?;
    let text = format!("Nina reads what must be read before a dose: {}.", told(BEFORE));
    story.event(&stage.at(), Some(entry), &text)
}

/// The pump runs, and Nina watches. Gives the moments of its start and its end.
pub(super) async fn infusion(
    story: &Story,
    stage: &Stage,
    cast: &Cast,
    session: &str,
) -> Result<(Timestamp, Timestamp), CliError> {
    let start = stage.now();
    let mut passed = 0;
    for (minutes, readings) in DURING {
        stage.pass(minutes - passed);
        passed = minutes;
        let entry = observe(stage, cast, session, readings).await?;
        let text = format!("After {minutes} minutes, as the plan asks: {}.", told(readings));
        story.event(&stage.at(), Some(entry), &text)?;
    }
    Ok((start, stage.now()))
}

/// The patient wants to leave, may not yet, and then may.
pub(super) async fn way_home(
    story: &mut Story,
    stage: &Stage,
    cast: &Cast,
    session: &str,
    refused: &mut Vec<No>,
) -> Result<(), CliError> {
    story.chapter("The way home")?;
    let nina = &cast.nina;
    // An hour after the pump was started: the vial took eight minutes since it ended.
    stage.pass(12);
    let entry = observe(stage, cast, session, AN_HOUR).await?;
    let text = format!("After an hour p-0417 feels well and would like to go: {}.", told(AN_HOUR));
    story.event(&stage.at(), Some(entry), &text)?;
    let home = v1::DischargePatientRequest {
        session: session.to_owned(),
        escort_present: true,
        no_driving_acknowledged: true,
        leaflet_given: true,
        ..Default::default()
    };
    let act = home.clone();
    let no = nina.tries("going home after an hour", act, "NOT_DISCHARGEABLE", true).await?;
    let text = "The patient's sister has come to take her home, and Nina signs the discharge.";
    story.event(&stage.at(), no.entry, text)?;
    story.refusal(&no.shown)?;
    refused.push(no);
    for (readings, text) in [
        (HOUR_AND_A_HALF, "After an hour and a half"),
        (TWO_HOURS, "After two hours (the demo's clock was moved again)"),
    ] {
        stage.pass(30);
        let entry = observe(stage, cast, session, readings).await?;
        story.event(&stage.at(), Some(entry), &format!("{text}: {}.", told(readings)))?;
    }
    let done = nina.does(home).await?;
    let Some(Made::Discharge(discharge)) = &done.outcome.result else {
        return Err(unexpected(format!("entry {} let nobody go", done.entry)));
    };
    same("the wait", &discharge.minutes_since_first_dose.to_string(), "120")?;
    same("what was not met", &discharge.unmet.join("; "), "")?;
    let text = "Now the same signature is taken: two hours have passed, the readings are fresh and good, nothing of the vial \
                is in anybody's hands, and somebody is there to take the patient home.";
    story.event(&stage.at(), Some(done.entry), text)?;
    next(story, cast, session).await
}

/// What the session says of itself.
async fn next(story: &Story, cast: &Cast, session: &str) -> Result<(), CliError> {
    let name = session.to_owned();
    let found = cast.priya.asks(v1::GetSessionRequest { name }).await?.session;
    let found = found.ok_or_else(|| unexpected(format!("there is no {session}")))?;
    same("its state", &format!("{:?}", found.state()), "Discharged")?;
    let ended = found.end_time.as_ref().and_then(|time| timestamp_from_wire(time).ok());
    let ended = ended.map(face).ok_or_else(|| unexpected("the session has no end"))?;
    story.detail(&format!(
        "{session}, over at {ended}: {} observations, one dose, {} refusals kept. All of it is read from the entries.",
        found.observations.len(),
        found.flags.iter().filter(|flag| flag.refusal).count()
    ))
}

async fn observe(
    stage: &Stage,
    cast: &Cast,
    session: &str,
    values: [i32; 7],
) -> Result<u64, CliError> {
    let readings = MEASURES.iter().zip(values).map(|((measure, unit), value)| v1::Reading {
        measure: (*measure).to_owned(),
        value,
        unit: (*unit).to_owned(),
    });
    let request = v1::RecordObservationRequest {
        session: session.to_owned(),
        observed_time: Some(timestamp_to_wire(stage.now())),
        readings: readings.collect(),
        ..Default::default()
    };
    let done = cast.nina.does(request).await?;
    match &done.outcome.result {
        Some(Made::Observation(seen))
            if seen.alerts.is_empty() && done.flags().next().is_none() =>
        {
            Ok(done.entry)
        }
        _ => Err(unexpected(format!("entry {} raises an alert", done.entry))),
    }
}

/// Readings as a nurse says them.
fn told([systolic, diastolic, pulse, spo2, breaths, alertness, dissociation]: [i32; 7]) -> String {
    format!(
        "{systolic}/{diastolic}, pulse {pulse}, SpO2 {spo2} %, {breaths} breaths/min, alertness {alertness}, dissociation \
         {dissociation}"
    )
}
