//! A clinic: a real ledger in a folder, a real server on loopback, people with keys, and a clock in the test's hand.

use std::collections::BTreeMap;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use prost::Message as _;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use vialedger::audit::{self, Report, Verdict};
use vialedger::client::{Act, Client, ClientError, ConnectOptions, Read, Rejection, Stamp};
use vialedger::clock::{Clock, ManualClock};
use vialedger::formulary;
use vialedger::key::{IdentityKey, Key, prove_possession};
use vialedger::ledger::{RequestKind, SignedRequest};
use vialedger::names::PersonName;
use vialedger::pb::v1::{self, Role, outcome};
use vialedger::server::{Server, ServerOptions};
use vialedger::service::{Service, ServiceOptions, WriterHandle, init};
use vialedger::store::{Evidence, LedgerFolder};
use vialedger::time::{Date, Timestamp};
use vialedger::tlog::{KeyKind, PublicKey, VerifierKey};
use vialedger::wire::timestamp_to_wire;

use crate::requests::{self, quantity};

pub(crate) const ORIGIN: &str = "ledger.example.org/ward";
/// A Monday morning.
pub(crate) const START: &str = "2027-03-01T09:00:00Z";

/// The people of the clinic, each with what they may do.
const PEOPLE: [(&str, &[Role]); 7] = [
    ("ada", &[Role::Administrator, Role::Pharmacist]),
    ("cleo", &[Role::Prescriber]),
    ("dora", &[Role::Prescriber]),
    ("nina", &[Role::Nurse]),
    ("nick", &[Role::Nurse]),
    ("audrey", &[Role::Auditor]),
    ("ben", &[Role::Administrator, Role::Pharmacist]),
];

/// A clinic that is open.
pub(crate) struct Ward {
    pub(crate) dir: TempDir,
    pub(crate) hand: ManualClock,
    pub(crate) ledger_key: SigningKey,
    people: BTreeMap<&'static str, Client>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
    writer: WriterHandle,
    /// Containers that came in and were not used yet, by product.
    stock: BTreeMap<String, Vec<String>>,
    /// The container of each product that was taken last.
    last: BTreeMap<String, String>,
}

/// What was recorded.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) entry: u64,
    pub(crate) outcome: v1::Outcome,
}

impl Done {
    /// What a reviewer is shown.
    pub(crate) fn flags(&self) -> Vec<v1::FlagKind> {
        self.outcome.flags.iter().map(v1::Flag::kind).collect()
    }
}

/// Whom a session treats, with what.
pub(crate) struct Visit<'a> {
    pub(crate) patient: &'a str,
    pub(crate) course: &'a str,
    pub(crate) phase: &'a str,
}

impl Ward {
    /// A clinic with its people, the starter formulary in force, and vials and devices in stock.
    pub(crate) async fn open() -> Self {
        Self::with_formulary(formulary::starter()).await
    }

    pub(crate) async fn with_formulary(text: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let hand = ManualClock::at(START.parse().unwrap());
        let ledger_key = SigningKey::from_bytes(&[7; 32]);
        let keys: BTreeMap<&str, Key> =
            PEOPLE.iter().map(|(id, _)| (*id, Key::generate().unwrap())).collect();
        begin(&dir, &hand, &ledger_key, &keys["ada"]);
        let clock = Clock::from(hand.clone());
        let options = ServiceOptions {
            clock: clock.clone(),
            identity_key: Some(IdentityKey::generate().unwrap()),
            ..ServiceOptions::default()
        };
        let (service, writer) = Service::open(dir.path(), &ledger_key, options).unwrap();
        let any_port = ([127, 0, 0, 1], 0).into();
        let server = ServerOptions { clock: clock.clone(), ..ServerOptions::new(any_port) };
        let server = Server::bind(server).await.unwrap();
        let address = format!("http://{}", server.local_addr());
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(server.run(service, async {
            let _ = stopped.await;
        }));
        let mut people = BTreeMap::new();
        for (id, _) in PEOPLE {
            let options = ConnectOptions {
                server: address.clone(),
                ca: None,
                identity: None,
                insecure_plaintext: false,
            };
            let person = PersonName::new(id).unwrap();
            let copy = keys[id].clone();
            let client =
                Client::connect(&options, verifier(&ledger_key), person, copy, clock.clone());
            people.insert(id, client.await.unwrap());
        }
        let (stock, last) = (BTreeMap::new(), BTreeMap::new());
        let mut ward = Self { dir, hand, ledger_key, people, stop, task, writer, stock, last };
        ward.enrol(&keys).await;
        ward.publish(text).await;
        ward.receive(requests::KETAMINE, "K0117", 30).await;
        ward.receive(requests::ESKETAMINE, "E2201", 60).await;
        ward
    }

