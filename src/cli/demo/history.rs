//! What the day left in the ledger: the refusals, and the whole life of one vial.

use prost::Message as _;
use serde::Serialize;

use super::actor::{Actor, No};
use super::opening::Cast;
use super::stage::{Stage, face};
use super::story::Story;
use super::treatment::Treated;
use super::{same, unexpected};
use crate::cli::error::CliError;
use crate::cli::output::quantity;
use crate::cli::tell;
use crate::pb::v1;
use crate::pb::v1::outcome::Result as Made;
use crate::units::Amount;
use crate::wire::{quantity_from_wire, timestamp_from_wire};

/// One vial's account.
#[derive(Debug, Serialize)]
pub(super) struct Account {
    vial: String,
    content: String,
    administered: String,
    wasted: String,
    left: String,
    /// Every entry that touches it.
    entries: Vec<u64>,
}

/// What was tried and refused, and where it is kept.
pub(super) fn refusals(story: &mut Story, refused: &[No]) -> Result<(), CliError> {
    story.chapter("Seven times no")?;
    story.tell(
        "None of them changed anything. Those that a compliance officer must be able to see later are entries of their \
         own, signed by whoever tried. A mistyped field, a reading that is missing, or a vial that is out of date, is only \
         pointed out.",
    )?;
    story.gap()?;
    let rows: Vec<[String; 4]> = refused
        .iter()
        .map(|no| {
            let kept = no.entry.map_or("not kept".to_owned(), |entry| format!("entry {entry}"));
            [no.tried.to_owned(), no.who.clone(), kept, no.reason.clone()]
        })
        .collect();
    story.table(["What was tried", "By", "Kept as", "Reason"], &rows)
}

/// Every entry that touched the vial, and where its content went.
pub(super) async fn vial(
    story: &mut Story,
    stage: &Stage,
    cast: &Cast,
    treated: &Treated,
) -> Result<Account, CliError> {
    let name = &treated.vial;
    story.chapter(&format!("The life of {name}"))?;
    stage.pass(2);
    let request = v1::ListEntriesRequest { subject: name.clone(), ..Default::default() };
    let found = cast.ada.asks(request).await?;
    let mut rows = Vec::new();
    let mut entries = Vec::new();
    let mut left = String::new();
    for stored in &found.entries {
        let entry = v1::Entry::decode(stored.entry.as_slice());
        let entry =
            entry.map_err(|error| unexpected(format!("entry {}: {error}", stored.index)))?;
        left = left_after(&entry, name)?.unwrap_or(left);
        let when = entry.recorded_time.as_ref().and_then(|time| timestamp_from_wire(time).ok());
        rows.push([
            when.map(face).unwrap_or_default(),
            stored.index.to_string(),
            signer(cast, &entry).to_owned(),
            left.clone(),
            what(cast, &entry, &treated.refused),
        ]);
        entries.push(stored.index);
    }
    story.table(["When", "Entry", "Signed by", "Left", "What happened"], &rows)?;
    story.gap()?;
    let account = balance(cast, name, entries).await?;
    story.tell("The balance, which every audit works out anew:")?;
    for (label, amount) in [
        ("on the label", &account.content),
        ("given to p-0417", &account.administered),
        ("wasted before a witness", &account.wasted),
        ("left", &account.left),
    ] {
        story.account(label, amount)?;
    }
    let Account { content, administered, wasted, left, .. } = &account;
    story.tell(&format!("It adds up: {administered} + {wasted} + {left} = {content}."))?;
    Ok(account)
}

/// What the vial holds after an entry, in the container and in hands; nothing where the entry changes nothing.
fn left_after(entry: &v1::Entry, vial: &str) -> Result<Option<String>, CliError> {
    let balances = entry.outcome.iter().flat_map(|outcome| &outcome.balances);
    let Some(balance) = balances.into_iter().find(|balance| balance.vial == vial) else {
        return Ok(None);
    };
    left(balance).map(|amount| Some(amount.to_string()))
}

fn left(balance: &v1::VialBalance) -> Result<Amount, CliError> {
    sum(&[balance.in_container.as_ref(), balance.in_hands.as_ref()])
}

fn sum(parts: &[Option<&v1::Quantity>]) -> Result<Amount, CliError> {
    let wrong = |error: &dyn std::fmt::Display| unexpected(format!("a balance: {error}"));
    let mut total: Option<Amount> = None;
    for part in parts {
        let part = part.ok_or_else(|| wrong(&"an amount is missing"))?;
        let part = quantity_from_wire(part).and_then(Amount::try_from).map_err(|e| wrong(&e))?;
        total = Some(match total {
            None => part,
            Some(total) => total.checked_add(part).map_err(|error| wrong(&error))?,
        });
    }
    total.ok_or_else(|| wrong(&"it has no parts"))
}

async fn balance(cast: &Cast, vial: &str, entries: Vec<u64>) -> Result<Account, CliError> {
    let found = cast.ada.asks(v1::GetVialRequest { name: vial.to_owned() }).await?;
    let balance = found.vial.and_then(|vial| vial.balance);
    let balance = balance.ok_or_else(|| unexpected(format!("{vial} has no balance")))?;
    let all = [&balance.administered, &balance.wasted, &balance.in_container, &balance.in_hands];
    let content = quantity(balance.content.as_ref());
    same("the vial's account", &sum(&all.map(Option::as_ref))?.to_string(), &content)?;
    same("what no witness saw", &quantity(balance.unwitnessed.as_ref()), "0 mL")?;
    same("the vial", tell::state(balance.state()), "closed")?;
    Ok(Account {
        vial: vial.to_owned(),
        content,
        administered: quantity(balance.administered.as_ref()),
        wasted: quantity(balance.wasted.as_ref()),
        left: left(&balance)?.to_string(),
        entries,
    })
}

fn signer<'a>(cast: &Cast, entry: &'a v1::Entry) -> &'a str {
    let signed =
        |actor: &&Actor| actor.client.key().public_key().as_bytes().as_slice() == entry.signer_key;
    cast.all().into_iter().find(signed).map_or("unknown key", |actor| actor.name)
}

fn what(cast: &Cast, entry: &v1::Entry, refused: &[No]) -> String {
    let Some(outcome) = &entry.outcome else { return String::new() };
    match &outcome.result {
        Some(Made::VialsReceived(_)) => "received, sealed, into the Main safe".to_owned(),
        Some(Made::Dispensing(dispensing)) => {
            format!("handed to {} for p-0417", cast.name(&dispensing.holder))
        }
        Some(Made::Administration(given)) => {
            format!("{} ({}) given", quantity(given.amount.as_ref()), quantity(given.dose.as_ref()))
        }
        Some(Made::Waste(waste)) => {
            format!("{} wasted, no witness yet", quantity(waste.amount.as_ref()))
        }
        Some(Made::WasteWitnessed(seen)) => {
            format!("waste by {} witnessed; vial closed", cast.name(&seen.wasted_by))
        }
        Some(Made::Refusal(refusal)) => {
            let tried = refused.iter().find(|no| no.entry == Some(entry.index));
            format!("refused: {}", tried.map_or(refusal.reason.as_str(), |no| no.tried))
        }
        _ => tell::headline(outcome),
    }
}
