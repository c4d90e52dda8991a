//! The folder: who holds it, and its keys.

use std::path::Path;

use super::{Check, Patient};
use crate::key::{IdentityKey, Key, KeyError};
use crate::service::{OpenError, verifier_key};

/// What is looked at before the database is opened.
pub(super) fn checks(patient: &Patient<'_>, given: bool) -> Vec<Check> {
    let mut checks = vec![folder(patient), lock(patient), trust(patient, given)];
    checks.push(signing_key(patient));
    checks.push(identities(patient));
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
        Ok(line) if line.trim() != key.to_string() => Check::bad(
            NAME,
            "the one beside the ledger is another than the one that was given: this is not that ledger",
        ),
        _ => Check::ok(NAME, "the one that was given"),
    }
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
