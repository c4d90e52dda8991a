//! `vialedger entries`: the facts themselves.

use std::collections::BTreeMap;

use clap::{ArgGroup, Args};
use prost::Message as _;

use super::error::CliError;
use super::options::Listing;
use super::output::{moment, print, table};
use super::parse::{self, Moment};
use super::session::Session;
use super::{Desk, tell};
use crate::client::ClientError;
use crate::ledger::RequestKind;
use crate::pb::v1;

/// List the ledger's entries, oldest first.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("subject")
    .args(["vial", "patient", "person", "product", "lot"]))]
pub struct EntriesArgs {
    /// Only those that touch this vial
    #[arg(long, value_parser = parse::vial)]
    vial: Option<String>,
    /// Only those that touch this patient
    #[arg(long, value_parser = parse::patient)]
    patient: Option<String>,
    /// Only those that touch this person
    #[arg(long, value_parser = parse::person)]
    person: Option<String>,
    /// Only those that touch this product
    #[arg(long, value_parser = parse::product)]
    product: Option<String>,
    /// Only those that touch this lot
    #[arg(long, value_parser = parse::lot)]
    lot: Option<String>,
    /// Only acts of this kind, such as `DispenseVial`
    #[arg(long, value_name = "ACT", value_parser = kind)]
    act: Option<RequestKind>,
    /// Only those recorded at or after this moment
    #[arg(long, value_name = "WHEN", value_parser = parse::moment)]
    from: Option<Moment>,
    /// Only those recorded before this moment
    #[arg(long, value_name = "WHEN", value_parser = parse::moment)]
    to: Option<Moment>,
    #[command(flatten)]
    listing: Listing,
    /// Go on with each new entry as it is recorded, until interrupted
    #[arg(long, conflicts_with_all = ["subject", "act", "from", "to", "json"])]
    follow: bool,
}

/// Names of people by their public keys.
pub(super) type Names = BTreeMap<Vec<u8>, String>;

/// Lists entries, and follows the ledger where that was asked for.
pub(super) async fn entries(args: EntriesArgs, desk: &Desk) -> Result<(), CliError> {
    let session = &Session::open(desk).await?;
    let now = session.now();
    let lot = args.lot.map(|lot| format!("lots/{lot}"));
    let subjects = [args.vial, args.patient, args.person, args.product, lot];
    let request = v1::ListEntriesRequest {
        subject: subjects.into_iter().flatten().next().unwrap_or_default(),
        request_type: args.act.map(|act| act.message_name().to_owned()).unwrap_or_default(),
        start_time: args.from.map(|moment| moment.resolve(now)),
        end_time: args.to.map(|moment| moment.resolve(now)),
        ..Default::default()
    };
    let found = session.list(request, args.listing.limit).await?;
    if session.out.is_json() {
        return session.answer("ListEntriesResponse", &found, String::new);
    }
    let people = names(session).await?;
    let mut shown = text(&found.entries, &people);
    if !found.next_page_token.is_empty() {
        shown += "\n\nThere are more: raise --limit, or narrow the search.";
    }
    print(&shown)?;
    if args.follow {
        let next = found.entries.last().map_or(0, |entry| entry.index + 1);
        follow(session, next, people).await?;
    }
    Ok(())
}

async fn follow(session: &Session, start: u64, people: Names) -> Result<(), CliError> {
    let mut stream = session.client.tail(start).await?;
    loop {
        let message = stream.message().await.map_err(|status| ClientError::from_status(&status))?;
        let Some(entry) = message.and_then(|message| message.entry) else { return Ok(()) };
        let [index, when, who, act, what] = row(&entry, &people);
        print(&format!("{index}  {when}  {who}  {act}  {what}"))?;
    }
}

/// Who holds which key, so that entries can name people.
pub(super) async fn names(session: &Session) -> Result<Names, CliError> {
    let people = session.list(v1::ListPeopleRequest::default(), usize::MAX).await?.people;
    let keys = people.into_iter().flat_map(|person| {
        let name = person.name;
        person.keys.into_iter().map(move |key| (key.public_key, name.clone()))
    });
    Ok(keys.collect())
}

/// Entries as a table.
#[must_use]
pub(super) fn text(entries: &[v1::StoredEntry], people: &Names) -> String {
    if entries.is_empty() {
        return "No entry.".to_owned();
    }
    let rows = entries.iter().map(|entry| row(entry, people)).collect();
    table(["Entry", "Recorded", "Signed by", "Act", "What became of it"], rows)
}

fn row(stored: &v1::StoredEntry, people: &Names) -> [String; 5] {
    let index = stored.index.to_string();
    let Ok(entry) = v1::Entry::decode(stored.entry.as_slice()) else {
        let unreadable = "these bytes are not an entry: verify the ledger".to_owned();
        return [index, String::new(), String::new(), String::new(), unreadable];
    };
    [
        index,
        moment(entry.recorded_time.as_ref()),
        people.get(&entry.signer_key).cloned().unwrap_or_else(|| "unknown key".to_owned()),
        tell::act(&entry.request_type),
        entry.outcome.as_ref().map(tell::headline).unwrap_or_default(),
    ]
}

fn kind(text: &str) -> Result<RequestKind, String> {
    RequestKind::ALL.into_iter().find(|kind| kind.short_name() == text).ok_or_else(|| {
        let known: Vec<_> = RequestKind::ALL.iter().map(|kind| kind.short_name()).collect();
        format!("expected one of {}", known.join(", "))
    })
}
