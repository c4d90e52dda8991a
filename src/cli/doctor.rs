//! `vialedger doctor`: a look at a ledger's folder, without its server, and what to do about what is found.

mod files;
mod ledger;

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::Desk;
use super::backup::own_key;
use super::error::CliError;
use super::exit::Exit;
use super::known::KnownArgs;
use crate::store::LedgerFolder;
use crate::time::Timestamp;
use crate::tlog::VerifierKey;

/// Look at a ledger's folder: who holds it, its keys and their permissions, the room on its disk, the database, what is
/// derived, its newest checkpoint, every checkpoint that is known, and the clock. Changes nothing, and a server may be running.
///
/// It does not check the entries one by one: `vialedger verify` does, and this says nothing about what they mean.
///
/// Exit status: 0 all is well; 1 something is bad; 2 nothing bad was found, and something needs a look.
#[derive(Args, Debug)]
pub struct DoctorArgs {
    /// The ledger's folder
    folder: PathBuf,
    /// What the ledger is compared with
    #[command(flatten)]
    known: KnownArgs,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Ok,
    Warn,
    Bad,
}

/// What was looked at, and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Check {
    name: &'static str,
    state: State,
    found: String,
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, state: State::Ok, found: found.into() }
    }

    fn warn(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, state: State::Warn, found: found.into() }
    }

    fn bad(name: &'static str, found: impl Into<String>) -> Self {
        Self { name, state: State::Bad, found: found.into() }
    }
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "WARN",
            Self::Bad => "BAD",
        }
    }
}

/// What all checks look at.
struct Patient<'a> {
    folder: LedgerFolder,
    /// The key that was given, or the one beside the ledger.
    key: Result<VerifierKey, CliError>,
    known: &'a KnownArgs,
    now: Timestamp,
}

/// Makes every check, whatever the others found.
pub(super) fn run(args: &DoctorArgs, desk: &Desk) -> Result<Exit, CliError> {
    let folder = LedgerFolder::new(&args.folder);
    let key = own_key(&folder, desk);
    let patient = Patient { folder, key, known: &args.known, now: desk.clock.now() };
    let mut checks = files::checks(&patient, desk.global.vkey.is_some());
    checks.extend(ledger::checks(&patient));
    let worst = checks.iter().map(|check| check.state).max().unwrap_or(State::Ok);
    let count = |state| checks.iter().filter(|check| check.state == state).count();
    let last = match worst {
        State::Ok => {
            "All is well, as far as this looks. `vialedger verify` checks every entry.".to_owned()
        }
        _ => format!("{} BAD, {} to look at.", count(State::Bad), count(State::Warn)),
    };
    let rows: Vec<Value> = checks
        .iter()
        .map(|check| {
            let state = check.state.name().to_lowercase();
            json!({ "check": check.name, "state": state, "found": check.found })
        })
        .collect();
    let state = worst.name().to_lowercase();
    desk.out.value(&json!({ "state": state, "checks": rows }), || {
        let line =
            |check: &Check| format!("{:<4}  {}: {}\n", check.state.name(), check.name, check.found);
        checks.iter().map(line).collect::<String>() + &last
    })?;
    Ok(match worst {
        State::Ok => Exit::Good,
        State::Warn => Exit::CouldNotTell,
        State::Bad => Exit::No,
    })
}
