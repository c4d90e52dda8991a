//! Requests as people send them, each complete and acceptable; tests change what they are about.
#![allow(clippy::unnecessary_wraps, reason = "the fields of messages are optional")]

use prost::Message;
use vialedger::command::{MAX_REQUEST_BYTES, MAX_TEXT_CHARS};
use vialedger::ident::Ndc;
use vialedger::ledger::RequestKind;
use vialedger::pb::v1::{self, Answer, Role, record_waste_request::Source};
use vialedger::state::Step;
use vialedger::time::{Date, Timestamp};
use vialedger::units::Quantity;
use vialedger::wire::{date_to_wire, quantity_to_wire, timestamp_to_wire};

use crate::support::{BEGINNING, ORIGIN, possession, public};

/// A request that can be signed.
pub(crate) trait Request: Message + Default + Clone {
    /// What kind of act it is.
    const KIND: RequestKind;

    /// Its ledger and its id.
    fn header(&mut self) -> (&mut String, &mut String);
}

macro_rules! requests {
    ($($message:ident $kind:ident,)+) => {
        $(impl Request for v1::$message {
            const KIND: RequestKind = RequestKind::$kind;

            fn header(&mut self) -> (&mut String, &mut String) {
                (&mut self.ledger, &mut self.request_id)
            }
        })+
    };
}

requests! {
    InitializeLedgerRequest InitializeLedger,
    EnrollPersonRequest EnrollPerson,
    ChangeRolesRequest ChangeRoles,
    EnrollKeyRequest EnrollKey,
    RevokeKeyRequest RevokeKey,
    CreatePlaceRequest CreatePlace,
    PublishFormularyRequest PublishFormulary,
    ApproveRequest Approve,
    CalculateDoseRequest CalculateDose,
    ReceiveVialsRequest ReceiveVials,
    DispenseVialRequest DispenseVial,
    RecordAdministrationRequest RecordAdministration,
    RecordWasteRequest RecordWaste,
    WitnessRequest Witness,
    ReturnVialRequest ReturnVial,
    QuarantineVialsRequest QuarantineVials,
    CheckDoseRequest CheckDose,
    RegisterPatientRequest RegisterPatient,
    MergePatientsRequest MergePatients,
    OpenIdentityRequest OpenIdentity,
    RecordEligibilityRequest RecordEligibility,
    OpenCourseRequest OpenCourse,
    CloseCourseRequest CloseCourse,
    StartSessionRequest StartSession,
    RecordMissedSessionRequest RecordMissedSession,
    CancelSessionRequest CancelSession,
    RecordObservationRequest RecordObservation,
    AcknowledgeAlertRequest AcknowledgeAlert,
    RecordAdverseEffectRequest RecordAdverseEffect,
    DischargePatientRequest DischargePatient,
    RecordFormSentRequest RecordFormSent,
    RecordSelfAuditRequest RecordSelfAudit,
    RotateLedgerKeyRequest RotateLedgerKey,
}

/// Multiple-dose ketamine, 10 mg/mL, 20 mL.
pub(crate) const KETALAR: &str = "products/ketamine-42023-113-10";
/// The same from another maker.
pub(crate) const EUGIA: &str = "products/ketamine-55150-438-10";
/// Single-dose ketamine, 100 mg/mL, 5 mL.
pub(crate) const SAGENT: &str = "products/ketamine-25021-684-05";
/// Esketamine, 28 mg in a device.
pub(crate) const SPRAVATO: &str = "products/esketamine-50458-028-02";
/// Fentanyl, schedule II, 50 mcg/mL, 2 mL.
pub(crate) const FENTANYL: &str = "products/fentanyl-0409-9094-22";

/// The infusion of ketamine for depression.
pub(crate) const INFUSION: &str = "protocols/ket-trd-iv";
/// Esketamine for depression.
pub(crate) const NASAL: &str = "protocols/esk-trd-ind";

/// `"3.6 mL"`
pub(crate) fn q(text: &str) -> Option<v1::Quantity> {
    Some(quantity_to_wire(Quantity::parse_text(text).unwrap()))
}

pub(crate) fn at(moment: Timestamp) -> Option<prost_types::Timestamp> {
    Some(timestamp_to_wire(moment))
}

