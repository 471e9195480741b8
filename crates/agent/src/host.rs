//! This machine as a place for work: takes attempts, runs each with its executor, keeps outcomes until they are
//! settled. Knows no server: whoever speaks to one calls this and hands on what it says.

mod attempt;
mod recover;

pub use recover::Recovered;

use crate::attempt::AttemptKey;
use crate::executor::{Assignment, Executors, Surroundings};
use crate::log::{self, LogLimits, LogReader, LogSummary};
use crate::outbox::{Damage, Outbox, OutboxError, SealKey};
use crate::outcome::Outcome;
use crate::process::{Graces, Launcher, RunAs, Stop};
use crate::progress::{Progress, progress_pair};
use crate::slots::{SlotRefusal, Slots};
use crate::workspace::{Workspace, WorkspaceError};
use parking_lot::Mutex;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What a host is made of.
#[derive(Debug)]
pub struct HostSettings {
    /// The agent's own folder; `work` and `outbox` are made in it.
    pub folder: PathBuf,
    /// How many attempts run at once.
    pub slots: usize,
    /// Starts programs.
    pub launcher: Launcher,
    /// Folders hidden from programs: the data and the configuration of server and agent.
    pub hide: Vec<PathBuf>,
    /// The user programs run as, if another.
    pub user: Option<RunAs>,
    /// How long the ends of programs may take.
    pub graces: Graces,
    /// What outcomes on disk are sealed with.
    pub seal: SealKey,
    /// How much of a log is kept.
    pub log_limits: LogLimits,
    /// Who does what.
    pub executors: Executors,
}

/// Why there is no host.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// No work folder.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// No outbox.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
}

