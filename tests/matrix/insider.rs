//! What whoever holds the ledger's key and the program can do: chain and checkpoints fit, and the entries lie.
//!
//! The rules, run again over the signed requests, find every lie that a person's signature or an outcome is needed for.
//! What is left out altogether shows only against a checkpoint from outside.

use std::sync::LazyLock;

use bytes::Bytes;
use prost::Message as _;
use rayon::prelude::*;
use vialedger::audit::{Anchor, EntryRow, Fault};
use vialedger::decide::RULES_VERSION;
use vialedger::ledger::{RequestKind, SignedRequest};
use vialedger::pb::v1::{self, outcome};
use vialedger::tlog::{Tree, leaf_hash};

use crate::forge::{BOTH, Evidence, Insider, Sizes, every_kind, flip, resign};
use crate::honest::honest;
use crate::requests::{self, KETALAR, q};
use crate::support::{Book, decode, key, note_signer, row_of, sign_root};
use crate::tally::Tally;

fn book() -> &'static Book {
    static BOOK: LazyLock<Book> = LazyLock::new(every_kind);
    &BOOK
}

/// The first entry of this kind that was not refused.
fn first(kind: RequestKind) -> u64 {
    let found = book().rows.iter().position(|row| {
        let entry = decode(row);
        let refused = matches!(entry.outcome.unwrap().result, Some(outcome::Result::Refusal(_)));
        entry.request_type == kind.message_name() && !refused
    });
    u64::try_from(found.unwrap()).unwrap()
}

/// The forgery must be found at this entry, whichever sizes have checkpoints.
fn found(index: u64, fault: Fault, forge: impl Fn(&mut Insider)) {
    for sizes in BOTH {
        let mut insider = Insider::in_possession(book(), sizes);
        forge(&mut insider);
        insider.evidence().must_fail(index, fault, &format!("{fault} at {index}, {sizes:?}"));
    }
}

#[test]
fn an_insider_who_changes_nothing_is_not_found() {
    for sizes in BOTH {
        Insider::in_possession(book(), sizes).evidence().must_be_good("the same entries again");
    }
}

#[test]
fn a_changed_outcome_differs_from_the_rules() {
    let dose = first(RequestKind::CalculateDose);
    found(dose, Fault::OutcomeDiffers, |insider| {
        let Some(outcome::Result::DoseCalculation(dose)) = &mut insider.outcome(dose).result else {
            panic!("not a dose");
        };
        dose.measured_amount = q("1.6 mL");
    });
    let given = first(RequestKind::RecordAdministration);
    found(given, Fault::OutcomeDiffers, |insider| {
        let Some(outcome::Result::Administration(given)) = &mut insider.outcome(given).result
        else {
            panic!("not an administration");
        };
        given.amount = q("15 mL");
    });
    // The first act alone was flagged; the flag is taken away, or another one made up.
    let published = first(RequestKind::PublishFormulary);
    found(published, Fault::OutcomeDiffers, |insider| insider.outcome(published).flags.clear());
    let dispensed = first(RequestKind::DispenseVial);
    found(dispensed, Fault::OutcomeDiffers, |insider| {
        let kind = v1::FlagKind::Emergency.into();
        insider.outcome(dispensed).flags.push(v1::Flag { kind, message: "made up".to_owned() });
    });
    // An outcome that is none.
    found(dispensed, Fault::OutcomeDiffers, |insider| insider.outcome(dispensed).result = None);
}

#[test]
fn a_changed_balance_is_unbalanced() {
    for kind in [
        RequestKind::ReceiveVials,
        RequestKind::DispenseVial,
        RequestKind::RecordAdministration,
        RequestKind::RecordWaste,
        RequestKind::Witness,
        RequestKind::ReturnVial,
    ] {
        let index = first(kind);
        found(index, Fault::Unbalanced, |insider| {
            insider.outcome(index).balances[0].wasted = q("20 mL");
        });
        found(index, Fault::Unbalanced, |insider| insider.outcome(index).balances.clear());
    }
}

