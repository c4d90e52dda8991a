//! Small files that are replaced as a whole: whoever reads one finds the old content or the new, never a mixture, also
//! after a power cut.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// What is added to a file's name while its new content is not complete.
const UNFINISHED: &str = ".unfinished";

/// Replaces a file's content, durably on return. One writer at a time: callers hold a lock of their own.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(UNFINISHED);
    let unfinished = PathBuf::from(unfinished);
    let mut file = File::create(&unfinished)?;
    file.write_all(content)?;
    file.sync_all()?;
    // A crash up to here leaves the old content, and a file beside it that the next call overwrites.
    fs::rename(&unfinished, path)?;
    // A crash here leaves the old content or the new, each whole: the next call writes what is newer then.
    sync_folder_of(path)
}

/// Makes the names of the files in a file's folder durable.
pub fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_replaced_and_nothing_is_left_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("head");
        fs::write(dir.path().join("head.unfinished"), "torn by a crash, and longer").unwrap();
        for content in ["first", "2nd"] {
            replace(&path, content.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(replace(&dir.path().join("nowhere/head"), b"x").is_err());
    }
}
