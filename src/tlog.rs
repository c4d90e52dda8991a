//! The transparency log: RFC 6962 trees and the C2SP formats around them, as pure functions.
//!
//! * [`struct@Hash`], [`leaf_hash`], [`node_hash`], [`empty_root`]: the hashes of RFC 9162.
//! * [`Tree`]: an append-only tree that keeps its right edge in memory and proves inclusion and
//!   consistency at any size it ever had, reading older tiles through a function passed in.
//! * [`verify_inclusion`], [`verify_consistency`]: the checks of RFC 9162 sections 2.1.3.2 and
//!   2.1.4.2.
//! * [`SignedNote`], [`VerifierKey`], [`NoteSigner`]: <https://c2sp.org/signed-note>.
//! * [`Checkpoint`]: <https://c2sp.org/tlog-checkpoint>.
//! * [`Cosigner`], [`verify_cosignature`]: `cosignature/v1` of <https://c2sp.org/tlog-cosignature>.
//! * [`Submission`], [`authenticate`], [`judge`]: `add-checkpoint` of <https://c2sp.org/tlog-witness>, its body and its
//!   rules; [`SplitView`]: the proof that a log broke them.
//! * [`Known`]: a checkpoint that somebody remembers, and how a tree stands to it.
//! * [`Policy`]: <https://c2sp.org/tlog-policy>.
//! * [`TlogProof`]: <https://c2sp.org/tlog-proof>, the part of a receipt that proves itself.
//! * [`TilePath`] and the encodings of tiles and entry bundles: <https://c2sp.org/tlog-tiles>.
//!
//! Every parser takes bytes from strangers: it never panics, accepts one spelling of every value
//! (so that what was parsed is written again byte for byte), and has a named limit for every
//! length.
//!
//! What this module does not do: it reads no clock, no file and no socket, makes no keys, and does
//! not decide whom to trust. It knows Ed25519 keys only; signatures of other kinds are carried
//! along and ignored.

mod bundle;
mod checkpoint;
mod cosignature;
mod cosigning;
mod hash;
mod key;
mod known;
mod note;
mod policy;
mod proof;
mod split_view;
mod submission;
mod text;
mod tile;
mod tree;
mod verify;
mod vkey;

pub use bundle::{
    BundleError, MAX_ENTRY_BYTES, decode_entries, decode_hashes, encode_entries, encode_hashes,
};
pub use checkpoint::{Checkpoint, CheckpointError, MAX_EXTENSION_LINES, MAX_ORIGIN_BYTES};
pub use cosignature::{CosignatureError, Cosigner, MAX_TIMESTAMP_SECONDS, verify_cosignature};
pub use cosigning::{
    Authentic, Conflict, Judgement, Kept, KeptCheckpoint, Refused, authenticate, judge,
};
pub use hash::{HASH_BYTES, Hash, HashError, empty_root, leaf_hash, node_hash};
pub use key::{
    Claim, PUBLIC_KEY_BYTES, PublicKey, PublicKeyError, SIGNATURE_BYTES, SignatureError, sign,
    verify_each,
};
pub use known::{Gap, Known, Standing, root_before_last};
pub use note::{
    MAX_NOTE_BYTES, MAX_NOTE_SIGNATURES, NoteError, NoteSignature, NoteSigner, SignedNote,
};
pub use policy::{
    MAX_POLICY_BYTES, MAX_POLICY_ITEMS, Policy, PolicyError, PolicyFault, PolicyKey, PolicyRefusal,
    PolicyReport,
};
pub use proof::{MAX_EXTRA_BYTES, MAX_TLOG_PROOF_BYTES, TlogProof, TlogProofError};
pub use split_view::{
    Divergence, MAX_SPLIT_VIEW_BYTES, SplitView, SplitViewError, divergence, from_the_first_entry,
};
pub use submission::{MAX_SUBMISSION_BYTES, Submission, SubmissionError};
pub use tile::{TILE_HASHES, TileKind, TilePath, TilePathError, tile_counts, tile_paths};
pub use tree::{FullTile, MissingTile, ProofError, RestoreError, Tree, no_tiles};
pub use verify::{
    MAX_PROOF_HASHES, MAX_TREE_SIZE, VerifyError, verify_consistency, verify_inclusion,
};
pub use vkey::{
    KeyId, KeyKind, KeyName, KeyNameError, MAX_KEY_NAME_BYTES, MAX_VERIFIER_KEY_BYTES, VerifierKey,
    VerifierKeyError, VerifierKeyLineError, parse_verifier_keys,
};
