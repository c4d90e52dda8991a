//! `AuditService`: evidence and its proofs. Entries go out as the very bytes that were stored.

use std::pin::Pin;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, async_trait};

use super::error::Failure;
use super::handlers::{Handlers, name, violation};
use super::limits::{MAX_PAGE_BYTES, TAIL_BUFFER_ENTRIES};
use super::message;
use super::page::Page;
use crate::ident::Lot;
use crate::ledger::RequestKind;
use crate::names::{
    CourseName, EntryName, PatientName, PersonName, ProductName, SessionName, VialName,
};
use crate::pb::v1::{self, audit_service_server::AuditService};
use crate::service::{EntryQuery, Service};
use crate::time::Timestamp;
use crate::tlog::Hash;
use crate::wire::timestamp_from_wire;

type Entries = Pin<
    Box<dyn tokio_stream::Stream<Item = Result<v1::TailEntriesResponse, Status>> + Send + 'static>,
>;

#[async_trait]
impl AuditService for Handlers {
    type TailEntriesStream = Entries;

    async fn get_entry(
        &self,
        request: Request<v1::GetEntryRequest>,
    ) -> Result<Response<v1::GetEntryResponse>, Status> {
        let EntryName(index) = name("name", &request.get_ref().name)?;
        let entry = self.service.entry(index).await.map_err(Failure::from)?;
        let entry = Some(message::stored(index, entry));
        Ok(Response::new(v1::GetEntryResponse { entry }))
    }

    async fn list_entries(
        &self,
        request: Request<v1::ListEntriesRequest>,
    ) -> Result<Response<v1::ListEntriesResponse>, Status> {
        let asked = request.into_inner();
        let filter = Filter::read(&asked)?;
        let times = format!("{:?} {:?}", filter.start, filter.end);
        let arguments = [asked.subject.as_str(), asked.request_type.as_str(), times.as_str()];
        let page =
            Page::<u64>::read(asked.page_size, &asked.page_token, "ListEntries", &arguments)?;
        // The key of a page is the index that it begins with.
        let query = EntryQuery {
            start: page.after.unwrap_or(0),
            limit: page.size,
            max_bytes: MAX_PAGE_BYTES,
            subject: filter.subject,
            kind: filter.kind,
            start_time: filter.start,
            end_time: filter.end,
        };
        let found = self.service.entries(query).await.map_err(Failure::from)?;
        let next_page_token = found.next.map(|next| page.next_token(&next)).unwrap_or_default();
        let entries = found.entries.into_iter();
        let entries = entries.map(|(index, entry)| message::stored(index, entry)).collect();
        Ok(Response::new(v1::ListEntriesResponse { entries, next_page_token }))
    }

