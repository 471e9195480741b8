//! Says that this server is there, and takes the lead when nobody has it (O16).

use super::{Ran, Run, Service, Whose};
use crate::Engine;
use std::time::Duration;

/// The service.
pub(super) struct Lead;

impl Service for Lead {
    fn name(&self) -> &'static str {
        "lead"
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(2)
    }

    fn whose(&self) -> Whose {
        Whose::Everybody
    }

    fn run_once<'a>(&'a self, engine: &'a Engine) -> Run<'a> {
        Box::pin(async { engine.report().await.map(|()| Ran::Done) })
    }
}
