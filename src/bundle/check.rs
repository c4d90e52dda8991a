//! A bundle, checked line by line with nothing but the ledger's verifier key.

use super::keys::Keys;
use super::line::{EntryLine, Header, Line, Tally, Trailer, VERSION};
use super::report::{BundleFinding, BundleReport};
use crate::audit::{Fault, Finding, Registrations, Verdict, named_key, unreadable};
use crate::ledger::ParsedEntry;
use crate::time::Timestamp;
use crate::tlog::{
    Checkpoint, Hash, PublicKey, SignedNote, VerifierKey, leaf_hash, verify_inclusion,
};

/// Takes the lines of a bundle in and finds the first thing that is wrong. It remembers the people and the last entry,
/// so that a bundle may be of any length.
///
/// Of a bundle of the whole ledger it checks the frame alone: that its entries are the ledger's is for an audit to find.
#[derive(Clone, Debug)]
pub struct Checker<'k> {
    key: &'k VerifierKey,
    tally: Tally,
    keys: Keys,
    registrations: Registrations,
    before: Option<Before>,
    last_selected: Option<u64>,
    end: Option<Trailer>,
    report: BundleReport,
}

/// The entry before.
#[derive(Clone, Copy, Debug)]
struct Before {
    index: u64,
    leaf: Hash,
    time: Timestamp,
}

/// Why a line does not hold.
enum Wrong {
    /// What is about an entry.
    Entry(Finding),
    /// What is about the line itself.
    Line(Fault, String, String),
    /// What nobody here can read.
    Unknown(String),
}

impl From<Finding> for Wrong {
    fn from(finding: Finding) -> Self {
        Self::Entry(finding)
    }
}

fn wrong<T>(
    fault: Fault,
    expected: impl Into<String>,
    found: impl Into<String>,
) -> Result<T, Wrong> {
    Err(Wrong::Line(fault, expected.into(), found.into()))
}

impl<'k> Checker<'k> {
    /// Nothing read yet.
    #[must_use]
    pub fn new(key: &'k VerifierKey) -> Self {
        let report = BundleReport {
            verdict: Verdict::Good,
            finding: None,
            header: None,
            checkpoint: None,
            note: None,
            policy: None,
            entries: 0,
            keys: 0,
            identities: Vec::new(),
        };
        Self {
            key,
            tally: Tally::default(),
            keys: Keys::new(),
            registrations: Registrations::default(),
            before: None,
            last_selected: None,
            end: None,
            report,
        }
    }

    /// Takes the next line, without its end. A line without an end, because the file stops there, is `cut`.
    pub fn line(&mut self, bytes: &[u8], cut: bool) {
        let line = if cut { None } else { Line::parse(bytes) };
        let number = self.tally.lines + 1;
        let checked = match &line {
            _ if cut => wrong(Fault::Truncated, "a whole line", "the end of the file within it"),
            _ if self.end.is_some() => wrong(Fault::Edited, "nothing after the end", "a line"),
            None => wrong(Fault::Edited, "a line of a bundle, as it is written", "another"),
            Some(line) => self.meet(line),
        };
        match line {
            Some(Line::End(end)) if self.end.is_none() => self.end = Some(end),
            line => self.tally.count(bytes, line.as_ref()),
        }
        if let Err(error) = checked {
            self.note_down(number, error);
        }
    }

    /// Keeps the first thing that is wrong. Whatever cannot be read is no verdict unless something is bad as well.
    fn note_down(&mut self, line: u64, error: Wrong) {
        let report = &mut self.report;
        if report.finding.is_some() {
            return;
        }
        let finding = match error {
            Wrong::Unknown(why) => {
                if report.verdict == Verdict::Good {
                    report.verdict = Verdict::None(why);
                }
                return;
            }
            Wrong::Entry(it) if it.fault == Fault::UnknownVersion => {
                return self.note_down(line, Wrong::Unknown(it.to_string()));
            }
            Wrong::Entry(it) => BundleFinding {
                line,
                index: Some(it.index),
                fault: it.fault,
                expected: it.expected,
                found: it.found,
            },
            Wrong::Line(fault, expected, found) => {
                BundleFinding { line, index: None, fault, expected, found }
            }
        };
        report.finding = Some(finding);
    }

