//! Every limit of the interface, each with its unit and its reason.
//!
//! A limit is met before the work that it bounds: a message is not read past its limit, a call over
//! the limit is refused before its signature is looked at. `tests/promises/wire.rs` tries each one
//! below, at and one above.

use std::time::Duration;

/// Largest request message, in bytes: an entry holds the whole request and what became of it, so
/// nothing larger could ever be recorded.
pub const MAX_REQUEST_BYTES: usize = crate::command::MAX_REQUEST_BYTES;

/// Largest message that health and reflection read, in bytes. They are asked by anybody, for names.
pub const MAX_OPEN_REQUEST_BYTES: usize = 4_096;

/// Largest header list of a call, in bytes as HTTP/2 counts them (name, value and 32 for each). A
/// key, a signature and a token together take less than 2 KiB.
pub const MAX_HEADER_LIST_BYTES: u32 = 16 * 1024;

/// Calls that one connection may have open at a time. A client that wants more waits, as HTTP/2
/// tells it to.
pub const MAX_STREAMS_PER_CONNECTION: u32 = 256;

/// Calls that all connections together may have in work at a time; past it, UNAVAILABLE with a
/// retry delay. The writer saturates with far fewer; beyond that only the waiting grows.
pub const MAX_CALLS_IN_WORK: usize = 1_024;

/// Streams that all connections together may keep open: so many with a token (`TailEntries`), and as many again without
/// one (health watches, reflection), so that no stranger takes a reader's place.
pub const MAX_OPEN_STREAMS: usize = 512;

/// Connections at a time; the next one waits in the listener's backlog.
pub const MAX_CONNECTIONS: usize = 256;

/// TLS handshakes at a time: a handshake costs a hundred times what a call costs.
pub const MAX_HANDSHAKES: usize = 64;

/// How long a new connection may take to finish its handshake and send HTTP/2's first bytes.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a silent connection is asked whether it is still there.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_mins(1);

/// How long the answer to that question may take.
pub const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// Time that a call gets when its caller names none.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(30);

/// Most time that a call gets, whatever its caller asks for. Streams have no such limit.
pub const MAX_DEADLINE: Duration = Duration::from_mins(2);

/// How long connections may take to finish once the server stops; then they are cut.
pub const DRAIN_LIMIT: Duration = Duration::from_secs(10);

/// What a caller is asked to wait before it tries again when the server is full or stopping.
pub const RETRY_DELAY: Duration = Duration::from_millis(250);

/// Items on a page when the caller names no number.
pub const DEFAULT_PAGE_SIZE: usize = 50;

/// Most items on a page.
pub const MAX_PAGE_SIZE: usize = 1_000;

/// Bytes of entries after which a page ends, whatever its number of items.
pub const MAX_PAGE_BYTES: usize = 2 * 1024 * 1024;

/// Longest page token that is looked at, in characters.
pub const MAX_PAGE_TOKEN_CHARS: usize = 256;

/// Entries that `TailEntries` reads ahead of a slow reader.
pub const TAIL_BUFFER_ENTRIES: usize = 64;

/// Largest error details, in bytes before base64. Whole trailers over 8 KiB break the connection of
/// many clients, and base64 adds a third.
pub const MAX_ERROR_DETAILS_BYTES: usize = 4_096;

/// Longest error message, in bytes. Percent-encoding may treble it on the wire.
pub const MAX_ERROR_MESSAGE_BYTES: usize = 1_000;

/// Longest time that a bearer token may be valid for.
pub use crate::token::MAX_TOKEN_LIFETIME;

/// Decoded keys kept for the signatures of writes. Decoding costs 6 µs, a tenth of a verification.
pub const MAX_DECODED_KEYS: usize = 4_096;

/// Verified tokens kept, so that a reader's second call does not pay for the signature again.
pub const MAX_VERIFIED_TOKENS: usize = 4_096;

/// Longest bearer token that is looked at, in bytes.
pub const MAX_TOKEN_BYTES: usize = 2_048;
