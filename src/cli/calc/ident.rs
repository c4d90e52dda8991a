//! `calc ndc`, `calc gtin`, `calc gs1`, `calc dea` and `calc npi`: codes that other people issue.
//!
//! A code that does not hold is refused with the reason. One that holds is well formed; whether it was ever issued,
//! only the issuer's list can tell.

use clap::Args;

use super::answer::{Answer, Code, Refused};
use crate::cli::parse;
use crate::dosing::Step;
use crate::ident::{
    DeaError, DeaNumber, Gs1Error, Gtin, GtinError, Ndc, NdcError, Npi, NpiError, Scan,
};
use crate::time::{Date, Timestamp};

/// The packaging indicator of the unit itself.
const UNIT_ITSELF: u8 = 0;

/// Arguments of `calc ndc`.
#[derive(Debug, Args)]
pub struct NdcArgs {
    /// The code with the hyphens of its label, 0409-2051-05, or its 11 or 12 digits
    #[arg(allow_hyphen_values = true)]
    ndc: String,
}

/// Arguments of `calc gtin`.
#[derive(Debug, Args)]
pub struct GtinArgs {
    /// The number: 8, 12, 13 or 14 digits
    #[arg(allow_hyphen_values = true)]
    gtin: String,
}

/// Arguments of `calc gs1`.
#[derive(Debug, Args)]
pub struct Gs1Args {
    /// What the scanner read, its separator as it is or spelled `<GS>`, {GS} or \x1d; or the line printed under the
    /// barcode, with its brackets
    #[arg(allow_hyphen_values = true)]
    scan: String,
    /// The year of the scan, which settles the century of two-digit years; this year when absent
    #[arg(long, value_parser = clap::value_parser!(u16).range(1970..=9949))]
    year: Option<u16>,
}

/// Arguments of `calc dea`.
#[derive(Debug, Args)]
pub struct DeaArgs {
    /// The registration number: two capital letters and seven digits
    #[arg(allow_hyphen_values = true)]
    dea: String,
}

/// Arguments of `calc npi`.
#[derive(Debug, Args)]
pub struct NpiArgs {
    /// The identifier: ten digits
    #[arg(allow_hyphen_values = true)]
    npi: String,
}

impl NdcArgs {
    pub(super) fn answer(&self) -> Result<Answer, Refused> {
        let ndc: Ndc = self.ndc.trim().parse()?;
        let (labeler, product, package) = ndc.layout().widths();
        let layout = format!("{labeler}-{product}-{package}");
        // A six-digit labeler has no 11-digit form, and the longer forms do not tell the label's ten digits.
        let billing = ndc.to_eleven_digits_hyphenated().ok();
        let gtin = ndc.to_gtin(UNIT_ITSELF).ok();
        let mut steps = vec![Step::new("Layout", format!("digits of {ndc}"), &layout)];
        if let Some(billing) = &billing {
            steps.push(Step::new("11-digit form", "each segment padded to 5-4-2", billing));
        }
        let uniform = ndc.to_twelve_digits_hyphenated();
        steps.push(Step::new("12-digit form", "each segment padded to 6-4-2", &uniform));
        if let Some(gtin) = gtin {
            let formula = format!("{UNIT_ITSELF} + 03 + {} + check digit", ndc.digits());
            steps.push(Step::new("GTIN", formula, gtin));
        }
        let code = Code::new(&ndc)
            .with("ndc", &ndc)
            .with("labeler", ndc.labeler())
            .with("product", ndc.product())
            .with("package", ndc.package())
            .with("layout", layout)
            .with_option("ndc11", billing.as_deref().map(unhyphenated))
            .with_option("ndc11_hyphenated", billing)
            .with("ndc12", unhyphenated(&uniform))
            .with("ndc12_hyphenated", uniform)
            .with_option("gtin", gtin);
        Ok(Answer::new(code, steps))
    }
}

impl GtinArgs {
    pub(super) fn answer(&self) -> Result<Answer, Refused> {
        let gtin: Gtin = self.gtin.trim().parse()?;
        let text = gtin.to_string();
        let (body, check) = text.split_at(text.len() - 1);
        let mut steps = vec![Step::new("Check digit", format!("GS1 modulo 10 of {body}"), check)];
        let ndc_digits = gtin.ndc_digits();
        if let Some(digits) = &ndc_digits {
            steps.push(Step::new("NDC digits", format!("{text} after 03"), digits));
        }
        let code = Code::new(gtin)
            .with("gtin", gtin)
            .with("check_digit", check)
            .with("indicator", gtin.indicator())
            .with_option("ndc_digits", ndc_digits);
        Ok(Answer::new(code, steps))
    }
}

