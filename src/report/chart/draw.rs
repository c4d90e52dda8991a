//! A chart on paper: lanes of what happened, panels of what was measured, one axis below them all, and every label to
//! the right of what it names.

use super::axis::{Axis, Scale};
use super::glyph::{Mark, look};
use super::label::{LINE, spread, width, wrapped};
use crate::report::markup::{Attributes, Markup};

/// Width of the picture. It is scaled to the page, so a unit is about a point of print.
const WIDTH: i64 = 720;
/// Left edge of the plot.
const LEFT: i64 = 56;
/// Right edge of the plot.
const RIGHT: i64 = 530;
/// Left edge of the labels.
const LABELS: i64 = 544;
/// Height of a lane.
const LANE: i64 = 17;
/// Height of a row of a legend.
const LEGEND: i64 = 16;
/// Space below a panel.
const GAP: i64 = 10;

/// Around letters that stand on a line, so that it does not strike them through.
const EDGE: [(&str, &dyn std::fmt::Display); 3] =
    [("stroke", &"#fff"), ("stroke-width", &4), ("paint-order", &"stroke")];

/// A chart: what is shown, not yet where.
#[derive(Clone, Debug)]
pub(super) struct Chart {
    pub(super) title: String,
    /// The same in words, for whoever cannot see it.
    pub(super) description: String,
    pub(super) across: Across,
    pub(super) lanes: Vec<Lane>,
    /// Moments that go through every panel, with their dashes.
    pub(super) rules: Vec<(i64, &'static str)>,
    pub(super) panels: Vec<Panel>,
}

/// The axis below.
#[derive(Clone, Debug)]
pub(super) struct Across {
    pub(super) low: i64,
    pub(super) high: i64,
    pub(super) ticks: Vec<(i64, String)>,
    pub(super) title: String,
}

/// A row of things that happened.
#[derive(Clone, Debug)]
pub(super) struct Lane {
    pub(super) name: String,
    pub(super) items: Vec<Item>,
}

/// Something that happened: at a moment, or for a while.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) from: i64,
    pub(super) to: i64,
    /// The mark of a moment; a while is a bar.
    pub(super) mark: Option<Mark>,
    pub(super) label: String,
}

/// A field with its own axis upwards.
#[derive(Clone, Debug)]
pub(super) struct Panel {
    pub(super) unit: String,
    pub(super) axis: Axis,
    pub(super) ticks: Vec<(i64, String)>,
    pub(super) height: i64,
    pub(super) series: Vec<Series>,
    pub(super) limits: Vec<Limit>,
}

/// A line of readings. Between two runs there is no line: nothing is known there.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) name: String,
    pub(super) runs: Vec<Vec<(i64, i64)>>,
    /// Whether a value stays until the next one, as a sum does.
    pub(super) stays: bool,
}

/// A limit, strong where it counts.
#[derive(Clone, Debug)]
pub(super) struct Limit {
    pub(super) at: i64,
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) dashes: &'static str,
    pub(super) label: String,
}

impl Chart {
    /// The picture.
    pub(super) fn draw(&self) -> Markup {
        let across = Scale::new((self.across.low, self.across.high), (LEFT, RIGHT));
        let mut body = Markup::new();
        body.add(&text(LEFT, 13, "start", &[("font-weight", &"bold")], &self.title).line());
        let mut y = 22;
        for lane in &self.lanes {
            body.add(&lane.draw(across, y));
            y += LANE;
        }
        for panel in &self.panels {
            body.add(&panel.draw(across, &self.rules, &mut y));
        }
        body.add(&self.across.draw(across, y - GAP));
        let height = y + 24;
        let inside = Markup::tagged("title", &self.title)
            .and(&Markup::tagged("desc", &self.description).line())
            .and(&body);
        let view = format!("0 0 {WIDTH} {height}");
        let attributes: Attributes<'_> = &[
            ("xmlns", &"http://www.w3.org/2000/svg"),
            ("viewBox", &view),
            ("width", &WIDTH),
            ("height", &height),
            ("role", &"img"),
            ("font-family", &"Helvetica, Arial, sans-serif"),
            ("font-size", &"10"),
        ];
        Markup::element("svg", attributes, &inside).line()
    }
}

