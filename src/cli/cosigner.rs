//! `vialedger cosigner`: watching other people's ledgers, and having others watch ours.

mod evidence;
mod serve;
mod submit;

pub(super) use submit::ledger_key;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::json;

use super::Desk;
use super::error::CliError;
use super::exit::Exit;
use super::output::{fields, moment, table};
use crate::cosigner::{begin, clock_seconds};
use crate::store::{CosignerFolder, CosignerReader, Standing};
use crate::tlog::{KeyName, MAX_POLICY_BYTES, Policy};

/// A log cosigner watches a ledger from outside: it signs each checkpoint that extends the one before, so that the
/// ledger cannot show two histories. (A witness, in this program, is the person who sees waste.)
#[derive(Subcommand, Debug)]
pub enum CosignerCommand {
    /// Begin a log cosigner, or show the verifier key of the one that is there
    Key {
        /// The cosigner's folder
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// Its name, for ever, such as clinic.example/cosigner; needed once, to begin it
        #[arg(long)]
        name: Option<KeyName>,
    },
    /// Cosign the checkpoints of the logs that are named, until SIGTERM or Ctrl-C
    Serve(serve::CosignerServeArgs),
    /// Show where a cosigner stands with each log
    List {
        /// The cosigner's folder
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
    },
    /// Print what a cosigner keeps against logs, each as a proof of a split view
    ///
    /// Exit status: 0 nothing; 1 a log has signed two histories; 2 a checkpoint came with a bad proof, which may be its
    /// sender's mistake.
    Evidence(evidence::EvidenceArgs),
    /// Check a proof of a split view, with the log's verifier key and nobody's word
    ///
    /// Exit status: 0 the log has signed two histories; 1 the file does not prove it.
    Prove(evidence::ProveArgs),
    /// Hand the newest checkpoint of a ledger in to the cosigners of a policy, once
    ///
    /// `vialedger serve --cosigners` does it by itself after every entry. Exit status: 0 as many cosigned as the policy
    /// asks for; 1 a cosigner has seen another history; 69 too few were reached.
    Submit(submit::SubmitArgs),
    /// Show how old the newest cosignatures of a ledger are
    ///
    /// Exit status: 0 a checkpoint has as many cosignatures as the policy asks for; 2 none has.
    Status(submit::StatusArgs),
}

/// Runs a cosigner command.
pub(super) async fn run(command: CosignerCommand, desk: &Desk) -> Result<Exit, CliError> {
    match command {
        CosignerCommand::Key { dir, name } => key(&dir, name, desk),
        CosignerCommand::Serve(args) => serve::run(args, desk).await,
        CosignerCommand::List { dir } => list(&dir, desk),
        CosignerCommand::Evidence(args) => evidence::run(&args, desk),
        CosignerCommand::Prove(args) => evidence::prove(&args, desk),
        CosignerCommand::Submit(args) => submit::run(args, desk).await,
        CosignerCommand::Status(args) => submit::status(&args, desk),
    }
}

/// Begins a cosigner, or shows the one that is there.
fn key(dir: &Path, name: Option<KeyName>, desk: &Desk) -> Result<Exit, CliError> {
    let folder = CosignerFolder::new(dir);
    let key = begin(&folder, name)?;
    let value = json!({ "name": key.name().as_str(), "verifier_key": key.to_string() });
    desk.out.value(&value, || {
        let line = format!("witness NAME {key} https://HOST:PORT");
        let facts = fields(&[
            ("Verifier key", &key),
            ("", &"Give it to whoever runs a ledger that you watch, and to auditors."),
            ("Policy line", &line),
            ("Next", &format!("vialedger cosigner serve --dir {} --log VKEY", dir.display())),
        ]);
        format!("The log cosigner {} is in {}.{facts}", key.name(), dir.display())
    })?;
    Ok(Exit::Good)
}

fn list(dir: &Path, desk: &Desk) -> Result<Exit, CliError> {
    let reader = CosignerReader::open(&CosignerFolder::new(dir))?;
    let (standings, evidence) = (reader.standings()?, reader.evidence()?);
    let now = clock_seconds(&desk.clock);
    let against = |standing: &Standing| {
        evidence.iter().filter(|row| row.origin == standing.origin && !row.cleared).count()
    };
    let logs: Vec<_> = standings
        .iter()
        .map(|standing| {
            let checkpoint = standing.newest.checkpoint();
            json!({
                "origin": standing.origin,
                "size": checkpoint.size(),
                "root": checkpoint.root().to_string(),
                "cosigned_time": standing.time_seconds,
                "age_seconds": now.saturating_sub(standing.time_seconds),
                "checkpoints": standing.checkpoints,
                "evidence": against(standing),
            })
        })
        .collect();
    desk.out.value(&json!({ "logs": logs }), || {
        if standings.is_empty() {
            return "Nothing was cosigned yet.".to_owned();
        }
        let row = |standing: &Standing| {
            let against = match against(standing) {
                0 => String::new(),
                count => format!("{count}: see `vialedger cosigner evidence`"),
            };
            [
                standing.origin.clone(),
                standing.newest.checkpoint().size().to_string(),
                time(standing.time_seconds),
                age(now, standing.time_seconds),
                against,
            ]
        };
        table(
            ["Log", "Entries", "Cosigned", "Age", "Evidence"],
            standings.iter().map(row).collect(),
        )
    })?;
    Ok(Exit::Good)
}

/// Reads a policy file.
pub fn read_policy(path: &Path) -> Result<Policy, CliError> {
    use std::io::Read as _;
    let failed = |source| CliError::Read { path: path.to_owned(), source };
    let limit = u64::try_from(MAX_POLICY_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    Policy::parse(&bytes).map_err(|error| CliError::Data(format!("{}: {error}", path.display())))
}

/// A moment in seconds since 1970, for people.
pub(super) fn time(seconds: u64) -> String {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    moment(Some(&prost_types::Timestamp { seconds, nanos: 0 }))
}

/// A cosigner's clock may be so far ahead of this one, in seconds, before that is said.
const CLOCKS_APART_SECONDS: u64 = 60;

/// How long ago a moment was, in the largest unit that says at least two of it. Both are in seconds since 1970.
pub(in crate::cli) fn age(now: u64, then: u64) -> String {
    if then > now.saturating_add(CLOCKS_APART_SECONDS) {
        return "in the future".to_owned();
    }
    match now.saturating_sub(then) {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_short_and_a_time_to_come_is_said() {
        for (seconds, text) in
            [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7_200, "2 h"), (200_000, "2 days")]
        {
            assert_eq!(age(1_000_000, 1_000_000 - seconds), text);
        }
        assert_eq!(age(1_000_000, 1_000_060), "0 s");
        assert_eq!(age(1_000_000, 1_000_061), "in the future");
    }
}
