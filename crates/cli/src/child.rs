//! A child of this process: the same binary, started with other arguments (C4). It is heard on standard output and
//! error, tied by standard input (`parent.rs`), and has a process group of its own, so that a key pressed in the
//! terminal reaches it through its parent, in order.

pub mod keep;
mod listen;
pub mod order;
pub mod restart;

pub use listen::Hearing;
pub use order::Order;

use crate::exit::{Exit, Failure};
use listen::{Tail, listen_to_errors, listen_to_first_line};
use rustix::process::{Pid, Signal, kill_process};
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::{ChildStdin, Command};
use tokio::sync::oneshot;
use tokio::time::timeout;

/// How long what a child said last may take to arrive after its end: a program that it left behind may hold the
/// stream open.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A child that runs. Dropping it ends it at once.
#[derive(Debug)]
pub struct Child {
    name: &'static str,
    process: tokio::process::Child,
    // Held open for as long as this process lives: that is the tie.
    _tie: ChildStdin,
    first_line: Option<oneshot::Receiver<String>>,
    tail: Tail,
}

/// How a child ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// What people call it.
    pub name: &'static str,
    /// Its exit code, or the signal that ended it.
    pub status: ExitStatus,
    /// The last lines that it said on standard error.
    pub tail: Vec<String>,
}

impl Child {
    /// Starts one.
    ///
    /// # Errors
    /// When the system does not start it.
    pub async fn start(order: &Order) -> Result<Self, Failure> {
        let cannot =
            |error: std::io::Error| Failure::failed(format!("the {} cannot be started: {error}", order.name));
        let mut command = Command::new(std::env::current_exe().map_err(cannot)?);
        command.args(&order.arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0).kill_on_drop(true);
        for name in &order.unset {
            command.env_remove(name);
        }
        command.envs(order.set.iter().cloned());
        if let Some(folder) = &order.folder {
            command.current_dir(folder);
        }
        let mut process = command.spawn().map_err(cannot)?;
        let (Some(mut tie), Some(stdout), Some(stderr)) =
            (process.stdin.take(), process.stdout.take(), process.stderr.take())
        else {
            return Err(Failure::failed(format!("the {} was started without its pipes", order.name)));
        };
        let (sender, first_line) = oneshot::channel();
        tokio::spawn(listen_to_first_line(stdout, sender));
        let tail = listen_to_errors(order.name, stderr, order.hearing);
        // One that has ended already says why on standard error.
        drop(tie.write_all(order.word.line().as_bytes()).await);
        Ok(Self { name: order.name, process, _tie: tie, first_line: Some(first_line), tail })
    }

    /// What people call it.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its process; `None` once it has ended.
    pub fn pid(&self) -> Option<u32> {
        self.process.id()
    }

    /// Waits for the first line of its standard output.
    ///
    /// # Errors
    /// How it ended without one.
    pub async fn first_line(&mut self) -> Result<String, Ended> {
        let line = match self.first_line.take() {
            Some(line) => line.await.ok(),
            None => None,
        };
        match line {
            Some(line) => Ok(line),
            None => Err(self.ended().await),
        }
    }

    /// Waits for its end.
    pub async fn ended(&mut self) -> Ended {
        // It can only fail for a child that is not ours; then it counts as ended by nobody knows what.
        let status = self.process.wait().await.unwrap_or_else(|_| ExitStatus::from_raw(0xff00));
        Ended { name: self.name, status, tail: self.tail.take(LAST_WORDS).await }
    }

    /// Asks it to end in order. One that has ended hears nothing.
    pub fn terminate(&self) {
        self.send(Signal::TERM);
    }

    /// Ends it at once.
    pub fn kill(&self) {
        self.send(Signal::KILL);
    }

    /// Asks it to end in order, and ends it at once when that takes longer than `patience`.
    pub async fn end(&mut self, patience: Duration) -> Ended {
        self.terminate();
        if let Ok(ended) = timeout(patience, self.ended()).await {
            return ended;
        }
        self.kill();
        self.ended().await
    }

    fn send(&self, signal: Signal) {
        // Only a child that has not been waited for has an id, so nobody else can have it by now.
        let pid = self.pid().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        if let Some(pid) = pid {
            // It may have ended a moment ago, unnoticed; then nobody is there to hear it.
            let _ = kill_process(pid, signal);
        }
    }
}

impl Ended {
    /// `was killed by signal 9`, `ended with code 5`.
    pub fn how(&self) -> String {
        match (self.status.signal(), self.status.code()) {
            (Some(signal), _) => format!("was killed by signal {signal}"),
            (None, Some(code)) => format!("ended with code {code}"),
            (None, None) => "ended".to_owned(),
        }
    }

    /// The same as a failure of this process: with the child's own words, and its own exit code where that means the
    /// same here.
    pub fn failure(&self) -> Failure {
        let exit = match self.status.code() {
            Some(2) => Exit::Usage,
            Some(5) => Exit::Storage,
            _ => Exit::Failed,
        };
        let own = self.tail.iter().rev().find_map(|line| OwnWords::read(line));
        let (said, hint) = match own {
            Some(own) => (own.error, own.hint),
            None => (self.tail.join("\n"), None),
        };
        let message = format!("the {} {}: {said}", self.name, self.how());
        Failure {
            exit,
            code: None,
            message: message.trim_end_matches([' ', ':']).to_owned(),
            hint,
            page: None,
        }
    }
}

/// What a command with `--json` says when it fails.
#[derive(Debug, serde::Deserialize)]
struct OwnWords {
    error: String,
    hint: Option<String>,
}

impl OwnWords {
    fn read(line: &str) -> Option<Self> {
        serde_json::from_str(line).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(status: i32, tail: &[&str]) -> Ended {
        let tail = tail.iter().map(|line| (*line).to_owned()).collect();
        Ended { name: "server", status: ExitStatus::from_raw(status), tail }
    }

    // O3: 2 wrong usage and 5 storage failure mean the same whoever found out.
    #[test]
    fn o3_a_childs_failure_is_told_in_its_own_words() {
        let said = r#"{"error":"the disk fails","code":null,"hint":"look at it","exit":5}"#;
        let failure = ended(5 << 8, &[r#"{"level":"info"}"#, said]).failure();
        assert_eq!((failure.exit, failure.hint.as_deref()), (Exit::Storage, Some("look at it")));
        assert_eq!(failure.message, "the server ended with code 5: the disk fails");
        assert_eq!(ended(2 << 8, &[]).failure().exit, Exit::Usage);
        assert_eq!(ended(9, &[]).failure().message, "the server was killed by signal 9");
        assert_eq!(ended(1 << 8, &["oh", "no"]).failure().message, "the server ended with code 1: oh\nno");
    }
}
