//! Opened identities, proved against the commitments in the entries.
//!
//! An export with identities opened carries one line for each: the patient, the commitment, the identity and the salts.
//! Nothing in such a line is believed. The commitment must be the one in the entry that registered the patient, and the
//! identity with its salts must be what that commitment is to.

use std::collections::BTreeMap;
use std::fmt;

use base64ct::{Base64, Encoding as _};
use prost::Message as _;
use serde::{Deserialize, Serialize};

use crate::identity::{Commitment, Identity, Opening};
use crate::names::PatientName;
use crate::pb::v1::{self, outcome};
use crate::state::State;
use crate::time::Date;

/// Name of this fault in reports: an opened identity is not the one that an entry commits to.
pub const IDENTITY_DIFFERS: &str = "identity-differs";

/// Bytes of a line at most: the longest identity, every character of it escaped, and what is around it.
pub const MAX_LINE_BYTES: usize = 32 * 1024;

/// Findings that a report names one by one; of the others only the number is told.
const MAX_FINDINGS: usize = 100;

/// The request that registers a patient, as an entry names it.
const REGISTER: &str = "vialedger.v1.RegisterPatientRequest";

/// The patients that entries register, by the commitment to their identity.
#[derive(Clone, Debug, Default)]
pub struct Registrations {
    /// Each patient with a number that grows from one registration to the next.
    found: BTreeMap<Commitment, Vec<(u64, PatientName)>>,
}

impl Registrations {
    /// All that were made up to a state: what every entry before it would have shown.
    pub(super) fn of(state: &State) -> Self {
        let mut patients: Vec<_> = state.patients().collect();
        // No two entries are of one time.
        patients.sort_by_key(|(_, record)| record.registered);
        let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (place, (name, record)) in (0..).zip(patients) {
            found.entry(record.commitment).or_default().push((place, name.clone()));
        }
        Self { found }
    }

    /// Looks at an entry's bytes, and takes in what it registers. Whether the entry holds is the audit's to say.
    pub fn see(&mut self, index: u64, entry: &[u8]) {
        if let Some((patient, commitment)) = registration(entry) {
            self.found.entry(commitment).or_default().push((index, patient));
        }
    }

    /// The commitments, each with the patients that were registered with it, in the order of their first entries.
    #[must_use]
    pub fn in_order(&self) -> Vec<(Commitment, Vec<PatientName>)> {
        let mut found: Vec<_> = self.found.iter().collect();
        found.sort_by_key(|(_, patients)| patients.first().map(|(index, _)| *index));
        let names = |patients: &[(u64, PatientName)]| {
            patients.iter().map(|(_, patient)| patient.clone()).collect()
        };
        found.into_iter().map(|(commitment, patients)| (*commitment, names(patients))).collect()
    }

    /// How many identities there are commitments to.
    #[must_use]
    pub fn count(&self) -> usize {
        self.found.len()
    }
}

/// What an entry registers, if it registers a patient and was not refused.
fn registration(entry: &[u8]) -> Option<(PatientName, Commitment)> {
    // Most entries are something else, which this tells without reading them.
    if !entry.windows(REGISTER.len()).any(|window| window == REGISTER.as_bytes()) {
        return None;
    }
    let entry = v1::Entry::decode(entry).ok()?;
    let registered = match entry.outcome?.result? {
        outcome::Result::PatientRegistered(registered) => registered.patient,
        _ => return None,
    };
    let request = v1::RegisterPatientRequest::decode(entry.request.as_slice()).ok()?;
    if entry.request_type != REGISTER || request.patient != registered {
        return None;
    }
    let commitment = Commitment::try_from(request.identity_commitment.as_slice()).ok()?;
    Some((registered.parse().ok()?, commitment))
}

/// An identity as an export opens it: one line of JSON.
#[derive(Clone, PartialEq, Eq)]
pub struct OpenedIdentity {
    /// The patients that were registered with it: one, or several ids of one.
    pub patients: Vec<PatientName>,
    /// What it is said to open.
    pub commitment: Commitment,
    /// The identity and its salts.
    pub opening: Opening,
}

/// The line as it is written. What a line holds beyond this is refused: it could be taken for proved.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    patients: Vec<String>,
    identity_commitment: Commitment,
    identity: LineIdentity,
    salts: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LineIdentity {
    display_name: String,
    address: String,
    birth_date: Date,
    identifiers: Vec<String>,
}

impl OpenedIdentity {
    /// The line, without its end.
    #[must_use]
    pub fn to_line(&self) -> String {
        let identity = &self.opening.identity;
        let line = Line {
            patients: self.patients.iter().map(ToString::to_string).collect(),
            identity_commitment: self.commitment,
            identity: LineIdentity {
                display_name: identity.display_name().to_owned(),
                address: identity.address().to_owned(),
                birth_date: identity.birth_date(),
                identifiers: identity.identifiers().to_vec(),
            },
            salts: self.opening.salts.iter().map(|salt| Base64::encode_string(salt)).collect(),
        };
        serde_json::to_string(&line).expect("texts and lists of texts have a JSON form")
    }

