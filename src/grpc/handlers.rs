//! What all handlers share: the one way to write, and the way to the state that reads see.

use std::str::FromStr;
use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::error::{Failure, unreadable};
use super::limits::{MAX_PAGE_BYTES, MAX_PAGE_SIZE};
use crate::clock::Clock;
use crate::command::Violation;
use crate::ledger::{ParsedEntry, RequestKind, SignedRequest};
use crate::names::PersonName;
use crate::pb::v1;
use crate::service::{Answer, EntryQuery, Published, Service};

/// Whoever asks with a token, as the authentication found; it travels with the request.
#[derive(Clone, Debug)]
pub(super) struct Asking(pub(super) PersonName);

/// Answers the calls of all services. A cheap handle.
#[derive(Clone)]
pub(super) struct Handlers {
    pub(super) service: Service,
    pub(super) clock: Clock,
}

impl Handlers {
    pub(super) fn new(service: Service, clock: Clock) -> Self {
        Self { service, clock }
    }

    /// The newest durable state, which stays as it is while a read looks at it.
    pub(super) fn published(&self) -> Arc<Published> {
        self.service.published()
    }

    /// Every write: the verified request goes to the service, and what became of it comes back.
    ///
    /// The message that tonic decoded is empty and is not looked at (see `frame::empty_message`).
    pub(super) async fn write<Q, A>(&self, mut request: Request<Q>) -> Result<Response<A>, Status>
    where
        A: From<Answer>,
    {
        let signed = request.extensions_mut().remove::<SignedRequest>();
        drop(request);
        let signed = signed.ok_or(Failure::SignatureMissing)?;
        let answer = self.service.submit(signed).await.map_err(Failure::from)?;
        Ok(Response::new(answer.into()))
    }
}

impl Handlers {
    /// Who asks, with the token that was shown.
    pub(super) fn asking<Q>(request: &Request<Q>) -> Result<PersonName, Failure> {
        let asking = request.extensions().get::<Asking>();
        asking.map(|Asking(person)| person.clone()).ok_or(Failure::TokenMissing)
    }

    /// Every entry that touches a resource, from an index on.
    pub(super) async fn entries_of(
        &self,
        subject: String,
        start: u64,
        kind: Option<RequestKind>,
    ) -> Result<Vec<ParsedEntry>, Failure> {
        let mut entries = Vec::new();
        let mut next = Some(start);
        while let Some(start) = next {
            let page = self.service.entries(EntryQuery {
                start,
                limit: MAX_PAGE_SIZE,
                max_bytes: MAX_PAGE_BYTES,
                subject: Some(subject.clone()),
                kind,
                start_time: None,
                end_time: None,
            });
            let page = page.await?;
            for (index, entry) in page.entries {
                entries.push(ParsedEntry::parse(entry).map_err(|_| unreadable(index))?);
            }
            next = page.next;
        }
        Ok(entries)
    }
}

/// The name of a resource in a field of a read.
pub(super) fn name<N>(field: &str, text: &str) -> Result<N, Failure>
where
    N: FromStr,
    N::Err: std::fmt::Display,
{
    text.parse().map_err(|error: N::Err| violation(field, error))
}

/// The same where the field may be left empty.
pub(super) fn optional_name<N>(field: &str, text: &str) -> Result<Option<N>, Failure>
where
    N: FromStr,
    N::Err: std::fmt::Display,
{
    if text.is_empty() { Ok(None) } else { name(field, text).map(Some) }
}

/// One field that does not hold.
pub(super) fn violation(field: &str, description: impl std::fmt::Display) -> Failure {
    let (field, description) = (field.to_owned(), description.to_string());
    Failure::Invalid(vec![Violation { field, description }])
}

/// Every answer to a write has the same two fields.
macro_rules! answers {
    ($($response:ident)+) => {
        $(impl From<Answer> for v1::$response {
            fn from(answer: Answer) -> Self {
                let receipt = answer.receipt.map(super::message::receipt);
                Self { receipt, outcome: Some(answer.outcome) }
            }
        })+
    };
}

answers! {
    EnrollPersonResponse ChangeRolesResponse EnrollKeyResponse RevokeKeyResponse
    CreatePlaceResponse PublishFormularyResponse ApproveResponse CalculateDoseResponse
    ReceiveVialsResponse DispenseVialResponse RecordAdministrationResponse RecordWasteResponse
    WitnessResponse ReturnVialResponse QuarantineVialsResponse CheckDoseResponse
    RegisterPatientResponse MergePatientsResponse OpenIdentityResponse RecordEligibilityResponse
    OpenCourseResponse CloseCourseResponse StartSessionResponse RecordMissedSessionResponse
    CancelSessionResponse RecordObservationResponse AcknowledgeAlertResponse
    RecordAdverseEffectResponse DischargePatientResponse RecordFormSentResponse
}

/// The methods of a service that write: each is [`Handlers::write`], typed.
macro_rules! writes {
    ($($method:ident: $request:ident => $response:ident),+ $(,)?) => {
        $(fn $method<'life0, 'async_trait>(
            &'life0 self,
            request: tonic::Request<v1::$request>,
        ) -> std::pin::Pin<
            Box<
                dyn Future<Output = Result<tonic::Response<v1::$response>, tonic::Status>>
                    + Send
                    + 'async_trait,
            >,
        >
        where
            'life0: 'async_trait,
            Self: 'async_trait,
        {
            Box::pin(self.write(request))
        })+
    };
}
pub(super) use writes;
