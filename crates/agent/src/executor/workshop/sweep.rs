//! Work clones go once nobody needs them: their change is final (C11, C34), or a later attempt has a clone of its own.
//! Asked is the server, so that this works whichever agent merged.

use super::Workshop;
use crate::git::{GitError, Key};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tiltyard_client::{Error, Request};
use tiltyard_wire::endpoint::call;
use tiltyard_wire::model::id::Id;
use tiltyard_wire::model::task::State;
use tiltyard_wire::task::View;

/// A mirror that nobody has used for so long goes: what it was of is registered no more, or is asleep.
const MAX_IDLE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How often mirrors are packed, so that they do not grow without end.
const TIDY_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

impl Workshop {
    /// Sweeps every so often and when a change has become final here, and tidies the mirrors once a day; never ends.
    pub async fn keep_tidy(self: Arc<Self>, every: Duration) {
        let mut tidied = Instant::now();
        loop {
            self.sweep().await;
            if tidied.elapsed() >= TIDY_EVERY {
                tidied = Instant::now();
                if let Err(error) = self.mirrors.remove_idle(MAX_IDLE).await {
                    tracing::warn!(target: "agent", %error, "mirrors that nobody uses were not removed");
                }
                if let Err(error) = self.mirrors.tidy().await {
                    tracing::warn!(target: "agent", %error, "the mirrors were not tidied");
                }
            }
            // Either way it is time.
            let _ = tokio::time::timeout(every, self.final_here.notified()).await;
        }
    }

    /// Removes the clones that nobody needs any more; says how many went. What cannot be asked or removed now is
    /// left for the next time.
    pub async fn sweep(&self) -> usize {
        let attempts = match self.clones.attempts() {
            Ok(attempts) => attempts,
            Err(error) => {
                tracing::warn!(target: "agent", %error, "the clones cannot be listed");
                return 0;
            }
        };
        let mut gone = 0;
        for (task, generation) in attempts {
            if self.is_needed(&task, generation).await {
                continue;
            }
            let (clones, name) = (self.clones.clone(), task.clone());
            let removing = move || clones.remove_attempt(&name, generation);
            let removed = tokio::task::spawn_blocking(removing).await;
            match removed
                .map_err(|error| GitError::io("remove a clone")(std::io::Error::other(error)))
                .flatten()
            {
                Ok(()) => gone += 1,
                Err(error) => {
                    tracing::warn!(target: "agent", task_id = %task, %error, "a clone stays behind");
                }
            }
        }
        gone
    }

    async fn is_needed(&self, task: &Key, generation: u64) -> bool {
        let Ok(id) = task.as_str().parse::<Id>() else { return true };
        match self.client.call(Request::<call::TaskGet>::new().place(id)).await {
            Ok(view) => needs(&view, generation),
            Err(Error::Refused(refused)) => refused.status != 404,
            Err(_) => true,
        }
    }
}

/// Whether a task still needs the clone of that attempt.
fn needs(view: &View, generation: u64) -> bool {
    let newest = u64::try_from(view.generation).is_ok_and(|newest| newest <= generation);
    match view.state {
        State::Running | State::Waiting => newest,
        State::Pending | State::Scheduled | State::Ready => true,
        State::Succeeded | State::Dead | State::Cancelled => false,
    }
}
