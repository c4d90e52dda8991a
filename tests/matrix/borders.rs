//! The audit reads in chunks of 128 rows, eight of them ahead: what happens where one ends is found as anywhere else.

use std::sync::LazyLock;

use rayon::prelude::*;
use vialedger::audit::{Fault, Options, audit};

use crate::forge::{BOTH, Evidence, Sizes, flip};
use crate::requests::create_place;
use crate::support::Book;

/// Rows that the audit reads at once.
const CHUNK: usize = 128;
/// Chunks that it has read when it judges the first, with that one.
const CHUNKS: usize = 9;

/// A ledger of 1,600 entries that are quickly decided.
fn book() -> &'static Book {
    static BOOK: LazyLock<Book> = LazyLock::new(|| {
        let mut book = Book::begin();
        for number in 0..1_599 {
            book.act("ada", create_place(&format!("shelf-{number}"))).unwrap();
        }
        book
    });
    &BOOK
}

/// What is done to the evidence at a place.
type Change = fn(&mut Evidence, usize);

fn index(place: usize) -> u64 {
    u64::try_from(place).unwrap()
}

#[test]
fn a_ledger_of_more_than_one_chunk_is_good() {
    for sizes in BOTH {
        let mut told = Vec::new();
        let evidence = Evidence::of(book(), sizes);
        let options = Options { verifier_key: evidence.key.clone(), checkpoint: None };
        let (rows, checkpoints) = (evidence.rows.into_iter(), evidence.checkpoints.into_iter());
        let report = audit(&options, rows.map(Ok), checkpoints.map(Ok), |n| told.push(n));
        assert_eq!((report.exit_status(), report.entries), (0, 1_600), "{report:?}");
        let chunks = (1..).map(|chunk| chunk * 128).take_while(|end| *end < 1_600);
        assert_eq!(told, chunks.chain([1_600]).collect::<Vec<u64>>());
    }
}

#[test]
fn around_the_border_of_a_chunk_each_fault_is_named_as_elsewhere() {
    let untouched = Evidence::of(book(), Sizes::Sparse);
    let changes: [(Fault, usize, Change); 4] = [
        (Fault::Edited, 0, |evidence, place| {
            let row = &mut evidence.rows[place].entry;
            *row = flip(row, 100);
        }),
        (Fault::Missing, 0, |evidence, place| {
            evidence.rows.remove(place);
        }),
        (Fault::Duplicate, 1, |evidence, place| {
            let twice = evidence.rows[place].clone();
            evidence.rows.insert(place, twice);
        }),
        (Fault::Reordered, 0, |evidence, place| evidence.rows.swap(place, place + 1)),
    ];
    let borders = [CHUNK, 2 * CHUNK, CHUNKS * CHUNK];
    let places = borders.into_iter().flat_map(|border| border - 2..=border + 1);
    let all: Vec<_> = places.flat_map(|place| changes.map(|change| (place, change))).collect();
    all.into_par_iter().for_each(|(place, (fault, offset, change))| {
        let mut evidence = untouched.clone();
        change(&mut evidence, place);
        evidence.renumber();
        evidence.must_fail(index(place + offset), fault, &format!("{fault} at {place}"));
    });
}

#[test]
fn the_last_entries_are_judged_where_a_chunk_ends() {
    // Of a ledger that ends about where the chunk does, the last entry and the one before it are changed.
    let all: Vec<_> = (CHUNK - 1..=CHUNK + 2)
        .flat_map(|size| [(size, size - 1), (size, size - 2)])
        .zip(BOTH.into_iter().cycle().skip(1))
        .collect();
    let whole = Evidence::of(book(), Sizes::Every);
    all.into_par_iter().for_each(|((size, place), sizes)| {
        let mut evidence = whole.clone();
        evidence.rows.truncate(size);
        let sizes = sizes.of(index(size));
        evidence.checkpoints.retain(|row| sizes.contains(&row.size));
        let row = &mut evidence.rows[place].entry;
        *row = flip(row, 100);
        evidence.must_fail(index(place), Fault::Edited, &format!("{place} of {size}"));
    });
}
