//! The calls of the API: which message goes where, and what every act carries besides its own
//! fields.

use prost::Message;

use super::error::ClientError;
use crate::command::RequestId;
use crate::ledger::{RequestKind, SignedRequest};
use crate::pb::v1;
use crate::time::Timestamp;

/// What every signed request carries and the caller may choose.
#[derive(Clone, Debug, Default)]
pub struct Stamp {
    /// UUID, version 7; a new one when absent. The same id with the same bytes gets the first
    /// answer again.
    pub request_id: Option<String>,
    /// Runs every rule and records nothing.
    pub validate_only: bool,
    /// Size that the ledger must still have.
    pub expected_size: Option<u64>,
}

/// A message that a person signs.
pub trait Act: Message {
    /// What kind of act it is.
    const KIND: RequestKind;

    /// Fills in the ledger's origin, the request id and the options.
    fn stamp(&mut self, ledger: &str, request_id: String, stamp: &Stamp);
}

/// A message that asks and changes nothing.
pub trait Read: Message + Clone + 'static {
    /// The method's path.
    const PATH: &'static str;
    /// What comes back.
    type Response: Message + Default + 'static;
}

/// The answer to any act. All of the API's answers to acts have these two fields; a test holds them
/// to it.
#[derive(Clone, PartialEq, Message)]
pub struct Answer {
    /// Proof that it was recorded; absent when only the rules were run.
    #[prost(message, optional, tag = "1")]
    pub receipt: Option<v1::Receipt>,
    /// What the rules made of it.
    #[prost(message, optional, tag = "2")]
    pub outcome: Option<v1::Outcome>,
}

/// The field that every signed request has in the same place.
#[derive(Clone, PartialEq, Message)]
struct Head {
    #[prost(string, tag = "2")]
    request_id: String,
    #[prost(bool, tag = "3")]
    validate_only: bool,
}

macro_rules! acts {
    ($($kind:ident: $message:ident,)*) => {
        $(impl Act for v1::$message {
            const KIND: RequestKind = RequestKind::$kind;

            fn stamp(&mut self, ledger: &str, request_id: String, stamp: &Stamp) {
                ledger.clone_into(&mut self.ledger);
                self.request_id = request_id;
                self.validate_only = stamp.validate_only;
                self.expected_size = stamp.expected_size;
            }
        })*
    };
}

acts! {
    EnrollPerson: EnrollPersonRequest,
    ChangeRoles: ChangeRolesRequest,
    EnrollKey: EnrollKeyRequest,
    RevokeKey: RevokeKeyRequest,
    CreatePlace: CreatePlaceRequest,
    PublishFormulary: PublishFormularyRequest,
    Approve: ApproveRequest,
    CalculateDose: CalculateDoseRequest,
    ReceiveVials: ReceiveVialsRequest,
    DispenseVial: DispenseVialRequest,
    RecordAdministration: RecordAdministrationRequest,
    RecordWaste: RecordWasteRequest,
    Witness: WitnessRequest,
    ReturnVial: ReturnVialRequest,
    QuarantineVials: QuarantineVialsRequest,
    CheckDose: CheckDoseRequest,
    RegisterPatient: RegisterPatientRequest,
    MergePatients: MergePatientsRequest,
    OpenIdentity: OpenIdentityRequest,
    RecordEligibility: RecordEligibilityRequest,
    OpenCourse: OpenCourseRequest,
    CloseCourse: CloseCourseRequest,
    StartSession: StartSessionRequest,
    RecordMissedSession: RecordMissedSessionRequest,
    CancelSession: CancelSessionRequest,
    RecordObservation: RecordObservationRequest,
    AcknowledgeAlert: AcknowledgeAlertRequest,
    RecordAdverseEffect: RecordAdverseEffectRequest,
    DischargePatient: DischargePatientRequest,
    RecordFormSent: RecordFormSentRequest,
}

macro_rules! reads {
    ($($service:literal { $($method:literal: $request:ident => $response:ident,)* })*) => {
        $($(impl Read for v1::$request {
            const PATH: &'static str = concat!("/vialedger.v1.", $service, "/", $method);
            type Response = v1::$response;
        })*)*
    };
}

