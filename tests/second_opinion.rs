//! Two verifiers that share no code, `vialedger verify` and `deploy/verify_ledger.py`, asked about the same files: an
//! untouched ledger, and copies of it that somebody tampered with. They must say the same, and name the same entry.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::expect_used,
    missing_docs,
    reason = "tests"
)]

#[path = "support/opinions.rs"]
mod opinions;

use std::fs;

use ed25519_dalek::SigningKey;
use opinions::{Clinic, Sample, agree, sql};
use prost::Message;
use rusqlite::{Connection, params};
use sha2::{Digest, Sha256};
use vialedger::pb::v1::{Entry, outcome};
use vialedger::tlog::NoteSigner;

/// Bytes from one flipped bit to the next within an entry.
const STRIDE: usize = 37;
/// Flipped bits in one entry at most, so that a long entry does not take all the time.
const FLIPS: usize = 6;
#[test]
fn two_verifiers_find_the_same_flipped_bit() {
    let clinic = Clinic::open();
    let mut samples = Vec::new();
    for (index, entry) in clinic.entries.iter().enumerate() {
        for at in (0..entry.len()).step_by(STRIDE.max(entry.len() / FLIPS)) {
            let bit = 1 << (at % 8);
            let name = format!("entry {index} byte {at}");
            let mut flipped = entry.clone();
            flipped[at] ^= bit;
            let sample = clinic.sample(&name, |database| {
                database
                    .execute(
                        "UPDATE entries SET entry = ?2 WHERE idx = ?1",
                        params![sql(index), flipped],
                    )
                    .unwrap();
            });
            samples.push(sample.bad("edited", index));
        }
    }
    for size in [1, clinic.size() / 2, clinic.size()] {
        let base = Connection::open(clinic.path("base.db")).unwrap();
        let query = "SELECT note FROM checkpoints WHERE size = ?1";
        let note: String = base.query_row(query, [sql(size)], |row| row.get(0)).unwrap();
        for at in (0..note.len()).step_by(STRIDE / 2).chain([
            note.len() - 3,
            note.len() - 2,
            note.len() - 1,
        ]) {
            let mut flipped = note.clone().into_bytes();
            flipped[at] ^= 1;
            let sample = clinic.sample(&format!("checkpoint {size} byte {at}"), |database| {
                let statement = "UPDATE checkpoints SET note = CAST(?2 AS TEXT) WHERE size = ?1";
                database.execute(statement, params![sql(size), flipped]).unwrap();
            });
            samples.push(sample.bad("checkpoint-mismatch", size - 1));
        }
    }
    assert!(samples.len() > 130, "{} samples", samples.len());
    assert_eq!(agree(&samples), samples.len());
}

/// Makes room at an index: every entry from there on moves up by `by` rows.
fn shift(database: &Connection, from: usize, by: i64) {
    database.execute("UPDATE entries SET idx = -idx - 1 WHERE idx >= ?1", [sql(from)]).unwrap();
    database.execute("UPDATE entries SET idx = -idx - 1 + ?1 WHERE idx < 0", [by]).unwrap();
}

#[test]
fn two_verifiers_find_the_same_missing_doubled_and_reordered_entry() {
    let clinic = Clinic::open();
    let mut samples = Vec::new();
    let last = clinic.size() - 1;
    for index in 0..=last {
        let gone = |database: &Connection| {
            database.execute("DELETE FROM entries WHERE idx = ?1", [sql(index)]).unwrap();
        };
        let fault = if index == last { "truncated" } else { "missing" };
        samples.push(clinic.sample(&format!("deleted {index}"), gone).bad(fault, index));
        if index % 4 == 0 {
            let closed = clinic.sample(&format!("deleted and closed {index}"), |database| {
                gone(database);
                shift(database, index + 1, -1);
            });
            samples.push(closed.bad(fault, index));
        }
        let doubled = clinic.sample(&format!("doubled {index}"), |database| {
            shift(database, index + 1, 1);
            let double = "INSERT INTO entries SELECT idx + 1, entry FROM entries WHERE idx = ?1";
            database.execute(double, [sql(index)]).unwrap();
        });
        samples.push(doubled.bad("duplicate", index + 1));
        if index < last {
            let swapped = clinic.sample(&format!("swapped {index}"), |database| {
                let put = "UPDATE entries SET entry = ?2 WHERE idx = ?1";
                database.execute(put, params![sql(index), clinic.entries[index + 1]]).unwrap();
                database.execute(put, params![sql(index + 1), clinic.entries[index]]).unwrap();
            });
            samples.push(swapped.bad("reordered", index));
        }
    }
    let moved = clinic.sample("moved far", |database| {
        database.execute("UPDATE entries SET idx = 1000 WHERE idx = 5", []).unwrap();
    });
    samples.push(moved.bad("reordered", 5));
    assert_eq!(agree(&samples), samples.len());
}

