//! The acts that change a ledger, and their names on the wire.

use std::fmt;

/// Package of the API, as in method paths and message names.
const PACKAGE: &str = "vialedger.v1.";

/// An act that a person can sign, or the ledger itself. Its request message and its gRPC method, where it has one, carry
/// the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RequestKind {
    /// The first act in a ledger; never taken over gRPC.
    InitializeLedger,
    /// A person with a first key.
    EnrollPerson,
    /// All roles of a person.
    ChangeRoles,
    /// A further key of a person.
    EnrollKey,
    /// The end of a key.
    RevokeKey,
    /// A place where vials are kept.
    CreatePlace,
    /// A formulary.
    PublishFormulary,
    /// The second person's consent.
    Approve,
    /// A dose.
    CalculateDose,
    /// A delivery.
    ReceiveVials,
    /// A vial, or a part of one, to a holder.
    DispenseVial,
    /// What a patient received.
    RecordAdministration,
    /// What was made unusable.
    RecordWaste,
    /// A waste that a second person saw.
    Witness,
    /// An intact vial that came back.
    ReturnVial,
    /// A lot that is not dispensed any more.
    QuarantineVials,
    /// A dose, worked out anew by a second person.
    CheckDose,
    /// A patient under a pseudonym.
    RegisterPatient,
    /// Two ids of one patient.
    MergePatients,
    /// The trace of an identity that is read.
    OpenIdentity,
    /// Answers to eligibility questions.
    RecordEligibility,
    /// A course of treatment.
    OpenCourse,
    /// The end of a course.
    CloseCourse,
    /// A session of a course.
    StartSession,
    /// A session that did not take place.
    RecordMissedSession,
    /// A session that was called off.
    CancelSession,
    /// What was observed.
    RecordObservation,
    /// A prescriber has seen an alert.
    AcknowledgeAlert,
    /// An adverse effect.
    RecordAdverseEffect,
    /// A patient goes home.
    DischargePatient,
    /// A monitoring form that was sent.
    RecordFormSent,
    /// Another key in the place of the ledger's own; the ledger's act.
    RotateLedgerKey,
    /// An audit of the ledger by itself; the ledger's act.
    RecordSelfAudit,
}

impl RequestKind {
    /// Every kind, in the order of the API's description.
    pub const ALL: [Self; 33] = [
        Self::InitializeLedger,
        Self::EnrollPerson,
        Self::ChangeRoles,
        Self::EnrollKey,
        Self::RevokeKey,
        Self::CreatePlace,
        Self::PublishFormulary,
        Self::Approve,
        Self::CalculateDose,
        Self::ReceiveVials,
        Self::DispenseVial,
        Self::RecordAdministration,
        Self::RecordWaste,
        Self::Witness,
        Self::ReturnVial,
        Self::QuarantineVials,
        Self::CheckDose,
        Self::RegisterPatient,
        Self::MergePatients,
        Self::OpenIdentity,
        Self::RecordEligibility,
        Self::OpenCourse,
        Self::CloseCourse,
        Self::StartSession,
        Self::RecordMissedSession,
        Self::CancelSession,
        Self::RecordObservation,
        Self::AcknowledgeAlert,
        Self::RecordAdverseEffect,
        Self::DischargePatient,
        Self::RecordFormSent,
        Self::RotateLedgerKey,
        Self::RecordSelfAudit,
    ];