    /// Reads a line. Nothing says why it is none: the reason could hold a name.
    #[must_use]
    pub fn parse(line: &[u8]) -> Option<Self> {
        let line: Line = serde_json::from_slice(line).ok()?;
        let patients = line.patients.iter().map(|patient| patient.parse().ok());
        let LineIdentity { display_name, address, birth_date, identifiers } = line.identity;
        let identity = Identity::new(display_name, address, birth_date, identifiers).ok()?;
        let salts: Vec<[u8; 32]> = line
            .salts
            .iter()
            .map(|salt| Base64::decode_vec(salt).ok()?.try_into().ok())
            .collect::<Option<_>>()?;
        Some(Self {
            patients: patients.collect::<Option<_>>()?,
            commitment: line.identity_commitment,
            opening: Opening { identity, salts: salts.try_into().ok()? },
        })
    }
}

impl fmt::Debug for OpenedIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenedIdentity({:?}, {:?})", self.patients, self.opening)
    }
}

/// An opened identity that does not hold. Names patients by their pseudonyms only.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}{}: {what}", of(patients))]
pub struct IdentityFinding {
    /// Its line, from 1.
    pub line: u64,
    /// The patients that it says it is of.
    pub patients: Vec<PatientName>,
    /// What is wrong.
    pub what: String,
}

fn of(patients: &[PatientName]) -> String {
    if patients.is_empty() { String::new() } else { format!(" ({})", listed(patients)) }
}

fn listed(patients: &[PatientName]) -> String {
    patients.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// What became of the opened identities.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdentityReport {
    /// Identities that entries commit to.
    pub registered: u64,
    /// Those that were opened and are what the entry commits to.
    pub opened: u64,
    /// Those that were not opened.
    pub withheld: u64,
    /// How many lines do not hold.
    pub wrong: u64,
    /// The first of these.
    pub findings: Vec<IdentityFinding>,
}

impl IdentityReport {
    /// Whether every identity that was opened is the one that an entry commits to.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.wrong == 0
    }
}

/// Proves opened identities, line by line, against the registrations of evidence that was found good.
#[derive(Debug)]
pub struct IdentityProof<'r> {
    registrations: &'r Registrations,
    /// The line that opened each commitment.
    met: BTreeMap<Commitment, u64>,
    lines: u64,
    report: IdentityReport,
}

impl<'r> IdentityProof<'r> {
    /// Nothing opened yet.
    #[must_use]
    pub fn new(registrations: &'r Registrations) -> Self {
        let report = IdentityReport::default();
        Self { registrations, met: BTreeMap::new(), lines: 0, report }
    }

    /// Takes the next line, without its end.
    pub fn line(&mut self, line: &[u8]) {
        self.lines += 1;
        let opened = OpenedIdentity::parse(line).filter(|_| line.len() <= MAX_LINE_BYTES);
        let Some(opened) = opened else {
            self.wrong(Vec::new(), "is no opened identity of this format".to_owned());
            return;
        };
        match self.judge(&opened) {
            Ok(()) => self.report.opened += 1,
            Err(what) => self.wrong(opened.patients, what),
        }
    }

    fn judge(&mut self, opened: &OpenedIdentity) -> Result<(), String> {
        let commitment = opened.commitment;
        let Some(registered) = self.registrations.found.get(&commitment) else {
            return Err("no entry registers a patient with its commitment".to_owned());
        };
        if let Some(line) = self.met.insert(commitment, self.lines) {
            return Err(format!("its commitment was opened in line {line} already"));
        }
        let registered: Vec<PatientName> =
            registered.iter().map(|(_, patient)| patient.clone()).collect();
        if registered != opened.patients {
            let registered = listed(&registered);
            return Err(format!("its commitment is the one of {registered}, by the entries"));
        }
        if opened.opening.commitment() != commitment {
            return Err("is not the identity that the entry commits to".to_owned());
        }
        Ok(())
    }

    fn wrong(&mut self, patients: Vec<PatientName>, what: String) {
        self.report.wrong += 1;
        if self.report.findings.len() < MAX_FINDINGS {
            self.report.findings.push(IdentityFinding { line: self.lines, patients, what });
        }
    }

    /// The report, after the last line.
    #[must_use]
    pub fn finish(self) -> IdentityReport {
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let registered = count(self.registrations.count());
        let withheld = registered - count(self.met.len());
        IdentityReport { registered, withheld, ..self.report }
    }
}

#[cfg(test)]
mod tests;
