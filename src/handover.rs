//! A folder to hand over: there whole, durable and for its owner's eyes only, or not there at all.

use std::collections::BTreeSet;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// What is handed over holds clinical facts.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// Why a folder could not be made. Where something has its name already, the source is of the kind `AlreadyExists`.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
pub struct HandoverError {
    /// The file or folder.
    pub path: PathBuf,
    /// What the operating system said.
    pub source: io::Error,
}

impl HandoverError {
    /// For `map_err`.
    fn of(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { path, source }
    }
}

/// A new folder, put together under another name beside its place. Dropped before it is finished, it goes.
#[derive(Debug)]
pub struct NewFolder {
    unfinished: PathBuf,
    finished: PathBuf,
    /// The names that are in it once it is whole, and those that are in it for a while.
    names: &'static [&'static str],
    /// The folders that are in it, and itself.
    folders: BTreeSet<PathBuf>,
}

impl NewFolder {
    /// Begins a folder where nothing may be yet, with these names in it and no others.
    ///
    /// A crash from here on leaves `NAME.unfinished` beside the folder's place, with whatever was written up to then. The
    /// next one that is begun at the same place, with the same names, removes it.
    pub fn begin(finished: &Path, names: &'static [&'static str]) -> Result<Self, HandoverError> {
        // A link that leads nowhere is something of that name too.
        if finished.symlink_metadata().is_ok() {
            return Err(HandoverError::of(finished)(ErrorKind::AlreadyExists.into()));
        }
        let mut unfinished = finished.as_os_str().to_owned();
        unfinished.push(".unfinished");
        let unfinished = PathBuf::from(unfinished);
        remove(&unfinished, names).map_err(HandoverError::of(&unfinished))?;
        let mut private = DirBuilder::new();
        private.mode(FOLDER_MODE);
        if let Some(parent) = parent(finished) {
            private.recursive(true).create(parent).map_err(HandoverError::of(parent))?;
        }
        private.recursive(false).create(&unfinished).map_err(HandoverError::of(&unfinished))?;
        let (finished, folders) = (finished.to_owned(), BTreeSet::from([unfinished.clone()]));
        Ok(Self { unfinished, finished, names, folders })
    }

    /// Where a file of the folder is for now.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.unfinished.join(name)
    }

    /// Writes a file, durably but for its name, and makes the folders that it lies in.
    pub fn write(&mut self, name: &str, bytes: impl AsRef<[u8]>) -> Result<(), HandoverError> {
        let path = self.path(name);
        let folders = path.ancestors().skip(1).take_while(|at| at.starts_with(&self.unfinished));
        for folder in folders.collect::<Vec<_>>().into_iter().rev() {
            if !self.folders.contains(folder) {
                let made = DirBuilder::new().mode(FOLDER_MODE).create(folder);
                made.map_err(HandoverError::of(folder))?;
                self.folders.insert(folder.to_owned());
            }
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(FILE_MODE);
        let written = options.open(&path).and_then(|mut file| {
            file.write_all(bytes.as_ref())?;
            file.sync_all()
        });
        written.map_err(HandoverError::of(&path))
    }

    /// Gives the folder its name, durably.
    pub fn finish(self) -> Result<(), HandoverError> {
        for folder in &self.folders {
            sync(folder)?;
        }
        if self.finished.symlink_metadata().is_ok() {
            return Err(HandoverError::of(&self.finished)(ErrorKind::AlreadyExists.into()));
        }
        let renamed = std::fs::rename(&self.unfinished, &self.finished);
        renamed.map_err(HandoverError::of(&self.finished))?;
        // A crash here leaves the folder under either name, whole. Under the unfinished one it counts for nothing.
        sync(parent(&self.finished).unwrap_or(Path::new(".")))
    }
}

impl Drop for NewFolder {
    fn drop(&mut self) {
        // After `finish` there is nothing under this name. Where it cannot be removed, the next one says so.
        let _ = remove(&self.unfinished, self.names);
    }
}

fn parent(path: &Path) -> Option<&Path> {
    path.parent().filter(|parent| !parent.as_os_str().is_empty())
}

fn sync(folder: &Path) -> Result<(), HandoverError> {
    File::open(folder).and_then(|file| file.sync_all()).map_err(HandoverError::of(folder))
}

/// Removes a folder that was left unfinished, with what has one of these names. One with anything else in it is not
/// ours, and stays.
fn remove(folder: &Path, names: &[&str]) -> io::Result<()> {
    let absent = |removed: io::Result<()>| match removed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    };
    for name in names {
        let path = folder.join(name);
        let is_folder = path.symlink_metadata().is_ok_and(|found| found.is_dir());
        let removed = if is_folder { std::fs::remove_dir_all } else { std::fs::remove_file }(path);
        absent(removed)?;
    }
    absent(std::fs::remove_dir(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: &[&str] = &["README.txt", "tile"];

    #[test]
    fn a_folder_is_there_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("export");
        let mut folder = NewFolder::begin(&place, NAMES).unwrap();
        folder.write("README.txt", "a").unwrap();
        folder.write("tile/0/000", "b").unwrap();
        assert!(!place.exists());
        drop(folder);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "given up, nothing is left");

        // As a crash leaves it.
        std::fs::create_dir_all(dir.path().join("export.unfinished/tile/0")).unwrap();
        std::fs::write(dir.path().join("export.unfinished/tile/0/000"), "old").unwrap();
        std::fs::write(dir.path().join("export.unfinished/README.txt"), "old").unwrap();
        let mut folder = NewFolder::begin(&place, NAMES).unwrap();
        folder.write("README.txt", "a").unwrap();
        folder.finish().unwrap();
        assert_eq!(std::fs::read_dir(&place).unwrap().count(), 1);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        let again = NewFolder::begin(&place, NAMES).unwrap_err();
        assert_eq!(again.source.kind(), ErrorKind::AlreadyExists);
    }

    #[test]
    fn a_folder_that_cannot_be_ours_is_not_removed() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("export.unfinished")).unwrap();
        let theirs = dir.path().join("export.unfinished/photo.jpg");
        std::fs::write(&theirs, "a photo").unwrap();
        assert!(NewFolder::begin(&dir.path().join("export"), NAMES).is_err());
        assert!(theirs.exists());
    }
}