#[test]
fn a_refusal_made_an_acceptance_and_the_other_way_round_differ() {
    let refused = book().rows.iter().position(|row| {
        matches!(decode(row).outcome.unwrap().result, Some(outcome::Result::Refusal(_)))
    });
    let refused = u64::try_from(refused.unwrap()).unwrap();
    found(refused, Fault::OutcomeDiffers, |insider| {
        let administration = v1::Administration::default();
        insider.outcome(refused).result = Some(outcome::Result::Administration(administration));
    });
    let given = first(RequestKind::RecordAdministration);
    found(given, Fault::OutcomeDiffers, |insider| {
        let refusal = v1::Refusal { reason: "OVER_DRAW".to_owned(), ..Default::default() };
        *insider.outcome(given) =
            v1::Outcome { result: Some(outcome::Result::Refusal(refusal)), ..Default::default() };
    });
}

#[test]
fn a_signature_is_of_one_request_by_one_key() {
    let given = first(RequestKind::RecordAdministration);
    let wasted = first(RequestKind::RecordWaste);
    let other = decode(&book().rows[usize::try_from(wasted).unwrap()]);
    // The same person's signature of another act.
    found(given, Fault::BadSignature, |insider| {
        insider.entry(given).signature.clone_from(&other.signature);
    });
    // The request is changed and its signature left.
    found(given, Fault::BadSignature, |insider| {
        let request = requests::administer("dispensings/13", "15 mL", book().now);
        insider.entry(given).request = request.encode_to_vec();
    });
    // The same request under another type.
    found(given, Fault::BadSignature, |insider| {
        insider.entry(given).request_type = RequestKind::RecordWaste.message_name().to_owned();
    });
    // Another key beside the signature, and none that is a point of the curve.
    found(given, Fault::BadSignature, |insider| {
        insider.entry(given).signer_key = crate::support::public("pat").to_vec();
    });
    found(given, Fault::BadSignature, |insider| insider.entry(given).signer_key = vec![2; 32]);
    found(given, Fault::BadSignature, |insider| insider.entry(given).signature = vec![0; 64]);
}

#[test]
fn who_signed_must_have_been_able_to() {
    let dose = first(RequestKind::CalculateDose);
    found(dose, Fault::UnknownKey, |insider| insider.sign(dose, "eve"));
    let given = first(RequestKind::RecordAdministration);
    found(given, Fault::KeyNotValidThen, |insider| insider.sign(given, "nia"));
    found(dose, Fault::RoleNotHeld, |insider| insider.sign(dose, "ada"));
    // Somebody who holds the role, but not the vial; and who wasted as their own witness.
    found(given, Fault::OutcomeDiffers, |insider| insider.sign(given, "pat"));
    let witnessed = first(RequestKind::Witness);
    found(witnessed, Fault::OutcomeDiffers, |insider| insider.sign(witnessed, "nia-2"));
    // The first act under another key than it enrols.
    found(0, Fault::UnknownKey, |insider| insider.sign(0, "eve"));
}

#[test]
fn time_goes_forward() {
    for index in 1..book().state.size() {
        found(index, Fault::TimeReversed, |insider| {
            insider.entry(index).recorded_time = insider.entry(index - 1).recorded_time;
        });
    }
    // Put off into the future: a dose would expire later, and what follows a new place is before it.
    let later = |insider: &mut Insider, index| {
        insider.entry(index).recorded_time.as_mut().unwrap().seconds += 3_600;
    };
    let dose = first(RequestKind::CalculateDose);
    found(dose, Fault::OutcomeDiffers, |insider| later(insider, dose));
    let place = first(RequestKind::CreatePlace);
    found(place + 1, Fault::TimeReversed, |insider| later(insider, place));
}

#[test]
fn one_request_is_one_entry() {
    // A delivery is taken in twice: the program is told that its id is new.
    let mut book = book().clone();
    let delivery = [requests::line(KETALAR, "K9", "2027-06-30", 1)];
    let request = book.ask("pat", requests::receive(&delivery));
    book.submit(&request).unwrap();
    book.act("ada", requests::create_place("ward")).unwrap();
    book.submit(&request).unwrap();
    for sizes in BOTH {
        let again = book.state.size() - 1;
        Evidence::of(&book, sizes).must_fail(again, Fault::Duplicate, "a request taken in twice");
    }
}

