//! What is due now, once or for a display on the wall.

use console::Term;
use tonic::Status;

use crate::cli::error::CliError;
use crate::cli::options::Listing;
use crate::cli::output::{json_of, moment, print};
use crate::cli::session::Session as Connection;
use crate::cli::tell;
use crate::client::ClientError;
use crate::pb::v1;
use crate::wire::timestamp_to_wire;

/// Shows the board once: the open sessions and the forms that are to be sent.
pub(super) async fn show(listing: &Listing, connection: &Connection) -> Result<(), CliError> {
    let found = connection.list(v1::ListSessionsRequest::default(), listing.limit).await?;
    connection.answer("ListSessionsResponse", &found, || {
        tell::board::text(&found.sessions, &timestamp_to_wire(connection.now()))
    })
}

/// Shows each board as it comes: drawn anew on a terminal, below the last one elsewhere, a line each for programs.
///
/// A wall that shows an old board is worse than none: the end of the stream is an error, and the terminal says so.
pub(super) async fn watch(connection: &Connection) -> Result<(), CliError> {
    let mut boards = connection.client.watch_sessions().await?;
    let term = Term::stdout();
    loop {
        let next = boards.message().await;
        let board = next.map_err(|status| ClientError::from_status(&status))?;
        let Some(board) = board else {
            let ended = Status::unavailable("the server has stopped, and this board is not live");
            return Err(ClientError::from_status(&ended).into());
        };
        if connection.out.is_json() {
            let line = json_of("vialedger.v1.WatchSessionsResponse", &board)?;
            print(&line.to_string())?;
            continue;
        }
        if term.is_term() {
            term.clear_screen().map_err(CliError::Output)?;
        }
        let now = board.server_time.unwrap_or_else(|| timestamp_to_wire(connection.now()));
        let text = tell::board::text(&board.sessions, &now);
        print(&format!("{}, {} entries\n\n{text}", moment(Some(&now)), board.size))?;
    }
}
