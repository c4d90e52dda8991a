//! The data of the esketamine programme's patient monitoring form, as JSON and as a page to copy from.
//!
//! What the form asks for was read in two public places: a reprint of the outpatient form of 11/2021, and the maker's
//! overview of the form that followed it. They name the patient (name, date of birth, sex), medicines that sedate or
//! change blood pressure (benzodiazepines, other sedative hypnotics, psychostimulants, MAO inhibitors; later opioids
//! too), who monitored, the healthcare setting, the date, the dose, the lot numbers, the minutes from the first device
//! to the end of monitoring, whether vital signs were acceptable before the dose and before leaving, blood pressure
//! before, 40 minutes after and before leaving, sedation, dissociation, later respiratory depression, and serious
//! events. The form in force was not read: the programme's own form decides.
//!
//! A reading is chosen by its time and named with its entry. Where there is none the answer is null and `missing` says
//! what is not there. What the form asks for and this ledger never holds stands in `by_hand`.

mod facts;
mod json;
mod page;

use serde_json::Value;

use super::FormInput;
use facts::Facts;

/// The data of the form.
#[must_use]
pub fn monitoring_form(input: &FormInput<'_>) -> Value {
    json::value(input, &Facts::of(input))
}

/// The same as one self-contained page of HTML to copy from, by hand or at the programme's site.
#[must_use]
pub fn monitoring_form_page(input: &FormInput<'_>) -> String {
    page::page_of(input, &Facts::of(input))
}
