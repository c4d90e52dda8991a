//! The audit: everything derived again from the bytes, trusting nothing but a key from outside.
//!
//! [`audit`] reads the evidence row by row, in bounded memory. For each entry it asks, in this order: are these the
//! bytes that the entry after it, and the signed checkpoints, commit to; is the entry chained to the one before; is the
//! signature the person's; do the same rules, run again, give the same outcome. It stops at the first entry that fails,
//! names it, the kind of fault, and up to where the ledger can still be trusted.
//!
//! Whether opened identities are those that entries commit to is asked apart, of evidence that was found good:
//! [`Registrations`], [`IdentityProof`].
//!
//! [`replay()`] is the part that the start-up shares: one entry, run through the rules again.

mod ahead;
mod audited;
mod checkpoints;
mod distrust;
mod evidence;
mod explain;
mod identities;
mod replay;
mod report;
mod request_ids;
mod signatures;

pub use ahead::on_the_pool;
pub use audited::Audited;
pub use distrust::{Distrust, Distrusted, DistrustedAct, DistrustedCheckpoints, Suspect};
pub use evidence::{CheckpointRow, EntryRow, EvidenceError};
pub use explain::{Explanation, SignerThen};
pub use identities::{
    IDENTITY_DIFFERS, IdentityFinding, IdentityProof, IdentityReport, MAX_LINE_BYTES,
    OpenedIdentity, Registrations,
};
pub use replay::{ledger_key, named_key, replay, unreadable};
pub use report::{Anchor, Fault, Finding, Report, Verdict};

use std::sync::Arc;

use crate::command::Command;
use crate::ledger::{ParsedEntry, Unread};
use crate::state::State;
use crate::tlog::{Checkpoint, Hash, SignedNote, Tree, VerifierKey};
use checkpoints::{Checkpoints, Outside};
use evidence::{CHUNKS_AHEAD, ReadEntry, Window};
use request_ids::RequestIds;

/// Rows that are read, parsed and verified together.
const CHUNK_ROWS: usize = 128;

/// Checkpoints that are verified ahead at most: one for each of the entries that are judged meanwhile, and of those that
/// are made ready.
const CHECKPOINTS_AHEAD: usize = (1 + CHUNKS_AHEAD) * CHUNK_ROWS;

/// What the auditor brings along.
#[derive(Clone, Debug)]
pub struct Options {
    /// The ledger's key, from outside the evidence.
    pub verifier_key: VerifierKey,
    /// A checkpoint kept outside the evidence, which excludes a cut-off tail up to its size.
    pub checkpoint: Option<SignedNote>,
}

/// Audits the evidence. Entries come in the order of their rows, checkpoints in the order of their sizes. `progress` is
/// told how many entries are done.
pub fn audit<E, C>(
    options: &Options,
    entries: E,
    checkpoints: C,
    progress: impl FnMut(u64),
) -> Report
where
    E: Iterator<Item = Result<EntryRow, EvidenceError>>,
    C: Iterator<Item = Result<CheckpointRow, EvidenceError>>,
{
    examine(options, Plan::default(), entries, checkpoints, progress).report
}

/// What an audit is to do besides its verdict.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The entry to explain on the way.
    pub explain: Option<u64>,
    /// Where an earlier audit ended, to go on from there.
    pub since: Option<Audited>,
    /// The key that is not to be relied on, to list what rests on it among the entries that are read.
    pub distrust: Option<Distrust>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Examined {
    /// The verdict.
    pub report: Report,
    /// The entry that was to be explained, where the audit found it good.
    pub explanation: Option<Explanation>,
    /// Where the audit ended, if its verdict is good.
    pub audited: Option<Audited>,
    /// What rests on the key that is not relied on, if the verdict is good.
    pub distrusted: Option<Distrusted>,
}

impl Examined {
    /// No verdict, and nothing else either.
    #[must_use]
    pub fn no_verdict(why: String) -> Self {
        Self { report: Report::no_verdict(why), explanation: None, audited: None, distrusted: None }
    }
}

