//! The printed story: short numbered chapters, aligned columns, no line longer than [`WIDTH`].
//!
//! Colours are written as escape sequences; the output takes them away where no terminal is listening.

use crate::cli::error::CliError;
use crate::cli::output::{Output, Tone, print};

/// Longest line, in characters.
const WIDTH: usize = 100;
/// Where the text of a chapter begins.
const MARGIN: &str = "   ";
/// Where the text of an event begins, after its time and its entry.
const BESIDE: &str = "                    ";
/// Where what a program says begins, and what a person types.
const INSET: &str = "     ";
/// What marks each line of a refusal.
const EDGE: &str = "                    | ";
/// Spaces between two columns.
const GAP: usize = 2;

/// Tells the story to a person, and nothing to a program.
pub(super) struct Story {
    out: Output,
    chapter: u32,
}

impl Story {
    /// A story that goes to this output.
    pub(super) fn new(out: Output) -> Self {
        Self { out, chapter: 0 }
    }

    /// The name of the story, or of what follows it.
    pub(super) fn title(&self, text: &str) -> Result<(), CliError> {
        self.line(Tone::Heading, text)
    }

    /// Begins the next chapter.
    pub(super) fn chapter(&mut self, title: &str) -> Result<(), CliError> {
        self.chapter += 1;
        self.gap()?;
        self.line(Tone::Heading, &format!("{:<3}{title}", self.chapter))
    }

    /// An empty line.
    pub(super) fn gap(&self) -> Result<(), CliError> {
        self.line(Tone::Plain, "")
    }

    /// A paragraph.
    pub(super) fn tell(&self, text: &str) -> Result<(), CliError> {
        self.lines(Tone::Plain, &hang(MARGIN, MARGIN, text))
    }

    /// Something that somebody did: when, the entry that keeps it (where one does), and what.
    pub(super) fn event(&self, at: &str, entry: Option<u64>, text: &str) -> Result<(), CliError> {
        let entry = entry.map(|entry| format!("entry {entry}")).unwrap_or_default();
        let head = format!("{MARGIN}{at}  {entry:<8}  ");
        self.lines(Tone::Plain, &hang(&head, BESIDE, text))
    }

    /// More about the event above.
    pub(super) fn detail(&self, text: &str) -> Result<(), CliError> {
        self.lines(Tone::Plain, &hang(BESIDE, BESIDE, text))
    }

    /// A refusal, word for word as whoever asked sees it.
    pub(super) fn refusal(&self, text: &str) -> Result<(), CliError> {
        self.quoted(Tone::Bad, EDGE, text)
    }

    /// What a program says, as it says it.
    pub(super) fn quote(&self, tone: Tone, text: &str) -> Result<(), CliError> {
        self.quoted(tone, INSET, text)
    }

    /// A command to type. It works as printed: a long one is broken as a shell breaks lines.
    pub(super) fn command(&self, text: &str) -> Result<(), CliError> {
        self.lines(Tone::Plain, &continued(text))
    }

    /// A line of an account: what, and how much.
    pub(super) fn account(&self, label: &str, amount: &str) -> Result<(), CliError> {
        self.line(Tone::Plain, &format!("{INSET}{label:<24}{amount:>8}"))
    }

    /// Columns as wide as their widest cell; the last one is wrapped.
    pub(super) fn table<const N: usize>(
        &self,
        heading: [&str; N],
        rows: &[[String; N]],
    ) -> Result<(), CliError> {
        let heading = heading.map(str::to_owned);
        let widths = widths(&heading, rows);
        if heading.iter().any(|cell| !cell.is_empty()) {
            self.lines(Tone::Heading, &row(&heading, &widths))?;
        }
        rows.iter().try_for_each(|cells| self.lines(Tone::Plain, &row(cells, &widths)))
    }

    /// The first line in its tone, the others plain.
    fn quoted(&self, tone: Tone, edge: &str, text: &str) -> Result<(), CliError> {
        text.lines().enumerate().try_for_each(|(number, line)| {
            let tone = if number == 0 { tone } else { Tone::Plain };
            self.lines(tone, &rewrapped(edge, line))
        })
    }

    fn lines(&self, tone: Tone, lines: &[String]) -> Result<(), CliError> {
        lines.iter().try_for_each(|line| self.line(tone, line))
    }

    fn line(&self, tone: Tone, line: &str) -> Result<(), CliError> {
        if self.out.is_json() {
            return Ok(());
        }
        print(&tone.paint(line.trim_end()))
    }
}

/// Columns that a text takes on a terminal. The story has no wide characters.
fn columns(text: &str) -> usize {
    text.chars().count()
}