    async fn tail_entries(
        &self,
        request: Request<v1::TailEntriesRequest>,
    ) -> Result<Response<Entries>, Status> {
        let start = request.get_ref().start_index;
        let size = self.published().state.size();
        if start > size {
            let words = format!("start_index is {start}, beyond the ledger's size of {size}");
            return Err(Failure::OutOfRange(words).into());
        }
        let (entries, receiver) = mpsc::channel(TAIL_BUFFER_ENTRIES);
        let service = self.service.clone();
        tokio::spawn(async move {
            // The reader going away is an ordinary end.
            let gone = entries.clone();
            tokio::select! {
                () = tail(service, start, entries) => {}
                () = gone.closed() => {}
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn get_checkpoint(
        &self,
        request: Request<v1::GetCheckpointRequest>,
    ) -> Result<Response<v1::GetCheckpointResponse>, Status> {
        let published = self.published();
        let checkpoint = match request.get_ref().size {
            None => published.checkpoint.clone(),
            Some(size) => {
                drop(published);
                let found = self.service.checkpoint_at(size).await.map_err(Failure::from)?;
                found.ok_or_else(|| Failure::NotFound(format!("checkpoint of size {size}")))?
            }
        };
        Ok(Response::new(v1::GetCheckpointResponse { checkpoint }))
    }

    async fn get_inclusion_proof(
        &self,
        request: Request<v1::GetInclusionProofRequest>,
    ) -> Result<Response<v1::GetInclusionProofResponse>, Status> {
        let asked = request.into_inner();
        let proof = self.service.inclusion_proof(asked.index, asked.size).await;
        let proof = proof.map_err(Failure::from)?;
        Ok(Response::new(v1::GetInclusionProofResponse {
            size: proof.size,
            leaf_hash: proof.leaf.as_ref().to_vec(),
            path: hashes(&proof.path),
        }))
    }

    async fn get_consistency_proof(
        &self,
        request: Request<v1::GetConsistencyProofRequest>,
    ) -> Result<Response<v1::GetConsistencyProofResponse>, Status> {
        let asked = request.into_inner();
        let proof = self.service.consistency_proof(asked.old_size, asked.new_size).await;
        let proof = proof.map_err(Failure::from)?;
        let (new_size, path) = (proof.size, hashes(&proof.path));
        Ok(Response::new(v1::GetConsistencyProofResponse { new_size, path }))
    }

    async fn get_receipt(
        &self,
        request: Request<v1::GetReceiptRequest>,
    ) -> Result<Response<v1::GetReceiptResponse>, Status> {
        let EntryName(index) = name("name", &request.get_ref().name)?;
        let receipt = self.service.receipt(index).await.map_err(Failure::from)?;
        let receipt = Some(message::receipt(receipt));
        Ok(Response::new(v1::GetReceiptResponse { receipt }))
    }
}

/// Sends what there is from `next` on, then waits for the next commit, for as long as anybody reads.
/// A slow reader holds up only this task.
async fn tail(
    service: Service,
    mut next: u64,
    entries: mpsc::Sender<Result<v1::TailEntriesResponse, Status>>,
) {
    let mut sizes = service.subscribe();
    loop {
        let size = *sizes.borrow_and_update();
        while next < size {
            let query = EntryQuery {
                start: next,
                limit: TAIL_BUFFER_ENTRIES,
                max_bytes: MAX_PAGE_BYTES,
                subject: None,
                kind: None,
                start_time: None,
                end_time: None,
            };
            let found = match service.entries(query).await {
                Ok(found) => found,
                Err(error) => {
                    let failed = Err(Failure::from(error).into());
                    return entries.send(failed).await.unwrap_or_default();
                }
            };
            for (index, entry) in found.entries {
                let entry = Some(message::stored(index, entry));
                if entries.send(Ok(v1::TailEntriesResponse { entry })).await.is_err() {
                    return;
                }
                next = index + 1;
            }
        }
        if sizes.changed().await.is_err() {
            return;
        }
    }
}

fn hashes(path: &[Hash]) -> Vec<Vec<u8>> {
    path.iter().map(|hash| hash.as_ref().to_vec()).collect()
}

/// Which entries a list is for.
struct Filter {
    subject: Option<String>,
    kind: Option<RequestKind>,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
}

impl Filter {
    fn read(asked: &v1::ListEntriesRequest) -> Result<Self, Failure> {
        let kind = match asked.request_type.as_str() {
            "" => None,
            name => Some(RequestKind::from_message_name(name).ok_or_else(|| {
                let text = "is not a signed request's full name, \
                            such as \"vialedger.v1.DispenseVialRequest\"";
                violation("request_type", text)
            })?),
        };
        let time = |field, time: Option<&prost_types::Timestamp>| {
            time.map(timestamp_from_wire).transpose().map_err(|error| violation(field, error))
        };
        Ok(Self {
            subject: subject(&asked.subject)?,
            kind,
            start: time("start_time", asked.start_time.as_ref())?,
            end: time("end_time", asked.end_time.as_ref())?,
        })
    }
}

/// The resource that entries are to touch, in the one spelling that its name has.
fn subject(text: &str) -> Result<Option<String>, Failure> {
    let known = |text: &str| match text.split_once('/')? {
        ("vials", _) => text.parse::<VialName>().ok().map(|name| name.to_string()),
        ("patients", _) => text.parse::<PatientName>().ok().map(|name| name.to_string()),
        ("people", _) => text.parse::<PersonName>().ok().map(|name| name.to_string()),
        ("products", _) => text.parse::<ProductName>().ok().map(|name| name.to_string()),
        ("courses", _) => text.parse::<CourseName>().ok().map(|name| name.to_string()),
        ("sessions", _) => text.parse::<SessionName>().ok().map(|name| name.to_string()),
        ("ledger", "key" | "audits") => Some(text.to_owned()),
        ("lots", lot) => lot.parse::<Lot>().ok().map(|_| text.to_owned()),
        _ => None,
    };
    if text.is_empty() {
        return Ok(None);
    }
    let wanted = "is not vials/..., patients/..., courses/..., sessions/..., people/..., \
                  products/..., lots/..., ledger/key or ledger/audits; send the full resource name";
    known(text).map(Some).ok_or_else(|| violation("subject", wanted))
}
