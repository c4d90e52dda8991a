//! Every "no" that the rules can say, in the order in which they say it.
//!
//! Authority comes first, then existence, then state, then limits, then time: whoever may not act learns nothing about
//! what is there. The variants stand in that order, [`Refusal::ORDER`] lists their reasons in it, and `tests/rules` keeps
//! the list and the rules equal.

mod reason;
mod treatment;

pub use treatment::TreatmentRefusal;

use crate::names::{CalculationName, DispensingName, PersonName, VialName, WasteName};

use crate::role::Role;
use crate::time::{Date, Timestamp};
use crate::units::Amount;
use crate::vial::VialError;

/// What kind of no it is; decides the gRPC code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalClass {
    /// The signature is not one that this ledger takes.
    Unauthenticated,
    /// The person has not the role.
    PermissionDenied,
    /// Something named does not exist.
    NotFound,
    /// Something named exists already.
    AlreadyExists,
    /// The ledger has moved on.
    Aborted,
    /// The rules say no.
    Precondition,
}

/// A refusal by the rules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    // Authority.
    /// The key is nobody's.
    #[error("the signing key is not enrolled in this ledger; ask an administrator to enrol it")]
    UnknownKey,
    /// The key was revoked.
    #[error("the signing key was revoked at {since}; sign with a key that is valid")]
    KeyRevoked {
        /// When.
        since: Timestamp,
    },
    /// The request names another ledger.
    #[error("the request is signed for the ledger {asked:?}; this one is {here:?}")]
    AnotherLedger {
        /// What the request names.
        asked: String,
        /// This ledger.
        here: String,
    },
    /// The ledger's size is not the expected one.
    #[error("the ledger has {actual} entries, not {expected}; read again and decide anew")]
    ExpectedSizeStale {
        /// What the request expects.
        expected: u64,
        /// What it is.
        actual: u64,
    },
    /// The person has none of the roles that the act needs.
    #[error("{person} holds none of the roles that this takes: {}", names(.needed))]
    RoleNotHeld {
        /// Who asked.
        person: PersonName,
        /// The roles, one of which it takes.
        needed: &'static [Role],
    },
    /// It is another person's to do.
    #[error("this is for {whose} to do, not for {person}")]
    NotTheHolder {
        /// Who asked.
        person: PersonName,
        /// Whose it is.
        whose: String,
    },
    /// Whoever put it forward cannot approve it.
    #[error("{person} put this forward; a second person must approve it")]
    SelfApproval {
        /// Who asked.
        person: PersonName,
    },
    /// Whoever acted cannot witness.
    #[error(
        "{person} did the wasting and cannot witness it too; another nurse, prescriber or pharmacist who saw it must \
         sign, with their own key"
    )]
    SelfWitness {
        /// Who asked.
        person: PersonName,
        /// The waste.
        waste: WasteName,
    },

    // Existence.
    /// Something named does not exist.
    #[error("{resource} does not exist; check the name")]
    Unknown {
        /// Its resource name.
        resource: String,
    },
    /// The approval names another text than what was put forward.
    #[error(
        "the leaf hash is not that of entries/{index}; read the proposal again before approving it"
    )]
    ProposalDiffers {
        /// The proposal.
        index: u64,
    },
    /// Something named exists already.
    #[error("{resource} exists already; choose another name, or use what is there")]
    Exists {
        /// Its resource name.
        resource: String,
    },
    /// No formulary was published yet.
    #[error("no formulary is in force; publish one first (vialedger formulary publish)")]
    NoFormulary,
    /// The barcode names a product that the formulary has not.
    #[error(
        "no product of the formulary has the GTIN {gtin}; add it to the formulary, or check what was scanned"
    )]
    UnknownGtin {
        /// The GTIN.
        gtin: String,
    },
    /// Not a calculation, or one that is no longer valid.
    #[error("{calculation} is not a dose that is still valid; calculate it anew")]
    CalculationExpired {
        /// The name that was given.
        calculation: CalculationName,
    },

    // State.
    /// Nobody could administer the ledger any more.
    #[error("{person} is the last administrator with a valid key; enrol another one first")]
    LastAdministrator {
        /// The person.
        person: PersonName,
    },
    /// The formulary text does not hold.
    #[error("the formulary does not hold: {errors}")]
    FormularyInvalid {
        /// Every error, with its line.
        errors: String,
    },
    /// What was scanned and what was typed differ.
    #[error(
        "line {line}: {field} was typed as {typed} and scanned as {scanned}; look at the label again"
    )]
    ScanDiffers {
        /// Line of the delivery, from 1.
        line: usize,
        /// Which field.
        field: &'static str,
        /// As typed.
        typed: String,
        /// As scanned.
        scanned: String,
    },
    /// Schedule II without an order form.
    #[error("{product} is in schedule II; give the order form's number")]
    OrderFormMissing {
        /// The product.
        product: String,
    },
    /// The vial is past its expiry.
    #[error(
        "{vial} expired on {expiry}: do not use it; take another vial, and set this one aside for destruction"
    )]
    VialExpired {
        /// The vial.
        vial: VialName,
        /// Its last day of use.
        expiry: Date,
    },
    /// The vial is past its beyond-use time.
    #[error(
        "{vial} was opened too long ago: not to be used from {beyond_use} on; waste what is left before a witness"
    )]
    VialBeyondUse {
        /// The vial.
        vial: VialName,
        /// When its time ended.
        beyond_use: Timestamp,
    },
    /// The vial is quarantined.
    #[error("{vial} is quarantined; take another vial")]
    VialQuarantined {
        /// The vial.
        vial: VialName,
    },
    /// The vial's lot is quarantined.
    #[error(
        "{vial} is of lot {lot}, which is quarantined since {since}: {reason}. Put it back and take a vial of another lot"
    )]
    LotQuarantined {
        /// The vial.
        vial: VialName,
        /// The lot.
        lot: String,
        /// Since when.
        since: Timestamp,
        /// Why.
        reason: String,
    },
    /// The vial is closed.
    #[error("{vial} is closed: nothing is left of it")]
    VialClosed {
        /// The vial.
        vial: VialName,
    },
    /// A vial that expires earlier is in stock.
    #[error(
        "{earlier} expires earlier ({expiry}) and is in stock at the same place; take it, or give a reason why not"
    )]
    EarlierExpiry {
        /// The vial that should be taken.
        earlier: VialName,
        /// Its last day of use.
        expiry: Date,
    },
    /// The holder cannot administer.
    #[error(
        "{person} can hold no vial for a patient: it takes the role NURSE or PRESCRIBER and a valid key"
    )]
    HolderNotLicensed {
        /// Who should hold it.
        person: PersonName,
    },
    /// Another patient than the one it is for.
    #[error("this is not the patient that it is for; stop, and check the wristband")]
    PatientMismatch,
    /// Another product than the one that was calculated for.
    #[error(
        "{vial} holds {found}, but the dose was calculated for {expected}; take the right vial, or calculate anew"
    )]
    ProductMismatch {
        /// The vial.
        vial: VialName,
        /// What it holds.
        found: String,
        /// What the dose was calculated for.
        expected: String,
    },
    /// Enough was dispensed against the calculation.
    #[error(
        "{calculation} needs {needed} and {dispensed} was dispensed against it already; calculate anew for more"
    )]
    CalculationCovered {
        /// The calculation.
        calculation: CalculationName,
        /// What it needs.
        needed: Amount,
        /// What was handed out.
        dispensed: Amount,
    },
    /// The dispensing is settled.
    #[error(
        "nothing of {dispensing} is in anybody's hands: it is settled, or that entry was no dispensing"
    )]
    DispensingSettled {
        /// The dispensing.
        dispensing: DispensingName,
    },
    /// The seal is not intact.
    #[error(
        "only a container with an unbroken seal can be returned; waste what is left before a witness"
    )]
    SealBroken,
    /// The waste has its witness.
    #[error("{waste} waits for no witness: it has one, or that entry was no waste")]
    AlreadyWitnessed {
        /// The waste.
        waste: WasteName,
    },
    /// The witness saw another amount.
    #[error(
        "{waste} records {recorded}, the witness saw {seen}; settle which is right before anybody signs"
    )]
    WitnessedAmountDiffers {
        /// The waste.
        waste: WasteName,
        /// As recorded.
        recorded: Amount,
        /// As seen.
        seen: Amount,
    },
    /// A step that the vial's life does not have.
    #[error(transparent)]
    Vial(VialError),

    // Limits.
    /// The product is another drug than the protocol's.
    #[error("{product} is {found}, the protocol is for {expected}; choose the right product")]
    WrongDrug {
        /// The product.
        product: String,
        /// Its drug.
        found: String,
        /// The protocol's drug.
        expected: String,
    },
    /// The protocol is for patients of another age.
    #[error("the patient is {age} years old; the protocol is for {minimum} years and older{}", below_text(*below))]
    AgeOutside {
        /// The patient's age.
        age: u32,
        /// The youngest age that it is for.
        minimum: u32,
        /// The age from which it is for nobody any more.
        below: Option<u32>,
    },
    /// Questions without an answer.
    #[error(
        "not answered, or not known: {questions}; find out and calculate again. Unknown is not no"
    )]
    Unanswered {
        /// Ids of the questions.
        questions: String,
    },
    /// An answer that no reason can override.
    #[error("contraindicated: {question}; this protocol is not for this patient")]
    Contraindicated {
        /// The question in words.
        question: String,
    },
    /// The weight was not come by as the protocol wants.
    #[error("the protocol wants the weight measured; it was {found}. Weigh the patient")]
    WeightNotMeasured {
        /// How it was come by.
        found: &'static str,
    },
    /// Undiluted where it must be diluted.
    #[error(
        "{strength} must never go into a vein undiluted: {limit}; dilute it, and say the volume after dilution"
    )]
    Undiluted {
        /// The product's strength.
        strength: String,
        /// What may be given undiluted, in words.
        limit: String,
    },
    /// Over a hard limit.
    #[error(
        "{dose} is not allowed: the hard limit for {what} is {limit}, and nobody can override it; check the number, its \
         unit and the weight"
    )]
    OverHardLimit {
        /// The dose.
        dose: String,
        /// The limit.
        limit: String,
        /// Which limit.
        what: String,
    },
    /// Something that the calculation needs is missing or does not fit.
    #[error("{0}")]
    NotCalculable(String),
    /// Soft limits without a reason.
    #[error("{limits}; check it, and give a coded reason if it is meant")]
    SoftLimit {
        /// Every soft limit that was passed, with its name and numbers.
        limits: String,
    },
    /// More than there is.
    #[error("{}", VialError::OverDraw { vial: *vial, there: *there, asked: *asked })]
    OverDraw {
        /// The vial.
        vial: VialName,
        /// What is there.
        there: Amount,
        /// What was asked for.
        asked: Amount,
    },

    /// More in all than was calculated, without a reason.
    #[error(
        "with this, {administered} would have been administered against {calculation}, which says {calculated}; if it \
         was recorded already, do nothing; if more was really given, say why"
    )]
    AboveCalculatedDose {
        /// The calculation.
        calculation: CalculationName,
        /// What it says.
        calculated: Amount,
        /// What would have been administered in all.
        administered: Amount,
    },

    // Time.
    /// A moment in the future.
    #[error("{field} is {moment}, which is in the future; check the device's clock")]
    InFuture {
        /// Which field.
        field: &'static str,
        /// The moment, or the day.
        moment: String,
    },
    /// A moment before what it follows from.
    #[error("{field} is {moment}, before {before}; check the times")]
    TooEarly {
        /// Which field.
        field: &'static str,
        /// The moment.
        moment: Timestamp,
        /// What it cannot be before, in words.
        before: String,
    },
    /// The weight is too old.
    #[error(
        "the weight is from {measured}; the protocol wants one of the last {limit}. Weigh the patient"
    )]
    WeightTooOld {
        /// When it was measured.
        measured: Timestamp,
        /// The protocol's limit.
        limit: String,
    },

    // Patients and their courses. These stand in each of the classes above; `Refusal::ORDER` says where.
    /// What the rules say to patients, courses and double checks.
    #[error(transparent)]
    Treatment(#[from] TreatmentRefusal),

    // Last, since only then it is known how long the entry is.
    /// The entry would be too long.
    #[error("the entry would be longer than 65,535 bytes; send less at once")]
    TooLong,

    // Said before.
    /// A refusal read back from the entry that records it, to answer a retry as the first time.
    #[error("{message}")]
    Recorded {
        /// Its reason, one of [`Refusal::ORDER`].
        reason: &'static str,
        /// Its words.
        message: String,
        /// What it is about, or nothing.
        resource: String,
    },
}

impl From<VialError> for Refusal {
    fn from(error: VialError) -> Self {
        match error {
            VialError::OverDraw { vial, there, asked } => Self::OverDraw { vial, there, asked },
            VialError::NotInHands { dispensing } => Self::DispensingSettled { dispensing },
            VialError::NotUnwitnessed { waste } => Self::AlreadyWitnessed { waste },
            other => Self::Vial(other),
        }
    }
}

fn names(roles: &[Role]) -> String {
    roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(", ")
}

fn below_text(below: Option<u32>) -> String {
    below.map_or_else(String::new, |below| format!(", below {below}"))
}
