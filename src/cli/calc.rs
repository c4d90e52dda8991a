//! `vialedger calc`: the arithmetic of this crate for anyone, offline, without a ledger.
//!
//! Each command reads what was typed, calls [`crate::dosing`], [`crate::units`] or
//! [`crate::ident`], and answers with the exact result first and every step after it. A new command is one more line in
//! [`CalcCommand`], one in [`CalcCommand::answer`], and a struct of arguments with an `answer`.

mod answer;
mod body;
mod convert;
mod dose;
mod ident;
mod rate;

use clap::Subcommand;

use crate::time::Timestamp;

pub use answer::{Answer, Code, Part, Refused, Shown};

/// What to calculate. Quantities are a number and a unit in one argument, such as "72.5 kg".
#[derive(Debug, Subcommand)]
pub enum CalcCommand {
    /// A dose for a body weight, its volume, and what a syringe can measure of it
    Dose(dose::DoseArgs),
    /// The volume (or the number of devices) that holds a dose
    Volume(dose::VolumeArgs),
    /// The pump rate for a dose rate, or with --pump the dose rate that a pump rate gives
    Rate(rate::RateArgs),
    /// Drops per minute for a volume over a time
    Drip(rate::DripArgs),
    /// The pump rate for a volume over a time
    Infusion(rate::InfusionArgs),
    /// Ideal, adjusted or lean body weight by a published formula
    Weight(body::WeightArgs),
    /// Body-mass index
    Bmi(body::BmiArgs),
    /// Body surface area by a published formula
    Bsa(body::BsaArgs),
    /// One unit into another, exactly; the only place that reads pounds, ounces and inches
    Convert(convert::ConvertArgs),
    /// What a National Drug Code says, and its longer forms
    Ndc(ident::NdcArgs),
    /// Whether a trade item number holds, and the drug code in it
    Gtin(ident::GtinArgs),
    /// What the barcode of a pack says: trade item number, lot, expiry, serial number
    Gs1(ident::Gs1Args),
    /// Whether a DEA registration number holds
    Dea(ident::DeaArgs),
    /// Whether a National Provider Identifier holds
    Npi(ident::NpiArgs),
}

impl CalcCommand {
    /// The answer, or why there is none. `now` settles the century of a barcode's two-digit years and nothing else.
    pub fn answer(&self, now: Timestamp) -> Result<Answer, Refused> {
        match self {
            Self::Dose(args) => args.answer(),
            Self::Volume(args) => args.answer(),
            Self::Rate(args) => args.answer(),
            Self::Drip(args) => args.answer(),
            Self::Infusion(args) => args.answer(),
            Self::Weight(args) => args.answer(),
            Self::Bmi(args) => args.answer(),
            Self::Bsa(args) => args.answer(),
            Self::Convert(args) => args.answer(),
            Self::Ndc(args) => args.answer(),
            Self::Gtin(args) => args.answer(),
            Self::Gs1(args) => args.answer(now),
            Self::Dea(args) => args.answer(),
            Self::Npi(args) => args.answer(),
        }
    }
}
