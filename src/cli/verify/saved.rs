//! The end of an audit in a file of the auditor's own, from which the next audit goes on.
//!
//! Lines that say what it is, an empty line, and the audit's bytes, whose hash is among the lines: what a disk has
//! damaged is not believed. The file is not signed. Whoever can write to it decides what the next audit takes for
//! granted, so it belongs where the auditor's key lies, and not beside the ledger.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::audit::Audited;
use crate::cli::error::CliError;
use crate::store::state_format;
use crate::tlog::Hash;

/// The first line.
const MAGIC: &str = "vialedger-audit v2";

/// Reads a saved audit.
pub(super) fn read(path: &Path) -> Result<Audited, CliError> {
    let bytes =
        fs::read(path).map_err(|source| CliError::Read { path: path.to_owned(), source })?;
    let no = |why: &str| {
        let path = path.display();
        CliError::Data(format!("{path} {why}; verify once without --since, and --save it anew"))
    };
    let end =
        bytes.windows(2).position(|at| at == b"\n\n").ok_or_else(|| no("is no saved audit"))?;
    let (head, body) = bytes.split_at(end + 2);
    let mut lines = str::from_utf8(head).unwrap_or_default().lines();
    if lines.next() != Some(MAGIC) {
        return Err(no("is no saved audit"));
    }
    if lines.next() != Some(state_format().as_str()) {
        return Err(no("was saved by another version of this program"));
    }
    // Of a million entries either takes as long as to verify some hundred more.
    let (audited, hash) = rayon::join(|| Audited::from_bytes(body), || hash_of(body));
    let audited = audited.map_err(|_| no("is damaged"))?;
    if head_of(&audited, hash).as_bytes() != head {
        return Err(no("is damaged"));
    }
    Ok(audited)
}

/// Writes the end of an audit, in the place of an earlier one. Whatever else has that name is left alone.
pub(super) fn write(path: &Path, audited: &Audited) -> Result<(), CliError> {
    let failed = |source| CliError::Write { path: path.to_owned(), source };
    match fs::read(path) {
        Ok(bytes) if !bytes.starts_with(MAGIC.as_bytes()) => {
            return Err(failed(io::ErrorKind::AlreadyExists.into()));
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let body = audited.to_bytes();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let unfinished = path.with_file_name(format!("{name}.{}.unfinished", std::process::id()));
    let mut options = OpenOptions::new();
    // It knows all patients that the ledger knows.
    options.write(true).create(true).truncate(true).mode(0o600);
    let written = options.open(&unfinished).and_then(|mut file| {
        file.write_all(head_of(audited, hash_of(&body)).as_bytes())?;
        file.write_all(&body)?;
        file.sync_all()
    });
    // A crash before this leaves the earlier one in its place.
    written.and_then(|()| fs::rename(&unfinished, path)).map_err(failed)
}

fn hash_of(body: &[u8]) -> Hash {
    Hash::new(Sha256::digest(body).into())
}

fn head_of(audited: &Audited, hash: Hash) -> String {
    format!(
        "{MAGIC}\n{}\n{}\n{}\n{}\n{hash}\n\n",
        state_format(),
        audited.verifier_key(),
        audited.size(),
        audited.root(),
    )
}
