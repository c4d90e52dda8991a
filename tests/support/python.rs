//! The Python with which ledgers are looked at by programs that are not ours.

use std::path::{Path, PathBuf};

/// The Python of the tests, as `tests/run` makes it.
pub(crate) fn python() -> PathBuf {
    let made = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/python/bin/python");
    let python = std::env::var_os("VIALEDGER_TEST_PYTHON").map_or(made, PathBuf::from);
    assert!(
        python.exists(),
        "{} is not there: run tests/run once, which makes a Python with the packages of tests/interop/requirements.txt",
        python.display()
    );
    python
}
