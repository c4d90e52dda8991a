//! Pages and pictures are put together from pieces that are well-formed by construction: names of tags and attributes
//! are written in this crate, and whatever comes from data passes through one escape.

use std::fmt::{Display, Write as _};

/// A well-formed piece of HTML or SVG. Empty elements are closed as in XML, which HTML reads too.
#[derive(Clone, Debug, Default)]
pub(super) struct Markup(String);

/// Attributes: names of ours, values from anywhere.
pub(super) type Attributes<'a> = &'a [(&'static str, &'a dyn Display)];

impl Markup {
    /// Nothing yet.
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Text, escaped.
    pub(super) fn of(text: &str) -> Self {
        Self(escaped(text))
    }

    /// An element with what is inside it.
    pub(super) fn element(tag: &'static str, attributes: Attributes<'_>, inside: &Self) -> Self {
        let mut whole = opened(tag, attributes);
        let _ = write!(whole, ">{}</{tag}>", inside.0);
        Self(whole)
    }

    /// An element around a text, without attributes.
    pub(super) fn tagged(tag: &'static str, text: &str) -> Self {
        Self::element(tag, &[], &Self::of(text))
    }

    /// An element that holds nothing.
    pub(super) fn void(tag: &'static str, attributes: Attributes<'_>) -> Self {
        let mut whole = opened(tag, attributes);
        whole.push_str("/>");
        Self(whole)
    }

    /// This and then that.
    pub(super) fn add(&mut self, more: &Self) {
        self.0.push_str(&more.0);
    }

    /// This and then that, for what is written in one expression.
    pub(super) fn and(mut self, more: &Self) -> Self {
        self.add(more);
        self
    }

    /// This and then the end of the line, so that a page can be read and compared line by line.
    pub(super) fn line(mut self) -> Self {
        self.0.push('\n');
        self
    }

    /// Whether there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The whole text.
    pub(super) fn into_string(self) -> String {
        self.0
    }

    /// A style sheet of ours. It is the one thing that is not escaped: no data is in it.
    pub(super) fn style(sheet: &'static str) -> Self {
        Self(format!("<style>\n{sheet}</style>"))
    }

    /// A style sheet that prints a title at the head of every sheet of paper. A string of CSS has rules of its own, so
    /// only letters that mean nothing anywhere get into it.
    pub(super) fn running_title(title: &str) -> Self {
        let plain = |letter: char| letter.is_ascii_alphanumeric() || " /.,:-".contains(letter);
        let title: String =
            title.chars().map(|letter| if plain(letter) { letter } else { '?' }).collect();
        Self(format!(
            "<style>\n@page {{ @top-right {{ content: '{title}'; \
             font: 8pt Helvetica, Arial, sans-serif }} }}\n</style>"
        ))
    }
}

fn opened(tag: &'static str, attributes: Attributes<'_>) -> String {
    let mut opened = format!("<{tag}");
    for (name, value) in attributes {
        let _ = write!(opened, " {name}=\"{}\"", escaped(&value.to_string()));
    }
    opened
}

/// Text that is read as text everywhere: in elements and in attributes, in HTML and in XML.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\n' | '\t' => safe.push(' '),
            hidden if is_hidden(hidden) => safe.push('\u{fffd}'),
            plain => safe.push(plain),
        }
    }
    safe
}

/// What XML cannot hold, and what turns the order of the letters around, so that a name or a lot would read as another
/// one than was recorded. It is shown as the sign for "there was something here".
fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{200e}'
                | '\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
                | '\u{fffe}'
                | '\u{ffff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        let hostile = "<script>alert(\"1\" & '2')</script>";
        let safe = "&lt;script&gt;alert(&quot;1&quot; &amp; &#39;2&#39;)&lt;/script&gt;";
        assert_eq!(Markup::of(hostile).into_string(), safe);
        let inside = Markup::element("p", &[("title", &hostile)], &Markup::of(hostile));
        assert_eq!(inside.into_string(), format!("<p title=\"{safe}\">{safe}</p>"));
        assert_eq!(Markup::void("br", &[]).into_string(), "<br/>");
    }

    #[test]
    fn nothing_leaves_the_style_sheet() {
        let sheet = Markup::running_title("a'} </style><script>\\ é").into_string();
        assert!(sheet.contains("content: 'a?? ?/style??script?? ?'"), "{sheet}");
    }

    #[test]
    fn what_would_hide_or_turn_letters_is_shown() {
        assert_eq!(Markup::of("lot\u{0}12\u{202e}34").into_string(), "lot\u{fffd}12\u{fffd}34");
        assert_eq!(Markup::of("two\nlines").into_string(), "two lines");
    }
}
