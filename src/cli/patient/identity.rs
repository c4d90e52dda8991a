//! Who a patient is: sealed at the registration, and read only with a trace.

use std::path::PathBuf;

use clap::{ArgGroup, Args};
use serde::Deserialize;
use serde_json::json;

use crate::cli::error::CliError;
use crate::cli::options::Recording;
use crate::cli::output::{date, fields, json_of};
use crate::cli::parse;
use crate::cli::session::{Session as Connection, read_text, told};
use crate::cli::words::PurposeName;
use crate::identity::{FIELDS, Identity, Opening, SALT_BYTES};
use crate::key::KeyError;
use crate::pb::v1;
use crate::time::Date;

/// Who a patient is, typed or in a file.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("who").required(true).args(["name", "identity_file"]))]
pub struct IdentityArgs {
    /// The patient's name
    #[arg(long, requires_all = ["address", "born"])]
    name: Option<String>,
    /// Postal address
    #[arg(long)]
    address: Option<String>,
    /// Day of birth
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse::calendar_day)]
    born: Option<Date>,
    /// Chart, insurance or other number; repeat for each
    #[arg(long = "identifier", value_name = "NUMBER")]
    identifiers: Vec<String>,
    /// File (JSON) with name, address, born and identifiers, so that none of them stays in the
    /// shell's history; "-" reads standard input
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["name", "address", "born", "identifiers"]
    )]
    identity_file: Option<PathBuf>,
}

/// The file of an identity.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IdentityFile {
    name: String,
    address: String,
    born: Date,
    #[serde(default)]
    identifiers: Vec<String>,
}

impl IdentityArgs {
    /// The identity, within its bounds.
    pub(super) fn read(self) -> Result<Identity, CliError> {
        let (typed, file) = match (self.identity_file, self.born) {
            (Some(path), _) => {
                let origin = path.display().to_string();
                let file = serde_json::from_str(&read_text(&path)?).map_err(|error| {
                    CliError::Data(format!(
                        "{origin} is not an identity: {error}; expected {{\"name\": …, \"address\": …, \
                         \"born\": \"YYYY-MM-DD\", \"identifiers\": […]}}"
                    ))
                })?;
                (file, Some(origin))
            }
            (None, Some(born)) => {
                let (name, address) = (self.name.unwrap_or_default(), self.address);
                let address = address.unwrap_or_default();
                (IdentityFile { name, address, born, identifiers: self.identifiers }, None)
            }
            (None, None) => {
                let text = "say who it is with --name, --address and --born, or --identity-file";
                return Err(CliError::Usage(text.to_owned()));
            }
        };
        let IdentityFile { name, address, born, identifiers } = typed;
        Identity::new(name, address, born, identifiers).map_err(|wrong| {
            let lines = wrong.iter().map(|(field, text)| match field.as_str() {
                "display_name" => format!("name {text}"),
                field => format!("{field} {text}"),
            });
            let lines = lines.collect::<Vec<_>>().join("; ");
            match file {
                Some(origin) => CliError::Data(format!("{origin}: {lines}")),
                None => CliError::Usage(lines),
            }
        })
    }
}

/// Seals an identity, then registers the patient with its commitment.
pub(super) async fn register(
    patient: String,
    identity: Identity,
    recording: &Recording,
    connection: &Connection,
) -> Result<(), CliError> {
    let opening = Opening { identity, salts: salts()? };
    let commitment = opening.commitment();
    let opening = Some(opening.to_wire());
    let sealed = connection.ask(v1::SealIdentityRequest { opening }).await?;
    if sealed.identity_commitment != commitment.as_bytes() {
        return Err(CliError::Data(
            "the server sealed another identity than the one that was sent: nothing was signed; \
             tell whoever runs it"
                .to_owned(),
        ));
    }
    // A crash here leaves a sealed identity that no patient points to. The command, run again, seals it once more under
    // new salts; the first is never read.
    let act = v1::RegisterPatientRequest {
        patient,
        identity_commitment: sealed.identity_commitment,
        ..Default::default()
    };
    connection.record(act, recording).await
}

