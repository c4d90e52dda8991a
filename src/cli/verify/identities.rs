//! Identities that lie opened beside the evidence, each proved against the entry that commits to it.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::audit::{
    IDENTITY_DIFFERS, IdentityProof, IdentityReport, MAX_LINE_BYTES, Registrations,
};
use crate::cli::error::CliError;
use crate::cli::export::IDENTITIES_FILE;
use crate::cli::output::fields;

/// Proves the identities that lie opened beside the evidence, if any do.
pub(super) fn prove(
    ledger: &Path,
    registrations: &Registrations,
) -> Result<IdentityReport, CliError> {
    let mut proof = IdentityProof::new(registrations);
    let path = ledger.join(IDENTITIES_FILE);
    if !path.exists() {
        return Ok(proof.finish());
    }
    let failed = |source| CliError::Read { path: path.clone(), source };
    let mut file = BufReader::new(File::open(&path).map_err(failed)?);
    // One byte more than a line may have, so that a longer one is seen to be longer. What is left
    // of it are lines that do not hold either.
    let most = u64::try_from(MAX_LINE_BYTES).unwrap_or(u64::MAX).saturating_add(2);
    let mut line = Vec::new();
    while file.by_ref().take(most).read_until(b'\n', &mut line).map_err(failed)? > 0 {
        proof.line(line.strip_suffix(b"\n").unwrap_or(&line));
        line.clear();
    }
    Ok(proof.finish())
}

/// Adds what was found to the evidence's verdict, and makes it a bad one where they do not hold.
pub(super) fn add_json(found: &IdentityReport, told: &mut Map<String, Value>) {
    let wrong: Vec<Value> = found
        .findings
        .iter()
        .map(|finding| {
            let patients: Vec<String> = finding.patients.iter().map(ToString::to_string).collect();
            json!({ "line": finding.line, "patients": patients, "finding": finding.what })
        })
        .collect();
    let identities = json!({
        "registered": found.registered,
        "opened": found.opened,
        "withheld": found.withheld,
        "wrong": found.wrong,
        "findings": wrong,
    });
    told.insert("identities".to_owned(), identities);
    if !found.holds() {
        told.insert("verdict".to_owned(), json!("bad"));
        told.insert("fault".to_owned(), json!(IDENTITY_DIFFERS));
    }
}

/// What is told of good evidence, with what was found added to it.
pub(super) fn text(found: &IdentityReport, evidence: &str) -> String {
    if !found.holds() {
        let findings: Vec<String> = found.findings.iter().map(ToString::to_string).collect();
        let (wrong, registered) = (found.wrong, found.registered);
        return format!(
            "BAD. Of the opened identities, {wrong} {} what an entry commits to \
             ({IDENTITY_DIFFERS}):\n  {}\nOf {registered} registered, {} were opened and hold, \
             {} are withheld. The evidence without the identities:\n{evidence}",
            if wrong == 1 { "is not" } else { "are not" },
            findings.join("\n  "),
            found.opened,
            found.withheld,
        );
    }
    if found.registered == 0 {
        return evidence.to_owned();
    }
    let (opened, withheld) = (found.opened, found.withheld);
    let told =
        format!("{opened} opened, each the one that its entry commits to; {withheld} withheld");
    format!("{evidence}{}", fields(&[("Identities", &told)]))
}
