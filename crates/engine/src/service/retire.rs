//! Ends tokens and sign-ins whose time is over (SEC19: within a second), and keeps when each was used last, a minute at a time.

use super::{Ran, Run, Service, Whose, more};
use crate::sign_in::{self, MAX_ENDED_AT_ONCE};
use crate::token::{MAX_TOKENS_AT_ONCE, expire_due, keep_used};
use crate::{Engine, Pass, Urgency};
use parking_lot::Mutex;
use std::time::Duration;
use tiltyard_model::refusal::Refusal;
use tiltyard_model::time::{DurationMs, MINUTE_MS};

/// The service.
#[derive(Default)]
pub(super) struct Retire {
    /// When the uses were kept last, on the steady clock.
    kept: Mutex<DurationMs>,
}

impl Service for Retire {
    fn name(&self) -> &'static str {
        "retire"
    }

    fn interval(&self) -> Duration {
        Duration::from_millis(250)
    }

    fn whose(&self) -> Whose {
        Whose::Everybody
    }

    fn run_once<'a>(&'a self, engine: &'a Engine) -> Run<'a> {
        Box::pin(async {
            let now = engine.clock().now();
            let is_due = |last: DurationMs| now.steady - last >= MINUTE_MS;
            if is_due(*self.kept.lock()) {
                if flush_used(engine).await? == Ran::More {
                    return Ok(Ran::More);
                }
                *self.kept.lock() = now.steady;
            }
            if engine.tokens().next_expiry().is_none_or(|expiry| expiry > now.wall) {
                return Ok(Ran::Done);
            }
            let count = engine.enter(Pass::system(), Urgency::Urgent, expire_due).await?;
            let browsers = engine.enter(Pass::system(), Urgency::Urgent, sign_in::expire_due).await?;
            match more(browsers, MAX_ENDED_AT_ONCE) {
                Ran::More => Ok(Ran::More),
                Ran::Done => Ok(more(count, MAX_TOKENS_AT_ONCE)),
            }
        })
    }
}

/// Keeps when tokens were used last; what is not kept is asked for again.
async fn flush_used(engine: &Engine) -> Result<Ran, Refusal> {
    let used = engine.tokens().used(MAX_TOKENS_AT_ONCE);
    if used.is_empty() {
        return Ok(Ran::Done);
    }
    let count = used.len();
    engine.enter(Pass::system(), Urgency::Normal, move |act| keep_used(act, &used)).await?;
    Ok(more(count, MAX_TOKENS_AT_ONCE))
}
