//! The move of the target (C30, C31), by compare-and-swap: it goes from the base that was tested to the commit that
//! was tested, or it does not move.
//!
//! - Bare, or on a server: a push with a lease on the base. The owner's hooks judge it.
//! - With a work tree: objects are brought, the branch is locked at the base, the files are moved if the branch is
//!   checked out, then the lock becomes the new value. No hook runs: nobody pushed.
//!
//! A killed agent leaves the target as it was, or moved: git drops the lock when nobody talks to it any more. One
//! thing can stay: files already moved under a branch that is not. The next try recognises that and finishes it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;

use super::checkout::{Checkout, Footprint, Moved, Shadow, Standing};
use super::combine::Landing;
use super::command::{GitError, Reach, to_the_end};
use super::identity::Signature;
use super::location::Location;
use super::mirror::Mirror;
use super::name::Oid;
use super::private::{Take, Trust};
use super::target::Target;

/// How long a push goes on before the target is looked at, in seconds; each further look waits twice as long.
const FIRST_LOOK_SECONDS: u64 = 2;

/// A move that is to be made.
#[derive(Debug, Clone)]
pub(crate) struct Move {
    pub(crate) mirror: Mirror,
    /// Where the mirror keeps the commit.
    pub(crate) reference: String,
    pub(crate) base: Oid,
    pub(crate) landing: Landing,
    pub(crate) signature: Signature,
    /// No other merge begins while this one may still move something.
    pub(crate) turn: Arc<OwnedMutexGuard<()>>,
}

/// What came of it; the target is read back in any case.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// The target took it.
    Taken,
    /// The target did not take it: it has moved, or says no, in its words.
    NotTaken(String),
    /// The checked-out target has work in it.
    Dirty(Vec<String>),
    /// The branch was checked out, or left, since the target was looked at: look again.
    Elsewhere,
}

impl Move {
    /// Makes the move.
    pub(crate) async fn make(&self, target: Target) -> Result<Arrival, GitError> {
        match &target {
            Target::Remote | Target::Bare => self.push().await,
            Target::Plain { git_dir } => {
                self.bring(git_dir).await?;
                self.swap(git_dir, &target).await
            }
            Target::CheckedOut(_) => {
                let this = self.clone();
                // Not to be stopped between files and branch.
                let moved = to_the_end(async move {
                    let moved = this.with_files(&target).await;
                    drop(this.turn);
                    moved
                })
                .await;
                moved.map_err(GitError::io("move the target's branch"))?
            }
        }
    }

    /// What a hook leaves running can hold a push open long after the target has moved: the target is looked at
    /// meanwhile, and once it has the commit, nobody waits for the rest.
    async fn push(&self) -> Result<Arrival, GitError> {
        let this = self.clone();
        let mut push = Box::pin(async move { this.push_now().await });
        let mut pause = Duration::from_secs(FIRST_LOOK_SECONDS);
        loop {
            tokio::select! {
                biased;
                answer = &mut push => return answer,
                () = tokio::time::sleep(pause) => {}
            }
            if self.has_arrived().await {
                tracing::warn!(target: "agent", branch = %self.mirror.branch(), "a hook of the target, or what it has started, goes on after the branch has moved; it is left to itself");
                // Ended by git's own time-out; the target says all there is to know.
                drop(tokio::spawn(push));
                return Ok(Arrival::Taken);
            }
            pause *= 2;
        }
    }

    async fn has_arrived(&self) -> bool {
        let Ok(now) = self.mirror.fetch().await else { return false };
        self.mirror.repo().is_ancestor(&self.landing.commit, &now).await.unwrap_or(false)
    }

    async fn push_now(&self) -> Result<Arrival, GitError> {
        let location = self.mirror.location();
        let reference = self.mirror.branch().reference();
        let lease = format!("--force-with-lease={reference}:{}", self.base);
        let call = self.mirror.repo().call("push to the target").reach(location.push_reach());
        let call = if matches!(location, Location::Folder(_)) { call.foreign() } else { call };
        let call =
            call.args(["push", "--porcelain", "--no-verify", "--no-follow-tags", &lease, "--end-of-options"]);
        let call = call.args([location.argument()]).args([format!("{}:{reference}", self.landing.commit)]);
        let answer = call.accept(&[0, 1]).run().await?;
        if answer.code == 0 {
            return Ok(Arrival::Taken);
        }
        let text = answer.text();
        let verdict =
            text.lines().find(|line| line.starts_with('!')).and_then(|line| line.rsplit('\t').next());
        Ok(Arrival::NotTaken(format!("{} {}", answer.complaint, verdict.unwrap_or_default())))
    }

