//! The ledger's audit of itself: what is new once a day, and all of it on a schedule.
//!
//! It is the audit that anybody can make (`crate::audit`), over the rows as they lie on the disk, against the key and the
//! checkpoint that this process has in memory: so a tail that was cut off behind its back is missed. Where all is good, the
//! ledger's own key says so in an entry. Where it is not, nothing is written any more, since every further entry would
//! stand on evidence that does not hold.
//!
//! The first one of a process reads everything: nothing that it holds in memory says what was good before. Writes go on
//! meanwhile. It proves nothing to whoever does not trust the server; for those, `vialedger verify` does the same.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use prost::Message as _;
use tokio::sync::Mutex;

use super::Service;
use super::error::ServiceError;
use super::queue::{Status, WriteStatus};
use crate::audit::{Audited, Examined, Options, Plan, Report, Verdict, examine};
use crate::clock::Stopwatch;
use crate::command::RequestId;
use crate::ledger::{RequestKind, SignedRequest};
use crate::pb::v1;
use crate::store::{Evidence, LedgerFolder, StoreError};
use crate::time::Timestamp;
use crate::tlog::NoteSigner;

/// How often it is looked whether an audit is due.
const LOOK_EVERY: Duration = Duration::from_mins(1);

/// When the ledger audits itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditSchedule {
    /// Time from one audit to the next, at least.
    pub every: Duration,
    /// The same for one that reads every entry.
    pub whole_every: Duration,
}

impl Default for AuditSchedule {
    fn default() -> Self {
        Self { every: Duration::from_hours(24), whole_every: Duration::from_hours(7 * 24) }
    }
}

/// An audit that found nothing wrong, and is recorded.
#[derive(Clone, Debug)]
pub struct SelfAudited {
    /// The entry that records it.
    pub index: u64,
    /// What was found.
    pub report: Report,
}

/// What the ledger audits itself with. One audit at a time.
#[derive(Debug)]
pub(super) struct SelfAuditor {
    signer: NoteSigner,
    database: PathBuf,
    schedule: Option<AuditSchedule>,
    /// Where the last audit of this process ended, if its record is in the ledger.
    ended: Mutex<Option<Audited>>,
}

impl SelfAuditor {
    pub(super) fn new(
        signer: NoteSigner,
        folder: &LedgerFolder,
        schedule: Option<AuditSchedule>,
    ) -> Self {
        Self { signer, database: folder.database(), schedule, ended: Mutex::new(None) }
    }
}

impl Service {
    /// Audits the ledger, now, and records that it is good: every entry, or those after the last audit of this process.
    ///
    /// Bad evidence is [`ServiceError::EvidenceBad`], and ends all writing.
    pub async fn self_audit_now(&self, whole: bool) -> Result<SelfAudited, ServiceError> {
        let mut ended = self.shared.auditor.ended.lock().await;
        if let Some(refusal) = self.shared.status.refusal() {
            return Err(refusal);
        }
        let stopwatch = Stopwatch::start();
        // Taken out: whatever ends this early has the next one read everything.
        let since = ended.take().filter(|_| !whole);
        let start = since.as_ref().map_or(0, Audited::size);
        let Examined { report, audited, .. } = self.examine(since).await?;
        let took = stopwatch.elapsed();
        let Some(audited) = audited else { return Err(self.evidence_is_bad(&report)) };
        tracing::info!(start, size = audited.size(), ?took, "the ledger audited itself: good");

        let request = self.record_of(start, &audited, took)?;
        let answer = self.submit(request).await?;
        let receipt = answer.receipt.ok_or(ServiceError::Internal)?;
        *ended = Some(audited);
        Ok(SelfAudited { index: receipt.index, report })
    }

    /// The same where the schedule says so; nothing where it does not.
    pub async fn self_audit_if_due(&self) -> Result<Option<SelfAudited>, ServiceError> {
        match self.self_audit_due() {
            Some(whole) => self.self_audit_now(whole).await.map(Some),
            None => Ok(None),
        }
    }