#[test]
fn two_verifiers_miss_a_cut_tail_alone_and_find_it_with_a_receipt() {
    let clinic = Clinic::open();
    let mut samples = Vec::new();
    for size in (0..26).step_by(3).chain(26..=clinic.size()) {
        let cut = |name: &str| {
            clinic.sample(&format!("{name} {size}"), |database| {
                database.execute("DELETE FROM entries WHERE idx >= ?1", [sql(size)]).unwrap();
                database.execute("DELETE FROM checkpoints WHERE size > ?1", [sql(size)]).unwrap();
            })
        };
        let alone = cut("cut alone");
        samples.push(if size == 0 { alone.no_verdict() } else { alone.good() });
        let kept = cut("cut with a receipt").against(&clinic.receipt());
        samples.push(if size < 27 { kept.bad("truncated", size) } else { kept.good() });
        if size % 7 == 0 {
            let tail = clinic.sample(&format!("cut but its checkpoints {size}"), |database| {
                database.execute("DELETE FROM entries WHERE idx >= ?1", [sql(size)]).unwrap();
            });
            samples.push(if size < clinic.size() {
                tail.bad("truncated", size)
            } else {
                tail.good()
            });
        }
    }
    let notes = "DELETE FROM checkpoints WHERE size > 19";
    let unsigned = clinic.sample("last checkpoints gone", |database| {
        database.execute(notes, []).unwrap();
    });
    samples.push(unsigned.bad("checkpoint-mismatch", 19));
    assert_eq!(agree(&samples), samples.len());
}

#[test]
fn two_verifiers_refuse_the_same_keys_checkpoints_and_files() {
    let clinic = Clinic::open();
    let base = clinic.path("base.db");
    let file = |name: &str, content: &[u8]| {
        fs::write(clinic.path(name), content).unwrap();
        clinic.path(name)
    };
    let whole = fs::read(&base).unwrap();
    let receipt = fs::read_to_string(clinic.receipt()).unwrap();
    let (_, note) = receipt.split_once("\n\n").unwrap();
    let other = SigningKey::from_bytes(&[7; 32]);
    let own = fs::read_to_string(clinic.vkey()).unwrap();
    let named = |name: &str| {
        NoteSigner::new(name.parse().unwrap(), other.clone()).verifier_key().to_string()
    };
    let vkey = |name: &str, line: &str| {
        let arguments = ["--vkey", line].map(str::to_owned);
        let arguments = [vec![base.to_str().unwrap().to_owned()], arguments.to_vec()].concat();
        Sample { name: name.to_owned(), arguments, expected: None, trusted: None, by_rules: false }
    };
    let kept = |name: &str, content: &str| {
        let path = file(name, content.as_bytes());
        clinic.asked(name, &base, &["--checkpoint", path.to_str().unwrap()])
    };
    let nothing =
        Sample { arguments: vec![base.to_str().unwrap().to_owned()], ..vkey("no vkey", "") };
    let samples = [
        clinic.asked("untouched", &base, &[]).good(),
        clinic.asked("untouched, with a receipt", &base, &["--checkpoint", &clinic.receipt()]).good(),
        vkey("its vkey as a line", own.trim()).good(),
        vkey("another key of that name", &named(own.split_once('+').unwrap().0)).bad("fork", 0),
        vkey("a key of another name", &named("example.org/elsewhere")).bad("fork", 0),
        vkey("a vkey whose id is wrong", &own.trim().replacen('+', "+0", 1)).no_verdict(),
        vkey("a vkey file that is not there", "elsewhere.vkey").no_verdict(),
        vkey("no line", "").no_verdict(),
        nothing.no_verdict(),
        kept("its checkpoint", note).good(),
        kept("another root", &note.replacen('/', "0", 1).replacen("\n27\n", "\n26\n", 1)).no_verdict(),
        kept("no checkpoint", "").no_verdict(),
        kept("a vkey as checkpoint", &own).no_verdict(),
        clinic.asked("no such checkpoint", &base, &["--checkpoint", "elsewhere"]).no_verdict(),
        clinic.asked("empty file", &file("empty.db", b""), &[]).no_verdict(),
        clinic.asked("text file", &file("text.db", b"entry 0: all is well\n"), &[]).no_verdict(),
        clinic.asked("half a database", &file("half.db", &whole[..whole.len() / 3]), &[]).no_verdict(),
        clinic.asked("no file", &clinic.path("nowhere.db"), &[]).no_verdict(),
        clinic.sample("newer schema", |database| database.pragma_update(None, "user_version", 2).unwrap()).no_verdict(),
        clinic.sample("no entries", |database| database.execute_batch("DROP TABLE entries").unwrap()).no_verdict(),
        clinic.sample("a text for an entry", |database| {
            let loose = "CREATE TABLE loose (idx INTEGER PRIMARY KEY, entry); INSERT INTO loose SELECT * FROM entries;
                UPDATE loose SET entry = 'well' WHERE idx = 4; DROP TABLE entries; ALTER TABLE loose RENAME TO entries";
            database.execute_batch(loose).unwrap();
        })
        .no_verdict(),
    ];
    assert_eq!(agree(&samples), samples.len());
}

