//! The signing client: what a person's device does with a ledger.
//!
//! Each write is serialised once; those bytes are signed and those bytes are sent. Every receipt
//! that comes back is verified before anybody is told that something was recorded: the entry holds
//! the very bytes and signature that were sent, its inclusion proof holds, and the checkpoint is
//! signed by the ledger's key, which the caller brought along. A server that lies about any of it
//! is found out here.
//!
//! With a [`Memory`] it remembers the newest checkpoint that it saw of each ledger, and refuses a server
//! that does not prove that it extends it: one that forks, or was put back to an older state.
//!
//! What it does not do: without a memory it remembers nothing between runs, and it never shows the
//! private key to anyone; bearer tokens for reads are issued from it on the spot.

mod calls;
mod codec;
mod connect;
mod error;
mod gossip;
mod memory;
mod receipt;
mod rotation;

use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bytes::Bytes;
use http::uri::PathAndQuery;
use prost::Message;
use tonic::client::Grpc;
use tonic::metadata::{AsciiMetadataValue, MetadataValue};
use tonic::transport::Channel;
use tonic::{Request, Streaming};
use tonic_prost::ProstCodec;

use crate::clock::Clock;
use crate::key::Key;
use crate::ledger::SignedRequest;
use crate::names::PersonName;
use crate::pb::v1;
use crate::time::Timestamp;
use crate::tlog::VerifierKey;
use crate::token;

pub use calls::{Act, Answer, Read, Stamp, new_request_id};
pub use connect::{ConnectOptions, Identity};
pub use error::{ClientError, Rejection, Violation};
pub use gossip::HistoryFault;
pub use memory::{Memory, MemoryError};
pub use receipt::{ReceiptFault, check_receipt};

use codec::SignedBytes;

/// How long one call may take, from the first byte sent to the last received.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a call that the server could not take at the moment is sent, in all.
pub const MAX_ATTEMPTS: u32 = 5;
/// The longest wait between two attempts, whatever the server asks for.
pub const MAX_RETRY_DELAY: Duration = Duration::from_secs(5);
/// Largest answer that is read, in bytes: a page of entries is at most 2 MiB and a little.
pub const MAX_ANSWER_BYTES: usize = 8 * 1024 * 1024;
/// How long the client's own tokens are good for. Short, since a new one costs a signature.
const TOKEN_LIFETIME: Duration = Duration::from_mins(5);
/// A token this close to its end is not used any more, in microseconds.
const TOKEN_MARGIN_MICROS: i64 = 60_000_000;

/// Metadata of a write: the public key, 32 bytes.
const KEY_METADATA: &str = "vialedger-key-bin";
/// Metadata of a write: the signature, 64 bytes.
const SIGNATURE_METADATA: &str = "vialedger-signature-bin";

/// A connection to one ledger as one person.
pub struct Client {
    grpc: Grpc<Channel>,
    /// As it was given, for messages.
    server: String,
    ledger: VerifierKey,
    person: PersonName,
    key: Key,
    clock: Clock,
    token: Mutex<Option<(AsciiMetadataValue, Timestamp)>>,
    memory: Option<Memory>,
    /// Whether the server was compared with the memory.
    looked: AtomicBool,
}

impl Client {
    /// Connects. `ledger` is the verifier key that the caller got from outside: answers of any
    /// other ledger are refused. `person` is whose key it is. A connection that breaks later is
    /// made again by itself with the next call.
    pub async fn connect(
        options: &ConnectOptions,
        ledger: VerifierKey,
        person: PersonName,
        key: Key,
        clock: Clock,
    ) -> Result<Self, ClientError> {
        let channel = connect::channel(options).await?;
        let grpc = Grpc::new(channel).max_decoding_message_size(MAX_ANSWER_BYTES);
        let (server, token) = (options.server.clone(), Mutex::new(None));
        let (memory, looked) = (None, AtomicBool::new(false));
        Ok(Self { grpc, server, ledger, person, key, clock, token, memory, looked })
    }

