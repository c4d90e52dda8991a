//! A person of the story: a signed client with a key of its own, who does things and is sometimes told no.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::unexpected;
use crate::cli::error::CliError;
use crate::cli::session::{receipt_text, write_new};
use crate::cli::{error, init, tell};
use crate::client::{Act, Client, ClientError, Read, Stamp};
use crate::pb::v1;

/// A person with a connection to the server.
pub(super) struct Actor {
    pub(super) client: Client,
    /// As people say it.
    pub(super) name: &'static str,
}

/// What was recorded.
pub(super) struct Done {
    /// The entry that keeps it.
    pub(super) entry: u64,
    /// What the rules made of it.
    pub(super) outcome: v1::Outcome,
    /// The verified proof.
    pub(super) receipt: v1::Receipt,
}

/// What was refused.
#[derive(Debug, Serialize)]
pub(super) struct No {
    /// What was tried, in words.
    pub(super) tried: &'static str,
    /// Who tried it.
    pub(super) who: String,
    /// The stable reason.
    pub(super) reason: String,
    /// The reason in words.
    pub(super) message: String,
    /// The entry that keeps the refusal, where one does.
    pub(super) entry: Option<u64>,
    /// All of it, as whoever asked sees it.
    #[serde(skip)]
    pub(super) shown: String,
}

impl Actor {
    /// The person's resource name.
    pub(super) fn resource(&self) -> String {
        self.client.person().to_string()
    }

    /// Records an act, which the story needs to succeed.
    pub(super) async fn does<A: Act>(&self, act: A) -> Result<Done, CliError> {
        let what = tell::act(A::KIND.message_name());
        let answer = self.client.write(act, &Stamp::default()).await;
        let answer = answer.map_err(|error| {
            unexpected(format!("{} could not do \"{what}\": {error}", self.name))
        })?;
        let receipt = answer.receipt.ok_or_else(|| unexpected("an answer has no receipt"))?;
        let outcome = answer.outcome.unwrap_or_default();
        Ok(Done { entry: receipt.index, outcome, receipt })
    }

    /// Tries an act that must be refused for this reason, and recorded as a refusal or not.
    pub(super) async fn tries<A: Act>(
        &self,
        tried: &'static str,
        act: A,
        reason: &str,
        recorded: bool,
    ) -> Result<No, CliError> {
        let rejection = match self.client.write(act, &Stamp::default()).await {
            Err(ClientError::Rejected(rejection)) => rejection,
            Err(other) => return Err(unexpected(format!("{tried}: no answer but {other}"))),
            Ok(_) => return Err(unexpected(format!("{tried} was not refused"))),
        };
        if rejection.reason != reason || rejection.entry.is_some() != recorded {
            let (found, entry) = (&rejection.reason, rejection.entry);
            return Err(unexpected(format!(
                "{tried} was refused with {found} (entry {entry:?}) instead of {reason}"
            )));
        }
        Ok(No {
            tried,
            who: self.name.to_owned(),
            reason: rejection.reason.clone(),
            message: rejection.message.clone(),
            entry: rejection.entry,
            shown: error::rejection_text(&rejection),
        })
    }

    /// Asks the server.
    pub(super) async fn asks<R: Read>(&self, question: R) -> Result<R::Response, CliError> {
        let answer = self.client.read(question).await;
        answer.map_err(|error| unexpected(format!("{} got no answer: {error}", self.name)))
    }
}

impl Done {
    /// What a reviewer would look at, in words.
    pub(super) fn flags(&self) -> impl Iterator<Item = &str> {
        self.outcome.flags.iter().map(|flag| flag.message.as_str())
    }

    /// Keeps the receipt as a file that proves itself, in a folder that only its owner can look into.
    pub(super) fn keep(&self, folder: &Path) -> Result<PathBuf, CliError> {
        init::make_private_folder(folder)?;
        let path = folder.join(format!("entry-{}.receipt", self.entry));
        write_new(&path, &receipt_text(&self.receipt)?)?;
        Ok(path)
    }
}
