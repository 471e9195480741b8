//! The place of a repository's agent: checks and merges, with a runner that can be made to do things meanwhile.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tiltyard_agent::git::{
    Bench, CheckJob, CheckOutcome, CheckSpec, Checked, Ended, GitError, LogSink, MergeJob, MergeOutcome,
    Merged, Method, Mirror, Program, Proposal, RefusedCode, RulesPin, Runner, Running, Signature, Start,
    check, merge,
};

use crate::desk::{Attempt, incoming, signature};
use crate::world::World;

/// Runs programs plainly, counts them, and does something of the test's choosing when one starts.
pub(crate) struct Plain {
    pub(crate) runs: AtomicUsize,
    meanwhile: Box<dyn Fn() + Send + Sync>,
}

impl Plain {
    pub(crate) fn new() -> Self {
        Self::with(|| ())
    }

    pub(crate) fn with(meanwhile: impl Fn() + Send + Sync + 'static) -> Self {
        Self { runs: AtomicUsize::new(0), meanwhile: Box::new(meanwhile) }
    }
}

impl Runner for Plain {
    fn run(&self, program: Program, log: LogSink) -> Running<'_> {
        self.runs.fetch_add(1, Ordering::SeqCst);
        (self.meanwhile)();
        Box::pin(async move {
            let mut command = tokio::process::Command::new(&program.argv[0]);
            command.args(&program.argv[1..]).current_dir(&program.cwd).envs(program.env).kill_on_drop(true);
            let child =
                match command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn() {
                    Ok(child) => child,
                    Err(error) => return Ended::Missing(error.to_string()),
                };
            let Ok(output) = tokio::time::timeout(program.timeout, child.wait_with_output()).await else {
                return Ended::TimedOut;
            };
            let output = output.unwrap();
            log(&output.stdout);
            log(&output.stderr);
            output.status.code().map_or(Ended::Signalled(9), Ended::Exited)
        })
    }
}

/// A change `chg_1` that waits to be checked and merged.
pub(crate) struct Waiting {
    pub(crate) mirror: Mirror,
    pub(crate) proposal: Proposal,
    folder: std::path::PathBuf,
    signature: Signature,
    pub(crate) job: MergeJob,
}

pub(crate) fn test_that(script: &str) -> CheckSpec {
    let argv = ["sh", "-c", script].map(str::to_owned).to_vec();
    CheckSpec { name: "test".to_owned(), argv, timeout_ms: 30_000 }
}

impl Waiting {
    /// A program does `work` in a clone of `part`, and what it did arrives here.
    pub(crate) async fn new(world: &World, part: &str, work: impl FnOnce(&Attempt)) -> Self {
        let mirror = world.mirrors().mirror(&world.source(part)).await.unwrap();
        Self::in_mirror(world, &mirror, "chg_1", work).await
    }

    pub(crate) async fn in_mirror(
        world: &World,
        mirror: &Mirror,
        change: &str,
        work: impl FnOnce(&Attempt),
    ) -> Self {
        let attempt = Attempt::new(world, mirror, &change.replace("chg", "task"), Start::Base).await;
        work(&attempt);
        let proposal = attempt.propose().await.unwrap();
        let job = MergeJob {
            incoming: incoming(change, &proposal),
            method: Method::Squash,
            message: "Fix the README\n\nAs asked.".to_owned(),
            checks: vec![test_that("test -f README.md && ! grep -q broken README.md")],
            rules: RulesPin::File { sha256: None },
            subject_sha256: Some(proposal.diff.sha256.clone()),
            green: None,
        };
        let (folder, signature) = (world.path("agent/checks"), signature());
        Self { mirror: mirror.clone(), proposal, folder, signature, job }
    }

    /// The usual one: a better README.
    pub(crate) async fn readme(world: &World, part: &str) -> Self {
        Self::new(world, part, |attempt| attempt.write("README.md", "hello\nbetter\n")).await
    }

    fn bench<'a>(&'a self, runner: &'a Plain) -> Bench<'a> {
        let log: LogSink = Arc::new(|_| ());
        Bench { mirror: &self.mirror, runner, log, folder: &self.folder, signature: &self.signature }
    }

    pub(crate) async fn check_with(&self, runner: &Plain) -> Result<CheckOutcome, GitError> {
        let MergeJob { incoming, method, message, checks, rules, .. } = self.job.clone();
        check(&self.bench(runner), &CheckJob { incoming, method, message, checks, rules }).await
    }

    pub(crate) async fn checked(&self) -> Checked {
        match self.check_with(&Plain::new()).await.unwrap() {
            CheckOutcome::Checked(checked) => *checked,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn merge_with(&self, runner: &Plain) -> Result<MergeOutcome, GitError> {
        merge(&self.bench(runner), &self.job).await
    }

    pub(crate) async fn merge(&self) -> MergeOutcome {
        self.merge_with(&Plain::new()).await.unwrap()
    }

    pub(crate) async fn merged(&self) -> Merged {
        match self.merge().await {
            MergeOutcome::Merged(merged) => *merged,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn refused(&self) -> (RefusedCode, String) {
        match self.merge().await {
            MergeOutcome::Refused(refused) => (refused.code, refused.reason),
            other => panic!("{other:?}"),
        }
    }
}
