//! C30, C32, C34: a change is merged. Newest base, checks on exactly the tree that lands, compare-and-swap, proof.
//!
//! Every step can be done twice: asked again after a crash, a change that is in the target already is told as
//! merged, from the target itself and not from memory.

mod found;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::OwnedMutexGuard;

use super::bundle::Incoming;
use super::check::{Bench, CheckReport, CheckSpec, Green, RulesPin, green};
use super::checkout::{Footprint, Standing};
use super::combine::{Combine, Combined, Landing, Method};
use super::command::{GitError, Refused, RefusedCode};
use super::diff::Span;
use super::land::{Arrival, Move};
use super::mirror::landings_of;
use super::name::Oid;
use super::target::Target;

/// How often a target is looked at whose owner changes branches meanwhile.
const MAX_LOOKS: usize = 3;

/// A change that is to be merged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergeJob {
    /// The proposal.
    pub incoming: Incoming,
    /// How it lands.
    pub method: Method,
    /// Its title, and perhaps more lines.
    pub message: String,
    /// What must pass on the tree that lands.
    pub checks: Vec<CheckSpec>,
    /// By which rules these checks were chosen.
    pub rules: RulesPin,
    /// The digest of the diff that was approved (D24); `None` when nobody had to.
    pub subject_sha256: Option<String>,
    /// Checks that passed before; used when [`Green::covers`] the tree that lands.
    pub green: Option<Green>,
}

/// How a change came to be in the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// We moved the target now.
    Moved,
    /// We had moved it before; a crash hid it.
    Found,
    /// Its head is in the target's history: a person merged it.
    Elsewhere,
    /// A commit with the same diff is in the target's history: a person picked it.
    SameDiff,
    /// The target has all of it: merging it changes nothing.
    Contained,
}

/// A change that is in the target, with what proves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merged {
    /// The commit that holds it, in the target's history when it was read back.
    pub commit: Oid,
    /// That commit's tree.
    pub tree: Oid,
    /// The tree that the checks passed on; `None` when others merged it and nobody checked what they made of it.
    pub checked_tree: Option<Oid>,
    /// Where the target stood before, when it was moved by us.
    pub base_before: Option<Oid>,
    /// Where the target stood when it was read back.
    pub target_head: Oid,
    /// How it came there.
    pub how: How,
    /// The checks that were run now; empty when earlier ones covered the very same tree.
    pub checks: Vec<CheckReport>,
}

/// How merging ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum MergeOutcome {
    /// The target is proven to hold it.
    Merged(Box<Merged>),
    /// Somebody else moved the target meanwhile; it was not touched.
    BaseMoved {
        /// The base that was tested.
        was: Oid,
        /// The base now.
        now: Oid,
    },
    /// It does not go onto the newest base.
    Conflict {
        /// The base.
        base: Oid,
        /// The files.
        files: Vec<String>,
    },
    /// A check did not pass on the tree that would have landed.
    ChecksFailed {
        /// The base.
        base: Oid,
        /// The tree.
        tree: Oid,
        /// What came of each check.
        checks: Vec<CheckReport>,
    },
    /// The target's checkout has work in it, which is never overwritten.
    DirtyTarget {
        /// The paths, or git's words for what is in the way.
        files: Vec<String>,
    },
    /// What was approved is not what would land (D26).
    SubjectChanged {
        /// The digest of the diff as it is.
        diff_sha256: String,
    },
    /// The base has other rules by now: weigh it and choose the checks anew.
    RulesChanged {
        /// The base.
        base: Oid,
        /// Its `.tiltyard.toml`.
        rules: Option<String>,
    },
    /// The target said no, or something else that asking again does not change.
    Refused(Refused),
}

/// Merges a change. Errors may pass (a server out of reach, a lock that somebody holds): a retry makes sense, and is
/// safe.
pub async fn merge(bench: &Bench<'_>, job: &MergeJob) -> Result<MergeOutcome, GitError> {
    let turn = Arc::new(bench.mirror.lock_for_merge().await);
    let merging = Merging { bench, job, turn };
    match merging.run().await {
        Ok(Step::Merged(merged)) => Ok(MergeOutcome::Merged(Box::new(merged))),
        Ok(Step::Stop(outcome)) => Ok(outcome),
        Err(GitError::Refused(refused)) => Ok(MergeOutcome::Refused(refused)),
        Err(other) => Err(other),
    }
}

