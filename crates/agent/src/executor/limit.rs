//! What may end a job from outside, for work that is no program: git's, and transfers.

use super::{Job, Performed};
use crate::git::command::Ending;
use crate::outcome::Verdict;
use crate::process::Stop;
use crate::stop::{StopReason, StopSignal};
use std::future::Future;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Why a job ends before its work has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    /// It was told to.
    Stopped(StopReason),
    /// Its time is up.
    Late,
}

/// What may end a job.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    stop: StopSignal,
    deadline: Option<Instant>,
    timeout: Option<Duration>,
    /// Whether a program runs, which ends by itself when the job is over, and says how.
    running: watch::Receiver<bool>,
}

/// Says whether a program of the job runs.
#[derive(Debug)]
pub(super) struct Occupied(watch::Sender<bool>);

impl Occupied {
    pub(super) fn set(&self, running: bool) {
        self.0.send_replace(running);
    }
}

impl Limits {
    /// The limits of a job, and what tells them that a program runs.
    pub(super) fn of(job: &Job<'_>) -> (Self, Occupied) {
        let (sender, running) = watch::channel(false);
        let Job { stop, deadline, assignment, .. } = job;
        let limits = Self { stop: stop.clone(), deadline: *deadline, timeout: assignment.timeout, running };
        (limits, Occupied(sender))
    }

    /// The same for a little longer: the time of the job itself is up.
    pub(super) fn prolonged(self, by: Duration) -> Self {
        Self { deadline: Some(Instant::now() + by), ..self }
    }

    /// Does `work`, unless the job is over first: then the work is dropped, once no program of it runs any more.
    ///
    /// # Errors
    /// What to perform when the job is over.
    pub(super) async fn hold<T>(&self, work: impl Future<Output = T>) -> Result<T, Performed> {
        let ending = Ending::default();
        let mut work = Box::pin(ending.scope(work));
        let over = tokio::select! {
            biased;
            done = &mut work => return Ok(done),
            over = self.over() => over,
        };
        let mut running = self.running.clone();
        tokio::select! {
            biased;
            // A program that is being ended is waited for; whoever does the work hears of it.
            _ = async { running.wait_for(|running| !*running).await.is_ok() } => {}
            _ = &mut work => {}
        }
        drop(work);
        // Gits of it are ended now, which may be in the middle of a push.
        let pids = ending.all_ended().await;
        let stop = if pids.is_empty() { Stop::Confirmed } else { Stop::Unconfirmed { pids } };
        Err(Performed { verdict: self.verdict(over), stop })
    }

    /// Whether the job is over already.
    pub(super) fn is_over(&self) -> Option<Over> {
        let late = self.deadline.is_some_and(|deadline| deadline <= Instant::now());
        self.stop.wish().map(Over::Stopped).or(late.then_some(Over::Late))
    }

    async fn over(&self) -> Over {
        let mut stop = self.stop.clone();
        let late = async {
            match self.deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            reason = stop.stopped() => Over::Stopped(reason),
            () = late => Over::Late,
        }
    }

    /// What is told of a job that is over.
    pub(super) fn verdict(&self, over: Over) -> Option<Verdict> {
        match over {
            Over::Stopped(StopReason::Cancelled | StopReason::Dropped) => None,
            Over::Stopped(StopReason::ShuttingDown) => Some(Verdict::Released),
            Over::Late => Some(Verdict::TimedOut { error: too_late(self.timeout) }),
        }
    }
}

/// What is told of an attempt that took longer than it may.
pub(super) fn too_late(timeout: Option<Duration>) -> String {
    let limit = timeout.unwrap_or_default().as_millis();
    format!("it took longer than the {limit} ms that the task allows an attempt (timeout_ms)")
}
