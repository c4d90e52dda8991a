//! A ledger so long that its keys are made ready for many signatures: what is verified with them is missed like any other.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use rayon::prelude::*;
use vialedger::audit::Fault;

use crate::forge::{Evidence, Insider, Sizes, flip, long};
use crate::support::{Book, decode};
use crate::tally::Tally;

/// Rows of one key before those that are changed: it was made ready after 256 that were judged, and up to 1,152 are read
/// ahead.
const MANY: usize = 256 + 1_152;

fn book() -> &'static Book {
    static BOOK: LazyLock<Book> = LazyLock::new(|| long(4_000));
    &BOOK
}

/// Every so many entries of whoever had signed so many before.
fn places() -> Vec<u64> {
    let mut signed: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    let of_many = (0..).zip(&book().rows).filter_map(|(index, row)| {
        let before = signed.entry(decode(row).signer_key).or_default();
        *before += 1;
        (*before > MANY).then_some(index)
    });
    let places: Vec<u64> = of_many.step_by(29).collect();
    assert!(places.len() > 20, "{places:?}");
    places
}

#[test]
fn nothing_is_wrong_with_it() {
    for sizes in crate::forge::BOTH {
        Evidence::of(book(), sizes).must_be_good("many signatures");
    }
}

#[test]
fn a_signature_of_a_key_with_many_is_missed_when_it_changes() {
    let tally = Tally::of("one byte of a late signature flipped and re-signed");
    places().into_par_iter().enumerate().for_each(|(case, index)| {
        let mut insider = Insider::in_possession(book(), Sizes::in_turn(case));
        insider.entry(index).signature[case * 7 % 64] ^= 1 << (case % 8);
        let what = format!("the signature of {index}");
        insider.evidence().must_fail(index, Fault::BadSignature, &what);
        tally.count(Fault::BadSignature);
    });
    assert!(tally.total() > 20);
}

#[test]
fn a_checkpoint_of_a_key_with_many_is_missed_when_it_changes() {
    let tally = Tally::of("one byte of a late checkpoint flipped");
    let whole = Evidence::of(book(), Sizes::Every);
    let last = whole.checkpoints.len();
    (MANY..last).into_par_iter().step_by(97).enumerate().for_each(|(case, place)| {
        let mut evidence = whole.clone();
        let row = &mut evidence.checkpoints[place];
        row.note = flip(&row.note, case * 5 % row.note.len());
        let index = row.size - 1;
        evidence.must_fail(index, Fault::CheckpointMismatch, &format!("checkpoint {}", index + 1));
        tally.count(Fault::CheckpointMismatch);
    });
    assert!(tally.total() > 20);
}