    /// Origin of the ledger that is spoken to.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.ledger.name().as_str()
    }

    /// Whose key it is.
    #[must_use]
    pub fn person(&self) -> &PersonName {
        &self.person
    }

    /// The key that signs.
    #[must_use]
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The key that the ledger's checkpoints must be signed with.
    #[must_use]
    pub fn verifier_key(&self) -> &VerifierKey {
        &self.ledger
    }

    /// Stamps, serialises and signs an act: the origin, a request id and the two options are filled
    /// in.
    pub fn sign<A: Act>(&self, mut act: A, stamp: &Stamp) -> Result<SignedRequest, ClientError> {
        let request_id = match &stamp.request_id {
            Some(id) => id.clone(),
            None => new_request_id(self.clock.now())?,
        };
        act.stamp(self.origin(), request_id, stamp);
        let bytes = Bytes::from(act.encode_to_vec());
        Ok(SignedRequest::sign(A::KIND, bytes, self.key.signing_key()))
    }

    /// Records an act and verifies the receipt.
    pub async fn write<A: Act>(&self, act: A, stamp: &Stamp) -> Result<Answer, ClientError> {
        let request = self.sign(act, stamp)?;
        self.send(&request).await
    }

    /// Sends a signed request as it is, and the same bytes again when the server asks for patience:
    /// the request id in them makes that safe. Verifies the receipt.
    pub async fn send(&self, request: &SignedRequest) -> Result<Answer, ClientError> {
        let path = request.kind().method().ok_or(ClientError::NotOverGrpc)?;
        let path = PathAndQuery::try_from(path).expect("a method's name is a path");
        let seen = self.look_before_write().await?;
        let mut attempt = 1;
        loop {
            let mut grpc = self.ready().await?;
            let call = signed_call(request);
            let answer = grpc.unary(call, path.clone(), SignedBytes::<Answer>::default()).await;
            match answer {
                Ok(answer) => {
                    let answer = answer.into_inner();
                    let receipt = answer.receipt.clone().unwrap_or_default();
                    let answer = match self.checked(request, answer) {
                        Ok(answer) => answer,
                        Err(error) => return Err(self.explain(error, &receipt).await),
                    };
                    if let Some(receipt) = &answer.receipt {
                        self.remember_receipt(seen, receipt).await?;
                    }
                    return Ok(answer);
                }
                Err(status) => wait_or_give_up(&status, &mut attempt)
                    .await
                    .map_err(|error| error.of_write(calls::request_id(request)))?,
            }
        }
    }

    /// Reads with a bearer token of the client's own key.
    pub async fn read<R: Read>(&self, message: R) -> Result<R::Response, ClientError> {
        self.look().await?;
        self.ask(message).await
    }

    /// The same without a look at the memory.
    async fn ask<R: Read>(&self, message: R) -> Result<R::Response, ClientError> {
        let mut attempt = 1;
        loop {
            let mut grpc = self.ready().await?;
            let call = self.read_call(message.clone())?;
            let codec = ProstCodec::<R, R::Response>::default();
            match grpc.unary(call, PathAndQuery::from_static(R::PATH), codec).await {
                Ok(answer) => return Ok(answer.into_inner()),
                Err(status) => wait_or_give_up(&status, &mut attempt).await?,
            }
        }
    }

    /// Follows the ledger from an index on. The stream ends when the server stops, or after an
    /// error.
    pub async fn tail(
        &self,
        start_index: u64,
    ) -> Result<Streaming<v1::TailEntriesResponse>, ClientError> {
        let message = v1::TailEntriesRequest { start_index };
        self.follow("/vialedger.v1.AuditService/TailEntries", message).await
    }

    /// Follows the open sessions, as a wall display does: at once, after every change, and from time to time.
    pub async fn watch_sessions(
        &self,
    ) -> Result<Streaming<v1::WatchSessionsResponse>, ClientError> {
        let message = v1::WatchSessionsRequest {};
        self.follow("/vialedger.v1.CourseService/WatchSessions", message).await
    }

    async fn follow<Q, A>(
        &self,
        path: &'static str,
        message: Q,
    ) -> Result<Streaming<A>, ClientError>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        self.look().await?;
        let mut grpc = self.ready().await?;
        let mut call = Request::new(message);
        call.metadata_mut().insert("authorization", self.bearer()?);
        let path = PathAndQuery::from_static(path);
        let answer = grpc.server_streaming(call, path, ProstCodec::default()).await;
        answer.map(tonic::Response::into_inner).map_err(|status| ClientError::from_status(&status))
    }

    async fn ready(&self) -> Result<Grpc<Channel>, ClientError> {
        let mut grpc = self.grpc.clone();
        grpc.ready().await.map_err(|error| connect::failed(&self.server, &error))?;
        Ok(grpc)
    }

    fn read_call<R: Read>(&self, message: R) -> Result<Request<R>, ClientError> {
        let mut call = Request::new(message);
        call.set_timeout(CALL_TIMEOUT);
        call.metadata_mut().insert("authorization", self.bearer()?);
        Ok(call)
    }

    /// A token that is good for a while yet.
    fn bearer(&self) -> Result<AsciiMetadataValue, ClientError> {
        let now = self.clock.now();
        let mut slot = self.token.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((token, end)) = slot.as_ref()
            && end.micros_since(now) > TOKEN_MARGIN_MICROS
        {
            return Ok(token.clone());
        }
        let key = self.key.signing_key();
        let token = token::issue(key, self.origin(), &self.person, now, TOKEN_LIFETIME)?;
        let mut value = AsciiMetadataValue::try_from(format!("Bearer {token}"))
            .expect("a token is base64url and points");
        value.set_sensitive(true);
        let micros = i64::try_from(TOKEN_LIFETIME.as_micros()).expect("five minutes fit");
        let end = now.checked_add_micros(micros);
        *slot = end.ok().map(|end| (value.clone(), end));
        Ok(value)
    }

    fn checked(&self, request: &SignedRequest, answer: Answer) -> Result<Answer, ClientError> {
        if let Some(receipt) = &answer.receipt {
            check_receipt(receipt, answer.outcome.as_ref(), Some(request), &self.ledger)?;
        } else if !calls::is_validate_only(request) {
            return Err(ClientError::Receipt(ReceiptFault::Missing));
        }
        Ok(answer)
    }
}

