//! The patient's leaflet: what the plan advises and warns of, on one page in large print.

use super::markup::Markup;
use super::page::{by_hand, page, paragraph, remark};
use super::reading::monitoring;
use super::words::or_none;
use crate::pb::v1;

/// The letters shrink only when the lines would not fit on the page otherwise.
const SHEET: &str = "\
.print-165 { font-size: 16.5pt } .print-140 { font-size: 14pt } .print-120 { font-size: 12pt }
.print-105 { font-size: 10.5pt } .print-90 { font-size: 9pt }
h1 { font-size: 1.6em } h2 { font-size: 1.25em; margin: .6em 0 .3em }
ul { margin: .2em 0; padding-left: 1.9em } li { margin: .2em 0 }
.dont { border: 2.5pt solid #000; padding: 0 4mm 2mm; margin-top: 3mm; break-inside: avoid }
.dont li::marker { content: '✕  '; font-weight: bold } .do li::marker { content: '✓  '; font-weight: bold }
.signatures { margin-top: 6mm; break-inside: avoid }
.sign { margin: 3mm 0 7mm } .sign .blank { min-width: 70mm } .sign .day { min-width: 30mm }
.small { font-size: 9pt }
";

/// Sizes of print in tenths of a point, with their classes; the largest that fits is taken.
const SIZES: [(usize, &str); 5] = [
    (165, "print-165"),
    (140, "print-140"),
    (120, "print-120"),
    (105, "print-105"),
    (90, "print-90"),
];

/// Height of a sheet of Letter, the shorter of the two, within its margins, in tenths of a point.
const SHEET_HEIGHT: usize = 7_100;
/// Width of a line of a list, in tenths of a point.
const LINE_WIDTH: usize = 4_800;

/// The do's and don'ts of a plan, with their source and lines to sign. The words are the formulary's: none is added.
#[must_use]
pub fn leaflet_page(plan: &v1::Plan, site: &v1::Site, protocol_title: &str) -> String {
    let monitoring = monitoring(plan);
    let print = print(&monitoring);
    let title = if protocol_title.is_empty() { &plan.title } else { protocol_title };
    let mut body = Markup::tagged("h1", "After your treatment").line();
    let place = [&site.display_name, &site.address].map(|it| or_none(it));
    body.add(&paragraph(&format!("{}. {}", or_none(title), place.join(", "))));
    let mut advised = Markup::tagged("h2", "Do");
    advised.add(&list(&monitoring.advised, "The plan names nothing."));
    body.add(&Markup::element("section", &[("class", &"do")], &advised).line());
    let mut avoided = Markup::tagged("h2", "Do not");
    avoided.add(&list(&monitoring.avoided, "The plan names nothing."));
    body.add(&Markup::element("section", &[("class", &"dont")], &avoided).line());
    body.add(&signatures(&monitoring));
    let source = or_none(monitoring.leaflet_source.trim_end_matches('.'));
    body.add(&remark(&format!("Where these lines come from: {source}.")));
    let body = Markup::element("div", &[("class", &print)], &body);
    page("After your treatment", SHEET, &body)
}

/// The largest print with which everything is on one sheet; the smallest where nothing fits.
fn print(monitoring: &v1::Monitoring) -> &'static str {
    let lines = || monitoring.advised.iter().chain(&monitoring.avoided);
    let fits = |size: usize| {
        // A letter is 0.45 times as wide as it is high.
        let letters = LINE_WIDTH * 20 / (size * 9);
        let rows: usize = lines().map(|line| line.chars().count().div_ceil(letters).max(1)).sum();
        // Rows are 1.35 letters high, 0.4 lie between lines, and headings and signatures take 17 rows.
        (rows + 17) * size * 27 / 20 + lines().count() * size * 2 / 5 <= SHEET_HEIGHT
    };
    let size = SIZES.iter().find(|(size, _)| fits(*size)).or(SIZES.last());
    size.map_or("print-165", |(_, class)| class)
}

fn list(lines: &[String], empty: &str) -> Markup {
    if lines.is_empty() {
        return paragraph(empty);
    }
    let mut items = Markup::new();
    for line in lines {
        items.add(&Markup::tagged("li", line).line());
    }
    Markup::element("ul", &[], &items)
}

fn signatures(monitoring: &v1::Monitoring) -> Markup {
    let mut lines = Markup::new();
    let driving = if monitoring.no_driving {
        "I will not drive until tomorrow."
    } else {
        "I was given this page and had time to ask."
    };
    lines.add(&signature("Patient", driving));
    if monitoring.escort {
        let words = "I am an adult, I take the patient home, and I have read this page.";
        lines.add(&signature("Responsible adult", words));
    }
    lines.add(&by_hand("Telephone of the clinic:"));
    Markup::element("section", &[("class", &"signatures")], &lines).line()
}

fn signature(who: &str, words: &str) -> Markup {
    let blank = |class: &'static str| Markup::element("span", &[("class", &class)], &Markup::new());
    let mut line = Markup::tagged("b", &format!("{who}: "));
    line.add(&Markup::of(words).and(&Markup::void("br", &[])));
    line.add(&Markup::of("Signature ").and(&blank("blank")));
    line.add(&Markup::of(" Date ").and(&blank("blank day")));
    Markup::element("div", &[("class", &"sign")], &line).line()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn print_is_as_large_as_the_lines_allow() {
        let of = |lines, letters| {
            let line = "w".repeat(letters);
            let advised = vec![line; lines];
            print(&v1::Monitoring { avoided: advised.clone(), advised, ..Default::default() })
        };
        assert_eq!(of(0, 0), "print-165");
        assert_eq!(of(4, 50), "print-165");
        assert_eq!(of(12, 60), "print-105");
        assert_eq!(of(20, 200), "print-90");
    }
}
