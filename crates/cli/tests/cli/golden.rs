//! Runs the binary in a folder and an environment of its own, and compares what it prints with a file.

use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// What a run of the binary came to.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// Runs `tiltyard` with these arguments, in an empty home.
    pub(crate) fn new(arguments: &[&str]) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        Self::at_home(&home, arguments)
    }

    /// The same in a home that is there already.
    pub(crate) fn at_home(home: &TempDir, arguments: &[&str]) -> Self {
        let output = Command::new(env!("CARGO_BIN_EXE_tiltyard"))
            .args(arguments)
            .env_clear()
            .env("HOME", home.path())
            .current_dir(home.path())
            .output()
            .expect("the binary runs");
        let text = |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).expect("is UTF-8");
            text.replace(home.path().to_str().expect("is UTF-8"), "~")
        };
        let code = output.status.code().expect("ends by itself");
        Self { code, stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// Compares with `tests/golden/NAME`, or writes it when `UPDATE_GOLDEN` is set.
pub(crate) fn assert_golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).expect("writes");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, expected, "differs from {}; UPDATE_GOLDEN=1 writes it anew", path.display());
}
