//! The stable names of the refusals, their order, and what becomes of each.

use super::{Refusal, RefusalClass, TreatmentRefusal};
use crate::pb::v1;

impl Refusal {
    /// Every reason, in the order in which the rules look.
    pub const ORDER: [&'static str; 78] = [
        "UNKNOWN_KEY",
        "KEY_REVOKED",
        "SIGNED_FOR_ANOTHER_LEDGER",
        "EXPECTED_SIZE_STALE",
        "ROLE_NOT_HELD",
        // By a server that holds the identities, to whoever may ask.
        "IDENTITY_NOT_HELD",
        "AGE_DIFFERS",
        "IDENTITY_IN_TEXT",
        "NOT_THE_HOLDER",
        "SELF_APPROVAL",
        "SELF_WITNESS",
        "SELF_CHECK",
        "PATIENT_UNKNOWN",
        "UNKNOWN_RESOURCE",
        "PROPOSAL_DIFFERS",
        "RESOURCE_EXISTS",
        "NO_FORMULARY",
        "UNKNOWN_GTIN",
        "CALCULATION_EXPIRED",
        "PATIENT_EXISTS",
        "SESSION_NOT_OPEN",
        "COURSE_CLOSED",
        "LAST_ADMINISTRATOR",
        "FORMULARY_INVALID",
        "SCAN_DIFFERS",
        "ORDER_FORM_MISSING",
        "VIAL_EXPIRED",
        "VIAL_BEYOND_USE",
        "VIAL_QUARANTINED",
        "LOT_QUARANTINED",
        "VIAL_CLOSED",
        "EARLIER_EXPIRY_IN_STOCK",
        "HOLDER_NOT_LICENSED",
        "HOME_SUPPLY",
        "PATIENT_MISMATCH",
        "PRODUCT_MISMATCH",
        "CALCULATION_COVERED",
        "DISPENSING_SETTLED",
        "SEAL_BROKEN",
        "ALREADY_WITNESSED",
        "WITNESSED_AMOUNT_DIFFERS",
        "VIAL_STATE",
        "SESSION_OPEN",
        "COURSE_OPEN",
        "SESSION_REQUIRED",
        "SESSION_DIFFERS",
        "WRONG_PHASE",
        "CHECK_REQUIRED",
        "CHECK_DIFFERS",
        "CHECK_NOT_ASKED",
        "ALERT_OPEN",
        "DUPLICATE_DOSE",
        "VITALS_MISSING",
        "VIAL_STILL_OUT",
        "NOTHING_GIVEN",
        "DOSE_GIVEN",
        "NOT_DISCHARGEABLE",
        "ALERT_NOT_OPEN",
        "EFFECT_DIFFERS",
        "NO_FORM",
        "WRONG_DRUG",
        "AGE_OUTSIDE_PROTOCOL",
        "QUESTION_UNANSWERED",
        "CONTRAINDICATED",
        "WEIGHT_NOT_MEASURED",
        "SESSION_TOO_EARLY",
        "VITALS_OUTSIDE",
        "UNDILUTED",
        "OVER_HARD_LIMIT",
        "IMPLAUSIBLE_READING",
        "NOT_CALCULABLE",
        "SOFT_LIMIT",
        "OVER_DRAW",
        "ABOVE_CALCULATED_DOSE",
        "IN_FUTURE",
        "TOO_EARLY",
        "WEIGHT_TOO_OLD",
        "ENTRY_TOO_LONG",
    ];

