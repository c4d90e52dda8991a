//! One checkpoint, one cosigner: the question, and the question again where the cosigner stands elsewhere.

use std::sync::Mutex;

use super::connect::{Address, AddressError, Connection, Connector};
use crate::service::{Service, ServiceError};
use crate::store::StoredTree;
use crate::tlog::{
    Checkpoint, CheckpointError, CosignatureError, Hash, NoteSignature, SignedNote, Submission,
    SubmissionError, VerifierKey, verify_cosignature,
};

/// How often one exchange asks. The first question may be about a size that the cosigner has left behind; if others hand
/// checkpoints of the same ledger in at the same time, so may the next ones.
const MAX_QUESTIONS: u32 = 5;

/// Characters of a cosigner's own words that are shown.
const MAX_SAID_CHARS: usize = 200;

/// A ledger whose checkpoints are handed in.
#[derive(Debug)]
pub enum Ledger {
    /// The one that this process serves.
    Served(Service),
    /// A ledger's file.
    Stored(Mutex<StoredTree>),
}

/// A cosigner to hand checkpoints in to.
#[derive(Clone, Debug)]
pub struct Recipient {
    name: String,
    key: VerifierKey,
    address: Address,
}

/// A checkpoint that was cosigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosigned {
    /// Its size.
    pub size: u64,
    /// The checkpoint, signed by the ledger.
    pub checkpoint: SignedNote,
    /// The cosigner's line, which was verified.
    pub line: NoteSignature,
    /// When the cosigner says that it signed, in seconds since 1970.
    pub time_seconds: u64,
}

