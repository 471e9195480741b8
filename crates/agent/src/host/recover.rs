//! What an earlier process of this agent left behind.

use super::Host;
use crate::attempt::AttemptKey;
use crate::outcome::Outcome;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// What was found at the start.
#[derive(Debug, Default)]
pub struct Recovered {
    /// Outcomes to be told again; they are held (C3).
    pub outcomes: Vec<Outcome>,
    /// Attempts that ended with the earlier process, without an outcome. They are not held; their folders went.
    pub ended: Vec<AttemptKey>,
    /// Attempts whose programs still live after the limit: their shims go on ending them. Not held either, and
    /// no folder of that name is used before they have ended.
    pub alive: Vec<AttemptKey>,
    /// Folders that could not be removed.
    pub stuck: Vec<(AttemptKey, io::Error)>,
}

impl Host {
    /// Looks through what an earlier process left: takes up its outcomes, and waits, at most `limit` for all
    /// together, until its programs have ended. Only then may `hello` say what is held: a new process that holds
    /// nothing ends the old leases at once (D3), and the tasks run elsewhere.
    ///
    /// # Errors
    /// When the work folder cannot be listed.
    pub async fn recover(self: &Arc<Self>, limit: Duration) -> io::Result<Recovered> {
        let mut found = Recovered { outcomes: self.outbox.waiting(), ..Recovered::default() };
        found.outcomes.iter().for_each(|outcome| self.slots.restore(&outcome.key));
        let deadline = Instant::now() + limit;
        for leftover in self.workspace.leftovers()? {
            let key = leftover.folder().key().clone();
            let told = self.outbox.find(&key).is_some();
            match leftover.ended(deadline.saturating_duration_since(Instant::now())).await {
                // Its log may not have been sent whole; it goes when the outcome is settled.
                Ok(true) if told => {}
                Ok(true) => self.clear(key, &mut found).await,
                Ok(false) => found.alive.push(key),
                Err(error) => found.stuck.push((key, error)),
            }
        }
        Ok(found)
    }

    async fn clear(self: &Arc<Self>, key: AttemptKey, found: &mut Recovered) {
        let folder = self.workspace.folder(&key);
        let removed = tokio::task::spawn_blocking(move || folder.remove()).await;
        match removed.map_err(io::Error::other).flatten() {
            Ok(()) => found.ended.push(key),
            Err(error) => found.stuck.push((key, error)),
        }
    }
}
