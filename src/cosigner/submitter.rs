//! Handing checkpoints in beside a running server: a task for each cosigner, which no write ever waits for.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::connect::{AddressError, Connector};
use super::exchange::{Ledger, Recipient, SubmitError, submit};
use super::folder::Cosignatures;
use super::watch::clock_seconds;
use crate::clock::Clock;
use crate::service::Service;
use crate::tlog::{Policy, VerifierKey};

/// How long a cosigner is left alone after it has signed. What is recorded meanwhile is in the next checkpoint.
pub const PAUSE: Duration = Duration::from_secs(2);

/// How often the same checkpoint is handed in again while nothing is recorded, so that its cosignature stays fresh: its
/// time says that nothing newer was seen up to then.
pub const REFRESH: Duration = Duration::from_hours(1);

/// The wait after the first failure; it doubles with every further one, up to [`MAX_BACKOFF`].
const FIRST_BACKOFF: Duration = Duration::from_secs(1);

/// The longest wait after failures.
pub const MAX_BACKOFF: Duration = Duration::from_mins(5);

/// How long a server that starts waits for what its cosigners say first. One that was put back to an older state hears of
/// it from any of them that can be reached, before it takes its first write.
pub const FIRST_ANSWERS: Duration = Duration::from_secs(3);

/// Who is to cosign a ledger's checkpoints.
#[derive(Clone, Debug)]
pub struct Plan {
    recipients: Vec<Recipient>,
}

/// Why a policy cannot be acted on.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// It is about other logs.
    #[error("the policy has `log` lines, and none of them is this ledger's verifier key, {0}")]
    OtherLog(String),
    /// Nobody in it can be asked.
    #[error(
        "the policy names no cosigner that can be asked: a `witness` line with a key of type 0x04 and a URL is needed"
    )]
    Nobody,
    /// An address in it.
    #[error("cosigner {name}: {source}")]
    Address {
        /// The cosigner's name in the policy.
        name: String,
        /// What is wrong.
        source: AddressError,
    },
}

impl Plan {
    /// Everybody in a policy who has an address. `ledger` is whose checkpoints they are to sign.
    pub fn new(
        policy: &Policy,
        ledger: &VerifierKey,
        connector: &Connector,
    ) -> Result<Self, PlanError> {
        let is_ours = policy.logs().iter().any(|log| log.key() == Some(ledger));
        if !policy.logs().is_empty() && !is_ours {
            return Err(PlanError::OtherLog(ledger.to_string()));
        }
        let mut recipients = Vec::new();
        for cosigner in policy.cosigners() {
            let (name, Some(key), Some(url)) = (cosigner.name(), cosigner.key(), cosigner.url())
            else {
                continue;
            };
            let recipient = Recipient::new(name, key.clone(), url, connector);
            recipients.push(
                recipient.map_err(|source| PlanError::Address { name: name.to_owned(), source })?,
            );
        }
        if recipients.is_empty() { Err(PlanError::Nobody) } else { Ok(Self { recipients }) }
    }

    /// Those who are asked.
    #[must_use]
    pub fn recipients(&self) -> &[Recipient] {
        &self.recipients
    }
}

/// The tasks. They end when this is dropped; a file that is being written then is left whole, old or new.
#[derive(Debug)]
pub struct Submitter {
    _tasks: JoinSet<()>,
    recipients: usize,
    /// How many of them were asked once, whatever came of it.
    heard: watch::Receiver<usize>,
}

impl Submitter {
    /// Begins to hand in every checkpoint of a served ledger, and keeps what comes back in `folder`.
    #[must_use]
    pub fn start(plan: Plan, service: &Service, folder: &Cosignatures, clock: &Clock) -> Self {
        let ledger = Arc::new(Ledger::Served(service.clone()));
        let recipients = plan.recipients.len();
        let (asked, heard) = watch::channel(0);
        let asked = Arc::new(asked);
        let mut tasks = JoinSet::new();
        let names: Vec<_> = plan.recipients.iter().map(Recipient::name).collect();
        tracing::info!(cosigners = names.join(", "), "every checkpoint is handed in");
        for recipient in plan.recipients {
            let task = Task {
                recipient,
                ledger: Arc::clone(&ledger),
                service: service.clone(),
                asked: Arc::clone(&asked),
                folder: folder.clone(),
                clock: clock.clone(),
                newest: None,
                failures: 0,
            };
            tasks.spawn(task.run(service.subscribe()));
        }
        Self { _tasks: tasks, recipients, heard }
    }