#[test]
fn what_only_wanted_to_be_validated_is_no_act() {
    let given = first(RequestKind::RecordAdministration);
    found(given, Fault::OutcomeDiffers, |insider| {
        let entry = insider.entry(given);
        let request = v1::RecordAdministrationRequest::decode(entry.request.as_slice()).unwrap();
        let request = v1::RecordAdministrationRequest { validate_only: true, ..request };
        entry.request = request.encode_to_vec();
        insider.sign(given, "nia-2");
    });
    // And bytes that are no request at all.
    found(given, Fault::OutcomeDiffers, |insider| {
        insider.entry(given).request = vec![0xff; 3];
        insider.sign(given, "nia-2");
    });
}

#[test]
fn an_entry_is_of_this_ledger_and_sealed_as_this_program_seals() {
    let size = book().state.size();
    for index in 1..size {
        found(index, Fault::Fork, |insider| {
            insider.entry(index).ledger = "ledger.example/other".to_owned();
        });
    }
    found(0, Fault::Edited, |insider| {
        insider.entry(0).ledger = "ledger.example/other".to_owned();
    });
    // The first entry is chained to nothing.
    found(0, Fault::Edited, |insider| insider.entry(0).previous_leaf_hash = vec![7; 32]);
    // A field that no program of this version writes.
    for place in 0..book().rows.len() {
        for sizes in BOTH {
            let evidence =
                rechained(place, sizes, |entry| [entry.as_ref(), &[0x78, 0x01]].concat().into());
            let index = u64::try_from(place).unwrap();
            evidence.must_fail(index, Fault::Edited, &format!("entry {place}, {sizes:?}"));
        }
    }
    // An index that is not its own.
    found(size - 1, Fault::Edited, |insider| insider.entry(size - 1).index = 3);
}

/// One entry's bytes changed, and all after it chained and signed anew.
fn rechained(place: usize, sizes: Sizes, change: impl Fn(&Bytes) -> Bytes) -> Evidence {
    let mut evidence = Evidence::of(book(), sizes);
    let mut tree = Tree::new();
    for row in &evidence.rows[..place] {
        let _ = tree.append(leaf_hash(&row.entry));
    }
    let row = evidence.row(place);
    row.entry = change(&row.entry);
    resign(&mut evidence, &book().signers, tree, place);
    evidence
}

#[test]
fn an_unknown_version_gives_no_verdict() {
    for index in 0..book().state.size() {
        found(index, Fault::UnknownVersion, |insider| insider.entry(index).format_version = 2);
        found(index, Fault::UnknownVersion, |insider| {
            insider.entry(index).rules_version = RULES_VERSION + 1;
        });
        found(index, Fault::UnknownVersion, |insider| {
            insider.entry(index).request_type = "vialedger.v1.ReverseEntryRequest".to_owned();
        });
        // A newer program wrote this entry and all after it.
        found(index, Fault::UnknownVersion, |insider| {
            insider.entries.iter_mut().skip(usize::try_from(index).unwrap()).for_each(|entry| {
                entry.format_version = 2;
            });
        });
    }
}

#[test]
fn an_unknown_version_hides_no_edit() {
    // From entry 10 on nobody here can read anything; the signed roots still tell that a byte changed.
    for sizes in BOTH {
        for changed in 10..book().rows.len() {
            let mut insider = Insider::in_possession(book(), sizes);
            insider.entries.iter_mut().skip(10).for_each(|entry| entry.format_version = 2);
            let mut evidence = insider.evidence();
            let row = &mut evidence.rows[changed].entry;
            *row = flip(row, row.len() - 1);
            let next = sizes.of(book().state.size()).into_iter().find(|size| *size > 10).unwrap();
            let covered = changed < usize::try_from(next).unwrap();
            let fault = if covered { Fault::Edited } else { Fault::UnknownVersion };
            evidence.must_fail(10, fault, &format!("byte of {changed} changed, {sizes:?}"));
        }
    }
}

#[test]
fn a_chain_made_up_again_without_the_ledgers_key_is_a_fork() {
    let size = book().rows.len();
    for (sizes, place) in BOTH.into_iter().flat_map(|s| (1..size).map(move |place| (s, place))) {
        // A field appended to one entry, all after it chained anew, and the old checkpoints.
        let mut evidence =
            rechained(place, sizes, |entry| [entry.as_ref(), &[0x78, 0x01]].concat().into());
        evidence.checkpoints = Evidence::of(book(), sizes).checkpoints;
        let report = evidence.audit();
        let finding = report.finding.unwrap_or_else(|| panic!("{place}, {sizes:?}"));
        // Where no checkpoint follows at once, the rules find the entry before the root is looked at.
        let index = u64::try_from(place).unwrap();
        let at_once = sizes.of(book().state.size()).contains(&(index + 1));
        let expected = match (at_once, place + 1 == size) {
            (true, false) => (sizes_before(sizes, index), Fault::Fork),
            _ => (index, Fault::Edited),
        };
        assert_eq!((finding.index, finding.fault), expected, "{place}, {sizes:?}");
    }
}