    /// Ada enrols everybody, the other administrator last: until then she acts alone.
    async fn enrol(&mut self, keys: &BTreeMap<&str, Key>) {
        let place = v1::Place { name: "places/safe".into(), display_name: "Safe".into() };
        self.does("ada", v1::CreatePlaceRequest { place: Some(place), ..Default::default() }).await;
        for (id, roles) in PEOPLE.iter().skip(1) {
            let key = &keys[id];
            let name = PersonName::new(id).unwrap();
            let public_key = key.public_key().as_bytes().to_vec();
            let person = v1::Person {
                name: name.to_string(),
                display_name: format!("{}{}", id[..1].to_uppercase(), &id[1..]),
                roles: roles.iter().map(|role| i32::from(*role)).collect(),
                keys: vec![v1::PersonKey { public_key, ..Default::default() }],
            };
            let possession = prove_possession(key.signing_key(), ORIGIN, &name).to_vec();
            let act =
                v1::EnrollPersonRequest { person: Some(person), possession, ..Default::default() };
            self.does("ada", act).await;
        }
    }

    /// Ada puts a formulary forward, Ben approves it.
    pub(crate) async fn publish(&self, text: &str) {
        let act = v1::PublishFormularyRequest { formulary: text.to_owned(), ..Default::default() };
        self.does("ada", act).await;
        self.approve("ben").await;
    }

    /// Somebody approves what waits.
    pub(crate) async fn approve(&self, who: &str) -> Done {
        let waiting = self.asks(who, v1::ListProposalsRequest::default()).await.proposals;
        let [proposal] = &waiting[..] else { panic!("one waits: {waiting:?}") };
        let act = v1::ApproveRequest {
            proposal: proposal.entry.clone(),
            leaf_hash: proposal.leaf_hash.clone(),
            ..Default::default()
        };
        self.does(who, act).await
    }

    /// Vials or devices come in, as many as the invoice says.
    pub(crate) async fn receive(&mut self, product: &str, lot: &str, counted: u32) {
        let act = self.delivery(product, |line| {
            lot.clone_into(&mut line.lot);
            line.counted = counted;
            line.invoiced = Some(counted);
        });
        let done = self.does("ada", act).await;
        let Some(outcome::Result::VialsReceived(received)) = done.outcome.result else { panic!() };
        let mut vials = received.vials;
        vials.reverse();
        self.stock.insert(product.to_owned(), vials);
    }

    /// A delivery of ten, changed as told.
    pub(crate) fn delivery(
        &self,
        product: &str,
        change: impl FnOnce(&mut v1::DeliveryLine),
    ) -> v1::ReceiveVialsRequest {
        let mut line = v1::DeliveryLine {
            product: product.to_owned(),
            lot: "L1".into(),
            expiry_date: Some(v1::Date { year: 2029, month: 6, day: 30 }),
            counted: 10,
            invoiced: Some(10),
            ..Default::default()
        };
        change(&mut line);
        v1::ReceiveVialsRequest {
            place: "places/safe".into(),
            supplier: Some(v1::Supplier {
                display_name: "Example Wholesale".into(),
                address: "9 Dock Road, Springfield".into(),
                dea_number: String::new(),
            }),
            invoice: "INV-1".into(),
            received_date: Some(vialedger::wire::date_to_wire(self.today())),
            lines: vec![line],
            ..Default::default()
        }
    }

    /// The next unused container of a product.
    pub(crate) fn container(&mut self, product: &str) -> String {
        let container = self.stock.get_mut(product).unwrap().pop().unwrap();
        self.last.insert(product.to_owned(), container.clone());
        container
    }

    /// The container that was taken last.
    pub(crate) fn last_container(&self, product: &str) -> String {
        self.last[product].clone()
    }

    /// Records an act, which must succeed.
    pub(crate) async fn does<A: Act>(&self, who: &str, act: A) -> Done {
        match self.people[who].write(act, &Stamp::default()).await {
            Ok(answer) => {
                let receipt = answer.receipt.expect("a recorded act has a receipt");
                Done { entry: receipt.index, outcome: answer.outcome.unwrap() }
            }
            Err(error) => panic!("{who} could not {}: {error}", A::KIND),
        }
    }

    /// Tries an act, which must be refused.
    pub(crate) async fn tries<A: Act>(&self, who: &str, act: A) -> Box<Rejection> {
        match self.people[who].write(act, &Stamp::default()).await {
            Err(ClientError::Rejected(rejection)) => rejection,
            other => panic!("{who} was not refused {}: {:?}", A::KIND, other.map(|it| it.outcome)),
        }
    }

    /// Tries an act that the server cannot take; why, in words.
    pub(crate) async fn fails<A: Act>(&self, who: &str, act: A) -> String {
        self.people[who].write(act, &Stamp::default()).await.unwrap_err().to_string()
    }

