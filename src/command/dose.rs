//! Reading what a dose depends on.

use super::header::{Header, header};
use super::reader::Reader;
use super::{Act, MAX_TEXT_CHARS};
use crate::names::{PatientName, ProductName, ProtocolName};
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
}

pub(super) fn calculate(reader: &mut Reader, bytes: &[u8]) -> (Option<Header>, Option<Act>) {
    let Some(m) = reader.message::<v1::CalculateDoseRequest>(bytes) else { return (None, None) };
    let header = header(reader, &m.ledger, &m.request_id, m.validate_only, m.expected_size);
    let inputs = reader.required("inputs", m.inputs.as_ref());
    let inputs = inputs.and_then(|inputs| DoseInputs::read(reader, inputs));
    (header, inputs.map(|inputs| Act::CalculateDose(Box::new(inputs))))
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
        let age_years = reader.required("inputs.age_years", m.age_years);
        let age_years = age_years.filter(|age| {
            if *age > MAX_AGE_YEARS {
                let text = format!("is {age}; send completed years, 0 to {MAX_AGE_YEARS}");
                reader.violation("inputs.age_years", text);
            }
            *age <= MAX_AGE_YEARS
        });
        let dose = m.dose.as_ref().and_then(|dose| reader.quantity("inputs.dose", Some(dose)));
        let syringe = reader.optional_measure("inputs.syringe", m.syringe.as_ref());
        let infusion_duration =
            reader.optional_measure("inputs.infusion_duration", m.infusion_duration.as_ref());
        let diluted_volume =
            reader.optional_measure("inputs.diluted_volume", m.diluted_volume.as_ref());
        let answers = answers(reader, &m.answers);
        let overrides = overrides(reader, &m.overrides);
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
        })
    }
}

fn answers(reader: &mut Reader, answers: &[v1::EligibilityAnswer]) -> Option<Vec<Answered>> {
    at_most(reader, "inputs.answers", answers.len())?;
    let mut read: Vec<Answered> = Vec::with_capacity(answers.len());
    let mut whole = true;
    for (index, answer) in answers.iter().enumerate() {
        let field = format!("inputs.answers[{index}]");
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

fn overrides(reader: &mut Reader, overrides: &[v1::LimitOverride]) -> Option<Vec<Override>> {
    at_most(reader, "inputs.overrides", overrides.len())?;
    let mut read = Vec::with_capacity(overrides.len());
    for (index, item) in overrides.iter().enumerate() {
        let field = format!("inputs.overrides[{index}]");
        let limit = reader.text(&format!("{field}.limit"), &item.limit, MAX_ID_CHARS);
        let reason = reader.choice(&format!("{field}.reason"), item.reason);
        let note = reader.optional_text(&format!("{field}.note"), &item.note, MAX_TEXT_CHARS);
        read.push(limit.zip(reason).map(|(limit, reason)| Override { limit, reason, note }));
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
