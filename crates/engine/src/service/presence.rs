//! Notices agents that have fallen silent (D30).

use super::{Ran, Run, Service};
use crate::{Engine, Pass, Urgency};
use std::time::Duration;

/// The service.
pub(super) struct Presence;

impl Service for Presence {
    fn name(&self) -> &'static str {
        "presence"
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn run_once<'a>(&'a self, engine: &'a Engine) -> Run<'a> {
        Box::pin(async {
            engine.enter(Pass::system(), Urgency::Normal, crate::agent::notice_silence).await?;
            Ok(Ran::Done)
        })
    }
}
