//! What is printed for people: the report of a session and of a course, the patient's leaflet, the data of the
//! monitoring form, and the register of an audit pack.
//!
//! Everything here is made from the messages of the API alone, so that any client that may read a session can print it
//! and gets the same bytes; the register is made from entries. Nothing is read, fetched or looked up; the time of printing is an argument. Pages are
//! self-contained HTML without scripts, for A4 and Letter, and lose nothing in black and white.
//!
//! A page says what was recorded and by which entry; it proves nothing by itself and does not say that anything
//! complies. Where something was not recorded it says so: nothing is filled in.

mod course;
mod form;
mod leaflet;
mod markup;
mod moments;
mod page;
mod reading;
mod register;
mod session;
mod words;

pub mod chart;

use std::collections::BTreeMap;

use crate::pb::v1;
use crate::time::Timestamp;

pub use course::course_page;
pub use form::{monitoring_form, monitoring_form_page};
pub use leaflet::leaflet_page;
pub use register::{RegisterInput, register_page};
pub use session::session_page;
pub use words::{
    actions, count, date, effect, plain, quantity, reading, reading_unit, severity, state, word,
};

/// What the report of a session is made from.
#[derive(Clone, Copy, Debug)]
pub struct SessionInput<'a> {
    /// The session.
    pub session: &'a v1::Session,
    /// Its plan, by the formulary that it began under.
    pub plan: &'a v1::Plan,
    /// The registered location.
    pub site: &'a v1::Site,
    /// Display names of people by resource name.
    pub people: &'a BTreeMap<String, String>,
    /// When it is printed.
    pub printed: Timestamp,
    /// Origin of the ledger.
    pub ledger: &'a str,
    /// Size of the ledger when it was read.
    pub size: u64,
}

/// What the report of a course is made from.
#[derive(Clone, Copy, Debug)]
pub struct CourseInput<'a> {
    /// The course.
    pub course: &'a v1::Course,
    /// Its plan.
    pub plan: &'a v1::Plan,
    /// Its sessions in full, as far as they were read; those that are missing here are shown by their line in the
    /// course.
    pub sessions: &'a [v1::Session],
    /// The registered location.
    pub site: &'a v1::Site,
    /// Display names of people by resource name.
    pub people: &'a BTreeMap<String, String>,
    /// When it is printed.
    pub printed: Timestamp,
    /// Origin of the ledger.
    pub ledger: &'a str,
    /// Size of the ledger when it was read.
    pub size: u64,
}

/// What the data of a monitoring form is made from.
#[derive(Clone, Copy, Debug)]
pub struct FormInput<'a> {
    /// The session.
    pub session: &'a v1::Session,
    /// Its plan, by the formulary that it began under.
    pub plan: &'a v1::Plan,
    /// The registered location.
    pub site: &'a v1::Site,
    /// Display names of people by resource name.
    pub people: &'a BTreeMap<String, String>,
    /// Who the patient is, where the identity was opened for it.
    pub identity: Option<&'a v1::PatientIdentity>,
    /// When it is printed.
    pub printed: Timestamp,
}