/// Audits the evidence and does what else was planned. Where it goes on from an earlier audit, the entries begin with
/// the last one of that audit, and the checkpoints with that size.
pub fn examine<E, C>(
    options: &Options,
    plan: Plan,
    mut entries: E,
    checkpoints: C,
    progress: impl FnMut(u64),
) -> Examined
where
    E: Iterator<Item = Result<EntryRow, EvidenceError>>,
    C: Iterator<Item = Result<CheckpointRow, EvidenceError>>,
{
    let since = plan.since.as_ref().map_or(0, Audited::size);
    let outside = match outside(options, since) {
        Ok(outside) => outside,
        Err(why) => return Examined::no_verdict(why),
    };
    let foreign = plan.since.as_ref().and_then(|since| since.is_foreign_to(&options.verifier_key));
    let key = plan.since.as_ref().and_then(|since| since.verifier_key().parse().ok());
    let key = key.unwrap_or_else(|| options.verifier_key.clone());
    let followed = plan.since.as_ref().map_or(Ok(()), |since| since.follow_on(&mut entries));
    let fresh = || (State::empty(), Tree::new(), RequestIds::default());
    let (state, tree, request_ids) = plan.since.map_or_else(fresh, Audited::into_parts);
    let mut auditor = Auditor {
        options,
        since,
        state,
        tree,
        request_ids,
        checkpoints: Checkpoints::new(key, outside, since, checkpoints, CHECKPOINTS_AHEAD),
        foreign,
        asked: plan.explain,
        explanation: None,
        distrusted: plan.distrust.map(Distrusted::new),
    };
    let mut window = Window::new(entries, CHUNK_ROWS);
    let ended = followed.and_then(|()| auditor.run(&mut window, progress));
    let ended = auditor.under_our_key(ended, &mut window);
    let explanation = auditor.explanation.take();
    let distrusted = auditor.distrusted.take();
    let audited = ended.is_ok().then(|| {
        let request_ids = std::mem::take(&mut auditor.request_ids);
        Audited::new(auditor.state.clone(), auditor.tree.clone(), request_ids)
    });
    let report = auditor.report(ended.err());
    let good = report.verdict == Verdict::Good;
    let (audited, distrusted) = (audited.filter(|_| good), distrusted.filter(|_| good));
    Examined { report, explanation, audited, distrusted }
}

/// The checkpoint that the auditor brought, or why the audit cannot be made with what was brought.
fn outside(options: &Options, since: u64) -> Result<Option<Outside>, String> {
    let Some(note) = &options.checkpoint else { return Ok(None) };
    let key = &options.verifier_key;
    let checkpoint = Checkpoint::verify(note, key).or_else(|error| {
        // Another key of the same ledger may have signed it. Which one has to is known when its size is reached.
        let named =
            note.signatures().iter().any(|it| it.name() == key.name() && it.id() != key.id());
        let other = named.then(|| note.text().parse::<Checkpoint>().ok()).flatten();
        let other = other.filter(|checkpoint| checkpoint.origin() == key.name().as_str());
        other.ok_or_else(|| format!("the given checkpoint is of no use: {error}"))
    })?;
    let size = checkpoint.size();
    if size < since {
        return Err(format!(
            "the given checkpoint is of {size} entries and older than the saved audit of {since}: compare it with \
             all entries"
        ));
    }
    Ok(Some(Outside { note: note.clone(), checkpoint }))
}

/// Why the audit stopped early.
enum Stop {
    /// The evidence is bad.
    Bad(Finding),
    /// The evidence cannot be judged.
    Unreadable(String),
}

struct Auditor<'a, C: Iterator> {
    options: &'a Options,
    /// How many entries an earlier audit found good.
    since: u64,
    state: State,
    tree: Tree,
    request_ids: RequestIds,
    checkpoints: Checkpoints<C>,
    /// What this is as long as no key of the ledger is the one that the auditor brought.
    foreign: Option<Stop>,
    /// The entry that is to be explained.
    asked: Option<u64>,
    explanation: Option<Explanation>,
    distrusted: Option<Distrusted>,
}

