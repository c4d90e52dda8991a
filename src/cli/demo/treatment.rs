//! One patient's infusion: the dose, the vial, what was given and what was wasted, and everything that went wrong.

use std::path::PathBuf;

use super::actor::{Actor, Done, No};
use super::course::{self, AGE, PATIENT, PROTOCOL};
use super::opening::{Cast, PRODUCT, Shelf};
use super::stage::{Stage, face};
use super::story::Story;
use super::{same, unexpected};
use crate::cli::error::CliError;
use crate::cli::output::quantity;
use crate::cli::parse;
use crate::pb::v1;
use crate::pb::v1::outcome::Result as Made;
use crate::pb::v1::record_waste_request::Source;
use crate::time::Timestamp;
use crate::wire::{timestamp_from_wire, timestamp_to_wire};

/// What the patient weighs.
const WEIGHT: &str = "72.5 kg";

/// What the later chapters need to know.
pub(super) struct Treated {
    /// The vial that was used.
    pub(super) vial: String,
    /// The dose as it was calculated.
    pub(super) dose: v1::DoseCalculation,
    /// The entry that keeps the administration, its bytes included.
    pub(super) given: Done,
    /// Nina's last receipt, in her own keeping.
    pub(super) receipt: PathBuf,
    /// A copy of the database from before the vial was handed out, and when it was made.
    pub(super) older: (PathBuf, Timestamp),
    /// What was refused, in the order in which it was tried.
    pub(super) refused: Vec<No>,
}

/// What every order of this dose has in common.
struct Sheet {
    /// The session that it is for.
    session: String,
    /// When the patient stood on the scale.
    measured: Timestamp,
}

/// The dose: three slips, then the right one.
pub(super) async fn dose(
    story: &mut Story,
    stage: &Stage,
    cast: &Cast,
    session: &str,
    refused: &mut Vec<No>,
) -> Result<v1::DoseCalculation, CliError> {
    story.chapter("The dose")?;
    stage.pass(3);
    story.tell(
        "Patient p-0417, 41 years old, is here for a ketamine infusion for depression that other treatments have not \
         helped: 0.5 mg/kg over 40 minutes. The scale says 72.5 kg. First, three slips, as they happen.",
    )?;
    let priya = &cast.priya;
    let sheet = Sheet { session: session.to_owned(), measured: stage.now() };
    let inputs = Some(sheet.inputs(parsed(WEIGHT)?, "0.5 mg/kg")?);
    let act = v1::CalculateDoseRequest { inputs, ..Default::default() };
    let no = priya.tries("a dose before any reading", act, "VITALS_MISSING", false).await?;
    story.event(
        &stage.at(),
        no.entry,
        "Priya is ahead of the nurse: she orders the dose at once.",
    )?;
    story.refusal(&no.shown)?;
    refused.push(no);
    course::before(story, stage, cast, session).await?;
    slips(story, stage, priya, &sheet, refused).await?;

    stage.pass(1);
    let inputs = Some(sheet.inputs(parsed(WEIGHT)?, "0.5 mg/kg")?);
    let preview = priya.asks(v1::PreviewDoseRequest { inputs: inputs.clone() }).await?;
    expect_dose(&preview.dose_calculation.unwrap_or_default())?;
    let recorded = priya.does(v1::CalculateDoseRequest { inputs, ..Default::default() }).await?;
    let Some(Made::DoseCalculation(dose)) = recorded.outcome.result else {
        return Err(unexpected(format!("entry {} holds no dose", recorded.entry)));
    };
    expect_dose(&dose)?;
    let text = format!(
        "Now right: 0.5 mg/kg, 72.5 kg measured at {}, the questions answered, the readings good. Priya looks at a \
         preview, which records nothing, then records the dose. Step by step:",
        face(sheet.measured)
    );
    story.event(&stage.at(), Some(recorded.entry), &text)?;
    working(story, &dose)?;
    Ok(dose)
}

/// Pounds, and a decimal point in the wrong place.
async fn slips(
    story: &Story,
    stage: &Stage,
    priya: &Actor,
    sheet: &Sheet,
    refused: &mut Vec<No>,
) -> Result<(), CliError> {
    stage.pass(2);
    let pounds = v1::Quantity { value: "160".to_owned(), unit: "lb".to_owned() };
    let inputs = Some(sheet.inputs(pounds, "0.5 mg/kg")?);
    let act = v1::CalculateDoseRequest { inputs, ..Default::default() };
    let no = priya.tries("a weight in pounds", act, "INVALID_ARGUMENT", false).await?;
    story.event(&stage.at(), no.entry, "Priya Patel enters the weight in pounds: 160 lb.")?;
    story.refusal(&no.shown)?;
    refused.push(no);

    stage.pass(1);
    let inputs = Some(sheet.inputs(parsed(WEIGHT)?, "5 mg/kg")?);
    let act = v1::CalculateDoseRequest { inputs, ..Default::default() };
    let no = priya.tries("a tenfold dose", act, "OVER_HARD_LIMIT", true).await?;
    let text = "The decimal point slips: Priya asks for 5 mg/kg instead of 0.5 mg/kg.";
    story.event(&stage.at(), no.entry, text)?;
    story.refusal(&no.shown)?;
    refused.push(no);
    Ok(())
}