#[test]
fn two_verifiers_find_the_same_fault_in_a_history_that_the_ledgers_own_key_signed_anew() {
    let clinic = Clinic::open();
    let decoded: Vec<Entry> =
        clinic.entries.iter().map(|entry| Entry::decode(entry.as_slice()).unwrap()).collect();
    let mut samples = vec![clinic.resealed("resealed as it was", 0, |_| ()).good()];
    for index in [0, 9, clinic.size() - 1] {
        let name = |what: &str| format!("resealed {what} {index}");
        let reseal =
            |what: &str, change: fn(&mut Entry)| clinic.resealed(&name(what), index, change);
        let stranger = reseal("signed by a stranger", |entry| {
            let body = entry.request.clone();
            let kind = format!("application/vnd.{}+protobuf", entry.request_type);
            let pae = [format!("DSSEv1 {} {kind} {} ", kind.len(), body.len()).into_bytes(), body]
                .concat();
            let key = SigningKey::from_bytes(&Sha256::digest(b"a stranger").into());
            entry.signer_key = key.verifying_key().to_bytes().to_vec();
            entry.signature = ed25519_dalek::Signer::sign(&key, &pae).to_bytes().to_vec();
        });
        samples.extend([
            reseal("signature", |entry| entry.signature[9] ^= 1).bad("bad-signature", index),
            reseal("weak key", |entry| {
                entry.signer_key = [&[1][..], &[0; 31]].concat();
                entry.signature = [&[1][..], &[0; 63]].concat();
            })
            .bad("bad-signature", index),
            stranger.bad("unknown-key", index),
            reseal("short key", |entry| entry.signer_key.truncate(31)).bad("edited", index),
        ]);
        let unknown = [
            reseal("format", |entry| entry.format_version = 2),
            reseal("rules", |entry| entry.rules_version = 9),
            reseal("type", |entry| entry.request_type.push('x')),
        ];
        let expected = Some((2, Some("unknown-version"), Some(index)));
        samples.extend(unknown.map(|sample| Sample { expected, ..sample }));
        if index > 0 {
            let request = reseal("request", |entry| *entry.request.last_mut().unwrap() ^= 1);
            samples.push(request.bad("bad-signature", index));
            samples.push(reseal("ledger", |entry| entry.ledger.push('x')).bad("fork", index));
            let time = decoded[index - 1].recorded_time;
            let stopped = clinic.resealed(&name("time"), index, |entry| entry.recorded_time = time);
            samples.push(stopped.bad("time-reversed", index));
        }
    }
    let again = clinic.resealed("request of another entry", 19, |entry| {
        let refused = &decoded[18];
        entry.request_type.clone_from(&refused.request_type);
        entry.request.clone_from(&refused.request);
        entry.signer_key.clone_from(&refused.signer_key);
        entry.signature.clone_from(&refused.signature);
        entry.outcome.clone_from(&refused.outcome);
    });
    samples.push(again.bad("duplicate", 19));
    assert_eq!(agree(&samples), samples.len());
}

#[test]
fn two_verifiers_take_an_audit_of_itself_from_the_ledger_alone() {
    let clinic = Clinic::open();
    let (own, nurse) = ("ledger.key", "keys/nina-novak.pem");
    let samples = [
        clinic.audited_itself("audited itself", own).good(),
        clinic.audited_itself("audited by a nurse", nurse).bad("unknown-key", clinic.size()),
    ];
    assert_eq!(agree(&samples), samples.len());
}

