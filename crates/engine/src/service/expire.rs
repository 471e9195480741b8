//! Moves scheduled tasks whose time has come, cancels those past their deadline, ends gates whose time is over, tells people of
//! those that nobody decides, and ends what stages of runs wait for.

use super::{Ran, Run, Service, more};
use crate::gate::expire::{self, expire_due};
use crate::gate::tell::{self, tell_due};
use crate::run::due as runs;
use crate::task::due::{MAX_DUE, end_overdue, start_scheduled};
use crate::{Act, Engine, Pass, Urgency};
use std::time::Duration;
use tiltyard_model::refusal::Refusal;

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
            let gates = engine.enter(Pass::system(), Urgency::Urgent, gates_due).await;
            let times = engine.enter(Pass::system(), Urgency::Urgent, runs::end_due).await;
            // Each for itself: what is wrong with one is told once the others have had their turn.
            let times = more(times?, runs::MAX_DUE as usize);
            let tasks = more(overdue?.max(due?), MAX_DUE as usize);
            Ok(if [gates?, times, tasks].contains(&Ran::More) { Ran::More } else { Ran::Done })
        })
    }
}

/// Nobody is reminded of a gate that ends in the same moment.
fn gates_due(act: &mut Act<'_>) -> Result<Ran, Refusal> {
    let (ended, told) = (expire_due(act)?, tell_due(act)?);
    match more(ended, expire::MAX_DUE as usize) {
        Ran::More => Ok(Ran::More),
        Ran::Done => Ok(more(told, tell::MAX_TOLD as usize)),
    }
}
