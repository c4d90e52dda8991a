//! Marks that are told apart in black and white.

use crate::report::markup::Markup;

/// Marks with the dashes of their lines, in the order in which series take them.
const LOOKS: [(Mark, &str); 6] = [
    (Mark::Disc, "none"),
    (Mark::Ring, "6 3"),
    (Mark::Square, "2 2"),
    (Mark::Frame, "9 3 2 3"),
    (Mark::Up, "1 3"),
    (Mark::Diamond, "12 4"),
];

/// A mark, and what it is drawn as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// A full circle.
    Disc,
    /// An empty circle.
    Ring,
    /// A full square.
    Square,
    /// An empty square.
    Frame,
    /// A full triangle that points up.
    Up,
    /// An empty diamond.
    Diamond,
    /// A full triangle that points down.
    Down,
    /// An empty triangle that points down.
    OpenDown,
    /// A cross.
    Cross,
    /// A full diamond.
    FullDiamond,
}

/// The mark and the dashes of the series with this number.
pub(super) fn look(series: usize) -> (Mark, &'static str) {
    LOOKS.iter().cycle().nth(series % LOOKS.len()).copied().unwrap_or((Mark::Disc, "none"))
}

impl Mark {
    /// The mark around a point.
    pub(super) fn at(self, x: i64, y: i64) -> Markup {
        let fill = match self {
            Self::Ring | Self::Frame | Self::Diamond | Self::OpenDown => "#fff",
            _ => "#000",
        };
        match self {
            Self::Disc | Self::Ring => Markup::void(
                "circle",
                &[("cx", &x), ("cy", &y), ("r", &3), ("fill", &fill), ("stroke", &"#000")],
            ),
            _ => Markup::void(
                "path",
                &[("d", &self.path(x, y)), ("fill", &fill), ("stroke", &"#000")],
            ),
        }
    }

    fn path(self, x: i64, y: i64) -> String {
        match self {
            Self::Up => format!("M{} {}h8l-4 -7z", x - 4, y + 3),
            Self::Down | Self::OpenDown => format!("M{} {}h8l-4 7z", x - 4, y - 3),
            Self::Diamond | Self::FullDiamond => format!("M{x} {}l4 4l-4 4l-4 -4z", y - 4),
            Self::Cross => format!("M{} {}l6 6m0 -6l-6 6", x - 3, y - 3),
            Self::Square | Self::Frame | Self::Disc | Self::Ring => {
                format!("M{} {}h6v6h-6z", x - 3, y - 3)
            }
        }
    }
}
