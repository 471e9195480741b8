//! Moves scheduled tasks whose time has come, cancels those past their deadline, and ends gates whose time is over.

use super::{Ran, Run, Service, more};
use crate::gate::expire::{self, expire_due};
use crate::task::due::{MAX_DUE, end_overdue, start_scheduled};
use crate::{Engine, Pass, Urgency};
use std::time::Duration;

/// The service.
pub(super) struct Expire;

impl Service for Expire {
    fn name(&self) -> &'static str {
        "expire"
    }

    fn interval(&self) -> Duration {
        Duration::from_millis(100)
    }

    fn run_once<'a>(&'a self, engine: &'a Engine) -> Run<'a> {
        Box::pin(async {
            // A task past its deadline must not start just because its time had come too.
            let overdue = engine.enter(Pass::system(), Urgency::Urgent, end_overdue).await;
            let due = engine.enter(Pass::system(), Urgency::Urgent, start_scheduled).await;
            let gates = engine.enter(Pass::system(), Urgency::Urgent, expire_due).await;
            // Each for itself: what is wrong with one is told once the others have had their turn.
            match more(gates?, expire::MAX_DUE as usize) {
                Ran::More => Ok(Ran::More),
                Ran::Done => Ok(more(overdue?.max(due?), MAX_DUE as usize)),
            }
        })
    }
}
