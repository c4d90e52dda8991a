//! One entry in full, beside the verdict on the ledger that it is in.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::audit::{Explanation, Report, SignerThen, Verdict};
use crate::cli::error::CliError;
use crate::cli::json::Schema;
use crate::cli::output::{fields, moment};
use crate::cli::tell;
use crate::refusal::Refusal;
use crate::role::Role;
use crate::time::Timestamp;
use crate::wire::timestamp_to_wire;

/// The entry that was asked about.
pub(super) struct Shown<'a> {
    pub(super) index: u64,
    /// Nothing where the audit did not find it good, or there is none.
    pub(super) explanation: Option<&'a Explanation>,
    pub(super) report: &'a Report,
}

impl Shown<'_> {
    pub(super) fn json(&self) -> Result<Value, CliError> {
        let Some(it) = self.explanation else {
            return Ok(json!({ "index": self.index, "why_not": self.why_not() }));
        };
        let entry = Schema::new().to_json("vialedger.v1.Entry", it.entry.sealed.bytes())?;
        let (signer, request) = (it.signer.as_ref(), &it.entry.request);
        Ok(json!({
            "index": self.index,
            "who": {
                "person": signer.map(|signer| signer.person.to_string()),
                "display_name": signer.map(|signer| &signer.display_name),
                "roles": signer.map(|signer| names(&signer.roles)),
                "public_key": hex(request.key()),
                "key_enrolled": signer.map(|signer| signer.enrolled.to_string()),
                "ledger": signer.is_none(),
            },
            "what": tell::headline(&it.entry.outcome),
            "act": request.kind().short_name(),
            "when": it.entry.sealed.recorded_time().to_string(),
            "right": { "needs_one_of": names(it.rights), "held": names(&it.held()) },
            "refusal": it.refusal.as_ref().map(Refusal::reason),
            "request_id": it.command.header.request_id.to_string(),
            "leaf_hash": it.entry.sealed.leaf_hash().to_string(),
            "covered_by": it.covered,
            "trusted": it.is_vouched_for(self.report),
            "because": self.because(it),
            "entry": entry,
        }))
    }

    pub(super) fn text(&self) -> String {
        let Some(it) = self.explanation else {
            return format!("Entry {} is not explained: {}.", self.index, self.why_not());
        };
        let request = &it.entry.request;
        let who = match &it.signer {
            Some(signer) => format!("{} ({})", signer.display_name, signer.person),
            None => "the ledger itself".to_owned(),
        };
        let facts = fields(&[
            ("Who", &who),
            ("With the key", &hex(request.key())),
            ("When", &format!("recorded {}", local(it.entry.sealed.recorded_time()))),
            ("What", &tell::headline(&it.entry.outcome)),
            ("With which right", &right(it)),
            ("Request", &it.command.header.request_id),
        ]);
        let body = Schema::new()
            .to_json(request.kind().message_name(), request.bytes())
            .map_or_else(|error| error.to_string(), |value| format!("{value:#}"));
        let reasons: Vec<String> = (1..)
            .zip(self.because(it))
            .map(|(number, reason)| format!("  {number}. {reason}"))
            .collect();
        format!(
            "Entry {}: {}{facts}\n\nThe request as it was signed:\n{body}\n\nWhat became of it:\n{}\n\n{}:\n{}",
            self.index,
            tell::act(request.kind().message_name()),
            tell::outcome(&it.entry.outcome),
            if it.is_vouched_for(self.report) {
                "It holds because"
            } else {
                "NOT TRUSTED, although"
            },
            reasons.join("\n"),
        )
    }

    /// What the audit found of the entry, in the order in which it looked.
    fn because(&self, it: &Explanation) -> Vec<String> {
        let sealed = &it.entry.sealed;
        let before = match self.index.checked_sub(1) {
            None => "it is the first entry, and names the ledger's key, which is yours".to_owned(),
            Some(before) => {
                format!("it is chained to entry {before}, whose leaf hash is {}", it.entry.previous)
            }
        };
        let covered = match it.covered {
            Some(size) => format!(
                "the checkpoint of {size} entries, signed by the ledger's key, commits to its leaf hash {}",
                sealed.leaf_hash()
            ),
            None => "no checkpoint that holds covers it".to_owned(),
        };
        let key = match (&it.signer, self.index) {
            (None, _) => "the key was the ledger's own then".to_owned(),
            (Some(signer), 0) => format!("the entry itself enrols the key, for {}", signer.person),
            (Some(signer), _) => {
                let (person, enrolled) = (&signer.person, local(signer.enrolled));
                format!("the key was {person}'s since {enrolled}, and was not revoked")
            }
        };
        let ruled = match &it.refusal {
            None => "allow it with the very outcome that it states",
            Some(_) => "refuse it with the very words that it states",
        };
        vec![
            before,
            covered,
            "the signature over the exact bytes of the request is that of the key".to_owned(),
            key,
            right(it),
            format!(
                "rules version {}, run again over everything before it, {ruled}",
                it.entry.rules_version
            ),
        ]
    }

    fn why_not(&self) -> String {
        match &self.report.finding {
            Some(finding) => {
                format!("the audit got no further than entry {}: {}", finding.index, finding.fault)
            }
            None if self.index < self.report.since => {
                "it is among those of your saved audit; ask without --since".to_owned()
            }
            None => match &self.report.verdict {
                Verdict::None(_) => "there is no verdict on the ledger".to_owned(),
                _ => format!("{} entries were checked", self.report.entries),
            },
        }
    }
}

/// The right that the signer had, or had not.
fn right(it: &Explanation) -> String {
    let Some(SignerThen { person, roles, .. }) = &it.signer else {
        return "it is an act of the ledger itself, which takes the ledger's own key".to_owned();
    };
    let (held, needed) = (it.held(), words(it.rights));
    match (it.rights, held.as_slice()) {
        ([], _) if it.entry.sealed.index() == 0 => {
            "the ledger begins with whoever its key's holder names".to_owned()
        }
        ([], _) => format!("anybody may end a key of their own; {person} held {}", words(roles)),
        (_, []) => format!("{person} held {}; it takes one of {needed}", words(roles)),
        (_, held) => format!("{person} held {}; it takes one of {needed}", words(held)),
    }
}

fn words(roles: &[Role]) -> String {
    if roles.is_empty() { "no role".to_owned() } else { names(roles).join(", ") }
}

fn names(roles: &[Role]) -> Vec<&'static str> {
    roles.iter().map(|role| role.name()).collect()
}

fn local(time: Timestamp) -> String {
    moment(Some(&timestamp_to_wire(time)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