/// So many microseconds after the beginning of the ledgers.
pub(crate) fn after(micros: i64) -> Option<prost_types::Timestamp> {
    let beginning: Timestamp = BEGINNING.parse().unwrap();
    at(beginning.checked_add_micros(micros).unwrap())
}

pub(crate) fn date(text: &str) -> Option<v1::Date> {
    Some(date_to_wire(text.parse::<Date>().unwrap()))
}

fn numbers(roles: &[Role]) -> Vec<i32> {
    roles.iter().map(|role| i32::from(*role)).collect()
}

pub(crate) fn person(label: &str, roles: &[Role]) -> v1::Person {
    let key = v1::PersonKey { public_key: public(label).to_vec(), ..Default::default() };
    v1::Person {
        name: format!("people/{label}"),
        display_name: label.to_uppercase(),
        roles: numbers(roles),
        keys: vec![key],
    }
}

pub(crate) fn initialize(verifier_key: &str) -> v1::InitializeLedgerRequest {
    v1::InitializeLedgerRequest {
        verifier_key: verifier_key.to_owned(),
        site: Some(v1::Site {
            display_name: "Ketamine clinic".to_owned(),
            address: "1 Main Street, Des Moines, Iowa".to_owned(),
            dea_number: "AB1234563".to_owned(),
            utc_offset_minutes: -360,
        }),
        administrator: Some(person("ada", &[Role::Administrator])),
        ..Default::default()
    }
}

pub(crate) fn enroll(label: &str, roles: &[Role]) -> v1::EnrollPersonRequest {
    let person = person(label, roles);
    v1::EnrollPersonRequest {
        possession: possession(ORIGIN, label, &person.name),
        person: Some(person),
        ..Default::default()
    }
}

pub(crate) fn change_roles(label: &str, roles: &[Role]) -> v1::ChangeRolesRequest {
    v1::ChangeRolesRequest {
        person: format!("people/{label}"),
        roles: numbers(roles),
        ..Default::default()
    }
}

/// Another key for a person, by the label of the key.
pub(crate) fn enroll_key(label: &str, key: &str) -> v1::EnrollKeyRequest {
    let person = format!("people/{label}");
    v1::EnrollKeyRequest {
        possession: possession(ORIGIN, key, &person),
        public_key: public(key).to_vec(),
        person,
        ..Default::default()
    }
}

pub(crate) fn revoke(key: &str) -> v1::RevokeKeyRequest {
    v1::RevokeKeyRequest {
        public_key: public(key).to_vec(),
        reason: "lost".to_owned(),
        ..Default::default()
    }
}

pub(crate) fn create_place(place: &str) -> v1::CreatePlaceRequest {
    let place = v1::Place { name: format!("places/{place}"), display_name: place.to_uppercase() };
    v1::CreatePlaceRequest { place: Some(place), ..Default::default() }
}

pub(crate) fn publish(text: &str) -> v1::PublishFormularyRequest {
    v1::PublishFormularyRequest { formulary: text.to_owned(), ..Default::default() }
}

/// Approves what a step put forward.
pub(crate) fn approve(step: &Step) -> v1::ApproveRequest {
    v1::ApproveRequest {
        proposal: format!("entries/{}", step.entry.index()),
        leaf_hash: step.entry.leaf_hash().as_ref().to_vec(),
        ..Default::default()
    }
}

/// The starter formulary from before there were plans: here a dose is worked out without a session.
const WITHOUT_PLANS: &str = include_str!("../data/formulary-1.toml");