#[test]
fn two_verifiers_find_the_same_vial_that_does_not_balance() {
    let clinic = Clinic::open();
    let decoded: Vec<Entry> =
        clinic.entries.iter().map(|entry| Entry::decode(entry.as_slice()).unwrap()).collect();
    let index_of = |kind: &str| {
        let named = format!("vialedger.v1.{kind}Request");
        decoded.iter().position(|entry| {
            entry.request_type == named && entry.outcome.as_ref().unwrap().balances.len() == 1
        })
    };
    let mut samples = Vec::new();
    for kind in ["DispenseVial", "RecordAdministration", "RecordWaste", "Witness"] {
        let index = index_of(kind).unwrap();
        for (what, wrong) in
            [("state of the balance is another's", "vials/11-2"), ("vial", "vials/99-1")]
        {
            let other = clinic.resealed(&format!("{kind} {what}"), index, |entry| {
                wrong.clone_into(&mut entry.outcome.as_mut().unwrap().balances[0].vial);
            });
            samples.push(other.bad("unbalanced", index));
        }
        let parts =
            ["content", "administered", "wasted", "unwitnessed", "in container", "in hands"];
        for (part, what) in parts.iter().enumerate() {
            let other = clinic.resealed(&format!("{kind} {what}"), index, |entry| {
                let balance = &mut entry.outcome.as_mut().unwrap().balances[0];
                let quantities = [
                    &mut balance.content,
                    &mut balance.administered,
                    &mut balance.wasted,
                    &mut balance.unwitnessed,
                    &mut balance.in_container,
                    &mut balance.in_hands,
                ];
                let quantity = quantities.into_iter().nth(part).unwrap().as_mut().unwrap();
                quantity.value = if quantity.value == "1.5" { "1.25" } else { "1.5" }.to_owned();
            });
            samples.push(other.bad("unbalanced", index));
        }
    }
    let shared = clinic.resealed(
        "a millilitre less was given",
        index_of("RecordAdministration").unwrap(),
        |entry| {
            let outcome = entry.outcome.as_mut().unwrap();
            let Some(outcome::Result::Administration(given)) = outcome.result.as_mut() else {
                panic!("a dose was given")
            };
            "2.6".clone_into(&mut given.amount.as_mut().unwrap().value);
            let balance = &mut outcome.balances[0];
            "2.6".clone_into(&mut balance.administered.as_mut().unwrap().value);
            "17.4".clone_into(&mut balance.in_hands.as_mut().unwrap().value);
        },
    );
    samples.push(shared.bad("outcome-differs", index_of("RecordAdministration").unwrap()));
    assert_eq!(agree(&samples), samples.len());
}

#[test]
fn two_verifiers_trust_nothing_after_the_last_checkpoint_that_held() {
    let clinic = Clinic::open();
    let (last, size) = (clinic.size() - 1, u64::try_from(clinic.size()).unwrap());
    // Many requests share one commit and one checkpoint: here the one of the first ten entries, and one of the others.
    let sparse = |name: &str, entries: Vec<Vec<u8>>| {
        clinic.sample(name, |database| {
            let between = "DELETE FROM checkpoints WHERE size NOT IN (10, ?1)";
            database.execute(between, [sql(last + 1)]).unwrap();
            for (index, entry) in entries.iter().enumerate() {
                let put = "UPDATE entries SET entry = ?2 WHERE idx = ?1";
                database.execute(put, params![sql(index), entry]).unwrap();
            }
        })
    };
    let later = |entry: &mut Entry| entry.recorded_time.as_mut().unwrap().nanos += 1_000;
    let edited = |index: usize| {
        let mut entries = clinic.entries.clone();
        entries[index] = clinic.rechained(index, later)[index].clone();
        entries
    };
    let chained = clinic.rechained(15, later);
    let mut broken = chained.clone();
    broken[18..].clone_from_slice(&clinic.entries[18..]);
    agree(&[
        sparse("as it was", clinic.entries.clone()).good().trusting(size),
        sparse("the first of a commit", edited(10)).bad("edited", 10).trusting(10),
        sparse("within a commit", edited(15)).bad("edited", 15).trusting(10),
        sparse("the last of a commit", edited(9)).bad("edited", 9).trusting(0),
        sparse("the last of all", edited(last)).bad("edited", last).trusting(10),
        // Whoever needs no key to chain a commit's entries anew can hide which of them was changed first.
        sparse("chained anew to the end", chained).bad("edited", last).trusting(10),
        sparse("chained anew for a while", broken).bad("edited", 17).trusting(10),
        sparse("chained anew under a checkpoint", clinic.rechained(9, later))
            .bad("fork", 0)
            .trusting(0),
    ]);
}
