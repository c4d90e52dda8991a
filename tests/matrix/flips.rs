//! One bit of one byte of one row, for every byte of every row of the evidence.

use bytes::Bytes;
use prost::Message as _;
use rayon::prelude::*;
use vialedger::audit::Fault;
use vialedger::pb::v1;

use crate::forge::{Evidence, Sizes, flip};
use crate::honest::honest;
use crate::support::decode;
use crate::tally::Tally;

/// Bits of a row's number.
const NUMBER_BITS: usize = 64;

/// From one case that a full audit judges too to the next.
const SAMPLED: usize = 997;

fn index(place: usize) -> u64 {
    u64::try_from(place).unwrap()
}

/// Every byte of these rows.
pub(crate) fn bytes_of<'a>(rows: impl Iterator<Item = &'a Bytes>) -> Vec<(usize, usize)> {
    let lengths = rows.map(Bytes::len).enumerate();
    lengths.flat_map(|(place, length)| (0..length).map(move |byte| (place, byte))).collect()
}

/// How many entries follow the one that is changed, from case to case.
const BEHIND: [usize; 8] = [0, 1, 0, 1, 2, 0, 1, 3];

/// How many entries the ledger has in a case: the entry at `place` is the last, the last but one, or further from the
/// end.
pub(crate) fn size_of(place: usize, case: usize) -> usize {
    (place + 1 + BEHIND[case % BEHIND.len()]).min(honest().size())
}

#[test]
fn every_byte_of_every_entry_is_missed_when_it_changes() {
    let honest = honest();
    let tally = Tally::of("one byte of an entry flipped");
    let places = bytes_of(honest.book.rows.iter());
    places.into_par_iter().enumerate().for_each(|(case, (place, byte))| {
        let (size, sizes) = (size_of(place, byte), Sizes::in_turn(byte / 4));
        let what = format!("byte {byte} of entry {place} of {size}, {sizes:?}");
        let mut evidence = honest.tail(place, size, sizes);
        let row = &mut evidence.row(place).entry;
        *row = flip(row, byte);
        let changed = row.clone();
        let trusted = evidence.must_fail(index(place), Fault::Edited, &what).trusted;
        tally.count(Fault::Edited);
        if case % SAMPLED == 0 {
            for mut whole in [honest.beginning(size, sizes), honest.whole(sizes).clone()] {
                whole.row(place).entry = changed.clone();
                let report = whole.must_fail(index(place), Fault::Edited, &what);
                assert_eq!(report.trusted, trusted, "{what}");
            }
        }
    });
    assert!(tally.total() > 50_000, "{} bytes", tally.total());
}

#[test]
fn every_byte_of_every_checkpoint_is_missed_when_it_changes() {
    let honest = honest();
    let tally = Tally::of("one byte of a checkpoint flipped");
    let notes = &honest.whole(Sizes::Every).checkpoints;
    let places = bytes_of(notes.iter().map(|row| &row.note));
    places.into_par_iter().enumerate().for_each(|(case, (place, byte))| {
        // Where few sizes have a checkpoint, the last has one in any case.
        let sizes = Sizes::in_turn(byte);
        let size = if sizes == Sizes::Every { size_of(place, byte) } else { place + 1 };
        let what = format!("byte {byte} of checkpoint {} of {size}, {sizes:?}", place + 1);
        let change = |evidence: &mut Evidence| {
            let row = evidence.checkpoints.iter_mut().find(|row| row.size == index(place + 1));
            let row = row.unwrap();
            row.note = flip(&row.note, byte);
        };
        let mut evidence = honest.tail(place, size, sizes);
        change(&mut evidence);
        let report = evidence.must_fail(index(place), Fault::CheckpointMismatch, &what);
        tally.count(Fault::CheckpointMismatch);
        if case % SAMPLED == 0 {
            let mut whole = honest.beginning(size, sizes);
            change(&mut whole);
            let full = whole.must_fail(index(place), Fault::CheckpointMismatch, &what);
            assert_eq!(full.trusted, report.trusted, "{what}");
        }
    });
    assert!(tally.total() > 20_000, "{} bytes", tally.total());
}

/// A number with one bit turned, as SQLite has it: the place that it sorts at, and what the audit is shown.
fn turned(number: usize, bit: usize) -> (i64, u64) {
    let stored = i64::try_from(number).unwrap() ^ (1 << bit);
    (stored, u64::try_from(stored).unwrap_or(u64::MAX))
}

