//! Changed, missing, doubled, moved and cut off: what anybody who holds the file can do, the audit finds and names.

use bytes::Bytes;
use rayon::prelude::*;
use vialedger::audit::{Anchor, Fault, Verdict};
use vialedger::ledger::RequestKind;

use crate::forge::{BOTH, Evidence, ROTATED, Sizes, every_kind, kinds};
use crate::honest::honest;
use crate::support::{Book, note_signer, sign_root};
use crate::tally::Tally;

fn book() -> &'static Book {
    &honest().book
}

fn size() -> usize {
    honest().size()
}

fn index(place: usize) -> u64 {
    u64::try_from(place).unwrap()
}

fn untouched(sizes: Sizes) -> &'static Evidence {
    honest().whole(sizes)
}

/// From one place whose cases a full audit judges to the next: the others go on from the beginning before the place.
const SAMPLED: usize = 40;

/// The ledger changed in one way, for each place. Rows keep their numbers or get new ones, and in turn every size has a
/// checkpoint or few have.
fn each(
    tampering: &'static str,
    change: impl Fn(&mut Evidence, usize) -> Option<(u64, Fault)> + Sync,
) {
    each_of(tampering, SAMPLED, change);
}

fn each_of(
    tampering: &'static str,
    sampled: usize,
    change: impl Fn(&mut Evidence, usize) -> Option<(u64, Fault)> + Sync,
) {
    let tally = Tally::of(tampering);
    (0..2 * size()).into_par_iter().for_each(|turn| {
        let (place, renumbered) = (turn / 2, turn % 2 == 1);
        let sizes = BOTH[(turn / 2 + turn) % 2];
        let full = place % sampled == 0 || place + 2 >= size();
        let mut evidence =
            if full { untouched(sizes).clone() } else { honest().tail(place, size(), sizes) };
        let Some((index, fault)) = change(&mut evidence, place) else { return };
        if renumbered {
            evidence.renumber();
        }
        let what = format!("place {place}, checkpoints {sizes:?}, renumbered {renumbered}");
        evidence.must_fail(index, fault, &what);
        tally.count(fault);
    });
}

#[test]
fn the_untouched_ledgers_are_good_and_hold_every_kind_of_entry() {
    assert_eq!(kinds(&every_kind()), RequestKind::ALL);
    every_kind().audit();
    book().audit();
    assert!(size() >= 200);
    for sizes in BOTH {
        untouched(sizes).must_be_good("untouched");
    }
}

#[test]
fn an_entry_cut_short_or_drawn_out_is_edited() {
    each("an entry cut short or drawn out", |evidence, place| {
        let row = &mut evidence.row(place).entry;
        *row = match place % 3 {
            0 => row.slice(..row.len() - 1),
            1 => Bytes::from([row.as_ref(), &[0x78, 0x01]].concat()),
            _ => Bytes::new(),
        };
        Some((index(place), Fault::Edited))
    });
}

#[test]
fn a_row_that_is_gone_is_missed() {
    each("a row deleted", |evidence, place| {
        evidence.take(place);
        let last = place + 1 == size();
        Some((index(place), if last { Fault::Truncated } else { Fault::Missing }))
    });
}

#[test]
fn several_rows_that_are_gone_are_missed() {
    each("five rows deleted", |evidence, place| {
        let end = (place + 5).min(size() - 1);
        (place..end).for_each(|_| drop(evidence.take(place)));
        (place < end).then_some((index(place), Fault::Missing))
    });
}

#[test]
fn a_row_that_is_there_twice_is_a_duplicate() {
    each("a row doubled in its place", |evidence, place| {
        let twice = evidence.row(place).clone();
        evidence.put(place, twice);
        Some((index(place) + 1, Fault::Duplicate))
    });
    each("a row doubled at the end", |evidence, place| {
        let twice = evidence.row(place).clone();
        evidence.rows.push(twice);
        Some((index(size()), Fault::Duplicate))
    });
}

#[test]
fn rows_that_changed_places_are_reordered() {
    each("two neighbours swapped", |evidence, place| {
        (place + 1 < size()).then(|| evidence.swap(place))?;
        Some((index(place), Fault::Reordered))
    });
    // One is taken out and put at the end, or at the beginning.
    each("a row moved to the end", |evidence, place| {
        (place + 1 < size()).then(|| {
            let row = evidence.take(place);
            evidence.rows.push(row);
        })?;
        Some((index(place), Fault::Reordered))
    });
    each_of("a row moved to the beginning", 1, |evidence, place| {
        (place > 0).then(|| {
            let row = evidence.take(place);
            evidence.rows.insert(0, row);
        })?;
        Some((0, Fault::Reordered))
    });
}

#[test]
fn a_row_under_the_largest_index_is_reordered() {
    for place in [0, size() - 2, size() - 1] {
        let mut evidence = untouched(Sizes::Every).clone();
        evidence.rows[place].index = u64::MAX;
        evidence.must_fail(index(place), Fault::Reordered, &format!("place {place}"));
    }
}

