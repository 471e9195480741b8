//! Lets begin what of runs is to begin. It is woken by whatever made it so on this server; what another server left, because
//! it died or was slow, is found by looking.

use super::{Ran, Run, Service, Whose};
use crate::Engine;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// The service.
pub(super) struct Advance;

impl Service for Advance {
    fn name(&self) -> &'static str {
        "advance"
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn whose(&self) -> Whose {
        Whose::Everybody
    }

    fn wakes(&self, engine: &Engine) -> Option<Arc<Notify>> {
        Some(engine.door().to_begin())
    }

    fn run_once<'a>(&'a self, engine: &'a Engine) -> Run<'a> {
        Box::pin(async {
            match engine.begin_stages().await? {
                0 => Ok(Ran::Done),
                _ => Ok(Ran::More),
            }
        })
    }
}
