//! Tells one attempt's story on one connection: its log, and then how it ended.

use super::lane::{Ended, Lanes};
use super::roster::{End, Fate, Roster, Work};
use super::said;
use crate::log::{Chunk, LogReader, ResumeError};
use crate::process::Stop;
use std::sync::Arc;
use std::time::Duration;
use tiltyard_client::{Client, Error, Request};
use tiltyard_wire::endpoint::call;
use tiltyard_wire::frame::{FromAgent, LogChunk, Progress};
use tiltyard_wire::task::work;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep, sleep_until};

/// Outcomes of the past that are told at the same time.
pub(super) const MAX_BACKLOG_AT_ONCE: usize = 64;
/// How often an outcome whose lease is lost is told on one connection without an answer; then it is forgotten.
const MAX_UNWANTED_ROUNDS: u32 = 20;
/// Least time between two words of progress.
const PROGRESS_PAUSE: Duration = Duration::from_secs(1);
/// Least time between two questions how much of a log has arrived.
const RESYNC_PAUSE: Duration = Duration::from_secs(1);
/// A letter has at most four bytes.
const MAX_LETTER_BYTES: u64 = 4;

/// Tells one attempt's story on one connection.
#[derive(Debug)]
pub(super) struct Feeder {
    pub(super) work: Arc<Work>,
    pub(super) roster: Arc<Roster>,
    pub(super) lanes: Lanes,
    pub(super) client: Client,
    /// How long an outcome waits for its answer.
    pub(super) resettle: Duration,
    /// Bounds how much of the past is told at once.
    pub(super) backlog: Arc<Semaphore>,
    /// Counts the frames that the server did not take; a log frame may be among them.
    pub(super) refusals: watch::Receiver<u64>,
    /// Counts the times when what may not have been taken is said again.
    pub(super) again: watch::Receiver<u64>,
}

/// Why a log is not read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pumped {
    /// All of it was sent.
    Whole,
    /// The server wants no more of it, or there is no more to be had.
    Enough,
    /// Part of it may not have been taken: ask, and go on from there.
    Doubtful,
}

impl Feeder {
    /// Goes on until the attempt is over or the connection has ended; then the next connection goes on.
    pub(super) async fn run(mut self) {
        // An ended connection is told by whoever reads it.
        let _ = self.tell().await;
    }

    async fn tell(&mut self) -> Result<(), Ended> {
        if self.work.fate() == Fate::Over {
            return Ok(());
        }
        let backlog = Arc::clone(&self.backlog);
        let _turn = match self.work.has_ended() {
            // Only a closed semaphore fails, and nobody closes it.
            true => backlog.acquire().await.ok(),
            false => None,
        };
        self.log().await?;
        let end = self.work.ended().await;
        self.work.close_log();
        match end {
            End::Told(outcome) => {
                self.settle(FromAgent::Settle(said::settle(self.work.lease, &outcome))).await
            }
            End::Quiet(Stop::Confirmed) => {
                self.lanes.orderly(FromAgent::Stopped(self.work.lease)).await?;
                self.roster.stopped(&self.work).await;
                Ok(())
            }
            // Not promised: the server says so itself after a while (D4).
            End::Quiet(Stop::Unconfirmed { .. }) => {
                self.roster.abandon(&self.work);
                Ok(())
            }
        }
    }

    /// Tells an outcome until it is answered (C3).
    async fn settle(&mut self, frame: FromAgent) -> Result<(), Ended> {
        let mut fates = self.work.fates();
        let mut rounds = 0;
        loop {
            self.again.mark_unchanged();
            self.lanes.orderly(frame.clone()).await?;
            tokio::select! {
                () = until(&mut fates, |fate| fate == Fate::Over) => return Ok(()),
                () = sleep(self.resettle) => {}
                Ok(()) = self.again.changed() => continue,
            }
            rounds += 1;
            if self.work.fate() == Fate::Unwanted && rounds >= MAX_UNWANTED_ROUNDS {
                // `drop` allowed to forget it; it was told again so that the refusal is on record.
                self.roster.over(&self.work).await;
                return Ok(());
            }
        }
    }

