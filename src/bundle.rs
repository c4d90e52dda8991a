//! Some of a ledger's entries, or all of them, in one file that proves itself.
//!
//! A bundle is lines of JSON, each in its one spelling: a head that says what was selected and how much of it follows;
//! the signed checkpoint; perhaps the exporter's policy; the entries in their order; perhaps opened identities; and an
//! end with the counts and the SHA-256 of everything before it. Each entry comes with its inclusion proof. Among them,
//! marked as not selected, are the entries that say who might do what (the *keys*), so that every signature can be tied
//! to a person with a role at that moment, in one pass and with little memory. Where all entries of the ledger are in
//! it, they prove themselves as a whole and no entry needs a proof of its own.
//!
//! * [`Selection`]: what is asked for, and which entries that is. [`Picker`] finds them by running the rules, so that
//!   no index is believed.
//! * [`Writer`] writes the lines; [`Checker`] takes them one by one and finds what is wrong; [`Line`] is one of them.
//!
//! A bundle proves what is in it. It cannot prove that nothing was left out, except where the selection is a run of
//! entries without a gap. The end with its hash finds accidents and cut-off files; against whoever can make it anew only
//! the signatures and the proofs count.

mod check;
mod keys;
mod line;
mod pick;
mod report;
mod selection;

pub use check::Checker;
pub use line::{EntryLine, Header, Line, MAX_LINE_BYTES, Trailer, VERSION, Writer, is_head};
pub use pick::{Picked, Picker};
pub use report::{BundleFinding, BundleReport};
pub use selection::Selection;
