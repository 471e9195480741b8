//! A program of somebody else's that serves on a port: started in a temporary folder, never as root, and ended with the value
//! or with this process, however that ends.

use crate::postgres::Owner;
use anyhow::{Context, bail};
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// Starts the program, and ends it and its folder when the other end of its own input is closed.
const GUARD: &str = r#"folder=$1; shift
"$@" >"$folder/log" 2>&1 & program=$!
read -r _
kill -TERM "$program" 2>/dev/null
wait "$program"
rm -rf "$folder""#;
/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(20);
/// The pause between two calls at its port, which nobody announces.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How often a start is tried again: another program may take the port first.
const TRIES: usize = 5;
/// Where programs of the system are that are not in everybody's path.
const FOLDERS: &[&str] = &["/usr/sbin", "/usr/local/sbin", "/sbin"];

/// The running program.
pub struct Daemon {
    folder: PathBuf,
    address: SocketAddr,
    guard: Child,
}

impl Daemon {
    /// Starts one. `prepare` writes what it needs into its folder, knowing its port, and names its arguments.
    ///
    /// # Errors
    /// When it is not installed, or does not start.
    pub fn start(
        name: &str,
        prepare: impl Fn(&Path, u16) -> anyhow::Result<Vec<String>>,
    ) -> anyhow::Result<Self> {
        let (program, owner) = (program(name)?, Owner::find()?);
        let mut tries = TRIES;
        loop {
            tries -= 1;
            let prefix = format!("tiltyard-{name}-");
            let folder = tempfile::Builder::new().prefix(&prefix).tempdir().context("a folder")?.keep();
            let address = TcpListener::bind("127.0.0.1:0").context("a port")?.local_addr()?;
            let arguments = prepare(&folder, address.port())?;
            owner.give(&folder)?;
            let mut command = owner.command("sh");
            command.args(["-c", GUARD, "guard"]).arg(&folder).arg(&program).args(arguments);
            // A group of its own: who ends this process's group must not end it under others.
            command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
            let guard = command.spawn().with_context(|| format!("starting {name}"))?;
            let daemon = Self { folder, address, guard };
            match daemon.wait_until_it_listens(name) {
                Err(_) if tries > 0 => {}
                ended => return ended.map(|()| daemon),
            }
        }
    }

    fn wait_until_it_listens(&self, name: &str) -> anyhow::Result<()> {
        let began = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            if began.elapsed() > PATIENCE / u32::try_from(TRIES)? {
                bail!("{name} does not listen:\n{}", self.log());
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has said.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for Daemon {
    #[expect(clippy::print_stderr, reason = "a test's output is where its reader looks")]
    fn drop(&mut self) {
        // Closes the guard's input: it ends the program.
        drop(self.guard.stdin.take());
        if let Err(error) = self.guard.wait() {
            eprintln!("what runs in {} may still run: {error}", self.folder.display());
        }
    }
}

fn program(name: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(FOLDERS.iter().map(PathBuf::from));
    let found = folders.map(|folder| folder.join(name)).find(|file| file.is_file());
    found.with_context(|| {
        format!("`{name}` is not installed (Debian: apt-get install {name}); `cargo xtask test` does it")
    })
}
