//! What is read is what was recorded: a dose, a vial open or closed, stock, entries and their
//! proofs, each over the wire and each checked against the others.

use std::collections::BTreeSet;

use prost::Message;
use tonic::Code::{InvalidArgument, NotFound, OutOfRange};
use vialedger::formulary::MAX_TEXT_BYTES;
use vialedger::grpc::limits::MAX_PAGE_BYTES;
use vialedger::ledger::{Receipt, RequestKind};
use vialedger::pb::v1::{self, Answer, VialState, WasteMethod, WasteReason, WeightMethod, outcome};
use vialedger::tlog::{Checkpoint, Hash, SignedNote, leaf_hash};
use vialedger::tlog::{verify_consistency, verify_inclusion};
use vialedger::wire::timestamp_to_wire;

use crate::serving::{
    Answers, Call, Clinic, DISPENSE_VIAL, GET_CHECKPOINT, LIST_ENTRIES, ORIGIN, RECEIVE_VIALS,
    TAIL_ENTRIES, Written, assert_refused, delivery, dispensing, request_id,
};
use crate::support::FORMULARY;

const PRODUCT: &str = "products/ketamine-42023-113-10";
const PROTOCOL: &str = "protocols/ket-trd-iv";

fn dosing(method: &str) -> String {
    format!("/vialedger.v1.DosingService/{method}")
}

fn custody(method: &str) -> String {
    format!("/vialedger.v1.CustodyService/{method}")
}

fn audit(method: &str) -> String {
    format!("/vialedger.v1.AuditService/{method}")
}

fn quantity(value: &str, unit: &str) -> v1::Quantity {
    v1::Quantity { value: value.into(), unit: unit.into() }
}

fn result(written: Written) -> outcome::Result {
    written.outcome.unwrap().result.unwrap()
}

