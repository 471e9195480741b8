//! Mirrors go when nobody has used them for long: of repositories that are not registered any more, or at another place. An
//! agent's token may not list what is registered, and need not: a mirror is made anew when it is wanted after all.

use super::Mirrors;
use crate::git::cleanup::remove;
use crate::git::command::GitError;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime};

/// What is being removed begins with this; the rest of it goes at the next start.
pub(super) const GONE_PREFIX: &str = "gone-";
/// The file whose time says when a mirror was used last.
const USED: &str = "tiltyard-used";

/// Notes that a mirror is used now. Best effort: one whose time cannot be noted is only made anew sooner.
pub(super) fn mark(dir: &Path) {
    if let Err(error) = std::fs::File::create(dir.join(USED)) {
        tracing::debug!(target: "agent", mirror = %dir.display(), %error, "its use cannot be noted");
    }
}

impl Mirrors {
    /// Removes mirrors that nobody has used for so long and nobody uses now; tells how many went.
    ///
    /// # Errors
    /// When the folder cannot be listed, or a mirror not be removed.
    pub async fn remove_idle(&self, idle: Duration) -> Result<usize, GitError> {
        let mut gone = 0;
        for dir in std::fs::read_dir(&self.root).map_err(GitError::io("list the mirrors"))?.flatten() {
            let dir = dir.path();
            if dir.extension().is_none_or(|end| end != "git") || !is_idle(&dir, idle) {
                continue;
            }
            if let Some(aside) = self.put_aside(&dir)? {
                tracing::info!(target: "agent", mirror = %dir.display(), "it was not used for long and goes");
                remove(&aside).await?;
                gone += 1;
            }
        }
        Ok(gone)
    }

    /// Takes a mirror out of its place; `None` when somebody has it. Nobody can come to have it meanwhile.
    fn put_aside(&self, dir: &Path) -> Result<Option<PathBuf>, GitError> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        if locks.get(dir).is_some_and(|own| Arc::strong_count(own) > 1) {
            return Ok(None);
        }
        let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let aside = self.root.join(format!("{GONE_PREFIX}{name}"));
        std::fs::rename(dir, &aside).map_err(GitError::io("remove a mirror"))?;
        locks.remove(dir);
        Ok(Some(aside))
    }
}

/// A time that lies ahead, or that is not known, is no reason to remove anything.
fn is_idle(dir: &Path, idle: Duration) -> bool {
    let used = std::fs::metadata(dir.join(USED)).or_else(|_| std::fs::metadata(dir));
    let age = used.and_then(|meta| meta.modified()).map(|at: SystemTime| at.elapsed().unwrap_or_default());
    age.is_ok_and(|age| age >= idle)
}