    /// Brings the objects into the target's store. They mean nothing there until a branch names them.
    async fn bring(&self, common_dir: &Path) -> Result<Shadow, GitError> {
        const WHAT: &str = "bring the change to the target";
        let mirror = self.mirror.repo();
        let shadow = Shadow::of(mirror.git(), common_dir, self.base.format()).await?;
        // What the target has need not be brought.
        shadow.call(WHAT).args(["update-ref", "refs/base", self.base.as_str()]).run().await?;
        let refspecs = [format!("+{}:refs/landing", self.reference)];
        let (from, reach) = (mirror.dir().as_os_str(), Reach::Folder(mirror.dir()));
        let take = Take { from, reach, refspecs: &refspecs, trust: Trust::Registered, depth: None };
        take.onto(shadow.call(WHAT)).run().await?;
        Ok(shadow)
    }

    async fn swap(&self, git_dir: &Path, seen: &Target) -> Result<Arrival, GitError> {
        match self.lock(git_dir).await {
            Err(GitError::Failed { reason, .. }) => Ok(Arrival::NotTaken(reason)),
            Err(other) => Err(other),
            Ok(locked) => match self.is_still(seen).await {
                Ok(true) => locked.commit().await,
                looked => locked.release_as(looked.map(|_| Arrival::Elsewhere)).await,
            },
        }
    }

    async fn with_files(&self, seen: &Target) -> Result<Arrival, GitError> {
        let Target::CheckedOut(checkout) = seen else { return Ok(Arrival::Elsewhere) };
        let shadow = self.bring(checkout.common_dir()).await?;
        // Locked first: a base that has moved is that, and not dirt of its owner's.
        let locked = match self.lock(checkout.git_dir()).await {
            Err(GitError::Failed { reason, .. }) => return Ok(Arrival::NotTaken(reason)),
            other => other?,
        };
        match self.is_still(seen).await {
            Ok(true) => {}
            looked => return locked.release_as(looked.map(|_| Arrival::Elsewhere)).await,
        }
        match self.move_files(checkout, &shadow).await {
            Ok(None) => locked.commit().await,
            moved => {
                let dirty = |in_the_way: Option<Vec<String>>| Arrival::Dirty(in_the_way.unwrap_or_default());
                locked.release_as(moved.map(dirty)).await
            }
        }
    }

    /// Whether the branch is still checked out where it was seen: its owner may have gone to another branch, come to
    /// this one, or begun to rebase it while the checks ran.
    async fn is_still(&self, seen: &Target) -> Result<bool, GitError> {
        Ok(match (self.mirror.target().await?, seen) {
            (Target::Plain { git_dir: now }, Target::Plain { git_dir: seen }) => now == *seen,
            (Target::CheckedOut(now), Target::CheckedOut(seen)) => now.is(seen),
            _ => false,
        })
    }

    /// Tells what is in the way, and has then moved nothing.
    async fn move_files(
        &self,
        checkout: &Checkout,
        shadow: &Shadow,
    ) -> Result<Option<Vec<String>>, GitError> {
        if checkout.holds(&self.landing.commit).await? {
            return Ok(None);
        }
        if let Standing::Dirty(paths) = checkout.standing(&self.base).await? {
            return Ok(Some(paths));
        }
        let footprint = Footprint::of(self.mirror.repo(), &self.base, &self.landing.commit).await?;
        let in_the_way = checkout.in_the_way(&footprint).await?;
        if !in_the_way.is_empty() {
            return Ok(Some(in_the_way));
        }
        match checkout.move_files(shadow, &self.base, &self.landing.commit, &footprint).await? {
            Moved::Done => Ok(None),
            Moved::InTheWay(reason) => Ok(Some(vec![reason])),
        }
    }

    /// Locks the branch at the base. Failed: it is not there any more, or somebody else has it locked.
    async fn lock(&self, git_dir: &Path) -> Result<Locked, GitError> {
        let call = self.mirror.repo().git().call("move the target's branch").dir(git_dir).foreign();
        let call = self.signature.commits(call).args(["update-ref", "-m", "tiltyard: merge", "--stdin"]);
        let mut talk = call.converse()?;
        talk.say("start", "start: ok").await?;
        let reference = self.mirror.branch().reference();
        let update = format!("update {reference} {} {}\nprepare", self.landing.commit, self.base);
        talk.say(&update, "prepare: ok").await?;
        Ok(Locked { talk })
    }
}

/// A branch that nobody else can move until this is dropped.
struct Locked {
    talk: super::command::Conversation,
}

impl Locked {
    async fn commit(mut self) -> Result<Arrival, GitError> {
        self.talk.say("commit", "commit: ok").await?;
        self.talk.finish().await?;
        Ok(Arrival::Taken)
    }

    /// Lets go of the branch as it was, and tells what led to that.
    async fn release_as(mut self, arrival: Result<Arrival, GitError>) -> Result<Arrival, GitError> {
        self.talk.say("abort", "abort: ok").await?;
        self.talk.finish().await?;
        arrival
    }
}
