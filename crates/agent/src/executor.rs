//! What does the work of an attempt: one executor a kind of task.

mod answer;
pub mod change;
mod checker;
pub mod command;
pub mod git_check;
pub mod git_clean;
pub mod git_merge;
pub mod git_probe;
mod limit;
mod result;
mod run;
mod speech;
pub mod workshop;

pub use run::{Hearer, Manner, ProgramRun};
pub use speech::Speech;
pub use workshop::Workshop;

use crate::attempt::AttemptKey;
use crate::log::LogWriter;
use crate::outcome::Verdict;
use crate::process::{Graces, Launcher, RunAs, Stop};
use crate::progress::Reporter;
use crate::stop::StopSignal;
use crate::workspace::AttemptFolder;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// One assigned attempt.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// Which.
    pub key: AttemptKey,
    /// The kind of its task; names its executor.
    pub kind: String,
    /// The task's one line for people.
    pub title: String,
    /// What the executor is told, as JSON.
    pub payload: Box<RawValue>,
    /// The longest it may take (`timeout_ms`); `None` for as long as it likes.
    pub timeout: Option<Duration>,
}

/// What programs of this agent run with and without.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// Starts them.
    pub launcher: Launcher,
    /// Folders hidden from them (C6).
    pub hide: Vec<PathBuf>,
    /// The user they run as, if another (C6).
    pub user: Option<RunAs>,
    /// How long their ends may take.
    pub graces: Graces,
}

/// An attempt in the hands of its executor.
#[derive(Debug)]
pub struct Job<'a> {
    /// What is to be done.
    pub assignment: &'a Assignment,
    /// How programs are run.
    pub surroundings: &'a Surroundings,
    /// The attempt's own folder.
    pub folder: &'a AttemptFolder,
    /// The attempt's log.
    pub log: &'a mut LogWriter,
    /// Takes word of how far it is.
    pub progress: Reporter,
    /// Says when to stop.
    pub stop: StopSignal,
    /// When the time is up.
    pub deadline: Option<Instant>,
}

impl Job<'_> {
    /// How much of its time is left; `None` when it has no limit.
    pub fn time_left(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }
}

/// What came of a job.
#[derive(Debug)]
pub struct Performed {
    /// What the server is told; `None` when it does not want to know: cancelled, or dropped.
    pub verdict: Option<Verdict>,
    /// Whether all that was started has ended.
    pub stop: Stop,
}

impl Performed {
    /// A verdict without anything left to stop.
    pub fn told(verdict: Verdict) -> Self {
        Self { verdict: Some(verdict), stop: Stop::Confirmed }
    }
}

/// What an executor promises.
pub type Performing<'a> = Pin<Box<dyn Future<Output = Performed> + Send + 'a>>;

/// Does tasks of one kind.
pub trait Executor: Send + Sync {
    /// Does one job. It listens to [`Job::stop`] and [`Job::deadline`]; what it is told in the payload is from
    /// outside and may be anything.
    fn execute<'a>(&'a self, job: Job<'a>) -> Performing<'a>;
}

/// The executors of one agent, by kind.
#[derive(Clone, Default)]
pub struct Executors(BTreeMap<String, Arc<dyn Executor>>);

impl Executors {
    /// With another executor for `kind`; the last one for a kind counts.
    #[must_use]
    pub fn with(mut self, kind: &str, executor: impl Executor + 'static) -> Self {
        self.0.insert(kind.to_owned(), Arc::new(executor));
        self
    }

    /// The executor of `kind`.
    pub fn find(&self, kind: &str) -> Option<Arc<dyn Executor>> {
        self.0.get(kind).cloned()
    }

    /// The kinds that this agent knows.
    pub fn kinds(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }
}

impl fmt::Debug for Executors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
