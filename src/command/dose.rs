//! Reading what a dose depends on.

use super::header::{Header, header};
use super::reader::Reader;
use super::{Act, MAX_TEXT_CHARS};
use crate::names::{
    CalculationName, EffectName, PatientName, ProductName, ProtocolName, SessionName,
};
use crate::pb::v1::{self, Answer, OverrideReason, Sex, WeightMethod};
use crate::time::Timestamp;
use crate::units::{Height, Quantity, Span, Volume, Weight};

/// Answers, and overrides, in one request at most.
pub const MAX_ANSWERS: usize = 64;
/// Oldest age that is taken, in years. The oldest person on record reached 122.
const MAX_AGE_YEARS: u32 = 130;
/// Characters of a question's id or a limit's name at most.
const MAX_ID_CHARS: usize = 80;

/// Everything that a dose depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoseInputs {
    /// The patient, under a pseudonym.
    pub patient: PatientName,
    /// The protocol.
    pub protocol: ProtocolName,
    /// The product to draw from.
    pub product: ProductName,
    /// Body weight.
    pub weight: Weight,
    /// How the weight came to be known.
    pub weight_method: WeightMethod,
    /// When.
    pub weight_time: Timestamp,
    /// Height, where it is given.
    pub height: Option<Height>,
    /// Sex as the weight formulas use it, where it is given.
    pub sex: Option<Sex>,
    /// Age in completed years.
    pub age_years: u32,
    /// Requested dose; the protocol's usual one when absent.
    pub dose: Option<Quantity>,
    /// Volume of the syringe; absent for devices.
    pub syringe: Option<Volume>,
    /// How long the infusion runs; the protocol's usual time when absent.
    pub infusion_duration: Option<Span>,
    /// Volume of the infusion after dilution.
    pub diluted_volume: Option<Volume>,
    /// Answers to the protocol's questions.
    pub answers: Vec<Answered>,
    /// Soft limits passed on purpose.
    pub overrides: Vec<Override>,
    /// The session that it is for.
    pub session: Option<SessionName>,
}

/// A dose, worked out anew by a second person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckCommand {
    /// The calculation that is checked.
    pub calculation: CalculationName,
    /// What the second person entered.
    pub inputs: DoseInputs,
}

/// An answer to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// Id of the question.
    pub question: String,
    /// The answer.
    pub answer: Answer,
}

/// A soft limit passed on purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// Name of the limit.
    pub limit: String,
    /// The coded reason.
    pub reason: OverrideReason,
    /// In the prescriber's words.
    pub note: Option<String>,
    /// The adverse effect that the dose is changed for.
    pub effect: Option<EffectName>,
}

pub(super) fn calculate(reader: &mut Reader, bytes: &[u8]) -> (Option<Header>, Option<Act>) {
    let Some(m) = reader.message::<v1::CalculateDoseRequest>(bytes) else { return (None, None) };
    let header = header(reader, &m.ledger, &m.request_id, m.validate_only, m.expected_size);
    let inputs = reader.required("inputs", m.inputs.as_ref());
    let inputs = inputs.and_then(|inputs| DoseInputs::read(reader, inputs));
    (header, inputs.map(|inputs| Act::CalculateDose(Box::new(inputs))))
}

pub(super) fn check(reader: &mut Reader, bytes: &[u8]) -> (Option<Header>, Option<Act>) {
    let Some(m) = reader.message::<v1::CheckDoseRequest>(bytes) else { return (None, None) };
    let header = header(reader, &m.ledger, &m.request_id, m.validate_only, m.expected_size);
    let calculation = reader.name("dose_calculation", &m.dose_calculation);
    let inputs = reader.required("inputs", m.inputs.as_ref());
    let inputs = inputs.and_then(|inputs| DoseInputs::read(reader, inputs));
    let act = calculation.zip(inputs);
    let act = act.map(|(calculation, inputs)| CheckCommand { calculation, inputs });
    (header, act.map(|act| Act::CheckDose(Box::new(act))))
}

impl DoseInputs {
    /// Reads the inputs of a preview, which nobody signs.
    pub fn parse(inputs: Option<&v1::DoseInputs>) -> Result<Self, Vec<super::Violation>> {
        let mut reader = Reader::default();
        let inputs = reader.required("inputs", inputs);
        let inputs = inputs.and_then(|inputs| Self::read(&mut reader, inputs));
        reader.finish()?;
        Ok(inputs.expect("what is missing was reported as a violation"))
    }