    /// Stable name of the reason, in capitals and underscores.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::UnknownKey => "UNKNOWN_KEY",
            Self::KeyRevoked { .. } => "KEY_REVOKED",
            Self::AnotherLedger { .. } => "SIGNED_FOR_ANOTHER_LEDGER",
            Self::ExpectedSizeStale { .. } => "EXPECTED_SIZE_STALE",
            Self::RoleNotHeld { .. } => "ROLE_NOT_HELD",
            Self::NotTheHolder { .. } => "NOT_THE_HOLDER",
            Self::SelfApproval { .. } => "SELF_APPROVAL",
            Self::SelfWitness { .. } => "SELF_WITNESS",
            Self::Unknown { .. } => "UNKNOWN_RESOURCE",
            Self::ProposalDiffers { .. } => "PROPOSAL_DIFFERS",
            Self::Exists { .. } => "RESOURCE_EXISTS",
            Self::NoFormulary => "NO_FORMULARY",
            Self::UnknownGtin { .. } => "UNKNOWN_GTIN",
            Self::CalculationExpired { .. } => "CALCULATION_EXPIRED",
            Self::LastAdministrator { .. } => "LAST_ADMINISTRATOR",
            Self::FormularyInvalid { .. } => "FORMULARY_INVALID",
            Self::ScanDiffers { .. } => "SCAN_DIFFERS",
            Self::OrderFormMissing { .. } => "ORDER_FORM_MISSING",
            Self::VialExpired { .. } => "VIAL_EXPIRED",
            Self::VialBeyondUse { .. } => "VIAL_BEYOND_USE",
            Self::VialQuarantined { .. } => "VIAL_QUARANTINED",
            Self::LotQuarantined { .. } => "LOT_QUARANTINED",
            Self::VialClosed { .. } => "VIAL_CLOSED",
            Self::EarlierExpiry { .. } => "EARLIER_EXPIRY_IN_STOCK",
            Self::HolderNotLicensed { .. } => "HOLDER_NOT_LICENSED",
            Self::PatientMismatch => "PATIENT_MISMATCH",
            Self::ProductMismatch { .. } => "PRODUCT_MISMATCH",
            Self::CalculationCovered { .. } => "CALCULATION_COVERED",
            Self::DispensingSettled { .. } => "DISPENSING_SETTLED",
            Self::SealBroken => "SEAL_BROKEN",
            Self::AlreadyWitnessed { .. } => "ALREADY_WITNESSED",
            Self::WitnessedAmountDiffers { .. } => "WITNESSED_AMOUNT_DIFFERS",
            Self::Vial(_) => "VIAL_STATE",
            Self::WrongDrug { .. } => "WRONG_DRUG",
            Self::AgeOutside { .. } => "AGE_OUTSIDE_PROTOCOL",
            Self::Unanswered { .. } => "QUESTION_UNANSWERED",
            Self::Contraindicated { .. } => "CONTRAINDICATED",
            Self::WeightNotMeasured { .. } => "WEIGHT_NOT_MEASURED",
            Self::Undiluted { .. } => "UNDILUTED",
            Self::OverHardLimit { .. } => "OVER_HARD_LIMIT",
            Self::NotCalculable(_) => "NOT_CALCULABLE",
            Self::SoftLimit { .. } => "SOFT_LIMIT",
            Self::OverDraw { .. } => "OVER_DRAW",
            Self::AboveCalculatedDose { .. } => "ABOVE_CALCULATED_DOSE",
            Self::InFuture { .. } => "IN_FUTURE",
            Self::TooEarly { .. } => "TOO_EARLY",
            Self::WeightTooOld { .. } => "WEIGHT_TOO_OLD",
            Self::TooLong => "ENTRY_TOO_LONG",
            Self::Treatment(refusal) => refusal.reason(),
            Self::Recorded { reason, .. } => reason,
        }
    }

    /// The refusal that an entry records; nothing where its reason is not one of ours.
    #[must_use]
    pub fn from_entry(recorded: &v1::Refusal) -> Option<Self> {
        let reason = Self::ORDER.into_iter().find(|reason| *reason == recorded.reason)?;
        let (message, resource) = (recorded.message.clone(), recorded.resource.clone());
        Some(Self::Recorded { reason, message, resource })
    }

    /// What kind of no it is.
    #[must_use]
    pub fn class(&self) -> RefusalClass {
        match self {
            Self::UnknownKey | Self::KeyRevoked { .. } | Self::AnotherLedger { .. } => {
                RefusalClass::Unauthenticated
            }
            Self::ExpectedSizeStale { .. } => RefusalClass::Aborted,
            Self::RoleNotHeld { .. } | Self::Recorded { reason: "ROLE_NOT_HELD", .. } => {
                RefusalClass::PermissionDenied
            }
            Self::Unknown { .. } | Self::Treatment(TreatmentRefusal::PatientUnknown) => {
                RefusalClass::NotFound
            }
            Self::Exists { .. } | Self::Treatment(TreatmentRefusal::PatientExists) => {
                RefusalClass::AlreadyExists
            }
            _ => RefusalClass::Precondition,
        }
    }

    /// Whether a compliance officer must be able to see it, so that it is kept as an entry of its own.
    #[must_use]
    pub fn recorded(&self) -> bool {
        if let Self::Treatment(refusal) = self {
            return refusal.recorded();
        }
        matches!(
            self,
            Self::RoleNotHeld { .. }
                | Self::SelfApproval { .. }
                | Self::SelfWitness { .. }
                | Self::AgeOutside { .. }
                | Self::Contraindicated { .. }
                | Self::Undiluted { .. }
                | Self::OverHardLimit { .. }
                | Self::OverDraw { .. }
        )
    }

    /// What it is about, where it is about one thing; never a patient.
    #[must_use]
    pub fn resource(&self) -> Option<String> {
        match self {
            Self::RoleNotHeld { person, .. }
            | Self::NotTheHolder { person, .. }
            | Self::SelfApproval { person }
            | Self::LastAdministrator { person }
            | Self::HolderNotLicensed { person } => Some(person.to_string()),
            Self::SelfWitness { waste, .. }
            | Self::AlreadyWitnessed { waste }
            | Self::WitnessedAmountDiffers { waste, .. } => Some(waste.to_string()),
            Self::Unknown { resource } | Self::Exists { resource } => Some(resource.clone()),
            Self::Recorded { resource, .. } if !resource.is_empty() => Some(resource.clone()),
            Self::ProposalDiffers { index } => Some(format!("entries/{index}")),
            Self::VialExpired { vial, .. }
            | Self::VialBeyondUse { vial, .. }
            | Self::VialQuarantined { vial }
            | Self::LotQuarantined { vial, .. }
            | Self::VialClosed { vial }
            | Self::ProductMismatch { vial, .. }
            | Self::OverDraw { vial, .. } => Some(vial.to_string()),
            Self::EarlierExpiry { earlier, .. } => Some(earlier.to_string()),
            Self::CalculationCovered { calculation, .. }
            | Self::AboveCalculatedDose { calculation, .. }
            | Self::CalculationExpired { calculation } => Some(calculation.to_string()),
            Self::DispensingSettled { dispensing } => Some(dispensing.to_string()),
            Self::Treatment(refusal) => refusal.resource(),
            Self::OrderFormMissing { product } | Self::WrongDrug { product, .. } => {
                Some(product.clone())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::{PersonName, WasteName};
    use crate::role::Role;

    #[test]
    fn a_recorded_refusal_reads_back_as_the_same_no() {
        let person: PersonName = "people/ada".parse().unwrap();
        for refusal in [
            Refusal::RoleNotHeld { person: person.clone(), needed: &[Role::Nurse] },
            Refusal::SelfWitness { person, waste: WasteName(7) },
            Refusal::OverHardLimit {
                dose: "900 mg".to_owned(),
                limit: "60 mg".to_owned(),
                what: "a single dose".to_owned(),
            },
        ] {
            assert!(refusal.recorded());
            let entry = v1::Refusal {
                reason: refusal.reason().to_owned(),
                message: refusal.to_string(),
                resource: refusal.resource().unwrap_or_default(),
            };
            let again = Refusal::from_entry(&entry).unwrap();
            assert_eq!(again.reason(), refusal.reason());
            assert_eq!(again.class(), refusal.class());
            assert_eq!(again.resource(), refusal.resource());
            assert_eq!(again.to_string(), refusal.to_string());
        }
        let unknown = v1::Refusal { reason: "NO_SUCH".to_owned(), ..v1::Refusal::default() };
        assert_eq!(Refusal::from_entry(&unknown), None);
    }
}
