//! The kind `change` (C11): a program edits a clone, and what it did is proposed. "Done" is checked, not believed.

mod claim;
mod paper;

use super::checker::give_tree;
use super::limit::Limits;
use super::workshop::{payload, transfer};
use super::{Executor, Job, Manner, Performed, Performing, ProgramRun, Workshop, answer, result};
use crate::git::cleanup::MAX_KEPT_CLONES;
use crate::git::{
    CloneRequest, GitError, Key, Mirror, Proposal, ProposeRequest, Refused, RefusedCode, Signature, Start,
    Stored, WorkClone, WorkClones, propose,
};
use crate::outcome::Verdict;
use crate::process::{Program, Run, Stop, environment};
use std::sync::Arc;
use tempfile::NamedTempFile;
use tiltyard_client::Request;
use tiltyard_wire::artifact::PutQuery;
use tiltyard_wire::endpoint::call;
use tiltyard_wire::work::{self, ChangePayload, ChangeResult, Unchanged};

pub use paper::PROGRAM_VARIABLES;

/// The kind of tasks that this executor does.
pub const CHANGE_KIND: &str = "change";

/// Makes changes.
#[derive(Debug, Clone)]
pub struct ChangeExecutor(Arc<Workshop>);

impl ChangeExecutor {
    /// One that works in that workshop.
    pub fn new(workshop: Arc<Workshop>) -> Self {
        Self(workshop)
    }
}

impl Executor for ChangeExecutor {
    fn execute<'a>(&'a self, mut job: Job<'a>) -> Performing<'a> {
        Box::pin(async move { self.perform(&mut job).await.unwrap_or_else(|performed| performed) })
    }
}

/// One change in the making.
struct Making<'a> {
    workshop: &'a Workshop,
    limits: Limits,
    payload: ChangePayload,
    task: Key,
    generation: i64,
    signature: Signature,
}

/// What came of it.
enum Made {
    /// Something to check and to decide on.
    Proposal(Box<ChangeResult>),
    /// Nothing new: the earlier proposal stands.
    Nothing(Unchanged),
}

impl ChangeExecutor {
    async fn perform(&self, job: &mut Job<'_>) -> Result<Performed, Performed> {
        let payload: ChangePayload = payload(job)?;
        let argv = argv(&payload)?;
        let (limits, _) = Limits::of(job);
        let task = Key::try_from(job.assignment.key.task());
        let task = task.map_err(|error| Performed::told(Verdict::refused(error.to_string())))?;
        let generation = job.assignment.key.generation();
        let signature = Signature { by: self.0.by.clone(), at_ms: now_ms() };
        let making = Making { workshop: &self.0, limits, payload, task, generation, signature };
        let mirror = making.mirror(job).await?;
        let clone = making.clone(job, &mirror).await?;
        match making.make(job, &mirror, &clone, argv).await {
            // It stays until the change is final (C34).
            Ok(Made::Proposal(result)) => Ok(answer::told(*result)),
            Ok(Made::Nothing(unchanged)) => Ok(answer::told(unchanged)),
            Err(performed) => Err(making.put_away(clone, performed).await),
        }
    }
}

