//! One attempt between its begin and the server's last word about it.

use crate::attempt::AttemptKey;
use crate::host::{Done, Host, Keeping};
use crate::log::LogReader;
use crate::outcome::Outcome;
use crate::process::Stop;
use crate::progress::Progress;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tiltyard_wire::task::work::Lease;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;

/// How an attempt ended.
#[derive(Debug, Clone)]
pub(in crate::session) enum End {
    /// With an outcome, which is to be told.
    Told(Outcome),
    /// The server wanted no outcome.
    Quiet(Stop),
}

/// What the server thinks of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::session) enum Fate {
    /// Its lease lives, as far as is known.
    Wanted,
    /// Cancelled, or its lease is lost: its log is of no use any more.
    Unwanted,
    /// It is over.
    Over,
}

/// One attempt.
#[derive(Debug)]
pub(in crate::session) struct Work {
    pub(in crate::session) key: AttemptKey,
    pub(in crate::session) lease: Lease,
    /// Held by whoever sends it; one at a time.
    pub(in crate::session) log: Mutex<Log>,
    pub(in crate::session) progress: watch::Receiver<Progress>,
    end: watch::Receiver<Option<End>>,
    fate: watch::Sender<Fate>,
    /// Whether part of its log may have been sent.
    begun_to_send: AtomicBool,
}

/// Where a log is read.
#[derive(Debug)]
pub(in crate::session) enum Log {
    /// From the program that writes it.
    Live(LogReader),
    /// From disk: its program has ended.
    OnDisk,
}

impl Work {
    pub(super) fn begun(
        lease: Lease,
        key: AttemptKey,
        log: LogReader,
        progress: watch::Receiver<Progress>,
    ) -> (Arc<Self>, watch::Sender<Option<End>>) {
        let (sender, end) = watch::channel(None);
        (Self::make(lease, key, Log::Live(log), progress, end), sender)
    }

    /// An outcome that an earlier process has kept.
    pub(super) fn recovered(lease: Lease, outcome: Outcome) -> Arc<Self> {
        let (key, (_, progress)) = (outcome.key.clone(), watch::channel(Progress::default()));
        let (_, end) = watch::channel(Some(End::Told(outcome)));
        let work = Self::make(lease, key, Log::OnDisk, progress, end);
        work.begun_to_send.store(true, Ordering::Relaxed);
        work
    }

    fn make(
        lease: Lease,
        key: AttemptKey,
        log: Log,
        progress: watch::Receiver<Progress>,
        end: watch::Receiver<Option<End>>,
    ) -> Arc<Self> {
        let (fate, _) = watch::channel(Fate::Wanted);
        let begun_to_send = AtomicBool::new(false);
        Arc::new(Self { key, lease, log: Mutex::new(log), progress, end, fate, begun_to_send })
    }

    /// Says that its log is about to be sent; true when part of it may have been before.
    pub(in crate::session) fn begin_to_send(&self) -> bool {
        self.begun_to_send.swap(true, Ordering::Relaxed)
    }

    pub(in crate::session) fn has_ended(&self) -> bool {
        self.end.borrow().is_some()
    }

    /// Waits for its end. One whose end nobody can tell any more counts as not known to have stopped.
    pub(in crate::session) async fn ended(&self) -> End {
        let mut end = self.end.clone();
        let told = end.wait_for(Option::is_some).await.ok().and_then(|end| end.clone());
        told.unwrap_or(End::Quiet(Stop::Unconfirmed { pids: Vec::new() }))
    }

    pub(in crate::session) fn fate(&self) -> Fate {
        *self.fate.borrow()
    }

    /// Hears of its fate.
    pub(in crate::session) fn fates(&self) -> watch::Receiver<Fate> {
        self.fate.subscribe()
    }

    /// Its lease is gone.
    pub(super) fn give_up(&self) {
        self.fate.send_if_modified(|fate| {
            let wanted = *fate == Fate::Wanted;
            if wanted {
                *fate = Fate::Unwanted;
            }
            wanted
        });
    }

    /// It is over.
    pub(super) fn settle(&self) {
        self.fate.send_replace(Fate::Over);
    }

    /// Lets go of the log of an attempt that has ended, unless somebody reads it.
    pub(in crate::session) fn close_log(&self) {
        if self.has_ended() {
            // One that is being read is closed by its reader.
            if let Ok(mut log) = self.log.try_lock() {
                *log = Log::OnDisk;
            }
        }
    }
}

impl Log {
    /// The reader, opened when it is not; `None` when there is no log.
    pub(in crate::session) fn reader(
        &mut self,
        host: &Host,
        key: &AttemptKey,
    ) -> io::Result<Option<&mut LogReader>> {
        if matches!(self, Self::OnDisk) {
            match host.log_of(key)? {
                Some(reader) => *self = Self::Live(reader),
                None => return Ok(None),
            }
        }
        match self {
            Self::Live(reader) => Ok(Some(reader)),
            Self::OnDisk => Ok(None),
        }
    }
}

/// Waits for the end of an attempt and makes it known.
pub(super) async fn watch_over(work: Arc<Work>, done: JoinHandle<Done>, end: watch::Sender<Option<End>>) {
    let told = match done.await {
        Ok(done) => told(done),
        Err(error) => {
            tracing::error!(target: "agent", attempt = %work.key, %error, "an attempt ended in a way that is not known");
            End::Quiet(Stop::Unconfirmed { pids: Vec::new() })
        }
    };
    end.send_replace(Some(told));
    work.close_log();
}

fn told(done: Done) -> End {
    let Done { key, outcome, keeping, stop, log } = done;
    if let Keeping::InMemory(error) = keeping {
        tracing::error!(target: "agent", attempt = %key, %error, "the outcome is in memory only: should this process be killed before the server takes it, the attempt is lost");
    }
    if let Err(error) = log {
        tracing::warn!(target: "agent", attempt = %key, %error, "the log of an attempt is not whole");
    }
    outcome.map_or(End::Quiet(stop), End::Told)
}
