//! A ledger with two patients in it, what is exported from it, and the real program that judges.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use base64ct::{Base64, Encoding as _};
use prost::Message as _;
use serde_json::Value;
use vialedger::bundle::{BundleReport, Checker, EntryLine, Line};
use vialedger::pb::v1::{self, outcome};
use vialedger::tlog::VerifierKey;

use crate::requests::infusion;
use crate::ward::{Visit, Ward};

/// Two patients, each with a vial of their own; what is left of the first is wasted, seen by Nick.
pub(crate) struct Clinic {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) key: VerifierKey,
    /// The vial of the first patient, and of the second.
    pub(crate) vials: [String; 2],
    pub(crate) size: u64,
}

/// One clinic for all tests: none of them writes to it.
pub(crate) fn clinic() -> &'static Clinic {
    static CLINIC: OnceLock<Clinic> = OnceLock::new();
    CLINIC.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        runtime.unwrap().block_on(Clinic::open())
    })
}

impl Clinic {
    async fn open() -> Self {
        let mut ward = Ward::open().await;
        let mut vials = Vec::new();
        for (id, name) in [("p1", "Josephine Marlowe"), ("p2", "Ottoline Farquhar")] {
            vials.push(treat(&mut ward, id, name).await);
        }
        let key = ward.verifier_key();
        let (dir, report) = ward.close().await;
        std::fs::write(dir.path().join("yours.vkey"), format!("{key}\n")).unwrap();
        Self { dir, key, vials: vials.try_into().unwrap(), size: report.entries }
    }

    pub(crate) fn ledger(&self) -> &Path {
        self.dir.path()
    }

    /// A new file or folder beside the ledger.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A bundle, by the options that select it.
    pub(crate) fn bundle(&self, name: &str, options: &[&str]) -> PathBuf {
        let out = self.beside(name);
        let ledger = self.ledger().to_str().unwrap();
        let told = ["export", "bundle", ledger, "--out", out.to_str().unwrap()];
        succeed(&vialedger(&[&told[..], options].concat()));
        out
    }

    /// The program's verdict on a file: its exit status and its report.
    pub(crate) fn verdict(&self, file: &Path, options: &[&str]) -> (i32, Value) {
        let key = self.beside("yours.vkey");
        let told = ["verify", file.to_str().unwrap(), "--json", "--vkey", key.to_str().unwrap()];
        let output = vialedger(&[&told[..], options].concat());
        let report = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        (output.status.code().unwrap(), report)
    }
}

async fn treat(ward: &mut Ward, id: &str, name: &str) -> String {
    let patient = ward.register(id, name).await;
    let course = ward.open_course(&patient, "plans/ket-trd-iv").await;
    let visit = Visit { patient: &patient, course: &course, phase: "induction" };
    let session = ward.begin(&visit).await;
    let dose = ward.calculated("cleo", infusion(&patient, &session, ward.now(), "0.5 mg/kg")).await;
    let whole = ward.dispensing(&dose, None);
    let vial = whole.vial.clone();
    let handed = ward.does("ada", whole).await;
    let Some(outcome::Result::Dispensing(held)) = handed.outcome.result else { panic!() };
    let at = Some(vialedger::wire::timestamp_to_wire(ward.now()));
    let given = v1::RecordAdministrationRequest {
        dispensing: held.name.clone(),
        patient,
        amount: dose.measured_amount.clone(),
        start_time: at,
        end_time: at,
        ..Default::default()
    };
    let done = ward.does("nina", given).await;
    let left = done.outcome.balances[0].in_hands.clone();
    let waste = v1::RecordWasteRequest {
        source: Some(v1::record_waste_request::Source::Dispensing(held.name)),
        amount: left.clone(),
        reason: v1::WasteReason::Remainder.into(),
        method: v1::WasteMethod::DeactivationContainer.into(),
        occurred_time: at,
        ..Default::default()
    };
    let done = ward.does("nina", waste).await;
    let Some(outcome::Result::Waste(waste)) = done.outcome.result else { panic!() };
    let seen = v1::WitnessRequest { waste: waste.name, amount: left, ..Default::default() };
    // Whoever wastes cannot witness: a refusal that is recorded.
    ward.tries("nina", seen.clone()).await;
    ward.does("nick", seen).await;
    vial
}

pub(crate) fn vialedger(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vialedger"));
    for inherited in ["VIALEDGER_VKEY", "VIALEDGER_KEY", "VIALEDGER_IDENTITY_KEY"] {
        command.env_remove(inherited);
    }
    command.args(arguments).output().unwrap()
}

pub(crate) fn succeed(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// The entries of a bundle, each with whether it was selected.
pub(crate) fn entries(bundle: &Path) -> Vec<(bool, v1::Entry)> {
    let lines = lines(&std::fs::read(bundle).unwrap());
    let entries = lines.iter().filter_map(|line| match Line::parse(line).unwrap() {
        Line::Entry(entry) => Some((entry.selected, v1::Entry::decode(entry.bytes()?).unwrap())),
        _ => None,
    });
    entries.collect()
}

/// The lines of a file, without their ends.
pub(crate) fn lines(file: &[u8]) -> Vec<Vec<u8>> {
    let file = file.strip_suffix(b"\n").expect("the last line has an end");
    file.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

/// What the library says of lines, without the program around it.
pub(crate) fn checked(key: &VerifierKey, lines: &[Vec<u8>]) -> BundleReport {
    let mut checker = Checker::new(key);
    for line in lines {
        checker.line(line, false);
    }
    checker.finish().0
}

/// The same lines under an end that fits them: what somebody hands out who has no key but can count and hash.
pub(crate) fn resealed(lines: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut writer = vialedger::bundle::Writer::default();
    let mut all = Vec::new();
    for line in lines.iter().filter(|line| !line.starts_with(b"{\"end\"")) {
        let written = writer.line(&Line::parse(line).unwrap());
        all.push(written.strip_suffix(b"\n").unwrap().to_vec());
    }
    all.push(writer.end().strip_suffix(b"\n").unwrap().to_vec());
    all
}

/// An entry line with other bytes.
pub(crate) fn with_bytes(line: &EntryLine, bytes: &[u8]) -> Vec<u8> {
    let entry = Base64::encode_string(bytes);
    Line::Entry(EntryLine { entry, ..line.clone() }).to_bytes()
}
