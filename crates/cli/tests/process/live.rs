//! A process of the binary, heard line by line.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tiltyard_client::Client;
use tiltyard_client::connection::Destination;

/// Bounds a failure only: nothing is waited for this long when all is well.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);
/// The pause of a loop that looks at what tells nobody when it changes: another process, a file.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Lines of one stream that may wait to be read.
const MAX_WAITING_LINES: usize = 100_000;

/// A home of its own, with nothing in it.
pub(crate) struct Home(TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path(".local/share/tiltyard")
    }

    pub(crate) fn client_file(&self) -> PathBuf {
        self.path(".local/state/tiltyard/client.toml")
    }

    /// The binary with these arguments, standing in this home.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tiltyard"));
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.0.path())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .current_dir(self.0.path());
        command
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        Live::start(self.command(arguments)).ended()
    }

    /// Runs a command of a person, which finds the server by the client file; its JSON.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Value {
        let ended = self.run(&[arguments, &["--json"]].concat());
        assert_eq!(ended.code(), Some(0), "{arguments:?}: {}", ended.stderr);
        serde_json::from_str(&ended.stdout).expect("is JSON")
    }
}

/// A process that runs.
pub(crate) struct Live {
    child: Option<Child>,
    stdout: Lines,
    stderr: Lines,
}

/// How it ended, and what it said that nobody had read.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }
}

/// The lines of a stream.
struct Lines(Receiver<String>);

impl Lines {
    fn of(stream: impl Read + Send + 'static) -> Self {
        let (sender, receiver) = sync_channel(MAX_WAITING_LINES);
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self(receiver)
    }

    #[expect(clippy::panic, reason = "that is how a test fails")]
    fn until(&self, what: &str, wanted: impl Fn(&str) -> bool, other: &Self) -> String {
        let begin = Instant::now();
        let mut heard = String::new();
        loop {
            match self.0.recv_timeout(DEADLINE.saturating_sub(begin.elapsed())) {
                Ok(line) if wanted(&line) => return line,
                Ok(line) => heard.push_str(&format!("{line}\n")),
                Err(RecvTimeoutError::Timeout) => {
                    panic!("no {what} within {DEADLINE:?}, but:\n{heard}\n{}", other.so_far())
                }
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("the process ended without {what}:\n{heard}\n{}", other.so_far())
                }
            }
        }
    }

    fn so_far(&self) -> String {
        self.0.try_iter().fold(String::new(), |text, line| text + &line + "\n")
    }

    fn rest(&self) -> String {
        self.0.iter().fold(String::new(), |text, line| text + &line + "\n")
    }
}

impl Live {
    pub(crate) fn start(mut command: Command) -> Self {
        let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().expect("the binary runs");
        let stdout = Lines::of(child.stdout.take().expect("is piped"));
        let stderr = Lines::of(child.stderr.take().expect("is piped"));
        Self { child: Some(child), stdout, stderr }
    }

    pub(crate) fn pid(&self) -> i32 {
        let child = self.child.as_ref().expect("it runs until its end is waited for");
        i32::try_from(child.id()).expect("a process id is small")
    }

    /// The next line of standard output that is wanted; those before it are passed over.
    pub(crate) fn line(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        self.stdout.until(what, wanted, &self.stderr)
    }

    /// The same of standard error.
    pub(crate) fn log(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        self.stderr.until(what, wanted, &self.stdout)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        send(self.pid(), signal);
    }

    /// Waits for its end.
    #[expect(clippy::panic, reason = "that is how a test fails")]
    pub(crate) fn ended(mut self) -> Ended {
        let pid = self.pid();
        let mut child = self.child.take().expect("it runs until its end is waited for");
        let (over, heard) = sync_channel(1);
        let waiting = std::thread::spawn(move || over.send(child.wait()));
        let Ok(status) = heard.recv_timeout(DEADLINE) else {
            send(pid, Signal::KILL);
            drop(waiting.join());
            panic!("the process does not end");
        };
        let status = status.expect("can be waited for");
        Ended { status, stdout: self.stdout.rest(), stderr: self.stderr.rest() }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // It has ended already, or the test has failed and nobody may be left behind.
        if let Some(child) = &mut self.child {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// Sends a signal to a process.
pub(crate) fn send(pid: i32, signal: Signal) {
    let pid = Pid::from_raw(pid).expect("is above 0");
    kill_process(pid, signal).expect("the process is there");
}

/// Whether a process is over: gone, or dead and waiting for whoever inherited it to notice.
pub(crate) fn is_over(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    matches!(state, None | Some('Z' | 'X'))
}

/// Waits until `look` finds something.
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begin.elapsed() < DEADLINE, "no {what} within {DEADLINE:?}");
        std::thread::sleep(LOOK_EVERY);
    }
}

/// A server of the binary.
pub(crate) struct Server {
    pub(crate) live: Live,
    pub(crate) url: String,
    pub(crate) token: Option<String>,
    /// What opens the console, where this start made the first token.
    pub(crate) link: Option<String>,
}

impl Server {
    /// Starts one on a free port.
    pub(crate) fn start(home: &Home, arguments: &[&str]) -> Self {
        let fixed = ["server", "--json", "--listen", "127.0.0.1:0"];
        Self::of(home.command(&[&fixed, arguments].concat()))
    }

    /// Starts it, and waits for the line that tells where it answers.
    pub(crate) fn of(command: Command) -> Self {
        let live = Live::start(command);
        let line = live.line("announcement", |line| line.starts_with('{'));
        let said: Value = serde_json::from_str(&line).expect("is JSON");
        let text = |name: &str| said[name].as_str().map(str::to_owned);
        Self { live, url: text("url").expect("tells where"), token: text("token"), link: text("link") }
    }

    pub(crate) fn client(&self) -> Client {
        client(&self.url, self.token.as_deref())
    }
}

/// A client for that address.
pub(crate) fn client(url: &str, token: Option<&str>) -> Client {
    let token = token.map(|token| token.to_owned().into());
    Client::new(&Destination { url: url.to_owned(), token, ..Destination::default() }).expect("an address")
}

/// The permissions of a file.
pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).expect("is there").permissions().mode() & 0o777
}