/// Why an attempt was not taken. It goes back, and does not count.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// No slot for it.
    #[error(transparent)]
    Slot(#[from] SlotRefusal),
    /// Nobody here knows how to do it.
    #[error("this agent does no tasks of the kind `{kind}`: it knows {known}")]
    UnknownKind {
        /// What was asked for.
        kind: String,
        /// What could be.
        known: String,
    },
    /// Its outcome could not be kept.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// Its folder or its log cannot be made.
    #[error("cannot prepare the folder of the attempt: {0}")]
    Folder(#[from] io::Error),
}

/// An attempt that runs.
#[derive(Debug)]
pub struct Running {
    /// Its log, to be handed on; ends when the attempt has.
    pub log: LogReader,
    /// How far it is.
    pub progress: watch::Receiver<Progress>,
    /// How it ended. Dropping this ends nothing.
    pub done: JoinHandle<Done>,
}

/// An attempt that has ended. It is held until [`Host::settled`] is called for it.
#[derive(Debug)]
pub struct Done {
    /// Which.
    pub key: AttemptKey,
    /// What to tell; `None` when the server does not want to know (cancelled, dropped).
    pub outcome: Option<Outcome>,
    /// Whether the outcome is in the outbox. It is told all the same when the disk would not take it.
    pub keeping: Keeping,
    /// Whether all that was started has ended.
    pub stop: Stop,
    /// What became of its log.
    pub log: io::Result<LogSummary>,
}

/// Where an outcome is while it waits.
#[derive(Debug)]
pub enum Keeping {
    /// On disk.
    OnDisk,
    /// Only in memory: the disk refused it, for this reason, as often as it was tried.
    InMemory(OutboxError),
    /// There is none.
    Nothing,
}

/// One machine's place for work.
#[derive(Debug)]
pub struct Host {
    workspace: Workspace,
    outbox: Outbox,
    slots: Slots,
    executors: Executors,
    log_limits: LogLimits,
    /// From TERM to KILL at most, in milliseconds, as the settings of this machine say.
    most_stop_ms: u64,
    surroundings: Mutex<Surroundings>,
}

impl Host {
    /// Opens the agent's folder. Call [`Host::recover`] before anything else.
    ///
    /// # Errors
    /// [`HostError`] when work folder or outbox cannot be had.
    pub fn open(settings: HostSettings) -> Result<(Arc<Self>, Vec<Damage>), HostError> {
        let HostSettings { folder, slots, launcher, mut hide, user, graces, seal, log_limits, executors } =
            settings;
        let workspace = Workspace::open(&folder.join("work"))?;
        let outbox_folder = folder.join("outbox");
        let (outbox, damage) = Outbox::open(&outbox_folder, seal)?;
        // Programs can read neither each other's folders nor mirrors nor what is told about them. Where only Landlock
        // hides them, names can be listed and files made and removed there (docs/guide/security.md).
        hide.extend([workspace.root().to_owned(), outbox_folder, folder]);
        let (slots, most_stop_ms) = (Slots::new(slots), graces.stop_ms);
        let surroundings = Mutex::new(Surroundings { launcher, hide, user, graces });
        let host = Self { workspace, outbox, slots, executors, log_limits, most_stop_ms, surroundings };
        Ok((Arc::new(host), damage))
    }

    /// The slots: what is held, stopping, draining.
    pub fn slots(&self) -> &Slots {
        &self.slots
    }

    /// Outcomes that wait to be settled, to be told again after each connection.
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// The kinds of tasks that can be done here.
    pub fn kinds(&self) -> Vec<String> {
        self.executors.kinds()
    }

    /// From now on programs have this long between TERM and KILL, in milliseconds; never longer than the settings of
    /// this machine say.
    pub fn set_stop_grace_ms(&self, stop_ms: u64) {
        self.surroundings.lock().graces.stop_ms = stop_ms.min(self.most_stop_ms);
    }

    /// Takes an attempt and starts it.
    ///
    /// # Errors
    /// [`AcceptError`]; then nothing was started.
    pub async fn accept(self: &Arc<Self>, assignment: Assignment) -> Result<Running, AcceptError> {
        let executor = self.executors.find(&assignment.kind).ok_or_else(|| AcceptError::UnknownKind {
            kind: assignment.kind.escape_debug().take(64).collect(),
            known: self.executors.kinds().join(", "),
        })?;
        if self.outbox.room() <= self.slots.limit() {
            return Err(OutboxError::Full.into());
        }
        let seat = self.slots.take(&assignment.key)?;
        let host = Arc::clone(self);
        // A big folder of the same name may have to go first.
        let made = tokio::task::spawn_blocking(move || {
            let folder = host.workspace.create(seat.key())?;
            let user = host.surroundings.lock().user;
            user.map(|user| folder.give_to(user)).transpose()?;
            let (writer, reader) = log::begin(folder.path(), host.log_limits)?;
            Ok::<_, io::Error>((seat, folder, writer, reader))
        });
        let (seat, folder, writer, reader) = made.await.map_err(io::Error::other)??;
        let surroundings = self.surroundings.lock().clone();
        let (reporter, progress) = progress_pair();
        let attempt = attempt::Attempt { assignment, executor, surroundings, folder, writer, reporter };
        let done = tokio::spawn(attempt::carry_out(Arc::clone(self), attempt, seat));
        Ok(Running { log: reader, progress, done })
    }

    /// The log of an attempt that has ended, also of one that an earlier process ended.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn log_of(&self, key: &AttemptKey) -> io::Result<Option<LogReader>> {
        log::reopen(self.workspace.folder(key).path())
    }

    /// Whether something of an attempt may still be alive, though it is not held: an earlier process of this agent
    /// started it, and its shim has not let go.
    pub fn may_be_alive(&self, key: &AttemptKey) -> bool {
        self.workspace.folder(key).is_alive()
    }

    /// Forgets an attempt that has ended: the server has taken its outcome, refused it for good, or does not want
    /// it. Its folder goes, with its log: send that first. One that still runs is not forgotten.
    ///
    /// # Errors
    /// When something stays on disk: an outcome (it is told again, which is harmless) or a folder (it goes at the
    /// next start).
    pub async fn settled(self: &Arc<Self>, key: &AttemptKey) -> Result<(), HostError> {
        let (host, key) = (Arc::clone(self), key.clone());
        let forgotten = tokio::task::spawn_blocking(move || host.forget(&key));
        forgotten.await.unwrap_or_else(|error| Err(self.unusable(io::Error::other(error))))
    }

    fn forget(&self, key: &AttemptKey) -> Result<(), HostError> {
        self.slots.forget(key);
        if self.slots.held().iter().any(|held| held.key == *key) {
            return Ok(());
        }
        self.outbox.remove(key)?;
        self.workspace.folder(key).remove().map_err(|source| self.unusable(source))
    }

    fn unusable(&self, source: io::Error) -> HostError {
        WorkspaceError::Unusable { path: self.workspace.root().to_owned(), source }.into()
    }
}
