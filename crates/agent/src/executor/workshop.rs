//! What all executors that work with repositories share: mirrors, folders for clones, and the way to the server's
//! artifacts.

mod sweep;

use super::limit::Limits;
use super::{Job, Performed, answer};
use crate::git::cleanup::BUNDLE_PREFIX;
use crate::git::{
    AllowedRoots, Branch, Git, GitError, Identity, Incoming, Key, Mirror, Mirrors, Oid, Refused, RefusedCode,
    Source, WorkClones,
};
use crate::outcome::Verdict;
use serde::de::DeserializeOwned;
use std::fmt::Display;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::NamedTempFile;
use tiltyard_client::{Client, Error, Request};
use tiltyard_wire::endpoint::call;
use tiltyard_wire::model::id::Id;
use tiltyard_wire::work;
use tokio::sync::Notify;

/// Longest pause between two tries to reach the server for a transfer.
const MAX_TRANSFER_PAUSE: Duration = Duration::from_secs(10);
/// First pause between two tries.
const FIRST_TRANSFER_PAUSE: Duration = Duration::from_millis(250);
/// The address in commits of ours: one that no mail can reach.
const COMMITTER_ADDRESS: &str = "agent@tiltyard.invalid";

/// What a workshop is made of.
#[derive(Debug)]
pub struct WorkshopSettings {
    /// The git that is used.
    pub git: Git,
    /// The agent's own folder; `mirrors`, `clones` and `checks` are made in it.
    pub folder: PathBuf,
    /// Folders in which registered repositories may lie.
    pub roots: AllowedRoots,
    /// Caller of the server, for diffs and bundles.
    pub client: Client,
}

/// Mirrors, clones and transfers of one agent.
#[derive(Debug)]
pub struct Workshop {
    pub(super) mirrors: Mirrors,
    pub(super) clones: WorkClones,
    pub(super) checks: PathBuf,
    pub(super) client: Client,
    pub(super) by: Identity,
    /// Rings when a change has become final here.
    pub(super) final_here: Notify,
}

impl Workshop {
    /// Opens the folders. What an earlier process left in them stays: its programs may still be ending. Call
    /// [`Workshop::clear`] once they have.
    ///
    /// # Errors
    /// [`GitError`] when a folder cannot be used, or another process uses it.
    pub fn open(settings: WorkshopSettings) -> Result<Self, GitError> {
        let WorkshopSettings { git, folder, roots, client } = settings;
        let mirrors = Mirrors::open(git, &folder.join("mirrors"), roots)?;
        let clones = WorkClones::open(&folder.join("clones"))?;
        let checks = folder.join("checks");
        // The same on every agent, so that the same work makes the same commit.
        let by = Identity::new("Tiltyard", COMMITTER_ADDRESS).expect("a plain name and address");
        Ok(Self { mirrors, clones, checks, client, by, final_here: Notify::new() })
    }

    /// Removes check clones and bundles that an earlier process left, when nothing of it runs any more. What cannot be
    /// removed is told in the log and stays: it is in nobody's way.
    pub async fn clear(&self) {
        let checks = self.checks.clone();
        let swept = tokio::task::spawn_blocking(move || WorkClones::sweep_checks(&checks)).await;
        if let Ok(Err(error)) = swept {
            tracing::warn!(target: "agent", %error, "what an earlier process left of its checks stays behind");
        }
    }

    /// The mirror of a repository.
    pub(super) async fn mirror(&self, repository: &work::Repository) -> Result<Mirror, GitError> {
        self.mirrors.mirror(&source(repository)?).await
    }

    /// A proposal with its bundle on this machine, for as long as the file lives; without one when the mirror has it
    /// from before.
    pub(super) async fn incoming(
        &self,
        limits: &Limits,
        repository: &work::Repository,
        change: Id,
        handed: &work::Handed,
    ) -> Result<(Incoming, Option<NamedTempFile>), Performed> {
        let mut incoming = proposal(change, handed).map_err(|error| answer::failed(&error))?;
        if limits.hold(self.has(repository, &incoming)).await? {
            return Ok((incoming, None));
        }
        let file = self.download(limits, &handed.bundle).await?;
        incoming.file = Some(file.path().to_owned());
        Ok((incoming, Some(file)))
    }

