//! Removes artifacts that nothing refers to, a day after they came (D21): whoever stored them for work meant to hand that
//! work in by then.

use super::{Ran, Run, Service, Whose};
use crate::artifact::{MAX_CLEARED, clear_loose, sweep};
use crate::{Engine, Pass, Urgency};
use parking_lot::Mutex;
use std::time::Duration;

/// The service. It goes round: rows that a run names are passed over, and looked at again the next time.
#[derive(Default)]
pub(super) struct Retain {
    after: Mutex<i64>,
}

impl Service for Retain {
    fn name(&self) -> &'static str {
        "retain"
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(60)
    }

    fn whose(&self) -> Whose {
        Whose::Leader
    }

    fn run_once<'a>(&'a self, engine: &'a Engine) -> Run<'a> {
        Box::pin(async {
            let after = *self.after.lock();
            let cleared =
                engine.enter(Pass::system(), Urgency::Normal, move |act| clear_loose(act, after)).await?;
            let is_round = cleared.looked_at < MAX_CLEARED;
            *self.after.lock() = if is_round { 0 } else { cleared.last };
            // What a crash leaves here is found by looking around.
            for sha256 in cleared.gone {
                sweep(engine, &sha256).await?;
            }
            Ok(if is_round { Ran::Done } else { Ran::More })
        })
    }
}
