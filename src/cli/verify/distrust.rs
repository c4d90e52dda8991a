//! What a key that may have been in other hands could have done, and what not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use base64ct::{Base64, Encoding as _};
use clap::Args;
use serde_json::{Map, Value, json};

use crate::audit::{Anchor, Distrust, Distrusted, DistrustedAct, Report, Suspect};
use crate::cli::error::CliError;
use crate::cli::output::{fields, moment, table};
use crate::cli::{parse, tell};
use crate::time::Timestamp;
use crate::tlog::{PublicKey, VerifierKey};
use crate::wire::{timestamp_from_wire, timestamp_to_wire};

/// Names that are listed; the rest is counted.
const SHOWN_NAMES: usize = 20;

/// The key that is not to be relied on.
#[derive(Args, Debug)]
pub(super) struct DistrustArgs {
    /// List what rests on a key that may have been in other hands: the public key in hex or base64, a verifier key, or
    /// people/NAME for all keys of a person. Then exit status 1 says that something does
    #[arg(long, value_name = "KEY", requires = "after", conflicts_with = "since")]
    distrust_key: Option<String>,
    /// Since when: "2 h ago", or a time with its zone
    #[arg(long, value_name = "TIME", requires = "distrust_key", value_parser = parse::moment)]
    after: Option<parse::Moment>,
}

impl DistrustArgs {
    /// Whether there is one.
    pub(super) fn is_asked(&self) -> bool {
        self.distrust_key.is_some()
    }

    pub(super) fn read(&self, now: Timestamp) -> Result<Option<Distrust>, CliError> {
        let Some((text, after)) = self.distrust_key.as_deref().zip(self.after) else {
            return Ok(None);
        };
        let wrong = |why: String| CliError::Usage(format!("--distrust-key {text}: {why}"));
        let after = timestamp_from_wire(&after.resolve(now)).map_err(|e| wrong(e.to_string()))?;
        let suspect = suspect(text).map_err(wrong)?;
        Ok(Some(Distrust { suspect, after }))
    }
}

fn suspect(text: &str) -> Result<Suspect, String> {
    if text.starts_with("people/") {
        let person = text.parse().map_err(|error| format!("{error}"))?;
        return Ok(Suspect::Person(person));
    }
    if let Ok(vkey) = text.parse::<VerifierKey>() {
        return Ok(Suspect::Key(*vkey.public_key().as_bytes()));
    }
    let bytes = from_hex(text).or_else(|| Base64::decode_vec(text).ok());
    let bytes = bytes.ok_or("expected hex, base64, a verifier key, or people/NAME")?;
    let key = PublicKey::from_bytes(&bytes).map_err(|error| error.to_string())?;
    Ok(Suspect::Key(*key.as_bytes()))
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let pairs = (0..text.len()).step_by(2).filter(|_| digits);
    let bytes: Vec<u8> = pairs
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect::<Option<_>>()?;
    (!bytes.is_empty()).then_some(bytes)
}

pub(super) fn add_json(found: &Distrusted, told: &mut Map<String, Value>) {
    let act = |act: &DistrustedAct| {
        json!({
            "index": act.index,
            "time": act.recorded.to_string(),
            "act": act.kind.short_name(),
            "touches": act.touches,
            "refused": act.refused,
            "approves": act.approves,
        })
    };
    let checkpoints = found.checkpoints.map(
        |them| json!({ "count": them.count, "first_size": them.first, "last_size": them.last }),
    );
    let value = json!({
        "key": name(&found.asked.suspect),
        "after": found.asked.after.to_string(),
        "known": found.known,
        "entries": found.acts.iter().map(act).collect::<Vec<_>>(),
        "counts": counts(found),
        "vials": touched(found, "vials/"),
        "patients": touched(found, "patients/"),
        "checkpoints": checkpoints,
    });
    told.insert("distrusted".to_owned(), value);
}

