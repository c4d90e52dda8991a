//! Whether an identity stands in a free text.
//!
//! A note becomes part of an entry, and an entry is for ever. So a note is looked through for what the identity of its
//! own patient would give away, before it is recorded. Text is compared word by word, without case and without accents;
//! a word is a run of letters or a run of digits. It finds what a hurried person types; it cannot find a nickname, a
//! misspelling, or the name of somebody else.

use super::Identity;
use crate::time::Date;

/// A part of a name counts with so many letters; shorter ones ("de", "Li") occur as other words.
const MIN_NAME_LETTERS: usize = 3;
/// An identifier counts with so many letters and digits; a shorter one occurs as a number in any note.
const MIN_IDENTIFIER_CHARS: usize = 3;
/// A part of an address counts with so many letters and digits: "Flat 3" occurs in "lay flat 3 min".
const MIN_ADDRESS_CHARS: usize = 8;
/// From here on, scripts are written without spaces, and a name has to be looked for inside words.
const FIRST_UNSPACED: char = '\u{2E80}';
/// Months as they are abbreviated; a longer word counts when it begins so.
const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
/// What stands between the numbers of a day and means nothing.
const DAY_WORDS: [&str; 5] = ["st", "nd", "rd", "th", "of"];

impl Identity {
    /// Whether a text holds a part of the name (a word of three letters or more, or the whole name), an identifier, the
    /// day of birth in a usual spelling, or the address.
    #[must_use]
    pub fn occurs_in(&self, text: &str) -> bool {
        let words = words(text);
        self.name_occurs_in(&words)
            || self.identifiers.iter().any(|identifier| {
                let chars = words_of(identifier).concat();
                chars.chars().count() >= MIN_IDENTIFIER_CHARS && runs_together(&words, &chars)
            })
            || day_occurs_in(self.birth_date, &words)
            || self.address_occurs_in(&words)
    }

    fn name_occurs_in(&self, words: &[Word]) -> bool {
        let parts = words_of(&self.display_name);
        let whole: Vec<&str> = parts.iter().map(String::as_str).collect();
        if !whole.is_empty() && follows(words, &whole) {
            return true;
        }
        parts.iter().any(|part| {
            let letters = part.chars().filter(|c| c.is_alphabetic()).count();
            let unspaced = part.chars().any(|c| c >= FIRST_UNSPACED);
            words.iter().any(|word| {
                (letters >= MIN_NAME_LETTERS && word.text == *part)
                    || (unspaced && letters > 1 && word.text.contains(part.as_str()))
            })
        })
    }

    /// The whole address, its first part, or any part with a number and a name, such as a street with its house.
    fn address_occurs_in(&self, words: &[Word]) -> bool {
        let parts = self.address.split([',', ';', '\n']);
        let parts = parts.enumerate().map(|(position, part)| (position == 0, words_of(part)));
        let found = parts.filter(|(first, part)| {
            let number = part.iter().any(|word| word.chars().all(char::is_numeric));
            let name = part.iter().any(|word| {
                word.chars().all(char::is_alphabetic) && word.chars().count() >= MIN_NAME_LETTERS
            });
            *first || (number && name)
        });
        let whole = words_of(&self.address).concat();
        found
            .map(|(_, part)| part.concat())
            .chain([whole])
            .any(|part| part.chars().count() >= MIN_ADDRESS_CHARS && runs_together(words, &part))
    }
}

/// A run of letters or of digits, folded, and whether it stands right after the word before, with no more than one of
/// the signs between them that divide the numbers of a day.
struct Word {
    text: String,
    close: bool,
}

/// The words of a text.
fn words(text: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut gap = String::new();
    let mut last: Option<bool> = None;
    for character in text.chars().flat_map(fold) {
        if is_mark(character) {
            continue;
        }
        if !character.is_alphanumeric() {
            gap.push(character);
            last = None;
            continue;
        }
        let numeric = character.is_numeric();
        if let Some(word) = words.last_mut().filter(|_| last == Some(numeric)) {
            word.text.push(character);
        } else {
            let close = matches!(gap.as_str(), "" | "." | "/" | "-");
            words.push(Word { text: character.to_string(), close });
        }
        gap.clear();
        last = Some(numeric);
    }
    words
}

fn words_of(text: &str) -> Vec<String> {
    words(text).into_iter().map(|word| word.text).collect()
}