    /// Whatever goes wrong here goes wrong again where it is told.
    async fn has(&self, repository: &work::Repository, incoming: &Incoming) -> bool {
        let Ok(mirror) = self.mirror(repository).await else { return false };
        mirror.has_change(incoming).await.unwrap_or(false)
    }

    /// Fetches an artifact into a file; its digest is looked at where it is used.
    async fn download(&self, limits: &Limits, stored: &work::Stored) -> Result<NamedTempFile, Performed> {
        let Some(id) = stored.id else {
            return Err(Performed::told(Verdict::refused("the payload names a bundle without its id")));
        };
        transfer(limits, "fetch the bundle", || self.download_once(id, stored.bytes)).await
    }

    async fn download_once(&self, id: Id, bytes: u64) -> Result<NamedTempFile, Error> {
        let broken = |error: std::io::Error| Error::Interrupted {
            url: self.client.url().to_owned(),
            reason: format!("the bundle cannot be written: {error}"),
        };
        let mut file = tempfile::Builder::new().prefix(BUNDLE_PREFIX).tempfile_in(&self.checks);
        if file.is_err() {
            std::fs::create_dir_all(&self.checks).map_err(broken)?;
            file = tempfile::Builder::new().prefix(BUNDLE_PREFIX).tempfile_in(&self.checks);
        }
        let mut file = file.map_err(broken)?;
        let mut download = self.client.download(Request::<call::ArtifactGet>::new().place(id)).await?;
        let mut room = bytes;
        while let Some(piece) = download.next().await? {
            room = room.checked_sub(piece.len() as u64).ok_or_else(|| too_long(self.client.url()))?;
            file.write_all(&piece).map_err(broken)?;
        }
        file.flush().map_err(broken)?;
        Ok(file)
    }
}

fn too_long(url: &str) -> Error {
    let reason = "the bundle is longer than it was said to be".to_owned();
    Error::Unreadable { url: url.to_owned(), status: 200, reason }
}

/// Moves bytes from or to the server, again after a while when it cannot be reached: a restart of the server must not
/// cost a program's work.
///
/// # Errors
/// What to perform when the job is over, or the server says no.
pub(super) async fn transfer<T, F: Future<Output = Result<T, Error>>>(
    limits: &Limits,
    what: &str,
    try_once: impl Fn() -> F,
) -> Result<T, Performed> {
    let mut pause = FIRST_TRANSFER_PAUSE;
    loop {
        let error = match limits.hold(try_once()).await? {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        if !error.is_passing() {
            return Err(Performed::told(Verdict::failed(format!("cannot {what}: {error}"))));
        }
        tracing::info!(target: "agent", %error, what, "the server is not there; it is tried again");
        limits.hold(tokio::time::sleep(pause)).await?;
        pause = (pause * 2).min(MAX_TRANSFER_PAUSE);
    }
}

/// Where a repository is, in git's words. Refused: names that could be misread.
pub(super) fn source(repository: &work::Repository) -> Result<Source, GitError> {
    let bad = |error: &dyn Display| Refused::new(RefusedCode::BadLocation, error.to_string());
    let name = Key::try_from(repository.name.as_str()).map_err(|error| bad(&error))?;
    let branch = Branch::try_from(repository.branch.as_str()).map_err(|error| bad(&error))?;
    Ok(Source { name, location: repository.source.as_str().to_owned(), branch })
}

fn proposal(change: Id, handed: &work::Handed) -> Result<Incoming, GitError> {
    let bad = |error: &dyn Display| Refused::new(RefusedCode::BadBundle, error.to_string());
    Ok(Incoming {
        change: Key::try_from(change.to_string()).map_err(|error| bad(&error))?,
        base: Oid::try_from(handed.base.as_str()).map_err(|error| bad(&error))?,
        head: Oid::try_from(handed.head.as_str()).map_err(|error| bad(&error))?,
        file: None,
        sha256: Some(handed.bundle.sha256.clone()),
    })
}

/// Reads a job's payload.
///
/// # Errors
/// A failure that no other try can mend.
pub(super) fn payload<T: DeserializeOwned>(job: &Job<'_>) -> Result<T, Performed> {
    serde_json::from_str(job.assignment.payload.get()).map_err(|error| {
        let kind = &job.assignment.kind;
        Performed::told(Verdict::refused(format!("the payload is not that of the kind `{kind}`: {error}")))
    })
}
