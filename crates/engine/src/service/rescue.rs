//! Ends leases that ran out, attempts whose time is up, and stops that nobody confirmed.

use super::{Run, Service, more};
use crate::act::Act;
use crate::task::rescue::{MAX_RESCUED, rescue};
use crate::{Engine, Pass, Urgency};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// The service. It ends what was over when it looked last, and not what is over now: whoever could not be heard
/// meanwhile, because the server stood still or its disk took its time, has been heard since (E7).
pub(super) struct Rescue {
    /// When it looked last, on the steady clock.
    looked: AtomicI64,
}

impl Default for Rescue {
    fn default() -> Self {
        Self { looked: AtomicI64::new(i64::MIN) }
    }
}

impl Service for Rescue {
    fn name(&self) -> &'static str {
        "rescue"
    }

    fn interval(&self) -> Duration {
        Duration::from_millis(250)
    }

    fn run_once<'a>(&'a self, engine: &'a Engine) -> Run<'a> {
        Box::pin(async {
            let over_at = self.looked.load(Ordering::Relaxed);
            let deed = move |act: &mut Act<'_>| Ok((rescue(act, over_at)?, act.now.steady));
            let (count, now) = engine.enter(Pass::system(), Urgency::Urgent, deed).await?;
            if count < MAX_RESCUED {
                self.looked.store(now, Ordering::Relaxed);
            }
            Ok(more(count, MAX_RESCUED))
        })
    }
}
