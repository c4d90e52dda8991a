//! A patient's course of treatment: its sessions, what is observed in them, what is due, and when the patient may leave.
//!
//! Nothing here knows a number of its own: every limit comes from the plan and its monitoring, which the formulary
//! holds. Times come in as arguments.

mod gate;
mod history;
mod schedule;
mod session;

pub use gate::{BeforeDose, Met, Papers, before_dose, keeps_from_discharge};
pub use history::{
    Answered, Closed, Course, Effect, Missed, PastDose, PastSession, Windowed, days_between,
};
pub use schedule::{Due, DueState, late, schedule};
pub use session::{Observed, OpenAlert, Session};
