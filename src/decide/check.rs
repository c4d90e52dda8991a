//! The independent double check: a second person works a dose out anew, and the two are laid side by side.

use prost::Message as _;

use super::authority::{LICENSED, PRESCRIBERS};
use super::dose::{find, replay};
use super::{Case, Draft, Signer};
use crate::command::{CheckCommand, DoseInputs};
use crate::ledger::SignedRequest;
use crate::names::CalculationName;
use crate::pb::v1::{self, CheckRequirement, FlagKind, outcome};
use crate::refusal::{Refusal, TreatmentRefusal};
use crate::state::{Calculation, Change, Check};
use crate::wire::quantity_text;

/// What a calculation waits for, with all that its check needs.
pub(super) fn asked_for(calculation: &v1::DoseCalculation, request: &SignedRequest) -> Check {
    let prescriber = match calculation.check_requirement() {
        CheckRequirement::Unspecified => return Check::NotNeeded,
        CheckRequirement::SecondPerson => false,
        CheckRequirement::SecondPrescriber => true,
    };
    let inputs = v1::CalculateDoseRequest::decode(request.bytes().clone())
        .ok()
        .and_then(|request| request.inputs)
        .expect("the request was read before");
    Check::Waiting {
        prescriber,
        inputs: inputs.encode_to_vec(),
        result: calculation.encode_to_vec(),
    }
}

impl Case<'_> {
    pub(super) fn check_dose(&self, signer: &Signer, act: &CheckCommand) -> Result<Draft, Refusal> {
        self.need(signer, LICENSED)?;
        let calculation = self.calculation(act.calculation)?;
        if matches!(calculation.check, Check::Waiting { prescriber: true, .. }) {
            self.need(signer, PRESCRIBERS)?;
        }
        if calculation.by == signer.name {
            let person = signer.name.clone();
            return Err(TreatmentRefusal::SelfCheck { person, calculation: act.calculation }.into());
        }
        let (inputs, result) = match &calculation.check {
            Check::Waiting { inputs, result, .. } => (inputs, result),
            Check::Differs(_) => {
                return Err(TreatmentRefusal::CheckDiffers { calculation: act.calculation }.into());
            }
            Check::NotNeeded | Check::Agreed(_) => {
                return Err(TreatmentRefusal::CheckNotAsked { calculation: act.calculation }.into());
            }
        };
        let kept = "it was serialised when the calculation was recorded";
        let first = v1::DoseInputs::decode(inputs.as_slice()).expect(kept);
        let first = DoseInputs::parse(Some(&first)).expect(kept);
        let result = v1::DoseCalculation::decode(result.as_slice()).expect(kept);
        let mut differences = entered(&first, &act.inputs);
        differences.extend(self.worked_out(&result, &act.inputs));

        // From here the check is accepted, whatever it found.
        let agreed = differences.is_empty();
        let mut draft = Draft::new(outcome::Result::DoseCheck(v1::DoseCheck {
            dose_calculation: act.calculation.to_string(),
            agreed,
            differences: differences.clone(),
        }));
        draft.touch(&calculation.patient);
        if let Some(session) = calculation.session.and_then(|name| self.state.session(name)) {
            super::session::touch_session(&mut draft, session);
        }
        if !agreed {
            let fields: Vec<&str> = differences.iter().map(|it| it.field.as_str()).collect();
            draft.flag(FlagKind::CheckDiffers, format!("differs in {}", fields.join(", ")));
        }
        let by = signer.name.clone();
        let check = if agreed { Check::Agreed(by) } else { Check::Differs(by) };
        let CalculationName(index) = act.calculation;
        let calculation = Calculation { check, ..calculation.clone() };
        draft.change(Change::PutCalculation(index, calculation));
        Ok(draft)
    }

    /// Where the results differ: the second is worked out by the same formulary from the second person's inputs.
    fn worked_out(
        &self,
        first: &v1::DoseCalculation,
        inputs: &DoseInputs,
    ) -> Vec<v1::DoseDifference> {
        let record = self
            .state
            .formularies()
            .find(|record| record.formulary.version().as_slice() == first.formulary_version)
            .expect("a formulary that a calculation used stays in the state");
        let second = find(record, inputs)
            .and_then(|_| replay(record, inputs, first.context.as_ref(), self.now));
        let second = match second {
            Ok(second) => second,
            Err(refusal) => {
                let amount = text(first.measured_amount.as_ref());
                return vec![difference("result", amount, format!("refused: {refusal}"))];
            }
        };
        let results = |it: &v1::DoseCalculation| {
            [
                ("result.dosing_weight", text(it.dosing_weight.as_ref())),
                ("result.exact_dose", text(it.exact_dose.as_ref())),
                ("result.measured_amount", text(it.measured_amount.as_ref())),
                ("result.measured_dose", text(it.measured_dose.as_ref())),
                ("result.containers", it.containers.to_string()),
                ("result.pump_rate", text(it.pump_rate.as_ref())),
            ]
        };
        differing(results(first), results(&second))
    }
}

/// Where what two people entered differs. When a weight was taken is not compared: each looked at the scale in their
/// own time.
fn entered(first: &DoseInputs, second: &DoseInputs) -> Vec<v1::DoseDifference> {
    let fields = |it: &DoseInputs| {
        [
            ("patient", it.patient.to_string()),
            ("protocol", it.protocol.to_string()),
            ("product", it.product.to_string()),
            ("weight.quantity", it.weight.to_string()),
            ("weight.method", it.weight_method.as_str_name().to_owned()),
            ("height", optional(it.height)),
            ("sex", optional(it.sex.map(|sex| sex.as_str_name()))),
            ("age_years", it.age_years.to_string()),
            ("dose", optional(it.dose)),
            ("syringe", optional(it.syringe)),
            ("infusion_duration", optional(it.infusion_duration)),
            ("diluted_volume", optional(it.diluted_volume)),
            ("session", optional(it.session)),
        ]
    };
    let mut differences = differing(fields(first), fields(second));
    let answer = |inputs: &DoseInputs, question: &str| {
        let given = inputs.answers.iter().find(|it| it.question == question);
        optional(given.map(|it| it.answer.as_str_name()))
    };
    let mut questions: Vec<&str> = first
        .answers
        .iter()
        .chain(&second.answers)
        .map(|answered| answered.question.as_str())
        .collect();
    questions.sort_unstable();
    questions.dedup();
    for question in questions {
        let (one, other) = (answer(first, question), answer(second, question));
        if one != other {
            differences.push(difference(&format!("answers.{question}"), one, other));
        }
    }
    differences
}

fn differing<const N: usize>(
    first: [(&str, String); N],
    second: [(&str, String); N],
) -> Vec<v1::DoseDifference> {
    let pairs = first.into_iter().zip(second);
    pairs
        .filter(|((_, one), (_, other))| one != other)
        .map(|((field, one), (_, other))| difference(field, one, other))
        .collect()
}

fn difference(field: &str, first: String, second: String) -> v1::DoseDifference {
    v1::DoseDifference { field: field.to_owned(), first, second }
}

fn optional(value: Option<impl std::fmt::Display>) -> String {
    value.map_or_else(|| "nothing".to_owned(), |value| value.to_string())
}

fn text(quantity: Option<&v1::Quantity>) -> String {
    optional(quantity.map(quantity_text))
}