/// The largest size with a checkpoint that covers no more than this many entries.
fn sizes_before(sizes: Sizes, size: u64) -> u64 {
    sizes.of(book().state.size()).into_iter().rfind(|at| *at <= size).unwrap_or(0)
}

#[test]
fn checkpoints_of_another_key_are_none_of_this_ledger() {
    for sizes in BOTH {
        let evidence = Insider::in_possession(book(), sizes).signing_with("eve").evidence();
        let first = sizes.of(book().state.size())[0];
        evidence.must_fail(first - 1, Fault::CheckpointMismatch, "signed by eve");
    }
}

#[test]
fn what_an_insider_leaves_out_shows_only_from_outside() {
    // The self-witnessed waste, an attempt that was kept, is taken out; nothing after it depends on it.
    let size = book().state.size();
    let attempt = size - 2;
    let forged = |outside: Option<u64>| {
        let mut insider = Insider::in_possession(book(), Sizes::Every);
        insider.entries.remove(usize::try_from(attempt).unwrap());
        insider.entries.last_mut().unwrap().index = attempt;
        let outside = outside.map(|size| book().note(size));
        Evidence { outside, ..insider.evidence() }
    };
    let report = forged(None).must_be_good("nobody can tell");
    assert_eq!(report.anchor, Anchor::None);
    forged(Some(attempt)).must_be_good("the checkpoint is older than the act");
    forged(Some(attempt + 1)).must_fail(0, Fault::Fork, "the checkpoint covers the act");
    forged(Some(size)).must_fail(size - 1, Fault::Truncated, "the checkpoint is of more entries");
}

#[test]
fn rows_that_cannot_be_read_give_no_verdict_and_checkpoints_that_cannot_are_bad() {
    use vialedger::audit::{EvidenceError, Options, Verdict, audit};
    let options = Options { verifier_key: book().verifier_key(), checkpoint: None };
    let rows =
        || (0..).zip(&book().rows).map(|(index, entry)| EntryRow { index, entry: entry.clone() });
    let damaged = || EvidenceError("row 7 is text".to_owned());
    let entries = rows().map(|row| if row.index == 7 { Err(damaged()) } else { Ok(row) });
    let checkpoints = book().checkpoints([book().state.size()]);
    let report = audit(&options, entries, checkpoints.into_iter().map(Ok), |_| {});
    assert_eq!(report.verdict, Verdict::None("row 7 is text".to_owned()));
    let mut done = Vec::new();
    let checkpoints = std::iter::once(Err(damaged()));
    let report = audit(&options, rows().map(Ok), checkpoints, |entries| done.push(entries));
    assert_eq!(report.finding.unwrap().fault, Fault::CheckpointMismatch);
    assert!(done.is_empty(), "nothing was done before the fault");
}

/// What an insider does to one entry: its name, and the fault that it must be found as, if it can be done there.
pub(crate) struct Forgery {
    pub(crate) name: &'static str,
    pub(crate) fault: Fault,
    forge: fn(&mut v1::Entry, &v1::Entry) -> bool,
}

/// From one entry whose forgeries a full audit of the whole ledger judges to the next.
const SAMPLED: usize = 40;

