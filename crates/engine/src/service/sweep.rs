//! Removes stored bytes that no row names (D21): those of an upload that the server did not survive. One folder of 256 at
//! a time.

use super::{Ran, Run, Service};
use crate::Engine;
use crate::artifact::sweep;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use tiltyard_model::refusal::{Code, Refusal};

/// Most blobs of one folder that are looked at in one run.
const MAX_LOOKED_AT: usize = 10_000;

/// The service.
#[derive(Default)]
pub(super) struct Sweep {
    /// The folder that is next.
    next: AtomicU8,
}

impl Service for Sweep {
    fn name(&self) -> &'static str {
        "sweep"
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(60)
    }

    fn run_once<'a>(&'a self, engine: &'a Engine) -> Run<'a> {
        Box::pin(async {
            let (folder, blobs) = (self.next.fetch_add(1, Ordering::Relaxed), engine.blobs().clone());
            let found = tokio::task::spawn_blocking(move || blobs.in_folder(folder, MAX_LOOKED_AT)).await;
            let found = found.map_err(|error| Refusal::new(Code::Internal, error.to_string()))?;
            for sha256 in found.map_err(crate::act::refusal_of)? {
                sweep(engine, &sha256).await?;
            }
            Ok(Ran::Done)
        })
    }
}
