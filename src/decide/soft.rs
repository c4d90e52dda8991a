//! Soft limits: what passes only with a coded reason.

use crate::command::Override;
use crate::pb::v1::{self, FlagKind};
use crate::refusal::Refusal;

/// Soft limits that were passed, to be matched with the reasons that were given.
#[derive(Default)]
pub(super) struct SoftLimits {
    passed: Vec<(String, String)>,
    /// Those whose reason was recorded before, in words.
    settled: Vec<(String, String)>,
}

impl SoftLimits {
    pub(super) fn passed(&mut self, limit: &str, text: String) {
        self.passed.push((limit.to_owned(), text));
    }

    /// A limit that was passed with a reason which is recorded already; it is flagged all the same.
    pub(super) fn settled(&mut self, limit: &str, text: String) {
        self.settled.push((limit.to_owned(), text));
    }

    /// The names of those that were passed.
    pub(super) fn names(&self) -> Vec<String> {
        self.passed.iter().chain(&self.settled).map(|(limit, _)| limit.clone()).collect()
    }

    /// Every soft limit needs its reason; each reason that is used is flagged.
    pub(super) fn settle(self, overrides: &[Override]) -> Result<Vec<v1::Flag>, Refusal> {
        let flag = |message| v1::Flag { kind: FlagKind::SoftLimitOverridden.into(), message };
        let settled = self.settled.into_iter();
        let mut flags: Vec<v1::Flag> =
            settled.map(|(limit, text)| flag(format!("{limit}: {text}"))).collect();
        let mut open = Vec::new();
        for (limit, text) in self.passed {
            match overrides.iter().find(|item| item.limit == limit) {
                Some(item) => {
                    let note = item.note.as_deref().map(|note| format!(" ({note})"));
                    let effect = item.effect.map(|effect| format!(", for {effect}"));
                    let reason = item.reason.as_str_name();
                    let message = format!(
                        "{limit}: {text}; {reason}{}{}",
                        note.unwrap_or_default(),
                        effect.unwrap_or_default()
                    );
                    flags.push(flag(message));
                }
                None => open.push(format!("{limit}: {text}")),
            }
        }
        if open.is_empty() {
            return Ok(flags);
        }
        Err(Refusal::SoftLimit { limits: open.join("; ") })
    }
}