impl<C> Auditor<'_, C>
where
    C: Iterator<Item = Result<CheckpointRow, EvidenceError>>,
{
    fn run<E>(&mut self, window: &mut Window<E>, mut progress: impl FnMut(u64)) -> Result<(), Stop>
    where
        E: Iterator<Item = Result<EntryRow, EvidenceError>>,
    {
        if self.since > 0 {
            self.checkpoints.at(&self.tree, true, None)?;
        }
        // This thread judges a chunk, in order, while all others make the next ones ready.
        self.checkpoints.fill();
        while window.fill().map_err(|error| Stop::Unreadable(error.to_string()))? {
            self.checkpoints.fill();
            self.judge(window)?;
            progress(self.state.size());
        }
        let size = self.state.size();
        self.checkpoints.end(size, &self.options.verifier_key)
    }

    /// Judges the entries of a chunk, one after the other.
    fn judge<E>(&mut self, window: &mut Window<E>) -> Result<(), Stop>
    where
        E: Iterator<Item = Result<EntryRow, EvidenceError>>,
    {
        for position in 0..window.chunk() {
            let entry = self.structure(window, position)?;
            if !entry.signed {
                let index = entry.parsed.sealed.index();
                let expected = "the signature of the key that the entry names";
                let finding = Finding::new(index, Fault::BadSignature, expected, "another");
                return Err(Stop::Bad(finding));
            }
            self.meaning(&entry)?;
            self.cover();
        }
        Ok(())
    }

    /// Whether the row at `position` is the entry that belongs there, with the bytes that were committed to.
    fn structure<E>(
        &mut self,
        window: &mut Window<E>,
        position: usize,
    ) -> Result<Arc<ReadEntry>, Stop>
    where
        E: Iterator<Item = Result<EntryRow, EvidenceError>>,
    {
        let expected = self.state.size();
        if let Some((previous, leaf)) = window.claim(position)
            && self.signed_root_is([previous, leaf]) == Some(true)
        {
            let bytes = "the bytes that the signed root commits to";
            return Err(Stop::Bad(Finding::new(expected, Fault::Edited, bytes, "other bytes")));
        }
        let placed = window.place(position, expected, self.state.last_leaf());
        let entry = match placed {
            Ok(entry) => entry,
            Err(finding) if finding.fault == Fault::UnknownVersion => {
                return Err(Stop::Bad(self.unknown(window, position, finding)));
            }
            Err(finding) => return Err(Stop::Bad(self.repeated(window, position, finding))),
        };
        if expected == 0 {
            self.own_key(&entry.parsed)?;
        }
        let _ = self.tree.append(entry.parsed.sealed.leaf_hash());
        let next = replay::next_key(&entry.parsed.request);
        self.checkpoints.at(&self.tree, window.vouched(position), next.as_ref())?;
        if let Some(next) = next {
            if next == self.options.verifier_key {
                self.foreign = None;
            }
            self.checkpoints.rotate(next);
        }
        Ok(entry)
    }

    /// What is found under keys none of which is the auditor's own counts for nothing: then it is another ledger. Where
    /// the audit stopped before it met that key, the key may still come.
    fn under_our_key<E>(
        &mut self,
        ended: Result<(), Stop>,
        window: &mut Window<E>,
    ) -> Result<(), Stop>
    where
        E: Iterator<Item = Result<EntryRow, EvidenceError>>,
    {
        let Some(foreign) = self.foreign.take() else { return ended };
        let ours = Some(&self.options.verifier_key);
        if ended.is_err() && window.any_left(|request| replay::next_key(request).as_ref() == ours) {
            return ended;
        }
        self.state = State::empty();
        self.checkpoints.discount();
        Err(foreign)
    }

    /// Whether these leaves lead to the next signed root; nothing where none is signed at that size.
    fn signed_root_is(&mut self, leaves: impl IntoIterator<Item = Hash>) -> Option<bool> {
        let mut claimed = self.tree.clone();
        for leaf in leaves {
            let _ = claimed.append(leaf);
        }
        let signed = self.checkpoints.next_root(claimed.size())?;
        Some(signed == claimed.root())
    }

    /// An entry of a version that nobody here can read. What it says is unknown, but not whether its bytes are those
    /// that were signed: leaf hashes need no reading.
    fn unknown<E>(&mut self, window: &mut Window<E>, position: usize, finding: Finding) -> Finding
    where
        E: Iterator<Item = Result<EntryRow, EvidenceError>>,
    {
        let Some(size) = self.checkpoints.next_size() else { return finding };
        let count = size.saturating_sub(self.tree.size());
        let leaves: Vec<Hash> =
            window.leaves(position).take(usize::try_from(count).unwrap_or(usize::MAX)).collect();
        match self.signed_root_is(leaves) {
            Some(false) => {
                let bytes = format!("the bytes that the signed root of {size} entries commits to");
                Finding::new(finding.index, Fault::Edited, bytes, "other bytes")
            }
            _ => finding,
        }
    }

    /// An entry out of its place whose request was met before is there twice.
    fn repeated<E>(&self, window: &Window<E>, position: usize, finding: Finding) -> Finding
    where
        E: Iterator<Item = Result<EntryRow, EvidenceError>>,
    {
        let met = window.entry(position).and_then(|entry| {
            let request = &entry.request;
            Command::parse(request.kind(), request.bytes()).ok()
        });
        let met = met.is_some_and(|command| self.request_ids.contains(command.header.request_id));
        let misplaced = matches!(finding.fault, Fault::Reordered | Fault::Missing);
        let fault = if met && misplaced { Fault::Duplicate } else { finding.fault };
        Finding { fault, ..finding }
    }

    /// Whether the rules make of the request what the entry says.
    fn meaning(&mut self, read: &ReadEntry) -> Result<(), Stop> {
        let entry = &read.parsed;
        let step = replay::rerun(&self.state, entry, read.command.as_ref()).map_err(Stop::Bad)?;
        if !self.request_ids.insert(step.request_id) {
            return Err(Stop::Bad(Finding::new(
                entry.sealed.index(),
                Fault::Duplicate,
                "a request id that was not used before",
                format!("request id {} for the second time", step.request_id),
            )));
        }
        let before = (self.asked == Some(entry.sealed.index())).then(|| self.state.clone());
        self.same_root_as_audited(entry)?;
        let signs = self.state.ledger_keys().next_back().map(|key| key.key);
        self.state.apply(&step);
        if let Some(distrusted) = &mut self.distrusted {
            distrusted.see(&self.state, entry, &step);
            if self.checkpoints.last() == self.state.size() {
                let first = || self.state.ledger_keys().next().map(|key| key.key);
                distrusted.see_checkpoint(&signs.or_else(first).unwrap_or_default(), &self.state);
            }
        }
        if let Some(before) = before {
            let entry = entry.clone().read().ok();
            self.explanation =
                entry.and_then(|entry| Explanation::of(&before, &self.state, entry, &step));
        }
        Ok(())
    }

    /// A self-audit must have found the root that was signed, as far as that is still remembered here.
    fn same_root_as_audited(&self, entry: &ParsedEntry<Unread>) -> Result<(), Stop> {
        let Some((size, root)) = replay::audited_root(&entry.request) else { return Ok(()) };
        match self.checkpoints.root_at(size) {
            Some(signed) if signed != root => {
                let expected = format!("a self-audit of {size} entries with the root {signed}");
                let (index, fault) = (entry.sealed.index(), Fault::OutcomeDiffers);
                Err(Stop::Bad(Finding::new(index, fault, expected, format!("the root {root}"))))
            }
            _ => Ok(()),
        }
    }

    /// The first checkpoint that covers the entry that is explained.
    fn cover(&mut self) {
        let held = self.checkpoints.held();
        if let Some(explanation) = &mut self.explanation
            && explanation.covered.is_none()
            && held > explanation.entry.sealed.index()
        {
            explanation.covered = Some(held);
        }
    }

    /// The first entry names the ledger's first key. It is the one that the auditor brought, or one that another took
    /// the place of: then that must still come.
    fn own_key(&mut self, entry: &ParsedEntry<Unread>) -> Result<(), Stop> {
        let named = named_key(&entry.request);
        let expected = self.options.verifier_key.to_string();
        if named.as_deref() == Some(expected.as_str()) {
            return Ok(());
        }
        if self.signed_root_is([entry.sealed.leaf_hash()]) == Some(false) {
            let bytes = "the bytes that the signed root commits to";
            return Err(Stop::Bad(Finding::new(0, Fault::Edited, bytes, "other bytes")));
        }
        let first = named.as_deref().and_then(|line| line.parse().ok());
        let found = named.unwrap_or_else(|| "no key".to_owned());
        let foreign = Finding::new(0, Fault::Fork, format!("the ledger of {expected}"), found);
        let Some(first) = first else { return Err(Stop::Bad(foreign)) };
        self.foreign = Some(Stop::Bad(foreign));
        self.checkpoints.rotate(first);
        Ok(())
    }

    fn report(self, stop: Option<Stop>) -> Report {
        let size = self.state.size();
        let (checked, anchor) = (self.checkpoints.checked(), self.checkpoints.anchor());
        let report = match stop {
            Some(Stop::Unreadable(text)) => Report::no_verdict(text),
            Some(Stop::Bad(finding)) => {
                let held = self.checkpoints.held();
                let bad = Report::bad(size, checked, held, anchor, finding);
                match &bad.finding {
                    Some(finding) if finding.fault == Fault::UnknownVersion => {
                        Report { verdict: Verdict::None(finding.to_string()), ..bad }
                    }
                    _ => bad,
                }
            }
            None if size == 0 => Report::no_verdict("there is nothing to check".to_owned()),
            None => Report::good(size, checked, anchor, self.tree.root()),
        };
        let rotations = self.state.ledger_keys().skip(1).map(|key| key.entry).collect();
        let self_audit = self.state.self_audit().cloned();
        Report { since: self.since, rotations, self_audit, ..report }
    }
}
