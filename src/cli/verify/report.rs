//! The audit's report, for programs and for people.

use serde_json::{Value, json};

use crate::audit::{Anchor, Report, Verdict};
use crate::cli::output::fields;

pub(in crate::cli) fn json(report: &Report) -> Value {
    let (verdict, why) = match &report.verdict {
        Verdict::Good => ("good", None),
        Verdict::Bad => ("bad", None),
        Verdict::None(why) => ("none", Some(why)),
    };
    let anchor = match report.anchor {
        Anchor::None => json!({ "kind": "none" }),
        Anchor::Checkpoint { size } => json!({ "kind": "checkpoint", "size": size }),
        Anchor::Audit { size } => json!({ "kind": "audit", "size": size }),
    };
    let finding = report.finding.as_ref();
    json!({
        "verdict": verdict,
        "why": why,
        "entries": report.entries,
        "since": report.since,
        "checkpoints": report.checkpoints,
        "anchor": anchor,
        "first_bad_index": finding.map(|finding| finding.index),
        "fault": finding.map(|finding| finding.fault.name()),
        "expected": finding.map(|finding| &finding.expected),
        "found": finding.map(|finding| &finding.found),
        "trusted_entries": report.trusted,
        "root": report.root.map(|root| root.to_string()),
        "rotations": report.rotations,
        "self_audit": report.self_audit.as_ref().map(|audit| json!({
            "index": audit.entry,
            "entries": audit.size,
            "time": audit.recorded.to_string(),
        })),
    })
}

pub(in crate::cli) fn text(report: &Report) -> String {
    let anchor = match report.anchor {
        Anchor::Checkpoint { size } if report.verdict == Verdict::Good => {
            format!("your checkpoint of {size} entries: up to there nothing was cut off at the end")
        }
        Anchor::Checkpoint { size } => format!("your checkpoint of {size} entries"),
        Anchor::Audit { size } if report.verdict == Verdict::Good => {
            format!("your audit of {size} entries: up to there nothing was cut off at the end")
        }
        Anchor::Audit { size } => format!("your audit of {size} entries"),
        Anchor::None => "none from outside, so entries cut off at the end cannot be excluded; \
                         --checkpoint with a checkpoint or receipt kept elsewhere would tell"
            .to_owned(),
    };
    let (entries, checkpoints) = (report.entries, report.checkpoints);
    match (&report.verdict, &report.finding) {
        (Verdict::Good, _) => {
            let root = report.root.map(|root| root.to_string()).unwrap_or_default();
            let checked = "bytes, chain, signatures, rules, balances";
            let facts = fields(&[("Checked", &checked), ("Root", &root), ("Anchor", &anchor)])
                + &ledger_text(report);
            match report.since {
                0 => format!(
                    "Good. All {entries} entries and {checkpoints} checkpoints hold.{facts}"
                ),
                since => format!(
                    "Good. {} entries and {checkpoints} checkpoints were added and hold. The {since} before them are \
                     those of your saved audit, and were not read again.{facts}",
                    entries - since
                ),
            }
        }
        (Verdict::Bad, Some(finding)) => {
            let facts = fields(&[
                ("Expected", &finding.expected),
                ("Found", &finding.found),
                ("Trust", &trusted(report.trusted)),
                ("Anchor", &anchor),
            ]);
            format!("BAD. Entry {}: {}.{facts}", finding.index, finding.fault)
        }
        (Verdict::Bad, None) => "BAD.".to_owned(),
        (Verdict::None(why), Some(finding)) => format!("No verdict: {why}.\n  {finding}"),
        (Verdict::None(why), None) => format!("No verdict: {why}"),
    }
}

/// What the ledger did to itself.
fn ledger_text(report: &Report) -> String {
    let rotations = report.rotations.iter().map(|index| format!("entries/{index}"));
    let rotations = rotations.collect::<Vec<_>>().join(", ");
    let mut text = String::new();
    if !rotations.is_empty() {
        text += &fields(&[("Key", &format!("the ledger's own was rotated by {rotations}"))]);
    }
    if let Some(audit) = &report.self_audit {
        let (index, size) = (audit.entry, audit.size);
        let said = format!("entries/{index}: the ledger itself found its first {size} good");
        text += &fields(&[("Self-audit", &said)]);
    }
    text
}

fn trusted(entries: u64) -> String {
    match entries.checked_sub(1) {
        None => "nothing in this ledger".to_owned(),
        Some(0) => "entry 0 and nothing after it".to_owned(),
        Some(last) => format!("entries 0 to {last} and nothing after them"),
    }
}