/// A formulary with only these products, protocols and plans, and what they name, so that it is read quickly.
pub(crate) fn cut(formulary: &str, wanted: &[&str]) -> String {
    // Each thing with its id and the tables below it.
    let mut things: Vec<(&str, &str, String)> = Vec::new();
    let mut head = String::new();
    for block in formulary.split_inclusive("\n\n") {
        let rest = block.split_once("[[").filter(|(before, _)| before.is_empty());
        let kind = rest.and_then(|(_, rest)| rest.split_once("]]")).map(|(kind, _)| kind);
        match kind.filter(|kind| !kind.contains('.')) {
            Some(kind) => {
                let id = block.split_once("id = \"").and_then(|(_, rest)| rest.split_once('"'));
                things.push((kind, id.unwrap().0, block.to_owned()));
            }
            None if block.starts_with('#') => {}
            None => things.last_mut().map_or(&mut head, |(_, _, text)| text).push_str(block),
        }
    }
    // What is wanted, then what that names: plans name monitorings, and monitorings name measures.
    let mut kept = String::new();
    for collection in ["product", "protocol", "plan", "monitoring", "measure", "drug", "question"] {
        let of = things.iter().filter(|(kind, ..)| *kind == collection);
        let named = |id: &str| match collection {
            "product" | "protocol" | "plan" => wanted.contains(&&*format!("{collection}s/{id}")),
            _ => kept.contains(&format!("\"{id}\"")),
        };
        let text: String = of.filter(|(_, id, _)| named(id)).map(|(.., text)| &**text).collect();
        kept += &text;
    }
    head + &kept
}

/// A formulary without plans, of these products and protocols.
pub(crate) fn formulary_of(products: &[&str], protocols: &[&str]) -> String {
    cut(WITHOUT_PLANS, &[products, protocols].concat())
}

/// The formulary of most tests.
pub(crate) fn small_formulary() -> String {
    formulary_of(&[KETALAR, EUGIA, SAGENT, SPRAVATO, FENTANYL], &[INFUSION, NASAL])
}

/// GTIN of a container or package of a product, as scanners send it.
pub(crate) fn gtin(ndc: &str) -> String {
    ndc.parse::<Ndc>().unwrap().to_gtin(0).unwrap().to_string()
}

pub(crate) fn line(product: &str, lot: &str, expiry: &str, counted: u32) -> v1::DeliveryLine {
    v1::DeliveryLine {
        product: product.to_owned(),
        lot: lot.to_owned(),
        expiry_date: date(expiry),
        counted,
        invoiced: Some(counted),
        ..Default::default()
    }
}

pub(crate) fn receive(lines: &[v1::DeliveryLine]) -> v1::ReceiveVialsRequest {
    v1::ReceiveVialsRequest {
        place: "places/safe".to_owned(),
        supplier: Some(v1::Supplier {
            display_name: "Wholesale".to_owned(),
            address: "2 Dock Road, Omaha, Nebraska".to_owned(),
            dea_number: "RA1234563".to_owned(),
        }),
        invoice: "INV-1".to_owned(),
        received_date: date("2026-11-20"),
        lines: lines.to_vec(),
        ..Default::default()
    }
}

/// What is in the clinic: vials 1-2 expire in 2027, 3-4 in 2028, 5-6 are single-dose, 7-9 devices, 10 came in without
/// a lot, 11 expires within days of the beginning.
pub(crate) fn delivery() -> v1::ReceiveVialsRequest {
    receive(&[
        line(KETALAR, "K1", "2027-06-30", 2),
        line(KETALAR, "K2", "2028-06-30", 2),
        line(SAGENT, "S1", "2027-06-30", 2),
        line(SPRAVATO, "E1", "2027-06-30", 3),
        line(EUGIA, "", "2027-06-30", 1),
        line(EUGIA, "G1", "2026-11-23", 1),
    ])
}

const QUESTIONS: [&str; 10] = [
    "psychosis",
    "uncontrolled-blood-pressure",
    "aneurysm-or-malformation",
    "intracerebral-haemorrhage",
    "hypersensitivity-ketamine",
    "severe-liver-disease",
    "raised-pressure",
    "substance-misuse",
    "pregnancy",
    "interacting-medicines",
];

pub(crate) fn answer(question: &str, answer: Answer) -> v1::EligibilityAnswer {
    v1::EligibilityAnswer { question: question.to_owned(), answer: answer.into() }
}

pub(crate) fn inputs(patient: &str) -> v1::DoseInputs {
    v1::DoseInputs {
        patient: format!("patients/{patient}"),
        protocol: INFUSION.to_owned(),
        product: KETALAR.to_owned(),
        weight: Some(v1::BodyWeight {
            quantity: q("72.5 kg"),
            method: v1::WeightMethod::Measured.into(),
            measured_time: after(0),
        }),
        age_years: Some(44),
        syringe: q("5 mL"),
        diluted_volume: q("100 mL"),
        answers: QUESTIONS.map(|question| answer(question, Answer::No)).to_vec(),
        ..Default::default()
    }
}