impl Across {
    fn draw(&self, across: Scale, y: i64) -> Markup {
        let mut axis = line((LEFT, y), (RIGHT, y), "#000", "none");
        for (at, label) in &self.ticks {
            let x = across.at(*at);
            axis.add(&line((x, y), (x, y + 4), "#000", "none"));
            axis.add(&text(x, y + 14, "middle", &[], label));
        }
        axis.and(&text(i64::midpoint(LEFT, RIGHT), y + 28, "middle", &[], &self.title)).line()
    }
}

impl Lane {
    fn draw(&self, across: Scale, y: i64) -> Markup {
        let middle = y + LANE / 2;
        let mut lane = line((LEFT, middle), (RIGHT, middle), "#ccc", "none");
        let ends: Vec<(i64, i64)> =
            self.items.iter().map(|item| (across.at(item.from), across.at(item.to))).collect();
        for (item, (from, to)) in self.items.iter().zip(&ends) {
            lane.add(&item.shape(*from, *to, middle));
        }
        let mut free = LEFT;
        for (number, (item, (from, to))) in self.items.iter().zip(&ends).enumerate() {
            let next = ends.get(number + 1).map_or(RIGHT + 8, |(from, _)| *from);
            let wide = width(&item.label);
            let inside = item.mark.is_none() && wide + 4 <= to - from;
            let x = if inside { from + (to - from - wide) / 2 } else { to + 6 };
            // A label that would lie on another one or on the next mark is in the table only.
            if x >= free && (inside || x + wide <= next - 5) {
                let edge: Attributes<'_> = if inside { &[] } else { &EDGE };
                lane.add(&text(x, middle + 3, "start", edge, &item.label));
                free = x + wide + 2;
            }
        }
        lane.and(&text(LABELS, middle + 3, "start", &[], &self.name)).line()
    }
}

impl Item {
    fn shape(&self, from: i64, to: i64, middle: i64) -> Markup {
        match self.mark {
            Some(mark) => mark.at(from, middle),
            None => Markup::void(
                "rect",
                &[
                    ("x", &from),
                    ("y", &(middle - 6)),
                    ("width", &(to - from).max(3)),
                    ("height", &12),
                    ("fill", &"#ddd"),
                    ("stroke", &"#000"),
                ],
            ),
        }
    }
}

