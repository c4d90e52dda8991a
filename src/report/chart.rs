//! Charts as SVG, in black on white: told apart by marks and dashes, not by colours, so that a copy of a fax still reads.
//!
//! Every coordinate is a whole number, and the same messages always give the same bytes. What does not fit is left out
//! of the picture and never out of the tables beside it.

mod axis;
mod course;
mod draw;
mod glyph;
mod label;
mod session;

pub use course::{course_doses, course_mass};
pub use session::{session_scores, session_vitals};

pub(super) use course::{doses, mass, rises};
pub(super) use session::{scores, vitals};