/// A salt for each field, from the operating system's randomness.
fn salts() -> Result<[[u8; SALT_BYTES]; FIELDS], CliError> {
    let mut salts = [[0; SALT_BYTES]; FIELDS];
    for salt in &mut salts {
        getrandom::fill(salt).map_err(KeyError::Randomness)?;
    }
    Ok(salts)
}

/// An identity that was read, with the entry that says so.
#[derive(Debug)]
pub(in crate::cli) struct Look {
    /// Index of the entry.
    pub(in crate::cli) entry: u64,
    /// What was read.
    pub(in crate::cli) found: v1::ReadIdentityResponse,
}

/// Records the look and reads the identity. A dry run reads nothing: what the rules said is told, and there is nothing
/// to hand on.
pub(in crate::cli) async fn look(
    patient: String,
    purpose: PurposeName,
    recording: &Recording,
    connection: &Connection,
) -> Result<Option<Look>, CliError> {
    let act = v1::OpenIdentityRequest { patient, purpose: purpose.wire(), ..Default::default() };
    let (answer, saved) = connection.sign(act, recording).await?;
    let Some(receipt) = &answer.receipt else {
        let text = || told(&answer, saved.as_deref());
        return connection.answer("OpenIdentityResponse", &answer, text).map(|()| None);
    };
    // A crash here leaves the trace of a look that was not taken: more is told of this person than they did, never less.
    let entry = receipt.index;
    let request = v1::ReadIdentityRequest { entry: format!("entries/{entry}") };
    let found = connection.ask(request).await?;
    Ok(Some(Look { entry, found }))
}

/// Shows an identity.
pub(super) async fn show(
    patient: String,
    purpose: PurposeName,
    recording: &Recording,
    connection: &Connection,
) -> Result<(), CliError> {
    let look = look(patient, purpose, recording, connection).await?;
    let Some(Look { entry, found }) = look else { return Ok(()) };
    let read = json_of("vialedger.v1.ReadIdentityResponse", &found)?;
    let value = json!({ "entry": format!("entries/{entry}"), "read": read });
    connection.out.value(&value, || {
        let identity = found.opening.as_ref().and_then(|opening| opening.identity.clone());
        let identity = identity.unwrap_or_default();
        let facts = fields(&[
            ("Name", &identity.display_name),
            ("Address", &identity.address),
            ("Born", &date(identity.birth_date.as_ref())),
            ("Identifiers", &identity.identifiers.join(", ")),
        ]);
        format!("{}{facts}\n\nThat you looked is recorded as entry {entry}.", found.patient)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(name: &str, born: Option<&str>) -> IdentityArgs {
        IdentityArgs {
            name: Some(name.to_owned()),
            address: Some("1 Main Street".to_owned()),
            born: born.map(|day| day.parse().unwrap()),
            identifiers: vec!["MRN 7".to_owned()],
            identity_file: None,
        }
    }

    #[test]
    fn an_identity_is_read_from_options_or_from_a_file_and_no_error_repeats_it() {
        let typed = args("Pat Doe", Some("1983-04-05")).read().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pat.json");
        let text = r#"{"name": "Pat Doe", "address": "1 Main Street", "born": "1983-04-05",
                       "identifiers": ["MRN 7"]}"#;
        std::fs::write(&path, text).unwrap();
        let none = IdentityArgs {
            name: None,
            address: None,
            born: None,
            identifiers: Vec::new(),
            identity_file: Some(path.clone()),
        };
        assert_eq!(none.read().unwrap(), typed);

        let wrong = args("", Some("1983-04-05")).read().unwrap_err();
        assert_eq!(wrong.to_string(), "name is missing; it is required");
        std::fs::write(&path, text.replace("born", "birthday")).unwrap();
        let file = IdentityArgs { identity_file: Some(path), ..args("Pat Doe", None) };
        let wrong = file.read().unwrap_err().to_string();
        assert!(wrong.contains("\"born\": \"YYYY-MM-DD\""), "{wrong}");
        assert!(!wrong.contains("Doe"), "{wrong}");
    }

    #[test]
    fn salts_differ() {
        let salts = salts().unwrap();
        let distinct: std::collections::BTreeSet<_> = salts.iter().collect();
        assert_eq!(distinct.len(), FIELDS);
        assert!(!salts.contains(&[0; SALT_BYTES]));
    }
}
