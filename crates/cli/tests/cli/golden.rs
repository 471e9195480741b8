//! Runs the binary in a folder and an environment of its own, and compares what it prints with a file.

use crate::fake::Fake;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// What a run of the binary came to.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// Runs `tiltyard` with these arguments, in an empty home.
    pub(crate) fn new(arguments: &[&str]) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        Self::at_home(&home, arguments, "")
    }

    /// The same against a server, which it finds by its client file.
    pub(crate) fn against(server: &Fake, arguments: &[&str]) -> Self {
        Self::with_input(server, arguments, "")
    }

    /// The same with something on standard input.
    pub(crate) fn with_input(server: &Fake, arguments: &[&str], input: &str) -> Self {
        Self::start(&home_of(server), arguments, input, Tools::None)
    }

    /// The same with the programs of this machine.
    pub(crate) fn with_path(server: &Fake, arguments: &[&str]) -> Self {
        Self::start(&home_of(server), arguments, "", Tools::OfThisMachine)
    }

    /// The same in a home that is there already.
    pub(crate) fn at_home(home: &TempDir, arguments: &[&str], input: &str) -> Self {
        Self::start(home, arguments, input, Tools::None)
    }

    fn start(home: &TempDir, arguments: &[&str], input: &str, tools: Tools) -> Self {
        let path = match tools {
            Tools::None => home.path().as_os_str().to_owned(),
            Tools::OfThisMachine => std::env::var_os("PATH").unwrap_or_default(),
        };
        let mut child = Command::new(env!("CARGO_BIN_EXE_tiltyard"))
            .args(arguments)
            .env_clear()
            .env("HOME", home.path())
            .env("PATH", path)
            .current_dir(home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let mut stdin = child.stdin.take().expect("is piped");
        // Who reads nothing closes it early.
        drop(stdin.write_all(input.as_bytes()));
        drop(stdin);
        let output = child.wait_with_output().expect("the binary ends");
        let text = |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).expect("is UTF-8");
            text.replace(home.path().to_str().expect("is UTF-8"), "~")
        };
        let code = output.status.code().expect("ends by itself");
        Self { code, stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// What it printed, when it ended as done.
    pub(crate) fn done(self) -> String {
        assert_eq!((self.code, self.stderr.as_str()), (0, ""), "{}", self.stdout);
        self.stdout
    }

    /// The same as JSON.
    pub(crate) fn json(self) -> serde_json::Value {
        serde_json::from_str(&self.done()).expect("is JSON")
    }
}

/// Which programs a run finds.
#[derive(Clone, Copy)]
enum Tools {
    None,
    OfThisMachine,
}

/// A home whose client file points to the server.
fn home_of(server: &Fake) -> TempDir {
    let home = tempfile::tempdir().expect("a folder");
    let state = home.path().join(".local/state/tiltyard");
    std::fs::create_dir_all(&state).expect("a folder");
    let file = format!("url = \"{}\"\ntoken = \"jst_hush\"\n", server.url);
    std::fs::write(state.join("client.toml"), file).expect("writes");
    home
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
