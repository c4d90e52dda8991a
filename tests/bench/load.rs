//! The real server under load: a ledger on this machine's disk, served over a loopback port, and as many callers as are
//! asked for, each with a key of its own, who calculate a dose and dispense a vial against it, over and over.

use std::fs::File;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::uri::PathAndQuery;
use prost::Message as _;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::client::Grpc;
use tonic::metadata::{AsciiMetadataValue, MetadataValue};
use tonic::transport::Channel;
use tonic::{Request, Status};
use tracing::level_filters::LevelFilter;
use vialedger::client::{Act, Answer, Read, check_receipt};
use vialedger::clock::{Clock, Stopwatch};
use vialedger::grpc::{KEY_METADATA, SIGNATURE_METADATA};
use vialedger::key::Key;
use vialedger::ledger::{Receipt, SignedRequest};
use vialedger::pb::v1;
use vialedger::server::{Server, ServerOptions};
use vialedger::service::{self, Service, ServiceOptions, WriterHandle};
use vialedger::store::LedgerFolder;
use vialedger::telemetry::{self, LogFormat};
use vialedger::tlog::{NoteSigner, VerifierKey};
use vialedger::token;

use crate::clinic;
use crate::echo::{call, connect};
use crate::machine::{Measured, share};
use crate::site::{ORIGIN, initialize};

/// Pharmacists whose keys sign: as many as a large site has on duty.
const PHARMACISTS: usize = 16;
/// Patients of the site.
const PATIENTS: usize = 5_000;

/// A served ledger, its people, its vials, and connections to it.
pub(crate) struct Clinic {
    service: Service,
    writer: WriterHandle,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
    vkey: VerifierKey,
    callers: Arc<Callers>,
    /// Receipts of one dose and one dispensing of each run.
    kept: Arc<Mutex<Vec<Receipt>>>,
}

/// What the callers have in common.
struct Callers {
    connections: Vec<Grpc<Channel>>,
    pharmacists: Vec<Key>,
    vials: Vec<String>,
    next_vial: AtomicUsize,
}

impl Clinic {
    /// Makes a ledger in this folder with so many vials in stock, and serves it.
    pub(crate) async fn open(folder: &Path, vials: usize, connections: usize) -> Self {
        let log = Arc::new(File::create(folder.join("server.log")).unwrap());
        let log = telemetry::subscriber(LogFormat::Text, LevelFilter::INFO, log);
        tracing::subscriber::set_global_default(log).unwrap();

        let ledger = Key::generate().unwrap();
        let signer = NoteSigner::new(ORIGIN.parse().unwrap(), ledger.signing_key().clone());
        let vkey = signer.verifier_key().clone();
        let chief = Key::generate().unwrap();
        let first = initialize(&vkey, &chief);
        service::init(folder, &first, ledger.signing_key(), Clock::system().now()).unwrap();
        let options = ServiceOptions::default();
        let (service, writer) = Service::open(folder, ledger.signing_key(), options).unwrap();

        submit(&service, &chief, clinic::place()).await;
        submit(&service, &chief, clinic::formulary()).await;
        let nurse = Key::generate().unwrap();
        let enrolled = clinic::enrol(ORIGIN, clinic::NURSE, v1::Role::Nurse, &nurse);
        submit(&service, &chief, enrolled).await;
        let mut pharmacists = Vec::new();
        for number in 0..PHARMACISTS {
            let key = Key::generate().unwrap();
            let name = pharmacist(number);
            let enrolled = clinic::enrol(ORIGIN, &name, v1::Role::Pharmacist, &key);
            submit(&service, &chief, enrolled).await;
            pharmacists.push(key);
        }
        let mut received = Vec::new();
        while received.len() < vials {
            let delivery = clinic::delivery(clinic::MOST_CONTAINERS);
            let entry = submit(&service, &chief, delivery).await;
            received.extend((1..=clinic::MOST_CONTAINERS).map(|n| format!("vials/{entry}-{n}")));
        }

        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = Server::bind(ServerOptions::new(loopback)).await.unwrap();
        let address = server.local_addr();
        let (stop, stopped) = oneshot::channel();
        let shutdown = async { stopped.await.unwrap_or_default() };
        let serving = tokio::spawn(server.run(service.clone(), shutdown));
        let mut opened = Vec::new();
        for _ in 0..connections {
            opened.push(connect(address).await);
        }
        let next_vial = AtomicUsize::new(0);
        let callers = Callers { connections: opened, pharmacists, vials: received, next_vial };
        let (callers, kept) = (Arc::new(callers), Arc::default());
        Self { service, writer, stop, serving, vkey, callers, kept }
    }

    /// Number of entries.
    pub(crate) fn size(&self) -> u64 {
        self.service.published().size()
    }

    /// A key that signs here.
    pub(crate) fn pharmacist(&self) -> Key {
        self.callers.pharmacists[0].clone()
    }

    /// Requests like those of the load, half doses and half dispensings.
    pub(crate) fn samples(&self) -> Vec<SignedRequest> {
        let key = &self.callers.pharmacists[0];
        let calculation = clinic::sign(ORIGIN, key, clinic::calculation(&patient(7)));
        let dispensing = clinic::dispensing(&self.callers.vials[0], &patient(7), self.size());
        vec![calculation, clinic::sign(ORIGIN, key, dispensing)]
    }

    /// The mean length of the stored entries of a range, in bytes.
    pub(crate) async fn entry_bytes(&self, entries: Range<u64>) -> usize {
        let count = usize::try_from(entries.end - entries.start).unwrap();
        let mut sum = 0;
        for index in entries {
            sum += self.service.entry(index).await.unwrap().len();
        }
        sum / count
    }