    /// Waits until every cosigner was asked once, or for [`FIRST_ANSWERS`].
    pub async fn first_answers(&mut self) {
        let recipients = self.recipients;
        let all = self.heard.wait_for(|heard| *heard >= recipients);
        if timeout(FIRST_ANSWERS, all).await.is_err() {
            tracing::warn!("not every cosigner has answered yet: serving without their word");
        }
    }
}

/// One cosigner's.
struct Task {
    recipient: Recipient,
    ledger: Arc<Ledger>,
    service: Service,
    asked: Arc<watch::Sender<usize>>,
    folder: Cosignatures,
    clock: Clock,
    /// Size and time of its newest cosignature.
    newest: Option<(u64, u64)>,
    failures: u32,
}

impl Task {
    async fn run(mut self, mut sizes: watch::Receiver<u64>) {
        self.newest = self.folder.newest_by(self.recipient.key()).unwrap_or_else(|error| {
            tracing::warn!(%error, "the cosignatures kept so far cannot be read");
            None
        });
        let mut first = true;
        loop {
            sizes.mark_unchanged();
            let answer = self.ask().await;
            if let Err(SubmitError::Ahead { seen, .. }) = answer {
                // Every further entry would be one more in the place of another that was signed. The size is its word
                // alone, but the operator chose whose word to ask for; to stop is mended, to go on is not.
                self.service.stand_behind(seen, &format!("the cosigner {}", self.recipient.name()));
            }
            if std::mem::take(&mut first) {
                self.asked.send_modify(|asked| *asked += 1);
            }
            let wait = match answer {
                Ok(()) => {
                    sleep(PAUSE).await;
                    REFRESH
                }
                Err(error) => {
                    let wait = backoff(self.failures);
                    self.failures += 1;
                    self.tell(&error, wait);
                    // A new entry does not make a cosigner reachable: the whole wait is kept.
                    sleep(wait).await;
                    Duration::ZERO
                }
            };
            match timeout(wait, sizes.changed()).await {
                Ok(Ok(())) | Err(_) => {}
                // The writer has finished, and so will the server.
                Ok(Err(_)) => return,
            }
        }
    }

    async fn ask(&mut self) -> Result<(), SubmitError> {
        let known = self.newest.map_or(0, |(size, _)| size);
        let answer = submit(&self.recipient, &self.ledger, known).await?;
        let (size, time) = (answer.size, answer.time_seconds);
        let folder = self.folder.clone();
        let kept = tokio::task::spawn_blocking(move || {
            folder.keep(size, &answer.checkpoint, &answer.line)
        });
        let cosigner = self.recipient.name();
        match kept.await {
            Ok(Ok(())) => tracing::info!(cosigner, size, "the checkpoint was cosigned"),
            Ok(Err(error)) => {
                tracing::error!(cosigner, size, %error, "a cosignature could not be kept");
            }
            Err(error) => tracing::error!(cosigner, size, %error, "a cosignature was not kept"),
        }
        self.newest = Some((size, time));
        self.failures = 0;
        Ok(())
    }

    /// One line for each failure, with how old the newest cosignature has become.
    fn tell(&self, error: &SubmitError, again_in: Duration) {
        let cosigner = self.recipient.name();
        let now = clock_seconds(&self.clock);
        let (size, age_seconds) = match self.newest {
            Some((size, time)) => (Some(size), Some(now.saturating_sub(time))),
            None => (None, None),
        };
        if error.is_alarm() {
            tracing::error!(cosigner, size, age_seconds, %error, ?again_in, "no cosignature");
        } else {
            tracing::warn!(cosigner, size, age_seconds, %error, ?again_in, "no cosignature");
        }
    }
}

/// How long to wait after so many failures before, with up to a quarter more, so that the ledgers that a cosigner watches
/// do not all come back at once.
fn backoff(failures: u32) -> Duration {
    let wait = FIRST_BACKOFF.saturating_mul(1 << failures.min(16)).min(MAX_BACKOFF);
    // Without randomness they come back at once: that is all.
    let jitter = getrandom::u32().unwrap_or(0) % 256;
    wait.saturating_add(wait / 1024 * jitter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_limit() {
        for (failures, seconds) in [(0, 1), (1, 2), (5, 32), (9, 300), (40, 300), (u32::MAX, 300)] {
            let (least, most) = (seconds * 1000, seconds * 1250);
            let wait = backoff(failures).as_millis();
            assert!((least..=most).contains(&wait), "{failures}: {wait} ms");
        }
    }
}
