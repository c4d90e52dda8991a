//! A person's connection to a ledger: who, with which key, to which server, and what is done with
//! the receipts.

use std::fs::OpenOptions;
use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};

use console::Term;
use prost::Message;
use zeroize::Zeroizing;

use super::Desk;
use super::error::CliError;
use super::options::{Global, Recording};
use super::output::Output;
use super::tell;
use crate::client::{Act, Answer, Client, ConnectOptions, Identity, Read};
use crate::clock::Clock;
use crate::key::{Key, KeyError, Passphrase};
use crate::ledger::Receipt;
use crate::names::PersonName;
use crate::pb::v1;
use crate::pb::v1::outcome::Result as Made;
use crate::time::Timestamp;
use crate::tlog::VerifierKey;

/// Name of the verifier key in a ledger's folder.
const VERIFIER_KEY_FILE: &str = "ledger.vkey";
/// Longest passphrase file, in bytes.
const MAX_PASSPHRASE_BYTES: u64 = 4_096;

/// A connection as one person, with the ways to answer.
pub(super) struct Session {
    /// The signing client.
    pub(super) client: Client,
    /// Where answers go.
    pub(super) out: Output,
    clock: Clock,
    receipts: Option<PathBuf>,
}

impl Session {
    /// Reads the key and the verifier key and connects.
    pub(super) async fn open(desk: &Desk) -> Result<Self, CliError> {
        let (global, clock) = (&desk.global, desk.clock.clone());
        let (key, person, ledger) = identity(global)?;
        let identity = global.client_cert.clone().zip(global.client_key.clone());
        let options = ConnectOptions {
            server: global.server.clone(),
            ca: global.ca.clone(),
            identity: identity.map(|(certificate, key)| Identity { certificate, key }),
            insecure_plaintext: global.insecure_plaintext,
        };
        let client = Client::connect(&options, ledger, person, key, clock.clone()).await?;
        let client = client.with_memory(global.memory()?);
        Ok(Self { client, out: desk.out, clock, receipts: global.receipts.clone() })
    }

    /// This device's time.
    #[must_use]
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Asks the server.
    pub(super) async fn ask<R: Read>(&self, message: R) -> Result<R::Response, CliError> {
        Ok(self.client.read(message).await?)
    }

    /// Records an act, keeps its receipt, and tells what became of it.
    pub(super) async fn record<A: Act>(
        &self,
        act: A,
        recording: &Recording,
    ) -> Result<(), CliError> {
        self.recorded(act, recording).await.map(drop)
    }

    /// The same, and hands on what the rules made of it.
    pub(super) async fn recorded<A: Act>(
        &self,
        act: A,
        recording: &Recording,
    ) -> Result<v1::Outcome, CliError> {
        let (answer, saved) = self.sign(act, recording).await?;
        let name = format!("vialedger.v1.{}Response", A::KIND.short_name());
        self.out.message(&name, &answer, || told(&answer, saved.as_deref()))?;
        Ok(answer.outcome.unwrap_or_default())
    }

    /// Records an act and keeps its receipt; what became of it is the caller's to tell.
    pub(super) async fn sign<A: Act>(
        &self,
        act: A,
        recording: &Recording,
    ) -> Result<(Answer, Option<PathBuf>), CliError> {
        let answer = self.client.write(act, &recording.stamp()).await?;
        let saved = self.keep(&answer)?;
        Ok((answer, saved))
    }

    /// Answers with a message of the API.
    pub(super) fn answer(
        &self,
        name: &str,
        message: &impl Message,
        text: impl FnOnce() -> String,
    ) -> Result<(), CliError> {
        self.out.message(&format!("vialedger.v1.{name}"), message, text)
    }

    /// Writes a verified receipt into the receipts' folder, where one was named.
    fn keep(&self, answer: &Answer) -> Result<Option<PathBuf>, CliError> {
        let (Some(folder), Some(receipt)) = (&self.receipts, &answer.receipt) else {
            return Ok(None);
        };
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| CliError::Write { path, source }
        };
        std::fs::create_dir_all(folder).map_err(failed(folder))?;
        let path = folder.join(format!("entry-{}.receipt", receipt.index));
        // A repeated request gets the same entry again; the receipt that is there already proves as
        // much.
        if !path.exists() {
            write_new(&path, &receipt_text(receipt)?)?;
        }
        Ok(Some(path))
    }
}

/// Who signs, with which key, and which ledger is meant.
pub(super) fn identity(global: &Global) -> Result<(Key, PersonName, VerifierKey), CliError> {
    let path = global.key.as_deref().ok_or_else(|| {
        let message = "no key to sign with: name it with --key FILE or VIALEDGER_KEY; \
                       `vialedger key new` makes one";
        CliError::Config(message.to_owned())
    })?;
    let ledger = verifier_key(global.vkey.as_deref(), Some(path))?;
    let person = person(global.acting_as.as_deref(), path)?;
    let key = load_key(path, global.passphrase_file.as_deref())?;
    Ok((key, person, ledger))
}

/// A receipt as one file that proves itself: the proof, with the entry's bytes in its extra line.
pub(super) fn receipt_text(receipt: &v1::Receipt) -> Result<String, CliError> {
    Receipt::new(receipt.entry.clone().into(), &receipt.proof)
        .and_then(|receipt| receipt.to_file())
        .map_err(|error| CliError::Data(format!("the receipt cannot be written: {error}")))
}

