//! What a small ketamine clinic sends to its ledger: the messages of its day, ready to be signed.

use bytes::Bytes;
use vialedger::client::{Act, Stamp, new_request_id};
use vialedger::clock::Clock;
use vialedger::key::{Key, prove_possession};
use vialedger::ledger::SignedRequest;
use vialedger::names::PersonName;
use vialedger::pb::v1;
use vialedger::wire::timestamp_to_wire;

/// Where the vials are.
pub(crate) const PLACE: &str = "places/main";
/// Who takes vials to patients.
pub(crate) const NURSE: &str = "people/nina";
/// What is given: 10 mg/mL in vials of 20 mL.
pub(crate) const PRODUCT: &str = "products/ketamine-42023-113-10";
/// For what: 0.5 mg/kg over 40 minutes.
pub(crate) const PROTOCOL: &str = "protocols/ket-trd-iv";
/// Containers that one delivery holds at most.
pub(crate) const MOST_CONTAINERS: u32 = vialedger::command::MAX_CONTAINERS;

/// What the protocol asks; no patient here has any of it.
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

/// Fills in the ledger's origin and a new request id, and signs.
pub(crate) fn sign<A: Act>(origin: &str, key: &Key, mut act: A) -> SignedRequest {
    let id = new_request_id(Clock::system().now()).unwrap();
    act.stamp(origin, id, &Stamp::default());
    SignedRequest::sign(A::KIND, Bytes::from(act.encode_to_vec()), key.signing_key())
}

/// The first place.
pub(crate) fn place() -> v1::CreatePlaceRequest {
    let place = v1::Place { name: PLACE.to_owned(), display_name: "Main safe".to_owned() };
    v1::CreatePlaceRequest { place: Some(place), ..Default::default() }
}

/// Products and protocols without plans: a dose is worked out without a session.
pub(crate) fn formulary() -> v1::PublishFormularyRequest {
    let formulary = include_str!("../data/formulary-1.toml").to_owned();
    v1::PublishFormularyRequest { formulary, ..Default::default() }
}

/// Enrols somebody whose key is at hand.
pub(crate) fn enrol(
    origin: &str,
    person: &str,
    role: v1::Role,
    key: &Key,
) -> v1::EnrollPersonRequest {
    let name: PersonName = person.parse().unwrap();
    let public_key = key.public_key().as_bytes().to_vec();
    v1::EnrollPersonRequest {
        person: Some(v1::Person {
            name: person.to_owned(),
            display_name: person.trim_start_matches("people/").to_owned(),
            roles: vec![role.into()],
            keys: vec![v1::PersonKey { public_key, ..Default::default() }],
        }),
        possession: prove_possession(key.signing_key(), origin, &name).to_vec(),
        ..Default::default()
    }
}

/// A delivery of so many vials.
pub(crate) fn delivery(containers: u32) -> v1::ReceiveVialsRequest {
    v1::ReceiveVialsRequest {
        place: PLACE.to_owned(),
        supplier: Some(v1::Supplier {
            display_name: "Prairie Medical Supply".to_owned(),
            address: "12 Depot Road, Dayton, Ohio".to_owned(),
            dea_number: String::new(),
        }),
        invoice: "PMS-20881".to_owned(),
        received_date: Some(v1::Date { year: 2026, month: 1, day: 5 }),
        lines: vec![v1::DeliveryLine {
            product: PRODUCT.to_owned(),
            lot: "K7731".to_owned(),
            expiry_date: Some(v1::Date { year: 2099, month: 12, day: 31 }),
            counted: containers,
            invoiced: Some(containers),
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// What the dose of a patient of 72.5 kg depends on.
pub(crate) fn inputs(patient: &str) -> v1::DoseInputs {
    let quantity = |value: &str, unit: &str| {
        Some(v1::Quantity { value: value.to_owned(), unit: unit.to_owned() })
    };
    let answer = |question: &&str| v1::EligibilityAnswer {
        question: (*question).to_owned(),
        answer: v1::Answer::No.into(),
    };
    v1::DoseInputs {
        patient: patient.to_owned(),
        protocol: PROTOCOL.to_owned(),
        product: PRODUCT.to_owned(),
        weight: Some(v1::BodyWeight {
            quantity: quantity("72.5", "kg"),
            method: v1::WeightMethod::Measured.into(),
            measured_time: Some(timestamp_to_wire(Clock::system().now())),
        }),
        age_years: Some(44),
        syringe: quantity("5", "mL"),
        diluted_volume: quantity("50", "mL"),
        answers: QUESTIONS.iter().map(answer).collect(),
        ..Default::default()
    }
}

/// Asks for a dose to be worked out and recorded.
pub(crate) fn calculation(patient: &str) -> v1::CalculateDoseRequest {
    v1::CalculateDoseRequest { inputs: Some(inputs(patient)), ..Default::default() }
}

/// Hands a vial to the nurse, against a calculation.
pub(crate) fn dispensing(vial: &str, patient: &str, calculation: u64) -> v1::DispenseVialRequest {
    v1::DispenseVialRequest {
        vial: vial.to_owned(),
        holder: NURSE.to_owned(),
        patient: patient.to_owned(),
        dose_calculation: format!("doseCalculations/{calculation}"),
        ..Default::default()
    }
}
