//! The calculation: from a dose as a protocol writes it to what a syringe, a device or a pump
//! gives.
//!
//! Pure and exact. The caller brings every number (limits, conventions, sizes) as plain parameters;
//! this module knows no protocol and no product. Everything is carried as a rational; each result
//! is rounded once, in a direction that the step names. Half way cases go up, as nurses are taught,
//! except at a limit, where the measured dose is taken down. A hard limit refuses, it never caps: a
//! smaller dose than the one asked for is a new decision, and a person has to make it.
//!
//! It does not say whether a dose is right for a patient, and it knows no interactions.

mod body;
mod calculation;
mod container;
mod draw;
mod error;
mod formula;
mod infusion;
mod input;
mod kind;
mod limit;
mod power;
mod pump;
mod readback;
mod scalar;
mod step;
mod surface;
mod syringe;

pub use body::{Sex, body_mass_index};
pub use calculation::{DoseWorking, InfusionWorking, Measured, calculate};
pub use container::{ContainerPlan, MAX_CONTAINERS, choose_vials};
pub use error::DosingError;
pub use formula::{
    WeightFormula, adjusted, boer, by_formula, devine, hume, james, janmahasatian, robinson,
};
pub use infusion::{
    PUMP_STEP_MICROLITRES, concentration, dose_rate, drip_rate, infusion_rate, pump_rate,
};
pub use input::{DoseInput, Pace};
pub use kind::{per_weight, times_weight, without_time, without_weight};
pub use limit::{Crossing, LimitKind, Limits};
pub use scalar::{DosingWeight, dosing_weight};
pub use step::Step;
pub use surface::{SurfaceFormula, body_surface_area};
pub use syringe::Syringe;