impl Making<'_> {
    async fn mirror(&self, job: &Job<'_>) -> Result<Mirror, Performed> {
        job.progress.say("bringing the mirror up to date");
        let mirror = self.limits.hold(self.workshop.mirror(&self.payload.given.repository)).await?;
        mirror.map_err(|error| no_clone(&error))
    }

    async fn clone(&self, job: &Job<'_>, mirror: &Mirror) -> Result<WorkClone, Performed> {
        let (start, _bundle) = self.start().await?;
        job.progress.say("cloning");
        let request = CloneRequest {
            mirror,
            task: &self.task,
            generation: u64::try_from(self.generation).unwrap_or_default(),
            title: &job.assignment.title,
            start,
            signature: &self.signature,
        };
        let clone = self.limits.hold(self.workshop.clones.create(request)).await?;
        clone.map_err(|error| no_clone(&error))
    }

    /// What the clone begins with; a bundle lives until it is made.
    async fn start(&self) -> Result<(Start, Option<NamedTempFile>), Performed> {
        let given = &self.payload.given;
        let (handed, resolve) = match &given.start {
            work::Start::Base => return Ok((Start::Base, None)),
            work::Start::Earlier(handed) => (handed, false),
            work::Start::Resolve(handed) => (handed, true),
        };
        let change = given.change.ok_or_else(|| {
            Performed::told(Verdict::refused("the payload names an earlier proposal, but not its change"))
        })?;
        let (incoming, bundle) =
            self.workshop.incoming(&self.limits, &given.repository, change, handed).await?;
        let start = if resolve { Start::Resolve(incoming) } else { Start::Earlier(incoming) };
        Ok((start, bundle))
    }

    /// From the clone to the uploaded proposal.
    async fn make(
        &self,
        job: &mut Job<'_>,
        mirror: &Mirror,
        clone: &WorkClone,
        argv: Vec<String>,
    ) -> Result<Made, Performed> {
        let run = self.run(job, clone, argv).await?;
        if let Stop::Unconfirmed { .. } = &run.ended.stop {
            let verdict = Verdict::failed(
                "processes that the program started could not be ended: what it did cannot be taken while they may change it",
            );
            return Err(Performed { verdict: Some(verdict), stop: run.ended.stop });
        }
        if let Some(objection) = claim::objection(job.folder, &run.speech) {
            return Err(Performed::told(Verdict::failed(objection)));
        }
        job.progress.say("looking at what was done");
        let message = format!("{}\n\nTiltyard-Task: {}", job.assignment.title, self.task);
        let request = ProposeRequest { mirror, clone, message: &message, signature: &self.signature };
        let proposal = match self.limits.hold(propose(request)).await? {
            Ok(proposal) => proposal,
            Err(GitError::Refused(refused)) if self.adds_nothing(&refused) => {
                return Ok(Made::Nothing(Unchanged { unchanged: refused.reason }));
            }
            // Whatever is wrong with it, another attempt may do better.
            Err(error) => return Err(answer::failed(&error)),
        };
        job.progress.say("uploading");
        self.upload(job, "change.diff", "text/x-diff", &proposal.diff).await?;
        self.upload(job, "change.bundle", "application/x-git-bundle", &proposal.bundle).await?;
        Ok(Made::Proposal(Box::new(told(proposal))))
    }

    /// Whether an earlier proposal came back and the program answered with nothing: it would do the same once more.
    fn adds_nothing(&self, refused: &Refused) -> bool {
        let came_back = self.payload.given.start != work::Start::Base;
        came_back && matches!(refused.code, RefusedCode::Nothing | RefusedCode::ConflictMarkers)
    }

    async fn run(
        &self,
        job: &mut Job<'_>,
        clone: &WorkClone,
        argv: Vec<String>,
    ) -> Result<ProgramRun, Performed> {
        let broken = |error: std::io::Error| {
            Performed::told(Verdict::failed(format!("cannot prepare the clone: {error}")))
        };
        let brief = paper::Brief {
            title: &job.assignment.title,
            payload: &self.payload,
            clone,
            task: self.task.as_str(),
            generation: self.generation,
        };
        let own = brief.write().map_err(broken)?;
        give_tree(job, &clone.tree()).await.map_err(broken)?;
        give_tree(job, &clone.papers()).await.map_err(broken)?;
        let mut env = environment::inherited();
        env.extend(own);
        env.push((
            result::OUTPUT_VARIABLE.to_owned(),
            job.folder.output_file().to_string_lossy().into_owned(),
        ));
        job.progress.say(&format!("running {}", argv.first().map_or("", String::as_str)));
        let program = Program { run: Run::Argv(argv), env, cwd: clone.tree(), stdin: Vec::new() };
        let manner = Manner { open: vec![clone.tree(), clone.papers()], ..Manner::default() };
        let run = job.run_as(program, manner).await;
        job.judge(run)
    }

    async fn upload(
        &self,
        job: &Job<'_>,
        name: &str,
        media_type: &str,
        stored: &Stored,
    ) -> Result<(), Performed> {
        let query = PutQuery {
            task: job.assignment.key.task().parse().ok(),
            generation: Some(self.generation),
            name: Some(name.to_owned()),
            output: None,
        };
        let put = || {
            let request = Request::<call::ArtifactPut>::new().place(&stored.sha256).query(query.clone());
            self.workshop.client.call(request.file(&stored.path, media_type))
        };
        transfer(&self.limits, "upload what was done", put).await.map(drop)
    }

    /// What becomes of the clone of an attempt that led to nothing: a failed one is kept for a look.
    async fn put_away(&self, clone: WorkClone, mut performed: Performed) -> Performed {
        let (clones, task) = (self.workshop.clones.clone(), self.task.clone());
        let putting = move || {
            put_away(&clones, &clone, &task, &mut performed);
            performed
        };
        // A big clone takes its time to go.
        let put = tokio::task::spawn_blocking(putting).await;
        put.unwrap_or_else(|error| Performed::told(Verdict::failed(format!("the clone: {error}"))))
    }
}

