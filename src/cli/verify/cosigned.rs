//! Which log cosigners signed a checkpoint, and whether that is enough for the auditor's policy.

use std::path::Path;

use serde_json::{Value, json};

use crate::cli::Desk;
use crate::cli::cosigner::age;
use crate::cli::error::CliError;
use crate::cosigner::{Cosignatures, clock_seconds};
use crate::tlog::{Policy, SignedNote};

/// Who cosigned, by the names of the policy, and when.
pub(super) type Cosigned = Vec<(String, u64)>;

/// Who cosigned a checkpoint, if that is enough for a policy.
pub(super) fn under(policy: &Policy, checkpoint: Option<&SignedNote>) -> Result<Cosigned, String> {
    let Some(checkpoint) = checkpoint else {
        let none =
            "no checkpoint with the cosignatures that the policy asks for: give --checkpoint";
        return if policy.asks_for_cosignatures() { Err(none.to_owned()) } else { Ok(Vec::new()) };
    };
    if !policy.logs().is_empty() {
        policy.checkpoint(checkpoint).map_err(|error| error.to_string())?;
    }
    let report = policy.cosignatures(checkpoint).map_err(|error| error.to_string())?;
    if report.quorum {
        return Ok(report.cosigned);
    }
    let by: Vec<_> = report.cosigned.into_iter().map(|(name, _)| name).collect();
    let by = if by.is_empty() { "nobody in it".to_owned() } else { by.join(", ") };
    Err(format!("the checkpoint has fewer cosignatures than the policy asks for: by {by}"))
}

/// The newest checkpoint beside a ledger that has enough of them.
pub(super) fn newest_under(policy: &Policy, ledger: &Path) -> Result<Option<SignedNote>, CliError> {
    let newest = Cosignatures::beside(ledger).newest_under(policy);
    let newest = newest.map_err(|error| CliError::Data(error.to_string()))?;
    Ok(newest.map(|(note, _)| note))
}

pub(super) fn json(cosigned: &[(String, u64)]) -> Value {
    cosigned.iter().map(|(name, time)| json!({ "name": name, "time": time })).collect()
}

pub(super) fn text(cosigned: &[(String, u64)], desk: &Desk) -> String {
    let now = clock_seconds(&desk.clock);
    let by = |(name, time): &(String, u64)| format!("{name} (age: {})", age(now, *time));
    let by: Vec<_> = cosigned.iter().map(by).collect();
    if by.is_empty() { String::new() } else { format!("\n  Cosigned by {}", by.join(", ")) }
}
