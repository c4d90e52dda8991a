//! Log cosigners: parties outside a ledger that sign its checkpoints, so that it cannot show two histories.
//!
//! Both sides of <https://c2sp.org/tlog-witness> are here. [`Watch`] is a cosigner: it signs a checkpoint only if it
//! extends the newest one that it signed, keeps every checkpoint whole, and keeps as evidence what does not fit.
//! [`http`] is its interface. The other side hands a ledger's checkpoints in: [`submit`] once, [`Submitter`] beside a
//! running server, and [`Cosignatures`] is the folder where what comes back is kept.
//!
//! The rules themselves are pure and stand in [`crate::tlog`] ([`crate::tlog::judge`]); the memory is
//! [`crate::store::CosignerStore`].
//!
//! What this does not do: it does not read entries and knows nothing of what they mean (an audit does), and it
//! neither asks a ledger for its checkpoints nor tells anybody of a conflict but by its log, its list and its exit
//! statuses.

mod connect;
mod exchange;
mod folder;
pub mod http;
mod submitter;
mod watch;

pub use connect::{AddressError, Connector};
pub use exchange::{Cosigned, Ledger, Recipient, SubmitError, submit};
pub use folder::{Cosignatures, FolderError, MAX_COMPARED};
pub use submitter::{FIRST_ANSWERS, MAX_BACKOFF, PAUSE, Plan, PlanError, REFRESH, Submitter};
pub use watch::{
    CLOCK_TOLERANCE_SECONDS, CosignerError, Unsigned, Watch, begin, clock_seconds, verifier_key,
};
