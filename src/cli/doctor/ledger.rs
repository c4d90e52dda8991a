//! The database, its newest checkpoint, what is known of it, and the clock.

use super::{Check, Patient};
use crate::cli::known::{Stand, told};
use crate::ledger::ParsedEntry;
use crate::service::CLOCK_TOLERANCE_MICROS;
use crate::store::{Checkup, StoreError, StoredTree};

/// What is looked at in the database, and around it.
pub(super) fn checks(patient: &Patient<'_>) -> Vec<Check> {
    let checkup = match Checkup::open(&patient.folder.database()) {
        Ok(checkup) => checkup,
        Err(error) => return vec![Check::bad("database", error.to_string())],
    };
    let mut checks = vec![integrity(&checkup), derived("schema", checkup.schema())];
    checks.push(derived("request ids", checkup.requests()));
    checks.extend(history(patient));
    checks.push(clock(&checkup, patient));
    checks
}

fn integrity(checkup: &Checkup) -> Check {
    const NAME: &str = "database";
    match checkup.integrity() {
        Ok(findings) if findings.is_empty() => Check::ok(NAME, "SQLite finds it sound"),
        Ok(findings) => Check::bad(
            NAME,
            format!(
                "SQLite finds it damaged ({}): stop the server, keep the folder as it is, check the disk, restore a good \
                 copy",
                findings.join("; ")
            ),
        ),
        Err(error) => Check::bad(NAME, error.to_string()),
    }
}

fn derived(name: &'static str, looked: Result<(), StoreError>) -> Check {
    match looked {
        Ok(()) => Check::ok(name, "as they should be"),
        Err(error) => Check::bad(name, error.to_string()),
    }
}

/// The newest checkpoint with the tree that it signs, and every checkpoint that is known.
fn history(patient: &Patient<'_>) -> Vec<Check> {
    // That there is no key was said before.
    let Ok(key) = &patient.key else { return Vec::new() };
    let tree = match StoredTree::open(&patient.folder.database(), key) {
        Ok(tree) => tree,
        Err(error) => return vec![Check::bad("checkpoint", error.to_string())],
    };
    let size = tree.size();
    let signed =
        Check::ok("checkpoint", format!("of all {size} entries, signed by the ledger's key"));
    vec![signed, known(patient, &tree), split_views(patient)]
}

fn known(patient: &Patient<'_>, tree: &StoredTree) -> Check {
    const NAME: &str = "known checkpoints";
    let Ok(key) = &patient.key else { return Check::bad(NAME, "no verifier key") };
    let known = patient.known.gather_all(&patient.folder, key);
    match known.and_then(|known| Stand::of(tree, &known)) {
        Ok(stand) if stand.is_blind() => Check::warn(NAME, told(&stand)),
        Ok(stand) if stand.may_go_on() => Check::ok(NAME, told(&stand)),
        Ok(stand) => Check::bad(NAME, format!("{}. What to do: {}", told(&stand), stand.advice())),
        Err(error) => Check::bad(NAME, error.to_string()),
    }
}

/// Proofs of a fork that a server has kept here.
fn split_views(patient: &Patient<'_>) -> Check {
    const NAME: &str = "forks";
    let files = match std::fs::read_dir(patient.folder.root()) {
        Ok(files) => files,
        Err(error) => return Check::warn(NAME, error.to_string()),
    };
    let names = files.filter_map(Result::ok).filter_map(|file| file.file_name().into_string().ok());
    let mut proofs: Vec<_> = names.filter(|name| name.starts_with("split-view-")).collect();
    proofs.sort();
    if proofs.is_empty() {
        return Check::ok(NAME, "none was found here before");
    }
    Check::bad(
        NAME,
        format!(
            "{} in the folder: a checkpoint of another history was found. `vialedger cosigner prove` checks it; give it \
             to the auditor",
            proofs.join(", ")
        ),
    )
}

fn clock(checkup: &Checkup, patient: &Patient<'_>) -> Check {
    const NAME: &str = "clock";
    let last = match checkup.last_entry() {
        Ok(Some(entry)) => entry,
        Ok(None) => return Check::bad(NAME, "there is no entry"),
        Err(error) => return Check::bad(NAME, error.to_string()),
    };
    let Ok(last) = ParsedEntry::parse(last) else {
        return Check::bad(NAME, "the last entry cannot be read; run `vialedger verify`");
    };
    let (last, now) = (last.sealed.recorded_time(), patient.now);
    if last.micros_since(now) > CLOCK_TOLERANCE_MICROS {
        return Check::bad(
            NAME,
            format!(
                "it says {now}, but the last entry is from {last}: set the clock right; no writes are taken before"
            ),
        );
    }
    Check::ok(NAME, format!("after the last entry, which is from {last}"))
}