/// The steps of a dose, and the sentence to read back.
fn working(story: &Story, dose: &v1::DoseCalculation) -> Result<(), CliError> {
    let rows: Vec<[String; 3]> = dose
        .steps
        .iter()
        .map(|step| [step.label.clone(), step.result.clone(), step.working.clone()])
        .collect();
    story.gap()?;
    story.table(["Step", "Result", "Working"], &rows)?;
    story.gap()?;
    story.tell(&format!("Read back aloud: \"{}\"", dose.readback))?;
    let until = dose.expire_time.as_ref().and_then(|time| timestamp_from_wire(time).ok());
    let until = until.ok_or_else(|| unexpected("the dose never expires"))?;
    let name = &dose.name;
    story.tell(&format!("The dose ({name}) may be dispensed until {}.", face(until)))
}

/// What arithmetic says, whoever does it.
fn expect_dose(dose: &v1::DoseCalculation) -> Result<(), CliError> {
    same("the exact dose", &quantity(dose.exact_dose.as_ref()), "36.25 mg")?;
    same("its volume", &quantity(dose.exact_amount.as_ref()), "3.625 mL")?;
    same("what to draw up", &quantity(dose.measured_amount.as_ref()), "3.6 mL")?;
    same("the dose in that", &quantity(dose.measured_dose.as_ref()), "36 mg")?;
    same("what is left over", &quantity(dose.remainder.as_ref()), "16.4 mL")?;
    same("the pump's rate", &quantity(dose.pump_rate.as_ref()), "75 mL/h")
}

impl Sheet {
    fn inputs(&self, weight: v1::Quantity, dose: &str) -> Result<v1::DoseInputs, CliError> {
        Ok(v1::DoseInputs {
            patient: PATIENT.to_owned(),
            protocol: PROTOCOL.to_owned(),
            product: PRODUCT.to_owned(),
            weight: Some(v1::BodyWeight {
                quantity: Some(weight),
                method: v1::WeightMethod::Measured.into(),
                measured_time: Some(timestamp_to_wire(self.measured)),
            }),
            age_years: Some(AGE),
            dose: Some(parsed(dose)?),
            syringe: Some(parsed("5 mL")?),
            infusion_duration: Some(parsed("40 min")?),
            diluted_volume: Some(parsed("50 mL")?),
            session: self.session.clone(),
            ..Default::default()
        })
    }
}

/// The vial is handed out, given from, and what is left of it wasted before a witness; and the patient goes home.
pub(super) async fn vial(
    story: &mut Story,
    stage: &Stage,
    cast: &Cast,
    shelf: &Shelf,
    dose: v1::DoseCalculation,
    mut refused: Vec<No>,
) -> Result<Treated, CliError> {
    let older = (stage.copy("older")?, stage.now());
    let dispensing = dispense(story, stage, cast, shelf, &dose, &mut refused).await?;
    let given = administer(story, stage, cast, &dispensing, &dose.session, &mut refused).await?;
    let receipt = waste(story, stage, cast, &dispensing, &mut refused).await?;
    course::way_home(story, stage, cast, &dose.session, &mut refused).await?;
    Ok(Treated { vial: shelf.good.clone(), dose, given, receipt, older, refused })
}

async fn dispense(
    story: &mut Story,
    stage: &Stage,
    cast: &Cast,
    shelf: &Shelf,
    dose: &v1::DoseCalculation,
    refused: &mut Vec<No>,
) -> Result<String, CliError> {
    story.chapter("The vial")?;
    stage.pass(3);
    let hand_out = |vial: &str| v1::DispenseVialRequest {
        vial: vial.to_owned(),
        holder: cast.nina.resource(),
        patient: PATIENT.to_owned(),
        dose_calculation: dose.name.clone(),
        ..Default::default()
    };
    let expired = &shelf.expired;
    let act = hand_out(expired);
    let no = cast.ben.tries("an expired vial", act, "VIAL_EXPIRED", false).await?;
    let text = format!("Ben reaches for the wrong carton and scans {expired}.");
    story.event(&stage.at(), None, &text)?;
    story.refusal(&no.shown)?;
    refused.push(no);
    stage.pass(1);
    let good = &shelf.good;
    let recorded = cast.ben.does(hand_out(good)).await?;
    let Some(Made::Dispensing(dispensing)) = &recorded.outcome.result else {
        return Err(unexpected(format!("entry {} dispensed nothing", recorded.entry)));
    };
    same("what was handed out", &quantity(dispensing.amount.as_ref()), "20 mL")?;
    let text = format!("Ben hands {good} to Nina Novak for patient p-0417: 20 mL, unopened.");
    story.event(&stage.at(), Some(recorded.entry), &text)?;
    Ok(dispensing.name.clone())
}

