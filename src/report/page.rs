//! What every page has: its frame, its style, its sections, its footer.

use super::markup::Markup;
use super::words::{NONE, or_none};
use crate::pb::v1;

/// For A4 and Letter alike: the printer knows its paper. Black, white and greys, and nothing that is told by a colour
/// alone. The numbers of the pages are the browser's.
const SHEET: &str = "\
@page { margin: 12mm 12mm 15mm; @bottom-right { content: 'page ' counter(page) ' of ' counter(pages);
  font: 8pt Helvetica, Arial, sans-serif } }
* { box-sizing: border-box }
body { font: 9.5pt/1.35 Helvetica, Arial, sans-serif; color: #000; background: #fff; max-width: 186mm;
  margin: 8mm auto; padding: 0 2mm }
h1 { font-size: 16pt; margin: 0 }
h2 { font-size: 11.5pt; margin: 5mm 0 1.5mm; padding-bottom: .5mm; border-bottom: 1.5pt solid #000;
  break-after: avoid }
p { margin: 1mm 0 }
table { border-collapse: collapse; width: calc(100% - 1pt); margin: 1mm 0 2mm }
table.wide { font-size: 8.5pt }
th, td { border: .75pt solid #777; padding: .7mm 1.4mm; text-align: left; vertical-align: top }
.wide th, .wide td { padding: .6mm .9mm }
.short { white-space: nowrap } .long { overflow-wrap: anywhere }
th { background: #eee; font-weight: bold; print-color-adjust: exact; -webkit-print-color-adjust: exact }
thead { display: table-header-group }
tr, svg, .box, section { break-inside: avoid } section.flow { break-inside: auto }
svg { width: 100%; height: auto; display: block; margin: 1mm 0 3mm }
header { display: flex; justify-content: space-between; gap: 8mm; border-bottom: 2.5pt solid #000;
  padding-bottom: 2mm; margin-bottom: 2mm }
header .site { text-align: right }
.facts { display: grid; grid-template-columns: max-content 1fr max-content 1fr; gap: .6mm 3mm; margin: 2mm 0 }
.facts dt { color: #333 } .facts dd { margin: 0; font-weight: bold; overflow-wrap: anywhere }
.glance { display: grid; grid-template-columns: repeat(4, 1fr); border: 1pt solid #000; margin: 2mm 0 }
.glance div { padding: 1.2mm 2mm; border: .5pt solid #888 }
.glance b { display: block; font-size: 11.5pt }
.box { border: 1.5pt solid #000; padding: 1.5mm 3mm; margin: 2mm 0 }
.alarm { border-width: 3pt; font-weight: bold }
.alarm ul { margin: 1mm 0; padding-left: 5mm }
.said { font-size: 11pt; font-style: italic }
.blank { display: inline-block; border-bottom: .7pt solid #000; min-width: 62mm; height: 1.2em }
.small { font-size: 8.5pt; color: #333 }
footer { border-top: 1.5pt solid #000; margin-top: 5mm; padding-top: 1.5mm; font-size: 8.5pt;
  break-inside: avoid }
@media print { body { margin: 0; padding: 0; max-width: none } }
";

/// Letters of a cell at most that is kept in one line.
const SHORT: usize = 13;
/// Letters of a word from which it is broken where the line ends.
const LONG_WORD: usize = 20;
/// Columns of a table from which its print is smaller.
const WIDE: usize = 8;

/// A whole page of HTML around what is in it. The title stands on every sheet, so that a loose one finds its way back.
pub(super) fn page(title: &str, more_style: &'static str, body: &Markup) -> String {
    let mut head = Markup::void("meta", &[("charset", &"utf-8")]).line();
    let view = "width=device-width, initial-scale=1";
    head.add(&Markup::void("meta", &[("name", &"viewport"), ("content", &view)]).line());
    head.add(&Markup::tagged("title", title).line());
    head.add(&Markup::style(SHEET).line());
    head.add(&Markup::running_title(title).line());
    if !more_style.is_empty() {
        head.add(&Markup::style(more_style).line());
    }
    let head = Markup::element("head", &[], &head).line();
    let body = Markup::element("body", &[], body).line();
    let whole = Markup::element("html", &[("lang", &"en")], &head.and(&body)).line();
    format!("<!DOCTYPE html>\n{}", whole.into_string())
}

/// The head of a page: what it is on the left, the registered location on the right.
pub(super) fn header(title: &str, below: &str, site: &v1::Site) -> Markup {
    let mut left = Markup::tagged("h1", title);
    left.add(&Markup::tagged("p", below));
    let mut right = Markup::tagged("b", or_none(&site.display_name));
    right.add(
        &Markup::void("br", &[]).and(&Markup::of(&site.address)).and(&Markup::void("br", &[])),
    );
    right.add(&Markup::of(&format!("DEA number: {}", or_none(&site.dea_number))));
    let left = Markup::element("div", &[], &left);
    let right = Markup::element("div", &[("class", &"site")], &right);
    Markup::element("header", &[], &left.and(&right)).line()
}

/// Facts in two columns; those without a value are shown with a dash, so that nothing is left out unseen.
pub(super) fn facts(facts: &[(&str, String)]) -> Markup {
    let mut list = Markup::new();
    for (label, value) in facts {
        list.add(&Markup::tagged("dt", label).and(&Markup::tagged("dd", or_none(value))).line());
    }
    Markup::element("dl", &[("class", &"facts")], &list).line()
}

/// The few numbers that are looked for first.
pub(super) fn glance(numbers: &[(&str, String)]) -> Markup {
    let mut cells = Markup::new();
    for (label, value) in numbers {
        let value = if value.is_empty() { NONE } else { value };
        let cell = Markup::of(label).and(&Markup::tagged("b", value));
        cells.add(&Markup::element("div", &[], &cell).line());
    }
    Markup::element("div", &[("class", &"glance")], &cells).line()
}

/// A section with its heading.
pub(super) fn section(heading: &str, inside: &Markup) -> Markup {
    let heading = Markup::tagged("h2", heading).line();
    Markup::element("section", &[], &heading.and(inside)).line()
}

/// A section that may go on on the next sheet, because it is too high to be kept in one piece.
pub(super) fn flowing(heading: &str, inside: &Markup) -> Markup {
    let heading = Markup::tagged("h2", heading).line();
    Markup::element("section", &[("class", &"flow")], &heading.and(inside)).line()
}

/// A table; a sentence instead where it has no rows.
pub(super) fn table(heading: &[&str], rows: &[Vec<Markup>], empty: &str) -> Markup {
    if rows.is_empty() {
        return paragraph(empty);
    }
    let mut head = Markup::new();
    for words in heading {
        let long = words.split(' ').any(|word| word.chars().count() > LONG_WORD);
        let class = if long { "long" } else { "head" };
        head.add(&Markup::element("th", &[("class", &class)], &Markup::of(words)));
    }
    let head = Markup::element("thead", &[], &Markup::element("tr", &[], &head)).line();
    let mut body = Markup::new();
    for row in rows {
        let mut cells = Markup::new();
        for cell in row {
            cells.add(&Markup::element("td", &[], cell));
        }
        body.add(&Markup::element("tr", &[], &cells).line());
    }
    let body = Markup::element("tbody", &[], &body);
    let class = if heading.len() > WIDE { "wide" } else { "plain" };
    Markup::element("table", &[("class", &class)], &head.and(&body)).line()
}

/// A sentence.
pub(super) fn paragraph(text: &str) -> Markup {
    Markup::tagged("p", text).line()
}

/// A remark in small print.
pub(super) fn remark(text: &str) -> Markup {
    Markup::element("p", &[("class", &"small")], &Markup::of(text)).line()
}

/// A cell; a dash where there is nothing.
pub(super) fn cell(text: &str) -> Markup {
    let text = or_none(text);
    fitted(text).map_or_else(
        || Markup::of(text),
        |class| Markup::element("span", &[("class", &class)], &Markup::of(text)),
    )
}

/// A cell that stands out.
pub(super) fn bold(text: &str) -> Markup {
    fitted(text).map_or_else(
        || Markup::tagged("b", text),
        |class| Markup::element("b", &[("class", &class)], &Markup::of(text)),
    )
}

/// How a cell may be broken into lines: a short one never, so that no number is parted from its unit; inside a word
/// only where the word alone would be wider than its column.
fn fitted(text: &str) -> Option<&'static str> {
    if text.chars().count() <= SHORT {
        Some("short")
    } else if text.split(' ').any(|word| word.chars().count() > LONG_WORD) {
        Some("long")
    } else {
        None
    }
}

/// Something that must not be overlooked, with its points.
pub(super) fn alarm(sentence: &str, points: &[String]) -> Markup {
    let mut inside = Markup::tagged("p", sentence);
    if !points.is_empty() {
        let mut list = Markup::new();
        for point in points {
            list.add(&Markup::tagged("li", point));
        }
        inside.add(&Markup::element("ul", &[], &list));
    }
    Markup::element("div", &[("class", &"box alarm")], &inside).line()
}

/// A line to be written on by hand.
pub(super) fn by_hand(label: &str) -> Markup {
    let line = Markup::element("span", &[("class", &"blank")], &Markup::new());
    Markup::element("p", &[("class", &"hand")], &Markup::of(&format!("{label} ")).and(&line)).line()
}

/// What a page says about itself.
pub(super) fn footer(ledger: &str, size: u64, printed: &str, zone: &str) -> Markup {
    let from = format!(
        "Ledger {} at size {size}. Printed at {printed} ({zone}, the site's standard time, as all \
         times here).",
        or_none(ledger)
    );
    let proof = "This page is a copy of what is recorded. It proves nothing by itself: the entries \
                 with the numbers named here do.";
    let inside = Markup::tagged("p", &from).and(&Markup::tagged("p", proof));
    Markup::element("footer", &[], &inside).line()
}
