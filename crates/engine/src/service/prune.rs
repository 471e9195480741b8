//! Ends timed holds of unique keys, and forgets windows that are past and lanes that nothing needs.

use super::{Run, Service, more};
use crate::task::due::{MAX_DUE, forget_lanes, prune};
use crate::{Engine, Pass, Urgency};
use std::time::Duration;

/// The service.
pub(super) struct Prune;

impl Service for Prune {
    fn name(&self) -> &'static str {
        "prune"
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(30)
    }

    fn run_once<'a>(&'a self, engine: &'a Engine) -> Run<'a> {
        Box::pin(async {
            let pruned = engine.enter(Pass::system(), Urgency::Normal, prune).await?;
            let lanes = engine.enter(Pass::system(), Urgency::Normal, forget_lanes).await?;
            Ok(more(pruned.max(lanes), MAX_DUE as usize))
        })
    }
}
