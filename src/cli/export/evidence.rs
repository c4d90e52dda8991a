//! The evidence, and nothing that is derived from it, with identities withheld or opened.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::IDENTITIES_FILE;
use super::opening::{Opened, OpeningArgs};
use super::readme::{self, Facts};
use crate::audit::Registrations;
use crate::cli::Desk;
use crate::cli::error::CliError;
use crate::cli::identity::Beginning;
use crate::cli::output::fields;
use crate::handover::NewFolder;
use crate::store::{Evidence, LedgerFolder};

/// Names of the files that an export has, and of those that SQLite keeps while one is written.
const NAMES: [&str; 5] =
    ["ledger.db", "ledger.db-journal", "ledger.vkey", "README.txt", IDENTITIES_FILE];

/// Export the evidence: the entries and the checkpoints, and nothing that is derived from them.
///
/// Works next to a running server, and on a copy. Patients stand in it under their pseudonyms. With
/// --open-identities, who they are is added in a file of its own, which `vialedger verify` proves
/// against the entries; the evidence is the same either way. Opening identities here is the act of
/// whoever holds the key, and leaves no trace in the ledger.
#[derive(Args, Debug)]
pub struct EvidenceArgs {
    /// The ledger's database, or the folder that it is in
    ledger: PathBuf,
    /// The folder to make; nothing is overwritten
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Whether to open who the patients are
    #[command(flatten)]
    opening: OpeningArgs,
}

/// Exports the evidence.
pub(super) fn export(args: &EvidenceArgs, desk: &Desk) -> Result<(), CliError> {
    let database = if args.ledger.is_dir() {
        LedgerFolder::new(&args.ledger).database()
    } else {
        args.ledger.clone()
    };
    let evidence = Evidence::open(&database)?;
    let beginning = Beginning::of(&evidence, &database)?;
    // Everything that can be missing is looked for before anything is made.
    let sealed = args.opening.sealed(&database, &beginning.origin)?;
    let mut folder = NewFolder::begin(&args.out, &NAMES)?;

    let mut registrations = Registrations::default();
    let copied = evidence.copy_to(&folder.path("ledger.db"), |row| {
        registrations.see(row.index, &row.entry);
    })?;
    let opened = sealed.as_ref().map(|sealed| Opened::of(&registrations, sealed));
    if let Some(opened) = &opened {
        folder.write(IDENTITIES_FILE, opened.file())?;
    }
    folder.write("ledger.vkey", format!("{}\n", beginning.verifier_key))?;
    let facts = Facts {
        origin: &beginning.origin,
        made: desk.clock.now(),
        entries: copied.entries,
        checkpoints: copied.checkpoints,
        registered: registrations.count(),
        opened: opened.as_ref().map(|opened| opened.lines.len()),
        reason: args.opening.reason(),
    };
    folder.write("README.txt", readme::text(&facts))?;
    folder.finish()?;
    tell(args, desk, &facts, opened.as_ref())
}

fn tell(
    args: &EvidenceArgs,
    desk: &Desk,
    facts: &Facts<'_>,
    opened: Option<&Opened>,
) -> Result<(), CliError> {
    let failed = opened.map_or(&[][..], |opened| &opened.failed);
    let count = facts.opened.unwrap_or(0);
    let not_opened: Vec<_> =
        failed.iter().map(|(patients, why)| json!({ "patients": patients, "why": why })).collect();
    let value = json!({
        "folder": args.out,
        "origin": facts.origin,
        "entries": facts.entries,
        "checkpoints": facts.checkpoints,
        "identities": {
            "registered": facts.registered,
            "opened": count,
            "withheld": facts.registered.saturating_sub(count),
            "not_opened": not_opened,
            "trace_in_ledger": false,
        },
    });
    desk.out.value(&value, || {
        let identities = match opened {
            None => format!("{} withheld; no name is in the folder", facts.registered),
            Some(_) => format!(
                "{count} opened, in {IDENTITIES_FILE}. This command cannot leave a trace of that in \
                 the ledger: it was your act, as the holder of the key"
            ),
        };
        let mut rows: Vec<(&str, &dyn std::fmt::Display)> = vec![("Identities", &identities)];
        let failed: Vec<String> =
            failed.iter().map(|(patients, why)| format!("{patients}: {why}")).collect();
        for line in &failed {
            rows.push(("Not opened", line));
        }
        let check = format!("vialedger verify {} --vkey FILE", args.out.display());
        rows.push(("Check", &check));
        format!(
            "{} entries and {} checkpoints of {} are in {}.{}",
            facts.entries,
            facts.checkpoints,
            facts.origin,
            args.out.display(),
            fields(&rows)
        )
    })
}
