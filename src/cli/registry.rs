//! `vialedger place`, `proposals` and `approve`: where vials are kept, and the second person's
//! consent.

use clap::{Args, Subcommand};

use super::error::CliError;
use super::options::{Listing, Recording};
use super::output::{moment, table};
use super::session::Session;
use super::{Desk, parse, tell};
use crate::client::{Client, ClientError, check_receipt};
use crate::pb::v1;

/// Where vials are kept.
#[derive(Subcommand, Debug)]
pub enum PlaceCommand {
    /// Add a place
    Create {
        /// The place, such as places/main
        #[arg(value_parser = parse::place)]
        place: String,
        /// Its name as people say it, such as "Main safe"
        #[arg(long)]
        name: String,
        #[command(flatten)]
        recording: Recording,
    },
    /// List the places
    List {
        #[command(flatten)]
        listing: Listing,
    },
}

/// What waits for a second person.
#[derive(Subcommand, Debug)]
pub enum ProposalsCommand {
    /// List what waits for a second person
    List {
        #[command(flatten)]
        listing: Listing,
    },
}

/// Approve what another person put forward.
#[derive(Args, Debug)]
pub struct ApproveArgs {
    /// The entry that put it forward, such as entries/3
    #[arg(value_parser = parse::entry)]
    entry: String,
    #[command(flatten)]
    recording: Recording,
}

/// Runs a place command.
pub(super) async fn place(command: PlaceCommand, desk: &Desk) -> Result<(), CliError> {
    let session = &Session::open(desk).await?;
    match command {
        PlaceCommand::Create { place, name, recording } => {
            let place = v1::Place { name: place, display_name: name };
            let act = v1::CreatePlaceRequest { place: Some(place), ..Default::default() };
            session.record(act, &recording).await
        }
        PlaceCommand::List { listing } => {
            let places = session.list(v1::ListPlacesRequest::default(), listing.limit).await?;
            session.answer("ListPlacesResponse", &places, || {
                let rows = places.places.iter();
                let rows = rows.map(|place| [place.name.clone(), place.display_name.clone()]);
                table(["Place", "Name"], rows.collect())
            })
        }
    }
}

/// Runs a proposals command.
pub(super) async fn proposals(command: ProposalsCommand, desk: &Desk) -> Result<(), CliError> {
    let session = &Session::open(desk).await?;
    let ProposalsCommand::List { listing } = command;
    let found = session.list(v1::ListProposalsRequest::default(), listing.limit).await?;
    session.answer("ListProposalsResponse", &found, || {
        if found.proposals.is_empty() {
            return "Nothing waits for a second person.".to_owned();
        }
        let rows = found.proposals.iter().map(|proposal| {
            [
                proposal.entry.clone(),
                tell::act(&proposal.request_type),
                proposal.summary.clone(),
                proposal.proposed_by.clone(),
                moment(proposal.proposed_time.as_ref()),
            ]
        });
        table(["Entry", "Act", "What it would change", "Put forward by", "When"], rows.collect())
    })
}

/// Approves what was put forward.
pub(super) async fn approve(args: ApproveArgs, desk: &Desk) -> Result<(), CliError> {
    let session = &Session::open(desk).await?;
    let act = approval(&session.client, args.entry).await?;
    session.record(act, &args.recording).await
}

/// The approval of what an entry put forward: reads the entry, verifies its receipt, and names the hash of what was read.
pub(super) async fn approval(
    client: &Client,
    entry: String,
) -> Result<v1::ApproveRequest, CliError> {
    let answer = client.read(v1::GetReceiptRequest { name: entry.clone() }).await?;
    let receipt = answer.receipt.unwrap_or_default();
    let (read, _) =
        check_receipt(&receipt, None, None, client.verifier_key()).map_err(ClientError::from)?;
    if format!("entries/{}", receipt.index) != entry {
        let found = receipt.index;
        return Err(CliError::Data(format!("the server sent entry {found}, not {entry}")));
    }
    let leaf_hash = read.sealed.leaf_hash().as_bytes().to_vec();
    Ok(v1::ApproveRequest { proposal: entry, leaf_hash, ..Default::default() })
}
