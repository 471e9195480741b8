//! One attempt from its start to its outcome in the outbox.

use super::{Done, Host, Keeping};
use crate::executor::{Assignment, Executor, Job, Performed, Surroundings};
use crate::log::{LogSummary, LogWriter};
use crate::outbox::OutboxError;
use crate::outcome::{Outcome, Verdict};
use crate::process::Stop;
use crate::progress::Reporter;
use crate::slots::Seat;
use crate::stop::StopSignal;
use crate::workspace::AttemptFolder;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How often an outcome is offered to a disk that refuses it.
const MAX_PUT_TRIES: u32 = 10;
/// Pause between two offers in milliseconds.
const PUT_PAUSE_MS: u64 = 1_000;

/// All that one attempt needs.
pub(super) struct Attempt {
    pub(super) assignment: Assignment,
    pub(super) executor: Arc<dyn Executor>,
    pub(super) surroundings: Surroundings,
    pub(super) folder: AttemptFolder,
    pub(super) writer: LogWriter,
    pub(super) reporter: Reporter,
}

/// Carries an attempt out. Its slot is free when this returns, and not before its outcome is kept.
pub(super) async fn carry_out(host: Arc<Host>, attempt: Attempt, seat: Seat) -> Done {
    let key = seat.key().clone();
    // A task of its own: should an executor panic, the attempt has failed and the agent goes on.
    let performed = tokio::spawn(perform(attempt, seat.signal())).await;
    let (performed, log) =
        performed.unwrap_or_else(|error| (broken(&error), Err(io::Error::other("not finished"))));
    let outcome = performed.verdict.map(|verdict| Outcome { key: key.clone(), verdict });
    let keeping = match &outcome {
        Some(outcome) => keep(&host, outcome).await,
        None => Keeping::Nothing,
    };
    match outcome {
        Some(_) => seat.finish(),
        None => drop(seat),
    }
    Done { key, outcome, keeping, stop: performed.stop, log }
}

async fn perform(mut attempt: Attempt, stop: StopSignal) -> (Performed, io::Result<LogSummary>) {
    let job = Job {
        assignment: &attempt.assignment,
        surroundings: &attempt.surroundings,
        folder: &attempt.folder,
        log: &mut attempt.writer,
        progress: attempt.reporter,
        stop,
        deadline: attempt.assignment.timeout.map(|timeout| Instant::now() + timeout),
    };
    let performed = attempt.executor.execute(job).await;
    (performed, attempt.writer.finish())
}

fn broken(error: &tokio::task::JoinError) -> Performed {
    let verdict =
        Verdict::failed(format!("the agent's own code broke while it did this: {error}. Please report it"));
    // What was started is being ended by its shim, unseen.
    Performed { verdict: Some(verdict), stop: Stop::Unconfirmed { pids: Vec::new() } }
}

/// Puts an outcome into the outbox. A full disk may have room in a moment; after that the outcome is told from
/// memory, which is more than to tell nothing.
async fn keep(host: &Arc<Host>, outcome: &Outcome) -> Keeping {
    let mut tries = 1;
    loop {
        let (place, copy) = (Arc::clone(host), outcome.clone());
        let put = tokio::task::spawn_blocking(move || place.outbox.put(&copy)).await;
        match put {
            Ok(Ok(())) => return Keeping::OnDisk,
            Ok(Err(error @ OutboxError::Disk { .. })) if tries < MAX_PUT_TRIES => {
                tracing::warn!(target: "agent", attempt = %outcome.key, %error, tries, "the outbox refuses an outcome");
            }
            Ok(Err(error)) => return Keeping::InMemory(error),
            // The runtime ends: there is nobody left to wait.
            Err(_) => return Keeping::InMemory(OutboxError::Full),
        }
        tries += 1;
        tokio::time::sleep(Duration::from_millis(PUT_PAUSE_MS)).await;
    }
}
