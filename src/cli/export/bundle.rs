//! Some of the entries, or all of them, in one file that proves itself.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use clap::Args;
use serde_json::{Value, json};

use super::{Opened, OpeningArgs};
use crate::audit::{Registrations, ledger_key};
use crate::bundle::{EntryLine, Header, Line, Picked, Picker, Selection, VERSION, Writer};
use crate::cli::cosigner::read_policy;
use crate::cli::error::CliError;
use crate::cli::files::{Files, Grown};
use crate::cli::output::fields;
use crate::cli::session::{read_text, verifier_key};
use crate::cli::verify::progress_bar;
use crate::cli::{Desk, parse};
use crate::cosigner::Cosignatures;
use crate::ledger::ParsedEntry;
use crate::store::{LedgerFolder, SealedIdentities};
use crate::time::Date;
use crate::tlog::{Checkpoint, Policy, SignedNote, VerifierKey, leaf_hash, verify_inclusion};

/// A file of clinical facts is its owner's alone.
const FILE_MODE: u32 = 0o600;

/// Export some of the entries, or all, in one file that proves itself.
///
/// The file holds the entries of the selection, each with its proof under the signed checkpoint, and the entries that say
/// who might do what; nothing else of the ledger is in it. `vialedger verify FILE` checks it with nothing but the
/// verifier key. Which entries touch a vial, a patient or a person is found by running the rules over all entries, not
/// in an index.
///
/// A bundle proves what is in it, and not that nothing was left out; where it is a run of entries (--from, --to, --all), a
/// gap within it shows. A delivery is one entry: who follows one vial sees the others that came with it.
#[derive(Args, Debug)]
pub struct BundleArgs {
    /// The ledger's database, the folder that it is in, or exported tiles
    ledger: PathBuf,
    /// The file to make; nothing is overwritten
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// What to export
    #[command(flatten)]
    selection: SelectionArgs,
    /// Policy file (c2sp.org/tlog-policy): take the newest checkpoint that it is content with, and put it into the bundle
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Whether to open who the patients are
    #[command(flatten)]
    opening: OpeningArgs,
}

/// Which entries.
#[derive(Args, Clone, Debug)]
#[group(required = true, multiple = true)]
pub(in crate::cli) struct SelectionArgs {
    /// The entries that touch a vial, such as vials/9-1 or 9-1
    #[arg(long, group = "one", value_parser = parse::vial)]
    vial: Option<String>,
    /// The entries that touch a patient, by the name that they were recorded under
    #[arg(long, group = "one", value_parser = parse::patient)]
    patient: Option<String>,
    /// The entries that touch a person: what they signed, and what was done about them
    #[arg(long, group = "one", value_parser = parse::person)]
    person: Option<String>,
    /// The entries that touch a lot
    #[arg(long, group = "one", value_parser = parse::lot)]
    lot: Option<String>,
    /// The entries that touch a course
    #[arg(long, group = "one", value_parser = parse::course)]
    course: Option<String>,
    /// The entries that touch a session
    #[arg(long, group = "one", value_parser = parse::session)]
    session: Option<String>,
    /// All entries
    #[arg(long, group = "one")]
    all: bool,
    /// The entries recorded on this day or later, by the site's standard time
    #[arg(long, value_name = "DATE", conflicts_with = "one", value_parser = parse::calendar_day)]
    from: Option<Date>,
    /// The entries recorded on this day or earlier
    #[arg(long, value_name = "DATE", conflicts_with = "one", value_parser = parse::calendar_day)]
    to: Option<Date>,
}

impl SelectionArgs {
    pub(in crate::cli) fn selection(&self) -> Selection {
        let lot = self.lot.as_ref().map(|lot| format!("lots/{lot}"));
        let named = [&self.vial, &self.patient, &self.person, &lot, &self.course, &self.session];
        match named.into_iter().flatten().next() {
            Some(name) => Selection::Touching { name: name.clone() },
            None if self.all => Selection::All,
            None => Selection::Days { from: self.from, to: self.to },
        }
    }
}

