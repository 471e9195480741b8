//! Ends leases that ran out, attempts whose time is up, and stops that nobody confirmed.

use super::{Run, Service, more};
use crate::task::rescue::{MAX_RESCUED, rescue};
use crate::{Engine, Pass, Urgency};
use std::time::Duration;

/// The service.
pub(super) struct Rescue;

impl Service for Rescue {
    fn name(&self) -> &'static str {
        "rescue"
    }

    fn interval(&self) -> Duration {
        Duration::from_millis(250)
    }

    fn run_once<'a>(&'a self, engine: &'a Engine) -> Run<'a> {
        Box::pin(async {
            let count = engine.enter(Pass::system(), Urgency::Urgent, rescue).await?;
            Ok(more(count, MAX_RESCUED))
        })
    }
}
