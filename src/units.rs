//! Quantities: exact numbers that never go without their unit.
//!
//! Read from the wire or a keyboard as a [`Quantity`]; stored and compared as a base integer
//! ([`Mass`] in ng, [`Volume`] in uL, [`Weight`] in g, [`Height`] in mm, [`Span`] in microseconds,
//! [`Amount`] for what a container holds); calculated with as a [`Rational`], which is rounded
//! once, at the end, in a direction that the code names. Nothing here rounds by itself, and there
//! are no floats.

mod amount;
mod error;
mod measure;
mod quantity;
mod rational;
mod strength;
mod unit;

pub use amount::{Amount, AmountKind, Count};
pub use error::{Held, QuantityError};
pub use measure::{Height, Mass, Span, Volume, Weight};
pub use quantity::{MAX_DECIMALS, MAX_WHOLE_DIGITS, Quantity, SHOWN_DECIMALS};
pub use rational::{OutOfRange, Rational, Rounding};
pub use strength::Strength;
pub use unit::{CountUnit, Dimension, Unit};