/// A ledger that a bundle is made of, with the checkpoint that it is proved under.
pub(in crate::cli) struct Source {
    pub(in crate::cli) files: Files,
    /// Where the ledger's database is, or would be.
    pub(in crate::cli) database: PathBuf,
    /// The ledger's own key now, and the one that it began with.
    key: VerifierKey,
    pub(in crate::cli) first_key: VerifierKey,
    keys: Vec<VerifierKey>,
    /// The policy's text.
    pub(in crate::cli) policy: Option<String>,
    /// The newest checkpoint that the policy is content with.
    cosigned: Option<SignedNote>,
    cosignatures: Cosignatures,
}

/// What a bundle has become.
pub(in crate::cli) struct Made {
    pub(in crate::cli) header: Header,
    /// The checkpoint that it is proved under, and the same as it was signed.
    pub(in crate::cli) checkpoint: Checkpoint,
    pub(in crate::cli) note: SignedNote,
    /// Entries of the ledger that are newer than the checkpoint.
    pub(in crate::cli) newer: u64,
    pub(in crate::cli) opened: Opened,
}

impl Source {
    /// Opens a ledger. The key that it is read with is the one that it names itself: whoever checks the bundle brings
    /// their own. One that is given must be among its keys.
    pub(in crate::cli) fn open(
        ledger: &Path,
        vkey: Option<&str>,
        policy: Option<&Path>,
    ) -> Result<Self, CliError> {
        let files = Files::open(ledger)?;
        let keys = own_keys(&files, ledger)?;
        let given = vkey.map(|given| verifier_key(Some(given), None)).transpose()?;
        if let Some(given) = given.filter(|given| !keys.contains(given)) {
            return Err(CliError::No(format!("the ledger is not that of {given}")));
        }
        let missing = || CliError::Data(format!("{} names no key", ledger.display()));
        let (key, first_key) =
            keys.last().cloned().zip(keys.first().cloned()).ok_or_else(missing)?;
        let cosignatures = Cosignatures::beside(ledger);
        let read = policy.map(|path| Ok::<_, CliError>((read_policy(path)?, read_text(path)?)));
        let (cosigned, policy) = match read.transpose()? {
            None => (None, None),
            Some((policy, text)) => (cosigned(&policy, &cosignatures)?, Some(text)),
        };
        let folder = LedgerFolder::new(ledger);
        let database = if ledger.is_dir() { folder.database() } else { ledger.to_owned() };
        Ok(Self { files, database, key, first_key, keys, policy, cosigned, cosignatures })
    }

    /// The ledger's own key now.
    pub(in crate::cli) fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// Writes a bundle, and shows each entry of it: its index, whether it was asked for, and its bytes.
    pub(in crate::cli) fn bundle(
        &self,
        selection: &Selection,
        opening: &OpeningArgs,
        out: &mut impl Write,
        mut show: impl FnMut(u64, bool, &Bytes),
    ) -> Result<Made, CliError> {
        let sealed = opening.sealed(&self.database, self.key.name().as_str())?;
        let grown = self.files.tree(&self.key)?;
        let (note, checkpoint) = self.note(&grown)?;
        let size = checkpoint.size();
        let found = pick(&self.files, size, selection)?;
        let (opened, indexes) = (found.opened(sealed.as_ref()), found.indexes);
        let count = |picked| indexes.iter().filter(|(_, it)| *it == picked).count();
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let header = Header {
            version: VERSION,
            origin: checkpoint.origin().to_owned(),
            words: selection.to_string(),
            selection: selection.clone(),
            size,
            root: checkpoint.root().to_string(),
            entries: number(count(Picked::Selected)),
            keys: number(count(Picked::Keys)),
            identities: number(opened.lines.len()),
            opened_because: opening.reason().map(str::to_owned),
        };
        if header.entries == 0 {
            let words = format!("there is nothing to export: no entry is one of {selection}");
            return Err(CliError::No(words));
        }
        let mut writer = Writer::default();
        let mut put = |line: &Line| out.write_all(&writer.line(line)).map_err(CliError::Output);
        put(&Line::Head(Box::new(header.clone())))?;
        put(&Line::Checkpoint(note.to_string()))?;
        if let Some(policy) = &self.policy {
            put(&Line::Policy(policy.clone()))?;
        }
        for (index, picked) in indexes {
            let selected = picked == Picked::Selected;
            let (bytes, proof) = proven(&grown, index, &checkpoint)?;
            show(index, selected, &bytes);
            let proof = if header.is_whole() { &[][..] } else { &proof };
            put(&Line::Entry(EntryLine::new(index, selected, &bytes, proof)))?;
        }
        for line in &opened.lines {
            put(&Line::Identity(line.clone().into_bytes()))?;
        }
        out.write_all(&writer.end()).and_then(|()| out.flush()).map_err(CliError::Output)?;
        let newer = grown.checkpoint.size() - size;
        Ok(Made { header, checkpoint, note, newer, opened })
    }