    fn read(reader: &mut Reader, m: &v1::DoseInputs) -> Option<Self> {
        let patient = reader.name("inputs.patient", &m.patient);
        let protocol = reader.name("inputs.protocol", &m.protocol);
        let product = reader.name("inputs.product", &m.product);
        let weight = reader.required("inputs.weight", m.weight.as_ref());
        let weight = weight.and_then(|weight| {
            let quantity = reader.measure("inputs.weight.quantity", weight.quantity.as_ref());
            let method = reader.choice("inputs.weight.method", weight.method);
            let time = reader.moment("inputs.weight.measured_time", weight.measured_time.as_ref());
            Some((quantity?, method?, time?))
        });
        let height = reader.optional_measure("inputs.height", m.height.as_ref());
        let sex = (m.sex != 0).then(|| reader.choice("inputs.sex", m.sex)).flatten();
        let age_years = read_age(reader, "inputs.age_years", m.age_years);
        let dose = m.dose.as_ref().and_then(|dose| reader.quantity("inputs.dose", Some(dose)));
        let syringe = reader.optional_measure("inputs.syringe", m.syringe.as_ref());
        let infusion_duration =
            reader.optional_measure("inputs.infusion_duration", m.infusion_duration.as_ref());
        let diluted_volume =
            reader.optional_measure("inputs.diluted_volume", m.diluted_volume.as_ref());
        let answers = answers(reader, "inputs.answers", &m.answers);
        let overrides = overrides(reader, "inputs.overrides", &m.overrides);
        let session = reader.optional_name("inputs.session", &m.session);
        if !m.session.is_empty() && !m.answers.is_empty() {
            let text = "must be empty with a session; record the answers of the patient \
                        (vialedger patient answer), where they count until they expire";
            reader.violation("inputs.answers", text);
        }
        let (weight, weight_method, weight_time) = weight?;
        Some(Self {
            patient: patient?,
            protocol: protocol?,
            product: product?,
            weight,
            weight_method,
            weight_time,
            height,
            sex,
            age_years: age_years?,
            dose,
            syringe,
            infusion_duration,
            diluted_volume,
            answers: answers?,
            overrides: overrides?,
            session,
        })
    }
}

/// An age in completed years.
pub(super) fn read_age(reader: &mut Reader, field: &str, age: Option<u32>) -> Option<u32> {
    let age = reader.required(field, age)?;
    if age > MAX_AGE_YEARS {
        let text = format!("is {age}; send completed years, 0 to {MAX_AGE_YEARS}");
        reader.violation(field, text);
        return None;
    }
    Some(age)
}

pub(super) fn answers(
    reader: &mut Reader,
    list: &str,
    answers: &[v1::EligibilityAnswer],
) -> Option<Vec<Answered>> {
    at_most(reader, list, answers.len())?;
    let mut read: Vec<Answered> = Vec::with_capacity(answers.len());
    let mut whole = true;
    for (index, answer) in answers.iter().enumerate() {
        let field = format!("{list}[{index}]");
        let question = reader.text(&format!("{field}.question"), &answer.question, MAX_ID_CHARS);
        let answer = reader.choice(&format!("{field}.answer"), answer.answer);
        match (question, answer) {
            (Some(question), Some(_)) if read.iter().any(|other| other.question == question) => {
                reader.violation(&field, "answers the same question twice; send one answer");
                whole = false;
            }
            (Some(question), Some(answer)) => read.push(Answered { question, answer }),
            _ => whole = false,
        }
    }
    whole.then_some(read)
}

pub(super) fn overrides(
    reader: &mut Reader,
    list: &str,
    overrides: &[v1::LimitOverride],
) -> Option<Vec<Override>> {
    at_most(reader, list, overrides.len())?;
    let mut read = Vec::with_capacity(overrides.len());
    for (index, item) in overrides.iter().enumerate() {
        let field = format!("{list}[{index}]");
        let limit = reader.text(&format!("{field}.limit"), &item.limit, MAX_ID_CHARS);
        let reason = reader.choice(&format!("{field}.reason"), item.reason);
        let note = reader.optional_text(&format!("{field}.note"), &item.note, MAX_TEXT_CHARS);
        let effect = reader.optional_name(&format!("{field}.adverse_effect"), &item.adverse_effect);
        let read_item = limit.zip(reason);
        read.push(read_item.map(|(limit, reason)| Override { limit, reason, note, effect }));
    }
    read.into_iter().collect()
}

fn at_most(reader: &mut Reader, field: &str, found: usize) -> Option<()> {
    if found <= MAX_ANSWERS {
        return Some(());
    }
    reader.violation(field, format!("has {found} items; send at most {MAX_ANSWERS}"));
    None
}