fn signed_call(request: &SignedRequest) -> Request<Bytes> {
    let mut call = Request::new(request.bytes().clone());
    call.set_timeout(CALL_TIMEOUT);
    let metadata = call.metadata_mut();
    metadata.insert_bin(KEY_METADATA, MetadataValue::from_bytes(request.key()));
    metadata.insert_bin(SIGNATURE_METADATA, MetadataValue::from_bytes(request.signature()));
    call
}

/// Waits where the server says that a later attempt can succeed; otherwise the error.
async fn wait_or_give_up(status: &tonic::Status, attempt: &mut u32) -> Result<(), ClientError> {
    let rejection = Rejection::from_status(status);
    match rejection.retry_delay {
        Some(delay) if *attempt < MAX_ATTEMPTS => {
            *attempt += 1;
            tokio::time::sleep(delay.min(MAX_RETRY_DELAY)).await;
            Ok(())
        }
        _ => Err(ClientError::from_rejection(rejection)),
    }
}

#[cfg(test)]
mod tests {
    use tonic::{Code, Status};
    use tonic_types::{ErrorDetails, StatusExt as _};

    use super::*;

    fn unavailable(retry_delay: Option<Duration>) -> Status {
        let mut details = ErrorDetails::with_error_info("QUEUE_FULL", "vialedger", []);
        if retry_delay.is_some() {
            details.set_retry_info(retry_delay);
        }
        Status::with_error_details(Code::Unavailable, "the queue is full", details)
    }

    #[tokio::test]
    async fn a_call_is_repeated_only_when_the_server_asks_for_it_and_not_for_ever() {
        let mut attempt = 1;
        let patience = unavailable(Some(Duration::ZERO));
        for expected in 2..=MAX_ATTEMPTS {
            wait_or_give_up(&patience, &mut attempt).await.unwrap();
            assert_eq!(attempt, expected);
        }
        let given_up = wait_or_give_up(&patience, &mut attempt).await.unwrap_err();
        assert!(matches!(given_up, ClientError::Rejected(_)));

        let mut attempt = 1;
        assert!(wait_or_give_up(&unavailable(None), &mut attempt).await.is_err());
        assert_eq!(attempt, 1);
    }

    #[test]
    fn what_is_sent_is_what_was_signed_with_its_key_and_signature_beside_it() {
        let key = Key::generate().unwrap();
        let bytes = Bytes::from_static(b"\x0a\x01x");
        let kind = crate::ledger::RequestKind::Witness;
        let request = SignedRequest::sign(kind, bytes.clone(), key.signing_key());
        let call = signed_call(&request);
        assert_eq!(call.get_ref(), &bytes);
        let value = |name| call.metadata().get_bin(name).unwrap().to_bytes().unwrap();
        assert_eq!(value(KEY_METADATA), key.public_key().as_bytes()[..]);
        assert_eq!(value(SIGNATURE_METADATA), request.signature()[..]);
    }
}
