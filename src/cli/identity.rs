//! The identity key of a ledger: where it is, when a new one is made, and `vialedger identity rekey`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use super::Desk;
use super::error::CliError;
use super::output::fields;
use crate::audit::named_key;
use crate::key::IdentityKey;
use crate::ledger::ParsedEntry;
use crate::store::{Evidence, LedgerFolder, SealedIdentities, StoreError, rekey};

/// What can be done with the identities that are sealed beside a ledger.
#[derive(Subcommand, Debug)]
pub enum IdentityCommand {
    /// Encrypt every identity anew under a new key, while no server runs
    Rekey(RekeyArgs),
}

/// Encrypt every identity anew under a new key, while no server runs.
///
/// The new key takes the old one's place; the old one is kept beside it as FILE.old, since backups
/// of identities.db still need it. Run again after a crash, it goes on where it was cut short.
#[derive(Args, Debug)]
pub struct RekeyArgs {
    /// The ledger's folder
    folder: PathBuf,
    /// The key that the identities are encrypted with; `identity.key` in the folder when absent
    #[arg(long, value_name = "FILE", env = "VIALEDGER_IDENTITY_KEY")]
    identity_key: Option<PathBuf>,
}

/// The identity key that a server works with.
#[derive(Debug)]
pub struct ServingKey {
    /// The key.
    pub key: IdentityKey,
    /// The file that it is in.
    pub path: PathBuf,
    /// Whether it was made just now, since the ledger is older than identities are.
    pub is_new: bool,
}

/// The identity key of the ledger in this folder: in the file that was named, or beside the ledger.
///
/// Where there is no such file and nothing was sealed yet, a new key is made there. Once there are sealed identities, a
/// missing key is missed and never replaced: a new one would open none of them.
pub fn serving_key(folder: &LedgerFolder, named: Option<&Path>) -> Result<ServingKey, CliError> {
    let path = named.map_or_else(|| folder.identity_key(), Path::to_owned);
    let is_new = !path.exists() && !folder.identities().exists();
    let key = if is_new {
        let key = IdentityKey::generate()?;
        // A crash after this leaves a key with nothing sealed; the next start takes it.
        key.save(&path)?;
        key
    } else {
        IdentityKey::load(&path)?
    };
    Ok(ServingKey { key, path, is_new })
}

/// What entry 0 of a ledger says. Nothing of it is proved here.
pub(super) struct Beginning {
    /// The ledger's origin.
    pub(super) origin: String,
    /// Its verifier key.
    pub(super) verifier_key: String,
}

impl Beginning {
    /// Reads it from the evidence in this database.
    pub(super) fn of(evidence: &Evidence, database: &Path) -> Result<Self, CliError> {
        let bad = || {
            let path = database.display();
            CliError::Data(format!("{path} does not begin as a ledger; run `vialedger verify`"))
        };
        let first = evidence.entries().next().and_then(Result::ok).ok_or_else(bad)?;
        let entry = ParsedEntry::parse(first.entry).map_err(|_| bad())?;
        let verifier_key = named_key(&entry.request).ok_or_else(bad)?;
        Ok(Self { origin: entry.ledger, verifier_key })
    }
}

/// Does it and says so.
pub(super) fn run(command: &IdentityCommand, desk: &Desk) -> Result<(), CliError> {
    let IdentityCommand::Rekey(args) = command;
    let folder = LedgerFolder::new(&args.folder);
    let database = folder.database();
    let origin = Beginning::of(&Evidence::open(&database)?, &database)?.origin;
    let path = args.identity_key.clone().unwrap_or_else(|| folder.identity_key());
    let count = change_key(&folder, &path, &origin)?;
    let old = beside(&path, ".old");
    let value = json!({ "identities": count, "identity_key": path, "old_key": old });
    desk.out.value(&value, || {
        let facts = fields(&[
            ("New key", &path.display()),
            ("", &"Keep a copy of it now: nothing else opens what it seals."),
            ("Old key", &old.display()),
            ("", &"Backups of identities.db from before need it. Destroy it when they are gone."),
        ]);
        format!("{count} identities are encrypted under a new key.{facts}")
    })
}