/// 0.5 mg/kg for 72.5 kg by the protocol as the server itself lists it, each question answered so
/// that it stops nothing.
async fn inputs(clinic: &Clinic) -> v1::DoseInputs {
    let listed: v1::ListProtocolsResponse =
        clinic.read(&dosing("ListProtocols"), &v1::ListProtocolsRequest::default()).await.unwrap();
    let protocol = listed.protocols.iter().find(|found| found.name == PROTOCOL).unwrap();
    let answer = |question: &v1::EligibilityQuestion| v1::EligibilityAnswer {
        question: question.id.clone(),
        answer: match question.stops_on() {
            Answer::Yes => Answer::No.into(),
            _ => Answer::Yes.into(),
        },
    };
    v1::DoseInputs {
        patient: "patients/p1".into(),
        protocol: PROTOCOL.into(),
        product: PRODUCT.into(),
        weight: Some(v1::BodyWeight {
            quantity: Some(quantity("72.5", "kg")),
            method: WeightMethod::Measured.into(),
            measured_time: Some(timestamp_to_wire(clinic.clock.now())),
        }),
        age_years: Some(40),
        syringe: Some(quantity("5", "mL")),
        diluted_volume: Some(quantity("50", "mL")),
        answers: protocol.questions.iter().map(answer).collect(),
        ..v1::DoseInputs::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_is_the_dose_that_is_then_recorded_and_read_back() {
    let clinic = Clinic::open().await;
    let inputs = inputs(&clinic).await;
    let size = clinic.service.published().size();
    let preview = v1::PreviewDoseRequest { inputs: Some(inputs.clone()) };
    let preview: v1::PreviewDoseResponse =
        clinic.read(&dosing("PreviewDose"), &preview).await.unwrap();
    assert_eq!(clinic.service.published().size(), size, "a preview records nothing");
    let request = v1::CalculateDoseRequest {
        ledger: ORIGIN.into(),
        request_id: request_id(),
        inputs: Some(inputs.clone()),
        ..v1::CalculateDoseRequest::default()
    };
    let written = clinic.write("paul", &dosing("CalculateDose"), &request).await.unwrap();
    let outcome::Result::DoseCalculation(calculated) = result(written) else { panic!("a dose") };
    assert_eq!(calculated.exact_dose, Some(quantity("36.25", "mg")));
    let mut previewed = preview.dose_calculation.unwrap();
    previewed.name.clone_from(&calculated.name);
    // The entry is recorded a moment after the preview was looked at, and expires that much later.
    previewed.expire_time = calculated.expire_time;
    assert_eq!(previewed, calculated);

    let get = |name: &str| v1::GetDoseCalculationRequest { name: name.to_owned() };
    let method = dosing("GetDoseCalculation");
    let read: v1::GetDoseCalculationResponse =
        clinic.read(&method, &get(&calculated.name)).await.unwrap();
    assert_eq!(read.dose_calculation.as_ref(), Some(&calculated));
    assert_eq!((read.inputs, read.calculated_by.as_str()), (Some(inputs), "people/paul"));
    for (name, code, reason) in [
        ("doseCalculations/0", NotFound, "UNKNOWN_RESOURCE"),
        ("doseCalculations/999", NotFound, "UNKNOWN_RESOURCE"),
        ("doseCalculations/x", InvalidArgument, "INVALID_ARGUMENT"),
        ("", InvalidArgument, "INVALID_ARGUMENT"),
    ] {
        let answer = clinic.read::<v1::GetDoseCalculationResponse>(&method, &get(name)).await;
        assert_refused(answer, code, reason);
    }
    clinic.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_formulary_is_listed_whole_page_by_page_and_read_as_it_was_published() {
    let clinic = Clinic::open().await;
    let mut names = Vec::new();
    let mut page_token = String::new();
    let version = loop {
        let request = v1::ListProductsRequest { page_size: 7, page_token };
        let page: v1::ListProductsResponse =
            clinic.read(&dosing("ListProducts"), &request).await.unwrap();
        names.extend(page.products.into_iter().map(|product| product.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break page.formulary_version;
        }
    };
    let unique: BTreeSet<&String> = names.iter().collect();
    assert!(names.len() > 20 && unique.len() == names.len(), "{names:?}");
    assert!(names.contains(&PRODUCT.to_owned()));
    let method = "/vialedger.v1.RegistryService/GetFormulary";
    let whole: v1::GetFormularyResponse =
        clinic.read(method, &v1::GetFormularyRequest {}).await.unwrap();
    assert_eq!(whole.formulary, FORMULARY);
    assert_eq!(whole.version, version);
    clinic.close().await;
}

async fn get_vial(clinic: &Clinic, name: &str) -> v1::Vial {
    let request = v1::GetVialRequest { name: name.to_owned() };
    let answer: v1::GetVialResponse = clinic.read(&custody("GetVial"), &request).await.unwrap();
    answer.vial.unwrap()
}

/// Dispenses a vial, gives some of it, and wastes the rest before a witness.
async fn use_up(clinic: &Clinic, vial: &str) {
    let written = clinic.write("pia", DISPENSE_VIAL, &dispensing(vial, "patients/p1")).await;
    let outcome::Result::Dispensing(held) = result(written.unwrap()) else { panic!("dispensed") };
    let now = || Some(timestamp_to_wire(clinic.clock.now()));
    let given = v1::RecordAdministrationRequest {
        ledger: ORIGIN.into(),
        request_id: request_id(),
        dispensing: held.name.clone(),
        patient: "patients/p1".into(),
        amount: Some(quantity("3.6", "mL")),
        start_time: now(),
        end_time: now(),
        ..v1::RecordAdministrationRequest::default()
    };
    clinic.write("nora", &custody("RecordAdministration"), &given).await.unwrap();
    let wasted = v1::RecordWasteRequest {
        ledger: ORIGIN.into(),
        request_id: request_id(),
        source: Some(v1::record_waste_request::Source::Dispensing(held.name)),
        amount: Some(quantity("16.4", "mL")),
        reason: WasteReason::Remainder.into(),
        method: WasteMethod::DeactivationContainer.into(),
        occurred_time: now(),
        ..v1::RecordWasteRequest::default()
    };
    let wasted = clinic.write("nora", &custody("RecordWaste"), &wasted).await.unwrap();
    let outcome::Result::Waste(waste) = result(wasted) else { panic!("wasted") };
    let seen = v1::WitnessRequest {
        ledger: ORIGIN.into(),
        request_id: request_id(),
        waste: waste.name,
        amount: Some(quantity("16.4", "mL")),
        ..v1::WitnessRequest::default()
    };
    clinic.write("nils", &custody("Witness"), &seen).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vial_is_read_while_it_lives_and_what_stays_known_of_it_after() {
    let clinic = Clinic::open().await;
    let name = clinic.receive().await;
    let fresh = get_vial(&clinic, &name).await;
    assert_eq!(fresh.balance.as_ref().unwrap().state(), VialState::InStock);
    use_up(&clinic, &name).await;
    let closed = get_vial(&clinic, &name).await;
    let balance = closed.balance.as_ref().unwrap();
    assert_eq!(balance.state(), VialState::Closed);
    assert_eq!(balance.content, Some(quantity("20", "mL")));
    assert_eq!(balance.administered, Some(quantity("3.6", "mL")));
    assert_eq!(balance.wasted, Some(quantity("16.4", "mL")));
    assert_eq!(balance.in_hands, Some(quantity("0", "mL")));
    // Of everything else, what was on the label.
    assert_eq!(v1::Vial { balance: fresh.balance.clone(), ..closed }, fresh);

    for (name, code) in [("vials/999-1", NotFound), ("vials/x", InvalidArgument)] {
        let request = v1::GetVialRequest { name: name.into() };
        let answer = clinic.read::<v1::GetVialResponse>(&custody("GetVial"), &request).await;
        assert_eq!(answer.unwrap_err().code(), code, "{name}");
    }
    clinic.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stock_is_listed_and_counted_by_place_product_and_state() {
    let clinic = Clinic::open().await;
    let first = clinic.receive().await;
    clinic.receive().await;
    clinic.write("pia", DISPENSE_VIAL, &dispensing(&first, "patients/p1")).await.unwrap();
    let list = async |request: v1::ListVialsRequest| {
        let page: v1::ListVialsResponse =
            clinic.read(&custody("ListVials"), &request).await.unwrap();
        page.vials.into_iter().map(|vial| vial.name).collect::<Vec<_>>()
    };
    let all = v1::ListVialsRequest::default();
    assert_eq!(list(all.clone()).await.len(), 4);
    let held = VialState::Dispensed.into();
    assert_eq!(list(v1::ListVialsRequest { state: held, ..all.clone() }).await, [first]);
    let product = PRODUCT.to_owned();
    assert_eq!(list(v1::ListVialsRequest { product, ..all.clone() }).await.len(), 4);
    let place = "places/elsewhere".to_owned();
    assert!(list(v1::ListVialsRequest { place, ..all.clone() }).await.is_empty());

    let request = v1::GetBalancesRequest { place: "places/safe".into() };
    let balances: v1::GetBalancesResponse =
        clinic.read(&custody("GetBalances"), &request).await.unwrap();
    assert_eq!(balances.size, clinic.service.published().size());
    let [line] = &balances.balances[..] else { panic!("one product at one place") };
    assert_eq!((line.sealed, line.in_hands), (3, 1));
    assert_eq!(line.on_hand, Some(quantity("60", "mL")));
    let request = v1::GetBalancesRequest { place: "places/elsewhere".into() };
    let answer = clinic.read::<v1::GetBalancesResponse>(&custody("GetBalances"), &request).await;
    assert_refused(answer, NotFound, "UNKNOWN_RESOURCE");
    clinic.close().await;
}

async fn list(clinic: &Clinic, request: v1::ListEntriesRequest) -> v1::ListEntriesResponse {
    clinic.read(LIST_ENTRIES, &request).await.unwrap()
}

fn indexes(page: &v1::ListEntriesResponse) -> Vec<u64> {
    page.entries.iter().map(|entry| entry.index).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_are_listed_by_what_they_touch_their_kind_and_their_time() {
    let clinic = Clinic::open().await;
    let vial = clinic.receive().await;
    let received = clinic.service.published().size() - 1;
    use_up(&clinic, &vial).await;
    let size = clinic.service.published().size();
    let all = v1::ListEntriesRequest { page_size: 1000, ..Default::default() };
    let whole = list(&clinic, all.clone()).await;
    assert_eq!(indexes(&whole), (0..size).collect::<Vec<_>>());
    for entry in &whole.entries {
        let stored = clinic.service.entry(entry.index).await.unwrap();
        assert_eq!(entry.entry, stored, "the very bytes");
    }

    let by = |subject: &str| v1::ListEntriesRequest { subject: subject.into(), ..all.clone() };
    let story: Vec<u64> = (received..size).collect();
    assert_eq!(indexes(&list(&clinic, by(&vial)).await), story);
    assert_eq!(indexes(&list(&clinic, by("lots/A1")).await), story);
    assert_eq!(indexes(&list(&clinic, by(PRODUCT)).await), story);
    let patient = indexes(&list(&clinic, by("patients/p1")).await);
    assert!(!patient.is_empty() && patient.iter().all(|index| story[1..].contains(index)));
    assert!(indexes(&list(&clinic, by("patients/nobody")).await).is_empty());

    let mut paged = Vec::new();
    let mut page_token = String::new();
    loop {
        let page = list(&clinic, v1::ListEntriesRequest { page_size: 2, page_token, ..by(&vial) });
        let page = page.await;
        paged.extend(indexes(&page));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(paged, story);

    let kind = RequestKind::Witness.message_name().to_owned();
    let witnessed = list(&clinic, v1::ListEntriesRequest { request_type: kind, ..all.clone() });
    assert_eq!(indexes(&witnessed.await), [size - 1]);
    let time =
        |entry: &v1::StoredEntry| v1::Entry::decode(entry.entry.as_slice()).unwrap().recorded_time;
    let window = v1::ListEntriesRequest {
        start_time: time(&whole.entries[3]),
        end_time: time(&whole.entries[5]),
        ..all.clone()
    };
    assert_eq!(indexes(&list(&clinic, window).await), [3, 4]);

    for request in [
        v1::ListEntriesRequest { subject: "entries/1".into(), ..all.clone() },
        v1::ListEntriesRequest { subject: "vials/01-1".into(), ..all.clone() },
        v1::ListEntriesRequest { request_type: "DispenseVial".into(), ..all.clone() },
        v1::ListEntriesRequest { page_token: "x".into(), ..all.clone() },
    ] {
        let answer = clinic.read::<v1::ListEntriesResponse>(LIST_ENTRIES, &request).await;
        assert_refused(answer, InvalidArgument, "INVALID_ARGUMENT");
    }
    clinic.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_entries_ends_before_it_is_too_large() {
    let clinic = Clinic::empty(|_| {}).await;
    let mut text = FORMULARY.to_owned();
    text.extend(std::iter::repeat_n("# \n", (MAX_TEXT_BYTES - text.len()) / 3));
    for _ in 0..MAX_PAGE_BYTES / text.len() + 2 {
        let publish = v1::PublishFormularyRequest {
            ledger: ORIGIN.into(),
            request_id: request_id(),
            formulary: text.clone(),
            ..v1::PublishFormularyRequest::default()
        };
        let method = "/vialedger.v1.RegistryService/PublishFormulary";
        clinic.write("ada", method, &publish).await.unwrap();
    }
    let read = async |page_token: String| -> v1::ListEntriesResponse {
        let request = v1::ListEntriesRequest { page_size: 1000, page_token, ..Default::default() };
        let call = Call::new(LIST_ENTRIES, &request).bearer(&clinic.token("ada"));
        let answer = call.send(&mut clinic.connect().await).await.unwrap();
        v1::ListEntriesResponse::decode(answer).unwrap()
    };
    let first = read(String::new()).await;
    let bytes: usize = first.entries.iter().map(|entry| entry.entry.len()).sum();
    assert!(bytes <= MAX_PAGE_BYTES && bytes + text.len() * 2 > MAX_PAGE_BYTES, "{bytes}");
    let second = read(first.next_page_token.clone()).await;
    assert_eq!(second.next_page_token, "");
    let all = [indexes(&first), indexes(&second)].concat();
    assert_eq!(all, (0..clinic.service.published().size()).collect::<Vec<_>>());
    clinic.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_follows_the_ledger_sees_each_entry_once_it_is_durable() {
    let clinic = Clinic::open().await;
    let mut channel = clinic.connect().await;
    let size = clinic.service.published().size();
    let from = |start_index| {
        let request = v1::TailEntriesRequest { start_index };
        Call::new(TAIL_ENTRIES, &request).bearer(&clinic.token("aud"))
    };
    let mut tail: Answers = from(size - 2).open(&mut channel).await.unwrap();
    for index in size - 2..size {
        let entry: v1::TailEntriesResponse = tail.next().await.unwrap();
        assert_eq!(entry.entry.unwrap().index, index);
    }
    for index in size..size + 3 {
        let written = clinic.write("pia", RECEIVE_VIALS, &delivery()).await.unwrap();
        let entry: v1::TailEntriesResponse = tail.next().await.unwrap();
        let entry = entry.entry.unwrap();
        assert_eq!((entry.index, entry.entry), (index, written.receipt.unwrap().entry));
    }
    from(size + 3).open(&mut channel).await.map(|_| ()).expect("the end is a place to begin");
    let beyond = from(size + 4).open(&mut channel).await.map(|_| ());
    assert_refused(beyond, OutOfRange, "OUT_OF_RANGE");
    // A busy machine may not even open the stream in time; the status is the same.
    let ended = match from(0).header("grpc-timeout", "50m").open(&mut channel).await {
        Err(status) => status,
        Ok(mut late) => loop {
            if let Err(status) = late.next::<v1::TailEntriesResponse>().await {
                break status;
            }
        },
    };
    assert_refused(Err::<(), _>(ended), tonic::Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
    drop(tail);
    clinic.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipts_and_proofs_verify_without_the_server() {
    let clinic = Clinic::open().await;
    let written = clinic.write("pia", RECEIVE_VIALS, &delivery()).await.unwrap();
    let key = clinic.verifier_key().clone();
    let proved = |receipt: v1::Receipt| {
        let receipt = Receipt::new(receipt.entry.into(), &receipt.proof).unwrap();
        receipt.verify(&key).unwrap().1
    };
    let receipt = written.receipt.unwrap();
    let index = receipt.index;
    let then = proved(receipt.clone());
    clinic.receive().await;
    let name = format!("entries/{index}");
    let later: v1::GetReceiptResponse =
        clinic.read(&audit("GetReceipt"), &v1::GetReceiptRequest { name }).await.unwrap();
    let later = later.receipt.unwrap();
    assert_eq!(later.entry, receipt.entry);
    let now = proved(later);
    assert!(now.size() > then.size());

    let hashes = |path: &[Vec<u8>]| -> Vec<Hash> {
        path.iter().map(|hash| Hash::try_from(hash.as_slice()).unwrap()).collect()
    };
    let consistent = v1::GetConsistencyProofRequest { old_size: then.size(), new_size: None };
    let consistent: v1::GetConsistencyProofResponse =
        clinic.read(&audit("GetConsistencyProof"), &consistent).await.unwrap();
    let path = hashes(&consistent.path);
    verify_consistency(then.size(), &then.root(), now.size(), &now.root(), &path).unwrap();
    let included = v1::GetInclusionProofRequest { index, size: Some(then.size()) };
    let included: v1::GetInclusionProofResponse =
        clinic.read(&audit("GetInclusionProof"), &included).await.unwrap();
    let leaf = leaf_hash(&receipt.entry);
    assert_eq!(included.leaf_hash, leaf.as_ref());
    verify_inclusion(&leaf, index, then.size(), &hashes(&included.path), &then.root()).unwrap();

    for (size, expected) in [(None, &now), (Some(then.size()), &then)] {
        let request = v1::GetCheckpointRequest { size };
        let answer: v1::GetCheckpointResponse =
            clinic.read(GET_CHECKPOINT, &request).await.unwrap();
        let note = SignedNote::parse(answer.checkpoint.as_bytes()).unwrap();
        assert_eq!(Checkpoint::verify(&note, &key).unwrap(), *expected);
    }
    let absent = v1::GetCheckpointRequest { size: Some(now.size() + 1) };
    let answer = clinic.read::<v1::GetCheckpointResponse>(GET_CHECKPOINT, &absent).await;
    assert_refused(answer, NotFound, "UNKNOWN_RESOURCE");
    let beyond = v1::GetInclusionProofRequest { index, size: Some(now.size() + 1) };
    let method = audit("GetInclusionProof");
    let answer = clinic.read::<v1::GetInclusionProofResponse>(&method, &beyond).await;
    assert_refused(answer, OutOfRange, "OUT_OF_RANGE");
    let beyond = v1::GetEntryRequest { name: format!("entries/{}", now.size()) };
    let answer = clinic.read::<v1::GetEntryResponse>(&audit("GetEntry"), &beyond).await;
    assert_refused(answer, NotFound, "UNKNOWN_RESOURCE");
    clinic.close().await;
}
