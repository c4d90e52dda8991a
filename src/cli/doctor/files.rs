//! The folder: who holds it, and its keys.

use std::path::Path;

#[cfg(unix)]
use rustix::fs::StatVfsMountFlags;

use super::{Check, Patient};
use crate::cli::known::keys_of;
use crate::key::{IdentityKey, Key, KeyError};
use crate::service::{OpenError, verifier_key};
use crate::tlog::VerifierKey;

const MIB: u64 = 1024 * 1024;

/// Less free bytes than this, and a busy day may fill the disk: SQLite's log alone grows to half of it.
const LITTLE_ROOM: u64 = 64 * MIB;

/// Less free bytes than this need a look; some hundred thousand entries.
const ROOM: u64 = 256 * MIB;

/// What is looked at before the database is opened.
pub(super) fn checks(patient: &Patient<'_>, given: bool) -> Vec<Check> {
    let mut checks = vec![folder(patient), lock(patient), trust(patient, given)];
    checks.push(signing_key(patient));
    checks.push(identities(patient));
    checks.extend(disk(patient));
    checks
}

fn folder(patient: &Patient<'_>) -> Check {
    const NAME: &str = "folder";
    let root = patient.folder.root();
    let Ok(meta) = std::fs::metadata(root) else {
        return Check::bad(
            NAME,
            format!("{} is not there, or may not be looked at", root.display()),
        );
    };
    if !meta.is_dir() {
        return Check::bad(
            NAME,
            format!("{} is no folder; name the ledger's folder", root.display()),
        );
    }
    match others(root) {
        None => Check::ok(NAME, root.display().to_string()),
        Some(mode) => Check::warn(
            NAME,
            format!(
                "others may look into it (mode {mode:03o}); run `chmod 700 {}`",
                root.display()
            ),
        ),
    }
}

/// The mode of a file or folder that others than its owner can use.
#[cfg(unix)]
fn others(path: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then_some(mode)
}

#[cfg(not(unix))]
fn others(_path: &Path) -> Option<u32> {
    None
}

/// How much room is left. Nothing is said of a folder that is not there, nor of a disk that cannot be written to or of
/// which the system does not tell.
fn disk(patient: &Patient<'_>) -> Option<Check> {
    let free = free_bytes(patient.folder.root())?;
    let ledger = std::fs::metadata(patient.folder.database()).map_or(0, |meta| meta.len());
    Some(room(free, ledger))
}

#[cfg(unix)]
fn free_bytes(path: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(path).ok()?;
    let is_none = disk.f_blocks == 0 || disk.f_flag.contains(StatVfsMountFlags::RDONLY);
    (!is_none).then(|| disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(not(unix))]
fn free_bytes(_path: &Path) -> Option<u64> {
    None
}

/// What so many free bytes mean to a ledger of so many.
fn room(free: u64, ledger: u64) -> Check {
    const NAME: &str = "disk";
    let found =
        format!("{} MiB free, and the ledger takes {} MiB", free / MIB, ledger.div_ceil(MIB));
    let full = "where there is no room, an act is refused as a whole and what is recorded stays";
    if free < LITTLE_ROOM {
        Check::bad(NAME, format!("{found}: make room now; {full}"))
    } else if free < ROOM.max(ledger) {
        Check::warn(
            NAME,
            format!(
                "{found}: make room soon, a backup or a rebuild takes as much as the ledger; {full}"
            ),
        )
    } else {
        Check::ok(NAME, found)
    }
}

fn lock(patient: &Patient<'_>) -> Check {
    const NAME: &str = "server";
    match patient.folder.holder() {
        Ok(None) => Check::ok(NAME, "none holds this ledger"),
        Ok(Some(holder)) => Check::ok(NAME, format!("{holder} holds this ledger")),
        Err(error) => Check::warn(NAME, error.to_string()),
    }
}

fn trust(patient: &Patient<'_>, given: bool) -> Check {
    const NAME: &str = "verifier key";
    let key = match &patient.key {
        Ok(key) => key,
        Err(error) => {
            return Check::bad(NAME, format!("{error}; without it nothing can be checked"));
        }
    };
    if !given {
        let text = "the one beside the ledger, which proves nothing to others; --vkey names one from elsewhere";
        return Check::ok(NAME, text);
    }
    let beside = std::fs::read_to_string(patient.folder.verifier_key());
    match beside {
        Ok(line) if !leads_to(patient, key, line.trim()) => Check::bad(
            NAME,
            "the one beside the ledger is another than the one that was given: this is not that ledger",
        ),
        _ => Check::ok(NAME, "the one that was given"),
    }
}

/// Whether a line is the key, or another one of the ledger that has it.
fn leads_to(patient: &Patient<'_>, key: &VerifierKey, line: &str) -> bool {
    let is_line = |key: &VerifierKey| key.to_string() == line;
    is_line(key) || keys_of(&patient.folder, key).is_ok_and(|keys| keys.iter().any(is_line))
}

fn signing_key(patient: &Patient<'_>) -> Check {
    const NAME: &str = "ledger.key";
    let path = patient.folder.signing_key();
    let key = match Key::load(&path, None) {
        Ok(key) => key,
        Err(KeyError::Missing { .. }) => {
            return Check::warn(
                NAME,
                "missing: bring it from where it is kept before this is served",
            );
        }
        Err(error) => return Check::bad(NAME, error.to_string()),
    };
    match verifier_key(patient.folder.root(), key.signing_key()) {
        Err(error @ OpenError::AnotherKey { .. }) => Check::bad(NAME, error.to_string()),
        // What ails the database is said where it is looked at.
        _ => Check::ok(NAME, "there, and for its owner only"),
    }
}

fn identities(patient: &Patient<'_>) -> Check {
    const NAME: &str = "identities";
    let folder = &patient.folder;
    let sealed = folder.identities().is_file();
    match IdentityKey::load(&folder.identity_key()) {
        Ok(_) if sealed => {
            Check::ok(NAME, "sealed, with their key beside them, for its owner only")
        }
        Ok(_) => Check::ok(NAME, "a key, and nothing sealed with it yet"),
        Err(KeyError::IdentityKeyMissing { .. }) if sealed => Check::ok(
            NAME,
            "sealed; their key is kept elsewhere, and the server needs it as --identity-key",
        ),
        Err(KeyError::IdentityKeyMissing { .. }) => Check::ok(NAME, "none"),
        Err(error) => Check::bad(NAME, error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::State;

    #[test]
    fn a_disk_is_to_have_room_for_the_ledger_once_more() {
        let table = [
            (2_000 * MIB, 7, State::Ok),
            (256 * MIB, 256 * MIB, State::Ok),
            (256 * MIB, 256 * MIB + 1, State::Warn),
            (256 * MIB - 1, 7, State::Warn),
            (64 * MIB, 7, State::Warn),
            (64 * MIB - 1, 7, State::Bad),
            (0, 0, State::Bad),
        ];
        for (free, ledger, state) in table {
            let check = room(free, ledger);
            assert_eq!(check.state, state, "{}", check.found);
        }
        let said = room(70 * MIB + 9, 3 * MIB + 1).found;
        assert!(
            said.starts_with("70 MiB free, and the ledger takes 4 MiB: make room soon"),
            "{said}"
        );
    }
}