/// Writes a file that must not be there yet.
pub(super) fn write_new(path: &Path, text: &str) -> Result<(), CliError> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|source| CliError::Write { path: path.to_owned(), source })
}

/// Reads a text file, or standard input for "-".
pub(super) fn read_text(path: &Path) -> Result<String, CliError> {
    let read = if path == Path::new("-") {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(path)
    };
    read.map_err(|source| CliError::Read { path: path.to_owned(), source })
}

/// The ledger's verifier key: the line itself, a file of it, or (for `DIR/keys/ada.pem`)
/// `DIR/ledger.vkey`.
pub(super) fn verifier_key(
    given: Option<&str>,
    key: Option<&Path>,
) -> Result<VerifierKey, CliError> {
    let missing = || {
        let message = "no verifier key: name the ledger's with --vkey FILE|LINE or VIALEDGER_VKEY; \
                       whoever runs the ledger hands out its ledger.vkey";
        CliError::Config(message.to_owned())
    };
    let (line, origin) = match given.filter(|given| !given.is_empty()) {
        Some(line) if line.contains('+') && !Path::new(line).exists() => {
            (line.to_owned(), line.to_owned())
        }
        Some(file) => (read_text(Path::new(file))?, file.to_owned()),
        None => {
            let beside = key
                .and_then(|key| key.parent()?.parent())
                .map(|folder| folder.join(VERIFIER_KEY_FILE))
                .filter(|path| path.exists())
                .ok_or_else(missing)?;
            (read_text(&beside)?, beside.display().to_string())
        }
    };
    line.trim().parse().map_err(|error| CliError::Data(format!("{origin}: {error}")))
}

/// Who signs: as told, or else the name of the key file.
fn person(given: Option<&str>, key: &Path) -> Result<PersonName, CliError> {
    let name = match given {
        Some(name) => name.parse(),
        None => PersonName::new(key.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default()),
    };
    name.map_err(|_| {
        let message = "say who you are with --as people/NAME (or VIALEDGER_AS): the key file's \
                       name is not one";
        CliError::Config(message.to_owned())
    })
}

/// Reads a key file; a protected one with the passphrase from a file, or from the person at the
/// terminal.
pub(super) fn load_key(path: &Path, passphrase_file: Option<&Path>) -> Result<Key, CliError> {
    if !Key::is_protected(path)? {
        return Ok(Key::load(path, None)?);
    }
    let passphrase = passphrase(passphrase_file, &format!("Passphrase of {}: ", path.display()))?;
    Ok(Key::load(path, passphrase.as_ref())?)
}

/// A passphrase from a file or from the terminal, without echo; nothing where there is neither.
pub(super) fn passphrase(
    file: Option<&Path>,
    prompt: &str,
) -> Result<Option<Passphrase>, CliError> {
    let mut text = Zeroizing::new(String::new());
    match file {
        Some(path) => {
            let failed = |source| CliError::Read { path: path.to_owned(), source };
            let source: Box<dyn std::io::Read> = if path == Path::new("-") {
                Box::new(std::io::stdin())
            } else {
                Box::new(std::fs::File::open(path).map_err(failed)?)
            };
            source.take(MAX_PASSPHRASE_BYTES).read_to_string(&mut text).map_err(failed)?;
        }
        None if std::io::stdin().is_terminal() => {
            let term = Term::stderr();
            let typed = term.write_str(prompt).and_then(|()| term.read_secure_line());
            text = Zeroizing::new(typed.map_err(CliError::Output)?);
        }
        None => return Ok(None),
    }
    let line = Zeroizing::new(text.lines().next().unwrap_or_default().to_owned());
    Ok(Some(Passphrase::new(line)?))
}

/// The passphrase of a new key; typed twice at a terminal, since a slip would lock its owner out.
pub(super) fn new_passphrase(file: Option<&Path>, key: &Path) -> Result<Passphrase, CliError> {
    let needed = || KeyError::PassphraseNeeded { path: key.to_owned() };
    let prompt = format!("Passphrase for {}: ", key.display());
    let first = passphrase(file, &prompt)?.ok_or_else(needed)?;
    if file.is_none() && passphrase(None, "And once more: ")?.as_ref() != Some(&first) {
        return Err(KeyError::PassphrasesDiffer.into());
    }
    Ok(first)
}

/// What became of an act, for people.
pub(super) fn told(answer: &Answer, saved: Option<&Path>) -> String {
    let text = answer.outcome.as_ref().map(tell::outcome).unwrap_or_default();
    let Some(receipt) = &answer.receipt else {
        return format!("{text}\n\nA dry run: nothing was recorded.");
    };
    let kept =
        saved.map_or_else(String::new, |path| format!(", and is kept in {}", path.display()));
    let entry = receipt.index;
    let result = answer.outcome.as_ref().and_then(|outcome| outcome.result.as_ref());
    let next = match result {
        Some(Made::Proposed(_)) => format!(" To approve it: vialedger approve entries/{entry}"),
        _ => String::new(),
    };
    format!("{text}\n\nRecorded as entry {entry}. The receipt was verified{kept}.{next}")
}
