//! Moves the write-ahead log into the database file, apart from the commits: a checkpoint inside one makes the
//! slowest batch twenty times slower (E6).

use super::{Ran, Run, Service, Whose};
use crate::act::{Act, refusal_of};
use crate::{Engine, Pass, Urgency};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tiltyard_model::refusal::{Code, Refusal};
use tiltyard_store::Error;
use tiltyard_store::Store;
use tiltyard_store::sqlite::Checkpointer;

/// The log is moved when it is larger than this, in bytes.
const MOVE_BEYOND_BYTES: u64 = 4 * 1024 * 1024;

/// Beyond this the log begins anew, even where that holds writers up for a moment.
const ANEW_BEYOND_BYTES: u64 = 64 * 1024 * 1024;

/// The service.
#[derive(Default)]
pub(super) struct MoveLog {
    connection: Arc<Mutex<Option<Checkpointer>>>,
}

impl Service for MoveLog {
    fn name(&self) -> &'static str {
        "move_log"
    }

    fn interval(&self) -> Duration {
        Duration::from_millis(500)
    }

    fn whose(&self) -> Whose {
        Whose::Everybody
    }

    fn run_once<'a>(&'a self, engine: &'a Engine) -> Run<'a> {
        Box::pin(async {
            let Some((_, log_bytes)) = engine.store().file_sizes() else { return Ok(Ran::Done) };
            let trouble = engine.door().trouble().clone();
            let (store, connection) = (Arc::clone(engine.store()), Arc::clone(&self.connection));
            let work = tokio::task::spawn_blocking(move || {
                let mut connection = connection.lock();
                if trouble.is_broken() {
                    // A checkpoint syncs log and file: what failed there would be tried again.
                    return Ok((0, 0));
                }
                let open = match connection.take() {
                    Some(open) => open,
                    None => opened(&store)?,
                };
                let moved = match log_bytes {
                    ANEW_BEYOND_BYTES.. => open.begin_anew(),
                    MOVE_BEYOND_BYTES.. => open.run(),
                    _ => Ok((0, 0)),
                };
                *connection = Some(open);
                if matches!(moved, Err(Error::Broken { .. })) {
                    trouble.break_off();
                }
                moved
            });
            let moved = work.await.map_err(|error| Refusal::new(Code::Internal, error.to_string()))?;
            match moved {
                Err(error @ Error::Broken { .. }) => distrust(engine, error).await,
                moved => moved.map(|_| Ran::Done).map_err(refusal_of),
            }
        })
    }
}

/// Opened with the server, before a flood of connections can leave no file to open. That it cannot be opened now says
/// nothing about the store: it is tried again.
fn opened(store: &Store) -> Result<Checkpointer, Error> {
    let opened =
        store.checkpointer().map_err(|error| Error::Busy(format!("the log cannot be moved yet: {error}")))?;
    opened.ok_or_else(|| Error::Busy("a shared store has no log of its own".to_owned()))
}

/// A failed fsync of the file is no better than one of the log: it is not tried again, and the server ends (E2).
async fn distrust(engine: &Engine, error: Error) -> Result<Ran, Refusal> {
    let deed = move |act: &mut Act<'_>| {
        act.memory.hints().distrust = Some(error);
        Ok(Ran::Done)
    };
    engine.enter(Pass::system(), Urgency::Urgent, deed).await
}
