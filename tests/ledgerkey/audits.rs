//! The ledger audits itself: a good audit is an entry, and a bad one ends all writing.
