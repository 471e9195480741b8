//! Removes stored bytes that no row names (D21): those of a task that is gone for good (D10), at once; those of an upload, or
//! of a removal, that the server did not survive, when their turn comes: one part of 256 at a time.

use super::{Ran, Run, Service, Whose};
use crate::Engine;
use crate::act::{Effect, refusal_of};
use crate::artifact::{sweep, unnamed};
use crate::door::MAX_WAITING_EFFECTS;
use crate::task::log;
use parking_lot::Mutex;
use std::time::Duration;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_model::time::{DurationMs, MINUTE_MS, SECOND_MS};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;

/// Most files of one part that are looked at in one run.
const MAX_LOOKED_AT: usize = 10_000;
/// So many parts there are.
const PARTS: u32 = 256;

/// The service.
#[derive(Default)]
pub(super) struct Sweep {
    effects: Mutex<Option<Receiver<Effect>>>,
    round: Mutex<Round>,
}

/// Which part is next.
#[derive(Default)]
struct Round {
    looked_at: u32,
    /// On the steady clock.
    due: DurationMs,
}

impl Round {
    /// The part whose turn it is. What a dead server left is found within minutes of the start; after that a look is cheap
    /// insurance.
    fn part(&mut self, now: DurationMs) -> Option<u8> {
        if now < self.due {
            return None;
        }
        let part = self.looked_at % PARTS;
        self.looked_at = self.looked_at.saturating_add(1);
        self.due = now + if self.looked_at < PARTS { SECOND_MS } else { MINUTE_MS };
        u8::try_from(part).ok()
    }
}

impl Service for Sweep {
    fn name(&self) -> &'static str {
        "sweep"
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(1)
    }

    /// Bytes that only this server sees are its own affair; who removes shared ones is asked before.
    fn whose(&self) -> Whose {
        Whose::Everybody
    }

    fn run_once<'a>(&'a self, engine: &'a Engine) -> Run<'a> {
        Box::pin(async {
            let (tasks, digests) = self.gone(engine);
            if !engine.may_remove_bytes().await? {
                return Ok(Ran::Done);
            }
            if !tasks.is_empty() {
                log::sweep(engine, tasks).await?;
            }
            for sha256 in digests {
                sweep(engine, &sha256).await?;
            }
            let part = self.round.lock().part(engine.clock().now().steady);
            if let Some(part) = part {
                look_around(engine, part).await?;
            }
            Ok(Ran::Done)
        })
    }
}

impl Sweep {
    /// What has gone since the last look. What was passed over is found by looking around.
    fn gone(&self, engine: &Engine) -> (Vec<i64>, Vec<String>) {
        let mut own = self.effects.lock();
        let effects = own.get_or_insert_with(|| engine.door().effects());
        let (mut tasks, mut all) = (Vec::new(), Vec::new());
        for _ in 0..MAX_WAITING_EFFECTS {
            match effects.try_recv() {
                Ok(Effect::TaskGone { task, digests }) => {
                    tasks.push(task);
                    all.extend(digests);
                }
                Ok(_) | Err(TryRecvError::Lagged(_)) => {}
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        (tasks, all)
    }
}

async fn look_around(engine: &Engine, part: u8) -> Result<(), Refusal> {
    let (blobs, logs) = (engine.blobs().clone(), engine.logs().clone());
    let look = move || Ok((blobs.in_part(part, MAX_LOOKED_AT)?, logs.tasks(part, MAX_LOOKED_AT)?));
    let found = tokio::task::spawn_blocking(look).await;
    let found = found.map_err(|error| Refusal::new(Code::Internal, error.to_string()))?;
    let (digests, tasks) = found.map_err(refusal_of)?;
    for sha256 in engine.read(move |rows| unnamed(rows, digests)).await? {
        sweep(engine, &sha256).await?;
    }
    log::sweep(engine, tasks).await
}