/// 0.5 mg/kg of ketamine for 72.5 kg: 3.6 mL to draw.
pub(crate) fn calculate(patient: &str) -> v1::CalculateDoseRequest {
    v1::CalculateDoseRequest { inputs: Some(inputs(patient)), ..Default::default() }
}

/// The same request with other inputs.
pub(crate) fn calculate_with(change: impl FnOnce(&mut v1::DoseInputs)) -> v1::CalculateDoseRequest {
    let mut inputs = inputs("p1");
    change(&mut inputs);
    v1::CalculateDoseRequest { inputs: Some(inputs), ..Default::default() }
}

/// Inputs that are within every limit and whose entry is too long: the longest request, and every soft question's
/// reason repeated among the flags.
pub(crate) fn too_long(inputs: &mut v1::DoseInputs) {
    const USED: [&str; 4] =
        ["severe-liver-disease", "raised-pressure", "substance-misuse", "interacting-medicines"];
    let reason = |limit: &str| v1::LimitOverride {
        limit: limit.to_owned(),
        reason: v1::OverrideReason::SpecialistAdvice.into(),
        note: "\u{20ac}".repeat(MAX_TEXT_CHARS),
        ..Default::default()
    };
    for given in &mut inputs.answers {
        if USED.contains(&given.question.as_str()) {
            given.set_answer(Answer::Yes);
        }
    }
    inputs.overrides = USED.map(|question| reason(&format!("QUESTION:{question}"))).to_vec();
    while inputs.encoded_len() < MAX_REQUEST_BYTES - 2_000 {
        inputs.overrides.push(reason("NO_SUCH_LIMIT"));
    }
}

/// The whole vial to nia for patient p1.
pub(crate) fn dispense(vial: &str, calculation: &str) -> v1::DispenseVialRequest {
    v1::DispenseVialRequest {
        vial: vial.to_owned(),
        holder: "people/nia".to_owned(),
        patient: "patients/p1".to_owned(),
        dose_calculation: calculation.to_owned(),
        ..Default::default()
    }
}

/// The same without a calculation.
pub(crate) fn emergency(vial: &str) -> v1::DispenseVialRequest {
    v1::DispenseVialRequest { emergency_reason: "resuscitation".to_owned(), ..dispense(vial, "") }
}

pub(crate) fn administer(
    dispensing: &str,
    amount: &str,
    now: Timestamp,
) -> v1::RecordAdministrationRequest {
    v1::RecordAdministrationRequest {
        dispensing: dispensing.to_owned(),
        patient: "patients/p1".to_owned(),
        amount: q(amount),
        start_time: at(now),
        end_time: at(now),
        above_dose_reason: "titrated to effect".to_owned(),
        ..Default::default()
    }
}

pub(crate) fn waste_of(source: Source, amount: &str, now: Timestamp) -> v1::RecordWasteRequest {
    v1::RecordWasteRequest {
        source: Some(source),
        amount: q(amount),
        reason: v1::WasteReason::Remainder.into(),
        method: v1::WasteMethod::DeactivationContainer.into(),
        occurred_time: at(now),
        ..Default::default()
    }
}

pub(crate) fn waste(dispensing: &str, amount: &str, now: Timestamp) -> v1::RecordWasteRequest {
    waste_of(Source::Dispensing(dispensing.to_owned()), amount, now)
}

pub(crate) fn witness(waste: &str, amount: &str) -> v1::WitnessRequest {
    v1::WitnessRequest { waste: waste.to_owned(), amount: q(amount), ..Default::default() }
}

pub(crate) fn take_back(dispensing: &str) -> v1::ReturnVialRequest {
    v1::ReturnVialRequest {
        dispensing: dispensing.to_owned(),
        place: "places/safe".to_owned(),
        seal_intact: true,
        ..Default::default()
    }
}

pub(crate) fn quarantine(product: &str, lot: &str) -> v1::QuarantineVialsRequest {
    v1::QuarantineVialsRequest {
        product: product.to_owned(),
        lot: lot.to_owned(),
        reason: "recall notice D-0123-2027".to_owned(),
        ..Default::default()
    }
}
