//! Puts the counts of refused calls on record, when their minute is over (SEC21).

use super::{Ran, Run, Service, Whose};
use crate::Engine;
use crate::audit::refused::write_counts;
use std::time::Duration;

/// The service.
pub(super) struct Tally;

impl Service for Tally {
    fn name(&self) -> &'static str {
        "tally"
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(5)
    }

    fn whose(&self) -> Whose {
        Whose::Everybody
    }

    fn run_once<'a>(&'a self, engine: &'a Engine) -> Run<'a> {
        Box::pin(async {
            match write_counts(engine).await? {
                0 => Ok(Ran::Done),
                _ => Ok(Ran::More),
            }
        })
    }
}
