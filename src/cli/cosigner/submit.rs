//! `vialedger cosigner submit` and `status`: a ledger's checkpoints and those who cosign them.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use clap::Args;
use serde_json::{Value, json};

use super::{age, read_policy, time};
use crate::cli::Desk;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::table;
use crate::cli::session::verifier_key;
use crate::cosigner::{
    Connector, Cosignatures, Cosigned, Ledger, Plan, SubmitError, clock_seconds, submit,
};
use crate::store::{LedgerFolder, StoredTree};
use crate::tlog::{Checkpoint, Policy, VerifierKey};

/// Hand the newest checkpoint of a ledger in, once.
#[derive(Args, Debug)]
pub struct SubmitArgs {
    /// The ledger's database, or the folder that it is in
    ledger: PathBuf,
    /// Policy file (c2sp.org/tlog-policy) with the cosigners, their URLs and the quorum
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// Where to keep the cosignatures; `cosignatures` beside the database when absent
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

/// Show how old the newest cosignatures are.
#[derive(Args, Debug)]
pub struct StatusArgs {
    /// The ledger's database, or the folder that it is in
    ledger: PathBuf,
    /// Policy file (c2sp.org/tlog-policy) with the cosigners and the quorum
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// Where the cosignatures are kept; `cosignatures` beside the database when absent
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

/// Hands the newest checkpoint in to everybody who has an address.
pub(super) async fn run(args: SubmitArgs, desk: &Desk) -> Result<Exit, CliError> {
    let policy = read_policy(&args.policy)?;
    let key = ledger_key(&policy, desk.global.vkey.as_deref())?;
    let connector = Connector::new(desk.global.ca.as_deref())
        .map_err(|error| CliError::Config(error.to_string()))?;
    let plan = Plan::new(&policy, &key, &connector);
    let plan = plan.map_err(|error| CliError::Config(error.to_string()))?;
    let ledger = Ledger::Stored(Mutex::new(StoredTree::open(&database(&args.ledger), &key)?));
    let folder = args.out.map_or_else(|| Cosignatures::beside(&args.ledger), Cosignatures::new);
    let mut outcomes = Vec::new();
    for recipient in plan.recipients() {
        let newest = folder.newest_by(recipient.key()).map_err(unreadable)?;
        let known = newest.map_or(0, |(size, _)| size);
        let outcome = submit(recipient, &ledger, known).await;
        if let Ok(cosigned) = &outcome {
            let kept = folder.keep(cosigned.size, &cosigned.checkpoint, &cosigned.line);
            kept.map_err(unreadable)?;
        }
        outcomes.push((recipient.name().to_owned(), newest, outcome));
    }
    let size = size_of(&ledger)?;
    let newest = folder.newest_under(&policy).map_err(unreadable)?;
    let quorum = newest.and_then(|(note, _)| note.text().parse::<Checkpoint>().ok());
    let quorum = quorum.is_some_and(|checkpoint| checkpoint.size() == size);
    tell(&outcomes, size, quorum, desk)?;
    let alarm = |(_, _, outcome): &Outcome| outcome.as_ref().is_err_and(SubmitError::is_alarm);
    Ok(match (outcomes.iter().any(alarm), quorum) {
        (true, _) => Exit::No,
        (false, true) => Exit::Good,
        (false, false) => Exit::Unavailable,
    })
}

/// A cosigner's name, its newest cosignature before, and what came of asking it.
type Outcome = (String, Option<(u64, u64)>, Result<Cosigned, SubmitError>);

fn tell(outcomes: &[Outcome], size: u64, quorum: bool, desk: &Desk) -> Result<(), CliError> {
    let now = clock_seconds(&desk.clock);
    let of = |(name, before, outcome): &Outcome| match outcome {
        Ok(cosigned) => {
            let newest = Some((cosigned.size, cosigned.time_seconds));
            (standing(name, newest, now), "cosigned".to_owned())
        }
        Err(error) => (standing(name, *before, now), error.to_string()),
    };
    let rows: Vec<Value> = outcomes
        .iter()
        .map(|outcome| {
            let (Standing { json: mut value, .. }, said) = of(outcome);
            if let (Some(fields), Err(error)) = (value.as_object_mut(), &outcome.2) {
                fields.insert("error".to_owned(), json!(said));
                fields.insert("alarm".to_owned(), json!(error.is_alarm()));
            }
            value
        })
        .collect();
    let value = json!({ "size": size, "quorum": quorum, "cosigners": rows });
    desk.out.value(&value, || {
        let rows = outcomes.iter().map(|outcome| {
            let (Standing { row: [name, entries, when, age], .. }, said) = of(outcome);
            [name, entries, when, age, said]
        });
        let heading = ["Cosigner", "Entries", "Cosigned", "Age", "Outcome"];
        let table = table(heading, rows.collect());
        let verdict = if quorum {
            "as many as the policy asks for"
        } else {
            "fewer than the policy asks for"
        };
        format!("{table}\n\nThe checkpoint of {size} entries is cosigned by {verdict}.")
    })
}

/// Shows what is kept, and asks nobody.
pub(super) fn status(args: &StatusArgs, desk: &Desk) -> Result<Exit, CliError> {
    let policy = read_policy(&args.policy)?;
    let folder =
        args.out.clone().map_or_else(|| Cosignatures::beside(&args.ledger), Cosignatures::new);
    let now = clock_seconds(&desk.clock);
    let mut standings = Vec::new();
    for cosigner in policy.cosigners() {
        let newest = match cosigner.key() {
            Some(key) => folder.newest_by(key).map_err(unreadable)?,
            None => None,
        };
        standings.push(standing(cosigner.name(), newest, now));
    }
    let newest = folder.newest_under(&policy).map_err(unreadable)?;
    let newest = newest.and_then(|(note, _)| note.text().parse::<Checkpoint>().ok());
    let size = newest.as_ref().map(Checkpoint::size);
    let rows: Vec<&Value> = standings.iter().map(|standing| &standing.json).collect();
    let value = json!({ "quorum_size": size, "cosigners": rows });
    desk.out.value(&value, || {
        let table = table(
            ["Cosigner", "Entries", "Cosigned", "Age"],
            standings.iter().map(|standing| standing.row.clone()).collect(),
        );
        let verdict = match size {
            Some(size) => {
                let file = folder.file(size);
                format!("{} has as many cosignatures as the policy asks for.", file.display())
            }
            None => "No checkpoint has as many cosignatures as the policy asks for.".to_owned(),
        };
        format!("{table}\n\n{verdict}")
    })?;
    Ok(if size.is_some() { Exit::Good } else { Exit::CouldNotTell })
}

/// A cosigner's newest cosignature, for programs and for people.
struct Standing {
    json: Value,
    row: [String; 4],
}

fn standing(name: &str, newest: Option<(u64, u64)>, now: u64) -> Standing {
    let old = newest.map(|(_, time)| now.saturating_sub(time));
    let json = json!({
        "name": name,
        "size": newest.map(|(size, _)| size),
        "cosigned_time": newest.map(|(_, time)| time),
        "age_seconds": old,
    });
    let row = match newest {
        Some((size, when)) => [name.to_owned(), size.to_string(), time(when), age(now, when)],
        None => [name.to_owned(), "none".to_owned(), String::new(), String::new()],
    };
    Standing { json, row }
}

/// The ledger's verifier key: as it is given, or the only log of the policy.
pub(in crate::cli) fn ledger_key(
    policy: &Policy,
    given: Option<&str>,
) -> Result<VerifierKey, CliError> {
    match (given, policy.logs()) {
        (None, [only]) => only.key().cloned().ok_or_else(|| {
            CliError::Config(
                "the policy's log has a key of a kind that is not known here".to_owned(),
            )
        }),
        (given, _) => verifier_key(given, None),
    }
}

fn database(ledger: &Path) -> PathBuf {
    if ledger.is_dir() { LedgerFolder::new(ledger).database() } else { ledger.to_owned() }
}

fn size_of(ledger: &Ledger) -> Result<u64, CliError> {
    let checkpoint = ledger.newest().text().parse::<Checkpoint>();
    checkpoint
        .map(|checkpoint| checkpoint.size())
        .map_err(|error| CliError::Data(error.to_string()))
}

fn unreadable(error: crate::cosigner::FolderError) -> CliError {
    match error {
        crate::cosigner::FolderError::Io { path, source } => CliError::Write { path, source },
        other => CliError::No(other.to_string()),
    }
}