    fn meet(&mut self, line: &Line) -> Result<(), Wrong> {
        if self.report.finding.is_some() || self.report.verdict != Verdict::Good {
            // From here on only the frame is looked at.
            return Ok(());
        }
        match line {
            Line::Head(header) if self.tally.lines == 0 => self.head(header),
            Line::Checkpoint(note) if self.tally.lines == 1 => self.checkpoint(note),
            Line::Policy(text) if self.tally.lines == 2 => {
                self.report.policy = Some(text.clone());
                Ok(())
            }
            Line::Entry(entry) if self.tally.lines > 1 && self.tally.identities == 0 => {
                self.entry(entry)
            }
            Line::Identity(identity) if self.tally.lines > 1 => {
                self.report.identities.push(identity.clone());
                Ok(())
            }
            Line::End(_) if self.tally.lines > 1 => Ok(()),
            _ => wrong(Fault::Reordered, "head, checkpoint, entries, identities, end", "another"),
        }
    }

    fn head(&mut self, header: &Header) -> Result<(), Wrong> {
        if header.version != VERSION {
            let (found, known) = (header.version, VERSION);
            let why = format!("the bundle has version {found}; this program reads version {known}");
            return Err(Wrong::Unknown(why));
        }
        self.report.header = Some(header.clone());
        if header.origin != self.key.name().as_str() {
            let expected = format!("a bundle of {}", self.key.name());
            return wrong(Fault::Fork, expected, format!("one of {}", header.origin));
        }
        Ok(())
    }

    fn checkpoint(&mut self, text: &str) -> Result<(), Wrong> {
        let expected = "a checkpoint signed by the ledger's key";
        let mismatch = |found: String| wrong(Fault::CheckpointMismatch, expected, found);
        let note = match SignedNote::parse(text.as_bytes()) {
            Ok(note) => note,
            Err(error) => return mismatch(error.to_string()),
        };
        let checkpoint = match Checkpoint::verify(&note, self.key) {
            Ok(checkpoint) => checkpoint,
            Err(error) => return mismatch(error.to_string()),
        };
        let told = self.report.header.as_ref().map(|header| (header.size, header.root.clone()));
        let signed = (checkpoint.size(), checkpoint.root().to_string());
        self.report.note = Some(note);
        if told.as_ref() != Some(&signed) {
            let expected =
                format!("a head with the signed size {} and root {}", signed.0, signed.1);
            return wrong(Fault::CheckpointMismatch, expected, "another");
        }
        self.report.checkpoint = Some(checkpoint);
        Ok(())
    }

    fn entry(&mut self, line: &EntryLine) -> Result<(), Wrong> {
        let index = line.index;
        let (Some(header), Some(checkpoint)) = (&self.report.header, &self.report.checkpoint)
        else {
            return wrong(Fault::Reordered, "the head and the checkpoint", "an entry");
        };
        let (whole, is_run) = (header.is_whole(), header.selection.is_run());
        if let Some(before) = self.before
            && index <= before.index
        {
            let fault = if index == before.index { Fault::Duplicate } else { Fault::Reordered };
            let expected = format!("an entry after {}", before.index);
            return Err(Finding::new(index, fault, expected, format!("entry {index}")).into());
        }
        let gap = self.last_selected.filter(|last| line.selected && last + 1 != index);
        if let Some(last) = gap.filter(|_| is_run || whole) {
            let (expected, found) = (format!("entry {}", last + 1), format!("entry {index}"));
            return Err(Finding::new(last + 1, Fault::Missing, expected, found).into());
        }
        let edited = |expected: &str| Finding::new(index, Fault::Edited, expected, "other bytes");
        let bytes = line.bytes().ok_or_else(|| edited("bytes in canonical base64"))?;
        let leaf = leaf_hash(&bytes);
        if !whole {
            let path = line.path().ok_or_else(|| edited("hashes in canonical base64"))?;
            let (size, root) = (checkpoint.size(), checkpoint.root());
            verify_inclusion(&leaf, index, size, &path, &root)
                .map_err(|error| edited(&format!("what the signed root commits to ({error})")))?;
        } else if !line.proof.is_empty() || !line.selected {
            return Err(edited("an entry of a whole ledger, without a proof").into());
        }
        let time = if whole { Timestamp::MIN } else { self.content(index, leaf, bytes)? };
        self.before = Some(Before { index, leaf, time });
        if line.selected {
            self.last_selected = Some(index);
            self.report.entries += 1;
        } else {
            self.report.keys += 1;
        }
        if line.selected && !whole {
            self.on_a_day(index, time)?;
        }
        Ok(())
    }

