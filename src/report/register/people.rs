//! People with their roles and keys, as the entries enrol, change and end them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{number, request};
use crate::pb::v1::{self, outcome};
use crate::report::markup::Markup;
use crate::report::moments::{SiteTime, moment};
use crate::report::page::{cell, table};
use crate::report::words::{person, word};
use crate::time::Timestamp;

/// Letters of a key that are printed: enough to tell two of them apart.
const SHOWN_KEY: usize = 16;

/// What happened to the rights of a person.
struct Event {
    person: String,
    at: Option<Timestamp>,
    what: String,
    entry: String,
}

/// The people of the entries that were met.
#[derive(Default)]
pub(super) struct People {
    names: BTreeMap<String, String>,
    keys: BTreeMap<Vec<u8>, String>,
    /// What waits for a second person, by the index of its entry.
    waiting: BTreeMap<u64, v1::Entry>,
    events: Vec<Event>,
}

impl People {
    pub(super) fn names(&self) -> &BTreeMap<String, String> {
        &self.names
    }

    /// Who signed an entry.
    pub(super) fn signer(&self, entry: &v1::Entry) -> String {
        match self.keys.get(&entry.signer_key) {
            Some(name) => person(&self.names, name),
            None => "unknown key".to_owned(),
        }
    }

    pub(super) fn meet(&mut self, entry: &v1::Entry) {
        let result = entry.outcome.as_ref().and_then(|outcome| outcome.result.as_ref());
        match result {
            Some(outcome::Result::Proposed(_)) => {
                self.waiting.insert(entry.index, entry.clone());
            }
            Some(outcome::Result::LedgerInitialized(_)) => self.enact(entry, entry),
            Some(outcome::Result::RegistryChanged(changed)) => {
                let put_forward = changed.proposal.and_then(|index| self.waiting.remove(&index));
                self.enact(put_forward.as_ref().unwrap_or(entry), entry);
            }
            _ => {}
        }
    }

    /// What was asked for in one entry takes effect with another, or with the same.
    fn enact(&mut self, asked: &v1::Entry, effect: &v1::Entry) {
        let begun: Option<v1::InitializeLedgerRequest> = request(asked, "InitializeLedger");
        let enrolled: Option<v1::EnrollPersonRequest> = request(asked, "EnrollPerson");
        let fresh = begun.and_then(|it| it.administrator).or(enrolled.and_then(|it| it.person));
        if let Some(fresh) = fresh {
            self.names.insert(fresh.name.clone(), fresh.display_name.clone());
            let roles = format!("enrolled as {}", roles(fresh.roles()));
            self.note(&fresh.name, effect, roles);
            for key in &fresh.keys {
                self.key(&fresh.name, &key.public_key, effect);
            }
        }
        if let Some(change) = request::<v1::ChangeRolesRequest>(asked, "ChangeRoles") {
            let roles = format!("roles are now {}", roles(change.roles()));
            self.note(&change.person, effect, roles);
        }
        if let Some(key) = request::<v1::EnrollKeyRequest>(asked, "EnrollKey") {
            self.key(&key.person, &key.public_key, effect);
        }
        if let Some(end) = request::<v1::RevokeKeyRequest>(asked, "RevokeKey") {
            let whose = self.keys.get(&end.public_key).cloned().unwrap_or_default();
            let what = format!("key {} ended: {}", hex(&end.public_key), end.reason);
            self.note(&whose, effect, what);
        }
    }

    fn key(&mut self, person: &str, key: &[u8], effect: &v1::Entry) {
        self.keys.insert(key.to_vec(), person.to_owned());
        self.note(person, effect, format!("key {} enrolled", hex(key)));
    }

    fn note(&mut self, person: &str, effect: &v1::Entry, what: String) {
        let at = moment(effect.recorded_time.as_ref());
        self.events.push(Event { person: person.to_owned(), at, what, entry: number(effect) });
    }

    /// The table of all of it, person by person.
    pub(super) fn page(&self, time: SiteTime) -> Markup {
        let mut events: Vec<&Event> = self.events.iter().collect();
        events.sort_by(|one, other| one.person.cmp(&other.person));
        let rows: Vec<Vec<Markup>> = events
            .into_iter()
            .map(|event| {
                vec![
                    cell(&person(&self.names, &event.person)),
                    cell(&time.full(event.at)),
                    cell(&event.what),
                    cell(&event.entry),
                ]
            })
            .collect();
        table(&["Person", "Since", "What", "Entry"], &rows, "Nobody is enrolled.")
    }
}

fn roles(roles: impl Iterator<Item = v1::Role>) -> String {
    let words: Vec<String> = roles.map(|role| word(role.as_str_name(), "ROLE")).collect();
    if words.is_empty() { "nobody with a role".to_owned() } else { words.join(", ") }
}

fn hex(key: &[u8]) -> String {
    let mut text = key.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    text.truncate(SHOWN_KEY);
    text
}
