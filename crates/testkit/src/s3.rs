//! A throwaway server that speaks S3 (s3rver, a package of npm), in a temporary folder and on a port of its own. `make test`
//! installs it below `target/tools`.

use anyhow::{Context, bail};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// The bucket that it has.
pub const BUCKET: &str = "tiltyard";
/// The name and the secret that it lets in.
const KEY: &str = "S3RVER";

/// A server with one bucket. It ends with this value, or with this process.
pub struct S3 {
    child: Child,
    port: u16,
    folder: TempDir,
}

impl S3 {
    /// Starts one.
    ///
    /// # Errors
    /// When it is not installed, or does not start.
    pub fn start() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("a folder for S3")?;
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("s3rver/serve.js");
        let modules = installed()?;
        let mut command = Command::new("node");
        command.arg(own).arg(folder.path()).arg(BUCKET).env("NODE_PATH", modules);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().context("starting node")?;
        let mut said = String::new();
        let output = child.stdout.take().context("its output is a pipe")?;
        BufReader::new(output).read_line(&mut said).context("reading what it says")?;
        let Ok(port) = said.trim().parse() else { bail!("the server of S3 did not start: {said}") };
        Ok(Self { child, port, folder })
    }

    /// The address of a place in its bucket.
    pub fn place(&self, prefix: &str) -> String {
        format!("s3://{BUCKET}/{prefix}")
    }

    /// The variables by which programs reach it.
    pub fn access(&self) -> Vec<(String, String)> {
        self.access_at(self.port)
    }

    /// The same with another port before it: that of something that can cut the line.
    pub fn access_at(&self, port: u16) -> Vec<(String, String)> {
        let all = [
            ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}")),
            ("AWS_ACCESS_KEY_ID", KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", KEY.to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
        ];
        all.map(|(name, value)| (name.to_owned(), value)).into()
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it keeps the objects of the bucket, each in files of its own.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().join(BUCKET)
    }
}

impl Drop for S3 {
    #[expect(clippy::print_stderr, reason = "a test's output is where its reader looks")]
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        if let Err(error) = self.child.wait() {
            eprintln!("a server of S3 may still run: {error}");
        }
    }
}

/// Where its packages are.
fn installed() -> anyhow::Result<PathBuf> {
    let modules =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/s3rver/node_modules").canonicalize();
    modules.context("s3rver is not installed: `cargo xtask test` does it (it needs node and npm)")
}
