//! The register of an audit pack: what happened to each vial, what a reviewer should look at, and who might do what.
//!
//! The columns of a vial's register are in the order of 21 CFR 1304.22(c): what it is; how it was acquired, when and
//! from whom; how it was dispensed, to whom, when and by whom; how it was otherwise disposed of. The running balance is
//! the one that each entry holds. Nothing is added up over entries that are not there: a register of some entries says
//! what these say.

mod people;
mod vial;

use std::collections::BTreeMap;

use prost::Message as _;

use super::markup::Markup;
use super::moments::{SiteTime, moment};
use super::page::{cell, facts, flowing, glance, header, page, paragraph, remark, section, table};
use super::words::{or_none, person, plain, word};
use crate::pb::v1::{self, outcome};
use people::People;
use vial::{Vials, standing};

/// What a register is made from.
#[derive(Clone, Copy, Debug)]
pub struct RegisterInput<'a> {
    /// The entries in their order, each with whether it was asked for and is not there for the keys alone.
    pub entries: &'a [(bool, v1::Entry)],
    /// What was asked for, in words.
    pub selection: &'a str,
    /// Size of the ledger at the checkpoint.
    pub size: u64,
    /// Root of the tree at the checkpoint, in base64.
    pub root: &'a str,
}

/// Entries of one kind, by their request.
type Counts = BTreeMap<String, u64>;

/// One self-contained page of HTML: no script, nothing fetched, and the same bytes from the same entries.
#[must_use]
pub fn register_page(input: &RegisterInput<'_>) -> String {
    let first = input.entries.first().map(|(_, entry)| entry);
    let begun = first.and_then(|it| v1::InitializeLedgerRequest::decode(&*it.request).ok());
    let site = begun.and_then(|begun| begun.site).unwrap_or_default();
    let ledger = first.map_or("", |entry| &entry.ledger);
    let time = SiteTime::of(&site);
    let mut people = People::default();
    let mut vials = Vials::new(time);
    let (mut refusals, mut flags) = (Vec::new(), Vec::new());
    let mut counts = Counts::new();
    for (selected, entry) in input.entries {
        people.meet(entry);
        if *selected {
            *counts.entry(act(&entry.request_type)).or_default() += 1;
            vials.meet(entry, &people);
            look_at(entry, time, &people, &mut refusals, &mut flags);
        }
    }
    let title = "Controlled-substance register";
    let mut body = header(title, input.selection, &site);
    body.add(&glance(&[
        ("Entries", counts.values().sum::<u64>().to_string()),
        ("Vials", vials.registers().len().to_string()),
        ("Refusals", refusals.len().to_string()),
        ("Flags", flags.len().to_string()),
    ]));
    body.add(&facts(&[
        ("Ledger", ledger.to_owned()),
        ("Size", format!("{} entries", input.size)),
        ("Root", input.root.to_owned()),
        ("Times", format!("{}, the site's standard time", time.zone())),
    ]));
    body.add(&section("Vials at a glance", &summary(&vials)));
    for register in vials.registers() {
        body.add(&flowing(&register.name, &register.page()));
    }
    let heading = ["Entry", "Recorded", "Who", "Reason", "In words"];
    body.add(&flowing("Refused acts", &table(&heading, &refusals, "None is recorded.")));
    let heading = ["Entry", "Recorded", "Who", "Flag", "In words"];
    body.add(&flowing("To be looked at", &table(&heading, &flags, "Nothing is flagged.")));
    body.add(&flowing("Who might do what, and since when", &people.page(time)));
    body.add(&section("Counts", &counted(&counts)));
    let words = format!(
        "Made from the entries of {} alone. It is a copy of what is recorded and proves nothing by itself: the entries \
         with the numbers named here do, and README.txt says how they are checked. Patients are named by their pseudonyms.",
        or_none(ledger)
    );
    body.add(&Markup::element("footer", &[], &paragraph(&words)));
    page(&format!("{title}, {}", or_none(ledger)), "", &body)
}

/// What a reviewer should look at in an entry.
fn look_at(
    entry: &v1::Entry,
    time: SiteTime,
    people: &People,
    refusals: &mut Vec<Vec<Markup>>,
    flags: &mut Vec<Vec<Markup>>,
) {
    let Some(outcome) = &entry.outcome else { return };
    let row = |what: &str, words: &str| {
        vec![
            cell(&number(entry)),
            cell(&time.full(moment(entry.recorded_time.as_ref()))),
            cell(&people.signer(entry)),
            cell(what),
            cell(words),
        ]
    };
    if let Some(outcome::Result::Refusal(refusal)) = &outcome.result {
        refusals.push(row(&refusal.reason, &refusal.message));
    }
    for flag in &outcome.flags {
        flags.push(row(&word(flag.kind().as_str_name(), "FLAG_KIND"), &plain(&flag.message)));
    }
}

fn summary(vials: &Vials) -> Markup {
    let rows: Vec<Vec<Markup>> = vials
        .registers()
        .iter()
        .map(|register| {
            vec![
                cell(&register.name),
                cell(&register.label()),
                cell(&register.state()),
                cell(&register.left()),
                standing(&register.balance),
            ]
        })
        .collect();
    let heading = ["Vial", "What it is", "State", "Left", "Balance"];
    let found = table(&heading, &rows, "No entry here changes a vial.");
    found.and(&remark("As the last entry here leaves each of them."))
}

fn counted(counts: &Counts) -> Markup {
    let rows: Vec<Vec<Markup>> =
        counts.iter().map(|(act, count)| vec![cell(act), cell(&count.to_string())]).collect();
    table(&["Act", "Entries"], &rows, "No entry was asked for.")
}

/// The entry's number, as it is asked for.
fn number(entry: &v1::Entry) -> String {
    format!("entries/{}", entry.index)
}

/// The act behind a request type: `DispenseVial`.
fn act(request_type: &str) -> String {
    let name = request_type.rsplit('.').next().unwrap_or_default();
    name.strip_suffix("Request").unwrap_or(name).to_owned()
}

/// A request, where an entry holds one of this kind.
fn request<M: prost::Message + Default>(entry: &v1::Entry, name: &str) -> Option<M> {
    (act(&entry.request_type) == name).then(|| M::decode(&*entry.request).ok()).flatten()
}

/// A person by display name and id.
fn named(people: &People, name: &str) -> String {
    person(people.names(), name)
}