    /// Audits whenever it is due, for as long as this is polled.
    pub async fn keep_auditing(&self) -> Infallible {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let Err(error) = self.self_audit_if_due().await else { continue };
            // What is bad was said where it was found.
            if self.accepts_writes() {
                tracing::warn!(%error, "the ledger could not audit itself; it tries again");
            }
        }
    }

    /// Waits until nothing is written any more until somebody looks after the ledger.
    pub async fn writes_ended(&self) {
        self.shared.status.stopped().await;
    }

    /// Whether an audit is due, and if so, whether of everything.
    fn self_audit_due(&self) -> Option<bool> {
        let schedule = self.shared.auditor.schedule?;
        let now = self.shared.clock.now();
        let passed = |since: Timestamp, limit: Duration| {
            now.micros_since(since) >= i64::try_from(limit.as_micros()).unwrap_or(i64::MAX)
        };
        let published = self.published();
        let began = published.state.ledger_keys().next()?.began;
        let last = published.state.self_audit();
        if !passed(last.map_or(began, |last| last.recorded), schedule.every) {
            return None;
        }
        let whole = last.and_then(|last| last.whole).unwrap_or(began);
        Some(last.is_none() || passed(whole, schedule.whole_every))
    }

    async fn examine(&self, since: Option<Audited>) -> Result<Examined, ServiceError> {
        let auditor = &self.shared.auditor;
        let options = Options {
            verifier_key: auditor.signer.verifier_key().clone(),
            checkpoint: Some(self.published().note.clone()),
        };
        let (database, status) = (auditor.database.clone(), Arc::clone(&self.shared.status));
        let plan = Plan { since, ..Plan::default() };
        let work = move || examine_file(&database, &options, plan, &status);
        // Not among the reads, whose places it would hold for minutes.
        let examined = tokio::task::spawn_blocking(work).await;
        let examined = examined.map_err(|_| ServiceError::Internal)?;
        match examined {
            Err(ServiceError::EvidenceBad(why)) => Err(self.stop_writing(why)),
            examined => examined,
        }
    }

    /// What the ledger signs of an audit that found nothing wrong.
    fn record_of(
        &self,
        start: u64,
        audited: &Audited,
        took: Duration,
    ) -> Result<SignedRequest, ServiceError> {
        let mut random = [0; 10];
        getrandom::fill(&mut random).map_err(|error| {
            tracing::error!(%error, "the operating system gave no randomness");
            ServiceError::Internal
        })?;
        let signer = &self.shared.auditor.signer;
        let seconds = i64::try_from(took.as_secs()).unwrap_or(i64::MAX);
        let nanos = i32::try_from(took.subsec_nanos()).unwrap_or(0);
        let message = v1::RecordSelfAuditRequest {
            ledger: signer.verifier_key().name().to_string(),
            request_id: RequestId::new(self.shared.clock.now(), random).to_string(),
            start_size: start,
            size: audited.size(),
            root: audited.root().as_ref().to_vec(),
            duration: Some(prost_types::Duration { seconds, nanos }),
            ..v1::RecordSelfAuditRequest::default()
        };
        let bytes = Bytes::from(message.encode_to_vec());
        Ok(SignedRequest::sign(RequestKind::RecordSelfAudit, bytes, signer.signing_key()))
    }

    fn evidence_is_bad(&self, report: &Report) -> ServiceError {
        let why = match (&report.finding, &report.verdict) {
            (Some(finding), _) => finding.to_string(),
            (None, Verdict::None(why)) => why.clone(),
            (None, _) => "the audit did not say why".to_owned(),
        };
        self.stop_writing(why)
    }

    fn stop_writing(&self, why: String) -> ServiceError {
        tracing::error!(why, "THE EVIDENCE IS BAD: the ledger audited itself and takes no writes");
        self.shared.status.set(WriteStatus::EvidenceBad(why.clone()));
        ServiceError::EvidenceBad(why)
    }
}

/// Audits the file with a connection of its own, on one thread, so that requests have the others. Gives up when the
/// service ends meanwhile.
fn examine_file(
    database: &Path,
    options: &Options,
    plan: Plan,
    status: &Status,
) -> Result<Examined, ServiceError> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().map_err(|error| {
        tracing::error!(%error, "no thread for the audit");
        ServiceError::Internal
    })?;
    let examined = pool.install(|| {
        let evidence = Evidence::open(database).map_err(|error| unreadable(database, &error))?;
        let since = plan.since.as_ref().map_or(0, Audited::size);
        let entries = evidence.entries_from(since.saturating_sub(1));
        let entries = entries.take_while(|_| status.refusal().is_none());
        let checkpoints = evidence.checkpoints_from(since);
        Ok::<_, ServiceError>(examine(options, plan, entries, checkpoints, |_| {}))
    })?;
    match status.refusal() {
        Some(refusal) => Err(refusal),
        None => Ok(examined),
    }
}

/// A lock or a full disk passes, and so does a want of file descriptors. Whatever else keeps the file from being read is
/// what an audit is there to find.
fn unreadable(database: &Path, error: &StoreError) -> ServiceError {
    let passes = matches!(error, StoreError::Busy | StoreError::Full)
        || (error.is_disk_failure() && !matches!(error, StoreError::Damaged(_)));
    if passes && database.is_file() {
        tracing::warn!(%error, "the evidence could not be opened to be audited");
        return ServiceError::Internal;
    }
    ServiceError::EvidenceBad(error.to_string())
}
