//! A folder that is there whole or not at all.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use crate::cli::error::CliError;
use crate::cli::init::make_private_folder;

/// Names of the files that an export has, and of those that SQLite keeps while one is written.
const NAMES: [&str; 5] =
    ["ledger.db", "ledger.db-journal", "ledger.vkey", "README.txt", super::IDENTITIES_FILE];

/// A new folder, put together under another name beside its place. Dropped before it is finished, it goes.
pub(super) struct NewFolder {
    unfinished: PathBuf,
    finished: PathBuf,
}

impl NewFolder {
    /// Begins a folder where nothing may be yet.
    ///
    /// A crash from here on leaves `NAME.unfinished` beside the folder's place, with whatever was written up to then. The
    /// next export to the same place removes it.
    pub(super) fn begin(finished: &Path) -> Result<Self, CliError> {
        if finished.symlink_metadata().is_ok() {
            return Err(write_error(finished, ErrorKind::AlreadyExists.into()));
        }
        let mut unfinished = finished.as_os_str().to_owned();
        unfinished.push(".unfinished");
        let unfinished = PathBuf::from(unfinished);
        remove(&unfinished).map_err(|source| write_error(&unfinished, source))?;
        make_private_folder(&unfinished)?;
        Ok(Self { unfinished, finished: finished.to_owned() })
    }

    /// Where a file of the folder is for now.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.unfinished.join(name)
    }

    /// Writes a file that only its owner can read, durably.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<(), CliError> {
        let path = self.path(name);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let written = options.open(&path).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
        written.map_err(|source| write_error(&path, source))
    }

    /// Gives the folder its name, durably.
    pub(super) fn finish(self) -> Result<(), CliError> {
        let failed = |source| write_error(&self.finished, source);
        sync(&self.unfinished).map_err(failed)?;
        if self.finished.symlink_metadata().is_ok() {
            return Err(failed(ErrorKind::AlreadyExists.into()));
        }
        std::fs::rename(&self.unfinished, &self.finished).map_err(failed)?;
        // A crash here leaves the folder under either name, whole. Under the unfinished one it counts for nothing.
        let parent = self.finished.parent().filter(|parent| !parent.as_os_str().is_empty());
        sync(parent.unwrap_or(Path::new("."))).map_err(failed)
    }
}

impl Drop for NewFolder {
    fn drop(&mut self) {
        // After `finish` there is nothing under this name. Where it cannot be removed, the next export says so.
        let _ = remove(&self.unfinished);
    }
}

fn sync(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Removes a folder that was left unfinished, with the files of an export. One with anything else in it is not ours, and
/// stays.
fn remove(folder: &Path) -> std::io::Result<()> {
    let absent = |removed: std::io::Result<()>| match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    };
    for name in NAMES {
        absent(std::fs::remove_file(folder.join(name)))?;
    }
    absent(std::fs::remove_dir(folder))
}

fn write_error(path: &Path, source: std::io::Error) -> CliError {
    CliError::Write { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_there_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("export");
        let folder = NewFolder::begin(&place).unwrap();
        folder.write("ledger.vkey", "a").unwrap();
        assert!(!place.exists());
        drop(folder);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "given up, nothing is left");

        // As a crash leaves it.
        std::fs::create_dir(dir.path().join("export.unfinished")).unwrap();
        std::fs::write(dir.path().join("export.unfinished/README.txt"), "old").unwrap();
        let folder = NewFolder::begin(&place).unwrap();
        folder.write("ledger.vkey", "a").unwrap();
        folder.finish().unwrap();
        assert_eq!(std::fs::read_dir(&place).unwrap().count(), 1);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(matches!(NewFolder::begin(&place), Err(CliError::Write { .. })));
    }

    #[test]
    fn a_folder_that_cannot_be_ours_is_not_removed() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("export.unfinished")).unwrap();
        let theirs = dir.path().join("export.unfinished/photo.jpg");
        std::fs::write(&theirs, "a photo").unwrap();
        assert!(NewFolder::begin(&dir.path().join("export")).is_err());
        assert!(theirs.exists());
    }
}