#[test]
fn every_bit_of_every_rows_number_is_missed_when_it_changes() {
    let honest = honest();
    let tally = Tally::of("one bit of an entry's number flipped");
    let all = 0..honest.size() * NUMBER_BITS;
    all.into_par_iter().for_each(|case| {
        let (place, bit) = (case / NUMBER_BITS, case % NUMBER_BITS);
        let (size, sizes) = (size_of(place, bit), Sizes::in_turn(bit / 4));
        let (stored, shown) = turned(place, bit);
        if (0..index(size)).contains(&shown) {
            return; // Another row has that number, and SQLite refuses a second one.
        }
        let what = format!("entry {place} of {size} as row {stored}, {sizes:?}");
        let mut evidence = if stored < 0 {
            honest.beginning(size, sizes)
        } else {
            honest.tail(place, size, sizes)
        };
        let at = place - evidence.first();
        let mut row = evidence.rows.remove(at);
        row.index = shown;
        let at = if stored < 0 { 0 } else { evidence.rows.len() };
        evidence.rows.insert(at, row);
        let found = if stored < 0 { 0 } else { index(place) };
        evidence.must_fail(found, Fault::Reordered, &what);
        tally.count(Fault::Reordered);
    });
    let tally = Tally::of("one bit of a checkpoint's number flipped");
    let all = 0..honest.size() * NUMBER_BITS;
    all.into_par_iter().for_each(|case| {
        let (place, bit) = (case / NUMBER_BITS, case % NUMBER_BITS);
        let size = size_of(place, bit);
        let (stored, shown) = turned(place + 1, bit);
        if (1..=index(size)).contains(&shown) {
            return;
        }
        let what = format!("checkpoint {} of {size} as row {stored}", place + 1);
        let mut evidence = honest.tail(place, size, Sizes::Every);
        let at = evidence.checkpoints.iter().position(|row| row.size == index(place + 1));
        let mut row = evidence.checkpoints.remove(at.unwrap());
        row.size = shown;
        let at = if stored < 1 { 0 } else { evidence.checkpoints.len() };
        evidence.checkpoints.insert(at, row);
        // Size 0 comes before all, and has no entry of its own.
        let found = if shown == 0 { 0 } else { index(size) };
        evidence.must_fail(found, Fault::CheckpointMismatch, &what);
        tally.count(Fault::CheckpointMismatch);
    });
}

/// What the rules, run again, must find in an entry whose outcome has other bytes than they make.
fn differs(honest: &Bytes, changed: &Bytes) -> Fault {
    let was = decode(honest).outcome.unwrap();
    match v1::Entry::decode(changed.clone()).ok().and_then(|entry| entry.outcome) {
        Some(outcome) if outcome != was => {
            let bare = |outcome: v1::Outcome| v1::Outcome { balances: Vec::new(), ..outcome };
            if bare(outcome) == bare(was) { Fault::Unbalanced } else { Fault::OutcomeDiffers }
        }
        // Bytes that are no outcome, or that say the same in another way than it is written.
        _ => Fault::Edited,
    }
}

#[test]
fn every_byte_of_every_outcome_is_missed_when_an_insider_changes_it_and_signs_all_anew() {
    let honest = honest();
    let tally = Tally::of("one byte of an outcome flipped, all hashed and signed anew");
    let rows = &honest.book.rows;
    let outcomes = rows.iter().enumerate().flat_map(|(place, row)| {
        let outcome = decode(row).outcome.unwrap().encoded_len();
        (row.len() - outcome..row.len()).map(move |byte| (place, byte))
    });
    let places: Vec<_> = outcomes.collect();
    places.into_par_iter().enumerate().for_each(|(case, (place, byte))| {
        let size = (place + 1 + case % 2).min(honest.size());
        let sizes = Sizes::in_turn(case / 2);
        let what = format!("byte {byte} of the outcome of entry {place} of {size}, {sizes:?}");
        let changed = flip(&rows[place], byte);
        let fault = differs(&rows[place], &changed);
        let mut evidence = honest.tail(place, size, sizes);
        evidence.row(place).entry = changed.clone();
        honest.resign(&mut evidence, place);
        evidence.must_fail(index(place), fault, &what);
        tally.count(fault);
        if case % SAMPLED == 0 {
            let mut whole = honest.whole(sizes).clone();
            whole.row(place).entry = changed;
            honest.resign(&mut whole, place);
            whole.must_fail(index(place), fault, &what);
        }
    });
    assert!(tally.total() > 10_000, "{} bytes", tally.total());
}