    /// What an entry whose bytes are the signed ones says, against those before it. When it was recorded.
    fn content(&mut self, index: u64, leaf: Hash, bytes: bytes::Bytes) -> Result<Timestamp, Wrong> {
        let entry = ParsedEntry::parse(bytes).map_err(|error| unreadable(index, &error))?;
        let finding = |fault, expected: String, found: String| {
            Err(Finding::new(index, fault, expected, found).into())
        };
        let says = entry.sealed.index();
        if says != index {
            return finding(Fault::Reordered, format!("entry {index}"), format!("entry {says}"));
        }
        if entry.ledger != self.key.name().as_str() {
            let found = format!("one of {:?}", entry.ledger);
            return finding(Fault::Fork, format!("an entry of {}", self.key.name()), found);
        }
        if index == 0 && named_key(&entry).as_deref() != Some(self.key.to_string().as_str()) {
            let found = "a beginning that names another key".to_owned();
            return finding(Fault::Fork, format!("the ledger of {}", self.key), found);
        }
        let time = entry.sealed.recorded_time();
        if let Some(before) = self.before {
            if before.index + 1 == index && entry.previous != before.leaf {
                let expected = format!("the leaf hash of entry {}", before.index);
                return finding(Fault::Edited, expected, entry.previous.to_string());
            }
            if time <= before.time {
                let expected = format!("a time after {}", before.time);
                return finding(Fault::TimeReversed, expected, time.to_string());
            }
        }
        debug_assert_eq!(leaf, entry.sealed.leaf_hash(), "one hash, made twice");
        let key = PublicKey::from_bytes(entry.request.key()).ok();
        if !key.is_some_and(|key| entry.request.holds_under(&key)) {
            let expected = "the signature of the key that the entry names".to_owned();
            return finding(Fault::BadSignature, expected, "another".to_owned());
        }
        self.keys.meet(&entry)?;
        self.registrations.see(index, entry.sealed.bytes());
        Ok(time)
    }

    fn on_a_day(&self, index: u64, time: Timestamp) -> Result<(), Wrong> {
        let Some(header) = &self.report.header else { return Ok(()) };
        if header.selection.has_day(time, self.keys.state()) {
            return Ok(());
        }
        let (expected, found) = (header.selection.to_string(), format!("one recorded at {time}"));
        Err(Finding::new(index, Fault::Edited, expected, found).into())
    }

    /// Whether something that was read so far does not hold.
    #[must_use]
    pub fn is_bad(&self) -> bool {
        self.report.finding.is_some()
    }

    /// The report, after the last line, and the patients that entries of the bundle register.
    #[must_use]
    pub fn finish(mut self) -> (BundleReport, Registrations) {
        let line = self.tally.lines + 1;
        let ended = self.ended();
        if let Err(error) = ended {
            self.note_down(line, error);
        }
        let nothing = self.report.entries == 0 && self.report.verdict == Verdict::Good;
        if self.report.finding.is_some() {
            self.report.verdict = Verdict::Bad;
        } else if nothing {
            self.report.verdict = Verdict::None("there is nothing to check".to_owned());
        }
        (self.report, self.registrations)
    }

    /// Whether the end is there and is that of these lines. A head that promises something else is the last to be told:
    /// a line that is missing before has its own words.
    fn ended(&self) -> Result<(), Wrong> {
        let Some(end) = &self.end else {
            let found = format!("{} lines and no end", self.tally.lines);
            return wrong(Fault::Truncated, "an end with the counts", found);
        };
        let counted = self.tally.trailer();
        let counts = |it: &Trailer| {
            format!("{} entries, {} for the keys, {} lines", it.entries, it.keys, it.lines)
        };
        let (told, found) = (counts(end), counts(&counted));
        if (end.entries, end.keys, end.identities, end.lines)
            != (counted.entries, counted.keys, counted.identities, counted.lines)
        {
            let fewer = counted.lines < end.lines;
            return wrong(if fewer { Fault::Missing } else { Fault::Edited }, told, found);
        }
        if end.sha256 != counted.sha256 {
            let expected = format!("the bytes with the SHA-256 {}", end.sha256);
            return wrong(Fault::Edited, expected, counted.sha256);
        }
        let head = self.report.header.as_ref();
        let promised = head.map(|it| (it.entries, it.keys, it.identities));
        if promised.is_some_and(|it| it != (counted.entries, counted.keys, counted.identities)) {
            return wrong(Fault::Missing, "as many lines as the head says", found);
        }
        Ok(())
    }
}
