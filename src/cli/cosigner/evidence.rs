//! `vialedger cosigner evidence` and `prove`: what speaks against a log, for anybody to check.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::time;
use crate::cli::Desk;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::output::fields;
use crate::cli::session::{verifier_key, write_new};
use crate::store::{CosignerFolder, CosignerReader, EvidenceRow};
use crate::tlog::SplitView;

/// Print what a cosigner keeps against logs.
#[derive(Args, Debug)]
pub struct EvidenceArgs {
    /// The cosigner's folder
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Also write each as a file into this folder, which must exist: `cosigner prove` takes it
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

/// Check a proof of a split view.
#[derive(Args, Debug)]
pub struct ProveArgs {
    /// The file that `cosigner evidence` wrote
    file: PathBuf,
    /// The log's verifier key, a file or the line itself
    #[arg(long, value_name = "VKEY")]
    log: String,
}

/// Prints all evidence.
pub(super) fn run(args: &EvidenceArgs, desk: &Desk) -> Result<Exit, CliError> {
    let evidence = CosignerReader::open(&CosignerFolder::new(&args.dir))?.evidence()?;
    if let Some(folder) = &args.out {
        for row in &evidence {
            let path = folder.join(format!("split-view-{}.txt", row.number));
            if !path.exists() {
                write_new(&path, &row.split_view)?;
            }
        }
    }
    let rows: Vec<_> = evidence
        .iter()
        .map(|row| {
            json!({
                "number": row.number,
                "origin": row.origin,
                "seen_time": row.time_seconds,
                "reason": row.reason,
                "cleared": row.cleared,
                "split_view": row.split_view,
            })
        })
        .collect();
    desk.out.value(&json!({ "evidence": rows }), || {
        if evidence.is_empty() {
            return "Nothing is kept against any log.".to_owned();
        }
        evidence.iter().map(text).collect::<Vec<_>>().join("\n")
    })?;
    Ok(if evidence.iter().any(is_proven) {
        Exit::No
    } else if evidence.iter().any(|row| !row.cleared) {
        Exit::CouldNotTell
    } else {
        Exit::Good
    })
}

fn is_proven(row: &EvidenceRow) -> bool {
    row.reason != "unproven"
}

fn text(row: &EvidenceRow) -> String {
    let (head, meaning) = match row.reason.as_str() {
        "same-size" => ("SPLIT VIEW", "the log has signed two roots for one size"),
        "other-beginning" => {
            ("SPLIT VIEW", "the log has signed a larger tree that begins with other entries")
        }
        _ if row.cleared => (
            "Settled",
            "a bad proof was sent with this checkpoint, which was cosigned with a good one",
        ),
        _ => (
            "Unproven",
            "the proof sent with this checkpoint does not hold: its sender's mistake, or a fork. Verify the ledger's \
             file with each of the two checkpoints (`vialedger verify --checkpoint`): of two histories, it can hold \
             only one",
        ),
    };
    let facts = fields(&[
        ("Log", &row.origin),
        ("Seen", &time(row.time_seconds)),
        ("Meaning", &meaning),
        (
            "Check",
            &"vialedger cosigner prove FILE --log VKEY, with what follows as FILE (--out writes it)",
        ),
    ]);
    format!("{head} {}{facts}\n\n{}", row.number, row.split_view)
}

/// Checks a proof from a file.
pub(super) fn prove(args: &ProveArgs, desk: &Desk) -> Result<Exit, CliError> {
    let path = &args.file;
    let bytes =
        std::fs::read(path).map_err(|source| CliError::Read { path: path.clone(), source })?;
    let key = verifier_key(Some(&args.log), None)?;
    let split = SplitView::parse(&bytes)
        .map_err(|error| CliError::Data(format!("{}: {error}", path.display())))?;
    match split.verify(&key) {
        Ok(found) => {
            let value = json!({
                "split_view": true,
                "log": key.name().as_str(),
                "reason": found.name(),
                "detail": found.to_string(),
            });
            desk.out.value(&value, || {
                let both =
                    "Both checkpoints bear the log's signature, and they cannot be of one history";
                format!("SPLIT VIEW. {} signed two histories: {found}.\n  {both}.", key.name())
            })?;
            Ok(Exit::Good)
        }
        Err(why) => {
            let value = json!({ "split_view": false, "why": why.to_string() });
            desk.out.value(&value, || format!("Not proved: {why}."))?;
            Ok(Exit::No)
        }
    }
}
