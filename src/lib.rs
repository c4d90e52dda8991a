//! vialedger keeps the controlled-substance ledger of one registered location, so that an audit can pass by proof
//! instead of by trust.
//!
//! # What it promises
//!
//! * Nothing acknowledged is ever changed or lost: `tests/promises/append_only.rs`, `tests/promises/durability.rs`, and
//!   `tests/crash.rs`, which kills the real server again and again.
//! * Any changed, missing, doubled, reordered or added byte in the evidence is found, and its entry is named:
//!   `tests/matrix`, which tries every byte.
//! * Any receipt proves itself against every later checkpoint: `tests/tlog`, `tests/tiles`, `tests/crash.rs`.
//! * Tools that are not ours read the ledger's tiles, checkpoints and proofs: `tests/tiles`.
//! * One request id, one entry, one answer, under retries and races: `tests/promises/exactly_once.rs`.
//! * What was in a vial is administered, wasted, or still there, at every moment: `tests/rules/conservation.rs`.
//! * A dose is exact and rounded once, in a named direction, never up past a limit: `tests/arithmetic`,
//!   `tests/rules/doses.rs`.
//! * Whoever acts cannot witness it; whoever changes the rules needs a second person: `tests/rules/custody.rs`,
//!   `tests/rules/registry.rs`.
//! * Every refusal has a stable reason, and they come in the documented order: `tests/rules/refusals.rs`.
//! * A patient is treated by the site's own formulary: the right patient, dose and day, watched, and home only by its
//!   rules; no rule's number is in the program: `tests/course`.
//! * A ledger that forks is caught by the first cosigner that saw the other history, with a proof that needs nobody's
//!   word: `tests/cosigner`.
//! * No entry holds a patient's name, address, date of birth or identifier; an export verifies with identities withheld
//!   or opened: `tests/identities.rs`.
//! * A bundle of some entries verifies by itself, opens nothing else, and shows every changed byte and a cut-off end:
//!   `tests/bundle`.
//! * What is printed is what was recorded, to the last reading, and nothing is filled in: `tests/report`.
//! * A device refuses a server that shows another history, or less of it, than the device saw, and a ledger that was put
//!   back to an older state takes no writes: `tests/gossip`.
//! * One key of the ledger follows another without a gap, whenever it is broken off; what rests on a stolen key is listed
//!   exactly; evidence that is changed behind the server's back ends all writing: `tests/ledgerkey`.
//! * What a person signed is stored as the very bytes that were sent: `tests/interop.rs`, where the client is not ours.
//!
//! # What it does not do
//!
//! It gives no legal advice and prints no "compliant". Its entries know patients by pseudonyms only; who they are is sealed
//! beside the ledger, and lost with its key. It does not say whether a dose is right for a patient: it says what a
//! published protocol makes of the inputs. It excludes no cut-off tail by itself: for that, somebody keeps a receipt or a
//! checkpoint outside. It stops nobody who holds both the ledger's key and every person's key.
//!
//! # Who could break what
//!
//! `decide` and what it uses say what an entry means: a change there changes the meaning of old ledgers, and takes a new
//! [`decide::RULES_VERSION`]. `ledger`, `dsse` and `tlog` say what is signed and hashed: a change there makes old
//! evidence unreadable. `identity` says what a commitment is to: a change there leaves old identities unproved. `store`
//! decides what survives a crash. `grpc::auth` decides who is heard. A mistake anywhere else can be mended without
//! touching the evidence.
//!
//! # Layers
//!
//! A module uses only modules above it in this list; `tests/tidy.rs` holds the arrows.
//!
//! | rooms | what lives there |
//! |---|---|
//! | `units`, `dsse`, `tlog`, `pb` | exact quantities; what is signed; trees, notes, checkpoints, proofs; generated messages |
//! | `time`, `role` | moments and days, without a "now"; what a person may do |
//! | `ident`, `identity`, `names` | NDC, GTIN, GS1, DEA, NPI; who a patient is, and its commitment; resource names |
//! | `formulary` | products, protocols and plans of treatment: validated, immutable, content-hashed |
//! | `dosing`, `vial`, `course` | the calculation; the life of one vial; a patient's course of treatment |
//! | `wire` | the one place between core values and messages |
//! | `ledger`, `report` | signed requests, sealed entries, receipts; pages and forms for people, from messages alone |
//! | `command`, `refusal` | a fully read request; every "no" that the rules can say |
//! | `state` | everything folded from the entries |
//! | `decide` | the rules |
//! | `audit` | everything derived again from the bytes |
//! | `bundle` | some of the entries, in a file that proves itself |
//! | `clock`, `durable`, `key`, `token` | the only clock; files replaced as a whole; keys in files; bearer tokens |
//! | `handover` | a folder that is there whole or not at all |
//! | `store`, `tiles` | SQLite: the ledger, and beside it the sealed identities; the ledger as static files |
//! | `service` | queue, decide, append, receipt |
//! | `grpc`, `client`, `cosigner`, `telemetry` | tonic services, the signing client, log cosigners on both sides, the log |
//! | `server` | listener, TLS, shutdown |
//! | `cli` | the commands |
//! | `app` | from the arguments to the exit status |
//!
//! Down to `bundle` everything is the core. The core reads no clock, does no I/O, has no randomness, does not log, is
//! synchronous, and iterates over nothing without an order. Only `store` names rusqlite. Only `clock` reads the clock.
//! No float exists here.
//!
//! One idea runs through it: every fact is a request signed by the person whose act it is; pure rules decide what it
//! does; the entry keeps the request, the signature and the outcome; and everything else is derived from the entries.

pub mod app;
pub mod audit;
pub mod bundle;
pub mod cli;
pub mod client;
pub mod clock;
pub mod command;
pub mod cosigner;
pub mod course;
pub mod decide;
pub mod dosing;
pub mod dsse;
pub mod durable;
pub mod formulary;
pub mod grpc;
pub mod handover;
pub mod ident;
pub mod identity;
pub mod key;
pub mod ledger;
pub mod names;
pub mod pb;
pub mod refusal;
pub mod report;
pub mod role;
pub mod server;
pub mod service;
pub mod state;
pub mod store;
pub mod telemetry;
pub mod tiles;
pub mod time;
pub mod tlog;
pub mod token;
pub mod units;
pub mod vial;
pub mod wire;