fn spaces(number: usize) -> String {
    " ".repeat(number)
}

fn widths<const N: usize>(heading: &[String; N], rows: &[[String; N]]) -> [usize; N] {
    let mut widths = heading.each_ref().map(|cell| columns(cell));
    for cells in rows {
        for (width, cell) in widths.iter_mut().zip(cells) {
            *width = (*width).max(columns(cell));
        }
    }
    widths
}

fn row<const N: usize>(cells: &[String; N], widths: &[usize; N]) -> Vec<String> {
    let Some((last, before)) = cells.split_last() else { return Vec::new() };
    let mut head = MARGIN.to_owned();
    for (cell, width) in before.iter().zip(widths) {
        head += cell;
        head += &spaces(width + GAP - columns(cell));
    }
    hang(&head, &spaces(columns(&head)), last)
}

/// A text after `head`, in lines of at most [`WIDTH`]; the further ones begin with `rest`.
fn hang(head: &str, rest: &str, text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = head.to_owned();
    let mut begun = false;
    for word in text.split_whitespace() {
        if begun && columns(&line) + 1 + columns(word) > WIDTH {
            lines.push(std::mem::replace(&mut line, rest.to_owned()));
            begun = false;
        }
        if begun {
            line.push(' ');
        }
        line += word;
        begun = true;
    }
    lines.push(line);
    lines
}

/// A line of a program's own layout after `edge`. Where it is too long it goes on below its value, so that a column of
/// labels stays one.
fn rewrapped(edge: &str, line: &str) -> Vec<String> {
    if columns(edge) + columns(line) <= WIDTH {
        return vec![format!("{edge}{line}")];
    }
    let text = line.trim_start();
    let label = [": ", "  "].into_iter().filter_map(|end| text.find(end)).min();
    let label = label.and_then(|end| text.get(..=end)).unwrap_or_default();
    let value = text.get(label.len()..).unwrap_or_default();
    let gap = columns(value) - columns(value.trim_start());
    let head = format!("{edge}{}{label}{}", spaces(columns(line) - columns(text)), spaces(gap));
    let rest = format!("{edge}{}", spaces(columns(&head) - columns(edge)));
    hang(&head, &rest, value)
}

/// A command in lines of at most [`WIDTH`] where its options allow it.
fn continued(command: &str) -> Vec<String> {
    let mut options = command.split(" --");
    let mut line = format!("{INSET}{}", options.next().unwrap_or_default());
    let mut lines = Vec::new();
    for option in options {
        if columns(&line) + columns(option) + 5 > WIDTH {
            lines.push(std::mem::replace(&mut line, INSET.to_owned()) + " \\");
            line += " ";
        }
        line += " --";
        line += option;
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_command_goes_on_as_a_shell_reads_it() {
        assert_eq!(continued("verify a --vkey b"), ["     verify a --vkey b"]);
        let long = "x".repeat(60);
        assert_eq!(
            continued(&format!("verify {long} --vkey {long} --checkpoint c")),
            [format!("     verify {long} \\"), format!("       --vkey {long} --checkpoint c"),]
        );
    }

    #[test]
    fn no_line_is_too_long_and_what_follows_stands_below_its_value() {
        let words = "one two three four five six seven eight nine ten ".repeat(4);
        for (line, indent) in [
            (format!("Refused: {words}"), 9),
            (format!("  What to do: {words}"), 14),
            (format!("  Anchor  {words}"), 10),
            (format!("  {words}"), 6),
        ] {
            let wrapped = rewrapped("| ", &line);
            assert!(wrapped.len() > 1);
            for (number, wrapped) in wrapped.iter().enumerate() {
                assert!(columns(wrapped) <= WIDTH, "{wrapped}");
                let text = wrapped.strip_prefix("| ").unwrap();
                let own = text.len() - text.trim_start().len();
                assert!(number == 0 || own == indent || line.starts_with("  one"), "{wrapped}");
            }
            let joined: Vec<&str> =
                wrapped.iter().flat_map(|line| line[2..].split_whitespace()).collect();
            assert_eq!(joined, line.split_whitespace().collect::<Vec<_>>());
        }
    }

    #[test]
    fn columns_of_a_table_are_as_wide_as_their_widest_cell() {
        let rows = [["a".to_owned(), "bb".to_owned()], ["ccc".to_owned(), "d".to_owned()]];
        let heading = ["x".to_owned(), "y".to_owned()];
        let widths = widths(&heading, &rows);
        assert_eq!(row(&rows[0], &widths), ["   a    bb"]);
        assert_eq!(row(&rows[1], &widths), ["   ccc  d"]);
    }
}