impl Gs1Args {
    pub(super) fn answer(&self, now: Timestamp) -> Result<Answer, Refused> {
        let year = self.year.unwrap_or_else(|| {
            Date::of(now, 0).expect("every moment has its day in Greenwich").year()
        });
        let scan = Scan::parse(&parse::separators(&self.scan), year)?;
        let code = Code::new(&scan)
            .with_option("gtin", scan.gtin())
            .with_option("lot", scan.lot())
            .with_option("expiry", scan.expiry())
            .with_option("serial", scan.serial())
            .with_option("best_before", scan.best_before())
            .with_option("production", scan.production())
            .with_option("ndc_digits", scan.gtin().and_then(Gtin::ndc_digits));
        let steps = scan.elements().map(|(ai, value)| {
            let (name, read) = match ai {
                "01" => ("GTIN", None),
                "10" => ("Lot", None),
                "11" => ("Production", scan.production()),
                "15" => ("Best before", scan.best_before()),
                "17" => ("Expiry", scan.expiry()),
                "21" => ("Serial number", None),
                _ => ("Other", None),
            };
            let read = read.map_or_else(|| value.to_owned(), |date| date.to_string());
            Step::new(name, format!("({ai}){value}"), read)
        });
        Ok(Answer::new(code, steps.collect()))
    }
}

impl DeaArgs {
    pub(super) fn answer(&self) -> Result<Answer, Refused> {
        let dea: DeaNumber = self.dea.trim().parse()?;
        let digits: Vec<u32> =
            dea.as_str().chars().skip(2).filter_map(|digit| digit.to_digit(10)).collect();
        let odd: u32 = digits.iter().take(6).step_by(2).sum();
        let even: u32 = digits.iter().take(6).skip(1).step_by(2).sum();
        let sum = odd + 2 * even;
        let formula =
            format!("{odd} (1st, 3rd, 5th) + 2 × {even} (2nd, 4th, 6th) = {sum}, last digit");
        let step = Step::new("Check digit", formula, sum % 10);
        Ok(Answer::new(Code::new(&dea).with("dea", &dea), vec![step]))
    }
}

impl NpiArgs {
    pub(super) fn answer(&self) -> Result<Answer, Refused> {
        let npi: Npi = self.npi.trim().parse()?;
        let (body, check) = npi.as_str().split_at(9);
        let step = Step::new("Check digit", format!("Luhn over 80840 and {body}"), check);
        Ok(Answer::new(Code::new(&npi).with("npi", &npi), vec![step]))
    }
}

fn unhyphenated(text: &str) -> String {
    text.replace('-', "")
}

const CHECK_DIGIT: &str = "CHECK_DIGIT";

impl From<NdcError> for Refused {
    fn from(error: NdcError) -> Self {
        let reason = match error {
            NdcError::Shape { .. } => "NOT_AN_NDC",
            NdcError::AmbiguousTen { .. } => "AMBIGUOUS_NDC",
            NdcError::NoBillingForm { .. } => "NO_BILLING_FORM",
        };
        Self { reason, message: error.to_string() }
    }
}

impl From<GtinError> for Refused {
    fn from(error: GtinError) -> Self {
        Self { reason: gtin_reason(&error), message: error.to_string() }
    }
}

fn gtin_reason(error: &GtinError) -> &'static str {
    match error {
        GtinError::Shape { .. } => "NOT_A_GTIN",
        GtinError::CheckDigit { .. } => CHECK_DIGIT,
        GtinError::NotTenDigits { .. } => "NOT_TEN_DIGITS",
        GtinError::Indicator { .. } => "INDICATOR",
    }
}

impl From<Gs1Error> for Refused {
    fn from(error: Gs1Error) -> Self {
        let reason = match &error {
            Gs1Error::Empty => "EMPTY_SCAN",
            Gs1Error::TooLong { .. } => "SCAN_TOO_LONG",
            Gs1Error::Symbology { .. } => "WRONG_BARCODE",
            Gs1Error::UnknownIdentifier { .. } => "UNKNOWN_IDENTIFIER",
            Gs1Error::Value { .. } => "WRONG_VALUE",
            Gs1Error::Gtin(error) => gtin_reason(error),
            Gs1Error::Date { .. } => "NOT_A_DATE",
            Gs1Error::Twice { .. } => "TWICE",
            Gs1Error::MissingSeparator { .. } => "MISSING_SEPARATOR",
        };
        Self { reason, message: error.to_string() }
    }
}

impl From<DeaError> for Refused {
    fn from(error: DeaError) -> Self {
        let reason = match error {
            DeaError::Shape { .. } => "NOT_A_DEA_NUMBER",
            DeaError::Registrant { .. } => "UNKNOWN_REGISTRANT",
            DeaError::CheckDigit { .. } => CHECK_DIGIT,
        };
        Self { reason, message: error.to_string() }
    }
}

impl From<NpiError> for Refused {
    fn from(error: NpiError) -> Self {
        let reason = match error {
            NpiError::Shape { .. } => "NOT_AN_NPI",
            NpiError::CheckDigit { .. } => CHECK_DIGIT,
        };
        Self { reason, message: error.to_string() }
    }
}