    /// So many writes, half doses and half dispensings, by so many callers at once. The mean length of the answers comes
    /// along.
    pub(crate) async fn write(&self, callers: usize, writes: usize) -> (Measured, usize) {
        let bytes = Arc::new(AtomicUsize::new(0));
        let pairs = writes / 2;
        let run = Measured::at_once(callers, |caller| {
            let (shared, bytes) = (Arc::clone(&self.callers), Arc::clone(&bytes));
            let (kept, mine) = (Arc::clone(&self.kept), (caller..pairs).step_by(callers));
            async move {
                let mut latencies = Vec::new();
                for pair in mine {
                    let vial = shared.next_vial.fetch_add(1, Ordering::Relaxed);
                    let (patient, vial) = (patient(vial), shared.vials[vial].as_str());
                    let act = clinic::calculation(&patient);
                    let dose = shared.record(caller, act, &mut latencies).await;
                    let act = clinic::dispensing(vial, &patient, dose.index);
                    let dispensed = shared.record(caller, act, &mut latencies).await;
                    bytes.fetch_add(dose.length + dispensed.length, Ordering::Relaxed);
                    if pair == 0 {
                        kept.lock().unwrap().extend([dose.receipt(), dispensed.receipt()]);
                    }
                }
                latencies
            }
        });
        let run = run.await;
        (run, bytes.load(Ordering::Relaxed) / (2 * pairs))
    }

    /// So many previews of a dose, with bearer tokens. The lengths of request and answer come along.
    pub(crate) async fn preview(&self, callers: usize, total: usize) -> (Measured, usize, usize) {
        let shared = Arc::clone(&self.callers);
        let person = pharmacist(0).parse().unwrap();
        let key = shared.pharmacists[0].signing_key();
        let (now, lifetime) = (Clock::system().now(), Duration::from_mins(30));
        let token = token::issue(key, ORIGIN, &person, now, lifetime).unwrap();
        let token = AsciiMetadataValue::try_from(format!("Bearer {token}")).unwrap();
        let inputs = Some(clinic::inputs(&patient(7)));
        let message = Bytes::from(v1::PreviewDoseRequest { inputs }.encode_to_vec());
        let request = message.len();
        let path = PathAndQuery::from_static(v1::PreviewDoseRequest::PATH);
        let ask = move |caller: usize| {
            let mut grpc = shared.connections[caller % shared.connections.len()].clone();
            let mut request = Request::new(message.clone());
            request.metadata_mut().insert("authorization", token.clone());
            let path = path.clone();
            async move { call(&mut grpc, request, &path).await.unwrap() }
        };
        let answer = ask(0).await.len();
        let run = share(callers, total, move |caller, _| {
            let asked = ask(caller);
            async move {
                asked.await;
            }
        });
        (run.await, request, answer)
    }

    /// Stops the server, as a signal would, and closes the ledger. The receipts that were kept must hold.
    pub(crate) async fn close(self) -> VerifierKey {
        for receipt in self.kept.lock().unwrap().iter() {
            let wire = v1::Receipt {
                index: receipt.index,
                entry: receipt.entry.to_vec(),
                proof: receipt.proof.to_string(),
            };
            check_receipt(&wire, None, None, &self.vkey).unwrap();
        }
        drop(self.callers);
        self.stop.send(()).unwrap();
        self.serving.await.unwrap();
        drop(self.service);
        tokio::task::spawn_blocking(|| self.writer.join()).await.unwrap().unwrap();
        self.vkey
    }
}

/// An answer to a write.
struct Recorded {
    index: u64,
    receipt: v1::Receipt,
    length: usize,
}

impl Recorded {
    fn receipt(self) -> Receipt {
        Receipt::new(self.receipt.entry.into(), &self.receipt.proof).unwrap()
    }
}

impl Callers {
    /// Signs an act and sends it; the time counts from before the signature to the answer.
    async fn record<A: Act>(
        &self,
        caller: usize,
        act: A,
        latencies: &mut Vec<Duration>,
    ) -> Recorded {
        let mut grpc = self.connections[caller % self.connections.len()].clone();
        let key = &self.pharmacists[caller % self.pharmacists.len()];
        let path = PathAndQuery::try_from(A::KIND.method().unwrap()).unwrap();
        let one = Stopwatch::start();
        let signed = clinic::sign(ORIGIN, key, act);
        let answer = call(&mut grpc, signed_call(&signed), &path).await;
        latencies.push(one.elapsed());
        let answer = answer.unwrap_or_else(|status: Status| panic!("a write failed: {status}"));
        let length = answer.len();
        let receipt = Answer::decode(answer).unwrap().receipt.unwrap();
        Recorded { index: receipt.index, receipt, length }
    }
}

fn signed_call(signed: &SignedRequest) -> Request<Bytes> {
    let mut request = Request::new(signed.bytes().clone());
    let metadata = request.metadata_mut();
    metadata.insert_bin(KEY_METADATA, MetadataValue::from_bytes(signed.key()));
    metadata.insert_bin(SIGNATURE_METADATA, MetadataValue::from_bytes(signed.signature()));
    request
}

fn patient(number: usize) -> String {
    format!("patients/p{}", number % PATIENTS)
}

fn pharmacist(number: usize) -> String {
    format!("people/pharmacist-{number}")
}

/// Records an act of the set-up, without a connection, and returns its index.
async fn submit<A: Act>(service: &Service, key: &Key, act: A) -> u64 {
    let answer = service.submit(clinic::sign(ORIGIN, key, act)).await.unwrap();
    answer.receipt.unwrap().index
}

/// Where the ledger's database is.
pub(crate) fn database(folder: &Path) -> std::path::PathBuf {
    LedgerFolder::new(folder).database()
}