async fn administer(
    story: &mut Story,
    stage: &Stage,
    cast: &Cast,
    dispensing: &str,
    session: &str,
    refused: &mut Vec<No>,
) -> Result<Done, CliError> {
    story.chapter("The infusion")?;
    stage.pass(6);
    let text = "Nina has drawn up 3.6 mL, made it up to 50 mL, and starts the pump at 75 mL/h.";
    story.event(&stage.at(), None, text)?;
    let (start, end) = course::infusion(story, stage, cast, session).await?;
    story.event(
        &stage.at(),
        None,
        "The pump has finished. (The demo's clock was moved 40 minutes.)",
    )?;
    stage.pass(1);
    let given = |amount: &str| -> Result<_, CliError> {
        Ok(v1::RecordAdministrationRequest {
            dispensing: dispensing.to_owned(),
            patient: PATIENT.to_owned(),
            amount: Some(parsed(amount)?),
            start_time: Some(timestamp_to_wire(start)),
            end_time: Some(timestamp_to_wire(end)),
            ..Default::default()
        })
    };
    let nina = &cast.nina;
    let no = nina.tries("more than the vial held", given("36 mL")?, "OVER_DRAW", true).await?;
    let text = "Nina types the milligrams where the millilitres belong: 36 mL given.";
    story.event(&stage.at(), no.entry, text)?;
    story.refusal(&no.shown)?;
    refused.push(no);
    stage.pass(1);
    let recorded = nina.does(given("3.6 mL")?).await?;
    let Some(Made::Administration(administration)) = &recorded.outcome.result else {
        return Err(unexpected(format!("entry {} administered nothing", recorded.entry)));
    };
    same("the dose given", &quantity(administration.dose.as_ref()), "36 mg")?;
    recorded.keep(&stage.receipts())?;
    let (from, to) = (face(start), face(end));
    let text = format!("Nina records what was given: 3.6 mL, which is 36 mg, from {from} to {to}.");
    story.event(&stage.at(), Some(recorded.entry), &text)?;
    Ok(recorded)
}

async fn waste(
    story: &mut Story,
    stage: &Stage,
    cast: &Cast,
    dispensing: &str,
    refused: &mut Vec<No>,
) -> Result<PathBuf, CliError> {
    story.chapter("The rest of the vial")?;
    stage.pass(2);
    let act = v1::RecordWasteRequest {
        source: Some(Source::Dispensing(dispensing.to_owned())),
        amount: Some(parsed("16.4 mL")?),
        reason: v1::WasteReason::Remainder.into(),
        method: v1::WasteMethod::DeactivationContainer.into(),
        occurred_time: Some(timestamp_to_wire(stage.now())),
        ..Default::default()
    };
    let recorded = cast.nina.does(act).await?;
    let Some(Made::Waste(waste)) = &recorded.outcome.result else {
        return Err(unexpected(format!("entry {} wasted nothing", recorded.entry)));
    };
    let receipt = recorded.keep(&stage.receipts())?;
    let due = waste.witness_due_time.as_ref().and_then(|time| timestamp_from_wire(time).ok());
    let due = due.ok_or_else(|| unexpected("the waste waits for no witness"))?;
    let text = format!(
        "Nina wastes the other 16.4 mL into a drug-deactivation container, with Omar Okafor looking on. The waste waits \
         for its witness's signature until {}.",
        face(due)
    );
    story.event(&stage.at(), Some(recorded.entry), &text)?;
    story.detail(
        "Her device (here the folder receipts/) keeps the ledger's receipt, as after every entry about a vial. It will \
         matter below.",
    )?;
    let seen = || -> Result<_, CliError> {
        let waste = waste.name.clone();
        Ok(v1::WitnessRequest { waste, amount: Some(parsed("16.4 mL")?), ..Default::default() })
    };
    stage.pass(1);
    let no = cast.nina.tries("witnessing one's own waste", seen()?, "SELF_WITNESS", true).await?;
    story.event(&stage.at(), no.entry, "In a hurry, Nina signs as the witness herself.")?;
    story.refusal(&no.shown)?;
    refused.push(no);
    stage.pass(3);
    let recorded = cast.omar.does(seen()?).await?;
    let text = "Omar signs that he saw 16.4 mL being wasted, with his own key on his own device.";
    story.event(&stage.at(), Some(recorded.entry), text)?;
    Ok(receipt)
}

fn parsed(text: &str) -> Result<v1::Quantity, CliError> {
    parse::quantity(text).map_err(unexpected)
}
