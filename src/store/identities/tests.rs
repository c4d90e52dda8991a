//! What is sealed comes back, and nothing else does: not with another key, not for another ledger, not from another row.

use rusqlite::Connection;

use super::*;
use crate::identity::Identity;

const ORIGIN: &str = "clinic.example/ledger";

fn key() -> IdentityKey {
    IdentityKey::from_bytes([7; 32])
}

fn opening(name: &str) -> Opening {
    let address = "12 Depot Road, Dayton".to_owned();
    let birth = "1984-02-29".parse().unwrap();
    let identity = Identity::new(name.to_owned(), address, birth, vec!["MRN 42".to_owned()]);
    Opening { identity: identity.unwrap(), salts: [[1; 32], [2; 32], [3; 32], [4; 32]] }
}

fn folder() -> (tempfile::TempDir, LedgerFolder) {
    let dir = tempfile::tempdir().unwrap();
    let folder = LedgerFolder::new(dir.path());
    (dir, folder)
}

fn open(folder: &LedgerFolder) -> Identities {
    Identities::open(folder, &key(), ORIGIN).unwrap()
}

#[test]
fn what_is_sealed_is_there_after_a_start_and_sealing_again_changes_nothing() {
    let (_dir, folder) = folder();
    let identities = open(&folder);
    let pia = opening("Pia Petersen");
    let commitment = identities.seal(&pia).unwrap();
    assert_eq!(commitment, pia.commitment());
    let before = read(&lock(&identities.writer), &commitment).unwrap().unwrap();
    assert_eq!(identities.seal(&pia).unwrap(), commitment);
    let after = read(&lock(&identities.writer), &commitment).unwrap().unwrap();
    assert_eq!((before.nonce, before.ciphertext), (after.nonce, after.ciphertext));
    drop(identities);

    let identities = open(&folder);
    assert_eq!(identities.open_one(&commitment).unwrap(), Some(pia));
    assert!(identities.holds(&commitment).unwrap());
    let stranger = opening("Somebody Else").commitment();
    assert_eq!(identities.open_one(&stranger).unwrap(), None);
    assert!(!identities.holds(&stranger).unwrap());
}

#[test]
fn nothing_of_an_identity_lies_in_the_folder_in_clear() {
    let (dir, folder) = folder();
    let identities = open(&folder);
    identities.seal(&opening("Pia Petersen")).unwrap();
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        for secret in ["Petersen", "Depot", "1984-02-29", "MRN 42"] {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} in {}", path.display());
        }
    }
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_the_file_and_what_sqlite_puts_beside_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let (dir, folder) = folder();
    let identities = open(&folder);
    identities.seal(&opening("Pia Petersen")).unwrap();
    let mut seen = 0;
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        seen += 1;
    }
    assert_eq!(seen, 3, "the database, its WAL and its index");
}

#[test]
fn a_wrong_key_and_another_ledger_are_told_apart_from_a_damaged_row() {
    let (_dir, folder) = folder();
    let identities = open(&folder);
    let commitment = identities.seal(&opening("Pia Petersen")).unwrap();
    let other = IdentityKey::from_bytes([8; 32]);
    let wrong = Identities::open(&folder, &other, ORIGIN).unwrap_err();
    assert!(matches!(wrong, StoreError::AnotherIdentityKey { .. }), "{wrong}");
    let wrong = SealedIdentities::open(&folder.identities(), &other, ORIGIN).unwrap_err();
    assert!(matches!(wrong, StoreError::AnotherIdentityKey { .. }), "{wrong}");
    let wrong = Identities::open(&folder, &key(), "other.example/ledger").unwrap_err();
    assert!(matches!(wrong, StoreError::AnotherOrigin { .. }), "{wrong}");

    let damage = "UPDATE identities SET ciphertext = zeroblob(length(ciphertext))";
    Connection::open(folder.identities()).unwrap().execute_batch(damage).unwrap();
    let damaged = identities.open_one(&commitment).unwrap_err();
    assert!(matches!(damaged, StoreError::IdentityDamaged { .. }), "{damaged}");
    assert!(!damaged.to_string().contains("Petersen"));
    assert!(identities.holds(&commitment).is_err());
    // Whoever still has the identity with its salts can put it back.
    identities.seal(&opening("Pia Petersen")).unwrap();
    assert!(identities.holds(&commitment).unwrap());
}

#[test]
fn no_row_opens_in_anothers_place() {
    let (_dir, folder) = folder();
    let identities = open(&folder);
    let pia = identities.seal(&opening("Pia Petersen")).unwrap();
    let max = identities.seal(&opening("Max Mason")).unwrap();
    let swap = "UPDATE identities SET (nonce, ciphertext) = \
                (SELECT nonce, ciphertext FROM identities AS other \
                 WHERE other.commitment <> identities.commitment)";
    Connection::open(folder.identities()).unwrap().execute_batch(swap).unwrap();
    // One of them now stands in both places.
    let opened = [pia, max].map(|commitment| identities.open_one(&commitment));
    let damaged = |one: &&Result<_, _>| matches!(one, Err(StoreError::IdentityDamaged { .. }));
    assert_eq!(opened.iter().filter(damaged).count(), 1, "{opened:?}");
}