    /// Sends the very same act twice, with one request id; both entries.
    pub(crate) async fn does_twice<A: Act + Clone>(&self, who: &str, act: A) -> (u64, u64) {
        let request_id = Some(vialedger::client::new_request_id(self.now()).unwrap());
        let stamp = Stamp { request_id, ..Stamp::default() };
        let first = self.people[who].write(act.clone(), &stamp).await.unwrap();
        let again = self.people[who].write(act, &stamp).await.unwrap();
        (first.receipt.unwrap().index, again.receipt.unwrap().index)
    }

    /// Asks, and must be answered.
    pub(crate) async fn asks<R: Read>(&self, who: &str, question: R) -> R::Response {
        self.people[who].read(question).await.unwrap()
    }

    /// Asks, and must be refused.
    pub(crate) async fn asks_in_vain<R: Read>(&self, who: &str, question: R) -> Box<Rejection> {
        match self.people[who].read(question).await {
            Err(ClientError::Rejected(rejection)) => rejection,
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("{who} was answered"),
        }
    }

    pub(crate) fn client(&self, who: &str) -> &Client {
        &self.people[who]
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.hand.now()
    }

    pub(crate) fn today(&self) -> Date {
        Date::of(self.now(), 0).unwrap()
    }

    pub(crate) fn pass(&self, minutes: u64) {
        self.hand.advance(Duration::from_mins(minutes));
    }

    /// The morning of the day so many days from now.
    pub(crate) fn pass_days(&self, days: i64) {
        let day = self.today().add_days(days).unwrap();
        let morning = day.start_in_utc().unwrap();
        self.hand.set(morning.checked_add_micros(9 * 3_600_000_000).unwrap());
    }

    /// Seals an identity and registers its patient; 44 years old in 2027.
    pub(crate) async fn register(&self, id: &str, name: &str) -> String {
        self.register_born(id, name, v1::Date { year: 1982, month: 5, day: 20 }).await
    }

    pub(crate) async fn register_born(&self, id: &str, name: &str, born: v1::Date) -> String {
        let opening = v1::IdentityOpening {
            identity: Some(v1::PatientIdentity {
                display_name: name.to_owned(),
                address: format!("{} Elm Street, Springfield", name.len() * 7),
                birth_date: Some(born),
                identifiers: vec![format!("MRN-{id}-5521")],
            }),
            salts: (0..4_u8).map(|n| vec![n + id.as_bytes()[0]; 32]).collect(),
        };
        let seal = v1::SealIdentityRequest { opening: Some(opening) };
        let identity_commitment = self.asks("nina", seal).await.identity_commitment;
        let patient = format!("patients/{id}");
        let act = v1::RegisterPatientRequest {
            patient: patient.clone(),
            identity_commitment,
            ..Default::default()
        };
        self.does("nina", act).await;
        patient
    }

    pub(crate) async fn open_course(&self, patient: &str, plan: &str) -> String {
        let act = v1::OpenCourseRequest {
            patient: patient.to_owned(),
            plan: plan.to_owned(),
            ..Default::default()
        };
        let done = self.does("cleo", act).await;
        let Some(outcome::Result::CourseOpened(opened)) = done.outcome.result else { panic!() };
        opened.course
    }

    /// Answers, starts a session, reads what is needed before the dose. The session's name.
    pub(crate) async fn begin(&self, visit: &Visit<'_>) -> String {
        self.does("nina", requests::answers(visit.patient, self.now())).await;
        let start = requests::start(visit.course, visit.phase, 44);
        let session = self.started("nina", start).await;
        self.pass(5);
        self.does("nina", requests::observe(&session, self.now(), &requests::WELL)).await;
        session
    }

    pub(crate) async fn started(&self, who: &str, start: v1::StartSessionRequest) -> String {
        let done = self.does(who, start).await;
        let Some(outcome::Result::SessionStarted(started)) = done.outcome.result else { panic!() };
        started.session
    }

    /// Calculates; the calculation's name and what to draw up.
    pub(crate) async fn calculated(
        &self,
        who: &str,
        inputs: v1::DoseInputs,
    ) -> v1::DoseCalculation {
        let done = self.does(who, requests::calculate(inputs)).await;
        let Some(outcome::Result::DoseCalculation(dose)) = done.outcome.result else { panic!() };
        dose
    }

    pub(crate) fn dispensing(
        &mut self,
        dose: &v1::DoseCalculation,
        amount: Option<v1::Quantity>,
    ) -> v1::DispenseVialRequest {
        v1::DispenseVialRequest {
            vial: self.container(&dose.product),
            holder: "people/nina".into(),
            patient: dose.patient.clone(),
            dose_calculation: dose.name.clone(),
            amount,
            ..Default::default()
        }
    }