    /// Service and full message name.
    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::InitializeLedger => ("", "vialedger.v1.InitializeLedgerRequest"),
            Self::EnrollPerson => ("RegistryService", "vialedger.v1.EnrollPersonRequest"),
            Self::ChangeRoles => ("RegistryService", "vialedger.v1.ChangeRolesRequest"),
            Self::EnrollKey => ("RegistryService", "vialedger.v1.EnrollKeyRequest"),
            Self::RevokeKey => ("RegistryService", "vialedger.v1.RevokeKeyRequest"),
            Self::CreatePlace => ("RegistryService", "vialedger.v1.CreatePlaceRequest"),
            Self::PublishFormulary => ("RegistryService", "vialedger.v1.PublishFormularyRequest"),
            Self::Approve => ("RegistryService", "vialedger.v1.ApproveRequest"),
            Self::CalculateDose => ("DosingService", "vialedger.v1.CalculateDoseRequest"),
            Self::ReceiveVials => ("CustodyService", "vialedger.v1.ReceiveVialsRequest"),
            Self::DispenseVial => ("CustodyService", "vialedger.v1.DispenseVialRequest"),
            Self::RecordAdministration => {
                ("CustodyService", "vialedger.v1.RecordAdministrationRequest")
            }
            Self::RecordWaste => ("CustodyService", "vialedger.v1.RecordWasteRequest"),
            Self::Witness => ("CustodyService", "vialedger.v1.WitnessRequest"),
            Self::ReturnVial => ("CustodyService", "vialedger.v1.ReturnVialRequest"),
            Self::QuarantineVials => ("CustodyService", "vialedger.v1.QuarantineVialsRequest"),
            Self::CheckDose => ("DosingService", "vialedger.v1.CheckDoseRequest"),
            Self::RegisterPatient => ("CourseService", "vialedger.v1.RegisterPatientRequest"),
            Self::MergePatients => ("CourseService", "vialedger.v1.MergePatientsRequest"),
            Self::OpenIdentity => ("CourseService", "vialedger.v1.OpenIdentityRequest"),
            Self::RecordEligibility => ("CourseService", "vialedger.v1.RecordEligibilityRequest"),
            Self::OpenCourse => ("CourseService", "vialedger.v1.OpenCourseRequest"),
            Self::CloseCourse => ("CourseService", "vialedger.v1.CloseCourseRequest"),
            Self::StartSession => ("CourseService", "vialedger.v1.StartSessionRequest"),
            Self::RecordMissedSession => {
                ("CourseService", "vialedger.v1.RecordMissedSessionRequest")
            }
            Self::CancelSession => ("CourseService", "vialedger.v1.CancelSessionRequest"),
            Self::RecordObservation => ("CourseService", "vialedger.v1.RecordObservationRequest"),
            Self::AcknowledgeAlert => ("CourseService", "vialedger.v1.AcknowledgeAlertRequest"),
            Self::RecordAdverseEffect => {
                ("CourseService", "vialedger.v1.RecordAdverseEffectRequest")
            }
            Self::DischargePatient => ("CourseService", "vialedger.v1.DischargePatientRequest"),
            Self::RecordFormSent => ("CourseService", "vialedger.v1.RecordFormSentRequest"),
            Self::RotateLedgerKey => ("", "vialedger.v1.RotateLedgerKeyRequest"),
            Self::RecordSelfAudit => ("", "vialedger.v1.RecordSelfAuditRequest"),
        }
    }

    /// Full name of the request message, such as `vialedger.v1.DispenseVialRequest`.
    #[must_use]
    pub const fn message_name(self) -> &'static str {
        self.names().1
    }

    /// The kind of a full message name, where there is one.
    #[must_use]
    pub fn from_message_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.message_name() == name)
    }

    /// The kind that a gRPC method path records, such as `/vialedger.v1.CustodyService/DispenseVial`; nothing for
    /// reads, and nothing for the first act and the ledger's own.
    #[must_use]
    pub fn from_method(path: &str) -> Option<Self> {
        let (service, method) = path.strip_prefix('/')?.split_once('/')?;
        let service = service.strip_prefix(PACKAGE)?;
        let kind = Self::ALL.into_iter().find(|kind| kind.short_name() == method)?;
        (!service.is_empty() && kind.names().0 == service).then_some(kind)
    }

    /// Whether the ledger itself acts: then the signer is the ledger's own key, and nobody else's.
    #[must_use]
    pub const fn is_the_ledgers(self) -> bool {
        matches!(self, Self::RotateLedgerKey | Self::RecordSelfAudit)
    }

    /// The gRPC method that takes the act in, such as `/vialedger.v1.CustodyService/DispenseVial`; none for the first
    /// act and for the ledger's own, which are never taken over gRPC.
    #[must_use]
    pub fn method(self) -> Option<String> {
        let service = Some(self.names().0).filter(|service| !service.is_empty())?;
        Some(format!("/{PACKAGE}{service}/{}", self.short_name()))
    }

    /// The method's name, such as `DispenseVial`.
    #[must_use]
    pub fn short_name(self) -> &'static str {
        let name = self.message_name();
        let name = name.strip_prefix(PACKAGE).unwrap_or(name);
        name.strip_suffix("Request").unwrap_or(name)
    }

    /// The DSSE payload type that a signature covers: `application/vnd.vialedger.v1.DispenseVialRequest+protobuf`.
    #[must_use]
    pub fn payload_type(self) -> String {
        format!("application/vnd.{}+protobuf", self.message_name())
    }
}

impl fmt::Display for RequestKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short_name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_message_and_all_that_are_called_by_their_method() {
        for kind in RequestKind::ALL {
            assert_eq!(RequestKind::from_message_name(kind.message_name()), Some(kind));
            let path = format!("/vialedger.v1.{}/{}", kind.names().0, kind.short_name());
            let called = kind != RequestKind::InitializeLedger && !kind.is_the_ledgers();
            let expected = called.then_some(kind);
            assert_eq!(RequestKind::from_method(&path), expected, "{path}");
            assert_eq!(kind.method(), expected.map(|_| path));
        }
    }

    #[test]
    fn reads_and_foreign_paths_are_no_acts() {
        for path in [
            "/vialedger.v1.CustodyService/GetVial",
            "/vialedger.v1.DosingService/DispenseVial",
            "/vialedger.v1./InitializeLedger",
            "/grpc.health.v1.Health/Check",
            "vialedger.v1.CustodyService/DispenseVial",
            "",
        ] {
            assert_eq!(RequestKind::from_method(path), None, "{path}");
        }
    }
}