pub(super) fn text(found: &Distrusted, report: &Report) -> String {
    let (key, since) = (name(&found.asked.suspect), local(found.asked.after));
    if !found.known {
        return format!("{key} is no key and nobody of this ledger: nothing rests on it.");
    }
    if found.is_empty() {
        return format!("Nothing rests on {key} after {since}.");
    }
    let mut text = format!(
        "RESTS ON A KEY THAT IS NOT RELIED ON: {} after {since}, by {key}.",
        entries(found.acts.len())
    );
    if !found.acts.is_empty() {
        let rows = found.acts.iter().map(row).collect();
        text.push('\n');
        text += &table(["Entry", "Recorded", "Act", "Touches"], rows);
        let acts: Vec<_> =
            counts(found).into_iter().map(|(act, count)| format!("{count} {act}")).collect();
        text += &fields(&[
            ("By act", &acts.join(", ")),
            ("Vials", &listed(&touched(found, "vials/"))),
            ("Patients", &listed(&touched(found, "patients/"))),
        ]);
    }
    text + &ledger_text(found, report) + &fields(&[("It could not", &cannot(found))])
}

/// What rests on the ledger's own key.
fn ledger_text(found: &Distrusted, report: &Report) -> String {
    let Some(them) = found.checkpoints else { return String::new() };
    let vouched = match report.anchor {
        Anchor::Checkpoint { size } | Anchor::Audit { size } => format!(
            "what you brought along vouches for the first {size} entries, whoever has the key"
        ),
        Anchor::None => "nothing from outside vouches for any entry: bring a checkpoint or a \
                         receipt that was kept elsewhere, with --checkpoint"
            .to_owned(),
    };
    let rest = format!(
        "{} of {} to {} entries rest on it alone; whoever has it could show others another history of the same length",
        them.count, them.first, them.last
    );
    fields(&[("Checkpoints", &rest), ("From outside", &vouched)])
}

fn cannot(found: &Distrusted) -> String {
    let before = found.acts.first().map_or_else(
        || "change an entry".to_owned(),
        |first| format!("change or take away an entry, {} and all before it included", first.index),
    );
    let people = "act for anybody else, or witness, approve or check what it did itself";
    format!("{before}, where a checkpoint that you or a cosigner kept covers it; {people}")
}

fn row(act: &DistrustedAct) -> [String; 4] {
    let mut what = tell::act(act.kind.message_name());
    if act.refused {
        what += " (refused)";
    }
    if let Some(proposal) = act.approves {
        let _ = write!(what, " (approves entry {proposal})");
    }
    [act.index.to_string(), local(act.recorded), what, act.touches.join(", ")]
}

fn counts(found: &Distrusted) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for act in &found.acts {
        *counts.entry(tell::act(act.kind.message_name())).or_insert(0) += 1;
    }
    counts
}

fn touched(found: &Distrusted, kind: &str) -> Vec<String> {
    let names = found.acts.iter().flat_map(|act| &act.touches);
    let names: BTreeSet<_> = names.filter(|name| name.starts_with(kind)).collect();
    names.into_iter().cloned().collect()
}

fn listed(names: &[String]) -> String {
    let shown = names.iter().take(SHOWN_NAMES).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN_NAMES) {
        _ if names.is_empty() => "none".to_owned(),
        0 => shown,
        more => format!("{shown}, and {more} more"),
    }
}

fn entries(count: usize) -> String {
    if count == 1 { "1 entry".to_owned() } else { format!("{count} entries") }
}

fn name(suspect: &Suspect) -> String {
    match suspect {
        Suspect::Key(key) => Base64::encode_string(key),
        Suspect::Person(person) => person.to_string(),
    }
}

fn local(time: Timestamp) -> String {
    moment(Some(&timestamp_to_wire(time)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_in_each_of_its_spellings_and_a_person_by_name() {
        let vkey = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
        let hex = "e932791ae6e7a840a46164c904786426d5e7821dd8b29a00d61cae72afdd4da4";
        let base64 = "6TJ5GubnqECkYWTJBHhkJtXngh3YspoA1hyucq/dTaQ=";
        assert_eq!(suspect(vkey), suspect(hex));
        assert_eq!(suspect(hex), suspect(base64));
        assert!(matches!(suspect("people/nina"), Ok(Suspect::Person(_))));
        for text in ["", "nina", "people/", &hex[2..], "AAAA"] {
            assert!(suspect(text).is_err(), "{text}");
        }
    }
}
