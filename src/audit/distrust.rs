//! What a key that may have been in other hands could have done, told from evidence that was found good.
//!
//! Whoever held the key could sign whatever its person could. Nothing in a signature says whose hand it was, so all that
//! was signed after the moment is listed. What others signed, and what lies before, a stolen key does not reach: it is
//! chained to, covered by, and judged with everything else.

use crate::command::{Act, Command};
use crate::ledger::{ParsedEntry, RequestKind, SignedRequest, Unread};
use crate::names::PersonName;
use crate::state::{State, Step};
use crate::time::Timestamp;

/// Whose signatures are not to be relied on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Suspect {
    /// This public key: a person's, or the ledger's own.
    Key([u8; 32]),
    /// All keys of this person.
    Person(PersonName),
}

/// What is not to be relied on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distrust {
    /// Whose signatures.
    pub suspect: Suspect,
    /// Since when: what was recorded after this.
    pub after: Timestamp,
}

/// An entry that rests on a key that is not relied on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DistrustedAct {
    /// The entry.
    pub index: u64,
    /// When it was recorded.
    pub recorded: Timestamp,
    /// What kind of act it is.
    pub kind: RequestKind,
    /// What it touches.
    pub touches: Vec<String>,
    /// Whether the entry records that the rules refused it.
    pub refused: bool,
    /// The entry that the key signed, where another person's approval put that into force with this one.
    pub approves: Option<u64>,
}

/// Checkpoints that one key of the ledger alone vouches for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DistrustedCheckpoints {
    /// How many there are.
    pub count: u64,
    /// Size of the first.
    pub first: u64,
    /// Size of the last.
    pub last: u64,
}

/// What rests on a key that is not relied on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distrusted {
    /// What was asked.
    pub asked: Distrust,
    /// Whether the ledger knows the key, or the person, at all.
    pub known: bool,
    /// The entries, oldest first.
    pub acts: Vec<DistrustedAct>,
    /// The checkpoints that rest on it alone, where it was the ledger's own key.
    pub checkpoints: Option<DistrustedCheckpoints>,
}

impl Distrusted {
    pub(super) fn new(asked: Distrust) -> Self {
        Self { asked, known: false, acts: Vec::new(), checkpoints: None }
    }

    /// Whether anything rests on it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.acts.is_empty() && self.checkpoints.is_none()
    }

    /// Looks at an entry that was found good; `after` is the state with it.
    pub(super) fn see(&mut self, after: &State, entry: &ParsedEntry<Unread>, step: &Step) {
        self.known |= match &self.asked.suspect {
            Suspect::Key(key) => after.key(key).is_some() || after.ledger_key(key).is_some(),
            Suspect::Person(person) => after.person(person).is_some(),
        };
        let (recorded, request) = (entry.sealed.recorded_time(), &entry.request);
        if recorded <= self.asked.after {
            return;
        }
        let approves = self.approved(request);
        if !self.signed(after, request.key()) && approves.is_none() {
            return;
        }
        self.acts.push(DistrustedAct {
            index: entry.sealed.index(),
            recorded,
            kind: request.kind(),
            touches: step.subjects.iter().map(|it| it.as_str().to_owned()).collect(),
            refused: step.refusal.is_some(),
            approves,
        });
    }

    fn signed(&self, state: &State, signer: &[u8; 32]) -> bool {
        match &self.asked.suspect {
            Suspect::Key(key) => key == signer,
            Suspect::Person(person) => {
                state.key(signer).is_some_and(|record| record.person == *person)
            }
        }
    }

    /// The entry of the key that this one puts into force.
    fn approved(&self, request: &SignedRequest) -> Option<u64> {
        if request.kind() != RequestKind::Approve {
            return None;
        }
        let Act::Approve(act) = Command::parse(request.kind(), request.bytes()).ok()?.act else {
            return None;
        };
        let proposal = act.proposal.0;
        let at = self.acts.binary_search_by_key(&proposal, |act| act.index).ok()?;
        self.acts.get(at).map(|act| act.index)
    }

    /// Looks at a checkpoint that held, right after the entry that it ends with. `before` and `after` are the states around
    /// that entry: where it rotates the ledger's key, both signed.
    pub(super) fn see_checkpoint(&mut self, before: &[u8; 32], after: &State) {
        let Suspect::Key(suspect) = &self.asked.suspect else { return };
        let now = after.ledger_keys().next_back().map(|key| key.key);
        let alone = before == suspect && now == Some(*suspect);
        if !alone || after.last_time() <= self.asked.after {
            return;
        }
        let size = after.size();
        let seen =
            self.checkpoints.unwrap_or(DistrustedCheckpoints { count: 0, first: size, last: size });
        self.checkpoints =
            Some(DistrustedCheckpoints { count: seen.count + 1, last: size, ..seen });
    }
}