    /// The checkpoint that the bundle is proved under, with cosignatures where there are some.
    pub(in crate::cli) fn note(
        &self,
        grown: &Grown<'_>,
    ) -> Result<(SignedNote, Checkpoint), CliError> {
        let beside = self.cosignatures.file(grown.checkpoint.size());
        let beside = std::fs::read(beside).ok().and_then(|note| SignedNote::parse(&note).ok());
        let beside = beside.filter(|note| note.text() == grown.note.text());
        let note = self.cosigned.clone().or(beside).unwrap_or_else(|| grown.note.clone());
        let bad = |why: String| CliError::No(format!("the checkpoint is of no use: {why}"));
        let mut keys = self.keys.iter().rev();
        let checkpoint = keys.find_map(|key| Checkpoint::verify(&note, key).ok());
        let checkpoint =
            checkpoint.ok_or_else(|| bad("no key of the ledger signed it".to_owned()))?;
        if grown.root_at(checkpoint.size())? != checkpoint.root() {
            return Err(bad("the ledger has another history; keep both".to_owned()));
        }
        Ok((note, checkpoint))
    }
}

/// The keys that a ledger names as its own, oldest first. Nothing of it is proved here.
fn own_keys(files: &Files, ledger: &Path) -> Result<Vec<VerifierKey>, CliError> {
    let size = files.newest_note()?.text().parse::<Checkpoint>().map_or(0, |it| it.size());
    let mut keys = Vec::new();
    for row in files.entries(size) {
        let row = row.map_err(|error| CliError::Data(error.to_string()))?;
        let entry = ParsedEntry::parse(row.entry).map_err(|error| {
            let (path, index) = (ledger.display(), row.index);
            CliError::Data(format!("{path}: entry {index}: {error}; run `vialedger verify`"))
        })?;
        keys.extend(ledger_key(&entry.request));
    }
    Ok(keys)
}

/// The newest checkpoint that a policy is content with; nothing where it asks for no cosignatures.
fn cosigned(policy: &Policy, beside: &Cosignatures) -> Result<Option<SignedNote>, CliError> {
    if !policy.asks_for_cosignatures() {
        return Ok(None);
    }
    let found = beside.newest_under(policy).map_err(|error| CliError::Data(error.to_string()))?;
    let missing = "no checkpoint beside the ledger has the cosignatures that the policy asks for";
    let (note, _) = found.ok_or_else(|| CliError::No(missing.to_owned()))?;
    Ok(Some(note))
}

/// The entries of a selection.
struct Found {
    indexes: Vec<(u64, Picked)>,
    registrations: Registrations,
}

impl Found {
    fn opened(&self, sealed: Option<&SealedIdentities>) -> Opened {
        sealed.map(|sealed| Opened::of(&self.registrations, sealed)).unwrap_or_default()
    }
}

/// Runs the rules over a ledger, and picks what is asked for.
fn pick(files: &Files, size: u64, selection: &Selection) -> Result<Found, CliError> {
    let mut picker = Picker::new(selection.clone());
    let mut found = Found { indexes: Vec::new(), registrations: Registrations::default() };
    let bar = progress_bar(size);
    for (index, row) in (0..size).zip(files.entries(size)) {
        let row = row.map_err(|error| CliError::Data(error.to_string()))?;
        let bad =
            |error| CliError::No(format!("the ledger is bad: {error}; run `vialedger verify`"));
        let role = picker.see(&row.entry).map_err(bad)?;
        if role != Picked::Neither {
            found.registrations.see(index, &row.entry);
            found.indexes.push((index, role));
        }
        bar.set_position(index);
    }
    bar.finish_and_clear();
    Ok(found)
}