reads! {
    "DosingService" {
        "PreviewDose": PreviewDoseRequest => PreviewDoseResponse,
        "GetDoseCalculation": GetDoseCalculationRequest => GetDoseCalculationResponse,
        "ListProtocols": ListProtocolsRequest => ListProtocolsResponse,
        "ListProducts": ListProductsRequest => ListProductsResponse,
        "ReplayDose": ReplayDoseRequest => ReplayDoseResponse,
    }
    "CourseService" {
        "SealIdentity": SealIdentityRequest => SealIdentityResponse,
        "ReadIdentity": ReadIdentityRequest => ReadIdentityResponse,
        "GetPatient": GetPatientRequest => GetPatientResponse,
        "ListPatients": ListPatientsRequest => ListPatientsResponse,
        "GetCourse": GetCourseRequest => GetCourseResponse,
        "GetSession": GetSessionRequest => GetSessionResponse,
        "ListSessions": ListSessionsRequest => ListSessionsResponse,
        "ListPlans": ListPlansRequest => ListPlansResponse,
    }
    "CustodyService" {
        "GetVial": GetVialRequest => GetVialResponse,
        "ListVials": ListVialsRequest => ListVialsResponse,
        "GetBalances": GetBalancesRequest => GetBalancesResponse,
    }
    "AuditService" {
        "GetEntry": GetEntryRequest => GetEntryResponse,
        "ListEntries": ListEntriesRequest => ListEntriesResponse,
        "GetCheckpoint": GetCheckpointRequest => GetCheckpointResponse,
        "GetInclusionProof": GetInclusionProofRequest => GetInclusionProofResponse,
        "GetConsistencyProof": GetConsistencyProofRequest => GetConsistencyProofResponse,
        "GetReceipt": GetReceiptRequest => GetReceiptResponse,
    }
    "RegistryService" {
        "ListPeople": ListPeopleRequest => ListPeopleResponse,
        "ListPlaces": ListPlacesRequest => ListPlacesResponse,
        "ListProposals": ListProposalsRequest => ListProposalsResponse,
        "GetFormulary": GetFormularyRequest => GetFormularyResponse,
    }
}

/// A request id: UUID version 7 of this moment.
pub fn new_request_id(now: Timestamp) -> Result<String, ClientError> {
    let mut random = [0; 10];
    getrandom::fill(&mut random).map_err(ClientError::Randomness)?;
    Ok(RequestId::new(now, random).to_string())
}

/// The id of a request that this client made.
pub(super) fn request_id(request: &SignedRequest) -> String {
    Head::decode(request.bytes().clone()).map(|head| head.request_id).unwrap_or_default()
}

/// Whether a request asks for the rules alone.
pub(super) fn is_validate_only(request: &SignedRequest) -> bool {
    Head::decode(request.bytes().clone()).is_ok_and(|head| head.validate_only)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use prost_types::{DescriptorProto, FileDescriptorSet};

    use super::*;
    use crate::pb;

    #[test]
    fn every_act_of_the_api_is_stamped_and_answered_alike() {
        let set = FileDescriptorSet::decode(pb::DESCRIPTORS).unwrap();
        let messages: BTreeMap<&str, &DescriptorProto> =
            set.file.iter().flat_map(|f| &f.message_type).map(|m| (m.name(), m)).collect();
        for kind in RequestKind::ALL {
            if kind.method().is_none() {
                continue;
            }
            let shape = |message: &str, count: usize| -> Vec<(String, i32, String)> {
                let fields = messages[message].field.iter().take(count);
                fields.map(|f| (f.name().into(), f.number(), f.type_name().into())).collect()
            };
            let field = |name: &str, number: i32, of: &str| (name.into(), number, of.into());
            assert_eq!(
                shape(&format!("{}Response", kind.short_name()), 9),
                [
                    field("receipt", 1, ".vialedger.v1.Receipt"),
                    field("outcome", 2, ".vialedger.v1.Outcome")
                ]
            );
            assert_eq!(
                shape(&format!("{}Request", kind.short_name()), 4),
                [
                    field("ledger", 1, ""),
                    field("request_id", 2, ""),
                    field("validate_only", 3, ""),
                    field("expected_size", 4, "")
                ]
            );
        }
    }

    #[test]
    fn request_ids_are_version_7_and_carry_the_moment() {
        let now: Timestamp = "2026-11-21T08:30:00.123456Z".parse().unwrap();
        let first = new_request_id(now).unwrap();
        assert_ne!(first, new_request_id(now).unwrap());
        let id = uuid::Uuid::parse_str(&first).unwrap();
        assert_eq!(id.get_version_num(), 7);
        let (seconds, nanos) = id.get_timestamp().unwrap().to_unix();
        let (expected, _) = now.to_seconds_and_nanos();
        assert_eq!(i64::try_from(seconds).unwrap(), expected);
        assert_eq!(nanos, 123_000_000);
    }
}
