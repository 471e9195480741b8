//! What these tests need: a launcher with the stub as shim, a sink that remembers, a pipe with a name whose
//! end proves that every process that held it is dead.

use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;
use tiltyard_agent::attempt::AttemptKey;
use tiltyard_agent::executor::command::{COMMAND_KIND, CommandExecutor};
use tiltyard_agent::executor::{Assignment, Executors};
use tiltyard_agent::host::{Done, Host, HostSettings};
use tiltyard_agent::log::LogLimits;
use tiltyard_agent::process::{
    Confinement, Ended, Graces, Launcher, OutputSink, Program, Request, Run, StartError, Voice, environment,
};
use tiltyard_agent::stop::{StopSignal, Stopper, stop_pair};

/// How long a signal is awaited before the test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Short graces, long patience for the confirmation.
pub(crate) const GRACES: Graces =
    Graces { stop_ms: 300, leftover_ms: 300, orphan_ms: 300, confirm_ms: 30_000 };

pub(crate) fn stub() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_agent-stub"))
}

pub(crate) fn launcher() -> Launcher {
    Launcher::new(stub(), vec!["exec-shim".into()])
}

/// What a test does in the middle of a run.
pub(crate) type Deed = Box<dyn FnOnce() + Send>;

/// Remembers what a program said.
#[derive(Default)]
pub(crate) struct Recorder {
    pub(crate) out: Vec<u8>,
    pub(crate) err: Vec<u8>,
    /// Told once the output holds this text.
    pub(crate) awaited: Option<(&'static str, Deed)>,
}

impl Recorder {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }

    /// Does `deed` when the program has said `word`.
    pub(crate) fn when(word: &'static str, deed: impl FnOnce() + Send + 'static) -> Self {
        Self { awaited: Some((word, Box::new(deed))), ..Self::default() }
    }
}

impl OutputSink for Recorder {
    fn write(&mut self, voice: Voice, bytes: &[u8]) -> io::Result<()> {
        match voice {
            Voice::Out => self.out.extend_from_slice(bytes),
            Voice::Err => self.err.extend_from_slice(bytes),
        }
        if self.awaited.as_ref().is_some_and(|(word, _)| self.text().contains(word)) {
            let (_, deed) = self.awaited.take().expect("was just there");
            deed();
        }
        Ok(())
    }
}

pub(crate) fn argv(words: &[&str]) -> Run {
    Run::Argv(words.iter().map(|word| (*word).to_owned()).collect())
}

pub(crate) fn shell(script: &str) -> Run {
    Run::Shell(script.to_owned())
}

pub(crate) fn request(run: Run) -> (Request, Stopper) {
    let (stopper, stop) = stop_pair();
    (request_with(run, stop), stopper)
}

pub(crate) fn request_with(run: Run, stop: StopSignal) -> Request {
    let program = Program { run, env: environment::inherited(), cwd: PathBuf::from("/"), stdin: Vec::new() };
    Request { program, confinement: Confinement::default(), timeout: None, stop, graces: GRACES, lock: None }
}

/// Runs to the end with short graces.
pub(crate) async fn run(request: Request, sink: &mut Recorder) -> Result<Ended, StartError> {
    tokio::time::timeout(PATIENCE, launcher().run(request, sink)).await.expect("the run ends in time")
}

/// What came through a named pipe.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    Line(String),
    /// Every process that held the pipe is dead.
    AllGone,
}

/// A named pipe that processes hold open: `exec 3>PATH`.
pub(crate) struct Lifeline {
    pub(crate) path: PathBuf,
    folder: tempfile::TempDir,
    signs: mpsc::Receiver<Sign>,
}

impl Lifeline {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lifeline");
        let made = Command::new("mkfifo").arg(&path).status().expect("mkfifo runs");
        assert!(made.success());
        let (sender, signs) = mpsc::channel();
        let source = path.clone();
        std::thread::spawn(move || {
            let pipe = BufReader::new(std::fs::File::open(source).expect("the pipe opens"));
            for line in pipe.lines() {
                sender.send(Sign::Line(line.expect("is text"))).ok();
            }
            sender.send(Sign::AllGone).ok();
        });
        Self { path, folder, signs }
    }

    /// A folder for whatever else the test needs.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn line(&self) -> String {
        match self.signs.recv_timeout(PATIENCE) {
            Ok(Sign::Line(line)) => line,
            other => panic!("expected a line, got {other:?}"),
        }
    }

    /// Waits for the death of all holders; lines before it are skipped.
    pub(crate) fn all_gone(&self) {
        loop {
            match self.signs.recv_timeout(PATIENCE) {
                Ok(Sign::AllGone) => return,
                Ok(Sign::Line(_)) => {}
                Err(error) => panic!("something is still alive: {error}"),
            }
        }
    }
}

/// A stub agent that runs `script`.
pub(crate) fn agent(lock: &Path, hide: &Path, script: &str, env: &[(&str, &str)]) -> Child {
    let mut command = Command::new(stub());
    command.arg("hold").args([lock, hide]).arg(script).envs(env.iter().copied());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("the stub starts")
}

/// What a test's host is given beside its folder.
pub(crate) struct HostRig {
    pub(crate) slots: usize,
    pub(crate) log_limits: LogLimits,
    pub(crate) executors: Executors,
}

impl Default for HostRig {
    fn default() -> Self {
        let executors = Executors::default().with(COMMAND_KIND, CommandExecutor::default());
        Self { slots: 2, log_limits: LogLimits::default(), executors }
    }
}

/// A host in `folder` that hides `folder`/config.
pub(crate) fn host(folder: &Path, rig: HostRig) -> Arc<Host> {
    let settings = HostSettings {
        seal: tiltyard_agent::outbox::SealKey::default(),
        folder: folder.join("agent"),
        slots: rig.slots,
        launcher: launcher(),
        hide: vec![folder.join("config")],
        user: None,
        graces: GRACES,
        log_limits: rig.log_limits,
        executors: rig.executors,
    };
    let (host, damage) = Host::open(settings).expect("opens");
    assert_eq!(damage, []);
    host
}

/// An attempt at a command.
pub(crate) fn command(task: &str, payload: &serde_json::Value) -> Assignment {
    Assignment {
        key: AttemptKey::new(task, 1).expect("is a key"),
        kind: COMMAND_KIND.to_owned(),
        title: "A command".to_owned(),
        payload: serde_json::value::to_raw_value(payload).expect("is JSON"),
        timeout: None,
    }
}

/// Carries an attempt out and returns how it ended, and its whole log.
pub(crate) async fn carry_out(host: &Arc<Host>, assignment: Assignment) -> (Done, String) {
    let mut running = host.accept(assignment).await.expect("takes it");
    let mut text = String::new();
    while let Some(chunk) = running.log.next().await.expect("reads") {
        assert_eq!(chunk.offset, text.len() as u64);
        text.push_str(&chunk.text);
    }
    let done =
        tokio::time::timeout(PATIENCE, running.done).await.expect("ends in time").expect("does not break");
    (done, text)
}