#[test]
fn all_of_them_are_shown_once_in_order() {
    let (_dir, folder) = folder();
    let identities = open(&folder);
    assert_eq!(identities.all().count(), 0);
    let names: Vec<String> = (0..600).map(|number| format!("Patient {number}")).collect();
    // One transaction for all of them, as sealing each durably would take the test long.
    {
        let writer = lock(&identities.writer);
        let transaction = Transaction::begin(&writer).unwrap();
        for name in &names {
            let opening = opening(name);
            let commitment = opening.commitment();
            let sealed = identities.sealed.cipher.seal(&commitment, &opening).unwrap();
            let row = params![commitment.as_bytes(), sealed.nonce, sealed.ciphertext];
            writer.execute("INSERT INTO identities VALUES (?1, ?2, ?3)", row).unwrap();
        }
        transaction.commit().unwrap();
    }
    let all: Vec<_> = identities.all().map(Result::unwrap).collect();
    assert_eq!(all.len(), names.len());
    assert!(all.is_sorted_by(|(one, _), (other, _)| one < other));
    assert!(all.iter().all(|(commitment, opening)| opening.commitment() == *commitment));
}

#[test]
fn many_threads_read_and_seal_at_once() {
    let (_dir, folder) = folder();
    let identities = open(&folder);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let identities = &identities;
            scope.spawn(move || {
                for number in 0..5 {
                    let opening = opening(&format!("Patient {thread} {number}"));
                    let commitment = identities.seal(&opening).unwrap();
                    assert_eq!(identities.open_one(&commitment).unwrap(), Some(opening));
                }
            });
        }
    });
    assert_eq!(identities.all().count(), 20);
}

#[test]
fn a_file_that_a_crash_left_empty_is_made_anew_and_a_foreign_one_is_refused() {
    let (_dir, folder) = folder();
    std::fs::write(folder.identities(), "").unwrap();
    open(&folder).seal(&opening("Pia Petersen")).unwrap();
    assert_eq!(open(&folder).all().count(), 1);

    let (_dir, foreign) = self::folder();
    let connection = Connection::open(foreign.identities()).unwrap();
    connection.execute_batch("CREATE TABLE songs (title)").unwrap();
    let refused = Identities::open(&foreign, &key(), ORIGIN).unwrap_err();
    assert!(matches!(refused, StoreError::NotIdentities { .. }), "{refused}");
    std::fs::write(foreign.identities(), "no database at all, but long enough to look like one")
        .unwrap();
    assert!(Identities::open(&foreign, &key(), ORIGIN).is_err());
}

#[test]
fn reading_makes_no_file_where_there_is_none_and_reads_next_to_a_server() {
    let (dir, folder) = folder();
    let missing = SealedIdentities::open(&folder.identities(), &key(), ORIGIN).unwrap_err();
    assert!(matches!(missing, StoreError::IdentitiesMissing { .. }), "{missing}");
    assert!(!folder.identities().exists());
    let identities = open(&folder);
    let commitment = identities.seal(&opening("Pia Petersen")).unwrap();
    let reader = SealedIdentities::open(&folder.identities(), &key(), ORIGIN).unwrap();
    assert!(reader.holds(&commitment).unwrap());
    drop((reader, identities));
    let left = std::fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(left, 1, "after a clean stop the one file is everything");
    let copy = dir.path().join("copy.db");
    std::fs::copy(folder.identities(), &copy).unwrap();
    let reader = SealedIdentities::open(&copy, &key(), ORIGIN).unwrap();
    assert!(reader.holds(&commitment).unwrap());
}

#[test]
fn a_change_of_the_key_changes_all_or_nothing() {
    let (_dir, folder) = folder();
    let new = IdentityKey::from_bytes([8; 32]);
    let names = ["Pia Petersen", "Max Mason", "Zoe Zander"];
    let sealed = names.map(|name| open(&folder).seal(&opening(name)).unwrap());
    assert_eq!(rekey(&folder, &key(), &new, ORIGIN).unwrap(), 3);
    let old = Identities::open(&folder, &key(), ORIGIN).unwrap_err();
    assert!(matches!(old, StoreError::AnotherIdentityKey { .. }));
    let identities = Identities::open(&folder, &new, ORIGIN).unwrap();
    for (commitment, name) in sealed.iter().zip(names) {
        assert_eq!(identities.open_one(commitment).unwrap(), Some(opening(name)));
    }

    // One row that does not open keeps all of them as they are.
    let damage = "UPDATE identities SET nonce = zeroblob(12) \
                  WHERE commitment = (SELECT max(commitment) FROM identities)";
    let connection = Connection::open(folder.identities()).unwrap();
    connection.execute_batch(damage).unwrap();
    drop((connection, identities));
    let failed = rekey(&folder, &new, &key(), ORIGIN).unwrap_err();
    assert!(matches!(failed, StoreError::IdentityDamaged { .. }), "{failed}");
    let identities = Identities::open(&folder, &new, ORIGIN).unwrap();
    assert_eq!(identities.all().flatten().count(), 2);

    // A server that runs has the folder, and its key is not changed under it.
    let _held = folder.lock().unwrap();
    let busy = rekey(&folder, &new, &key(), ORIGIN).unwrap_err();
    assert!(matches!(busy, StoreError::InUse { .. }));
}