struct Merging<'a> {
    bench: &'a Bench<'a>,
    job: &'a MergeJob,
    /// One merge of a target at a time.
    turn: Arc<OwnedMutexGuard<()>>,
}

enum Step {
    Merged(Merged),
    Stop(MergeOutcome),
}

impl Merging<'_> {
    async fn run(&self) -> Result<Step, GitError> {
        let base = self.bench.mirror.fetch().await?;
        self.bench.mirror.import(&self.job.incoming).await?;
        if let Some(merged) = self.found(&base).await? {
            return Ok(Step::Merged(merged));
        }
        if let Some(stop) = self.not_as_agreed(&base).await? {
            return Ok(Step::Stop(stop));
        }
        let landing = match self.combine(&base).await? {
            Combined::Landing(landing) => landing,
            Combined::Conflict(files) => return Ok(Step::Stop(MergeOutcome::Conflict { base, files })),
            Combined::Contained => return self.contained(base).await.map(Step::Merged),
        };
        if let Some(files) = self.dirt(&base, &landing).await? {
            return Ok(Step::Stop(MergeOutcome::DirtyTarget { files }));
        }
        let checks = self.checks(&landing).await?;
        if self.green_now(&landing, &checks).is_none() {
            let tree = landing.tree;
            return Ok(Step::Stop(MergeOutcome::ChecksFailed { base, tree, checks }));
        }
        self.land(base, landing, checks).await
    }

    /// Told before the checks run, so that nobody waits for them in vain. It is looked at again when the target is
    /// moved.
    async fn dirt(&self, base: &Oid, landing: &Landing) -> Result<Option<Vec<String>>, GitError> {
        let Target::CheckedOut(checkout) = self.bench.mirror.target().await? else { return Ok(None) };
        checkout.takes(self.bench.mirror, &landing.commit).await?;
        if let Standing::Dirty(files) = checkout.standing(base).await? {
            let own_half_done_move = checkout.holds(&landing.commit).await?;
            return Ok((!own_half_done_move).then_some(files));
        }
        let footprint = Footprint::of(self.bench.mirror.repo(), base, &landing.commit).await?;
        let in_the_way = checkout.in_the_way(&footprint).await?;
        Ok((!in_the_way.is_empty()).then_some(in_the_way))
    }

    /// The rules or the subject are not those that the task was made by.
    async fn not_as_agreed(&self, base: &Oid) -> Result<Option<MergeOutcome>, GitError> {
        let mirror = self.bench.mirror;
        let rules = mirror.rules_at(base).await?;
        if !self.job.rules.allows(rules.as_deref()) {
            return Ok(Some(MergeOutcome::RulesChanged { base: base.clone(), rules }));
        }
        let Some(approved) = &self.job.subject_sha256 else { return Ok(None) };
        let head = &self.job.incoming.head;
        let merge_base = mirror.repo().merge_base(base, head).await?;
        let diff_sha256 = Span { merge_base: &merge_base, head }.digest(mirror.repo()).await?;
        Ok((diff_sha256 != *approved).then_some(MergeOutcome::SubjectChanged { diff_sha256 }))
    }

    async fn combine(&self, base: &Oid) -> Result<Combined, GitError> {
        let MergeJob { incoming, method, message, .. } = self.job;
        let combine = Combine {
            repo: self.bench.mirror.repo(),
            change: &incoming.change,
            base,
            head: &incoming.head,
            method: *method,
            message,
            signature: self.bench.signature,
        };
        // Without a common history there is nothing to merge; this says so in words.
        combine.repo.merge_base(base, &incoming.head).await?;
        combine.compute().await
    }

    /// Nothing to run when the very same tree passed the very same checks before.
    async fn checks(&self, landing: &Landing) -> Result<Vec<CheckReport>, GitError> {
        if self.covered(landing) {
            return Ok(Vec::new());
        }
        self.bench.run_checks(&self.job.incoming.change, landing, &self.job.checks).await
    }

    fn covered(&self, landing: &Landing) -> bool {
        self.job.green.as_ref().is_some_and(|green| green.covers(&landing.tree, &self.job.checks))
    }

    fn green_now(&self, landing: &Landing, reports: &[CheckReport]) -> Option<Green> {
        match &self.job.green {
            Some(before) if self.covered(landing) => Some(before.clone()),
            _ => green(&landing.tree, &self.job.checks, reports),
        }
    }

    async fn land(&self, base: Oid, landing: Landing, checks: Vec<CheckReport>) -> Result<Step, GitError> {
        let mirror = self.bench.mirror;
        let Incoming { change, head, .. } = &self.job.incoming;
        let reference = format!("{}{}", landings_of(change, head), landing.commit);
        mirror.repo().set(&reference, &landing.commit).await?;
        let landing_there = Move {
            mirror: mirror.clone(),
            reference,
            base: base.clone(),
            landing: landing.clone(),
            signature: self.bench.signature.clone(),
            turn: Arc::clone(&self.turn),
        };
        let arrival = make(landing_there).await;
        // Whatever was answered, also a time-out: the target itself says whether it holds the commit.
        let now = mirror.fetch().await?;
        if let Some(merged) = self.proof(&landing, &now, How::Moved).await? {
            return Ok(Step::Merged(Merged { base_before: Some(base), checks, ..merged }));
        }
        let stop = match arrival? {
            Arrival::Dirty(files) => MergeOutcome::DirtyTarget { files },
            _ if now != base => MergeOutcome::BaseMoved { was: base, now },
            Arrival::NotTaken(reason) if is_a_lock(&reason) => {
                return Err(GitError::Failed { what: "move the target's branch", code: 1, reason });
            }
            Arrival::NotTaken(reason) => refused(format!("the target did not take the commit: {reason}")),
            Arrival::Elsewhere => {
                let reason = "its owner changes branches there; it is tried again later".to_owned();
                return Err(GitError::Failed { what: "move the target's branch", code: 1, reason });
            }
            Arrival::Taken => refused(
                "the target said yes, but does not hold the commit; a hook of its own may have moved it back"
                    .to_owned(),
            ),
        };
        Ok(Step::Stop(stop))
    }

    /// C34: the commit is in the target's history, and its tree is the one that was tested.
    async fn proof(
        &self,
        landing: &Landing,
        target_head: &Oid,
        how: How,
    ) -> Result<Option<Merged>, GitError> {
        let repo = self.bench.mirror.repo();
        if !repo.is_ancestor(&landing.commit, target_head).await?
            || repo.tree_of(&landing.commit).await? != landing.tree
        {
            return Ok(None);
        }
        let Landing { commit, tree } = landing.clone();
        let target_head = target_head.clone();
        let checked_tree = matches!(how, How::Moved | How::Found).then(|| tree.clone());
        Ok(Some(Merged {
            commit,
            tree,
            checked_tree,
            base_before: None,
            target_head,
            how,
            checks: Vec::new(),
        }))
    }

    async fn contained(&self, base: Oid) -> Result<Merged, GitError> {
        let tree = self.bench.mirror.repo().tree_of(&base).await?;
        let landing = Landing { commit: base.clone(), tree };
        let proven = self.proof(&landing, &base, How::Contained).await?;
        proven.ok_or_else(|| GitError::unexpected("read the target back", base.as_str()))
    }
}

/// The target as it is now: since the checks began, its owner may have checked another branch out.
async fn make(landing: Move) -> Result<Arrival, GitError> {
    for _ in 0..MAX_LOOKS {
        let target = landing.mirror.target().await?;
        match landing.make(target).await? {
            Arrival::Elsewhere => {}
            arrival => return Ok(arrival),
        }
    }
    Ok(Arrival::Elsewhere)
}

fn refused(reason: String) -> MergeOutcome {
    MergeOutcome::Refused(Refused::new(RefusedCode::TargetRefused, reason))
}

/// Somebody else holds the branch at this moment: it may be free the next.
fn is_a_lock(reason: &str) -> bool {
    ["cannot lock ref", "failed to update ref", ".lock'"].iter().any(|mark| reason.contains(mark))
}