    async fn log(&mut self) -> Result<(), Ended> {
        let work = Arc::clone(&self.work);
        let mut log = work.log.lock().await;
        let mut known = !work.begin_to_send();
        while work.fate() == Fate::Wanted {
            self.refusals.mark_unchanged();
            let reader = match log.reader(self.roster.host(), &work.key) {
                Ok(Some(reader)) => reader,
                Ok(None) => return Ok(()),
                Err(error) => {
                    unreadable(&work, &error);
                    return Ok(());
                }
            };
            if !known && !self.resume(reader).await {
                return Ok(());
            }
            match self.pump(reader).await? {
                Pumped::Whole | Pumped::Enough => return Ok(()),
                Pumped::Doubtful => sleep(RESYNC_PAUSE).await,
            }
            known = false;
        }
        Ok(())
    }

    /// Goes to where the server's part ends; false when it wants no more.
    async fn resume(&self, reader: &mut LogReader) -> bool {
        let arrived = match self.arrived().await {
            Ok(offset) => offset,
            Err(Error::Refused(refused)) if matches!(refused.status, 404 | 409) => return false,
            Err(error) => {
                // From the beginning is always right: the server drops what it has.
                tracing::debug!(target: "agent", attempt = %self.work.key, %error, "the log is sent from its beginning");
                0
            }
        };
        // What the server has may end in the middle of a letter only if somebody else wrote there too.
        let mut tries = (arrived.saturating_sub(MAX_LETTER_BYTES - 1)..=arrived).rev();
        let resumed = tries.find_map(|offset| match reader.resume(offset) {
            Err(ResumeError::InsideLetter(_)) => None,
            answer => Some(answer),
        });
        match resumed {
            Some(Err(error)) => {
                unreadable(&self.work, &error);
                false
            }
            _ => true,
        }
    }

    /// How many bytes of the log the server has: nothing, added at the beginning, is answered with that.
    async fn arrived(&self) -> Result<u64, Error> {
        let work::Lease { id, generation } = self.work.lease;
        let body = work::Log { generation, offset: 0, text: String::new() };
        let request = Request::<call::TaskLogAppend>::new().place(id).body(body).repeatable();
        Ok(self.client.call(request).await?.offset)
    }

    async fn pump(&mut self, reader: &mut LogReader) -> Result<Pumped, Ended> {
        let (mut fates, mut progress) = (self.work.fates(), self.work.progress.clone());
        let (mut speaks, mut next_word) = (true, Instant::now());
        loop {
            tokio::select! {
                biased;
                () = until(&mut fates, |fate| fate != Fate::Wanted) => return Ok(Pumped::Enough),
                Ok(()) = self.refusals.changed() => return Ok(Pumped::Doubtful),
                word = async { sleep_until(next_word).await; progress.changed().await }, if speaks => {
                    speaks = word.is_ok();
                    next_word = Instant::now() + PROGRESS_PAUSE;
                    self.say(&progress.borrow_and_update().clone())?;
                }
                chunk = reader.next() => match chunk {
                    Ok(Some(chunk)) => self.send(chunk).await?,
                    Ok(None) => return Ok(Pumped::Whole),
                    Err(error) => {
                        unreadable(&self.work, &error);
                        return Ok(Pumped::Enough);
                    }
                },
            }
        }
    }

    async fn send(&self, chunk: Chunk) -> Result<(), Ended> {
        let work::Lease { id, generation } = self.work.lease;
        let Chunk { offset, text } = chunk;
        self.lanes.orderly(FromAgent::Log(LogChunk { id, generation, offset, text })).await
    }

    fn say(&self, progress: &crate::progress::Progress) -> Result<(), Ended> {
        let work::Lease { id, generation } = self.work.lease;
        let crate::progress::Progress { fraction, message } = progress.clone();
        self.lanes.urgent(FromAgent::Progress(Progress { id, generation, progress: fraction, message }))
    }
}

/// Waits for a fate.
async fn until(fates: &mut watch::Receiver<Fate>, wanted: impl Fn(Fate) -> bool) {
    // The sender lives as long as the attempt, which the caller holds.
    let _ = fates.wait_for(|fate| wanted(*fate)).await;
}

fn unreadable(work: &Work, error: &dyn std::error::Error) {
    tracing::warn!(target: "agent", attempt = %work.key, error = %error, "the rest of a log is not sent");
}