/// An entry with its proof, which holds.
fn proven(
    grown: &Grown<'_>,
    index: u64,
    checkpoint: &Checkpoint,
) -> Result<(Bytes, Vec<crate::tlog::Hash>), CliError> {
    let bad = |why: &str| {
        CliError::No(format!("the ledger is bad: entry {index} {why}; run `vialedger verify`"))
    };
    let bytes = grown.entry(index)?.ok_or_else(|| bad("is missing"))?;
    let (size, root) = (checkpoint.size(), checkpoint.root());
    let path = grown.inclusion(index, size)?;
    verify_inclusion(&leaf_hash(&bytes), index, size, &path, &root)
        .map_err(|_| bad("is not the one that was signed"))?;
    Ok((bytes, path))
}

/// Exports a bundle.
pub(super) fn export(args: &BundleArgs, desk: &Desk) -> Result<(), CliError> {
    let policy = args.policy.as_deref();
    let source = Source::open(&args.ledger, desk.global.vkey.as_deref(), policy)?;
    let failed = |source| CliError::Write { path: args.out.clone(), source };
    let file = create(&args.out).map_err(failed)?;
    // A crash from here on leaves a file without its end, which is noticed.
    let mut out = BufWriter::new(file);
    let made = source.bundle(&args.selection.selection(), &args.opening, &mut out, |_, _, _| {});
    let made = made.and_then(|made| {
        out.get_ref().sync_all().map_err(failed)?;
        Ok(made)
    });
    if made.is_err() {
        let _ = std::fs::remove_file(&args.out);
    }
    let made = made?;
    desk.out.value(&json_of(&made, &args.out), || text_of(&made, &args.out))
}

/// A new file for its owner's eyes only.
pub(in crate::cli) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)
}

fn json_of(made: &Made, out: &Path) -> Value {
    let header = &made.header;
    json!({
        "file": out,
        "origin": header.origin,
        "selection": header.words,
        "entries": header.entries,
        "keys": header.keys,
        "size": header.size,
        "root": header.root,
        "newer_entries": made.newer,
        "whole": header.is_whole(),
        "identities": {
            "opened": header.identities,
            "not_opened": made.opened.failed.iter()
                .map(|(patients, why)| json!({ "patients": patients, "why": why }))
                .collect::<Vec<_>>(),
            "trace_in_ledger": false,
        },
    })
}

fn text_of(made: &Made, out: &Path) -> String {
    let header = &made.header;
    let keys = format!("{} entries that say who might do what", header.keys);
    let complete = match (header.is_whole(), header.selection.is_run()) {
        (true, _) => "the whole ledger, and every rule can be run again",
        (false, true) => {
            "a run of entries: a gap within it would show, and not where it begins and ends"
        }
        (false, false) => "it proves what is in it, and not that nothing was left out",
    };
    let newer = match made.newer {
        0 => String::new(),
        newer => format!("{newer} entries are newer than the checkpoint, and not in it"),
    };
    let opened = match header.identities {
        0 => String::new(),
        count => format!("{count} opened; that leaves no trace in the ledger"),
    };
    let failed: Vec<String> =
        made.opened.failed.iter().map(|(patients, why)| format!("{patients}: {why}")).collect();
    let check = format!("vialedger verify {} --vkey FILE", out.display());
    let facts = fields(&[
        ("Also", &keys),
        ("Checkpoint", &format!("of {} entries", header.size)),
        ("Newer", &newer),
        ("Identities", &opened),
        ("Not opened", &failed.join("; ")),
        ("Complete", &complete),
        ("Check", &check),
    ]);
    format!("{} entries are in {}: {}.{facts}", header.entries, out.display(), header.words)
}