#[test]
fn a_tail_that_was_cut_off_shows_against_a_checkpoint() {
    let tally = Tally::of("a suffix cut off");
    (0..size()).into_par_iter().for_each(|cut| {
        let (full, sizes) = (cut % SAMPLED == 0, BOTH[cut % 2]);
        // The checkpoints of the evidence are left.
        let mut evidence =
            if full { untouched(sizes).clone() } else { honest().tail(cut, size(), sizes) };
        let left = cut - evidence.first();
        evidence.rows.truncate(left);
        evidence.must_fail(index(cut), Fault::Truncated, "checkpoints left");
        tally.count(Fault::Truncated);
        // They are cut off as well, and the auditor has one of their own, of a key that the evidence still leads to.
        let mut evidence =
            if full { honest().beginning(cut, sizes) } else { honest().tail(cut, cut, sizes) };
        let kept = if index(cut) < ROTATED { ROTATED } else { index(size()) };
        evidence.outside = Some(book().note(kept));
        evidence.must_fail(index(cut), Fault::Truncated, "outside checkpoint");
        tally.count(Fault::Truncated);
        if !full {
            return;
        }
        // Without one nobody can tell, and the report says so. Nothing at all is never good.
        evidence.outside = None;
        let report = evidence.audit();
        assert_eq!(report.anchor, Anchor::None);
        if cut == 0 {
            assert!(matches!(report.verdict, Verdict::None(_)), "{report:?}");
            assert_eq!(report.exit_status(), 2);
        } else {
            assert_eq!((report.verdict, report.entries), (Verdict::Good, index(cut)));
        }
    });
}

#[test]
fn an_outside_checkpoint_is_the_anchor_of_the_report() {
    for at in [1, index(size()) / 2, index(size())] {
        let mut evidence = untouched(Sizes::Sparse).clone();
        evidence.outside = Some(book().note(at));
        let report = evidence.must_be_good("outside checkpoint");
        assert_eq!(report.anchor, Anchor::Checkpoint { size: at });
    }
    // One of the same ledger and another history: the evidence has nothing to say against it.
    let mut evidence = untouched(Sizes::Every).clone();
    let other = book().roots[3];
    evidence.outside = Some(sign_root(&note_signer("ledger"), 20, other));
    evidence.must_fail(0, Fault::Fork, "another history");
    // One that another key signed proves nothing.
    evidence.outside = Some(sign_root(&note_signer("eve"), 20, book().roots[19]));
    let report = evidence.audit();
    assert!(matches!(report.verdict, Verdict::None(_)), "{report:?}");
}

#[test]
fn checkpoints_that_are_gone_or_out_of_order_are_found() {
    // Any but the last may be gone: there are none between the entries of one commit.
    for place in (0..size() - 1).step_by(9) {
        let mut evidence = untouched(Sizes::Every).clone();
        evidence.checkpoints.remove(place);
        evidence.must_be_good("a checkpoint in the middle is gone");
    }
    let last = index(size());
    let mut evidence = untouched(Sizes::Every).clone();
    evidence.checkpoints.pop();
    evidence.must_fail(last - 1, Fault::CheckpointMismatch, "the last is gone");
    let mut evidence = untouched(Sizes::Sparse).clone();
    evidence.checkpoints.pop();
    let covered = (last - 1) / 7 * 7;
    evidence.must_fail(covered, Fault::CheckpointMismatch, "the last is gone");
    evidence.checkpoints.clear();
    evidence.must_fail(0, Fault::CheckpointMismatch, "all are gone");
    let mut evidence = untouched(Sizes::Every).clone();
    evidence.checkpoints.swap(4, 5);
    evidence.must_fail(5, Fault::CheckpointMismatch, "two changed places");
    // Each is signed and right, but stands under the other's size.
    let mut evidence = untouched(Sizes::Every).clone();
    evidence.checkpoints.swap(4, 5);
    (evidence.checkpoints[4].size, evidence.checkpoints[5].size) = (5, 6);
    evidence.must_fail(4, Fault::CheckpointMismatch, "two changed sizes");
}

#[test]
fn another_ledger_is_a_fork() {
    // The same acts by the same people, but another ledger's key.
    let other = Book::signed_by("eve");
    let mut evidence = Evidence::of(&other, Sizes::Every);
    evidence.key = book().verifier_key();
    evidence.must_fail(0, Fault::Fork, "another ledger's file");
    // The right file, and another ledger's key in the auditor's hand.
    let mut evidence = untouched(Sizes::Every).clone();
    evidence.key = other.verifier_key();
    evidence.must_fail(0, Fault::Fork, "another ledger's key");
}

#[test]
fn nothing_to_check_is_never_good() {
    let mut evidence = untouched(Sizes::Every).clone();
    (evidence.rows, evidence.checkpoints) = (Vec::new(), Vec::new());
    let report = evidence.audit();
    assert!(matches!(report.verdict, Verdict::None(_)), "{report:?}");
    assert_eq!(report.exit_status(), 2);
}
