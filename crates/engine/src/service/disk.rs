//! Watches the disk: new work is refused while space is low, and the reserve is filled up again when there is room.

use super::{Ran, Run, Service, Whose};
use crate::reserve::{RESERVE_BYTES, Reserve};
use crate::{Engine, Pass, Urgency};
use std::time::Duration;
use tiltyard_model::refusal::{Code, Refusal};

/// The service.
pub(super) struct Disk;

impl Service for Disk {
    fn name(&self) -> &'static str {
        "disk"
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(2)
    }

    fn whose(&self) -> Whose {
        Whose::Everybody
    }

    fn run_once<'a>(&'a self, engine: &'a Engine) -> Run<'a> {
        Box::pin(async {
            let reserve = Reserve::of(engine.folder());
            let low = tokio::task::spawn_blocking(move || look(&reserve)).await;
            let low = low.map_err(|error| Refusal::new(Code::Internal, error.to_string()))?;
            engine
                .enter(Pass::system(), Urgency::Urgent, move |act| {
                    act.memory.hints().storage_low = low;
                    Ok(Ran::Done)
                })
                .await
        })
    }
}

/// Whether space is low; fills the reserve when there is room for it beyond that.
fn look(reserve: &Reserve) -> bool {
    match reserve.space() {
        Ok(space) => {
            let mut without = space;
            without.free = space.free.saturating_sub(RESERVE_BYTES);
            if !without.is_low() && reserve.fill().is_err() {
                return true;
            }
            space.is_low()
        }
        Err(error) => {
            tracing::warn!(target: "store", "the free space of the data folder is unknown: {error}");
            false
        }
    }
}
