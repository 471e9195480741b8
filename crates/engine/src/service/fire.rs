//! Starts what schedules are due, on time: it rests until the next slot, and looks every quarter of a second whether there is another.

use super::{Ran, Run, Service};
use crate::act::refusal_of;
use crate::schedule::fire::{MAX_DUE, fire, plan};
use crate::{Engine, Pass, Urgency};
use parking_lot::Mutex;
use std::time::Duration;
use tiltyard_model::role::Caller;
use tiltyard_model::time::DurationMs;
use tiltyard_store::schedule::due;

/// The longest rest: so late is a slot of a schedule that was saved meanwhile, or of a clock that was set.
const LOOK_EVERY_MS: DurationMs = 250;

/// The service.
pub(super) struct Fire {
    rest_ms: Mutex<DurationMs>,
}

impl Default for Fire {
    fn default() -> Self {
        Self { rest_ms: Mutex::new(LOOK_EVERY_MS) }
    }
}

impl Service for Fire {
    fn name(&self) -> &'static str {
        "fire"
    }

    fn interval(&self) -> Duration {
        Duration::from_millis(self.rest_ms.lock().unsigned_abs())
    }

    fn run_once<'a>(&'a self, engine: &'a Engine) -> Run<'a> {
        Box::pin(async {
            *self.rest_ms.lock() = LOOK_EVERY_MS;
            let now = engine.clock().now().wall;
            let until = now.saturating_add(LOOK_EVERY_MS);
            let mut soon = engine.read(move |rows| due(rows, until, MAX_DUE).map_err(refusal_of)).await?;
            if let Some(next) = soon.iter().map(|due| due.next_at).find(|at| *at > now) {
                *self.rest_ms.lock() = (next - now).clamp(1, LOOK_EVERY_MS);
            }
            soon.retain(|due| due.next_at <= now);
            if soon.is_empty() {
                return Ok(Ran::Done);
            }
            let mut plans: Vec<_> = soon.into_iter().filter_map(|due| plan(due, now)).collect();
            for plan in &mut plans {
                if let Some((owner, asked)) = plan.asks() {
                    let caller = Caller { owner, ..Caller::system() };
                    plan.answer(engine.ready_run(&caller, asked).await);
                }
            }
            let done = engine.enter(Pass::system(), Urgency::Normal, move |act| fire(act, &plans)).await?;
            // Of each there may be another slot.
            Ok(if done > 0 { Ran::More } else { Ran::Done })
        })
    }
}
