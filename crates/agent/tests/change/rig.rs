//! An agent's host with all executors of changes, and a repository to work on.

use crate::shelf::Shelf;
use crate::world::World;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tiltyard_agent::attempt::AttemptKey;
use tiltyard_agent::executor::change::{CHANGE_KIND, ChangeExecutor};
use tiltyard_agent::executor::git_check::CheckExecutor;
use tiltyard_agent::executor::git_clean::CleanExecutor;
use tiltyard_agent::executor::git_merge::MergeExecutor;
use tiltyard_agent::executor::git_probe::ProbeExecutor;
use tiltyard_agent::executor::workshop::{Workshop, WorkshopSettings};
use tiltyard_agent::executor::{Assignment, Executors};
use tiltyard_agent::git::{AllowedRoots, Git, GitSettings};
use tiltyard_agent::host::{Done, Host, HostSettings};
use tiltyard_agent::log::LogLimits;
use tiltyard_agent::outcome::Verdict;
use tiltyard_agent::process::{Graces, Launcher, RunAs};
use tiltyard_wire::work::{CHECK_KIND, CLEAN_KIND, ChangeResult, MERGE_KIND, PROBE_KIND};

/// How long a signal is awaited before the test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const GRACES: Graces =
    Graces { stop_ms: 300, leftover_ms: 300, orphan_ms: 300, confirm_ms: 30_000 };

/// The change that all tests are about.
pub(crate) const CHANGE: &str = "chg_01h2xcejqtf2nbrexx3vqjhp41";

/// A repository, an agent and a shelf.
pub(crate) struct Rig {
    pub(crate) world: World,
    pub(crate) shelf: Shelf,
    pub(crate) workshop: Arc<Workshop>,
    pub(crate) host: Arc<Host>,
}

impl Rig {
    /// With a checked-out repository `repos/app`.
    pub(crate) async fn new() -> Self {
        Self::of(World::with_app(), None).await
    }

    pub(crate) async fn of(world: World, user: Option<RunAs>) -> Self {
        Self::with_graces(world, user, GRACES).await
    }

    pub(crate) async fn with_graces(world: World, user: Option<RunAs>, graces: Graces) -> Self {
        let shelf = Shelf::start().await;
        let folder = world.path("agent");
        let settings = WorkshopSettings {
            git: Git::find(GitSettings::default()).expect("there is git"),
            folder: folder.clone(),
            roots: AllowedRoots::new([world.path("repos")]),
            client: shelf.client(),
        };
        let workshop = Arc::new(Workshop::open(settings).expect("opens"));
        let share = || Arc::clone(&workshop);
        let executors = Executors::default()
            .with(CHANGE_KIND, ChangeExecutor::new(share()))
            .with(PROBE_KIND, ProbeExecutor::new(share()))
            .with(CHECK_KIND, CheckExecutor::new(share()))
            .with(MERGE_KIND, MergeExecutor::new(share()))
            .with(CLEAN_KIND, CleanExecutor::new(share()));
        let settings = HostSettings {
            seal: tiltyard_agent::outbox::SealKey::default(),
            folder,
            slots: 4,
            launcher: Launcher::new(
                PathBuf::from(env!("CARGO_BIN_EXE_agent-stub")),
                vec!["exec-shim".into()],
            ),
            hide: Vec::new(),
            user,
            graces,
            log_limits: LogLimits::default(),
            executors,
        };
        let (host, _) = Host::open(settings).expect("opens");
        Self { world, shelf, workshop, host }
    }

    pub(crate) fn repository(&self) -> Value {
        let path = self.world.path("repos/app");
        json!({ "scope": "default", "name": "app", "path": path, "branch": "main" })
    }

    /// A payload of the kind `change` whose program is a shell script.
    pub(crate) fn idea(&self, script: &str) -> Value {
        json!({
            "repository": "app", "prompt": "Say hello louder.", "criteria": ["It is louder"],
            "program": ["/bin/sh", "-ec", script],
            "given": { "repository": self.repository(), "start": { "from": "base" } },
        })
    }

    /// A payload of `git.check`, or with two more members of `git.merge`.
    pub(crate) fn check(&self, proposal: &ChangeResult, checks: &Value) -> Value {
        json!({
            "change": CHANGE, "repository": self.repository(), "proposal": self.handed(proposal),
            "method": "fast_forward", "message": "Say hello louder", "commit_time_ms": 1_700_000_000_000_i64,
            "checks": checks, "rules_sha256": null,
        })
    }

    pub(crate) fn handed(&self, proposal: &ChangeResult) -> Value {
        json!({ "base": proposal.base, "head": proposal.head, "bundle": self.shelf.stored(&proposal.bundle) })
    }

    pub(crate) async fn accept(
        &self,
        kind: &str,
        generation: i64,
        payload: &Value,
    ) -> tiltyard_agent::host::Running {
        self.accept_within(kind, generation, payload, None).await
    }

    pub(crate) async fn accept_within(
        &self,
        kind: &str,
        generation: i64,
        payload: &Value,
        timeout: Option<Duration>,
    ) -> tiltyard_agent::host::Running {
        let assignment = Assignment {
            key: AttemptKey::new(&task_of(kind), generation).expect("is a key"),
            kind: kind.to_owned(),
            title: "Say hello louder".to_owned(),
            payload: serde_json::value::to_raw_value(payload).expect("is JSON"),
            timeout,
        };
        self.host.accept(assignment).await.expect("takes it")
    }

    /// Carries a task out; how it ended, and its log.
    pub(crate) async fn perform(&self, kind: &str, generation: i64, payload: &Value) -> (Done, String) {
        let mut running = self.accept(kind, generation, payload).await;
        let mut log = String::new();
        while let Some(chunk) = running.log.next().await.expect("reads") {
            log.push_str(&chunk.text);
        }
        let done = tokio::time::timeout(PATIENCE, running.done)
            .await
            .expect("ends in time")
            .expect("does not break");
        self.host.settled(&done.key).await.expect("forgets it");
        (done, log)
    }

    /// Carries a change out that succeeds.
    pub(crate) async fn propose(&self, script: &str) -> ChangeResult {
        let (done, log) = self.perform(CHANGE_KIND, 1, &self.idea(script)).await;
        serde_json::from_str(&result(&done, &log)).expect("is a proposal")
    }

    /// Carries a git task out that succeeds.
    pub(crate) async fn answer<T: serde::de::DeserializeOwned>(&self, kind: &str, payload: &Value) -> T {
        let (done, log) = self.perform(kind, 1, payload).await;
        serde_json::from_str(&result(&done, &log)).expect("is an answer")
    }

    pub(crate) fn head(&self) -> String {
        self.world.git("repos/app", &["rev-parse", "main"])
    }
}

/// The result of a task that has succeeded, as JSON.
pub(crate) fn result(done: &Done, log: &str) -> String {
    match done.outcome.as_ref().map(|outcome| &outcome.verdict) {
        Some(Verdict::Succeeded { result: Some(result) }) => result.get().to_owned(),
        other => panic!("expected a result, got {other:?} with the log\n{log}"),
    }
}

/// The error of an attempt that has failed.
pub(crate) fn failure(done: &Done) -> String {
    match done.outcome.as_ref().map(|outcome| &outcome.verdict) {
        Some(Verdict::Failed { error, .. }) => error.clone(),
        other => panic!("expected a failure, got {other:?}"),
    }
}

/// Each kind has its task.
pub(crate) fn task_of(kind: &str) -> String {
    let number = kind.bytes().map(u32::from).sum::<u32>();
    format!("task_01h2xcejqtf2nbrexx3vqj{number:04}")
}