impl Panel {
    /// Draws the panel below `y` and moves `y` below it.
    fn draw(&self, across: Scale, rules: &[(i64, &'static str)], y: &mut i64) -> Markup {
        let legend = self.legend(y);
        let labels: Vec<Vec<String>> =
            self.limits.iter().map(|limit| wrapped(&limit.label)).collect();
        let needed: i64 = labels.iter().map(|lines| height_of(lines)).sum();
        let (top, bottom) = (*y, *y + self.height.max(needed));
        *y = bottom + GAP;
        let up = Scale::new((self.axis.low, self.axis.high), (bottom, top));
        let mut panel = legend;
        for (at, label) in &self.ticks {
            let y = up.at(*at);
            panel.add(&line((LEFT - 4, y), (RIGHT, y), "#ddd", "none"));
            panel.add(&text(LEFT - 7, y + 3, "end", &[], label));
        }
        for (at, dashes) in rules {
            let x = across.at(*at);
            panel.add(&line((x, top), (x, bottom), "#777", dashes));
        }
        panel.add(&line((LEFT, top), (LEFT, bottom), "#000", "none"));
        panel.add(&line((LEFT, bottom), (RIGHT, bottom), "#000", "none").line());
        panel.add(&self.limit_lines(&labels, (across, up), (top, bottom)));
        for (number, series) in self.series.iter().enumerate() {
            panel.add(&series.draw(number, across, up));
        }
        if self.series.iter().all(|series| series.runs.is_empty()) {
            let middle = i64::midpoint(top, bottom);
            let x = i64::midpoint(LEFT, RIGHT);
            panel.add(&text(x, middle, "middle", &EDGE, "nothing was recorded"));
        }
        panel.line()
    }

    /// The unit and the names of the series with their marks and dashes, in as many rows as they need.
    fn legend(&self, y: &mut i64) -> Markup {
        let mut legend = text(LEFT, *y + 11, "start", &[("font-weight", &"bold")], &self.unit);
        let mut x = if self.unit.is_empty() { LEFT } else { LEFT + width(&self.unit) + 14 };
        for (number, series) in self.series.iter().enumerate() {
            let wide = 34 + width(&series.name);
            if x + wide > WIDTH && x > LEFT {
                x = LEFT;
                *y += LEGEND;
            }
            let (mark, dashes) = look(number);
            legend.add(&line((x, *y + 8), (x + 26, *y + 8), "#000", dashes));
            legend.add(&mark.at(x + 13, *y + 8));
            legend.add(&text(x + 32, *y + 11, "start", &[], &series.name));
            x += wide + 10;
        }
        *y += LEGEND + 4;
        legend.line()
    }

    fn limit_lines(
        &self,
        labels: &[Vec<String>],
        (across, up): (Scale, Scale),
        (top, bottom): (i64, i64),
    ) -> Markup {
        let mut order: Vec<(i64, &Limit, &Vec<String>)> = self
            .limits
            .iter()
            .zip(labels)
            .map(|(limit, lines)| (up.at(limit.at), limit, lines))
            .collect();
        order.sort_by_key(|(y, ..)| *y);
        let wanted: Vec<(i64, i64)> =
            order.iter().map(|(y, _, lines)| (*y, height_of(lines))).collect();
        let mut drawn = Markup::new();
        for ((y, limit, lines), edge) in order.iter().zip(spread(&wanted, top, bottom)) {
            let (from, to) = (across.at(limit.from), across.at(limit.to));
            drawn.add(&line((from, *y), (to, *y), "#333", limit.dashes));
            // Faint beyond where it counts, and on to its label.
            drawn.add(&line((to, *y), (RIGHT, *y), "#999", "1 4"));
            let middle = edge + height_of(lines) / 2;
            drawn.add(&line((RIGHT, *y), (LABELS - 3, middle), "#999", "none"));
            for (row, words) in (0..).zip(*lines) {
                drawn.add(&text(LABELS, edge + 9 + row * LINE, "start", &[], words));
            }
        }
        drawn.line()
    }
}

impl Series {
    fn draw(&self, number: usize, across: Scale, up: Scale) -> Markup {
        let (mark, dashes) = look(number);
        let mut drawn = Markup::new();
        for run in &self.runs {
            let mut path = String::new();
            for (x, y) in run {
                let (x, y) = (across.at(*x), up.at(*y));
                let step = match (path.is_empty(), self.stays) {
                    (true, _) => format!("M{x} {y}"),
                    (false, true) => format!("H{x}V{y}"),
                    (false, false) => format!("L{x} {y}"),
                };
                path.push_str(&step);
            }
            drawn.add(&Markup::void(
                "path",
                &[
                    ("d", &path),
                    ("fill", &"none"),
                    ("stroke", &"#000"),
                    ("stroke-dasharray", &dashes),
                ],
            ));
        }
        for (x, y) in self.runs.iter().flatten() {
            drawn.add(&mark.at(across.at(*x), up.at(*y)));
        }
        drawn.line()
    }
}

/// The height of a label, with some space to the next one.
fn height_of(lines: &[String]) -> i64 {
    i64::try_from(lines.len()).unwrap_or(1) * LINE + 3
}

fn line(from: (i64, i64), to: (i64, i64), stroke: &str, dashes: &str) -> Markup {
    let attributes: Attributes<'_> = &[
        ("x1", &from.0),
        ("y1", &from.1),
        ("x2", &to.0),
        ("y2", &to.1),
        ("stroke", &stroke),
        ("stroke-dasharray", &dashes),
    ];
    Markup::void("line", attributes)
}

fn text(x: i64, y: i64, anchor: &str, more: Attributes<'_>, words: &str) -> Markup {
    let mut attributes: Vec<(&'static str, &dyn std::fmt::Display)> =
        vec![("x", &x), ("y", &y), ("text-anchor", &anchor)];
    attributes.extend_from_slice(more);
    Markup::element("text", &attributes, &Markup::of(words))
}