/// Removes or keeps the clone, and says where.
fn put_away(clones: &WorkClones, clone: &WorkClone, task: &Key, performed: &mut Performed) {
    let Some(Verdict::Failed { error: words, .. } | Verdict::TimedOut { error: words }) =
        &mut performed.verdict
    else {
        if let Err(error) = clones.remove(clone) {
            tracing::warn!(target: "agent", task_id = %task, %error, "a clone stays behind");
        }
        return;
    };
    match clones.keep(clone) {
        Ok(place) => words.push_str(&format!(
            "\nIts clone is kept until {MAX_KEPT_CLONES} more attempts have failed here: {}",
            place.display()
        )),
        Err(error) => {
            tracing::warn!(target: "agent", task_id = %task, %error, "the clone of a failed attempt could not be kept");
        }
    }
}

/// The program that the payload names.
fn argv(payload: &ChangePayload) -> Result<Vec<String>, Performed> {
    let refused = |reason: String| Performed::told(Verdict::refused(reason));
    match &payload.program {
        Some(work::Program::Argv(argv)) if argv.first().is_some_and(|program| !program.is_empty()) => {
            Ok(argv.clone())
        }
        Some(work::Program::Argv(_)) => {
            Err(refused("the program is an empty argv: name the program".to_owned()))
        }
        Some(work::Program::Known(name)) => Err(refused(format!(
            "this agent knows no program `{}`: give the program as an argv, such as [\"claude\", \"-p\", …]",
            name.escape_debug()
        ))),
        None => Err(refused("the change names no program: give one as an argv".to_owned())),
    }
}

/// A clone that could not be made: refusals are final, what may pass is tried again.
fn no_clone(error: &GitError) -> Performed {
    match error {
        GitError::Refused(refused) => Performed::told(Verdict::refused(refused.reason.clone())),
        error => answer::failed(error),
    }
}

fn told(proposal: Proposal) -> ChangeResult {
    let stored = |stored: Stored| work::Stored { id: None, sha256: stored.sha256, bytes: stored.bytes };
    let commit = |line: crate::git::propose::CommitLine| work::Commit {
        id: line.id.into(),
        author: line.author,
        subject: line.subject,
    };
    ChangeResult {
        base: proposal.base.into(),
        merge_base: proposal.merge_base.into(),
        head: proposal.head.into(),
        tree: proposal.tree.into(),
        diff: stored(proposal.diff),
        bundle: stored(proposal.bundle),
        files: answer::files(proposal.files),
        commits: proposal.commits.into_iter().map(commit).collect(),
        secrets: answer::secrets(proposal.secrets),
    }
}

/// The time of a proposal's commit, which decides nothing.
#[expect(clippy::disallowed_methods, reason = "a commit bears the date on which it was made")]
fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