/// Why a checkpoint was not cosigned.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// No answer, or an answer that says to ask later.
    #[error("not reached: {0}")]
    NotReached(String),
    /// The cosigner has seen more of this ledger than there is.
    #[error(
        "ALARM: the cosigner has signed a checkpoint of {seen} entries of this ledger, which has {size}: entries were \
         lost, or there is another ledger with this key"
    )]
    Ahead {
        /// The size that the cosigner has signed.
        seen: u64,
        /// The size of this ledger.
        size: u64,
    },
    /// The cosigner has signed another history.
    #[error(
        "ALARM: the cosigner does not find that this ledger extends the {old} entries that it signed ({said}): there \
         are two histories under this key"
    )]
    Diverged {
        /// The size that the cosigner has signed.
        old: u64,
        /// What it said.
        said: String,
    },
    /// Any other no.
    #[error("refused with status {status}: {said}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What the cosigner said.
        said: String,
    },
    /// It always stood elsewhere than where it had just said.
    #[error(
        "the cosigner moved on with every question; others hand in checkpoints of this ledger too"
    )]
    Unsettled,
    /// A yes without this cosigner's signature.
    #[error("the answer holds no cosignature by this cosigner's key: check the key in the policy")]
    NoCosignature,
    /// A cosignature that does not hold.
    #[error("the cosignature does not hold: {0}")]
    BadCosignature(#[from] CosignatureError),
    /// The ledger's own proof could not be made.
    #[error("the ledger's proof could not be made: {0}")]
    Proof(String),
    /// The checkpoint cannot be handed in.
    #[error(transparent)]
    Submission(#[from] SubmissionError),
    /// The newest checkpoint is none.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

impl SubmitError {
    /// Whether a person must look at the ledger: no later attempt will go better.
    #[must_use]
    pub const fn is_alarm(&self) -> bool {
        matches!(self, Self::Ahead { .. } | Self::Diverged { .. })
    }
}

impl Recipient {
    /// A cosigner of this name and key, at this submission prefix.
    pub fn new(
        name: &str,
        key: VerifierKey,
        url: &str,
        connector: &Connector,
    ) -> Result<Self, AddressError> {
        Ok(Self { name: name.to_owned(), key, address: connector.address(url)? })
    }

    /// The name that the policy gives it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key that its signatures are verified with.
    #[must_use]
    pub const fn key(&self) -> &VerifierKey {
        &self.key
    }
}

impl Ledger {
    /// The newest checkpoint.
    #[must_use]
    pub fn newest(&self) -> SignedNote {
        match self {
            Self::Served(service) => service.published().note.clone(),
            Self::Stored(tree) => locked(tree).note().clone(),
        }
    }

    async fn proof(&self, old: u64, new: u64) -> Result<Vec<Hash>, SubmitError> {
        match self {
            Self::Served(service) => {
                let proof = service.consistency_proof(old, Some(new)).await;
                proof.map(|proof| proof.path).map_err(|error: ServiceError| proof_failed(&error))
            }
            Self::Stored(tree) => {
                locked(tree).consistency_proof(old).map_err(|error| proof_failed(&error))
            }
        }
    }
}

/// Hands the newest checkpoint of a ledger in to a cosigner that is thought to have signed `known` entries last.
pub async fn submit(to: &Recipient, ledger: &Ledger, known: u64) -> Result<Cosigned, SubmitError> {
    let mut connection = Connection::to(&to.address);
    let mut old = known;
    for _ in 0..MAX_QUESTIONS {
        // The newest each time: whoever was ahead of this checkpoint may not be ahead of the next.
        let checkpoint = ledger.newest();
        let size = checkpoint.text().parse::<Checkpoint>()?.size();
        if old > size {
            return Err(SubmitError::Ahead { seen: old, size });
        }
        let proof = ledger.proof(old, size).await?;
        let body = Submission::new(old, proof, &checkpoint)?.to_string();
        let answer = connection.add_checkpoint(body).await.map_err(SubmitError::NotReached)?;
        let said = || in_short(&answer.body);
        match answer.status.as_u16() {
            200 => return cosigned(to, size, checkpoint, &answer.body),
            409 => match size_in(&answer.body) {
                Some(newest) if newest != old => old = newest,
                _ => return Err(SubmitError::Refused { status: 409, said: said() }),
            },
            422 => return Err(SubmitError::Diverged { old, said: said() }),
            status @ (408 | 429 | 500..) => {
                return Err(SubmitError::NotReached(format!("status {status}: {}", said())));
            }
            status => return Err(SubmitError::Refused { status, said: said() }),
        }
    }
    Err(SubmitError::Unsettled)
}

/// The cosigner's own line among those of an answer. Lines of other keys are not looked at.
fn cosigned(
    to: &Recipient,
    size: u64,
    checkpoint: SignedNote,
    answer: &[u8],
) -> Result<Cosigned, SubmitError> {
    let lines = str::from_utf8(answer).map_err(|_| SubmitError::NoCosignature)?;
    let line = lines
        .lines()
        .filter_map(|line| NoteSignature::parse(line).ok())
        .find(|line| line.name() == to.key.name() && line.id() == to.key.id())
        .ok_or(SubmitError::NoCosignature)?;
    let mut note = checkpoint.clone();
    note.add_signature(line.clone()).map_err(CosignatureError::from)?;
    let time_seconds = verify_cosignature(&note, &to.key)?;
    Ok(Cosigned { size, checkpoint, line, time_seconds })
}

/// The size in the body of a 409.
fn size_in(body: &[u8]) -> Option<u64> {
    let digits = str::from_utf8(body).ok()?.strip_suffix('\n')?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

/// What a stranger said, fit for a log.
fn in_short(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    text.trim().chars().take(MAX_SAID_CHARS).map(clean).collect()
}

fn proof_failed(error: &dyn ToString) -> SubmitError {
    SubmitError::Proof(error.to_string())
}

fn locked(tree: &Mutex<StoredTree>) -> std::sync::MutexGuard<'_, StoredTree> {
    // It is only read; whatever happened to a thread that held it, it is whole.
    tree.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_digits_and_a_newline() {
        assert_eq!(size_in(b"3\n"), Some(3));
        for other in [&b"3"[..], b"+3\n", b"\n", b" 3\n", b"3\n\n", b"\xFF\n"] {
            assert_eq!(size_in(other), None, "{other:?}");
        }
    }

    #[test]
    fn what_a_stranger_says_stays_one_short_line() {
        assert_eq!(in_short(b"no\nERROR forged\n"), "no ERROR forged");
        assert_eq!(in_short("é".repeat(1000).as_bytes()).chars().count(), MAX_SAID_CHARS);
    }
}
