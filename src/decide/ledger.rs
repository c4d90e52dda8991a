//! What the ledger itself does, signed with its own key.

use super::{Case, Draft};
use crate::command::{Act, RotateKeyCommand, SelfAuditCommand};
use crate::pb::v1::{self, FlagKind, outcome};
use crate::refusal::Refusal;
use crate::state::{Change, LEDGER_AUDITS, LEDGER_KEY, LedgerKey, SelfAudit};

impl Case<'_> {
    pub(super) fn act_of_the_ledger(&self) -> Result<Draft, Refusal> {
        self.signed_by_the_ledger()?;
        self.expected_size()?;
        match &self.command.act {
            Act::RotateLedgerKey(act) => self.rotate_key(act),
            Act::RecordSelfAudit(act) => self.record_self_audit(act),
            _ => unreachable!("the kind says that it is the ledger's"),
        }
    }

    fn rotate_key(&self, act: &RotateKeyCommand) -> Result<Draft, Refusal> {
        let (previous, next) = (act.keys.previous.to_string(), act.keys.next.to_string());
        // The key that signed is the ledger's now; the request must name the very same, so that its entry alone says
        // whose place is taken.
        if act.keys.previous.public_key().as_bytes() != self.request.key() {
            let resource = format!("a ledger key {previous} that is still valid");
            return Err(Refusal::Unknown { resource });
        }
        let key = *act.keys.next.public_key().as_bytes();
        self.key_is_new(&key)?;

        // From here the rotation is accepted.
        let mut draft = Draft::new(outcome::Result::LedgerKeyRotated(v1::LedgerKeyRotated {
            previous_verifier_key: previous.clone(),
            verifier_key: next.clone(),
        }));
        let why = act.reason.as_deref().unwrap_or("no reason was given");
        draft.flag(
            FlagKind::LedgerKeyRotated,
            format!("the ledger's key {previous} was replaced by {next}: {why}"),
        );
        draft.touch(&LEDGER_KEY);
        draft.change(Change::RotateKey(LedgerKey {
            key,
            verifier_key: next,
            entry: self.index,
            began: self.now,
            replaced: None,
        }));
        Ok(draft)
    }

    fn record_self_audit(&self, act: &SelfAuditCommand) -> Result<Draft, Refusal> {
        if act.size > self.state.size() {
            let resource = format!("entries/{}", act.size - 1);
            return Err(Refusal::Unknown { resource });
        }
        // An audit goes on from one that is recorded, so that no entry is between the two.
        let last = self.state.self_audit();
        if act.start > last.map_or(0, |audit| audit.size) {
            let resource = format!("a recorded audit of {} entries", act.start);
            return Err(Refusal::Unknown { resource });
        }

        // From here the record is accepted. Whether its root is that of the signed checkpoint is for the audit to ask,
        // which has the tree.
        let whole = act.start == 0;
        let mut draft = Draft::new(outcome::Result::SelfAuditRecorded(v1::SelfAuditRecorded {
            size: act.size,
            whole,
        }));
        draft.touch(&LEDGER_AUDITS);
        let last_whole = last.and_then(|audit| audit.whole).filter(|_| !whole);
        draft.change(Change::RecordSelfAudit(SelfAudit {
            entry: self.index,
            size: act.size,
            recorded: self.now,
            whole: last_whole.or_else(|| whole.then_some(self.now)),
        }));
        Ok(draft)
    }
}