/// Each for every entry of the long ledger. The second entry is the one before, or for the first the last.
pub(crate) const FORGERIES: [Forgery; 7] = [
    Forgery {
        name: "a flag made up, all signed anew",
        fault: Fault::OutcomeDiffers,
        forge: |entry, _| {
            let kind = v1::FlagKind::Emergency.into();
            let flag = v1::Flag { kind, message: "made up".to_owned() };
            entry.outcome.as_mut().unwrap().flags.push(flag);
            true
        },
    },
    Forgery {
        name: "an outcome taken away, all signed anew",
        fault: Fault::OutcomeDiffers,
        forge: |entry, _| entry.outcome.as_mut().unwrap().result.take().is_some(),
    },
    Forgery {
        name: "an outcome made another entry's, all signed anew",
        fault: Fault::OutcomeDiffers,
        forge: |entry, other| {
            let outcome = entry.outcome.as_mut().unwrap();
            let was = std::mem::replace(outcome, other.outcome.clone().unwrap());
            was.result != outcome.result
        },
    },
    Forgery {
        name: "a balance changed or made up, all signed anew",
        fault: Fault::Unbalanced,
        forge: |entry, _| {
            let balances = &mut entry.outcome.as_mut().unwrap().balances;
            match balances.first_mut() {
                Some(balance) => balance.in_hands = q("1.25 mL"),
                None => balances.push(v1::VialBalance::default()),
            }
            true
        },
    },
    Forgery {
        name: "a signature moved to the next entry, all signed anew",
        fault: Fault::BadSignature,
        forge: |entry, other| {
            entry.signature.clone_from(&other.signature);
            true
        },
    },
    Forgery {
        name: "a signature and its key moved to the next entry, all signed anew",
        fault: Fault::BadSignature,
        forge: |entry, other| {
            entry.signature.clone_from(&other.signature);
            entry.signer_key.clone_from(&other.signer_key);
            true
        },
    },
    Forgery {
        name: "a request signed by nobody enrolled, all signed anew",
        fault: Fault::UnknownKey,
        forge: |entry, _| {
            let kind = RequestKind::from_message_name(&entry.request_type).unwrap();
            let bytes = entry.request.clone().into();
            let signed = SignedRequest::sign(kind, bytes, &key("eve"));
            entry.signer_key = signed.key().to_vec();
            entry.signature = signed.signature().to_vec();
            true
        },
    },
];

/// The forged entry, if there is anything to forge.
pub(crate) fn forged(forgery: &Forgery, place: usize) -> Option<Bytes> {
    let rows = &honest().book.rows;
    let mut entry = decode(&rows[place]);
    let other = decode(&rows[place.checked_sub(1).unwrap_or(rows.len() - 1)]);
    (forgery.forge)(&mut entry, &other).then(|| entry.encode_to_vec().into())
}

#[test]
fn what_an_insider_does_to_any_entry_is_found_there() {
    let honest = honest();
    let rows = &honest.book.rows;
    for forgery in &FORGERIES {
        let tally = Tally::of(forgery.name);
        (0..rows.len()).into_par_iter().for_each(|place| {
            let sizes = BOTH[place % 2];
            let Some(entry) = forged(forgery, place) else { return };
            let mut evidence = if place % SAMPLED == 0 {
                honest.whole(sizes).clone()
            } else {
                honest.tail(place, (place + 3).min(rows.len()), sizes)
            };
            evidence.row(place).entry = entry;
            honest.resign(&mut evidence, place);
            let index = u64::try_from(place).unwrap();
            let what = format!("{} at {place}, {sizes:?}", forgery.name);
            evidence.must_fail(index, forgery.fault, &what);
            tally.count(forgery.fault);
        });
        assert!(tally.total() > 150, "{}: {}", forgery.name, tally.total());
    }
}

#[test]
fn a_whole_ledger_signed_with_another_key_is_found_whatever_checkpoints_it_has() {
    let honest = honest();
    let tally = Tally::of("all checkpoints, or one, signed with another key");
    let eve = note_signer("eve");
    // Nothing but the signatures changed: each checkpoint alone, and all of them.
    (0..=honest.size()).step_by(4).collect::<Vec<_>>().into_par_iter().for_each(|alone| {
        for sizes in BOTH {
            let mut evidence = honest.whole(sizes).clone();
            let mut first = None;
            for row in &mut evidence.checkpoints {
                let size = usize::try_from(row.size).unwrap();
                if alone == 0 || alone == size {
                    *row =
                        row_of(row.size, &sign_root(&eve, row.size, honest.book.roots[size - 1]));
                    first = first.or(Some(row.size - 1));
                }
            }
            let Some(first) = first else { continue };
            let what = format!("checkpoint {alone} by eve, {sizes:?}");
            evidence.must_fail(first, Fault::CheckpointMismatch, &what);
            tally.count(Fault::CheckpointMismatch);
        }
    });
}
