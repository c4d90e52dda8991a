//! The evidence, and nothing that is derived from it, with identities withheld or opened.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::IDENTITIES_FILE;
use super::readme::{self, Facts};
use crate::audit::{OpenedIdentity, Registrations};
use crate::cli::Desk;
use crate::cli::error::CliError;
use crate::cli::identity::Beginning;
use crate::cli::output::fields;
use crate::handover::NewFolder;
use crate::key::IdentityKey;
use crate::store::{Evidence, LedgerFolder, SealedIdentities};

/// Names of the files that an export has, and of those that SQLite keeps while one is written.
const NAMES: [&str; 5] =
    ["ledger.db", "ledger.db-journal", "ledger.vkey", "README.txt", IDENTITIES_FILE];

/// Characters of a reason at most.
const MAX_REASON_CHARS: usize = 500;

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
    /// Add who the patients are
    #[arg(long, requires = "reason")]
    open_identities: bool,
    /// The key that the identities are encrypted with; `identity.key` beside the ledger when absent
    #[arg(long, value_name = "FILE", env = "VIALEDGER_IDENTITY_KEY")]
    identity_key: Option<PathBuf>,
    /// Why they are opened, and for whom; stands in the export's README.txt
    #[arg(long, value_name = "TEXT", requires = "open_identities", value_parser = reason)]
    reason: Option<String>,
}

fn reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > MAX_REASON_CHARS {
        return Err(format!("say it in 1 to {MAX_REASON_CHARS} characters"));
    }
    if text.chars().any(char::is_control) {
        return Err("say it on one line".to_owned());
    }
    Ok(text.to_owned())
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
    let sealed = open_sealed(args, &database, &beginning.origin)?;
    let mut folder = NewFolder::begin(&args.out, &NAMES)?;

    let mut registrations = Registrations::default();
    let copied = evidence.copy_to(&folder.path("ledger.db"), |row| {
        registrations.see(row.index, &row.entry);
    })?;
    let opened = sealed.as_ref().map(|sealed| open_identities(&registrations, sealed));
    if let Some(opened) = &opened {
        folder.write(IDENTITIES_FILE, &opened.lines)?;
    }
    folder.write("ledger.vkey", format!("{}\n", beginning.verifier_key))?;
    let facts = Facts {
        origin: &beginning.origin,
        made: desk.clock.now(),
        entries: copied.entries,
        checkpoints: copied.checkpoints,
        registered: registrations.count(),
        opened: opened.as_ref().map(|opened| opened.count),
        reason: args.reason.as_deref(),
    };
    folder.write("README.txt", readme::text(&facts))?;
    folder.finish()?;
    tell(args, desk, &facts, opened.as_ref())
}

fn open_sealed(
    args: &EvidenceArgs,
    database: &Path,
    origin: &str,
) -> Result<Option<SealedIdentities>, CliError> {
    if !args.open_identities {
        return Ok(None);
    }
    let beside = LedgerFolder::new(database.parent().unwrap_or(Path::new("")));
    let key = args.identity_key.clone().unwrap_or_else(|| beside.identity_key());
    let key = IdentityKey::load(&key)?;
    Ok(Some(SealedIdentities::open(&beside.identities(), &key, origin)?))
}

/// Identities that were opened, and those that could not be.
#[derive(Default)]
struct Opened {
    lines: String,
    count: usize,
    /// Patients, by pseudonym, and why.
    failed: Vec<(String, String)>,
}

/// Opens what the entries commit to. One that is not here or is damaged keeps none of the others back.
fn open_identities(registrations: &Registrations, sealed: &SealedIdentities) -> Opened {
    let mut opened = Opened::default();
    for (commitment, patients) in registrations.in_order() {
        let names = || patients.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match sealed.open_one(&commitment) {
            Ok(Some(opening)) => {
                let line = OpenedIdentity { patients, commitment, opening };
                opened.lines.push_str(&line.to_line());
                opened.lines.push('\n');
                opened.count += 1;
            }
            Ok(None) => opened.failed.push((names(), "is not held here".to_owned())),
            Err(error) => opened.failed.push((names(), error.to_string())),
        }
    }
    opened
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