    /// Ada hands out what was calculated, drawn from a new vial.
    pub(crate) async fn dispensed(&mut self, dose: &v1::DoseCalculation) -> String {
        let act = self.dispensing(dose, dose.measured_amount.clone());
        let done = self.does("ada", act).await;
        let Some(outcome::Result::Dispensing(dispensing)) = done.outcome.result else { panic!() };
        dispensing.name
    }

    /// Nina gives an infusion over forty minutes; the clock stands at its end.
    pub(crate) async fn infused(&mut self, dose: &v1::DoseCalculation) -> Done {
        let dispensing = self.dispensed(dose).await;
        let start = self.now();
        self.pass(40);
        let act = v1::RecordAdministrationRequest {
            dispensing,
            patient: dose.patient.clone(),
            amount: dose.measured_amount.clone(),
            start_time: Some(timestamp_to_wire(start)),
            end_time: Some(timestamp_to_wire(self.now())),
            ..Default::default()
        };
        self.does("nina", act).await
    }

    /// Nina gives so many devices, with so many minutes between them.
    pub(crate) async fn sprayed(
        &mut self,
        dose: &v1::DoseCalculation,
        devices: u32,
        gap: u64,
    ) -> Vec<Done> {
        let mut done = Vec::new();
        for number in 0..devices {
            if number > 0 {
                self.pass(gap);
            }
            let act = self.dispensing(dose, None);
            let handed = self.does("ada", act).await;
            let Some(outcome::Result::Dispensing(held)) = handed.outcome.result else { panic!() };
            let at = Some(timestamp_to_wire(self.now()));
            let act = v1::RecordAdministrationRequest {
                dispensing: held.name,
                patient: dose.patient.clone(),
                amount: Some(quantity("1 {device}")),
                start_time: at,
                end_time: at,
                ..Default::default()
            };
            done.push(self.does("nina", act).await);
        }
        done
    }

    /// Reads everything of somebody who is well at each of these minutes from now, on the way there.
    pub(crate) async fn watched(&self, session: &str, minutes: &[u64]) {
        let mut passed = 0;
        for at in minutes {
            self.pass(at - passed);
            passed = *at;
            self.does("nina", requests::observe(session, self.now(), &requests::WELL)).await;
        }
    }

    pub(crate) async fn session(&self, session: &str) -> v1::GetSessionResponse {
        self.asks("nina", v1::GetSessionRequest { name: session.to_owned() }).await
    }

    pub(crate) async fn course(&self, course: &str) -> v1::Course {
        let answer = self.asks("nina", v1::GetCourseRequest { name: course.to_owned() }).await;
        answer.course.unwrap()
    }

    pub(crate) fn verifier_key(&self) -> VerifierKey {
        verifier(&self.ledger_key)
    }

    /// Stops the server and audits the file, which must be good. The folder stays for whoever wants to look.
    pub(crate) async fn close(self) -> (TempDir, Report) {
        self.stop.send(()).unwrap();
        self.task.await.unwrap();
        tokio::task::spawn_blocking(move || self.writer.join()).await.unwrap().unwrap();
        let evidence = Evidence::open(&LedgerFolder::new(self.dir.path()).database()).unwrap();
        let verifier_key = verifier(&self.ledger_key);
        let options = audit::Options { verifier_key, checkpoint: None };
        let report = audit::audit(&options, evidence.entries(), evidence.checkpoints(), |_| {});
        assert_eq!(report.verdict, Verdict::Good, "{report:?}");
        assert!(report.entries > 12, "an audit of nothing proves nothing");
        (self.dir, report)
    }
}

fn verifier(key: &SigningKey) -> VerifierKey {
    VerifierKey::new(ORIGIN.parse().unwrap(), KeyKind::Note, PublicKey::of(key))
}

/// The first act in the ledger.
fn begin(dir: &TempDir, hand: &ManualClock, ledger_key: &SigningKey, ada: &Key) {
    let public_key = ada.public_key().as_bytes().to_vec();
    let message = v1::InitializeLedgerRequest {
        ledger: ORIGIN.into(),
        request_id: vialedger::client::new_request_id(hand.now()).unwrap(),
        verifier_key: verifier(ledger_key).to_string(),
        site: Some(v1::Site {
            display_name: "Main Street Ketamine Clinic".into(),
            address: "12 Main Street, Springfield, IL 62701".into(),
            dea_number: "AB1234563".into(),
            utc_offset_minutes: 0,
        }),
        administrator: Some(v1::Person {
            name: "people/ada".into(),
            display_name: "Ada".into(),
            roles: vec![Role::Administrator.into(), Role::Pharmacist.into()],
            keys: vec![v1::PersonKey { public_key, ..Default::default() }],
        }),
    };
    let bytes = message.encode_to_vec().into();
    let request = SignedRequest::sign(RequestKind::InitializeLedger, bytes, ada.signing_key());
    init(dir.path(), &request, ledger_key, hand.now()).unwrap();
}