/// Whether these words follow one another somewhere.
fn follows(words: &[Word], wanted: &[&str]) -> bool {
    words
        .windows(wanted.len())
        .any(|run| run.iter().zip(wanted).all(|(word, wanted)| word.text == *wanted))
}

/// Whether some words that follow one another, written together, are exactly this: "123-456" is "123456".
fn runs_together(words: &[Word], wanted: &str) -> bool {
    (0..words.len()).any(|start| {
        let mut rest = wanted;
        for word in words.iter().skip(start) {
            match rest.strip_prefix(word.text.as_str()) {
                Some("") => return true,
                Some(left) => rest = left,
                None => return false,
            }
        }
        false
    })
}

/// Whether a day stands in a text: 1984-02-29, 29.2.1984, 2/29/84, 29 Feb 1984, February 29th, 1984, 19840229.
fn day_occurs_in(day: Date, words: &[Word]) -> bool {
    let (year, month, date) = (day.year(), day.month(), day.day());
    let compact = [
        format!("{year:04}{month:02}{date:02}"),
        format!("{date:02}{month:02}{year:04}"),
        format!("{month:02}{date:02}{year:04}"),
    ];
    if words.iter().any(|word| compact.contains(&word.text)) {
        return true;
    }
    let words: Vec<&Word> =
        words.iter().filter(|word| !DAY_WORDS.contains(&word.text.as_str())).collect();
    words.windows(3).any(|run| {
        let [first, second, third] = run else { return false };
        // Two digits are a year only where the three numbers stand as close as a day is written.
        let close = second.close && third.close;
        let is_year = |word: &Word| is_year(&word.text, year, close);
        let is_month = |word: &Word| is_month(&word.text, month);
        let is_date = |word: &Word| is_number(&word.text, u16::from(date));
        let ends_with_year = is_year(third)
            && ((is_date(first) && is_month(second)) || (is_month(first) && is_date(second)));
        let begins_with_year = is_year(first) && is_month(second) && is_date(third);
        ends_with_year || begins_with_year
    })
}

fn is_year(word: &str, year: u16, short: bool) -> bool {
    match word.len() {
        4 => is_number(word, year),
        2 => short && is_number(word, year % 100),
        _ => false,
    }
}

fn is_month(word: &str, month: u8) -> bool {
    let name = MONTHS.get(usize::from(month).saturating_sub(1));
    is_number(word, month.into()) || name.is_some_and(|name| word.starts_with(name))
}

fn is_number(word: &str, number: u16) -> bool {
    word.bytes().all(|b| b.is_ascii_digit()) && word.parse() == Ok(number)
}

/// A combining mark, as in an accent that was typed apart from its letter.
fn is_mark(character: char) -> bool {
    ('\u{0300}'..='\u{036F}').contains(&character)
}

/// A character without case and, in the Latin letters of Europe, without its accent.
fn fold(character: char) -> impl Iterator<Item = char> {
    let plain = |letter: char| match letter {
        'à'..='å' | 'ā' | 'ă' | 'ą' => "a",
        'æ' => "ae",
        'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => "c",
        'ð' | 'ď' | 'đ' => "d",
        'è'..='ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' => "e",
        'ĝ' | 'ğ' | 'ġ' | 'ģ' => "g",
        'ĥ' | 'ħ' => "h",
        'ì'..='ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' | 'ı' => "i",
        'ĵ' => "j",
        'ķ' => "k",
        'ĺ' | 'ļ' | 'ľ' | 'ŀ' | 'ł' => "l",
        'ñ' | 'ń' | 'ņ' | 'ň' => "n",
        'ò'..='ö' | 'ø' | 'ō' | 'ŏ' | 'ő' | 'ơ' => "o",
        'œ' => "oe",
        'ŕ' | 'ŗ' | 'ř' => "r",
        'ś' | 'ŝ' | 'ş' | 'š' | 'ș' => "s",
        'ß' => "ss",
        'ţ' | 'ť' | 'ŧ' | 'ț' => "t",
        'þ' => "th",
        'ù'..='ü' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' | 'ư' => "u",
        'ŵ' => "w",
        'ý' | 'ÿ' | 'ŷ' => "y",
        'ź' | 'ż' | 'ž' => "z",
        _ => "",
    };
    character.to_lowercase().flat_map(move |letter| {
        let folded = plain(letter);
        let same = folded.is_empty().then_some(letter);
        same.into_iter().chain(folded.chars())
    })
}
