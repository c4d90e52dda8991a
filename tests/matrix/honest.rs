//! The untouched ledger, and every beginning of it, each audited once. A case that changes one entry goes on from the
//! beginning before it, as `verify --since` does, so that hundreds of thousands of cases cost a few entries each; that
//! this and a full audit say the same is asserted on a sample.

use std::sync::LazyLock;

use vialedger::audit::{Audited, Options, Plan, examine};

use crate::forge::{BOTH, Evidence, Sizes, long, resign};
use crate::support::Book;
use vialedger::tlog::{Tree, leaf_hash};

/// Entries of the ledger, or a few more.
const SIZE: u64 = 200;

/// A ledger with nothing wrong.
pub(crate) struct Honest {
    pub(crate) book: Book,
    whole: [Evidence; 2],
    /// Where the audit of so many entries ended; nothing for none.
    ended: Vec<Option<Audited>>,
    /// The tree of so many entries.
    trees: Vec<Tree>,
}

/// The one that most tests change.
pub(crate) fn honest() -> &'static Honest {
    static HONEST: LazyLock<Honest> = LazyLock::new(|| Honest::of(long(SIZE)));
    &HONEST
}

impl Honest {
    fn of(book: Book) -> Self {
        let whole = BOTH.map(|sizes| Evidence::of(&book, sizes));
        let mut honest = Self { book, whole, ended: vec![None], trees: vec![Tree::new()] };
        for row in &honest.book.rows {
            let mut tree = honest.trees.last().unwrap().clone();
            let _ = tree.append(leaf_hash(row));
            honest.trees.push(tree);
        }
        let key = honest.book.verifier_key();
        let options = Options { verifier_key: key, checkpoint: None };
        for size in 1..=honest.size() {
            let next = honest.tail(size - 1, size, Sizes::Every);
            let plan = Plan { since: next.since, ..Plan::default() };
            let (rows, notes) = (next.rows.into_iter(), next.checkpoints.into_iter());
            let done = examine(&options, plan, rows.map(Ok), notes.map(Ok), |_| ());
            honest.ended.push(Some(done.audited.unwrap()));
        }
        honest
    }

    pub(crate) fn size(&self) -> usize {
        self.book.rows.len()
    }

    pub(crate) fn whole(&self, sizes: Sizes) -> &Evidence {
        &self.whole[usize::from(sizes == Sizes::Sparse)]
    }

    /// The ledger as it was with so many entries.
    pub(crate) fn beginning(&self, size: usize, sizes: Sizes) -> Evidence {
        let whole = self.whole(Sizes::Every);
        let mut evidence = Evidence { rows: whole.rows[..size].to_vec(), ..self.nothing() };
        evidence.checkpoints = sizes
            .of(u64::try_from(size).unwrap())
            .into_iter()
            .map(|at| whole.checkpoints[usize::try_from(at).unwrap() - 1].clone())
            .collect();
        evidence
    }

    /// The end of the same, for an auditor who has found all good that was signed before the entry at `place` came.
    pub(crate) fn tail(&self, place: usize, size: usize, sizes: Sizes) -> Evidence {
        let signed = sizes.of(u64::try_from(self.size()).unwrap());
        let since = signed.into_iter().map(|at| usize::try_from(at).unwrap());
        let since = since.take_while(|at| *at <= place).last().unwrap_or(0);
        let whole = self.whole(Sizes::Every);
        let signed = sizes.of(u64::try_from(size).unwrap()).into_iter();
        let signed = signed.map(|at| usize::try_from(at).unwrap()).filter(|at| *at >= since);
        Evidence {
            rows: whole.rows[since.saturating_sub(1)..size].to_vec(),
            checkpoints: signed.map(|at| whole.checkpoints[at - 1].clone()).collect(),
            since: self.ended[since].clone(),
            ..self.nothing()
        }
    }

    /// What an insider makes of a changed entry: all after it hashed, and every checkpoint signed, anew.
    pub(crate) fn resign(&self, evidence: &mut Evidence, place: usize) {
        resign(evidence, &self.book.signers, self.trees[place].clone(), place);
    }

    fn nothing(&self) -> Evidence {
        let (rows, checkpoints) = (Vec::new(), Vec::new());
        Evidence { rows, checkpoints, key: self.book.verifier_key(), outside: None, since: None }
    }
}
