//! Bundles: how a proposal travels from the agent that made it to the agent that checks and merges it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::command::{GitError, Reach, Refused, RefusedCode};
use super::diff::{Stored, sha256_of_file};
use super::mirror::{Mirror, head_ref};
use super::name::{Branch, Key, Oid};
use super::private::{Private, Take, Trust};

/// The largest bundle, in bytes.
pub const MAX_BUNDLE_BYTES: u64 = 512 * 1024 * 1024;

/// A proposal that has arrived: the bundle's file and what it is said to hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incoming {
    /// The change it belongs to.
    pub change: Key,
    /// The base that it was made on; the bundle holds what comes after.
    pub base: Oid,
    /// Its head.
    pub head: Oid,
    /// The bundle's file on this machine; `None` when the mirror has it from before.
    pub file: Option<PathBuf>,
    /// SHA-256 that the file must have, when there is a file.
    pub sha256: Option<String>,
}

/// Writes what `head` has and `base` has not, under the name of a branch. Refused: larger than
/// [`MAX_BUNDLE_BYTES`].
pub(crate) async fn write(
    repo: &Private,
    branch: &Branch,
    base: &Oid,
    to: &Path,
) -> Result<Stored, GitError> {
    const WHAT: &str = "write the bundle";
    let call = repo.call(WHAT).args(["bundle", "create", "--quiet"]).args([to]);
    call.args([branch.reference(), format!("^{base}")]).run().await?;
    let (sha256, bytes) = digest(to, WHAT).await?;
    if bytes > MAX_BUNDLE_BYTES {
        let reason = "the change's commits are larger than 512 MiB; keep large files out of it";
        return Err(Refused::new(RefusedCode::TooLarge, reason).into());
    }
    Ok(Stored { path: to.to_owned(), sha256, bytes })
}

impl Mirror {
    /// Takes a proposal into the mirror, by way of a quarantine where every object is examined. Asked again, it
    /// does nothing. Refused: another digest, another head, an object that `fsck` refuses, a base nobody knows.
    pub async fn import(&self, incoming: &Incoming) -> Result<(), GitError> {
        let reference = head_ref(&incoming.change);
        if self.has_change(incoming).await? {
            return Ok(());
        }
        let Some(file) = &incoming.file else {
            return Err(bad("the mirror does not have it and no bundle came with it").into());
        };
        verify_file(file, incoming).await?;
        self.know_base(&incoming.base).await?;
        let folder = self.quarantine()?;
        let quarantine =
            Private::open(self.repo().git(), &folder.path().join("q.git"), incoming.head.format()).await?;
        quarantine.borrow_from(self.repo())?;
        // Git wants a bundle's prerequisites to be reachable, not only present.
        quarantine.set("refs/base", &incoming.base).await?;
        unpack(&quarantine, file, &incoming.head).await?;
        let refspecs = [format!("+refs/incoming:{reference}")];
        let (from, reach) = (quarantine.dir().as_os_str(), Reach::Folder(quarantine.dir()));
        let take = Take { from, reach, refspecs: &refspecs, trust: Trust::Proposed, depth: None };
        self.repo().take("take the change into the mirror", take).await?;
        folder.remove().await
    }

    /// Whether it is here from before: then no bundle is needed.
    pub(crate) async fn has_change(&self, incoming: &Incoming) -> Result<bool, GitError> {
        Ok(self.repo().find(&head_ref(&incoming.change)).await?.as_ref() == Some(&incoming.head))
    }

    /// The base may be newer than what was last fetched.
    async fn know_base(&self, base: &Oid) -> Result<(), GitError> {
        if !self.repo().has(base).await? {
            self.fetch().await?;
        }
        if self.repo().has(base).await? {
            return Ok(());
        }
        Err(bad("its base is not in the target's history; the branch may have been rewritten").into())
    }
}

/// Of up to 512 MiB, so on a thread that may take its time.
async fn digest(file: &Path, what: &'static str) -> Result<(String, u64), GitError> {
    let file = file.to_owned();
    let read = tokio::task::spawn_blocking(move || sha256_of_file(&file)).await;
    read.map_err(std::io::Error::other).flatten().map_err(GitError::io(what))
}

async fn verify_file(file: &Path, incoming: &Incoming) -> Result<(), GitError> {
    let meta = std::fs::symlink_metadata(file).map_err(GitError::io("read the bundle"))?;
    if !meta.is_file() || meta.len() > MAX_BUNDLE_BYTES {
        return Err(bad("it is not a plain file of at most 512 MiB").into());
    }
    let (sha256, _) = digest(file, "read the bundle").await?;
    if incoming.sha256.as_ref() != Some(&sha256) {
        return Err(bad("its digest is not the one that was announced").into());
    }
    Ok(())
}

async fn unpack(quarantine: &Private, file: &Path, head: &Oid) -> Result<(), GitError> {
    let listed = quarantine.call("read the bundle").args(["bundle", "list-heads"]).args([file]).run().await;
    let listed = listed.map_err(refused)?.text();
    let named = listed.lines().filter_map(|line| line.split_once(' ')).find(|(oid, _)| *oid == head.as_str());
    let branch = named.and_then(|(_, name)| Branch::try_from(name.strip_prefix("refs/heads/")?).ok());
    let branch = branch.ok_or_else(|| bad("it does not hold the announced head on a branch"))?;
    let refspecs = [format!("+{}:refs/incoming", branch.reference())];
    let (from, reach) = (file.as_os_str(), Reach::Folder(file));
    let take = Take { from, reach, refspecs: &refspecs, trust: Trust::Proposed, depth: None };
    quarantine.take("examine the change", take).await.map_err(refused)?;
    match quarantine.find("refs/incoming").await? {
        Some(found) if found == *head => Ok(()),
        _ => Err(bad("its head is not the announced one").into()),
    }
}

fn refused(error: GitError) -> GitError {
    match error {
        GitError::Failed { reason, .. } => bad(&reason).into(),
        other => other,
    }
}

fn bad(why: &str) -> Refused {
    Refused::new(RefusedCode::BadBundle, format!("the proposal cannot be taken: {why}"))
}
