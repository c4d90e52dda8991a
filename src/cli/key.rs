//! `vialedger key` and `vialedger token`: a person's own key, and what is made with it.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use base64ct::{Base64, Encoding as _};
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Desk;
use super::error::CliError;
use super::output::{Output, fields};
use super::parse;
use super::session;
use crate::key::{self, Key, prove_possession};
use crate::names::PersonName;
use crate::tlog::PublicKey;
use crate::token;

/// A person's key.
#[derive(Subcommand, Debug)]
pub enum KeyCommand {
    /// Make a new key in a new file that only you can read
    New {
        /// The file to make, such as ada.pem
        file: PathBuf,
        /// Protect it with a passphrase, asked for or taken from --passphrase-file
        #[arg(long)]
        protect: bool,
    },
    /// Show what a key file holds, never the private half
    Show {
        /// The key file
        file: PathBuf,
    },
    /// Print the public half; with --for, the card that an administrator needs to enrol you
    Public {
        /// The key file
        file: PathBuf,
        /// Person the key is to be enrolled for, such as people/ada (needs --vkey)
        #[arg(long = "for", value_name = "PERSON", value_parser = parse::person)]
        person: Option<String>,
    },
}

/// A bearer token for reads.
#[derive(Args, Debug)]
pub struct TokenArgs {
    /// How many minutes it is good for, 1 to 60
    #[arg(
        long,
        value_name = "MINUTES",
        default_value_t = 15,
        value_parser = clap::value_parser!(u64).range(1..=60)
    )]
    minutes: u64,
}

/// What an administrator needs to enrol somebody: the public half of the key and the proof that its
/// holder asked for it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EnrolmentCard {
    /// Origin of the ledger.
    pub(super) ledger: String,
    /// The person, `people/{person}`.
    pub(super) person: String,
    /// Ed25519 public key, 32 bytes in base64.
    pub(super) public_key: String,
    /// Signature by that key over ledger and person, 64 bytes in base64.
    pub(super) possession: String,
}

impl EnrolmentCard {
    /// Makes the card with the private key.
    #[must_use]
    pub(super) fn sign(key: &Key, ledger: &str, person: &PersonName) -> Self {
        let possession = prove_possession(key.signing_key(), ledger, person);
        Self {
            ledger: ledger.to_owned(),
            person: person.to_string(),
            public_key: key.public_key().to_string(),
            possession: Base64::encode_string(&possession),
        }
    }
}

/// Runs a key command.
pub(super) fn run(command: &KeyCommand, desk: &Desk) -> Result<(), CliError> {
    let (global, out) = (&desk.global, desk.out);
    match command {
        KeyCommand::New { file, protect } => {
            let passphrase_file = global.passphrase_file.as_deref();
            let passphrase = if *protect || passphrase_file.is_some() {
                Some(session::new_passphrase(passphrase_file, file)?)
            } else {
                None
            };
            let key = Key::generate()?;
            key.save(file, passphrase.as_ref())?;
            shown(out, &key.public_key(), || {
                let path = file.display();
                format!(
                    "A new key is in {path}. Keep it to yourself; give away only the public key:"
                )
            })
        }
        KeyCommand::Show { file } => {
            let key = session::load_key(file, global.passphrase_file.as_deref())?;
            shown(out, &key.public_key(), || file.display().to_string())
        }
        KeyCommand::Public { file, person } => {
            let key = session::load_key(file, global.passphrase_file.as_deref())?;
            match person {
                None if out.is_json() => shown(out, &key.public_key(), String::new),
                None => super::output::print(&key.public_key().to_string()),
                Some(person) => {
                    let ledger = session::verifier_key(global.vkey.as_deref(), None)?;
                    let person = person.parse().map_err(|e| CliError::Usage(format!("{e}")))?;
                    let card = EnrolmentCard::sign(&key, ledger.name().as_str(), &person);
                    let card = json!(card);
                    // The card is a file for a program in either form.
                    out.value(&card, || format!("{card:#}"))
                }
            }
        }
    }
}

/// Issues a token.
pub(super) fn token(args: &TokenArgs, desk: &Desk) -> Result<(), CliError> {
    let (key, person, ledger) = session::identity(&desk.global)?;
    let lifetime = Duration::from_mins(args.minutes);
    let token = token::issue(
        key.signing_key(),
        ledger.name().as_str(),
        &person,
        desk.clock.now(),
        lifetime,
    )
    .map_err(crate::client::ClientError::from)?;
    let value = json!({
        "token": token,
        "person": person.to_string(),
        "expires_in_seconds": lifetime.as_secs(),
    });
    desk.out.value(&value, || token.clone())
}

fn shown(
    out: Output,
    public_key: &PublicKey,
    intro: impl FnOnce() -> String,
) -> Result<(), CliError> {
    let hex = public_key.as_bytes().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    let id = key::id(public_key);
    let value =
        json!({ "public_key": public_key.to_string(), "public_key_hex": hex, "key_id": id });
    out.value(&value, || {
        let facts = fields(&[("Public key", public_key), ("In hex", &hex), ("Key id", &id)]);
        format!("{}{facts}", intro())
    })
}