/// Puts a new key in the place of the one in this file, and everything under it.
fn change_key(folder: &LedgerFolder, path: &Path, origin: &str) -> Result<u64, CliError> {
    let (next, last) = (beside(path, ".new"), beside(path, ".old"));
    let old = IdentityKey::load(path)?;
    if !next.exists() {
        if last.exists() {
            return Err(StoreError::Exists { path: last }.into());
        }
        // A key that does not fit is told before anything is made.
        drop(SealedIdentities::open(&folder.identities(), &old, origin)?);
        IdentityKey::generate()?.save(&next)?;
    }
    // A crash from here on leaves both keys in files. Doing it again takes the new one that is there.
    let new = IdentityKey::load(&next)?;
    let count = match rekey(folder, &old, &new, origin) {
        // It was cut short after everything was under the new key.
        Err(StoreError::AnotherIdentityKey { .. }) => {
            let sealed = SealedIdentities::open(&folder.identities(), &new, origin)?;
            u64::try_from(sealed.all().count()).unwrap_or(u64::MAX)
        }
        changed => changed?,
    };
    if !last.exists() {
        old.save(&last)?;
    }
    // A crash before this leaves the file with the old key, which opens nothing any more; a server says so, and names
    // this command, which finishes here.
    let failed = |source| CliError::Write { path: path.to_owned(), source };
    std::fs::rename(&next, path).map_err(failed)?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = std::fs::File::open(parent.unwrap_or(Path::new("."))).map_err(failed)?;
    parent.sync_all().map_err(failed)?;
    Ok(count)
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{Identity, Opening};
    use crate::key::KeyError;
    use crate::store::Identities;

    #[test]
    fn a_key_is_made_once_and_never_for_what_another_one_sealed() {
        let dir = tempfile::tempdir().unwrap();
        let folder = LedgerFolder::new(dir.path());
        let made = serving_key(&folder, None).unwrap();
        assert!(made.is_new);
        let again = serving_key(&folder, None).unwrap();
        assert!(!again.is_new && again.key == made.key);

        Identities::open(&folder, &made.key, "clinic.example/ledger").unwrap();
        let elsewhere = dir.path().join("stick.key");
        std::fs::rename(&made.path, &elsewhere).unwrap();
        let missing = serving_key(&folder, None).unwrap_err();
        let missed = CliError::Key(KeyError::IdentityKeyMissing { path: folder.identity_key() });
        assert_eq!(missing.to_string(), missed.to_string());
        assert!(!folder.identity_key().exists(), "no new key where the old one is needed");
        let found = serving_key(&folder, Some(&elsewhere)).unwrap();
        assert!(!found.is_new && found.key == made.key);
    }
    #[test]
    fn a_change_of_the_key_can_be_cut_short_anywhere_and_done_again() {
        const ORIGIN: &str = "clinic.example/ledger";
        let birth = "1984-02-29".parse().unwrap();
        let identity = Identity::new("Pia".into(), "12 Depot Road".into(), birth, Vec::new());
        let salts = [[1; 32], [2; 32], [3; 32], [4; 32]];
        let opening = Opening { identity: identity.unwrap(), salts };
        let new = IdentityKey::from_bytes([8; 32]);
        // Cut short: not at all; with the new key in its file; with everything under it; with the old key kept.
        for done in 0..4 {
            let dir = tempfile::tempdir().unwrap();
            let folder = LedgerFolder::new(dir.path());
            let path = folder.identity_key();
            let old = serving_key(&folder, None).unwrap().key;
            let sealed = Identities::open(&folder, &old, ORIGIN).unwrap().seal(&opening).unwrap();
            if done > 0 {
                new.save(&beside(&path, ".new")).unwrap();
            }
            if done > 1 {
                rekey(&folder, &old, &new, ORIGIN).unwrap();
            }
            if done > 2 {
                old.save(&beside(&path, ".old")).unwrap();
            }
            assert_eq!(change_key(&folder, &path, ORIGIN).unwrap(), 1, "{done}");
            let now = serving_key(&folder, None).unwrap().key;
            assert!(now != old && (done == 0 || now == new));
            assert!(Identities::open(&folder, &now, ORIGIN).unwrap().holds(&sealed).unwrap());
            assert!(IdentityKey::load(&beside(&path, ".old")).unwrap() == old);
            assert!(!beside(&path, ".new").exists());
            // The key before the last is nobody's to overwrite.
            assert!(change_key(&folder, &path, ORIGIN).is_err());
            assert!(Identities::open(&folder, &now, ORIGIN).is_ok());
        }
    }
}
