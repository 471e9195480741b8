//! Looks through the log for the events that stages of runs wait for. It rests until something was written.

use super::{Ran, Run, Service};
use crate::run::wait::{Looked, MAX_WRITTEN, look, met};
use crate::{Engine, Pass, Urgency};
use parking_lot::Mutex;
use std::time::Duration;
use tiltyard_model::time::DurationMs;

/// A wait that began without an event is found within so long.
const LOOK_EVERY_MS: DurationMs = 1_000;

/// The service.
#[derive(Default)]
pub(super) struct Listen {
    looked: Mutex<Looked>,
    /// The last event that all waits have looked at, and when that was, on the steady clock.
    done: Mutex<(i64, DurationMs)>,
}

impl Service for Listen {
    fn name(&self) -> &'static str {
        "listen"
    }

    fn interval(&self) -> Duration {
        Duration::from_millis(100)
    }

    fn run_once<'a>(&'a self, engine: &'a Engine) -> Run<'a> {
        Box::pin(async {
            let (steady, last) = (engine.clock().now().steady, engine.door().bell().last_seq());
            let (seen, at) = *self.done.lock();
            if seen >= last && steady - at < LOOK_EVERY_MS && at > 0 {
                return Ok(Ran::Done);
            }
            let looked = self.looked.lock().clone();
            let mut found = engine.read(move |rows| look(rows, &looked)).await?;
            *self.looked.lock() = std::mem::take(&mut found.looked);
            let more = found.is_behind || found.met.len() > MAX_WRITTEN || found.keep.len() > MAX_WRITTEN;
            found.met.truncate(MAX_WRITTEN);
            found.keep.truncate(MAX_WRITTEN);
            if !found.met.is_empty() || !found.keep.is_empty() {
                let (over, keep) = (found.met, found.keep);
                engine.enter(Pass::system(), Urgency::Urgent, move |act| met(act, &over, &keep)).await?;
            }
            if more {
                return Ok(Ran::More);
            }
            *self.done.lock() = (found.last_seq, steady);
            Ok(Ran::Done)
        })
    }
}
